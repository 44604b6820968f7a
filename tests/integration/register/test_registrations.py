"""A registration's life against a small model of it: never more places than seats, never half a person."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import boto3
import moto
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.errors import ConflictError, StaleError
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, Registration, RegistrationState
from shared.registrations import (
    HOLDS_A_PLACE,
    change_address,
    erase,
    find_by_address,
    read_registration,
    register,
    registrations_of,
    save,
    withdraw,
)
from shared.state import read_state
from shared.table import Table
from shared.waiting_list import accept_offer, expire_offer, offer_places
from tests.conftest import create_table
from tests.support.factories import NOW, make_event, make_registration

PLACES = 3
RULES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": PLACES}


@pytest.fixture
def small(table: Table) -> Event:
    """An event with three places."""
    event = make_event(registration=RULES)
    put_event(table, event, actor="test", now=NOW)
    return event


def mail_ids(table: Table) -> list[str]:
    return [mail.id for mail in mails_of(table, "nature")]


def enter(table: Table, event: Event, number: int) -> Registration:
    stored, _ = register(table, event, make_registration(number=number, id=f"p{number}"), now=NOW)
    return stored


def test_a_known_address_changes_nothing_and_its_holder_gets_the_link(table: Table, small: Event) -> None:
    enter(table, small, 1)
    twin = make_registration(number=1, name="Another person", email="PERSON1@example.org")

    _, is_new = register(table, small, twin, now=NOW)

    assert not is_new
    assert [one.name for one in registrations_of(table, "nature")] == ["Person 1"]
    assert mail_ids(table) == ["already-registered#p1#2026030210", "confirmation#p1"]


def test_who_comes_after_the_last_place_waits(table: Table, small: Event) -> None:
    states = [enter(table, small, number).state for number in range(1, 6)]

    assert states == ["confirmed"] * 3 + ["waiting"] * 2


def test_a_freed_place_is_offered_to_who_waited_longest(table: Table, small: Event) -> None:
    people = [enter(table, small, number) for number in range(1, 6)]
    withdraw(table, people[0], now=NOW)

    offer_places(table, small, now=NOW)

    states = {one.id: one.state for one in registrations_of(table, "nature")}
    assert states == {"p1": "withdrawn", "p2": "confirmed", "p3": "confirmed", "p4": "offered", "p5": "waiting"}
    assert "place-offered#p4#1" in mail_ids(table)


def test_nobody_jumps_the_queue_while_a_place_is_free(table: Table, small: Event) -> None:
    people = [enter(table, small, number) for number in range(1, 5)]
    withdraw(table, people[0], now=NOW)

    assert enter(table, small, 9).state == "waiting"


def test_an_offer_that_runs_out_goes_to_the_next(table: Table, small: Event) -> None:
    people = [enter(table, small, number) for number in range(1, 6)]
    withdraw(table, people[0], now=NOW)
    offer_places(table, small, now=NOW)
    offered = read_registration(table, "nature", "p4")
    assert offered is not None
    late = NOW + timedelta(days=3)

    with pytest.raises(ConflictError):
        accept_offer(table, make_event(), offered, now=late)
    expire_offer(table, offered, now=late)
    offer_places(table, small, now=late)

    states = {one.id: one.state for one in registrations_of(table, "nature")}
    assert (states["p4"], states["p5"]) == ("waiting", "offered")


def test_a_new_address_kills_the_old_link_and_tells_both(table: Table, small: Event) -> None:
    before = enter(table, small, 1)

    after = change_address(table, before, {"email": "new@example.org"}, now=NOW)

    assert after is not None
    assert after.link_version == before.link_version + 1
    assert find_by_address(table, "nature", "person1@example.org") is None
    assert find_by_address(table, "nature", "new@example.org") == after
    told = {mail.kind: mail.to for mail in mails_of(table, "nature") if mail.id.endswith("#2")}
    assert told == {"confirmation": "", "address-changed": "person1@example.org"}


def test_an_address_somebody_holds_is_not_taken_over(table: Table, small: Event) -> None:
    first, second = enter(table, small, 1), enter(table, small, 2)

    assert change_address(table, first, {"email": second.email}, now=NOW) is None
    assert read_registration(table, "nature", first.id) == first


def test_erasure_leaves_nothing_of_a_person(table: Table, small: Event) -> None:
    person = enter(table, small, 1)

    erase(table, person, now=NOW)

    assert read_registration(table, "nature", person.id) is None
    assert find_by_address(table, "nature", person.email) is None
    assert mail_ids(table) == ["erased#p1"]
    assert read_state(table, "nature").confirmed == 0


def test_a_lost_update_is_refused(table: Table, small: Event) -> None:
    read = enter(table, small, 1)
    save(table, read, {"name": "First"}, now=NOW)

    with pytest.raises(StaleError):
        save(table, read, {"name": "Second"}, now=NOW)


class Life(RuleBasedStateMachine):
    """Anybody does anything in any order; the model knows who holds which address."""

    numbers = st.integers(1, 7)

    def __init__(self) -> None:
        super().__init__()
        self.aws = moto.mock_aws()
        self.aws.start()
        create_table()
        self.table = Table(boto3.client("dynamodb"), os.environ["TABLE_NAME"])
        self.event = make_event(registration=RULES)
        self.now = NOW
        self.holders: dict[str, str] = {}
        self.entered = 0

    @initialize()
    def open(self) -> None:
        put_event(self.table, self.event, actor="test", now=NOW)

    def teardown(self) -> None:
        self.aws.stop()

    def holder(self, number: int) -> Registration | None:
        found = self.holders.get(f"person{number}@example.org")
        return read_registration(self.table, "nature", found) if found else None

    @rule(number=numbers)
    def somebody_registers(self, number: int) -> None:
        self.entered += 1
        draft = make_registration(number=number, id=f"p{self.entered:03d}")
        _, is_new = register(self.table, self.event, draft, now=self.now)
        assert is_new == (draft.email not in self.holders)
        self.holders.setdefault(draft.email, draft.id)

    @rule(number=numbers)
    def somebody_withdraws(self, number: int) -> None:
        if (one := self.holder(number)) is not None:
            withdraw(self.table, one, now=self.now)
            del self.holders[one.email]

    @rule(number=numbers)
    def somebody_is_erased(self, number: int) -> None:
        if (one := self.holder(number)) is not None:
            erase(self.table, one, now=self.now)
            del self.holders[one.email]

    @rule()
    def places_are_offered(self) -> None:
        offer_places(self.table, self.event, now=self.now)

    @rule(number=numbers)
    def somebody_accepts(self, number: int) -> None:
        one = self.holder(number)
        if one is not None and one.state is RegistrationState.OFFERED and self.now.isoformat() < one.offer_expires_at:
            accept_offer(self.table, self.event, one, now=self.now)

    @rule(hours=st.integers(1, 60))
    def time_passes_and_offers_run_out(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for one in list(registrations_of(self.table, "nature")):
            expire_offer(self.table, one, now=self.now)

    @invariant()
    def places_addresses_and_counters_agree(self) -> None:
        state = read_state(self.table, "nature")
        people = list(registrations_of(self.table, "nature"))
        living = [one for one in people if one.state is not RegistrationState.WITHDRAWN]
        assert sum(one.state in HOLDS_A_PLACE for one in people) == state.confirmed <= PLACES
        assert sum(one.state is RegistrationState.WAITING for one in people) == state.waiting
        assert {one.email: one.id for one in living} == self.holders
        addresses = {item["registration"] for item in self.table.query("EVENT#nature", "ADDRESS#")}
        assert addresses == set(self.holders.values())
        told = {mail.registration for mail in mails_of(self.table, "nature")}
        assert {one.id for one in people} <= told


def play(examples: int, steps: int) -> None:
    """Play the machine; hypothesis prints the seed and the shortest story that fails."""
    chosen: Any = settings(
        max_examples=examples,
        stateful_step_count=steps,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=chosen)


def test_places_addresses_and_counters_agree_whatever_people_do() -> None:
    play(examples=10, steps=20)


@pytest.mark.sweep
def test_places_addresses_and_counters_agree_in_five_hundred_long_lives() -> None:
    play(examples=500, steps=50)
