"""Network 1: which themes each group gets, rounds put together.

The obvious network (attendee → pair of themes → two workshops) is wrong: a unit of flow cannot split into two seats.
Here each attendee sends one unit for each round, at most one to a theme; the timetable comes after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np

from functions.allocate.model.problem import FAR, NOWHERE, Bools, Ints, NoAllocationError, Problem
from shared.i18n import told


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

    def seat_margins(self, taken: Ints) -> tuple[Ints, Ints]:
        """Cost of one unit more and of one unit less, by theme, when `taken` units are; `FAR` where it cannot be."""
        return np.where(taken < self.most, 0, FAR), np.where(taken > self.least, 0, FAR)

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
    taken = placed.sum(axis=1)
    lower, upper = (edge.sum(axis=1) for edge in problem.band)
    return ThemeSupply(
        least=np.maximum(problem.minimum.sum(axis=1) - taken, 0),
        most=problem.seats.sum(axis=1) - taken,
        lower=lower - placed,
        upper=upper - placed,
        weight=problem.weight,
    )


def assign_themes(demand: ThemeDemand, supply: ThemeSupply) -> Ints:
    """How many of each group get each theme, at least cost: network 1.

    Nodes: an attendee group supplies `units x size`; a node for each (theme, type); a theme; the sink, which takes all.
    Edges: group → (theme, type) at the group's cost, at most `size`, so that nobody repeats a theme; (theme, type) →
    theme with the convex cost of the mix as parallel edges; theme → sink with the seats, of which `least` are a demand
    of the theme.
    All costs are integers: network simplex may cycle for ever on floats. The optimum is a lower bound of the whole
    problem, and the optimum itself when rounds are alike.

    Raises NoAllocationError when the seats do not suffice.
    """
    network = _network(demand, supply)
    try:
        _, flow = nx.network_simplex(network)
    except nx.NetworkXUnfeasible:
        raise NoAllocationError(told("the seats of all rounds together do not suffice")) from None
    given = np.zeros(demand.cost.shape, dtype=np.int64)
    for k in range(len(demand.size)):
        for (_, theme, _), parallel in flow["attendee group", k].items():
            given[k, theme] = parallel[0]
    return given


def _network(demand: ThemeDemand, supply: ThemeSupply) -> nx.MultiDiGraph:
    network = nx.MultiDiGraph()
    units = demand.units * demand.size
    for k in range(len(demand.size)):
        network.add_node(("attendee group", k), demand=-int(units[k]))
    edges = zip(*(axis.tolist() for axis in np.nonzero(demand.allowed & (units > 0)[:, None])), strict=True)
    network.add_edges_from(
        (
            ("attendee group", k),
            ("theme of type", t, int(demand.partner_type[k])),
            0,
            {"capacity": int(demand.size[k]), "weight": int(demand.cost[k, t])},
        )
        for k, t in edges
    )
    for _, t, g in [node for node in network if node[0] == "theme of type"]:
        for key, (width, cost) in enumerate(supply.segments(t, g)):
            limit = {} if width is None else {"capacity": width}
            network.add_edge(("theme of type", t, g), ("theme", t), key, weight=cost, **limit)
    for t in range(len(supply.most)):
        must = int(supply.least[t])
        network.add_node(("theme", t), demand=must)
        network.add_edge(("theme", t), ("sink",), 0, capacity=int(supply.most[t]) - must, weight=0)
    network.add_node(("sink",), demand=int(units.sum()) - int(supply.least.sum()))
    return network
