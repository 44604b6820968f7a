"""People as organisers add and change them; each change and its audit line are one write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from functions.organise.seats import as_walk_in, seat_again, seat_walk_in
from functions.organise.words import STATES
from shared.acts import Act
from shared.confirmation import MOST_AT_ONCE, release, unconfirmed
from shared.errors import ConflictError, InvalidError, NotFoundError, StaleError
from shared.events import audit
from shared.http import Fields, invalid
from shared.i18n import Told, told, told_many, told_together
from shared.mails import send
from shared.models import Event, MailKind, Model, Programme, Registration, RegistrationState, checked_address, utc
from shared.reasons import in_words
from shared.registrations import (
    admit,
    change_address,
    erase,
    find_by_address,
    members_of,
    new_id,
    read_registration,
    registrations_of,
    save,
    withdraw,
)
from shared.runs import programme_of
from shared.state import read_state
from shared.table import REGISTRATIONS, ConditionFailedError, Table, event_pk
from shared.text import NOT_AN_ADDRESS, clean_line, clean_text

_REGISTRATION_ID = re.compile(r"[0-9a-f]{8,40}")

Line = Annotated[str, AfterValidator(clean_line), StringConstraints(max_length=120)]
Name = Annotated[Line, StringConstraints(min_length=1)]
MaybeAddress = Annotated[str, AfterValidator(lambda typed: checked_address(typed) if typed else "")]
"""A mail address, or "" for a person who has none."""
Ids = Annotated[list[Annotated[str, StringConstraints(max_length=60)]], Field(max_length=200)]
Mapped = Annotated[dict[str, Annotated[str, StringConstraints(max_length=60)]], Field(max_length=8)]
Answers = dict[
    Annotated[str, StringConstraints(max_length=60)],
    Annotated[str, AfterValidator(partial(clean_text, lines=True)), StringConstraints(max_length=1000)] | bool,
]

WORDS = {
    "literal_error": told("Write en, nl or fr"),
    "missing": told("Fill this in"),
    "extra_forbidden": told("There is no such field"),
    "string_too_short": told("Fill this in"),
    "too_short": told("Fill this in"),
    "too_long": told("This is too long"),
    "string_too_long": told("This is too long"),
    "mail_address": NOT_AN_ADDRESS,
}


_Read = TypeVar("_Read", "NewPerson", "Correction")


class NewPerson(Model):
    """A person whom an organiser adds; the ranking may be partial or absent, and so may the address."""

    name: Name
    email: MaybeAddress = ""
    organisation: Line = ""
    partner_type: str
    choices: Ids = Field(default_factory=list)
    answers: Answers = Field(default_factory=dict)
    language: Literal["", "en", "nl", "fr"] = ""
    absent: Ids = Field(default_factory=list)
    pinned: Mapped = Field(default_factory=dict)
    excluded: Ids = Field(default_factory=list)


class Correction(Model):
    """What an organiser changes of a person; what is left out stays. `revision` guards against lost updates."""

    name: Name | None = None
    email: MaybeAddress | None = None
    organisation: Line | None = None
    partner_type: str | None = None
    choices: Ids | None = None
    answers: Answers | None = None
    language: Literal["en", "nl", "fr"] | None = None
    absent: Ids | None = None
    pinned: Mapped | None = None
    excluded: Ids | None = None
    withdrawn: Literal[True] | None = None
    checked_in: bool | None = None
    revision: Annotated[int, Field(ge=1, strict=True)] | None = None


CORRECTED = (
    *("name", "email", "organisation", "partner_type", "choices", "answers", "language"),
    *("absent", "pinned", "excluded"),
)


def find_person(table: Table, event: Event, registration: str) -> Registration:
    """One person of an event. Raises NotFoundError."""
    found = read_registration(table, event.id, registration) if _REGISTRATION_ID.fullmatch(registration) else None
    if found is None:
        raise NotFoundError(told("There is no such person at this event. They may have been erased."))
    return found


def names(table: Table, event: Event) -> dict[str, str]:
    """Every person's name by id; nothing else is read of them."""
    found = table.query(event_pk(event.id), REGISTRATIONS, only=("id", "name"))
    return {item["id"]: item["name"] for item in found}


def read_new_person(event: Event, fields: Fields) -> NewPerson:
    """A new person from a form or JSON. Raises InvalidError with every fault."""
    return _read(NewPerson, event, fields)


def read_correction(event: Event, fields: Fields) -> Correction:
    """A correction from a form or JSON. Raises InvalidError with every fault."""
    wanted = _read(Correction, event, fields)
    if wanted.withdrawn and wanted.model_fields_set - {"withdrawn", "revision"}:
        raise InvalidError(
            told("Withdraw a person, or change them, one at a time."), {"withdrawn": told("Send this alone")}
        )
    return wanted


def from_form(event: Event, fields: Fields) -> Fields:
    """A browser's form as the fields of a person: a select for each choice and round, a box for each absence."""
    plain = ("name", "email", "organisation", "partner_type")
    person: Fields = {key: fields[key] for key in plain if key in fields}
    choices = [fields.get(f"choice_{rank + 1}", "") for rank in range(len(event.themes))]
    while choices and not choices[-1]:
        choices.pop()
    absent = fields.get("absent", [])
    person["choices"] = choices
    person["absent"] = [absent] if isinstance(absent, str) else absent
    excluded = fields.get("excluded", [])
    person["excluded"] = [excluded] if isinstance(excluded, str) else excluded
    person["pinned"] = {slot.id: theme for slot in event.rounds if (theme := fields.get(f"pinned_{slot.id}", ""))}
    person["answers"] = {
        question.id: fields.get(f"answer_{question.id}", "") == "yes" if question.kind == "consent" else text
        for question in event.questions
        if (text := fields.get(f"answer_{question.id}", "")) or question.kind == "consent"
    }
    revision = fields.get("revision", "")
    if isinstance(revision, str) and revision.isascii() and revision.isdigit() and len(revision) <= 9:
        person["revision"] = int(revision)
    return person


def _read(model: type[_Read], event: Event, fields: Fields) -> _Read:
    try:
        found = model.model_validate(fields)
    except ValidationError as error:
        refused = invalid(error, WORDS)
        unreadable = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
        rest = {key: fields[key] for key in _OF_THE_EVENT if key in fields and key not in unreadable}
        raise InvalidError(
            refused.message, {**refused.fields, **faults_of(event, Correction.model_validate(rest))}
        ) from None
    faults = faults_of(event, found)
    if faults:
        raise InvalidError(told("Some fields need another look."), faults)
    return found


_OF_THE_EVENT = ("partner_type", "choices", "answers", "absent", "pinned", "excluded")
"""Fields of a person that must fit the event."""


def round_hours(event: Event) -> dict[str, str]:
    """The hours of each round, by its id."""
    return {slot.id: f"{slot.start:%H:%M}–{slot.end:%H:%M}" for slot in event.rounds}


def _named(titles: Mapping[str, str]) -> Told:
    """Each title with its code, which a file and a program write."""
    return told_together(
        (
            told("%(title)s (%(code)s)", title=title, code=code) if code != title else title
            for code, title in titles.items()
        ),
        ", ",
    )


def _unknown(typed: Iterable[str], known: Collection[str]) -> str:
    return ", ".join(f"“{one}”" for one in dict.fromkeys(typed) if one not in known)


def faults_of(event: Event, person: NewPerson | Correction) -> dict[str, str]:
    """What of a person does not fit the event, by field."""
    faults: dict[str, str] = {}
    themes: dict[str, str] = {theme.id: theme.title for theme in event.themes}
    types: dict[str, str] = {known.id: known.title for known in event.partner_types}
    if person.partner_type == "":
        faults["partner_type"] = WORDS["missing"]
    elif person.partner_type is not None and person.partner_type not in types:
        faults["partner_type"] = told(
            "%(typed)s is none of: %(choices)s",
            typed=_unknown([person.partner_type], types),
            choices=_named(types),
        )
    choices = person.choices or []
    if unknown := _unknown(choices, themes):
        faults["choices"] = told(
            "%(typed)s is no theme of this event: %(choices)s", typed=unknown, choices=_named(themes)
        )
    elif len(set(choices)) != len(choices):
        faults["choices"] = told("Rank each theme once")
    if unknown := _unknown(person.absent or [], round_hours(event)):
        faults["absent"] = told(
            "%(typed)s is no round of this event: %(choices)s", typed=unknown, choices=_named(round_hours(event))
        )
    if unknown := _unknown(person.excluded or [], themes):
        faults["excluded"] = told(
            "%(typed)s is no theme of this event: %(choices)s", typed=unknown, choices=_named(themes)
        )
    questions = {question.id: question for question in event.questions}
    for key, value in (person.answers or {}).items():
        question = questions.get(key)
        if question is None:
            faults["answers"] = told("There is no such question")
        elif (question.kind == "consent") != isinstance(value, bool) or (
            isinstance(value, str) and question.kind == "choice" and value not in ("", *question.options)
        ):
            faults["answers"] = told("The answer to “%(question)s” does not fit", question=question.label)
    faults |= _pin_faults(event, person.pinned or {}, person.absent or [], person.excluded or [], person.partner_type)
    return faults


def _pin_faults(
    event: Event,
    pinned: Mapping[str, str],
    absent: Sequence[str],
    excluded: Sequence[str],
    partner_type: str | None,
) -> dict[str, str]:
    """Pins that cannot hold for one person, of whom the partner type may not be known."""
    themes = {theme.id for theme in event.themes}
    rounds = round_hours(event)
    for slot, theme in pinned.items():
        if slot not in rounds or theme not in themes:
            return {"pinned": told("Pin to a theme and a round of this event")}
        if not event.seats(theme, slot):
            return {
                "pinned": told(
                    "%(theme)s is not offered in round %(round)s", theme=event.theme(theme).title, round=rounds[slot]
                )
            }
        if slot in absent:
            return {
                "pinned": told(
                    "They are absent from round %(round)s; take the pin or the absence away", round=rounds[slot]
                )
            }
        if theme in excluded:
            return {
                "pinned": told(
                    "%(theme)s is ruled out for them; take the pin or the exclusion away",
                    theme=event.theme(theme).title,
                )
            }
        if partner_type is not None and not event.theme(theme).is_open_to(partner_type):
            return {
                "pinned": told(
                    "%(theme)s is not open to %(kind)s",
                    theme=event.theme(theme).title,
                    kind=event.partner_type_title(partner_type),
                )
            }
    if len(set(pinned.values())) != len(pinned):
        return {"pinned": told("Nobody joins a theme twice; pin to a different one in each round")}
    return {}


def refuse_full_pins(
    event: Event, others: Iterable[Registration], registration: str, pinned: Mapping[str, str]
) -> None:
    """Raise InvalidError when a workshop has no seat left for another person pinned to it."""
    taken = Counter(
        (slot, theme)
        for person in others
        if person.id != registration and person.state is RegistrationState.CONFIRMED
        for slot, theme in person.pinned.items()
    )
    for slot, theme in pinned.items():
        seats = event.seats(theme, slot)
        if taken[slot, theme] >= seats:
            raise InvalidError(
                told("This pin cannot hold."),
                {
                    "pinned": told(
                        "All %(seats)s seats of %(theme)s in round %(round)s are pinned already",
                        seats=seats,
                        theme=event.theme(theme).title,
                        round=round_hours(event)[slot],
                    )
                },
            )


def add_person(
    table: Table, event: Event, wanted: NewPerson, *, actor: str, now: datetime, source: str = "organiser"
) -> Registration:
    """Register a person, also after closing, if a place is free.

    Raises ConflictError when the address is registered already or no place is free.
    """
    if now >= event.ends_at:
        raise ConflictError(told("The day is over; nobody can be added any more."))
    if wanted.pinned:
        refuse_full_pins(event, registrations_of(table, event.id), "", wanted.pinned)
    draft = Registration.model_validate(
        {
            **wanted.model_dump(),
            "event": event.id,
            "id": new_id(),
            "state": RegistrationState.CONFIRMED,
            "language": wanted.language or event.language,
            "source": source,
            "confirmed_at": utc(now),
            "created_at": utc(now),
            "updated_at": utc(now),
        }
    )
    line = audit(event.id, actor, Act.ADD_PERSON, now=now, about=draft.id)
    stored = admit(table, event, draft, now=now, extra=[line])
    if stored is None:
        known = find_by_address(table, event.id, wanted.email)
        raise ConflictError(
            told("This address is registered already. Correct that registration instead."),
            {"email": told("Registered already as %(id)s", id=known.id) if known else told("Registered already")},
        )
    Act.ADD_PERSON.counted()
    return stored


def add_walk_in(table: Table, event: Event, fields: Fields, *, key: str, actor: str, now: datetime) -> Registration:
    """Register a person at the door, checked in and with the best free seats.

    Raises InvalidError or ConflictError.
    """
    wanted = read_new_person(event, as_walk_in(event, fields))
    typed = {**wanted.model_dump(), "event": event.id, "id": "", "state": RegistrationState.CONFIRMED}
    draft = Registration.model_validate({**typed, "created_at": utc(now), "updated_at": utc(now)})
    return seat_walk_in(table, event, draft, key=key, actor=actor, now=now)


def change_person(
    table: Table, event: Event, before: Registration, wanted: Correction, *, actor: str, now: datetime
) -> Registration:
    """Correct, pin, mark absent, check in or withdraw, in one write with its audit line.

    Raises StaleError when the person is no longer as the organiser saw them, ConflictError or InvalidError when
    the change cannot be.
    """
    if wanted.revision is not None and wanted.revision != before.revision:
        raise StaleError(told("This person was changed elsewhere since you opened the page. Reload it and try again."))
    if wanted.withdrawn:
        if group_of(table, before):
            raise ConflictError(LEAVES_A_GROUP, {"group": GROUP_CHOICES})
        return _withdraw(table, before, actor=actor, now=now)
    if wanted.checked_in and before.state is RegistrationState.NO_SHOW:
        if wanted.model_fields_set - {"checked_in", "revision"}:
            raise InvalidError(told("Some fields need another look."), {"checked_in": told("Send this alone")})
        return seat_again(table, event, before, actor=actor, now=now)
    changes = _changes(event, before, wanted, now)
    if not changes:
        return before
    if before.state is RegistrationState.WITHDRAWN:
        raise ConflictError(told("This person has withdrawn. Add them anew if they want to come after all."))
    if changes.get("pinned"):
        refuse_full_pins(event, registrations_of(table, event.id), before.id, changes["pinned"])
    act = _act(changes)
    line = audit(event.id, actor, act, now=now, about=before.id, what=", ".join(sorted(changes)))
    if "email" not in changes:
        saved = save(table, before, changes, now=now, extra=[line])
        act.counted()
        return saved
    moved = change_address(table, before, changes, now=now, extra=[line])
    if moved is None:
        raise ConflictError(
            told("Another person is registered with this address."),
            {"email": told("Another person is registered with this address")},
        )
    act.counted()
    return moved


LEAVES_A_GROUP = told(
    "This person registered a group, which would be left without a contact. Withdraw the whole group, or name another "
    "contact for it."
)
GROUP_CHOICES = told("Choose one of: %(choices)s", choices="withdraw, keep")


class GroupWithdrawal(Model):
    """What becomes of a group whose contact withdraws: all are withdrawn, or another person is its contact."""

    group: Literal["", "withdraw", "keep"] = ""
    expected: Annotated[int, Field(ge=0, le=1_000)] | None = None
    name: Name | None = None
    email: Annotated[str, AfterValidator(checked_address)] | None = None


def group_of(table: Table, person: Registration) -> list[Registration]:
    """The people of a delegate's group who did not withdraw; nobody for any other person."""
    members = members_of(table, person) if person.state is RegistrationState.DELEGATE else []
    return [one for one in members if one.state is not RegistrationState.WITHDRAWN]


def withdraw_at_wish(
    table: Table, event: Event, person: Registration, fields: Fields, *, actor: str, now: datetime
) -> Registration:
    """Withdraw a person; of one who registered a group, with the group or after another contact is named for it.

    Raises ConflictError where that was not said, StaleError when the group has another number of people than the
    organiser agreed to, InvalidError for a contact that will not do.
    """
    group = group_of(table, person)
    if not group:
        return change_person(table, event, person, Correction(withdrawn=True), actor=actor, now=now)
    known = {key: value for key, value in fields.items() if key in GroupWithdrawal.model_fields and value != ""}
    if known.get("group", "") not in ("", "withdraw"):
        known.pop("expected", None)
    try:
        wanted = GroupWithdrawal.model_validate(known)
    except ValidationError as error:
        raise invalid(error, {**WORDS, "literal_error": GROUP_CHOICES}) from None
    if not wanted.group:
        raise ConflictError(LEAVES_A_GROUP, {"group": GROUP_CHOICES})
    if wanted.group == "keep":
        return _hand_over(table, event, person, wanted, actor=actor, now=now)
    if wanted.expected != len(group):
        raise StaleError(
            told_many(
                "The group has %(num)s person by now. Look at the number once more.",
                "The group has %(num)s people by now. Look at the number once more.",
                len(group),
            )
        )
    for member in group:  # the contact last: what stops in between is gone on with from the page that is left
        _withdraw(table, member, actor=actor, now=now, tell=False)
    return _withdraw(table, person, actor=actor, now=now)


def _hand_over(
    table: Table, event: Event, person: Registration, wanted: GroupWithdrawal, *, actor: str, now: datetime
) -> Registration:
    """Make another person the contact of a group: theirs are the link and the mails from now on."""
    missing = {name: WORDS["missing"] for name in ("name", "email") if not getattr(wanted, name)}
    if missing:
        raise InvalidError(told("Name the new contact of the group."), missing)
    changes = Correction(name=wanted.name, email=wanted.email)
    if person.email == wanted.email:
        raise InvalidError(
            told("Name the new contact of the group."), {"email": told("This is the address it has already")}
        )
    return change_person(table, event, person, changes, actor=actor, now=now)


def _withdraw(table: Table, person: Registration, *, actor: str, now: datetime, tell: bool = True) -> Registration:
    """Withdraw one person; of a group, its contact is told who is in it by now, unless they go themselves."""
    if person.state is RegistrationState.WITHDRAWN:
        return person
    extra = [audit(person.event, actor, Act.WITHDRAW, now=now, about=person.id)]
    contact = read_registration(table, person.event, person.delegate) if person.delegate and tell else None
    if contact and contact.state is RegistrationState.DELEGATE and not contact.bounced:
        extra.append(send("group", person.event, contact.id, now=now, occasion=f"withdrawn-{person.id}"))
    # A mail to an address that is known not to be reached would come back, and count against the sender.
    withdrawn = withdraw(table, person, now=now, mail=None if person.bounced else "withdrawn", extra=extra)
    Act.WITHDRAW.counted()
    return withdrawn


def release_unconfirmed(table: Table, event: Event, expected: str | int, *, actor: str, now: datetime) -> int:
    """Withdraw everybody whose address nobody confirmed, and tell them; how many, at most `MOST_AT_ONCE`.

    Each person is one transaction with its audit line; a second press goes on with those who are left.

    Parameters
    ----------
    expected
        The number that the organiser confirmed.

    Raises ConflictError when another number is unconfirmed by now.
    """
    found = unconfirmed(registrations_of(table, event.id))
    if str(expected) != str(len(found)):
        raise ConflictError(
            told_many(
                "%(num)s registration is unconfirmed by now. Look at the number once more.",
                "%(num)s registrations are unconfirmed by now. Look at the number once more.",
                len(found),
            )
        )
    released = 0
    for person, delegate in found[:MOST_AT_ONCE]:
        line = audit(event.id, actor, Act.RELEASE_UNCONFIRMED, now=now, about=person.id)
        with suppress(StaleError):  # confirmed or changed at this moment
            release(table, person, now=now, extra=[line], delegate=delegate)
            Act.RELEASE_UNCONFIRMED.counted()
            released += 1
    return released


def erase_person(table: Table, event: Event, person: Registration, *, sure: bool, actor: str, now: datetime) -> None:
    """Delete everything kept of a person who asked for it.

    Raises InvalidError unless the organiser said that they are `sure`, StaleError when the person changed meanwhile.
    """
    if not sure:
        raise InvalidError(told("Erasing cannot be undone."), {"sure": told("Tick the box to say that you are sure")})
    if group_of(table, person):
        raise ConflictError(LEAVES_A_GROUP, {"sure": told("First withdraw the group, or name another contact for it")})
    erase(table, person, now=now, extra=[audit(event.id, actor, Act.ERASE, now=now)])
    Act.ERASE.counted()


def published_programme(table: Table, event: Event, person: Registration) -> Programme | None:
    """The programme of a person in the published allocation, or None; none while their seats are freed."""
    if person.state is RegistrationState.NO_SHOW:
        return None
    return programme_of(table, event.id, read_state(table, event.id).published_run, person.id)


def differing(before: Registration, wanted: Correction) -> dict[str, Any]:
    """The corrected fields that differ from what is stored.

    A box left empty equals a question that was not answered, so that saving an unchanged form corrects nothing.
    """
    asked = {key: getattr(wanted, key) for key in CORRECTED if getattr(wanted, key) is not None}
    changed = {key: value for key, value in asked.items() if value != getattr(before, key)}
    if _given(changed.get("answers", {})) == _given(before.answers):
        changed.pop("answers", None)
    return changed


def _given(answers: Mapping[str, str | bool]) -> dict[str, str | bool]:
    return {question: answer for question, answer in answers.items() if answer}


def _changes(event: Event, before: Registration, wanted: Correction, now: datetime) -> dict[str, Any]:
    """The fields of a registration that change. Raises InvalidError or ConflictError when one of them cannot."""
    changes = differing(before, wanted)
    after = {**before.model_dump(include={"pinned", "absent", "excluded", "partner_type"}), **changes}
    if changes.get("email") == "":
        words = told("An address cannot be taken away, only changed: mail may be on its way to it")
        raise InvalidError(told("Some fields need another look."), {"email": words})
    together = _pin_faults(event, after["pinned"], after["absent"], after["excluded"], after["partner_type"])
    if together and {"pinned", "absent", "excluded", "partner_type"} & changes.keys():
        raise InvalidError(told("This pin cannot hold."), together)
    if wanted.checked_in is not None and wanted.checked_in != bool(before.checked_in_at):
        if wanted.checked_in and before.state is not RegistrationState.CONFIRMED:
            raise ConflictError(
                told(
                    "This person is %(state)s, not confirmed, and cannot be checked in.",
                    state=STATES[before.state.value],
                )
            )
        changes["checked_in_at"] = utc(now) if wanted.checked_in else ""
        if wanted.checked_in and before.unconfirmed:
            changes["confirmed_at"] = utc(now)
    return changes


def _act(changes: Mapping[str, Any]) -> Act:
    if set(changes) <= {"checked_in_at", "confirmed_at"}:
        return Act.CHECK_IN if changes["checked_in_at"] else Act.UNDO_CHECK_IN
    if set(changes) == {"pinned"}:
        return Act.PIN
    return Act.MARK_ABSENT if set(changes) == {"absent"} else Act.CORRECT


def send_again(table: Table, event: Event, person: Registration, *, actor: str, now: datetime) -> MailKind:
    """Send a person again what they should have: that the day is cancelled, their programme, or how they stand.

    Raises ConflictError when they have withdrawn, have no address, or it was sent within this minute.
    """
    if person.state is RegistrationState.WITHDRAWN:
        raise ConflictError(told("This person has withdrawn; there is nothing to send."))
    if not person.email:
        raise ConflictError(told("This person has no address. Print their programme, or enter an address first."))
    run = read_state(table, event.id).published_run
    has_programme = programme_of(table, event.id, run, person.id) is not None
    by_state: dict[RegistrationState, MailKind] = {
        RegistrationState.WAITING: "waiting-list",
        RegistrationState.OFFERED: "place-offered",
        RegistrationState.CONFIRMED: "programme" if has_programme else "confirmation",
        RegistrationState.DELEGATE: "group",
    }
    if person.state is RegistrationState.NO_SHOW and not event.cancelled:
        raise ConflictError(told("This person did not come, and their seats are free; there is nothing to send."))
    mail_kind: MailKind = "day-cancelled" if event.cancelled else by_state[person.state]
    occasion = f"again-{now:%Y%m%d%H%M}"
    try:
        table.write(
            send(
                mail_kind,
                event.id,
                person.id,
                run=run if mail_kind == "programme" else 0,
                occasion=occasion,
                now=now,
            ),
            audit(event.id, actor, Act.SEND_AGAIN, now=now, about=person.id, what=mail_kind),
        )
    except ConditionFailedError:
        raise ConflictError(told("This mail was sent again a moment ago. Wait a minute before the next.")) from None
    Act.SEND_AGAIN.counted()
    return mail_kind


def as_shown(event: Event, person: Registration, programme: Programme | None = None) -> dict[str, Any]:
    """A person as programs of organisers read them."""
    fields = person.model_dump(mode="json", exclude={"event", "link_version", "shown_order", "offers"})
    return {
        **fields,
        "workshops": programme.workshops if programme else {},
        "reason": in_words(programme.reason, event) if programme else "",
    }


def as_typed(person: Registration) -> Fields:
    """A person as the fields of the browser's form."""
    typed: Fields = {key: getattr(person, key) for key in ("name", "email", "organisation", "partner_type")}
    typed |= {f"choice_{rank}": theme for rank, theme in enumerate(person.choices, start=1)}
    typed |= {f"pinned_{slot}": theme for slot, theme in person.pinned.items()}
    typed |= {
        f"answer_{key}": ("yes" if value else "") if isinstance(value, bool) else value
        for key, value in person.answers.items()
    }
    return typed | {
        "absent": list(person.absent),
        "excluded": list(person.excluded),
        "revision": str(person.revision),
    }
