"""Numbers and moments in words, as organisers read them."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from shared.i18n import Told, in_language, told, told_as
from shared.models import Event
from shared.models import moment as moment_of

STATES: dict[str, Told] = {
    "confirmed": told("registered"),
    "waiting": told("waiting"),
    "offered": told("offered a place"),
    "withdrawn": told("withdrawn"),
    "no-show": told("not come"),
    "delegate": told("registered a group"),
}
"""The states of a registration within a sentence."""

SHORT_MONTHS = (
    told("Jan"),
    told("Feb"),
    told("Mar"),
    told("Apr"),
    told_as("short", "May"),
    told("Jun"),
    told("Jul"),
    told("Aug"),
    told("Sep"),
    told("Oct"),
    told("Nov"),
    told("Dec"),
)


class ShortMoment(Told):
    """A moment as a table and a sentence have it, in the reader's language."""

    when: datetime

    def __new__(cls, when: datetime) -> Self:
        """The moment in English."""
        made = super().__new__(cls, short_moment(when), {})
        made.when = when
        return made

    def in_language(self, language: str) -> str:
        """The moment in a language."""
        return short_moment(self.when, language)


def local(stored: str, event: Event, language: str = "en") -> str:
    """A stored moment in the event's time zone; "" for none."""
    return short_moment(moment_of(stored).astimezone(event.zone), language) if stored else ""


def short_moment(when: datetime, language: str = "en") -> str:
    """A moment in a table: 6 Nov 2026, 13:00."""
    return f"{when.day} {in_language(SHORT_MONTHS[when.month - 1], language)} {when:%Y, %H:%M}"
