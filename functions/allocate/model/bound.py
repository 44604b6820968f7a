"""Prices, and the bound they prove.

Give every workshop a price for each partner type. Everyone then takes the cheapest programme at rank cost plus
price, every workshop takes the heads that suit it best at its prices, and the sum of both is never above the cost of
any allocation (weak duality: the prices relax that both sides agree). When it equals the objective, the allocation
is optimal, and no solver need be trusted. `verify.py` recomputes it on its own.
"""

from __future__ import annotations

import numpy as np

from functions.allocate.model.groups import allowed_places, place_costs
from functions.allocate.model.problem import FAR, NOWHERE, Ints, Problem


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
    best = np.full((1 << rounds, len(rows)), FAR, dtype=np.int64)
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
                    step = np.where(allowed[:, t, r], other + cost[:, t, r], FAR)
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
