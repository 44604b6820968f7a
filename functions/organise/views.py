"""Pages for organisers: their templates, and the words and numbers that several of them share."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from markupsafe import Markup

from functions.organise.dashboard import TABS, fill_label
from shared.errors import NotSignedInError, ParcoursError
from shared.models import Event, Mail, Registration, Run
from shared.models import moment as moment_of
from shared.pages import PAGES, environment
from shared.reasons import in_words, ordinal

STATES = {
    "confirmed": "Registered",
    "waiting": "Waiting",
    "offered": "Place offered",
    "withdrawn": "Withdrawn",
}

RUN_STATES = {
    "requested": "About to start",
    "running": "Under way",
    "draft": "Draft",
    "published": "Published",
    "superseded": "Published before",
    "failed": "Failed",
}

MAIL_STATES = {
    "held": "On hold",
    "pending": "On its way",
    "sending": "Being sent",
    "sent": "Sent",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "bounced": "Came back",
}

ACTS = {
    "add-person": "added",
    "correct": "corrected",
    "pin": "changed the pins of",
    "mark-absent": "changed the absences of",
    "check-in": "checked in",
    "undo-check-in": "undid the check-in of",
    "withdraw": "withdrew",
    "erase": "erased",
    "send-again": "sent mail again to",
    "sign-in": "signed in",
    "sign-out": "signed out",
    "put-event": "put the event file",
    "retire-event": "retired the event",
    "request-allocation": "asked for an allocation",
    "publish": "published",
    "hold-mail": "put mail on hold",
    "release-mail": "let mail go",
}


def render(template: str, **facts: Any) -> str:
    """A page as HTML."""
    return _pages.get_template(template).render(**facts)


def render_error(request: APIGatewayProxyEventV2, error: ParcoursError) -> str:  # noqa: ARG001
    """The page that says what went wrong and what to do; the sign-in form for who is not signed in."""
    if isinstance(error, NotSignedInError):
        return render("sign_in.html", notice=error.message)
    return render("problem.html", error=error, linked=False)


LABELS = {
    "name": ("name", "Full name"),
    "email": ("email", "Email"),
    "organisation": ("organisation", "Organisation"),
    "partner_type": ("partner_type", "Kind of organisation"),
    "choices": ("choices", "Ranking"),
    "pinned": ("pinned", "Rounds"),
    "absent": ("pinned", "Rounds"),
    "answers": ("answers", "Answers"),
    "sure": ("sure", "Erase"),
    "csv": ("csv", "File"),
    "weight": ("weight", "Weight of the mix"),
    "tolerance": ("tolerance", "Tolerance of the mix"),
    "seed": ("seed", "Seed of the lottery"),
}
"""Fields by the names that faults have: where on the page they stand, and what they are called there."""


def counted(number: int, one: str, several: str = "") -> str:
    """1 mail, 2 mails; 1 person, 2 people."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def local(stored: str, event: Event) -> str:
    """A stored moment as an organiser reads it: in the event's zone."""
    return moment_of(stored).astimezone(event.zone).strftime("%-d %b %Y, %H:%M") if stored else ""


def short_moment(when: datetime) -> str:
    """A moment in a table."""
    return when.strftime("%-d %b %Y, %H:%M")


def satisfaction(event: Event, run: Run) -> list[dict[str, Any]]:
    """Seats by choice, in numbers and percent; ranks nobody got stand too."""
    counts: Mapping[str, int] = run.result.get("satisfaction") or {}
    total = sum(counts.values())
    return [
        {
            "choice": ordinal(rank + 1),
            "seats": counts.get(str(rank + 1), 0),
            "percent": round(100 * counts.get(str(rank + 1), 0) / total) if total else 0,
        }
        for rank in range(len(event.themes))
    ]


def curve_points(curve: Sequence[Mapping[str, Any]], width: int = 440, height: int = 200) -> list[dict[str, Any]]:
    """Where the points of the curve of balance stand: right is more heads out of balance, up is better choices.

    Weights that come to the same stand at one point.
    """
    at: dict[tuple[float, float], list[int]] = {}
    for one in curve:
        at.setdefault((float(one["outside"]), float(one["mean_choice"])), []).append(int(one["weight"]))
    if not at:
        return []
    most = max(outside for outside, _ in at) or 1.0
    best = min(mean for _, mean in at)
    spread = max(mean for _, mean in at) - best or 1.0
    return [
        {
            "weights": weights,
            "x": round(60 + (width - 120) * outside / most, 1),
            "y": round(50 + (height - 90) * (mean - best) / spread, 1),
            "anchor": "middle" if most / 8 < outside < most * 7 / 8 else "start" if outside <= most / 8 else "end",
        }
        for (outside, mean), weights in at.items()
    ]


def bar(value: float, most: float, kind: str = "") -> Markup:
    """A bar beside a number. It says nothing the number does not, so it is hidden from screen readers."""
    length = 0 if most <= 0 or math.isnan(value) else max(0.0, min(100.0, 100 * value / most))
    return Markup(
        '<svg class="bar {kind}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="10"/><rect class="fill" width="{length}" height="10"/></svg>'
    ).format(kind=kind, length=f"{length:.1f}")


def stack(parts: Sequence[int], most: int) -> Markup:
    """A bar of several parts, each with its own tone and a gap between; the numbers stand in the table beside it."""
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


def theme_title(event: Event, theme_id: str) -> str:
    """A theme's title, or its id if the file no longer has it."""
    return next((theme.title for theme in event.themes if theme.id == theme_id), theme_id)


def answer_words(value: str | bool) -> str:
    """An answer as it is read."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def mail_words(mail: Mail) -> str:
    """Where a mail stands, in words."""
    return MAIL_STATES["bounced"] if mail.bounced else MAIL_STATES[mail.state.value]


def state_words(person: Registration) -> str:
    """Where a person stands, in words."""
    if person.checked_in_at:
        return "Checked in"
    return STATES[person.state.value]


_pages = environment(PAGES / "organise")
_pages.globals |= {
    "tabs": TABS,
    "states": STATES,
    "run_states": RUN_STATES,
    "mail_states": MAIL_STATES,
    "acts": ACTS,
    "labels": LABELS,
    "counted": counted,
    "bar": bar,
    "stack": stack,
    "fill_label": fill_label,
    "theme_title": theme_title,
    "ordinal": ordinal,
    "in_words": in_words,
    "satisfaction": satisfaction,
    "curve_points": curve_points,
    "local": local,
    "mail_words": mail_words,
    "state_words": state_words,
    "answer_words": answer_words,
}
_pages.filters |= {"short_moment": short_moment, "quoted": shlex.quote}
