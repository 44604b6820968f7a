"""`verify` proves that lots decided: every other allocation of the same total is caught, and the right one passes."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest

from functions.allocate.model.result import Allocation
from infra.verify.checks import verify
from shared.attendees import Attendee
from tests.unit.allocate.drawing import choices, tiny_even_instance
from tests.unit.allocate.instances import (
    Instance,
    allocated,
    event_of,
    objective,
    personal_programmes,
    random_instance,
    seat_faults,
)

CHECK = "lots decided every tie"
ABC = ("theme-0", "theme-1", "theme-2")


def lots_decided(instance: Instance, allocation: Allocation) -> bool:
    """Whether the check of the lots, and only that, is passed; the others are another test's."""
    checks = verify(instance.event, instance.attendees, allocation, previous=instance.previous)
    return next(check for check in checks if check.name == CHECK).passed


@pytest.mark.parametrize(
    ("types", "other", "ranking"),
    [
        pytest.param(2, "type-1", ABC, id="two types"),
        pytest.param(1, "type-0", ("theme-0", "theme-2", "theme-1"), id="two rankings"),
        pytest.param(1, "type-0", ABC, id="equals"),
    ],
)
def test_a_seat_given_to_the_worse_lot_is_found(types: int, other: str, ranking: tuple[str, ...]) -> None:
    """Two people tie for one seat, and a person exchanges what they drew, at the same total."""
    event = event_of(3, 1, types, 1, weight=0, seed="a seed")
    instance = Instance(event, [Attendee("p1", "type-0", ABC), Attendee("p2", other, ranking)])
    drawn = allocated(instance)
    second = {one.id: {"round-0": one.ranking[1]} for one in instance.attendees}
    winner, loser = sorted(drawn.programmes, key=lambda who: drawn.programmes[who] != {"round-0": "theme-0"})

    forged = drawn.model_copy(update={"programmes": {winner: second[winner], loser: {"round-0": "theme-0"}}})

    assert lots_decided(instance, drawn)
    assert not lots_decided(instance, forged)


@pytest.mark.parametrize("seed", range(30))
def test_of_all_allocations_of_least_total_only_the_drawn_one_passes(seed: int) -> None:
    """Whatever types, rankings and rounds a person exchanges; what is not ranked is the same to everybody."""
    instance = tiny_even_instance(seed)
    options = [personal_programmes(instance.event, one) for one in instance.attendees]
    if prod(map(len, options)) > 3_000:
        return
    try:
        drawn = allocated(instance, seed="a seed")
    except Exception:
        return
    wanted = choices(instance.event, instance.attendees, drawn.programmes)
    for combination in product(*options):
        programmes = {one.id: mine for one, mine in zip(instance.attendees, combination, strict=True)}
        if seat_faults(instance.event, programmes) or objective(instance, programmes).total != drawn.objective.total:
            continue
        same = choices(instance.event, instance.attendees, programmes) == wanted
        assert lots_decided(instance, drawn.model_copy(update={"programmes": programmes})) == same


@pytest.mark.parametrize("seed", range(100, 124))
def test_every_kind_of_event_passes(seed: int) -> None:
    """Even, uneven, absent, pinned, partial, closed, minima, keep, everything."""
    instance = random_instance(seed)
    try:
        drawn = allocated(instance, seed="a seed")
    except Exception:
        return
    assert lots_decided(instance, drawn)
