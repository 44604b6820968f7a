"""One deployed stack for all journeys of a session; each journey has an event of its own on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.cloud.embedded import free_port
from infra.demo.attendees import Person, make_attendees, register_all
from infra.demo.local_stack import LocalDeployment, closing, local_deployment, soon
from infra.demo.mailbox import SentMail
from shared.models import Event
from tests.support.factories import make_event

MAIL_SECONDS = 60.0

Open = Callable[..., Event]

_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the stack, and one worker of the session keeps it."""
    for item in items:
        if "journey" in item.path.parts:
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def deployment() -> Iterator[LocalDeployment]:
    """The template, deployed on the embedded cloud with the functions' own permissions enforced."""
    with local_deployment(free_port()) as deployment:
        yield deployment


@pytest.fixture
def open_event(deployment: LocalDeployment) -> Open:
    """Put an event whose registration is open now; its id and its organiser are new: mails to a mailbox are capped."""

    def put(**changes: Any) -> Event:
        number = next(_numbers)
        own = {"id": f"journey-{number}", "organiser_emails": [f"organiser-{number}@example.org"]}
        event = soon(make_event(**(own | changes)), datetime.now(UTC))
        deployment.put(event)
        return event

    return put


def settle(deployment: LocalDeployment, event: Event, mails: int) -> None:
    """Wait until so many mails of an event are written and each of them is sent."""
    deployment.wait_for(
        f"{mails} mails of {event.id}",
        lambda: len(deployment.mails(event.id)) >= mails and not deployment.unsent(event.id),
        MAIL_SECONDS,
    )


def register_crowd(deployment: LocalDeployment, event: Event, count: int) -> list[Person]:
    """Have people register over HTTP and wait for what they are told."""
    people = make_attendees(event, count, event.id)
    before = len(deployment.mails(event.id))
    assert {answer.status for _, answer in register_all(deployment.http, event, people)} <= {202}
    settle(deployment, event, before + count)
    return people


def close(deployment: LocalDeployment, event: Event) -> Event:
    """Close registration, which makes the allocation due."""
    closed = closing(event, datetime.now(UTC))
    deployment.put(closed)
    return closed


def mails_of_kind(deployment: LocalDeployment, event: Event, kind: str) -> list[SentMail]:
    """The mails of one kind that arrived."""
    wanted = {row.message_id for row in deployment.mails(event.id, kind)}
    return [mail for mail in deployment.mailbox.mails if mail.message_id in wanted]
