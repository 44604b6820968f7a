"""Every page of the organisers answers, in each stage of an event's life, and forms lose nothing that was typed."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from types import ModuleType
from urllib.parse import quote

import pytest

from functions.organise.outbox import last_out
from shared import settings
from shared.event_file import parse_event
from shared.events import audit_lines, put_event, read_event
from shared.mails import DUE, mails_of
from shared.models import Event, EventState, Registration
from shared.registrations import registrations_of
from shared.state import read_state
from shared.table import Table, update
from shared.tokens import Keys
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.organiser_client import CONTEXT, Client, at, fill, make_crowd, words_of

PAGES = [
    "", "/people", "/people?state=bounced&q=per&type=ngo&page=9", "/people/new", "/people/import", "/allocations",
    "/mails", "/mails?state=sent", "/door", "/door?q=person", "/sheets", "/badges", "/exports", "/file", "/audit",
    "/workshops/vision/first", "/people.csv", "/people.xlsx", "/programmes.csv", "/programmes.xlsx", "/workshops.csv",
    "/workshops.xlsx", "/leaders.xlsx", "/catering.xlsx", "/badges.xlsx", "/audit.csv",
    "/audit.xlsx", "/PEOPLE.csv", "/EVENT.yaml",
]  # fmt: skip


def fields(number: int, **changes: str) -> dict[str, str]:
    return {
        "name": f"Person {number}",
        "email": f"person{number}@example.org",
        "organisation": "An organisation",
        "partner_type": ["ngo", "government", "research"][number % 3],
        "choice_1": ["vision", "governance"][number % 2],
        "choice_2": "wildlife",
        **changes,
    }


@pytest.fixture
def published(browser: Client, allocate: ModuleType, table: Table) -> list[Registration]:
    """Twelve people, added by form, with a published allocation."""
    for number in range(10, 22):
        assert browser.submit("/organise/nature/people", fields(number)).status == 303
    assert browser.submit("/organise/nature/allocations", {"mode": "fresh"}).status == 303
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    answer = browser.submit(
        "/organise/nature/allocations/1/publication", {"expected_mails": "12", "afterwards": "keep"}
    )
    assert answer.status == 303
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    return list(registrations_of(table, "nature"))


def test_pages_of_an_event_nobody_has_registered_for(browser: Client) -> None:
    for path in PAGES:
        assert browser.page(f"/organise/nature{path}").status == 200, path


def test_pages_of_a_published_event(browser: Client, published: list[Registration]) -> None:
    one = published[0]
    more = [f"/people/{one.id}", "/allocations/1", "/allocations/1/outbox", "/allocations/1/allocation.json"]
    for path in PAGES + more:
        answer = browser.page(f"/organise/nature{path}")
        assert answer.status == 200, path
        assert "no-store" in answer.headers["cache-control"]
        assert "style=" not in answer.content.decode("latin-1") or answer.headers["content-type"] != "text/html"
    assert one.name in browser.page("/organise/nature/people").text
    assert "Proven best" in browser.page("/organise/nature/allocations/1").text
    everywhere = browser.page("/organise")
    assert "Nature connectivity" in everywhere.text


def test_pages_refuse_a_stranger_and_a_door_helper(client_of: Client) -> None:
    for_the_door = {"/door", "/door?q=person", "/sheets", "/badges", "/workshops/vision/first"}
    cookie = client_of.cookie
    for path in PAGES[1:]:
        statuses = []
        for client_of.cookie in (cookie, "", "parcours=forged", cookie[:-1], cookie.swapcase()):
            statuses.append(client_of.page(f"/organise/nature{path}").status)
        assert statuses == [200 if path in for_the_door else 403, 401, 401, 401, 401], path


@pytest.fixture
def client_of(app: ModuleType, table: Table, keys: Keys, event: Event) -> Client:
    """A door helper."""
    put_event(table, make_event(door_emails=["door@example.org"]), actor="test", now=NOW)
    return Client(app, table, keys).sign_in_browser(event, "door@example.org")


def test_a_door_helper_checks_in_and_nothing_else(
    client_of: Client, published: list[Registration], table: Table
) -> None:
    # `published` put the event's people by the organiser; the helper's own session stays as it is.
    one = published[0]
    put_event(table, make_event(door_emails=["door@example.org"]), actor="test", now=NOW)
    assert client_of.page("/organise/nature").headers["location"] == "/organise/nature/door"

    inside = client_of.submit(f"/organise/nature/people/{one.id}/check-in", {"q": "person"})
    shown = client_of.page(inside.headers["location"].replace("https://parcours.example.org", ""))
    undone = client_of.patch(f"/organise/nature/people/{one.id}", {"checked_in": False})

    assert inside.status == 303
    assert f"{one.name} is checked in" in words_of(shown.text)
    assert undone.json == {"id": one.id, "name": one.name, "checked_in_at": ""}
    assert client_of.patch(f"/organise/nature/people/{one.id}", {"name": "Other"}).status == 403
    assert client_of.page(f"/organise/nature/people/{one.id}").status == 403
    assert client_of.submit(f"/organise/nature/people/{one.id}/withdrawal", {}).status == 403
    acts = [(line["actor"], line["act"]) for line in audit_lines(table, "nature")]
    assert ("door@example.org", "check-in") in acts


def test_the_door_finds_people_as_they_are_spelled_and_tries_out_no_address(organiser: Client, table: Table) -> None:
    put_event(table, make_event(), actor="test", now=NOW)
    names = ["Jan D\u2019Hondt", "Łukasz Żak", "Jérôme Saint-Exupéry", "Anna van den Berg", "Bo Ahlström", "Zoë Øster"]
    people = [make_registration(number=n, name=name, email=f"x{n}@city.example.org") for n, name in enumerate(names)]
    fill(table, make_event(), people, NOW)

    def found(words: str) -> list[str]:
        return [one["name"] for one in organiser.get(f"/organise/nature/door?q={quote(words)}").json["people"]]

    spelled = ["dhondt", "d'hondt", "lukasz", "saintexupery", "vandenberg van", "oster", people[4].id]
    assert [found(words) for words in spelled[:4]] == [[names[0]], [names[0]], [names[1]], [names[2]]]
    assert [found(words) for words in spelled[5:]] == [[names[5]], [names[4]]]
    assert found("x1@city") == found("x1") == []
    assert len(found("city.example.org")) == 6
    assert [name.split()[-1] for name in found("city")] == [
        *("Ahlström", "D\u2019Hondt", "Øster", "Saint-Exupéry", "Berg", "Żak")
    ]


def test_sheets_hold_thirty_names_each_with_their_list_and_page(browser: Client, table: Table, event: Event) -> None:
    put_event(table, make_event(), actor="test", now=NOW)
    fill(table, event, make_crowd(event, 65, NOW), NOW)

    page = words_of(browser.page("/organise/nature/sheets").text)

    assert [f"page {n} of 3" in page for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert browser.page("/organise/nature/sheets").text.count('class="tickbox"') == 64


def test_a_form_with_faults_comes_back_with_all_that_was_typed(browser: Client) -> None:
    answer = browser.submit("/organise/nature/people", fields(1, email="broken", choice_2="vision", choice_1="vision"))

    assert answer.status == 422
    assert "There is a problem" in answer.text
    assert 'value="Person 1"' in answer.text
    assert 'value="broken"' in answer.text
    assert "<title>Error: Add a person" in answer.text


def test_a_correction_by_form_pins_marks_absent_and_guards_against_lost_updates(
    browser: Client, published: list[Registration], table: Table
) -> None:
    one = published[0]
    path = f"/organise/nature/people/{one.id}"
    typed = fields(0, name=one.name, email=one.email, pinned_first="vision", absent="second", revision="1")

    assert browser.submit(path, typed).status == 303
    again = browser.submit(path, typed | {"organisation": "Lost"})
    impossible = browser.submit(path, typed | {"absent": "first", "revision": "2"})

    after = next(person for person in registrations_of(table, "nature") if person.id == one.id)
    assert (after.pinned, after.absent) == ({"first": "vision"}, ["second"])
    assert again.status == 409
    assert "Reload" in again.text
    assert impossible.status == 422


def test_mail_is_sent_again_once_a_minute(browser: Client, published: list[Registration], table: Table) -> None:
    path = f"/organise/nature/people/{published[0].id}/mails"

    assert browser.submit(path, {}).status == 303
    assert browser.submit(path, {}).status == 409
    at(browser.app, NOW + timedelta(minutes=2))
    assert browser.submit(path, {}).status == 303
    again = list(mails_of(table, "nature", f"programme#1#{published[0].id}#again"))
    assert len(again) == 2


def test_a_person_is_erased_on_request(browser: Client, published: list[Registration], table: Table) -> None:
    one = published[0]
    path = f"/organise/nature/people/{one.id}/erasure"

    assert browser.submit(path, {}).status == 422
    assert browser.submit(path, {"sure": ["a", "b"]}).status == 422
    assert browser.submit(path, {"sure": "yes"}).status == 303
    assert browser.page(f"/organise/nature/people/{one.id}").status == 404
    everything = [browser.page(f"/organise/nature{page}").content for page in PAGES]
    assert not any(one.email.encode() in page or one.name.encode() in page for page in everything)


def test_mail_is_held_and_let_go(browser: Client, published: list[Registration], table: Table) -> None:
    def states() -> set[str]:
        return {mail.state.value for mail in mails_of(table, "nature", "programme")}

    assert browser.submit("/organise/nature/mails/hold", {}).status == 303
    assert (states(), read_state(table, "nature").mail_held) == ({"held"}, True)
    assert {mail.state.value for mail in mails_of(table, "nature", "confirmation")} == {"pending"}
    assert "12 wait" in words_of(browser.page("/organise/nature/mails").text)

    assert browser.submit("/organise/nature/mails/release", {}).status == 303
    assert (states(), read_state(table, "nature").mail_held) == ({"pending"}, False)
    rows = list(table.query("MAIL#nature", "programme"))
    assert all(row["due"] in DUE for row in rows)


def test_a_run_is_downloaded_as_the_command_line_reads_it(
    browser: Client, published: list[Registration], table: Table, event: Event
) -> None:
    people = list(csv.DictReader(io.StringIO(browser.page("/organise/nature/PEOPLE.csv").text)))
    run = json.loads(browser.page("/organise/nature/allocations/1/allocation.json").content)
    again = parse_event(browser.page("/organise/nature/EVENT.yaml").text)

    assert again == event
    assert {row["id"] for row in people} == set(run["programmes"]) == {one.id for one in published}
    assert list(people[0]) == [
        "id", "partner_type", "choice_1", "choice_2", "choice_3", "choice_4", "absent", "pinned", "excluded",
    ]  # fmt: skip
    assert {"event", "mode", "seed", "input_digest", "engine", "objective", "bound", "optimal", "prices"} <= set(run)


def test_an_event_file_is_changed_with_every_mistake_named_at_once(browser: Client, table: Table, event: Event) -> None:
    text = browser.page("/organise/nature/EVENT.yaml").text
    broken = text.replace("Europe/Brussels", "Europe/Nowhere").replace("opens:", "opened:")

    bad = browser.submit("/organise/nature/file", {"text": broken})
    locked = browser.submit("/organise/nature/file", {"text": text.replace("organiser@example.org", "x@example.org")})
    renamed = browser.submit("/organise/nature/file", {"text": text.replace("id: nature\n", "id: other\n", 1)})
    good = browser.submit(
        "/organise/nature/file", {"text": text.replace("A day on connecting", "One day on connecting")}
    )

    assert bad.status == 422
    assert all(words in bad.text for words in ("timezone", "registration.opens", "registration.opened"))
    assert (locked.status, renamed.status, good.status) == (422, 422, 303)
    stored = read_event(table, "nature")
    assert stored is not None
    assert stored.summary == "One day on connecting nature."
    assert next(iter(audit_lines(table, "nature")))["what"] == "summary"
    stale = browser.submit("/organise/nature/file", {"text": text, "seen": "0" * 32})
    assert stale.status == 409


def test_the_overview_has_the_address_of_the_event_page_to_share(browser: Client, event: Event) -> None:
    page = words_of(browser.page("/organise/nature").text)
    assert f"Its address, to share: {settings.public_url()}/events/nature" in page


def test_a_person_who_withdrew_has_no_programme_on_the_organisers_page(
    browser: Client, published: list[Registration]
) -> None:
    """As long as the person comes, each workshop stands there with its room."""
    page = f"/organise/nature/people/{published[0].id}"
    assert "Room " in words_of(browser.page(page).text).partition("Programme")[2]

    assert browser.submit(f"{page}/withdrawal", {}).status == 303

    assert "None is published for this person." in words_of(browser.page(page).text)


def test_a_change_that_breaks_registrations_is_refused(
    browser: Client, published: list[Registration], event: Event
) -> None:
    data = event_data(partner_types=[{"id": "ngo", "title": "NGO"}])
    answer = browser.submit("/organise/nature/file", {"text": json.dumps(data)})

    assert answer.status == 409
    assert "the kind “Government” is gone" in answer.text


def test_of_two_organisers_who_put_one_id_at_once_the_second_is_refused(
    browser: Client, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other event comes into being after this request looked whether there is one."""
    theirs = make_event(id="second", title="Theirs", organiser_emails=["x@example.org"])
    look = read_state

    def look_and_be_overtaken(table: Table, event: str) -> EventState:
        found = look(table, event)
        put_event(table, theirs, actor="test", now=NOW)
        return found

    monkeypatch.setattr("functions.organise.event_files.read_state", look_and_be_overtaken)

    assert browser.submit("/organise/new", {"text": json.dumps(event_data(id="second"))}).status == 409
    stored = read_event(table, "second")
    assert stored is not None
    assert stored.title == "Theirs"


def test_another_event_is_put_and_nobody_takes_anothers(browser: Client, table: Table) -> None:
    mine = json.dumps(event_data(id="second", title="A second day"))
    theirs = make_event(id="theirs", organiser_emails=["x@example.org"])
    put_event(table, theirs, actor="test", now=NOW)

    assert browser.submit("/organise/new", {"text": mine}).status == 303
    assert browser.submit("/organise/new", {"text": mine}).status == 409
    assert browser.submit("/organise/new", {"text": json.dumps(event_data(id="theirs"))}).status == 409
    assert browser.submit("/organise/new", {"text": json.dumps(event_data(id="sign-in"))}).status == 422
    assert browser.submit("/organise/second/retirement", {}).status == 303
    assert browser.page("/organise/second").status == 404
    table.write(update("EVENTS", "theirs", assign={"retired": True}))
    assert browser.submit("/organise/new", {"text": json.dumps(event_data(id="theirs"))}).status == 403
    assert "A second day" not in browser.page("/organise").text


CSV = """\ufeffname;email;organisation;partner_type;choice_1;choice_2;notes
Ann;ann@example.org;Org;ngo;vision;Governance;x
Person 10;PERSON10@example.org;New organisation;Government;;;
"""


def test_an_import_shows_first_and_does_then(browser: Client, published: list[Registration], table: Table) -> None:
    seen = browser.submit("/organise/nature/people/import", {"csv": CSV})
    expected = seen.text.split('name="expected" value="')[1].split('"')[0]
    before = len(list(registrations_of(table, "nature")))
    done = browser.submit("/organise/nature/people/import", {"csv": CSV, "expected": expected})
    again = browser.submit("/organise/nature/people/import", {"csv": CSV, "expected": expected})

    assert seen.status == 200
    assert "1 to add, 1 to change" in words_of(seen.text).replace(" ,", ",")
    assert "notes" in seen.text
    assert before == 12
    assert "1 added, 1 changed" in words_of(done.text)
    assert again.status == 409
    people = {one.email: one for one in registrations_of(table, "nature")}
    assert (people["ann@example.org"].source, people["ann@example.org"].choices) == ("import", ["vision", "governance"])
    assert people["person10@example.org"].organisation == "New organisation"


def test_an_import_with_faults_changes_nothing_and_names_each_line(organiser: Client, table: Table) -> None:
    text = "name,email,partner_type,choice_1\n" + "\n".join(
        [
            "Good,good@example.org,ngo,vision",
            "Bad,broken,aliens,vision",
            "Twice,good@example.org,ngo,vision",
            "a,b,c,d,e",
        ]
    )

    shown = organiser.call("POST", "/organise/nature/people/import", text, content_type="text/csv")
    done = organiser.post("/organise/nature/people/import", {"csv": text, "expected": shown.json["expected"]})

    assert {fault["line"] for fault in shown.json["faults"]} == {3, 4, 5}
    assert done.status == 422
    assert {"line 3", "line 4", "line 5"} == set(done.json["fields"])
    assert not list(registrations_of(table, "nature"))


def test_a_file_is_uploaded_as_browsers_do(browser: Client) -> None:
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\nContent-Type: text/csv\r\n\r\n'
        + CSV.replace("Ann;", "Zoë;").encode()
        + b'\r\n--XX\r\nContent-Disposition: form-data; name="csv"\r\n\r\n\r\n--XX--\r\n'
    )
    kind = "multipart/form-data; boundary=XX"
    answer = browser.call("POST", "/organise/nature/people/import", body, accept="text/html", content_type=kind)

    assert answer.status == 200
    assert "Zoë" in answer.text


def test_what_is_no_list_of_people_is_refused(organiser: Client, table: Table) -> None:
    head = "name,email\n"
    for text in ("", "x", "name\nA", "name,email,email\n", "\0", '"', f'{head}"a', head + "a,b\n" * 600, 3, None, [1]):
        assert organiser.post("/organise/nature/people/import", {"csv": text}).status in {200, 422}
    assert not list(registrations_of(table, "nature"))


def test_wrong_methods_and_addresses(organiser: Client) -> None:
    assert organiser.call("DELETE", "/organise/nature/people").status == 405
    assert organiser.call("PUT", "/organise/nature").status == 405
    assert organiser.get("/organise/nature/nothing").status == 404
    assert organiser.get("/organise/nature/secrets.csv").status == 404
    assert organiser.get("/organise/nature/workshops/none/first").status == 404
    assert organiser.get("/organise/nature/people/a/b/c").status == 404
    assert organiser.get("/organise/" + "x" * 3000).status == 404
    for body, kind in (("[", "application/json"), ("x", "text/plain"), ("a=%ff", "application/x-www-form-urlencoded")):
        assert organiser.call("POST", "/organise/nature/people", body, content_type=kind).status in {400, 415}
    assert (
        organiser.call("POST", "/organise/nature/people", "x" * 200_000, content_type="application/json").status == 413
    )


def test_failed_mails_are_sent_again_by_their_exact_number_and_pages_say_what_ses_lacks(
    browser: Client, published: list[Registration], table: Table
) -> None:
    """Twelve confirmations: two failed, one waits for SES; the number agreed to must be the number there is."""
    first, second, third = list(mails_of(table, "nature", "confirmation"))[:3]
    for mail, changes in (
        (first, {"state": "failed", "error": "MessageRejected"}),
        (second, {"state": "failed", "error": "bad address"}),
        (third, {"state": "pending", "error": "not-verified"}),
    ):
        table.write(update("MAIL#nature", mail.id, assign=changes, remove=["due", "due_at"]))

    assert "1 mail waits: Amazon SES has not verified the sender" in words_of(browser.page("/organise/nature").text)
    page = words_of(browser.page("/organise/nature/mails?state=failed").text)
    assert "Send 2 failed mails again" in page
    wrong = browser.submit("/organise/nature/mails/again", {"expected": "3"})
    assert wrong.status == 409
    assert "2 mails can be sent again by now" in words_of(wrong.text)

    assert browser.submit("/organise/nature/mails/again", {"expected": "2"}).status == 303

    again = {mail.id: (mail.state.value, mail.error) for mail in mails_of(table, "nature", "confirmation")}
    assert again[first.id] == again[second.id] == ("pending", "")
    assert [line["act"] for line in audit_lines(table, "nature")].count("send-failed-again") == 1


@pytest.mark.parametrize(
    ("row", "minutes"),
    [({}, 1000 / 60), ({"daily": 500, "left": 1000}, 1000 / 60), ({"daily": 400, "left": 200}, 1000 / 60 + 2 * 1440)],
)
def test_the_last_mail_is_out_after_the_rate_and_the_daily_quota(
    table: Table, row: dict[str, int], minutes: float
) -> None:
    """A thousand mails at one a second; beyond the quota of 24 hours the rest waits for the next days."""
    rate = {"pk": "LIMIT", "sk": "mail-rate", "next": int(NOW.timestamp() * 1000), "gap": 1000, **row}
    table.put_all([rate])

    found = last_out(table, 1000, NOW)

    assert found is not None
    assert (found - NOW).total_seconds() / 60 == pytest.approx(minutes)
