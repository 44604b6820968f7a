"""Rounds that differ: the fast engine alone fails on them; everybody is told, and the page has its curve.

The usual shape of a convention: some workshops run in one round only.
"""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from shared.events import put_event
from shared.models import Event, RunState
from shared.registrations import register
from shared.runs import add_to_result, programmes_of, read_run
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import Client

FIRST_ROUND_ONLY = {"vision": {"second": 0}, "governance": {"second": 0}}
AFTER = make_event().allocates_at + timedelta(minutes=1)


@pytest.fixture
def event(table: Table) -> Event:
    """Two of the four themes are offered in the first round only."""
    event = make_event(capacities=FIRST_ROUND_ONLY)
    put_event(table, event, actor="test", now=NOW)
    return event


def test_everyone_gets_a_programme_by_mail(allocate: ModuleType, table: Table, keys: Keys, event: Event) -> None:
    """One person whose first two choices are both offered in the first round only, from registration to the inbox."""
    clock = Clock(NOW)
    with Road(table, keys, event.id, clock).open() as road:
        person, _ = register(table, event, make_registration(), now=NOW)
        road.run()
        clock.now = AFTER

        allocate.work_through(AFTER)
        road.run()

    run = read_run(table, event.id, 1)
    assert run is not None
    assert run.state is RunState.PUBLISHED
    assert run.result["optimal"] is True
    [programme] = programmes_of(table, event.id, 1).values()
    assert programme.registration == person.id
    assert programme.workshops["first"] in {"vision", "governance"}
    assert programme.workshops["second"] in {"resources", "wildlife"}
    assert programme.reason
    assert [mail.tags["kind"] for mail in road.ses.sent] == ["confirmation", "programme"]
    assert all(event.theme(theme).title in road.ses.sent[1].text for theme in programme.workshops.values())


def test_nothing_is_run_again_afterwards(allocate: ModuleType, table: Table, event: Event) -> None:
    register(table, event, make_registration(), now=NOW)

    for minutes in range(0, 30, 6):
        allocate.work_through(AFTER + timedelta(minutes=minutes))

    assert read_state(table, event.id).runs == 1
    assert list(table.due("allocate", "9999")) == []


def test_the_page_of_the_run_has_the_curve(
    allocate: ModuleType, app: ModuleType, browser: Client, table: Table, event: Event
) -> None:
    """With the run's own weight among the others, each proven to be the best or not."""
    for number in range(6):
        register(table, event, make_registration(number=number), now=NOW)

    allocate.work_through(AFTER)

    run = read_run(table, event.id, 1)
    assert run is not None
    assert run.result["no_curve"] == ""
    assert [point["weight"] for point in run.result["curve"]] == [0, 1, 2, 4, 8, 16]
    assert "Proven best" in browser.page("/organise/nature/allocations/1").text
    unproven = [{**point, "proven": False, "mean_choice": 1 + n} for n, point in enumerate(run.result["curve"])]
    add_to_result(table, run, {"curve": unproven})
    assert "A square is the best that was found" in browser.page("/organise/nature/allocations/1").text


def test_too_little_time_for_a_curve_is_said_on_the_page(
    allocate: ModuleType, app: ModuleType, browser: Client, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocate, "LONGEST", 0.0)
    register(table, event, make_registration(), now=NOW)

    allocate.work_through(AFTER)

    page = browser.page("/organise/nature/allocations/1").text
    assert "In the time there was, too few allocations with other weights were found." in page


@pytest.mark.parametrize("step", ["balance_curve", "add_to_result"])
def test_a_curve_that_fails_is_logged_counted_and_said_on_the_page(
    step: str,
    allocate: ModuleType,
    app: ModuleType,
    browser: Client,
    table: Table,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever goes wrong after the allocation is stored and published changes neither."""
    counted: list[str] = []
    monkeypatch.setattr(allocate.metrics, "add_metric", lambda name, *_: counted.append(name))
    monkeypatch.setattr(allocate, step, broken)
    register(table, event, make_registration(), now=NOW)

    allocate.work_through(AFTER)

    assert read_state(table, event.id).published_run == 1
    logged = [vars(record)["why"] for record in caplog.records if record.getMessage() == "not described"]
    assert "ZeroDivisionError" in logged
    assert counted.count("AllocationNotDescribed") == len(logged)
    assert "There is no curve for this allocation." in browser.page("/organise/nature/allocations/1").text


def test_reasons_that_fail_cost_nobody_the_programme(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.allocate import solve

    monkeypatch.setattr(solve, "reasons", broken)
    person, _ = register(table, event, make_registration(), now=NOW)

    allocate.work_through(AFTER)

    state = read_state(table, event.id)
    programme = programmes_of(table, event.id, state.published_run)[person.id]
    assert len(programme.workshops) == 2
    assert programme.reason == ()
    assert state.publishing_run == 0


@pytest.mark.parametrize("step", ["allocate._figures", "solve.satisfaction", "solve.prices_by_name"])
def test_figures_that_fail_cost_nobody_the_programme(
    step: str,
    allocate: ModuleType,
    app: ModuleType,
    browser: Client,
    table: Table,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run is stored and published, and the organisers' pages open."""
    from functions.allocate import solve

    room, name = step.split(".")
    monkeypatch.setattr({"allocate": allocate, "solve": solve}[room], name, broken)
    person, _ = register(table, event, make_registration(), now=NOW)

    allocate.work_through(AFTER)

    state = read_state(table, event.id)
    assert len(programmes_of(table, event.id, state.published_run)[person.id].workshops) == 2
    assert [browser.page(f"/organise/nature/allocations{run}").status for run in ("", "/1")] == [200, 200]


def test_prices_too_long_for_a_row_cost_nobody_the_programme(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred themes times eight rounds times fifty partner types would not fit into an item of the table."""
    original = allocate.allocate

    def solve(*arguments: Any, **options: Any) -> Any:
        many = {
            f"theme-{t}": {f"round-{r}": {f"type-{g}": 123 for g in range(50)} for r in range(8)} for t in range(200)
        }
        return original(*arguments, **options).model_copy(update={"prices": many})

    monkeypatch.setattr(allocate, "allocate", solve)
    register(table, event, make_registration(), now=NOW)

    allocate.work_through(AFTER)

    assert read_state(table, event.id).published_run == 1
    run = read_run(table, event.id, 1)
    assert run is not None
    assert run.result["prices"] == {}


def broken(*_: object, **__: object) -> None:
    """A step with a fault that nobody foresaw."""
    raise ZeroDivisionError
