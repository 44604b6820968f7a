"""The one table: the shapes of its rows, the functions that spell their keys, and the calls made of DynamoDB.

`SHAPES` lists every kind of row. No other module spells a key; what a row means stands beside its entity.

`due` is a sparse index: only rows with something left to do carry the attributes `due` (what) and `due_at` (when).
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import math
import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from shared.errors import TooBusyError
from shared.text import address_key

PATIENCE = 10.0
"""Seconds for which a call that the table refuses in passing is repeated, if the function's own time lasts so long."""

TIME_TO_ANSWER = 1.5
"""Seconds of a function's own time in which nothing is repeated any more, so that it can say so."""

LONGEST_PAUSE = 0.25
"""Seconds. Longer pauses leave fewer conflicts and a longer tail: tests/integration/register/test_rush.py measures."""

PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Errors of a call that the same call may not meet again. botocore repeats some of them, three times."""

PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons for a cancelled transaction that may not stand a moment later; botocore repeats none of them."""

MOST_WRITES = 100
"""DynamoDB's limit for one transaction."""

Item = dict[str, Any]
_Answer = TypeVar("_Answer")

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


# --------------------------------------------------------------------------- keys

EVENTS_PK = "EVENTS"
STATE_SK = "STATE"
SUMMARY_SK = "SUMMARY"
IMPORT_SK = "IMPORT"
FILE_SK = "FILE"
SESSION_PK = "SESSION"
LIMIT_PK = "LIMIT"
IDEMPOTENCY_PK = "IDEMPOTENCY"
ERASED_PK = "ERASED"
MAIL_RATE_SK = "mail-rate"

REGISTRATIONS = "REGISTRATION#"
ADDRESSES = "ADDRESS#"
RUNS = "RUN#"
AUDIT = "AUDIT#"
PROGRAMMES = "PROGRAMME#"
MESSAGES = "MESSAGE#"
MESSAGE_PEOPLE = "MESSAGEPEOPLE#"


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
    Shape("file", "EVENT#<event>", "FILE", "the event file as it was written, with its comments"),
    Shape("import", "EVENT#<event>", "IMPORT", "what columns and words of imported files mean"),
    Shape("message", "EVENT#<event>", "MESSAGE#<digest>", "a text that an organiser wrote, and to whom"),
    Shape("audit", "EVENT#<event>", "AUDIT#<time>#<random>", "who did what"),
    Shape("summary", "EVENT#<event>", "SUMMARY", "how many there were, after the retention ended"),
    Shape("programme", "RUN#<event>#<number>", "PROGRAMME#<id>", "a person's programme under a run"),
    Shape("mail", "MAIL#<event>", "<mail>", "a mail (index `due` while it is not sent)"),
    Shape("session", "SESSION", "<digest>", "a signed-in organiser (expires)"),
    Shape("sign-in", "SESSION", "SIGNIN#<nonce>", "a sign-in link that was mailed and not used (expires)"),
    Shape("limit", "LIMIT", "<what>#<digest>#<hour>", "a counter behind a cap (expires)"),
    Shape("limit", "LIMIT", "link#<event>#<digest>#<hour>", "an own link was asked for in this hour (expires)"),
    Shape("limit", "LIMIT", "nobody#<nonce>", "written in place of a mail that is not sent (expires)"),
    Shape("mail-rate", "LIMIT", "mail-rate", "the moment of the next free slot of SES's rate"),
    Shape("erased", "ERASED", "<digest>", "a registration was erased; kept as long as backups of it (expires)"),
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


def erased_sk(event: str, registration: str) -> str:
    """Sort key of the row that says a registration was erased.

    The digest is keyed with the registration's id, 80 random bits that are deleted with it: only a backup that still
    holds the registration can tell which one it was.
    """
    return hmac.new(registration.encode(), event.encode(), hashlib.sha256).hexdigest()


def recipient_digest(registration: str, email: str) -> str:
    """What a mail row keeps of the address that a mail to a registration went to.

    Keyed with the registration's id, so that it tells nothing of any other registration with the same address.
    """
    return hmac.new(registration.encode(), address_key(email).encode(), hashlib.sha256).hexdigest()


def run_sk(number: int) -> str:
    """Sort key of a run."""
    return f"{RUNS}{number:06d}"


def task_sk(name: str) -> str:
    """Sort key of a task."""
    return f"TASK#{name}"


def message_people_sk(number: str, part: int) -> str:
    """Sort key of the further ids of the people whom a text is for."""
    return f"{MESSAGE_PEOPLE}{number}#{part:03}"


def message_sk(number: str) -> str:
    """Sort key of a text that an organiser wrote to people."""
    return MESSAGES + number


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


def own_link_limit_sk(event: str, digest: str, at: datetime) -> str:
    """Sort key of the row that says an address asked for its own link in this hour; `digest` is a keyed one."""
    return limit_sk(f"link#{event}", digest, at)


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
    """The few calls Parcours makes of DynamoDB, in plain Python values.

    What the table refuses in passing (throttling, another transaction on the same row, a fault of its own) is repeated
    after a random wait, for `patience` seconds at most and inside the time that `begin` names. Then every method raises
    TooBusyError; of what it was to write nothing is written, except by `put_all` and `delete_all`, which are repeated
    from the start.

    Parameters
    ----------
    patience
        Seconds for which one call is repeated.
    clock, sleep
        Seconds that pass, and a way to let them pass; tests give their own.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._name = client, name
        self._patience, self._clock, self._sleep = patience, clock, sleep
        self._ends = math.inf

    def begin(self, seconds: float) -> None:
        """Note how long the invocation that begins may take: nothing is repeated when its time is over."""
        self._ends = self._clock() + seconds - TIME_TO_ANSWER

    def _repeated(self, call: Callable[[], _Answer]) -> _Answer:
        """The answer of a call, which is repeated while it is refused in passing."""
        ends = self._clock() + self._patience
        for attempt in itertools.count():
            try:
                return call()
            except ClientError as error:
                if not _passes(error) or not self._wait(attempt, ends):
                    raise (TooBusyError() if _passes(error) else error) from error
        raise AssertionError  # the loop has no end of its own

    def _wait(self, attempt: int, ends: float) -> bool:
        """Wait for a random time that grows with each attempt; False when there is no time left for it."""
        # Jitter spreads contention and is no secret.
        pause = random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2 ** min(attempt, 10)))  # noqa: S311
        if self._clock() + pause > min(ends, self._ends):
            return False
        self._sleep(pause)
        return True

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, read consistently, or None."""
        key = {"pk": _serialize(pk), "sk": _serialize(sk)}
        answer = self._repeated(lambda: self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True))
        found = answer.get("Item")
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
            Items a call, for callers that stop early; 0 means as many as one megabyte holds.
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
        yield from self._pages({**arguments, **({"ExclusiveStartKey": start} if start else {})})

    def due(self, what: str, until: str) -> Iterator[Item]:
        """Items with `what` left to do by `until`, the oldest first. The index lags by milliseconds."""
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": "due",
            "KeyConditionExpression": "due = :what AND due_at <= :until",
            "ExpressionAttributeValues": {":what": _serialize(what), ":until": _serialize(until)},
        }
        yield from self._pages(arguments)

    def _pages(self, arguments: Mapping[str, Any]) -> Iterator[Item]:
        """The items of a query, page by page."""
        asked = dict(arguments)
        while True:
            page = self._repeated(lambda: self._client.query(**asked))
            yield from map(_plain, page["Items"])
            if not page.get("LastEvaluatedKey"):
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        """Make all of these writes or none of them.

        Raises ConditionFailedError with the names of the writes whose condition did not hold, and TooBusyError.
        A try whose outcome is not known is repeated under the same token, so that it takes effect once; a cancelled
        one had none, and the next try is a transaction of its own.
        """
        items = [_transact_item(write, self._name) for write in writes]
        token = uuid.uuid4().hex

        def transact() -> None:
            nonlocal token
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except ClientError as error:
                reasons = _reasons(error)
                if reasons:
                    token = uuid.uuid4().hex
                if "ConditionalCheckFailed" in reasons:
                    told = zip(writes, reasons, strict=True)
                    refused = {write.name for write, reason in told if reason == "ConditionalCheckFailed"}
                    raise ConditionFailedError(refused - {""}) from None
                raise

        self._repeated(transact)

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
            ends = self._clock() + self._patience
            for attempt in itertools.count():
                left = self._write_batch(batch)
                if not left:
                    break
                if len(left) < len(batch):
                    ends = self._clock() + self._patience
                batch = left
                if not self._wait(attempt, ends):
                    raise TooBusyError

    def _write_batch(self, batch: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Send one batch; what the table did not take."""
        answer = self._repeated(lambda: self._client.batch_write_item(RequestItems={self._name: batch}))
        return list(answer.get("UnprocessedItems", {}).get(self._name, []))

    def count(self, pk: str, sk: str, number: int, *, most: int, expires: int) -> bool:
        """Add to a counter that expires at this Unix time, unless it would then hold more than `most`: False."""
        if number > most:
            return False
        room = {"n": Below(most - number + 1)}
        counted = update(pk, sk, assign={"expires": expires}, add={"n": number}, expect=room)
        try:
            self._repeated(lambda: self._client.update_item(TableName=self._name, **counted.body))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, write by write; nothing for any other error."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]


def _passes(error: ClientError) -> bool:
    """Whether the same call may succeed a moment later."""
    reasons = set(_reasons(error)) - {"None"}
    return bool(reasons & PASSING_REASONS) if reasons else error.response["Error"]["Code"] in PASSING


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


def mail_withheld(now: datetime) -> Write:
    """A write in place of a mail that is not sent, so that the calls made of the table are the same either way."""
    expires = int((now + timedelta(minutes=15)).timestamp())
    return put({"pk": LIMIT_PK, "sk": nobody_sk(secrets.token_hex(16)), "type": "limit", "expires": expires})
