"""Tasks: rows that say what the schedule does next, and when; allocate and upkeep look for those that are due."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from shared.models import Event, EventState, utc
from shared.table import ConditionFailedError, Item, Table, Write, delete, event_pk, put, task_sk

ALLOCATE_DUE = "allocate"
"""Part of the index `due` that the allocator works through."""

UPKEEP_DUE = "upkeep"
"""Part of the index `due` that upkeep works through."""

LATE = "late"
"""The task of the schedule to place the people who were confirmed after the allocation."""

LATE_AFTER = timedelta(minutes=10)
"""So long after the last late confirmation they are placed, together: each one puts it off anew."""


def task(event: str, name: str, due: str, due_at: datetime, **facts: Any) -> Write:
    """The write of something to do at a time; writing it again moves it."""
    keys = {"pk": event_pk(event), "sk": task_sk(name)}
    return put({**keys, "type": "task", "event": event, "task": name, "due": due, "due_at": utc(due_at), **facts})


def forget_task(table: Table, event: str, name: str) -> None:
    """Take a task off the list that can no longer be done."""
    table.write(delete(event_pk(event), task_sk(name)))


def strike_off(table: Table, item: Item) -> None:
    """Take a task off the list, unless it was put on it anew for another time."""
    with suppress(ConditionFailedError):
        table.write(delete(event_pk(item["event"]), task_sk(item["task"]), expect={"due_at": item["due_at"]}))


def place_late(event: Event, state: EventState, now: datetime) -> list[Write]:
    """The write that lets the schedule place a person who is confirmed after the publication; none before it."""
    if not state.published_run or now >= event.ends_at:
        return []
    return [task(event.id, LATE, ALLOCATE_DUE, now + LATE_AFTER)]
