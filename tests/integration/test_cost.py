"""P15: what a registration costs, from units that are counted, at the list prices of eu-central-1.

A hook reads every call of AWS and `tests.support.meter` counts what DynamoDB bills for it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from functions.allocate import app as allocate
from functions.register import app as register
from shared.models import Event
from shared.table import Table
from shared.tokens import Keys
from tests.support.attendee_client import Web
from tests.support.factories import NOW
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.meter import Meter

pytestmark = pytest.mark.promise("P15")


PEOPLE = 20
WRITE, READ, MESSAGE = 0.7625e-6, 0.1525e-6, 0.4e-6
"""US dollars a unit: DynamoDB on demand, and SQS."""

SEND = 0.10e-3
"""US dollars a mail."""

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """A meter on every call of AWS."""
    meter = Meter()
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        answer = original(self, operation, arguments)
        meter.count(operation, arguments, answer)
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return meter


def test_a_registration_costs_what_the_readme_says(
    event: Event, table: Table, keys: Keys, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the form to the programme in the inbox: confirmation, allocation, programme, for twenty people."""
    monkeypatch.setattr("functions.register.web.clock", lambda: NOW)
    web = Web(register.handler)
    meter.units.clear()
    for number in range(PEOPLE):
        answer = web.post("/events/nature/registrations", wish(number))
        assert answer.status == 202, answer.text
    with Road(table, keys, "nature", Clock(NOW)).open() as road:
        road.run()
        allocate.table = table
        allocate.work_through(event.allocates_at + timedelta(minutes=1))
        road.run()
        sent = len(road.ses.sent)

    assert sent == 2 * PEOPLE
    each = {name: count / PEOPLE for name, count in meter.units.items()}
    dollars = 1000 * (each["write"] * WRITE + each["read"] * READ + each["message"] * MESSAGE)
    said = re.search(r"(\d+) write and (\d+) read units.*?([\d.]+) USD.*?([\d.]+) USD", README.read_text(), re.DOTALL)
    assert said is not None, (each, dollars)
    assert (round(each["write"]), round(each["read"])) == (int(said[1]), int(said[2]))
    assert (f"{dollars:.3f}", f"{1000 * each['mail'] * SEND:.2f}") == (said[3], said[4])


def wish(number: int) -> dict[str, Any]:
    """What one person sends."""
    person = {"name": f"Ann Example {number}", "email": f"ann{number}@example.net", "organisation": "An organisation"}
    return {**person, "partner_type": "ngo", "choices": ["vision", "governance", "resources", "wildlife"]}
