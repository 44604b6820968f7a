"""What a line of text and a mail address may hold: one rule for event files, forms, imports, sign-in and mails.

A person's text is normalised (NFC) and freed of invisible signs at its ends, which pasting leaves behind. What could
bend a page, a mail or a table is refused: control characters, changes of direction, half characters and U+FFFD, the
mark of a letter that was lost when a file was read in the wrong encoding.

An address is stored and compared with its domain in ASCII, as mail servers know it, by IDNA 2008 (RFC 5891) after
the mapping of UTS 46 without its transitional exceptions: `straße` and `strasse` are two domains, as they are to the
registries.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from shared.i18n import N_

LONGEST_ADDRESS = 254
"""Characters of an address that SMTP can carry (RFC 5321, 4.5.3.1.3, without the angle brackets)."""

LONGEST_LOCAL_PART = 64
LONGEST_TYPED = 600
"""Characters of what may be typed or pasted as an address, with a name and other letters around it."""

ODD = N_("Use letters, digits and ordinary punctuation only.")
LOST_LETTER = N_("A letter was lost and shows as �. Type it again, or save the file as UTF-8.")
LINK = N_("Leave web addresses out.")
NOT_AN_ADDRESS = N_("Enter an email address in the form name@example.org.")

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: ordinary spelling between two letters of Persian and of Indic scripts."""

_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
_MAILTO = re.compile(r"mailto:([^?]*)(\?.*)?", re.IGNORECASE | re.DOTALL)


class TextError(ValueError):
    """A text may not stand where it was given; the words say what to write instead (a message of the catalogues)."""


def clean_text(text: str, *, lines: bool = False) -> str:
    """A text as it is kept: normalised, without spaces and invisible signs at its ends.

    Parameters
    ----------
    lines
        Whether the text may have several lines.

    Raises TextError when it holds a sign that has no place in a text.
    """
    text = unicodedata.normalize("NFC", _without_ends(text.replace("\r\n", "\n")))
    for place, sign in enumerate(text):
        if sign == "\ufffd":
            raise TextError(LOST_LETTER)
        category = unicodedata.category(sign)
        if category not in {"Cc", "Cf", "Cs", "Zl", "Zp"} or (lines and sign == "\n"):
            continue
        if not (sign in JOINERS and _joins(text, place)):
            raise TextError(ODD)
    return text


def clean_line(text: str) -> str:
    """A line that may stand in a mail or on a list. Names are how spam gets sent: no web address passes.

    Raises TextError.
    """
    text = clean_text(text)
    if _LINK.search(text):
        raise TextError(LINK)
    return text


def clean_address(text: str) -> str:
    """A mail address as it is stored: what was pasted around it is gone, and its domain is ASCII in small letters.

    `mailto:jan@example.org`, `Jan <jan@example.org>` and marks of direction around an address are understood. The
    local part keeps its capitals; only ASCII passes there, as few servers take other letters (RFC 6531).

    Raises TextError.
    """
    text = _without_ends(text) if len(text) <= LONGEST_TYPED else ""
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise TextError(NOT_AN_ADDRESS)
    if named := _NAMED.fullmatch(text):
        text = _without_ends(named[1])
    if linked := _MAILTO.fullmatch(text):
        text = _without_ends(unquote(linked[1]))
    local, _, domain = text.rpartition("@")
    host = _ascii_domain(domain)
    if not (len(local) <= LONGEST_LOCAL_PART and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(host)):
        raise TextError(NOT_AN_ADDRESS)
    if len(local) + 1 + len(host) > LONGEST_ADDRESS:
        raise TextError(NOT_AN_ADDRESS)
    return f"{local}@{host}"


def address_key(address: str) -> str:
    """What two addresses are compared by: capitals do not count, as no server in use tells them apart.

    Parameters
    ----------
    address
        An address as `clean_address` returns it.
    """
    return address.lower()


_UNDECOMPOSED = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
_SMALL_SIGNS = re.compile("['\u2019\u2018\u02bc`\u00b4\u2032\u2010-\u2015-]")


def folded(text: str) -> str:
    """A text to search and sort by: no capitals, accents, apostrophes and hyphens, and ł as l.

    At a door people type "jerome" for Jérôme, "dhondt" for D'Hondt and "lukasz" for Łukasz.
    """
    parts = unicodedata.normalize("NFKD", _SMALL_SIGNS.sub("", text.casefold()))
    return "".join(sign for sign in parts if not unicodedata.combining(sign)).translate(_UNDECOMPOSED)


_PARTICLES = frozenset(
    {"van", "von", "vom", "zu", "zur", "de", "der", "den", "del", "della", "di", "da", "do", "dos", "das", "du", "des"}
    | {"la", "le", "les", "lo", "ten", "ter", "te", "t", "d", "op", "in", "el", "al", "bin", "ben"}
)
"""Words before a family name that belong to it."""


def family_name(name: str) -> tuple[str, str]:
    """A name as what stands before the family name, and the family name with its particles.

    It is the last word and the particles before it, or what a comma follows. Names of other orders are found by
    searching; this is for lists on paper.
    """
    family, comma, given = name.partition(",")
    if comma:
        return given.strip(), family.strip()
    words = name.split()
    start = max(0, len(words) - 1)
    while start > 1 and folded(words[start - 1]) in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def by_family_name(name: str) -> tuple[str, str]:
    """What a name is sorted by: the family name, then the given name, as letters alone."""
    given, family = family_name(name)
    return folded(family).replace(" ", ""), folded(given).replace(" ", "")


def is_letter(sign: str) -> bool:
    """Whether a sign is a letter, or a mark that belongs to the letter before it (vowel signs, accents)."""
    return unicodedata.category(sign)[0] in "LM"


def _joins(text: str, place: int) -> bool:
    """Whether the sign at this place stands between two letters."""
    return 0 < place < len(text) - 1 and is_letter(text[place - 1]) and is_letter(text[place + 1])


def _without_ends(text: str) -> str:
    """The text without spaces and format characters (Cf) at its ends."""
    start, end = 0, len(text)
    while start < end and _is_invisible(text[start]):
        start += 1
    while end > start and _is_invisible(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_invisible(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) == "Cf"


def _ascii_domain(domain: str) -> str:
    """The domain as mail servers know it, or "" when it is none."""
    if domain.isascii():
        return domain.lower()
    import idna  # 20 ms that only a domain in other letters needs to pay

    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError:
        return ""
