"""What the allocator is asked: attendees without a name, what is wrong with them, and the digest of the question.

Files and registrations become the same attendees here, so that the same question has the same digest and the same
faults wherever it comes from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Literal

from shared.i18n import Told, told
from shared.models import Event, Registration

Mode = Literal["fresh", "keep"]


class BadInputError(ValueError):
    """The attendees or the previous programmes do not fit the event; `faults` names every mistake by attendee."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{who}: {message}" if who else message for who, message in faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person as the allocator sees them.

    `ranking` lists theme ids, best first. `absent` holds round ids, `pinned` maps a round to the theme that a
    facilitator is bound to, `excluded` holds the themes that organisers ruled out for this person.
    """

    id: str
    partner_type: str
    ranking: tuple[str, ...]
    absent: Collection[str] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)
    excluded: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What each theme is to a person.

    `ranked` lists the themes they ranked and may join, best first, and `possible` counts the themes they may join.
    """

    ranked: tuple[str, ...]
    possible: int
    rank_costs: tuple[int, ...]

    def place(self, theme: str) -> int:
        """Which choice a theme is, from 1; a theme that is not ranked stands in the last place."""
        return self.ranked.index(theme) + 1 if theme in self.ranked else self.possible

    def cost(self, theme: str) -> int:
        """What a seat in a theme costs."""
        if theme in self.ranked:
            return self.rank_costs[self.ranked.index(theme)]
        return unranked_cost(self.rank_costs, len(self.ranked), self.possible)


class WishReader:
    """Reads rankings in the one way that the allocator, the reports, the drafts and the verifier use.

    A theme that is not open to a person's partner type, or that organisers ruled out for them, has no place in their
    ranking: the next one moves up. Themes that are not ranked stand last and cost what `unranked_cost` says.
    """

    def __init__(self, event: Event) -> None:
        self._rank_costs, self._themes = event.rank_costs, len(event.themes)
        self._open = {
            kind.id: [theme.id for theme in event.themes if theme.is_open_to(kind.id)] for kind in event.partner_types
        }

    def possible(self, partner_type: str, excluded: Collection[str] = ()) -> list[str]:
        """The themes that a person may join, in the order of the event; none for an unknown partner type."""
        return [theme for theme in self._open.get(partner_type, ()) if theme not in excluded]

    def __call__(self, partner_type: str, ranking: Sequence[str], excluded: Collection[str] = ()) -> Wishes:
        """What the themes are to a person."""
        if not excluded and len(ranking) == self._themes == len(self._open.get(partner_type, ())):
            return Wishes(tuple(ranking), self._themes, self._rank_costs)  # nearly everybody, and nothing to sift
        possible = self.possible(partner_type, excluded)
        ranked = [theme for theme in ranking if theme in possible]
        if len(ranked) == len(possible) - 1:  # a single theme left over can only be the last choice
            ranked += [theme for theme in possible if theme not in ranked]
        return Wishes(tuple(ranked), len(possible), self._rank_costs)

    def seats(self, attendee: Attendee, themes: Iterable[str]) -> tuple[list[int], int]:
        """Which choices seats in these themes are to an attendee, and what they cost together."""
        ranking = attendee.ranking
        whole = len(ranking) == self._themes == len(self._open.get(attendee.partner_type, ()))
        if whole and not attendee.excluded:  # as `__call__` says, for nearly everybody
            places = [ranking.index(theme) for theme in themes]
            return [place + 1 for place in places], sum([self._rank_costs[place] for place in places])
        mine, wanted = self.of(attendee), list(themes)
        return list(map(mine.place, wanted)), sum(map(mine.cost, wanted))

    def of(self, attendee: Attendee) -> Wishes:
        """What the themes are to an attendee."""
        return self(attendee.partner_type, attendee.ranking, attendee.excluded)


def unranked_cost(rank_costs: Sequence[int], ranked: int, possible: int) -> int:
    """What a theme costs that a person may join and did not rank: the first of the places they left empty.

    Leaving a theme out says nothing against it, so it counts as the next choice. A dearer rule lets a short ranking
    claim that everything else would be a disaster: with the last place, ranking two of eight helped 56 % of those who
    tried it and hurt nobody; with the mean of the places left, ranking three of eight still helped 39 % and hurt 1 %.
    With this rule it helped nobody (`python -m tests.benchmarks.manipulation`, docs/allocation.md).

    Parameters
    ----------
    rank_costs
        The cost of each place, best first.
    ranked, possible
        How many themes the person ranked, and how many they may join.
    """
    return rank_costs[ranked] if ranked < possible else 0


def mean_costs(people: Iterable[tuple[str, int]]) -> dict[str, tuple[int, float]]:
    """How many people of each partner type there are, and what their programmes cost on average.

    Parameters
    ----------
    people
        Partner type and cost of each person's programme; types come out by name.
    """
    costs: dict[str, list[int]] = {}
    for partner_type, cost in people:
        costs.setdefault(partner_type, []).append(cost)
    return {known: (len(found), sum(found) / len(found)) for known, found in sorted(costs.items())}


def attendees(event: Event, people: Sequence[Registration]) -> list[Attendee]:
    """The registrations as the allocator knows them: without a name, and not ruled out of themes that are gone."""
    themes = {theme.id for theme in event.themes}
    return [
        Attendee(
            id=one.id,
            partner_type=one.partner_type,
            ranking=tuple(one.choices),
            absent=frozenset(one.absent),
            pinned=dict(one.pinned),
            excluded=themes.intersection(one.excluded),
        )
        for one in people
    ]


def input_faults(
    event: Event, attendees: Sequence[Attendee], previous: Mapping[str, Mapping[str, str]] | None
) -> Iterator[tuple[str, Told]]:
    """Yield every mistake as (attendee id, message)."""
    themes = {theme.id for theme in event.themes}
    rounds = {slot.id for slot in event.rounds}
    types = {kind.id for kind in event.partner_types}
    closed = closed_themes(event)
    seen: set[str] = set()
    for attendee in attendees:
        if attendee.id in seen:
            yield attendee.id, told("this id appears twice")
        seen.add(attendee.id)
        if _is_plain(attendee, themes, types):
            continue
        for message in attendee_faults(attendee, themes, rounds, types, closed):
            yield attendee.id, message
    for who, programme in (previous or {}).items():
        if who in seen:
            for message in programme_faults(programme, themes, rounds):
                yield who, message


def _is_plain(attendee: Attendee, themes: set[str], types: set[str]) -> bool:
    """Whether nothing can be wrong with an attendee: nearly everybody, and no further look is needed."""
    ranked = set(attendee.ranking)
    return bool(
        attendee.id
        and attendee.partner_type in types
        and len(ranked) == len(attendee.ranking)
        and ranked <= themes
        and not (attendee.absent or attendee.pinned or attendee.excluded)
    )


def closed_themes(event: Event) -> dict[str, set[str]]:
    """The themes that each partner type may not join."""
    return {
        kind.id: {theme.id for theme in event.themes if not theme.is_open_to(kind.id)} for kind in event.partner_types
    }


def attendee_faults(
    attendee: Attendee, themes: set[str], rounds: set[str], types: set[str], closed: Mapping[str, set[str]]
) -> Iterator[Told]:
    """Yield what is wrong with one attendee. `closed` are the themes that each partner type may not join."""
    if not attendee.id:
        yield told("the id is empty")
    if attendee.partner_type not in types:
        yield told("%(name)s is no partner type of the event", name=repr(attendee.partner_type))
    if len(set(attendee.ranking)) != len(attendee.ranking):
        repeated = sorted({theme for theme in attendee.ranking if attendee.ranking.count(theme) > 1})
        yield told("ranks %(themes)s more than once", themes=", ".join(map(repr, repeated)))
    for theme in attendee.ranking:
        if theme not in themes:
            yield told("%(name)s is no theme of the event", name=repr(theme))
    for slot in attendee.absent:
        if slot not in rounds:
            yield told("absent in %(slot)s, which is no round of the event", slot=repr(slot))
    for theme in attendee.excluded:
        if theme not in themes:
            yield told("excluded: %(theme)s is no theme of the event", theme=repr(theme))
    yield from _pin_faults(attendee, themes, rounds, closed)


def _pin_faults(
    attendee: Attendee, themes: set[str], rounds: set[str], closed: Mapping[str, set[str]]
) -> Iterator[Told]:
    for slot, theme in attendee.pinned.items():
        if slot in attendee.absent:
            yield told("absent in %(slot)s and pinned there", slot=repr(slot))
        if theme in attendee.excluded:
            yield told("excluded from %(theme)s and pinned there", theme=repr(theme))
        elif theme in closed.get(attendee.partner_type, ()):
            yield told(
                "pinned to %(theme)s, which is not open to the partner type %(type)s",
                theme=repr(theme),
                type=repr(attendee.partner_type),
            )
    for message in programme_faults(attendee.pinned, themes, rounds):
        yield told("pinned: %(words)s", words=message)


def programme_faults(programme: Mapping[str, str], themes: set[str], rounds: set[str]) -> Iterator[Told]:
    """Yield what makes a programme, or part of one, impossible at this event."""
    for slot, theme in programme.items():
        if slot not in rounds:
            yield told("%(name)s is no round of the event", name=repr(slot))
        if theme not in themes:
            yield told("%(name)s is no theme of the event", name=repr(theme))
    if len(set(programme.values())) != len(programme):
        yield told("the same theme in two rounds")


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
    digest = hashlib.sha256()
    for line in question(event, attendees, mode, seed, weight, tolerance, previous):
        digest.update(line)
    return digest.hexdigest()


def question(
    event: Event,
    attendees: Sequence[Attendee],
    mode: Mode,
    seed: str,
    weight: int | None = None,
    tolerance: Fraction | None = None,
    previous: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[bytes]:
    """The lines that `input_digest` is the digest of: the event, then each attendee in order of id."""
    yield _canonical(_event_facts(event, mode, seed, weight, tolerance))
    held: Mapping[str, Mapping[str, str]] = (previous or {}) if mode == "keep" else {}
    text = lru_cache(maxsize=1_000)(encode_basestring)  # themes and types come again and again
    for a in sorted(attendees, key=lambda attendee: attendee.id):
        if not (a.absent or a.pinned or a.excluded or a.id in held):  # the same text, for nearly everybody
            ranking = ",".join(map(text, a.ranking))
            yield f"[{encode_basestring(a.id)},{text(a.partner_type)},[{ranking}],[],{{}},[],{{}}]\n".encode()
            continue
        before = dict(held.get(a.id, {}))
        excluded = sorted(a.excluded)
        yield _canonical([a.id, a.partner_type, a.ranking, sorted(a.absent), dict(a.pinned), excluded, before])


def _event_facts(
    event: Event, mode: Mode, seed: str, weight: int | None, tolerance: Fraction | None
) -> dict[str, object]:
    rounds = sorted(slot.id for slot in event.rounds)
    return {
        "event": event.id,
        "mode": mode,
        "seed": seed,
        "rounds": rounds,
        "themes": [
            [t.id, sorted(t.open_to), [[event.seats(t.id, r), event.minimum(t.id, r)] for r in rounds]]
            for t in sorted(event.themes, key=lambda theme: theme.id)
        ],
        "partner_types": sorted(kind.id for kind in event.partner_types),
        "rank_costs": list(event.rank_costs),
        "weight": event.allocation.balance.weight if weight is None else weight,
        "tolerance": str(event.tolerance if tolerance is None else tolerance),
        "change_cost": event.allocation.change_cost if mode == "keep" else None,
    }


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _canonical(value: object) -> bytes:
    return _CANONICAL.encode(value).encode() + b"\n"
