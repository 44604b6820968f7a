"""What AWS bills for calls: DynamoDB's units, messages of SQS, mails.

A write unit for each KB begun (two in a transaction), one more for each index entry written, a read unit for each 4 KB
begun: DynamoDB's own rule, from its pricing page. moto reports no capacity for transactions, so it stands here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any


def size(item: Any) -> int:
    """Bytes of an item, near enough: its names and values as text."""
    return len(json.dumps(item, default=str))


class Meter:
    """Counts what AWS would bill."""

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()

    def count(self, operation: str, arguments: dict[str, Any], answer: dict[str, Any]) -> None:
        """One call."""
        match operation:
            case "TransactWriteItems":
                for write in arguments["TransactItems"]:
                    self._write(write, twice=True)
            case "BatchWriteItem":
                for request in arguments["RequestItems"]["parcours"]:
                    (body,) = request.values()
                    self._write({"Put": body}, twice=False)
            case "UpdateItem":
                self.units["write"] += 1
            case "GetItem":
                self.units["read"] += max(1, math.ceil(size(answer.get("Item", {})) / 4096))
            case "Query":
                self.units["read"] += max(1, math.ceil(answer.get("Read", size(answer["Items"])) / 4096))
            case "SendMessage":
                self.units["message"] += 3  # sent, received and deleted
            case "SendEmail":
                self.units["mail"] += 1

    def _write(self, write: dict[str, Any], *, twice: bool) -> None:
        (body,) = write.values()
        item = body.get("Item", {})
        kilobytes = max(1, math.ceil(size(item) / 1024))
        self.units["write"] += kilobytes * (2 if twice else 1)
        indexed = "due" in item or "due" in str(body.get("UpdateExpression", "")) + str(body.get("Key", ""))
        self.units["write"] += kilobytes if indexed else 0
