"""The sample event tells the day as it was, and fills the house with 160 people."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from infra.demo.attendees import make_attendees
from infra.demo.day import PEOPLE, SAMPLE
from infra.demo.local_stack import closing, soon
from shared.event_file import load_event
from shared.models import Event


@pytest.fixture(scope="module")
def event() -> Event:
    """The sample event."""
    return load_event(SAMPLE)


def test_the_day_is_the_real_one(event: Event) -> None:
    """Date, place, organisers, language, price."""
    assert event.date == date(2024, 11, 6)
    assert event.venue.name == "Hendrik Conscience building"
    assert event.venue.address == "Koning Albert II-laan 15, 1210 Brussels"
    assert "Brussels-North" in event.venue.directions
    assert [one.name for one in event.organisers] == ["Life B4B", "Departement Omgeving", "Vogelbescherming Vlaanderen"]
    assert event.language == "en"
    assert event.price.startswith("Free")
    assert "registration is required" in event.price


def test_the_agenda_is_the_real_one(event: Event) -> None:
    """Coffee at nine, home at four, and what the announcement names in between."""
    starts = [item.start.strftime("%H:%M") for item in event.agenda]
    assert starts == ["09:00", "09:30", "09:40", "10:00", "11:50", "12:00", "13:00", "14:15", "14:25", "15:40", "16:00"]
    assert "Toon Denys, secretary-general" in event.agenda[1].speaker
    assert event.agenda[2].speaker == "Life B4B"
    assert "four inspirational presentations" in event.agenda[3].title
    assert event.agenda[3].end == time(11, 50)
    assert event.agenda[9].title == "Wrap-up: next steps and group picture"


def test_everybody_joins_two_of_four_themes_for_an_hour_and_a_quarter(event: Event) -> None:
    """The rounds are 75 minutes each, from 13:00, and over by the wrap-up."""
    assert [theme.title for theme in event.themes] == [
        "Towards an integrated spatial vision",
        "Governance",
        "Mobilisation of additional resources",
        "Wildlife connectivity & capacity building",
    ]
    day = [(event.on_the_day(slot.start), event.on_the_day(slot.end)) for slot in event.rounds]
    assert [end - start for start, end in day] == [timedelta(minutes=75)] * 2
    assert event.rounds[0].start == time(13)
    assert event.rounds[1].end <= time(15, 40)


def test_the_demo_fills_the_house(event: Event) -> None:
    """160 places, 160 people, and hardly a seat more in each round."""
    seats = [sum(event.seats(theme.id, slot.id) for theme in event.themes) for slot in event.rounds]

    assert event.capacity == PEOPLE == 160
    assert all(PEOPLE <= total <= PEOPLE * 1.05 for total in seats)


def test_the_crowd_wants_more_of_a_theme_than_there_is(event: Event) -> None:
    """Governance is the first choice of more people than both of its workshops hold seats together."""
    crowd = make_attendees(event, PEOPLE, "2024")
    first = {theme.id: sum(person.choices[0] == theme.id for person in crowd) for theme in event.themes}

    assert max(first, key=lambda theme: first[theme]) == "governance"
    wish = sum("governance" in person.choices[:2] for person in crowd)
    assert wish > sum(event.seats("governance", slot.id) for slot in event.rounds)


def test_the_crowd_is_the_same_for_the_same_seed(event: Event) -> None:
    """Addresses differ within a crowd and live at example.org."""
    crowd = make_attendees(event, PEOPLE, "a")

    assert crowd == make_attendees(event, PEOPLE, "a")
    assert crowd != make_attendees(event, PEOPLE, "b")
    assert len({person.email for person in crowd}) == PEOPLE
    assert all(person.email.endswith("@example.org") and person.email.isascii() for person in crowd)
    assert {person.partner_type for person in crowd} == {kind.id for kind in event.partner_types}


def test_any_day_can_be_held_soon(event: Event) -> None:
    """The demo moves dates and keeps hours; closing makes the allocation due."""
    now = datetime(2031, 7, 4, 22, 30, tzinfo=UTC)

    coming = soon(event, now)
    assert coming.is_open(now)
    assert coming.date == date(2031, 7, 19)  # two weeks from the local day, where it is past midnight
    assert coming.agenda == event.agenda

    closed = closing(coming, now)
    assert not closed.is_open(now)
    assert closed.allocates_at <= now
