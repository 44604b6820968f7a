"""Files with lists of people as text: CSV in any encoding in use, and XLSX."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time

from shared.i18n import told
from shared.people_csv import csv_text

_ZIP = b"PK\x03\x04"
MOST_CELLS = 400_000
LARGEST_UNPACKED = 60 * 1024 * 1024
"""Bytes of an XLSX when unpacked: a small file can unpack into more than the memory holds."""


class FileError(ValueError):
    """A file is no list of people; the words say what to do."""


def text_of(data: bytes) -> str:
    """A file as CSV: UTF-8, UTF-16, Windows-1252, or the first sheet of an XLSX that has any text. Raises FileError."""
    if data.startswith(_ZIP):
        return _from_xlsx(data)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:200]:
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileError(told("This is no text that can be read. Save the file as CSV UTF-8 or as XLSX."))


def _from_xlsx(data: bytes) -> str:
    from openpyxl import load_workbook  # type: ignore[import-untyped] # 150 ms that only an XLSX need pay

    unreadable = FileError(told("This XLSX cannot be read. Save it again without a password, or save it as CSV UTF-8."))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > LARGEST_UNPACKED:
                raise FileError(told("This XLSX is too large. Keep only the list of people in it."))
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some writers say A1 for all
            rows, cells = [], 0
            for row in sheet.iter_rows(values_only=True):
                cells += len(row)
                if cells > MOST_CELLS:
                    raise FileError(told("This XLSX is too large. Keep only the list of people in it."))
                rows.append([_cell(value) for value in row])
            if any(map(any, rows)):
                return csv_text([], rows).removeprefix("\n")
    except FileError:
        raise
    except Exception:  # openpyxl raises whatever the file made it stumble over
        raise unreadable from None
    raise FileError(told("There is nothing in this XLSX."))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
