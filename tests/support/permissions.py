"""Judges every DynamoDB call that a function makes in a test by that function's policy in the template, as IAM does.

moto enforces no policy, and the embedded cloud none of the conditions on `dynamodb:LeadingKeys`. What IAM does, from
the developer guide of DynamoDB ("Using IAM policy conditions for fine-grained access control", "Using IAM with DynamoDB
transactions"):

- `LeadingKeys` are the partition keys that a call names; a query of an index is judged on the resource of the index,
  and its leading key is the partition key of the index;
- each write of a transaction is judged by itself, as PutItem, UpdateItem, DeleteItem or ConditionCheckItem;
- a batch is judged once, as BatchWriteItem with the keys of all its writes;
- a call that names no partition key, a Scan, satisfies `ForAllValues`: no policy may name such an action.

The stack tells which function calls: the innermost frame in `functions/<name>/`, as tests let one function call
another. A test that composes a mail by itself is judged as `mail`, which composes them on the stack; other calls of
tests are not judged.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.client
from botocore.exceptions import ClientError

from infra.cloud.build import ROOT
from tests.support.template import resources

WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
LEADING_KEYS = {"ForAllValues:StringLike": "dynamodb:LeadingKeys"}
ROOMS = f"{ROOT / 'functions'}/"
COMPOSING = str(ROOT / "shared" / "letters" / "compose.py")


@dataclass(frozen=True, slots=True)
class Request:
    """What IAM is asked: an action, whether on an index, and the partition keys that the call names."""

    action: str
    index: bool
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement about the table or its index: what it allows, on rows whose partition keys match a pattern."""

    sid: str
    actions: tuple[str, ...]
    index: bool
    patterns: tuple[str, ...]

    def allows(self, asked: Request) -> bool:
        """Whether it allows this: every partition key matches one of the patterns."""
        return (
            asked.action in self.actions
            and asked.index == self.index
            and all(any(is_like(key, pattern) for pattern in self.patterns) for key in asked.keys)
        )


def is_like(key: str, pattern: str) -> bool:
    """IAM's StringLike: `*` stands for any text, `?` for one character, capitals count."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(letter, re.escape(letter)) for letter in pattern), key) is not None


@cache
def policies() -> dict[str, tuple[Statement, ...]]:
    """What each function may do with rows, by its name. Fails on a condition that it does not know."""
    found = {}
    for name, resource in resources().items():
        if resource["Type"] == "AWS::IAM::Role":
            (policy,) = resource["Properties"]["Policies"]
            statements = policy["PolicyDocument"]["Statement"]
            found[name.removesuffix("Role").lower()] = tuple(_statements(statements))
    return found


def _statements(statements: list[dict[str, Any]]) -> Iterator[Statement]:
    for one in statements:
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        resource = json.dumps(one["Resource"])
        if not actions[0].startswith("dynamodb:") or "StreamArn" in resource:
            continue
        ((operator, condition),) = one["Condition"].items()
        ((key, patterns),) = condition.items()
        assert {operator: key} == LEADING_KEYS, f"{one['Sid']}: {operator} of {key} is not understood here"
        yield Statement(
            one["Sid"],
            tuple(action.removeprefix("dynamodb:") for action in actions),
            "/index/due" in resource,
            tuple(patterns if isinstance(patterns, list) else [patterns]),
        )


def requests(operation: str, arguments: Mapping[str, Any]) -> Iterator[Request]:
    """What IAM is asked about one call."""
    match operation:
        case "TransactWriteItems":
            for write in arguments["TransactItems"]:
                ((kind, body),) = write.items()
                yield Request(WRITES[kind], False, (_key(body),))
        case "BatchWriteItem":
            for writes in arguments["RequestItems"].values():
                keys = {_key(body) for write in writes for body in write.values()}
                yield Request(operation, False, tuple(sorted(keys)))
        case "Query":
            name, value = re.findall(r"[#:\w]+", arguments["KeyConditionExpression"])[:2]
            assert name == ("due" if "IndexName" in arguments else "pk")
            key = arguments["ExpressionAttributeValues"][value]["S"]
            yield Request(operation, "IndexName" in arguments, (key,))
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
            yield Request(operation, False, (_key(arguments),))
        case _:
            yield Request(operation, "IndexName" in arguments, ())


def _key(body: Mapping[str, Any]) -> str:
    return str((body.get("Key") or body["Item"])["pk"]["S"])


def calling_function() -> str:
    """The function whose code makes the call that is under way; "" for a test's own."""
    frame, composing = sys._getframe(1), False
    while frame.f_back is not None:
        frame = frame.f_back
        file = frame.f_code.co_filename
        if file.startswith(ROOMS):
            return file.removeprefix(ROOMS).partition("/")[0]
        composing |= file == COMPOSING
    return "mail" if composing else ""


class Judge:
    """Judges calls, and notes what was refused and what was used."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        """What no statement allows, since it was emptied."""
        self.used: set[tuple[str, str, str]] = set()
        """Function, statement, and the action or the pattern that a call needed."""

    def judge(self, function: str, operation: str, arguments: Mapping[str, Any]) -> None:
        """Raise AccessDeniedException as DynamoDB does, unless the function's policy allows all of a call."""
        for asked in requests(operation, arguments):
            statement = next((one for one in policies()[function] if one.allows(asked)), None)
            if statement is None:
                self.refused.append(f"{function}: {asked.action} of {', '.join(asked.keys) or 'everything'}")
                error = {"Code": "AccessDeniedException", "Message": self.refused[-1]}
                raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[typeddict-item]
            self.used.add((function, statement.sid, asked.action))
            for key in asked.keys:
                pattern = next(pattern for pattern in statement.patterns if is_like(key, pattern))
                self.used.add((function, statement.sid, pattern))


JUDGE = Judge()


def enforce_policies() -> None:
    """Judge every call of this process from now on."""
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def judged(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name == "dynamodb":
            function = calling_function()
            if function:
                JUDGE.judge(function, operation, arguments)
        return call(self, operation, arguments)

    botocore.client.BaseClient._make_api_call = judged  # type: ignore[attr-defined]
