"""The bound that prices prove, and the integer programme that proves it again where prices do not suffice.

Sums are made of whole numbers that cannot overflow: where a price is larger than 64 bits can add up, Python's own
integers are used, and a price beyond what any proof needs is refused before anything is added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from math import ceil, perm
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from infra.verify.case import NONE, Case

MOST_COLUMNS = 200_000
"""Largest integer programme that a bound is proven again with."""

BLOCK = 16_384
"""People whose cheapest programmes are found together."""

SAFE = 1 << 40
"""Numbers up to this add up in 64 bits, over the rounds and a block of people."""

Numbers = NDArray[Any]


def price_faults(case: Case) -> Iterator[str]:
    """Yield what is wrong with the names and the sizes of the prices."""
    prices = case.allocation.prices
    if case.allocation.price_scale < 1:
        yield f"price_scale is {case.allocation.price_scale}"
    yield from _names("theme", prices, case.themes)
    for theme in case.themes:
        rounds = prices.get(theme, {})
        yield from _names(f"{theme}: round", rounds, case.rounds)
        for slot in case.rounds:
            yield from _names(f"{theme} in {slot}: partner type", rounds.get(slot, {}), case.types)
    limit = price_limit(case)
    for theme, by_round in prices.items():
        for slot, by_type in by_round.items():
            for partner_type, price in by_type.items():
                if abs(price) > limit:
                    where = f"{theme} in {slot} for {partner_type}"
                    yield f"the price of {where} is beyond what ranks, balance and changes can cost (±{limit})"


def price_limit(case: Case) -> int:
    """The largest price that a proof can need.

    Prices are distances in a network whose edges cost a rank, a head outside its band or a change; a path visits each
    of its nodes (a head node for each theme, round and type, the themes, the room) once at most.
    """
    nodes = 4 * (len(case.themes) * len(case.rounds) * (len(case.types) + 1) + 2)
    each = max(case.event.rank_costs) + 2 * case.allocation.weight + case.change_cost + 1
    return case.allocation.price_scale * nodes * each


def _names(what: str, found: Mapping[str, object], wanted: Sequence[str]) -> Iterator[str]:
    yield from (f"{what} {name!r} has no price" for name in wanted if name not in found)
    yield from (f"{what} {name!r} is not of the event" for name in found if name not in wanted)


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
    """The least total by an integer programme over whole programmes; None if it is too large or takes too long.

    When changes are decisive, it first proves how few there can be, then the rest with no more than these: big and
    small numbers in one objective would drown in floating point.
    """
    first, of = case.alike
    size = np.bincount(of, minlength=len(first))
    free = (case.present[first] & (case.pinned[first] == NONE)).sum(axis=1)
    open_themes = case.possible[first].sum(axis=1)
    if sum(perm(int(themes), int(rounds)) for themes, rounds in zip(open_themes, free, strict=True)) > MOST_COLUMNS:
        return None
    model = _Programmes(case, [int(a) for a in first], [int(count) for count in size])
    if case.change_cost < case.decisive or not case.previous:
        return model.minimise(change=case.change_cost, other=1)
    fewest = model.minimise(change=1, other=0)
    if fewest is None:
        return None
    rest = model.minimise(change=0, other=1, most_changes=fewest)
    return None if rest is None else rest + case.change_cost * fewest


class _Programmes:
    """Every programme that each group of equals could have."""

    def __init__(self, case: Case, rows: Sequence[int], sizes: Sequence[int]) -> None:
        self.case, self.rows, self.sizes = case, rows, sizes
        self.options = [list(self._of(a)) for a in rows]

    def _of(self, a: int) -> Iterator[dict[int, int]]:
        """Programmes of an attendee, round to theme."""
        case = self.case
        pins = {r: int(t) for r, t in enumerate(case.pinned[a]) if t != NONE}
        free = [r for r in range(len(case.rounds)) if case.present[a, r] and r not in pins]
        themes = [int(t) for t in np.flatnonzero(case.possible[a]) if t not in pins.values()]
        for chosen in permutations(themes, len(free)):
            if all(case.seats[t, r] > 0 for t, r in zip(chosen, free, strict=True)):
                yield {**pins, **dict(zip(free, chosen, strict=True))}

    def minimise(self, *, change: int, other: int, most_changes: int | None = None) -> int | None:
        """The proven bound of Σ programmes, heads outside at their price; rows are built one by one."""
        case = self.case
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        for option, setting in {"mip_rel_gap": 0.0, "mip_abs_gap": 0.5, "time_limit": case.time_limit}.items():
            solver.setOptionValue(option, setting)
        members: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        changing: list[tuple[int, int]] = []
        column = 0
        for a, size, programmes in zip(self.rows, self.sizes, self.options, strict=True):
            begin, g = column, int(case.type_of[a])
            for programme in programmes:
                changes = sum(case.held[a, r] not in (NONE, t) for r, t in programme.items())
                ranks = sum(int(case.cost[a, t]) for t in programme.values())
                solver.addCol(float(other * ranks + change * changes), 0.0, float(size), 0, [], [])
                solver.changeColIntegrality(column, highspy.HighsVarType.kInteger)
                for r, t in programme.items():
                    members[t, r, g].append(column)
                if changes:
                    changing.append((column, changes))
                column += 1
            _row(solver, size, size, [(index, 1) for index in range(begin, column)])
        if most_changes is not None:
            _row(solver, -highspy.kHighsInf, most_changes, changing)
        self._add_workshops(solver, members, column, float(other * case.allocation.weight))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return ceil(solver.getInfo().mip_dual_bound - 1e-6)

    def _add_workshops(
        self, solver: highspy.Highs, members: Mapping[tuple[int, int, int], list[int]], column: int, price: float
    ) -> None:
        case = self.case
        lower, upper = case.band
        for t, r in np.ndindex(len(case.themes), len(case.rounds)):
            inside = [(index, 1) for g in range(len(case.types)) for index in members[t, r, g]]
            _row(solver, int(case.minimum[t, r]), int(case.seats[t, r]), inside)
            for g in range(len(case.types)):
                solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
                solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
                mine = [(index, 1) for index in members[t, r, g]]
                low, high = int(lower[t, r, g]), int(upper[t, r, g])
                _row(solver, low, high, [*mine, (column, 1), (column + 1, -1)])
                column += 2


def _row(solver: highspy.Highs, low: float, high: float, entries: Sequence[tuple[int, int]]) -> None:
    indices = np.array([index for index, _ in entries], dtype=np.int32)
    values = np.array([float(value) for _, value in entries])
    solver.addRow(float(low), float(high), len(entries), indices, values)
