"""The day itself: door lists by workshop, sheets and badges for paper, checking in, and who was in each workshop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.organise.people import find_person, published_programme
from functions.organise.person_fields import Correction
from functions.organise.search import matches
from functions.organise.seats import Freeing, not_come, what_to_free
from functions.organise.sessions import Role
from shared.acts import Act
from shared.confirmation import as_confirmed
from shared.errors import ConflictError, ForbiddenError, NotFoundError, StaleError
from shared.events import audit
from shared.i18n import told
from shared.models import Event, Registration, RegistrationState, Round, Theme, utc
from shared.registrations import in_family_order, on_paper, registrations_of, save
from shared.runs import programmes_of
from shared.state import read_state
from shared.table import Table

TRIES = 3
"""How often a mark is tried on what another helper stored meanwhile."""

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

    def has(self, guest: Guest) -> bool:
        """Whether a helper saw this guest here."""
        return guest.person.attended.get(self.round.id) == self.theme.id

    @property
    def present(self) -> int:
        """How many of the guests a helper saw here."""
        return sum(map(self.has, self.guests))


def guests(table: Table, event: Event) -> list[Guest]:
    """Everyone with a place, by family name."""
    return at_the_door(table, event).expected


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """The people who may come to the door, by family name.

    `expected` are confirmed, and `on_paper` those of them whom no mail reaches; `no_shows` did not come before their
    seats were freed, and `freeing` says what could be freed now, None where nothing could.
    """

    expected: list[Guest]
    on_paper: list[Guest]
    no_shows: list[Guest]
    freeing: Freeing | None


def at_the_door(table: Table, event: Event, now: datetime | None = None) -> AtTheDoor:
    """Read everyone who may come to the door; without a time nobody is missing."""
    shown = programmes_of(table, event.id, read_state(table, event.id).published_run)
    people = sorted(registrations_of(table, event.id), key=in_family_order)
    expected = [
        Guest(person, shown[person.id].workshops if person.id in shown else {})
        for person in people
        if person.state is RegistrationState.CONFIRMED
    ]
    without = {person.id for person in on_paper(people)}
    paper = [guest for guest in expected if guest.person.id in without]
    no_shows = [Guest(person, {}) for person in people if person.state is RegistrationState.NO_SHOW]
    missing = not_come(event, people, now) if now else []
    return AtTheDoor(expected, paper, no_shows, what_to_free(event, missing, shown, now) if now and missing else None)


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
        "present": found.present,
        "people": [{**guest_shown(guest), "present": found.has(guest)} for guest in found.guests],
    }


def guest_shown(guest: Guest) -> dict[str, Any]:
    """What the door needs of a person: no address, no answers."""
    return {
        **person_shown(guest.person),
        "state": guest.person.state.value,
        "organisation": guest.person.organisation,
        "workshops": guest.workshops,
    }


def person_shown(person: Registration) -> dict[str, Any]:
    """A person after a check-in, as programs at the door read them."""
    return {"id": person.id, "name": person.name, "checked_in_at": person.checked_in_at}


def mark_present(
    table: Table, event: Event, found: DoorList, person_id: str, *, present: bool, actor: str, now: datetime
) -> Registration:
    """Mark a person present in a workshop of their published programme, or undo it; pressing twice is pressing once.

    A person in a workshop is at the day: they are checked in too, if they are not yet. Undoing leaves the check-in.
    Raises NotFoundError, ConflictError when the person is not expected there, StaleError when the person is being
    changed by others at this moment.
    """
    for _ in range(TRIES):
        person = find_person(table, event, person_id)
        programme = published_programme(table, event, person)
        here = programme is not None and programme.workshops.get(found.round.id) == found.theme.id
        if present and not (here and person.state is RegistrationState.CONFIRMED):
            raise ConflictError(
                told(
                    "This person is not expected in %(title)s at %(hour)s.",
                    title=found.theme.title,
                    hour=f"{found.round.start:%H:%M}",
                )
            )
        if present == (person.attended.get(found.round.id) == found.theme.id):
            return person
        attended = {slot: theme for slot, theme in person.attended.items() if slot != found.round.id}
        attended |= {found.round.id: found.theme.id} if present else {}
        changes: dict[str, Any] = {"attended": attended}
        if present and not person.checked_in_at:
            changes["checked_in_at"] = utc(now)
            person = as_confirmed(person, now)
        act = Act.MARK_PRESENT if present else Act.UNDO_PRESENT
        line = audit(event.id, actor, act, now=now, about=person.id, what=f"{found.theme.id} in {found.round.id}")
        try:
            saved = save(table, person, changes, now=now, extra=[line])
        except StaleError:  # another helper was at the same person: both marks count
            continue
        act.counted()
        return saved
    raise StaleError(told("This person is being changed by others. Press again."))


def attendance(event: Event, people: Iterable[Registration]) -> list[tuple[Round, int]]:
    """How many people were seen in the workshops of each round; nothing when attendance is not taken."""
    seen = Counter(slot for person in people for slot in person.attended)
    return [(slot, seen[slot.id]) for slot in event.rounds] if seen else []


def refuse_beyond_check_in(role: Role, wanted: Correction) -> None:
    """Raise ForbiddenError when a helper at the door asks for more than checking in and undoing it."""
    if role is Role.DOOR and wanted.model_fields_set - {"checked_in", "revision"}:
        raise ForbiddenError(told("You help at the door of this event: you may check people in and undo it."))
