"""The organisers' function and the allocator on the table of a test, and an organiser signed in."""

from __future__ import annotations

from types import ModuleType

import pytest

from shared.models import Event
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW
from tests.support.organiser_client import Client, at


@pytest.fixture
def app(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The organisers' function, at a moment when registration is open; it waits for no draft."""
    from functions.organise import app

    for name, value in {"table": table, "keys": keys, "PATIENCE": 0.0, "clock": app.clock}.items():
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
