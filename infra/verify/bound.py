"""The bound that prices prove, and the integer programme that proves it again where prices do not suffice.

Sums are made of whole numbers that cannot overflow: where a price is larger than 64 bits can add up, Python's own
integers are used, and a price beyond what any proof needs is refused before anything is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import ceil, isfinite
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from functions.allocate.exact.milp import silent_highs
from infra.verify.case import NONE, Case
from shared.i18n import Told, told

MOST_COLUMNS = 200_000
"""Largest integer programme that a bound is proven again with."""

BLOCK = 16_384
"""People whose cheapest programmes are found together."""

SAFE = 1 << 40
"""Numbers up to this add up in 64 bits, over the rounds and a block of people."""

Numbers = NDArray[Any]


def price_faults(case: Case) -> Iterator[Told]:
    """Yield what is wrong with the names and the sizes of the prices."""
    prices = case.allocation.prices
    if case.allocation.price_scale < 1:
        yield told("price_scale is %(scale)s", scale=case.allocation.price_scale)
    yield from _names(told("theme"), prices, case.themes)
    for theme in case.themes:
        rounds = prices.get(theme, {})
        yield from _names(told("%(theme)s: round", theme=theme), rounds, case.rounds)
        for slot in case.rounds:
            where = told("%(theme)s in %(round)s: partner type", theme=theme, round=slot)
            yield from _names(where, rounds.get(slot, {}), case.types)
    limit = price_limit(case)
    for theme, by_round in prices.items():
        for slot, by_type in by_round.items():
            for partner_type, price in by_type.items():
                if abs(price) > limit:
                    yield told(
                        "the price of %(theme)s in %(round)s for %(type)s is beyond what ranks, balance and changes "
                        "can cost (±%(limit)s)",
                        theme=theme,
                        round=slot,
                        type=partner_type,
                        limit=limit,
                    )


def price_limit(case: Case) -> int:
    """The largest price that a proof can need.

    Prices are distances in a network whose edges cost a rank, a head outside its band or a change; a path visits each
    of its nodes (a head node for each theme, round and type, the themes, the room) once at most.
    """
    nodes = 4 * (len(case.themes) * len(case.rounds) * (len(case.types) + 1) + 2)
    each = max(case.event.rank_costs) + 2 * case.allocation.weight + case.change_cost + 1
    return case.allocation.price_scale * nodes * each


def _names(what: Told, found: Mapping[str, object], wanted: Sequence[str]) -> Iterator[Told]:
    yield from (told("%(what)s %(name)s has no price", what=what, name=repr(n)) for n in wanted if n not in found)
    strange = (name for name in found if name not in wanted)
    yield from (told("%(what)s %(name)s is not of the event", what=what, name=repr(name)) for name in strange)


def price_bound(case: Case) -> int:
    """Σ cheapest programmes at the prices + Σ what workshops would pay at most, rounded up: a lower bound."""
    scale = case.allocation.price_scale
    table = [
        [[case.allocation.prices[theme][slot][known] for known in case.types] for slot in case.rounds]
        for theme in case.themes
    ]
    largest = max(
        (abs(price) for rounds in table for prices in rounds for price in prices),
        default=0,
    )
    largest = max(largest, scale * (max(case.event.rank_costs) + case.change_cost))
    prices: Numbers = np.array(table, dtype=np.int64 if largest < SAFE else object)
    total = sum(_demand_value(case, begin, prices, scale) for begin in range(0, len(case.ids), BLOCK))
    return -(-(total + _supply_value(case, scale)) // scale)


@lru_cache(maxsize=1)
def proven_by_prices(case: Case) -> int:
    """The same, kept for the checks that ask for it."""
    return price_bound(case)


def _demand_value(case: Case, begin: int, prices: Numbers, scale: int) -> int:
    """What a block of people pay for their cheapest programmes, times `scale`.

    Themes come one after another; `best[rounds]` is the least for filling a set of rounds (as bits) with the themes
    seen so far, each in one round at most. Pinned rounds are filled by their pins.
    """
    part = slice(begin, begin + BLOCK)
    pinned, present, held = case.pinned[part], case.present[part], case.held[part]
    cost = case.cost[part].astype(prices.dtype) * scale
    free = present & (pinned == NONE)
    people, rounds = np.arange(len(cost)), len(case.rounds)
    never = 8 * (SAFE if prices.dtype != object else int(np.abs(prices).max()) + int(np.abs(cost).max()) + 1)
    never = max(never, 1) * (rounds + 1)
    best: list[Numbers] = [np.full(len(cost), never, dtype=prices.dtype) for _ in range(1 << rounds)]
    best[0] = np.zeros(len(cost), dtype=prices.dtype)

    def price_of(t: int, r: int) -> Numbers:
        changes = (held[:, r] != NONE) & (held[:, r] != t)
        mine: Numbers = prices[t, r][case.type_of[part]]
        found: Numbers = cost[:, t] + mine + np.where(changes, case.change_cost * scale, 0).astype(prices.dtype)
        return found

    for r in range(rounds):
        for t in np.unique(pinned[:, r]):
            if t >= 0:
                best[0] = best[0] + np.where(pinned[:, r] == t, price_of(int(t), r), 0)
    for t in range(len(case.themes)):
        can = case.possible[part, t] & ~(pinned == t).any(axis=1)
        for_round = [
            np.where(can & free[:, r], price_of(t, r), never) if case.seats[t, r] else None for r in range(rounds)
        ]
        for filled in range((1 << rounds) - 1, 0, -1):
            for r, step in enumerate(for_round):
                if step is not None and filled >> r & 1:
                    best[filled] = np.minimum(best[filled], np.minimum(best[filled ^ (1 << r)] + step, never))
    wanted = (free << np.arange(rounds)).sum(axis=1)
    return int(sum(int(best[rest][people[wanted == rest]].sum()) for rest in np.unique(wanted)))


def _supply_value(case: Case, scale: int) -> int:
    """For each workshop the least of balance cost − prices over all heads it may take, times `scale`."""
    weight, value = case.allocation.weight * scale, 0
    lower, upper = case.band
    for t, theme in enumerate(case.themes):
        for r, slot in enumerate(case.rounds):
            seats, needed = int(case.seats[t, r]), int(case.minimum[t, r])
            gains: list[tuple[int, int]] = []
            for g, partner_type in enumerate(case.types):
                low, high = int(lower[t, r, g]), int(upper[t, r, g])
                price, most = case.allocation.prices[theme][slot][partner_type], int(case.heads_present[r, g])
                value += weight * low
                edges = [0, min(low, most), min(high, most), most]
                for step, begin, end in zip((-weight, 0, weight), edges[:-1], edges[1:], strict=True):
                    gains.append((step - price, end - begin))
            for gain, heads in sorted(gains):
                take = min(heads, seats, heads if gain < 0 else max(needed, 0))
                value += gain * take
                seats, needed = seats - take, needed - take
    return value


def exact_bound(case: Case) -> int | None:
    """The least total that an integer programme proves; None if it is too large.

    When changes are decisive, it first proves how few there can be, then the rest with no more than these: big and
    small numbers in one objective would drown in floating point.
    """
    model = _Counts(case)
    if len(model.group) > MOST_COLUMNS:
        return None
    if case.change_cost < case.decisive or not case.previous:
        return model.proven(change=case.change_cost, other=1, target=case.allocation.bound)
    fewest = model.proven(change=1, other=0)
    rest = model.proven(change=0, other=1, most_changes=fewest)
    return rest + case.change_cost * fewest


class _Counts:
    """How many of each group of equals are in each workshop.

    Every allocation gives such counts, so none costs less than the least of them; that each is an allocation too
    (Kőnig's edge colouring theorem) is not needed for a bound. A column for each whole programme proves no more and has
    taken minutes where this takes a second.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.first, of = case.alike
        self.size = np.bincount(of, minlength=len(self.first))
        pins = case.pinned[self.first]
        free = case.present[self.first] & (pins == NONE)
        may = case.possible[self.first].copy()
        for pin in pins.T:
            may[np.flatnonzero(pin != NONE), pin[pin != NONE]] = False
        places = may[:, :, None] & free[:, None, :] & (case.seats > 0)[None]
        self.group, self.theme, self.round = np.nonzero(places)
        held = case.held[self.first][self.group, self.round]
        self.changes = ((held != NONE) & (held != self.theme)).astype(np.int64)
        self.ranks = case.cost[self.first[self.group], self.theme]
        self.free = free
        who, slot = np.nonzero(case.pinned != NONE)
        pin = case.pinned[who, slot].astype(np.int64)
        self.pinned_heads = np.zeros_like(case.heads)
        np.add.at(self.pinned_heads, (pin, slot, case.type_of[who]), 1)
        self.pinned_ranks = int(case.cost[who, pin].sum())
        before = case.held[who, slot]
        self.pinned_changes = int(((before != NONE) & (before != pin)).sum())

    def proven(self, *, change: int, other: int, most_changes: int | None = None, target: int | None = None) -> int:
        """The bound proven in the time there is, of `change` a change and `other` a unit of rank and balance.

        Parameters
        ----------
        target
            A bound that is claimed. The search ends when it finds counts that cost less.
        """
        case, columns = self.case, len(self.group)
        fixed = other * self.pinned_ranks + change * self.pinned_changes
        solver = silent_highs()
        settings = {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 0.5, "time_limit": case.time_limit}
        if target is not None:
            settings["objective_target"] = target - fixed - 0.5
        for option, setting in settings.items():
            solver.setOptionValue(option, setting)
        cost = (other * self.ranks + change * self.changes).astype(float)
        most = self.size[self.group].astype(float)
        empty = np.zeros(columns, dtype=np.int32)
        solver.addCols(columns, cost, np.zeros(columns), most, 0, empty, empty[:0], np.zeros(0))
        for column in range(columns):
            solver.changeColIntegrality(column, highspy.HighsVarType.kInteger)
        rounds, themes = len(case.rounds), len(case.themes)
        for (k, _), inside in _together(self.group * rounds + self.round, rounds):
            _row(solver, int(self.size[k]), int(self.size[k]), [(index, 1) for index in inside])
        for (k, _), inside in _together(self.group * themes + self.theme, themes):
            if len(inside) > 1:
                _row(solver, 0, int(self.size[k]), [(index, 1) for index in inside])
        if most_changes is not None:
            changing = [(int(index), 1) for index in np.flatnonzero(self.changes)]
            _row(solver, -highspy.kHighsInf, most_changes - self.pinned_changes, changing)
        self._add_workshops(solver, float(other * case.allocation.weight))
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            raise ValueError("no counts fit the seats and the minima")
        bound = solver.getInfo().mip_dual_bound
        return fixed + ceil(bound - 1e-6) if isfinite(bound) else 0

    def _add_workshops(self, solver: highspy.Highs, price: float) -> None:
        case, types = self.case, len(self.case.types)
        lower, upper = case.band
        place = self.theme * len(case.rounds) + self.round
        by_type = dict(_together(place * types + case.type_of[self.first[self.group]], types))
        column = len(self.group)
        for t, r in np.ndindex(len(case.themes), len(case.rounds)):
            known = t * len(case.rounds) + r
            mine = [by_type.get((known, g), []) for g in range(types)]
            heads = self.pinned_heads[t, r]
            taken = int(heads.sum())
            inside = [(index, 1) for some in mine for index in some]
            _row(solver, int(case.minimum[t, r]) - taken, int(case.seats[t, r]) - taken, inside)
            for g, some in enumerate(mine):
                low, high = (int(edge[t, r, g] - heads[g]) for edge in (lower, upper))
                solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
                solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
                _row(solver, low, high, [*((index, 1) for index in some), (column, 1), (column + 1, -1)])
                column += 2


def _together(keys: Numbers, width: int) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The places of equal keys, and each key as a pair of numbers, the second below `width`."""
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    for part in np.split(order, begins[1:]) if len(order) else ():
        yield divmod(int(keys[part[0]]), width), part.tolist()


def _row(solver: highspy.Highs, low: float, high: float, entries: Sequence[tuple[int, int]]) -> None:
    indices = np.array([index for index, _ in entries], dtype=np.int32)
    values = np.array([float(value) for _, value in entries])
    solver.addRow(float(low), float(high), len(entries), indices, values)
