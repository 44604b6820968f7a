"""Allocations from files and to files: `parcours allocate` and `parcours verify`.

PEOPLE.csv is read whole and every fault is named as `FILE:LINE: message`; nothing is written unless all is well.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from functions.allocate.model.problem import EngineCannotError, NoAllocationError, NotFoundInTimeError
from functions.allocate.model.result import Allocation
from functions.allocate.solve import allocate
from infra.report.compare import compare
from infra.report.facts import heads_of_types
from infra.report.page import report_page
from infra.verify.checks import Check, verify
from shared.allocations import checksum
from shared.attendees import Attendee, attendee_faults, closed_themes, programme_faults
from shared.event_file import EventFileError, load_event
from shared.models import Event
from shared.people_csv import CsvError, csv_rows

DONE, CHECK_FAILED, BAD_INPUT, NO_ALLOCATION, NOT_FOUND = 0, 1, 2, 3, 4
"""Exit codes. `NOT_FOUND`: none was found in time, or not by this engine, though none is ruled out."""

NEEDED = ("id", "partner_type", "choice_1")
"""Columns without which PEOPLE.csv says nothing."""

Programmes = dict[str, dict[str, str]]


class FileFaultsError(ValueError):
    """Files that cannot be used; `faults` holds a line for each mistake, `FILE:LINE: message`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


def add_allocation_parsers(subparsers: Any) -> None:
    """Add `allocate` and `verify` to the command line; each parser's `run` takes the arguments and returns a code."""
    one = subparsers.add_parser("allocate", help="allocate people collected elsewhere", description=allocate.__doc__)
    one.add_argument("event", type=Path, metavar="EVENT.yaml")
    one.add_argument("people", type=Path, metavar="PEOPLE.csv")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the four files are written")
    one.add_argument("--previous", type=Path, metavar="allocation.json", help="the published allocation")
    one.add_argument("--mode", choices=("fresh", "keep"), default="fresh", help="keep: hold on to what was published")
    one.add_argument("--seed", metavar="TEXT", help="of the lottery; left out: the event's, else a secret one")
    one.add_argument("--engine", choices=("auto", "flow", "exact"), default="auto")
    one.add_argument("--time-budget", type=float, default=120.0, metavar="SECONDS")
    one.set_defaults(run=run_allocate)
    two = subparsers.add_parser("verify", help="recompute an allocation independently")
    two.add_argument("event", type=Path, metavar="EVENT.yaml")
    two.add_argument("people", type=Path, metavar="PEOPLE.csv")
    two.add_argument("allocation", type=Path, metavar="allocation.json")
    two.add_argument("--previous", type=Path, metavar="allocation.json", help="what a keep run kept to")
    two.set_defaults(run=run_verify)


def run_allocate(args: argparse.Namespace) -> int:
    """Allocate from files into a directory. Returns the exit code."""
    try:
        event, attendees = read_inputs(args.event, args.people)
        previous = read_previous(args.previous, event) if args.previous else None
        if args.mode == "keep" and previous is None:
            raise FileFaultsError([f"{args.people}:1: --mode keep needs --previous, the allocation to hold on to"])
    except FileFaultsError as error:
        return _refuse(error)
    try:
        allocation = allocate(
            event,
            attendees,
            mode=args.mode,
            seed=args.seed,
            previous=previous,
            engine=args.engine,
            time_budget=args.time_budget,
            progress=_progress(),
            on_fault=_warn_not_described,
        )
    except NoAllocationError as error:
        print(f"No allocation exists. {error}", file=sys.stderr)
        return NO_ALLOCATION
    except NotFoundInTimeError:
        print(
            f"No allocation was found in {args.time_budget:g} seconds, though none is ruled out. "
            "Nothing was written. Give it more time with --time-budget SECONDS.",
            file=sys.stderr,
        )
        return NOT_FOUND
    except EngineCannotError as error:
        print(
            f"The engine '{args.engine}' cannot allocate these people: {error}. This does not mean that no allocation "
            "exists. Nothing was written. Leave out --engine, and another engine takes over.",
            file=sys.stderr,
        )
        return NOT_FOUND
    write_files(args.out, event, attendees, allocation)
    print(_summary(allocation, args.out))
    if previous is not None:
        print(f"Against {args.previous}: {compare(previous, allocation.programmes, attendees, event)}.")
    return DONE


def run_verify(args: argparse.Namespace) -> int:
    """Recompute an allocation; one line a check. Returns the exit code."""
    try:
        event, attendees = read_inputs(args.event, args.people)
        document, twice = _read_json(args.allocation)
        previous = read_previous(args.previous, event) if args.previous else None
    except FileFaultsError as error:
        return _refuse(error)
    checks = [Check("the file is as it was written (checksum)", tuple(_checksum_faults(document, twice)))]
    try:
        allocation = Allocation.model_validate({key: value for key, value in document.items() if key != "checksum"})
        checks += verify(event, attendees, allocation, previous=previous)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        checks.append(Check("the file has the fields of an allocation", tuple(faults)))
    for check in checks:
        print(check)
    return DONE if all(check.passed for check in checks) else CHECK_FAILED


def _refuse(error: FileFaultsError) -> int:
    for fault in error.faults:
        print(fault, file=sys.stderr)
    return BAD_INPUT


def _progress() -> Callable[[str], None] | None:
    """Say what is being done, on a terminal only."""
    if not sys.stderr.isatty():
        return None
    return lambda words: print(f"… {words}", file=sys.stderr)


def _warn_not_described(what: str, error: Exception) -> None:
    print(f"Written without {what}, which could not be made: {type(error).__name__}: {error}", file=sys.stderr)


def _summary(allocation: Allocation, out: Path) -> str:
    proof = "proven optimal" if allocation.optimal else f"at most {allocation.gap} above the optimum: {allocation.why}"
    return (
        f"{len(allocation.programmes)} programmes, objective {allocation.objective.total} ({proof}), "
        f"{allocation.engine}, {allocation.seconds:.2f} s. Written to {out}."
    )


# --------------------------------------------------------------------------- reading


def read_inputs(event_file: Path, people_file: Path) -> tuple[Event, list[Attendee]]:
    """Read the event and its people. Raises FileFaultsError with every mistake of the first file that has any."""
    try:
        event = load_event(event_file)
    except OSError as error:
        raise FileFaultsError([f"{event_file}:1: {error.strerror}"]) from None
    except EventFileError as error:
        document = _document(event_file)
        raise FileFaultsError([f"{event_file}:{_line_of(f.path, document)}: {f}" for f in error.faults]) from None
    return event, read_people(people_file, event)


def _line_of(path: str, document: Any) -> int:
    """The line of a YAML document at which a path like `themes[2].capacity` stands, as far down as it leads."""
    line = 0
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            line = (document.lc.item(int(index)) if index else document.lc.key(key))[0]
            document = document[int(index) if index else key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line + 1


def _document(path: Path) -> Any:
    """An event file with the lines of its parts; None where it is no YAML."""
    try:
        return YAML().load(path.read_bytes())
    except (YAMLError, ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class _Header:
    """Where the columns of PEOPLE.csv are; -1 for one that is missing."""

    id: int
    partner_type: int
    choices: tuple[int, ...]
    absent: int
    pinned: int
    excluded: int
    width: int

    @cached_property
    def told(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """Takes from a row all that counts, without the id."""
        columns = [self.partner_type, *self.choices, *(n for n in (self.absent, self.pinned, self.excluded) if n >= 0)]
        return itemgetter(*columns)


def read_people(path: Path, event: Event) -> list[Attendee]:
    """Read PEOPLE.csv. Raises FileFaultsError with every mistake as `FILE:LINE: message`."""
    faults: list[str] = []
    attendees: list[Attendee] = []
    seen: dict[str, tuple[str, int]] = {}
    reader = _PeopleReader(path, event)
    for line, attendee, messages in reader.rows():
        faults += [f"{path}:{line}: {message}" for message in messages]
        if attendee is None:
            continue
        looks = attendee.id if attendee.id.isascii() else unicodedata.normalize("NFKC", attendee.id)
        other, first = seen.setdefault(looks.casefold(), (attendee.id, line))
        if first != line:
            again = "appears twice" if other == attendee.id else f"looks like {other!r}"
            faults.append(f"{path}:{line}: id {attendee.id!r} {again}, first on line {first}")
        attendees.append(attendee)
    if not attendees and not faults:
        faults.append(f"{path}:1: there are no people in the file")
    if faults:
        raise FileFaultsError(faults)
    return attendees


class _PeopleReader:
    """The rows of PEOPLE.csv, each with its line number and what is wrong with it."""

    def __init__(self, path: Path, event: Event) -> None:
        self.path = path
        self.themes = {theme.id for theme in event.themes}
        self.rounds = {slot.id for slot in event.rounds}
        self.types = {kind.id for kind in event.partner_types}
        self.closed = closed_themes(event)
        # People who want the same share what they want, checked once: of a million there are few.
        self._alike: dict[tuple[str, ...], tuple[Attendee, list[str]]] = {}

    def rows(self) -> Iterator[tuple[int, Attendee | None, list[str]]]:
        """Yield (line, attendee or None, faults)."""
        text = _decoded(self.path)
        if not text.strip():
            raise FileFaultsError([f"{self.path}:1: the file is empty"])
        lines = csv_rows(text, NEEDED)
        try:
            header = self._header(next(lines)[1])
            for line, row in lines:
                yield line, *self._attendee(row, header)
        except CsvError as error:
            yield error.line, None, [str(error)]

    def _header(self, names: Sequence[str]) -> _Header:
        names = [name.strip().lower() for name in names]
        numbers = sorted(int(name[7:]) for name in names if re.fullmatch(r"choice_[1-9]\d{0,3}", name))
        faults = [f"the column {need!r} is missing" for need in NEEDED if need not in names]
        faults += [f"the column {name!r} appears twice" for name, n in Counter(names).items() if n > 1 and name]
        gap = next((n for n, number in enumerate(numbers, 1) if n != number), None)
        if gap and "choice_1" in names and len(set(numbers)) == len(numbers):
            faults.append(f"the column 'choice_{gap}' is missing")
        if faults:
            raise FileFaultsError([f"{self.path}:1: {fault}" for fault in faults])
        at = {name: column for column, name in enumerate(names)}
        return _Header(
            id=at["id"],
            partner_type=at["partner_type"],
            choices=tuple(at[f"choice_{number}"] for number in numbers),
            absent=at.get("absent", -1),
            pinned=at.get("pinned", -1),
            excluded=at.get("excluded", -1),
            width=len(names),
        )

    def _attendee(self, row: list[str], header: _Header) -> tuple[Attendee | None, list[str]]:
        surplus = any(cell.strip() for cell in row[header.width :])
        faults = [f"{len(row)} fields for {header.width} columns"] if surplus else []
        row = [cell.strip() for cell in row] + [""] * (header.width - len(row))
        told = header.told(row)
        if told not in self._alike:
            self._alike[told] = self._wishes(row, header)
        attendee, more = self._alike[told]
        who = row[header.id]
        if not who:
            return None, [*faults, "the id is empty", *more]
        told_of = (attendee.partner_type, attendee.ranking, attendee.absent, attendee.pinned, attendee.excluded)
        return Attendee(who, *told_of), faults + more

    def _wishes(self, row: list[str], header: _Header) -> tuple[Attendee, list[str]]:
        """All of a row but the id, and what is wrong with it."""
        choices = [row[column] for column in header.choices]
        ranking = tuple(takewhile(bool, choices))
        gap = any(choices[len(ranking) :])
        faults = [f"choice_{len(ranking) + 1} is empty and a later choice is not"] if gap else []
        pinned, pin_faults = _pins(row[header.pinned] if header.pinned >= 0 else "")
        absent = frozenset((row[header.absent] if header.absent >= 0 else "").split())
        excluded = frozenset((row[header.excluded] if header.excluded >= 0 else "").split())
        attendee = Attendee("somebody", row[header.partner_type], ranking, absent, pinned, excluded)
        return attendee, faults + pin_faults + [
            *attendee_faults(attendee, self.themes, self.rounds, self.types, self.closed)
        ]


def _decoded(path: Path) -> str:
    """The text of a file. Raises FileFaultsError with the line of the first byte that is not UTF-8."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise FileFaultsError([f"{path}:1: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "the file is UTF-16" if wide else f"byte {data[error.start]:#04x} is not UTF-8"
        raise FileFaultsError([f"{path}:{line}: {what}; save the file as UTF-8"]) from None


def _pins(text: str) -> tuple[dict[str, str], list[str]]:
    pins: dict[str, str] = {}
    faults = []
    for part in text.split():
        slot, colon, theme = part.partition(":")
        if not (slot and colon and theme):
            faults.append(f"pinned: {part!r} is not round:theme")
        elif slot in pins:
            faults.append(f"pinned: two pins in {slot!r}")
        else:
            pins[slot] = theme
    return pins, faults


def _read_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A JSON document, and the keys that stand in one object more than once: readers differ on which of them counts."""
    text, twice = _decoded(path), list[str]()

    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return found

    try:
        document = json.loads(text, object_pairs_hook=without_doubles)
    except json.JSONDecodeError as error:
        raise FileFaultsError([f"{path}:{error.lineno}: this is no JSON: {error.msg}"]) from None
    except (ValueError, RecursionError):  # a number of more digits than Python reads, or endless brackets
        raise FileFaultsError([f"{path}:1: this is no allocation"]) from None
    if not isinstance(document, dict):
        raise FileFaultsError([f"{path}:1: this is no allocation"])
    return document, twice


def read_previous(path: Path, event: Event) -> Programmes:
    """The programmes of an allocation.json. Raises FileFaultsError where they do not fit the event."""
    programmes = _read_json(path)[0].get("programmes")
    if not isinstance(programmes, dict) or not all(
        isinstance(programme, dict) and all(isinstance(theme, str) for theme in programme.values())
        for programme in programmes.values()
    ):
        raise FileFaultsError([f"{path}:1: it holds no `programmes` by attendee and round"])
    themes, rounds = {theme.id for theme in event.themes}, {slot.id for slot in event.rounds}
    faults = [
        (who, message)
        for who, programme in programmes.items()
        for message in programme_faults(programme, themes, rounds)
    ]
    if faults:
        lines = {}
        for number, line in enumerate(_decoded(path).split("\n"), 1):
            for who in re.findall(r'"((?:[^"\\]|\\.)*)"\s*:\s*(?=\{|$)', line):
                lines[json.loads(f'"{who}"')] = number
        raise FileFaultsError([f"{path}:{lines.get(who, 1)}: {who}: {message}" for who, message in faults])
    return {str(who): dict(programme) for who, programme in programmes.items()}


# --------------------------------------------------------------------------- writing


def write_files(out: Path, event: Event, attendees: Sequence[Attendee], allocation: Allocation) -> None:
    """Write the four files of an allocation. Each appears whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "allocation.json", allocation_text(allocation))
    _write(out / "programmes.csv", _programmes_csv(event, allocation))
    _write(out / "workshops.csv", _workshops_csv(event, attendees, allocation))
    _write(out / "report.html", report_page(event, attendees, allocation))


def allocation_text(allocation: Allocation) -> str:
    """allocation.json: a line for each field, and one for each person, so that differences can be read.

    The checksum covers all other fields: canonical JSON, keys sorted, no spaces.
    """
    document = allocation.model_dump(mode="json")
    if allocation.previous is not None:
        document["previous"] = allocation.previous
    document["checksum"] = checksum(document)
    fields = []
    for key, value in document.items():
        if key in {"programmes", "reasons", "moved", "previous"} and value:
            rows = ",\n".join(f"    {_json(who)}: {_json(row)}" for who, row in value.items())
            fields.append(f"  {_json(key)}: {{\n{rows}\n  }}")
        else:
            fields.append(f"  {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _checksum_faults(document: Mapping[str, Any], twice: Sequence[str]) -> Iterator[str]:
    yield from (f"{key!r} stands in it twice" for key in twice)
    if document.get("checksum") != checksum(document):
        yield "it was altered since"


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _json(value: Any) -> str:
    return _ENCODER.encode(value)


def _programmes_csv(event: Event, allocation: Allocation) -> str:
    rounds = [slot.id for slot in event.rounds]
    rows = ([who, *(programme.get(r, "") for r in rounds)] for who, programme in allocation.programmes.items())
    return _csv(["id", *(f"round_{r}" for r in rounds)], rows)


def _workshops_csv(event: Event, attendees: Sequence[Attendee], allocation: Allocation) -> str:
    heads = heads_of_types(attendees, allocation)
    kinds = [kind.id for kind in event.partner_types]
    rows = (
        [theme.id, slot.id, event.seats(theme.id, slot.id), sum(by_type), *by_type]
        for theme in event.themes
        for slot in event.rounds
        for by_type in ([heads[theme.id, slot.id, kind] for kind in kinds],)
    )
    return _csv(["theme", "round", "seats", "heads", *(f"heads_{kind}" for kind in kinds)], rows)


def _csv(header: Sequence[str], rows: Iterator[list[Any]] | Any) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Write a file beside its place and move it there in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
