"""Addresses that nobody confirmed: what confirms one, what a bounce does to one, and that nobody else notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register_app
from functions.register import web as register_web
from shared import confirmation
from shared.address_change import carry_out
from shared.confirmation import ask_and_release, confirm
from shared.errors import StaleError
from shared.events import put_event, read_event
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import (
    change_address,
    find_by_address,
    mark_bounced,
    read_registration,
    register,
    registrations_of,
    save,
    withdraw,
)
from shared.runs import programmes_of, read_run
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from shared.waiting_list import offer_places
from tests.support.attendee_client import Web
from tests.support.crash_points import Crash, Snapshot
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.fake_ses import CONTEXT, Clock, naming, queue_event, rows, ses_event
from tests.support.forms import read_form
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import Client

pytestmark = pytest.mark.promise("P21")

GONE: dict[str, Any] = {"bounceType": "Permanent", "bounceSubType": "General"}
FULL: dict[str, Any] = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
BODY = {"name": "Ada", "email": "ada@example.org", "partner_type": "ngo", "choices": ["vision", "governance"]}
RANKED = {**BODY, "choices": ["vision", "governance", "resources", "wildlife"]}


@pytest.fixture
def web(table: Table, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Attendees' pages on the table of the test."""
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(register_web, name, value)
    return Web(register_app.handler)


def person(table: Table, registration: str = "p1") -> Registration:
    found = read_registration(table, "nature", registration)
    assert found is not None
    return found


def enter(table: Table, event: Event, number: int = 1, **changes: Any) -> Registration:
    """A person registers by the form, as `new_registration` stores them."""
    draft = make_registration(number=number, id=f"p{number}", confirmed_at=None, **changes)
    return register(table, event, draft, now=NOW + timedelta(seconds=number))[0]


def link_of(keys: Keys, registration: Registration) -> str:
    return f"/r/{sign_link(keys, registration.event, registration.id, registration.link_version)}"


def test_the_form_stores_an_address_as_not_confirmed_and_rows_from_before_count_as_confirmed(
    web: Web, table: Table
) -> None:
    assert web.post("/events/nature/registrations", RANKED).status == 202
    stored = find_by_address(table, "nature", "ada@example.org")
    assert stored is not None
    item = table.get("EVENT#nature", f"REGISTRATION#{stored.id}")
    assert item is not None
    assert (stored.confirmed_at, stored.unconfirmed, item["confirmed_at"]) == (None, True, None)

    del item["confirmed_at"]
    table.put_all([item])

    assert not person(table, stored.id).unconfirmed


def test_opening_the_own_page_confirms_nothing_and_its_button_does(
    web: Web, table: Table, keys: Keys, event: Event
) -> None:
    """Mail scanners follow links; none of them presses a button."""
    own = link_of(keys, enter(table, event))
    page = web.visit(own).text
    assert "This is me" in page
    assert person(table).unconfirmed

    form = read_form(page, "/confirmation")
    answer = web.submit(form.action, form.fields)

    after = web.visit(answer.location).text
    assert not person(table).unconfirmed
    assert "We know now that this address is yours" in after
    assert "This is me" not in after
    assert web.get(own).json["address_confirmed"] is True


def test_every_change_behind_the_own_link_confirms_the_address(
    web: Web, table: Table, keys: Keys, event: Event
) -> None:
    """Also one that is refused or asks once more: only a reader of the mailbox can have sent it."""
    own = link_of(keys, enter(table, event))
    fresh = Snapshot()
    details = {**RANKED, "email": "person1@example.org"}
    acts: dict[str, Callable[[], Any]] = {
        "PUT": lambda: web.call("PUT", own, details),
        "JSON": lambda: web.post(own, details),
        "a form that was opened before": lambda: web.submit(own, read_form(web.visit(own).text, own).fields),
        "a form that is refused": lambda: web.submit(own, {"name": ""}),
        "a withdrawal that asks once more": lambda: web.submit(f"{own}/withdrawal", {}),
        "an erasure that asks once more": lambda: web.submit(f"{own}/erasure", {}),
        "a place that is not offered": lambda: web.post(f"{own}/place"),
    }
    for act, done in acts.items():
        fresh.restore()
        assert done().status < 500, act
        assert not person(table).unconfirmed, act


def test_offers_moves_organisers_and_the_door_confirm_an_address(
    table: Table, event: Event, keys: Keys, web: Web, organiser: Client
) -> None:
    enter(table, event)
    moved = save(table, person(table), {"new_email": "moved@example.org"}, now=NOW)
    assert not carry_out(table, moved, "move", now=NOW).unconfirmed

    known = f"{2:020x}"
    register(table, event, make_registration(number=2, id=known, confirmed_at=None), now=NOW)
    organiser.patch(f"/organise/nature/people/{known}", {"checked_in": True})
    assert not person(table, known).unconfirmed

    added = organiser.post("/organise/nature/people", {**BODY, "email": "added@example.org"})
    assert not person(table, added.json["id"]).unconfirmed

    offered = {"state": RegistrationState.OFFERED, "offer_expires_at": "2026-03-04T10:00:00.000000Z"}
    waiting = save(table, enter(table, event, 3), offered, now=NOW)
    assert web.post(f"{link_of(keys, waiting)}/place").status == 200
    assert not person(table, "p3").unconfirmed


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """A person has registered and not confirmed the address; the confirmation is sent."""
    enter(table, event)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        road.mail.handler(queue_event(*naming("nature", "confirmation#p1")), CONTEXT)
        yield road


def hear(road: Road, **bounce: Any) -> None:
    road.feedback.handler(ses_event("Bounce", road.ses.sent[0], **bounce), CONTEXT)


def test_a_hard_bounce_frees_the_place_of_an_address_that_nobody_confirmed(road: Road, table: Table) -> None:
    """At once, and without one more mail to an address that does not exist."""
    mails = set(rows("nature"))

    hear(road, **GONE)
    hear(road, **GONE)

    assert (person(table).state, person(table).bounced) == (RegistrationState.WITHDRAWN, True)
    assert read_state(table, "nature").confirmed == 0
    assert find_by_address(table, "nature", "person1@example.org") is None
    assert set(rows("nature")) == mails
    assert road.measured["PlacesFreedByBounces"] == 1


@pytest.mark.parametrize(("confirmed_at", "bounce"), [("", GONE), ("2026-03-02T10:00:00.000000Z", GONE), (None, FULL)])
def test_a_confirmed_address_keeps_its_place_after_a_bounce_and_so_does_any_after_a_passing_one(
    road: Road, table: Table, confirmed_at: str | None, bounce: dict[str, Any]
) -> None:
    save(table, person(table), {"confirmed_at": confirmed_at}, now=NOW)

    hear(road, **bounce)

    assert (person(table).state, person(table).bounced) == (RegistrationState.CONFIRMED, True)
    assert read_state(table, "nature").confirmed == 1


def test_a_process_that_dies_while_it_frees_a_place_frees_it_once(road: Road, table: Table) -> None:
    """Before and after every call: the next try of the event finds the place held whole, or free."""
    fresh = Snapshot()
    with road.faults.at() as counted:
        hear(road, **GONE)
    for moment in range(counted.moments):
        fresh.restore()
        with road.faults.at([moment]), pytest.raises(Crash):
            hear(road, **GONE)
        hear(road, **GONE)
        assert (person(table).state, person(table).bounced) == (RegistrationState.WITHDRAWN, True), moment
        assert read_state(table, "nature").confirmed == 0, moment


def test_confirmed_or_not_everybody_is_allocated_alike_but_unconfirmed_addresses_that_bounced(
    table: Table, event: Event, allocate: ModuleType
) -> None:
    for number in range(1, 5):
        enter(table, event, number)
    save(table, person(table, "p2"), {"confirmed_at": "2026-03-02T10:00:00.000000Z"}, now=NOW)
    save(table, person(table, "p3"), {"bounced": True}, now=NOW)
    save(table, person(table, "p4"), {"bounced": True, "confirmed_at": ""}, now=NOW)

    allocate.work_through(event.allocates_at + timedelta(minutes=1))

    state = read_state(table, "nature")
    assert set(programmes_of(table, "nature", state.published_run)) == {"p1", "p2", "p4"}
    run = read_run(table, "nature", state.published_run)
    assert run is not None
    assert run.people == 3


def test_a_place_freed_by_a_bounce_goes_to_the_person_who_waits(road: Road, table: Table, event: Event) -> None:
    """Upkeep offers it."""
    small = event.model_copy(update={"registration": event.registration.model_copy(update={"capacity": 1})})
    waiting = register(table, small, make_registration(number=2, id="p2"), now=NOW)[0]
    assert waiting.state is RegistrationState.WAITING

    hear(road, **GONE)

    assert offer_places(table, small, now=NOW) == 1
    assert person(table, "p2").state is RegistrationState.OFFERED


def test_organisers_see_whom_with_a_place_mail_does_not_reach_and_free_it_by_one_press(
    table: Table, event: Event, app: ModuleType, keys: Keys
) -> None:
    """A confirmed person said that they come: nothing happens by itself, and nobody is mailed in vain."""
    known = f"{1:020x}"
    register(table, event, make_registration(number=1, id=known), now=NOW)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        road.mail.handler(queue_event(*naming("nature", f"confirmation#{known}")), CONTEXT)
        hear(road, **GONE)
    browser = Client(app, table, keys).sign_in_browser(event)
    kept = person(table, known)
    mails = set(rows("nature"))
    free = f"/organise/nature/people/{known}/withdrawal?from=bounced"

    overview = browser.page("/organise/nature").text
    listed = browser.page("/organise/nature/people?state=bounced").text
    freed = browser.submit(free, {})

    assert (kept.state, kept.takes_part) == (RegistrationState.CONFIRMED, True)
    assert "Mail does not reach 1 person who has a place" in overview
    assert f'action="{free}"' in listed
    assert freed.headers["location"] == "/organise/nature/people?state=bounced&notice=withdrawn"
    assert person(table, known).state is RegistrationState.WITHDRAWN
    assert read_state(table, "nature").confirmed == 0
    assert set(rows("nature")) == mails
    assert "Mail does not reach" not in browser.page("/organise/nature").text


def test_a_place_is_offered_to_people_whom_mail_reaches_before_the_others(table: Table) -> None:
    """They would hear of it by their own page alone, and the place be held in vain for two days."""
    event = make_event(registration={**event_data()["registration"], "capacity": 1})
    put_event(table, event, actor="test", now=NOW)
    for number in (1, 2, 3):
        register(table, event, make_registration(number=number, id=f"p{number}"), now=NOW + timedelta(seconds=number))
    mark_bounced(table, person(table, "p2"), now=NOW)

    withdraw(table, person(table, "p1"), now=NOW)
    offer_places(table, event, now=NOW)
    first = person(table, "p2").state, person(table, "p3").state
    withdraw(table, person(table, "p3"), now=NOW)
    offer_places(table, event, now=NOW)

    assert first == (RegistrationState.WAITING, RegistrationState.OFFERED)
    assert person(table, "p2").state is RegistrationState.OFFERED


def test_withdrawing_by_hand_still_tells_the_person(table: Table, event: Event) -> None:
    withdraw(table, enter(table, event), now=NOW)

    assert "withdrawn#p1" in rows("nature")
    assert not person(table).bounced


# --------------------------------------------------------------------------- a nearly full event

PLACES = 4
LATER = NOW + timedelta(hours=25)
TOO_LATE = LATER + timedelta(hours=24)


@pytest.fixture
def full(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """Four places, all taken: two unconfirmed, one confirmed, one young; and one person who waits."""
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": PLACES}
    event = make_event(registration=rules)
    put_event(table, event, actor="test", now=NOW)
    enter(table, event, 1)
    enter(table, event, 2)
    enter(table, event, 3)
    confirm(table, person(table, "p3"), now=NOW)
    enter(table, event, 4, created_at=utc(NOW + timedelta(hours=20)))
    enter(table, event, 5)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        yield road


def upkeep(road: Road, now: datetime) -> None:
    road.clock.now = now
    road.upkeep.offer_free_places(now)


def states(table: Table) -> dict[str, str]:
    return {one.id: one.state.value for one in registrations_of(table, "nature")}


def test_old_unconfirmed_places_of_a_full_event_are_asked_for_once_and_then_go_to_the_person_who_waits(
    full: Road, table: Table
) -> None:
    """As many as people wait, the oldest first; a person who confirms keeps the place."""
    before = states(table)
    upkeep(full, LATER)
    upkeep(full, LATER + timedelta(hours=1))

    assert {key for key in rows("nature") if key.startswith("confirm-place")} == {
        "confirm-place#p1",
        "confirm-place#p2",
    }
    assert states(table) == before
    assert person(table).confirm_by == utc(TOO_LATE)
    assert full.measured["ConfirmationsAsked"] == 2

    upkeep(full, TOO_LATE)
    upkeep(full, TOO_LATE + timedelta(hours=1))

    assert states(table) == {**before, "p1": "withdrawn", "p5": "offered"}
    assert {key for key in rows("nature") if "released" in key} == {"place-released#p1"}
    assert full.measured["UnconfirmedPlacesReleased"] == 1


def test_a_person_who_confirms_in_time_keeps_the_place_and_without_a_person_who_waits_everybody_does(
    full: Road, table: Table
) -> None:
    upkeep(full, LATER)
    confirm(table, person(table), now=LATER)
    withdraw(table, person(table, "p5"), now=LATER)
    kept = states(table)

    upkeep(full, TOO_LATE)

    assert states(table) == kept


def test_an_address_that_was_corrected_is_asked_anew_and_has_as_long_to_answer(full: Road, table: Table) -> None:
    """What the wrong address did not confirm costs the person at the right one no place."""
    upkeep(full, LATER)
    corrected = TOO_LATE - timedelta(hours=1)
    change_address(table, person(table), {"email": "right@example.org"}, now=corrected)
    assert person(table).unconfirmed

    upkeep(full, TOO_LATE)
    asked = person(table)
    upkeep(full, TOO_LATE + timedelta(hours=1))

    assert (asked.state, asked.confirm_by) == (RegistrationState.CONFIRMED, utc(TOO_LATE + (TOO_LATE - LATER)))
    assert {key for key in rows("nature") if key.startswith("confirm-place#p1")} == {
        "confirm-place#p1",
        "confirm-place#p1#2",
    }
    assert person(table).state is RegistrationState.CONFIRMED


def test_an_event_with_room_asks_nobody(full: Road, table: Table) -> None:
    withdraw(table, person(table, "p5"), now=NOW)
    withdraw(table, person(table, "p4"), now=NOW)

    upkeep(full, LATER)

    assert not person(table).confirm_by


def test_upkeep_that_dies_while_it_asks_or_releases_goes_on_where_it_stopped(full: Road, table: Table) -> None:
    """At any call, before it or after it: each person is asked once, and one place is released for one who waits."""
    event = read_event(table, "nature")
    assert event is not None
    for moment in (LATER, TOO_LATE):
        fresh = Snapshot()
        with full.faults.at() as counted:
            ask_and_release(full.upkeep.table, event, now=moment, may_go_on=lambda: True)
        done = states(table), set(rows("nature"))
        assert counted.moments >= 10
        for fault in range(counted.moments):
            fresh.restore()
            with full.faults.at([fault]), pytest.raises(Crash):
                ask_and_release(full.upkeep.table, event, now=moment, may_go_on=lambda: True)
            ask_and_release(full.upkeep.table, event, now=moment, may_go_on=lambda: True)
            assert (states(table), set(rows("nature"))) == done, (moment, fault)


def test_two_upkeeps_at_once_release_one_place_for_one_person_who_waits(
    full: Road, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reads its counters before the first one releases, and releases nobody after it."""
    upkeep(full, LATER)
    real, meanwhile = confirmation.release, [True]

    def overtaken(*arguments: Any, **named: Any) -> None:
        if meanwhile:
            meanwhile.clear()
            real(table, [person(table, "p2")], now=TOO_LATE)
        real(*arguments, **named)

    monkeypatch.setattr(confirmation, "release", overtaken)

    upkeep(full, TOO_LATE)

    assert sorted(states(table).values()).count("withdrawn") == 1


def test_a_change_that_began_before_the_confirmation_does_not_undo_it(full: Road, table: Table) -> None:
    before = person(table)
    confirm(table, before, now=NOW)

    with pytest.raises(StaleError):
        save(table, before, {"organisation": "Another"}, now=NOW)
    with pytest.raises(StaleError):
        confirmation.release(table, [before], now=NOW)

    assert not person(table).unconfirmed


def test_the_own_page_says_until_when_to_confirm_and_later_that_the_place_is_gone(
    full: Road, table: Table, keys: Keys, web: Web
) -> None:
    own = link_of(keys, person(table))
    upkeep(full, LATER)
    asked = web.visit(own).text
    upkeep(full, TOO_LATE)
    gone = web.visit(own).text

    assert "This day is nearly full. Say before" in asked
    assert "Your registration was released" in gone
    assert "This is me" not in gone


# --------------------------------------------------------------------------- organisers


def test_organisers_see_the_unconfirmed_and_release_them_together_by_their_exact_number(
    full: Road, table: Table, organiser: Client, browser: Client
) -> None:
    page = browser.page("/organise/nature/people?state=unconfirmed").text
    assert "Release all 4 registrations and write 4 mails" in page
    refused = organiser.post("/organise/nature/people/release", {"expected": 3})
    assert (refused.status, "4 registrations are unconfirmed by now" in refused.text) == (409, True)

    form = read_form(page, "/people/release")
    answer = browser.submit(form.action, form.fields)

    assert "4 people released and told" in browser.page(answer.headers["location"]).text
    assert states(table) == {"p3": "confirmed", **dict.fromkeys(("p1", "p2", "p4", "p5"), "withdrawn")}
    assert (read_state(table, "nature").confirmed, read_state(table, "nature").waiting) == (1, 0)
    audit = organiser.get("/organise/nature/audit").json["lines"]
    assert sum(line["act"] == "release-unconfirmed" for line in audit) == 4
