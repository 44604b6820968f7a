"""Network 1 for crowds in which hardly two people are alike: prices tell what is contested, a flow settles it.

Prices are all that the dual of network 1 knows: `D(prices)` adds what everyone pays for their cheapest themes to what
the workshops pay back, and the largest D is the least cost (`certificate.py`). D is concave with bends at whole numbers
only, and L♮-concave: it is at its largest where no set of prices can be raised by 1, or lowered by 1, together to gain
(K. Murota, Discrete Convex Analysis, SIAM 2003).

1. A sample with seats scaled down gives a first guess, theme by theme.
2. At these prices everyone has themes they are *sure* of, clearly among the cheapest, and themes that are *out*.
   Whoever has several as dear as the dearest they want is *contested*. People of one type with the same contested
   themes and as many seats open are one group, so there are few, whatever the crowd.
3. A maximum flow (NetworkX) seats what is contested. If seats and bands hold for all, primal equals dual and the answer
   is exact. If not, its minimum cut names the prices to move: those gain most. Go on at 2. A step gains at least 1, so
   the end is reached; there are about as many steps as the guess was wrong by (Murota and Shioura, 2014).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np
from numpy.typing import NDArray

from functions.allocate.fairness.shares import share_themes
from functions.allocate.flows.themes import ThemeSupply
from functions.allocate.model.bound import Prices
from functions.allocate.model.groups import Groups, group_columns
from functions.allocate.model.problem import NOWHERE, Bools, Ints, NoAllocationError, Places

SAMPLE = 2_000
"""People in the sample that gives the first guess."""

SWEEPS = 100
"""Times that the first guess goes through all themes, at most; it stops when nothing moves."""

BLUR = 8
"""Parts of a unit of cost in which the first guess reckons."""

PACE = 4
"""Steps after which prices are tried further along the way they have come; steps often repeat in turn."""

FEW = 4
"""Contested themes of a group that a flow begins with; more are added where the cut says that they could help."""

BLOCK = 1 << 15
"""People looked at together: few enough for the processor's cache."""

ENDLESS = 1 << 40
"""Capacity of an edge without a limit."""

Costs = NDArray[np.int64] | NDArray[np.int32]


@dataclass(frozen=True)
class Settled:
    """The outcome of network 1: a set of themes a person, prices by theme and type, and who is on the margin.

    `tied` lists people for whom another set costs the same at these prices: only they can swap at equal total cost, and
    only what is on their `margin` (by theme and tied person), as dear as the dearest theme wanted.
    `demand_value` is what all sets cost at the prices.
    """

    sets: Places
    prices: Prices
    tied: Ints
    margin: Bools
    demand_value: int


class Crowd:
    """People by column, one partner type after another: cost of each theme (theme by person) and units wanted."""

    def __init__(
        self, cost: Costs, allowed: Bools | None, units: Ints, partner_type: Ints, types: int, weight: int
    ) -> None:
        """`cost` and `allowed` by theme and person; without `allowed` everyone may take everything."""
        self.order = np.argsort(partner_type, kind="stable")
        self.units = units[self.order]
        self.types, self.most_units = types, int(units.max(initial=0))
        nodes = len(cost) * (types + 1) + 2
        self.far = 4 * nodes * (int(cost.max(initial=0)) + 2 * weight + 1)
        """A cost that no price makes good: prices are paths in a network of so many nodes."""
        ordered = cost[:, self.order]
        self.cost: Costs = ordered.astype(np.int32) if self.far < 1 << 28 else ordered.astype(np.int64)
        if allowed is not None:
            self.cost[~allowed[:, self.order]] = self.far
        self.ends = np.concatenate([[0], np.cumsum(np.bincount(partner_type, minlength=types))])
        self.alike = bool((self.units == self.most_units).all())

    def __len__(self) -> int:
        return len(self.units)

    def part(self, people: Ints) -> Crowd:
        """The same for some of the people, by their place in `order`."""
        part = object.__new__(Crowd)
        part.types, part.most_units, part.far, part.alike = self.types, self.most_units, self.far, self.alike
        part.order, part.units, part.cost = self.order[people], self.units[people], self.cost[:, people]
        part.ends = np.searchsorted(people, self.ends)
        return part

    def blurred(self) -> Crowd:
        """The same at `BLUR` times the cost and a little more, by chance: hardly anything is tied any more."""
        part = self.part(np.arange(len(self)))
        part.far = self.far * BLUR
        chance = np.random.default_rng(0).integers(0, BLUR, size=self.cost.shape)
        part.cost = self.cost.astype(np.int64) * BLUR + chance
        return part

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """Yield (type, begin, end) of people to look at together."""
        for g in range(self.types):
            for begin in range(int(self.ends[g]), int(self.ends[g + 1]), BLOCK):
                yield g, begin, min(begin + BLOCK, int(self.ends[g + 1]))

    def reduced(self, heads: Ints, g: int, begin: int, end: int) -> Costs:
        """Cost plus price, by theme and person, for people of type g."""
        reduced: Costs = self.cost[:, begin:end].copy()
        reduced += heads[:, g, None].astype(reduced.dtype)
        return reduced

    def margins(self, reduced: Costs, begin: int, end: int) -> tuple[Costs, Costs, int]:
        """The dearest wanted and the cheapest unwanted reduced cost of each, and what all that is wanted costs."""
        top = np.iinfo(reduced.dtype).max
        lowest = np.full((self.most_units + 1, end - begin), top, dtype=reduced.dtype)
        higher, spare = np.empty_like(reduced[0]), np.empty_like(reduced[0])
        for row in reduced:
            carry: Costs = row
            for level in lowest:
                np.maximum(level, carry, out=higher)
                np.minimum(level, carry, out=level)
                carry, higher, spare = higher, spare, higher
        wanted_levels = lowest[:-1]
        if self.alike and self.most_units:
            return lowest[-2], lowest[-1], int(wanted_levels.sum(dtype=np.int64))
        units = self.units[begin:end]
        everyone = np.arange(end - begin)
        wants = np.arange(self.most_units)[:, None] < units
        wanted = np.where(units > 0, lowest[np.maximum(units - 1, 0), everyone], -top)
        unwanted = np.where(units > 0, lowest[units, everyone], 1 - top)
        return wanted, unwanted, int(wanted_levels.sum(where=wants, dtype=np.int64))


def settle(crowd: Crowd, supply: ThemeSupply) -> Settled:
    """Solve network 1 for people who are all different.

    Raises NoAllocationError when the seats do not suffice.
    """
    supply = _from_zero(supply)
    market = _first_guess(crowd, supply) if len(crowd) <= 8 * SAMPLE else _Market(crowd, supply, _near(crowd, supply))
    cleared, seating = _clear(market)
    return cleared.settled(seating.given)


def _near(crowd: Crowd, supply: ThemeSupply) -> Prices:
    """Prices that clear a sample of the crowd."""
    market = _first_guess(*_sample(crowd, supply))
    try:
        return _clear(market)[0].prices
    except NoAllocationError:  # not all wishes of just these people can be met; of all people they may
        return market.prices


def _clear(market: _Market) -> tuple[_Market, _Seating]:
    """Move prices until everything contested can be seated.

    Raises NoAllocationError when prices would have to rise without end.
    """
    mark, count = market, 0
    while not (seating := _Seating(market)).complete:
        count += 1
        before, market = market, _follow(market, seating.direction())
        if market is before:
            raise NoAllocationError("the seats of all rounds together do not suffice")
        if count % PACE == 0:
            market, mark = _follow(market, market.prices_since(mark)), market
    return market, seating


def _from_zero(supply: ThemeSupply) -> ThemeSupply:
    """The same supply, without bounds that heads cannot be below anyway."""
    least, most, lower, upper = (
        np.maximum(counts, 0) for counts in (supply.least, supply.most, supply.lower, supply.upper)
    )
    return replace(supply, least=least, most=most, lower=lower, upper=upper)


def _follow(market: _Market, step: Ints) -> _Market:
    """Move prices by a step, and on by twice as much while D grows. By heads by theme and type, seats last."""
    while step.any():
        moved = market.moved(step)
        if moved.value <= market.value:
            break
        market, step = moved, 2 * step
    return market


class _Market:
    """What everyone and every workshop does at given prices: who is sure, who is contested, and D."""

    def __init__(self, crowd: Crowd, supply: ThemeSupply, prices: Prices) -> None:
        self.crowd, self.supply, self.prices = crowd, supply, prices
        self.sure: Ints = np.zeros_like(prices.heads)
        demand_value, beyond = 0, False
        tied, ties, open_ = [], [], []
        for g, begin, end in crowd.blocks():
            reduced = crowd.reduced(prices.heads, g, begin, end)
            wanted, unwanted, value = crowd.margins(reduced, begin, end)
            beyond |= int(wanted.max()) >= crowd.far // 2
            demand_value += value
            self.sure[:, g] += np.count_nonzero(reduced < unwanted, axis=1)
            who = np.flatnonzero(wanted == unwanted)
            mine, margin = reduced[:, who], wanted[who]
            tied.append(who + begin)
            ties.append(mine == margin)
            open_.append(crowd.units[begin:end][who] - np.count_nonzero(mine < margin, axis=0))
        self.tied = np.concatenate(tied) if tied else np.zeros(0, dtype=np.int64)
        self.ties = np.concatenate(ties, axis=1) if ties else np.zeros((len(crowd.cost), 0), dtype=bool)
        self.open = np.concatenate(open_) if open_ else np.zeros(0, dtype=np.int64)
        self.kind = np.searchsorted(crowd.ends, self.tied, side="right") - 1
        self.demand_value = demand_value
        self.low, self.high = _heads_range(supply, prices)
        self.value = -ENDLESS << 30 if beyond else demand_value + self._supply_value()
        """D; far below any other at prices that only somebody without a seat would pay."""

    def moved(self, step: Ints) -> _Market:
        """The market at other prices: heads by theme and type, seats in the last column.

        A head is never worth more than the weight above or below its seat, and nobody is paid to come without need.
        """
        seats = self.prices.seats + step[:, -1]
        seats = np.where(self.supply.least > 0, seats, np.maximum(seats, 0))
        above = self.prices.heads + step[:, :-1] - seats[:, None]
        heads = seats[:, None] + np.clip(above, -self.supply.weight, self.supply.weight)
        return _Market(self.crowd, self.supply, Prices(heads, seats))

    def _supply_value(self) -> int:
        supply, weight = self.supply, self.supply.weight
        seats, margin = self.prices.seats, self.prices.heads - self.prices.seats[:, None]
        balance = weight * (np.maximum(self.low - supply.upper, 0) - np.minimum(self.low, supply.lower))
        fill = np.where(seats > 0, supply.most, supply.least)
        return int((balance - margin * self.low).sum() - (seats * fill).sum())

    def prices_since(self, mark: _Market) -> Ints:
        """How prices have changed, as a step."""
        heads, seats = self.prices.heads - mark.prices.heads, self.prices.seats - mark.prices.seats
        return np.column_stack([heads, seats])

    def groups(self) -> Groups:
        """The contested people, by type, seats open and contested themes."""
        columns = [self.kind, self.open]
        for begin in range(0, len(self.ties), 62):
            bits = self.ties[begin : begin + 62]
            columns.append((bits * (1 << np.arange(len(bits), dtype=np.int64))[:, None]).sum(axis=0))
        return group_columns(columns, len(self.tied))

    def settled(self, given: Ints) -> Settled:
        """Everyone's themes: what they are sure of, and their share of what was contested."""
        crowd, groups = self.crowd, self.groups()
        sets = np.full((len(crowd), max(crowd.most_units, 1)), NOWHERE, dtype=np.int16)
        filled = np.zeros(len(crowd), dtype=np.int8)
        for g, begin, end in crowd.blocks():
            reduced = crowd.reduced(self.prices.heads, g, begin, end)
            _, unwanted, _ = crowd.margins(reduced, begin, end)
            for t, row in enumerate(reduced):
                who = np.flatnonzero(row < unwanted) + begin
                sets[who, filled[who]] = t
                filled[who] += 1
        first = groups.first
        dealt = share_themes(given, groups.size, self.open[first], -self.prices.heads[:, self.kind[first]].T)
        owner = self.tied[groups.order]
        for column in dealt.T:
            here = column != NOWHERE
            who = owner[here]
            sets[who, filled[who]] = column[here]
            filled[who] += 1
        everyone = np.empty_like(sets)
        everyone[crowd.order] = sets
        tied = crowd.order[self.tied]
        by_person = np.argsort(tied)
        return Settled(everyone, self.prices, tied[by_person], self.ties[:, by_person], self.demand_value)


def _heads_range(supply: ThemeSupply, prices: Prices) -> tuple[Ints, Ints]:
    """Fewest and most heads by theme and type that are best for a workshop at these prices.

    With d what a head pays above a seat: none below −weight, the lower bound up to 0, the upper bound from there on,
    any number at weight.
    """
    weight = supply.weight
    d = prices.heads - prices.seats[:, None]
    none = np.zeros_like(supply.lower)
    low = np.select([d <= -weight, d <= 0], [none, supply.lower], supply.upper)
    high = np.select([d < -weight, d < 0, d < weight], [none, supply.lower, supply.upper], ENDLESS)
    return (low, high) if weight else (none, np.where(d < 0, none, ENDLESS))


class _Seating:
    """The maximum flow of what is contested into seats and bands, or the cut that is in its way.

    Nodes: a group supplies its open seats; a head node for each (theme, type) its sure heads; a theme; the room, which
    takes all. Edges: group → head, at most one a person; head → theme and theme → room within what is best at the
    prices. What an edge must carry is moved to its ends.
    """

    def __init__(self, market: _Market) -> None:
        self.market, self.groups = market, market.groups()
        first = self.groups.first
        self.kind, self.ties, self.open = market.kind[first], market.ties[:, first].T, market.open[first]
        self.edges = _some_of_each(self.ties, np.zeros_like(self.ties))
        self._flow()
        while not self.complete and (lacking := self._lacking()).any():
            self.edges |= _some_of_each(lacking, self.edges)
            self._flow()

    def _flow(self) -> None:
        network, total = self._network()
        self.residual = nx.algorithms.flow.preflow_push(network, "supply", "demand", value_only=True)
        self.complete = bool(total == self.residual.graph["flow_value"])
        """Whether all contested seats are settled."""
        self.cut_off = set() if self.complete else self._cut_off()

    def _lacking(self) -> Bools:
        """Edges left out so far that would lead across the cut: without any, it is the cut of all edges."""
        groups = np.array([("group", k) in self.cut_off for k in range(len(self.ties))], dtype=bool)
        heads = self._heads_cut_off()
        lacking: Bools = self.ties & ~self.edges & groups[:, None] & ~heads.T[self.kind]
        return lacking

    def _heads_cut_off(self) -> Bools:
        themes, types = self.market.sure.shape
        return np.array([[("heads", t, g) in self.cut_off for g in range(types)] for t in range(themes)])

    def _network(self) -> tuple[nx.DiGraph, int]:
        market, supply = self.market, self.market.supply
        seats = market.prices.seats
        least, most = np.where(seats > 0, supply.most, supply.least), np.where(seats < 0, supply.least, supply.most)
        excess_heads = market.sure - market.low
        excess_themes = market.low.sum(axis=1) - least
        room = int(least.sum() - market.sure.sum() - (self.groups.size * self.open).sum())
        network = nx.DiGraph()
        network.add_nodes_from(["supply", "demand"])
        for k, (size, open_, g) in enumerate(
            zip(self.groups.size.tolist(), self.open.tolist(), self.kind.tolist(), strict=True)
        ):
            network.add_edge("supply", ("group", k), capacity=size * open_)
            for t in np.flatnonzero(self.edges[k]).tolist():
                network.add_edge(("group", k), ("heads", t, g), capacity=size)
        themes, types = market.sure.shape
        for t, g in itertools.product(range(themes), range(types)):
            _balance(network, ("heads", t, g), int(excess_heads[t, g]))
            width = int(market.high[t, g] - market.low[t, g])
            if width:
                network.add_edge(("heads", t, g), ("theme", t), capacity=width)
        for t in range(len(least)):
            _balance(network, ("theme", t), int(excess_themes[t]))
            if most[t] > least[t]:
                network.add_edge(("theme", t), ("room",), capacity=int(most[t] - least[t]))
        _balance(network, ("room",), room)
        return network, int(sum(edge["capacity"] for edge in network["supply"].values()))

    @property
    def given(self) -> Ints:
        """How many of each group get each theme."""
        given = np.zeros(self.ties.shape, dtype=np.int64)
        for k, t in zip(*np.nonzero(self.edges), strict=True):
            given[k, t] = self.residual["group", k]["heads", t, int(self.kind[k])]["flow"]
        return given

    def direction(self) -> Ints:
        """Which prices to raise, or which to lower, by 1: heads by theme and type, seats in the last column.

        The minimum cut keeps on one side what is too much wanted; its prices rise. If the room is among it, the room's
        price, which is 0 by definition, stays, and all others fall.
        """
        themes = np.array([("theme", t) in self.cut_off for t in range(len(self.market.sure))])
        side = np.column_stack([self._heads_cut_off(), themes])
        return side.astype(np.int64) - (("room",) in self.cut_off)

    def _cut_off(self) -> set[object]:
        """The nodes from which nothing more can flow to the demand."""
        reached, ahead = {"demand"}, ["demand"]
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


def _balance(network: nx.DiGraph, node: tuple[object, ...], excess: int) -> None:
    """Let a node send what it has too much, or take what it lacks."""
    network.add_node(node)
    if excess > 0:
        network.add_edge("supply", node, capacity=excess)
    elif excess < 0:
        network.add_edge(node, "demand", capacity=-excess)


def _sample(crowd: Crowd, supply: ThemeSupply) -> tuple[Crowd, ThemeSupply]:
    """People spread evenly over types and ids, and their part of seats and bands."""
    people = np.unique(np.linspace(0, len(crowd) - 1, min(SAMPLE, len(crowd))).astype(np.int64))
    share = len(people) / max(len(crowd), 1)
    # Upwards, so that what suffices for all suffices for some.
    most, upper = (np.ceil(counts * share).astype(np.int64) for counts in (supply.most, supply.upper))
    least, lower = (np.floor(counts * share).astype(np.int64) for counts in (supply.least, supply.lower))
    return crowd.part(people), replace(supply, least=least, most=most, lower=lower, upper=upper)


def _first_guess(crowd: Crowd, supply: ThemeSupply) -> _Market:
    """A market at prices near those that clear it: every theme's at which its seats suffice, beside the others' last.

    Prices begin at 0 and rise; where two themes outbid each other, the way they have come shows how far.
    """
    themes, types = supply.lower.shape
    nothing = Prices(np.zeros((themes, types), np.int64), np.zeros(themes, np.int64))
    market = _Market(crowd.blurred(), replace(supply, weight=supply.weight * BLUR), nothing)
    best = mark = market
    for count in range(1, SWEEPS):
        prices = _clearing_prices(market)
        if (np.abs(prices.seats - market.prices.seats) <= 1).all():
            break
        market = _Market(market.crowd, market.supply, prices)
        if count % PACE == 0:
            market, mark = _follow(market, market.prices_since(mark)), market
        best = max(best, market, key=lambda one: one.value)
    seats = -(-best.prices.seats // BLUR)
    above = np.clip(-(-best.prices.heads // BLUR) - seats[:, None], -supply.weight, supply.weight)
    return _Market(crowd, supply, Prices(seats[:, None] + above, seats))


def _clearing_prices(market: _Market) -> Prices:
    """The lowest price of each theme, not below 0, at which its seats suffice if all other prices stay.

    A type with more heads than its upper bound then pays up to the weight more, one with fewer than its lower bound up
    to the weight less. Whoever would pay just the price does not insist.
    """
    crowd, supply, weight = market.crowd, market.supply, market.supply.weight
    ends, blocks = crowd.ends, []
    for g in range(crowd.types):
        begin, end = int(ends[g]), int(ends[g + 1])
        reduced = crowd.reduced(market.prices.heads, g, begin, end)
        wanted, unwanted, _ = crowd.margins(reduced, begin, end)
        # At this price or less they take the theme: it is then cheaper than the next best.
        blocks.append(np.where(reduced <= wanted, unwanted, wanted) - crowd.cost[:, begin:end])

    everyone: Ints = np.concatenate(blocks, axis=1)

    def heads_at(price: Ints) -> Ints:
        return np.stack([np.count_nonzero(b > price[:, g, None], axis=1) for g, b in enumerate(blocks)], axis=1)

    def seated(price: Ints) -> Bools:
        base = price[:, None]
        here, least, most = (heads_at(base + step + np.zeros_like(supply.lower)) for step in (0, weight, -weight))
        heads = np.clip(here, np.minimum(supply.lower, most), np.maximum(supply.upper, least))
        suffice: Bools = heads.sum(axis=1) <= supply.most
        return suffice

    dearest = max(int(block.max(initial=0)) for block in blocks)
    top = np.full(len(supply.most), min(dearest, crowd.far))
    # Without bands first, which is quicker: types pay the weight more or less at most, so the price is not further off.
    rough = _lowest(lambda p: (everyone > p[:, None]).sum(axis=1) <= supply.most, np.zeros_like(top), top)
    seats = _lowest(seated, np.maximum(rough - weight, 0), rough + weight)
    base: Ints = np.repeat(seats[:, None], crowd.types, axis=1)
    dearer = _lowest(lambda p: heads_at(p) <= supply.upper, base, base + weight)
    cheaper = -_lowest(lambda p: heads_at(-p) >= supply.lower, -base, weight - base)
    return Prices(np.where(dearer > base, dearer, cheaper), seats)


def _lowest(enough: Callable[[Ints], Bools], low: Ints, high: Ints) -> Ints:
    """The lowest number from `low` to `high`, each for itself, that is enough; `high` if none is."""
    low = low - 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        fine = enough(middle)
        low, high = np.where(fine, low, middle), np.where(fine, middle, high)
    return high
