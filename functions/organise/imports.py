"""Importing a CSV of people: a preview of what it would change with every fault by its line, then the changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Literal

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
from shared.models import Event, Registration, RegistrationState
from shared.observability import count, logger
from shared.people_csv import CsvError, csv_rows
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import Table
from shared.text import TextError, address_key, clean_address

MOST_ROWS = 500
"""Rows of one file. Each is a transaction of its own, and all must end within the seconds of one request."""

PLAIN = ("name", "email", "organisation", "partner_type", "absent", "pinned", "excluded")
_CHOICE = re.compile(r"choice_([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file, and what it would do."""

    line: int
    act: Literal["add", "change", "same"]
    name: str
    person: Registration | None
    wanted: NewPerson | Correction
    changes: tuple[str, ...] = ()


@dataclass(slots=True)
class Preview:
    """What a file would change, and what is wrong with it."""

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def of(self, act: str) -> list[Row]:
        """The rows that would do this."""
        return [row for row in self.rows if row.act == act]

    @property
    def fingerprint(self) -> str:
        """A digest of what the file would change, to notice that it would change something else now."""
        told = [(row.line, row.act, row.changes, row.person and row.person.revision) for row in self.rows]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def preview(table: Table, event: Event, text: object) -> Preview:
    """What a file would change. Raises InvalidError when it is no list of people at all."""
    if not isinstance(text, str) or not text.strip():
        raise _unusable("Choose a CSV file, or paste its lines")
    lines = _lines(text)
    header = [cell.casefold() for _, cells in islice(lines, 1) for cell in cells]
    choices = [name for name in header if _CHOICE.fullmatch(name)]
    found = Preview(ignored=[name for name in header if name and name not in PLAIN and name not in choices])
    missing = [name for name in ("name", "email") if name not in header]
    if missing:
        raise _unusable(f"The first line must name the columns; {' and '.join(missing)} is missing")
    named = [name for name in header if name]  # spreadsheets write empty columns beside the list
    if len(set(named)) != len(named):
        raise _unusable("A column is named twice in the first line")
    known = {
        address_key(person.email): person
        for person in registrations_of(table, event.id)
        if person.state is not RegistrationState.WITHDRAWN
    }
    seen: dict[str, int] = {}
    for line, cells in lines:
        if len(found.rows) + len(found.faults) >= MOST_ROWS:
            raise _unusable(f"More than {MOST_ROWS} people; split the file")
        if any(cells[len(header) :]):
            found.faults.append((line, f"{len(cells)} cells for {len(header)} columns"))
            continue
        _read_row(event, found, line, dict(zip(header, cells, strict=False)), known, seen)
    return found


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, cells in csv_rows(text, PLAIN):
            yield line, [cell.strip() for cell in cells]
    except CsvError as error:
        raise _unusable(f"Line {error.line} cannot be read: {error}") from None


def _read_row(
    event: Event,
    found: Preview,
    line: int,
    cells: Mapping[str, str],
    known: Mapping[str, Registration],
    seen: dict[str, int],
) -> None:
    """Add what a line would do, or what is wrong with it."""
    address = _key(cells.get("email", ""))
    if address in seen:
        found.faults.append((line, f"the address of line {seen[address]} again"))
        return
    seen[address] = line
    person = known.get(address)
    try:
        fields = _fields(event, cells)
        if person is None:
            found.rows.append(Row(line, "add", fields["name"], None, read_new_person(event, fields)))
            return
        fields.pop("email")  # the person was found by it; other capitals are no change
        if not fields["name"]:
            fields.pop("name")
        wanted = read_correction(event, fields)
    except InvalidError as error:
        found.faults += [(line, f"{name}: {words}") for name, words in error.fields.items()]
        return
    changes = tuple(sorted(differing(person, wanted)))
    found.rows.append(Row(line, "change" if changes else "same", person.name, person, wanted, changes))


def _key(typed: str) -> str:
    """What an address in the file is found by; one that will not do is compared as it stands."""
    try:
        return address_key(clean_address(typed))
    except TextError:
        return typed


def _fields(event: Event, cells: Mapping[str, str]) -> dict[str, Any]:
    """A line's fields; an empty cell says nothing. Themes and partner types may stand by id or by title."""
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
    done: dict[str, Any] = {"added": 0, "changed": 0, "same": len(found.of("same")), "refused": []}
    for row in found.rows:
        try:
            if isinstance(row.wanted, NewPerson):
                add_person(table, event, row.wanted, actor=actor, now=now, source="import")
                done["added"] += 1
            elif row.person and row.act == "change":
                change_person(table, event, row.person, row.wanted, actor=actor, now=now)
                done["changed"] += 1
        except ParcoursError as error:
            done["refused"].append({"line": row.line, "message": error.message})
    count("ImportedRows", done["added"] + done["changed"])
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
        "add": [{"line": row.line, "name": row.name} for row in found.of("add")],
        "change": [{"line": row.line, "name": row.name, "fields": list(row.changes)} for row in found.of("change")],
        "same": len(found.of("same")),
        "faults": [{"line": line, "message": words} for line, words in found.faults],
        "ignored": found.ignored,
        "expected": found.fingerprint,
    }
