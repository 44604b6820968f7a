"""An allocation round after round: each a minimum-cost flow, with what all other rounds hold as given.

This finds a good allocation quickly, whatever the rounds look like, and improves any allocation. It proves nothing.
With prices of the workshops the rounds still to come are looked at too: a theme then costs a person what the cheapest
programme costs that has it in this round.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np

from functions.allocate.flows.one_round import Seats, seat_round
from functions.allocate.model.groups import allowed_places, place_costs
from functions.allocate.model.objective import evaluate, heads_of
from functions.allocate.model.problem import (
    NOWHERE,
    Bools,
    EngineCannotError,
    Ints,
    NoAllocationError,
    NotFoundInTimeError,
    Places,
    Problem,
)
from functions.allocate.model.programmes import NO_WAY, without_each


class Rounds:
    """One problem, whose rounds are solved one by one until `deadline` (monotonic seconds)."""

    def __init__(self, problem: Problem, deadline: float) -> None:
        self.problem, self.deadline = problem, deadline
        everyone = np.arange(problem.people)
        self.cost = np.ascontiguousarray(place_costs(problem, everyone).transpose(2, 0, 1))
        self.allowed = np.ascontiguousarray(allowed_places(problem, everyone).transpose(2, 0, 1))
        self.pinned = heads_of(problem, problem.pinned)
        themes, _, types = problem.shape
        span = int(self.cost.max(initial=0)) - int(self.cost.min(initial=0)) + 2 * problem.weight + 1
        self.twice = 2 * span * (themes * (types + 1) + 2)
        """Price of the same theme in two rounds: above what any swap can gain."""
        self.prices = np.zeros(problem.shape, dtype=np.int64)
        """What a head of each type pays in each workshop, from the flows as they were solved last."""

    def start(self) -> Places | None:
        """An allocation from nothing, improved until the deadline; None and errors as `first` has them."""
        places = self.first()
        return None if places is None else self.improved(places)

    def first(self, order: Sequence[int] = ()) -> Places | None:
        """An allocation from nothing, round after round in this order, else the earliest first.

        None if a person is left with a theme twice.

        Raises NotFoundInTimeError at the deadline, NoAllocationError when a round has no seats or people enough.
        """
        places = self.problem.pinned.copy()
        for _ in range(places.shape[1] + 1):
            for r in order or self.problem.rounds_by_time:
                places[:, r] = self._seated(places, r)
            if not self.repeated(places):
                return places
        return None

    def seconds_a_place(self, count: int) -> float:
        """How long it takes at this moment to seat a person in a round, tried with `count` people and their seats."""
        problem = self.problem
        r = int(problem.free.sum(axis=0).argmax())
        everybody = np.flatnonzero(problem.free[:, r])
        people = everybody[:: max(len(everybody) // count, 1)]
        share = Fraction(len(people), max(len(everybody), 1))
        least, most = (_share_of(edge[:, r], share) for edge in (problem.minimum, problem.seats))
        lower, upper = (_share_of(edge[:, r], share) for edge in problem.band)
        seats = Seats(least[0], most[1], lower[0], upper[1], problem.weight)
        begun = time.monotonic()
        with suppress(NoAllocationError, EngineCannotError):  # these people alone need not fit
            seat_round(self.cost[r][people], self.allowed[r][people], problem.partner_type[people], seats, math.inf)
        return (time.monotonic() - begun) / max(len(people), 1)

    def tightest_first(self) -> list[int]:
        """The rounds, those with the fewest seats for each person present first; of equals, the earliest."""
        problem = self.problem
        spare = problem.seats.sum(axis=0) * (problem.people + 1) // (problem.present.sum(axis=0) + 1)
        return sorted(problem.rounds_by_time, key=lambda r: int(spare[r]))

    def improved(self, places: Places) -> Places:
        """Solve round after round again until nothing is gained or the deadline has come."""
        total = evaluate(self.problem, places).total
        since = 0
        try:
            while since < places.shape[1]:
                for r in range(places.shape[1]):
                    better = places.copy()
                    better[:, r] = self._seated(places, r)
                    gained = evaluate(self.problem, better).total
                    since = 0 if gained < total else since + 1
                    if gained < total:
                        places, total = better, gained
                    if since >= places.shape[1]:
                        break
        except NotFoundInTimeError:
            pass
        return places

    def guided(self, prices: Ints, scale: int, order: Sequence[int], places: Places | None = None) -> Places | None:
        """Solve the rounds of `order` again, each with a look at those to come, at `prices / scale`.

        Places in other rounds are kept. None if a person is left with a theme twice.

        Raises NotFoundInTimeError at the deadline, NoAllocationError when a round has no seats or people enough.
        """
        found = self.problem.pinned.copy() if places is None else places.copy()
        for r in order:
            free = self.problem.free[:, r]
            found[free, r] = NOWHERE
        by_person = prices.transpose(1, 2, 0)[:, self.problem.partner_type]
        for position, r in enumerate(order):
            later = list(order[position + 1 :])
            ahead = None
            if later:
                cost = np.where(self.allowed[later], self.cost[later] * scale + by_person[later], NO_WAY)
                ahead = _ahead(cost, self.problem.free[:, later], found)
            found[:, r] = self._seated(found, r, scale if later else 1, ahead)
        return None if self.repeated(found) else found

    def repeated(self, places: Places) -> bool:
        """Whether a person has a theme twice."""
        ordered = np.sort(places, axis=1)
        return bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NOWHERE)).any())

    def _seated(self, places: Places, r: int, scale: int = 1, ahead: Ints | None = None) -> Places:
        """Themes of everyone in round r, all other rounds as they are."""
        problem = self.problem
        people = np.flatnonzero(problem.free[:, r])
        cost = self.cost[r][people] * scale
        for other in range(places.shape[1]):
            if other != r:
                taken = np.flatnonzero(places[people, other] != NOWHERE)
                cost[taken, places[people[taken], other]] += self.twice * scale
        if ahead is not None:
            cost += np.minimum(ahead[people], self.twice * scale)
        lower, upper = (edge[:, r] - self.pinned[:, r] for edge in problem.band)
        heads = self.pinned[:, r].sum(axis=1)
        seats = Seats(
            least=np.maximum(problem.minimum[:, r] - heads, 0),
            most=problem.seats[:, r] - heads,
            lower=lower,
            upper=upper,
            weight=problem.weight * scale,
        )
        chosen = places[:, r].copy()
        chosen[people], prices = seat_round(
            cost, self.allowed[r][people], problem.partner_type[people], seats, self.deadline
        )
        if ahead is None:
            self.prices[:, r] = prices // scale
        return chosen


def _share_of(counts: Ints, share: Fraction) -> tuple[Ints, Ints]:
    """A share of these counts, rounded down and up."""
    parts = counts * share.numerator
    return parts // share.denominator, -(-parts // share.denominator)


def _ahead(cost: Ints, free: Bools, places: Places) -> Ints:
    """What the rounds still to come cost at least, by person and theme taken now; `cost` is by round, person, theme.

    Themes in `places` are not to be had. Without the theme now taken the cheapest programme differs only for those
    who would have it in a round to come.
    """
    for column in places.T:
        taken = np.flatnonzero(column != NOWHERE)
        cost[:, taken, column[taken]] = NO_WAY
    return without_each(cost, free)
