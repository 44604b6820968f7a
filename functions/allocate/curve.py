"""What stricter balance costs: an allocation for each of several weights, as the points of a curve."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import TypedDict

from functions.allocate.model.objective import evaluate, heads_outside, mean_choice
from functions.allocate.model.problem import (
    NOWHERE,
    EngineCannotError,
    NotFoundInTimeError,
    Places,
    Problem,
    as_places,
    build_problem,
)
from functions.allocate.solve import solve
from shared.attendees import Attendee
from shared.i18n import told
from shared.models import Event

CURVE_WEIGHTS = (0, 1, 2, 4, 8, 16)

MOST_IN_CURVE = 5_000
"""People up to whom a curve is drawn: it takes an allocation for each weight."""

LONGEST = 10.0
"""Seconds that a curve takes at most."""

LEAST_POINTS = 2
"""Weights for which an allocation has to be found: one point is no curve."""

TOO_MANY_FOR_A_CURVE = told("It is drawn for at most %(number)s people.", number=f"{MOST_IN_CURVE:,}")
NO_TIME_FOR_A_CURVE = told("In the time there was, too few allocations with other weights were found.")


class Point(TypedDict):
    """A fresh allocation at a weight: 1 is a first choice for every seat. `proven` says that none is better."""

    weight: int
    mean_choice: float
    outside: int
    proven: bool


def balance_curve(
    event: Event,
    attendees: Sequence[Attendee],
    used: int,
    *,
    programmes: Mapping[str, Mapping[str, str]] | None = None,
    tolerance: Fraction | None = None,
    time_budget: float = LONGEST,
) -> list[Point]:
    """A point for each of `CURVE_WEIGHTS` and for the weight `used`, as far as the time lasts.

    Where the time of a weight ends before its allocation is proven, the point is the best that was found. Each weight
    has the best for it among all allocations that were found, so a heavier weight never leaves more heads outside.

    Parameters
    ----------
    programmes
        An allocation of these people that is known already.
    time_budget
        Seconds, shared equally by the weights that are left; the lightest and the heaviest come first.

    Raises
    ------
    EngineCannotError
        Too few allocations were found in this time.
    NoAllocationError
        None exists.
    """
    deadline = time.monotonic() + time_budget
    weights = sorted({*CURVE_WEIGHTS, used})
    in_turn = [weights[0], *weights[:0:-1]]
    problems: dict[int, Problem] = {}
    bounds: dict[int, int] = {}
    found: list[Places] = []
    for turn, weight in enumerate(in_turn):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        problem = build_problem(event, attendees, seed="curve", weight=weight, tolerance=tolerance)
        with suppress(NotFoundInTimeError, EngineCannotError):
            solution = solve(problem, time_budget=left / (len(in_turn) - turn))
            found.append(solution.found)
            problems[weight], bounds[weight] = problem, solution.bound
    if len(problems) < LEAST_POINTS:
        raise EngineCannotError(NO_TIME_FOR_A_CURVE)
    known = _as_known(next(iter(problems.values())), programmes or {})
    if known is not None:
        found.append(known)
    return [_point(weight, problems[weight], bounds[weight], found) for weight in weights if weight in problems]


def _point(weight: int, problem: Problem, bound: int, found: Sequence[Places]) -> Point:
    best = min(found, key=lambda one: (evaluate(problem, one).total, heads_outside(problem, one)))
    return {
        "weight": weight,
        "mean_choice": round(mean_choice(problem, best), 4),
        "outside": heads_outside(problem, best),
        "proven": evaluate(problem, best).total <= bound,
    }


def _as_known(problem: Problem, programmes: Mapping[str, Mapping[str, str]]) -> Places | None:
    """An allocation by names as numbers; None where it is not one of all these people."""
    if not set(problem.ids) <= programmes.keys():
        return None
    places = as_places([programmes[one] for one in problem.ids], problem.rounds, problem.themes)
    return places if ((places == NOWHERE) == ~problem.present).all() else None
