"""The audit list, read one page at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.errors import NotFoundError
from shared.events import audit_lines
from shared.i18n import told
from shared.models import Event
from shared.table import AUDIT, Item, Table, audit_sk

KEYS = ("at", "actor", "act", "about", "what")
"""What a line tells, in the order of the columns of its export."""

_LINE = re.compile(r"[0-9-]{10}T[0-9:.]{15}Z#[0-9a-f]{8}")
"""The key of a line without its prefix: its time, and random digits for lines of the same time."""

MOST_OF_A_PERSON = 20


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some lines of the audit list, the newest first; `older` is the key of the last when there are older ones."""

    lines: list[Item]
    before: str
    older: str


def read_page(table: Table, event: Event, before: str, size: int) -> AuditPage:
    """The newest lines, or the lines older than the one whose key is `before`. Raises NotFoundError for no such key."""
    if before and not _LINE.fullmatch(before):
        raise NotFoundError(told("There is no such line in the audit list. Start again at its newest."))
    read = audit_lines(table, event.id, before=audit_sk(before) if before else "", most_wanted=size + 1)
    lines = list(islice(read, size + 1))
    shown = lines[:size]
    older = str(shown[-1]["sk"]).removeprefix(AUDIT) if len(lines) > size else ""
    return AuditPage(shown, before, older)


def lines_about(table: Table, event: Event, registration: str) -> list[Item]:
    """The newest lines about a person."""
    return list(islice(audit_lines(table, event.id, about=registration), MOST_OF_A_PERSON))


def as_shown(page: AuditPage) -> dict[str, Any]:
    """A page of the audit list as programs read it."""
    return {"lines": [{key: line[key] for key in KEYS} for line in page.lines], "older": page.older}
