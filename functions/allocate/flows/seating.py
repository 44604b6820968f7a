"""The maximum flow that seats what is contested, or the cut that is in its way."""

from __future__ import annotations

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np

from functions.allocate.flows.market import ENDLESS, Market
from functions.allocate.model.problem import Bools, Ints

FEW = 4
"""Contested themes of a group that a flow begins with; more are added where the cut says that they could help."""


class Seating:
    """The maximum flow of what is contested into seats and bands, or the cut that is in its way.

    Nodes: an attendee group supplies its open seats; a node for each (theme, type) its sure heads; a theme; the sink,
    which takes all. Edges: group → (theme, type), at most one a person; (theme, type) → theme and theme → sink within
    what is best at the prices. What an edge must carry is moved to its ends: a node that has too much takes it from
    `surplus`, one that lacks sends it to `deficit`.

    Most of the flow goes straight on and is simply let in (`_Straight`); NetworkX gets the residual network and finds
    who must give way for the rest.
    """

    def __init__(self, market: Market) -> None:
        self.market, self.groups = market, market.groups()
        first = self.groups.first
        self.partner_type, self.open = market.partner_type[first], market.open[first]
        self.ties = market.ties[:, first].T
        self.edges = _some_of_each(self.ties, np.zeros_like(self.ties))
        self._flow()
        while not self.complete and (lacking := self._lacking()).any():
            self.edges |= _some_of_each(lacking, self.edges)
            self._flow()

    def _flow(self) -> None:
        self.straight = _Straight(self)
        self.residual = self.straight.residual_network()
        surplus = sum(edge["capacity"] for edge in self.residual["surplus"].values())
        nx.algorithms.flow.boykov_kolmogorov(self.residual, "surplus", "deficit", residual=self.residual)
        self.complete = bool(surplus == self.residual.graph["flow_value"])
        """Whether all contested seats are settled."""
        self.cut_off = set() if self.complete else self._cut_off()

    def _lacking(self) -> Bools:
        """Edges left out so far that would lead across the cut: without any, it is the cut of all edges."""
        groups = np.array([("attendee group", k) in self.cut_off for k in range(len(self.ties))], dtype=bool)
        heads = self._heads_cut_off()
        lacking: Bools = self.ties & ~self.edges & groups[:, None] & ~heads.T[self.partner_type]
        return lacking

    def _heads_cut_off(self) -> Bools:
        themes, types = self.market.sure.shape
        return np.array([[("theme of type", t, g) in self.cut_off for g in range(types)] for t in range(themes)])

    @property
    def given(self) -> Ints:
        """How many of each group get each theme."""
        given = self.straight.given.copy()
        for k, t in zip(*np.nonzero(self.edges), strict=True):
            given[k, t] += self.residual["attendee group", k]["theme of type", t, int(self.partner_type[k])]["flow"]
        return given

    def direction(self) -> Ints:
        """Which prices to raise, or which to lower, by 1: heads by theme and type, seats in the last column.

        The minimum cut keeps on one side what is too much wanted; its prices rise. If the sink is among it, the sink's
        price, which is 0 by definition, stays, and all others fall.
        """
        themes = np.array([("theme", t) in self.cut_off for t in range(len(self.market.sure))])
        side = np.column_stack([self._heads_cut_off(), themes])
        return side.astype(np.int64) - (("sink",) in self.cut_off)

    def _cut_off(self) -> set[object]:
        """The nodes from which nothing more can flow to the deficit."""
        reached, ahead = {"deficit"}, ["deficit"]
        while ahead:
            node = ahead.pop()
            for before, edge in self.residual.pred[node].items():
                if before not in reached and edge["flow"] < edge["capacity"]:
                    reached.add(before)
                    ahead.append(before)
        return set(self.residual) - reached


def _some_of_each(wanted: Bools, have: Bools) -> Bools:
    """Up to `FEW` of what each row wants and has not, not the same ones in every row."""
    new = wanted & ~have
    place = np.cumsum(new, axis=1) - 1
    turn = np.arange(len(new))[:, None] % np.maximum(new.sum(axis=1, keepdims=True), 1)
    some: Bools = new & ((place - turn) % np.maximum(new.sum(axis=1, keepdims=True), 1) < FEW)
    return some


class _Straight:
    """The network of a seating, and the flow through it that nobody has to give way for.

    `excess` is what a node has too much, below 0 what it lacks; `width` is the capacity of the edge that leaves it.
    Both by (theme, type), by theme, and for the sink, with what went through so far already taken off.
    """

    def __init__(self, seating: Seating) -> None:
        market, supply, groups = seating.market, seating.market.supply, seating.groups
        seats = market.prices.seats
        least, most = np.where(seats > 0, supply.most, supply.least), np.where(seats < 0, supply.least, supply.most)
        self.size, self.kind, self.edges = groups.size.tolist(), seating.partner_type.tolist(), seating.edges
        self.waiting: list[int] = (groups.size * seating.open).tolist()
        self.seated = [0] * len(self.waiting)
        self.given = np.zeros(seating.ties.shape, dtype=np.int64)
        self.excess: list[list[int]] = (market.sure - market.low).tolist()
        self.width: list[list[int]] = (market.high - market.low).tolist()
        self.theme_excess: list[int] = (market.low.sum(axis=1) - least).tolist()
        self.theme_width: list[int] = (most - least).tolist()
        self.sink_excess = int(least.sum() - market.sure.sum()) - sum(self.waiting)
        self.through = [[0] * len(row) for row in self.width]
        self.theme_through = [0] * len(self.theme_width)
        for t, row in enumerate(self.excess):
            self.theme_excess[t] -= self._from_theme(t, self.theme_excess[t])
            for g, excess in enumerate(row):
                row[g] -= self._from_head(t, g, excess)
        for k in np.argsort(seating.edges.sum(axis=1), kind="stable").tolist():
            self._seat(k)

    def _seat(self, k: int) -> None:
        """Let the people of a group in, where most room is first."""
        g = self.kind[k]
        wanted = np.flatnonzero(self.edges[k]).tolist()
        for t in sorted(wanted, key=lambda t: self._room(t, g), reverse=True):
            count = min(self._room(t, g), self.size[k], self.waiting[k])  # room in the sink is shared by all themes
            if count <= 0:
                return
            here = min(count, max(-self.excess[t][g], 0))
            self.excess[t][g] += here
            self._from_head(t, g, count - here)
            self.given[k, t] = count
            self.seated[k] += count
            self.waiting[k] -= count

    def _room(self, t: int, g: int) -> int:
        return max(-self.excess[t][g], 0) + min(self.width[t][g], self._theme_room(t))

    def _theme_room(self, t: int) -> int:
        onward: int = min(self.theme_width[t], max(-self.sink_excess, 0))
        return max(-self.theme_excess[t], 0) + onward

    def _from_head(self, t: int, g: int, count: int) -> int:
        """Let heads on to their theme, as far as there is room. Returns how many."""
        count = max(min(count, self.width[t][g], self._theme_room(t)), 0)
        self.width[t][g] -= count
        self.through[t][g] += count
        here = min(count, max(-self.theme_excess[t], 0))
        self.theme_excess[t] += here
        self._from_theme(t, count - here)
        return count

    def _from_theme(self, t: int, count: int) -> int:
        """Let heads on to the sink, as far as there is room. Returns how many."""
        count = max(min(count, self.theme_width[t], -self.sink_excess), 0)
        self.theme_width[t] -= count
        self.theme_through[t] += count
        self.sink_excess += count
        return count

    def residual_network(self) -> nx.DiGraph:
        """What is left of the network, as NetworkX's flows take it: each edge with its reverse, which can be undone."""
        network = nx.DiGraph(inf=ENDLESS)  # no capacity is as large
        network.__networkx_cache__ = None  # the capacities change under the flow
        network.add_nodes_from(["surplus", "deficit"])

        def add(tail: object, head: object, left: int, through: int) -> None:
            if left or through:
                network.add_edge(tail, head, capacity=left)
                network.add_edge(head, tail, capacity=through)

        def balance(node: tuple[object, ...], excess: int) -> None:
            network.add_node(node)
            add("surplus", node, max(excess, 0), 0)
            add(node, "deficit", max(-excess, 0), 0)

        for k, (size, g) in enumerate(zip(self.size, self.kind, strict=True)):
            group = ("attendee group", k)
            add("surplus", group, self.waiting[k], self.seated[k])
            for t in np.flatnonzero(self.edges[k]).tolist():
                count = int(self.given[k, t])
                add(group, ("theme of type", t, g), size - count, count)
        for t, row in enumerate(self.excess):
            for g, excess in enumerate(row):
                balance(("theme of type", t, g), excess)
                add(("theme of type", t, g), ("theme", t), self.width[t][g], self.through[t][g])
            balance(("theme", t), self.theme_excess[t])
            add(("theme", t), ("sink",), self.theme_width[t], self.theme_through[t])
        balance(("sink",), self.sink_excess)
        return network
