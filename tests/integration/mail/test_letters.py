"""Every mail in every language, parsed as a client parses it: form, heads, words, links, calendar."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import boto3
import moto
import pytest
from icalendar import Calendar

from functions.organise import app as organise
from functions.register import app
from shared.events import put_event
from shared.i18n import LANGUAGES, translations
from shared.letters.compose import ALWAYS_TOLD, NothingToTellError
from shared.mails import mails_of
from shared.models import Event, MailKind, RegistrationState
from shared.registrations import read_registration, register, registration_item, withdraw
from shared.settings import public_url
from shared.table import Table
from shared.tokens import Keys
from tests.conftest import create_table
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event, make_registration
from tests.support.mail_samples import FIRST, SECOND, Letters, entry_of, every_kind, html_of, text_of
from tests.unit.test_catalogues import SLOT, pairs

Mails = dict[str, EmailMessage]

WITH_ENTRY = {
    "confirmation",
    "confirmation, allocated",
    "programme",
    "programme-changed",
    "reminder",
    "withdrawn",
    "place-released",
    "day-cancelled",
    "day-restored",
}
LONGEST_LINE = 78


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def language(request: pytest.FixtureRequest) -> str:
    """Each language in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def mails(language: str) -> Mails:
    """A mail of every kind in one language, written once."""
    with moto.mock_aws():
        create_table()
        boto3.client("secretsmanager").create_secret(Name="parcours-signing-key", SecretString="key-one-" * 8)
        table = Table(boto3.client("dynamodb"), "parcours")
        keys = Keys(boto3.client("secretsmanager"), "parcours-signing-key")
        return every_kind(table, keys, make_event(), language)


class Page(HTMLParser):
    """What an HTML mail shows, where it leads, and whatever a client would have to fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: set[str] = set()
        self.fetched: list[str] = []
        self._unseen = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self._unseen = tag in {"style", "title"}
        if tag == "a":
            self.links.add(str(about["href"]))
        self.fetched += [str(about[name]) for name in ("src", "background", "srcset") if name in about]
        self.fetched += [tag] if tag in {"img", "link", "script", "iframe", "form", "object"} else []

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def links_in(text: str) -> set[str]:
    return set(re.findall(r"https?://\S+", text))


def entry(mail: EmailMessage) -> Any:
    """The calendar of a mail, and its one entry."""
    raw = entry_of(mail)
    assert raw is not None
    calendar = Calendar.from_ical(raw)
    [found] = calendar.walk("VEVENT")
    return calendar, found


TO_ORGANISERS = ("allocation-failed", "draft-ready")


def test_every_kind_of_the_contract_is_here(mails: Mails) -> None:
    kinds = {name.split(",")[0] for name in mails}

    assert kinds == set(MailKind.__args__)  # type: ignore[attr-defined]


def test_a_mail_is_plain_ascii_in_short_lines_and_says_it_twice(event: Event, table: Table, keys: Keys) -> None:
    """Pure ASCII with lines of at most 78, text before HTML, the calendar beside both."""
    post = Letters(table, keys, make_event(title="Été & nature: cœur, “liens”"))
    put_event(table, post.event, actor="test", now=NOW)
    register(table, post.event, make_registration(number=1, id="a" * 20), now=NOW)
    mail = post.write(f"confirmation#{'a' * 20}")
    [raw] = post.raw.values()

    assert max(raw) < 128
    assert max(map(len, raw.split(b"\r\n"))) <= LONGEST_LINE
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
    ]
    assert {part["Content-Transfer-Encoding"] for part in mail.walk() if not part.is_multipart()} <= {
        "7bit",
        "quoted-printable",
        "base64",
    }


def test_every_mail_has_one_recipient_and_the_heads_that_keep_machines_quiet(mails: Mails) -> None:
    for name, mail in mails.items():
        to = {"sign-in": "organiser@example.org", "withdrawn": "moved@example.org", "erased": "moved@example.org"}
        to |= {"leader-list": "leader@example.org"}
        to |= dict.fromkeys(("address-check", "place-released"), "moved@example.org")
        to |= dict.fromkeys(TO_ORGANISERS, "organiser@example.org")
        assert mail["To"] == to.get(name.split(",")[0], "person1@example.org"), name
        assert (mail["Cc"], mail["Bcc"]) == (None, None)
        sender = mail["From"].addresses[0]
        assert sender.addr_spec == "parcours@example.org"
        assert sender.display_name == ("Parcours" if name == "sign-in" else "Nature connectivity")
        assert mail["Reply-To"] == "contact@example.org"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["X-Auto-Response-Suppress"] == "All"
        assert mail["Date"].datetime.tzinfo is not None
        assert mail["Subject"][0].isupper()
        assert mail.is_multipart()


def test_text_and_html_of_a_mail_say_the_same_and_lead_to_the_same_places(mails: Mails) -> None:
    for name, mail in mails.items():
        text, page = text_of(mail), Page(html_of(mail))
        assert page.links == links_in(text), name
        assert page.fetched == [], name
        shown = " ".join(text.split())
        facts = ["Nature connectivity", "16 ", "09:00–16:00", "Conscience building", "Room governance", "Room wildlife"]
        facts += [title.title() for title in FIRST.values()] + ["Zoë D'Hondt", "Coffee", "14:20–15:35"]
        assert [one for one in facts if (one in shown) != (one in page.text)] == [], name


def test_every_link_of_every_mail_opens_a_page(
    event: Event, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.register.web.clock", lambda: NOW)
    post = Letters(table, keys, event)
    attendee, organiser = Web(app.handler), Web(organise.handler)
    register(table, event, make_registration(number=1, id="a" * 20), now=NOW)
    confirmation = text_of(post.write(f"confirmation#{'a' * 20}"))
    monkeypatch.setattr(organise, "clock", lambda: NOW)
    organiser.post("/organise/sign-in", {"email": "organiser@example.org"})
    [row] = mails_of(table, event.id, "sign-in#")
    sign_in = text_of(post.write(row.id))

    found = links_in(confirmation) | links_in(sign_in)
    assert len(found) == 3
    for link in found:
        path = link.removeprefix(public_url())
        web = organiser if path.startswith("/organise") else attendee
        assert web.visit(path).status == 200, path


def test_the_link_in_a_mail_follows_the_person_to_a_new_address(mails: Mails) -> None:
    own = {name: {link for link in links_in(text_of(mail)) if "/r/" in link} for name, mail in mails.items()}
    told_nothing = {"address-check", "address-changed", "erased", "sign-in", "feedback", "leader-list", *TO_ORGANISERS}

    assert {name.split(",")[0] for name, links in own.items() if not links} == told_nothing
    before = set().union(
        *(links for name, links in own.items() if name not in {"withdrawn", "place-released", "group"})
    )
    assert len(before) == 1
    assert own["withdrawn"].isdisjoint(before)


def test_no_english_is_left_in_another_language(mails: Mails, language: str) -> None:
    """Whatever the catalogue translates is translated; only what organisers wrote stays."""
    english = [one for one, _ in pairs("parcours", "nl") if len(one) > 12 and not SLOT.search(one)]

    for name, mail in mails.items():
        assert f'<html lang="{language}">' in html_of(mail)
        said = " ".join(text_of(mail).split()) + Page(html_of(mail)).text
        left = [one for one in english if one in said and translations(language).gettext(one) != one]
        assert left == [], name


# --------------------------------------------------------------------------- the calendar entry


def test_one_entry_follows_a_person_through_every_mail(mails: Mails) -> None:
    """The same UID for ever; the run's number as sequence; cancelled at the end."""
    entries = {name: entry(mail) for name, mail in mails.items() if entry_of(mail)}

    assert entries.keys() == WITH_ENTRY
    assert {str(one["UID"]) for _, one in entries.values()} == {f"{'a' * 20}@parcours.example.org"}
    assert {name: int(one["SEQUENCE"]) for name, (_, one) in entries.items()} == {
        "confirmation": 0,
        "programme": 2,
        "confirmation, allocated": 2,
        "programme-changed": 3,
        "reminder": 3,
        "withdrawn": 4,
        "place-released": 4,
        "day-cancelled": 4,
        "day-restored": 5,
    }
    gone = {"withdrawn", "place-released", "day-cancelled"}
    assert {name for name, (calendar, _) in entries.items() if calendar["METHOD"] == "CANCEL"} == gone
    assert {str(one["STATUS"]) for name, (_, one) in entries.items() if name not in gone} == {"CONFIRMED"}
    assert {str(entries[name][1]["STATUS"]) for name in gone} == {"CANCELLED"}


def test_an_entry_is_valid_and_holds_the_day_the_workshops_and_no_secret(mails: Mails) -> None:
    for name in WITH_ENTRY:
        raw = entry_of(mails[name])
        calendar, one = entry(mails[name])
        assert raw is not None
        assert calendar.errors == one.errors == []
        assert {"PRODID", "VERSION", "METHOD"} <= calendar.keys()
        assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "LOCATION", "ORGANIZER", "URL"} <= one.keys()
        assert "ATTENDEE" not in one
        assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Brussels"]
        assert b"/r/" not in raw.replace(b"\r\n ", b"")
        assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
        [part] = [part for part in mails[name].walk() if part.get_content_type() == "text/calendar"]
        assert part.get_param("method") == str(calendar["METHOD"])
        assert part.get_filename() == "nature.ics"
    assert "Room vision" in str(entry(mails["programme-changed"])[1]["DESCRIPTION"])
    assert "Room wildlife" not in str(entry(mails["programme-changed"])[1]["DESCRIPTION"])
    assert "Room" not in str(entry(mails["confirmation"])[1]["DESCRIPTION"])


@pytest.mark.parametrize(
    ("day", "zone"), [(date(2026, 3, 28), "CET"), (date(2026, 3, 29), "CEST"), (date(2026, 10, 25), "CET")]
)
def test_hours_hold_on_the_days_the_clocks_change(table: Table, keys: Keys, day: date, zone: str) -> None:
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-03-20 12:00"}
    event = make_event(date=day.isoformat(), registration=rules, allocation={"at": "2026-03-20 12:00", "seed": "x"})
    put_event(table, event, actor="test", now=NOW)
    register(table, event, make_registration(number=1, id="a" * 20), now=NOW)
    mail = Letters(table, keys, event).write(f"confirmation#{'a' * 20}")

    calendar, one = entry(mail)
    begins, ends = one["DTSTART"].dt, one["DTEND"].dt
    assert f"{begins:%H:%M %Z}–{ends:%H:%M %Z}" == f"09:00 {zone}–16:00 {zone}"
    assert begins.utcoffset() == event.starts_at.utcoffset()
    assert "09:00–16:00" in text_of(mail)
    [rules_of_zone] = calendar.walk("VTIMEZONE")
    assert rules_of_zone.to_tz().utcoffset(datetime(day.year, day.month, day.day, 9)) == begins.utcoffset()


# --------------------------------------------------------------------------- what must not get into a mail


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Zoë D'Hondt-Yılmaz", True),
        ("李小龍", True),
        ("Buy now at shop dot example", False),
        ("Call 0800 12345", False),
        ("<b>Jan</b>", False),
        ("{{ 7 * 7 }}", False),
        ("x" * 61, False),
    ],
)
def test_only_what_looks_like_a_name_is_greeted(
    event: Event, table: Table, keys: Keys, name: str, greeted: bool
) -> None:
    post = Letters(table, keys, event)
    one = register(table, event, make_registration(number=1, name=name, organisation="Acme"), now=NOW)[0]
    confirmation = post.write(f"confirmation#{one.id}")
    post.publish(1, {one.id: FIRST})
    programme = post.tell("programme", one.id, run=1)

    assert name not in text_of(confirmation)
    assert (name in text_of(programme)) == greeted
    assert "Acme" not in text_of(programme) + html_of(programme)


def test_a_title_can_neither_add_a_head_nor_break_the_page(table: Table, keys: Keys) -> None:
    title = 'Nature\r\nBcc: x@example.org, "<i>all</i>" & co; ' + "long " * 40
    event = make_event(title=title)
    put_event(table, event, actor="test", now=NOW)
    register(table, event, make_registration(number=1, id="a" * 20), now=NOW)
    post = Letters(table, keys, event)
    mail = post.write(f"confirmation#{'a' * 20}")

    assert mail["Bcc"] is None
    assert len(mail["To"].addresses) == len(mail["From"].addresses) == 1
    assert len(mail["From"].addresses[0].display_name) <= 75
    assert not set('@:,;"') & set(mail["From"].addresses[0].display_name)
    assert "<i>" not in html_of(mail)
    assert max(map(len, post.raw[f"confirmation#{'a' * 20}"].split(b"\r\n"))) <= LONGEST_LINE


def test_a_mail_whose_moment_has_passed_is_not_written(event: Event, table: Table, keys: Keys) -> None:
    post = Letters(table, keys, event)
    one = register(table, event, make_registration(number=1, id="a" * 20), now=NOW)[0]
    post.publish(1, {one.id: FIRST})
    post.now = event.ends_at + timedelta(minutes=1)
    with pytest.raises(NothingToTellError, match="over"):
        post.tell("reminder", one.id)
    post.now = NOW
    current = read_registration(table, event.id, one.id)
    assert current is not None
    withdraw(table, current, now=NOW)
    with pytest.raises(NothingToTellError, match="withdrawn"):
        post.tell("programme", one.id, run=1)
    assert "erased" in ALWAYS_TOLD


def test_who_has_nothing_in_a_new_run_is_told_so(event: Event, table: Table, keys: Keys) -> None:
    post = Letters(table, keys, event)
    one = register(table, event, make_registration(number=1, id="a" * 20), now=NOW)[0]
    post.publish(1, {one.id: FIRST})
    post.tell("programme", one.id, run=1)
    post.mark_sent(f"programme#1#{one.id}")
    post.publish(2, {one.id: {}}, before=1)

    mail = post.tell("programme-changed", one.id, run=2)

    assert text_of(mail).count("Now: no workshop") == 2
    assert "Room" not in str(entry(mail)[1]["DESCRIPTION"])


def test_people_of_a_workshop_that_is_called_off_read_that_it_does_not_take_place(
    event: Event, table: Table, keys: Keys, language: str
) -> None:
    """Each in their own mail, the delegate of a group in theirs; a person who only moved reads no such thing."""
    post = Letters(table, keys, event)
    here, moved = (
        register(table, event, make_registration(number=n, id=f"{n}" * 20, language=language), now=NOW)[0]
        for n in (1, 2)
    )
    pupil = make_registration(number=4, id="e" * 20, email="", delegate="d" * 20)
    about = {"state": RegistrationState.DELEGATE, "choices": [], "language": language, "members": [pupil.id]}
    delegate = make_registration(number=3, id="d" * 20, **about)
    table.put_all(map(registration_item, [delegate, pupil]))
    post.publish(1, {here.id: FIRST, moved.id: SECOND, pupil.id: FIRST})
    for one in (here, moved):
        post.tell("programme", one.id, run=1)
        post.mark_sent(f"programme#1#{one.id}")
    put_event(table, event.model_copy(update={"capacities": {"wildlife": {"second": 0}}}), actor="o", now=NOW)
    post.publish(2, {here.id: SECOND, moved.id: {"first": "governance"}, pupil.id: SECOND}, before=1)
    words = translations(language).gettext("%(workshop)s at %(time)s does not take place.")
    sentence = words % {"workshop": "Wildlife", "time": "14:20"}

    told = [post.tell("programme-changed", here.id, run=2), post.tell("group", delegate.id, run=2)]

    for mail in told:
        assert sentence in " ".join(text_of(mail).split())
        assert sentence in html_of(mail)
    assert sentence not in text_of(post.tell("programme-changed", moved.id, run=2))


def test_a_programme_that_changed_names_what_was_and_what_is(mails: Mails, language: str) -> None:
    say = translations(language).gettext
    text = text_of(mails["programme-changed"])

    assert f"{say('Now:')} Vision, Room vision" in text
    assert f"{say('Before:')} Wildlife, Room wildlife" in text
    assert {"en": "(your 2nd choice)", "nl": "(je 2e keuze)", "fr": "(votre 2e choix)"}[language] in text
    assert text.index(say("Now:")) < text.index(say("The whole day as it is now:"))
