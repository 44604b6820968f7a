"""Caps: how often one address or one source may do a thing in an hour, counted before anything is sent or stored."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta

from shared.table import LIMIT_PK, Table, limit_sk
from shared.text import address_key

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MAILS_A_MAILBOX_HOUR = 10
"""Mails that forms may cause to one mailbox in an hour, over all events and all spellings of its address."""

IGNORES_DOTS = frozenset({"gmail.com", "googlemail.com"})
"""Providers that deliver `a.b@` and `ab@` to the same mailbox, by their own documentation."""


def mailbox_of(address: str) -> str:
    """What counts as one mailbox: the address without its plus-part, and without dots where they do not count.

    For caps only: two such addresses may belong to two people elsewhere, and both may register.
    """
    local, _, host = address_key(address).rpartition("@")
    local = local.partition("+")[0] or local
    if host in IGNORES_DOTS:
        local, host = local.replace(".", ""), "gmail.com"
    return f"{local}@{host}"


def may_mail(table: Table, address: str, *, now: datetime) -> bool:
    """Count a mail that a form causes against its mailbox, and say whether it may still be sent.

    Past the cap the form is answered as always and the mail is withheld: a refusal would tell how often others
    entered this address.
    """
    return within_cap(table, "mailbox", mailbox_of(address), MAILS_A_MAILBOX_HOUR, now=now)


def within_cap(table: Table, what: str, who: str, most: int, *, now: datetime, span: timedelta = HOUR) -> bool:
    """Count once more and say whether it is still allowed in this span of time.

    Spans follow each other without overlap: with `span` an hour, the count begins anew at each full hour (UTC). The
    subject is kept as a digest, which expires soon after.
    """
    start = datetime.fromtimestamp(now.timestamp() // span.total_seconds() * span.total_seconds(), UTC)
    digest = hashlib.sha256(f"{who} {start:%Y%m%d%H%M}".encode()).hexdigest()[:32]
    ends = int((start + span + HOUR).timestamp())
    return table.count(LIMIT_PK, limit_sk(what, digest, start), expires=ends) <= most


def network_of(source: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 household is given whole."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
