"""A French or Dutch reader's way as attendee and organiser, without an English word or a text of another language."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from functions.register import app as register
from functions.register import web as register_web
from shared.events import put_event
from shared.leaders import all_led
from shared.models import MailKind, Registration, RegistrationState
from shared.registrations import registration_item, registrations_of
from shared.table import Table
from shared.tokens import CALENDAR_SALT, LEADER_SALT, SIGN_IN_SALT, Keys, sign, sign_link
from tests.support.attendee_client import HOST, Answer, Web
from tests.support.factories import NOW, make_registration
from tests.support.foreign_words import foreign_in, marked_event
from tests.support.mail_samples import entry_of, every_kind, html_of, text_of
from tests.support.organiser_client import CONTEXT, Client, at

SAMPLE = Path(__file__).parents[2] / "infra" / "events" / "nature-connectivity.yaml"

TITLES = {"fr": "nom,courriel,secteur,choix 1", "nl": "naam,mailadres,sector,keuze 1"}
"""What the columns of a list are called that an organiser imports."""

BROWSERS = {"fr": "fr-BE,fr;q=0.9,en;q=0.3", "nl": "nl-BE,nl;q=0.9,en;q=0.3"}


@pytest.fixture(params=sorted(BROWSERS))
def language(request: pytest.FixtureRequest) -> str:
    """The language of the reader."""
    return str(request.param)


class Reader:
    """Collects what a reader of one language meets in another, by where it stood."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.met: dict[str, set[str]] = {}
        self.own_marks = 0

    def reads(self, where: str, text: str, *, html: bool = True) -> None:
        """Note the foreign words of a page, or of a plain text."""
        assert text, where
        self.met[f"{len(self.met)} {where}"] = foreign_in(text, self.language, html=html)
        self.own_marks += text.count(f"Zz{self.language}")

    @property
    def foreign(self) -> dict[str, set[str]]:
        return {where: words for where, words in self.met.items() if words}


class Visitor:
    """An attendee's browser that notes every page by its address, and the status that the test expects."""

    def __init__(self, reader: Reader) -> None:
        self.web, self.reader = Web(register.handler), reader
        self.headers = {"accept-language": BROWSERS[reader.language]}

    def opens(self, address: str, *, status: int = 200, **headers: str) -> Answer:
        answer = self.web.visit(address, headers={**self.headers, **headers})
        return self._noted(f"GET {_short(address)}", answer, status)

    def sends(self, address: str, form: dict[str, Any], *, status: int = 303) -> Answer:
        answer = self.web.submit(address, form, headers=self.headers)
        return self._noted(f"POST {_short(address)} {sorted(form)[:2]}", answer, status)

    def calls(self, method: str, address: str, body: bytes, *, status: int, **headers: str) -> Answer:
        sent = {"Accept": "text/html", "Origin": f"https://{HOST}", **self.headers, **headers}
        answer = self.web.send(method, address, body, headers=sent)
        return self._noted(f"{method} {_short(address)} {headers}", answer, status)

    def _noted(self, where: str, answer: Answer, status: int) -> Answer:
        assert answer.status == status, (where, answer.status, re.sub(r"<[^>]+>|\s+", " ", answer.text)[:900])
        kind = answer.headers.get("content-type", "")
        if kind.startswith("text/html") and answer.body:
            self.reader.reads(f"{where} → {status}", answer.text)
        elif kind.startswith("text/calendar"):
            self.reader.reads(f"{where} → {status}", in_words_of(answer.text), html=False)
        return answer


class Organiser:
    """An organiser's browser that notes every page."""

    def __init__(self, reader: Reader, browser: Client) -> None:
        self.reader, self.browser = reader, browser

    def opens(self, path: str, *, status: int = 200) -> None:
        self.noted(f"GET {path}", self.browser.page(path), status)

    def sends(self, path: str, form: dict[str, Any], *, status: int = 303) -> None:
        self.noted(f"POST {path} {sorted(form)[:2]}", self.browser.submit(path, form), status)

    def noted(self, where: str, answer: Any, status: int) -> None:
        assert answer.status == status, (where, answer.status, re.sub(r"<[^>]+>|\s+", " ", answer.text)[:900])
        if answer.headers.get("content-type", "").startswith("text/html") and answer.content:
            self.reader.reads(f"{where} → {status}", answer.text)

    def reads_file(self, path: str) -> None:
        """Note the name and the contents of a list, as CSV and as XLSX."""
        for suffix in ("csv", "xlsx"):
            answer = self.browser.get(f"{path}.{suffix}")
            name = answer.headers["content-disposition"].partition("filename=")[2]
            shown = answer.content.decode("utf-8-sig") if suffix == "csv" else _words_of_xlsx(answer.content)
            words = " ".join(re.findall(r"[a-z]+", name.partition("-")[2].removesuffix(f'.{suffix}"')))
            self.reader.reads(f"{path}.{suffix}", f"{shown}\n{words}", html=False)


def _words_of_xlsx(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        cells = re.findall(r">([^<]+)<", book.read("xl/sharedStrings.xml").decode())
        return " ".join([*cells, *re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())])


def _short(address: str) -> str:
    return re.sub(r"[\w.~-]{30,}", "…", address)


def in_words_of(calendar: str) -> str:
    """What a calendar shows: its unfolded texts without the keys, moments and ids."""
    lines = calendar.replace("\r\n ", "").split("\r\n")
    shown = ("X-WR-CALNAME", "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CATEGORIES", "NAME")
    found = [line.partition(":")[2] for line in lines if line.startswith(shown)]
    assert found
    return "\n".join(found).replace("\\n", "\n").replace("\\,", ",")


@pytest.fixture
def now(table: Table, keys: Keys, app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the clock of both functions."""

    def set_clock(moment: Any) -> None:
        monkeypatch.setattr(register_web, "clock", lambda: moment)
        at(app, moment)

    monkeypatch.setattr(register_web, "table", table)
    monkeypatch.setattr(register_web, "keys", keys)
    set_clock(NOW)
    return set_clock


def own_address(keys: Keys, person: Registration) -> str:
    return f"/r/{sign_link(keys, person.event, person.id, person.link_version)}"


def test_an_attendee_meets_no_foreign_word(
    language: str, table: Table, keys: Keys, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = marked_event()
    put_event(table, event, actor="test", now=NOW)
    reader = Reader(language)
    visitor = Visitor(reader)
    page = f"/events/{event.id}"

    def form(number: int, **other: Any) -> dict[str, Any]:
        typed = {"name": f"Ζωή {number}", "email": f"zoe{number}@example.org", "organisation": "Σχολείο"}
        typed |= {f"choice-{n}": theme.id for n, theme in enumerate(event.themes, 1)}
        return {**typed, "partner_type": "ngo", "answer-way": event.questions[1].options[0], **other}

    def person(number: int) -> Registration:
        [found] = [one for one in registrations_of(table, event.id) if one.email == f"zoe{number}@example.org"]
        return found

    for address in ("/", page, f"{page}/links", f"{page}/group", f"{page}/registered", f"{page}/erased"):
        visitor.opens(address)
    for refused in (
        {**{"name": ""}, **{"email": "nowhere"}},
        {"choice-2": event.themes[0].id, "partner_type": "none"},
        {"choice-1": "", "answer-way": "on foot", "answer-diet": "x" * 1001, "name": "see https://example.org"},
        {"choice-1": "", "choice-2": "", "choice-3": "", "choice-4": "", "partner_type": ""},
    ):
        visitor.sends(f"{page}/registrations", form(1, **refused), status=422)
    for number in range(1, 8):
        visitor.sends(f"{page}/registrations", form(number))
    visitor.sends(f"{page}/group", {"name": "", "email": "x", "names": ""}, status=422)
    visitor.sends(f"{page}/links", {"email": "nowhere"}, status=422)
    visitor.sends(f"{page}/links", {"email": "zoe1@example.org"})
    assert {one.language for one in registrations_of(table, event.id)} == {language}
    assert person(7).state is RegistrationState.WAITING
    visitor.opens(page)

    own = own_address(keys, person(1))
    visitor.opens(own)
    visitor.opens(own_address(keys, person(7)))
    visitor.sends(own, form(1, name=""), status=422)
    visitor.sends(own, form(1, name="Ζωή Α"))
    for done in ("changed", "place", "confirmed", "moved", "round"):
        visitor.opens(f"{own}?done={done}")
    for act in ("withdrawal", "erasure"):
        visitor.sends(f"{own}/{act}", {}, status=200)
        visitor.sends(f"{own_address(keys, person(7))}/{act}", {}, status=200)
    visitor.opens(f"{own}/programme.ics")
    visitor.opens(f"/calendars/{sign(keys, CALENDAR_SALT, [event.id, person(1).id, 1])}/day.ics")
    visitor.opens(f"{own}/attendance", status=404)
    visitor.sends(f"{own}/place", {"act": "accept"})
    visitor.sends(f"{own_address(keys, person(2))}/withdrawal", {"confirmed": "yes"})
    visitor.opens(own_address(keys, person(2)))
    visitor.sends(own_address(keys, person(2)), form(2), status=409)
    gone = own_address(keys, person(3))
    visitor.sends(f"{gone}/erasure", {"confirmed": "yes"})
    visitor.opens(gone, status=404)

    for state in RegistrationState:
        other = make_registration(
            **{"id": f"{state.value[:1]}" * 20, "state": state, "language": language, "email": f"{state}@example.org"},
            **{"offer_expires_at": "2026-03-03T10:00:00.000000Z", "confirmed_at": None},
            **{
                "name": "Ζωή",
                "organisation": "Σ",
                "confirm_by": "2026-03-03T10:00:00.000000Z",
                "choices": [] if state == "delegate" else ["vision"],
            },
        )
        table.put_all([registration_item(other)])
        visitor.opens(own_address(keys, other))

    # What goes wrong, and where nothing is.
    form_type = "application/x-www-form-urlencoded"
    for address in ("/nowhere", "/events/none", f"{page}/none", "/r/none", "/address/none", "/leaders/none"):
        visitor.opens(address, status=404)
    visitor.opens(f"{page}/allocation", status=404)
    post = f"{page}/registrations"
    visitor.calls("DELETE", page, b"", status=405)
    visitor.calls("POST", post, b"\xff=\xff", status=400, **{"content-type": form_type})
    visitor.calls("POST", post, b"{", status=400, **{"content-type": "application/json"})
    visitor.calls("POST", post, b"x", status=415, **{"content-type": "text/plain"})
    visitor.calls("POST", post, b"name=" + b"x" * 300_000, status=413, **{"content-type": form_type})
    visitor.calls("POST", post, b"", status=403, **{"content-type": form_type, "Origin": "https://example.com"})
    for number in range(20, 80):
        answer = visitor.web.submit(post, form(number), headers=visitor.headers)
        if answer.status == 429:
            break
    reader.reads("429", answer.text)
    assert answer.status == 429

    # Workshops are given out; the leader's page; the day is over; the day is cancelled.
    [led] = all_led(event)
    leader = f"/leaders/{sign(keys, LEADER_SALT, led.claim(event))}"
    visitor.opens(leader)
    visitor.sends(leader, {"subject": "", "body": ""}, status=422)
    visitor.sends(leader, {"subject": "Σ", "body": "Σ"}, status=409)
    now(event.closes_at + timedelta(minutes=1))
    visitor.opens(page)
    visitor.opens(own)
    visitor.sends(post, form(90), status=409)
    now(event.ends_at + timedelta(hours=1))
    visitor.opens(page)
    visitor.opens(own)
    now(NOW)
    row = table.get("EVENTS", event.id)
    assert row is not None
    table.put_all([{**row, "cancelled_at": "2026-03-02"}])
    visitor.opens(page)
    visitor.opens(own)
    visitor.sends(post, form(91), status=409)
    visitor.opens(f"{own}/programme.ics")
    table.put_all([{**row, "document": "{"}])
    visitor.opens(page, status=503)
    visitor.opens(own, status=503)

    statuses = {int(where[-3:]) for where in reader.met if where[-3:].isdecimal()}
    assert statuses >= {200, 400, 403, 404, 405, 409, 413, 415, 422, 429, 503}
    assert (len(reader.met) > 60, reader.own_marks > 100) == (True, True)
    assert reader.foreign == {}


def test_no_mail_has_a_foreign_word(language: str, table: Table, keys: Keys) -> None:
    """Every kind, its calendar entry, and the names of its files and of who sends it."""
    reader = Reader(language)
    mails = every_kind(table, keys, marked_event(), language)
    for kind, mail in mails.items():
        html, text = html_of(mail), text_of(mail)
        if kind.startswith("allocation-failed"):  # what the allocator says is quoted, in English, and said to be
            quoted = "13:00 has 8 seats for 9 people present."
            html, text = html.replace(quoted, ""), text.replace(quoted, "")
        if kind != "message":  # an organiser's own words
            reader.reads(f"{kind} html", html)
            reader.reads(f"{kind} text", text, html=False)
        heads = " ".join(str(mail[name]).partition("<")[0] for name in ("subject", "from"))
        reader.reads(f"{kind} heads", heads if kind != "message" else "-", html=False)
        entry = entry_of(mail)
        if entry:
            reader.reads(f"{kind} calendar", in_words_of(entry.decode()), html=False)

    assert {kind.split(",")[0] for kind in mails} == set(MailKind.__args__)  # type: ignore[attr-defined]
    assert reader.own_marks > 100
    assert reader.foreign == {}


def goes_wrong(organiser: Organiser, home: str) -> None:
    """What is not there, or not understood."""
    for path in (f"{home}/none", f"{home}/people/none", f"{home}/allocations/9", "/organise/none", "/organise/a/b/c/d"):
        organiser.opens(path, status=404)
    for body, kind, status in (
        (b"\xff=\xff", "application/x-www-form-urlencoded", 400),
        (b"x", "text/plain", 415),
        (b"name=" + b"x" * 7_000_000, "application/x-www-form-urlencoded", 413),
    ):
        sent = {"content_type": kind, "origin": f"https://{HOST}"}
        answer = organiser.browser.call("POST", f"{home}/people", body, accept="text/html", **sent)
        organiser.noted(f"POST {kind}", answer, status)
    organiser.noted(
        "PUT", organiser.browser.call("PUT", f"{home}/people", "", accept="text/html", origin=f"https://{HOST}"), 405
    )


def test_an_organiser_meets_no_foreign_word(
    language: str, table: Table, keys: Keys, app: ModuleType, allocate: ModuleType, now: Any
) -> None:
    event = marked_event()
    put_event(table, event, actor="organiser@example.org", now=NOW)
    reader = Reader(language)
    home = f"/organise/{event.id}"
    browser = Client(app, table, keys, headers={"accept-language": BROWSERS[language]})

    organiser = Organiser(reader, browser)
    opens, sends = organiser.opens, organiser.sends

    opens("/organise/sign-in")
    sends("/organise/sign-in", {"email": "nowhere"}, status=422)
    opens(home, status=401)
    opens(f"/organise/sign-in/{sign(keys, SIGN_IN_SALT, [event.id, 'none'])}", status=404)
    browser.sign_in_browser(event)
    for path in ("/organise", "/organise/new", home, f"{home}/people", f"{home}/allocations", f"{home}/messages"):
        opens(path)

    # People: by hand, refused, imported.
    typed = {"name": "Ζωή", "organisation": "Σ", "partner_type": "ngo", "choice_1": "vision"}
    for number in range(5):
        sends(f"{home}/people", {**typed, "name": f"Ζωή {number}", "email": f"zoe{number}@example.org"})
    for one in list(registrations_of(table, event.id)):  # else their mails are in the event's own language
        table.put_all([registration_item(one.model_copy(update={"language": language}))])
    sends(f"{home}/people", {**typed, "name": "", "email": "x", "choice_1": "none"}, status=422)
    sends(f"{home}/people", {**typed, "email": "zoe1@example.org"}, status=409)
    csv = f"{TITLES[language]}\nΆννα,anna@example.org,ngo,governance\n,x,none,none\n"
    sends(f"{home}/people/import", {"csv": csv + "Ζωή 1,zoe1@example.org,ngo,vision\n"}, status=200)
    sends(f"{home}/people/import", {"csv": "a,b\n1\n"}, status=422)
    first = next(one for one in registrations_of(table, event.id) if one.email == "zoe0@example.org")
    person = f"{home}/people/{first.id}"
    sends(person, {**typed, "name": "", "email": "zoe0@example.org", "revision": "1"}, status=422)
    sends(person, {**typed, "email": "zoe0@example.org", "pinned_first": "vision", "absent": "second", "revision": "1"})

    # Set-up: what is refused and what would change.
    for page in ("day", "themes", "registration", "allocation", "access"):
        opens(f"{home}/setup/{page}")
    opens(f"{home}/setup")
    sends(f"{home}/setup/day", {"title.en": "", "date": "x", "rounds[0].was": "0", "rounds[0].start": "z"}, status=422)
    sends(f"{home}/file", {"text": "id: ["}, status=422)
    sends("/organise/new", {"act": "start", "title": "", "rounds": "x"}, status=422)
    sends("/organise/new", {"act": "copy", "event": "none", "new_day": "x"}, status=422)

    # Texts to people, drafts, publication.
    sends(f"{home}/messages", {"group": "all", "subject": "", "body": ""}, status=422)
    sends(f"{home}/messages", {"group": "all", "subject": "Σ", "body": "Σ"}, status=200)
    sends(f"{home}/allocations", {"mode": "keep"}, status=409)
    sends(f"{home}/allocations", {"mode": "fresh"})
    opens(f"{home}/allocations/1")
    allocate.handler({"event": event.id, "run": 1}, CONTEXT)
    opens(f"{home}/allocations/1")
    opens(f"{home}/allocations/1/outbox")
    opens(f"{home}/allocations/1/outbox/{first.id}")
    sends(f"{home}/allocations/1/publication", {"expected_mails": "77", "afterwards": "keep"}, status=409)
    mails = re.search(r'name="expected_mails" value="(\d+)"', browser.page(f"{home}/allocations/1").text)
    assert mails
    sends(f"{home}/allocations/1/publication", {"expected_mails": mails[1], "afterwards": "keep"})
    allocate.handler({"event": event.id, "publication": 1}, CONTEXT)
    sends(f"{home}/allocations", {"mode": "keep", "weight": "9"})
    allocate.handler({"event": event.id, "run": 2}, CONTEXT)
    for path in (
        *("", "/people", "/people?q=ζ", "/people?tab=bounced", "/people/new", "/people/import", "/allocations"),
        *("/allocations/1", "/allocations/2", "/allocations/1/outbox", "/mails", "/messages", "/exports", "/audit"),
        *("/cancellation", "/file", "/setup", "/workshops/vision/first", "/sheets", "/badges"),
        f"/people/{first.id}",
    ):
        opens(f"{home}{path}")

    goes_wrong(organiser, home)

    # The day: the door, its helper, the lists; the files, by name and by heading.
    now(event.starts_at + timedelta(minutes=5))
    browser.sign_in_browser(event)
    sends(f"{person}/check-in", {"q": "ζ"})
    for path in (
        "",
        "/door",
        "/door?q=ζ",
        "/door?q=xyz",
        f"/door?done={first.id}",
        "/workshops/vision/first",
        "/people",
    ):
        opens(f"{home}{path}")
    for name in ("leaders", "catering", "badges"):
        organiser.reads_file(f"{home}/{name}")
    for name in ("people", "programmes", "workshops"):
        rows = browser.get(f"{home}/{name}.csv").content.decode("utf-8-sig").splitlines()[1:]
        reader.reads(f"{name}.csv", " ".join(rows), html=False)

    helper = Client(app, table, keys, headers=browser.headers).sign_in_browser(event, "door@example.org")
    for path, status in (("/door", 200), ("", 303), ("/people", 403), ("/exports", 403)):
        organiser.noted(f"helper {path}", helper.page(f"{home}{path}"), status)
    browser.sign_in_browser(event)
    now(NOW)
    sends(f"{home}/cancellation", {"expected_mails": "77"}, status=409)
    sends(f"{home}/cancellation", {"expected_mails": "5"})
    for path in ("", "/cancellation", "/people", f"/people/{first.id}", "/allocations/2", "/mails", "/audit"):
        opens(f"{home}{path}")

    assert (len(reader.met) > 75, reader.own_marks > 300) == (True, True)
    assert reader.foreign == {}
