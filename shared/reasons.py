"""Why somebody got these workshops, in the language they read.

The allocator gives a reason in English, once for each run. Here it is read back, sentence by sentence, and said in the
reader's language with the hours of a round instead of its id. A reason that does not read as expected, because a
theme was renamed since, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.i18n import N_, translations
from shared.models import Event

_GOT = {
    "{theme} (your {rank} choice)": N_("%(theme)s (your %(rank)s choice)"),
    "{theme} (where you are expected)": N_("%(theme)s (where you are expected)"),
    "{theme} (not among your choices)": N_("%(theme)s (not among your choices)"),
}

_ALONE = {
    "You are absent in every round, so there is no workshop for you.": N_(
        "You are absent in every round, so there is no workshop for you."
    ),
    "These are the places published before, and nothing took them from you.": N_(
        "These are the places published before, and nothing took them from you."
    ),
}

_WHY = {
    "Your {rank} choice, {theme}, is not offered in the rounds you attend.": N_(
        "Your %(rank)s choice, %(theme)s, is not offered in the rounds you attend."
    ),
    "Your {rank} choice, {theme}, has seats left only in {slot}, where you are expected in {instead}.": N_(
        "Your %(rank)s choice, %(theme)s, has seats left only at %(slot)s, when you are expected in %(instead)s."
    ),
    "Your {rank} choice, {theme}, has seats left only in {slot}, the time of {instead}, which you rank higher.": N_(
        "Your %(rank)s choice, %(theme)s, has seats left only at %(slot)s, the time of %(instead)s, which you rank "
        "higher."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, but {instead} needs its minimum of people then.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but %(instead)s needs its minimum of people then."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, but you keep {instead}, the place published before.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but you keep %(instead)s, the place published "
        "before."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, but counts no more than {instead} in the rules of this "
    "event.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but counts no more than %(instead)s in the rules "
        "of this event."
    ),
    "Your {rank} choice, {theme}, was full: the lottery gave its last seats to people with the same wishes as "
    "yours.": N_(
        "Your %(rank)s choice, %(theme)s, was full: the lottery gave its last seats to people with the same wishes as "
        "yours."
    ),
    "Your {rank} choice, {theme}, was full: {others} others ranked it as high or higher, for {seats} seats.": N_(
        "Your %(rank)s choice, %(theme)s, was full: %(others)s others ranked it as high or higher, for %(seats)s seats."
    ),
    "Your {rank} choice, {theme}, was full, and no swap with anyone there would have improved the outcome as a "
    "whole.": N_(
        "Your %(rank)s choice, %(theme)s, was full, and no swap with anyone there would have improved the outcome as a "
        "whole."
    ),
    "Your {rank} choice, {theme}, was full: all {seats} seats are taken.": N_(
        "Your %(rank)s choice, %(theme)s, was full: all %(seats)s seats are taken."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, but with you there instead of in {instead} the mix of "
    "partners would be one person further out of balance.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with you there instead of in %(instead)s the "
        "mix of partners would be one person further out of balance."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, but with you there instead of in {instead} the mix of "
    "partners would be {others} people further out of balance.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, but with you there instead of in %(instead)s the "
        "mix of partners would be %(others)s people further out of balance."
    ),
    "Your {rank} choice, {theme}, had seats left in {slot}, and taking it would have been better for you; a better "
    "allocation was not found in time.": N_(
        "Your %(rank)s choice, %(theme)s, had seats left at %(slot)s, and taking it would have been better for you; a "
        "better allocation was not found in time."
    ),
}

_BOTH = N_("%(some)s and %(last)s")


class _UnreadableReasonError(ValueError):
    """A reason that the allocator of this version would not give."""


def told(reason: str, event: Event, language: str) -> tuple[str, str]:
    """A reason in a language, and the language it is really in: what cannot be read stays English."""
    try:
        return " ".join(_sentences(reason, event, language)), language
    except _UnreadableReasonError:
        return reason, "en"


def _sentences(reason: str, event: Event, language: str) -> Iterator[str]:
    rest = reason
    if not rest.startswith(tuple(_ALONE)):
        got, rest = _got(rest, event, language)
        yield got
    while rest := rest.removeprefix(" "):
        said, rest = _one_of(_ALONE | _WHY, rest, event, language)
        yield said


def _got(reason: str, event: Event, language: str) -> tuple[str, str]:
    """The workshops somebody got, up to the full stop, and what follows it."""
    parts, rest = [], reason
    while True:
        said, rest = _one_of(_GOT, rest, event, language)
        parts.append(said)
        after = re.match(r"\.|, | and ", rest)
        if after is None:
            raise _UnreadableReasonError
        rest = rest[after.end() :]
        if after.group() == ".":
            break
    some, last = ", ".join(parts[:-1]), parts[-1]
    both = translations(language).gettext(_BOTH) % {"some": some, "last": last} if some else last
    return f"{both}.", rest


def _one_of(written: dict[str, str], text: str, event: Event, language: str) -> tuple[str, str]:
    """What `text` begins with, said in a language, and what follows."""
    for pattern, message in written.items():
        found = re.match(_regex(pattern, event), text)
        if found:
            facts = {name: _fact(name, value, event, language) for name, value in found.groupdict().items()}
            return translations(language).gettext(message) % facts, text[found.end() :]
    raise _UnreadableReasonError


def _regex(pattern: str, event: Event) -> str:
    titles = sorted((theme.title for theme in event.themes), key=len, reverse=True)
    rounds = sorted((slot.id for slot in event.rounds), key=len, reverse=True)
    kinds = {
        "theme": "|".join(map(re.escape, titles)),
        "instead": "|".join(map(re.escape, titles)),
        "slot": "|".join(map(re.escape, rounds)),
        "rank": r"\d+(?:st|nd|rd|th)",
        "others": r"\d+",
        "seats": r"\d+",
    }
    parts = re.split(r"\{(\w+)\}", pattern)
    return "".join(f"(?P<{part}>{kinds[part]})" if place % 2 else re.escape(part) for place, part in enumerate(parts))


def _fact(name: str, value: str, event: Event, language: str) -> str:
    if name == "slot":
        slot = next(one for one in event.rounds if one.id == value)
        return f"{slot.start:%H:%M}"
    if name == "rank" and language != "en":
        number = int(value[:-2])
        return f"{number}er" if language == "fr" and number == 1 else f"{number}e"
    return value
