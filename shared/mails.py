"""Mail rows: writing one, in the transaction of what it reports, is sending it.

The id is derived from what is reported, so the same news is never two mails. The relay carries the id from the
table's stream to the mail queue; a row stays in the index `due` until it is sent or given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.models import Mail, MailKind, MailState, utc
from shared.table import Absent, Item, Table, Write, put

DUE = "mail"
"""Name of the mails' part of the index `due`."""


def mails_pk(event: str) -> str:
    """Partition that holds the mails of an event."""
    return f"MAIL#{event}"


def mail_id(kind: MailKind, registration: str, *, run: int = 0, occasion: str = "") -> str:
    """The id of a mail: `<kind>[#<run>]#<registration>[#<occasion>]`, the run for programmes."""
    about = f"{run}#{registration}" if run else registration
    return f"{kind}#{about}" + (f"#{occasion}" if occasion else "")


def send(
    kind: MailKind,
    event: str,
    registration: str,
    *,
    now: datetime,
    run: int = 0,
    occasion: str = "",
    to: str = "",
    language: str = "",
    facts: Mapping[str, str] | None = None,
    held: bool = False,
) -> Write:
    """The write that sends a mail; it refuses if the same mail was written before."""
    mail = Mail(
        event=event,
        id=mail_id(kind, registration, run=run, occasion=occasion),
        kind=kind,
        state=MailState.HELD if held else MailState.PENDING,
        registration=registration,
        run=run,
        to=to,
        language=language,
        facts=dict(facts or {}),
        created_at=utc(now),
        updated_at=utc(now),
    )
    return put(mail_item(mail, due_at=utc(now)), expect={"pk": Absent()})


def mail_item(mail: Mail, *, due_at: str) -> dict[str, Any]:
    """The stored form of a mail; only one that still has to go out stands in the index."""
    item = {"pk": mails_pk(mail.event), "sk": mail.id, "type": "mail", **mail.model_dump(mode="json")}
    if mail.state in {MailState.PENDING, MailState.SENDING}:
        item |= {"due": DUE, "due_at": due_at}
    return item


def read_mail(table: Table, event: str, mail: str) -> Mail | None:
    """One mail row, or None."""
    found = table.get(mails_pk(event), mail)
    return as_mail(found) if found else None


def mails_of(table: Table, event: str, prefix: str = "") -> Iterator[Mail]:
    """Every mail of an event, or those whose id starts with `prefix`."""
    return map(as_mail, table.query(mails_pk(event), prefix))


def as_mail(item: Item) -> Mail:
    """The mail in a stored item."""
    return Mail.model_validate({key: value for key, value in item.items() if key in Mail.model_fields})
