"""Leaders of workshops: they take no seat, see who is expected by a mailed link, and can write to them."""

from __future__ import annotations

import re
from datetime import timedelta
from types import ModuleType

import pytest

from functions.register import app as register
from functions.register import web as services
from functions.upkeep import app as upkeep
from shared.events import put_event
from shared.letters.compose import NothingToTellError, compose
from shared.mails import mails_of
from shared.models import Event
from shared.registrations import read_registration, registration_item
from shared.registrations import register as register_person
from shared.runs import programmes_of
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.mail_samples import read, text_of
from tests.support.organiser_client import CONTEXT, Client

LEADERS = [
    {"name": "Lea Lead", "email": "lea@example.org"},
    {"name": "Max Second", "email": "max@example.org", "rounds": ["second"]},
]
THEMES = [{**one, "leaders": LEADERS if one["id"] == "vision" else []} for one in event_data()["themes"]]
THEMES[0]["title"] = {"en": "Vision", "fr": "Vue"}
LATER = NOW + timedelta(days=40)


@pytest.fixture
def told(table: Table, keys: Keys, allocate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Event:
    """Six people with published programmes, and upkeep has run since."""
    event = make_event(themes=THEMES)
    put_event(table, event, actor="test", now=NOW)
    for number in range(6):
        register_person(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    for module, values in {services: {"keys": keys, "clock": lambda: LATER}, upkeep: {}}.items():
        for name, value in {"table": table, **values}.items():
            monkeypatch.setattr(module, name, value)
    upkeep.tell_leaders(event, LATER)
    assert not list(mails_of(table, "nature", "leader-list"))  # nothing is published yet
    assert allocate.handler({"event": "nature", "publish": True}, CONTEXT)["state"] == "published"
    for _ in range(2):
        assert upkeep.tell_leaders(event, LATER)
    return event


def test_leaders_see_the_people_of_their_workshops_by_a_link_that_is_mailed_once(
    told: Event, table: Table, keys: Keys
) -> None:
    web, rows = Web(register.handler), list(mails_of(table, "nature", "leader-list"))
    mails = {row.to: text_of(read(compose(table, keys, row, now=LATER).raw)) for row in rows}
    links = {to: "/leaders/" + re.findall(r"/leaders/(\S+)", text)[0] for to, text in mails.items()}
    programmes = programmes_of(table, "nature", 1)
    vision = {
        slot: {f"Person {int(one, 16)}" for one, own in programmes.items() if own.workshops[slot] == "vision"}
        for slot in ("first", "second")
    }

    assert sorted(row.to for row in rows) == ["lea@example.org", "max@example.org"]
    assert ("13:00" in mails["lea@example.org"], "13:00" in mails["max@example.org"]) == (True, False)
    shown = web.get(links["lea@example.org"]).json
    assert {one["round"]: {who["name"] for who in one["people"]} for one in shown["workshops"]} == vision
    assert [one["round"] for one in web.get(links["max@example.org"]).json["workshops"]] == ["second"]
    page = web.visit(links["lea@example.org"]).text
    assert all(name in page for names in vision.values() for name in names)
    assert "@example.org" not in page.replace("contact@example.org", "")
    own = sign_link(keys, "nature", f"{0:020x}", 1)
    assert [web.visit(f"/leaders/{own}").status, web.visit(f"/r/{links['lea@example.org'][9:]}").status] == [404, 404]

    put_event(table, make_event(), actor="test", now=LATER)  # the file names no leaders any more
    assert {web.visit(link).status for link in links.values()} == {404}
    with pytest.raises(NothingToTellError):
        compose(table, keys, rows[0], now=LATER)


def test_a_leader_writes_to_the_people_of_a_workshop_after_seeing_text_and_number(
    told: Event, table: Table, keys: Keys
) -> None:
    web = Web(register.handler)
    [row] = [row for row in mails_of(table, "nature", "leader-list") if row.to == "lea@example.org"]
    link = re.findall(r"/leaders/\S+", text_of(read(compose(table, keys, row, now=LATER).raw)))[0]
    there = {one for one, own in programmes_of(table, "nature", 1).items() if own.workshops["first"] == "vision"}
    text = {"round": "first", "subject": "Boots", "body": "Bring boots.", "key": "a" * 32}

    refused = web.submit(link, {**text, "body": ""})
    preview = web.submit(link, text)
    wrong = web.submit(link, {**text, "expected": str(len(there) + 1)})
    sent = [web.submit(link, {**text, "expected": str(len(there))}).status for _ in range(2)]
    upkeep.tell_message(told, "a" * 32, LATER, lambda: True)

    assert (refused.status, preview.status, wrong.status, sent) == (422, 200, 409, [303, 303])
    assert f"Send it to {len(there)}" in preview.text
    written = list(mails_of(table, "nature", "message#"))
    assert {mail.registration for mail in written} == there
    body = text_of(read(compose(table, keys, written[0], now=LATER).raw))
    assert "Bring boots. Lea Lead, Vision" in " ".join(body.split())
    reader = read_registration(table, "nature", written[0].registration)
    assert reader is not None
    table.put_all([registration_item(reader.model_copy(update={"language": "fr"}))])
    french = text_of(read(compose(table, keys, written[0], now=LATER).raw))
    assert "Bring boots. Lea Lead, Vue" in " ".join(french.split())
    more = [web.submit(link, {**text, "key": f"{n:032x}", "expected": str(len(there))}) for n in range(5)]
    assert [answer.status for answer in more].count(429) == 2
    assert 0 < int(more[-1].headers["retry-after"]) <= 24 * 3600


@pytest.mark.promise("P22")
def test_the_list_of_a_leader_counts_as_a_costly_read(
    told: Event, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads everybody and every programme, and a link may stand in more than one place."""
    monkeypatch.setattr(services, "COSTLY_READS_A_MINUTE", 2)
    web, row = Web(register.handler), next(iter(mails_of(table, "nature", "leader-list")))
    link = re.findall(r"/leaders/\S+", text_of(read(compose(table, keys, row, now=LATER).raw)))[0]

    answers = [web.visit(link), web.get(link), web.visit(link), web.submit(link, {"subject": "x", "body": "y"})]

    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert 0 < int(answers[2].headers["retry-after"]) <= 60
    assert web.visit(link, source="192.0.2.8").status == 200


def test_the_number_of_mails_that_a_publication_asks_for_counts_those_to_leaders(
    table: Table, keys: Keys, allocate: ModuleType, app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people and two leaders; a leader who is named later is counted at the next publication."""
    event = make_event(themes=THEMES)
    put_event(table, event, actor="test", now=NOW)
    for number in range(2):
        register_person(table, event, make_registration(number=number, id=f"{number:020x}"), now=NOW)
    organiser = Client(app, table, keys).sign_in(event)
    runs, kept = "/organise/nature/allocations", {"afterwards": "keep"}
    monkeypatch.setattr(upkeep, "table", table)
    allocate.handler({"event": "nature"}, CONTEXT)

    shown = organiser.get(f"{runs}/1").json
    assert (shown["mails"], shown["mails_to_leaders"]) == (4, 2)
    assert "2 of them go to leaders of workshops" in organiser.page(f"{runs}/1").text
    assert "lea@example.org" in organiser.page(f"{runs}/1/outbox").text
    assert organiser.post(f"{runs}/1/publication", {"expected_mails": 2, **kept}).status == 409
    assert organiser.post(f"{runs}/1/publication", {"expected_mails": 4, **kept}).status == 202
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    assert upkeep.tell_leaders(event, NOW)
    told = [mail for mail in mails_of(table, "nature") if mail.kind in ("programme", "leader-list")]
    assert len(told) == 4

    allocate.handler({"event": "nature", "mode": "keep"}, CONTEXT)
    assert organiser.get(f"{runs}/2").json["mails"] == 0
