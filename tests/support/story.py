"""Two people and one place, told chapter by chapter so that a fault can hit any moment of any chapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.events import put_event
from shared.models import Registration
from shared.registrations import read_registration, register, withdraw
from shared.table import Table
from shared.tokens import Keys
from shared.waiting_list import accept_offer
from tests.support.crash_points import Snapshot
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import Clock, FakeSes, Sent, rows
from tests.support.mail_pipeline import Road

HOUR = timedelta(hours=1)
ONE_PLACE = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 1}
EVENT = make_event(registration=ONE_PLACE, reminder_days=[1])
REMINDING = datetime.fromisoformat("2026-04-15T07:01:00+00:00")


def _person(table: Table, name: str) -> Registration:
    found = read_registration(table, EVENT.id, name)
    assert found is not None
    return found


def _enter(table: Table, name: str, number: int) -> None:
    register(table, EVENT, make_registration(number=number, id=name), now=NOW)


CHAPTERS: list[tuple[datetime, Callable[[Table], object], list[str]]] = [
    (NOW, lambda table: _enter(table, "ann", 1), ["confirmation#ann"]),
    (NOW + HOUR, lambda table: _enter(table, "bob", 2), ["waiting-list#bob"]),
    (
        NOW + 2 * HOUR,
        lambda table: withdraw(table, _person(table, "ann"), now=NOW + 2 * HOUR),
        ["withdrawn#ann", "place-offered#bob#1"],
    ),
    (
        NOW + 3 * HOUR,
        lambda table: accept_offer(table, EVENT, _person(table, "bob"), now=NOW + 3 * HOUR),
        ["confirmation#bob#offer-1"],
    ),
    (REMINDING, lambda _: None, [f"reminder#bob#{EVENT.date:%Y%m%d}-1"]),  # the clock does it
]
"""When, what happens, which mails it brings."""


class Chapter:
    """One chapter, to be told again and again from where the one before it ended, each time with other faults."""

    def __init__(
        self, story: Story, at: datetime, happens: Callable[[Table], object], mails: list[str], sent: list[Sent]
    ) -> None:
        self.mails = mails
        self._story, self._at, self._happens, self._sent = story, at, happens, sent
        self._begin = Snapshot()
        self.moments = 0
        self.told_with()

    def told_with(self, *moments: int) -> tuple[Road, list[str]]:
        """The road at the end of the chapter, and the crashes at those of these moments that came."""
        self._begin.restore()
        table = self._story.table
        road = Road(table, self._story.keys, EVENT.id, Clock(self._at), ses=FakeSes(sent=list(self._sent)))
        road.told, road.seen = len(self._sent), rows(EVENT.id)
        self._happens(table)
        with road.open(), road.faults.at(moments) as faults:
            road.run()
        self.moments = self.moments or faults.moments
        return road, faults.crashed


class Story:
    """Everything that can bring a mail but a publication: registering, waiting, leaving, an offer, a reminder."""

    def __init__(self, table: Table, keys: Keys) -> None:
        self.table, self.keys = table, keys
        put_event(table, EVENT, actor="test", now=NOW)

    def chapters(self) -> Iterator[Chapter]:
        """The chapters in their order; each begins where the one before ends when nothing fails."""
        mails: list[str] = []
        sent: list[Sent] = []
        for at, happens, brings in CHAPTERS:
            mails = sorted([*mails, *brings])
            chapter = Chapter(self, at, happens, mails, sent)
            yield chapter
            road, _ = chapter.told_with()
            sent = road.ses.sent
