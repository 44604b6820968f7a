"""Lists in CSV: reading any, writing cells that no spreadsheet runs, and the one writer of PEOPLE.csv."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from shared.attendees import Attendee
from shared.i18n import told

SEPARATORS = ",;\t|"
"""Between cells: commas, semicolons where the comma is the decimal sign, tabs of what is pasted from a sheet."""

MOST_LINES_ABOVE = 10
"""Lines with titles or remarks that may stand above the names of the columns."""

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*?\r?\n', re.IGNORECASE)

FORMULA_SIGNS = (
    "=+-@|%\u2212"
    "\uff1d\uff0b\uff0d\uff20\uff5c\uff05\ufe66\ufe62\ufe63\ufe6b\ufe6a"
    "\u207c\u207a\u207b\u208c\u208a\u208b\ufb29"
)
"""What makes a spreadsheet read a cell as a formula, the minus sign, and what normalises to one of these (NFKC)."""

_AT_A_START = r"(?:^|(?<=[,;\t|\r\n]))([\s\"\u200b-\u200f\ufeff]*)"
"""Where a cell may start: at its beginning and after any separator inside, whichever one the reader takes."""

_RUNS = re.compile(f"{_AT_A_START}('*[{re.escape(FORMULA_SIGNS)}])")
_DISARMED = re.compile(f"{_AT_A_START}'('*[{re.escape(FORMULA_SIGNS)}])")


class CsvError(ValueError):
    """A text that is no CSV; `line` is where reading stopped, counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def csv_rows(text: str, known: Container[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line on which it begins, the header first; rows without any text are left out.

    The header is the first row, or of the first few the one with most known names: people write titles above a list.
    The separator is the one that finds most names; Excel's line `sep=;` above the list decides it. The apostrophes
    that `harmless` wrote are taken off again. Quotes are read strictly: one that is never closed, or that ends in the
    middle of a cell, is an error and swallows no rows.

    Parameters
    ----------
    known
        Names of columns, in lower case, that a header may have.

    Raises
    ------
    CsvError
        While reading, where the text is no CSV.
    """
    text = text.removeprefix("\ufeff")
    told = _SEPARATOR_LINE.match(text)
    skipped = 1 if told else 0
    text = text[told.end() :] if told else text
    separator, above = _shape(text, known, told[1] if told else SEPARATORS)
    disarmed = "'" in text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin, rows = 1, 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CsvError(begin + skipped, _in_words(str(error))) from None
        if rows >= above and any(cell.strip() for cell in row):
            yield begin + skipped, [armed(cell) for cell in row] if disarmed else row
        begin = reader.line_num + 1
        rows += 1


def _shape(text: str, known: Container[str], separators: str) -> tuple[str, int]:
    """The separator, and how many rows stand above the header."""
    best, found = (0, 0, 1), (separators[0], 0)
    for separator in separators:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            for above, row in enumerate(islice(reader, MOST_LINES_ABOVE + 1)):
                score = (sum(name.strip().casefold() in known for name in row), -above, len(row))
                if score > best and (score[0] or not above):
                    best, found = score, (separator, above)
        except csv.Error:
            continue
    return found


def _in_words(error: str) -> str:
    if "unexpected end of data" in error:
        return told("a quotation mark opens here and is never closed")
    if "expected after" in error:
        return told("text follows a closing quotation mark; write a quotation mark inside a cell twice")
    return told("this is no CSV: %(error)s", error=error)


def people_csv(themes: Sequence[str], people: Iterable[Attendee]) -> str:
    """PEOPLE.csv: everyone as the allocator knows them, without a name.

    Parameters
    ----------
    themes
        The event's themes: there is a column for each choice.
    """
    choices = [f"choice_{rank + 1}" for rank in range(len(themes))]

    def row(person: Attendee) -> list[str]:
        pins = " ".join(f"{slot}:{theme}" for slot, theme in sorted(person.pinned.items()))
        ranking = [*person.ranking, *[""] * (len(themes) - len(person.ranking))]
        lists = (" ".join(sorted(person.absent)), pins, " ".join(sorted(person.excluded)))
        return [person.id, person.partner_type, *ranking, *lists]

    return csv_text(["id", "partner_type", *choices, "absent", "pinned", "excluded"], map(row, people))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list as CSV: every cell quoted, and none that a spreadsheet runs as a formula, whatever its separator."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    quickly = lru_cache(maxsize=1_000)(harmless)  # titles, hours and rooms come again and again
    writer.writerow(map(quickly, header))
    writer.writerows(map(quickly, row) for row in rows)
    return text.getvalue()


def without_controls(cell: str) -> str:
    """A cell without control characters, which hide what follows or break the file."""
    if cell.isprintable():
        return cell
    return "".join(sign for sign in cell if unicodedata.category(sign) not in {"Cc", "Cs"} or sign == "\n")


def harmless(cell: str) -> str:
    """A cell that spreadsheets read as text: an apostrophe goes before every sign that could start a formula.

    Spreadsheets differ on the separator, so each separator inside the cell counts as a start too.
    """
    if cell.isascii() and cell.isalnum():
        return cell  # nearly every cell
    return _RUNS.sub(r"\1'\2", without_controls(cell))


def armed(cell: str) -> str:
    """A cell as it was before `harmless`."""
    return _DISARMED.sub(r"\1\2", cell) if "'" in cell else cell


def answer_cell(value: str | bool) -> str:
    """An answer, or a yes or no, as a cell."""
    return ("yes" if value else "no") if isinstance(value, bool) else value
