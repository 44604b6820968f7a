"""Rounds that differ: real shapes, their optimum, what a short time gives, and that no solver speaks."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from functions.allocate import curve as curve_module
from functions.allocate import solve as solve_module
from functions.allocate.curve import balance_curve
from functions.allocate.exact import close_gap
from functions.allocate.exact.milp import PRICE_SCALE
from functions.allocate.exact.price_search import PriceTable
from functions.allocate.flows import one_round
from functions.allocate.flows import rounds as rounds_module
from functions.allocate.flows.first_guess import first_guess
from functions.allocate.flows.rounds import Rounds
from functions.allocate.flows.themes import theme_supply
from functions.allocate.flows.two_flows import OUT_OF_TIME, _crowd
from functions.allocate.model.bound import lower_bound
from functions.allocate.model.groups import Groups
from functions.allocate.model.objective import Solution, evaluate, heads_of, heads_outside, mean_choice
from functions.allocate.model.problem import (
    NOWHERE,
    EngineCannotError,
    NoAllocationError,
    NotFoundInTimeError,
    Places,
    Problem,
    as_places,
    build_problem,
)
from functions.allocate.solve import solve
from infra.verify.checks import verify
from tests.benchmarks.allocation import Case, make_people, problem_of, solve_rounds
from tests.unit.allocate.instances import Instance, allocated, crowd, event_of, random_instance

SHAPES = {
    "a school's project day": (Case(60, 12, 4, uneven=True, minima=True), 2_590),
    "a conference with partial rankings": (Case(150, 10, 3, uneven=True, minima=True, partial=True), 12_841),
    "two rounds in uneven rooms": (Case(300, 6, 2, uneven=True), 2_259),
}
"""Small copies of the hard events, and the optimum as HiGHS 1.16 proved it on the count model (`solve_count`)."""

CONVENTIONS = {(120, 10, 3): 1_942, (300, 50, 5): 38_294}
"""People, themes, rounds; every workshop in one round only. The optimum is that of OR-Tools 9.15, round by round."""


def hard_faults(problem: Problem, places: Places) -> list[str]:
    """The hard rules that these places break."""
    heads = heads_of(problem, places).sum(axis=2)
    ordered = np.sort(places, axis=1)
    rules = {
        "over capacity": (heads > problem.seats).any(),
        "under a minimum": (heads < problem.minimum).any(),
        "a theme twice": ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NOWHERE)).any(),
        "a person without a place": ((places == NOWHERE) & problem.present).any(),
    }
    return [rule for rule, broken in rules.items() if broken]


@pytest.mark.parametrize("shape", SHAPES)
def test_hard_shapes_reach_their_optimum_by_prices_of_workshops(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of large events, on events small enough for HiGHS alone."""
    monkeypatch.setattr(close_gap, "SMALL", 0)
    case, optimum = SHAPES[shape]
    problem = problem_of(make_people(case))

    solution = solve(problem, engine="exact", time_budget=600)

    assert (hard_faults(problem, solution.found), solution.total, solution.optimal) == ([], optimum, True)


def convention(people: int, themes: int, rounds: int) -> Problem:
    """Everyone ranks all themes; each theme runs in one round, with a tenth more seats than people in every round."""
    rng = random.Random(people)
    rank = np.array([rng.sample(range(themes), themes) for _ in range(people)], dtype=np.uint8)
    seats = np.zeros((themes, rounds), dtype=np.int64)
    for t in range(themes):
        seats[t, t % rounds] = -(-people * 11 * rounds // (10 * themes)) + 1
    base = problem_of(make_people(Case(people, themes, rounds)))
    return replace(base, rank=rank, seats=seats)


@pytest.mark.parametrize("size", CONVENTIONS)
def test_a_convention_with_every_workshop_in_one_round_gets_its_optimum(size: tuple[int, int, int]) -> None:
    """Rounds have no theme in common, so each round is a flow for itself."""
    problem = convention(*size)

    solution = solve(problem, time_budget=600)

    assert (hard_faults(problem, solution.found), solution.total, solution.optimal) == ([], CONVENTIONS[size], True)


def test_a_start_is_an_allocation_near_the_bound() -> None:
    """Flows round after round alone, without prices or HiGHS."""
    problem = problem_of(make_people(Case(60, 12, 3, uneven=True, minima=True)))

    places = Rounds(problem, time.monotonic() + 600).start()

    assert places is not None
    solution = solve(problem, time_budget=600)
    assert hard_faults(problem, places) == []
    assert solution.bound <= evaluate(problem, places).total <= 1.15 * solution.bound


def test_what_was_found_is_handed_back_when_the_time_ends_before_it_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start stays when nothing after it has any time."""
    problem = problem_of(make_people(Case(60, 12, 3, uneven=True, minima=True)))
    monkeypatch.setattr(close_gap, "best_prices", lambda *_: PriceTable(np.zeros(problem.shape, dtype=np.int64), 0))
    monkeypatch.setattr(close_gap, "tight_places", lambda *_: None)
    monkeypatch.setattr(close_gap, "_exactly", lambda _problem, _groups, best, _deadline: best)

    solution = solve(problem, engine="exact", time_budget=600)

    assert hard_faults(problem, solution.found) == []
    assert solution.total <= 1.15 * solution.bound


def test_no_time_at_all_is_not_said_to_be_no_allocation() -> None:
    """Another answer than that none exists."""
    with pytest.raises(NotFoundInTimeError, match="none is ruled out"):
        solve(problem_of(make_people(Case(600, 20, 3, uneven=True))), time_budget=0)


def test_the_bound_of_a_large_event_is_proven_by_its_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `verify` recomputes it."""
    monkeypatch.setattr(close_gap, "SMALL", 0)
    problem = problem_of(make_people(Case(200, 8, 2, uneven=True, minima=True)))

    solution = solve(problem, engine="exact", time_budget=600)

    assert lower_bound(problem, solution.prices, solution.scale) == solution.bound


def test_no_solver_speaks_on_the_terminal() -> None:
    """Neither through Python nor past it, on the file descriptors of the process."""
    script = (
        "from tests.benchmarks.allocation import Case, make_people, problem_of\n"
        "from functions.allocate.solve import solve\n"
        "solve(problem_of(make_people(Case(40, 6, uneven=True))), engine='exact')\n"
        "print('done')\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_flow_asked_for_by_name_says_why_it_proves_no_more() -> None:
    """In fresh runs and in those that keep: `verify` refuses a gap without a reason."""
    tried = Counter[str]()
    for seed, kind in product(range(40), ("uneven", "keep")):
        instance = random_instance(seed, kind)
        try:
            found = allocated(instance, engine="flow")
        except (NoAllocationError, EngineCannotError):
            continue
        tried[kind] += not found.optimal
        assert found.optimal == (not found.why)
        checks = verify(instance.event, instance.attendees, found, previous=instance.previous)
        assert [str(check) for check in checks if not check.passed] == []

    assert min(tried["uneven"], tried["keep"]) > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_short_time_begins_with_flows_round_after_round(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes after them ends without a result, as if the time was over.

    OR-Tools round after round costs the same but for ties, which a round decides without a look at the next.
    """
    people = make_people(SHAPES[shape][0])
    problem = problem_of(people)

    def too_late(problem: Problem, groups: Groups, _: float) -> Solution:
        nothing = np.zeros(problem.shape, dtype=np.int64)
        bound = lower_bound(problem, nothing, rows=groups.first, size=groups.size)
        return Solution(None, 0, bound, nothing, 1, "contested-flow", OUT_OF_TIME)

    monkeypatch.setattr(close_gap, "SMALL", 0)
    monkeypatch.setattr(solve_module, "solve_flow", too_late)
    monkeypatch.setattr(close_gap, "_by_prices", lambda *_, **__: iter(()))
    monkeypatch.setattr(close_gap, "_exactly", lambda _problem, _groups, best, _deadline: best)

    solution = solve(problem, engine="auto", time_budget=close_gap.SHORT)

    assert hard_faults(problem, solution.found) == []
    assert solution.bound < solution.total <= 1.01 * solve_rounds(people).objective


class BusyMachine:
    """A clock that only a round's flow and the deadlines of everything else move on.

    A place filled in a round takes `slowness` seconds for each theme. All other engines find nothing and use up the
    time that they are given.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slowness: float) -> None:
        self.now, self.slowness = 1_000.0, slowness
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        real = one_round.seat_round

        def seat_round(cost: Any, possible: Any, kind: Any, seats: Any, deadline: float) -> Any:
            self.now += cost.size * slowness
            if self.now > deadline:
                raise NotFoundInTimeError("the time ended within a round")
            return real(cost, possible, kind, seats, math.inf)

        def flow(problem: Problem, groups: Groups, deadline: float) -> Solution:
            self.until(deadline)
            nothing = np.zeros(problem.shape, dtype=np.int64)
            bound = lower_bound(problem, nothing, rows=groups.first, size=groups.size)
            return Solution(None, 0, bound, nothing, 1, "contested-flow", self.why)

        def prices(problem: Problem, _: Groups, prices: Any, scale: int, deadline: float) -> PriceTable:
            self.until(deadline)
            return PriceTable(prices * (PRICE_SCALE // scale), 0)

        def exactly(_problem: Problem, _groups: Groups, best: Solution, deadline: float) -> Solution:
            self.until(deadline)
            return best

        self.why: str = OUT_OF_TIME
        monkeypatch.setattr(rounds_module, "seat_round", seat_round)
        monkeypatch.setattr(solve_module, "solve_flow", flow)
        monkeypatch.setattr(close_gap, "best_prices", prices)
        monkeypatch.setattr(close_gap, "tight_places", lambda _problem, _prices, deadline: self.until(deadline))
        monkeypatch.setattr(close_gap, "_relaxed", exactly)
        monkeypatch.setattr(close_gap, "_exactly", exactly)

    def until(self, deadline: float) -> None:
        """Let the time pass until a deadline."""
        self.now = max(self.now, deadline)


@pytest.mark.parametrize("why", [OUT_OF_TIME, "the themes do not fit the rounds in any order"])
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("times", [1.3, 2.5, 5.0, 40.0, 400.0])
def test_there_is_an_allocation_whenever_the_time_is_enough_for_flows_round_after_round(
    times: float, small: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the machine is, and although all other engines use up whatever time they get."""
    problem = problem_of(make_people(Case(60, 12, 3, uneven=True, minima=True)))
    monkeypatch.setattr(close_gap, "SMALL", 10**9 if small else 0)
    monkeypatch.setattr(close_gap, "QUICK", 0)
    monkeypatch.setattr(close_gap, "PROBE", 4)
    machine = BusyMachine(monkeypatch, slowness=5 * close_gap.SECONDS_A_PLACE)
    machine.why, begun = why, machine.now
    assert Rounds(problem, math.inf).first() is not None
    needed, begun = machine.now - begun, machine.now

    solution = solve(problem, time_budget=times * needed)

    assert hard_faults(problem, solution.found) == []
    assert machine.now - begun <= times * needed
    assert (solution.optimal, bool(solution.why)) == (False, True)


def test_a_time_too_short_for_any_start_is_said_to_be_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another answer than that none exists."""
    machine = BusyMachine(monkeypatch, slowness=1e-3)

    with pytest.raises(NotFoundInTimeError):
        solve(problem_of(make_people(Case(60, 12, 3, uneven=True))), time_budget=1.0)

    assert machine.now < 1_004.0  # one round and the look at the machine's pace


def test_the_first_guess_of_prices_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second here; without a deadline it goes on until nothing moves."""
    looks = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(looks))
    problem = problem_of(make_people(Case(400, 12)))
    crowd, supply = _crowd(problem), theme_supply(problem)

    cut_short = first_guess(crowd, supply, 3)
    looked = next(looks)
    whole = first_guess(crowd, supply, math.inf)

    assert looked == 5  # the last look is the one before many themes are moved together
    assert next(looks) > 2 * looked
    assert cut_short.value < whole.value


def test_the_curve_of_balance_has_a_time_of_its_own() -> None:
    """It is drawn for a report or a page, and neither waits for it without an end."""
    instance = random_instance(3, "even")

    with pytest.raises(EngineCannotError, match="In the time there was"):
        balance_curve(instance.event, instance.attendees, 2, time_budget=0.0)


@pytest.mark.parametrize("kind", ["even", "uneven", "keep"])
def test_a_curve_has_a_proven_point_for_every_weight_whatever_the_rounds_look_like(kind: str) -> None:
    """The usual weights and the one that was used; the allocation of that weight is as good as the run's own."""
    drawn = 0
    for seed in range(12):
        instance = random_instance(seed, kind)
        try:
            found = allocated(instance)
        except NoAllocationError:
            continue
        curve = balance_curve(instance.event, instance.attendees, 3, programmes=found.programmes, time_budget=60.0)
        drawn += 1
        assert [point["weight"] for point in curve] == [0, 1, 2, 3, 4, 8, 16]
        assert all(point["proven"] for point in curve)
        outside, choices = ([point[of] for point in curve] for of in ("outside", "mean_choice"))
        assert outside == sorted(outside, reverse=True)
        assert min(choices) >= 1 or not found.programmes

    assert drawn > 3


def test_a_curve_shows_what_was_found_in_a_short_time_and_does_not_call_it_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No engine but flows round after round has any result; the allocation that is known is better at its weight."""
    event = event_of(5, 2, 2, [[9, 6], [7, 9], [8, 8], [6, 8], [8, 7]])
    instance = Instance(event, crowd(event, 30, random.Random(4)))
    known = allocated(instance)
    monkeypatch.setattr(close_gap, "SMALL", 0)
    BusyMachine(monkeypatch, slowness=close_gap.SECONDS_A_PLACE)

    curve = balance_curve(instance.event, instance.attendees, known.weight, programmes=known.programmes)

    own = next(point for point in curve if point["weight"] == known.weight)
    problem = build_problem(instance.event, instance.attendees)
    best = as_places([known.programmes[one] for one in problem.ids], problem.rounds, problem.themes)
    assert {point["proven"] for point in curve} == {False}
    assert own["outside"] <= heads_outside(problem, best) or own["mean_choice"] < mean_choice(problem, best)


def test_a_heavier_weight_never_leaves_more_heads_outside_than_a_lighter_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each point is the best for its weight of all that were found: a poor answer to one invites no heavier one."""
    instance = random_instance(3, "even")
    real = solve

    def poor(problem: Problem, **rest: Any) -> Solution:
        return real(replace(problem, weight=0) if problem.weight == 1000 else problem, **rest)

    monkeypatch.setattr("functions.allocate.curve.solve", poor)
    monkeypatch.setattr(curve_module, "CURVE_WEIGHTS", (0, 500))
    curve = balance_curve(instance.event, instance.attendees, 1000)

    outside = [point["outside"] for point in curve]
    assert outside[2] == outside[1] < outside[0]
