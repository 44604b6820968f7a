"""What anybody may know of a published allocation: figures, proof and lots, and nothing of who is registered."""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import Any

from shared.models import Event, Programme, Run
from shared.pages import asset
from shared.registrations import registrations_of
from shared.runs import programmes_of, read_run
from shared.table import Table

LEAST_SHOWN = 5
"""Fewer people than this in a cell are not told: they could be recognised."""

MOST_KEPT = 8
"""Published runs that are kept in memory; they change only when a person is erased."""

Heads = Counter[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Counted:
    """Heads by theme, round and partner type, and everybody's lot, the best first."""

    heads: Heads
    lots: tuple[str, ...]


_kept: dict[tuple[str, int], Counted] = {}


def lot_of(seed: str, registration: str) -> str:
    """HMAC-SHA256(seed, id) in hexadecimal, as `printf %s ID | openssl dgst -sha256 -hmac SEED` prints it."""
    return hmac.new(seed.encode(), registration.encode(), hashlib.sha256).hexdigest()


def counted(table: Table, event: Event, run: Run) -> Counted:
    """Count a published run."""
    key = (event.id, run.number)
    if key not in _kept:
        types = {person.id: person.partner_type for person in registrations_of(table, event.id)}
        programmes = programmes_of(table, event.id, run.number)
        heads: Heads = Counter(
            (theme, slot, types.get(registration, ""))
            for registration, programme in programmes.items()
            for slot, theme in programme.workshops.items()
        )
        if len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = Counted(heads, tuple(sorted(lot_of(run.seed, registration) for registration in programmes)))
    return _kept[key]


def public_allocation(event: Event, run: Run, found: Counted) -> dict[str, Any]:
    """A published run as anybody may see it.

    Counts below `LEAST_SHOWN` are None, and so is what would give them away.
    """
    told = ("objective", "bound", "optimal", "draw", "prices", "price_scale", "engine", "weight", "tolerance")
    workshops = [
        _workshop(event, theme.id, slot.id, found.heads)
        for slot in event.rounds
        for theme in event.themes
        if event.seats(theme.id, slot.id)
    ]
    choices = run.result.get("satisfaction", {})
    return {
        "event": event.id,
        "run": run.number,
        "mode": run.mode,
        "published_at": run.published_at,
        "people": run.people,
        "seats_by_choice": {choice: _shown(seats) for choice, seats in choices.items()},
        "workshops": workshops,
        **{key: run.result[key] for key in told if key in run.result},
        "seed": run.seed,
        "input_digest": run.input_digest or run.result.get("input_digest", ""),
        "lots": list(found.lots),
        "verifier": asset("draw.js"),
    }


def own_lot(table: Table, event: Event, programme: Programme | None) -> dict[str, Any]:
    """What a person needs to check their lot: number, lot, its place among all, seed. Empty without a programme."""
    run = read_run(table, event.id, programme.run) if programme else None
    if programme is None or run is None or not run.seed:
        return {}
    lot, lots = lot_of(run.seed, programme.registration), counted(table, event, run).lots
    place = bisect_left(lots, lot) + 1
    return {"number": programme.registration, "lot": lot, "place": place, "of": len(lots), "seed": run.seed}


def _shown(count: int) -> int | None:
    return count if count >= LEAST_SHOWN or not count else None


def _workshop(event: Event, theme: str, slot: str, heads: Heads) -> dict[str, Any]:
    """Seats, heads and mix of a workshop. A single hidden part would follow from the whole: then the next is hidden."""
    parts = {known.id: heads[theme, slot, known.id] for known in event.partner_types}
    total = sum(parts.values())
    shown = {known: _shown(count) for known, count in parts.items()}
    hidden = [known for known, count in shown.items() if count is None]
    rest = sorted((count, known) for known, count in parts.items() if known not in hidden and count)
    if len(hidden) == 1 and rest:
        shown[rest[0][1]] = None
    return {
        "theme": theme,
        "round": slot,
        "seats": event.seats(theme, slot),
        "heads": _shown(total),
        "mix": shown,
    }
