"""Mails as organisers see them: by state, held back and let go. Who writes a mail is told in `shared.mails`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from shared.events import audit
from shared.mails import DUE, mails_of
from shared.models import Event, Mail, MailState, utc
from shared.table import MOST_WRITES, STATE_SK, ConditionFailedError, Table, Write, event_pk, mails_pk, update

HELD_BACK = ("programme", "programme-changed")
"""Kinds that a hold stops. A confirmation or a sign-in link that waits would only puzzle people."""


def hold(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Hold programme mails back, those to come and those not yet on their way; how many were stopped.

    Repeating it finishes what a crash left half-way.
    """
    _flag(table, event, on=True, actor=actor, now=now)
    pending = [mail for mail in mails_of(table, event.id, "programme") if mail.state is MailState.PENDING]
    return _move(table, [_stop(mail, now) for mail in pending if mail.kind in HELD_BACK])


def release(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Let every held mail go, and hold no more; how many were let go. Repeating it finishes it."""
    _flag(table, event, on=False, actor=actor, now=now)
    held = [mail for mail in mails_of(table, event.id, "programme") if mail.state is MailState.HELD]
    return _move(table, [_let_go(mail, now) for mail in held])


def _flag(table: Table, event: Event, *, on: bool, actor: str, now: datetime) -> None:
    line = audit(event.id, actor, "hold-mail" if on else "release-mail", now=now)
    table.write(update(event_pk(event.id), STATE_SK, assign={"mail_held": on}), line)


def _stop(mail: Mail, now: datetime) -> Write:
    return update(
        mails_pk(mail.event),
        mail.id,
        assign={"state": MailState.HELD.value, "updated_at": utc(now)},
        remove=["due", "due_at"],
        expect={"state": MailState.PENDING.value},
    )


def _let_go(mail: Mail, now: datetime) -> Write:
    return update(
        mails_pk(mail.event),
        mail.id,
        assign={"state": MailState.PENDING.value, "updated_at": utc(now), "due": DUE, "due_at": utc(now)},
        expect={"state": MailState.HELD.value},
    )


def _move(table: Table, writes: Sequence[Write]) -> int:
    """Make all of these writes, a hundred at a time; a mail that moved meanwhile is left alone."""
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


def newest_first(mails: Iterable[Mail], state: str) -> list[Mail]:
    """Mails in this state (`bounced` is one here), or all, the newest first."""
    return sorted(
        (mail for mail in mails if not state or (mail.bounced if state == "bounced" else mail.state.value == state)),
        key=lambda mail: mail.created_at,
        reverse=True,
    )


def as_shown(mails: Iterable[Mail]) -> Iterator[dict[str, Any]]:
    """Mail rows as programs read them; what a mail carries stays inside."""
    for mail in mails:
        yield mail.model_dump(mode="json", exclude={"event", "facts", "to", "language"})
