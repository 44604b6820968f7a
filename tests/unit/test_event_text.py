"""The event file keeps its comments and its order when pages change the event."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event_file import EventFileError, as_data, check_event, parse_event
from shared.event_text import as_written
from shared.new_event import example
from tests.support.factories import NOW, full_event_data

Data = dict[str, Any]

DATA = as_data(
    check_event(full_event_data(summary={"en": "A day.\n\nFor all.", "nl": "Een dag."}, languages=["en", "nl"]))
)


def commented(value: Any, path: str = "", column: int = 0) -> Iterator[str]:
    """A file with a comment above each key and item, and one behind each line that begins a value."""
    margin = " " * column
    if isinstance(value, dict):
        for key, one in value.items():
            here = f"{path}.{key}" if path else key
            yield f"{margin}# above {here};"
            yield from _after(f"{margin}{key}:", one, here, column + 2)
    else:
        for n, one in enumerate(value):
            here = f"{path}[{n}]"
            yield f"{margin}# above {here};"
            if isinstance(one, dict):
                first, *rest = commented(one, here, column + 2)
                yield f"{margin}-"
                yield from [first, *rest]
            else:
                yield from _after(f"{margin}-", one, here, column + 2)


def _after(start: str, value: Any, path: str, column: int) -> Iterator[str]:
    if isinstance(value, dict | list):
        yield f"{start}  # at {path};"
        yield from commented(value, path, column)
    else:
        yield f"{start} {json.dumps(value, ensure_ascii=False)}  # at {path};"


FILE = "\n".join(commented(DATA)) + "\n"

TEXTS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), include_characters="\n"), min_size=1, max_size=30)

REQUIRED = ["title", "summary", "venue.name", "agenda[1].title", "themes[2].title", "questions[0].label"]
OPTIONAL = [
    *("venue.map", "venue.directions", "held_in", "price", "labels", "feedback", "mail_texts.programme", "door_emails"),
    *("themes[0].description", "themes[0].minimum", "themes[0].leaders", "themes[1].for", "registration.capacity"),
    *("allocation.change_cost", "questions", "questions[1].required", "capacities", "ranking", "agenda[0].speaker"),
]
LISTS = ["agenda", "questions", "reminder_days", "themes[0].leaders", "organisers", "themes", "door_emails"]


def holder(data: Data, path: str) -> tuple[Any, Any]:
    """What holds the value at a path, and its key in it."""
    *above, last = (int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", path))
    found: Any = data
    for part in above:
        found = found[part]
    return found, last


def changed(path: str, value: Any) -> Callable[[Data], list[str]]:
    def change(data: Data) -> list[str]:
        held, key = holder(data, path)
        held[key] = value
        return [path]

    return change


def removed(path: str) -> Callable[[Data], list[str]]:
    def change(data: Data) -> list[str]:
        held, key = holder(data, path)
        gone = held.pop(key)
        if not path.endswith("]"):
            return [path]
        above = path.rpartition("[")[0]
        first, name = holder(DATA, above)
        return [f"{above}[{first[name].index(gone)}]" if held and gone in first[name] else above]

    return change


def added(path: str, value: Any) -> Callable[[Data], list[str]]:
    def change(data: Data) -> list[str]:
        held, key = holder(data, path)
        held[key].append(value)
        return []

    return change


def turned_round(path: str) -> Callable[[Data], list[str]]:
    def change(data: Data) -> list[str]:
        held, key = holder(data, path)
        held[key].reverse()
        return []

    return change


EDITS = st.one_of(
    st.builds(changed, st.sampled_from([*REQUIRED, "mail_texts.reminder", "themes[1].description"]), TEXTS),
    st.builds(changed, st.just("title"), st.fixed_dictionaries({"en": TEXTS, "nl": TEXTS})),
    st.builds(changed, st.just("themes[0].minimum"), st.integers(0, 5)),
    st.builds(changed, st.just("venue.map"), st.just("https://example.org/#a: b")),
    st.builds(changed, st.just("allocation.at"), st.just("2026-04-01T13:30")),
    st.builds(changed, st.just("registration.groups"), st.just(False)),
    st.builds(removed, st.sampled_from(OPTIONAL)),
    st.builds(removed, st.sampled_from([f"{path}[0]" for path in LISTS if path != "themes"])),
    st.builds(added, st.just("agenda"), st.builds(lambda title: {"start": "17:00", "title": title}, TEXTS)),
    st.builds(added, st.just("reminder_days"), st.just(3)),
    st.builds(added, st.just("organiser_emails"), st.just("second@example.org")),
    st.builds(added, st.just("partner_types"), st.builds(lambda title: {"id": "new", "title": title}, TEXTS)),
    st.builds(turned_round, st.sampled_from(["themes", "questions", "partner_types"])),
)


@settings(max_examples=40)
@given(st.lists(EDITS, min_size=1, max_size=4))
def test_a_changed_event_is_read_back_and_untouched_keys_keep_their_comments(
    edits: list[Callable[[Data], list[str]]],
) -> None:
    data, touched = deepcopy(DATA), []
    for edit in edits:
        try:
            before = deepcopy(data)
            now_touched = edit(data)
            check_event(data)
            touched += now_touched
        except (EventFileError, LookupError):
            data = before
    event = check_event(data)

    text = as_written(FILE, event)

    assert parse_event(text) == event
    for kind, path in re.findall(r"# (above|at) (\S+);", FILE):
        if not any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in touched):
            assert f"# {kind} {path};" in text, (kind, path, text)


@pytest.mark.parametrize(
    ("old", "new", "data"),
    [
        ("capacity: 20                    # seats in each round", "capacity: 25                    # seats in each", 0),
        ("title: Soil, capacity: 20, rooms: Room 2}", "title: Soil, capacity: 21, rooms: Room 2}", 1),
    ],
)
def test_nothing_but_the_changed_value_is_written_anew(old: str, new: str, data: int) -> None:
    text = example(NOW.date())
    file = as_data(parse_event(text))
    file["themes"][data]["capacity"] = 25 - 4 * data
    expected = text.replace(old.partition("  #")[0], new.partition("  #")[0], 1)

    assert as_written(text, check_event(file)) == expected != text


@pytest.mark.parametrize(
    "text",
    ["", "id: [broken", "title: another event", "\ufeff" + example(NOW.date()).replace("\n", "\r\n")],
    ids=["none", "not yaml", "not an event", "windows"],
)
def test_whatever_the_text_was_the_file_reads_back_as_the_event(text: str) -> None:
    event = check_event(full_event_data())
    assert parse_event(as_written(text, event)) == event


def test_an_alias_that_a_change_would_follow_costs_the_comments_and_nothing_else() -> None:
    text = example(NOW.date()).replace("title: Water", "title: &name Water").replace("title: Soil", "title: *name")
    data = as_data(parse_event(text))
    data["themes"][0]["title"] = "Rivers"
    event = check_event(data)

    assert parse_event(as_written(text, event)) == event
