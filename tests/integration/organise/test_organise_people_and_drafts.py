"""What organisers do to people and with drafts, over the JSON API."""

from __future__ import annotations

import re
from datetime import timedelta
from types import ModuleType

import pytest

from shared.events import audit_lines, put_event
from shared.mails import mails_of
from shared.models import Event
from shared.runs import programmes_of, read_run
from shared.state import read_state
from shared.table import Table
from tests.support.factories import NOW, make_event
from tests.support.organiser_client import CONTEXT, Client, at


def person(number: int, **changes: object) -> dict[str, object]:
    return {
        "name": f"Person {number}",
        "email": f"person{number}@example.org",
        "organisation": "An organisation",
        "partner_type": "ngo",
        "choices": ["vision", "governance", "resources", "wildlife"],
        **changes,
    }


def test_people_may_be_added_after_closing_and_need_not_rank(organiser: Client, event: Event, table: Table) -> None:
    at(organiser.app, event.closes_at + timedelta(hours=1))
    organiser.sign_in(event)

    added = organiser.post("/organise/nature/people", person(1, choices=["wildlife"]))

    assert added.status == 201
    assert added.json["state"] == "confirmed"
    assert added.headers["location"] == f"/organise/nature/people/{added.json['id']}"
    assert [mail.kind for mail in mails_of(table, "nature", "confirmation")] == ["confirmation"]
    assert read_state(table, "nature").confirmed == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "http://spam.example.org"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a\u0000b@example.org"}, "email"),
        ({"partner_type": "aliens"}, "partner_type"),
        ({"choices": ["vision", "vision"]}, "choices"),
        ({"choices": ["unknown"]}, "choices"),
        ({"choices": "vision"}, "choices"),
        ({"absent": ["never"]}, "absent"),
        ({"pinned": {"first": "unknown"}}, "pinned"),
        ({"pinned": {"first": "vision", "second": "vision"}}, "pinned"),
        ({"pinned": {"first": "vision"}, "absent": ["first"]}, "pinned"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_faults_are_named_by_field_and_nothing_is_stored(
    organiser: Client, table: Table, change: dict[str, object], field: str
) -> None:
    answer = organiser.post("/organise/nature/people", person(1, **change))

    assert answer.status == 422
    assert field in {name.split(".")[0] for name in answer.json["fields"]}
    assert read_state(table, "nature").confirmed == 0
    assert not list(mails_of(table, "nature", "confirmation"))


def test_nobody_is_added_twice_or_beyond_the_last_place(organiser: Client, table: Table) -> None:
    put_event(table, make_event(registration={**RULES, "capacity": 1}), actor="test", now=NOW)
    assert organiser.post("/organise/nature/people", person(1)).status == 201

    again = organiser.post("/organise/nature/people", person(1, name="Other", email="PERSON1@example.org"))
    assert re.search(r'<form id="typed"[^>]* data-once>', organiser.page("/organise/nature/people/new").text)
    full = organiser.post("/organise/nature/people", person(2))

    assert (again.status, again.json["error"]) == (409, "conflict")
    assert full.status == 409
    assert "Raise the number of places" in full.json["message"]
    assert len(organiser.get("/organise/nature/people").json["people"]) == 1


RULES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"}


def test_corrections_are_one_write_with_an_audit_line(organiser: Client, table: Table) -> None:
    one = organiser.post("/organise/nature/people", person(1)).json
    path = f"/organise/nature/people/{one['id']}"

    after = organiser.patch(path, {"organisation": "Other", "pinned": {"first": "wildlife"}, "revision": 1})
    pressed_twice = organiser.patch(path, {"organisation": "Other", "pinned": {"first": "wildlife"}, "revision": 1})
    stale = organiser.patch(path, {"organisation": "Lost", "revision": 1})
    moved = organiser.patch(path, {"email": "new@example.org"})

    assert (pressed_twice.status, pressed_twice.json["revision"]) == (200, after.json["revision"])
    assert (after.status, after.json["organisation"], after.json["pinned"]) == (200, "Other", {"first": "wildlife"})
    assert (stale.status, stale.json["error"]) == (409, "stale")
    assert (moved.status, moved.json["email"]) == (200, "new@example.org")
    line = next(line for line in audit_lines(table, "nature") if line["act"] == "correct" and "pinned" in line["what"])
    assert (line["actor"], line["about"], line["what"]) == ("organiser@example.org", one["id"], "organisation, pinned")


def test_check_in_undo_and_withdrawal(organiser: Client, table: Table) -> None:
    one = organiser.post("/organise/nature/people", person(1)).json
    path = f"/organise/nature/people/{one['id']}"

    assert organiser.patch(path, {"checked_in": True}).json["checked_in_at"]
    assert not organiser.patch(path, {"checked_in": False}).json["checked_in_at"]
    assert organiser.patch(path, {"withdrawn": True, "name": "X"}).status == 422
    assert organiser.patch(path, {"withdrawn": True}).json["state"] == "withdrawn"
    assert organiser.patch(path, {"withdrawn": True}).status == 200
    assert organiser.patch(path, {"checked_in": True}).status == 409
    assert read_state(table, "nature").confirmed == 0
    acts = [line["act"] for line in audit_lines(table, "nature")]
    assert acts[:4] == ["withdraw", "undo-check-in", "check-in", "add-person"]


def test_pins_stop_at_the_seats(organiser: Client, table: Table) -> None:
    put_event(table, make_event(capacities={"vision": {"first": 1}}), actor="test", now=NOW)
    assert organiser.post("/organise/nature/people", person(1, pinned={"first": "vision"})).status == 201

    answer = organiser.post("/organise/nature/people", person(2, pinned={"first": "vision"}))

    assert answer.status == 422
    assert "1 seats" in answer.json["fields"]["pinned"]


@pytest.mark.parametrize("person_id", ["x", "0" * 20, "a" * 2000, "%2e%2e", "é"])
def test_an_unknown_person_is_not_found(organiser: Client, person_id: str) -> None:
    assert organiser.get(f"/organise/nature/people/{person_id}").status == 404
    assert organiser.patch(f"/organise/nature/people/{person_id}", {"name": "A"}).status == 404


def test_a_draft_is_asked_for_made_compared_and_published(
    organiser: Client, table: Table, allocate: ModuleType, event: Event
) -> None:
    ids = [organiser.post("/organise/nature/people", person(number)).json["id"] for number in range(8)]

    asked = organiser.post("/organise/nature/allocations", {"mode": "fresh", "weight": 3})
    again = organiser.post("/organise/nature/allocations", {"mode": "fresh"})
    early = organiser.post("/organise/nature/allocations/1/publication", {"expected_mails": 0, "afterwards": "keep"})
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    draft = organiser.get("/organise/nature/allocations/1").json
    wrong = organiser.post("/organise/nature/allocations/1/publication", {"expected_mails": 7, "afterwards": "keep"})
    done = organiser.post(
        "/organise/nature/allocations/1/publication", {"expected_mails": draft["mails"], "afterwards": "keep"}
    )

    assert (asked.status, asked.headers["location"]) == (202, "/organise/nature/allocations/1")
    assert again.json["number"] == 1
    assert early.status == 409
    assert (draft["state"], draft["mails"], draft["optimal"], draft["weight"]) == ("draft", 8, True, 3)
    assert draft["differences"]["new"] == 8
    assert sum(shop["heads"] for shop in draft["workshops"]) == 16
    assert sum(cost["people"] for cost in draft["cost_by_type"].values()) == 8
    assert (wrong.status, wrong.json["error"]) == (409, "stale")
    assert done.status == 202
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    assert len(list(mails_of(table, "nature", "programme#1#"))) == 8
    assert set(programmes_of(table, "nature", 1)) == set(ids)

    organiser.patch(f"/organise/nature/people/{ids[0]}", {"withdrawn": True})
    organiser.post("/organise/nature/people", person(20))
    assert organiser.post("/organise/nature/allocations", {"mode": "keep"}).json["number"] == 2
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)
    kept = organiser.get("/organise/nature/allocations/2").json
    assert (kept["mails"], kept["differences"]["new"], kept["differences"]["moved"]) == (1, 1, 0)
    organiser.post("/organise/nature/people", person(21))
    stale = organiser.post("/organise/nature/allocations/2/publication", {"expected_mails": 1, "afterwards": "keep"})
    assert (stale.status, stale.json["error"]) == (409, "stale")
    run = read_run(table, "nature", 2)
    assert run is not None
    assert run.state == "draft"


def test_a_keep_run_needs_something_to_keep(organiser: Client) -> None:
    assert organiser.post("/organise/nature/allocations", {"mode": "keep"}).status == 409


@pytest.mark.parametrize(
    "body",
    [{"mode": "odd"}, {"weight": -1}, {"weight": 10**9}, {"tolerance": "2"}, {"tolerance": "NaN"}, {"seed": 3},
     {"x": 1}, {"seed": "a\u0000"}, {"tolerance": "0.12345678"}],
)  # fmt: skip
def test_wishes_that_cannot_be(organiser: Client, table: Table, body: dict[str, object]) -> None:
    answer = organiser.post("/organise/nature/allocations", body)
    assert answer.status == 422
    assert read_state(table, "nature").runs == 0


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 5000, "99"])
def test_an_unknown_run_is_not_found(organiser: Client, number: str) -> None:
    assert organiser.get(f"/organise/nature/allocations/{number}").status == 404
    assert (
        organiser.post(
            f"/organise/nature/allocations/{number}/publication", {"expected_mails": 1, "afterwards": "keep"}
        ).status
        == 404
    )
