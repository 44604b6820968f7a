"""A whole day of an event in one process: people register, are allocated, mailed, reminded, bounced, corrected.

Everything a person types holds a word that nobody else has, so that a test can look where it stands.
"""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register
from shared.events import put_event
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event
from tests.support.fake_ses import naming, personal_rows, ses_event
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import CONTEXT, Client

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
        for one in self.ids.values():
            assert self.web.post(f"{self.link(one)}/confirmation").status == 200

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
        self._import()
        text = {"group": "confirmed", "subject": "Thank you", "body": "See you.", "expected_mails": self.people - 3}
        assert self.organiser.post("/organise/nature/messages", text).status == 202
        self.road.run()
        for number, one in enumerate(self.ids.values()):
            change = {"organisation": f"Xylo{number:02d} Ltd"}
            assert self.organiser.patch(f"/organise/nature/people/{one}", change).status == 200

    def _import(self) -> None:
        """A list in which nothing is new, with a column that the organiser named."""
        one = next(registrations_of(self.table, "nature"))
        text = f"Wie,email,partner_type\n{one.name},{one.email},{one.partner_type}\n"
        fields = {"csv": text, "columns": {"Wie": "name"}}
        shown = self.organiser.post("/organise/nature/people/import", fields)
        done = self.organiser.post("/organise/nature/people/import", {**fields, "expected": shown.json["expected"]})
        assert (shown.status, done.status) == (200, 200), (shown.text, done.text)

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
