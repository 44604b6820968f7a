"""A browser and a program in front of the organisers' function, without HTTP in between."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from shared.acts import Act
from shared.events import audit
from shared.mails import mail_item, mails_of
from shared.models import Event, Mail, MailState, Registration, RegistrationState, utc
from shared.table import Table, event_pk, registration_sk, update
from shared.tokens import SIGN_IN_SALT, Keys, sign

CONTEXT: Any = SimpleNamespace(
    function_name="organise",
    memory_limit_in_mb=128,
    invoked_function_arn="arn",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 300_000,
)
HOST = "parcours.example.org"


@dataclass
class Answer:
    """An answer as API Gateway would send it."""

    status: int
    headers: dict[str, str]
    content: bytes
    cookies: list[str]

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Client:
    """A person in front of `functions.organise.app`, signed in or not."""

    app: ModuleType
    table: Table
    keys: Keys
    token: str = ""
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, body: str | bytes = "", *, accept: str = "application/json", **headers: str
    ) -> Answer:
        """One request, exactly as given."""
        path, _, query = path.partition("?")
        sent = {"host": HOST, "accept": accept, **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        binary = isinstance(body, bytes)
        answer = self.app.handler(
            {
                "version": "2.0",
                "routeKey": "ANY /organise/{proxy+}",
                "rawPath": path,
                "rawQueryString": query,
                "queryStringParameters": dict(one.split("=", 1) for one in query.split("&")) if query else None,
                "cookies": [self.cookie] if self.cookie else [],
                "headers": sent,
                "requestContext": {
                    "http": {"method": method, "path": path, "sourceIp": "192.0.2.7"},
                    "stage": "$default",
                    "requestId": "r",
                },
                "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
                "isBase64Encoded": binary,
            },
            CONTEXT,
        )
        raw = answer.get("body") or ""
        content = base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()
        headers_back = {name.lower(): value for name, value in answer["headers"].items()}
        return Answer(answer["statusCode"], headers_back, content, answer.get("cookies", []))

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def send(self, method: str, path: str, body: object) -> Answer:
        """Send JSON."""
        return self.call(method, path, json.dumps(body), content_type="application/json")

    def post(self, path: str, body: object) -> Answer:
        return self.send("POST", path, body)

    def patch(self, path: str, body: object) -> Answer:
        return self.send("PATCH", path, body)

    def page(self, path: str) -> Answer:
        """Open a page as a browser does."""
        return self.call("GET", path, accept="text/html")

    def submit(self, path: str, fields: dict[str, Any] | list[tuple[str, str]]) -> Answer:
        """Send a form as a browser does."""
        return self.call(
            "POST",
            path,
            urlencode(fields, doseq=True),
            accept="text/html",
            content_type="application/x-www-form-urlencoded",
            origin=f"https://{HOST}",
        )

    def ask_link(self, event: Event, address: str) -> str:
        """Ask for a sign-in link and take its token out of the mail."""
        known = {mail.id for mail in sign_in_mails(self.table, event)}
        self.post("/organise/sign-in", {"email": address})
        (mail,) = (mail for mail in sign_in_mails(self.table, event) if mail.id not in known)
        return sign(self.keys, SIGN_IN_SALT, [event.id, mail.facts["nonce"]])

    def sign_in(self, event: Event, address: str = "organiser@example.org") -> Client:
        """Sign in as a program does."""
        token = self.ask_link(event, address)
        self.token = self.post(f"/organise/sign-in/{token}", {}).json["token"]
        return self

    def sign_in_browser(self, event: Event, address: str = "organiser@example.org") -> Client:
        """Sign in as a browser does."""
        answer = self.submit(f"/organise/sign-in/{self.ask_link(event, address)}", {})
        self.cookie = answer.cookies[0].split(";")[0]
        return self


def sign_in_mails(table: Table, event: Event) -> list[Mail]:
    return list(mails_of(table, event.id, "sign-in#"))


def at(app: ModuleType, moment: datetime) -> None:
    """Set the function's clock; it ticks a millisecond at every look, so that acts have an order."""
    ticks = count()
    setattr(app, "clock", lambda: moment + timedelta(milliseconds=next(ticks)))  # noqa: B010


def words_of(page: str) -> str:
    """A page's words, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def make_crowd(event: Event, count: int, now: datetime) -> list[Registration]:
    """So many people of an event, the same every time; a few have withdrawn, from a few mail came back."""
    themes, kinds = [theme.id for theme in event.themes], [kind.id for kind in event.partner_types]
    return [
        Registration(
            event=event.id,
            id=f"{number:020x}",
            state=RegistrationState.WITHDRAWN if number % 50 == 49 else RegistrationState.CONFIRMED,
            name=f"Person {number}",
            email=f"person{number}@{'example.org' if number % 3 else 'example.net'}",
            organisation=f"Organisation {number % 97}",
            partner_type=kinds[number % len(kinds)],
            choices=[*themes[number % len(themes) :], *themes[: number % len(themes)]],
            bounced=number % 40 == 7,
            created_at=utc(now + timedelta(seconds=number)),
            updated_at=utc(now + timedelta(seconds=number)),
        )
        for number in range(count)
    ]


def fill(table: Table, event: Event, people: list[Registration], now: datetime) -> None:
    """Store people with their confirmations, sent, and an audit line each, as if organisers had added them all.

    Written in batches, past the transactions that `shared.registrations` makes of each: 2,000 people in seconds.
    """
    confirmations = [
        Mail(
            event=event.id,
            id=f"confirmation#{one.id}",
            kind="confirmation",
            state=MailState.SENT,
            registration=one.id,
            bounced=one.bounced,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )
        for one in people
    ]
    lines = [audit(event.id, "organiser@example.org", Act.ADD_PERSON, now=now, about=one.id) for one in people]
    table.put_all(
        {"pk": event_pk(event.id), "sk": registration_sk(one.id), "type": "registration", **one.model_dump(mode="json")}
        for one in people
    )
    table.put_all(mail_item(mail, due_at=mail.created_at) for mail in confirmations)
    for start in range(0, len(lines), 100):
        table.write(*lines[start : start + 100])
    confirmed = sum(one.state is RegistrationState.CONFIRMED for one in people)
    table.write(update(event_pk(event.id), "STATE", assign={"confirmed": confirmed}))
