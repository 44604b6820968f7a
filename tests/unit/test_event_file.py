"""The event file: read whole, or every mistake named by its path, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_file import EventFileError, Fault, check_event, parse_event
from tests.support.factories import event_data, make_event


def faults(**changes: Any) -> dict[str, str]:
    """The mistakes found when these keys of a good file are replaced."""
    with pytest.raises(EventFileError) as caught:
        check_event(event_data(**changes))
    return {fault.path: fault.message for fault in caught.value.faults}


def themes(**first: Any) -> list[dict[str, Any]]:
    return [{**event_data()["themes"][0], **first}, *event_data()["themes"][1:]]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"colour": "green"}, "colour"),
        ({"id": "Not A Slug"}, "id"),
        ({"themes": themes(capacity=-1)}, "themes[0].capacity"),
        ({"themes": themes(capacity="ten")}, "themes[0].capacity"),
        ({"themes": themes(id="governance")}, "themes[1].id"),
        ({"themes": themes(minimum=11)}, "themes[0].minimum"),
        ({"themes": themes(rooms={"third": "Attic"})}, "themes[0].rooms.third"),
        ({"themes": themes(rooms=["A", "B", "C"])}, "themes[0].rooms"),
        ({"themes": themes(capacity=None)}, "themes[0].capacity"),
        ({"capacities": {"birds": {"first": 3}}}, "capacities.birds"),
        ({"capacities": {"vision": {"third": 3}}}, "capacities.vision.third"),
        ({"rounds": [{"id": "first", "start": "14:00", "end": "13:00"}], "agenda": []}, "rounds[0].end"),
        ({"agenda": [{"start": "10:00", "title": "Talk", "round": "third"}]}, "agenda[0].round"),
        ({"agenda": [{"start": "25:00", "title": "Talk"}]}, "agenda[0].start"),
        ({"registration": {"opens": "2026-04-02 09:00", "closes": "2026-04-01 12:00"}}, "registration.closes"),
        (
            {"registration": {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 41}},
            "registration.capacity",
        ),
        ({"allocation": {"at": "2026-03-31 12:00"}}, "allocation.at"),
        ({"allocation": {"at": "2026-04-16 13:00"}}, "allocation.at"),
        ({"allocation": {"at": "2026-04-01 12:00", "rank_costs": [0, 1]}}, "allocation.rank_costs"),
        ({"allocation": {"at": "2026-04-01 12:00", "rank_costs": [0, 4, 1, 9]}}, "allocation.rank_costs"),
        ({"allocation": {"at": "2026-04-01 12:00", "balance": {"tolerance": 2}}}, "allocation.balance.tolerance"),
        ({"contact": "nobody"}, "contact"),
        ({"organiser_emails": []}, "organiser_emails"),
        ({"questions": [{"id": "diet", "kind": "choice", "label": "Diet"}]}, "questions[0].options"),
    ],
)
def test_each_mistake_is_named_by_its_path(changes: dict[str, Any], path: str) -> None:
    assert path in faults(**changes)


def test_all_mistakes_are_named_at_once() -> None:
    found = faults(timezone="Mars/Olympus", themes=themes(id="governance", capacity=-1), colour="green")

    assert {"timezone", "themes[0].capacity", "themes[1].id", "colour"} <= set(found)


def test_a_missing_key_is_named() -> None:
    data = event_data()
    del data["venue"]

    with pytest.raises(EventFileError, match="venue: is missing"):
        check_event(data)


def test_times_stay_times_and_no_stays_a_word() -> None:
    text = """
    id: day
    title: no
    summary: 25
    """
    with pytest.raises(EventFileError) as caught:
        parse_event(text)

    assert "title" not in {fault.path for fault in caught.value.faults}


def test_numbers_may_stand_where_ids_and_prices_are_meant() -> None:
    rounds = [{"id": 1, "start": "13:00", "end": "14:00"}, {"id": 2, "start": "14:00", "end": "15:00"}]
    event = make_event(rounds=rounds, agenda=[], price=25, capacities={"vision": {1: 3}}, reminder_days=2)

    assert [slot.id for slot in event.rounds] == ["1", "2"]
    assert (event.price, event.seats("vision", "1"), event.seats("vision", "2")) == ("25", 3, 10)
    assert event.reminder_days == [2]


@pytest.mark.parametrize(
    "text", ["", "- a list", "id: [", "id: a\nid: b", "\t", "!!python/object:os.system x", "a: " + "[" * 5000]
)
def test_what_is_no_event_file_is_refused_in_words(text: str) -> None:
    with pytest.raises(EventFileError) as caught:
        parse_event(text)

    assert all(fault.message for fault in caught.value.faults)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), st.lists) | st.from_type(dict))
def test_no_data_whatever_escapes_as_another_error(raw: object) -> None:
    with pytest.raises(EventFileError):
        check_event(raw)


@given(st.sampled_from(sorted(event_data())), st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists))
def test_any_key_replaced_by_nonsense_is_an_event_or_a_fault(key: str, value: object) -> None:
    faults: list[Fault] = []
    try:
        check_event(event_data(**{key: value}))
    except EventFileError as error:
        faults = error.faults

    assert all(fault.message for fault in faults)


def test_an_event_survives_its_own_json() -> None:
    event = make_event(questions=[{"id": "diet", "type": "text", "title": "Diet"}], capacities={"vision": {"first": 0}})

    assert check_event(event.model_dump(mode="json")) == event
    assert type(event).model_validate_json(event.model_dump_json(exclude_defaults=True)) == event


@pytest.mark.parametrize(
    ("changes", "path", "example"),
    [
        ({"id": "Nature Day!"}, "id", "nature-day"),
        ({"organiser_emails": ["nobody"]}, "organiser_emails[0]", "name@example.org"),
        ({"language": "English"}, "language", "such as en"),
    ],
)
def test_what_a_text_should_look_like_is_said_by_example(changes: dict[str, Any], path: str, example: str) -> None:
    assert example in faults(**changes)[path]
