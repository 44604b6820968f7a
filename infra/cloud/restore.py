"""Copy back what an event lost, from a restored table, without bringing back anybody who was erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.models import RegistrationState
from shared.registrations import HOLDS_A_PLACE, registrations_of
from shared.state import read_state
from shared.table import (
    ERASED_PK,
    EVENTS_PK,
    STATE_SK,
    SUMMARY_SK,
    Item,
    Present,
    Table,
    erased_sk,
    event_pk,
    mails_pk,
    programmes_pk,
    update,
)


class RetainedNoLongerError(Exception):
    """The retention of the event has ended: what a backup holds of its people must not come back."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How many rows came back, and how many people stayed away because they were erased since."""

    rows: int
    erased: int


def copy_back(restored: Table, table: Table, event: str) -> Restored:
    """Copy the rows of an event that `table` has no more, and mail nobody.

    What still stands is never replaced. Rows of people who were erased after the backup stay away: the tombstones in
    `table` tell who they are. The function is idempotent.

    Raises RetainedNoLongerError once the retention of the event has ended.
    """
    if table.get(event_pk(event), SUMMARY_SK):
        raise RetainedNoLongerError(event)
    tombstones = {row["sk"] for row in table.query(ERASED_PK)}
    gone = {one.id for one in registrations_of(restored, event) if erased_sk(event, one.id) in tombstones}
    lost = [row for row in _rows(restored, event) if not _is_about(row, gone) and not table.get(row["pk"], row["sk"])]
    table.put_all(lost)
    if any(row["sk"] == STATE_SK for row in lost):
        _count_anew(table, event)
    return Restored(len(lost), len(gone))


def _rows(restored: Table, event: str) -> Iterator[Item]:
    """Every row of an event in the restored table."""
    file = restored.get(EVENTS_PK, event)
    yield from [file] if file else []
    yield from restored.query(event_pk(event))
    yield from restored.query(mails_pk(event))
    for run in range(1, read_state(restored, event).runs + 1):
        yield from restored.query(programmes_pk(event, run))


def _is_about(row: Item, people: set[str]) -> bool:
    """Whether a row is a registration of these, or belongs to one: an address, a mail, a programme, an audit line."""
    named = row.get("id") if row["type"] == "registration" else row.get("registration") or row.get("about")
    return named in people


def _count_anew(table: Table, event: str) -> None:
    """Let the counters that came back count the people who did."""
    states = [one.state for one in registrations_of(table, event)]
    counters = {
        "confirmed": sum(state in HOLDS_A_PLACE for state in states),
        "waiting": states.count(RegistrationState.WAITING),
    }
    table.write(update(event_pk(event), STATE_SK, assign=counters, expect={"pk": Present()}))
