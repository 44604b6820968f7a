"""Recompute everything about an allocation from the event and the attendees.

Nothing here is shared with the solver but the data models: feasibility, objective, bands, bound, lottery and digest
are computed anew, from the words of the design. A wrong solver and a wrong verifier would have to agree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise, permutations, product
from math import ceil, floor
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.result import Allocation
from shared.attendees import Attendee, Wishes, WishReader
from shared.models import Event, Says, Statement
from shared.reasons import Teller

Cost = NDArray[np.int64]

MOST_COLUMNS = 1_000_000
"""Largest integer programme that a bound is proven again with."""

_NEVER = 1 << 50


@dataclass(frozen=True)
class Check:
    """One question asked of an allocation, and the answers that were wrong."""

    name: str
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def __str__(self) -> str:
        if self.passed:
            return f"ok    {self.name}"
        more = f" (and {len(self.faults) - 3} more)" if len(self.faults) > 3 else ""
        return f"FAIL  {self.name}: {'; '.join(self.faults[:3])}{more}"


def verify(
    event: Event,
    attendees: Sequence[Attendee],
    allocation: Allocation,
    *,
    previous: Mapping[str, Mapping[str, str]] | None = None,
    time_limit: float = 120.0,
) -> list[Check]:
    """Check an allocation; every check is answered, also after one that failed.

    `previous` is what a keep run kept to; left out, the allocation's own record of it. `time_limit` (seconds) is for
    proving a bound that prices alone do not prove.
    """
    case = _Case(event, attendees, allocation, previous, time_limit)
    questions: list[tuple[str, Callable[[_Case], Iterator[str]]]] = [
        ("the result is for this event and these attendees (input digest)", _digest),
        ("everyone has a programme, and nobody else", _everyone),
        ("one workshop in each round attended, all of different themes", _programmes),
        ("everyone pinned is where they are pinned", _pins),
        ("no workshop has more heads than seats", _seats),
        ("no workshop has fewer heads than its minimum", _minima),
        ("the objective and its parts", _objective),
        ("seats by choice (satisfaction)", _satisfaction),
        ("who moved", _moved),
        ("the prices prove the bound", _bound),
        ("optimal is claimed only with proof", _claim),
        ("among equals the lottery decided", _lottery),
        ("everyone has a reason that the numbers support", _reasons),
    ]
    return [Check(name, _answers(question, case)) for name, question in questions]


def _answers(question: Callable[[_Case], Iterator[str]], case: _Case) -> tuple[str, ...]:
    """The faults found. A file may be altered in any way, so names that lead nowhere are faults too."""
    try:
        return tuple(question(case))
    except (KeyError, IndexError, ValueError) as error:
        return (f"cannot be checked: {type(error).__name__} {error}",)


class _Case:
    """What the checks share: the inputs, and what several of them count."""

    def __init__(
        self,
        event: Event,
        attendees: Sequence[Attendee],
        allocation: Allocation,
        previous: Mapping[str, Mapping[str, str]] | None,
        time_limit: float,
    ) -> None:
        self.event, self.attendees, self.allocation, self.time_limit = event, attendees, allocation, time_limit
        given = allocation.previous if previous is None else previous
        self.compared_with = given
        self.previous: Mapping[str, Mapping[str, str]] = (given or {}) if allocation.mode == "keep" else {}
        self.rounds = [slot.id for slot in event.rounds]
        self.themes = [theme.id for theme in event.themes]
        self.types = [kind.id for kind in event.partner_types]
        self.programmes = allocation.programmes
        self._reader, self._wishes = WishReader(event), dict[str, Wishes]()
        self._ranked: dict[tuple[str, tuple[str, ...]], Counter[int]] = {}

    @cached_property
    def heads(self) -> Counter[tuple[str, str, str]]:
        """Heads by theme, round and type."""
        return Counter(
            (theme, slot, attendee.partner_type)
            for attendee in self.attendees
            for slot, theme in self.programmes.get(attendee.id, {}).items()
        )

    @cached_property
    def fill(self) -> Counter[tuple[str, str]]:
        """Heads by theme and round."""
        fill: Counter[tuple[str, str]] = Counter()
        for (theme, slot, _), count in self.heads.items():
            fill[theme, slot] += count
        return fill

    @cached_property
    def present(self) -> Counter[tuple[str, str]]:
        """People present by round and type."""
        return Counter((r, a.partner_type) for a in self.attendees for r in self.rounds if r not in a.absent)

    @cached_property
    def band(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """The band of every workshop and type."""
        tolerance = Fraction(self.allocation.tolerance)
        found = {}
        for slot in self.rounds:
            for theme, kind in product(self.themes, self.types):
                total = sum(self.event.seats(other, slot) for other in self.open_to[kind])
                here = self.event.seats(theme, slot) if theme in self.open_to[kind] else 0
                share = Fraction(here, total) if total else Fraction(0)
                expected = self.present[slot, kind] * share
                found[theme, slot, kind] = floor((1 - tolerance) * expected), ceil((1 + tolerance) * expected)
        return found

    @cached_property
    def open_to(self) -> dict[str, set[str]]:
        """The themes that each partner type may join."""
        return {
            kind: {theme.id for theme in self.event.themes if not theme.open_to or kind in theme.open_to}
            for kind in self.types
        }

    def possible(self, attendee: Attendee) -> set[str]:
        """The themes that an attendee may join."""
        return self.open_to[attendee.partner_type] - set(attendee.excluded)

    def wishes(self, attendee: Attendee) -> Wishes:
        """What the themes are to an attendee."""
        if attendee.id not in self._wishes:
            self._wishes[attendee.id] = self._reader.of(attendee)
        return self._wishes[attendee.id]

    @cached_property
    def change_cost(self) -> int:
        """What a change costs: the event's, or one more than ranks and balance could ever gain."""
        if self.allocation.mode == "fresh":
            return 0
        given = self.event.allocation.change_cost
        return self.decisive if given is None else given

    @cached_property
    def decisive(self) -> int:
        """One more than the span of ranks over all places, and the weight of all heads and of all lower bounds."""
        places = sum(self.present.values())
        costs = self.event.rank_costs
        lowest = sum(low for low, _ in self.band.values())
        return 1 + places * (max(costs) - min(costs)) + self.allocation.weight * (places + lowest)

    def rank(self, attendee: Attendee, theme: str) -> int:
        """The rank of a theme, from 0; last if not ranked."""
        return self.wishes(attendee).place(theme) - 1

    def cost(self, attendee: Attendee, theme: str) -> int:
        """What the rank of a theme costs."""
        return self.wishes(attendee).cost(theme)

    def personal_cost(self, attendee: Attendee) -> int:
        """What the ranks of somebody's themes cost."""
        return sum(self.cost(attendee, theme) for theme in self.programmes.get(attendee.id, {}).values())

    @cached_property
    def kinds(self) -> dict[tuple[Any, ...], list[Attendee]]:
        """Attendees who must be treated alike, by what they have in common."""
        alike = defaultdict(list)
        for one in self.attendees:
            alike[self.kind_of(one)].append(one)
        return alike

    def kind_of(self, one: Attendee) -> tuple[Any, ...]:
        """What an attendee has in common with those who must be treated alike."""
        held = self.previous.get(one.id, {})
        ranking, possible = self.wishes(one).ranked, frozenset(self.possible(one))
        there = frozenset(item for item in held.items() if item[0] not in one.absent)
        return one.partner_type, ranking, possible, frozenset(one.absent), frozenset(one.pinned.items()), there

    def ranked_as_high(self, theme: str, rank: int, slots: tuple[str, ...]) -> int:
        """How many who are there in one of these rounds ranked a theme at least so high."""
        if (theme, slots) not in self._ranked:
            self._ranked[theme, slots] = Counter(
                self.rank(one, theme)
                for one in self.attendees
                if theme in self.wishes(one).ranked and (not one.absent or set(slots) - set(one.absent))
            )
        return sum(count for as_high, count in self._ranked[theme, slots].items() if as_high <= rank)

    def outside_after(self, kind: str, leave: str, join: str, slot: str) -> int:
        """How many more heads were outside the bands if one of a type went from one workshop to another."""
        found = 0
        for theme, step in ((leave, -1), (join, 1)):
            low, high = self.band[theme, slot, kind]
            heads = self.heads[theme, slot, kind]
            found += max(low - heads - step, heads + step - high, 0) - max(low - heads, heads - high, 0)
        return found


def _digest(case: _Case) -> Iterator[str]:
    event, run = case.event, case.allocation
    if run.event != event.id:
        yield f"it is for the event {run.event!r}"
    facts = {
        "event": event.id,
        "mode": run.mode,
        "seed": run.seed,
        "rounds": case.rounds,
        "themes": [
            [t.id, sorted(t.open_to), [[event.seats(t.id, r), event.minimum(t.id, r)] for r in case.rounds]]
            for t in event.themes
        ],
        "partner_types": case.types,
        "rank_costs": event.rank_costs,
        "weight": run.weight,
        "tolerance": str(Fraction(run.tolerance)),
        "change_cost": event.allocation.change_cost if run.mode == "keep" else None,
    }
    digest = hashlib.sha256()
    rows = sorted(case.attendees, key=lambda attendee: attendee.id)
    for line in (
        facts,
        *(
            [
                *(a.id, a.partner_type, a.ranking, sorted(a.absent), dict(a.pinned), sorted(a.excluded)),
                dict(case.previous.get(a.id, {})),
            ]
            for a in rows
        ),
    ):
        text = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest.update(text.encode() + b"\n")
    if digest.hexdigest() != run.input_digest:
        yield "the event, the attendees, the seed or what was kept to differ from those of the run"
    if run.change_cost != case.change_cost:
        yield f"a change costs {case.change_cost}, not {run.change_cost}"


def _everyone(case: _Case) -> Iterator[str]:
    ids = {attendee.id for attendee in case.attendees}
    yield from (f"{one} has none" for one in sorted(ids - case.programmes.keys()))
    yield from (f"{one} is not registered" for one in sorted(case.programmes.keys() - ids))


def _programmes(case: _Case) -> Iterator[str]:
    offered = {(t, r) for t in case.themes for r in case.rounds if case.event.seats(t, r) > 0}
    for one in case.attendees:
        programme, possible = case.programmes.get(one.id, {}), case.possible(one)
        wanted = {r for r in case.rounds if r not in one.absent}
        if programme.keys() != wanted:
            yield f"{one.id} has {sorted(programme)} for {sorted(wanted)}"
        if len(set(programme.values())) < len(programme):
            yield f"{one.id} has the same theme twice"
        for slot, theme in programme.items():
            if (theme, slot) not in offered:
                yield f"{one.id}: {theme} is not offered in {slot}"
            elif theme not in possible:
                yield f"{one.id}: {theme} is not possible for them"


def _pins(case: _Case) -> Iterator[str]:
    for one in case.attendees:
        for slot, theme in one.pinned.items():
            if case.programmes.get(one.id, {}).get(slot) != theme:
                yield f"{one.id} is not in {theme} in {slot}"


def _seats(case: _Case) -> Iterator[str]:
    for (theme, slot), heads in sorted(case.fill.items()):
        seats = case.event.seats(theme, slot)
        if heads > seats:
            yield f"{theme} in {slot} has {heads} heads for {seats} seats"


def _minima(case: _Case) -> Iterator[str]:
    for theme, slot in product(case.event.themes, case.rounds):
        heads = case.fill[theme.id, slot]
        if heads < (least := case.event.minimum(theme.id, slot)):
            yield f"{theme.id} in {slot} has {heads} heads and needs {least}"


def _objective(case: _Case) -> Iterator[str]:
    run = case.allocation.objective
    rank = changes = 0
    for one in case.attendees:
        before = case.previous.get(one.id, {})
        for slot, theme in case.programmes.get(one.id, {}).items():
            rank += case.cost(one, theme)
            changes += before.get(slot, theme) != theme
    outside = sum(max(low - case.heads[w], case.heads[w] - high, 0) for w, (low, high) in case.band.items())
    counted = {"rank": rank, "balance": case.allocation.weight * outside, "change": case.change_cost * changes}
    counted["total"] = sum(counted.values())
    for part, value in counted.items():
        if getattr(run, part) != value:
            yield f"{part} is {value}, not {getattr(run, part)}"


def _satisfaction(case: _Case) -> Iterator[str]:
    seats = Counter(
        str(case.rank(one, theme) + 1) for one in case.attendees for theme in case.programmes.get(one.id, {}).values()
    )
    for choice in seats.keys() | case.allocation.satisfaction.keys():
        if seats[choice] != case.allocation.satisfaction.get(choice, 0):
            yield f"choice {choice}: {seats[choice]} seats, not {case.allocation.satisfaction.get(choice, 0)}"


def _moved(case: _Case) -> Iterator[str]:
    """A fresh run does not keep what it was compared with; without it, whoever moved must at least be elsewhere now."""
    told = case.allocation.moved
    for one, programme in case.programmes.items():
        before = told.get(one, {}) if case.compared_with is None else case.compared_with.get(one, {})
        differs = {r: t for r, t in before.items() if r in programme and programme[r] != t}
        if differs != told.get(one, {}):
            yield f"{one} moved from {differs}, not from {told.get(one, {})}"
    yield from (f"{one} moved and has no programme" for one in sorted(told.keys() - case.programmes.keys()))


def _bound(case: _Case) -> Iterator[str]:
    """The bound in the file must follow from its prices, or from an integer programme built here."""
    stated, proven = case.allocation.bound, _price_bound(case)
    if stated <= proven:
        return
    if case.allocation.engine != "flow+exact":
        yield f"they prove {proven}, not {stated}"
        return
    exact = _programme_bound(case)
    if exact is None:
        yield f"the prices prove {proven}; the programme is too large to prove {stated} again"
    elif stated > exact:
        yield f"an integer programme of its own proves {exact}, not {stated}"


def _claim(case: _Case) -> Iterator[str]:
    run = case.allocation
    if run.optimal != (run.bound == run.objective.total):
        yield f"optimal is {run.optimal} with bound {run.bound} and total {run.objective.total}"
    if run.gap != run.objective.total - run.bound:
        yield f"the gap is {run.objective.total - run.bound}, not {run.gap}"
    if run.bound > run.objective.total:
        yield f"the bound {run.bound} lies above the total {run.objective.total}"
    if not run.optimal and not run.why:
        yield "it is not optimal and does not say why"


def _lottery(case: _Case) -> Iterator[str]:
    """In a group of equals, costs must grow with the lots: HMAC-SHA256(seed, id)."""
    seed = case.allocation.seed.encode()
    for people in case.kinds.values():
        personal = [case.personal_cost(one) for one in people]
        if min(personal) == max(personal):
            continue
        drawn = [hmac.digest(seed, one.id.encode(), "sha256") for one in people]
        order = sorted(range(len(people)), key=lambda a: drawn[a])
        for a, b in pairwise(order):
            if personal[a] > personal[b]:
                yield f"{people[a].id} drew a better lot than {people[b].id} and has the worse programme"


def _reasons(case: _Case) -> Iterator[str]:
    """What somebody got, word for word, and then only sentences that the numbers support."""
    tell = Teller(case.event)
    for one in case.attendees:
        reason = case.allocation.reasons.get(one.id, "")
        rest = reason.removeprefix(tell(_got(case, one)))
        if rest == reason or (_missed(case, one) and not rest):
            yield f"{one.id}: {reason!r}"
            continue
        true = {f" {tell([statement])}" for theme in _missed(case, one) for statement in _true_of(case, one, theme)}
        closed = [Statement(Says.NOT_OPEN, theme) for theme in one.ranking if theme not in case.possible(one)]
        true |= {f" {tell([statement])}" for statement in closed}
        if case.previous.get(one.id):
            true |= {f" {tell([statement])}" for statement in _as_published(case, one)}
        while rest:
            sentence = next((words for words in true if rest.startswith(words)), None)
            if sentence is None:
                yield f"{one.id}: the numbers do not support {rest.strip()!r}"
                break
            rest = rest.removeprefix(sentence)


def _got(case: _Case, one: Attendee) -> list[Statement]:
    """What somebody got: where they are pinned first, then best first."""
    programme = case.programmes.get(one.id, {})
    if not programme:
        return [Statement(Says.ABSENT)]
    ranked = case.wishes(one).ranked
    found = []
    for slot, theme in sorted(
        programme.items(),
        key=lambda item: (item[0] not in one.pinned, case.rank(one, item[1]), case.rounds.index(item[0])),
    ):
        if slot in one.pinned:
            found.append(Statement(Says.EXPECTED, theme))
        elif theme not in ranked:
            found.append(Statement(Says.UNRANKED, theme))
        else:
            found.append(Statement(Says.GOT, theme, case.rank(one, theme) + 1))
    return found


def _missed(case: _Case, one: Attendee) -> list[str]:
    """The themes that somebody ranked above the last of those they got, pins aside, and did not get."""
    programme = case.programmes.get(one.id, {})
    worst = max((case.rank(one, theme) for slot, theme in programme.items() if slot not in one.pinned), default=0)
    return [t for t in case.wishes(one).ranked if case.rank(one, t) < worst and t not in programme.values()]


def _as_published(case: _Case, one: Attendee) -> Iterator[Statement]:
    programme, before = case.programmes.get(one.id, {}), case.previous[one.id]
    if case.change_cost and all(before.get(slot) == theme for slot, theme in programme.items()):
        yield Statement(Says.AS_PUBLISHED)


def _true_of(case: _Case, one: Attendee, theme: str) -> Iterator[Statement]:
    """Everything that can truly be said of why somebody missed a theme."""
    rank = case.rank(one, theme)
    attended = [r for r in case.rounds if r not in one.absent and case.event.seats(theme, r)]
    free = [r for r in attended if case.fill[theme, r] < case.event.seats(theme, r)]
    if not attended:
        yield Statement(Says.NOT_OFFERED, theme, rank + 1)
    elif not free:
        yield from _full(case, one, theme, attended)
    for slot in free:
        yield from _beside(case, one, theme, slot)


def _full(case: _Case, one: Attendee, theme: str, attended: Sequence[str]) -> Iterator[Statement]:
    """What can be said of a theme that is full in the rounds somebody attends."""
    rank = case.rank(one, theme)
    seats = sum(case.event.seats(theme, slot) for slot in attended)
    others = case.ranked_as_high(theme, rank, tuple(attended)) - 1
    yield Statement(Says.FULL, theme, rank + 1, others=others, seats=seats)
    if case.allocation.optimal:
        yield Statement(Says.NO_SWAP, theme, rank + 1, others=others, seats=seats)
    if others >= seats:
        yield Statement(Says.DEMAND, theme, rank + 1, others=others, seats=seats)
    if any(
        theme in case.programmes.get(equal.id, {}).values() and case.personal_cost(equal) < case.personal_cost(one)
        for equal in case.kinds[case.kind_of(one)]
    ):
        yield Statement(Says.LOTTERY, theme, rank + 1, others=others, seats=seats)


def _beside(case: _Case, one: Attendee, theme: str, slot: str) -> Iterator[Statement]:
    """What can be said of a free seat of a theme in a round that somebody attends."""
    instead = case.programmes[one.id][slot]
    gain = case.cost(one, instead) - case.cost(one, theme)
    before = case.previous.get(one.id, {})
    heads = case.outside_after(one.partner_type, instead, theme, slot)
    says = {
        Says.PINNED: slot in one.pinned,
        Says.CLASH: case.rank(one, instead) < case.rank(one, theme),
        Says.MINIMUM: case.fill[instead, slot] <= case.event.minimum(instead, slot),
        Says.KEPT: bool(case.change_cost) and before.get(slot) == instead,
        Says.EQUAL: gain == 0 and case.allocation.weight * heads == 0,
        Says.MIX: heads > 0 and case.allocation.weight * heads >= gain,
        Says.NOT_FOUND: case.allocation.weight * heads < gain and not case.allocation.optimal,
    }
    for one_of, true in says.items():
        if true:
            yield Statement(one_of, theme, case.rank(one, theme) + 1, slot, instead, heads=heads)


def _price_bound(case: _Case) -> int:
    """Σ cheapest programmes at the prices + Σ what workshops would pay at most, rounded up: a lower bound."""
    scale = case.allocation.price_scale
    if scale < 1:
        raise ValueError(f"price_scale is {scale}")
    twofold = _demand_value(case, scale) + _supply_value(case, scale)
    return -(-twofold // scale)


def _demand_value(case: _Case, scale: int) -> int:
    """What everyone pays for their cheapest programme, times `scale`."""
    event, prices = case.event, case.allocation.prices
    total = 0
    by_shape: dict[tuple[Any, ...], list[tuple[list[list[int]], int]]] = defaultdict(list)
    for people in case.kinds.values():
        one = people[0]
        kind, held = one.partner_type, case.previous.get(one.id, {})
        possible = case.possible(one)
        rank = {theme: case.cost(one, theme) for theme in case.themes}
        table = []
        for slot in (r for r in case.rounds if r not in one.absent):
            row = []
            for theme in case.themes:
                cost = rank[theme] + (case.change_cost if held.get(slot, theme) != theme else 0)
                free = slot not in one.pinned and theme not in one.pinned.values() and event.seats(theme, slot) > 0
                can = theme == one.pinned[slot] if slot in one.pinned else free and theme in possible
                row.append(cost * scale + prices[theme][slot][kind] if can else _NEVER)
            table.append(row)
        by_shape[len(table),].append((table, len(people)))
    for (rounds,), tables in by_shape.items():
        if rounds:
            least = _cheapest(np.array([table for table, _ in tables], dtype=np.int64))
            total += int((least * np.array([count for _, count in tables])).sum())
    return total


def _cheapest(cost: Cost) -> Cost:
    """Least sum of one entry a row, all in different columns, for each of many tables.

    Each row needs only as many of its cheapest columns as there are rows: the others can block no more than that.
    """
    tables, rows, columns = cost.shape
    near = min(rows, columns)
    nearest = np.argsort(cost, axis=2, kind="stable")[:, :, :near]
    value = np.take_along_axis(cost, nearest, axis=2)
    least = np.full(tables, _NEVER, dtype=np.int64)
    for picks in product(range(near), repeat=rows):
        chosen = np.stack([nearest[:, row, pick] for row, pick in enumerate(picks)])
        differ = np.ones(tables, dtype=bool)
        for a in range(rows):
            for b in range(a):
                differ &= chosen[a] != chosen[b]
        total = value[:, np.arange(rows), picks].sum(axis=1)
        least = np.where(differ & (total < least), total, least)
    return least


def _supply_value(case: _Case, scale: int) -> int:
    """For each workshop the least of balance cost − prices over all heads it may take, times `scale`."""
    weight, value = case.allocation.weight * scale, 0
    for theme, slot in product(case.event.themes, case.rounds):
        seats = case.event.seats(theme.id, slot)
        needed = case.event.minimum(theme.id, slot)
        gains: list[tuple[int, int]] = []
        for kind in case.types:
            low, high = case.band[theme.id, slot, kind]
            price, most = case.allocation.prices[theme.id][slot][kind], case.present[slot, kind]
            value += weight * low
            edges = [0, min(low, most), min(high, most), most]
            for step, begin, end in zip((-weight, 0, weight), edges[:-1], edges[1:], strict=True):
                gains.append((step - price, end - begin))
        for gain, heads in sorted(gains):
            take = min(heads, seats, heads if gain < 0 else max(needed, 0))
            value += gain * take
            seats, needed = seats - take, needed - take
    return value


def _programme_bound(case: _Case) -> int | None:
    """The least total by an integer programme over whole programmes; None if it is too large or takes too long.

    When changes are decisive, it first proves how few there can be, then the rest with no more than these: big and
    small numbers in one objective would drown in floating point.
    """
    kinds = list(case.kinds.values())
    options = [_personal_options(case, people[0]) for people in kinds]
    if sum(map(len, options)) > MOST_COLUMNS:
        return None
    if case.change_cost < case.decisive or not case.previous:
        return _minimise(case, kinds, options, change=case.change_cost, other=1)
    fewest = _minimise(case, kinds, options, change=1, other=0)
    if fewest is None:
        return None
    rest = _minimise(case, kinds, options, change=0, other=1, most_changes=fewest)
    return None if rest is None else rest + case.change_cost * fewest


def _personal_options(case: _Case, one: Attendee) -> list[dict[str, str]]:
    rounds = [r for r in case.rounds if r not in one.absent]
    return [
        programme
        for themes in permutations(sorted(case.possible(one)), len(rounds))
        for programme in (dict(zip(rounds, themes, strict=True)),)
        if all(programme[r] == t for r, t in one.pinned.items())
        and all(case.event.seats(t, r) > 0 for r, t in programme.items())
    ]


def _minimise(
    case: _Case,
    kinds: Sequence[Sequence[Attendee]],
    options: Sequence[Sequence[Mapping[str, str]]],
    *,
    change: int,
    other: int,
    most_changes: int | None = None,
) -> int | None:
    """The proven bound of Σ programmes, heads outside at their price; rows are built one by one."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, setting in {
        "output_flag": False,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.5,
        "time_limit": case.time_limit,
    }.items():
        solver.setOptionValue(option, setting)
    members: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    changing: list[tuple[int, int]] = []
    column = 0
    for people, programmes in zip(kinds, options, strict=True):
        begin, one = column, people[0]
        before = case.previous.get(one.id, {})
        for programme in programmes:
            changes = sum(before.get(r, t) != t for r, t in programme.items())
            ranks = sum(case.cost(one, t) for t in programme.values())
            solver.addCol(float(other * ranks + change * changes), 0.0, float(len(people)), 0, [], [])
            solver.changeColIntegrality(column, highspy.HighsVarType.kInteger)
            for r, t in programme.items():
                members[t, r, one.partner_type].append(column)
            if changes:
                changing.append((column, changes))
            column += 1
        _row(solver, len(people), len(people), [(index, 1) for index in range(begin, column)])
    if most_changes is not None:
        _row(solver, -highspy.kHighsInf, most_changes, changing)
    for theme, slot in product(case.event.themes, case.rounds):
        seats = case.event.seats(theme.id, slot)
        inside = [(index, 1) for kind in case.types for index in members[theme.id, slot, kind]]
        _row(solver, case.event.minimum(theme.id, slot), seats, inside)
        for kind in case.types:
            price = float(other * case.allocation.weight)
            solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
            solver.addCol(price, 0.0, highspy.kHighsInf, 0, [], [])
            own = [(index, 1) for index in members[theme.id, slot, kind]]
            low, high = case.band[theme.id, slot, kind]
            _row(solver, low, high, [*own, (column, 1), (column + 1, -1)])
            column += 2
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return ceil(solver.getInfo().mip_dual_bound - 1e-6)


def _row(solver: highspy.Highs, low: float, high: float, entries: Sequence[tuple[int, int]]) -> None:
    indices = np.array([index for index, _ in entries], dtype=np.int32)
    values = np.array([float(value) for _, value in entries])
    solver.addRow(float(low), float(high), len(entries), indices, values)
