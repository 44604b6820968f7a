"""What the allocator is given: attendees, and the event as arrays.

Everything that influences an outcome passes through here, in one canonical order (attendees by id, themes, rounds and
partner types in an order that the seed draws), so that the order of the input never matters.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.attendees import Attendee, BadInputError, Mode, input_faults, unranked_cost
from shared.i18n import Told
from shared.models import Event, PartnerType, Round, Theme, mirroring_band

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Ranks = NDArray[np.unsignedinteger[Any]]
Places = NDArray[np.int16]
"""Theme numbers by attendee and round; `NOWHERE` where there is none."""

NOWHERE = -1

FAR = 1 << 60
"""A cost that rules a place out."""


class NoAllocationError(Exception):
    """No allocation exists; `words`, a message for organisers, name the cut that is full, in words and numbers."""

    def __init__(self, words: Told) -> None:
        super().__init__(words)
        self.words = words


class NotFoundInTimeError(Exception):
    """No allocation was found in the time there was, though none is ruled out; the message says what was reached."""


class EngineCannotError(Exception):
    """The engine that was asked for cannot allocate these people, though another may; `words` say why."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True)
class Problem:
    """An event and its attendees as arrays.

    Axes are always attendee (a), theme (t), round (r), partner type (g), in this order. `seats` and `minimum` count
    people, costs are the integers of the objective. `held` is the published theme, `NOWHERE` for newcomers and in
    fresh runs; `decisive` says that one change costs more than ranks and balance could gain.

    `rank` counts from 0 where a theme is ranked. Higher numbers, from the number of themes on, stand for themes that
    are not ranked (a number for each cost that these have) and for themes that are not possible for the attendee.
    `rank_costs` has the cost of every such number, and `choices` which choice it is, from 1: the last for themes not
    ranked, 0 for those not possible. `open_to` says which partner types a theme is open to. Titles are for messages.
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
    rank: Ranks
    present: Bools
    pinned: Places
    held: Places
    change_cost: int = 0
    decisive: bool = False
    seed: str = ""
    choices: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    open_to: Bools = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    theme_titles: tuple[str, ...] = ()
    round_titles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        themes, _, types = self.shape
        defaults: dict[str, object] = {}
        if not len(self.choices):
            defaults["choices"] = np.arange(1, themes + 1)
        if not self.open_to.size:
            defaults["open_to"] = np.ones((themes, types), dtype=np.bool_)
        defaults["theme_titles"] = self.theme_titles or self.themes
        defaults["round_titles"] = self.round_titles or self.rounds
        for name, value in defaults.items():
            object.__setattr__(self, name, value)

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
        totals = np.einsum("tr,tg->rg", self.seats, self.open_to.astype(np.int64))
        for t, r, g in np.ndindex(themes, rounds, types):
            if self.open_to[t, g]:
                present, seats = int(self.heads_present[r, g]), int(self.seats[t, r])
                lower[t, r, g], upper[t, r, g] = mirroring_band(present, seats, int(totals[r, g]), self.tolerance)
        return lower, upper

    @property
    def all_possible(self) -> bool:
        """Whether everyone may join every theme."""
        return bool((self.choices > 0).all())

    @property
    def possible(self) -> Bools:
        """Which themes are possible for each attendee, by attendee and theme."""
        possible: Bools = (self.choices > 0)[self.rank]
        return possible

    @property
    def free(self) -> Bools:
        """Where an attendee is present and not pinned, by attendee and round."""
        free: Bools = self.present & (self.pinned == NOWHERE)
        return free

    @property
    def rounds_by_time(self) -> list[int]:
        """The numbers of the rounds, the earliest first."""
        titles = self.round_titles or self.rounds
        return sorted(range(len(self.rounds)), key=lambda r: (titles[r], self.rounds[r]))

    @property
    def even(self) -> bool:
        """Whether all rounds are alike for everyone: then two flows are enough (de Werra).

        Minima count too: a theme that must have a person in one round only is not split evenly.
        """
        return bool(
            (self.seats == self.seats[:, :1]).all()
            and (self.minimum == self.minimum[:, :1]).all()
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
    listed_themes, listed_rounds = drawn_order(seed, "theme", event.themes), drawn_order(seed, "round", event.rounds)
    themes = [theme.id for theme in listed_themes]
    rounds = [slot.id for slot in listed_rounds]
    types = [partner_type.id for partner_type in drawn_order(seed, "type", event.partner_types)]
    people = sorted(attendees, key=lambda attendee: attendee.id)
    theme_number = {theme: t for t, theme in enumerate(themes)}
    type_number = {kind: g for g, kind in enumerate(types)}
    partner_type = np.array([type_number[attendee.partner_type] for attendee in people], dtype=np.int64)
    open_to = np.array([[theme.is_open_to(kind) for kind in types] for theme in listed_themes], dtype=np.bool_)
    rank, rank_costs, choices = _ranks(people, theme_number, event.rank_costs, open_to.T[partner_type])
    problem = Problem(
        themes=tuple(themes),
        rounds=tuple(rounds),
        partner_types=tuple(types),
        seats=np.array([[event.seats(t, r) for r in rounds] for t in themes], dtype=np.int64),
        minimum=np.array([[event.minimum(t, r) for r in rounds] for t in themes], dtype=np.int64),
        rank_costs=rank_costs,
        weight=event.allocation.balance.weight if weight is None else weight,
        tolerance=event.tolerance if tolerance is None else tolerance,
        ids=[attendee.id for attendee in people],
        partner_type=partner_type,
        rank=rank,
        present=_present(people, rounds),
        pinned=as_places([attendee.pinned for attendee in people], rounds, themes),
        held=as_places([(previous or {}).get(a.id, {}) if mode == "keep" else {} for a in people], rounds, themes),
        seed=seed,
        choices=choices,
        open_to=open_to,
        theme_titles=tuple(theme.title for theme in listed_themes),
        round_titles=tuple(f"{slot.start:%H:%M}" for slot in listed_rounds),
    )
    if mode == "fresh":
        return problem
    decisive = decisive_change_cost(problem)
    given = event.allocation.change_cost
    change_cost = decisive if given is None else given
    return replace(problem, change_cost=change_cost, decisive=change_cost >= decisive)


Named = TypeVar("Named", Theme, Round, PartnerType)


def drawn_order(seed: str, what: str, listed: Sequence[Named]) -> list[Named]:
    """Themes, rounds or partner types in an order that the seed draws: by HMAC-SHA256(seed, `what` and the id).

    Where the solver has to begin somewhere, it begins there: neither the order in which the event lists them nor their
    names favour anybody.
    """
    return sorted(listed, key=lambda one: hmac.digest(seed.encode(), f"{what} {one.id}".encode(), "sha256"))


def decisive_change_cost(problem: Problem) -> int:
    """A change cost above anything that ranks and balance together could ever gain.

    The objective without changes lies between 0 and the worst rank for every seat plus the weight of every head and
    every band missed, so one more than that span decides before everything else.
    """
    lower, _ = problem.band
    units = int(problem.present.sum())
    span = int(problem.rank_costs.max() - problem.rank_costs.min())
    return 1 + units * span + problem.weight * (units + int(lower.sum()))


def _ranks(
    people: Sequence[Attendee], theme_number: Mapping[str, int], rank_costs: Sequence[int], possible: Bools
) -> tuple[Ranks, Ints, Ints]:
    """The numbers of `Problem.rank`, and what each costs and which choice it is.

    Parameters
    ----------
    possible
        Which themes are open to each attendee's partner type, by attendee and theme; what organisers ruled out for
        single attendees is taken away here.
    """
    themes, everyone = len(theme_number), np.arange(len(people))
    possible = possible.copy()
    for a, attendee in enumerate(people):
        for theme in attendee.excluded:
            possible[a, theme_number[theme]] = False
    lengths = np.fromiter((len(a.ranking) for a in people), dtype=np.int64, count=len(people))
    ranked = chain.from_iterable(a.ranking for a in people)
    chosen = np.fromiter(map(theme_number.__getitem__, ranked), dtype=np.int64, count=lengths.sum())
    owner = np.repeat(everyone, lengths)
    counts = possible[owner, chosen]
    if not counts.all():
        owner, chosen = owner[counts], chosen[counts]
        lengths = np.bincount(owner, minlength=len(people))
    place = np.arange(len(chosen)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    # A single theme left over needs no number of its own: it can only be the last choice.
    open_themes = possible.sum(axis=1)
    short = lengths < open_themes - 1
    kinds, kind = np.unique(np.stack([lengths, open_themes])[:, short], axis=1, return_inverse=True)
    costs, choices = list(rank_costs), list(range(1, themes + 1))
    for ranked, most in kinds.T.tolist():
        costs.append(unranked_cost(rank_costs, ranked, most))
        choices.append(most)
    if not possible.all():
        costs.append(max(rank_costs))
        choices.append(0)
    rest = np.maximum(open_themes - 1, 0)
    rest[short] = themes + kind.ravel()
    narrow: type[np.unsignedinteger[Any]] = np.uint8 if len(costs) <= 256 else np.uint16
    rank: Ranks = np.where(possible, rest[:, None], len(costs) - 1).astype(narrow)
    rank[owner, chosen] = place
    return rank, np.array(costs, dtype=np.int64), np.array(choices, dtype=np.int64)


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
