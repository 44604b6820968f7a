"""What happens between the read and the write of an act: a barrier lets another act in, at that very moment.

No threads that hope to meet: the client calls the test before each write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from shared.events import put_event
from shared.models import Event, Programme, Registration, RegistrationState
from shared.publication import publish, write_programme_mails
from shared.registrations import admit, erase, read_registration, register, registrations_of, remind, withdraw
from shared.runs import Wish, claim_run, finish_run, input_now, request_run, store_programmes
from shared.state import read_state
from shared.table import Table
from shared.waiting_list import offer_places
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import stored_table
from tests.support.unreliable_client import UnreliableClient

WORKSHOPS = {"first": "vision", "second": "wildlife"}


@pytest.fixture
def client(aws: None) -> UnreliableClient:
    return UnreliableClient(boto3.client("dynamodb"))


@pytest.fixture
def table(client: UnreliableClient) -> Table:
    return Table(client, "parcours", sleep=lambda _seconds: None)


@pytest.fixture
def meanwhile(client: UnreliableClient) -> Callable[..., None]:
    """Lets something happen once, before the first write that comes, or before the first that mentions a text."""

    def arrange(happens: Callable[[], object], before: str = "") -> None:
        def barrier(operation: str, arguments: dict[str, Any]) -> None:
            if operation in {"transact_write_items", "batch_write_item"} and before in str(arguments):
                client.before = lambda _operation, _arguments: None
                happens()

        client.before = barrier

    return arrange


def one_place(table: Table) -> Event:
    event = make_event(registration={"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 1})
    put_event(table, event, actor="test", now=NOW)
    return event


def join(table: Table, event: Event, number: int) -> Registration:
    stored, _ = register(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    return stored


def person(table: Table, number: int) -> Registration:
    found = read_registration(table, "nature", f"{number:020x}")
    assert found is not None
    return found


def states(table: Table) -> list[str]:
    return [one.state.value for one in registrations_of(table, "nature")]


def test_two_who_see_the_last_place_at_once_do_not_both_get_it(table: Table, meanwhile: Callable[..., None]) -> None:
    event = one_place(table)
    meanwhile(lambda: join(table, event, 2))

    first = join(table, event, 1)

    assert first.state is RegistrationState.WAITING
    assert person(table, 2).state is RegistrationState.CONFIRMED
    assert (read_state(table, "nature").confirmed, read_state(table, "nature").waiting) == (1, 1)


def test_a_newcomer_who_saw_nobody_wait_overtakes_nobody(table: Table, meanwhile: Callable[..., None]) -> None:
    event = one_place(table)

    def a_place_comes_free_for_who_waits() -> None:
        join(table, event, 1)
        join(table, event, 2)
        withdraw(table, person(table, 1), now=NOW)

    meanwhile(a_place_comes_free_for_who_waits)

    newcomer = join(table, event, 3)

    assert newcomer.state is RegistrationState.WAITING
    assert offer_places(table, event, now=NOW) == 1
    assert person(table, 2).state is RegistrationState.OFFERED


def test_a_place_that_is_taken_at_this_moment_is_not_offered(table: Table, meanwhile: Callable[..., None]) -> None:
    event = one_place(table)
    join(table, event, 1)
    join(table, event, 2)
    withdraw(table, person(table, 1), now=NOW)
    added = make_registration(number=3, id=f"{3:020x}")
    meanwhile(lambda: admit(table, event, added, now=NOW))

    assert offer_places(table, event, now=NOW) == 0

    assert states(table) == ["withdrawn", "waiting", "confirmed"]
    assert read_state(table, "nature").confirmed == 1


def everything_about(registration: str) -> Iterator[str]:
    """The keys of the rows in which a registration's id stands, but for the mail that says it was erased."""
    for pk, items in stored_table().items.items():
        for sk, item in items.items():
            if registration in str(item.to_json()) and f"erased#{registration}" not in str(sk):
                yield f"{pk} {sk}"


def start_run(table: Table, event: Event) -> Any:
    asked = request_run(table, event, Wish(), actor="o", now=NOW)
    run = claim_run(table, asked, owner="o", lease=timedelta(minutes=5), now=NOW)
    assert run is not None
    return run


def programmes(event: Event, run: Any, people: list[Registration]) -> list[Programme]:
    return [Programme(event=event.id, run=run.number, registration=one.id, workshops=WORKSHOPS) for one in people]


def draft_of(table: Table, event: Event) -> Any:
    run = start_run(table, event)
    everybody = list(registrations_of(table, event.id))
    store_programmes(table, programmes(event, run, everybody))
    digest = input_now(event, read_state(table, event.id), run, everybody, {})
    return finish_run(table, event, run, {"input_digest": digest}, now=NOW)


def publish_all(table: Table, event: Event) -> None:
    everybody = list(registrations_of(table, event.id))
    run = publish(table, event, draft_of(table, event), everybody, actor="o", now=NOW, afterwards="keep")
    write_programme_mails(table, event, run, everybody, now=NOW)


def test_who_is_erased_stands_in_no_row(table: Table, event: Event, client: UnreliableClient) -> None:
    for number in range(3):
        join(table, event, number)
    remind(table, event.id, person(table, 1).id, "link", now=NOW)
    publish_all(table, event)
    erased = person(table, 1)
    assert len(list(everything_about(erased.id))) >= 5  # the search finds
    asked: list[str] = []
    client.before = lambda operation, arguments: asked.append(str(arguments)) if operation == "query" else None

    erase(table, erased, now=NOW)

    assert list(everything_about(erased.id)) == []
    assert [query for query in asked if erased.id not in query] == []  # no partition is read whole


def test_who_is_erased_while_a_run_is_at_it_gets_no_programme(
    table: Table, event: Event, meanwhile: Callable[..., None]
) -> None:
    for number in range(3):
        join(table, event, number)
    run, everybody = start_run(table, event), list(registrations_of(table, event.id))
    erased = person(table, 1)
    meanwhile(lambda: erase(table, erased, now=NOW), before="PROGRAMME#")

    store_programmes(table, programmes(event, run, everybody))

    assert list(everything_about(erased.id)) == []


def test_a_run_that_begins_during_an_erasure_leaves_no_programme(
    table: Table, event: Event, meanwhile: Callable[..., None]
) -> None:
    for number in range(3):
        join(table, event, number)
    erased = person(table, 1)
    meanwhile(lambda: draft_of(table, event), before="erased#")

    erase(table, erased, now=NOW)

    assert list(everything_about(erased.id)) == []


def test_a_publication_during_an_erasure_leaves_no_mail(
    table: Table, event: Event, meanwhile: Callable[..., None]
) -> None:
    for number in range(3):
        join(table, event, number)
    erased = person(table, 1)
    meanwhile(lambda: publish_all(table, event), before="erased#")

    erase(table, erased, now=NOW)

    assert list(everything_about(erased.id)) == []


def test_who_is_erased_while_a_publication_is_at_it_gets_no_mail(
    table: Table, event: Event, meanwhile: Callable[..., None]
) -> None:
    for number in range(3):
        join(table, event, number)
    erased = person(table, 1)
    meanwhile(lambda: erase(table, erased, now=NOW), before="programme#1#")

    publish_all(table, event)

    assert list(everything_about(erased.id)) == []


def test_a_link_that_is_sent_again_during_an_erasure_leaves_no_mail(
    table: Table, event: Event, meanwhile: Callable[..., None]
) -> None:
    erased = join(table, event, 1)
    meanwhile(lambda: remind(table, event.id, erased.id, "link", now=NOW), before="erased#")

    erase(table, erased, now=NOW)
    remind(table, event.id, erased.id, "link", now=NOW)

    assert list(everything_about(erased.id)) == []
