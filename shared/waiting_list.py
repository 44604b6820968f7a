"""The waiting list: free places are offered to the registrations that have waited longest."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.errors import ConflictError
from shared.i18n import N_
from shared.mails import send
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import changed, registration_item, registrations_of, save
from shared.state import read_state
from shared.table import STATE_SK, Below, ConditionFailedError, Table, event_pk, put, update

OFFER = timedelta(hours=48)
"""How long an offered place waits for an answer."""

OFFER_OVER = N_("This offer has run out. You are on the waiting list again if you have not withdrawn.")


def offer_places(table: Table, event: Event, *, now: datetime) -> int:
    """Offer every free place to those who have waited longest; how many were offered.

    The place is held while the offer stands. Safe to repeat and to run twice at once.
    """
    state = read_state(table, event.id)
    if not state.waiting or state.confirmed >= event.capacity or now >= event.starts_at:
        return 0
    waiting = sorted(
        (one for one in registrations_of(table, event.id) if one.state is RegistrationState.WAITING),
        key=lambda one: (one.created_at, one.id),
    )
    offered = 0
    for one in waiting[: event.capacity - state.confirmed]:
        after = changed(
            one,
            {
                "state": RegistrationState.OFFERED,
                "offers": one.offers + 1,
                "offer_expires_at": utc(min(now + OFFER, event.starts_at)),
            },
            now,
        )
        try:
            table.write(
                put(registration_item(after), expect={"revision": one.revision}),
                update(
                    event_pk(event.id),
                    STATE_SK,
                    add={"confirmed": 1, "waiting": -1},
                    expect={"confirmed": Below(event.capacity)},
                ),
                send("place-offered", event.id, one.id, now=now, occasion=str(after.offers)),
            )
        except ConditionFailedError:
            continue  # somebody else offered it, or the person just left
        offered += 1
    return offered


def accept_offer(table: Table, before: Registration, *, now: datetime) -> Registration:
    """Take an offered place. Raises ConflictError when there is no offer, or it has run out."""
    if before.state is RegistrationState.CONFIRMED:
        return before
    if before.state is not RegistrationState.OFFERED or utc(now) >= before.offer_expires_at:
        raise ConflictError(OFFER_OVER)
    changes = {"state": RegistrationState.CONFIRMED, "offer_expires_at": ""}
    mail = send("confirmation", before.event, before.id, now=now, occasion=f"offer-{before.offers}")
    return save(table, before, changes, now=now, extra=[mail])


def expire_offer(table: Table, before: Registration, *, now: datetime) -> None:
    """Put a person whose offer ran out at the end of the waiting list; the place is free for the next."""
    if before.state is not RegistrationState.OFFERED or utc(now) < before.offer_expires_at:
        return
    changes = {"state": RegistrationState.WAITING, "offer_expires_at": "", "created_at": utc(now)}
    counters = update(event_pk(before.event), STATE_SK, add={"confirmed": -1, "waiting": 1})
    save(table, before, changes, now=now, extra=[counters])
