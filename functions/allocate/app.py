"""Scheduled and on demand: load → allocate → store → publish → write the mails.

Every step leaves a task behind before it is done, and the schedule works through the tasks each minute: whatever
stops half-way is resumed, and what is done twice is done once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import Field

from functions.allocate.curve import (
    LONGEST,
    MOST_IN_CURVE,
    TOO_MANY_FOR_A_CURVE,
    balance_curve,
)
from functions.allocate.failures import MOST_ATTEMPTS, Failure, failure_of, silent_failure, wait_before
from functions.allocate.model.problem import EngineCannotError
from functions.allocate.model.result import Allocation
from functions.allocate.solve import allocate
from shared import settings
from shared.attendees import attendees
from shared.edition import facts_since
from shared.errors import ConflictError, NotFoundError, StaleError
from shared.events import languages_of_organisers, read_event
from shared.mails import tell_organisers
from shared.models import (
    Event,
    EventState,
    MailKind,
    Model,
    Programme,
    Registration,
    RegistrationState,
    Run,
    RunState,
    WaitsFor,
    utc,
)
from shared.observability import fault, follow, logger, metrics
from shared.publication import owed_mails, publish, write_programme_mails
from shared.registrations import registrations_of
from shared.runs import (
    Wish,
    add_to_result,
    claim_run,
    event_seed,
    finish_run,
    kept_programmes,
    programmes_of,
    put_off,
    read_run,
    request_run,
    runs_of,
    set_aside,
    store_programmes,
    why_stale,
)
from shared.state import allocated, read_state
from shared.table import Item, Table, Write
from shared.tasks import ALLOCATE_DUE, forget_task, strike_off

LEASE = timedelta(seconds=int(settings.optional("LEASE_SECONDS", "900")))
"""As long as the function may run: an owner past it is not alive."""

SCHEDULE = "schedule"
"""Actor recorded for runs that the schedule starts."""

NEEDED_SECONDS = 20.0
"""With less left of the function's time, no further task is begun; the next minute goes on."""

LEAST_BUDGET, MOST_BUDGET = 5.0, 120.0
"""Bounds of the seconds in which an allocation may be looked for."""

STORING_SECONDS, STORING_SECONDS_A_PERSON = 20.0, 0.005
"""What is kept free for storing, publishing and writing the mails: measured 70 s for 100,000 people without latency,
and 40 to 50 s for 20,000 at 80 ms a transaction."""

WRITING_SECONDS = 15.0
"""With less left of the function's time, no further group of mails is begun."""

TimeLeft = Callable[[], float]
"""Seconds that are left of the function's own time."""


def whole_time() -> float:
    """The time left where nothing limits it but the lease: outside Lambda."""
    return LEASE.total_seconds()


LONGEST_PRICES = 300_000
"""Characters of prices that are stored with a run: an item of DynamoDB holds 400 KB in all."""

NO_TIME_LEFT = "The allocation took all the time there was."
CURVE_FAILED = "It could not be drawn for these people and rounds. The allocation itself is complete."
CURVE_PENDING = "It is drawn after the allocation is stored. Reload this page in a minute."

table = Table(
    boto3.client("dynamodb", config=Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})),
    settings.table_name(),
)


class Invocation(Model):
    """What the function is invoked with: by the schedule, by the organisers' pages, or by hand.

    `request` is the id of the request that the allocator is woken for. By hand: `{"event": "…", "mode": "keep"}` makes
    a draft; `"publish": true` publishes it too.
    """

    trigger: str = ""
    request: str = ""
    event: str = ""
    run: int = 0
    publication: int = 0
    mode: Literal["fresh", "keep"] = "fresh"
    seed: str = ""
    weight: int | None = Field(default=None, ge=0)
    tolerance: str = Field(default="", pattern=r"^(0(\.\d{1,6})?|1(\.0{1,6})?)?$")
    publish: bool = False


@logger.inject_lambda_context
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work through what is due, or do the one thing the payload asks for."""
    wanted = Invocation.model_validate(payload)
    follow(wanted.request or context.aws_request_id)
    now = datetime.now(UTC)

    def time_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    if not wanted.event:
        return work_through(now, time_left)
    event = read_event(table, wanted.event)
    if event is None:
        raise NotFoundError(f"There is no event {wanted.event!r}. `parcours event put FILE` puts one.")
    if wanted.publication:
        return tell_everyone(event, wanted.publication, now, time_left)
    if wanted.run:
        return summary(carry_out(event, _run(event, wanted.run), now, time_left))
    return on_demand(event, wanted, now, time_left)


def work_through(now: datetime, time_left: TimeLeft = whole_time) -> dict[str, Any]:
    """Do every task that is due, as far as the time lasts; the next minute goes on with the rest.

    One event's fault does not keep another's waiting. A run that fails is an outcome, and is told where it stands;
    any other fault leaves its task due and is raised at the end.
    """
    done, faults, left = 0, 0, list(table.due(ALLOCATE_DUE, utc(now)))
    while left and time_left() > NEEDED_SECONDS:
        item = left.pop(0)
        try:
            _do(item, now, time_left)
            done += 1
        except Exception as error:
            faults += 1
            logger.error("task failed", extra={"event_id": item["event"], "task": item["task"], **fault(error)})
    if faults:
        raise RuntimeError(f"{faults} of {done + faults} tasks failed; each stays due and is tried again")
    return {"done": done, **({"left": len(left)} if left else {})}


def _do(item: Item, now: datetime, time_left: TimeLeft) -> None:
    """Do one task. Raises ValueError for a task that nothing here knows how to do."""
    event = read_event(table, item["event"])
    name = item["task"]
    if event is None or (event.cancelled and name != "run"):  # retired or cancelled since; a run ends as a draft
        forget_task(table, item["event"], name)
        return
    match name:
        case "allocation" if now >= event.ends_at:
            forget_task(table, event.id, name)
        case "allocation":
            published = read_state(table, event.id).published_run
            wish = Wish(mode="keep") if published else Wish()
            if run := _asked_by(item, event, wish, now):
                carry_out(event, run, now, time_left)
        case "late":
            _place_late(event, item, now, time_left)
        case "run":
            carry_out(event, _run(event, item["run"]), now, time_left)
        case "publish":
            publish_draft(event, _run(event, item["run"]), now, time_left)
        case "publication":
            tell_everyone(event, item["run"], now, time_left)
        case _:
            raise ValueError(f"nothing here knows how to do the task {name!r}")


def _place_late(event: Event, item: Item, now: datetime, time_left: TimeLeft) -> None:
    """Place the people who were confirmed after the publication; the task goes once none of them is without."""
    if now >= event.ends_at or not read_state(table, event.id).published_run:
        forget_task(table, event.id, item["task"])
    elif not _without_programme(event):
        strike_off(table, item)
    elif run := _asked_by(item, event, Wish(mode="keep"), now):
        if run.automatic and run.requested_at == utc(now):  # a run under way may have read the people before
            strike_off(table, item)
        carry_out(event, run, now, time_left)


def _without_programme(event: Event) -> bool:
    """Whether a person who takes part has no programme in what is published."""
    placed = allocated(table, event.id, read_state(table, event.id).published_run)
    return any(one.takes_part and one.id not in placed for one in registrations_of(table, event.id))


def _asked_by(task: Item, event: Event, wish: Wish, now: datetime) -> Run | None:
    """The run that a task asks for; None when another invocation did the task since it was listed."""
    try:
        return request_run(table, event, wish, actor=SCHEDULE, now=now, automatic=True, due=task)
    except StaleError:
        return None


def _run(event: Event, number: int) -> Run:
    run = read_run(table, event.id, number)
    if run is None:
        raise NotFoundError(f"Event {event.id!r} has no run {number}.")
    return run


def carry_out(event: Event, asked: Run, now: datetime, time_left: TimeLeft = whole_time) -> Run:
    """Take a run up and bring it to its end; a run that another invocation works on is left to it.

    Whatever stops it, the run says why: it is tried again after a wait, or it has failed and the organisers are told.
    """
    if asked.state is RunState.RUNNING and asked.lease_until <= utc(now) and asked.attempts >= MOST_ATTEMPTS:
        return _fail(event, asked, silent_failure(asked.attempts), now)
    run = claim_run(table, asked, owner=uuid.uuid4().hex, lease=LEASE, now=now)
    if run is None:
        return read_run(table, event.id, asked.number) or asked
    if run.automatic and run.mode == "fresh" and read_state(table, event.id).published_run:
        run = run.model_copy(update={"mode": "keep"})  # an organiser published since the schedule asked for it
    try:
        everybody = list(registrations_of(table, event.id))
        people = [one for one in everybody if one.takes_part]
        delegates = [one for one in everybody if one.state is RegistrationState.DELEGATE]
        finished, at_once, found = _find_and_store(event, run, people, delegates, now, time_left)
    except StaleError:
        raise  # another owner has it
    except Exception as error:
        return _failed(event, run, error, now)
    if at_once:
        finished = publish_draft(event, finished, now, time_left)
    return _draw_curve(event, finished, people, found, time_left)


def _find_and_store(
    event: Event,
    run: Run,
    people: Sequence[Registration],
    delegates: Sequence[Registration],
    now: datetime,
    time_left: TimeLeft,
) -> tuple[Run, bool, dict[str, dict[str, str]]]:
    """Allocate, store the programmes and close the run as a draft; whether it is to be published at once; the places.

    The places are by registration and round.
    """
    state = read_state(table, event.id)
    before = programmes_of(table, event.id, state.published_run)
    told = read_run(table, event.id, state.published_run) if state.published_run else None
    kept = kept_programmes(table, event, run, state.published_run) if run.restores else before
    allocation = _allocate(event, run, people, kept, time_budget(len(people), time_left()))
    programmes = _programmes(event, run, allocation)
    store_programmes(table, programmes, replacing=run if run.attempts > 1 else None)
    after = {one.registration: one for one in programmes}
    facts = facts_since(told, event)
    others = [*(one for one in people if one.id in before), *delegates]
    tells_others = bool(allocation.moved) or bool(owed_mails(others, before, after, facts))
    waits_for = _waits_for(event, run, allocation, state, tells_others=tells_others)
    outcome = {
        "mode": run.mode,
        "input_digest": allocation.input_digest,
        "people": len(people),
        "compared_with": state.published_run,
        "mails": len(owed_mails([*people, *delegates], before, after, facts)),
        "waits_for": waits_for,
        "error": "",
        "result": _described(event, run, allocation),
    }
    at_once = run.automatic and not waits_for
    mails = _tell_organisers("draft-ready", event, run, now) if waits_for else []
    draft = finish_run(table, event, run, outcome, now=now, then_publish=at_once, mails=mails)
    metrics.add_metric("AllocationSeconds", MetricUnit.Seconds, allocation.seconds)
    logger.info("allocated", extra={"event_id": event.id, "run": run.number, "people": len(people)})
    return draft, at_once, allocation.programmes


def _tell_organisers(kind: MailKind, event: Event, run: Run, now: datetime) -> list[Write]:
    return tell_organisers(kind, event, run.number, languages_of_organisers(table, event), now=now)


def _waits_for(event: Event, run: Run, allocation: Allocation, state: EventState, *, tells_others: bool) -> WaitsFor:
    """Why a draft of the schedule is not published by itself; "" if it is, or if an organiser asked for it.

    After a publication the schedule places those who came since. What it changes for others (`tells_others`), or tells
    them of a room or an hour that changed in the event file, is for an organiser to publish.
    """
    if not run.automatic:
        return ""
    if run.mode == "keep" and state.afterwards in ("keep", "none"):
        return "answer"
    if event.allocation.publish == "after_review":
        return "review"
    if run.mode == "keep" and tells_others:
        return "moves"
    most = Fraction(event.allocation.most_gap) * max(allocation.bound, 0)
    return "gap" if allocation.gap > most else ""


def time_budget(people: int, seconds_left: float) -> float:
    """Seconds in which an allocation may be looked for, by the clock on the wall.

    What storing, publishing and writing the mails takes afterwards is kept free. The rest is capped, so that one
    event does not use up a minute in which others are due too.
    """
    return max(LEAST_BUDGET, min(MOST_BUDGET, seconds_left - STORING_SECONDS - people * STORING_SECONDS_A_PERSON))


def _failed(event: Event, run: Run, error: Exception, now: datetime) -> Run:
    """Try a run again after a wait, or close it as failed, as its error and its attempts have it."""
    failure = failure_of(error, run.attempts)
    logger.error("run stopped", extra={"event_id": event.id, "run": run.number, **fault(error)})
    if run.attempts >= failure.most_attempts:
        return _fail(event, run, failure, now)
    metrics.add_metric("AllocationPutOff", MetricUnit.Count, 1)
    return put_off(table, run, failure.words, until=now + wait_before(run.attempts + 1), now=now)


def _fail(event: Event, run: Run, failure: Failure, now: datetime) -> Run:
    """Close a run as failed, and tell the organisers and those who watch the alarms."""
    closed = finish_run(
        table,
        event,
        run,
        {"error": failure.words, "failure": failure.kind},
        now=now,
        state=RunState.FAILED,
        mails=_tell_organisers("allocation-failed", event, run, now),
    )
    metrics.add_metric("AllocationFailed", MetricUnit.Count, 1)
    return closed


def _allocate(
    event: Event, run: Run, people: Sequence[Registration], before: dict[str, Programme], seconds: float
) -> Allocation:
    present = {one.id for one in people}
    return allocate(
        event,
        attendees(event, people),
        mode=run.mode,
        seed=run.seed or None,
        previous={one: programme.workshops for one, programme in before.items() if one in present} or None,
        weight=run.weight,
        tolerance=Fraction(run.tolerance) if run.tolerance else None,
        time_budget=seconds,
        on_fault=lambda what, error: _not_described(event, run, what, error),
    )


def _programmes(event: Event, run: Run, allocation: Allocation) -> list[Programme]:
    return [
        Programme(
            event=event.id, run=run.number, registration=one, workshops=dict(workshops), reason=allocation.grounds[one]
        )
        for one, workshops in allocation.programmes.items()
    ]


def _described(event: Event, run: Run, allocation: Allocation) -> dict[str, Any]:
    """The figures of a run; where they cannot be made, what is needed to compare and publish it."""
    try:
        return _figures(event, run, allocation)
    except Exception as error:
        _not_described(event, run, "figures", error)
        bare = allocation.model_copy(
            update={"prices": {}, "satisfaction": {}, "programmes": {}, "reasons": {}, "moved": {}}
        )
        figures = bare.model_dump(mode="json", exclude={"programmes", "reasons", "moved"})
        return {**figures, "moved": len(allocation.moved), "curve": [], "no_curve": CURVE_PENDING}


def _figures(event: Event, run: Run, allocation: Allocation) -> dict[str, Any]:
    """What organisers see of a run: `allocation.json` without the people. The curve of balance follows later.

    The prices only prove the bound. Where they are too long for the run's row they are left out: the proof is then
    lost, and not the programmes.
    """
    figures = allocation.model_dump(mode="json", exclude={"programmes", "reasons", "moved"})
    if len(json.dumps(figures["prices"])) > LONGEST_PRICES:
        logger.error("prices not stored", extra={"event_id": event.id, "run": run.number})
        metrics.add_metric("AllocationNotDescribed", MetricUnit.Count, 1)
        figures["prices"] = {}
    return {**figures, "moved": len(allocation.moved), "curve": [], "no_curve": CURVE_PENDING}


def _draw_curve(
    event: Event,
    run: Run,
    people: Sequence[Registration],
    programmes: Mapping[str, Mapping[str, str]],
    time_left: TimeLeft,
) -> Run:
    """Add the curve of what balance costs to a run that is stored, and published if it is to be.

    It only describes the run. So it comes last, and whatever goes wrong here is logged and counted, and said on the
    page of the run; the run stays as it is.
    """
    try:
        if len(people) > MOST_IN_CURVE:
            drawn: dict[str, Any] = {"curve": [], "no_curve": TOO_MANY_FOR_A_CURVE}
        elif time_left() < NEEDED_SECONDS:
            drawn = {"curve": [], "no_curve": NO_TIME_LEFT}
        else:
            tolerance = Fraction(run.tolerance) if run.tolerance else None
            used = event.allocation.balance.weight if run.weight is None else run.weight
            curve = balance_curve(
                event,
                attendees(event, people),
                used,
                programmes=programmes,
                tolerance=tolerance,
                time_budget=LONGEST,
            )
            drawn = {"curve": curve, "no_curve": ""}
    except EngineCannotError as error:
        drawn = {"curve": [], "no_curve": error.words}
    except Exception as error:
        _not_described(event, run, "curve", error)
        drawn = {"curve": [], "no_curve": CURVE_FAILED}
    try:
        return add_to_result(table, run, drawn)
    except Exception as error:
        _not_described(event, run, "curve", error)
        return run


def _not_described(event: Event, run: Run, what: str, error: Exception) -> None:
    """Log and count a fault of a step that only describes a result."""
    metrics.add_metric("AllocationNotDescribed", MetricUnit.Count, 1)
    logger.error("not described", extra={"event_id": event.id, "run": run.number, "what": what, **fault(error)})


def publish_draft(event: Event, draft: Run, now: datetime, time_left: TimeLeft = whole_time) -> Run:
    """Publish a draft and write its mails, if it still answers what is stored at this moment.

    Where people or the event file changed since the schedule made its draft, that is set aside and another run is made:
    the draft might seat more people than there are seats by now, or leave a person out. A draft that an organiser's
    publication has overtaken stays a draft.
    """
    people = list(registrations_of(table, event.id))
    try:
        run = publish(table, event, draft, people, actor=SCHEDULE, now=now, afterwards="keep")
    except (ConflictError, StaleError) as error:
        logger.warning("not published", extra={"event_id": event.id, "run": draft.number, "why": error.message})
        overtaken = read_state(table, event.id).published_run != draft.compared_with
        if draft.automatic and isinstance(error, StaleError) and not overtaken:
            metrics.add_metric("AllocationRunAgain", MetricUnit.Count, 1)
            return set_aside(table, event, draft, now=now)
        forget_task(table, event.id, "publish")
        return draft
    tell_everyone(event, run.number, now, time_left, people)
    return run


def tell_everyone(
    event: Event,
    number: int,
    now: datetime,
    time_left: TimeLeft = whole_time,
    people: Sequence[Registration] | None = None,
) -> dict[str, Any]:
    """Write the mails that a publication owes, as far as the time lasts; safe to repeat.

    `people` are the registrations, if they were just read: of a large crowd every reading takes its time.
    """
    run = _run(event, number)
    state = read_state(table, event.id)
    if state.publishing_run != number:
        return summary(run)
    people = list(registrations_of(table, event.id)) if people is None else people
    told = write_programme_mails(table, event, run, people, now=now, may_go_on=lambda: time_left() > WRITING_SECONDS)
    metrics.add_metric("ProgrammesPublished", MetricUnit.Count, told.people)
    return summary(run)


def on_demand(event: Event, wanted: Invocation, now: datetime, time_left: TimeLeft = whole_time) -> dict[str, Any]:
    """Answer an invocation by hand: a draft of what was asked; the same question again is the same draft."""
    wish = Wish(mode=wanted.mode, seed=wanted.seed, weight=wanted.weight, tolerance=wanted.tolerance)
    draft = _same_draft(event, wish)
    if draft is None:
        draft = carry_out(event, request_run(table, event, wish, actor="invoked", now=now), now, time_left)
    if wanted.publish and draft.state is RunState.DRAFT:
        draft = publish_draft(event, draft, now, time_left)
    return summary(draft)


def _same_draft(event: Event, wish: Wish) -> Run | None:
    """The newest run, if it is a draft that answers this wish on what is stored now."""
    newest = next(runs_of(table, event.id), None)
    if newest is None or newest.state is not RunState.DRAFT:
        return None
    state = read_state(table, event.id)
    asked = (wish.mode, wish.seed or event_seed(event, state), wish.weight, wish.tolerance)
    same = asked == (newest.mode, newest.seed, newest.weight, newest.tolerance) and not newest.restores
    if not same:
        return None
    return None if why_stale(table, event, newest, registrations_of(table, event.id)) else newest


def summary(run: Run) -> dict[str, Any]:
    """What an invocation by hand prints: the run and its figures, nobody's name."""
    told = ("objective", "bound", "optimal", "engine", "seconds", "satisfaction", "moved")
    figures = {key: run.result[key] for key in told if key in run.result}
    return {
        "event": run.event,
        "run": run.number,
        "state": run.state.value,
        "mode": run.mode,
        "people": run.people,
        "mails": run.mails,
        **figures,
        **({"error": run.error} if run.error else {}),
    }
