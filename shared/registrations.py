"""A registration's life, each step one transaction: whole or not at all.

One address holds one registration per event (the item ADDRESS#…), and never are more people confirmed than there
are places (the counters of STATE). Every step writes the mail that reports it in the same transaction. A person whom
an organiser registers may have no address: then there is no such item, and no mail.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from shared.errors import CANCELLED, ConflictError, StaleError, TooBusyError
from shared.i18n import N_, told, told_many
from shared.mails import mail_id, send
from shared.models import Event, EventState, MailKind, Registration, RegistrationState, utc
from shared.state import read_state
from shared.table import (
    ERASED_PK,
    IDEMPOTENCY_PK,
    LIMIT_PK,
    MOST_WRITES,
    REGISTRATIONS,
    STATE_SK,
    Absent,
    Below,
    ConditionFailedError,
    Item,
    Present,
    Table,
    Write,
    address_sk,
    check,
    delete,
    erased_sk,
    event_pk,
    mail_withheld,
    mails_pk,
    own_link_limit_sk,
    programme_sk,
    programmes_pk,
    put,
    registration_sk,
    update,
)
from shared.tasks import place_late
from shared.text import address_key, by_family_name

BACKUPS_KEPT = timedelta(days=35)
"""How far point-in-time recovery reaches back; as long it must be known who was erased."""

OFFER_DUE = "offer"
"""Name of the open offers' part of the index `due`."""

ANSWER_KEPT = timedelta(days=1)
"""How long a request that named itself is known as answered."""

CHANGED_MEANWHILE = N_("This registration was changed elsewhere meanwhile. Reload the page and try again.")
TOO_BUSY = N_("Many people are registering at this moment. Please send the form again.")

TRIES = 8
"""How often an act whose conditions fail is tried again on what is stored by then."""

OWN_MAILS: tuple[MailKind, ...] = (
    "programme",
    "confirmation",
    "already-registered",
    "waiting-list",
    "place-offered",
    "reminder",
    "feedback",
    "group",
    "day-cancelled",
    "day-restored",
    "message",
    "withdrawn",
    "address-changed",
    "confirm-place",
    "place-released",
)
"""Kinds of mail whose ids begin with the kind and the registration."""

SELDOM = frozenset({"attended", "confirm_by", "delegate", "freed", "gave_up", "gave_up_at", "released", "seat_changes"})
"""Fields that few registrations have: left out while they are empty, since each kilobyte of a row costs a unit."""

MOST_IN_GROUP = 40
"""People of one group: a registration each, and what goes with them, below DynamoDB's hundred."""

HOLDS_A_PLACE = (RegistrationState.CONFIRMED, RegistrationState.OFFERED)


def new_id() -> str:
    """A fresh registration id: 80 random bits as 20 hexadecimal digits."""
    return secrets.token_hex(10)


def read_registration(table: Table, event: str, registration: str) -> Registration | None:
    """One registration, or None."""
    found = table.get(event_pk(event), registration_sk(registration))
    return as_registration(found) if found else None


def registrations_of(table: Table, event: str, after: str = "") -> Iterator[Registration]:
    """Every registration of an event, by id; `after` continues behind that id."""
    start = registration_sk(after) if after else ""
    return map(as_registration, table.query(event_pk(event), REGISTRATIONS, after=start))


def find_by_address(table: Table, event: str, email: str) -> Registration | None:
    """The registration that holds this address, or None."""
    found = table.get(event_pk(event), address_sk(email))
    return read_registration(table, event, found["registration"]) if found else None


def as_registration(item: Item) -> Registration:
    """The registration in a stored item."""
    return Registration.model_validate({key: item[key] for key in Registration.model_fields if key in item})


def register(
    table: Table,
    event: Event,
    draft: Registration,
    *,
    now: datetime,
    extra: Sequence[Write] = (),
    once: str = "",
    tell: bool = True,
) -> tuple[Registration, bool]:
    """Store a new registration, confirmed while there are places, else waiting, and send what tells the person so.

    A known address changes nothing: its holder is sent the own link (once an hour at most). Known or unknown, the
    same calls are made of the table, so that nobody learns from the outside who is registered.

    Parameters
    ----------
    draft
        The registration to store; its state is decided here.
    extra
        Writes to make in the same transaction (an audit line).
    once
        A digest that names this very request. If it was answered before, and the registration it was answered with
        still stands, nothing is changed and nobody told; once that is withdrawn or erased the request counts anew.
    tell
        Whether mail is sent; not when the mailbox has been sent enough in this hour.

    Returns
    -------
    The stored registration and True, or the one that already holds the address and False.
    """
    stored = draft

    def entry(state: EventState) -> list[Write]:
        nonlocal stored
        has_place = state.confirmed < event.capacity and state.waiting == 0
        kind = RegistrationState.CONFIRMED if has_place else RegistrationState.WAITING
        stored = draft.model_copy(update={"state": kind})
        return [*_entry(event, stored, now, tell=tell), *extra]

    is_new, known = _enter_once(table, event, draft, entry, now=now, once=once, tell=tell)
    if is_new:
        return stored, True
    found = read_registration(table, event.id, known) if known and extra else None
    return found or (draft.model_copy(update={"id": known}) if known else draft), False


def _enter_once(
    table: Table,
    event: Event,
    holder: Registration,
    entry: Callable[[EventState], Sequence[Write]],
    *,
    now: datetime,
    once: str,
    tell: bool,
) -> tuple[bool, str]:
    """Write an entry whose address and request are new; a known address changes nothing, and its holder is told so.

    Parameters
    ----------
    holder
        The registration that is to hold the address.
    entry
        The writes, for the counters as they were just read; the write of the address is named "address".
    once, tell
        As in `register`.

    Returns
    -------
    Whether it was stored, and the id of the registration that holds the address; "" for a request answered before.
    """
    _refuse_closed_event(event)
    answered = table.get(IDEMPOTENCY_PK, once) if once else None
    if answered and _still_stands(table, event.id, answered["registration"]):
        return False, ""
    taken = table.get(event_pk(event.id), address_sk(holder.email))
    state = read_state(table, event.id)
    for _ in range(TRIES):
        if taken:
            known = str(taken["registration"])
            mark = _answered_with(once, known, answered, now)
            remind(table, event.id, known, "already-registered", now=now, extra=mark, tell=tell)
            return False, known
        try:
            table.write(*entry(state), *_answered_with(once, holder.id, answered, now))
        except ConditionFailedError as error:
            if "once" in error.refused:
                return False, ""
            if "address" in error.refused:
                taken = table.get(event_pk(event.id), address_sk(holder.email))
            state = read_state(table, event.id)
        else:
            return True, holder.id
    raise TooBusyError(TOO_BUSY)


def register_group(
    table: Table,
    event: Event,
    delegate: Registration,
    members: Sequence[Registration],
    *,
    now: datetime,
    once: str = "",
    tell: bool = True,
) -> bool:
    """Store a group whole: confirmed while there are places for all of them, else waiting, and mail the delegate.

    As in `register`, a known address changes nothing: its holder is sent the own link.

    Parameters
    ----------
    delegate
        The person who registers the group: holds the address and no place.
    members
        At most `MOST_IN_GROUP` people without an address; their state is decided here.
    once, tell
        As in `register`.

    Returns whether the group was stored.
    """

    def entry(state: EventState) -> list[Write]:
        heads = len(members)
        fits = state.confirmed + heads <= event.capacity and state.waiting == 0
        room = {"confirmed": Below(event.capacity - heads + 1), "waiting": Below(1)} if fits else {}
        kind = RegistrationState.CONFIRMED if fits else RegistrationState.WAITING
        whole = delegate.model_copy(update={"members": [member.id for member in members]})
        everybody = [whole, *(member.model_copy(update={"state": kind}) for member in members)]
        return [
            put(_address_item(delegate), expect={"pk": Absent()}, name="address"),
            *(put(registration_item(one), expect={"pk": Absent()}) for one in everybody),
            update(
                event_pk(event.id),
                STATE_SK,
                add={"confirmed" if fits else "waiting": heads},
                expect={"pk": Present(), **room},
            ),
            send("group", event.id, delegate.id, now=now) if tell else mail_withheld(now),
        ]

    return _enter_once(table, event, delegate, entry, now=now, once=once, tell=tell)[0]


def members_of(table: Table, delegate: Registration) -> list[Registration]:
    """The people whom a delegate registered, in the order of their names.

    They are read by their ids: neither a page nor a mail of one group reads all registrations of an event.
    """
    found = (read_registration(table, delegate.event, one) for one in delegate.members)
    return sorted((one for one in found if one is not None), key=lambda one: (one.name.casefold(), one.id))


def in_family_order(person: Registration) -> tuple[str, str, str]:
    """What lists of people are sorted by: the family name, the given name, and the id between equals."""
    return (*by_family_name(person.name), person.id)


def reader_of(person: Registration, by_id: Mapping[str, Registration]) -> Registration | None:
    """Who reads mail about a person: they themselves, else the delegate of their group, else nobody."""
    if person.email:
        return person
    delegate = by_id.get(person.delegate)
    return delegate if delegate and delegate.state is RegistrationState.DELEGATE else None


def on_paper(people: Iterable[Registration]) -> list[Registration]:
    """The people whom no mail reaches, not even through a delegate; a delegate takes no part and is none of them."""
    by_id = {person.id: person for person in people}
    return [
        one for one in by_id.values() if one.state is not RegistrationState.DELEGATE and reader_of(one, by_id) is None
    ]


def admit(
    table: Table, event: Event, draft: Registration, *, now: datetime, extra: Sequence[Write] = ()
) -> Registration | None:
    """Store a person whom an organiser adds: confirmed at once, ahead of the waiting list, if a place is free.

    Returns None, with nothing changed and nobody told, when the address is registered already.
    Raises ConflictError when every place is taken.
    """
    _refuse_closed_event(event)
    stored = draft.model_copy(update={"state": RegistrationState.CONFIRMED})
    try:
        late = place_late(event, read_state(table, event.id), now)
        table.write(*_entry(event, stored, now, ahead=True), *late, *extra)
    except ConditionFailedError as error:
        if "address" in error.refused:
            return None
        raise ConflictError(
            told_many(
                "The one place is taken. Raise the number of places, or withdraw a person.",
                "All %(num)s places are taken. Raise the number of places, or withdraw a person.",
                event.capacity,
            )
        ) from None
    return stored


def _refuse_closed_event(event: Event) -> None:
    """Raise ConflictError for an event that nobody but its organisers may see yet, or whose day is cancelled."""
    if event.cancelled:
        raise ConflictError(CANCELLED)
    if event.draft:
        raise ConflictError(
            told("This event is a draft, which only its organisers see. Open it first, then add people.")
        )


def _entry(event: Event, stored: Registration, now: datetime, *, ahead: bool = False, tell: bool = True) -> list[Write]:
    """The writes of a new registration: address, person, counter, mail."""
    confirmed = stored.state is RegistrationState.CONFIRMED
    free = {"pk": Present(), "confirmed": Below(event.capacity)}
    counter = (
        update(
            event_pk(event.id),
            STATE_SK,
            add={"confirmed": 1},
            expect=free if ahead else {**free, "waiting": Below(1)},
        )
        if confirmed
        else update(event_pk(event.id), STATE_SK, add={"waiting": 1}, expect={"pk": Present()})
    )
    person = put(registration_item(stored), expect={"pk": Absent()})
    if not stored.email:
        return [person, counter]
    return [
        put(_address_item(stored), expect={"pk": Absent()}, name="address"),
        person,
        counter,
        send("confirmation" if confirmed else "waiting-list", event.id, stored.id, now=now)
        if tell
        else mail_withheld(now),
    ]


def _answered_with(once: str, registration: str, before: Item | None, now: datetime) -> list[Write]:
    """The write that notes which registration a request was answered with; it refuses when another just did."""
    if not once:
        return []
    keys = {"pk": IDEMPOTENCY_PK, "sk": once, "type": "idempotency"}
    expires = int((now + ANSWER_KEPT).timestamp())
    expect = {"registration": before["registration"]} if before else {"pk": Absent()}
    return [put({**keys, "registration": registration, "expires": expires}, expect=expect, name="once")]


def _still_stands(table: Table, event: str, registration: str) -> bool:
    found = read_registration(table, event, registration)
    return found is not None and found.state is not RegistrationState.WITHDRAWN


def remind(
    table: Table,
    event: str,
    registration: str,
    kind: str,
    *,
    now: datetime,
    extra: Sequence[Write] = (),
    tell: bool = True,
) -> None:
    """Send a person the own link again, once an hour at most; a second wish in the hour is already fulfilled."""
    mail = send("already-registered", event, registration, now=now, occasion=f"{now:%Y%m%d%H}", facts={"why": kind})
    there = check(event_pk(event), registration_sk(registration), {"pk": Present()})  # else: erased at this moment
    try:
        table.write(mail if tell else mail_withheld(now), there, *extra)
    except ConditionFailedError:
        return


def send_own_link(table: Table, event: str, email: str, digest: str, *, now: datetime, tell: bool = True) -> None:
    """Mail the holder of an address the own link; for an unknown address the same calls end in no mail.

    `digest` is the keyed digest of the address under which the wish is noted, once an hour.
    """
    found = table.get(event_pk(event), address_sk(email))
    asked = {"pk": LIMIT_PK, "sk": own_link_limit_sk(event, digest, now), "type": "limit"}
    once = put({**asked, "expires": int((now + timedelta(hours=2)).timestamp())}, expect={"pk": Absent()})
    if found:
        remind(table, event, found["registration"], "link", now=now, extra=[once], tell=tell)
        return
    with suppress(ConditionFailedError):
        table.write(once)


def save(
    table: Table, before: Registration, changes: Mapping[str, Any], *, now: datetime, extra: Sequence[Write] = ()
) -> Registration:
    """Change fields of a registration that stands as it was read.

    Raises StaleError when it changed meanwhile.
    """
    after = changed(before, changes, now)
    try:
        table.write(put(registration_item(after), expect=as_read(before)), *extra)
    except ConditionFailedError:
        raise StaleError(CHANGED_MEANWHILE) from None
    return after


def change_address(
    table: Table, before: Registration, changes: Mapping[str, Any], *, now: datetime, extra: Sequence[Write] = ()
) -> Registration | None:
    """Move a registration to another address (`changes["email"]`): the old link dies, both addresses are told.

    Other capitals are the same address: they are saved like any other change, and the link lives on. A person without
    an address gets one. What the old address was asked to confirm, the new one has not been asked.
    Returns None, with nothing changed, when another registration holds the new address.
    Raises StaleError when the registration changed meanwhile.
    """
    if address_key(changes["email"]) == address_key(before.email):
        return save(table, before, changes, now=now, extra=extra)
    fresh = {"new_email": "", "link_version": before.link_version + 1, "bounced": False, "confirm_by": ""}
    after = changed(before, {"previous_email": "", **changes, **fresh}, now)
    occasion = str(after.link_version)
    writes = [
        put(registration_item(after), expect=as_read(before), name="registration"),
        send(welcome(after), after.event, after.id, now=now, occasion=occasion),
        put(_address_item(after), expect={"pk": Absent()}),
    ]
    if before.email:
        writes.append(send("address-changed", after.event, after.id, now=now, occasion=occasion, to=before.email))
    try:
        table.write(*writes, *_free_address(before), *extra)
    except ConditionFailedError as error:
        if "registration" in error.refused:
            raise StaleError(CHANGED_MEANWHILE) from None
        return None
    return after


def welcome(registration: Registration) -> MailKind:
    """The mail that says how a person stands, or a delegate's whole group."""
    return "group" if registration.state is RegistrationState.DELEGATE else "confirmation"


def mark_bounced(table: Table, before: Registration, *, now: datetime) -> None:
    """Note that mail to this person comes back. Raises StaleError when the registration changed meanwhile."""
    if before.bounced:
        return
    noted = update(
        event_pk(before.event),
        registration_sk(before.id),
        assign={"bounced": True, "revision": before.revision + 1, "updated_at": utc(now)},
        expect={"revision": before.revision},
    )
    try:
        table.write(noted)
    except ConditionFailedError:
        raise StaleError(CHANGED_MEANWHILE) from None


def withdraw(
    table: Table,
    before: Registration,
    *,
    now: datetime,
    extra: Sequence[Write] = (),
    mail: MailKind | None = "withdrawn",
    note: Mapping[str, Any] | None = None,
    counters: Mapping[str, int] | None = None,
) -> Registration:
    """Give a registration back: its place is free at once and its address may register anew.

    Withdrawing twice is withdrawing once. Raises StaleError when the registration changed meanwhile.

    Parameters
    ----------
    mail
        The mail that tells the person, if any.
    note
        Further fields to change in the same write.
    counters
        What the counters of the event must be; with others StaleError is raised.
    """
    if before.state is RegistrationState.WITHDRAWN:
        return before
    return save(
        table,
        before,
        {**_LEFT, **(note or {})},
        now=now,
        extra=[
            *_free_address(before),
            *_give_back(before, counters),
            *([send(mail, before.event, before.id, now=now)] if mail and before.email else []),
            *extra,
        ],
    )


_LEFT = {"state": RegistrationState.WITHDRAWN, "offer_expires_at": "", "checked_in_at": "", "attended": {}}
"""What changes of a registration that is given back."""


def withdraw_together(
    table: Table,
    members: Sequence[Registration],
    *,
    now: datetime,
    extra: Sequence[Write] = (),
    note: Mapping[str, Any] | None = None,
    counters: Mapping[str, int] | None = None,
) -> None:
    """Give the registrations of people of a group back in one transaction; nobody of them has an address.

    Raises StaleError when one of them changed meanwhile, or the counters are others than these.

    Parameters
    ----------
    members
        At most `MOST_IN_GROUP`, each with or awaiting a place.
    """
    after = [changed(one, {**_LEFT, **(note or {})}, now) for one in members]
    waiting = sum(one.state is RegistrationState.WAITING for one in members)
    taken_off = {"confirmed": waiting - len(members), "waiting": -waiting}
    add = {name: number for name, number in taken_off.items() if number}
    try:
        table.write(
            *(put(registration_item(new), expect=as_read(old)) for old, new in zip(members, after, strict=True)),
            update(event_pk(members[0].event), STATE_SK, add=add, expect=counters or {}),
            *extra,
        )
    except ConditionFailedError:
        raise StaleError(CHANGED_MEANWHILE) from None


def erase(table: Table, before: Registration, *, now: datetime, extra: Sequence[Write] = (), tell: bool = True) -> None:
    """Delete everything kept of a person, at once: the registration, its address, programmes and mail rows.

    Keys are derived or found by prefix, so that no partition is read whole. The rows that a run or a publication may
    write at this moment go in the same transaction as the registration, which both of them check: what they write
    comes before it and is deleted here, or after it and is refused. The last mail (`erased`) carries its address
    itself, until it is sent. Half-done work is finished by repeating: the registration goes last.

    Raises StaleError when the registration changed meanwhile, TooBusyError when runs begin faster than this is done.
    """
    for _ in range(TRIES):
        state = read_state(table, before.event)
        if before.email:  # no mail was ever written to others, and a group of forty would take a thousand queries
            _delete_mails(table, before)
        last = _last_of(before, state, now, tell=tell)
        rows = _rows_of_runs(before, state.runs)
        room = MOST_WRITES - len(last) - len(extra)
        table.delete_all([{"pk": pk, "sk": sk} for pk, sk in rows[room:]])
        try:
            table.write(*(delete(pk, sk) for pk, sk in rows[:room]), *last, *extra)
        except ConditionFailedError as error:
            if "state" not in error.refused or "registration" in error.refused:
                raise StaleError(CHANGED_MEANWHILE) from None
        else:
            if before.email:
                _delete_mails(table, before)  # a reminder, or a link sent again, may have been written in between
            return
    raise TooBusyError


def _last_of(before: Registration, state: EventState, now: datetime, *, tell: bool) -> list[Write]:
    """The registration, its address, its place and the mail that says so; refused if a run began meanwhile."""
    pk = event_pk(before.event)
    seen = {"runs": state.runs, "published_run": state.published_run}
    writes = [delete(pk, registration_sk(before.id), expect={"revision": before.revision}, name="registration")]
    writes += _give_back(before, seen) or [check(pk, STATE_SK, seen, name="state")]
    if before.state is not RegistrationState.WITHDRAWN:
        writes += _free_address(before)
    writes.append(_tombstone(before, now))
    if tell and before.email:
        writes.append(send("erased", before.event, before.id, now=now, to=before.email, language=before.language))
    return writes


def _tombstone(before: Registration, now: datetime) -> Write:
    """The row from which a restored table learns that a registration was erased (`infra.cloud.restore`)."""
    expires = int((now + BACKUPS_KEPT + timedelta(days=1)).timestamp())
    return put({"pk": ERASED_PK, "sk": erased_sk(before.event, before.id), "type": "erased", "expires": expires})


def _group_mail(delegate: Registration, run: int) -> tuple[str, str]:
    """The keys of the mail that tells a delegate of a run."""
    return (mails_pk(delegate.event), mail_id("group", delegate.id, run=run))


def _rows_of_runs(before: Registration, runs: int) -> list[tuple[str, str]]:
    """The keys of a person's programmes and of the mails that told of them, those of the newest run first."""
    return [
        key
        for run in range(runs, 0, -1)
        for key in (
            (programmes_pk(before.event, run), programme_sk(before.id)),
            (mails_pk(before.event), mail_id("programme", before.id, run=run)),
            (mails_pk(before.event), mail_id("programme-changed", before.id, run=run)),
            *([_group_mail(before, run)] if before.state is RegistrationState.DELEGATE else []),
        )
    ]


def _delete_mails(table: Table, before: Registration) -> None:
    """Delete the mails to a person that are found by their ids: all but those of runs, and the last one."""
    for kind in OWN_MAILS:
        found = table.query(mails_pk(before.event), mail_id(kind, before.id), only=("pk", "sk", "registration"))
        table.delete_all([row for row in found if row["registration"] == before.id])


def still_holds_a_place(event: str, registration: str) -> Write:
    """The check that a person is confirmed, for a transaction that depends on it."""
    return check(event_pk(event), registration_sk(registration), {"state": RegistrationState.CONFIRMED.value})


def as_read(before: Registration) -> dict[str, Any]:
    """What must still be so of a registration for a change of it; a confirmation leaves the revision as it was."""
    return {"revision": before.revision, **({"confirmed_at": None} if before.unconfirmed else {})}


def changed(before: Registration, changes: Mapping[str, Any], now: datetime) -> Registration:
    """The registration with other values, under its next revision."""
    fields = {**before.model_dump(), **changes, "revision": before.revision + 1, "updated_at": utc(now)}
    return Registration.model_validate(fields)


def registration_item(registration: Registration) -> dict[str, Any]:
    """The stored form of a registration; one that is offered a place stands in the index `due`."""
    keys = {"pk": event_pk(registration.event), "sk": registration_sk(registration.id)}
    fields = registration.model_dump(mode="json")
    item = {**keys, "type": "registration", **{key: fields[key] for key in fields if fields[key] or key not in SELDOM}}
    if registration.state is RegistrationState.OFFERED:
        item |= {"due": OFFER_DUE, "due_at": registration.offer_expires_at}
    return item


def _give_back(before: Registration, seen: Mapping[str, int] | None = None) -> list[Write]:
    """The write that takes a person off the counter they stand on; none for a person who holds and awaits no place."""
    counters = {**dict.fromkeys(HOLDS_A_PLACE, "confirmed"), RegistrationState.WAITING: "waiting"}
    if before.state not in counters:
        return []
    add = {counters[before.state]: -1}
    return [update(event_pk(before.event), STATE_SK, add=add, expect=seen or {}, name="state")]


def _free_address(before: Registration) -> list[Write]:
    """The write that lets an address register anew; none for a person without one."""
    return [delete(event_pk(before.event), address_sk(before.email))] if before.email else []


def _address_item(registration: Registration) -> dict[str, Any]:
    keys = {"pk": event_pk(registration.event), "sk": address_sk(registration.email)}
    return {**keys, "type": "address", "registration": registration.id}
