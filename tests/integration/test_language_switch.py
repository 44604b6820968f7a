"""Switching the language without a script loses nothing that was typed, and stores nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.events import put_event
from shared.models import Event
from shared.pages import PAGES
from shared.registrations import register, registrations_of
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event, make_registration
from tests.support.forms import PageForm, read_forms
from tests.support.organiser_client import Client

TYPED = "Ada Typed-This"

WHO = f"{1:020x}"

NOTHING_TO_KEEP = {
    *("organise/call_off.html", "organise/cancellation.html", "organise/attendance.html", "organise/badges.html"),
    *("organise/draft.html", "organise/setup.html", "organise/setup_difference.html", "organise/mails.html"),
    *("organise/message_preview.html", "organise/sign_in_again.html", "organise/dashboard.html"),
    *("organise/layout.html", "organise/people.html", "register/registered.html", "register/confirm.html"),
    *("register/address.html", "register/own_group.html"),
}
"""Templates whose forms are buttons, a search that stands in the address, or one line that is filled in already."""


@pytest.fixture
def web(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A reader in front of the attendees' function."""
    from functions.register import app, web

    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    return Web(app.handler)


def typed_form(text: str) -> PageForm:
    action = re.search(r'formaction="([^"]+)"[^>]* lang="nl"', text)
    assert action is not None, text[:400]
    [form] = [one for one in read_forms(text) if one.id == "typed"]
    form.action = action[1].replace("&amp;", "&")
    return form


def test_every_template_with_fields_says_which_form_is_kept() -> None:
    for template in sorted(PAGES.glob("*/*.html")):
        text, name = template.read_text(), template.relative_to(PAGES).as_posix()
        if "<form" in text and name not in NOTHING_TO_KEEP:
            assert '<form id="typed"' in text, name
            assert "{% block typed %}" in text, name


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/events/nature", "name"),
        ("/events/nature/links", "email"),
        ("/events/nature/group?rows=10", "name_2"),
        ("own", "name"),
    ],
)
def test_what_an_attendee_typed_is_there_in_the_other_language(
    path: str, field: str, web: Web, table: Table, keys: Keys
) -> None:
    event = make_event(registration={"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "groups": True})
    put_event(table, event, actor="test", now=NOW)
    draft = make_registration(id="p1", confirmed_at=None)
    before = register(table, event, draft, now=NOW)[0]
    address = path.replace("own", f"/r/{sign_link(keys, 'nature', before.id, 1)}")
    form = typed_form(web.visit(address).text)
    assert field in form.fields

    answer = web.submit(form.action, {**form.sent, field: TYPED})

    assert answer.status == 200
    assert '<html lang="nl">' in answer.text
    assert f'value="{TYPED}"' in answer.text
    assert "data-problem" not in answer.text
    assert list(registrations_of(table, "nature")) == [before]
    again = typed_form(answer.text.replace('lang="en"', 'lang="nl"'))
    assert again.fields[field] == TYPED


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/new", "by"),
        ("/nature/people/new", "organisation"),
        (f"/nature/people/{WHO}", "organisation"),
        ("/nature/people/import", "csv"),
        ("/nature/setup/day", "venue.name.en"),
        ("/nature/setup/themes", "themes[1].leaders"),
        ("/nature/setup/access", "door_emails"),
        ("/nature/messages", "subject"),
        ("/nature/allocations", "seed"),
        ("/nature/file", "text"),
    ],
)
def test_what_an_organiser_typed_is_there_in_the_other_language(
    path: str, field: str, browser: Client, table: Table, event: Event
) -> None:
    register(table, event, make_registration(id=WHO), now=NOW)
    form = typed_form(browser.page(f"/organise{path}").text)
    assert field in form.fields
    before = rows(table)

    answer = browser.submit(form.action, {**form.sent, field: TYPED})

    assert answer.status == 200
    assert '<html lang="nl">' in answer.text
    assert TYPED in answer.text
    assert "data-problem" not in answer.text
    assert rows(table) == before


def rows(table: Table) -> list[dict[str, Any]]:
    return [*table.query("EVENTS"), *table.query("EVENT#nature"), *table.query("MAIL#nature")]
