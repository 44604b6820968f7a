"""Every call of the table may be throttled, cancelled or answered in part: once is repeated, for ever is told.

The outcome of each act with one bad answer, at every call and of every kind, is the outcome without any.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from functions.register import app as register_app
from functions.register import web
from shared.errors import TooBusyError
from shared.events import put_event
from shared.models import Event, Programme
from shared.publication import publish, write_programme_mails
from shared.registrations import erase, read_registration, register, registrations_of, withdraw
from shared.runs import Wish, claim_run, finish_run, input_now, request_run, store_programmes
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from shared.waiting_list import offer_places
from tests.support.attendee_client import Web
from tests.support.crash_points import Snapshot
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import stored_table
from tests.support.unreliable_client import ILLS, UnreliableClient

PLACES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 7}
PEOPLE = 5


@pytest.fixture
def client(aws: None) -> UnreliableClient:
    return UnreliableClient(boto3.client("dynamodb"))


@pytest.fixture
def table(client: UnreliableClient) -> Table:
    return Table(client, "parcours", sleep=lambda _seconds: None)


@pytest.fixture
def event(table: Table) -> Event:
    """An event with two places left, and five people who hold one."""
    event = make_event(registration=PLACES)
    put_event(table, event, actor="test", now=NOW)
    for number in range(PEOPLE):
        register(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    return event


def allocate(table: Table, event: Event) -> None:
    """A run that is stored, published and told."""
    asked = request_run(table, event, Wish(), actor="o", now=NOW)
    run = claim_run(table, asked, owner="o", lease=timedelta(minutes=5), now=NOW)
    assert run is not None
    everybody = list(registrations_of(table, event.id))
    workshops = {"first": "vision", "second": "wildlife"}
    store_programmes(
        table,
        [Programme(event=event.id, run=run.number, registration=one.id, workshops=workshops) for one in everybody],
    )
    digest = input_now(event, read_state(table, event.id), run, everybody, {})
    draft = finish_run(table, event, run, {"input_digest": digest}, now=NOW)
    published = publish(table, event, draft, everybody, actor="o", now=NOW, afterwards="keep")
    write_programme_mails(table, event, published, everybody, now=NOW)


def join(table: Table, event: Event) -> None:
    register(table, event, make_registration(number=77, id="a" * 20), now=NOW)


def person(table: Table, number: int) -> Any:
    found = read_registration(table, "nature", f"{number:020x}")
    assert found is not None
    return found


def forget(table: Table, event: Event) -> None:
    erase(table, person(table, 3), now=NOW)


def wait_for_places(table: Table, event: Event) -> None:
    """Two more come than there are places; two leave."""
    for number in range(PEOPLE, PEOPLE + 4):
        register(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    withdraw(table, person(table, 1), now=NOW)
    withdraw(table, person(table, 2), now=NOW)


def offer(table: Table, event: Event) -> None:
    assert offer_places(table, event, now=NOW) == 2


def nothing(_table: Table, _event: Event) -> None:
    pass


ACTS: dict[str, tuple[Callable[[Table, Event], None], Callable[[Table, Event], None]]] = {
    "register": (nothing, join),
    "allocate and publish": (nothing, allocate),
    "erase": (allocate, forget),
    "offer places": (wait_for_places, offer),
}
"""What happens before, and the act that is answered badly."""


def rows() -> dict[tuple[str, str], Any]:
    """What the table holds, but for audit lines, whose keys are drawn anew each time."""
    return {
        (pk, sk): item.to_json()
        for pk, items in stored_table().items.items()
        for sk, item in items.items()
        if "AUDIT#" not in str(sk)
    }


@pytest.mark.parametrize("act", ACTS)
def test_one_bad_answer_at_any_call_changes_nothing(
    act: str, client: UnreliableClient, table: Table, event: Event
) -> None:
    before, happens = ACTS[act]
    before(table, event)
    begin = Snapshot()
    client.calls.clear()
    happens(table, event)
    calls, expected = list(client.calls), rows()
    assert len(calls) >= 3

    for number, operation in enumerate(calls):
        for ill in ILLS[operation]:
            begin.restore()
            client.calls.clear()
            client.befalls = {number: ill}
            happens(table, event)
            assert len(client.calls) > len(calls), f"{ill} at call {number}, {operation}, was not repeated"
            assert rows() == expected, f"{ill} at call {number}, {operation}"


@pytest.mark.parametrize("ill", sorted(ILLS["transact_write_items"].keys() - {"failed inside"}))
def test_a_table_that_never_stops_refusing_ends_in_too_busy_and_nothing_written(
    ill: str, client: UnreliableClient, table: Table, event: Event
) -> None:
    before = rows()
    client.calls.clear()
    client.befalls = dict.fromkeys(range(10000), ill)
    client.befalls[0] = client.befalls[1] = ""  # it reads the address and the state first
    clock = iter(range(10_000))
    table = Table(client, "parcours", clock=lambda: next(clock), sleep=lambda _seconds: None)

    with pytest.raises(TooBusyError):
        join(table, event)

    assert rows() == before


def test_nothing_is_repeated_when_the_functions_time_is_over(client: UnreliableClient, table: Table) -> None:
    client.befalls = dict.fromkeys(range(10), "throttled")
    table.begin(seconds=1.5)

    with pytest.raises(TooBusyError):
        table.get("EVENTS", "nature")

    assert len(client.calls) == 1


def test_a_throttled_registration_keeps_the_form_and_says_when_to_try_again(
    client: UnreliableClient, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr(
        web, "table", Table(client, "parcours", clock=lambda: next(seconds), sleep=lambda _seconds: None)
    )
    monkeypatch.setattr(web, "keys", keys)
    monkeypatch.setattr(web, "clock", lambda: NOW)

    def throttle(operation: str, _arguments: dict[str, Any]) -> None:
        if operation == "transact_write_items":
            client.befalls[len(client.calls) - 1] = "throttled inside"

    client.before = throttle
    form = {"name": "Person 77", "email": "person77@example.org", "partner_type": "ngo", "choice-1": "vision"}
    form |= {"choice-2": "governance", "choice-3": "resources", "choice-4": "wildlife"}
    answer = Web(register_app.handler).submit("/events/nature/registrations", form)

    assert answer.status == 503
    assert answer.headers["retry-after"] == "30"
    assert 'value="Person 77"' in answer.text
