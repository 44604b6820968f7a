"""Why did I get this? Plain statements for each person, derived from ranks, seats, the mix and the lottery.

They are counted from the outcome itself, so that each can be checked without knowing how it was found; people for
whom all facts are the same share one reason. `shared.reasons` puts them into words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.groups import Groups, group_attendees, group_rows
from functions.allocate.model.objective import heads_of, personal_costs
from functions.allocate.model.problem import NOWHERE, Bools, Ints, Places, Problem
from shared.models import Says, Statement

Reason = tuple[Statement, ...]

TOLD = 2
"""How many missed choices are explained, best first."""


class Outcome:
    """What reasons are derived from: the heads of every workshop, and who ranked what."""

    def __init__(self, problem: Problem, places: Places, *, optimal: bool) -> None:
        self.problem, self.places, self.optimal = problem, places, optimal
        self.rounds_by_time = problem.rounds_by_time
        self.heads = heads_of(problem, places)
        self.fill = self.heads.sum(axis=2)
        themes = len(problem.themes)
        self.partial: Bools = np.asarray(((problem.rank >= themes) & problem.possible).any(axis=1))
        self._as_high: dict[tuple[int, ...], Ints] = {}
        self._same: dict[tuple[int, int, bytes], Statement] = {}
        """What is said of a theme that has no seat left, by theme, rank and rounds attended: the same to everybody."""
        self.worst = np.zeros(problem.people, dtype=np.int64)
        self.gets = np.zeros((problem.people, themes), dtype=bool)
        for r in range(places.shape[1]):
            here = np.flatnonzero(places[:, r] != NOWHERE)
            self.gets[here, places[here, r]] = True
            mine = here[problem.pinned[here, r] == NOWHERE]
            self.worst[mine] = np.maximum(self.worst[mine], problem.rank[mine, places[mine, r]])

    def missed(self) -> Ints:
        """The best themes each person ranked above the worst they got, and did not get; `NOWHERE` fills up."""
        themes = len(self.problem.themes)
        want = (self.problem.rank < self.worst[:, None]) & ~self.gets & self.problem.possible
        found = np.full((self.problem.people, TOLD), NOWHERE, dtype=np.int64)
        people = np.flatnonzero(want.any(axis=1))
        rank = np.where(want[people], self.problem.rank[people], themes)
        for column in range(min(TOLD, themes)):
            best = rank.argmin(axis=1)
            here = rank[np.arange(len(people)), best] < themes
            found[people[here], column] = best[here]
            rank[np.arange(len(people)), best] = themes
        return found

    def explain(self, a: int, theme: int, by_lot: bool) -> Statement:
        """Why attendee `a` missed a theme; `by_lot`: another allocation of the same total gives it to them."""
        problem = self.problem
        rank = int(problem.rank[a, theme])
        if by_lot:
            return Statement(Says.LOTTERY, problem.themes[theme], rank + 1)
        key = (theme, rank, problem.present[a].tobytes())
        if key in self._same:
            return self._same[key]
        name = problem.themes[theme]
        attended = np.array(
            [r for r in self.rounds_by_time if problem.present[a, r] and problem.seats[theme, r]], dtype=np.int64
        )
        if not len(attended):
            return self._same.setdefault(key, Statement(Says.NOT_OFFERED, name, rank + 1))
        seats = int(problem.seats[theme, attended].sum())
        open_ = attended[self.fill[theme, attended] < problem.seats[theme, attended]]
        if not len(open_):
            others = self._ranked_as_high(theme, rank, attended) - 1
            full = Statement(self._full(others, seats), name, rank + 1, others=others, seats=seats)
            return self._same.setdefault(key, full)
        found = [self._beside(a, theme, int(r)) for r in open_]
        # A round in which the person could really have moved tells more than one in which they could not.
        says, r, heads = min(found, key=lambda one: one[0] in {Says.PINNED, Says.CLASH})
        instead = problem.themes[int(self.places[a, r])]
        return Statement(says, name, rank + 1, problem.rounds[r], instead, seats=seats, heads=heads)

    def _ranked_as_high(self, theme: int, rank: int, rounds: Ints) -> int:
        """How many who are there in one of these rounds ranked a theme at least so high."""
        key = (theme, *rounds.tolist())
        if key not in self._as_high:
            there = self.problem.present[:, rounds].any(axis=1)
            counts = np.bincount(self.problem.rank[there, theme], minlength=len(self.problem.themes))
            self._as_high[key] = np.cumsum(counts)
        return int(self._as_high[key][rank])

    def _full(self, others: int, seats: int) -> Says:
        """Who has the seats of a theme that is full in every round attended."""
        if others >= seats:
            return Says.DEMAND
        return Says.NO_SWAP if self.optimal else Says.FULL

    def _beside(self, a: int, theme: int, r: int) -> tuple[Says, int, int]:
        """Why a free seat of this theme in round r is not attendee a's: what to say, the round, heads more outside."""
        problem = self.problem
        instead = int(self.places[a, r])
        if problem.pinned[a, r] != NOWHERE:
            return Says.PINNED, r, 0
        cost = problem.rank_costs[problem.rank[a]]
        if problem.rank[a, instead] < problem.rank[a, theme]:
            return Says.CLASH, r, 0
        if self.fill[instead, r] <= problem.minimum[instead, r]:
            return Says.MINIMUM, r, 0
        heads = self._heads_outside_after(a, instead, theme, r)
        if problem.change_cost and problem.held[a, r] == instead:
            return Says.KEPT, r, heads
        gain, loss = int(cost[instead] - cost[theme]), problem.weight * heads
        if gain == loss == 0:
            return Says.EQUAL, r, heads
        return (Says.MIX if heads > 0 and loss >= gain else Says.NOT_FOUND), r, heads

    def reason(self, a: int, missed: list[Statement]) -> Reason:
        """What attendee `a` got, pinned places first, then best first; and why not better."""
        problem, places = self.problem, self.places[a]
        attended = [r for r in self.rounds_by_time if places[r] != NOWHERE]
        if not attended:
            return (Statement(Says.ABSENT),)
        attended.sort(key=lambda r: (problem.pinned[a, r] == NOWHERE, problem.rank[a, places[r]]))
        got = tuple(self._standing(a, r, int(places[r])) for r in attended)
        if problem.change_cost and all(problem.held[a, r] == places[r] for r in attended):
            return (*got, Statement(Says.AS_PUBLISHED))
        return (*got, *missed)

    def _standing(self, a: int, r: int, theme: int) -> Statement:
        """How a place that a person got stands in their wishes."""
        problem, name = self.problem, self.problem.themes[theme]
        if problem.pinned[a, r] != NOWHERE:
            return Statement(Says.EXPECTED, name)
        rank = int(problem.rank[a, theme])
        if rank >= len(problem.themes):
            return Statement(Says.UNRANKED, name)
        return Statement(Says.GOT, name, rank + 1)

    def _heads_outside_after(self, a: int, leave: int, join: int, r: int) -> int:
        """How many more heads were outside their bands if attendee a changed workshop in round r."""
        problem = self.problem
        g = int(problem.partner_type[a])
        lower, upper = problem.band

        def outside(theme: int, heads: int) -> int:
            return int(max(lower[theme, r, g] - heads, heads - upper[theme, r, g], 0))

        left, joined = int(self.heads[leave, r, g]), int(self.heads[join, r, g])
        before = outside(leave, left) + outside(join, joined)
        return outside(leave, left - 1) + outside(join, joined + 1) - before


def reasons(problem: Problem, places: Places, *, optimal: bool, attainable: Bools | None = None) -> dict[str, Reason]:
    """The reason for each attendee's programme, by id; people of whom all is the same share one object.

    `attainable` is the solution's: by attendee and theme, whether another allocation of least cost gives it.
    """
    outcome = Outcome(problem, places, optimal=optimal)
    missed = outcome.missed()
    by_lot = _lost_to_equals(problem, places, group_attendees(problem), missed)
    if attainable is not None and optimal:
        by_lot |= np.take_along_axis(attainable, np.maximum(missed, 0), axis=1) & (missed != NOWHERE)
    ranks = np.full(places.shape, NOWHERE, dtype=np.int64)
    for r in range(places.shape[1]):
        here = np.flatnonzero(places[:, r] != NOWHERE)
        ranks[here, r] = problem.rank[here, places[here, r]]
    missed_ranks = np.take_along_axis(problem.rank.astype(np.int64), np.maximum(missed, 0), axis=1)
    held = problem.held if problem.change_cost else np.full_like(places, NOWHERE)
    kind = problem.partner_type[:, None]
    facts: list[NDArray[Any]] = [kind, places, ranks, problem.pinned, held, missed, missed_ranks, by_lot]
    facts.append(outcome.partial[:, None])
    alike = group_rows(np.concatenate([fact.astype(np.int64) for fact in facts], axis=1))
    found = []
    for a in alike.first.tolist():
        told = [
            outcome.explain(a, t, bool(by_lot[a, column]))
            for column, t in enumerate(missed[a].tolist())
            if t != NOWHERE
        ]
        found.append(outcome.reason(a, told))
    return dict(zip(problem.ids, (found[k] for k in alike.of.tolist()), strict=True))


def _lost_to_equals(problem: Problem, places: Places, groups: Groups, missed: Ints) -> Bools:
    """Whether someone of the same group got the missed theme and a better programme: then lots decided who of them."""
    lost = np.zeros(missed.shape, dtype=bool)
    several = groups.size > 1
    people = np.flatnonzero(several[groups.of])
    if not len(people):
        return lost
    number = np.cumsum(several) - 1
    mine = number[groups.of[people]]
    personal = personal_costs(problem, places)[people]
    none = np.iinfo(np.int64).max
    best = np.full((int(several.sum()), len(problem.themes)), none, dtype=np.int64)
    for r in range(places.shape[1]):
        here = places[people, r] != NOWHERE
        np.minimum.at(best, (mine[here], places[people, r][here]), personal[here])
    for column in range(missed.shape[1]):
        theme = missed[people, column]
        lost[people, column] = (theme != NOWHERE) & (best[mine, np.maximum(theme, 0)] < personal)
    return lost
