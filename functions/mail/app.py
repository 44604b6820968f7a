"""Mail queue → SES: claim → compose → send once → mark.

A message names a mail; the row says whether it still has to go out, and the row alone. What SES refused waits with the
reason and comes again, also while SES is not ready: an address that is not verified yet, a paused account, a used-up
quota. What it rejected has failed; where it gave no answer the mail stays `sending`, until SES's own event or the
window in `shared.mails` settles it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)
from pydantic import ValidationError

from functions.mail.pace import Pacer
from shared import settings
from shared.letters.compose import BadAddressError, Letter, NothingToTellError, compose
from shared.mails import SesWait, claim, give_up, mail_tag, mark_sent, put_back, read_mail, request_tag
from shared.models import Mail, MailState, Model
from shared.observability import fault, follow, logger, metrics
from shared.table import Table
from shared.tokens import Keys

LONGEST_WAIT = timedelta(minutes=15)
"""SES is asked again after 2, 4, 8 … seconds, and at the latest after this long."""

NEEDED_SECONDS = 12.0
"""What one mail may take: SES's seven seconds, and the table's. With less left, the next mail is not begun."""

REJECTED = {"MessageRejected", "BadRequestException"}
"""SES's answers that no later attempt will change, unless the words say that an address is not verified."""

NOT_READY = {
    "MailFromDomainNotVerifiedException": SesWait.NOT_VERIFIED,
    "AccountSuspendedException": SesWait.PAUSED,
    "SendingPausedException": SesWait.PAUSED,
    "LimitExceededException": SesWait.DAILY_QUOTA,
}
"""SES's answers that say what the account lacks. Source: errors of SendEmail in the SES API v2 reference."""

QUOTA_WAIT = timedelta(hours=1)
"""A mail beyond the quota of 24 hours waits so long: the quota counts a sliding day."""

NEVER_LEFT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ParamValidationError)
"""Faults after which SES cannot have seen the mail."""

_config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
# One attempt: boto3 would repeat a POST that SES answers late, and the same mail would go out three times.
ses = boto3.client("sesv2", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))
pacer = Pacer(table, ses)
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class MailRequested(Model):
    """A message of the mail queue."""

    event: str
    id: str


class UnreadableMessageError(Exception):
    """A message that names no mail. What it says stays out of the log."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> Any:
    """Send one batch; what failed is named and comes again."""
    return process_partial_response(payload, deliver, processor, context)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def deliver(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Send the mail that one message names; a fault fails this message and no other."""
    try:
        wanted = MailRequested.model_validate_json(record.body)
    except ValidationError:
        logger.error("message names no mail", extra={"message": record.message_id})
        raise UnreadableMessageError from None
    try:
        send_once(wanted, patience=lambda_context.get_remaining_time_in_millis() / 1000 - NEEDED_SECONDS)
    except Exception as error:
        logger.error("not sent", extra={"event_id": wanted.event, "mail": wanted.id, **fault(error)})
        raise


def send_once(wanted: MailRequested, *, patience: float) -> None:
    """Send a mail unless it is sent, on its way, or pointless by now. Raises OutOfTimeError when its turn is far."""
    follow("")
    mail = read_mail(table, wanted.event, wanted.id)
    follow(mail.request if mail else "")
    if mail is None or mail.state is not MailState.PENDING:
        return
    try:
        letter = compose(table, keys, mail, now=clock())
    except NothingToTellError as error:
        _close(mail, MailState.CANCELLED, str(error))
        return
    except BadAddressError:
        _close(mail, MailState.FAILED, "bad address")
        return
    pacer.wait(patience)
    claimed = claim(table, mail, now=clock(), to=letter.to)
    if claimed is not None:
        _send(claimed, letter)


def _send(mail: Mail, letter: Letter) -> None:
    """Hand a claimed mail to SES, once, and write down what it said."""
    tags = {"event": mail.event, "mail": mail_tag(mail.id), "kind": mail.kind, "attempt": str(mail.attempt)}
    tags |= {"request": request_tag(mail.request)} if request_tag(mail.request) else {}
    try:
        answer = ses.send_email(
            FromEmailAddress=letter.sender,
            Destination={"ToAddresses": [letter.to]},
            Content={"Raw": {"Data": letter.raw}},
            EmailTags=[{"Name": name, "Value": value} for name, value in tags.items()],
            ConfigurationSetName=settings.required("CONFIGURATION_SET"),
        )
    except ClientError as error:
        _told_no(mail, error)
    except NEVER_LEFT as error:
        _wait(mail, type(error).__name__)
    except BotoCoreError as error:
        _unknown(mail, type(error).__name__)
    else:
        mark_sent(table, mail, answer["MessageId"], now=clock())
        metrics.add_metric("MailsSent", MetricUnit.Count, 1)
        logger.info("sent", extra=_about(mail))


def _told_no(mail: Mail, error: ClientError) -> None:
    """Tell apart what will never be taken, what was not taken now, and what is not known."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    lacking = _lacking(error)
    if lacking:
        _wait(mail, lacking.value, QUOTA_WAIT if lacking is SesWait.DAILY_QUOTA else None)
    elif code in REJECTED:
        _close(mail, MailState.FAILED, code)
    elif 400 <= status < 500 and status != 408:
        if status == 429:
            pacer.rest()
        _wait(mail, code)
    else:
        _unknown(mail, code)


def _lacking(error: ClientError) -> SesWait | None:
    """What the account lacks until SES takes the mail; None when the answer is about the mail itself, or the moment.

    In its sandbox SES answers MessageRejected for a recipient, as for a sender, that is not verified, and tells a quota
    of 24 hours that is used up from a rate that is exceeded by the words alone.
    """
    code, words = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    if code == "MessageRejected" and "not verified" in words:
        return SesWait.NOT_VERIFIED
    if "daily" in words and "quota" in words:
        return SesWait.DAILY_QUOTA
    return NOT_READY.get(code)


def _wait(mail: Mail, why: str, wait: timedelta | None = None) -> None:
    """Not taken: the row is pending again with the reason, and the relay queues it for when its wait is over."""
    now = clock()
    wait = wait or min(timedelta(seconds=2 ** min(mail.attempt, 20)), LONGEST_WAIT)
    put_back(table, mail, why, now=now, due_at=now + wait)
    metrics.add_metric("MailsRefused", MetricUnit.Count, 1)
    logger.warning("refused for now", extra={**_about(mail), "why": why})


def _unknown(mail: Mail, why: str) -> None:
    metrics.add_metric("MailsUnanswered", MetricUnit.Count, 1)
    logger.warning("no answer from SES", extra={**_about(mail), "why": why})


def _close(mail: Mail, state: MailState, why: str) -> None:
    give_up(table, mail, state, why, now=clock())
    name = "MailsFailed" if state is MailState.FAILED else "MailsCancelled"
    metrics.add_metric(name, MetricUnit.Count, 1)
    logger.info(state.value, extra={**_about(mail), "why": why})


def _about(mail: Mail) -> dict[str, Any]:
    return {"event_id": mail.event, "mail": mail.id, "attempt": mail.attempt}
