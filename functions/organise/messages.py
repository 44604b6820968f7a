"""Texts that organisers write to people: the groups they may choose, the form, and the act with its exact number."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.acts import Act
from shared.cancellation import REACHED
from shared.errors import ConflictError, InvalidError, StaleError
from shared.http import Fields
from shared.i18n import told, told_many
from shared.messages import MOST_PEOPLE, contacts_of, messages_of, read_message, store_message
from shared.models import Event, Mail, Message, Registration, RegistrationState, utc
from shared.registrations import registrations_of
from shared.state import allocated, read_state
from shared.table import Table
from shared.text import TextError, clean_text

LONGEST_SUBJECT = 150
LONGEST_BODY = 5_000

BOXES = (("subject", LONGEST_SUBJECT, False), ("body", LONGEST_BODY, True))
"""The boxes of a text: name, longest length, whether it may have lines."""

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Group:
    """People to whom a text may go: the key that a form sends, the group in words, and who gets the mail by now.

    For people without an address that is the delegate who registered them. `unread` counts the people of the group who
    cannot be written to: nobody reads mail about them, or it came back.
    """

    key: str
    words: str
    people: tuple[Registration, ...]
    unread: int


@dataclass(frozen=True, slots=True)
class Written:
    """A form as it was sent, clean: the group's key, subject and body, and the key that names this form.

    `in_other` has subject and body in other languages of the event, where they were written.
    """

    group: str
    subject: str
    body: str
    key: str
    in_other: dict[str, dict[str, str]] = field(default_factory=dict)

    def text_for(self, language: str) -> dict[str, str]:
        """Subject and body as a reader of a language gets them."""
        return self.in_other.get(language, {"subject": self.subject, "body": self.body})


def groups(table: Table, event: Event) -> list[Group]:
    """Every group with a person who can be written to. A person who withdrew is in none.

    People without an address are reached by the person who registered them.
    """
    people = [person for person in registrations_of(table, event.id) if person.state in REACHED]
    contacts = contacts_of(people)
    programmes = allocated(table, event.id, read_state(table, event.id).published_run)
    return [group for group in _every_group(event, people, contacts, programmes) if group.people]


def _every_group(
    event: Event,
    people: Sequence[Registration],
    contacts: Mapping[str, Registration],
    programmes: Mapping[str, Mapping[str, str]],
) -> Iterator[Group]:
    confirmed = [person for person in people if person.state is RegistrationState.CONFIRMED]
    taking = [person for person in people if person.state is not RegistrationState.DELEGATE]
    held = {person.id: programmes.get(person.id, {}) for person in confirmed}

    def group(key: str, words: str, found: Iterable[Registration]) -> Group:
        everybody = list(found)
        reached = {contacts[one.id].id: contacts[one.id] for one in everybody if one.id in contacts}
        return Group(key, words, tuple(reached.values()), sum(one.id not in contacts for one in everybody))

    yield group("all", told("Everybody: registered, offered a place or waiting"), people)
    yield group("confirmed", told("Everybody who is registered"), confirmed)
    waiting = (RegistrationState.WAITING, RegistrationState.OFFERED)
    yield group(
        "waiting", told("Those who wait, or are offered a place"), (one for one in people if one.state in waiting)
    )
    no_shows = (one for one in people if one.state is RegistrationState.NO_SHOW)
    yield group("no-show", told("Those who did not come"), no_shows)
    yield group("unranked", told("Registered, without a ranking"), (one for one in confirmed if not one.choices))
    without = (person for person in confirmed if not held[person.id])
    yield group("without-programme", told("Registered, without a programme"), without if programmes else ())
    for kind in event.partner_types:
        yield group(f"type:{kind.id}", kind.title, (one for one in taking if one.partner_type == kind.id))
    for theme in event.themes:
        there = (one for one in confirmed if theme.id in held[one.id].values())
        yield group(f"theme:{theme.id}", told("%(theme)s, in any round", theme=theme.title), there)
        for slot in event.rounds:
            there = (one for one in confirmed if held[one.id].get(slot.id) == theme.id)
            yield group(
                f"workshop:{theme.id}@{slot.id}",
                told("%(theme)s at %(time)s", theme=theme.title, time=f"{slot.start:%H:%M}"),
                there,
            )


def other_languages(event: Event) -> list[str]:
    """The languages of the event beside its own, in which a text may be written too."""
    return [language for language in event.spoken if language != event.language]


def read_form(event: Event, fields: Fields) -> Written:
    """What was written: in the event's own language, and in others where a box is filled (`subject_nl`, `body_nl`).

    Raises InvalidError with every mistake by its field.
    """
    faults: dict[str, str] = {}
    subject = _read(fields, "subject", LONGEST_SUBJECT, faults, lines=False)
    body = _read(fields, "body", LONGEST_BODY, faults, lines=True)
    in_other = {
        language: {name: _read(fields, f"{name}_{language}", most, faults, lines=lines) for name, most, lines in BOXES}
        for language in other_languages(event)
        if any(str(fields.get(f"{name}_{language}") or "").strip() for name, *_ in BOXES)
    }
    group = fields.get("group")
    if not isinstance(group, str) or not group:
        faults["group"] = told("Choose to whom you write")
    key = fields.get("key")
    if faults:
        raise InvalidError(told("Some fields need another look. Nothing was sent."), faults)
    named = key if isinstance(key, str) and _KEY.fullmatch(key) else secrets.token_hex(16)
    return Written(str(group), subject, body, named, in_other)


def _read(fields: Fields, name: str, longest: int, faults: dict[str, str], *, lines: bool) -> str:
    typed = fields.get(name)
    try:
        text = clean_text(typed if isinstance(typed, str) else "", lines=lines)
    except TextError as error:
        faults[name] = error.args[0]
        return ""
    if not text:
        faults[name] = told("Write it first")
    elif len(text) > longest:
        faults[name] = told("Use at most %(most)s characters; these are %(number)s", most=longest, number=len(text))
    return text


def find_group(table: Table, event: Event, key: str) -> Group:
    """The group with this key. Raises InvalidError when nobody is in it, ConflictError when it is too large."""
    found = next((group for group in groups(table, event) if group.key == key), None)
    if found is None:
        raise InvalidError(
            told("Nobody is in this group by now. Nothing was sent."), {"group": told("Choose another group")}
        )
    if len(found.people) > MOST_PEOPLE:
        raise ConflictError(
            told("A text goes to at most %(number)s people. Write to smaller groups.", number=MOST_PEOPLE)
        )
    return found


def send(table: Table, event: Event, written: Written, expected: int, *, actor: str, now: datetime) -> Message:
    """Store a text and owe its mails, if they are as many as the organiser agreed to.

    The function is idempotent: the same form sent twice is one text. Raises ConflictError, InvalidError or StaleError,
    with nothing stored.
    """
    before = read_message(table, event.id, written.key)
    if before:
        return before
    group = find_group(table, event, written.group)
    if expected != len(group.people):
        raise StaleError(
            told_many(
                "This would write %(num)s mail by now, not %(expected)s. Look at the preview again and confirm.",
                "This would write %(num)s mails by now, not %(expected)s. Look at the preview again and confirm.",
                len(group.people),
                expected=expected,
            )
        )
    message = Message(
        event=event.id,
        id=written.key,
        group=str(group.words),
        subject=written.subject,
        body=written.body,
        in_other=written.in_other,
        people=[person.id for person in group.people],
        number=len(group.people),
        cancelled=event.cancelled,
        created_at=utc(now),
    )
    if store_message(table, event, message, actor=actor, now=now):
        Act.WRITE_TO_PEOPLE.counted()
    return message


def samples(event: Event, group: Group) -> list[tuple[str, int, Registration]]:
    """For each language in which people of a group read, the event's own first: how many they are, and the first."""
    readers: dict[str, list[Registration]] = {}
    for person in group.people:
        readers.setdefault(event.language_for(person.language), []).append(person)
    known = sorted(readers, key=lambda language: (language != event.language, language))
    return [(language, len(readers[language]), readers[language][0]) for language in known]


def sample(event: Event, written: Written, person: Registration, now: datetime) -> Mail:
    """The mail that one person would get, to be read before it is sent."""
    return Mail(
        event=event.id,
        id=f"message#{person.id}#{written.key}",
        kind="message",
        registration=person.id,
        facts=written.text_for(event.language_for(person.language)),
        created_at=utc(now),
        updated_at=utc(now),
    )


def as_shown(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Texts as programs read them."""
    return [
        {**message.model_dump(exclude={"event", "people", "number"}), "mails": message.number} for message in messages
    ]


def earlier(table: Table, event: Event) -> list[Message]:
    """The texts that were written before, the newest first."""
    return list(messages_of(table, event.id))
