"""Event files that organisers put, change and retire on the pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from functions.organise.sessions import Role, role_in
from shared.acts import Act
from shared.cancellation import cancel_day, reached
from shared.errors import ConflictError, ForbiddenError, InvalidError, StaleError
from shared.event_file import EventFileError, check_event, parse_event
from shared.events import put_event, read_or_stand_in, read_text, retire_event
from shared.i18n import told, told_many, told_together
from shared.models import Event
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import EVENTS_PK, Table

_MISTAKES = told("The event file has mistakes; nothing was changed.")

RESERVED = frozenset({"sign-in", "sign-out", "new"})
"""Ids that no event may have: pages of their own stand at these addresses."""


def read_file(text: object, actor: str) -> Event:
    """An event from the text of a file. Raises InvalidError with every mistake by its path."""
    return _checked(lambda: parse_event(text if isinstance(text, str) else ""), actor)


def read_data(data: object, actor: str) -> Event:
    """An event from the data of a file. Raises InvalidError with every mistake by its path."""
    return _checked(lambda: check_event(data), actor)


def _checked(read: Callable[[], Event], actor: str) -> Event:
    try:
        event = read()
    except EventFileError as error:
        faults: dict[str, str] = {}
        for fault in error.faults:
            path = fault.path or "file"
            faults[path] = told_together([faults[path], fault.message]) if path in faults else fault.message
        raise InvalidError(_MISTAKES, faults) from None
    if event.id in RESERVED:
        raise InvalidError(_MISTAKES, {"id": told("is used by a page; take another")})
    if role_in(event, actor) is not Role.ORGANISER:
        raise InvalidError(
            _MISTAKES,
            {
                "organiser_emails": told(
                    "must name you, %(actor)s, or you could not come back to this event", actor=actor
                )
            },
        )
    return event


def put_new(table: Table, text: object, *, actor: str, now: datetime) -> Event:
    """Put an event that does not exist yet. Raises InvalidError, ConflictError, ForbiddenError or StaleError."""
    return _put_new(table, read_file(text, actor), actor, now, text)


def put_new_data(table: Table, data: object, *, actor: str, now: datetime, text: str = "") -> Event:
    """The same from the data of a file, and a text whose comments it keeps."""
    return _put_new(table, read_data(data, actor), actor, now, text)


def _put_new(table: Table, event: Event, actor: str, now: datetime, text: object) -> Event:
    taken = table.get(EVENTS_PK, event.id)
    if taken and not taken.get("retired"):
        raise ConflictError(
            told("There is an event “%(id)s” already. Open it to change its file, or take another id.", id=event.id)
        )
    if taken and role_in(read_or_stand_in(taken)[0], actor) is not Role.ORGANISER:
        raise ForbiddenError(told("The id “%(id)s” belonged to an event of others. Take another id.", id=event.id))
    state = read_state(table, event.id)
    if not taken and (state.runs or state.confirmed or state.waiting):
        raise ConflictError(told("The id “%(id)s” was used before. Take another id.", id=event.id))
    put_event(table, event, actor=actor, now=now, seen=taken["updated_at"] if taken else "", text=str(text))
    Act.PUT_EVENT.counted()
    return event


def put_again(table: Table, before: Event, text: object, *, actor: str, now: datetime, seen: Any = None) -> None:
    """Change an event's file.

    Raises InvalidError with every mistake, ConflictError when it would break registrations already made, StaleError
    when the file was changed since the organiser opened it.
    """
    refuse_stale(before, seen)
    _put_again(table, before, read_file(text, actor), actor, now, str(text))


def mend(table: Table, event_id: str, text: object, *, actor: str, now: datetime) -> None:
    """Put the file of an event whose stored file cannot be read.

    Raises InvalidError with every mistake, ConflictError or StaleError.
    """
    event = read_file(text, actor)
    _refuse_another_id(event, event_id)
    put_event(table, event, actor=actor, now=now, text=str(text))
    Act.PUT_EVENT.counted()


def last_text(table: Table, event_id: str) -> str:
    """What an event's file was when it could be read: as it was written, or else as it is stored."""
    stored = table.get(EVENTS_PK, event_id) or {}
    return read_text(table, event_id) or str(stored.get("document", ""))


def put_data(table: Table, before: Event, data: object, *, actor: str, now: datetime) -> None:
    """The same from the data of a file."""
    _put_again(table, before, read_data(data, actor), actor, now)


def refuse_stale(before: Event, seen: Any) -> None:
    """Raise StaleError when the event is no longer the one that the organiser opened."""
    if seen is not None and seen != version(before):
        raise StaleError(
            told("The event was changed since you opened this page. Copy your changes, reload the page, put them in.")
        )


def _put_again(table: Table, before: Event, event: Event, actor: str, now: datetime, text: str | None = None) -> None:
    _refuse_another_id(event, before.id)
    put_event(table, event, actor=actor, now=now, made_from=before, text=text)
    Act.PUT_EVENT.counted()


def _refuse_another_id(event: Event, wanted: str) -> None:
    if event.id != wanted:
        raise InvalidError(_MISTAKES, {"id": told("must stay “%(id)s”; put a new event to have another id", id=wanted)})


def retire(table: Table, event: Event, *, actor: str, now: datetime) -> None:
    """Take an event off the pages. Raises ConflictError while the event lies ahead and people hold a place."""
    retire_event(table, event, actor=actor, now=now)
    Act.RETIRE_EVENT.counted()


def cancel(table: Table, event: Event, expected: int, *, actor: str, now: datetime) -> None:
    """Cancel the day if that writes exactly the mails that the organiser agreed to.

    Raises ConflictError or StaleError, with nothing changed.
    """
    mails = len(reached(registrations_of(table, event.id)))
    if expected != mails:
        raise StaleError(
            told_many(
                "Cancelling the day would write %(num)s mail, not %(expected)s. Read this page again and confirm.",
                "Cancelling the day would write %(num)s mails, not %(expected)s. Read this page again and confirm.",
                mails,
                expected=expected,
            )
        )
    cancel_day(table, event, actor=actor, now=now)
    Act.CANCEL_EVENT.counted()


def version(event: Event) -> str:
    """A digest of an event file, to notice that it was changed meanwhile."""
    return hashlib.sha256(event.model_dump_json().encode()).hexdigest()[:32]
