"""Parcours on this machine: the embedded cloud, the mailbox in front of its SES, the stack, and clients for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.cloud import build
from infra.cloud.deploy import Stack, deploy, public_url
from infra.cloud.embedded import EmbeddedCloud, client
from infra.cloud.event_rules import transformed
from infra.demo.http_client import HttpClient
from infra.demo.mailbox import Mailbox
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, Mail, MailState
from shared.table import Table

ACTOR = "demo"


@dataclass(frozen=True, slots=True)
class LocalDeployment:
    """Parcours deployed on the embedded cloud, with a client for each part that the demo and the tests use."""

    cloud: EmbeddedCloud
    mailbox: Mailbox
    stack: Stack
    table: Table
    http: HttpClient

    def put(self, event: Event, text: str = "") -> None:
        """Store an event and the text of its file, as `parcours event put` does."""
        put_event(self.table, event, actor=ACTOR, now=datetime.now(UTC), text=text)

    def mails(self, event: str, kind: str = "") -> list[Mail]:
        """The mail rows of an event, of one kind or all."""
        return [mail for mail in mails_of(self.table, event) if kind in {"", mail.kind}]

    def unsent(self, event: str) -> list[Mail]:
        """The mail rows that are still to be sent."""
        return [mail for mail in self.mails(event) if mail.state in {MailState.PENDING, MailState.SENDING}]

    def wait_for(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so.

        The seconds count anew with every mail that leaves: thousands of mails take minutes at SES's rate.
        Raises TimeoutError naming what was waited for, or EmbeddedCloudError if the cloud stops.
        """
        mails, deadline, pause = len(self.mailbox.mails), time.monotonic() + seconds, 0.2
        while not done():
            self.cloud.check()
            if len(self.mailbox.mails) > mails:
                mails, deadline = len(self.mailbox.mails), time.monotonic() + seconds
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not after {seconds:.0f} s\n{self.cloud.log[-2000:]}")
            time.sleep(pause)
            pause = min(1.0, pause * 1.1)  # a look at thousands of rows is work for the cloud too


@contextmanager
def local_deployment(port: int = 0, parameters: Mapping[str, str] | None = None) -> Iterator[LocalDeployment]:
    """Start everything and deploy the template; stop everything at the end, however it comes."""
    cloud = EmbeddedCloud(port)
    mailbox = Mailbox(cloud.endpoint_url)
    cloud.environment["AWS_ENDPOINT_URL_SESV2"] = mailbox.url
    with mailbox.serving(), cloud:
        url = public_url(cloud.port)
        stack = deploy(cloud.endpoint_url, {**_local_parameters(url), **(parameters or {})})
        functions = client("lambda", cloud.endpoint_url)
        feedback, transformer = stack.outputs["FeedbackFunction"], _transformer(cloud.endpoint_url, stack)
        mailbox.tell = lambda event: functions.invoke(
            FunctionName=feedback, Payload=transformed(transformer, event).encode()
        )
        table = Table(client("dynamodb", cloud.endpoint_url), stack.table)
        try:
            yield LocalDeployment(cloud, mailbox, stack, table, HttpClient(url))
        finally:
            mailbox.close_events()


def _transformer(endpoint_url: str, stack: Stack) -> dict[str, Any]:
    """What the deployed rule passes on of an event of SES."""
    rules = client("events", endpoint_url)
    (target,) = rules.list_targets_by_rule(Rule=stack.outputs["MailEventRule"])["Targets"]
    return dict(target["InputTransformer"])


def _local_parameters(url: str) -> dict[str, str]:
    return {
        "Runtime": build.runtime(),
        "Architecture": build.architecture(),
        "PublicUrl": url,
        "SenderAddress": "parcours@example.org",
        "Embedded": "true",
    }


DEMO_PER_SOURCE_HOUR = 10_000
"""Forms an hour from one network address: everybody in a demo or a journey has the same one."""


def soon(event: Event, now: datetime) -> Event:
    """The same day two weeks from now, with registration open since an hour: hours of the day stay as they are."""
    local = now.astimezone(event.zone).replace(tzinfo=None, microsecond=0)
    closes = local + timedelta(days=7)
    return event.model_copy(
        update={
            "date": (local + timedelta(days=14)).date(),
            "registration": event.registration.model_copy(
                update={
                    "opens": local - timedelta(hours=1),
                    "closes": closes,
                    "per_source_hour": DEMO_PER_SOURCE_HOUR,
                }
            ),
            "allocation": event.allocation.model_copy(update={"at": closes}),
        }
    )


def closing(event: Event, now: datetime) -> Event:
    """The same event with registration closing this second, so that the schedule allocates within a minute."""
    local = now.astimezone(event.zone).replace(tzinfo=None, microsecond=0)
    return event.model_copy(
        update={
            "registration": event.registration.model_copy(update={"closes": local}),
            "allocation": event.allocation.model_copy(update={"at": local}),
        }
    )
