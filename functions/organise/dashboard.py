"""What the dashboard says: who is there, what they want, how full it gets, what became of mails, what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.organise.drafts import UNDER_WAY
from functions.organise.people import matches
from shared.events import REMINDED_AT
from shared.mails import mail_states
from shared.models import Event, EventState, MailState, Registration, RegistrationState, Run, RunState
from shared.models import moment as moment_of
from shared.registrations import HOLDS_A_PLACE, registrations_of
from shared.runs import allocated, runs_of
from shared.state import read_state
from shared.table import Table

TABS = {
    "all": "Everyone",
    "registered": "Registered",
    "waiting": "Waiting",
    "withdrawn": "Withdrawn",
    "bounced": "Bounced",
    "checked-in": "Checked in",
}
"""The tabs over the people, in the order they stand."""

FILLING, FULL = 75, 100
"""Percent from which a house or a workshop is called filling, and full."""

PACE = timedelta(days=7)
"""How far back the forecast looks."""


def in_tab(person: Registration, tab: str) -> bool:
    """Whether a person stands under a tab."""
    match tab:
        case "registered":
            return person.state in HOLDS_A_PLACE
        case "waiting":
            return person.state is RegistrationState.WAITING
        case "withdrawn":
            return person.state is RegistrationState.WITHDRAWN
        case "bounced":
            return person.bounced and person.state is not RegistrationState.WITHDRAWN
        case "checked-in":
            return bool(person.checked_in_at)
    return True


def tab_counts(people: Iterable[Registration]) -> dict[str, int]:
    """How many people stand under each tab."""
    counts = dict.fromkeys(TABS, 0)
    for one in people:
        for tab in TABS:
            counts[tab] += in_tab(one, tab)
    return counts


@dataclass(frozen=True, slots=True)
class Search:
    """What a list of people is narrowed to, and which part of it is shown."""

    tab: str = "all"
    words: str = ""
    kind: str = ""
    page: int = 1
    size: int = 100


def read_search(query: Mapping[str, str], *, size: int) -> Search:
    """A search from an address. What makes no sense is left out: a link is no form."""
    tab, page = query.get("state", "all"), query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) <= 6 else 1
    return Search(
        tab=tab if tab in TABS else "all",
        words=query.get("q", "").strip()[:200],
        kind=query.get("type", "")[:60],
        page=max(1, number),
        size=size,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """One page of people, and how many there are in all."""

    people: list[Registration]
    counts: dict[str, int]
    total: int
    page: int
    pages: int


def find(people: Sequence[Registration], search: Search) -> Found:
    """The people a search means, by name, and the page of them that is asked for."""
    meant = [one for one in people if matches(one, search.words, search.kind)]
    under = sorted((one for one in meant if in_tab(one, search.tab)), key=lambda one: (one.name.casefold(), one.id))
    pages = max(1, -(-len(under) // search.size))
    page = min(search.page, pages)
    start = (page - 1) * search.size
    return Found(under[start : start + search.size], tab_counts(meant), len(under), page, pages)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the dashboard, read at one moment."""

    state: EventState
    counts: dict[str, int]
    demand: list[dict[str, Any]]
    mix: list[dict[str, Any]]
    forecast: dict[str, Any]
    mails: dict[str, int]
    bounced: list[Registration]
    runs: list[Run]
    coming: list[dict[str, Any]]
    attention: list[dict[str, str]]


def read_overview(table: Table, event: Event, now: datetime) -> Overview:
    """Read and count what stands in the table now."""
    state = read_state(table, event.id)
    people = list(registrations_of(table, event.id))
    runs = list(runs_of(table, event.id))
    counted = mail_counts(mail_states(table, event.id))
    with_programme = allocated(table, event.id, state.published_run)
    return Overview(
        state=state,
        counts=tab_counts(people),
        demand=demand(event, people),
        mix=mix(event, people),
        forecast=forecast(event, state, people, now),
        mails=counted,
        bounced=[one for one in people if in_tab(one, "bounced")],
        runs=runs,
        coming=coming(event, state, now),
        attention=list(attention(event, state, people, with_programme, counted, runs, now)),
    )


def demand(event: Event, people: Iterable[Registration]) -> list[dict[str, Any]]:
    """How often each theme is ranked first, second, …, and how many of those who may join have a seat."""
    confirmed = [one for one in people if one.state is RegistrationState.CONFIRMED]
    ranks = Counter((theme, rank) for one in confirmed for rank, theme in enumerate(one.choices))
    found = []
    for theme in event.themes:
        by_rank = [ranks[theme.id, rank] for rank in range(len(event.themes))]
        seats = sum(event.seats(theme.id, slot.id) for slot in event.rounds)
        wanted = sum(by_rank[: len(event.rounds)])
        found.append(
            {
                "theme": theme.id,
                "title": theme.title,
                "by_rank": by_rank,
                "unranked": len(confirmed) - sum(by_rank),
                "seats": seats,
                "wanted": wanted,
                "percent": wanted * 100 // seats if seats else 0,
            }
        )
    return found


def mix(event: Event, people: Iterable[Registration]) -> list[dict[str, Any]]:
    """How many hold a place, by partner type."""
    counts = Counter(one.partner_type for one in people if one.state in HOLDS_A_PLACE)
    total = sum(counts.values())
    return [
        {
            "type": kind.id,
            "title": kind.title,
            "heads": counts[kind.id],
            "percent": counts[kind.id] * 100 // total if total else 0,
        }
        for kind in event.partner_types
    ]


def fill_label(taken: int, places: int) -> str:
    """How full something is, in a word."""
    if taken * 100 >= places * FULL:
        return "Full"
    return "Filling" if taken * 100 >= places * FILLING else "Limited"


def forecast(event: Event, state: EventState, people: Iterable[Registration], now: datetime) -> dict[str, Any]:
    """Places taken, and how many will be by closing at the pace of the last week."""
    since = now - PACE
    recent = sum(moment_of(one.created_at) >= since for one in people if one.state in HOLDS_A_PLACE)
    days_open = min(PACE, now - event.opens_at) if now > event.opens_at else PACE
    left = max(timedelta(), event.closes_at - now)
    more = int(recent * (left / days_open)) if days_open else 0
    expected = min(event.capacity, state.confirmed + more)
    return {
        "taken": state.confirmed,
        "places": event.capacity,
        "percent": state.confirmed * 100 // event.capacity,
        "label": fill_label(state.confirmed, event.capacity),
        "last_week": recent,
        "expected": expected,
        "open": event.is_open(now),
    }


def mail_counts(mails: Iterable[tuple[MailState, bool]]) -> dict[str, int]:
    """How many mails stand in each state, and how many came back; each mail as `shared.mails.mail_states` tells it."""
    counts: Counter[str] = Counter()
    for state, bounced in mails:
        counts[state.value] += 1
        counts["bounced"] += bounced
    return {name: counts[name] for name in [*(state.value for state in MailState), "bounced"]}


def coming(event: Event, state: EventState, now: datetime) -> list[dict[str, Any]]:
    """What happens next by itself, and when, the soonest first."""
    automatic = event.allocation.publish == "automatic"
    dates = [
        (event.opens_at, "Registration opens"),
        (event.closes_at, "Registration closes"),
        (event.starts_at, "The day begins"),
        (event.retained_until, "Personal data is deleted"),
    ]
    if not state.published_run:
        after = "and everybody is mailed their programme" if automatic else "as a draft, for you to look at and publish"
        dates.append((event.allocates_at, f"Everybody is allocated to workshops, {after}"))
    for days in event.reminder_days:
        morning = datetime.combine(event.date - timedelta(days=days), REMINDED_AT, tzinfo=event.zone)
        dates.append((morning, "A reminder is mailed"))
    return [
        {"when": when.astimezone(event.zone), "what": what}
        for when, what in sorted(dates, key=lambda one: one[0])
        if when > now
    ]


def attention(
    event: Event,
    state: EventState,
    people: Iterable[Registration],
    with_programme: Collection[str],
    mails: Mapping[str, int],
    runs: Sequence[Run],
    now: datetime,
) -> Iterator[dict[str, str]]:
    """What an organiser should look at, each with the page to go to."""
    home = f"/organise/{event.id}"
    if runs and runs[0].state is RunState.FAILED:
        yield {"what": f"Allocation {runs[0].number} failed", "link": f"{home}/allocations/{runs[0].number}"}
    if runs and runs[0].state in UNDER_WAY:
        yield {"what": f"Allocation {runs[0].number} is under way", "link": f"{home}/allocations/{runs[0].number}"}
    if runs and runs[0].state is RunState.DRAFT and runs[0].compared_with == state.published_run:
        yield {"what": f"Draft {runs[0].number} waits for you", "link": f"{home}/allocations/{runs[0].number}"}
    if state.published_run and now < event.ends_at:
        without = sum(one.state is RegistrationState.CONFIRMED and one.id not in with_programme for one in people)
        if without:
            yield {
                "what": f"{_people(without)} without a programme: start a draft that keeps what is published",
                "link": f"{home}/allocations",
            }
    if mails["bounced"]:
        yield {"what": f"{mails['bounced']} mails came back", "link": f"{home}/people?state=bounced"}
    if mails["failed"]:
        yield {"what": f"{mails['failed']} mails could not be sent", "link": f"{home}/mails?state=failed"}
    if mails["held"] or state.mail_held:
        yield {"what": f"Mail is on hold; {mails['held']} mails wait", "link": f"{home}/mails"}


def _people(number: int) -> str:
    return "1 person is" if number == 1 else f"{number} people are"


def as_shown(event: Event, overview: Overview) -> dict[str, Any]:
    """The dashboard as programs read it."""
    return {
        "event": event.id,
        "title": event.title,
        "state": overview.state.model_dump(mode="json", exclude={"seed"}),
        "counts": overview.counts,
        "demand": overview.demand,
        "mix": overview.mix,
        "forecast": overview.forecast,
        "mails": overview.mails,
        "coming": [{"when": one["when"].isoformat(), "what": one["what"]} for one in overview.coming],
        "attention": overview.attention,
        "allocations": [
            {"number": run.number, "state": run.state.value, "mode": run.mode, "mails": run.mails}
            for run in overview.runs
        ],
    }
