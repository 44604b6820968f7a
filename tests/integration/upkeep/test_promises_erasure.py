"""P10: what is erased, or kept no longer, stands nowhere: table, queue, dead letters, exports, pages, logs.

Twenty people with words in everything they type that nobody else has, through everything the system does with them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register
from functions.register import web as register_web
from shared.events import put_event
from shared.registrations import read_state, registrations_of
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event
from tests.support.fake_ses import Clock, naming, personal_rows, ses_event
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import CONTEXT, Client

CANARY = re.compile(r"(?i)xylo\d\d")
QUESTIONS = [
    {"id": "diet", "kind": "text", "label": "Diet", "purpose": "For lunch", "sensitive": True},
    {"id": "note", "kind": "text", "label": "Note", "purpose": "For us"},
]
EXPORTS = ["people.csv", "people.xlsx", "programmes.csv", "programmes.xlsx", "audit.csv", "audit.xlsx", "PEOPLE.csv"]
PAGES = ["", "/people", "/mails", "/door", "/sheets", "/badges", "/audit", "/workshops/vision/first"]


def form(number: int) -> dict[str, Any]:
    """What one canary sends."""
    word = f"Xylo{number:02d}"
    return {
        "name": f"{word} Quark",
        "email": f"{word.lower()}@example.net",
        "organisation": f"{word} Works",
        "partner_type": "ngo",
        "choices": ["vision", "governance", "resources", "wildlife"],
        "answers": {"diet": f"no nuts for {word}", "note": f"{word} comes by train"},
    }


class Day:
    """The functions around one event that is over, allocated, mailed, bounced, checked in."""

    def __init__(
        self, people: int, table: Table, keys: Keys, road: Road, organise: ModuleType, allocate: ModuleType
    ) -> None:
        self.people, self.table, self.keys, self.road = people, table, keys, road
        self.event = make_event(questions=QUESTIONS, retention_days=30, reminder_days=[1])
        put_event(table, self.event, actor="organiser@example.org", now=NOW)
        self.web = Web(register.handler)
        self.organiser = Client(organise, table, keys)
        self.allocate = allocate
        self._register()
        self._allocate()
        self._live()

    def _register(self) -> None:
        address = "/events/nature/registrations"
        for number in range(self.people):
            filled = form(number)
            headers = {"Idempotency-Key": f"xylo{number:02d}"}
            assert self.web.post(address, filled, headers=headers).status == 202
            assert self.web.post(address, filled).status == 202  # sends the own link again
            if number < 3:
                assert self.web.post(address, filled, headers=headers).status == 202  # answered before
                assert self.web.post("/events/nature/links", {"email": filled["email"]}).status == 202
        self.road.run()
        self.ids = {one.email: one.id for one in registrations_of(self.table, "nature")}
        assert len(self.ids) == self.people

    def _allocate(self) -> None:
        self.road.clock.now = self.event.allocates_at + timedelta(minutes=1)
        self.allocate.work_through(self.road.clock.now)
        self.road.run()
        assert read_state(self.table, "nature").published_run == 1

    def _live(self) -> None:
        """The day passes, mail bounces, messages are parked, an organiser corrects everybody."""
        for sent in list(self.road.ses.sent[:3]):
            self.road.feedback.handler(ses_event("Bounce", sent, bounceType="Permanent"), CONTEXT)
        self.road.parked += naming("nature", *(f"confirmation#{one}" for one in self.ids.values()))
        self.road.clock.now = self.event.starts_at - timedelta(hours=12)
        self.road.run()  # everybody is reminded
        self.road.clock.now = self.event.ends_at + timedelta(minutes=1)
        self.road.run()
        self.organiser.sign_in(self.event)
        for number, one in enumerate(self.ids.values()):
            change = {"organisation": f"Xylo{number:02d} Ltd"}
            assert self.organiser.patch(f"/organise/nature/people/{one}", change).status == 200

    def link(self, one: str) -> str:
        return f"/r/{sign_link(self.keys, 'nature', one, 1)}"

    def stores(self, log: pytest.LogCaptureFixture) -> dict[str, str]:
        """Everything that is kept, as text."""
        found = {
            "table": personal_rows(),
            "queue": str(self.road.queue),
            "dead letters": str(self.road.parked),
            "stream": str(self.road.stream),
            "logs": "\n".join(f"{one.getMessage()} {vars(one)}" for one in log.records if one.name in {"test", "root"}),
            "metrics": str(self.road.measured),
        }
        for name in EXPORTS:
            content = self.organiser.page(f"/organise/nature/{name}").content
            found[name] = unpacked(content) if name.endswith("xlsx") else content.decode()
        for page in PAGES:
            found[f"page {page}"] = self.organiser.page(f"/organise/nature{page}").text
        return found


def unpacked(book: bytes) -> str:
    """The texts of an XLSX file."""
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        return "\n".join(parts.read(name).decode() for name in parts.namelist())


def hits(stores: dict[str, str]) -> dict[str, list[str]]:
    """In which stores which canaries stand."""
    return {name: sorted(set(CANARY.findall(text))) for name, text in stores.items() if CANARY.search(text)}


@pytest.fixture
def day(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Day]:
    """The whole day, lived by as many people as the test asks for."""
    from functions.allocate import app as allocate
    from functions.organise import app as organise

    road = Road(table, keys, "nature", Clock(NOW))
    for app in (register_web, organise, allocate):
        monkeypatch.setattr(app, "table", table)
        monkeypatch.setattr(app, "clock", road.clock, raising=False)
    for app in (register_web, organise):
        monkeypatch.setattr(app, "keys", keys)
    monkeypatch.setattr(organise, "PATIENCE", 0.0)
    with road.open():
        yield Day(request.param, table, keys, road, organise, allocate)


@pytest.mark.parametrize("day", [20], indirect=True)
def test_who_is_erased_stands_nowhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    """By the own link or by an organiser; and a redrive of old messages brings nobody back."""
    before = hits(day.stores(caplog))
    assert {"table", "people.csv", "people.xlsx", "page /people"} <= before.keys()  # the search finds
    assert not before.keys() & {"logs", "queue", "dead letters", "metrics"}  # where no canary ever stood
    kinds: dict[str, set[str]] = {}
    for sent in day.road.ses.sent:
        kinds.setdefault(sent.to, set()).add(sent.tags["kind"])
    expected = {"confirmation", "already-registered", "programme", "reminder"}
    assert [to for to in day.ids if kinds[to] != expected] == []  # all of these are there to be erased
    told = len(day.road.ses.sent)

    for number, one in enumerate(day.ids.values()):
        if number % 2:
            assert day.web.post(f"{day.link(one)}/erasure").status == 200
        else:
            erased = day.organiser.submit(f"/organise/nature/people/{one}/erasure", {"sure": "yes"})
            assert erased.status == 303
    day.road.run()
    day.road.redrive()
    day.road.run()

    assert hits(day.stores(caplog)) == {}
    last = [sent for sent in day.road.ses.sent[told:] if sent.to in day.ids]  # the organiser was sent a link, too
    assert sorted((sent.to, sent.tags["kind"]) for sent in last) == sorted((to, "erased") for to in day.ids)


@pytest.mark.parametrize("day", [6], indirect=True)
def test_when_the_retention_ends_nobody_stands_anywhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    """By itself, without a mail; sensitive answers go sooner, the counts stay."""
    told = len(day.road.ses.sent)
    day.road.clock.now = day.event.ends_at + timedelta(days=7, minutes=1)
    day.road.run()
    assert "no nuts" not in personal_rows()

    day.road.clock.now = day.event.retained_until + timedelta(minutes=1)
    day.road.run()
    assert len(day.road.ses.sent) == told

    day.organiser.sign_in(day.event)  # the old session has run out
    assert hits(day.stores(caplog)) == {}
    summary = day.table.get("EVENT#nature", "SUMMARY")
    assert summary is not None
    assert summary["states"] == {"confirmed": day.people}
