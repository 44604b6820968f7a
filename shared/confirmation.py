"""Addresses that were shown to be an attendee's own; nobody has to confirm one to register.

An address is confirmed by any change made behind its own link, by the button "This is me" there, by moving the
registration to it, by accepting an offer, by an organiser who adds the person, or by check-in at the door. Unconfirmed
people are allocated like all others. What they lose comes from outside: a hard bounce frees the place
(`functions.feedback`), and in a nearly full event they may be asked to confirm.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from shared.models import Registration, utc
from shared.table import ConditionFailedError, Table, event_pk, registration_sk, update


def as_confirmed(registration: Registration, now: datetime) -> Registration:
    """The same registration with a confirmed address; the next change that is saved stores it."""
    return registration.model_copy(update={"confirmed_at": utc(now)}) if registration.unconfirmed else registration


def confirm(table: Table, registration: Registration, *, now: datetime) -> Registration:
    """Note that the address is the attendee's own, once.

    The revision stays, so that a form which was opened before can still be saved. A registration that changes at this
    moment is left alone; the next act behind its link confirms it.
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
