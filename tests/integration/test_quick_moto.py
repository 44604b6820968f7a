"""What was made quick in moto behaves as DynamoDB does."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from shared.table import Table


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
