"""From the deadline to everybody's programme, by the schedule and on demand."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.cloud.embedded import client
from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import ask_for_draft, own_link, publish_draft, sign_in
from infra.demo.outcome import read_outcome
from infra.demo.rerun import run_reallocation
from shared.models import Event
from shared.runs import runs_of
from shared.state import read_state
from tests.journey.conftest import Open, close, mails_of_kind, register_crowd, settle

PEOPLE = 24
SCHEDULE_SECONDS = 150.0


def invoke(deployment: LocalDeployment, payload: dict[str, Any]) -> dict[str, Any]:
    """Invoke the allocator as `aws lambda invoke` does."""
    function = deployment.stack.outputs["AllocateFunction"]
    functions = client("lambda", deployment.cloud.endpoint_url)
    answer = functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()
    return dict(json.loads(answer["Payload"].read()))


def published(deployment: LocalDeployment, event: Event) -> bool:
    """Whether a run is published and all its mails are written."""
    state = read_state(deployment.table, event.id)
    return state.published_run > 0 and not state.publishing_run


@pytest.fixture
def ready(deployment: LocalDeployment, open_event: Open) -> Event:
    """An event with people, registration closed, the allocation due."""
    event = open_event(registration={"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": PEOPLE})
    register_crowd(deployment, event, PEOPLE)
    return close(deployment, event)


def test_the_schedule_allocates_and_everybody_gets_a_programme(deployment: LocalDeployment, ready: Event) -> None:
    """Nobody does anything; `verify` agrees with what comes out."""
    deployment.wait_for("the schedule", lambda: published(deployment, ready), SCHEDULE_SECONDS)
    settle(deployment, ready, 2 * PEOPLE)

    outcome = read_outcome(deployment, ready)
    assert outcome.good, outcome
    assert outcome.programmes == PEOPLE
    mails = mails_of_kind(deployment, ready, "programme")
    assert len({mail.to for mail in mails}) == len(mails) == PEOPLE
    assert all("SEQUENCE:" in mail.calendar for mail in mails)


@pytest.mark.promise("P5")
def test_it_does_not_matter_how_often_the_schedule_fires(deployment: LocalDeployment, ready: Event) -> None:
    """Ten at once: one run, one publication, one mail each."""
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: invoke(deployment, {"trigger": "schedule"}), range(10)))
    deployment.wait_for("the publication", lambda: published(deployment, ready), SCHEDULE_SECONDS)
    settle(deployment, ready, 2 * PEOPLE)
    invoke(deployment, {"trigger": "schedule"})

    runs = [(run.number, run.state.value, run.error) for run in runs_of(deployment.table, ready.id)]
    assert [number for number, _, _ in runs] == [1], runs
    assert len(mails_of_kind(deployment, ready, "programme")) == PEOPLE


def test_people_leave_and_come_and_only_those_who_move_are_told(deployment: LocalDeployment, ready: Event) -> None:
    """The organiser's keep run, from the mailed sign-in link to the last mail."""
    invoke(deployment, {"trigger": "schedule"})
    deployment.wait_for("the publication", lambda: published(deployment, ready), SCHEDULE_SECONDS)
    settle(deployment, ready, 2 * PEOPLE)

    figures = run_reallocation(deployment, ready, "a seed", lambda _line: None)

    assert figures["good"], figures
    assert (figures["withdrawn"], figures["late"]) == (10, 5)


def test_a_publication_needs_the_number_of_mails_it_writes(deployment: LocalDeployment, ready: Event) -> None:
    """A wrong number is refused and nothing is published; the right one publishes."""
    invoke(deployment, {"trigger": "schedule"})
    deployment.wait_for("the publication", lambda: published(deployment, ready), SCHEDULE_SECONDS)
    settle(deployment, ready, 2 * PEOPLE)
    before = read_state(deployment.table, ready.id).published_run
    session = sign_in(deployment, ready.organiser_emails[0])
    draft = invoke(deployment, {"event": ready.id, "mode": "fresh", "seed": "another"})
    address = f"/organise/{ready.id}/allocations/{draft['run']}/publication"

    refused = deployment.http.post(address, {"expected_mails": draft["mails"] + 1}, headers=session)
    assert refused.status == 409
    assert read_state(deployment.table, ready.id).published_run == before

    shown = publish_draft(deployment, ready, session, ask_for_draft(deployment, ready, session, mode="keep"))
    assert shown["mails"] == 0  # nothing changed, so nobody moves and nobody hears of it
    assert read_state(deployment.table, ready.id).published_run == shown["number"]


def test_the_own_page_shows_the_programme_once_it_is_published(deployment: LocalDeployment, ready: Event) -> None:
    """What the mail says, the page says."""
    invoke(deployment, {"trigger": "schedule"})
    deployment.wait_for("the publication", lambda: published(deployment, ready), SCHEDULE_SECONDS)
    settle(deployment, ready, 2 * PEOPLE)
    mail = mails_of_kind(deployment, ready, "programme")[0]

    own = deployment.http.get(own_link(deployment, mail.to)).json

    assert len(own["programme"]["workshops"]) == 2
    for workshop in own["programme"]["workshops"]:
        assert workshop["title"] in mail.text


@pytest.mark.promise("P8")
def test_nobody_organises_without_signing_in(deployment: LocalDeployment, open_event: Open) -> None:
    """No session, a forged one, and an address that organises nothing."""
    event = open_event()
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Cookie": "parcours=nonsense"}):
        assert deployment.http.get(f"/organise/{event.id}", headers=headers).status == 401
        assert deployment.http.post(f"/organise/{event.id}/allocations", {}, headers=headers).status == 401

    before = len(deployment.mailbox.mails)
    assert deployment.http.post("/organise/sign-in", {"email": "stranger@example.org"}).status == 202
    assert deployment.http.post("/organise/sign-in", {"email": event.organiser_emails[0]}).status == 202
    deployment.wait_for("the organiser's link", lambda: len(deployment.mailbox.mails) > before, 60)
    assert deployment.mailbox.to("stranger@example.org") == []
