"""What must hold of the template, beyond what linters know. Each rule yields its faults in words.

The rules read the translated template, since that is what CloudFormation gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.cloud.build import ROOT
from shared.table import SHAPES

Template = Mapping[str, Any]
Rule = Callable[[Template], Iterator[str]]

STAR_ALLOWED = {("MailRole", "ReadSendingRate"): "an account has no ARN"}
"""Statements that may name every resource, with the reason."""

HARMLESS_NAMES = {("StageName", "$default")}
"""Names that are the same in every stack, and belong to something that is not."""

HARMLESS_IN_ACCESS_LOG = {"requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage"}
SHARED_ENVIRONMENT = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}


OWN_METRICS = "Parcours"
"""The namespace of what the functions report; behind it stands the stack's name."""


HEARTBEAT = "AllocationOverdueMinutes"
"""The one metric that upkeep reports every minute, whatever its value: its silence is upkeep's."""

HEARD_OF = {
    "RegisterFunction": {"ApiFailing"},
    "OrganiseFunction": {"ApiFailing"},
    "AllocateFunction": {"AllocationLate", "AllocationFailed", "CallsGivenUp"},
    "RelayFunction": {"CallsGivenUp", "MailLate"},
    "MailFunction": {"MailsGivenUp", "MailLate"},
    "FeedbackFunction": {"CallsGivenUp", "MailEventsLost"},
}
"""The alarms that ring, in place of one of its own, when a function fails."""

BY_KEY = {
    f"dynamodb:{action}"
    for action in ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "BatchWriteItem")
}
"""Actions that name the partition keys of the rows they are about."""

IDS_OF_MAILS = {
    "$.detail.eventType",
    "$.detail.mail.messageId",
    "$.detail.bounce.bounceType",
    "$.detail.bounce.bounceSubType",
    *(f"$.detail.mail.tags.{tag}[0]" for tag in ("event", "mail", "attempt", "request")),
}
"""Parts of an event of SES that name no person."""

RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Make this one of the rules."""
    RULES.append(function)
    return function


def faults(template: Template) -> list[str]:
    """Every fault of a translated template."""
    return [fault for check in RULES for fault in check(template)]


def _of_type(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def _functions(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _of_type(template, "AWS::Lambda::Function")


def _target(value: Any) -> str:
    """The resource that a Ref, a GetAtt or a Sub points to."""
    if isinstance(value, Mapping):
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            got = value["Fn::GetAtt"]
            return str(got.split(".")[0] if isinstance(got, str) else got[0])
        if "Fn::Sub" in value:
            found = re.search(r"\$\{(?!AWS::)(\w+)", str(value["Fn::Sub"]))
            return found.group(1) if found else ""
    return str(value)


def _number(template: Template, value: Any) -> int:
    """A number, or the default of the parameter that stands for it."""
    if isinstance(value, Mapping) and "Ref" in value:
        value = template["Parameters"][value["Ref"]]["Default"]
    return int(value)


def _mappings(template: Template, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Event source mappings whose source is a resource of this type."""
    for name, mapping in _of_type(template, "AWS::Lambda::EventSourceMapping"):
        if template["Resources"].get(_target(mapping["EventSourceArn"]), {}).get("Type") == source:
            yield name, mapping


@rule
def a_queue_hides_a_message_six_timeouts_long(template: Template) -> Iterator[str]:
    for name, mapping in _mappings(template, "AWS::SQS::Queue"):
        queue = template["Resources"][_target(mapping["EventSourceArn"])]["Properties"]
        function = template["Resources"][_target(mapping["FunctionName"])]["Properties"]
        if _number(template, queue.get("VisibilityTimeout", 30)) < 6 * _number(template, function["Timeout"]):
            yield f"{name}: the visibility timeout is shorter than six function timeouts"


@rule
def a_batch_reports_which_of_its_records_failed(template: Template) -> Iterator[str]:
    for name, mapping in _of_type(template, "AWS::Lambda::EventSourceMapping"):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad record fails its whole batch"


@rule
def a_queue_bounds_how_many_read_it(template: Template) -> Iterator[str]:
    for name, mapping in _mappings(template, "AWS::SQS::Queue"):
        if not mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
            yield f"{name}: no MaximumConcurrency"


@rule
def a_stream_gives_a_record_up(template: Template) -> Iterator[str]:
    for name, mapping in _mappings(template, "AWS::DynamoDB::Table"):
        if not 0 <= mapping.get("MaximumRetryAttempts", -1) <= 10:
            yield f"{name}: retries are unbounded"
        if not 0 < mapping.get("MaximumRecordAgeInSeconds", -1) <= 86400:
            yield f"{name}: the age of a record is unbounded"
        if not mapping.get("BisectBatchOnFunctionError"):
            yield f"{name}: a failing batch is not bisected"
        if not mapping.get("DestinationConfig", {}).get("OnFailure"):
            yield f"{name}: what is given up goes nowhere"


@rule
def the_stream_carries_only_pending_mails(template: Template) -> Iterator[str]:
    wanted = {"dynamodb": {"NewImage": {"type": {"S": ["mail"]}, "state": {"S": ["pending"]}}}}
    for name, mapping in _mappings(template, "AWS::DynamoDB::Table"):
        filters = mapping.get("FilterCriteria", {}).get("Filters", [])
        if [json.loads(one["Pattern"]) for one in filters] != [wanted]:
            yield f"{name}: the filter is not `mail rows that are pending`"


@rule
def a_queue_that_is_read_has_a_dead_letter_queue_that_keeps_longer(template: Template) -> Iterator[str]:
    for _, mapping in _mappings(template, "AWS::SQS::Queue"):
        name = _target(mapping["EventSourceArn"])
        queue = template["Resources"][name]["Properties"]
        redrive = queue.get("RedrivePolicy", {})
        dead = template["Resources"].get(_target(redrive.get("deadLetterTargetArn")), {}).get("Properties")
        if dead is None or not 3 <= redrive.get("maxReceiveCount", 0) <= 10:
            yield f"{name}: no dead letter queue after a few tries"
        elif dead.get("MessageRetentionPeriod", 345600) <= queue.get("MessageRetentionPeriod", 345600):
            yield f"{name}: its dead letters do not outlive it"


@rule
def queues_are_encrypted(template: Template) -> Iterator[str]:
    for name, queue in _of_type(template, "AWS::SQS::Queue"):
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name}: not encrypted"


@rule
def the_table_outlives_the_stack_and_its_own_faults(template: Template) -> Iterator[str]:
    for name, table in _of_type(template, "AWS::DynamoDB::Table"):
        resource = template["Resources"][name]
        if resource.get("DeletionPolicy") != "RetainExceptOnCreate" or resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: deleting or replacing it deletes every registration"
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"{name}: no point-in-time recovery"
        if table.get("TimeToLiveSpecification") != {"AttributeName": "expires", "Enabled": True}:
            yield f"{name}: rows with `expires` do not expire"
        if table.get("StreamSpecification", {}).get("StreamViewType") != "NEW_AND_OLD_IMAGES":
            yield f"{name}: the stream does not carry both images"
        if "SSESpecification" in table:
            yield f"{name}: pays for a managed key, where DynamoDB's own key encrypts for nothing"
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name}: costs money while nobody registers"


@rule
def the_sparse_index_is_as_the_code_reads_it(template: Template) -> Iterator[str]:
    wanted = [("due", "HASH"), ("due_at", "RANGE")]
    for name, table in _of_type(template, "AWS::DynamoDB::Table"):
        indexes = {
            index["IndexName"]: (
                [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]],
                index["Projection"]["ProjectionType"],
            )
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        if indexes != {"due": (wanted, "ALL")}:
            yield f"{name}: the index `due` is not (due, due_at) with every attribute"


def _statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, role in _of_type(template, "AWS::IAM::Role"):
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@rule
def statements_name_their_actions(template: Template) -> Iterator[str]:
    for name, statement in _statements(template):
        for action in _listed(statement["Action"]):
            if "*" in action:
                yield f"{name}: the action {action} is a wildcard"


@rule
def statements_name_their_resources(template: Template) -> Iterator[str]:
    for name, statement in _statements(template):
        resource = statement["Resource"]
        written = json.dumps(resource)
        bare = [one for one in _listed(resource) if one == "*"]
        if bare and (name, statement.get("Sid")) not in STAR_ALLOWED:
            yield f"{name}: {statement.get('Sid')} names every resource"
        elif not bare and re.search(r"\*", written) and not _names_the_sender(statement):
            yield f"{name}: {statement.get('Sid')} has a wildcard in a resource"


def _names_the_sender(statement: Mapping[str, Any]) -> bool:
    """In its sandbox SES judges the recipient's identity too; the sender's address is what limits the statement."""
    sender = {"StringEquals": {"ses:FromAddress": {"Ref": "SenderAddress"}}}
    return statement.get("Sid") == "Send" and statement.get("Condition") == sender


ROWS = {re.sub("<.*", "*", shape.pk) for shape in SHAPES}
"""Patterns of the partition keys of all rows: `EVENT#*`."""

DUE = {"allocate", "upkeep", "offer", "mail#*"}
"""Patterns of the partition keys of the index `due`."""


@rule
def a_function_reaches_the_rows_it_needs(template: Template) -> Iterator[str]:
    for name, statement in _statements(template):
        actions = [action for action in _listed(statement["Action"]) if action.startswith("dynamodb:")]
        resource = json.dumps(statement["Resource"])
        if not actions or "StreamArn" in resource or "/stream/" in resource:
            continue
        about = f"{name}: {statement.get('Sid')}"
        if statement.get("Condition", {}).keys() != {"ForAllValues:StringLike"}:
            yield f"{about} names no partition keys"
            continue
        keys = set(_listed(statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]))
        for key in sorted(keys - (DUE if "/index/" in resource else ROWS)):
            yield f"{about} names rows unknown to the table: {key}"
        # ForAllValues holds of a call that names no partition key.
        for action in sorted(set(actions) - BY_KEY):
            yield f"{about} may read every row by {action.partition(':')[2]}"


@rule
def names_do_not_collide_with_another_stack(template: Template) -> Iterator[str]:
    """A name that is the same for every stack makes the second deployment in an account fail."""
    for name, resource in template["Resources"].items():
        for property_name, value in resource.get("Properties", {}).items():
            if resource["Type"] == "AWS::CloudWatch::Alarm" or (property_name, str(value)) in HARMLESS_NAMES:
                continue
            if not property_name.endswith("Name"):
                continue
            if not re.search(r"AWS::StackName|\"Ref\"|Fn::GetAtt", json.dumps(value)):
                yield f"{name}: its {property_name} is {value!r} in every stack"


@rule
def metrics_are_told_apart_by_stack(template: Template) -> Iterator[str]:
    wanted = {"Fn::Sub": "Parcours/${AWS::StackName}"}
    for name, function in _functions(template):
        if function["Environment"]["Variables"].get("POWERTOOLS_METRICS_NAMESPACE") != wanted:
            yield f"{name}: its metrics are mixed with those of another stack"
    for name, alarm in _of_type(template, "AWS::CloudWatch::Alarm"):
        if "Parcours" in json.dumps(alarm.get("Namespace")) and alarm["Namespace"] != wanted:
            yield f"{name}: rings for another stack"


@rule
def every_parameter_says_what_it_is_and_can_be_left_alone(template: Template) -> Iterator[str]:
    for name, parameter in template["Parameters"].items():
        if len(parameter.get("Description", "")) < 40:
            yield f"{name}: no description"
        if "Default" not in parameter and name != "SenderAddress":
            yield f"{name}: must be given, though most people have nothing to say"
        if "example.org" in str(parameter.get("Default", "")):
            yield f"{name}: its default is nobody's"


@rule
def a_first_deployment_needs_no_raised_limit(template: Template) -> Iterator[str]:
    for name, function in _functions(template):
        if "ReservedConcurrentExecutions" in function:
            yield f"{name}: reserves concurrency, which an account with a limit of 10 refuses"


@rule
def what_outlives_the_stack_does_not_outlive_a_creation_that_failed(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource.get("DeletionPolicy") == "Retain":
            yield f"{name}: every failed first deployment leaves one behind"
    for name, kind in (("SigningKey", "AWS::SecretsManager::Secret"), ("SenderIdentity", "AWS::SES::EmailIdentity")):
        for _ in _of_type(template, kind):
            if template["Resources"].get(name, {}).get("DeletionPolicy") != "RetainExceptOnCreate":
                yield f"{name}: goes with the stack"


@rule
def a_domain_of_its_own_closes_the_other_door(template: Template) -> Iterator[str]:
    has_domain = any(_of_type(template, "AWS::ApiGatewayV2::DomainName"))
    for name, api in _of_type(template, "AWS::ApiGatewayV2::Api"):
        if bool(api.get("DisableExecuteApiEndpoint")) != has_domain:
            yield f"{name}: the address of API Gateway is {'open beside' if has_domain else 'closed without'} a domain"
    for name, mapping in _of_type(template, "AWS::ApiGatewayV2::ApiMapping"):
        if mapping.get("ApiMappingKey"):
            yield f"{name}: a path before our own, which the functions do not know"
    if re.match(template["Parameters"]["PublicUrl"].get("AllowedPattern", ""), "https://example.org/path"):
        yield "PublicUrl: a path before our own, which the functions do not know"


@rule
def a_role_has_no_policy_but_its_own(template: Template) -> Iterator[str]:
    for name, role in _of_type(template, "AWS::IAM::Role"):
        if role.get("ManagedPolicyArns"):
            yield f"{name}: a managed policy is broader than the function"
        services = {
            service
            for statement in role["AssumeRolePolicyDocument"]["Statement"]
            for service in _listed(statement["Principal"].get("Service", "anybody"))
        }
        if not services <= {"lambda.amazonaws.com", "scheduler.amazonaws.com"}:
            yield f"{name}: {sorted(services)} may take it"


@rule
def every_function_has_a_role_of_its_own(template: Template) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, function in _functions(template):
        role = _target(function["Role"])
        if role in seen:
            yield f"{name}: shares its role with {seen[role]}"
        seen[role] = name


@rule
def only_organise_may_start_a_function(template: Template) -> Iterator[str]:
    for name, statement in _statements(template):
        starts = "lambda:InvokeFunction" in _listed(statement["Action"])
        if starts and name not in {"OrganiseRole"} and "EveryMinute" not in name:
            yield f"{name}: may start a function"


@rule
def a_permission_names_who_calls(template: Template) -> Iterator[str]:
    for name, permission in _of_type(template, "AWS::Lambda::Permission"):
        if "SourceArn" not in permission:
            yield f"{name}: any API or rule of any account may call"


@rule
def logs_are_kept_for_a_while_only(template: Template) -> Iterator[str]:
    groups = dict(_of_type(template, "AWS::Logs::LogGroup"))
    for name, properties in groups.items():
        if not properties.get("RetentionInDays"):
            yield f"{name}: kept for ever"
    own: set[str] = set()
    for name, function in _functions(template):
        group = _target(function.get("LoggingConfig", {}).get("LogGroup", ""))
        if group not in groups or group in own:
            yield f"{name}: has no log group of its own"
        own.add(group)


@rule
def the_access_log_holds_nobody(template: Template) -> Iterator[str]:
    for name, stage in _of_type(template, "AWS::ApiGatewayV2::Stage"):
        shown = set(re.findall(r"\$context\.([\w.]+)", stage.get("AccessLogSettings", {}).get("Format", "")))
        if not shown:
            yield f"{name}: no access log"
        for variable in sorted(shown - HARMLESS_IN_ACCESS_LOG):
            yield f"{name}: the access log shows {variable}"


@rule
def the_stage_throttles(template: Template) -> Iterator[str]:
    for name, stage in _of_type(template, "AWS::ApiGatewayV2::Stage"):
        route = stage.get("DefaultRouteSettings", {})
        if not (route.get("ThrottlingBurstLimit") and route.get("ThrottlingRateLimit")):
            yield f"{name}: no throttle"


@rule
def no_other_site_may_read_us(template: Template) -> Iterator[str]:
    for name, api in _of_type(template, "AWS::ApiGatewayV2::Api"):
        if "CorsConfiguration" in api:
            yield f"{name}: CORS lets other sites read personal pages"


@rule
def requests_reach_the_function_they_are_for(template: Template) -> Iterator[str]:
    wanted = {"$default": "Register", "ANY /organise": "Organise", "ANY /organise/{proxy+}": "Organise"}
    found = {}
    for _, route in _of_type(template, "AWS::ApiGatewayV2::Route"):
        integration = template["Resources"][_target(route["Target"])]["Properties"]
        found[route["RouteKey"]] = _target(integration["IntegrationUri"]).removesuffix("Function")
    if found != wanted:
        yield f"Api: the routes are {found}"
    for name, integration in _of_type(template, "AWS::ApiGatewayV2::Integration"):
        function = template["Resources"][_target(integration["IntegrationUri"])]["Properties"]
        if integration.get("PayloadFormatVersion") != "2.0":
            yield f"{name}: not payload format 2.0"
        if not 1000 * function["Timeout"] < integration.get("TimeoutInMillis", 30000) <= 30000:
            yield f"{name}: gives up before the function does"


@rule
def a_call_nobody_waits_for_ends_somewhere(template: Template) -> Iterator[str]:
    configured = {_target(one["FunctionName"]): one for _, one in _of_type(template, "AWS::Lambda::EventInvokeConfig")}
    for name in ("AllocateFunction", "FeedbackFunction"):
        config = configured.get(name, {})
        if "MaximumRetryAttempts" not in config or "OnFailure" not in config.get("DestinationConfig", {}):
            yield f"{name}: an asynchronous call that fails is lost"
    lost = {of for _, metric, of, _ in _watched(template) if metric == "FailedInvocations"}
    for name, rule in _of_type(template, "AWS::Events::Rule"):
        for target in rule["Targets"]:
            if name not in lost or target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds") != 86400:
                yield f"{name}: an event that cannot be delivered is lost without a word"


@rule
def no_address_is_parked(template: Template) -> Iterator[str]:
    for name, rule in _of_type(template, "AWS::Events::Rule"):
        for target in rule["Targets"]:
            if not set(target.get("InputTransformer", {}).get("InputPathsMap", {"": ""}).values()) <= IDS_OF_MAILS:
                yield f"{name}: the target gets an address, and parks it when it fails"
            if "DeadLetterConfig" in target:
                yield f"{name}: EventBridge parks events as they came, with the address"


@rule
def the_clock_ticks_every_minute(template: Template) -> Iterator[str]:
    ticking = {}
    for name, schedule in _of_type(template, "AWS::Scheduler::Schedule"):
        if schedule.get("State", "ENABLED") == "ENABLED" and schedule["FlexibleTimeWindow"]["Mode"] == "OFF":
            ticking[_target(schedule["Target"]["Arn"])] = schedule["ScheduleExpression"]
        if schedule["Target"].get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", 86400) > 300:
            yield f"{name}: a missed minute is made up for hours later"
    if ticking != dict.fromkeys(("AllocateFunction", "UpkeepFunction"), "rate(1 minute)"):
        yield f"Schedules: every minute means {ticking}"


@rule
def a_run_is_not_taken_over_while_its_owner_lives(template: Template) -> Iterator[str]:
    function = template["Resources"]["AllocateFunction"]["Properties"]
    lease = function["Environment"]["Variables"]["LEASE_SECONDS"]
    if _number(template, lease) < _number(template, function["Timeout"]):
        yield "AllocateFunction: its lease ends before its timeout"


@rule
def a_function_sees_only_what_it_reads(template: Template) -> Iterator[str]:
    shared = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "shared").rglob("*.py")))
    for name, function in _functions(template):
        room = ROOT / "functions" / name.removesuffix("Function").lower()
        code = shared + "".join(path.read_text(encoding="utf-8") for path in sorted(room.glob("**/*.py")))
        for variable in sorted(set(function.get("Environment", {}).get("Variables", {})) - SHARED_ENVIRONMENT):
            if variable not in code:
                yield f"{name}: is given {variable}, which nothing reads"


@rule
def no_secret_stands_in_the_template(template: Template) -> Iterator[str]:
    for name, secret in _of_type(template, "AWS::SecretsManager::Secret"):
        if "SecretString" in secret or secret.get("GenerateSecretString", {}).get("PasswordLength", 0) < 32:
            yield f"{name}: written down or short"
    for name, function in _functions(template):
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            if "resolve:secretsmanager" in json.dumps(value):
                yield f"{name}: {variable} shows a secret to everybody who may read the function"


@rule
def ses_tells_what_became_of_each_mail(template: Template) -> Iterator[str]:
    needed = {"SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"}
    for name, destination in _of_type(template, "AWS::SES::ConfigurationSetEventDestination"):
        told = set(destination["EventDestination"]["MatchingEventTypes"])
        if not destination["EventDestination"].get("Enabled") or not needed <= told:
            yield f"{name}: {sorted(needed - told)} are not told"
        if told & {"OPEN", "CLICK"}:
            yield f"{name}: people are tracked"
    for name, configuration in _of_type(template, "AWS::SES::ConfigurationSet"):
        if configuration.get("DeliveryOptions", {}).get("TlsPolicy") != "REQUIRE":
            yield f"{name}: mail may travel in the clear"
        if "TrackingOptions" in configuration:
            yield f"{name}: people are tracked"


@rule
def code_stands_where_the_template_says(template: Template) -> Iterator[str]:
    for name, function in _functions(template):
        module = str(function["Handler"]).removesuffix(".handler").replace(".", "/")
        if not (ROOT / f"{module}.py").exists():
            yield f"{name}: there is no {module}.py"
        if not function.get("Layers"):
            yield f"{name}: cannot import shared"


@rule
def every_alarm_calls_somebody(template: Template) -> Iterator[str]:
    for name, alarm in _of_type(template, "AWS::CloudWatch::Alarm"):
        if [_target(action) for action in alarm.get("AlarmActions", [])] != ["Alarms"]:
            yield f"{name}: calls nobody"


def _watched(template: Template) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Namespace, metric and dimension of everything that an alarm watches."""
    for _, alarm in _of_type(template, "AWS::CloudWatch::Alarm"):
        (dimension,) = alarm["Dimensions"]
        namespace = alarm["Namespace"] if isinstance(alarm["Namespace"], str) else OWN_METRICS
        yield namespace, alarm["MetricName"], _target(dimension["Value"]), alarm


@rule
def whatever_can_fail_is_watched(template: Template) -> Iterator[str]:
    watched = {(metric, of) for _, metric, of, _ in _watched(template)}
    alarms = {name for name, _ in _of_type(template, "AWS::CloudWatch::Alarm")}
    for name, _ in _functions(template):
        if ("Errors", name) not in watched and not HEARD_OF.get(name, {""}) <= alarms:
            yield f"{name}: nobody hears of its errors"
    read = {_target(mapping["EventSourceArn"]) for _, mapping in _mappings(template, "AWS::SQS::Queue")}
    for name, _ in _of_type(template, "AWS::SQS::Queue"):
        if name not in read and ("ApproximateNumberOfMessagesVisible", name) not in watched:
            yield f"{name}: nobody hears of what is parked there"
    for _, schedule in _of_type(template, "AWS::Scheduler::Schedule"):
        function = _target(schedule["Target"]["Arn"])
        if ("Invocations", function) not in watched and "AllocationLate" not in alarms:
            yield f"{function}: nobody hears of its silence"
    if not any(metric == "5xx" for metric, _ in watched):
        yield "Api: nobody hears of its errors"


@rule
def silence_counts_as_bad(template: Template) -> Iterator[str]:
    for namespace, metric, _, alarm in _watched(template):
        gauge = metric == "Invocations" or (namespace, metric) == (OWN_METRICS, HEARTBEAT)
        if gauge and alarm.get("TreatMissingData") != "breaching":
            yield f"{metric}: no data counts as good"


@rule
def alarms_watch_what_the_code_reports(template: Template) -> Iterator[str]:
    for namespace, metric, of, _ in _watched(template):
        if namespace == OWN_METRICS:
            room = ROOT / "functions" / of
            if not any(f'"{metric}"' in path.read_text(encoding="utf-8") for path in room.glob("*.py")):
                yield f"{metric}: functions/{of} never reports it"
