"""Acts of organisers that take more than one write, killed before and after each AWS call, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest

from functions.organise import call_off, group_contacts
from functions.organise.allocator import Allocator
from shared.cancellation import cancel_day
from shared.errors import ConflictError
from shared.events import put_event, read_event
from shared.mails import mails_of
from shared.models import Event, RegistrationState
from shared.registrations import as_registration, read_registration
from shared.runs import runs_of
from shared.state import read_state
from shared.table import REGISTRATIONS, Table
from tests.support.crash_points import Crash, Faults, Snapshot
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.organiser_client import CONTEXT, Client, fill, make_crowd

HOME = "/organise/nature"
PEOPLE = 8

pytestmark = pytest.mark.promise("P18")

NOBODY = Allocator(SimpleNamespace(invoke=lambda **_: None), "allocate")


def sweep(table: Table, act: Callable[[], object], holds: Callable[[bool], None]) -> int:
    """Kill an act at every moment of its AWS calls; how many there were. `holds` is told whether it came to its end."""
    faults, begin, moment, died = Faults(table._client), Snapshot(), 0, True
    while died:
        begin.restore()
        with faults.at([moment]):
            try:
                act()
                died = False
            except Crash:
                moment += 1
        holds(not died)
    print(f"killed at {moment} moments")
    return moment


@pytest.fixture
def event(table: Table) -> Event:
    """An event that has enough seats without one of its workshops."""
    made = make_event(registration={**event_data()["registration"], "capacity": 2 * PEOPLE})
    put_event(table, made, actor="o", now=NOW)
    return made


@pytest.fixture
def published(table: Table, event: Event, organiser: Client, allocate: ModuleType) -> Event:
    """Eight people with published programmes."""
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    number = organiser.post(f"{HOME}/allocations", {"mode": "fresh"}).json["number"]
    allocate.handler({"event": "nature", "run": number}, CONTEXT)
    sent = {"expected_mails": PEOPLE, "afterwards": "keep"}
    assert organiser.post(f"{HOME}/allocations/{number}/publication", sent).status == 202
    allocate.handler({"event": "nature", "publication": number}, CONTEXT)
    return event


def test_a_workshop_that_is_called_off_leaves_nobody_in_it_untold(
    table: Table, published: Event, organiser: Client, allocate: ModuleType
) -> None:
    """Whatever call it dies at: nothing changed, or the overview says so, or a draft stands; nobody is mailed yet."""
    workshop = call_off.find_workshop(table, published, "vision", "first")
    assert workshop.people > 0
    mails = len(list(mails_of(table, "nature")))

    def press(event: Event) -> None:
        found = call_off.find_workshop(table, event, "vision", "first")
        call_off.call_off(table, event, found, workshop.people, NOBODY, actor="organiser@example.org", now=NOW)

    def holds(ended: bool) -> None:
        event = read_event(table, "nature")
        assert event
        seats, drafts = event.seats("vision", "first"), len(list(runs_of(table, "nature"))) - 1
        said = any("has 0 seats by now and" in one["what"] for one in organiser.get(HOME).json["attention"])
        assert (seats > 0, drafts, said) in {(True, 0, False), (False, 0, True), (False, 1, False)}
        assert not ended or drafts == 1
        assert len(list(mails_of(table, "nature"))) == mails
        if said:  # pressed again, the act goes on where it died
            press(event)
            assert len(list(runs_of(table, "nature"))) == 2

    moments = sweep(table, lambda: press(published), holds)
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)
    draft = organiser.get(f"{HOME}/allocations/2").json
    publication = {"expected_mails": draft["mails"], "afterwards": "keep"}
    assert organiser.post(f"{HOME}/allocations/2/publication", publication).status == 202
    assert draft["mails"] >= workshop.people
    assert moments >= 20


def test_a_day_is_cancelled_whole_or_not_at_all(table: Table, published: Event) -> None:
    before = {row["task"] for row in table.query("EVENT#nature", "TASK#")}

    def holds(ended: bool) -> None:
        event = read_event(table, "nature")
        assert event
        tasks = {row["task"] for row in table.query("EVENT#nature", "TASK#")}
        assert tasks == ({"cancellation", "retention", "sensitive"} if event.cancelled else before)
        assert not ended or event.cancelled

    assert sweep(table, lambda: cancel_day(table, published, actor="o", now=NOW), holds) >= 6


def test_a_group_that_is_withdrawn_never_has_a_person_without_a_contact(table: Table, event: Event) -> None:
    """The contact leaves last; the act, pressed again with the number that is left, comes to its end."""
    members = [make_registration(number=n, id=f"{n:020x}", email="", delegate="c" * 20) for n in (2, 3)]
    contact = make_registration(
        number=1, id="c" * 20, state=RegistrationState.DELEGATE, choices=[], members=[one.id for one in members]
    )
    fill(table, event, [contact, *members], NOW)

    def states() -> tuple[RegistrationState, int]:
        rows = [as_registration(row) for row in table.query("EVENT#nature", REGISTRATIONS)]
        left = sum(one.state is RegistrationState.CONFIRMED for one in rows)
        return next(one.state for one in rows if one.id == contact.id), left

    def act(expected: int = 2) -> None:
        person = read_registration(table, "nature", contact.id)
        assert person
        fields = {"group": "withdraw", "expected": expected}
        group_contacts.withdraw_at_wish(table, event, person, fields, actor="o", now=NOW)

    def holds(ended: bool) -> None:
        state, left = states()
        assert state is RegistrationState.DELEGATE or left == 0
        if not ended and left == 1:
            with pytest.raises(ConflictError):
                act(2)
        act(left)
        assert states() == (RegistrationState.WITHDRAWN, 0)
        assert read_state(table, "nature").confirmed == 0
        assert [mail.kind for mail in mails_of(table, "nature", "withdrawn#")] == ["withdrawn"]

    assert sweep(table, act, holds) >= 12
