"""Reads are bounded too: a cap on what one source may ask for, and no partition read for one waiting person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.register import app as register_app
from functions.register import web as register_web
from shared import limits
from shared.models import Event, RegistrationState
from shared.registrations import register, save
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.crash_points import Faults
from tests.support.factories import NOW, make_registration
from tests.support.organiser_client import Client

pytestmark = pytest.mark.promise("P22")

CAP = 3


@pytest.fixture
def web(table: Table, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Attendees' pages ten seconds before a full minute, with a low cap."""
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW - timedelta(seconds=10)}.items():
        monkeypatch.setattr(register_web, name, value)
    monkeypatch.setattr(register_web, "COSTLY_READS_A_MINUTE", CAP)
    return Web(register_app.handler)


def test_a_source_that_reads_too_much_is_told_when_to_come_back_and_others_are_not_stopped(
    web: Web, table: Table, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of all events, the outcome of a draw and a calendar file count together; the form never does."""
    person = register(table, event, make_registration(id="p1"), now=NOW)[0]
    calendar = f"/r/{sign_link(keys, event.id, person.id, 1)}/programme.ics"
    assert [web.visit(path).status for path in ("/", "/events/nature/allocation", calendar)] == [200, 404, 200]

    for path in ("/", "/events/nature/allocation", calendar):
        page, told = web.visit(path), web.get(path)
        assert (page.status, page.headers["retry-after"]) == (429, "10"), path
        assert "try again in a minute" in page.text
        assert (told.status, told.json["error"], told.headers["retry-after"]) == (429, "too-many-requests", "10")

    assert web.visit("/events/nature").status == 200
    assert web.visit("/", source="192.0.2.8").status == 200
    monkeypatch.setattr(register_web, "clock", lambda: NOW)
    assert web.visit("/").status == 200


def test_a_school_behind_one_address_is_not_stopped_by_normal_use() -> None:
    """A thousand people who open a page within four minutes of the mail."""
    assert limits.COSTLY_READS_A_MINUTE >= 1000 / 4


def test_a_form_past_its_cap_says_when_it_may_be_sent_again(
    web: Web, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_web, "cap_an_hour", 0)

    answer = web.post("/events/nature/links", {"email": "person1@example.org"})

    assert (answer.status, answer.headers["retry-after"]) == (429, "10")


def test_the_page_of_a_waiting_person_reads_no_partition(web: Web, table: Table, keys: Keys, event: Event) -> None:
    person = register(table, event, make_registration(id="p1"), now=NOW)[0]
    save(table, person, {"state": RegistrationState.WAITING}, now=NOW)
    own = f"/r/{sign_link(keys, event.id, person.id, 1)}"

    with Faults(table._client).at() as calls:
        assert "waiting list" in web.visit(own).text

    assert set(calls.calls) == {"GetItem"}


def test_downloads_of_whole_lists_are_capped_for_each_organiser(
    organiser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.organise.sessions.EXPORTS_A_MINUTE", 1)
    assert organiser.get("/organise/nature/people.csv").status == 200

    answer = organiser.get("/organise/nature/PEOPLE.csv")

    assert (answer.status, answer.headers["retry-after"]) == (429, "60")


def test_what_is_counted_is_kept_under_a_keyed_digest(web: Web, table: Table, keys: Keys) -> None:
    """A guess of an address cannot be confirmed from a counter: with another key the rows are others."""
    web.post("/events/nature/links", {"email": "person1@example.org"})
    first = {row["sk"] for row in table.query("LIMIT")}
    keys._keys = ["another key" * 6]
    web.post("/events/nature/links", {"email": "person1@example.org"})
    second = {row["sk"] for row in table.query("LIMIT")} - first

    kinds = [{sk.split("#")[0] for sk in rows} - {"nobody"} for rows in (first, second)]
    assert kinds == [{"register", "mailbox", "link"}] * 2
