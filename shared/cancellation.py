"""The day is cancelled: one write marks the event, closes everything that is still to come, and owes the mails.

Upkeep writes the mails (the task `cancellation`), to everybody who is confirmed, offered a place or waiting.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.acts import Act
from shared.errors import ConflictError, StaleError
from shared.events import audit
from shared.i18n import told
from shared.models import Event, Registration, RegistrationState, utc
from shared.table import (
    EVENTS_PK,
    STATE_SK,
    Absent,
    ConditionFailedError,
    OneOf,
    Table,
    Write,
    check,
    delete,
    event_pk,
    registration_sk,
    task_sk,
    update,
)
from shared.tasks import UPKEEP_DUE, task

CANCELLATION = "cancellation"
"""The task of upkeep to write the mails."""

REACHED = (
    RegistrationState.CONFIRMED,
    RegistrationState.OFFERED,
    RegistrationState.WAITING,
    RegistrationState.NO_SHOW,
    RegistrationState.DELEGATE,
)
"""States of the people who are told."""

IN_FLIGHT = timedelta(minutes=1)
"""So long after the cancellation its mails are written: a registration that was being stored meanwhile is told too."""

KEPT = {"run", "sensitive", "retention", CANCELLATION}
"""Tasks that stay: a run that was begun comes to its end as a draft, and personal data is deleted as promised."""


def reached(people: Iterable[Registration]) -> list[Registration]:
    """The people whom a cancellation is told: those who have an address."""
    return [person for person in people if person.state in REACHED and person.email]


def still_reached(event: str, registration: str) -> Write:
    """The check that a person is still to be told, for a transaction that depends on it."""
    states = OneOf(tuple(state.value for state in REACHED))
    return check(event_pk(event), registration_sk(registration), {"state": states})


def cancel_day(table: Table, event: Event, *, actor: str, now: datetime) -> None:
    """Mark an event as cancelled and strike off what was to happen; its mails are owed from this write on.

    Raises ConflictError when there is nothing to cancel, StaleError when the event file changed at this moment.
    """
    if event.draft:
        raise ConflictError(told("This event is a draft that nobody else has seen. Retire it instead."))
    if event.cancelled:
        raise ConflictError(told("This day is cancelled already."))
    if now >= event.ends_at:
        raise ConflictError(told("The day is over; it cannot be cancelled any more."))
    stored = table.get(EVENTS_PK, event.id) or {}
    pk = event_pk(event.id)
    names = [row["task"] for row in table.query(pk, task_sk(""), only=("task",))]
    try:
        table.write(
            update(
                EVENTS_PK,
                event.id,
                assign={"cancelled_at": utc(now), "updated_at": utc(now)},
                expect={"updated_at": stored.get("updated_at", ""), "cancelled_at": Absent()},
            ),
            update(pk, STATE_SK, assign={"publishing_run": 0}),
            task(event.id, CANCELLATION, UPKEEP_DUE, now + IN_FLIGHT),
            *(delete(pk, task_sk(name)) for name in names if name not in KEPT),
            audit(event.id, actor, Act.CANCEL_EVENT, now=now),
        )
    except ConditionFailedError:
        raise StaleError(told("The event was changed at this moment. Reload the page and confirm again.")) from None
