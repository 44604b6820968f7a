"""The catalogues: everything an attendee reads exists in every language, and says the same things."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from infra.cloud.catalogues import LOCALE, TEMPLATE, catalogue_text, extract, template_text
from shared.i18n import LANGUAGES, day, language_for, translations

TRANSLATED = sorted(set(LANGUAGES) - {"en"})

SLOT = re.compile(r"%\(\w+\)s|\{\w*\}")
TAG = re.compile(r"</?\w+[^>]*>")


@pytest.fixture(scope="module")
def template() -> Catalog:
    """The messages as they stand in code, pages and mails."""
    return extract()


def path_of(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "parcours.po"


def pairs(language: str) -> list[tuple[str, str]]:
    """Every message beside its translation, each plural form on its own."""
    with path_of(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    found: list[tuple[str, str]] = []
    for message in catalogue:
        if message.id and message.pluralizable:
            found += zip(message.id, message.string or (), strict=True)
        elif message.id:
            found.append((str(message.id), str(message.string)))
    return found


def test_the_template_holds_what_the_code_the_pages_and_the_mails_say(template: Catalog) -> None:
    assert len(template) > 200
    assert TEMPLATE.read_text(encoding="utf-8") == template_text(template)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_catalogue_holds_the_messages_of_the_template_and_no_other(language: str, template: Catalog) -> None:
    path = path_of(language)

    assert path.read_text(encoding="utf-8") == catalogue_text(path, template)


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_left_untranslated(language: str) -> None:
    assert [message for message, words in pairs(language) if not words.strip()] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_slots_and_tags_of_its_message(language: str) -> None:
    """A slot that is lost or misspelled would be a fault while a page is made."""
    odd = [
        (message, words)
        for message, words in pairs(language)
        for pattern in (SLOT, TAG)
        if sorted(pattern.findall(message)) != sorted(pattern.findall(words))
    ]
    stray = [words for _, words in pairs(language) if "%" in SLOT.sub("", words)]

    assert (odd, stray) == ([], [])


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_ends_as_its_message_ends(language: str) -> None:
    """A label stays a label, a sentence a sentence."""
    ends = re.compile(r"[.?:…!,]?$")

    assert [(m, w) for m, w in pairs(language) if ends.search(m)[0] != ends.search(w)[0]] == []  # type: ignore[index]


def test_what_is_compiled_is_what_is_written() -> None:
    """`python -m infra.cloud.build catalogues` was run; `make test` does."""
    for language in TRANSLATED:
        compiled = translations(language)
        assert [m for m, words in pairs(language) if "%(num)s" not in m and compiled.gettext(m) != words] == []


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [("en", "1 day after", "3 days after"), ("nl", "1 dag na", "3 dagen na"), ("fr", "1 jour après", "3 jours après")],
)
def test_one_and_many_are_told_apart(language: str, one: str, many: str) -> None:
    plurals = [list(message.id) for message in extract() if message.pluralizable]
    single, plural = next(forms for forms in plurals if forms[0].startswith("Everything is"))
    told = translations(language).ngettext

    assert one in told(single, plural, 1) % {"num": 1}
    assert many in told(single, plural, 3) % {"num": 3}


def test_dates_are_written_as_the_language_writes_them() -> None:
    when = date(2024, 11, 6)

    assert [day(when, language) for language in ("en", "nl", "fr")] == [
        "Wednesday 6 November 2024",
        "woensdag 6 november 2024",
        "mercredi 6 novembre 2024",
    ]
    assert day(date(2026, 4, 1), "fr") == "mercredi 1er avril 2026"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_names_of_days_and_months_are_those_of_cldr(language: str) -> None:
    """Babel, which the functions do without, formats every day of a year the same; but for French ordinals."""
    year = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    wanted = [format_date(when, "EEEE d MMMM y", locale=language) for when in year]

    assert [day(when, language).replace(" 1er ", " 1 ") for when in year] == wanted


def test_a_language_without_a_catalogue_is_english() -> None:
    assert language_for("de", "", "xx") == "en"
    assert language_for("de", "fr", "nl") == "fr"
