"""What people were told: a changed room, day or place is told to exactly the people it concerns, and once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from icalendar import Calendar

from functions.register import app as register_app
from functions.register import web
from shared.errors import ConflictError
from shared.events import put_event, read_event
from shared.letters.compose import NothingToTellError
from shared.mails import mails_of
from shared.models import Event, RegistrationState, RunState
from shared.registrations import admit, registrations_of
from shared.runs import runs_of
from shared.state import read_state
from shared.table import Table, update
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_registration
from tests.support.mail_samples import Letters, entry_of, html_of, text_of
from tests.support.organiser_client import CONTEXT, Client, at, fill, make_crowd

HOME = "/organise/nature"
PEOPLE = 8

pytestmark = pytest.mark.promise("P18")


@pytest.fixture
def publish(organiser: Client, allocate: ModuleType, table: Table) -> Callable[..., int]:
    """Have a draft made and published, its mails written; how many mails there were."""

    def do(mode: str) -> int:
        number = organiser.post(f"{HOME}/allocations", {"mode": mode}).json["number"]
        allocate.handler({"event": "nature", "run": number}, CONTEXT)
        mails = int(organiser.get(f"{HOME}/allocations/{number}").json["mails"])
        answer = organiser.post(
            f"{HOME}/allocations/{number}/publication", {"expected_mails": mails, "afterwards": "keep"}
        )
        assert answer.status == 202, answer.text
        allocate.handler({"event": "nature", "publication": number}, CONTEXT)
        return mails

    return do


@pytest.fixture
def told(table: Table, event: Event, organiser: Client, publish: Callable[..., int]) -> Event:
    """Eight people who were told their programmes."""
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    assert publish("fresh") == PEOPLE
    return event


def change(table: Table, event: Event, **changes: object) -> Event:
    """Change the event file, as an organiser does."""
    changed = Event.model_validate({**event.model_dump(), **changes})
    put_event(table, changed, actor="o", now=NOW)
    return changed


def all_sent(table: Table) -> None:
    """SES took the first programmes."""
    for row in mails_of(table, "nature", "programme#"):
        table.write(update("MAIL#nature", row.id, assign={"state": "sent"}, remove=["due", "due_at"]))


def after_the_deadline(app: ModuleType, event: Event, organiser: Client, allocate: ModuleType, mails: int = 0) -> None:
    """A minute after the deadline, with its draft published: registration is closed, and nothing was asked."""
    later = event.allocates_at + timedelta(minutes=1)
    allocate.work_through(later)
    at(app, later)
    organiser.sign_in(event)
    assert organiser.post(f"{HOME}/allocations/2/publication", {"expected_mails": mails}).status == 202
    allocate.work_through(later)


def moved_to_the_auditorium(event: Event) -> list[dict[str, object]]:
    themes = [theme.model_dump() for theme in event.themes]
    return [{**theme, "rooms": "Auditorium"} if theme["id"] == "vision" else theme for theme in themes]


def concerned(table: Table, theme: str) -> set[str]:
    """The people with a workshop of this theme in the published programmes."""
    run = read_state(table, "nature").published_run
    rows = table.query(f"RUN#nature#{run:06}", "PROGRAMME#")
    return {row["registration"] for row in rows if theme in row["workshops"].values()}


def test_a_room_that_changes_is_told_to_the_people_in_it_old_and_new(
    table: Table, told: Event, keys: Keys, organiser: Client, publish: Callable[..., int]
) -> None:
    """The overview counts them; a draft that keeps has exactly their mails; the calendar entry follows."""
    event = change(table, told, themes=moved_to_the_auditorium(told))
    there = concerned(table, "vision")
    assert 0 < len(there) < PEOPLE
    asked = [item["what"] for item in organiser.get(HOME).json["attention"]]
    assert any(what.startswith(f"{len(there)} people were told other hours, rooms") for what in asked)

    assert publish("keep") == len(there)

    mails = list(mails_of(table, "nature", "programme-changed"))
    assert {mail.registration for mail in mails} == there
    all_sent(table)
    letter = Letters(table, keys, event).write(mails[0].id)
    assert "Auditorium" in text_of(letter)
    assert "Before:" in text_of(letter)
    [entry] = Calendar.from_ical(entry_of(letter) or b"").walk("VEVENT")
    assert (entry["SEQUENCE"], "Auditorium" in str(entry["DESCRIPTION"])) == (3, True)
    assert not any("told other" in item["what"] for item in organiser.get(HOME).json["attention"])
    assert publish("keep") == 0


def test_the_schedule_places_a_late_person_and_tells_no_changed_room_to_others(
    table: Table, event: Event, allocate: ModuleType
) -> None:
    """The room was changed and not told yet: its mails are an organiser's to send, so the draft waits."""
    fill(table, event, make_crowd(event, PEOPLE, NOW), NOW)
    deadline = event.allocates_at
    allocate.work_through(deadline)
    changed = Event.model_validate({**event.model_dump(), "themes": moved_to_the_auditorium(event)})
    put_event(table, changed, actor="o", now=deadline + timedelta(minutes=2))
    admit(table, changed, make_registration(number=99, id="a99"), now=deadline + timedelta(minutes=3))

    for minute in range(20, 23):
        allocate.work_through(deadline + timedelta(minutes=minute))

    newest = next(runs_of(table, "nature"))
    assert (newest.number, newest.state, newest.waits_for) == (2, RunState.DRAFT, "moves")
    assert list(mails_of(table, "nature", "programme-changed")) == []
    assert {mail.kind for mail in mails_of(table, "nature") if mail.run == 2} == {"draft-ready"}

    put_event(table, event, actor="o", now=deadline + timedelta(minutes=25))
    admit(table, event, make_registration(number=98, id="a98"), now=deadline + timedelta(minutes=30))
    allocate.work_through(deadline + timedelta(minutes=41))
    assert read_state(table, "nature").published_run == 3
    assert {mail.registration for mail in mails_of(table, "nature") if mail.run == 3} == {"a98", "a99"}


def test_a_day_that_moves_is_told_to_everybody(
    table: Table, told: Event, keys: Keys, publish: Callable[..., int]
) -> None:
    event = change(table, told, date=(told.date + timedelta(days=7)).isoformat())

    assert publish("keep") == PEOPLE

    all_sent(table)
    mail = next(mails_of(table, "nature", "programme-changed"))
    text = text_of(Letters(table, keys, event).write(mail.id))
    assert "The date, the hours or the place of the day have changed." in text
    assert f"{told.date.day} {told.date:%B %Y}" in text
    assert f"{event.date.day} {event.date:%B %Y}" in text


def test_another_way_to_get_there_is_told_and_nothing_else_is_said_to_have_changed(
    table: Table, told: Event, keys: Keys, publish: Callable[..., int]
) -> None:
    event = change(table, told, venue={**told.venue.model_dump(), "directions": "Bus 3 from the station."})

    assert publish("keep") == PEOPLE

    all_sent(table)
    mail = Letters(table, keys, event).write(next(mails_of(table, "nature", "programme-changed")).id)
    for text in (text_of(mail), html_of(mail)):
        assert "How to get there" in text
        assert "Bus 3 from the station." in text
        assert "of the day have changed" not in text


def test_a_change_that_no_mail_prints_is_told_to_nobody(
    table: Table, told: Event, organiser: Client, publish: Callable[..., int]
) -> None:
    change(table, told, summary="Another summary.")

    assert not any("told other" in item["what"] for item in organiser.get(HOME).json["attention"])
    assert publish("keep") == 0


def test_the_schedule_never_replaces_programmes_that_organisers_published(
    app: ModuleType, table: Table, told: Event, allocate: ModuleType, organiser: Client
) -> None:
    """Published by hand before the deadline: at the deadline only newcomers are placed (findings/cases.md)."""
    before = {row["registration"]: row["workshops"] for row in table.query("RUN#nature#000001", "PROGRAMME#")}
    fill(table, told, make_crowd(told, PEOPLE + 2, NOW)[PEOPLE:], NOW)
    planned = [item["what"] for item in organiser.get(HOME).json["coming"]]
    assert "People without a programme get one in a draft, for you to look at and publish" in planned

    later = told.allocates_at + timedelta(minutes=1)
    allocate.work_through(later)
    assert read_state(table, "nature").published_run == 1, "so it was answered: a draft that waits"
    after_the_deadline(app, told, organiser, allocate, mails=2)

    state = read_state(table, "nature")
    after = {row["registration"]: row["workshops"] for row in table.query(f"RUN#nature#{state.published_run:06}")}
    assert state.published_run == 2
    assert {who: after[who] for who in before} == before
    assert len(after) == PEOPLE + 2
    assert list(mails_of(table, "nature", "programme-changed")) == []


def test_a_person_who_is_confirmed_after_the_publication_gets_a_programme_by_itself(
    app: ModuleType, table: Table, told: Event, allocate: ModuleType, organiser: Client
) -> None:
    after_the_deadline(app, told, organiser, allocate)
    person = {"name": "P", "email": "late@example.org", "partner_type": "ngo"}
    assert organiser.post(f"{HOME}/people", person).status == 201
    runs = len(list(runs_of(table, "nature")))

    allocate.work_through(told.allocates_at + timedelta(minutes=2))
    assert len(list(runs_of(table, "nature"))) == runs, "late people are placed together, a little later"
    allocate.work_through(told.allocates_at + timedelta(minutes=30))

    late = next(one for one in registrations_of(table, "nature") if one.email == "late@example.org")
    assert late.state is RegistrationState.CONFIRMED
    assert [mail.kind for mail in mails_of(table, "nature", registration=late.id)] == ["confirmation", "programme"]
    assert list(mails_of(table, "nature", "programme-changed")) == []
    allocate.work_through(told.allocates_at + timedelta(minutes=60))
    assert list(table.due("allocate", "2027")) == []


def test_a_theme_in_published_programmes_cannot_leave_the_file_untold(table: Table, told: Event) -> None:
    """Otherwise the calendar of these people would answer 500."""
    with pytest.raises(ConflictError, match=r"“Vision” is gone and .* places in published programmes are in it"):
        change(table, told, themes=[theme.model_dump() for theme in told.themes if theme.id != "vision"])


def test_a_mail_whose_change_was_taken_back_tells_nothing(
    table: Table, told: Event, keys: Keys, publish: Callable[..., int]
) -> None:
    change(table, told, themes=moved_to_the_auditorium(told))
    publish("keep")
    all_sent(table)
    mail = next(mails_of(table, "nature", "programme-changed"))
    current = read_event(table, "nature")
    assert current is not None
    back = change(table, current, themes=[theme.model_dump() for theme in told.themes])

    with pytest.raises(NothingToTellError):
        Letters(table, keys, back).write(mail.id)


def test_fewer_seats_than_people_in_published_programmes_stand_on_the_overview(
    table: Table, told: Event, organiser: Client
) -> None:
    there = concerned(table, "vision")
    change(table, told, themes=[{**theme.model_dump(), "capacity": 1} if theme.id == "vision" else theme.model_dump()
                                for theme in told.themes])  # fmt: skip

    said = [item["what"] for item in organiser.get(HOME).json["attention"]]

    assert len(there) > 2
    assert any("has 1 seat by now and" in what and "people in published programmes" in what for what in said)


def test_a_late_person_is_not_forgotten_when_a_run_is_under_way_that_began_before(
    app: ModuleType, table: Table, told: Event, allocate: ModuleType, organiser: Client
) -> None:
    """The draft of an organiser that began before the person came does not count as placing them."""
    after_the_deadline(app, told, organiser, allocate)
    number = organiser.post(f"{HOME}/allocations", {"mode": "keep"}).json["number"]
    person = {"name": "P", "email": "late@example.org", "partner_type": "ngo"}
    assert organiser.post(f"{HOME}/people", person).status == 201

    for minutes in (30, 31, 32):
        allocate.work_through(told.allocates_at + timedelta(minutes=minutes))

    late = next(one for one in registrations_of(table, "nature") if one.email == "late@example.org")
    state = read_state(table, "nature")
    assert state.published_run > number
    assert late.id in {row["registration"] for row in table.query(f"RUN#nature#{state.published_run:06}")}


def test_another_day_before_any_publication_is_said_to_organisers_and_moves_calendar_entries(
    table: Table, event: Event, keys: Keys, organiser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confirmations told the old date; a text to people settles it. The own page's entry takes the place of the old."""
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    fill(table, event, make_crowd(event, 3, NOW - timedelta(hours=1)), NOW)
    address = f"/r/{sign_link(keys, 'nature', f'{0:020x}', 1)}/programme.ics"

    def entry() -> tuple[int, str]:
        [found] = Calendar.from_ical(Web(register_app.handler).visit(address).body).walk("VEVENT")
        return int(str(found["SEQUENCE"])), str(found["SUMMARY"])

    def said() -> list[str]:
        return [one["what"] for one in organiser.get(HOME).json["attention"] if "registered before" in one["what"]]

    assert (entry()[0], said()) == (0, [])
    change(table, event, title="Another title")
    assert (entry(), said()) == ((1, "Another title"), [])
    moved = change(table, event, date=(event.date + timedelta(days=7)).isoformat())
    assert (entry()[0], len(said())) == (2, 1)
    assert said()[0].startswith("3 people registered before the date, the hours or the place")
    reminder = Letters(table, keys, moved).tell("reminder", f"{0:020x}")
    assert "as soon as they are settled" in " ".join(text_of(reminder).split()), "who has no programme reads so"

    text = {"group": "all", "subject": "Moved", "body": "The day is a week later.", "expected_mails": 3}
    assert organiser.post(f"{HOME}/messages", text).status == 202
    assert said() == []
