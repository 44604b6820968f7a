"""Each fence of a run alone: the lease keeps a second owner away, and owner and event's pointer keep a late one out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import StaleError
from shared.models import Event, Run
from shared.runs import Wish, claim_run, finish_run, read_run, request_run
from shared.table import STATE_SK, Table, event_pk, run_sk, update
from tests.support.factories import NOW

LEASE = timedelta(minutes=5)


@pytest.fixture
def run(table: Table, event: Event) -> Run:
    """A run that its first owner is at work on."""
    asked = request_run(table, event, Wish(), actor="o", now=NOW)
    run = claim_run(table, asked, owner="first", lease=LEASE, now=NOW)
    assert run is not None
    return run


def test_a_run_is_not_taken_over_before_its_lease_is_over(table: Table, run: Run) -> None:
    almost = NOW + LEASE - timedelta(seconds=1)

    assert claim_run(table, run, owner="second", lease=LEASE, now=almost) is None

    heir = claim_run(table, run, owner="second", lease=LEASE, now=NOW + LEASE)
    assert heir is not None
    assert heir.owner == "second"


@pytest.mark.parametrize("fence", ["owner", "event"])
def test_each_fence_alone_keeps_a_late_owner_from_storing(fence: str, table: Table, event: Event, run: Run) -> None:
    if fence == "owner":
        table.write(update(event_pk(event.id), run_sk(run.number), assign={"owner": "second"}))
    else:
        table.write(update(event_pk(event.id), STATE_SK, assign={"active_run": run.number + 1}))

    with pytest.raises(StaleError):
        finish_run(table, event, run, {"people": 3}, now=NOW)

    stored = read_run(table, event.id, run.number)
    assert stored is not None
    assert stored.people == 0
