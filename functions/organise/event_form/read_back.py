"""What was typed on a page, as the event file's mapping, which the model then checks as it checks every file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

from functions.organise.event_form.pages import MOST_ROWS, PAGES, PLACE, Kind, Values, at_path, minimum_of, row_numbers
from functions.organise.event_form.words import words_of
from shared.event_file import as_data
from shared.i18n import LANGUAGES, Told, told, told_together
from shared.models import Event
from shared.new_event import Data, everyone, slug, workshop_title


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
            message = told("%(name)s: %(words)s", name=words_of(match[2]), words=message)
        return told("line %(number)s: %(words)s", number=int(match[1]) + 1, words=message)

    def _field(self, path: str) -> str:
        for start in sorted(self.places, key=len, reverse=True):
            if path == start or path.startswith((f"{start}.", f"{start}[")):
                return self.places[start] + (path[len(start) :] if self.places[start].endswith("]") else "")
        return path


def read_page(event: Event, page: str, values: Values) -> Reading:
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
            title = next((text for key in ("title", "label") if (text := first_text(typed.get(key)))), "")
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


def first_text(value: Any) -> str:
    """A text of the file, in the first of its languages."""
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
        if theme not in known or least != {slot: minimum_of(event.theme(theme), slot) for slot in rounds}:
            same = len(set(least.values())) == 1
            _put(row, "minimum", (least[rounds[0]] if same else {s: n for s, n in least.items() if n}) or None)
    _put(data, "capacities", capacities or None)
    costs = at_path(data, "allocation.rank_costs")
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


def _put(data: Data, path: str, value: Any) -> None:
    """Set a value by its path; None removes it."""
    *above, last = path.split(".")
    for key in above:
        data = data.setdefault(key, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value
