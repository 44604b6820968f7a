"""People by column, for network 1 when hardly two of them are alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.problem import Bools, Ints

BLUR = 8
"""Parts of a unit of cost in which the first guess reckons."""

BLOCK = 1 << 15
"""People looked at together: few enough for the processor's cache."""

FEW = 2_000
"""People up to whom sorting all themes of each is quicker than passing the lowest from row to row."""

FAR_IN_32_BITS = 1 << 28
"""Below it sums of costs and prices fit 32 bits, which are counted and sorted twice as fast."""

Costs = NDArray[np.int64] | NDArray[np.int32]


@dataclass(frozen=True)
class Crowd:
    """People by column, one partner type after another: cost of each theme (theme by person) and units wanted.

    `order` is the attendee number of each column and `ends` where the types begin and end. `far` is a cost that no
    price makes good: prices are paths in a network of as many nodes as it counts. `alike` says that everyone wants
    `most_units`.
    """

    order: Ints
    units: Ints
    cost: Costs
    ends: Ints
    far: int
    most_units: int
    alike: bool

    def __len__(self) -> int:
        return len(self.units)

    @property
    def types(self) -> int:
        """Number of partner types."""
        return len(self.ends) - 1

    def part(self, people: Ints) -> Crowd:
        """The same for some of the people, by their place in `order`."""
        return replace(
            self,
            order=self.order[people],
            units=self.units[people],
            cost=self.cost[:, people],
            ends=np.searchsorted(people, self.ends),
        )

    def blurred(self) -> Crowd:
        """The same at `BLUR` times the cost and a little more, by chance: hardly anything is tied any more."""
        chance = np.random.default_rng(0).integers(0, BLUR, size=self.cost.shape, dtype=np.int8)
        far = self.far * BLUR
        cost: Costs = self.cost.astype(np.int32) if far < FAR_IN_32_BITS else self.cost.astype(np.int64)
        cost *= BLUR
        cost += chance
        return replace(self, far=far, cost=cost)

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
        lowest = _lowest_of_each(reduced, self.most_units + 1)
        wanted_levels = lowest[:-1]
        if self.alike and self.most_units:
            return lowest[-2], lowest[-1], int(wanted_levels.sum(dtype=np.int64))
        units = self.units[begin:end]
        everyone = np.arange(end - begin)
        wants = np.arange(self.most_units)[:, None] < units
        wanted = np.where(units > 0, lowest[np.maximum(units - 1, 0), everyone], -top)
        unwanted = np.where(units > 0, lowest[units, everyone], 1 - top)
        return wanted, unwanted, int(wanted_levels.sum(where=wants, dtype=np.int64))


def _lowest_of_each(reduced: Costs, count: int) -> Costs:
    """The lowest costs of each person, a row for each place; the largest number where there are no more themes."""
    lowest = np.full((count, reduced.shape[1]), np.iinfo(reduced.dtype).max, dtype=reduced.dtype)
    if reduced.shape[1] <= FEW:
        some = np.sort(reduced, axis=0)[:count]
        lowest[: len(some)] = some
        return lowest
    higher, spare = np.empty_like(lowest[0]), np.empty_like(lowest[0])
    for row in reduced:
        carry: Costs = row
        for level in lowest:
            np.maximum(level, carry, out=higher)
            np.minimum(level, carry, out=level)
            carry, higher, spare = higher, spare, higher
    return lowest


def make_crowd(cost: Costs, allowed: Bools | None, units: Ints, partner_type: Ints, types: int, weight: int) -> Crowd:
    """Put people in columns. `cost` and `allowed` by theme and person; without `allowed` all is allowed."""
    order = np.argsort(partner_type, kind="stable")
    nodes = len(cost) * (types + 1) + 2
    far = 4 * nodes * (int(cost.max(initial=0)) + 2 * weight + 1)
    ordered = cost[:, order]
    columns: Costs = ordered.astype(np.int32) if far < FAR_IN_32_BITS else ordered.astype(np.int64)
    if allowed is not None:
        columns[~allowed[:, order]] = far
    most = int(units.max(initial=0))
    return Crowd(
        order=order,
        units=units[order],
        cost=columns,
        ends=np.concatenate([[0], np.cumsum(np.bincount(partner_type, minlength=types))]),
        far=far,
        most_units=most,
        alike=bool((units == most).all()),
    )
