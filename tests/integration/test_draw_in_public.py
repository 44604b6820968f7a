"""The draw is committed beforehand and checked by anybody: digest, seed, lots, and nothing of who is registered."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from types import ModuleType

import pytest

from functions.register import outcome
from functions.register import web as register_web
from functions.register.app import handler as register_handler
from shared.commitment import digest_of, replace_commitment
from shared.errors import ConflictError
from shared.events import audit_lines, put_event, read_event
from shared.letters.compose import compose
from shared.mails import mails_of
from shared.models import Event, Registration, Run
from shared.publication import publish
from shared.registrations import register, registrations_of
from shared.runs import Wish, read_run, request_run
from shared.state import read_state
from shared.table import Table
from shared.tokens import Keys, sign_link
from tests.support.attendee_client import Web
from tests.support.factories import NOW, make_event, make_registration
from tests.support.mail_samples import read, text_of
from tests.support.organiser_client import Client

AFTER = make_event().allocates_at + timedelta(minutes=1)


@pytest.fixture
def web(event: Event, monkeypatch: pytest.MonkeyPatch) -> Web:
    """An attendee's browser, after the allocation."""
    monkeypatch.setattr(register_web, "clock", lambda: AFTER)
    outcome._kept.clear()
    return Web(register_handler)


@pytest.fixture
def people(table: Table, event: Event) -> list[Registration]:
    """Twelve people, who agree on all themes."""
    made = [make_registration(number=number) for number in range(1, 13)]
    return [register(table, event, one, now=NOW)[0] for one in made]


def drafted(allocate: ModuleType, table: Table, event: Event, seed: str = "") -> Run:
    """A draft, under the committed seed unless another is asked for."""
    run = request_run(table, event, Wish(seed=seed), actor="organiser@example.org", now=AFTER)
    allocate.carry_out(event, run, AFTER)
    found = read_run(table, event.id, run.number)
    assert found is not None
    return found


def published(allocate: ModuleType, table: Table, event: Event) -> Run:
    """A published allocation."""
    draft = drafted(allocate, table, event)
    return publish(
        table, event, draft, list(registrations_of(table, event.id)), actor="o", now=AFTER, afterwards="keep"
    )


def test_the_digest_of_the_seed_is_public_from_the_opening_on(web: Web, table: Table, event: Event) -> None:
    digest = hashlib.sha256(read_state(table, event.id).seed.encode()).hexdigest()

    assert web.get("/events/nature").json["draw"] == {"commitment": digest, "replaced": []}
    assert digest in web.visit("/events/nature").text


def test_the_confirmation_mail_holds_the_digest(table: Table, keys: Keys, people: list[Registration]) -> None:
    mail = next(iter(mails_of(table, "nature", "confirmation")))

    assert digest_of(read_state(table, "nature").seed) in text_of(read(compose(table, keys, mail, now=NOW).raw))


def test_a_draft_under_another_seed_cannot_be_published(
    allocate: ModuleType, table: Table, event: Event, people: list[Registration]
) -> None:
    draft = drafted(allocate, table, event, seed="my favourite draw")

    with pytest.raises(ConflictError, match="another seed than the one whose digest stands on the event page"):
        publish(table, event, draft, list(registrations_of(table, "nature")), actor="o", now=AFTER, afterwards="keep")

    assert read_state(table, "nature").published_run == 0


def test_a_file_cannot_name_another_seed_after_the_opening(table: Table, event: Event) -> None:
    rules = event.allocation.model_copy(update={"seed": "another"})

    with pytest.raises(ConflictError, match="replace the commitment first"):
        put_event(table, event.model_copy(update={"allocation": rules}), actor="o", now=NOW)


def test_a_replaced_seed_is_told_with_its_date(
    web: Web, organiser: Client, allocate: ModuleType, table: Table, event: Event, people: list[Registration]
) -> None:
    before = digest_of(read_state(table, "nature").seed)

    answer = organiser.post("/organise/nature/commitment", {"seed": "another"})

    draw = web.get("/events/nature").json["draw"]
    assert answer.json == {"commitment": digest_of("another")}
    assert draw["commitment"] == digest_of("another")
    assert [old["digest"] for old in draw["replaced"]] == [before]
    assert before in web.visit("/events/nature").text
    assert [line["act"] for line in audit_lines(table, "nature")].count("replace-commitment") == 1
    assert published(allocate, table, read_event(table, "nature") or event).seed == "another"


def test_a_replacement_by_the_same_seed_is_refused(table: Table, event: Event) -> None:
    with pytest.raises(ConflictError, match="other than the one"):
        replace_commitment(table, "nature", actor="o", now=NOW, seed=read_state(table, "nature").seed)


def test_the_public_allocation_proves_the_draw_and_names_nobody(
    web: Web, allocate: ModuleType, table: Table, event: Event, people: list[Registration]
) -> None:
    assert web.get("/events/nature/allocation").status == 404
    run = published(allocate, table, event)

    facts = web.get("/events/nature/allocation").json
    page = web.visit("/events/nature/allocation").text

    lots = sorted(hmac.new(run.seed.encode(), one.id.encode(), hashlib.sha256).hexdigest() for one in people)
    assert facts["lots"] == lots
    assert facts["commitment"] == hashlib.sha256(facts["seed"].encode()).hexdigest()
    assert (facts["people"], facts["objective"]["total"]) == (12, facts["bound"])
    told = json.dumps(facts) + page
    assert not [one for one in people if one.id in told or one.name in told or one.email in told]


def test_small_cells_are_hidden_and_cannot_be_computed(event: Event) -> None:
    """Twelve and three people of two types: the three are hidden, and so is what would give them away."""
    theme, slot = event.themes[0].id, event.rounds[0].id
    one, other, *_ = (known.id for known in event.partner_types)
    heads = outcome.Heads({(theme, slot, one): 12, (theme, slot, other): 3})

    shown = outcome._workshop(event, theme, slot, heads)

    assert (shown["heads"], shown["mix"][one], shown["mix"][other]) == (15, None, None)


def test_the_own_page_shows_lot_and_number(
    web: Web, keys: Keys, allocate: ModuleType, table: Table, event: Event, people: list[Registration]
) -> None:
    run = published(allocate, table, event)
    person = people[3]
    link = f"/r/{sign_link(keys, person.event, person.id, person.link_version)}"

    lot = web.get(link).json["lot"]
    page = web.visit(link).text

    mine = hmac.new(run.seed.encode(), person.id.encode(), hashlib.sha256).hexdigest()
    better = sum(hmac.new(run.seed.encode(), one.id.encode(), hashlib.sha256).hexdigest() < mine for one in people)
    assert lot == {"number": person.id, "lot": mine, "place": better + 1, "of": 12, "seed": run.seed}
    assert f"Your lot: {better + 1} of 12" in page
    assert f'data-lot="{mine}"' in page
