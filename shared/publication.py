"""Publication: the event points at a run by one write, and the mails that this owes are written after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from shared.acts import Act
from shared.errors import ConflictError, StaleError
from shared.events import ALLOCATE_DUE, as_event, audit, task
from shared.mails import send
from shared.models import Event, MailKind, Programme, Registration, RegistrationState, Run, RunState, utc
from shared.registrations import still_holds_a_place
from shared.runs import programmes_of, why_stale
from shared.state import read_state
from shared.table import (
    EVENTS_PK,
    STATE_SK,
    ConditionFailedError,
    Table,
    Write,
    check,
    delete,
    event_pk,
    run_sk,
    task_sk,
    update,
)

PEOPLE_A_WRITE = 40
"""People whose mails are written in one transaction: a check and a row each, below DynamoDB's hundred."""


def publish(table: Table, event: Event, run: Run, people: Iterable[Registration], *, actor: str, now: datetime) -> Run:
    """Point the event at a draft; from this write on everybody reads it, and its mails are owed.

    The event file is read again here and may not change until the write, so that no draft is published that seats
    more people than there are seats by now.

    Parameters
    ----------
    people
        Every registration of the event as it is stored now.

    Raises
    ------
    ConflictError
        The run is no draft, or the mails of an earlier publication are still being written.
    StaleError
        Registrations, the event file or the published run changed since the draft was made.
    """
    if run.state is not RunState.DRAFT:
        raise ConflictError(f"Run {run.number} is {run.state}; only a draft can be published.")
    state = read_state(table, event.id)
    if state.publishing_run:
        raise ConflictError(f"The mails of run {state.publishing_run} are still being written. Try again in a minute.")
    stored = table.get(EVENTS_PK, event.id)
    stale = why_stale(table, as_event(stored) if stored else event, run, people)
    if stale:
        raise StaleError(stale)
    published = {
        "state": RunState.PUBLISHED,
        "published_at": utc(now),
        "published_by": actor,
        "updated_at": utc(now),
    }
    pk = event_pk(event.id)
    previous = (
        [update(pk, run_sk(run.compared_with), assign={"state": RunState.SUPERSEDED})] if run.compared_with else []
    )
    try:
        table.write(
            update(
                pk,
                STATE_SK,
                assign={"published_run": run.number, "publishing_run": run.number},
                expect={"published_run": run.compared_with, "publishing_run": 0},
            ),
            update(pk, run_sk(run.number), assign=published, expect={"state": RunState.DRAFT}),
            *previous,
            task(event.id, "publication", ALLOCATE_DUE, now, run=run.number),
            delete(pk, task_sk("publish")),
            *([check(EVENTS_PK, event.id, {"updated_at": stored["updated_at"]}, name="event")] if stored else []),
            audit(event.id, actor, Act.PUBLISH, now=now, what=f"run {run.number}"),
        )
    except ConditionFailedError as error:
        if "event" in error.refused:
            raise StaleError("The event file changed at this moment. Start a new draft.") from None
        raise StaleError("Somebody else published at the same moment. Reload the page.") from None
    return run.model_copy(update=published)


def owed_mails(
    people: Sequence[Registration], before: Mapping[str, Programme], after: Mapping[str, Programme]
) -> list[tuple[Registration, MailKind]]:
    """Who hears of a publication, and by which mail: a first programme, or one that differs from the one they have."""
    owed: list[tuple[Registration, MailKind]] = []
    for one in sorted(people, key=lambda person: person.id):
        old, new = before.get(one.id), after.get(one.id)
        if one.state is not RegistrationState.CONFIRMED:
            continue
        if new and not old:
            owed.append((one, "programme"))
        elif old and (not new or new.workshops != old.workshops):
            owed.append((one, "programme-changed"))
    return owed


def write_programme_mails(
    table: Table, event: Event, run: Run, people: Sequence[Registration], *, now: datetime
) -> int:
    """Write every mail a publication owes, and close it; how many people are told.

    Repeating it, after a crash or twice at once, writes each mail once: its id names the run and the person.
    Who withdrew meanwhile gets none.
    """
    before = programmes_of(table, event.id, run.compared_with)
    owed = owed_mails(people, before, programmes_of(table, event.id, run.number))
    for start in range(0, len(owed), PEOPLE_A_WRITE):
        group = owed[start : start + PEOPLE_A_WRITE]
        held = read_state(table, event.id).mail_held  # anew for each: a hold shall stop what is still to be written
        try:
            table.write(*(one for person in group for one in _told(person, run, now, held=held)))
        except ConditionFailedError:
            for person in group:
                _tell_alone(table, person, run, now, held=held)
    with suppress(ConditionFailedError):  # another hand closed it
        table.write(
            update(event_pk(event.id), STATE_SK, assign={"publishing_run": 0}, expect={"publishing_run": run.number}),
            delete(event_pk(event.id), task_sk("publication")),
        )
    return len(owed)


def _told(person: tuple[Registration, MailKind], run: Run, now: datetime, *, held: bool) -> list[Write]:
    one, kind = person
    return [
        still_holds_a_place(run.event, one.id),
        send(kind, run.event, one.id, now=now, run=run.number, held=held),
    ]


def _tell_alone(table: Table, person: tuple[Registration, MailKind], run: Run, now: datetime, *, held: bool) -> None:
    try:
        table.write(*_told(person, run, now, held=held))
    except ConditionFailedError:
        return  # told before, or withdrawn meanwhile
