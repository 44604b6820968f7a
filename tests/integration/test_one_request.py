"""One id leads from a request to the log lines of every function it reached, to the mail's row and to SES's message."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from functions.register import app as register
from functions.register import web as register_web
from shared.models import Event
from shared.observability import logger
from shared.registrations import register as enter
from shared.table import Table
from shared.tokens import Keys
from tests.support.attendee_client import LambdaContext, api_event
from tests.support.factories import NOW, make_registration
from tests.support.fake_ses import CONTEXT, Clock, rows, ses_event
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import Client

ID = "Cqk9Bg-OFiAEPfw="
FORM = {"name": "Ada", "email": "ada@example.org", "partner_type": "ngo"}


class Lines(logging.Handler):
    """Every log line as it leaves the function."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(logger.registered_formatter.format(record)))

    def about(self, message: str) -> list[Any]:
        """The ids of the lines with this message."""
        return [line.get("correlation_id") for line in self.lines if line["message"] == message]


@pytest.fixture
def log() -> Iterator[Lines]:
    handler = Lines()
    logger.set_correlation_id(None)
    logger.addHandler(handler)
    yield handler
    logger._logger.removeHandler(handler)
    logger.set_correlation_id(None)


def test_a_registration_is_followed_to_the_event_of_its_mail(
    table: Table, keys: Keys, event: Event, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(register_web, name, value)
    wish = {**FORM, "choices": ["vision", "governance", "resources", "wildlife"]}
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    request = api_event("POST", f"/events/{event.id}/registrations", json.dumps(wish), headers=headers)
    request["requestContext"]["requestId"] = ID

    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        assert register.handler(request, LambdaContext())["statusCode"] == 202
        road.run()
        road.feedback.handler(ses_event("Bounce", road.ses.sent[0], bounceType="Permanent"), CONTEXT)

    ((mail, row),) = rows(event.id).items()
    assert (row["request"], road.ses.sent[0].tags["request"]) == (ID, "Cqk9Bg-OFiAEPfw")
    assert (log.about("queued"), log.about("sent"), log.about("bounced")) == ([ID], [ID], [ID])
    assert mail.startswith("confirmation#")


@pytest.mark.parametrize("request_id", ["", "pressed"])
def test_a_publication_is_followed_from_the_press_of_the_button_to_its_mails(
    table: Table,
    keys: Keys,
    event: Event,
    log: Lines,
    app: ModuleType,
    allocate: ModuleType,
    request_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The allocator is woken with the id of the organiser's request; on its own it goes by Lambda's."""
    for number in range(1, 5):
        enter(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    woken: list[Any] = []
    monkeypatch.setattr(app, "allocator", SimpleNamespace(invoke=lambda **call: woken.append(call["Payload"])))
    Client(app, table, keys).sign_in(event).post(f"/organise/{event.id}/allocations", {"mode": "fresh"})
    assert [json.loads(payload)["request"] for payload in woken] == ["r"]

    allocate.handler({"event": event.id, "mode": "fresh", "publish": True, "request": request_id}, CONTEXT)

    assert {row["request"] for row in rows(event.id).values() if row["run"]} == {request_id or CONTEXT.aws_request_id}


def test_what_no_request_wrote_has_no_id_and_no_tag(table: Table, keys: Keys, event: Event, log: Lines) -> None:
    """SES takes no empty tag."""
    enter(table, event, make_registration(id="p1"), now=NOW)

    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        road.step()

    assert rows(event.id)["confirmation#p1"]["request"] == ""
    assert "request" not in road.ses.sent[0].tags
