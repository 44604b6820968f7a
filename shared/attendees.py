"""What the allocator is asked: attendees without a name, what is wrong with them, and the digest of the question.

Files and registrations become the same attendees here, so that the same question has the same digest and the same
faults wherever it comes from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

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

    `ranking` lists theme ids, best first; themes left out all count as the last rank. `absent` holds round ids,
    `pinned` maps a round to the theme that a facilitator is bound to.
    """

    id: str
    partner_type: str
    ranking: tuple[str, ...]
    absent: Collection[str] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)


def attendees(people: Sequence[Registration]) -> list[Attendee]:
    """The registrations as the allocator knows them: without a name."""
    return [
        Attendee(
            id=one.id,
            partner_type=one.partner_type,
            ranking=tuple(one.choices),
            absent=frozenset(one.absent),
            pinned=dict(one.pinned),
        )
        for one in people
    ]


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
