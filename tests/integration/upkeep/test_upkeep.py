"""Every minute: stuck and lost mails, offers that ran out, reminders, retention, and the gauges of the alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from functions.mail.pace import Pacer
from functions.upkeep.app import LOST_AFTER, MOST_NUDGES
from shared.cancellation import cancel_day
from shared.events import put_event, read_event, retire_event
from shared.mails import WINDOW, claim, read_mail, send
from shared.models import Event, RegistrationState, moment, utc
from shared.registrations import read_registration, register, registrations_of, save, withdraw
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from shared.waiting_list import OFFER
from tests.support.crash_points import Crash, Snapshot
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import CONTEXT, Clock, personal_rows, rows
from tests.support.mail_pipeline import Road

MAIL = "confirmation#p1"
MINUTE = timedelta(minutes=1)
DAY_BEFORE = datetime.fromisoformat("2026-04-15T07:00:00+00:00")
"""Nine o'clock in Brussels on the day before the event."""

TWO_PLACES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 2}
QUESTIONS = [
    {"id": "diet", "kind": "text", "label": "Diet", "purpose": "For lunch", "sensitive": True},
    {"id": "bus", "kind": "text", "label": "Bus", "purpose": "For the bus"},
]


@pytest.fixture
def event(table: Table) -> Event:
    """Two places, a reminder the day before, and a sensitive question."""
    event = make_event(registration=TWO_PLACES, reminder_days=[1], questions=QUESTIONS, retention_days=30)
    put_event(table, event, actor="organiser@example.org", now=NOW)
    return event


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """The four functions on one clock; nothing has happened yet."""
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        yield road


@pytest.fixture
def enter(table: Table, event: Event) -> Callable[..., None]:
    """People register, all at once; their ids are p1, p2 and so on."""

    def people(count: int, **changes: Any) -> None:
        for number in range(1, count + 1):
            draft = make_registration(number=number, id=f"p{number}", **changes)
            register(table, event, draft, now=NOW + timedelta(seconds=number))

    return people


def at(road: Road, when: datetime) -> dict[str, int]:
    """Let upkeep run at a moment; what it says it did."""
    road.clock.now = when
    return dict(road.upkeep.handler({"trigger": "schedule"}, CONTEXT))


def states(table: Table) -> dict[str, str]:
    return {one.id: one.state.value for one in registrations_of(table, "nature")}


def reminders() -> list[str]:
    return [key for key in rows("nature") if key.startswith("reminder#")]


# --------------------------------------------------------------------------- mails


def test_a_mail_nobody_heard_of_is_tried_again_after_the_window_and_no_sooner(
    road: Road, enter: Callable[..., None]
) -> None:
    """And the operator is told, for it may go out twice."""
    enter(1)
    mail = read_mail(road.table, "nature", MAIL)
    assert mail is not None
    claim(road.table, mail, now=NOW)

    at(road, NOW + WINDOW - timedelta(seconds=1))
    assert (rows("nature")[MAIL]["state"], road.measured["MailsStuckSending"]) == ("sending", 0)

    assert at(road, NOW + WINDOW)["mails"] == 1
    assert (rows("nature")[MAIL]["state"], road.measured["MailsStuckSending"]) == ("pending", 1)


def test_a_sender_that_wakes_up_late_has_been_killed_before_the_window_ends(road: Road) -> None:
    """The one function that sends may not run as long as a mail waits for its event."""
    from infra.cloud.build import load_template

    longest = load_template()["Resources"]["MailFunction"]["Properties"]["Timeout"]
    assert timedelta(seconds=longest) < WINDOW


def test_a_mail_the_stream_lost_is_carried_again_at_growing_distances(road: Road, enter: Callable[..., None]) -> None:
    """A quarter of an hour, half an hour, …: six times, and then it is for whom the alarm has called."""
    enter(1)
    nudged = []
    begun = now = NOW + timedelta(seconds=1)
    for _ in range(24 * 4):
        now += timedelta(minutes=15)
        if at(road, now)["mails"]:
            nudged.append(now)

    distances = [later - earlier for earlier, later in zip([begun, *nudged], nudged, strict=False)]
    assert [round(one / LOST_AFTER) for one in distances] == [1, 2, 4, 8, 16, 32]
    assert len(nudged) == MOST_NUDGES
    assert road.measured["MailsLostOnTheWay"] == MOST_NUDGES


def test_what_was_lost_before_an_attempt_does_not_count_after_it(road: Road, enter: Callable[..., None]) -> None:
    """Else a mail that is lost now and then between attempts would be left alone for good (chaos, seed 2000)."""
    enter(1)
    at(road, NOW + LOST_AFTER + MINUTE)
    assert rows("nature")[MAIL]["nudges"] == 1
    mail = read_mail(road.table, "nature", MAIL)
    assert mail is not None
    claim(road.table, mail, now=road.clock.now)
    at(road, road.clock.now + WINDOW)
    assert (rows("nature")[MAIL]["state"], rows("nature")[MAIL].get("nudges", 0)) == ("pending", 0)

    assert at(road, road.clock.now + LOST_AFTER)["mails"] == 1


def test_a_mail_that_waits_for_its_time_is_not_lost(road: Road, enter: Callable[..., None]) -> None:
    """SES refused it, and the queue holds it until it is due."""
    enter(1)
    road.ses.next_answers(*[(429, "TooManyRequestsException")] * 9)

    road.run()

    assert road.measured["MailsLostOnTheWay"] == 0
    assert road.taken == [MAIL]


def test_a_mail_that_an_organiser_holds_is_left_alone(road: Road, table: Table) -> None:
    """However long, and no alarm counts it."""
    table.write(send("programme", "nature", "p1", run=1, now=NOW, held=True))
    before = rows("nature")

    at(road, NOW + timedelta(days=2))

    assert rows("nature") == before
    assert road.measured["OldestUnsentMailMinutes"] == 0


# --------------------------------------------------------------------------- offers


def test_a_free_place_is_offered_and_an_offer_that_runs_out_goes_to_the_next(
    road: Road, table: Table, enter: Callable[..., None]
) -> None:
    """Who let it run out waits behind the others."""
    enter(4)
    first = read_registration(table, "nature", "p1")
    assert first is not None
    withdraw(table, first, now=NOW)

    at(road, NOW + MINUTE)
    assert states(table) == {"p1": "withdrawn", "p2": "confirmed", "p3": "offered", "p4": "waiting"}

    at(road, NOW + MINUTE + OFFER - timedelta(seconds=1))
    assert states(table)["p3"] == "offered"

    at(road, NOW + MINUTE + OFFER)
    assert states(table) == {"p1": "withdrawn", "p2": "confirmed", "p3": "waiting", "p4": "offered"}
    assert {key for key in rows("nature") if "offered" in key} == {"place-offered#p3#1", "place-offered#p4#1"}
    assert read_state(table, "nature").confirmed == 2


def test_nobody_is_offered_a_place_of_a_day_that_has_begun(
    road: Road, table: Table, event: Event, enter: Callable[..., None]
) -> None:
    """Nor of an event that was retired."""
    enter(3)
    first = read_registration(table, "nature", "p1")
    assert first is not None
    withdraw(table, first, now=NOW)

    at(road, event.starts_at)

    assert states(table)["p3"] == "waiting"


# --------------------------------------------------------------------------- after the day


@pytest.mark.parametrize("checked_in", [["p1"], []], ids=["one was there", "nobody was checked in"])
def test_people_who_were_there_are_asked_once_in_the_evening(
    road: Road, table: Table, enter: Callable[..., None], checked_in: list[str]
) -> None:
    """Without check-ins everybody who is registered; a form that comes later in the file moves the mail."""
    asked = make_event(registration=TWO_PLACES, feedback={"url": "https://example.org/form"}, retention_days=30)
    put_event(table, asked, actor="organiser@example.org", now=NOW)
    enter(3)
    for one in checked_in:
        found = read_registration(table, "nature", one)
        assert found is not None
        save(table, found, {"checked_in_at": utc(asked.starts_at)}, now=NOW)
    evening = datetime.fromisoformat("2026-04-16T16:00:00+00:00")

    at(road, evening - timedelta(seconds=1))
    before = rows("nature")
    for minute in range(2):
        at(road, evening + minute * MINUTE)

    assert not [key for key in before if key.startswith("feedback#")]
    found_rows = [key for key in rows("nature") if key.startswith("feedback#")]
    assert found_rows == [f"feedback#{one}" for one in checked_in or ["p1", "p2"]]
    assert "TASK#feedback" not in personal_rows()


# --------------------------------------------------------------------------- reminders


def test_who_holds_a_place_is_reminded_once(road: Road, table: Table, enter: Callable[..., None]) -> None:
    """Neither who waits nor who has withdrawn; and not again, however often the minute comes."""
    enter(4)
    second = read_registration(table, "nature", "p2")
    assert second is not None
    withdraw(table, second, now=NOW)

    at(road, DAY_BEFORE - timedelta(seconds=1))
    assert reminders() == []
    for minute in range(3):
        at(road, DAY_BEFORE + minute * MINUTE)

    assert reminders() == ["reminder#p1#20260416-1"]
    assert "TASK#reminder#1" not in personal_rows()


@pytest.mark.parametrize("happens", ["retired", "unwanted", "too late"])
def test_nobody_is_reminded_of_what_is_off(
    road: Road, table: Table, event: Event, enter: Callable[..., None], happens: str
) -> None:
    """The task is struck off all the same."""
    now = DAY_BEFORE
    enter(1)
    if happens == "retired":
        person = read_registration(table, "nature", "p1")
        assert person is not None
        withdraw(table, person, now=NOW)
        retire_event(table, event, actor="organiser@example.org", now=NOW)
        table.put_all([{**table.get("EVENT#nature", "REGISTRATION#p1"), "state": "confirmed"}])  # type: ignore[dict-item]
    elif happens == "unwanted":
        put_event(table, event.model_copy(update={"reminder_days": []}), actor="organiser@example.org", now=NOW)
    else:
        now = event.starts_at

    at(road, now)

    assert reminders() == []
    assert "TASK#reminder#1" not in personal_rows()


def test_a_cancelled_day_is_told_once_to_everybody_and_nothing_else_is(
    road: Road, table: Table, event: Event, enter: Callable[..., None]
) -> None:
    """Whatever call upkeep dies at; nobody is offered a place or reminded after it."""
    enter(4)
    first = read_registration(table, "nature", "p1")
    assert first is not None
    withdraw(table, first, now=NOW)
    at(road, NOW + MINUTE)
    assert states(table) == {"p1": "withdrawn", "p2": "confirmed", "p3": "offered", "p4": "waiting"}
    cancel_day(table, event, actor="organiser@example.org", now=NOW + MINUTE)
    tasks = {row["task"] for row in table.query("EVENT#nature", "TASK#")}
    assert tasks == {"cancellation", "sensitive", "retention"}
    told = {f"day-cancelled#{one}" for one in ("p2", "p3", "p4")}

    begin, moment_of_death, died = Snapshot(), 0, True
    while died:
        begin.restore()
        with road.faults.at([moment_of_death]):
            try:
                road.upkeep.work_through(NOW + 2 * MINUTE, lambda: True)
                died = False
            except Crash:
                moment_of_death += 1
        road.upkeep.work_through(NOW + 3 * MINUTE, lambda: True)
        assert {key for key in rows("nature") if "cancelled" in key} == told
        assert "TASK#cancellation" not in personal_rows()
    assert moment_of_death > 10

    road.run()
    at(road, NOW + MINUTE + OFFER)
    at(road, DAY_BEFORE)
    assert states(table) == {"p1": "withdrawn", "p2": "confirmed", "p3": "waiting", "p4": "waiting"}
    assert sorted(road.taken) == sorted({*told, "withdrawn#p1"})


def test_reminders_that_outlast_the_time_go_on_the_next_minute(
    road: Road, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody twice, nobody left out."""
    monkeypatch.setattr(road.upkeep, "PEOPLE_A_WRITE", 2)
    place = {"event": "nature", "state": RegistrationState.CONFIRMED}
    people = [make_registration(number=number, id=f"q{number}", **place) for number in range(5)]
    table.put_all(
        {"pk": "EVENT#nature", "sk": f"REGISTRATION#{one.id}", "type": "registration", **one.model_dump(mode="json")}
        for one in people
    )
    event = read_event(table, "nature")
    assert event is not None
    for minute in range(4):
        allowed = iter([True])
        done = road.upkeep.remind_everybody(event, 1, DAY_BEFORE, lambda allowed=allowed: next(allowed, False))
        assert done == (minute >= 2)  # two, two, the last one

    assert reminders() == [f"reminder#{one.id}#20260416-1" for one in people]


def test_who_leaves_while_reminders_are_written_is_not_reminded(
    road: Road, table: Table, enter: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the same write are."""
    enter(2)
    write_group = road.upkeep._write_group

    def overtaken(*arguments: Any) -> None:
        person = read_registration(table, "nature", "p1")
        assert person is not None
        withdraw(table, person, now=DAY_BEFORE)
        write_group(*arguments)

    monkeypatch.setattr(road.upkeep, "_write_group", overtaken)

    at(road, DAY_BEFORE)

    assert reminders() == ["reminder#p2#20260416-1"]


def test_a_task_that_was_moved_meanwhile_stays_on_the_list(
    road: Road, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The organiser changes the date in the very moment of the reminders."""
    later = event.model_copy(update={"date": event.date + timedelta(days=7)})

    def overtaken(*_: Any) -> bool:
        put_event(table, later, actor="organiser@example.org", now=DAY_BEFORE)
        return True

    monkeypatch.setattr(road.upkeep, "remind_everybody", overtaken)

    at(road, DAY_BEFORE)

    assert moment(table.get("EVENT#nature", "TASK#reminder#1")["due_at"]) == DAY_BEFORE + timedelta(days=7)  # type: ignore[index]


# --------------------------------------------------------------------------- retention


def test_sensitive_answers_go_a_week_after_the_day_and_the_rest_stays(
    road: Road, table: Table, event: Event, enter: Callable[..., None]
) -> None:
    """They were asked for the day alone."""
    enter(2, answers={"diet": "no nuts", "bus": "yes"})

    at(road, event.ends_at + timedelta(days=7) - MINUTE)
    assert personal_rows().count("no nuts") == 2

    at(road, event.ends_at + timedelta(days=7))
    assert "no nuts" not in personal_rows()
    assert [one.answers for one in registrations_of(table, "nature")] == [{"bus": "yes"}] * 2


def test_somebody_who_changes_an_answer_at_that_moment_is_seen_the_next_minute(
    road: Road, table: Table, event: Event, enter: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task stays until every sensitive answer is gone."""
    from functions.upkeep import retention

    enter(1, answers={"diet": "no nuts"})
    now = event.ends_at + timedelta(days=7)
    overtake = iter([True])

    def overtaken(table: Table, person: Any, changes: Any, *, now: datetime) -> None:
        if next(overtake, False):
            save(table, person, {"answers": {"diet": "no milk"}}, now=now)
        save(table, person, changes, now=now)

    monkeypatch.setattr(retention, "save", overtaken)
    at(road, now)
    assert "no milk" in personal_rows()

    at(road, now + MINUTE)
    assert "no milk" not in personal_rows()


def test_when_the_retention_ends_nobody_is_left_and_the_counts_stay(
    road: Road, table: Table, event: Event, enter: Callable[..., None]
) -> None:
    """Without a mail to anybody."""
    enter(3, answers={"bus": "yes"})
    road.run()
    sent = len(road.ses.sent)

    road.clock.now = event.retained_until
    road.run()

    left = personal_rows()
    assert not [
        word for word in ("Person", "person", "organiser@example.org", "ADDRESS#") if word in left.replace(*DOC)
    ]
    assert rows("nature") == {}
    assert len(road.ses.sent) == sent
    summary = table.get("EVENT#nature", "SUMMARY")
    assert summary is not None
    assert summary["states"] == {"confirmed": 2, "waiting": 1}
    assert summary["first_choices"] == {"vision": 2}


DOC = ('\\"organiser_emails\\":[\\"organiser@example.org\\"]', "")
"""The event file itself stays: it names who organises, not who came."""


def test_a_retention_killed_at_any_write_is_finished_the_next_minute_with_the_same_counts(
    road: Road, table: Table, event: Event, enter: Callable[..., None]
) -> None:
    """Counting again would count who is left."""
    enter(1)
    road.run()
    road.clock.now = event.retained_until
    begin, moment_of_death = Snapshot(), 0
    while True:
        begin.restore()
        died = False
        with road.faults.at([moment_of_death]):
            try:
                road.upkeep.handler({}, CONTEXT)
            except Crash:
                died = True
        if not died:
            break
        at(road, event.retained_until + MINUTE)
        assert list(registrations_of(table, "nature")) == []
        assert table.get("EVENT#nature", "SUMMARY")["states"] == {"confirmed": 1}  # type: ignore[index]
        assert "ADDRESS#" not in personal_rows()
        moment_of_death += 3
    assert moment_of_death > 20


# --------------------------------------------------------------------------- gauges, and what does not stop them


def test_one_gauge_is_told_every_minute_also_when_all_is_well(road: Road) -> None:
    """No data of it counts as bad, so there must be data; the others cost for every hour and wait for their cause."""
    at(road, NOW)

    gauges = {"OldestUnsentMailMinutes", "MailsStuckSending", "MailsLostOnTheWay", "AllocationOverdueMinutes"}
    assert gauges & road.measured.keys() == {"AllocationOverdueMinutes"}
    assert not road.measured["AllocationOverdueMinutes"]


def test_the_oldest_unsent_mail_and_a_late_allocation_are_measured_in_minutes(
    road: Road, event: Event, enter: Callable[..., None]
) -> None:
    """From when the mail was written, and from when the allocation was due."""
    enter(1)

    at(road, event.allocates_at + timedelta(minutes=7))

    assert road.measured["AllocationOverdueMinutes"] == 7
    expected = (event.allocates_at + timedelta(minutes=7) - NOW - timedelta(seconds=1)).total_seconds() / 60
    assert road.measured["OldestUnsentMailMinutes"] == pytest.approx(expected)


BROKEN = [
    ("a mail", {"pk": "MAIL#x", "sk": "reminder#x", "due": "mail#0", "due_at": "2026", "created_at": utc(NOW)}),
    ("an offer", {"pk": "EVENT#x", "sk": "REGISTRATION#x", "due": "offer", "due_at": "2026"}),
    ("an event", {"pk": "EVENTS", "sk": "a", "document": "{"}),
    ("a task", {"pk": "EVENT#x", "sk": "TASK#x", "due": "upkeep", "due_at": "2026"}),
    ("an allocation", {"pk": "EVENT#x", "sk": "TASK#allocation", "due": "allocate", "due_at": "2026"}),
]


@pytest.mark.parametrize("row", [row for _, row in BROKEN], ids=[what for what, _ in BROKEN])
def test_one_row_that_cannot_be_read_keeps_no_other_waiting(
    road: Road, table: Table, enter: Callable[..., None], row: dict[str, Any]
) -> None:
    """Everything else is done, and the error is raised for the alarm."""
    enter(3)
    table.put_all([row])
    first = read_registration(table, "nature", "p1")
    assert first is not None
    withdraw(table, first, now=NOW)
    mail = read_mail(table, "nature", "confirmation#p2")
    assert mail is not None
    claim(table, mail, now=NOW)

    with pytest.raises(RuntimeError, match="1 of 5 steps failed"):
        at(road, DAY_BEFORE)

    assert rows("nature")["confirmation#p2"]["state"] == "pending"
    assert states(table)["p3"] == "offered"
    assert reminders() == ["reminder#p2#20260416-1"]
    assert {"OldestUnsentMailMinutes", "MailsStuckSending", "PlacesOffered"} <= road.measured.keys()


def sender_is_busy(table: Table, since: datetime, until: datetime) -> None:
    """The row of SES's rate as a sender leaves it that took every slot between these moments."""
    clock = Clock(since)
    account = SimpleNamespace(get_account=lambda: {"SendQuota": {"MaxSendRate": 0.1}})
    pacer = Pacer(table, account, clock=clock.seconds, sleep=clock.sleep)
    while clock.now < until:
        clock.now += timedelta(seconds=10)
        pacer.wait(60)


def test_a_mail_behind_a_long_queue_is_neither_lost_nor_late(
    road: Road, enter: Callable[..., None], table: Table
) -> None:
    enter(1)
    waited = LOST_AFTER + MINUTE
    sender_is_busy(table, NOW + MINUTE, NOW + waited)

    at(road, NOW + waited)

    assert "nudges" not in rows("nature")[MAIL]
    assert road.measured["OldestUnsentMailMinutes"] == 0


@pytest.mark.parametrize(
    ("since", "until"),
    [(LOST_AFTER + 2 * MINUTE, LOST_AFTER + 4 * MINUTE), (MINUTE, LOST_AFTER + 3 * MINUTE)],
    ids=["the sender had a break before", "the sender is idle again"],
)
def test_a_mail_that_had_its_time_is_lost_however_busy_the_sender_is(
    road: Road, enter: Callable[..., None], table: Table, since: timedelta, until: timedelta
) -> None:
    enter(1)
    sender_is_busy(table, NOW + since, NOW + until)

    at(road, NOW + LOST_AFTER + 4 * MINUTE)

    assert rows("nature")[MAIL]["nudges"] == 1


def test_the_nudging_of_a_lost_mail_ends(road: Road, enter: Callable[..., None]) -> None:
    enter(1)
    for hours in range(1, 60, 2):
        at(road, NOW + timedelta(hours=hours))

    assert rows("nature")[MAIL]["nudges"] == MOST_NUDGES
