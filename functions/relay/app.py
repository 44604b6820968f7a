"""Table stream → mail queue: every mail row that is new, or pending again, becomes one message with its id.

A record that cannot be passed on is retried alone with those behind it; what arrives twice is told apart later, when
the mail is claimed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from shared import settings
from shared.models import MailState, moment
from shared.observability import fault, follow, logger

LONGEST_DELAY = timedelta(minutes=15)
"""SQS delays a message no longer."""

queue = boto3.client("sqs", config=Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"}))
processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
def handler(payload: dict[str, Any], context: LambdaContext) -> Any:
    """Pass on one batch of the stream; what failed is named and comes again."""
    return process_partial_response(payload, pass_on, processor, context)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def pass_on(record: DynamoDBRecord) -> None:
    """Pass on one record; a fault fails this record and is told, for the batch goes on without a word."""
    try:
        _queue(record)
    except Exception as error:
        logger.error("not queued", extra={"record": record.event_id, **fault(error)})
        raise


def _queue(record: DynamoDBRecord) -> None:
    """Queue the mail of one record, to arrive when it is due."""
    row = (record.dynamodb and record.dynamodb.new_image) or {}
    if row.get("type") != "mail" or row.get("state") != MailState.PENDING:
        return
    follow(row.get("request", ""))
    body = json.dumps({"event": row["event"], "id": row["id"]})
    queue.send_message(
        QueueUrl=settings.required("MAIL_QUEUE_URL"), MessageBody=body, DelaySeconds=_delay(row.get("due_at", ""))
    )
    logger.info("queued", extra={"event_id": row["event"], "mail": row["id"]})


def _delay(due_at: str) -> int:
    """Seconds until a mail that SES refused may be tried again; none for all others."""
    wait = moment(due_at) - clock() if due_at else timedelta(0)
    return max(0, int(min(wait, LONGEST_DELAY).total_seconds()))
