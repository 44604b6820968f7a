"""Runs as organisers read them: figures, fill and mix, who moves against what is published, who is mailed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from functions.organise.allocator import Allocator
from shared.acts import Act
from shared.attendees import Wishes, WishReader, mean_costs
from shared.edition import Facts, differing
from shared.errors import ConflictError, InvalidError, NotFoundError, StaleError
from shared.http import Fields, invalid
from shared.i18n import told, told_many
from shared.leaders import Led, untold
from shared.models import (
    Afterwards,
    Event,
    MailKind,
    Model,
    Programme,
    Registration,
    RegistrationState,
    Run,
    RunState,
    Tolerance,
    utc,
)
from shared.publication import ANSWERS, facts_told, owed_mails, publish
from shared.reasons import ToldReason, about_them
from shared.registrations import registrations_of
from shared.runs import Wish, delete_draft, programmes_of, read_run, request_run, why_stale
from shared.state import read_state
from shared.table import Table

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")

UNDER_WAY = (RunState.REQUESTED, RunState.RUNNING)


class NewDraft(Model):
    """Parameters of a run that an organiser asks for; what is left out is taken from the event file."""

    mode: Literal["fresh", "keep"] = "fresh"
    seed: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    weight: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    tolerance: Tolerance | None = None


class Publication(Model):
    """The number of mails an organiser has seen and agrees to."""

    expected_mails: Annotated[int, Field(ge=0, le=10_000_000)]


class RunPublication(Publication):
    """The same, with what happens to people who come later: needed until registration has closed."""

    afterwards: Afterwards = ""


_EXPECTED = {
    "mode": told("Choose fresh or keep"),
    "seed": told("Use at most 200 letters, digits and ordinary signs"),
    "weight": told("Enter a whole number from 0 to 1000000"),
    "tolerance": told("Enter a number from 0 to 1, like 0.25, with at most six digits after the point"),
}


def read_wish(fields: Fields) -> Wish:
    """A wish from a form or JSON. Raises InvalidError."""
    given = {name: value for name, value in fields.items() if value not in ("", None)}
    try:
        draft = NewDraft.model_validate(given)
    except ValidationError as error:
        refused = invalid(error)
        words = {name: _EXPECTED.get(name, plain) for name, plain in refused.fields.items()}
        raise InvalidError(refused.message, words) from None
    tolerance = format(draft.tolerance.normalize(), "f") if draft.tolerance is not None else ""
    return Wish(mode=draft.mode, seed=draft.seed, weight=draft.weight, tolerance=tolerance)


def read_publication(fields: Fields) -> int:
    """The expected number of mails. Raises InvalidError."""
    try:
        return Publication.model_validate(fields).expected_mails
    except ValidationError as error:
        raise invalid(error, {"missing": told("Send the number of mails that this would write")}) from None


def read_run_publication(fields: Fields) -> tuple[int, Afterwards]:
    """The expected number of mails, and the answer for those who come later, "" when none was given.

    Raises InvalidError.
    """
    choices = ", ".join(ANSWERS)
    try:
        read = RunPublication.model_validate(fields)
    except ValidationError as error:
        refused = invalid(error, {"missing": told("Send the number of mails that this would write")})
        if "afterwards" in refused.fields:
            words = {**refused.fields, "afterwards": told("Choose one of: %(choices)s", choices=choices)}
            raise InvalidError(refused.message, words) from None
        raise refused from None
    return read.expected_mails, read.afterwards


def find_run(table: Table, event: Event, number: str) -> Run:
    """A run by the number in an address. Raises NotFoundError."""
    run = read_run(table, event.id, int(number)) if _NUMBER.fullmatch(number) else None
    if run is None:
        raise NotFoundError(told("There is no such allocation at this event."))
    return run


def start(table: Table, event: Event, wish: Wish, allocator: Allocator, *, actor: str, now: datetime) -> Run:
    """Ask for a draft and wake the allocator; while a run is under way, that run is the answer.

    Raises ConflictError when nothing can be allocated any more.
    """
    if now >= event.ends_at:
        raise ConflictError(told("The day is over; nothing is left to allocate."))
    if wish.mode == "keep" and not read_state(table, event.id).published_run:
        raise ConflictError(told("Nothing is published yet, so there is nothing to keep. Start a fresh draft."))
    run = request_run(table, event, wish, actor=actor, now=now)
    if run.requested_at == utc(now):
        Act.REQUEST_ALLOCATION.counted()
    allocator.wake(event.id, run=run.number)
    return run


def restore(table: Table, event: Event, run: Run, allocator: Allocator, *, actor: str, now: datetime) -> Run:
    """Ask for a draft with the programmes of an earlier publication, as far as today's rules allow them.

    People who take part no more are left out, people who came since are placed, and what the event file no longer
    allows changes; the draft shows all of it before it is published. Raises ConflictError.
    """
    if run.state is not RunState.SUPERSEDED or not run.published_at:
        raise ConflictError(
            told("Allocation %(number)s was not published before; only such a one can be restored.", number=run.number)
        )
    draft = start(table, event, Wish(mode="keep", restores=run.number), allocator, actor=actor, now=now)
    if draft.restores != run.number:
        raise ConflictError(
            told(
                "Allocation %(number)s is under way. Wait until it is made, then restore this one.", number=draft.number
            )
        )
    return draft


def delete(table: Table, event: Event, run: Run, sure: object, *, actor: str, now: datetime) -> None:
    """Delete a draft, if the organiser said so twice. Raises InvalidError or ConflictError."""
    if not sure:
        raise InvalidError(told("Tick the box to delete this draft."), {"sure": told("Tick this to delete the draft")})
    delete_draft(table, event, run, actor=actor, now=now)
    Act.DELETE_DRAFT.counted()


def publish_draft(
    table: Table,
    event: Event,
    run: Run,
    expected: int,
    allocator: Allocator,
    *,
    actor: str,
    now: datetime,
    afterwards: Afterwards = "",
) -> Run:
    """Publish a draft if it still writes exactly the mails that the organiser agreed to, and wake the allocator.

    `afterwards` is what happens to people who come later, until registration has closed (see `publish`).
    Raises ConflictError or StaleError, with nothing changed.
    """
    if run.state is not RunState.DRAFT:
        raise ConflictError(
            told("Allocation %(number)s is no draft; only a draft can be published.", number=run.number)
        )
    people = list(registrations_of(table, event.id))
    before = programmes_of(table, event.id, run.compared_with)
    after = programmes_of(table, event.id, run.number)
    owed = len(owed_mails(people, before, after, facts_told(table, event, run))) + len(untold(table, event))
    if expected != owed:
        raise StaleError(
            told_many(
                "This publication would write %(num)s mail, not %(expected)s. Look at the draft again and confirm.",
                "This publication would write %(num)s mails, not %(expected)s. Look at the draft again and confirm.",
                owed,
                expected=expected,
            )
        )
    published = publish(table, event, run, people, actor=actor, now=now, afterwards=afterwards)
    Act.PUBLISH.counted()
    allocator.wake(event.id, publication=run.number)
    return published


@dataclass(frozen=True, slots=True)
class Difference:
    """One person whose workshops a run changes against the published ones."""

    person: Registration
    before: Mapping[str, str]
    after: Mapping[str, str]
    before_cost: int
    after_cost: int
    reason: str

    @property
    def kind(self) -> Literal["new", "gone", "better", "worse", "same"]:
        """What the change means to the person, by the ranks they gave."""
        if not self.before:
            return "new"
        if not self.after:
            return "gone"
        if self.after_cost == self.before_cost:
            return "same"
        return "better" if self.after_cost < self.before_cost else "worse"


def wishes_of(read: WishReader, person: Registration) -> Wishes:
    """What the themes are to a person."""
    return read(person.partner_type, person.choices, person.excluded)


def cost_of(read: WishReader, person: Registration, workshops: Mapping[str, str]) -> int:
    """What a programme costs by the ranks of the person who has it."""
    return sum(map(wishes_of(read, person).cost, workshops.values()))


def differences(
    event: Event, people: Iterable[Registration], before: Mapping[str, Programme], after: Mapping[str, Programme]
) -> list[Difference]:
    """The people whose programme differs from the published one, the greatest loss first."""
    found, read = [], WishReader(event)
    for person in people:
        old, new = before.get(person.id), after.get(person.id)
        was, becomes = old.workshops if old else {}, new.workshops if new else {}
        if was == becomes or person.state is not RegistrationState.CONFIRMED:
            continue
        costs = cost_of(read, person, was), cost_of(read, person, becomes)
        found.append(Difference(person, was, becomes, *costs, ToldReason(new.reason, event) if new else ""))
    return sorted(found, key=lambda moved: (moved.before_cost - moved.after_cost, moved.person.id))


def difference_counts(found: Sequence[Difference]) -> dict[str, int]:
    """The differences in numbers."""
    kinds = Counter(difference.kind for difference in found)
    return {
        "people": len(found),
        "moved": sum(kinds[kind] for kind in ("better", "worse", "same")),
        "better": kinds["better"],
        "worse": kinds["worse"],
        "same": kinds["same"],
        "new": kinds["new"],
        "gone": kinds["gone"],
    }


@dataclass(frozen=True, slots=True)
class WorkshopFill:
    """A workshop of a run: its seats, its heads, and by partner type its heads and the band that mirrors the room."""

    theme: str
    round: str
    room: str
    seats: int
    minimum: int
    heads: int
    by_type: dict[str, int]
    band: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class WorstOff:
    """A person with the costliest programme, as (round, theme, rank of the theme), and the reason."""

    person: Registration
    workshops: list[tuple[str, str, int]]
    reason: str


def workshops(
    event: Event, run: Run, people: Mapping[str, Registration], programmes: Mapping[str, Programme]
) -> list[WorkshopFill]:
    """How full each workshop offered would be, and with whom."""
    heads: Counter[tuple[str, str, str]] = Counter()
    present: Counter[tuple[str, str]] = Counter()
    for registration, programme in programmes.items():
        partner_type = people[registration].partner_type if registration in people else ""
        for round_id, theme_id in programme.workshops.items():
            heads[theme_id, round_id, partner_type] += 1
            heads[theme_id, round_id, "*"] += 1
            present[round_id, partner_type] += 1
    tolerance = Fraction(str(run.result.get("tolerance") or run.tolerance or event.tolerance))
    types = [known.id for known in event.partner_types]
    found = []
    for slot in event.rounds:
        for theme in event.themes:
            seats = event.seats(theme.id, slot.id)
            if not seats:
                continue
            found.append(
                WorkshopFill(
                    theme=theme.id,
                    round=slot.id,
                    room=event.room(theme.id, slot.id),
                    seats=seats,
                    minimum=event.minimum(theme.id, slot.id),
                    heads=heads[theme.id, slot.id, "*"],
                    by_type={known: heads[theme.id, slot.id, known] for known in types},
                    band={
                        known: event.band(theme.id, slot.id, known, present[slot.id, known], tolerance)
                        for known in types
                    },
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class DraftView:
    """A run with everything that a page or a program shows of it, read at one moment."""

    run: Run
    people: dict[str, Registration]
    before: dict[str, Programme]
    after: dict[str, Programme]
    differences: list[Difference]
    owed: list[tuple[Registration, MailKind]]
    leaders: list[Led]
    stale: str
    facts: Facts
    restored: dict[str, Programme]

    @property
    def against_restored(self) -> dict[str, int]:
        """Against the run that a draft restores: how many people it `changed`, and how many are `new` or `gone`."""
        changed = sum(
            one in self.restored and programme.workshops != self.restored[one].workshops
            for one, programme in self.after.items()
        )
        new, gone = len(self.after.keys() - self.restored.keys()), len(self.restored.keys() - self.after.keys())
        return {"changed": changed, "new": new, "gone": gone}

    @property
    def mails(self) -> int:
        """How many mails a publication would write now."""
        return len(self.owed) + len(self.leaders)

    def told_otherwise(self, registration: str) -> list[tuple[str, str]]:
        """What this person was told of the day before, and what is true now, where that differs."""
        after = self.after.get(registration)
        language = self.people[registration].language if registration in self.people else ""
        return list(differing(self.facts, after.workshops, language)) if after and registration in self.before else []


def read_draft(table: Table, event: Event, run: Run) -> DraftView:
    """Read a run, the people it is about, and what it would change."""
    people = {person.id: person for person in registrations_of(table, event.id)}
    after = programmes_of(table, event.id, run.number)
    before = programmes_of(table, event.id, run.compared_with)
    differing = differences(event, people.values(), before, after) if after else []
    facts = facts_told(table, event, run)
    owed = owed_mails(list(people.values()), before, after, facts) if after else []
    restored = programmes_of(table, event.id, run.restores)
    leaders = untold(table, event) if run.state is RunState.DRAFT else []
    stale = _stale(table, event, run, people)
    return DraftView(run, people, before, after, differing, owed, leaders, stale, facts, restored)


def _stale(table: Table, event: Event, run: Run, people: Mapping[str, Registration]) -> str:
    """Why a draft can no longer be published, "" if it can."""
    return why_stale(table, event, run, people.values()) if run.state is RunState.DRAFT else ""


def as_shown(event: Event, view: DraftView) -> dict[str, Any]:
    """A run as programs of organisers read it."""
    run = view.run
    return {
        **short(run),
        "mails": view.mails if run.state is RunState.DRAFT else run.mails,
        "mails_to_leaders": len(view.leaders),
        "stale": view.stale,
        **({"against_restored": view.against_restored} if run.restores else {}),
        **{key: value for key, value in run.result.items() if key not in {"event", "mode", "seed", "workshops"}},
        "cost_by_type": {
            known: {"people": people, "mean": round(mean, 4)}
            for known, (people, mean) in cost_by_type(event, view).items()
        },
        "workshops": [asdict(fill) for fill in workshops(event, run, view.people, view.after)],
        "differences": {
            **difference_counts(view.differences),
            "persons": [
                {
                    "id": difference.person.id,
                    "name": difference.person.name,
                    "kind": difference.kind,
                    "before": dict(difference.before),
                    "after": dict(difference.after),
                    "reason": difference.reason,
                }
                for difference in view.differences
            ],
        },
    }


def short(run: Run) -> dict[str, Any]:
    """A run as an entry of a list: its parameters, the organiser who asked for it, and its state."""
    return {
        "event": run.event,
        "number": run.number,
        "state": run.state.value,
        "mode": run.mode,
        "seed": run.seed,
        "weight": run.weight,
        "tolerance": run.tolerance,
        "requested_by": run.requested_by,
        "requested_at": run.requested_at,
        "compared_with": run.compared_with,
        "restores": run.restores,
        "people": run.people,
        "mails": run.mails,
        "error": run.error,
        "published_at": run.published_at,
        "published_by": run.published_by,
    }


def inputs(event: Event, people: Sequence[Registration]) -> dict[str, int]:
    """What a draft would be made from now, in numbers."""
    confirmed = [person for person in people if person.takes_part]
    return {
        "people": len(confirmed),
        "seats": min(sum(event.seats(theme.id, slot.id) for theme in event.themes) for slot in event.rounds),
        "unranked": sum(not person.choices for person in confirmed),
        "pinned": sum(bool(person.pinned) for person in confirmed),
        "absent": sum(bool(person.absent) for person in confirmed),
    }


def worst_off(event: Event, view: DraftView, most: int = 20) -> list[WorstOff]:
    """The people whose programme costs most by their own ranks, the worst first."""
    read = WishReader(event)
    costed = (
        (cost_of(read, view.people[registration], programme.workshops), registration)
        for registration, programme in view.after.items()
        if registration in view.people
    )
    worst = sorted(costed, key=lambda found: (-found[0], found[1]))[:most]
    unhappy = [registration for cost, registration in worst if cost]
    return [_worst_off(event, view.people[registration], view.after[registration]) for registration in unhappy]


def cost_by_type(event: Event, view: DraftView) -> dict[str, tuple[int, float]]:
    """People with a programme and what these cost on average, by partner type: it shows who pays for the mix."""
    read = WishReader(event)
    with_programme = ((view.people[who], programme) for who, programme in view.after.items() if who in view.people)
    return mean_costs(
        (person.partner_type, cost_of(read, person, programme.workshops)) for person, programme in with_programme
    )


def _worst_off(event: Event, person: Registration, programme: Programme) -> WorstOff:
    wishes = wishes_of(WishReader(event), person)
    ranked = [
        (slot.id, theme, wishes.place(theme)) for slot in event.rounds if (theme := programme.workshops.get(slot.id))
    ]
    return WorstOff(person, ranked, ToldReason(programme.reason, event))


def outbox_shown(event: Event, view: DraftView) -> Iterator[dict[str, Any]]:
    """The mails that a publication would write, as programs read them."""
    for person, kind in view.owed:
        before, after = view.before.get(person.id), view.after.get(person.id)
        yield {
            "registration": person.id,
            "name": person.name,
            "email": person.email,
            "kind": kind,
            "before": before.workshops if before else {},
            "after": after.workshops if after else {},
            "told_otherwise": [list(pair) for pair in view.told_otherwise(person.id)],
            "reason": about_them(after.reason, event) if after else "",
        }
