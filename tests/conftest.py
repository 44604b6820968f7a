"""What every test may use: AWS in this process, the table, the signing keys, an event."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Generator, Iterable, Iterator
from functools import cache
from typing import Any

# Before any import of boto3 or a handler: no test may reach a real account, and moto must be there first.
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="eu-central-1",
    TABLE_NAME="parcours",
    PUBLIC_URL="https://parcours.example.org",
    SENDER="Parcours <parcours@example.org>",
    CONFIGURATION_SET="parcours",
    SECRET_ARN="parcours-signing-key",
    ALLOCATE_FUNCTION="parcours-allocate",
    MAIL_QUEUE_URL="https://sqs.eu-central-1.amazonaws.com/123456789012/mail",
    POWERTOOLS_SERVICE_NAME="test",
    POWERTOOLS_METRICS_NAMESPACE="Parcours",
    POWERTOOLS_TRACE_DISABLED="true",
    LC_ALL="C.UTF-8",  # the command line speaks English
)
for leftover in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
    os.environ.pop(leftover, None)

import boto3
import moto
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from shared.events import put_event
from shared.models import Event
from shared.observability import follow
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_event
from tests.support.permissions import JUDGE, enforce_policies
from tests.support.quick_moto import make_moto_quick

make_moto_quick()
enforce_policies()


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One worker more than processors: the one that keeps the stack waits for its schedule most of the time."""
    return (yield) + 1


# Hypothesis measures seconds unless told otherwise: 200 ms for an example, and how long it takes to make one.
settings.register_profile("any-machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@cache
def client(service: str) -> Any:
    """A client that tests share, as making one takes longer than its calls; no test has it do anything else."""
    return boto3.client(service)


def create_table() -> None:
    """The table as the template describes it."""
    client("dynamodb").create_table(
        TableName="parcours",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "due", "due_at")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture
def aws() -> Iterator[None]:
    """An AWS account in this process, empty but for the table and the signing key."""
    # The session stays, and with it the models of the services, which take longer to read than most tests run.
    with moto.mock_aws(config={"core": {"reset_boto3_session": False}}):
        create_table()
        client("secretsmanager").create_secret(Name="parcours-signing-key", SecretString="key-one-" * 8)
        yield


@pytest.fixture
def table(aws: None) -> Table:
    """The table, empty."""
    return Table(boto3.client("dynamodb"), "parcours")


@pytest.fixture
def keys(aws: None) -> Keys:
    """The signing keys."""
    return Keys(client("secretsmanager"), "parcours-signing-key")


@pytest.fixture
def event(table: Table) -> Event:
    """An event whose registration is open at `factories.NOW`, in the table."""
    event = make_event()
    put_event(table, event, actor="test", now=NOW)
    return event


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window: one a session, as Playwright allows no second."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def every_call_is_permitted() -> Iterator[None]:
    """P13: no function asked the table for what its policy does not allow, even if it caught the refusal."""
    JUDGE.refused.clear()
    yield
    assert JUDGE.refused == []


@pytest.fixture(autouse=True)
def no_request_is_followed() -> None:
    """What a test writes by itself is not done for the request of the test before."""
    follow("")


PERSONAL = re.compile(r"[Pp]erson ?\d+|@example\.org|\.[A-Za-z0-9_-]{43}\b")
"""What must stand in no log line: the people `factories` makes, an address, a signed link."""


@pytest.fixture(autouse=True)
def no_personal_data_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """P11: every log line of every test is read; one that names a person fails the test that wrote it."""
    yield
    ours = [record for record in caplog.get_records("call") if record.name in {"test", "root"}]
    assert personal_lines(ours) == []


def personal_lines(records: Iterable[logging.LogRecord]) -> list[str]:
    """The log lines that name a person, in their message, in a field or in a traceback."""
    lines = [f"{record.getMessage()} {vars(record)} {record.exc_text or ''}" for record in records]
    return [line for line in lines if PERSONAL.search(line)]
