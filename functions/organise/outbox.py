"""Mails as organisers see them: by state, held back and let go. How a mail is written: see `shared.mails`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.acts import Act
from shared.errors import ConflictError
from shared.events import audit
from shared.i18n import Told, told, told_many
from shared.mails import HELD_BACK, MailStatus, SesWait, can_be_held, can_go_again, let_go, mails_of, move
from shared.models import Event, Mail, MailState, utc
from shared.table import (
    LIMIT_PK,
    MAIL_RATE_SK,
    STATE_SK,
    Table,
    Write,
    event_pk,
    mails_pk,
    update,
)

LACKING: Mapping[SesWait, Told] = {
    SesWait.NOT_VERIFIED: told(
        "Amazon SES has not verified the sender yet, or its sandbox takes verified recipients only. "
        "Ask the operator to verify the sender and to ask for production access; the mails then leave by themselves"
    ),
    SesWait.PAUSED: told(
        "Amazon has paused sending for this account. Ask the operator to look at the SES console; the "
        "mails leave by themselves once sending is allowed again"
    ),
    SesWait.DAILY_QUOTA: told(
        "the mails that Amazon SES allows in 24 hours are used up. They leave by themselves as the "
        "quota comes free; the operator can ask for a higher one"
    ),
}
"""What is said of mails that wait for SES."""


def hold(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Hold mails of the kinds `HELD_BACK`, those to come and those not yet on their way; the number of mails stopped.

    The function is idempotent: calling it again finishes what a crash left undone.
    """
    _flag(table, event, Act.HOLD_MAIL, actor=actor, now=now)
    return move(table, [_stop(mail, now) for mail in _can_be_held(table, event, MailState.PENDING)])


def release(table: Table, event: Event, *, actor: str, now: datetime) -> int:
    """Release every held mail and hold no more; the number of mails released. The function is idempotent."""
    _flag(table, event, Act.RELEASE_MAIL, actor=actor, now=now)
    return move(table, [let_go(mail, now) for mail in _can_be_held(table, event, MailState.HELD)])


def _can_be_held(table: Table, event: Event, state: MailState) -> list[Mail]:
    """The mails in a state whose kind a hold stops."""
    mails = (mail for kind in HELD_BACK for mail in mails_of(table, event.id, f"{kind}#"))
    return [mail for mail in mails if mail.state is state and can_be_held(mail)]


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


def newest_first(mails: Iterable[Mail], state: str) -> list[Mail]:
    """Mails in this state (`bounced` counts as a state here), or all, the newest first."""
    return sorted(
        (mail for mail in mails if not state or (mail.bounced if state == "bounced" else mail.state.value == state)),
        key=lambda mail: mail.created_at,
        reverse=True,
    )


def mail_counts(mails: Iterable[MailStatus]) -> dict[str, int]:
    """How many mails stand in each state, and how many came back."""
    counts: Counter[str] = Counter()
    for mail in mails:
        counts[mail.state.value] += 1
        counts["bounced"] += mail.bounced
    return {name: counts[name] for name in [*(state.value for state in MailState), "bounced"]}


def waiting_for_ses(mails: Iterable[MailStatus]) -> dict[SesWait, int]:
    """How many mails wait for each thing that the account of SES lacks."""
    pending = Counter(mail.error for mail in mails if mail.state is MailState.PENDING)
    return {wait: pending[wait.value] for wait in SesWait if pending[wait.value]}


def last_out(table: Table, pending: int, now: datetime) -> datetime | None:
    """When the last of the pending mails will be out, at the rate and the daily quota that SES allows.

    Beyond what is left of the quota each further quota takes a day. None without a mail, or without a known rate.
    """
    found = table.get(LIMIT_PK, MAIL_RATE_SK)
    if not pending or found is None or "gap" not in found:
        return None
    begins = max(now, datetime.fromtimestamp(int(found["next"]) / 1000, tz=UTC))
    daily, left = int(found.get("daily", 0)), int(found.get("left", 0))
    days = -(-max(0, pending - left) // daily) if daily else 0
    return begins + timedelta(milliseconds=int(found["gap"]) * pending) + timedelta(days=days)


def failed_mails(table: Table, event: Event) -> list[Mail]:
    """The failed mails that can be sent again, of the people of an event."""
    return [mail for mail in mails_of(table, event.id) if mail.state is MailState.FAILED and can_go_again(mail)]


def send_again(table: Table, event: Event, expected: str | int, *, actor: str, now: datetime) -> int:
    """Let every failed mail be tried again; the number of mails.

    Parameters
    ----------
    expected
        The number that the organiser confirmed.

    Raises ConflictError when another number has failed by now.
    """
    failed = failed_mails(table, event)
    if str(expected) != str(len(failed)):
        raise ConflictError(
            told_many(
                "%(num)s mail can be sent again by now. Look at the number once more.",
                "%(num)s mails can be sent again by now. Look at the number once more.",
                len(failed),
            )
        )
    if not failed:
        return 0
    table.write(audit(event.id, actor, Act.SEND_FAILED_AGAIN, now=now))
    Act.SEND_FAILED_AGAIN.counted()
    return move(table, [let_go(mail, now) for mail in failed])


def as_shown(mails: Iterable[Mail]) -> Iterator[dict[str, Any]]:
    """Mail rows as programs read them; what a mail carries stays inside."""
    for mail in mails:
        yield mail.model_dump(mode="json", exclude={"event", "facts", "to", "language"})
