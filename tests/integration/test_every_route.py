"""Rules that every route keeps, tried on the routes as they stand: a new one is under them without being listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from functions.organise import app as organise
from functions.register import app as register
from functions.register import web as register_web
from shared.events import put_event
from shared.models import Event
from shared.registrations import register as register_person
from shared.table import Table
from shared.tokens import SIGN_IN_SALT, Keys, sign, sign_link
from tests.support.attendee_client import Answer, Web
from tests.support.factories import NOW, make_event, make_registration
from tests.support.organiser_client import Client

PERSON = f"{1:020x}"
PUBLIC = "https://parcours.example.org"
FORM = "application/x-www-form-urlencoded"

ELSEWHERE: dict[str, dict[str, str]] = {
    "another origin": {"origin": "https://evil.example"},
    "an origin that starts like ours": {"origin": f"{PUBLIC}.evil.example"},
    "our origin without TLS": {"origin": "http://parcours.example.org"},
    "an origin that is no address": {"origin": "http://["},
    "a hidden origin": {"origin": "null"},
    "a hidden origin of another site": {"origin": "null", "sec-fetch-site": "cross-site"},
    "another site that sends no origin": {"sec-fetch-site": "cross-site"},
    "a neighbour of our domain": {"origin": PUBLIC, "sec-fetch-site": "same-site"},
}
"""What a browser sends of a form that stands on another site."""

WITHOUT_SESSION = {
    ("GET", "/organise/sign-in"),
    ("POST", "/organise/sign-in"),
    ("GET", "/organise/sign-in/<token>"),
    ("POST", "/organise/sign-in/<token>"),
}
"""The only routes of organisers that need no session: those that open one."""


def routes_of(function: Any) -> list[tuple[str, str]]:
    """Every route of a function: its method, and its path with a name for each parameter."""
    resolver = function.app
    return sorted({(route.method, route.path) for route in [*resolver._static_routes, *resolver._dynamic_routes]})


def changing(function: Any) -> list[tuple[str, str]]:
    """The routes of a function that may change something."""
    return [(method, path) for method, path in routes_of(function) if method != "GET"]


@pytest.fixture
def cast(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Event:
    """An event with a registered person, and both functions on its table."""
    event = make_event()
    put_event(table, event, actor="test", now=NOW)
    register_person(table, event, make_registration(number=1, id=PERSON), now=NOW)
    for services in (organise, register_web):
        monkeypatch.setattr(services, "table", table)
        monkeypatch.setattr(services, "keys", keys)
        monkeypatch.setattr(services, "clock", lambda: NOW)
    return event


@pytest.fixture
def session(cast: Event, table: Table, keys: Keys) -> str:
    """The cookie of an organiser's browser."""
    return Client(organise, table, keys).sign_in_browser(cast).cookie


@pytest.fixture
def filled(cast: Event, table: Table, keys: Keys) -> Callable[[str], str]:
    """Fills a route's parameters with an event, a person and links that exist."""
    own = sign_link(keys, cast.id, PERSON, 1)
    nonce = Client(organise, table, keys).ask_link(cast, "organiser@example.org")
    names = {
        "<event_id>": cast.id,
        "<person_id>": PERSON,
        "<member_id>": PERSON,
        "<page>": "day",
        "<number>": "1",
        "<theme_id>": "vision",
        "<round_id>": "first",
        "<file>": "people.csv",
        "<name>": "parcours.css",
    }

    def fill(path: str) -> str:
        path = path.replace("<token>", nonce if path.startswith("/organise") else own)
        for name, value in names.items():
            path = path.replace(name, value)
        assert "<" not in path, f"a parameter that this test does not know: {path}"
        return path

    return fill


def everything(table: Table) -> list[str]:
    """All rows of the table, but those that count requests."""
    rows = boto3.client("dynamodb").scan(TableName="parcours", ConsistentRead=True)["Items"]
    return sorted(json.dumps(row, sort_keys=True) for row in rows if row["pk"]["S"] != "LIMIT")


def send(function: Any, method: str, path: str, cookie: str = "", **headers: str) -> Answer:
    """A form with one field, which is enough to act where a route asks for no more."""
    cookies = {"cookie": cookie} if cookie else {}
    body = "confirmed=yes" if method != "GET" else ""
    sent = {"accept": "text/html", "content-type": FORM, **cookies, **headers}
    return Web(function.handler).send(method, path, body, headers=sent)


def test_there_are_routes_to_try() -> None:
    assert len(changing(organise)) >= 16
    assert len(changing(register)) >= 6


@pytest.mark.parametrize(
    ("function", "method", "path"),
    [
        pytest.param(function, method, path, id=f"{method} {path}")
        for function in (organise, register)
        for method, path in changing(function)
    ],
)
def test_no_route_takes_a_form_of_another_site(
    function: Any, method: str, path: str, session: str, filled: Callable[[str], str], table: Table
) -> None:
    """Refused before anything is read or written, whatever the link or the session would allow."""
    address = filled(path)
    before = everything(table)

    for headers in ELSEWHERE.values():
        answer = send(function, method, address, session, **headers)
        assert (answer.status, "from another site" in answer.text) == (403, True), headers

    assert everything(table) == before


@pytest.mark.parametrize(
    "origin",
    [{"origin": PUBLIC}, {"origin": "null", "sec-fetch-site": "same-origin"}, {}],
    ids=["our own", "our own, hidden", "a program"],
)
def test_forms_of_our_own_pages_pass(
    origin: dict[str, str], session: str, filled: Callable[[str], str], table: Table
) -> None:
    for function in (organise, register):
        for method, path in changing(function):
            answer = send(function, method, filled(path), session, **origin)
            assert "from another site" not in answer.text, path


@pytest.mark.parametrize(
    ("method", "path"),
    [pytest.param(*route, id=" ".join(route)) for route in routes_of(organise) if route not in WITHOUT_SESSION],
)
def test_no_route_of_organisers_answers_without_a_session(
    method: str, path: str, filled: Callable[[str], str], session: str, table: Table
) -> None:
    """Neither without a token nor with one that is invented, cut or used up; and nothing is changed."""
    address, before = filled(path), everything(table)

    for cookie in ("", "parcours=", "parcours=forged", session[:-1], session.swapcase(), f"other{session}"):
        for accept in ("text/html", "application/json"):
            answer = send(organise, method, address, cookie, accept=accept)
            assert answer.status == 401, (cookie, answer.text)

    assert everything(table) == before


def test_a_signing_key_alone_opens_no_session(cast: Event, keys: Keys, table: Table) -> None:
    """A link that is signed but was never mailed is refused as a link that was used."""
    token = sign(keys, SIGN_IN_SALT, [cast.id, "0" * 32])

    answer = send(organise, "POST", f"/organise/sign-in/{token}", origin=PUBLIC)

    assert answer.status == 404
    assert answer.cookies == []
