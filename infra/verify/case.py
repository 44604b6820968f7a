"""What the checks share: the event, the attendees and the allocation as arrays, counted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import chain
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.allocate.model.result import Allocation
from shared.attendees import Attendee, Wishes, WishReader, mean_costs
from shared.i18n import Told, told
from shared.models import Event

Ints = NDArray[np.int64]
Small = NDArray[np.int16]
Bools = NDArray[np.bool_]

NONE = -1
"""No workshop in a round."""

UNKNOWN = -2
"""A workshop whose theme is not of the event."""


class Case:
    """An allocation with what it is about. Axes are attendee (a), theme (t), round (r), partner type (g).

    Everything is counted from the inputs themselves, without the solver's arrays.
    """

    def __init__(
        self,
        event: Event,
        attendees: Sequence[Attendee],
        allocation: Allocation,
        previous: Mapping[str, Mapping[str, str]] | None = None,
        time_limit: float = 30.0,
    ) -> None:
        self.event, self.allocation, self.time_limit = event, allocation, time_limit
        self.attendees = sorted(attendees, key=lambda attendee: attendee.id)
        self.ids = [attendee.id for attendee in self.attendees]
        self.compared_with = allocation.previous if previous is None else previous
        self.previous: Mapping[str, Mapping[str, str]] = (self.compared_with or {}) if allocation.mode == "keep" else {}
        self.rounds = [slot.id for slot in sorted(event.rounds, key=lambda slot: (slot.start, slot.id))]
        self.themes = [theme.id for theme in event.themes]
        self.types = [partner_type.id for partner_type in event.partner_types]
        self.theme_number = {theme: t for t, theme in enumerate(self.themes)}
        self.tolerance = Fraction(allocation.tolerance)
        self.seats = self._of_workshops(event.seats)
        self.minimum = self._of_workshops(event.minimum)
        numbers = {partner_type: g for g, partner_type in enumerate(self.types)}
        self.type_of = np.array([numbers[attendee.partner_type] for attendee in self.attendees], dtype=np.int64)

    def _of_workshops(self, count: Any) -> Ints:
        return np.array([[count(theme, slot) for slot in self.rounds] for theme in self.themes], dtype=np.int64)

    def as_places(self, programmes: Mapping[str, Mapping[str, str]]) -> Small:
        """Programmes by id as theme numbers, by attendee and round."""
        places = np.full((len(self.ids), len(self.rounds)), NONE, dtype=np.int16)
        if not programmes:
            return places
        number, nothing = self.theme_number, dict[str, str]()
        rows = [programmes.get(who, nothing) for who in self.ids]
        for r, slot in enumerate(self.rounds):
            column = (row.get(slot) for row in rows)
            places[:, r] = [NONE if theme is None else number.get(theme, UNKNOWN) for theme in column]
        return places

    @cached_property
    def places(self) -> Small:
        """Where everyone is, by attendee and round."""
        return self.as_places(self.allocation.programmes)

    @cached_property
    def held(self) -> Small:
        """Where a keep run found everyone."""
        return self.as_places(self.previous)

    @cached_property
    def pinned(self) -> Small:
        """Where everyone is pinned."""
        return self.as_places({attendee.id: attendee.pinned for attendee in self.attendees if attendee.pinned})

    @cached_property
    def present(self) -> Bools:
        """In which rounds everyone is there."""
        present = np.ones((len(self.ids), len(self.rounds)), dtype=np.bool_)
        for a, attendee in enumerate(self.attendees):
            for slot in attendee.absent:
                present[a, self.rounds.index(slot)] = False
        return present

    @cached_property
    def wishes(self) -> list[Wishes]:
        """What the themes are to everyone."""
        read = WishReader(self.event)
        return [read.of(attendee) for attendee in self.attendees]

    @cached_property
    def possible(self) -> Bools:
        """Which themes each attendee may join."""
        open_to = np.array(
            [
                [not theme.open_to or partner_type in theme.open_to for theme in self.event.themes]
                for partner_type in self.types
            ]
        )
        possible: Bools = open_to[self.type_of]
        for a, attendee in enumerate(self.attendees):
            for theme in attendee.excluded:
                possible[a, self.theme_number[theme]] = False
        return possible

    @cached_property
    def _ranked(self) -> tuple[Ints, Ints, Ints]:
        """Attendee, theme and place (from 0) of everything ranked."""
        lengths = np.fromiter((len(wishes.ranked) for wishes in self.wishes), np.int64, len(self.wishes))
        number = self.theme_number
        listed = chain.from_iterable(wishes.ranked for wishes in self.wishes)
        themes = np.fromiter(map(number.__getitem__, listed), np.int64, lengths.sum())
        owner = np.repeat(np.arange(len(lengths)), lengths)
        return owner, themes, np.arange(len(themes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)

    @cached_property
    def choice(self) -> Small:
        """Which choice each theme is to everyone, from 1; themes not ranked are the last."""
        owner, themes, place = self._ranked
        last = np.array([wishes.possible for wishes in self.wishes], dtype=np.int16)
        choice = np.repeat(last[:, None], len(self.themes), axis=1)
        choice[owner, themes] = place + 1
        return choice

    @cached_property
    def ranked(self) -> Bools:
        """Which themes everyone ranked."""
        owner, themes, _ = self._ranked
        ranked = np.zeros((len(self.ids), len(self.themes)), dtype=np.bool_)
        ranked[owner, themes] = True
        return ranked

    @cached_property
    def cost(self) -> Ints:
        """What a seat in each theme costs everyone, by its rank."""
        owner, themes, place = self._ranked
        rest = {(w.possible, len(w.ranked)): w for w in self.wishes}
        others = {key: wishes.cost("") for key, wishes in rest.items()}  # "" is a theme that nobody ranks
        unranked = np.array([others[w.possible, len(w.ranked)] for w in self.wishes], dtype=np.int64)
        cost = np.repeat(unranked[:, None], len(self.themes), axis=1)
        cost[owner, themes] = np.array(self.event.rank_costs, dtype=np.int64)[place]
        return cost

    @cached_property
    def seated(self) -> tuple[Ints, Ints, Ints]:
        """Attendee, round and theme of every seat taken in a workshop of the event."""
        who, slot = np.nonzero(self.places >= 0)
        return who, slot, self.places[who, slot].astype(np.int64)

    @cached_property
    def personal_cost(self) -> Ints:
        """What the ranks of everyone's themes cost."""
        who, _, theme = self.seated
        personal = np.zeros(len(self.ids), dtype=np.int64)
        np.add.at(personal, who, self.cost[who, theme])
        return personal

    @property
    def cost_by_type(self) -> dict[str, tuple[int, float]]:
        """People and the mean cost of their programmes, by partner type."""
        types = (self.types[g] for g in self.type_of.tolist())
        return mean_costs(zip(types, self.personal_cost.tolist(), strict=True))

    @cached_property
    def heads(self) -> Ints:
        """Heads by theme, round and type."""
        who, slot, theme = self.seated
        shape = (len(self.themes), len(self.rounds), len(self.types))
        flat = np.ravel_multi_index((theme, slot, self.type_of[who]), shape)
        return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)

    @cached_property
    def fill(self) -> Ints:
        """Heads by theme and round."""
        return np.asarray(self.heads.sum(axis=2))

    @cached_property
    def heads_present(self) -> Ints:
        """People present by round and type."""
        types = len(self.types)
        return np.stack([np.bincount(self.type_of[there], minlength=types) for there in self.present.T])

    @cached_property
    def band(self) -> tuple[Ints, Ints]:
        """Fewest and most heads of each type that mirror the room, by theme, round and type.

        People of a type are expected in proportion to the seats of the workshops that are open to it.
        """
        lower, upper = np.zeros((2, *self.heads.shape), dtype=np.int64)
        for g, partner_type in enumerate(self.types):
            mine = [
                t for t, theme in enumerate(self.event.themes) if not theme.open_to or partner_type in theme.open_to
            ]
            for r in range(len(self.rounds)):
                total = sum(int(self.seats[t, r]) for t in mine)
                for t in mine:
                    share = Fraction(int(self.seats[t, r]), total) if total else Fraction(0)
                    expected = int(self.heads_present[r, g]) * share
                    lower[t, r, g] = floor((1 - self.tolerance) * expected)
                    upper[t, r, g] = ceil((1 + self.tolerance) * expected)
        return lower, upper

    @cached_property
    def decisive(self) -> int:
        """One more than the span of ranks over all places, and the weight of all heads and of all lower bounds."""
        places, costs = int(self.present.sum()), self.event.rank_costs
        lowest = int(self.band[0].sum())
        return 1 + places * (max(costs) - min(costs)) + self.allocation.weight * (places + lowest)

    @cached_property
    def change_cost(self) -> int:
        """What a change costs: the event's, or one more than ranks and balance could ever gain."""
        if self.allocation.mode == "fresh":
            return 0
        given = self.event.allocation.change_cost
        return self.decisive if given is None else given

    @cached_property
    def alike(self) -> tuple[Ints, Ints]:
        """One attendee of each group who must be treated alike, and the group of each attendee."""
        there = np.where(self.present, self.held, NONE)
        order = np.where(self.ranked, self.choice, -1)  # themes not ranked differ in nothing
        columns = [self.type_of[:, None], order, self.possible, self.present, self.pinned, there]
        return distinct(np.concatenate([column.astype(np.int16) for column in columns], axis=1))

    def title(self, theme: int, slot: int) -> Told:
        """A workshop by the names of the files."""
        return told("%(theme)s in %(round)s", theme=self.themes[theme], round=self.rounds[slot])


def distinct(rows: Small) -> tuple[Ints, Ints]:
    """The first of each set of equal rows, and the set of each row."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, of = np.unique(packed, return_index=True, return_inverse=True)
    return first, of.ravel()
