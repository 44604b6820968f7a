"""Requests that schemathesis makes up from the OpenAPI document: none of them is answered with a fault of ours (P7)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from functions.organise import app as organise
from functions.register import app as register
from functions.register import web as register_web
from infra.files.openapi import bodies, document, routes_of
from shared.models import Event
from shared.registrations import register as register_person
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.crash_points import Snapshot
from tests.support.factories import NOW, make_registration
from tests.support.organiser_client import Client

schemathesis = pytest.importorskip("schemathesis")

pytestmark = [pytest.mark.sweep, pytest.mark.promise("P7")]

EXAMPLES = 30
SEED = 20260302
PERSON = f"{1:020x}"
OPERATIONS = sum(len(routes_of(function)) for function in (register, organise))


@pytest.fixture
def session(table: Table, keys: Keys, event: Event, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both functions on a table with an event and a person, and the token of an organiser."""
    register_person(table, event, make_registration(id=PERSON, confirmed_at=None), now=NOW)
    for services in (organise, register_web):
        for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
            monkeypatch.setattr(services, name, value)
    monkeypatch.setattr("functions.organise.sessions.EXPORTS_A_MINUTE", 10**9)
    for cap in ("cap_an_hour", "COSTLY_READS_A_MINUTE"):
        monkeypatch.setattr(register_web, cap, 10**9)
    return Client(organise, table, keys).sign_in(event).token


def test_no_request_that_the_document_allows_is_answered_with_a_fault(session: str, keys: Keys, event: Event) -> None:
    """Parameters that exist and invented ones, bodies that fit the models and bodies that nearly do."""
    known = {
        **{"event_id": event.id, "person_id": PERSON, "number": "1", "theme_id": "vision", "round_id": "first"},
        **{"page": "day", "file": "people.csv", "token": sign_link(keys, event.id, PERSON, 1)},
    }
    schema = schemathesis.openapi.from_dict(document())
    answered: dict[str, int] = {}
    fresh = Snapshot()
    webs = {True: Web(organise.handler), False: Web(register.handler)}

    for found in schema.get_all_operations():
        operation = found.ok()

        @seed(SEED)
        @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def is_answered(case: Any) -> None:
            fresh.restore()
            if len(answered) % 4:  # the fourth has the parameters that schemathesis made up
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            request = case.as_transport_kwargs(base_url="http://localhost")
            path = request["url"].removeprefix("http://localhost")
            headers = {"accept": "application/json", "authorization": f"Bearer {session}"}
            body = request.get("json")
            web = webs[path.startswith("/organise")]
            answer = web.call(case.method, path, body, headers=headers)
            answered[f"{case.method} {path} {len(answered)}"] = answer.status
            assert answer.status < 500, f"seed {SEED}: {case.method} {path} {body}"

        is_answered()

    print(f"{len(answered)} requests, seed {SEED}, by status: {sorted(Counter(answered.values()).items())}")
    assert len(answered) >= OPERATIONS
    assert len(bodies()) > 30
