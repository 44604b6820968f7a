"""One workshop is called off: its seats are 0 from then on, and a draft gives its people other seats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.organise import drafts, event_files
from functions.organise.allocator import Allocator
from shared.errors import CANCELLED, ConflictError, NotFoundError, StaleError
from shared.event_file import as_data
from shared.i18n import told, told_many
from shared.models import Event, Round, Run, Theme
from shared.registrations import registrations_of
from shared.runs import Wish
from shared.state import allocated, read_state
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Workshop:
    """A workshop that may be called off, how many people have a seat in it, and whether programmes are published.

    `left` are the seats of the other workshops in its round, `places` those that they must suffice for: the places that
    the event names, else the people who have one, who are `taken`.
    """

    theme: Theme
    round: Round
    people: int
    published: bool
    left: int
    places: int
    taken: int

    @property
    def missing(self) -> int:
        """The seats that the other workshops need in addition before this one can be called off."""
        return max(0, self.places - self.left)


def find_workshop(table: Table, event: Event, theme_id: str, round_id: str) -> Workshop:
    """A workshop that is offered, or has lost its seats and has people in it still. Raises NotFoundError."""
    theme = next((theme for theme in event.themes if theme.id == theme_id), None)
    slot = next((slot for slot in event.rounds if slot.id == round_id), None)
    gone = NotFoundError(told("There is no such workshop, or it is called off already."))
    if theme is None or slot is None:
        raise gone
    state = read_state(table, event.id)
    run = state.published_run
    programmes = allocated(table, event.id, run)
    here = [person.id for person in registrations_of(table, event.id) if person.takes_part]
    people = sum(programmes.get(one, {}).get(round_id) == theme_id for one in here)
    if not people and not event.seats(theme_id, round_id):
        raise gone
    left = sum(event.seats(other.id, round_id) for other in event.themes if other.id != theme_id)
    places = event.registration.capacity or state.confirmed
    return Workshop(theme, slot, people, published=run > 0, left=left, places=places, taken=state.confirmed)


def call_off(
    table: Table, event: Event, workshop: Workshop, expected: int, allocator: Allocator, *, actor: str, now: datetime
) -> Run | None:
    """Take the seats of a workshop out of the event file and, once programmes are published, ask for a draft.

    The draft keeps what it can; publishing it tells exactly the people whose programme changes. A fault in between
    leaves the overview saying that people sit in a workshop without seats; the same act once more asks for the draft.

    Raises StaleError when another number of people is in it by now, ConflictError or InvalidError when the event file
    cannot lose these seats.
    """
    if event.cancelled or now >= event.on_the_day(workshop.round.start):
        raise ConflictError(CANCELLED if event.cancelled else told("This workshop has begun, or is over."))
    if expected != workshop.people:
        raise StaleError(
            told_many(
                "%(num)s person is in this workshop by now. Read this page again and confirm.",
                "%(num)s people are in this workshop by now. Read this page again and confirm.",
                workshop.people,
            )
        )
    seats = {**event.capacities.get(workshop.theme.id, {}), workshop.round.id: 0}
    data = {**as_data(event), "capacities": {**event.capacities, workshop.theme.id: seats}}
    if event.seats(workshop.theme.id, workshop.round.id):
        event_files.put_data(table, event, data, actor=actor, now=now)
    if not workshop.published:
        return None
    after = event.model_copy(update={"capacities": data["capacities"]})
    return drafts.start(table, after, Wish(mode="keep"), allocator, actor=actor, now=now)
