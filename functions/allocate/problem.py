"""What the allocator is given: attendees, and the event as arrays.

Everything that influences an outcome passes through here, in one canonical order (attendees by id, themes, rounds and
partner types as the event lists them), so that the order of the input never matters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.models import Event, mirroring_band

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Places = NDArray[np.int16]
"""Theme numbers by attendee and round; `NOWHERE` where there is none."""

Mode = Literal["fresh", "keep"]

NOWHERE = -1


class BadInputError(ValueError):
    """The attendees or the previous programmes do not fit the event; `faults` names every mistake by attendee."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{who}: {message}" if who else message for who, message in faults))
        self.faults = list(faults)


class NoAllocationError(Exception):
    """No allocation exists; the message names the cut that is full, in words and numbers."""


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person as the allocator sees them.

    `ranking` lists theme ids, best first; themes left out all count as the last rank. `absent` holds round ids,
    `pinned` maps a round to the theme that a facilitator is bound to.
    """

    id: str
    partner_type: str
    ranking: tuple[str, ...]
    absent: Collection[str] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """An event and its attendees as arrays.

    Axes are always attendee (a), theme (t), round (r), partner type (g), in this order. `seats` and `minimum` count
    people, `rank` counts from 0, costs are the integers of the objective. `held` is the published theme, `NOWHERE`
    for newcomers and in fresh runs; `decisive` says that one change costs more than ranks and balance could gain.
    """

    themes: tuple[str, ...]
    rounds: tuple[str, ...]
    partner_types: tuple[str, ...]
    seats: Ints
    minimum: Ints
    rank_costs: Ints
    weight: int
    tolerance: Fraction
    ids: Sequence[str]
    partner_type: Ints
    rank: NDArray[np.uint8]
    present: Bools
    pinned: Places
    held: Places
    change_cost: int = 0
    decisive: bool = False
    seed: str = ""

    @property
    def people(self) -> int:
        """How many attendees there are."""
        return len(self.ids)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of themes, rounds and partner types."""
        return len(self.themes), len(self.rounds), len(self.partner_types)

    @cached_property
    def heads_present(self) -> Ints:
        """How many attendees of each type are present in each round, by round and type."""
        _, rounds, types = self.shape
        return np.stack(
            [np.bincount(self.partner_type[self.present[:, r]], minlength=types) for r in range(rounds)]
        ).astype(np.int64)

    @cached_property
    def band(self) -> tuple[Ints, Ints]:
        """Fewest and most heads of each type that mirror the room, by theme, round and type."""
        themes, rounds, types = self.shape
        lower, upper = np.zeros((2, themes, rounds, types), dtype=np.int64)
        for r in range(rounds):
            total = int(self.seats[:, r].sum())
            for t, g in np.ndindex(themes, types):
                present, seats = int(self.heads_present[r, g]), int(self.seats[t, r])
                lower[t, r, g], upper[t, r, g] = mirroring_band(present, seats, total, self.tolerance)
        return lower, upper

    @property
    def free(self) -> Bools:
        """Where an attendee is present and not pinned, by attendee and round."""
        free: Bools = self.present & (self.pinned == NOWHERE)
        return free

    @property
    def even(self) -> bool:
        """Whether all rounds are alike for everyone: then two flows are enough (de Werra)."""
        return bool(
            (self.seats == self.seats[:, :1]).all()
            and self.present.all()
            and (self.pinned == NOWHERE).all()
            and (self.change_cost == 0 or (self.held == NOWHERE).all())
        )


def build_problem(
    event: Event,
    attendees: Sequence[Attendee],
    *,
    mode: Mode = "fresh",
    seed: str = "",
    previous: Mapping[str, Mapping[str, str]] | None = None,
    weight: int | None = None,
    tolerance: Fraction | None = None,
) -> Problem:
    """Turn an event and its attendees into arrays.

    Raises BadInputError with every mistake: unknown or repeated names, absent where pinned, a previous programme
    that names what the event no longer has.
    """
    faults = list(input_faults(event, attendees, previous if mode == "keep" else None))
    if faults:
        raise BadInputError(faults)
    themes = [theme.id for theme in event.themes]
    rounds = [slot.id for slot in event.rounds]
    types = [kind.id for kind in event.partner_types]
    people = sorted(attendees, key=lambda attendee: attendee.id)
    theme_number = {theme: t for t, theme in enumerate(themes)}
    type_number = {kind: g for g, kind in enumerate(types)}
    seats = np.array([[event.seats(t, r) for r in rounds] for t in themes], dtype=np.int64)
    minimum = np.array([[theme.minimum] * len(rounds) for theme in event.themes], dtype=np.int64)
    problem = Problem(
        themes=tuple(themes),
        rounds=tuple(rounds),
        partner_types=tuple(types),
        seats=seats,
        minimum=np.where(seats > 0, minimum, 0),
        rank_costs=np.array(event.rank_costs, dtype=np.int64),
        weight=event.allocation.balance.weight if weight is None else weight,
        tolerance=event.tolerance if tolerance is None else tolerance,
        ids=[attendee.id for attendee in people],
        partner_type=np.array([type_number[attendee.partner_type] for attendee in people], dtype=np.int64),
        rank=_ranks(people, theme_number),
        present=_present(people, rounds),
        pinned=as_places([attendee.pinned for attendee in people], rounds, themes),
        held=as_places([(previous or {}).get(a.id, {}) if mode == "keep" else {} for a in people], rounds, themes),
        seed=seed,
    )
    if mode == "fresh":
        return problem
    decisive = decisive_change_cost(problem)
    given = event.allocation.change_cost
    change_cost = decisive if given is None else given
    return replace(problem, change_cost=change_cost, decisive=change_cost >= decisive)


def decisive_change_cost(problem: Problem) -> int:
    """A change cost above anything that ranks and balance together could ever gain.

    The objective without changes lies between 0 and the worst rank for every seat plus the weight of every head and
    every band missed, so one more than that span decides before everything else.
    """
    lower, _ = problem.band
    units = int(problem.present.sum())
    span = int(problem.rank_costs.max() - problem.rank_costs.min())
    return 1 + units * span + problem.weight * (units + int(lower.sum()))


def input_faults(
    event: Event, attendees: Sequence[Attendee], previous: Mapping[str, Mapping[str, str]] | None
) -> Iterator[tuple[str, str]]:
    """Yield every mistake as (attendee id, message)."""
    themes = {theme.id for theme in event.themes}
    rounds = {slot.id for slot in event.rounds}
    types = {kind.id for kind in event.partner_types}
    seen: set[str] = set()
    for attendee in attendees:
        if attendee.id in seen:
            yield attendee.id, "this id appears twice"
        seen.add(attendee.id)
        for message in attendee_faults(attendee, themes, rounds, types):
            yield attendee.id, message
    for who, programme in (previous or {}).items():
        if who in seen:
            for message in programme_faults(programme, themes, rounds):
                yield who, message


def attendee_faults(attendee: Attendee, themes: set[str], rounds: set[str], types: set[str]) -> Iterator[str]:
    """Yield what is wrong with one attendee."""
    if not attendee.id:
        yield "the id is empty"
    if attendee.partner_type not in types:
        yield f"{attendee.partner_type!r} is no partner type of the event"
    if len(set(attendee.ranking)) != len(attendee.ranking):
        repeated = sorted({theme for theme in attendee.ranking if attendee.ranking.count(theme) > 1})
        yield f"ranks {', '.join(map(repr, repeated))} more than once"
    for theme in attendee.ranking:
        if theme not in themes:
            yield f"{theme!r} is no theme of the event"
    for slot in attendee.absent:
        if slot not in rounds:
            yield f"absent in {slot!r}, which is no round of the event"
    for slot in attendee.pinned:
        if slot in attendee.absent:
            yield f"absent in {slot!r} and pinned there"
    yield from (f"pinned: {message}" for message in programme_faults(attendee.pinned, themes, rounds))


def programme_faults(programme: Mapping[str, str], themes: set[str], rounds: set[str]) -> Iterator[str]:
    """Yield what makes a programme, or part of one, impossible at this event."""
    for slot, theme in programme.items():
        if slot not in rounds:
            yield f"{slot!r} is no round of the event"
        if theme not in themes:
            yield f"{theme!r} is no theme of the event"
    if len(set(programme.values())) != len(programme):
        yield "the same theme in two rounds"


def input_digest(
    event: Event,
    attendees: Sequence[Attendee],
    mode: Mode,
    seed: str,
    weight: int | None = None,
    tolerance: Fraction | None = None,
    previous: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """SHA-256, in hexadecimal, of all that influences an outcome, and of nothing else.

    It covers canonical JSON, keys sorted, one line for the event and one an attendee in order of id; the order of the
    input, titles, rooms and times do not count. `previous` counts in keep runs only.
    """
    digest = hashlib.sha256(_canonical(_event_facts(event, mode, seed, weight, tolerance)))
    held: Mapping[str, Mapping[str, str]] = (previous or {}) if mode == "keep" else {}
    for a in sorted(attendees, key=lambda attendee: attendee.id):
        before = dict(held.get(a.id, {}))
        digest.update(_canonical([a.id, a.partner_type, a.ranking, sorted(a.absent), dict(a.pinned), before]))
    return digest.hexdigest()


def _event_facts(
    event: Event, mode: Mode, seed: str, weight: int | None, tolerance: Fraction | None
) -> dict[str, object]:
    rounds = [slot.id for slot in event.rounds]
    return {
        "event": event.id,
        "mode": mode,
        "seed": seed,
        "rounds": rounds,
        "themes": [[t.id, t.minimum, [event.seats(t.id, r) for r in rounds]] for t in event.themes],
        "partner_types": [kind.id for kind in event.partner_types],
        "rank_costs": list(event.rank_costs),
        "weight": event.allocation.balance.weight if weight is None else weight,
        "tolerance": str(event.tolerance if tolerance is None else tolerance),
        "change_cost": event.allocation.change_cost if mode == "keep" else None,
    }


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _canonical(value: object) -> bytes:
    return _CANONICAL.encode(value).encode() + b"\n"


def _ranks(people: Sequence[Attendee], theme_number: Mapping[str, int]) -> NDArray[np.uint8]:
    """Rank of every theme for every attendee, from 0; unranked themes get the last rank."""
    themes = len(theme_number)
    rank = np.full((len(people), themes), themes - 1, dtype=np.uint8)
    lengths = np.fromiter((len(a.ranking) for a in people), dtype=np.int64, count=len(people))
    chosen = np.fromiter((theme_number[t] for a in people for t in a.ranking), dtype=np.int64, count=lengths.sum())
    owner = np.repeat(np.arange(len(people)), lengths)
    place = np.arange(len(chosen)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rank[owner, chosen] = place
    return rank


def _present(people: Sequence[Attendee], rounds: Sequence[str]) -> Bools:
    present = np.ones((len(people), len(rounds)), dtype=bool)
    for a, attendee in enumerate(people):
        for slot in attendee.absent:
            present[a, rounds.index(slot)] = False
    return present


def as_places(programmes: Sequence[Mapping[str, str]], rounds: Sequence[str], themes: Sequence[str]) -> Places:
    """Programmes by name as theme numbers, by attendee and round."""
    theme_number = {theme: t for t, theme in enumerate(themes)}
    places = np.full((len(programmes), len(rounds)), NOWHERE, dtype=np.int16)
    for a, programme in enumerate(programmes):
        for slot, theme in programme.items():
            places[a, rounds.index(slot)] = theme_number[theme]
    return places
