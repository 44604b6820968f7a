"""Attendees treated alike, and what a place costs them.

A *group* is all attendees with the same partner type, ranking, absences, pins and held places. The solver works on
groups: with four themes there are 24 rankings, whatever the crowd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.allocate.problem import NOWHERE, Bools, Ints, Problem

_MIXERS = np.random.default_rng(20241106).integers(1, 2**63, size=1024, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True)
class Groups:
    """Attendees treated alike.

    `first` is one attendee of each group, `size` the heads, `of` the group of each attendee; `order` lists the
    attendees group by group, by id within a group, and `start` is where each group begins in it.
    """

    first: Ints
    size: Ints
    of: Ints
    order: Ints
    start: Ints

    def __len__(self) -> int:
        return len(self.first)


def group_attendees(problem: Problem) -> Groups:
    """Put the attendees who must be treated alike into groups, in an order that does not depend on the input's."""
    return group_rows(_traits(problem))


def group_rows(rows: NDArray[np.int64]) -> Groups:
    """Group equal rows. Groups are numbered in an order that depends on the rows' content only."""
    keys = _row_keys(rows)
    _, first, of, size = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(of, kind="stable")
    start = np.cumsum(size) - size
    return Groups(first, size.astype(np.int64), of.astype(np.int64), order, start)


def _traits(problem: Problem) -> NDArray[np.int64]:
    """All that may distinguish two attendees, a row each; columns without differences are left out."""
    columns = [problem.partner_type[:, None], problem.rank[:, :-1] if _full(problem) else problem.rank]
    for extra in (problem.present, problem.pinned, problem.held):
        if len(extra) and (extra != extra[0]).any():
            columns.append(extra)
    return np.concatenate(columns, axis=1, dtype=np.int64, casting="unsafe")


def _full(problem: Problem) -> bool:
    """Whether every ranking is full: then the last column follows from the others."""
    themes = len(problem.themes)
    return bool((problem.rank.sum(axis=1, dtype=np.int64) == themes * (themes - 1) // 2).all()) and themes > 1


def _row_keys(rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One number a row: positional if it fits 63 bits, else a hash that is checked for collisions."""
    if not rows.size:
        return np.zeros(len(rows), dtype=np.uint64)
    low = rows.min(axis=0)
    span = [int(width) for width in rows.max(axis=0) - low + 1]
    keys = np.zeros(len(rows), dtype=np.uint64)
    if np.prod(np.array(span, dtype=object)) < 2**63:
        for column, width in enumerate(span):
            keys = keys * np.uint64(width) + (rows[:, column] - low[column]).astype(np.uint64)
        return keys
    for column in range(rows.shape[1]):
        keys = (keys ^ (rows[:, column] - low[column]).astype(np.uint64)) * _MIXERS[column % len(_MIXERS)]
        keys ^= keys >> np.uint64(29)
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    if (rows[first][of] == rows).all():
        return keys
    _, exact = np.unique(rows, axis=0, return_inverse=True)
    return exact.astype(np.uint64)


def allowed_places(problem: Problem, rows: Ints) -> Bools:
    """Where each of `rows` (attendee numbers) may still be put: by attendee, theme, round.

    Present, not pinned elsewhere, the workshop is offered, and the theme is not one of their pins.
    """
    offered = problem.seats > 0
    allowed: Bools = problem.free[rows][:, None, :] & offered[None, :, :]
    pinned = problem.pinned[rows]
    who, slot = np.nonzero(pinned != NOWHERE)
    allowed[who, pinned[who, slot], :] = False
    return allowed


def place_costs(problem: Problem, rows: Ints) -> Ints:
    """Cost of each workshop for each of `rows`: rank cost, plus the change cost where it is not the held one."""
    cost = np.repeat(problem.rank_costs[problem.rank[rows]][:, :, None], len(problem.rounds), axis=2)
    if problem.change_cost:
        held = problem.held[rows]
        changes = (held[:, None, :] != NOWHERE) & (held[:, None, :] != np.arange(len(problem.themes))[None, :, None])
        cost = cost + problem.change_cost * changes
    return cost
