"""The attendees' pages and API: registering, one's own link, and what nobody may learn or do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import botocore.client
import pytest
from icalendar import Calendar

from functions.register import app
from shared.check_in_code import check_in_code
from shared.events import put_event
from shared.letters.compose import compose
from shared.mails import mails_of
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import find_by_address, register, registrations_of, save
from shared.state import read_state
from shared.table import Table, put, update
from shared.tokens import Keys, sign_link
from shared.waiting_list import count_hourly, waiting_key
from tests.support.attendee_client import Answer, Web
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.forms import read_form
from tests.support.mail_samples import read, text_of

THEMES = ["vision", "governance", "resources", "wildlife"]
AT = "/events/nature/registrations"


def wish(number: int = 1, **changes: Any) -> dict[str, Any]:
    """What a person sends as JSON."""
    person = {"name": f"Person {number}", "email": f"person{number}@example.org"}
    return {**person, "organisation": "An organisation", "partner_type": "ngo", "choices": THEMES, **changes}


def form(number: int = 1, /, **changes: Any) -> dict[str, Any]:
    """What a browser sends for the same."""
    fields = {name: value for name, value in wish(number).items() if name != "choices"}
    places = {f"choice-{place}": theme for place, theme in enumerate(THEMES, 1)}
    return {**fields, **places, "shown_order": "wildlife,vision,governance,resources", **changes}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Time stands still; call it to move on."""
    times = [NOW]
    monkeypatch.setattr("functions.register.web.clock", lambda: times[0])

    def pass_by(span: timedelta) -> None:
        times[0] += span

    return pass_by


@pytest.fixture
def web(event: Event, clock: object) -> Web:
    """The function, with an event open for registration."""
    return Web(app.handler)


@pytest.fixture
def person(event: Event, table: Table) -> Registration:
    """A person who is registered."""
    return register(table, event, make_registration(number=1), now=NOW)[0]


@pytest.fixture
def link(person: Registration, keys: Keys) -> str:
    """Their own link."""
    return f"/r/{sign_link(keys, person.event, person.id, person.link_version)}"


def people(table: Table) -> list[Registration]:
    return list(registrations_of(table, "nature"))


def mail_kinds(table: Table) -> list[str]:
    return sorted(mail.kind for mail in mails_of(table, "nature"))


def with_capacity(table: Table, places: int, **changes: Any) -> Event:
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": places}
    event = make_event(registration=rules, **changes)
    put_event(table, event, actor="test", now=NOW)
    return event


# --------------------------------------------------------------------------- registering


def test_a_script_registers_and_is_thanked(web: Web, table: Table) -> None:
    answer = web.post(AT, wish())

    assert answer.status == 202
    assert answer.json["status"] == "accepted"
    [stored] = people(table)
    assert (stored.name, stored.email, stored.choices) == ("Person 1", "person1@example.org", THEMES)
    assert stored.state is RegistrationState.CONFIRMED
    assert mail_kinds(table) == ["confirmation"]


def test_a_browser_registers_and_is_sent_on_to_a_page_that_names_nobody_in_its_address(web: Web, table: Table) -> None:
    answer = web.submit(AT, form())

    assert (answer.status, answer.location) == (303, "/events/nature/registered")
    [stored] = people(table)
    assert stored.choices == THEMES
    assert stored.shown_order == ["wildlife", "vision", "governance", "resources"]
    [cookie] = answer.cookies
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert "SameSite=Strict" in cookie
    page = web.visit(answer.location, headers={"Cookie": cookie.split(";")[0]})
    assert "person1@example.org" in page.text
    assert "person1" not in web.visit(answer.location).text


def test_registering_twice_changes_nothing_and_sends_the_own_link(web: Web, table: Table) -> None:
    web.post(AT, wish())
    before = people(table)

    answer = web.post(AT, wish(name="Another person", email="PERSON1@example.org", partner_type="research"))

    assert answer.status == 202
    assert people(table) == before
    assert mail_kinds(table) == ["already-registered", "confirmation"]


def test_the_same_request_sent_twice_is_answered_twice_and_done_once(web: Web, table: Table) -> None:
    key = {"Idempotency-Key": "one-and-the-same"}

    first, second = web.post(AT, wish(), headers=key), web.post(AT, wish(), headers=key)

    assert (first.status, first.body) == (second.status, second.body)
    assert mail_kinds(table) == ["confirmation"]


def test_a_second_press_of_the_button_sends_no_second_mail(web: Web, table: Table) -> None:
    web.submit(AT, form(request="from-the-page"))

    answer = web.submit(AT, form(request="from-the-page"))

    assert answer.status == 303
    assert mail_kinds(table) == ["confirmation"]


@pytest.mark.parametrize("way_out", ["withdrawal", "erasure"])
@pytest.mark.parametrize("how", ["header", "form"])
def test_a_named_request_counts_anew_once_its_registration_is_gone(
    web: Web, table: Table, keys: Keys, way_out: str, how: str
) -> None:
    def ask() -> int:
        if how == "form":
            return web.submit(AT, form(request="from-the-page")).status
        return web.post(AT, wish(), headers={"Idempotency-Key": "k"}).status

    first = ask()
    [stored] = people(table)
    web.post(f"/r/{sign_link(keys, 'nature', stored.id, 1)}/{way_out}")
    again, repeated = ask(), ask()

    assert (first, again, repeated) in {(202, 202, 202), (303, 303, 303)}
    [back] = [one for one in people(table) if one.state is not RegistrationState.WITHDRAWN]
    assert back.id != stored.id
    assert mail_kinds(table).count("confirmation") == (2 if way_out == "withdrawal" else 1)


def test_one_mailbox_gets_so_many_mails_an_hour_however_its_address_is_spelled(
    web: Web, table: Table, clock: Callable[..., None]
) -> None:
    put_event(table, make_event(id="other"), actor="test", now=NOW)
    spelled = [f"carol+{number}@gmail.com" for number in range(8)] + ["c.a.r.o.l@gmail.com", "CAROL@googlemail.com"]
    for address in (*spelled, "c.arol@gmail.com", "carol+x@gmail.com"):
        assert web.post(AT, wish(email=address)).status == 202
    elsewhere = web.post("/events/other/registrations", wish(email="car.ol@gmail.com")).status
    other_person = web.post(AT, wish(email="c.arol@example.org")).status

    assert (elsewhere, other_person, len(people(table))) == (202, 202, 13)
    assert mail_kinds(table).count("confirmation") == 10 + 1
    assert list(mails_of(table, "other")) == []
    clock(timedelta(hours=1))
    web.post("/events/nature/links", {"email": "c.arol@gmail.com"})
    assert mail_kinds(table).count("already-registered") == 1


def test_an_event_sets_how_many_forms_one_network_may_send(web: Web, table: Table) -> None:
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "per_source_hour": 2}
    put_event(table, make_event(registration=rules), actor="test", now=NOW)

    answers = [web.submit(AT, form(number)) for number in (1, 2, 3)]

    assert [answer.status for answer in answers] == [303, 303, 429]
    assert "Registering together" in answers[2].text or "registering together" in answers[2].text
    assert 'value="Person 3"' in answers[2].text


def test_a_program_that_fills_the_hidden_field_is_thanked_and_nothing_is_stored(web: Web, table: Table) -> None:
    honest = web.submit(AT, form(1))
    caught = web.submit(AT, form(2, remark2="https://spam.example"))
    caught_json = web.post(AT, wish(3, remark2="x"))

    assert (caught.status, caught.location) == (honest.status, honest.location)
    assert caught_json.status == 202
    assert [one.email for one in people(table)] == ["person1@example.org"]
    assert mail_kinds(table) == ["confirmation"]


@pytest.mark.parametrize(
    "odd", [{"name": []}, {"email": []}, {"choice-1": []}, {"shown_order": 5}, {"shown_order": None}, {"revision": 5}]
)
def test_json_in_a_browsers_clothes_is_no_fault_of_ours(web: Web, link: str, odd: dict[str, Any]) -> None:
    """A JSON body with `Accept: text/html`: lists and numbers once met code that knows the texts of forms only."""
    for path in (AT, link):
        answer = web.call("POST", path, wish(**odd), headers={"Accept": "text/html"})
        assert answer.status in {200, 202, 409, 422}
        assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("end", ["%0a", "%0d", "%00", "%e2%80%a8"])
def test_a_link_opens_by_its_exact_text_only(web: Web, link: str, end: str) -> None:
    assert web.get(link + end).status == 404
    assert web.post(f"{link}/erasure{end}").status == 404
    assert web.get(link).status == 200


def test_a_caller_who_names_every_request_alike_loses_nobody(web: Web, table: Table) -> None:
    for number in (1, 2, 3):
        web.post(AT, wish(number), headers={"Idempotency-Key": "always this"})

    assert len(people(table)) == 3


def test_answers_to_the_events_own_questions_are_kept(web: Web, table: Table) -> None:
    questions = [
        {"id": "diet", "type": "text", "title": "Diet", "purpose": "For the caterer", "sensitive": True},
        {"id": "lunch", "type": "choice", "title": "Lunch", "options": ["Soup", "Bread"]},
        {"id": "list", "type": "consent", "title": "On the list of participants"},
    ]
    put_event(table, make_event(questions=questions), actor="test", now=NOW)

    web.post(AT, wish(1, answers={"diet": "no nuts", "lunch": "Soup", "list": True}))
    web.submit(AT, form(2, **{"answer-diet": "no nuts", "answer-lunch": "Soup", "answer-list": "yes"}))

    assert [one.answers for one in people(table)] == [{"diet": "no nuts", "lunch": "Soup", "list": True}] * 2


def test_nobody_registers_before_it_opens_or_after_it_closes(
    web: Web, table: Table, clock: Callable[..., None]
) -> None:
    clock(timedelta(days=-2))
    early = web.post(AT, wish())
    clock(timedelta(days=60))
    late = web.post(AT, wish())

    assert [(one.status, one.json["error"]) for one in (early, late)] == [(409, "closed")] * 2
    assert people(table) == []


def test_beyond_the_last_place_people_wait(web: Web, table: Table) -> None:
    with_capacity(table, 2)

    for number in (1, 2, 3):
        assert web.post(AT, wish(number)).status == 202

    assert sorted(one.state.value for one in people(table)) == ["confirmed", "confirmed", "waiting"]
    count_hourly(table, with_capacity(table, 2), now=NOW)
    assert "All places are taken" in web.visit("/events/nature").text


def test_one_source_registers_so_many_an_hour_and_no_mail_leaves_beyond(
    web: Web, table: Table, monkeypatch: pytest.MonkeyPatch, clock: Callable[..., None]
) -> None:
    monkeypatch.setattr("functions.register.web.cap_an_hour", 2)

    statuses = [web.post(AT, wish(number)).status for number in (1, 2, 3)]
    elsewhere = web.post(AT, wish(4), source="198.51.100.4").status
    clock(timedelta(hours=1))
    later = web.post(AT, wish(5)).status

    assert (statuses, elsewhere, later) == ([202, 202, 429], 202, 202)
    assert len(mail_kinds(table)) == 4


def test_x_forwarded_for_opens_no_new_source(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.register.web.cap_an_hour", 1)

    statuses = [web.post(AT, wish(n), headers={"X-Forwarded-For": f"203.0.113.{n}"}).status for n in (1, 2)]

    assert statuses == [202, 429]


def test_one_ipv6_network_is_one_source(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.register.web.cap_an_hour", 1)

    statuses = [web.post(AT, wish(n), source=f"2001:db8:0:1::{n}").status for n in (1, 2)]

    assert statuses == [202, 429]


# --------------------------------------------------------------------------- what does not hold


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 121}, "name"),
    ({"name": "Win at www.example.com"}, "name"),
    ({"name": "https://example.com"}, "name"),
    ({"name": "two\nlines"}, "name"),
    ({"name": "bell\u0007"}, "name"),
    ({"name": "turned \u202e round"}, "name"),
    ({"name": "nul\u0000"}, "name"),
    ({"name": 5}, "name"),
    ({"name": ["a"]}, "name"),
    ({"email": ""}, "email"),
    ({"email": "nobody"}, "email"),
    ({"email": "a@b"}, "email"),
    ({"email": "a@@example.org"}, "email"),
    ({"email": "a b@example.org"}, "email"),
    ({"email": ".a@example.org"}, "email"),
    ({"email": "a..b@example.org"}, "email"),
    ({"email": "zoë@example.org"}, "email"),
    ({"email": "a@example.org\nBcc: b@example.org"}, "email"),
    ({"email": '"a"@example.org'}, "email"),
    ({"email": "a@[192.0.2.1]"}, "email"),
    ({"email": "a@-example.org"}, "email"),
    ({"email": "a@example.123"}, "email"),
    ({"email": "a" * 65 + "@example.org"}, "email"),
    ({"email": "a@" + "b." * 125 + "org"}, "email"),
    ({"email": "a@" + "ü" * 500 + ".org"}, "email"),
    ({"email": None}, "email"),
    ({"email": {"a": 1}}, "email"),
    ({"organisation": "x" * 121}, "organisation"),
    ({"organisation": "<script src=//evil.example>\n" * 9}, "organisation"),
    ({"organisation": False}, "organisation"),
    ({"partner_type": "king"}, "partner_type"),
    ({"partner_type": ["ngo"]}, "partner_type"),
    ({"choices": []}, "choices"),
    ({"choices": THEMES[:3]}, "choices"),
    ({"choices": [*THEMES, "vision"]}, "choices"),
    ({"choices": ["vision"] * 4}, "choices"),
    ({"choices": [*THEMES[:3], "sales"]}, "choices"),
    ({"choices": "vision"}, "choices"),
    ({"choices": {"vision": 1}}, "choices"),
    ({"choices": [1, 2, 3, 4]}, "choices"),
    ({"choices": [THEMES]}, "choices"),
    ({"choices": [-1, 10**30]}, "choices"),
    ({"choices": None}, "choices"),
    ({"answers": {"unknown": "x"}}, "answers.unknown"),
    ({"answers": []}, "answers"),
    ({"answers": 1}, "answers"),
    ({"shown_order": ["vision"]}, "shown_order"),
    ({"language": "xx"}, "language"),
    ({"language": ["nl"]}, "language"),
    ({"website": "https://spam.example"}, "website"),
    ({"revision": 0}, "revision"),
    ({"revision": "1"}, "revision"),
    ({"revision": 1.5}, "revision"),
    ({"state": "confirmed"}, "state"),
    ({"id": "mine"}, "id"),
    ({"event": "other"}, "event"),
]


def test_what_does_not_hold_is_named_and_nothing_is_stored(web: Web, table: Table) -> None:
    answers = [web.post(AT, wish(**change)) for change, _ in FAULTS]

    assert {answer.status for answer in answers} == {422}
    assert [list(answer.json["fields"]) for answer in answers] == [[field] for _, field in FAULTS]
    assert all(words for answer in answers for words in answer.json["fields"].values())
    assert people(table) == []
    assert mail_kinds(table) == []


def test_every_fault_is_named_at_once(web: Web) -> None:
    answer = web.post(AT, {})

    assert list(answer.json["fields"]) == ["name", "email", "partner_type", "choices"]


@pytest.mark.parametrize("address", ["o'hara+nature@example.org", "a@xn--bcher-kva.example", "A.B@Example.ORG"])
def test_odd_but_deliverable_addresses_are_taken(web: Web, table: Table, address: str) -> None:
    assert web.post(AT, wish(email=address)).status == 202
    assert find_by_address(table, "nature", address) is not None


def test_a_domain_in_other_letters_becomes_what_mail_servers_call_it(web: Web, table: Table) -> None:
    web.post(AT, wish(email="  person1@bücher.example "))

    assert people(table)[0].email == "person1@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "name", ["Zoë D'Hondt-Yılmaz", "李小龍", "=1+1", "{{ 7 * 7 }}", "<b>Jan</b>", "Jan & Piet", "%s %(x)s {0}"]
)
def test_names_come_back_as_they_were_written(web: Web, table: Table, keys: Keys, name: str) -> None:
    web.post(AT, wish(name=name))

    [stored] = people(table)
    link = f"/r/{sign_link(keys, 'nature', stored.id, 1)}"
    assert web.get(link).json["name"] == name
    assert "<b>Jan" not in web.visit(link).text
    assert 'value="49"' not in web.visit(link).text


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b'{"name": "\\ud800"}', {"Content-Type": "application/json"}, 400),
        (b'{"a": 1, "a": 2}', {"Content-Type": "application/json"}, 400),
        (b'{"name": NaN}', {"Content-Type": "application/json"}, 400),
        (b'{"revision": 1e999}', {"Content-Type": "application/json"}, 422),
        (b"[" * 50_000, {"Content-Type": "application/json"}, 400),
        (b"\xff\xfe", {"Content-Type": "application/json"}, 400),
        (b"x" * 70_000, {"Content-Type": "application/json"}, 413),
        (b"<xml/>", {"Content-Type": "text/xml"}, 415),
        (b"name=%FF", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(
    web: Web, table: Table, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = web.send("POST", AT, body, headers={"Accept": "application/json", **headers})

    assert answer.status == status
    assert answer.json["message"]
    assert people(table) == []


def test_nothing_typed_is_lost_when_a_form_does_not_hold(web: Web, table: Table) -> None:
    questions = [{"id": "diet", "type": "text", "title": "Diet"}, {"id": "list", "type": "consent", "title": "List"}]
    put_event(table, make_event(questions=questions), actor="test", now=NOW)
    typed = form(email="nobody", **{"choice-4": "", "answer-diet": "no <nuts>", "answer-list": "yes"})

    answer = web.submit(AT, typed)

    assert answer.status == 422
    page = answer.text
    assert "<title>Error: " in page
    assert 'value="Person 1"' in page
    assert 'value="nobody"' in page
    assert 'value="ngo" checked' in page
    assert len(re.findall(r'<option value="\w+" selected', page)) == 3
    assert "no &lt;nuts&gt;</textarea>" in page
    assert re.search(r'name="answer-list" value="yes" checked', page)
    assert 'value="wildlife,vision,governance,resources"' in page
    assert page.count("Enter an email address in the form name@example.org.") == 2


def test_a_fault_leads_to_its_field_and_one_without_a_field_leads_nowhere(web: Web) -> None:
    page = web.submit(AT, form(name="", **{"choice-2": "", "<i>admin": "yes"})).text

    [summary] = re.findall(r'<div class="problem".*?</div>', page, re.DOTALL)
    leads = re.findall(r'href="#([^"]+)"', summary)
    assert leads == ["name", "choices"]
    assert all(f'id="{one}"' in page for one in leads)
    assert "<strong>&lt;i&gt;admin</strong>: There is no such field." in summary


def test_the_list_of_faults_says_which_question_each_is_about(web: Web, table: Table) -> None:
    event = make_event(
        labels={"partner_type": "Type of school"},
        questions=[
            {
                "id": one,
                "kind": "choice",
                "label": f"Which {one}?",
                "options": ["a", "b"],
                "required": True,
                "purpose": "P.",
            }
            for one in ("meal", "bus")
        ],
    )
    put_event(table, event, actor="test", now=NOW)

    page = web.submit(AT, form(partner_type="")).text

    [summary] = re.findall(r'<div class="problem".*?</div>', page, re.DOTALL)
    said = [re.sub(r"<.*?>", "", line) for line in re.findall(r"<li>(.*?)</li>", summary)]
    assert said == [
        "Type of school: Choose one of the answers listed.",
        "Which meal?: Answer this question.",
        "Which bus?: Answer this question.",
    ]


def test_a_form_may_name_the_choices_as_the_contract_does(web: Web, table: Table) -> None:
    fields = {name: value for name, value in form().items() if not name.startswith("choice-")}

    assert web.submit(AT, {**fields, "choices": THEMES}).status == 303
    assert people(table)[0].choices == THEMES


def test_a_form_over_the_cap_keeps_what_was_typed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.register.web.cap_an_hour", 0)

    answer = web.submit(AT, form())

    assert answer.status == 429
    assert 'value="Person 1"' in answer.text


def test_a_form_from_another_site_is_refused(web: Web, table: Table) -> None:
    answer = web.submit(AT, form(), headers={"Origin": "https://evil.example"})

    assert answer.status == 403
    assert people(table) == []


def test_a_field_given_twice_breaks_nothing(web: Web) -> None:
    answer = web.submit(AT, form(name=["A", "B"], **{"choice-1": ["vision", "vision"]}))

    assert answer.status == 303


@pytest.mark.parametrize("path", ["/events/none", "/events/" + "x" * 300, "/nothing", "/assets/none.css", "/assets/x"])
def test_what_does_not_exist_is_not_found(web: Web, path: str) -> None:
    assert web.get(path).status == 404
    assert "There is a problem" in web.visit(path).text


@pytest.mark.parametrize(("method", "path", "allow"), [
    ("DELETE", "/events/nature", "GET"),
    ("PATCH", "/r/token", "GET, POST, PUT"),
    ("GET", "/r/token/withdrawal", "POST"),
    ("GET", "/r/token/erasure", "POST"),
    ("PUT", AT, "POST"),
])  # fmt: skip
def test_a_wrong_method_says_which_are_right(web: Web, method: str, path: str, allow: str) -> None:
    answer = web.call(method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allow)


def test_head_is_get_without_the_body(web: Web) -> None:
    got, headed = web.send("GET", "/events/nature"), web.send("HEAD", "/events/nature")

    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers == got.headers


# --------------------------------------------------------------------------- who may learn what


def calls_of(monkeypatch: pytest.MonkeyPatch, action: Callable[[], Answer]) -> tuple[Answer, list[str]]:
    """An answer, and the names of the AWS calls behind it."""
    names: list[str] = []
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def noted(self: Any, name: str, arguments: Any) -> Any:
        names.append(name)
        return real(self, name, arguments)

    with monkeypatch.context() as patched:
        patched.setattr(botocore.client.BaseClient, "_make_api_call", noted)
        return action(), names


@pytest.mark.promise("P9")
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_known_and_an_unknown_address_get_the_same_answer(
    web: Web, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    web.post(AT, wish(1))

    def ask(path: str, number: int) -> Callable[[], Answer]:
        fields = {"email": f"person{number}@example.org"} if path.endswith("links") else form(number, name="Person")
        sent = wish(number, name="Person") if "email" not in fields or len(fields) > 1 else fields
        if accept == "text/html":
            return lambda: web.submit(path, fields)
        return lambda: web.post(path, sent)

    for path in (AT, "/events/nature/links"):
        known, behind_known = calls_of(monkeypatch, ask(path, 1))
        unknown, behind_unknown = calls_of(monkeypatch, ask(path, 2))
        assert (known.status, known.headers, known.body) == (unknown.status, unknown.headers, unknown.body)
        assert [one.replace("person1", "person2") for one in known.cookies] == unknown.cookies
        assert behind_known == behind_unknown


def test_a_link_is_mailed_to_its_holder_and_to_nobody_else(web: Web, table: Table, person: Registration) -> None:
    for address in ("person1@example.org", "stranger@example.org"):
        assert web.post("/events/nature/links", {"email": address}).status == 202

    assert [mail.registration for mail in mails_of(table, "nature", "already-registered")] == [person.id]


def test_asking_for_a_link_over_and_over_sends_one_an_hour(
    web: Web, table: Table, person: Registration, clock: Callable[..., None]
) -> None:
    for _ in range(3):
        web.post("/events/nature/links", {"email": person.email})
    clock(timedelta(hours=1))
    web.post("/events/nature/links", {"email": person.email})

    assert len(list(mails_of(table, "nature", "already-registered"))) == 2


def test_the_event_page_counts_nobody(web: Web) -> None:
    """An exact number of free places would tell whether an address just sent was new."""
    shown = re.sub(r'(value|data-theme)="[^"]*"', "", web.visit("/events/nature").text)
    before = web.get("/events/nature").body

    web.post(AT, wish(1))

    assert web.get("/events/nature").body == before
    assert len(shown) == len(re.sub(r'(value|data-theme)="[^"]*"', "", web.visit("/events/nature").text))


def test_the_public_facts_name_no_organiser_address_and_no_seed(web: Web) -> None:
    facts = web.get("/events/nature").text

    assert "organiser@example.org" not in facts
    assert "a seed" not in facts


@pytest.mark.parametrize("spoil", ["", "x", "truncated", "flipped", "longer", "other-version", "other-person", "é"])
def test_only_the_whole_link_opens_a_registration(
    web: Web, keys: Keys, table: Table, person: Registration, link: str, spoil: str
) -> None:
    token = link.removeprefix("/r/")
    spoilt = {
        "truncated": token[:-1],
        "flipped": token[:-2] + chr(ord(token[-2]) ^ 1) + token[-1],
        "longer": token + "A",
        "other-version": sign_link(keys, "nature", person.id, 2),
        "other-person": sign_link(keys, "nature", "0" * 20, 1),
    }.get(spoil, spoil)

    answers = [
        web.get(f"/r/{spoilt}"),
        web.call("PUT", f"/r/{spoilt}", wish()),
        web.post(f"/r/{spoilt}", wish()),
        web.post(f"/r/{spoilt}/withdrawal"),
        web.post(f"/r/{spoilt}/erasure"),
        web.post(f"/r/{spoilt}/place"),
        web.get(f"/r/{spoilt}/programme.ics"),
    ]

    assert {one.status for one in answers} == {404}
    assert people(table) == [person]


def test_every_answer_is_guarded_and_what_is_personal_is_kept_by_nobody(web: Web, link: str) -> None:
    for answer in (web.visit("/"), web.visit("/none"), web.visit(link), web.post(AT, {}), web.submit(AT, form(3))):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_looking_changes_nothing_but_the_counters_of_costly_reads(web: Web, table: Table, link: str) -> None:
    def stored() -> list[Any]:
        items = boto3.client("dynamodb").scan(TableName="parcours")["Items"]
        return [item for item in items if not item["sk"]["S"].startswith("read#")]

    before = stored()

    for path in (
        "/",
        "/events/nature",
        "/events/nature?lang=nl",
        "/events/nature/links",
        link,
        f"{link}/programme.ics",
    ):
        assert web.visit(path).status == 200

    assert stored() == before


# --------------------------------------------------------------------------- one's own registration


def test_the_holder_changes_details_and_ranking_until_the_deadline(
    web: Web, table: Table, person: Registration, link: str, clock: Callable[..., None]
) -> None:
    turned = THEMES[::-1]

    answer = web.call("PUT", link, wish(name="New Name", choices=turned))
    clock(timedelta(days=40))
    late = web.call("PUT", link, wish(name="Too late"))

    assert (answer.status, answer.json["name"], answer.json["choices"]) == (200, "New Name", turned)
    assert (late.status, late.json["error"]) == (409, "closed")
    assert people(table)[0].name == "New Name"


def test_a_form_made_before_another_change_is_not_saved_over_it(web: Web, table: Table, link: str) -> None:
    old = form(revision="1")
    pressed = [web.submit(link, form(name="First", revision="1")).status for _ in range(2)]

    answer = web.submit(link, {**old, "name": "Second"})
    kept = people(table)[0].name
    again = web.submit(link, read_form(answer.text, link).fields)

    assert (pressed, answer.status, kept) == ([303, 303], 409, "First")
    assert "save it to keep it" in answer.text
    assert again.status == 303
    assert people(table)[0].name == "Second"


def test_other_capitals_are_the_same_address_and_the_link_lives_on(web: Web, table: Table, link: str) -> None:
    answer = web.call("PUT", link, wish(email="PERSON1@Example.org", choices=THEMES[::-1]))

    assert (answer.status, answer.json["choices"]) == (200, THEMES[::-1])
    assert web.get(link).json["email"] == "PERSON1@example.org"
    assert mail_kinds(table) == ["confirmation"]


def link_to(table: Table, keys: Keys, kind: str, number: int = -1) -> str:
    """The link to another address, or back, in the last mail of this kind."""
    mail = list(mails_of(table, "nature", kind))[number]
    raw = compose(table, keys, mail, now=NOW).raw
    text = text_of(read(raw))
    [found] = re.findall(r"https://parcours\.example\.org(/address/\S+)", text)
    return str(found)


def test_another_address_moves_nothing_until_its_own_mailbox_presses_the_button(
    web: Web, table: Table, keys: Keys, person: Registration, link: str
) -> None:
    asked = web.call("PUT", link, wish(email="moved@example.org", choices=THEMES[::-1]))
    still = web.get(link)
    move = link_to(table, keys, "address-check")
    looked = web.visit(move)
    unmoved = people(table)[0].email
    pressed = web.submit(move, {})

    assert (asked.status, still.status, looked.status, unmoved) == (200, 200, 200, "person1@example.org")
    assert still.json["choices"] == THEMES[::-1]
    assert (still.json["email"], still.json["new_email"]) == ("person1@example.org", "moved@example.org")
    [checked] = mails_of(table, "nature", "address-check")
    assert checked.to == "moved@example.org"
    assert "moved" not in move
    assert pressed.location == f"/r/{sign_link(keys, 'nature', person.id, 2)}?done=moved"
    assert web.get(link).status == 404
    assert find_by_address(table, "nature", "moved@example.org") == people(table)[0]
    assert find_by_address(table, "nature", "person1@example.org") is None
    [told] = mails_of(table, "nature", "address-changed")
    assert told.to == "person1@example.org"


def test_the_old_address_can_undo_a_move_for_a_day(
    web: Web, table: Table, keys: Keys, person: Registration, link: str, clock: Callable[..., None]
) -> None:
    web.call("PUT", link, wish(email="thief@example.org"))
    web.post(link_to(table, keys, "address-check"))
    stolen = f"/r/{sign_link(keys, 'nature', person.id, 2)}"
    undo = link_to(table, keys, "address-changed")
    clock(timedelta(hours=23))
    looked, before = web.visit(undo), people(table)[0].email
    undone = web.post(undo)
    again = web.post(undo)

    assert (looked.status, before, undone.status, again.status) == (200, "thief@example.org", 200, 404)
    assert people(table)[0].email == "person1@example.org"
    assert web.get(stolen).status == 404
    with pytest.raises(ValueError, match="unpack"):
        link_to(table, keys, "address-changed", 1)  # who was undone cannot undo the undoing


def test_the_links_to_another_address_run_out_after_a_day_and_with_another_wish(
    web: Web, table: Table, keys: Keys, link: str, clock: Callable[..., None]
) -> None:
    web.call("PUT", link, wish(email="first@example.org"))
    first = link_to(table, keys, "address-check")
    web.call("PUT", link, wish(email="second@example.org"))
    second = link_to(table, keys, "address-check", 1)
    overtaken = web.post(first).status
    clock(timedelta(hours=25))

    assert (overtaken, web.post(second).status) == (404, 404)
    assert people(table)[0].email == "person1@example.org"


def test_a_mistyped_address_locks_nobody_out(web: Web, table: Table, keys: Keys, link: str) -> None:
    web.submit(link, form(email="persn1@exmaple.org"))
    kept = web.submit(link, form(name="Still Me"))

    assert kept.status == 303
    assert (people(table)[0].name, people(table)[0].new_email) == ("Still Me", "")


@pytest.mark.parametrize("how", ["json", "form"])
def test_nothing_that_can_be_observed_afterwards_tells_whether_the_new_address_is_registered(
    web: Web, table: Table, keys: Keys, event: Event, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9: two registrations ask to move, one to a known address and one to an unknown; then everything is looked at."""
    for number in (1, 2, 7):
        register(table, event, make_registration(number=number, name="Person", id=f"{number:020d}"), now=NOW)
    seen = []
    for number, address in ((1, "person7@example.org"), (2, "person8@example.org")):
        link = f"/r/{sign_link(keys, 'nature', f'{number:020d}', 1)}"
        sent: dict[str, Any] = {"name": "Person", "email": address}

        def ask(link: str = link, sent: dict[str, Any] = sent) -> Answer:
            return web.submit(link, form(**sent)) if how == "form" else web.call("PUT", link, wish(**sent))

        answer, calls = calls_of(monkeypatch, ask)
        looks = [web.get(link), web.visit(link), web.visit("/events/nature"), web.get("/events/nature")]
        again = web.call("PUT", link, wish(name="Person", email=f"person{number}@example.org"))
        texts = [re.sub(r"person[1278]@", "person@", one.text) for one in (answer, *looks, again)]
        plain = [re.sub(r"/(r|calendars)/[\w.-]+|data-theme=.*|value=.*", "", text) for text in texts]
        location = answer.location.replace(link, "")
        seen.append(([one.status for one in (answer, *looks, again)], plain, location, calls))

    assert seen[0] == seen[1]
    assert [mail.to for mail in mails_of(table, "nature", "address-check")] == [
        "person7@example.org",
        "person8@example.org",
    ]


def test_a_registered_mailbox_that_presses_is_told_and_nothing_moves(
    web: Web, table: Table, keys: Keys, event: Event, person: Registration, link: str
) -> None:
    other = register(table, event, make_registration(number=2), now=NOW)[0]
    web.submit(link, form(email=other.email))

    pressed = web.submit(link_to(table, keys, "address-check"), {})

    assert pressed.status == 409
    assert "has a registration of its own" in pressed.text
    assert {one.email for one in people(table)} == {person.email, other.email}


def test_addresses_cannot_be_mailed_at_will_by_moving(web: Web, table: Table, link: str) -> None:
    statuses = [web.call("PUT", link, wish(email=f"person{number}@example.org")).status for number in range(2, 9)]

    assert statuses == [200] * 5 + [429] * 2
    assert len(list(mails_of(table, "nature", "address-check"))) == 5


def test_a_wish_to_move_counts_against_its_source(web: Web, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.register.web.cap_an_hour", 1)

    statuses = [web.call("PUT", link, wish(email=f"new{number}@example.org")).status for number in (1, 2)]

    assert statuses == [200, 429]


def test_a_browser_is_asked_before_it_withdraws(web: Web, table: Table, link: str) -> None:
    asked = web.submit(f"{link}/withdrawal", {})
    before = people(table)[0].state
    answer = web.submit(f"{link}/withdrawal", {"confirmed": "yes"})

    assert (asked.status, before) == (200, RegistrationState.CONFIRMED)
    assert "Yes, withdraw" in asked.text
    assert answer.location.startswith(link)
    assert people(table)[0].state is RegistrationState.WITHDRAWN
    assert "You have withdrawn" in web.visit(link).text


def test_who_withdrew_may_register_again_and_changes_nothing_of_the_old(web: Web, table: Table, link: str) -> None:
    web.post(f"{link}/withdrawal")

    again = web.post(AT, wish(1))
    change = web.call("PUT", link, wish(name="Back?"))

    assert (again.status, change.status) == (202, 409)
    assert sorted(one.state.value for one in people(table)) == ["confirmed", "withdrawn"]
    assert read_state(table, "nature").confirmed == 1


def test_a_place_given_back_is_offered_to_who_waited_longest_and_taken(
    web: Web, table: Table, keys: Keys, clock: Callable[..., None]
) -> None:
    event = with_capacity(table, 1)
    first, second, third = (register(table, event, make_registration(number=n), now=NOW)[0] for n in (1, 2, 3))
    links = {one.id: f"/r/{sign_link(keys, 'nature', one.id, 1)}" for one in (first, second, third)}
    waiting = [one for one in people(table) if one.state is RegistrationState.WAITING]
    ahead = min(waiting, key=waiting_key)

    web.post(f"{links[first.id]}/withdrawal")
    offered = web.get(links[ahead.id]).json
    taken = web.post(f"{links[ahead.id]}/place")

    assert (offered["state"], bool(offered["offer_expires_at"])) == ("offered", True)
    assert (taken.status, taken.json["state"]) == (200, "confirmed")
    assert read_state(table, "nature").confirmed == 1


def test_a_waiting_person_reads_a_band_that_is_counted_once_an_hour(web: Web, table: Table, keys: Keys) -> None:
    event = with_capacity(table, 1)
    for number in range(1, 17):
        moment = utc(NOW + timedelta(seconds=number))
        register(table, event, make_registration(number=number, id=f"{number:020d}", created_at=moment), now=NOW)
    links = [f"/r/{sign_link(keys, 'nature', f'{number:020d}', 1)}" for number in range(2, 17)]
    uncounted = web.get(links[0]).json
    count_hourly(table, event, now=NOW)
    bands = [web.get(link).json["among_first"] for link in links]
    register(table, event, make_registration(number=17, created_at=utc(NOW + timedelta(seconds=17))), now=NOW)
    count_hourly(table, event, now=NOW + timedelta(minutes=4))

    assert "among_first" not in uncounted
    assert "position" not in uncounted
    assert bands == sorted(bands)
    assert set(bands) == {10, 50}
    assert 7 <= bands.count(10) <= 13
    assert [web.get(link).json["among_first"] for link in links] == bands
    assert "among about the first 10" in web.visit(links[0]).text


def test_registering_around_an_address_does_not_tell_whether_it_was_registered(
    web: Web, table: Table, keys: Keys, clock: Callable[..., None]
) -> None:
    """P9: a full event; the asker registers, sends the address, registers again, and looks now and in an hour."""
    seen = []
    for known in (True, False):
        event = with_capacity(table, 1, id=f"event-{known}".lower())
        here = f"/events/{event.id}/registrations"
        web.post(here, wish(1))
        if known:
            web.post(here, wish(7))
        count_hourly(table, event, now=NOW - timedelta(hours=1))
        for number in (2, 7, 3):
            clock(timedelta(seconds=1))
            web.post(here, wish(number))
        mine = [find_by_address(table, event.id, f"person{number}@example.org") for number in (2, 3)]
        links = [f"/r/{sign_link(keys, event.id, registration.id, 1)}" for registration in mine if registration]
        before = [web.get(link).json for link in links]
        count_hourly(table, event, now=NOW)
        after = [web.get(link).json for link in links] + [web.get(f"/events/{event.id}").json["registration"]]
        seen.append(re.sub(r"event-\w+", "event", str([before, after])))

    assert seen[0] == seen[1]


def test_a_waiting_persons_page_reads_no_list(
    web: Web, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = with_capacity(table, 1)
    register(table, event, make_registration(number=1), now=NOW)
    waiting = register(table, event, make_registration(number=2), now=NOW)[0]
    link = f"/r/{sign_link(keys, 'nature', waiting.id, 1)}"

    _, calls = calls_of(monkeypatch, lambda: web.visit(link))

    assert "Query" not in calls


def test_an_offer_that_ran_out_is_not_taken(web: Web, table: Table, keys: Keys, clock: Callable[..., None]) -> None:
    event = with_capacity(table, 1)
    first, second = (register(table, event, make_registration(number=n), now=NOW)[0] for n in (1, 2))
    web.post(f"/r/{sign_link(keys, 'nature', first.id, 1)}/withdrawal")

    clock(timedelta(hours=49))
    late = web.submit(f"/r/{sign_link(keys, 'nature', second.id, 1)}/place", {})

    assert late.status == 409
    assert "This offer has run out" in late.text


def test_erasing_leaves_nothing_and_frees_the_place(web: Web, table: Table, keys: Keys) -> None:
    event = with_capacity(table, 1)
    first, _ = (register(table, event, make_registration(number=n), now=NOW)[0] for n in (1, 2))
    link = f"/r/{sign_link(keys, 'nature', first.id, 1)}"

    asked = web.submit(f"{link}/erasure", {})
    still_there = web.get(link).status
    answer = web.submit(f"{link}/erasure", {"confirmed": "yes"})

    assert (asked.status, still_there) == (200, 200)
    assert (answer.status, answer.location) == (303, "/events/nature/erased")
    assert web.get(link).status == 404
    assert [one.state.value for one in people(table)] == ["offered"]
    kept = str(boto3.client("dynamodb").scan(TableName="parcours")["Items"])
    assert first.name not in kept
    assert kept.count(first.email) == 1  # the last mail, until it is sent


def publish(table: Table, person: Registration, workshops: dict[str, str]) -> None:
    keys = {"pk": "RUN#nature#000003", "sk": f"PROGRAMME#{person.id}"}
    facts = {"event": "nature", "run": 3, "registration": person.id, "workshops": workshops}
    facts["reason"] = [{"says": "got", "theme": "governance", "rank": 2}]
    table.write(put({**keys, **facts}), update("EVENT#nature", "STATE", assign={"published_run": 3, "runs": 3}))


def test_after_publication_the_programme_is_seen_with_rooms_times_and_the_reason(
    web: Web, table: Table, person: Registration, link: str
) -> None:
    publish(table, person, {"second": "wildlife", "first": "governance"})

    facts = web.get(link).json["programme"]
    page = web.visit(link).text

    assert [(one["start"], one["title"], one["room"]) for one in facts["workshops"]] == [
        ("13:00", "Governance", "Room governance"),
        ("14:20", "Wildlife", "Room wildlife"),
    ]
    assert facts["reason"] == "Governance (your 2nd choice)."
    for words in ("Your programme", "Room governance", "Governance (your 2nd choice)."):
        assert words in page


def test_the_reason_is_told_in_the_language_of_the_page(
    web: Web, table: Table, person: Registration, link: str
) -> None:
    publish(table, person, {"first": "governance"})

    assert 'class="reason">Governance (je 2e keuze).' in web.visit(f"{link}?lang=nl").text
    assert web.get(link).json["programme"]["reason"] == "Governance (your 2nd choice)."


def test_the_page_has_a_code_for_the_door_and_confirms_who_was_there(
    web: Web, table: Table, person: Registration, link: str
) -> None:
    before = web.visit(link)
    publish(table, person, {"first": "governance"})
    shown, too_early = web.visit(link), web.visit(f"{link}/attendance")
    save(table, person, {"checked_in_at": utc(NOW)}, now=NOW)
    there = web.visit(f"{link}/attendance?lang=nl")

    code = check_in_code("https://parcours.example.org", "nature", person.id)
    assert ('class="code"' in before.text, str(code) in shown.text) == (False, True)
    assert code != check_in_code("https://parcours.example.org", "nature", f"{9:020x}")
    assert (too_early.status, f"{link}/attendance" in shown.text) == (404, False)
    assert f"{person.name} was aanwezig op Nature connectivity" in there.text
    assert "Governance" in there.text
    assert f"{link}/attendance" in web.visit(link).text


def test_a_draft_is_seen_by_nobody(web: Web, table: Table, person: Registration, link: str) -> None:
    publish(table, person, {"first": "governance"})
    table.write(update("EVENT#nature", "STATE", assign={"published_run": 0}))

    assert "programme" not in web.get(link).json


def test_a_calendar_subscribes_to_ones_day_by_an_address_that_changes_nothing(
    web: Web, table: Table, event: Event, keys: Keys
) -> None:
    """One entry whose SEQUENCE is the edition; the same bytes are not sent twice; a token opens one thing only."""
    person = register(table, event, make_registration(number=1), now=NOW)[0]
    link = f"/r/{sign_link(keys, 'nature', person.id, 1)}"
    [address] = set(re.findall(r"https://[^/]+(/calendars/[^\s<]+/day\.ics)", web.visit(link).text))

    first = web.visit(address)
    again = web.visit(address, headers={"If-None-Match": first.headers["etag"]})
    publish(table, person, {"first": "governance", "second": "wildlife"})
    later = web.visit(address, headers={"If-None-Match": first.headers["etag"]})
    web.post(f"{link}/withdrawal")
    gone = web.visit(address)

    assert [answer.status for answer in (first, again, later, gone)] == [200, 304, 200, 200]
    assert first.headers["cache-control"] == "private, max-age=3600"
    assert "content-disposition" not in first.headers
    calendars = [Calendar.from_ical(answer.body) for answer in (first, later, gone)]
    [entries] = zip(*(calendar.walk("VEVENT") for calendar in calendars), strict=True)
    assert [int(str(one["SEQUENCE"])) for one in entries] == [0, 3, 4]
    assert [str(one["STATUS"]) for one in entries] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert {str(calendar["METHOD"]) for calendar in calendars} == {"PUBLISH"}
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in first.text
    token = address.split("/")[2]
    assert [web.visit(f"/r/{token}").status, web.visit(f"/calendars/{link[3:]}/day.ics").status] == [404, 404]


@pytest.mark.parametrize("date", ["2026-04-16", "2026-03-29", "2026-10-25"])
def test_the_calendar_file_holds_one_entry_at_the_right_hours(web: Web, table: Table, keys: Keys, date: str) -> None:
    rules = {"opens": "2026-03-01 09:00", "closes": "2026-03-20 12:00"}
    event = make_event(date=date, registration=rules, allocation={"at": "2026-03-20 12:00", "seed": "a seed"})
    put_event(table, event, actor="test", now=NOW)
    person = register(table, event, make_registration(number=1), now=NOW)[0]
    link = f"/r/{sign_link(keys, 'nature', person.id, 1)}"

    first = Calendar.from_ical(web.visit(f"{link}/programme.ics").body)
    publish(table, person, {"first": "governance", "second": "wildlife"})
    later = Calendar.from_ical(web.visit(f"{link}/programme.ics").body)
    web.post(f"{link}/withdrawal")
    gone = Calendar.from_ical(web.visit(f"{link}/programme.ics").body)

    entries = [calendar.walk("VEVENT") for calendar in (first, later, gone)]
    assert [len(found) for found in entries] == [1, 1, 1]
    assert len({str(found[0]["UID"]) for found in entries}) == 1
    numbers = [int(str(found[0]["SEQUENCE"])) for found in entries]
    assert [number - numbers[0] for number in numbers] == [0, 3, 4]
    assert [str(one["METHOD"]) for one in (first, later, gone)] == ["PUBLISH", "PUBLISH", "CANCEL"]
    start = entries[0][0]["DTSTART"].dt  # type: ignore[union-attr]
    assert start == event.starts_at
    assert f"{start:%H:%M %Z}" == ("09:00 CET" if date == "2026-10-25" else "09:00 CEST")
    assert "Room governance" in str(entries[1][0]["DESCRIPTION"])
    assert link.removeprefix("/r/") not in str(later.to_ical())


# --------------------------------------------------------------------------- languages


@pytest.mark.parametrize(("language", "words"), [("en", "Register"), ("nl", "Inschrijven"), ("fr", "S’inscrire")])
def test_the_page_speaks_the_events_language_or_the_one_switched_to(
    web: Web, table: Table, language: str, words: str
) -> None:
    switched = web.visit(f"/events/nature?lang={language}")
    remembered = web.visit("/events/nature", headers={"Cookie": f"lang={language}"})
    put_event(table, make_event(language=language), actor="test", now=NOW)
    own = web.visit("/events/nature")

    for page in (switched, remembered, own):
        assert f'<html lang="{language}">' in page.text
        assert words in page.text
    assert switched.cookies[0].startswith(f"lang={language};")
    assert own.cookies == []


def test_mails_follow_the_language_somebody_registered_in(web: Web, table: Table) -> None:
    web.submit(f"{AT}?lang=fr", form())

    assert people(table)[0].language == "fr"


def test_faults_are_told_in_the_visitors_language(web: Web) -> None:
    assert "Vul je volledige naam in." in web.submit(f"{AT}?lang=nl", form(name="")).text


def test_a_language_nobody_speaks_here_is_english(web: Web) -> None:
    assert '<html lang="en">' in web.visit("/events/nature?lang=<script>").text


def test_a_page_of_no_event_speaks_the_language_the_browser_asks_for(web: Web) -> None:
    asked = {"Accept-Language": "de-FR,nl-BE;q=0.8,en;q=0.5"}

    assert "Deze link is niet geldig." in web.visit("/r/nothing", headers=asked).text
    assert '<html lang="nl">' in web.visit("/events/nature", headers=asked).text
    assert '<html lang="en">' in web.visit("/events/nature", headers={"Accept-Language": "de"}).text


def test_the_themes_stand_in_another_order_for_another_visitor(web: Web) -> None:
    orders = {tuple(re.findall(r'data-theme="(\w+)"', web.visit("/events/nature").text)) for _ in range(40)}

    assert len(orders) > 5
    assert all(sorted(order) == sorted(THEMES) for order in orders)


# --------------------------------------------------------------------------- lists and files


def test_the_front_page_lists_what_is_open_and_nothing_else(web: Web, table: Table, clock: Callable[..., None]) -> None:
    open_now = web.get("/").json["events"]
    clock(timedelta(days=40))

    assert [one["id"] for one in open_now] == ["nature"]
    assert web.get("/").json["events"] == []
    assert "No event takes registrations" in web.visit("/").text


def test_files_are_kept_for_good_under_a_name_that_follows_their_content(web: Web) -> None:
    [address] = re.findall(r'href="(/assets/parcours-\w+\.css)"', web.visit("/").text)

    assert "immutable" in web.visit(address).headers["cache-control"]
    assert "immutable" not in web.visit("/assets/parcours-0123456789.css").headers["cache-control"]


# --------------------------------------------------------------------------- what is counted


def test_business_events_are_counted_and_nobody_is_named(
    web: Web, table: Table, keys: Keys, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_capacity(table, 1)
    web.post(AT, wish(1))
    web.post(AT, wish(2))
    web.post(AT, wish(3, name=""))
    monkeypatch.setattr("functions.register.web.cap_an_hour", 0)
    web.post(AT, wish(4))
    first, second = sorted(people(table), key=lambda registration: registration.state)
    web.post(f"/r/{sign_link(keys, 'nature', first.id, 1)}/withdrawal")
    web.post(f"/r/{sign_link(keys, 'nature', second.id, 1)}/erasure")

    printed = capsys.readouterr().out

    for name in ("Registered", "PutOnWaitingList", "RequestsRefused", "RequestsCapped", "Withdrawn", "Erased"):
        assert f'"{name}":[1.0]' in printed or f'"{name}":[1.0,1.0]' in printed or f'"{name}": [1.0]' in printed
    assert "example.org" not in printed


def closed_to_ngos(table: Table) -> None:
    """The event's first theme is open to the government only."""
    themes = [
        {**theme, "for": ["government"]} if theme["id"] == "vision" else theme for theme in event_data()["themes"]
    ]
    put_event(table, make_event(themes=themes), actor="test", now=NOW)


def test_a_person_ranks_the_themes_that_are_open_to_them_and_no_other(web: Web, table: Table) -> None:
    closed_to_ngos(table)

    everything = web.post(AT, wish(1))
    open_ones = web.post(AT, wish(2, choices=["wildlife", "resources", "governance"]))
    too_few = web.post(AT, wish(3, choices=["wildlife", "resources"]))
    official = web.post(AT, wish(4, partner_type="government"))

    assert [answer.status for answer in (everything, open_ones, too_few, official)] == [422, 202, 422, 202]
    assert everything.json["fields"] == {
        "choices": "Leave out the themes that are not open to you, and rank all the others."
    }
    assert "have no place yet" in too_few.json["fields"]["choices"]
    assert [one.choices[0] for one in people(table)] != ["vision", "vision"]


def test_the_form_says_for_whom_a_theme_is_and_keeps_what_was_chosen(web: Web, table: Table) -> None:
    """As a browser without scripts sends it: the last select stays empty for those who rank three of four."""
    closed_to_ngos(table)

    refused = web.submit(AT, form(1))
    places = {"choice-1": "wildlife", "choice-2": "resources", "choice-3": "governance", "choice-4": ""}
    taken = web.submit(AT, form(2, **places))

    assert "Open to:" in web.visit("/events/nature").text
    assert (refused.status, taken.status) == (422, 303)
    assert "Leave out the themes that are not open to you" in refused.text
    assert '<option value="vision" selected' in refused.text


def test_a_theme_ruled_out_for_a_person_leaves_their_form(web: Web, table: Table, keys: Keys) -> None:
    web.post(AT, wish())
    [person] = people(table)
    save(table, person, {"excluded": ["vision"]}, now=NOW)
    link = f"/r/{sign_link(keys, 'nature', person.id, person.link_version)}"

    page = web.visit(link).text

    assert 'data-theme="vision"' not in page
    assert page.count("data-theme=") == 3
    assert web.call("PUT", link, wish()).status == 422
    assert web.call("PUT", link, wish(choices=["wildlife", "governance", "resources"])).status == 200


def test_a_refusal_that_quotes_what_was_sent_quotes_it_as_text(event: Event, web: Web) -> None:
    """No markup of the sender's, and a percent sign is one."""
    answer = web.send("POST", AT, b"x", headers={"Accept": "text/html", "Content-Type": "<b>100%</b>"})

    assert answer.status == 415
    assert "&lt;b&gt;100%&lt;/b&gt;" in answer.text
    assert "<b>100" not in answer.text


def test_a_link_that_was_replaced_leads_to_a_new_one(web: Web, table: Table, keys: Keys) -> None:
    person = register(table, make_event(), make_registration(), now=NOW)[0]
    dead = web.visit(f"/r/{sign_link(keys, 'nature', person.id, person.link_version + 1)}")
    unknown = web.visit("/r/none")

    assert (dead.status, unknown.status) == (404, 404)
    assert 'href="/events/nature/links"' in dead.text
    assert "/links" not in unknown.text
