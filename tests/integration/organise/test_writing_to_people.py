"""Organisers write to people: a group, the mail as it is sent, its exact number, and one mail for each person."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

import pytest

from functions.upkeep.retention import forget_everybody
from shared.events import put_event
from shared.mails import mails_of
from shared.models import Event, MailState, RegistrationState
from shared.registrations import erase, read_registration, withdraw
from shared.table import Table
from shared.tokens import Keys, sign_link, verify_link
from tests.support.crash_points import Crash, Snapshot
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.mail_samples import FIRST, SECOND, Letters, html_of, text_of
from tests.support.organiser_client import CONTEXT, Client, fill, words_of

HOME = "/organise/nature"
TEXT = {"subject": "Bring boots — it rains", "body": "Dear all,\n\nbring boots.\nMap: https://example.org/map\n"}
LATER = NOW + timedelta(minutes=1)

pytestmark = pytest.mark.promise("P18")


@pytest.fixture
def people(table: Table, keys: Keys, event: Event) -> None:
    """Two with a programme, one without ranking, one who waits, one who withdrew, one whose mail came back."""
    crowd = [
        make_registration(number=1, id="a1"),
        make_registration(number=2, id="a2", partner_type="research", language="nl"),
        make_registration(number=3, id="a3", choices=[]),
        make_registration(number=4, id="a4", state=RegistrationState.WAITING),
        make_registration(number=5, id="a5", state=RegistrationState.WITHDRAWN),
        make_registration(number=6, id="a6", bounced=True),
    ]
    fill(table, event, crowd, NOW)
    Letters(table, keys, event).publish(1, {"a1": FIRST, "a2": SECOND, "a6": FIRST})


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """Upkeep and the mail function on one clock."""
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        yield road


def texts(table: Table) -> list[str]:
    return sorted(mail.registration for mail in mails_of(table, "nature", "message#"))


@pytest.mark.usefixtures("people")
def test_the_groups_are_the_people_who_can_be_reached(organiser: Client) -> None:
    found = {group["key"]: group["people"] for group in organiser.get(f"{HOME}/messages").json["groups"]}

    assert found == {
        **{"all": 4, "confirmed": 3, "waiting": 1, "unranked": 1, "without-programme": 1},
        **{"type:ngo": 3, "type:research": 1},
        **{"theme:governance": 2, "workshop:governance@first": 2, "theme:vision": 1, "workshop:vision@second": 1},
        **{"theme:wildlife": 1, "workshop:wildlife@second": 1},
    }


@pytest.mark.usefixtures("people")
def test_a_text_is_read_as_it_is_sent_and_goes_out_in_exactly_the_number_that_was_confirmed(
    browser: Client, organiser: Client, table: Table, keys: Keys, event: Event, road: Road
) -> None:
    form = browser.page(f"{HOME}/messages?group=all").text
    key = re.search(r'name="key" value="([0-9a-f]{32})"', form)
    assert key
    typed = {**TEXT, "group": "all", "key": key[1]}
    refused = browser.submit(f"{HOME}/messages", {**typed, "subject": ""})
    assert (refused.status, "bring boots." in refused.text) == (422, True)

    preview = browser.submit(f"{HOME}/messages", typed)
    assert "This writes 4 mails to: Everybody" in words_of(preview.text)
    assert "'unsafe-inline'" in preview.headers["content-security-policy"]
    shown, dutch = re.findall(r'srcdoc="([^"]*)"', preview.text)
    assert "bring boots." in dutch
    own_links = re.findall(r"/r/([\w.-]+)", html.unescape(shown))
    assert own_links
    assert not any(verify_link(keys, link) for link in own_links)
    assert texts(table) == []

    sent = {**typed, "expected_mails": "4"}
    assert browser.submit(f"{HOME}/messages", {**sent, "expected_mails": "5"}).status == 409
    answer = browser.submit(f"{HOME}/messages", sent)
    assert "4 mails to write" in browser.page(answer.headers["location"]).text
    assert browser.submit(f"{HOME}/messages", sent).status == 303  # pressed twice
    assert [(one["group"], one["mails"]) for one in organiser.get(f"{HOME}/messages").json["messages"]] == [
        ("Everybody: registered, offered a place or waiting", 4)
    ]

    road.upkeep.work_through(LATER, lambda: True)
    assert texts(table) == ["a1", "a2", "a3", "a4"]
    mail = next(mails_of(table, "nature", "message#a1"))
    letter = Letters(table, keys, event, now=LATER).write(mail.id)
    own = sign_link(keys, "nature", "a1", 1)
    assert letter["Subject"] == TEXT["subject"]
    assert letter["Reply-To"] == event.contact
    assert f"bring boots.\nMap: https://example.org/map\n\nYour own page:\n\nhttps://parcours.example.org/r/{own}" in (
        text_of(letter).replace("\r", "")
    )
    body = letter.get_body(("html",))
    assert body
    mask = re.compile(r"/r/[\w.-]+")
    assert mask.sub("/r/", html.unescape(shown)).split() == mask.sub("/r/", body.get_content()).split()
    page = browser.page(f"{HOME}/mail?id={mail.id.replace('#', '%23')}").text
    assert html.escape(TEXT["subject"]) in page
    assert "je eigen pagina" in text_of(Letters(table, keys, event).write(f"message#a2#{key[1]}")).lower()


@pytest.mark.usefixtures("people")
def test_each_person_is_written_once_whatever_call_upkeep_dies_at(organiser: Client, table: Table, road: Road) -> None:
    assert organiser.post(f"{HOME}/messages", {**TEXT, "group": "all", "expected_mails": 4}).status == 202

    begin, moment_of_death, died = Snapshot(), 0, True
    while died:
        begin.restore()
        with road.faults.at([moment_of_death]):
            try:
                road.upkeep.work_through(LATER, lambda: True)
                died = False
            except Crash:
                moment_of_death += 1
        road.upkeep.work_through(LATER + timedelta(minutes=1), lambda: True)
        assert texts(table) == ["a1", "a2", "a3", "a4"]
    assert moment_of_death > 8
    assert not list(table.query("EVENT#nature", "TASK#message#"))


@pytest.mark.usefixtures("people")
def test_a_person_who_leaves_before_it_is_sent_gets_none_and_a_hold_stops_the_rest(
    organiser: Client, table: Table, road: Road
) -> None:
    assert organiser.post(f"{HOME}/messages", {**TEXT, "group": "all", "expected_mails": 4}).status == 202
    first, second = (read_registration(table, "nature", one) for one in ("a1", "a2"))
    assert first
    assert second
    withdraw(table, first, now=NOW)
    erase(table, second, now=NOW)
    organiser.post(f"{HOME}/mails/hold", {})
    road.upkeep.work_through(LATER, lambda: True)
    held = list(mails_of(table, "nature", "message#"))
    assert [(mail.registration, mail.state) for mail in held] == [("a3", MailState.HELD), ("a4", MailState.HELD)]

    assert organiser.post(f"{HOME}/mails/release", {}).json["message"].startswith("2 mails")
    assert {mail.state for mail in mails_of(table, "nature", "message#")} == {MailState.PENDING}
    stored = table.get("EVENTS", "nature")
    assert stored
    table.put_all([{**stored, "cancelled_at": "2026-03-02"}])
    assert "the day is cancelled" in organiser.get(f"{HOME}/mail?id={held[1].id.replace('#', '%23')}").json["why_not"]
    third = read_registration(table, "nature", "a3")
    assert third
    erase(table, third, now=NOW)
    assert texts(table) == ["a4"]


@pytest.mark.usefixtures("people")
def test_the_outbox_of_a_draft_shows_the_mail_itself(
    organiser: Client, browser: Client, allocate: ModuleType, event: Event
) -> None:
    number = organiser.post(f"{HOME}/allocations", {"mode": "keep"}).json["number"]
    allocate.handler({"event": event.id, "run": number}, CONTEXT)
    outbox = f"{HOME}/allocations/{number}/outbox"
    [address, *_] = re.findall(rf'href="({outbox}/\w+)"', browser.page(outbox).text)

    shown = organiser.get(address).json
    assert shown["subject"] == "Your programme: Nature connectivity"
    assert "BEGIN:VEVENT" in shown["calendar"]
    assert organiser.get(f"{outbox}/a5").status == 404


def test_the_organisers_own_sentences_stand_in_their_mails_in_the_readers_language(
    table: Table, keys: Keys, event: Event
) -> None:
    """In confirmation, programme and reminder, and in no other mail."""
    words = {
        "confirmation": "Bring a photo.\n\nSee https://example.org/photos",
        "programme": {"en": "Lunch is at noon.", "nl": "De lunch is om twaalf uur."},
        "reminder": "The entrance is <at> the back.",
    }
    event = make_event(mail_texts=words)
    put_event(table, event, actor="o", now=NOW)
    fill(table, event, [make_registration(number=1, id="a1", language="nl")], NOW)
    letters = Letters(table, keys, event)
    confirmation = letters.write("confirmation#a1")
    letters.publish(1, {"a1": FIRST})
    programme, reminder = letters.tell("programme", "a1", run=1), letters.tell("reminder", "a1")

    assert "Bring a photo.\r\n\r\nSee https://example.org/photos" in text_of(confirmation)
    assert 'href="https://example.org/photos"' in html_of(confirmation)
    assert "De lunch is om twaalf uur." in text_of(programme)
    assert "<p>De lunch is om twaalf uur.</p>" in html_of(programme)
    assert "The entrance is &lt;at&gt; the back." in html_of(reminder)
    assert "noon" not in text_of(reminder) + text_of(letters.tell("already-registered", "a1"))


@pytest.mark.usefixtures("people")
def test_each_person_gets_a_text_in_their_own_language_or_in_that_of_the_event(
    browser: Client, organiser: Client, table: Table, keys: Keys, road: Road
) -> None:
    """One box for each language of the event; a language that is left empty falls back to the event's own."""
    event = make_event(languages=["en", "nl", "fr"])
    put_event(table, event, actor="o", now=NOW)
    dutch = {"subject_nl": "Laarzen", "body_nl": "Breng laarzen mee."}
    typed = {**TEXT, **dutch, "group": "all", "key": "e" * 32}
    form = browser.page(f"{HOME}/messages").text
    assert [f'name="body_{one}"' in form for one in ("en", "nl", "fr")] == [False, True, True]
    half = organiser.post(f"{HOME}/messages", {**typed, "body_nl": ""})
    assert (half.status, half.json["fields"]) == (422, {"body_nl": "Write it first"})

    preview = organiser.post(f"{HOME}/messages", typed).json
    assert {language: (one["mails"], one["subject"]) for language, one in preview["letters"].items()} == {
        "en": (3, TEXT["subject"]),
        "nl": (1, "Laarzen"),
    }
    page = browser.submit(f"{HOME}/messages", typed).text
    assert "1 mail in Dutch" in words_of(page)
    assert 'name="subject_nl" value="Laarzen"' in page
    assert 'value="Laarzen"' in browser.submit(f"{HOME}/messages", {**typed, "act": "edit"}).text
    assert organiser.post(f"{HOME}/messages", {**typed, "expected_mails": 4}).status == 202
    road.upkeep.work_through(LATER, lambda: True)

    letters = Letters(table, keys, event, now=LATER)
    sent = {one: letters.write(f"message#{one}#{'e' * 32}") for one in ("a1", "a2")}
    assert [str(letter["Subject"]) for letter in sent.values()] == [TEXT["subject"], "Laarzen"]
    assert "Breng laarzen mee." in text_of(sent["a2"])
    assert "bring boots." not in text_of(sent["a2"])


@pytest.mark.usefixtures("people")
def test_a_text_reaches_more_people_than_one_row_holds(
    organiser: Client, table: Table, road: Road, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messages.PEOPLE_A_ROW", 2)
    assert organiser.post(f"{HOME}/messages", {**TEXT, "group": "all", "expected_mails": 4}).status == 202
    assert len(list(table.query("EVENT#nature", "MESSAGEPEOPLE#"))) == 1

    road.upkeep.work_through(LATER, lambda: True)

    assert texts(table) == ["a1", "a2", "a3", "a4"]
    assert [one["mails"] for one in organiser.get(f"{HOME}/messages").json["messages"]] == [4]
    forget_everybody(table, event, lambda: True)
    assert list(table.query("EVENT#nature", "MESSAGE")) == []
