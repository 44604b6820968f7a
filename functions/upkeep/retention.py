"""What may no longer be kept: answers to sensitive questions first, later everybody, with only counts staying.

Every step is deletion of what is found, so that stopping half-way and doing it twice are both harmless.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from shared.errors import StaleError
from shared.events import audit_lines
from shared.models import Event, Registration, RegistrationState
from shared.registrations import registrations_of, save
from shared.runs import runs_of
from shared.state import read_state
from shared.table import (
    ADDRESSES,
    EVENTS_PK,
    FILE_SK,
    IMPORT_SK,
    MESSAGE_PEOPLE,
    MESSAGES,
    PROGRAMMES,
    REGISTRATIONS,
    STATE_SK,
    SUMMARY_SK,
    Absent,
    ConditionFailedError,
    Item,
    Present,
    Table,
    event_pk,
    mails_pk,
    programmes_pk,
    put,
    run_sk,
    update,
)
from shared.tasks import UPKEEP_DUE, task

ORGANISERS_KEPT = timedelta(days=365)
"""So long after the attendees' data the organisers' addresses stay: a year later they can still copy the event."""

ORGANISERS_TASK = "organisers"

NOBODY = "nobody@parcours.invalid"
"""In place of the organisers of an event file, which needs one; no mail can reach it (RFC 2606)."""

AN_ORGANISER = "an organiser"
"""Who did it, once addresses may no longer be kept."""


def forget_sensitive_answers(table: Table, event: Event, now: datetime, may_go_on: Callable[[], bool]) -> bool:
    """Delete the answers to sensitive questions; whether all are gone."""
    sensitive = {question.id for question in event.questions if question.sensitive}
    gone = True
    for person in registrations_of(table, event.id):
        if not sensitive.intersection(person.answers):
            continue
        if not may_go_on():
            return False
        kept = {question: answer for question, answer in person.answers.items() if question not in sensitive}
        try:
            save(table, person, {"answers": kept}, now=now)
        except StaleError:
            gone = False  # another writer was faster; the next minute sees what it left
    return gone


def forget_everybody(table: Table, event: Event, may_go_on: Callable[[], bool]) -> bool:
    """Delete everything personal that an event left, without telling anybody; whether all is gone."""
    _keep_counts(table, event)
    pk = event_pk(event.id)
    runs = range(1, read_state(table, event.id).runs + 1)
    leftovers: list[tuple[str, str]] = [
        (mails_pk(event.id), ""),
        *((programmes_pk(event.id, number), PROGRAMMES) for number in runs),
        (pk, REGISTRATIONS),
        (pk, ADDRESSES),
        (pk, IMPORT_SK),
        (pk, FILE_SK),
        (pk, MESSAGES),
        (pk, MESSAGE_PEOPLE),
    ]
    for partition, prefix in leftovers:
        for group in _groups(table.query(partition, prefix)):
            if not may_go_on():
                return False
            table.delete_all(group)
    _forget_organisers(table, event)
    if not _put_without(table, event, _without_helpers(event)):
        return False
    table.write(task(event.id, ORGANISERS_TASK, UPKEEP_DUE, event.retained_until + ORGANISERS_KEPT))
    table.write(update(pk, STATE_SK, assign={"confirmed": 0, "waiting": 0}, expect={"pk": Present()}))
    return True


def forget_addresses(table: Table, event: Event) -> bool:
    """Retire an event and delete its organisers' addresses, wherever they stand; whether all are gone."""
    _forget_organisers(table, event)
    nobody = {"organiser_emails": [NOBODY], "contact": NOBODY}
    return _put_without(table, event, _without_helpers(event).model_copy(update=nobody), retired=True)


def _without_helpers(event: Event) -> Event:
    """The event file without door helpers and without the people who led workshops."""
    themes = [theme.model_copy(update={"leaders": []}) for theme in event.themes]
    return event.model_copy(update={"door_emails": [], "themes": themes})


def _put_without(table: Table, event: Event, after: Event, *, retired: bool = False) -> bool:
    """Store an event file that names fewer people; False when it is being changed at this moment."""
    stored = table.get(EVENTS_PK, event.id)
    if stored is None:
        return True
    fields = {"document": after.model_dump_json(exclude_defaults=True), **({"retired": True} if retired else {})}
    try:
        table.write(update(EVENTS_PK, event.id, assign=fields, expect={"updated_at": stored["updated_at"]}))
    except ConditionFailedError:
        return False
    return True


def _keep_counts(table: Table, event: Event) -> None:
    """Write down how many there were, once: a second go would count who is left."""
    people = list(registrations_of(table, event.id))
    confirmed = [one for one in people if one.state is RegistrationState.CONFIRMED]
    summary = {
        "pk": event_pk(event.id),
        "sk": SUMMARY_SK,
        "type": "summary",
        "states": dict(Counter(one.state.value for one in people)),
        "partner_types": dict(Counter(one.partner_type for one in confirmed)),
        "first_choices": _first_choices(confirmed),
        "checked_in": sum(bool(one.checked_in_at) for one in people),
    }
    with suppress(ConditionFailedError):
        table.write(put(summary, expect={"pk": Absent()}))


def _first_choices(people: list[Registration]) -> dict[str, int]:
    return dict(Counter(one.choices[0] for one in people if one.choices))


def _forget_organisers(table: Table, event: Event) -> None:
    """What was done stays, who did it goes, and so does about whom."""
    for group in _groups(audit_lines(table, event.id)):
        table.put_all({**line, "actor": _nameless(line["actor"]), "about": ""} for line in group)
    for run in runs_of(table, event.id):
        fields = {"requested_by": _nameless(run.requested_by), "published_by": _nameless(run.published_by)}
        with suppress(ConditionFailedError):
            table.write(update(event_pk(event.id), run_sk(run.number), assign=fields, expect={"pk": Present()}))


def _nameless(actor: str) -> str:
    return AN_ORGANISER if "@" in actor else actor


def _groups(items: Iterator[Item], size: int = 500) -> Iterator[list[Item]]:
    """Items in groups, so that time can be looked at in between."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
