"""A re-run that holds on to what was published: the fewest workshops change, then the best of the rest.

Held places come first. If everyone can stay, they are pinned there and newcomers take what is left. Only if they
cannot (a workshop lost seats, a pin came in between), changes are counted by the exact engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from functions.allocate.exact.close_gap import half_way
from functions.allocate.exact.infeasible import people_of, seats_of
from functions.allocate.model.bound import lower_bound
from functions.allocate.model.groups import group_attendees
from functions.allocate.model.objective import Solution, evaluate, heads_of
from functions.allocate.model.problem import (
    NOWHERE,
    Bools,
    EngineCannotError,
    Ints,
    NoAllocationError,
    NotFoundInTimeError,
    Problem,
)
from shared.i18n import told, told_many, told_together

Solve = Callable[[Problem, float], Solution]


def solve_keeping(problem: Problem, solve: Solve, deadline: float) -> Solution:
    """Solve a keep run whose change cost is decisive. `solve(problem, deadline)` solves any problem.

    Every step leaves half of its time to those after it, so that none is left out for want of time.

    Raises NoAllocationError when newcomers could come only by taking a published place from a person.
    """
    keepable = keepable_places(problem)
    held = np.where(keepable, problem.held, problem.pinned)
    unavoidable = count_changes(problem, problem.present & ~keepable & (problem.held != NOWHERE))
    if (heads_of(problem, held).sum(axis=2) <= problem.seats).all():
        settled = replace(problem, pinned=held.astype(np.int16), change_cost=0, decisive=False)
        try:
            return _with_changes(problem, solve(settled, half_way(deadline)), unavoidable)
        except (NoAllocationError, NotFoundInTimeError, EngineCannotError):
            pass  # some must move, or there is no allocation at all: the exact engine tells
    solution = solve(problem, half_way(deadline) if _newcomers(problem).any() else deadline)
    changes = evaluate(problem, solution.found).change // problem.change_cost
    if changes > unavoidable:
        # A change costs more than all the rest, so the bound says how many there must be at least.
        proven = max(solution.bound // problem.change_cost, 0)
        _refuse_at_holders_cost(problem, solve, deadline, changes, proven)
    return solution


def _newcomers(problem: Problem) -> Bools:
    """Who holds no place and is pinned nowhere."""
    newcomers: Bools = (problem.held == NOWHERE).all(axis=1) & (problem.pinned == NOWHERE).all(axis=1)
    return newcomers


def keepable_places(problem: Problem) -> Bools:
    """Where a held place can still be the holder's: present, offered, possible, not pinned elsewhere or to it."""
    held = problem.held
    somewhere = (held != NOWHERE) & problem.free
    offered = np.zeros_like(somewhere)
    for r in range(held.shape[1]):
        possible = problem.choices[problem.rank[np.arange(problem.people), held[:, r]]] > 0
        offered[:, r] = (problem.seats[held[:, r], r] > 0) & possible
    elsewhere = np.zeros_like(somewhere)
    for r in range(held.shape[1]):
        for other in range(held.shape[1]):
            elsewhere[:, r] |= (problem.pinned[:, other] == held[:, r]) & (held[:, r] != NOWHERE)
    keepable: Bools = somewhere & offered & ~elsewhere
    return keepable


def count_changes(problem: Problem, lost: Bools) -> int:
    """How many of these held places differ from the pin that replaces them, or must be replaced."""
    return int((lost & (problem.held != problem.pinned)).sum())


def _with_changes(problem: Problem, settled: Solution, unavoidable: int) -> Solution:
    """The solution of the settled problem as one of the keep run: the same places, changes counted.

    Nobody who could stay moves, and what had to change would change in any allocation; so its bound grows by exactly
    these changes.
    """
    places = settled.found
    total = evaluate(problem, places).total
    bound = settled.bound + problem.change_cost * unavoidable
    groups = group_attendees(problem)
    proven = lower_bound(problem, settled.prices, settled.scale, rows=groups.first, size=groups.size)
    return replace(settled, total=total, bound=max(bound, proven))


def _refuse_at_holders_cost(problem: Problem, solve: Solve, deadline: float, changes: int, proven: int) -> None:
    """Refuse what was found if the holders alone, and the people pinned, would have to change less.

    Minima count for holders only as far as they can fill them: newcomers may help there.

    Raises
    ------
    NoAllocationError
        Of the `changes` so many are `proven` that every allocation takes published places.
    NotFoundInTimeError
        This one does; another may not.
    """
    newcomers = _newcomers(problem)
    if not newcomers.any():
        return
    alone = subset(problem, ~newcomers, minimum=np.zeros_like(problem.minimum))
    least = evaluate(alone, solve(alone, half_way(deadline)).found).change // problem.change_cost
    if changes <= least:
        return
    try:
        with_minima = subset(problem, ~newcomers, minimum=problem.minimum)
        least = evaluate(with_minima, solve(with_minima, deadline).found).change // problem.change_cost
    except NoAllocationError:
        return  # without newcomers the minima cannot be met at all: it is not for the newcomers that places change
    if changes <= least:
        return
    if proven <= least:
        raise NotFoundInTimeError("the time ended before places were found for newcomers that no one else holds")
    seats = problem.seats.sum(axis=0).tolist()
    present = problem.present.sum(axis=0).tolist()
    full = told_together(
        (
            told(
                "at %(time)s %(people)s for %(seats)s",
                time=problem.round_titles[r],
                people=people_of(present[r]),
                seats=seats_of(seats[r]),
            )
            for r in problem.rounds_by_time
        ),
        ", ",
    )
    places = told_many(
        "%(num)s published place was taken from the person who holds it",
        "%(num)s published places were taken from those who hold them",
        proven - least,
    )
    raise NoAllocationError(
        told_many(
            "The newcomer fits only if %(places)s, which a keep run never does (%(full)s). Add seats, or run afresh.",
            "The %(num)s newcomers fit only if %(places)s, which a keep run never does (%(full)s). Add seats, or run "
            "afresh.",
            int(newcomers.sum()),
            places=places,
            full=full,
        )
    )


def subset(problem: Problem, people: Bools, minimum: Ints) -> Problem:
    """The same event for some of its attendees, with the change cost as it was."""
    chosen = np.flatnonzero(people)
    return replace(
        problem,
        ids=[problem.ids[a] for a in chosen.tolist()],
        partner_type=problem.partner_type[chosen],
        rank=problem.rank[chosen],
        present=problem.present[chosen],
        pinned=problem.pinned[chosen],
        held=problem.held[chosen],
        minimum=minimum,
    )
