"""The demo's mailbox: stands before the embedded SES, keeps every mail as it was sent, and shows them to a person.

MiniStack keeps subject and text of a raw mail and drops the rest, and it publishes no sending events. So the
functions' SES calls come here first. They are passed on unchanged, signature and all, so that permissions are still
judged; what SES accepted is kept byte for byte, and `feedback` is told what became of it, one event after another,
as SES tells it through EventBridge. An address whose local part starts with `bounce` bounces.
"""

from __future__ import annotations

import base64
import html
import http.client
import json
import queue
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from infra.cloud.embedded import LOOPBACK, REGION, free_port

ACCOUNT = "000000000000"
_SEND = "/v2/email/outbound-emails"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
:root {{ color-scheme: light dark }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886 }}
iframe {{ width: 100%; height: 80vh; border: 1px solid #8886; background: #fff }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere }} td {{ overflow-wrap: anywhere }}
</style>{body}</html>"""


_REFRESH = """<script>
setInterval(async () => {{ if (await (await fetch("/count")).text() !== "{count}") location.reload(); }}, 2000);
</script>"""
"""Shows new mails as they come; without scripts there is the link."""


@dataclass(frozen=True)
class SentMail:
    """A mail as SES took it."""

    number: int
    message_id: str
    to: str
    raw: bytes
    tags: Mapping[str, str]
    at: datetime
    """When SES took it."""

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101
        return parsed

    @cached_property
    def subject(self) -> str:
        """Its subject, read once and without the body: the list of hundreds of mails names each."""
        return str(BytesHeaderParser(policy=policy.default).parsebytes(self.raw)["Subject"] or "")

    @property
    def text(self) -> str:
        """Its plain text part."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""

    @property
    def html(self) -> str:
        """Its HTML part."""
        part = self.message.get_body(("html",))
        return str(part.get_content()) if part else ""

    @property
    def calendar(self) -> str:
        """Its calendar entry."""
        entries = [part for part in self.message.walk() if part.get_content_type() == "text/calendar"]
        content = entries[0].get_payload(decode=True) if entries else b""
        return content.decode("utf-8") if isinstance(content, bytes) else ""


class _Server(ThreadingHTTPServer):
    """A server whose clients may go before they are answered: functions are stopped, browsers close pages."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print faults of our own, not a client that has gone."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | http.client.HTTPException):
            super().handle_error(request, client_address)


class Mailbox:
    """Every mail sent so far, and the server that takes and shows them. `kind` is the mail row's, told by its tags."""

    def __init__(self, endpoint_url: str = "", port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.endpoint_url = endpoint_url
        self.tell: Callable[[dict[str, Any]], None] = lambda _event: None
        self.undelivered = 0
        """SES events that nobody took."""
        self._closing = False
        self._mails: list[SentMail] = []
        self._lock = threading.Lock()
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    @contextmanager
    def serving(self) -> Iterator[Mailbox]:
        """Serve on loopback as long as the block runs."""
        server = _Server((LOOPBACK, self.port), _handler(self))
        threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
            threading.Thread(target=self._tell_events, daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._events.put(None)
            server.shutdown()
            server.server_close()

    @property
    def mails(self) -> list[SentMail]:
        """Every mail so far, in the order SES took them."""
        with self._lock:
            return list(self._mails)

    def to(self, address: str) -> list[SentMail]:
        """The mails to one address."""
        return [mail for mail in self.mails if mail.to == address]

    def take(self, request: Mapping[str, Any], message_id: str) -> None:
        """Keep a mail that SES accepted, and queue the events it causes."""
        raw = base64.b64decode(request["Content"]["Raw"]["Data"])
        parsed = message_from_bytes(raw, policy=policy.default)
        to = (request.get("Destination", {}).get("ToAddresses") or [str(parsed["To"])])[0]
        tags = {tag["Name"]: tag["Value"] for tag in request.get("EmailTags", [])}
        with self._lock:
            self._mails.append(SentMail(len(self._mails) + 1, message_id, to, raw, tags, datetime.now(UTC)))
        configuration_set = request.get("ConfigurationSetName", "")
        if configuration_set:
            outcome = "Bounce" if to.startswith("bounce") else "Delivery"
            for kind in ("Send", outcome):
                self._events.put(_ses_event(kind, message_id, to, {**tags, "ses:configuration-set": configuration_set}))

    def close_events(self) -> None:
        """Tell nobody of mails any more: the cloud is about to stop, and an event on its way fails with it."""
        self._closing = True

    def _tell_events(self) -> None:
        """One event at a time: a laptop should not start a worker for each."""
        while (event := self._events.get()) is not None and not self._closing:
            try:
                self.tell(event)
            except Exception as error:
                if self._closing:
                    return
                if not self.undelivered:
                    print(f"mailbox: an SES event was not delivered (more are only counted): {error}", flush=True)
                self.undelivered += 1


_DETAIL_TYPES = {"Send": "Email Sent", "Delivery": "Email Delivered", "Bounce": "Email Bounced"}


def _ses_event(kind: str, message_id: str, to: str, tags: Mapping[str, str]) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    detail: dict[str, Any] = {
        "eventType": kind,
        "mail": {
            "timestamp": now,
            "messageId": message_id,
            "destination": [to],
            "tags": {name: [value] for name, value in tags.items()},
        },
        kind.lower(): {},
    }
    if kind == "Bounce":
        detail["bounce"] = {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": to}],
            "timestamp": now,
        }
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": _DETAIL_TYPES[kind],
        "source": "aws.ses",
        "account": ACCOUNT,
        "time": now,
        "region": REGION,
        "resources": [],
        "detail": detail,
    }


def _handler(mailbox: Mailbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: addresses stand in the paths."""

        def do_POST(self) -> None:
            self._pass_on()

        def do_PUT(self) -> None:
            self._pass_on()

        def do_GET(self) -> None:
            if self.path.startswith("/v2/"):
                self._pass_on()
            else:
                status, kind, body = _page(mailbox, urlsplit(self.path).path, self.headers.get("Accept", ""))
                self._answer(status, {"Content-Type": kind, "X-Content-Type-Options": "nosniff"}, body)

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = urlsplit(mailbox.endpoint_url)
            connection = http.client.HTTPConnection(target.hostname or LOOPBACK, target.port, timeout=30)
            try:
                # The headers as they came, Host too: the signature covers them.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "connection":
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if self.path == _SEND and answer.status == 200:
                mailbox.take(json.loads(body), json.loads(content)["MessageId"])
            hop = {"connection", "transfer-encoding", "content-length", "server", "date"}
            self._answer(answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in hop}, content)

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _page(mailbox: Mailbox, path: str, accept: str) -> tuple[int, str, bytes]:
    """The list at /, its length at /count, a mail at /<number>, and below it its html, calendar and raw text."""
    mails = mailbox.mails
    if path == "/count":
        return 200, "text/plain", str(len(mails)).encode()
    if path == "/":
        if "application/json" in accept:
            rows = [{"number": m.number, "to": m.to, "subject": m.subject, "text": m.text} for m in mails]
            return 200, "application/json", json.dumps(rows).encode()
        return 200, "text/html; charset=utf-8", _list(mails).encode()
    number, _, part = path.strip("/").partition("/")
    if not number.isdecimal() or not 0 < int(number) <= len(mails):
        return 404, "text/plain", b"There is no such mail.\n"
    mail = mails[int(number) - 1]
    parts: dict[str, tuple[str, Callable[[], bytes]]] = {
        "": ("text/html; charset=utf-8", lambda: _one(mail).encode()),
        "html": ("text/html; charset=utf-8", lambda: _framed(mail.html).encode()),
        "calendar.ics": ("text/calendar; charset=utf-8", lambda: mail.calendar.encode()),
        "raw": ("text/plain; charset=us-ascii", lambda: mail.raw),
    }
    if part not in parts:
        return 404, "text/plain", b"This mail has no such part.\n"
    kind, content = parts[part]
    return 200, kind, content()


def _list(mails: list[SentMail]) -> str:
    rows = "".join(
        f"<tr><td>{mail.number}<td>{mail.at.astimezone():%H:%M:%S}"
        f'<td><a href="/{mail.number}">{html.escape(mail.subject)}</a><td>{html.escape(mail.to)}'
        for mail in reversed(mails)
    )
    count = "1 mail" if len(mails) == 1 else f"{len(mails)} mails, the newest first"
    body = f'<h1>Mailbox</h1><p>{count}. Nothing has left this machine. <a href="/">Refresh</a>'
    table = f"<table><tr><th>No.<th>Time<th>Subject<th>To{rows}</table>"
    return _PAGE.format(title="Mailbox", body=body + table + _REFRESH.format(count=len(mails)))


def _framed(content: str) -> str:
    """A mail's HTML whose links open in a new tab: our pages refuse, rightly, to be shown inside a frame."""
    base = '<base target="_blank">'
    return content.replace("<head>", f"<head>{base}", 1) if "<head>" in content else base + content


def _linked(text: str) -> str:
    """Plain text as HTML, its addresses as links that open in a new tab."""
    return re.sub(r"(https?://[^\s<]*[\w/=~-])", r'<a href="\1" target="_blank">\1</a>', html.escape(text))


def _one(mail: SentMail) -> str:
    entry = ' · <a href="calendar.ics">calendar entry</a>' if mail.calendar else ""
    head = "".join(
        f"<tr><th>{name}<td>{html.escape(str(mail.message[name] or ''))}" for name in ("From", "To", "Reply-To", "Date")
    )
    links = f'<p><a href="/">All mails</a> · <a href="/{mail.number}/raw">as it was sent</a>'
    links += entry.replace("calendar.ics", f"/{mail.number}/calendar.ics")
    sandbox = "allow-popups allow-popups-to-escape-sandbox"
    frame = f'<iframe title="The mail" sandbox="{sandbox}" src="/{mail.number}/html"></iframe>'
    text = f"<h2>As plain text</h2><pre>{_linked(mail.text)}</pre>"
    body = f"{links}<h1>{html.escape(mail.subject)}</h1><table>{head}</table><p>{frame}{text}"
    return _PAGE.format(title=html.escape(mail.subject), body=body)
