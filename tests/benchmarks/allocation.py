"""The allocator beside OR-Tools, HiGHS and plain NetworkX: same people, same optimum, one run.

    python -m tests.benchmarks.allocation [--size 160x4 --size 100000x4 …] [--repeat 3] [--list]

Every solver gets the same seeded arrays of people and hands back who goes where; building its network and reading the
answer count. Parcours answers the whole question, rounds and lottery included. Where rounds are alike OR-Tools,
NetworkX and HiGHS answer network 1, which gives themes and no rounds, with a node for each attendee; "grouped" is
OR-Tools with a node for each group of equal attendees, grouping included. Where rounds differ no flow states the
question: "count" is HiGHS on the count model (how many of each group in each workshop) for at most `LIMIT` seconds,
and "rounds" is OR-Tools round after round, each exact with the rounds before it as given, which finds an allocation
and proves nothing.

Seconds are of processor time, so that other work on the machine counts less. Each solver runs in a process of its own,
so that peak memory is its own (people included), and its best time of several counts. Exits 1 when exact objectives
differ, when Parcours is worse than "rounds", or when a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from functions.allocate.model.problem import Problem

Ints = NDArray[np.int64]

AGREE, DIFFER = 0, 1
TYPES = 6
LIMIT = 60.0
"""Seconds that Parcours and the count model get where rounds differ."""

SPARE = 1.1
"""Seats for each person present."""

HOPELESS = {"networkx": 40_000, "highs": 150_000}
"""Edges (people times themes) above which a rival is left out: it would take from minutes to for ever."""

EXACT = frozenset({"parcours", "ortools", "grouped", "networkx", "highs"})
"""Solvers whose objective is the optimum when they end in time."""


@dataclass(frozen=True)
class Case:
    """One size, and the goal set for it: seconds, a share of OR-Tools' time, megabytes."""

    people: int
    themes: int
    rounds: int = 2
    uneven: bool = False
    minima: bool = False
    keep: bool = False
    partial: bool = False
    seconds: float | None = None
    share: float | None = None
    gap: float | None = None
    megabytes: int | None = None
    default: bool = True

    @property
    def name(self) -> str:
        """As `--size` takes it."""
        size = f"{self.people}x{self.themes}" + (f"x{self.rounds}" if self.rounds != 2 else "")
        traits = ("uneven", "minima", "keep", "partial")
        return " ".join([size, *(trait for trait in traits if getattr(self, trait))])

    @property
    def flow(self) -> bool:
        """Whether network 1 states the question."""
        return not (self.uneven or self.minima or self.keep)


CASES = (
    Case(160, 4, seconds=0.05),
    Case(3_000, 4),
    Case(100_000, 4, share=2),
    Case(2_000, 8, share=5),
    Case(10_000, 12, share=2),
    Case(100_000, 12, share=2),
    Case(1_000_000, 12, seconds=6, share=2, megabytes=3_000, default=False),
    Case(1_061, 65, partial=True, share=5),
    Case(10_000, 12, 3, share=2),
    Case(5_000, 35, 6, seconds=8),
    Case(2_000, 8, uneven=True, seconds=5),
    Case(10_000, 12, uneven=True, seconds=3),
    Case(3_000, 20, 3, uneven=True, minima=True, seconds=10, megabytes=400),
    Case(400, 40, 4, uneven=True, minima=True, seconds=30, gap=0.01),
    Case(600, 65, 4, uneven=True, minima=True, seconds=30, gap=0.01),
    Case(5_000, 35, 6, uneven=True, minima=True, seconds=8),
    Case(10_000, 12, keep=True, seconds=3),
)


@dataclass(frozen=True)
class Found:
    """An objective, and what no allocation can be below (None: not known)."""

    objective: int
    bound: int | None


@dataclass(frozen=True)
class People:
    """Arrays of people: the rank of each theme (from 0) and a partner type; seats and minima by theme and round.

    `held` is by person and round the theme published before, −1 without one.
    """

    rank: NDArray[np.uint8]
    partner_type: Ints
    seats: Ints
    minimum: Ints
    held: NDArray[np.int16]

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return int(self.seats.shape[1])


def make_people(case: Case, seed: int = 7) -> People:
    """Rankings that favour some themes over others, partner types of unequal size; the same for the same seed."""
    rng = np.random.default_rng(seed)
    appeal = rng.random(case.themes) * 1.5
    order = np.argsort(rng.random((case.people, case.themes)) - appeal, axis=1)
    rank = np.empty((case.people, case.themes), dtype=np.uint8)
    np.put_along_axis(rank, order, np.arange(case.themes, dtype=np.uint8)[None, :], axis=1)
    if case.partial:  # from three choices to a third of the themes; all others are last
        length = rng.integers(3, max(case.themes // 3, 4), size=(case.people, 1))
        rank = np.where(rank < length, rank, case.themes - 1).astype(np.uint8)
    shares = rng.random(TYPES) + 0.3
    kind = rng.choice(TYPES, size=case.people, p=shares / shares.sum())
    fair = int(-(-case.people * SPARE // case.themes))
    seats = np.full((case.themes, case.rounds), fair, dtype=np.int64)
    if case.uneven:
        seats += rng.integers(-fair // 3, fair // 3 + 1, size=seats.shape)
        for r in range(case.rounds):
            seats[rng.integers(case.themes), r] = 0
            seats[seats[:, r] > 0, r] += max(0, int(case.people * SPARE - seats[:, r].sum())) // (case.themes - 1) + 1
    minimum = np.where(seats > 0, fair // 3, 0) if case.minima else np.zeros_like(seats)
    people = People(
        rank, kind.astype(np.int64), seats, minimum, np.full((case.people, case.rounds), -1, dtype=np.int16)
    )
    return _published(people) if case.keep else people


def _published(people: People) -> People:
    """The same people a day later: everyone holds what round after round gave them, and one workshop lost 40 seats."""
    _, held = _round_after_round(people)
    seats = people.seats.copy()
    seats[np.bincount(held[:, 0]).argmax(), 0] -= 40
    return replace(people, held=held.astype(np.int16), seats=seats)


def problem_of(people: People) -> Problem:
    """The same as the allocator takes it."""
    from functions.allocate.model.problem import NOWHERE, Problem, decisive_change_cost

    count, themes = people.rank.shape
    problem = Problem(
        themes=tuple(f"theme-{t}" for t in range(themes)),
        rounds=tuple(f"round-{r}" for r in range(people.rounds)),
        partner_types=tuple(f"type-{g}" for g in range(TYPES)),
        seats=people.seats,
        minimum=people.minimum,
        rank_costs=np.arange(themes, dtype=np.int64) ** 2,
        weight=2,
        tolerance=Fraction(1, 4),
        ids=[f"person-{a:07}" for a in range(count)],
        partner_type=people.partner_type,
        rank=people.rank,
        present=np.ones((count, people.rounds), dtype=bool),
        pinned=np.full((count, people.rounds), NOWHERE, dtype=np.int16),
        held=people.held,
        seed="a seed",
    )
    if (people.held == NOWHERE).all():
        return problem
    return replace(problem, change_cost=decisive_change_cost(problem), decisive=True)


def solve_parcours(people: People) -> Found:
    """The whole allocation."""
    from functions.allocate.solve import solve

    solution = solve(problem_of(people), time_budget=LIMIT)
    return Found(solution.total, solution.bound)


@dataclass(frozen=True)
class Network:
    """Network 1 with a node for each attendee, as arrays of edges; `constant` comes on top of its cost."""

    tail: Ints
    head: Ints
    capacity: Ints
    cost: Ints
    supply: Ints
    constant: int


def make_network(people: People, rows: Ints | None = None, size: Ints | None = None) -> Network:
    """Attendee → (theme, type) → theme → sink, written for itself from `allocation.md`; nothing of the allocator's.

    With `rows`, each of these attendees stands for `size` equal ones.
    """
    rows = np.arange(len(people.rank)) if rows is None else rows
    size = np.ones(len(rows), dtype=np.int64) if size is None else size
    rank, partner_type = people.rank[rows], people.partner_type[rows]
    count, themes = rank.shape
    heads, theme, sink = count, count + themes * TYPES, count + themes * TYPES + themes
    who, wanted = np.repeat(np.arange(count), themes), np.tile(np.arange(themes), count)
    cost = rank.astype(np.int64).ravel() ** 2
    edges = [(who, heads + wanted * TYPES + partner_type[who], size[who], cost)]
    lower, upper = bands(people)
    far, weight = people.rounds * len(people.rank), 2
    t, g = (axis.ravel() for axis in np.indices((themes, TYPES)))
    low, high = lower.sum(axis=1)[t, g], upper.sum(axis=1)[t, g]
    for capacity, each in ((low, -weight), (high - low, 0), (np.full_like(low, far), weight)):
        edges.append((heads + t * TYPES + g, theme + t, capacity, np.full_like(t, each)))
    every = np.arange(themes)
    edges.append((theme + every, np.full_like(every, sink), people.seats.sum(axis=1), np.zeros_like(every)))
    supply = np.zeros(sink + 1, dtype=np.int64)
    supply[:count], supply[sink] = people.rounds * size, -people.rounds * len(people.rank)
    tail, head, capacity, cost = (np.concatenate(part).astype(np.int64) for part in zip(*edges, strict=True))
    return Network(tail, head, capacity, cost, supply, weight * int(lower.sum()))


def bands(people: People) -> tuple[Ints, Ints]:
    """Fewest and most heads by theme, round and type: ⌊¾ e⌋ and ⌈5/4 e⌉."""
    present = np.bincount(people.partner_type, minlength=TYPES)
    share = people.seats[:, :, None] * present
    total = people.seats.sum(axis=0)[None, :, None]
    return share * 3 // (total * 4), -(-share * 5 // (total * 4))


def solve_ortools(people: People) -> Found:
    """OR-Tools' cost-scaling push-relabel on network 1, a node for each attendee."""
    return _push_relabel(people, make_network(people), np.ones(len(people.rank), dtype=np.int64))


def solve_grouped(people: People) -> Found:
    """The same with a node for each group of attendees with one partner type and one ranking."""
    rows = np.column_stack([people.partner_type.astype(np.uint8), people.rank])
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, size = np.unique(packed, return_index=True, return_counts=True)
    network = make_network(people, first, size)
    return _push_relabel(replace(people, rank=people.rank[first]), network, size)


def _push_relabel(people: People, network: Network, size: Ints) -> Found:
    from ortools.graph.python import min_cost_flow  # type: ignore[import-untyped]

    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(network.tail, network.head, network.capacity, network.cost)
    flow.set_nodes_supplies(np.arange(len(network.supply)), network.supply)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise SystemExit(f"OR-Tools: {status}")
    given = flow.flows(arcs[: people.rank.size]).reshape(people.rank.shape)
    if (given.sum(axis=1) != people.rounds * size).any():
        raise SystemExit("OR-Tools: a person has not one theme a round")
    total = int(flow.optimal_cost()) + network.constant
    return Found(total, total)


def solve_networkx(people: People) -> Found:
    """NetworkX's network simplex on network 1."""
    import networkx as nx  # type: ignore[import-untyped]

    network = make_network(people)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((node, {"demand": -units}) for node, units in enumerate(network.supply.tolist()))
    columns = (one.tolist() for one in (network.tail, network.head, network.capacity, network.cost))
    for tail, head, capacity, cost in zip(*columns, strict=True):
        graph.add_edge(tail, head, capacity=capacity, weight=cost)
    cost, _ = nx.network_simplex(graph)
    return Found(int(cost) + network.constant, int(cost) + network.constant)


def solve_highs(people: People) -> Found:
    """HiGHS: network 1 as a linear programme."""
    network = make_network(people)
    edges = np.arange(len(network.tail))
    found = _minimise(
        cost=network.cost,
        upper=network.capacity,
        rows=np.concatenate([network.tail, network.head]),
        columns=np.concatenate([edges, edges]),
        values=np.concatenate([np.ones(len(edges)), -np.ones(len(edges))]),
        low=network.supply.astype(float),
        high=network.supply.astype(float),
        whole=0,
    )
    return Found(found.objective + network.constant, found.objective + network.constant)


def solve_count(people: People) -> Found:
    """HiGHS on the count model: how many of each group are in each workshop; a change costs what Parcours counts."""
    problem = problem_of(people)
    rows = np.column_stack([people.partner_type, people.rank, people.held])
    _, first, size = np.unique(rows, axis=0, return_index=True, return_counts=True)
    themes, rounds = people.seats.shape
    k, t, r = (axis.ravel() for axis in np.indices((len(first), themes, rounds)))
    offered = people.seats[t, r] > 0
    k, t, r = k[offered], t[offered], r[offered]
    held = people.held[first[k], r]
    cost = people.rank[first[k], t].astype(np.int64) ** 2 + problem.change_cost * ((held >= 0) & (held != t))
    lower, upper = bands(people)
    cells = themes * rounds * TYPES
    place = t * rounds + r
    cell = place * TYPES + people.partner_type[first[k]]
    begin = np.cumsum([0, len(first) * rounds, len(first) * themes, themes * rounds])
    every, spare = np.arange(len(k)), len(k) + np.arange(2 * cells)
    keys = [k * rounds + r, begin[1] + k * themes + t, begin[2] + place, begin[3] + cell]
    band = begin[3] + np.tile(np.arange(cells), 2)
    return _minimise(
        cost=np.concatenate([cost, np.full(2 * cells, 2)]),
        upper=np.concatenate([size[k], np.full(2 * cells, len(people.rank))]),
        rows=np.concatenate([*keys, band]),
        columns=np.concatenate([every, every, every, every, spare]),
        values=np.concatenate([np.ones(4 * len(k)), np.ones(cells), -np.ones(cells)]),
        low=np.concatenate(
            [np.repeat(size, rounds), np.zeros(len(first) * themes), people.minimum.ravel(), lower.ravel()]
        ).astype(float),
        high=np.concatenate(
            [np.repeat(size, rounds), np.repeat(size, themes), people.seats.ravel(), upper.ravel()]
        ).astype(float),
        whole=len(k),
    )


def solve_rounds(people: People) -> Found:
    """OR-Tools round after round: no theme twice, minima as lower bounds, bands as convex cost."""
    total, _ = _round_after_round(people)
    return Found(total, None)


def _round_after_round(people: People) -> tuple[int, Ints]:
    """The objective, and the theme of each person in each round."""
    from ortools.graph.python import min_cost_flow

    problem = problem_of(people)
    count, themes = people.rank.shape
    given = np.full((count, people.rounds), -1, dtype=np.int64)
    lower, upper = bands(people)
    total = 2 * int(lower.sum())
    t, g = (axis.ravel() for axis in np.indices((themes, TYPES)))
    heads, theme, sink = count, count + themes * TYPES, count + themes * TYPES + themes
    for r in range(people.rounds):
        possible = np.repeat((people.seats[:, r] > 0)[None], count, axis=0)
        for before in range(r):
            possible[np.arange(count), given[:, before]] = False
        who, wanted = np.nonzero(possible)
        change = problem.change_cost * ((people.held[who, r] >= 0) & (people.held[who, r] != wanted))
        flow = min_cost_flow.SimpleMinCostFlow()
        arcs = flow.add_arcs_with_capacity_and_unit_cost(
            who,
            heads + wanted * TYPES + people.partner_type[who],
            np.ones_like(who),
            people.rank[who, wanted].astype(np.int64) ** 2 + change,
        )
        low, high = lower[t, r, g], upper[t, r, g]
        steps = [
            flow.add_arcs_with_capacity_and_unit_cost(heads + t * TYPES + g, theme + t, width, np.full_like(t, each))
            for width, each in ((low, -2), (high - low, 0), (np.full_like(low, count), 2))
        ]
        every = np.arange(themes)
        least = people.minimum[:, r]
        flow.add_arcs_with_capacity_and_unit_cost(
            theme + every, np.full_like(every, sink), people.seats[:, r] - least, np.zeros_like(every)
        )
        flow.set_nodes_supplies(
            np.arange(sink + 1),
            np.concatenate([np.ones(count), np.zeros(themes * TYPES), -least, [least.sum() - count]]).astype(np.int64),
        )
        if flow.solve() != flow.OPTIMAL:
            raise SystemExit("round after round: no flow")
        taken = flow.flows(arcs) > 0
        given[who[taken], r] = wanted[taken]
        total += int(flow.optimal_cost())
        del steps
    return total, given


def _minimise(
    *,
    cost: Ints,
    upper: Ints,
    rows: Ints,
    columns: Ints,
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    whole: int,
) -> Found:
    """The least cost of a (mixed integer) linear programme; the first `whole` columns are integer."""
    import highspy

    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(low)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost.astype(float), np.zeros(len(cost)), upper.astype(float)
    model.row_lower_, model.row_upper_ = low, high
    order = np.lexsort((rows, columns))
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(len(cost) + 1)).astype(np.int32)
    model.a_matrix_.index_ = rows[order].astype(np.int32)
    model.a_matrix_.value_ = values[order]
    if whole:
        kinds = [highspy.HighsVarType.kInteger] * whole + [highspy.HighsVarType.kContinuous] * (len(cost) - whole)
        model.integrality_ = kinds
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, setting in {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 0.5, "time_limit": LIMIT}.items():
        solver.setOptionValue(option, setting)
    solver.passModel(model)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        raise SystemExit(f"HiGHS: {solver.getModelStatus()}, nothing found")
    objective = round(solver.getObjectiveValue())
    if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
        return Found(objective, objective)
    return Found(objective, math.ceil(info.mip_dual_bound - 1e-6) if whole else None)


SOLVERS: dict[str, Callable[[People], Found]] = {
    "parcours": solve_parcours,
    "ortools": solve_ortools,
    "grouped": solve_grouped,
    "highs": solve_highs,
    "networkx": solve_networkx,
    "count": solve_count,
    "rounds": solve_rounds,
}


def why_not(case: Case, solver: str) -> str:
    """Why a solver is left out of a case; "" if it is not."""
    if solver in {"count", "rounds"}:
        return "" if not case.flow else "rounds are alike"
    if solver in {"ortools", "grouped", "networkx", "highs"} and not case.flow:
        return "no flow states rounds that differ"
    return "hopeless" if case.people * case.themes > HOPELESS.get(solver, sys.maxsize) else ""


@dataclass(frozen=True)
class Figure:
    """What one solver did: best seconds of several, objective, bound, peak memory of its process."""

    seconds: float
    objective: int
    bound: int | None
    megabytes: int

    @property
    def gap(self) -> float | None:
        """The share of the bound that the objective lies above it."""
        return None if self.bound is None else (self.objective - self.bound) / max(self.bound, 1)


def measure(case: Case, solver: str, repeat: int) -> Figure:
    """Run a solver in this process; again, up to `repeat` times, while that stays under some ten seconds."""
    people = make_people(case)
    times: list[float] = []
    found = Found(0, None)
    while len(times) < repeat and sum(times) < 10:
        begun = time.process_time()
        found = SOLVERS[solver](people)
        times.append(time.process_time() - begun)
    return Figure(min(times), found.objective, found.bound, peak_megabytes())


def peak_megabytes() -> int:
    """The most memory this process ever held. `ru_maxrss` would count the parent's before exec."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def measure_apart(case: Case, solver: str, repeat: int) -> Figure | str:
    """The same in a process of its own. Returns the last line it complained with, if it failed."""
    command = [sys.executable, "-m", "tests.benchmarks.allocation", "--one", case.name, solver, "--repeat", str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it was killed"])[-1]
    return Figure(**json.loads(done.stdout.splitlines()[-1]))


def lines_of(case: Case, repeat: int) -> tuple[list[str], list[str]]:
    """The lines of a case in the table, and what is wrong with it."""
    found = {solver: measure_apart(case, solver, repeat) for solver in SOLVERS if not why_not(case, solver)}
    lines, wrong = [], []
    figures = {solver: one for solver, one in found.items() if isinstance(one, Figure)}
    wrong += [f"{case.name}: {solver} failed: {one}" for solver, one in found.items() if isinstance(one, str)]
    proven = {name: one.objective for name, one in figures.items() if name in EXACT and one.objective == one.bound}
    if len(set(proven.values())) > 1:
        wrong.append(f"{case.name}: objectives differ: {proven}")
    if "rounds" in figures and "parcours" in figures and figures["parcours"].objective > figures["rounds"].objective:
        wrong.append(f"{case.name}: worse than round after round")
    own = figures.get("parcours")
    for solver in SOLVERS:
        figure = figures.get(solver)
        if figure is None and why_not(case, solver) in {"rounds are alike", "no flow states rounds that differ"}:
            continue
        if figure is None:
            lines.append(f"{'':26} {solver:9} {why_not(case, solver) or 'failed'}")
            continue
        ratio = f"{own.seconds / figure.seconds:8.2f}" if own else ""
        label, goal = (case.name, _goal(case, figures)) if solver == "parcours" else ("", "")
        gap = "" if figure.gap is None else f"{figure.gap:.3%}"
        lines.append(
            f"{label:26} {solver:9} {figure.seconds:9.3f} {ratio:8} {figure.megabytes:7} {figure.objective:11} "
            f"{gap:>8}  {goal}".rstrip()
        )
    if "missed" in _goal(case, figures):
        wrong.append(f"{case.name}: {_goal(case, figures)}")
    return lines, wrong


def _goal(case: Case, figures: dict[str, Figure]) -> str:
    """The goal in words, and whether it was reached."""
    own, other = figures.get("parcours"), figures.get("ortools")
    if own is None:
        return "missed"
    goals = []
    if case.seconds is not None:
        goals.append((f"≤ {case.seconds:g} s", own.seconds <= case.seconds))
    if case.share is not None and other is not None:
        goals.append((f"≤ {case.share:g} × OR-Tools", own.seconds <= case.share * other.seconds))
    if case.gap is not None and own.gap is not None:
        goals.append((f"gap ≤ {case.gap:.0%}", own.gap <= case.gap))
    if case.megabytes is not None:
        goals.append((f"< {case.megabytes:,} MB", own.megabytes < case.megabytes))
    return ", ".join(f"{words} {'reached' if reached else 'missed'}" for words, reached in goals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = {case.name: case for case in CASES}
    parser.add_argument("--size", action="append", choices=named, help="a case; again for more (default: all but 1M)")
    parser.add_argument("--all", action="store_true", help="every case, a million people too (minutes, some 10 GB)")
    parser.add_argument("--repeat", type=int, default=3, help="the best of how many runs counts")
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "SOLVER"), help="one solver in this process, as JSON")
    options = parser.parse_args(arguments)
    if options.one:
        figure = measure(named[options.one[0]], options.one[1], options.repeat)
        print(json.dumps(figure.__dict__))
        return AGREE
    chosen = [named[size] for size in options.size or ()] or [one for one in CASES if options.all or one.default]
    print(
        f"{'people x themes x rounds':26} {'solver':9} {'seconds':>9} {'Parcours/':>8} {'MB':>7} {'objective':>11} "
        f"{'gap':>8}  goal"
    )
    wrong: list[str] = []
    for case in chosen:
        lines, faults = lines_of(case, options.repeat)
        print("\n".join(lines), flush=True)
        wrong += faults
    print("\n".join(["", *wrong] if wrong else ["", "All objectives agree; all goals are reached."]))
    return DIFFER if wrong else AGREE


if __name__ == "__main__":
    sys.exit(main())
