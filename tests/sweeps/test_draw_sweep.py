"""The draw on thousands of random events. What fails prints its seed.

PARCOURS_DRAWS says how many events, and PARCOURS_FIRST the first seed.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.unit.allocate.drawing import (
    chi_squared,
    choices,
    claims,
    drawn_by_trying,
    lot,
    moved_by_the_order,
    tied_pair,
    tiny_even_instance,
    wins,
)
from tests.unit.allocate.instances import allocated

EVENTS = int(os.environ.get("PARCOURS_DRAWS", "10000"))
FIRST_SEED = int(os.environ.get("PARCOURS_FIRST", "50000"))
PAIRS, SEEDS = 200, 1_000

CRITICAL_OF_PAIRS = 249.4
"""χ² of 200 degrees of freedom that chance exceeds once in a hundred."""


@pytest.mark.sweep
def test_the_order_of_lists_changes_nobodys_programme() -> None:
    """Every list of the files in another order: even, uneven, absent, pinned, partial, minima, keep, everything."""
    seeds = range(FIRST_SEED, FIRST_SEED + EVENTS)
    moved = {seed: who for seed in seeds if (who := moved_by_the_order(seed))}

    print(f"seeds {seeds[0]} to {seeds[-1]}: {len(moved)} of {len(seeds)} events differ")
    assert moved == {}


@pytest.mark.sweep
def test_lots_decide_between_all_allocations_of_least_cost() -> None:
    """Against a list of all of them."""
    tally: Counter[str] = Counter()
    wrong = []
    for seed in range(FIRST_SEED, FIRST_SEED + EVENTS // 5):
        instance = tiny_even_instance(seed)
        wanted = drawn_by_trying(instance, str(seed))
        tally["too many to list, or none" if wanted is None else "listed"] += 1
        if wanted is not None:
            found = allocated(instance, seed=str(seed)).programmes
            if choices(instance.event, instance.attendees, found) != wanted:
                wrong.append(seed)

    print(dict(tally))
    assert wrong == []


@pytest.mark.sweep
def test_tied_pairs_win_equally_often() -> None:
    """χ² over all pairs, and under every seed the better of the two lots wins."""
    statistic = 0.0
    for pair in range(PAIRS):
        instance = tied_pair(FIRST_SEED + pair)
        one, other = (person.id for person in instance.attendees[:2])
        won = wins(instance, "theme-0", SEEDS)
        assert won[one] == sum(lot(f"seed {seed}", one) < lot(f"seed {seed}", other) for seed in range(SEEDS))
        statistic += chi_squared([won[one], won[other]], [SEEDS / 2, SEEDS / 2])

    print(f"pairs from seed {FIRST_SEED}: χ² {statistic:.1f} with {PAIRS} degrees of freedom")
    assert statistic < CRITICAL_OF_PAIRS


@pytest.mark.sweep
def test_a_thousand_claims_of_reasons_hold_against_all_allocations_of_least_cost() -> None:
    """What was decided by lot some other allocation of least cost gives; what the mix or a minimum decided, none."""
    found = [claim for seed in range(FIRST_SEED, FIRST_SEED + EVENTS // 2) for claim in claims(seed)]

    print(f"{len(found)} claims from seed {FIRST_SEED} on: {dict(Counter(says for says, _ in found))}")
    assert [lie for _, lie in found if lie] == []
    assert len(found) >= EVENTS // 10
