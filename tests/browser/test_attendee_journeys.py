"""From the event page to the programme and out again: by mouse, by keys, without a script, on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, Registration, RegistrationState
from shared.registrations import registrations_of
from shared.table import Table
from shared.tokens import Keys
from tests.browser.attending import asking_event, chosen, fill_details, mailed_link, ranking, tab_to
from tests.support.factories import NOW

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture
def event(table: Table) -> Event:
    """An event that asks one question of each kind."""
    event = asking_event()
    put_event(table, event, actor="test", now=NOW)
    return event


def only_person(table: Table) -> Registration:
    [stored] = registrations_of(table, "nature")
    return stored


def test_by_mouse_somebody_registers_changes_and_withdraws(
    site: str, table: Table, keys: Keys, open_page: Open, now: datetime
) -> None:
    page = open_page(f"{site}/events/nature")
    page.get_by_role("link", name="Register").click()
    fill_details(page)
    first, second, third, last = ranking(page)
    page.get_by_role("button", name=f"Move {third} up").click()
    page.get_by_role("button", name=f"Move {third} up").click()
    wish = [third, first, second, last]
    page.get_by_label("Diet or allergies").fill("no nuts")
    page.get_by_label("Lunch").select_option("Soup")
    page.get_by_label("I may stand on the list").check()
    page.get_by_role("button", name="Register").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")
    assert page.url == f"{site}/events/nature/registered"
    expect(page.get_by_text("person1@example.org")).to_be_visible()
    stored = only_person(table)
    assert (stored.choices, stored.state) == (wish, RegistrationState.CONFIRMED)
    assert stored.answers == {"diet": "no nuts", "lunch": "Soup", "list": True}
    assert stored.shown_order == [first, second, third, last]

    page.goto(mailed_link(table, keys, "confirmation", site, now=now))
    assert ranking(page) == wish
    page.get_by_role("button", name=f"Move {third} down").click()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status").filter(has_text="Your changes are saved.")).to_be_visible()
    assert only_person(table).choices == [first, third, second, last]

    with page.expect_download() as download:
        page.get_by_role("link", name="Calendar file").click()
    assert download.value.suggested_filename == "nature.ics"

    page.get_by_role("button", name="Withdraw …").click()
    page.get_by_role("button", name="Yes, withdraw").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You have withdrawn")
    assert only_person(table).state is RegistrationState.WITHDRAWN


def test_by_keys_alone_somebody_registers_changes_and_withdraws(
    site: str, table: Table, keys: Keys, open_page: Open, now: datetime
) -> None:
    page = open_page(f"{site}/events/nature")
    press, write = page.keyboard.press, page.keyboard.type
    tab_to(page, ".skip")
    press("Enter")
    tab_to(page, "#name")
    write("Person 1")
    tab_to(page, "#email")
    write("person1@example.org")
    tab_to(page, "[name=partner_type]")
    press("Space")
    press("ArrowDown")
    second = ranking(page)[1]
    tab_to(page, f"[data-theme={second}] [data-by='-1']")
    press("Enter")
    assert ranking(page)[0] == second
    assert page.evaluate("document.activeElement.closest('[data-theme]').dataset.theme") == second
    tab_to(page, "form[action*=registrations] button:not([type])")
    press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")
    stored = only_person(table)
    assert (stored.name, stored.partner_type, stored.choices[0]) == ("Person 1", "ngo", second)

    page.goto(mailed_link(table, keys, "confirmation", site, now=now))
    tab_to(page, "#organisation")
    write("Another one")
    press("Enter")
    expect(page.get_by_role("status").filter(has_text="Your changes are saved.")).to_be_visible()
    tab_to(page, "form[action$=withdrawal] button")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Withdraw?")
    tab_to(page, ".danger")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You have withdrawn")
    assert only_person(table).organisation == "Another one"


def test_without_a_script_somebody_registers_changes_and_erases_everything(
    site: str, table: Table, keys: Keys, open_page: Open, now: datetime
) -> None:
    page = open_page(f"{site}/events/nature", java_script_enabled=False)
    fill_details(page)
    for place, theme in enumerate(["resources", "vision", "wildlife", "governance"], 1):
        page.get_by_label(f"Choice {place}", exact=True).select_option(theme)
    page.get_by_role("button", name="Register").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")
    assert only_person(table).choices == ["resources", "vision", "wildlife", "governance"]

    page.goto(mailed_link(table, keys, "confirmation", site, now=now))
    page.get_by_label("Choice 1", exact=True).select_option("vision")
    page.get_by_label("Choice 2", exact=True).select_option("resources")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Your changes are saved.")).to_be_visible()
    assert only_person(table).choices[:2] == ["vision", "resources"]

    page.get_by_role("button", name="Erase everything …").click()
    page.get_by_role("button", name="Yes, erase everything").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything is erased")
    assert list(registrations_of(table, "nature")) == []


def test_on_a_phone_somebody_registers_by_taps_and_nothing_sticks_out(site: str, table: Table, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature", **PHONE)
    page.get_by_label("Full name").fill("Person 1")
    page.get_by_label("Email address").fill("person1@example.org")
    page.get_by_label("Research").tap()
    last = ranking(page)[-1]
    page.locator(f"[data-theme={last}] [data-by='-1']").tap()
    assert ranking(page)[2] == last
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea, .option")]
        .filter((one) => one.checkVisibility() && !one.closest(".option, .trap, .unseen"))
        .map((one) => [one.outerHTML.slice(0, 60), one.getBoundingClientRect().height])
        .filter(([, height]) => height < 44)"""
    )
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.get_by_role("button", name="Register").tap()

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")
    assert only_person(table).partner_type == "research"
    assert (small, wide) == ([], 0)


# --------------------------------------------------------------------------- ranking


def test_every_move_is_told_and_keeps_the_focus(site: str, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    status = page.locator("#choices [role=status]")
    names = [name.title() for name in ranking(page)]

    page.get_by_role("button", name=f"Move {names[2]} up").click()
    told = [status.text_content()]
    page.keyboard.press("Enter")
    told.append(status.text_content())
    page.keyboard.press("Enter")
    told.append(status.text_content())

    assert told == [f"{names[2]}, now 2 of 4", f"{names[2]}, now 1 of 4", f"{names[2]} is first already"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Move {names[2]} up"


def test_an_order_nobody_touched_is_no_answer_until_it_is_confirmed(site: str, table: Table, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    order = ranking(page)
    fill_details(page)
    before = chosen(page)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    refused = list(registrations_of(table, "nature"))
    page.get_by_role("button", name="Keep this order").click()
    kept = chosen(page)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")

    assert (before, refused, kept) == ([""] * 4, [], order)
    assert (only_person(table).choices, only_person(table).shown_order) == (order, order)


def test_a_theme_may_be_dragged_too(site: str, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature", viewport={"width": 1280, "height": 2400})
    order = ranking(page)

    page.locator(f"[data-theme={order[3]}]").drag_to(
        page.locator(f"[data-theme={order[0]}]"), target_position={"x": 40, "y": 6}
    )

    assert ranking(page) == [order[3], *order[:3]]
    assert chosen(page) == ranking(page)


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("script", [True, False])
def test_nothing_typed_is_lost_on_an_error(site: str, table: Table, open_page: Open, script: bool) -> None:
    page = open_page(f"{site}/events/nature", java_script_enabled=script)
    page.get_by_label("Full name").fill("Zoë <b>D'Hondt</b>")
    page.get_by_label("Email address").fill("nobody")
    page.get_by_label("Research").check()
    page.get_by_label("Diet or allergies").fill("no nuts\n& no milk")
    page.get_by_label("Lunch").select_option("Bread")
    page.get_by_label("I may stand on the list").check()
    if script:
        page.locator("[data-theme]").nth(3).get_by_role("button").first.click()
    else:
        page.get_by_label("Choice 1", exact=True).select_option("vision")
        page.get_by_label("Choice 3", exact=True).select_option("wildlife")
    typed = (ranking(page), chosen(page))
    page.get_by_role("button", name="Register").click()

    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    assert page.title().startswith("Error: ")
    assert (ranking(page), chosen(page)) == typed
    expect(page.get_by_label("Full name")).to_have_value("Zoë <b>D'Hondt</b>")
    expect(page.get_by_label("Email address")).to_have_value("nobody")
    expect(page.get_by_label("Research")).to_be_checked()
    expect(page.get_by_label("Diet or allergies")).to_have_value("no nuts\n& no milk")
    expect(page.get_by_label("Lunch")).to_have_value("Bread")
    expect(page.get_by_label("I may stand on the list")).to_be_checked()
    assert list(registrations_of(table, "nature")) == []


def test_the_summary_has_the_focus_and_leads_to_each_field(site: str, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()

    assert page.evaluate("'problem' in document.activeElement.dataset")
    links = page.locator("[data-problem] a")
    landed = []
    for place in range(links.count()):
        words = str(links.nth(place).text_content())
        links.nth(place).click()
        landed.append(page.evaluate("document.activeElement.id"))
        assert words in str(page.locator(f"#{landed[-1]}-fault").text_content())
    assert landed == ["name", "email", "partner_type", "choices"]


def test_a_likely_slip_in_the_address_is_pointed_out_and_is_no_barrier(
    site: str, table: Table, open_page: Open
) -> None:
    page = open_page(f"{site}/events/nature")
    page.get_by_label("Email address").fill("ann@gmial.com")
    page.get_by_label("Full name").focus()
    page.get_by_role("button", name="Did you mean ann@gmail.com?").click()
    corrected = page.get_by_label("Email address").input_value()
    page.get_by_label("Email address").fill("ann@gmial.com")
    page.get_by_label("Full name").fill("Person 1")
    page.get_by_label("Ngo").check()
    page.get_by_role("button", name="Keep this order").click()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")

    assert corrected == "ann@gmail.com"
    assert only_person(table).email == "ann@gmial.com"


def test_a_double_click_registers_and_mails_once(site: str, table: Table, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    fill_details(page)
    page.get_by_role("button", name="Keep this order").click()
    page.get_by_role("button", name="Register").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")

    assert [mail.kind for mail in mails_of(table, "nature")] == ["confirmation"]


def test_the_way_back_finds_the_form_as_it_was_and_ready(site: str, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    page.get_by_label("Full name").fill("Person 1")
    page.locator("[data-theme]").nth(2).get_by_role("button").first.click()
    order = ranking(page)
    page.get_by_role("link", name="Have your own link sent again").click()
    page.go_back()

    expect(page.get_by_label("Full name")).to_have_value("Person 1")
    assert (ranking(page), chosen(page)) == (order, order)


@pytest.mark.parametrize("scripts", [True, False])
def test_what_is_typed_goes_along_to_another_language(scripts: bool, site: str, table: Table, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature", java_script_enabled=scripts)
    page.get_by_label("Full name").fill("Person 1")
    page.get_by_label("Ngo").check()
    if scripts:
        page.get_by_role("button", name="Keep this order").click()
        order = page.locator("[data-ranking] h3").all_text_contents()
    else:
        page.get_by_label("Choice 2").select_option("wildlife")
    page.get_by_role("button", name="Nederlands").click()

    expect(page.get_by_label("Volledige naam")).to_have_value("Person 1")
    expect(page.get_by_label("Ngo")).to_be_checked()
    if scripts:
        assert page.locator("[data-ranking] h3").all_text_contents() == order
    else:
        expect(page.locator("select").nth(1)).to_have_value("wildlife")
    expect(page.locator("#problem")).to_have_count(0)
    assert list(registrations_of(table, "nature")) == []
    page.get_by_label("Volledige naam").press("Enter")  # sends the form, in this language
    expect(page.get_by_role("heading", name="Er is een probleem")).to_be_visible()
    page.goto(f"{site}/events/nature")
    expect(page.get_by_label("Volledige naam")).to_have_value("")


def test_the_language_is_switched_and_stays(site: str, table: Table, open_page: Open) -> None:
    page = open_page(f"{site}/events/nature")
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_role("button", name="Inschrijven")).to_be_visible()
    page.goto(f"{site}/events/nature")
    assert page.locator("html").get_attribute("lang") == "nl"
    page.get_by_label("Volledige naam").fill("Person 1")
    page.get_by_label("E-mailadres").fill("nobody")
    page.get_by_role("button", name="Inschrijven").click()
    expect(page.get_by_role("heading", name="Er is een probleem")).to_be_visible()
    page.get_by_label("E-mailadres").fill("person1@example.org")
    page.get_by_label("Ngo").check()
    page.get_by_role("button", name="Deze volgorde houden").click()
    page.get_by_role("button", name="Inschrijven").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bedankt. Kijk in je mailbox")

    assert only_person(table).language == "nl"


def test_the_themes_that_are_not_open_to_a_partner_type_are_not_there_to_rank(
    site: str, table: Table, event: Event, open_page: Open
) -> None:
    """One theme is open to the government only; a person from an association ranks the other three."""
    themes = [
        theme.model_copy(update={"open_to": ["government"]} if n == 0 else {}) for n, theme in enumerate(event.themes)
    ]
    put_event(table, event.model_copy(update={"themes": themes}), actor="test", now=NOW)
    closed = event.themes[0].id
    page = open_page(f"{site}/events/nature")
    card = page.locator(f"[data-theme={closed}]")
    expect(card).to_be_visible()

    fill_details(page)
    expect(card).to_be_hidden()
    page.get_by_role("button", name="Keep this order").click()
    page.get_by_role("button", name="Register").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Look in your mailbox")
    stored = only_person(table)
    assert (stored.partner_type, len(stored.choices)) == ("ngo", 3)
    assert closed not in stored.choices
