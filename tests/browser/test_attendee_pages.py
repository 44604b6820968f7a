"""Every page an attendee can come to, in every state: accessible, light and dark, small, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Page, Response

from shared.address_change import ask_move, sign_change
from shared.events import put_event
from shared.leaders import all_led
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import read_registration, register, register_group, save, withdraw
from shared.table import Table, put, update
from shared.tokens import LEADER_SALT, Keys, sign, sign_link
from shared.waiting_list import offer_places
from tests.browser.attending import asking_event
from tests.browser.conftest import accessibility_faults
from tests.support.factories import NOW, event_data, make_registration

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

LEADER = {"name": "Lea Leader", "email": "lea@example.org"}

LARGEST_PAGE = 40 * 1024
MOST_REQUESTS = 3

BEFORE, DURING, AFTER = NOW - timedelta(days=2), NOW, NOW + timedelta(days=40)


@dataclass
class State:
    """A page as a person finds it: its path, when, and what they press on it first."""

    path: str
    when: datetime = DURING
    fill: Mapping[str, str] = field(default_factory=dict)
    press: str = ""


@pytest.fixture
def event(table: Table) -> Event:
    """An event that asks one question of each kind."""
    event = asking_event()
    put_event(table, event, actor="test", now=NOW)
    return event


@pytest.fixture
def states(event: Event, table: Table, keys: Keys) -> dict[str, State]:
    """Every page in every state, by a name."""
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 2}
    full = asking_event(id="full", registration=rules)
    put_event(table, full, actor="test", now=NOW)
    mine = register(table, event, make_registration(number=1, answers={"diet": "x", "list": True}), now=NOW)[0]
    leaving, _, offered, waiting = (
        register(table, full, make_registration(number=n, event="full", created_at=f"2026-03-01T1{n}:00:00Z"), now=NOW)[
            0
        ]
        for n in (1, 2, 3, 4)
    )
    withdraw(table, leaving, now=NOW)
    offer_places(table, full, now=NOW)
    told = register(table, event, make_registration(number=2), now=NOW)[0]
    moving = register(table, event, make_registration(number=9), now=NOW)[0]
    moving = ask_move(table, moving, {}, "new@example.org", now=NOW, tell=True)
    publish(table, told)
    own = {one.id: link(keys, one) for one in (mine, leaving, offered, waiting, told)}
    assert read_registration(table, "full", offered.id).state == "offered"  # type: ignore[union-attr]
    group, leader, attended = together(table, keys)
    wrong = {"#name": "Person 1", "#email": "nobody"}
    return {
        "events": State("/"),
        "no events": State("/", AFTER),
        "not open yet": State("/events/nature", BEFORE),
        "open": State("/events/nature"),
        "open, Dutch": State("/events/nature?lang=nl"),
        "full": State("/events/full"),
        "closed": State("/events/nature", AFTER),
        "form with errors": State("/events/nature", fill=wrong, press="form[action*=registrations] button:not([type])"),
        "registered": State("/events/nature/registered"),
        "resend": State("/events/nature/links"),
        "resend with an error": State("/events/nature/links", fill={"#email": "x"}, press="form .button"),
        "resent": State("/events/nature/links?sent=yes"),
        "own": State(own[mine.id]),
        "own, saved": State(own[mine.id] + "?done=changed"),
        "own with errors": State(own[mine.id], fill={"#name": ""}, press="form[data-once] button:not([type])"),
        "own after the deadline": State(own[mine.id], AFTER),
        "programme": State(own[told.id], AFTER),
        "programme, French": State(own[told.id] + "?lang=fr", AFTER),
        "waiting": State(own[waiting.id]),
        "offered": State(own[offered.id]),
        "offer run out": State(own[offered.id], NOW + timedelta(days=3)),
        "withdrawn": State(own[leaving.id]),
        "withdraw?": State(own[mine.id], press="form[action$=withdrawal] .button"),
        "erase?": State(own[mine.id], press="form[action$=erasure] .button"),
        "another address": State(f"/address/{sign_change(keys, moving, 'move', asked_at=NOW)}"),
        "a group": State("/events/together/group"),
        "a group with errors": State("/events/together/group", fill={"#name_1": "Ann"}, press="main .button"),
        "own of a group": State(group),
        "a leader": State(leader),
        "a leader's text with errors": State(leader, fill={"#subject": "Boots"}, press="section .button"),
        "attendance": State(attended, AFTER),
        "erased": State("/events/nature/erased"),
        "dead link": State("/r/none"),
        "no such page": State("/nowhere"),
    }


def together(table: Table, keys: Keys) -> tuple[str, str, str]:
    """Links of a person who registered two others, of a leader whom these are expected by, and of who was there."""
    themes = [{**one, "leaders": [LEADER] if one["id"] == "governance" else []} for one in event_data()["themes"]]
    rules = {**event_data()["registration"], "groups": True}
    event = asking_event(id="together", registration=rules, themes=themes)
    put_event(table, event, actor="test", now=NOW)
    delegate = make_registration(number=20, event="together", state=RegistrationState.DELEGATE, choices=[])
    members = [make_registration(number=n, event="together", email="", delegate=delegate.id) for n in (21, 22)]
    register_group(table, event, delegate, members, now=NOW, once="")
    there = register(table, event, make_registration(number=23, event="together"), now=NOW)[0]
    there = save(table, there, {"checked_in_at": utc(NOW)}, now=NOW)
    for person in (*members, there):
        publish(table, person)
    leads = next(all_led(event))
    return (
        link(keys, delegate),
        f"/leaders/{sign(keys, LEADER_SALT, leads.claim(event))}",
        f"{link(keys, there)}/attendance",
    )


def link(keys: Keys, person: Registration) -> str:
    return f"/r/{sign_link(keys, person.event, person.id, person.link_version)}"


def publish(table: Table, person: Registration) -> None:
    workshops = {"first": "governance", "second": "wildlife"}
    facts = {"event": person.event, "run": 3, "registration": person.id, "workshops": workshops}
    facts["reason"] = [{"says": "got", "theme": "governance", "rank": 2}]
    row = {"pk": f"RUN#{person.event}#000003", "sk": f"PROGRAMME#{person.id}", **facts}
    table.write(put(row), update(f"EVENT#{person.event}", "STATE", assign={"published_run": 3, "runs": 3}))


def walk(page: Page, site: str, states: Mapping[str, State], patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Stand on each page in turn."""
    for name, state in states.items():
        patch.setattr("functions.register.web.clock", lambda when=state.when: when)
        page.context.clear_cookies()
        page.goto(site + state.path)
        for selector, words in state.fill.items():
            page.fill(selector, words)
        if state.press:
            with page.expect_navigation():
                page.locator(state.press).first.click()
        yield name


def test_every_page_in_every_state_is_accessible_and_loads_and_does_nothing_that_was_not_meant(
    site: str, states: dict[str, State], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WCAG 2.2 AA by axe: everything on a light desktop, and on a dark phone what colours and width decide.

    Nothing comes from elsewhere, nothing breaks the page's own policy, and no script or style stands in the page.
    """
    looks: list[tuple[Literal["light", "dark"], int, list[str]]] = [
        ("light", 1280, []),
        ("dark", 360, ["color-contrast", "target-size"]),
    ]
    faults: list[str] = []
    asked: set[str] = set()
    said: list[str] = []
    inline: list[str] = []
    page = open_page(site)
    page.on("request", lambda request: asked.add(request.url))
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective + e.blockedURI))"
    )
    for name in walk(page, site, states, monkeypatch):
        found = page.locator("script:not([src]), style, [style], [onclick], [onload], [onsubmit]").count()
        inline += [name] if found else []
        for scheme, width, rules in looks:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            faults += [f"{name}, {scheme}: {fault}" for fault in accessibility_faults(page, *rules)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults.append(f"{name} at {width}: wider than the screen")

    assert faults == []
    assert [url for url in asked if not url.startswith((f"{site}/", "data:"))] == []
    assert [
        words for words in said if not words.startswith("info") and "status of 4" not in words
    ] == []  # the browser notes every 404 and 422
    assert inline == []


def test_the_policy_stops_what_was_not_meant(site: str, event: Event, open_page: Open) -> None:
    """The header is in force: a script that got in would not run."""
    page = open_page(f"{site}/events/nature")

    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")

    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("language", ["en", "nl", "fr"])
def test_the_event_page_is_small(site: str, event: Event, open_page: Open, language: str) -> None:
    """At most 40 KB over the wire, uncompressed, heads included, in at most three requests."""
    page = open_page("about:blank")
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    page.goto(f"{site}/events/nature?lang={language}", wait_until="networkidle")

    wire = [one for one in answers if not one.url.startswith("data:")]
    sizes = [one.request.sizes() for one in wire]
    assert len(wire) <= MOST_REQUESTS
    assert sum(one["responseBodySize"] + one["responseHeadersSize"] for one in sizes) <= LARGEST_PAGE


def test_a_printed_programme_holds_the_day_and_nothing_to_press(
    site: str, states: dict[str, State], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(site)
    page.emulate_media(media="print")
    [_] = walk(page, site, {"programme": states["programme"]}, monkeypatch)

    visible = page.locator("body").inner_text()
    for words in ("Your programme", "Room governance", "13:00", "your 2nd choice", "Conscience building"):
        assert words in visible
    assert page.locator("button:visible, input:visible, form:visible, nav:visible").count() == 0
    assert len(page.pdf(format="A4")) > 1000


def test_the_print_button_prints(site: str, states: dict[str, State], open_page: Open) -> None:
    page = open_page(site)
    page.add_init_script("window.print = () => { window.printed = true }")
    page.goto(site + states["own"].path)

    page.get_by_role("button", name="Print").click()

    assert page.evaluate("window.printed")
