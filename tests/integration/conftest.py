"""The organisers' function and the allocator on the table of a test, and an organiser signed in."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from shared.models import Event
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.organiser_client import Client, at
from tests.support.whole_day import Day


@pytest.fixture
def app(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The organisers' function, at a moment when registration is open."""
    from functions.organise import app

    for name, value in {"table": table, "keys": keys, "clock": app.clock}.items():
        monkeypatch.setattr(app, name, value)
    at(app, NOW)
    return app


@pytest.fixture
def organiser(app: ModuleType, table: Table, keys: Keys, event: Event) -> Client:
    """An organiser's program, signed in."""
    return Client(app, table, keys).sign_in(event)


@pytest.fixture
def browser(app: ModuleType, table: Table, keys: Keys, event: Event) -> Client:
    """An organiser's browser, signed in."""
    return Client(app, table, keys).sign_in_browser(event)


@pytest.fixture
def allocate(table: Table, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The allocator on the same table; nobody wakes it but the test."""
    from functions.allocate import app

    monkeypatch.setattr(app, "table", table)
    return app


@pytest.fixture
def day(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Day]:
    """The whole day, lived by as many people as the test asks for."""
    from functions.allocate import app as allocate
    from functions.organise import app as organise
    from functions.register import web as register

    road = Road(table, keys, "nature", Clock(NOW))
    for app in (register, organise, allocate):
        monkeypatch.setattr(app, "table", table)
        monkeypatch.setattr(app, "clock", road.clock, raising=False)
    for app in (register, organise):
        monkeypatch.setattr(app, "keys", keys)
    with road.open():
        yield Day(request.param, table, keys, road, organise, allocate)
