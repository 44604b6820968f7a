"""Routes of groups: one person registers several, a school class or a team, and looks after them by one link."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.register import own, views, web
from functions.register.forms import SUMMARY, Details, form_of, read_details
from functions.register.public import ACCEPTED, remember_address
from functions.register.web import Answer, done, find_event, language_of, request, show
from shared.attendees import WishReader
from shared.errors import ClosedError, InvalidError, NotFoundError, ParcoursError
from shared.http import Fields, read_fields, refuse_other_sites, shown_again
from shared.i18n import N_
from shared.limits import may_mail
from shared.models import Event, Registration, RegistrationState, utc
from shared.registrations import MOST_IN_GROUP, erase, members_of, new_id, register_group, save, withdraw
from shared.waiting_list import offer_places

NO_GROUPS = N_("This event does not take groups. Each person registers on the event's page.")
NOBODY = N_("Enter the names of the people you register.")
TOO_MANY = N_("Register at most 40 people at once.")
NO_MEMBER = N_("There is no such person in your group.")
NOT_SURE = N_("Tick the box to say that you are sure.")
SAME_NAME = N_("This name stands in the list already. Add what tells the two apart, such as a middle name.")
DAY_IS_OVER = N_("The day is over.")

ROWS = (10, 20, 30, 40)
"""Lines that the form may have."""

MOST_OWN_CHOICES = 6
"""With more themes to rank than this, the form has one ranking for everybody, and none for each person."""

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Group:
    """What was sent: the person who registers, and the people."""

    contact: Details
    members: list[Details]
    key: str


@router.get("/events/<event_id>/group")
def show_form(event_id: str) -> Answer:
    """The form for a group."""
    return form_page(open_event(event_id), {})


@router.post("/events/<event_id>/group")
def send_group(event_id: str) -> Answer:
    """Register a group whole, or send the own link to an address that is registered already: the answer is the same."""
    refuse_other_sites(request())
    event = open_event(event_id)
    fields = read_fields(request())
    sent = fields if "members" in fields else from_form(event, fields)

    with shown_again(lambda error: form_page(event, fields, error)):
        now = web.clock()
        views.require_open(event, now)
        group = read_group(event, sent)
        web.spend_a_group(event, group.contact.email, len(group.members), now)
        if not fields.get("remark2"):
            store(event, group, now)
    return done(
        {"status": "accepted", "message": ACCEPTED},
        f"/events/{event.id}/registered",
        status=202,
        cookies=[remember_address(event, group.contact.email)],
    )


def open_event(event_id: str) -> Event:
    """An event that takes groups. Raises NotFoundError."""
    event = find_event(event_id)
    if not event.registration.groups:
        raise NotFoundError(NO_GROUPS)
    return event


def from_form(event: Event, fields: Fields) -> Fields:
    """A browser's form in the shape of JSON; lines without a name are left out."""
    places = range(1, len(event.themes) + 1)

    def chosen(name: str) -> list[str]:
        return [theme for place in places if (theme := str(fields.get(f"{name}_{place}", "")))]

    members = [
        {
            "line": line,
            "name": str(fields[f"name_{line}"]),
            "partner_type": str(fields.get(f"type_{line}", "")) or str(fields.get("partner_type", "")),
            "choices": chosen(f"choice_{line}"),
        }
        for line in range(1, ROWS[-1] + 1)
        if str(fields.get(f"name_{line}", "")).strip()
    ]
    plain = {name: fields.get(name, "") for name in ("name", "email", "organisation", "request")}
    return {**plain, "choices": chosen("choice"), "members": members}


def read_group(event: Event, sent: Fields) -> Group:
    """The people of a group. Raises InvalidError naming every field that does not hold, by its line."""
    bare = event.model_copy(update={"questions": []})  # nobody can answer or consent for others
    wishes = WishReader(event)
    ranked = sent.get("choices")
    shared = [one for one in ranked if isinstance(one, str)] if isinstance(ranked, list) else []
    rows = sent.get("members")
    rows = rows if isinstance(rows, list) else []
    no_kinds = not any(isinstance(row, dict) and row.get("partner_type") for row in rows)
    faults: dict[str, str] = {}
    common = {"email": sent.get("email"), "organisation": sent.get("organisation") or ""}
    members: list[Details] = []
    for position, row in enumerate(rows[: MOST_IN_GROUP + 1], start=1):
        row = row if isinstance(row, dict) else {}
        line = row.get("line", position)
        kinds = [kind.id for kind in event.partner_types]
        kind = row.get("partner_type") or (kinds[0] if len(kinds) == 1 else "")
        possible = set(wishes.possible(str(kind)))
        choices = row.get("choices") or [theme for theme in shared if theme in possible or not possible]
        try:
            one = read_details(bare, {**common, "name": row.get("name"), "partner_type": kind, "choices": choices})
            if any(one.name.casefold() == other.name.casefold() for other in members):
                faults[f"name_{line}"] = SAME_NAME
            members.append(one)
        except InvalidError as error:
            names = {"name": f"name_{line}", "partner_type": f"type_{line}", "choices": f"choice_{line}_1"}
            if not row.get("choices"):
                names["choices"] = "choice_1"
            if no_kinds and "line" in row:
                names["partner_type"] = "partner_type"
            faults |= {names.get(name, name): words for name, words in error.fields.items()}
    if not rows:
        faults["name_1"] = NOBODY
    if len(rows) > MOST_IN_GROUP:
        faults["name_1"] = TOO_MANY
    contact = _read_contact(bare, sent, common, members, faults)
    if faults or contact is None:
        raise InvalidError(SUMMARY, faults)
    return Group(contact, members, str(sent.get("request") or request().headers.get("idempotency-key", "")))


def _read_contact(
    bare: Event, sent: Fields, common: Mapping[str, Any], members: list[Details], faults: dict[str, str]
) -> Details | None:
    """The person who registers; the faults of the form go to `faults`."""
    borrowed = members[0] if members else None
    rest = {"partner_type": borrowed.partner_type, "choices": borrowed.choices} if borrowed else {}
    try:
        return read_details(bare, {**common, **rest, "name": sent.get("name")})
    except InvalidError as error:
        faults |= {name: words for name, words in error.fields.items() if name in ("name", "email", "organisation")}
        return None


def store(event: Event, group: Group, now: datetime) -> None:
    """Store a group whole."""
    language = language_of(event)
    base = {"event": event.id, "language": language, "created_at": utc(now), "updated_at": utc(now)}
    kept = {"organisation": group.contact.organisation, **base}
    delegate = Registration(
        id=new_id(),
        state=RegistrationState.DELEGATE,
        name=group.contact.name,
        email=group.contact.email,
        partner_type=group.contact.partner_type,
        choices=[],
        confirmed_at=None,
        **kept,
    )
    members = [
        Registration(
            id=new_id(),
            state=RegistrationState.WAITING,
            delegate=delegate.id,
            name=one.name,
            partner_type=one.partner_type,
            choices=one.choices,
            **kept,
        )
        for one in group.members
    ]
    once = ""
    if group.key:
        said = "\n".join(one.model_dump_json() for one in [group.contact, *group.members])
        once = hashlib.sha256(f"{event.id}\n{group.key[:400]}\n{said}".encode()).hexdigest()
    tell = may_mail(web.table, web.keys, delegate.email, now=now)
    if register_group(web.table, event, delegate, members, now=now, once=once, tell=tell):
        web.count("GroupRegistered")


def form_page(event: Event, typed: Fields, error: ParcoursError | None = None) -> Answer:
    """The form for a group, with what was typed."""
    asked = (request().query_string_parameters or {}).get("rows", "")
    filled = max((line for line in range(1, ROWS[-1] + 1) if typed.get(f"name_{line}")), default=0)
    rows = next((number for number in ROWS if number >= max(filled, int(asked) if asked in map(str, ROWS) else 0)), 40)
    most = event.wishes(len(event.themes))[1]
    return show(
        "group.html",
        language_of(event),
        status=error.status if error else 200,
        event=event,
        typed=typed,
        error=error,
        rows=rows,
        all_rows=ROWS,
        most=most,
        own_choices=most if most <= MOST_OWN_CHOICES else 0,
        phase=views.registration_phase(event, web.clock()),
        key=secrets.token_urlsafe(12),
    )


# --------------------------------------------------------------------------- behind the delegate's link


@router.post("/r/<token>/members/<member_id>")
def change_member(token: str, member_id: str) -> Answer:
    """Rename a person of the group, withdraw or erase them."""
    refuse_other_sites(request())
    event, delegate = own.find_own_acting(token)
    fields = read_fields(request())
    act = str(fields.get("act", ""))
    member = next((one for one in members_of(web.table, delegate) if one.id == member_id), None)
    if delegate.state is not RegistrationState.DELEGATE or member is None:
        raise NotFoundError(NO_MEMBER)

    with shown_again(
        lambda error: own.own_page(
            token, event, delegate, form_of(event, delegate), problem=error.message, status=error.status
        )
    ):
        now = web.clock()
        if act != "erase" and (event.cancelled or now >= event.ends_at):
            raise ClosedError(DAY_IS_OVER)
        if act == "erase" and fields.get("sure") not in ("yes", True):
            raise InvalidError(NOT_SURE, {"sure": NOT_SURE})
        if act == "withdraw":
            withdraw(web.table, member, now=now)
            offer_places(web.table, event, now=now)
        elif act == "erase":
            erase(web.table, member, now=now)
            offer_places(web.table, event, now=now)
        else:
            bare = event.model_copy(update={"questions": []})
            said = {"name": fields.get("name"), "email": delegate.email, "partner_type": member.partner_type}
            details = read_details(bare, {**said, "choices": member.choices}, kept_ranking=True)
            save(web.table, member, {"name": details.name}, now=now)
    return done({"status": "changed"}, f"/r/{token}?done=changed")
