"""Own links: only the text that was issued opens a registration, under the current key or the one before it."""

from __future__ import annotations

import random
import string

import boto3
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens import LINK_SALT, SIGN_IN_SALT, Keys, sign, sign_link, verify, verify_link

ALPHABET = string.ascii_letters + string.digits + "-_."


class FixedKeys(Keys):
    """Keys that need no AWS."""

    def __init__(self, *found: str) -> None:
        self._found = list(found)

    def _fresh(self) -> list[str]:
        return self._found


KEYS = FixedKeys("a current key of sixty-four characters, or nearly so, for a test")
TOKEN = sign_link(KEYS, "nature", "0123456789abcdef0123", 1)


def test_a_link_tells_its_event_registration_and_version() -> None:
    assert verify_link(KEYS, TOKEN) == ("nature", "0123456789abcdef0123", 1)


def test_no_single_changed_character_opens_anything() -> None:
    """Also where base64 leaves bits unused, so that several texts decode to the same bytes."""
    forged = (TOKEN[:at] + other + TOKEN[at + 1 :] for at in range(len(TOKEN)) for other in ALPHABET)

    assert [one for one in forged if one != TOKEN and verify_link(KEYS, one)] == []


def test_no_truncated_or_padded_link_opens_anything() -> None:
    cut = [TOKEN[:at] for at in range(len(TOKEN))]
    padded = [TOKEN + "=", TOKEN + "A", " " + TOKEN, TOKEN + "\n", TOKEN.upper(), TOKEN + TOKEN]

    assert [one for one in cut + padded if verify_link(KEYS, one)] == []


def test_ten_thousand_random_links_open_nothing() -> None:
    chance = random.Random(20261124)
    tokens = ("".join(chance.choices(ALPHABET, k=len(TOKEN))) for _ in range(10_000))

    assert [one for one in tokens if verify_link(KEYS, one)] == []


@given(st.text(max_size=700))
def test_no_text_whatever_opens_or_breaks_anything(text: str) -> None:
    assert verify_link(KEYS, text) is None


def test_a_sign_in_link_is_no_own_link() -> None:
    token = sign(KEYS, SIGN_IN_SALT, ["nature", "0123456789abcdef0123", 1])

    assert verify(KEYS, LINK_SALT, token) is None


def test_after_a_rotation_old_links_open_and_new_ones_are_signed_with_the_new_key() -> None:
    rotated = FixedKeys("the next key, which signs from now on", *KEYS.accepted())

    assert verify_link(rotated, TOKEN) == verify_link(KEYS, TOKEN)
    assert verify_link(KEYS, sign_link(rotated, "nature", "r", 1)) is None


def test_keys_come_from_secrets_manager_the_newest_first(keys: Keys) -> None:
    """The drill of the runbook: put a new value, and links signed before still open."""
    before = sign_link(keys, "nature", "r", 1)
    boto3.client("secretsmanager").put_secret_value(SecretId="parcours-signing-key", SecretString="key-two-" * 8)

    rotated = Keys(boto3.client("secretsmanager"), "parcours-signing-key")

    assert rotated.accepted() == ["key-two-" * 8, "key-one-" * 8]
    assert verify_link(rotated, before) == ("nature", "r", 1)
    assert rotated.current() not in sign_link(rotated, "nature", "r", 1)
