"""New events, the check list before a draft is opened, and what a change does to people who are registered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from functions.organise import event_files
from functions.organise.event_form import as_file
from functions.organise.words import counted
from shared.errors import InvalidError, NotFoundError
from shared.local_time import local_date
from shared.models import MOST_ROUNDS, Event, Registration, RegistrationState
from shared.new_event import Data, plain_draft, shifted_copy, slug
from shared.table import EVENTS_PK, Table
from shared.tokens import PREVIEW_SALT, Keys, sign

MOST_AT_ONCE = 60
"""Workshops of a new event; more are added on its page."""

REFUSED = "Some answers need another look. Nothing was stored yet."


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the check list: whether it is done, in words, and the page that changes it."""

    done: bool
    what: str
    page: str


def start(table: Table, typed: dict[str, Any], *, actor: str, now: datetime) -> Event:
    """Make a draft from the few answers of the form "New event". Raises InvalidError by the form's fields."""
    texts = {name: str(typed.get(name) or "").strip() for name in ("title", "day", "by", "place", "address")}
    faults = {name: "is missing" for name in ("title", "by", "place", "address") if not texts[name]}
    if words := _fault_of_day(texts["day"], now):
        faults["day"] = words
    counts = {}
    for name, most in (("rounds", MOST_ROUNDS), ("workshops", MOST_AT_ONCE), ("seats", 10_000)):
        text = str(typed.get(name) or "").strip()
        if text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most:
            counts[name] = int(text)
        else:
            faults[name] = f"write a whole number from 1 to {most}"
    if counts.get("workshops", MOST_AT_ONCE) < counts.get("rounds", 0):
        faults["workshops"] = "there must be at least as many workshops as rounds, as nobody joins the same one twice"
    if faults:
        raise InvalidError(REFUSED, faults)
    data = plain_draft(
        title=texts["title"],
        organiser=texts["by"],
        day=texts["day"],
        venue={"name": texts["place"], "address": texts["address"]},
        rounds=counts["rounds"],
        workshops=counts["workshops"],
        seats=counts["seats"],
        actor=actor,
        now=now,
    )
    return _store(table, data, actor, now)


def copy(table: Table, mine: Iterable[Event], typed: dict[str, Any], *, actor: str, now: datetime) -> Event:
    """Make a draft like an earlier event of the organiser. Raises InvalidError by the form's fields."""
    earlier = next((event for event in mine if event.id == typed.get("event")), None)
    day = str(typed.get("new_day") or "").strip()
    faults = {} if earlier else {"event": "choose one of your events"}
    if words := _fault_of_day(day, now):
        faults["new_day"] = words
    if faults or earlier is None:
        raise InvalidError(REFUSED, faults)
    title = str(typed.get("new_title") or "").strip()
    data = shifted_copy(earlier, as_file(earlier), title=title, day=date.fromisoformat(day))
    return _store(table, data, actor, now)


def _fault_of_day(day: str, now: datetime) -> str:
    try:
        found = local_date(day)
    except ValueError:
        return "write the date of the day"
    return "" if found > now.date() else "lies in the past; write the date of the day to come"


def _store(table: Table, data: Data, actor: str, now: datetime) -> Event:
    taken = {item["sk"] for item in table.query(EVENTS_PK)} | event_files.RESERVED
    title = data["title"] if isinstance(data["title"], str) else next(iter(data["title"].values()))
    data["id"] = slug(f"{title[:35]}-{str(data['date'])[:4]}" if str(data["date"])[:4] not in title else title, taken)
    return event_files.put_new_data(table, data, actor=actor, now=now)


def preview_url(keys: Keys, event: Event) -> str:
    """The address of a draft's page as it will look; of the page itself once it is open."""
    if not event.draft:
        return f"/events/{event.id}"
    return f"/events/{event.id}/preview/{sign(keys, PREVIEW_SALT, [event.id])}"


def open_event(table: Table, event: Event, *, actor: str, now: datetime) -> None:
    """Let everybody see a draft. Raises InvalidError when its dates have passed meanwhile."""
    if event.closes_at <= now:
        raise InvalidError(
            "Registration of this draft would be closed already. Change its dates, then open it.",
            {"registration.closes": "lies in the past"},
        )
    event_files.put_data(table, event, {**as_file(event), "draft": False}, actor=actor, now=now)


def check_list(event: Event, now: datetime) -> list[Check]:
    """What to look at before a draft is opened."""
    return list(_checks(event, now))


def _checks(event: Event, now: datetime) -> Iterator[Check]:
    unnamed = [
        theme for theme in event.themes if theme.id[1:].isdecimal() and theme.title == f"Workshop {theme.id[1:]}"
    ]
    yield Check(
        not unnamed,
        "Every workshop has its own name"
        if not unnamed
        else f"{counted(len(unnamed), 'workshop')} still without a name",
        "themes",
    )
    bare = sum(not theme.description for theme in event.themes)
    yield Check(
        not bare,
        "Every workshop is described"
        if not bare
        else f"{counted(bare, 'workshop')} without a description; people rank by it",
        "themes",
    )
    roomless = sum(
        not event.room(theme.id, slot.id)
        for theme in event.themes
        for slot in event.rounds
        if event.seats(theme.id, slot.id)
    )
    yield Check(
        not roomless,
        "Every workshop has a room"
        if not roomless
        else f"{counted(roomless, 'room')} to fill in; they can follow later",
        "themes",
    )
    yield Check(
        event.summary != event.title,
        "The day is described in a sentence or two"
        if event.summary != event.title
        else "Describe the day in a sentence or two",
        "day",
    )
    seats = min(sum(event.seats(theme.id, slot.id) for theme in event.themes) for slot in event.rounds)
    yield Check(
        seats >= event.capacity,
        f"{event.capacity} places, {seats} seats in the round that has the fewest",
        "registration",
    )
    opens, closes, at = (
        f"{when.astimezone(event.zone):%-d %b %Y, %H:%M}"
        for when in (event.opens_at, event.closes_at, event.allocates_at)
    )
    ahead = event.closes_at > now
    yield Check(
        ahead,
        f"Registration is open from {opens} to {closes}"
        if ahead
        else f"Registration closed on {closes}, which has passed",
        "registration",
    )
    mailed = (
        "and everybody is mailed at once"
        if event.allocation.publish == "automatic"
        else "and you look before anybody is mailed"
    )
    yield Check(event.allocates_at > now, f"Workshops are given out on {at}, {mailed}", "allocation")
    kinds = len(event.partner_types)
    yield Check(
        True,
        f"{kinds} kinds of people are mixed in each workshop"
        if kinds > 1
        else "One kind of people: nobody is asked which, and nothing is mixed",
        "registration",
    )
    yield Check(
        True,
        f"{counted(len(event.organiser_emails), 'organiser')}, {counted(len(event.door_emails), 'helper')} at the door",
        "access",
    )


def effects(before: Event, after: Event, people: Iterable[Registration], *, published: bool) -> list[str]:
    """What a change means to those who are registered, in sentences."""
    known = [person for person in people if person.state is not RegistrationState.WITHDRAWN]
    if not known:
        return ["Nobody is registered yet."]
    told = [
        f"{counted(len(known), 'person is', 'people are')} registered; they see the change on their own page, "
        "and no mail is sent."
    ]
    added = {theme.id for theme in after.themes} - {theme.id for theme in before.themes}
    ranked = sum(bool(person.choices) for person in known)
    if added and ranked:
        told.append(
            f"{counted(ranked, 'ranking does', 'rankings do')} not have {counted(len(added), 'new workshop')} yet; "
            "it counts as ranked last."
        )
    if published and _day_of(before) != _day_of(after):
        told.append(
            "Programmes that were mailed name hours, rooms and the place as they stood. "
            "Start a draft that keeps what is published, or write to people."
        )
    if before.closes_at != after.closes_at:
        told.append(f"People may change and withdraw until {after.closes_at.astimezone(after.zone):%-d %b %Y, %H:%M}.")
    if before.capacity > after.capacity:
        told.append(f"Places go from {before.capacity} to {after.capacity}; further people wait.")
    if before.capacity < after.capacity:
        told.append(f"Places go from {before.capacity} to {after.capacity}; people who wait get them within minutes.")
    return told


def _day_of(event: Event) -> Any:
    rooms = [event.room(theme.id, slot.id) for theme in event.themes for slot in event.rounds]
    return event.date, event.venue, event.rounds, rooms


def refuse_unknown_page(page: str, pages: Iterable[str]) -> None:
    """Raise NotFoundError for a page that there is none of."""
    if page not in pages:
        raise NotFoundError("There is no such page. Check the address.")
