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
from shared.i18n import Told, told, told_many, told_together
from shared.models import Event


@dataclass(frozen=True)
class Check:
    """One question asked of an allocation, and the answers that were wrong."""

    name: Told
    faults: tuple[Told, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def __str__(self) -> str:
        return str(self.told)

    @property
    def told(self) -> Told:
        """The check in a line, as a message."""
        if self.passed:
            return told_together(["ok   ", self.name], " ")
        found = told_together(map(_printable, self.faults[:3]))
        if len(self.faults) <= 3:
            return told("FAIL  %(name)s: %(faults)s", name=self.name, faults=found)
        return told(
            "FAIL  %(name)s: %(faults)s (and %(number)s more)",
            name=self.name,
            faults=found,
            number=len(self.faults) - 3,
        )


def _printable(fault: str) -> str:
    """A fault whose names, which a forged file may have chosen, are in one line that a terminal shows as it is."""
    if not isinstance(fault, Told):
        return printable(fault)
    facts = {name: _printable(fact) if isinstance(fact, str) else fact for name, fact in fault.facts.items()}
    return Told(fault.singular, facts, fault.plural, fault.number)


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
    questions: list[tuple[Told, Callable[[Case], Iterator[Told]]]] = [
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


def _answers(question: Callable[[Case], Iterator[Told]], case: Case) -> tuple[Told, ...]:
    """The faults found. A file may be altered in any way, so names that lead nowhere are faults too."""
    try:
        return tuple(question(case))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return (told("cannot be checked: %(fault)s", fault=f"{type(error).__name__} {error}"),)


def _digest(case: Case) -> Iterator[Told]:
    event, run = case.event, case.allocation
    if run.event != event.id:
        yield told("it is for the event %(event)s", event=repr(run.event))
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
    quoted = {name: encode(name) for name in (*case.themes, *case.types)}
    for a in case.attendees:
        if not (a.absent or a.pinned or a.excluded or a.id in case.previous):
            ranking = ",".join(quoted[theme] for theme in a.ranking)
            digest.update(f"[{encode(a.id)},{quoted[a.partner_type]},[{ranking}],[],{{}},[],{{}}]\n".encode())
            continue
        before = dict(case.previous.get(a.id, {}))
        row = [a.id, a.partner_type, a.ranking, sorted(a.absent), dict(a.pinned), sorted(a.excluded), before]
        digest.update(encode(row).encode() + b"\n")
    if digest.hexdigest() != run.input_digest:
        yield told("the event, the attendees, the seed or what was kept to differ from those of the run")
    if run.change_cost != case.change_cost:
        yield told("a change costs %(cost)s, not %(told)s", cost=case.change_cost, told=run.change_cost)


def _everyone(case: Case) -> Iterator[Told]:
    ids, given = set(case.ids), case.allocation.programmes.keys()
    yield from (told("%(who)s has none", who=who) for who in sorted(ids - given))
    yield from (told("%(who)s is not registered", who=who) for who in sorted(given - ids))


def _programmes(case: Case) -> Iterator[Told]:
    places, programmes = case.places, case.allocation.programmes
    rounds = set(case.rounds)
    for who in case.ids:
        if not programmes.get(who, {}).keys() <= rounds:
            strange = ", ".join(map(repr, sorted(programmes[who].keys() - rounds)))
            yield told("%(who)s has themes in what is no round: %(rounds)s", who=who, rounds=strange)
    for a in np.flatnonzero(((places != NONE) != case.present).any(axis=1)):
        wanted = [slot for slot, there in zip(case.rounds, case.present[a], strict=True) if there]
        has = ", ".join(sorted(programmes.get(case.ids[a], {})))
        yield told(
            "%(who)s has themes in these rounds: %(has)s; present in: %(wanted)s",
            who=case.ids[a],
            has=has or "–",
            wanted=", ".join(wanted) or "–",
        )
    for r in range(len(case.rounds)):
        for other in range(r):
            for a in np.flatnonzero((places[:, r] == places[:, other]) & (places[:, r] >= 0)):
                yield told("%(who)s has the same theme twice", who=case.ids[a])
    people, slots = np.nonzero(places != NONE)
    theme = places[people, slots]
    known = np.maximum(theme, 0)
    offered = (theme >= 0) & (case.seats[known, slots] > 0)
    possible = case.possible[people, known] | (case.pinned[people, slots] == theme)
    for n in np.flatnonzero(~offered | ~possible).tolist():
        who, slot = case.ids[people[n]], case.rounds[slots[n]]
        if offered[n]:
            yield told("%(who)s: %(theme)s is not possible for them", who=who, theme=programmes[who][slot])
        else:
            told_theme = programmes[who][slot]
            yield told("%(who)s: %(theme)s is not offered in %(round)s", who=who, theme=told_theme, round=slot)


def _pins(case: Case) -> Iterator[Told]:
    for a, r in zip(*np.nonzero((case.pinned != NONE) & (case.pinned != case.places)), strict=True):
        yield told("%(who)s is not in %(where)s", who=case.ids[a], where=case.title(case.pinned[a, r], r))


def _seats(case: Case) -> Iterator[Told]:
    for t, r in zip(*np.nonzero(case.fill > case.seats), strict=True):
        seats = told_many("%(num)s seat", "%(num)s seats", int(case.seats[t, r]))
        yield told_many(
            "%(where)s has %(num)s head for %(seats)s",
            "%(where)s has %(num)s heads for %(seats)s",
            int(case.fill[t, r]),
            where=case.title(t, r),
            seats=seats,
        )


def _minima(case: Case) -> Iterator[Told]:
    for t, r in zip(*np.nonzero(case.fill < case.minimum), strict=True):
        yield told_many(
            "%(where)s has %(num)s head and needs %(least)s",
            "%(where)s has %(num)s heads and needs %(least)s",
            int(case.fill[t, r]),
            where=case.title(t, r),
            least=int(case.minimum[t, r]),
        )


def _objective(case: Case) -> Iterator[Told]:
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
            yield told("%(part)s is %(value)s, not %(told)s", part=part, value=value, told=getattr(run, part))


def _satisfaction(case: Case) -> Iterator[Told]:
    who, _, theme = case.seated
    counts = np.bincount(case.choice[who, theme], minlength=len(case.themes) + 1)
    wanted = {str(choice): int(counts[choice]) for choice in range(1, len(case.themes) + 1)}
    counted = case.allocation.satisfaction
    for choice in sorted(wanted.keys() | counted.keys()):
        if choice not in wanted:
            yield told_many(
                "%(choice)s is no choice among %(num)s theme",
                "%(choice)s is no choice among %(num)s themes",
                len(case.themes),
                choice=repr(choice),
            )
        elif wanted[choice] != counted.get(choice):
            yield told_many(
                "choice %(choice)s: %(num)s seat, not %(told)s",
                "choice %(choice)s: %(num)s seats, not %(told)s",
                wanted[choice],
                choice=choice,
                told=counted.get(choice, "–"),
            )


def _moved(case: Case) -> Iterator[Told]:
    """Who moved against the programmes that the run was compared with; nobody, if it was compared with none."""
    moved, before = case.allocation.moved, case.compared_with or {}
    themes, rounds = set(case.themes), set(case.rounds)
    for who, programme in before.items():
        for message in programme_faults(programme, themes, rounds):
            yield told("before, %(who)s: %(words)s", who=who, words=message)
    for who, programme in case.allocation.programmes.items():
        differs = {r: t for r, t in before.get(who, {}).items() if r in programme and programme[r] != t}
        if differs != moved.get(who, {}):
            yield told(
                "%(who)s moved from %(was)s, not from %(told)s",
                who=who,
                was=_in_rounds(differs),
                told=_in_rounds(moved.get(who, {})),
            )
    for who in sorted(moved.keys() - case.allocation.programmes.keys()):
        yield told("%(who)s moved and has no programme", who=who)
    yield from (told("%(who)s moved from nowhere", who=who) for who, from_where in moved.items() if not from_where)


def _in_rounds(programme: Mapping[str, str]) -> str:
    """Themes with their rounds, by the names of the files."""
    return ", ".join(f"{slot}:{theme}" for slot, theme in programme.items()) or "–"


def _bound(case: Case) -> Iterator[Told]:
    """The bound in the file must follow from its prices, or from an integer programme built here."""
    wrong = list(price_faults(case))
    yield from wrong
    if wrong:
        return
    run, proven = case.allocation, proven_by_prices(case)
    if run.bound <= proven:
        return
    if run.engine != "flow+exact":
        yield told("they prove %(proven)s, not %(bound)s", proven=proven, bound=run.bound)
        return
    exact = exact_bound(case)
    if exact is None:
        yield told(
            "the prices prove %(proven)s; an integer programme that proves %(bound)s again would be too large",
            proven=proven,
            bound=run.bound,
        )
    elif run.bound > exact:
        yield told("an integer programme of its own proves %(exact)s, not %(bound)s", exact=exact, bound=run.bound)


def _claim(case: Case) -> Iterator[Told]:
    run = case.allocation
    if run.optimal != (run.bound == run.objective.total):
        yield told(
            "optimal is %(optimal)s with bound %(bound)s and total %(total)s",
            optimal=json.dumps(run.optimal),
            bound=run.bound,
            total=run.objective.total,
        )
    if run.gap != run.objective.total - run.bound:
        yield told("the gap is %(gap)s, not %(told)s", gap=run.objective.total - run.bound, told=run.gap)
    if run.bound > run.objective.total:
        yield told("the bound %(bound)s lies above the total %(total)s", bound=run.bound, total=run.objective.total)
    if run.optimal == bool(run.why):
        yield (
            told("it is optimal and says why not") if run.optimal else told("it is not optimal and does not say why")
        )
    yield from _engine(case)


def _engine(case: Case) -> Iterator[Told]:
    """Whether the engine named could have made this: which one runs follows from the question and the prices."""
    run = case.allocation
    if run.engine != "flow+exact" and not run.optimal and rounds_alike(case):
        yield told("where rounds are alike %(engine)s proves what it finds, and this is not proven", engine=run.engine)
    if run.price_scale != 1 and run.engine != "flow+exact":
        yield told(
            "prices in parts of %(scale)s come from the exact engine, not from %(engine)s",
            scale=run.price_scale,
            engine=run.engine,
        )
    if run.mode == "fresh" and run.engine != "flow+exact":
        edges = len(case.alike[0]) * len(case.themes)
        expected = "contested-flow" if edges > MOST_EDGES else "flow"
        if run.engine != expected:
            yield told("the engine for this question is %(engine)s, not %(told)s", engine=expected, told=run.engine)


def _lottery(case: Case) -> Iterator[Told]:
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
            yield told(
                "%(who)s drew a better lot than %(other)s and has the worse programme",
                who=case.ids[a],
                other=case.ids[b],
            )
