"""The day as one person lives it: the agenda, with their own workshops in place of the rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import time

from shared.edition import UNKNOWN, Facts
from shared.models import AgendaItem, Event, Programme, Round


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the day; `own` marks a workshop of this person's, `away` a round they do not attend.

    `number` is that of a round from 1, where the line is one and has no title of its own.
    """

    start: time
    end: time | None
    title: str
    detail: str = ""
    room: str = ""
    own: bool = False
    away: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A round in which a person's workshop, its hours or its room differ from what they were told; None: no workshop.

    `hours` are those that they were told, where these differ.
    """

    slot: Round
    before: Line | None
    after: Line | None
    hours: str = ""


def the_day(event: Event, programme: Programme | None) -> list[Line]:
    """Every line of the day in its order, with the rounds that the agenda leaves out."""
    return [_day_line(event, programme, item) for item in event.day_lines()]


def _day_line(event: Event, programme: Programme | None, item: AgendaItem) -> Line:
    number = event.number_of(item.round) if item.round and not item.title else 0
    line = Line(item.start, item.end, item.title, item.speaker, number=number)
    if not item.round or not programme:
        return line
    own = own_workshop(event, programme.workshops, event_round(event, item.round))
    return own or replace(line, detail="", away=True)


def workshops(event: Event, programme: Programme) -> list[Line]:
    """A person's workshops, in the order of the day."""
    found = (own_workshop(event, programme.workshops, slot) for slot in event.rounds)
    return sorted((one for one in found if one), key=lambda line: line.start)


def changes(
    event: Event, before: Mapping[str, str], after: Mapping[str, str], facts: Facts = UNKNOWN
) -> Iterator[Change]:
    """The rounds in which two programmes of one person, or the facts printed with them, differ."""
    told, now = facts
    for slot in event.rounds:
        old, new = before.get(slot.id), after.get(slot.id)
        was, becomes = own_workshop(event, before, slot), own_workshop(event, after, slot)
        hours = ""
        if told and now and old:
            title, room = told.workshop(old, slot.id)
            was = replace(was or Line(slot.start, slot.end, title), room=room) if title else was
            if was and told.titles.get(old) != now.titles.get(old):
                was = replace(was, title=title)
            same_hours = told.rounds.get(slot.id) == now.rounds.get(slot.id)
            hours = "" if same_hours else told.rounds.get(slot.id, "")
            other_facts = bool(hours) or told.workshop(old, slot.id) != now.workshop(old, slot.id)
        else:
            other_facts = False
        if old != new or (new and other_facts):
            yield Change(slot, was, becomes, hours)


def called_off(event: Event, before: Mapping[str, str], after: Mapping[str, str]) -> list[Line]:
    """The workshops that a person had and has no more because they are not held any more: they have no seats by now."""
    lost = [slot for slot in event.rounds if before.get(slot.id) != after.get(slot.id)]
    return [
        line
        for slot in lost
        if (line := own_workshop(event, before, slot)) and not event.seats(before[slot.id], slot.id)
    ]


def own_workshop(event: Event, chosen: Mapping[str, str], slot: Round) -> Line | None:
    """The line of a person's workshop in one round; None when they have none, or its theme left the event file."""
    theme = next((theme for theme in event.themes if theme.id == chosen.get(slot.id)), None)
    if theme is None:
        return None
    return Line(slot.start, slot.end, theme.title, room=event.room(theme.id, slot.id), own=True)


def event_round(event: Event, slot: str) -> Round:
    """The round with this id; the event file has been checked to have it."""
    return next(one for one in event.rounds if one.id == slot)
