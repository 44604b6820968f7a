"""docs/told.md: what changes, who is told, by which mail, under which SEQUENCE; made of what really happens.

`TOLD=write .venv/bin/python -m pytest tests/integration/organise/test_told_table.py` writes the page anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from functions.register import app as register_app
from functions.register import web
from functions.register.given_up import give_up
from shared.cancellation import cancel_day, undo_cancellation
from shared.edition import day_facts, facts_since
from shared.errors import ConflictError
from shared.events import put_event, read_event
from shared.mails import mails_of, send
from shared.messages import store_message
from shared.models import Event, Mail, Message, Registration, RegistrationState, RunState, utc
from shared.publication import WRITER_LEASE, owed_mails, publish, write_programme_mails
from shared.registrations import read_registration, registrations_of, withdraw
from shared.runs import (
    Wish,
    claim_run,
    finish_run,
    input_now,
    programmes_of,
    read_run,
    request_run,
    store_programmes,
)
from shared.state import read_state
from shared.table import STATE_SK, Table, event_pk, run_sk, update
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.crash_points import Crash, Faults, Snapshot
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.mail_samples import FIRST, SECOND, Letters, entry_of
from tests.support.organiser_client import fill

pytestmark = pytest.mark.promise("P18")

PAGE = Path(__file__).parents[3] / "docs" / "told.md"

HEAD = """\
# Who is told of what

<!-- Made by tests/integration/organise/test_told_table.py from what happens there; change it there. -->

Six people: Ann and Bo have the first workshop of Governance, Cas and Dirk have others, Eva waits, Fay has withdrawn. Bo
and Cas read Dutch, the others English. One publication, run 1, told the first four their programmes. SEQUENCE is that
of Ann's calendar entry, and of the first mail that the change causes. A change of what is printed of the day counts one
at once, for the calendar file of the own page, and the publication that tells it one more.

| what changes | who is told | mail | SEQUENCE |
|---|---|---|---|
"""

NAMES = {"a1": "Ann", "a2": "Bo", "a3": "Cas", "a4": "Dirk", "a5": "Eva", "a6": "Fay"}
PROGRAMMES = {
    "a1": FIRST,
    "a2": {"first": "governance", "second": "resources"},
    "a3": {"first": "wildlife", "second": "vision"},
    "a4": {"first": "resources", "second": "vision"},
}


@dataclass
class World:
    """The people of the table, at one moment from which every row begins."""

    table: Table
    keys: Keys
    event: Event
    road: Road
    letters: Letters

    def person(self, number: str) -> Registration:
        found = read_registration(self.table, "nature", number)
        assert found
        return found

    def sequence_on_the_own_page(self, number: str) -> str:
        link = sign_link(self.keys, "nature", number, 1)
        return sequence(Web(register_app.handler).visit(f"/r/{link}/programme.ics").body)

    def change(self, **changes: Any) -> list[Mail]:
        """Change the event file, and publish a run that keeps every programme."""
        event = make_event(**{**FILE, **changes})
        put_event(self.table, event, actor="o", now=NOW)
        return self.rerun(PROGRAMMES, event)

    def rerun(self, programmes: dict[str, dict[str, str]], event: Event | None = None) -> list[Mail]:
        """Publish another run, its mails written."""
        event = event or self.event
        before = programmes_of(self.table, "nature", 1)
        told = read_run(self.table, "nature", 1)
        self.letters.publish(2, programmes, before=1)
        people = list(registrations_of(self.table, "nature"))
        owed = owed_mails(people, before, programmes_of(self.table, "nature", 2), facts_since(told, event))
        for person, kind in owed:
            self.table.write(send(kind, "nature", person.id, now=NOW, run=2))
        return self.new()

    def new(self) -> list[Mail]:
        """The mails that were written since the first publication."""
        return [mail for mail in mails_of(self.table, "nature") if mail.id not in self.before]

    before: frozenset[str] = frozenset()


FILE = event_data(
    themes=[
        {"id": one, "title": {"en": one.title(), "nl": f"{one.title()} NL"}, "capacity": 10, "rooms": f"Room {one}"}
        for one in ("vision", "governance", "resources", "wildlife")
    ]
)
THEMES: list[dict[str, Any]] = FILE["themes"]


def themes(**changed: Any) -> list[dict[str, Any]]:
    """The themes of the file, with Governance changed."""
    return [{**theme, **changed} if theme["id"] == "governance" else theme for theme in THEMES]


def sequence(entry: bytes | None) -> str:
    if not entry:
        return "–"
    calendar = Calendar.from_ical(entry)
    [found] = calendar.walk("VEVENT")
    return str(found["SEQUENCE"]) + (", cancelled" if str(calendar["METHOD"]) == "CANCEL" else "")


@pytest.fixture
def world(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    event = make_event(**FILE)
    put_event(table, event, actor="o", now=NOW)
    states = {"a5": RegistrationState.WAITING, "a6": RegistrationState.WITHDRAWN}
    people = [
        make_registration(
            number=number,
            id=f"a{number}",
            language="nl" if number in (2, 3) else "en",
            state=states.get(f"a{number}", RegistrationState.CONFIRMED),
        )
        for number in range(1, 7)
    ]
    fill(table, event, people, NOW)
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    letters = Letters(table, keys, event)
    letters.publish(1, PROGRAMMES)
    facts = day_facts(event).model_dump(mode="json")
    table.write(update(event_pk("nature"), run_sk(1), assign={"facts": facts}))
    with Road(table, keys, "nature", Clock(NOW)).open() as road:
        made = World(table, keys, event, road, letters)
        for one in PROGRAMMES:
            table.write(send("programme", "nature", one, now=NOW, run=1))
            letters.mark_sent(f"programme#1#{one}")
        made.before = frozenset(mail.id for mail in mails_of(table, "nature"))
        yield made


def one_gives_up_a_round(world: World) -> list[Mail]:
    closed = world.event.closes_at + timedelta(days=1)
    give_up(world.table, world.event, world.person("a1"), "second", now=closed)
    return world.new()


def one_withdraws(world: World) -> list[Mail]:
    withdraw(world.table, world.person("a1"), now=NOW)
    return world.new()


def the_day_is_cancelled(world: World) -> list[Mail]:
    cancel_day(world.table, world.event, actor="o", now=NOW)
    world.road.upkeep.work_through(NOW + timedelta(minutes=2), lambda: True)
    return world.new()


def a_cancellation_is_undone(world: World) -> list[Mail]:
    """Ann was told of it, the others were not yet."""
    the_day_is_cancelled(world)
    for mail in mails_of(world.table, "nature", "day-cancelled#"):
        state = "sent" if mail.registration == "a1" else "held"
        world.table.write(update("MAIL#nature", mail.id, assign={"state": state}, remove=["due", "due_at"]))
    cancelled = read_event(world.table, "nature")
    assert cancelled
    undo_cancellation(world.table, cancelled, 1, actor="o", now=NOW + timedelta(minutes=2))
    world.road.upkeep.work_through(NOW + timedelta(minutes=3), lambda: True)
    return [mail for mail in world.new() if mail.kind != "day-cancelled"]


def an_organiser_writes(world: World) -> list[Mail]:
    text = Message(
        event="nature", id="0" * 32, group="", subject="S", body="B", people=["a1", "a2"], created_at=utc(NOW)
    )
    store_message(world.table, world.event, text, actor="o", now=NOW)
    world.road.upkeep.work_through(NOW + timedelta(minutes=2), lambda: True)
    return world.new()


def refused(**changes: Any) -> Callable[[World], list[Mail]]:
    def put(world: World) -> list[Mail]:
        with pytest.raises(ConflictError, match="programmes"):
            put_event(world.table, make_event(**{**FILE, **changes}), actor="o", now=NOW)
        return world.new()

    return put


ROUNDS = FILE["rounds"]
LATER = [{**ROUNDS[0], "start": "13:05"}, ROUNDS[1]]
CHANGES: dict[str, Callable[[World], list[Mail]]] = {
    "the room of Governance": lambda world: world.change(themes=themes(rooms="Auditorium")),
    "the title of Governance, in English": lambda world: world.change(
        themes=themes(title={"en": "Steering", "nl": "Governance NL"})
    ),
    "the title of Governance, in Dutch only": lambda world: world.change(
        themes=themes(title={"en": "Governance", "nl": "Sturen"})
    ),
    "the hours of the first round": lambda world: world.change(rounds=LATER, agenda=[]),
    "the place": lambda world: world.change(venue={**FILE["venue"], "address": "Another street 1"}),
    "how to get there": lambda world: world.change(venue={**FILE["venue"], "directions": "Bus 3."}),
    "the date": lambda world: world.change(date="2026-04-23"),
    "the time zone, with the same hours": lambda world: world.change(timezone="Europe/London"),
    "the summary, a description, a seat more": lambda world: world.change(
        summary="Another.", themes=themes(description="Another.", capacity=11)
    ),
    "another allocation moves Ann": lambda world: world.rerun({**PROGRAMMES, "a1": SECOND}),
    "another allocation leaves everybody as they are": lambda world: world.rerun(PROGRAMMES),
    "Ann gives up her second round": one_gives_up_a_round,
    "Ann withdraws": one_withdraws,
    "the day is cancelled": the_day_is_cancelled,
    "the day was cancelled, which only Ann was told, and that is undone": a_cancellation_is_undone,
    "an organiser writes to Governance": an_organiser_writes,
    "a round leaves the event file": refused(rounds=ROUNDS[:1], agenda=[]),
    "a theme that is in programmes leaves the event file": refused(
        themes=[theme for theme in THEMES if theme["id"] != "resources"]
    ),
}
REFUSED = ("a round leaves the event file", "a theme that is in programmes leaves the event file")


def row(world: World, what: str, change: Callable[[World], list[Mail]]) -> str:
    """A line of the table, from the mails that a change caused."""
    was = world.sequence_on_the_own_page("a1")
    mails = sorted(change(world), key=lambda mail: mail.registration)
    event = read_event(world.table, "nature")
    assert event
    post = Letters(world.table, world.keys, event)
    post.now = NOW + timedelta(minutes=3)
    entries = [sequence(entry_of(post.write(mail.id))) for mail in mails]
    if what in REFUSED:
        assert mails == []
        return f"| {what} | nobody: it is refused | – | {was} |"
    who = ", ".join(NAMES[mail.registration] for mail in mails) or "nobody"
    kinds = ", ".join(sorted({mail.kind for mail in mails})) or "–"
    step = was if not entries or entries[0] == "–" else f"{was} → {entries[0]}"
    return f"| {what} | {who} | {kinds} | {step} |"


def test_the_table_says_what_happens(world: World) -> None:
    begin, lines = Snapshot(), []
    for what, change in CHANGES.items():
        begin.restore()
        lines.append(row(world, what, change))
    begin.restore()

    text = HEAD + "\n".join(lines) + "\n"
    if os.environ.get("TOLD") == "write":
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_a_changed_room_is_not_under_the_old_number_before_it_is_told(world: World) -> None:
    """A client that has the entry of the mail takes the changed one of the own page, and of the mail after it.

    The number grows for everybody: an entry that says the same under a higher one changes nothing.
    """
    put_event(world.table, make_event(**{**FILE, "themes": themes(rooms="Auditorium")}), actor="o", now=NOW)

    assert [world.sequence_on_the_own_page(one) for one in ("a1", "a3")] == ["2", "2"]


def test_a_changed_room_is_told_to_each_person_once_whatever_call_it_dies_at(world: World) -> None:
    """Publication and its mails, killed before or after each third AWS call, and gone on with afterwards."""
    table = world.table
    event = make_event(**{**FILE, "themes": themes(rooms="Auditorium")})
    put_event(table, event, actor="o", now=NOW)
    people = list(registrations_of(table, "nature"))
    table.write(update(event_pk("nature"), STATE_SK, assign={"runs": 1}))
    asked = request_run(table, event, Wish(mode="keep"), actor="o", now=NOW)
    run = claim_run(table, asked, owner="o", lease=timedelta(minutes=5), now=NOW)
    assert run
    kept = programmes_of(table, "nature", 1)
    store_programmes(table, [programme.model_copy(update={"run": 2}) for programme in kept.values()])
    digest = input_now(event, read_state(table, "nature"), run, people, kept)
    draft = finish_run(table, event, run, {"input_digest": digest, "compared_with": 1}, now=NOW)
    later = NOW + WRITER_LEASE + timedelta(minutes=1)
    faults = Faults(table._client)

    def tell(now: datetime) -> bool:
        current = read_run(table, "nature", 2)
        assert current
        if current.state is RunState.DRAFT:
            current = publish(table, event, draft, people, actor="o", now=now, afterwards="keep")
        return write_programme_mails(table, event, current, people, now=now).finished

    begin, moment_of_death, died = Snapshot(), 0, True
    while died:
        begin.restore()
        with faults.at([moment_of_death]):
            try:
                tell(NOW)
                died = False
            except Crash:
                moment_of_death += 3
        if (died and read_state(table, "nature").publishing_run) or read_state(table, "nature").published_run == 1:
            tell(later)
        state = read_state(table, "nature")
        told = sorted((mail.registration, mail.kind) for mail in world.new())
        assert told == [("a1", "programme-changed"), ("a2", "programme-changed")]
        assert (state.published_run, state.publishing_run) == (2, 0)
    assert moment_of_death > 20
