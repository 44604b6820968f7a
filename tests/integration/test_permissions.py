"""P13: what each function may do with rows is what it does with them, by partition keys; no more and no less.

Every test of the suite is judged (`tests.support.permissions`, wired in tests/conftest.py): a call that the function's
policy does not allow fails the test. Here is the other half, that nothing in a policy can be left out, and the judge
itself. The same is shown on the deployed stack for actions, by tests/journey/test_least_privilege.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.registrations import registrations_of
from shared.table import EVENTS_PK, SESSION_PK, SHAPES, Table, put
from tests.support.fake_ses import Sent, ses_event
from tests.support.organiser_client import CONTEXT
from tests.support.permissions import JUDGE, WRITES, Judge, Request, policies
from tests.support.whole_day import Day, form

pytestmark = pytest.mark.promise("P13")


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "x"}}


def value(text: str) -> dict[str, Any]:
    return {"ExpressionAttributeValues": {":k": {"S": text}}}


def allowed() -> set[tuple[str, str, str]]:
    """Function, statement, and each action and each pattern of it."""
    return {
        (function, one.sid, part)
        for function, statements in policies().items()
        for one in statements
        for part in (*one.actions, *one.patterns)
    }


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """What the functions need of their policies while the test runs."""
    monkeypatch.setattr(JUDGE, "used", set())
    return JUDGE.used


@pytest.mark.parametrize("day", [4], indirect=True)
def test_no_action_and_no_key_could_be_left_out(used: set[tuple[str, str, str]], day: Day) -> None:
    """In a day with a lost mail, erasures and the end of retention each of them is needed."""
    day.road.clock.now = day.event.opens_at + timedelta(hours=1)
    assert day.web.get("/").status == 200
    assert day.web.post("/events/nature/registrations", form(9)).status == 202
    (lost,) = (one.id for one in registrations_of(day.table, "nature") if one.email == form(9)["email"])
    tags = [{"Name": "event", "Value": "nature"}, {"Name": "mail", "Value": f"confirmation_{lost}"}]
    sent = Sent({"Destination": {"ToAddresses": [form(9)["email"]]}, "EmailTags": tags}, "message")
    day.road.feedback.handler(ses_event("Bounce", sent, bounceType="Permanent"), CONTEXT)
    day.organiser.sign_in(day.event)
    first, *_ = day.ids.values()
    assert day.web.post(f"{day.link(first)}/erasure").status == 200
    assert day.organiser.submit(f"/organise/nature/people/{lost}/erasure", {"sure": "yes"}).status == 303
    day.road.clock.now = day.event.retained_until + timedelta(minutes=1)
    day.road.run()

    assert sorted(allowed() - used) == []


OUT_OF_REACH = {
    "register": {"SESSION"},
    "organise": {"IDEMPOTENCY"},
    "allocate": {"SESSION", "LIMIT", "IDEMPOTENCY", "ERASED"},
    "mail": {"SESSION", "IDEMPOTENCY", "ERASED"},
    "feedback": {"EVENTS", "RUN#", "SESSION", "LIMIT", "IDEMPOTENCY", "ERASED"},
    "upkeep": {"SESSION", "IDEMPOTENCY", "ERASED"},
    "relay": {"EVENTS", "EVENT#", "RUN#", "MAIL#", "SESSION", "LIMIT", "IDEMPOTENCY", "ERASED"},
}
"""Kinds of rows, by partition key, that a function cannot reach at all."""


def test_each_function_is_kept_from_the_rows_it_has_nothing_to_do_with() -> None:
    """Every shape of the table is judged, with every action; reading counts as reaching."""
    kinds = {shape.pk.partition("<event>")[0].partition("<")[0]: shape.pk for shape in SHAPES}
    out_of_reach: dict[str, set[str]] = {}
    for function, statements in policies().items():
        for kind, key in kinds.items():
            asked = [Request(one, False, (key,)) for one in (*WRITES.values(), "GetItem", "Query", "BatchWriteItem")]
            if not any(statement.allows(each) for statement in statements for each in asked):
                out_of_reach.setdefault(function, set()).add(kind)

    assert out_of_reach == OUT_OF_REACH


WRITERS_OF_EVENTS = {"organise", "upkeep"}


def test_only_organisers_and_retention_write_event_files() -> None:
    """The public function and the allocator read them."""
    writes = [Request(action, False, (EVENTS_PK,)) for action in ("PutItem", "UpdateItem", "DeleteItem")]
    able = {
        function
        for function, statements in policies().items()
        if any(statement.allows(each) for statement in statements for each in writes)
    }

    assert able == WRITERS_OF_EVENTS


def test_a_function_that_asks_for_more_is_refused_as_by_dynamodb(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public function tries to write an organiser's session, alone and inside a transaction."""
    from functions.register import web

    monkeypatch.setattr(web, "table", table)
    session = {"pk": SESSION_PK, "sk": "forged", "type": "session"}
    code = "def forge(web, *writes):\n    web.table.write(*writes)\n"
    rooms: dict[str, Any] = {}
    exec(compile(code, web.__file__, "exec"), rooms)  # code of that function, as the stack tells

    with pytest.raises(ClientError, match="AccessDeniedException"):
        rooms["forge"](web, put({"pk": "LIMIT", "sk": "x", "type": "limit"}), put(session))

    assert JUDGE.refused == ["register: PutItem of SESSION"]
    JUDGE.refused.clear()
    assert table.get(SESSION_PK, "forged") is None
    assert table.get("LIMIT", "x") is None
    table.write(put(session))  # a test is no function


@pytest.mark.parametrize(
    ("operation", "arguments", "refused"),
    [
        ("GetItem", {"Key": key("MAIL#a")}, ""),
        ("GetItem", {"Key": key("MAIL")}, "GetItem of MAIL"),
        ("GetItem", {"Key": key("mail#a")}, "GetItem of mail#a"),
        ("DeleteItem", {"Key": key("MAIL#a")}, "DeleteItem of MAIL#a"),
        ("BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": key("EVENT#a")}}]}}, "BatchWriteItem of E"),
        ("TransactWriteItems", {"TransactItems": [{"Update": {"Key": key("EVENT#a")}}]}, ""),
        ("TransactWriteItems", {"TransactItems": [{"ConditionCheck": {"Key": key("EVENT#a")}}]}, "ConditionCheckItem"),
        ("Query", {"KeyConditionExpression": "pk = :k", **value("MAIL#a")}, "Query of MAIL#a"),
        ("Scan", {}, "Scan of everything"),
    ],
)
def test_the_judge_judges_as_iam_does(operation: str, arguments: dict[str, Any], refused: str) -> None:
    """`feedback` may read and mark mails and people, row by row."""
    judge = Judge()

    if refused:
        with pytest.raises(ClientError):
            judge.judge("feedback", operation, arguments)
        assert judge.refused[0].startswith(f"feedback: {refused}")
    else:
        judge.judge("feedback", operation, arguments)


def test_a_query_of_the_index_is_judged_by_the_key_of_the_index() -> None:
    """The allocator finds events that are due for it, and no mails; the table's own keys do not count there."""
    judge = Judge()

    def due(what: str) -> dict[str, Any]:
        return {"IndexName": "due", "KeyConditionExpression": "due = :k AND due_at <= :until", **value(what)}

    judge.judge("allocate", "Query", due("allocate"))
    for what in ("mail#3", "EVENT#a"):
        with pytest.raises(ClientError):
            judge.judge("allocate", "Query", due(what))
