"""The four files of an allocation, and an allocation.json read back."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from functions.allocate.model.result import Allocation
from infra.event_source import FileFaultsError
from infra.files.people_csv import decoded
from infra.report.facts import heads_of_types
from infra.report.page import report_page
from infra.words import language
from shared.allocations import PART, checksum, encoder_of_many
from shared.attendees import Attendee, programme_faults
from shared.i18n import Told, told
from shared.models import Event, Round
from shared.people_csv import csv_text

Programmes = dict[str, dict[str, str]]


def read_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A JSON document, and the keys that stand in one object more than once: readers differ on which of them counts."""
    text, twice = decoded(path), list[str]()

    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return found

    try:
        document = json.loads(text, object_pairs_hook=without_doubles, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise FileFaultsError(
            [told("%(path)s:%(lineno)s: this is no JSON: %(msg)s", path=path, lineno=error.lineno, msg=error.msg)]
        ) from None
    except (ValueError, RecursionError):  # a number of more digits than Python reads, or endless brackets
        raise FileFaultsError([told("%(path)s:1: this is no allocation", path=path)]) from None
    if not isinstance(document, dict):
        raise FileFaultsError([told("%(path)s:1: this is no allocation", path=path)])
    return document, twice


def _no_number(text: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have. Raises ValueError."""
    raise ValueError(f"{text} is no number of JSON")


def read_previous(path: Path, event: Event) -> Programmes:
    """The programmes of an allocation.json. Raises FileFaultsError where they do not fit the event."""
    document, twice = read_json(path)
    if twice:
        raise FileFaultsError(
            [told("%(path)s:1: %(key)s stands in it twice", path=path, key=repr(key)) for key in twice]
        )
    programmes = document.get("programmes")
    if not isinstance(programmes, dict) or not all(
        isinstance(programme, dict) and all(isinstance(theme, str) for theme in programme.values())
        for programme in programmes.values()
    ):
        raise FileFaultsError([told("%(path)s:1: it holds no `programmes` by attendee and round", path=path)])
    themes, rounds = {theme.id for theme in event.themes}, {slot.id for slot in event.rounds}
    faults = [
        (who, message)
        for who, programme in programmes.items()
        for message in programme_faults(programme, themes, rounds)
    ]
    if faults:
        lines = {}
        for number, line in enumerate(decoded(path).split("\n"), 1):
            for who in re.findall(r'"((?:[^"\\]|\\.)*)"\s*:\s*(?=\{|$)', line):
                lines[json.loads(f'"{who}"')] = number
        raise FileFaultsError(
            [
                told("%(path)s:%(line)s: %(who)s: %(words)s", path=path, line=lines.get(who, 1), who=who, words=message)
                for who, message in faults
            ]
        )
    return {str(who): dict(programme) for who, programme in programmes.items()}


def checksum_faults(document: Mapping[str, Any], twice: Sequence[str]) -> Iterator[Told]:
    """Yield what shows that a document is not as it was written; `twice` are keys that stand in it more than once."""
    yield from (told("%(key)s stands in it twice", key=repr(key)) for key in twice)
    if document.get("checksum") != checksum(document):
        yield told("it was altered since")


def write_files(
    out: Path,
    event: Event,
    attendees: Sequence[Attendee],
    allocation: Allocation,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write the four files of an allocation. Each appears whole or not at all.

    Parameters
    ----------
    names
        Names by id, for the list of programmes; left out where the people came without.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "allocation.json", allocation_lines(allocation))
    shown = event.in_language(language())
    _write(out / "programmes.csv", [_programmes_csv(shown, allocation, names or {})])
    _write(out / "workshops.csv", [_workshops_csv(shown, attendees, allocation)])
    _write(out / "report.html", [report_page(event, attendees, allocation)])


def allocation_lines(allocation: Allocation) -> Iterator[str]:
    """allocation.json: a line for each field, and one for each person, so that differences can be read.

    The checksum covers all other fields: canonical JSON, keys sorted, no spaces.
    """
    crowd = {"programmes", "reasons", "moved"}
    document = allocation.model_dump(mode="json", exclude=crowd)
    document = {  # what is as long as the crowd is not copied
        key: getattr(allocation, key) if key in crowd else document[key]
        for key in Allocation.model_fields
        if key in crowd or key in document
    }
    if allocation.previous is not None:
        document["previous"] = allocation.previous
    document["checksum"] = checksum(document)
    between = "{\n"
    for key, value in document.items():
        yield f"{between}  {_json(key)}: "
        between = ",\n"
        if key in {*crowd, "previous"} and value:
            written, names = encoder_of_many(_json), list(value)
            for begin in range(0, len(names), PART):
                part = names[begin : begin + PART]
                rows = ",\n".join([f"    {encode_basestring(who)}: {written(value[who])}" for who in part])
                yield f"{',' if begin else '{'}\n{rows}"
            yield "\n  }"
        else:
            yield _json(value)
    yield "\n}\n"


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _json(value: Any) -> str:
    return _ENCODER.encode(value)


def _programmes_csv(event: Event, allocation: Allocation, names: Mapping[str, str]) -> str:
    """Who goes where, by id; then the names, if any, and every workshop as people know it."""
    titles = {theme.id: theme.title for theme in event.themes}
    rooms = {(theme.id, slot.id): event.room(theme.id, slot.id) for theme in event.themes for slot in event.rounds}
    rounds = [(slot.id, _hours(slot)) for slot in event.rounds]
    header = ["id", *(f"round_{slot}" for slot, _ in rounds), *(["name"] if names else [])]
    header += [f"round_{slot}_{fact}" for slot, _ in rounds for fact in ("title", "hours", "room")]

    def told(programme: Mapping[str, str]) -> Iterator[str]:
        for slot, hours in rounds:
            theme = programme.get(slot)
            yield from (titles[theme], hours, rooms[theme, slot]) if theme is not None else ("", "", "")

    known: dict[tuple[tuple[str, str], ...], tuple[list[str], list[str]]] = {}

    def cells(programme: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Codes, and what people read: of programmes there are few, whatever the crowd."""
        key = tuple(programme.items())
        if key not in known:
            known[key] = [programme.get(slot, "") for slot, _ in rounds], list(told(programme))
        return known[key]

    rows = (
        [who, *codes, *([names.get(who, "")] if names else []), *words]
        for who, programme in allocation.programmes.items()
        for codes, words in (cells(programme),)
    )
    return _csv(header, rows)


def _workshops_csv(event: Event, attendees: Sequence[Attendee], allocation: Allocation) -> str:
    heads = heads_of_types(attendees, allocation)
    types = [partner_type.id for partner_type in event.partner_types]
    rows = (
        [
            *(theme.id, slot.id, str(event.seats(theme.id, slot.id)), str(sum(by_type)), *map(str, by_type)),
            *(theme.title, _hours(slot), event.room(theme.id, slot.id)),
        ]
        for theme in event.themes
        for slot in event.rounds
        for by_type in ([heads[theme.id, slot.id, known] for known in types],)
    )
    header = ["theme", "round", "seats", "heads", *(f"heads_{known}" for known in types), "title", "hours", "room"]
    return _csv(header, rows)


def _hours(slot: Round) -> str:
    return f"{slot.start:%H:%M}-{slot.end:%H:%M}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list that spreadsheets open as UTF-8, with a byte order mark, and of which they run no cell as a formula."""
    return "\ufeff" + csv_text(header, rows)


def _write(path: Path, parts: Iterable[str]) -> None:
    """Write a file beside its place and move it there in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
