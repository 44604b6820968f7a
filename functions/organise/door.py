"""The day itself: door lists by workshop, sheets and badges for paper, and checking in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from functions.organise.people import matches
from shared.errors import NotFoundError
from shared.models import Event, Registration, RegistrationState, Round, Theme
from shared.registrations import registrations_of
from shared.runs import programmes_of
from shared.state import read_state
from shared.table import Table

MOST_FOUND = 30
"""People shown for a search at the door; more than fit a phone means: type more."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A person who is expected, and where they go in each round."""

    person: Registration
    workshops: dict[str, str]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A theme in a round, its room, and who is expected."""

    theme: Theme
    round: Round
    room: str
    seats: int
    guests: list[Guest]


def guests(table: Table, event: Event) -> list[Guest]:
    """Everyone confirmed, by name."""
    shown = programmes_of(table, event.id, read_state(table, event.id).published_run)
    expected = (one for one in registrations_of(table, event.id) if one.state is RegistrationState.CONFIRMED)
    found = [Guest(one, shown[one.id].workshops if one.id in shown else {}) for one in expected]
    return sorted(found, key=lambda guest: (guest.person.name.casefold(), guest.person.id))


def search(expected: list[Guest], words: str) -> list[Guest]:
    """Those whom these words mean; nobody for no words."""
    return [guest for guest in expected if matches(guest.person, words)] if words.strip() else []


def workshops(event: Event, expected: list[Guest]) -> Iterator[Workshop]:
    """Every workshop offered, round by round, with who is expected there."""
    for slot in event.rounds:
        for theme in event.themes:
            if event.seats(theme.id, slot.id):
                yield workshop(event, expected, theme.id, slot.id)


def workshop(event: Event, expected: list[Guest], theme_id: str, round_id: str) -> Workshop:
    """One workshop with who is expected there. Raises NotFoundError."""
    themes = {theme.id: theme for theme in event.themes}
    rounds = {slot.id: slot for slot in event.rounds}
    if theme_id not in themes or round_id not in rounds:
        raise NotFoundError("There is no such workshop at this event.")
    there = [guest for guest in expected if guest.workshops.get(round_id) == theme_id]
    room, seats = event.room(theme_id, round_id), event.seats(theme_id, round_id)
    return Workshop(themes[theme_id], rounds[round_id], room, seats, there)


def as_shown(found: Workshop) -> dict[str, Any]:
    """A workshop's door list as programs read it."""
    return {
        "theme": found.theme.id,
        "round": found.round.id,
        "room": found.room,
        "seats": found.seats,
        "people": [guest_shown(guest) for guest in found.guests],
    }


def guest_shown(guest: Guest) -> dict[str, Any]:
    """What the door needs of a person: no address, no answers."""
    one = guest.person
    return {
        "id": one.id,
        "name": one.name,
        "organisation": one.organisation,
        "workshops": guest.workshops,
        "checked_in_at": one.checked_in_at,
    }
