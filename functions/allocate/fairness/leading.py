"""The residual network of network 1 without its people: ways on which a head too many is led to where one is lacking.

Nodes: a head (theme, type), a theme, and the room, which has the seats that may stay free. Between two themes of a type
people may change, between heads, themes and the room there is what is left of the leeway.

Of each head two sets of people are kept, as the bits of one integer: those who hold the theme and may give it up, and
those who may take it. Both at once count the people who may change from one theme to another, and those with the worst
lots are its highest bits; so leading many people costs no more than leading one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from functions.allocate.model.problem import Bools, Ints


@dataclass(frozen=True)
class Leeway:
    """Heads that cost nothing more at the prices: `low` to `high` by theme and type, `least` to `most` by theme."""

    low: Ints
    high: Ints
    least: Ints
    most: Ints


class Condensed:
    """Where heads are too many and too few, and the ways between.

    Nodes are numbers: heads by type and theme, then themes, then the room. `give` and `take` are, by head, the people
    who may give the theme up and those who may take it. `surplus` is what came to a head and was not led on: below 0,
    what is lacking. `changed` are the heads whose people changed.
    """

    def __init__(self, heads: Ints, leeway: Leeway) -> None:
        self.themes, self.types = map(int, heads.shape)
        self.first_theme = self.themes * self.types
        self.room = self.first_theme + self.themes
        self.give: list[int] = [0] * self.first_theme
        self.take: list[int] = [0] * self.first_theme
        self.up: list[int] = (leeway.high - heads).T.ravel().tolist()
        self.down: list[int] = (heads - leeway.low).T.ravel().tolist()
        total = heads.sum(axis=1)
        self.free: list[int] = (leeway.most - total).tolist()
        self.spare: list[int] = (total - leeway.least).tolist()
        self.surplus: dict[int, int] = {}
        self.changed: set[int] = set()
        self.before: dict[int, int] = {}

    def shift(self, loss: Ints, gain: Ints, partner_type: Ints) -> None:
        """Note that a person of each of these types went from one theme to another."""
        change = np.bincount(partner_type * self.themes + gain, minlength=self.first_theme)
        change -= np.bincount(partner_type * self.themes + loss, minlength=self.first_theme)
        for head in np.flatnonzero(change).tolist():
            self._add_surplus(head, int(change[head]))

    def _add_surplus(self, head: int, count: int) -> None:
        after = self.surplus.pop(head, 0) + count
        if after:
            self.surplus[head] = after

    def lead_on(self) -> tuple[Bools, int] | None:
        """Lead heads from where they are too many to where they are too few; else the cut in the way, and how many."""
        while excess := sum(count for count in self.surplus.values() if count > 0):
            ways = self._ways()
            if not ways:
                return self._reached(), excess
            for way in ways:
                count = self._bottleneck(way)
                if count > 0:  # those before may have used it up
                    self._follow(way, count)
        return None

    def _ways(self) -> list[list[int]]:
        """Shortest ways from any surplus to everywhere that heads are lacking, by one search; none if there are none.

        They share steps, so that a way may be used up before its turn. A person who was reached once leads to all they
        may take, so nobody is looked at twice.
        """
        surplus, take, down = self.surplus, self.take, self.down
        self.before = before = {head: -1 for head, count in sorted(surplus.items()) if count > 0}
        lacking = len(surplus) - len(before)
        found: list[int] = []
        seen = [0] * self.types
        left = [dict.fromkeys(range(begin, begin + self.themes)) for begin in range(0, self.first_theme, self.themes)]
        for head in before:
            del left[head // self.themes][head]
        ahead = deque(before)
        while ahead and len(found) < lacking:
            node = ahead.popleft()
            new: list[int] = []
            if node < self.first_theme:
                g, t = divmod(node, self.themes)
                people = self.give[node] & ~seen[g]
                if people:
                    seen[g] |= people
                    new = [head for head in left[g] if people & take[head]]
                theme = self.first_theme + t
                if self.up[node] > 0 and theme not in before:
                    before[theme] = node
                    ahead.append(theme)
            elif node < self.room:
                t = node - self.first_theme
                heads = range(t, self.first_theme, self.themes)
                new = [head for head in heads if down[head] > 0 and head not in before]
                if self.free[t] > 0 and self.room not in before:
                    before[self.room] = node
                    ahead.append(self.room)
            else:
                for t, spare in enumerate(self.spare):
                    if spare > 0 and self.first_theme + t not in before:
                        before[self.first_theme + t] = node
                        ahead.append(self.first_theme + t)
            for head in new:
                before[head] = node
                del left[head // self.themes][head]
                if head in surplus:
                    found.append(head)
            ahead.extend(new)
        return [self._way_to(head) for head in found]

    def _way_to(self, node: int) -> list[int]:
        way = [node]
        while (earlier := self.before[way[-1]]) >= 0:
            way.append(earlier)
        return way[::-1]

    def _reached(self) -> Bools:
        """The heads that the last search reached, by theme and type."""
        found = np.zeros(self.first_theme, dtype=bool)
        found[[node for node in self.before if node < self.first_theme]] = True
        return found.reshape(self.types, self.themes).T

    def _bottleneck(self, way: list[int]) -> int:
        """How many heads can be led along a way."""
        ends = [self.surplus.get(way[0], 0), -self.surplus.get(way[-1], 0)]
        return min(ends + [self._capacity(tail, head) for tail, head in pairwise(way)])

    def _capacity(self, tail: int, head: int) -> int:
        if tail < self.first_theme:
            return (self.give[tail] & self.take[head]).bit_count() if head < self.first_theme else self.up[tail]
        if head < self.first_theme:
            return self.down[head]
        return self.spare[head - self.first_theme] if tail == self.room else self.free[tail - self.first_theme]

    def _follow(self, way: list[int], count: int) -> None:
        """Lead so many heads along a way; where people must change for it, those with the worst lots do."""
        self._add_surplus(way[0], -count)
        self._add_surplus(way[-1], count)
        for tail, head in pairwise(way):
            if tail < self.first_theme and head < self.first_theme:
                people = _highest(self.give[tail] & self.take[head], count)
                self.give[tail] ^= people
                self.take[tail] |= people
                self.give[head] |= people
                self.take[head] ^= people
                self.changed |= {tail, head}
            elif tail < self.first_theme:
                self.up[tail] -= count
                self.down[tail] += count
            elif head < self.first_theme:
                self.down[head] -= count
                self.up[head] += count
            elif tail == self.room:
                self.spare[head - self.first_theme] -= count
                self.free[head - self.first_theme] += count
            else:
                self.free[tail - self.first_theme] -= count
                self.spare[tail - self.first_theme] += count

    def closure(self) -> Bools:
        """By type, theme and theme: whether a head more in the first can be led on to the second, of the same type."""
        onward = [self._onward(node) | 1 << node for node in range(self.room + 1)]
        reach: dict[int, int] = {}
        known = 0
        for node in range(self.room + 1):
            found = ahead = 1 << node
            while ahead:
                one = _lowest(ahead & known or ahead)
                new = reach.get(one, onward[one]) & ~found
                found |= new
                # What is known of a node holds all that lies behind it.
                ahead = ahead & ~reach[one] if one in reach else (ahead | new) & ~(1 << one)
            reach[node] = found
            known |= 1 << node
        size = -(-(self.room + 1) // 8)
        rows = np.frombuffer(
            b"".join(reach[head].to_bytes(size, "little") for head in range(self.first_theme)), np.uint8
        )
        table = np.unpackbits(rows.reshape(-1, size), axis=1, bitorder="little")[:, : self.first_theme].astype(bool)
        by_head = table.reshape(self.types, self.themes, self.types, self.themes)
        return by_head[np.arange(self.types), :, np.arange(self.types), :]

    def _onward(self, node: int) -> int:
        """The nodes that one step leads to, as bits."""
        if node < self.first_theme:
            g, t = divmod(node, self.themes)
            begin, people = g * self.themes, self.give[node]
            heads = [u for u in range(begin, begin + self.themes) if people & self.take[u]] if people else []
            return _as_bits(heads + [self.first_theme + t] * (self.up[node] > 0))
        if node < self.room:
            t = node - self.first_theme
            heads = [head for head in range(t, self.first_theme, self.themes) if self.down[head] > 0]
            return _as_bits(heads + [self.room] * (self.free[t] > 0))
        return _as_bits([self.first_theme + t for t, spare in enumerate(self.spare) if spare > 0])


def _as_bits(numbers: Sequence[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def _lowest(bits: int) -> int:
    """The number of the lowest bit."""
    return (bits & -bits).bit_length() - 1


def _highest(bits: int, count: int) -> int:
    """The `count` highest of the bits; there are at least as many."""
    low, high = 0, bits.bit_length()
    while high - low > 1:
        middle = (low + high) // 2
        if (bits >> middle).bit_count() >= count:
            low = middle
        else:
            high = middle
    return bits >> low << low
