"""How organisers' routes answer: notices after acts that worked, pages that refresh, JSON to programs, metrics."""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

import pytest

from functions.organise.charts import curve_points, fill_label, percent, result_words, shares
from functions.organise.views import NOTICES, notice_words
from shared.acts import Act, words_of
from shared.models import Event, Run
from shared.registrations import registrations_of
from shared.table import Table
from tests.support.factories import NOW
from tests.support.organiser_client import CONTEXT, Answer, Client, fill, make_crowd
from tests.support.organiser_client import words_of as text_of

HOME = "/organise/nature"
PERSON = f"{1:020x}"
TYPED = {"name": "Person 1", "email": "person1@example.org", "partner_type": "ngo", "choice_1": "vision"}


@pytest.fixture
def crowd(table: Table, event: Event) -> None:
    """Four people."""
    fill(table, event, make_crowd(event, 4, NOW), NOW)


def after(browser: Client, answer: Answer) -> str:
    """The words of the page to which an answer sends a browser on."""
    assert answer.status == 303, answer.text
    return text_of(browser.page(answer.headers["location"]).text)


def test_every_act_of_a_browser_ends_on_a_page_that_says_that_it_worked(
    browser: Client, crowd: None, allocate: ModuleType
) -> None:
    person = f"{HOME}/people/{PERSON}"
    file = browser.get(f"{HOME}/file").json["text"]
    acts: list[tuple[str, dict[str, Any], str]] = [
        (f"{HOME}/people", {**TYPED, "email": "new@example.org"}, "This person was added."),
        (person, {**TYPED, "organisation": "Another"}, "The changes are saved."),
        (f"{person}/check-in", {"from": "person"}, "This person is checked in."),
        (f"{person}/check-in", {"from": "person", "undo": "yes"}, "This person is no longer checked in."),
        (f"{person}/mails", {}, "The mail is on its way again."),
        (f"{HOME}/mails/hold", {}, "Mail is on hold; 0 mails stopped."),
        (f"{HOME}/mails/release", {}, "0 mails released, now on their way."),
        (f"{HOME}/file", {"text": file.replace("A day on", "One day on")}, "The event file was changed."),
        (f"{person}/withdrawal", {}, "This person has been withdrawn."),
        (f"{person}/erasure", {"sure": "yes"}, "Everything kept of this person is erased."),
    ]
    for path, fields, told in acts:
        assert told in after(browser, browser.submit(path, fields)), path

    assert browser.submit(f"{HOME}/allocations", {"mode": "fresh"}).status == 303
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    published = browser.submit(f"{HOME}/allocations/1/publication", {"expected_mails": "4", "afterwards": "keep"})
    assert "Published: 4 mails to write." in after(browser, published)


@pytest.mark.parametrize("query", ["notice=nothing", "notice=", "notice=saved%20", "notice=<b>", "number=9"])
def test_a_link_cannot_put_words_of_its_own_on_a_page(browser: Client, query: str) -> None:
    assert browser.page(f"{HOME}/people?{query}").text == browser.page(f"{HOME}/people").text


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "9" * 40])
def test_a_number_in_a_link_that_is_none_counts_as_nothing(browser: Client, number: str) -> None:
    assert "0 mails stopped" in browser.page(f"{HOME}/mails?notice=mail-held&number={number}").text


def test_a_program_is_told_the_same_in_words(organiser: Client, crowd: None) -> None:
    assert organiser.post(f"{HOME}/mails/hold", {}).json == {"message": "Mail is on hold; 0 mails stopped."}
    assert organiser.post(f"{HOME}/people/{PERSON}/withdrawal", {}).json == {"message": NOTICES["withdrawn"]}


def test_the_page_of_a_run_under_way_answers_at_once_and_refreshes_itself_until_the_run_is_done(
    browser: Client, crowd: None, allocate: ModuleType
) -> None:
    browser.submit(f"{HOME}/allocations", {"mode": "fresh"})
    waiting = browser.page(f"{HOME}/allocations/1")
    polled = browser.get(f"{HOME}/allocations/1").json["state"]
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    done = browser.page(f"{HOME}/allocations/1")

    assert re.search(r'<meta http-equiv="refresh" content="\d+">', waiting.text)
    assert 'data-refresh="3"' in waiting.text
    assert (polled, browser.get(f"{HOME}/allocations/1").json["state"]) == ("requested", "draft")
    assert "refresh" not in done.text


@pytest.mark.parametrize(
    "body", [{"absent": 1}, {"absent": True}, {"choices": 5}, {"pinned": []}, {"answers": "x"}, {"revision": 1.5}]
)
@pytest.mark.parametrize("accept", ["text/html", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "text/plain"])
def test_json_is_answered_with_json_whatever_the_program_accepts(
    organiser: Client, crowd: None, body: dict[str, Any], accept: str
) -> None:
    path, sent = f"{HOME}/people/{PERSON}", json.dumps(body)
    answer = organiser.call("POST", path, sent, accept=accept, content_type="application/json")

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"] == "invalid"


def test_the_name_of_the_event_stands_on_every_page_of_it(browser: Client, crowd: None) -> None:
    paths = ["", "/people", "/people/new", "/people/import", f"/people/{PERSON}", "/allocations", "/mails", "/door"]
    for path in [*paths, "/exports", "/file", "/audit"]:
        page = browser.page(f"{HOME}{path}").text
        assert "Nature connectivity" in text_of(page.partition("<nav")[0].partition("<body>")[2]), path
        assert "Nature connectivity" in page.partition("</title>")[0], path


def test_acts_are_counted_once_they_are_done_and_not_when_they_are_refused(
    organiser: Client, crowd: None, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert organiser.patch(f"{HOME}/people/{PERSON}", {"pinned": {"first": "vision"}}).status == 200
    assert organiser.patch(f"{HOME}/people/{PERSON}", {"pinned": {"first": "nothing"}}).status == 422
    assert organiser.post(f"{HOME}/people/{PERSON}/check-in", {}).status == 200
    assert organiser.post(f"{HOME}/people/{PERSON}/check-in", {}).status == 200  # is checked in already
    assert organiser.post(f"{HOME}/mails/hold", {}).status == 200

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    named = {act.metric for act in Act}
    counted = [name for line in lines for name in line if name in named]
    assert counted == [Act.PIN.metric, Act.CHECK_IN.metric, Act.HOLD_MAIL.metric]


def test_acts_have_words_and_metrics_of_their_own() -> None:
    assert len({act.metric for act in Act}) == len({act.words for act in Act}) == len(Act)
    assert words_of("pin") == Act.PIN.words
    assert words_of("what an older version wrote") == "what an older version wrote"


def test_an_import_says_how_many_people_it_would_add(organiser: Client, table: Table, event: Event) -> None:
    rows = "name,email,partner_type\nAnna,anna@example.org,ngo\n"
    preview = organiser.post(f"{HOME}/people/import", {"csv": rows}).json["expected"]
    done = organiser.post(f"{HOME}/people/import", {"csv": rows, "expected": preview}).json

    assert (done["added"], done["refused"]) == (1, [])
    assert [person.name for person in registrations_of(table, event.id)] == ["Anna"]


@pytest.mark.parametrize(
    ("taken", "label"),
    [(0, "Places free"), (74, "Places free"), (75, "Filling"), (99, "Filling"), (100, "Full"), (101, "Full")],
)
def test_how_full_an_event_is_in_words(taken: int, label: str) -> None:
    assert fill_label(taken, 100) == label


def test_shares_are_rounded_and_not_cut() -> None:
    assert [shares(parts) for parts in ([17, 15, 16], [1, 1, 1], [0, 5], [0, 0])] == [
        [36, 31, 33],
        [34, 33, 33],
        [0, 100],
        [0, 0],
    ]
    assert [percent(19, 160), percent(1, 3), percent(2, 3), percent(1, 2), percent(0, 0)] == [12, 33, 67, 50, 0]


def test_what_came_out_is_said_in_words_before_costs(event: Event) -> None:
    run = Run.model_validate(
        {
            **{"event": "nature", "number": 1, "state": "draft", "requested_at": "", "updated_at": ""},
            "result": {
                **{"satisfaction": {"1": 50, "2": 35, "3": 15}, "weight": 2},
                "objective": {"total": 66, "rank": 60, "balance": 6, "change": 0},
            },
        }
    )
    assert result_words(event, run) == [
        "85 % of seats are a 1st or 2nd choice.",
        "The latest choice that anybody got is the 3rd, with 15 seats.",
        "Over all workshops 3 heads are too many or too few of a kind.",
    ]


def test_weights_that_lead_to_one_allocation_share_a_point_of_the_curve() -> None:
    curve = [{"weight": weight, "outside": outside, "mean_choice": mean} for weight, outside, mean in
             [(0, 8, 1.5), (1, 4, 1.6), (2, 4, 1.6), (9, 0, 2.0)]]  # fmt: skip

    points = curve_points(curve)

    assert [point.weights for point in points] == [[0], [1, 2], [9]]
    assert [point.anchor for point in points] == ["end", "middle", "start"]
    assert points[0].x > points[1].x > points[2].x
    assert points[0].y < points[1].y < points[2].y
    assert curve_points([]) == []


def test_every_notice_can_be_said() -> None:
    for notice in NOTICES:
        assert notice_words(notice, 1).endswith((".", "way."))
        assert "{" not in notice_words(notice, 1)
    assert notice_words("published", 1) == "Published: 1 mail to write."
    assert notice_words("") == notice_words("unknown") == ""
