"""One line of a list of people: whom it is about, and what it would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from functions.organise.imports.columns import column_words
from functions.organise.imports.preview import Change, Preview, Row
from functions.organise.person_fields import (
    Correction,
    NewPerson,
    differing,
    read_correction,
    read_new_person,
    round_hours,
)
from functions.organise.words import STATES
from shared.errors import InvalidError
from shared.http import Fields
from shared.i18n import LANGUAGE_WORDS, Told, told, told_together
from shared.models import Event, Question, Registration, RegistrationState
from shared.people_columns import CHOICE, language_of, parts, plain_words
from shared.people_csv import answer_cell
from shared.text import TextError, address_key, clean_address

_Wanted = TypeVar("_Wanted", NewPerson, Correction)

_OUR_ID = re.compile(r"[0-9a-f]{20}")


class People:
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
        return self._by_address.get(row_key(cells))


def read_row(event: Event, found: Preview, line: int, cells: Mapping[str, str], people: People) -> None:
    """Add what a line would do, or everything that is wrong with it."""
    person = people.find(cells)
    state = cells.get("state", "").casefold()
    faults: dict[str, str] = {}
    if state not in ("", *RegistrationState):
        faults["state"] = told("write one of %(states)s, or nothing", states=", ".join(RegistrationState))
        state = ""
    if tied := cells.get("tied"):
        titles = told_together((event.theme(theme).title for theme in tied.split()), ", ")
        faults["choices"] = told("%(themes)s have the rank of another theme; give each its own", themes=titles)
    row: Row | None = None
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
        columns = {column.field: column.title for column in found.columns}
        found.names[line] = cells.get("name", "")
        found.faults += [
            (line, told("%(name)s: %(words)s", name=columns.get(name) or column_words(name, event), words=_told(words)))
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
            (
                line,
                told(
                    "not registered, and the state is %(state)s. To add the person, empty the state",
                    state=STATES.get(state, state),
                ),
            )
        )
    else:
        fields, faults = _fields(event, cells)
        if len(event.partner_types) == 1:
            fields.setdefault("partner_type", event.partner_types[0].id)  # as the form does, which asks nobody
        wanted = _sound(faults, read_new_person, event, fields)
        stands = tuple(Change(key, "", in_words(event, key, value)) for key in SHOWN if (value := getattr(wanted, key)))
        return Row(line, "add", wanted.name, None, wanted, stands)
    return None


def _told(words: str) -> Told:
    """A fault as a message: those that attendees read as well are marked as their words only."""
    return words if isinstance(words, Told) else told(words)


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
            "is %(is)s, not %(state)s; a file does not change that",
            **{"is": STATES[person.state.value], "state": STATES.get(state, state)},
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
        return LANGUAGE_WORDS.get(str(value), str(value))
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


def row_key(cells: Mapping[str, str]) -> str:
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


def _answers(
    event: Event, cells: Mapping[str, str], before: Mapping[str, str | bool]
) -> tuple[dict[str, str | bool], dict[str, str]]:
    """The answers of a line that differ from those `before`, and what is wrong with them by column.

    What is stored may be older than the event file: an answer to a question that was of another kind is no mistake.
    """
    answers: dict[str, str | bool] = {}
    faults: dict[str, str] = {}
    for column, question in _answer_columns(event).items():
        cell = cells.get(column, "")
        if cell == answer_cell(before.get(question.id, "")):
            continue
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
    before = person.answers if person else {}
    given, faults = _answers(event, cells, before)
    if any(before.get(question) != answer for question, answer in given.items()):
        asked = {question.id for question in event.questions}
        fields["answers"] = {**{key: value for key, value in before.items() if key in asked}, **given}
    return fields, faults
