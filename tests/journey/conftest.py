"""One deployed stack for all journeys of a session; each journey has an event of its own on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.cloud.embedded import free_port
from infra.demo.attendees import Person, make_crowd, register_all
from infra.demo.local_stack import Running, closing, running, soon
from infra.demo.mailbox import SentMail
from shared.models import Event
from tests.support.factories import make_event

MAIL_SECONDS = 60.0

Open = Callable[..., Event]

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the stack, and one worker of the session keeps it."""
    for item in items:
        if "journey" in item.path.parts:
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def stage() -> Iterator[Running]:
    """The template, deployed on the embedded cloud with the functions' own permissions enforced."""
    with running(free_port()) as stage:
        yield stage


@pytest.fixture
def open_event(stage: Running) -> Open:
    """Put an event whose registration is open now; its id is new."""

    def put(**changes: Any) -> Event:
        event = soon(make_event(id=f"journey-{next(_numbers)}", **changes), datetime.now(UTC))
        stage.put(event)
        return event

    return put


def settle(stage: Running, event: Event, mails: int) -> None:
    """Wait until so many mails of an event are written and each of them is sent."""
    stage.wait_for(
        f"{mails} mails of {event.id}",
        lambda: len(stage.mails(event.id)) >= mails and not stage.unsent(event.id),
        MAIL_SECONDS,
    )


def register_crowd(stage: Running, event: Event, count: int) -> list[Person]:
    """Have people register over HTTP and wait for what they are told."""
    people = make_crowd(event, count, event.id)
    before = len(stage.mails(event.id))
    assert {answer.status for _, answer in register_all(stage.site, event, people)} <= {202}
    settle(stage, event, before + count)
    return people


def close(stage: Running, event: Event) -> Event:
    """Close registration, which makes the allocation due."""
    closed = closing(event, datetime.now(UTC))
    stage.put(closed)
    return closed


def mails_of_kind(stage: Running, event: Event, kind: str) -> list[SentMail]:
    """The mails of one kind that arrived."""
    wanted = {row.message_id for row in stage.mails(event.id, kind)}
    return [mail for mail in stage.mailbox.mails if mail.message_id in wanted]
