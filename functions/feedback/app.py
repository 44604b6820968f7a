"""SES events → mail rows: settles what SES answered late or not at all, and notes mail that comes back.

An event carries the mail's id as a tag. Whatever SES did with a mail, it first took it: so every kind of event but
those in `NOT_SENT` settles a row that is still `sending`. Events come late, twice and in any order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, Field, ValidationError

from shared import settings
from shared.errors import StaleError
from shared.mails import UNSETTLED, give_up, mark_bounced, mark_sent, read_mail, tagged_mail
from shared.models import Mail, MailState
from shared.observability import count_under, logger, metrics
from shared.registrations import mark_bounced as mark_person_bounced
from shared.registrations import read_registration, withdraw
from shared.table import Table
from shared.text import address_key

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


class Bounce(BaseModel):
    """What SES says of a mail that came back."""

    type: str = Field(default="", alias="bounceType")
    subtype: str = Field(default="", alias="bounceSubType")


class SesMail(BaseModel):
    """The mail an event is about."""

    message_id: str = Field(alias="messageId")
    destination: list[str] = []
    tags: dict[str, list[str]] = {}


class SesEvent(BaseModel):
    """The part of an SES event that matters here; SES adds fields as it likes."""

    kind: str = Field(alias="eventType")
    mail: SesMail
    bounce: Bounce = Bounce()


class UnreadableEventError(Exception):
    """What EventBridge delivered is no event of SES. Its words, an address perhaps, stay out of the log."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001
    """Write down one event."""
    try:
        event = SesEvent.model_validate(payload.get("detail"))
    except ValidationError:
        raise UnreadableEventError from None
    settle(event)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def settle(event: SesEvent) -> None:
    """Bring the mail row, and the registration if mail does not reach it, in line with what SES says."""
    mail = _tagged(event)
    if mail is None:
        return  # erased since, or not a mail of ours
    about = {"event_id": mail.event, "mail": mail.id, "kind": event.kind}
    if event.kind in NOT_SENT:
        if mail.message_id not in {"", event.mail.message_id}:
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
        logger.warning("bounced", extra={**about, "type": event.bounce.type, "subtype": event.bounce.subtype})


def _tagged(event: SesEvent) -> Mail | None:
    names, ids = event.mail.tags.get("event"), event.mail.tags.get("mail")
    return read_mail(table, names[0], tagged_mail(ids[0])) if names and ids else None


def _settle_sent(mail: Mail, event: SesEvent) -> None:
    """SES took it: a row that does not know yet learns it; another message than the row's was sent twice.

    Any kind of event shows that: the bus may lose the event `Send` of a message and bring its `Delivery`.
    """
    if mail.state in UNSETTLED:
        if mark_sent(table, mail, event.mail.message_id, now=clock()):
            metrics.add_metric("MailsSettled", MetricUnit.Count, 1)
    elif mail.message_id not in {"", event.mail.message_id}:
        metrics.add_metric("MailsSentTwice", MetricUnit.Count, 1)
        logger.error("sent twice", extra={"event_id": mail.event, "mail": mail.id})


def _bounce(mail: Mail, event: SesEvent) -> None:
    """Note that an address cannot be reached; one that nobody ever confirmed gives its place back at once."""
    kind = event.bounce
    mark_bounced(table, mail, f"bounce: {kind.type} {kind.subtype}".strip(), now=clock())
    metrics.add_metric("MailsBounced", MetricUnit.Count, 1)
    if kind.type == "Transient" and kind.subtype in PASSING:
        return
    for attempt in range(TRIES):
        person = read_registration(table, mail.event, mail.registration) if mail.registration else None
        # The address may have been corrected since: then the bounce is old news.
        if person is None or address_key(person.email) not in map(address_key, event.mail.destination):
            return
        try:
            if kind.type == "Permanent" and person.awaits_confirmation:
                withdraw(table, person, now=clock(), mail=None, note={"bounced": True})
                metrics.add_metric("PlacesFreedByBounces", MetricUnit.Count, 1)
            else:
                mark_person_bounced(table, person, now=clock())
        except StaleError:
            if attempt + 1 == TRIES:
                raise
        else:
            return
