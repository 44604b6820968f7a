"""`verify` proves that lots decided: every other allocation of the same total is caught, and the right one passes."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from math import prod

import pytest

from functions.allocate import solve
from functions.allocate.exact import close_gap
from functions.allocate.flows import two_flows
from functions.allocate.flows.contested import settle
from functions.allocate.flows.crowd import Crowd
from functions.allocate.flows.market import Settled
from functions.allocate.flows.prices import Prices
from functions.allocate.flows.themes import ThemeSupply
from functions.allocate.model.objective import Solution
from functions.allocate.model.problem import NoAllocationError, Problem
from functions.allocate.model.result import Allocation
from functions.allocate.solve import _solve_costs
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


def failed(instance: Instance, allocation: Allocation) -> list[str]:
    """Everything that `verify` finds wrong."""
    checks = verify(instance.event, instance.attendees, allocation, previous=instance.previous)
    return [str(check) for check in checks if not check.passed]


def test_a_minimum_in_one_round_only_makes_rounds_differ() -> None:
    """The even split of a theme over its rounds may leave that round empty, so lots decide less there, and it is said.

    Two people, two rounds of one seat, and two themes that must have a person: one of them in the first round.
    """
    event = event_of(5, 2, 1, 1, weight=0, rank_costs=[0, 0, 5, 5, 5], seed="a seed")
    needed: dict[str, dict[str, int]] = {"theme-2": {"round-0": 1, "round-1": 1}, "theme-4": {"round-0": 1}}
    themes = [one.model_copy(update={"minimum": needed.get(one.id, 0)}) for one in event.themes]
    people = [Attendee(f"p{a}", "type-0", ("theme-0", "theme-1", "theme-3")) for a in range(2)]
    instance = Instance(event.model_copy(update={"themes": themes}), people)

    for engine in ("auto", "exact"):
        drawn = allocated(instance, engine=engine)

        assert (drawn.draw, drawn.optimal, failed(instance, drawn)) == ("pairwise", True, [])


def too_late(crowd: Crowd, supply: ThemeSupply, deadline: float) -> Prices:
    """Prices that prove an optimum, and nobody's themes."""
    found = settle(crowd, supply, deadline)
    assert isinstance(found, Settled)
    return found.prices


@pytest.mark.parametrize("seed", [38, 55, 60, 67, 76])
def test_lots_decide_also_when_the_flow_ran_out_of_time_and_another_engine_found_the_optimum(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In events where that engine finds another optimum than the lots choose."""
    instance = tiny_even_instance(seed)
    drawn = allocated(instance, seed="a seed")
    monkeypatch.setattr(two_flows, "MOST_EDGES", 0)
    monkeypatch.setattr(two_flows, "settle", too_late)

    late = allocated(instance, seed="a seed")

    assert (late.engine, late.draw, late.programmes) == ("flow+exact", "exact", drawn.programmes)
    assert failed(instance, late) == []


@pytest.mark.parametrize("seed", range(8))
def test_an_allocation_that_is_not_proven_says_that_lots_decided_less(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rounds are alike too: lots between all allocations of least cost are known once the least is proven."""
    instance = tiny_even_instance(seed)

    def found_in_time(problem: Problem, *_: object, **__: object) -> Solution:
        found = _solve_costs(problem, time.monotonic() + 60, engine="auto")
        return replace(found, attainable=None, bound=found.bound - 1, why="the time ended", engine="flow+exact")

    monkeypatch.setattr(solve, "_solve_costs", found_in_time)
    try:
        found = allocated(instance, seed="a seed")
    except NoAllocationError:
        return

    assert (found.draw, found.optimal, failed(instance, found)) == ("pairwise", False, [])
    exact = found.model_copy(update={"draw": "exact"})
    assert not lots_decided(instance, exact)


def test_a_proven_allocation_of_rounds_that_are_alike_may_not_call_its_draw_a_weaker_one() -> None:
    """Otherwise a seat given to a friend would pass as one that lots do not decide."""
    event = event_of(3, 1, 1, 1, weight=0, seed="a seed")
    instance = Instance(event, [Attendee(f"p{a}", "type-0", ABC) for a in range(2)])
    drawn = allocated(instance)

    for engine in ("flow", "flow+exact"):
        assert not lots_decided(instance, drawn.model_copy(update={"draw": "pairwise", "engine": engine}))


def test_a_keep_run_in_which_nobody_can_keep_anything_is_no_fresh_one() -> None:
    """Everybody's published theme is gone; what is left is solved like a fresh run, and changes are counted."""
    event = event_of(4, 1, 1, [[2], [2], [2], [0]], weight=0, seed="a seed")
    people = [Attendee(f"p{a}", "type-0", ABC) for a in range(4)]
    instance = Instance(event, people, {one.id: {"round-0": "theme-3"} for one in people})
    drawn = allocated(instance)

    assert (drawn.draw, drawn.objective.change > 0, failed(instance, drawn)) == ("pairwise", True, [])


@pytest.mark.parametrize("seed", [4, 16, 17])
def test_the_exact_engine_on_a_large_event_keeps_the_prices_that_lots_decided_at(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices of workshops prove as much, but differ by round, and then nobody can tell what the lots decided."""
    monkeypatch.setattr(close_gap, "SMALL", 0)
    instance = random_instance(seed, "even")

    drawn = allocated(instance, engine="exact")

    assert (drawn.draw, failed(instance, drawn)) == ("exact", [])


def test_prices_at_which_nobody_is_tied_do_not_hide_a_seat_given_to_a_friend() -> None:
    """The bound may be proven without them; what lots could decide is not."""
    event = event_of(3, 1, 1, 1, weight=0, seed="a seed")
    instance = Instance(event, [Attendee(f"p{a}", "type-0", ABC) for a in range(2)])
    document = allocated(instance).model_dump()
    document["programmes"] = dict(zip(document["programmes"], list(document["programmes"].values())[::-1], strict=True))
    document["engine"] = "flow+exact"
    nothing = {theme: {"round-0": {"type-0": 0}} for theme in ABC}
    parts = {theme: {"round-0": {"type-0": 60 * (theme == "theme-0") - (theme == "theme-1")}} for theme in ABC}

    for scale, prices in ((1, nothing), (60, parts)):
        forged = Allocation.model_validate({**document, "prices": prices, "price_scale": scale})

        assert any("do not tell what lots could decide" in fault for fault in failed(instance, forged))
