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
