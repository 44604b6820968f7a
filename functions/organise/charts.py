"""Bars, shares and the curve of balance: the pictures beside the numbers of organisers' pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from shared.i18n import Told, told, told_many, told_together
from shared.models import Event, Run
from shared.reasons import ToldOrdinal

FILLING, FULL = 75, 100
"""Percent from which an event or a workshop is labelled as filling, and as full."""


def fill_label(taken: int, places: int) -> Told:
    """How full an event or a workshop is, in words."""
    if taken * 100 >= places * FULL:
        return told("Full")
    return told("Filling") if taken * 100 >= places * FILLING else told("Places free")


def percent(part: int, whole: int) -> int:
    """A share in percent, rounded to the nearest whole number; 0 of nothing."""
    return (200 * part + whole) // (2 * whole) if whole else 0


def shares(parts: Sequence[int]) -> list[int]:
    """Each part's share of all in percent, rounded so that together they are 100; zeros of nothing."""
    total = sum(parts)
    if not total:
        return [0] * len(parts)
    found = [100 * part // total for part in parts]
    largest_rest = sorted(range(len(parts)), key=lambda n: -(100 * parts[n] % total))
    for n in largest_rest[: 100 - sum(found)]:
        found[n] += 1
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """Seats that went to people's first, second, … choice, and their share of all seats in percent."""

    choice: Told
    seats: int
    percent: int


def satisfaction(event: Event, run: Run) -> list[Share]:
    """Seats by choice; a choice that nobody got is listed with 0."""
    counts: Mapping[str, int] = run.result.get("satisfaction") or {}
    seats = [counts.get(str(rank), 0) for rank in range(1, len(event.themes) + 1)]
    rounded = zip(seats, shares([*seats, sum(counts.values()) - sum(seats)]), strict=False)
    return [Share(ToldOrdinal(rank), number, share) for rank, (number, share) in enumerate(rounded, start=1)]


def result_words(event: Event, run: Run) -> list[Told]:
    """What came out of an allocation, in sentences: how many seats are early choices, the latest choice, the mix.

    The first choices are as many as there are rounds: more of them nobody can have.
    """
    shares = [share for share in satisfaction(event, run) if share.choice]
    total = sum(share.seats for share in shares)
    if not total:
        return []
    first = shares[: len(event.rounds)]
    early = percent(sum(share.seats for share in first), total)
    words = [told("%(percent)s %% of seats are a %(choices)s choice.", percent=early, choices=_or(first))]
    late = [share for share in shares[len(first) :] if share.seats]
    if not late:
        words.append(told("Nobody got a later choice."))
    elif len(shares) > len(first):
        worst = late[-1]
        last = worst is shares[-1]  # themes that a person did not rank count as the last choice
        words.append(
            told_many(
                "%(num)s seat is a %(choice)s choice, or a theme that its person did not rank.",
                "%(num)s seats are a %(choice)s choice, or a theme that its person did not rank.",
                worst.seats,
                choice=worst.choice,
            )
            if last
            else told_many(
                "The latest choice that anybody got is the %(choice)s, with %(num)s seat.",
                "The latest choice that anybody got is the %(choice)s, with %(num)s seats.",
                worst.seats,
                choice=worst.choice,
            )
        )
    objective, weight = run.result.get("objective") or {}, run.result.get("weight")
    if weight and objective and len(event.partner_types) > 1:
        outside = objective["balance"] // weight
        words.append(
            told_many(
                "Over all workshops %(num)s head is too many or too few of a kind.",
                "Over all workshops %(num)s heads are too many or too few of a kind.",
                outside,
            )
            if outside
            else told("Every workshop mirrors the mix of the room.")
        )
    return words


def _or(shares: Sequence[Share]) -> Told:
    names = [share.choice for share in shares]
    if len(names) == 1:
        return names[0]
    return told("%(some)s or %(last)s", some=told_together(names[:-1], ", "), last=names[-1])


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the curve of balance in the units of its picture, and the weights that lead to it.

    `proven` says that no better allocation exists for any of them.
    """

    weights: list[int]
    x: float
    y: float
    anchor: str
    proven: bool = True


def curve_points(curve: Sequence[Mapping[str, Any]], width: int = 440, height: int = 200) -> list[CurvePoint]:
    """Where the points of the curve of balance stand: right is more heads out of balance, up is better choices.

    Weights that lead to the same allocation share a point.
    """
    at: dict[tuple[float, float], list[int]] = {}
    unproven = {int(point["weight"]) for point in curve if not point.get("proven", True)}
    for point in curve:
        at.setdefault((float(point["outside"]), float(point["mean_choice"])), []).append(int(point["weight"]))
    if not at:
        return []
    most = max(outside for outside, _ in at) or 1.0
    best = min(mean for _, mean in at)
    spread = max(mean for _, mean in at) - best or 1.0
    return [
        CurvePoint(
            weights,
            x=round(60 + (width - 120) * outside / most, 1),
            y=round(50 + (height - 90) * (mean - best) / spread, 1),
            anchor="middle" if most / 8 < outside < most * 7 / 8 else "start" if outside <= most / 8 else "end",
            proven=unproven.isdisjoint(weights),
        )
        for (outside, mean), weights in at.items()
    ]


def bar(value: float, most: float, style: str = "") -> Markup:
    """A bar beside a number. It shows nothing that the number does not say, so screen readers skip it."""
    length = 0 if most <= 0 or math.isnan(value) else max(0.0, min(100.0, 100 * value / most))
    return Markup(
        '<svg class="bar {style}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="10"/><rect class="fill" width="{length}" height="10"/></svg>'
    ).format(style=style, length=f"{length:.1f}")


def stack(parts: Sequence[int], most: int) -> Markup:
    """A bar of several parts, each with its own tone and a gap between; the table beside it holds the numbers."""
    pieces, start = [], 0.0
    for number, part in enumerate(parts):
        length = 100 * part / most if most else 0
        piece = Markup('<rect class="tone{n}" x="{x}" width="{w}" height="10"/>')
        pieces.append(piece.format(n=number % 6, x=f"{start:.2f}", w=f"{max(0.0, length - 0.6):.2f}"))
        start += length
    return Markup(
        '<svg class="bar stack" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="10"/>{pieces}</svg>'
    ).format(pieces=Markup("").join(pieces))
