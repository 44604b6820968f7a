"""The cheapest programme of many people at once, at given costs of all workshops.

A programme is an assignment of rounds to different themes. Rounds are added one after another, each along a shortest
augmenting path through the rounds already assigned (H. Kuhn's Hungarian method), for everyone together: with few rounds
a path has few nodes, and of the themes of a round only as many of the cheapest count as there are rounds.
"""

from __future__ import annotations

import numpy as np

from functions.allocate.model.problem import FAR, NOWHERE, Bools, Ints

NO_WAY = 1 << 52
"""Cost of a workshop that cannot be taken; sums of it over all rounds still fit 64 bits."""


def cheapest_places(cost: Ints, free: Bools) -> tuple[Ints, Ints]:
    """The least cost and the themes of everyone's cheapest programme.

    `cost` is by round, person, theme, `NO_WAY` or more where a place cannot be; `free` by person and round. Returns
    the cost by person (`FAR` where there is no programme) and the themes by round and person (`NOWHERE` in rounds
    that are not free).
    """
    rounds, people, themes = cost.shape
    keep = min(rounds, themes)
    nearest = [_cheapest_themes(cost[r], keep) for r in range(rounds)]
    places = np.full((rounds, people), NOWHERE, dtype=np.int64)
    everyone = np.arange(people)
    for r in range(rounds):
        ends, themes_at_end = _free_ends(nearest, places, r)
        ways, before = _ways(cost, places, r)
        last = (ways + ends).argmin(axis=0)
        taking = themes_at_end[last, everyone]
        going = free[:, r].copy()
        for _ in range(r + 1):
            left = places[last, everyone]
            places[last[going], everyone[going]] = taking[going]
            taking = left
            going &= before[last, everyone] >= 0
            if not going.any():
                break
            last = np.where(going, before[last, everyone], last)
    value = np.zeros(people, dtype=np.int64)
    for r in range(rounds):
        here = np.flatnonzero(places[r] != NOWHERE)
        value[here] += np.minimum(cost[r][here, places[r, here]], NO_WAY)
    return np.where(value >= NO_WAY >> 1, FAR, value), places


def without_each(cost: Ints, free: Bools) -> Ints:
    """The cost of the cheapest programme without each theme, by person and theme; `cost` by round, person, theme."""
    if not len(cost):
        return np.zeros((cost.shape[1], cost.shape[2]), dtype=np.int64)
    value, best = cheapest_places(cost, free)
    without = np.repeat(value[:, None], cost.shape[2], axis=1)
    for column in best:
        cost_without(cost, free, column, without)
    return without


def cost_without(cost: Ints, free: Bools, column: Ints, into: Ints) -> None:
    """Write into `into` what it costs everyone to do without the theme of `column`."""
    who = np.flatnonzero(column != NOWHERE)
    kept = cost[:, who, column[who]]
    cost[:, who, column[who]] = NO_WAY
    into[who, column[who]] = cheapest_places(cost[:, who], free[who])[0]
    cost[:, who, column[who]] = kept


def _cheapest_themes(cost: Ints, keep: int) -> tuple[Ints, Ints]:
    """The `keep` cheapest themes of each person in one round, and their costs, the cheapest first."""
    if keep < cost.shape[1]:
        some = np.argpartition(cost, keep - 1, axis=1)[:, :keep]
    else:
        some = np.broadcast_to(np.arange(cost.shape[1]), cost.shape)
    values = np.take_along_axis(cost, some, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1), np.take_along_axis(values, order, axis=1)


def _free_ends(nearest: list[tuple[Ints, Ints]], places: Ints, r: int) -> tuple[Ints, Ints]:
    """For rounds up to r, the cheapest theme that no round before r has taken: its cost and itself."""
    everyone = np.arange(places.shape[1])
    costs, themes = np.empty((r + 1, len(everyone)), np.int64), np.empty((r + 1, len(everyone)), np.int64)
    for j in range(r + 1):
        candidates, values = nearest[j]
        open_ = np.ones(candidates.shape, dtype=bool)
        for i in range(r):
            open_ &= candidates != places[i][:, None]
        first = open_.argmax(axis=1)
        costs[j] = np.where(open_[everyone, first], values[everyone, first], NO_WAY)
        themes[j] = candidates[everyone, first]
    return costs, themes


def _ways(cost: Ints, places: Ints, r: int) -> tuple[Ints, Ints]:
    """The cheapest way from round r to each round up to r, and the round before it on that way (−1: none).

    A step from j to i gives j the theme of i.
    """
    everyone = np.arange(places.shape[1])
    ways = np.full((r + 1, len(everyone)), NO_WAY << 2, dtype=np.int64)
    ways[r] = 0
    before = np.full((r + 1, len(everyone)), -1, dtype=np.int64)
    steps = {}
    for i in range(r):
        taken = np.maximum(places[i], 0)
        own = cost[i][everyone, taken]
        for j in range(r + 1):
            if i != j:
                steps[j, i] = np.where(places[i] != NOWHERE, cost[j][everyone, taken] - own, NO_WAY << 2)
    for _ in range(r):
        moved = False
        for (j, i), step in steps.items():
            better = ways[j] + step < ways[i]
            if better.any():
                ways[i][better], before[i][better] = (ways[j] + step)[better], j
                moved = True
        if not moved:
            break
    return ways, before
