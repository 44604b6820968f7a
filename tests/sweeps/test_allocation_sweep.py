"""Thousands of random events against an independent statement of the objective. What fails prints its seed.

One more seed, by hand: `PARCOURS_SEEDS=4711 python -m pytest -m sweep tests/sweeps/test_allocation_sweep.py`.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import pytest

from functions.allocate.exact import close_gap
from functions.allocate.flows import contested, crowd, first_guess, two_flows
from functions.allocate.model.problem import NoAllocationError
from functions.allocate.model.result import Allocation
from infra.verify.checks import verify
from tests.unit.allocate.instances import (
    KINDS,
    Instance,
    allocated,
    brute_force,
    differences,
    oracle,
    personal_programmes,
    priced,
    random_instance,
)

pytestmark = pytest.mark.promise("P3")


SEEDS = 2_400
FEW_SEEDS = 16
FIRST_SEED = 10_000
"""The seeds below are those of the unit tests."""

MOST_COMBINATIONS = 20_000
"""Combinations of programmes up to which the oracle itself is checked by trying all of them."""


def seeds(count: int) -> Iterator[int]:
    """The seeds to try; PARCOURS_SEEDS names others."""
    named = os.environ.get("PARCOURS_SEEDS", "")
    return iter([int(one) for one in named.split(",")] if named else range(FIRST_SEED, FIRST_SEED + count))


def instance_of(seed: int) -> Instance:
    """Every tenth instance is four times as large."""
    return random_instance(seed, KINDS[seed % len(KINDS)], scale=4 if seed % 10 == 9 else 1)


def check(seed: int) -> tuple[list[str], Counter[str]]:
    """All that is wrong under a seed, and what the seed was good for."""
    instance = instance_of(seed)
    tally = Counter({instance.label.split(",")[0]: 1, "instances": 1, "people": len(instance.attendees)})
    wrong = differences(instance)
    if prod(len(personal_programmes(instance.event, one)) for one in instance.attendees) <= MOST_COMBINATIONS:
        tally["by brute force"] += 1
        if priced(instance, brute_force(instance)) != priced(instance, oracle(instance)):
            wrong.append("brute force and the integer programme disagree")
    try:
        allocation = allocated(instance)
    except NoAllocationError:
        tally["refused"] += 1
        return wrong + other_ways(seed, instance, None), tally
    tally[allocation.engine] += 1
    wrong += [
        str(one)
        for one in verify(instance.event, instance.attendees, allocation, previous=instance.previous)
        if not one.passed
    ]
    return wrong + other_ways(seed, instance, allocation), tally


def other_ways(seed: int, instance: Instance, allocation: Allocation | None) -> list[str]:
    """What differs when the rows come in another order, or another engine is used."""
    wrong = []
    rng = random.Random(seed)
    previous = instance.previous
    shuffled = replace(
        instance,
        attendees=rng.sample(instance.attendees, len(instance.attendees)),
        previous=previous and dict(rng.sample(sorted(previous.items()), len(previous))),
    )
    if _told(shuffled) != (allocation and allocation.model_dump(exclude={"seconds"})):
        wrong.append("another order of rows gives another outcome")
    with pytest.MonkeyPatch.context() as patch:
        for room, name, value in (
            (two_flows, "MOST_EDGES", 0),
            (first_guess, "SAMPLE", 1),
            (contested, "SAMPLE", 1),
            (crowd, "BLOCK", 5),
        ):
            patch.setattr(room, name, value)
        by_prices = _told(instance)
    exact = _told(instance, engine="exact")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(close_gap, "SMALL", 0)
        workshop_prices = _told(instance, engine="exact")
    for way, told in (("crowd", by_prices), ("exact", exact), ("workshop prices", workshop_prices)):
        if (told and (told["objective"]["total"], told["optimal"])) != (
            allocation and (allocation.objective.total, allocation.optimal)
        ):
            wrong.append(f"the {way}'s way gives another outcome: {told and told['objective']}")
    return wrong


def _told(instance: Instance, **options: str) -> dict[str, Any] | None:
    """The allocation without the time it took; None if there is none."""
    try:
        return allocated(instance, **options).model_dump(exclude={"seconds"})
    except NoAllocationError:
        return None


def sweep(count: int) -> Counter[str]:
    """Check many seeds. Fails with every seed under which something is wrong."""
    total: Counter[str] = Counter()
    failed: dict[int, list[str]] = {}
    for seed in seeds(count):
        wrong, tally = check(seed)
        total += tally
        if wrong:
            failed[seed] = wrong
            print(f"seed {seed}: {wrong}", flush=True)
    assert failed == {}
    return total


def test_a_few_random_events_get_their_optimum() -> None:
    """The sweep below in small."""
    tally = sweep(FEW_SEEDS)

    assert min(tally[kind] for kind in KINDS) > 0


@pytest.mark.sweep
def test_random_events_get_their_optimum() -> None:
    """Even, uneven, absent, pinned, partial, minima, keep and everything at once; one to four rounds."""
    begun = time.monotonic()
    tally = sweep(SEEDS)
    tried = list(seeds(SEEDS))
    print(f"seeds {tried[0]} to {tried[-1]}, {time.monotonic() - begun:.0f} s: {dict(tally)}")
