"""The allocator beside OR-Tools, HiGHS and plain NetworkX: same people, same optimum, one run.

    python -m tests.benchmarks.allocation [--size 160x4 --size 100000x4 …] [--repeat 3] [--list]

Every solver gets the same seeded arrays of people and hands back who goes where; building its network and reading the
answer count. Parcours answers the whole question, rounds and lottery included; OR-Tools, NetworkX and HiGHS answer
network 1 with a node for each attendee, which gives themes and no rounds, or, where rounds differ, HiGHS chooses among
whole programmes. Each runs in a process of its own, so that peak memory is its own (people included), and its best
time of several counts. Exits 1 when two objectives differ, or when a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

AGREE, DIFFER = 0, 1
TYPES = 6
ROUNDS = 2
SPARE = 1.1
"""Seats for each person present."""

HOPELESS = {"networkx": 40_000, "highs": 150_000}
"""Edges (people times themes) above which a rival is left out: it would take from minutes to for ever."""

HOPELESS_PROGRAMMES = 500_000


@dataclass(frozen=True)
class Case:
    """One size, and the goal set for it: seconds, a share of OR-Tools' time, megabytes."""

    people: int
    themes: int
    uneven: bool = False
    partial: bool = False
    seconds: float | None = None
    share: float | None = None
    megabytes: int | None = None
    default: bool = True

    @property
    def name(self) -> str:
        """As `--size` takes it."""
        return f"{self.people}x{self.themes}{' uneven' if self.uneven else ''}{' partial' if self.partial else ''}"


CASES = (
    Case(160, 4, seconds=0.05),
    Case(3_000, 4),
    Case(100_000, 4, share=0.25),
    Case(10_000, 12, seconds=0.5),
    Case(100_000, 12, share=0.7),
    Case(1_000_000, 12, share=0.15, megabytes=3_000, default=False),
    Case(1_061, 65, partial=True, seconds=1.0),
    Case(2_000, 8, uneven=True, seconds=5.0),
)


@dataclass(frozen=True)
class People:
    """Arrays of people: the rank of each theme (from 0) and a partner type; seats by theme and round."""

    rank: NDArray[np.uint8]
    partner_type: Ints
    seats: Ints


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
    seats = np.full((case.themes, ROUNDS), fair, dtype=np.int64)
    if case.uneven:
        seats += rng.integers(-fair // 3, fair // 3 + 1, size=seats.shape)
        seats[:, 1] += max(0, int(case.people * SPARE - seats[:, 1].sum())) // case.themes + 1
        seats[rng.integers(case.themes), 0] = 0
        seats[:, 0] += max(0, int(case.people * SPARE - seats[:, 0].sum())) // case.themes + 1
    return People(rank, kind.astype(np.int64), seats)


def solve_parcours(people: People) -> int:
    """The whole allocation. Returns its objective."""
    from functions.allocate.model.problem import NOWHERE, Problem
    from functions.allocate.solve import solve

    count, themes = people.rank.shape
    nowhere = np.full((count, ROUNDS), NOWHERE, dtype=np.int16)
    solution = solve(
        Problem(
            themes=tuple(f"theme-{t}" for t in range(themes)),
            rounds=tuple(f"round-{r}" for r in range(ROUNDS)),
            partner_types=tuple(f"type-{g}" for g in range(TYPES)),
            seats=people.seats,
            minimum=np.zeros_like(people.seats),
            rank_costs=np.arange(themes, dtype=np.int64) ** 2,
            weight=2,
            tolerance=Fraction(1, 4),
            ids=[f"person-{a:07}" for a in range(count)],
            partner_type=people.partner_type,
            rank=people.rank,
            present=np.ones((count, ROUNDS), dtype=bool),
            pinned=nowhere,
            held=nowhere,
            seed="a seed",
        )
    )
    if not solution.optimal:
        raise SystemExit(f"no proof: bound {solution.bound}, total {solution.total}: {solution.why}")
    return solution.total


@dataclass(frozen=True)
class Network:
    """Network 1 with a node for each attendee, as arrays of edges; `constant` comes on top of its cost."""

    tail: Ints
    head: Ints
    capacity: Ints
    cost: Ints
    supply: Ints
    constant: int


def make_network(people: People) -> Network:
    """Attendee → (theme, type) → theme → room, written for itself from `allocation.md`; nothing of the allocator's."""
    count, themes = people.rank.shape
    heads, theme, room = count, count + themes * TYPES, count + themes * TYPES + themes
    who, wanted = np.repeat(np.arange(count), themes), np.tile(np.arange(themes), count)
    cost = people.rank.astype(np.int64).ravel() ** 2
    edges = [(who, heads + wanted * TYPES + people.partner_type[who], np.ones_like(who), cost)]
    lower, upper = bands(people)
    far, weight = ROUNDS * count, 2
    t, g = (axis.ravel() for axis in np.indices((themes, TYPES)))
    low, high = lower.sum(axis=1)[t, g], upper.sum(axis=1)[t, g]
    for capacity, each in ((low, -weight), (high - low, 0), (np.full_like(low, far), weight)):
        edges.append((heads + t * TYPES + g, theme + t, capacity, np.full_like(t, each)))
    every = np.arange(themes)
    edges.append((theme + every, np.full_like(every, room), people.seats.sum(axis=1), np.zeros_like(every)))
    supply = np.zeros(room + 1, dtype=np.int64)
    supply[:count], supply[room] = ROUNDS, -ROUNDS * count
    tail, head, capacity, cost = (np.concatenate(part).astype(np.int64) for part in zip(*edges, strict=True))
    return Network(tail, head, capacity, cost, supply, weight * int(lower.sum()))


def bands(people: People) -> tuple[Ints, Ints]:
    """Fewest and most heads by theme, round and type: ⌊¾ e⌋ and ⌈5/4 e⌉."""
    present = np.bincount(people.partner_type, minlength=TYPES)
    share = people.seats[:, :, None] * present
    total = people.seats.sum(axis=0)[None, :, None]
    return share * 3 // (total * 4), -(-share * 5 // (total * 4))


def solve_ortools(people: People) -> int:
    """OR-Tools' cost-scaling push-relabel on network 1."""
    from ortools.graph.python import min_cost_flow  # type: ignore[import-untyped]

    network = make_network(people)
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(network.tail, network.head, network.capacity, network.cost)
    flow.set_nodes_supplies(np.arange(len(network.supply)), network.supply)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise SystemExit(f"OR-Tools: {status}")
    given = flow.flows(arcs[: people.rank.size]).reshape(people.rank.shape)
    if (given.sum(axis=1) != ROUNDS).any():
        raise SystemExit("OR-Tools: somebody has not one theme a round")
    return int(flow.optimal_cost()) + network.constant


def solve_networkx(people: People) -> int:
    """NetworkX's network simplex on network 1."""
    import networkx as nx  # type: ignore[import-untyped]

    network = make_network(people)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((node, {"demand": -units}) for node, units in enumerate(network.supply.tolist()))
    columns = (one.tolist() for one in (network.tail, network.head, network.capacity, network.cost))
    for tail, head, capacity, cost in zip(*columns, strict=True):
        graph.add_edge(tail, head, capacity=capacity, weight=cost)
    cost, _ = nx.network_simplex(graph)
    return int(cost) + network.constant


def solve_highs(people: People) -> int:
    """HiGHS: network 1 as a linear programme if rounds are alike, else an integer programme over whole programmes."""
    if (people.seats != people.seats[:, :1]).any():
        return _solve_programmes(people)
    network = make_network(people)
    edges = np.arange(len(network.tail))
    return network.constant + _minimise(
        cost=network.cost,
        upper=network.capacity,
        rows=np.concatenate([network.tail, network.head]),
        columns=np.concatenate([edges, edges]),
        values=np.concatenate([np.ones(len(edges)), -np.ones(len(edges))]),
        low=network.supply.astype(float),
        high=network.supply.astype(float),
        whole=0,
    )


def _solve_programmes(people: People) -> int:
    """A column for each kind of attendee and ordered pair of themes, as `allocation.md` first states it."""
    themes = people.rank.shape[1]
    kinds, size = np.unique(np.column_stack([people.partner_type, people.rank]), axis=0, return_counts=True)
    pairs = np.array(list(permutations(range(themes), ROUNDS)))
    pairs = pairs[(people.seats[pairs, np.arange(ROUNDS)] > 0).all(axis=1)]
    k, p = (axis.ravel() for axis in np.indices((len(kinds), len(pairs))))
    cost = sum((kinds[k, 1 + pairs[p, r]].astype(np.int64) ** 2 for r in range(ROUNDS)), np.zeros(len(k), np.int64))
    lower, upper = bands(people)
    cells = themes * ROUNDS * TYPES
    rows, columns = [k], [np.arange(len(k))]
    for r in range(ROUNDS):
        place = pairs[p, r] * ROUNDS + r
        rows += [len(kinds) + place, len(kinds) + themes * ROUNDS + place * TYPES + kinds[k, 0].astype(np.int64)]
        columns += [np.arange(len(k)), np.arange(len(k))]
    band = len(kinds) + themes * ROUNDS + np.arange(cells)
    rows += [band, band]
    columns += [len(k) + np.arange(cells), len(k) + cells + np.arange(cells)]
    values = np.ones(sum(map(len, rows)))
    values[-cells:] = -1
    nothing = np.zeros(themes * ROUNDS)
    return _minimise(
        cost=np.concatenate([cost, np.full(2 * cells, 2)]),
        upper=np.concatenate([size[k], np.full(2 * cells, len(people.rank))]),
        rows=np.concatenate(rows),
        columns=np.concatenate(columns),
        values=values,
        low=np.concatenate([size, nothing, lower.ravel()]).astype(float),
        high=np.concatenate([size, people.seats.ravel(), upper.ravel()]).astype(float),
        whole=len(k),
    )


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
) -> int:
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
    for option, setting in {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 0.5, "time_limit": 900.0}.items():
        solver.setOptionValue(option, setting)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SystemExit(f"HiGHS: {solver.getModelStatus()}")
    return round(solver.getObjectiveValue())


SOLVERS: dict[str, Callable[[People], int]] = {
    "parcours": solve_parcours,
    "ortools": solve_ortools,
    "highs": solve_highs,
    "networkx": solve_networkx,
}


def why_not(case: Case, solver: str) -> str:
    """Why a solver is left out of a case; "" if it is not."""
    if solver in {"ortools", "networkx"} and case.uneven:
        return "no flow states rounds that differ"
    if solver == "highs" and case.uneven:
        return "hopeless" if case.people * case.themes * (case.themes - 1) > HOPELESS_PROGRAMMES else ""
    return "hopeless" if case.people * case.themes > HOPELESS.get(solver, sys.maxsize) else ""


@dataclass(frozen=True)
class Figure:
    """What one solver did: best seconds of several, objective, peak memory of its process."""

    seconds: float
    objective: int
    megabytes: int


def measure(case: Case, solver: str, repeat: int) -> Figure:
    """Run a solver in this process; again, up to `repeat` times, while that stays under some ten seconds."""
    people = make_people(case)
    times: list[float] = []
    while len(times) < repeat and sum(times) < 10:
        begun = time.perf_counter()
        objective = SOLVERS[solver](people)
        times.append(time.perf_counter() - begun)
    return Figure(min(times), objective, peak_megabytes())


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
    if len({one.objective for one in figures.values()}) > 1:
        wrong.append(f"{case.name}: objectives differ: { {name: one.objective for name, one in figures.items()} }")
    own = figures.get("parcours")
    for solver in SOLVERS:
        figure = figures.get(solver)
        if figure is None:
            lines.append(f"{'':16} {solver:9} {why_not(case, solver) or 'failed'}")
            continue
        ratio = f"{own.seconds / figure.seconds:8.2f}" if own else ""
        label = case.name if solver == "parcours" else ""
        lines.append(
            f"{label:16} {solver:9} {figure.seconds:9.3f} {ratio} {figure.megabytes:7} {figure.objective:11}"
            f"  {_goal(case, figures) if solver == 'parcours' else ''}".rstrip()
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
    print(f"{'people x themes':16} {'solver':9} {'seconds':>9} {'Parcours/':>8} {'MB':>6} {'objective':>11}  goal")
    wrong: list[str] = []
    for case in chosen:
        lines, faults = lines_of(case, options.repeat)
        print("\n".join(lines), flush=True)
        wrong += faults
    print("\n".join(["", *wrong] if wrong else ["", "All objectives agree; all goals are reached."]))
    return DIFFER if wrong else AGREE


if __name__ == "__main__":
    sys.exit(main())
