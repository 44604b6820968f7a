"""The draw: which of all allocations of least cost it is, where rounds are alike.

Lots decide choice by choice. First everybody, in the order of lots, gets the best theme that any allocation of least
cost can still give them; then, in the same order, everybody the second best, and so on. The outcome is one allocation,
whatever flow the solver found and in whatever order anything was listed. Two statements make that exact:

- At prices that prove the optimum, the allocations of least cost are those in which all themes of a person are among
  the cheapest for them and no workshop has more or fewer heads than is best for it (complementary slackness). So a
  person is sure of some themes, and *open* are those as dear as the dearest they want; they get some of these.
- The sets a person can get from what is open, others adapting, are the bases of a matroid, because flows are (Murota,
  Discrete Convex Analysis, 2003, chapter 9). So the best theme that is still possible is part of a best set, and taking
  it never costs more later than it gains.

Why choice by choice: in the order of lots alone, of four themes the first half would get the first and second choice
and the other half the third and fourth. Nobody gets their second wish here before everybody had a turn at the first.

Nobody is looked at one by one. All who have a turn take their pick at once; heads that are then too many in one place
and too few in another are led on, through people who may still change and through workshops with room. Where that
fails, the places reached are a full cut: the pick of the person at whom it became full is undone, with all picks after
it, and from there on nobody gets into the cut who could stay out. Each cut parts places that were connected, so there
are fewer of them than there are themes times types, whatever the crowd.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.problem import Bools, Ints, Places, Ranks

FEW = 64
"""People up to whom swaps are counted by a product of matrices; more are counted by bits."""


@dataclass(frozen=True)
class Leeway:
    """Heads that cost nothing more at the prices: `low` to `high` by theme and type, `least` to `most` by theme."""

    low: Ints
    high: Ints
    least: Ints
    most: Ints


@dataclass(frozen=True)
class Drawn:
    """What lots decided: `sets` by tied person, and by theme and tied person what some allocation of least cost gives.

    Of what is `attainable` to a person the lots decided what they have.
    """

    sets: Places
    attainable: Bools


def draw_themes(
    sets: Places,
    preference: Ranks,
    ranked: Bools,
    open_: Bools,
    partner_type: Ints,
    everyones_heads: Ints,
    leeway: Leeway,
) -> Drawn:
    """The sets of themes that the lots give to people who are tied, and what lots could have given them.

    Parameters
    ----------
    sets
        Themes of each tied person, a person a row in the order of lots, in any allocation of least cost.
    preference
        By theme and person, no two alike: the lower, the rather.
    ranked
        By theme and person: whether they ranked it. Among the others they have no preference, so these are given out
        after all wishes, in the order of `preference`.
    open_
        By theme and person: as dear as the dearest theme they want, so that they may get it or not.
    everyones_heads
        By theme and type, of all people, tied or not.
    """
    draw = _Draw(sets, preference, ranked, open_, partner_type, everyones_heads, leeway)
    attainable = draw.attainable()
    for choice in range(sets.shape[1]):
        draw.have_turn(choice)
    if not ranked.all():
        draw.wished[:] = True
        for choice in range(sets.shape[1]):
            draw.have_turn(choice)
    return Drawn(draw.sets(), attainable)


class _Draw:
    """Who holds what while the draw goes on.

    What is *open* to a person is not settled yet; of the rest they hold some for good and never get the others.
    People are columns, one type after another, by lot within a type.
    """

    def __init__(
        self,
        sets: Places,
        preference: Ranks,
        ranked: Bools,
        open_: Bools,
        partner_type: Ints,
        heads: Ints,
        leeway: Leeway,
    ) -> None:
        themes, people = open_.shape
        by_type = np.argsort(partner_type, kind="stable")
        self.by_lot = np.argsort(by_type, kind="stable")
        self.partner_type = partner_type[by_type]
        self.ends = np.searchsorted(self.partner_type, np.arange(heads.shape[1] + 1))
        self.holds = np.zeros((themes, people), dtype=bool)
        for column in sets[by_type].T:
            self.holds[column, np.arange(people)] = True
        self.open, self.preference, self.wished = open_[:, by_type], preference[:, by_type], ranked[:, by_type]
        self.last = np.iinfo(self.preference.dtype).max
        self.width = sets.shape[1]
        self.network = _Condensed(heads, leeway)
        self._settle()

    def sets(self) -> Places:
        """Everybody's themes, a person a row, as they came."""
        held = np.nonzero(self.holds.T)[1].astype(np.int16).reshape(-1, self.width)
        return held[self.by_lot]

    def attainable(self) -> Bools:
        """By theme and person, as they came: whether an allocation of least cost gives it to them, if it is open.

        A person can take a theme if the head that is then too many can be led on to a theme that they give up.
        """
        self._count_swaps()
        reached = self.network.closure()
        mine = self.open & self.holds
        found = mine.copy()
        for g, (begin, end) in enumerate(pairwise(self.ends.tolist())):
            for give in range(len(mine)):
                found[:, begin:end] |= reached[g][:, give, None] & mine[give, begin:end]
        return (found & self.open)[:, self.by_lot]

    def have_turn(self, choice: int) -> None:
        """Give everybody, in the order of lots, the best that is still possible as their choice of this number."""
        while len(turn := self._whose_turn(choice)):
            pick = self._first_open(turn)
            self._take(turn, pick)
            cut = None
            while (stuck := self._lead_on()) is not None:
                cut, excess = stuck
                count = self._fits(turn, pick, cut, excess)
                self.open[pick[count:], turn[count:]] = True
                turn, pick = turn[:count], pick[:count]
                self._count_swaps()
            if cut is not None:
                self._close(cut)
            self._settle()
            if cut is None:
                return

    def _first_open(self, who: Ints) -> Ints:
        wanted = np.where(self.open[:, who] & self.wished[:, who], self.preference[:, who], self.last)
        return np.asarray(wanted.argmin(axis=0))

    def _whose_turn(self, choice: int) -> Ints:
        """By lot, those who may get something better than what they are sure of as their choice of this number."""
        first = np.where(self.open & self.wished, self.preference, self.last).min(axis=0, initial=self.last)
        better = self.holds & ~self.open & (self.preference < first)
        turn = (np.count_nonzero(better, axis=0) == choice) & (first < self.last)
        return np.asarray(self.by_lot[turn[self.by_lot]])

    def _take(self, who: Ints, pick: Ints) -> None:
        """Let each have their pick for good; a person without it gives up the least wanted of what is open."""
        lacking = ~self.holds[pick, who]
        poor, gain = who[lacking], pick[lacking]
        held = np.where(self.holds[:, poor] & self.open[:, poor], self.preference[:, poor].astype(np.int64), -1)
        loss = held.argmax(axis=0)
        self.holds[gain, poor], self.holds[loss, poor] = True, False
        self.network.shift(loss, gain, self.partner_type[poor])
        self.open[pick, who] = False
        self._count_swaps()

    def _fits(self, turn: Ints, pick: Ints, cut: Bools, excess: int) -> int:
        """How many of those whose turn it is can have their pick before the cut is overfull by `excess`.

        A pick adds to the heads in the cut if the person could have stayed out.
        """
        types = self.partner_type[turn]
        into = np.flatnonzero(cut[pick, types])
        who = turn[into]
        outside = np.count_nonzero(self.open[:, who] & ~cut[:, types[into]], axis=0)
        wants = np.count_nonzero(self.open[:, who] & self.holds[:, who], axis=0) + 1
        adding = into[outside >= wants]
        return int(adding[len(adding) - excess])

    def _close(self, cut: Bools) -> None:
        """No person enters a full cut who could stay out; one who must enter takes all that is open outside."""
        inside = cut[:, self.partner_type]
        outside = np.count_nonzero(self.open & ~inside, axis=0)
        wants = np.count_nonzero(self.open & self.holds, axis=0)
        self.open &= inside == (wants > outside)

    def _settle(self) -> None:
        """Nothing is open to those who get all or nothing of what is."""
        held = np.count_nonzero(self.open & self.holds, axis=0)
        self.open &= (held > 0) & (held < np.count_nonzero(self.open, axis=0))

    def _count_swaps(self) -> None:
        """Count who may change from one theme to another, by type."""
        for g, (begin, end) in enumerate(pairwise(self.ends.tolist())):
            self.network.let_swap(g, _swaps(self.open[:, begin:end], self.holds[:, begin:end]))

    def _lead_on(self) -> tuple[Bools, int] | None:
        """Lead heads from where they are too many to where they are too few; else the cut in the way, and how many."""
        network = self.network
        while network.unsettled():
            paths = network.paths()
            if not paths:
                return network.reached(), network.unsettled()
            for path in paths:
                count = network.bottleneck(path)
                if count > 0:  # those before may have used it up
                    for g, give, take in network.follow(path, count):
                        self._exchange(g, give, take, count)
        return None

    def _exchange(self, g: int, give: int, take: int, count: int) -> None:
        """Let so many people of a type change from one theme to another: those with the worst lots."""
        mine = slice(int(self.ends[g]), int(self.ends[g + 1]))
        open_, holds = self.open[:, mine], self.holds[:, mine]
        who = np.flatnonzero(open_[give] & holds[give] & open_[take] & ~holds[take])[-count:]
        open_here, held = open_[:, who], open_[:, who] & holds[:, who]
        counts = held.sum(axis=1), (open_here ^ held).sum(axis=1)
        holds[give, who], holds[take, who] = False, True
        self.network.exchange(g, give, take, len(who), *counts)


def _swaps(open_: Bools, holds: Bools) -> Ints:
    """How many of these people may change from each theme to each other."""
    if open_.shape[1] <= FEW:
        held = open_ & holds
        return np.asarray(held.astype(np.int64) @ (open_ ^ held).T.astype(np.int64))
    give, take = _bits(open_ & holds), _bits(open_ & ~holds)
    return np.asarray(np.bitwise_count(give[:, None] & take[None]).sum(axis=2, dtype=np.int64))


def _bits(rows: Bools) -> NDArray[np.uint64]:
    """Rows of truth values as rows of bits, which can be counted 64 at a time."""
    packed = np.packbits(rows, axis=1)
    wide = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint64)


def _as_bits(packed: NDArray[np.uint8]) -> int:
    return int.from_bytes(packed.tobytes(), "little")


Node = tuple[int, int]
"""A head (theme, type), a theme (theme, THEME) or the room."""

THEME = -1
ROOM: Node = (-1, -1)


class _Condensed:
    """The residual network of network 1 without its people: heads by theme and type, themes, and the room.

    Between two themes of a type an edge counts the people who may change; between heads, themes and the room edges
    have what is left of the leeway. `surplus` is what came to a head and was not led on: below 0, what is lacking.
    """

    def __init__(self, heads: Ints, leeway: Leeway) -> None:
        self.themes, self.types = heads.shape
        self.swaps: list[Ints] = [np.zeros((self.themes, self.themes), dtype=np.int64) for _ in range(self.types)]
        self.onward = [[0] * self.themes for _ in range(self.types)]
        self.up = (leeway.high - heads).tolist()
        self.down = (heads - leeway.low).tolist()
        total = heads.sum(axis=1)
        self.free = (leeway.most - total).tolist()
        self.spare = (total - leeway.least).tolist()
        self.surplus: dict[Node, int] = {}
        self.before: dict[Node, Node | None] = {}

    def let_swap(self, g: int, counts: Ints) -> None:
        """Set how many people of a type may change, from theme to theme."""
        self.swaps[g] = counts
        self.onward[g] = [_as_bits(row) for row in np.packbits(counts > 0, 1, "little")]

    def exchange(self, g: int, give: int, take: int, count: int, held: Ints, free: Ints) -> None:
        """Note that so many people of a type give one theme for another, which changes what they may swap.

        A person may give each open theme they hold for each they do not hold: the sum, over people, of the product of
        two vectors. One exchange adds to both, so the difference needs only their sums, `held` and `free` by theme.
        """
        swaps = self.swaps[g]
        swaps[:, take] -= held
        swaps[:, give] += held
        swaps[give] -= free
        swaps[take] += free
        for t, u in ((give, take), (take, give)):
            swaps[t, u] += count
            swaps[t, t] -= count
        rows = np.append(np.flatnonzero(held), take)
        for t, bits in zip(rows.tolist(), np.packbits(swaps[rows] > 0, 1, "little"), strict=True):
            self.onward[g][t] = _as_bits(bits)

    def shift(self, loss: Ints, gain: Ints, partner_type: Ints) -> None:
        """Note that a person of each of these types went from one theme to another."""
        change = np.zeros((self.themes, self.types), dtype=np.int64)
        np.add.at(change, (gain, partner_type), 1)
        np.subtract.at(change, (loss, partner_type), 1)
        for t, g in np.argwhere(change).tolist():
            self._add_surplus((t, g), int(change[t, g]))

    def _add_surplus(self, head: Node, count: int) -> None:
        after = self.surplus.pop(head, 0) + count
        if after:
            self.surplus[head] = after

    def unsettled(self) -> int:
        """Heads that are too many somewhere."""
        return sum(count for count in self.surplus.values() if count > 0)

    def paths(self) -> list[list[Node]]:
        """Shortest ways from any surplus to everywhere that heads are lacking, by one search; none if there are none.

        They share steps, so that a way may be used up before its turn.
        """
        self.before = {head: None for head, count in sorted(self.surplus.items()) if count > 0}
        lacking = len(self.surplus) - len(self.before)
        found: list[Node] = []
        ahead = deque(self.before)
        closed = [0] * self.types
        for t, g in self.before:
            closed[g] |= 1 << t
        while ahead and len(found) < lacking:
            node = ahead.popleft()
            for after in self._next(node, closed):
                if after not in self.before:
                    self.before[after] = node
                    if after[1] >= 0:
                        closed[after[1]] |= 1 << after[0]
                        if after in self.surplus:
                            found.append(after)
                    ahead.append(after)
        return [self._way_to(head) for head in found]

    def _next(self, node: Node, closed: list[int]) -> Iterator[Node]:
        t, g = node
        if node == ROOM:
            yield from ((u, THEME) for u, spare in enumerate(self.spare) if spare > 0)
        elif g == THEME:
            yield from ((t, h) for h, down in enumerate(self.down[t]) if down > 0)
            if self.free[t] > 0:
                yield ROOM
        else:
            new = self.onward[g][t] & ~closed[g]
            while new:
                bit = new & -new
                yield bit.bit_length() - 1, g
                new ^= bit
            if self.up[t][g] > 0:
                yield t, THEME

    def _way_to(self, node: Node) -> list[Node]:
        way = [node]
        while (earlier := self.before[way[-1]]) is not None:
            way.append(earlier)
        return way[::-1]

    def reached(self) -> Bools:
        """The heads that the last search reached."""
        found = np.zeros((self.themes, self.types), dtype=bool)
        for t, g in self.before:
            if g >= 0:
                found[t, g] = True
        return found

    def closure(self) -> Bools:
        """By type, theme and theme: whether a head more in the first can be led on to the second, of the same type."""
        heads = [(t, g) for g in range(self.types) for t in range(self.themes)]
        nodes = [*heads, *((t, THEME) for t in range(self.themes)), ROOM]
        number = {node: n for n, node in enumerate(nodes)}
        nothing_closed = [0] * self.types
        ways = [sum(1 << number[after] for after in {node, *self._next(node, nothing_closed)}) for node in nodes]
        for middle in range(len(nodes)):  # Warshall's closure, a row of it in the bits of one integer
            bit, onward = 1 << middle, ways[middle]
            ways = [way | onward if way & bit else way for way in ways]
        found = np.zeros((self.types, self.themes, self.themes), dtype=bool)
        for (t, g), way in zip(heads, ways, strict=False):
            found[g, t] = [way >> number[u, g] & 1 for u in range(self.themes)]
        return found

    def bottleneck(self, path: list[Node]) -> int:
        """How many heads can be led along a way."""
        ends = self.surplus.get(path[0], 0), -self.surplus.get(path[-1], 0)
        return min(*ends, *(self._capacity(*edge) for edge in pairwise(path)))

    def _capacity(self, tail: Node, head: Node) -> int:
        (t, g), (u, h) = tail, head
        if tail == ROOM:
            return int(self.spare[u])
        if head == ROOM:
            return int(self.free[t])
        if g == THEME:
            return int(self.down[u][h])
        return int(self.up[t][g]) if h == THEME else int(self.swaps[g][t, u])

    def follow(self, path: list[Node], count: int) -> Iterator[tuple[int, int, int]]:
        """Lead so many heads along a way; yield (type, from theme, to theme) wherever people must change for it."""
        self._add_surplus(path[0], -count)
        self._add_surplus(path[-1], count)
        for tail, head in pairwise(path):
            (t, g), (u, h) = tail, head
            if tail == ROOM:
                self.spare[u] -= count
                self.free[u] += count
            elif head == ROOM:
                self.free[t] -= count
                self.spare[t] += count
            elif g == THEME:
                self.down[u][h] -= count
                self.up[u][h] += count
            elif h == THEME:
                self.up[t][g] -= count
                self.down[t][g] += count
            else:
                yield g, t, u
