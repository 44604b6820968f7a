"""What a publication makes true for people: the facts of the day that are printed with their programmes.

Each published run keeps the facts as they were. A person is owed a mail when the programme, or a fact printed with it,
differs from the one of the publication before; the number of the run is the number of the edition, and the SEQUENCE of
the calendar entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.local_text import languages_in
from shared.models import DayFacts, Event, EventState, Registration, Run

Facts = tuple[DayFacts | None, DayFacts | None]
"""The facts that people were told, and those that a publication would tell; None: not known, so nothing differs."""

UNKNOWN: Facts = (None, None)


def day_facts(event: Event) -> DayFacts:
    """The facts of the day as the event file has them now, in every language that its texts have."""
    others = languages_in(event) - {event.language}
    own = _facts_of(event.in_language(event.language))
    return own.model_copy(update={"in_other": {one: _facts_of(event.in_language(one)) for one in sorted(others)}})


def _facts_of(event: Event) -> DayFacts:
    """The facts of an event whose texts stand in one language."""
    begins, ends = event.starts_at.astimezone(event.zone), event.ends_at.astimezone(event.zone)
    return DayFacts(
        date=event.date.isoformat(),
        hours=f"{begins:%H:%M}–{ends:%H:%M}",
        venue=f"{event.venue.name}, {event.venue.address}",
        directions=str(event.venue.directions),
        timezone=event.timezone,
        rounds={slot.id: slot.hours for slot in event.rounds},
        titles={theme.id: theme.title for theme in event.themes},
        rooms={
            f"{theme.id}@{slot.id}": room
            for theme in event.themes
            for slot in event.rounds
            if (room := event.room(theme.id, slot.id))
        },
    )


DAY = ("date", "hours", "venue", "directions")
"""The facts of the day itself, which all programmes print."""


def facts_since(told: Run | None, event: Event) -> Facts:
    """The facts that people were told by a published run, and those of the event file now."""
    return (told.facts if told else None, day_facts(event))


def read_in(facts: Facts, language: str) -> Facts:
    """Both facts as a reader of a language has them; in the event's own language unless both have the other."""
    told, now = facts
    if told is None or now is None or language not in told.in_other or language not in now.in_other:
        return facts
    return told.read_in(language), now.read_in(language)


def printed(facts: DayFacts, workshops: Mapping[str, str]) -> tuple[str, ...]:
    """What of the facts stands in the mail of a person with these workshops, in the order of the day."""
    own = sorted((facts.rounds.get(slot, ""), *facts.workshop(theme, slot)) for slot, theme in workshops.items())
    return (facts.date, facts.hours, facts.venue, facts.directions, *(" ".join(line) for line in own))


def told_otherwise(facts: Facts, workshops: Mapping[str, str], language: str = "") -> bool:
    """Whether a person who keeps these workshops, and reads a language, was told other facts than are true now."""
    told, now = read_in(facts, language)
    if told is None or now is None:
        return False
    return is_at_another_time(told, now) or printed(told, workshops) != printed(now, workshops)


def is_at_another_time(told: DayFacts, now: DayFacts) -> bool:
    """Whether the hours are those of another time zone: on paper they are the same, and calendars show others."""
    return bool(told.timezone and now.timezone) and told.timezone != now.timezone


def differing(facts: Facts, workshops: Mapping[str, str], language: str = "") -> Iterator[tuple[str, str]]:
    """What a person with these workshops was told, and what is true now, for each fact that differs."""
    told, now = read_in(facts, language)
    if told is None or now is None:
        return
    for name in DAY:
        if getattr(told, name) != getattr(now, name):
            yield getattr(told, name), getattr(now, name)
    if is_at_another_time(told, now):
        yield f"{told.hours} ({told.timezone})", f"{now.hours} ({now.timezone})"
    for slot, theme in workshops.items():
        before = " ".join(filter(None, (told.rounds.get(slot, ""), *told.workshop(theme, slot))))
        after = " ".join(filter(None, (now.rounds.get(slot, ""), *now.workshop(theme, slot))))
        if before != after:
            yield before, after


def is_told_anew(before: Event, after: Event) -> bool:
    """Whether a change of the event file changes what calendar entries and programmes print of the day."""
    return (before.title, day_facts(before)) != (after.title, day_facts(after))


def is_another_day(before: Event, after: Event) -> bool:
    """Whether a change of the event file changes what a confirmation says of the day: date, hours and place."""
    old, new = day_facts(before), day_facts(after)
    return (old.date, old.hours, old.timezone, old.venue) != (new.date, new.hours, new.timezone, new.venue)


def sequence_of(person: Registration, run: int, state: EventState, *, gone: bool = False) -> int:
    """The SEQUENCE of a person's entry: it grows with each publication and each seat that the person gave up.

    It also grows with each change of what is printed of the day, told or not, before any publication too, and with each
    cancellation undone, which follows an entry that was cancelled. The same number with a later DTSTAMP is the later
    truth (RFC 5546, 2.1.5).

    Parameters
    ----------
    run
        The run whose programme the entry has, 0 before any.
    gone
        Whether the entry is cancelled.
    """
    return run + person.seat_changes + state.day_changes + 2 * state.restored + gone
