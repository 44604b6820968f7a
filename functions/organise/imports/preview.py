"""What a list of people would change, as pages and programs show it before it is carried out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from functions.organise.person_fields import Correction, NewPerson
from shared.errors import InvalidError
from shared.i18n import told, told_together
from shared.models import Registration


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file: its title, the first cell under it, and the field that it holds."""

    title: str
    example: str
    field: str


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
    """What a file would change, what is wrong with it, and what in it is left alone.

    `themes` and `partner_types` hold the words of the file that are no id and no title, with what they seem to mean.
    `names` has the person of each line with a fault, where it names one. `unclear` says that the columns must be named
    before any row can be read, `broken_off` that reading ended before the end of the file, as there were too many
    faults.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    themes: dict[str, str] = field(default_factory=dict)
    partner_types: dict[str, str] = field(default_factory=dict)
    read: int = 0
    unclear: bool = False
    broken_off: bool = False
    without_addresses: bool = False

    @property
    def ignored(self) -> list[str]:
        """Titles of the columns that are left out."""
        return [column.title for column in self.columns if not column.field]

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
        told = [(row.line, row.act, repr(row.wanted), row.person and row.person.revision) for row in self.rows]
        left = [line for line, _ in self.faults]
        return hashlib.sha256(repr((told, left)).encode()).hexdigest()[:32]

    @property
    def faults_by_words(self) -> dict[str, list[int]]:
        """The lines that have the same fault, by its words: a list of hundreds often has one and the same."""
        found: dict[str, list[int]] = {}
        for line, words in self.faults:
            found.setdefault(words, []).append(line)
        return found


class UnclearColumnsError(InvalidError):
    """The titles of a file do not say what is needed; `found` holds the columns for the organiser to name."""

    def __init__(self, found: Preview, words: str) -> None:
        super().__init__(told("This file cannot be imported yet."), {"columns": words})
        self.found = found
        found.unclear = True


def by_line(found: Preview) -> dict[str, str]:
    """The faults of each line, as fields of an answer."""
    fields: dict[str, str] = {}
    for line, words in found.faults:
        name = told("line %(number)s", number=line)
        fields[name] = told_together([fields[name], words]) if name in fields else words
    return fields


def preview_shown(found: Preview) -> dict[str, Any]:
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
        "columns": {column.title: column.field for column in found.columns},
        "themes": found.themes,
        "partner_types": found.partner_types,
        "expected": found.fingerprint,
    }
