"""What the allocator is given: attendees, and the event as arrays.

Everything that influences an outcome passes through here, in one canonical order (attendees by id, themes, rounds and
partner types as the event lists them), so that the order of the input never matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.attendees import Attendee, BadInputError, Mode, input_faults
from shared.models import Event, mirroring_band

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Places = NDArray[np.int16]
"""Theme numbers by attendee and round; `NOWHERE` where there is none."""

NOWHERE = -1

FAR = 1 << 60
"""A cost that rules a place out."""


class NoAllocationError(Exception):
    """No allocation exists; the message names the cut that is full, in words and numbers."""


class NotFoundInTimeError(Exception):
    """No allocation was found in the time there was, though none is ruled out; the message says what was reached."""


class EngineCannotError(Exception):
    """The engine that was asked for cannot allocate these people, though another may; the message says why."""


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
