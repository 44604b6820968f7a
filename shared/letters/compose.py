"""From a mail row to a mail: what is true now, in words, as text and HTML, with the calendar entry.

Nothing is composed from the row but what only the row knows; the rest is read when the mail goes out. Whatever a
stranger can type into the form stands in no mail that the form alone sends: names are how spam is sent in the name
of others. Only who holds a place, and so is known to the organisers, is greeted by name.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from shared import settings
from shared.address_change import Step, sign_change
from shared.calendar import calendar_file
from shared.cancellation import IS_CANCELLED, TAKES_PLACE
from shared.commitment import commitment
from shared.edition import DAY, Facts, facts_since, is_at_another_time, sequence_of
from shared.events import read_event, read_or_stand_in
from shared.i18n import N_, day, in_language, language_for, translations
from shared.leaders import find_led
from shared.letters.day import Line, called_off, changes, the_day, workshops
from shared.mails import mail_id, read_mail
from shared.messages import read_message
from shared.models import (
    Event,
    Mail,
    MailKind,
    MailState,
    Programme,
    Registration,
    RegistrationState,
    Run,
    RunState,
    moment,
)
from shared.pages import environment
from shared.reasons import in_words
from shared.registrations import members_of, read_registration
from shared.runs import programme_of, read_run
from shared.state import comes_at_once, gives_out_at, read_state
from shared.table import EVENTS_PK, Table, address_digest
from shared.text import JOINERS, TextError, clean_address, is_letter
from shared.tokens import LEADER_SALT, SIGN_IN_FOR, SIGN_IN_SALT, Keys, sign, sign_link
from shared.waiting_list import OFFER

TEMPLATES = Path(__file__).parent / "templates"


class HeaderPolicy(EmailPolicy):
    """Folds `Subject` and the name in `From` as one run of encoded words.

    The standard library encodes only the words that need it, and some of its releases lose or double the spaces in
    between, or write none between two encoded words, which some mail servers refuse (python/cpython#144156).
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header as it goes over the wire."""
        text, address = (str(value), "") if name == "Subject" else parseaddr(str(value))
        if name not in {"Subject", "From"} or text.isascii():
            return super().fold_binary(name, value)
        words = Header(text, "utf-8", header_name=name).encode(linesep=self.linesep)
        end = f"{self.linesep} <{address}>" if address else ""
        return f"{name}: {words}{end}{self.linesep}".encode("ascii")


POLICY = HeaderPolicy(linesep="\r\n", cte_type="7bit")
"""Pure ASCII with lines of at most 78 characters, whatever the words; CR or LF in a header is refused."""

SUBJECTS: Mapping[str, str] = {
    "confirmation": N_("You are registered: {title}"),
    "already-registered": N_("Your registration: {title}"),
    "waiting-list": N_("You are on the waiting list: {title}"),
    "place-offered": N_("A place is free for you: {title}"),
    "confirm-place": N_("Confirm your address to keep your place: {title}"),
    "place-released": N_("Your registration was released: {title}"),
    "programme": N_("Your programme: {title}"),
    "programme-changed": N_("Your programme has changed: {title}"),
    "reminder": N_("{day}: {title}"),
    "withdrawn": N_("You have withdrawn: {title}"),
    "erased": N_("Your data is deleted: {title}"),
    "sign-in": N_("Sign in to organise"),
    "address-check": N_("Is this your address? {title}"),
    "address-changed": N_("Your email address was changed: {title}"),
    "allocation-failed": N_("The allocation failed: {title}"),
    "draft-ready": N_("An allocation waits for you: {title}"),
    "day-cancelled": N_("Cancelled: {title}, {day}"),
    "day-restored": N_("It takes place after all: {title}, {day}"),
    "feedback": N_("How was it? {title}"),
    "group": N_("Your group: {title}"),
    "leader-list": N_("The people in your workshops: {title}"),
    "message": "{subject}",
}

PROGRAMMES: tuple[MailKind, ...] = ("programme", "programme-changed")

WITH_CALENDAR = (
    "confirmation",
    "withdrawn",
    "place-released",
    "reminder",
    "day-cancelled",
    "day-restored",
    *PROGRAMMES,
)
"""Mails that carry the calendar entry, so that it follows what they say."""

BY_NAME = ("place-offered", "reminder", "day-cancelled", "day-restored", "feedback", *PROGRAMMES)
"""Mails that no stranger's form can trigger; the others greet nobody by the name that was typed."""

ABOUT_A_RUN: Mapping[str, RunState] = {"allocation-failed": RunState.FAILED, "draft-ready": RunState.DRAFT}
"""Mails to organisers about a run, and the state in which the run still is what they say."""

POINTLESS_ONCE_CANCELLED = (
    "confirmation",
    "waiting-list",
    "place-offered",
    "confirm-place",
    "day-restored",
    "reminder",
    "feedback",
    "leader-list",
    "group",
    *PROGRAMMES,
    *ABOUT_A_RUN,
)
"""Mails about a day that takes place."""

ALWAYS_TOLD = ("erased", "sign-in", "address-changed", "leader-list", *ABOUT_A_RUN)
"""Mails that stand on their own: they carry their address, and do not depend on how the registration stands."""

_WORD = r"(?:(?:a\.-?)+|['’]?a+(?:['’-]+a+)*\.?)"
MORE_LIKELY_A_NAME = re.compile(rf"{_WORD}(?: {_WORD}){{0,7}}")
"""Up to eight words of letters, initials and titles (`a` stands for a letter): no number, address or web address."""

LONGEST_NAME = 60
MOST_WORDS = 5
"""A name of more words is greeted only when at least half of them begin with a capital; a sentence does not."""
LONGEST_SENDER_NAME = 75


class NothingToTellError(Exception):
    """What this mail reports is no longer so, or a later mail tells it; the words say why, without a name."""


class BadAddressError(Exception):
    """No mail can be sent to what stands as the address."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as SES takes it: one recipient, the sender as it stands in the head, the bytes."""

    to: str
    sender: str
    raw: bytes


def _language(event: Event, mail: Mail) -> str:
    """The language of a mail to no registered person: to an organiser it may be one that the event does not have."""
    if mail.kind in ("sign-in", "allocation-failed", "draft-ready"):
        return language_for(mail.language, event.language)
    return event.language_for(mail.language)


def compose(table: Table, keys: Keys, mail: Mail, *, now: datetime) -> Letter:
    """Write a mail from what is stored now.

    Raises NothingToTellError or BadAddressError.
    """
    event = _event_of(table, mail)
    if event is None:
        raise NothingToTellError("no such event")
    person = read_registration(table, event.id, mail.registration) if mail.registration else None
    language = event.language_for(person.language, mail.language) if person else _language(event, mail)
    event = event.in_language(language)
    _refuse_if_pointless(event, mail, person, now)
    to = _deliverable(mail.to or (person.email if person else ""))
    facts = _facts(table, keys, event, mail, person, language, now)
    entry = None
    if person and facts["kind"] in WITH_CALENDAR and facts["has_entry"]:
        entry = _calendar(event, person, facts, now)
    sender = _sender(facts["kind"], event)
    return Letter(to, sender, _raw(event, facts, to, sender, entry, now))


def _event_of(table: Table, mail: Mail) -> Event | None:
    """The event that a mail is about; organisers can sign in to one whose file cannot be read, and put it again."""
    if mail.kind != "sign-in":
        return read_event(table, mail.event, retired_too=True)
    found = table.get(EVENTS_PK, mail.event)
    return read_or_stand_in(found)[0] if found else None


def _refuse_if_too_late(event: Event, mail: Mail, now: datetime) -> None:
    """Raise NothingToTellError when what a mail without a registration offers has run out."""
    if mail.kind == "sign-in" and now >= moment(mail.created_at) + SIGN_IN_FOR:
        raise NothingToTellError("the link has run out")
    if mail.kind == "leader-list" and now >= event.ends_at:
        raise NothingToTellError("the day is over")


def _refuse_if_pointless(event: Event, mail: Mail, person: Registration | None, now: datetime) -> None:
    """Raise NothingToTellError when the moment of this mail has passed."""
    _refuse_if_too_late(event, mail, now)
    if mail.kind == "day-cancelled" and not event.cancelled:
        raise NothingToTellError(TAKES_PLACE)
    if event.cancelled and mail.kind in POINTLESS_ONCE_CANCELLED:
        raise NothingToTellError(IS_CANCELLED)
    if mail.kind in ALWAYS_TOLD:
        return
    if person is None:
        raise NothingToTellError("the registration is gone")
    if mail.kind in ("withdrawn", "place-released"):
        return
    if mail.kind == "message" and person.bounced:
        raise NothingToTellError("mail to this address came back")
    if mail.kind == "address-check" and person.new_email != mail.to:
        raise NothingToTellError("another address, or none, is asked for by now")
    _refuse_other_states(mail, person)
    if mail.kind in (*PROGRAMMES, "reminder", "day-cancelled", "day-restored") and now >= event.ends_at:
        raise NothingToTellError("the day is over")
    if mail.kind == "feedback" and event.feedback is None:
        raise NothingToTellError("nobody is asked about the day any more")


def _refuse_other_states(mail: Mail, person: Registration) -> None:
    """Raise NothingToTellError when a registration is no longer in the state that this mail speaks of."""
    if person.state is RegistrationState.WITHDRAWN:
        raise NothingToTellError("the registration is withdrawn")
    needed = {
        "waiting-list": RegistrationState.WAITING,
        "place-offered": RegistrationState.OFFERED,
        **dict.fromkeys((*PROGRAMMES, "reminder", "feedback", "confirm-place"), RegistrationState.CONFIRMED),
        "group": RegistrationState.DELEGATE,
    }.get(mail.kind)
    asked = mail.kind in ("confirm-place", "reminder") and person.state is RegistrationState.DELEGATE  # for the group
    if needed and person.state is not needed and not asked:
        raise NothingToTellError(f"the registration is {person.state.value}")
    if mail.kind == "confirm-place" and not person.unconfirmed:
        raise NothingToTellError("the address is confirmed")


# --------------------------------------------------------------------------- what it says


def _facts(
    table: Table, keys: Keys, event: Event, mail: Mail, person: Registration | None, language: str, now: datetime
) -> dict[str, Any]:
    """Everything the templates speak of."""
    url = settings.public_url()
    facts: dict[str, Any] = {
        "kind": _kind(mail.kind, person),
        "language": language,
        "event": event,
        "event_url": f"{url}/events/{event.id}",
        "own_words": _paragraphs(_own_words(event, _kind(mail.kind, person))),
        "closes_at": event.closes_at.astimezone(event.zone),
        "allocates_at": event.allocates_at.astimezone(event.zone),
        "is_open": event.is_open(now),
        "has_entry": person is not None and person.state in (RegistrationState.CONFIRMED, RegistrationState.WITHDRAWN),
        "offer_hours": OFFER // timedelta(hours=1),
        "is_allocated": now >= event.allocates_at,
        "comes_at_once": False,
        "published_run": 0,
        "commitment": "",
        "programme": None,
        "members": [],
        "moved": [],
        "called_off": [],
        "day_before": {},
        "address_url": "",
        "name": "",
        "person": person,
    }
    if mail.kind == "sign-in":
        token = sign(keys, SIGN_IN_SALT, [event.id, mail.facts.get("nonce", "")])
        facts |= {"sign_in_url": f"{url}/organise/sign-in/{token}", "minutes": int(SIGN_IN_FOR.total_seconds()) // 60}
    if mail.kind in (*ABOUT_A_RUN, "leader-list"):
        facts |= _leader(keys, event, mail) if mail.kind == "leader-list" else _run_facts(table, event, mail)
    if person is None:
        return facts
    if mail.kind == "address-check":
        facts["address_url"] = _address_url(keys, person, "move", mail)
    if mail.kind == "address-changed" and person.previous_email == mail.to:
        facts["address_url"] = _address_url(keys, person, "undo", mail)
    if mail.kind == "message":
        facts |= _message(table, event, mail, language)
    facts["own_url"] = f"{url}/r/{sign_link(keys, event.id, person.id, person.link_version)}"
    facts["ranking"] = [theme.title for choice in person.choices for theme in event.themes if theme.id == choice]
    if facts["kind"] in BY_NAME:
        facts["name"] = person.name if _is_a_name(person.name) else ""
    if person.confirm_by:
        facts["confirm_by"] = moment(person.confirm_by).astimezone(event.zone)
    if person.offer_expires_at:
        facts["offer_expires_at"] = moment(person.offer_expires_at).astimezone(event.zone)
    facts |= _programme_facts(table, event, mail, person)
    if facts["kind"] == "confirmation":
        state = read_state(table, event.id)
        gives_out = gives_out_at(event, state)
        facts["commitment"] = commitment(event, state, now)
        facts["is_allocated"] = gives_out is None or now >= gives_out
        facts["comes_at_once"] = comes_at_once(event, state)
    if facts["programme"]:
        facts["reason"] = in_words(facts["programme"].reason, event, facts["language"])
    return facts


def _leader(keys: Keys, event: Event, mail: Mail) -> dict[str, Any]:
    """What a leader is told. Raises NothingToTellError when the event file no longer names them."""
    led = find_led(event, [event.id, mail.facts.get("theme", ""), address_digest(mail.to)[:32]])
    if led is None:
        raise NothingToTellError("this address leads no workshop any more")
    return {
        "theme": led.theme,
        "leader_url": f"{settings.public_url()}/leaders/{sign(keys, LEADER_SALT, led.claim(event))}",
        "led": [
            (slot, event.room(led.theme.id, slot.id))
            for slot in event.rounds
            if slot.id in (led.rounds or [slot.id]) and event.seats(led.theme.id, slot.id)
        ],
    }


def _message(table: Table, event: Event, mail: Mail, language: str) -> dict[str, Any]:
    """What an organiser wrote: `subject`, `body`, and the body's `paragraphs` as lists of lines.

    In the reader's language if it was written in it, else in the event's own. A mail that is not stored yet carries
    both itself. Raises NothingToTellError when the text is gone, or was written before the day was cancelled.
    """
    found = read_message(table, mail.event, mail.id.rpartition("#")[2]) if not mail.facts else None
    if found is None and not mail.facts:
        raise NothingToTellError("the text is gone")
    if found and event.cancelled and not found.cancelled:
        raise NothingToTellError(IS_CANCELLED)
    own = {"subject": found.subject, "body": found.body} if found else dict(mail.facts)
    text = found.in_other.get(language, own) if found else own
    subject, body = text["subject"], text["body"]
    return {
        "subject": subject,
        "body": body,
        "paragraphs": _paragraphs(body),
    }


def _own_words(event: Event, kind: str) -> str:
    """The sentences of the organisers for a kind of mail, in the language of the event as it is given."""
    texts = event.mail_texts
    return {
        "confirmation": texts.confirmation,
        "programme": texts.programme,
        "programme-changed": texts.programme,
        "reminder": texts.reminder,
    }.get(kind, "")


def _paragraphs(text: str) -> list[list[str]]:
    """A text as paragraphs of lines."""
    return [paragraph.strip("\n").split("\n") for paragraph in re.split(r"\n{2,}", text) if paragraph.strip()]


def _run_facts(table: Table, event: Event, mail: Mail) -> dict[str, Any]:
    """What organisers are told of a run. Raises NothingToTellError when it is no longer so."""
    run = read_run(table, event.id, mail.run)
    if run is None or run.state is not ABOUT_A_RUN[mail.kind]:
        raise NothingToTellError("the allocation is no longer what this mail says")
    if read_state(table, event.id).published_run > run.number:
        raise NothingToTellError("a later allocation is published")
    objective = run.result.get("objective", {})
    return {
        "number": run.number,
        "run_url": f"{settings.public_url()}/organise/{event.id}/allocations/{run.number}",
        "failure": run.failure,
        "error": in_language(run.error, _language(event, mail)),
        "waits_for": run.waits_for,
        "total": objective.get("total", 0),
        "bound": run.result.get("bound", 0),
    }


def _address_url(keys: Keys, person: Registration, step: Step, mail: Mail) -> str:
    """The link that moves a registration to another address, or back."""
    return f"{settings.public_url()}/address/{sign_change(keys, person, step, asked_at=moment(mail.created_at))}"


def _kind(kind: MailKind, person: Registration | None) -> str:
    """What a mail is by now: a person who moved to another address may be waiting, not confirmed."""
    if kind == "confirmation" and person is not None:
        turned = {RegistrationState.WAITING: "waiting-list", RegistrationState.OFFERED: "place-offered"}
        return turned.get(person.state, kind)
    return kind


def _programme_facts(table: Table, event: Event, mail: Mail, person: Registration) -> dict[str, Any]:
    """The programme a mail tells of, and what differs from the one that was told before."""
    state = read_state(table, event.id)
    published = state.published_run
    run = (mail.run or published) if mail.kind in PROGRAMMES else published
    programme = programme_of(table, event.id, run, person.id)
    facts: dict[str, Any] = {"published_run": published, "run": run, "state": state, "programme": programme}
    if mail.kind in PROGRAMMES:
        _refuse_if_overtaken(table, event, mail, programme, published)
        facts |= _what_changed(table, event, mail, programme)
    if mail.kind == "group" or person.state is RegistrationState.DELEGATE:
        members = _members(table, event, person, max(mail.run, published))
        facts["members"] = [(one, workshops(event, own) if own else []) for one, own in members]
        if mail.run:
            facts["called_off"] = _called_off_for(table, event, mail.run, members)
    if mail.kind == "reminder" and person.state is RegistrationState.DELEGATE:
        facts["members"] = [member for member in facts["members"] if member[0].takes_part]
        if not facts["members"]:
            raise NothingToTellError("nobody of the group comes")
    if programme:
        facts["day"] = the_day(event, programme)
        facts["workshops"] = workshops(event, programme)
    return facts


def _members(
    table: Table, event: Event, delegate: Registration, run: int
) -> list[tuple[Registration, Programme | None]]:
    """The people of a group with their programmes under a run: the published one, or a draft that is read before."""
    found = [one for one in members_of(table, delegate) if one.state is not RegistrationState.WITHDRAWN]
    return [(one, programme_of(table, event.id, run, one.id) if one.takes_part else None) for one in found]


def _called_off_for(
    table: Table, event: Event, number: int, members: list[tuple[Registration, Programme | None]]
) -> list[Line]:
    """The workshops that people of a group had before a run and that are not held any more, each once."""
    run = read_run(table, event.id, number)
    if run is None or not run.compared_with:
        return []
    found: list[Line] = []
    for one, after in members:
        before = programme_of(table, event.id, run.compared_with, one.id)
        gone = called_off(event, before.workshops, after.workshops if after else {}) if before else []
        found += [line for line in gone if line not in found]
    return sorted(found, key=lambda line: (line.start, line.title))


def _what_changed(table: Table, event: Event, mail: Mail, programme: Programme | None) -> dict[str, Any]:
    """What differs from the programme this person was really sent before; without one, this is their first."""
    told = _told_before(table, mail) if mail.kind == "programme-changed" else 0
    before = programme_of(table, event.id, told, mail.registration)
    if before is None and programme is None:
        raise NothingToTellError("there is no programme, and none was told")
    if before is None:
        return {"kind": "programme"}
    facts = facts_since(_in_language(read_run(table, event.id, told), event.language), event)
    after = programme.workshops if programme else {}
    moved = list(changes(event, before.workshops, after, facts))
    day_before = _day_before(facts)
    if not moved and not day_before:
        raise NothingToTellError("the programme is the one that was told before")
    gone = called_off(event, before.workshops, after)
    return {"kind": "programme-changed", "moved": moved, "called_off": gone, "day_before": day_before}


def _in_language(run: Run | None, language: str) -> Run | None:
    """A run with the facts that it told a reader of this language."""
    return run.model_copy(update={"facts": run.facts.read_in(language)}) if run and run.facts else run


def _day_before(facts: Facts) -> dict[str, Any]:
    """What a person was told of the date, the hours and the place of the day, where it differs from now."""
    told, now = facts
    if told is None or now is None:
        return {}
    before: dict[str, Any] = {name: getattr(told, name) for name in DAY if getattr(told, name) != getattr(now, name)}
    if "date" in before:
        before["date"] = date.fromisoformat(before["date"])
    if is_at_another_time(told, now):
        before["hours"] = f"{told.hours} ({told.timezone})"
    return before


def _refuse_if_overtaken(table: Table, event: Event, mail: Mail, programme: Programme | None, published: int) -> None:
    """Nobody may read an older programme after a newer one, in whatever order the queue delivers them.

    A later run that gives this person something else has a mail of its own, or will have it in a moment. One that
    gives the same has none, and then this mail is still the news.
    """
    if published <= mail.run or not mail.run:  # without a run it tells of whatever is published by now
        return
    if any(_programme_mail(table, mail, run) for run in range(mail.run + 1, published + 1)):
        raise NothingToTellError("a later programme is told")
    latest = programme_of(table, event.id, published, mail.registration)
    if (latest and latest.workshops) != (programme and programme.workshops):
        raise NothingToTellError("a later programme is about to be told")


def _told_before(table: Table, mail: Mail) -> int:
    """The last run before this mail's whose programme this person was really sent, else 0."""
    run = read_run(table, mail.event, mail.run)
    while run and run.compared_with:
        before = _programme_mail(table, mail, run.compared_with)
        if before and before.state in {MailState.SENT, MailState.SENDING}:
            return run.compared_with
        run = read_run(table, mail.event, run.compared_with)
    return 0


def _programme_mail(table: Table, mail: Mail, run: int) -> Mail | None:
    """The mail that told, or tells, this person of another run, if there was something to tell."""
    rows = (read_mail(table, mail.event, mail_id(kind, mail.registration, run=run)) for kind in PROGRAMMES)
    return next((row for row in rows if row and row.state is not MailState.CANCELLED), None)


def _is_a_name(name: str) -> bool:
    """Whether a name reads like one; marks (vowel signs, accents) and joiners belong to the letter before them."""
    signs = (sign for sign in name if sign not in JOINERS and unicodedata.category(sign)[0] != "M")
    shape = "".join("a" if is_letter(sign) else sign for sign in signs)
    if len(name) > LONGEST_NAME or not MORE_LIKELY_A_NAME.fullmatch(shape):
        return False
    words = name.split()
    return len(words) <= MOST_WORDS or 2 * sum(word[0].isupper() for word in words) >= len(words)


def _calendar(event: Event, person: Registration, facts: Mapping[str, Any], now: datetime) -> bytes:
    """The one entry of this person's calendar, as of this mail."""
    gone = event.cancelled or person.state is RegistrationState.WITHDRAWN
    run = facts["published_run"] if gone else facts["run"]
    sequence = sequence_of(person, run, facts["state"], gone=gone)
    url = settings.public_url()
    return calendar_file(event, person, facts["programme"], sequence=sequence, public_url=url, now=now)


# --------------------------------------------------------------------------- how it is written


def _raw(event: Event, facts: Mapping[str, Any], to: str, sender: str, entry: bytes | None, now: datetime) -> bytes:
    """The bytes of a mail: text and HTML saying the same, and the calendar entry as a file."""
    message = EmailMessage(policy=POLICY)
    message["Subject"] = subject(event, facts)
    message["From"] = sender
    message["To"] = to
    message["Reply-To"] = event.contact
    message["Date"] = format_datetime(now)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_wrapped(_render(f"{facts['kind']}.txt", facts)))
    message.add_alternative(_render(f"{facts['kind']}.html", facts), subtype="html")
    if entry is not None:
        gone = b"\r\nMETHOD:CANCEL" in entry
        message.add_attachment(
            entry,
            maintype="text",
            subtype="calendar",
            filename=f"{event.id}.ics",
            params={"method": "CANCEL" if gone else "PUBLISH", "charset": "utf-8"},
        )
    return message.as_bytes()


def subject(event: Event, facts: Mapping[str, Any]) -> str:
    """The subject, in the mail's language, on one line."""
    language = facts["language"]
    english = SUBJECTS[facts["kind"]]
    if facts["kind"] == "message":
        return str(facts["subject"])
    words = translations(language).gettext(english)
    line = " ".join(words.format(title=event.title, day=day(event.date, language)).split())
    return line[:1].upper() + line[1:]  # Dutch and French days begin small


def _render(name: str, facts: Mapping[str, Any]) -> str:
    return _templates().get_template(name).render(facts)


@cache
def _templates() -> Environment:
    templates = environment(TEMPLATES)
    templates.keep_trailing_newline = True
    templates.autoescape = lambda name: bool(name and name.endswith(".html"))
    return templates


def _wrapped(text: str) -> str:
    """Text as plain clients like it: lines of 72, an indented line's continuation indented, no link broken."""
    lines = []
    for line in re.sub(r"\n{3,}", "\n\n", text).strip().split("\n"):
        indent = re.match(r"[ ]*(?:\d\d:\d\d\S*\s+|\d+\. |[-·] )?", line)
        lines += textwrap.wrap(
            line.rstrip(),
            72,
            subsequent_indent=" " * (len(indent.group()) if indent else 0),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
    return "\n".join(lines) + "\n"


def _sender(kind: str, event: Event) -> str:
    """Who a mail is from: the address that SES knows, under the name of the event."""
    name, address = parseaddr(settings.required("SENDER"))
    if kind != "sign-in":
        name = event.title
    return formataddr((_display_name(name), address))


def _display_name(name: str) -> str:
    """A name that every client shows as one: without the marks that addresses are made of."""
    plain = " ".join(re.sub(r'[@:,;"<>()\[\]\\\x00-\x1f\x7f]', " ", name).split())
    return textwrap.shorten(plain, LONGEST_SENDER_NAME, placeholder="…")


def _deliverable(address: str) -> str:
    """The address as it goes over the wire. Raises BadAddressError."""
    try:
        return clean_address(address)
    except TextError:
        raise BadAddressError from None
