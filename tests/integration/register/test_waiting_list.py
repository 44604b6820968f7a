"""A full event, as people meet it: the rule, the offer, the place that returns, and never one seat too many."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from functions.register import app
from functions.upkeep import app as upkeep
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, Registration
from shared.models import RegistrationState as State
from shared.registrations import find_by_address, registrations_of, withdraw
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from shared.waiting_list import OFFER, count_hourly
from tests.support.attendee_client import Answer, Web
from tests.support.factories import NOW, make_event
from tests.support.forms import read_form

PLACES = 2

HOLDS = {State.CONFIRMED, State.OFFERED}


class Visitors:
    """People who use the pages and nothing else, while the hours pass."""

    def __init__(self, table: Table, keys: Keys, event: Event) -> None:
        self.table, self.keys, self.event, self.now = table, keys, event, NOW
        self.web = Web(app.handler)

    def register(self, number: int) -> Answer:
        """Fill in the form as the page gives it, and send it."""
        form = read_form(self.web.visit(f"/events/{self.event.id}").text, "/registrations")
        choices = dict(zip(form.options, (theme.id for theme in self.event.themes), strict=True))
        details = {"name": f"Person {number}", "email": f"person{number}@example.org", "partner_type": "ngo"}
        return self.web.submit(form.action, form.fields | choices | details)

    def link(self, number: int) -> str:
        one = self.holder(number)
        return f"/r/{sign_link(self.keys, one.event, one.id, one.link_version)}"

    def page(self, number: int) -> str:
        return self.web.visit(self.link(number)).text

    def press(self, number: int, what: str) -> Answer:
        """Press a button of one's own page, and the one that confirms it if it asks."""
        form = read_form(self.page(number), what)
        answer = self.web.submit(form.action, form.fields)
        if answer.status == 200:
            sure = read_form(answer.text, what)
            answer = self.web.submit(sure.action, sure.fields)
        return answer

    def holder(self, number: int) -> Registration:
        found = find_by_address(self.table, self.event.id, f"person{number}@example.org")
        assert found is not None
        return found

    def pass_by(self, span: timedelta) -> None:
        """Let time pass; upkeep looks after what is due."""
        self.now += span
        upkeep.take_back_offers(self.now)
        upkeep.offer_free_places(self.now)

    def states(self) -> dict[int, State]:
        found = registrations_of(self.table, self.event.id)
        return {int(one.name.removeprefix("Person ")): one.state for one in found if one.state is not State.WITHDRAWN}


@pytest.fixture
def visitors(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Visitors:
    """Two places, and a clock that stands until it is moved on."""
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": PLACES}
    event = make_event(registration=rules)
    put_event(table, event, actor="test", now=NOW)
    people = Visitors(table, keys, event)

    def tick() -> object:
        people.now += timedelta(milliseconds=1)  # who comes later stands later in the list
        return people.now

    monkeypatch.setattr("functions.register.web.clock", tick)
    return people


def test_the_rule_is_said_before_one_joins_and_while_one_waits(visitors: Visitors) -> None:
    before = visitors.web.visit("/events/nature").text
    for number in (1, 2, 3, 4):
        assert visitors.register(number).location == "/events/nature/registered"
    count_hourly(visitors.table, visitors.event, now=visitors.now)
    full = visitors.web.visit("/events/nature").text

    assert "All places are taken." not in before
    assert "offered to the person who has waited longest, and kept for 48 hours" in full
    assert "Register for the waiting list" in full
    for number in (3, 4):
        assert "You are among about the first 10." in visitors.page(number)
    assert "Without an answer it goes to the next, and you wait again at the end." in visitors.page(4)


@pytest.mark.parametrize("what", ["/withdrawal", "/erasure"])
def test_a_place_that_returns_is_offered_to_who_waited_longest(visitors: Visitors, table: Table, what: str) -> None:
    for number in (1, 2, 3, 4):
        visitors.register(number)

    visitors.press(1, what)

    assert visitors.states() == {2: State.CONFIRMED, 3: State.OFFERED, 4: State.WAITING}
    assert "A place is free for you" in visitors.page(3)
    assert "You are on the waiting list" in visitors.page(4)
    assert [mail.registration for mail in mails_of(table, "nature", "place-offered")] == [visitors.holder(3).id]


def test_an_offer_is_taken_by_one_press_and_confirmed_by_mail(visitors: Visitors, table: Table) -> None:
    for number in (1, 2, 3):
        visitors.register(number)
    visitors.press(1, "/withdrawal")

    answer = visitors.press(3, "/place")

    assert "The place is yours." in visitors.web.visit(answer.location).text
    assert visitors.states() == {2: State.CONFIRMED, 3: State.CONFIRMED}
    assert visitors.holder(3).id in {mail.registration for mail in mails_of(table, "nature", "confirmation")}


def test_an_offer_without_an_answer_goes_to_the_next_and_its_holder_to_the_end(visitors: Visitors) -> None:
    for number in (1, 2, 3, 4):
        visitors.register(number)
    visitors.press(1, "/withdrawal")

    visitors.pass_by(OFFER - timedelta(minutes=1))
    still = visitors.states()[3]
    visitors.now += timedelta(minutes=2)  # run out, and upkeep has not come round yet
    over = visitors.page(3)
    late = visitors.web.submit(f"{visitors.link(3)}/place", {})
    visitors.pass_by(timedelta(0))

    assert still is State.OFFERED
    assert "The offer has run out" in over
    assert "Take the place" not in over
    assert (late.status, "This offer has run out." in late.text) == (409, True)
    assert visitors.states() == {2: State.CONFIRMED, 3: State.WAITING, 4: State.OFFERED}
    assert "You are on the waiting list" in visitors.page(3)


def test_an_offer_that_is_declined_goes_to_the_next_at_once(visitors: Visitors) -> None:
    for number in (1, 2, 3, 4):
        visitors.register(number)
    visitors.press(1, "/withdrawal")

    visitors.press(3, "/withdrawal")

    assert visitors.states() == {2: State.CONFIRMED, 4: State.OFFERED}


def test_nobody_who_comes_later_overtakes_who_waits(visitors: Visitors, table: Table) -> None:
    """A place that is free and not offered yet is not for a newcomer while a person waits."""
    for number in (1, 2, 3):
        visitors.register(number)
    withdraw(table, visitors.holder(1), now=visitors.now)  # and the function died before it offered the place

    visitors.register(4)
    before = visitors.states()
    visitors.pass_by(timedelta(minutes=1))

    assert before == {2: State.CONFIRMED, 3: State.WAITING, 4: State.WAITING}
    assert visitors.states() == {2: State.CONFIRMED, 3: State.OFFERED, 4: State.WAITING}


@pytest.mark.parametrize("seed", range(2))
def test_never_are_more_people_confirmed_than_there_are_seats(visitors: Visitors, table: Table, seed: int) -> None:
    """Whatever people press in whatever order; and no seat stays empty while a person waits."""
    chance = random.Random(seed)
    acts: dict[str, Callable[[int], object]] = {
        "register": visitors.register,
        "/withdrawal": lambda number: visitors.press(number, "/withdrawal"),
        "/erasure": lambda number: visitors.press(number, "/erasure"),
        "/place": lambda number: visitors.press(number, "/place"),
        "pass": lambda _: visitors.pass_by(OFFER / 2),
    }
    for _ in range(25):
        states = visitors.states()
        possible = [("register", n) for n in range(1, 8) if n not in states] * 2 + [("pass", 0)]
        possible += [(what, n) for n in states for what in ("/withdrawal", "/erasure") if chance.random() < 0.3]
        possible += [("/place", n) for n, state in states.items() if state is State.OFFERED] * 3
        what, number = chance.choice(possible)
        acts[what](number)

        held = [state for state in visitors.states().values() if state in HOLDS]
        waiting = [state for state in visitors.states().values() if state is State.WAITING]
        counted = read_state(table, "nature")
        assert len(held) <= PLACES, f"seed {seed}"
        assert (counted.confirmed, counted.waiting) == (len(held), len(waiting)), f"seed {seed}"
        assert not waiting or len(held) == PLACES, f"seed {seed}"
