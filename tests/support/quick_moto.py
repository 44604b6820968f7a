"""moto without its costliest habits, so that the suite spends its time on Parcours.

moto copies the whole table once for every write of a transaction, in case it must be rolled back. A call of DynamoDB is
made into a signed HTTP request that is taken apart again, and so is its answer, which takes longer than the call. And
each account begins with a thousand patterns for addresses that no test asks. What tests see stays the same:
`tests/integration/test_quick_moto.py`.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.client
from botocore import xform_name
from botocore.parsers import create_parser
from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID, RESPONSES_METHODS, MockAWS, botocore_stubber, responses_mock
from moto.core.responses import ActionContext, ActionResult
from moto.core.serialize import get_serializer_class
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from responses import CallbackResponse
from werkzeug.exceptions import HTTPException

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


DATA = {
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
}
"""What DynamoDB is asked thousands of times in a run of the suite."""


@dataclass
class _Answer:
    """What the event `after-call` is told of an HTTP answer."""

    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


def _answer(client: Any, model: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and the parsed answer of moto's DynamoDB to the body of a request."""
    handler = DynamoHandler()
    handler.body = handler.params = body
    handler.region, handler.current_account, handler.headers = client.meta.region_name, DEFAULT_ACCOUNT_ID, {}
    try:
        found: Any = getattr(handler, xform_name(model.name))().result
    except ServiceException as error:
        serializer = get_serializer_class("dynamodb", "json")
        context = ActionContext(model.service_model, model, serializer, handler)
        return _refused(client, model, *ActionResult(error).execute_result(context))
    except HTTPException as error:
        return _refused(client, model, int(error.code or 400), {}, str(error.description))
    said = {name: found[name] for name in model.output_shape.members if found.get(name) is not None}
    return 200, json.loads(json.dumps(said))  # as on the wire: moto keeps no part of what the caller has


def _refused(client: Any, model: Any, status: int, headers: Any, body: Any) -> tuple[int, dict[str, Any]]:
    """An error as botocore reads it, with the fields that its kind has."""
    answer = {
        "status_code": status,
        "headers": dict(headers),
        "body": body if isinstance(body, bytes) else body.encode(),
    }
    parser = create_parser("json")
    parsed = parser.parse(answer, model.output_shape)
    client._endpoint._add_modeled_error_fields(answer, parsed, model, parser)
    return status, parsed


def make_moto_quick() -> None:
    """Replace these habits, for the whole process. Every table of the tests has a range key, and stores no bytes."""
    write, copies = DynamoDBBackend.transact_write_items, _Copies()

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

    def make_api_call(self: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
        meta = self.meta
        if operation not in DATA or meta.service_model.service_name != "dynamodb" or not _is_mocked(meta.endpoint_url):
            return over_http(self, operation, arguments)
        model, context = meta.service_model.operation_model(operation), {"client_config": meta.config}
        asked = self._emit_api_params(api_params=arguments, operation_model=model, context=context)
        request = self._serializer.serialize_to_request(asked, model)  # which validates them
        name = f"dynamodb.{operation}"
        meta.events.emit(f"before-call.{name}", model=model, params=request, context=context)
        status, told = _answer(self, model, json.loads(request["body"]))
        told["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
        http = _Answer(status)
        meta.events.emit(f"after-call.{name}", http_response=http, parsed=told, model=model, context=context)
        if status >= 300:
            raise self.exceptions.from_code(told["Error"]["Code"])(told, operation)
        return told

    models.copy = copies  # type: ignore[assignment, attr-defined]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]
    botocore.client.BaseClient._make_api_call = make_api_call  # type: ignore[attr-defined]
    MockAWS._enable_patching = _enable_patching  # type: ignore[method-assign]


over_http = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
"""The call as botocore makes it, and as moto answers it."""


def _is_mocked(endpoint_url: str) -> bool:
    """Whether moto answers what is sent there."""
    return botocore_stubber.enabled and endpoint_url.endswith(".amazonaws.com")


def _enable_patching(self: MockAWS, reset: bool = True) -> None:
    """Start moto, with one pattern for all addresses of AWS in the library `requests`, which nothing here uses."""
    botocore_stubber.enabled = True
    if reset:
        self.reset()
    responses_mock.start()
    address = re.compile(r"https?://.+\.amazonaws\.com/.*")
    for method in RESPONSES_METHODS:
        responses_mock.add(CallbackResponse(method, address, botocore_stubber.process_prepared_request))
