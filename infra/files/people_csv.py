"""PEOPLE.csv, or the list in XLSX: read whole, every fault named as `FILE:LINE: message`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import cast

from infra.event_source import FileFaultsError
from shared.attendees import Attendee, attendee_faults, closed_themes
from shared.i18n import told
from shared.models import Event
from shared.people_columns import Columns, listed, parts
from shared.people_csv import CsvError, csv_rows
from shared.people_files import FileError, text_of

NEEDED = ("id", "partner_type", "choice_1")
"""Columns without which PEOPLE.csv says nothing."""

_Wishes = tuple[str, tuple[str, ...], frozenset[str], dict[str, str], frozenset[str]]
"""What an attendee is beside the id."""

MOST_ALIKE = 5_000
"""Rows that differ whose reading is remembered: equal rows are read once, and of a large crowd few are equal."""


@dataclass(frozen=True)
class _Header:
    """Where the columns of PEOPLE.csv are; -1 for one that is missing."""

    id: int
    partner_type: int
    choices: tuple[int, ...]
    absent: int
    pinned: int
    excluded: int
    name: int
    state: int
    width: int

    @cached_property
    def ranking(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """Takes the choices from a row."""
        first, last = self.choices[0], self.choices[-1]
        if self.choices == tuple(range(first, last + 1)):
            return lambda row: tuple(row[first : last + 1])
        return itemgetter(*self.choices)

    @cached_property
    def special(self) -> tuple[int, ...]:
        """The columns that are empty for nearly everybody."""
        return tuple(n for n in (self.absent, self.pinned, self.excluded) if n >= 0)

    @cached_property
    def told(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """Takes from a row all that counts, without the id."""
        columns = [self.partner_type, *self.choices, *(n for n in (self.absent, self.pinned, self.excluded) if n >= 0)]
        return itemgetter(*columns)


@dataclass(frozen=True)
class PeopleFile:
    """What a PEOPLE.csv says.

    `names` holds the names by id, where the file has a column for them: the allocator never sees them. `without_place`
    counts people whose column `state` says that they hold no place; they are attendees all the same. `unused` holds
    the titles of the columns that count for nothing, each with the column that it may be meant to be, or "".
    """

    attendees: list[Attendee]
    names: Mapping[str, str]
    without_place: int
    unused: Mapping[str, str] = field(default_factory=dict)


def read_people(path: Path, event: Event) -> PeopleFile:
    """Read PEOPLE.csv. Raises FileFaultsError with every mistake as `FILE:LINE: message`."""
    faults: list[str] = []
    attendees: list[Attendee] = []
    seen: dict[str, tuple[str, int]] = {}
    reader = _PeopleReader(path, event)
    for line, attendee, messages in reader.rows():
        if messages:
            faults += [
                told("%(file)s:%(line)s: %(words)s", file=path, line=line, words=message) for message in messages
            ]
        if attendee is None:
            continue
        looks = attendee.id if attendee.id.isascii() else unicodedata.normalize("NFKC", attendee.id)
        other, first = seen.setdefault(looks.casefold(), (attendee.id, line))
        if first != line:
            again = told("appears twice") if other == attendee.id else told("looks like %(other)s", other=repr(other))
            faults.append(
                told(
                    "%(path)s:%(line)s: id %(id)s %(again)s, first on line %(first)s",
                    path=path,
                    line=line,
                    id=repr(attendee.id),
                    again=again,
                    first=first,
                )
            )
        attendees.append(attendee)
    if not attendees and not faults:
        faults.append(told("%(path)s:1: there are no people in the file", path=path))
    if faults:
        raise FileFaultsError(faults)
    return PeopleFile(attendees, reader.names, reader.without_place, reader.unused)


class _PeopleReader:
    """The rows of PEOPLE.csv, each with its line number and what is wrong with it."""

    def __init__(self, path: Path, event: Event) -> None:
        self.path = path
        self.themes = {theme.id for theme in event.themes}
        self.rounds = {slot.id for slot in event.rounds}
        self.types = {kind.id for kind in event.partner_types}
        self.closed = closed_themes(event)
        self._columns = Columns(event)
        self._theme_names = {**{theme.title: theme.id for theme in event.themes}, **{key: key for key in self.themes}}
        self._type_names = {kind.title: kind.id for kind in event.partner_types if kind.title not in self.types}
        self._plain_types = {**self._type_names, **{known: known for known in self.types}}
        self.names: dict[str, str] = {}
        self.without_place = 0
        self.unused: dict[str, str] = {}
        self._alike: dict[tuple[str, ...], tuple[_Wishes, Sequence[str]]] = {}

    def rows(self) -> Iterator[tuple[int, Attendee | None, Sequence[str]]]:
        """Yield (line, attendee or None, faults)."""
        text = _text(self.path)
        if not text.strip():
            raise FileFaultsError([told("%(path)s:1: the file is empty", path=self.path)])
        lines = csv_rows(text, self._columns)
        try:
            first, titles = next(lines)
            header = self._header(titles, first)
            for line, row in lines:
                yield line, *self._attendee(row, header)
        except CsvError as error:
            yield error.line, None, [str(error)]

    def _header(self, titles: Sequence[str], line: int) -> _Header:
        names = [name.strip().lower() for name in titles]
        twice = [name for name, n in Counter(names).items() if n > 1 and name]
        names = [guess or name for guess, name in zip(self._columns.guess(titles), names, strict=True)]
        numbers = sorted(int(name[7:]) for name in names if re.fullmatch(r"choice_[1-9]\d{0,3}", name))
        faults = [told("the column %(column)s is missing", column=repr(need)) for need in NEEDED if need not in names]
        faults += [told("the column %(column)s appears twice", column=repr(name)) for name in twice]
        gap = next((n for n, number in enumerate(numbers, 1) if n != number), None)
        if gap and "choice_1" in names and len(set(numbers)) == len(numbers):
            faults.append(told("the column %(column)s is missing", column=repr(f"choice_{gap}")))
        if faults:
            raise FileFaultsError(
                [told("%(file)s:%(line)s: %(words)s", file=self.path, line=line, words=fault) for fault in faults]
            )
        at = {name: column for column, name in enumerate(names)}
        self.unused = _unused(titles, names)
        return _Header(
            id=at["id"],
            partner_type=at["partner_type"],
            choices=tuple(at[f"choice_{number}"] for number in numbers),
            absent=at.get("absent", -1),
            pinned=at.get("pinned", -1),
            excluded=at.get("excluded", -1),
            name=at.get("name", -1),
            state=at.get("state", -1),
            width=len(names),
        )

    def _attendee(self, row: list[str], header: _Header) -> tuple[Attendee | None, Sequence[str]]:
        quickly = self._plain(row, header)
        if quickly is not None:
            return quickly, ()
        faults: Sequence[str] = ()
        if len(row) > header.width and any(cell.strip() for cell in row[header.width :]):
            faults = [told("%(fields)s fields for %(columns)s columns", fields=len(row), columns=header.width)]
        row = [*map(str.strip, row), *[""] * (header.width - len(row))]
        row_told = header.told(row)
        known = self._alike.get(row_told)
        if known is None:
            known = self._wishes(row, header)
            if len(self._alike) < MOST_ALIKE:
                self._alike[row_told] = known
        wishes, more = known
        who = row[header.id]
        if not who:
            return None, [*faults, told("the id is empty"), *more]
        if header.name >= 0:
            self.names[who] = row[header.name]
        if header.state >= 0:
            self.without_place += row[header.state] not in ("", "confirmed")
        return Attendee(who, *wishes), [*faults, *more] if faults or more else ()

    def _plain(self, row: list[str], header: _Header) -> Attendee | None:
        """The person of a row with a whole ranking and nothing special: nearly everybody. None for any other row."""
        if len(row) != header.width or header.name >= 0 or header.state >= 0:
            return None
        who, partner_type = row[header.id].strip(), self._plain_types.get(row[header.partner_type])
        known = tuple(map(self._theme_names.get, header.ranking(row)))  # one text for each theme, for everybody
        if not who or partner_type is None or None in known or len(set(known)) != len(known):
            return None
        if any(row[column] for column in header.special):
            return None
        return Attendee(who, partner_type, cast(tuple[str, ...], known), _NOTHING, _NO_PINS, _NOTHING)

    def _wishes(self, row: list[str], header: _Header) -> tuple[_Wishes, Sequence[str]]:
        """All of a row but the id, and what is wrong with it."""
        choices = [row[column] for column in header.choices]
        partner_type = self._type_names.get(row[header.partner_type], row[header.partner_type])
        special = [row[column] if column >= 0 else "" for column in (header.absent, header.pinned, header.excluded)]
        ranking = tuple(self._theme_names.get(choice, choice) for choice in takewhile(bool, choices))
        faults: list[str] = []
        if any(choices[len(ranking) :]):
            faults.append(told("choice_%(rank)s is empty and a later choice is not", rank=len(ranking) + 1))
        absent, excluded = frozenset(parts(special[0])), frozenset(listed(special[2], self._columns.themes))
        pinned, pin_faults = _pins(special[1])
        attendee = Attendee("unnamed", partner_type, ranking, absent, pinned, excluded)
        faults += [*pin_faults, *attendee_faults(attendee, self.themes, self.rounds, self.types, self.closed)]
        return (partner_type, ranking, absent, pinned, excluded), faults


def _unused(titles: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The titles of columns that count for nothing, each with the column that it looks like, or "".

    Columns that only the organisers' list of people has are no surprise to anybody.
    """
    used = [name for name in names if name in _USED or _CHOICE.fullmatch(name)]
    free = [*_USED, *(f"choice_{rank}" for rank in range(1, len(used) + 2))]
    found = {}
    for title, name in zip(titles, names, strict=True):
        if title.strip() and name not in used and not _EXPORTED.fullmatch(name):
            alike = get_close_matches(name, [column for column in free if column not in used], 1, 0.75)
            found[title.strip()] = alike[0] if alike else ""
    return found


_USED = ("id", "partner_type", "absent", "pinned", "excluded", "name", "state")
_CHOICE = re.compile(r"choice_[1-9]\d{0,3}")
_EXPORTED = re.compile(
    r"email|organisation|language|source|bounced|group|(checked_in|created|updated)_at|(round|present|answer|title)_.+|partner_type_title"
)

_NOTHING: frozenset[str] = frozenset()
_NO_PINS: dict[str, str] = {}
"""Shared by everybody without pins: a crowd need not hold an empty dictionary each. Nobody changes an attendee."""


def _text(path: Path) -> str:
    """A list of people as CSV, whatever it was saved as. Raises FileFaultsError."""
    try:
        return text_of(path.read_bytes())
    except OSError as error:
        raise FileFaultsError([f"{path}: {error.strerror}"]) from None
    except FileError as error:
        raise FileFaultsError(
            [told("%(file)s:%(line)s: %(words)s", file=path, line=1, words=error.args[0] if error.args else "")]
        ) from None


def decoded(path: Path) -> str:
    """The text of a file. Raises FileFaultsError with the line of the first byte that is not UTF-8."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise FileFaultsError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = (
            told("the file is UTF-16") if wide else told("byte %(byte)s is not UTF-8", byte=f"{data[error.start]:#04x}")
        )
        raise FileFaultsError(
            [told("%(path)s:%(line)s: %(what)s; save the file as UTF-8", path=path, line=line, what=what)]
        ) from None


def _pins(text: str) -> tuple[dict[str, str], list[str]]:
    pins: dict[str, str] = {}
    faults: list[str] = []
    for part in parts(text):
        slot, colon, theme = part.partition(":")
        if not (slot and colon and theme):
            faults.append(told("pinned: %(part)s is not round:theme", part=repr(part)))
        elif slot in pins:
            faults.append(told("pinned: two pins in %(slot)s", slot=repr(slot)))
        else:
            pins[slot] = theme
    return pins, faults
