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

Nobody is looked at one by one. As many as have a turn take, in the order of lots, the best that still has room where
they know of it: of a theme, or of one type in it, that is full of people who have it for good. Heads that are then too
many in one place and too few in another are led on, through people who may still change and through workshops with room
(`leading.py`). Where that fails, the places reached are a full cut: the pick of the person at whom it became full is
undone, with all picks after it, and from there on nobody gets into the cut who could stay out. Each cut parts places
that were connected, so there are fewer of them than there are themes times types, whatever the crowd.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from functions.allocate.fairness.leading import Condensed, Leeway
from functions.allocate.model.problem import NOWHERE, Bools, Ints, Places, Ranks

AT_ONCE = 1 << 20
"""People who take their pick at once, at most; fewer after a pick that could not be led on."""

FEWEST_AT_ONCE = 8
"""People who take their pick at once when the picks of many could not be led on."""

Kind = TypeVar("Kind", bound=np.generic)

_NOT_WANTED = np.iinfo(np.int32).max


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
    People are columns, one type after another, by lot within a type. Each type begins at a multiple of eight, so that
    people are whole bytes of bits; columns between hold and want nothing.
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
        (themes, people), types = open_.shape, heads.shape[1]
        sizes = np.bincount(partner_type, minlength=types)
        self.ends = np.concatenate([[0], np.cumsum(-(-sizes // 8) * 8)])
        by_type = np.argsort(partner_type, kind="stable")
        self.by_lot = np.empty(people, dtype=np.int64)
        self.by_lot[by_type] = np.arange(people) + np.repeat(self.ends[:-1] - np.cumsum(sizes) + sizes, sizes)
        self.partner_type = np.repeat(np.arange(types), np.diff(self.ends))
        self.is_type = self.partner_type[:, None] == np.arange(types)
        self.width = sets.shape[1]

        def in_columns(rows: NDArray[Kind]) -> NDArray[Kind]:
            columns = np.zeros((themes, int(self.ends[-1])), dtype=rows.dtype)
            columns[:, self.by_lot] = rows
            return columns

        self.open, self.wished, self.preference = in_columns(open_), in_columns(ranked), in_columns(preference)
        self.holds = np.zeros_like(self.open)
        for column in sets.T:
            self.holds[column, self.by_lot] = True
        self.last = np.iinfo(self.preference.dtype).max
        self.leeway, self.network = leeway, Condensed(heads, leeway)
        self.untied = heads - self._by_type(self.holds)
        self.most_at_once = AT_ONCE
        self._settle()

    def sets(self) -> Places:
        """Everybody's themes, a person a row, as they came."""
        return np.nonzero(self.holds.T[self.by_lot])[1].astype(np.int16).reshape(-1, self.width)

    def attainable(self) -> Bools:
        """By theme and person, as they came: whether an allocation of least cost gives it to them, if it is open.

        A person can take a theme if the head that is then too many can be led on to a theme that they give up.
        """
        self._load()
        mine = self.open & self.holds
        found = np.zeros_like(mine)
        for (begin, end), reached in zip(pairwise(self.ends.tolist()), self.network.closure(), strict=True):
            found[:, begin:end] = reached.astype(np.float32) @ mine[:, begin:end].astype(np.float32)
        return (found & self.open)[:, self.by_lot]

    def have_turn(self, choice: int) -> None:
        """Give everybody, in the order of lots, the best that is still possible as their choice of this number."""
        while len(turn := self._whose_turn(choice)):
            turn, pick = self._best_with_room(turn[: self.most_at_once], choice)
            self._take(turn, pick)
            cut = None
            while (stuck := self._lead_on()) is not None:
                cut, excess = stuck
                count = self._fits(turn, pick, cut, excess)
                self.open[pick[count:], turn[count:]] = True
                turn, pick = turn[:count], pick[:count]
            if cut is not None:
                self._close(cut)
            self._close_full()
            self._settle()
            next_ = 4 * self.most_at_once if cut is None else max(FEWEST_AT_ONCE, 2 * len(turn))
            self.most_at_once = min(AT_ONCE, next_)

    def _whose_turn(self, choice: int) -> Ints:
        """By lot, those who may get something better than what they are sure of as their choice of this number."""
        first = np.where(self.open & self.wished, self.preference, self.last).min(axis=0, initial=self.last)
        better = self.holds & ~self.open & (self.preference < first)
        turn = (np.count_nonzero(better, axis=0) == choice) & (first < self.last)
        return np.asarray(self.by_lot[turn[self.by_lot]])

    def _best_with_room(self, turn: Ints, choice: int) -> tuple[Ints, Ints]:
        """Whose turn it is as far as known, and what each picks: the best of which better lots leave something.

        Everybody asks for the best; where more ask than there is room for, the worst lots are refused and ask for the
        next best; one whose next best would be a later choice waits for that.
        """
        for_good = self._for_good()
        room, room_of_type = self.leeway.most - for_good.sum(axis=1), self.leeway.high - for_good
        partner_type, preference = self.partner_type[turn], self.preference[:, turn].astype(np.int32)
        wanted = np.where(self.open[:, turn] & self.wished[:, turn], preference, _NOT_WANTED)
        pick, everyone = wanted.argmin(axis=0), np.arange(len(turn))
        sure: Bools | None = None
        while len(refused := _refused(pick, partner_type, room, room_of_type)):
            if sure is None:
                sure = self.holds[:, turn] & ~self.open[:, turn]
            wanted[pick[refused], refused] = _NOT_WANTED
            mine = wanted[:, refused]
            pick[refused] = next_ = mine.argmin(axis=0)
            best = mine[next_, np.arange(len(refused))]
            better = np.count_nonzero(sure[:, refused] & (preference[:, refused] < best), axis=0)
            waits = refused[(best == _NOT_WANTED) | (better != choice)]
            pick[waits] = NOWHERE
        asks = everyone[pick != NOWHERE]
        return turn[asks], pick[asks]

    def _take(self, who: Ints, pick: Ints) -> None:
        """Let each have their pick for good; a person without it gives up the least wanted of what is open."""
        lacking = ~self.holds[pick, who]
        poor, gain = who[lacking], pick[lacking]
        held = np.where(self.holds[:, poor] & self.open[:, poor], self.preference[:, poor].astype(np.int64), -1)
        loss = held.argmax(axis=0)
        self.holds[gain, poor], self.holds[loss, poor] = True, False
        self.network.shift(loss, gain, self.partner_type[poor])
        self.open[pick, who] = False

    def _lead_on(self) -> tuple[Bools, int] | None:
        """Lead on the heads that are too many; else the cut in the way, and how many they are."""
        network = self.network
        if not network.surplus:
            return None
        self._load()
        stuck = network.lead_on()
        for head in network.changed:
            g, t = divmod(head, network.themes)
            begin, end = int(self.ends[g]), int(self.ends[g + 1])
            packed = np.frombuffer(network.give[head].to_bytes((end - begin) // 8, "little"), dtype=np.uint8)
            mine = self.holds[t, begin:end]
            mine &= ~self.open[t, begin:end]
            mine |= np.unpackbits(packed, bitorder="little").view(bool)
        network.changed.clear()
        return stuck

    def _load(self) -> None:
        """Tell the network who may give up what and take what."""
        held = self.open & self.holds
        self.network.give, self.network.take = self._in_bits(held), self._in_bits(self.open ^ held)

    def _in_bits(self, people: Bools) -> list[int]:
        """By type and theme the people as the bits of one integer."""
        packed = np.packbits(people, axis=1, bitorder="little")
        return [
            int.from_bytes(row.tobytes(), "little")
            for begin, end in pairwise((self.ends // 8).tolist())
            for row in packed[:, begin:end]
        ]

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

    def _close_full(self) -> None:
        """Nothing is open where people who have it for good leave no room."""
        for_good = self._for_good()
        full = for_good >= self.leeway.high
        full |= (for_good.sum(axis=1) >= self.leeway.most)[:, None]
        if full.any():
            self.open &= ~full[:, self.partner_type]

    def _for_good(self) -> Ints:
        """Heads that will not change any more, by theme and type."""
        return self.untied + self._by_type(self.holds & ~self.open)

    def _by_type(self, people: Bools) -> Ints:
        """How many of these people there are, by theme and type."""
        return np.asarray(people.astype(np.float32) @ self.is_type.astype(np.float32)).astype(np.int64)

    def _settle(self) -> None:
        """Nothing is open to those who get all or nothing of what is."""
        held = np.count_nonzero(self.open & self.holds, axis=0)
        self.open &= (held > 0) & (held < np.count_nonzero(self.open, axis=0))


def _refused(pick: Ints, partner_type: Ints, room: Ints, room_of_type: Ints) -> Ints:
    """Who finds no room at what they pick, by lot; the better lots come first. `NOWHERE` is picked by nobody."""
    themes, types = room_of_type.shape
    asking = np.flatnonzero(pick != NOWHERE)
    code = pick[asking] * types + partner_type[asking]
    asks = np.bincount(code, minlength=themes * types).reshape(themes, types)
    of_type = np.minimum(asks, np.maximum(room_of_type, 0))
    over = (of_type < asks).any(axis=1) | (of_type.sum(axis=1) > room)
    if not over.any():
        return asking[:0]
    here = over[pick[asking]]
    asking, code = asking[here], code[here]
    fits = _place_in_group(code) < room_of_type.ravel()[code]
    refused, asking = asking[~fits], asking[fits]
    fits = _place_in_group(pick[asking]) < room[pick[asking]]
    return np.concatenate([refused, asking[~fits]])


def _place_in_group(group: Ints) -> Ints:
    """How many of the same group come before each."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return place
