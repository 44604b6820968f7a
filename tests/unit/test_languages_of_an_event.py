"""Texts of an event in several languages: read by everybody in theirs, whole in the file, checked by path."""

from __future__ import annotations

from typing import Any

import pytest

from shared.event_file import EventFileError, check_event
from shared.models import Event
from tests.support.factories import event_data, make_event

TITLE = {"en": "Water", "nl": "Water en bodem", "fr": "Eau"}
CHOICE = {"id": "travel", "kind": "choice", "label": TITLE, "options": [{"en": "Train", "fr": "Le train"}, "Bus"]}


def in_three(**changes: Any) -> Event:
    themes = [{**event_data()["themes"][0], "title": TITLE}, *event_data()["themes"][1:]]
    return make_event(**({"themes": themes, "languages": []} | changes))


def test_a_reader_gets_the_text_in_their_language_and_a_plain_text_as_it_is() -> None:
    french = in_three().in_language("fr")

    assert (french.themes[0].title, french.themes[1].title) == ("Eau", "Governance")


def test_code_that_knows_no_languages_reads_the_events_own_whatever_stands_first() -> None:
    assert in_three(language="nl").themes[0].title == "Water en bodem"
    assert in_three().themes[0].title == "Water"


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        ({}, ("en", "nl", "fr")),
        ({"themes": event_data()["themes"]}, ("en",)),
        ({"themes": event_data()["themes"], "languages": ["fr", "en"]}, ("en", "fr")),
        ({"themes": event_data()["themes"], "language": "nl"}, ("nl",)),
    ],
)
def test_the_event_offers_the_languages_it_has(changes: dict[str, Any], spoken: tuple[str, ...]) -> None:
    assert in_three(**changes).spoken == spoken


def test_every_language_survives_storing() -> None:
    event = in_three(questions=[CHOICE])
    stored = Event.model_validate_json(event.model_dump_json(exclude_defaults=True))

    assert stored == event
    assert stored.in_language("nl").themes[0].title == "Water en bodem"
    assert check_event(event.model_dump(mode="json")) == event


def test_a_change_in_one_language_alone_is_a_change() -> None:
    assert in_three() != in_three(title={"en": "Nature connectivity", "nl": "Natuur"})


def test_an_answer_is_known_by_the_text_in_the_events_own_language() -> None:
    option = in_three(questions=[CHOICE]).in_language("fr").questions[0].options[0]

    assert (option, getattr(option, "original", "")) == ("Le train", "Train")


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"title": {"nl": "Dag"}}, "title", "English"),
        ({"title": {"de": "Tag"}}, "title", "de is no language"),
        ({"title": {}}, "title", "no language"),
        ({"title": {"en": ""}}, "title", "English: is empty"),
        ({"title": {"en": 7}}, "title", "English: write text"),
        ({"title": {"en": "Day", "nl": "Dag"}, "languages": ["en", "fr"]}, "title", "Dutch"),
        ({"venue": {"name": "N", "address": {"fr": "Rue"}}}, "venue.address", "English"),
        ({"questions": [CHOICE | {"options": [{"nl": "Trein"}, "Bus"]}]}, "questions[0].options[0]", "English"),
        ({"language": "de"}, "language", "en, nl or fr"),
        ({"languages": ["de"]}, "languages[0]", "en, nl or fr"),
    ],
)
def test_a_text_without_its_language_is_told_by_path(changes: dict[str, Any], path: str, told: str) -> None:
    with pytest.raises(EventFileError) as caught:
        check_event(event_data(**({"languages": []} | changes)))

    assert told in {fault.path: fault.message for fault in caught.value.faults}[path]


def test_a_theme_that_is_called_like_a_language_has_seats() -> None:
    themes = [{"id": name, "title": name, "capacity": 10} for name in ("en", "nl", "fr")]
    event = make_event(themes=themes, capacities={"nl": {"first": 3}, "fr": {"second": 4}})

    assert (event.seats("nl", "first"), event.seats("fr", "second")) == (3, 4)
