"""Network 1: which themes each group gets, rounds put together.

The obvious network (attendee → pair of themes → two workshops) is wrong: a unit of flow cannot split into two seats.
Here each attendee sends one unit for each round, at most one to a theme; the timetable comes after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np

from functions.allocate.problem import NOWHERE, Bools, Ints, NoAllocationError, Problem

FAR = 1 << 60
"""A cost that rules an edge out."""


@dataclass(frozen=True)
class ThemeDemand:
    """What network 1 is asked: groups with the units they send and the cost of each theme.

    `units[k]` is the number of themes each of the `size[k]` people of group k still needs; `cost[k, t]` is theirs
    where `allowed[k, t]`.
    """

    partner_type: Ints
    size: Ints
    units: Ints
    cost: Ints
    allowed: Bools


@dataclass(frozen=True)
class ThemeSupply:
    """What network 1 may use: seats of all rounds, and the mix of types that costs nothing.

    `least` and `most` are the units a theme must and may take, `lower` and `upper` the summed band by theme and type,
    all after the heads that pins have placed already.
    """

    least: Ints
    most: Ints
    lower: Ints
    upper: Ints
    weight: int
    low: Ints | None = None
    high: Ints | None = None

    def seat_segments(self, theme: int) -> Iterator[tuple[int | None, int]]:
        """Yield the cost of a theme's units as (width, cost of each), left to right; the last has no end.

        Without `low` and `high` the units between `least` and `most` cost nothing and others cannot be. With them the
        seats are elastic: a unit beyond `most` costs `high`, and the price of a seat cannot fall below `low`.
        """
        least, most = max(int(self.least[theme]), 0), max(int(self.most[theme]), 0)
        if self.low is None or self.high is None:
            yield most, 0
            return
        low = int(self.low[theme])
        paid = most if low > 0 else least
        if paid:
            yield paid, low
        if most > paid:
            yield most - paid, 0
        yield None, int(self.high[theme])

    def seat_margins(self, taken: Ints) -> tuple[Ints, Ints]:
        """Cost of one unit more and of one unit less, by theme, when `taken` units are; `FAR` where it cannot be."""
        up, down = np.full((2, len(taken)), FAR, dtype=np.int64)
        for t, units in enumerate(taken.tolist()):
            begin = 0
            for width, cost in self.seat_segments(t):
                end = FAR if width is None else begin + width
                if begin <= units < end:
                    up[t] = cost
                if begin < units <= end:
                    down[t] = -cost
                begin = end
        if self.low is None:
            down[taken <= self.least] = FAR
        return up, down

    def segments(self, theme: int, kind: int) -> Iterator[tuple[int | None, int]]:
        """Yield the convex cost of heads as (width, cost of each), left to right; the last has no end.

        −weight up to the lower bound, 0 up to the upper, +weight above.
        """
        lower, upper = int(self.lower[theme, kind]), int(self.upper[theme, kind])
        if self.weight and lower > 0:
            yield lower, -self.weight
        if self.weight:
            if upper > max(lower, 0):
                yield upper - max(lower, 0), 0
            yield None, self.weight
        else:
            yield None, 0


def theme_supply(problem: Problem) -> ThemeSupply:
    """The seats and bands of each theme, rounds put together, without what pins take."""
    themes, _, types = problem.shape
    who, slot = np.nonzero(problem.pinned != NOWHERE)
    placed = np.zeros((themes, types), dtype=np.int64)
    np.add.at(placed, (problem.pinned[who, slot], problem.partner_type[who]), 1)
    lower, upper = (edge.sum(axis=1) for edge in problem.band)
    everything = ThemeSupply(problem.minimum.sum(axis=1), problem.seats.sum(axis=1), lower, upper, problem.weight)
    left = without(everything, placed)
    return replace(left, least=np.maximum(left.least, 0))


def without(supply: ThemeSupply, heads: Ints) -> ThemeSupply:
    """What is left of the seats and bands beside these heads, by theme and type."""
    taken = heads.sum(axis=1)
    return replace(
        supply,
        least=supply.least - taken,
        most=supply.most - taken,
        lower=supply.lower - heads,
        upper=supply.upper - heads,
    )


def assign_themes(demand: ThemeDemand, supply: ThemeSupply) -> Ints:
    """How many of each group get each theme, at least cost: network 1.

    Nodes: a group supplies `units x size`; a head node for each (theme, type); a theme; the room, which takes all.
    Edges: group → head at the group's cost, at most `size`, so that nobody repeats a theme; head → theme with the
    convex cost of the mix as parallel edges; theme → room with the seats, of which `least` are a demand of the theme.
    All costs are integers: network simplex may cycle for ever on floats. The optimum is a lower bound of the whole
    problem, and the optimum itself when rounds are alike.

    Raises NoAllocationError when the seats do not suffice.
    """
    network = _network(demand, supply)
    try:
        _, flow = nx.network_simplex(network)
    except nx.NetworkXUnfeasible:
        raise NoAllocationError("the seats of all rounds together do not suffice") from None
    given = np.zeros(demand.cost.shape, dtype=np.int64)
    for k in range(len(demand.size)):
        for (_, theme, _), parallel in flow["group", k].items():
            given[k, theme] = parallel[0]
    return given


def _network(demand: ThemeDemand, supply: ThemeSupply) -> nx.MultiDiGraph:
    network = nx.MultiDiGraph()
    units = demand.units * demand.size
    for k in range(len(demand.size)):
        network.add_node(("group", k), demand=-int(units[k]))
    edges = zip(*(axis.tolist() for axis in np.nonzero(demand.allowed & (units > 0)[:, None])), strict=True)
    network.add_edges_from(
        (
            ("group", k),
            ("heads", t, int(demand.partner_type[k])),
            0,
            {"capacity": int(demand.size[k]), "weight": int(demand.cost[k, t])},
        )
        for k, t in edges
    )
    for _, t, g in [node for node in network if node[0] == "heads"]:
        for key, (width, cost) in enumerate(supply.segments(t, g)):
            limit = {} if width is None else {"capacity": width}
            network.add_edge(("heads", t, g), ("theme", t), key, weight=cost, **limit)
    elastic = supply.low is not None
    for t in range(len(supply.most)):
        must = 0 if elastic else int(supply.least[t])
        network.add_node(("theme", t), demand=must)
        for key, (width, cost) in enumerate(supply.seat_segments(t)):
            limit = {} if width is None else {"capacity": width - must}
            network.add_edge(("theme", t), ("room",), key, weight=cost, **limit)
    network.add_node(("room",), demand=int(units.sum()) - (0 if elastic else int(supply.least.sum())))
    return network
