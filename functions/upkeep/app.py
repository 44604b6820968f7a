"""Every minute: mails that got stuck, places offered and not taken, reminders, retention, and the alarms' gauges.

Each step works from what is stored and leaves it so that the next minute goes on where this one stopped. One step's
fault keeps no other waiting; it is raised at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from functions.upkeep.retention import forget_addresses, forget_everybody, forget_sensitive_answers
from shared import settings
from shared.cancellation import IS_CANCELLED, TAKES_PLACE, heard_of_it, reached, still_reached
from shared.confirmation import ask_and_release
from shared.errors import StaleError, UnreadableEventError
from shared.events import as_event, read_event
from shared.leaders import untold
from shared.mails import (
    as_mail,
    busy_since,
    can_be_held,
    can_go_again,
    let_go,
    mail_id,
    mails_due,
    mails_of,
    move,
    nudge,
    put_back,
    send,
)
from shared.messages import messages_of, people_of, read_message, still_written_to
from shared.models import Event, Mail, MailState, RegistrationState, moment, utc
from shared.observability import fault, follow, logger, metrics
from shared.publication import PEOPLE_A_WRITE
from shared.registrations import OFFER_DUE, as_registration, registrations_of, still_holds_a_place
from shared.state import read_state
from shared.table import EVENTS_PK, ConditionFailedError, Item, Table, Write, mails_pk, update
from shared.tasks import ALLOCATE_DUE, UPKEEP_DUE, strike_off, task
from shared.waiting_list import count_hourly, expire_offer, offer_places

_Person = TypeVar("_Person")

LOST_AFTER = timedelta(minutes=15)
"""A pending mail that nobody took up for so long is sent through the stream again; then after twice as long, …"""

MOST_NUDGES = 6
"""… and in the end, after sixteen hours, left to whom the alarm has called."""

NEEDED_SECONDS = 20.0
"""With less left, no further piece of work is begun; the next minute goes on."""

FOR_EVER = "9999"

table = Table(
    boto3.client("dynamodb", config=Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})),
    settings.table_name(),
)

COUNTING_MINUTES = 5
"""Minutes of each hour in which the counters that attendees see are brought up to date, if they are not yet, and in
which unconfirmed places are looked through."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001
    """Do what is due."""
    follow(context.aws_request_id)
    return look_after(clock(), lambda: context.get_remaining_time_in_millis() / 1000 > NEEDED_SECONDS)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def look_after(now: datetime, may_go_on: Callable[[], bool]) -> dict[str, int]:
    """Do every step; how much each did. Raises RuntimeError at the end if one failed."""
    steps: dict[str, Callable[[], int]] = {
        "mails": lambda: look_after_mails(now, may_go_on),
        "offers that ran out": lambda: take_back_offers(now),
        "free places": lambda: offer_free_places(now, may_go_on),
        "tasks": lambda: work_through(now, may_go_on),
        "allocations": lambda: watch_allocations(now),
    }
    done, faults = {}, 0
    for name, step in steps.items():
        try:
            done[name] = step()
        except Exception as error:
            faults += 1
            logger.error("step failed", extra={"step": name, **fault(error)})
    if faults:
        raise RuntimeError(f"{faults} of {len(steps)} steps failed; the next minute tries again")
    return done


def _each(what: str, items: Iterable[Item], do: Callable[[Item], None]) -> None:
    """Do something with each of these; one that cannot be read or done keeps no other waiting.

    Raises RuntimeError at the end if there was one.
    """
    faults = 0
    for item in items:
        try:
            do(item)
        except Exception as error:
            faults += 1
            logger.error(f"{what} failed", extra={"row": f"{item['pk']} {item['sk']}", **fault(error)})
    if faults:
        raise RuntimeError(f"{faults} times: {what} failed")


# --------------------------------------------------------------------------- mails and offers


def look_after_mails(now: datetime, may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Let what nobody heard of be tried again, pass on what the stream lost, and measure who waits longest.

    A mail that waits behind others while the sender is as busy as SES allows is neither lost nor late.
    """
    busy = busy_since(table, now)
    oldest, unknown, lost = utc(now), 0, 0

    def take_up(item: Item) -> None:
        nonlocal oldest, unknown, lost
        mail = as_mail(item)
        if not _waits_its_turn(item, busy):
            oldest = min(oldest, item["created_at"])
        if mail.state is MailState.SENDING and item["due_at"] <= utc(now):
            unknown += put_back(table, mail, now=now, due_at=now)
        elif mail.state is MailState.PENDING and _is_lost(item, now, busy):
            lost += nudge(table, item, now=now)

    try:
        _each("mail", itertools.takewhile(lambda _: may_go_on(), mails_due(table, FOR_EVER)), take_up)
    finally:
        _gauge("OldestUnsentMailMinutes", (now - moment(oldest)).total_seconds() / 60)
        _gauge("MailsStuckSending", unknown)
        _gauge("MailsLostOnTheWay", lost)
    if unknown or lost:
        logger.warning("mails taken up again", extra={"unknown": unknown, "lost": lost})
    return unknown + lost


def _gauge(name: str, value: float) -> None:
    """Report a gauge while it is above 0: a metric costs for every hour in which it is reported.

    That upkeep lives is told by AllocationOverdueMinutes, which is reported every minute whatever its value.
    """
    if value > 0:
        metrics.add_metric(name, MetricUnit.Count, value)


def _patience_ends(item: Item) -> datetime:
    """Until when a pending mail may wait for the sender before it counts as lost."""
    return moment(item["due_at"]) + LOST_AFTER * (1 << int(item.get("nudges", 0)))


def _waits_its_turn(item: Item, busy: datetime | None) -> bool:
    """Whether the sender has had no break in which a mail that nobody tried yet could have had its turn."""
    untried = item["state"] == MailState.PENDING and not item.get("attempt")
    return untried and busy is not None and busy <= _patience_ends(item)


def _is_lost(item: Item, now: datetime, busy: datetime | None) -> bool:
    """Whether nobody took up a pending mail although there was time for it."""
    if int(item.get("nudges", 0)) >= MOST_NUDGES or _waits_its_turn(item, busy):
        return False
    return _patience_ends(item) <= now


def take_back_offers(now: datetime) -> int:
    """Put who let an offer run out at the end of the waiting list; how many."""
    taken_back = 0

    def take_back(item: Item) -> None:
        nonlocal taken_back
        with suppress(StaleError):  # taken, or withdrawn, this very moment
            expire_offer(table, as_registration(item), now=now)
            taken_back += 1

    _each("offer", list(table.due(OFFER_DUE, utc(now))), take_back)
    return taken_back


def offer_free_places(now: datetime, may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Offer every free place to the person who has waited longest; how many. Counts the events that cannot be read.

    Once an hour, places of addresses that nobody confirmed are asked for first, if others may want them.

    Such an event fails this step at its end, after the others were served: the alarm UpkeepErrors rings until it is put
    again.
    """
    offered, unreadable, asked, released = 0, 0, 0, 0

    def offer(item: Item) -> None:
        nonlocal offered, unreadable, asked, released
        if item.get("retired"):
            return
        try:
            event = as_event(item)
        except UnreadableEventError:
            unreadable += 1
            raise
        if now < event.starts_at:
            if now.minute < COUNTING_MINUTES:
                done = ask_and_release(table, event, now=now, may_go_on=may_go_on)
                asked, released = asked + done[0], released + done[1]
            offered += offer_places(table, event, now=now)
            if now.minute < COUNTING_MINUTES:
                count_hourly(table, event, now=now)

    try:
        _each("event", table.query(EVENTS_PK), offer)
    finally:
        metrics.add_metric("PlacesOffered", MetricUnit.Count, offered)
        _gauge("ConfirmationsAsked", asked)
        _gauge("UnconfirmedPlacesReleased", released)
        _gauge("EventsUnreadable", unreadable)
    return offered


def watch_allocations(now: datetime) -> int:
    """Measure by how much the allocator is behind."""
    waits = [now - moment(item["due_at"]) for item in table.due(ALLOCATE_DUE, utc(now))]
    minutes = max(waits, default=timedelta(0)).total_seconds() / 60
    metrics.add_metric("AllocationOverdueMinutes", MetricUnit.Count, minutes)
    return len(waits)


# --------------------------------------------------------------------------- tasks


def work_through(now: datetime, may_go_on: Callable[[], bool]) -> int:
    """Do every task that is due, as far as the time lasts. A failing task keeps no other waiting."""
    done = 0

    def work(item: Item) -> None:
        nonlocal done
        if _do(item, now, may_go_on):
            strike_off(table, item)
            done += 1

    _each("task", list(table.due(UPKEEP_DUE, utc(now))), work)
    return done


def _do(item: Item, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Do one task; whether it is done."""
    event = read_event(table, item["event"], retired_too=True)
    if event is None:
        return True
    match item["task"].partition("#")[0]:
        case "reminder":
            return remind_everybody(event, item["days"], now, may_go_on)
        case "leaders":
            return tell_leaders(event, now)
        case "feedback":
            return ask_for_feedback(event, now, may_go_on)
        case "cancellation":
            return tell_of_cancellation(event, now, may_go_on)
        case "restoration":
            return tell_of_restoration(event, now, may_go_on)
        case "message":
            return tell_message(event, item["task"].partition("#")[2], now, may_go_on)
        case "sensitive":
            return forget_sensitive_answers(table, event, now, may_go_on)
        case "retention":
            return forget_everybody(table, event, may_go_on)
        case "organisers":
            return forget_addresses(table, event)
    raise ValueError(f"nothing here knows how to do the task {item['task']!r}")


def remind_everybody(event: Event, days: int, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Write the reminders of one day, each once; whether all are written."""
    if (
        event.cancelled
        or read_event(table, event.id) is None
        or days not in event.reminder_days
        or now >= event.starts_at
    ):
        return True  # cancelled, retired, no longer wanted, or too late to be of use
    occasion = f"{event.date:%Y%m%d}-{days}"  # a day that was moved is reminded of anew
    reminded = {
        mail.registration for mail in mails_of(table, event.id, "reminder#") if mail.id.endswith(f"#{occasion}")
    }
    everybody = list(registrations_of(table, event.id))
    coming = [one for one in everybody if one.state is RegistrationState.CONFIRMED]
    contacts = {one.delegate for one in coming}
    groups = [one for one in everybody if one.state is RegistrationState.DELEGATE and one.id in contacts]
    people = [one for one in [*coming, *groups] if one.email and one.id not in reminded]
    if not _write_each(
        event,
        people,
        lambda one, _held: (
            (still_reached if one.id in contacts else still_holds_a_place)(event.id, one.id),
            send("reminder", event.id, one.id, occasion=occasion, now=now),
        ),
        may_go_on,
    ):
        return False
    metrics.add_metric("RemindersWritten", MetricUnit.Count, len(people))
    return True


def tell_leaders(event: Event, now: datetime) -> bool:
    """Mail each leader the link to the people in their workshops, once; whether all are written.

    The link shows the programmes as they are published whenever it is opened, so later publications need no mail.
    """
    state = read_state(table, event.id)
    if not state.published_run or event.cancelled or now >= event.ends_at or read_event(table, event.id) is None:
        return True
    for led in untold(table, event):
        facts = {"theme": led.theme.id}
        mail = send(
            "leader-list",
            event.id,
            "",
            now=now,
            occasion=led.occasion,
            to=led.leader.email,
            language=event.language,
            facts=facts,
            held=state.mail_held,
        )
        with suppress(ConditionFailedError):  # written at this moment
            table.write(mail)
    return True


def ask_for_feedback(event: Event, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Write the mails with the link to the organisers' own form, each person's once; whether all are written.

    They go to the people who were checked in, or to everybody confirmed when nobody was.
    """
    wanted = event.feedback_at
    if wanted is None or wanted > now or event.cancelled or read_event(table, event.id) is None:
        return True  # no longer wanted, or at another time: its task stands for that
    asked = {mail.registration for mail in mails_of(table, event.id, "feedback#")}
    confirmed = [one for one in registrations_of(table, event.id) if one.state is RegistrationState.CONFIRMED]
    there = [one for one in confirmed if one.checked_in_at] or confirmed
    people = [one for one in there if one.email and not one.bounced and one.id not in asked]
    return _write_each(
        event,
        people,
        lambda one, held: (
            still_holds_a_place(one.event, one.id),
            send("feedback", one.event, one.id, now=now, held=held),
        ),
        may_go_on,
    )


def tell_of_cancellation(event: Event, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Write the mails that a cancelled day owes, each once; whether all are written."""
    if not event.cancelled:
        return True  # undone
    restored = read_state(table, event.id).restored
    occasion = str(restored) if restored else ""
    told = {mail.id for mail in mails_of(table, event.id, "day-cancelled#")}
    everybody = reached(registrations_of(table, event.id))
    people = [one for one in everybody if mail_id("day-cancelled", one.id, occasion=occasion) not in told]
    return _write_each(
        event,
        people,
        lambda one, held: (
            still_reached(one.event, one.id),
            send("day-cancelled", one.event, one.id, occasion=occasion, now=now, held=held),
        ),
        may_go_on,
    )


def tell_of_restoration(event: Event, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Undo what a cancellation did with mails: whether all is done.

    Mails that say so and did not leave are given up; people to whom one was sent are told that the day takes place;
    mails that were given up as the day was cancelled wait again, and texts are written to those who had none. What an
    earlier restoration did not come to is done here.
    """
    if event.cancelled:
        return True  # cancelled anew
    state = read_state(table, event.id)
    occasion = str(state.restored)
    cancelling: list[Mail] = []
    restoring: list[Mail] = []
    given_up: list[Mail] = []
    for mail in mails_of(table, event.id):
        if mail.kind == "day-cancelled":
            cancelling.append(mail)
        elif mail.kind == "day-restored":
            restoring.append(mail)
        elif mail.state is MailState.CANCELLED and mail.error == IS_CANCELLED:
            given_up.append(mail)
    outdated = [mail for mail in restoring if not mail.id.endswith(f"#{occasion}")]
    move(table, [_not_sent(mail, now) for mail in [*cancelling, *outdated] if mail.state is MailState.HELD])
    move(table, [let_go(one, now, held=state.mail_held and can_be_held(one)) for one in given_up if can_go_again(one)])
    table.delete_all([{"pk": mails_pk(event.id), "sk": mail.id} for mail in given_up if mail.kind == "leader-list"])
    for message in messages_of(table, event.id):
        if not message.cancelled:
            table.write(task(event.id, f"message#{message.id}", UPKEEP_DUE, now))
    done = {mail.id for mail in restoring}
    told = sorted(heard_of_it(cancelling, restoring))
    people = [one for one in told if mail_id("day-restored", one, occasion=occasion) not in done]
    written = _write_each(
        event,
        people,
        lambda one, held: (
            still_reached(event.id, one),
            send("day-restored", event.id, one, occasion=occasion, now=now, held=held),
        ),
        may_go_on,
    )
    unknown = any(mail.state is MailState.SENDING for mail in cancelling)  # it may turn out to be sent
    return written and not unknown


def _not_sent(mail: Mail, now: datetime) -> Write:
    """The write that gives a held mail up, as the day takes place."""
    given_up = {"state": MailState.CANCELLED.value, "error": TAKES_PLACE, "updated_at": utc(now)}
    return update(mails_pk(mail.event), mail.id, assign=given_up, expect={"state": MailState.HELD.value})


def tell_message(event: Event, number: str, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Write the mails of a text that an organiser wrote, one to each person who is still reached; whether all are."""
    message = read_message(table, event.id, number)
    if message is None:
        return True  # its event's data was deleted
    told = {mail.registration for mail in mails_of(table, event.id, "message#") if mail.id.endswith(f"#{number}")}
    people = [one for one in people_of(table, message) if one not in told]
    return _write_each(
        event,
        people,
        lambda one, held: (
            still_written_to(event.id, one),
            send("message", event.id, one, occasion=number, now=now, held=held),
        ),
        may_go_on,
    )


def _write_each(
    event: Event,
    people: Sequence[_Person],
    mail: Callable[[_Person, bool], tuple[Write, Write]],
    may_go_on: Callable[[], bool],
) -> bool:
    """Write the mail of each person beside the check that it is still due; whether time was left for all.

    `mail` gets the person and whether mail is on hold, which is read anew for each group: a hold stops what is still to
    be written.
    """
    for start in range(0, len(people), PEOPLE_A_WRITE):
        if not may_go_on():
            return False
        held = read_state(table, event.id).mail_held
        _write_group(mail(one, held) for one in people[start : start + PEOPLE_A_WRITE])
    return True


def _write_group(mails: Iterable[tuple[Write, Write]]) -> None:
    """Write checks and mails in one transaction; if a person left or was told this moment, one by one."""
    writes = list(mails)
    try:
        table.write(*itertools.chain.from_iterable(writes))
    except ConditionFailedError:
        for pair in writes:
            with suppress(ConditionFailedError):
                table.write(*pair)
