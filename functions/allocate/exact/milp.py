"""The integer programme that closes a gap, solved by HiGHS.

Variables: `x[k, t, r]`, how many of group k attend theme t in round r. Rows: everyone of k has one workshop in every
free round; at most `size[k]` of k take theme t over all rounds; seats and minimum of every workshop; heads of each
type in each workshop, with heads under and over the band at their price.

That is exact although programmes do not appear in it: the counts of a group are a bipartite multigraph of rounds and
themes with degrees of at most `size[k]`, and such a graph splits into `size[k]` matchings that cover every round
(Kőnig's edge colouring theorem). One matching is one person's programme. Compared with a column for each programme
this has T x R columns a group instead of T^R, and the same relaxation.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.groups import Groups, allowed_places, place_changes
from functions.allocate.model.objective import heads_of
from functions.allocate.model.problem import Bools, Ints, NoAllocationError, Problem
from shared.i18n import told

Floats = NDArray[np.float64]

PRICE_SCALE = 60
"""Prices of the relaxation are kept as whole sixtieths: it has vertices at halves, thirds, quarters and fifths."""


SOLVER = "HiGHS"
"""Name of the threads that a solver runs in. The last of them may be at work still when the time is over."""


@dataclass(frozen=True)
class Columns:
    """The variables of the milp: group, theme and round of each, after dropping what no better answer uses."""

    group: Ints
    theme: Ints
    round: Ints

    def __len__(self) -> int:
        return len(self.group)


@dataclass(frozen=True)
class Outcome:
    """What HiGHS found: counts by group, theme and round (None without a solution) and the bound it proved.

    The bound leaves out what pins cost; `proven` says that no better counts exist.
    """

    counts: Ints | None
    bound: float
    proven: bool


class ExactModel:
    """The mixed integer linear programme (milp) of one problem, over groups."""

    def __init__(
        self,
        problem: Problem,
        groups: Groups,
        usable: Bools | None = None,
        *,
        cost: Floats | None = None,
        must: Bools | None = None,
    ) -> None:
        """Lay out the model.

        `usable` may rule out places, by group, theme, round. `cost`, by the same, replaces what places cost. `must`
        says by group and theme which themes everyone of a group has to have.
        """
        self.problem, self.groups = problem, groups
        self.must = np.zeros((len(groups), len(problem.themes)), dtype=bool) if must is None else must
        allowed = allowed_places(problem, groups.first)
        self.columns = Columns(
            *(axis.astype(np.int64) for axis in np.nonzero(allowed if usable is None else allowed & usable))
        )
        kept = self.columns
        self.cost: Ints | Floats = problem.rank_costs[problem.rank[groups.first[kept.group], kept.theme]]
        if cost is not None:
            self.cost = cost[kept.group, kept.theme, kept.round]
        self.changes = place_changes(problem, groups.first)[kept.group, kept.theme, kept.round]
        self.pinned_heads = heads_of(problem, problem.pinned)
        self.partner_type = problem.partner_type[groups.first]
        self._build()

    def _build(self) -> None:
        """Lay out rows and columns. Columns: the places, then heads under and over each band, if they cost anything."""
        problem, kept = self.problem, self.columns
        themes, rounds, types = problem.shape
        size = self.groups.size.astype(float)
        entries: list[tuple[Ints, Ints, Floats]] = []
        lower: list[Floats] = []
        upper: list[Floats] = []

        def rows(key: Ints, low: Floats, high: Floats, columns: Ints | None = None) -> None:
            begin = sum(map(len, lower))
            columns = np.arange(len(kept)) if columns is None else columns
            entries.append((begin + key, columns, np.ones(len(columns))))
            lower.append(low)
            upper.append(high)

        free = problem.free[self.groups.first]
        everyone = np.where(free, size[:, None], 0.0).ravel()
        rows(kept.group * rounds + kept.round, everyone, everyone)
        self._theme_rows(rows)
        taken = self.pinned_heads.sum(axis=2)
        rows(
            kept.theme * rounds + kept.round,
            np.maximum(problem.minimum - taken, 0).astype(float).ravel(),
            (problem.seats - taken).astype(float).ravel(),
        )
        self.seat_row = sum(map(len, lower)) - themes * rounds
        self.band_row = sum(map(len, lower))
        cells = themes * rounds * types if problem.weight else 0
        if cells:
            low, high = (edge - self.pinned_heads for edge in problem.band)
            rows(
                (kept.theme * rounds + kept.round) * types + self.partner_type[kept.group],
                low.astype(float).ravel(),
                high.astype(float).ravel(),
            )
            cell = np.arange(cells)
            entries.append((self.band_row + cell, len(kept) + cell, np.ones(cells)))
            entries.append((self.band_row + cell, len(kept) + cells + cell, -np.ones(cells)))
        self.cells = cells
        self.row_lower, self.row_upper = np.concatenate(lower), np.concatenate(upper)
        self.entries = tuple(np.concatenate(part) for part in zip(*entries, strict=True))

    def _theme_rows(self, rows: Callable[[Ints, Floats, Floats, Ints], None]) -> None:
        """Nobody has a theme twice, and everyone has what they must: rows only where this is not plain already."""
        key = self.columns.group * len(self.problem.themes) + self.columns.theme
        count = np.bincount(key, minlength=self.must.size)
        needed = np.flatnonzero((count > 1) | ((count > 0) & self.must.ravel()))
        place = np.full(self.must.size, -1)
        place[needed] = np.arange(len(needed))
        columns = np.flatnonzero(place[key] >= 0)
        size = self.groups.size[needed // len(self.problem.themes)].astype(float)
        rows(place[key[columns]], np.where(self.must.ravel()[needed], size, -np.inf), size, columns)

    def relax(self, deadline: float) -> tuple[Floats, Floats] | None:
        """Solve without integrality: the values of the places and the duals of all rows."""
        solver = self.solver(self.objective(), deadline, whole=False)
        if not run_until(solver, deadline) or solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = solver.getSolution()
        values = np.array(found.col_value)[: len(self.columns)]
        return values, np.array(found.row_dual)

    def prices(self, duals: Floats) -> Ints:
        """Duals as prices by theme, round and type, in whole parts of `PRICE_SCALE`.

        What a seat costs a type is the dual of the seats and of the band; weak duality holds for any prices, so
        rounding cannot make the bound wrong.
        """
        themes, rounds, types = self.problem.shape
        price = -np.repeat(duals[self.seat_row : self.band_row], types)
        if self.cells:
            price = price - duals[self.band_row :]
        rounded: Ints = np.rint(price * PRICE_SCALE).astype(np.int64).reshape(themes, rounds, types)
        return rounded

    def optimise(self, deadline: float, start: Ints | None) -> Outcome:
        """Solve to the end, or to `deadline` (monotonic seconds), from counts already known, if any.

        With a decisive change cost, changes come first and the rest second: two runs with small numbers instead of
        one with a number that floats cannot hold beside ranks.
        """
        if not self.problem.decisive or not self.changes.any():
            return self._run(self.objective(), deadline, start)
        first = self._run(self._wide(self.changes), deadline, start)
        if first.counts is None or not first.proven:
            return first
        fewest = int((first.counts[self.columns.group, self.columns.theme, self.columns.round] * self.changes).sum())
        small = self.objective(change_cost=0)
        second = self._run(small, deadline, first.counts, most_changes=fewest)
        return Outcome(second.counts, second.bound + self.problem.change_cost * fewest, second.proven)

    def objective(self, change_cost: int | None = None) -> Floats:
        """What all columns cost, the change cost replaced if given."""
        each = self.problem.change_cost if change_cost is None else change_cost
        return self._wide(self.cost + each * self.changes, self.problem.weight)

    def _wide(self, places: Ints | Floats, weight: int = 0) -> Floats:
        return np.concatenate([places.astype(float), np.full(2 * self.cells, float(weight))])

    def _run(self, objective: Floats, deadline: float, start: Ints | None, most_changes: int | None = None) -> Outcome:
        solver = self.solver(objective, deadline, whole=True)
        if most_changes is not None:
            changing = np.flatnonzero(self.changes)
            solver.addRow(
                -np.inf, float(most_changes), len(changing), changing.astype(np.int32), np.ones(len(changing))
            )
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = list(self._complete(start))
            solver.setSolution(guess)
        if not run_until(solver, deadline):
            return Outcome(None, -math.inf, proven=False)
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise NoAllocationError(told("No allocation fits the seats."))
        info = solver.getInfo()
        counts = None
        if info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible):
            counts = self.counts(solver)
        return Outcome(counts, info.mip_dual_bound, status == highspy.HighsModelStatus.kOptimal)

    def counts(self, solver: highspy.Highs) -> Ints:
        """What HiGHS found, by group, theme, round."""
        counts = np.zeros((len(self.groups), *self.problem.shape[:2]), dtype=np.int64)
        kept = self.columns
        counts[kept.group, kept.theme, kept.round] = np.rint(solver.getSolution().col_value[: len(kept)])
        return counts

    def _complete(self, counts: Ints) -> Floats:
        """Values of all columns for these counts."""
        kept = self.columns
        values = counts[kept.group, kept.theme, kept.round].astype(float)
        if not self.cells:
            return values
        row, column, _ = self.entries
        mine = (row >= self.band_row) & (column < len(kept))
        heads = np.bincount(row[mine] - self.band_row, weights=values[column[mine]], minlength=self.cells)
        under = np.maximum(self.row_lower[self.band_row :] - heads, 0)
        over = np.maximum(heads - self.row_upper[self.band_row :], 0)
        return np.concatenate([values, under, over])

    def solver(self, objective: Floats, deadline: float, *, whole: bool) -> highspy.Highs:
        """HiGHS with this model, ready to run until `deadline` (monotonic seconds)."""
        row, column, value = self.entries
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(objective), len(self.row_lower)
        model.col_cost_ = objective
        model.col_lower_ = np.zeros(len(objective))
        most = self.groups.size[self.columns.group].astype(float)
        model.col_upper_ = np.concatenate([most, np.full(2 * self.cells, np.inf)])
        model.row_lower_, model.row_upper_ = self.row_lower, self.row_upper
        order = np.lexsort((row, column))
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(column[order], np.arange(len(objective) + 1)).astype(np.int32)
        model.a_matrix_.index_ = row[order].astype(np.int32)
        model.a_matrix_.value_ = value[order]
        if whole:
            kinds = [highspy.HighsVarType.kInteger] * len(self.columns)
            model.integrality_ = kinds + [highspy.HighsVarType.kContinuous] * (2 * self.cells)
        solver = silent_highs()
        settings: dict[str, bool | float | str] = {
            "output_flag": False,
            "parallel": "off",  # the same answer on every machine
            "time_limit": max(0.95 * (deadline - time.monotonic()), 0.01),
            "mip_rel_gap": 0.0,
            "mip_abs_gap": 0.99,  # the objective is whole: less than one apart is equal
        }
        for option, setting in settings.items():
            solver.setOptionValue(option, setting)
        solver.passModel(model)
        return solver


def silent_highs() -> highspy.Highs:
    """A HiGHS that says nothing: it greets on standard output as it is made, before any option can forbid it."""
    try:
        library, saved, nowhere = ctypes.CDLL(None), os.dup(1), os.open(os.devnull, os.O_WRONLY)
    except (OSError, TypeError):  # no standard output, or a system without a C library to ask
        return highspy.Highs()  # type: ignore[no-untyped-call]
    try:
        sys.stdout.flush()
        library.fflush(None)
        os.dup2(nowhere, 1)
        return highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        library.fflush(None)  # the greeting waits in the library's own buffer
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)


def run_until(solver: highspy.Highs, deadline: float) -> bool:
    """Run HiGHS and wait until `deadline` (monotonic seconds) at most. Returns whether it has ended.

    HiGHS knows the same limit, but does not look at the clock while it simplifies a model or factors a matrix. Such a
    run is left behind; it ends on its own, and nothing may be asked of this solver any more.
    """
    thread = threading.Thread(target=solver.run, daemon=True, name=SOLVER)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0.01))
    return not thread.is_alive()
