"""Publication: the event points at a run by one write, and the mails that this owes are written after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.acts import Act
from shared.commitment import breach
from shared.edition import UNKNOWN, Facts, day_facts, told_otherwise
from shared.errors import ConflictError, StaleError
from shared.events import as_event, audit
from shared.i18n import told
from shared.leaders import owe_links
from shared.mails import send
from shared.models import Afterwards, Event, MailKind, Programme, Registration, Run, RunState, utc
from shared.registrations import reader_of
from shared.runs import programmes_of, read_run, why_stale
from shared.state import read_state
from shared.table import (
    EVENTS_PK,
    STATE_SK,
    Absent,
    Below,
    ConditionFailedError,
    Item,
    Table,
    Write,
    check,
    delete,
    event_pk,
    mails_pk,
    registration_sk,
    run_sk,
    task_sk,
    update,
)
from shared.tasks import ALLOCATE_DUE, after_publication, task

PEOPLE_A_WRITE = 40
"""People whose mails are written in one transaction: a check and a row each, below DynamoDB's hundred."""

WRITER_LEASE = timedelta(minutes=2)
"""How long a writer that went silent is waited for; while it writes, it goes on renewing its lease."""

PROGRAMME_MAILS: tuple[MailKind, ...] = ("programme", "programme-changed", "group")

Owing = tuple[Registration, MailKind]
"""A person and the kind of mail that tells them of a publication."""


ANSWERS: tuple[Afterwards, ...] = ("keep", "close", "none")
"""What an organiser who publishes while registration is open may answer; the first changes least."""


def facts_told(table: Table, event: Event, run: Run) -> Facts:
    """The facts that people were told by the publication before a run, and those that go with the run itself."""
    before = read_run(table, event.id, run.compared_with) if run.compared_with else None
    return (before.facts if before else None, run.facts or day_facts(event))


def publish(
    table: Table,
    event: Event,
    run: Run,
    people: Iterable[Registration],
    *,
    actor: str,
    now: datetime,
    afterwards: Afterwards = "",
) -> Run:
    """Point the event at a draft; from this write on everybody reads it, and its mails are owed.

    The event file is read again here and may not change until the write, so that no draft is published that seats
    more people than there are seats by now.

    Parameters
    ----------
    people
        Every registration of the event as it is stored now.
    afterwards
        What is to happen to those who come later, until registration has closed; it counts for nothing from then on.

    Raises
    ------
    ConflictError
        The run is no draft, it was drawn under another seed than the committed one, the mails of an earlier
        publication are still being written, registration is yet to close and no answer says what is to happen
        afterwards, or the run would replace what is published and nobody asked for that.
    StaleError
        Registrations, the event file or the published run changed since the draft was made.
    """
    if run.state is not RunState.DRAFT:
        raise ConflictError(
            told("Allocation %(number)s is no draft; only a draft can be published.", number=run.number)
        )
    state = read_state(table, event.id)
    if state.publishing_run:
        raise ConflictError(
            told(
                "The mails of allocation %(number)s are still being written. Try again in a minute.",
                number=state.publishing_run,
            )
        )
    stored = table.get(EVENTS_PK, event.id)
    event = as_event(stored) if stored else event
    if event.cancelled:
        raise ConflictError(told("This day is cancelled. Nothing can be published any more."))
    if run.automatic and run.mode == "fresh" and state.published_run:
        raise ConflictError(told("The schedule never replaces a published allocation. Start a new draft."))
    afterwards = _answered(event, afterwards, now)
    stale = why_stale(table, event, run, people)
    if stale:
        raise StaleError(stale)
    facts = day_facts(event)
    published = {
        "state": RunState.PUBLISHED,
        "facts": facts.model_dump(mode="json"),
        "published_at": utc(now),
        "published_by": actor,
        "updated_at": utc(now),
    }
    pk = event_pk(event.id)
    broken = breach(event, state, run.seed, now)
    if broken:
        raise ConflictError(broken)
    previous = (
        [update(pk, run_sk(run.compared_with), assign={"state": RunState.SUPERSEDED})] if run.compared_with else []
    )
    try:
        table.write(
            update(
                pk,
                STATE_SK,
                assign={"published_run": run.number, "publishing_run": run.number, "afterwards": afterwards},
                expect={
                    "published_run": run.compared_with,
                    "publishing_run": 0,
                    "placed": Below(run.placed + 1),
                    **({"seed": state.seed} if state.seed else {}),
                },
            ),
            update(pk, run_sk(run.number), assign=published, expect={"state": RunState.DRAFT}),
            *previous,
            task(event.id, "publication", ALLOCATE_DUE, now, run=run.number),
            delete(pk, task_sk("publish")),
            *owe_links(event, now),
            *after_publication(event, afterwards, now),
            *([_file_as_read(event, stored, close=afterwards == "close", now=now)] if stored else []),
            audit(event.id, actor, Act.PUBLISH, now=now, what=f"run {run.number}{_IN_AUDIT[afterwards]}"),
        )
    except ConditionFailedError as error:
        if "event" in error.refused:
            raise StaleError(told("The event changed at this moment. Start a new draft.")) from None
        raise StaleError(told("Another organiser published at the same moment. Reload the page.")) from None
    return run.model_copy(update={**published, "facts": facts})


_IN_AUDIT: dict[Afterwards, str] = {
    "": "",
    "close": ", registration closed",
    "keep": ", then a draft at the deadline",
    "none": ", then no further run",
}


def _answered(event: Event, afterwards: Afterwards, now: datetime) -> Afterwards:
    """The answer that counts: before registration opens as well, for people come then.

    Raises ConflictError, naming the choices, where an answer is needed and missing.
    """
    if not event.is_yet_to_close(now):
        return ""
    if not afterwards:
        raise ConflictError(
            told("Registration has not closed yet. Choose what happens to people who come later."),
            {"afterwards": told("Choose one of: %(choices)s", choices=", ".join(ANSWERS))},
        )
    return afterwards


def _file_as_read(event: Event, stored: Item, *, close: bool, now: datetime) -> Write:
    """The write that lets a publication through only with the event file as it was read; or closes registration in it.

    The minute before now is written as the closing time: every page, mail and task reads that one. Registration that
    was to open later, or opened in this minute, is written as opened a minute earlier.
    """
    expected = {"updated_at": stored["updated_at"]}
    if not close:
        return check(EVENTS_PK, event.id, expected, name="event")
    minute = now.astimezone(event.zone).replace(second=0, microsecond=0, tzinfo=None)
    opens = min(event.registration.opens, minute - timedelta(minutes=1))
    rules = event.registration.model_copy(update={"opens": opens, "closes": minute})
    document = event.model_copy(update={"registration": rules}).model_dump_json(exclude_defaults=True)
    return update(
        EVENTS_PK, event.id, assign={"document": document, "updated_at": utc(now)}, expect=expected, name="event"
    )


def owed_mails(
    people: Sequence[Registration],
    before: Mapping[str, Programme],
    after: Mapping[str, Programme],
    facts: Facts = UNKNOWN,
) -> list[Owing]:
    """Who hears of a publication, and by which mail: a first programme, or one that differs from what they were told.

    A person without an address hears nothing by mail; their programme is printed, or goes to the delegate of their
    group in one mail with all of them.

    Parameters
    ----------
    facts
        What was printed with the programmes before, and what is printed with those after.
    """
    owed: dict[str, Owing] = {}
    by_id = {person.id: person for person in people}
    for one in sorted(people, key=lambda person: person.id):
        old, new = before.get(one.id), after.get(one.id)
        if not one.takes_part:
            continue
        if new and not old:
            kind: MailKind = "programme"
        elif old and (not new or new.workshops != old.workshops or told_otherwise(facts, new.workshops, one.language)):
            kind = "programme-changed"
        else:
            continue
        reader = reader_of(one, by_id)
        if reader is one:
            owed[one.id] = (one, kind)
        elif reader:
            owed[reader.id] = (reader, "group")
    return [owed[person] for person in sorted(owed)]


@dataclass(frozen=True, slots=True)
class Told:
    """What one go at writing the mails of a publication came to."""

    people: int
    finished: bool


class _Lease:
    """One writer at a time is at the mails of a publication: its task says until when, and is due again then.

    A writer that stops is followed by another once its lease is over; one that merely was held up writes nothing twice,
    for every mail has one id.
    """

    def __init__(self, table: Table, run: Run, now: datetime) -> None:
        self._table, self._run = table, run
        self._begun, self._now = time.monotonic(), now
        self._until = ""

    def _clock(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._begun)

    def take(self) -> bool:
        """Become the writer; False when another one is at it, or nothing is left to write."""
        found = self._table.get(event_pk(self._run.event), task_sk("publication"))
        if found is None or found["run"] != self._run.number or found.get("writer_until", "") > utc(self._now):
            return False
        self._until = found.get("writer_until", "")
        return self._move(self._now + WRITER_LEASE)

    def keep(self) -> bool:
        """Stay the writer; False when another one took over."""
        if utc(self._clock() + WRITER_LEASE / 2) < self._until:
            return True
        return self._move(self._clock() + WRITER_LEASE)

    def give_back(self) -> None:
        """Let the next writer begin at once."""
        self._move(self._clock())

    def _move(self, until: datetime) -> bool:
        key = (event_pk(self._run.event), task_sk("publication"))
        expected = {"writer_until": self._until or Absent(), "run": self._run.number}
        later = {"writer_until": utc(until), "due_at": utc(until)}
        try:
            self._table.write(update(*key, assign=later, expect=expected))
        except ConditionFailedError:
            return False
        self._until = utc(until)
        return True


def write_programme_mails(
    table: Table,
    event: Event,
    run: Run,
    people: Sequence[Registration],
    *,
    now: datetime,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Told:
    """Write the mails that a publication owes and that are not written yet, and close it when none is left.

    Repeating it, after a crash or twice at once, writes each mail once: its id names the run and the person. A person
    who withdrew meanwhile gets none.

    Parameters
    ----------
    may_go_on
        Asked before each group of mails; once it says no, the rest is left to the next call.
    """
    lease = _Lease(table, run, now)
    if not lease.take():
        return Told(0, finished=False)
    before = programmes_of(table, event.id, run.compared_with)
    written = _written(table, run)
    owed = [
        owing
        for owing in owed_mails(
            people, before, programmes_of(table, event.id, run.number), facts_told(table, event, run)
        )
        if owing[0].id not in written
    ]
    told = 0
    for start in range(0, len(owed), PEOPLE_A_WRITE):
        if not may_go_on():
            lease.give_back()
            return Told(told, finished=False)
        if not lease.keep():
            return Told(told, finished=False)
        held = read_state(table, event.id).mail_held  # anew for each: a hold shall stop what is still to be written
        told += _tell(table, owed[start : start + PEOPLE_A_WRITE], run, now, held=held)
    with suppress(ConditionFailedError):  # closed already
        table.write(
            update(event_pk(event.id), STATE_SK, assign={"publishing_run": 0}, expect={"publishing_run": run.number}),
            delete(event_pk(event.id), task_sk("publication")),
        )
    return Told(told, finished=True)


def _written(table: Table, run: Run) -> set[str]:
    """The registrations whose mail of this publication is written."""
    prefixes = (f"{kind}#{run.number}#" for kind in PROGRAMME_MAILS)
    rows = (row for prefix in prefixes for row in table.query(mails_pk(run.event), prefix, only=("registration",)))
    return {row["registration"] for row in rows}


def _tell(table: Table, group: Sequence[Owing], run: Run, now: datetime, *, held: bool) -> int:
    """Write the mails of a group in one transaction, without those people whose mail is refused; how many."""
    left = list(group)
    while left:
        try:
            table.write(*(write for owing in left for write in _mail(owing, run, now, held=held)))
        except ConditionFailedError as error:  # these were told before, or hold no place any more
            left = [owing for owing in left if owing[0].id not in error.refused]
        else:
            return len(left)
    return 0


def _mail(owing: Owing, run: Run, now: datetime, *, held: bool) -> list[Write]:
    registration, kind = owing
    mail = send(kind, run.event, registration.id, now=now, run=run.number, held=held)
    stands = check(event_pk(run.event), registration_sk(registration.id), {"state": registration.state.value})
    return [stands.named(registration.id), mail.named(registration.id)]
