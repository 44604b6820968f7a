"""The five pages of an event: which fields and lists of rows each has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.i18n import Told, told
from shared.models import Theme

Kind = Literal["text", "word", "number", "moment", "time", "lines", "list", "numbers", "tick", "leaders"]

Values = dict[str, Any]
"""What the fields of a page hold: a text each, or a list of texts where a name was sent more than once."""


@dataclass(frozen=True, slots=True)
class Page:
    """One of the five pages: its title, its fields with what they hold, and its lists of rows."""

    title: Told
    fields: Mapping[str, Kind] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)


PAGES: dict[str, Page] = {
    "day": Page(
        told("The day and the place"),
        {
            "title": "text",
            "summary": "text",
            "language": "word",
            "languages": "list",
            "timezone": "word",
            "date": "word",
            "venue.name": "text",
            "venue.address": "text",
            "venue.directions": "text",
            "venue.map": "word",
            "price": "text",
            "held_in": "text",
            "contact": "word",
        },
        {
            "rounds": {"start": "time", "end": "time"},
            "agenda": {"start": "time", "end": "time", "title": "text", "speaker": "text", "round": "word"},
            "organisers": {"name": "text", "about": "text", "url": "word"},
        },
    ),
    "themes": Page(
        told("Workshops"), {}, {"themes": {"title": "text", "description": "text", "leaders": "leaders", "for": "list"}}
    ),
    "registration": Page(
        told("Registration and questions"),
        {
            "registration.opens": "moment",
            "registration.closes": "moment",
            "registration.capacity": "number",
            "registration.changes_until": "moment",
            "ranking.least": "number",
            "ranking.most": "number",
            "registration.organisation": "word",
            "labels.organisation": "text",
            "labels.partner_type": "text",
            "labels.partners": "text",
            "mail_texts.confirmation": "text",
            "mail_texts.programme": "text",
            "mail_texts.reminder": "text",
            "registration.confirm_after_hours": "number",
            "registration.confirm_within_hours": "number",
            "registration.per_source_hour": "number",
            "reminder_days": "numbers",
            "retention_days": "number",
            "feedback.url": "word",
            "feedback.send": "moment",
            "registration.groups": "tick",
        },
        {
            "partner_types": {"title": "text"},
            "questions": {
                "kind": "word",
                "label": "text",
                "purpose": "text",
                "options": "lines",
                "required": "tick",
                "sensitive": "tick",
            },
        },
    ),
    "allocation": Page(
        told("Allocation"),
        {
            "allocation.at": "moment",
            "allocation.publish": "word",
            "allocation.balance.weight": "number",
            "allocation.balance.tolerance": "word",
            "allocation.rank_costs": "numbers",
            "allocation.change_cost": "number",
            "allocation.most_gap": "word",
        },
    ),
    "access": Page(told("People with access"), {"organiser_emails": "lines", "door_emails": "lines"}),
}

PLACE = {"agenda": "line", "organisers": "organiser", "questions": "question", "partner_types": "type", "rounds": "r"}
"""How the id of a new row begins when its title makes none."""

MOST_ROWS = 400


def row_numbers(values: Values, rows: str) -> list[int]:
    """The numbers of the rows that fields belong to, in order."""
    found = {int(match[1]) for name in values if (match := re.match(rf"{rows}\[(\d{{1,3}})\]\.", name))}
    return sorted(found)[:MOST_ROWS]


def minimum_of(theme: Theme, slot: str) -> int:
    """What the file says of a round, offered or not."""
    return theme.minimum.get(slot, 0) if isinstance(theme.minimum, dict) else theme.minimum


def at_path(data: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `venue.name`; None where there is none."""
    found: Any = data
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found
