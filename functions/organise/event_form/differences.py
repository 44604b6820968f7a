"""What a change of an event replaces, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from functions.organise.event_form.read_back import first_text
from functions.organise.event_form.words import CHOICES, KEYS, ROWS, words_of
from shared.event_file import as_data
from shared.i18n import LANGUAGE_WORDS, Told, ToldMoment, told, told_together
from shared.local_text import LocalText
from shared.models import Event


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of the file that a change replaces: where it stands, what stood there and what will."""

    where: str
    before: str
    after: str


def differences(before: Event, after: Event) -> list[Difference]:
    """Everything that differs between two events, in the order of the file."""
    names = {**_names(after), **_names(before)}
    old, new = dict(_values_of(before, names)), dict(_values_of(after, names))
    return [
        Difference(_where(path, names), old.get(path, ""), new.get(path, ""))
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    ]


Path = tuple[str, ...]
"""The way to a value of an event: keys of the file, and ids of rows, which stay when titles and hours change."""


def _names(event: Event) -> dict[Path, str]:
    """What rows with an id are called on the pages."""
    return {
        **{("rounds", slot.id): f"{slot.start:%H:%M}" for slot in event.rounds},
        **{("themes", theme.id): theme.title for theme in event.themes},
        **{("partner_types", kind.id): kind.title for kind in event.partner_types},
        **{("questions", question.id): question.label for question in event.questions},
    }


def path_words(path: str, event: Event) -> Told | None:
    """A part of the event file, by its path with ids of rows, as the pages call it; None for what is no such path."""
    parts = tuple(part for part in re.split(r"[.\[\]]+", path) if part)
    return _where(parts, _names(event)) if parts and parts[0] in KEYS else None


def _where(path: Path, names: Mapping[Path, str]) -> Told:
    """The way to a value in words."""
    parts: list[str] = []
    for n, part in enumerate(path):
        row = ("rounds", part) if n and path[n - 1] in ("seats", "room") else path[max(n - 1, 0) : n + 1]
        parts.append(names.get(row) or (part if n and (path[n - 1] in ROWS) else words_of(part)))
    return told_together(parts, " → ")


def _values_of(event: Event, names: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    data = as_data(event)
    data.pop("capacities", None)
    data |= {"language": event.language, "retention_days": event.retention_days}  # also where the file leaves them out
    data["allocation"] |= event.allocation.model_dump(mode="json", include={"publish", "most_gap", "balance"})
    data["registration"]["organisation"] = event.registration.organisation
    for theme, row in zip(event.themes, data["themes"], strict=True):
        for key in ("capacity", "rounds", "rooms"):
            row.pop(key, None)
        row["seats"] = {slot.id: event.seats(theme.id, slot.id) for slot in event.rounds}
        row["room"] = {slot.id: event.room(theme.id, slot.id) or None for slot in event.rounds}
    yield from _flat(data, (), names)


def _flat(value: Any, where: Path, names: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    """Every value, in words, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*where, key), names)
    elif isinstance(value, list):
        seen: Counter[str] = Counter()
        for n, inner in enumerate(value):
            if isinstance(inner, dict):
                name = inner.get("id") or _row_name(inner.get("title") or inner.get("name"), n)
                seen[name] += 1
                rest = {key: one for key, one in inner.items() if key != "id"}
                yield from _flat(rest, (*where, _again(name, seen[name])), names)
        if value and not any(isinstance(inner, dict) for inner in value):
            yield where, told_together([_value_words(inner, where[-1], names) for inner in value], ", ")
    elif value is not None:
        yield where, _value_words(value, where[-1], names)


def _row_name(title: Any, place: int) -> str:
    """What a row without an id is called, in every language that its title has; else its number."""
    if isinstance(title, dict) and title:
        return LocalText(first_text(title), title)
    return str(title or place + 1)


def _again(name: str, count: int) -> str:
    """The name of a row among others of the same name."""
    if count == 1:
        return name
    texts = {language: f"{text} ({count})" for language, text in getattr(name, "by_language", {}).items()}
    return LocalText(f"{name} ({count})", texts)


def _value_words(value: Any, key: str, names: Mapping[Path, str]) -> str:
    """A value as the pages show it: titles and hours for ids, moments and languages in words."""
    if isinstance(value, bool):
        return told("yes") if value else told("no")
    text = str(value)
    match key:
        case "opens" | "closes" | "changes_until" | "at" | "send":
            return ToldMoment(datetime.fromisoformat(text))
        case "date":
            return ToldMoment(date.fromisoformat(text))
        case "language" | "languages":
            return LANGUAGE_WORDS.get(text, text)
        case "for":
            return names.get(("partner_types", text), text)
        case "round" | "rounds":
            return names.get(("rounds", text), text)
        case "kind" | "organisation" | "publish":
            return CHOICES.get(text, text)
    return text
