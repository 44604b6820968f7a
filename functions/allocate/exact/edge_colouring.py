"""From counts of a group by theme and round to one programme a person, and back.

The counts are a bipartite multigraph of rounds and themes; it splits into matchings that cover every round (Kőnig's
edge colouring theorem), and one matching is one person's programme.
"""

from __future__ import annotations

import numpy as np

from functions.allocate.model.groups import Groups
from functions.allocate.model.problem import NOWHERE, Ints, Places, Problem


def counts_of(problem: Problem, groups: Groups, places: Places) -> Ints:
    """How many of each group are in each free place: by group, theme, round."""
    counts = np.zeros((len(groups), *problem.shape[:2]), dtype=np.int64)
    who, slot = np.nonzero((places != NOWHERE) & (problem.pinned == NOWHERE))
    np.add.at(counts, (groups.of[who], places[who, slot], slot), 1)
    return counts


def places_of(problem: Problem, groups: Groups, counts: Ints) -> Places:
    """Split each group's counts into one programme a person; pins are kept."""
    places = problem.pinned.copy()
    for k in range(len(groups)):
        people = groups.order[groups.start[k] : groups.start[k] + groups.size[k]]
        done = 0
        for programme, times in split_programmes(counts[k]):
            for r, t in programme.items():
                places[people[done : done + times], r] = t
            done += times
    return places


def split_programmes(counts: Ints) -> list[tuple[dict[int, int], int]]:
    """Programmes (round → theme, all different) with how many people follow each, from counts by theme and round.

    Every round with heads has the same number n of them, and no theme more than n over all rounds. Take a matching of
    rounds and themes that covers every round and every theme that all remaining people still need; repeat it until an
    edge is used up or another theme becomes needed by all; go on with what is left.
    """
    left = counts.copy()
    remaining = int(left.sum(axis=0).max(initial=0))
    programmes = []
    while remaining:
        matching = _covering_matching(left, remaining)
        spare = [remaining - int(left[t].sum()) for t in range(len(left)) if t not in matching.values()]
        times = min([int(left[t, r]) for r, t in matching.items()] + [extra for extra in spare if extra > 0])
        for r, t in matching.items():
            left[t, r] -= times
        remaining -= times
        programmes.append((matching, times))
    return programmes


def _covering_matching(left: Ints, remaining: int) -> dict[int, int]:
    """A matching, round → theme, that covers every round with heads and every theme with `remaining` of them.

    Themes that must be covered are matched first; augmenting from the rounds afterwards keeps covered what is covered
    (Mendelsohn and Dulmage).
    """
    by_round: dict[int, int] = {}
    by_theme: dict[int, int] = {}

    def from_theme(t: int, seen: set[int]) -> bool:
        for r in np.flatnonzero(left[t]).tolist():
            if r not in seen:
                seen.add(r)
                if r not in by_round or from_theme(by_round[r], seen):
                    by_round[r], by_theme[t] = t, r
                    return True
        return False

    def from_round(r: int, seen: set[int]) -> bool:
        for t in np.flatnonzero(left[:, r]).tolist():
            if t not in seen:
                seen.add(t)
                if t not in by_theme or from_round(by_theme[t], seen):
                    by_round[r], by_theme[t] = t, r
                    return True
        return False

    for t in np.flatnonzero(left.sum(axis=1) == remaining).tolist():
        from_theme(t, set())
    for r in np.flatnonzero(left.sum(axis=0)).tolist():
        if r not in by_round:
            from_round(r, set())
    return by_round
