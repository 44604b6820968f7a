"""The promises on the deployed template: real HTTP, real event sources, the functions' own permissions."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from infra.cloud.embedded import client
from infra.demo.attendees import make_attendees
from infra.demo.http_client import Answer
from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import sign_in
from shared.models import Event
from shared.registrations import registrations_of
from shared.runs import runs_of
from shared.state import read_state
from tests.journey.conftest import Open, close, mails_of_kind, register_crowd, settle

AT_ONCE = 40
WORKERS = 4
SCHEDULE_SECONDS = 150.0
LAST = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"}
TURNS = int(os.environ.get("PARCOURS_TURNS", "1"))
"""How often forty arrive at once; 25 in the sweep."""


@pytest.fixture
def few_workers(deployment: LocalDeployment) -> Iterator[None]:
    """As the template reserves on AWS, but fewer: each is a process here. Requests beyond them get a 429."""
    functions = client("lambda", deployment.cloud.endpoint_url)
    name = deployment.stack.outputs["RegisterFunction"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=WORKERS)
    yield
    functions.delete_function_concurrency(FunctionName=name)


def together(count: int, ask: Callable[[int], Answer]) -> list[Answer]:
    """Ask so many times at the same moment."""
    barrier, ends = Barrier(count), time.monotonic() + 60

    def one(number: int) -> Answer:
        barrier.wait()
        while (answer := ask(number)).status == 429 and time.monotonic() < ends:
            time.sleep(random.uniform(0.05, 0.3))  # as browsers and people do
        return answer

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def register_all_at_once(deployment: LocalDeployment, event: Event, *, one_address: bool) -> list[Answer]:
    """Forty forms, for forty people or all for the first one's address."""
    people = make_attendees(event, AT_ONCE, event.id)

    def ask(number: int) -> Answer:
        form = people[number].form()
        if one_address:
            form["email"] = people[0].email
        return deployment.http.post(f"/events/{event.id}/registrations", form)

    return together(AT_ONCE, ask)


@pytest.mark.promise("P1")
@pytest.mark.usefixtures("few_workers")
@pytest.mark.parametrize("turn", range(TURNS))
def test_forty_at_once_for_the_last_seats(deployment: LocalDeployment, open_event: Open, turn: int) -> None:
    """P1: exactly as many are confirmed as there are seats, everybody else waits, nobody is lost."""
    event = open_event(registration={**LAST, "capacity": 1 + turn % 3})

    answers = register_all_at_once(deployment, event, one_address=False)

    answered = Counter(answer.status for answer in answers)
    states = Counter(one.state.value for one in registrations_of(deployment.table, event.id))
    assert set(answered) <= {202, 409}, answered  # 409: so many at once; the form comes back and is sent again
    assert states["confirmed"] == event.capacity
    assert sum(states.values()) == answered[202]
    assert (read_state(deployment.table, event.id).confirmed, read_state(deployment.table, event.id).waiting) == (
        states["confirmed"],
        states["waiting"],
    )
    settle(deployment, event, answered[202])
    assert Counter(mail.kind for mail in deployment.mails(event.id)) == Counter(
        {"confirmation": states["confirmed"], "waiting-list": states["waiting"]}
    )


@pytest.mark.promise("P1")
@pytest.mark.usefixtures("few_workers")
@pytest.mark.parametrize("turn", range(TURNS))
def test_forty_at_once_with_one_address(deployment: LocalDeployment, open_event: Open, turn: int) -> None:
    """P1: one registration, and one mail of each kind to its holder."""
    event = open_event()

    answers = register_all_at_once(deployment, event, one_address=True)

    assert {(answer.status, answer.body) for answer in answers} == {(202, answers[0].body)}
    assert len(list(registrations_of(deployment.table, event.id))) == 1
    settle(deployment, event, 2)
    kinds = Counter(mail.kind for mail in deployment.mails(event.id))
    assert kinds == {"confirmation": 1, "already-registered": 1}


@pytest.mark.promise("P5")
@pytest.mark.sweep  # five copies of the allocator; the schedule's ten triggers are in test_allocating
def test_the_schedule_and_an_organiser_at_once_make_one_programme_each(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """P5: five triggers of the schedule and five wishes of an organiser in the same moment, nobody mailed twice."""
    event = open_event(registration={**LAST, "capacity": 8})
    register_crowd(deployment, event, 8)
    session = sign_in(deployment, event.organiser_emails[0])
    event = close(deployment, event)
    functions = client("lambda", deployment.cloud.endpoint_url)
    name = deployment.stack.outputs["AllocateFunction"]

    def ask(number: int) -> Answer:
        if number % 2:
            wish = {"mode": "fresh", "seed": "a seed"}
            return deployment.http.post(f"/organise/{event.id}/allocations", wish, headers=session)
        told = functions.invoke(FunctionName=name, Payload=b'{"trigger": "schedule"}')
        return Answer(200 if "FunctionError" not in told else 500, {}, told["Payload"].read())

    answers = together(10, ask)

    assert {answer.status for answer in answers} <= {200, 202, 409}, [answer.text for answer in answers]
    deployment.wait_for("the publication", lambda: is_published(deployment, event), SCHEDULE_SECONDS)
    deployment.wait_for("its mails", lambda: len(deployment.mails(event.id, "programme")) == 8, SCHEDULE_SECONDS)
    settle(deployment, event, 16)
    published = [run for run in runs_of(deployment.table, event.id) if run.published_at]
    assert len(published) == 1
    assert Counter(mail.to for mail in mails_of_kind(deployment, event, "programme")) == dict.fromkeys(
        {one.email for one in registrations_of(deployment.table, event.id)}, 1
    )
    assert deployment.mails(event.id, "programme-changed") == []


def is_published(deployment: LocalDeployment, event: Event) -> bool:
    state = read_state(deployment.table, event.id)
    return state.published_run > 0 and not state.publishing_run
