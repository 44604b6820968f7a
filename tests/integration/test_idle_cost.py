"""P15: what a stack costs while nobody does anything, from what the template creates, at eu-central-1's list prices."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.lint import plain, resolved, translated

pytestmark = pytest.mark.promise("P15")

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

MINUTES = 60 * 24 * 30
ALARM, METRIC, SECRET = 0.10, 0.30, 0.40
"""US dollars a month each."""

FREE_ALARMS, FREE_METRICS = 10, 10
"""What CloudWatch gives to every account, always. No other free allowance is counted."""

INVOCATION, GIGABYTE_SECOND = 0.20e-6, 13.3334e-6
SCHEDULED = 1.00e-6
QUEUE_REQUEST = 0.40e-6
LOG_GIGABYTE = 0.63

IDLE_SECONDS = 0.06
"""A warm look at what is due, generously; the first after a cold start takes longer, once in hours."""

POLLERS, POLL_SECONDS = 5, 20
"""Lambda polls a queue with five connections, each of which waits 20 seconds for a message."""

LOGGED = 900
"""Bytes that an invocation writes when nothing is due: start, end, report, and the metric of the heartbeat."""


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """What CloudFormation creates by default."""
    return resolved(translated(plain()))


def idle_month(stack: dict[str, Any]) -> dict[str, float]:
    """US dollars a month by what they are for."""
    kinds = Counter(part["Type"] for part in stack["Resources"].values())
    scheduled = [part for part in stack["Resources"].values() if part["Type"] == "AWS::Scheduler::Schedule"]
    assert all(part["Properties"]["ScheduleExpression"] == "rate(1 minute)" for part in scheduled)
    gigabytes = sum(
        stack["Resources"][part["Properties"]["Target"]["Arn"]["Fn::GetAtt"][0]]["Properties"]["MemorySize"] / 1024
        for part in scheduled
    )
    queues = [
        part
        for part in stack["Resources"].values()
        if part["Type"] == "AWS::Lambda::EventSourceMapping" and "ScalingConfig" in part["Properties"]
    ]
    calls = MINUTES * len(scheduled)
    return {
        "alarms": ALARM * kinds["AWS::CloudWatch::Alarm"],
        "metric": METRIC,
        "secret": SECRET * kinds["AWS::SecretsManager::Secret"],
        "queue": QUEUE_REQUEST * len(queues) * POLLERS * MINUTES * 60 / POLL_SECONDS,
        "functions": calls * (INVOCATION + SCHEDULED) + MINUTES * IDLE_SECONDS * gigabytes * GIGABYTE_SECOND,
        "logs": calls * LOGGED / 1e9 * LOG_GIGABYTE,
    }


def test_an_idle_month_costs_what_the_readme_says(stack: dict[str, Any]) -> None:
    """With the ten alarms and ten metrics that every account has for nothing, and without."""
    parts = idle_month(stack)
    alarms = round(parts["alarms"] / ALARM)
    free = parts["alarms"] - ALARM * max(0, alarms - FREE_ALARMS) + parts["metric"]
    listed = sum(parts.values())

    said = re.search(r"idle stack costs ([\d.]+) USD a month.*?([\d.]+) USD", README, re.DOTALL)
    assert said is not None, parts
    assert (f"{listed - free:.1f}", f"{listed:.1f}") == (said[1], said[2]), parts
    assert listed - free <= 1.5


def test_nothing_else_that_is_paid_by_the_month_is_created(stack: dict[str, Any]) -> None:
    """A kind of resource that this reckoning does not know is either free while idle, or missing above."""
    free_while_idle = {
        *("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Route"),
        *("AWS::ApiGatewayV2::Integration", "AWS::Lambda::Function", "AWS::Lambda::Permission"),
        *("AWS::Lambda::LayerVersion", "AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role", "AWS::Logs::LogGroup"),
        *("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::SNS::Topic"),
        *("AWS::SES::EmailIdentity", "AWS::SES::ConfigurationSet", "AWS::SES::ConfigurationSetEventDestination"),
        *("AWS::Events::Rule",),
    }
    counted = {
        *("AWS::CloudWatch::Alarm", "AWS::SecretsManager::Secret"),
        *("AWS::Scheduler::Schedule", "AWS::Lambda::EventSourceMapping"),
    }

    assert {part["Type"] for part in stack["Resources"].values()} - free_while_idle - counted == set()
    assert stack["Resources"]["Table"]["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "SSESpecification" not in stack["Resources"]["Table"]["Properties"]
