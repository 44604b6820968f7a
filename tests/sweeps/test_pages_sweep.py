"""Whatever a visitor sends: never a fault of ours, never a bad row, never a look at another person's registration.

The few runs of the default suite and the many of `-m sweep` are the same code.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.client
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from functions.register import app
from shared.address_change import sign_change
from shared.mails import mails_of
from shared.models import Event, Registration, RegistrationState
from shared.registrations import read_registration, register, registrations_of
from shared.table import Table
from shared.tokens import Keys, sign, sign_link
from tests.support.attendee_client import Answer, Web
from tests.support.factories import NOW, make_registration

FEW, MANY = 100, 10_000
FEW_PAIRS, MANY_PAIRS = 4, 200
FEW_TOKENS, MANY_TOKENS = 100, 10_000

THEMES = ["vision", "governance", "resources", "wildlife"]
GOOD = {"name": "Person 1", "email": "person1@example.org", "partner_type": "ngo", "choices": THEMES}
AT = "/events/nature/registrations"

ODD_TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "\u0000", "\u202egnol", "a\r\nBcc: b@example.org", "{{ 7*7 }}", "${jndi:ldap://x}", "=1+1", "<script>",
            "' OR 1=1 --", "../../etc", "\ud7ff", "𝒳" * 50, "x" * 5000, "www.example.org", "a@b@c", "NaN", "%00", "🦋",
        ]
    ),
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["name", "email", "organisation", "partner_type", "choices", "answers", "shown_order", "language", "remark2"]
BODIES = st.one_of(
    st.dictionaries(st.sampled_from([*FIELDS, "revision", "state", "id"]) | ODD_TEXT, ANY_JSON, max_size=6).map(
        lambda changes: GOOD | changes
    ),
    st.dictionaries(ODD_TEXT, ANY_JSON, max_size=4),
    st.permutations(THEMES).map(lambda order: GOOD | {"choices": order}),
    st.lists(st.sampled_from([*THEMES, "", "x"]), max_size=8).map(lambda order: GOOD | {"choices": order}),
)
HOW = st.sampled_from(["json", "form"])

sweeping = settings(
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture
def web(event: Event, monkeypatch: pytest.MonkeyPatch) -> Web:
    """The function, with an event open for registration and no cap on its source."""
    monkeypatch.setattr("functions.register.web.clock", lambda: NOW)
    monkeypatch.setattr("functions.register.web.cap_an_hour", 10**9)
    return Web(app.handler)


@pytest.fixture
def person(event: Event, table: Table) -> Registration:
    """A person who is registered."""
    return register(table, event, make_registration(number=1), now=NOW)[0]


# --------------------------------------------------------------------------- P7


def send(web: Web, path: str, body: Mapping[str, Any], how: str) -> Answer:
    if how == "json":
        return web.post(path, body)
    flat = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
    choices = body.get("choices")
    if isinstance(choices, list):
        flat |= {f"choice-{place}": str(one) for place, one in enumerate(choices, 1)}
        del flat["choices"]
    return web.submit(path, {key: value.encode("utf-8", "replace") for key, value in flat.items()})


def whatever_is_sent_is_answered(web: Web, table: Table, link: str, times: int) -> None:
    @settings(sweeping, max_examples=times)
    @given(body=BODIES, how=HOW, own=st.booleans())
    def check(body: dict[str, Any], how: str, own: bool) -> None:
        answer = send(web, link if own else AT, body, how)

        assert answer.status in {200, 202, 303, 400, 409, 413, 422, 429}
        if answer.status == 422 and how == "json":
            assert answer.json["fields"]

    check()
    for one in registrations_of(table, "nature"):
        assert sorted(one.choices) == sorted(THEMES)
        assert one.partner_type in {"government", "ngo", "research"}
        assert one.name.strip()
        assert len(one.name) <= 120
        assert all(sign.isprintable() for sign in one.name + one.organisation)
        assert one.email.isascii()
        assert one.email.count("@") == 1
        assert one.state in {RegistrationState.CONFIRMED, RegistrationState.WAITING}


@pytest.mark.promise("P7")
def test_a_few_odd_bodies_make_no_fault_and_no_bad_row(
    web: Web, table: Table, keys: Keys, person: Registration
) -> None:
    whatever_is_sent_is_answered(web, table, f"/r/{sign_link(keys, 'nature', person.id, 1)}", FEW)


@pytest.mark.promise("P7")
@pytest.mark.sweep
def test_odd_bodies_make_no_fault_and_no_bad_row(web: Web, table: Table, keys: Keys, person: Registration) -> None:
    whatever_is_sent_is_answered(web, table, f"/r/{sign_link(keys, 'nature', person.id, 1)}", MANY)


# --------------------------------------------------------------------------- P8

ROUTES = [
    ("GET", ""),
    ("POST", ""),
    ("PUT", ""),
    ("POST", "/place"),
    ("POST", "/withdrawal"),
    ("POST", "/erasure"),
    ("GET", "/programme.ics"),
]


def forged(keys: Keys, person: Registration) -> Iterator[str]:
    """Tokens that come close: cut, bent, of another person, of another time, signed for something else."""
    token = sign_link(keys, "nature", person.id, 1)
    payload, _, signature = token.rpartition(".")
    yield from ("", "x", "None", "..", "%2e%2e", token[:-1], token[1:], token + "A", token.swapcase())
    yield from (payload, f"{payload}.", f".{signature}", f"{signature}.{payload}", token.replace(".", "%2E", 1) + "=")
    for place in range(0, len(token), 7):
        yield token[:place] + chr(ord(token[place]) ^ 1) + token[place + 1 :]
    yield sign_link(keys, "nature", person.id, 2)
    yield sign_link(keys, "nature", "0" * 20, 1)
    yield sign_link(keys, "elsewhere", person.id, 1)
    yield sign(keys, "another purpose", ["nature", person.id, 1])


def random_tokens(person: Registration, times: int, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    for _ in range(times):
        yield "".join(chance.choices(alphabet, k=chance.choice([1, 20, 43, 80, 98, 99, 100, 200])))


@pytest.mark.promise("P8")
def test_no_forged_link_opens_or_changes_anything(web: Web, table: Table, keys: Keys, person: Registration) -> None:
    opened = [
        (method, path, token)
        for token in forged(keys, person)
        for method, path in ROUTES
        if web.call(method, f"/r/{token}{path}", GOOD).status not in {404, 405}
    ]

    assert opened == []
    assert read_registration(table, "nature", person.id) == person


@pytest.mark.promise("P8")
def test_a_link_is_dead_after_a_move_and_after_erasure(
    web: Web, table: Table, keys: Keys, person: Registration
) -> None:
    old = f"/r/{sign_link(keys, 'nature', person.id, 1)}"
    web.call("PUT", old, GOOD | {"email": "moved@example.org"})
    asked = read_registration(table, "nature", person.id)
    assert asked is not None
    moved = web.post(f"/address/{sign_change(keys, asked, 'move', asked_at=NOW)}").status
    after_move = {web.call(method, old + path, GOOD).status for method, path in ROUTES}
    new = f"/r/{sign_link(keys, 'nature', person.id, 2)}"
    erased = web.post(f"{new}/erasure").status
    after_erasure = {web.call(method, new + path, GOOD).status for method, path in ROUTES}

    assert (moved, after_move, erased, after_erasure) == (200, {404}, 200, {404})


def no_random_token_opens(web: Web, person: Registration, times: int) -> None:
    seed = secrets.randbits(32)
    opened = [t for t in random_tokens(person, times, seed) if web.get(f"/r/{t}").status != 404]

    assert opened == [], f"seed {seed}"


@pytest.mark.promise("P8")
def test_a_few_random_tokens_open_nothing(web: Web, person: Registration) -> None:
    no_random_token_opens(web, person, FEW_TOKENS)


@pytest.mark.promise("P8")
@pytest.mark.sweep
def test_random_tokens_open_nothing(web: Web, person: Registration) -> None:
    no_random_token_opens(web, person, MANY_TOKENS)


# --------------------------------------------------------------------------- P9


def nobody_learns_who_is_registered(web: Web, table: Table, pairs: int, patch: pytest.MonkeyPatch) -> None:
    """A known and an unknown address: status, heads, body and the AWS calls behind are the same."""
    calls: list[str] = []
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    here = threading.get_ident()  # a stack that other tests of this process share has threads of its own

    def noted(self: Any, name: str, arguments: Any) -> Any:
        if threading.get_ident() == here:
            calls.append(name)
        return real(self, name, arguments)

    patch.setattr(botocore.client.BaseClient, "_make_api_call", noted)

    def ask(path: str, how: str, address: str) -> tuple[Any, ...]:
        calls.clear()
        body = GOOD | {"email": address} if path == AT else {"email": address}
        answer = send(web, path, body, how)
        cookies = [one.replace(address.partition("@")[0], "") for one in answer.cookies]
        return answer.status, dict(answer.headers), answer.body, cookies, list(calls)

    for number in range(pairs):
        known = f"known{number}@example.org"
        web.post(AT, GOOD | {"email": known})
        for how in ("json", "form"):
            for place, path in enumerate((AT, "/events/nature/links")):
                unknown = f"other{number}{how}{place}@example.org"  # the last one is known by now
                assert ask(path, how, known) == ask(path, how, unknown), (path, how, number)
    assert {mail.kind for mail in mails_of(table, "nature")} >= {"confirmation", "already-registered"}


@pytest.mark.promise("P9")
def test_a_few_pairs_of_addresses_look_the_same(web: Web, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_learns_who_is_registered(web, table, FEW_PAIRS, monkeypatch)


@pytest.mark.promise("P9")
@pytest.mark.sweep
def test_known_and_unknown_addresses_look_the_same(web: Web, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_learns_who_is_registered(web, table, MANY_PAIRS, monkeypatch)
