"""The catalogues: everything an attendee or an organiser reads exists in every language, and says the same things."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from functions.organise.words import short_moment
from infra.cloud.catalogues import READERS, catalogue_text, extract, folder_of, template_path, template_text
from shared.i18n import LANGUAGES, day, in_language, language_for, number, told, told_many, told_together, translations

ROOT = Path(__file__).parents[2]
TRANSLATED = sorted(set(LANGUAGES) - {"en"})
CATALOGUES = [(name, language) for name in READERS for language in TRANSLATED]

CONTEXTS = ("short", "tab")

SLOT = re.compile(r"%\(\w+\)[sr]|%s|%%|\{\w*\}")
TAG = re.compile(r"</?\w+[^>]*>")


@pytest.fixture(scope="module")
def templates() -> dict[str, Catalog]:
    """The messages as they stand in code, pages and mails, by catalogue."""
    return {name: extract(name) for name in READERS}


def path_of(name: str, language: str) -> Path:
    return folder_of(name) / language / "LC_MESSAGES" / f"{name}.po"


def pairs(name: str, language: str) -> list[tuple[str, str]]:
    """Every message beside its translation, each plural form on its own."""
    with path_of(name, language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    found: list[tuple[str, str]] = []
    for message in catalogue:
        if message.id and message.pluralizable:
            found += zip(message.id, message.string or (), strict=True)
        elif message.id:
            found.append((str(message.id), str(message.string)))
    return found


@pytest.mark.parametrize("name", READERS)
def test_the_template_holds_what_the_code_the_pages_and_the_mails_say(name: str, templates: dict[str, Catalog]) -> None:
    assert len(templates[name]) > 60
    assert template_path(name).read_text(encoding="utf-8") == template_text(name, templates[name])


FOR_PROGRAMS = {
    "POST here to sign in.",
    "The task was done since it was listed.",
}
"""Sentences in code that no page and no mail shows."""


def sentences(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that read as whole sentences; docstrings and parts of other texts are left out."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
        elif isinstance(node, ast.Expr):
            left_out.add(id(node.value))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in left_out else None
        if isinstance(text, str) and re.fullmatch(r"[A-Z“][^\n]*[.!?]", text) and len(text.split()) > 2:
            yield text


def test_no_sentence_of_the_code_is_outside_the_catalogues(templates: dict[str, Catalog]) -> None:
    """A sentence that is raised or shown without `told` or `N_` would stay English for every reader."""
    ids = [message.id for catalogue in templates.values() for message in catalogue if message.id]
    known = {one for found in ids for one in ([found] if isinstance(found, str) else found)}
    said = {
        sentence
        for folder in ("functions", "shared")
        for path in (ROOT / folder).rglob("*.py")
        for sentence in sentences(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert said - known == FOR_PROGRAMS


@pytest.mark.parametrize(("name", "language"), CATALOGUES)
def test_every_catalogue_holds_the_messages_of_the_template_and_no_other(
    name: str, language: str, templates: dict[str, Catalog]
) -> None:
    path = path_of(name, language)

    assert path.read_text(encoding="utf-8") == catalogue_text(path, templates[name])


@pytest.mark.parametrize(("name", "language"), CATALOGUES)
def test_nothing_is_left_untranslated(name: str, language: str) -> None:
    assert [message for message, words in pairs(name, language) if not words.strip()] == []


@pytest.mark.parametrize(("name", "language"), CATALOGUES)
def test_a_translation_has_the_slots_and_tags_of_its_message(name: str, language: str) -> None:
    """A slot that is lost or misspelled would be a fault while a page is made."""
    odd = [
        (message, words)
        for message, words in pairs(name, language)
        for pattern in (SLOT, TAG)
        if sorted(pattern.findall(message)) != sorted(pattern.findall(words))
    ]
    stray = [words for _, words in pairs(name, language) if "%" in SLOT.sub("", words)]

    assert (odd, stray) == ([], [])


@pytest.mark.parametrize(("name", "language"), CATALOGUES)
def test_a_translation_ends_as_its_message_ends(name: str, language: str) -> None:
    """A label stays a label, a sentence a sentence; but for months, which some languages shorten with a full stop."""
    ends = re.compile(r"[.?:…!,]?$")

    kept = [(m, w) for m, w in pairs(name, language) if len(m) > 3]
    assert [(m, w) for m, w in kept if ends.search(m)[0] != ends.search(w)[0]] == []  # type: ignore[index]


def spoken(catalogue: gettext.NullTranslations, message: str) -> set[str]:
    """What a compiled catalogue says for a message, whatever its context."""
    return {catalogue.gettext(message), *(catalogue.pgettext(context, message) for context in CONTEXTS)}


def test_what_is_compiled_is_what_is_written() -> None:
    """`python -m infra.cloud.build catalogues` was run; `make test` does."""
    for name, language in CATALOGUES:
        compiled = gettext.translation(name, folder_of(name), languages=[language])
        with path_of(name, language).open("rb") as file:
            written = [message for message in read_po(file, locale=language) if message.id]
        one_and_many = [
            (list(m.string or ()), [compiled.ngettext(m.id[0], m.id[1], number) for number in (1, 2)])
            for m in written
            if m.pluralizable and not m.context
        ]
        assert [said for words, said in one_and_many if words != said] == []
        single = [(str(m.id), str(m.string)) for m in written if not m.pluralizable]
        assert [message for message, words in single if words not in spoken(compiled, message)] == []


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


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_short_months_are_those_of_cldr(language: str) -> None:
    """As English on both sides of the ocean writes them: Sep and not Sept."""
    months = [datetime(2026, number, 6, 13, tzinfo=UTC) for number in range(1, 13)]
    spelled = "en_US" if language == "en" else language
    wanted = [f"6 {format_date(when, 'MMM', locale=spelled)} 2026, 13:00" for when in months]

    assert [short_moment(when, language) for when in months] == wanted


def test_a_message_for_organisers_is_english_until_a_reader_is_known() -> None:
    mail = told_many("Published: %(num)s mail to write.", "Published: %(num)s mails to write.", 2)
    person = told("%(name)s is checked in", name="Ann 100 %")
    both = told_together([mail, told("%(name)s: %(words)s", name=told("Email"), words="x")])

    assert both == "Published: 2 mails to write.; Email: x"
    assert person == "Ann 100 % is checked in"
    assert both.in_language("nl") == "Gepubliceerd: 2 mails te schrijven.; E-mail: x"
    assert in_language(both, "fr") == "Publié\u00a0: 2 e-mails à écrire.; E-mail\u00a0: x"
    assert in_language(person, "de") == person == in_language("Ann 100 % is checked in", "fr")


def test_a_language_without_a_catalogue_is_english() -> None:
    assert language_for("de", "", "xx") == "en"
    assert language_for("de", "fr", "nl") == "fr"


@pytest.mark.parametrize("name", READERS)
def test_french_puts_no_line_break_before_its_marks(name: str) -> None:
    """A plain space before « : ; ? ! » may end a line; an apostrophe is a curved one, but in code."""
    words = [words for _, words in pairs(name, "fr")]

    assert [one for one in words if re.search(r" [:;?!»]|« ", one)] == []
    assert [one for one in words if "'" in re.sub(r"<code>.*?</code>|<[^>]*>", "", one)] == []


def test_only_words_written_in_a_template_are_trusted_as_markup() -> None:
    """A message that comes from elsewhere may quote what a person typed: it goes through the filter `translated`."""
    pages = [
        *ROOT.glob("shared/pages/**/*.html"),
        *ROOT.glob("functions/mail/templates/*"),
        *ROOT.glob("shared/**/*.txt"),
    ]
    trusted = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in pages
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\b_\([^\"']", line)
    ]

    assert len(pages) > 40
    assert trusted == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_numbers_are_written_as_cldr_has_them(language: str) -> None:
    values = ((0, 0), (1234, 0), (1234567, 0), (3.14159, 2), (-1234.5, 2))
    wanted = [
        format_decimal(round(one, digits), f"#,##0{'.' * bool(digits)}{'0' * digits}", language)
        for one, digits in values
    ]

    assert [number(one, language, digits) for one, digits in values] == wanted
