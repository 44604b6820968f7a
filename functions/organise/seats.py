"""Seats on the day: those of people who did not come are freed, and people at the door get the best that are left.

Between two allocations a seat is given by one transaction. It counts up `EventState.placed`, and is refused when
another seat was given or another allocation was published since the free seats were counted: two helpers cannot give
one seat twice, and a draft that was begun before is stale. A seat counts as taken while the person is confirmed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.acts import Act
from shared.attendees import WishReader
from shared.errors import CANCELLED, ConflictError, InvalidError, StaleError, TooBusyError
from shared.events import audit
from shared.http import Fields
from shared.i18n import told, told_many
from shared.models import Event, EventState, Programme, Registration, RegistrationState, Says, Statement, utc
from shared.registrations import changed, new_id, read_registration, registration_item, registrations_of
from shared.runs import programme_item, programmes_of
from shared.state import read_state
from shared.table import (
    STATE_SK,
    Absent,
    Below,
    ConditionFailedError,
    Present,
    Table,
    Write,
    check,
    event_pk,
    put,
    update,
)

TRIES = 8
"""How often a seat is looked for anew when others were given one at the same instant."""

PEOPLE_A_WRITE = 30
"""People whose seats are freed in one transaction: a registration, a programme and an audit line each, below
DynamoDB's hundred."""


# --------------------------------------------------------------------------- people who did not come


def not_come(event: Event, people: Iterable[Registration], now: datetime) -> list[Registration]:
    """The people whose seats could be freed: confirmed and not checked in, once the day began and others were.

    People pinned to a workshop are expected there by the organisers and keep their seats.
    """
    everybody = list(people)
    if event.cancelled or not event.starts_at <= now < event.ends_at:
        return []
    if not any(person.checked_in_at for person in everybody):
        return []
    return [
        person
        for person in everybody
        if person.state is RegistrationState.CONFIRMED and not person.checked_in_at and not person.pinned
    ]


def expected_in(
    slot: str, people: Iterable[Registration], programmes: Mapping[str, Programme], *, seated: bool
) -> list[Registration]:
    """Those of these people who were expected in a round.

    Parameters
    ----------
    seated
        Whether only those count whose seat in it was not freed yet.
    """
    having = {one for one, programme in programmes.items() if slot in programme.workshops}
    return [one for one in people if one.id in having or (not seated and slot in one.freed)]


@dataclass(frozen=True, slots=True)
class Freeing:
    """What an organiser may free at a moment, as numbers of people: in all, and by round.

    `of_round` are the seats of one round that is not over. `expected` are the people who were expected in a round that
    has begun, whose seats may all be freed; people whose first workshop comes later are not among them.
    """

    everybody: int
    of_round: Mapping[str, int]
    expected: Mapping[str, int]


def what_to_free(
    event: Event, missing: Sequence[Registration], programmes: Mapping[str, Programme], now: datetime
) -> Freeing:
    """Count what may be freed of these people who did not come."""
    seated, expected = (
        {slot.id: len(expected_in(slot.id, missing, programmes, seated=one)) for slot in event.rounds}
        for one in (True, False)
    )
    begun = {slot.id for slot in event.rounds if event.on_the_day(slot.start) <= now}
    over = set(_over(event, now))
    return Freeing(
        len(missing),
        {slot: number for slot, number in seated.items() if number and slot not in over},
        {slot: number for slot, number in expected.items() if slot in begun and 0 < number < len(missing)},
    )


def free_seats(table: Table, event: Event, fields: Fields, *, actor: str, now: datetime) -> int:
    """Free the seats of the people who did not come, if they are as many as the organiser agreed to; how many.

    A person who is checked in at this very moment keeps the seat. Stopping half-way is harmless: the page says how many
    are left.

    Parameters
    ----------
    fields
        `expected`, the number of people; `round`, to take only those who were expected in it; `seats`, with a round:
        `all` (their place too, as without a round) or `round` (the seat of this round alone).

    Raises InvalidError for other fields, ConflictError when there is nobody, StaleError for another number.
    """
    expected, slot, alone = fields.get("expected"), str(fields.get("round", "")), fields.get("seats") == "round"
    if not isinstance(expected, int | str) or not re.fullmatch(r"[0-9]{1,9}", str(expected)):
        raise InvalidError(told("Say how many people's seats are to be freed."), {"expected": told("Fill this in")})
    possible = {one.id for one in event.rounds}.difference(_over(event, now) if alone else ())
    if (slot or alone) and slot not in possible:
        raise InvalidError(told("Say which seats are to be freed."), {"round": told("Name a round that is not over")})
    run = read_state(table, event.id).published_run
    programmes = programmes_of(table, event.id, run) if slot else {}
    missing = not_come(event, registrations_of(table, event.id), now)
    if slot:
        missing = expected_in(slot, missing, programmes, seated=alone)
    if not missing:
        raise ConflictError(told("There are no seats to free: the day must have begun, with people checked in."))
    if len(missing) != int(expected):
        raise StaleError(
            told_many(
                "%(num)s person is not checked in by now. Look at the number again.",
                "%(num)s people are not checked in by now. Look at the number again.",
                len(missing),
            )
        )

    def of_the_day(person: Registration) -> list[Write]:
        gone = registration_item(changed(person, {"state": RegistrationState.NO_SHOW}, now))
        return [put(gone, expect={"revision": person.revision}, name=person.id)]

    def of_the_round(person: Registration) -> list[Write]:
        programme = programmes[person.id]
        theme = programme.workshops[slot]
        fewer = {one: kept for one, kept in programme.workshops.items() if one != slot}
        fields = {
            "absent": [*person.absent, slot],
            "freed": {**person.freed, slot: theme},
            "seat_changes": person.seat_changes + 1,
        }
        return [
            put(registration_item(changed(person, fields, now)), expect={"revision": person.revision}, name=person.id),
            put(programme_item(programme.model_copy(update={"workshops": fewer}))),
        ]

    def state(number: int) -> Write:
        if alone:
            return check(event_pk(event.id), STATE_SK, {"published_run": run}, name=STATE_SK)
        return update(event_pk(event.id), STATE_SK, add={"confirmed": -number})

    freed = 0
    for start in range(0, len(missing), PEOPLE_A_WRITE):
        group = missing[start : start + PEOPLE_A_WRITE]
        freed += _free_group(table, event, group, of_the_round if alone else of_the_day, state, actor, now)
    Act.FREE_SEATS.counted()
    return freed


def _free_group(
    table: Table,
    event: Event,
    group: Sequence[Registration],
    freeing: Callable[[Registration], list[Write]],
    state: Callable[[int], Write],
    actor: str,
    now: datetime,
) -> int:
    """Free the seats of a group in one transaction, without those people who were changed meanwhile; how many.

    Parameters
    ----------
    freeing
        The writes that free what one person has.
    state
        The write to the event's state for so many people.

    Raises StaleError when other programmes were published meanwhile.
    """
    left = list(group)
    while left:
        try:
            table.write(
                *(write for person in left for write in freeing(person)),
                state(len(left)),
                *(audit(event.id, actor, Act.FREE_SEATS, now=now, about=person.id) for person in left),
            )
        except ConditionFailedError as error:
            if STATE_SK in error.refused:
                raise StaleError(told("Other programmes were published meanwhile. Look at the page again.")) from None
            left = [person for person in left if person.id not in error.refused]
        else:
            return len(left)
    return 0


# --------------------------------------------------------------------------- people at the door


@dataclass(frozen=True, slots=True)
class Seating:
    """The published programmes, and the free seats by round and theme, as of one moment."""

    state: EventState
    programmes: Mapping[str, Programme]
    free: Mapping[tuple[str, str], int]


def read_seating(table: Table, event: Event) -> Seating:
    """Count the free seats. The state is read first: what changes after it is noticed when a seat is given."""
    state = read_state(table, event.id)
    programmes = programmes_of(table, event.id, state.published_run)
    taken = Counter(
        place
        for person in registrations_of(table, event.id)
        if person.state is RegistrationState.CONFIRMED and person.id in programmes
        for place in programmes[person.id].workshops.items()
    )
    free = {
        (slot.id, theme.id): event.seats(theme.id, slot.id) - taken[slot.id, theme.id]
        for slot in event.rounds
        for theme in event.themes
    }
    return Seating(state, programmes, free)


def best_seats(costs: Mapping[str, int], free: Mapping[tuple[str, str], int], rounds: Sequence[str]) -> dict[str, str]:
    """The free seats that suit a person best: as many rounds as possible, then the least cost, then the emptiest.

    Exact, theme by theme: for every set of rounds the best way to fill it with different themes.

    Parameters
    ----------
    costs
        What each theme that the person may join costs; others are left out.
    free
        Free seats by round and theme.
    rounds
        The rounds to fill.
    """
    best: dict[int, tuple[int, int, tuple[tuple[str, str], ...]]] = {0: (0, 0, ())}
    for theme in sorted(costs):
        for filled, (cost, spare, chosen) in list(best.items()):
            for bit, slot in enumerate(rounds):
                seats = free.get((slot, theme), 0)
                if filled >> bit & 1 or seats <= 0:
                    continue
                found = (cost + costs[theme], spare - seats, (*chosen, (slot, theme)))
                known = best.get(filled | 1 << bit)
                if known is None or found[:2] < known[:2]:
                    best[filled | 1 << bit] = found
    most = min(best, key=lambda filled: (-filled.bit_count(), best[filled][:2]))
    seats_found = dict(best[most][2])
    return {slot: seats_found[slot] for slot in rounds if slot in seats_found}


def seat_walk_in(
    table: Table, event: Event, draft: Registration, *, key: str, actor: str, now: datetime
) -> Registration:
    """Register a person at the door, check them in, and give them the best free seats of the rounds to come.

    Parameters
    ----------
    draft
        The person as typed; state, id and times are set here.
    key
        A name that the form gives this request, so that a second press of its button changes nothing; "" for none.
        Another person in the same form, after a step back in the browser, is another request.

    Raises ConflictError when it is not the day, nothing is published, or no place or seat is left.
    """
    _refuse_other_days(event, now)
    typed = draft.model_dump_json(include={"name", "organisation", "partner_type", "choices"})
    identity = hashlib.sha256(f"{event.id} {key} {typed}".encode()).hexdigest()[:20] if key else new_id()
    fresh = {
        "id": identity,
        "event": event.id,
        "state": RegistrationState.CONFIRMED,
        "source": "door",
        "language": event.language,
        "absent": _over(event, now),
        "checked_in_at": utc(now),
        "confirmed_at": utc(now),
        "created_at": utc(now),
        "updated_at": utc(now),
    }
    person = Registration.model_validate({**draft.model_dump(), **fresh})

    def writes(workshops: Mapping[str, str]) -> list[Write]:
        said = ", ".join(f"{theme} in {slot}" for slot, theme in workshops.items())
        return [
            put(registration_item(person), expect={"pk": Absent()}),
            audit(event.id, actor, Act.WALK_IN, now=now, about=person.id, what=said),
        ]

    for _ in range(TRIES):
        known = read_registration(table, event.id, identity) if key else None
        if known:
            return known
        if _seat(table, event, person, now, writes):
            Act.WALK_IN.counted()
            return person
    raise TooBusyError


def seat_again(table: Table, event: Event, before: Registration, *, actor: str, now: datetime) -> Registration:
    """Check in a person whose seats were freed: they get those that are still free, else the best of the others.

    A person who lost the seat of single rounds keeps the others, and is checked in also when no seat is left in these.

    Raises ConflictError when no place or seat is left, StaleError when the person is changed by others.
    """
    if event.cancelled or now >= event.ends_at:
        raise ConflictError(CANCELLED if event.cancelled else told("The day is over."))
    current = before
    for _ in range(TRIES):
        if current.state is RegistrationState.CONFIRMED and current.freed:
            back = _give_back(table, event, current, actor=actor, now=now)
            if back:
                Act.CHECK_IN.counted()
                return back
            current = read_registration(table, event.id, before.id) or current
            continue
        if current.state is not RegistrationState.NO_SHOW:
            return current
        absent = [slot for slot in current.absent if slot not in {*_over(event, now), *current.freed}]
        fields = {
            "state": RegistrationState.CONFIRMED,
            "checked_in_at": utc(now),
            "absent": [*absent, *_over(event, now)],
            "confirmed_at": current.confirmed_at or utc(now),
            "freed": {},
        }
        after = changed(current, fields, now)
        guard = put(registration_item(after), expect={"revision": current.revision})

        def writes(workshops: Mapping[str, str], guard: Write = guard) -> list[Write]:
            said = "seats given again: " + ", ".join(f"{theme} in {slot}" for slot, theme in workshops.items())
            return [guard, audit(event.id, actor, Act.CHECK_IN, now=now, about=before.id, what=said)]

        if _seat(table, event, after, now, writes):
            Act.CHECK_IN.counted()
            return after
        current = read_registration(table, event.id, before.id) or current
    raise TooBusyError


def _give_back(table: Table, event: Event, person: Registration, *, actor: str, now: datetime) -> Registration | None:
    """Check a person in, with the seats of single rounds that were freed, or the best of the others; None to try again.

    The seats that the person has stay. A round without a seat for the person stays one that they do not attend.
    """
    seating = read_seating(table, event)
    own = seating.programmes.get(person.id)
    mine = dict(own.workshops) if own else {}
    ahead = [slot for slot in person.freed if slot not in {*mine, *_over(event, now)}] if own else []
    found = {
        slot: theme
        for slot, theme in person.freed.items()
        if slot in ahead and theme not in mine.values() and seating.free.get((slot, theme), 0) > 0
    }
    costs = _costs(event, person, {*mine.values(), *found.values()})
    found |= best_seats(costs, seating.free, [slot for slot in ahead if slot not in found])
    fields = {
        "checked_in_at": utc(now),
        "confirmed_at": person.confirmed_at or utc(now),
        "absent": [slot for slot in person.absent if slot not in found],
        "freed": {},
        "seat_changes": person.seat_changes + bool(found),
    }
    after = changed(person, fields, now)
    said = "seats given again: " + ", ".join(f"{theme} in {slot}" for slot, theme in found.items()) if found else ""
    writes = [
        put(registration_item(after), expect={"revision": person.revision}),
        audit(event.id, actor, Act.CHECK_IN, now=now, about=person.id, what=said),
    ]
    if own and found:
        workshops = {slot.id: theme for slot in event.rounds if (theme := {**mine, **found}.get(slot.id))}
        reason = _reason(person, workshops)
        writes.append(put(programme_item(own.model_copy(update={"workshops": workshops, "reason": reason}))))
        writes.append(_given(event, seating.state, joins=0))
    try:
        table.write(*writes)
    except ConditionFailedError:
        return None
    return after


def _costs(event: Event, person: Registration, taken: Iterable[str]) -> dict[str, int]:
    """What each theme that a person may still join costs."""
    read = WishReader(event)
    wishes = read(person.partner_type, person.choices, person.excluded)
    possible = set(read.possible(person.partner_type, person.excluded)) - set(taken)
    return {theme: wishes.cost(theme) for theme in possible}


def _given(event: Event, state: EventState, *, joins: int) -> Write:
    """Count a seat that is given; refused when another was given, or other programmes published, since `state`.

    Parameters
    ----------
    joins
        How many people (0 or 1) take a place with it.
    """
    same = {"pk": Present(), "published_run": state.published_run, "placed": Below(state.placed + 1)}
    room = {"confirmed": Below(event.capacity)} if joins else {}
    return update(event_pk(event.id), STATE_SK, add={"confirmed": joins, "placed": 1}, expect={**same, **room})


def _seat(
    table: Table,
    event: Event,
    person: Registration,
    now: datetime,
    writes: Callable[[Mapping[str, str]], list[Write]],
) -> bool:
    """Give a person seats, their published ones first, in one transaction; False when others were faster.

    Parameters
    ----------
    writes
        The other writes of the transaction, by the workshops that were found.

    Raises ConflictError when no place or no seat is left.
    """
    seating = read_seating(table, event)
    state = seating.state
    if not state.published_run:
        raise ConflictError(told("No programmes are published yet. Add this person under People."))
    if state.confirmed >= event.capacity:
        raise ConflictError(
            told_many(
                "The one place of this day is taken.",
                "All %(num)s places of this day are taken.",
                event.capacity,
            )
        )
    ahead = [slot.id for slot in event.rounds if slot.id not in {*_over(event, now), *person.absent}]
    own = seating.programmes.get(person.id)
    had = own.workshops if own else {}
    kept = {slot: theme for slot, theme in had.items() if slot in ahead and seating.free.get((slot, theme), 0) > 0}
    costs = _costs(event, person, kept.values())
    found = {**kept, **best_seats(costs, seating.free, [slot for slot in ahead if slot not in kept])}
    workshops = {slot: found[slot] for slot in ahead if slot in found}
    if ahead and not workshops:
        raise ConflictError(told("No seat is left in the workshops to come."))
    programme = Programme(
        event=event.id,
        run=state.published_run,
        registration=person.id,
        workshops=workshops,
        reason=_reason(person, workshops),
    )
    try:
        table.write(_given(event, state, joins=1), put(programme_item(programme)), *writes(workshops))
    except ConditionFailedError:
        return False
    return True


def _reason(person: Registration, workshops: Mapping[str, str]) -> tuple[Statement, ...]:
    """Which choices these workshops are; nothing for a person without a ranking."""
    if not person.choices:
        return ()
    return tuple(
        Statement(Says.GOT, theme=theme, rank=person.choices.index(theme) + 1)
        if theme in person.choices
        else Statement(Says.UNRANKED, theme=theme)
        for theme in workshops.values()
    )


def _over(event: Event, now: datetime) -> list[str]:
    """The rounds that are over."""
    return [slot.id for slot in event.rounds if event.on_the_day(slot.end) <= now]


def may_walk_in(event: Event, now: datetime) -> bool:
    """Whether it is the day, and the day is not over."""
    today = now.astimezone(event.zone).date() == event.date
    return today and now < event.ends_at and not event.draft and not event.cancelled


def _refuse_other_days(event: Event, now: datetime) -> None:
    """Raise ConflictError unless people can walk in now."""
    if event.cancelled:
        raise ConflictError(CANCELLED)
    if not may_walk_in(event, now):
        raise ConflictError(told("People walk in on the day itself. Before it, add them under People."))


def as_walk_in(event: Event, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form at the door, as a new person has them; an address is not asked there."""
    asked = ("name", "organisation", "partner_type", "choices")
    found = {name: fields[name] for name in asked if name in fields}
    if isinstance(found.get("choices"), list):
        found["choices"] = [theme for theme in found["choices"] if theme]
    if len(event.partner_types) == 1:
        found.setdefault("partner_type", event.partner_types[0].id)
    return found
