"""The road out without a cloud: the table's stream, the mail queue and SES as tests drive them, on moto."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from infra.cloud.event_rules import transformed
from shared.table import mails_pk
from tests.support.template import resources

CONTEXT: Any = SimpleNamespace(
    function_name="mail",
    memory_limit_in_mb=128,
    invoked_function_arn="arn",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 60_000,
)

Refusal = tuple[int, str] | tuple[int, str, str]
"""Status and code of an answer of SES that is not a MessageId, and its words."""

_serialize = TypeSerializer().serialize


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail as SES took it: whom for, under which tags, its bytes."""

    request: dict[str, Any]
    message_id: str
    at: float = 0.0

    @property
    def to(self) -> str:
        return str(self.request["Destination"]["ToAddresses"][0])

    @property
    def tags(self) -> dict[str, str]:
        return {tag["Name"]: tag["Value"] for tag in self.request["EmailTags"]}

    @property
    def raw(self) -> bytes:
        return base64.b64decode(self.request["Content"]["Raw"]["Data"])

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())

    @property
    def calendar(self) -> bytes | None:
        for part in self.message.walk():
            if part.get_content_type() == "text/calendar":
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                return content
        return None


class Body(BytesIO):
    """A response's body, as botocore reads it from the wire."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class FakeSes:
    """SES v2 behind botocore: what it took, and what it answers next. Real retry and error code runs above it."""

    rate: float | None = 1000.0
    sent: list[Sent] = field(default_factory=list)
    answers: list[Callable[[], Refusal | None]] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0
    asked: int = 0
    losing: int = 0

    @contextmanager
    def answering(self, client: Any) -> Iterator[FakeSes]:
        """Answer this client's calls as long as the block runs."""
        events = client.meta.events
        events.unregister("before-send", botocore_stubber)  # moto would answer too, and knows no GetAccount
        events.register_first("before-send.sesv2", self._answer)
        try:
            yield self
        finally:
            events.unregister("before-send.sesv2", self._answer)
            events.register("before-send", botocore_stubber)

    def next_answers(self, *answers: Refusal | Exception) -> None:
        """Queue what the coming SendEmail calls get instead of a MessageId: status, code and words, or a fault."""
        self.answers += [_raising(each) if isinstance(each, Exception) else _refusing(each) for each in answers]

    def lose_answer(self) -> None:
        """Take the next mail, and let the answer come too late."""
        self.losing += 1

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        if "account" in request.url and self.rate is None:
            return self._as(500, {"message": "no"}, {"x-amzn-errortype": "InternalFailure"})
        if "account" in request.url:
            return self._as(200, {"SendQuota": {"MaxSendRate": self.rate, "Max24HourSend": 1e6, "SentLast24Hours": 0}})
        self.asked += 1
        refusal = self.answers.pop(0)() if self.answers else None
        if refusal is not None:
            status, code, *words = refusal
            return self._as(status, {"message": words[0] if words else "no"}, {"x-amzn-errortype": code})
        body = json.loads(request.body)
        taken = Sent(body, f"message-{len(self.sent) + 1}", self.clock())
        self.sent.append(taken)
        if self.losing:
            self.losing -= 1
            raise ReadTimeoutError(endpoint_url=request.url)
        return self._as(200, {"MessageId": taken.message_id})

    @staticmethod
    def _as(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> AWSResponse:
        return AWSResponse(
            "https://email.example.org", status, HTTPHeaders.from_dict(headers or {}), Body(json.dumps(body).encode())
        )


def _refusing(refusal: Refusal) -> Callable[[], Refusal | None]:
    return lambda: refusal


def _raising(error: Exception) -> Callable[[], Refusal | None]:
    def answer() -> Refusal | None:
        raise error

    return answer


def queue_record(body: str, number: int = 1) -> dict[str, Any]:
    """A message as the queue hands it to the function."""
    return {
        "messageId": f"id-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:mail",
        "awsRegion": "eu-central-1",
    }


def queue_event(*bodies: str) -> dict[str, Any]:
    """A batch of messages."""
    return {"Records": [queue_record(body, number) for number, body in enumerate(bodies, 1)]}


def naming(event: str, *mails: str) -> list[str]:
    """The messages that name these mails."""
    return [json.dumps({"event": event, "id": mail}) for mail in mails]


def stream_event(*items: dict[str, Any], name: str = "INSERT") -> dict[str, Any]:
    """A batch of the table's stream: these items as they are now."""
    return {
        "Records": [
            {
                "eventID": str(number),
                "eventName": name,
                "eventSource": "aws:dynamodb",
                "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/parcours/stream/x",
                "dynamodb": {
                    "SequenceNumber": str(number),
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                    "Keys": {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
                    "NewImage": {key: _serialize(value) for key, value in item.items()},
                },
            }
            for number, item in enumerate(items, 1)
        ]
    }


def ses_event(kind: str, sent: Sent, **details: Any) -> dict[str, Any]:
    """What EventBridge delivers of a mail; its kind is `Send`, `Delivery`, `Bounce`, `Complaint` or `Reject`."""
    return delivered(whole_ses_event(kind, sent, **details))


def delivered(event: dict[str, Any]) -> dict[str, Any]:
    """What the rule of the template makes of an event of SES."""
    (target,) = resources()["MailEventRule"]["Properties"]["Targets"]
    return dict(json.loads(transformed(target["InputTransformer"], event)))


def whole_ses_event(kind: str, sent: Sent, **details: Any) -> dict[str, Any]:
    """An event as SES tells the bus: it has the address and, where a mail came back, what was answered to it."""
    names = {"Send": "Email Sent", "Delivery": "Email Delivered", "Bounce": "Email Bounced"}
    tags = {**sent.tags, "ses:configuration-set": "parcours", "ses:source-ip": "192.0.2.1"}
    return {
        "version": "0",
        "id": "an-event",
        "detail-type": names.get(kind, f"Email {kind}"),
        "source": "aws.ses",
        "detail": {
            "eventType": kind,
            "mail": {
                "messageId": sent.message_id,
                "destination": [sent.to],
                "commonHeaders": {"to": [sent.to]},
                "tags": {name: [value] for name, value in tags.items()},
            },
            kind.lower(): {"bouncedRecipients": [{"emailAddress": sent.to}], **details},
        },
    }


def rows(event: str) -> dict[str, dict[str, Any]]:
    """Every mail row as moto stores it, by id; asked of DynamoDB it would take fifty times longer."""
    stored = stored_table().items.get(DynamoType({"S": mails_pk(event)}), {})
    found = [{name: _plain(value) for name, value in row.attrs.items()} for row in stored.values()]
    return {row["sk"]: row for row in sorted(found, key=itemgetter("sk"))}


def _plain(value: Any) -> Any:
    """A value as moto keeps it, as plain Python."""
    match value.type:
        case "N":
            return int(value.value)
        case "M":
            return {name: _plain(one) for name, one in value.value.items()}
        case "L":
            return [_plain(one) for one in value.value]
    return value.value


def stored_table() -> Any:
    """The one table inside moto."""
    (backend,) = (regions["eu-central-1"] for regions in dynamodb_backends.values())
    return backend.tables["parcours"]


def personal_rows() -> str:
    """Everything the table holds, as one text, to look for what should be gone."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName="parcours")
    return json.dumps([item for page in pages for item in page["Items"]], default=str)


@dataclass
class Clock:
    """A clock that tests move, and that sleeping moves."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
