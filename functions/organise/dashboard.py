"""The dashboard: who registered, what they want, how full the event gets, what became of mails, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.organise import outbox
from functions.organise.charts import fill_label, percent, shares
from functions.organise.door import attendance
from functions.organise.drafts import UNDER_WAY
from functions.organise.search import in_tab, tab_counts, unconfirmed_ids
from shared.cancellation import reached
from shared.edition import facts_since
from shared.i18n import Told, told, told_many
from shared.mails import SesWait, mail_statuses
from shared.messages import messages_of
from shared.models import (
    Afterwards,
    Event,
    EventState,
    Registration,
    RegistrationState,
    Round,
    Run,
    RunState,
    Theme,
    WaitsFor,
)
from shared.models import moment as moment_of
from shared.publication import owed_mails
from shared.registrations import HOLDS_A_PLACE, on_paper, registrations_of
from shared.runs import programmes_of, runs_of, why_stale
from shared.state import allocated, read_state
from shared.table import Item, Table, event_pk, task_sk


def _waiting(waits_for: WaitsFor, number: int) -> Told:
    """What is said of a draft that is open, by what it waits for."""
    if waits_for in ("review", "moves", "answer"):
        return told("Draft %(number)s waits for you: look at it and publish it; nobody is mailed before", number=number)
    if waits_for == "gap":
        return told(
            "Draft %(number)s waits for you: it is not proven good enough to be published by itself. "
            "Publish it, or start another draft; nobody is mailed before",
            number=number,
        )
    return told("Draft %(number)s waits for you", number=number)


PACE = timedelta(days=7)
"""How far back the forecast looks."""


@dataclass(frozen=True, slots=True)
class Demand:
    """How often a theme is ranked first, second, … (`by_rank`), and how many seats it has in all rounds.

    `wanted` counts the ranks that could all come true: as many first choices as there are rounds. `percent` is
    `wanted` against `seats`.
    """

    theme: str
    title: str
    by_rank: list[int]
    unranked: int
    seats: int
    wanted: int
    percent: int


@dataclass(frozen=True, slots=True)
class MixShare:
    """How many people of a partner type hold a place, and their share of all who do, in percent."""

    type: str
    title: str
    heads: int
    percent: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Places taken now, and the places expected to be taken at closing."""

    taken: int
    places: int
    percent: int
    label: str
    last_week: int
    expected: int
    open: bool


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that happens by itself, and when, in the event's time zone."""

    when: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that an organiser should look at, and the page to go to."""

    what: str
    link: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the dashboard, read at one moment."""

    state: EventState
    counts: dict[str, int]
    demand: list[Demand]
    mix: list[MixShare]
    forecast: Forecast
    mails: dict[str, int]
    last_out: datetime | None
    bounced: list[Registration]
    runs: list[Run]
    coming: list[Coming]
    answered: Told | None
    attention: list[Attention]
    may_run_again: bool
    on_paper: int
    checked_in: int
    attendance: list[tuple[Round, int]]


def read_overview(table: Table, event: Event, now: datetime) -> Overview:
    """Read the table and count."""
    state = read_state(table, event.id)
    people = list(registrations_of(table, event.id))
    open_ = unconfirmed_ids(people)
    runs = list(runs_of(table, event.id))
    statuses = list(mail_statuses(table, event.id))
    mails = outbox.mail_counts(statuses)
    lacking = outbox.waiting_for_ses(statuses)
    otherwise = _told_otherwise(table, event, people, runs, state) if now < event.ends_at and not event.cancelled else 0
    with_programme = allocated(table, event.id, state.published_run)
    standing = Standing(
        event=event,
        state=state,
        people=people,
        with_programme=with_programme,
        mails=mails,
        lacking=lacking,
        runs=runs,
        stale=_stale(table, event, runs, people, state),
        otherwise=otherwise,
    )
    return Overview(
        state=state,
        counts=tab_counts(people, open_),
        demand=demand(event, people),
        mix=mix(event, people),
        forecast=forecast(event, state, people, now),
        mails=mails,
        last_out=outbox.last_out(table, mails["pending"], now) if not lacking else None,
        bounced=[person for person in people if in_tab(person, "bounced", open_)],
        runs=runs,
        coming=coming(event, state, now, table.query(event_pk(event.id), task_sk(""))),
        answered=ANSWERED[state.afterwards],
        attention=[
            *_told_of_another_day(table, event, state, people, now),
            *attention(standing, now),
        ],
        may_run_again=bool(state.published_run) and now < event.ends_at and not event.cancelled,
        on_paper=sum(person.id in with_programme for person in on_paper(people) if holds_a_place(person)),
        checked_in=sum(bool(person.checked_in_at) for person in people),
        attendance=attendance(event, people),
    )


def holds_a_place(person: Registration) -> bool:
    """Whether a person is confirmed or is offered a place."""
    return person.state in HOLDS_A_PLACE


def _told_otherwise(
    table: Table, event: Event, people: list[Registration], runs: Sequence[Run], state: EventState
) -> int:
    """How many people were told facts of the day that the event file has otherwise by now."""
    run = next((run for run in runs if run.number == state.published_run), None)
    facts = facts_since(run, event)
    if run is None or facts[0] in (None, facts[1]):
        return 0
    programmes = programmes_of(table, event.id, run.number)
    return len(owed_mails(people, programmes, programmes, facts))


def _told_of_another_day(
    table: Table, event: Event, state: EventState, people: list[Registration], now: datetime
) -> Iterator[Attention]:
    """Before any publication: how many registered before the day changed, unless a text was written since."""
    if state.published_run or not state.day_changed_at or event.cancelled or now >= event.ends_at:
        return
    earlier = sum(one.created_at < state.day_changed_at for one in reached(people))
    if earlier and not any(text.created_at > state.day_changed_at for text in messages_of(table, event.id)):
        words = told_many(
            "%(num)s person registered before the date, the hours or the place of the day changed: write to them, or "
            "they hear of it with their programme",
            "%(num)s people registered before the date, the hours or the place of the day changed: write to them, or "
            "they hear of it with their programmes",
            earlier,
        )
        yield Attention(words, f"/organise/{event.id}/messages?group=all")


def demand(event: Event, people: Iterable[Registration]) -> list[Demand]:
    """How often each theme is ranked first, second, …, against its seats."""
    confirmed = [person for person in people if person.state is RegistrationState.CONFIRMED]
    ranks = Counter((theme, rank) for person in confirmed for rank, theme in enumerate(person.choices))
    found = []
    for theme in event.themes:
        by_rank = [ranks[theme.id, rank] for rank in range(len(event.themes))]
        seats = sum(event.seats(theme.id, slot.id) for slot in event.rounds)
        wanted = sum(by_rank[: len(event.rounds)])
        unranked = len(confirmed) - sum(by_rank)
        found.append(Demand(theme.id, theme.title, by_rank, unranked, seats, wanted, percent(wanted, seats)))
    return found


def mix(event: Event, people: Iterable[Registration]) -> list[MixShare]:
    """How many people of each partner type hold a place."""
    counts = Counter(person.partner_type for person in people if holds_a_place(person))
    rounded = shares([counts[known.id] for known in event.partner_types])
    return [
        MixShare(known.id, known.title, counts[known.id], share)
        for known, share in zip(event.partner_types, rounded, strict=True)
    ]


def forecast(event: Event, state: EventState, people: Iterable[Registration], now: datetime) -> Forecast:
    """Places taken, and how many will be taken at closing if people register as fast as in the last week."""
    since = now - PACE
    recent = sum(moment_of(person.created_at) >= since for person in people if holds_a_place(person))
    days_open = min(PACE, now - event.opens_at) if now > event.opens_at else PACE
    left = max(timedelta(), event.closes_at - now)
    more = int(recent * (left / days_open)) if days_open else 0
    return Forecast(
        taken=state.confirmed,
        places=event.capacity,
        percent=percent(state.confirmed, event.capacity),
        label=fill_label(state.confirmed, event.capacity),
        last_week=recent,
        expected=min(event.capacity, state.confirmed + more),
        open=event.is_open(now),
    )


ANSWERED: dict[Afterwards, Told | None] = {
    "": None,
    "close": told("Registration was closed with the last publication."),
    "keep": told(
        "So it was answered at the last publication: at the deadline a draft places those who came since and keeps "
        "what is published. You publish it."
    ),
    "none": told(
        "So it was answered at the last publication: no further allocation is made by itself. People who came since "
        "get a programme when you publish another one."
    ),
}
"""What was answered at the last publication, by what is stored."""


def coming(event: Event, state: EventState, now: datetime, tasks: Iterable[Item]) -> list[Coming]:
    """What happens next by itself, and when, the soonest first: the tasks in the table, and the dates of the file.

    Parameters
    ----------
    tasks
        The rows of what the schedule is to do for the event.
    """
    file = [
        (event.opens_at, told("Registration opens")),
        (event.closes_at, told("Registration closes")),
        (event.starts_at, told("The day begins")),
    ]
    dates = [] if event.cancelled else file
    dates += [(moment_of(task["due_at"]), words) for task in tasks if (words := _task_words(event, state, task))]
    ahead = sorted((date for date in dates if date[0] > now), key=lambda date: date[0])
    return [Coming(when.astimezone(event.zone), what) for when, what in ahead]


def _task_words(event: Event, state: EventState, task: Item) -> Told | None:
    """What a task of the schedule does, None for one that is under way and stands elsewhere on the page."""
    match str(task["task"]).partition("#")[0]:
        case "allocation" if state.published_run:
            return told("People without a programme get one in a draft, for you to look at and publish")
        case "allocation" if event.allocation.publish == "automatic":
            return told("Everybody is allocated to workshops, and everybody is mailed their programme")
        case "allocation":
            return told("Everybody is allocated to workshops, as a draft, for you to look at and publish")
        case "late":
            return told("People without a programme get one; published programmes stay as they are")
        case "reminder":
            return told("A reminder is mailed")
        case "feedback":
            return told("People who were there are asked what they thought of the day")
        case "sensitive":
            return told("Answers to sensitive questions are deleted")
        case "retention":
            return told("Personal data is deleted")
        case "organisers":
            return told("The addresses of organisers are deleted")
    return None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an event stands: what decides whether an organiser should look at something.

    Parameters
    ----------
    with_programme
        The workshops, theme by round, of the people who have a programme in the published allocation.
    mails
        The number of mails by state.
    lacking
        The number of mails that wait for each thing that the account of SES lacks.
    runs
        Every allocation, the newest first.
    stale
        Why the newest allocation, a draft, can no longer be published; "" if it can, or is no draft.
    otherwise
        The number of people who were told other facts of the day than the event file has.
    """

    event: Event
    state: EventState
    people: Sequence[Registration]
    with_programme: Mapping[str, Mapping[str, str]]
    mails: Mapping[str, int]
    lacking: Mapping[SesWait, int]
    runs: Sequence[Run]
    stale: str
    otherwise: int


def attention(standing: Standing, now: datetime) -> Iterator[Attention]:
    """What an organiser should look at."""
    event, state, people, runs = standing.event, standing.state, standing.people, standing.runs
    mails, stale, otherwise = standing.mails, standing.stale, standing.otherwise
    home = f"/organise/{event.id}"
    if event.cancelled:
        yield Attention(told("This day is cancelled: see what became of the mails that say so"), f"{home}/mails")
    elif runs and (newest := _of_the_newest(runs[0], state, stale)):
        yield Attention(newest, f"{home}/allocations/{runs[0].number}")
    made = bool(runs) and not stale and (runs[0].state in UNDER_WAY or _is_open(runs[0], state))
    if otherwise and not made:
        words = told_many(
            "%(num)s person was told other hours, rooms, titles or another place than the event has now: start a "
            "draft that keeps what is published, read its mails, and publish it to tell them",
            "%(num)s people were told other hours, rooms, titles or another place than the event has now: start a "
            "draft that keeps what is published, read its mails, and publish it to tell them",
            otherwise,
        )
        yield Attention(words, f"{home}/allocations")
    if state.published_run and now < event.ends_at and not event.cancelled and not made:
        without = sum(person.takes_part and person.id not in standing.with_programme for person in people)
        if without and not (state.afterwards == "keep" and now < event.allocates_at):
            words = told_many(
                "%(num)s person is without a programme: start a draft that keeps what is published",
                "%(num)s people are without a programme: start a draft that keeps what is published",
                without,
            )
            yield Attention(words, f"{home}/allocations")
        since = next((run.requested_at for run in runs if run.number == state.published_run), "")
        gave_up = sum(person.takes_part and bool(person.gave_up) and person.gave_up_at > since for person in people)
        if gave_up:
            words = told_many(
                "%(num)s person gave up the seat of a round: a draft that keeps what is published may use it",
                "%(num)s people gave up seats of rounds: a draft that keeps what is published may use them",
                gave_up,
            )
            yield Attention(words, f"{home}/people")
        for theme, slot, heads in _too_many(event, people, standing.with_programme):
            seats = event.seats(theme.id, slot.id)
            words = told(
                "%(theme)s at %(time)s has %(seats)s by now and %(people)s in published programmes: "
                "start a draft that keeps what it can",
                theme=theme.title,
                time=f"{slot.start:%H:%M}",
                seats=told_many("%(num)s seat", "%(num)s seats", seats),
                people=told_many("%(num)s person", "%(num)s people", heads),
            )
            yield Attention(words, f"{home}/allocations")
    for wait, number in standing.lacking.items():
        waits = told_many("%(num)s mail waits", "%(num)s mails wait", number)
        words = told("%(name)s: %(words)s", name=waits, words=outbox.LACKING[wait])
        yield Attention(words, f"{home}/mails?state=pending")
    if mails["bounced"]:
        yield Attention(_came_back(people, mails["bounced"]), f"{home}/people?state=bounced")
    if mails["failed"]:
        words = told_many("%(num)s mail could not be sent", "%(num)s mails could not be sent", mails["failed"])
        yield Attention(words, f"{home}/mails?state=failed")
    if mails["held"] or state.mail_held:
        words = told_many("Mail is on hold; %(num)s mail waits", "Mail is on hold; %(num)s mails wait", mails["held"])
        yield Attention(words, f"{home}/mails")


def _came_back(people: Iterable[Registration], mails: int) -> Told:
    """Whom with a place mail does not reach, or how many mails came back when it reaches all of those."""
    unreached = sum(person.bounced and person.state in HOLDS_A_PLACE for person in people)
    if not unreached:
        return told_many("%(num)s mail came back", "%(num)s mails came back", mails)
    return told_many(
        "Mail does not reach %(num)s person who has a place: correct the address, or free the place",
        "Mail does not reach %(num)s people who have a place: correct their addresses, or free their places",
        unreached,
    )


def _too_many(
    event: Event, people: Iterable[Registration], programmes: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[Theme, Round, int]]:
    """The workshops that have fewer seats by now than people in published programmes, with the number of people."""
    here = [person.id for person in people if person.state is RegistrationState.CONFIRMED]
    heads = Counter(place for one in here for place in programmes.get(one, {}).items())
    for theme in event.themes:
        for slot in event.rounds:
            if heads[slot.id, theme.id] > event.seats(theme.id, slot.id):
                yield theme, slot, heads[slot.id, theme.id]


def _is_open(run: Run, state: EventState) -> bool:
    """Whether a run is a draft that was compared with what is published."""
    return run.state is RunState.DRAFT and run.compared_with == state.published_run


def _stale(table: Table, event: Event, runs: Sequence[Run], people: Sequence[Registration], state: EventState) -> str:
    """Why the newest run, an open draft, can no longer be published; "" if it can, or is no open draft."""
    return why_stale(table, event, runs[0], people) if runs and _is_open(runs[0], state) else ""


def _of_the_newest(run: Run, state: EventState, stale: str) -> Told | None:
    """What an organiser should know of the newest run, None if nothing."""
    if run.state is RunState.FAILED:
        return told("Allocation %(number)s failed. %(why)s", number=run.number, why=run.error)
    if run.state in UNDER_WAY and run.error:
        return told(
            "Allocation %(number)s is under way. It is tried again after a fault: %(why)s",
            number=run.number,
            why=run.error,
        )
    if run.state in UNDER_WAY:
        return told("Allocation %(number)s is under way", number=run.number)
    if stale:
        return told("Draft %(number)s can no longer be published. %(why)s", number=run.number, why=stale)
    if _is_open(run, state):
        return _waiting(run.waits_for, run.number)
    return None


def as_shown(event: Event, overview: Overview) -> dict[str, Any]:
    """The dashboard as programs read it."""
    return {
        "event": event.id,
        "title": event.title,
        "state": overview.state.model_dump(mode="json", exclude={"seed"}),
        "counts": overview.counts,
        "demand": [asdict(demand) for demand in overview.demand],
        "mix": [asdict(share) for share in overview.mix],
        "forecast": asdict(overview.forecast),
        "mails": overview.mails,
        "attendance": {slot.id: seen for slot, seen in overview.attendance},
        "last_mail_out": overview.last_out.isoformat() if overview.last_out else None,
        "answered": overview.answered,
        "coming": [{"when": coming.when.isoformat(), "what": coming.what} for coming in overview.coming],
        "attention": [asdict(attention) for attention in overview.attention],
        "allocations": [
            {"number": run.number, "state": run.state.value, "mode": run.mode, "mails": run.mails}
            for run in overview.runs
        ],
    }
