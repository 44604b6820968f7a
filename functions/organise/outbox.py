"""Mails as organisers see them: by state, held back and let go. How a mail is written: see `shared.mails`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from shared.acts import Act
from shared.events import audit
from shared.mails import due_part, mails_of
from shared.models import Event, Mail, MailState, utc
from shared.table import MOST_WRITES, STATE_SK, ConditionFailedError, Table, Write, event_pk, mails_pk, update

HELD_BACK = ("programme", "programme-changed")
"""Mail kinds that a hold stops. People wait for a confirmation or a sign-in link, so these always go."""


def hold(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Hold programme mails back, those to come and those not yet on their way; the number of mails stopped.

    The function is idempotent: calling it again finishes what a crash left undone.
    """
    _flag(table, event, Act.HOLD_MAIL, actor=actor, now=now)
    pending = [mail for mail in mails_of(table, event.id, "programme") if mail.state is MailState.PENDING]
    return _move(table, [_stop(mail, now) for mail in pending if mail.kind in HELD_BACK])


def release(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Release every held mail and hold no more; the number of mails released. The function is idempotent."""
    _flag(table, event, Act.RELEASE_MAIL, actor=actor, now=now)
    held = [mail for mail in mails_of(table, event.id, "programme") if mail.state is MailState.HELD]
    return _move(table, [_let_go(mail, now) for mail in held])


def _flag(table: Table, event: Event, act: Act, *, actor: str, now: datetime) -> None:
    held = act is Act.HOLD_MAIL
    table.write(update(event_pk(event.id), STATE_SK, assign={"mail_held": held}), audit(event.id, actor, act, now=now))
    act.counted()


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
        assign={"state": MailState.PENDING.value, "updated_at": utc(now), "due": due_part(mail.id), "due_at": utc(now)},
        expect={"state": MailState.HELD.value},
    )


def _move(table: Table, writes: Sequence[Write]) -> int:
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


def newest_first(mails: Iterable[Mail], state: str) -> list[Mail]:
    """Mails in this state (`bounced` counts as a state here), or all, the newest first."""
    return sorted(
        (mail for mail in mails if not state or (mail.bounced if state == "bounced" else mail.state.value == state)),
        key=lambda mail: mail.created_at,
        reverse=True,
    )


def mail_counts(mails: Iterable[tuple[MailState, bool]]) -> dict[str, int]:
    """How many mails stand in each state, and how many came back.

    Each mail is its state and whether it came back, as `shared.mails.mail_states` reads them.
    """
    counts: Counter[str] = Counter()
    for state, bounced in mails:
        counts[state.value] += 1
        counts["bounced"] += bounced
    return {name: counts[name] for name in [*(state.value for state in MailState), "bounced"]}


def as_shown(mails: Iterable[Mail]) -> Iterator[dict[str, Any]]:
    """Mail rows as programs read them; what a mail carries stays inside."""
    for mail in mails:
        yield mail.model_dump(mode="json", exclude={"event", "facts", "to", "language"})
