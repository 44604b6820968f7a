"""The one table: the shapes of its rows, the functions that spell their keys, and the calls made of DynamoDB.

`SHAPES` lists every kind of row. No other module spells a key; what a row means stands beside its entity.

`due` is a sparse index: only rows with something left to do carry the attributes `due` (what) and `due_at` (when).
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from shared.text import address_key

CONFLICT_TRIES = 12
"""A transaction that meets another on the same item is tried again so often, over about six seconds in all."""

MOST_WRITES = 100
"""DynamoDB's limit for one transaction."""

Item = dict[str, Any]

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


# --------------------------------------------------------------------------- keys

EVENTS_PK = "EVENTS"
STATE_SK = "STATE"
SUMMARY_SK = "SUMMARY"
SESSION_PK = "SESSION"
LIMIT_PK = "LIMIT"
IDEMPOTENCY_PK = "IDEMPOTENCY"
MAIL_RATE_SK = "mail-rate"

REGISTRATIONS = "REGISTRATION#"
ADDRESSES = "ADDRESS#"
RUNS = "RUN#"
AUDIT = "AUDIT#"
PROGRAMMES = "PROGRAMME#"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of row: its attribute `type`, its two keys with what varies in angle brackets, and what it holds."""

    type: str
    pk: str
    sk: str
    holds: str


SHAPES = (
    Shape("event", "EVENTS", "<event>", "the event file, as JSON"),
    Shape("state", "EVENT#<event>", "STATE", "run numbers, which run is published, who holds a place"),
    Shape("registration", "EVENT#<event>", "REGISTRATION#<id>", "a person (index `due` while a place is offered)"),
    Shape("address", "EVENT#<event>", "ADDRESS#<digest>", "an address is taken (written with its registration)"),
    Shape("run", "EVENT#<event>", "RUN#<number>", "a run of the allocator"),
    Shape("task", "EVENT#<event>", "TASK#<name>", "something to do at a time (index `due`)"),
    Shape("audit", "EVENT#<event>", "AUDIT#<time>#<random>", "who did what"),
    Shape("summary", "EVENT#<event>", "SUMMARY", "how many there were, after the retention ended"),
    Shape("programme", "RUN#<event>#<number>", "PROGRAMME#<id>", "a person's programme under a run"),
    Shape("mail", "MAIL#<event>", "<mail>", "a mail (index `due` while it is not sent)"),
    Shape("session", "SESSION", "<digest>", "a signed-in organiser (expires)"),
    Shape("sign-in", "SESSION", "SIGNIN#<nonce>", "a sign-in link that was mailed and not used (expires)"),
    Shape("limit", "LIMIT", "<what>#<digest>#<hour>", "a counter behind a cap (expires)"),
    Shape("limit", "LIMIT", "link#<event>#<digest>#<hour>", "an own link was asked for in this hour (expires)"),
    Shape("limit", "LIMIT", "nobody#<nonce>", "written in place of a sign-in mail for an unknown address (expires)"),
    Shape("mail-rate", "LIMIT", "mail-rate", "the moment of the next free slot of SES's rate"),
    Shape("idempotency", "IDEMPOTENCY", "<digest>", "a request already answered (expires)"),
)


def event_pk(event: str) -> str:
    """Partition that holds what the system knows of an event."""
    return f"EVENT#{event}"


def registration_sk(registration: str) -> str:
    """Sort key of a registration."""
    return REGISTRATIONS + registration


def address_digest(email: str) -> str:
    """The digest under which an address is kept, the same for any use of capitals; it cannot be read back."""
    return hashlib.sha256(address_key(email).encode()).hexdigest()


def address_sk(email: str) -> str:
    """Sort key of the row that says an address is taken."""
    return ADDRESSES + address_digest(email)


def run_sk(number: int) -> str:
    """Sort key of a run."""
    return f"{RUNS}{number:06d}"


def task_sk(name: str) -> str:
    """Sort key of a task."""
    return f"TASK#{name}"


def audit_sk(at: str, line: str = "") -> str:
    """Sort key of an audit line: its moment as `models.utc` writes it, and random digits; none for a bound."""
    return f"{AUDIT}{at}" + (f"#{line}" if line else "")


def programmes_pk(event: str, run: int) -> str:
    """Partition that holds the programmes of a run."""
    return f"RUN#{event}#{run:06d}"


def programme_sk(registration: str) -> str:
    """Sort key of a programme."""
    return PROGRAMMES + registration


def mails_pk(event: str) -> str:
    """Partition that holds the mails of an event; `mails.mail_id` makes their sort keys."""
    return f"MAIL#{event}"


def sign_in_sk(nonce: str) -> str:
    """Sort key of a mailed sign-in link."""
    return f"SIGNIN#{nonce}"


def limit_sk(what: str, digest: str, at: datetime) -> str:
    """Sort key of what is counted, or allowed once, in the hour of `at`; `digest` says for whom."""
    return f"{what}#{digest}#{at:%Y%m%d%H}"


def own_link_limit_sk(event: str, email: str, at: datetime) -> str:
    """Sort key of the row that says an address asked for its own link in this hour."""
    return limit_sk(f"link#{event}", address_digest(email), at)


def nobody_sk(nonce: str) -> str:
    """Sort key of the row written in place of a sign-in mail that nobody gets."""
    return f"nobody#{nonce}"


# --------------------------------------------------------------------------- writes and their conditions


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a transaction; `name` is what `ConditionFailedError` calls it when its condition does not hold."""

    action: str
    body: Mapping[str, Any]
    name: str = ""

    def named(self, name: str) -> Write:
        """The same write under another name."""
        return replace(self, name=name)


class Absent:
    """Condition: the attribute (or, on `pk`, the item) does not exist."""


class Present:
    """Condition: the attribute (or, on `pk`, the item) exists."""


@dataclass(frozen=True, slots=True)
class Below:
    """Condition: the number is absent or smaller than the limit."""

    limit: int


@dataclass(frozen=True, slots=True)
class Before:
    """Condition: the text sorts before this one (moments as `models.utc` writes them)."""

    text: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Condition: the value is one of these."""

    values: tuple[str, ...]


class ConditionFailedError(Exception):
    """A condition did not hold, so nothing was written."""

    def __init__(self, refused: Iterable[str] = ()) -> None:
        self.refused = frozenset(refused)
        """Names of the writes whose condition did not hold; a write without a name is not in it."""
        super().__init__(f"condition failed: {', '.join(sorted(self.refused)) or 'an unnamed write'}")


# --------------------------------------------------------------------------- calls


class Table:
    """The few calls Parcours makes of DynamoDB, in plain Python values."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, read consistently, or None."""
        key = {"pk": _serialize(pk), "sk": _serialize(sk)}
        found = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return _plain(found) if found else None

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        newest_first: bool = False,
        after: str = "",
        only: Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        size: int = 0,
    ) -> Iterator[Item]:
        """Every item of a partition whose sk starts with `prefix` (and comes after `after`), page by page.

        Parameters
        ----------
        only
            Attributes to read; none means all. Most of what a long list costs is the reading of its attributes.
        where
            What attributes must be equal to. What differs is read by the table all the same, but not carried here.
        size
            Items a call, for who stops early; 0 means as many as one megabyte holds.
        """
        start: Mapping[str, Any] | None = {"pk": _serialize(pk), "sk": _serialize(after)} if after else None
        condition = "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else "")
        names, values, filtered = _condition(where or {})
        values |= {":pk": _serialize(pk)} | ({":prefix": _serialize(prefix)} if prefix else {})
        wanted = {f"#p{position}": attribute for position, attribute in enumerate(only)}
        arguments = {
            "TableName": self._name,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
            **_expressions(
                names | wanted,
                values,
                KeyConditionExpression=condition,
                FilterExpression=filtered,
                ProjectionExpression=", ".join(wanted),
            ),
            **({"Limit": size} if size else {}),
        }
        while True:
            page = self._client.query(**arguments, **({"ExclusiveStartKey": start} if start else {}))
            yield from map(_plain, page["Items"])
            start = page.get("LastEvaluatedKey")
            if not start:
                return

    def due(self, what: str, until: str) -> Iterator[Item]:
        """Items with `what` left to do by `until`, the oldest first. The index lags by milliseconds."""
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": "due",
            "KeyConditionExpression": "due = :what AND due_at <= :until",
            "ExpressionAttributeValues": {":what": _serialize(what), ":until": _serialize(until)},
        }
        while True:
            page = self._client.query(**arguments)
            yield from map(_plain, page["Items"])
            if not page.get("LastEvaluatedKey"):
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        """Make all of these writes or none of them.

        Raises ConditionFailedError with the names of the writes whose condition did not hold. A meeting with
        another transaction on the same item is no failure: it is tried again after a short random wait.
        """
        for attempt in range(CONFLICT_TRIES):
            try:
                self._client.transact_write_items(TransactItems=[_transact_item(write, self._name) for write in writes])
            except ClientError as error:
                reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in reasons:
                    refused = (
                        w.name for w, code in zip(writes, reasons, strict=True) if code == "ConditionalCheckFailed"
                    )
                    raise ConditionFailedError(filter(None, refused)) from None
                if attempt + 1 == CONFLICT_TRIES or "TransactionConflict" not in reasons:
                    raise
                _wait(attempt)
            else:
                return

    def put_all(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Write items that need no condition, 25 a call. Repeating it writes the same again."""
        self._write_all(
            {"PutRequest": {"Item": {key: _serialize(_storable(value)) for key, value in one.items()}}} for one in items
        )

    def delete_all(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Delete items without condition, 25 a call. Repeating it deletes what is left."""
        self._write_all(
            {"DeleteRequest": {"Key": {"pk": _serialize(one["pk"]), "sk": _serialize(one["sk"])}}} for one in items
        )

    def _write_all(self, requests: Iterable[Mapping[str, Any]]) -> None:
        waiting = list(requests)
        for start in range(0, len(waiting), 25):
            batch = waiting[start : start + 25]
            for attempt in range(CONFLICT_TRIES):
                answer = self._client.batch_write_item(RequestItems={self._name: batch})
                batch = answer.get("UnprocessedItems", {}).get(self._name, [])
                if not batch:
                    break
                _wait(attempt)
            else:
                raise TimeoutError(f"the table did not take {len(batch)} of {len(waiting)} items; try again")

    def count(self, pk: str, sk: str, *, expires: int) -> int:
        """Add one to a counter that expires at this Unix time, and return what it then holds."""
        answer = self._client.update_item(
            TableName=self._name,
            Key={"pk": _serialize(pk), "sk": _serialize(sk)},
            UpdateExpression="ADD #n :one SET expires = :expires",
            ExpressionAttributeNames={"#n": "n"},
            ExpressionAttributeValues={":one": _serialize(1), ":expires": _serialize(expires)},
            ReturnValues="UPDATED_NEW",
        )
        return int(_deserialize(answer["Attributes"]["n"]))


def _wait(attempt: int) -> None:
    # Jitter spreads contention and is no secret.
    time.sleep(random.uniform(0, min(1.0, 0.02 * 2**attempt)))  # noqa: S311


def put(item: Mapping[str, Any], expect: Mapping[str, Any] | None = None, *, name: str = "") -> Write:
    """Write a whole item if what is expected of the stored one holds."""
    names, values, condition = _condition(expect or {})
    body = {"Item": {key: _serialize(_storable(value)) for key, value in item.items()}}
    return Write("Put", body | _expressions(names, values, ConditionExpression=condition), name)


def update(
    pk: str,
    sk: str,
    *,
    assign: Mapping[str, Any] | None = None,
    add: Mapping[str, int] | None = None,
    remove: Sequence[str] = (),
    expect: Mapping[str, Any] | None = None,
    name: str = "",
) -> Write:
    """Change attributes of one item if what is expected of it holds."""
    names, values, condition = _condition(expect or {})
    clauses = []
    for verb, changes, sign in (("SET", assign or {}, " = "), ("ADD", add or {}, " ")):
        parts = []
        for position, (attribute, value) in enumerate(changes.items()):
            names[f"#{verb}{position}"], values[f":{verb}{position}"] = attribute, _serialize(_storable(value))
            parts.append(f"#{verb}{position}{sign}:{verb}{position}")
        clauses += [f"{verb} {', '.join(parts)}"] if parts else []
    for position, attribute in enumerate(remove):
        names[f"#R{position}"] = attribute
    clauses += ["REMOVE " + ", ".join(f"#R{n}" for n in range(len(remove)))] if remove else []
    body = {"Key": {"pk": _serialize(pk), "sk": _serialize(sk)}, "UpdateExpression": " ".join(clauses)}
    return Write("Update", body | _expressions(names, values, ConditionExpression=condition), name)


def delete(pk: str, sk: str, expect: Mapping[str, Any] | None = None, *, name: str = "") -> Write:
    """Delete one item if what is expected of it holds."""
    names, values, condition = _condition(expect or {})
    body = {"Key": {"pk": _serialize(pk), "sk": _serialize(sk)}}
    return Write("Delete", body | _expressions(names, values, ConditionExpression=condition), name)


def check(pk: str, sk: str, expect: Mapping[str, Any], *, name: str = "") -> Write:
    """Write nothing, but let the others go through only if this item is as expected."""
    names, values, condition = _condition(expect)
    body = {"Key": {"pk": _serialize(pk), "sk": _serialize(sk)}}
    return Write("ConditionCheck", body | _expressions(names, values, ConditionExpression=condition), name)


def _condition(expect: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any], str]:
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    parts = []
    for position, (attribute, wanted) in enumerate(expect.items()):
        name, value = f"#c{position}", f":c{position}"
        names[name] = attribute
        match wanted:
            case Absent():
                parts.append(f"attribute_not_exists({name})")
            case Present():
                parts.append(f"attribute_exists({name})")
            case Below(limit=limit):
                parts.append(f"(attribute_not_exists({name}) OR {name} < {value})")
                values[value] = _serialize(limit)
            case Before(text=text):
                parts.append(f"{name} < {value}")
                values[value] = _serialize(text)
            case OneOf(values=allowed):
                marks = [f"{value}x{n}" for n in range(len(allowed))]
                parts.append(f"{name} IN ({', '.join(marks)})")
                values |= {mark: _serialize(one) for mark, one in zip(marks, allowed, strict=True)}
            case _:
                parts.append(f"{name} = {value}")
                values[value] = _serialize(_storable(wanted))
    return names, values, " AND ".join(parts)


def _expressions(names: Mapping[str, str], values: Mapping[str, Any], **texts: str) -> dict[str, Any]:
    """Only the arguments that say something: DynamoDB refuses empty ones."""
    arguments: dict[str, Any] = {key: text for key, text in texts.items() if text}
    if names:
        arguments["ExpressionAttributeNames"] = dict(names)
    if values:
        arguments["ExpressionAttributeValues"] = dict(values)
    return arguments


def _transact_item(write: Write, table: str) -> dict[str, Any]:
    return {write.action: {"TableName": table, **write.body}}


def _storable(value: Any) -> Any:
    """Floats become decimals, which is what DynamoDB's numbers are."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: _storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    return value


def _plain(item: Mapping[str, Any]) -> Item:
    return {key: _value(typed) for key, typed in item.items()}


def _value(typed: Mapping[str, Any]) -> Any:
    """A stored value in plain Python; boto3's own reader takes four times as long, and long lists feel it."""
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value) if value.lstrip("-").isdigit() else _number(Decimal(value))
        case "M":
            return {key: _value(one) for key, one in value.items()}
        case "L":
            return [_value(one) for one in value]
    return _deserialize(typed)  # type: ignore[arg-type] # sets and bytes, which nothing here stores


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
