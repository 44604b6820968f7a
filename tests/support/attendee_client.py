"""Requests to a handler as API Gateway hands them over, and its answers as a browser or a script reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

HOST = "parcours.example.org"

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class LambdaContext:
    """What Powertools reads of the context."""

    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:test"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Always as long as the function may run."""
        return 14_000


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    cookies: list[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


def api_event(
    method: str, address: str, body: str | bytes = b"", *, source: str = "192.0.2.7", headers: Mapping[str, str]
) -> dict[str, Any]:
    """A request in payload format 2.0."""
    url = urlsplit(address)
    given = {name.lower(): value for name, value in headers.items()}
    cookies = [one.strip() for one in given.pop("cookie", "").split(";") if one.strip()]
    raw = body.encode() if isinstance(body, str) else body
    pairs = [pair.partition("=") for pair in url.query.split("&") if pair]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(url.path) or "/",
        "rawQueryString": url.query,
        "headers": {"host": HOST, **given},
        "requestContext": {
            "http": {"method": method, "path": unquote(url.path) or "/", "sourceIp": source},
            "stage": "$default",
            "requestId": "request",
        },
        "isBase64Encoded": bool(raw),
    }
    if pairs:
        event["queryStringParameters"] = {unquote(name): unquote(value) for name, _, value in pairs}
    if cookies:
        event["cookies"] = cookies
    if raw:
        event["body"] = base64.b64encode(raw).decode()
    return event


def read_answer(answered: Mapping[str, Any]) -> Answer:
    """An answer in payload format 2.0, read."""
    body = answered.get("body") or ""
    raw = base64.b64decode(body) if answered.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): str(value) for name, value in (answered.get("headers") or {}).items()}
    return Answer(int(answered["statusCode"]), headers, list(answered.get("cookies") or []), raw)


class Web:
    """A handler, called as a script (`get`, `post`, `call`) or as a browser (`visit`, `submit`) calls it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def send(
        self,
        method: str,
        address: str,
        body: str | bytes = b"",
        *,
        source: str = "192.0.2.7",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        event = api_event(method, address, body, source=source, headers=headers or {})
        return read_answer(self._handler(event, LambdaContext()))

    def call(self, method: str, address: str, body: object = None, **rest: Any) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/json", **rest.pop("headers", {})}
        return self.send(method, address, json.dumps({} if body is None else body), headers=headers, **rest)

    def get(self, address: str, **rest: Any) -> Answer:
        return self.send("GET", address, headers={"Accept": "application/json"}, **rest)

    def post(self, address: str, body: object = None, **rest: Any) -> Answer:
        return self.call("POST", address, body, **rest)

    def visit(self, address: str, **rest: Any) -> Answer:
        return self.send("GET", address, headers={"Accept": "text/html", **rest.pop("headers", {})}, **rest)

    def submit(self, address: str, fields: Mapping[str, Any], **rest: Any) -> Answer:
        form = "application/x-www-form-urlencoded"
        headers = {"Accept": "text/html", "Content-Type": form, "Origin": f"https://{HOST}", **rest.pop("headers", {})}
        return self.send("POST", address, urlencode(fields, doseq=True), headers=headers, **rest)
