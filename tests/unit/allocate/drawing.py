"""The draw, stated anew: every allocation of least cost is listed, and lots choose among them choice by choice."""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from math import prod
from typing import Any, TypeVar

from functions.allocate.model.result import Allocation
from shared.attendees import Attendee
from shared.models import Event, Says, Statement
from tests.unit.allocate.instances import (
    Instance,
    allocated,
    crowd,
    event_of,
    objective,
    personal_programmes,
    random_instance,
    rank_cost,
    seat_faults,
)

Choices = dict[str, list[int]]
"""The ranks of what each person got, from 0, best first."""

Listed = TypeVar("Listed")


def lot(seed: str, who: str) -> bytes:
    """HMAC-SHA256(seed, id), straight from the library."""
    return hmac.new(seed.encode(), who.encode(), hashlib.sha256).digest()


def choices(event: Event, attendees: Sequence[Attendee], programmes: dict[str, dict[str, str]]) -> Choices:
    """The ranks of what each person got; what is not ranked comes last, all alike."""
    last = len(event.themes)
    return {
        one.id: sorted(
            one.ranking.index(theme) if theme in one.ranking else last for theme in programmes[one.id].values()
        )
        for one in attendees
    }


def of_least_cost(instance: Instance, most: int = 20_000) -> list[dict[str, dict[str, str]]] | None:
    """Every allocation of least cost; None when there are more than `most` allocations to try."""
    options = [personal_programmes(instance.event, one) for one in instance.attendees]
    if prod(map(len, options)) > most:
        return None
    least: int | None = None
    found: list[dict[str, dict[str, str]]] = []
    for combination in product(*options):
        programmes = {one.id: programme for one, programme in zip(instance.attendees, combination, strict=True)}
        if seat_faults(instance.event, programmes):
            continue
        total = objective(instance, programmes).total
        if least is None or total < least:
            least, found = total, []
        if total == least:
            found.append(programmes)
    return found


def drawn_by_trying(instance: Instance, seed: str, most: int = 20_000) -> Choices | None:
    """What the lots decide, by listing every allocation; None when there are none, or more than `most` to try."""
    event, people = instance.event, instance.attendees
    best_of_all = of_least_cost(instance, most)
    if best_of_all is None:
        return None
    found = [choices(event, people, programmes) for programmes in best_of_all]
    for choice in range(len(event.rounds)):
        for one in sorted(people, key=lambda person: lot(seed, person.id)):
            best = min((outcome[one.id][choice] for outcome in found), default=0)
            found = [outcome for outcome in found if outcome[one.id][choice] == best]
    return found[0] if found else None


def tiny_even_instance(seed: int) -> Instance:
    """An event whose rounds are alike, small enough to list every allocation."""
    rng = random.Random(seed)
    rounds = rng.choice([1, 1, 2, 2, 3])
    themes = rng.randint(rounds + (rounds < 3), {1: 5, 2: 4, 3: 4}[rounds])
    people = rng.randint(2, {1: 6, 2: 4, 3: 3}[rounds])
    costs: dict[str, Any] = (
        {"rank_costs": sorted(rng.randint(0, 4) for _ in range(themes))} if rng.random() < 0.5 else {}
    )
    event = event_of(
        themes,
        rounds,
        rng.randint(1, 3),
        [[rng.randint(1, 3)] * rounds for _ in range(themes)],
        weight=rng.choice([0, 1, 2]),
        tolerance=rng.choice(["0", "0.25", "0.5"]),
        **costs,
    )
    return Instance(event, crowd(event, people, rng, skew=rng.choice([0, 2]), partial=rng.random() < 0.3))


def listed_otherwise(instance: Instance, rng: random.Random) -> Instance:
    """The same question, with every list of its files in another order."""

    def shuffled(listed: Sequence[Listed]) -> list[Listed]:
        return rng.sample(list(listed), len(listed))

    event = instance.event
    other = event.model_copy(
        update={
            "themes": shuffled(event.themes),
            "rounds": shuffled(event.rounds),
            "partner_types": shuffled(event.partner_types),
            "capacities": {
                theme: dict(shuffled(list(seats.items()))) for theme, seats in shuffled(list(event.capacities.items()))
            },
        }
    )
    previous = instance.previous
    return replace(
        instance,
        event=other,
        attendees=shuffled(instance.attendees),
        previous=previous and dict(shuffled(list(previous.items()))),
    )


def moved_by_the_order(seed: int) -> list[str]:
    """Who gets another programme when all lists of a random event are in another order; nobody, if all is well."""
    instance = random_instance(seed)
    other = listed_otherwise(instance, random.Random(seed))
    first, second = (_outcome(one) for one in (instance, other))
    if isinstance(first, str) or isinstance(second, str):
        return [] if isinstance(first, str) == isinstance(second, str) else ["one of the two was refused"]
    return [who for who, programme in first.items() if second[who] != programme]


def _outcome(instance: Instance) -> dict[str, dict[str, str]] | str:
    try:
        return allocated(instance, seed="the same").programmes
    except Exception as refusal:
        return type(refusal).__name__


def wins(instance: Instance, theme: str, seeds: int) -> Counter[str]:
    """How often each person gets a theme, over seeds."""
    return Counter(
        who
        for seed in range(seeds)
        for who, programme in allocated(instance, seed=f"seed {seed}").programmes.items()
        if theme in programme.values()
    )


def tied_pair(seed: int) -> Instance:
    """Two people who want the one seat of theme-0 at the same cost, among others who want other themes.

    Ids, types and rankings are random, and of the other themes there are seats enough.
    """
    rng = random.Random(seed)
    themes, types, others = rng.randint(3, 6), rng.randint(1, 4), rng.randint(0, 4)
    event = event_of(themes, 1, types, [[1], *[[6]] * (themes - 1)], weight=0)
    rest = [f"theme-{t}" for t in range(1, themes)]
    people = [
        Attendee(
            f"{rng.randrange(16**6):06x}-{n}", f"type-{rng.randrange(types)}", ("theme-0", *rng.sample(rest, len(rest)))
        )
        for n in range(2)
    ]
    people += [
        Attendee(f"other-{n}", f"type-{rng.randrange(types)}", (*rng.sample(rest, len(rest)), "theme-0"))
        for n in range(others)
    ]
    return Instance(event, people)


def chi_squared(counts: Sequence[int], expected: Sequence[float]) -> float:
    """Σ (seen − expected)² / expected."""
    return sum((seen - wanted) ** 2 / wanted for seen, wanted in zip(counts, expected, strict=True))


def claims(seed: int) -> Iterator[tuple[Says, str | None]]:
    """What the reasons of a tiny event say of missed choices, and what refutes it when all best allocations are listed.

    A choice that some other allocation of least cost gives was decided by lot, and no other choice was.
    """
    instance, best_of_all = _listed(seed)
    if not best_of_all:
        return
    found = allocated(instance, seed=str(seed))
    for who, reason in found.grounds.items():
        attainable = {theme for programmes in best_of_all for theme in programmes[who].values()}
        for said in reason:
            if said.says in STANDINGS:
                continue
            by_lot = said.says is Says.LOTTERY
            lie = f"seed {seed}: {who} is told {said}; another allocation of least cost gives it: {not by_lot}"
            yield said.says, lie if by_lot != (said.theme in attainable) else _refuted(instance, found, who, said)


@cache
def _listed(seed: int) -> tuple[Instance, list[dict[str, dict[str, str]]] | None]:
    instance = tiny_even_instance(seed)
    return instance, of_least_cost(instance, 4_000)


STANDINGS = {Says.GOT, Says.UNRANKED, Says.EXPECTED, Says.ABSENT, Says.AS_PUBLISHED, Says.NOT_OPEN}
"""What is no claim about a missed choice."""


def _refuted(instance: Instance, found: Allocation, who: str, said: Statement) -> str | None:
    """What a second look at the whole allocation says against a claim about a seat that stayed free."""
    if said.says not in {Says.MIX, Says.MINIMUM, Says.CLASH, Says.EQUAL}:
        return None
    programme = dict(found.programmes[who])
    was_there = programme.get(said.round) == said.instead
    programme[said.round] = said.theme
    otherwise = {**found.programmes, who: programme}
    person = next(one for one in instance.attendees if one.id == who)
    more = objective(instance, otherwise).total - objective(instance, found.programmes).total
    pays = rank_cost(instance.event, person, programme) - rank_cost(instance.event, person, found.programmes[who])
    full = instance.event.seats(said.theme, said.round) < sum(
        one.get(said.round) == said.theme for one in otherwise.values()
    )
    true = {
        Says.MIX: more > 0 and more - pays == said.heads * found.weight,
        Says.MINIMUM: bool(seat_faults(instance.event, otherwise)),
        Says.CLASH: pays >= 0,
        Says.EQUAL: more == pays == 0,
    }
    return None if was_there and not full and true[said.says] else f"{who} is told {said}, and it is not so"
