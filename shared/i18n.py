"""Words, dates and times in the visitor's language. English is what the code says; the catalogues translate it.

There are two catalogues in each language, so that an attendee's page does not load the words of organisers. `N_("…")`
marks a message for attendees. `told("…")` is a message for organisers: it reads as English, which is what programs,
logs and the table get, and a page shows it in the reader's language.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Self

LANGUAGES = {"en": "English", "nl": "Nederlands", "fr": "Français"}
"""Languages there is a catalogue for, by their own names."""

CATALOGUES = Path(__file__).parent / "locale"

ATTENDEES, ORGANISERS = "parcours", "organisers"
"""The catalogues. What the second lacks is looked up in the first."""


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
def translations(language: str, catalogue: str = ATTENDEES) -> gettext.NullTranslations:
    """A catalogue of a language, read when it is first asked for; what it lacks stays English."""
    found = gettext.translation(catalogue, CATALOGUES, languages=[language], fallback=True)
    if catalogue != ATTENDEES:
        found.add_fallback(translations(language))
    return found


class Told(str):
    """A message for organisers with its facts: English as a `str`, another language by `in_language`.

    Attributes
    ----------
    singular, plural
        The message as the catalogue has it; `plural` is "" for one that does not depend on `number`.
    facts
        What stands in its slots; a fact that is itself a message is translated with it.
    context
        What tells one message from another of the same English words, "" for most.
    """

    context: str = ""
    singular: str
    plural: str
    number: int
    facts: Mapping[str, object]

    def __new__(cls, singular: str, facts: Mapping[str, object], plural: str = "", number: int = 0) -> Self:
        """The message in English."""
        words = plural if plural and number != 1 else singular
        made = super().__new__(cls, words % facts if facts else words)
        made.singular, made.plural, made.number, made.facts = singular, plural, number, facts
        return made

    def __deepcopy__(self, _: object) -> Self:
        return self

    def counting(self, number: int) -> Told:
        """The same message about another number of things."""
        return Told(self.singular, {**self.facts, "num": number}, self.plural, number) if self.plural else self

    def in_language(self, language: str) -> str:
        """The message in a language; English where the catalogue lacks it."""
        known = translations(language, ORGANISERS)
        if self.context:
            words = known.pgettext(self.context, self.singular)
        elif self.plural:
            words = known.ngettext(self.singular, self.plural, self.number)
        else:
            words = known.gettext(self.singular)
        return words % {name: in_language(fact, language) for name, fact in self.facts.items()} if self.facts else words


class ToldMoment(Told):
    """A date, or a moment in the zone it carries, in words of the reader's language."""

    when: date

    def __new__(cls, when: date) -> Self:
        """The moment in English."""
        made = super().__new__(cls, _in_words(when, "en"), {})
        made.when = when
        return made

    def in_language(self, language: str) -> str:
        """The moment in a language."""
        return _in_words(self.when, language)


def _in_words(when: date, language: str) -> str:
    return day_and_clock(when, language) if isinstance(when, datetime) else day(when, language)


def told(message: str, **facts: object) -> Told:
    """A message for organisers, which pages show in the reader's language. Slots: `%(name)s`; with facts, `%` is `%%`.

    A message without facts stands as it is.
    """
    return Told(message, facts)


def told_as(context: str, message: str) -> Told:
    """A message for organisers whose English words mean several things, each with a context of its own."""
    made = Told(message, {})
    made.context = context
    return made


def told_many(singular: str, plural: str, number: int, **facts: object) -> Told:
    """A message for organisers about a number of things; both forms may say `%(num)s`."""
    return Told(singular, {"num": number, **facts}, plural, number)


LANGUAGE_WORDS: dict[str, Told] = {"en": told("English"), "nl": told("Dutch"), "fr": told("French")}
"""The same languages within a sentence, in the language of the sentence."""


def told_together(parts: Iterable[str], between: str = "; ") -> Told:
    """Several messages as one."""
    facts = {f"part{number}": part for number, part in enumerate(parts)}
    return Told(between.replace("%", "%%").join(f"%({name})s" for name in facts), facts)


def in_language(value: object, language: str) -> object:
    """A message, or a text of the event file, in a language; anything else as it is."""
    if isinstance(value, Told):
        return value.in_language(language)
    texts = getattr(value, "by_language", None) if isinstance(value, str) else None
    return texts.get(language, value) if texts else value


_SEPARATORS = {"en": (",", "."), "nl": (".", ","), "fr": ("\u202f", ",")}
"""Between thousands, and before decimals. A test holds them against CLDR."""


def number(value: float, language: str, digits: int = 0) -> str:
    """A number as a language writes it, with so many digits after the decimal sign: 1,234.50 or 1.234,50."""
    thousands, decimals = _SEPARATORS[language]
    return f"{value:,.{digits}f}".translate({ord(","): thousands, ord("."): decimals})


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
