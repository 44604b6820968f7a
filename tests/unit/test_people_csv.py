"""Lists in CSV, as spreadsheets and forms of half of Europe write them."""

from __future__ import annotations

import re
import unicodedata

import pytest

from shared.attendees import Attendee
from shared.people_csv import FORMULA_SIGNS, CsvError, csv_rows, csv_text, harmless, people_csv

NEEDED = ("name", "email")


def rows(text: str) -> list[list[str]]:
    return [row for _, row in csv_rows(text, NEEDED)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_the_one_with_which_the_header_has_the_names(separator: str) -> None:
    """Other marks may stand in a quoted title as often as they like."""
    header = ["name", "email", f'"Remarks ({",; ".join(["diet", "access"] * 9)})"']

    assert rows(separator.join(header) + "\n" + separator.join(["Jan", "jan@example.org", "none"]))[1] == [
        *("Jan", "jan@example.org", "none")
    ]


def test_a_quotation_mark_that_is_never_closed_swallows_no_rows() -> None:
    text = 'name,email,remark\nJan,j@example.org,"no nuts\nPiet,p@example.org,\n'

    with pytest.raises(CsvError, match="never closed") as caught:
        rows(text)

    assert caught.value.line == 2


def test_text_after_a_closing_quotation_mark_is_an_error() -> None:
    with pytest.raises(CsvError, match="write a quotation mark inside a cell twice"):
        rows('name,email\n"Jan" Peeters,j@example.org\n')


def test_lines_are_counted_through_line_breaks_in_cells_and_empty_lines() -> None:
    text = '\ufeffname,email\n"Jan\nPeeters",j@example.org\n\n,\nPiet,p@example.org\n'

    assert [line for line, _ in csv_rows(text, NEEDED)] == [1, 2, 6]


def test_everybody_is_written_as_the_allocator_knows_them() -> None:
    person = Attendee("p1", "ngo", ("b", "a"), {"second"}, {"first": "b"}, {"c"})

    assert people_csv(["a", "b", "c"], [person]).splitlines() == [
        '"id","partner_type","choice_1","choice_2","choice_3","absent","pinned","excluded"',
        '"p1","ngo","b","a","","second","first:b","c"',
    ]


CELLS = [
    *("=1", "+32 470", "-1", "@Work", "|calc", "%x", "\uff1d1+1", "\u207b1", " =1", "'=1", "''+x", "'t Kint", "a-b"),
    *("Zed;=cmd|' /C calc'!A0;x", "a,@b", "one\n=two", 'x;"=1"', "a|=b", "a||=b", "D'Hondt; 'quoted'", "yes, '+maybe"),
]


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_runs_with_any_separator_and_reading_gives_it_back(cell: str) -> None:
    """A spreadsheet of another country may break a cell at its own separator, and ignores quotes inside."""
    text = csv_text(["name", "email"], [[cell, ""]])
    written = text.split("\n", 1)[1].removesuffix("\n")

    pieces = [piece.strip(' "') for piece in re.split(r"[,;\t|\n]", written)]

    signs = [unicodedata.normalize("NFKC", piece)[:1] for piece in pieces]
    assert not set(signs) & set("=+-@%"), pieces
    assert written.startswith('"')
    assert rows(text)[1:] == [[cell, ""]]


def test_control_characters_go_before_a_cell_is_looked_at() -> None:
    assert [harmless(cell) for cell in ("plain", "", "\0=A", "\r", "\t-A")] == ["plain", "", "'=A", "", "'-A"]


def test_every_sign_that_normalises_to_a_formula_sign_counts_as_one() -> None:
    signs = {chr(code) for code in range(0x10000) if unicodedata.normalize("NFKC", chr(code)) in tuple("=+-@|%\u2212")}

    assert signs == set(FORMULA_SIGNS)
