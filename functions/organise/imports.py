"""Importing a CSV of people: a preview of what it would change with every fault by its line, then the changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Literal, NamedTuple

from functions.organise.people import (
    Correction,
    NewPerson,
    add_person,
    change_person,
    differing,
    read_correction,
    read_new_person,
)
from functions.organise.words import counted
from shared.errors import ConflictError, InvalidError, ParcoursError, StaleError
from shared.models import Event, Question, Registration, RegistrationState
from shared.observability import count, logger
from shared.people_csv import CsvError, csv_rows
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import Table
from shared.text import TextError, address_key, clean_address

MOST_ROWS = 500
"""Rows of one file that change something, and most faults that are listed. Each row is a transaction of its own, and
all must end within the seconds of one request."""

PLAIN = ("id", "state", "name", "email", "organisation", "partner_type", "absent", "pinned", "excluded")
_OUR_ID = re.compile(r"[0-9a-f]{20}")
_CHOICE = re.compile(r"choice_([1-9][0-9]?)")


class Change(NamedTuple):
    """A field of a person before and after, in words."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file, and what it would do."""

    line: int
    act: Literal["add", "change", "withdraw", "same"]
    name: str
    person: Registration | None
    wanted: NewPerson | Correction
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Preview:
    """What a file would change, what is wrong with it, and what in it is left alone."""

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    read: int = 0

    def of(self, act: str) -> list[Row]:
        """The rows that would do this."""
        return [row for row in self.rows if row.act == act]

    @property
    def changing(self) -> list[Row]:
        """The rows that would do something."""
        return [row for row in self.rows if row.act != "same"]

    @property
    def fingerprint(self) -> str:
        """A digest of what the file would change, to notice that it would change something else now."""
        told = [(row.line, row.act, row.changes, row.person and row.person.revision) for row in self.rows]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


class _People:
    """The registrations of an event, as the rows of a file find them."""

    def __init__(self, people: Iterable[Registration]) -> None:
        self.by_id = {person.id: person for person in people}
        self._by_address: dict[str, Registration] = {}
        for person in self.by_id.values():
            key = address_key(person.email)
            known = self._by_address.get(key)
            if known is None or known.state is RegistrationState.WITHDRAWN:
                self._by_address[key] = person

    def find(self, cells: Mapping[str, str]) -> Registration | None:
        """The person of a row: by id where the row has one of ours, else by address, present people first."""
        if _OUR_ID.fullmatch(cells.get("id", "")):
            return self.by_id.get(cells["id"])
        return self._by_address.get(_key(cells.get("email", "")))


def preview(table: Table, event: Event, text: object) -> Preview:
    """What a file would change. Raises InvalidError when it is no list of people at all."""
    if not isinstance(text, str) or not text.strip():
        raise _unusable("Choose a CSV file, or paste its lines")
    lines = _lines(text)
    header = [cell.casefold() for _, cells in islice(lines, 1) for cell in cells]
    known = {*PLAIN, *(name for name in header if _CHOICE.fullmatch(name)), *_answer_columns(event)}
    found = Preview(ignored=[name for name in header if name and name not in known])
    missing = [name for name in ("name", "email") if name not in header]
    if missing:
        raise _unusable(f"The first line must name the columns; {' and '.join(missing)} is missing")
    named = [name for name in header if name]  # spreadsheets write empty columns beside the list
    if len(set(named)) != len(named):
        raise _unusable("A column is named twice in the first line")
    people = _People(registrations_of(table, event.id))
    seen: dict[str, int] = {}
    for line, cells in lines:
        found.read += 1
        if len(found.changing) + len(found.faults) >= MOST_ROWS:
            raise _unusable(f"More than {MOST_ROWS} changes; split the file")
        if any(cells[len(header) :]):
            found.faults.append((line, f"{len(cells)} cells for {len(header)} columns"))
            continue
        _read_row(event, found, line, dict(zip(header, cells, strict=False)), people, seen)
    return found


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, cells in csv_rows(text, PLAIN):
            yield line, [cell.strip() for cell in cells]
    except CsvError as error:
        raise _unusable(f"Line {error.line} cannot be read: {error}") from None


def _read_row(
    event: Event, found: Preview, line: int, cells: Mapping[str, str], people: _People, seen: dict[str, int]
) -> None:
    """Add what a line would do, or what is wrong with it."""
    person = people.find(cells)
    key = person.id if person else _key(cells.get("email", ""))
    if key in seen:
        found.faults.append((line, f"the person of line {seen[key]} again"))
        return
    seen[key] = line
    state = cells.get("state", "").casefold()
    if state not in ("", *RegistrationState):
        found.faults.append((line, f"state: write one of {', '.join(RegistrationState)}, or nothing"))
        return
    try:
        if person is None:
            _read_stranger(event, found, line, cells, state)
        elif state == RegistrationState.WITHDRAWN and person.state is not RegistrationState.WITHDRAWN:
            change = Change("state", person.state, RegistrationState.WITHDRAWN)
            found.rows.append(Row(line, "withdraw", person.name, person, Correction(withdrawn=True), (change,)))
        else:
            _read_known(event, found, line, cells, state, person)
    except InvalidError as error:
        found.faults += [(line, f"{name}: {words}") for name, words in error.fields.items()]


def _read_stranger(event: Event, found: Preview, line: int, cells: Mapping[str, str], state: str) -> None:
    """A row of which no registration is known: a person to add, unless the row itself says otherwise."""
    if _OUR_ID.fullmatch(cells.get("id", "")):
        words = "no registration has this id: it was erased, or is of another event. To add the person, empty the id"
        found.warnings.append((line, words))
    elif state not in ("", RegistrationState.CONFIRMED):
        found.warnings.append((line, f"not registered, and the state is {state}. To add the person, empty the state"))
    else:
        wanted = read_new_person(event, _fields(event, cells))
        found.rows.append(Row(line, "add", wanted.name, None, wanted))


def _read_known(
    event: Event, found: Preview, line: int, cells: Mapping[str, str], state: str, person: Registration
) -> None:
    """A row of a registration: what it says otherwise is a change."""
    withdrawn = person.state is RegistrationState.WITHDRAWN
    if withdrawn and state != RegistrationState.WITHDRAWN:
        words = "has withdrawn and stays so. If they want to come after all, add them on the page of people"
        found.warnings.append((line, words))
        return
    if state not in ("", person.state):
        words = f"is {person.state.value}, not {state}; a file does not change that"
        found.warnings.append((line, words))
    fields = _fields(event, cells, person)
    if _key(fields.get("email", "")) in ("", address_key(person.email)):  # other capitals are no change
        fields.pop("email", None)
    if not fields["name"]:
        fields.pop("name")
    # What is stored may be older than the event file: only what differs must fit it.
    differs = {key: value for key, value in fields.items() if value != getattr(person, key)}
    wanted = read_correction(event, differs)
    after = differing(person, wanted)
    if after and withdrawn:
        found.warnings.append((line, "has withdrawn; the changes are left out"))
        after = {}
    changes = tuple(Change(key, _in_words(getattr(person, key)), _in_words(value)) for key, value in after.items())
    found.rows.append(Row(line, "change" if changes else "same", person.name, person, wanted, changes))


def _in_words(value: object) -> str:
    """A field of a person as a preview shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_in_words(part)}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _key(typed: str) -> str:
    """What an address in the file is found by; one that will not do is compared as it stands."""
    try:
        return address_key(clean_address(typed))
    except TextError:
        return typed


def _answer_columns(event: Event) -> dict[str, Question]:
    return {f"answer_{question.id}".casefold(): question for question in event.questions}


_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _answers(event: Event, cells: Mapping[str, str]) -> dict[str, str | bool]:
    """The answers of a line. Raises InvalidError."""
    answers: dict[str, str | bool] = {}
    for column, question in _answer_columns(event).items():
        cell = cells.get(column, "")
        if cell and question.kind == "consent":
            if cell.casefold() not in _YES_OR_NO:
                raise InvalidError("Some fields need another look.", {column: "write yes or no"})
            answers[question.id] = _YES_OR_NO[cell.casefold()]
        elif cell:
            answers[question.id] = cell
    return answers


def _fields(event: Event, cells: Mapping[str, str], person: Registration | None = None) -> dict[str, Any]:
    """A line's fields; an empty cell says nothing. Themes and partner types may stand by id or by title.

    Answers of the person to other questions stay.
    """
    themes = {theme.title.casefold(): theme.id for theme in event.themes}
    types = {known.title.casefold(): known.id for known in event.partner_types}
    fields: dict[str, Any] = {name: cells[name] for name in ("name", "email", "organisation") if cells.get(name)}
    fields.setdefault("name", "")
    if partner_type := cells.get("partner_type"):
        fields["partner_type"] = types.get(partner_type.casefold(), partner_type)
    ranked = sorted((name for name in cells if _CHOICE.fullmatch(name)), key=lambda name: int(name[7:]))
    choices = [cells[name] for name in ranked]
    while choices and not choices[-1]:
        choices.pop()
    if choices:
        fields["choices"] = [themes.get(choice.casefold(), choice) for choice in choices]
    if absent := cells.get("absent"):
        fields["absent"] = absent.split()
    if excluded := cells.get("excluded"):
        fields["excluded"] = excluded.split()
    if pinned := cells.get("pinned"):
        pairs = [pin.partition(":") for pin in pinned.split()]
        fields["pinned"] = {slot: theme for slot, _, theme in pairs}
    given, before = _answers(event, cells), person.answers if person else {}
    if any(before.get(question) != answer for question, answer in given.items()):
        asked = {question.id for question in event.questions}
        fields["answers"] = {**{key: value for key, value in before.items() if key in asked}, **given}
    return fields


def _unusable(words: str) -> InvalidError:
    return InvalidError("This file cannot be imported.", {"csv": words})


def carry_out(
    table: Table, event: Event, found: Preview, fingerprint: object, *, actor: str, now: datetime
) -> dict[str, Any]:
    """Do what the preview showed, one transaction for each person; what is refused is listed by its line.

    Raises InvalidError when the file has faults, ConflictError when it no longer does what was seen, or when there
    are fewer places than people to add. Then nothing was changed.
    """
    if found.faults:
        raise InvalidError("Nothing was imported: correct these lines first.", by_line(found))
    if fingerprint != found.fingerprint:
        raise StaleError("People changed since this preview was made. Nothing was imported; look at the new preview.")
    free = event.capacity - read_state(table, event.id).confirmed
    if len(found.of("add")) > free:
        raise ConflictError(
            f"{counted(len(found.of('add')), 'person', 'people')} to add and "
            f"{counted(max(0, free), 'free place')}. Nothing was imported."
        )
    done: dict[str, Any] = {"added": 0, "changed": 0, "withdrawn": 0, "same": len(found.of("same")), "refused": []}
    for row in found.changing:
        try:
            if isinstance(row.wanted, NewPerson):
                add_person(table, event, row.wanted, actor=actor, now=now, source="import")
                done["added"] += 1
            elif row.person:
                change_person(table, event, row.person, row.wanted, actor=actor, now=now)
                done["withdrawn" if row.act == "withdraw" else "changed"] += 1
        except ParcoursError as error:
            done["refused"].append({"line": row.line, "message": error.message})
    count("ImportedRows", done["added"] + done["changed"] + done["withdrawn"])
    count("ImportedRowsRefused", len(done["refused"]))
    logger.info("people imported", extra={"event_id": event.id, **{**done, "refused": len(done["refused"])}})
    return done


def by_line(found: Preview) -> dict[str, str]:
    """The faults of each line, as fields of an answer."""
    fields: dict[str, str] = {}
    for line, words in found.faults:
        name = f"line {line}"
        fields[name] = f"{fields[name]}; {words}" if name in fields else words
    return fields


def as_shown(found: Preview) -> dict[str, Any]:
    """A preview as programs read it."""
    return {
        "read": found.read,
        "add": [{"line": row.line, "name": row.name} for row in found.of("add")],
        "change": [
            {
                "line": row.line,
                "name": row.name,
                "fields": [change.field for change in row.changes],
                "changes": [change._asdict() for change in row.changes],
            }
            for row in found.of("change")
        ],
        "withdraw": [{"line": row.line, "name": row.name} for row in found.of("withdraw")],
        "same": len(found.of("same")),
        "faults": [{"line": line, "message": words} for line, words in found.faults],
        "warnings": [{"line": line, "message": words} for line, words in found.warnings],
        "ignored": found.ignored,
        "expected": found.fingerprint,
    }
