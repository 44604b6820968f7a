"""What the columns of a list of people mean, by their titles, the event's own words, and what stands in them."""

from __future__ import annotations

import pytest

from shared.people_columns import Columns, listed, meant
from tests.support.factories import make_event

CLASSES = [{"id": "a5", "title": "5A"}, {"id": "b5", "title": "5B"}]


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("Your full name", "name"),
        ("What is your name?", "name"),
        ("Vul je volledige naam in", "name"),
        ("Quel est votre nom ?", "name"),
        ("What is your e-mail address?", "email"),
        ("In which class are you?", "partner_type"),
        ("Class", "partner_type"),
        ("Which school are you from?", "organisation"),
        ("Hoe heet je? (voornaam en naam)", "name"),
        ("Comment t’appelles-tu ?", "name"),
        ("Surname (as in your passport)", "last_name"),
        ("What did you like?", ""),
        ("Name of your dog", ""),
        ("What is your first choice?", "choice_1"),
    ],
)
def test_a_question_means_what_it_asks_for(title: str, field: str) -> None:
    event = make_event(labels={"partner_type": "Class"}, partner_types=CLASSES)
    assert Columns(event).guess([title]) == [field]


def test_a_column_of_nothing_but_partner_types_is_theirs() -> None:
    columns = Columns(make_event(partner_types=CLASSES))
    rows = [["5A", "yes", "Ann"], ["5b", "no", "Bob"], ["", "no", "Cas"]]

    assert columns.guess(["Group", "Vegetarian", "Name"], rows) == ["partner_type", "", "name"]
    assert columns.guess(["Class", "Vegetarian", "Name"], rows) == ["partner_type", "", "name"]
    assert columns.guess(["Group", "Type", "Name"], rows) == ["group", "partner_type", "name"]
    assert columns.guess(["Group", "Vegetarian", "Name"], [*rows, ["5C", "no", "Dries"]]) == ["group", "", "name"]


def test_ids_are_read_as_they_are_written_and_what_could_mean_two_themes_means_none() -> None:
    ids = {"a-b": "A.B", "a.b": "c", "c": "Forest", "C": "Two words", "two": "Forest", "words": "—"}
    themes = [{"id": one, "title": title, "capacity": 9} for one, title in ids.items()]
    known = Columns(make_event(themes=themes)).themes

    assert [meant(one, known) for one in ids] == [(one, True) for one in ids]
    assert [listed(one, known) for one in ids] == [[one] for one in ids]
    assert listed("two words", known) == ["two", "words"]
    assert meant("Two  Words", known) == ("C", True)
    assert [meant(typed, known) for typed in ("Forest", "–")] == [("Forest", False), ("–", False)]
