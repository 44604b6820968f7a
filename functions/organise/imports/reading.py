"""Reading a list of people: which column holds what, and a preview with every fault by its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from functions.organise.imports.columns import Meanings, Words, column_words
from functions.organise.imports.preview import Column, Preview, UnclearColumnsError
from functions.organise.imports.rows import People, read_row, row_key
from shared.errors import InvalidError
from shared.i18n import told, told_together
from shared.models import Event, Registration
from shared.people_columns import Columns, plain_words
from shared.people_csv import CsvError, csv_rows
from shared.registrations import registrations_of
from shared.table import Table

MOST_ROWS = 5_000
"""Rows of one file."""

MOST_FAULTS = 500


def preview(table: Table, event: Event, text: object, meanings: Meanings | None = None) -> Preview:
    """What a file would change. Raises InvalidError when it is no list of people at all."""
    if not isinstance(text, str) or not text.strip():
        raise _unusable(told("Choose a file, or paste its lines"))
    meanings = meanings or Meanings()
    known = Columns(event)
    lines = list(islice(_lines(text, known), MOST_ROWS + 2))
    if len(lines) > MOST_ROWS + 1:
        raise _unusable(told("More than %(number)s people; split the file", number=MOST_ROWS))
    titles = lines[0][1]
    header = [
        said if (said := meanings.columns.get(title)) in (*known.fields, "") else guessed
        for title, guessed in zip(titles, known.guess(titles, [cells for _, cells in lines[1:]]), strict=True)
    ]
    found = Preview(
        columns=_columns(titles, header, [cells for _, cells in lines[1:]]),
        without_addresses=meanings.without_addresses,
    )
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise UnclearColumnsError(
            found,
            told(
                "More than one column is %(columns)s: leave one of them out", columns=told_together(sorted(twice), ", ")
            ),
        )
    needed = ("name",) if meanings.without_addresses else ("name", "email")
    missing = [name for name in needed if name not in header]
    if "first_name" in header or "last_name" in header:
        missing = [name for name in missing if name != "name"]
    if missing:
        one, *others = (column_words(name, event) for name in missing)
        told_missing = (
            told("Say which column is %(one)s and which is %(other)s", one=one, other=others[0])
            if others
            else told("Say which column is %(one)s", one=one)
        )
        raise UnclearColumnsError(found, told_missing)
    words = Words(known, meanings, themes=found.themes, partner_types=found.partner_types)
    _read_rows(event, found, header, lines[1:], words, registrations_of(table, event.id))
    return found


def _read_rows(
    event: Event,
    found: Preview,
    header: Sequence[str],
    lines: Iterable[tuple[int, list[str]]],
    words: Words,
    registrations: Iterable[Registration],
) -> None:
    """Add what each line would do, or what is wrong with it.

    Raises UnclearColumnsError when there are people to add and no column says of what kind they are.
    """
    people = People(registrations)
    read: list[tuple[int, Mapping[str, str]]] = []
    for line, cells in lines:
        found.read += 1
        if any(cells[len(header) :]):
            found.faults.append(
                (line, told("%(cells)s cells for %(columns)s columns", cells=len(cells), columns=len(header)))
            )
            continue
        read.append((line, words.in_ids({name: cell for name, cell in zip(header, cells, strict=False) if name})))
    again = _again(found, people, read)
    for line, row in read:
        if len(found.faults) >= MOST_FAULTS:
            found.broken_off = True
            break
        if line in again:
            continue
        if "partner_type" not in header and people.find(row) is None and len(event.partner_types) > 1:
            raise UnclearColumnsError(
                found,
                told("No column was read as %(title)s. Say which one it is", title=column_words("partner_type", event)),
            )
        read_row(event, found, line, row, people)
    found.faults.sort(key=lambda fault: fault[0])
    found.warnings.sort(key=lambda warning: warning[0])


def _again(found: Preview, people: People, read: Iterable[tuple[int, Mapping[str, str]]]) -> set[int]:
    """The lines that do not count, as another one is about the same person; each gets a warning or a fault.

    Of several answers with one address and one name the last counts. Two names at one address, or two lines of one
    name without an address, may be two people: that is for the organiser to say.
    """
    lines: dict[str, list[tuple[int, str, bool]]] = {}
    for line, cells in read:
        person = people.find(cells)
        key = person.id if person else row_key(cells)
        told_apart = bool(cells.get("email") or person)
        lines.setdefault(key, []).append((line, plain_words(cells.get("name", "")), told_apart))
    without_effect = set()
    for same in lines.values():
        first, name, sure = same[0]
        counts = max(line for line, other, _ in same if other == name) if sure else first
        for line, other, _ in same:
            if line == counts:
                continue
            without_effect.add(line)
            if sure and other == name:
                found.warnings.append((line, told("the same person again on line %(line)s, which counts", line=counts)))
            elif sure:
                words = told("the address of line %(line)s with another name; each person needs their own", line=first)
                found.faults.append((line, words))
            else:
                found.faults.append((line, told("the person of line %(line)s again", line=first)))
    return without_effect


def _columns(titles: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Column]:
    """The columns with a title, each with the first cell that has any text."""
    return [
        Column(title, next((row[at] for row in rows if len(row) > at and row[at]), ""), name)
        for at, (title, name) in enumerate(zip(titles, header, strict=True))
        if title
    ]


def _lines(text: str, known: Columns) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, cells in csv_rows(text, known):
            yield line, [cell.strip() for cell in cells]
    except CsvError as error:
        raise _unusable(told("Line %(line)s cannot be read: %(why)s", line=error.line, why=error.args[0])) from None


def _unusable(words: str) -> InvalidError:
    return InvalidError(told("This file cannot be imported."), {"csv": words})
