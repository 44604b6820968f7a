"""New events, the check list before a draft is opened, and what a change does to people who are registered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from functions.organise import event_files
from functions.organise.event_form.filled_in import texts_missing
from functions.organise.words import ShortMoment
from shared.errors import InvalidError, NotFoundError
from shared.event_file import as_data
from shared.events import read_text
from shared.i18n import LANGUAGE_WORDS, N_, Told, told, told_many, told_together
from shared.local_time import local_date
from shared.models import MOST_ROUNDS, Event, Registration, RegistrationState
from shared.new_event import Data, plain_draft, shifted_copy, slug, workshop_title
from shared.table import EVENTS_PK, Table
from shared.tokens import PREVIEW_SALT, Keys, sign

MOST_NAMED = 5
"""Workshops without seats that the check list names."""

MOST_AT_ONCE = 60
"""Workshops of a new event; more are added on its page."""

REFUSED = told("Some answers need another look. Nothing was stored yet.")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the check list: whether it is done, in words, and the page that changes it."""

    done: bool
    what: Told
    page: str


def start(table: Table, typed: dict[str, Any], *, actor: str, now: datetime, language: str = "en") -> Event:
    """Make a draft in a language from the answers of the form "New event". Raises InvalidError by the form's fields."""
    texts = {name: str(typed.get(name) or "").strip() for name in ("title", "day", "by", "place", "address")}
    faults: dict[str, str] = {
        name: told("is missing") for name in ("title", "by", "place", "address") if not texts[name]
    }
    if words := _fault_of_day(texts["day"], now):
        faults["day"] = words
    counts = {}
    for name, most in (("rounds", MOST_ROUNDS), ("workshops", MOST_AT_ONCE), ("seats", 10_000)):
        text = str(typed.get(name) or "").strip()
        if text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most:
            counts[name] = int(text)
        else:
            faults[name] = told("write a whole number from 1 to %(most)s", most=most)
    if counts.get("workshops", MOST_AT_ONCE) < counts.get("rounds", 0):
        faults["workshops"] = told(
            "there must be at least as many workshops as rounds, as nobody joins the same one twice"
        )
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
        language=language,
        actor=actor,
        now=now,
    )
    return _store(table, data, actor, now)


def copy(table: Table, mine: Iterable[Event], typed: dict[str, Any], *, actor: str, now: datetime) -> Event:
    """Make a draft like an earlier event of the organiser. Raises InvalidError by the form's fields."""
    earlier = next((event for event in mine if event.id == typed.get("event")), None)
    day = str(typed.get("new_day") or "").strip()
    faults: dict[str, str] = {} if earlier else {"event": told("choose one of your events")}
    if words := _fault_of_day(day, now):
        faults["new_day"] = words
    if faults or earlier is None:
        raise InvalidError(REFUSED, faults)
    title = str(typed.get("new_title") or "").strip()
    data = shifted_copy(earlier, as_data(earlier), title=title, day=date.fromisoformat(day))
    return _store(table, data, actor, now, read_text(table, earlier.id))


def _fault_of_day(day: str, now: datetime) -> str:
    try:
        found = local_date(day)
    except ValueError:
        return told("write the date of the day")
    return "" if found > now.date() else told("lies in the past; write the date of the day to come")


def _store(table: Table, data: Data, actor: str, now: datetime, text: str = "") -> Event:
    taken = {item["sk"] for item in table.query(EVENTS_PK)} | event_files.RESERVED
    title = data["title"] if isinstance(data["title"], str) else next(iter(data["title"].values()))
    data["id"] = slug(f"{title[:35]}-{str(data['date'])[:4]}" if str(data["date"])[:4] not in title else title, taken)
    return event_files.put_new_data(table, data, actor=actor, now=now, text=text)


def preview_url(keys: Keys, event: Event) -> str:
    """The address of a draft's page as it will look; of the page itself once it is open."""
    if not event.draft:
        return f"/events/{event.id}"
    return f"/events/{event.id}/preview/{sign(keys, PREVIEW_SALT, [event.id])}"


def open_event(table: Table, event: Event, *, actor: str, now: datetime) -> None:
    """Let everybody see a draft. Raises InvalidError when its dates have passed meanwhile."""
    if event.closes_at <= now:
        raise InvalidError(
            told("Registration of this draft would be closed already. Change its dates, then open it."),
            {"registration.closes": told("lies in the past")},
        )
    event_files.put_data(table, event, {**as_data(event), "draft": False}, actor=actor, now=now)


def check_list(event: Event, now: datetime) -> list[Check]:
    """What to look at before a draft is opened."""
    return list(_checks(event, now))


def _checks(event: Event, now: datetime) -> Iterator[Check]:
    unnamed = [
        theme
        for theme in event.themes
        if theme.id[1:].isdecimal() and theme.title == workshop_title(int(theme.id[1:]), event.language)
    ]
    yield Check(
        not unnamed,
        told_many("%(num)s workshop still without a name", "%(num)s workshops still without a name", len(unnamed))
        if unnamed
        else told("Every workshop has its own name"),
        "themes",
    )
    bare = sum(not theme.description for theme in event.themes)
    yield Check(
        not bare,
        told_many(
            "%(num)s workshop without a description; people rank by it",
            "%(num)s workshops without a description; people rank by it",
            bare,
        )
        if bare
        else told("Every workshop is described"),
        "themes",
    )
    closed = [
        f"{theme.title} ({slot.start:%H:%M})"
        for theme in event.themes
        for slot in event.rounds
        if not event.seats(theme.id, slot.id)
    ]
    if closed:
        yield Check(
            False,
            told(
                "Without seats, so not held: %(workshops)s",
                workshops=", ".join(closed[:MOST_NAMED]) + (" …" if len(closed) > MOST_NAMED else ""),
            ),
            "themes",
        )
    for language in event.spoken if len(event.spoken) > 1 else []:
        missing = texts_missing(event, language)
        if missing:
            yield Check(
                False,
                told_many(
                    "%(num)s text is missing in %(language)s; readers get the language of the event",
                    "%(num)s texts are missing in %(language)s; readers get the language of the event",
                    sum(missing.values()),
                    language=LANGUAGE_WORDS[language],
                ),
                next(iter(missing)),
            )
    roomless = sum(
        not event.room(theme.id, slot.id)
        for theme in event.themes
        for slot in event.rounds
        if event.seats(theme.id, slot.id)
    )
    yield Check(
        not roomless,
        told_many(
            "%(num)s room to fill in; it can follow later", "%(num)s rooms to fill in; they can follow later", roomless
        )
        if roomless
        else told("Every workshop has a room"),
        "themes",
    )
    yield Check(
        event.summary != event.title,
        told("The day is described in a sentence or two")
        if event.summary != event.title
        else told("Describe the day in a sentence or two"),
        "day",
    )
    seats = min(sum(event.seats(theme.id, slot.id) for theme in event.themes) for slot in event.rounds)
    yield Check(
        seats >= event.capacity,
        told("%(places)s places, %(seats)s seats in the round that has the fewest", places=event.capacity, seats=seats),
        "registration",
    )
    opens, closes, at = (
        ShortMoment(when.astimezone(event.zone)) for when in (event.opens_at, event.closes_at, event.allocates_at)
    )
    ahead = event.closes_at > now
    yield Check(
        ahead,
        told("Registration is open from %(opens)s to %(closes)s", opens=opens, closes=closes)
        if ahead
        else told("Registration closed on %(closes)s, which has passed", closes=closes),
        "registration",
    )
    yield Check(
        event.allocates_at > now,
        told("Workshops are given out on %(at)s, and everybody is mailed at once", at=at)
        if event.allocation.publish == "automatic"
        else told("Workshops are given out on %(at)s, and you look before anybody is mailed", at=at),
        "allocation",
    )
    kinds = len(event.partner_types)
    yield Check(
        True,
        told("%(number)s kinds of people are mixed in each workshop", number=kinds)
        if kinds > 1
        else told("One kind of people: nobody is asked which, and nothing is mixed"),
        "registration",
    )
    organisers, helpers = len(event.organiser_emails), len(event.door_emails)
    yield Check(
        True,
        told_together(
            [
                told_many("%(num)s organiser", "%(num)s organisers", organisers),
                told_many("%(num)s helper at the door", "%(num)s helpers at the door", helpers),
            ],
            ", ",
        ),
        "access",
    )


def effects(before: Event, after: Event, people: Iterable[Registration], *, published: bool) -> list[Told]:
    """What a change means to those who are registered, in sentences."""
    gone = (RegistrationState.WITHDRAWN, RegistrationState.DELEGATE)  # the contact of a group takes no place
    known = [person for person in people if person.state not in gone]
    if not known:
        return [told("Nobody is registered yet.")]
    words = [
        told_many(
            "%(num)s person is registered; they see the change on their own page, and no mail is sent.",
            "%(num)s people are registered; they see the change on their own page, and no mail is sent.",
            len(known),
        )
    ]
    added = {theme.id for theme in after.themes} - {theme.id for theme in before.themes}
    ranked = sum(bool(person.choices) for person in known)
    if added and ranked:
        words.append(
            told(
                "%(rankings)s without %(workshops)s yet; it counts as ranked last.",
                rankings=told_many("%(num)s ranking", "%(num)s rankings", ranked),
                workshops=told_many("%(num)s new workshop", "%(num)s new workshops", len(added)),
            )
        )
    if published and _day_of(before) != _day_of(after):
        words.append(
            told(
                "Programmes that were mailed name hours, rooms and the place as they stood. "
                "Start a draft that keeps what is published, or write to people."
            )
        )
    if before.closes_at != after.closes_at:
        closes = ShortMoment(after.closes_at.astimezone(after.zone))
        words.append(told("People may change and withdraw until %(closes)s.", closes=closes))
    counts = {"before": before.capacity, "after": after.capacity}
    if before.capacity > after.capacity:
        words.append(told("Places go from %(before)s to %(after)s; further people wait.", **counts))
    if before.capacity < after.capacity:
        words.append(told("Places go from %(before)s to %(after)s; people who wait get them within minutes.", **counts))
    return words


def _day_of(event: Event) -> Any:
    rooms = [event.room(theme.id, slot.id) for theme in event.themes for slot in event.rounds]
    return event.date, event.venue, event.rounds, rooms


def refuse_unknown_page(page: str, pages: Iterable[str]) -> None:
    """Raise NotFoundError for a page that there is none of."""
    if page not in pages:
        raise NotFoundError(N_("There is no such page. Check the address."))
