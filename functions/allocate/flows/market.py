"""What everyone and every workshop does at given prices: who is sure, who is contested, and the dual value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from functions.allocate.fairness.shares import share_themes
from functions.allocate.flows.crowd import Costs, Crowd
from functions.allocate.flows.prices import Prices
from functions.allocate.flows.themes import ThemeSupply
from functions.allocate.model.groups import Groups, group_columns
from functions.allocate.model.problem import NOWHERE, Bools, Ints, Places

ENDLESS = 1 << 40
"""Capacity of an edge without a limit."""


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


@dataclass(frozen=True)
class Contested:
    """Who is contested at some prices, a person a column: `tied` are their places in the crowd.

    `ties` are the themes as dear as the dearest they want, `open` how many of these they get. `sure` counts, by theme
    and type, everyone for whom a theme is cheaper than that.
    """

    sure: Ints
    tied: Ints
    ties: Bools
    open: Ints
    partner_type: Ints


class Market:
    """What everyone and every workshop does at given prices: D, and who is contested.

    `margins` are, for each block of the crowd, the dearest wanted and the cheapest unwanted reduced cost of each.
    """

    def __init__(self, crowd: Crowd, supply: ThemeSupply, prices: Prices) -> None:
        self.crowd, self.supply, self.prices = crowd, supply, prices
        self.margins: list[tuple[Costs, Costs]] = []
        self.demand_value, beyond = 0, False
        for g, begin, end in crowd.blocks():
            wanted, unwanted, value = crowd.margins(crowd.reduced(prices.heads, g, begin, end), begin, end)
            self.margins.append((wanted, unwanted))
            beyond |= int(wanted.max()) >= crowd.far // 2
            self.demand_value += value
        self.low, self.high = heads_range(supply, prices)
        self.value = -ENDLESS << 30 if beyond else self.demand_value + self._supply_value()
        """D; far below any other at prices that only a person without a seat would pay."""

    @cached_property
    def contested(self) -> Contested:
        """Who is contested. Looked at only when it is asked for: most prices are tried for their D alone."""
        crowd, sure = self.crowd, np.zeros_like(self.prices.heads)
        tied = [np.zeros(0, dtype=np.int64)]
        ties, open_ = [np.zeros((len(crowd.cost), 0), dtype=bool)], [np.zeros(0, dtype=np.int64)]
        for (g, begin, end), (wanted, unwanted) in zip(crowd.blocks(), self.margins, strict=True):
            reduced = crowd.reduced(self.prices.heads, g, begin, end)
            sure[:, g] += np.count_nonzero(reduced < unwanted, axis=1)
            who = np.flatnonzero(wanted == unwanted)
            mine, margin = reduced[:, who], wanted[who]
            tied.append(who + begin)
            ties.append(mine == margin)
            open_.append(crowd.units[begin:end][who] - np.count_nonzero(mine < margin, axis=0))
        everyone = np.concatenate(tied)
        partner_type = np.searchsorted(crowd.ends, everyone, side="right") - 1
        return Contested(sure, everyone, np.concatenate(ties, axis=1), np.concatenate(open_), partner_type)

    def moved(self, step: Ints) -> Market:
        """The market at other prices: heads by theme and type, seats in the last column.

        A head is never worth more than the weight above or below its seat, and nobody is paid to come without need.
        Nor is a seat worth more than what no price makes good.
        """
        seats = np.clip(self.prices.seats + step[:, -1], -self.crowd.far, self.crowd.far)
        seats = np.where(self.supply.least > 0, seats, np.maximum(seats, 0))
        above = self.prices.heads + step[:, :-1] - seats[:, None]
        heads = seats[:, None] + np.clip(above, -self.supply.weight, self.supply.weight)
        return Market(self.crowd, self.supply, Prices(heads, seats))

    def expected_heads(self) -> NDArray[np.float64]:
        """Heads by theme and type, if everyone contested shared their open seats evenly between their themes."""
        who = self.contested
        heads = who.sure.astype(np.float64)
        share = who.open / who.ties.sum(axis=0)
        ends = np.searchsorted(who.partner_type, np.arange(self.crowd.types + 1))
        for g, (begin, end) in enumerate(pairwise(ends)):
            heads[:, g] += who.ties[:, begin:end] @ share[begin:end]
        return heads

    def _supply_value(self) -> int:
        supply, weight = self.supply, self.supply.weight
        seats, margin = self.prices.seats, self.prices.heads - self.prices.seats[:, None]
        balance = weight * (np.maximum(self.low - supply.upper, 0) - np.minimum(self.low, supply.lower))
        fill = np.where(seats > 0, supply.most, supply.least)
        return int((balance - margin * self.low).sum() - (seats * fill).sum())

    def prices_since(self, mark: Market) -> Ints:
        """How prices have changed, as a step."""
        heads, seats = self.prices.heads - mark.prices.heads, self.prices.seats - mark.prices.seats
        return np.column_stack([heads, seats])

    def groups(self) -> Groups:
        """The contested people, by type, seats open and contested themes."""
        who = self.contested
        columns = [who.partner_type, who.open]
        for begin in range(0, len(who.ties), 62):
            bits = who.ties[begin : begin + 62]
            columns.append((bits * (1 << np.arange(len(bits), dtype=np.int64))[:, None]).sum(axis=0))
        return group_columns(columns, len(who.tied))

    def settled(self, given: Ints) -> Settled:
        """Everyone's themes: what they are sure of, and their share of what was contested."""
        crowd, groups, contested = self.crowd, self.groups(), self.contested
        sets = np.full((len(crowd), max(crowd.most_units, 1)), NOWHERE, dtype=np.int16)
        filled = np.zeros(len(crowd), dtype=np.int8)
        for (g, begin, end), (_, unwanted) in zip(crowd.blocks(), self.margins, strict=True):
            reduced = crowd.reduced(self.prices.heads, g, begin, end)
            for t, row in enumerate(reduced):
                who = np.flatnonzero(row < unwanted) + begin
                sets[who, filled[who]] = t
                filled[who] += 1
        first = groups.first
        dealt = share_themes(
            given, groups.size, contested.open[first], -self.prices.heads[:, contested.partner_type[first]].T
        )
        owner = contested.tied[groups.order]
        for column in dealt.T:
            here = column != NOWHERE
            who = owner[here]
            sets[who, filled[who]] = column[here]
            filled[who] += 1
        everyone = np.empty_like(sets)
        everyone[crowd.order] = sets
        tied = crowd.order[contested.tied]
        by_person = np.argsort(tied)
        return Settled(everyone, self.prices, tied[by_person], contested.ties[:, by_person], self.demand_value)


def follow(market: Market, step: Ints) -> Market:
    """Move prices by a step, and on by twice as much while D grows. By heads by theme and type, seats last."""
    while step.any():
        moved = market.moved(step)
        if moved.value <= market.value:
            break
        market, step = moved, 2 * step
    return market


def heads_range(supply: ThemeSupply, prices: Prices) -> tuple[Ints, Ints]:
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
