"""Importing a list of people: a preview of what it would change with every fault by its line, then the changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar

from functions.organise.people import (
    Correction,
    NewPerson,
    add_person,
    change_person,
    differing,
    read_correction,
    read_new_person,
    round_hours,
)
from shared.errors import ConflictError, InvalidError, ParcoursError, StaleError
from shared.http import Fields
from shared.i18n import LANGUAGES, Told, told, told_many, told_together
from shared.models import Event, Question, Registration, RegistrationState
from shared.observability import count, logger
from shared.people_columns import (
    CHOICE,
    RANK_OF,
    Columns,
    language_of,
    listed,
    meant,
    own_titles,
    parts,
    place_in,
    plain_words,
)
from shared.people_csv import CsvError, csv_rows
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import IMPORT_SK, Table, event_pk, put
from shared.text import TextError, address_key, clean_address

MOST_ROWS = 5_000
"""Rows of one file."""

AT_ONCE = 400
"""Rows that one request changes: each is a transaction of its own, and all must end within the request's seconds."""

MOST_FAULTS = 500
MOST_VALUES = 50
"""Words for themes and partner types that the page asks about."""

_Wanted = TypeVar("_Wanted", NewPerson, Correction)

_OUR_ID = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Meanings:
    """What columns and words of a file mean where an organiser said so: fields by title, ids by the word typed."""

    columns: Mapping[str, str] = field(default_factory=dict)
    themes: Mapping[str, str] = field(default_factory=dict)
    partner_types: Mapping[str, str] = field(default_factory=dict)
    without_addresses: bool = False
    """Whether the list has no addresses, as an organiser said of this file: it is not remembered."""


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
    `unclear` says that the columns must be named before any row can be read, `broken_off` that reading ended before the
    end of the file, as there were too many faults.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
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


class _People:
    """The registrations of an event, as the rows of a file find them."""

    def __init__(self, people: Iterable[Registration]) -> None:
        self.by_id = {person.id: person for person in people}
        self._by_address: dict[str, Registration] = {}
        for person in self.by_id.values():
            key = address_key(person.email) or _paper_key(person.name, person.organisation)
            known = self._by_address.get(key)
            if known is None or known.state is RegistrationState.WITHDRAWN:
                self._by_address[key] = person

    def find(self, cells: Mapping[str, str]) -> Registration | None:
        """The person of a row: by id where the row has one of ours, else by address, present people first.

        A row without an address is about the person without one who has this name and organisation.
        """
        if _OUR_ID.fullmatch(cells.get("id", "")):
            return self.by_id.get(cells["id"])
        return self._by_address.get(_row_key(cells))


def read_meanings(table: Table, event: Event, fields: Fields) -> Meanings:
    """What the form says of columns and words, over what was remembered for the event."""
    stored = table.get(event_pk(event.id), IMPORT_SK) or {}
    kept = {name: dict(stored.get(name, {})) for name in ("columns", "themes", "partner_types")}
    for name in kept:
        sent = fields.get(name)
        if isinstance(sent, dict):
            kept[name] |= {str(key): str(value) for key, value in sent.items()}
    for key, title in fields.items():
        said, _, number = key.rpartition("_title_")
        meant_by = fields.get(f"{said}_field_{number}") if said in kept else None
        if isinstance(title, str) and isinstance(meant_by, str):
            kept[said][title] = meant_by
    return Meanings(**kept, without_addresses=fields.get("without_addresses") in ("yes", True))


def remember(table: Table, event: Event, meanings: Meanings) -> None:
    """Keep what an organiser said of columns and words, for the next file of this event.

    Only words with a meaning are kept: others may be anything that a column holds.
    """
    themes, types = {theme.id for theme in event.themes}, {known.id for known in event.partner_types}
    kept = Meanings(
        meanings.columns,
        {typed: theme for typed, theme in meanings.themes.items() if theme in themes},
        {typed: known for typed, known in meanings.partner_types.items() if known in types},
    )
    if kept != Meanings():
        stored = {name: value for name, value in asdict(kept).items() if name != "without_addresses"}
        table.write(put({"pk": event_pk(event.id), "sk": IMPORT_SK, "type": "import", **stored}))


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
    _read_rows(event, found, header, lines[1:], _Words(known, meanings, found), registrations_of(table, event.id))
    return found


def _read_rows(
    event: Event,
    found: Preview,
    header: Sequence[str],
    lines: Iterable[tuple[int, list[str]]],
    words: _Words,
    registrations: Iterable[Registration],
) -> None:
    """Add what each line would do, or what is wrong with it.

    Raises UnclearColumnsError when there are people to add and no column says of what kind they are.
    """
    people = _People(registrations)
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
        _read_row(event, found, line, row, people)
    found.faults.sort(key=lambda fault: fault[0])
    found.warnings.sort(key=lambda warning: warning[0])


def _again(found: Preview, people: _People, read: Iterable[tuple[int, Mapping[str, str]]]) -> set[int]:
    """The lines that do not count, as another one is about the same person; each gets a warning or a fault.

    Of several answers with one address and one name the last counts. Two names at one address, or two lines of one
    name without an address, may be two people: that is for the organiser to say.
    """
    lines: dict[str, list[tuple[int, str, bool]]] = {}
    for line, cells in read:
        person = people.find(cells)
        key = person.id if person else _row_key(cells)
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


class UnclearColumnsError(InvalidError):
    """The titles of a file do not say what is needed; `found` holds the columns for the organiser to name."""

    def __init__(self, found: Preview, words: str) -> None:
        super().__init__(told("This file cannot be imported yet."), {"csv": words})
        self.found = found
        found.unclear = True


def _columns(titles: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Column]:
    """The columns with a title, each with the first cell that has any text."""
    return [
        Column(title, next((row[at] for row in rows if len(row) > at and row[at]), ""), name)
        for at, (title, name) in enumerate(zip(titles, header, strict=True))
        if title
    ]


def fields_of(event: Event) -> dict[str, str]:
    """What a column can hold, by field, in the words of the page."""
    labels = {
        **COLUMNS,
        "id": told("id, from a list of this system"),
        "state": told("state, from a list of this system"),
        "ranking": told("the whole ranking in one cell"),
        "absent": told("rounds of absence"),
        "pinned": told("pins, round:theme"),
        "excluded": told("themes that are not possible"),
        "group": told("group, from a list of this system"),
        **{
            f"answer_{question.id}".casefold(): told("answer: %(question)s", question=question.label)
            for question in event.questions
        },
        **{(RANK_OF + theme.id).casefold(): told("rank of %(theme)s", theme=theme.title) for theme in event.themes},
        **own_titles(event),
    }
    return {name: labels.get(name) or column_words(name) for name in Columns(event).fields}


COLUMNS: dict[str, Told] = {
    **{"id": told("id"), "state": told("state"), "name": told("name"), "email": told("email")},
    **{"first_name": told("first name"), "last_name": told("last name"), "organisation": told("organisation")},
    **{"partner_type": told("partner type"), "language": told("language"), "choices": told("ranking")},
    **{"absent": told("absences"), "pinned": told("pins"), "excluded": told("themes that are not possible")},
    **{"answers": told("answers"), "checked_in_at": told("check-in")},
}
"""The columns that every event has, in words."""


def column_words(name: str, event: Event | None = None) -> str:
    """A column in words, of an event in its own."""
    if event and (own := own_titles(event).get(name)):
        return own
    if ranked := CHOICE.fullmatch(name):
        return told("choice %(number)s", number=ranked[1])
    return COLUMNS.get(name) or name.replace("_", " ")


class _Words:
    """The cells of a row in the event's own words: ids for titles, one ranking, one name."""

    def __init__(self, known: Columns, meanings: Meanings, found: Preview) -> None:
        self._known = known
        self._grid = {(RANK_OF + theme).casefold(): theme for theme in known.themes.values()}
        self._meanings = meanings
        self._found = found

    def in_ids(self, row: Mapping[str, str]) -> dict[str, str]:
        """A row with ids for themes and the partner type, `choice_1` and on for any form of ranking, and `name`."""
        cells = dict(row)
        if "name" not in cells and cells.keys() & {"first_name", "last_name"}:
            cells["name"] = " ".join(filter(None, (cells.get("first_name"), cells.get("last_name"))))
        if typed := cells.get("partner_type"):
            cells["partner_type"] = self._id(
                typed, self._meanings.partner_types, self._known.partner_types, self._found.partner_types
            )
        if ranking := self._ranking(cells):
            cells |= {f"choice_{rank}": theme for rank, theme in enumerate(ranking, start=1)}
        if excluded := cells.get("excluded"):
            cells["excluded"] = " ".join(listed(excluded, self._known.themes))
        for name, cell in cells.items():
            if CHOICE.fullmatch(name) and cell:
                cells[name] = self._id(cell, self._meanings.themes, self._known.themes, self._found.themes)
        return cells

    def _ranking(self, cells: Mapping[str, str]) -> list[str]:
        if one_cell := cells.get("ranking"):
            return [part.strip() for part in re.split(r"[;\n]", one_cell) if part.strip()]
        ranked = [(place_in(cell), self._grid[name]) for name, cell in cells.items() if name in self._grid]
        return [theme for place, theme in sorted(ranked) if place]

    def _id(self, typed: str, said: Mapping[str, str], known: dict[str, str], asked: dict[str, str]) -> str:
        found, sure = meant(typed, known)
        found = said.get(typed) or found
        if not sure and (typed in asked or len(asked) < MOST_VALUES):
            asked[typed] = found
        return found


def _lines(text: str, known: Columns) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, cells in csv_rows(text, known):
            yield line, [cell.strip() for cell in cells]
    except CsvError as error:
        raise _unusable(told("Line %(line)s cannot be read: %(why)s", line=error.line, why=error.args[0])) from None


def _read_row(event: Event, found: Preview, line: int, cells: Mapping[str, str], people: _People) -> None:
    """Add what a line would do, or everything that is wrong with it."""
    person = people.find(cells)
    state = cells.get("state", "").casefold()
    faults: dict[str, str] = {}
    if state not in ("", *RegistrationState):
        faults["state"] = told("write one of %(states)s, or nothing", states=", ".join(RegistrationState))
        state = ""
    try:
        if person is None:
            row = _read_stranger(event, found, line, cells, state)
        elif state == RegistrationState.WITHDRAWN and person.state is not RegistrationState.WITHDRAWN:
            change = Change("state", person.state, RegistrationState.WITHDRAWN)
            row = Row(line, "withdraw", person.name, person, Correction(withdrawn=True), (change,))
        else:
            row = _read_known(event, found, line, cells, state, person)
    except InvalidError as error:
        faults |= error.fields
    if faults:
        titles = {column.field: column.title for column in found.columns}
        found.faults += [
            (line, told("%(name)s: %(words)s", name=titles.get(name) or column_words(name, event), words=words))
            for name, words in faults.items()
        ]
    elif row:
        found.rows.append(row)


def _read_stranger(event: Event, found: Preview, line: int, cells: Mapping[str, str], state: str) -> Row | None:
    """A row of which no registration is known: a person to add, unless the row itself says otherwise.

    Raises InvalidError with everything that is wrong.
    """
    if _OUR_ID.fullmatch(cells.get("id", "")):
        words = told(
            "no registration has this id: it was erased, or is of another event. To add the person, empty the id"
        )
        found.warnings.append((line, words))
    elif state not in ("", RegistrationState.CONFIRMED):
        found.warnings.append(
            (line, told("not registered, and the state is %(state)s. To add the person, empty the state", state=state))
        )
    else:
        fields, faults = _fields(event, cells)
        if len(event.partner_types) == 1:
            fields.setdefault("partner_type", event.partner_types[0].id)  # as the form does, which asks nobody
        wanted = _sound(faults, read_new_person, event, fields)
        stands = tuple(Change(key, "", in_words(event, key, value)) for key in SHOWN if (value := getattr(wanted, key)))
        return Row(line, "add", wanted.name, None, wanted, stands)
    return None


def _sound(
    faults: Mapping[str, str], read: Callable[[Event, Fields], _Wanted], event: Event, fields: Fields
) -> _Wanted:
    """What the fields of a line say. Raises InvalidError with these faults and with what reading finds beside them."""
    try:
        wanted = read(event, fields)
    except InvalidError as error:
        raise InvalidError(error.message, {**faults, **error.fields}) from None
    if faults:
        raise InvalidError(told("Some fields need another look."), faults)
    return wanted


def _read_known(
    event: Event, found: Preview, line: int, cells: Mapping[str, str], state: str, person: Registration
) -> Row | None:
    """A row of a registration: what it says otherwise is a change. Raises InvalidError with all that is wrong."""
    withdrawn = person.state is RegistrationState.WITHDRAWN
    if withdrawn and state != RegistrationState.WITHDRAWN:
        words = told("has withdrawn and stays so. If they want to come after all, add them on the page of people")
        found.warnings.append((line, words))
        return None
    if state not in ("", person.state):
        words = told(
            "is %(is)s, not %(state)s; a file does not change that", **{"is": person.state.value, "state": state}
        )
        found.warnings.append((line, words))
    if cells.get("group", person.delegate) != person.delegate:
        found.warnings.append((line, told("is of another group here, or of none; a file does not change that")))
    fields, faults = _fields(event, cells, person)
    if _key(fields.get("email", "")) in ("", address_key(person.email)):  # other capitals are no change
        fields.pop("email", None)
    if not fields["name"]:
        fields.pop("name")
    # What is stored may be older than the event file: only what differs must fit it.
    differs = {key: value for key, value in fields.items() if value != getattr(person, key)}
    wanted = _sound(faults, read_correction, event, differs)
    after = differing(person, wanted)
    if after and withdrawn:
        found.warnings.append((line, told("has withdrawn; the changes are left out")))
        after = {}
    changes = tuple(
        Change(key, in_words(event, key, getattr(person, key)), in_words(event, key, value))
        for key, value in after.items()
    )
    return Row(line, "change" if changes else "same", person.name, person, wanted, changes)


SHOWN = ("email", "organisation", "partner_type", "language", "choices", "absent", "pinned", "excluded", "answers")
"""Fields of a person to add that the preview shows beside the name."""


def in_words(event: Event, field: str, value: object) -> str:
    """A field of a person as a preview shows it: titles and hours, and no code of the event file."""
    if isinstance(value, bool):
        return told("yes") if value else told("no")
    if field == "partner_type":
        return event.partner_type_title(str(value))
    if field == "language":
        return LANGUAGES.get(str(value), str(value))
    words: dict[str, str] = {theme.id: theme.title for theme in event.themes} | round_hours(event)
    if isinstance(value, dict):
        words |= {question.id: question.label for question in event.questions} if field == "answers" else {}
        pairs = [
            told(
                "%(name)s: %(words)s",
                name=words.get(key, key),
                words=in_words(event, "", part) if field == "answers" else words.get(part, part),
            )
            for key, part in value.items()
        ]
        return told_together(pairs, ", ")
    if isinstance(value, list):
        titles: list[str] = value
        return told_together((words.get(each, each) for each in titles), ", ")
    return str(value)


def _key(typed: str) -> str:
    """What an address in the file is found by; one that will not do is compared as it stands."""
    try:
        return address_key(clean_address(typed))
    except TextError:
        return typed


def _row_key(cells: Mapping[str, str]) -> str:
    """What a row without an id of ours is found by."""
    email = cells.get("email", "")
    return _key(email) if email else _paper_key(cells.get("name", ""), cells.get("organisation", ""))


def _paper_key(name: str, organisation: str) -> str:
    """What a person without an address is found by; the space keeps it apart from every address."""
    return f" {plain_words(name)} {plain_words(organisation)}"


def _answer_columns(event: Event) -> dict[str, Question]:
    return {f"answer_{question.id}".casefold(): question for question in event.questions}


_YES = "yes|ja|oui|true|1|x|i agree|agree|ik ga akkoord|akkoord|j accepte|d accord"
_YES_OR_NO = dict.fromkeys(_YES.split("|"), True) | dict.fromkeys(["no", "nee", "neen", "non", "false", "0"], False)


def _answers(event: Event, cells: Mapping[str, str]) -> tuple[dict[str, str | bool], dict[str, str]]:
    """The answers of a line, and what is wrong with them by column."""
    answers: dict[str, str | bool] = {}
    faults: dict[str, str] = {}
    for column, question in _answer_columns(event).items():
        cell = cells.get(column, "")
        if cell and question.kind == "consent":
            if (said := _YES_OR_NO.get(plain_words(cell))) is None:
                faults[column] = told("write yes or no")
            else:
                answers[question.id] = said
        elif cell:
            answers[question.id] = cell
    return answers, faults


def _fields(
    event: Event, cells: Mapping[str, str], person: Registration | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A line's fields, and what is wrong with its answers by column; an empty cell says nothing.

    Answers of the person to other questions stay.
    """
    plain = ("name", "email", "organisation", "partner_type")
    fields: dict[str, Any] = {name: cells[name] for name in plain if cells.get(name)}
    fields.setdefault("name", "")
    if language := cells.get("language"):
        fields["language"] = language_of(language) or language
    ranked = sorted((name for name in cells if CHOICE.fullmatch(name)), key=lambda name: int(name[7:]))
    choices = [cells[name] for name in ranked]
    while choices and not choices[-1]:
        choices.pop()
    if choices:
        fields["choices"] = choices
    if absent := cells.get("absent"):
        fields["absent"] = parts(absent)
    if excluded := cells.get("excluded"):
        fields["excluded"] = excluded.split()
    if pinned := cells.get("pinned"):
        pairs = [pin.partition(":") for pin in parts(pinned)]
        fields["pinned"] = {slot: theme for slot, _, theme in pairs}
    (given, faults), before = _answers(event, cells), person.answers if person else {}
    if any(before.get(question) != answer for question, answer in given.items()):
        asked = {question.id for question in event.questions}
        fields["answers"] = {**{key: value for key, value in before.items() if key in asked}, **given}
    return fields, faults


def _unusable(words: str) -> InvalidError:
    return InvalidError(told("This file cannot be imported."), {"csv": words})


def carry_out(
    table: Table,
    event: Event,
    found: Preview,
    fingerprint: object,
    *,
    leave_out_faulty: bool = False,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    """Do what the preview showed, one transaction for each person; what is refused is listed by its line.

    A long file takes several requests: `left` rows wait for the same file to be sent again, with its new preview.

    Raises InvalidError when the file has faults that are not to be left out, ConflictError when it no longer does what
    was seen, or when there are fewer places than people to add. Then nothing was changed.
    """
    if found.faults and (found.broken_off or not leave_out_faulty):
        raise InvalidError(told("Nothing was imported: correct these lines first."), by_line(found))
    if fingerprint != found.fingerprint:
        raise StaleError(
            told(
                "The list, or the people in it, changed since this preview was made. Nothing was imported; look at the "
                "new preview."
            )
        )
    free = event.capacity - read_state(table, event.id).confirmed
    if len(found.of("add")) > free:
        raise ConflictError(
            told(
                "%(people)s to add and %(places)s. Nothing was imported.",
                people=told_many("%(num)s person", "%(num)s people", len(found.of("add"))),
                places=told_many("%(num)s free place", "%(num)s free places", max(0, free)),
            )
        )
    done: dict[str, Any] = {"added": 0, "changed": 0, "withdrawn": 0, "same": len(found.of("same")), "refused": []}
    now_done, later = found.changing[:AT_ONCE], found.changing[AT_ONCE:]
    for row in now_done:
        try:
            if isinstance(row.wanted, NewPerson):
                add_person(table, event, row.wanted, actor=actor, now=now, source="import")
                done["added"] += 1
            elif row.person:
                change_person(table, event, row.person, row.wanted, actor=actor, now=now)
                done["withdrawn" if row.act == "withdraw" else "changed"] += 1
        except ParcoursError as error:
            done["refused"].append({"line": row.line, "message": error.message})
    done["left"] = len(later)
    done["left_out"] = len({line for line, _ in found.faults})
    count("ImportedRows", done["added"] + done["changed"] + done["withdrawn"])
    count("ImportedRowsRefused", len(done["refused"]))
    logger.info("people imported", extra={"event_id": event.id, **{**done, "refused": len(done["refused"])}})
    return done


def by_line(found: Preview) -> dict[str, str]:
    """The faults of each line, as fields of an answer."""
    fields: dict[str, str] = {}
    for line, words in found.faults:
        name = told("line %(number)s", number=line)
        fields[name] = told_together([fields[name], words]) if name in fields else words
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
        "columns": {column.title: column.field for column in found.columns},
        "themes": found.themes,
        "partner_types": found.partner_types,
        "expected": found.fingerprint,
    }
