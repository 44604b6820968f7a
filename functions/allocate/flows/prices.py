"""Prices of network 1, from an optimal flow of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.allocate.flows.themes import ThemeDemand, ThemeSupply
from functions.allocate.model.problem import FAR, Ints


@dataclass(frozen=True)
class Prices:
    """Prices of network 1: of a head by theme and type, and of a seat, the same for all types, by theme."""

    heads: Ints
    seats: Ints


def theme_prices(demand: ThemeDemand, supply: ThemeSupply, given: Ints) -> Prices:
    """Prices from an optimal flow of network 1.

    They are shortest-path distances in the residual network, condensed to heads, themes and sink: groups become the
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
    """Bellman-Ford on the condensed residual network; a price is the distance of the sink less that of the node.

    `balance` and `seats` are the costs of one more and one less. Every node starts at 0, so that distances are finite
    and reduced costs of residual edges are not negative.

    Raises AssertionError when the flow was not optimal: the network then has a negative cycle.
    """
    (more, less), (seat_more, seat_less) = balance, seats
    heads, theme, sink = np.zeros_like(more), np.zeros_like(seat_more), 0
    for _ in range(heads.size + len(theme) + 2):
        before = (heads, theme, sink)
        heads = np.minimum(heads, (heads.T[:, :, None] + swaps).min(axis=1).T)
        theme = np.minimum(theme, (heads + more).min(axis=1))
        heads = np.minimum(heads, theme[:, None] + less)
        sink = min(sink, int((theme + seat_more).min()))
        theme = np.minimum(theme, sink + seat_less)
        if (heads == before[0]).all() and (theme == before[1]).all() and sink == before[2]:
            return Prices(sink - heads, sink - theme)
    raise AssertionError("the flow is not optimal: its residual network has a negative cycle")
