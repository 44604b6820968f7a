"""What the columns and the words of a file mean: guessed, said by an organiser, and remembered for the event."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from shared.http import Fields
from shared.i18n import Told, told
from shared.models import Event
from shared.people_columns import CHOICE, RANK_OF, Columns, listed, meant, own_titles, place_in
from shared.table import IMPORT_SK, Table, event_pk, put

MOST_VALUES = 50
"""Words for themes and partner types that the page asks about."""


@dataclass(frozen=True, slots=True)
class Meanings:
    """What columns and words of a file mean where an organiser said so: fields by title, ids by the word typed."""

    columns: Mapping[str, str] = field(default_factory=dict)
    themes: Mapping[str, str] = field(default_factory=dict)
    partner_types: Mapping[str, str] = field(default_factory=dict)
    without_addresses: bool = False
    """Whether the list has no addresses, as an organiser said of this file: it is not remembered."""


def read_meanings(table: Table, event: Event, fields: Fields) -> Meanings:
    """What the form says of columns and words, over what was remembered for the event."""
    stored = table.get(event_pk(event.id), IMPORT_SK) or {}
    kept = {name: dict(stored.get(name, {})) for name in ("columns", "themes", "partner_types")}
    for name in kept:
        sent = fields.get(name)
        if isinstance(sent, dict):
            kept[name] |= {str(key): str(value) for key, value in sent.items()}
    for key, title in fields.items():
        said, _, number = key.rpartition("_title_")
        meant_by = fields.get(f"{said}_field_{number}") if said in kept else None
        if isinstance(title, str) and isinstance(meant_by, str):
            kept[said][title] = meant_by
    return Meanings(**kept, without_addresses=fields.get("without_addresses") in ("yes", True))


def remember(table: Table, event: Event, meanings: Meanings) -> None:
    """Keep what an organiser said of columns and words, for the next file of this event.

    Only words with a meaning are kept: others may be anything that a column holds.
    """
    themes, types = {theme.id for theme in event.themes}, {known.id for known in event.partner_types}
    kept = Meanings(
        meanings.columns,
        {typed: theme for typed, theme in meanings.themes.items() if theme in themes},
        {typed: known for typed, known in meanings.partner_types.items() if known in types},
    )
    if kept != Meanings():
        stored = {name: value for name, value in asdict(kept).items() if name != "without_addresses"}
        table.write(put({"pk": event_pk(event.id), "sk": IMPORT_SK, "type": "import", **stored}))


def fields_of(event: Event) -> dict[str, str]:
    """What a column can hold, by field, in the words of the page."""
    labels = {
        **COLUMNS,
        "id": told("id, from a list of this system"),
        "state": told("state, from a list of this system"),
        "ranking": told("the whole ranking in one cell"),
        "absent": told("rounds of absence"),
        "pinned": told("pins, round:theme"),
        "excluded": told("themes that are not possible"),
        "group": told("group, from a list of this system"),
        **{
            f"answer_{question.id}".casefold(): told("answer: %(question)s", question=question.label)
            for question in event.questions
        },
        **{(RANK_OF + theme.id).casefold(): told("rank of %(theme)s", theme=theme.title) for theme in event.themes},
        **own_titles(event),
    }
    return {name: labels.get(name) or column_words(name) for name in Columns(event).fields}


COLUMNS: dict[str, Told] = {
    **{"id": told("id"), "state": told("state"), "name": told("name"), "email": told("email")},
    **{"first_name": told("first name"), "last_name": told("last name"), "organisation": told("organisation")},
    **{"partner_type": told("partner type"), "language": told("language"), "choices": told("ranking")},
    **{"absent": told("absences"), "pinned": told("pins"), "excluded": told("themes that are not possible")},
    **{"answers": told("answers"), "checked_in_at": told("check-in")},
}
"""The columns that every event has, in words."""


def column_words(name: str, event: Event | None = None) -> str:
    """A column in words, of an event in its own."""
    if event and (own := own_titles(event).get(name)):
        return own
    if ranked := CHOICE.fullmatch(name):
        return told("choice %(number)s", number=ranked[1])
    return COLUMNS.get(name) or name.replace("_", " ")


class Words:
    """The cells of a row in the event's own words: ids for titles, one ranking, one name."""

    def __init__(
        self, known: Columns, meanings: Meanings, *, themes: dict[str, str], partner_types: dict[str, str]
    ) -> None:
        """`themes` and `partner_types` take the words that are no id and no title, with what they seem to mean."""
        self._known = known
        self._grid = {(RANK_OF + theme).casefold(): theme for theme in known.themes.values()}
        self._meanings = meanings
        self._themes = themes
        self._partner_types = partner_types

    def in_ids(self, row: Mapping[str, str]) -> dict[str, str]:
        """A row with ids for themes and the partner type, `choice_1` and on for any form of ranking, and `name`.

        `tied` has the themes that a grid gives the rank of another theme.
        """
        cells = dict(row)
        if "name" not in cells and cells.keys() & {"first_name", "last_name"}:
            cells["name"] = " ".join(filter(None, (cells.get("first_name"), cells.get("last_name"))))
        if typed := cells.get("partner_type"):
            cells["partner_type"] = self._id(
                typed, self._meanings.partner_types, self._known.partner_types, self._partner_types
            )
        if tied := self._tied(cells):
            cells["tied"] = " ".join(tied)
        if ranking := self._ranking(cells):
            cells |= {f"choice_{rank}": theme for rank, theme in enumerate(ranking, start=1)}
        if excluded := cells.get("excluded"):
            cells["excluded"] = " ".join(listed(excluded, self._known.themes))
        for name, cell in cells.items():
            if CHOICE.fullmatch(name) and cell:
                cells[name] = self._id(cell, self._meanings.themes, self._known.themes, self._themes)
        return cells

    def _ranking(self, cells: Mapping[str, str]) -> list[str]:
        if one_cell := cells.get("ranking"):
            return [part.strip() for part in re.split(r"[;\n]", one_cell) if part.strip()]
        return [theme for place, theme in sorted(self._ranks(cells)) if place]

    def _ranks(self, cells: Mapping[str, str]) -> list[tuple[int, str]]:
        """The rank and the theme of each cell of a grid; 0 is none."""
        return [(place_in(cell), self._grid[name]) for name, cell in cells.items() if name in self._grid]

    def _tied(self, cells: Mapping[str, str]) -> list[str]:
        ranks = self._ranks(cells)
        often = Counter(place for place, _ in ranks if place)
        return [theme for place, theme in ranks if often[place] > 1]

    def _id(self, typed: str, said: Mapping[str, str], known: dict[str, str], asked: dict[str, str]) -> str:
        found, sure = meant(typed, known)
        found = said.get(typed) or found
        if not sure and (typed in asked or len(asked) < MOST_VALUES):
            asked[typed] = found
        return found
