"""The demo's mailbox in a browser: a mail's link leads to the page it names."""

from __future__ import annotations

import base64
from collections.abc import Callable
from email.message import EmailMessage

from playwright.sync_api import Page, expect

from infra.demo.mailbox import Mailbox
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import make_event
from tests.support.mail_samples import every_kind, html_of

Open = Callable[..., Page]


def test_a_link_in_a_mail_opens_the_page_in_a_tab_of_its_own(site: str, open_page: Open) -> None:
    """From the HTML in its frame, and from the plain text below it; the page itself refuses to be framed."""
    with Mailbox().serving() as mailbox:
        deliver(mailbox, f"{site}/events/nature")
        page = open_page(f"{mailbox.url}/1")

        framed = page.frame_locator("iframe").get_by_role("link", name="Open my page")
        for link in (framed, page.locator("pre").get_by_role("link")):
            # Chromium without a window opens no further tab once it showed other pages, so the target is read.
            assert link.evaluate("a => a.target || a.ownerDocument.querySelector('base').target") == "_blank"
            event_page = page.context.new_page()
            event_page.goto(link.get_attribute("href") or "")
            expect(event_page.get_by_role("button", name="Register", exact=True)).to_be_visible()
            assert event_page.url == f"{site}/events/nature"
            event_page.close()
        sandbox = page.locator("iframe").get_attribute("sandbox") or ""
        assert set(sandbox.split()) == {"allow-popups", "allow-popups-to-escape-sandbox"}


def test_a_new_mail_appears_in_the_list_by_itself(open_page: Open) -> None:
    with Mailbox().serving() as mailbox:
        page = open_page(mailbox.url)
        expect(page.get_by_role("link", name="Your place")).to_have_count(0)

        deliver(mailbox, "https://example.org/")

        expect(page.get_by_role("link", name="Your place")).to_be_visible()


def test_no_mail_scrolls_sideways_on_a_phone(open_page: Open, table: Table, keys: Keys) -> None:
    """Not even with its longest word, the digest of a confirmation."""
    mails = every_kind(table, keys, make_event(), "fr")
    page = open_page("about:blank")
    page.set_viewport_size({"width": 320, "height": 640})
    wide = {}
    for name, mail in mails.items():
        page.set_content(html_of(mail))
        wide[name] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert {name: more for name, more in wide.items() if more > 0} == {}


def deliver(mailbox: Mailbox, link: str) -> None:
    """Have a mail with a link taken, as the SES in front of the embedded one takes it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "parcours@example.org", "ann@example.org", "Your place"
    mail.set_content(f"Open your page: {link}\n")
    mail.add_alternative(f'<html><head></head><body><a href="{link}">Open my page</a></body></html>', subtype="html")
    raw = base64.b64encode(bytes(mail)).decode()
    mailbox.take({"Content": {"Raw": {"Data": raw}}, "Destination": {"ToAddresses": ["ann@example.org"]}}, "ses-1")
