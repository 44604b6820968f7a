"""P20: an event whose stored file cannot be read keeps no other event waiting and loses nothing that is due for it."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from shared.errors import UnreadableEventError
from shared.events import put_event, read_event
from shared.letters.compose import compose
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import register, registrations_of
from shared.state import read_state
from shared.table import EVENTS_PK, Table, update
from shared.tokens import Keys
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import CONTEXT, Clock
from tests.support.mail_pipeline import Road
from tests.support.mail_samples import read, text_of
from tests.support.organiser_client import Client

pytestmark = pytest.mark.promise("P20")


@pytest.fixture
def broken(table: Table) -> Event:
    """A second event, listed before the good one, with a row that this version cannot read."""
    event = make_event(id="a-broken-one")
    put_event(table, event, actor="test", now=NOW)
    table.write(update(EVENTS_PK, event.id, assign={"document": '{"id": "a-broken-one", "rounds": 3}'}))
    return event


def test_the_pages_show_the_other_events_and_say_that_this_one_cannot_be_read(
    event: Event, broken: Event, organiser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.register import app

    monkeypatch.setattr("functions.register.web.clock", lambda: NOW)
    web = Web(app.handler)

    listed = web.get("/")
    assert [one["id"] for one in listed.json["events"]] == ["nature"]
    refused = web.get(f"/events/{broken.id}")
    assert (refused.status, refused.json["error"]) == (503, "unreadable-event")
    assert organiser.get("/organise").status == 200
    assert organiser.get(f"/organise/{broken.id}").status == 503


def test_the_others_are_allocated_and_looked_after_and_nothing_due_is_dropped(
    table: Table, keys: Keys, event: Event, broken: Event, allocate: ModuleType
) -> None:
    for number in range(1, 5):
        register(table, event, make_registration(number=number, id=f"p{number}"), now=NOW)
    due = {item["task"] for part in ("allocate", "upkeep") for item in table.due(part, "9999") if is_of(item, broken)}

    with pytest.raises(RuntimeError, match="1 of 2 tasks failed"):
        allocate.work_through(event.allocates_at)
    road = Road(table, keys, "nature", Clock(event.allocates_at))
    with road.open(), pytest.raises(RuntimeError, match="steps failed"):
        road.upkeep.handler({"trigger": "schedule"}, CONTEXT)

    assert read_state(table, "nature").published_run == 1
    assert road.measured["EventsUnreadable"] == 1
    left = {item["task"] for part in ("allocate", "upkeep") for item in table.due(part, "9999") if is_of(item, broken)}
    assert left == due


def test_an_organiser_whose_only_event_cannot_be_read_signs_in_and_puts_the_file_again(
    table: Table, keys: Keys, app: ModuleType
) -> None:
    """By the addresses in the stored file, whatever else is wrong with it; nobody else comes in by that way."""
    event = make_event(door_emails=["door@example.org"])
    put_event(table, event, actor="test", now=NOW)
    document = json.loads(event.model_dump_json()) | {"rounds": 3}
    table.write(update(EVENTS_PK, event.id, assign={"document": json.dumps(document)}))
    register(table, event, make_registration(), now=NOW)
    client = Client(app, table, keys)

    client.ask_link(event, "organiser@example.org")
    (mail,) = (one for one in mails_of(table, event.id) if one.kind == "sign-in")
    letter = compose(table, keys, mail, now=NOW)
    assert letter.to == "organiser@example.org"
    assert "/organise/sign-in/" in text_of(read(letter.raw))
    browser = client.sign_in_browser(event)
    listed = browser.page("/organise").text
    shown = browser.page("/organise/nature/file")
    assert 'href="/organise/nature/file"' in listed
    assert "Nature connectivity" in listed
    assert "cannot be read" in shown.text
    assert (browser.page("/organise/nature").status, browser.page("/organise/nature/people").status) == (503, 503)
    wrong = browser.submit("/organise/nature/file", {"text": json.dumps(document)})
    assert (wrong.status, "rounds" in wrong.text) == (422, True)
    other = browser.submit("/organise/nature/file", {"text": event.model_dump_json().replace("nature", "other", 1)})
    assert other.status == 422

    helper = Client(app, table, keys).sign_in_browser(event, "door@example.org")
    assert helper.page("/organise/nature/file").status == 403
    mended = browser.submit("/organise/nature/file", {"text": event.model_dump_json()})

    assert mended.status == 303
    assert read_event(table, event.id) == event
    assert browser.page("/organise/nature").status == 200
    assert len(list(registrations_of(table, event.id))) == 1


@pytest.mark.parametrize(
    "document", ["", "[]", "{", '{"organiser_emails": 5}', '{"organiser_emails": [5], "title": [], "contact": 1}']
)
def test_a_file_without_addresses_lets_nobody_in_and_breaks_no_sign_in(
    table: Table, keys: Keys, app: ModuleType, document: str
) -> None:
    put_event(table, make_event(), actor="test", now=NOW)
    table.write(update(EVENTS_PK, "nature", assign={"document": document}))

    asked = Client(app, table, keys).post("/organise/sign-in", {"email": "organiser@example.org"})

    assert asked.status == 202
    assert list(mails_of(table, "nature")) == []


def test_putting_the_file_again_mends_it_and_takes_nothing_from_those_registered(table: Table, broken: Event) -> None:
    register(table, broken, make_registration(event=broken.id), now=NOW)
    with pytest.raises(UnreadableEventError):
        read_event(table, broken.id)

    put_event(table, broken, actor="test", now=NOW)

    assert read_event(table, broken.id) == broken
    assert len(list(registrations_of(table, broken.id))) == 1


def is_of(item: dict[str, object], event: Event) -> bool:
    """Whether a task belongs to this event."""
    return item["event"] == event.id
