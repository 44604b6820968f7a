"""What the engines hand to one another, and the objective of an allocation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.allocate.model.problem import NOWHERE, Bools, Ints, NotFoundInTimeError, Places, Problem
from functions.allocate.model.result import Engine, Objective


@dataclass(frozen=True)
class Solution:
    """Places by attendee and round (None: none found), and the bound with the prices that prove it.

    `prices / scale` are by theme, round and type; `why` tells what kept the bound below the total. `attainable`, by
    attendee and theme, where lots decided between all allocations of least cost: whether one of these gives it. It is
    None where lots did not: rounds differ, or the places are another engine's.
    """

    places: Places | None
    total: int
    bound: int
    prices: Ints
    scale: int
    engine: Engine
    why: str = ""
    attainable: Bools | None = None

    @property
    def optimal(self) -> bool:
        """Proven: no allocation costs less."""
        return self.places is not None and self.bound == self.total

    @property
    def drawn(self) -> bool:
        """Whether lots decided between all allocations of least cost."""
        return self.optimal and self.attainable is not None

    @property
    def found(self) -> Places:
        """The places. Raises NotFoundInTimeError when none were found."""
        if self.places is None:
            raise NotFoundInTimeError(self.why)
        return self.places


def evaluate(problem: Problem, places: Places) -> Objective:
    """The objective of an allocation, part by part."""
    who, slot = np.nonzero(places != NOWHERE)
    given = places[who, slot]
    held = problem.held[who, slot]
    rank = int(problem.rank_costs[problem.rank[who, given]].sum())
    balance = problem.weight * heads_outside(problem, places)
    change = problem.change_cost * int(((held != NOWHERE) & (held != given)).sum())
    return Objective(total=rank + balance + change, rank=rank, balance=balance, change=change)


def heads_of(problem: Problem, places: Places) -> Ints:
    """Heads by theme, round and type."""
    themes, rounds, types = problem.shape
    heads = np.zeros((themes, rounds, types), dtype=np.int64)
    for r in range(rounds):
        here = places[:, r] != NOWHERE
        code = places[here, r].astype(np.int64) * types + problem.partner_type[here]
        heads[:, r] = np.bincount(code, minlength=themes * types).reshape(themes, types)
    return heads


def heads_outside(problem: Problem, places: Places) -> int:
    """Heads under or over the bands of all workshops."""
    heads = heads_of(problem, places)
    lower, upper = problem.band
    return int((np.maximum(lower - heads, 0) + np.maximum(heads - upper, 0)).sum())


def personal_costs(problem: Problem, places: Places) -> Ints:
    """The rank costs of each attendee's places, added."""
    personal = np.zeros(problem.people, dtype=np.int64)
    for r in range(places.shape[1]):
        here = np.flatnonzero(places[:, r] != NOWHERE)
        personal[here] += problem.rank_costs[problem.rank[here, places[here, r]]]
    return personal


def mean_choice(problem: Problem, places: Places) -> float:
    """The mean choice over all seats, from 1; 0 when nobody has a seat."""
    who, slot = np.nonzero(places != NOWHERE)
    return float(problem.choices[problem.rank[who, places[who, slot]]].mean()) if len(who) else 0.0


def satisfaction(problem: Problem, places: Places) -> dict[str, int]:
    """Seats by choice: "1" counts the seats that were their holder's first choice."""
    who, slot = np.nonzero(places != NOWHERE)
    counts = np.bincount(problem.choices[problem.rank[who, places[who, slot]]], minlength=len(problem.themes) + 1)
    return {str(choice): int(seats) for choice, seats in enumerate(counts) if choice}
