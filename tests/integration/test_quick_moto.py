"""What was made quick in moto behaves as DynamoDB does."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from shared.table import Table
from tests.support.quick_moto import DATA, over_http


def put(sk: str, words: str) -> dict[str, dict[str, object]]:
    """A write of an item, whatever is there."""
    return {"Put": {"TableName": "parcours", "Item": {"pk": {"S": "a"}, "sk": {"S": sk}, "words": {"S": words}}}}


def at(sk: str) -> dict[str, object]:
    """The key of an item, and its table."""
    return {"TableName": "parcours", "Key": {"pk": {"S": "a"}, "sk": {"S": sk}}}


def test_a_cancelled_transaction_leaves_every_item_as_it_was_and_names_what_refused(table: Table) -> None:
    """Put, changed, deleted and new ones, and those that it does not name."""
    client = boto3.client("dynamodb")
    client.transact_write_items(TransactItems=[put(sk, "before") for sk in ("put", "changed", "deleted", "other")])
    before = client.scan(TableName="parcours")["Items"]
    to_after = {"UpdateExpression": "SET words = :w", "ExpressionAttributeValues": {":w": {"S": "after"}}}

    with pytest.raises(ClientError) as refused:
        client.transact_write_items(
            TransactItems=[
                put("put", "after"),
                put("new", "after"),
                {"Update": {**at("changed"), **to_after}},
                {"Delete": at("deleted")},
                {"ConditionCheck": {**at("nothing"), "ConditionExpression": "attribute_exists(pk)"}},
            ]
        )

    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None"] * 4 + ["ConditionalCheckFailed"]
    assert client.scan(TableName="parcours")["Items"] == before


def test_a_transaction_that_is_written_is_whole(table: Table) -> None:
    client = boto3.client("dynamodb")
    client.transact_write_items(TransactItems=[put("put", "before"), put("deleted", "before")])

    client.transact_write_items(TransactItems=[put("put", "after"), {"Delete": at("deleted")}, put("new", "after")])

    items = client.query(
        TableName="parcours", KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "a"}}
    )["Items"]
    assert [(item["sk"]["S"], item["words"]["S"]) for item in items] == [("new", "after"), ("put", "after")]


VALUE = {"ExpressionAttributeValues": {":v": {"S": "other"}}}
MANY = {
    "n": {"N": "7"},
    "list": {"L": [{"BOOL": True}, {"NULL": True}, {"M": {"deep": {"S": "é"}}}]},
    "set": {"SS": ["x"]},
}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("PutItem", {"TableName": "parcours", "Item": {**at("whole")["Key"], **MANY}}),  # type: ignore[dict-item]
    ("PutItem", {"TableName": "parcours", "Item": {**at("whole")["Key"], **MANY}, "ReturnValues": "ALL_OLD"}),  # type: ignore[dict-item]
    (
        "PutItem",
        {"TableName": "parcours", "Item": at("whole")["Key"], "ConditionExpression": "attribute_not_exists(pk)"},
    ),
    ("PutItem", {"TableName": "parcours", "Item": {"pk": {"S": "a"}}}),
    ("PutItem", {"TableName": "parcours", "Item": {"pk": {"S": "a"}, "sk": {"S": ""}}}),
    ("PutItem", {"TableName": "parcours", "Item": "no item"}),
    ("GetItem", at("whole")),
    ("GetItem", {**at("whole"), "ProjectionExpression": "n"}),
    ("GetItem", at("nothing")),
    ("GetItem", {"TableName": "no-table", "Key": at("whole")["Key"]}),
    ("GetItem", {"TableName": "parcours", "Key": {"pk": {"S": "a"}}}),
    ("UpdateItem", {**at("counted"), "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}),
    ("UpdateItem", {**at("whole"), "UpdateExpression": "SET n = :v", **VALUE, "ReturnValues": "ALL_NEW"}),
    ("UpdateItem", {**at("whole"), "UpdateExpression": "SET n = :v", **VALUE, "ConditionExpression": "sk = :v"}),
    ("UpdateItem", {**at("whole"), "UpdateExpression": "SET n = ", **VALUE}),
    (
        "UpdateItem",
        {
            **at("whole"),
            "UpdateExpression": "SET n = :v",
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **VALUE,
        },
    ),
    ("TransactWriteItems", {"TransactItems": [put("one", "1"), put("two", "2")], "ClientRequestToken": "token"}),
    (
        "TransactWriteItems",
        {
            "TransactItems": [
                put("one", "3"),
                {"Delete": {**at("two"), "ConditionExpression": "attribute_not_exists(pk)"}},
            ]
        },
    ),
    ("TransactWriteItems", {"TransactItems": [put("one", "3"), put("one", "4")]}),
    ("TransactWriteItems", {"TransactItems": []}),
    (
        "BatchWriteItem",
        {"RequestItems": {"parcours": [{"PutRequest": {"Item": at(sk)["Key"]}} for sk in ("b1", "b2")]}},
    ),
    ("BatchWriteItem", {"RequestItems": {"parcours": [{"DeleteRequest": {"Key": at("b1")["Key"]}}]}}),
    ("BatchWriteItem", {"RequestItems": {"parcours": [{"DeleteRequest": {"Key": at("b1")["Key"]}}] * 2}}),
    (
        "Query",
        {"TableName": "parcours", "KeyConditionExpression": "pk = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}},
    ),
    (
        "Query",
        {
            "TableName": "parcours",
            "KeyConditionExpression": "pk = :v",
            "ExpressionAttributeValues": {":v": {"S": "a"}},
            "Limit": 2,
            "ScanIndexForward": False,
        },
    ),
    (
        "Query",
        {
            "TableName": "parcours",
            "IndexName": "due",
            "KeyConditionExpression": "due = :v",
            "ExpressionAttributeValues": {":v": {"S": "mail"}},
        },
    ),
    ("Query", {"TableName": "parcours", "KeyConditionExpression": "n = :v", **VALUE}),
    ("Scan", {"TableName": "parcours"}),
    ("DeleteItem", {**at("whole"), "ReturnValues": "ALL_OLD"}),
    ("DeleteItem", {**at("whole"), "ConditionExpression": "attribute_exists(pk)"}),
]


def test_every_call_is_answered_and_refused_as_over_http(aws: None) -> None:
    """One course of calls on a table each: the answers, the errors with their fields, and the rows in the end."""
    client, calls = boto3.client("dynamodb"), [(operation, arguments) for operation, arguments in CALLS]

    def course(call: Any) -> list[Any]:
        told: list[Any] = []
        for operation, arguments in calls:
            try:
                answer = call(client, operation, arguments)
            except ClientError as error:
                answer = {**error.response, "raised": type(error).__name__, "words": str(error)}
            except ParamValidationError as error:
                answer = {"words": str(error)}
            metadata = answer.pop("ResponseMetadata", {})
            told.append((operation, answer, metadata.get("HTTPStatusCode"), metadata.get("RetryAttempts")))
        for row in client.scan(TableName="parcours")["Items"]:
            client.delete_item(TableName="parcours", Key={name: row[name] for name in ("pk", "sk")})
        return told

    quick = course(type(client)._make_api_call)

    assert quick == course(over_http)
    assert {operation for operation, *_ in quick} == DATA
    assert {status for _, _, status, _ in quick} == {200, 400, None}
