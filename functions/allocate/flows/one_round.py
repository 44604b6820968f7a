"""One round with all other rounds fixed: a minimum-cost flow of people into workshops, by shortest augmenting paths.

The network is attendee → (workshop, type) → workshop → sink, with the band as convex cost and the minimum as a lower
bound. People come one after another; each takes the shortest path to the sink, on which others may change their
workshop. The residual network is condensed: people appear in it only as the cheapest change from one workshop to
another within a type, so that a search looks at types x themes² numbers, however many people there are. After every
path the flow costs the least for the people who have come (Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 9).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from functions.allocate.model.problem import Bools, EngineCannotError, Ints, NoAllocationError, NotFoundInTimeError
from shared.i18n import told

_FAR = 1 << 58
"""Costs from here on mean that there is no way."""

TO_WORKSHOP = -1
"""Next step on the way from a (workshop, type): the workshop itself, not a change to another."""

TO_SINK = -1
"""Next step on the way from a workshop: a free seat."""


@dataclass(frozen=True)
class Seats:
    """What the workshops of one round may take: by theme, least and most; by theme and type, the band."""

    least: Ints
    most: Ints
    lower: Ints
    upper: Ints
    weight: int


def seat_round(cost: Ints, possible: Bools, kind: Ints, seats: Seats, deadline: float) -> tuple[Ints, Ints]:
    """The theme of each person at least cost, and what a head pays by theme and type.

    `cost` and `possible` are by person and theme, `kind` is the partner type.

    Raises NoAllocationError when not everyone can be seated or a minimum cannot be met, NotFoundInTimeError at the
    deadline (monotonic seconds).
    """
    flow = _RoundFlow(cost, possible, kind, seats)
    for count, a in enumerate(flow.order()):
        if count % 64 == 0 and time.monotonic() > deadline:
            raise NotFoundInTimeError("the time ended within a round")
        flow.seat(a)
    if (flow.taken < seats.least).any():
        raise NoAllocationError(told("the minima of a round cannot be met"))
    flow.search()
    return flow.at, np.clip(flow.head.T, -flow.need, flow.need)


class _RoundFlow:
    """The flow of the people who have come, and the shortest way from every node to the sink."""

    def __init__(self, cost: Ints, possible: Bools, kind: Ints, seats: Seats) -> None:
        themes, types = seats.lower.shape
        top = int(cost.max(initial=0, where=possible)) - int(cost.min(initial=0, where=possible)) + 2 * seats.weight + 1
        self.need = 2 * top * (themes * (types + 1) + 2)
        """What meeting a minimum is worth: more than any path can cost."""
        if self.need >= _FAR >> 3:
            raise EngineCannotError(told("costs are too large for a flow in 64 bits"))
        self.kind, self.seats = kind, seats
        self.cost = np.where(possible, cost, _FAR)
        self.at = np.full(len(cost), -1, dtype=np.int64)
        self.heads = np.zeros((types, themes), dtype=np.int64)
        self.taken = np.zeros(themes, dtype=np.int64)
        self.lower, self.upper = seats.lower.T, seats.upper.T
        self.members: list[list[set[int]]] = [[set() for _ in range(themes)] for _ in range(types)]
        self.change = np.full((types, themes, themes), _FAR, dtype=np.int64)
        self.changer = np.zeros((types, themes, themes), dtype=np.int64)
        self.search()

    def order(self) -> list[int]:
        """People in the order in which they come: those with few workshops to go to first."""
        options: Ints = (self.cost < _FAR).sum(axis=1)
        order: list[int] = np.argsort(options, kind="stable").tolist()
        return order

    def search(self) -> None:
        """Shortest ways to the sink: Bellman and Ford, with the next node of each."""
        seats, weight = self.seats, self.seats.weight
        more = np.where(self.heads < self.lower, -weight, np.where(self.heads < self.upper, 0, weight))
        less = np.where(self.heads <= self.lower, weight, np.where(self.heads <= self.upper, 0, -weight))
        less = np.where(self.heads > 0, less, _FAR)
        theme = np.where(self.taken < seats.least, -self.need, np.where(self.taken < seats.most, 0, _FAR))
        next_theme = np.full(len(theme), TO_SINK)
        head = more + theme
        next_head = np.full(head.shape, TO_WORKSHOP)
        while True:
            changed = self.change + head[:, None, :]
            best = changed.min(axis=2)
            better = best < head
            if better.any():
                next_head[better] = changed[better].argmin(axis=1)
                head = np.where(better, best, head)
            left = less + head
            cheapest = left.min(axis=0)
            worth = cheapest < theme
            if worth.any():
                next_theme[worth] = left[:, worth].argmin(axis=0)
                theme = np.where(worth, cheapest, theme)
                direct = more + theme
                again = direct < head
                next_head[again] = TO_WORKSHOP
                head = np.where(again, direct, head)
            elif not better.any():
                break
        self.head, self.next_head, self.next_theme = head, next_head, next_theme

    def seat(self, a: int) -> None:
        """Let one person come and take the shortest way.

        Raises NoAllocationError when there is none.
        """
        way = self.cost[a] + self.head[self.kind[a]]
        t = int(way.argmin())
        if way[t] >= _FAR >> 1:
            raise NoAllocationError(told("a round has no seat left for a person"))
        who, g = a, int(self.kind[a])
        same = True
        while True:
            self._place(who, g, t)
            step = int(self.next_head[g, t])
            if step == TO_WORKSHOP:
                same &= self._step_head(g, t, 1)
                out = int(self.next_theme[t])
                if out == TO_SINK:
                    self.taken[t] += 1
                    same &= self.taken[t] not in (self.seats.least[t], self.seats.most[t])
                    break
                g = out
                same &= self._step_head(g, t, -1)
                step = int(self.next_head[g, t])
            who = int(self.changer[g, t, step])
            before = self.change[g, t, step]
            self._leave(who, g, t)
            same &= bool(self.change[g, t, step] == before)
            t = step
        if not same:  # as long as every step can be taken once more at the same cost, no way to the sink grows
            self.search()

    def _step_head(self, g: int, t: int, by: int) -> bool:
        """Count a head more or less; whether the next one costs the same."""
        self.heads[g, t] += by
        heads = self.heads[g, t]
        return bool(heads > 0 and heads not in (self.lower[g, t], self.upper[g, t]))

    def _place(self, who: int, g: int, t: int) -> None:
        self.at[who] = t
        self.members[g][t].add(who)
        step = self.cost[who] - self.cost[who, t]
        step[t] = _FAR
        row = self.change[g, t]
        better = step < row
        row[better] = step[better]
        self.changer[g, t, better] = who

    def _leave(self, who: int, g: int, t: int) -> None:
        self.members[g][t].discard(who)
        stay = sorted(self.members[g][t])
        if not stay:
            self.change[g, t] = _FAR
            return
        step = self.cost[stay] - self.cost[stay, t][:, None]
        step[:, t] = _FAR
        first = step.argmin(axis=0)
        self.change[g, t] = step[first, np.arange(step.shape[1])]
        self.changer[g, t] = np.array(stay)[first]
