"""Why a person got these workshops, in words: what the allocator found, in the reader's language.

Attendees read it in the second person; organisers read about them in the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from shared.i18n import N_, ORGANISERS, Told, told, translations
from shared.models import Event, Says, Statement

_GOT = {
    Says.GOT: N_("%(theme)s (your %(rank)s choice)"),
    Says.EXPECTED: N_("%(theme)s (where you are expected)"),
    Says.UNRANKED: N_("%(theme)s (not among your choices)"),
}

_WHY = {
    Says.ABSENT: N_("You are absent in every round, so there is no workshop for you."),
    Says.AS_PUBLISHED: N_("These are the places published before, and nothing took them from you."),
    Says.NOT_OFFERED: N_("Your %(rank)s choice, %(theme)s, is not offered in the rounds you attend."),
    Says.NOT_OPEN: N_("%(theme)s, which you also ranked, is not open to you."),
    Says.PINNED: N_(
        "Your %(rank)s choice, %(theme)s, has seats left at %(slot)s, when you are expected in %(instead)s."
    ),
    Says.CLASH: N_(
        "Your %(rank)s choice, %(theme)s, has seats left at %(slot)s, the time of %(instead)s, which you rank higher."
    ),
    Says.MINIMUM: N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but %(instead)s needs its minimum of people then."
    ),
    Says.KEPT: N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but you keep %(instead)s, the place published "
        "before."
    ),
    Says.EQUAL: N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but counts no more than %(instead)s in the rules "
        "of this event."
    ),
    Says.LOTTERY: N_(
        "Your %(rank)s choice, %(theme)s, was decided by lot: other allocations with the same total give it to you, "
        "and the lots chose this one."
    ),
    Says.DEMAND: N_(
        "Your %(rank)s choice, %(theme)s, was full: %(others)s others ranked it as high or higher, for %(seats)s seats."
    ),
    Says.NO_SWAP: N_(
        "Your %(rank)s choice, %(theme)s, was full, and no swap with anyone there would have improved the outcome as a "
        "whole."
    ),
    Says.FULL: N_("Your %(rank)s choice, %(theme)s, was full: all %(seats)s seats are taken."),
    Says.MIX: N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with you there instead of in %(instead)s the "
        "mix of partners would be %(others)s people further out of balance."
    ),
    Says.NOT_FOUND: N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, and taking it would have been better for you; a "
        "better allocation was not found in time."
    ),
}

_MIX_OF_ONE = N_(
    "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with you there instead of in %(instead)s the "
    "mix of partners would be one person further out of balance."
)

_DEMAND_FOR_ONE = N_(
    "Your %(rank)s choice, %(theme)s, was full: %(others)s others ranked it as high or higher, and there was 1 seat."
)

_DEMAND_OF_ONE = N_(
    "Your %(rank)s choice, %(theme)s, was full: 1 other person ranked it as high or higher, and there was 1 seat."
)

_FULL_OF_ONE = N_("Your %(rank)s choice, %(theme)s, was full: its 1 seat is taken.")

_GOT_BY_THEM = {
    Says.GOT: told("%(theme)s (their %(rank)s choice)"),
    Says.EXPECTED: told("%(theme)s (where they are expected)"),
    Says.UNRANKED: told("%(theme)s (not among their choices)"),
}

_WHY_THEY = {
    Says.ABSENT: told("They are absent in every round, so there is no workshop for them."),
    Says.AS_PUBLISHED: told("These are the places published before, and nothing took them away."),
    Says.NOT_OFFERED: told("Their %(rank)s choice, %(theme)s, is not offered in the rounds they attend."),
    Says.NOT_OPEN: told("%(theme)s, which they also ranked, is not open to them."),
    Says.PINNED: told(
        "Their %(rank)s choice, %(theme)s, has seats left at %(slot)s, when they are expected in %(instead)s."
    ),
    Says.CLASH: told(
        "Their %(rank)s choice, %(theme)s, has seats left at %(slot)s, the time of %(instead)s, which they rank higher."
    ),
    Says.MINIMUM: told(
        "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, but %(instead)s needs its minimum of people "
        "then."
    ),
    Says.KEPT: told(
        "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, but they keep %(instead)s, the place published "
        "before."
    ),
    Says.EQUAL: told(
        "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, but counts no more than %(instead)s in the "
        "rules of this event."
    ),
    Says.LOTTERY: told(
        "Their %(rank)s choice, %(theme)s, was decided by lot: other allocations with the same total give it to them, "
        "and the lots chose this one."
    ),
    Says.DEMAND: told(
        "Their %(rank)s choice, %(theme)s, was full: %(others)s others ranked it as high or higher, for %(seats)s "
        "seats."
    ),
    Says.NO_SWAP: told(
        "Their %(rank)s choice, %(theme)s, was full, and no swap with anyone there would have improved the outcome as "
        "a whole."
    ),
    Says.FULL: told("Their %(rank)s choice, %(theme)s, was full: all %(seats)s seats are taken."),
    Says.MIX: told(
        "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with them there instead of in %(instead)s "
        "the mix of partners would be %(others)s people further out of balance."
    ),
    Says.NOT_FOUND: told(
        "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, and taking it would have been better for them; "
        "a better allocation was not found in time."
    ),
}

_OF_ONE: dict[str, tuple[str, str]] = {
    "mix": (
        _MIX_OF_ONE,
        told(
            "Their %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with them there instead of in "
            "%(instead)s the mix of partners would be one person further out of balance."
        ),
    ),
    "demand, one seat": (
        _DEMAND_FOR_ONE,
        told(
            "Their %(rank)s choice, %(theme)s, was full: %(others)s others ranked it as high or higher, and there was "
            "1 seat."
        ),
    ),
    "demand of one": (
        _DEMAND_OF_ONE,
        told(
            "Their %(rank)s choice, %(theme)s, was full: 1 other person ranked it as high or higher, and there was 1 "
            "seat."
        ),
    ),
    "full": (_FULL_OF_ONE, told("Their %(rank)s choice, %(theme)s, was full: its 1 seat is taken.")),
}
"""Statements about one person or one seat: to the attendee, and about the attendee."""

_BOTH = N_("%(some)s and %(last)s")


def in_words(reason: Sequence[Statement], event: Event, language: str = "en") -> str:
    """A reason in a language, as the attendee reads it, with titles of themes and hours of rounds; "" for none."""
    return Teller(event, language)(reason)


def about_them(reason: Sequence[Statement], event: Event, language: str = "en") -> str:
    """A reason in a language, as organisers read it about an attendee; "" for none."""
    return Teller(event, language, third_person=True)(reason)


MOST_KNOWN = 10_000
"""Statements whose words are remembered."""


class Teller:
    """Tells reasons of one event in one language, to the attendee or, in the third person, to organisers."""

    def __init__(self, event: Event, language: str = "en", *, third_person: bool = False) -> None:
        self.language, self.third_person = language, third_person
        # The words of organisers are in their own catalogue, which attendees' pages do not load.
        self.say = (translations(language, ORGANISERS) if third_person else translations(language)).gettext
        self.titles = {theme.id: theme.title for theme in event.in_language(language).themes}
        self.starts = {slot.id: f"{slot.start:%H:%M}" for slot in event.rounds}
        self._known: dict[Statement, str] = {}

    def __call__(self, reason: Sequence[Statement]) -> str:
        """One reason in words: what they got in one sentence, then a sentence for each choice missed."""
        kinds = _GOT_BY_THEM if self.third_person else _GOT
        got = [self._said(one) for one in reason if one.says in kinds]
        sentences = [self._said(one) for one in reason if one.says not in kinds]
        if got:
            some, last = ", ".join(got[:-1]), got[-1]
            sentences.insert(0, f"{self.say(_BOTH) % {'some': some, 'last': last} if some else last}.")
        return " ".join(sentences)

    def _said(self, one: Statement) -> str:
        """One statement in words; a crowd shares most of them."""
        known = self._known.get(one)
        if known is None:
            kinds = _GOT_BY_THEM if self.third_person else _GOT
            known = self.say(kinds[one.says] if one.says in kinds else self._words(one)) % self._facts(one)
            if len(self._known) < MOST_KNOWN:
                self._known[one] = known
        return known

    def _words(self, said: Statement) -> str:
        one = _of_one(said)
        if one:
            return _OF_ONE[one][self.third_person]
        return _WHY_THEY[said.says] if self.third_person else _WHY[said.says]

    def _facts(self, said: Statement) -> dict[str, str]:
        return {
            "theme": self.titles.get(said.theme, said.theme),
            "rank": ordinal(said.rank, self.language),
            "slot": self.starts.get(said.round, said.round),
            "instead": self.titles.get(said.instead, said.instead),
            "others": str(said.heads if said.says is Says.MIX else said.others),
            "seats": str(said.seats),
        }


def ordinal(number: int, language: str = "en") -> str:
    """1st, 2nd, 3rd, 4th … as it is written in a language: 1er in French, 1e in Dutch."""
    if language == "en":
        ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return f"{number}{ending}"
    return f"{number}er" if language == "fr" and number == 1 else f"{number}e"


class ToldOrdinal(Told):
    """An ordinal number: 1st, as a `str`, and 1er or 1e in its language."""

    def __new__(cls, number: int) -> Self:
        """The ordinal in English."""
        made = super().__new__(cls, ordinal(number), {})
        made.number = number
        return made

    def in_language(self, language: str) -> str:
        """The ordinal in a language."""
        return ordinal(self.number, language)


class ToldReason(Told):
    """A reason for organisers: in English, as a `str`, and in the reader's language."""

    reason: Sequence[Statement]
    event: Event

    def __new__(cls, reason: Sequence[Statement], event: Event) -> Self:
        """The reason in English."""
        made = super().__new__(cls, about_them(reason, event), {})
        made.reason, made.event = reason, event
        return made

    def in_language(self, language: str) -> str:
        """The reason in a language."""
        return about_them(self.reason, self.event, language)


def _of_one(said: Statement) -> str:
    """The words for one person or one seat that a statement takes; "" for none."""
    if said.says is Says.MIX and said.heads == 1:
        return "mix"
    if said.says is Says.DEMAND and said.seats == 1:
        return "demand of one" if said.others == 1 else "demand, one seat"
    return "full" if said.says is Says.FULL and said.seats == 1 else ""
