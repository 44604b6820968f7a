"""Routes behind a leader's link: the people expected in their workshops, and a text to them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.register import web
from functions.register.web import Answer, done, language_of, reply, request
from shared.errors import ClosedError, ConflictError, InvalidError, NotFoundError, ParcoursError, TooManyRequestsError
from shared.events import read_event
from shared.http import Fields, read_fields, refuse_other_sites, shown_again
from shared.i18n import N_
from shared.leaders import Led, find_led
from shared.limits import DAY, seconds_left, within_cap
from shared.messages import contacts_of, store_message
from shared.models import Event, Message, Registration, Round, utc
from shared.registrations import in_family_order, read_registration, registrations_of
from shared.runs import programmes_of
from shared.state import read_state
from shared.text import TextError, clean_text
from shared.tokens import LEADER_SALT, verify

TEXTS_A_DAY = 5
"""Texts that one leader may write in a day."""

LONGEST_SUBJECT = 150
LONGEST_BODY = 5_000

NO_LINK = N_("This link is not valid. The organisers may have named another leader.")
NOT_YET = N_("Workshops have not been given out yet.")
SUMMARY = N_("Some fields need another look.")
MISSING = N_("Write it first.")
TOO_LONG = N_("This is too long.")
NOBODY = N_("Nobody is in this workshop, or nobody there has an address.")
OTHER_NUMBER = N_("Another number of people would be written to by now. Look at it again.")
TOO_MANY = N_("You have written as many texts today as one leader may. Try again tomorrow, or ask the organisers.")
DAY_IS_OVER = N_("The day is over.")

_KEY = re.compile(r"[0-9a-f]{32}")

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A workshop of a leader's, and the people expected there by family name."""

    round: Round
    room: str
    seats: int
    people: list[Registration]


@dataclass(frozen=True, slots=True)
class Written:
    """A text as it was sent, clean; `slot` is a round, or "" for all of the leader's."""

    slot: str
    subject: str
    body: str
    key: str


@router.get("/leaders/<token>")
def show_workshops(token: str) -> Answer:
    """Who is expected in a leader's workshops."""
    event, led = find_leader(token)
    web.spend_one_read(web.clock())  # everybody registered and every programme is read
    return leader_page(token, event, led, {})


@router.post("/leaders/<token>")
def write_to_workshop(token: str) -> Answer:
    """Show a text as it will be sent; with the number of people from there, send it."""
    refuse_other_sites(request())
    event, led = find_leader(token)
    web.spend_one_read(web.clock())
    fields = read_fields(request())

    with shown_again(lambda error: leader_page(token, event, led, fields, error)):
        written, people = read_text(event, led, fields)
        if not fields.get("expected"):
            return leader_page(token, event, led, fields, preview=(written, len(people)))
        if str(fields["expected"]) != str(len(people)):
            raise ConflictError(OTHER_NUMBER)
        send(event, led, written, people, web.clock())
    return done({"mails": len(people)}, f"/leaders/{token}?done=written")


def find_leader(token: str) -> tuple[Event, Led]:
    """The event, the theme and the leader behind a link. Raises NotFoundError."""
    claim = verify(web.keys, LEADER_SALT, token)
    event = read_event(web.table, str(claim[0])) if claim else None
    led = find_led(event, claim) if claim and event else None
    if event is None or led is None:
        raise NotFoundError(NO_LINK)
    return event, led


def workshops_of(event: Event, led: Led) -> list[Workshop]:
    """A leader's workshops as published; none before that, or once the day is cancelled."""
    run = read_state(web.table, event.id).published_run
    if not run or event.cancelled:
        return []
    programmes = programmes_of(web.table, event.id, run)
    there = sorted(
        (person for person in registrations_of(web.table, event.id) if person.takes_part and person.id in programmes),
        key=in_family_order,
    )
    return [
        Workshop(
            slot,
            event.room(led.theme.id, slot.id),
            event.seats(led.theme.id, slot.id),
            [person for person in there if programmes[person.id].workshops.get(slot.id) == led.theme.id],
        )
        for slot in event.rounds
        if slot.id in (led.rounds or [slot.id]) and event.seats(led.theme.id, slot.id)
    ]


def read_text(event: Event, led: Led, fields: Fields) -> tuple[Written, list[Registration]]:
    """What was written and the people it goes to. Raises InvalidError, ClosedError or ConflictError."""
    if web.clock() >= event.ends_at:
        raise ClosedError(DAY_IS_OVER)
    faults: dict[str, str] = {}
    subject = _line(fields, "subject", LONGEST_SUBJECT, faults, lines=False)
    body = _line(fields, "body", LONGEST_BODY, faults, lines=True)
    if faults:
        raise InvalidError(SUMMARY, faults)
    slot, key = str(fields.get("round", "")), str(fields.get("key", ""))
    there = [
        person for workshop in workshops_of(event, led) if slot in ("", workshop.round.id) for person in workshop.people
    ]
    registered_by = {person.delegate for person in there if not person.email and person.delegate}
    delegates = [one for one in (read_registration(web.table, event.id, by) for by in sorted(registered_by)) if one]
    reached = contacts_of([*there, *delegates])
    found = {contact.id: contact for person in there if (contact := reached.get(person.id))}
    if not found:
        raise ConflictError(NOBODY)
    named = key if _KEY.fullmatch(key) else secrets.token_hex(16)
    return Written(slot, subject, f"{body}{_signature(led, led.theme.title)}", named), list(found.values())


def _signature(led: Led, title: str) -> str:
    """Who wrote a text, and of which theme, by its title in a language."""
    return f"\n\n{led.leader.name}, {title}"


def _line(fields: Fields, name: str, longest: int, faults: dict[str, str], *, lines: bool) -> str:
    typed = fields.get(name)
    try:
        text = clean_text(typed if isinstance(typed, str) else "", lines=lines)
    except TextError as error:
        faults[name] = str(error)
        return ""
    if not text or len(text) > longest:
        faults[name] = TOO_LONG if text else MISSING
    return text


def send(event: Event, led: Led, written: Written, people: list[Registration], now: datetime) -> None:
    """Store a text and owe its mails, once. Raises TooManyRequestsError."""
    if not within_cap(web.table, web.keys, "leader", f"{event.id} {led.occasion}", TEXTS_A_DAY, now=now, span=DAY):
        raise TooManyRequestsError(TOO_MANY, retry_after=seconds_left(now, DAY))
    plain = written.body.removesuffix(_signature(led, led.theme.title))
    titles: dict[str, str] = getattr(led.theme.title, "by_language", {})
    message = Message(
        event=event.id,
        id=written.key,
        in_other={
            language: {"subject": written.subject, "body": plain + _signature(led, titles[language])}
            for language in event.spoken
            if language != event.language and language in titles
        },
        group=f"{led.theme.title}, by {led.leader.name}",
        subject=written.subject,
        body=written.body,
        people=[person.id for person in people],
        created_at=utc(now),
    )
    if store_message(web.table, event, message, actor=led.leader.email, now=now):
        web.count("LeadersWrote")


def leader_page(
    token: str,
    event: Event,
    led: Led,
    typed: Fields,
    error: ParcoursError | None = None,
    preview: tuple[Written, int] | None = None,
) -> Answer:
    """The lists of a leader's workshops, and the form for a text or the text as it will be sent."""
    workshops, now = workshops_of(event, led), web.clock()
    language = language_of(event)
    shown = event.in_language(language)
    return reply(
        as_shown(shown, led, workshops, preview),
        "leader.html",
        language,
        status=error.status if error else 200,
        token=token,
        event=event,
        theme=shown.theme(led.theme.id),
        leader=led.leader,
        workshops=workshops,
        published=bool(read_state(web.table, event.id).published_run),
        may_write=bool(workshops) and now < event.ends_at,
        typed=typed,
        error=error,
        preview=preview,
        key=preview[0].key if preview else secrets.token_hex(16),
        done=(request().query_string_parameters or {}).get("done", ""),
    )


def as_shown(
    event: Event, led: Led, workshops: list[Workshop], preview: tuple[Written, int] | None
) -> Mapping[str, Any]:
    """A leader's workshops as JSON: names and organisations, no address."""
    facts: dict[str, Any] = {
        "event": event.id,
        "theme": led.theme.id,
        "workshops": [
            {
                "round": workshop.round.id,
                "room": workshop.room,
                "seats": workshop.seats,
                "people": [{"name": one.name, "organisation": one.organisation} for one in workshop.people],
            }
            for workshop in workshops
        ],
    }
    return {**facts, "mails": preview[1]} if preview else facts
