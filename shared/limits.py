"""Caps: how often one address or one source may do a thing in an hour, counted before anything is sent or stored."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta

from shared.table import LIMIT_PK, Table, limit_sk


def within_cap(table: Table, what: str, who: str, most: int, *, now: datetime) -> bool:
    """Count one more and say whether it is still allowed. Who it is stays a digest, and goes with the hour."""
    digest = hashlib.sha256(who.encode()).hexdigest()[:32]
    ends = int((now + timedelta(hours=2)).timestamp())
    return table.count(LIMIT_PK, limit_sk(what, digest, now), expires=ends) <= most


def network_of(source: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 household is given whole."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
