"""A French reader's whole way through the sample event, attendee and organiser, without an English word."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register
from functions.register import web as register_web
from shared.event_file import load_event
from shared.events import put_event
from shared.letters.compose import NothingToTellError, compose
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import registrations_of
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.organiser_client import CONTEXT, Client, at

SAMPLE = Path(__file__).parents[2] / "infra" / "events" / "nature-connectivity.yaml"

_WORDS = """
the and of your you with this that are was were have has from by which what who when where workshop workshops room
rooms seat seats here there it been will would can cannot may must not no yes for to in at its their they them
registration register person people mail mails link name email ranking choice choices free full day event print
save saved sent failed waiting withdrawn
"""
ENGLISH = frozenset(_WORDS.split())
"""Words that are English and nothing in French."""

MARKS = re.compile(r"<(?:style|script|code|pre|textarea)\b.*?</(?:style|script|code|pre|textarea)>", re.DOTALL)


def english_in(page: str) -> set[str]:
    """The English words that a reader of a page meets; what stands in code is no word."""
    spoken = " ".join(re.findall(r'(?:placeholder|aria-label|title|alt)="([^"]*)"', page))
    text = re.sub(r"<[^>]+>", " ", MARKS.sub(" ", page))
    text = re.sub(r"\S*[@/._-]\S*\w", " ", f"{text} {spoken}")
    return {word for word in re.findall(r"[a-zà-ÿ]+", text.lower()) if word in ENGLISH}


class Reader:
    """Collects what a French reader meets, by where it stood."""

    def __init__(self) -> None:
        self.met: dict[str, set[str]] = {}

    def reads(self, where: str, page: str) -> str:
        """Note the English words of a page."""
        assert page, where
        self.met[where] = english_in(page)
        return page


@pytest.fixture
def event(table: Table) -> Event:
    """The sample event, stored."""
    found = load_event(SAMPLE)
    put_event(table, found, actor="organiser@example.org", now=found.opens_at - timedelta(days=1))
    return found


def test_a_french_reader_meets_no_english_word(
    event: Event, app: ModuleType, allocate: ModuleType, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = event.opens_at + timedelta(days=1)
    for name, value in {"table": table, "keys": keys, "clock": lambda: now}.items():
        monkeypatch.setattr(register_web, name, value)
    at(app, now)
    reader, french = Reader(), {"accept-language": "fr-BE,fr;q=0.9,en;q=0.3"}
    web, home = Web(register.handler), f"/organise/{event.id}"
    page = f"/events/{event.id}"
    form: dict[str, Any] = {
        **{"name": "Zoé Dubois", "email": "zoe@example.org", "organisation": "Les Haies", "partner_type": "nature"},
        **{f"choice-{n}": theme.id for n, theme in enumerate(event.themes, 1)},
    }

    # An attendee: the page, a form with a fault, the registration.
    for address in ("/", page, f"{page}/link"):
        reader.reads(address, web.visit(address, headers=french).text)
    reader.reads("refused", web.submit(f"{page}/registrations", {**form, "name": ""}, headers=french).text)
    for number in range(3):
        sent = {**form, "email": f"zoe{number}@example.org"}
        assert web.submit(f"{page}/registrations", sent, headers=french).status == 303
    reader.reads("registered", web.visit(f"{page}/registered", headers=french).text)
    people = list(registrations_of(table, event.id))
    assert {person.language for person in people} == {"fr"}
    own = f"/r/{sign_link(keys, event.id, people[0].id, 1)}"
    reader.reads("own page", web.visit(own, headers=french).text)

    # The organiser: signs in, allocates, publishes.
    organiser = Client(app, table, keys, headers=french).sign_in_browser(event)
    assert organiser.submit(f"{home}/allocations", {"mode": "fresh"}).status == 303
    allocate.handler({"event": event.id, "run": 1}, CONTEXT)
    reader.reads("draft", organiser.page(f"{home}/allocations/1").text)
    assert (
        organiser.submit(f"{home}/allocations/1/publication", {"expected_mails": "3", "afterwards": "keep"}).status
        == 303
    )
    allocate.handler({"event": event.id, "publication": 1}, CONTEXT)
    assert organiser.submit(f"{home}/people/{people[0].id}/check-in", {"q": "zoé"}).status == 303
    for path in (
        *("", "/people", f"/people/{people[0].id}", "/people/new", "/people/import", "/allocations", "/allocations/1"),
        *("/allocations/1/outbox", "/mails", "/messages", "/door", "/door?q=zo", "/sheets", "/badges", "/exports"),
        *("/setup", "/setup/day", "/setup/themes", "/setup/registration", "/cancellation", "/audit", "/file"),
    ):
        reader.reads(f"organiser {path}", organiser.page(f"{home}{path}").text)
    for path in ("/organise", "/organise/new", "/organise/sign-in", "/organise/nothing"):
        reader.reads(path, organiser.page(path).text)

    # What became of it: the own page, the allocation for everybody, every mail.
    reader.reads("own page after", web.visit(own, headers=french).text)
    reader.reads("allocation", web.visit(f"{page}/allocation", headers=french).text)
    for mail in mails_of(table, event.id):
        try:
            letter = message_from_bytes(compose(table, keys, mail, now=now).raw, policy=default)
        except NothingToTellError:
            continue
        for part in letter.walk():
            if part.get_content_type() in ("text/plain", "text/html"):
                reader.reads(f"{mail.kind} {part.get_content_type()}", f"{letter['subject']} {part.get_content()}")

    assert {kind.split()[0] for kind in reader.met} >= {"confirmation", "programme", "sign-in"}
    assert {where: words for where, words in reader.met.items() if words} == {}
