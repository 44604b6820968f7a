"""What a line and a mail address may hold is one rule, whichever way they come in, and on the way out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.organise import person_fields, sessions
from functions.organise.imports import reading
from functions.register import forms
from shared.errors import InvalidError
from shared.event_file import EventFileError
from shared.letters.compose import BadAddressError, _deliverable, _is_a_name
from shared.models import Event
from shared.table import Table, address_sk
from shared.text import TextError, address_key, clean_address, clean_line
from tests.support.factories import make_event

REFUSED = "refused"

ADDRESSES = {
    # Pasted around an address, and taken off again.
    " jan@example.org\u00a0": "jan@example.org",
    "\u202ajan@example.org\u202c": "jan@example.org",
    "\u2068jan@example.org\u2069\u200b": "jan@example.org",
    "\ufeffjan@example.org": "jan@example.org",
    "mailto:jan@example.org": "jan@example.org",
    "mailto:jan%2Bday@example.org?subject=Hello": "jan+day@example.org",
    "MailTo:jan@example.org?subject=Hello": "jan@example.org",
    "Jan Peeters <jan@example.org>": "jan@example.org",
    "<jan@example.org>": "jan@example.org",
    '"Peeters, Jan" <\u202amailto:jan@example.org\u202c>': "jan@example.org",
    # Capitals: the domain's go, those before the @ stay.
    "Jan.P@Example.ORG": "Jan.P@example.org",
    # IDNA 2008: ß, ς and the joiners are letters of their own; other forms of a letter are that letter.
    "i@faß.example": "i@xn--fa-hia.example",
    "i@straße.example": "i@xn--strae-oqa.example",
    "i@βόλος.example": "i@xn--nxasmm1c.example",
    "i@نامه\u200cای.example": "i@xn--mgba3gch31f060k.example",
    "i@bücher.example": "i@xn--bcher-kva.example",
    "i@bu\u0308cher.example": "i@xn--bcher-kva.example",
    "i@ｅｘａｍｐｌｅ.org": "i@example.org",
    "i@example\u3002org": "i@example.org",
    "i@xn--fa-hia.example": "i@xn--fa-hia.example",
    "o'hara+day@example.museum": "o'hara+day@example.museum",
    # What no mail server would take, or what is more than an address.
    "jané@example.org": REFUSED,
    "a@b.c|d": REFUSED,
    "o(x)@example.org": REFUSED,
    "a@example": REFUSED,
    "a@@example.org": REFUSED,
    ".a@example.org": REFUSED,
    "a..b@example.org": REFUSED,
    "a b@example.org": REFUSED,
    "a@example.org b@example.org": REFUSED,
    "a@example.org, b@example.org": REFUSED,
    "<a@example.org> <b@example.org>": REFUSED,
    "a@example.org\nBcc: b@example.org": REFUSED,
    "Jan\r\nBcc: x <b@example.org>": REFUSED,
    "a@[192.0.2.1]": REFUSED,
    "a@-example.org": REFUSED,
    "a@exa\u200bmple\u202e.org": REFUSED,
    "a@i❤.example": REFUSED,
    "a@\ud800.example": REFUSED,
    "\ud800@example.org": REFUSED,
    "a@exampl\ufffd.org": REFUSED,
    "a" * 65 + "@example.org": REFUSED,
    "a@" + "ü" * 64 + ".example": REFUSED,
    "": REFUSED,
}


def event_file(address: str, event: Event, table: Table) -> str:
    return make_event(organiser_emails=[address]).organiser_emails[0]


def door_helper(address: str, event: Event, table: Table) -> str:
    return make_event(door_emails=[address]).door_emails[0]


def contact(address: str, event: Event, table: Table) -> str:
    return make_event(contact=address).contact


def registration(address: str, event: Event, table: Table) -> str:
    ranked = [theme.id for theme in event.themes]
    sent = {"name": "Jan", "email": address, "partner_type": "ngo", "choices": ranked}
    return forms.read_details(event, sent).email


def asking_for_the_link(address: str, event: Event, table: Table) -> str:
    return forms.read_address({"email": address})


def added_by_hand(address: str, event: Event, table: Table) -> str:
    return person_fields.read_new_person(event, {"name": "Jan", "email": address, "partner_type": "ngo"}).email


def corrected_by_hand(address: str, event: Event, table: Table) -> str:
    return person_fields.read_correction(event, {"email": address}).email or ""


def imported(address: str, event: Event, table: Table) -> str:
    quoted = address.replace('"', '""')
    found = reading.preview(table, event, f'name,email,partner_type\nJan,"{quoted}",ngo\n')
    if found.faults:
        raise InvalidError(found.faults[0][1])
    [row] = found.rows
    assert isinstance(row.wanted, person_fields.NewPerson)
    return row.wanted.email


def sign_in(address: str, event: Event, table: Table) -> str:
    return sessions.read_address(address)


def on_the_wire(address: str, event: Event, table: Table) -> str:
    return _deliverable(address)


DOORS: list[Callable[[str, Event, Table], str]] = [
    event_file,
    door_helper,
    contact,
    registration,
    asking_for_the_link,
    added_by_hand,
    corrected_by_hand,
    imported,
    sign_in,
    on_the_wire,
]


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_the_same_addresses_and_keeps_them_alike(
    door: Callable[[str, Event, Table], str], event: Event, table: Table
) -> None:
    found = {}
    for typed in ADDRESSES:
        try:
            found[typed] = door(typed, event, table)
        except (InvalidError, EventFileError, BadAddressError):
            found[typed] = REFUSED

    without = {"": ""} if door in (added_by_hand, corrected_by_hand, imported) else {}  # a person may have none there
    assert found == {**ADDRESSES, **without}


def test_an_address_as_it_is_stored_is_read_as_itself() -> None:
    stored = {address for address in ADDRESSES.values() if address != REFUSED}

    assert {clean_address(address) for address in stored} == stored


def test_the_owner_of_fass_is_not_the_organiser_at_fass_with_sharp_s() -> None:
    event = make_event(organiser_emails=["i@faß.example"], door_emails=["h@straße.example"])

    assert sessions.role_in(event, clean_address("i@fass.example")) is sessions.Role.NOBODY
    assert sessions.role_in(event, clean_address("h@strasse.example")) is sessions.Role.NOBODY
    assert sessions.role_in(event, clean_address("I@FAẞ.example")) is sessions.Role.ORGANISER
    assert sessions.role_in(event, clean_address("h@xn--strae-oqa.example")) is sessions.Role.DOOR


def test_capitals_alone_make_no_second_address() -> None:
    assert address_sk(clean_address("Cap.Tal@Example.org")) == address_sk(clean_address("cap.tal@example.ORG"))
    assert address_key(clean_address("A@faß.example")) != address_key(clean_address("a@fass.example"))


LINES = {
    "علی\u200cرضا کریمی": "علی\u200cرضا کریمی",
    "क्\u200dष": "क्\u200dष",
    "\u200bJan\u2060 ": "Jan",
    "\u202aJan\u202c": "Jan",
    "Jo\u0308rg": "Jörg",
    "Smith, Jr.": "Smith, Jr.",
    "Ren\ufffd Dupont": REFUSED,
    "Jan\u200d Piet": REFUSED,
    "Jan 5\u200d6": REFUSED,
    "turned \u202e round": REFUSED,
    "half \ud800 a sign": REFUSED,
    "two\nlines": REFUSED,
    "see www.example.org": REFUSED,
}


def test_a_name_is_read_alike_on_the_form_by_hand_and_from_a_file(event: Event, table: Table) -> None:
    def on_the_form(name: str) -> str:
        ranked = [theme.id for theme in event.themes]
        sent = {"name": name, "email": "jan@example.org", "partner_type": "ngo", "choices": ranked}
        return forms.read_details(event, sent).name

    def by_hand(name: str) -> str:
        return person_fields.read_new_person(
            event, {"name": name, "email": "jan@example.org", "partner_type": "ngo"}
        ).name

    def from_a_file(name: str) -> str:
        found = reading.preview(table, event, f'name,email,partner_type\n"{name}",jan@example.org,ngo\n')
        if found.faults:
            raise InvalidError(found.faults[0][1])
        assert isinstance(found.rows[0].wanted, person_fields.NewPerson)
        return found.rows[0].wanted.name

    for door in (on_the_form, by_hand, from_a_file, clean_line):
        read = {}
        for typed in LINES:
            try:
                read[typed] = door(typed)
            except (InvalidError, TextError):
                read[typed] = REFUSED
        assert read == LINES, door


@pytest.mark.parametrize(
    ("name", "is_greeted"),
    [
        ("प्रिया शर्मा", True),
        ("สมชาย", True),
        ("علی\u200cرضا کریمی", True),
        ("J. P. Peeters", True),
        ("J.P. Peeters", True),
        ("Jean-J.-P. Sartre", False),
        ("Dr. Jan Peeters", True),
        ("'t Kint", True),
        ("Jan van 't Kint", True),
        ("Zoë D'Hondt-Yılmaz", True),
        ("Maria da Conceição dos Santos e Silva", True),
        ("李小龍", True),
        ("win.example.org", False),
        ("t.co", False),
        ("Win 500 euros", False),
        ("jan@example.org", False),
        ("Click here!", False),
    ],
)
def test_a_person_is_greeted_by_a_name_and_by_nothing_else(name: str, is_greeted: bool) -> None:
    assert _is_a_name(name) is is_greeted
