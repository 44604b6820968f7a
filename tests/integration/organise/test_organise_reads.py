"""What pages cost the table, who may open which, and that every act is written down."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.organise import web
from shared.acts import Act
from shared.events import audit_lines, put_event
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import register
from shared.table import Table, update
from shared.tokens import Keys
from tests.support.factories import NOW, make_event, make_registration
from tests.support.organiser_client import CONTEXT, Client, at, fill, make_crowd, words_of

HOME = "/organise/nature"
PEOPLE = 33
ONE = f"{1:020x}"

PAGES = [
    "/organise", *(f"{HOME}{path}" for path in (
        "", "/people", "/people?q=person", f"/people/{ONE}", "/people/new", "/people/import", "/allocations",
        "/allocations/1", "/allocations/1/outbox", "/allocations/1/allocation.json", "/mails", "/door",
        "/door?q=person", "/workshops/vision/first", "/workshops/vision/first/attendance",
        "/sheets", "/programmes", "/badges", "/exports", "/file", "/audit", "/people.csv",
        "/people.xlsx", "/programmes.csv", "/workshops.csv", "/audit.csv", "/PEOPLE.csv", "/EVENT.yaml",
    )),
]  # fmt: skip

LISTS = ["", "/people", "/allocations/1/allocation.json", "/mails", "/sheets", "/people.csv", "/audit.csv"]

DOOR = re.compile(
    r"/organise/<event_id>(/door|/walk-ins|/sheets|/badges|/programmes|/workshops/.+|/people/<person_id>/check-in)?"
)
"""The rules of routes that a helper at the door may use; a PATCH of a person checks its fields itself."""


@pytest.fixture
def crowded(organiser: Client, browser: Client, allocate: ModuleType, table: Table) -> Client:
    """An event with people and a published allocation, and an organiser's browser on it."""
    event = make_event(door_emails=["door@example.org"])
    put_event(table, event, actor="test", now=NOW)
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    organiser.post(f"{HOME}/allocations", {})
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    assert (
        organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": PEOPLE, "afterwards": "keep"}).status
        == 202
    )
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    return browser


@pytest.fixture
def calls(crowded: Client, table: Table) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every call made of the table from now on, with its parameters."""
    made: list[tuple[str, dict[str, Any]]] = []
    events = table._client.meta.events

    def note(model: Any, params: Any, **_: object) -> None:
        made.append((model.name, json.loads(params["body"])))

    events.register("before-call.dynamodb.*", note)
    yield made
    events.unregister("before-call.dynamodb.*", note)


def test_no_page_scans_the_table_or_writes(crowded: Client, calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Each page reads single items and partitions of its own event, and a GET leaves nothing behind."""
    ours = {"EVENTS", "EVENT#nature", "MAIL#nature", "RUN#nature#000001"}
    for path in PAGES:
        calls.clear()
        assert crowded.page(path).status == 200, path

        written = [sent for name, sent in calls if name not in {"GetItem", "Query"}]
        assert all(sent["Key"]["pk"]["S"] == "LIMIT" for sent in written), path  # costly files are counted
        asked = {sent["ExpressionAttributeValues"][":pk"]["S"] for name, sent in calls if name == "Query"}
        assert asked <= ours, path
        assert len(calls) <= 10, (path, Counter(name for name, _ in calls))


def test_lists_are_whole_however_small_the_tables_pages_are(
    crowded: Client, table: Table, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    """DynamoDB answers a megabyte at a time; here it answers seven items at a time."""
    whole = {path: crowded.page(f"{HOME}{path}").text for path in LISTS}

    def little(params: dict[str, Any], **_: object) -> None:
        params["Limit"] = min(7, params.get("Limit", 7))

    table._client.meta.events.register("provide-client-params.dynamodb.Query", little)
    calls.clear()
    in_pieces = {path: crowded.page(f"{HOME}{path}").text for path in LISTS}

    assert in_pieces == whole
    assert sum("ExclusiveStartKey" in sent for _, sent in calls) > PEOPLE


def test_the_audit_list_is_read_a_page_at_a_time(
    crowded: Client, calls: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newest first, on to the oldest by links, every line once, and never more read than is shown."""
    monkeypatch.setattr(web, "PAGE_SIZE", 10)
    address, seen = f"{HOME}/audit", []
    while address:
        calls.clear()
        page = crowded.page(address).text
        [query] = [sent for name, sent in calls if name == "Query" and "AUDIT#" in json.dumps(sent)]
        assert query["Limit"] == 11
        seen += re.findall(r"<tr><td class=\"date\">.*?</tr>", page, re.DOTALL)
        older = re.search(r'href="(\?before=[^"]+)" rel="next"', page)
        address = f"{HOME}/audit{older[1]}" if older else ""

    assert len(seen) == len(list(audit_lines(crowded.table, "nature")))
    assert "published" in words_of(seen[0])


def routes(app: ModuleType) -> list[tuple[str, str]]:
    """Every route below an event: its method and its rule, with names for what stands in it."""
    resolver = app.app
    found = [*resolver._static_routes, *resolver._dynamic_routes]
    return sorted((one.method, one.path) for one in found if one.path.startswith("/organise/<event_id>"))


def test_every_route_asks_who_it_is(crowded: Client, keys: Keys, event: Event, table: Table) -> None:
    """Nobody gets in without a session, a stranger's session opens nothing, a helper's opens the day."""
    stranger = make_event(id="other", organiser_emails=["other@example.org"])
    put_event(table, stranger, actor="test", now=NOW)
    visitors = {
        "nobody": Client(crowded.app, table, keys),
        "a stranger": Client(crowded.app, table, keys).sign_in(stranger, "other@example.org"),
        "a helper": Client(crowded.app, table, keys).sign_in(event, "door@example.org"),
    }
    before = [dict(item) for item in table.query("EVENT#nature", "REGISTRATION#")]
    rules = routes(crowded.app)
    assert len(rules) > 30

    for method, rule in rules:
        path = rule.replace("<event_id>", "nature").replace("<person_id>", ONE).replace("<number>", "1")
        path = path.replace("<theme_id>", "vision").replace("<round_id>", "first").replace("<file>", "people.csv")
        body = {"name": "Other"} if method == "PATCH" else {"undo": "no"} if path.endswith("check-in") else {}
        body |= {"absent": ONE} if path.endswith("attendance") else {}
        answers = {who: client.send(method, path, body).status for who, client in visitors.items()}
        helped = method != "PATCH" and DOOR.fullmatch(rule) and rule != "/organise/<event_id>"
        helped = helped and not path.endswith("calling-off")
        assert answers["nobody"] == 401, (method, rule)
        assert answers["a stranger"] == 403, (method, rule)
        works = 422 if path.endswith("walk-ins") else 200  # no name was sent
        assert answers["a helper"] == (works if helped else 403), (method, rule)

    after = [dict(item) for item in table.query("EVENT#nature", "REGISTRATION#")]
    changed = [one["id"] for one, other in zip(before, after, strict=True) if one != other]
    assert changed == [ONE]  # checked in by the helper, and nothing else


def test_every_act_is_in_the_audit_list(app: ModuleType, table: Table, keys: Keys, event: Event) -> None:
    """One line for each act, with who did it; the list of acts that pages can name is the list of acts there are."""
    from functions.allocate import app as allocate

    allocate.table = table
    fill(table, event, make_crowd(event, 3, NOW), NOW)
    before = Counter(line["act"] for line in audit_lines(table, "nature"))
    client = Client(app, table, keys).sign_in(event)
    person = f"{HOME}/people/{ONE}"
    text = client.get(f"{HOME}/file").json["text"]
    csv = "name,email,partner_type\nPerson 70,person70@example.org,ngo\n"
    preview = client.post(f"{HOME}/people/import", {"csv": csv}).json["expected"]
    acts: list[tuple[str, str, str, Any]] = [
        ("add-person", "POST", f"{HOME}/people", {"name": "P", "email": "p@example.org", "partner_type": "ngo"}),
        ("add-person", "POST", f"{HOME}/people/import", {"csv": csv, "expected": preview}),
        ("correct", "PATCH", person, {"organisation": "Another"}),
        ("pin", "PATCH", person, {"pinned": {"first": "vision"}}),
        ("mark-absent", "PATCH", person, {"absent": ["second"]}),
        ("check-in", "POST", f"{person}/check-in", {}),
        ("undo-check-in", "POST", f"{person}/check-in", {"undo": True}),
        ("send-again", "POST", f"{person}/mails", {}),
        ("hold-mail", "POST", f"{HOME}/mails/hold", {}),
        ("request-allocation", "POST", f"{HOME}/allocations", {}),
        ("publish", "POST", f"{HOME}/allocations/1/publication", {"expected_mails": 5, "afterwards": "keep"}),
        ("mark-present", "POST", f"{HOME}/workshops/vision/first/attendance", {"present": ONE}),
        ("undo-present", "POST", f"{HOME}/workshops/vision/first/attendance", {"absent": ONE}),
        ("request-allocation", "POST", f"{HOME}/allocations", {}),
        ("delete-draft", "POST", f"{HOME}/allocations/2/deletion", {"sure": True}),
        ("release-mail", "POST", f"{HOME}/mails/release", {}),
        ("send-failed-again", "POST", f"{HOME}/mails/again", {"expected": 1}),
        ("withdraw", "POST", f"{person}/withdrawal", {}),
        ("erase", "POST", f"{person}/erasure", {"sure": True}),
        ("put-event", "POST", f"{HOME}/file", {"text": text.replace("A day on", "One day on")}),
        ("replace-commitment", "POST", f"{HOME}/commitment", {"seed": "another"}),
        ("release-unconfirmed", "POST", f"{HOME}/people/release", {"expected": 1}),
        (
            "write-to-people",
            "POST",
            f"{HOME}/messages",
            {"group": "all", "subject": "Boots", "body": "Bring boots.", "expected_mails": 4},
        ),
        ("walk-in", "POST", f"{HOME}/walk-ins", {"name": "Q", "partner_type": "ngo"}),
        ("free-seats", "POST", f"{HOME}/no-shows", {"expected": 4}),
        ("cancel-event", "POST", f"{HOME}/cancellation", {"expected_mails": 4}),
        ("undo-cancellation", "POST", f"{HOME}/cancellation/undo", {"expected_mails": 0}),
        ("sign-out", "POST", "/organise/sign-out", {}),
    ]
    for act, method, path, body in acts:
        if act == "release-unconfirmed":
            register(table, event, make_registration(number=80, confirmed_at=None), now=NOW)
        if act == "send-failed-again":
            failed = next(mails_of(table, "nature", "confirmation"))
            table.write(update("MAIL#nature", failed.id, assign={"state": "failed"}))
        if act == "walk-in":
            at(app, event.starts_at + timedelta(hours=1))
            client.sign_in(event)
        answer = client.send(method, path, body)
        assert answer.status < 300, (act, answer.text)
        if act == "request-allocation":
            allocate.handler({"event": "nature", "run": answer.json["number"]}, CONTEXT)
    at(app, NOW + timedelta(days=60))
    client.sign_in(event)
    assert client.post(f"{HOME}/retirement", {}).status == 200

    # Freeing seats is a line for each of four people.
    done = Counter({"sign-in": 3, "retire-event": 1, "free-seats": 3}) + Counter(act for act, *_ in acts)
    lines = list(audit_lines(table, "nature"))
    assert Counter(line["act"] for line in lines) - before == done
    assert {line["actor"] for line in lines} == {"test", "organiser@example.org"}
    assert set(done) == set(Act)
