"""The day is cancelled: one write marks the event, closes everything that is still to come, and owes the mails.

Upkeep writes the mails (the task `cancellation`), to everybody who is confirmed, offered a place or waiting. Until the
day is over a cancellation can be undone: another write brings back what was to come, and upkeep (the task
`restoration`) takes back the mails that did not leave and tells the people to whom one was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.acts import Act
from shared.errors import ConflictError, StaleError
from shared.events import audit, due_tasks
from shared.i18n import told, told_many
from shared.mails import mails_of
from shared.models import Event, EventState, Mail, MailState, Registration, RegistrationState, RunState, utc
from shared.registrations import registrations_of
from shared.runs import read_run
from shared.state import read_state
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
from shared.tasks import ALLOCATE_DUE, UPKEEP_DUE, place_late, task

CANCELLATION = "cancellation"
"""The task of upkeep to write the mails."""

RESTORATION = "restoration"
"""The task of upkeep to tell that the day takes place after all."""

IS_CANCELLED = "the day is cancelled"
TAKES_PLACE = "the day takes place after all"
"""Why a mail was not sent."""

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


class Standing(NamedTuple):
    """How far the mails of a cancellation are: the people who were told, and how many mails leave or are held."""

    people: set[str]
    leaving: int
    held: int


def standing(table: Table, event: Event) -> Standing:
    """How far the mails of the cancellation that stands are."""
    mails = list(mails_of(table, event.id, "day-cancelled#"))
    here = {person.id for person in reached(registrations_of(table, event.id))}
    leaving = sum(mail.state in (MailState.PENDING, MailState.SENDING) for mail in mails)
    held = sum(mail.state is MailState.HELD for mail in mails)
    return Standing(heard_of_it(mails, mails_of(table, event.id, "day-restored#")) & here, leaving, held)


def heard_of_it(cancelling: Iterable[Mail], restoring: Iterable[Mail]) -> set[str]:
    """The people to whom the last that was said is that the day is cancelled.

    A day may be cancelled, restored and cancelled again before anybody is told of the restoration: what counts is what
    each person was mailed, and not when the cancellation that stands began.
    """
    told: dict[str, str] = {}
    for mail in cancelling:
        if mail.state is MailState.SENT:
            told[mail.registration] = max(mail.created_at, told.get(mail.registration, ""))
    on_their_way = (MailState.SENT, MailState.PENDING, MailState.SENDING)
    taken_back = [mail for mail in restoring if mail.state in on_their_way]
    return set(told) - {mail.registration for mail in taken_back if mail.created_at > told.get(mail.registration, "~")}


def undo_cancellation(table: Table, event: Event, expected: int, *, actor: str, now: datetime) -> None:
    """Let a cancelled day take place, if that writes exactly the mails that the organiser agreed to.

    Registration is open again if its closing lies ahead, and what was to happen by itself is to happen again.

    Parameters
    ----------
    expected
        The number of people who were told of the cancellation; they are told that the day takes place.

    Raises
    ------
    ConflictError
        The day is not cancelled or is over, or mails that say so are on their way.
    StaleError
        Another number of people was told by now, or the event was changed at this moment.
    """
    stored = table.get(EVENTS_PK, event.id) or {}
    since = str(stored.get("cancelled_at", ""))
    if not since:
        raise ConflictError(told("This day is not cancelled."))
    if now >= event.ends_at:
        raise ConflictError(told("The day is over; nothing can be taken back any more."))
    mails = standing(table, event)
    if mails.leaving:
        raise ConflictError(
            told_many(
                "%(num)s mail that says so is on its way. Put mail on hold, or wait until it has left.",
                "%(num)s mails that say so are on their way. Put mail on hold, or wait until they have left.",
                mails.leaving,
            )
        )
    if expected != len(mails.people):
        raise StaleError(
            told_many(
                "This would write %(num)s mail, not %(expected)s. Read this page again and confirm.",
                "This would write %(num)s mails, not %(expected)s. Read this page again and confirm.",
                len(mails.people),
                expected=expected,
            )
        )
    pk, state = event_pk(event.id), read_state(table, event.id)
    event = event.marked(cancelled=False)
    try:
        table.write(
            update(
                EVENTS_PK,
                event.id,
                assign={"updated_at": utc(now)},
                remove=("cancelled_at",),
                expect={"updated_at": stored["updated_at"], "cancelled_at": since},
            ),
            update(
                pk,
                STATE_SK,
                assign={"publishing_run": state.published_run, "restored": state.restored + 1},
                expect={"published_run": state.published_run, "mail_held": state.mail_held},
            ),
            delete(pk, task_sk(CANCELLATION)),
            task(event.id, RESTORATION, UPKEEP_DUE, now),
            *due_tasks(event, state, now),
            *_allocator_tasks(table, event, state, now),
            audit(event.id, actor, Act.UNDO_CANCELLATION, now=now),
        )
    except ConditionFailedError:
        raise StaleError(told("The event was changed at this moment. Reload the page and confirm again.")) from None


def _allocator_tasks(table: Table, event: Event, state: EventState, now: datetime) -> Iterator[Write]:
    """What the allocator was at when the day was cancelled: mails of a publication, a draft to publish, late people."""
    if state.published_run:
        yield task(event.id, "publication", ALLOCATE_DUE, now, run=state.published_run)
        yield from place_late(event, state, now)
    newest = read_run(table, event.id, state.runs)
    if newest and newest.state is RunState.DRAFT and newest.automatic and not newest.waits_for:
        yield task(event.id, "publish", ALLOCATE_DUE, now, run=newest.number)
