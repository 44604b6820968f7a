"""The mails of a publication: written once, by one writer at a time, and resumed where the last one stopped."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from shared import publication
from shared.mails import DUE, mails_due, mails_of
from shared.models import Event, Programme, Run
from shared.publication import WRITER_LEASE, Told, publish, write_programme_mails
from shared.registrations import read_registration, register, registrations_of, withdraw
from shared.runs import Wish, claim_run, finish_run, input_now, request_run, store_programmes
from shared.state import read_state
from shared.table import Table
from tests.support.factories import NOW, make_registration
from tests.support.unreliable_client import UnreliableClient

PEOPLE = 20
GROUP = 4
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def client(aws: None) -> UnreliableClient:
    return UnreliableClient(boto3.client("dynamodb"))


@pytest.fixture
def table(client: UnreliableClient) -> Table:
    return Table(client, "parcours", sleep=lambda _seconds: None)


@pytest.fixture
def run(table: Table, event: Event, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A published run of twenty people whose mails are still to be written, four in a transaction."""
    monkeypatch.setattr(publication, "PEOPLE_A_WRITE", GROUP)
    for number in range(PEOPLE):
        register(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    asked = request_run(table, event, Wish(), actor="o", now=NOW)
    run = claim_run(table, asked, owner="o", lease=timedelta(minutes=5), now=NOW)
    assert run is not None
    everybody = list(registrations_of(table, event.id))
    workshops = {"first": "vision", "second": "wildlife"}
    store_programmes(
        table, [Programme(event=event.id, run=1, registration=one.id, workshops=workshops) for one in everybody]
    )
    digest = input_now(event, read_state(table, event.id), run, everybody, {})
    draft = finish_run(table, event, run, {"input_digest": digest}, now=NOW)
    return publish(table, event, draft, everybody, actor="o", now=NOW, afterwards="keep")


def tell(
    table: Table, event: Event, run: Run, now: datetime = NOW, may_go_on: Callable[[], bool] = lambda: True
) -> Told:
    everybody = list(registrations_of(table, event.id))
    return write_programme_mails(table, event, run, everybody, now=now, may_go_on=may_go_on)


def groups(most: int) -> Callable[[], bool]:
    """Time for so many groups of mails."""
    count = itertools.count()
    return lambda: next(count) < most


def told(table: Table) -> list[str]:
    return [mail.registration for mail in mails_of(table, "nature", "programme")]


def test_what_is_resumed_writes_only_what_is_left(
    client: UnreliableClient, table: Table, event: Event, run: Run
) -> None:
    assert tell(table, event, run, may_go_on=groups(3)) == Told(12, finished=False)
    assert read_state(table, event.id).publishing_run == 1
    client.calls.clear()

    assert tell(table, event, run, LATER) == Told(8, finished=True)

    assert client.calls.count("transact_write_items") == 4  # the lease, two groups of mails, the end
    assert len(told(table)) == len(set(told(table))) == PEOPLE
    assert read_state(table, event.id).publishing_run == 0
    assert tell(table, event, run, LATER) == Told(0, finished=False)


def test_a_second_writer_leaves_the_mails_to_the_first(
    client: UnreliableClient, table: Table, event: Event, run: Run
) -> None:
    seconds: list[Told] = []

    def come_second(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "transact_write_items" and "programme#1#" in str(arguments):
            client.before = lambda _operation, _arguments: None
            seconds.append(tell(table, event, run, LATER))

    client.before = come_second

    assert tell(table, event, run) == Told(PEOPLE, finished=True)
    assert seconds == [Told(0, finished=False)]


def test_a_writer_that_went_silent_is_followed_once_its_lease_is_over(
    client: UnreliableClient, table: Table, event: Event, run: Run
) -> None:
    def die() -> bool:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        tell(table, event, run, may_go_on=die)

    assert tell(table, event, run, NOW + WRITER_LEASE - timedelta(seconds=1)) == Told(0, finished=False)
    assert tell(table, event, run, NOW + WRITER_LEASE) == Told(PEOPLE, finished=True)


def test_a_writer_that_was_followed_stops(table: Table, event: Event, run: Run) -> None:
    turns = itertools.count()

    def sleep_long() -> bool:
        if next(turns) == 1:
            assert tell(table, event, run, NOW + WRITER_LEASE).finished
        return True

    first = tell(table, event, run, may_go_on=sleep_long)

    assert first.people < PEOPLE
    assert len(told(table)) == len(set(told(table))) == PEOPLE


def test_a_person_who_withdraws_meanwhile_is_left_out_and_costs_one_more_transaction(
    client: UnreliableClient, table: Table, event: Event, run: Run
) -> None:
    everybody = list(registrations_of(table, event.id))
    gone = read_registration(table, event.id, everybody[5].id)
    assert gone is not None
    withdraw(table, gone, now=NOW)
    client.calls.clear()

    write_programme_mails(table, event, run, everybody, now=NOW)

    assert set(told(table)) == {one.id for one in everybody} - {gone.id}
    assert client.calls.count("transact_write_items") == 1 + PEOPLE // GROUP + 1 + 1


def test_mails_wait_in_several_parts_of_the_index(table: Table, event: Event, run: Run) -> None:
    tell(table, event, run)

    parts = [{item["sk"] for item in table.due(part, "9999")} for part in DUE]

    assert sum(bool(part) for part in parts) >= 6
    assert set().union(*parts) == {item["sk"] for item in mails_due(table, "9999")}
    assert {f"programme#1#{number:020x}" for number in range(PEOPLE)} <= set().union(*parts)
