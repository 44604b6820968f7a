"""Which words of a page come from no catalogue: every translation is put into brackets, the rest is looked at.

The event and the people of such a test are written in Greek letters, so that Latin letters outside brackets are
English that was not marked for translation. A page that no test names is caught as well.
"""

from __future__ import annotations

import gettext
import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import Environment

from shared import i18n
from shared.models import Event
from tests.support.factories import make_event

OPEN, CLOSE = "⟦", "⟧"

NAMES = {"Parcours", "English", "Nederlands", "Français"}
"""What is called the same in every language, as file names and abbreviations are."""

SPOKEN = ("placeholder", "aria-label", "title", "alt")
"""Attributes that a reader meets."""

UNSPOKEN = {"code", "pre", "textarea", "style", "script"}
"""Elements that hold what was typed, or the words of a machine."""


class Bracketing(gettext.NullTranslations):
    """A catalogue that has every message, in brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message}{CLOSE}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"{OPEN}{msgid1 if n == 1 else msgid2}{CLOSE}"

    def pgettext(self, context: str, message: str) -> str:
        return f"{OPEN}{message}{CLOSE}"


def bracket_translations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every message be shown in brackets, in every language."""
    real = i18n.translations
    for module in list(sys.modules.values()):
        if getattr(module, "translations", None) is real:
            monkeypatch.setattr(module, "translations", lambda *_: Bracketing())


def greek_event(**changes: Any) -> Event:
    """An event without a Latin letter in its texts."""
    titles = {"vision": "Όραμα", "governance": "Διοίκηση", "resources": "Πόροι", "wildlife": "Ζώα"}
    return make_event(
        title="Φύση",
        summary="Μια μέρα.",
        venue={"name": "Κτίριο", "address": "Οδός 15", "directions": "Με τα πόδια."},
        organisers=[{"name": "Ομάδα", "about": "Έργο", "url": "https://example.org/b4b"}],
        price="δωρεάν",
        agenda=[
            {"start": "09:00", "end": "09:30", "title": "Καφές"},
            {"start": "13:00", "end": "14:15", "title": "Πρώτος", "round": "first"},
            {"start": "14:20", "end": "15:35", "title": "Δεύτερος", "round": "second"},
        ],
        themes=[
            {"id": one, "title": title, "description": "Περί.", "capacity": 10, "rooms": "Α1"}
            for one, title in titles.items()
        ],
        partner_types=[
            {"id": one, "title": title}
            for one, title in (("government", "Κράτος"), ("ngo", "Οργάνωση"), ("research", "Έρευνα"))
        ],
        questions=[
            {"id": "diet", "kind": "text", "label": "Διατροφή", "purpose": "Φαγητό", "sensitive": True},
            {"id": "way", "kind": "choice", "label": "Δρόμος", "options": ["Τρένο", "Πόδια"]},
            {"id": "photo", "kind": "consent", "label": "Εικόνα"},
        ],
        **changes,
    )


class _Outside(HTMLParser):
    """Collects the words of a page outside brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.skipped: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in SPOKEN and value:
                self.text += ["\n", _outside(value, 0)[0], "\n"]
        self.text.append("\n")
        if tag in UNSPOKEN:
            self.skipped.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.skipped and self.skipped[-1] == tag:
            self.skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            words, self.depth = _outside(data, self.depth)
            self.text.append(words)


def _outside(text: str, depth: int) -> tuple[str, int]:
    kept = []
    for letter in text:
        depth += (letter == OPEN) - (letter == CLOSE)
        kept.append(letter if not depth and letter != CLOSE else " " if letter == OPEN else "")
    return "".join(kept), depth


def unmarked_words(page: str) -> list[str]:
    """Latin words of a page that no catalogue gave: English that was not marked for translation."""
    parser = _Outside()
    parser.feed(page)
    assert parser.depth == 0, "a bracket was lost"
    text = re.sub(r"\S+@\S+|https?://\S+|\d(er|e)\b|\w+\.(yaml|csv|json)|\b[A-Z]{2,}\b", " ", "".join(parser.text))
    return [words for words in re.findall(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ' ]*[A-Za-zÀ-ÿ]", text) if words.strip() not in NAMES]


def words_outside_catalogues(template: str) -> list[str]:
    """Words that stand in a template outside `_(…)` and `{% trans %}`, also where no test renders them.

    Literals inside expressions are not looked at: what they show is found when a page is rendered.
    """
    found, translated = [], False
    for _, kind, text in _TEMPLATES.lex(template):
        if kind == "name" and text in ("trans", "endtrans"):
            translated = text == "trans"
        found.append(text if kind == "data" and not translated else "\0")
    marked = re.sub(r"<(code|pre)\b.*?</\1>", " ", "".join(found), flags=re.DOTALL)
    spoken = re.findall(rf'(?:{"|".join(SPOKEN)})="([^"\0]*)"', marked)
    plain = re.sub(r'\b[\w-]+="[^"]*"|</?\w[^>]*>', " ", marked)
    return [word for text in (*spoken, plain) for word in unmarked_words(text)]


_TEMPLATES = Environment(extensions=["jinja2.ext.i18n"])  # it renders nothing
