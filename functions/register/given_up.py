"""Seats that attendees give up: a round they cannot come to, after workshops were given out, and taking it back.

Both change the person and the person's published programme in one transaction. The next allocation gives a person
nothing in a round they gave up (`Registration.absent`), and the seat is free at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.errors import CANCELLED, ConflictError, StaleError, TooBusyError
from shared.i18n import N_
from shared.mails import send
from shared.models import Event, Programme, Registration, RegistrationState, utc
from shared.registrations import CHANGED_MEANWHILE, changed, registration_item, registrations_of
from shared.runs import programme_item, programme_of, programmes_of
from shared.state import read_state
from shared.table import STATE_SK, Below, ConditionFailedError, Table, Write, check, event_pk, put, update

TRIES = 8

NOT_NOW = N_("Rounds can be given up by people who are registered, until the round begins.")
EXPECTED = N_("You are expected in this round by the organisers. Please write to them.")
TAKEN = N_("This seat is taken by another person by now. Write to the organisers if you can come after all.")
GIVEN_OUT = N_("Workshops have been given out since. Write to the organisers if you can come after all.")


def may_give_up(event: Event, person: Registration, slot: str, now: datetime) -> bool:
    """Whether a person may say, or take back, that they do not come to a round: it has not begun."""
    starts = {one.id: event.on_the_day(one.start) for one in event.rounds}
    return (
        slot in starts
        and not event.cancelled
        and person.state is RegistrationState.CONFIRMED
        and event.closes_at <= now < starts[slot]
    )


def give_up(table: Table, event: Event, person: Registration, slot: str, *, now: datetime) -> Registration:
    """Free a person's seat in one round; doing it twice is doing it once.

    Raises ConflictError when it is too late, or the person is expected there; StaleError when the person was changed.
    """
    if slot in person.absent:
        return person
    _refuse(event, person, slot, now)
    if slot in person.pinned:
        raise ConflictError(EXPECTED)
    for _ in range(TRIES):
        state = read_state(table, event.id)
        programme = programme_of(table, event.id, state.published_run, person.id)
        theme = programme.workshops.get(slot, "") if programme else ""
        fields = {
            "absent": [*person.absent, slot],
            "gave_up": {**person.gave_up, **({slot: theme} if theme else {})},
            "gave_up_at": utc(now),
        }
        if _stored(table, event, person, fields, programme, _without(programme, slot), {}, now):
            return _after(person, fields, programme, now)
    raise TooBusyError


def take_back(table: Table, event: Event, person: Registration, slot: str, *, now: datetime) -> Registration:
    """Come to a round after all: the seat that was given up, if it is still free.

    Raises ConflictError when it is not, or it is too late; StaleError when the person was changed.
    """
    if slot not in person.absent:
        return person
    _refuse(event, person, slot, now)
    for _ in range(TRIES):
        state = read_state(table, event.id)
        theme = person.gave_up.get(slot, "")
        if state.published_run and not theme:
            raise ConflictError(GIVEN_OUT)
        programme = programme_of(table, event.id, state.published_run, person.id)
        expect: dict[str, Any] = {}
        if theme:
            if not _is_free(table, event, state.published_run, programme, slot, theme):
                raise ConflictError(TAKEN)
            expect = {"placed": Below(state.placed + 1)}
        left = {one: kept for one, kept in person.gave_up.items() if one != slot}
        fields = {
            "absent": [one for one in person.absent if one != slot],
            "gave_up": left,
            "gave_up_at": person.gave_up_at if left else "",
        }
        if _stored(table, event, person, fields, programme, _with(programme, slot, theme), expect, now):
            return _after(person, fields, programme, now)
    raise TooBusyError


def _refuse(event: Event, person: Registration, slot: str, now: datetime) -> None:
    if event.cancelled:
        raise ConflictError(CANCELLED)
    if not may_give_up(event, person, slot, now):
        raise ConflictError(NOT_NOW)


def _is_free(table: Table, event: Event, run: int, own: Programme | None, slot: str, theme: str) -> bool:
    """Whether a person who gave up a seat may have it again: it is free, and they have that theme in no other round."""
    if own is None or theme in own.workshops.values() or theme not in {one.id for one in event.themes}:
        return False
    programmes = programmes_of(table, event.id, run)
    taken = sum(
        one.state is RegistrationState.CONFIRMED
        and one.id in programmes
        and programmes[one.id].workshops.get(slot) == theme
        for one in registrations_of(table, event.id)
    )
    return taken < event.seats(theme, slot)


def _without(programme: Programme | None, slot: str) -> dict[str, str]:
    return {one: theme for one, theme in programme.workshops.items() if one != slot} if programme else {}


def _with(programme: Programme | None, slot: str, theme: str) -> dict[str, str]:
    return {**programme.workshops, slot: theme} if programme and theme else {}


def _after(person: Registration, fields: dict[str, Any], programme: Programme | None, now: datetime) -> Registration:
    """The person as it is stored then; a seat that was told counts as another edition of their calendar entry."""
    return changed(person, {**fields, "seat_changes": person.seat_changes + (programme is not None)}, now)


def _stored(
    table: Table,
    event: Event,
    person: Registration,
    fields: dict[str, Any],
    programme: Programme | None,
    workshops: dict[str, str],
    expect: dict[str, Any],
    now: datetime,
) -> bool:
    """Store the person, the programme and the mail that tells it; False when another run was published meanwhile.

    Parameters
    ----------
    expect
        What else must hold of the row STATE, when a seat is taken: the write then counts up `placed`.

    Raises StaleError when the person was changed meanwhile.
    """
    after = _after(person, fields, programme, now)
    run = programme.run if programme else read_state(table, event.id).published_run
    writes: list[Write] = [
        put(registration_item(after), expect={"revision": person.revision}, name="person"),
        update(event_pk(event.id), STATE_SK, add={"placed": 1}, expect={"published_run": run, **expect})
        if expect
        else check(event_pk(event.id), STATE_SK, {"published_run": run}),
    ]
    if programme:
        writes.append(put(programme_item(programme.model_copy(update={"workshops": workshops}))))
        if person.email:
            held = read_state(table, event.id).mail_held
            occasion = f"own-{after.seat_changes}"
            writes.append(send("programme", event.id, person.id, occasion=occasion, now=now, held=held))
    try:
        table.write(*writes)
    except ConditionFailedError as error:
        if "person" in error.refused:
            raise StaleError(CHANGED_MEANWHILE) from None
        return False
    return True
