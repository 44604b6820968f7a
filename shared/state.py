"""What the system knows of an event beside its file: the row STATE, with its counters and run numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.models import Event, EventState
from shared.table import PROGRAMMES, STATE_SK, Table, event_pk, programmes_pk


def read_state(table: Table, event: str) -> EventState:
    """What the system knows of an event; all zero before anything happened."""
    found = table.get(event_pk(event), STATE_SK) or {"event": event}
    return EventState.model_validate({key: value for key, value in found.items() if key in EventState.model_fields})


def fresh_state(event: str) -> dict[str, Any]:
    """The row of a new event. Counters start as numbers, so that every condition on them compares numbers."""
    return {"pk": event_pk(event), "sk": STATE_SK, "type": "state", **EventState(event=event).model_dump(mode="json")}


def gives_out_at(event: Event, state: EventState) -> datetime | None:
    """When the schedule next gives workshops to people who have none; None: not at a time that is fixed.

    Every page and mail that tells this date asks here.
    """
    return None if state.published_run and state.afterwards != "keep" else event.allocates_at


def comes_at_once(event: Event, state: EventState) -> bool:
    """Whether programmes are mailed at that time by themselves; else an organiser publishes them after it."""
    return event.allocation.publish == "automatic" and not state.published_run


def allocated(table: Table, event: str, number: int) -> dict[str, dict[str, str]]:
    """The workshops (theme by round) of each person with a programme under a run; nobody under run 0."""
    rows = table.query(programmes_pk(event, number), PROGRAMMES, only=("registration", "workshops")) if number else ()
    return {row["registration"]: dict(row["workshops"]) for row in rows}
