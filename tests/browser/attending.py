"""An attendee at a browser: what they type, and where their mail leads them."""

from __future__ import annotations

import re
from datetime import datetime
from email import message_from_bytes
from email.policy import default

from playwright.sync_api import Page

from shared.letters.compose import compose
from shared.mails import mails_of
from shared.models import Event, MailKind
from shared.settings import public_url
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import make_event

QUESTIONS = [
    {"id": "diet", "kind": "text", "label": "Diet or allergies", "purpose": "For the caterer.", "sensitive": True},
    {"id": "lunch", "kind": "choice", "label": "Lunch", "purpose": "To order it.", "options": ["Soup", "Bread"]},
    {"id": "list", "kind": "consent", "label": "I may stand on the list", "purpose": "It is handed out on the day."},
]


def asking_event(**changes: object) -> Event:
    """An event that asks one question of each kind."""
    return make_event(questions=QUESTIONS, **changes)


def mailed_link(table: Table, keys: Keys, kind: MailKind, site: str, *, now: datetime) -> str:
    """The own link in the one mail of this kind, as it leads to the pages under test."""
    [row] = mails_of(table, "nature", kind)
    mail = message_from_bytes(compose(table, keys, row, now=now).raw, policy=default)
    text = mail.get_body(("plain",))
    assert text is not None
    [link] = set(re.findall(rf"{re.escape(public_url())}(/r/\S+)", text.get_content()))
    return site + str(link)


def ranking(page: Page) -> list[str]:
    """The themes in the order in which they stand on the page."""
    return [str(row.get_attribute("data-theme")) for row in page.locator("[data-theme]").all()]


def chosen(page: Page) -> list[str]:
    """What the selects would send, the best first."""
    selects = page.locator("[data-choices] select")
    return [selects.nth(place).input_value() for place in range(selects.count())]


def fill_details(page: Page, number: int = 1) -> None:
    """Name, address and kind of organisation, the way a hand fills them in."""
    page.get_by_label("Full name").fill(f"Person {number}")
    page.get_by_label("Email address").fill(f"person{number}@example.org")
    page.get_by_label("Ngo").check()


def tab_to(page: Page, selector: str, *, most: int = 80) -> None:
    """Press Tab until the focus is on what the selector names; a page that never gets there is a fault."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")
