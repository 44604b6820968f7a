"""Recompute everything about an allocation from the event and the attendees.

Nothing here is shared with the solver but the data models, the reading of rankings and the words of reasons:
feasibility, objective, bands, bound, lottery and digest are computed anew, from the words of the design. A wrong solver
and a wrong verifier would have to agree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from functions.allocate.flows.two_flows import MOST_EDGES
from functions.allocate.model.result import Allocation
from infra.verify.bound import exact_bound, price_faults, proven_by_prices
from infra.verify.case import NONE, Case
from infra.verify.lots import lot_faults, rounds_alike
from infra.verify.reasons import reason_faults
from infra.words import printable
from shared.attendees import Attendee, programme_faults
from shared.i18n import Told, told, told_together
from shared.models import Event


@dataclass(frozen=True)
class Check:
    """One question asked of an allocation, and the answers that were wrong."""

    name: Told
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def __str__(self) -> str:
        return str(self.told)

    @property
    def told(self) -> Told:
        """The check in a line, as a message; what it found wrong stays as the verifier says it."""
        if self.passed:
            return told_together(["ok   ", self.name], " ")
        found = "; ".join(map(printable, self.faults[:3]))
        if len(self.faults) <= 3:
            return told("FAIL  %(name)s: %(faults)s", name=self.name, faults=found)
        return told(
            "FAIL  %(name)s: %(faults)s (and %(number)s more)",
            name=self.name,
            faults=found,
            number=len(self.faults) - 3,
        )


def verify(
    event: Event,
    attendees: Sequence[Attendee],
    allocation: Allocation,
    *,
    previous: Mapping[str, Mapping[str, str]] | None = None,
    time_limit: float = 30.0,
) -> list[Check]:
    """Check an allocation; every check is answered, also after one that failed.

    `previous` is what the run was compared with, and what a keep run kept to; left out, the allocation's own record of
    it. `time_limit` (seconds) is for proving a bound that prices alone do not prove.
    """
    return verify_case(Case(event, attendees, allocation, previous, time_limit))


def verify_case(case: Case) -> list[Check]:
    """Check an allocation that is laid out already."""
    questions: list[tuple[Told, Callable[[Case], Iterator[str]]]] = [
        (told("the result is for this event and these attendees (input digest)"), _digest),
        (told("everyone has a programme, and nobody else"), _everyone),
        (told("one workshop in each round attended, all of different themes"), _programmes),
        (told("everyone pinned is where they are pinned"), _pins),
        (told("no workshop has more heads than seats"), _seats),
        (told("no workshop has fewer heads than its minimum"), _minima),
        (told("the total cost and its parts"), _objective),
        (told("seats by choice (satisfaction)"), _satisfaction),
        (told("who moved"), _moved),
        (told("the prices prove the bound"), _bound),
        (told("optimal is claimed only with proof"), _claim),
        (told("among equals the lottery decided"), _lottery),
        (told("lots decided every tie"), lot_faults),
        (told("everyone has a reason that the numbers support"), reason_faults),
    ]
    return [Check(name, _answers(question, case)) for name, question in questions]


def _answers(question: Callable[[Case], Iterator[str]], case: Case) -> tuple[str, ...]:
    """The faults found. A file may be altered in any way, so names that lead nowhere are faults too."""
    try:
        return tuple(question(case))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return (f"cannot be checked: {type(error).__name__} {error}",)


def _digest(case: Case) -> Iterator[str]:
    event, run = case.event, case.allocation
    if run.event != event.id:
        yield f"it is for the event {run.event!r}"
    rounds = sorted(case.rounds)
    facts = {
        "event": event.id,
        "mode": run.mode,
        "seed": run.seed,
        "rounds": rounds,
        "themes": [
            [t.id, sorted(t.open_to), [[event.seats(t.id, r), event.minimum(t.id, r)] for r in rounds]]
            for t in sorted(event.themes, key=lambda theme: theme.id)
        ],
        "partner_types": sorted(case.types),
        "rank_costs": event.rank_costs,
        "weight": run.weight,
        "tolerance": str(Fraction(run.tolerance)),
        "change_cost": event.allocation.change_cost if run.mode == "keep" else None,
    }
    encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
    digest = hashlib.sha256(encode(facts).encode() + b"\n")
    for a in case.attendees:
        before = dict(case.previous.get(a.id, {}))
        row = [a.id, a.partner_type, a.ranking, sorted(a.absent), dict(a.pinned), sorted(a.excluded), before]
        digest.update(encode(row).encode() + b"\n")
    if digest.hexdigest() != run.input_digest:
        yield "the event, the attendees, the seed or what was kept to differ from those of the run"
    if run.change_cost != case.change_cost:
        yield f"a change costs {case.change_cost}, not {run.change_cost}"


def _everyone(case: Case) -> Iterator[str]:
    ids, given = set(case.ids), case.allocation.programmes.keys()
    yield from (f"{who} has none" for who in sorted(ids - given))
    yield from (f"{who} is not registered" for who in sorted(given - ids))


def _programmes(case: Case) -> Iterator[str]:
    places, programmes = case.places, case.allocation.programmes
    rounds = set(case.rounds)
    for who in case.ids:
        if not programmes.get(who, {}).keys() <= rounds:
            yield f"{who} is somewhere in {sorted(programmes[who].keys() - rounds)}, which are no rounds"
    for a in np.flatnonzero(((places != NONE) != case.present).any(axis=1)):
        wanted = [slot for slot, there in zip(case.rounds, case.present[a], strict=True) if there]
        yield f"{case.ids[a]} has {sorted(programmes.get(case.ids[a], {}))} for {wanted}"
    for r in range(len(case.rounds)):
        for other in range(r):
            for a in np.flatnonzero((places[:, r] == places[:, other]) & (places[:, r] >= 0)):
                yield f"{case.ids[a]} has the same theme twice"
    people, slots = np.nonzero(places != NONE)
    theme = places[people, slots]
    known = np.maximum(theme, 0)
    offered = (theme >= 0) & (case.seats[known, slots] > 0)
    possible = case.possible[people, known] | (case.pinned[people, slots] == theme)
    for n in np.flatnonzero(~offered | ~possible).tolist():
        who, slot = case.ids[people[n]], case.rounds[slots[n]]
        why = "is not possible for them" if offered[n] else f"is not offered in {slot}"
        yield f"{who}: {programmes[who][slot]} {why}"


def _pins(case: Case) -> Iterator[str]:
    for a, r in zip(*np.nonzero((case.pinned != NONE) & (case.pinned != case.places)), strict=True):
        yield f"{case.ids[a]} is not in {case.title(case.pinned[a, r], r)}"


def _seats(case: Case) -> Iterator[str]:
    for t, r in zip(*np.nonzero(case.fill > case.seats), strict=True):
        yield f"{case.title(t, r)} has {case.fill[t, r]} heads for {case.seats[t, r]} seats"


def _minima(case: Case) -> Iterator[str]:
    for t, r in zip(*np.nonzero(case.fill < case.minimum), strict=True):
        yield f"{case.title(t, r)} has {case.fill[t, r]} heads and needs {case.minimum[t, r]}"


def _objective(case: Case) -> Iterator[str]:
    run, (lower, upper) = case.allocation.objective, case.band
    changes = int(((case.held != NONE) & (case.places != NONE) & (case.held != case.places)).sum())
    outside = int((np.maximum(lower - case.heads, 0) + np.maximum(case.heads - upper, 0)).sum())
    counted = {
        "rank": int(case.personal_cost.sum()),
        "balance": case.allocation.weight * outside,
        "change": case.change_cost * changes,
    }
    counted["total"] = sum(counted.values())
    for part, value in counted.items():
        if getattr(run, part) != value:
            yield f"{part} is {value}, not {getattr(run, part)}"


def _satisfaction(case: Case) -> Iterator[str]:
    who, _, theme = case.seated
    counts = np.bincount(case.choice[who, theme], minlength=len(case.themes) + 1)
    wanted = {str(choice): int(counts[choice]) for choice in range(1, len(case.themes) + 1)}
    told = case.allocation.satisfaction
    for choice in sorted(wanted.keys() | told.keys()):
        if choice not in wanted:
            yield f"{choice!r} is no choice among {len(case.themes)} themes"
        elif wanted[choice] != told.get(choice):
            yield f"choice {choice}: {wanted[choice]} seats, not {told.get(choice, 'any')}"


def _moved(case: Case) -> Iterator[str]:
    """Who moved against the programmes that the run was compared with; nobody, if it was compared with none."""
    told, before = case.allocation.moved, case.compared_with or {}
    themes, rounds = set(case.themes), set(case.rounds)
    for who, programme in before.items():
        yield from (f"before, {who}: {message}" for message in programme_faults(programme, themes, rounds))
    for who, programme in case.allocation.programmes.items():
        differs = {r: t for r, t in before.get(who, {}).items() if r in programme and programme[r] != t}
        if differs != told.get(who, {}):
            yield f"{who} moved from {differs}, not from {told.get(who, {})}"
    yield from (f"{who} moved and has no programme" for who in sorted(told.keys() - case.allocation.programmes.keys()))
    yield from (f"{who} moved from nowhere" for who, from_where in told.items() if not from_where)


def _bound(case: Case) -> Iterator[str]:
    """The bound in the file must follow from its prices, or from an integer programme built here."""
    wrong = list(price_faults(case))
    yield from wrong
    if wrong:
        return
    run, proven = case.allocation, proven_by_prices(case)
    if run.bound <= proven:
        return
    if run.engine != "flow+exact":
        yield f"they prove {proven}, not {run.bound}"
        return
    exact = exact_bound(case)
    if exact is None:
        yield f"the prices prove {proven}; an integer programme that proves {run.bound} again would be too large"
    elif run.bound > exact:
        yield f"an integer programme of its own proves {exact}, not {run.bound}"


def _claim(case: Case) -> Iterator[str]:
    run = case.allocation
    if run.optimal != (run.bound == run.objective.total):
        yield f"optimal is {run.optimal} with bound {run.bound} and total {run.objective.total}"
    if run.gap != run.objective.total - run.bound:
        yield f"the gap is {run.objective.total - run.bound}, not {run.gap}"
    if run.bound > run.objective.total:
        yield f"the bound {run.bound} lies above the total {run.objective.total}"
    if run.optimal == bool(run.why):
        yield "it is optimal and says why not" if run.optimal else "it is not optimal and does not say why"
    yield from _engine(case)


def _engine(case: Case) -> Iterator[str]:
    """Whether the engine named could have made this: which one runs follows from the question and the prices."""
    run = case.allocation
    if run.engine != "flow+exact" and not run.optimal and rounds_alike(case):
        yield f"where rounds are alike {run.engine!r} proves what it finds, and this is not proven"
    if run.price_scale != 1 and run.engine != "flow+exact":
        yield f"prices in parts of {run.price_scale} come from the exact engine, not from {run.engine!r}"
    if run.mode == "fresh" and run.engine != "flow+exact":
        edges = len(case.alike[0]) * len(case.themes)
        expected = "contested-flow" if edges > MOST_EDGES else "flow"
        if run.engine != expected:
            yield f"the engine for this question is {expected!r}, not {run.engine!r}"


def _lottery(case: Case) -> Iterator[str]:
    """In a group of equals, costs must grow with the lots: HMAC-SHA256(seed, id)."""
    seed, (_, of) = case.allocation.seed.encode(), case.alike
    least = np.full(len(case.alike[0]), np.iinfo(np.int64).max)
    most = np.full(len(least), np.iinfo(np.int64).min)
    np.minimum.at(least, of, case.personal_cost)
    np.maximum.at(most, of, case.personal_cost)
    drawn = {a: hmac.digest(seed, case.ids[a].encode(), "sha256") for a in np.flatnonzero((most > least)[of]).tolist()}
    order = sorted(drawn, key=lambda a: (int(of[a]), drawn[a]))
    for a, b in pairwise(order):
        if of[a] == of[b] and case.personal_cost[a] > case.personal_cost[b]:
            yield f"{case.ids[a]} drew a better lot than {case.ids[b]} and has the worse programme"
