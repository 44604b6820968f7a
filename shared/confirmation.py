"""Addresses that were shown to be an attendee's own; nobody has to confirm one to register.

An address is confirmed by any change made behind its own link, by the button "This is me" there, by moving the
registration to it, by accepting an offer, by an organiser who adds the person, or by check-in at the door.
Unconfirmed people are allocated like all others; what holds of a delegate's address holds of the group. What they
lose comes from outside: a hard bounce frees the place (`functions.feedback`), and in a nearly full event the holders
of older places are asked to confirm, by a moment after which the place goes to a person who waits. Without such a
person nobody loses anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby

from shared.errors import StaleError
from shared.mails import send
from shared.models import Event, EventState, MailKind, Registration, RegistrationState, moment, utc
from shared.registrations import as_read, registrations_of, save, withdraw, withdraw_together
from shared.state import read_state
from shared.table import (
    STATE_SK,
    ConditionFailedError,
    Present,
    Table,
    Write,
    check,
    event_pk,
    registration_sk,
    update,
)

NEARLY_FULL = (9, 10)
"""From this fraction of its places on, an event asks for confirmations."""

MOST_AT_ONCE = 200
"""Registrations changed in one go; the next minute, or the next press, goes on."""


def as_confirmed(registration: Registration, now: datetime) -> Registration:
    """The same registration with a confirmed address; the next change that is saved stores it."""
    return registration.model_copy(update={"confirmed_at": utc(now)}) if registration.unconfirmed else registration


def confirm(table: Table, registration: Registration, *, now: datetime) -> Registration:
    """Note that the address is the attendee's own, once.

    The revision stays, so that a form which was opened before can still be saved; a change by others that began before
    is refused all the same (`registrations.as_read`). A registration that changes at this moment is left alone: the
    next act behind its link confirms it.
    """
    if not registration.unconfirmed:
        return registration
    mark = update(
        event_pk(registration.event),
        registration_sk(registration.id),
        assign={"confirmed_at": utc(now)},
        expect={"revision": registration.revision},
    )
    with suppress(ConditionFailedError):
        table.write(mark)
    return as_confirmed(registration, now)


Place = tuple[Registration, Registration | None]
"""An unconfirmed place or turn on the waiting list, and the delegate who is asked for it, if it is one of a group."""


def unconfirmed(people: Iterable[Registration]) -> list[Place]:
    """The places and turns whose address nobody confirmed, those that were registered first at the head.

    In a group the address is the delegate's: as long as it is unconfirmed, all places of the group are.
    """
    everybody = list(people)
    delegates = {one.id: one for one in everybody if one.state is RegistrationState.DELEGATE and one.unconfirmed}
    found = [one for one in everybody if one.awaits_confirmation or (one.delegate in delegates and one.holds_or_waits)]
    found.sort(key=lambda one: (one.created_at, one.id))
    return [(one, delegates.get(one.delegate)) for one in found]


def together(places: Iterable[Place]) -> Iterator[tuple[list[Registration], Registration | None]]:
    """Places that are released at once: each alone, but those of a group that follow each other."""
    for _, found in groupby(places, key=lambda place: place[1].id if place[1] else place[0].id):
        group = list(found)
        yield [one for one, _ in group], group[0][1]


def release(
    table: Table,
    people: Sequence[Registration],
    *,
    now: datetime,
    extra: Sequence[Write] = (),
    counters: dict[str, int] | None = None,
    delegate: Registration | None = None,
) -> None:
    """Give an unconfirmed place to others and tell its holder so; or places of one group, and tell their delegate once.

    A mail to an address that is known not to be reached would come back, and count against the sender: none is written.

    Raises StaleError when a registration was confirmed or changed meanwhile, or the counters are others by now.
    """
    note = {"released": True}
    if delegate:
        told = _tell_delegate(delegate, people[0], now)
        withdraw_together(table, people, now=now, note=note, extra=[*extra, *told], counters=counters)
        return
    [person] = people
    mail: MailKind | None = None if person.bounced else "place-released"
    withdraw(table, person, now=now, mail=mail, note=note, extra=extra, counters=counters)


def _tell_delegate(delegate: Registration, member: Registration, now: datetime) -> list[Write]:
    """The mail with the group as it is then, if the delegate's address still is unconfirmed."""
    mail = send("group", delegate.event, delegate.id, now=now, occasion=f"released-{member.id}")
    return [
        check(event_pk(delegate.event), registration_sk(delegate.id), as_read(delegate)),
        *([] if delegate.bounced else [mail]),
    ]


def is_nearly_full(event: Event, state: EventState) -> bool:
    """Whether unconfirmed places may be wanted by others."""
    part, whole = NEARLY_FULL
    return state.waiting > 0 or state.confirmed * whole >= event.capacity * part


def ask_and_release(table: Table, event: Event, *, now: datetime, may_go_on: Callable[[], bool]) -> tuple[int, int]:
    """Ask for the confirmations that a nearly full event needs, and release the places that were asked for in vain.

    Done once an hour. Each person is one transaction, so that what is stopped half-way is gone on with; the hour is
    noted when all is done.

    Returns
    -------
    How many people were asked, and how many places were released.
    """
    state, hour = read_state(table, event.id), f"{now:%Y-%m-%dT%H}"
    if state.unconfirmed_at == hour or not is_nearly_full(event, state) or event.draft or event.cancelled:
        return 0, 0
    if now >= event.starts_at:
        return 0, 0
    everywhere = unconfirmed(registrations_of(table, event.id))
    holders = [place for place in everywhere if place[0].state is RegistrationState.CONFIRMED]
    answer = {(delegate or one).id: delegate or one for one, delegate in holders}  # each delegate once
    asked = _ask(table, event, answer.values(), now, may_go_on)
    released = _release_due(table, event, holders, now, may_go_on)
    if asked < MOST_AT_ONCE and released < MOST_AT_ONCE and may_go_on():
        table.write(update(event_pk(event.id), STATE_SK, assign={"unconfirmed_at": hour}, expect={"pk": Present()}))
    return asked, released


def _ask(
    table: Table, event: Event, holders: Iterable[Registration], now: datetime, may_go_on: Callable[[], bool]
) -> int:
    """Ask the holders of places that are old enough, once each; nobody when no time is left for an answer."""
    rules = event.registration
    ends = now + timedelta(hours=rules.confirm_within_hours)
    asked, since = 0, utc(now - timedelta(hours=rules.confirm_after_hours))
    for one in holders:
        if one.confirm_by or one.bounced or one.created_at > since or ends >= event.starts_at:
            continue
        if asked == MOST_AT_ONCE or not may_go_on():
            break
        with suppress(StaleError):  # confirmed, changed or withdrawn at this moment
            save(table, one, {"confirm_by": utc(ends)}, now=now, extra=[_question(one, now)])
            asked += 1
    return asked


def _question(one: Registration, now: datetime) -> Write:
    """The mail that asks an address; another address of the same person is asked by another mail."""
    occasion = str(one.link_version) if one.link_version > 1 else ""
    return send("confirm-place", one.event, one.id, occasion=occasion, now=now)


def _release_due(
    table: Table,
    event: Event,
    holders: Iterable[Place],
    now: datetime,
    may_go_on: Callable[[], bool],
) -> int:
    """Release as many places as people wait for, of the holders who did not confirm in time.

    A delegate whose mail comes back cannot confirm, and the places of the group are due at once.
    """
    released = 0
    due = (place for place in holders if _is_due(place, now))
    for people, delegate in together(due):
        left = people
        while left:
            state = read_state(table, event.id)
            wanted = min(state.waiting - (event.capacity - state.confirmed), MOST_AT_ONCE - released)
            if wanted <= 0 or not may_go_on():
                return released  # each person who waits has a free place already, or will have in the next minute
            part, left = left[:wanted], left[wanted:]
            # The counters as they were read: two processes at once must not release two places for one person.
            seen = {"confirmed": state.confirmed, "waiting": state.waiting}
            with suppress(StaleError):
                release(table, part, now=now, counters=seen, delegate=delegate)
                released += len(part)
    return released


def _is_due(place: Place, now: datetime) -> bool:
    """Whether the time to confirm is over; a delegate whose mail comes back cannot confirm."""
    one, delegate = place
    asked = delegate or one
    return bool(asked.confirm_by and moment(asked.confirm_by) <= now) or bool(delegate and delegate.bounced)
