"""Prices, and the bound they prove.

Give every workshop a price for each partner type. Everyone then takes the cheapest programme at rank cost plus
price, every workshop takes the heads that suit it best at its prices, and the sum of both is never above the cost of
any allocation (weak duality: the prices relax that both sides agree). When it equals the objective, the allocation
is optimal, and no solver need be trusted. `verify.py` recomputes it on its own.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from functions.allocate.groups import allowed_places, place_costs
from functions.allocate.problem import NOWHERE, Ints, Problem
from functions.allocate.themes import ThemeDemand, ThemeSupply

_FAR = np.int64(1) << 60


def theme_prices(demand: ThemeDemand, supply: ThemeSupply, given: Ints) -> Ints:
    """Prices by theme and type from an optimal flow of network 1.

    They are shortest-path distances in the residual network, condensed to heads, themes and room: groups become the
    cost of the cheapest swap between two themes.
    """
    themes, types = supply.lower.shape
    swaps = cheapest_swaps(demand, given, types)
    heads = np.zeros((themes, types), dtype=np.int64)
    for g in range(types):
        heads[:, g] = given[demand.partner_type == g].sum(axis=0)
    up, down = _marginal_costs(supply, heads)
    total = heads.sum(axis=1)
    return residual_prices(swaps, up, down, total < supply.most, total > supply.least)


def cheapest_swaps(demand: ThemeDemand, given: Ints, types: int) -> Ints:
    """Least cost of moving one unit from theme t to theme u inside a type: by type, t, u."""
    themes = demand.cost.shape[1]
    swaps = np.full((types, themes, themes), _FAR, dtype=np.int64)
    has = given > 0
    open_ = demand.allowed & (given < demand.size[:, None])
    for g in range(types):
        mine = np.flatnonzero(demand.partner_type == g)
        cost = demand.cost[mine]
        target = np.where(open_[mine], cost, _FAR)
        for t in range(themes):
            source = has[mine, t]
            if source.any():
                swaps[g, t] = (target[source] - cost[source, t, None]).min(axis=0)
    return swaps


def _marginal_costs(supply: ThemeSupply, heads: Ints) -> tuple[Ints, Ints]:
    """Balance cost of one head more, and of one head less, by theme and type."""
    w = supply.weight
    up = np.where(heads < supply.lower, -w, np.where(heads < supply.upper, 0, w))
    down = np.where(heads <= supply.lower, w, np.where(heads <= supply.upper, 0, -w))
    return up, np.where(heads > 0, down, _FAR)


def residual_prices(
    swaps: Ints, up: Ints, down: Ints, may_grow: NDArray[np.bool_], may_shrink: NDArray[np.bool_]
) -> Ints:
    """Bellman-Ford on the condensed residual network; prices are the distance of the room less each head node's.

    Starting every node at 0 makes the distances finite and the reduced costs of all residual edges non-negative.

    Raises AssertionError when the flow was not optimal: the network then has a negative cycle.
    """
    themes, types = up.shape
    heads = np.zeros((themes, types), dtype=np.int64)
    theme = np.zeros(themes, dtype=np.int64)
    room = np.int64(0)
    for _ in range(themes * types + themes + 2):
        before = (heads.copy(), theme.copy(), room)
        for g in range(types):
            heads[:, g] = np.minimum(heads[:, g], (heads[:, g][:, None] + swaps[g]).min(axis=0))
        theme = np.minimum(theme, (heads + up).min(axis=1))
        heads = np.minimum(heads, theme[:, None] + down)
        room = min(room, np.where(may_grow, theme, _FAR).min(initial=_FAR))
        theme = np.where(may_shrink, np.minimum(theme, room), theme)
        if (heads == before[0]).all() and (theme == before[1]).all() and room == before[2]:
            prices: Ints = room - heads
            return prices
    raise AssertionError("the flow is not optimal: its residual network has a negative cycle")


def lower_bound(
    problem: Problem, prices: Ints, scale: int = 1, *, rows: Ints | None = None, size: Ints | None = None
) -> int:
    """The least total any allocation can have, proven by `prices / scale` (by theme, round, type).

    `rows` are attendees that stand for `size` equal ones each; left out, everyone stands for themselves.
    The bound of integers may be rounded up.
    """
    rows = np.arange(problem.people) if rows is None else rows
    demand = 0
    for begin in range(0, len(rows), 65_536):
        part = rows[begin : begin + 65_536]
        each = cheapest_programmes(problem, part, prices, scale)
        demand += int((each if size is None else each * size[begin : begin + 65_536]).sum())
    return -(-(demand + supply_value(problem, prices, scale)) // scale)


def cheapest_programmes(problem: Problem, rows: Ints, prices: Ints, scale: int) -> Ints:
    """Cost, times `scale`, of each of `rows`' cheapest programme at these prices.

    Themes are taken one after another; `best[mask]` is the least cost of filling the rounds in `mask` with the themes
    seen so far, each used once at most.
    """
    cost = place_costs(problem, rows) * scale + prices.transpose(2, 0, 1)[problem.partner_type[rows]]
    allowed = allowed_places(problem, rows)
    rounds = len(problem.rounds)
    best = np.full((1 << rounds, len(rows)), _FAR, dtype=np.int64)
    best[0] = 0
    for r in range(rounds):  # rounds that are not free need nothing more: a pin's cost is fixed
        pin = problem.pinned[rows, r].astype(np.int64)
        fixed = np.where(pin == NOWHERE, 0, cost[np.arange(len(rows)), pin, r])
        best[0] += fixed
    wanted = (problem.free[rows] << np.arange(rounds)).sum(axis=1)
    for t in range(len(problem.themes)):
        for mask in range((1 << rounds) - 1, 0, -1):
            for r in range(rounds):
                if mask >> r & 1:
                    other = best[mask ^ (1 << r)]
                    step = np.where(allowed[:, t, r], other + cost[:, t, r], _FAR)
                    np.minimum(best[mask], step, out=best[mask])
    found: Ints = best[wanted, np.arange(len(rows))]
    return found


def supply_value(problem: Problem, prices: Ints, scale: int) -> int:
    """What the workshops would pay, times `scale`, if each took the heads that suit it best at these prices."""
    lower, upper = problem.band
    value = 0
    themes, rounds, types = problem.shape
    for t, r in np.ndindex(themes, rounds):
        if problem.seats[t, r]:
            heads = [(int(lower[t, r, g]), int(upper[t, r, g]), int(prices[t, r, g])) for g in range(types)]
            most = [int(problem.heads_present[r, g]) for g in range(types)]
            value += _best_supply(
                heads, most, int(problem.minimum[t, r]), int(problem.seats[t, r]), problem.weight * scale
            )
        else:
            value += problem.weight * scale * int(lower[t, r].sum())
    return value


def _best_supply(heads: list[tuple[int, int, int]], most: list[int], least: int, seats: int, weight: int) -> int:
    """Least of Σ_g weight x heads outside the band − price x heads, with `least` to `seats` heads in all.

    Convex in every type, so the cheapest heads come first.
    """
    steps: list[tuple[int, int]] = []
    value = 0
    for (lower, upper, price), present in zip(heads, most, strict=True):
        value += weight * lower
        inside, below = max(min(upper, present) - lower, 0), min(lower, present)
        steps += [(-weight - price, below), (-price, inside), (weight - price, present - below - inside)]
    taken = 0
    for cost, width in sorted(steps):
        wanted = width if cost < 0 else max(least - taken, 0)
        used = min(width, wanted, seats - taken)
        value += used * cost
        taken += used
    return value


def as_fractions(prices: Ints, scale: int) -> list[Fraction]:
    """The prices as exact fractions, flattened."""
    return [Fraction(int(price), scale) for price in prices.ravel()]
