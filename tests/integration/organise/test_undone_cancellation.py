"""A cancellation is taken back: mails that did not leave never do, who was told is told, and everything goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from shared.cancellation import cancel_day, undo_cancellation
from shared.errors import ConflictError, StaleError
from shared.events import put_event, read_event
from shared.mails import mails_of, send
from shared.messages import store_message
from shared.models import Event, MailState, Message, RegistrationState, utc
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from tests.support.crash_points import Crash, Faults, Snapshot
from tests.support.factories import NOW, event_data, make_registration
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import MINUTE, Road
from tests.support.mail_samples import FIRST, Letters, entry_of
from tests.support.organiser_client import Client, at, fill

HOME = "/organise/nature"
TOLD = 4

pytestmark = pytest.mark.promise("P18")


@pytest.fixture
def road(table: Table, keys: Keys) -> Iterator[Road]:
    with Road(table, keys, "nature", Clock(NOW)).open() as opened:
        yield opened


@pytest.fixture
def event(table: Table) -> Event:
    """An event with a reminder, and four people whom a cancellation concerns."""
    made = Event.model_validate(event_data(reminder_days=[1]))
    put_event(table, made, actor="o", now=NOW)
    states = ("confirmed", "confirmed", "waiting", "no-show", "withdrawn")
    crowd = [
        make_registration(number=number, id=f"p{number}", state=RegistrationState(state))
        for number, state in enumerate(states)
    ]
    fill(table, made, crowd, NOW)
    return made


def cancelled(organiser: Client, road: Road) -> None:
    """The day is cancelled, and two minutes later upkeep has written the mails; nobody has sent them yet."""
    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": TOLD}).status == 200
    road.upkeep.work_through(NOW + 2 * MINUTE, lambda: True)


def minutes(road: Road, number: int = 5) -> None:
    """Let some minutes pass."""
    for _ in range(number):
        road.clock.now += MINUTE
        road.step()


def kinds(road: Road) -> Counter[str]:
    """The mails that SES took, by kind."""
    return Counter(one.partition("#")[0] for one in road.taken)


def tasks(table: Table) -> set[str]:
    return {row["task"] for row in table.query("EVENT#nature", "TASK#")}


def test_while_mail_is_on_hold_nobody_hears_of_a_cancellation_that_is_undone(
    table: Table, event: Event, organiser: Client, browser: Client, road: Road
) -> None:
    before = tasks(table)
    organiser.post(f"{HOME}/mails/hold", {})
    cancelled(organiser, road)
    assert organiser.get(f"{HOME}/cancellation").json["undo"] == {"mails": 0, "on_their_way": 0, "held": TOLD}
    page = browser.page(f"{HOME}/cancellation").text
    assert "Nobody was told of it, so nobody is mailed." in page
    assert organiser.post(f"{HOME}/cancellation/undo", {}).status == 422
    assert organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": 1}).status == 409

    answer = browser.submit(f"{HOME}/cancellation/undo", {"expected_mails": "0"})
    assert "The day takes place: 0 mails to write" in browser.page(answer.headers["location"]).text
    again = read_event(table, "nature")
    assert again
    assert (again.cancelled, again.is_open(NOW)) == (False, True)
    assert tasks(table) - {"restoration"} == before
    minutes(road)
    organiser.post(f"{HOME}/mails/release", {})
    minutes(road, 10)

    assert kinds(road)["day-cancelled"] == kinds(road)["day-restored"] == 0
    assert {mail.error for mail in mails_of(table, "nature", "day-cancelled#")} == {"the day takes place after all"}
    assert tasks(table) == before
    assert organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": 0}).status == 409


def test_who_was_told_is_told_that_the_day_takes_place_and_registration_opens_only_if_its_deadline_lies_ahead(
    app: ModuleType, table: Table, keys: Keys, event: Event, organiser: Client, road: Road
) -> None:
    Letters(table, keys, event).publish(1, {"p0": FIRST})
    cancelled(organiser, road)
    leaving = organiser.get(f"{HOME}/cancellation").json["undo"]
    assert leaving == {"mails": 0, "on_their_way": TOLD, "held": 0}
    refused = organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": 0})
    assert (refused.status, refused.json["message"][:30]) == (409, "4 mails that say so are on the")
    minutes(road)
    assert kinds(road)["day-cancelled"] == TOLD

    road.clock.now = event.closes_at + timedelta(days=1)
    at(app, road.clock.now)
    organiser.sign_in(event)
    assert organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": TOLD}).status == 200
    minutes(road)

    again = read_event(table, "nature")
    assert again
    assert (again.cancelled, again.is_open(road.clock.now)) == (False, False)
    assert kinds(road)["day-restored"] == TOLD
    post = Letters(table, keys, again)
    post.now = road.clock.now
    assert b"SEQUENCE:3" in (entry_of(post.write("day-restored#p0#1")) or b"")
    assert b"METHOD:PUBLISH" in (entry_of(post.write("day-restored#p0#1")) or b"")

    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": TOLD}).status == 200
    minutes(road)
    assert (kinds(road)["day-cancelled"], road.doubles) == (2 * TOLD, 0), "told of the second one too"


def test_mails_that_were_under_way_when_the_day_was_cancelled_leave_after_all(
    table: Table, keys: Keys, event: Event, organiser: Client, road: Road
) -> None:
    """A programme that was not sent, and a text that was not written yet."""
    Letters(table, keys, event).publish(1, {"p0": FIRST})
    table.write(send("programme", "nature", "p0", now=NOW, run=1))
    text = Message(
        event="nature", id="0" * 32, group="", subject="S", body="B", people=["p0", "p1"], created_at=utc(NOW)
    )
    store_message(table, event, text, actor="o", now=NOW)
    cancelled(organiser, road)
    minutes(road)
    assert kinds(road) == {"day-cancelled": TOLD} | {"sign-in": kinds(road)["sign-in"]}

    organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": TOLD})
    minutes(road)

    found = kinds(road)
    assert (found["programme"], found["message"], found["day-restored"]) == (1, 2, TOLD)


def test_an_undone_cancellation_is_whole_whatever_call_it_dies_at(
    table: Table, event: Event, organiser: Client, road: Road
) -> None:
    """The act, and then upkeep, killed before and after every AWS call; two were told, two mails are held."""
    cancelled(organiser, road)
    for mail in mails_of(table, "nature", "day-cancelled#"):
        state = MailState.SENT if mail.registration in ("p0", "p2") else MailState.HELD
        row = table.get("MAIL#nature", mail.id) or {}
        table.put_all([{key: value for key, value in row.items() if key not in ("due", "due_at")} | {"state": state}])
    current = read_event(table, "nature")
    assert current
    faults, begin, moment, died = Faults(table._client), Snapshot(), 0, True
    while died:
        begin.restore()
        with faults.at([moment]):
            try:
                undo_cancellation(table, current, 2, actor="o", now=NOW + 3 * MINUTE)
                died = False
            except Crash:
                moment += 1
        found = read_event(table, "nature")
        assert found
        assert ("restoration" in tasks(table)) == ("allocation" in tasks(table)) == (not found.cancelled)
    written, begin, step, died = moment, Snapshot(), 0, True
    while died:
        begin.restore()
        with road.faults.at([step]):
            try:
                road.upkeep.work_through(NOW + 4 * MINUTE, lambda: True)
                died = False
            except Crash:
                step += 1
        road.upkeep.work_through(NOW + 5 * MINUTE, lambda: True)
        states: dict[str, Any] = {mail.id: mail.state.value for mail in mails_of(table, "nature", "day-")}
        assert {one for one in states if one.startswith("day-restored")} == {"day-restored#p0#1", "day-restored#p2#1"}
        assert Counter(states[one] for one in states if "cancelled" in one) == {"sent": 2, "cancelled": 2}
        assert "restoration" not in tasks(table)
    assert (written >= 10, step > 15) == (True, True), (written, step)


def test_two_organisers_undo_once_and_one_who_looked_earlier_is_told(
    table: Table, event: Event, organiser: Client
) -> None:
    cancel_day(table, event, actor="o", now=NOW)
    seen = read_event(table, "nature")
    assert seen
    undo_cancellation(table, seen, 0, actor="o1", now=NOW + MINUTE)
    with pytest.raises(ConflictError, match="not cancelled"):
        undo_cancellation(table, seen, 0, actor="o2", now=NOW + MINUTE)
    assert read_state(table, "nature").restored == 1

    cancel_day(table, event, actor="o", now=NOW + 2 * MINUTE)
    read = table.get
    others: list[str] = []

    def slow(pk: str, sk: str) -> Any:
        found = read(pk, sk)
        if (pk, sk) == ("EVENTS", "nature") and not others:
            others.append("o2")
            undo_cancellation(table, seen, 0, actor="o2", now=NOW + 3 * MINUTE)
        return found

    table.get = slow  # type: ignore[method-assign]
    try:
        with pytest.raises(StaleError):
            undo_cancellation(table, seen, 0, actor="o1", now=NOW + 3 * MINUTE)
    finally:
        table.get = read  # type: ignore[method-assign]
    assert read_state(table, "nature").restored == 2


def test_everything_that_a_hold_stopped_leaves_when_it_ends(
    table: Table, event: Event, organiser: Client, road: Road
) -> None:
    """Also the kinds that are written on hold only while it lasts: they used to stay for ever."""
    organiser.post(f"{HOME}/mails/hold", {})
    delegate = make_registration(number=9, id="d", state=RegistrationState.DELEGATE, choices=[])
    fill(table, event, [delegate], NOW)
    held = [
        send("group", "nature", "d", now=NOW, run=1, held=True),
        send("feedback", "nature", "p0", now=NOW, held=True),
        send("leader-list", "nature", "", now=NOW, occasion="x", to="leader@example.org", held=True),
    ]
    table.write(*held)

    answer = organiser.post(f"{HOME}/mails/release", {})

    assert answer.json["message"].startswith("3 mails released")
    assert [mail.id for mail in mails_of(table, "nature") if mail.state is MailState.HELD] == []


@pytest.mark.parametrize("held", [False, True])
def test_a_day_cancelled_and_restored_twice_before_anybody_is_told_is_told_to_those_who_heard_the_first_time(
    table: Table, event: Event, organiser: Client, road: Road, held: bool
) -> None:
    """The second cancellation strikes the first restoration off; its mails, on hold or not written, are owed still."""
    table.write(send("confirmation", "nature", "p0", now=NOW, occasion="late"))
    cancelled(organiser, road)
    minutes(road, 3)
    at(organiser.app, road.clock.now)
    if held:
        organiser.post(f"{HOME}/mails/hold", {})
    assert organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": TOLD}).status == 200
    if held:
        road.upkeep.work_through(road.clock.now + MINUTE, lambda: True)
        assert {mail.state for mail in mails_of(table, "nature", "day-restored#")} == {MailState.HELD}
    at(organiser.app, road.clock.now + 2 * MINUTE)
    assert organiser.post(f"{HOME}/cancellation", {"expected_mails": TOLD}).status == 200

    assert organiser.get(f"{HOME}/cancellation").json["undo"]["mails"] == TOLD
    assert organiser.post(f"{HOME}/cancellation/undo", {"expected_mails": TOLD}).status == 200
    minutes(road, 5)
    if held:
        assert organiser.post(f"{HOME}/mails/release", {}).status == 200
        minutes(road, 5)

    assert kinds(road)["day-restored"] == TOLD
    assert kinds(road)["confirmation"] >= 1
