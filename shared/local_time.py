"""Dates and times of the event file: text only, local to the event's zone, between the years 2000 and 2199.

YAML and JSON offer numbers, offsets and moments far outside any calendar. Each of them is refused here with the words
that tell how to write it, so that naive and aware times never meet and no date overflows when it is moved to UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer

from shared.i18n import told

FIRST_YEAR, LAST_YEAR = 2000, 2199
"""Years in which a day can lie. Moving a moment between zones stays far from the ends of the calendar."""

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::00)?")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::00(?:\.0+)?)?)")
_OFFSET = re.compile(r"(?:Z|[+-]\d{2}(?::?\d{2})?)$", re.IGNORECASE)

WRITE_TIME = told('write hours and minutes in quotes, such as "09:00"')
WRITE_DATE = told("write year, month and day, such as 2026-04-16")
WRITE_MOMENT = told("write date and time, such as 2026-04-16 18:00")
NO_OFFSET = told("leave the zone out: times are local to `timezone`")


def local_time(value: object) -> time:
    """A time of day from the text `HH:MM`. Raises ValueError that says how to write it."""
    if isinstance(value, time):
        if value.tzinfo is not None:
            raise ValueError(NO_OFFSET)
        return value.replace(second=0, microsecond=0)
    if not isinstance(value, str):
        raise ValueError(told("%(value)s is no time; %(how)s", value=_shown(value), how=WRITE_TIME))
    text = value.strip()
    found = _TIME.fullmatch(text)
    if found:
        return time(int(found[1]), int(found[2]))
    if _TIME.match(text) and _OFFSET.search(text):
        raise ValueError(told("%(name)s: %(words)s", name=_shown(value), words=NO_OFFSET))
    hours, _, minutes = text.replace(".", ":").replace("h", ":").partition(":")
    if hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit() and len(minutes) == 2:
        meant = f"{int(hours):02d}:{minutes}" if len(hours) <= 2 else ""
        if _TIME.fullmatch(meant):
            raise ValueError(told('%(value)s is no time; write "%(meant)s"', value=_shown(value), meant=meant))
    raise ValueError(told("%(value)s is no time; %(how)s", value=_shown(value), how=WRITE_TIME))


def local_date(value: object) -> date:
    """A date from the text `YYYY-MM-DD`. Raises ValueError that says how to write it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        found = value
    else:
        match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(told("%(value)s is no date; %(how)s", value=_shown(value), how=WRITE_DATE))
        try:
            found = date(*(int(part) for part in match.groups()))
        except ValueError:
            raise ValueError(
                told("%(value)s is no day of the calendar; %(how)s", value=_shown(value), how=WRITE_DATE)
            ) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(
            told(
                "%(value)s lies outside the years %(first)s to %(last)s; check the year",
                value=found.isoformat(),
                first=FIRST_YEAR,
                last=LAST_YEAR,
            )
        )
    return found


def local_moment(value: object) -> datetime:
    """A date and time from the text `YYYY-MM-DD HH:MM`, without a zone. Raises ValueError that says how to write it."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError(told("%(name)s: %(words)s", name=_shown(value), words=NO_OFFSET))
        local_date(value.date())
        return value.replace(second=0, microsecond=0)
    if not isinstance(value, str):
        raise ValueError(told("%(value)s is no date with a time; %(how)s", value=_shown(value), how=WRITE_MOMENT))
    text = value.strip()
    match = _MOMENT.fullmatch(text)
    if match is None:
        if _MOMENT.match(text) and _OFFSET.search(text):
            raise ValueError(told("%(name)s: %(words)s", name=_shown(value), words=NO_OFFSET))
        raise ValueError(told("%(value)s is no date with a time; %(how)s", value=_shown(value), how=WRITE_MOMENT))
    return datetime.combine(local_date(match[1]), local_time(match[2].split(".")[0]))


def exists(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether a local time occurs in a zone: the hour that is skipped when clocks go forward does not."""
    aware = moment.replace(tzinfo=zone)
    return aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment


def _shown(value: object) -> str:
    return repr(str(value)[:60]) if isinstance(value, str | datetime | date | time) else _plain(value)


def _plain(value: object) -> str:
    match value:
        case None:
            return told("nothing")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return told("the number %(number)s", number=str(getattr(value, "written", value))[:60])
        case list() | tuple():
            return told("a list")
        case dict():
            return told("a group of keys")
    return told("this")


LocalTime = Annotated[time, BeforeValidator(local_time), PlainSerializer(lambda t: f"{t:%H:%M}", when_used="json")]
"""A time of day, local to the event's zone."""

LocalDate = Annotated[date, BeforeValidator(local_date)]
"""A day between 2000 and 2199."""

LocalMoment = Annotated[
    datetime, BeforeValidator(local_moment), PlainSerializer(lambda m: f"{m:%Y-%m-%dT%H:%M}", when_used="json")
]
"""A date and time without a zone, local to the event's."""
