"""From the deadline to the mails owed: the allocator's function on a table in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import botocore.client
import pytest

from shared.errors import StaleError
from shared.events import put_event, read_event
from shared.mails import mails_of
from shared.models import Event, Mail, Programme, RunState, utc
from shared.publication import publish
from shared.registrations import read_registration, register, registrations_of, save, withdraw
from shared.runs import (
    Wish,
    claim_run,
    finish_run,
    input_now,
    programme_of,
    programmes_of,
    read_run,
    request_run,
    runs_of,
    store_programmes,
)
from shared.state import read_state
from shared.table import Table, update
from shared.tasks import ALLOCATE_DUE
from tests.support.crash_points import Snapshot
from tests.support.factories import NOW, make_event, make_registration

DEADLINE = make_event().allocates_at
AFTER = DEADLINE + timedelta(minutes=1)
CONTEXT: Any = SimpleNamespace(
    function_name="allocate", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="request"
)
RANKINGS = [
    ["vision", "governance", "resources", "wildlife"],
    ["governance", "vision", "wildlife", "resources"],
    ["wildlife", "governance", "resources", "vision"],
]


@pytest.fixture
def app(table: Table) -> ModuleType:
    """The function, with its client made inside the account of this test."""
    from functions.allocate import app

    app.table = table
    return app


@pytest.fixture
def people(table: Table, event: Event) -> list[str]:
    """Twelve people, registered and confirmed."""
    ids = []
    for number in range(12):
        draft = make_registration(
            number=number,
            choices=RANKINGS[number % 3],
            partner_type=("government", "ngo", "research")[number % 3],
        )
        register(table, event, draft, now=NOW)
        ids.append(draft.id)
    return ids


def programme_mails(table: Table) -> list[Mail]:
    return [mail for mail in mails_of(table, "nature") if mail.kind in {"programme", "programme-changed"}]


def test_nothing_happens_before_the_deadline(app: ModuleType, table: Table, people: list[str]) -> None:
    app.work_through(DEADLINE - timedelta(seconds=1))

    assert read_state(table, "nature").runs == 0


def test_at_the_deadline_everyone_gets_a_programme_and_one_mail(
    app: ModuleType, table: Table, event: Event, people: list[str]
) -> None:
    app.work_through(AFTER)

    state = read_state(table, "nature")
    programmes = programmes_of(table, "nature", state.published_run)
    assert sorted(programmes) == sorted(people)
    assert all(len(set(one.workshops.values())) == 2 for one in programmes.values())
    assert all(one.reason for one in programmes.values())
    assert sorted(mail.registration for mail in programme_mails(table)) == sorted(people)
    assert state.publishing_run == 0
    assert [row["task"] for row in table.due("allocate", "9999")] == ["late"], "who was stored meanwhile is looked for"
    app.work_through(AFTER + timedelta(minutes=11))
    assert list(table.due("allocate", "9999")) == []
    assert read_state(table, "nature").runs == 1


def test_a_schedule_that_fires_three_times_allocates_once(app: ModuleType, table: Table, people: list[str]) -> None:
    for _ in range(3):
        app.work_through(AFTER)

    assert read_state(table, "nature").runs == 1
    assert len(programme_mails(table)) == 12


@pytest.mark.promise("P5")
def test_a_task_that_another_invocation_did_since_it_was_listed_starts_no_run(
    app: ModuleType, table: Table, event: Event, people: list[str]
) -> None:
    """The list is read once; with many events due, minutes may pass before its last task is begun."""
    listed = list(table.due(ALLOCATE_DUE, utc(AFTER)))
    app.work_through(AFTER)

    for item in listed:
        app._do(item, AFTER, app.whole_time)

    assert [item["task"] for item in listed] == ["allocation"]
    assert [(run.number, run.state) for run in runs_of(table, "nature")] == [(1, RunState.PUBLISHED)]
    assert len(programme_mails(table)) == len(people)


def test_a_draft_waits_for_review_when_the_event_says_so(app: ModuleType, table: Table, people: list[str]) -> None:
    rules = {"at": "2026-04-01 12:00", "seed": "a seed", "publish": "after_review"}
    put_event(table, make_event(allocation=rules), actor="test", now=NOW)

    app.work_through(AFTER)
    app.work_through(AFTER + timedelta(minutes=5))

    assert read_state(table, "nature").runs == 1
    run = read_run(table, "nature", 1)
    assert run is not None
    assert run.state is RunState.DRAFT
    assert run.mails == 12
    assert programme_mails(table) == []


def test_keep_after_a_withdrawal_mails_nobody_who_stays(
    app: ModuleType, table: Table, event: Event, people: list[str]
) -> None:
    app.work_through(AFTER)
    gone = read_registration(table, "nature", people[0])
    assert gone is not None
    withdraw(table, gone, now=AFTER)

    later = AFTER + timedelta(hours=1)
    answer = app.on_demand(event, app.Invocation(event="nature", mode="keep", publish=True), later)

    assert answer["mails"] == 0
    assert answer["state"] == "published"
    assert len(programme_mails(table)) == 12


def test_a_newcomer_hears_of_a_programme_and_the_others_of_nothing(
    app: ModuleType, table: Table, event: Event, people: list[str]
) -> None:
    app.work_through(AFTER)
    late = make_registration(number=99, source="organiser")
    register(table, event, late, now=AFTER)

    app.on_demand(event, app.Invocation(event="nature", mode="keep", publish=True), AFTER + timedelta(hours=1))

    assert [mail.registration for mail in programme_mails(table) if mail.run == 2] == [late.id]
    assert len(programmes_of(table, "nature", 2)) == 13


def test_the_same_question_by_hand_is_the_same_draft(
    app: ModuleType, table: Table, event: Event, people: list[str]
) -> None:
    first = app.on_demand(event, app.Invocation(event="nature", mode="fresh"), NOW)
    second = app.on_demand(event, app.Invocation(event="nature", mode="fresh"), NOW)

    assert first == second
    assert read_state(table, "nature").runs == 1


def test_a_changed_ranking_makes_a_draft_stale(app: ModuleType, table: Table, event: Event, people: list[str]) -> None:
    app.on_demand(event, app.Invocation(event="nature"), NOW)
    draft = read_run(table, "nature", 1)
    person = read_registration(table, "nature", people[3])
    assert draft is not None
    assert person is not None
    save(table, person, {"choices": list(reversed(person.choices))}, now=NOW)

    with pytest.raises(StaleError):
        publish(table, event, draft, registrations_of(table, "nature"), actor="o", now=NOW, afterwards="keep")

    assert read_state(table, "nature").published_run == 0


def test_an_owner_whose_lease_ran_out_can_neither_store_nor_publish(
    table: Table, event: Event, people: list[str]
) -> None:
    asked = request_run(table, event, Wish(), actor="one", now=NOW)
    asleep = claim_run(table, asked, owner="one", lease=timedelta(seconds=60), now=NOW)
    assert asleep is not None
    heir = claim_run(table, asleep, owner="two", lease=timedelta(seconds=60), now=NOW + timedelta(seconds=61))
    assert heir is not None
    finish_run(table, event, heir, {"compared_with": 0}, now=NOW)

    with pytest.raises(StaleError):
        finish_run(table, event, asleep, {"compared_with": 0}, now=NOW)

    states = [run.state for run in (read_run(table, "nature", 1), read_run(table, "nature", 2)) if run]
    assert states == [RunState.FAILED, RunState.DRAFT]


def test_a_run_with_too_few_seats_fails_and_says_which_cut_is_full(app: ModuleType, table: Table) -> None:
    themes = [{"id": one, "title": one, "capacity": 2} for one in ("vision", "governance", "resources", "wildlife")]
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"}
    small = make_event(themes=themes, registration=rules)
    put_event(table, make_event(), actor="test", now=NOW)
    for number in range(9):
        register(table, make_event(), make_registration(number=number), now=NOW)
    document = small.model_dump_json(exclude_defaults=True)
    table.put_all([{"pk": "EVENTS", "sk": "nature", "document": document}])

    app.work_through(AFTER)
    app.work_through(AFTER + timedelta(minutes=1))

    run = read_run(table, "nature", 1)
    assert run is not None
    assert run.state is RunState.FAILED
    assert "8 seats" in run.error
    assert read_state(table, "nature").runs == 1


class Stopped(BaseException):
    """The function was killed; no `except Exception` may hide it."""


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Kills the function before or after its n-th call of AWS."""
    plan = SimpleNamespace(at=0, after=False, calls=0)
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        plan.calls += 1
        if plan.at and plan.calls == plan.at and not plan.after:
            raise Stopped
        answer = original(self, operation, arguments)
        if plan.at and plan.calls == plan.at and plan.after:
            raise Stopped
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return plan


def a_whole_day(app: ModuleType, table: Table) -> None:
    """Every minute the schedule fires, until nothing is due."""
    now = AFTER
    for _ in range(20):
        with contextlib.suppress(Stopped):
            if not list(table.due("allocate", "2027")):
                return
            app.work_through(now)
        now += app.LEASE


SHARES = 4
"""Parts that the moments are dealt out to: `make test` takes every fourth moment, the sweep takes the others."""


@pytest.mark.parametrize("share", [0, *(pytest.param(n, marks=pytest.mark.sweep) for n in range(1, SHARES))])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_the_day_still_ends_with_one_mail_each(
    after: bool, share: int, app: ModuleType, table: Table, event: Event, people: list[str], killer: SimpleNamespace
) -> None:
    """Whole runs in one account, one after another: each starts from the rows as they were at the deadline."""
    deadline = Snapshot()
    a_whole_day(app, table)
    calls = killer.calls
    published = 0
    for position in range(1 + share, calls + 1, SHARES):
        deadline.restore()
        killer.calls, killer.at, killer.after = 0, position, after
        a_whole_day(app, table)
        killer.at = 0

        state = read_state(table, "nature")
        assert state.published_run > 0, position
        assert sorted(mail.registration for mail in programme_mails(table)) == sorted(people), position
        assert {mail.run for mail in programme_mails(table)} == {state.published_run}, position
        assert sorted(programmes_of(table, "nature", state.published_run)) == sorted(people), position
        published += 1
    assert published >= calls // SHARES > 2


@pytest.mark.promise("P4")
def test_between_any_two_writes_of_a_publication_readers_see_one_run_whole(
    table: Table, event: Event, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4: a reader looks after every call while run 2 replaces run 1; what it sees is one of them, whole."""
    write_run(table, event, people, 1, "vision")
    seen: set[tuple[str, ...]] = set()
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    looking = False

    def call(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        nonlocal looking
        answer = original(self, operation, arguments)
        if not looking:
            looking = True
            run = read_state(table, "nature").published_run
            found = [programme_of(table, "nature", run, one) for one in people]
            seen.add(tuple(sorted({one.workshops["first"] if one else "none" for one in found})))
            looking = False
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    write_run(table, event, people, 2, "wildlife")

    assert seen == {("vision",), ("wildlife",)}


def write_run(table: Table, event: Event, people: list[str], number: int, theme: str) -> None:
    """One run from request to publication, everyone in one theme."""
    asked = request_run(table, event, Wish(), actor="o", now=NOW)
    run = claim_run(table, asked, owner="o", lease=timedelta(minutes=5), now=NOW)
    assert run is not None
    store_programmes(
        table, [Programme(event="nature", run=number, registration=one, workshops={"first": theme}) for one in people]
    )
    everybody = list(registrations_of(table, "nature"))
    digest = input_now(event, read_state(table, "nature"), run, everybody, {})
    draft = finish_run(table, event, run, {"input_digest": digest, "compared_with": number - 1}, now=NOW)
    publish(table, event, draft, everybody, actor="o", now=NOW, afterwards="keep")
    table.write(update("EVENT#nature", "STATE", assign={"publishing_run": 0}))


def test_ten_askers_at_once_get_one_run(table: Table, event: Event) -> None:
    numbers = {request_run(table, event, Wish(), actor=f"o{n}", now=NOW).number for n in range(10)}

    assert numbers == {1}


def test_an_invocation_for_an_unknown_event_says_how_to_put_one(app: ModuleType, event: Event) -> None:
    with pytest.raises(Exception, match="parcours event put"):
        app.handler({"event": "nowhere"}, CONTEXT)


def test_a_retired_event_is_not_allocated(app: ModuleType, table: Table, event: Event) -> None:
    from shared.events import retire_event

    retire_event(table, event, actor="test", now=NOW)

    app.work_through(AFTER)

    assert read_event(table, "nature") is None
    assert read_state(table, "nature").runs == 0
