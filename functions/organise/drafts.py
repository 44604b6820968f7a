"""Runs as organisers read them: figures, fill and mix, who moves against what is published, who hears of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from shared.errors import ConflictError, InvalidError, NotFoundError, StaleError
from shared.http import Fields, invalid
from shared.models import (
    Event,
    MailKind,
    Model,
    Programme,
    Registration,
    RegistrationState,
    Run,
    RunState,
    mirroring_band,
)
from shared.publication import owed_mails, publish
from shared.reasons import in_words
from shared.registrations import registrations_of
from shared.runs import Wish, programmes_of, read_run, request_run, why_stale
from shared.state import read_state
from shared.table import Table

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")

UNDER_WAY = (RunState.REQUESTED, RunState.RUNNING)


class NewDraft(Model):
    """What an organiser asks of a run; what is left out is as the event file says."""

    mode: Literal["fresh", "keep"] = "fresh"
    seed: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    weight: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    tolerance: Annotated[Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6)] | None = None


class Publication(Model):
    """The number of mails an organiser has seen and agrees to."""

    expected_mails: Annotated[int, Field(ge=0, le=10_000_000)]


_EXPECTED = {
    "mode": "Choose fresh or keep",
    "seed": "Use at most 200 letters, digits and ordinary signs",
    "weight": "Enter a whole number from 0 to 1000000",
    "tolerance": "Enter a number from 0 to 1, like 0.25, with at most six digits after the point",
}


def read_wish(fields: Fields) -> Wish:
    """A wish from a form or JSON. Raises InvalidError."""
    given = {name: value for name, value in fields.items() if value not in ("", None)}
    try:
        draft = NewDraft.model_validate(given)
    except ValidationError as error:
        refused = invalid(error)
        words = {name: _EXPECTED.get(name, told) for name, told in refused.fields.items()}
        raise InvalidError(refused.message, words) from None
    tolerance = format(draft.tolerance.normalize(), "f") if draft.tolerance is not None else ""
    return Wish(mode=draft.mode, seed=draft.seed, weight=draft.weight, tolerance=tolerance)


def read_publication(fields: Fields) -> int:
    """The expected number of mails. Raises InvalidError."""
    try:
        return Publication.model_validate(fields).expected_mails
    except ValidationError as error:
        raise invalid(error, {"missing": "Send the number of mails that this publication would write"}) from None


def find_run(table: Table, event: Event, number: str) -> Run:
    """A run by the number in an address. Raises NotFoundError."""
    run = read_run(table, event.id, int(number)) if _NUMBER.fullmatch(number) else None
    if run is None:
        raise NotFoundError("There is no such allocation at this event.")
    return run


def start(table: Table, event: Event, wish: Wish, *, actor: str, now: datetime) -> Run:
    """Ask for a draft. Raises ConflictError when nothing can be allocated any more."""
    if now >= event.ends_at:
        raise ConflictError("The day is over; nothing is left to allocate.")
    if wish.mode == "keep" and not read_state(table, event.id).published_run:
        raise ConflictError("Nothing is published yet, so there is nothing to keep. Start a fresh draft.")
    return request_run(table, event, wish, actor=actor, now=now)


def publish_draft(table: Table, event: Event, run: Run, expected: int, *, actor: str, now: datetime) -> Run:
    """Publish a draft if it still writes exactly the mails the organiser agreed to.

    Raises ConflictError or StaleError, with nothing changed.
    """
    if run.state is not RunState.DRAFT:
        raise ConflictError(f"Allocation {run.number} is {run.state.value}; only a draft can be published.")
    people = list(registrations_of(table, event.id))
    before = programmes_of(table, event.id, run.compared_with)
    owed = len(owed_mails(people, before, programmes_of(table, event.id, run.number)))
    if expected != owed:
        raise StaleError(
            f"This publication would write {owed} mails, not {expected}. Look at the draft again and confirm."
        )
    return publish(table, event, run, people, actor=actor, now=now)


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
        """What it means to the person, by the ranks they gave."""
        if not self.before:
            return "new"
        if not self.after:
            return "gone"
        if self.after_cost == self.before_cost:
            return "same"
        return "better" if self.after_cost < self.before_cost else "worse"


def rank_of(event: Event, person: Registration, theme: str) -> int:
    """Which choice a theme is to a person, from 1; what they left unranked counts as the last."""
    return person.choices.index(theme) + 1 if theme in person.choices else len(event.themes)


def cost_of(event: Event, person: Registration, workshops: Mapping[str, str]) -> int:
    """What a programme costs by the ranks of the person who has it."""
    return sum(event.rank_costs[rank_of(event, person, theme) - 1] for theme in workshops.values())


def differences(
    event: Event, people: Iterable[Registration], before: Mapping[str, Programme], after: Mapping[str, Programme]
) -> list[Difference]:
    """Who would have another programme than the published one, those who lose most first."""
    found = []
    for one in people:
        old, new = before.get(one.id), after.get(one.id)
        was, becomes = old.workshops if old else {}, new.workshops if new else {}
        if was == becomes or one.state is not RegistrationState.CONFIRMED:
            continue
        costs = cost_of(event, one, was), cost_of(event, one, becomes)
        found.append(Difference(one, was, becomes, *costs, in_words(new.reason, event) if new else ""))
    return sorted(found, key=lambda one: (one.before_cost - one.after_cost, one.person.id))


def counted(found: Sequence[Difference]) -> dict[str, int]:
    """The differences in numbers."""
    kinds = Counter(one.kind for one in found)
    return {
        "people": len(found),
        "moved": sum(kinds[kind] for kind in ("better", "worse", "same")),
        "better": kinds["better"],
        "worse": kinds["worse"],
        "same": kinds["same"],
        "new": kinds["new"],
        "gone": kinds["gone"],
    }


def workshops(
    event: Event, run: Run, people: Mapping[str, Registration], programmes: Mapping[str, Programme]
) -> list[dict[str, Any]]:
    """Seats, heads, heads by partner type and the band that mirrors the room, for every workshop offered."""
    heads: Counter[tuple[str, str, str]] = Counter()
    present: Counter[tuple[str, str]] = Counter()
    for one, programme in programmes.items():
        kind = people[one].partner_type if one in people else ""
        for round_id, theme_id in programme.workshops.items():
            heads[theme_id, round_id, kind] += 1
            heads[theme_id, round_id, "*"] += 1
            present[round_id, kind] += 1
    tolerance = Fraction(str(run.result.get("tolerance") or run.tolerance or event.tolerance))
    kinds = [kind.id for kind in event.partner_types]
    found = []
    for slot in event.rounds:
        total = sum(event.seats(theme.id, slot.id) for theme in event.themes)
        for theme in event.themes:
            seats = event.seats(theme.id, slot.id)
            if not seats:
                continue
            found.append(
                {
                    "theme": theme.id,
                    "round": slot.id,
                    "room": event.room(theme.id, slot.id),
                    "seats": seats,
                    "minimum": theme.minimum,
                    "heads": heads[theme.id, slot.id, "*"],
                    "by_type": {kind: heads[theme.id, slot.id, kind] for kind in kinds},
                    "band": {kind: mirroring_band(present[slot.id, kind], seats, total, tolerance) for kind in kinds},
                }
            )
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """A run with everything that a page or a program wants to know of it, read at one moment."""

    run: Run
    people: dict[str, Registration]
    before: dict[str, Programme]
    after: dict[str, Programme]
    differences: list[Difference]
    owed: list[tuple[Registration, MailKind]]
    stale: str

    @property
    def mails(self) -> int:
        """How many mails a publication would write now."""
        return len(self.owed)


def read_draft(table: Table, event: Event, run: Run) -> Reading:
    """Read a run, who it is about, and what it would change."""
    people = {one.id: one for one in registrations_of(table, event.id)}
    after = programmes_of(table, event.id, run.number)
    before = programmes_of(table, event.id, run.compared_with)
    differing = differences(event, people.values(), before, after) if after else []
    owed = owed_mails(list(people.values()), before, after) if after else []
    return Reading(run, people, before, after, differing, owed, _stale(table, event, run, people))


def _stale(table: Table, event: Event, run: Run, people: Mapping[str, Registration]) -> str:
    """Why a draft can no longer be published, "" if it can."""
    return why_stale(table, event, run, people.values()) if run.state is RunState.DRAFT else ""


def as_shown(event: Event, reading: Reading) -> dict[str, Any]:
    """A run as programs of organisers read it."""
    run = reading.run
    return {
        **short(run),
        "mails": reading.mails if run.state is RunState.DRAFT else run.mails,
        "stale": reading.stale,
        **{key: value for key, value in run.result.items() if key not in {"event", "mode", "seed", "workshops"}},
        "workshops": workshops(event, run, reading.people, reading.after),
        "differences": {
            **counted(reading.differences),
            "persons": [
                {
                    "id": one.person.id,
                    "name": one.person.name,
                    "kind": one.kind,
                    "before": dict(one.before),
                    "after": dict(one.after),
                    "reason": one.reason,
                }
                for one in reading.differences
            ],
        },
    }


def short(run: Run) -> dict[str, Any]:
    """A run in a line: what was asked, by whom, and where it stands."""
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
        "people": run.people,
        "mails": run.mails,
        "error": run.error,
        "published_at": run.published_at,
        "published_by": run.published_by,
    }


def inputs(event: Event, people: Sequence[Registration]) -> dict[str, int]:
    """What a draft would be made from now, in numbers."""
    confirmed = [one for one in people if one.state is RegistrationState.CONFIRMED]
    return {
        "people": len(confirmed),
        "seats": min(sum(event.seats(theme.id, slot.id) for theme in event.themes) for slot in event.rounds),
        "unranked": sum(not one.choices for one in confirmed),
        "pinned": sum(bool(one.pinned) for one in confirmed),
        "absent": sum(bool(one.absent) for one in confirmed),
    }


def worst_off(event: Event, reading: Reading, most: int = 20) -> list[dict[str, Any]]:
    """Those whose programme costs most by their own ranks, the worst first, with the reason."""
    costed = (
        (cost_of(event, reading.people[one], programme.workshops), one, programme)
        for one, programme in reading.after.items()
        if one in reading.people
    )
    worst = sorted(costed, key=lambda one: (-one[0], one[1]))[:most]
    return [
        {
            "person": reading.people[one],
            "workshops": [
                (slot.id, theme, rank_of(event, reading.people[one], theme))
                for slot in event.rounds
                if (theme := programme.workshops.get(slot.id))
            ],
            "reason": in_words(programme.reason, event),
        }
        for cost, one, programme in worst
        if cost
    ]


def outbox_shown(event: Event, reading: Reading) -> Iterator[dict[str, Any]]:
    """The mails a publication would write, as programs read them."""
    for person, kind in reading.owed:
        before, after = reading.before.get(person.id), reading.after.get(person.id)
        yield {
            "registration": person.id,
            "name": person.name,
            "email": person.email,
            "kind": kind,
            "before": before.workshops if before else {},
            "after": after.workshops if after else {},
            "reason": in_words(after.reason, event) if after else "",
        }
