"""Leaders of workshops: named in the event file, they take no seat, and see who is expected by a link of their own.

The link holds a digest of the address, not the address. It is valid as long as the event file names the leader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from shared.mails import mail_id
from shared.models import Event, Leader, Theme
from shared.table import Table, Write, address_digest, mails_pk
from shared.tasks import UPKEEP_DUE, task

LEADERS = "leaders"
"""The task of upkeep to mail their links to the leaders who have not had them yet."""


class Led(NamedTuple):
    """A theme and one of its leaders."""

    theme: Theme
    leader: Leader

    @property
    def rounds(self) -> list[str]:
        """The rounds whose workshops they lead; nothing means every round."""
        return self.leader.rounds

    def claim(self, event: Event) -> list[str | int]:
        """What the token of the link says (`tokens.LEADER_SALT`)."""
        return [event.id, self.theme.id, address_digest(self.leader.email)[:32]]

    @property
    def occasion(self) -> str:
        """What names the mail to this leader of this theme, without a name."""
        return hashlib.sha256(f"{self.theme.id} {address_digest(self.leader.email)}".encode()).hexdigest()[:16]


def all_led(event: Event) -> Iterator[Led]:
    """Every theme with each of its leaders."""
    return (Led(theme, leader) for theme in event.themes for leader in theme.leaders)


def find_led(event: Event, claim: list[str | int]) -> Led | None:
    """What a token is about, or None when the event file no longer names this leader."""
    return next((led for led in all_led(event) if led.claim(event) == claim), None)


def untold(table: Table, event: Event) -> list[Led]:
    """The leaders who have no mail with their link yet."""
    told = {row["sk"] for row in table.query(mails_pk(event.id), "leader-list#", only=("sk",))}
    return [led for led in all_led(event) if mail_id("leader-list", "", occasion=led.occasion) not in told]


def owe_links(event: Event, now: datetime) -> list[Write]:
    """The write that lets upkeep mail their links to leaders; none when there are no leaders, or the day is over."""
    if now >= event.ends_at or not any(theme.leaders for theme in event.themes):
        return []
    return [task(event.id, LEADERS, UPKEEP_DUE, now)]
