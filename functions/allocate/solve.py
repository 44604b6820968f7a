"""The allocator's entry: `allocate` for people with names, `solve` for arrays.

Two flows first; HiGHS only where they leave a gap; prices for crowds in which hardly two people are alike.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from functions.allocate import certificate, shares, themes, timetable
from functions.allocate.groups import Groups, allowed_places, group_attendees, place_costs
from functions.allocate.problem import (
    NOWHERE,
    Attendee,
    BadInputError,
    Ints,
    Mode,
    NoAllocationError,
    Places,
    Problem,
    build_problem,
    input_digest,
)
from functions.allocate.result import Allocation, Engine, Objective
from shared.models import Event

__all__ = [
    "Attendee",
    "BadInputError",
    "NoAllocationError",
    "Solution",
    "allocate",
    "balance_curve",
    "input_digest",
    "solve",
]

Progress = Callable[[str], None]
EngineChoice = Literal["auto", "flow", "exact"]


@dataclass(frozen=True)
class Solution:
    """Places by attendee and round, the objective, and the bound with the prices that prove it.

    `prices / scale` are by theme, round and type.
    """

    places: Places
    objective: Objective
    bound: int
    prices: Ints
    scale: int
    engine: Engine
    why: str = ""

    @property
    def optimal(self) -> bool:
        """Proven: no allocation costs less."""
        return self.bound == self.objective.total


def evaluate(problem: Problem, places: Places) -> Objective:
    """The objective of an allocation, part by part."""
    who, slot = np.nonzero(places != NOWHERE)
    given = places[who, slot]
    rank = int(problem.rank_costs[problem.rank[who, given]].sum())
    held = problem.held[who, slot]
    changes = int(((held != NOWHERE) & (held != given)).sum())
    parts = {
        "rank": rank,
        "balance": problem.weight * heads_outside(problem, places),
        "change": problem.change_cost * changes,
    }
    return Objective(total=sum(parts.values()), **parts)


def solve(problem: Problem, *, engine: EngineChoice = "auto", time_budget: float = 60.0) -> Solution:
    """Find an allocation of least cost and prove it.

    Raises NoAllocationError when none exists.
    """
    groups = group_attendees(problem)
    demand = theme_demand(problem, groups)
    supply = themes.theme_supply(problem)
    given = themes.assign_themes(demand, supply)
    prices = certificate.theme_prices(demand, supply, given)
    all_rounds = np.repeat(prices[:, None, :], len(problem.rounds), axis=1)
    bound = certificate.lower_bound(problem, all_rounds, rows=groups.first, size=groups.size)
    sets = np.full((problem.people, len(problem.rounds)), NOWHERE, dtype=np.int16)
    dealt = shares.share_themes(given, demand.size, demand.units, demand.cost)
    sets[groups.order, : dealt.shape[1]] = dealt
    cost = problem.rank_costs[problem.rank]
    if problem.even:
        columns = [list(range(len(problem.rounds)))]
        shares.spread_regret(sets, cost, problem.partner_type, sets != NOWHERE, columns)
    places = timetable.make_timetable(problem, sets)
    places = draw_lots(problem, groups, places)
    return Solution(places, evaluate(problem, places), bound, all_rounds, 1, "flow")


def theme_demand(problem: Problem, groups: Groups) -> themes.ThemeDemand:
    """What network 1 is asked, one row a group.

    Over all rounds a theme costs at least its cheapest round; so the network stays a lower bound.
    """
    allowed = allowed_places(problem, groups.first)
    cost = np.where(allowed, place_costs(problem, groups.first), np.iinfo(np.int64).max).min(axis=2)
    return themes.ThemeDemand(
        partner_type=problem.partner_type[groups.first],
        size=groups.size,
        units=problem.free[groups.first].sum(axis=1),
        cost=np.where(allowed.any(axis=2), cost, 0),
        allowed=allowed.any(axis=2),
    )


def draw_lots(problem: Problem, groups: Groups, places: Places) -> Places:
    """Let the lottery decide among equals."""
    here = places != NOWHERE
    cost = problem.rank_costs[problem.rank]
    personal = np.where(here, np.take_along_axis(cost, np.where(here, places, 0).astype(np.int64), axis=1), 0).sum(
        axis=1
    )
    return shares.draw(places, personal, groups, lambda who: shares.lots(problem.seed, [problem.ids[a] for a in who]))


def allocate(
    event: Event,
    attendees: Sequence[Attendee],
    *,
    mode: Mode = "fresh",
    seed: str | None = None,
    previous: Mapping[str, Mapping[str, str]] | None = None,
    engine: EngineChoice = "auto",
    weight: int | None = None,
    tolerance: Fraction | None = None,
    time_budget: float = 60.0,
    progress: Progress | None = None,
) -> Allocation:
    """Give everyone a programme.

    Parameters
    ----------
    seed
        Of the lottery; left out, the event's, else a fresh secret one. It is recorded.
    previous
        Published programmes by attendee and round. `keep` holds on to them; `fresh` only reports who moved.
    weight, tolerance
        Replace the event's balance, for drafts.
    time_budget
        Seconds after which the best found is returned with its proven gap.

    Raises
    ------
    BadInputError
        The attendees or the previous programmes do not fit the event.
    NoAllocationError
        No allocation exists; the message names the cut.
    """
    begun = time.monotonic()
    seed = seed or event.allocation.seed or secrets.token_hex(16)
    problem = build_problem(
        event, attendees, mode=mode, seed=seed, previous=previous, weight=weight, tolerance=tolerance
    )
    solution = solve(problem, engine=engine, time_budget=time_budget)
    programmes = programmes_of(problem, solution.places)
    return Allocation(
        event=event.id,
        mode=mode,
        seed=seed,
        input_digest=input_digest(event, attendees, mode, seed, weight, tolerance, previous),
        engine=solution.engine,
        objective=solution.objective,
        bound=solution.bound,
        optimal=solution.optimal,
        gap=solution.objective.total - solution.bound,
        why=solution.why,
        weight=problem.weight,
        tolerance=str(problem.tolerance),
        change_cost=problem.change_cost,
        prices=prices_by_name(problem, solution.prices),
        price_scale=solution.scale,
        satisfaction=satisfaction(problem, solution.places),
        moved=moved(programmes, previous or {}),
        seconds=round(time.monotonic() - begun, 3),
        programmes=programmes,
        reasons={},
        previous={who: dict(programme) for who, programme in (previous or {}).items()} if mode == "keep" else None,
    )


def programmes_of(problem: Problem, places: Places) -> dict[str, dict[str, str]]:
    """Programmes by id and round, names for numbers."""
    programmes: dict[str, dict[str, str]] = {one: {} for one in problem.ids}
    for r, slot in enumerate(problem.rounds):
        for one, t in zip(problem.ids, places[:, r].tolist(), strict=True):
            if t != NOWHERE:
                programmes[one][slot] = problem.themes[t]
    return programmes


def prices_by_name(problem: Problem, prices: Ints) -> dict[str, dict[str, dict[str, int]]]:
    """Prices by theme, round and partner type, names for numbers."""
    return {
        theme: {
            slot: dict(zip(problem.partner_types, prices[t, r].tolist(), strict=True))
            for r, slot in enumerate(problem.rounds)
        }
        for t, theme in enumerate(problem.themes)
    }


def satisfaction(problem: Problem, places: Places) -> dict[str, int]:
    """Seats by choice: "1" counts the seats that were their holder's first choice."""
    who, slot = np.nonzero(places != NOWHERE)
    counts = np.bincount(problem.rank[who, places[who, slot]], minlength=len(problem.themes))
    return {str(rank + 1): int(seats) for rank, seats in enumerate(counts)}


def moved(
    programmes: Mapping[str, Mapping[str, str]], previous: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """The previous theme of every round that differs, for those who had a programme and still have one."""
    return {
        who: differs
        for who, programme in programmes.items()
        if (differs := {r: t for r, t in previous.get(who, {}).items() if r in programme and programme[r] != t})
    }


def balance_curve(
    event: Event, attendees: Sequence[Attendee], weights: Sequence[int], *, tolerance: Fraction | None = None
) -> list[dict[str, float]]:
    """What stricter balance costs: for each weight the mean choice of all seats and the heads outside their bands.

    A fresh allocation for each weight; `mean_choice` is 1 when everyone gets first choices only.
    """
    curve = []
    for weight in weights:
        problem = build_problem(event, attendees, seed="curve", weight=weight, tolerance=tolerance)
        solution = solve(problem, engine="flow")
        curve.append(
            {
                "weight": weight,
                "mean_choice": round(mean_choice(problem, solution.places), 4),
                "outside": heads_outside(problem, solution.places),
            }
        )
    return curve


def mean_choice(problem: Problem, places: Places) -> float:
    """The mean choice over all seats, from 1; 0 when nobody has a seat."""
    who, slot = np.nonzero(places != NOWHERE)
    return float(problem.rank[who, places[who, slot]].mean() + 1) if len(who) else 0.0


def heads_outside(problem: Problem, places: Places) -> int:
    """Heads under or over the bands of all workshops."""
    heads = timetable.heads_of(problem, places)
    lower, upper = problem.band
    return int((np.maximum(lower - heads, 0) + np.maximum(heads - upper, 0)).sum())
