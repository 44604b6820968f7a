"""Random allocation problems, and an oracle that shares no code with the solver: brute force and an integer programme.

The oracle states the objective anew, from the words of the design: programmes are enumerated, not composed of flows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import Any

import highspy
import numpy as np

from functions.allocate.model.problem import NoAllocationError
from functions.allocate.model.result import Allocation
from functions.allocate.solve import allocate
from shared.attendees import Attendee, Mode
from shared.models import Event
from tests.support.factories import make_event


@dataclass(frozen=True)
class Instance:
    """An event, its attendees, and for a keep run the programmes published before."""

    event: Event
    attendees: list[Attendee]
    previous: dict[str, dict[str, str]] | None = None
    label: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """How the allocator is asked."""
        return "keep" if self.previous is not None else "fresh"


def event_of(
    themes: int,
    rounds: int,
    types: int,
    seats: Sequence[Sequence[int]] | int,
    *,
    minimum: int = 0,
    weight: int = 2,
    tolerance: float | str = "0.25",
    **allocation: Any,
) -> Event:
    """An event of this size; `seats` by theme and round, or one number for every workshop."""
    table = [[seats] * rounds for _ in range(themes)] if isinstance(seats, int) else seats
    names = [f"theme-{t}" for t in range(themes)]
    slots = [f"round-{r}" for r in range(rounds)]
    return make_event(
        themes=[
            {
                "id": name,
                "title": f"Theme {name}",
                "capacity": max(row),
                "minimum": min(minimum, *(s for s in row if s), 10**6),
            }
            for name, row in zip(names, table, strict=True)
        ],
        rounds=[{"id": slot, "start": f"{10 + r}:00", "end": f"{10 + r}:50"} for r, slot in enumerate(slots)],
        capacities={name: dict(zip(slots, row, strict=True)) for name, row in zip(names, table, strict=True)},
        partner_types=[{"id": f"type-{g}", "title": f"Type {g}"} for g in range(types)],
        allocation={
            "at": "2026-04-01 12:00",
            "seed": "a seed",
            "balance": {"weight": weight, "tolerance": str(tolerance)},
            **allocation,
        },
        agenda=[],
    )


def crowd(event: Event, people: int, rng: random.Random, *, partial: bool = False, skew: float = 1.5) -> list[Attendee]:
    """Attendees with rankings that favour some themes over others."""
    themes = [theme.id for theme in event.themes]
    appeal = {theme: rng.random() * skew for theme in themes}
    types = [kind.id for kind in event.partner_types]
    crowd = []
    for a in range(people):
        ranking = sorted(themes, key=lambda theme: rng.random() - appeal[theme])
        length = rng.randint(0, len(themes)) if partial else len(themes)
        crowd.append(Attendee(f"person-{a:04}", rng.choice(types), tuple(ranking[:length])))
    return crowd


@dataclass(frozen=True)
class Optimum:
    """What the oracle found: the objective with changes counted apart."""

    total: int
    changes: int


def priced(instance: Instance, optimum: Optimum | None) -> int | tuple[int, int] | None:
    """What an optimum costs, so that two can be compared; changes first where the event names no price for them."""
    each = instance.event.allocation.change_cost
    if optimum is None or instance.previous is None:
        return optimum.total if optimum else None
    return (optimum.changes, optimum.total) if each is None else optimum.total + each * optimum.changes


def personal_programmes(event: Event, attendee: Attendee) -> list[dict[str, str]]:
    """Every programme an attendee could have, seats of others aside."""
    rounds = [slot.id for slot in event.rounds if slot.id not in attendee.absent]
    possible = possible_themes(event, attendee)
    choices = [
        [attendee.pinned[r]] if r in attendee.pinned else [t for t in possible if event.seats(t, r) > 0] for r in rounds
    ]
    return [dict(zip(rounds, themes, strict=True)) for themes in product(*choices) if len(set(themes)) == len(themes)]


def possible_themes(event: Event, attendee: Attendee) -> list[str]:
    """The themes that are open to an attendee's partner type and not ruled out for them."""
    mine = [t for t in event.themes if t.open_to == [] or attendee.partner_type in t.open_to]
    return [t.id for t in mine if t.id not in attendee.excluded]


def rank_cost(event: Event, attendee: Attendee, programme: Mapping[str, str]) -> int:
    """Σ cost of the place of each theme among the possible ones; what is not ranked costs as the next place."""
    possible = possible_themes(event, attendee)
    ranking = [theme for theme in attendee.ranking if theme in possible]
    return sum(event.rank_costs[ranking.index(t) if t in ranking else len(ranking)] for t in programme.values())


def bands(event: Event, attendees: Sequence[Attendee]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Fewest and most heads by theme, round and type; a type spreads over the themes that are open to it."""
    found = {}
    for slot, kind in product(event.rounds, event.partner_types):
        present = sum(a.partner_type == kind.id and slot.id not in a.absent for a in attendees)
        seats = {
            t.id: event.seats(t.id, slot.id) if t.open_to == [] or kind.id in t.open_to else 0 for t in event.themes
        }
        total = sum(seats.values())
        for theme in event.themes:
            expected = Fraction(present * seats[theme.id], total) if total else Fraction(0)
            found[theme.id, slot.id, kind.id] = (
                floor((1 - event.tolerance) * expected),
                ceil((1 + event.tolerance) * expected),
            )
    return found


def objective(instance: Instance, programmes: Mapping[str, Mapping[str, str]]) -> Optimum:
    """Rank and balance of an allocation, and how many places changed. Recomputed from the words of the design."""
    event, attendees = instance.event, instance.attendees
    heads: dict[tuple[str, str, str], int] = {}
    total = changes = 0
    for attendee in attendees:
        programme = programmes[attendee.id]
        total += rank_cost(event, attendee, programme)
        before = (instance.previous or {}).get(attendee.id, {})
        changes += sum(1 for r, t in programme.items() if before.get(r, t) != t)
        for r, t in programme.items():
            heads[t, r, attendee.partner_type] = heads.get((t, r, attendee.partner_type), 0) + 1
    for place, (low, high) in bands(event, attendees).items():
        count = heads.get(place, 0)
        total += event.allocation.balance.weight * max(low - count, count - high, 0)
    return Optimum(total, changes)


def oracle(instance: Instance) -> Optimum | None:
    """The least objective by an integer programme over whole programmes; None when no allocation exists.

    A keep run with no change cost of its own counts changes first, then the rest.
    """
    given = instance.event.allocation.change_cost
    if instance.previous is None:
        return _programme(instance, change_weight=0, other_weight=1)
    if given is not None:
        return _programme(instance, change_weight=given, other_weight=1)
    first = _programme(instance, change_weight=1, other_weight=0)
    return first and _programme(instance, change_weight=0, other_weight=1, most_changes=first.changes)


def _programme(
    instance: Instance, *, change_weight: int, other_weight: int, most_changes: int | None = None
) -> Optimum | None:
    event, attendees = instance.event, instance.attendees
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    columns: list[tuple[Attendee, dict[str, str], Any, int]] = []
    for attendee in attendees:
        own = []
        before = (instance.previous or {}).get(attendee.id, {})
        for programme in personal_programmes(event, attendee):
            changes = sum(1 for r, t in programme.items() if before.get(r, t) != t)
            cost = other_weight * rank_cost(event, attendee, programme) + change_weight * changes
            column = model.addBinary(obj=cost)
            own.append(column)
            columns.append((attendee, programme, column, changes))
        if not own:
            return None
        model.addConstr(sum(own[1:], own[0]) == 1)
    if most_changes is not None:
        counted = [changes * column for _, _, column, changes in columns if changes]
        if counted:
            model.addConstr(sum(counted[1:], counted[0]) <= most_changes)
    weight = other_weight * event.allocation.balance.weight
    band = bands(event, attendees)
    for theme, slot in product(event.themes, event.rounds):
        seats = event.seats(theme.id, slot.id)
        inside = [(a, column) for a, p, column, _ in columns if p.get(slot.id) == theme.id]
        least = event.minimum(theme.id, slot.id)
        if not inside:
            if least:
                return None
        else:
            everyone = sum((column for _, column in inside[1:]), 1 * inside[0][1])
            model.addConstr(everyone <= seats)
            model.addConstr(everyone >= least)
        for kind in event.partner_types:
            low, high = band[theme.id, slot.id, kind.id]
            own = [1 * column for a, column in inside if a.partner_type == kind.id]
            under, over = model.addVariable(lb=0, obj=weight), model.addVariable(lb=0, obj=weight)
            model.addConstr(sum(own, 1 * under) >= low)
            model.addConstr(sum(own, -1 * over) <= high)
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 0.0)
    model.run()
    if model.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return None
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal, model.getModelStatus()
    values = np.round(model.getSolution().col_value)
    chosen = {a.id: p for a, p, column, _ in columns if values[column.index] == 1}
    return objective(instance, chosen)


def brute_force(instance: Instance) -> Optimum | None:
    """The least objective by trying every combination of programmes; tiny instances only."""
    event, attendees = instance.event, instance.attendees
    given = event.allocation.change_cost
    best: tuple[int, int] | None = None
    found = None
    for combination in product(*(personal_programmes(event, attendee) for attendee in attendees)):
        programmes = {a.id: p for a, p in zip(attendees, combination, strict=True)}
        if any(True for _ in seat_faults(event, programmes)):
            continue
        value = objective(instance, programmes)
        key = (0, value.total + given * value.changes) if given is not None else (value.changes, value.total)
        if instance.previous is None:
            key = (0, value.total)
        if best is None or key < best:
            best, found = key, value
    return found


def seat_faults(event: Event, programmes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Workshops with more heads than seats or fewer than their minimum."""
    faults = []
    for theme, slot in product(event.themes, event.rounds):
        heads = sum(programme.get(slot.id) == theme.id for programme in programmes.values())
        seats = event.seats(theme.id, slot.id)
        if heads > seats or heads < event.minimum(theme.id, slot.id):
            faults.append(f"{theme.id} in {slot.id}: {heads} heads, {seats} seats")
    return faults


def programme_faults(instance: Instance, programmes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Everything hard that an allocation breaks."""
    faults = seat_faults(instance.event, programmes)
    for attendee in instance.attendees:
        if dict(programmes[attendee.id]) not in personal_programmes(instance.event, attendee):
            faults.append(f"{attendee.id}: {programmes[attendee.id]}")
    return faults


def differences(instance: Instance) -> list[str]:
    """What the allocator does otherwise than the oracle says; nothing, if all is well.

    It must find the least objective and prove it, or refuse where no allocation exists. A keep run refuses when, and
    only when, newcomers could come only by taking a published place.
    """
    best = oracle(instance)
    try:
        allocation = allocated(instance)
    except NoAllocationError as refusal:
        fair = best is None or newcomers_would_take_places(instance, best)
        return [] if fair else [f"refused, though {best} is possible: {refusal}"]
    if best is None:
        return ["allocated, though nothing is possible"]
    found = objective(instance, allocation.programmes)
    wrong = programme_faults(instance, allocation.programmes)
    each = allocation.change_cost
    if (found.changes * each + found.total) != (best.changes * each + best.total):
        wrong.append(f"costs {found}, and {best} is possible")
    if allocation.objective.total != found.total + each * found.changes:
        wrong.append(f"claims {allocation.objective}, which is {found}")
    if not allocation.optimal or allocation.bound != allocation.objective.total:
        wrong.append(f"does not prove it: bound {allocation.bound}, {allocation.why}")
    if newcomers_would_take_places(instance, best):
        wrong.append("takes published places for newcomers")
    return wrong


def allocated(instance: Instance, **options: Any) -> Allocation:
    """What the allocator makes of an instance."""
    return allocate(instance.event, instance.attendees, mode=instance.mode, previous=instance.previous, **options)


def newcomers_would_take_places(instance: Instance, best: Optimum) -> bool:
    """Whether more published places change than if the newcomers stayed away.

    Only where the event leaves the cost of a change to the allocator. A pinned person comes by the organiser's will and
    counts as no newcomer. Minima count as far as the holders can meet them.
    """
    if instance.previous is None or instance.event.allocation.change_cost is not None:
        return False
    holders = [one for one in instance.attendees if instance.previous.get(one.id) or one.pinned]
    alone = replace(instance, attendees=holders)
    relaxed = oracle(replace(alone, event=without_minima(instance.event)))
    if relaxed is None or best.changes <= relaxed.changes:
        return False
    strict = oracle(alone)
    return strict is not None and best.changes > strict.changes


def without_minima(event: Event) -> Event:
    """The same event, whose workshops may stay empty."""
    return event.model_copy(update={"themes": [one.model_copy(update={"minimum": 0}) for one in event.themes]})


KINDS = ("even", "uneven", "absent", "pinned", "partial", "minimum", "keep", "closed", "once", "everything")


def random_instance(seed: int, kind: str | None = None, *, scale: int = 1) -> Instance:
    """An instance of one kind, or of the kind that the seed chooses; small enough for the oracle.

    `scale` multiplies the people.
    """
    rng = random.Random(seed)
    kind = kind or KINDS[seed % len(KINDS)]
    rounds = rng.randint(1, 4)
    themes = rng.randint(max(2, rounds), {1: 7, 2: 7, 3: 6, 4: 5}[rounds])
    people = scale * rng.randint(2, {1: 40, 2: 30, 3: 20, 4: 10}[rounds])
    everything = kind == "everything"
    themes += kind == "once"
    fair = -(-people // themes)
    seats: list[list[int]] = [[fair + rng.randint(0, 3)] * rounds for _ in range(themes)]
    if (kind in {"uneven", "keep"} and rng.random() < 0.8) or everything:
        seats = [[max(0, s + rng.randint(-2, 3)) if rng.random() < 0.9 else 0 for s in row] for row in seats]
    costs = [rng.randint(0, 12) for _ in range(themes)]
    event = event_of(
        themes,
        rounds,
        rng.randint(1, 4),
        seats,
        minimum=rng.randint(1, 3) if kind == "minimum" or (everything and rng.random() < 0.5) else 0,
        weight=rng.choice([0, 1, 2, 2, 5]),
        tolerance=rng.choice(["0", "0.25", "0.25", "0.5", "0.1"]),
        **({"rank_costs": sorted(costs)} if rng.random() < 0.3 else {}),
        **({"change_cost": rng.choice([0, 1, 3, 10])} if kind in {"keep", "everything"} and rng.random() < 0.4 else {}),
    )
    if kind == "once" or (everything and rng.random() < 0.3):
        event = _once(event, rng)
    attendees = crowd(event, people, rng, partial=kind in {"partial", "closed"} or everything)
    if kind == "closed" or (everything and rng.random() < 0.5):
        event, attendees = _closed(event, attendees, rng)
    if kind == "absent" or everything:
        attendees = [_absent(event, one, rng) for one in attendees]
    if kind == "pinned" or everything:
        attendees = [_pinned(event, one, rng) if rng.random() < 0.2 else one for one in attendees]
    previous = _previous(event, attendees, rng) if kind == "keep" or (everything and rng.random() < 0.5) else None
    return Instance(event, attendees, previous, label=f"{kind}, seed {seed}")


def _once(event: Event, rng: random.Random) -> Event:
    """Some themes in some rounds only, with more seats there and a minimum that differs by round."""
    slots = [slot.id for slot in event.rounds]
    themes = []
    for theme in event.themes:
        if rng.random() < 0.4:
            only = rng.sample(slots, rng.randint(1, len(slots)))
            theme = theme.model_copy(update={"rounds": only, "minimum": {slot: rng.randint(0, 2) for slot in only}})
        themes.append(theme)
    more = {
        theme: {slot: seats + rng.randint(1, 4) for slot, seats in row.items()}
        for theme, row in event.capacities.items()
    }
    return event.model_copy(update={"themes": themes, "capacities": more})


def _closed(event: Event, attendees: list[Attendee], rng: random.Random) -> tuple[Event, list[Attendee]]:
    """Some themes open to some partner types only, others ruled out for single people; a seat or two more."""
    kinds = [kind.id for kind in event.partner_types]
    themes = [
        theme.model_copy(update={"open_to": rng.sample(kinds, rng.randint(1, len(kinds)))})
        if rng.random() < 0.3
        else theme
        for theme in event.themes
    ]
    more = {theme: {slot: seats + 2 for slot, seats in row.items()} for theme, row in event.capacities.items()}
    ids = [theme.id for theme in themes]
    excluded = [replace(one, excluded=frozenset(rng.sample(ids, 1)) if rng.random() < 0.2 else ()) for one in attendees]
    return event.model_copy(update={"themes": themes, "capacities": more}), excluded


def _absent(event: Event, attendee: Attendee, rng: random.Random) -> Attendee:
    return replace(attendee, absent=frozenset(slot.id for slot in event.rounds if rng.random() < 0.2))


def _pinned(event: Event, attendee: Attendee, rng: random.Random) -> Attendee:
    slots = [slot.id for slot in event.rounds if slot.id not in attendee.absent]
    themes = rng.sample(possible_themes(event, attendee), min(len(slots), len(possible_themes(event, attendee))))
    slots = slots[: len(themes)]
    pins = dict(zip(slots, themes, strict=True))
    return replace(attendee, pinned={r: t for r, t in pins.items() if event.seats(t, r) > 0 and rng.random() < 0.6})


def _previous(event: Event, attendees: Sequence[Attendee], rng: random.Random) -> dict[str, dict[str, str]]:
    """Programmes that respect the seats, for most attendees; sometimes more than the seats now allow."""
    slack = rng.choice([0, 0, 1])
    left = {(t.id, r.id): event.seats(t.id, r.id) + slack for t, r in product(event.themes, event.rounds)}
    previous = {}
    for attendee in attendees:
        possible = personal_programmes(event, replace(attendee, pinned={}, absent=()))
        possible = [p for p in possible if all(left[t, r] > 0 for r, t in p.items())]
        if possible and rng.random() < 0.8:
            programme = rng.choice(possible)
            for r, t in programme.items():
                left[t, r] -= 1
            previous[attendee.id] = {r: t for r, t in programme.items() if rng.random() < 0.95}
    return previous
