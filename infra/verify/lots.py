"""Whether lots decided every tie, proven from the result alone.

Where rounds are alike, the claim is exact: in the order of lots, and choice by choice, nobody could have a better theme
in any allocation of the same total. Any other allocation of least total differs by exchanges: a person takes one theme
for another, another person must adapt, and so on in a ring. At prices that prove the optimum every step of such a ring
costs nothing, so it is enough to look for rings among steps that cost nothing: between two themes that are equally dear
to a person, and between a workshop and the people it may take more or fewer of.

Where rounds differ, or the optimum is not proven, the claim is weaker: no two people of one type can exchange workshops
of one round, at the same total, so that the squares of what both pay get less, or so that only who pays more changes,
to the better lot's good.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from infra.verify.bound import proven_by_prices
from infra.verify.case import NONE, Case, Ints
from shared.i18n import Told, told


def lot_faults(case: Case) -> Iterator[Told]:
    """Yield who could have had better by their lot."""
    alike, optimal = rounds_alike(case), case.allocation.optimal
    if (case.allocation.draw == "exact") != (alike and optimal):
        known = told("rounds are alike to everybody") if alike else told("rounds are not alike to everybody")
        yield told(
            "the draw is %(draw)s; %(known)s, and optimal is %(optimal)s",
            draw=case.allocation.draw,
            known=known,
            optimal=json.dumps(optimal),
        )
    if alike and optimal:
        if case.allocation.price_scale != 1 or proven_by_prices(case) != case.allocation.objective.total:
            yield told("the prices do not prove the total to the unit, so they do not tell what lots could decide")
        elif case.ids:
            yield from rings_of(case).faults()
    else:
        yield from _exchanges(case, _by_lot(case))


@lru_cache(maxsize=1)
def rings_of(case: Case) -> Rings:
    """The rings of a case; the lots and the reasons both ask for them."""
    return Rings(case, _by_lot(case))


def _by_lot(case: Case) -> list[int]:
    """Everybody in the order of lots."""
    seed = case.allocation.seed.encode()
    lots = [hmac.digest(seed, who.encode(), "sha256") for who in case.ids]
    return sorted(range(len(lots)), key=lots.__getitem__)


def rounds_alike(case: Case) -> bool:
    """Whether all rounds are alike to everybody."""
    nobody_held = not case.change_cost or bool((case.held == NONE).all())
    same_seats = bool((case.seats == case.seats[:, :1]).all() and (case.minimum == case.minimum[:, :1]).all())
    return same_seats and nobody_held and bool(case.present.all()) and bool((case.pinned == NONE).all())


@dataclass
class _Person:
    """A person who is tied: what they may give and take, as sets of theme numbers, and what they hold, best first."""

    number: int
    partner_type: int
    held: list[int]
    tied: list[int]
    rank: list[int]
    known: dict[int, list[tuple[tuple[int, int], int]]]

    def settled_at(self, choices: int) -> int:
        """The rank of the last of so many choices; −1 for none."""
        return self.rank[self.held[choices - 1]] if choices else -1

    def gives(self, choices: int) -> list[int]:
        """What may change when so many choices are settled; themes not ranked are all the same, so they may too."""
        return [t for n, t in enumerate(self.held) if t in self.tied and (n >= choices or self.rank[t] >= UNRANKED)]

    def takes(self, choices: int) -> list[int]:
        """What may come instead without touching what is settled."""
        settled = self.settled_at(choices)
        return [
            t
            for t in self.tied
            if t not in self.held and (self.rank[t] > settled or self.rank[t] == settled == UNRANKED)
        ]

    def steps(self, choices: int) -> list[tuple[tuple[int, int], int]]:
        """What may be given, as a head of their type, and what taken for it, when so many choices are settled."""
        if choices not in self.known:
            takes = self.takes(choices)
            self.known[choices] = [((give, self.partner_type), take) for give in self.gives(choices) for take in takes]
        return self.known[choices]

    def wishes(self, choice: int) -> list[int]:
        """Ranked themes that would be better than what they have as this choice."""
        before, now = self.settled_at(choice), self.rank[self.held[choice]]
        return [t for t in self.tied if t not in self.held and before < self.rank[t] < min(now, UNRANKED)]


UNRANKED = 1 << 20


class Rings:
    """Exchanges of equal total between everybody who is tied."""

    def __init__(self, case: Case, by_lot: list[int]) -> None:
        self.case = case
        self.themes, self.rounds, self.types = case.heads.shape
        self.price = np.array(
            [[case.allocation.prices[t][case.rounds[0]][g] for g in case.types] for t in case.themes], dtype=np.int64
        )
        for slot in case.rounds:
            for t, theme in enumerate(case.themes):
                if any(case.allocation.prices[theme][slot][g] != self.price[t, n] for n, g in enumerate(case.types)):
                    raise ValueError(f"rounds are alike, and {theme} has other prices in {slot}")
        self.people = self._tied(by_lot)
        self.supply = self._free_steps()
        self.steps: dict[tuple[int, int], dict[int, int]] = {}
        self.known: dict[tuple[int, int], set[tuple[int, int]]] = {}

    def _tied(self, by_lot: list[int]) -> list[_Person]:
        """Those for whom another set of themes is as cheap at the prices, in the order of lots."""
        case = self.case
        scale = case.allocation.price_scale
        dear = case.cost * scale + self.price.T[case.type_of]
        can = case.possible & (case.seats[:, 0] > 0)
        dear = np.where(can, dear, 1 << 60)
        ordered = np.sort(dear, axis=1)
        last, following = ordered[:, self.rounds - 1], ordered[:, min(self.rounds, self.themes - 1)]
        several = (last == following) & (self.themes > self.rounds)
        rows = np.array(by_lot, dtype=np.int64)
        rows = rows[several[rows]]
        rank = np.where(case.ranked[rows], case.choice[rows].astype(np.int64), UNRANKED)
        places = case.places[rows].astype(np.int64)
        by_rank = np.lexsort((places, np.take_along_axis(rank, places, axis=1)), axis=1)
        held = np.take_along_axis(places, by_rank, axis=1).tolist()
        who, tied = np.nonzero(dear[rows] == last[rows][:, None])
        ends = np.cumsum(np.bincount(who, minlength=len(rows))).tolist()
        themes, begins = tied.tolist(), [0, *ends][: len(ends)]
        people = zip(rows.tolist(), case.type_of[rows].tolist(), held, rank.tolist(), begins, ends, strict=True)
        return [_Person(a, g, mine, themes[begin:end], ranks, {}) for a, g, mine, ranks, begin, end in people]

    def _free_steps(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """Steps between heads, themes (type −1) and the room (−1, −1) that cost nothing: workshops adapt."""
        case, scale = self.case, self.case.allocation.price_scale
        weight = case.allocation.weight * scale
        heads = case.heads.sum(axis=1)
        low, high = (edge.sum(axis=1) for edge in case.band)
        more = np.where(heads < low, -weight, np.where(heads < high, 0, weight))
        less = np.where(heads <= low, weight, np.where(heads <= high, 0, -weight))
        less = np.where(heads > 0, less, 1 << 60)
        fill, seats, least = heads.sum(axis=1), case.seats.sum(axis=1), case.minimum.sum(axis=1)
        steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for t in range(self.themes):
            seat_low, seat_high = max(self.price[t] - more[t]), min(self.price[t] + less[t])
            if fill[t] < seats[t]:
                seat_high = min(seat_high, 0)
            if fill[t] > least[t]:
                seat_low = max(seat_low, 0)
            if seat_low > seat_high:
                raise ValueError(f"the prices of {case.themes[t]} do not fit its heads")
            seat = seat_low
            for g in range(self.types):
                if seat == self.price[t, g] - more[t, g]:
                    steps.setdefault((t, g), []).append((t, -1))
                if seat == self.price[t, g] + less[t, g]:
                    steps.setdefault((t, -1), []).append((t, g))
            if seat == 0 and fill[t] < seats[t]:
                steps.setdefault((t, -1), []).append((-1, -1))
            if seat == 0 and fill[t] > least[t]:
                steps.setdefault((-1, -1), []).append((t, -1))
        return steps

    def faults(self) -> Iterator[Told]:
        """Whom a ring serves better, choice by choice and in the order of lots; people who had a turn keep that."""
        for choice in range(self.rounds):
            self.steps = {}
            for person in self.people:
                self._count(person, choice, 1)
            self.known = {}
            for person in self.people:
                for theme in person.wishes(choice):
                    after = self._reached(theme, person.partner_type)
                    if any((held, person.partner_type) in after for held in person.gives(choice)):
                        yield told(
                            "%(who)s could have %(theme)s, at the same total and at the expense of worse lots only",
                            who=self.case.ids[person.number],
                            theme=self.case.themes[theme],
                        )
                        break
                self._count(person, choice, -1)
                self._count(person, choice + 1, 1)

    def attainable(self, numbers: set[int]) -> Iterator[tuple[int, set[int]]]:
        """Of each of these people who is tied, the themes that a ring gives them, whatever their lot."""
        self.steps, self.known = {}, {}
        for person in self.people:
            self._count(person, 0, 1)
        for person in self.people:
            if person.number in numbers:
                g, gives = person.partner_type, person.gives(0)
                found = {t for t in person.takes(0) if any((give, g) in self._reached(t, g) for give in gives)}
                yield person.number, found

    def _count(self, person: _Person, choices: int, by: int) -> None:
        for give, take in person.steps(choices):
            counts = self.steps.setdefault(give, {})
            before = counts.get(take, 0)
            counts[take] = before + by
            if not before or not counts[take]:
                self.known = {}

    def _reached(self, theme: int, partner_type: int) -> set[tuple[int, int]]:
        """Heads that one head more of a theme can push out."""
        start = (theme, partner_type)
        if start not in self.known:
            reached, ahead = {start}, [start]
            while ahead:
                node = ahead.pop()
                swaps = self.steps.get(node, {})
                onward = [(take, node[1]) for take, count in swaps.items() if count]
                for after in onward + self.supply.get(node, []):
                    if after not in reached:
                        reached.add(after)
                        ahead.append(after)
            self.known[start] = reached
        return self.known[start]


def _exchanges(case: Case, by_lot: list[int]) -> Iterator[Told]:
    """Exchanges of two people of one type in one round, at the same total, that should have been made."""
    lot = np.empty(len(by_lot), dtype=np.int64)
    lot[by_lot] = np.arange(len(by_lot))
    holds = np.zeros((len(case.ids), len(case.themes)), dtype=bool)
    who, _, theme = case.seated
    holds[who, theme] = True
    for r in range(len(case.rounds)):
        movable = (case.places[:, r] >= 0) & (case.pinned[:, r] == NONE)
        if case.change_cost:
            movable &= case.held[:, r] == NONE
        for g in range(len(case.types)):
            mine = np.flatnonzero(movable & (case.type_of == g))
            at = {int(t): mine[case.places[mine, r] == t] for t in np.unique(case.places[mine, r])}
            for t, here in at.items():
                for u, there in at.items():
                    payers = here[~holds[here, u] & case.possible[here, u]]
                    gainers = there[~holds[there, t] & case.possible[there, t]]
                    yield from _pairs(case, lot, (payers, t), (gainers, u))


def _pairs(case: Case, lot: Ints, giving: tuple[Ints, int], taking: tuple[Ints, int]) -> Iterator[Told]:
    """Pairs of whom the first would pay for the second by exchanging their themes, where that should have been done."""
    (payers, t), (gainers, u) = giving, taking
    pay, gain = case.cost[payers, u] - case.cost[payers, t], case.cost[gainers, u] - case.cost[gainers, t]
    for step in np.intersect1d(pay[pay > 0], gain[gain > 0]):
        a, b = payers[pay == step], gainers[gain == step]
        least, most = case.personal_cost[a].min(), case.personal_cost[b].max()
        first = a[case.personal_cost[a] == least]
        second = b[case.personal_cost[b] == most]
        worst, best = first[lot[first].argmax()], second[lot[second].argmin()]
        if most - least > step or (most - least == step and lot[best] < lot[worst]):
            yield told(
                "%(who)s and %(other)s should have exchanged %(theme)s and %(instead)s",
                who=case.ids[worst],
                other=case.ids[best],
                theme=case.themes[t],
                instead=case.themes[u],
            )
