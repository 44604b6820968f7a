"""Why did I get this? One plain statement a person, derived from ranks, seats, the mix and the lottery.

First the facts (`Missed`), then the words. Facts are counted from the outcome itself, so that each can be checked
without knowing how it was found; people for whom all facts are the same share one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.allocate.groups import Groups, group_attendees, group_rows
from functions.allocate.problem import NOWHERE, Bools, Ints, Places, Problem
from functions.allocate.solution import personal_costs
from functions.allocate.timetable import heads_of

TOLD = 2
"""How many missed choices are explained, best first."""


class Cause(StrEnum):
    """What stood between a person and a choice they ranked higher than one they got."""

    NOT_OFFERED = "not offered in the rounds attended"
    FULL = "every seat taken"
    PINNED = "seats left only in a round where the person is pinned"
    CLASH = "seats left only at the time of a choice they prefer"
    MINIMUM = "their present workshop would fall below its minimum"
    MIX = "a seat left, but taking it would put more heads outside the bands than the better rank is worth"
    KEPT = "a seat left, but the published place is kept"
    EQUAL = "a seat left, but it costs the same as the place they have"


@dataclass(frozen=True)
class Missed:
    """One choice missed, and why.

    `others` counts people who ranked it at least as high, `seats` its seats in all rounds. `round` and `instead` say
    where the cause lies (`NOWHERE` if everywhere), `heads` how many more heads would be outside their bands, `equals`
    that the lottery gave it to people with the same wishes and a better programme.
    """

    theme: int
    rank: int
    cause: Cause
    others: int = 0
    seats: int = 0
    round: int = NOWHERE
    instead: int = NOWHERE
    heads: int = 0
    equals: bool = False


class Outcome:
    """What reasons are derived from: the heads of every workshop, and who ranked what."""

    def __init__(self, problem: Problem, places: Places) -> None:
        self.problem, self.places = problem, places
        self.heads = heads_of(problem, places)
        self.fill = self.heads.sum(axis=2)
        themes = len(problem.themes)
        counts = np.stack([np.bincount(problem.rank[:, t], minlength=themes) for t in range(themes)])
        self.as_high = np.cumsum(counts, axis=1)
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
        want = (self.problem.rank < self.worst[:, None]) & ~self.gets
        found = np.full((self.problem.people, TOLD), NOWHERE, dtype=np.int64)
        people = np.flatnonzero(want.any(axis=1))
        rank = np.where(want[people], self.problem.rank[people], themes)
        for column in range(min(TOLD, themes)):
            best = rank.argmin(axis=1)
            here = rank[np.arange(len(people)), best] < themes
            found[people[here], column] = best[here]
            rank[np.arange(len(people)), best] = themes
        return found

    def explain(self, a: int, theme: int, equals: bool) -> Missed:
        """Why attendee `a` missed a theme."""
        problem = self.problem
        rank = int(problem.rank[a, theme])
        attended = np.flatnonzero(problem.present[a] & (problem.seats[theme] > 0))
        if not len(attended):
            return Missed(theme, rank, Cause.NOT_OFFERED, equals=equals)
        seats = int(problem.seats[theme].sum())
        open_ = attended[self.fill[theme, attended] < problem.seats[theme, attended]]
        if not len(open_):
            others = int(self.as_high[theme, rank]) - 1
            return Missed(theme, rank, Cause.FULL, others=others, seats=seats, equals=equals)
        found = [self._beside(a, theme, int(r)) for r in open_]
        cause, r, heads = min(found, key=lambda one: list(Cause).index(one[0]), default=found[0])
        # A round in which the person could really have moved tells more than one in which they could not.
        for one in found:
            if one[0] in {Cause.MIX, Cause.MINIMUM, Cause.KEPT, Cause.EQUAL}:
                cause, r, heads = one
                break
        instead = int(self.places[a, r])
        return Missed(theme, rank, cause, seats=seats, round=r, instead=instead, heads=heads, equals=equals)

    def _beside(self, a: int, theme: int, r: int) -> tuple[Cause, int, int]:
        """Why a free seat of this theme in round r is not attendee a's: cause, round, heads more outside."""
        problem = self.problem
        instead = int(self.places[a, r])
        if problem.pinned[a, r] != NOWHERE:
            return Cause.PINNED, r, 0
        cost = problem.rank_costs[problem.rank[a]]
        if problem.rank[a, instead] < problem.rank[a, theme]:
            return Cause.CLASH, r, 0
        if self.fill[instead, r] <= problem.minimum[instead, r]:
            return Cause.MINIMUM, r, 0
        heads = self._heads_outside_after(a, instead, theme, r)
        if problem.change_cost and problem.held[a, r] == instead:
            return Cause.KEPT, r, heads
        if cost[theme] == cost[instead] and heads <= 0:
            return Cause.EQUAL, r, heads
        return Cause.MIX, r, heads

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


def reasons(problem: Problem, places: Places, titles: Mapping[str, str], *, optimal: bool) -> dict[str, str]:
    """A sentence or two for each attendee, by id. `titles` are the themes' titles by id."""
    outcome = Outcome(problem, places)
    missed = outcome.missed()
    equals = _lost_to_equals(problem, places, group_attendees(problem), missed)
    ranks = np.full(places.shape, NOWHERE, dtype=np.int64)
    for r in range(places.shape[1]):
        here = np.flatnonzero(places[:, r] != NOWHERE)
        ranks[here, r] = problem.rank[here, places[here, r]]
    missed_ranks = np.take_along_axis(problem.rank.astype(np.int64), np.maximum(missed, 0), axis=1)
    held = problem.held if problem.change_cost else np.full_like(places, NOWHERE)
    kind = problem.partner_type[:, None]
    facts: list[NDArray[Any]] = [kind, places, ranks, problem.pinned, held, missed, missed_ranks, equals]
    alike = group_rows(np.concatenate([fact.astype(np.int64) for fact in facts], axis=1))
    words = Words(problem, [titles[theme] for theme in problem.themes], optimal)
    sentences = []
    for a in alike.first.tolist():
        told = [
            outcome.explain(a, t, bool(equals[a, column]))
            for column, t in enumerate(missed[a].tolist())
            if t != NOWHERE
        ]
        sentences.append(words.sentence(a, places[a], told))
    return dict(zip(problem.ids, (sentences[k] for k in alike.of.tolist()), strict=True))


def _lost_to_equals(problem: Problem, places: Places, groups: Groups, missed: Ints) -> Bools:
    """Whether someone of the same group got the missed theme and a better programme: then the lottery decided."""
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


@dataclass(frozen=True)
class Words:
    """Facts put into words."""

    problem: Problem
    titles: Sequence[str]
    optimal: bool

    def sentence(self, a: int, places: Places, told: Sequence[Missed]) -> str:
        """What attendee `a` got, and why not better."""
        attended = [r for r in range(len(places)) if places[r] != NOWHERE]
        if not attended:
            return "You are absent in every round, so there is no workshop for you."
        attended.sort(key=lambda r: (self.problem.pinned[a, r] == NOWHERE, self.problem.rank[a, places[r]]))
        got = _listed([f"{self.titles[places[r]]} ({self._standing(a, r, int(places[r]))})" for r in attended])
        held = self.problem.held[a]
        if self.problem.change_cost and (held != NOWHERE).any():
            free = [r for r in attended if held[r] != NOWHERE]
            if free and all(held[r] == places[r] for r in free):
                return f"{got}. These are the places published before, and nothing took them from you."
        return " ".join([f"{got}.", *(self._why(one) for one in told)])

    def _standing(self, a: int, r: int, theme: int) -> str:
        if self.problem.pinned[a, r] != NOWHERE:
            return "where you are expected"
        rank, last = int(self.problem.rank[a, theme]), len(self.titles) - 1
        if rank == last and int((self.problem.rank[a] == last).sum()) > 1:
            return "not among your choices"
        return f"your {ordinal(rank + 1)} choice"

    def _why(self, missed: Missed) -> str:
        choice = f"Your {ordinal(missed.rank + 1)} choice, {self.titles[missed.theme]},"
        slot = self.problem.rounds[missed.round] if missed.round != NOWHERE else ""
        instead = self.titles[missed.instead] if missed.instead != NOWHERE else ""
        match missed.cause:
            case Cause.NOT_OFFERED:
                return f"{choice} is not offered in the rounds you attend."
            case Cause.FULL:
                return self._full(choice, missed)
            case Cause.PINNED:
                return f"{choice} has seats left only in {slot}, where you are expected in {instead}."
            case Cause.CLASH:
                return f"{choice} has seats left only in {slot}, the time of {instead}, which you rank higher."
            case Cause.MINIMUM:
                return f"{choice} had seats left in {slot}, but {instead} needs its minimum of people then."
            case Cause.KEPT:
                return f"{choice} had seats left in {slot}, but you keep {instead}, the place published before."
            case Cause.EQUAL:
                return (
                    f"{choice} had seats left in {slot}, but counts no more than {instead} in the rules of this event."
                )
            case Cause.MIX:
                return self._mix(choice, slot, instead, missed)

    def _full(self, choice: str, missed: Missed) -> str:
        if missed.equals:
            return f"{choice} was full: the lottery gave its last seats to people with the same wishes as yours."
        if missed.others >= missed.seats:
            return f"{choice} was full: {missed.others} others ranked it as high or higher, for {missed.seats} seats."
        if self.optimal:
            return f"{choice} was full, and no swap with anyone there would have improved the outcome as a whole."
        return f"{choice} was full: all {missed.seats} seats are taken."

    def _mix(self, choice: str, slot: str, instead: str, missed: Missed) -> str:
        seats = f"{choice} had seats left in {slot}"
        if missed.heads > 0:
            more = "one person" if missed.heads == 1 else f"{missed.heads} people"
            return (
                f"{seats}, but with you there instead of in {instead} the mix of partners would be {more} further out "
                "of balance."
            )
        return f"{seats}, and taking it would have been better for you; a better allocation was not found in time."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th … in English."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
