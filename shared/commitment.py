"""The seed of the draw is committed: its digest is public from the opening of registration on, the seed afterwards.

The seed is made when the event is put, or taken from its file. Nobody can guess it from the digest, and nobody can find
another seed with the same digest: so lots are fixed before anybody knows who registers, and nobody chooses among draws.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from shared.acts import Act
from shared.errors import ConflictError, StaleError
from shared.events import as_event, audit
from shared.i18n import told
from shared.models import Event, EventState, utc
from shared.state import read_state
from shared.table import EVENTS_PK, STATE_SK, ConditionFailedError, Table, event_pk, update

OTHER_SEED = told(
    "It was drawn under another seed than the one whose digest stands on the event page since registration opened. "
    "Start a draft under that seed, or replace the commitment first; the event page then says so."
)


def digest_of(seed: str) -> str:
    """SHA-256 of a seed in hexadecimal: `printf %s SEED | sha256sum`; "" for none."""
    return hashlib.sha256(seed.encode()).hexdigest() if seed else ""


def commitment(event: Event, state: EventState, now: datetime) -> str:
    """The digest that anybody may see from the opening of registration on; "" before."""
    return digest_of(state.seed) if not event.draft and now >= event.opens_at else ""


def breach(event: Event, state: EventState, seed: str, now: datetime) -> str:
    """Why an allocation drawn under a seed must not be published, or "" if it may."""
    return OTHER_SEED if now >= event.opens_at and state.seed and seed != state.seed else ""


def replace_commitment(table: Table, event: str, *, actor: str, now: datetime, seed: str = "") -> EventState:
    """Commit to another seed, drawn here unless one is given; the event page shows when, and the old digest.

    A seed that the event file names is replaced there too.

    Raises
    ------
    ConflictError
        It is the seed committed to already, or there is no such event.
    StaleError
        Another organiser changed the event file or the commitment at the same moment.
    """
    stored, state = table.get(EVENTS_PK, event), read_state(table, event)
    new = seed or secrets.token_hex(16)
    if stored is None or not state.seed or new == state.seed:
        raise ConflictError(told("Name a seed other than the one that is committed to, or none to have one drawn."))
    file = as_event(stored)
    changes: dict[str, object] = {"updated_at": utc(now)}
    if file.allocation.seed:
        rules = file.allocation.model_copy(update={"seed": new})
        changes["document"] = file.model_copy(update={"allocation": rules}).model_dump_json(exclude_defaults=True)
    replaced = [*state.replaced_seeds, {"digest": digest_of(state.seed), "at": utc(now)}]
    try:
        table.write(
            update(EVENTS_PK, event, assign=changes, expect={"updated_at": stored["updated_at"]}),
            update(
                event_pk(event),
                STATE_SK,
                assign={"seed": new, "replaced_seeds": replaced},
                expect={"seed": state.seed},
            ),
            audit(event, actor, Act.REPLACE_COMMITMENT, now=now, what=f"{digest_of(state.seed)} by {digest_of(new)}"),
        )
    except ConditionFailedError:
        raise StaleError(told("Another organiser changed the event at the same moment. Reload the page.")) from None
    return read_state(table, event)
