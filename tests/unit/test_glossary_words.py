"""The glossary is what the catalogues say: one word for each thing, in each language."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from infra.cloud.catalogues import READERS, folder_of

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"

LANGUAGES = ("nl", "fr")

CODES = re.compile(
    r"%\(\w+\)[sr]|`[^`]*`|<code.*?</code>|<[^>]+>|--[\w-]+|^\w+: “|\S*[./_]\w\S*|\b(?:door emails|round:theme)\b"
)
"""What no reader of a message reads as words: slots, tags, options, keys and names of files."""


OTHER_FORMS = {"minimum": "minim(?:um|a)", "withdraw": "withdr[ae]wn?"}
"""English words whose forms are not the word itself, or the word and an s."""


@cache
def rows() -> list[list[str]]:
    """The cells of every row of the glossary's tables."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def terms() -> list[tuple[str, list[str], list[str]]]:
    """Each word of the glossary that the catalogues translate, with its forms in Dutch and in French."""
    found = [(row[0].strip("*"), forms(row[1]), forms(row[2])) for row in rows() if row[0].startswith("**")]
    return [term for term in found if term[1] or term[2]]


def forms(cell: str) -> list[str]:
    return [form.strip() for form in cell.split(",") if form.strip()]


@cache
def messages(language: str) -> list[tuple[str, str]]:
    """Every message and its translation, without the codes in them; each plural form on its own."""
    found: list[tuple[str, str]] = []
    for name in READERS:
        with (folder_of(name) / language / "LC_MESSAGES" / f"{name}.po").open("rb") as file:
            for message in read_po(file, locale=language):
                said = message.id if isinstance(message.id, tuple) else (message.id,)
                translated = message.string if isinstance(message.string, tuple) else (str(message.string),)
                found += [
                    (CODES.sub(" ", str(one)), str(other)) for one, other in zip(said, translated, strict=True) if one
                ]
    return found


def stem(form: str) -> str:
    """What all forms of a word begin with: thema, thema's; publiceren, publiceert."""
    return ".*".join(re.escape(part.strip()[: max(3, len(part.strip()) - 4)]) for part in form.split("…"))


@pytest.mark.parametrize(("word", "dutch", "french"), terms(), ids=[term[0] for term in terms()])
def test_a_word_of_the_glossary_is_one_word_in_each_catalogue(word: str, dutch: list[str], french: list[str]) -> None:
    for language, spoken in zip(LANGUAGES, (dutch, french), strict=True):
        meant = re.compile(rf"\b{OTHER_FORMS.get(word, word)}s?\b", re.IGNORECASE)
        right = re.compile("|".join(rf"\b{stem(form)}" if len(form) < 6 else stem(form) for form in spoken), re.I)
        said = [(one, other) for one, other in messages(language) if meant.search(one)]

        assert said, f"no message says {word}"
        assert [(one, other) for one, other in said if not right.search(other)] == []


@pytest.mark.parametrize(("language", "column"), [("nl", 0), ("fr", 1)])
def test_what_the_glossary_rejects_stands_in_no_catalogue(language: str, column: int) -> None:
    rejected = forms(next(row for row in rows() if len(row) == 2 and row[0] != "Dutch")[column])
    found = re.compile(rf"\b(?:{'|'.join(rejected)})s?\b", re.IGNORECASE)

    assert len(rejected) > 5
    assert [other for _, other in messages(language) if found.search(other)] == []
