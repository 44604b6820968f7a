"""The template holds what the rules ask, and each rule finds the defect it is there for."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from infra.cloud.build import TEMPLATE
from infra.cloud.lint import plain, resolved, translated
from tests.unit.template_rules import RULES, faults

pytestmark = [pytest.mark.promise("P14"), pytest.mark.xdist_group("template")]


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
EVENTS = "MailEventRule/Properties/Targets/0"
RETRIES = "AllocateFunction/Properties/Events/EveryMinute/Properties/RetryPolicy/MaximumEventAgeInSeconds"
STATEMENT = "RegisterRole/Properties/Policies/0/PolicyDocument/Statement/1"
KEYS = "Condition/ForAllValues:StringLike/dynamodb:LeadingKeys"

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
    (put("Table/DeletionPolicy", "Retain"), "every failed first deployment leaves one behind"),
    (cut("SigningKey/DeletionPolicy"), "SigningKey: goes with the stack"),
    (put("SenderIdentity/DeletionPolicy", "Retain"), "SenderIdentity: goes with the stack"),
    (cut("AllocateFunction/Properties/Events/EveryMinute/Properties/OmitName"), "in every stack"),
    (cut("UpkeepFunction/Properties/Events/EveryMinute/Properties/OmitName"), "in every stack"),
    (put("SharedLayer/Properties/LayerName", "shared"), "in every stack"),
    (put("MailEvents/Properties/Name", "parcours-mail"), "in every stack"),
    (put("RegisterFunction/Properties/FunctionName", "register"), "in every stack"),
    (put("RegisterFunction/Properties/ReservedConcurrentExecutions", 60), "an account with a limit of 10 refuses"),
    (put("MailLate/Properties/Namespace", "Parcours"), "MailLate: rings for another stack"),
    (
        put("MailFunction/Properties/Environment/Variables/POWERTOOLS_METRICS_NAMESPACE", "Parcours"),
        "its metrics are mixed with those of another stack",
    ),
    (put("Api/Properties/DisableExecuteApiEndpoint", True), "closed without a domain"),
    (cut("MailRole/Properties/Policies/0/PolicyDocument/Statement/5/Condition"), "Send has a wildcard in a resource"),
    (cut("Table/UpdateReplacePolicy"), "deletes every registration"),
    (cut("Table/Properties/PointInTimeRecoverySpecification"), "no point-in-time recovery"),
    (cut("Table/Properties/TimeToLiveSpecification"), "do not expire"),
    (put("Table/Properties/TimeToLiveSpecification/AttributeName", "expiry"), "do not expire"),
    (put("Table/Properties/StreamSpecification/StreamViewType", "NEW_IMAGE"), "both images"),
    (put("Table/Properties/SSESpecification", {"SSEEnabled": True}), "pays for a managed key"),
    (put("Table/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType", "KEYS_ONLY"), "the index `due`"),
    (put(f"{STATEMENT}/Action", "dynamodb:*"), "is a wildcard"),
    (put(f"{STATEMENT}/Resource", "*"), "names every resource"),
    (put(f"{STATEMENT}/Resource", {"Fn::Sub": "${Table.Arn}/*"}), "has a wildcard in a resource"),
    (put("MailRole/Properties/Policies/0/PolicyDocument/Statement/5/Resource", "*"), "Send names every resource"),
    (cut(f"{STATEMENT}/Condition"), "RegisterRole: ReadEvents names no partition keys"),
    (put(f"{STATEMENT}/Condition", {"StringLike": {"dynamodb:LeadingKeys": ["EVENTS"]}}), "names no partition keys"),
    (put(f"{STATEMENT}/{KEYS}", ["EVENTS", "SESSIONS"]), "ReadEvents names rows unknown to the table: SESSIONS"),
    (put(f"{STATEMENT}/{KEYS}", ["EVENTS", "*"]), "ReadEvents names rows unknown to the table: *"),
    (put(f"{STATEMENT}/Action", ["dynamodb:GetItem", "dynamodb:Scan"]), "ReadEvents may read every row by Scan"),
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
    (cut("MailEventsLost"), "cannot be delivered is lost without a word"),
    (put(f"{EVENTS}/RetryPolicy/MaximumEventAgeInSeconds", 3600), "cannot be delivered is lost without a word"),
    (put(f"{EVENTS}/DeadLetterConfig", {"Arn": "x"}), "EventBridge parks events as they came"),
    (cut(f"{EVENTS}/InputTransformer"), "the target gets an address"),
    (put(f"{EVENTS}/InputTransformer/InputPathsMap/to", "$.detail.mail.destination[0]"), "the target gets an address"),
    (cut("AllocateFunction/Properties/Events"), "every minute means"),
    (
        put("UpkeepFunction/Properties/Events/EveryMinute/Properties/ScheduleExpression", "rate(1 hour)"),
        "every minute means",
    ),
    (put(RETRIES, 86400), "made up for hours later"),
    (put("AllocateFunction/Properties/Timeout", 901), "its lease ends before its timeout"),
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
    (cut("ApiFailing"), "RegisterFunction: nobody hears of its errors"),
    (cut("UpkeepErrors"), "UpkeepFunction: nobody hears of its errors"),
    (cut("MailLate"), "RelayFunction: nobody hears of its errors"),
    (cut("AllocationLate"), "UpkeepFunction: nobody hears of its silence"),
    (put("AllocationLate/Properties/TreatMissingData", "notBreaching"), "no data counts as good"),
    (put("AllocationLate/Properties/TreatMissingData", "missing"), "no data counts as good"),
    (cut("MailLate/Properties/AlarmActions"), "MailLate: calls nobody"),
    (put("MailLate/Properties/MetricName", "OldMail"), "functions/upkeep never reports it"),
    (put("MailFunction/Properties/Handler", "functions.post.app.handler"), "there is no functions/post/app.py"),
]


DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "by default": {},
    "with a domain": {"DomainName": "day.example.org", "CertificateArn": "arn:aws:acm:eu-central-1:1:certificate/1"},
    "behind CloudFront": {"PublicUrl": "https://day.example.org", "TrustedProxies": 1},
    "with an address that is verified": {"SenderVerifiedBy": "address"},
    "with an identity that is there": {"CreateSenderIdentity": "false"},
    "with an earlier table and key": {
        "ExistingTable": "parcours-Table-1",
        "ExistingTableStream": "2026-01-01T00:00:00.000",
        "ExistingSigningKey": "arn:aws:secretsmanager:eu-central-1:1:secret:key",
    },
}


def deployed(template: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """What CloudFormation makes of the template with these parameters."""
    return resolved(translated(template), parameters)


MADE: dict[str, dict[str, Any]] = {}


def made_once(defective: dict[str, Any]) -> dict[str, Any]:
    """What CloudFormation makes of a template with a defect; translated once, for the two tests that read it."""
    written = json.dumps(defective, default=str)
    if written not in MADE:
        MADE[written] = deployed(defective)
    return MADE[written]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_template_has_no_fault(template: dict[str, Any], deployment: str) -> None:
    """Every rule holds of the template as CloudFormation gets it, whatever it is told."""
    assert faults(deployed(template, **DEPLOYMENTS[deployment])) == []


PARAMETER_DEFECTS: list[tuple[Change, str]] = [
    (cut("AlarmAddress/Description"), "AlarmAddress: no description"),
    (cut("AlarmAddress/Default"), "AlarmAddress: must be given"),
    (put("SenderAddress/Default", "a@example.org"), "its default is nobody's"),
    (cut("PublicUrl/AllowedPattern"), "PublicUrl: a path before our own"),
]


@pytest.mark.parametrize(("change", "fault"), PARAMETER_DEFECTS, ids=[fault for _, fault in PARAMETER_DEFECTS])
def test_a_defect_of_a_parameter_is_found(template: dict[str, Any], change: Change, fault: str) -> None:
    """Each is described, and only the sender has no default."""
    defective = copy.deepcopy(template)
    change(defective["Parameters"])

    assert [found for found in faults(made_once(defective)) if fault in found]


@pytest.mark.parametrize(
    "url", ["https://example.org/", "https://example.org/path", "example.org", "ftp://example.org"]
)
def test_a_public_address_has_no_path(template: dict[str, Any], url: str) -> None:
    pattern = template["Parameters"]["PublicUrl"]["AllowedPattern"]
    assert re.match(pattern, "https://day.example.org:8443")
    assert not re.match(pattern, url)


def test_with_a_domain_people_reach_it_there_and_nowhere_else(template: dict[str, Any]) -> None:
    made = deployed(template, **DEPLOYMENTS["with a domain"])

    assert made["Resources"]["Api"]["Properties"]["DisableExecuteApiEndpoint"] is True
    assert made["Outputs"]["ApiUrl"]["Value"] == {"Fn::Sub": "https://${DomainName}"}
    assert {"DomainTarget", "DomainTargetZone"} <= set(made["Outputs"])


def test_the_records_that_verify_a_domain_are_outputs(template: dict[str, Any]) -> None:
    """Three for DKIM, and two for bounces; an address has none."""
    records = {"MailFromName", "MailFromMx", "MailFromTxt"} | {
        f"Dkim{n}{part}" for n in "123" for part in ("Name", "Value")
    }

    assert records <= set(deployed(template)["Outputs"])
    assert not records & set(deployed(template, SenderVerifiedBy="address")["Outputs"])
    for parameters, identity in (
        ({}, {"Fn::Select": [1, {"Fn::Split": ["@", {"Ref": "SenderAddress"}]}]}),
        ({"SenderVerifiedBy": "address"}, {"Ref": "SenderAddress"}),
    ):
        made = deployed(template, **parameters)["Resources"]["SenderIdentity"]["Properties"]
        assert made["EmailIdentity"] == identity
        assert ("MailFromAttributes" in made) == (not parameters)


def test_an_earlier_table_and_key_are_taken_up_by_every_function(template: dict[str, Any]) -> None:
    """Nothing refers to a table or a key that is not created."""
    made = deployed(template, **DEPLOYMENTS["with an earlier table and key"])

    assert not {"Table", "SigningKey"} & set(made["Resources"])
    written = json.dumps([made["Resources"], made["Outputs"]])
    assert not re.search(r'"Ref": "(Table|SigningKey)"|"(Table|SigningKey)", "|\$\{(Table|SigningKey)\b', written)
    for name in ("RegisterFunction", "UpkeepFunction"):
        assert made["Resources"][name]["Properties"]["Environment"]["Variables"]["TABLE_NAME"] == {
            "Ref": "ExistingTable"
        }


@pytest.mark.parametrize("resource", ["AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::DynamoDB::Table"])
def test_the_outputs_name_what_an_operator_acts_on(template: dict[str, Any], resource: str) -> None:
    """Every function, queue and table, each output with its description."""
    made = deployed(template)
    told = json.dumps([output["Value"] for output in made["Outputs"].values()])

    assert [
        name for name, one in made["Resources"].items() if one["Type"] == resource and f'"{name}"' not in told
    ] == []
    assert [name for name, output in made["Outputs"].items() if not output.get("Description")] == []


@pytest.mark.parametrize(("change", "fault"), DEFECTS, ids=[f"{n}-{fault}" for n, (_, fault) in enumerate(DEFECTS)])
def test_a_planted_defect_is_found(template: dict[str, Any], change: Change, fault: str) -> None:
    """A defect that nobody would notice before the day is named."""
    defective = copy.deepcopy(template)
    change(defective["Resources"])

    assert [found for found in faults(made_once(defective)) if fault in found]


def test_every_rule_has_found_a_defect(template: dict[str, Any]) -> None:
    """No rule is there that nothing was seen to break."""
    broken = set()
    for section, change in [
        *(("Resources", change) for change, _ in DEFECTS),
        *(("Parameters", change) for change, _ in PARAMETER_DEFECTS),
    ]:
        defective = copy.deepcopy(template)
        change(defective[section])
        plain_cloudformation = made_once(defective)
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
