"""Mail rows: writing one, in the transaction of what it reports, is sending it.

The id is derived from what is reported, so the same news is never two mails. The relay carries the id from the
table's stream to the mail queue; a row stays in the index `due` until it is sent or given up.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from shared.models import Event, Mail, MailKind, MailState, utc
from shared.observability import followed
from shared.table import (
    LIMIT_PK,
    MAIL_RATE_SK,
    MOST_WRITES,
    Absent,
    ConditionFailedError,
    Item,
    OneOf,
    Table,
    Write,
    mails_pk,
    put,
    recipient_digest,
    update,
)

DUE = tuple(f"mail#{part}" for part in range(8))
"""The mails' parts of the index `due`: one key of an index takes a thousand writes a second, and no more."""

STILL_BUSY_SECONDS = 5.0
"""The sender counts as busy so long after the last slot that was taken."""

WINDOW = timedelta(minutes=10)
"""How long a mail whose sending ended without an answer waits for SES's own event, before it is tried again.

Longer than any function may run, so that a sender that woke up late has been killed before.
"""

DONE_WITH = ("due", "due_at", "to", "facts")
"""What a row loses when nothing is left to do: its place in the index, and everything personal it carried."""


HELD_BACK: tuple[MailKind, ...] = (
    "programme",
    "programme-changed",
    "group",
    "day-cancelled",
    "day-restored",
    "message",
    "feedback",
    "leader-list",
)
"""Mail kinds that a hold stops, and those that are written on hold while it lasts.

People wait for a confirmation or a sign-in link, so these always go; so does the mail of a group without a programme,
which is its confirmation."""


class SesWait(StrEnum):
    """What the account of SES lacks until it takes a mail; a pending row keeps it as `error`."""

    NOT_VERIFIED = "not-verified"
    PAUSED = "paused"
    DAILY_QUOTA = "daily-quota"


UNSETTLED = (MailState.SENDING, MailState.PENDING, MailState.CANCELLED)
"""States in which SES may turn out to have taken a mail: its answer was lost, and the mail was put back or given up."""


MOST_ORGANISERS = 50
"""Organisers who are mailed about a run: a transaction has room for a hundred writes."""


def mail_id(kind: MailKind, registration: str, *, run: int = 0, occasion: str = "") -> str:
    """The id of a mail: `<kind>[#<run>]#<registration>[#<occasion>]`, the run for programmes."""
    about = f"{run}#{registration}" if run else registration
    return f"{kind}#{about}" + (f"#{occasion}" if occasion else "")


def send(
    kind: MailKind,
    event: str,
    registration: str,
    *,
    now: datetime,
    run: int = 0,
    occasion: str = "",
    to: str = "",
    language: str = "",
    facts: Mapping[str, str] | None = None,
    held: bool = False,
) -> Write:
    """The write that sends a mail; it refuses if the same mail was written before."""
    mail = Mail(
        event=event,
        id=mail_id(kind, registration, run=run, occasion=occasion),
        kind=kind,
        state=MailState.HELD if held else MailState.PENDING,
        registration=registration,
        run=run,
        to=to,
        language=language,
        facts=dict(facts or {}),
        request=followed(),
        created_at=utc(now),
        updated_at=utc(now),
    )
    return put(mail_item(mail, due_at=utc(now)), expect={"pk": Absent()})


def tell_organisers(
    kind: MailKind, event: Event, run: int, languages: Mapping[str, str], *, now: datetime
) -> list[Write]:
    """The writes that mail the organisers about a run, each of them once; part of the transaction it reports.

    Parameters
    ----------
    languages
        The language of each organiser, by address; others are mailed in the event's.
    """
    return [
        send(
            kind,
            event.id,
            "",
            run=run,
            occasion=str(number),
            to=address,
            language=languages.get(address, event.language),
            now=now,
        )
        for number, address in enumerate(event.organiser_emails[:MOST_ORGANISERS], 1)
    ]


def due_part(mail: str) -> str:
    """The part of the index `due` in which a mail waits, by its id."""
    return DUE[zlib.crc32(mail.encode()) % len(DUE)]


def mails_due(table: Table, until: str) -> Iterator[Item]:
    """Every mail that is not sent yet and is due by `until`; the oldest first in each part of the index."""
    return itertools.chain.from_iterable(table.due(part, until) for part in DUE)


def busy_since(table: Table, now: datetime) -> datetime | None:
    """Since when mails have been leaving without a break, as fast as SES allows; None if the sender is idle at `now`.

    `functions.mail.pace` writes the row.
    """
    found = table.get(LIMIT_PK, MAIL_RATE_SK)
    if found is None or int(found["next"]) / 1000 < now.timestamp() - STILL_BUSY_SECONDS:
        return None
    return datetime.fromtimestamp(int(found["busy_since"]) / 1000, tz=UTC)


def mail_item(mail: Mail, *, due_at: str) -> dict[str, Any]:
    """The stored form of a mail; only one that still has to go out stands in the index."""
    item = {"pk": mails_pk(mail.event), "sk": mail.id, "type": "mail", **mail.model_dump(mode="json")}
    if mail.state in {MailState.PENDING, MailState.SENDING}:
        item |= {"due": due_part(mail.id), "due_at": due_at}
    return item


def claim(table: Table, mail: Mail, *, now: datetime, to: str = "") -> Mail | None:
    """Take a pending mail up for one attempt to send it; None when another invocation did, or it waits no longer.

    Parameters
    ----------
    to
        The address that this attempt goes to; of that of a registration the row keeps a digest.
    """
    sent_to = recipient_digest(mail.registration, to) if mail.registration and to else ""
    fields = {
        "state": MailState.SENDING,
        "attempt": mail.attempt + 1,
        "updated_at": utc(now),
        **({"sent_to": sent_to} if sent_to else {}),
    }
    taken = _moved(
        table,
        mail,
        {**fields, "due_at": utc(now + WINDOW)},
        expect={"state": MailState.PENDING.value, "attempt": mail.attempt},
        remove=("nudges",),  # it has arrived: what is lost on the way to another attempt is counted anew
    )
    return mail.model_copy(update=fields) if taken else None


def put_back(table: Table, mail: Mail, why: str = "", *, now: datetime, due_at: datetime) -> bool:
    """Let a claimed mail wait again until `due_at`, and note why; False when it was settled meanwhile."""
    return _moved(
        table,
        mail,
        {"state": MailState.PENDING, "error": why, "due_at": utc(due_at), "updated_at": utc(now)},
        expect={"state": MailState.SENDING.value, "attempt": mail.attempt},
    )


def nudge(table: Table, item: Item, *, now: datetime) -> bool:
    """Touch a pending row, so that the stream carries it to the queue once more; False when it moved meanwhile."""
    nudges = int(item.get("nudges", 0)) + 1
    return _moved(
        table,
        as_mail(item),
        {"due_at": utc(now), "nudges": nudges},
        expect={"state": MailState.PENDING.value, "due_at": item["due_at"]},
    )


def mark_sent(table: Table, mail: Mail, message_id: str, *, now: datetime, error: str = "") -> bool:
    """Note that SES took the mail; False when that was noted before, or the row is gone."""
    return _moved(
        table,
        mail,
        {"state": MailState.SENT, "message_id": message_id, "error": error, "updated_at": utc(now)},
        expect={"state": OneOf(tuple(state.value for state in UNSETTLED))},
        remove=DONE_WITH,
    )


def give_up(table: Table, mail: Mail, state: MailState, why: str, *, now: datetime) -> bool:
    """Close a mail that cannot be sent (`failed`) or has nothing to tell any more (`cancelled`)."""
    return _moved(
        table,
        mail,
        {"state": state, "error": why, "updated_at": utc(now)},
        expect={"state": mail.state.value, "attempt": mail.attempt},
        remove=("due", "due_at") if state is MailState.FAILED and can_go_again(mail) else DONE_WITH,
    )


def can_be_held(mail: Mail) -> bool:
    """Whether a hold stops this mail."""
    return mail.kind in HELD_BACK and (mail.kind != "group" or bool(mail.run))


def let_go(mail: Mail, now: datetime, *, held: bool = False) -> Write:
    """The write that lets a mail which was stopped, failed or given up wait to be sent again; on hold if it is."""
    waits = {"state": MailState.HELD.value} if held else {"due": due_part(mail.id), "due_at": utc(now)}
    return update(
        mails_pk(mail.event),
        mail.id,
        assign={"state": MailState.PENDING.value, "error": "", "updated_at": utc(now), **waits},
        expect={"state": mail.state.value},
    )


def move(table: Table, writes: Sequence[Write]) -> int:
    """Make these writes, a hundred in a transaction; a mail whose state changed meanwhile is left as it is."""
    moved = 0
    for start in range(0, len(writes), MOST_WRITES):
        group = writes[start : start + MOST_WRITES]
        try:
            table.write(*group)
            moved += len(group)
        except ConditionFailedError:
            moved += sum(_alone(table, write) for write in group)
    return moved


def _alone(table: Table, write: Write) -> bool:
    try:
        table.write(write)
    except ConditionFailedError:
        return False
    return True


def can_go_again(mail: Mail) -> bool:
    """Whether a mail that failed can be sent again: it goes to a registration, whose address is read anew."""
    return bool(mail.registration) and not mail.to


def mark_bounced(table: Table, mail: Mail, why: str, *, now: datetime) -> bool:
    """Note that a mail SES had taken came back, or was complained of; False when the row is gone."""
    return _moved(
        table,
        mail,
        {"bounced": True, "error": why, "updated_at": utc(now)},
        expect={"state": MailState.SENT.value},
    )


def _moved(
    table: Table, mail: Mail, assign: Mapping[str, Any], *, expect: Mapping[str, Any], remove: tuple[str, ...] = ()
) -> bool:
    """Change a row that is as expected, and no other: an erased row must not come back."""
    plain = {key: value.value if isinstance(value, MailState) else value for key, value in assign.items()}
    try:
        table.write(update(mails_pk(mail.event), mail.id, assign=plain, remove=remove, expect=expect))
    except ConditionFailedError:
        return False
    return True


def mail_tag(mail: str) -> str:
    """A mail's id as SES takes it in a tag: letters, digits, `-` and `_` only."""
    return mail.replace("#", "_")


def request_tag(request: str) -> str:
    """A request's id as SES takes it in a tag: API Gateway's end in `=`."""
    return re.sub(r"[^A-Za-z0-9_-]", "", request)


def tagged_mail(tag: str) -> str:
    """The mail id that `mail_tag` wrote; no id has an underscore of its own."""
    return tag.replace("_", "#")


def read_mail(table: Table, event: str, mail: str) -> Mail | None:
    """One mail row, or None."""
    found = table.get(mails_pk(event), mail)
    return as_mail(found) if found else None


def mails_of(table: Table, event: str, prefix: str = "", *, registration: str = "") -> Iterator[Mail]:
    """Every mail of an event, or those whose id starts with `prefix`, or those to one registration."""
    where = {"registration": registration} if registration else None
    return map(as_mail, table.query(mails_pk(event), prefix, where=where))


class MailStatus(NamedTuple):
    """What counting mails takes: the state, whether the mail came back, and what a pending mail waits for."""

    state: MailState
    bounced: bool
    error: str


def mail_statuses(table: Table, event: str) -> Iterator[MailStatus]:
    """The status of every mail of an event, and nothing more."""
    rows = table.query(mails_pk(event), only=("state", "bounced", "error"))
    return (MailStatus(MailState(row["state"]), bool(row["bounced"]), str(row["error"])) for row in rows)


def as_mail(item: Item) -> Mail:
    """The mail in a stored item."""
    return Mail.model_validate({key: item[key] for key in Mail.model_fields if key in item})
