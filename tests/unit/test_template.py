"""The template holds what the rules ask, and each rule finds the defect it is there for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from infra.cloud.build import TEMPLATE
from infra.cloud.lint import plain, translated
from tests.unit.template_rules import RULES, faults

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template as written, as plain data."""
    return plain()


def at(resources: dict[str, Any], path: str) -> Any:
    """The part of the resources at `Table/Properties/…`; numbers are positions."""
    steps = path.split("/") if path else []
    return reduce(lambda part, step: part[int(step) if isinstance(part, list) else step], steps, resources)


def put(path: str, value: Any) -> Change:
    """A defect: something has another value."""
    parent, _, name = path.rpartition("/")

    def change(resources: dict[str, Any]) -> None:
        at(resources, parent)[int(name) if name.isdecimal() else name] = value

    return change


def cut(path: str) -> Change:
    """A defect: something is missing."""
    parent, _, name = path.rpartition("/")
    return lambda resources: at(resources, parent).pop(int(name) if name.isdecimal() else name)


STREAM = "RelayFunction/Properties/Events/PendingMail/Properties"
QUEUE = "MailFunction/Properties/Events/Queue/Properties"
RETRIES = "AllocateFunction/Properties/Events/EveryMinute/Properties/RetryPolicy/MaximumEventAgeInSeconds"
STATEMENT = "RegisterRole/Properties/Policies/0/PolicyDocument/Statement/1"

DEFECTS: list[tuple[Change, str]] = [
    (put("MailQueue/Properties/VisibilityTimeout", 359), "shorter than six function timeouts"),
    (cut("MailQueue/Properties/VisibilityTimeout"), "shorter than six function timeouts"),
    (put("MailFunction/Properties/Timeout", 61), "shorter than six function timeouts"),
    (cut(f"{QUEUE}/FunctionResponseTypes"), "one bad record fails its whole batch"),
    (cut(f"{STREAM}/FunctionResponseTypes"), "one bad record fails its whole batch"),
    (cut(f"{QUEUE}/ScalingConfig"), "no MaximumConcurrency"),
    (cut(f"{STREAM}/MaximumRetryAttempts"), "retries are unbounded"),
    (put(f"{STREAM}/MaximumRetryAttempts", -1), "retries are unbounded"),
    (cut(f"{STREAM}/MaximumRecordAgeInSeconds"), "the age of a record is unbounded"),
    (cut(f"{STREAM}/BisectBatchOnFunctionError"), "not bisected"),
    (cut(f"{STREAM}/DestinationConfig"), "goes nowhere"),
    (cut(f"{STREAM}/FilterCriteria"), "the filter is not"),
    (put(f"{STREAM}/FilterCriteria/Filters/0/Pattern", '{"eventName": ["INSERT"]}'), "the filter is not"),
    (cut("MailQueue/Properties/RedrivePolicy"), "no dead letter queue"),
    (put("MailQueue/Properties/RedrivePolicy/maxReceiveCount", 1), "no dead letter queue"),
    (cut("MailDeadLetters/Properties/MessageRetentionPeriod"), "do not outlive it"),
    (cut("MailDeadLetters/Properties/SqsManagedSseEnabled"), "MailDeadLetters: not encrypted"),
    (cut("Table/DeletionPolicy"), "deletes every registration"),
    (put("Table/DeletionPolicy", "Delete"), "deletes every registration"),
    (cut("Table/UpdateReplacePolicy"), "deletes every registration"),
    (cut("Table/Properties/PointInTimeRecoverySpecification"), "no point-in-time recovery"),
    (cut("Table/Properties/TimeToLiveSpecification"), "do not expire"),
    (put("Table/Properties/TimeToLiveSpecification/AttributeName", "expiry"), "do not expire"),
    (put("Table/Properties/StreamSpecification/StreamViewType", "NEW_IMAGE"), "both images"),
    (cut("Table/Properties/SSESpecification"), "key of the account"),
    (put("Table/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType", "KEYS_ONLY"), "the index `due`"),
    (put(f"{STATEMENT}/Action", "dynamodb:*"), "is a wildcard"),
    (put(f"{STATEMENT}/Resource", "*"), "names every resource"),
    (put(f"{STATEMENT}/Resource", {"Fn::Sub": "${Table.Arn}/*"}), "has a wildcard in a resource"),
    (put("MailRole/Properties/Policies/0/PolicyDocument/Statement/4/Resource", "*"), "Send names every resource"),
    (put("MailRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonSESFullAccess"]), "managed policy"),
    (put("RelayFunction/Properties/Role", {"Fn::GetAtt": ["MailRole", "Arn"]}), "shares its role"),
    (put(f"{STATEMENT}/Action", "lambda:InvokeFunction"), "may start a function"),
    (cut("FeedbackPermission/Properties/SourceArn"), "may call"),
    (cut("RegisterLog/Properties/RetentionInDays"), "kept for ever"),
    (cut("RegisterFunction/Properties/LoggingConfig"), "no log group of its own"),
    (put("ApiStage/Properties/AccessLogSettings/Format", "$context.requestId $context.path"), "log shows path"),
    (put("ApiStage/Properties/AccessLogSettings/Format", "$context.identity.sourceIp"), "log shows identity.sourceIp"),
    (cut("ApiStage/Properties/DefaultRouteSettings"), "no throttle"),
    (put("Api/Properties/CorsConfiguration", {"AllowOrigins": ["*"]}), "CORS lets other sites"),
    (put("OrganiseRoute/Properties/RouteKey", "ANY /organize"), "the routes are"),
    (put("RegisterRoute/Properties/Target", {"Fn::Sub": "integrations/${OrganiseIntegration}"}), "the routes are"),
    (put("RegisterIntegration/Properties/PayloadFormatVersion", "1.0"), "not payload format 2.0"),
    (put("RegisterFunction/Properties/Timeout", 15), "gives up before the function does"),
    (cut("AllocateFunction/Properties/EventInvokeConfig"), "that fails is lost"),
    (cut("MailEventRule/Properties/Targets/0/DeadLetterConfig"), "cannot be delivered is lost"),
    (cut("AllocateFunction/Properties/Events"), "every minute means"),
    (
        put("UpkeepFunction/Properties/Events/EveryMinute/Properties/ScheduleExpression", "rate(1 hour)"),
        "every minute means",
    ),
    (put(RETRIES, 86400), "made up for hours later"),
    (put("AllocateFunction/Properties/Timeout", 900), "its lease ends before its timeout"),
    (put("RelayFunction/Properties/Environment/Variables/COLOUR", "blue"), "COLOUR, which nothing reads"),
    (put("SigningKey/Properties/GenerateSecretString/PasswordLength", 8), "written down or short"),
    (put("SigningKey/Properties/SecretString", "swordfish"), "written down or short"),
    (
        put("MailEventDestination/Properties/EventDestination/MatchingEventTypes", ["DELIVERY"]),
        "['BOUNCE', 'COMPLAINT', 'REJECT', 'SEND'] are not told",
    ),
    (cut("MailEvents/Properties/DeliveryOptions"), "in the clear"),
    (put("MailEvents/Properties/TrackingOptions", {"CustomRedirectDomain": "example.org"}), "tracked"),
    (cut("ApiFailing"), "Api: nobody hears of its errors"),
    (cut("MailsGivenUp"), "MailDeadLetters: nobody hears of what is parked there"),
    (cut("CallsGivenUp"), "FailedInvocations: nobody hears of what is parked there"),
    (cut("RegisterErrors"), "RegisterFunction: nobody hears of its errors"),
    (cut("AllocateSilent"), "AllocateFunction: nobody hears of its silence"),
    (put("UpkeepSilent/Properties/TreatMissingData", "notBreaching"), "no data counts as good"),
    (put("MailLate/Properties/TreatMissingData", "missing"), "no data counts as good"),
    (cut("MailLate/Properties/AlarmActions"), "MailLate: calls nobody"),
    (put("MailLate/Properties/MetricName", "OldMail"), "functions/upkeep never reports it"),
    (put("MailFunction/Properties/Handler", "functions.post.app.handler"), "there is no functions/post/app.py"),
]


def test_the_template_has_no_fault(template: dict[str, Any]) -> None:
    """Every rule holds of the template as CloudFormation gets it."""
    assert faults(translated(template)) == []


@pytest.mark.parametrize(("change", "fault"), DEFECTS, ids=[f"{n}-{fault}" for n, (_, fault) in enumerate(DEFECTS)])
def test_a_planted_defect_is_found(template: dict[str, Any], change: Change, fault: str) -> None:
    """A defect that nobody would notice before the day is named."""
    defective = copy.deepcopy(template)
    change(defective["Resources"])

    assert [one for one in faults(translated(defective)) if fault in one]


def test_every_rule_has_found_a_defect(template: dict[str, Any]) -> None:
    """No rule is there that nothing was seen to break."""
    broken = set()
    for change, _ in DEFECTS:
        defective = copy.deepcopy(template)
        change(defective["Resources"])
        plain_cloudformation = translated(defective)
        broken |= {rule.__name__ for rule in RULES if list(rule(plain_cloudformation))}

    assert {rule.__name__ for rule in RULES} == broken


def test_a_comment_says_what_each_resource_is_for() -> None:
    """Each resource has one sentence above it."""
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    inside = range(lines.index("Resources:"), lines.index("Outputs:"))
    names = [n for n in inside if lines[n].startswith("  ") and lines[n][2:3].isalpha()]

    assert [lines[n].strip() for n in names if lines[n].endswith(":") and not lines[n - 1].startswith("  # ")] == []


def test_the_template_has_no_yaml_aliases() -> None:
    """CloudFormation does not read them."""
    from infra.cloud.build import load_template

    text = TEMPLATE.read_text(encoding="utf-8")
    assert load_template()["Resources"]
    assert not [line for line in text.splitlines() if ": &" in line or ": *" in line or "<<:" in line]
