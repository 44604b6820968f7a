"""From the flow's answer to the best one: the engines beside the flow, one after another, the best of all kept.

Small problems go to HiGHS as they are. Larger ones first get a start from flows round after round, then the best prices
of all workshops, then an allocation of which everything is cheapest at these prices. Mostly that closes the gap. What
is left goes to HiGHS over the places that a better allocation could use, with the best found so far as its start.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from functions.allocate.exact.edge_colouring import counts_of, places_of
from functions.allocate.exact.milp import PRICE_SCALE, ExactModel, Floats
from functions.allocate.exact.price_search import best_prices, slacks
from functions.allocate.exact.tight import tight_places
from functions.allocate.flows.rounds import Rounds
from functions.allocate.model.bound import lower_bound
from functions.allocate.model.groups import Groups
from functions.allocate.model.objective import Solution, evaluate
from functions.allocate.model.problem import (
    EngineCannotError,
    NoAllocationError,
    NotFoundInTimeError,
    Places,
    Problem,
)

SMALL = 3_000
"""Places, groups times workshops, up to which HiGHS gets the problem as it is."""

QUICK = 6_000
"""Places of people, people times rounds, up to which flows round after round come before the search for prices."""

OUT_OF_TIME = "the time budget ended before the gap was closed"


def close_gap(problem: Problem, groups: Groups, flow: Solution, deadline: float) -> Solution:
    """Prove the flow's allocation, or find a better one; until `deadline` (monotonic seconds), then the best found.

    Raises NoAllocationError when no allocation exists.
    """
    best = replace(flow, engine="flow+exact", why="")
    themes, rounds, _ = problem.shape
    if len(groups) * themes * rounds <= SMALL:
        best = _relaxed(problem, groups, best, deadline)
        return best if best.optimal else _exactly(problem, groups, best, deadline)
    for better in _by_prices(problem, groups, best, deadline):
        best = better
        if best.optimal:
            return best
    return _exactly(problem, groups, best, deadline)


def _by_prices(problem: Problem, groups: Groups, best: Solution, deadline: float) -> Iterator[Solution]:
    """Yield better and better solutions; each step takes at most half of the time that is left."""

    def half() -> float:
        return (time.monotonic() + deadline) / 2

    quick = problem.people * len(problem.rounds) <= QUICK
    if best.places is None and quick:
        best = _better(problem, best, _start(problem, best, deadline))
        yield best
    if not problem.decisive:
        table = best_prices(problem, groups, best.prices, best.scale, half())
        if table.bound >= best.bound:
            best = replace(best, bound=table.bound, prices=table.prices, scale=PRICE_SCALE)
            yield best
        best = _better(problem, best, tight_places(problem, table.prices, half()))
        yield best
        if best.places is None or quick:
            best = _better(
                problem, best, _guided(problem, replace(best, prices=table.prices, scale=PRICE_SCALE), half())
            )
            yield best
    if best.places is None:
        best = _better(problem, best, _start(problem, best, deadline))
        yield best


def _start(problem: Problem, best: Solution, deadline: float) -> Places | None:
    """An allocation from flows round after round, with a look ahead at the prices known; None if they find none."""
    search = Rounds(problem, deadline)
    try:
        places = search.guided(best.prices, best.scale, range(len(problem.rounds)))
        return search.start() if places is None else search.improved(places)
    except (NotFoundInTimeError, EngineCannotError):
        return None


def _guided(problem: Problem, best: Solution, deadline: float) -> Places | None:
    """The best of what all rounds one after another give at these prices, and then pairs of rounds again."""
    search = Rounds(problem, deadline)
    rounds = range(len(problem.rounds))
    places, total = best.places, best.total
    try:
        for order in (tuple(rounds), tuple(reversed(rounds)), *permutations(rounds, 2)):
            whole = len(order) == len(rounds)
            if places is None and not whole:
                break
            found = search.guided(best.prices, best.scale, order, None if whole else places)
            if found is None:
                continue
            found = search.improved(found) if whole else found
            cost = evaluate(problem, found).total
            if places is None or cost < total:
                places, total = found, cost
    except (NotFoundInTimeError, EngineCannotError):
        pass
    return places


def _relaxed(problem: Problem, groups: Groups, best: Solution, deadline: float) -> Solution:
    """What the relaxation of the whole problem tells: prices with a better bound, perhaps an allocation."""
    model = ExactModel(problem, groups)
    relaxed = model.relax(deadline - time.monotonic())
    return best if relaxed is None else _with_relaxation(problem, groups, model, best, *relaxed)


def _exactly(problem: Problem, groups: Groups, best: Solution, deadline: float) -> Solution:
    """HiGHS over all places that a better allocation could use, for the time that is left.

    A better one costs more than the bound by less than the gap, so it uses no place with more slack than that.

    Raises NoAllocationError when no allocation exists.
    """
    why = OUT_OF_TIME
    if best.places is None:
        why = f"No allocation was found: {why}; none is ruled out."
    if time.monotonic() >= deadline:
        return replace(best, why=why)
    usable = None
    if best.places is not None and not problem.decisive:
        slack = slacks(problem, groups.first, best.prices, best.scale).place
        usable = slack <= (best.total - best.bound) * best.scale
    model = ExactModel(problem, groups, usable)
    start = None if best.places is None else counts_of(problem, groups, best.places)
    try:
        outcome = model.optimise(deadline - time.monotonic(), start)
    except NoAllocationError:
        if usable is None:
            raise
        return replace(best, bound=best.total)  # none is better
    if outcome.counts is not None:
        best = _better(problem, best, places_of(problem, groups, outcome.counts))
    if outcome.proven:
        return replace(best, bound=best.total)
    if np.isfinite(outcome.bound):
        bound = math.ceil(outcome.bound + _pin_costs(problem) - 1e-6)
        best = replace(best, bound=min(max(best.bound, bound), best.total if best.places is not None else bound))
    return replace(best, why="" if best.optimal else why)


def _with_relaxation(
    problem: Problem, groups: Groups, model: ExactModel, best: Solution, values: Floats, duals: Floats
) -> Solution:
    """What the relaxation tells: prices with a better bound, and an allocation if its places are whole."""
    prices = model.prices(duals)
    bound = lower_bound(problem, prices, PRICE_SCALE, rows=groups.first, size=groups.size)
    if bound > best.bound:
        best = replace(best, bound=bound, prices=prices, scale=PRICE_SCALE)
    whole = np.rint(values)
    if np.abs(values - whole).max(initial=0) < 1e-6:
        counts = np.zeros((len(groups), *problem.shape[:2]), dtype=np.int64)
        kept = model.columns
        counts[kept.group, kept.theme, kept.round] = whole
        best = _better(problem, best, places_of(problem, groups, counts))
    return best


def _better(problem: Problem, best: Solution, places: Places | None) -> Solution:
    """The better of two."""
    if places is None:
        return best
    total = evaluate(problem, places).total
    return replace(best, places=places, total=total) if best.places is None or total < best.total else best


def _pin_costs(problem: Problem) -> int:
    """Rank and change costs of the pinned places, which the milp leaves out."""
    objective = evaluate(problem, problem.pinned)
    return objective.rank + objective.change
