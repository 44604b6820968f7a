"""From counts to people: even shares, and lots.

Inside a group the counts of network 1 become one set of themes a person. Where rounds are alike, `draw.py` then lets
the lots decide between all allocations of least cost. Where they differ, swaps between people of one type, in one round
and at equal total cost, spread regret until no swap lowers the sum of squared personal costs or, leaving it, serves a
better lot; among people with the same type, ranking and absences the better lot gets the programme of the lower cost.

A lot can be checked. It is made of the seed, whose digest the event's page shows from the opening of registration on
and which every result names, and of the attendee's id, and of nothing else: nobody's name, hour of registration or row
counts, and nobody can choose their lot without choosing the seed. Anyone can compute their own with the command that
`lots` gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.groups import Groups
from functions.allocate.model.problem import NOWHERE, Bools, Ints, Places


def lots(seed: str, ids: Sequence[str]) -> list[bytes]:
    """Each person's lot: HMAC-SHA256(seed, id); the lowest wins.

    Anyone who knows the seed can repeat a lot: `printf %s ID | openssl dgst -sha256 -hmac SEED`. The two halves of
    HMAC (RFC 2104) are prepared once, which halves the time for a large crowd.
    """
    key = seed.encode()
    key = hashlib.sha256(key).digest() if len(key) > 64 else key
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key.ljust(64, b"\0")))
    drawn = []
    for one in ids:
        first, second = inner.copy(), outer.copy()
        first.update(one.encode())
        second.update(first.digest())
        drawn.append(second.digest())
    return drawn


def in_order_of_lots(seed: str, ids: Sequence[str]) -> Ints:
    """The places of these people in the order of their lots, the best (lowest) first."""
    halves = np.frombuffer(b"".join(lots(seed, ids)), dtype=">u8").reshape(len(ids), -1)
    return np.asarray(np.lexsort((halves[:, 1], halves[:, 0])))  # 128 bits: no two are equal


def share_themes(given: Ints, size: Ints, units: Ints, cost: Ints) -> Places:
    """Turn counts into sets: a row for each person, group after group, `max(units)` columns, `NOWHERE` where fewer.

    The units of a group, theme by theme, are dealt round and round its people (McNaughton's wrap-around rule): no
    theme has more units than the group has people, so nobody gets one twice.
    """
    rank = np.argsort(cost, axis=1, kind="stable")
    counts = np.take_along_axis(given, rank, axis=1).ravel()
    themes = np.repeat(rank.ravel(), counts)
    total = given.sum(axis=1)
    owner = np.repeat(np.arange(len(size)), total)
    position = np.arange(len(themes)) - np.repeat(np.cumsum(total) - total, total)
    start = np.cumsum(size) - size
    sets = np.full((int(size.sum()), int(units.max(initial=0))), NOWHERE, dtype=np.int16)
    sets[start[owner] + position % size[owner], position // size[owner]] = themes
    return sets


def spread_regret(
    places: Places,
    cost: Ints,
    partner_type: Ints,
    movable: Bools,
    slots: Sequence[Sequence[int]],
    margin: Bools | None = None,
) -> None:
    """Swap themes between people of one type until no swap lowers the sum of squared personal costs; in place.

    People are rows in the order of lots. `places` holds each person's themes by column and `movable` which of these
    may be given away; a swap exchanges theme t of one for theme u of another, in columns of one of `slots`, when the
    costs added stay the same. A swap that leaves the sum of squares as it is, because two people only change places in
    what they pay, is made where it serves the better lot. Each swap lowers a sum of integers, or leaves it and serves
    a better lot, so the end is reached. `margin` (by theme and person) may tell which themes are as dear to a person as
    the dearest they have, at prices that prove an optimum: a swap at equal cost is among these only.
    """
    if not len(places):
        return
    swaps = _Swaps(places, cost, partner_type, margin)
    changed = True
    while changed:
        changed = False
        for columns in slots:
            swaps.open_columns(movable, columns)
            for t in range(cost.shape[1]):
                for u in range(t + 1, cost.shape[1]):
                    changed |= swaps.exchange(t, u)


class _Swaps:
    """Who holds what, by theme and person, while swaps go on."""

    def __init__(self, places: Places, cost: Ints, partner_type: Ints, margin: Bools | None) -> None:
        people, themes = cost.shape
        self.places, self.cost, self.partner_type = places, np.ascontiguousarray(cost.T), partner_type
        self.margin = np.ones((themes, people), dtype=bool) if margin is None else margin
        self.holds = np.zeros((themes, people), dtype=bool)
        self.personal = np.zeros(people, dtype=np.int64)
        for column in range(places.shape[1]):
            here = np.flatnonzero(places[:, column] != NOWHERE)
            self.holds[places[here, column], here] = True
            self.personal[here] += cost[here, places[here, column]]

    def open_columns(self, movable: Bools, columns: Sequence[int]) -> None:
        """Let themes in these columns be given away; remember in which a person has each."""
        self.column = np.full(self.holds.shape, NOWHERE, dtype=np.int8)
        for column in columns:
            mine = np.flatnonzero((self.places[:, column] != NOWHERE) & movable[:, column])
            self.column[self.places[mine, column], mine] = column

    def exchange(self, t: int, u: int) -> bool:
        """Exchange t for u between the people it helps: `a` gives t for u, `b` gives u for t, at opposite costs.

        With a's cost growing by d and b's falling by d, the squares fall when b's cost is above a's by more than d.
        """
        both = self.margin[t] & self.margin[u]
        a = np.flatnonzero(both & (self.column[t] != NOWHERE) & ~self.holds[u])
        b = np.flatnonzero(both & (self.column[u] != NOWHERE) & ~self.holds[t])
        if not len(a) or not len(b):
            return False
        up, down = self.cost[u, a] - self.cost[t, a], self.cost[u, b] - self.cost[t, b]
        left, right = _matched(a, up, b, down, self.personal, self.partner_type)
        if not len(left):
            return False
        step = self.cost[u, left] - self.cost[t, left]
        self.personal[left] += step
        self.personal[right] -= step
        for who, give, take in ((left, t, u), (right, u, t)):
            column = self.column[give, who]
            self.places[who, column] = take
            self.column[take, who], self.column[give, who] = column, NOWHERE
            self.holds[take, who], self.holds[give, who] = True, False
        return True


def _matched(
    a: Ints, up: Ints, b: Ints, down: Ints, personal: Ints, partner_type: Ints
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of people, one of `a` with one of `b`, of one type and with equal steps, whose swap lowers the squares.

    Where a's step d is negative, a gains and b pays: the same rule, seen from b.
    """
    left, right = [], []
    for gainer, payer, gain, pay, flip in ((b, a, down, up, False), (a, b, -up, -down, True)):
        worse = np.flatnonzero(pay > 0)
        better = np.flatnonzero(gain > 0)
        for cheap, dear in _buckets(payer, pay, worse, gainer, gain, better, personal, partner_type):
            left.append(dear if flip else cheap)
            right.append(cheap if flip else dear)
    none = np.zeros(0, dtype=np.intp)
    return (np.concatenate(left) if left else none), (np.concatenate(right) if right else none)


def _buckets(
    payer: Ints, pay: Ints, worse: Ints, gainer: Ints, gain: Ints, better: Ints, personal: Ints, partner_type: Ints
) -> Iterator[tuple[Ints, Ints]]:
    """Yield matched payers and gainers, step by step and type by type: the best off pay for the worst off.

    Of those equally well off, the worst lots pay, and the best lots gain.
    """
    if not len(worse) or not len(better):
        return
    width = int(partner_type.max()) + 1
    pay_key = pay[worse] * width + partner_type[payer[worse]]
    gain_key = gain[better] * width + partner_type[gainer[better]]
    for key in np.intersect1d(pay_key, gain_key):
        payers, gainers = payer[worse[pay_key == key]], gainer[better[gain_key == key]]
        payers = payers[np.lexsort((-payers, personal[payers]))]
        gainers = gainers[np.lexsort((gainers, -personal[gainers]))]
        pairs = min(len(payers), len(gainers))
        gap, step = personal[gainers[:pairs]] - personal[payers[:pairs]], key // width
        helps = (gap > step) | ((gap == step) & (gainers[:pairs] < payers[:pairs]))
        if helps.any():
            yield payers[:pairs][helps], gainers[:pairs][helps]


def draw(places: Places, personal: Ints, groups: Groups, lots_of: Callable[[Ints], Sequence[bytes]]) -> Places:
    """Hand the programmes of each group to its people: the lowest lot gets the cheapest programme.

    Lots are drawn only in groups whose people do not all get the same themes; the round in which a theme comes is
    nobody's claim, so there the order of ids does.
    """
    drawn = places.copy()
    people = groups.order[(groups.size > 1)[groups.of[groups.order]]]
    if not len(people):
        return drawn
    of = groups.of[people]
    by_cost = people[np.lexsort((_programme_codes(places[people]), personal[people], of))]
    drawn[people] = places[by_cost]
    sets = np.sort(places[by_cost], axis=1)
    differs = (sets[1:] != sets[:-1]).any(axis=1) & (of[1:] == of[:-1])
    contested = np.zeros(len(groups), dtype=bool)
    contested[of[1:][differs]] = True
    drawing = people[contested[of]]
    if len(drawing):
        halves = np.frombuffer(b"".join(lots_of(drawing)), dtype=">u8").reshape(len(drawing), -1)
        lucky = drawing[np.lexsort((halves[:, 1], halves[:, 0], groups.of[drawing]))]  # 128 bits: no two are equal
        drawn[lucky] = drawn[drawing]
    return drawn


def _programme_codes(places: Places) -> Ints:
    code = np.zeros(len(places), dtype=np.int64)
    for column in range(places.shape[1]):
        code = code * (int(places.max(initial=0)) + 2) + places[:, column] + 1
    return code
