"""A CSV of people: what it would change and every fault by its line, before anything is changed."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.parser import BytesParser
from itertools import islice
from typing import Any, Literal

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.organise.people import (
    Correction,
    NewPerson,
    add_person,
    change_person,
    differing,
    read_correction,
    read_new_person,
)
from shared.errors import ConflictError, InvalidError, ParcoursError, StaleError, UnreadableError
from shared.http import Fields, read_body, read_fields
from shared.models import Event, Registration, RegistrationState
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import Table

LARGEST = 1024 * 1024
MOST_ROWS = 500
"""Each row is a transaction of its own; so many are done well within the seconds that one request has."""

PLAIN = ("name", "email", "organisation", "partner_type", "absent", "pinned")
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
        """Tells whether a file would still do what was seen."""
        told = [(row.line, row.act, row.changes, row.person and row.person.revision) for row in self.rows]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def read_upload(request: APIGatewayProxyEventV2) -> Fields:
    """The fields of a form with a file, of a plain form, of JSON, or a bare CSV, which becomes `csv`.

    Raises UnreadableError, TooLargeError or UnsupportedMediaTypeError.
    """
    declared = request.headers.get("content-type", "")
    kind = declared.split(";")[0].strip().lower()
    if kind == "text/csv":
        return {"csv": _text(read_body(request, largest=LARGEST))}
    if kind != "multipart/form-data":
        return read_fields(request, largest=LARGEST)
    head = b"Content-Type: " + declared.encode("ascii", "replace").replace(b"\n", b" ") + b"\r\n\r\n"
    form = BytesParser(policy=policy.HTTP).parsebytes(head + read_body(request, largest=LARGEST))
    if not form.is_multipart():
        raise UnreadableError("The form cannot be read.")
    fields: Fields = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(data, bytes) and (data or name not in fields):
            fields[name] = _text(data)
    return fields


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"Byte {error.start + 1} of the file is not UTF-8. Save it as CSV UTF-8.") from None


def preview(table: Table, event: Event, text: object) -> Preview:
    """What a file would change. Raises InvalidError when it is no list of people at all."""
    if not isinstance(text, str) or not text.strip():
        raise _unusable("Choose a CSV file, or paste its lines")
    reader = _reader(text)
    header = [cell.casefold() for _, cells in islice(_lines(reader), 1) for cell in cells]
    choices = [name for name in header if _CHOICE.fullmatch(name)]
    found = Preview(ignored=[name for name in header if name and name not in PLAIN and name not in choices])
    missing = [name for name in ("name", "email") if name not in header]
    if missing:
        raise _unusable(f"The first line must name the columns; {' and '.join(missing)} is missing")
    if len(set(header)) != len(header):
        raise _unusable("A column stands in it twice")
    known = {
        one.email.casefold(): one
        for one in registrations_of(table, event.id)
        if one.state is not RegistrationState.WITHDRAWN
    }
    seen: dict[str, int] = {}
    for line, cells in _lines(reader):
        if len(found.rows) + len(found.faults) >= MOST_ROWS:
            raise _unusable(f"More than {MOST_ROWS} people; split the file")
        if len(cells) > len(header):
            found.faults.append((line, f"{len(cells)} cells for {len(header)} columns"))
            continue
        _read_row(event, found, line, dict(zip(header, cells, strict=False)), known, seen)
    return found


def _reader(text: str) -> Iterator[list[str]]:
    """Rows of a CSV; spreadsheets of half of Europe write semicolons between the cells."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _unusable(f"Line {line} cannot be read: {error}") from None
        if any(cell.strip() for cell in cells):
            yield line, [cell.strip() for cell in cells]


def _read_row(
    event: Event,
    found: Preview,
    line: int,
    cells: Mapping[str, str],
    known: Mapping[str, Registration],
    seen: dict[str, int],
) -> None:
    """Add what a line would do, or what is wrong with it."""
    address = cells.get("email", "").casefold()
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
        fields.pop("email")  # it is how we found them; other capitals are no change
        if not fields["name"]:
            fields.pop("name")
        wanted = read_correction(event, fields)
    except InvalidError as error:
        found.faults += [(line, f"{name}: {words}") for name, words in error.fields.items()]
        return
    changes = tuple(sorted(differing(person, wanted)))
    found.rows.append(Row(line, "change" if changes else "same", person.name, person, wanted, changes))


def _fields(event: Event, cells: Mapping[str, str]) -> dict[str, Any]:
    """A line's fields; an empty cell says nothing. Themes and partner types may stand by id or by title."""
    themes = {theme.title.casefold(): theme.id for theme in event.themes}
    kinds = {kind.title.casefold(): kind.id for kind in event.partner_types}
    fields: dict[str, Any] = {name: cells[name] for name in ("name", "email", "organisation") if cells.get(name)}
    fields.setdefault("name", "")
    if kind := cells.get("partner_type"):
        fields["partner_type"] = kinds.get(kind.casefold(), kind)
    ranked = sorted((name for name in cells if _CHOICE.fullmatch(name)), key=lambda name: int(name[7:]))
    choices = [cells[name] for name in ranked]
    while choices and not choices[-1]:
        choices.pop()
    if choices:
        fields["choices"] = [themes.get(choice.casefold(), choice) for choice in choices]
    if absent := cells.get("absent"):
        fields["absent"] = absent.split()
    if pinned := cells.get("pinned"):
        pairs = [pin.partition(":") for pin in pinned.split()]
        fields["pinned"] = {slot: theme for slot, _, theme in pairs}
    return fields


def _unusable(words: str) -> InvalidError:
    return InvalidError("This file cannot be imported.", {"csv": words})


def carry_out(
    table: Table, event: Event, found: Preview, fingerprint: object, *, actor: str, now: datetime
) -> dict[str, Any]:
    """Do what the preview showed, person by person, each whole; what could not be done is told by its line.

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
            f"{len(found.of('add'))} people to add and {max(0, free)} free places. Nothing was imported."
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
    return done


def by_line(found: Preview) -> dict[str, str]:
    """The faults as fields of an answer."""
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
