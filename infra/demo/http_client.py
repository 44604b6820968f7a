"""HTTP as a person's browser or script speaks it to the running stack.

The address is `<api>.execute-api.localhost`, which browsers resolve themselves and Python's resolver may not:
connections go to loopback and name the host in their header.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from infra.cloud.embedded import LOOPBACK

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def location(self) -> str:
        """Where the answer points to."""
        return self.headers.get("location", "")


class HttpClient:
    """The running stack over HTTP; connections are kept, one a thread."""

    def __init__(self, public_url: str) -> None:
        self.public_url = public_url
        self._host = urlsplit(public_url).netloc
        self._port = urlsplit(public_url).port or 80
        self._local = threading.local()

    def get(
        self, address: str, *, accept: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET a path or one of our own links."""
        return self.send("GET", address, headers={"Accept": accept, **(headers or {})})

    def post(self, address: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """POST JSON, as a script does."""
        return self.call("POST", address, body, headers=headers)

    def call(
        self, method: str, address: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send JSON with any method."""
        given = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        return self.send(method, address, json.dumps({} if body is None else body).encode(), headers=given)

    def submit(self, address: str, fields: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> Answer:
        """POST a form, as a browser does, with its Origin."""
        form = "application/x-www-form-urlencoded"
        given = {"Accept": "text/html", "Content-Type": form, "Origin": self.public_url, **(headers or {})}
        return self.send("POST", address, urlencode(fields, doseq=True).encode(), headers=given)

    def send(
        self, method: str, address: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; a kept connection that the server has closed is opened again once."""
        path = address.removeprefix(self.public_url) or "/"
        if not path.startswith("/"):
            raise ValueError(f"{address} is no address of {self.public_url}")
        for attempt in (1, 2):
            connection, fresh = self._connection()
            try:
                connection.request(method, path, body, {"Host": self._host, **(headers or {})})
                answer = connection.getresponse()
                content = answer.read()
            except (HTTPException, ConnectionError):
                self._drop()
                if fresh or attempt == 2:
                    raise
            else:
                return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)
        raise AssertionError("unreachable")

    def _connection(self) -> tuple[HTTPConnection, bool]:
        kept: HTTPConnection | None = getattr(self._local, "connection", None)
        if kept is not None:
            return kept, False
        self._local.connection = HTTPConnection(LOOPBACK, self._port, timeout=TIMEOUT_SECONDS)
        return self._local.connection, True

    def _drop(self) -> None:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
