"""The reason that each attendee should read, derived from the outcome alone and compared word for word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from infra.verify.case import NONE, Bools, Case, Ints, distinct
from infra.verify.lots import rings_of, rounds_alike
from shared.i18n import Told, told
from shared.models import Says, Statement
from shared.reasons import Teller

TOLD = 2
"""How many missed choices are explained, best first."""


def reason_faults(case: Case) -> Iterator[Told]:
    """Yield everyone whose reason is not what the numbers say, and reasons of people who are not registered."""
    reasons = case.allocation.reasons
    strangers = reasons.keys() - set(case.ids)
    yield from (told("%(who)s is not registered and has a reason", who=who) for who in sorted(strangers))
    expected, of = _expected(case)
    everything = np.asarray(case.possible.all(axis=1)).tolist()
    for a, (who, k) in enumerate(zip(case.ids, of.tolist(), strict=True)):
        reads = reasons.get(who, "")
        wanted = expected[k] + ("" if everything[a] else _closed(case, a))
        if reads != wanted:
            yield told(
                "%(who)s: the numbers do not support %(reads)s; they say %(wanted)s",
                who=who,
                reads=repr(reads),
                wanted=repr(wanted),
            )


def _expected(case: Case) -> tuple[list[str], Ints]:
    """The reasons that differ, and which of them is whose."""
    missed = _missed(case)
    lost = _lost_to_equals(case, missed) | _decided_by_lot(case, missed)
    rows = np.arange(len(case.ids))[:, None]
    places, safe = case.places, np.maximum(case.places, 0)
    choice = np.where(places >= 0, case.choice[rows, safe], 0)
    ranked = np.where(places >= 0, case.ranked[rows, safe], False)
    missed_choice = np.where(missed >= 0, case.choice[rows, np.maximum(missed, 0)], 0)
    cost, missed_cost = case.cost[rows, safe], case.cost[rows, np.maximum(missed, 0)]
    costs = np.unique(np.concatenate([cost, missed_cost], axis=1), return_inverse=True)[1].reshape(len(rows), -1)
    columns = [case.type_of[:, None], places, choice, ranked, case.pinned, case.present, case.held, missed]
    columns += [missed_choice, lost, costs]
    first, of = distinct(np.concatenate([np.asarray(column).astype(np.int32) for column in columns], axis=1))
    explain = _Explainer(case)
    return [explain(int(a), missed[a].tolist(), lost[a].tolist()) for a in first], of


def _missed(case: Case) -> Ints:
    """The best themes that everyone ranked above the worst they got, pins aside, and did not get."""
    who, slot, theme = case.seated
    mine = case.pinned[who, slot] == NONE
    worst = np.zeros(len(case.ids), dtype=np.int64)
    place = np.where(case.ranked, case.choice, len(case.themes) + 1)
    np.maximum.at(worst, who[mine], place[who[mine], theme[mine]])
    gets = np.zeros(case.ranked.shape, dtype=np.bool_)
    gets[who, theme] = True
    rank = np.where(case.ranked & ~gets & (place < worst[:, None]), place, len(case.themes) + 1)
    order = np.argsort(rank, axis=1, kind="stable")[:, :TOLD]
    there = np.take_along_axis(rank, order, axis=1) <= len(case.themes)
    return np.where(there, order, NONE)


def _lost_to_equals(case: Case, missed: Ints) -> Bools:
    """Whether an equal has the missed theme and a programme that costs less."""
    first, of = case.alike
    best = np.full((len(first), len(case.themes)), np.iinfo(np.int64).max)
    who, _, theme = case.seated
    np.minimum.at(best, (of[who], theme), case.personal_cost[who])
    lost: Bools = (missed >= 0) & (best[of[:, None], np.maximum(missed, 0)] < case.personal_cost[:, None])
    return lost


def _decided_by_lot(case: Case, missed: Ints) -> Bools:
    """Whether a ring of exchanges that costs nothing gives the missed theme, where lots chose among all such rings."""
    lost = np.zeros(missed.shape, dtype=np.bool_)
    if not (case.allocation.optimal and case.allocation.draw == "exact" and rounds_alike(case)):
        return lost
    missing = {int(a): missed[a].tolist() for a in np.flatnonzero((missed >= 0).any(axis=1))}
    for a, attainable in rings_of(case).attainable(set(missing)):
        lost[a] = [t != NONE and t in attainable for t in missing[a]]
    return lost


def _closed(case: Case, a: int) -> str:
    """What is said of themes that a person ranked and may not join."""
    ranking = case.attendees[a].ranking
    closed = [theme for theme in ranking if not case.possible[a, case.theme_number[theme]]]
    tell = Teller(case.event)
    return "".join(f" {tell([Statement(Says.NOT_OPEN, theme)])}" for theme in closed)


class _Explainer:
    """Puts together what an attendee should read."""

    def __init__(self, case: Case) -> None:
        self.case, self.tell = case, Teller(case.event)
        self._as_high: dict[tuple[int, ...], Ints] = {}
        self._sentences: dict[tuple[Statement, ...], str] = {}
        self._full_reasons: dict[tuple[object, ...], Statement] = {}

    def say(self, *statements: Statement) -> str:
        """Statements in words; a crowd shares most sentences."""
        if statements not in self._sentences:
            self._sentences[statements] = self.tell(statements)
        return self._sentences[statements]

    def __call__(self, a: int, missed: list[int], lost: list[bool]) -> str:
        case = self.case
        got = [(r, int(t)) for r, t in enumerate(case.places[a]) if t != NONE]
        if any(t < 0 for _, t in got):
            return ""  # a theme that the event does not have: another check says so
        if not got:
            return self.say(Statement(Says.ABSENT))
        got.sort(key=lambda place: (case.pinned[a, place[0]] == NONE, self._place(a, place[1]), place[0]))
        said = [self.say(*(self._got(a, r, t) for r, t in got))]
        if case.change_cost and all(case.held[a, r] == t for r, t in got):
            said.append(self.say(Statement(Says.AS_PUBLISHED)))
        else:
            said += [self.say(self._why(a, t, by_lot)) for t, by_lot in zip(missed, lost, strict=True) if t != NONE]
        return " ".join(said)

    def _place(self, a: int, t: int) -> int:
        """Where a theme stands in a person's ranking; themes not ranked come last."""
        case = self.case
        return int(case.choice[a, t]) if case.ranked[a, t] else len(case.themes) + 1

    def _got(self, a: int, r: int, t: int) -> Statement:
        case = self.case
        if case.pinned[a, r] != NONE:
            return Statement(Says.EXPECTED, case.themes[t])
        if not case.ranked[a, t]:
            return Statement(Says.UNRANKED, case.themes[t])
        return Statement(Says.GOT, case.themes[t], int(case.choice[a, t]))

    def _why(self, a: int, t: int, by_lot: bool) -> Statement:
        """Why a person missed a theme, by the first of these that is true."""
        case, choice = self.case, int(self.case.choice[a, t])
        if by_lot:
            return Statement(Says.LOTTERY, case.themes[t], choice)
        key = (t, choice, case.present[a].tobytes())
        if key in self._full_reasons:
            return self._full_reasons[key]
        attended = np.flatnonzero(case.present[a] & (case.seats[t] > 0))
        if not len(attended):
            return Statement(Says.NOT_OFFERED, case.themes[t], choice)
        open_rounds = [int(r) for r in attended if case.fill[t, r] < case.seats[t, r]]
        seats = int(case.seats[t, attended].sum())
        if not open_rounds:
            others = self._ranked_as_high(t, choice, attended) - 1
            says = self._full(others, seats)
            self._full_reasons[key] = Statement(says, case.themes[t], choice, others=others, seats=seats)
            return self._full_reasons[key]
        found = [self._beside(a, t, r) for r in open_rounds]
        return min(found, key=lambda statement: statement.says in {Says.PINNED, Says.CLASH})

    def _full(self, others: int, seats: int) -> Says:
        if others >= seats:
            return Says.DEMAND
        return Says.NO_SWAP if self.case.allocation.optimal else Says.FULL

    def _ranked_as_high(self, t: int, choice: int, rounds: Ints) -> int:
        """How many who are there in one of these rounds ranked a theme at least so high."""
        case, key = self.case, (t, *rounds.tolist())
        if key not in self._as_high:
            there = case.present[:, rounds].any(axis=1) & case.ranked[:, t]
            self._as_high[key] = np.cumsum(np.bincount(case.choice[there, t], minlength=len(case.themes) + 1))
        return int(self._as_high[key][choice])

    def _beside(self, a: int, t: int, r: int) -> Statement:
        """Why a free seat of a theme in a round is not theirs."""
        case, instead = self.case, int(self.case.places[a, r])
        heads = self._heads_outside_after(int(case.type_of[a]), instead, t, r)
        gain, loss = int(case.cost[a, instead] - case.cost[a, t]), case.allocation.weight * heads
        if case.pinned[a, r] != NONE:
            says = Says.PINNED
        elif self._place(a, instead) < self._place(a, t):
            says = Says.CLASH
        elif case.fill[instead, r] <= case.minimum[instead, r]:
            says = Says.MINIMUM
        elif case.change_cost and case.held[a, r] == instead:
            says = Says.KEPT
        elif gain == loss == 0:
            says = Says.EQUAL
        else:
            says = Says.MIX if heads > 0 and loss >= gain else Says.NOT_FOUND
        names = (case.themes[t], int(case.choice[a, t]), case.rounds[r], case.themes[instead])
        return Statement(says, *names, heads=heads)

    def _heads_outside_after(self, g: int, leave: int, join: int, r: int) -> int:
        """How many more heads were outside the bands if a person of a type went from one workshop to another."""
        found, (lower, upper) = 0, self.case.band
        for t, step in ((leave, -1), (join, 1)):
            low, high, heads = (int(counts[t, r, g]) for counts in (lower, upper, self.case.heads))
            found += max(low - heads - step, heads + step - high, 0) - max(low - heads, heads - high, 0)
        return found
