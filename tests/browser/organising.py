"""An organiser at a browser: the pages behind the loopback server, the allocator at their hand, their mailed link."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from types import SimpleNamespace
from unittest.mock import patch

from playwright.sync_api import BrowserContext, Page

from functions.allocate import app as allocate
from functions.organise import app as organise
from functions.register import app as register
from shared.letters.compose import compose
from shared.models import Event
from shared.settings import public_url
from shared.table import Table
from shared.tokens import Keys
from tests.browser.attending import QUESTIONS
from tests.browser.serving import serve
from tests.support.factories import make_event
from tests.support.organiser_client import CONTEXT, Client, at, sign_in_mails

HELPER = "door@example.org"


def organised_event(seats: int = 10, **changes: object) -> Event:
    """An event with facilitators to pin, questions, a helper at the door, and so many seats a workshop."""
    themes = [
        {"id": one, "title": title, "description": f"About {one}.", "capacity": seats, "rooms": f"Room {one}"}
        for one, title in (
            ("vision", "Building a shared vision"),
            ("governance", "Governance and planning"),
            ("resources", "People, money and other resources"),
            ("wildlife", "Wildlife crossings & connected habitats"),
        )
    ]
    return make_event(questions=QUESTIONS, door_emails=[HELPER], themes=themes, **changes)


@contextmanager
def organiser_site(table: Table, keys: Keys, now: datetime) -> Iterator[str]:
    """The address of all pages at this moment; a draft asked for there is made before the answer comes.

    In the cloud the organisers' function invokes the allocator and does not wait for it.
    """

    def invoke(*, Payload: bytes, **_: object) -> None:  # noqa: N803
        allocate.handler(json.loads(Payload), CONTEXT)

    with (
        patch.multiple(organise, table=table, keys=keys, clock=organise.clock),
        patch.object(organise, "allocator", SimpleNamespace(invoke=invoke)),
        patch.object(allocate, "table", table),
        patch("functions.register.web.clock", lambda: now),
        serve({"/organise": organise.handler, "": register.handler}) as address,
    ):
        at(organise, now)
        yield address


def sign_in(
    context: BrowserContext, site: str, table: Table, keys: Keys, address: str = "organiser@example.org"
) -> None:
    """Give a browser the session that a mailed link opens."""
    client = Client(organise, table, keys).sign_in_browser(make_event(), address)
    name, _, value = client.cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": f"{site}/organise"}])


def mailed_sign_in_link(table: Table, keys: Keys, site: str, *, now: datetime) -> str:
    """The link in the newest sign-in mail, as it leads to the pages under test."""
    row = max(sign_in_mails(table, make_event()), key=lambda mail: mail.created_at)
    mail = message_from_bytes(compose(table, keys, row, now=now).raw, policy=default)
    text = mail.get_body(("plain",))
    assert text is not None
    [link] = set(re.findall(rf"{re.escape(public_url())}(/organise/sign-in/\S+)", text.get_content()))
    return site + str(link)


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window: nobody should have to scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
