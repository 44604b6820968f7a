"""The event file as five short forms: fields named by their path in the file, read back into the same mapping.

`shown` takes an event apart into the fields of a page, `read` puts what was typed back into the file's mapping, which
the model then checks as it checks every file. Field and fault have one name, so a fault stands beside its field. What
a page does not show, and what a row holds beside its fields, stays as it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

from shared.event_file import as_data
from shared.i18n import LANGUAGE_WORDS, LANGUAGES, Told, ToldMoment, told, told_together
from shared.local_text import LocalText
from shared.models import Event, Theme
from shared.new_event import Data, everyone, slug, workshop_title

Kind = Literal["text", "word", "number", "moment", "time", "lines", "list", "numbers", "tick", "leaders"]
Values = dict[str, Any]
"""What the fields of a page hold: a text each, or a list of texts where a name was sent more than once."""


@dataclass(frozen=True, slots=True)
class Page:
    """One of the five pages: its title, its fields with what they hold, and its lists of rows."""

    title: Told
    fields: Mapping[str, Kind] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)


PAGES: dict[str, Page] = {
    "day": Page(
        told("The day and the place"),
        {
            **{"title": "text", "summary": "text", "language": "word", "languages": "list", "timezone": "word"},
            **{
                "date": "word",
                "venue.name": "text",
                "venue.address": "text",
                "venue.directions": "text",
                "venue.map": "word",
            },
            **{"price": "text", "held_in": "text", "contact": "word"},
        },
        {
            "rounds": {"start": "time", "end": "time"},
            "agenda": {"start": "time", "end": "time", "title": "text", "speaker": "text", "round": "word"},
            "organisers": {"name": "text", "about": "text", "url": "word"},
        },
    ),
    "themes": Page(
        told("Workshops"), {}, {"themes": {"title": "text", "description": "text", "leaders": "leaders", "for": "list"}}
    ),
    "registration": Page(
        told("Registration and questions"),
        {
            **{"registration.opens": "moment", "registration.closes": "moment", "registration.capacity": "number"},
            **{"registration.changes_until": "moment"},
            **{"ranking.least": "number", "ranking.most": "number"},
            **{"registration.organisation": "word", "labels.organisation": "text"},
            **{"labels.partner_type": "text", "labels.partners": "text"},
            **{"mail_texts.confirmation": "text", "mail_texts.programme": "text", "mail_texts.reminder": "text"},
            **{"registration.confirm_after_hours": "number", "registration.confirm_within_hours": "number"},
            **{"registration.per_source_hour": "number", "reminder_days": "numbers", "retention_days": "number"},
            **{"feedback.url": "word", "feedback.send": "moment", "registration.groups": "tick"},
        },
        {
            "partner_types": {"title": "text"},
            "questions": {
                **{"kind": "word", "label": "text", "purpose": "text", "options": "lines"},
                **{"required": "tick", "sensitive": "tick"},
            },
        },
    ),
    "allocation": Page(
        told("Allocation"),
        {
            **{"allocation.at": "moment", "allocation.publish": "word", "allocation.balance.weight": "number"},
            **{"allocation.balance.tolerance": "word", "allocation.rank_costs": "numbers"},
            **{"allocation.change_cost": "number", "allocation.most_gap": "word"},
        },
    ),
    "access": Page(told("People with access"), {"organiser_emails": "lines", "door_emails": "lines"}),
}

PLACE = {"agenda": "line", "organisers": "organiser", "questions": "question", "partner_types": "type", "rounds": "r"}
"""How the id of a new row begins when its title makes none."""

MOST_ROWS = 400


# --------------------------------------------------------------------------- an event as fields


def shown(event: Event, page: str) -> Values:
    """The fields of a page as an event fills them."""
    data = as_data(event)
    about = PAGES[page]
    values: Values = {}
    for name, kind in about.fields.items():
        values |= _taken_apart(event, name, kind, _at(data, name))
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
        values = shown(event, page)
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
            values[f"themes[{n}].minimum.{slot.id}"] = str(_minimum(theme, slot.id) or "")
            values[f"themes[{n}].room.{slot.id}"] = event.room(theme.id, slot.id)
    return values


def _minimum(theme: Theme, slot: str) -> int:
    """What the file says of a round, offered or not."""
    return theme.minimum.get(slot, 0) if isinstance(theme.minimum, dict) else theme.minimum


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


def row_numbers(values: Values, rows: str) -> list[int]:
    """The numbers of the rows that fields belong to, in order."""
    found = {int(match[1]) for name in values if (match := re.match(rf"{rows}\[(\d{{1,3}})\]\.", name))}
    return sorted(found)[:MOST_ROWS]


# --------------------------------------------------------------------------- fields as an event


@dataclass(frozen=True, slots=True)
class Reading:
    """What a page's fields make of the file, and where a fault of the file stands on the page."""

    data: Data
    places: Mapping[str, str]
    starts: str

    def named(self, faults: Mapping[str, str]) -> dict[str, str]:
        """Faults by the names of the fields that caused them."""
        found: dict[str, str] = {}
        for path, message in faults.items():
            name = self._field(path)
            if match := re.search(r"\.leaders\[(\d+)\]\.?(\w*)", name):
                name, message = name[: match.start() + len(".leaders")], self._in_a_line(match, message)
            found[name] = told_together([found[name], message]) if name in found else message
        return found

    def _in_a_line(self, match: re.Match[str], message: str) -> Told:
        """A fault of a leader, who is one line of a field."""
        if match[2] == "rounds":
            message = told("name a round by its start: %(starts)s", starts=self.starts)
        elif match[2]:
            message = told("%(name)s: %(words)s", name=_words(match[2]), words=message)
        return told("line %(number)s: %(words)s", number=int(match[1]) + 1, words=message)

    def _field(self, path: str) -> str:
        for start in sorted(self.places, key=len, reverse=True):
            if path == start or path.startswith((f"{start}.", f"{start}[")):
                return self.places[start] + (path[len(start) :] if self.places[start].endswith("]") else "")
        return path


def read(event: Event, page: str, values: Values) -> Reading:
    """The file with what a page's fields say."""
    data = as_data(event)
    about = PAGES[page]
    places: dict[str, str] = {}
    for name, kind in about.fields.items():
        _put(data, name, _value(event, values, name, kind))
    for rows, columns in about.rows.items():
        kept = _rows(event, data, values, rows, columns, places)
        if kept or rows in data:
            data[rows] = kept
    if page == "themes":
        _read_grid(event, data, values, places)
    if page == "day":
        _follow_rounds(event, data)
        _follow_languages(data)
        _follow_hours(data)
    if page == "registration":
        _follow_types(data)
    return Reading(data, places, ", ".join(f"{slot.start:%H:%M}" for slot in event.rounds))


def _rows(
    event: Event, data: Data, values: Values, rows: str, columns: Mapping[str, Kind], places: dict[str, str]
) -> list[Data]:
    before = deepcopy(data.get(rows, []))
    taken = {str(row.get("id", "")) for row in before}
    kept: list[Data] = []
    for n in row_numbers(values, rows):
        name = f"{rows}[{n}]"
        was = str(values.get(f"{name}.was", ""))
        row = before[int(was)] if was.isdecimal() and int(was) < len(before) else {}
        typed = {key: _value(event, values, f"{name}.{key}", kind) for key, kind in columns.items()}
        if values.get(f"{name}.remove") == "yes" or (not row and not any(typed[key] for key in _telling(columns))):
            continue
        for key, value in typed.items():
            if not _is_shown(values, f"{name}.{key}", columns[key]):
                continue
            _put(row, key, value)
        if rows in {"themes", "rounds", "partner_types", "questions"} and "id" not in row:
            title = next((text for key in ("title", "label") if (text := _first_text(typed.get(key)))), "")
            row["id"] = (
                _number_of_round(taken) if rows == "rounds" else slug(title, taken, otherwise=PLACE.get(rows, "w"))
            )
            taken.add(row["id"])
        places[f"{rows}[{len(kept)}]"] = name
        kept.append(row)
    return kept


def _number_of_round(taken: set[str]) -> str:
    return next(name for n in range(1, MOST_ROWS) if (name := f"r{n}") not in taken)


def _telling(columns: Mapping[str, Kind]) -> list[str]:
    """The fields of a new row that count: a question's kind is always chosen."""
    return [key for key in columns if key not in {"kind", "required", "sensitive", "round"}]


def _is_shown(values: Values, name: str, kind: Kind) -> bool:
    return kind == "tick" or name in values or any(key.startswith(f"{name}.") for key in values)


def _first_text(value: Any) -> str:
    return next(iter(value.values()), "") if isinstance(value, dict) else str(value or "")


def _value(event: Event, values: Values, name: str, kind: Kind) -> Any:
    """What was typed, as the file writes it; None for nothing."""
    typed = values.get(name, "")
    if kind == "list":
        return [str(one) for one in (typed if isinstance(typed, list) else [typed]) if one] or None
    text = str(typed[-1] if isinstance(typed, list) else typed).replace("\r\n", "\n").strip()
    match kind:
        case "text" if name not in values:
            texts = {
                key[len(name) + 1 :]: str(value).strip() for key, value in values.items() if key.startswith(f"{name}.")
            }
            told = {language: text.replace("\r\n", "\n") for language, text in texts.items() if text}
            return told.get(event.language) if set(told) == {event.language} else told or None
        case "number":
            return _number(text)
        case "numbers":
            return [_number(one) for one in re.split(r"[\s,;]+", text) if one] or None
        case "lines":
            return [_of_languages(line.strip()) for line in text.split("\n") if line.strip()] or None
        case "leaders":
            starts = {f"{slot.start:%H:%M}": slot.id for slot in event.rounds}
            return [_leader(line.strip(), starts) for line in text.split("\n") if line.strip()] or None
        case "tick":
            return True if text == "yes" else None
    return text or None


_LEADER = re.compile(r"(.*?)[\s,;<(]*([^\s,;<>()]+@[^\s,;<>()]+)[\s,;>)]*([^@]*)")
"""A name, a mail address, and hours, in the ways in which lists and mail programs write them."""


def _leader(line: str, starts: Mapping[str, str]) -> Data:
    """A leader from a line; what is missing from it is left out, which the model then refuses in words."""
    match = _LEADER.fullmatch(line)
    if match is None:
        return {"name": line}
    hours = [_clock(text) for text in re.split(r"[\s,;]+", match[3]) if text]
    return {
        **({"name": match[1]} if match[1] else {}),
        "email": match[2],
        **({"rounds": [starts.get(hour, hour) for hour in hours]} if hours else {}),
    }


def _clock(text: str) -> str:
    """A start of a round as people write it (9:00, 13.00, 13h00) as the page shows it; anything else as it is."""
    match = re.fullmatch(r"(\d{1,2})[:.hu](\d{2})", text)
    return f"{int(match[1]):02}:{match[2]}" if match else text


def _of_languages(line: str) -> Any:
    parts = [part.partition(":") for part in line.split("|")]
    if all(len(language.strip()) == 2 and colon for language, colon, _ in parts):
        return {language.strip(): words.strip() for language, _, words in parts}
    return line


def _number(text: str) -> Any:
    """A whole number, or what was typed instead, which the model then refuses in words."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else text or None


def _read_grid(event: Event, data: Data, values: Values, places: dict[str, str]) -> None:
    """Seats and rooms by round, written as shortly as the file allows; what was not changed stays as it was written."""
    known = {theme.id for theme in event.themes}
    rounds = [slot.id for slot in event.rounds]
    capacities = {
        key: one for key, one in data.get("capacities", {}).items() if key in {t["id"] for t in data["themes"]}
    }
    for n, row in enumerate(data["themes"]):
        name, theme = places[f"themes[{n}]"], row["id"]
        places[f"themes[{n}].capacity"] = f"{name}.seats.{rounds[0]}"
        places[f"themes[{n}].rooms"] = f"{name}.room.{rounds[0]}"
        places[f"themes[{n}].minimum"] = f"{name}.minimum.{rounds[0]}"
        for slot in rounds:
            places[f"capacities.{theme}.{slot}"] = f"{name}.seats.{slot}"
            places[f"themes[{n}].rooms.{slot}"] = f"{name}.room.{slot}"
            places[f"themes[{n}].minimum.{slot}"] = f"{name}.minimum.{slot}"
        seats = {slot: _number(str(values.get(f"{name}.seats.{slot}", "")).strip()) or 0 for slot in rounds}
        rooms = {slot: str(values.get(f"{name}.room.{slot}", "")).strip() for slot in rounds}
        if theme not in known or seats != {slot: event.seats(theme, slot) for slot in rounds}:
            for key in ("capacity", "rounds"):
                row.pop(key, None)
            capacities.pop(theme, None)
            if len(set(seats.values())) == 1:
                row["capacity"] = seats[rounds[0]]
            else:
                capacities[theme] = seats
        if theme not in known or rooms != {slot: event.room(theme, slot) for slot in rounds}:
            same = len(set(rooms.values())) == 1
            _put(row, "rooms", rooms[rounds[0]] if same else {slot: room for slot, room in rooms.items() if room})
        least = {slot: _number(str(values.get(f"{name}.minimum.{slot}", "")).strip()) or 0 for slot in rounds}
        if theme not in known or least != {slot: _minimum(event.theme(theme), slot) for slot in rounds}:
            same = len(set(least.values())) == 1
            _put(row, "minimum", (least[rounds[0]] if same else {s: n for s, n in least.items() if n}) or None)
    _put(data, "capacities", capacities or None)
    costs = _at(data, "allocation.rank_costs")
    if costs and len(data["themes"]) != len(event.themes):  # one cost a theme: the last is repeated, or left out
        more = len(data["themes"]) - len(costs)
        data["allocation"]["rank_costs"] = (costs + [costs[-1]] * max(more, 0))[: len(data["themes"])]


def _follow_rounds(event: Event, data: Data) -> None:
    """Take removed rounds out of everything that names them, and give a new round the seats of the others."""
    before, after = [slot.id for slot in event.rounds], [row["id"] for row in data["rounds"]]
    if before == after:
        return
    capacities = data.get("capacities", {})
    for row in data["themes"]:
        theme = row["id"]
        seats = {slot: event.seats(theme, slot) for slot in before}
        rooms = {slot: event.room(theme, slot) for slot in before}
        by_round = {slot: seats.get(slot, max(seats.values())) for slot in after}
        capacities.pop(theme, None)
        row.pop("rounds", None)
        if len(set(by_round.values())) <= 1:
            row["capacity"] = max(seats.values())
        else:
            row.pop("capacity", None)
            capacities[theme] = by_round
        if not isinstance(row.get("rooms", ""), str):
            row["rooms"] = {slot: rooms[slot] for slot in after if rooms.get(slot)}
        if isinstance(row.get("minimum"), dict):
            row["minimum"] = {slot: least for slot, least in row["minimum"].items() if slot in after}
        _put(row, "leaders", list(_who_still_lead(row.get("leaders", []), after)) or None)
    _put(data, "capacities", capacities or None)
    gone = set(before) - set(after)
    if gone and "agenda" in data:
        lines = [line for line in data["agenda"] if line.get("title") or line.get("round") not in gone]
        data["agenda"] = [{k: v for k, v in line.items() if k != "round" or v not in gone} for line in lines]


def _follow_hours(data: Data) -> None:
    """Give a line of the day that is a round the hours of the round."""
    rounds = {row["id"]: row for row in data["rounds"]}
    for line in data.get("agenda", []):
        for key in ("start", "end") if line.get("round") in rounds else ():
            _put(line, key, rounds[line["round"]].get(key))


def _who_still_lead(leaders: Iterable[Data], rounds: Collection[str]) -> Iterator[Data]:
    """Leaders without the rounds that are gone, and without those who led no other."""
    for leader in leaders:
        named = leader.get("rounds", [])
        still = [slot for slot in named if slot in rounds]
        if still or not named:
            yield {**leader, "rounds": still} if named else leader


def _follow_languages(data: Data) -> None:
    """Give the titles that a new event began with in the languages that its texts have by now.

    A title that a person wrote stays as it is; these were made in the organiser's.
    """
    own, listed = data.get("language", "en"), data.get("languages") or []
    spoken = [language for language in LANGUAGES if language == own or language in listed]
    made = {f"w{number}": partial(workshop_title, number) for number in range(1, len(data["themes"]) + 1)}
    rows: list[tuple[Data, Callable[[str], str] | None]] = [(row, made.get(row["id"])) for row in data["themes"]]
    rows += [(row, everyone) for row in data.get("partner_types", []) if row["id"] == "everyone"]
    for row, title in rows:
        texts = row.get("title")
        written = set(texts.values() if isinstance(texts, dict) else [texts])
        if title and own in LANGUAGES and written <= {title(language) for language in LANGUAGES}:
            row["title"] = {language: title(language) for language in spoken} if len(spoken) > 1 else title(own)


def _follow_types(data: Data) -> None:
    """Take removed partner types out of the themes that were open to them only."""
    known = {row["id"] for row in data.get("partner_types", [])}
    for row in data["themes"]:
        if "for" in row:
            _put(row, "for", [kind for kind in row["for"] if kind in known] or None)


def _at(data: Mapping[str, Any], path: str) -> Any:
    found: Any = data
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _put(data: Data, path: str, value: Any) -> None:
    """Set a value by its path; None removes it."""
    *above, last = path.split(".")
    for key in above:
        data = data.setdefault(key, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value


# --------------------------------------------------------------------------- what differs


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


def _where(path: Path, names: Mapping[Path, str]) -> Told:
    """The way to a value in words."""
    parts: list[str] = []
    for n, part in enumerate(path):
        row = ("rounds", part) if n and path[n - 1] in ("seats", "room") else path[max(n - 1, 0) : n + 1]
        parts.append(names.get(row) or (part if n and (path[n - 1] in ROWS) else _words(part)))
    return told_together(parts, " → ")


def _values_of(event: Event, names: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    data = as_data(event)
    data.pop("capacities", None)
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
        return LocalText(_first_text(title), title)
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


CHOICES: dict[str, Told] = {
    "optional": told("may be filled in"),
    "not_asked": told("is not asked"),
    "automatic": told("mail everybody their programme at once"),
    "after_review": told("show me a draft; I publish it"),
    "text": told("a text"),
    "choice": told("one of several answers"),
    "consent": told("a box to tick"),
}
"""Values of the file that are chosen on a page, in the words of the page."""

ROWS: dict[str, Callable[[int], Told]] = {
    "themes": lambda number: told("Workshop %(number)s", number=number),
    "rounds": lambda number: told("Round %(number)s", number=number),
    "agenda": lambda number: told("Line %(number)s", number=number),
    "organisers": lambda number: told("Organiser %(number)s", number=number),
    "partner_types": lambda number: told("Kind %(number)s", number=number),
    "questions": lambda number: told("Question %(number)s", number=number),
}
"""What a row of a list is called on its page."""

KEYS: dict[str, Told] = {
    **{"about": told("about"), "address": told("address"), "agenda": told("agenda"), "allocation": told("allocation")},
    **{"at": told("moment"), "balance": told("balance"), "capacity": told("capacity"), "closes": told("closes")},
    **{"change_cost": told("change cost"), "contact": told("contact"), "date": told("date"), "day": told("day")},
    **{"description": told("description"), "directions": told("directions"), "door_emails": told("door emails")},
    **{"end": told("end"), "for": told("open to"), "held_in": told("held in"), "kind": told("kind")},
    **{"label": told("label"), "labels": told("labels"), "language": told("language"), "languages": told("languages")},
    **{"least": told("least"), "map": told("map"), "minimum": told("minimum"), "most": told("most")},
    **{"name": told("name"), "opens": told("opens"), "options": told("options"), "organisation": told("organisation")},
    **{"organiser_emails": told("organiser emails"), "organisers": told("organisers"), "partners": told("mixed")},
    **{"partner_type": told("kind of people"), "partner_types": told("kinds of people")},
    **{"per_source_hour": told("an hour from one network"), "price": told("price"), "publish": told("publish")},
    **{"purpose": told("purpose"), "questions": told("questions"), "rank_costs": told("rank costs")},
    **{"ranking": told("ranking"), "registration": told("registration"), "reminder_days": told("reminder days")},
    **{"required": told("required"), "retention_days": told("retention days"), "room": told("room")},
    **{"rooms": told("rooms"), "round": told("round"), "rounds": told("rounds"), "seats": told("seats")},
    **{"sensitive": told("sensitive"), "speaker": told("speaker"), "start": told("start")},
    **{"summary": told("summary"), "themes": told("workshops"), "timezone": told("time zone")},
    **{"title": told("title"), "tolerance": told("tolerance"), "url": told("site"), "venue": told("venue")},
    **{
        "changes_until": told("rankings may change until"),
        "confirm_after_hours": told("asked to confirm after (hours)"),
    },
    **{"confirm_within_hours": told("confirm within (hours)"), "confirmation": told("confirmation")},
    **{"draft": told("draft"), "email": told("email"), "feedback": told("feedback"), "groups": told("groups")},
    **{"id": told("id"), "leaders": told("leaders"), "mail_texts": told("sentences in mails")},
    **{"most_gap": told("largest gap"), "programme": told("programme"), "reminder": told("reminder")},
    **{"seed": told("seed"), "send": told("moment of the mail"), "weight": told("weight")},
}
"""The keys of the file in words; texts in several languages stand below the code of each."""

KEYS |= LANGUAGE_WORDS


LABELS: dict[str, Told] = {
    **{"title": told("Name of the day"), "summary": told("What it is about"), "date": told("Date")},
    **{"contact": told("Contact address"), "timezone": told("Time zone"), "venue.name": told("Building")},
    **{"venue.address": told("Address"), "venue.map": told("Map link (optional)")},
    **{"agenda.title": told("What happens"), "agenda.round": told("Is a round"), "agenda.start": told("Starts")},
    **{"agenda.end": told("Ends (optional)"), "rounds.start": told("Starts"), "rounds.end": told("Ends")},
    **{"registration.opens": told("Opens"), "registration.closes": told("Closes")},
    **{"registration.capacity": told("Places (optional)")},
    **{"registration.changes_until": told("Rankings may change until (optional)")},
    **{"registration.per_source_hour": told("Registrations an hour from one network (optional)")},
    **{"reminder_days": told("Reminder, days before"), "retention_days": told("Personal data is deleted, days after")},
    **{"feedback.url": told("Form to ask people about the day (optional)")},
    **{"feedback.send": told("When it is mailed (optional)")},
    **{"allocation.at": told("Workshops are given out"), "allocation.balance.weight": told("Weight")},
    **{"allocation.balance.tolerance": told("Tolerance")},
    **{"allocation.most_gap": told("Largest gap that is published at once")},
    **{"allocation.rank_costs": told("Cost of the 1st, 2nd, … choice (optional)")},
    **{"organiser_emails": told("Organisers"), "door_emails": told("Helpers at the door (optional)")},
}
"""What fields are called on the pages, where that is not the word of the file. `agenda.title` is one of any line."""


def field_words(name: str) -> str:
    """A field as its page calls it: `themes[2].title` is "Workshop 3, title", `door_emails[0]` is "Helpers …, 1"."""
    plain = re.sub(r"\.(en|nl|fr)$", "", name)
    match = re.match(r"(\w+)\[(\d+)\]\.?", plain)
    if not match:
        return LABELS.get(plain) or told_together([_words(part) for part in plain.split(".") if part], ", ")
    rows, number, rest = match[1], int(match[2]) + 1, plain[match.end() :]
    if rows not in ROWS:
        return told_together([LABELS.get(rows) or _words(rows), str(number)], ", ")
    label = LABELS.get(f"{rows}.{rest}")
    parts: list[str] = [label] if label else [_words(part) for part in rest.split(".") if part]
    return told_together([ROWS[rows](number), *parts], ", ")


def _words(key: str) -> str:
    return KEYS.get(key) or key.replace("_", " ")
