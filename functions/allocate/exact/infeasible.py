"""Why no allocation exists: the cut that is full, in words and numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import highspy
import numpy as np

from functions.allocate.exact.milp import ExactModel
from functions.allocate.model.bound import cheapest_programmes
from functions.allocate.model.groups import allowed_places, group_attendees, group_columns
from functions.allocate.model.objective import heads_of
from functions.allocate.model.problem import FAR, Ints, Problem


def seats_of(count: int) -> str:
    """A number of seats."""
    return f"{count} seat" if count == 1 else f"{count} seats"


def people_of(count: int) -> str:
    """A number of people."""
    return f"{count} person" if count == 1 else f"{count} people"


def _places(count: int) -> str:
    return f"{count} place" if count == 1 else f"{count} places"


def _missing(count: int, named: Callable[[int], str]) -> str:
    return f"{named(count)} {'is' if count == 1 else 'are'} missing"


def workshop_title(problem: Problem, theme: int, slot: int) -> str:
    """A workshop as people know it: the theme's title and when it begins."""
    return f"{problem.theme_titles[theme]} at {problem.round_titles[slot]}"


def plain_cuts(problem: Problem) -> Iterator[str]:
    """Yield the cuts that counting shows: a round, a workshop, a person."""
    heads = heads_of(problem, problem.pinned).sum(axis=2)
    for t, r in zip(*np.nonzero(heads > problem.seats), strict=True):
        seats, pinned = int(problem.seats[t, r]), int(heads[t, r])
        yield (
            f"{workshop_title(problem, t, r)} has {seats_of(seats)} for the {people_of(pinned)} pinned there: "
            f"{_missing(pinned - seats, seats_of)}."
        )
    for t, r in zip(*np.nonzero(problem.minimum > problem.seats), strict=True):
        yield (
            f"{workshop_title(problem, t, r)} has {seats_of(int(problem.seats[t, r]))} and needs "
            f"{people_of(int(problem.minimum[t, r]))}."
        )
    for r, slot in enumerate(problem.round_titles):
        present, seats = int(problem.present[:, r].sum()), int(problem.seats[:, r].sum())
        if seats < present:
            yield (
                f"The round at {slot} has {seats_of(seats)} for {people_of(present)} present: "
                f"{_missing(present - seats, seats_of)}."
            )
        least = int(problem.minimum[:, r].sum())
        if least > present:
            yield (
                f"The minima of the workshops at {slot} add up to {least}, and {people_of(present)} "
                f"{'is' if present == 1 else 'are'} present: {_missing(least - present, people_of)}."
            )
    yield from _people_without_choice(problem)


def _people_without_choice(problem: Problem) -> Iterator[str]:
    """Yield who has no programme at all, seats of others aside: it depends on absences, pins and themes ruled out."""
    columns = [*problem.present.T.astype(np.int16), *problem.pinned.T]
    if not problem.all_possible:
        columns += list(problem.possible.T.astype(np.int16))
    groups = group_columns(columns, problem.people)
    stuck = cheapest_programmes(problem, groups.first, np.zeros(problem.shape, dtype=np.int64), 1) >= FAR >> 2
    for k in np.flatnonzero(stuck):
        people = groups.order[groups.start[k] : groups.start[k] + groups.size[k]]
        names = ", ".join(problem.ids[a] for a in people[:5]) + (" and others" if len(people) > 5 else "")
        rounds_free = [problem.round_titles[r] for r in np.flatnonzero(problem.free[people[0]])]
        allowed = np.flatnonzero(allowed_places(problem, people[:1])[0].any(axis=1))
        needed = "a theme" if len(rounds_free) == 1 else f"{len(rounds_free)} different themes"
        open_ = ", ".join(problem.theme_titles[t] for t in allowed) or "none"
        yield (
            f"{names}: {needed} must be found for {', '.join(rounds_free)}. The themes that may be given to "
            f"{'them' if len(people) > 1 else 'this person'} then are not enough: {open_}."
        )


def full_cut(problem: Problem, time_limit: float = 20.0) -> str:
    """Say in words and numbers why no allocation exists; empty if the relaxation finds no reason.

    Seats may be bought and minima missed at 1 each, and HiGHS finds the cheapest way. The prices of that optimum are
    the cut: full workshops cost 1, everyone takes the cheapest programme, and the seats wanted are more than there
    are (Farkas' lemma, in places and people).
    """
    plain = list(plain_cuts(problem))
    if plain:
        return " ".join(plain)
    shortage = _Shortage(problem)
    lacking = shortage.example(time_limit)
    if lacking == "":
        return ""
    return " ".join(part for part in (shortage.sentence(time_limit), lacking) if part)


class _Shortage:
    """The problem without ranks and balance, in which missing seats and missing people are counted."""

    def __init__(self, problem: Problem) -> None:
        self.problem = replace(problem, weight=0, change_cost=0, decisive=False)
        self.groups = group_attendees(self.problem)
        self.model = ExactModel(self.problem, self.groups)
        self.offered = np.flatnonzero(problem.seats.ravel() > 0)

    def _solve(self, time_limit: float, *, whole: bool) -> highspy.HighsSolution | None:
        solver = self.model.solver(np.zeros(len(self.model.columns)), time.monotonic() + time_limit, whole=whole)
        for sign in (-1.0, 1.0):  # a seat more, a person less than the minimum
            for place in self.offered:
                row = np.array([self.model.seat_row + place], dtype=np.int32)
                solver.addCol(1.0, 0.0, highspy.kHighsInf, 1, row, np.array([sign]))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return solver.getSolution()

    def example(self, time_limit: float) -> str | None:
        """The fewest seats and people that would make an allocation possible, and where.

        "" if none are missing, None if that was not found in time.
        """
        found = self._solve(time_limit, whole=True)
        if found is None:
            return None
        extra = np.rint(np.array(found.col_value)[len(self.model.columns) :]).astype(int).reshape(2, -1)
        wanted = [
            f"{count} more {named(count).split(' ', 1)[1]} in {self._name(place)}"
            for named, counts in ((seats_of, extra[0]), (people_of, extra[1]))
            for place, count in zip(self.offered.tolist(), counts.tolist(), strict=True)
            if count
        ]
        return f"It would be possible with {', '.join(wanted)}." if wanted else ""

    def sentence(self, time_limit: float) -> str:
        """The full cut as a sentence; "" when the prices are no whole numbers, which no short sentence can tell."""
        found = self._solve(time_limit, whole=False)
        if found is None:
            return ""
        problem = self.problem
        duals = np.array(found.row_dual)[self.model.seat_row : self.model.seat_row + problem.seats.size]
        price = -np.rint(duals).astype(np.int64)
        if np.abs(price + duals).max() > 1e-6:
            return ""
        return self._cut(price.reshape(problem.seats.shape))

    def _cut(self, price: Ints) -> str:
        problem, groups = self.problem, self.groups
        types = len(problem.partner_types)
        free = replace(problem, rank_costs=np.zeros_like(problem.rank_costs))
        table = np.repeat(price[:, :, None], types, axis=2)
        needs = cheapest_programmes(free, groups.first, table, 1)
        full, thin = price > 0, price < 0
        if full.any() and not thin.any():
            people = int(groups.size[needs > 0].sum())
            places, seats = int((needs * groups.size).sum()), int(problem.seats[full].sum())
            return (
                f"{people_of(people)} need{'s' if people == 1 else ''} at least {_places(places)} in "
                f"{self._names(full)}, whatever else they take, and there {'is' if seats == 1 else 'are'} "
                f"{seats_of(seats)}: {_missing(places - seats, seats_of)}."
            )
        if thin.any() and not full.any():
            come, least = -int((needs * groups.size).sum()), int(problem.minimum[thin].sum())
            return (
                f"{self._names(thin)} need{'s' if thin.sum() == 1 else ''} {people_of(least)}, and at most {come} can "
                f"come there: {_missing(least - come, people_of)}."
            )
        seats, least = int(problem.seats[full].sum()), int(problem.minimum[thin].sum())
        spare = int((needs * groups.size).sum())
        return (
            f"{self._names(full)} {'has' if full.sum() == 1 else 'have'} {seats_of(seats)} and {self._names(thin)} "
            f"need{'s' if thin.sum() == 1 else ''} {people_of(least)}: however people are placed, "
            f"{_places(spare - seats + least)} cannot be given."
        )

    def _names(self, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
        return ", ".join(self._name(int(place)) for place in np.flatnonzero(chosen.ravel()))

    def _name(self, place: int) -> str:
        return workshop_title(self.problem, *divmod(place, len(self.problem.rounds)))
