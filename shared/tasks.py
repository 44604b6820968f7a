"""Tasks: rows that say what the schedule does next, and when; allocate and upkeep look for those that are due."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from shared.models import Afterwards, Event, EventState, utc
from shared.table import ConditionFailedError, Item, Table, Write, delete, event_pk, put, task_sk

ALLOCATE_DUE = "allocate"
"""Part of the index `due` that the allocator works through."""

UPKEEP_DUE = "upkeep"
"""Part of the index `due` that upkeep works through."""

LATE = "late"
"""The task of the schedule to place the people who were confirmed after the allocation."""

LATE_AFTER = timedelta(minutes=10)
"""So long after the last late confirmation they are placed, together: each one puts it off anew."""

DEADLINE = "allocation"
"""The task of the schedule to allocate when registration has closed, at `Event.allocates_at`."""


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
    """The write that lets the schedule place a person who is confirmed after the publication.

    None before it, none where the run of the deadline will place them, and none where an organiser wants no further
    run.
    """
    waits = state.afterwards == "none" or (state.afterwards == "keep" and now < event.allocates_at)
    if not state.published_run or waits or now >= event.ends_at:
        return []
    return [task(event.id, LATE, ALLOCATE_DUE, now + LATE_AFTER)]


def after_publication(event: Event, afterwards: Afterwards, now: datetime) -> list[Write]:
    """What the schedule does after a publication, in place of what it was to do before.

    With registration closed, people who were stored while the publication was being made are placed like late ones.
    """
    pk = event_pk(event.id)
    if afterwards == "keep":
        return [task(event.id, DEADLINE, ALLOCATE_DUE, event.allocates_at), delete(pk, task_sk(LATE))]
    late = delete(pk, task_sk(LATE)) if afterwards == "none" else task(event.id, LATE, ALLOCATE_DUE, now + LATE_AFTER)
    return [delete(pk, task_sk(DEADLINE)), late]
