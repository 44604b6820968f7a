"""The event file: read whole, or every mistake named by its path, all at once."""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_file import EventFileError, Fault, check_event, parse_event
from shared.i18n import Told, in_language
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
        ({"themes": themes(rounds=["third"])}, "themes[0].rounds[0]"),
        ({"themes": themes(**{"for": ["ngo", "guild"]})}, "themes[0].for[1]"),
        ({"themes": themes(minimum={"third": 2})}, "themes[0].minimum.third"),
        ({"themes": themes(minimum={"second": 11})}, "themes[0].minimum.second"),
        ({"themes": [{**one, "for": ["government"]} for one in themes()[:3]] + themes()[3:]}, "partner_types[1]"),
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


CODES = re.compile(r"`|\b(?:r1|first|second|government|registration\.\w+)\b|' or '")


@pytest.mark.parametrize(
    "changes",
    [
        {"themes": themes(minimum=11)},
        {"themes": themes(capacity=None)},
        {"themes": themes(minimum={"second": 11})},
        {"themes": [{**one, "for": ["ngo"]} for one in themes()[:3]] + themes()[3:]},
        {"registration": {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 41}},
        {"registration": {"opens": "2026-04-02 09:00", "closes": "2026-04-01 12:00"}},
        {"allocation": {"at": "2026-03-31 12:00"}},
        {"language": "de"},
        {"title": {"nl": "Dag"}},
        {"languages": ["en"], "title": {"en": "Day", "nl": "Dag"}},
        {"ranking": {"least": 3, "most": 2}},
    ],
)
def test_a_mistake_of_a_form_is_told_in_words_that_stand_on_its_page(changes: dict[str, Any]) -> None:
    """People who fill in a form know hours and titles, not ids, and not a word of another language."""
    for message in faults(**changes).values():
        told = {language: str(in_language(message, language)) for language in ("en", "nl", "fr")}

        assert len(set(told.values())) == 3
        assert {language: words for language, words in told.items() if CODES.search(words)} == {}
        assert not re.search(r"\bor\b", told["nl"] + told["fr"])


@pytest.mark.parametrize("value", [None, True, 1.5, -1, 10**12, "", "x" * 5000, [], [{}], {}, {"fr": 1}, ["x"] * 3000])
def test_no_mistake_is_in_the_words_of_a_library(value: Any) -> None:
    data = event_data(
        languages=["en"], questions=[{"id": "diet", "kind": "text", "label": "Diet"}], ranking={"most": 2}
    )

    def replaced(part: Any) -> Iterator[tuple[dict[Any, Any] | list[Any], Any]]:
        for key in part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
            yield part, key
            yield from replaced(part[key])

    said: dict[str, str] = {}
    for holder, key in list(replaced(data)):
        kept = holder[key]
        holder[key] = value
        try:
            check_event(data)
        except EventFileError as error:
            said |= {fault.path: fault.message for fault in error.faults}
        holder[key] = kept

    assert said
    assert {path: words for path, words in said.items() if not isinstance(words, Told)} == {}


def test_an_event_survives_its_own_json() -> None:
    event = make_event(questions=[{"id": "diet", "type": "text", "title": "Diet"}], capacities={"vision": {"first": 0}})

    assert check_event(event.model_dump(mode="json")) == event
    assert type(event).model_validate_json(event.model_dump_json(exclude_defaults=True)) == event


@pytest.mark.parametrize(
    ("changes", "path", "example"),
    [
        ({"id": "Nature Day!"}, "id", "nature-day"),
        ({"organiser_emails": ["nobody"]}, "organiser_emails[0]", "name@example.org"),
        ({"language": "English"}, "language", "en, nl or fr"),
    ],
)
def test_what_a_text_should_look_like_is_said_by_example(changes: dict[str, Any], path: str, example: str) -> None:
    assert example in faults(**changes)[path]


def with_text(**keys: str) -> str:
    """A good event file as YAML whose top-level keys are replaced by the YAML given."""
    data = event_data()
    lines = [f"{key}: {json.dumps(value, default=str)}" for key, value in data.items() if key not in keys]
    return "\n".join(lines + [f"{key}: {value}" for key, value in keys.items()])


def faults_of(text: str) -> dict[str, str]:
    with pytest.raises(EventFileError) as caught:
        parse_event(text)
    return {fault.path: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("09.00", '"09:00"'),
        ("9:00", '"09:00"'),
        ('"9.30"', '"09:30"'),
        ('"9h30"', '"09:30"'),
        ("0", '"09:00"'),
        ("13:00Z", "leave the zone out"),
        ('"13:00+02:00"', "leave the zone out"),
        ("25:00", '"09:00"'),
        ("[9, 0]", '"09:00"'),
        ("", '"09:00"'),
    ],
)
@pytest.mark.parametrize("place", ["rounds[0].start", "agenda[0].start"])
def test_a_time_that_is_no_text_of_hours_and_minutes_is_told_how_to_write_it(
    written: str, told: str, place: str
) -> None:
    rows = {
        "rounds[0].start": {"rounds": f'[{{id: first, start: {written}, end: "14:00"}}]', "agenda": "[]"},
        "agenda[0].start": {"agenda": f"[{{start: {written}, title: Talk}}]"},
    }

    assert told in faults_of(with_text(**rows[place]))[place]


OPENS = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"}
QUESTION = {"id": "q", "kind": "text", "label": "L"}


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"date": "9999-12-31"}, "date", "2000 to 2199"),
        ({"date": "1999-12-31"}, "date", "2000 to 2199"),
        ({"date": 20260416}, "date", "2026-04-16"),
        ({"date": "2026-02-30"}, "date", "no day of the calendar"),
        ({"registration": OPENS | {"opens": "0001-01-01T00:00:00"}}, "registration.opens", "2199"),
        ({"registration": OPENS | {"opens": 0}}, "registration.opens", "2026-04-16 18:00"),
        ({"allocation": {"at": "2026-04-01T12:00Z"}}, "allocation.at", "leave the zone out"),
        ({"allocation": {"at": "2026-03-29 02:30"}}, "allocation.at", "does not exist"),
        ({"questions": [QUESTION | {"purpose": "\ud800"}]}, "questions[0].purpose", "U+D800"),
        ({"title": "A\x00B"}, "title", "U+0000"),
        ({"questions": [QUESTION | {"id": f"q{n}"} for n in range(5000)]}, "questions", "at most 50"),
        ({"agenda": [{"start": "09:00", "title": "T"}] * 5000}, "agenda", "at most 200"),
        ({"venue": "the barn"}, "venue", "keys and values"),
        ({"themes": "vision"}, "themes", "write a list"),
        ({"timezone": "x" * 5000}, "timezone", "at most 60"),
    ],
)
def test_values_that_no_calendar_or_table_can_hold_are_told_by_path(
    changes: dict[str, Any], path: str, told: str
) -> None:
    assert told in faults(**changes)[path]


@pytest.mark.parametrize("bad", ["1e-10000000", "1e-20000", 0.12345678, "0.1234567", -0.1, 2, "x", True, None, []])
def test_a_tolerance_has_at_most_six_decimals(bad: object) -> None:
    found = faults(allocation={"at": "2026-04-01 12:00", "balance": {"tolerance": bad}})

    assert "six decimals" in found["allocation.balance.tolerance"]


def test_numbers_stay_as_the_file_writes_them_where_text_is_meant() -> None:
    rounds = '[{id: 01, start: "13:00", end: "14:00"}, {id: 02, start: "14:00", end: "15:00"}]'
    event = parse_event(with_text(price="25.00", rounds=rounds, agenda="[]", capacities="{vision: {01: 3}}"))

    assert (event.price, [slot.id for slot in event.rounds]) == ("25.00", ["01", "02"])
    assert event.seats("vision", "01") == 3


def test_nested_aliases_are_refused_before_they_are_followed() -> None:
    levels = ["l0: &l0 [x,x,x,x,x,x,x,x,x]"]
    levels += [f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert "aliases" in faults_of("\n".join([*levels, "themes: [{id: *l11}]"]))[""]
    assert "aliases" in faults_of("themes: &all [*all]")[""]


def test_an_event_too_large_for_the_table_is_a_fault_even_when_aliases_keep_its_file_small() -> None:
    entry = '{name: N, about: "' + "a" * 4000 + '"}'
    organisers = "[&o " + entry + ", *o" * 49 + "]"
    agenda = '[&a {start: "09:00", title: "' + "t" * 3000 + '"}' + ", *a" * 99 + "]"

    assert "shorten" in faults_of(with_text(organisers=organisers, agenda=agenda))[""]


@pytest.mark.sweep
def test_no_mutation_of_a_good_file_escapes_as_another_error() -> None:
    """The fuzzer that found four kinds of unforeseen error in 56,170 mutations of the sample file."""
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    values: list[Any] = [
        None, True, 0, -1, 1, 10**400, 1.5, float("inf"), float("nan"), "", "0", "\ud800", "\x00", "9999-12-31",
        "13:00Z", "1e-9999999", "a" * 5000, [], [[]], {}, {"id": "x"}, {1: 2}, [None], "first", "vision",
    ]  # fmt: skip
    for _ in range(int(os.environ.get("MUTATIONS", "20000"))):
        data = copy.deepcopy(event_data())
        for _ in range(dice.randrange(1, 4)):
            part: Any = data
            while isinstance(part, dict | list) and part:
                key = dice.choice(list(part)) if isinstance(part, dict) else dice.randrange(len(part))
                if dice.random() < 0.4 or not isinstance(part[key], dict | list) or not part[key]:
                    part[key] = dice.choice(values)
                    break
                part = part[key]
        try:
            event = check_event(data)
        except EventFileError:
            continue
        event.model_dump_json()
        assert event.opens_at < event.closes_at
        assert event.retained_until


def test_a_theme_may_run_in_some_rounds_be_open_to_some_types_and_have_a_minimum_of_its_own_in_each_round() -> None:
    """What real programmes ask: a workshop that runs once, one for members only, and one that needs more at first."""
    event = make_event(themes=themes(rounds=["second"], minimum={"first": 4, "second": 3}, **{"for": ["government"]}))
    theme = event.themes[0]

    assert [event.seats(theme.id, slot) for slot in ("first", "second")] == [0, theme.capacity]
    assert [event.minimum(theme.id, slot) for slot in ("first", "second")] == [0, 3]
    assert (theme.is_open_to("government"), theme.is_open_to("ngo")) == (True, False)


def test_a_workshop_expects_nobody_of_a_type_that_it_is_not_open_to() -> None:
    """Twelve people of the type spread over the three themes that are open to them."""
    event = make_event(themes=themes(**{"for": ["government"]}))

    assert event.band("vision", "first", "ngo", 12, Fraction(0)) == (0, 0)
    assert event.band("governance", "first", "ngo", 12, Fraction(0)) == (4, 4)
    assert event.band("governance", "first", "government", 12, Fraction(0)) == (3, 3)


@pytest.mark.parametrize(
    "line",
    ['price: !!int ""', 'price: !!float ""', "draft: !!bool maybe", "timezone: !!binary aGk=", "agenda: !!set {a}"],
)
def test_a_tag_that_does_not_fit_its_value_is_a_mistake_at_its_line(line: str) -> None:
    with pytest.raises(EventFileError) as refused:
        parse_event(f"id: nature\n{line}\n")
    [fault] = refused.value.faults
    assert (fault.line, "tag" in fault.words) == (2, True)


def test_merges_of_merges_are_refused_before_they_are_written_out() -> None:
    """Twelve short lines would stand for four to the twelfth keys."""
    merged = [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 12)]
    with pytest.raises(EventFileError, match="too many values"):
        parse_event("\n".join(["a0: &a0 {k: 1}", *merged]))


def test_thousands_of_mistakes_make_no_endless_answer() -> None:
    data = event_data()
    data["capacities"] = {f"x{n}": {} for n in range(20_000)}
    with pytest.raises(EventFileError) as refused:
        check_event(data)
    assert (len(refused.value.faults), refused.value.faults[-1].path) == (501, "")
