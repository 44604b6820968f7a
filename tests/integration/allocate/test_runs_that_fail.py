"""A run that fails says why and what to do, is alarmed, mailed to the organisers, and is not started for ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from functions.allocate.failures import MOST_ATTEMPTS
from functions.allocate.model.problem import NoAllocationError, NotFoundInTimeError
from shared.events import put_event
from shared.i18n import told, told_many
from shared.letters.compose import NothingToTellError, compose
from shared.mails import mails_of
from shared.models import Event, Mail, Run, RunState
from shared.registrations import register, withdraw
from shared.runs import programmes_of, read_run
from shared.state import read_state
from shared.table import Table, event_pk, update
from shared.tokens import Keys
from tests.support.factories import NOW, make_event, make_registration
from tests.support.organiser_client import Client

AFTER = make_event().allocates_at + timedelta(minutes=1)
ORGANISERS = ["organiser@example.org", "second@example.org"]
SEATS_SHORT = told(
    "The round at %(time)s has %(seats)s for %(people)s present: %(missing)s.",
    time="13:00",
    seats=told_many("%(num)s seat", "%(num)s seats", 8),
    people=told_many("%(num)s person", "%(num)s people", 9),
    missing=told_many("%(num)s seat is missing", "%(num)s seats are missing", 1),
)
MINIMA = [{"id": one, "title": one.title(), "capacity": 10, "minimum": 5} for one in "abcd"]


@pytest.fixture
def event(table: Table) -> Event:
    """Four themes in two rounds; two organisers."""
    event = make_event(organiser_emails=ORGANISERS)
    put_event(table, event, actor="test", now=NOW)
    return event


@pytest.fixture
def counted(allocate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the metrics that were reported."""
    names: list[str] = []
    monkeypatch.setattr(allocate.metrics, "add_metric", lambda name, *_: names.append(name))
    return names


def newest(table: Table) -> Run:
    run = read_run(table, "nature", read_state(table, "nature").runs)
    assert run is not None
    return run


def mails(table: Table, kind: str) -> list[Mail]:
    return [mail for mail in mails_of(table, "nature") if mail.kind == kind]


def failing(monkeypatch: pytest.MonkeyPatch, app: ModuleType, error: Exception, times: int = 999) -> list[int]:
    """Let the solver fail so often; the list grows with every call."""
    calls: list[int] = []
    original = app.allocate

    def solve(*arguments: Any, **options: Any) -> Any:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(app, "allocate", solve)
    return calls


def every_minute(app: ModuleType, minutes: int, begin: datetime = AFTER) -> None:
    """The schedule, minute by minute."""
    for minute in range(minutes):
        app.work_through(begin + timedelta(minutes=minute))


# --------------------------------------------------------------------------- no allocation exists


def test_minima_above_the_crowd_fail_at_once_and_everybody_who_should_know_does(
    allocate: ModuleType, table: Table, counted: list[str]
) -> None:
    put_event(table, make_event(themes=MINIMA, organiser_emails=ORGANISERS), actor="test", now=NOW)
    for number in range(10):
        register(table, make_event(), make_registration(number=number, choices=list("abcd")), now=NOW)

    every_minute(allocate, 30)

    run = newest(table)
    assert (run.number, run.state, run.failure) == (1, RunState.FAILED, "none-exists")
    assert run.error.startswith("No allocation exists. ")
    assert "10 people" in run.error
    assert "save a page of the event again, or start a draft" in run.error
    assert counted.count("AllocationFailed") == 1
    assert sorted(mail.to for mail in mails(table, "allocation-failed")) == ORGANISERS
    assert list(table.due("allocate", "9999")) == []


def test_the_mail_says_why_and_leads_to_the_run(
    allocate: ModuleType, table: Table, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, allocate, NoAllocationError(SEATS_SHORT))
    allocate.work_through(AFTER)

    letter = compose(table, keys, mails(table, "allocation-failed")[0], now=AFTER)

    raw = letter.raw.decode().replace("=\r\n", "").replace("\r\n", " ")
    assert "13:00 has 8 seats for 9 people present: 1 seat is missing." in raw
    assert "https://parcours.example.org/organise/nature/allocations/1" in raw


@pytest.mark.parametrize(
    ("language", "cut"),
    [
        ("nl", "De ronde om 13:00 heeft 8 plaatsen voor 9 personen: er ontbreekt 1 plaats."),
        ("fr", "La session de 13:00 a 8 places pour 9 personnes\xa0: il manque 1 place."),
    ],
)
def test_the_cut_is_said_in_the_language_of_its_reader(
    language: str,
    cut: str,
    allocate: ModuleType,
    table: Table,
    keys: Keys,
    event: Event,
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the mail and on the pages: it was stored with its facts, for readers of every language."""
    failing(monkeypatch, allocate, NoAllocationError(SEATS_SHORT))
    allocate.work_through(AFTER)
    mail = mails(table, "allocation-failed")[0].model_copy(update={"language": language})

    letter = message_from_bytes(compose(table, keys, mail, now=AFTER).raw, policy=policy.default)
    said = [part.get_content() for part in letter.walk() if part.get_content_maintype() == "text"]
    browser.headers["accept-language"] = language
    pages = [browser.page(f"/organise/nature{path}").text for path in ("", "/allocations", "/allocations/1")]

    assert [cut in re.sub(r"[ \r\n]+", " ", unescape(text)) for text in said] == [True, True]
    assert [cut in unescape(page) for page in pages] == [True, True, True]
    assert str(newest(table).error).startswith("No allocation exists. The round at 13:00 has 8 seats")


def test_the_dashboard_says_why_and_what_to_do(
    allocate: ModuleType, browser: Client, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, allocate, NoAllocationError(SEATS_SHORT))
    allocate.work_through(AFTER)

    page = browser.page("/organise/nature").text

    cut = "The round at 13:00 has 8 seats for 9 people present: 1 seat is missing."
    assert f"Allocation 1 failed. No allocation exists. {cut}" in page
    assert "start a draft" in page


def test_a_changed_event_file_has_the_allocation_tried_again(allocate: ModuleType, table: Table, keys: Keys) -> None:
    put_event(table, make_event(themes=MINIMA), actor="test", now=NOW)
    for number in range(10):
        register(table, make_event(), make_registration(number=number, choices=list("abcd")), now=NOW)
    allocate.work_through(AFTER)
    easier = [{**theme, "minimum": 1} for theme in MINIMA]

    put_event(table, make_event(themes=easier), actor="test", now=AFTER)
    allocate.work_through(AFTER + timedelta(minutes=5))

    assert read_state(table, "nature").published_run == 2
    assert len(programmes_of(table, "nature", 2)) == 10
    with pytest.raises(NothingToTellError):  # a mail about the failure that is still on its way has become untrue
        compose(table, keys, mails(table, "allocation-failed")[0], now=AFTER + timedelta(minutes=6))


# --------------------------------------------------------------------------- faults


def test_a_passing_fault_costs_a_minute_and_not_a_lease(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    register(table, event, make_registration(), now=NOW)
    failing(monkeypatch, allocate, ConnectionError("the table did not answer"), times=1)

    allocate.work_through(AFTER)
    assert newest(table).state is RunState.REQUESTED
    allocate.work_through(AFTER + timedelta(seconds=61))

    assert read_state(table, "nature").published_run == 1
    assert newest(table).error == ""
    assert "AllocationFailed" not in counted
    assert mails(table, "allocation-failed") == []


def test_a_fault_that_stays_is_tried_a_few_times_with_longer_waits_and_ends_as_failed(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    register(table, event, make_registration(), now=NOW)
    calls = failing(monkeypatch, allocate, MemoryError())
    tried = []
    for minute in range(60):
        before = len(calls)
        allocate.work_through(AFTER + timedelta(minutes=minute))
        tried += [minute] if len(calls) > before else []

    assert tried == [0, 1, 3, 7]
    run = newest(table)
    assert (run.number, run.state, run.failure, run.attempts) == (1, RunState.FAILED, "fault", MOST_ATTEMPTS)
    assert "MemoryError" in run.error
    assert counted.count("AllocationFailed") == 1
    assert len(mails(table, "allocation-failed")) == len(ORGANISERS)


def test_not_found_in_time_is_another_failure_than_none_exists(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(table, event, make_registration(), now=NOW)
    calls = failing(monkeypatch, allocate, NotFoundInTimeError("the time budget ended"))

    every_minute(allocate, 30)

    run = newest(table)
    assert len(calls) == 2
    assert (run.state, run.failure) == (RunState.FAILED, "not-in-time")
    assert "though none is ruled out" in run.error
    assert "No allocation exists" not in run.error


def test_a_registration_that_cannot_be_read_fails_the_run_and_quotes_nothing_of_it(
    allocate: ModuleType, table: Table, event: Event
) -> None:
    person, _ = register(table, event, make_registration(), now=NOW)
    bad = update(event_pk("nature"), f"REGISTRATION#{person.id}", assign={"state": "no such state of Person 1"})
    table.write(bad)

    every_minute(allocate, 30)

    run = newest(table)
    assert (run.state, run.failure) == (RunState.FAILED, "bad-data")
    assert "cannot be read" in run.error
    assert "Person" not in run.error


def test_a_function_that_is_killed_every_time_ends_as_failed(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    """Out of memory or time: no exception is left to catch, only the lease runs out."""
    register(table, event, make_registration(), now=NOW)
    calls = failing(monkeypatch, allocate, Killed())  # type: ignore[arg-type]

    for minute in range(0, 6 * MOST_ATTEMPTS * 15, 5):  # a lease lasts 15 minutes, and waits between attempts grow
        try:
            allocate.work_through(AFTER + timedelta(minutes=minute))
        except Killed:
            continue

    run = newest(table)
    assert len(calls) == MOST_ATTEMPTS
    assert (run.state, run.failure) == (RunState.FAILED, "stopped")
    assert counted.count("AllocationFailed") == 1
    assert len(mails(table, "allocation-failed")) == len(ORGANISERS)


class Killed(BaseException):
    """The function was stopped from outside."""


def test_a_run_tried_again_leaves_out_who_left_in_between(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt stored programmes and stopped before it was done."""
    people = [register(table, event, make_registration(number=n), now=NOW)[0] for n in range(3)]
    original = allocate.finish_run
    calls: list[int] = []

    def finish(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError
        return original(*arguments, **options)

    monkeypatch.setattr(allocate, "finish_run", finish)
    allocate.work_through(AFTER)
    withdraw(table, people[0], now=AFTER)
    allocate.work_through(AFTER + timedelta(minutes=2))

    assert read_state(table, "nature").published_run == 1
    assert sorted(programmes_of(table, "nature", 1)) == sorted(one.id for one in people[1:])


# --------------------------------------------------------------------------- several events


def test_one_events_fault_keeps_no_other_waiting(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_event(id="other", organiser_emails=ORGANISERS)
    put_event(table, other, actor="test", now=NOW)
    register(table, event, make_registration(number=1), now=NOW)
    register(table, other, make_registration(number=2, event="other"), now=NOW)
    original = allocate.allocate

    def solve(about: Event, *arguments: Any, **options: Any) -> Any:
        if about.id == "nature":
            raise MemoryError
        return original(about, *arguments, **options)

    monkeypatch.setattr(allocate, "allocate", solve)
    allocate.work_through(AFTER)

    assert read_state(table, "other").published_run == 1
    assert read_state(table, "nature").published_run == 0


def test_no_event_is_begun_when_the_time_is_nearly_over_and_the_next_minute_takes_it(
    allocate: ModuleType, table: Table, event: Event
) -> None:
    register(table, event, make_registration(), now=NOW)

    assert allocate.work_through(AFTER, lambda: 5.0) == {"done": 0, "left": 1}
    assert allocate.work_through(AFTER) == {"done": 1}


def test_the_time_budget_leaves_room_for_storing(allocate: ModuleType) -> None:
    assert allocate.time_budget(160, 300.0) == 120.0
    assert allocate.time_budget(160, 60.0) == pytest.approx(39.2)
    assert allocate.time_budget(20_000, 200.0) == pytest.approx(80.0)
    assert allocate.time_budget(160, 10.0) == 5.0


def test_the_solver_gets_what_is_left_of_the_functions_time(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(table, event, make_registration(), now=NOW)
    given: list[float] = []
    original = allocate.allocate

    def solve(*arguments: Any, time_budget: float, **options: Any) -> Any:
        given.append(time_budget)
        return original(*arguments, time_budget=time_budget, **options)

    monkeypatch.setattr(allocate, "allocate", solve)
    allocate.work_through(AFTER, lambda: 50.0)

    assert given == [pytest.approx(29.995)]


def test_a_task_that_nothing_knows_how_to_do_is_a_fault_and_not_done(
    allocate: ModuleType, table: Table, event: Event
) -> None:
    from shared.tasks import task

    table.write(task("nature", "alocation", "allocate", NOW))

    with pytest.raises(RuntimeError, match="1 of 1 tasks failed"):
        allocate.work_through(NOW + timedelta(minutes=1))

    assert [item["task"] for item in table.due("allocate", "9999")].count("alocation") == 1


# --------------------------------------------------------------------------- publication


@pytest.mark.parametrize(
    ("gap", "bound", "published"), [(0, 40, True), (2, 40, True), (3, 40, False), (1, 0, False), (3, -5, False)]
)
def test_a_gap_above_the_setting_waits_for_an_organiser(
    gap: int,
    bound: int,
    published: bool,
    allocate: ModuleType,
    browser: Client,
    table: Table,
    event: Event,
    with_gap: Callable[[int, int], None],
) -> None:
    """Five in a hundred by default; without any proof at all, always."""
    person, _ = register(table, event, make_registration(), now=NOW)
    with_gap(gap, bound)

    every_minute(allocate, 3)

    run = newest(table)
    assert run.number == 1
    assert (run.state is RunState.PUBLISHED) == published
    if published:
        return
    assert run.waits_for == "gap"
    assert sorted(mail.to for mail in mails(table, "draft-ready")) == ORGANISERS
    assert mails(table, "programme") == []
    assert "not proven good enough" in browser.page("/organise/nature").text
    assert "further above what is proven to be possible" in browser.page("/organise/nature/allocations/1").text
    assert (
        browser.submit(
            "/organise/nature/allocations/1/publication", {"expected_mails": "1", "afterwards": "keep"}
        ).status
        == 303
    )
    every_minute(allocate, 2, AFTER + timedelta(minutes=10))
    assert [mail.registration for mail in mails(table, "programme")] == [person.id]


def test_the_setting_may_be_wider(allocate: ModuleType, table: Table, with_gap: Callable[[int, int], None]) -> None:
    rules = {"at": "2026-04-01 12:00", "seed": "a seed", "most_gap": 0.5}
    event = make_event(allocation=rules)
    put_event(table, event, actor="test", now=NOW)
    register(table, event, make_registration(), now=NOW)
    with_gap(15, 40)

    allocate.work_through(AFTER)

    assert read_state(table, "nature").published_run == 1


def test_a_draft_for_review_is_told_to_the_organisers_once(allocate: ModuleType, table: Table, keys: Keys) -> None:
    rules = {"at": "2026-04-01 12:00", "seed": "a seed", "publish": "after_review"}
    event = make_event(allocation=rules, organiser_emails=ORGANISERS)
    put_event(table, event, actor="test", now=NOW)
    register(table, event, make_registration(), now=NOW)

    every_minute(allocate, 5)

    told = mails(table, "draft-ready")
    assert sorted(mail.to for mail in told) == ORGANISERS
    raw = compose(table, keys, told[0], now=AFTER).raw.decode().replace("=\r\n", "")
    assert "https://parcours.example.org/organise/nature/allocations/1" in raw


def test_seats_taken_away_between_draft_and_publication_have_it_run_again(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten people in ten seats of one theme; the organiser lowers it to four before the draft is published."""
    for number in range(10):
        register(table, event, make_registration(number=number), now=NOW)
    original = allocate.publish_draft
    monkeypatch.setattr(allocate, "publish_draft", killed)
    with pytest.raises(Killed):
        allocate.work_through(AFTER)
    monkeypatch.setattr(allocate, "publish_draft", original)
    capacities = {"vision": {"first": 4, "second": 4}}
    put_event(table, make_event(organiser_emails=ORGANISERS, capacities=capacities), actor="test", now=AFTER)

    every_minute(allocate, 3, AFTER + timedelta(minutes=1))

    state = read_state(table, "nature")
    assert state.published_run == 2
    for slot in ("first", "second"):
        heads = [one.workshops[slot] for one in programmes_of(table, "nature", 2).values()]
        assert heads.count("vision") <= 4
    first = read_run(table, "nature", 1)
    assert first is not None
    assert first.state is RunState.SUPERSEDED
    assert len(mails(table, "programme")) == 10


def test_a_person_written_after_the_snapshot_gets_a_programme(
    allocate: ModuleType, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was accepted a moment before closing, and its row was written after the allocator's query."""
    register(table, event, make_registration(number=1), now=NOW)
    late = make_registration(number=2)
    original = allocate.store_programmes

    def store(*arguments: Any, **options: Any) -> None:
        register(table, event, late, now=AFTER)
        monkeypatch.setattr(allocate, "store_programmes", original)
        original(*arguments, **options)

    monkeypatch.setattr(allocate, "store_programmes", store)
    every_minute(allocate, 2)

    state = read_state(table, "nature")
    assert late.id in programmes_of(table, "nature", state.published_run)
    assert len(mails(table, "programme")) == 2


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture
def with_gap(allocate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets what the solver says of its gap and its bound."""
    original = allocate.allocate

    def say(gap: int, bound: int) -> None:
        def solve(*arguments: Any, **options: Any) -> Any:
            found = original(*arguments, **options)
            return found.model_copy(update={"gap": gap, "bound": bound, "optimal": gap == 0})

        monkeypatch.setattr(allocate, "allocate", solve)

    return say
