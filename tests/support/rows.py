"""Rows in memory behind a client's calls, for as many of them as moto would take hours for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from typing import Any

from tests.support.meter import size
from tests.support.unreliable_client import refusal

Item = dict[str, Any]

PAGE = 1_000_000
"""Bytes that a query reads at most."""

_CLAUSES = re.compile(r"(SET|ADD|REMOVE) (.+?)(?= SET | ADD | REMOVE |$)")


class Rows:
    """The calls and expressions that `shared.table` writes, and no others; pages of a megabyte, the index `due`."""

    def __init__(self) -> None:
        self._items: defaultdict[str, dict[str, Item]] = defaultdict(dict)
        self._order: defaultdict[str, list[str]] = defaultdict(list)
        self._due: defaultdict[str, dict[tuple[str, str], str]] = defaultdict(dict)

    def get_item(self, **arguments: Any) -> Any:
        pk, sk = key_of(arguments)
        found = self._items[pk].get(sk)
        return {"Item": dict(found)} if found else {}

    def query(self, **arguments: Any) -> Any:
        values, names = arguments["ExpressionAttributeValues"], arguments.get("ExpressionAttributeNames", {})
        keys = self._due_keys(values) if "IndexName" in arguments else self._keys(arguments)
        items: list[Item] = []
        read, last = 0, None
        for position, (pk, sk) in enumerate(keys):
            item = self._items[pk][sk]
            read += size(item)
            if _holds(arguments.get("FilterExpression", ""), item, names, values):
                items.append(_projected(item, arguments.get("ProjectionExpression", ""), names))
            if read >= PAGE or position + 1 == arguments.get("Limit"):
                last = {"pk": item["pk"], "sk": item["sk"]}
                break
        return {"Items": items, "Read": read, **({"LastEvaluatedKey": last} if last else {})}

    def _keys(self, arguments: Any) -> list[tuple[str, str]]:
        values = arguments["ExpressionAttributeValues"]
        pk, prefix = values[":pk"]["S"], values.get(":prefix", {"S": ""})["S"]
        order = self._order[pk]
        begin, end = bisect_left(order, prefix), bisect_left(order, prefix + "\U0010ffff")
        start = arguments.get("ExclusiveStartKey")
        if not arguments.get("ScanIndexForward", True):
            end = min(end, bisect_left(order, start["sk"]["S"])) if start else end
            return [(pk, sk) for sk in reversed(order[begin:end])]
        begin = max(begin, bisect_right(order, start["sk"]["S"])) if start else begin
        return [(pk, sk) for sk in order[begin:end]]

    def _due_keys(self, values: Any) -> list[tuple[str, str]]:
        entries = self._due[values[":what"]["S"]]
        due = sorted((at, key) for key, at in entries.items() if at <= values[":until"]["S"])
        return [key for _, key in due]

    def batch_write_item(self, **arguments: Any) -> Any:
        for requests in arguments["RequestItems"].values():
            for request in requests:
                for action, body in request.items():
                    self._apply(action.removesuffix("Request"), body)
        return {"UnprocessedItems": {}}

    def update_item(self, **arguments: Any) -> Any:
        if not self._is_as_expected(arguments):
            raise refusal("ConditionalCheckFailedException", "UpdateItem")
        self._apply("Update", arguments)
        return {}

    def transact_write_items(self, **arguments: Any) -> Any:
        writes = [(action, body) for write in arguments["TransactItems"] for action, body in write.items()]
        refused = [not self._is_as_expected(body) for _, body in writes]
        if any(refused):
            reasons = ["ConditionalCheckFailed" if one else "None" for one in refused]
            raise refusal("TransactionCanceledException", "TransactWriteItems", reasons)
        for action, body in writes:
            self._apply(action, body)
        return {}

    def _is_as_expected(self, body: Any) -> bool:
        pk, sk = key_of(body)
        names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
        return _holds(body.get("ConditionExpression", ""), self._items[pk].get(sk, {}), names, values)

    def _apply(self, action: str, body: Any) -> None:
        pk, sk = key_of(body)
        before = self._items[pk].get(sk)
        after: Item | None
        match action:
            case "Put":
                after = dict(body["Item"])
            case "Delete":
                after = None
            case "Update":
                after = dict(before or body["Key"])
                names, values = body["ExpressionAttributeNames"], body.get("ExpressionAttributeValues", {})
                for verb, changes in _CLAUSES.findall(body["UpdateExpression"]):
                    for change in changes.split(", "):
                        name, _, value = change.replace(" = ", " ").partition(" ")
                        _change(after, verb, names.get(name, name), values.get(value))
            case _:
                return
        self._store(pk, sk, before, after)

    def _store(self, pk: str, sk: str, before: Item | None, after: Item | None) -> None:
        if before and "due" in before:
            self._due[before["due"]["S"]].pop((pk, sk), None)
        if after is None:
            if before is not None:
                del self._items[pk][sk]
                self._order[pk].remove(sk)
            return
        if before is None:
            insort(self._order[pk], sk)
        self._items[pk][sk] = after
        if "due" in after and "due_at" in after:
            self._due[after["due"]["S"]][pk, sk] = after["due_at"]["S"]


def key_of(body: Any) -> tuple[str, str]:
    """The key of an item, or of a call that names one."""
    key = body.get("Key") or body["Item"]
    return key["pk"]["S"], key["sk"]["S"]


def _projected(item: Item, projection: str, names: Any) -> Item:
    wanted = {names[part] for part in projection.split(", ")} if projection else set(item)
    return {name: value for name, value in item.items() if name in wanted}


def _holds(condition: str, item: Any, names: Any, values: Any) -> bool:
    return all(_part_holds(part, item, names, values) for part in condition.split(" AND ") if part)


def _part_holds(part: str, item: Any, names: Any, values: Any) -> bool:
    if match := re.fullmatch(r"attribute_(not_)?exists\((\S+)\)", part):
        return (names[match[2]] in item) is not bool(match[1])
    if match := re.fullmatch(r"\(attribute_not_exists\((\S+)\) OR (\S+) < (\S+)\)", part):
        return names[match[1]] not in item or _number(item[names[match[1]]]) < _number(values[match[3]])
    if match := re.fullmatch(r"(\S+) < (\S+)", part):
        return names[match[1]] in item and bool(item[names[match[1]]]["S"] < values[match[2]]["S"])
    if match := re.fullmatch(r"(\S+) IN \((.+)\)", part):
        return item.get(names[match[1]]) in [values[mark] for mark in match[2].split(", ")]
    if match := re.fullmatch(r"(\S+) = (\S+)", part):
        return bool(item.get(names[match[1]]) == values[match[2]])
    raise NotImplementedError(part)


def _change(item: Item, verb: str, attribute: str, value: Any) -> None:
    match verb:
        case "SET":
            item[attribute] = value
        case "ADD":
            item[attribute] = {"N": str(_number(item.get(attribute, {"N": "0"})) + _number(value))}
        case _:
            item.pop(attribute, None)


def _number(value: Any) -> int:
    return int(value["N"])
