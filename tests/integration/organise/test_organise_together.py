"""Two organisers at once, and ground that moves under one: refused in words that help, with nothing changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from shared.events import audit_lines, put_event, read_event
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import read_registration
from shared.runs import programmes_of, read_run, runs_of
from shared.state import read_state
from shared.table import Table
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.organiser_client import CONTEXT, Answer, Client, at, fill, make_crowd, words_of

HOME = "/organise/nature"
PEOPLE = 8


@pytest.fixture
def crowd(table: Table, event: Event) -> list[str]:
    """Eight people; their ids."""
    people = make_crowd(event, PEOPLE, NOW)
    fill(table, event, people, NOW)
    return [one.id for one in people]


@pytest.fixture
def draft(organiser: Client, allocate: ModuleType, crowd: list[str]) -> Callable[..., int]:
    """Asks for a draft and has it made; its number."""

    def make(**wish: Any) -> int:
        number = int(organiser.post(f"{HOME}/allocations", wish).json["number"])
        allocate.handler({"event": "nature", "run": number}, CONTEXT)
        return number

    return make


def publish(client: Client, number: int, mails: int = PEOPLE) -> Answer:
    return client.post(f"{HOME}/allocations/{number}/publication", {"expected_mails": mails, "afterwards": "keep"})


def meanwhile(app: ModuleType, act: Callable[[], object], *, transaction: int = 1) -> None:
    """Let another organiser act just before this transaction, counted from now, is written."""
    events = app.table._client.meta.events
    begun: list[bool] = []

    def interrupt(**_: object) -> None:
        begun.append(True)
        if len(begun) == transaction:
            act()

    events.register("before-call.dynamodb.TransactWriteItems", interrupt)


def everything(table: Table) -> list[dict[str, Any]]:
    """All that is stored of the event, but who signed in."""
    return [
        item
        for pk in ("EVENTS", "EVENT#nature", "MAIL#nature", "RUN#nature#000001", "RUN#nature#000002")
        for item in table.query(pk)
    ]


def test_of_two_publications_at_once_one_is_refused(
    app: ModuleType, organiser: Client, draft: Callable[..., int], table: Table
) -> None:
    mine, theirs = draft(weight=1), draft(weight=2)
    answers: list[Answer] = []
    meanwhile(app, lambda: answers.append(publish(organiser, theirs)))

    refused = publish(organiser, mine)

    assert answers[0].status == 202
    assert (refused.status, refused.json["error"]) == (409, "stale")
    assert "Reload" in refused.json["message"]
    assert read_state(table, "nature").published_run == theirs
    states = {run.number: run.state.value for run in runs_of(table, "nature")}
    assert states == {mine: "draft", theirs: "published"}


def test_of_one_draft_published_twice_at_once_nobody_hears_twice(
    app: ModuleType, organiser: Client, draft: Callable[..., int], table: Table, allocate: ModuleType
) -> None:
    number = draft()
    answers: list[Answer] = []
    meanwhile(app, lambda: answers.append(publish(organiser, number)))

    statuses = {publish(organiser, number).status, answers[0].status}
    for _ in range(2):
        allocate.handler({"event": "nature", "publication": number}, CONTEXT)

    assert statuses == {202, 409}
    assert len(list(mails_of(table, "nature", "programme"))) == PEOPLE
    assert [line["act"] for line in audit_lines(table, "nature")].count("publish") == 1


def test_a_hold_in_the_middle_of_a_publication_stops_what_is_not_yet_written(
    app: ModuleType,
    organiser: Client,
    draft: Callable[..., int],
    table: Table,
    allocate: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.publication.PEOPLE_A_WRITE", 3)
    number = draft()
    assert publish(organiser, number).status == 202
    meanwhile(app, lambda: organiser.post(f"{HOME}/mails/hold", {}), transaction=2)  # the first takes the lease

    allocate.handler({"event": "nature", "publication": number}, CONTEXT)

    states = Counter(mail.state.value for mail in mails_of(table, "nature", "programme"))
    assert states == {"pending": 3, "held": PEOPLE - 3}


def test_two_who_ask_for_a_draft_at_once_get_the_same(
    app: ModuleType, organiser: Client, crowd: list[str], table: Table
) -> None:
    answers: list[Answer] = []
    meanwhile(app, lambda: answers.append(organiser.post(f"{HOME}/allocations", {"seed": "theirs"})))

    mine = organiser.post(f"{HOME}/allocations", {"seed": "mine"})

    assert (mine.status, answers[0].status) == (202, 202)
    assert mine.headers["location"] == answers[0].headers["location"]
    [run] = runs_of(table, "nature")
    assert run.seed == "theirs"


def test_of_two_event_files_at_once_one_is_refused(
    app: ModuleType, organiser: Client, table: Table, event: Event
) -> None:
    def change(summary: str, seen: str) -> Answer:
        text = organiser.get(f"{HOME}/file").json["text"].replace(event.summary, summary)
        return organiser.post(f"{HOME}/file", {"text": text, "seen": seen})

    seen = organiser.get(f"{HOME}/file").json["seen"]
    answers: list[Answer] = []
    meanwhile(app, lambda: answers.append(later(lambda: change("Theirs.", seen))))

    def later(act: Callable[[], Answer]) -> Answer:
        at(app, NOW + timedelta(seconds=5))
        return act()

    mine = change("Mine.", seen)
    again = change("Mine again.", seen)

    assert answers[0].status == 200
    assert [mine.status, again.status] == [409, 409]
    assert "Reload" in mine.json["message"]
    stored = read_event(table, "nature")
    assert stored is not None
    assert stored.summary == "Theirs."


def test_of_two_corrections_at_once_one_is_refused(
    app: ModuleType, organiser: Client, crowd: list[str], table: Table
) -> None:
    path = f"{HOME}/people/{crowd[0]}"
    answers: list[Answer] = []
    meanwhile(app, lambda: answers.append(organiser.patch(path, {"organisation": "Theirs"})))

    mine = organiser.patch(path, {"pinned": {"first": "vision"}})

    assert (answers[0].status, mine.status) == (200, 409)
    stored = read_registration(table, "nature", crowd[0])
    assert stored is not None
    assert (stored.organisation, stored.pinned) == ("Theirs", {})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda client, ids: client.patch(f"{HOME}/people/{ids[0]}", {"withdrawn": True}), id="withdrawn"),
        pytest.param(lambda client, ids: client.patch(f"{HOME}/people/{ids[0]}", {"absent": ["first"]}), id="absent"),
        pytest.param(
            lambda client, ids: client.post(
                f"{HOME}/file", {"text": client.get(f"{HOME}/file").json["text"].replace("capacity: 10", "capacity: 9")}
            ),
            id="seats",
        ),
        pytest.param(
            lambda client, ids: client.post(
                f"{HOME}/people", {"name": "P", "email": "p@example.net", "partner_type": "ngo"}
            ),
            id="newcomer",
        ),
    ],
)
def test_a_draft_made_before_things_changed_is_not_published(
    change: Callable[[Client, list[str]], Answer],
    organiser: Client,
    draft: Callable[..., int],
    crowd: list[str],
    table: Table,
) -> None:
    number = draft()
    assert change(organiser, crowd).status < 300
    before = everything(table)
    shown = organiser.get(f"{HOME}/allocations/{number}").json

    refused = publish(organiser, number, shown["mails"])

    assert (refused.status, refused.json["error"]) == (409, "stale")
    assert "Start a new draft" in refused.json["message"]
    assert "Start a new draft" in shown["stale"]
    assert everything(table) == before


def test_a_wrong_number_of_mails_is_told_and_changes_nothing(
    organiser: Client, draft: Callable[..., int], table: Table
) -> None:
    number = draft()
    before = everything(table)

    refused = publish(organiser, number, PEOPLE + 1)

    assert refused.status == 409
    assert f"{PEOPLE} mails, not {PEOPLE + 1}" in refused.json["message"]
    assert everything(table) == before


def test_pins_that_cannot_all_hold_are_refused_where_they_are_made(
    organiser: Client, crowd: list[str], table: Table, event: Event
) -> None:
    """By a pin too many, and by an event file that takes the seats away under pins."""
    small = event_data(capacities={"vision": {"first": 2}})
    put_event(table, make_event(capacities={"vision": {"first": 2}}), actor="test", now=NOW)
    for one in crowd[:2]:
        assert organiser.patch(f"{HOME}/people/{one}", {"pinned": {"first": "vision"}}).status == 200
    before = everything(table)

    third = organiser.patch(f"{HOME}/people/{crowd[2]}", {"pinned": {"first": "vision"}})
    smaller = organiser.post(f"{HOME}/file", {"text": json.dumps({**small, "capacities": {"vision": {"first": 1}}})})

    assert (third.status, smaller.status) == (422, 409)
    assert third.json["fields"]["pinned"] == "All 2 seats of Vision in round 13:00–14:15 are pinned already"
    assert "“Vision” at 13:00 has 1 seat, and 2 people are pinned to it" in smaller.json["message"]
    assert everything(table) == before


def test_a_draft_that_cannot_be_says_why_and_leaves_what_is_published(
    organiser: Client, draft: Callable[..., int], table: Table
) -> None:
    assert publish(organiser, draft()).status == 202
    put_event(table, make_event(themes=[{**one, "minimum": 5} for one in event_data()["themes"]]), actor="t", now=NOW)

    number = draft(mode="fresh")

    failed = organiser.get(f"{HOME}/allocations/{number}").json
    assert failed["state"] == "failed"
    assert "20" in failed["error"]
    assert "8 people are present" in failed["error"]
    assert publish(organiser, number, 0).status == 409
    assert read_state(table, "nature").published_run == 1
    page = organiser.call("GET", f"{HOME}/allocations/{number}", accept="text/html")
    assert "No allocation came out" in words_of(page.text)


def test_a_round_is_not_taken_away_under_peoples_feet(
    organiser: Client, draft: Callable[..., int], table: Table
) -> None:
    """A round that programmes stand on stays; so does one that a pin stands on before there are programmes."""
    data = event_data()
    one_round = {
        **data,
        "rounds": data["rounds"][:1],
        "agenda": [a for a in data["agenda"] if a.get("round") != "second"],
    }
    assert publish(organiser, draft()).status == 202
    before = everything(table)

    refused = organiser.post(f"{HOME}/file", {"text": json.dumps(one_round)})

    assert refused.status == 409
    assert "the round at 14:20 is gone and programmes, pins or absences use it" in refused.json["message"]
    assert everything(table) == before


def test_a_file_that_would_stop_the_allocation_or_turn_a_text_into_a_consent_is_refused(
    organiser: Client, allocate: ModuleType, table: Table
) -> None:
    """Pins to a theme that is gone or closed; to be ruled out of a theme that is gone is nothing."""
    questions = [{"id": "diet", "kind": "text", "label": "Diet"}]
    put_event(table, make_event(questions=questions), actor="o", now=NOW)
    bound = make_registration(
        **{"id": "a1", "choices": [], "pinned": {"first": "vision"}, "excluded": ["wildlife"], "answers": {"diet": "x"}}
    )
    fill(table, make_event(), [bound], NOW)
    themes = event_data()["themes"]

    def put(**changes: object) -> Answer:
        return organiser.post(f"{HOME}/file", {"text": json.dumps(event_data(**{"questions": questions, **changes}))})

    for changes, words in (
        ({"themes": themes[1:]}, "“Vision” is gone or closed to 1 person who is pinned to it"),
        ({"themes": [{**themes[0], "for": ["research"]}, *themes[1:]]}, "“Vision” is gone or closed to 1 person"),
        ({"questions": [{**questions[0], "kind": "consent"}]}, "“Diet” is of another kind and 1 person answered it"),
    ):
        refused = put(**changes)
        assert (refused.status, words in refused.json["message"]) == (409, True), refused.json["message"]
    assert put(themes=themes[:-1]).status == 200

    number = organiser.post(f"{HOME}/allocations", {"mode": "fresh"}).json["number"]
    assert allocate.handler({"event": "nature", "run": number}, CONTEXT)["state"] == "draft"


def test_a_workshop_that_is_closed_after_publication_moves_only_those_who_were_there(
    organiser: Client, draft: Callable[..., int], table: Table, event: Event
) -> None:
    """Its speaker fell ill: the file says 0 seats, and a draft that keeps shows who moves before anybody is told."""
    assert publish(organiser, draft()).status == 202
    there = {
        one for one, programme in programmes_of(table, "nature", 1).items() if programme.workshops["first"] == "vision"
    }
    assert there
    text = json.dumps(event_data(capacities={"vision": {"first": 0}}))
    assert organiser.post(f"{HOME}/file", {"text": text}).status == 200

    number = draft(mode="keep")
    shown = organiser.get(f"{HOME}/allocations/{number}").json

    assert shown["state"] == "draft", shown["error"]
    assert {one["id"] for one in shown["differences"]["persons"]} >= there
    assert all(one["after"]["first"] != "vision" for one in shown["differences"]["persons"])
    assert read_run(table, "nature", 1).state == "published"  # type: ignore[union-attr]
