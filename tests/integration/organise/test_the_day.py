"""The day itself, with programmes published: who is where."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from types import ModuleType

import pytest

from shared.events import put_event
from shared.models import Event
from shared.registrations import read_registration
from shared.runs import programmes_of
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_event
from tests.support.organiser_client import CONTEXT, Client, at, fill, make_crowd, words_of

HOME = "/organise/nature"
PEOPLE = 12


@pytest.fixture
def today(app: ModuleType, table: Table, keys: Keys, allocate: ModuleType) -> Event:
    """An event with twelve people and published programmes, an hour after the day began."""
    event = make_event(door_emails=["door@example.org"])
    put_event(table, event, actor="test", now=NOW)
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    organiser = Client(app, table, keys).sign_in(event)
    organiser.post(f"{HOME}/allocations", {})
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    assert organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE}).status == 202
    at(app, event.starts_at + timedelta(hours=1))
    return event


@pytest.fixture
def helper(app: ModuleType, table: Table, keys: Keys, today: Event) -> Client:
    """A helper's phone, signed in."""
    return Client(app, table, keys).sign_in_browser(today, "door@example.org")


@pytest.fixture
def program(app: ModuleType, table: Table, keys: Keys, today: Event) -> Client:
    """An organiser's program, signed in on the day."""
    return Client(app, table, keys).sign_in(today)


def test_a_helper_marks_people_present_in_a_workshop_with_one_press_each(
    helper: Client, program: Client, table: Table
) -> None:
    programmes = programmes_of(table, "nature", 1)
    first, second, *_ = (person for person, own in programmes.items() if own.workshops["first"] == "vision")
    stranger = next(person for person, own in programmes.items() if own.workshops["first"] != "vision")
    here = f"{HOME}/workshops/vision/first/attendance"

    pressed = helper.submit(here, {"present": first})
    helper.submit(here, {"present": first})  # the second press of a slow phone changes nothing
    helper.submit(here, {"present": second})
    helper.submit(here, {"absent": second})
    refused = helper.submit(here, {"present": stranger})

    assert (pressed.status, pressed.headers["location"]) == (303, f"{here}#p-{first}")
    assert (refused.status, "not expected in Vision at 13:00" in refused.text) == (409, True)
    stored = {who: read_registration(table, "nature", who) for who in (first, second, stranger)}
    assert {who: found.attended for who, found in stored.items() if found} == {
        first: {"first": "vision"},
        second: {},
        stranger: {},
    }
    assert [bool(found and found.checked_in_at) for found in stored.values()] == [True, True, False]
    page = helper.page(here).text
    assert page.count('aria-pressed="true"') == 1
    assert f'name="absent" value="{first}"' in page
    assert "1 · mark Vision, 13:00" in words_of(helper.page(f"{HOME}/door").text)
    assert program.get(HOME).json["attendance"] == {"first": 1, "second": 0}
    rows = list(csv.DictReader(io.StringIO(program.get(f"{HOME}/people.csv").text.lstrip("\ufeff"))))
    assert {row["id"]: row["present_first"] for row in rows if row["present_first"]} == {first: "vision"}
    workshops = list(csv.DictReader(io.StringIO(program.get(f"{HOME}/workshops.csv").text.lstrip("\ufeff"))))
    assert sum(int(row["present"]) for row in workshops) == 1


def test_two_helpers_who_mark_one_person_at_the_same_instant_both_count(
    helper: Client, app: ModuleType, table: Table
) -> None:
    person, own = next(iter(programmes_of(table, "nature", 1).items()))
    places = {slot: f"{HOME}/workshops/{theme}/{slot}/attendance" for slot, theme in own.workshops.items()}
    begun: list[bool] = []

    def other(**_: object) -> None:
        begun.append(True)
        if len(begun) == 1:
            helper.submit(places["second"], {"present": person})

    app.table._client.meta.events.register("before-call.dynamodb.TransactWriteItems", other)
    assert helper.submit(places["first"], {"present": person}).status == 303

    stored = read_registration(table, "nature", person)
    assert stored is not None
    assert stored.attended == own.workshops
