"""The day is cancelled: one confirmed act with its exact number of mails, after which everything stands still."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from shared.errors import ConflictError
from shared.events import put_event, read_event
from shared.models import Event, RegistrationState, utc
from shared.registrations import register, registrations_of
from shared.table import Table
from shared.tasks import ALLOCATE_DUE, task
from shared.tokens import Keys, sign_link
from shared.waiting_list import accept_offer
from tests.support.attendee_client import Web
from tests.support.factories import NOW, event_data, make_registration
from tests.support.organiser_client import Client, fill

HOME = "/organise/nature"
STATES = ("confirmed", "confirmed", "offered", "waiting", "withdrawn")

pytestmark = pytest.mark.promise("P18")


@pytest.fixture
def attendee(app: ModuleType, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A browser in front of the attendees' pages."""
    from functions.register import app as register_app
    from functions.register import web

    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    return Web(register_app.handler)


@pytest.fixture
def people(table: Table, event: Event) -> None:
    """Four people who are told of a cancellation, and one who withdrew."""
    crowd = [
        make_registration(number=number, id=f"p{number}", state=RegistrationState(state), offer_expires_at=utc(NOW))
        for number, state in enumerate(STATES)
    ]
    fill(table, event, crowd, NOW)


@pytest.mark.usefixtures("people")
def test_the_day_is_cancelled_with_the_number_of_mails_that_the_page_shows(browser: Client, organiser: Client) -> None:
    page = browser.page(f"{HOME}/cancellation").text
    assert "Cancel the day and send 4 mails" in page
    assert "Registered: 2, Place offered: 1, Waiting: 1" in page

    assert organiser.post(f"{HOME}/cancellation", {}).status == 422
    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": 3}).status == 409
    assert not organiser.get(f"{HOME}/cancellation").json["cancelled"]

    answer = browser.submit(f"{HOME}/cancellation", {"expected_mails": "4"})
    assert "The day is cancelled: 4 mails to write" in browser.page(answer.headers["location"]).text
    assert organiser.get(f"{HOME}/cancellation").json == {
        "cancelled": True,
        "mails": 4,
        "undo": {"mails": 0, "on_their_way": 0, "held": 0},
    }
    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": 4}).status == 409
    assert len(organiser.get(f"{HOME}/people").json["people"]) == len(STATES)


@pytest.mark.usefixtures("people")
def test_nothing_goes_on_after_a_day_was_cancelled(
    organiser: Client, attendee: Web, allocate: ModuleType, table: Table, keys: Keys, event: Event
) -> None:
    stale = read_event(table, "nature")
    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": 4}).status == 200

    put_event(table, Event.model_validate(event_data(title="Another title")), actor="o", now=NOW)
    cancelled = read_event(table, "nature")
    assert stale
    assert cancelled
    assert (stale.cancelled, cancelled.cancelled, cancelled.title) == (False, True, "Another title")
    assert organiser.post(f"{HOME}/allocations", {}).status == 409
    table.write(task("nature", "allocation", ALLOCATE_DUE, NOW))
    allocate.work_through(NOW + timedelta(minutes=1))
    assert [row["task"] for row in table.query("EVENT#nature", "TASK#")] == ["cancellation", "retention", "sensitive"]
    offered = next(one for one in registrations_of(table, "nature") if one.state is RegistrationState.OFFERED)
    with pytest.raises(ConflictError, match="cancelled"):
        accept_offer(table, cancelled, offered, now=NOW)
    with pytest.raises(ConflictError, match="cancelled"):
        register(table, cancelled, make_registration(number=9), now=NOW)

    def says(address: str) -> Any:
        page = attendee.visit(address)
        return page.status, "This day is cancelled" in page.text, "<form method" in page.text.split("leave-title")[0]

    assert says("/events/nature") == (200, True, False)
    assert says(f"/r/{sign_link(keys, 'nature', 'p0', 1)}") == (200, True, False)
    assert says(f"/r/{sign_link(keys, 'nature', 'p2', 1)}") == (200, True, False)
    assert attendee.get("/events/nature").json["registration"]["phase"] == "cancelled"
    assert "METHOD:CANCEL" in attendee.get(f"/r/{sign_link(keys, 'nature', 'p0', 1)}/programme.ics").text
