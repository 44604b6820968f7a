"""The table: every row has a listed shape, and a transaction that is refused says by which write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import botocore.client
import pytest

from shared.table import SHAPES, Absent, ConditionFailedError, Shape, Table, check, put
from tests.support.whole_day import Day, form

VARIES = {
    "event": r"[a-z0-9-]+",
    "id": r"[0-9a-f]{20}",
    "digest": r"[0-9a-f]{32,64}",
    "number": r"[0-9]{6}",
    "name": r"(allocation|late|run|publish|publication|reminder#[0-9]+|message#[0-9a-f]{32}|sensitive|retention"
    r"|organisers|feedback|leaders)",
    "time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z",
    "random": r"[0-9a-f]{8}",
    "mail": r"[a-z-]+(#[0-9]+)?#[0-9a-f]{0,20}(#[a-z0-9-]+)?",
    "nonce": r"[0-9a-f]{32}",
    "what": r"(register|mailbox|move|sign-in-source|sign-in-address)",
    "hour": r"[0-9]{10}",
}
"""What may stand for each part of a key that varies."""


def pattern(key: str) -> str:
    """The regular expression of a key of `SHAPES`."""
    return "".join(VARIES[part[1:-1]] if part[:1] == "<" else re.escape(part) for part in re.split(r"(<[a-z]+>)", key))


def matches(shape: Shape, pk: str, sk: str) -> bool:
    return bool(re.fullmatch(pattern(shape.pk), pk) and re.fullmatch(pattern(shape.sk), sk))


def written_by(operation: str, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The keys, and what else is put, of every row that a call writes or looks at while writing."""
    match operation:
        case "TransactWriteItems":
            for write in arguments["TransactItems"]:
                (body,) = write.values()
                yield body.get("Item") or body["Key"]
        case "BatchWriteItem":
            for (request,) in (item.values() for items in arguments["RequestItems"].values() for item in items):
                yield request.get("Item") or request["Key"]
        case "UpdateItem" | "PutItem" | "DeleteItem":
            yield arguments.get("Item") or arguments["Key"]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """Type ("" where an update does not tell), pk and sk of every row that is written while the test runs."""
    rows: set[tuple[str, str, str]] = set()
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        for row in written_by(operation, arguments):
            rows.add((row.get("type", {}).get("S", ""), row["pk"]["S"], row["sk"]["S"]))
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return rows


@pytest.mark.parametrize("day", [6], indirect=True)
def test_every_row_of_a_whole_day_has_a_listed_shape_and_every_shape_occurs(
    written: set[tuple[str, str, str]], day: Day
) -> None:
    first, second, *_ = day.ids.values()
    day.road.clock.now = day.event.opens_at + timedelta(hours=1)
    moved = {**form(0), "email": "elsewhere@example.net", "answers": {}}
    assert day.web.post(day.link(first), moved).status == 200
    assert day.web.post(f"{day.link(second)}/erasure").status == 200
    assert day.organiser.post("/organise/sign-in", {"email": "stranger@example.org"}).status == 202
    day.road.clock.now = day.event.retained_until + timedelta(minutes=1)
    day.road.run()

    unlisted = [row for row in written if not any(matches(shape, *row[1:]) for shape in SHAPES)]
    mistyped = [row for row in written if row[0] and not any(matches(s, *row[1:]) and s.type == row[0] for s in SHAPES)]
    unused = [shape for shape in SHAPES if not any(matches(shape, *row[1:]) for row in written)]
    assert unlisted == []
    assert mistyped == []
    assert unused == []


def test_a_refused_transaction_names_the_writes_that_refused(table: Table) -> None:
    there = [{"pk": "EVENT#a", "sk": f"there-{number}", "confirmed": 3} for number in range(3)]
    table.write(*map(put, there))

    with pytest.raises(ConditionFailedError) as refused:
        table.write(
            put({"pk": "EVENT#a", "sk": "RUN#000001"}, expect={"pk": Absent()}, name="run"),
            put(there[0], expect={"pk": Absent()}, name="state"),
            check("EVENT#a", "there-1", {"confirmed": 4}, name="counter"),
            check("EVENT#a", "there-2", {"confirmed": 5}),
        )

    assert refused.value.refused == {"state", "counter"}
    assert table.get("EVENT#a", "RUN#000001") is None
