"""The allocator's entry: `allocate` for people with names, `solve` for arrays.

Two flows first; HiGHS only where they leave a gap; prices for crowds in which hardly two people are alike.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from functions.allocate.exact.close_gap import close_gap, first_places, half_way, timing, unproven
from functions.allocate.exact.infeasible import full_cut, plain_cuts
from functions.allocate.exact.keep_run import solve_keeping
from functions.allocate.fairness.reasons import Reason, reasons
from functions.allocate.fairness.shares import draw, in_order_of_lots, lots, spread_regret
from functions.allocate.flows.two_flows import draw_again, solve_flow
from functions.allocate.model.groups import Groups, group_attendees
from functions.allocate.model.objective import (
    Solution,
    evaluate,
    personal_costs,
    satisfaction,
)
from functions.allocate.model.problem import (
    NOWHERE,
    EngineCannotError,
    Ints,
    NoAllocationError,
    Places,
    Problem,
    build_problem,
)
from functions.allocate.model.result import Allocation
from shared.attendees import Attendee, Mode, WishReader, input_digest
from shared.i18n import told, told_together
from shared.models import Event, Says, Statement
from shared.reasons import Teller

Progress = Callable[[str], None]
OnFault = Callable[[str, Exception], None]
Figures = TypeVar("Figures")
EngineChoice = Literal["auto", "flow", "exact"]

ENGINE_ALONE = told("the flow alone proves no more where rounds differ")
"""Why a solution of the flow, asked for by name, may not be optimal."""

LEAST_FOR_CUT, MOST_FOR_CUT = 2.0, 20.0
"""Seconds that each of the two solutions behind the words of a full cut may take."""


def solve(problem: Problem, *, engine: EngineChoice = "auto", time_budget: float = 60.0) -> Solution:
    """Find an allocation of least cost and prove it.

    Raises
    ------
    NoAllocationError
        None exists; the message names the cut that is full.
    NotFoundInTimeError
        None was found within `time_budget` seconds, though none is ruled out.
    EngineCannotError
        The flow engine alone was asked for and has no allocation, though another engine may.
    """
    deadline = time.monotonic() + 0.95 * time_budget  # the rest is for the lottery among equals
    plain = list(plain_cuts(problem))
    if plain:
        raise NoAllocationError(told_together(plain, " "))
    groups = group_attendees(problem)
    if problem.decisive and (problem.held != NOWHERE).any():
        solution = solve_keeping(problem, partial(_solve_costs, engine=engine), deadline)
    else:
        solution = _solve_costs(problem, deadline, engine=engine, groups=groups)
    if not problem.even:  # lots may have decided in the part of a keep run that is free
        solution = replace(solution, attainable=None)
    elif solution.optimal and not solution.drawn:  # HiGHS was ahead of a flow that ran out of time
        solution = draw_again(problem, groups, solution)
    places = solution.found if solution.drawn else _among_equals(problem, groups, solution.found)
    return replace(solution, places=places, why="" if solution.optimal else solution.why or ENGINE_ALONE)


def _solve_costs(problem: Problem, deadline: float, *, engine: EngineChoice, groups: Groups | None = None) -> Solution:
    """Flows first, then HiGHS if they leave a gap."""
    groups, times = groups or group_attendees(problem), timing(problem, deadline)
    try:
        first = first_places(problem, groups, times) if engine != "flow" else None
        if first is not None and time.monotonic() > deadline - 0.1 * (deadline - times.begun):
            return unproven(problem, groups, first)  # the flow's first guess alone might take longer
        middle = half_way(deadline) if engine != "flow" else deadline
        flow = solve_flow(problem, groups, middle if first is not None else min(middle, times.kept))
        if engine == "flow" and flow.places is None:
            raise EngineCannotError(flow.why)
        if engine == "flow" or (engine == "auto" and flow.optimal):
            return flow
        return close_gap(problem, groups, flow, times, first)
    except NoAllocationError as fault:
        left = max(deadline - time.monotonic(), LEAST_FOR_CUT)
        raise NoAllocationError(full_cut(problem, min(left / 2, MOST_FOR_CUT)) or fault.words) from None


def _among_equals(problem: Problem, groups: Groups, places: Places) -> Places:
    """Spread regret over the programmes as they stand, then let the lots decide among equals.

    For rounds that differ, and where the time ended before anything was proven: elsewhere lots decide between all
    allocations of least cost.
    """
    by_lot = in_order_of_lots(problem.seed, problem.ids)
    movable = (places != NOWHERE) & (problem.pinned == NOWHERE)
    if problem.change_cost:
        movable &= problem.held == NOWHERE
    cost, partner_type = problem.rank_costs[problem.rank[by_lot]], problem.partner_type[by_lot]
    margin = None if problem.all_possible else problem.possible[by_lot].T
    rounds = [[r] for r in range(places.shape[1])]
    while True:  # each turn spreads regret or serves a better lot, so the end is reached
        before, mine = places, places[by_lot]
        spread_regret(mine, cost, partner_type, movable[by_lot], rounds, margin)
        places = np.empty_like(places)
        places[by_lot] = mine
        places = draw(
            places,
            personal_costs(problem, places),
            groups,
            lambda who: lots(problem.seed, [problem.ids[a] for a in who]),
        )
        if (places == before).all():
            return places


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
    on_fault: OnFault | None = None,
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
    progress
        Called with a few words at each step.
    on_fault
        Called with what could not be described ("reasons", "seats by choice", "prices") and the fault; the allocation
        is returned without it.
        Left out, the fault is raised.

    Raises
    ------
    BadInputError
        The attendees or the previous programmes do not fit the event.
    NoAllocationError
        No allocation exists; the message names the cut.
    NotFoundInTimeError
        None was found within `time_budget` seconds, though none is ruled out.
    EngineCannotError
        The flow engine alone was asked for and has no allocation, though another engine may.
    """
    begun = time.monotonic()
    report = progress or (lambda _: None)
    seed = seed or event.allocation.seed or secrets.token_hex(16)
    problem = build_problem(
        event, attendees, mode=mode, seed=seed, previous=previous, weight=weight, tolerance=tolerance
    )
    report(f"allocating {problem.people} people")
    solution = solve(problem, engine=engine, time_budget=time_budget)
    places = solution.found
    programmes = programmes_of(problem, places)
    report(f"explaining {problem.people} programmes")
    grounds, told = _explained(problem, solution, event, attendees, on_fault)
    by_choice = _described("seats by choice", lambda: satisfaction(problem, places), on_fault)
    prices = _described("prices", lambda: prices_by_name(problem, solution.prices), on_fault)
    return Allocation(
        event=event.id,
        mode=mode,
        seed=seed,
        input_digest=input_digest(event, attendees, mode, seed, weight, tolerance, previous),
        engine=solution.engine,
        objective=evaluate(problem, places),
        bound=solution.bound,
        optimal=solution.optimal,
        draw="exact" if solution.drawn else "pairwise",
        gap=solution.total - solution.bound,
        why=solution.why,
        weight=problem.weight,
        tolerance=str(problem.tolerance),
        change_cost=problem.change_cost,
        prices=prices,
        price_scale=solution.scale,
        satisfaction=by_choice,
        moved=moved(programmes, previous or {}),
        seconds=round(time.monotonic() - begun, 3),
        programmes=programmes,
        grounds=grounds,
        reasons=told,
        previous=_compared_with(previous, mode),
    )


def _described(what: str, make: Callable[[], dict[str, Figures]], on_fault: OnFault | None) -> dict[str, Figures]:
    """What only describes the result; a fault leaves it empty and costs nobody the programme."""
    try:
        return make()
    except Exception as error:
        if on_fault is None:
            raise
        on_fault(what, error)
        return {}


def _explained(
    problem: Problem,
    solution: Solution,
    event: Event,
    attendees: Sequence[Attendee],
    on_fault: OnFault | None,
) -> tuple[dict[str, Reason], dict[str, str]]:
    """Every reason, as statements and in words. Reasons only describe: their fault costs nobody the programme."""
    try:
        facts = reasons(problem, solution.found, optimal=solution.optimal, attainable=solution.attainable)
        grounds = _with_closed_themes(event, attendees, facts)
        return grounds, _told(grounds, event)
    except Exception as error:
        if on_fault is None:
            raise
        on_fault("reasons", error)
        return dict.fromkeys(problem.ids, ()), dict.fromkeys(problem.ids, "")


def _compared_with(previous: Mapping[str, Mapping[str, str]] | None, mode: Mode) -> dict[str, dict[str, str]] | None:
    """What the run was compared with, for its file; a keep run always has some, if only of nobody."""
    known = {who: dict(programme) for who, programme in (previous or {}).items()}
    return known if known or mode == "keep" else None


def _with_closed_themes(
    event: Event, attendees: Sequence[Attendee], grounds: Mapping[str, Reason]
) -> dict[str, Reason]:
    """The reasons, with a statement for each theme that a person ranked and that is not possible for them."""
    wishes, told = WishReader(event), dict(grounds)
    if all(theme.is_open_to(kind.id) for theme in event.themes for kind in event.partner_types):
        attendees = [one for one in attendees if one.excluded]
    for one in attendees:
        possible = wishes.possible(one.partner_type, one.excluded)
        closed = tuple(Statement(Says.NOT_OPEN, theme) for theme in one.ranking if theme not in possible)
        if closed:
            told[one.id] = (*told[one.id], *closed)
    return told


def _told(grounds: Mapping[str, Reason], event: Event) -> dict[str, str]:
    """Every reason in words; what people share is said once."""
    tell = Teller(event)
    said = {id(reason): tell(reason) for reason in {id(reason): reason for reason in grounds.values()}.values()}
    return {one: said[id(reason)] for one, reason in grounds.items()}


def programmes_of(problem: Problem, places: Places) -> dict[str, dict[str, str]]:
    """Programmes by id and round, names for numbers."""
    programmes: dict[str, dict[str, str]] = {one: {} for one in problem.ids}
    for r in problem.rounds_by_time:
        slot = problem.rounds[r]
        for one, t in zip(problem.ids, places[:, r].tolist(), strict=True):
            if t != NOWHERE:
                programmes[one][slot] = problem.themes[t]
    return programmes


def prices_by_name(problem: Problem, prices: Ints) -> dict[str, dict[str, dict[str, int]]]:
    """Prices by theme, round and partner type, names for numbers."""
    return {
        problem.themes[t]: {
            problem.rounds[r]: dict(sorted(zip(problem.partner_types, prices[t, r].tolist(), strict=True)))
            for r in problem.rounds_by_time
        }
        for t in sorted(range(len(problem.themes)), key=problem.themes.__getitem__)
    }


def moved(
    programmes: Mapping[str, Mapping[str, str]], previous: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """The previous theme of every round that differs, for those who had a programme and still have one."""
    return {
        who: differs
        for who, programme in programmes.items()
        if (differs := {r: t for r, t in previous.get(who, {}).items() if r in programme and programme[r] != t})
    }
