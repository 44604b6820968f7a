"""Moving a registration to another address: asked for behind the own link, carried out by the new mailbox.

Nothing moves when it is asked for. The registration and its link stay as they are, and a signed link goes to the new
address; its button moves the registration. So a mistyped address locks nobody out, and what the person who asks can
observe is the same whether the new address is registered, is free, or does not exist. The old address is told of the
move and can undo it for a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.confirmation import as_confirmed
from shared.errors import ConflictError
from shared.i18n import N_
from shared.mails import send
from shared.models import Registration, RegistrationState
from shared.registrations import change_address, save
from shared.table import Table, Write, address_digest, mail_withheld
from shared.tokens import Keys, sign, verify

CHANGE_FOR = timedelta(days=1)
"""How long the link to the new address moves a registration, and the link to the old address moves it back."""

ADDRESS_SALT = "parcours.address"

Step = Literal["move", "undo"]

TAKEN = N_("This address has a registration of its own. Use its own link, or withdraw that registration first.")
WITHDRAWN_MEANWHILE = N_("This registration was withdrawn. Register again if you want to come after all.")


def ask_move(
    table: Table, before: Registration, changes: Mapping[str, Any], email: str, *, now: datetime, tell: bool
) -> Registration:
    """Save the changes, note the wished address, and mail it the link that moves the registration.

    Parameters
    ----------
    changes
        Fields to change at once; the address is not among them.
    email
        The wished address, as `shared.text.clean_address` returns it.
    tell
        Whether the link is mailed; not when the mailbox has been sent enough in this hour.

    Raises StaleError when the registration changed meanwhile.
    """
    mail: Write = mail_withheld(now)
    if tell:
        occasion = str(before.revision + 1)
        mail = send("address-check", before.event, before.id, now=now, occasion=occasion, to=email)
    return save(table, before, {**changes, "new_email": email}, now=now, extra=[mail])


def carry_out(table: Table, before: Registration, step: Step, *, now: datetime) -> Registration:
    """Move a registration to the address that was asked for, or back to the one before.

    Raises ConflictError when that address has a registration of its own or this registration is withdrawn,
    StaleError when the registration changed meanwhile.
    """
    if before.state is RegistrationState.WITHDRAWN:
        raise ConflictError(WITHDRAWN_MEANWHILE)
    email, previous = (before.new_email, before.email) if step == "move" else (before.previous_email, "")
    changes = {"email": email, "previous_email": previous}
    after = change_address(table, as_confirmed(before, now), changes, now=now)
    if after is None:
        raise ConflictError(TAKEN)
    return after


def sign_change(keys: Keys, registration: Registration, step: Step, *, asked_at: datetime) -> str:
    """The token of the link that carries a step out; it holds a digest of the address, not the address."""
    return sign(keys, ADDRESS_SALT, [*_what(registration, step), int((asked_at + CHANGE_FOR).timestamp())])


def named_in(keys: Keys, token: str, now: datetime) -> tuple[Step, str, str, list[Any]] | None:
    """Step, event, registration and the whole claim of a token that was signed and has not run out, else None."""
    match verify(keys, ADDRESS_SALT, token):
        case ["move" | "undo" as step, str(event), str(registration), int(), str(), int(ends)] as claim:
            return (step, event, registration, claim[:-1]) if now.timestamp() < ends else None
    return None


def still_stands(registration: Registration, step: Step, claim: list[Any]) -> bool:
    """Whether a token's claim fits the registration: nothing else was asked for, and it has not moved since."""
    address = registration.new_email if step == "move" else registration.previous_email
    return bool(address) and claim == _what(registration, step)


def _what(registration: Registration, step: Step) -> list[str | int]:
    address = registration.new_email if step == "move" else registration.previous_email
    return [step, registration.event, registration.id, registration.link_version, address_digest(address)[:32]]
