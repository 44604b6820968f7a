"""moto without its two costliest habits, so that the suite spends its time on Parcours.

moto spends a quarter of the time of a test on looking for values under other names, and copies the whole table once for
every write of a transaction, in case it must be rolled back. What tests see stays the same:
`tests/integration/test_quick_moto.py`.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

from moto.core.serialize import ResponseSerializer
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

Keys = dict[str, list[dict[str, Any]]]
"""The keys that a transaction writes, by table."""


class _Copies(threading.local):
    """Stands for the module `copy` in moto's DynamoDB: while a transaction is written, a table is copied once."""

    def __init__(self) -> None:
        self.touched: Keys | None = None
        self.tables: dict[str, Table] = {}

    def begin(self, touched: Keys | None) -> None:
        self.touched, self.tables = touched, {}

    def deepcopy(self, thing: Any) -> Any:
        if self.touched is None or not isinstance(thing, Table):
            return copy.deepcopy(thing)
        if thing.name not in self.tables:
            self.tables[thing.name] = _for_rollback(thing, self.touched[thing.name])
        return self.tables[thing.name]


def _for_rollback(table: Table, keys: list[dict[str, Any]]) -> Table:
    """The table as it is now: a transaction changes the items that it names, and no other."""
    before = copy.copy(table)
    before.items = copy.copy(table.items)
    before.stream_shard = copy.deepcopy(table.stream_shard)
    for key in keys:
        hash_key, range_key = DynamoType(key[table.hash_key_attr]), DynamoType(key[str(table.range_key_attr)])
        if hash_key not in table.items:
            continue
        if before.items[hash_key] is table.items[hash_key]:
            before.items[hash_key] = copy.copy(table.items[hash_key])
        if range_key in table.items[hash_key]:
            before.items[hash_key][range_key] = copy.deepcopy(table.items[hash_key][range_key])
    return before


def make_moto_quick() -> None:
    """Replace the two, for the whole process. Every table of the tests has a range key."""
    write, find, copies = DynamoDBBackend.transact_write_items, ResponseSerializer.get_value, _Copies()

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        touched: Keys = {}
        for item in transact_items:
            for action in item.values():
                touched.setdefault(action["TableName"], []).append(action.get("Key") or action["Item"])
        copies.begin(touched)
        try:
            write(self, transact_items)
        finally:
            copies.begin(None)

    def get_value(self: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        if type(value) is dict and self.operation_model.service_model.service_name == "dynamodb":
            return value.get(key)  # moto's DynamoDB answers in the names of the wire
        return find(self, value, key, shape)

    models.copy = copies  # type: ignore[assignment, attr-defined]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]
    ResponseSerializer.get_value = get_value  # type: ignore[method-assign]
