"""Two allocations of the same people side by side: who moved, who gains, who loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from functions.allocate.problem import Attendee, Places, Problem, as_places, build_problem
from functions.allocate.result import Objective
from functions.allocate.solution import evaluate, satisfaction
from shared.models import Event

Programmes = Mapping[str, Mapping[str, str]]


class Comparison(BaseModel):
    """What changes from one allocation to another.

    `moved` lists the attendees who are in both and whose workshops differ; `gained` and `lost` say by how many ranks,
    all rounds added, they are better or worse off. `newcomers` are in the second only, `gone` in the first only.
    Both objectives are those of a fresh run, without changes; `before` counts whoever is still there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    moved: list[str]
    workshops: int
    gained: dict[str, int]
    lost: dict[str, int]
    newcomers: list[str]
    gone: list[str]
    objective_before: Objective
    objective_after: Objective
    satisfaction_before: dict[str, int]
    satisfaction_after: dict[str, int]


def compare(before: Programmes, after: Programmes, event: Event, attendees: Sequence[Attendee]) -> Comparison:
    """Compare two allocations by attendee, round and theme; unknown themes and rounds of `before` are left out."""
    problem = build_problem(event, attendees)
    ranks_before, ranks_after = (_ranks(problem, programmes) for programmes in (before, after))
    both = [one for one in problem.ids if one in before and one in after]
    gain = {one: ranks_before[one] - ranks_after[one] for one in both}
    differs = {one: _differing(before[one], after[one]) for one in both}
    old, new = _places(problem, before), _places(problem, after)
    return Comparison(
        moved=[one for one in both if differs[one]],
        workshops=sum(differs.values()),
        gained={one: step for one, step in gain.items() if step > 0},
        lost={one: -step for one, step in gain.items() if step < 0},
        newcomers=[one for one in problem.ids if one in after and one not in before],
        gone=sorted(one for one in before if one not in after),
        objective_before=evaluate(problem, old),
        objective_after=evaluate(problem, new),
        satisfaction_before=satisfaction(problem, old),
        satisfaction_after=satisfaction(problem, new),
    )


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    return sum(before.get(slot) != after.get(slot) for slot in before.keys() | after.keys())


def _places(problem: Problem, programmes: Programmes) -> Places:
    known = [
        {r: t for r, t in programmes.get(one, {}).items() if r in problem.rounds and t in problem.themes}
        for one in problem.ids
    ]
    return as_places(known, problem.rounds, problem.themes)


def _ranks(problem: Problem, programmes: Programmes) -> dict[str, int]:
    places = _places(problem, programmes)
    last = len(problem.themes) - 1
    return {
        one: sum(int(problem.rank[a, t]) for t in places[a] if t >= 0)
        + last * sum(t not in problem.themes for t in programmes.get(one, {}).values())
        for a, one in enumerate(problem.ids)
    }
