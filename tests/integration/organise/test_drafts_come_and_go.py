"""Drafts are deleted, and earlier publications come back as drafts that today's rules allow."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from shared.events import put_event
from shared.models import Event
from shared.registrations import read_registration, withdraw
from shared.table import Table
from tests.support.factories import NOW, event_data, make_event
from tests.support.organiser_client import CONTEXT, Client, fill, make_crowd, words_of

HOME = "/organise/nature"
RUNS = f"{HOME}/allocations"
PEOPLE = 8

Make = Callable[..., int]
Publish = Callable[[int], int]


@pytest.fixture
def make(organiser: Client, allocate: ModuleType) -> Make:
    """Have a draft made; its number."""

    def draft(path: str = RUNS, **asked: object) -> int:
        number = int(organiser.post(path, asked).json["number"])
        allocate.handler({"event": "nature", "run": number}, CONTEXT)
        return number

    return draft


@pytest.fixture
def publish(organiser: Client, allocate: ModuleType) -> Publish:
    """Publish a draft, its mails written; how many."""

    def do(number: int) -> int:
        mails = int(organiser.get(f"{RUNS}/{number}").json["mails"])
        assert (
            organiser.post(f"{RUNS}/{number}/publication", {"expected_mails": mails, "afterwards": "keep"}).status
            == 202
        )
        allocate.handler({"event": "nature", "publication": number}, CONTEXT)
        return mails

    return do


def programmes(table: Table, run: int) -> dict[str, dict[str, str]]:
    return {row["registration"]: row["workshops"] for row in table.query(f"RUN#nature#{run:06}", "PROGRAMME#")}


def test_a_draft_is_deleted_with_its_programmes_and_a_publication_is_not(
    organiser: Client,
    browser: Client,
    table: Table,
    event: Event,
    make: Make,
    publish: Publish,
) -> None:
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    publish(make())
    draft = make(mode="keep")
    assert len(programmes(table, draft)) == PEOPLE

    assert browser.submit(f"{RUNS}/{draft}/deletion", {}).status == 422
    answer = browser.submit(f"{RUNS}/{draft}/deletion", {"sure": "yes"})
    assert "The draft is deleted" in browser.page(answer.headers["location"]).text

    assert [run["number"] for run in organiser.get(RUNS).json["allocations"]] == [1]
    assert programmes(table, draft) == {}
    assert organiser.get(f"{RUNS}/{draft}").status == 404
    assert organiser.post(f"{RUNS}/1/deletion", {"sure": True}).status == 409
    assert len(programmes(table, 1)) == PEOPLE
    assert make() == draft + 1


def test_an_earlier_publication_comes_back_as_a_draft_as_far_as_todays_rules_allow(
    organiser: Client,
    browser: Client,
    table: Table,
    event: Event,
    make: Make,
    publish: Publish,
) -> None:
    """A person who withdrew is left out, one who came is placed, and a workshop that is called off is no choice."""
    crowd = make_crowd(event, PEOPLE + 1, NOW)
    fill(table, event, crowd[:PEOPLE], NOW)
    assert publish(make()) == PEOPLE
    first = programmes(table, 1)
    pins = {one: {"first": theme["second"], "second": theme["first"]} for one, theme in first.items()}
    for one, pinned in pins.items():
        assert organiser.patch(f"{HOME}/people/{one}", {"pinned": pinned}).status == 200
    assert publish(make(mode="keep")) == PEOPLE
    for one in pins:
        assert organiser.patch(f"{HOME}/people/{one}", {"pinned": {}}).status == 200
    left, *stayed = list(first)
    person = read_registration(table, "nature", left)
    assert person
    withdraw(table, person, now=NOW)
    fill(table, event, crowd[PEOPLE:], NOW)
    gone = first[stayed[0]]["first"]
    called_off = event.model_copy(update={"capacities": {gone: {"first": 0}}})
    put_event(table, called_off, actor="o", now=NOW)
    touched = {one for one in stayed if first[one]["first"] == gone}

    assert organiser.post(f"{RUNS}/2/restoration", {}).status == 409  # it is the one that is published
    assert "Make a draft of allocation 1" in browser.page(f"{RUNS}/1").text
    draft = make(f"{RUNS}/1/restoration")

    shown = organiser.get(f"{RUNS}/{draft}").json
    restored = programmes(table, draft)
    assert shown["restores"] == 1
    assert shown["against_restored"] == {"changed": len(touched), "new": 1, "gone": 1}
    assert {one: restored[one] for one in stayed if one not in touched} == {
        one: first[one] for one in stayed if one not in touched
    }
    assert left not in restored
    assert all(restored[one].get("first") != gone for one in restored)
    assert "1 person takes part no more, 1 person came since" in words_of(browser.page(f"{RUNS}/{draft}").text)
    assert publish(draft) == PEOPLE
    assert shown["stale"] == ""


def asked_for_a_draft(organiser: Client) -> list[str]:
    """What the overview says of drafts to start."""
    return [item["what"] for item in organiser.get(HOME).json["attention"] if "start a draft" in item["what"].lower()]


def test_the_overview_asks_for_a_draft_until_one_waits_and_again_once_that_is_stale(
    organiser: Client, table: Table, event: Event, make: Make, publish: Publish
) -> None:
    crowd = make_crowd(event, PEOPLE + 1, NOW)
    fill(table, event, crowd[:PEOPLE], NOW)
    publish(make())
    gone = next(iter(programmes(table, 1).values()))["first"]
    event = event.model_copy(update={"capacities": {gone: {"first": 0}}})
    put_event(table, event, actor="o", now=NOW)
    assert asked_for_a_draft(organiser)
    draft = make(mode="keep")
    assert not asked_for_a_draft(organiser)

    fill(table, event, crowd[PEOPLE:], NOW)

    assert asked_for_a_draft(organiser)
    said = [item["what"] for item in organiser.get(HOME).json["attention"]]
    assert any(what.startswith(f"Draft {draft} can no longer be published.") for what in said)


def test_a_workshop_whose_seats_are_needed_says_how_many_are_missing_before_it_is_called_off(
    browser: Client, table: Table, event: Event
) -> None:
    few = {theme.id: {"first": int(theme.id == "governance")} for theme in event.themes if theme.id != "vision"}
    put_event(table, make_event(capacities=few), actor="o", now=NOW)
    fill(table, event, make_crowd(event, 3, NOW), NOW)

    page = browser.page(f"{HOME}/workshops/vision/first/calling-off").text

    assert "Without it, 2 seats are missing at 13:00: there are 1 for 3 places." in words_of(page)
    assert f'href="{HOME}/setup/themes"' in page
    assert "Call it off" not in page
    assert "lower the number of places" not in page  # each of them is taken

    put_event(
        table,
        make_event(
            registration={**event_data()["registration"], "capacity": 12},
            capacities={theme: {"first": 3 * int(theme == "governance")} for theme in few},
        ),
        actor="o",
        now=NOW,
    )
    assert "lower the number of places" in browser.page(f"{HOME}/workshops/vision/first/calling-off").text


def test_one_workshop_is_called_off_in_one_act_and_its_people_are_told(
    organiser: Client, browser: Client, table: Table, event: Event, make: Make, publish: Publish, allocate: ModuleType
) -> None:
    """Its seats are gone, a draft gives its people other seats, and publishing it mails exactly them."""
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    publish(make())
    before = programmes(table, 1)
    page = f"{HOME}/workshops/vision/first/calling-off"
    there = {one for one, workshops in before.items() if workshops["first"] == "vision"}
    assert f"{len(there)} people have a seat in it" in words_of(browser.page(page).text)
    assert page in browser.page(f"{RUNS}/1").text

    assert organiser.post(page, {"expected": len(there) + 1}).status == 409
    answer = browser.submit(page, {"expected": str(len(there))})

    assert answer.headers["location"].startswith(f"{RUNS}/2")
    assert not asked_for_a_draft(organiser)  # one is under way
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)
    assert not asked_for_a_draft(organiser)  # it waits
    after = programmes(table, 2)
    assert not [one for one, workshops in after.items() if workshops["first"] == "vision"]
    moved = {one for one in before if before[one] != after[one]}
    assert there <= moved
    assert publish(2) == len(moved)
    assert organiser.get(page).status == 404  # it is called off already
