"""From the form to the inbox and back over the own link."""

from __future__ import annotations

import json

import pytest

from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import own_link
from shared.registrations import registrations_of
from shared.state import read_state
from tests.journey.conftest import Open, close, mails_of_kind, register_crowd, settle
from tests.support.factories import event_data
from tests.support.forms import read_form


def test_who_registers_gets_a_mail_with_their_link_and_a_calendar_entry(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """One mail, to them, and the link opens their registration."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)

    (mail,) = mails_of_kind(deployment, event, "confirmation")
    assert mail.to == person.email
    assert "BEGIN:VEVENT" in mail.calendar
    link = own_link(deployment, person.email)
    own = deployment.http.get(link).json
    assert (own["name"], own["choices"], own["state"]) == (person.name, person.choices, "confirmed")
    assert person.name in deployment.http.get(link, accept="text/html").text


def test_the_form_works_without_a_script(deployment: LocalDeployment, open_event: Open) -> None:
    """A browser's form leads to a page that may be bookmarked."""
    event = open_event()
    page = deployment.http.get(f"/events/{event.id}", accept="text/html")
    assert page.status == 200
    for words in (event.title, "Wrap-up", *(theme.title for theme in event.themes)):
        assert words in page.text

    form = read_form(page.text, "/registrations")
    choices = dict(zip(form.options, (theme.id for theme in event.themes), strict=True))
    typed = {"name": "Ann Form", "email": "ann.form@example.org", "partner_type": "ngo"}
    answer = deployment.http.submit(form.action, form.fields | choices | typed)
    assert answer.status == 303, answer.text

    settle(deployment, event, 1)
    assert deployment.http.get(answer.location, accept="text/html").status == 200
    [stored] = registrations_of(deployment.table, event.id)
    assert (stored.email, stored.choices) == ("ann.form@example.org", list(choices.values()))


def test_a_delegate_gets_one_mail_for_the_group(deployment: LocalDeployment, open_event: Open) -> None:
    """The function that writes the mail may read all that stands in it."""
    event = open_event(registration={**event_data()["registration"], "groups": True})
    choices = [theme.id for theme in event.themes]
    members = [{"name": name, "partner_type": "ngo", "choices": choices} for name in ("Ann Pupil", "Bob Pupil")]
    delegate = {"name": "Tess Teacher", "email": "tess.teacher@example.org", "organisation": "School"}
    answer = deployment.http.post(f"/events/{event.id}/group", {**delegate, "members": members})
    assert answer.status == 202, answer.text

    settle(deployment, event, 1)
    (mail,) = mails_of_kind(deployment, event, "group")
    assert mail.to == delegate["email"]
    own = deployment.http.get(own_link(deployment, mail.to)).json
    assert [member["name"] for member in own["members"]] == ["Ann Pupil", "Bob Pupil"]


def test_the_same_address_twice_is_one_registration(deployment: LocalDeployment, open_event: Open) -> None:
    """The answer is the same, nothing changes, and the person gets their own link."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)
    address = f"/events/{event.id}/registrations"

    again = deployment.http.post(address, {**person.form(), "name": "Another Person"})
    settle(deployment, event, 2)
    new = deployment.http.post(address, {**person.form(), "email": f"new.{person.email}"})

    assert (again.status, again.body) == (new.status, new.body)
    assert len(mails_of_kind(deployment, event, "already-registered")) == 1
    assert deployment.http.get(own_link(deployment, person.email)).json["name"] == person.name


def test_a_ranking_is_changed_over_the_own_link_until_registration_closes(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """PUT changes it; after closing it is refused and stays."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)
    link = own_link(deployment, person.email)
    turned = list(reversed(person.choices))

    assert deployment.http.call("PUT", link, {**person.form(), "choices": turned}).status == 200
    assert deployment.http.get(link).json["choices"] == turned

    close(deployment, event)
    assert deployment.http.call("PUT", link, person.form()).status == 409
    assert deployment.http.get(link).json["choices"] == turned


def test_who_withdraws_is_told_and_their_calendar_entry_goes(deployment: LocalDeployment, open_event: Open) -> None:
    """A mail that cancels the entry; the place is free again."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)

    assert deployment.http.post(f"{own_link(deployment, person.email)}/withdrawal").status == 200

    settle(deployment, event, 2)
    (mail,) = mails_of_kind(deployment, event, "withdrawn")
    assert "METHOD:CANCEL" in mail.calendar
    assert read_state(deployment.table, event.id).confirmed == 0


def test_who_is_erased_is_gone(deployment: LocalDeployment, open_event: Open) -> None:
    """The link opens nothing, the table names nobody, and a last mail says so."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)
    link = own_link(deployment, person.email)

    assert deployment.http.post(f"{link}/erasure").status == 200

    settle(deployment, event, 1)
    assert deployment.http.get(link).status in {403, 404}
    assert list(registrations_of(deployment.table, event.id)) == []
    assert not any(person.email in json.dumps(row, default=str) for row in deployment.table.query(f"EVENT#{event.id}"))


def test_a_mail_that_bounces_is_noted(deployment: LocalDeployment, open_event: Open) -> None:
    """What SES tells reaches the registration, for organisers to see."""
    event = open_event()
    form = {"name": "Bo Unce", "partner_type": "ngo", "choices": [theme.id for theme in event.themes]}

    sent = deployment.http.post(f"/events/{event.id}/registrations", {**form, "email": "bounce.bo@example.org"})

    assert sent.status == 202
    deployment.wait_for(
        "the bounce", lambda: [one.bounced for one in registrations_of(deployment.table, event.id)] == [True], 60
    )


def test_a_get_changes_nothing(deployment: LocalDeployment, open_event: Open) -> None:
    """Mail scanners follow every link."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)
    link = own_link(deployment, person.email)
    before = [one.model_dump() for one in registrations_of(deployment.table, event.id)]

    for address in (link, f"{link}/withdrawal", f"{link}/erasure", f"{link}/programme.ics"):
        assert deployment.http.get(address, accept="text/html").status < 500

    assert [one.model_dump() for one in registrations_of(deployment.table, event.id)] == before


GOOD = {"name": "Ann", "email": "ann.bad@example.org", "organisation": "", "partner_type": "ngo"}
RANKED = ["vision", "governance", "resources", "wildlife"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"choices": ["vision", "governance", "resources", "astrology"]}, "choices"),
        ({"choices": ["vision", "vision", "resources", "wildlife"]}, "choices"),
        ({"choices": ["vision"]}, "choices"),
        ({"choices": "vision"}, "choices"),
        ({"email": "not-an-address"}, "email"),
        ({"email": ["a@example.org"]}, "email"),
        ({"partner_type": "wizard"}, "partner_type"),
        ({"name": ""}, "name"),
        ({"name": "x" * 5000}, "name"),
        ({"admin": True}, "admin"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(
    deployment: LocalDeployment, open_event: Open, changes: dict[str, object], field: str
) -> None:
    """422 with a message beside the field."""
    event = open_event()

    answer = deployment.http.post(f"/events/{event.id}/registrations", {**GOOD, "choices": RANKED, **changes})

    assert answer.status == 422, answer.text
    assert field in answer.json["fields"]
    assert list(registrations_of(deployment.table, event.id)) == []
    assert deployment.mails(event.id) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": 1, "name": 2}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"<x/>", "application/xml", 415),
        (b'{"name": "' + b"x" * 200_000 + b'"}', "application/json", 413),
    ],
)
def test_an_unreadable_body_is_refused(
    deployment: LocalDeployment, open_event: Open, body: bytes, kind: str, status: int
) -> None:
    """The statuses of the contract."""
    event = open_event()
    headers = {"Content-Type": kind, "Accept": "application/json"}

    answer = deployment.http.send("POST", f"/events/{event.id}/registrations", body, headers=headers)

    assert answer.status == status
    assert answer.json["error"]


def test_what_is_not_there_is_not_found(deployment: LocalDeployment) -> None:
    """Unknown events, unknown pages, and methods that nothing answers."""
    assert deployment.http.get("/events/nowhere").status == 404
    assert deployment.http.post("/events/nowhere/registrations", {**GOOD, "choices": RANKED}).status == 404
    assert deployment.http.get("/nowhere").status == 404
    assert deployment.http.call("DELETE", "/").status == 405


def test_a_link_that_was_tampered_with_opens_nothing(deployment: LocalDeployment, open_event: Open) -> None:
    """One character more, less or other."""
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)
    link = own_link(deployment, person.email)
    swapped = link[:-1] + ("A" if link[-1] != "A" else "B")

    for forged in (link[:-1], link + "A", swapped, f"{deployment.http.public_url}/r/x"):
        assert deployment.http.get(forged).status in {403, 404}


def test_registration_is_refused_before_it_opens_and_after_it_closes(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """409, and nothing is stored."""
    event = close(deployment, open_event())

    answer = deployment.http.post(f"/events/{event.id}/registrations", {**GOOD, "choices": RANKED})

    assert answer.status == 409
    assert list(registrations_of(deployment.table, event.id)) == []
