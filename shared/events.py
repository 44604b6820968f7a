"""Events: put, read, list and retire; what is due for each, and who did what."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any

from pydantic import ValidationError

from shared.acts import Act
from shared.edition import is_another_day, is_told_anew
from shared.errors import ConflictError, StaleError, UnreadableEventError
from shared.i18n import Told, told, told_many, told_together
from shared.leaders import owe_links
from shared.models import Afterwards, Event, EventState, Registration, RegistrationState, moment, utc
from shared.new_event import plain_draft
from shared.observability import fault, logger
from shared.registrations import registrations_of
from shared.state import allocated, fresh_state, read_state
from shared.table import (
    AUDIT,
    EVENTS_PK,
    FILE_SK,
    STATE_SK,
    SUMMARY_SK,
    Absent,
    ConditionFailedError,
    Item,
    Table,
    Write,
    audit_sk,
    delete,
    event_pk,
    put,
    update,
)
from shared.tasks import ALLOCATE_DUE, DEADLINE, UPKEEP_DUE, task

SENSITIVE_KEPT = timedelta(days=7)
"""Answers to sensitive questions (diet, access needs) go this long after the event, before everything else."""

REMINDED_AT = time(9, 0)

NOBODY = "nobody@parcours.invalid"
"""Stands for addresses that cannot be read; no mail reaches it, so that nobody signs in by it."""

CHANGED_MEANWHILE = told(
    "The event was changed by another organiser meanwhile. Reload the page and make the change again."
)


def read_event(table: Table, event: str, *, retired_too: bool = False) -> Event | None:
    """An event as its organisers described it, or None (also when it was retired, unless `retired_too`).

    Raises UnreadableEventError when the stored file does not hold: no task and no mail of it may be dropped then.
    """
    found = table.get(EVENTS_PK, event)
    return as_event(found) if found and (retired_too or not found.get("retired")) else None


def events(table: Table) -> Iterator[Event]:
    """Every event that is not retired, by id; one that cannot be read is logged and left out, so the others go on."""
    for item in table.query(EVENTS_PK):
        if not item.get("retired"):
            with suppress(UnreadableEventError):
                yield as_event(item)


def all_events(table: Table) -> Iterator[tuple[Event, bool]]:
    """Every event that is not retired, and whether its file can be read; a stand-in for one that cannot."""
    for item in table.query(EVENTS_PK):
        if not item.get("retired"):
            yield read_or_stand_in(item)


def read_or_stand_in(item: Mapping[str, Any]) -> tuple[Event, bool]:
    """The event in a row and whether its file can be read; in the place of one that cannot, a draft.

    The draft has the id and, as far as they can be read, title, language and the addresses of organisers and door
    helpers: they sign in by it, and organisers put the file again. It is never stored.
    """
    try:
        return as_event(item), True
    except UnreadableEventError:
        return _stand_in(item), False


def _stand_in(item: Mapping[str, Any]) -> Event:
    try:
        document = json.loads(item["document"])
    except (KeyError, TypeError, ValueError):
        document = {}
    document = document if isinstance(document, dict) else {}
    now = moment(item["updated_at"])
    data = plain_draft(
        title=item["sk"],
        organiser="Parcours",
        day=(now.date() + timedelta(days=1)).isoformat(),
        venue={"name": "-", "address": "-"},
        rounds=1,
        workshops=1,
        seats=1,
        actor=NOBODY,
        now=now,
    )
    data["id"] = item["sk"]
    addresses = document.get("organiser_emails")
    found = {"contact": addresses[0], **document} if isinstance(addresses, list) and addresses else document
    for field in ("title", "language", "contact", "organiser_emails", "door_emails"):
        with suppress(ValidationError):  # the field may be what is wrong with the file
            Event.model_validate({**data, field: found.get(field)})
            data[field] = found.get(field)
    return Event.model_validate(data)


def put_event(
    table: Table,
    event: Event,
    *,
    actor: str,
    now: datetime,
    made_from: Event | None = None,
    seen: str | None = None,
    text: str | None = None,
) -> EventState:
    """Store an event file, new or changed, and what is to be done for it and when.

    Parameters
    ----------
    made_from
        The file as it stood when the change was made; left out, whatever stands is replaced.
    seen
        The `updated_at` of the row that the caller looked at, "" when there was none; another row is not replaced.
    text
        The file as it was written. Left out, the text that the change was made from stays, for its comments.

    Raises
    ------
    ConflictError
        The change would break registrations already made, saying what stands in the way.
    StaleError
        The file is no longer what the change was made from, or is being changed at this moment.
    """
    with suppress(ConditionFailedError):
        table.write(put(fresh_state(event.id), expect={"pk": Absent()}))
    state = read_state(table, event.id)
    stored = table.get(EVENTS_PK, event.id)
    old, unreadable = _stored_file(stored)
    before = None if stored and stored.get("retired") else old
    if made_from is not None and before != made_from:
        raise StaleError(CHANGED_MEANWHILE)
    if seen is not None and seen != (stored["updated_at"] if stored else ""):
        raise StaleError(CHANGED_MEANWHILE)
    if old and old.date != event.date and table.get(event_pk(event.id), SUMMARY_SK):
        # What is left of it, a published allocation without people and a seed that was told, would be the new day's.
        raise ConflictError(told("The people of this day are deleted. Copy the event to hold it on another day."))
    cancelled_at = stored.get("cancelled_at", "") if stored else ""
    event = event.marked(cancelled=bool(cancelled_at))
    if before or unreadable:
        refuse_broken_promises(table, before or event, event, state)
    document = {
        "pk": EVENTS_PK,
        "sk": event.id,
        "type": "event",
        "document": event.model_dump_json(exclude_defaults=True),
        "updated_at": utc(now),
        **({"cancelled_at": cancelled_at} if cancelled_at else {}),
    }
    seed = _seed(event, old, state, now, unreadable=unreadable)
    head: dict[str, Any] = {"seed": seed, "retired": False, "afterwards": _afterwards(event, state, now)}
    if before and not before.draft and now >= before.opens_at and is_told_anew(before, event):
        head |= {"day_changes": state.day_changes + 1}
        head |= {"day_changed_at": utc(now)} if is_another_day(before, event) else {}
    try:
        table.write(
            put(document, expect={"updated_at": stored["updated_at"]} if stored else {"pk": Absent()}),
            update(
                event_pk(event.id),
                STATE_SK,
                assign=head,
                expect={"published_run": state.published_run},
            ),
            *_text(event, text, made_from),
            *due_tasks(event, state.model_copy(update={"afterwards": head["afterwards"]}), now),
            audit(event.id, actor, Act.PUT_EVENT, now=now, what=what_changed(before, event)),
        )
    except ConditionFailedError:
        raise StaleError(CHANGED_MEANWHILE) from None
    return read_state(table, event.id)


def _afterwards(event: Event, state: EventState, now: datetime) -> Afterwards:
    """What happens after the last publication under this file: one that opens registration again places who comes."""
    opened_again = state.published_run and state.afterwards in ("", "close") and now < event.closes_at
    return "keep" if opened_again else state.afterwards


def read_text(table: Table, event: str) -> str:
    """The event file as it was last written, "" for none; pages may have changed the event since."""
    found = table.get(event_pk(event), FILE_SK)
    return str(found["text"]) if found else ""


def _text(event: Event, text: str | None, made_from: Event | None) -> Iterator[Write]:
    if text:
        lines = text.lstrip("\ufeff").replace("\r\n", "\n")
        yield put({"pk": event_pk(event.id), "sk": FILE_SK, "type": "file", "text": lines})
    elif made_from is None:
        yield delete(event_pk(event.id), FILE_SK)


def _stored_file(stored: Item | None) -> tuple[Event | None, bool]:
    """The file in a row, if there is one, and whether it cannot be read: a good file replaces it then."""
    try:
        return (as_event(stored) if stored else None), False
    except UnreadableEventError:
        return None, True


def what_changed(before: Event | None, after: Event) -> str:
    """The parts of an event file that differ, by their paths and without their values, for the audit list."""
    if before is None:
        return "new"
    paths = list(_paths(before.model_dump(mode="json"), after.model_dump(mode="json"), ""))
    more = f" and {len(paths) - MOST_PATHS} more" if len(paths) > MOST_PATHS else ""
    return ", ".join(paths[:MOST_PATHS]) + more or "nothing"


MOST_PATHS = 12
"""Changed parts of an event file that one audit line names."""


def _paths(before: Any, after: Any, path: str) -> Iterator[str]:
    """Yield the path of each difference; parts of a list are named by their ids where they have any."""
    before, after = _by_id(before), _by_id(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _paths(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        if list(before) != list(after) and set(before) == set(after):
            yield f"{path} (order)"
    elif before != after:
        yield path


def _by_id(part: Any) -> Any:
    if isinstance(part, list) and part and all(isinstance(inner, dict) and "id" in inner for inner in part):
        return {inner["id"]: inner for inner in part}
    return part


def _seed(event: Event, before: Event | None, state: EventState, now: datetime, *, unreadable: bool) -> str:
    """The seed of the draw: the file's, the one drawn before, or a fresh one; from the opening on it stays.

    A file that cannot be read counts as opened, for its digest may be public already.
    Raises ConflictError when the file names another seed after the digest of the first became public.
    """
    wanted = event.allocation.seed
    opened = unreadable or (before is not None and not before.draft and now >= before.opens_at)
    committed = opened and state.seed
    if committed and wanted and wanted != state.seed:
        raise ConflictError(
            told(
                "The digest of the seed stands on the event page since registration opened, and the file names another "
                "seed. Take allocation.seed out of the file, or replace the commitment first (Allocations, Replace the "
                "seed); the event page then says so."
            )
        )
    return state.seed if committed else wanted or state.seed or secrets.token_hex(16)


def retire_event(table: Table, event: Event, *, actor: str, now: datetime) -> None:
    """Take an event off the pages; its data stays until its retention ends.

    Raises ConflictError while the event lies ahead and people hold a place.
    """
    state = read_state(table, event.id)
    if state.confirmed and now < event.ends_at:
        raise ConflictError(
            told_many(
                "%(num)s person holds a place. Withdraw them, or wait until the day is over.",
                "%(num)s people hold a place. Withdraw them, or wait until the day is over.",
                state.confirmed,
            )
        )
    table.write(
        update(EVENTS_PK, event.id, assign={"retired": True, "updated_at": utc(now)}),
        update(event_pk(event.id), STATE_SK, assign={"retired": True}),
        audit(event.id, actor, Act.RETIRE_EVENT, now=now),
    )


def audit(event: str, actor: str, act: Act, *, now: datetime, about: str = "", what: str = "") -> Write:
    """The write of one line of the audit list: who (an organiser's address), when, what, about which registration."""
    return put(
        {
            "pk": event_pk(event),
            "sk": audit_sk(utc(now), secrets.token_hex(4)),
            "type": "audit",
            "at": utc(now),
            "actor": actor,
            "act": act.value,
            "about": about,
            "what": what,
        }
    )


def audit_lines(table: Table, event: str, *, before: str = "", about: str = "", most_wanted: int = 0) -> Iterator[Item]:
    """The audit list, newest first.

    Parameters
    ----------
    before
        The `sk` of a line: continues with those older than it.
    about
        Only the lines about this registration.
    most_wanted
        How many lines the caller will take; more are read only if they are asked for.
    """
    where = {"about": about} if about else None
    return table.query(event_pk(event), AUDIT, newest_first=True, after=before, where=where, size=most_wanted)


MOST_SIGN_INS = 200
"""Sign-ins that are looked through for the languages of organisers."""


def languages_of_organisers(table: Table, event: Event) -> dict[str, str]:
    """The language in which each organiser signed in last, by address; an organiser who never did is left out."""
    signed_in = table.query(event_pk(event.id), AUDIT, newest_first=True, where={"act": Act.SIGN_IN.value})
    found: dict[str, str] = {}
    for line in islice(signed_in, MOST_SIGN_INS):
        if line["what"]:
            found.setdefault(line["actor"], line["what"])
    return found


def due_tasks(event: Event, state: EventState, now: datetime) -> Iterator[Write]:
    """The writes of what is to be done for an event by itself, and when."""
    if event.draft:
        return
    yield task(event.id, "sensitive", UPKEEP_DUE, min(event.ends_at + SENSITIVE_KEPT, event.retained_until))
    yield task(event.id, "retention", UPKEEP_DUE, event.retained_until)
    if event.cancelled:
        return
    at = event.allocates_at
    if state.allocated_for != utc(at) and (not state.published_run or state.afterwards == "keep"):
        yield task(event.id, DEADLINE, ALLOCATE_DUE, at)
    for days in event.reminder_days:
        local = datetime.combine(event.date - timedelta(days=days), REMINDED_AT, tzinfo=event.zone)
        if local > now:
            yield task(event.id, f"reminder#{days}", UPKEEP_DUE, local, days=days)
    if state.published_run:
        yield from owe_links(event, now)
    if event.feedback_at and event.feedback_at > now:
        yield task(event.id, "feedback", UPKEEP_DUE, event.feedback_at)


def refuse_broken_promises(table: Table, before: Event, after: Event, state: EventState) -> None:
    """Raise ConflictError when a change takes away what people already rely on, naming everything that it would."""
    if after.draft and not before.draft:
        raise ConflictError(
            told("This event was opened: it cannot become a draft again. Retire it to take it off the pages.")
        )
    if faults := _broken_promises(table, before, after, state):
        broken = told_together(faults)
        raise ConflictError(told("This change would break registrations already made: %(faults)s.", faults=broken))


def _broken_promises(table: Table, before: Event, after: Event, state: EventState) -> list[Told]:
    """What people already rely on and the new file takes away."""
    people = [one for one in registrations_of(table, after.id) if one.state is not RegistrationState.WITHDRAWN]
    if not people:
        return []
    faults = []
    titles: dict[str, str] = {theme.id: theme.title for one in (after, before) for theme in one.themes}
    types: dict[str, str] = {kind.id: kind.title for one in (after, before) for kind in one.partner_types}
    starts = {slot.id: f"{slot.start:%H:%M}" for one in (before, after) for slot in one.rounds}
    themes = {theme.id for theme in after.themes}
    kinds = {kind.id for kind in after.partner_types}
    rounds = {slot.id for slot in after.rounds}
    for gone in sorted({choice for one in people for choice in one.choices} - themes):
        ranked = sum(gone in one.choices for one in people)
        faults.append(
            told_many(
                "the theme “%(title)s” is gone and %(num)s person ranked it",
                "the theme “%(title)s” is gone and %(num)s people ranked it",
                ranked,
                title=titles.get(gone, gone),
            )
        )
    of_a_kind = [one for one in people if one.state is not RegistrationState.DELEGATE]  # who takes no part is of none
    for gone in sorted({one.partner_type for one in of_a_kind} - kinds):
        chose = sum(one.partner_type == gone for one in of_a_kind)
        faults.append(
            told_many(
                "the kind “%(title)s” is gone and %(num)s person chose it",
                "the kind “%(title)s” is gone and %(num)s people chose it",
                chose,
                title=types.get(gone, gone),
            )
        )
    faults += _other_questions(before, after, people)
    pinned = {slot for one in people for slot in [*one.pinned, *one.absent]}
    for gone in sorted(({slot.id for slot in before.rounds} if state.published_run else pinned) - rounds):
        faults.append(
            told("the round at %(time)s is gone and programmes, pins or absences use it", time=starts.get(gone, gone))
        )
    faults += _broken_pins(after, people, titles, starts)
    if state.confirmed > after.capacity:
        faults.append(
            told(
                "there are %(places)s, and %(people)s have one",
                places=told_many("%(num)s place", "%(num)s places", after.capacity),
                people=told_many("%(num)s person", "%(num)s people", state.confirmed),
            )
        )
    published = allocated(table, after.id, state.published_run).values()
    for theme, heads in sorted(Counter(theme for own in published for theme in own.values()).items()):
        if theme not in themes:
            faults.append(
                told(
                    "the theme “%(title)s” is gone and %(heads)s places in published programmes are in it; set its "
                    "seats to 0, publish a draft that keeps the rest, then remove it",
                    title=titles.get(theme, theme),
                    heads=heads,
                )
            )
    return faults


def _other_questions(before: Event, after: Event, people: Sequence[Registration]) -> Iterator[Told]:
    """Answered questions that would become consents, or were."""
    consents = {question.id: question.kind == "consent" for question in before.questions}
    for question in after.questions:
        answered = sum(question.id in one.answers for one in people)
        if answered and consents.get(question.id, question.kind == "consent") != (question.kind == "consent"):
            # a text would stand in the box as a consent
            yield told_many(
                "the question “%(title)s” is of another kind and %(num)s person answered it; give it another id",
                "the question “%(title)s” is of another kind and %(num)s people answered it; give it another id",
                answered,
                title=question.label,
            )


def _broken_pins(
    after: Event, people: Sequence[Registration], titles: Mapping[str, str], starts: Mapping[str, str]
) -> Iterator[Told]:
    """Pins that cannot hold any more; the next allocation would fail."""
    themes, rounds = {theme.id for theme in after.themes}, {slot.id for slot in after.rounds}
    kinds = {kind.id for kind in after.partner_types}
    pins = Counter((theme, slot) for one in people for slot, theme in one.pinned.items())
    closed = Counter(
        theme
        for one in people
        for theme in one.pinned.values()
        if theme not in themes or (one.partner_type in kinds and not after.theme(theme).is_open_to(one.partner_type))
    )
    for theme, heads in sorted(closed.items()):
        yield told_many(
            "the theme “%(title)s” is gone or closed to %(num)s person who is pinned to it",
            "the theme “%(title)s” is gone or closed to %(num)s people who are pinned to it",
            heads,
            title=titles.get(theme, theme),
        )
    for (theme, slot), heads in sorted(pins.items()):
        if theme in themes and slot in rounds and heads > (seats := after.seats(theme, slot)):
            yield told(
                "“%(theme)s” at %(time)s has %(seats)s, and %(people)s are pinned to it",
                theme=titles[theme],
                time=starts[slot],
                seats=told_many("%(num)s seat", "%(num)s seats", seats),
                people=told_many("%(num)s person", "%(num)s people", heads),
            )


def as_event(item: Mapping[str, Any]) -> Event:
    """The event in a stored item. Raises UnreadableEventError, whatever is wrong with the row."""
    try:
        return Event.model_validate(json.loads(item["document"])).marked(cancelled=bool(item.get("cancelled_at")))
    except (KeyError, TypeError, ValueError) as error:
        logger.error("event cannot be read", extra={"event_id": item.get("sk"), **fault(error)})
        raise UnreadableEventError from None
