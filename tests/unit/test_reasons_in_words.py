"""A reason in words: whatever the allocator says, in every language, with titles and hours."""

from __future__ import annotations

import re

import pytest

from shared.models import Event, Says, Statement
from shared.reasons import about_them, in_words, ordinal
from tests.support.factories import make_event

GOT = Statement(Says.GOT, "governance", 2)
MISSED = [
    Statement(says, "vision", 1, "second", "governance", others=12, seats=9, heads=heads)
    for says in Says
    if says not in {Says.GOT, Says.EXPECTED, Says.UNRANKED, Says.ABSENT, Says.AS_PUBLISHED}
    for heads in (1, 3)
]
OTHERS = [Statement(Says.EXPECTED, "vision"), Statement(Says.UNRANKED, "vision"), Statement(Says.AS_PUBLISHED)]


@pytest.mark.parametrize("said", [*MISSED, *OTHERS], ids=lambda one: f"{one.says}-{one.heads}")
def test_every_statement_is_told_in_every_language(event: Event, said: Statement) -> None:
    told = {in_words([GOT, said], event, language) for language in ("en", "nl", "fr")}

    assert len(told) == 3
    for text in told:
        assert "Governance" in text
        assert ("Vision" in text) == bool(said.theme)
        assert "%(" not in text
        assert "second" not in text


SECOND_PERSON = {"en": r"you|your", "nl": r"je|jij|jou|jouw", "fr": r"vous|votre|vos"}


@pytest.mark.parametrize("language", SECOND_PERSON)
def test_organisers_read_in_the_third_person_what_attendees_read_in_the_second(event: Event, language: str) -> None:
    one = [Statement(Says.DEMAND, "vision", 1, others=others, seats=1) for others in (1, 5)]
    one += [Statement(Says.FULL, "vision", 1, seats=1), Statement(Says.ABSENT)]
    second = re.compile(rf"\b({SECOND_PERSON[language]})\b", re.IGNORECASE)
    seen = {said: (in_words([GOT, said], event, language), about_them([GOT, said], event, language)) for said in one}
    seen |= {said: (in_words([said], event, language), about_them([said], event, language)) for said in MISSED + OTHERS}

    assert [said for said, (_, organiser) in seen.items() if second.search(organiser) or "%(" in organiser] == []
    assert all(organiser for _, organiser in seen.values())
    assert language == "en" or not {about_them([said], event) for said in seen} & {told for _, told in seen.values()}


def test_hours_stand_for_rounds_and_ranks_follow_the_language(event: Event) -> None:
    reason = [GOT, Statement(Says.GOT, "resources", 3), Statement(Says.CLASH, "vision", 1, "second", "governance")]

    assert in_words(reason, event) == (
        "Governance (your 2nd choice) and Resources (your 3rd choice). "
        "Your 1st choice, Vision, has seats left at 14:20, the time of Governance, which you rank higher."
    )
    assert in_words(reason, event, "nl") == (
        "Governance (je 2e keuze) en Resources (je 3e keuze). "
        "Je 1e keuze, Vision, heeft om 14:20 nog plaatsen, tegelijk met Governance, die je hoger rangschikt."
    )
    assert "Votre 1er choix, Vision," in in_words(reason, event, "fr")


def test_one_person_out_of_balance_is_one_person_and_three_are_three(event: Event) -> None:
    def said(heads: int) -> str:
        return in_words([Statement(Says.MIX, "vision", 1, "first", "governance", heads=heads)], event)

    assert "one person further out of balance" in said(1)
    assert "3 people further out of balance" in said(3)


def test_one_other_person_and_one_seat_are_told_as_such(event: Event) -> None:
    def said(says: Says, others: int, seats: int) -> str:
        return in_words([Statement(says, "vision", 1, others=others, seats=seats)], event)

    assert "1 other person ranked it as high or higher, and there was 1 seat." in said(Says.DEMAND, 1, 1)
    assert "5 others ranked it as high or higher, and there was 1 seat." in said(Says.DEMAND, 5, 1)
    assert "5 others ranked it as high or higher, for 3 seats." in said(Says.DEMAND, 5, 3)
    assert "its 1 seat is taken" in said(Says.FULL, 0, 1)


def test_who_has_no_workshop_and_who_has_no_reason(event: Event) -> None:
    assert in_words([Statement(Says.ABSENT)], event).startswith("You are absent in every round")
    assert in_words([], event) == ""


def test_a_theme_has_the_title_it_has_now() -> None:
    renamed = make_event()
    renamed = renamed.model_copy(
        update={"themes": [theme.model_copy(update={"title": theme.title.upper()}) for theme in renamed.themes]}
    )

    assert in_words([GOT], renamed) == "GOVERNANCE (your 2nd choice)."


@pytest.mark.parametrize(
    ("number", "written"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (112, "112th")]
)
def test_english_ordinals(number: int, written: str) -> None:
    assert ordinal(number) == written
