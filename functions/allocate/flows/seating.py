"""The maximum flow that seats what is contested, or the cut that is in its way."""

from __future__ import annotations

import itertools

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np

from functions.allocate.flows.market import Market
from functions.allocate.model.problem import Bools, Ints

FEW = 4
"""Contested themes of a group that a flow begins with; more are added where the cut says that they could help."""


class Seating:
    """The maximum flow of what is contested into seats and bands, or the cut that is in its way.

    Nodes: an attendee group supplies its open seats; a node for each (theme, type) its sure heads; a theme; the sink,
    which takes all. Edges: group → (theme, type), at most one a person; (theme, type) → theme and theme → sink within
    what is best at the prices. What an edge must carry is moved to its ends: a node that has too much takes it from
    `surplus`, one that lacks sends it to `deficit`.
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
        network, total = self._network()
        self.residual = nx.algorithms.flow.preflow_push(network, "surplus", "deficit", value_only=True)
        self.complete = bool(total == self.residual.graph["flow_value"])
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

    def _network(self) -> tuple[nx.DiGraph, int]:
        market, supply = self.market, self.market.supply
        seats = market.prices.seats
        least, most = np.where(seats > 0, supply.most, supply.least), np.where(seats < 0, supply.least, supply.most)
        excess_heads = market.sure - market.low
        excess_themes = market.low.sum(axis=1) - least
        rest = int(least.sum() - market.sure.sum() - (self.groups.size * self.open).sum())
        network = nx.DiGraph()
        network.add_nodes_from(["surplus", "deficit"])
        for k, (size, open_, g) in enumerate(
            zip(self.groups.size.tolist(), self.open.tolist(), self.partner_type.tolist(), strict=True)
        ):
            network.add_edge("surplus", ("attendee group", k), capacity=size * open_)
            for t in np.flatnonzero(self.edges[k]).tolist():
                network.add_edge(("attendee group", k), ("theme of type", t, g), capacity=size)
        themes, types = market.sure.shape
        for t, g in itertools.product(range(themes), range(types)):
            _shift_excess(network, ("theme of type", t, g), int(excess_heads[t, g]))
            width = int(market.high[t, g] - market.low[t, g])
            if width:
                network.add_edge(("theme of type", t, g), ("theme", t), capacity=width)
        for t in range(len(least)):
            _shift_excess(network, ("theme", t), int(excess_themes[t]))
            if most[t] > least[t]:
                network.add_edge(("theme", t), ("sink",), capacity=int(most[t] - least[t]))
        _shift_excess(network, ("sink",), rest)
        return network, int(sum(edge["capacity"] for edge in network["surplus"].values()))

    @property
    def given(self) -> Ints:
        """How many of each group get each theme."""
        given = np.zeros(self.ties.shape, dtype=np.int64)
        for k, t in zip(*np.nonzero(self.edges), strict=True):
            given[k, t] = self.residual["attendee group", k]["theme of type", t, int(self.partner_type[k])]["flow"]
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


def _shift_excess(network: nx.DiGraph, node: tuple[object, ...], excess: int) -> None:
    """Let a node send what it has too much, or take what it lacks."""
    network.add_node(node)
    if excess > 0:
        network.add_edge("surplus", node, capacity=excess)
    elif excess < 0:
        network.add_edge(node, "deficit", capacity=-excess)
