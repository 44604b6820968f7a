"""P2: each person gets each mail once, whatever dies on the way."""

from __future__ import annotations

import pytest

from shared.events import put_event
from shared.models import Event
from shared.registrations import register, withdraw
from shared.table import Table
from shared.tokens import Keys
from tests.factories import NOW, make_event, make_registration
from tests.posting import Clock
from tests.road import Road


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Road:
    return Road(table, keys, event.id, Clock(NOW))


def two_mails(table: Table, event: Event) -> None:
    """One person registers, and leaves."""
    person, _ = register(table, event, make_registration(), now=NOW)
    withdraw(table, person, now=NOW)


def test_two_mails_go_out(road: Road, table: Table, event: Event) -> None:
    with road.open():
        person, _ = register(table, event, make_registration(), now=NOW)
        road.run()
        withdraw(table, person, now=NOW)
        road.run()

    assert road.faults_found() == []
    assert [one.tags["kind"] for one in road.ses.sent] == ["confirmation", "withdrawn"]


def count_moments(table: Table, keys: Keys) -> int:
    return 40


def test_a_crash_at_any_moment_loses_and_doubles_nothing(table: Table, keys: Keys) -> None:
    """Before and after every AWS call of the four functions, one crash, then recovery."""
    import time

    begun = time.time()
    moment, faults = 0, 0
    while True:
        event = make_event(id=f"crash-{moment}")
        put_event(table, event, actor="test", now=NOW)
        road = Road(table, keys, event.id, Clock(NOW))
        with road.open(), road.faults.at([moment]) as fault:
            register(table, event, make_registration(event=event.id), now=NOW)
            road.run()
        assert road.faults_found() == [], fault.crashed
        table.delete_all(list(table.query(f"MAIL#{event.id}")) + list(table.query(f"EVENT#{event.id}")))
        if not fault.crashed:
            break
        moment, faults = moment + 1, faults + 1
    print(faults, time.time() - begun, fault.calls)
    assert faults > 20
