"""Numbers and moments in words, as organisers read them."""

from __future__ import annotations

from datetime import datetime

from shared.models import Event
from shared.models import moment as moment_of


def counted(number: int, singular: str, plural: str = "") -> str:
    """1 mail, 2 mails; 1 person, 2 people."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def local(stored: str, event: Event) -> str:
    """A stored moment in the event's time zone; "" for none."""
    return short_moment(moment_of(stored).astimezone(event.zone)) if stored else ""


def short_moment(when: datetime) -> str:
    """A moment in a table."""
    return when.strftime("%-d %b %Y, %H:%M")
