"""SES events → mail rows: settles what SES answered late or not at all, and notes mail that comes back.

The rule in infra/template.yaml passes on ids alone, so that no parked event holds an address: SES's name of the message
and, from its tags, ours of the mail. Whatever SES did with a mail, it first took it: so every kind of event but those
in `NOT_SENT` settles a row that is still `sending`. Events come late, twice and in any order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, Field, ValidationError

from shared import settings
from shared.errors import StaleError
from shared.mails import UNSETTLED, give_up, mark_bounced, mark_sent, read_mail, tagged_mail
from shared.models import Mail, MailState, Registration
from shared.observability import count_under, follow, logger, metrics
from shared.registrations import mark_bounced as mark_person_bounced
from shared.registrations import read_registration, withdraw
from shared.table import Table, recipient_digest

PASSING = {"General", ""}
"""Subtypes of a transient bounce that say nothing of the address: mostly absence notes."""

NOT_SENT = {"Reject", "Rendering Failure"}
"""Kinds of event that say SES took the mail and sent it to nobody."""

TRIES = 5
"""How often a registration that changes at the same moment is read again."""

table = Table(
    boto3.client("dynamodb", config=Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})),
    settings.table_name(),
)


class SesEvent(BaseModel):
    """An event of SES as the rule passes it on.

    `message` is SES's id of the message; `event`, `mail`, `attempt` and `request` are the tags that the mail was sent
    with; a mail that came back has the `type` and `subtype` of its bounce.
    """

    kind: Annotated[str, Field(min_length=1)]
    message: Annotated[str, Field(min_length=1)]
    event: str
    mail: str
    attempt: str = ""
    request: str = ""
    type: str = ""
    subtype: str = ""


class UnreadableEventError(Exception):
    """What EventBridge delivered is no event of SES. Its words stay out of the log."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001
    """Write down one event."""
    try:
        event = SesEvent.model_validate(payload)
    except ValidationError:
        raise UnreadableEventError from None
    follow(event.request)
    settle(event)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def settle(event: SesEvent) -> None:
    """Bring the mail row, and the registration if mail does not reach it, in line with what SES says."""
    mail = _tagged(event)
    if mail is None:
        return  # erased since, or not a mail of ours
    follow(mail.request)
    about = {"event_id": mail.event, "mail": mail.id, "kind": event.kind}
    if event.kind in NOT_SENT:
        if mail.message_id not in {"", event.message}:
            return  # a second attempt, which went to nobody
        give_up(table, mail, MailState.FAILED, "rejected", now=clock())
        count_under("mail", "MailsFailed")
        logger.error("rejected by SES", extra=about)
        return
    _settle_sent(mail, event)
    if event.kind == "Complaint":
        mark_bounced(table, mail, "complaint", now=clock())
        metrics.add_metric("MailsComplained", MetricUnit.Count, 1)
        logger.warning("complaint", extra=about)
    if event.kind == "Bounce":
        _bounce(mail, event)
        logger.warning("bounced", extra={**about, "type": event.type, "subtype": event.subtype})


def _tagged(event: SesEvent) -> Mail | None:
    return read_mail(table, event.event, tagged_mail(event.mail)) if event.event and event.mail else None


def _settle_sent(mail: Mail, event: SesEvent) -> None:
    """SES took it: a row that does not know yet learns it; another message than the row's was sent twice.

    Any kind of event shows that: the bus may lose the event `Send` of a message and bring its `Delivery`.
    """
    if mail.state in UNSETTLED:
        if mark_sent(table, mail, event.message, now=clock()):
            metrics.add_metric("MailsSettled", MetricUnit.Count, 1)
    elif mail.message_id not in {"", event.message}:
        metrics.add_metric("MailsSentTwice", MetricUnit.Count, 1)
        logger.error("sent twice", extra={"event_id": mail.event, "mail": mail.id})


def _bounce(mail: Mail, event: SesEvent) -> None:
    """Note that an address cannot be reached; one that nobody ever confirmed gives its place back at once."""
    mark_bounced(table, mail, f"bounce: {event.type} {event.subtype}".strip(), now=clock())
    metrics.add_metric("MailsBounced", MetricUnit.Count, 1)
    if event.type == "Transient" and event.subtype in PASSING:
        return
    for attempt in range(TRIES):
        person = read_registration(table, mail.event, mail.registration) if mail.registration else None
        if person is None or not _went_to(person, mail, event):
            return
        try:
            if event.type == "Permanent" and person.awaits_confirmation:
                withdraw(table, person, now=clock(), mail=None, note={"bounced": True})
                metrics.add_metric("PlacesFreedByBounces", MetricUnit.Count, 1)
            else:
                mark_person_bounced(table, person, now=clock())
        except StaleError:
            if attempt + 1 == TRIES:
                raise
        else:
            return


def _went_to(person: Registration, mail: Mail, event: SesEvent) -> bool:
    """Whether the mail went to the address that the person has now; a row of before `sent_to` was kept cannot tell.

    The row knows the address of the last attempt. An earlier attempt that went out after all may have gone to another.
    """
    if not mail.sent_to:
        return True
    last = event.attempt in {"", str(mail.attempt)}
    return last and mail.sent_to == recipient_digest(person.id, person.email)
