"""The pictures of the report, as SVG: plain numbers in, markup out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from functions.allocate.curve import Point
from infra.words import amount, language, say
from shared.i18n import told
from shared.reasons import ordinal

LABELS = 330
"""Width for the names of workshops, of 960."""

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a6d00", "#5c5c8a")
"""Okabe and Ito's palette, which colour-blind readers tell apart, without its yellow and black."""

_STROKES = (
    "",
    '<path d="M-1 1l2-2M0 8l8-8M7 9l2-2" stroke="#fff" stroke-width="2"/>',
    '<circle cx="4" cy="4" r="1.7" fill="#fff"/>',
    '<path d="M0 4h8" stroke="#fff" stroke-width="2"/>',
    '<path d="M-1 7l2 2M0 0l8 8M7-1l2 2" stroke="#fff" stroke-width="2"/>',
    '<path d="M4 0v8" stroke="#fff" stroke-width="2"/>',
    '<path d="M0 4h8M4 0v8" stroke="#fff" stroke-width="1.5"/>',
    '<path d="M0 0l8 8M8 0l-8 8" stroke="#fff" stroke-width="1.2"/>',
)


def mix_cell(heads: int, band: tuple[int, int], most: int, x: float, y: float, column: float) -> str:
    """The band of a workshop and type, with the heads as a mark in or beside it."""
    scale = (column - 56) / most
    low, high = band
    at = x + 14 + heads * scale
    mark = (
        f'<circle cx="{at:.1f}" cy="{y + 12}" r="4.5" fill="var(--ink)"/>'
        if low <= heads <= high
        else f'<path d="M{at:.1f} {y + 5.5}l6.5 6.5-6.5 6.5-6.5-6.5z" fill="var(--paper)" stroke="var(--ink)" '
        'stroke-width="2"/>'
    )
    return (
        f'<rect x="{x + 14 + low * scale:.1f}" y="{y + 6}" width="{max((high - low) * scale, 2):.1f}" height="12" '
        f'rx="2" fill="var(--band)"/>{mark}<text class="end soft" x="{x + column - 8:.1f}" y="{y + 16}">{heads}</text>'
    )


def bars(title: str, counts: Sequence[tuple[int, int]]) -> str:
    """A bar for each choice with its count."""
    total, most = sum(n for _, n in counts), max((n for _, n in counts), default=1)
    rows = []
    for row, (choice, count) in enumerate(counts):
        y = row * 28
        rows.append(
            f'<text class=end x="78" y="{y + 19}">{ordinal(choice, language())}</text>'
            f'<rect x="88" y="{y + 4}" height="20" rx="2" '
            f'width="{max(220 * count / most, 1):.1f}" fill="var(--strong)"/><text x="{96 + 220 * count / most:.1f}" '
            f'y="{y + 19}">{count:,} <tspan class=soft>({share(count, total)})</tspan></text>'
        )
    return f"<div><p><strong>{title}</strong></p>{figure(rows, 440, max(len(counts) * 28, 10), title)}</div>"


def curve_picture(points: Sequence[Point], used: int) -> str:
    """The curve; weights with the same outcome share a mark, a square where one of them is not proven to be the best.

    Names stand above and below in turn: marks may touch.
    """
    far = max(*(p["outside"] for p in points), 1)
    low, high = min(p["mean_choice"] for p in points), max(p["mean_choice"] for p in points)
    flat = f"{low:.2f}" == f"{high:.2f}"
    marks: dict[tuple[float, float], list[int]] = {}
    unproven = {point["weight"] for point in points if not point["proven"]}
    for point in points:
        down = 0.5 if flat else (high - point["mean_choice"]) / (high - low)
        marks.setdefault((50 + 340 * point["outside"] / far, 44 + 166 * down), []).append(point["weight"])
    levels = [(127, high)] if flat else [(44, high), (210, low)]
    rows = [
        '<path d="M50 30V220H410" fill="none" stroke="var(--line)"/>',
        f'<text class=soft x="8" y="16">{say(told("mean choice"))}</text><text class="mid soft" x="230" y="256">'
        f"{say(told('heads outside their bands'))}</text>",
        *(f'<text class=end x="36" y="{y + 4}">{amount(choice, 2)}</text>' for y, choice in levels),
        f'<text class=mid x="390" y="238">{int(far)}</text><text class=mid x="50" y="238">0</text>',
        '<path d="M' + " L".join(f"{x:.1f} {y:.1f}" for x, y in marks) + '" fill="none" stroke="var(--strong)" '
        'stroke-width="2"/>',
    ]
    for number, ((x, y), weights) in enumerate(marks.items()):
        size, fill = (7, "var(--paper)") if used in weights else (4, "var(--strong)")
        named = str(weights[0]) if len(weights) == 1 else f"{weights[0]}–{weights[-1]}"
        look = f'fill="{fill}" stroke="var(--strong)" stroke-width="2.5"'
        mark = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {look}/>'
            if unproven.isdisjoint(weights)
            else f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size}" height="{2 * size}" {look}/>'
        )
        rows.append(f'{mark}<text x="{x + 8:.1f}" y="{y + (20 if number % 2 else -11):.1f}">{named}</text>')
    return figure(rows, 440, 264, say(told("Mean choice against heads outside, by weight; the ring is this run")))


def legend(titles: Sequence[str]) -> str:
    """The partner types with their patterns."""
    entries = "".join(
        f'<li><svg viewBox="0 0 16 16" aria-hidden="true"><rect width="16" height="16" fill="url(#type-{g})"/></svg>'
        f"{escape(title)}</li>"
        for g, title in enumerate(titles)
    )
    return f"<ul class=legend>{entries}</ul>"


def patterns(count: int) -> str:
    """A pattern for each of so many partner types."""
    patterns = "".join(
        f'<pattern id="type-{g}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" '
        f'fill="{_COLOURS[g % len(_COLOURS)]}"/>{_STROKES[(g + g // len(_STROKES)) % len(_STROKES)]}</pattern>'
        for g in range(count)
    )
    return f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{patterns}</defs></svg>'


def figure(rows: Sequence[str], width: int, height: int, title: str) -> str:
    """A picture of this size in units of its own, with its title for those who cannot see it."""
    wide = f' style="min-width:{width * 4 // 5}px"' if width > 500 else ""  # else a phone would shrink its words away
    return (
        f'<figure class=scroll{" tabindex=0" if wide else ""}><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}"{wide}>{"".join(rows)}</svg></figure>'
    )


def lines_of(title: str, fits: int) -> list[str]:
    """A title broken after a word where it is too long, and cut where three lines are not enough."""
    return textwrap.wrap(title, max(fits, 4), max_lines=3, placeholder="…", break_long_words=False)


def share(part: int, whole: int) -> str:
    """A part in per cent."""
    return f"{100 * part / whole:.0f} %" if whole else "–"
