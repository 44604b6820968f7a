"""Prices, and the bound they prove.

Give every workshop a price for each partner type. Everyone then takes the cheapest programme at rank cost plus
price, every workshop takes the heads that suit it best at its prices, and the sum of both is never above the cost of
any allocation (weak duality: the prices relax that both sides agree). When it equals the objective, the allocation
is optimal, and no solver need be trusted. `verify.py` recomputes it on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.allocate.flows.themes import FAR, ThemeDemand, ThemeSupply
from functions.allocate.model.groups import allowed_places, place_costs
from functions.allocate.model.problem import NOWHERE, Ints, Problem


@dataclass(frozen=True)
class Prices:
    """Prices of network 1: of a head by theme and type, and of a seat, whoever takes it, by theme."""

    heads: Ints
    seats: Ints


def theme_prices(demand: ThemeDemand, supply: ThemeSupply, given: Ints) -> Prices:
    """Prices from an optimal flow of network 1.

    They are shortest-path distances in the residual network, condensed to heads, themes and room: groups become the
    cost of the cheapest swap between two themes.
    """
    types = supply.lower.shape[1]
    swaps = cheapest_swaps(demand, given, types)
    heads = np.stack([given[demand.partner_type == g].sum(axis=0) for g in range(types)], axis=1)
    return residual_prices(swaps, marginal_costs(supply, heads), supply.seat_margins(heads.sum(axis=1)))


def cheapest_swaps(demand: ThemeDemand, given: Ints, types: int) -> Ints:
    """Least cost of moving one unit from theme t to theme u inside a type: by type, t, u."""
    themes = demand.cost.shape[1]
    swaps = np.full((types, themes, themes), FAR, dtype=np.int64)
    has = given > 0
    target = np.where(demand.allowed & (given < demand.size[:, None]), demand.cost, FAR)
    for g in range(types):
        mine = demand.partner_type == g
        for t in range(themes):
            source = np.flatnonzero(mine & has[:, t])
            if len(source):
                swaps[g, t] = (target[source] - demand.cost[source, t, None]).min(axis=0)
    return swaps


def marginal_costs(supply: ThemeSupply, heads: Ints) -> tuple[Ints, Ints]:
    """Balance cost of one head more, and of one head less, by theme and type."""
    w = supply.weight
    up = np.where(heads < supply.lower, -w, np.where(heads < supply.upper, 0, w))
    down = np.where(heads <= supply.lower, w, np.where(heads <= supply.upper, 0, -w))
    return up, np.where(heads > 0, down, FAR)


def residual_prices(swaps: Ints, balance: tuple[Ints, Ints], seats: tuple[Ints, Ints]) -> Prices:
    """Bellman-Ford on the condensed residual network; a price is the distance of the room less that of the node.

    `balance` and `seats` are the costs of one more and one less. Every node starts at 0, so that distances are finite
    and reduced costs of residual edges are not negative.

    Raises AssertionError when the flow was not optimal: the network then has a negative cycle.
    """
    (more, less), (seat_more, seat_less) = balance, seats
    heads, theme, room = np.zeros_like(more), np.zeros_like(seat_more), 0
    for _ in range(heads.size + len(theme) + 2):
        before = (heads, theme, room)
        heads = np.minimum(heads, (heads.T[:, :, None] + swaps).min(axis=1).T)
        theme = np.minimum(theme, (heads + more).min(axis=1))
        heads = np.minimum(heads, theme[:, None] + less)
        room = min(room, int((theme + seat_more).min()))
        theme = np.minimum(theme, room + seat_less)
        if (heads == before[0]).all() and (theme == before[1]).all() and room == before[2]:
            return Prices(room - heads, room - theme)
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
