"""The demo's mailbox keeps mails as they were sent, passes SES calls on, and tells what became of them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from functools import cache
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.request import Request, urlopen

import pytest

from infra.demo.mailbox import Mailbox


class FakeSES(BaseHTTPRequestHandler):
    """Accepts every mail but those to `refused`, and remembers the headers it saw."""

    seen: ClassVar[list[dict[str, str]]] = []

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(dict(self.headers.items()))
        refused = b"refused" in base64.b64decode(json.loads(body)["Content"]["Raw"]["Data"])
        answer = json.dumps({"message": "no"} if refused else {"MessageId": f"ses-{len(self.seen)}"}).encode()
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mailbox before a fake SES."""
    FakeSES.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeSES)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Mailbox(f"http://127.0.0.1:{server.server_port}").serving() as box:
        yield box
    server.shutdown()
    server.server_close()


@cache
def make_mail(to: str) -> EmailMessage:
    """A mail of three parts."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Parcours <parcours@example.org>", to, "Hello"
    mail.set_content("Plain words\n")
    mail.add_alternative("<p>Rich words</p>", subtype="html")
    mail.add_attachment("BEGIN:VCALENDAR\nEND:VCALENDAR\n", subtype="calendar", filename="day.ics")
    return mail


def send(mailbox: Mailbox, to: str, **more: Any) -> int:
    """Send as the mail function does; the status of the answer."""
    raw = base64.b64encode(bytes(make_mail(to))).decode()
    content = {"Content": {"Raw": {"Data": raw}}, "Destination": {"ToAddresses": [to]}, **more}
    request = Request(f"{mailbox.url}/v2/email/outbound-emails", json.dumps(content).encode(), {"X-Signed": "by me"})
    try:
        with urlopen(request) as answer:
            return int(answer.status)
    except OSError as error:
        return int(getattr(error, "code", 0))


def send_raw(mailbox: Mailbox) -> None:
    """A POST whose answer is waited for without urllib's error handling."""
    connection = HTTPConnection("127.0.0.1", mailbox.port, timeout=30)
    try:
        connection.request("POST", "/v2/email/outbound-emails", b"{}")
        connection.getresponse()
    finally:
        connection.close()


def read(mailbox: Mailbox, path: str, accept: str = "text/html") -> str:
    """A page of the mailbox."""
    with urlopen(Request(mailbox.url + path, headers={"Accept": accept})) as answer:
        return str(answer.read().decode())


def test_a_mail_is_kept_byte_for_byte(mailbox: Mailbox) -> None:
    """With its parts, and under the id that SES gave."""
    assert send(mailbox, "ann@example.org") == 200

    (mail,) = mailbox.to("ann@example.org")
    assert mail.raw == bytes(make_mail("ann@example.org"))
    assert (mail.message_id, mail.subject) == ("ses-1", "Hello")
    assert mail.text == "Plain words\n"
    assert "Rich words" in mail.html
    assert mail.calendar.startswith("BEGIN:VCALENDAR")


def test_the_call_is_passed_on_as_it_was_signed(mailbox: Mailbox) -> None:
    """The signature covers the headers, the host too."""
    send(mailbox, "ann@example.org")

    assert FakeSES.seen[0]["X-Signed"] == "by me"
    assert FakeSES.seen[0]["Host"] == mailbox.url.removeprefix("http://")


def test_what_ses_refuses_is_no_mail(mailbox: Mailbox) -> None:
    """The function hears the refusal."""
    assert send(mailbox, "refused@example.org") == 400

    assert mailbox.mails == []


def test_feedback_is_told_what_became_of_a_mail(mailbox: Mailbox) -> None:
    """Sent and delivered, or sent and bounced, with the tags that name the row."""
    told: list[dict[str, Any]] = []
    mailbox.tell = told.append
    send(mailbox, "ann@example.org", ConfigurationSetName="set", EmailTags=[{"Name": "mail", "Value": "x"}])
    send(mailbox, "bounce.ann@example.org", ConfigurationSetName="set")
    deadline = time.monotonic() + 5
    while len(told) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [event["detail-type"] for event in told] == ["Email Sent", "Email Delivered", "Email Sent", "Email Bounced"]
    assert told[0]["detail"]["mail"]["tags"] == {"mail": ["x"], "ses:configuration-set": ["set"]}
    assert told[0]["detail"]["mail"]["messageId"] == "ses-1"
    assert told[3]["detail"]["bounce"]["bounceType"] == "Permanent"


def test_a_person_reads_the_mails(mailbox: Mailbox) -> None:
    """A list, a mail, its parts; nothing in a mail is trusted."""
    send(mailbox, "<script>@example.org")

    assert "&lt;script&gt;@example.org" in read(mailbox, "/")
    assert "Plain words" in read(mailbox, "/1")
    assert "sandbox" in read(mailbox, "/1")
    assert "Rich words" in read(mailbox, "/1/html")
    assert "VCALENDAR" in read(mailbox, "/1/calendar.ics")
    assert json.loads(read(mailbox, "/", "application/json"))[0]["subject"] == "Hello"


def test_links_of_a_mail_open_in_a_tab_of_their_own(mailbox: Mailbox) -> None:
    """Our pages refuse to be framed, so a link that stayed in the frame would show nothing."""
    send(mailbox, "ann@example.org")

    assert read(mailbox, "/1/html").startswith('<base target="_blank">')
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in read(mailbox, "/1")
    assert b"<base" not in mailbox.mails[0].raw


def test_the_list_tells_when_a_mail_came_and_notices_new_ones(mailbox: Mailbox) -> None:
    send(mailbox, "ann@example.org")

    assert "1 mail." in read(mailbox, "/")
    assert f"{mailbox.mails[0].at.astimezone():%H:%M:%S}" in read(mailbox, "/")
    assert read(mailbox, "/count") == "1"
    send(mailbox, "ben@example.org")
    assert read(mailbox, "/count") == "2"


def test_a_client_that_goes_before_its_answer_leaves_no_traceback(
    mailbox: Mailbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """A function that is stopped, or a cloud that is not there any more."""
    mailbox.endpoint_url = "http://127.0.0.1:9"
    with pytest.raises((ConnectionError, HTTPException)):
        send_raw(mailbox)

    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("path", ["/2", "/0", "/x", "/1/secret", "/²"])
def test_a_mail_that_is_not_there_is_not_found(mailbox: Mailbox, path: str) -> None:
    """404, not a broken page."""
    send(mailbox, "ann@example.org")
    with pytest.raises(OSError, match="404"):
        read(mailbox, path.replace("²", "%C2%B2"))
