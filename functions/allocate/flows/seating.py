"""The maximum flow that seats what is contested, or the cut that is in its way."""

from __future__ import annotations

from collections.abc import Sequence

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
    who must give way for the rest. It gets only some of the edges of a group first: those that carry something, those
    of people who wait, some to heads with room and some others.
    """

    def __init__(self, market: Market) -> None:
        self.market, self.groups = market, market.groups()
        first, contested = self.groups.first, market.contested
        self.partner_type, self.open = contested.partner_type[first], contested.open[first]
        self.ties = contested.ties[:, first].T
        themes, types = contested.sure.shape
        self.heads = [[f"theme {t} of type {g}" for g in range(types)] for t in range(themes)]
        self.themes = [f"theme {t}" for t in range(themes)]
        self.attendees = [f"attendee group {k}" for k in range(len(self.ties))]
        self.nodes = [*self.attendees, *(head for row in self.heads for head in row), *self.themes, "sink"]
        self.straight = _Straight(self)
        self.edges = self.straight.given > 0
        self.edges |= self.ties & (np.array(self.straight.waiting) > 0)[:, None]
        self.edges |= _some_of_each(self.ties & (self.straight.rooms() > 0)[self.partner_type], self.edges)
        self.edges |= _some_of_each(self.ties, self.edges)
        self._flow()
        while not self.complete and (lacking := self._lacking()).any():
            self.edges |= _some_of_each(lacking, self.edges)
            self._flow()

    def _flow(self) -> None:
        self.residual = self.straight.residual_network()
        surplus = sum(edge["capacity"] for edge in self.residual["surplus"].values())
        nx.algorithms.flow.boykov_kolmogorov(self.residual, "surplus", "deficit", residual=self.residual)
        self.complete = bool(surplus == self.residual.graph["flow_value"])
        """Whether all contested seats are settled."""
        self.cut_off = set() if self.complete else self._cut_off()

    def _lacking(self) -> Bools:
        """Edges left out so far that would lead across the cut: without any, it is the cut of all edges."""
        groups = np.array([group in self.cut_off for group in self.attendees], dtype=bool)
        heads = self._heads_cut_off()
        lacking: Bools = self.ties & ~self.edges & groups[:, None] & ~heads.T[self.partner_type]
        return lacking

    def _heads_cut_off(self) -> Bools:
        return np.array([[head in self.cut_off for head in row] for row in self.heads])

    @property
    def given(self) -> Ints:
        """How many of each group get each theme."""
        given, flows = self.straight.given.copy(), self.residual.succ
        for k, t in zip(*np.nonzero(self.edges), strict=True):
            given[k, t] += flows[self.attendees[k]][self.heads[t][int(self.partner_type[k])]]["flow"]
        return given

    def direction(self) -> Ints:
        """Which prices to raise, or which to lower, by 1: heads by theme and type, seats in the last column.

        The minimum cut keeps on one side what is too much wanted; its prices rise. If the sink is among it, the sink's
        price, which is 0 by definition, stays, and all others fall.
        """
        themes = np.array([theme in self.cut_off for theme in self.themes])
        side = np.column_stack([self._heads_cut_off(), themes])
        return side.astype(np.int64) - ("sink" in self.cut_off)

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
        self.seating, self.size, self.kind = seating, groups.size.tolist(), seating.partner_type.tolist()
        self.waiting: list[int] = (groups.size * seating.open).tolist()
        self.seated = [0] * len(self.waiting)
        self.given = np.zeros(seating.ties.shape, dtype=np.int64)
        self.excess: list[list[int]] = (market.contested.sure - market.low).tolist()
        self.width: list[list[int]] = (market.high - market.low).tolist()
        self.theme_excess: list[int] = (market.low.sum(axis=1) - least).tolist()
        self.theme_width: list[int] = (most - least).tolist()
        self.sink_excess = int(least.sum() - market.contested.sure.sum()) - sum(self.waiting)
        self.through = [[0] * len(row) for row in self.width]
        self.theme_through = [0] * len(self.theme_width)
        for t, row in enumerate(self.excess):
            self.theme_excess[t] -= self._from_theme(t, self.theme_excess[t])
            for g, excess in enumerate(row):
                row[g] -= self._from_head(t, g, excess)
        ties = np.maximum(seating.ties.sum(axis=1), 1)
        share = seating.ties * (np.array(self.waiting) / ties)[:, None]
        types = range(len(self.width[0]))
        pending = np.stack([share[seating.partner_type == g].sum(axis=0) for g in types])
        self.pending: list[list[float]] = pending.tolist()
        self.theme_pending: list[float] = pending.sum(axis=0).tolist()
        self.theme_room = [self._room_of_theme(t) for t in range(len(self.width))]
        self.room = [[self._room(t, g) for t in range(len(self.width))] for g in types]
        of_group, themes = (axis.tolist() for axis in np.nonzero(seating.ties))
        wanted: list[list[int]] = [[] for _ in self.waiting]
        for k, t in zip(of_group, themes, strict=True):
            wanted[k].append(t)
        for k in np.argsort(ties, kind="stable").tolist():
            if self.waiting[k]:
                self._seat(k, wanted[k])

    def _seat(self, k: int, wanted: list[int]) -> None:
        """Let the people of a group in, first where most room is left for those to come."""
        g = self.kind[k]
        room, pending, theme_room, theme_pending = self.room[g], self.pending[g], self.theme_room, self.theme_pending
        each = self.waiting[k] / len(wanted)
        for t in wanted:
            pending[t] -= each
            theme_pending[t] -= each
        while self.waiting[k]:
            best, most = -1, 0.0
            for t in wanted:
                if room[t] > 0:
                    left = min(room[t] - pending[t], theme_room[t] - theme_pending[t])
                    if best < 0 or left > most:
                        best, most = t, left
            if best < 0:
                return
            wanted.remove(best)
            self._let_in(k, best)

    def _let_in(self, k: int, t: int) -> None:
        g = self.kind[k]
        count = min(self._room(t, g), self.size[k], self.waiting[k])  # room in the sink is shared by all themes
        here = min(count, max(-self.excess[t][g], 0))
        self.excess[t][g] += here
        self._from_head(t, g, count - here)
        self.given[k, t] = count
        self.seated[k] += count
        self.waiting[k] -= count
        self.theme_room[t] = onward = self._room_of_theme(t)
        for room, excess, width in zip(self.room, self.excess[t], self.width[t], strict=True):
            room[t] = min(width, onward) - min(excess, 0)

    def rooms(self) -> Ints:
        """How many more each head can take, by type and theme."""
        return np.array([[self._room(t, g) for t in range(len(self.width))] for g in range(len(self.room))])

    def _room(self, t: int, g: int) -> int:
        return min(self.width[t][g], self._room_of_theme(t)) - min(self.excess[t][g], 0)

    def _room_of_theme(self, t: int) -> int:
        onward: int = min(self.theme_width[t], max(-self.sink_excess, 0))
        return onward - min(self.theme_excess[t], 0)

    def _from_head(self, t: int, g: int, count: int) -> int:
        """Let heads on to their theme, as far as there is room. Returns how many."""
        count = max(min(count, self.width[t][g], self._room_of_theme(t)), 0)
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

    def residual_network(self) -> Residual:
        """What is left of the network, as NetworkX's flows take it: each edge with its reverse, which can be undone."""
        seating, network = self.seating, Residual(["surplus", "deficit", *self.seating.nodes])
        for k, group in enumerate(seating.attendees):
            network.add_pair("surplus", group, self.waiting[k], self.seated[k])
        chosen = np.nonzero(seating.edges)
        for k, t, count in zip(*(axis.tolist() for axis in (*chosen, self.given[chosen])), strict=True):
            network.add_pair(seating.attendees[k], seating.heads[t][self.kind[k]], self.size[k] - count, count)
        for t, theme in enumerate(seating.themes):
            of_type = zip(seating.heads[t], self.excess[t], self.width[t], self.through[t], strict=True)
            for head, excess, width, through in of_type:
                network.balance(head, excess)
                network.add_pair(head, theme, width, through)
            network.balance(theme, self.theme_excess[t])
            network.add_pair(theme, "sink", self.theme_width[t], self.theme_through[t])
        network.balance("sink", self.sink_excess)
        return network


class Residual(nx.DiGraph):  # type: ignore[misc]  # NetworkX has no types of its own
    """A residual network as NetworkX's flows take it: each edge with its reverse, which can be undone.

    A node's neighbours are plain dictionaries: the views that NetworkX puts around them take most of a flow's time.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        super().__init__(inf=ENDLESS)  # no capacity is as large
        self.__networkx_cache__ = None  # the capacities change under the flow
        self.add_nodes_from(nodes)

    @property
    def succ(self) -> dict[str, dict[str, dict[str, int]]]:
        """The edges that leave each node."""
        edges: dict[str, dict[str, dict[str, int]]] = self._succ
        return edges

    @property
    def pred(self) -> dict[str, dict[str, dict[str, int]]]:
        """The edges that enter each node."""
        edges: dict[str, dict[str, dict[str, int]]] = self._pred
        return edges

    def __getitem__(self, node: str) -> dict[str, dict[str, int]]:
        return self.succ[node]

    def add_pair(self, tail: str, head: str, left: int, through: int) -> None:
        """An edge that can carry `left` more, and give back what goes `through` it."""
        if left or through:
            self._succ[tail][head] = self._pred[head][tail] = {"capacity": left, "flow": 0}
            self._succ[head][tail] = self._pred[tail][head] = {"capacity": through, "flow": 0}

    def balance(self, node: str, excess: int) -> None:
        """What a node has too much comes from the surplus; what it lacks goes to the deficit."""
        if excess > 0:
            self.add_pair("surplus", node, excess, 0)
        else:
            self.add_pair(node, "deficit", -excess, 0)
