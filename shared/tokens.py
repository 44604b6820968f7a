"""Links that prove themselves: signed with a key from Secrets Manager, two keys valid at once.

A link is derived from the registration and the key, so no secret is stored beside a person, and a new
`link_version` revokes the old link. Verification re-signs what was read and compares in constant time, so
that of the several texts that decode to the same bytes only the one that was issued is accepted.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

KEY_SECONDS = 300
"""How long keys are remembered before they are read again; a rotated key counts after this many seconds."""

LINK_SALT = "parcours.link"
SIGN_IN_SALT = "parcours.sign-in"
PREVIEW_SALT = "parcours.preview"
LEADER_SALT = "parcours.leader"
CALENDAR_SALT = "parcours.calendar"
"""Of the address that a calendar subscribes to: it shows the day and changes nothing, unlike the own link."""
LONGEST_TOKEN = 600

SIGN_IN_FOR = timedelta(minutes=15)
"""How long a mailed sign-in link may be used."""


class Keys:
    """The signing keys, newest first: the current one signs, the current and the previous one verify."""

    def __init__(self, client: Any, secret_arn: str) -> None:
        self._client, self._secret_arn = client, secret_arn
        self._keys: list[str] = []
        self._read_at = float("-inf")

    def current(self) -> str:
        """The key that signs."""
        return self._fresh()[0]

    def accepted(self) -> list[str]:
        """Every key that verifies, newest first."""
        return self._fresh()

    def _fresh(self) -> list[str]:
        if time.monotonic() - self._read_at > KEY_SECONDS:
            found = [self._read("AWSCURRENT")]
            with suppress(self._client.exceptions.ResourceNotFoundException):  # never rotated: no previous key
                found.append(self._read("AWSPREVIOUS"))
            self._keys, self._read_at = found, time.monotonic()
        return self._keys

    def _read(self, stage: str) -> str:
        return str(self._client.get_secret_value(SecretId=self._secret_arn, VersionStage=stage)["SecretString"])


def sign(keys: Keys, salt: str, payload: list[str | int]) -> str:
    """A token for this payload, under the current key."""
    return _serializer(keys.current(), salt).dumps(payload)


def verify(keys: Keys, salt: str, token: str) -> list[Any] | None:
    """The payload of a token that one of the accepted keys signed, else None."""
    if not 0 < len(token) <= LONGEST_TOKEN or not token.isascii():
        return None
    for key in keys.accepted():
        serializer = _serializer(key, salt)
        try:
            payload = serializer.loads(token)
        except BadData:
            continue
        if isinstance(payload, list) and hmac.compare_digest(str(serializer.dumps(payload)), token):
            return payload
    return None


def keyed_digest(keys: Keys, text: str) -> str:
    """HMAC-SHA256 of a text in hexadecimal, of which only a holder of the current key can confirm a guess."""
    return hmac.new(keys.current().encode(), f"parcours.digest\n{text}".encode(), hashlib.sha256).hexdigest()


def sign_link(keys: Keys, event: str, registration: str, version: int) -> str:
    """The token of a registration's own link."""
    return sign(keys, LINK_SALT, [event, registration, version])


def verify_link(keys: Keys, token: str) -> tuple[str, str, int] | None:
    """Event, registration and link version of an own link's token, else None."""
    payload = verify(keys, LINK_SALT, token)
    match payload:
        case [str(event), str(registration), int(version)]:
            return event, registration, version
    return None


def _serializer(key: str, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})
