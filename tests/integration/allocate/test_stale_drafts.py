"""A draft may be published as long as its question would be asked in the same way; changed rules make it stale."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from shared.commitment import replace_commitment
from shared.errors import StaleError
from shared.events import put_event
from shared.models import AllocationRules, Event, Model, PartnerType, RegistrationRules, Round, Run, RunState, Theme
from shared.publication import publish
from shared.registrations import read_registration, register, registrations_of, save
from shared.runs import read_run, why_stale
from shared.state import read_state
from shared.table import Table
from tests.support.factories import NOW, event_data, make_event, make_registration

THEMES = event_data()["themes"]
ROUNDS = event_data()["rounds"]
PARTNER_TYPES = event_data()["partner_types"]
ALLOCATION = event_data()["allocation"]
REGISTRATION = event_data()["registration"]

ASKED: dict[str, dict[str, Any]] = {
    "themes, another": {"themes": [*THEMES, {"id": "soil", "title": "Soil", "capacity": 4}]},
    "themes.capacity": {"themes": [{**THEMES[0], "capacity": 9}, *THEMES[1:]]},
    "themes.minimum": {"themes": [{**THEMES[0], "minimum": 1}, *THEMES[1:]]},
    "themes.rounds": {"themes": [{**THEMES[0], "rounds": ["first"]}, *THEMES[1:]]},
    "themes.open_to": {"themes": [{**THEMES[0], "for": ["ngo", "research"]}, *THEMES[1:]]},
    "rounds.id, another": {"rounds": [*ROUNDS, {"id": "third", "start": "16:00", "end": "17:00"}]},
    "capacities": {"capacities": {"vision": {"first": 9}}},
    "partner_types.id, another": {"partner_types": [*PARTNER_TYPES, {"id": "farm", "title": "Farm"}]},
    "allocation.rank_costs": {"allocation": {**ALLOCATION, "rank_costs": [0, 1, 2, 3]}},
    "allocation.balance, its weight": {"allocation": {**ALLOCATION, "balance": {"weight": 900}}},
    "allocation.balance, its tolerance": {"allocation": {**ALLOCATION, "balance": {"tolerance": 0.5}}},
}
"""Changes of the event file that change the question, by field."""

ASKED_IN_KEEP_RUNS = {"allocation.change_cost": {"allocation": {**ALLOCATION, "change_cost": 3}}}

NOT_ASKED = {
    "title": {"title": "Another title"},
    "summary": {"summary": "Another summary."},
    "language": {"language": "nl"},
    "languages": {"languages": ["en"]},
    "timezone": {"timezone": "Europe/London"},
    "date": {"date": "2026-04-17"},
    "venue": {"venue": {"name": "Elsewhere", "address": "Road 1", "directions": "Run."}},
    "organisers": {"organisers": [{"name": "Others"}]},
    "contact": {"contact": "elsewhere@example.org"},
    "price": {"price": "10 euro"},
    "agenda": {"agenda": [*event_data()["agenda"], {"start": "16:00", "end": "17:00", "title": "Drinks"}]},
    "themes.id, in another order": {"themes": THEMES[::-1]},
    "themes.title": {"themes": [{**THEMES[0], "title": "New"}, *THEMES[1:]]},
    "themes.description": {"themes": [{**THEMES[0], "description": "New."}, *THEMES[1:]]},
    "themes.leaders": {
        "themes": [{**THEMES[0], "leaders": [{"name": "Lea", "email": "lea@example.org"}]}, *THEMES[1:]]
    },
    "themes.rooms": {"themes": [{**THEMES[0], "rooms": "Hall"}, *THEMES[1:]]},
    "rounds.start": {"rounds": [{**ROUNDS[0], "start": "12:55"}, ROUNDS[1]], "agenda": []},
    "rounds.end": {"rounds": [ROUNDS[0], {**ROUNDS[1], "end": "15:40"}], "agenda": []},
    "partner_types.title": {"partner_types": [{**PARTNER_TYPES[0], "title": "State"}, *PARTNER_TYPES[1:]]},
    "registration.opens": {"registration": {**REGISTRATION, "opens": "2026-03-01 10:00"}},
    "registration.closes": {"registration": {**REGISTRATION, "closes": "2026-04-01 11:00"}},
    "registration.capacity": {"registration": {**REGISTRATION, "capacity": 35}},
    "allocation.at": {"allocation": {**ALLOCATION, "at": "2026-04-01 13:00"}},
    "registration.changes_until": {"registration": {**REGISTRATION, "changes_until": "2026-04-10 12:00"}},
    "registration.per_source_hour": {"registration": {**REGISTRATION, "per_source_hour": 20}},
    "registration.confirm_after_hours": {"registration": {**REGISTRATION, "confirm_after_hours": 12}},
    "registration.confirm_within_hours": {"registration": {**REGISTRATION, "confirm_within_hours": 48}},
    "allocation.most_gap": {"allocation": {**ALLOCATION, "most_gap": 0.2}},
    "allocation.publish": {"allocation": {**ALLOCATION, "publish": "after_review"}},
    "organiser_emails": {"organiser_emails": ["organiser@example.org", "second@example.org"]},
    "door_emails": {"door_emails": ["door@example.org"]},
    "reminder_days": {"reminder_days": [1]},
    "retention_days": {"retention_days": 30},
    "feedback": {"feedback": {"url": "https://example.org/form"}},
    "held_in": {"held_in": "Dutch"},
    "labels": {"labels": {"partner_type": "Class"}},
    "mail_texts": {"mail_texts": {"reminder": "Bring boots."}},
    "ranking": {"ranking": {"least": 1, "most": 3}},
    "registration.groups": {"registration": {**REGISTRATION, "groups": True}},
    "registration.organisation": {"registration": {**REGISTRATION, "organisation": "not_asked"}},
    "questions": {"questions": [{"id": "diet", "kind": "text", "label": "Diet"}]},
}
"""Changes of the event file that leave the question as it is, by field."""

NEVER_CHANGES = {"id", "draft", "allocation.seed"}
"""The seed changes by replacing the commitment only, and nobody registers for an event that is a draft."""


@pytest.fixture
def app(table: Table, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The allocator on the table of this test."""
    from functions.allocate import app

    monkeypatch.setattr(app, "table", table)
    return app


@pytest.fixture
def people(table: Table, event: Event) -> None:
    """Four people, registered and confirmed."""
    for number in range(4):
        register(table, event, make_registration(number=number), now=NOW)


def make_draft(app: ModuleType, table: Table, event: Event, **wanted: Any) -> Run:
    """A draft of what is stored now."""
    number = app.on_demand(event, app.Invocation(event="nature", **wanted), NOW)["run"]
    run = read_run(table, "nature", number)
    assert run is not None
    return run


def stale(table: Table, event: Event, draft: Run) -> str:
    return why_stale(table, event, draft, registrations_of(table, "nature"))


def change(table: Table, changes: dict[str, Any]) -> Event:
    """Put the event file with these changes, a second after it was put first."""
    event = make_event(**changes)
    put_event(table, event, actor="organiser", now=NOW + timedelta(seconds=1))
    return event


@pytest.mark.parametrize("changes", ASKED.values(), ids=ASKED.keys())
def test_a_draft_is_stale_once_the_question_changed(
    app: ModuleType, table: Table, event: Event, people: None, changes: dict[str, Any]
) -> None:
    draft = make_draft(app, table, event)
    assert stale(table, event, draft) == ""

    event = change(table, changes)

    assert "Start a new draft" in stale(table, event, draft)
    with pytest.raises(StaleError):
        publish(table, event, draft, registrations_of(table, "nature"), actor="o", now=NOW, afterwards="keep")
    assert read_state(table, "nature").published_run == 0


@pytest.mark.parametrize("changes", NOT_ASKED.values(), ids=NOT_ASKED.keys())
def test_a_draft_stands_while_the_question_stays(
    app: ModuleType, table: Table, event: Event, people: None, changes: dict[str, Any]
) -> None:
    draft = make_draft(app, table, event)

    event = change(table, changes)

    assert stale(table, event, draft) == ""
    publish(table, event, draft, registrations_of(table, "nature"), actor="o", now=NOW, afterwards="keep")
    assert read_state(table, "nature").published_run == 1


@pytest.mark.parametrize("changes", ASKED_IN_KEEP_RUNS.values(), ids=ASKED_IN_KEEP_RUNS.keys())
def test_what_a_change_costs_counts_in_keep_runs_only(
    app: ModuleType, table: Table, event: Event, people: None, changes: dict[str, Any]
) -> None:
    app.on_demand(event, app.Invocation(event="nature", publish=True), NOW)
    kept, fresh = make_draft(app, table, event, mode="keep"), make_draft(app, table, event, mode="fresh")

    event = change(table, changes)

    assert "Start a new draft" in stale(table, event, kept)
    assert stale(table, event, fresh) == ""


def test_every_field_of_the_event_file_is_tried() -> None:
    tried = {field.partition(",")[0] for field in (*ASKED, *ASKED_IN_KEEP_RUNS, *NOT_ASKED)} | NEVER_CHANGES
    inside: dict[str, type[Model]] = {
        "themes": Theme,
        "rounds": Round,
        "partner_types": PartnerType,
        "registration": RegistrationRules,
        "allocation": AllocationRules,
    }
    fields = set(Event.model_fields) - set(inside)
    fields |= {f"{name}.{field}" for name, model in inside.items() for field in model.model_fields}

    assert fields - tried == set()


def test_a_stale_draft_is_neither_answered_nor_published_on_demand(
    app: ModuleType, table: Table, event: Event, people: None
) -> None:
    first = make_draft(app, table, event)
    event = change(table, ASKED["allocation.balance, its weight"])

    answer = app.on_demand(event, app.Invocation(event="nature", publish=True), NOW)

    assert answer["run"] == first.number + 1
    assert answer["state"] == "published"
    stale_one = read_run(table, "nature", first.number)
    assert stale_one is not None
    assert stale_one.state is RunState.DRAFT


def test_a_seed_weight_and_tolerance_asked_for_with_the_run_are_not_the_files(
    app: ModuleType, table: Table, event: Event, people: None
) -> None:
    draft = make_draft(app, table, event, seed="my own", weight=7, tolerance="0.5")

    replace_commitment(table, "nature", actor="o", now=NOW, seed="another seed")
    rules = {**ALLOCATION, "seed": "another seed", "balance": {"weight": 900, "tolerance": 0.1}}
    event = change(table, {"allocation": rules})

    assert stale(table, event, draft) == ""


def test_a_replaced_commitment_makes_a_draft_stale(app: ModuleType, table: Table, event: Event, people: None) -> None:
    draft = make_draft(app, table, event)

    replace_commitment(table, "nature", actor="o", now=NOW, seed="another seed")

    assert "Start a new draft" in stale(table, event, draft)


def test_changed_people_make_a_draft_stale(app: ModuleType, table: Table, event: Event, people: None) -> None:
    draft = make_draft(app, table, event)
    person = next(registrations_of(table, "nature"))
    renamed = save(table, person, {"name": "Person 77", "organisation": "Another"}, now=NOW)
    assert stale(table, event, draft) == ""

    for changes in (
        {"choices": person.choices[::-1]},
        {"partner_type": "research"},
        {"absent": ["first"]},
        {"excluded": ["vision"]},
    ):
        before = read_registration(table, "nature", renamed.id)
        assert before is not None
        changed = save(table, before, changes, now=NOW)
        assert "Start a new draft" in stale(table, event, draft)
        save(table, changed, {name: getattr(person, name) for name in changes}, now=NOW)
        assert stale(table, event, draft) == ""


def test_a_published_run_makes_an_older_draft_stale(app: ModuleType, table: Table, event: Event, people: None) -> None:
    draft = make_draft(app, table, event)
    app.on_demand(event, app.Invocation(event="nature", weight=5, publish=True), NOW)

    assert "was published since" in stale(table, event, draft)


def test_the_event_file_may_not_change_between_the_look_at_a_draft_and_its_publication(
    app: ModuleType, table: Table, event: Event, people: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft(app, table, event)
    everybody = list(registrations_of(table, "nature"))
    write = table.write

    def change_first(*writes: Any) -> None:
        monkeypatch.setattr(table, "write", write)
        change(table, ASKED["capacities"])
        write(*writes)

    monkeypatch.setattr(table, "write", change_first)
    with pytest.raises(StaleError, match="changed at this moment"):
        publish(table, event, draft, everybody, actor="o", now=NOW, afterwards="keep")

    assert read_state(table, "nature").published_run == 0
