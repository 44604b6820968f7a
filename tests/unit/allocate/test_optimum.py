"""The allocator finds the least objective, whatever the event looks like."""

from __future__ import annotations

import random

import pytest

from functions.allocate.solve import allocate
from tests.unit.allocate.instances import (
    Instance,
    brute_force,
    crowd,
    differences,
    event_of,
    objective,
    oracle,
    programme_faults,
    random_instance,
)

pytestmark = pytest.mark.promise("P3")


@pytest.mark.parametrize("seed", range(25))
def test_an_even_event_gets_the_optimum_of_an_independent_integer_programme(seed: int) -> None:
    """The same seats in every round, everyone there: two flows, and the bound they prove."""
    rng = random.Random(seed)
    themes, types, people = rng.randint(2, 5), rng.randint(1, 4), rng.randint(2, 40)
    rounds = rng.randint(1, min(3, themes))
    event = event_of(
        themes,
        rounds,
        types,
        -(-people // themes) + 1 + rng.randint(0, 2),
        weight=rng.choice([0, 1, 2, 5]),
        tolerance=rng.choice(["0", "0.25", "0.5"]),
    )
    instance = Instance(event, crowd(event, people, rng, partial=rng.random() < 0.3))

    allocation = allocate(event, instance.attendees)

    assert programme_faults(instance, allocation.programmes) == []
    assert objective(instance, allocation.programmes) == oracle(instance)
    assert allocation.objective.total == allocation.bound
    assert allocation.optimal


@pytest.mark.parametrize("seed", range(8))
def test_a_tiny_event_gets_the_best_of_all_combinations(seed: int) -> None:
    """Brute force over every combination of programmes."""
    rng = random.Random(seed)
    event = event_of(3, 2, 2, rng.choice([2, 3]), weight=rng.choice([1, 3]), tolerance="0")
    instance = Instance(event, crowd(event, 3, rng))

    allocation = allocate(event, instance.attendees)

    assert objective(instance, allocation.programmes) == brute_force(instance)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_never_changes_the_outcome(seed: int) -> None:
    rng = random.Random(seed)
    event = event_of(4, 2, 3, 12)
    people = crowd(event, 40, rng)
    shuffled = rng.sample(people, len(people))

    assert allocate(event, shuffled).programmes == allocate(event, people).programmes


@pytest.mark.parametrize("seed", range(80))
def test_every_kind_of_event_gets_the_optimum_of_an_independent_integer_programme(seed: int) -> None:
    """Uneven and missing seats, absences, pins, partial rankings, minima, re-runs, one to four rounds."""
    assert differences(random_instance(seed)) == []
