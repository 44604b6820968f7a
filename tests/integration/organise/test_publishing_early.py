"""Publishing while registration is open: what happens to people who come later is asked, stored, shown and done."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register_app
from functions.register import web
from shared.errors import ConflictError
from shared.events import put_event, read_event
from shared.mails import mails_of
from shared.models import Event, Run, RunState, utc
from shared.publication import publish, write_programme_mails
from shared.registrations import register, registrations_of
from shared.runs import read_run, runs_of
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.crash_points import Crash, Faults, Snapshot
from tests.support.factories import NOW, event_data, make_registration
from tests.support.mail_samples import Letters, text_of
from tests.support.organiser_client import CONTEXT, Client, at, fill, make_crowd, words_of

HOME = "/organise/nature"
PEOPLE = 6
ANSWERS = ("keep", "close", "none")

pytestmark = pytest.mark.promise("P18")


@pytest.fixture
def drafted(table: Table, event: Event, organiser: Client, allocate: ModuleType) -> Event:
    """Six people and a draft with the programme of each, while registration is open."""
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    number = organiser.post(f"{HOME}/allocations", {"mode": "fresh"}).json["number"]
    allocate.handler({"event": "nature", "run": number}, CONTEXT)
    return event


def published(organiser: Client, allocate: ModuleType, answer: str) -> Any:
    sent = organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE, "afterwards": answer})
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    return sent


def tasks(table: Table) -> dict[str, str]:
    """What the schedule of the allocator is to do, and when."""
    return {row["task"]: row["due_at"] for row in table.due("allocate", "2100")}


def newcomer(table: Table, event: Event) -> str:
    """A person who registers after the publication."""
    person = make_registration(number=90, id="newcomer", email="newcomer@example.org")
    register(table, event, person, now=NOW + timedelta(hours=1))
    return person.id


def placed(table: Table, number: int) -> dict[str, Any]:
    return {row["registration"]: row["workshops"] for row in table.query(f"RUN#nature#{number:06}", "PROGRAMME#")}


def test_without_an_answer_nothing_is_published_and_the_choices_are_named(
    table: Table, drafted: Event, organiser: Client, browser: Client
) -> None:
    refused = organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE})
    odd = organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE, "afterwards": "later"})
    page = browser.page(f"{HOME}/allocations/1").text
    again = browser.submit(f"{HOME}/allocations/1/publication", {"expected_mails": str(PEOPLE)})

    assert (refused.status, refused.json["error"]) == (409, "conflict")
    assert refused.json["fields"] == {"afterwards": "Choose one of: keep, close, none"}
    assert (odd.status, odd.json["fields"]["afterwards"]) == (422, "Choose one of: keep, close, none")
    assert [page.count(f'name="afterwards" value="{answer}"') for answer in ANSWERS] == [1, 1, 1]
    assert 'value="keep" checked' in page
    assert again.status == 409
    assert "Registration has not closed yet. Choose what happens" in words_of(again.text)
    state = read_state(table, "nature")
    assert (state.published_run, state.afterwards, drafted.is_open(NOW)) == (0, "", True)


def test_a_draft_at_the_deadline_places_newcomers_and_waits(
    app: ModuleType, table: Table, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    answer = published(organiser, allocate, "keep")
    assert (answer.status, answer.json["afterwards"]) == (202, "keep")
    assert tasks(table) == {"allocation": utc(drafted.allocates_at)}
    shown = organiser.get(HOME).json
    planned = {item["what"]: item["when"] for item in shown["coming"]}
    assert "at the deadline a draft" in shown["answered"]
    assert planned["People without a programme get one in a draft, for you to look at and publish"].startswith(
        drafted.allocates_at.astimezone(drafted.zone).isoformat()
    )
    late = newcomer(table, drafted)

    allocate.work_through(drafted.allocates_at + timedelta(minutes=1))

    state, draft = read_state(table, "nature"), read_run(table, "nature", 2)
    assert draft
    assert (state.published_run, draft.state, draft.mode, draft.waits_for) == (1, RunState.DRAFT, "keep", "answer")
    assert {one: placed(table, 2)[one] for one in placed(table, 1)} == placed(table, 1)
    assert late in placed(table, 2)
    assert [mail.kind for mail in mails_of(table, "nature", "draft-ready")] == ["draft-ready"]
    assert tasks(table) == {}

    at(app, drafted.allocates_at + timedelta(minutes=2))
    organiser.sign_in(drafted)
    assert organiser.post(f"{HOME}/allocations/2/publication", {"expected_mails": 1}).status == 202
    assert read_state(table, "nature").afterwards == "", "registration is closed by now: nothing is to be asked"


def test_registration_closes_with_the_publication_and_every_page_and_mail_says_so(
    table: Table, keys: Keys, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    meanwhile = newcomer(table, drafted)  # stored after the draft was read: it can no longer be published
    assert published(organiser, allocate, "close").status == 409
    organiser.post(f"{HOME}/allocations", {"mode": "fresh"})
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)
    asked = {"expected_mails": PEOPLE + 1, "afterwards": "close"}
    assert organiser.post(f"{HOME}/allocations/2/publication", asked).status == 202

    event = read_event(table, "nature")
    assert event
    assert (event.is_open(NOW), event.closes_at) == (False, NOW.replace(second=0, microsecond=0))
    assert event.model_copy(update={"registration": drafted.registration}) == drafted
    with pytest.raises(ConflictError):
        put_event(table, drafted, actor="o", now=NOW, made_from=drafted)
    coming = [item["what"] for item in organiser.get(HOME).json["coming"]]
    assert "Registration closes" not in coming
    assert not any("allocated" in what for what in coming)
    allocate.handler({"event": "nature", "publication": 2}, CONTEXT)
    text = text_of(Letters(table, keys, event).write(f"programme#2#{meanwhile}"))
    assert "Change your ranking" not in text

    for hours in (1, 1000):
        allocate.work_through(NOW + timedelta(hours=hours))
    assert len(list(runs_of(table, "nature"))) == 2, "nobody is without a programme: no further run"
    assert tasks(table) == {}


def test_who_was_stored_while_registration_was_being_closed_gets_a_programme(
    table: Table, drafted: Event, organiser: Client, allocate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored between the last look at the people and the publication's transaction."""
    write = table.write
    late: list[str] = []

    def just_before(*writes: Any) -> None:
        if not late and any(str(body.body.get("Key", {})).count("RUN#") for body in writes):
            late.append(newcomer(table, drafted))
        write(*writes)

    monkeypatch.setattr(table, "write", just_before)
    assert published(organiser, allocate, "close").status == 202
    monkeypatch.undo()

    allocate.work_through(NOW + timedelta(minutes=11))
    assert late[0] in placed(table, read_state(table, "nature").published_run)


def test_no_further_run_is_made_and_pages_promise_none(
    app: ModuleType, table: Table, keys: Keys, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    published(organiser, allocate, "none")
    late = newcomer(table, drafted)
    person = {"name": "P", "email": "added@example.org", "partner_type": "ngo"}
    assert organiser.post(f"{HOME}/people", person).status == 201
    put_event(table, Event.model_validate(event_data(summary="Another.")), actor="o", now=NOW)
    assert tasks(table) == {}

    allocate.work_through(drafted.allocates_at + timedelta(minutes=1))

    assert len(list(runs_of(table, "nature"))) == 1
    assert "no further allocation is made by itself" in organiser.get(HOME).json["answered"]
    assert any("2 people are without a programme" in item["what"] for item in organiser.get(HOME).json["attention"])
    text = text_of(Letters(table, keys, drafted).write(f"confirmation#{late}"))
    assert "Workshops have been given out already. The organisers will send you yours." in " ".join(text.split())


def test_opening_registration_again_brings_the_deadline_back(
    table: Table, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    published(organiser, allocate, "close")
    put_event(table, Event.model_validate(event_data()), actor="o", now=NOW)

    assert read_state(table, "nature").afterwards == "keep"
    assert tasks(table)["allocation"] == utc(drafted.allocates_at)


def test_before_registration_opens_it_is_asked_too_what_happens_to_people_who_come(
    table: Table, drafted: Event, organiser: Client, browser: Client, allocate: ModuleType
) -> None:
    """Organisers may add people and publish before anybody registers: those who come then are placed as answered."""
    later = event_data(registration={**event_data()["registration"], "opens": "2026-03-20 09:00"})
    put_event(table, Event.model_validate(later), actor="o", now=NOW)
    organiser.post(f"{HOME}/allocations", {"mode": "fresh"})
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)

    page, path = browser.page(f"{HOME}/allocations/2").text, f"{HOME}/allocations/2/publication"
    refused = organiser.post(path, {"expected_mails": PEOPLE})
    kept = Snapshot()
    answers: dict[str, tuple[int, str, dict[str, str]]] = {}
    for answer in ANSWERS:
        kept.restore()
        sent = organiser.post(path, {"expected_mails": PEOPLE, "afterwards": answer})
        answers[answer] = (sent.status, read_state(table, "nature").afterwards, tasks(table))
        if answer == "close":
            closed = read_event(table, "nature")

    assert page.count('name="afterwards"') == len(ANSWERS)
    assert refused.status == 409
    assert {answer: found[:2] for answer, found in answers.items()} == {one: (202, one) for one in ANSWERS}
    assert answers["keep"][2]["allocation"] == utc(drafted.allocates_at)
    assert closed
    assert closed.closes_at <= NOW
    assert Event.model_validate(closed.model_dump()) == closed


def test_two_organisers_who_answer_differently_at_once_publish_once(
    table: Table, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    people = list(registrations_of(table, "nature"))
    draft = read_run(table, "nature", 1)
    assert draft

    first = published(organiser, allocate, "none")
    with pytest.raises(ConflictError):
        publish(table, drafted, draft, people, actor="o2", now=NOW, afterwards="close")

    event = read_event(table, "nature")
    assert event
    assert (first.status, event.is_open(NOW), read_state(table, "nature").afterwards) == (202, True, "none")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_publication_that_dies_at_any_call_has_its_answer_or_was_none(
    table: Table, drafted: Event, answer: Any
) -> None:
    """Killed before or after each AWS call: published, answered and planned together, or nothing of it."""
    people = list(registrations_of(table, "nature"))
    draft = read_run(table, "nature", 1)
    assert draft
    due = {"keep": ["allocation"], "close": ["late"], "none": []}[answer]
    faults, begin, moment, crashed = Faults(table._client), Snapshot(), 0, True

    def tell(run: Run) -> None:
        done = publish(table, drafted, run, people, actor="o", now=NOW, afterwards=answer)
        write_programme_mails(table, drafted, done, people, now=NOW)

    while crashed:
        begin.restore()
        with faults.at([moment]):
            try:
                tell(draft)
                crashed = False
            except Crash:
                moment += 1
        state, event = read_state(table, "nature"), read_event(table, "nature")
        assert event
        if state.published_run:
            assert (state.afterwards, event.is_open(NOW)) == (answer, answer != "close")
            assert sorted(set(tasks(table)) - {"publication"}) == due
        else:
            assert (state.afterwards, event.is_open(NOW), sorted(tasks(table))) == ("", True, ["allocation"])
    assert moment >= 14


def test_a_run_that_the_schedule_asked_for_before_a_publication_does_not_replace_it(
    table: Table, drafted: Event, organiser: Client, allocate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedule asks for a fresh run; before it reads anything, an organiser publishes; then the run goes on."""
    claim: Callable[..., Any] = allocate.claim_run
    between: list[int] = []

    def claimed(*args: Any, **kwargs: Any) -> Any:
        if not between:
            between.append(1)
            assert published(organiser, allocate, "keep").status == 202
        return claim(*args, **kwargs)

    monkeypatch.setattr(allocate, "claim_run", claimed)
    allocate.work_through(drafted.allocates_at + timedelta(seconds=1))

    run = read_run(table, "nature", 2)
    assert run
    assert (run.automatic, run.mode, run.state) == (True, "keep", RunState.DRAFT)
    assert read_state(table, "nature").published_run == 1
    assert placed(table, 2) == placed(table, 1)
    assert list(mails_of(table, "nature", "programme-changed")) == []


def test_a_fresh_draft_of_the_schedule_is_never_published_over_a_publication(
    table: Table, drafted: Event, organiser: Client, allocate: ModuleType
) -> None:
    published(organiser, allocate, "keep")
    draft = read_run(table, "nature", 1)
    assert draft
    fresh = draft.model_copy(update={"number": 2, "automatic": True, "compared_with": 1, "state": RunState.DRAFT})

    with pytest.raises(ConflictError, match="never replaces"):
        publish(table, drafted, fresh, registrations_of(table, "nature"), actor="schedule", now=drafted.allocates_at)


@pytest.mark.parametrize(("publish_by", "word"), [("automatic", "on"), ("after_review", "after")])
def test_every_page_and_mail_says_alike_whether_workshops_come_at_a_time_or_after_it(
    app: ModuleType, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch, publish_by: str, word: str
) -> None:
    rules = {**event_data()["allocation"], "publish": publish_by}
    event = Event.model_validate(event_data(allocation=rules))
    put_event(table, event, actor="o", now=NOW)
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    late = newcomer(table, event)
    visitor = Web(register_app.handler)

    own = words_of(visitor.visit(f"/r/{sign_link(keys, 'nature', late, 1)}").text)
    pages = [words_of(visitor.visit(f"/events/nature{path}").text) for path in ("", "/registered")]
    mail = " ".join(text_of(Letters(table, keys, event).write(f"confirmation#{late}")).split())

    assert f"Your workshops come by mail {word} " in own
    assert f"Your workshops come by mail {word} " in mail
    assert [bool(re.search(r"(given out|workshops come) after ", page)) for page in pages] == [word == "after"] * 2
