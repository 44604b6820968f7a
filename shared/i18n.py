"""Words, dates and times in the visitor's language. English is what the code says; the catalogues translate it."""

from __future__ import annotations

import gettext
from datetime import date, datetime, time
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "nl": "Nederlands", "fr": "Français"}
"""Languages there is a catalogue for, by their own names."""

CATALOGUES = Path(__file__).parent / "locale"


def N_(message: str) -> str:  # noqa: N802
    """Mark a message for the catalogue where it is written; it is translated where it is shown."""
    return message


def language_for(*wishes: str) -> str:
    """The first of these languages there is a catalogue for, else English."""
    return next((wish for wish in wishes if wish in LANGUAGES), "en")


# Names of days and months are messages like any other; Babel would bring 32 MB of CLDR data into the layer for them.
# A test holds their translations against CLDR.
WEEKDAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)
N_("%(weekday)s %(day)s %(month)s %(year)s")


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; what it lacks stays English."""
    return gettext.translation("parcours", CATALOGUES, languages=[language], fallback=True)


def day(when: date | datetime, language: str) -> str:
    """A date in words, with its weekday: "Wednesday 6 November 2024"."""
    translate = translations(language).gettext
    first = when.day == 1 and language == "fr"  # le 1er avril, le 2 avril
    return translate("%(weekday)s %(day)s %(month)s %(year)s") % {
        "weekday": translate(WEEKDAYS[when.weekday()]),
        "day": "1er" if first else when.day,
        "month": translate(MONTHS[when.month - 1]),
        "year": when.year,
    }


def clock(when: time | datetime) -> str:
    """A time of day as it is read in all our languages: 13:00."""
    return f"{when:%H:%M}"


def day_and_clock(when: datetime, language: str) -> str:
    """A moment in words, in the zone it carries."""
    return f"{day(when, language)}, {clock(when)}"
