"""The public page of an event: its own words, its day without an agenda, and a few wishes of many."""

from __future__ import annotations

import pytest

from functions.register.forms import Details, form_of, read_details
from shared.errors import InvalidError
from shared.event_file import EventFileError, check_event
from shared.events import put_event
from shared.models import Event
from shared.table import Table, update
from tests.support.attendee_client import Web
from tests.support.factories import NOW, event_data, make_event, make_registration


@pytest.fixture
def reader(table: Table, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A reader of the public pages."""
    from functions.register import app, web

    monkeypatch.setattr(web, "table", table)
    monkeypatch.setattr(web, "clock", lambda: NOW)
    return Web(app.handler)


def test_the_page_speaks_the_words_of_the_event(reader: Web, table: Table) -> None:
    registration = {**event_data()["registration"], "organisation": "not_asked"}
    labels = {"partner_type": "Class", "partners": "classes"}
    event = make_event(
        agenda=[], labels=labels, held_in="Dutch", registration=registration, price="", ranking={"least": 1, "most": 2}
    )
    put_event(table, event, actor="test", now=NOW)
    page = reader.visit("/events/nature").text

    for words in ("<legend>Class</legend>", "a mix of classes", "Dutch", "Workshops, round 2", "Room vision", "map"):
        assert words in page
    assert 'name="organisation"' not in page
    assert page.index("About vision.") < page.index('id="register"')
    assert ('id="choice-2"' in page, 'id="choice-3"' in page) == (True, False)
    assert "Choice 2 (optional)" in page


def test_the_page_says_what_is_not_held_what_is_full_and_when_registration_closed(
    reader: Web, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = make_event(capacities={"vision": {"first": 0}, "wildlife": {"first": 0, "second": 0}})
    put_event(table, event, actor="test", now=NOW)
    table.write(update("EVENT#nature", "STATE", assign={"counted": {"places": "full"}}))
    full = reader.visit("/events/nature").text
    hero = full[: full.index("</h2>")]

    assert (full.count("Only at 14:20."), full.count("This workshop does not take place.")) == (1, 1)
    assert "All places are taken. You can register to wait for one." in hero
    assert "Register for the waiting list" in hero

    monkeypatch.setattr("functions.register.web.clock", lambda: event.closes_at)
    closed = reader.visit("/events/nature").text
    assert "Registration closed" in closed
    assert "Register, change or withdraw until" not in closed
    assert "of least cost" not in closed


def details(event: Event, *choices: str) -> Details:
    """What a person sends who ranks these themes."""
    return read_details(
        event, {"name": "Ann", "email": "ann@example.org", "partner_type": "ngo", "choices": list(choices)}
    )


def test_as_many_wishes_as_the_event_asks_for_do(event: Event) -> None:
    few = make_event(ranking={"least": 2, "most": 3})
    assert details(few, "vision", "wildlife").choices == ["vision", "wildlife"]
    for choices in (("vision",), ("vision", "wildlife", "resources", "governance")):
        with pytest.raises(InvalidError) as refused:
            details(few, *choices)
        assert list(refused.value.fields) == ["choices"]
    with pytest.raises(InvalidError):
        details(event, "vision", "wildlife")


def test_a_theme_added_later_stands_unranked_behind_the_ranking() -> None:
    data = event_data()
    data["themes"].append({"id": "water", "title": "Water", "capacity": 10})
    form = form_of(check_event(data), make_registration())
    assert form.shown_order == [*make_registration().choices, "water"]
    assert "water" not in form.choices


@pytest.mark.parametrize(
    ("ranking", "path"), [({"least": 3, "most": 2}, "ranking.least"), ({"most": 5}, "ranking.most")]
)
def test_wishes_that_no_ranking_can_have_are_mistakes(ranking: dict[str, int], path: str) -> None:
    with pytest.raises(EventFileError) as refused:
        make_event(ranking=ranking)
    assert [fault.path for fault in refused.value.faults] == [path]
