"""Makers of the things tests speak of; what a test does not name has a plausible value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.event_file import check_event
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import new_id

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""Registration of `make_event` is open at this moment."""


def event_data(**changes: Any) -> dict[str, Any]:
    """The data of a valid event file: four themes, two rounds, three partner types."""
    themes = ("vision", "governance", "resources", "wildlife")
    return {
        "id": "nature",
        "title": "Nature connectivity",
        "summary": "A day on connecting nature.",
        "language": "en",
        "languages": ["en", "nl", "fr"],
        "timezone": "Europe/Brussels",
        "date": "2026-04-16",
        "venue": {"name": "Conscience building", "address": "Koning Albert II-laan 15", "directions": "Walk."},
        "organisers": [{"name": "Life B4B", "about": "A project", "url": "https://example.org/b4b"}],
        "contact": "contact@example.org",
        "price": "free",
        "agenda": [
            {"start": "09:00", "end": "09:30", "title": "Coffee"},
            {"start": "13:00", "end": "14:15", "title": "Workshops, first round", "round": "first"},
            {"start": "14:20", "end": "15:35", "title": "Workshops, second round", "round": "second"},
            {"start": "15:40", "end": "16:00", "title": "Wrap-up"},
        ],
        "themes": [
            {"id": one, "title": one.title(), "description": f"About {one}.", "capacity": 10, "rooms": f"Room {one}"}
            for one in themes
        ],
        "rounds": [
            {"id": "first", "start": "13:00", "end": "14:15"},
            {"id": "second", "start": "14:20", "end": "15:35"},
        ],
        "partner_types": [{"id": one, "title": one.title()} for one in ("government", "ngo", "research")],
        "registration": {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"},
        "allocation": {"at": "2026-04-01 12:00", "seed": "a seed"},
        "organiser_emails": ["organiser@example.org"],
        **changes,
    }


def full_event_data(**changes: Any) -> dict[str, Any]:
    """An event file with every key that a page has a field for."""
    data = event_data(
        **{"held_in": "English", "labels": {"partner_type": "Class", "organisation": "School", "partners": "classes"}},
        **{"mail_texts": {"confirmation": "Boots.", "programme": "Lunch.\n\nBread.", "reminder": "Back door."}},
        **{"ranking": {"least": 2, "most": 3}, "reminder_days": [7, 1], "retention_days": 30},
        feedback={"url": "https://example.org/form", "send": "2026-04-17T10:00:00"},
        registration={
            **{"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "changes_until": "2026-04-10 12:00"},
            **{"capacity": 30, "per_source_hour": 400, "confirm_after_hours": 12, "confirm_within_hours": 36},
            **{"organisation": "not_asked", "groups": True},
        },
        allocation={
            **{"at": "2026-04-01 12:00", "rank_costs": [0, 1, 4, 9], "change_cost": 5, "publish": "after_review"},
            **{"balance": {"weight": 3, "tolerance": 0.5}, "most_gap": 0.1, "seed": "a seed"},
        },
        door_emails=["door@example.org"],
        questions=[
            {"id": "bus", "kind": "choice", "label": "Bus?", "purpose": "Seats.", "options": ["yes", "no"]},
            {"id": "diet", "kind": "text", "label": "Diet", "required": True, "sensitive": True},
        ],
        **changes,
    )
    data["venue"]["map"] = "https://example.org/map"
    data["agenda"][0]["speaker"] = "Toon"
    data["themes"][0] |= {
        "minimum": {"first": 4, "second": 2},
        "leaders": [
            {"name": "Lea Peeters", "email": "lea@example.org"},
            {"name": "Peeters, Jan (Dr.)", "email": "jan@example.org", "rounds": ["second", "first"]},
        ],
    }
    data["themes"][1] |= {"minimum": 3, "for": ["ngo", "research"], "rooms": ["Attic", "Cellar"]}
    data["capacities"] = {"wildlife": {"first": 0}}
    return data


def make_event(**changes: Any) -> Event:
    """A valid event; `changes` replace top-level keys of the file."""
    return check_event(event_data(**changes))


def make_registration(**changes: Any) -> Registration:
    """A valid registration for `make_event`, confirmed."""
    number = changes.pop("number", 1)
    return Registration.model_validate(
        {
            "event": "nature",
            "id": new_id(),
            "state": RegistrationState.CONFIRMED,
            "name": f"Person {number}",
            "email": f"person{number}@example.org",
            "organisation": "An organisation",
            "partner_type": "ngo",
            "choices": ["vision", "governance", "resources", "wildlife"],
            "created_at": utc(NOW),
            "updated_at": utc(NOW),
            **changes,
        }
    )
