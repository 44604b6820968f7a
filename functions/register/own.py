"""Routes behind a registration's own link: see it, change it, take an offered place, withdraw, erase."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.register import outcome, views, web
from functions.register.forms import Form, field_names, form_as_sent, form_of, read_details, read_sent
from functions.register.given_up import give_up, may_give_up, take_back
from functions.register.web import Answer, done, language_of, reply, request, show
from shared import settings
from shared.address_change import Step, ask_move, carry_out, named_in, still_stands
from shared.check_in_code import check_in_code
from shared.confirmation import confirm
from shared.edition import sequence_of
from shared.errors import (
    CANCELLED,
    ClosedError,
    ConflictError,
    DeadLinkError,
    NotFoundError,
    ParcoursError,
    StaleError,
    TooManyRequestsError,
)
from shared.events import read_event
from shared.http import (
    Fields,
    answer,
    as_json,
    read_fields,
    refuse_other_sites,
    shown_again,
    switches_language,
    wants_json,
)
from shared.i18n import N_
from shared.limits import DAY, may_mail, seconds_left, within_cap
from shared.models import Event, Programme, Registration, RegistrationState
from shared.reasons import in_words
from shared.registrations import (
    CHANGED_MEANWHILE,
    erase,
    members_of,
    read_registration,
    save,
    withdraw,
)
from shared.runs import programme_of
from shared.state import comes_at_once, gives_out_at, read_state
from shared.text import address_key
from shared.tokens import CALENDAR_SALT, sign, sign_link, verify, verify_link
from shared.waiting_list import accept_offer, band_of, offer_places

ADDRESS_CHANGES_A_DAY = 5

NO_LINK = N_("This link is not valid. It may have been replaced by a newer one, or the registration was erased.")
TOO_MANY_CHANGES = N_("The address of this registration was changed often today. Please try again tomorrow.")
OF_A_GROUP = N_("This link is that of a group. Change each person of it on its page.")
NO_CHANGE = N_("This link is not valid. It works for a day, and not after another change of the address.")
ERASED = N_("Everything that was kept of you is deleted.")
WITHDRAWN = N_("You have withdrawn. Register again if you want to come after all.")
SAVE_AGAIN = N_("Your registration was changed elsewhere meanwhile. What you typed stands below: save it to keep it.")
DAY_IS_OVER = N_("The day is over.")

NOT_CHECKED_IN = N_("You were not checked in at the door, so there is nothing to confirm. Write to the organisers.")

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@router.get("/r/<token>")
def show_own(token: str) -> Answer:
    """One's own registration: how it stands, and the programme once it is published."""
    event, registration = find_own(token)
    return own_page(token, event, registration, form_of(event, registration))


@router.put("/r/<token>")
def replace_own(token: str) -> Answer:
    """Change details and ranking; the answer is JSON."""
    event, registration = find_own_acting(token)
    return as_json(200, own_facts(event, change(event, registration, read_fields(request()), web.clock())))


@router.post("/r/<token>")
def change_own(token: str) -> Answer:
    """Change details and ranking, by form or JSON."""
    refuse_other_sites(request())
    event, registration = find_own(token) if switches_language() else find_own_acting(token)
    sent = read_sent(event, request())

    def show_again(error: ParcoursError) -> Answer:
        current, fields = registration, sent.fields
        if isinstance(error, StaleError):
            current = read_registration(web.table, event.id, registration.id) or registration
            fields, error = {**fields, "revision": current.revision}, StaleError(SAVE_AGAIN)
        return own_page(
            token, event, current, form_as_sent(event, fields, error, current.excluded), status=error.status
        )

    with shown_again(show_again):
        after = change(event, registration, sent.fields, web.clock())
    return done(own_facts(event, after), f"/r/{token}?done=changed")


@router.get("/address/<token>")
def show_address_change(token: str) -> Answer:
    """The page with the button that moves a registration to another address, or back."""
    event, registration, step = find_change(token)
    return address_page(token, event, registration, step)


@router.post("/address/<token>")
def carry_out_address_change(token: str) -> Answer:
    """Move a registration to another address, or back; then its page behind the new own link."""
    refuse_other_sites(request())
    event, registration, step = find_change(token)
    with shown_again(lambda error: address_page(token, event, registration, step, error)):
        after = carry_out(web.table, registration, step, now=web.clock())
    web.count("AddressMoved" if step == "move" else "AddressMovedBack")
    link = sign_link(web.keys, event.id, after.id, after.link_version)
    return done(own_facts(event, after), f"/r/{link}?done=moved")


def find_change(token: str) -> tuple[Event, Registration, Step]:
    """What a link to another address is about. Raises NotFoundError for every link that changes nothing."""
    named = named_in(web.keys, token, web.clock())
    event = read_event(web.table, named[1]) if named else None
    registration = read_registration(web.table, named[1], named[2]) if named and event else None
    if not (named and event and registration and still_stands(registration, named[0], named[3])):
        raise NotFoundError(NO_CHANGE)
    return event, registration, named[0]


def address_page(
    token: str, event: Event, registration: Registration, step: Step, error: ParcoursError | None = None
) -> Answer:
    """The page with the button that moves a registration to another address, or back."""
    address = registration.new_email if step == "move" else registration.previous_email
    status = error.status if error else 200
    language = language_of(event, registration.language)
    return show(
        "address.html", language, status=status, event=event, token=token, step=step, address=address, error=error
    )


@router.post("/r/<token>/confirmation")
def confirm_own(token: str) -> Answer:
    """Say that the address is one's own; every other change behind the link says so too."""
    refuse_other_sites(request())
    event, registration = find_own_acting(token)
    return act(token, event, registration, "confirmed", lambda: registration)


@router.post("/r/<token>/place")
def take_place(token: str) -> Answer:
    """Accept an offered place."""
    refuse_other_sites(request())
    event, registration = find_own_acting(token)
    return act(
        token, event, registration, "place", lambda: accept_offer(web.table, event, registration, now=web.clock())
    )


@router.post("/r/<token>/withdrawal")
def withdraw_own(token: str) -> Answer:
    """Withdraw; the place goes to the person who has waited longest."""
    refuse_other_sites(request())
    event, registration = find_own_acting(token)
    if not is_confirmed():
        return ask_first(token, event, registration, "withdrawal")

    def leave() -> Registration:
        now = web.clock()
        if event.cancelled or now >= event.ends_at:
            raise ClosedError(CANCELLED if event.cancelled else DAY_IS_OVER)
        for member in members_of(web.table, registration) if delegates(registration) else ():
            withdraw(web.table, member, now=now)
        after = withdraw(web.table, registration, now=now)
        if registration.state is not RegistrationState.WITHDRAWN:
            web.count("Withdrawn")
        offer_places(web.table, event, now=now)
        return after

    return act(token, event, registration, "withdrawn", leave)


@router.post("/r/<token>/rounds")
def change_rounds(token: str) -> Answer:
    """Give up the seat of one round (`absent`), or take it back (`present`), by the round's id."""
    refuse_other_sites(request())
    event, registration = find_own_acting(token)
    fields = read_fields(request())
    left, back = str(fields.get("absent", "")), str(fields.get("present", ""))
    if not left:
        now = web.clock()
        return act(
            token, event, registration, "came-back", lambda: take_back(web.table, event, registration, back, now=now)
        )

    def leave() -> Registration:
        after = give_up(web.table, event, registration, left, now=web.clock())
        web.count("RoundsGivenUp")
        return after

    return act(token, event, registration, "gave-up", leave)


@router.post("/r/<token>/erasure")
def erase_own(token: str) -> Answer:
    """Delete everything kept of a person, at once."""
    refuse_other_sites(request())
    event, registration = find_own_acting(token)
    if not is_confirmed():
        return ask_first(token, event, registration, "erasure")
    for member in members_of(web.table, registration):  # those of a group that was withdrawn before as well
        erase(web.table, member, now=web.clock())
    erase(web.table, registration, now=web.clock())
    web.count("Erased")
    offer_places(web.table, event, now=web.clock())
    return done({"status": "erased", "message": ERASED}, f"/events/{event.id}/erased")


@router.get("/r/<token>/programme.ics")
def show_calendar(token: str) -> Answer:
    """One's day as a calendar file."""
    from shared.calendar import calendar_file  # 50 ms that only this route needs to pay

    event, registration = find_own(token)
    web.spend_one_read(web.clock())
    programme = programme_for(event, registration)
    sequence = _sequence(event, registration)
    body = calendar_file(
        event, registration, programme, sequence=sequence, public_url=settings.public_url(), now=web.clock()
    )
    headers = {"Content-Disposition": f'attachment; filename="{event.id}.ics"'}
    return answer(200, body, "text/calendar; charset=utf-8", private=True, headers=headers)


@router.get("/calendars/<token>/day.ics")
def show_feed(token: str) -> Answer:
    """One's day as a calendar reads it again and again; the link is shown on the own page, and changes nothing."""
    from shared.calendar import REFRESH, calendar_file  # 50 ms that only this route needs to pay

    named = verify(web.keys, CALENDAR_SALT, token)
    event, registration = named_registration(tuple(named) if named and len(named) == 3 else None)
    programme = programme_for(event, registration)
    sequence = _sequence(event, registration)

    def made(at: datetime) -> bytes:
        url = settings.public_url()
        return calendar_file(event, registration, programme, sequence=sequence, public_url=url, now=at, feed=True)

    same = made(event.starts_at)  # the stamp says when the entry was made: without it the same day is the same bytes
    tag = f'"{hashlib.sha256(same).hexdigest()[:32]}"'
    headers = {"Cache-Control": f"private, max-age={int(REFRESH.total_seconds())}", "ETag": tag}
    if tag in request().headers.get("if-none-match", ""):
        return answer(304, "", "text/calendar; charset=utf-8", private=False, headers=headers)
    return answer(200, made(web.clock()), "text/calendar; charset=utf-8", private=False, headers=headers)


def _sequence(event: Event, registration: Registration) -> int:
    """The SEQUENCE of one's calendar entry."""
    state = read_state(web.table, event.id)
    gone = event.cancelled or registration.state is RegistrationState.WITHDRAWN
    return sequence_of(registration, state.published_run, state, gone=gone)


@router.get("/r/<token>/attendance")
def show_attendance(token: str) -> Answer:
    """Confirmation that a person was there, to print; only for those who were checked in."""
    event, registration = find_own(token)
    if not registration.checked_in_at:
        raise NotFoundError(NOT_CHECKED_IN)
    programme = programme_of(web.table, event.id, read_state(web.table, event.id).published_run, registration.id)
    language = language_of(event, registration.language)
    event = event.in_language(language)
    workshops = [one for one in views.workshops(event, programme) if not one["called_off"]] if programme else []
    facts = {"name": registration.name, "event": event.title, "date": event.date.isoformat(), "workshops": workshops}
    return reply(
        facts,
        "attendance.html",
        language,
        token=token,
        event=event,
        registration=registration,
        workshops=workshops,
    )


def find_own(token: str) -> tuple[Event, Registration]:
    """The event and the registration behind a link. Raises NotFoundError for every link that opens nothing."""
    return named_registration(verify_link(web.keys, token))


def named_registration(named: tuple[str, str, int] | None) -> tuple[Event, Registration]:
    """The event and the registration that a link names. Raises NotFoundError when it is no longer so."""
    event = read_event(web.table, named[0]) if named else None
    registration = read_registration(web.table, named[0], named[1]) if named and event else None
    if named is None or event is None:
        raise NotFoundError(NO_LINK)
    if registration is None or registration.link_version != named[2]:
        raise DeadLinkError(NO_LINK, event.id)
    return event, registration


def find_own_acting(token: str) -> tuple[Event, Registration]:
    """The same for a request that changes something: only a reader of the mailbox sends it, so it confirms the address.

    A GET confirms nothing, for mail scanners follow links.
    """
    event, registration = find_own(token)
    if registration.unconfirmed and registration.state is not RegistrationState.WITHDRAWN:
        web.count("AddressConfirmed")
        registration = confirm(web.table, registration, now=web.clock())
    return event, registration


def change(event: Event, registration: Registration, fields: Fields, now: datetime) -> Registration:
    """Change a registration; another address is only asked for (`ask_move`). Raises why not."""
    if registration.state is RegistrationState.WITHDRAWN:
        raise ConflictError(WITHDRAWN)
    if delegates(registration):
        raise ConflictError(OF_A_GROUP)
    kept_ranking = views.changes_allowed(event, registration, now) == "details"
    fields = views.as_allowed(event, registration, fields, now)
    if event.registration.organisation == "not_asked" and "organisation" not in fields:
        fields = {**fields, "organisation": registration.organisation}  # of a list, or of an earlier event file
    details = read_details(event, fields, excluded=registration.excluded, kept_ranking=kept_ranking)
    changes = details.changes()
    if details.language:
        changes["language"] = details.language
    if details.revision not in (None, registration.revision):
        if _stands(registration, changes):
            return registration  # the button was pressed twice
        raise StaleError(CHANGED_MEANWHILE)
    if address_key(details.email) == address_key(registration.email):
        return save(web.table, registration, {**changes, "new_email": ""}, now=now)
    if not within_cap(web.table, web.keys, "move", registration.id, ADDRESS_CHANGES_A_DAY, now=now, span=DAY):
        raise TooManyRequestsError(TOO_MANY_CHANGES, retry_after=seconds_left(now, DAY))
    web.spend_one_request(event, now)
    tell = may_mail(web.table, web.keys, details.email, now=now)
    return ask_move(web.table, registration, without(changes, "email"), details.email, now=now, tell=tell)


def _stands(registration: Registration, changes: Mapping[str, Any]) -> bool:
    """Whether a registration is as these changes would make it; another address counts once it was asked for."""
    address = address_key(registration.new_email or registration.email) == address_key(changes["email"])
    return address and all(getattr(registration, key) == value for key, value in without(changes, "email").items())


def delegates(registration: Registration) -> bool:
    """Whether this registration is that of a person who registered a group."""
    return registration.state is RegistrationState.DELEGATE


def without(changes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The changes but for one field."""
    return {key: value for key, value in changes.items() if key != name}


def act(token: str, event: Event, registration: Registration, what: str, change: Callable[[], Registration]) -> Answer:
    """Make a change; then the registration as it stands, or for a browser the page that says what was done."""

    def show_again(error: ParcoursError) -> Answer:
        current = read_registration(web.table, event.id, registration.id) or registration
        return own_page(token, event, current, form_of(event, current), status=error.status, problem=error.message)

    with shown_again(show_again):
        after = change()
    return done(own_facts(event, after), f"/r/{token}?done={what}")


def is_confirmed() -> bool:
    """Whether a browser's user was asked before something is given up; a program is not asked."""
    return wants_json(request()) or read_fields(request()).get("confirmed") == "yes"


def ask_first(token: str, event: Event, registration: Registration, what: str) -> Answer:
    """Confirmation page before withdrawal or erasure."""
    waiting = registration.state is RegistrationState.WAITING
    language = language_of(event, registration.language)
    return show("confirm.html", language, event=event, token=token, what=what, waiting=waiting)


def own_page(
    token: str, event: Event, registration: Registration, form: Form, *, status: int = 200, problem: str = ""
) -> Answer:
    """The page behind the link, or its facts."""
    if delegates(registration):
        return group_page(token, event, registration, status=status, problem=problem or form.problem)
    state, now = read_state(web.table, event.id), web.clock()
    programme, band = programme_for(event, registration, state.published_run), among_first(event, registration)
    lot = outcome.own_lot(web.table, event, programme)
    language = language_of(event, registration.language)
    event = event.in_language(language)
    return reply(
        views.own_registration(event, registration, programme, among_first=band, lot=lot, now=now),
        "own.html",
        language,
        lot=lot,
        code=_code(event, registration, programme, now),
        feed=_feed(event, registration),
        status=status,
        token=token,
        event=event,
        registration=registration,
        form=form,
        problem=problem or form.problem,
        fields=field_names(event),
        programme=programme,
        gives_out=gives_out_at(event, state),
        at_once=comes_at_once(event, state),
        workshops=views.workshops(event, programme) if programme else [],
        reason=in_words(programme.reason, event, language) if programme else "",
        among_first=band,
        offer_ends=views.offer_ends(event, registration),
        confirm_by=views.confirm_by(event, registration),
        offer_hours=views.OFFER_HOURS,
        may_change=views.may_change(event, registration, now),
        allowed=views.changes_allowed(event, registration, now),
        rounds=_rounds(event, registration, programme, now),
        may_withdraw=registration.state is not RegistrationState.WITHDRAWN
        and not event.cancelled
        and now < event.ends_at,
        phase=views.registration_phase(event, now),
        now=now,
        done=(request().query_string_parameters or {}).get("done", ""),
    )


def _rounds(
    event: Event, registration: Registration, programme: Programme | None, now: datetime
) -> list[dict[str, Any]]:
    """The rounds that a person may give up or take back now: id, slot, title of the workshop, whether it is left."""
    titles = {theme.id: theme.title for theme in event.themes}
    found = []
    for slot in event.rounds:
        left = slot.id in registration.absent
        own = left and (slot.id in registration.gave_up or programme is None)
        if not left and slot.id in registration.pinned:
            continue  # expected there by the organisers
        theme = registration.gave_up.get(slot.id) if left else programme.workshops.get(slot.id) if programme else None
        if may_give_up(event, registration, slot.id, now) and (own or (not left and (theme or programme is None))):
            found.append({"id": slot.id, "slot": slot, "title": titles.get(theme or "", ""), "left": left})
    return found


def group_page(token: str, event: Event, delegate: Registration, *, status: int = 200, problem: str = "") -> Answer:
    """The page of a person who registered a group: everybody in it, with programme, and what can be changed."""
    language, now = language_of(event, delegate.language), web.clock()
    event = event.in_language(language)
    members = members_of(web.table, delegate)
    run = read_state(web.table, event.id).published_run
    programmes = {one.id: programme_for(event, one, run) for one in members}
    shown = {one.id: views.workshops(event, own) if (own := programmes[one.id]) else [] for one in members}
    facts = {
        "event": event.id,
        "state": delegate.state.value,
        "name": delegate.name,
        "email": delegate.email,
        "members": [
            {"id": one.id, "name": one.name, "state": one.state.value, "workshops": shown[one.id]} for one in members
        ],
    }
    return reply(
        facts,
        "own_group.html",
        language,
        status=status,
        token=token,
        event=event,
        delegate=delegate,
        members=members,
        workshops=shown,
        problem=problem,
        may_withdraw=not event.cancelled and now < event.ends_at,
        done=(request().query_string_parameters or {}).get("done", ""),
    )


def _code(event: Event, registration: Registration, programme: Programme | None, now: datetime) -> str:
    """The code for the entrance, once there is a programme and until the day is over."""
    if programme is None or registration.state is not RegistrationState.CONFIRMED or now >= event.ends_at:
        return ""
    return check_in_code(settings.public_url(), event.id, registration.id)


def _feed(event: Event, registration: Registration) -> str:
    """The address that a calendar can subscribe to."""
    token = sign(web.keys, CALENDAR_SALT, [event.id, registration.id, registration.link_version])
    return f"{settings.public_url()}/calendars/{token}/day.ics"


def own_facts(event: Event, registration: Registration) -> dict[str, Any]:
    """A registration as its holder sees it, as JSON."""
    programme, band = programme_for(event, registration), among_first(event, registration)
    lot = outcome.own_lot(web.table, event, programme)
    return views.own_registration(event, registration, programme, among_first=band, lot=lot, now=web.clock())


def programme_for(event: Event, registration: Registration, run: int | None = None) -> Programme | None:
    """The published programme of a person who has a place; none once the day is cancelled."""
    if event.cancelled or registration.state is not RegistrationState.CONFIRMED:
        return None
    published = read_state(web.table, event.id).published_run if run is None else run
    return programme_of(web.table, event.id, published, registration.id)


def among_first(event: Event, registration: Registration) -> int:
    """To which of the first so many a waiting person belongs, or 0; see `shared.waiting_list.count_hourly`."""
    if registration.state is not RegistrationState.WAITING:
        return 0
    return band_of(read_state(web.table, event.id), registration)
