"""Why no allocation exists: the cut that is full, in words and numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import highspy
import numpy as np

from functions.allocate.exact.milp import ExactModel
from functions.allocate.model.bound import cheapest_programmes
from functions.allocate.model.groups import allowed_places, group_attendees, group_columns
from functions.allocate.model.objective import heads_of
from functions.allocate.model.problem import FAR, Ints, Problem
from shared.i18n import Told, told, told_many, told_together

MOST_NAMES = 20
"""Workshops, themes or people that a sentence names."""


def seats_of(count: int) -> Told:
    """A number of seats."""
    return told_many("%(num)s seat", "%(num)s seats", count)


def people_of(count: int) -> Told:
    """A number of people."""
    return told_many("%(num)s person", "%(num)s people", count)


def _seats_missing(count: int) -> Told:
    return told_many("%(num)s seat is missing", "%(num)s seats are missing", count)


def _people_missing(count: int) -> Told:
    return told_many("%(num)s person is missing", "%(num)s people are missing", count)


def _listed(names: Sequence[str]) -> str:
    """Names one after another; of very many the first."""
    more = len(names) - MOST_NAMES
    if more <= 0:
        return told_together(names, ", ")
    first = told_together(names[:MOST_NAMES], ", ")
    return told_many("%(first)s and %(num)s more", "%(first)s and %(num)s more", more, first=first)


def workshop_title(problem: Problem, theme: int, slot: int) -> Told:
    """A workshop as people know it: the theme's title and when it begins."""
    return told("%(theme)s at %(time)s", theme=problem.theme_titles[theme], time=problem.round_titles[slot])


def plain_cuts(problem: Problem) -> Iterator[Told]:
    """Yield the cuts that counting shows: a round, a workshop, a person."""
    heads = heads_of(problem, problem.pinned).sum(axis=2)
    for t, r in zip(*np.nonzero(heads > problem.seats), strict=True):
        seats, pinned = int(problem.seats[t, r]), int(heads[t, r])
        yield told(
            "%(where)s has %(seats)s for the %(people)s pinned there: %(missing)s.",
            where=workshop_title(problem, t, r),
            seats=seats_of(seats),
            people=people_of(pinned),
            missing=_seats_missing(pinned - seats),
        )
    for t, r in zip(*np.nonzero(problem.minimum > problem.seats), strict=True):
        yield told(
            "%(where)s has %(seats)s and needs %(people)s.",
            where=workshop_title(problem, t, r),
            seats=seats_of(int(problem.seats[t, r])),
            people=people_of(int(problem.minimum[t, r])),
        )
    for r, slot in enumerate(problem.round_titles):
        present, seats = int(problem.present[:, r].sum()), int(problem.seats[:, r].sum())
        if seats < present:
            yield told(
                "The round at %(time)s has %(seats)s for %(people)s present: %(missing)s.",
                time=slot,
                seats=seats_of(seats),
                people=people_of(present),
                missing=_seats_missing(present - seats),
            )
        least = int(problem.minimum[:, r].sum())
        if least > present:
            yield told_many(
                "The minima of the workshops at %(time)s add up to %(least)s, and %(num)s person is present: "
                "%(missing)s.",
                "The minima of the workshops at %(time)s add up to %(least)s, and %(num)s people are present: "
                "%(missing)s.",
                present,
                time=slot,
                least=least,
                missing=_people_missing(least - present),
            )
    yield from _people_without_choice(problem)


def _people_without_choice(problem: Problem) -> Iterator[Told]:
    """Yield who has no programme at all, seats of others aside: it depends on absences, pins and themes ruled out."""
    columns = [*problem.present.T.astype(np.int16), *problem.pinned.T]
    if not problem.all_possible:
        columns += list(problem.possible.T.astype(np.int16))
    groups = group_columns(columns, problem.people)
    stuck = cheapest_programmes(problem, groups.first, np.zeros(problem.shape, dtype=np.int64), 1) >= FAR >> 2
    for k in np.flatnonzero(stuck):
        people = groups.order[groups.start[k] : groups.start[k] + groups.size[k]]
        names = ", ".join(problem.ids[a] for a in people[:5])
        times = [problem.round_titles[r] for r in np.flatnonzero(problem.free[people[0]])]
        allowed = np.flatnonzero(allowed_places(problem, people[:1])[0].any(axis=1))
        yield told_many(
            "%(who)s: a theme must be found for %(times)s.",
            "%(who)s: %(num)s different themes must be found for %(times)s.",
            len(times),
            who=told("%(names)s and others", names=names) if len(people) > 5 else names,
            times=", ".join(times),
        )
        if len(allowed):
            yield told_many(
                "The themes that may be given to this person then are not enough: %(themes)s.",
                "The themes that may be given to them then are not enough: %(themes)s.",
                len(people),
                themes=_listed([problem.theme_titles[t] for t in allowed]),
            )
        else:
            yield told_many(
                "No theme may be given to this person then.", "No theme may be given to them then.", len(people)
            )


def full_cut(problem: Problem, time_limit: float = 20.0) -> Told | None:
    """Say in words and numbers why no allocation exists; None if the relaxation finds no reason.

    Seats may be bought and minima missed at 1 each, and HiGHS finds the cheapest way. The prices of that optimum are
    the cut: full workshops cost 1, everyone takes the cheapest programme, and the seats wanted are more than there
    are (Farkas' lemma, in places and people).
    """
    plain = list(plain_cuts(problem))
    if plain:
        return told_together(plain, " ")
    shortage = _Shortage(problem)
    lacking = shortage.example(time_limit)
    if lacking == "":
        return None
    parts = [part for part in (shortage.sentence(time_limit), lacking) if part]
    return told_together(parts, " ") if parts else None


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
        seats, people = (dict(zip(self.offered.tolist(), counts.tolist(), strict=True)) for counts in extra)
        wanted = [
            told_many("%(num)s more seat in %(where)s", "%(num)s more seats in %(where)s", n, where=self._name(place))
            for place, n in seats.items()
            if n
        ]
        wanted += [
            told_many(
                "%(num)s more person in %(where)s", "%(num)s more people in %(where)s", n, where=self._name(place)
            )
            for place, n in people.items()
            if n
        ]
        return told("It would be possible with %(more)s.", more=_listed(wanted)) if wanted else ""

    def sentence(self, time_limit: float) -> Told | None:
        """The full cut as a sentence; None when the prices are no whole numbers, which no short sentence can tell."""
        found = self._solve(time_limit, whole=False)
        if found is None:
            return None
        problem = self.problem
        duals = np.array(found.row_dual)[self.model.seat_row : self.model.seat_row + problem.seats.size]
        price = -np.rint(duals).astype(np.int64)
        if np.abs(price + duals).max() > 1e-6:
            return None
        return self._cut(price.reshape(problem.seats.shape))

    def _cut(self, price: Ints) -> Told:
        problem, groups = self.problem, self.groups
        types = len(problem.partner_types)
        free = replace(problem, rank_costs=np.zeros_like(problem.rank_costs))
        table = np.repeat(price[:, :, None], types, axis=2)
        needs = cheapest_programmes(free, groups.first, table, 1)
        full, thin = price > 0, price < 0
        if full.any() and not thin.any():
            people = int(groups.size[needs > 0].sum())
            places, seats = int((needs * groups.size).sum()), int(problem.seats[full].sum())
            return told_many(
                "%(num)s person needs at least %(places)s in %(where)s, whatever else they take, and %(there)s: "
                "%(missing)s.",
                "%(num)s people need at least %(places)s in %(where)s, whatever else they take, and %(there)s: "
                "%(missing)s.",
                people,
                places=told_many("%(num)s place", "%(num)s places", places),
                where=self._names(full),
                there=told_many("there is %(num)s seat", "there are %(num)s seats", seats),
                missing=_seats_missing(places - seats),
            )
        if thin.any() and not full.any():
            come, least = -int((needs * groups.size).sum()), int(problem.minimum[thin].sum())
            return told_many(
                "%(where)s needs %(people)s, and at most %(come)s can come there: %(missing)s.",
                "%(where)s need %(people)s, and at most %(come)s can come there: %(missing)s.",
                int(thin.sum()),
                where=self._names(thin),
                people=people_of(least),
                come=come,
                missing=_people_missing(least - come),
            )
        seats, least = int(problem.seats[full].sum()), int(problem.minimum[thin].sum())
        spare = int((needs * groups.size).sum())
        return told(
            "%(full)s and %(thin)s: however people are placed, %(places)s.",
            full=told_many(
                "%(where)s has %(seats)s",
                "%(where)s have %(seats)s",
                int(full.sum()),
                where=self._names(full),
                seats=seats_of(seats),
            ),
            thin=told_many(
                "%(where)s needs %(people)s",
                "%(where)s need %(people)s",
                int(thin.sum()),
                where=self._names(thin),
                people=people_of(least),
            ),
            places=told_many("%(num)s place cannot be given", "%(num)s places cannot be given", spare - seats + least),
        )

    def _names(self, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
        return _listed([self._name(int(place)) for place in np.flatnonzero(chosen.ravel())])

    def _name(self, place: int) -> Told:
        return workshop_title(self.problem, *divmod(place, len(self.problem.rounds)))
