"""Every page an organiser can come to, in every state, errors too: accessible, light and dark, small and large."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from functions.organise import app as organise
from functions.organise import web
from shared.events import put_event
from shared.runs import Wish, request_run, runs_of
from shared.table import Table, event_pk, run_sk, update
from shared.tokens import Keys
from tests.browser.conftest import SLOW, accessibility_faults
from tests.browser.organising import HELPER, organised_event, organiser_site, sideways, sign_in
from tests.support.factories import NOW, event_data
from tests.support.organiser_client import Client, fill, make_crowd

pytestmark = pytest.mark.browser

HOME = "/organise/nature"

BY_COLOUR_AND_WIDTH = ("color-contrast", "target-size", "scrollable-region-focusable")
"""Rules of axe whose verdict depends on colours and the window's width; the others say the same at any."""

WITHDRAWN, PINNED, COMING = f"{49:020x}", f"{3:020x}", f"{5:020x}"
"""People of `make_crowd`: one who has withdrawn, one to pin, one who stays."""


ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class State:
    """A page as a person finds it: where, as whom, and what they fill in and press on it first."""

    path: str
    who: str = "organiser@example.org"
    type_in: Mapping[str, str] = field(default_factory=dict)
    choose: Mapping[str, str] = field(default_factory=dict)
    press: str = ""
    status: int = 200


CSV = "name,email,partner_type,choice_1,note\nPerson 900,person900@example.org,ngo,vision,x\n"
FAULTY = "name,email,partner_type\nPerson 901,nobody,ngo\nPerson 902,person902@example.org,aliens\n,,,,\n"

STATES = {
    "sign in": State("/organise/sign-in", who=""),
    "sign in, not an address": State("/organise/sign-in", who="", type_in={"#email": "nobody"}, press="Mail me a link"),
    "sign in, sent": State("/organise/sign-in", who="", type_in={"#email": "x@example.org"}, press="Mail me a link"),
    "a used link": State("/organise/sign-in/used", who="", status=404),
    "not signed in": State(HOME, who="", status=401),
    "events": State("/organise"),
    "new event": State("/organise/new"),
    "new event, mistakes": State("/organise/new", type_in={"#title": "Day", "#rounds": "9"}, press="Make the draft"),
    "set up": State(f"{HOME}/setup"),
    "set up, day": State(f"{HOME}/setup/day"),
    "set up, workshops": State(f"{HOME}/setup/themes"),
    "set up, mistakes": State(
        f"{HOME}/setup/themes", type_in={"[name='themes[0].seats.first']": "many"}, press="See what changes"
    ),
    "set up, registration": State(f"{HOME}/setup/registration"),
    "set up, what changes": State(
        f"{HOME}/setup/registration",
        type_in={"[name='registration.closes']": "2026-03-31T12:00"},
        press="See what changes",
    ),
    "set up, allocation": State(f"{HOME}/setup/allocation"),
    "set up, access": State(f"{HOME}/setup/access"),
    "an event file, mistakes": State("/organise/new?file=yes", type_in={"#text": "id: X\n"}, press="Store this event"),
    "dashboard": State(HOME),
    "people": State(f"{HOME}/people"),
    "people, nobody": State(f"{HOME}/people?q=nobody"),
    "people, bounced": State(f"{HOME}/people?state=bounced"),
    "a person": State(f"{HOME}/people/{COMING}"),
    "a person, withdrawn": State(f"{HOME}/people/{WITHDRAWN}"),
    "a person, errors": State(
        f"{HOME}/people/{COMING}",
        type_in={"#name": ""},
        choose={"#pinned_first": "vision", "#pinned_second": "vision"},
        press="Save the changes",
    ),
    "no such person": State(f"{HOME}/people/{'f' * 20}", status=404),
    "add a person": State(f"{HOME}/people/new"),
    "add a person, errors": State(
        f"{HOME}/people/new", type_in={"#name": "Person", "#email": "x"}, press="Add this person"
    ),
    "import": State(f"{HOME}/people/import"),
    "import, preview": State(f"{HOME}/people/import", type_in={"#csv": CSV}, press="Show what it would do"),
    "import, faults": State(f"{HOME}/people/import", type_in={"#csv": FAULTY}, press="Show what it would do"),
    "import, no list": State(f"{HOME}/people/import", type_in={"#csv": "a,b\n"}, press="Show what it would do"),
    "allocations": State(f"{HOME}/allocations"),
    "allocations, errors": State(
        f"{HOME}/allocations", type_in={"#weight": "heavy", "#tolerance": "7"}, press="Start the draft"
    ),
    "published": State(f"{HOME}/allocations/1"),
    "a failed run": State(f"{HOME}/allocations/2"),
    "an overtaken draft": State(f"{HOME}/allocations/3"),
    "a draft that keeps": State(f"{HOME}/allocations/4"),
    "a fresh draft": State(f"{HOME}/allocations/5"),
    "a run under way": State(f"{HOME}/allocations/6"),
    "no such run": State(f"{HOME}/allocations/77", status=404),
    "call off a workshop": State(f"{HOME}/workshops/vision/first/calling-off"),
    "outbox": State(f"{HOME}/allocations/4/outbox"),
    "mails": State(f"{HOME}/mails"),
    "mails, none in this state": State(f"{HOME}/mails?state=failed"),
    "a mail": State(f"{HOME}/mail?id=confirmation%23{COMING}"),
    "write to people, mistakes": State(f"{HOME}/messages", press="Show it as it is sent"),
    "write to people, preview": State(
        f"{HOME}/messages",
        type_in={"#subject": "Boots", "#body": "Dear all,\n\nbring boots."},
        choose={"#group": "all"},
        press="Show it as it is sent",
    ),
    "the day": State(f"{HOME}/door"),
    "the day, found": State(f"{HOME}/door?q=person+1"),
    "the day, nobody": State(f"{HOME}/door?q=nobody"),
    "the day, checked in": State(f"{HOME}/door?done={PINNED}&q=person"),
    "the day, no longer checked in": State(f"{HOME}/door?done={COMING}"),
    "the day, as a helper": State(f"{HOME}/door", who=HELPER),
    "not for helpers": State(f"{HOME}/people", who=HELPER, status=403),
    "a door list": State(f"{HOME}/workshops/vision/first"),
    "attendance": State(f"{HOME}/workshops/vision/first/attendance", who=HELPER),
    "programmes": State(f"{HOME}/programmes?who=all"),
    "sheets": State(f"{HOME}/sheets"),
    "badges": State(f"{HOME}/badges"),
    "exports": State(f"{HOME}/exports"),
    "event file": State(f"{HOME}/file"),
    "event file, mistakes": State(
        f"{HOME}/file", type_in={"#text": json.dumps(event_data(rounds=[]))}, press="Change the event"
    ),
    "audit": State(f"{HOME}/audit"),
    "audit, older": State(f"{HOME}/audit?before=2026-03-02T10:00:00.000000Z%23ffffffff"),
    "audit, no such line": State(f"{HOME}/audit?before=x", status=404),
}


@pytest.fixture
def site(table: Table, keys: Keys) -> Iterator[str]:
    """An event in the middle of its life: 51 people, one allocation published, drafts of every kind, mail on hold."""
    event = organised_event(seats=15)
    put_event(table, event, actor="test", now=NOW)
    fill(table, event, make_crowd(event, 52, NOW), NOW)
    with organiser_site(table, keys, NOW + timedelta(hours=1)) as address, patch.object(web, "PAGE_SIZE", 20):
        program = Client(organise, table, keys).sign_in(event)

        def ask(method: str, path: str, body: Mapping[str, Any]) -> Any:
            answer = program.send(method, f"{HOME}{path}", body)
            assert answer.status < 300, (path, answer.text)
            return answer.json

        ask("PATCH", f"/people/{PINNED}", {"pinned": {"first": "wildlife"}, "checked_in": True})
        ask("PATCH", f"/people/{COMING}", {"absent": ["second"], "answers": {"diet": "no nuts"}})
        ask("POST", "/mails/hold", {})
        ask("POST", "/allocations", {"mode": "fresh"})
        mails = ask("GET", "/allocations/1", {})["mails"]
        ask("POST", "/allocations/1/publication", {"expected_mails": mails, "afterwards": "keep"})
        demanding = event.model_copy(
            update={"themes": [one.model_copy(update={"minimum": 14}) for one in event.themes]}
        )
        put_event(table, demanding, actor="test", now=NOW)
        ask("POST", "/allocations", {"mode": "fresh"})
        put_event(table, event, actor="test", now=NOW)
        ask("POST", "/allocations", {"mode": "keep"})
        for number in range(10, 14):
            ask("PATCH", f"/people/{number:020x}", {"withdrawn": True})
        newcomer = {"partner_type": "ngo", "choices": ["vision", "governance"]}
        ask("POST", "/people", {"name": "Person 500", "email": "person500@example.org", **newcomer})
        ask("POST", "/allocations", {"mode": "keep"})
        ask("POST", "/allocations", {"mode": "fresh", "weight": 9, "seed": "another"})
        states = {run["number"]: run["state"] for run in ask("GET", "/allocations", {})["allocations"]}
        assert states == {1: "published", 2: "failed", 3: "draft", 4: "draft", 5: "draft"}
        request_run(table, event, Wish(), actor="organiser@example.org", now=NOW)
        yield address


def open_state(page: Page, site: str, state: State) -> list[str]:
    """Bring a page into a state; what is wrong with its status and title."""
    answer = page.goto(site + state.path)
    for field_, text in state.type_in.items():
        page.evaluate("field => document.querySelector(field).closest('details')?.setAttribute('open', '')", field_)
        page.fill(field_, text)
    for field_, value in state.choose.items():
        page.select_option(field_, value)
    faults = [] if answer and answer.status == state.status else [f"status {answer and answer.status}"]
    if state.press:
        page.get_by_role("button", name=state.press).click()
        page.wait_for_load_state()
        refused = page.locator("#problem")
        if refused.count() and "Error: " not in page.title():
            faults.append(f"the title does not say that there is an error: {page.title()}")
    return faults


def too_wide(page: Page) -> list[str]:
    """A fault if the page is wider than its window."""
    beyond = sideways(page)
    return [f"{beyond} px too wide in {page.viewport_size}"] if beyond > 0 else []


SCROLLS = "[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth + 1)"

PICTURES = """() => [...document.querySelectorAll('svg')].map(svg => {
  const row = svg.closest('tr'), section = svg.closest('section, .organise');
  const text = (row || svg.parentElement).innerText + (svg.previousElementSibling?.innerText || '');
  const numbers = (text.match(/[0-9]+/g) || []).length;
  const rows = section ? section.querySelectorAll('tbody tr').length : 0;
  return {kind: svg.getAttribute('class'), hidden: svg.getAttribute('aria-hidden') === 'true', numbers, rows,
          points: svg.querySelectorAll('circle').length, name: svg.getAttribute('aria-label') || ''};
})"""


def picture_faults(page: Page, seen: Counter[str]) -> list[str]:
    """Pictures that say more than the numbers beside them: a curve has a table with a row for each of its points."""
    faults = []
    for picture in page.evaluate(PICTURES):
        kind = picture["kind"].split()[0]
        seen[kind] += 1
        told = picture["name"] and picture["rows"] >= picture["points"] > 1
        if not (told if kind == "curve" else picture["hidden"] and picture["numbers"]):
            faults.append(f"a picture without its numbers: {picture}")
    return faults


CURVE = [
    {"weight": weight, "mean_choice": mean, "outside": outside}
    for weight, mean, outside in ((0, 1.5, 9), (1, 1.5, 6), (2, 1.625, 2), (4, 1.75, 1), (8, 1.875, 0))
]


WITH_TABLES = (
    *("dashboard", "people", "set up, workshops", "published", "a draft that keeps", "outbox", "allocations", "mails"),
    *("the day", "attendance", "audit"),
)


def too_wide_in_french(site: str, browser: Browser, table: Table, keys: Keys) -> dict[str, list[str]]:
    """Pages with tables that do not fit, with the six long kinds of the sample event: French words are the longest."""
    sample = yaml.safe_load((ROOT / "infra" / "events" / "nature-connectivity.yaml").read_text(encoding="utf-8"))
    known = event_data()["partner_types"]
    titles = [kind["title"]["fr"] for kind in sample["partner_types"]]
    ids = [kind["id"] for kind in known] + [f"more-{number}" for number in range(len(titles) - len(known))]
    kinds = [{"id": one, "title": title} for one, title in zip(ids, titles, strict=True)]
    put_event(table, organised_event(seats=15, partner_types=kinds), actor="test", now=NOW)
    context = browser.new_context(reduced_motion="reduce", locale="fr-BE")
    sign_in(context, site, table, keys)
    page = context.new_page()
    page.set_default_timeout(SLOW)
    found: dict[str, list[str]] = {}
    for name in WITH_TABLES:
        faults = open_state(page, site, STATES[name])
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{sideways(page)} px too wide at {width}"] if sideways(page) > 0 else []
            faults += [f"a table scrolls sideways at {width}"] if page.evaluate(SCROLLS) else []
        if faults:
            found[f"{name}, in French"] = faults
    context.close()
    return found


def test_every_page_in_every_state_is_accessible_fits_and_says_in_numbers_what_it_shows(
    site: str, browser: Browser, table: Table, keys: Keys
) -> None:
    """At a desk in the light and on a phone in the dark."""
    for run in runs_of(table, "nature"):  # with so few people all weights have one allocation, and no curve
        table.write(update(event_pk("nature"), run_sk(run.number), assign={"result": {**run.result, "curve": CURVE}}))
    found: dict[str, list[str]] = {}
    pictures: Counter[str] = Counter()
    for who in sorted({state.who for state in STATES.values()}):
        context = browser.new_context(reduced_motion="reduce")
        if who:
            sign_in(context, site, table, keys, who)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        for name, state in STATES.items():
            if state.who != who:
                continue
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": 1280, "height": 900})
            faults = open_state(page, site, state)
            faults += [f"1280 wide, light: {one}" for one in accessibility_faults(page)]
            faults += picture_faults(page, pictures)
            faults += too_wide(page)
            page.emulate_media(color_scheme="dark")
            page.set_viewport_size({"width": 360, "height": 740})
            faults += [f"360 wide, dark: {one}" for one in accessibility_faults(page, *BY_COLOUR_AND_WIDTH)]
            faults += too_wide(page)
            faults += ["a table scrolls sideways at 360"] if page.evaluate(SCROLLS) else []
            page.set_viewport_size({"width": 768, "height": 900})
            faults += too_wide(page)
            if faults:
                found[name] = faults
        context.close()

    found |= too_wide_in_french(site, browser, table, keys)

    assert found == {}
    assert pictures["bar"] > 80
    assert pictures["curve"] == 4


def test_a_list_of_thirty_names_is_one_sheet_of_paper(site: str, browser: Browser, table: Table, keys: Keys) -> None:
    context = browser.new_context()
    sign_in(context, site, table, keys)
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(f"{site}{HOME}/sheets")
    lists = page.locator(".roll").count()
    printed = page.pdf(prefer_css_page_size=True)
    context.close()

    assert lists == 10
    assert len(re.findall(rb"/Type ?/Page\b", printed)) == lists
