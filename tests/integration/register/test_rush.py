"""The last hour: many register in the same minute, and the one row of counters is in everybody's transaction.

Measured on `tests.support.dynamodb_model`: 33 registrations a second, of which each holds the counters for as long as a
transaction takes. With transactions of 15 ms 99 of 100 are stored within 0.6 s, of 20 ms within 1.3 s, of 25 ms within
3.2 s; nobody is lost. Patience within the function's time is enough, so the counters stay one row: places are counted
exactly, nobody overtakes those who wait, and a crash leaves nothing to repair. Blocks of places, or a counter in parts,
would need all three to be built anew.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from datetime import timedelta

import pytest

from shared.errors import TooBusyError
from shared.events import put_event
from shared.models import RegistrationState
from shared.registrations import register, registrations_of
from shared.state import read_state
from shared.table import Table
from tests.support.dynamodb_model import DynamoDbModel, Latencies, VirtualTime
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.rows import Rows

FUNCTION_SECONDS = 14.0


@pytest.mark.parametrize(
    ("people", "held"),
    [
        pytest.param(300, 0.015, id="nine seconds of it"),
        pytest.param(2000, 0.015, id="a minute", marks=pytest.mark.sweep),
        pytest.param(2000, 0.020, id="a minute, slow transactions", marks=pytest.mark.sweep),
    ],
)
def test_a_rush_loses_nobody_and_confirms_as_many_as_there_are_places(
    people: int, held: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = people // 2
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": places}
    event = make_event(registration=rules, themes=[{**theme, "capacity": people} for theme in event_data()["themes"]])
    rows = Rows()
    table = Table(rows, "parcours")
    put_event(table, event, actor="test", now=NOW)
    time = VirtualTime()
    model = DynamoDbModel(rows, time, Latencies(held=held))
    seed = 20261125
    monkeypatch.setattr("shared.table.random", random.Random(seed))
    dice = random.Random(seed)
    seconds: list[float] = []
    outcomes: Counter[str] = Counter()

    def arrive(number: int) -> None:
        begun = time.now
        mine = Table(model, "parcours", clock=time.clock, sleep=time.sleep)
        mine.begin(FUNCTION_SECONDS)
        draft = make_registration(number=number, id=f"{number:020x}")
        try:
            stored, _ = register(mine, event, draft, now=NOW + timedelta(seconds=begun))
            outcomes[stored.state.value] += 1
        except TooBusyError:
            outcomes["too busy"] += 1
        seconds.append(time.now - begun)

    lasts = people * 60 / 2000
    time.run([(dice.uniform(0, lasts), lambda number=number: arrive(number)) for number in range(people)])  # type: ignore[misc]

    seconds.sort()
    p99 = seconds[int(0.99 * len(seconds))]
    print(f"seed {seed}: {people} in {lasts:.0f} s, transactions of {1000 * held:.0f} ms: {dict(outcomes)},")
    print(f"  p50 {statistics.median(seconds):.3f}, p99 {p99:.3f}, max {seconds[-1]:.3f} s; {dict(model.cancelled)}")
    assert outcomes == {"confirmed": places, "waiting": people - places}
    stored = list(registrations_of(table, event.id))
    assert len(stored) == people
    assert sum(one.state is RegistrationState.CONFIRMED for one in stored) == places
    state = read_state(table, event.id)
    assert (state.confirmed, state.waiting) == (places, people - places)
    assert p99 <= 3.0
    assert model.cancelled["TransactionConflict"] > people // 10  # there was something to wait for
