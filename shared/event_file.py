"""The event file: YAML in, an `Event` or every mistake by its path out, all at once."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from shared.i18n import LANGUAGE_WORDS, LANGUAGES, Told, told
from shared.local_text import LocalText
from shared.local_time import LocalDate, LocalMoment, LocalTime, exists
from shared.models import IN_WORDS, Event, written

LARGEST_FILE = 256 * 1024
"""Bytes; a day with a hundred themes is a tenth of it."""

LARGEST_STORED = 300 * 1024
"""Bytes of the event as the table holds it; DynamoDB takes 400 KB an item, in which its other attributes stand too."""

MOST_VALUES = 100_000
"""Values of a file after its aliases are followed. Few bytes of nested aliases can stand for millions of values."""

TOO_MANY_VALUES = told("its aliases (`*name`) stand for too many values; write the values")

_YAML = "tag:yaml.org,2002:"
"""Before the names of YAML's own tags."""

MOST_FAULTS = 500
"""Mistakes of a file that are told at once: a file of short wrong keys would make an answer larger than any may be."""

_TIME: TypeAdapter[Any] = TypeAdapter(LocalTime)
_MOMENT: TypeAdapter[Any] = TypeAdapter(LocalMoment)
_DATE: TypeAdapter[Any] = TypeAdapter(LocalDate)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where it stands in the file (`themes[2].capacity`) and what to do about it.

    Where the file is no YAML there are no paths: then `line` is where reading stopped, and `words` say why without it.
    """

    path: str
    message: str
    line: int = 0
    words: str = ""

    def __str__(self) -> str:
        return str(self.told)

    @property
    def told(self) -> str:
        """The mistake after its place, as a message."""
        return told("%(name)s: %(words)s", name=self.path, words=self.message) if self.path else self.message


class EventFileError(ValueError):
    """The event file cannot be used; `faults` names every mistake found."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class WrittenInt(int):
    """A whole number and how the file writes it: `01` is the number 1, and the id "01" where an id is meant."""

    written: str


class WrittenFloat(float):
    """A number with decimals and how the file writes it: `25.00` is 25.0, and the price "25.00"."""

    written: str


class _Constructor(SafeConstructor):
    """YAML's values, except that numbers remember how they are written and moments stay text.

    YAML's own moments would take an offset, or none, and answer with aware and naive times in one file.
    """

    _merged = 0

    def flatten_mapping(self, node: Any) -> Any:
        """Write out `<<: *name`. A few lines of merges of merges could stand for billions of keys: they are counted."""
        for key, value in node.value:
            if key.tag == f"{_YAML}merge":
                parts = value.value if isinstance(value, SequenceNode) else [value]
                merged = [part for part in parts if isinstance(part, MappingNode)]
                for part in {id(part): part for part in merged}.values():
                    self.flatten_mapping(part)
                self._merged += sum(len(part.value) for part in merged)
                if self._merged > MOST_VALUES:
                    raise ConstructorError(None, None, TOO_MANY_VALUES, key.start_mark)
        return super().flatten_mapping(node)


def _whole_number(constructor: SafeConstructor, node: ScalarNode) -> int:
    value = WrittenInt(constructor.construct_yaml_int(node))
    value.written = str(node.value)
    return value


def _decimal_number(constructor: SafeConstructor, node: ScalarNode) -> float:
    value = WrittenFloat(constructor.construct_yaml_float(node))
    value.written = str(node.value)
    return value


def _tagged(construct: Callable[[SafeConstructor, ScalarNode], Any]) -> Callable[[SafeConstructor, ScalarNode], Any]:
    """Read a value whose tag may claim what it is not: `!!int ""`, `!!bool maybe`. The library raises anything then."""

    def construct_or_say(constructor: SafeConstructor, node: ScalarNode) -> Any:
        try:
            return construct(constructor, node)
        except (ValueError, IndexError, KeyError):
            raise ConstructorError(
                None, None, told("a tag (`!!…`) that does not fit its value; leave the tag out"), node.start_mark
            ) from None

    return construct_or_say


_Constructor.add_constructor(f"{_YAML}int", _tagged(_whole_number))
_Constructor.add_constructor(f"{_YAML}float", _tagged(_decimal_number))
_Constructor.add_constructor(f"{_YAML}bool", _tagged(SafeConstructor.construct_yaml_bool))
_Constructor.add_constructor(f"{_YAML}timestamp", SafeConstructor.construct_yaml_str)
for _kind in ("binary", "omap", "pairs", "set"):  # values that no JSON has, and that the checks below do not look into
    _Constructor.add_constructor(f"{_YAML}{_kind}", SafeConstructor.construct_undefined)


def load_event(path: Path | str) -> Event:
    """Read an event file.

    Raises EventFileError with every mistake, by its path in the file; OSError if the file cannot be opened.
    """
    return parse_event(load_text(path))


def load_text(path: Path | str) -> str:
    """The text of an event file. Raises EventFileError if it is not UTF-8; OSError if it cannot be opened."""
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EventFileError(
            [Fault("", told("byte %(number)s is not UTF-8; save the file as UTF-8", number=error.start + 1))]
        ) from None


def parse_event(text: str) -> Event:
    """Read the text of an event file. Raises EventFileError with every mistake."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_FILE:
        raise EventFileError([Fault("", told("the file is larger than %(value)s KB", value=LARGEST_FILE // 1024))])
    try:
        raw = read_yaml(text)
    except MarkedYAMLError as error:
        mark, words = error.problem_mark, _yaml_words(error.problem or "")
        raise EventFileError([Fault("", _where(mark, words), mark.line + 1 if mark else 0, words)]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise EventFileError([Fault("", told("not YAML: %(error)s", error=str(error)))]) from None
    return check_event(raw)


def read_yaml(text: str) -> Any:
    """The values of a text, as an event file means them. Raises YAMLError, ValueError or RecursionError."""
    # Pure and safe: YAML 1.2, so that 13:00 is no number, `no` is no boolean, and duplicate keys are refused.
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    return yaml.load(text)


def _yaml_words(problem: str) -> str:
    """What YAML's reader says is wrong, in plain words for the mistakes that are made most."""
    if isinstance(problem, Told):  # said here, as the file was read
        return problem
    if "'\\t'" in problem:
        return told("a tab stands where only spaces may; indent with spaces")
    if problem.startswith("mapping values are not allowed"):
        return told("a colon and a space inside a text; put the text in quotation marks")
    return next((words for begin, words in _YAML_SAYS.items() if problem.startswith(begin)), told("not YAML"))


_YAML_SAYS = {
    "found duplicate key": told("this key stands twice in its group"),
    "could not find expected ':'": told("a colon is missing, or the line is indented otherwise than its neighbours"),
    "expected <block end>": told("the line is indented otherwise than its neighbours"),
    "expected the node content": told("a value is missing, or a bracket opens and is never closed"),
    "expected ',' or": told("a comma is missing, or a bracket opens and is never closed"),
    "while scanning a quoted scalar": told("a quotation mark opens here and is never closed"),
    "found unexpected end of stream": told("a quotation mark opens here and is never closed"),
    "found undefined alias": told("a text begins with a star; put it in quotation marks"),
    "found character": told("a text begins with a sign that means something in YAML; put it in quotation marks"),
    "could not determine a constructor": told("a tag (`!!…`) that does not fit its value; leave the tag out"),
}
"""What YAML's reader says of other mistakes, by how it begins, and what that means."""


def _where(mark: Any, problem: str) -> str:
    """What YAML's reader says is wrong, after the place where it stands."""
    if not mark:
        return problem
    return told(
        "line %(line)s, column %(column)s: %(problem)s", line=mark.line + 1, column=mark.column + 1, problem=problem
    )


def check_event(raw: object) -> Event:
    """Turn the data of an event file into an `Event`. Raises EventFileError with every mistake."""
    if not isinstance(raw, dict):
        raise EventFileError([Fault("", told("the file must hold keys and values, starting with `id: …`"))])
    if _values_in(raw) > MOST_VALUES:
        raise EventFileError([Fault("", TOO_MANY_VALUES)])
    faults = list(islice(_unprintable(raw), MOST_FAULTS))
    if faults:
        raise EventFileError(faults)
    event = None
    try:
        event = Event.model_validate(raw)
    except ValidationError as error:
        faults += [Fault(_path(fault["loc"]), _words(fault)) for fault in error.errors()[: MOST_FAULTS + 1]]
    known = {fault.path for fault in faults}
    faults += islice((fault for fault in _cross_checks(raw) if fault.path not in known), MOST_FAULTS + 1)
    if len(faults) > MOST_FAULTS:
        faults = [*faults[:MOST_FAULTS], Fault("", told("there are more mistakes; correct these first"))]
    if faults or event is None:
        raise EventFileError(faults)
    size = len(event.model_dump_json(exclude_defaults=True).encode())
    if size > LARGEST_STORED:
        raise EventFileError(
            [Fault("", told("the event takes %(value)s KB; shorten texts until it takes 300", value=size // 1024))]
        )
    return event


def _values_in(value: object) -> int:
    """How many values stand in it when every alias is followed. Each part is counted once; a loop counts as endless."""
    counted: dict[int, int] = {}

    def count(part: object) -> int:
        if not isinstance(part, dict | list):
            return 1
        if id(part) not in counted:
            counted[id(part)] = MOST_VALUES + 1  # what a part that contains itself meets on its way down
            inside = [*part, *part.values()] if isinstance(part, dict) else part
            counted[id(part)] = 1 + sum(map(count, inside))
        return counted[id(part)]

    try:
        return count(value)
    except RecursionError:
        return MOST_VALUES + 1


def _unprintable(value: object, path: str = "") -> Iterator[Fault]:
    """Texts with control characters or half a surrogate pair, which no page, mail or table can hold."""
    if isinstance(value, str):
        bad = next((sign for sign in value if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\r\t"), "")
        if bad:
            yield Fault(
                path, told("holds the character U+%(bad)s, which cannot be shown; remove it", bad=f"{ord(bad):04X}")
            )
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _unprintable(key, path)
            yield from _unprintable(part, _path((*([path] if path else []), _key(key))))
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from _unprintable(part, f"{path}[{n}]")


PLAIN = {
    "model_type": told("write keys and values below it"),
    "dict_type": told("write keys and values below it"),
    "list_type": told("write a list"),
    "string_type": told("write text"),
    "string_too_short": told("is empty; write something"),
    "string_too_long": told("is too long; write at most %(max_length)s characters"),
    "int_type": told("write a whole number"),
    "int_from_float": told("write a whole number"),
    "bool_type": told("write true or false"),
    "bool_parsing": told("write true or false"),
    "greater_than_equal": told("write %(ge)s or more"),
    "less_than_equal": told("write %(le)s or less"),
    "too_short": told("write at least %(min_length)s"),
    "too_long": told("write at most %(max_length)s; there are %(actual_length)s"),
    "mail_address": told("%(given)s will not do; write an email address, such as name@example.org"),
}
"""What to do about a value that the model refuses, by the name of the rule, in place of the library's own words."""


def _path(location: tuple[int | str, ...]) -> str:
    """`("themes", 2, "capacity")` as people write it: themes[2].capacity. Union branches are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(("str", "constrained-str", "list[", "dict[", "[key]", "function-", "union[")):
            path += f".{part}" if path else part
    return path


def _words(fault: Mapping[str, Any]) -> str:
    match fault["type"]:
        case "missing":
            return told("is missing")
        case "extra_forbidden":
            return told("is not a key of the event file; check its spelling")
        case "string_pattern_mismatch":
            return told(
                "%(value)s will not do; %(how)s",
                value=repr(str(fault["input"])[:60]),
                how=IN_WORDS[fault["ctx"]["pattern"]],
            )
    if fault["type"] == "literal_error":
        return told("write one of these: %(expected)s", expected=_one_of(fault["ctx"]["expected"]))
    if fault["type"] in PLAIN:
        return _plain(PLAIN[fault["type"]], fault.get("ctx", {}))
    raised = fault.get("ctx", {}).get("error")
    if isinstance(raised, ValueError) and isinstance(raised.args[0], Told):
        return raised.args[0]
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _one_of(expected: str) -> str:
    """The model's list `'en', 'nl' or 'fr'`, in the reader's language."""
    *some, last = re.findall(r"'([^']*)'", expected)
    return told("%(some)s or %(last)s", some=", ".join(some), last=last) if some else last


def _plain(message: Told, context: Mapping[str, Any]) -> Told:
    """What to do about a value, with the limits that it breaks."""
    slots = {name: context[name] for name in context if f"%({name})s" in message}
    return told(str(message), **slots)


def _cross_checks(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Rules that span fields. They read the raw data, so that one bad field does not hide another's mistake."""
    for checks in (
        *(_zone, _ids, _questions, _rounds, _agenda, _seats, _limits, _leaders, _rooms, _costs, _ranking),
        *(_order_of_moments, _clocks, _languages),
    ):
        yield from checks(raw)


def _rows(raw: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
    rows = raw.get(key)
    return [(n, row) for n, row in enumerate(rows) if isinstance(row, dict)] if isinstance(rows, list) else []


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _known(raw: Mapping[str, Any], key: str) -> list[str]:
    return [_key(row["id"]) for _, row in _rows(raw, key) if "id" in row]


def _key(value: object) -> str:
    """An id as the model reads it: `id: 1` is the text 1. What is no scalar is no id."""
    return str(written(value)) if isinstance(value, str | int | float) else ""


def _start(raw: Mapping[str, Any], slot: str) -> str:
    """When a round begins, which is what people call it by; its id while its start cannot be read."""
    row = next((row for _, row in _rows(raw, "rounds") if _key(row.get("id")) == slot), {})
    start = _parsed(_TIME, row.get("start"))
    return f"{start:%H:%M}" if start else slot


def _title(raw: Mapping[str, Any], key: str, one: str) -> str:
    """What a row is called, in every language that the file has; its id while it has no title."""
    row = next((row for _, row in _rows(raw, key) if _key(row.get("id")) == one), {})
    title = row.get("title")
    if isinstance(title, dict):
        texts = {str(language): str(text) for language, text in title.items()}
        return LocalText(texts.get(str(raw.get("language", "en")), one), texts)
    return str(title or one)


def _language(code: str) -> str:
    return LANGUAGE_WORDS.get(code, code)


def _parsed(adapter: TypeAdapter[Any], value: object) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def _zone(raw: Mapping[str, Any]) -> Iterator[Fault]:
    name = raw.get("timezone")
    try:
        if isinstance(name, str):
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Fault("timezone", told("%(name)s is no time zone; write one such as Europe/Brussels", name=repr(name)))


def _ids(raw: Mapping[str, Any]) -> Iterator[Fault]:
    for key in ("themes", "rounds", "partner_types", "questions"):
        seen: set[str] = set()
        for n, row in _rows(raw, key):
            if "id" in row:
                one = _key(row["id"])
                if one in seen:
                    yield Fault(f"{key}[{n}].id", told("%(one)s is used twice; ids must differ", one=repr(one)))
                seen.add(one)


def _questions(raw: Mapping[str, Any]) -> Iterator[Fault]:
    for n, row in _rows(raw, "questions"):
        options = row.get("options")
        if row.get("kind", row.get("type")) == "choice" and not (isinstance(options, list) and len(options) >= 2):
            yield Fault(f"questions[{n}].options", told("a choice needs at least two options"))


def _rounds(raw: Mapping[str, Any]) -> Iterator[Fault]:
    previous_end = None
    for n, row in _rows(raw, "rounds"):
        start, end = _parsed(_TIME, row.get("start")), _parsed(_TIME, row.get("end"))
        if start and end and end <= start:
            yield Fault(
                f"rounds[{n}].end",
                told("ends at %(end)s, not after its start at %(start)s", end=f"{end:%H:%M}", start=f"{start:%H:%M}"),
            )
        if start and previous_end and start < previous_end:
            yield Fault(
                f"rounds[{n}].start", told("starts at %(start)s, before the round above ends", start=f"{start:%H:%M}")
            )
        previous_end = end or previous_end


def _agenda(raw: Mapping[str, Any]) -> Iterator[Fault]:
    rounds = _known(raw, "rounds")
    for n, row in _rows(raw, "agenda"):
        start, end = _parsed(_TIME, row.get("start")), _parsed(_TIME, row.get("end"))
        if start and end and end < start:
            yield Fault(
                f"agenda[{n}].end",
                told("ends at %(end)s, before its start at %(start)s", end=f"{end:%H:%M}", start=f"{start:%H:%M}"),
            )
        if row.get("title") in (None, "") and row.get("round") is None:
            yield Fault(f"agenda[{n}].title", told("is missing"))
        if row.get("round") is not None and _key(row["round"]) not in rounds:
            yield Fault(
                f"agenda[{n}].round",
                told("%(slot)s is no round; there are: %(rounds)s", slot=repr(row["round"]), rounds=", ".join(rounds)),
            )


def _seats(raw: Mapping[str, Any]) -> Iterator[Fault]:
    themes, rounds = _known(raw, "themes"), _known(raw, "rounds")
    yield from _overrides(_section(raw, "capacities"), themes, rounds)
    capacities = {
        _key(theme): {_key(slot): count for slot, count in seats.items()}
        for theme, seats in _section(raw, "capacities").items()
        if isinstance(seats, dict)
    }
    totals = dict.fromkeys(rounds, 0)
    for n, row in _rows(raw, "themes"):
        override = capacities.get(_key(row.get("id")), {})
        only = [_key(slot) for slot in row["rounds"]] if isinstance(row.get("rounds"), list) else []
        for slot in rounds:
            if only and slot not in only:
                continue
            seats = override.get(slot, row.get("capacity"))
            if seats is None:
                yield Fault(
                    f"themes[{n}].capacity",
                    told("is missing, and no seats are given for the round at %(time)s", time=_start(raw, slot)),
                )
                break
            if isinstance(seats, int) and seats >= 0:
                totals[slot] += seats
                minimum = row.get("minimum", 0)
                here = f"themes[{n}].minimum"
                if isinstance(minimum, dict):
                    here = f"{here}.{slot}"
                    minimum = next((least for key, least in minimum.items() if _key(key) == slot), 0)
                if isinstance(minimum, int) and seats and minimum > seats:
                    yield Fault(
                        here,
                        told(
                            "%(minimum)s is more than the %(seats)s seats in the round at %(time)s",
                            minimum=minimum,
                            seats=seats,
                            time=_start(raw, slot),
                        ),
                    )
    if rounds and themes and len(themes) < len(rounds):
        yield Fault(
            "rounds",
            told("%(rounds)s rounds need as many themes, since nobody joins a theme twice", rounds=len(rounds)),
        )
    places = _section(raw, "registration").get("capacity")
    for slot, total in totals.items():
        if isinstance(places, int) and total < places:
            yield Fault(
                "registration.capacity",
                told(
                    "%(places)s people, but the round at %(time)s has %(total)s seats",
                    places=places,
                    time=_start(raw, slot),
                    total=total,
                ),
            )


def _overrides(capacities: Mapping[str, Any], themes: list[str], rounds: list[str]) -> Iterator[Fault]:
    for theme, seats in capacities.items():
        if _key(theme) not in themes:
            yield Fault(
                f"capacities.{theme}",
                told("%(theme)s is no theme; there are: %(themes)s", theme=repr(theme), themes=", ".join(themes)),
            )
        for slot in seats if isinstance(seats, dict) else ():
            if _key(slot) not in rounds:
                yield Fault(
                    f"capacities.{theme}.{slot}",
                    told("%(slot)s is no round; there are: %(rounds)s", slot=repr(slot), rounds=", ".join(rounds)),
                )


def _limits(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Themes in some rounds only, for some partner types only, with a minimum for each round."""
    rounds, types = _known(raw, "rounds"), _known(raw, "partner_types")
    open_themes = dict.fromkeys(types, 0)
    for n, row in _rows(raw, "themes"):
        minimum = row.get("minimum")
        named = row.get("rounds")
        for where, slots in (("rounds", named), ("minimum", minimum if isinstance(minimum, dict) else None)):
            for m, slot in enumerate(slots if isinstance(slots, list | dict) else ()):
                at = f"[{m}]" if isinstance(slots, list) else f".{slot}"
                if _key(slot) not in rounds:
                    yield Fault(
                        f"themes[{n}].{where}{at}",
                        told("%(slot)s is no round; there are: %(rounds)s", slot=repr(slot), rounds=", ".join(rounds)),
                    )
        open_to = row.get("for", row.get("open_to"))
        allowed = [_key(kind) for kind in open_to] if isinstance(open_to, list) else []
        for m, kind in enumerate(allowed):
            if kind not in types:
                yield Fault(
                    f"themes[{n}].for[{m}]",
                    told("%(kind)s is no partner type; there are: %(types)s", kind=repr(kind), types=", ".join(types)),
                )
        for kind in types:
            open_themes[kind] += not allowed or kind in allowed
    for m, (kind, count) in enumerate(open_themes.items()):
        if count < len(rounds) <= len(_known(raw, "themes")):
            yield Fault(
                f"partner_types[{m}]",
                told(
                    "%(kind)s may join %(count)s of the themes, and %(rounds)s rounds need as many different ones; "
                    "open more themes to it",
                    kind=_title(raw, "partner_types", kind),
                    count=count,
                    rounds=len(rounds),
                ),
            )


def _leaders(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Leaders of rounds that there are not."""
    rounds = _known(raw, "rounds")
    for n, row in _rows(raw, "themes"):
        for m, leader in _rows(row, "leaders"):
            named = leader.get("rounds")
            for k, slot in enumerate(named if isinstance(named, list) else []):
                if _key(slot) not in rounds:
                    yield Fault(
                        f"themes[{n}].leaders[{m}].rounds[{k}]",
                        told("%(slot)s is no round; there are: %(rounds)s", slot=repr(slot), rounds=", ".join(rounds)),
                    )


def _rooms(raw: Mapping[str, Any]) -> Iterator[Fault]:
    rounds = _known(raw, "rounds")
    for n, row in _rows(raw, "themes"):
        rooms = row.get("rooms")
        if isinstance(rooms, dict):
            for slot in rooms:
                if _key(slot) not in rounds:
                    yield Fault(
                        f"themes[{n}].rooms.{slot}",
                        told("%(slot)s is no round; there are: %(rounds)s", slot=repr(slot), rounds=", ".join(rounds)),
                    )
        if isinstance(rooms, list) and len(rooms) not in {0, 1, len(rounds)}:
            yield Fault(
                f"themes[{n}].rooms",
                told(
                    "%(rooms)s rooms for %(rounds)s rounds; give one, or one a round",
                    rooms=len(rooms),
                    rounds=len(rounds),
                ),
            )


def _costs(raw: Mapping[str, Any]) -> Iterator[Fault]:
    costs = _section(raw, "allocation").get("rank_costs")
    if not isinstance(costs, list) or not all(isinstance(cost, int) for cost in costs):
        return
    themes = len(_known(raw, "themes"))
    if len(costs) != themes:
        yield Fault(
            "allocation.rank_costs",
            told("%(costs)s costs for %(themes)s themes; give one a rank", costs=len(costs), themes=themes),
        )
    if costs != sorted(costs):
        yield Fault("allocation.rank_costs", told("a worse rank must not cost less than a better one"))


def _ranking(raw: Mapping[str, Any]) -> Iterator[Fault]:
    ranking, themes = _section(raw, "ranking"), len(_known(raw, "themes"))
    least, most = ranking.get("least"), ranking.get("most")
    for name, count in (("least", least), ("most", most)):
        if isinstance(count, int) and count > themes:
            yield Fault(
                f"ranking.{name}", told("%(count)s is more than the %(themes)s themes", count=count, themes=themes)
            )
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Fault("ranking.least", told("%(least)s is more than the most, %(most)s", least=least, most=most))


def _order_of_moments(raw: Mapping[str, Any]) -> Iterator[Fault]:
    registration = _section(raw, "registration")
    opens, closes = (_moment(registration.get(key)) for key in ("opens", "closes"))
    at = _moment(_section(raw, "allocation").get("at"))
    day = _parsed(_DATE, raw.get("date"))
    if opens and closes and closes <= opens:
        yield Fault("registration.closes", told("must be after the opening of registration"))
    send = _moment(_section(raw, "feedback").get("send"))
    if send and day and send.date() < day:
        yield Fault("feedback.send", told("must not be before the day: people are asked what they thought of it"))
    if closes and at and at < closes:
        yield Fault("allocation.at", told("must not be before registration closes: people may change until then"))
    starts = [_parsed(_TIME, row.get("start")) for _, row in _rows(raw, "rounds")]
    if at and day and starts and all(starts) and at >= datetime.combine(day, min(starts)):
        yield Fault("allocation.at", told("must be before the first round starts"))


def _moment(value: object) -> datetime | None:
    parsed = _parsed(_MOMENT, value)
    return parsed if isinstance(parsed, datetime) else None


def _languages(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Texts in several languages must have the event's own, and none that `languages` leaves out."""
    own, listed = str(raw.get("language", "en")), raw.get("languages")
    spoken = {own, *(str(language) for language in listed)} if isinstance(listed, list) and listed else set(LANGUAGES)

    def texts(part: object, path: str) -> Iterator[Fault]:
        if isinstance(part, dict) and part and set(part) <= set(LANGUAGES) and path.split(".")[0] != "capacities":
            if own not in part and not path.endswith(".rooms"):
                yield Fault(path, told("has no text in %(own)s, the event's own language", own=_language(own)))
            for language in sorted(set(part) - spoken) if not path.endswith(".rooms") else ():
                yield Fault(
                    path,
                    told(
                        "has a text in %(language)s, which is none of the event's languages",
                        language=_language(language),
                    ),
                )
        elif isinstance(part, dict):
            for key, inner in part.items():
                yield from texts(inner, _path((*([path] if path else []), _key(key))))
        elif isinstance(part, list):
            for n, inner in enumerate(part):
                yield from texts(inner, f"{path}[{n}]")

    yield from texts(raw, "")


def _clocks(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Times that the zone skips when its clocks go forward."""
    try:
        zone = ZoneInfo(str(raw.get("timezone")))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return
    registration, day = _section(raw, "registration"), _parsed(_DATE, raw.get("date"))
    moments = {f"registration.{key}": _moment(registration.get(key)) for key in ("opens", "closes")}
    moments["allocation.at"] = _moment(_section(raw, "allocation").get("at"))
    for n, row in _rows(raw, "rounds") if day else ():
        for key in ("start", "end"):
            local = _parsed(_TIME, row.get(key))
            moments[f"rounds[{n}].{key}"] = datetime.combine(day, local) if local else None
    for path, moment in moments.items():
        if moment and not exists(moment, zone):
            yield Fault(
                path,
                told(
                    "%(moment)s does not exist in %(key)s: the clocks go forward then",
                    moment=f"{moment:%Y-%m-%d %H:%M}",
                    key=zone.key,
                ),
            )


def as_data(event: Event) -> dict[str, Any]:
    """The event as its file has it."""
    data: dict[str, Any] = json.loads(event.model_dump_json(exclude_defaults=True, by_alias=True))
    return data


def event_yaml(event: Event) -> str:
    """An event file that reads back as this event, written anew."""
    text = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.dump(as_data(event), text)
    return text.getvalue()
