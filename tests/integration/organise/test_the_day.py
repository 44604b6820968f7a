"""The day itself, with programmes published: who is where."""

from __future__ import annotations

import csv
import io
import itertools
from datetime import timedelta
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.organise.seats import best_seats
from functions.register.given_up import give_up
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import read_registration
from shared.runs import programmes_of
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, event_data, make_event
from tests.support.organiser_client import CONTEXT, Answer, Client, at, fill, make_crowd, words_of

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
    assert (
        organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE, "afterwards": "keep"}).status
        == 202
    )
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
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


def check_in(program: Client, *people: str) -> None:
    for person in people:
        assert program.post(f"{HOME}/people/{person}/check-in", {}).status == 200


def taken(program: Client) -> dict[tuple[str, str], int]:
    """The people on the door list of each workshop; never more than its seats."""
    lists = program.get(f"{HOME}/sheets").json["workshops"]
    assert all(len(one["people"]) <= one["seats"] for one in lists)
    return {(one["round"], one["theme"]): len(one["people"]) for one in lists}


WALK_IN = {"name": "Ann Late", "partner_type": "ngo", "choices": ["vision", "governance"]}


def test_seats_of_people_who_did_not_come_are_freed_and_given_again(
    app: ModuleType, program: Client, helper: Client, today: Event, table: Table, allocate: ModuleType
) -> None:
    """Freed by an exact number, given to a person at the door, and back to a person who turns up while any are left."""
    everybody = list(programmes_of(table, "nature", 1))
    here, late, gone = everybody[:9], everybody[9], everybody[10]
    nobody_yet = program.post(f"{HOME}/no-shows", {"expected": PEOPLE})
    check_in(program, *here)
    wrong = program.post(f"{HOME}/no-shows", {"expected": 2})
    before = taken(program)
    early = program.page(f"{HOME}/door").text
    assert "The first workshop has not begun yet" in early
    assert 'href="#missing"' in early
    assert 'id="missing"' in early
    assert 'href="#missing"' not in helper.page(f"{HOME}/door").text  # only organisers free seats
    freed = helper.submit(f"{HOME}/no-shows", {"expected": "3"}), program.post(f"{HOME}/no-shows", {"expected": 3})

    assert (nobody_yet.status, wrong.status, "3 people are not checked in" in wrong.text) == (409, 409, True)
    assert [answer.status for answer in freed] == [403, 200]
    assert sum(before.values()) - sum(taken(program).values()) == 6
    assert read_state(table, "nature").confirmed == 9
    assert program.get(f"{HOME}/people?state=no-show").json["total"] == 3
    assert not list(mails_of(table, "nature", "programme-changed"))

    back = helper.submit(f"{HOME}/people/{late}/check-in", {"q": "person"})
    assert back.status == 303
    assert programmes_of(table, "nature", 1)[late].workshops == own_workshops(program, late) != {}
    assert read_state(table, "nature").confirmed == 10

    at(app, today.on_the_day(today.rounds[0].end))  # the first round is over
    assert "The first workshop has not begun yet" not in program.page(f"{HOME}/door").text
    second_only = program.post(f"{HOME}/people/{gone}/check-in", {})
    assert second_only.status == 200
    assert list(own_workshops(program, gone)) == ["second"]
    assert read_registration(table, "nature", gone).absent == ["first"]  # type: ignore[union-attr]
    number = program.post(f"{HOME}/allocations", {"mode": "keep"}).json["number"]
    allocate.handler({"event": "nature", "run": number}, CONTEXT)
    kept = programmes_of(table, "nature", number)
    assert set(kept) == {*here, late, gone}
    assert all(kept[one].workshops == own_workshops(program, one) for one in kept)


def test_seats_are_freed_for_one_round_alone_or_of_those_who_were_expected_in_it(
    app: ModuleType, program: Client, today: Event, table: Table
) -> None:
    """Each by its own exact number; check-in gives a freed round back while a seat is free, and moves nothing else."""
    everybody = list(programmes_of(table, "nature", 1))
    check_in(program, *everybody[:8])
    later, late, last, gone = everybody[8:]
    person = read_registration(table, "nature", later)
    assert person
    give_up(table, today, person, "first", now=today.starts_at)  # expected in the second round alone
    at(app, today.on_the_day(today.rounds[0].start) + timedelta(minutes=10))
    before = taken(program)

    page = words_of(program.page(f"{HOME}/door").text)
    assert "Free all seats of 4 people" in page
    assert "13:00: free the seats of 3 people" in page
    assert "14:20: free the seats of 4 people" in page
    assert program.post(f"{HOME}/no-shows", {"expected": 4, "round": "first", "seats": "round"}).status == 409
    assert program.post(f"{HOME}/no-shows", {"expected": 3, "round": "nosuch", "seats": "round"}).status == 422
    assert program.post(f"{HOME}/no-shows", {"expected": 3, "round": "first", "seats": "round"}).status == 200

    assert sum(before.values()) - sum(taken(program).values()) == 3
    assert list(own_workshops(program, late)) == ["second"]
    assert read_state(table, "nature").confirmed == PEOPLE
    second = own_workshops(program, late)["second"]
    check_in(program, late)
    assert list(own_workshops(program, late)) == ["first", "second"]
    assert own_workshops(program, late)["second"] == second

    at(app, today.on_the_day(today.rounds[0].end))  # the first round is over: of those absent from it, all the rest
    assert program.post(f"{HOME}/no-shows", {"expected": 2, "round": "first", "seats": "all"}).status == 200
    states = {who: read_registration(table, "nature", who).state.value for who in (later, late, last, gone)}  # type: ignore[union-attr]
    assert states == {later: "confirmed", late: "confirmed", last: "no-show", gone: "no-show"}


def own_workshops(program: Client, person: str) -> dict[str, str]:
    found: dict[str, str] = program.get(f"{HOME}/people/{person}").json["workshops"]
    return found


def test_a_person_who_walks_in_is_registered_checked_in_and_seated_in_one_press(
    helper: Client, program: Client, table: Table, app: ModuleType, today: Event, allocate: ModuleType
) -> None:
    draft = program.post(f"{HOME}/allocations", {"mode": "keep"}).json["number"]
    allocate.handler({"event": "nature", "run": draft}, CONTEXT)
    form = {"request": "one", "name": "Ann Late", "partner_type": "ngo", "choice_1": "vision", "choice_2": "governance"}

    pressed, again = helper.submit(f"{HOME}/walk-ins", form), helper.submit(f"{HOME}/walk-ins", form)
    refused = helper.submit(f"{HOME}/walk-ins", {**form, "request": "two", "name": ""})

    assert (pressed.status, refused.status) == (303, 422)
    assert pressed.headers["location"] == again.headers["location"]
    page = helper.page(pressed.headers["location"]).text
    assert "Ann Late is checked in" in words_of(page)
    person = pressed.headers["location"].rpartition("=")[2]
    assert {"vision", "governance"} == set(own_workshops(program, person).values())
    assert words_of(helper.page(f"{HOME}/programmes?person={person}").text).count("Room") == 2
    assert "their 1st choice" in program.get(f"{HOME}/people/{person}").json["reason"]
    assert read_state(table, "nature").confirmed == PEOPLE + 1
    assert sum(taken(program).values()) == 2 * (PEOPLE + 1)
    back = helper.submit(f"{HOME}/walk-ins", {**form, "name": "Bob Late"})  # one step back, another name, the same form
    assert (back.status, back.headers["location"] == pressed.headers["location"]) == (303, False)
    assert read_state(table, "nature").confirmed == PEOPLE + 2
    stale = program.post(f"{HOME}/allocations/{draft}/publication", {"expected_mails": 0, "afterwards": "keep"})
    assert (stale.status, stale.json["error"]) == (409, "stale")
    at(app, today.ends_at)
    assert program.post(f"{HOME}/walk-ins", WALK_IN).status == 409


def test_two_people_at_two_doors_never_get_one_seat_and_nobody_comes_in_above_capacity(
    program: Client, app: ModuleType, table: Table, today: Event
) -> None:
    """One seat is left in all: of two who are registered at the same instant the second hears that it is taken."""
    people = make_event(registration={**event_data()["registration"], "capacity": PEOPLE + 1})
    put_event(table, people, actor="test", now=NOW)
    others: list[Answer] = []
    begun: list[bool] = []

    def other(**_: object) -> None:
        begun.append(True)
        if len(begun) == 1:
            others.append(program.post(f"{HOME}/walk-ins", {**WALK_IN, "name": "Bob Later"}))

    app.table._client.meta.events.register("before-call.dynamodb.TransactWriteItems", other)
    mine = program.post(f"{HOME}/walk-ins", WALK_IN)

    assert [others[0].status, mine.status] == [201, 409]
    assert "places of this day are taken" in mine.json["message"]
    assert read_state(table, "nature").confirmed == PEOPLE + 1
    taken(program)


@pytest.mark.promise("P3")
def test_of_two_last_seats_in_one_theme_both_are_given_once(program: Client, app: ModuleType, table: Table) -> None:
    """Vision has one seat left in each round: the two people at the same instant share them out."""
    seats = taken(program)
    left = {slot.id: {"vision": seats[slot.id, "vision"] + 1} for slot in make_event().rounds}
    tight = make_event(capacities={"vision": {slot: places["vision"] for slot, places in left.items()}})
    put_event(table, tight, actor="test", now=NOW)
    begun: list[bool] = []
    answers: list[Answer] = []

    def other(**_: object) -> None:
        begun.append(True)
        if len(begun) == 1:
            answers.append(program.post(f"{HOME}/walk-ins", {**WALK_IN, "name": "Bob Later"}))

    app.table._client.meta.events.register("before-call.dynamodb.TransactWriteItems", other)
    answers.append(program.post(f"{HOME}/walk-ins", WALK_IN))

    assert [answer.status for answer in answers] == [201, 201]
    rounds = [slot for answer in answers for slot, theme in answer.json["workshops"].items() if theme == "vision"]
    assert sorted(rounds) == ["first", "second"]
    taken(program)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 9), max_size=5),
    st.dictionaries(st.tuples(st.sampled_from("123"), st.sampled_from("abcde")), st.integers(-1, 3)),
)
def test_the_best_free_seats_are_the_best_there_are(costs: dict[str, int], free: dict[tuple[str, str], int]) -> None:
    """Against trying every combination."""
    tried = [
        {slot: theme for slot, theme in zip("123", themes, strict=True) if theme}
        for themes in itertools.product(["", *costs], repeat=3)
    ]
    possible = [
        one
        for one in tried
        if len(set(one.values())) == len(one) and all(free.get(place, 0) > 0 for place in one.items())
    ]

    found = best_seats(costs, free, "123")

    assert found in possible
    worth = {
        len(one): min(sum(map(costs.__getitem__, o.values())) for o in possible if len(o) == len(one))
        for one in possible
    }
    assert len(found) == max(worth)
    assert sum(costs[theme] for theme in found.values()) == worth[len(found)]
