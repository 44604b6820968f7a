"""The day itself: door lists by workshop, sheets and badges for paper, and checking in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from functions.organise.people import Correction
from functions.organise.search import matches
from functions.organise.sessions import Role
from shared.errors import ForbiddenError, NotFoundError
from shared.i18n import told
from shared.models import Event, Registration, RegistrationState, Round, Theme
from shared.registrations import registrations_of
from shared.runs import programmes_of
from shared.state import read_state
from shared.table import Table
from shared.text import by_family_name

MOST_FOUND = 30
"""People shown for a search at the door, about as many as are worth scrolling through on a phone."""


PROGRAMMES_A_PAGE = 600
"""Programmes on one page, a hundred sheets of paper."""

BADGES_A_PAGE = 300
"""Badges that are drawn at once: a code takes 10 to 20 ms, and a request has 28 s."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A person who is expected, and their theme in each round."""

    person: Registration
    workshops: dict[str, str]


@dataclass(frozen=True, slots=True)
class DoorList:
    """A workshop (a theme in a round), its room, its seats, and the people expected there."""

    theme: Theme
    round: Round
    room: str
    seats: int
    guests: list[Guest]


def guests(table: Table, event: Event) -> list[Guest]:
    """Everyone confirmed, by family name."""
    shown = programmes_of(table, event.id, read_state(table, event.id).published_run)
    expected = (person for person in registrations_of(table, event.id) if person.state is RegistrationState.CONFIRMED)
    found = [Guest(person, shown[person.id].workshops if person.id in shown else {}) for person in expected]
    return sorted(found, key=lambda guest: (*by_family_name(guest.person.name), guest.person.id))


def search(expected: list[Guest], words: str) -> list[Guest]:
    """The guests whose name, organisation, id or domain these words match; nobody when there are no words.

    Helpers at the door see no addresses, so they cannot try them out either.
    """
    return [guest for guest in expected if matches(guest.person, words, address=False)] if words.strip() else []


def workshops(event: Event, expected: list[Guest]) -> Iterator[DoorList]:
    """The door list of every workshop offered, round by round."""
    for slot in event.rounds:
        for theme in event.themes:
            if event.seats(theme.id, slot.id):
                yield workshop(event, expected, theme.id, slot.id)


def workshop(event: Event, expected: list[Guest], theme_id: str, round_id: str) -> DoorList:
    """The door list of a workshop. Raises NotFoundError."""
    themes = {theme.id: theme for theme in event.themes}
    rounds = {slot.id: slot for slot in event.rounds}
    if theme_id not in themes or round_id not in rounds:
        raise NotFoundError(told("There is no such workshop at this event."))
    there = [guest for guest in expected if guest.workshops.get(round_id) == theme_id]
    room, seats = event.room(theme_id, round_id), event.seats(theme_id, round_id)
    return DoorList(themes[theme_id], rounds[round_id], room, seats, there)


def as_shown(found: DoorList) -> dict[str, Any]:
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
    return {
        **person_shown(guest.person),
        "organisation": guest.person.organisation,
        "workshops": guest.workshops,
    }


def person_shown(person: Registration) -> dict[str, Any]:
    """A person after a check-in, as programs at the door read them."""
    return {"id": person.id, "name": person.name, "checked_in_at": person.checked_in_at}


def refuse_beyond_check_in(role: Role, wanted: Correction) -> None:
    """Raise ForbiddenError when a helper at the door asks for more than checking in and undoing it."""
    if role is Role.DOOR and wanted.model_fields_set - {"checked_in", "revision"}:
        raise ForbiddenError(told("You help at the door of this event: you may check people in and undo it."))
