"""Carrying out what the preview of a list showed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from functions.organise.imports.preview import Preview, by_line
from functions.organise.people import add_person, change_person
from functions.organise.person_fields import NewPerson
from shared.errors import ConflictError, InvalidError, ParcoursError, StaleError
from shared.i18n import told, told_many
from shared.models import Event
from shared.observability import count, logger
from shared.state import read_state
from shared.table import Table

AT_ONCE = 400
"""Rows that one request changes: each is a transaction of its own, and all must end within the request's seconds."""


def carry_out(
    table: Table,
    event: Event,
    found: Preview,
    fingerprint: object,
    *,
    leave_out_faulty: bool = False,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    """Do what the preview showed, one transaction for each person; what is refused is listed by its line.

    A long file takes several requests: `left` rows wait for the same file to be sent again, with its new preview.

    Raises InvalidError when the file has faults that are not to be left out, ConflictError when it no longer does what
    was seen, or when there are fewer places than people to add. Then nothing was changed.
    """
    if found.faults and (found.broken_off or not leave_out_faulty):
        raise InvalidError(told("Nothing was imported: correct these lines first."), by_line(found))
    if fingerprint != found.fingerprint:
        raise StaleError(
            told(
                "The list, or the people in it, changed since this preview was made. Nothing was imported; look at the "
                "new preview."
            )
        )
    free = event.capacity - read_state(table, event.id).confirmed
    if len(found.of("add")) > free:
        raise ConflictError(
            told(
                "%(people)s to add and %(places)s. Nothing was imported.",
                people=told_many("%(num)s person", "%(num)s people", len(found.of("add"))),
                places=told_many("%(num)s free place", "%(num)s free places", max(0, free)),
            )
        )
    done: dict[str, Any] = {"added": 0, "changed": 0, "withdrawn": 0, "same": len(found.of("same")), "refused": []}
    now_done, later = found.changing[:AT_ONCE], found.changing[AT_ONCE:]
    for row in now_done:
        try:
            if isinstance(row.wanted, NewPerson):
                add_person(table, event, row.wanted, actor=actor, now=now, source="import")
                done["added"] += 1
            elif row.person:
                change_person(table, event, row.person, row.wanted, actor=actor, now=now)
                done["withdrawn" if row.act == "withdraw" else "changed"] += 1
        except ParcoursError as error:
            done["refused"].append({"line": row.line, "message": error.message})
    done["left"] = len(later)
    done["left_out"] = len({line for line, _ in found.faults})
    count("ImportedRows", done["added"] + done["changed"] + done["withdrawn"])
    count("ImportedRowsRefused", len(done["refused"]))
    logger.info("people imported", extra={"event_id": event.id, **{**done, "refused": len(done["refused"])}})
    return done
