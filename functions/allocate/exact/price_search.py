"""Prices of workshops for rounds that differ: the linear relaxation near prices that are known already.

Network 1 knows a price for a theme, the same in all rounds. Where rounds differ these are near the best prices of
workshops, but not the best. At any prices each place has a *slack*: what the cheapest programme with it costs more than
the cheapest of all. The relaxation is solved over the places with little slack only, and no price may move further than
`reach` (the boxstep method of Marsten, Hogan and Blankenship, 1975): as many heads as wanted may come from outside at
the price plus the reach, or be sent away at the price less the reach. If nobody comes or goes, the prices are the best
of all; if not, go on from there. HiGHS solves it by its interior-point method: a simplex method is slow here, as many
programmes cost the same, and prices in the interior tell more places apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import highspy
import numpy as np

from functions.allocate.exact.milp import PRICE_SCALE, ExactModel, run_until
from functions.allocate.model.bound import lower_bound
from functions.allocate.model.groups import Groups, allowed_places, place_costs
from functions.allocate.model.problem import NOWHERE, Bools, Ints, Problem
from functions.allocate.model.programmes import NO_WAY, cheapest_places, cost_without, without_each

FIRST_REACH = 5
"""Units of cost that prices may move by at first."""

MOST_PLACES = 60_000
"""Places, by group, theme, round, in one relaxation at most: some seconds of the interior-point method."""

STEPS = 6
"""Relaxations at most."""


@dataclass(frozen=True)
class PriceTable:
    """Prices by theme, round and type, `PRICE_SCALE` to a unit, and the bound that they prove."""

    prices: Ints
    bound: int


@dataclass(frozen=True)
class Slacks:
    """What places and themes are worth to people at given prices, in parts of a unit.

    `place` is by row, theme, round: what the cheapest programme with it costs more than the cheapest of all. `theme` is
    by row and theme: what the cheapest programme without it costs more.
    """

    place: Ints
    theme: Ints


def slacks(problem: Problem, rows: Ints, prices: Ints, scale: int) -> Slacks:
    """The slacks of `rows` (attendee numbers) at `prices / scale`."""
    cost = place_costs(problem, rows) * scale + prices.transpose(2, 0, 1)[problem.partner_type[rows]]
    cost = np.ascontiguousarray(np.where(allowed_places(problem, rows), cost, NO_WAY).transpose(2, 0, 1))
    free = problem.free[rows]
    least, best = cheapest_places(cost, free)
    rounds = len(cost)
    place = np.full(cost.shape, NO_WAY, dtype=np.int64)
    for r in range(rounds):
        others = [other for other in range(rounds) if other != r]
        place[r] = cost[r] - least[:, None] + without_each(cost[others], free[:, others])
    theme = np.zeros((len(rows), cost.shape[2]), dtype=np.int64)
    for column in best:
        cost_without(cost, free, column, theme)
        who = np.flatnonzero(column != NOWHERE)
        theme[who, column[who]] -= least[who]
    return Slacks(np.where(problem.free[rows][:, None, :], place.transpose(1, 2, 0), NO_WAY), theme)


def best_prices(problem: Problem, groups: Groups, prices: Ints, scale: int, deadline: float) -> PriceTable:
    """Prices near `prices / scale` that prove the highest bound found until `deadline` (monotonic seconds)."""
    table = prices * (PRICE_SCALE // scale)
    best = PriceTable(table, lower_bound(problem, table, PRICE_SCALE, rows=groups.first, size=groups.size))
    reach = FIRST_REACH * PRICE_SCALE
    for _ in range(STEPS):
        if time.monotonic() >= deadline:
            break
        slack = slacks(problem, groups.first, best.prices, PRICE_SCALE).place
        within = reach
        while (usable := slack <= within).sum() > MOST_PLACES and within > 0:
            within //= 2
        found = _relaxed(problem, groups, usable, best.prices, reach, deadline)
        if found is None:
            break
        moved, from_outside = found
        bound = lower_bound(problem, moved, PRICE_SCALE, rows=groups.first, size=groups.size)
        if bound < best.bound:
            reach //= 2
            continue
        grown, best = bound > best.bound, PriceTable(moved, bound)
        if from_outside < 0.01 or (not grown and reach <= PRICE_SCALE):
            break
        reach = reach * 2 if grown else reach // 2
    return best


def _relaxed(
    problem: Problem, groups: Groups, usable: Bools, centre: Ints, reach: int, deadline: float
) -> tuple[Ints, float] | None:
    """Prices of the relaxation within `reach` of the centre, and how many heads come and go; None if it has no end."""
    model = ExactModel(problem, groups, usable)
    solver = model.solver(model.objective(), deadline, whole=False)
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")
    price = centre.ravel() / PRICE_SCALE
    count = len(price) if model.cells else centre.shape[0] * centre.shape[1]
    if not model.cells:
        price = centre[:, :, 0].ravel() / PRICE_SCALE
    cell = np.arange(count, dtype=np.int32)
    seat = (model.seat_row + (cell // centre.shape[2] if model.cells else cell)).astype(np.int32)
    for sign, cost in ((-1.0, price + reach / PRICE_SCALE), (1.0, reach / PRICE_SCALE - price)):
        rows = np.column_stack([seat, model.band_row + cell]).ravel() if model.cells else seat
        width = len(rows) // max(count, 1)
        solver.addCols(
            count,
            cost,
            np.zeros(count),
            np.full(count, highspy.kHighsInf),
            len(rows),
            np.arange(count, dtype=np.int32) * width,
            rows.astype(np.int32),
            np.full(len(rows), sign),
        )
    if not run_until(solver, deadline) or solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found = solver.getSolution()
    outside = float(np.array(found.col_value)[len(model.columns) + 2 * model.cells :].sum())
    return model.prices(np.array(found.row_dual)), outside
