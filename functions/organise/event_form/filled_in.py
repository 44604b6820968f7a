"""An event as the fields of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.organise.event_form.pages import PAGES, Kind, Values, at_path, minimum_of
from shared.event_file import as_data
from shared.models import Event


def as_fields(event: Event, page: str) -> Values:
    """The fields of a page as an event fills them."""
    data = as_data(event)
    about = PAGES[page]
    values: Values = {}
    for name, kind in about.fields.items():
        values |= _taken_apart(event, name, kind, at_path(data, name))
    for rows, columns in about.rows.items():
        for n, row in enumerate(data.get(rows, [])):
            values[f"{rows}[{n}].was"] = str(n)
            for key, kind in columns.items():
                values |= _taken_apart(event, f"{rows}[{n}].{key}", kind, row.get(key))
    if page == "themes":
        values |= _grid(event)
    if page == "day":
        values |= {f"rounds[{n}].id": slot.id for n, slot in enumerate(event.rounds)}
    if "language" in about.fields:
        values["language"] = event.language
    for name, default in (
        ("allocation.publish", event.allocation.publish),
        ("allocation.balance.weight", str(event.allocation.balance.weight)),
        ("allocation.balance.tolerance", str(event.allocation.balance.tolerance)),
        ("allocation.most_gap", str(event.allocation.most_gap)),
        ("retention_days", str(event.retention_days)),
        ("registration.organisation", event.registration.organisation),
    ):
        if name in about.fields:
            values[name] = default
    return values


def texts_missing(event: Event, language: str) -> dict[str, int]:
    """How many texts of each page that stand in the event's own language lack another; no page that lacks none."""
    found = {}
    for page in PAGES:
        values = as_fields(event, page)
        own = (
            name[: -len(event.language)]
            for name, text in values.items()
            if name.endswith(f".{event.language}") and text
        )
        found[page] = sum(not values.get(f"{name}{language}") for name in own)
    return {page: number for page, number in found.items() if number}


def _grid(event: Event) -> Values:
    values: Values = {}
    for n, theme in enumerate(event.themes):
        for slot in event.rounds:
            values[f"themes[{n}].seats.{slot.id}"] = str(event.seats(theme.id, slot.id))
            values[f"themes[{n}].minimum.{slot.id}"] = str(minimum_of(theme, slot.id) or "")
            values[f"themes[{n}].room.{slot.id}"] = event.room(theme.id, slot.id)
    return values


def _taken_apart(event: Event, name: str, kind: Kind, value: Any) -> Values:
    match kind:
        case "text":
            texts = value if isinstance(value, dict) else {event.language: value or ""}
            if len(event.spoken) == 1:
                return {name: texts.get(event.language, "")}
            return {f"{name}.{language}": texts.get(language, "") for language in event.spoken}
        case "moment":
            return {name: (value or "")[:16]}
        case "time":
            return {name: (value or "")[:5]}
        case "list":
            return {name: list(value or [])}
        case "lines":
            plain = [one if isinstance(one, str) else _in_languages(one) for one in value or []]
            return {name: "\n".join(plain)}
        case "numbers":
            return {name: ", ".join(map(str, value or []))}
        case "leaders":
            starts = {slot.id: f"{slot.start:%H:%M}" for slot in event.rounds}
            return {name: "\n".join(_leader_line(leader, starts) for leader in value or [])}
        case "tick":
            return {name: "yes"} if value else {}
    return {name: "" if value is None or isinstance(value, dict) else str(value)}


def _in_languages(text: Mapping[str, str]) -> str:
    """An option in several languages in one line: `nl: Trein | fr: Train`."""
    return " | ".join(f"{language}: {words}" for language, words in text.items())


def _leader_line(leader: Mapping[str, Any], starts: Mapping[str, str]) -> str:
    """A leader as a line: `Lea Peeters, lea@example.org, 13:00`, the hours only where they lead some rounds."""
    hours = " ".join(starts.get(slot, slot) for slot in leader.get("rounds", []))
    return ", ".join(part for part in (" ".join(leader["name"].split()), leader["email"], hours) if part)
