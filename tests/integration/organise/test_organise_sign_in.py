"""Who gets in, who stays out, and who learns nothing."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest

from shared.events import audit_lines, put_event, read_event
from shared.models import Event
from shared.table import Table
from shared.tokens import SIGN_IN_SALT, Keys, sign
from tests.support.factories import NOW, make_event
from tests.support.organiser_client import Client, at, sign_in_mails


@pytest.fixture
def client(app: ModuleType, table: Table, keys: Keys) -> Client:
    return Client(app, table, keys)


def test_a_known_and_an_unknown_address_get_the_same_answer_for_the_same_calls(
    client: Client, event: Event, table: Table
) -> None:
    calls: list[str] = []
    boto3.DEFAULT_SESSION = None
    seen: Any = client.app.table._client.meta.events
    seen.register("before-call.*.*", lambda model, **_: calls.append(model.name))
    client.post("/organise/sign-in", {"email": "warm@example.org"})
    answers = []
    for address in ("organiser@example.org", "stranger@example.org"):
        calls.clear()
        answer = client.post("/organise/sign-in", {"email": address})
        answers.append((answer.status, answer.headers, answer.content, tuple(calls)))

    assert answers[0] == answers[1]
    assert answers[0][0] == 202
    assert [mail.to for mail in sign_in_mails(table, event)] == ["organiser@example.org"]


def test_looking_at_the_link_changes_nothing_and_pressing_works_once(client: Client, event: Event) -> None:
    link = client.ask_link(event, "organiser@example.org")
    for _ in range(3):
        assert client.page(f"/organise/sign-in/{link}").status == 200

    first = client.submit(f"/organise/sign-in/{link}", {})
    second = client.submit(f"/organise/sign-in/{link}", {})

    assert (first.status, first.headers["location"]) == (303, "/organise")
    cookie = first.cookies[0]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/organise"))
    assert second.status == 404
    assert client.page(f"/organise/sign-in/{link}").status == 404


def test_a_link_works_for_a_quarter_of_an_hour_and_a_session_for_half_a_day(client: Client, event: Event) -> None:
    link = client.ask_link(event, "organiser@example.org")
    at(client.app, NOW + timedelta(minutes=16))
    assert client.post(f"/organise/sign-in/{link}", {}).status == 404

    client.sign_in(event)
    assert client.get("/organise/nature").status == 200
    at(client.app, NOW + timedelta(hours=13))
    assert client.get("/organise/nature").status == 401


def test_only_the_link_itself_opens_a_session(client: Client, event: Event, keys: Keys) -> None:
    link = client.ask_link(event, "organiser@example.org")
    forged = [
        "",
        "x",
        link[:-1],
        link[1:],
        link.swapcase(),
        sign(keys, SIGN_IN_SALT, ["nature", "0" * 32]),
        sign(keys, "parcours.link", ["nature", "0" * 32]),
        sign(keys, SIGN_IN_SALT, ["nature", "x", 1]),
        link * 20,
        "%00",
        "é",
    ]
    assert {client.post(f"/organise/sign-in/{token}", {}).status for token in forged} <= {404, 405}
    assert client.post(f"/organise/sign-in/{link}", {}).status == 200


def test_sign_out_ends_the_session(client: Client, event: Event, table: Table) -> None:
    client.sign_in_browser(event)
    assert client.page("/organise/nature").status == 200

    client.submit("/organise/sign-out", {})

    assert client.page("/organise/nature").status == 401
    assert [line["act"] for line in audit_lines(table, "nature")][:2] == ["sign-out", "sign-in"]


def test_another_events_organiser_is_refused(client: Client, event: Event, table: Table) -> None:
    other = make_event(id="other", organiser_emails=["other@example.org"])
    put_event(table, other, actor="test", now=NOW)
    client.sign_in(other, "other@example.org")

    assert client.get("/organise/other").status == 200
    assert client.get("/organise/nature").status == 403
    assert client.post("/organise/nature/people", {}).status == 403
    assert client.get("/organise/nowhere").status == 404
    assert [one["id"] for one in client.get("/organise").json["events"]] == ["other"]


def test_who_is_taken_off_the_event_file_is_out_at_once(client: Client, event: Event, table: Table) -> None:
    client.sign_in(event)
    assert client.get("/organise/nature").status == 200

    put_event(table, make_event(organiser_emails=["new@example.org"]), actor="test", now=NOW)

    assert client.get("/organise/nature").status == 403
    assert read_event(table, "nature") is not None


def test_a_form_from_another_site_is_refused(client: Client, event: Event) -> None:
    client.sign_in_browser(event)
    client.headers["origin"] = "https://evil.example.org"
    body = {"name": "A", "email": "a@example.org", "partner_type": "ngo"}

    assert client.post("/organise/nature/people", body).status == 403
    assert client.post("/organise/sign-out", {}).status == 403
    assert client.post("/organise/sign-in", {"email": "organiser@example.org"}).status == 403


def test_a_flood_of_requests_keeps_no_organiser_out(client: Client, event: Event, table: Table) -> None:
    """The answer is the same at every request, and the newest mailed link is at most five minutes old."""
    moment = NOW
    for _ in range(13):
        for address in ("organiser@example.org", "stranger@example.org"):
            statuses = [client.post("/organise/sign-in", {"email": address}).status for _ in range(2)]
            assert statuses == [202] * 2
        latest = max(sign_in_mails(table, event), key=lambda mail: mail.created_at)
        assert moment - datetime.fromisoformat(latest.created_at) <= timedelta(minutes=5)
        moment += timedelta(minutes=5)
        at(client.app, moment)
    assert len(sign_in_mails(table, event)) == 2 * 13


@pytest.mark.parametrize("email", [None, 3, "", "no address", "a@b", "x@y.z\n", {"a": 1}, ["a@example.org"]])
def test_no_address_no_link(client: Client, event: Event, email: object) -> None:
    assert client.post("/organise/sign-in", {"email": email}).status in {202, 422}
    assert not sign_in_mails(client.table, event)


def test_a_session_that_ends_while_a_form_is_filled_in_loses_nothing_that_was_typed(
    app: ModuleType, table: Table, keys: Keys, event: Event
) -> None:
    """The refused page keeps every field; after signing in in another tab the same form is accepted."""
    browser = Client(app, table, keys)
    typed = {"name": "Zoë <b>", "email": "zoe@example.org", "partner_type": "ngo", "pinned_first": ""}

    refused = browser.submit("/organise/nature/people", typed)

    assert refused.status == 401
    assert 'action="/organise/nature/people"' in refused.text
    assert 'target="_blank"' in refused.text
    fields = re.findall(r'<textarea name="([^"]+)"[^>]*>\n([^<]*)</textarea>', refused.text)
    assert {name: html.unescape(text) for name, text in fields} == typed
    browser.sign_in_browser(event)
    assert browser.submit("/organise/nature/people", {**typed, "name": "Zoë"}).status == 303
    assert "textarea" not in Client(app, table, keys).page("/organise/nature").text


def test_signing_in_leads_to_the_page_that_was_asked_for(
    app: ModuleType, table: Table, keys: Keys, event: Event
) -> None:
    """A bookmark or a link in a mail opens where it points, once the mailed link was used in the same browser."""
    visitor = Client(app, table, keys)
    wanted = "/organise/nature/people"
    form = visitor.page(wanted)
    assert (form.status, f'name="page" value="{wanted}"' in form.text) == (401, True)

    sent = visitor.submit("/organise/sign-in", {"email": "organiser@example.org", "page": wanted})
    (mail,) = sign_in_mails(table, event)
    visitor.cookie = next(one for one in sent.cookies if one.startswith("parcours_page=")).split(";")[0]
    token = sign(keys, SIGN_IN_SALT, [event.id, mail.facts["nonce"]])
    signed = visitor.submit(f"/organise/sign-in/{token}", {})
    assert signed.headers["location"] == wanted
    assert any(one.startswith("parcours=") for one in signed.cookies)


ELSEWHERE = (
    "https://example.org/",
    "//example.org",
    "/organise/../x",
    "/organise/sign-out",
    "/organise/a?b",
    "/events",
)


@pytest.mark.parametrize("page", ELSEWHERE)
def test_no_page_elsewhere_is_gone_to_after_signing_in(
    app: ModuleType, table: Table, keys: Keys, event: Event, page: str
) -> None:
    """Neither a form nor a cookie decides where a person who signs in is sent to."""
    visitor = Client(app, table, keys)
    sent = visitor.submit("/organise/sign-in", {"email": "organiser@example.org", "page": page})
    assert not any(one.startswith("parcours_page=") for one in sent.cookies)
    (mail,) = sign_in_mails(table, event)
    visitor.cookie = f"parcours_page={page}"
    token = sign(keys, SIGN_IN_SALT, [event.id, mail.facts["nonce"]])
    assert visitor.submit(f"/organise/sign-in/{token}", {}).headers["location"] == "/organise"
