"""Caps: how often one address or one source may do a thing in an hour, counted before anything is sent or stored."""

from __future__ import annotations

import ipaddress
import math
from datetime import UTC, datetime, timedelta

from shared.table import LIMIT_PK, Table, limit_sk
from shared.text import address_key
from shared.tokens import Keys, keyed_digest

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MAILS_A_MAILBOX_HOUR = 10
"""Mails that forms may cause to one mailbox in an hour, over all events and all spellings of its address."""

COSTLY_READS_A_MINUTE = 300
"""Reads of many rows that one network address may ask for in a minute. A school of a thousand that opens the same page
within a few minutes stays below."""

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


def may_mail(table: Table, keys: Keys, address: str, *, now: datetime) -> bool:
    """Count a mail that a form causes against its mailbox, and say whether it may still be sent.

    Past the cap the form is answered as always and the mail is withheld: a refusal would tell how often others
    entered this address.
    """
    return within_cap(table, keys, "mailbox", mailbox_of(address), MAILS_A_MAILBOX_HOUR, now=now)


def within_cap(
    table: Table, keys: Keys, what: str, who: str, most: int, *, now: datetime, span: timedelta = HOUR, number: int = 1
) -> bool:
    """Count `number` more if that is still allowed in this span of time; what is refused is not counted.

    Spans follow each other without overlap: with `span` an hour, the count begins anew at each full hour (UTC). More
    than `most` at once is counted as `most`, so that it is allowed in a span that has seen nothing yet. The subject is
    kept as a keyed digest, which expires soon after.
    """
    start = _start_of(span, now)
    digest = keyed_digest(keys, f"{who} {start:%Y%m%d%H%M}")[:32]
    ends = int((start + span + HOUR).timestamp())
    return table.count(LIMIT_PK, limit_sk(what, digest, start), min(number, max(most, 1)), most=most, expires=ends)


def seconds_left(now: datetime, span: timedelta) -> int:
    """Seconds until the next span begins and a cap counts anew, for the header Retry-After."""
    return math.ceil((_start_of(span, now) + span - now).total_seconds())


def _start_of(span: timedelta, now: datetime) -> datetime:
    return datetime.fromtimestamp(now.timestamp() // span.total_seconds() * span.total_seconds(), UTC)


def network_of(source: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 household is given whole."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
