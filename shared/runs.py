"""Runs of the allocator: requested, taken by one owner, stored under their own number, published by one write.

A number is the fence: an owner whose lease ran out finds the event pointing at a later run and can neither store
nor publish. Readers follow `EventState.published_run`, so they see one run whole or another, never a mix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

from shared.acts import Act
from shared.attendees import attendees, input_digest
from shared.errors import ConflictError, StaleError
from shared.events import audit
from shared.i18n import told
from shared.models import Event, EventState, Programme, Registration, Run, RunState, utc
from shared.state import read_state
from shared.stored_words import as_stored
from shared.table import (
    PROGRAMMES,
    REGISTRATIONS,
    RUNS,
    STATE_SK,
    Absent,
    ConditionFailedError,
    Item,
    Table,
    Write,
    check,
    delete,
    event_pk,
    programme_sk,
    programmes_pk,
    put,
    run_sk,
    task_sk,
    update,
)
from shared.tasks import ALLOCATE_DUE, DEADLINE, task


@dataclass(frozen=True, slots=True)
class Wish:
    """What an organiser, the schedule or an invocation asks of a run. None: as the event file says."""

    mode: Literal["fresh", "keep"] = "fresh"
    seed: str = ""
    weight: int | None = None
    tolerance: str = ""
    restores: int = 0


def read_run(table: Table, event: str, number: int) -> Run | None:
    """One run, or None."""
    found = table.get(event_pk(event), run_sk(number)) if number > 0 else None
    return as_run(found) if found else None


def runs_of(table: Table, event: str) -> Iterator[Run]:
    """Every run of an event, the newest first."""
    return map(as_run, table.query(event_pk(event), RUNS, newest_first=True))


def as_run(item: Item) -> Run:
    """The run in a stored item."""
    return Run.model_validate({key: item[key] for key in Run.model_fields if key in item})


def programme_of(table: Table, event: str, run: int, registration: str) -> Programme | None:
    """A person's programme under a run, or None."""
    found = table.get(programmes_pk(event, run), programme_sk(registration)) if run else None
    return as_programme(found) if found else None


def as_programme(item: Item) -> Programme:
    """The programme in a stored item."""
    return Programme.model_validate({key: item[key] for key in Programme.model_fields if key in item})


def programmes_of(table: Table, event: str, number: int) -> dict[str, Programme]:
    """Every programme of a run, by registration; none for run 0."""
    if not number:
        return {}
    items = table.query(programmes_pk(event, number), PROGRAMMES)
    return {one["registration"]: as_programme(one) for one in items}


def kept_programmes(table: Table, event: Event, run: Run, published: int) -> dict[str, Programme]:
    """The programmes that a `keep` run keeps: those of the published run, or of the earlier one that it restores.

    Of an earlier run what names a theme or a round that the event file has no more is left out.
    """
    if not run.restores:
        return programmes_of(table, event.id, published)
    themes, rounds = {theme.id for theme in event.themes}, {slot.id for slot in event.rounds}
    return {
        registration: programme.model_copy(
            update={
                "workshops": {
                    slot: theme for slot, theme in programme.workshops.items() if slot in rounds and theme in themes
                }
            }
        )
        for registration, programme in programmes_of(table, event.id, run.restores).items()
    }


def event_seed(event: Event, state: EventState) -> str:
    """The seed of an event's runs: the one that is committed to, from the file or drawn when it was first put."""
    return state.seed or event.allocation.seed or ""


def input_now(
    event: Event, state: EventState, run: Run, people: Iterable[Registration], before: Mapping[str, Programme]
) -> str:
    """The digest of a run's question as it would be asked now, to tell whether its answer still fits.

    Parameters
    ----------
    people
        Every registration of the event; only those who take part are asked about.
    before
        The programmes that the run keeps (`kept_programmes`), by registration; they count in `keep` runs only.
    """
    present = [person for person in people if person.takes_part]
    return input_digest(
        event,
        attendees(event, present),
        run.mode,
        run.seed if run.seed_chosen else event_seed(event, state),
        run.weight,
        Fraction(run.tolerance) if run.tolerance else None,
        {registration: programme.workshops for registration, programme in before.items()},
    )


def why_stale(table: Table, event: Event, run: Run, people: Iterable[Registration]) -> str:
    """Why a draft can no longer be published, in a sentence that says what to do, or "" if it can.

    A draft may be published as long as its question would be asked in the same way, and compared with the same run.
    """
    state = read_state(table, event.id)
    if run.compared_with != state.published_run:
        return told(
            "Allocation %(number)s was published since this draft was made. Start a new draft.",
            number=state.published_run,
        )
    if run.placed < state.placed:
        return told("A person was given seats at the door since this draft was begun. Start a new draft.")
    before = kept_programmes(table, event, run, run.compared_with) if run.mode == "keep" else {}
    if run.input_digest != input_now(event, state, run, people, before):
        return told("Registrations or the event changed since this draft was made. Start a new draft.")
    return ""


def request_run(
    table: Table,
    event: Event,
    wish: Wish,
    *,
    actor: str,
    now: datetime,
    automatic: bool = False,
    due: Item | None = None,
) -> Run:
    """Ask for a run; while one is under way, that one is the answer. The allocator takes it up within a minute.

    Parameters
    ----------
    due
        The task that asks for it, as it was listed; it must still stand when the run is asked for.

    Raises
    ------
    ConflictError
        The day is cancelled, or too many ask at once.
    StaleError
        The task was done, or put off, since it was listed.
    """
    if event.cancelled:
        raise ConflictError(told("This day is cancelled. Nobody is allocated any more."))
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
            seed=wish.seed or event_seed(event, state),
            seed_chosen=bool(wish.seed),
            weight=wish.weight,
            tolerance=wish.tolerance,
            restores=wish.restores,
            automatic=automatic,
            placed=state.placed,
            requested_by=actor,
            requested_at=utc(now),
            updated_at=utc(now),
        )
        try:
            table.write(
                update(
                    event_pk(event.id),
                    STATE_SK,
                    assign={"runs": run.number, "active_run": run.number},
                    expect={"active_run": state.active_run, "runs": state.runs},
                ),
                put(_item(run), expect={"pk": Absent()}),
                task(event.id, "run", ALLOCATE_DUE, now, run=run.number),
                audit(event.id, actor, Act.REQUEST_ALLOCATION, now=now, what=f"run {run.number}, {run.mode}"),
                *([check(due["pk"], due["sk"], {"due_at": due["due_at"]}, name="task")] if due else []),
            )
        except ConditionFailedError as error:
            if "task" in error.refused:
                raise StaleError("The task was done since it was listed.") from None
            continue  # another request came at the same moment: its run is the answer
        return run
    raise ConflictError(told("Several people are asking for an allocation at once. Please try again."))


def claim_run(table: Table, run: Run, *, owner: str, lease: timedelta, now: datetime) -> Run | None:
    """Take up a run that waits, or one whose owner went silent; None when another invocation works on it.

    None also while the wait before its next attempt is not over.

    A run whose lease ran out goes on under a new number, so that its old owner, should it wake, is fenced off.
    """
    if run.retry_at > utc(now):
        return None
    until = utc(now + lease)
    mine = {
        "state": RunState.RUNNING,
        "owner": owner,
        "lease_until": until,
        "attempts": run.attempts + 1,
        "updated_at": utc(now),
    }
    later = task(run.event, "run", ALLOCATE_DUE, now + lease, run=run.number)
    try:
        if run.state is RunState.REQUESTED:
            key = (event_pk(run.event), run_sk(run.number))
            table.write(update(*key, assign=mine, expect={"state": RunState.REQUESTED}), later)
            return run.model_copy(update=mine)
        if run.state is not RunState.RUNNING or run.lease_until > utc(now):
            return None
        heir = run.model_copy(update={**mine, "number": run.number + 1})
        handed_on = told("Its owner went silent; run %(number)s took over.", number=heir.number)
        table.write(
            update(
                event_pk(run.event),
                STATE_SK,
                assign={"runs": heir.number, "active_run": heir.number},
                expect={"active_run": run.number, "runs": run.number},
            ),
            put(_item(heir), expect={"pk": Absent()}),
            update(
                event_pk(run.event),
                run_sk(run.number),
                assign=_assigned({"state": RunState.FAILED, "error": handed_on}),
                expect={"state": RunState.RUNNING},
            ),
            task(run.event, "run", ALLOCATE_DUE, now + lease, run=heir.number),
        )
    except ConditionFailedError:
        return None
    return heir


def put_off(table: Table, run: Run, why: str, *, until: datetime, now: datetime) -> Run:
    """Give the lease of a run back after a fault, to be taken up again at `until`.

    Raises StaleError when another owner took the run over meanwhile.
    """
    fields = {
        "state": RunState.REQUESTED,
        "owner": "",
        "lease_until": "",
        "retry_at": utc(until),
        "error": why,
        "updated_at": utc(now),
    }
    try:
        table.write(
            update(
                event_pk(run.event),
                run_sk(run.number),
                assign=_assigned(fields),
                expect={"state": RunState.RUNNING, "owner": run.owner},
            ),
            task(run.event, "run", ALLOCATE_DUE, until, run=run.number),
        )
    except ConditionFailedError:
        raise StaleError(told("Run %(number)s was taken over by another owner.", number=run.number)) from None
    return run.model_copy(update=fields)


def store_programmes(table: Table, programmes: Sequence[Programme], *, replacing: Run | None = None) -> None:
    """Write the programmes of a run under its number. Nobody reads them until the run is finished.

    `replacing` is a run that was tried before: what an earlier attempt stored for people who have left is deleted.
    """
    if replacing is not None:
        here = {programme.registration for programme in programmes}
        pk = programmes_pk(replacing.event, replacing.number)
        stored = table.query(pk, PROGRAMMES, only=("pk", "sk", "registration"))
        table.delete_all([item for item in stored if item["registration"] not in here])
    table.put_all(map(programme_item, programmes))
    if programmes:
        _forget_erased(table, programmes[0].event, programmes[0].run)


def programme_item(programme: Programme) -> dict[str, Any]:
    """The stored form of a programme."""
    return {
        "pk": programmes_pk(programme.event, programme.run),
        "sk": programme_sk(programme.registration),
        "type": "programme",
        **programme.model_dump(mode="json", exclude={"reason"}),
        "reason": [{name: fact for name, fact in asdict(said).items() if fact} for said in programme.reason],
    }


def _forget_erased(table: Table, event: str, run: int) -> None:
    """Delete the programmes of people who were erased after the run had read them.

    An erasure deletes the programmes of every run in the transaction that deletes the registration. So a programme
    that was stored before it is gone, and one that was stored after it finds no registration here.
    """
    here = {row["id"] for row in table.query(event_pk(event), REGISTRATIONS, only=("id",))}
    stored = table.query(programmes_pk(event, run), PROGRAMMES, only=("pk", "sk", "registration"))
    table.delete_all([row for row in stored if row["registration"] not in here])


def finish_run(
    table: Table,
    event: Event,
    run: Run,
    outcome: Mapping[str, Any],
    *,
    now: datetime,
    state: RunState = RunState.DRAFT,
    then_publish: bool = False,
    mails: Sequence[Write] = (),
) -> Run:
    """Close a run with what came out: a draft, or failed with the reason.

    An automatic run that failed leaves no task behind, and the event counts as not allocated: storing the event file
    again, with a change or without, starts another run.

    Parameters
    ----------
    then_publish
        Leaves a task to publish it, in the same transaction: a publication that stops in between is resumed.
    mails
        Writes of the mails that tell organisers of it.

    Raises
    ------
    StaleError
        Another owner took the run over meanwhile.
    """
    fields = {**outcome, "state": state, "lease_until": "", "retry_at": "", "updated_at": utc(now)}
    at_deadline = run.automatic and now >= event.allocates_at  # one for late people leaves a deadline ahead as it is
    allocated = at_deadline and state is not RunState.FAILED
    head = {"active_run": 0} | ({"allocated_for": utc(event.allocates_at)} if allocated else {})
    automatic = [delete(event_pk(event.id), task_sk(DEADLINE))] if at_deadline else []
    try:
        table.write(
            update(event_pk(event.id), STATE_SK, assign=head, expect={"active_run": run.number}),
            update(
                event_pk(event.id),
                run_sk(run.number),
                assign=_assigned(fields),
                expect={"state": RunState.RUNNING, "owner": run.owner},
            ),
            delete(event_pk(event.id), task_sk("run")),
            *automatic,
            *([task(event.id, "publish", ALLOCATE_DUE, now, run=run.number)] if then_publish else []),
            *mails,
        )
    except ConditionFailedError:
        raise StaleError(told("Run %(number)s was taken over by another owner.", number=run.number)) from None
    return run.model_copy(update=fields)


def add_to_result(table: Table, run: Run, more: Mapping[str, Any]) -> Run:
    """Add figures to a finished run, whatever state it is in by now.

    Raises ConditionFailedError when the run is gone or belongs to another owner.
    """
    result = {**run.result, **more}
    key = (event_pk(run.event), run_sk(run.number))
    table.write(update(*key, assign={"result": result}, expect={"owner": run.owner}))
    return run.model_copy(update={"result": result})


def set_aside(table: Table, event: Event, draft: Run, *, now: datetime) -> Run:
    """Set a draft of the schedule aside and have another made, in one transaction.

    Raises StaleError when the draft was published or set aside meanwhile.
    """
    fields = {
        "state": RunState.SUPERSEDED,
        "error": told("People or the event changed before it could be published, so another run was made."),
        "updated_at": utc(now),
    }
    pk = event_pk(event.id)
    try:
        table.write(
            update(pk, run_sk(draft.number), assign=_assigned(fields), expect={"state": RunState.DRAFT}),
            update(pk, STATE_SK, assign={"allocated_for": ""}),
            delete(pk, task_sk("publish")),
            task(event.id, DEADLINE, ALLOCATE_DUE, now),
        )
    except ConditionFailedError:
        raise StaleError(told("Run %(number)s is no draft any more.", number=draft.number)) from None
    return draft.model_copy(update=fields)


def delete_draft(table: Table, event: Event, draft: Run, *, actor: str, now: datetime) -> None:
    """Delete a draft with its programmes; one of the schedule is then not published by itself either.

    Raises ConflictError when it is no draft (any more).
    """
    pk = event_pk(event.id)
    waiting = table.get(pk, task_sk("publish"))
    planned = waiting is not None and waiting.get("run") == draft.number
    try:
        table.write(
            delete(pk, run_sk(draft.number), expect={"state": RunState.DRAFT}),
            *([delete(pk, task_sk("publish"), expect={"run": draft.number})] if planned else []),
            audit(event.id, actor, Act.DELETE_DRAFT, now=now, what=f"run {draft.number}"),
        )
    except ConditionFailedError:
        raise ConflictError(
            told("Allocation %(number)s is no draft any more; only a draft can be deleted.", number=draft.number)
        ) from None
    # Nobody reads programmes without a run; what a fault leaves here goes when people are erased, or the event ends.
    table.delete_all(list(table.query(programmes_pk(event.id, draft.number), PROGRAMMES, only=("pk", "sk"))))


def _assigned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a run as they are written into its row: what is said of a fault, for readers of every language."""
    return {name: as_stored(value) if name == "error" else value for name, value in fields.items()}


def _item(run: Run) -> dict[str, Any]:
    keys = {"pk": event_pk(run.event), "sk": run_sk(run.number)}
    return {**keys, "type": "run", **run.model_dump(mode="json")}
