"""The two flows, one after the other: themes, shares, timetable, and the bound that comes with them."""

from __future__ import annotations

import numpy as np

from functions.allocate.certificate import lower_bound, theme_prices
from functions.allocate.groups import Groups, allowed_places, place_costs
from functions.allocate.problem import NOWHERE, Ints, NoAllocationError, Places, Problem
from functions.allocate.shares import share_themes, spread_regret
from functions.allocate.solution import Solution, evaluate
from functions.allocate.themes import ThemeDemand, assign_themes, theme_supply
from functions.allocate.timetable import make_timetable

_NO_COST = np.iinfo(np.int64).max


def solve_flow(problem: Problem, groups: Groups) -> Solution:
    """Solve network 1 over groups and order the outcome into rounds.

    Exact where rounds are alike. Elsewhere the bound holds, and the timetable meets it or does not.

    Raises NoAllocationError when network 1 has no flow: then no allocation exists.
    """
    demand, supply = theme_demand(problem, groups), theme_supply(problem)
    given = assign_themes(demand, supply)
    prices = in_all_rounds(problem, theme_prices(demand, supply, given))
    bound = lower_bound(problem, prices, rows=groups.first, size=groups.size)
    sets = np.full((problem.people, len(problem.rounds)), NOWHERE, dtype=np.int16)
    dealt = share_themes(given, demand.size, demand.units, demand.cost)
    sets[groups.order, : dealt.shape[1]] = dealt
    return order_sets(problem, sets, prices, bound)


def order_sets(problem: Problem, sets: Places, prices: Ints, bound: int) -> Solution:
    """Spread regret where rounds are alike, then make the timetable; the places are None if none fits."""
    if problem.even:
        columns = [list(range(len(problem.rounds)))]
        spread_regret(sets, problem.rank_costs[problem.rank], problem.partner_type, sets != NOWHERE, columns)
    try:
        places = make_timetable(problem, sets)
    except NoAllocationError as fault:
        return Solution(None, 0, bound, prices, 1, "flow", str(fault))
    return Solution(places, evaluate(problem, places).total, bound, prices, 1, "flow")


def in_all_rounds(problem: Problem, prices: Ints) -> Ints:
    """Prices of themes as prices of their workshops."""
    return np.repeat(prices[:, None, :], len(problem.rounds), axis=1)


def theme_demand(problem: Problem, groups: Groups) -> ThemeDemand:
    """What network 1 is asked, one row a group.

    Over all rounds a theme costs what its cheapest round costs; so the network stays a lower bound.
    """
    allowed = allowed_places(problem, groups.first)
    cost = np.where(allowed, place_costs(problem, groups.first), _NO_COST).min(axis=2)
    somewhere = allowed.any(axis=2)
    return ThemeDemand(
        partner_type=problem.partner_type[groups.first],
        size=groups.size,
        units=problem.free[groups.first].sum(axis=1),
        cost=np.where(somewhere, cost, 0),
        allowed=np.asarray(somewhere),
    )
