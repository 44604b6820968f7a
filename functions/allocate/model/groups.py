"""Attendees treated alike, and what a place costs them.

A *group* is all attendees with the same partner type, ranking, absences, pins and held places. The solver works on
groups: with four themes there are 24 rankings, whatever the crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.problem import NOWHERE, Bools, Ints, Problem

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
    return group_columns(_traits(problem), problem.people)


def group_rows(rows: NDArray[np.int64]) -> Groups:
    """Group equal rows. Groups are numbered in an order that depends on the rows' content only."""
    return group_columns(list(rows.T), len(rows))


def group_columns(columns: Sequence[NDArray[np.integer[Any]]], people: int) -> Groups:
    """Group people for whom all columns are equal."""
    keys = _keys(columns, people)
    if people and int(keys.max()) < 1 << 16:
        keys = keys.astype(np.uint16)  # so few that numpy sorts them by counting
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.ones(people, dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    start = np.flatnonzero(begins)
    of = np.empty(people, dtype=np.int64)
    of[order] = np.cumsum(begins) - 1
    return Groups(order[start], np.diff(np.append(start, people)), of, order, start)


def _traits(problem: Problem) -> list[NDArray[np.integer[Any]]]:
    """All that may distinguish two attendees, a column each; columns without differences are left out."""
    rank = problem.rank[:, :-1] if _full(problem) else problem.rank
    columns: list[NDArray[np.integer[Any]]] = [problem.partner_type, *rank.T]
    for extra in (problem.present, problem.pinned, problem.held):
        if len(extra) and (extra != extra[0]).any():
            columns += list(extra.T.astype(np.int16))
    return columns


def _full(problem: Problem) -> bool:
    """Whether every ranking is full: then the last column follows from the others."""
    themes = len(problem.themes)
    return bool((problem.rank.sum(axis=1, dtype=np.int64) == themes * (themes - 1) // 2).all()) and themes > 1


def _keys(columns: Sequence[NDArray[np.integer[Any]]], people: int) -> NDArray[np.unsignedinteger[Any]]:
    """One number a person: positional if it fits 63 bits, else a hash that is checked for collisions."""
    keys = np.zeros(people, dtype=np.uint64)
    if not people:
        return keys
    low = [int(column.min()) for column in columns]
    span = [int(column.max()) - least + 1 for column, least in zip(columns, low, strict=True)]
    if prod(span) < 2**63:
        for column, least, width in zip(columns, low, span, strict=True):
            if width > 1:
                keys *= np.uint64(width)
                keys += (column - column.dtype.type(least)).astype(np.uint64)
        return keys
    for number, column in enumerate(columns):
        keys = (keys ^ column.astype(np.uint64)) * _MIXERS[number % len(_MIXERS)]
        keys ^= keys >> np.uint64(29)
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    if all((column[first][of] == column).all() for column in columns):
        return keys
    rows = np.stack([column.astype(np.int64) for column in columns], axis=1)
    _, exact = np.unique(rows, axis=0, return_inverse=True)
    return exact.astype(np.uint64)


def allowed_places(problem: Problem, rows: Ints) -> Bools:
    """Where each of `rows` (attendee numbers) may still be put: by attendee, theme, round.

    Present, not pinned elsewhere, the workshop is offered, the theme is possible for them and not one of their pins.
    """
    offered = problem.seats > 0
    allowed: Bools = problem.free[rows][:, None, :] & offered[None, :, :]
    if not problem.all_possible:
        allowed &= (problem.choices > 0)[problem.rank[rows]][:, :, None]
    pinned = problem.pinned[rows]
    who, slot = np.nonzero(pinned != NOWHERE)
    allowed[who, pinned[who, slot], :] = False
    return allowed


def place_costs(problem: Problem, rows: Ints) -> Ints:
    """Cost of each workshop for each of `rows`: rank cost, plus the change cost where it is not the held one."""
    cost = np.repeat(problem.rank_costs[problem.rank[rows]][:, :, None], len(problem.rounds), axis=2)
    if problem.change_cost:
        cost = cost + problem.change_cost * place_changes(problem, rows)
    return cost


def place_changes(problem: Problem, rows: Ints) -> Ints:
    """1 where a place is not the one held, by attendee, theme, round; 0 where none is held."""
    held = problem.held[rows]
    changes = (held[:, None, :] != NOWHERE) & (held[:, None, :] != np.arange(len(problem.themes))[None, :, None])
    return np.asarray(changes, dtype=np.int64)
