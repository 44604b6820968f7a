"""The two flows, one after the other: themes, shares, timetable, and the bound that comes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from functions.allocate.fairness.draw import draw_themes
from functions.allocate.fairness.leading import Leeway
from functions.allocate.fairness.shares import in_order_of_lots, share_themes
from functions.allocate.flows.contested import settle
from functions.allocate.flows.crowd import Crowd, make_crowd
from functions.allocate.flows.market import heads_range
from functions.allocate.flows.prices import Prices, theme_prices
from functions.allocate.flows.themes import ThemeDemand, ThemeSupply, assign_themes, theme_supply
from functions.allocate.flows.timetable import make_timetable
from functions.allocate.model.bound import lower_bound, supply_value
from functions.allocate.model.groups import Groups, allowed_places, place_costs
from functions.allocate.model.objective import Solution, evaluate
from functions.allocate.model.problem import NOWHERE, Bools, EngineCannotError, Ints, Places, Problem
from shared.i18n import told

MOST_EDGES = 2_500
"""Edges, groups times themes, up to which network 1 is solved as it stands."""

OUT_OF_TIME = told("the time ended before the flow was found")
"""Why a solution of the flow is only a bound."""

_NO_COST = np.iinfo(np.int64).max


def solve_flow(problem: Problem, groups: Groups, deadline: float) -> Solution:
    """Solve network 1 and order the outcome into rounds.

    Over groups while they are few; by prices and contested places when hardly two people are alike. Exact where
    rounds are alike. Elsewhere the bound holds, and the timetable meets it or does not.

    Raises NoAllocationError when network 1 has no flow: then no allocation exists.
    """
    if len(groups) * len(problem.themes) > MOST_EDGES:
        return _solve_crowd(problem, deadline)
    demand, supply = theme_demand(problem, groups.first, groups.size), theme_supply(problem)
    given = assign_themes(demand, supply)
    prices = theme_prices(demand, supply, given)
    sets = np.full((problem.people, len(problem.rounds)), NOWHERE, dtype=np.int16)
    dealt = share_themes(given, demand.size, demand.units, demand.cost)
    sets[groups.order, : dealt.shape[1]] = dealt
    table = in_all_rounds(problem, prices.heads)
    bound = lower_bound(problem, table, rows=groups.first, size=groups.size)
    solution = Solution(None, 0, bound, table, 1, "flow")
    if problem.even:
        attainable = _draw_groups(problem, groups, demand, supply, prices, sets)
        solution = replace(solution, attainable=attainable)
    return _make_timetable(problem, sets, solution)


def draw_again(problem: Problem, groups: Groups, solution: Solution) -> Solution:
    """The allocation that lots choose, where rounds are alike and another engine found and proved an optimum.

    Its counts are an optimal flow of network 1, whose prices say which other allocations are optimal too.
    """
    places = solution.found
    demand, supply = theme_demand(problem, groups.first, groups.size), theme_supply(problem)
    given = np.zeros(demand.cost.shape, dtype=np.int64)
    for column in places.T:
        np.add.at(given, (groups.of, column), 1)
    prices = theme_prices(demand, supply, given)
    table = in_all_rounds(problem, prices.heads)
    bound = lower_bound(problem, table, rows=groups.first, size=groups.size)
    sets = places.copy()
    attainable = _draw_groups(problem, groups, demand, supply, prices, sets)
    return _make_timetable(problem, sets, replace(solution, bound=bound, prices=table, scale=1, attainable=attainable))


def _draw_groups(
    problem: Problem, groups: Groups, demand: ThemeDemand, supply: ThemeSupply, prices: Prices, sets: Places
) -> Bools:
    """Let the lots decide among all sets of least cost, at prices of groups; in place."""
    margin = _on_the_margin(demand, prices.heads)
    tied = np.flatnonzero(np.asarray(margin.any(axis=1))[groups.of])
    return _draw(problem, sets, tied, margin[groups.of[tied]].T, _leeway(supply, prices))


def _solve_crowd(problem: Problem, deadline: float) -> Solution:
    """Network 1 for people who are all different; at `deadline` (monotonic seconds) only a bound."""
    supply = theme_supply(problem)
    settled = settle(_crowd(problem), supply, deadline)
    if isinstance(settled, Prices):
        table = in_all_rounds(problem, settled.heads)
        bound = lower_bound(problem, table)
        return Solution(None, 0, bound, table, 1, "contested-flow", OUT_OF_TIME)
    table = in_all_rounds(problem, settled.prices.heads)
    # With even rounds everyone has the cheapest themes there are for them, in every round at the same price.
    cheapest = settled.demand_value + supply_value(problem, table, 1) if problem.even else None
    bound = lower_bound(problem, table) if cheapest is None else cheapest
    sets = np.full((problem.people, len(problem.rounds)), NOWHERE, dtype=np.int16)
    sets[:, : settled.sets.shape[1]] = settled.sets
    solution = Solution(None, 0, bound, table, 1, "contested-flow")
    if problem.even:
        attainable = _draw(problem, sets, settled.tied, settled.margin, _leeway(supply, settled.prices))
        solution = replace(solution, attainable=attainable)
    return _make_timetable(problem, sets, solution)


def _crowd(problem: Problem) -> Crowd:
    """Everyone's cost of each theme, by theme and person."""
    types = len(problem.partner_types)
    units = problem.free.sum(axis=1)
    if problem.even:
        rank_costs = problem.rank_costs.astype(np.int32)
        cost = rank_costs[problem.rank.T]
        allowed = np.repeat((problem.seats[:, :1] > 0), problem.people, axis=1)
        if not problem.all_possible:
            allowed &= problem.possible.T
        return make_crowd(cost, None if allowed.all() else allowed, units, problem.partner_type, types, problem.weight)
    everyone = np.arange(problem.people)
    demand = theme_demand(problem, everyone, np.ones_like(everyone))
    return make_crowd(demand.cost.T, demand.allowed.T, units, problem.partner_type, types, problem.weight)


def _on_the_margin(demand: ThemeDemand, prices: Ints) -> Bools:
    """Where a theme is as dear as the dearest wanted, for groups with another set of themes at the same reduced cost.

    Only there can people swap at equal total cost.
    """
    reduced = np.where(demand.allowed, demand.cost + prices.T[demand.partner_type], _NO_COST)
    ordered = np.sort(reduced, axis=1)
    rows = np.arange(len(ordered))
    dearest = ordered[rows, np.maximum(demand.units - 1, 0)][:, None]
    next_ = ordered[rows, np.minimum(demand.units, ordered.shape[1] - 1)][:, None]
    margin: Bools = (reduced == dearest) & (dearest == next_) & (demand.units > 0)[:, None]
    return margin


def _leeway(supply: ThemeSupply, prices: Prices) -> Leeway:
    """The heads that are best for every workshop at these prices."""
    low, high = heads_range(supply, prices)
    return Leeway(
        low,
        high,
        least=np.where(prices.seats > 0, supply.most, supply.least),
        most=np.where(prices.seats < 0, supply.least, supply.most),
    )


def _draw(problem: Problem, sets: Places, tied: Ints, margin: Bools, leeway: Leeway) -> Bools:
    """Let the lots decide among all sets of least cost; in place. `margin` by theme and tied person.

    Returns, by person and theme, which themes of those that lots decided some allocation of least cost gives.
    """
    themes, _, types = problem.shape
    attainable = np.zeros((problem.people, themes), dtype=bool)
    if not len(tied):
        return attainable
    heads = np.zeros((themes, types), dtype=np.int64)
    for column in sets.T:
        code = column.astype(np.int64) * types + problem.partner_type
        heads += np.bincount(code, minlength=themes * types).reshape(themes, types)
    order = in_order_of_lots(problem.seed, [problem.ids[a] for a in tied.tolist()])
    who = tied[order]
    rank = problem.rank[who]
    ranked = rank < themes
    if not ranked.all():  # the order of the themes, itself drawn, decides between two that are not ranked
        rank = rank.argsort(axis=1, kind="stable").argsort(axis=1).astype(rank.dtype)
    drawn = draw_themes(sets[who], rank.T, ranked.T, margin[:, order], problem.partner_type[who], heads, leeway)
    sets[who], attainable[who] = drawn.sets, drawn.attainable.T
    return attainable


def _make_timetable(problem: Problem, sets: Places, solution: Solution) -> Solution:
    """Order the sets into rounds; the places stay None if they do not fit."""
    try:
        places = make_timetable(problem, sets)
    except EngineCannotError as fault:
        return replace(solution, why=str(fault))
    return replace(solution, places=places, total=evaluate(problem, places).total)


def in_all_rounds(problem: Problem, prices: Ints) -> Ints:
    """Prices of themes as prices of their workshops."""
    return np.repeat(prices[:, None, :], len(problem.rounds), axis=1)


def theme_demand(problem: Problem, rows: Ints, size: Ints) -> ThemeDemand:
    """What network 1 is asked: `rows` are attendees that stand for `size` equal ones each.

    Over all rounds a theme costs what its cheapest round costs; so the network stays a lower bound.
    """
    allowed = allowed_places(problem, rows)
    cost = np.where(allowed, place_costs(problem, rows), _NO_COST).min(axis=2)
    somewhere = allowed.any(axis=2)
    return ThemeDemand(
        partner_type=problem.partner_type[rows],
        size=size,
        units=problem.free[rows].sum(axis=1),
        cost=np.where(somewhere, cost, 0),
        allowed=np.asarray(somewhere),
    )
