"""What becomes of a group whose contact withdraws."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from functions.organise.people import GROUP_CHOICES, LEAVES_A_GROUP, change_person, group_of, withdraw_person
from functions.organise.person_fields import WORDS, Correction, Name
from shared.errors import ConflictError, InvalidError, StaleError
from shared.http import Fields, invalid
from shared.i18n import told, told_many
from shared.models import Event, Model, Registration, checked_address
from shared.table import Table


class GroupWithdrawal(Model):
    """What becomes of a group whose contact withdraws: all are withdrawn, or another person is its contact."""

    group: Literal["", "withdraw", "keep"] = ""
    expected: Annotated[int, Field(ge=0, le=1_000)] | None = None
    name: Name | None = None
    email: Annotated[str, AfterValidator(checked_address)] | None = None


def withdraw_at_wish(
    table: Table, event: Event, person: Registration, fields: Fields, *, actor: str, now: datetime
) -> Registration:
    """Withdraw a person; of one who registered a group, with the group or after another contact is named for it.

    Raises ConflictError where that was not said, StaleError when the group has another number of people than the
    organiser agreed to, InvalidError for a contact that will not do.
    """
    group = group_of(table, person)
    if not group:
        return change_person(table, event, person, Correction(withdrawn=True), actor=actor, now=now)
    known = {key: value for key, value in fields.items() if key in GroupWithdrawal.model_fields and value != ""}
    if known.get("group", "") not in ("", "withdraw"):
        known.pop("expected", None)
    try:
        wanted = GroupWithdrawal.model_validate(known)
    except ValidationError as error:
        raise invalid(error, {**WORDS, "literal_error": GROUP_CHOICES}) from None
    if not wanted.group:
        raise ConflictError(LEAVES_A_GROUP, {"group": GROUP_CHOICES})
    if wanted.group == "keep":
        return _hand_over(table, event, person, wanted, actor=actor, now=now)
    if wanted.expected != len(group):
        raise StaleError(
            told_many(
                "The group has %(num)s person by now. Look at the number once more.",
                "The group has %(num)s people by now. Look at the number once more.",
                len(group),
            )
        )
    for member in group:  # the contact last: what stops in between is gone on with from the page that is left
        withdraw_person(table, member, actor=actor, now=now, tell=False)
    return withdraw_person(table, person, actor=actor, now=now)


def _hand_over(
    table: Table, event: Event, person: Registration, wanted: GroupWithdrawal, *, actor: str, now: datetime
) -> Registration:
    """Make another person the contact of a group: theirs are the link and the mails from now on."""
    missing = {name: WORDS["missing"] for name in ("name", "email") if not getattr(wanted, name)}
    if missing:
        raise InvalidError(told("Name the new contact of the group."), missing)
    changes = Correction(name=wanted.name, email=wanted.email)
    if person.email == wanted.email:
        raise InvalidError(
            told("Name the new contact of the group."), {"email": told("This is the address it has already")}
        )
    return change_person(table, event, person, changes, actor=actor, now=now)
