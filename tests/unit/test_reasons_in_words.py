"""The allocator's reasons in the reader's language: whatever it says is read back whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from functions.allocate.problem import NOWHERE
from functions.allocate.reasons import Cause, Missed, Words
from shared.models import Event
from shared.reasons import told
from tests.factories import event_data, make_event

TITLES = ["Vision", "Vision and law", "Water (and peat), round two", "Wildlife"]


@pytest.fixture
def event() -> Event:
    """Themes whose titles contain what sentences are made of."""
    themes = [{**theme, "title": title} for theme, title in zip(event_data()["themes"], TITLES, strict=True)]
    return make_event(themes=themes)


def words(*, optimal: bool = True, pinned: bool = False, kept: bool = False) -> Words:
    nowhere = np.full((1, 2), NOWHERE)
    problem: Any = SimpleNamespace(
        rounds=["first", "second"],
        rank=np.array([[0, 1, 2, 3]]),
        pinned=np.array([[2, NOWHERE]]) if pinned else nowhere,
        held=np.array([[2, 1]]) if kept else nowhere,
        change_cost=1,
    )
    return Words(problem, TITLES, optimal)


FACTS: list[dict[str, Any]] = [
    {},
    {"equals": True},
    {"others": 1, "seats": 9},
    {"others": 12, "seats": 9},
    {"heads": 1},
]

MISSED = [
    Missed(theme=0, rank=0, cause=cause, round=0, instead=1, **{"seats": 4, "heads": 2, **more})
    for cause in Cause
    for more in FACTS
] + [Missed(theme=1, rank=1, cause=Cause.MIX, round=1, instead=3)]


@pytest.mark.parametrize("optimal", [True, False])
@pytest.mark.parametrize("missed", MISSED, ids=lambda one: f"{one.cause.name}-{one.others}-{one.heads}-{one.equals}")
def test_every_cause_is_said_in_every_language(event: Event, missed: Missed, optimal: bool) -> None:
    reason = words(optimal=optimal).sentence(0, np.array([2, 1]), [missed, missed])

    said = {language: told(reason, event, language) for language in ("en", "nl", "fr")}

    assert {language: spoken for language, (_, spoken) in said.items()} == {"en": "en", "nl": "nl", "fr": "fr"}
    assert len({text for text, _ in said.values()}) == 3
    for text, _ in said.values():
        assert "Water (and peat), round two" in text
        assert text.count(TITLES[missed.theme]) >= 2
        assert "%(" not in text
        assert " first," not in text


def test_hours_stand_for_rounds_and_ranks_follow_the_language(event: Event) -> None:
    clash = Missed(theme=0, rank=0, cause=Cause.CLASH, round=1, instead=1)
    reason = words().sentence(0, np.array([2, 1]), [clash])

    assert told(reason, event, "en")[0] == (
        "Vision and law (your 2nd choice) and Water (and peat), round two (your 3rd choice). "
        "Your 1st choice, Vision, has seats left only at 14:20, the time of Vision and law, which you rank higher."
    )
    assert told(reason, event, "nl")[0] == (
        "Vision and law (je 2e keuze) en Water (and peat), round two (je 3e keuze). "
        "Je 1e keuze, Vision, heeft alleen om 14:20 nog plaatsen, tegelijk met Vision and law, die je hoger rangschikt."
    )
    assert "Votre 1er choix, Vision," in told(reason, event, "fr")[0]


def test_what_is_kept_expected_and_absent_is_said_too(event: Event) -> None:
    kept = words(kept=True).sentence(0, np.array([2, 1]), [])
    expected = words(pinned=True).sentence(0, np.array([2, 1]), [])
    absent = words().sentence(0, np.array([NOWHERE, NOWHERE]), [])

    for reason in (kept, expected, absent):
        assert told(reason, event, "en") == (reason, "en")
        assert told(reason, event, "nl")[1] == "nl"
    assert "waar je verwacht wordt" in told(expected, event, "nl")[0]


@pytest.mark.parametrize(
    "reason", ["", "Because.", "Old title (your 1st choice).", "Vision (your 1st choice), nothing."]
)
def test_what_does_not_read_as_expected_stays_as_it_is(event: Event, reason: str) -> None:
    assert told(reason, event, "nl") == (reason, "en")
