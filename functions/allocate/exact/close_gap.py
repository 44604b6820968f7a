"""From the flow's answer to the best one: the engines beside the flow, one after another, the best of all kept.

Small problems go to HiGHS as they are. Larger ones first get a start from flows round after round, then the best prices
of all workshops, then an allocation of which everything is cheapest at these prices. Mostly that closes the gap. What
is left goes to HiGHS over the places that a better allocation could use, with the best found so far as its start.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import numpy as np

from functions.allocate.exact.edge_colouring import counts_of, places_of
from functions.allocate.exact.milp import PRICE_SCALE, ExactModel, Floats
from functions.allocate.exact.price_search import best_prices, slacks
from functions.allocate.exact.tight import tight_places
from functions.allocate.flows.rounds import Rounds
from functions.allocate.flows.two_flows import OUT_OF_TIME as FLOW_OUT_OF_TIME
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
from shared.i18n import told

SMALL = 3_000
"""Places, groups times workshops, up to which HiGHS gets the problem as it is."""

QUICK = 6_000
"""Places of people, people times rounds, up to which flows round after round come before the search for prices."""

SHORT = 20.0
"""Seconds up to which flows round after round come before anything else, so that something is found in any case."""

SECONDS_A_PLACE = 1e-5
"""What they take at most for each place to be filled and theme where nothing else runs: measured 4e-6 to 9.4e-6."""

PROBE = 64
"""People who are seated first to see how fast the machine is at this moment."""

BUSIEST = 10.0
"""How many times longer everything takes on the busiest machine."""

FIRST, KEPT = 4.0, 2.0
"""Flows round after round come first too where there is less time than so many times what they take; elsewhere so many
times what they take is kept for them, until anything else has found an allocation."""

MOST_CHANGE_COST = 100_000_000
"""A change cost up to which the interior-point method can still tell one rank from another beside it."""

OUT_OF_TIME = told("the time budget ended before the gap was closed")


@dataclass(frozen=True)
class Timing:
    """When a search begins and ends, in monotonic seconds, and how long flows round after round take (`start`)."""

    begun: float
    deadline: float
    start: float

    @property
    def kept(self) -> float:
        """Until when other engines search while nothing is found; a start still fits in what is left then."""
        return self.deadline - min(KEPT * self.start, (self.deadline - self.begun) / 2)

    @property
    def short(self) -> bool:
        """Whether the start comes before everything else."""
        return self.deadline - self.begun < FIRST * self.start


def half_way(deadline: float) -> float:
    """The middle of the time that is left, in monotonic seconds."""
    return (time.monotonic() + deadline) / 2


def timing(problem: Problem, deadline: float) -> Timing:
    """Where the time goes until `deadline` (monotonic seconds), on this machine and as busy as it is.

    Where rounds are alike the flow is quicker than any start. Where there is plenty of time even for the busiest
    machine, nothing is measured.
    """
    begun, places = time.monotonic(), int(problem.free.sum())
    start = SECONDS_A_PLACE * places * len(problem.themes)
    if problem.even:
        return Timing(begun, deadline, 0.0)
    if FIRST * BUSIEST * start <= deadline - begun:
        return Timing(begun, deadline, BUSIEST * start)
    return Timing(begun, deadline, max(start, places * Rounds(problem, deadline).seconds_a_place(PROBE)))


def first_places(problem: Problem, groups: Groups, times: Timing) -> Places | None:
    """An allocation from flows round after round, before anything else is tried.

    Only where rounds differ and the time is short: elsewhere the flow is quicker, or time is kept for them. None there,
    and where nothing is found in time.

    Raises NoAllocationError when a round has no seats or people enough.
    """
    short = times.short or (times.deadline - times.begun <= SHORT and not _is_small(problem, groups))
    if problem.even or not short:
        return None
    return _Rounds(problem, ahead=False).first(times.deadline)


def unproven(problem: Problem, groups: Groups, places: Places) -> Solution:
    """These places, with the bound that anybody knows: everyone's cheapest programme, whatever the seats."""
    prices = np.zeros(problem.shape, dtype=np.int64)
    bound = lower_bound(problem, prices, rows=groups.first, size=groups.size)
    total = evaluate(problem, places).total
    return Solution(places, total, bound, prices, 1, "flow+exact", "" if bound == total else OUT_OF_TIME)


def _is_small(problem: Problem, groups: Groups) -> bool:
    themes, rounds, _ = problem.shape
    return len(groups) * themes * rounds <= SMALL


def close_gap(problem: Problem, groups: Groups, flow: Solution, times: Timing, first: Places | None = None) -> Solution:
    """Prove the flow's allocation, or find a better one; until the deadline, then the best found.

    `first` is an allocation that is known already.

    Raises NoAllocationError when no allocation exists.
    """
    best, deadline = _better(problem, replace(flow, engine="flow+exact"), first), times.deadline
    out_of_time = flow.why == FLOW_OUT_OF_TIME
    if _is_small(problem, groups):
        until = deadline if best.places is not None else times.kept
        best = _relaxed(problem, groups, best, until)
        best = replace(best, why="") if best.optimal else _exactly(problem, groups, best, until)
        if best.places is not None:
            return best
        best = _better(problem, best, _Rounds(problem, ahead=False).start(best, deadline))
        return replace(best, why="" if best.optimal else OUT_OF_TIME if best.places is not None else best.why)
    for better in _by_prices(problem, groups, best, times, ahead=not out_of_time):
        best = better
        if best.optimal:
            return replace(best, why="")
        if time.monotonic() >= deadline:
            break
    return _exactly(problem, groups, best, deadline)


def _by_prices(problem: Problem, groups: Groups, best: Solution, times: Timing, *, ahead: bool) -> Iterator[Solution]:
    """Yield better and better solutions; each step takes at most half of the time that is left.

    Nothing takes the time of the start while nothing is found. `ahead` says that the prices known are good enough to
    look ahead with; if they are not, the flow has had its half of the time, and the start comes next.
    """
    deadline = times.deadline

    def half() -> float:
        middle = half_way(deadline)
        return middle if best.places is not None else min(middle, times.kept)

    search = _Rounds(problem, ahead=ahead)
    if best.places is None and (search.quick or not ahead):
        best = _better(problem, best, search.start(best, deadline))
        yield best
    if problem.change_cost <= MOST_CHANGE_COST:
        table = best_prices(problem, groups, best.prices, best.scale, half())
        if table.bound >= best.bound and not best.optimal:  # prices of an optimum say what lots could decide
            best = replace(best, bound=table.bound, prices=table.prices, scale=PRICE_SCALE)
            yield best
        if search.quick:
            best = _better(problem, best, search.once(best, half()))
            yield best
        best = _better(problem, best, tight_places(problem, table.prices, half()))
        yield best
    if best.places is None:
        best = _better(problem, best, search.start(best, deadline))
        yield best
    if best.places is not None and search.quick:
        best = _better(problem, best, search.again(best, half()))
        yield best
    if times.start < (deadline - time.monotonic()) / 2:
        yield _better(problem, best, search.plain(half()))


class _Rounds:
    """Flows round after round, as steps of the search; each gives None if it finds nothing in its time."""

    def __init__(self, problem: Problem, *, ahead: bool) -> None:
        self.problem, self.ahead = problem, ahead
        self.all = range(len(problem.rounds))
        self.quick = problem.people * len(problem.rounds) <= QUICK

    def start(self, best: Solution, deadline: float) -> Places | None:
        """An allocation from nothing, with a look ahead if the prices known are good enough, or without."""
        places = self.once(best, deadline) if self.ahead else None
        return self._tried(Rounds(self.problem, deadline).start) if places is None else places

    def first(self, deadline: float) -> Places | None:
        """An allocation from nothing, without a look ahead and as it is: the better of two orders, if there is time."""
        search, begun = Rounds(self.problem, deadline), time.monotonic()
        found = self._tried(search.first)
        taken, order = time.monotonic() - begun, search.tightest_first()
        if found is None or order == self.problem.rounds_by_time or time.monotonic() + 2 * taken > deadline:
            return found
        other = self._tried(lambda: search.first(order))
        if other is None or evaluate(self.problem, found).total <= evaluate(self.problem, other).total:
            return found
        return other

    def plain(self, deadline: float) -> Places | None:
        """An allocation from nothing, without a look ahead, improved: a look ahead at bad prices may cost more."""
        return self._tried(Rounds(self.problem, deadline).start)

    def once(self, best: Solution, deadline: float) -> Places | None:
        """All rounds once, with a look ahead."""
        search = Rounds(self.problem, deadline)
        return self._tried(lambda: search.guided(best.prices, best.scale, self.all))

    def again(self, best: Solution, deadline: float) -> Places | None:
        """Rounds one by one and in pairs, from the best there is; other orders of all rounds too."""
        search = Rounds(self.problem, deadline)
        places, total = best.places, best.total
        orders = [tuple(self.all)[::-1], *permutations(self.all, 2)]
        for order in orders:
            whole = len(order) == len(self.all)
            found = self._tried(partial(search.guided, best.prices, best.scale, order, None if whole else places))
            if found is not None:
                found = search.improved(found)
                cost = evaluate(self.problem, found).total
                if cost < total:
                    places, total = found, cost
        return places

    def _tried(self, attempt: Callable[[], Places | None]) -> Places | None:
        try:
            return attempt()
        except (NotFoundInTimeError, EngineCannotError):
            return None


def _relaxed(problem: Problem, groups: Groups, best: Solution, deadline: float) -> Solution:
    """What the relaxation of the whole problem tells: prices with a better bound, perhaps an allocation."""
    model = ExactModel(problem, groups)
    relaxed = model.relax(deadline)
    return best if relaxed is None else _with_relaxation(problem, groups, model, best, *relaxed)


def _exactly(problem: Problem, groups: Groups, best: Solution, deadline: float) -> Solution:
    """HiGHS over all places that a better allocation could use, for the time that is left.

    A better one costs more than the bound by less than the gap, so it uses no place with more slack than that.

    Raises NoAllocationError when no allocation exists.
    """
    why: str = OUT_OF_TIME
    best = replace(best, why="")
    if best.places is None:
        why = f"No allocation was found: {why}; none is ruled out."
    if time.monotonic() >= deadline:
        return replace(best, why=why)
    usable = None
    if best.places is not None and problem.change_cost <= MOST_CHANGE_COST:
        slack = slacks(problem, groups.first, best.prices, best.scale).place
        usable = slack <= (best.total - best.bound) * best.scale
    model = ExactModel(problem, groups, usable)
    start = None if best.places is None else counts_of(problem, groups, best.places)
    try:
        outcome = model.optimise(deadline, start)
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
    if best.places is not None and total >= best.total:
        return best
    return replace(best, places=places, total=total, attainable=None)  # the lots of the flow are not these places'


def _pin_costs(problem: Problem) -> int:
    """Rank and change costs of the pinned places, which the milp leaves out."""
    objective = evaluate(problem, problem.pinned)
    return objective.rank + objective.change
