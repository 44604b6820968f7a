"""The waiting list: free places are offered to the registrations that have waited longest."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from shared.confirmation import as_confirmed
from shared.errors import CANCELLED, ConflictError
from shared.i18n import N_
from shared.mails import send
from shared.models import Event, EventState, Registration, RegistrationState, utc
from shared.registrations import as_read, changed, reader_of, registration_item, registrations_of, save
from shared.state import read_state
from shared.table import STATE_SK, Below, ConditionFailedError, Present, Table, Write, event_pk, put, update
from shared.tasks import place_late

OFFER = timedelta(hours=48)
"""How long an offered place waits for an answer."""

OFFER_OVER = N_("This offer has run out. You are on the waiting list again if you have not withdrawn.")


def offer_places(table: Table, event: Event, *, now: datetime) -> int:
    """Offer every free place to those who have waited longest; how many were offered.

    People whom mail does not reach come last: they would hear of the offer on their own page alone. Of a group the
    address of the person who registered it counts, and gets one mail for all its places of this moment. The place is
    held while the offer stands. Safe to repeat and to run twice at once.
    """
    state = read_state(table, event.id)
    if event.cancelled or not state.waiting or state.confirmed >= event.capacity or now >= event.starts_at:
        return 0
    by_id = {one.id: one for one in registrations_of(table, event.id)}

    def is_out_of_reach(one: Registration) -> bool:
        reader = reader_of(one, by_id)
        return reader is not None and reader.bounced

    waiting = sorted(
        (one for one in by_id.values() if one.state is RegistrationState.WAITING),
        key=lambda one: (is_out_of_reach(one), one.created_at, one.id),
    )
    return sum(
        _offer(table, event, state, people, now) for people in _together(waiting[: event.capacity - state.confirmed])
    )


def _together(waiting: Iterable[Registration]) -> Iterator[list[Registration]]:
    """People who are offered places at once: each alone, but those of a group who follow each other."""
    for _, people in groupby(waiting, key=lambda one: one.id if one.email else one.delegate or one.id):
        yield list(people)


def _offer(table: Table, event: Event, state: EventState, people: Sequence[Registration], now: datetime) -> int:
    """Offer places to people in one transaction, with one mail; how many places."""
    offered, mails = _offered(event, state, people, now)
    try:
        table.write(
            *(put(registration_item(after), expect=as_read(one)) for one, after in zip(people, offered, strict=True)),
            update(
                event_pk(event.id),
                STATE_SK,
                add={"confirmed": len(people), "waiting": -len(people)},
                expect={"confirmed": Below(event.capacity - len(people) + 1)},
            ),
            *mails,
        )
    except ConditionFailedError:  # another invocation offered it, or a person just left
        return sum(_offer(table, event, state, [one], now) for one in people) if len(people) > 1 else 0
    return len(people)


def _offered(
    event: Event, state: EventState, people: Sequence[Registration], now: datetime
) -> tuple[list[Registration], list[Write]]:
    """Waiting people with the places that are offered, and the mail; people of a group cannot answer, and have them."""
    first = people[0]
    if not first.email:
        after = [changed(one, {"state": RegistrationState.CONFIRMED}, now) for one in people]
        mails = [send("group", event.id, first.delegate, now=now, occasion=first.id)] if first.delegate else []
        return after, [*mails, *place_late(event, state, now)]
    fields = {
        "state": RegistrationState.OFFERED,
        "offers": first.offers + 1,
        "offer_expires_at": utc(min(now + OFFER, event.starts_at)),
    }
    person = changed(first, fields, now)
    return [person], [send("place-offered", event.id, person.id, now=now, occasion=str(person.offers))]


def accept_offer(table: Table, event: Event, before: Registration, *, now: datetime) -> Registration:
    """Take an offered place. Raises ConflictError when there is no offer, or it has run out."""
    if before.state is RegistrationState.CONFIRMED:
        return before
    if event.cancelled:
        raise ConflictError(CANCELLED)
    if before.state is not RegistrationState.OFFERED or utc(now) >= before.offer_expires_at:
        raise ConflictError(OFFER_OVER)
    changes = {"state": RegistrationState.CONFIRMED, "offer_expires_at": ""}
    mail = send("confirmation", before.event, before.id, now=now, occasion=f"offer-{before.offers}")
    late = place_late(event, read_state(table, event.id), now)
    return save(table, as_confirmed(before, now), changes, now=now, extra=[mail, *late])


def expire_offer(table: Table, before: Registration, *, now: datetime) -> None:
    """Put a person whose offer ran out at the end of the waiting list; the place is free for the next."""
    if before.state is not RegistrationState.OFFERED or utc(now) < before.offer_expires_at:
        return
    changes = {"state": RegistrationState.WAITING, "offer_expires_at": "", "created_at": utc(now)}
    counters = update(event_pk(before.event), STATE_SK, add={"confirmed": -1, "waiting": 1})
    save(table, before, changes, now=now, extra=[counters])


BANDS = (10, 50, 100)
"""A waiting person reads to which of the first so many they belong, and no exact position."""

BLUR = 30
"""Percent by which the edge of a band is moved at most; drawn once a day."""


def count_hourly(table: Table, event: Event, *, now: datetime) -> None:
    """Note once an hour how full an event is and how far the bands of its waiting list reach.

    Attendees see these notes and never the counters: with exact numbers, a person who registers twice around an
    address reads whether it was registered before. The edges of the bands are blurred by a number that is drawn once
    a day, so that nobody can place two registrations on both sides of an edge and wait for the next hour.
    """
    state, hour = read_state(table, event.id), f"{now:%Y-%m-%dT%H}"
    if state.counted.get("at") == hour:
        return
    blur = state.counted.get("blur", "0")
    if state.counted.get("at", "")[:10] != hour[:10]:
        blur = str(secrets.choice(range(-BLUR, BLUR + 1)))
    counted = {"at": hour, "blur": blur, "places": places_label(event, state)}
    if state.waiting:
        waiting = (
            registration
            for registration in registrations_of(table, event.id)
            if registration.state is RegistrationState.WAITING
        )
        keys = sorted(map(waiting_key, waiting))
        for band in BANDS if keys else ():
            counted[str(band)] = keys[min(len(keys), band * (100 + int(blur)) // 100) - 1]
    table.write(update(event_pk(event.id), STATE_SK, assign={"counted": counted}, expect={"pk": Present()}))


def band_of(state: EventState, registration: Registration) -> int:
    """The smallest band that held this waiting registration at the last count, or 0 for none or not yet counted."""
    mine = waiting_key(registration)
    return next((band for band in BANDS if mine <= state.counted.get(str(band), "")), 0)


def waiting_key(registration: Registration) -> str:
    """What the waiting list is ordered by: how long, then the id."""
    return f"{registration.created_at} {registration.id}"


def places_label(event: Event, state: EventState) -> str:
    """How full an event is: `free`, `filling` from three quarters on, or `full`."""
    if state.confirmed >= event.capacity or state.waiting:
        return "full"
    return "filling" if state.confirmed * 4 >= event.capacity * 3 else "free"
