"""A DynamoDB client that is refused as AWS refuses, and stops where a test wants to look: what moto never does.

`crash_points` ends the process at every call; here the process lives and its call is answered badly, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Call = Callable[..., Any]

TABLE = "parcours"


def refusal(code: str, operation: str, reasons: list[str] | None = None) -> ClientError:
    """An error of DynamoDB; `reasons` are those of a cancelled transaction, write by write."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    if reasons is not None:
        answer["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(answer, operation)


def throttled(_call: Call, operation: str, _arguments: dict[str, Any]) -> Any:
    """The whole call is throttled."""
    raise refusal("ThrottlingException", operation)


def over_capacity(_call: Call, operation: str, _arguments: dict[str, Any]) -> Any:
    """The partition has no capacity left."""
    raise refusal("ProvisionedThroughputExceededException", operation)


def cancelled_for(reason: str) -> Callable[[Call, str, dict[str, Any]], Any]:
    """A transaction is cancelled for its last write, and the reason is this one."""

    def cancelled(_call: Call, operation: str, arguments: dict[str, Any]) -> Any:
        others = ["None"] * (len(arguments["TransactItems"]) - 1)
        raise refusal("TransactionCanceledException", operation, [*others, reason])

    return cancelled


def failed_inside(call: Call, operation: str, arguments: dict[str, Any]) -> Any:
    """It is done, and answered with a fault; the same token finds it done."""
    call(**arguments)
    raise refusal("InternalServerError", operation)


def none_taken(_call: Call, _operation: str, arguments: dict[str, Any]) -> Any:
    """Nothing of a batch is taken."""
    return {"UnprocessedItems": arguments["RequestItems"]}


def half_taken(call: Call, _operation: str, arguments: dict[str, Any]) -> Any:
    """Half of a batch is taken."""
    batch = arguments["RequestItems"][TABLE]
    taken, left = batch[: len(batch) // 2], batch[len(batch) // 2 :]
    if taken:
        call(RequestItems={TABLE: taken})
    return {"UnprocessedItems": {TABLE: left}}


ILLS: dict[str, dict[str, Callable[[Call, str, dict[str, Any]], Any]]] = {
    "transact_write_items": {
        "conflict": cancelled_for("TransactionConflict"),
        "throttled inside": cancelled_for("ThrottlingError"),
        "over capacity inside": cancelled_for("ProvisionedThroughputExceeded"),
        "throttled": throttled,
        "failed inside": failed_inside,
    },
    "batch_write_item": {"none taken": none_taken, "half taken": half_taken, "over capacity": over_capacity},
    "get_item": {"throttled": throttled},
    "query": {"over capacity": over_capacity},
    "update_item": {"throttled": throttled},
}
"""What may befall each operation, by name."""


class UnreliableClient:
    """A client of DynamoDB that counts its calls, answers some badly, and calls the test before each."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._done: set[str] = set()
        self.calls: list[str] = []
        self.befalls: dict[int, str] = {}
        """Which ill befalls which call, counted from 0."""
        self.before: Callable[[str, dict[str, Any]], None] = lambda _operation, _arguments: None
        """Called before each call with its operation and arguments: a barrier between a read and a write."""

    def __getattr__(self, operation: str) -> Any:
        if operation not in ILLS:
            return getattr(self._client, operation)

        def called(**arguments: Any) -> Any:
            number = len(self.calls)
            self.calls.append(operation)
            self.before(operation, arguments)
            token = arguments.get("ClientRequestToken", "")
            if token in self._done:
                return {}
            ill = self.befalls.get(number)
            call = getattr(self._client, operation)

            def through(**given: Any) -> Any:
                answer = call(**given)
                if token:
                    self._done.add(token)
                return answer

            return ILLS[operation][ill](through, operation, arguments) if ill else through(**arguments)

        return called
