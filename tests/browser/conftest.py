"""The pages behind a loopback server, and profiles to open them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shared.models import Event
from shared.table import Table
from tests.browser.serving import serve
from tests.support.factories import NOW

SLOW = 60_000
"""Milliseconds that a page may take on a slow machine before something is wrong with it."""

expect.set_options(timeout=SLOW)

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker of the session opens pages, as each would start a Chromium of its own, with hundreds of megabytes."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture
def now() -> datetime:
    """When the test takes place; a test module may have its own."""
    return NOW


@pytest.fixture
def site(event: Event, table: Table, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the attendees' pages, with the event open for registration."""
    from functions.register import app

    monkeypatch.setattr("functions.register.web.clock", lambda: now)
    with serve({"": app.handler}) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a fresh profile; options are Playwright's for a context (`java_script_enabled=False`)."""
    contexts: list[BrowserContext] = []

    def open_in_fresh_profile(address: str, **options: object) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.goto(address)
        return page

    yield open_in_fresh_profile
    for context in contexts:
        context.close()


def accessibility_faults(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong on the page as it stands, one line a fault: by these rules only, or by all in `RULES`."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {**({"runOnly": {"type": "rule", "values": rules}} if rules else RULES), "resultTypes": ["violations"]}
    found = page.evaluate("options => axe.run(options).then((results) => results.violations)", options)
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in found
        for node in fault["nodes"]
    ]
