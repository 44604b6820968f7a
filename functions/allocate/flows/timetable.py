"""Network 2: in which round each person attends each of their themes.

Where rounds are alike nothing is contested, and `equal_rounds.py` orders them. Elsewhere one round is taken out at a
time, by the split of least cost, which is exact for two rounds once the themes are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx  # type: ignore[import-untyped]  # its stubs are a package of their own
import numpy as np

from functions.allocate.flows.equal_rounds import in_equal_rounds
from functions.allocate.model.groups import Groups, group_columns
from functions.allocate.model.objective import heads_of
from functions.allocate.model.problem import NOWHERE, Bools, EngineCannotError, Ints, Places, Problem
from shared.i18n import told


@dataclass(frozen=True)
class RoundSupply:
    """What one round may take of the heads still to place: by theme, least and most; by (theme, type), a cost.

    `segments[t, g]` lists (width, cost of each head) in convex order.
    """

    least: Ints
    most: Ints
    segments: dict[tuple[int, int], list[tuple[int, int]]]


def make_timetable(problem: Problem, sets: Places) -> Places:
    """Order everyone's set of themes into rounds, at least cost: by attendee and round.

    `sets` holds the themes of each attendee (without pins) in any order. Pins are kept.

    Raises EngineCannotError when no order fits the seats; with uneven rounds that is no proof that none exists.
    """
    if problem.even:
        return in_equal_rounds(sets, problem.partner_type, len(problem.themes))
    places = problem.pinned.copy()
    left = np.sort(sets, axis=1)[:, ::-1].copy()  # by theme, so that equal sets are equal rows; `NOWHERE` last
    free = problem.free
    last = len(problem.rounds) - 1
    for r in range(last):
        people = np.flatnonzero(free[:, r])
        if len(people):
            chosen = _take_round(problem, r, people, left)
            places[people, r] = chosen
            left[people] = _removed(left[people], chosen)
    people = np.flatnonzero(free[:, last])
    places[people, last] = left[people, 0]
    if not _fits(problem, places):
        raise EngineCannotError(told("the themes do not fit the rounds in any order"))
    return places


def _removed(sets: Places, chosen: Places) -> Places:
    """The sets without the chosen theme of each, in order, one column of `NOWHERE` more at the end."""
    rest = np.full_like(sets, NOWHERE)
    before = np.ones(len(sets), dtype=bool)
    for column in range(sets.shape[1] - 1):
        before &= sets[:, column] != chosen
        rest[:, column] = np.where(before, sets[:, column], sets[:, column + 1])
    return rest


def _membership(problem: Problem, sets: Places) -> Bools:
    """Which themes are in each set."""
    left = np.zeros((len(sets), len(problem.themes)), dtype=bool)
    who, column = np.nonzero(sets != NOWHERE)
    left[who, sets[who, column]] = True
    return left


def _fits(problem: Problem, places: Places) -> bool:
    heads = heads_of(problem, places).sum(axis=2)
    return bool((heads <= problem.seats).all() and (heads >= problem.minimum).all())


def _take_round(problem: Problem, r: int, people: Ints, left: Places) -> Places:
    """The theme of each of `people` in round r."""
    rest = problem.free[people, r + 1 :]
    traits = [problem.partner_type[people], *left[people].T]
    if not rest.all():
        traits += list(rest.T.astype(np.int16))
    if problem.change_cost:
        traits += list(problem.held[people].T)
    groups = group_columns(traits, len(people))
    first = people[groups.first]
    cost, possible = _round_costs(problem, r, first, _membership(problem, left[first]))
    counts = _split_round(problem.partner_type[first], groups, cost, possible, _round_supply(problem, r, left))
    chosen = np.empty(len(people), dtype=np.int16)
    chosen[groups.order] = np.repeat(np.tile(np.arange(cost.shape[1], dtype=np.int16), len(groups)), counts.ravel())
    return chosen


def _round_costs(problem: Problem, r: int, rows: Ints, left: Bools) -> tuple[Ints, Bools]:
    """What it costs to take each theme in round r, for one attendee of each group, and where it is possible.

    With one round to come, the theme left over goes there, and its costs are counted here.
    """
    themes = len(problem.themes)
    offered = problem.seats > 0
    possible: Bools = left & offered[:, r]
    cost = np.zeros(left.shape, dtype=np.int64)
    if problem.change_cost:
        held = problem.held[rows, r][:, None]
        cost += problem.change_cost * ((held != NOWHERE) & (held != np.arange(themes)))
    later = problem.free[rows, r + 1 :]
    must_go_on = later.sum(axis=1)
    for position in range(later.shape[1]):
        only = (must_go_on == 1) & later[:, position]
        slot = r + 1 + position
        if only.any():
            cannot = (left & ~offered[:, slot])[only]
            possible[only] &= ~((cannot.sum(axis=1)[:, None] - cannot) > 0)
            if problem.change_cost:
                held = problem.held[rows[only], slot][:, None]
                moves = left[only] & (held != NOWHERE) & (held != np.arange(themes))
                cost[only] += problem.change_cost * (moves.sum(axis=1)[:, None] - moves)
    return cost, possible


def _round_supply(problem: Problem, r: int, left: Places) -> RoundSupply:
    """Bounds and convex costs of round r, given what all attendees still have to place."""
    themes, _, types = problem.shape
    pending = np.zeros((themes, types), dtype=np.int64)
    for column in left.T:
        here = column != NOWHERE
        code = column[here].astype(np.int64) * types + problem.partner_type[here]
        pending += np.bincount(code, minlength=themes * types).reshape(themes, types)
    total = pending.sum(axis=1)
    pinned = heads_of(problem, problem.pinned)
    seats = problem.seats - pinned.sum(axis=2)
    least = np.maximum(problem.minimum - pinned.sum(axis=2), 0)
    lower, upper = (edge - pinned for edge in problem.band)
    segments = {
        (t, g): list(_split_segments(int(pending[t, g]), lower[t, r:, g], upper[t, r:, g], problem.weight))
        for t, g in np.ndindex(themes, types)
        if pending[t, g]
    }
    return RoundSupply(
        np.maximum(least[:, r], total - seats[:, r + 1 :].sum(axis=1)),
        np.minimum(seats[:, r], total - least[:, r + 1 :].sum(axis=1)),
        segments,
    )


def _split_segments(pending: int, lower: Ints, upper: Ints, weight: int) -> Iterator[tuple[int, int]]:
    """Yield widths and marginal costs of h heads here and `pending − h` later; convex, so costs grow."""
    here = (int(lower[0]), int(upper[0]))
    later = (pending - int(upper[1:].sum()), pending - int(lower[1:].sum()))
    # Both parts bend at two numbers of heads here: −weight before the first, 0 between, +weight after the second.
    bends = sorted({0, pending, *(min(max(bend, 0), pending) for bend in here + later)})
    for begin, end in pairwise(bends):
        yield end - begin, sum(weight * ((begin >= high) - (begin < low)) for low, high in (here, later))


def _split_round(partner_type: Ints, groups: Groups, cost: Ints, possible: Bools, supply: RoundSupply) -> Ints:
    """How many of each group take each theme in this round.

    Nodes: a theme pair (with more than two rounds to come a larger set; same type, themes left, rounds left) supplies
    its people; (workshop, type); a workshop needs its least; the sink takes the rest. Edges carry the convex costs and
    the bounds.

    Raises EngineCannotError when no split fits.
    """
    network = nx.MultiDiGraph()
    if (supply.most < np.maximum(supply.least, 0)).any():
        raise EngineCannotError(told("the themes do not fit the rounds in any order"))
    for k in range(len(groups)):
        network.add_node(("theme pair", k), demand=-int(groups.size[k]))
        for t in np.flatnonzero(possible[k]).tolist():
            network.add_edge(
                ("theme pair", k),
                ("workshop of type", t, int(partner_type[k])),
                0,
                capacity=int(groups.size[k]),
                weight=int(cost[k, t]),
            )
    for (t, g), segments in supply.segments.items():
        for key, (width, each) in enumerate(segments):
            network.add_edge(("workshop of type", t, g), ("workshop", t), key, capacity=width, weight=each)
    taken = 0
    for t in range(len(supply.least)):
        must = max(int(supply.least[t]), 0)
        network.add_node(("workshop", t), demand=must)
        network.add_edge(("workshop", t), ("sink",), 0, capacity=int(supply.most[t]) - must, weight=0)
        taken += must
    network.add_node(("sink",), demand=int(groups.size.sum()) - taken)
    try:
        _, flow = nx.network_simplex(network)
    except nx.NetworkXUnfeasible:
        raise EngineCannotError(told("the themes do not fit the rounds in any order")) from None
    counts = np.zeros(cost.shape, dtype=np.int64)
    for k in range(len(groups)):
        for (_, t, _), parallel in flow["theme pair", k].items():
            counts[k, t] = parallel[0]
    return counts
