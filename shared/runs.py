"""Runs of the allocator: requested, taken by one owner, stored under their own number, published by one write.

A number is the fence: an owner whose lease ran out finds the event pointing at a later run and can neither store
nor publish. Readers follow `EventState.published_run`, so they see one run whole or another, never a mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.errors import ConflictError, StaleError
from shared.events import ALLOCATE_DUE, audit, task
from shared.mails import send
from shared.models import Event, MailKind, Programme, Registration, RegistrationState, Run, RunState, utc
from shared.registrations import as_programme, event_pk, read_state, still_holds_a_place
from shared.table import Absent, ConditionFailedError, Item, Table, Write, delete, put, update

PEOPLE_A_WRITE = 40
"""People whose mails are written in one transaction: a check and a row each, below DynamoDB's hundred."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an organiser, the schedule or an invocation asks of a run. None: as the event file says."""

    mode: Literal["fresh", "keep"] = "fresh"
    seed: str = ""
    weight: int | None = None
    tolerance: str = ""


def run_sk(number: int) -> str:
    """Sort key of a run."""
    return f"RUN#{number:06d}"


def read_run(table: Table, event: str, number: int) -> Run | None:
    """One run, or None."""
    found = table.get(event_pk(event), run_sk(number)) if number > 0 else None
    return as_run(found) if found else None


def runs_of(table: Table, event: str) -> Iterator[Run]:
    """Every run of an event, the newest first."""
    return map(as_run, table.query(event_pk(event), "RUN#", newest_first=True))


def as_run(item: Item) -> Run:
    """The run in a stored item."""
    return Run.model_validate({key: item[key] for key in Run.model_fields if key in item})


def programmes_of(table: Table, event: str, number: int) -> dict[str, Programme]:
    """Every programme of a run, by registration; none for run 0."""
    if not number:
        return {}
    items = table.query(f"RUN#{event}#{number:06d}", "PROGRAMME#")
    return {one["registration"]: as_programme(one) for one in items}


def allocated(table: Table, event: str, number: int) -> set[str]:
    """Who has a programme under a run; nobody under run 0."""
    pk = f"RUN#{event}#{number:06d}"
    return {one["registration"] for one in table.query(pk, "PROGRAMME#", only=("registration",))} if number else set()


def request_run(table: Table, event: Event, wish: Wish, *, actor: str, now: datetime, automatic: bool = False) -> Run:
    """Ask for a run; while one is under way, that one is the answer. The allocator takes it up within a minute."""
    for _ in range(5):
        state = read_state(table, event.id)
        active = read_run(table, event.id, state.active_run)
        if active:
            return active
        run = Run(
            event=event.id,
            number=state.runs + 1,
            state=RunState.REQUESTED,
            mode=wish.mode,
            seed=wish.seed or event.allocation.seed or state.seed,
            weight=wish.weight,
            tolerance=wish.tolerance,
            automatic=automatic,
            requested_by=actor,
            requested_at=utc(now),
            updated_at=utc(now),
        )
        try:
            table.write(
                update(
                    event_pk(event.id),
                    "STATE",
                    assign={"runs": run.number, "active_run": run.number},
                    expect={"active_run": state.active_run, "runs": state.runs},
                ),
                put(_item(run), expect={"pk": Absent()}),
                task(event.id, "run", ALLOCATE_DUE, now, run=run.number),
                audit(event.id, actor, "request-allocation", now=now, what=f"run {run.number}, {run.mode}"),
            )
        except ConditionFailedError:
            continue  # somebody else asked at the same moment: theirs is the answer
        return run
    raise ConflictError("Several people are asking for an allocation at once. Please try again.")


def claim_run(table: Table, run: Run, *, owner: str, lease: timedelta, now: datetime) -> Run | None:
    """Take up a run that waits, or one whose owner went silent; None when somebody else is at work on it.

    A run whose lease ran out goes on under a new number, so that its old owner, should it wake, is fenced off.
    """
    until = utc(now + lease)
    mine = {"state": RunState.RUNNING, "owner": owner, "lease_until": until, "updated_at": utc(now)}
    later = task(run.event, "run", ALLOCATE_DUE, now + lease, run=run.number)
    try:
        if run.state is RunState.REQUESTED:
            key = (event_pk(run.event), run_sk(run.number))
            table.write(update(*key, assign=mine, expect={"state": RunState.REQUESTED}), later)
            return run.model_copy(update=mine)
        if run.state is not RunState.RUNNING or run.lease_until > utc(now):
            return None
        heir = run.model_copy(update={**mine, "number": run.number + 1})
        table.write(
            update(
                event_pk(run.event),
                "STATE",
                assign={"runs": heir.number, "active_run": heir.number},
                expect={"active_run": run.number, "runs": run.number},
            ),
            put(_item(heir), expect={"pk": Absent()}),
            update(
                event_pk(run.event),
                run_sk(run.number),
                assign={"state": RunState.FAILED, "error": f"Its owner went silent; run {heir.number} took over."},
                expect={"state": RunState.RUNNING},
            ),
            task(run.event, "run", ALLOCATE_DUE, now + lease, run=heir.number),
        )
    except ConditionFailedError:
        return None
    return heir


def store_programmes(table: Table, programmes: Sequence[Programme]) -> None:
    """Write the programmes of a run under its number. Nobody reads them until the run is finished."""
    table.put_all(
        {
            "pk": f"RUN#{one.event}#{one.run:06d}",
            "sk": f"PROGRAMME#{one.registration}",
            "type": "programme",
            **one.model_dump(mode="json", exclude={"reason"}),
            "reason": [{name: fact for name, fact in asdict(said).items() if fact} for said in one.reason],
        }
        for one in programmes
    )


def finish_run(
    table: Table,
    event: Event,
    run: Run,
    outcome: Mapping[str, Any],
    *,
    now: datetime,
    state: RunState = RunState.DRAFT,
    then_publish: bool = False,
) -> Run:
    """Close a run with what came out: a draft, or failed with the reason.

    `then_publish` leaves a task to publish it, in the same transaction: who stops in between is resumed.
    Raises StaleError when another owner took the run over meanwhile.
    """
    fields = {**outcome, "state": state, "lease_until": "", "updated_at": utc(now)}
    head = {"active_run": 0} | ({"allocated_for": utc(event.allocates_at)} if run.automatic else {})
    automatic = [delete(event_pk(event.id), "TASK#allocation")] if run.automatic else []
    try:
        table.write(
            update(event_pk(event.id), "STATE", assign=head, expect={"active_run": run.number}),
            update(
                event_pk(event.id),
                run_sk(run.number),
                assign=fields,
                expect={"state": RunState.RUNNING, "owner": run.owner},
            ),
            delete(event_pk(event.id), "TASK#run"),
            *automatic,
            *([task(event.id, "publish", ALLOCATE_DUE, now, run=run.number)] if then_publish else []),
        )
    except ConditionFailedError:
        raise StaleError(f"Run {run.number} was taken over by another owner.") from None
    return run.model_copy(update=fields)


def add_to_result(table: Table, run: Run, more: Mapping[str, Any]) -> Run:
    """Add figures to a finished run, whatever state it is in by now.

    Raises ConditionFailedError when the run is gone or belongs to another owner.
    """
    result = {**run.result, **more}
    key = (event_pk(run.event), run_sk(run.number))
    table.write(update(*key, assign={"result": result}, expect={"owner": run.owner}))
    return run.model_copy(update={"result": result})


def publish(table: Table, event: Event, run: Run, *, basis_now: str, actor: str, now: datetime) -> Run:
    """Point the event at a draft; from this write on everybody reads it, and its mails are owed.

    Parameters
    ----------
    basis_now
        `registrations.basis` of what is stored now; it must be what the draft was made from.

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
    if run.compared_with != state.published_run:
        raise StaleError(f"Run {state.published_run} was published since this draft was made. Start a new draft.")
    if run.basis != basis_now:
        raise StaleError("Registrations or the event file changed since this draft was made. Start a new draft.")
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
                "STATE",
                assign={"published_run": run.number, "publishing_run": run.number},
                expect={"published_run": run.compared_with, "publishing_run": 0},
            ),
            update(pk, run_sk(run.number), assign=published, expect={"state": RunState.DRAFT}),
            *previous,
            task(event.id, "publication", ALLOCATE_DUE, now, run=run.number),
            delete(pk, "TASK#publish"),
            audit(event.id, actor, "publish", now=now, what=f"run {run.number}"),
        )
    except ConditionFailedError:
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
            update(event_pk(event.id), "STATE", assign={"publishing_run": 0}, expect={"publishing_run": run.number}),
            delete(event_pk(event.id), "TASK#publication"),
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


def _item(run: Run) -> dict[str, Any]:
    keys = {"pk": event_pk(run.event), "sk": run_sk(run.number)}
    return {**keys, "type": "run", **run.model_dump(mode="json")}


def forget_task(table: Table, event: str, name: str) -> None:
    """Take a task off the list that can no longer be done."""
    table.write(delete(event_pk(event), f"TASK#{name}"))
