"""Mails as they are sent, shown to organisers: head, text, page and calendar entry, with links that do not work."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from shared.errors import NotFoundError
from shared.http import GUARDS
from shared.i18n import told
from shared.mails import mail_id, read_mail
from shared.models import Event, Mail, MailKind, Registration, utc
from shared.table import Table
from shared.tokens import Keys

SHOWS_A_MAIL = {
    "Content-Security-Policy": GUARDS["Content-Security-Policy"].replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    )
}
"""Headers of a page with a mail in a frame without scripts: mails carry their styles inline, as mail clients ask."""


class _OtherKeys(Keys):
    """Keys that sign nothing that verifies: who reads a mail here gets no link of the person it goes to."""

    def __init__(self) -> None:
        self._key = secrets.token_hex(32)

    def current(self) -> str:
        """A key that no function accepts."""
        return self._key

    def accepted(self) -> list[str]:
        """None."""
        return []


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail to read: its head, both bodies and the calendar entry; or only `why_not`, why it would not be sent."""

    to: str = ""
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    calendar: str = ""
    why_not: str = ""


def read_letter(table: Table, mail: Mail, *, now: datetime) -> Shown:
    """A mail as the mail function would write it now, with the links of its reader replaced."""
    from shared.letters.compose import BadAddressError, NothingToTellError, compose  # 100 ms that few pages need

    try:
        letter = compose(table, _OtherKeys(), mail, now=now)
    except NothingToTellError as error:
        return Shown(why_not=str(error))
    except BadAddressError:
        return Shown(why_not="nothing can be sent to what stands as the address")
    parsed = message_from_bytes(letter.raw, policy=policy.default)
    bodies = {part.get_content_type(): str(part.get_content()) for part in parsed.walk() if _is_text(part)}
    return Shown(
        to=str(parsed["To"]),
        sender=str(parsed["From"]),
        subject=str(parsed["Subject"]),
        text=bodies.get("text/plain", ""),
        html=bodies.get("text/html", ""),
        calendar=bodies.get("text/calendar", ""),
    )


def _is_text(part: EmailMessage) -> bool:  # type: ignore[type-arg, unused-ignore]
    return part.get_content_maintype() == "text"


def stored_mail(table: Table, event: Event, number: str) -> Mail:
    """A stored mail to a registration, by its id. Raises NotFoundError."""
    found = read_mail(table, event.id, number) if 0 < len(number) <= 200 else None
    if found is None or not found.registration or found.to:
        raise NotFoundError(told("There is no such mail to show."))
    return found


def draft_mail(event: Event, run: int, kind: MailKind, person: Registration, now: datetime) -> Mail:
    """The mail that the publication of a draft would write to a person."""
    number = mail_id(kind, person.id, run=run)
    about = {"event": event.id, "id": number, "kind": kind, "registration": person.id, "run": run}
    return Mail.model_validate({**about, "created_at": utc(now), "updated_at": utc(now)})
