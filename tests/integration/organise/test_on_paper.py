"""People whom organisers register without an address: a place and a programme like any other, and no mail."""

from __future__ import annotations

from types import ModuleType

import boto3
import pytest

from functions.upkeep import app as upkeep
from shared.cancellation import reached
from shared.mails import mails_of
from shared.models import Event, RegistrationState
from shared.registrations import read_registration, registrations_of
from shared.runs import programme_of
from shared.state import read_state
from shared.table import Table
from tests.support.factories import NOW
from tests.support.organiser_client import CONTEXT, Client, words_of

HOME = "/organise/nature"
IMPORT = f"{HOME}/people/import"
PUPIL = {"name": "Nele Janssens", "email": "", "organisation": "5A", "partner_type": "ngo", "choices": ["vision"]}
CLASS = "Naam;Klas;Soort;Eerste keuze\nNele Janssens;5A;ngo;vision\nNele Janssens;5B;ngo;governance\n"


def rows_about(person: str) -> list[str]:
    """The keys of all rows that name a person's id, but those of the audit list."""
    rows = boto3.client("dynamodb").scan(TableName="parcours", ConsistentRead=True)["Items"]
    return [row["sk"]["S"] for row in rows if person in str(row) and not row["sk"]["S"].startswith("AUDIT#")]


def test_a_person_without_an_address_has_a_place_and_a_programme_on_paper_and_is_never_mailed(
    organiser: Client, allocate: ModuleType, event: Event, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupil = organiser.post(f"{HOME}/people", PUPIL).json["id"]
    other = organiser.post(f"{HOME}/people", {**PUPIL, "name": "Wim Peeters", "email": "wim@example.org"}).json["id"]
    number = organiser.post(f"{HOME}/allocations", {}).json["number"]
    allocate.handler({"event": "nature", "run": number}, CONTEXT)
    draft = organiser.get(f"{HOME}/allocations/{number}").json
    assert (
        organiser.post(f"{HOME}/allocations/{number}/publication", {"expected_mails": 1, "afterwards": "keep"}).status
        == 202
    )
    allocate.handler({"event": "nature", "publication": number}, CONTEXT)
    monkeypatch.setattr(upkeep, "table", table)
    upkeep.remind_everybody(event.model_copy(update={"reminder_days": [1]}), 1, NOW, lambda: True)

    assert draft["mails"] == 1
    assert read_state(table, "nature").confirmed == 2
    assert programme_of(table, "nature", number, pupil) is not None
    assert {mail.registration for mail in mails_of(table, "nature") if mail.registration} == {other}
    assert [person.id for person in reached(registrations_of(table, "nature"))] == [other]
    assert organiser.post(f"{HOME}/people/{pupil}/mails", {}).status == 409
    on_paper, of_all = organiser.page(f"{HOME}/programmes").text, organiser.page(f"{HOME}/programmes?who=all").text
    assert ("Nele Janssens" in on_paper, "Wim Peeters" in on_paper) == (True, False)
    assert ("Nele Janssens" in of_all, "Wim Peeters" in of_all) == (True, True)
    assert "1 person has no address" in words_of(organiser.page(HOME).text)

    with_address = organiser.patch(f"{HOME}/people/{pupil}", {"email": "nele@example.org"})
    assert with_address.status == 200
    assert organiser.patch(f"{HOME}/people/{pupil}", {"email": ""}).status == 422
    assert [mail.kind for mail in mails_of(table, "nature", registration=pupil)] == ["confirmation"]


def test_a_person_without_an_address_withdraws_and_is_erased_without_a_trace(organiser: Client, table: Table) -> None:
    first, second = (organiser.post(f"{HOME}/people", PUPIL).json["id"] for _ in range(2))

    assert organiser.patch(f"{HOME}/people/{first}", {"withdrawn": True}).status == 200
    for person in (first, second):
        assert organiser.post(f"{HOME}/people/{person}/erasure", {"sure": True}).status == 200

    assert rows_about(first) + rows_about(second) == []
    assert read_state(table, "nature").confirmed == 0


def test_a_list_without_addresses_is_imported_once_however_often_it_is_sent(organiser: Client, table: Table) -> None:
    """An organiser first says that there are none: a column that was not recognised would silence everybody."""
    refused = organiser.post(IMPORT, {"csv": CLASS})
    wish = {"csv": CLASS, "without_addresses": True}
    shown = organiser.post(IMPORT, wish).json
    done = organiser.post(IMPORT, {**wish, "expected": shown["expected"]}).json
    again = organiser.post(IMPORT, wish).json
    exported = organiser.get(f"{HOME}/people.csv").text
    back = organiser.post(IMPORT, {"csv": exported}).json

    assert (refused.status, "which column is email" in refused.text) == (422, True)
    assert len(shown["add"]) == done["added"] == 2
    assert (again["same"], again["add"]) == (2, [])
    assert (back["same"], back["add"], back["change"], back["faults"]) == (2, [], [], [])
    people = list(registrations_of(table, "nature"))
    assert {(person.name, person.organisation, person.email) for person in people} == {
        ("Nele Janssens", "5A", ""),
        ("Nele Janssens", "5B", ""),
    }
    assert not [mail for mail in mails_of(table, "nature") if mail.kind != "sign-in"]


def test_the_form_of_a_person_takes_no_address(browser: Client, table: Table) -> None:
    added = browser.submit(f"{HOME}/people", {**PUPIL, "choices": [], "choice_1": "vision"})
    person = added.headers["location"].partition("?")[0].rpartition("/")[2]
    saved = browser.submit(f"{HOME}/people/{person}", {**PUPIL, "choices": [], "organisation": "5B"})

    assert (added.status, saved.status) == (303, 303)
    stored = read_registration(table, "nature", person)
    assert stored is not None
    assert (stored.state, stored.organisation, stored.email) == (RegistrationState.CONFIRMED, "5B", "")
