"""The allocation that the best prices allow: everyone gets a programme that costs them the least at these prices.

At the prices of the linear relaxation the places without slack, and the themes nobody does without at the same cost,
say which programmes are cheapest. People of one type with the same places and themes are one group, however their
rankings differ, so the integer programme is small. What it finds costs what the prices prove, if anything does.
"""

from __future__ import annotations

import highspy
import numpy as np

from functions.allocate.exact.edge_colouring import places_of
from functions.allocate.exact.milp import PRICE_SCALE, ExactModel, run_until
from functions.allocate.exact.price_search import slacks
from functions.allocate.model.groups import Groups, group_columns
from functions.allocate.model.problem import Bools, Ints, Places, Problem

TOLERANCE = 3
"""Parts of a unit (of `PRICE_SCALE`) that rounded prices may be wrong by."""


def tight_places(problem: Problem, prices: Ints, deadline: float) -> Places | None:
    """Places of which all are cheapest at `prices / PRICE_SCALE`; None if none were found until `deadline`."""
    slack = slacks(problem, np.arange(problem.people), prices, PRICE_SCALE)
    usable, must = slack.place <= TOLERANCE, slack.theme > TOLERANCE
    groups = _alike(problem, usable, must)
    first = groups.first
    seat = -prices.transpose(2, 0, 1)[problem.partner_type[first]] / PRICE_SCALE
    model = ExactModel(problem, groups, usable[first], cost=seat, must=must[first])
    solver = model.solver(model.objective(change_cost=0), deadline, whole=True)
    if not run_until(solver, deadline):
        return None
    if solver.getInfo().primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        return None
    return places_of(problem, groups, model.counts(solver))


def _alike(problem: Problem, usable: Bools, must: Bools) -> Groups:
    """People of one type with the same rounds, pins, usable places and themes that they must have."""
    columns = [problem.partner_type, *problem.free.T.astype(np.int64), *problem.pinned.T]
    bits = np.concatenate([usable.reshape(len(usable), -1), must], axis=1)
    for begin in range(0, bits.shape[1], 62):
        some = bits[:, begin : begin + 62]
        columns.append((some * (1 << np.arange(some.shape[1], dtype=np.int64))).sum(axis=1))
    return group_columns(columns, problem.people)
