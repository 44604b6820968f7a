"""Organisers' pages in the language of who reads them, every word of them."""

from __future__ import annotations

from types import ModuleType

import pytest

from functions.organise import app as organise
from shared.events import put_event
from shared.pages import PAGES
from shared.registrations import registrations_of
from shared.table import Table
from shared.tokens import Keys
from tests.integration.test_every_route import routes_of
from tests.support.bracketed import bracket_translations, greek_event, unmarked_words, words_outside_catalogues
from tests.support.factories import NOW
from tests.support.organiser_client import CONTEXT, Client

HOME = "/organise/nature"

GREEK = ["Άννα Αλφα", "Βασίλης Βήτα", "Γιώργος Γάμμα", "Δήμητρα Δέλτα", "Ελένη Έψιλον", "Ζωή Ζήτα", "Ηλίας Ήτα"]


@pytest.fixture
def greek(app: ModuleType, table: Table, keys: Keys, allocate: ModuleType) -> Client:
    """An organiser's browser at an event with people and a published allocation, all of it in Greek letters."""
    event = greek_event(door_emails=["door@example.org"])
    put_event(table, event, actor="organiser@example.org", now=NOW)
    client = Client(app, table, keys).sign_in_browser(event)
    for number, name in enumerate(GREEK):
        typed = {
            **{"name": name, "email": f"person{number}@example.org", "organisation": "Ομάδα"},
            **{"partner_type": ["ngo", "government", "research"][number % 3]},
            **{"choice_1": ["vision", "governance"][number % 2], "choice_2": "wildlife", "choice_3": "resources"},
        }
        assert client.submit(f"{HOME}/people", typed).status == 303
    assert client.submit(f"{HOME}/allocations", {"mode": "fresh"}).status == 303
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    assert (
        client.submit(
            f"{HOME}/allocations/1/publication", {"expected_mails": str(len(GREEK)), "afterwards": "keep"}
        ).status
        == 303
    )
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    return client


def pages(person: str) -> list[str]:
    """The address of every page of organisers, as the routes stand, and of some in other states."""
    names = {
        **{"<event_id>": "nature", "<person_id>": person, "<number>": "1", "<theme_id>": "vision"},
        **{"<round_id>": "first", "<token>": "none"},
    }
    found = []
    for method, path in routes_of(organise):
        for name, value in names.items():
            path = path.replace(name, value)
        if method == "GET":
            found += [path.replace("<page>", page) for page in PAGES_OF_SETUP] if "<page>" in path else [path]
    return [path for path in found if "<" not in path]


def test_no_template_of_organisers_has_words_outside_the_catalogues() -> None:
    """Also in branches that no test reaches."""
    templates = sorted((PAGES / "organise").glob("*.html"))
    left = {path.name: words for path in templates if (words := words_outside_catalogues(path.read_text("utf-8")))}

    assert len(templates) > 25
    assert left == {}


PAGES_OF_SETUP = ("day", "themes", "registration", "allocation", "access")


def test_no_page_of_organisers_has_words_that_cannot_be_translated(
    greek: Client, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = next(registrations_of(table, "nature"))
    assert greek.submit(f"{HOME}/people/{person.id}/check-in", {}).status == 303
    bracket_translations(monkeypatch)
    greek.headers["accept-language"] = "fr"
    walked = [
        *pages(person.id),
        *(f"{HOME}/door?q=α", f"{HOME}/door?q=xyz", f"{HOME}/door?done={person.id}"),
    ]

    left = {path: words for path in walked if (words := unmarked_words(shown(greek, path)))}

    assert left == {}


def shown(browser: Client, path: str) -> str:
    """A page as text; "" for a file."""
    answer = browser.page(path)
    assert answer.status < 500, path
    return answer.text if answer.headers["content-type"].startswith("text/html") else ""
