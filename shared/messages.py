"""Texts that organisers write to a group of people: stored once with the people they are for, then mailed by upkeep.

The ids of the people are kept with the text, so that the number of mails is the one that the organiser confirmed,
whatever happens until the last is written; a person who withdraws or is erased meanwhile gets none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from shared.acts import Act
from shared.cancellation import REACHED
from shared.events import audit
from shared.models import Event, Message, Registration
from shared.registrations import reader_of
from shared.table import (
    MESSAGE_PEOPLE,
    MESSAGES,
    Absent,
    ConditionFailedError,
    Item,
    OneOf,
    Table,
    Write,
    check,
    event_pk,
    message_people_sk,
    message_sk,
    put,
    registration_sk,
)
from shared.tasks import UPKEEP_DUE, task

PEOPLE_A_ROW = 10_000
"""People whose ids stand in one row, of at most 400 KB."""

MOST_PEOPLE = 100_000
"""People to whom one text goes: the rows with their ids are written in one transaction, of at most 4 MB."""


def store_message(table: Table, event: Event, message: Message, *, actor: str, now: datetime) -> bool:
    """Store a text and owe its mails; False, with nothing written, when the same text was stored before."""
    pk, ids = event_pk(event.id), message.people
    first = {**message.model_dump(), "people": ids[:PEOPLE_A_ROW], "number": len(ids)}
    item = {"pk": pk, "sk": message_sk(message.id), "type": "message", **first}
    further = [
        {"pk": pk, "sk": message_people_sk(message.id, part), "type": "message", "people": ids[at : at + PEOPLE_A_ROW]}
        for part, at in enumerate(range(PEOPLE_A_ROW, len(ids), PEOPLE_A_ROW), start=1)
    ]
    with suppress(ConditionFailedError):
        table.write(
            put(item, expect={"pk": Absent()}),
            *map(put, further),
            task(event.id, f"message#{message.id}", UPKEEP_DUE, now),
            audit(event.id, actor, Act.WRITE_TO_PEOPLE, now=now, what=f"{message.group}: {len(message.people)}"),
        )
        return True
    return False


def read_message(table: Table, event: str, number: str) -> Message | None:
    """A text by its id, or None; with the first people it is for (see `people_of`)."""
    found = table.get(event_pk(event), message_sk(number))
    return _as_message(found) if found else None


def people_of(table: Table, message: Message) -> list[str]:
    """The ids of everybody whom a text is for."""
    parts = table.query(event_pk(message.event), f"{MESSAGE_PEOPLE}{message.id}#")
    return [*message.people, *(one for part in parts for one in part["people"])]


def messages_of(table: Table, event: str) -> Iterator[Message]:
    """Every text that organisers of an event wrote, the newest first, with the first people it is for."""
    rows = sorted(table.query(event_pk(event), MESSAGES), key=lambda row: str(row["created_at"]), reverse=True)
    return map(_as_message, rows)


def _as_message(item: Item) -> Message:
    fields = {key: item[key] for key in Message.model_fields if key in item}
    return Message.model_validate({"number": len(item["people"]), **fields})


def contacts_of(people: Iterable[Registration]) -> dict[str, Registration]:
    """Who gets the texts to each of these people, by id: they, or the person who registered them with a group.

    People whom no mail reaches are left out.
    """
    here = {person.id: person for person in people}
    found = {person.id: reader_of(person, here) for person in here.values()}
    return {one: contact for one, contact in found.items() if contact and not contact.bounced}


def still_written_to(event: str, registration: str) -> Write:
    """The check that a person is still to be written to: has a place or waits for one, and their mail arrives."""
    states = OneOf(tuple(state.value for state in REACHED))
    return check(event_pk(event), registration_sk(registration), {"state": states, "bounced": False})
