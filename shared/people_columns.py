"""The columns of a list of people: what a title of any form or spreadsheet means, and which theme or type is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from shared.i18n import LANGUAGES
from shared.local_text import LocalText
from shared.models import Event
from shared.text import folded

PLAIN = (
    *("id", "state", "name", "first_name", "last_name", "email", "organisation", "partner_type", "language"),
    *("ranking", "absent", "pinned", "excluded", "group"),
)
"""Columns that every event has; `ranking` is a whole ranking in one cell, themes with semicolons between them, and
`group` the id of the person who registered this one with a group."""

CHOICE = re.compile(r"choice_([1-9][0-9]{0,3})")
RANK_OF = "rank_of_"
"""Before a theme's id: a column for each theme, with its rank in the cell, as grids of forms have it."""

_TITLES = {
    "name": "full name|your name|what is your name|volledige naam|naam|uw naam|je naam|naam en voornaam"
    "|voornaam en naam|voor en achternaam|heet|called|appelles|appelez"
    "|nom complet|votre nom|nom et prenom|prenom et nom|nom|participant|attendee|deelnemer",
    "first_name": "first name|firstname|given name|voornaam|uw voornaam|prenom|votre prenom",
    "last_name": "last name|lastname|surname|family name|achternaam|familienaam|nom de famille",
    "email": "e mail|email address|e mail address|mail|your email|emailadres|e mailadres|mailadres|uw e mailadres"
    "|adresse e mail|adresse email|adresse mail|adresse electronique|courriel|username|gebruikersnaam",
    "organisation": "organization|organisatie|company|employer|institution|affiliation|school|class|bedrijf|instelling"
    "|klas|entreprise|ecole|classe|etablissement|institut|vereniging|association",
    "partner_type": "partner type|type|type of organisation|type of organization|kind of organisation"
    "|kind of organization|organisation type|organization type|sector|soort organisatie|type organisatie|soort"
    "|type d organisation|type d organisme|secteur",
    "language": "preferred language|start language|startlanguage|taal|voorkeurstaal|starttaal|langue|langue preferee",
    "ranking": "your ranking|rank the themes|rank the workshops|rangschikking|rangschik de thema s|"
    "rangschik de workshops|classement|classez les themes|classez les ateliers",
}
_MEANT = {title: field for field, titles in _TITLES.items() for title in titles.split("|")}
_MEANT |= {field.replace("_", " "): field for field in _TITLES}

_FILLING_WORDS = (
    "a an are at be can could do does enter fill for from give in indicate is it me my of one our please select tell "
    "the to u us what which who you your "
    "aan ben bent de dit een en geef gelieve het hoe in ik is je jij jouw jullie kies mijn u uw van vul waar wat welke "
    "wie zit "
    "au comment dans de du d en entrez es est etes faites indiquez je l la le les ma mon quel quelle s sa son t ta "
    "tapez te ton tu un une vos votre vous"
)
_FILLING = frozenset(_FILLING_WORDS.split())
"""Words of a question that say nothing of what is asked: “Which class are you in?” asks for the class."""

_RANKED = re.compile(r"\b(choices?|choix|keuze|rank|rang|voorkeur|preferen[ct]e|wens|voeu|wish|priority|prioriteit)\b")
_ORDINALS = (
    "first|eerste|premier|premiere",
    "second|tweede|deuxieme|seconde",
    "third|derde|troisieme",
    "fourth|vierde|quatrieme",
    "fifth|vijfde|cinquieme",
    "sixth|zesde|sixieme",
)
_PLACES = {word: place for place, words in enumerate(_ORDINALS, start=1) for word in words.split("|")}
_NUMBER = re.compile(r"(\d{1,2})(st|nd|rd|th|e|de|ste|er|re|eme)?")

_LANGUAGE_NAMES = {"english": "en", "engels": "en", "anglais": "en", "dutch": "nl", "nederlands": "nl"} | {
    "neerlandais": "nl", "french": "fr", "francais": "fr", "frans": "fr"
}  # fmt: skip


def plain_words(title: str) -> str:
    """A title without accents, capitals and punctuation."""
    return " ".join(re.findall(r"\w+", folded(title.replace("-", " ").replace("'", " ").replace("\u2019", " "))))


def place_in(text: str) -> int:
    """The rank that a title or a cell names, "2", "2nd choice" or "tweede keuze"; 0 for none, or several."""
    found = [
        place
        for word in plain_words(text).split()
        if (place := _PLACES.get(word) or (int(number[1]) if (number := _NUMBER.fullmatch(word)) else 0))
    ]
    return found[0] if len(found) == 1 else 0


def language_of(cell: str) -> str:
    """The language that a cell names, by code or by name; "" when it is none of ours."""
    word = plain_words(cell).split(" ")[0]
    code = _LANGUAGE_NAMES.get(word, word[:2] if len(word) == 2 else "")
    return code if code in LANGUAGES else ""


def own_titles(event: Event) -> dict[str, str]:
    """What the event itself calls a column that every event has."""
    titles = {"organisation": event.labels.organisation, "partner_type": event.labels.partner_type}
    return {name: title for name, title in titles.items() if title}


class Columns:
    """The columns that an event's lists of people may have, and the titles by which they are known.

    A title is `in` it when it means something.
    """

    def __init__(self, event: Event) -> None:
        self._event = event
        self._questions = {f"answer_{question.id}": question.label for question in event.questions}
        self.themes = _by_words({theme.id: theme.title for theme in event.themes})
        self.partner_types = _by_words({known.id: known.title for known in event.partner_types})
        by_words = ((plain_words(text), field) for field, label in own_titles(event).items() for text in _texts(label))
        self._labels = {words: field for words, field in by_words if words}

    def __contains__(self, title: object) -> bool:
        return isinstance(title, str) and bool(self._field(title))

    @cached_property
    def fields(self) -> list[str]:
        """Every field that a column can hold, as the page of the import offers them."""
        choices = [f"choice_{rank}" for rank in range(1, len(self._event.themes) + 1)]
        return [*PLAIN, *choices, *self._own_columns]

    def guess(self, titles: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> list[str]:
        """The field of each column, "" for one that is left out; of two columns for one field the first counts.

        Among `rows`, a column that names nothing but partner types is theirs when no title says which one is.
        """
        own = [title.strip().casefold() for title in titles]
        taken = {name for name in own if self._is_own(name)}
        found = []
        for name, title in zip(own, titles, strict=True):
            field = name if self._is_own(name) else self._field(title)
            if name != field and field in taken:
                field = ""
            taken.add(field)
            found.append(field)
        if "first_name" in found and "last_name" not in found and "name" in found and "name" not in own:
            found[found.index("name")] = "last_name"  # "Naam, Voornaam"
        if "partner_type" not in found and len(set(self.partner_types.values())) > 1:
            for column, field in enumerate(found):
                cells = {row[column].strip() for row in rows if column < len(row)} - {""}
                if (
                    field in ("", "organisation", "group")
                    and len(cells) > 1
                    and all(self._is_type(cell) for cell in cells)
                ):
                    found[column] = "partner_type"
                    break
        return found

    def _is_type(self, cell: str) -> bool:
        return meant(cell, self.partner_types)[1]

    def _is_own(self, name: str) -> bool:
        return name in PLAIN or bool(CHOICE.fullmatch(name)) or name in self._own_columns

    @cached_property
    def _own_columns(self) -> list[str]:
        grid = [RANK_OF + theme.id for theme in self._event.themes]
        return [field.casefold() for field in [*grid, *self._questions]]

    def _field(self, title: str) -> str:
        name = title.strip().casefold()
        if self._is_own(name):
            return name
        bracket = re.search(r"\[([^\[\]]+)\]\s*$", title)
        inner = bracket[1] if bracket else title
        words = plain_words(inner)
        if bracket and words in self.themes:
            return (RANK_OF + self.themes[words]).casefold()
        if _RANKED.search(words) and (place := place_in(inner)):
            return f"choice_{place}"
        # LimeSurvey writes the code of the question before its text.
        whole = plain_words(title)
        after_code = plain_words(title.partition(". ")[2])
        if found := self._labels.get(whole) or self._labels.get(after_code):
            return found
        for field, label in self._questions.items():
            if ({whole, after_code} - {""}) & {plain_words(text) for text in _texts(label)}:
                return field.casefold()
        aside = re.search(r"^(.*\S)\s*\(([^()]+)\)\s*$", title)  # “What is your name? (first and last)”
        outer, inner = (plain_words(aside[1]), plain_words(aside[2])) if aside else ("", "")
        for words in (whole, after_code, _asked(whole), _asked(after_code), outer, _asked(outer), inner):
            if found := self._labels.get(words) or _MEANT.get(words):
                return found
        return ""


def _asked(words: str) -> str:
    """What a question asks for."""
    return " ".join(word for word in words.split() if word not in _FILLING)


def _texts(text: str) -> Iterable[str]:
    """A text of the event file in every language it has."""
    return {str(text), *(text.by_language.values() if isinstance(text, LocalText) else ())}


def _by_words(titles: dict[str, str]) -> dict[str, str]:
    """Ids by what people write: the title in any language, or the id, which goes before titles.

    What could mean two of them means none: ids that differ in capitals or signs alone count as they are written.
    """
    by_title = _unambiguous((plain_words(words), key) for key, title in titles.items() for words in _texts(title))
    by_id = _unambiguous((plain_words(key), key) for key in titles)
    return {**by_title, **by_id, **{key: key for key in titles}}


def _unambiguous(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for words, key in named:
        found.setdefault(words, set()).add(key)
    return {words: keys.pop() for words, keys in found.items() if words and len(keys) == 1}


def meant(typed: str, known: dict[str, str]) -> tuple[str, bool]:
    """The id that is meant by a cell, and whether that is sure; what is not known comes back as it is.

    Not sure is a title that only one id has in common with the cell.
    """
    if typed in known.values():
        return typed, True
    words = plain_words(typed)
    if words in known:
        return known[words], True
    alike = {key for title, key in known.items() if len(words) > 3 and len(title) > 2 and _share(title, words)}
    return (alike.pop(), False) if len(alike) == 1 else (typed, False)


def _share(title: str, words: str) -> bool:
    return f" {title} " in f" {words} " or f" {words} " in f" {title} "


def parts(cell: str) -> list[str]:
    """The codes in one cell, with spaces, commas or semicolons between them."""
    return [part for part in re.split(r"[;,\s]+", cell) if part]


def listed(cell: str, known: dict[str, str]) -> list[str]:
    """The themes in one cell: codes as in `parts`, or titles with commas or semicolons between them.

    What is not known comes back as it is.
    """
    codes = parts(cell)
    if all(code in known.values() for code in codes):  # as our own lists have them
        return codes
    if plain_words(cell) in known:
        return [known[plain_words(cell)]]
    found: list[str] = []
    for part in re.split(r"[;,\n]", cell):
        whole = known.get(plain_words(part))
        found += (
            [whole]
            if whole
            else [meant(code, known)[0] if plain_words(code) in known else code for code in parts(part)]
        )
    return found
