"""What the report and the files of an allocation show, counted from the programmes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from functions.allocate.model.result import Allocation
from shared.attendees import Attendee, WishReader, mean_costs
from shared.models import Event


@dataclass(frozen=True)
class Facts:
    """An allocation with what it is about. `heads` are by theme, round and partner type."""

    event: Event
    attendees: Sequence[Attendee]
    allocation: Allocation
    heads: Counter[tuple[str, str, str]]

    @property
    def types(self) -> list[str]:
        """The partner types by id, in the order of the event."""
        return [partner_type.id for partner_type in self.event.partner_types]

    @property
    def type_titles(self) -> list[str]:
        """The partner types by title, in the same order."""
        return [partner_type.title for partner_type in self.event.partner_types]

    def fill(self, theme: str, slot: str) -> int:
        """Heads of a workshop."""
        return sum(self.heads[theme, slot, partner_type] for partner_type in self.types)

    def workshops(self) -> Iterator[tuple[str, str, int]]:
        """Theme, round and seats of every workshop on offer."""
        for theme in self.event.themes:
            for slot in self.event.rounds:
                if seats := self.event.seats(theme.id, slot.id):
                    yield theme.id, slot.id, seats

    @cached_property
    def present(self) -> Counter[tuple[str, str]]:
        """People present by round and partner type."""
        everybody = Counter(attendee.partner_type for attendee in self.attendees)
        absent = Counter((slot, a.partner_type) for a in self.attendees if a.absent for slot in a.absent)
        return Counter(
            {
                (slot.id, known): count - absent[slot.id, known]
                for slot in self.event.rounds
                for known, count in everybody.items()
            }
        )

    def band(self, theme: str, slot: str, partner_type: str) -> tuple[int, int]:
        """Fewest and most heads of a type that mirror the room."""
        present = self.present[slot, partner_type]
        return self.event.band(theme, slot, partner_type, present, Fraction(self.allocation.tolerance))

    @cached_property
    def _read(self) -> tuple[dict[str, list[int]], dict[str, int]]:
        """Choices and cost of everyone's workshops; rankings are read once."""
        wishes, programmes, nothing = WishReader(self.event), self.allocation.programmes, dict[str, str]()
        choices, costs = dict[str, list[int]](), dict[str, int]()
        for attendee in self.attendees:
            places, costs[attendee.id] = wishes.seats(attendee, programmes.get(attendee.id, nothing).values())
            choices[attendee.id] = sorted(places)
        return choices, costs

    @property
    def choices(self) -> dict[str, list[int]]:
        """Which choice each of everyone's workshops was, from 1, best first."""
        return self._read[0]

    @property
    def costs(self) -> dict[str, int]:
        """What everyone's programme costs by their ranking."""
        return self._read[1]

    @cached_property
    def cost_by_type(self) -> Mapping[str, tuple[int, float]]:
        """People and the mean cost of their programmes, by partner type."""
        return mean_costs((attendee.partner_type, self.costs[attendee.id]) for attendee in self.attendees)

    def title(self, theme: str) -> str:
        """A theme's title, shortened to what fits beside a picture."""
        title = self.event.theme(theme).title
        return title if len(title) <= 40 else title[:39].rstrip() + "…"

    def time(self, slot: str) -> str:
        """When a round starts."""
        return next(f"{known.start:%H:%M}" for known in self.event.rounds if known.id == slot)


def gather(event: Event, attendees: Sequence[Attendee], allocation: Allocation) -> Facts:
    """Count what the report shows."""
    return Facts(event, attendees, allocation, heads_of_types(attendees, allocation))


def heads_of_types(attendees: Sequence[Attendee], allocation: Allocation) -> Counter[tuple[str, str, str]]:
    """How many people of each partner type sit in each workshop, by theme, round and type."""
    kind_of = {attendee.id: attendee.partner_type for attendee in attendees}
    alike = Counter((kind_of[who], tuple(programme.items())) for who, programme in allocation.programmes.items())
    heads: Counter[tuple[str, str, str]] = Counter()
    for (kind, places), count in alike.items():  # of programmes there are few, whatever the crowd
        for slot, theme in places:
            heads[theme, slot, kind] += count
    return heads
