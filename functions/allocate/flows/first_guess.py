"""A first guess of the prices of network 1, theme by theme."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from functions.allocate.flows.crowd import BLUR, Crowd
from functions.allocate.flows.market import Market, follow
from functions.allocate.flows.prices import Prices
from functions.allocate.flows.themes import ThemeSupply
from functions.allocate.model.problem import Bools, Ints

SAMPLE = 2_000
"""People in the sample that gives the first guess."""

SWEEPS = 100
"""Times that the first guess goes through all themes, at most; it stops when nothing moves."""

CLOSE = BLUR // 4
"""The move of a price below which it counts as found; what is left the flow settles."""

PACE = 4
"""Steps after which prices are tried further along the way they have come; steps often repeat in turn."""


def sample(crowd: Crowd, supply: ThemeSupply) -> tuple[Crowd, ThemeSupply]:
    """People spread evenly over types and ids, and their part of seats and bands."""
    people = np.unique(np.linspace(0, len(crowd) - 1, min(SAMPLE, len(crowd))).astype(np.int64))
    share = len(people) / max(len(crowd), 1)
    # Upwards, so that what suffices for all suffices for some.
    most, upper = (np.ceil(counts * share).astype(np.int64) for counts in (supply.most, supply.upper))
    least, lower = (np.floor(counts * share).astype(np.int64) for counts in (supply.least, supply.lower))
    return crowd.part(people), replace(supply, least=least, most=most, lower=lower, upper=upper)


def first_guess(crowd: Crowd, supply: ThemeSupply, deadline: float) -> Market:
    """A market at prices near those that clear it: every theme's at which its seats suffice, beside the others' last.

    Prices begin at 0, or at those of a sample, and rise; where two themes outbid each other, the way they have come
    shows how far. At `deadline` (monotonic seconds) the best prices so far, which are not near yet.
    """
    themes, types = supply.lower.shape
    begin = Prices(np.zeros((themes, types), np.int64), np.zeros(themes, np.int64))
    if len(crowd) >= 2 * SAMPLE:
        found = first_guess(*sample(crowd, supply), deadline).prices
        begin = Prices(found.heads * BLUR, found.seats * BLUR)
    market = Market(crowd.blurred(), replace(supply, weight=supply.weight * BLUR), begin)
    best = mark = market
    idle = 0
    for count in range(1, SWEEPS):
        if time.monotonic() >= deadline or idle == PACE:
            break
        prices = _clearing_prices(market)
        if (np.abs(prices.seats - market.prices.seats) <= CLOSE).all():
            break
        market = Market(market.crowd, market.supply, prices)
        if count % PACE == 0:
            market, mark = follow(market, market.prices_since(mark)), market
        market = follow(market, BLUR * _whole(market.prices.seats > 0, types))
        idle = 0 if market.value > best.value else idle + 1  # themes and all together may undo each other's moves
        best = max(best, market, key=lambda one: one.value)
    seats = -(-best.prices.seats // BLUR)
    above = np.clip(-(-best.prices.heads // BLUR) - seats[:, None], -supply.weight, supply.weight)
    return _moved_together(Market(crowd, supply, Prices(seats[:, None] + above, seats)), deadline)


def _moved_together(market: Market, deadline: float) -> Market:
    """Prices moved for many themes at once while D grows: where all outbid each other, none can move alone.

    Up go the themes that are wanted by too many or have a price, and in all themes the types that are paid for coming;
    down go those with a price, and the types that pay more than others.
    """
    before = None
    while market is not before and time.monotonic() < deadline:
        before, types = market, market.crowd.types
        heads = np.clip(market.expected_heads(), market.low, market.high)
        up = _whole((heads.sum(axis=1) > market.supply.most) | (market.prices.seats > 0), types)
        up[:, :-1] |= market.prices.heads < market.prices.seats[:, None]
        market = follow(market, up)
        down = _whole(market.prices.seats > 0, types)
        down[:, :-1] |= market.prices.heads > market.prices.seats[:, None]
        market = follow(market, -down)
    return market


def _whole(themes: Bools, types: int) -> Ints:
    """A step of these themes: of their seats and of all types in them."""
    return np.repeat(themes.astype(np.int64)[:, None], types + 1, axis=1)


def _clearing_prices(market: Market) -> Prices:
    """The lowest price of each theme, not below 0, at which its seats suffice if all other prices stay.

    A type with more heads than its upper bound then pays up to the weight more, one with fewer than its lower bound up
    to the weight less. Ties at the price do not count as demand.
    """
    crowd, supply, weight = market.crowd, market.supply, market.supply.weight
    takers = _Takers(market)

    def seated(price: Ints) -> Bools:
        base = price[:, None]
        here, least, most = (takers.at(base + step) for step in (0, weight, -weight))
        heads = np.clip(here, np.minimum(supply.lower, most), np.maximum(supply.upper, least))
        suffice: Bools = heads.sum(axis=1) <= supply.most
        return suffice

    top = np.full(len(supply.most), min(takers.dearest, crowd.far))
    # Without bands first, which is quicker: types pay the weight more or less at most, so the price is not further off.
    rough = _lowest(lambda p: takers.at(p[:, None]).sum(axis=1) <= supply.most, np.zeros_like(top), top)
    seats = _lowest(seated, np.maximum(rough - weight, 0), rough + weight)
    base: Ints = np.repeat(seats[:, None], crowd.types, axis=1)
    dearer = _lowest(lambda p: takers.at(p) <= supply.upper, base, base + weight)
    cheaper = -_lowest(lambda p: takers.at(-p) >= supply.lower, -base, weight - base)
    return Prices(np.where(dearer > base, dearer, cheaper), seats)


class _Takers:
    """How many people take a theme at a price of it, all other prices as they are, by theme and type.

    A person takes it at less than the difference to the next best theme. These limits are sorted, so that a count is a
    search: all themes and types are searched at once, each in a range of numbers of its own.
    """

    def __init__(self, market: Market) -> None:
        crowd = market.crowd
        self.last = np.outer(np.ones(len(crowd.cost), np.int64), crowd.ends[1:]) + _row_starts(crowd)
        limits = np.empty_like(crowd.cost)
        for (g, begin, end), (wanted, unwanted) in zip(crowd.blocks(), market.margins, strict=True):
            reduced = crowd.reduced(market.prices.heads, g, begin, end)
            mine = np.where(reduced <= wanted, unwanted, wanted)
            limits[:, begin:end] = mine - crowd.cost[:, begin:end]
        for begin, end in pairwise(crowd.ends.tolist()):
            limits[:, begin:end].sort(axis=1)
        self.cheapest, self.dearest = int(limits.min(initial=0)), int(limits.max(initial=0))
        self.offset = np.arange(self.last.size).reshape(self.last.shape) * (self.dearest - self.cheapest + 2)
        of_type = np.repeat(np.arange(crowd.types), np.diff(crowd.ends))
        self.ordered: Ints = (limits + self.offset[:, of_type]).ravel()

    def at(self, price: Ints) -> Ints:
        """By theme and type, at a price by theme (and type)."""
        within = np.clip(price, self.cheapest - 1, self.dearest)
        return np.asarray(self.last - np.searchsorted(self.ordered, self.offset + within, side="right"))


def _row_starts(crowd: Crowd) -> Ints:
    """Where the people of each theme begin if all themes follow one another, as a column."""
    starts: Ints = np.arange(len(crowd.cost))[:, None] * len(crowd)
    return starts


def _lowest(enough: Callable[[Ints], Bools], low: Ints, high: Ints) -> Ints:
    """The lowest number from `low` to `high`, each for itself, that is enough; `high` if none is."""
    low = low - 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        fine = enough(middle)
        low, high = np.where(fine, low, middle), np.where(fine, middle, high)
    return high
