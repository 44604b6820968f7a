"""A new event without YAML: a few answers or a copy make a draft, five pages fill it, and opening shows it to all."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from functions.organise import event_setup
from functions.organise.event_form.differences import differences
from functions.organise.event_form.filled_in import as_fields
from functions.organise.event_form.pages import PAGES
from functions.organise.event_form.read_back import read_page
from functions.organise.event_form.words import KEYS, field_words
from infra.files.event_reference import keys
from shared.event_file import EventFileError, as_data, check_event, parse_event
from shared.events import put_event, read_event
from shared.i18n import in_language
from shared.models import Event
from shared.new_event import example, shifted_copy
from shared.registrations import register, registration_item
from shared.table import Table
from tests.support.attendee_client import Web
from tests.support.factories import NOW, event_data, full_event_data, make_event, make_registration
from tests.support.forms import read_form
from tests.support.mail_samples import Letters, text_of
from tests.support.organiser_client import Client, words_of

SCHOOL = {
    **{
        "act": "start",
        "title": "Project day",
        "day": "2026-06-12",
        "place": "School",
        "by": "Sint-Jan",
        "address": "Lane 1, Ghent",
    },
    **{"rounds": "3", "workshops": "6", "seats": "20"},
}


@pytest.fixture
def public(table: Table, keys: Any, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A reader in front of the attendees' function."""
    from functions.register import app, web

    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(web, name, value)
    return Web(app.handler)


def fields(event: Event, page: str, **typed: str | list[str]) -> dict[str, Any]:
    """A page's fields as a browser would send them back, with some typed anew."""
    return {**as_fields(event, page), **typed}


def test_a_school_day_needs_no_file_from_nothing_to_its_page(browser: Client, table: Table, public: Web) -> None:
    made = browser.submit("/organise/new", SCHOOL)
    assert made.headers["location"].startswith("/organise/project-day-2026/setup/day")
    event = read_event(table, "project-day-2026")
    assert event is not None
    assert (event.draft, len(event.rounds), len(event.themes), event.capacity) == (True, 3, 6, 120)
    assert public.get("/events/project-day-2026").status == 404

    typed = fields(
        event, "themes", **{"themes[0].title": "Robots", "themes[0].seats.r2": "0", "themes[0].room.r1": "B12"}
    )
    after = browser.submit("/organise/project-day-2026/setup/themes", typed)
    assert after.headers["location"].startswith("/organise/project-day-2026/setup/registration")
    overview = browser.get("/organise/project-day-2026/setup").json
    preview = public.visit(overview["preview"])
    assert "This is a preview" in preview.text
    assert "Robots" in preview.text

    assert browser.submit("/organise/project-day-2026/opening", {}).status == 303
    event = read_event(table, "project-day-2026")
    assert event is not None
    assert [event.seats("w1", slot) for slot in ("r1", "r2", "r3")] == [20, 0, 20]
    assert (event.room("w1", "r1"), event.room("w1", "r3"), event.draft) == ("B12", "", False)
    page = public.visit("/events/project-day-2026")
    assert page.status == 200
    assert "partner_type" not in page.text
    ann = {"name": "Ann", "email": "ann@example.org", "choices": [f"w{n}" for n in range(1, 7)]}
    assert public.post("/events/project-day-2026/registrations", ann).status == 202


def test_a_copy_moves_every_date_with_the_day_and_draws_anew(browser: Client, table: Table, event: Event) -> None:
    answers = {"act": "copy", "event": event.id, "new_day": "2027-04-15", "new_title": "Nature again"}
    assert browser.submit("/organise/new", answers).status == 303

    copied = read_event(table, "nature-again-2027")
    assert copied is not None
    moved = copied.date - event.date
    assert moved == timedelta(days=364)
    assert copied.registration.opens - event.registration.opens == moved
    assert copied.registration.closes - event.registration.closes == moved
    assert copied.allocation.at - event.allocation.at == moved
    assert (copied.draft, copied.allocation.seed) == (True, None)
    assert copied.themes == event.themes


def test_a_copy_moves_the_moments_that_few_events_have() -> None:
    event = check_event(full_event_data())
    day = event.date + timedelta(days=364)
    copied = check_event({**shifted_copy(event, as_data(event), title="", day=day), "id": "copied"})
    moments = _moments(event.model_dump())
    assert len(moments) == 5
    assert _moments(copied.model_dump()) == [moment + timedelta(days=364) for moment in moments]


def _moments(part: Any) -> list[datetime]:
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return [part] if isinstance(part, datetime) else [moment for inner in inside for moment in _moments(inner)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": {"en": "Nature", "nl": "Natuur"}, "language": "en"},
        {
            "capacities": {"vision": {"first": 0, "second": 30}},
            "door_emails": ["door@example.org"],
            "reminder_days": [7, 1],
            "questions": [
                {"id": "bus", "kind": "choice", "label": "Bus", "options": ["yes", {"en": "no", "nl": "nee"}]}
            ],
        },
    ],
)
def test_a_page_that_is_sent_back_as_it_came_changes_nothing(changes: dict[str, Any]) -> None:
    data = event_data(**changes)
    data["themes"][1] |= {"rounds": ["first"], "for": ["ngo", "research"], "minimum": {"first": 2}}
    data["themes"][2]["rooms"] = ["Attic", "Cellar"]
    event = check_event(data)
    for page in PAGES:
        again = check_event(read_page(event, page, fields(event, page)).data)
        assert differences(event, again) == [], page
        assert again == event, page


@pytest.mark.parametrize("languages", [["en"], ["en", "nl", "fr"]])
def test_each_page_has_a_field_for_every_key_and_sends_it_back_unchanged(
    languages: list[str], browser: Client, table: Table
) -> None:
    event = check_event(full_event_data(languages=languages))
    put_event(table, event, actor="organiser@example.org", now=NOW)
    for page in PAGES:
        form = read_form(browser.page(f"/organise/nature/setup/{page}").text, f"/setup/{page}")
        again = check_event(read_page(event, page, dict(form.sent)).data)
        assert differences(event, again) == [], page
        assert again == event, page


IN_THE_FILE_ONLY = {"id", "draft", "allocation.seed"}
"""Keys without a field: an id cannot change, a button opens a draft, and the seed is committed on a page of its own."""

ON_THE_GRID = {"capacities", "themes[].capacity", "themes[].rounds", "themes[].rooms", "themes[].minimum"}
"""Keys that the seats, the fewest people and the rooms of the workshops stand for."""


def test_no_key_of_the_event_file_is_only_for_people_who_know_yaml() -> None:
    shown = {name for page in PAGES.values() for name in page.fields}
    shown |= {f"{rows}[].{key}" for page in PAGES.values() for rows, columns in page.rows.items() for key in columns}
    for path in (key.path for key in keys()):
        above = [path[: match.start()] for match in re.finditer(r"\[\]\.|\.", path)]
        parts = [known for known in shown if known.startswith((f"{path}.", f"{path}[]."))]
        covered = shown | IN_THE_FILE_ONLY | ON_THE_GRID
        assert path in covered or parts or set(above) & covered or path.endswith("[].id"), path
        assert path.rpartition(".")[2].replace("[]", "") in KEYS or path in ON_THE_GRID, path


@pytest.mark.parametrize(
    ("line", "leader"),
    [
        ("Lea Peeters, lea@example.org", {"name": "Lea Peeters", "email": "lea@example.org"}),
        ("Peeters, Lea <lea@example.org>", {"name": "Peeters, Lea", "email": "lea@example.org"}),
        ("Lea lea@example.org 13:00", {"name": "Lea", "email": "lea@example.org", "rounds": ["first"]}),
        (
            "Lea; lea@example.org; 13.00, 14h20",
            {"name": "Lea", "email": "lea@example.org", "rounds": ["first", "second"]},
        ),
    ],
)
def test_a_leader_is_a_line_as_people_write_it(line: str, leader: dict[str, Any], event: Event) -> None:
    reading = read_page(event, "themes", fields(event, "themes", **{"themes[1].leaders": f"\n{line}\n"}))
    assert reading.data["themes"][1]["leaders"] == [leader]


def test_a_fault_of_a_leader_names_the_line(browser: Client, event: Event) -> None:
    lines = "Lea, lea@example.org\nJan\nMia, mia@example.org, 9:15"
    answer = browser.submit("/organise/nature/setup/themes", fields(event, "themes", **{"themes[1].leaders": lines}))
    assert answer.status == 422
    said = words_of(answer.text)
    assert "line 2: email: is missing" in said
    assert "line 3: name a round by its start: 13:00, 14:20" in said
    assert 'id="themes[1].leaders-fault"' in answer.text


def test_a_fault_stands_beside_the_field_that_caused_it_and_nothing_typed_is_lost(
    browser: Client, table: Table, event: Event
) -> None:
    typed = fields(
        event, "themes", **{"themes[1].title": "", "themes[2].seats.second": "many", "themes[3].room.first": "X"}
    )
    answer = browser.submit("/organise/nature/setup/themes", typed)

    assert answer.status == 422
    for name in ("themes[1].title", "themes[2].seats.second"):
        assert f'id="{name}-fault"' in answer.text
        assert f'href="#{name}"' in answer.text
    assert 'value="many"' in answer.text
    assert 'value="X"' in answer.text
    assert read_event(table, "nature") == event


def test_a_fault_about_another_page_leads_to_that_page(browser: Client, event: Event) -> None:
    """An earlier date cannot stand before the moments on the page of the allocation."""
    answer = browser.submit("/organise/nature/setup/day", fields(event, "day", date="2026-03-10"))
    assert answer.status == 422
    assert 'href="/organise/nature/setup/allocation#allocation.at"' in answer.text


def test_what_changes_in_an_open_event_is_shown_before_it_is_stored(
    browser: Client, table: Table, event: Event
) -> None:
    register(table, event, make_registration(), now=NOW)
    contact = make_registration(number=2, id="c2", state="delegate", choices=[])  # of a group: takes no place
    table.put_all([registration_item(contact)])
    typed = fields(event, "day", **{"venue.name": "Town hall"})
    asked = browser.submit("/organise/nature/setup/day", typed)
    assert "Conscience building" in asked.text
    assert "Town hall" in asked.text
    assert "1 person is registered" in words_of(asked.text)
    assert read_event(table, "nature") == event

    assert browser.submit("/organise/nature/setup/day", {**typed, "act": "save"}).status == 303
    changed = read_event(table, "nature")
    assert changed is not None
    assert changed.venue.name == "Town hall"
    gone = fields(changed, "themes", **{"themes[0].remove": "yes"})
    refused = browser.submit("/organise/nature/setup/themes", gone)
    assert refused.status == 409
    assert "1 person ranked it" in refused.text


def test_rounds_that_come_and_go_take_what_names_them_along(browser: Client, table: Table, event: Event) -> None:
    typed = fields(event, "day", **{"rounds[0].remove": "yes", "rounds[2].start": "16:00", "rounds[2].end": "17:00"})
    after = check_event(read_page(event, "day", typed).data)
    assert [slot.id for slot in after.rounds] == ["second", "r1"]
    assert [after.seats("vision", slot.id) for slot in after.rounds] == [10, 10]
    assert [line.round for line in after.agenda] == [None, None, "second", None]


def test_a_line_of_the_day_that_is_a_round_has_its_hours_wherever_the_day_is_shown(
    table: Table, public: Web, event: Event
) -> None:
    """On the pages of the event and of its set-up, whatever hours an event file gives the line."""
    typed = fields(event, "day", **{"rounds[0].start": "13:30", "rounds[0].end": "14:10"})
    after = check_event(read_page(event, "day", typed).data)
    assert [f"{line.start:%H:%M}–{line.end:%H:%M}" for line in after.agenda if line.round == "first" and line.end] == [
        "13:30–14:10"
    ]
    data = event_data()
    data["agenda"][1] |= {"start": "12:05", "end": "17:45"}
    put_event(table, check_event(data), actor="o", now=NOW)

    page = public.visit("/events/nature").text
    told = public.get("/events/nature").json["agenda"]

    assert "12:05" not in page
    assert "17:45" not in page
    assert [line["start"] for line in told][1:3] == ["13:00", "14:20"]


def test_one_line_of_the_day_takes_no_round_off_the_page_and_a_round_needs_no_title(
    table: Table, public: Web, keys: Any
) -> None:
    lines = [{"start": "12:30", "title": "Welcome"}, {"start": "13:00", "round": "first"}]
    event = check_event({**event_data(), "agenda": lines})
    put_event(table, event, actor="o", now=NOW)
    post = Letters(table, keys, event)
    person = register(table, event, make_registration(), now=NOW)[0]
    post.publish(1, {person.id: {"second": "vision"}})

    page = public.visit("/events/nature").text
    mail = text_of(post.tell("programme", person.id, run=1))

    assert page.count('<li class="round">') == len(event.rounds)
    assert "Workshops, round 1" in page
    assert "13:00–14:15  Workshops, round 1 (you take no part)" in mail
    assert "14:20–15:35  Vision, Room vision (your workshop)" in mail
    with pytest.raises(EventFileError, match=r"agenda\[0\]\.title: is missing"):
        check_event({**event_data(), "agenda": [{"start": "12:30"}]})


def test_a_draft_says_so_on_the_overview_and_leads_to_its_preview_and_its_opening(
    browser: Client, table: Table, public: Web
) -> None:
    table.delete_all([{"pk": "EVENTS", "sk": "nature"}])
    put_event(table, make_event(draft=True), actor="o", now=NOW)

    page = browser.page("/organise/nature").text

    assert "This event is a draft: only organisers see it" in page
    assert '<a href="/organise/nature/setup">Check it and open it</a>' in page
    assert '"/events/nature"' not in page
    [preview] = re.findall(r'href="(/events/nature/preview/[^"]+)"', page)
    assert public.visit(preview).status == 200


def test_the_check_list_names_workshops_without_seats_and_counts_texts_that_a_language_lacks() -> None:
    spoken = {"languages": ["en", "nl"], "title": {"en": "Nature", "nl": "Natuur"}}
    some = make_event(capacities={"vision": {"first": 0}}, **spoken)

    said = [check.what for check in event_setup.check_list(some, NOW) if not check.done]
    before = [check.what for check in event_setup.check_list(make_event(languages=["en"]), NOW)]

    assert "Without seats, so not held: Vision (13:00)" in said
    assert any("texts are missing in Dutch" in one for one in said)
    assert not any("missing in English" in one for one in said)
    assert not any("Without seats" in one or "missing in" in one for one in before)


def test_a_copy_has_the_year_of_its_day_in_its_title(event: Event) -> None:
    day = event.date.replace(year=event.date.year + 1)
    earlier = make_event(title={"en": f"Nature {event.date.year}", "nl": f"Natuur {event.date.year}, 120261"})

    copied = shifted_copy(earlier, as_data(earlier), title="", day=day)

    assert copied["title"] == {"en": f"Nature {day.year}", "nl": f"Natuur {day.year}, 120261"}


def test_a_comma_is_a_decimal_point_and_faults_name_fields_as_the_page_does(event: Event) -> None:
    typed = fields(event, "allocation", **{"allocation.balance.tolerance": "0,25"})
    assert check_event(read_page(event, "allocation", typed).data).allocation.balance.tolerance == Decimal("0.25")
    named = {
        "door_emails[0]": "Helpers at the door (optional), 1",
        "agenda[1].title": "Line 2, What happens",
        "allocation.at": "Workshops are given out",
        "themes[2].title.fr": "Workshop 3, title",
        "themes[2].seats.first": "Workshop 3, seats, 13:00",
        "venue.directions": "venue, directions",
    }
    assert {name: field_words(name, event) for name in named} == named


def test_what_changes_names_each_value_once_in_words_that_stand_on_the_pages(event: Event) -> None:
    """Rounds keep their seats when their hours change, and lines of one title stay apart."""
    data = event_data()
    data["rounds"][0]["start"] = "13:05"
    data["agenda"] += [{"start": f"{hour}:00", "title": "Coffee"} for hour in (17, 18)]
    data["themes"][0]["title"] = "Rivers"

    found = sorted((one.where, one.before, one.after) for one in differences(event, check_event(data)))

    title = event.themes[0].title
    assert found == [
        ("agenda → Coffee (2) → start", "", "17:00"),
        ("agenda → Coffee (2) → title", "", "Coffee"),
        ("agenda → Coffee (3) → start", "", "18:00"),
        ("agenda → Coffee (3) → title", "", "Coffee"),
        ("rounds → 13:00 → start", "13:00", "13:05"),
        (f"workshops → {title} → title", title, "Rivers"),
    ]


def test_a_page_changed_by_another_organiser_meanwhile_is_not_overwritten(
    browser: Client, table: Table, event: Event
) -> None:
    put_event(table, make_event(title="Nature, renamed"), actor="another", now=NOW)
    answer = browser.submit("/organise/nature/setup/access", {**fields(event, "access"), "seen": "an older version"})
    assert answer.status == 409
    changed = read_event(table, "nature")
    assert changed is not None
    assert changed.title == "Nature, renamed"


def test_a_draft_takes_nobody_and_an_open_event_is_no_draft_again(
    app: ModuleType, organiser: Client, table: Table, event: Event
) -> None:
    organiser.post("/organise/new", SCHOOL)
    person = {"name": "Ann", "email": "ann@example.org", "partner_type": "everyone"}
    assert organiser.post("/organise/project-day-2026/people", person).status == 409
    drafted = check_event({**event_data(), "draft": True})
    from shared.event_file import event_yaml

    assert organiser.post("/organise/nature/file", {"text": event_yaml(drafted)}).status == 409


def test_the_example_is_a_file_that_works() -> None:
    event = parse_event(example(NOW.date()))
    assert event.draft
    assert event.allocates_at > event.closes_at > NOW


def test_the_first_organiser_of_a_deployment_needs_no_shell(
    app: ModuleType, table: Table, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST_ORGANISER", "first@example.org")
    client = Client(app, table, keys)
    assert client.post("/organise/sign-in", {"email": "stranger@example.org"}).status == 202
    made = read_event(table, "first-event")
    assert made is not None
    assert (made.draft, made.organiser_emails) == (True, ["first@example.org"])

    browser = client.sign_in_browser(made, "first@example.org")
    assert "/organise/first-event/setup" in browser.page("/organise").text
    assert browser.submit("/organise/new", SCHOOL).status == 303
    assert [item["sk"] for item in table.query("EVENTS")] == ["first-event", "project-day-2026"]


def test_pages_keep_the_comments_of_the_file_and_a_copy_has_them_too(browser: Client, table: Table) -> None:
    text = example(NOW.date()).replace("\n", "\r\n")  # as a browser sends it
    text = text.replace("[spring@example.org]", "[organiser@example.org]")
    assert browser.submit("/organise/new", {"text": text}).status == 303
    event = read_event(table, "spring-day")
    assert event is not None
    typed = fields(event, "themes", **{"themes[1].title": "Clay", "themes[0].seats.second": "0"})
    assert browser.submit("/organise/spring-day/setup/themes", typed).status == 303

    file = browser.get("/organise/spring-day/EVENT.yaml").text
    assert "  - {id: soil, title: Clay, capacity: 20, rooms: Room 2}\n" in file
    assert "# what people rank; each is one workshop in each round" in file
    assert parse_event(file) == read_event(table, "spring-day")
    assert "# what people rank" in browser.page("/organise/spring-day/file").text

    copy = {"act": "copy", "event": "spring-day", "new_day": "2027-04-15", "new_title": "Again"}
    assert browser.submit("/organise/new", copy).status == 303
    copied = browser.get("/organise/again-2027/EVENT.yaml").text
    assert "# a mailbox that is read" in copied
    assert parse_event(copied) == read_event(table, "again-2027")


def test_titles_that_a_new_event_began_with_follow_the_languages_of_its_texts(browser: Client, table: Table) -> None:
    """An organiser who works in French makes an event, which is in Dutch and French in the end."""
    browser.headers["accept-language"] = "fr"
    assert browser.submit("/organise/new", SCHOOL).status == 303
    made = read_event(table, "project-day-2026")
    assert made is not None
    assert (made.language, made.themes[0].title, made.partner_types[0].title) == ("fr", "Atelier 1", "Tout le monde")

    changed = fields(made, "day", language="nl", languages=["nl", "fr"])
    data = read_page(made, "day", changed).data
    assert data["themes"][0]["title"] == {"nl": "Workshop 1", "fr": "Atelier 1"}
    assert data["partner_types"][0]["title"] == {"nl": "Iedereen", "fr": "Tout le monde"}

    data["themes"][0]["title"] = {"nl": "Water", "fr": "Eau"}
    named = check_event({**data, "id": "project-day-2026", "title": {"nl": "Dag", "fr": "Jour"}})
    again = read_page(named, "day", fields(named, "day", languages=["nl", "fr"])).data
    assert again["themes"][0]["title"] == {"nl": "Water", "fr": "Eau"}
    assert read_page(made, "day", fields(made, "day", language="en")).data["themes"][1]["title"] == "Workshop 2"


def test_what_changes_names_titles_hours_and_languages_and_no_code() -> None:
    """A reader of French sees “lieu → accès → anglais”, the titles of kinds, and moments in words."""
    both = {"language": "en", "languages": ["en", "fr"], "agenda": []}
    first, *others = event_data()["themes"]
    before = make_event(**both, themes=[{**first, "for": ["ngo"]}, *others])
    data = as_data(before)
    data["venue"]["directions"] = {"en": "By train", "fr": "En train"}
    data["themes"][0]["for"] = ["ngo", "government"]
    data["registration"]["closes"] = "2026-04-01T10:00"
    data["agenda"] = [{"start": "10:00", "title": {"en": "Coffee", "fr": "Café"}}]
    found = differences(before, check_event(data))
    read = {(str(in_language(one.where, "fr")), str(in_language(one.after, "fr"))) for one in found}

    titles = {kind.id: kind.title for kind in before.partner_types}
    assert ("lieu → accès → anglais", "By train") in read
    assert before.allocation.publish == "automatic"
    later = check_event({**data, "language": "fr", "allocation": {**data["allocation"], "publish": "after_review"}})
    defaults = {str(one.where): str(one.before) for one in differences(check_event(data), later)}
    assert defaults == {"language": "English", "allocation → publish": "mail everybody their programme at once"}
    assert ("inscription → fermeture", "mercredi 1er avril 2026, 10:00") in read
    assert ("déroulement → Café → début", "10:00") in read
    assert any(after == f"{titles['ngo']}, {titles['government']}" for _, after in read)
