"""After closing an attendee can say more than "I withdraw": a round is given up, details and ranking change."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from icalendar import Calendar

from functions.allocate import app as allocator
from functions.organise import dashboard
from functions.organise.door import guests, workshops
from functions.register import app as register_app
from functions.register import web
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, RegistrationState, utc
from shared.registrations import erase, read_registration
from shared.runs import Wish, programmes_of, request_run
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import make_event, make_registration
from tests.support.forms import read_form, read_forms
from tests.support.mail_samples import FIRST, SECOND, Letters, entry_of, text_of
from tests.support.organiser_client import fill, words_of

RULES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00"}
CLOSED = datetime.fromisoformat("2026-04-02T10:00:00+00:00")


class Site(Web):
    """The attendees' pages at a moment of the test, and the links of its people."""

    now = CLOSED


@pytest.fixture
def event(table: Table) -> Event:
    """Seats for one in each workshop of vision, and rankings that may change until the 10th."""
    event = make_event(
        registration={**RULES, "changes_until": "2026-04-10 12:00"},
        capacities={"vision": {"first": 1, "second": 1}},
        questions=[{"id": "diet", "kind": "text", "label": "Diet"}],
    )
    put_event(table, event, actor="o", now=CLOSED)
    return event


@pytest.fixture
def letters(table: Table, keys: Keys, event: Event) -> Letters:
    """Two people with published programmes; the first has vision in the second round."""
    people = [make_registration(number=number, id=f"a{number}") for number in (1, 2)]
    fill(table, event, people, CLOSED)
    letters = Letters(table, keys, event, now=CLOSED)
    letters.publish(1, {"a1": SECOND, "a2": FIRST})
    return letters


@pytest.fixture
def site(table: Table, keys: Keys, letters: Letters, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name, value in {"table": table, "keys": keys, "clock": lambda: Site.now}.items():
        monkeypatch.setattr(web, name, value)
    monkeypatch.setattr(Site, "now", CLOSED)
    return Site(register_app.handler)


@pytest.fixture
def link(keys: Keys) -> str:
    return f"/r/{sign_link(keys, 'nature', 'a1', 1)}"


def heads(table: Table, event: Event) -> dict[str, int]:
    return {f"{one.theme.id}@{one.round.id}": len(one.guests) for one in workshops(event, guests(table, event))}


def sequence(entry: bytes | None) -> tuple[int, bool]:
    [found] = Calendar.from_ical(entry or b"").walk("VEVENT")
    return int(str(found["SEQUENCE"])), "Vision" in str(found["DESCRIPTION"])


def test_a_round_is_given_up_and_everything_agrees_and_taken_back_while_the_seat_is_free(
    site: Site, link: str, table: Table, event: Event, letters: Letters
) -> None:
    """Programme, door list, calendar with a higher SEQUENCE, the mail, and the workshop's numbers."""
    assert sequence(site.visit(f"{link}/programme.ics").body) == (1, True)
    assert heads(table, event)["vision@second"] == 1
    assert "I cannot come to this round" in site.visit(link).text

    Site.now = CLOSED + timedelta(minutes=1)
    answer = site.submit(f"{link}/rounds", {"absent": "second"})
    assert "is free for another person" in site.visit(answer.location).text
    assert site.post(f"{link}/rounds", {"absent": "second"}).status == 200  # pressed twice
    overview = dashboard.as_shown(event, dashboard.read_overview(table, event, CLOSED))
    assert any("1 person gave up the seat of a round" in found["what"] for found in overview["attention"])

    assert heads(table, event).get("vision@second", 0) == 0
    assert site.call("GET", link).json["absent"] == ["second"]
    assert sequence(site.visit(f"{link}/programme.ics").body) == (2, False)
    letter = letters.write("programme#a1#own-1")
    assert "Vision" not in text_of(letter)
    assert sequence(entry_of(letter)) == (2, False)

    site.submit(f"{link}/rounds", {"present": "second"})
    assert heads(table, event)["vision@second"] == 1
    assert sequence(site.visit(f"{link}/programme.ics").body) == (3, True)
    person = read_registration(table, "nature", "a1")
    assert person
    assert (person.absent, person.gave_up) == ([], {})
    erase(table, person, now=CLOSED)
    assert [mail.id for mail in mails_of(table, "nature") if mail.registration == "a1" and mail.kind != "erased"] == []


def test_a_workshop_that_was_called_off_is_shown_as_such_until_another_programme_is_published(
    site: Site, link: str, table: Table, event: Event
) -> None:
    """On the own page, in its JSON and in the calendar, with what happens next."""
    seats = {**event.capacities, "vision": {"first": 1, "second": 0}}
    put_event(table, event.model_copy(update={"capacities": seats}), actor="o", now=CLOSED)

    page = words_of(site.visit(link).text)

    assert "at 14:20 does not take place. A mail tells you what comes in its place" in page
    shown = site.call("GET", link).json["programme"]["workshops"]
    assert [one["called_off"] for one in shown] == [False, True]
    [entry] = Calendar.from_ical(site.visit(f"{link}/programme.ics").body or b"").walk("VEVENT")
    assert "at 14:20 does not take place." in str(entry["DESCRIPTION"])


def test_a_seat_that_another_person_has_by_now_is_not_given_back(
    site: Site, link: str, table: Table, letters: Letters, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that keeps uses the seat and gives the first person nothing in that round."""
    assert site.post(f"{link}/rounds", {"absent": "second"}).status == 200
    fill(table, event, [make_registration(number=3, id="a3", pinned={"second": "vision"})], CLOSED)
    monkeypatch.setattr(allocator, "table", table)
    allocator.carry_out(event, request_run(table, event, Wish(mode="keep"), actor="o", now=CLOSED), CLOSED)
    found = programmes_of(table, "nature", read_state(table, "nature").runs)
    assert found["a3"].workshops["second"] == "vision"
    assert list(found["a1"].workshops) == ["first"]
    letters.publish(2, {one: programme.workshops for one, programme in found.items()}, before=1)
    assert "gave up" not in str(dashboard.read_overview(table, event, CLOSED).attention)  # the run knew of it

    refused = site.post(f"{link}/rounds", {"present": "second"})

    assert (refused.status, "taken by another person" in refused.text) == (409, True)
    Site.now = event.on_the_day(event.rounds[0].start)
    assert site.post(f"{link}/rounds", {"absent": "first"}).status == 409


def test_name_and_answers_change_until_the_day_is_over_and_the_ranking_as_long_as_the_event_allows(
    site: Site, link: str, table: Table, event: Event
) -> None:
    page = site.visit(link).text
    assert "Your ranking can change until" in page
    assert "the programme that you have stays as it is" in page
    ranking = ["wildlife", "vision", "governance", "resources"]
    sent = {"name": "Zoë", "choices": ranking}
    for kept in ({"email": "other@example.org"}, {"partner_type": "research"}):
        assert site.post(link, {**sent, **kept, "answers": {}}).status == 409

    assert site.post(link, {**sent, "answers": {"diet": "no nuts"}}).status == 200

    person = read_registration(table, "nature", "a1")
    assert person
    assert (person.name, person.answers, person.choices) == ("Zoë", {"diet": "no nuts"}, ranking)
    assert (person.email, person.partner_type, person.new_email) == ("person1@example.org", "ngo", "")

    Site.now = event.moment(datetime(2026, 4, 10, 12, 1))
    assert "Your ranking can change" not in site.visit(link).text
    assert site.post(link, {"name": "Zoé", "answers": {}}).status == 200
    assert site.post(link, {"name": "", "answers": {}}).status == 422
    late = {
        "name": "Zoé",
        "choice-1": "vision",
        "choice-2": "resources",
        "choice-3": "wildlife",
        "choice-4": "governance",
    }
    refused = site.submit(link, late)
    assert (refused.status, refused.text.count("<li>Resources</li>")) == (409, 2)  # typed, and as it stays
    after = read_registration(table, "nature", "a1")
    assert after
    assert (after.name, after.choices) == ("Zoé", ranking)
    Site.now = event.ends_at + timedelta(minutes=1)
    assert site.post(link, {"name": "Late"}).status == 409


def test_the_form_after_closing_saves_details_whatever_ranking_is_stored(
    site: Site, keys: Keys, table: Table, event: Event
) -> None:
    """A browser's form has no ranking then; organisers may have added people without one, or themes since."""
    Site.now = event.moment(datetime(2026, 4, 10, 12, 1))
    fill(table, event, [make_registration(number=7, id="a7", choices=[])], CLOSED)
    themes = [*(theme.model_dump() for theme in event.themes), {"id": "fifth", "title": "Fifth", "capacity": 9}]
    put_event(table, Event.model_validate({**event.model_dump(), "themes": themes}), actor="o", now=CLOSED)
    for one in ("a1", "a7"):
        before = read_registration(table, "nature", one)
        assert before

        link = f"/r/{sign_link(keys, 'nature', one, 1)}"
        sent = {**read_form(site.visit(link).text, link).sent, "name": "Zoë"}
        assert (site.submit(link, sent).status, site.post(link, {"name": "Zoé"}).status) == (303, 200)

        after = read_registration(table, "nature", one)
        assert after
        assert (after.name, after.choices) == ("Zoé", before.choices)


def test_a_form_that_is_saved_unchanged_changes_nothing_that_it_does_not_show(
    site: Site, keys: Keys, table: Table, event: Event
) -> None:
    """The organisation of a list, where the form asks none; a seat for which the person is expected is not given up."""
    rules = {**event.registration.model_dump(), "organisation": "not_asked"}
    put_event(table, Event.model_validate({**event.model_dump(), "registration": rules}), actor="o", now=CLOSED)
    fill(table, event, [make_registration(number=8, id="a8", pinned={"first": "vision"})], CLOSED)
    link = f"/r/{sign_link(keys, 'nature', 'a8', 1)}"
    page = site.visit(link).text

    form = read_form(page, link)
    assert site.submit(link, form.sent).status == 303

    after = read_registration(table, "nature", "a8")
    assert after
    assert ("organisation" in form.sent, after.organisation) == (False, "An organisation")
    given_up = {one.sent.get("absent") for one in read_forms(page) if one.action.endswith("/rounds")}
    assert given_up == {"second"}


def test_a_person_who_withdrew_before_the_day_was_cancelled_is_offered_no_place_to_others(
    site: Site, link: str, table: Table, event: Event
) -> None:
    assert site.post(f"{link}/withdrawal").status == 200
    stored = table.get("EVENTS", "nature")
    assert stored
    table.put_all([{**stored, "cancelled_at": utc(CLOSED)}])

    page = site.visit(link).text

    assert "Your place is free" not in page
    assert "The day itself is cancelled since." in page
    person = read_registration(table, "nature", "a1")
    assert person
    assert person.state is RegistrationState.WITHDRAWN


def test_a_registration_form_that_closes_meanwhile_loses_nothing_that_was_typed(site: Site, event: Event) -> None:
    typed = {"name": "Zoë D'Hondt", "email": "zoe@example.org", "partner_type": "ngo", "choice-1": "wildlife"}

    refused = site.submit("/events/nature/registrations", {**typed, "answer-diet": "no nuts"})

    assert refused.status == 409
    assert all(words in refused.text for words in ("What you typed", "Zoë D&#39;Hondt", "zoe@example.org", "no nuts"))
    assert "<li>Wildlife</li>" in refused.text
    assert f"mailto:{event.contact}" in refused.text
