"""P1: a registration exists whole or not at all, whatever dies in between; a second try ends where it should.

Each thing a person can do over HTTP is done with a crash before or after one of its AWS calls, looked at, and done
again as a browser does that got no answer. The sweep lets the second try die, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from functions.register import app, web
from shared.events import put_event
from shared.mails import mails_of
from shared.models import RegistrationState
from shared.registrations import HOLDS_A_PLACE, register, registrations_of, withdraw
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from shared.waiting_list import offer_places
from tests.support.attendee_client import Answer, Web
from tests.support.crash_points import Crash, Faults, Snapshot
from tests.support.factories import NOW, make_event, make_registration

pytestmark = pytest.mark.promise("P1")


PLACES = 2
EVENT = make_event(
    registration={"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": PLACES},
)
NEW = {
    "name": "Zoë New",
    "email": "zoe.new@example.net",
    "organisation": "",
    "partner_type": "ngo",
    "choices": ["vision", "governance", "resources", "wildlife"],
}
PAIRS = 2_500


def form(number: int, **changes: object) -> dict[str, object]:
    return {**NEW, "name": f"Person {number}", "email": f"person{number}@example.org", **changes}


@dataclass
class Town:
    """Two people who hold the two places, and one who waits; p3 may be offered a place."""

    table: Table
    keys: Keys

    def __post_init__(self) -> None:
        put_event(self.table, EVENT, actor="test", now=NOW)
        self.web = Web(app.handler)
        for number in (1, 2, 3):
            draft = make_registration(number=number, id=f"p{number}")
            register(self.table, EVENT, draft, now=NOW + timedelta(seconds=number))

    def link(self, number: int) -> str:
        return f"/r/{sign_link(self.keys, 'nature', f'p{number}', 1)}"

    def free_a_place(self) -> None:
        """The first leaves, and the one who waits is offered the place."""
        first = next(registrations_of(self.table, "nature"))
        withdraw(self.table, first, now=NOW)
        assert offer_places(self.table, EVENT, now=NOW) == 1

    def half_states(self, act: str = "") -> list[str]:
        """Whatever is there in part, or counted wrong. An erasure deletes the mails before the person."""
        state = read_state(self.table, "nature")
        people = {one.id: one for one in registrations_of(self.table, "nature")}
        living = {one.id for one in people.values() if one.state is not RegistrationState.WITHDRAWN}
        taken = [item["registration"] for item in self.table.query("EVENT#nature", "ADDRESS#")]
        told = {mail.registration for mail in mails_of(self.table, "nature")}
        holders = sum(one.state in HOLDS_A_PLACE for one in people.values())
        waiting = sum(one.state is RegistrationState.WAITING for one in people.values())
        addresses = [people[one].email for one in living]
        found = {
            "an address without its person, or the other way round": sorted(taken) != sorted(living),
            "a person who was told nothing": act != "erase" and not people.keys() <= told,
            "places counted wrong": holders != state.confirmed,
            "those who wait counted wrong": waiting != state.waiting,
            "more confirmed than seats": holders > PLACES,
            "an address twice": len(set(addresses)) != len(addresses),
        }
        return [what for what, is_so in found.items() if is_so]

    def outcome(self) -> tuple[set[tuple[str, str, str]], set[str]]:
        """Who is there and how, and which kinds of mail to whom are written."""
        people = {(one.email, one.state.value, one.organisation) for one in registrations_of(self.table, "nature")}
        known = {one.id: one.email for one in registrations_of(self.table, "nature")}
        mails = {f"{mail.kind} {known.get(mail.registration, 'gone')}" for mail in mails_of(self.table, "nature")}
        return people, {mail for mail in mails if not mail.startswith("already-registered")}


Act = Callable[[Town], Answer]

ACTS: dict[str, Act] = {
    "register": lambda town: town.web.post("/events/nature/registrations", NEW),
    "register, naming the request": lambda town: town.web.post(
        "/events/nature/registrations", NEW, headers={"Idempotency-Key": "k"}
    ),
    "register a known address": lambda town: town.web.post("/events/nature/registrations", form(1)),
    "ask for the link": lambda town: town.web.post("/events/nature/links", {"email": "person1@example.org"}),
    "change the details": lambda town: town.web.call("PUT", town.link(1), form(1, organisation="Another")),
    "withdraw": lambda town: town.web.post(f"{town.link(1)}/withdrawal"),
    "take an offered place": lambda town: town.web.post(f"{town.link(3)}/place"),
    "erase": lambda town: town.web.post(f"{town.link(2)}/erasure"),
}


@pytest.fixture
def town(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr("functions.register.web.clock", lambda: NOW + timedelta(minutes=1))
    return Town(table, keys)


def faults_of(town: Town) -> Faults:
    return Faults(web.table._client, web.keys._client)


def try_once(town: Town, act: Act, *moments: int) -> tuple[Answer | None, list[str], int]:
    """Do it in a new process that dies at these moments; the answer, the crashes, how many moments there were."""
    web.keys._read_at = float("-inf")
    answer = None
    with faults_of(town).at(moments) as faults, suppress(Crash):
        answer = act(town)
    return answer, faults.crashed, faults.moments


@pytest.mark.parametrize("name", ACTS)
def test_a_crash_leaves_nothing_half_done_and_trying_again_finishes_it(town: Town, name: str) -> None:
    """Before and after each AWS call that the act makes."""
    if "offered" in name:
        town.free_a_place()
    begin = Snapshot()
    answer, _, moments = try_once(town, ACTS[name])
    assert answer is not None
    assert answer.status < 300
    whole = town.outcome()

    assert moments >= 8
    for moment in range(0, moments, 1 + moments // 40):  # an erasure has more than a hundred
        begin.restore()
        nothing, crashed, _ = try_once(town, ACTS[name], moment)
        assert (nothing, len(crashed)) == (None, 1)
        assert town.half_states(name) == [], crashed

        again, _, _ = try_once(town, ACTS[name])
        assert again is not None
        assert again.status < 300 or (name == "erase" and again.status in {403, 404}), crashed
        assert town.half_states() == [], crashed
        assert without_offer(town.outcome()) == without_offer(whole), crashed


def without_offer(outcome: tuple[set[tuple[str, str, str]], set[str]]) -> tuple[set[tuple[str, str, str]], set[str]]:
    """A freed place is offered at once or, if the process dies first, by upkeep in the next minute: see test_upkeep."""
    people, mails = outcome
    waits = {(email, "waiting" if state == "offered" else state, by) for email, state, by in people}
    return waits, {mail for mail in mails if not mail.startswith("place-offered")}


@pytest.mark.sweep
def test_two_crashes_leave_nothing_half_done(town: Town) -> None:
    """The second try dies as well; 2,500 pairs."""
    dice, done = random.Random(1), 0
    begin = Snapshot()
    for name, act in ACTS.items():
        begin.restore()
        if "offered" in name:
            town.free_a_place()
        start = Snapshot()
        _, _, moments = try_once(town, act)
        whole = without_offer(town.outcome())
        for _ in range(PAIRS // len(ACTS)):
            first, second = dice.randrange(moments), dice.randrange(moments)
            start.restore()
            try_once(town, act, first)
            assert town.half_states(name) == [], (name, first)
            try_once(town, act, second)
            assert town.half_states(name) == [], (name, first, second)
            try_once(town, act)
            assert town.half_states() == [], (name, first, second)
            assert without_offer(town.outcome()) == whole, (name, first, second)
            done += 1
    print({"pairs": done})
