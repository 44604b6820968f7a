"""People as organisers add and change them; each change and its audit line are one write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from functions.organise.person_fields import Correction, NewPerson, differing, pin_faults, read_new_person, round_hours
from functions.organise.seats import as_walk_in, seat_again, seat_walk_in
from functions.organise.words import STATES
from shared.acts import Act
from shared.confirmation import MOST_AT_ONCE, release, together, unconfirmed
from shared.errors import ConflictError, InvalidError, NotFoundError, StaleError
from shared.events import audit
from shared.http import Fields
from shared.i18n import told, told_many
from shared.mails import send
from shared.models import Event, MailKind, Programme, Registration, RegistrationState, utc
from shared.reasons import about_them
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

_REGISTRATION_ID = re.compile(r"[0-9a-f]{8,40}")


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
        if _stands(before, wanted):
            return before  # the button was pressed twice
        raise StaleError(told("This person was changed elsewhere since you opened the page. Reload it and try again."))
    if wanted.withdrawn:
        if group_of(table, before):
            raise ConflictError(LEAVES_A_GROUP, {"group": GROUP_CHOICES})
        return withdraw_person(table, before, actor=actor, now=now)
    if wanted.checked_in and (before.state is RegistrationState.NO_SHOW or before.freed):
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


def _stands(person: Registration, wanted: Correction) -> bool:
    """Whether a person is as a correction would make them."""
    withdrawn = person.state is RegistrationState.WITHDRAWN
    checked_in = wanted.checked_in in (None, bool(person.checked_in_at))
    return withdrawn if wanted.withdrawn else checked_in and not differing(person, wanted)


LEAVES_A_GROUP = told(
    "This person registered a group, which would be left without a contact. Withdraw the whole group, or name another "
    "contact for it."
)

GROUP_CHOICES = told("Choose one of: %(choices)s", choices="withdraw, keep")


def group_of(table: Table, person: Registration) -> list[Registration]:
    """The people of a delegate's group who did not withdraw; nobody for any other person."""
    members = members_of(table, person) if person.state is RegistrationState.DELEGATE else []
    return [one for one in members if one.state is not RegistrationState.WITHDRAWN]


def withdraw_person(
    table: Table, person: Registration, *, actor: str, now: datetime, tell: bool = True
) -> Registration:
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
    for people, delegate in together(found[:MOST_AT_ONCE]):
        lines = [audit(event.id, actor, Act.RELEASE_UNCONFIRMED, now=now, about=person.id) for person in people]
        with suppress(StaleError):  # confirmed or changed at this moment
            release(table, people, now=now, extra=lines, delegate=delegate)
            for _ in people:
                Act.RELEASE_UNCONFIRMED.counted()
            released += len(people)
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
    """The programme of a person in the published allocation, or None; none after they withdrew or lost their seats."""
    if person.state in (RegistrationState.NO_SHOW, RegistrationState.WITHDRAWN):
        return None
    return programme_of(table, event.id, read_state(table, event.id).published_run, person.id)


def _changes(event: Event, before: Registration, wanted: Correction, now: datetime) -> dict[str, Any]:
    """The fields of a registration that change. Raises InvalidError or ConflictError when one of them cannot."""
    changes = differing(before, wanted)
    after = {**before.model_dump(include={"pinned", "absent", "excluded", "partner_type"}), **changes}
    if changes.get("email") == "":
        words = told("An address cannot be taken away, only changed: mail may be on its way to it")
        raise InvalidError(told("Some fields need another look."), {"email": words})
    together = pin_faults(event, after["pinned"], after["absent"], after["excluded"], after["partner_type"])
    if together and {"pinned", "absent", "excluded", "partner_type"} & changes.keys():
        raise InvalidError(told("This pin cannot hold."), together)
    if wanted.checked_in is not None and wanted.checked_in != bool(before.checked_in_at):
        if wanted.checked_in and before.state is not RegistrationState.CONFIRMED:
            raise ConflictError(
                told(
                    "This person has no place (%(state)s) and cannot be checked in.",
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
        "reason": about_them(programme.reason, event) if programme else "",
    }
