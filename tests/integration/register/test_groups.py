"""One person registers several: a class, a team. Each has a registration; one person has the mails and the link."""

from __future__ import annotations

import re
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from functions.organise import messages
from functions.register import app as register
from functions.register import web as services
from functions.upkeep import app as upkeep
from shared.cancellation import reached
from shared.confirmation import ask_and_release
from shared.events import put_event
from shared.letters.compose import compose
from shared.mails import mails_of
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import (
    find_by_address,
    mark_bounced,
    members_of,
    on_paper,
    read_registration,
    registrations_of,
    withdraw,
)
from shared.registrations import register as register_one
from shared.runs import programmes_of
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from shared.waiting_list import offer_places
from tests.support.attendee_client import Web
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.mail_samples import read, text_of
from tests.support.organiser_client import CONTEXT, Client

GROUP = "/events/nature/group"
FULL = ["vision", "governance", "resources", "wildlife"]
FORM = {
    **{"request": "one", "name": "Tess Teacher", "email": "tess@example.org", "organisation": "School"},
    **{f"choice_{place}": theme for place, theme in enumerate(FULL, 1)},
    **{"name_1": "Ann Pupil", "type_1": "ngo", "name_3": "Bob Pupil", "type_3": "research"},
    **{f"choice_3_{place}": theme for place, theme in enumerate(reversed(FULL), 1)},
}


@pytest.fixture
def web(table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name, value in {"table": table, "keys": keys, "clock": lambda: NOW}.items():
        monkeypatch.setattr(services, name, value)
    opened(table)
    return Web(register.handler)


def opened(table: Table, **rules: Any) -> Event:
    event = make_event(registration={**event_data()["registration"], "groups": True, **rules})
    put_event(table, event, actor="test", now=NOW)
    return event


def states(table: Table) -> dict[str, str]:
    return {one.name: one.state.value for one in registrations_of(table, "nature")}


def own_link(table: Table, keys: Keys) -> str:
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    return f"/r/{sign_link(keys, 'nature', delegate.id, delegate.link_version)}"


def test_a_group_has_a_place_and_a_programme_each_and_one_mail(
    web: Web, table: Table, keys: Keys, allocate: ModuleType, app: ModuleType
) -> None:
    refused = web.submit(GROUP, {**FORM, "name_3": "Bob", "type_3": "", "email": "tess"})
    sent = [web.submit(GROUP, FORM).status for _ in range(2)]
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None

    assert (refused.status, sent) == (422, [303, 303])
    assert {'href="#email"', 'href="#type_3"'} <= set(re.findall(r'href="#\w+"', refused.text))
    assert re.search(r'href="#type_3">Bob: ', refused.text)
    twice = web.submit(GROUP, {**FORM, "name_2": "ann pupil", "type_2": "ngo"}).text
    assert re.search(r'href="#name_2">ann pupil: This name stands in the list already', twice)
    assert 'value="Ann Pupil"' in refused.text
    assert states(table) == {"Tess Teacher": "delegate", "Ann Pupil": "confirmed", "Bob Pupil": "confirmed"}
    assert read_state(table, "nature").confirmed == 2
    assert [one.choices[0] for one in members_of(table, delegate)] == ["vision", "wildlife"]
    [entered] = [mail for mail in mails_of(table, "nature") if mail.kind != "sign-in"]
    assert entered.kind == "group"
    lines = text_of(read(compose(table, keys, entered, now=NOW).raw)).splitlines()
    assert lines[lines.index("Ann Pupil") - 1 :][:4] == ["", "Ann Pupil", "Bob Pupil", ""]  # a class on one screen
    assert [one.id for one in reached(registrations_of(table, "nature"))] == [delegate.id]

    organiser = Client(app, table, keys).sign_in(make_event())
    draft = allocate.handler({"event": "nature"}, CONTEXT)
    before = organiser.page(f"/organise/nature/allocations/{draft['run']}/outbox/{delegate.id}").text
    assert (draft["mails"], "Ann Pupil" in before, "Room vision" in before) == (1, True, True)
    assert organiser.post(f"/organise/nature/people/{delegate.id}/mails", {}).status == 200
    assert organiser.page(f"/organise/nature/people/{delegate.id}").status == 200
    assert allocate.handler({"event": "nature", "publish": True}, CONTEXT)["state"] == "published"
    [told] = [mail for mail in mails_of(table, "nature") if mail.run]
    text = text_of(read(compose(table, keys, told, now=NOW).raw))
    assert (told.kind, told.registration) == ("group", delegate.id)
    for member in members_of(table, delegate):
        assert member.name in text
        own = programmes_of(table, "nature", 1)[member.id].workshops
        assert all(theme.title() in text for theme in own.values())
    page = web.visit(own_link(table, keys)).text
    assert "Ann Pupil" in page
    assert "Room vision" in page
    assert [one["state"] for one in web.get(own_link(table, keys)).json["members"]] == ["confirmed", "confirmed"]


def test_a_class_is_entered_with_its_kind_once_and_more_lines_lose_nothing(web: Web, table: Table) -> None:
    """A person beside whom another kind stands has that one; without any, one fault says so for all."""
    some = {name: value for name, value in FORM.items() if name != "type_1"}

    longer = web.submit(f"{GROUP}?rows=20&lang=en&switch=form", some)
    assert (longer.status, states(table)) == (200, {})
    assert 'value="Bob Pupil"' in longer.text
    assert 'name="name_20"' in longer.text
    refused = web.submit(GROUP, {**some, "type_3": ""})
    assert (refused.status, refused.text.count('href="#partner_type"')) == (422, 1)
    assert 'href="#type_' not in refused.text

    assert web.submit(GROUP, {**some, "partner_type": "government"}).status == 303
    kinds = {one.name: one.partner_type for one in registrations_of(table, "nature") if one.delegate}
    assert kinds == {"Ann Pupil": "government", "Bob Pupil": "research"}


def test_the_delegate_renames_withdraws_and_erases_each_person_and_the_whole_group(
    web: Web, table: Table, keys: Keys
) -> None:
    web.submit(GROUP, FORM)
    link = own_link(table, keys)
    ann, bob = (one["id"] for one in web.get(link).json["members"])
    stranger = web.submit(f"{link}/members/{'0' * 20}", {"act": "withdraw"})

    assert web.submit(f"{link}/members/{ann}", {"name": "Anna Pupil"}).status == 303
    assert web.submit(f"{link}/members/{bob}", {"act": "withdraw"}).status == 303
    assert stranger.status == 404
    assert states(table) == {"Tess Teacher": "delegate", "Anna Pupil": "confirmed", "Bob Pupil": "withdrawn"}
    assert read_state(table, "nature").confirmed == 1
    assert web.submit(f"{link}/members/{bob}", {"act": "erase"}).status == 422
    assert web.submit(f"{link}/members/{bob}", {"act": "erase", "sure": "yes"}).status == 303
    assert web.call("PUT", link, {"name": "Other"}).status == 409

    assert web.submit(f"{link}/withdrawal", {"confirmed": "yes"}).status == 303
    assert states(table) == {"Tess Teacher": "withdrawn", "Anna Pupil": "withdrawn"}
    assert read_state(table, "nature").confirmed == 0
    assert web.submit(GROUP, {**FORM, "request": "two"}).status == 303
    again = own_link(table, keys)
    assert web.submit(f"{again}/erasure", {"confirmed": "yes"}).status == 303
    assert len(states(table)) == 2  # those who withdrew before
    assert web.submit(f"{link}/erasure", {"confirmed": "yes"}).status == 303
    assert states(table) == {}


def test_a_group_of_forty_is_erased_within_one_request(
    web: Web, table: Table, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function has 14 seconds: calls for each person's mails, of which there are none, would fill them."""
    opened(table, capacity=40)
    many = {f"name_{n}": f"P{n}" for n in range(1, 41)} | {f"type_{n}": "ngo" for n in range(1, 41)}
    web.submit(GROUP, {**FORM, **many})
    link, calls, real = own_link(table, keys), [], table._client._make_api_call

    def counted(operation: str, arguments: dict[str, Any]) -> Any:
        calls.append(operation)
        return real(operation, arguments)

    monkeypatch.setattr(table._client, "_make_api_call", counted)
    assert web.submit(f"{link}/erasure", {"confirmed": "yes"}).status == 303
    assert states(table) == {}
    assert len(calls) < 5 * 40


def test_a_group_is_changed_whatever_the_event_asks_by_now(web: Web, table: Table, keys: Keys) -> None:
    """A theme more to rank stops no renaming; the kind that was noted with the contact is nobody's."""
    web.submit(GROUP, {**FORM, "type_1": "research", "type_3": "ngo"})
    link = own_link(table, keys)
    ann, bob = (one["id"] for one in web.get(link).json["members"])
    data = event_data()
    data["themes"].append({"id": "fifth", "title": "Fifth", "capacity": 10})
    put_event(table, Event.model_validate({**data, "registration": opened(table).registration}), actor="o", now=NOW)

    assert web.submit(f"{link}/members/{bob}", {"name": "Bobby Pupil"}).status == 303
    assert web.submit(f"{link}/members/{ann}", {"act": "withdraw"}).status == 303

    kinds = [kind for kind in data["partner_types"] if kind["id"] != "research"]
    opened_kinds = make_event(partner_types=kinds, registration=data["registration"] | {"groups": True})
    put_event(table, opened_kinds, actor="o", now=NOW)
    assert web.visit(link).status == 200


def test_a_group_waits_whole_when_it_does_not_fit_and_gets_places_without_being_asked(
    web: Web, table: Table, keys: Keys
) -> None:
    event = opened(table, capacity=1)
    web.submit(GROUP, FORM)
    assert states(table) == {"Tess Teacher": "delegate", "Ann Pupil": "waiting", "Bob Pupil": "waiting"}

    assert offer_places(table, event, now=NOW + timedelta(minutes=1)) == 1

    state = read_state(table, "nature")
    assert (state.confirmed, state.waiting) == (1, 1)
    assert {mail.kind for mail in mails_of(table, "nature")} == {"group"}
    for one in registrations_of(table, "nature"):
        if one.state is RegistrationState.WAITING:
            withdraw(table, one, now=NOW)
    assert read_state(table, "nature").waiting == 0


def test_a_group_that_gets_or_loses_its_places_at_one_moment_is_told_once(web: Web, table: Table) -> None:
    """Anybody may enter anybody's address with a group of forty: it must not be forty mails for one form."""
    event = opened(table, capacity=1)
    many = {f"name_{n}": f"P{n}" for n in range(1, 41)} | {f"type_{n}": "ngo" for n in range(1, 41)}
    register_one(table, event, make_registration(number=1, id="p1"), now=NOW)
    web.submit(GROUP, {**FORM, **many})

    event = opened(table, capacity=40)
    assert offer_places(table, event, now=NOW + timedelta(minutes=1)) == 39
    assert read_state(table, "nature").model_dump(include={"confirmed", "waiting"}) == {"confirmed": 40, "waiting": 1}
    for number in range(2, 12):
        register_one(table, event, make_registration(number=number, id=f"p{number}"), now=NOW + timedelta(minutes=2))
    ask_and_release(table, event, now=NOW + timedelta(hours=25), may_go_on=lambda: True)
    ask_and_release(table, event, now=NOW + timedelta(hours=50), may_go_on=lambda: True)

    state = read_state(table, "nature")
    assert (state.confirmed, state.waiting) == (40 - 11, 11)
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate
    told = [mail.kind for mail in mails_of(table, "nature") if mail.registration == delegate.id]
    assert sorted(told) == ["confirm-place", "group", "group", "group"]


def test_a_known_address_changes_nothing_and_an_event_without_groups_has_no_form(web: Web, table: Table) -> None:
    first, again = (
        web.submit(GROUP, FORM),
        web.submit(GROUP, {**FORM, "request": "two", "name_5": "Cas", "type_5": "ngo"}),
    )
    many = {f"name_{n}": f"P{n}" for n in range(1, 41)} | {f"type_{n}": "ngo" for n in range(1, 41)}
    class_of_40 = web.submit(GROUP, {**FORM, **many, "email": "other@example.org", "request": "three"})

    assert (first.status, again.status, class_of_40.status) == (303, 303, 303)
    assert first.headers["location"] == again.headers["location"]
    people = states(table)
    assert "Cas" not in people
    assert (len(people), people["P40"]) == (1 + 2 + 40, "waiting")  # 40 seats, and two are taken
    put_event(table, make_event(), actor="test", now=NOW)
    assert web.visit(GROUP).status == 404


@pytest.mark.promise("P21")
@pytest.mark.parametrize("how", ["nothing", "confirmed", "bounced"])
def test_the_places_of_a_group_whose_delegate_never_confirmed_go_to_people_who_wait(
    web: Web, table: Table, keys: Keys, how: str
) -> None:
    """One place for each who waits; the delegate is asked once, for all, and keeps everybody by one press."""
    event = opened(table, capacity=2)
    assert web.post(GROUP, FORM).status == 202
    register_one(table, event, make_registration(number=9, id="p9"), now=NOW)
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    assert states(table)["Person 9"] == "waiting"
    asked, over = NOW + timedelta(hours=25), NOW + timedelta(hours=50)

    if how == "bounced":
        mark_bounced(table, delegate, now=NOW)
    ask_and_release(table, event, now=asked, may_go_on=lambda: True)
    if how == "confirmed":
        assert "This is me" in web.visit(own_link(table, keys)).text
        assert web.post(f"{own_link(table, keys)}/confirmation").status == 200
    ask_and_release(table, event, now=over, may_go_on=lambda: True)
    offer_places(table, event, now=over)

    kinds = [mail.kind for mail in mails_of(table, "nature") if mail.registration == delegate.id]
    assert kinds.count("confirm-place") == (how != "bounced")
    gone = [name for name, state in states(table).items() if state == "withdrawn"]
    assert len(gone) == (how != "confirmed")
    assert states(table)["Person 9"] == ("waiting" if how == "confirmed" else "offered")
    told = how == "nothing"  # a mail to an address that is known to bounce would come back once more
    assert kinds.count("group") == 1 + told


def test_a_free_place_goes_past_people_of_a_group_whose_contact_is_not_reached(web: Web, table: Table) -> None:
    """As past a person who waits alone and whose mail comes back; the group is offered what is left."""
    event = opened(table, capacity=1)
    first = register_one(table, event, make_registration(number=1, id="p1"), now=NOW)[0]
    assert web.post(GROUP, FORM).status == 202
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    late = utc(NOW + timedelta(hours=1))
    register_one(table, event, make_registration(number=9, id="p9", created_at=late), now=NOW + timedelta(hours=1))
    mark_bounced(table, delegate, now=NOW)
    withdraw(table, first, now=NOW)

    assert offer_places(table, event, now=NOW) == 1
    assert states(table)["Person 9"] == "offered"


def some(people: int, request: str, **changes: str) -> dict[str, str]:
    """The form for a group of so many."""
    lines = range(1, people + 1)
    named = {f"name_{line}": f"{request} {line}" for line in lines} | {f"type_{line}": "ngo" for line in lines}
    ranked = {key: value for key, value in FORM.items() if key.startswith("choice_") and key.count("_") == 1}
    return {"name": "Tess", "email": f"{request}@example.org", "request": request, **ranked, **named, **changes}


def test_a_group_counts_as_many_as_it_has_people_against_its_network(web: Web, table: Table) -> None:
    """Past the cap nobody is stored, what was typed stays, and smaller groups and the next hour are open."""
    opened(table, per_source_hour=7)

    sent = [web.submit(GROUP, some(people, f"g{people}")) for people in (5, 3, 2, 1)]

    assert [answer.status for answer in sent] == [303, 429, 303, 429]
    assert 0 < int(sent[1].headers["retry-after"]) <= 3600
    assert "register fewer people now" in sent[1].text
    assert 'value="g3 2"' in sent[1].text
    assert sum(one.startswith(("g5", "g2")) for one in states(table)) == len(states(table)) - 1 == 7
    assert web.submit("/events/nature/links", {"email": "x@example.org"}).status == 429  # the same count


def test_a_group_that_is_larger_than_the_cap_is_taken_in_an_hour_that_has_seen_nothing(web: Web, table: Table) -> None:
    """Else it could never come."""
    opened(table, per_source_hour=2)

    assert [web.submit(GROUP, some(4, name)).status for name in ("one", "two")] == [303, 429]
    assert len(states(table)) == 5


def test_groups_under_one_mailbox_are_counted_whatever_network_they_come_from(web: Web, table: Table) -> None:
    opened(table, per_source_hour=5)
    mailboxes = ("tess@example.org", "tess+2@example.org", "other@example.org")
    sent = [
        web.submit(GROUP, some(3, f"g{number}", email=email), source=f"192.0.2.{number}").status
        for number, email in enumerate(mailboxes)
    ]

    assert sent == [303, 429, 303]


def test_a_change_of_a_member_confirms_the_address_of_the_delegate(web: Web, table: Table, keys: Keys) -> None:
    assert web.post(GROUP, FORM).status == 202
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    member = members_of(table, delegate)[0]

    changed = web.post(f"{own_link(table, keys)}/members/{member.id}", {"name": "Ann Renamed"})

    after = find_by_address(table, "nature", "tess@example.org")
    assert after is not None
    assert (changed.status, delegate.unconfirmed, after.unconfirmed) == (200, True, False)


def test_a_delegate_is_reminded_with_everybody_who_comes_and_what_each_does(
    web: Web, table: Table, keys: Keys, allocate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, like anybody; a person who withdrew is not listed, and a group of nobody is not reminded."""
    event = opened(table)
    put_event(table, event.model_copy(update={"reminder_days": [1]}), actor="test", now=NOW)
    web.submit(GROUP, FORM)
    web.submit(GROUP, some(1, "left"))
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    for one in registrations_of(table, "nature"):
        if one.name in ("Bob Pupil", "left 1"):
            withdraw(table, one, now=NOW)
    allocate.handler({"event": "nature", "publish": True}, CONTEXT)
    monkeypatch.setattr(upkeep, "table", table)
    morning = event.starts_at - timedelta(hours=23, minutes=50)

    for minute in (0, 1):
        upkeep.work_through(morning + timedelta(minutes=minute), lambda: True)

    [reminder] = mails_of(table, "nature", "reminder#")
    text = text_of(read(compose(table, keys, reminder, now=morning).raw))
    assert reminder.registration == delegate.id
    assert "Ann Pupil" in text
    assert "Room" in text
    assert "Bob Pupil" not in text


def test_an_organiser_who_withdraws_the_contact_of_a_group_says_what_becomes_of_it(
    web: Web, table: Table, keys: Keys, app: ModuleType
) -> None:
    web.submit(GROUP, FORM)
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    program, browser = (Client(app, table, keys) for _ in range(2))
    program.sign_in(make_event())
    browser.sign_in_browser(make_event())
    person = f"/organise/nature/people/{delegate.id}"
    before = states(table)

    refused = [program.post(f"{person}/withdrawal", {}), program.patch(person, {"withdrawn": True})]
    refused.append(program.post(f"{person}/erasure", {"sure": True}))
    wrong = program.post(f"{person}/withdrawal", {"group": "withdraw", "expected": 3})
    nobody = browser.submit(f"{person}/withdrawal", {"group": "keep", "name": "", "email": "", "expected": "2"})
    assert [(one.status, list(one.json["fields"])) for one in refused] == [(409, ["group"])] * 2 + [(409, ["sure"])]
    assert refused[0].json["fields"] == {"group": "Choose one of: withdraw, keep"}
    assert (wrong.status, nobody.status, states(table) == before) == (409, 422, True)
    page = browser.page(person).text
    assert page.count('name="group"') == 2
    assert "The whole group is withdrawn: 2 people" in page

    new = {"group": "keep", "name": "Nora New", "email": "nora@example.org", "expected": "2"}
    answer = browser.submit(f"{person}/withdrawal", new)
    assert "The group has a new contact" in browser.page(answer.headers["location"]).text
    assert states(table) == {"Nora New": "delegate", "Ann Pupil": "confirmed", "Bob Pupil": "confirmed"}
    kinds = {mail.id: mail.to for mail in mails_of(table, "nature", registration=delegate.id)}
    assert kinds == {f"group#{delegate.id}": "", f"group#{delegate.id}#2": "", f"address-changed#{delegate.id}#2": (
        "tess@example.org"
    )}  # fmt: skip
    assert web.visit(f"/r/{sign_link(keys, 'nature', delegate.id, 1)}").status == 404

    assert program.post(f"{person}/withdrawal", {"group": "withdraw", "expected": 2}).status == 200
    assert set(states(table).values()) == {"withdrawn"}
    assert read_state(table, "nature").confirmed == 0
    assert [mail.kind for mail in mails_of(table, "nature", "withdrawn#")] == ["withdrawn"]


def test_the_contact_of_a_group_is_told_of_a_person_whom_an_organiser_withdraws(
    web: Web, table: Table, keys: Keys, app: ModuleType
) -> None:
    web.submit(GROUP, FORM)
    ann = next(one for one in registrations_of(table, "nature") if one.name == "Ann Pupil")
    organiser = Client(app, table, keys).sign_in(make_event())

    assert organiser.patch(f"/organise/nature/people/{ann.id}", {"withdrawn": True}).status == 200

    told = [mail.id for mail in mails_of(table, "nature", "group#")]
    assert f"group#{ann.delegate}#withdrawn-{ann.id}" in told


def test_a_text_to_the_people_of_a_group_goes_to_its_contact_once(
    web: Web, table: Table, keys: Keys, app: ModuleType
) -> None:
    web.submit(GROUP, FORM)
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None
    organiser = Client(app, table, keys).sign_in(make_event())

    found = {group["key"]: group["people"] for group in organiser.get("/organise/nature/messages").json["groups"]}
    text = {"group": "type:research", "subject": "Boots", "body": "Bring boots."}
    preview = organiser.post("/organise/nature/messages", text).json

    assert (found["all"], found["confirmed"], found["type:research"]) == (1, 1, 1)
    assert [person["id"] for person in preview["people"]] == [delegate.id]


def test_organisers_see_and_release_a_group_whose_delegate_never_confirmed(
    web: Web, table: Table, keys: Keys, app: ModuleType
) -> None:
    """The address of a group is the delegate's: as long as that is unconfirmed, so are the places of the group."""
    event = opened(table)
    web.post(GROUP, FORM)
    organiser = Client(app, table, keys).sign_in(event)

    listed = organiser.get("/organise/nature/people?state=unconfirmed").json
    assert sorted(one["name"] for one in listed["people"]) == ["Ann Pupil", "Bob Pupil"]
    assert listed["counts"]["unconfirmed"] == 2
    assert organiser.post("/organise/nature/people/release", {"expected": 2}).status == 200

    assert states(table) == {"Tess Teacher": "delegate", "Ann Pupil": "withdrawn", "Bob Pupil": "withdrawn"}
    assert [mail.kind for mail in mails_of(table, "nature")].count("group") == 1 + 1  # one mail for all of them


def test_what_concerns_people_of_a_group_is_written_to_their_delegate_once(web: Web, table: Table) -> None:
    """Nobody counts as a person to print for or as unreachable while their delegate reads mail."""
    event = opened(table)
    web.post(GROUP, FORM)
    delegate = find_by_address(table, "nature", "tess@example.org")
    assert delegate is not None

    def group(key: str) -> messages.Group | None:
        return next((one for one in messages.groups(table, event) if one.key == key), None)

    for key, there in (("confirmed", True), ("type:ngo", True), ("type:research", True), ("type:government", False)):
        found = group(key)
        assert [one.id for one in found.people] == [delegate.id] if found else not there, key
    assert on_paper(registrations_of(table, "nature")) == []

    register_one(table, event, make_registration(number=9, id="p9"), now=NOW)
    mark_bounced(table, delegate, now=NOW)
    confirmed = group("confirmed")
    assert confirmed is not None
    assert ([one.id for one in confirmed.people], confirmed.unread) == (["p9"], 2)
    withdraw(table, read_again(table, delegate), now=NOW)
    assert sorted(one.name for one in on_paper(registrations_of(table, "nature"))) == ["Ann Pupil", "Bob Pupil"]


def read_again(table: Table, person: Registration) -> Registration:
    found = read_registration(table, person.event, person.id)
    assert found is not None
    return found
