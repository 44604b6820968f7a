"""Reading a form that may carry a file: a CSV of people or an event file."""

from __future__ import annotations

from collections.abc import Callable
from email import policy
from email.parser import BytesParser

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from shared.errors import InvalidError, UnreadableError
from shared.http import Fields, read_body, read_fields
from shared.i18n import told
from shared.people_files import FileError, text_of

LARGEST = 2 * 1024 * 1024
"""Bytes of a form with its file; a list of 5,000 people is half of it, and Lambda takes 6 MB."""


BARE = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
"""Media types of a list of people that is sent without a form."""


def read_people_upload(request: APIGatewayProxyEventV2) -> Fields:
    """As `read_upload`, of a list of people in CSV of any encoding or XLSX, which is read as CSV."""
    return read_upload(request, _people)


def read_upload(request: APIGatewayProxyEventV2, read: Callable[[bytes], str] | None = None) -> Fields:
    """The fields of a form with a file, of a plain form, of JSON, or a bare CSV, which becomes the field `csv`.

    Raises UnreadableError, TooLargeError or UnsupportedMediaTypeError.
    """
    declared = request.headers.get("content-type", "")
    media_type = declared.split(";")[0].strip().lower()
    if media_type in BARE:
        return {"csv": (read or _text)(read_body(request, largest=LARGEST))}
    if media_type != "multipart/form-data":
        return read_fields(request, largest=LARGEST)
    head = b"Content-Type: " + declared.encode("ascii", "replace").replace(b"\n", b" ") + b"\r\n\r\n"
    form = BytesParser(policy=policy.HTTP).parsebytes(head + read_body(request, largest=LARGEST))
    if not form.is_multipart():
        raise UnreadableError(told("The form cannot be read."))
    fields: Fields = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(data, bytes) and (data or name not in fields):
            fields[name] = (read if read and part.get_filename() else _text)(data)
    return fields


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            told("Byte %(number)s of the file is not UTF-8. Save it as CSV UTF-8.", number=error.start + 1)
        ) from None


def _people(data: bytes) -> str:
    try:
        return text_of(data)
    except FileError as error:
        raise InvalidError(told("This file cannot be imported."), {"csv": error.args[0]}) from None
