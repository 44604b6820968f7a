"""Two allocations of the same people side by side: who moved, who gains, who loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.attendees import Attendee, WishReader
from shared.i18n import told, told_many
from shared.models import Event

Programmes = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one allocation to another.

    `moved` lists the attendees who are in both and whose workshops differ; `gained` and `lost` say by how many ranks,
    all rounds added, they are better or worse off. `newcomers` are in the second only, `gone` in the first only.
    """

    moved: list[str]
    gained: dict[str, int]
    lost: dict[str, int]
    newcomers: list[str]
    gone: list[str]

    def __str__(self) -> str:
        better, worse = (sum(one in steps for one in self.moved) for steps in (self.gained, self.lost))
        alike = len(self.moved) - better - worse
        moved = (
            told(
                "%(moved)s moved (%(better)s to better choices, %(worse)s to worse, %(alike)s to equal ones)",
                moved=len(self.moved),
                better=better,
                worse=worse,
                alike=alike,
            )
            if self.moved
            else told("%(moved)s moved", moved=0)
        )
        newcomers = told_many("%(num)s newcomer", "%(num)s newcomers", len(self.newcomers))
        return told("%(moved)s, %(newcomers)s, %(gone)s gone", moved=moved, newcomers=newcomers, gone=len(self.gone))


def compare(before: Programmes, after: Programmes, attendees: Sequence[Attendee], event: Event) -> Comparison:
    """Compare two allocations by attendee and round; a theme that a person did not rank counts as their last."""
    wishes = WishReader(event)

    def ranks(attendee: Attendee, programmes: Programmes) -> int:
        return sum(map(wishes.of(attendee).place, programmes[attendee.id].values()))

    both = [one for one in attendees if one.id in before and one.id in after]
    gain = {one.id: ranks(one, before) - ranks(one, after) for one in both}
    return Comparison(
        moved=[one.id for one in both if dict(before[one.id]) != dict(after[one.id])],
        gained={one: step for one, step in gain.items() if step > 0},
        lost={one: -step for one, step in gain.items() if step < 0},
        newcomers=sorted(after.keys() - before.keys()),
        gone=sorted(before.keys() - after.keys()),
    )
