"""Network 1 for crowds in which hardly two people are alike: prices tell what is contested, the flow settles it.

1. A sample is solved with seats scaled down; its prices are a first guess for everyone.
2. At these prices everyone's themes have a reduced cost. Clearly among the cheapest: *sure*. Clearly not: *out*. The
   rest is *contested*. People of one type with the same contested themes, relative costs and seats still open are one
   group, so the network stays small whatever the crowd.
3. The contested part is solved as network 1, in which a seat too many or too few costs about its present price, so
   that prices move a step and not a leap (Marsten's boxstep). The new prices are tried on everyone: if nobody would
   rather have what was ruled out, and no seat is too many, primal equals dual and the answer is exact. If not, these
   prices are the next guess.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from functions.allocate.certificate import Prices, theme_prices
from functions.allocate.groups import group_columns
from functions.allocate.problem import NOWHERE, Bools, Ints, Places
from functions.allocate.shares import share_themes
from functions.allocate.themes import ThemeDemand, ThemeSupply, assign_themes, without

SAMPLE = 200
"""People in the first sample; each further stage has `GROWTH` times as many."""

GROWTH = 32

NEAREST = 4
"""Themes beyond the wanted ones that the first sample looks at, per person."""

CONTESTED_SHARE = 0.3
"""Share of people whose wanted and unwanted themes are held to be close."""

MOST_EDGES = 6_000
"""Edges of a contested network that NetworkX solves without being felt; above, the window is narrowed."""

PATIENCE = 3
"""Tries with one window, before it is widened."""

MOST_TRIES = 40
"""Guesses at one crowd, before the whole network is solved as it stands."""

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
    exact: bool
    demand_value: int = 0


class Crowd:
    """People by column: cost of each theme (theme by person), units wanted, partner type."""

    def __init__(self, cost: Costs, allowed: Bools | None, units: Ints, partner_type: Ints, types: int) -> None:
        """`cost` and `allowed` by theme and person; without `allowed` everyone may take everything."""
        self.span = int(cost.max(initial=0)) + 1
        self.cost = cost
        if allowed is not None:
            self.cost = np.where(allowed, cost, cost.dtype.type(self.far))
        self.units, self.partner_type, self.types = units, partner_type, types
        self.most_units = int(units.max(initial=0))

    @property
    def far(self) -> int:
        """A cost that no price makes good."""
        return min(1 << 28, self.span * 1000)

    def __len__(self) -> int:
        return len(self.units)

    def subset(self, people: Ints) -> Crowd:
        """The same for some of the people."""
        part = object.__new__(Crowd)
        part.span, part.most_units, part.types = self.span, self.most_units, self.types
        part.cost, part.units, part.partner_type = self.cost[:, people], self.units[people], self.partner_type[people]
        return part

    def reduced(self, prices: Ints) -> Costs:
        """Cost plus price, by theme and person."""
        table = prices.astype(self.cost.dtype)
        reduced = np.empty_like(self.cost)
        for t in range(len(table)):
            np.add(self.cost[t], table[t][self.partner_type], out=reduced[t])
        return reduced

    def margins(self, reduced: Costs) -> tuple[Costs, Costs]:
        """The dearest wanted and the cheapest unwanted reduced cost of each person."""
        top = np.iinfo(reduced.dtype).max // 2  # whoever wants every theme there is leaves none: nothing is near
        lowest = np.full((self.most_units + 1, len(self)), top, dtype=reduced.dtype)
        for row in reduced:
            carry = row
            for level in range(len(lowest)):
                carry, lowest[level] = np.maximum(lowest[level], carry), np.minimum(lowest[level], carry)
        if (self.units == self.most_units).all() and self.most_units:
            return lowest[self.most_units - 1], lowest[self.most_units]
        everyone = np.arange(len(self))
        wanted = np.where(self.units > 0, lowest[np.maximum(self.units - 1, 0), everyone], -top)
        unwanted = np.where(self.units > 0, lowest[self.units, everyone], top)
        return wanted, unwanted


def settle(crowd: Crowd, supply: ThemeSupply) -> Settled:
    """Solve network 1 for people who are all different.

    Raises NoAllocationError when the seats do not suffice.
    """
    prices = _first_prices(crowd, supply)
    size = SAMPLE * GROWTH
    while size * 4 < len(crowd):
        part = crowd.subset(_every(len(crowd), size))
        prices = _settle_crowd(part, _scaled(supply, len(part) / len(crowd)), prices, tries=4).prices
        size *= GROWTH
    settled = _settle_crowd(crowd, supply, prices, tries=MOST_TRIES)
    return settled if settled.exact else _settle_whole(crowd, supply)


def _every(people: int, size: int) -> Ints:
    """`size` people spread evenly over the order of ids, so that the sample depends on nothing else."""
    return np.unique(np.linspace(0, people - 1, min(size, people)).astype(np.int64))


def _scaled(supply: ThemeSupply, share: float) -> ThemeSupply:
    """Seats and bands for a part of the crowd."""
    least, most, lower, upper = (
        np.rint(counts * share).astype(np.int64) for counts in (supply.least, supply.most, supply.lower, supply.upper)
    )
    return replace(supply, least=least, most=most, lower=lower, upper=upper)


def _first_prices(crowd: Crowd, supply: ThemeSupply) -> Prices:
    """Prices of a small sample, each person with their nearest themes only."""
    part = crowd.subset(_every(len(crowd), SAMPLE))
    themes = len(part.cost)
    near = np.argsort(np.argsort(part.cost, axis=0, kind="stable"), axis=0) < part.units + NEAREST
    demand = ThemeDemand(
        partner_type=part.partner_type,
        size=np.ones(len(part), dtype=np.int64),
        units=part.units,
        cost=part.cost.T.astype(np.int64),
        allowed=np.asarray((near & (part.cost < part.far)).T),
    )
    part_supply = _scaled(supply, len(part) / max(len(crowd), 1))
    penalty = np.full(themes, 4 * (part.span + 2 * supply.weight), dtype=np.int64)
    loose = replace(part_supply, low=-penalty, high=penalty)
    given = assign_themes(demand, loose)
    return theme_prices(demand, loose, given)


def _settle_crowd(crowd: Crowd, supply: ThemeSupply, prices: Prices, *, tries: int) -> Settled:
    """Guess, solve what is contested, try the prices on everyone; until they hold or the tries are used up.

    Guesses that go round in circles see too little: every third try without success widens the window.
    """
    window, most_edges = -1, MOST_EDGES
    for attempt in range(tries):
        reduced = crowd.reduced(prices.heads)
        wanted, unwanted = crowd.margins(reduced)
        gap = unwanted - wanted
        if window < 0:
            window = min(_window(gap), crowd.far)
        elif attempt % PATIENCE == 0:
            window, most_edges = min(2 * window + 1, crowd.far), 2 * most_edges
        contest = _Contest(crowd, reduced, wanted, unwanted, gap, window)
        while contest.edges > most_edges and window > 1:
            window = window * 2 // 3
            contest = _Contest(crowd, reduced, wanted, unwanted, gap, window)
        heads = contest.sure_heads()
        step = max(window // 2, 1)
        loose = replace(supply, low=prices.seats - step, high=np.maximum(prices.seats + step, 0))
        given = assign_themes(contest.demand, without(loose, heads))
        prices = theme_prices(contest.demand, loose, given, prices, heads)
        if _seats_hold(supply, heads.sum(axis=1) + given.sum(axis=0), prices.seats):
            sets = contest.sets(given)
            reduced = crowd.reduced(prices.heads)
            wanted, unwanted = crowd.margins(reduced)
            value = _value_if_content(crowd, reduced, sets, wanted, unwanted)
            if value is not None:
                return _settled(sets, prices, reduced, wanted, unwanted, value)
    nobody = np.zeros(0, dtype=np.int64)
    return Settled(np.zeros((0, 0), dtype=np.int16), prices, nobody, np.zeros((0, 0), dtype=bool), exact=False)


def _settled(sets: Places, prices: Prices, reduced: Costs, wanted: Costs, unwanted: Costs, value: int) -> Settled:
    tied = np.flatnonzero(wanted == unwanted)
    return Settled(sets, prices, tied, np.asarray(reduced[:, tied] == wanted[tied]), exact=True, demand_value=value)


def _seats_hold(supply: ThemeSupply, taken: Ints, price: Ints) -> bool:
    """Whether no seat is too many or too few, and only what is scarce has a price."""
    within = (taken <= supply.most) & (taken >= supply.least)
    fair = (price == 0) | ((price > 0) & (taken == supply.most)) | ((price < 0) & (taken == supply.least))
    return bool((within & fair).all())


def _window(gap: Costs) -> int:
    """How close wanted and unwanted must be for a contest: so that a fair share of the people is in one."""
    some = gap[:: max(len(gap) // 10_000, 1)]
    return max(int(np.quantile(some, CONTESTED_SHARE)), 1) if len(some) else 1


def _value_if_content(crowd: Crowd, reduced: Costs, sets: Places, wanted: Costs, unwanted: Costs) -> int | None:
    """What all sets cost at the prices, if nobody would rather have another one; else None."""
    everyone = np.arange(len(crowd))
    value = 0
    for column in range(sets.shape[1]):
        here = sets[:, column] != NOWHERE
        got = reduced[np.where(here, sets[:, column], 0), everyone]
        if (here & ((got > wanted) | (got >= crowd.far // 2))).any():
            return None
        value += int(got.sum(where=here, dtype=np.int64))
    return value if bool((unwanted >= wanted).all()) else None


class _Contest:
    """Who is sure of what at the present prices, and the contested rest in groups."""

    def __init__(self, crowd: Crowd, reduced: Costs, wanted: Costs, unwanted: Costs, gap: Costs, window: int) -> None:
        self.crowd = crowd
        self.people = np.flatnonzero(gap <= window)
        mine = reduced[:, self.people]
        low, high = unwanted[self.people] - window, wanted[self.people] + window
        sure = mine < low
        code = np.where(sure | (mine > high), -1, mine - low)
        self.open = crowd.units[self.people] - sure.sum(axis=0)
        kind = crowd.partner_type[self.people]
        self.groups = group_columns([kind, self.open, *code], len(self.people))
        first = self.groups.first
        self.contested = (code >= 0)[:, first].T
        self.edges = int(self.contested.sum())
        self.sure = sure
        self.reduced, self.wanted = reduced, wanted
        self.demand = ThemeDemand(
            partner_type=kind[first],
            size=self.groups.size,
            units=self.open[first],
            # Costs within a group differ by a constant from person to person; the smallest is left out.
            cost=_from_zero(crowd.cost[:, self.people[first]].T.astype(np.int64), self.contested),
            allowed=self.contested,
        )

    def sure_heads(self) -> Ints:
        """Heads by theme and type of what is sure."""
        crowd = self.crowd
        calm = np.ones(len(crowd), dtype=bool)
        calm[self.people] = False
        themes, types = len(crowd.cost), int(crowd.types)
        heads = np.empty((themes, types), dtype=np.int64)
        contested_kind = crowd.partner_type[self.people]
        for t in range(themes):
            settled = calm & (self.reduced[t] <= self.wanted)
            heads[t] = np.bincount(crowd.partner_type[settled], minlength=types)
            heads[t] += np.bincount(contested_kind[self.sure[t]], minlength=types)
        return heads

    def sets(self, given: Ints) -> Places:
        """Everyone's themes: what they are sure of, and their share of what was contested."""
        crowd, groups = self.crowd, self.groups
        columns = max(crowd.most_units, 1)
        sets = np.full((len(crowd), columns), NOWHERE, dtype=np.int16)
        filled = np.zeros(len(crowd), dtype=np.int8)
        calm = np.ones(len(crowd), dtype=bool)
        calm[self.people] = False
        for t in range(len(self.sure)):
            mine = calm & (self.reduced[t] <= self.wanted)
            mine[self.people] = self.sure[t]
            who = np.flatnonzero(mine)
            sets[who, filled[who]] = t
            filled[who] += 1
        dealt = share_themes(given, groups.size, self.demand.units, self.demand.cost)
        owner = self.people[groups.order]
        for column in range(dealt.shape[1]):
            here = dealt[:, column] != NOWHERE
            who = owner[here]
            sets[who, filled[who]] = dealt[here, column]
            filled[who] += 1
        return sets


def _from_zero(cost: Ints, contested: Bools) -> Ints:
    least = np.where(contested, cost, np.iinfo(np.int64).max).min(axis=1, keepdims=True, initial=np.iinfo(np.int64).max)
    moved: Ints = np.where(contested, cost - least, 0)
    return moved


def _settle_whole(crowd: Crowd, supply: ThemeSupply) -> Settled:
    """Network 1 with a node for each person: slow, and always right.

    Raises NoAllocationError when the seats do not suffice.
    """
    demand = ThemeDemand(
        partner_type=crowd.partner_type,
        size=np.ones(len(crowd), dtype=np.int64),
        units=crowd.units,
        cost=crowd.cost.T.astype(np.int64),
        allowed=np.asarray((crowd.cost < crowd.far).T),
    )
    given = assign_themes(demand, supply)
    prices = theme_prices(demand, supply, given)
    dealt = share_themes(given, demand.size, demand.units, demand.cost)
    reduced = crowd.reduced(prices.heads)
    wanted, unwanted = crowd.margins(reduced)
    value = _value_if_content(crowd, reduced, dealt, wanted, unwanted)
    if value is None:
        raise AssertionError("network 1 and its prices do not agree")
    return _settled(dealt, prices, reduced, wanted, unwanted, value)
