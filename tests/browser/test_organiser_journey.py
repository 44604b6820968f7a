"""An organiser's whole job in Chromium, from the mailed link to signing out.

What axe says of every page in every state is asked in `test_organiser_pages`; here of the states only a journey has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from shared.events import audit_lines, put_event
from shared.mails import mails_of
from shared.models import Event, MailState
from shared.registrations import find_by_address, read_registration
from shared.runs import programme_of
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys
from tests.browser.conftest import accessibility_faults
from tests.browser.organising import HELPER, mailed_sign_in_link, organised_event, organiser_site
from tests.support.factories import NOW
from tests.support.organiser_client import fill, make_crowd

pytestmark = pytest.mark.browser

LATER = NOW + timedelta(hours=1)

FACILITATOR, ABSENT, LEAVING = f"{3:020x}", f"{4:020x}", f"{5:020x}"


@pytest.fixture
def event(table: Table) -> Event:
    """An event with 24 people on 28 places."""
    event = organised_event(seats=7)
    put_event(table, event, actor="test", now=NOW)
    fill(table, event, make_crowd(event, 24, NOW), NOW)
    return event


@pytest.fixture
def site(event: Event, table: Table, keys: Keys) -> Iterator[str]:
    """The pages, an hour after those people came."""
    with organiser_site(table, keys, LATER) as address:
        yield address


def press(page: Page, name: str) -> None:
    """Press a button and arrive."""
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def follow(page: Page, name: str) -> None:
    """Follow a link of the page itself and arrive."""
    page.locator("main").get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_load_state()


def tab(page: Page, name: str) -> None:
    """Go to one of the event's tabs."""
    page.locator(".org-tabs").get_by_role("link", name=name, exact=True).click()
    page.wait_for_load_state()


def row(page: Page, name: str) -> str:
    """The words of the table row whose heading this is."""
    return re.sub(r"\s+", " ", page.get_by_role("row").filter(has_text=name).first.inner_text())


def test_an_organisers_day_from_the_mailed_link_to_signing_out(
    site: str, event: Event, table: Table, keys: Keys, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{site}/organise")
    page.get_by_label("Email").fill("organiser@example.org")
    press(page, "Mail me a link")
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")
    page.goto(mailed_sign_in_link(table, keys, site, now=LATER))
    assert accessibility_faults(page) == []
    press(page, "Sign in")

    # The dashboard says who is there and what they want.
    follow(page, "Nature connectivity")
    expect(page.get_by_text("24 of 28 places taken")).to_be_visible()
    assert accessibility_faults(page) == []
    assert "6 6 6 6 0 12 14" in row(page, "Building a shared vision")
    assert row(page, "Came back").split()[-1] == "1"

    # A person walks in; the search finds people by mail domain.
    tab(page, "People")
    follow(page, "Add a person")
    page.get_by_label("Full name").fill("Person 77")
    page.get_by_label("Email").fill("walk-in@late.example.org")
    page.get_by_label("Kind of organisation").select_option(label="Ngo")
    page.get_by_label("1st choice").select_option(label="Governance and planning")
    press(page, "Add this person")
    expect(page.get_by_role("heading", level=1)).to_have_text("Person 77")
    tab(page, "People")
    page.get_by_label("Name, email, mail domain").fill("late.example.org")
    press(page, "Search")
    assert page.locator("tbody th").all_inner_texts() == ["Person 77"]

    # A facilitator is pinned, a person misses a round.
    page.goto(f"{site}/organise/nature/people/{FACILITATOR}")
    page.get_by_label("Pinned at 13:00").select_option(label="Wildlife crossings & connected habitats")
    press(page, "Save the changes")
    page.goto(f"{site}/organise/nature/people/{ABSENT}")
    page.get_by_label("Absent at 14:20").check()
    press(page, "Save the changes")

    # A fresh draft: its numbers, its pictures, its outbox; mails are held and it is published.
    tab(page, "Allocations")
    expect(page.get_by_text("25 people and 28 seats a round; 0 without a ranking, 1 pinned, 1 absent")).to_be_visible()
    assert accessibility_faults(page) == []
    page.get_by_label("Start fresh").check()
    press(page, "Start the draft")
    expect(page.get_by_role("heading", level=1)).to_have_text("Allocation 1: draft", ignore_case=True)
    expect(page.get_by_text("Proven best.")).to_be_visible()
    assert sum(int(one) for one in page.locator("table:has(caption) td.num").all_inner_texts()) == 2 * 25 - 1
    expect(page.get_by_role("rowheader", name="2 (this one)")).to_be_visible()  # what another weight would cost
    follow(page, "Read them first")
    expect(page.get_by_role("heading", level=1)).to_have_text("Outbox: 25 mails")
    assert page.locator("tbody tr").count() == 25
    tab(page, "Mails")
    press(page, "Put mail on hold")
    page.goto(f"{site}/organise/nature/allocations/1")
    press(page, "Publish and send 25 mails")
    expect(page.get_by_role("heading", level=1)).to_have_text("Allocation 1: published", ignore_case=True)
    assert programme_of(table, "nature", 1, FACILITATOR).workshops["first"] == "wildlife"  # type: ignore[union-attr]
    assert list(programme_of(table, "nature", 1, ABSENT).workshops) == ["first"]  # type: ignore[union-attr]
    programmes = list(mails_of(table, "nature", "programme"))
    assert [mail.state for mail in programmes] == [MailState.HELD] * 25
    tab(page, "Mails")
    press(page, "Let 25 mails go")
    assert accessibility_faults(page) == []
    assert {mail.state for mail in mails_of(table, "nature", "programme")} == {MailState.PENDING}

    # One person leaves, another comes: a draft that keeps and a fresh one, side by side.
    page.goto(f"{site}/organise/nature/people/{LEAVING}")
    page.locator("summary", has_text="Withdraw").click()
    press(page, "Withdraw Person 5")
    tab(page, "People")
    follow(page, "Add a person")
    page.get_by_label("Full name").fill("Person 78")
    page.get_by_label("Email").fill("person78@example.org")
    page.get_by_label("Kind of organisation").select_option(label="Research")
    press(page, "Add this person")
    tab(page, "Allocations")
    press(page, "Start the draft")
    expect(page.get_by_text("0 people move")).to_be_visible()
    expect(page.get_by_text("1 person gets")).to_be_visible()
    tab(page, "Allocations")
    page.get_by_label("Start fresh").check()
    page.get_by_text("Mix, tolerance and lottery").click()
    page.get_by_label("Weight of the mix").fill("9")
    page.get_by_label("Seed of the lottery").fill("another seed")
    press(page, "Start the draft")
    tab(page, "Allocations")
    kept, fresh = row(page, "Allocation 2"), row(page, "Allocation 3")
    assert "keeps what is published 25" in kept
    assert "proven best 2 0.25 a seed" in " ".join(kept.split())  # the file's weight, tolerance and seed
    assert kept.split()[-1] == "1"  # one mail
    assert "proven best 9 0.25 another seed" in " ".join(fresh.split())

    # The one that keeps is published; the other can no longer be.
    follow(page, "Allocation 2")
    press(page, "Publish and send 1 mail")
    assert accessibility_faults(page) == []
    newcomer = find_by_address(table, "nature", "person78@example.org")
    assert newcomer
    assert [mail.registration for mail in mails_of(table, "nature", "programme#2")] == [newcomer.id]
    page.goto(f"{site}/organise/nature/allocations/3")
    expect(page.get_by_text("This draft can no longer be published")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Publish")).count() == 0

    # The door: checked in, undone, checked in again; lists, sheets and badges for paper.
    tab(page, "The day")
    page.get_by_label("Who is at the door?").fill("person 3")
    press(page, "Find")
    press(page, "Check in Person 3")
    expect(page.get_by_role("status")).to_contain_text("Person 3 is checked in")
    expect(page.get_by_role("status")).to_contain_text("13:00 Wildlife crossings & connected habitats")
    press(page, "Undo")
    expect(page.get_by_role("status")).to_contain_text("no longer checked in")
    assert not read_registration(table, "nature", FACILITATOR).checked_in_at  # type: ignore[union-attr]
    page.get_by_label("Who is at the door?").fill("person 3")
    press(page, "Find")
    press(page, "Check in Person 3")
    follow(page, "Sheets to print")
    assert page.locator("section.roll").count() == 1 + 8
    assert "✓" in row(page, "Person 3")
    page.go_back()
    follow(page, "Badges to print")
    assert page.locator(".badges > li").count() == 25

    # Everything is in the audit list, and the session ends.
    tab(page, "Audit")
    assert "checked in Person 3" in row(page, "checked in Person 3")
    acts = [line["act"] for line in audit_lines(table, "nature") if line["actor"] == "organiser@example.org"]
    done = [act for act in reversed(acts) if act != "add-person"]
    assert done == [
        "sign-in", "pin", "mark-absent", "request-allocation", "hold-mail", "publish", "release-mail", "withdraw",
        "request-allocation", "request-allocation", "publish", "check-in", "undo-check-in", "check-in",
    ]  # fmt: skip
    press(page, "Sign out")
    page.goto(f"{site}/organise/nature")
    expect(page.get_by_text("Sign in first")).to_be_visible()
    assert read_state(table, "nature").published_run == 2


def test_a_helper_at_the_door_works_from_a_phone_without_a_script(
    site: str, event: Event, table: Table, keys: Keys, open_page: Callable[..., Page]
) -> None:
    """Only the day is theirs: no other tab, no address, no way to a person's page."""
    page = open_page(f"{site}/organise", viewport={"width": 360, "height": 640}, java_script_enabled=False)
    page.get_by_label("Email").fill(HELPER)
    page.get_by_role("button", name="Mail me a link").click()
    page.goto(mailed_sign_in_link(table, keys, site, now=LATER))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Nature connectivity").click()

    assert page.locator(".org-tabs a").all_inner_texts() == ["The day"]
    page.get_by_label("Who is at the door?").fill("organisation 7")
    page.get_by_role("button", name="Find").click()
    first = page.locator(".guests > li").first.get_by_role("button").bounding_box()
    assert first is not None
    assert first["y"] + first["height"] <= 640  # with room and workshop above it, before anybody scrolls
    page.get_by_role("button", name="Check in Person 7", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Person 7 is checked in")
    assert "@example" not in page.locator("main").inner_text()
    page.goto(f"{site}/organise/nature/people/{FACILITATOR}")
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(page.get_by_text("this page is for its organisers")).to_be_visible()
    lines = [(line["actor"], line["act"]) for line in audit_lines(table, "nature")]
    assert lines[0] == (HELPER, "check-in")
