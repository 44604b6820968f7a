"""Public pages and API: events, the form, and everyone's own registration behind the link they were mailed.

A route reads the request, makes one call of `shared.registrations` and answers as a page or as JSON. A GET changes
nothing: mail scanners follow links. Nothing here tells whether an address is registered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from functions.register import views
from functions.register.forms import (
    KEY,
    Details,
    Form,
    empty_form,
    field_names,
    form_as_sent,
    form_of,
    from_form,
    new_registration,
    read_address,
    read_details,
)
from shared import settings
from shared.errors import ClosedError, ConflictError, NotFoundError, ParcoursError, StaleError, TooManyRequestsError
from shared.events import events, read_event
from shared.http import (
    Fields,
    answer,
    as_json,
    make_app,
    read_cookie,
    read_fields,
    refuse_other_sites,
    resolve,
    see_other,
    source_address,
    wants_json,
)
from shared.i18n import N_
from shared.limits import network_of, within_cap
from shared.models import Event, Programme, Registration, RegistrationState
from shared.observability import logger
from shared.pages import read_asset
from shared.reasons import in_words
from shared.registrations import (
    CHANGED_MEANWHILE,
    accept_offer,
    change_address,
    erase,
    find_by_address,
    offer_places,
    programme_of,
    read_registration,
    read_state,
    register,
    registrations_of,
    remind,
    save,
    send_own_link,
    withdraw,
)
from shared.table import Absent, Table, Write, put
from shared.tokens import Keys, verify_link

ADDRESS_CHANGES_A_DAY = 5
SENT_TO = "sent-to"
SENT_TO_SECONDS = 3600

ACCEPTED = N_("Thank you. We have sent a mail to the address you gave; it says how you stand and holds your own link.")
LINK_SENT = N_("If this address is registered, its link is on its way.")
CLOSED = N_("Registration is closed.")
NOT_YET_OPEN = N_("Registration is not open yet.")
NO_EVENT = N_("There is no such event. It may be over.")
NO_LINK = N_("This link is not valid. It may have been replaced by a newer one, or the registration was erased.")
TOO_MANY = N_("Too many registrations came from your network in the last hour. Please try again later.")
TOO_MANY_CHANGES = N_("The address of this registration was changed often today. Please try again tomorrow.")
ADDRESS_CHANGED = N_("Your new link is on its way to the new address. The old link opens nothing any more.")
ERASED = N_("Everything that was kept of you is deleted.")
WITHDRAWN = N_("You have withdrawn. Register again if you want to come after all.")
SAVE_AGAIN = N_("Your registration was changed elsewhere meanwhile. What you typed stands below: save it to keep it.")
DAY_IS_OVER = N_("The day is over.")

_config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
cap_an_hour = int(settings.optional("REGISTRATIONS_PER_SOURCE_HOUR", "300"))

app = make_app(views.render_error)
Answer = Response[Any]


@logger.inject_lambda_context
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return resolve(app, payload, context)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def request() -> APIGatewayProxyEventV2:
    """The request being answered."""
    return app.current_event


def show(template: str, language: str, *, status: int = 200, private: bool = True, **facts: Any) -> Answer:
    """Answer with a page, and remember the language if it was just switched."""
    body = views.render(request(), template, language, **facts)
    cookies = None
    if views.wished_language(request()) == language:
        year = 365 * 24 * 3600
        cookies = [Cookie(views.LANGUAGE_COOKIE, language, path="/", max_age=year, same_site=SameSite.STRICT_MODE)]
    return answer(status, body, "text/html; charset=utf-8", private=private, cookies=cookies)


# --------------------------------------------------------------------------- events


@app.get("/")
def list_events() -> Answer:
    """The events whose registration is open now, then those to come."""
    now = clock()
    listed = sorted((one for one in events(table) if one.is_open(now)), key=lambda one: one.date)
    if wants_json(request()):
        facts = [
            {"id": one.id, "title": one.title, "date": one.date.isoformat(), "url": f"/events/{one.id}"}
            for one in listed
        ]
        return as_json(200, {"events": facts})
    return show("events.html", views.language_of(request()), events=listed)


@app.get("/events/<event_id>")
def show_event(event_id: str) -> Answer:
    """The day, the themes and the form."""
    event = find_event(event_id)
    if wants_json(request()):
        return as_json(200, views.public_event(event, read_state(table, event.id), clock()))
    return event_page(event, empty_form(event))


@app.post("/events/<event_id>/registrations")
def send_registration(event_id: str) -> Answer:
    """Register, or send who is registered already the own link: the answer is the same."""
    refuse_other_sites(request())
    event = find_event(event_id)
    sent = read_fields(request())
    if wants_json(request()):
        take_registration(event, sent)
        return as_json(202, {"status": "accepted", "message": ACCEPTED})
    fields = from_form(event, sent)
    try:
        take_registration(event, fields, key=str(sent.get(KEY, "")))
    except ParcoursError as error:
        form = form_as_sent(event, fields, error.message, error.fields)
        return event_page(event, form, status=error.status)
    return see_other(f"/events/{event.id}/registered", cookies=[remember_address(event, read_address_of(fields))])


def take_registration(event: Event, fields: Fields, *, key: str = "") -> None:
    """Check and store what was sent. Raises the error that says why not."""
    now = clock()
    require_open(event, now)
    details = read_details(event, fields)
    spend_one_request(now)
    draft = new_registration(event, details, language=views.language_of(request(), event.language), now=now)
    key = request().headers.get("idempotency-key", "") or key
    register(table, event, draft, now=now, once=answered_once(event, key, details, now))


@app.get("/events/<event_id>/registered")
def show_registered(event_id: str) -> Answer:
    """What happens next; it stays true when it is opened again."""
    event = find_event(event_id)
    sent_to = unquote(read_cookie(request(), SENT_TO))
    return show("registered.html", views.language_of(request(), event.language), event=event, sent_to=sent_to)


@app.post("/events/<event_id>/links")
def send_link(event_id: str) -> Answer:
    """Mail somebody the own link again; the answer is the same whether the address is known."""
    refuse_other_sites(request())
    event = find_event(event_id)
    sent = read_fields(request())
    try:
        address = read_address(sent)
        spend_one_request(clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return link_page(event, status=error.status, error=error, typed=str(sent.get("email", "")))
    send_own_link(table, event.id, address, now=clock())
    if wants_json(request()):
        return as_json(202, {"status": "accepted", "message": LINK_SENT})
    return see_other(f"/events/{event.id}/links?sent=yes")


@app.get("/events/<event_id>/links")
def show_link_sent(event_id: str) -> Answer:
    """What a wish for one's link is answered with, and the form for another."""
    return link_page(find_event(event_id), sent="sent" in (request().query_string_parameters or {}))


def link_page(
    event: Event, *, status: int = 200, error: ParcoursError | None = None, typed: str = "", sent: bool = False
) -> Answer:
    """The form that asks for one's own link."""
    language = views.language_of(request(), event.language)
    return show("link.html", language, status=status, event=event, error=error, typed=typed, sent=sent)


# --------------------------------------------------------------------------- one's own registration


@app.get("/r/<token>")
def show_own(token: str) -> Answer:
    """One's own registration: how it stands, and the programme once it is published."""
    event, one = find_own(token)
    return own_page(token, event, one, form_of(one))


@app.put("/r/<token>")
def replace_own(token: str) -> Answer:
    """Change details and ranking."""
    event, one = find_own(token)
    after = change(event, one, read_fields(request()))
    if after is None:
        return as_json(200, {"status": "address-changed", "message": ADDRESS_CHANGED})
    return as_json(200, own_facts(event, after))


@app.post("/r/<token>")
def change_own(token: str) -> Answer:
    """Change details and ranking, by form."""
    refuse_other_sites(request())
    if wants_json(request()):
        return replace_own(token)
    event, one = find_own(token)
    fields = from_form(event, read_fields(request()))
    try:
        after = change(event, one, fields)
    except StaleError as error:
        current = read_registration(table, event.id, one.id) or one
        form = form_as_sent(event, {**fields, "revision": current.revision}, SAVE_AGAIN, {})
        return own_page(token, event, current, form, status=error.status)
    except ParcoursError as error:
        return own_page(
            token, event, one, form_as_sent(event, fields, error.message, error.fields), status=error.status
        )
    return see_other(f"/r/{token}?done=changed" if after else f"/events/{event.id}/moved")


@app.get("/events/<event_id>/moved")
def show_moved(event_id: str) -> Answer:
    """What happens after one's address was changed: the link that led here is dead."""
    return farewell(event_id, "moved")


@app.get("/events/<event_id>/erased")
def show_erased(event_id: str) -> Answer:
    """That everything is gone."""
    return farewell(event_id, "erased")


def farewell(event_id: str, why: str) -> Answer:
    """A page that names nobody, for who has no link any more."""
    event = find_event(event_id)
    return show("farewell.html", views.language_of(request(), event.language), event=event, why=why)


@app.post("/r/<token>/place")
def take_place(token: str) -> Answer:
    """Accept an offered place."""
    refuse_other_sites(request())
    event, one = find_own(token)
    return act(token, event, one, "place", lambda: accept_offer(table, one, now=clock()))


@app.post("/r/<token>/withdrawal")
def withdraw_own(token: str) -> Answer:
    """Withdraw; the place goes to who waits."""
    refuse_other_sites(request())
    event, one = find_own(token)
    if not confirmed():
        return ask_first(token, event, one, "withdrawal")

    def leave() -> Registration:
        if clock() >= event.ends_at:
            raise ClosedError(DAY_IS_OVER)
        after = withdraw(table, one, now=clock())
        offer_places(table, event, now=clock())
        return after

    return act(token, event, one, "withdrawn", leave)


@app.post("/r/<token>/erasure")
def erase_own(token: str) -> Answer:
    """Delete everything kept of a person, at once."""
    refuse_other_sites(request())
    event, one = find_own(token)
    if not confirmed():
        return ask_first(token, event, one, "erasure")
    erase(table, one, now=clock())
    offer_places(table, event, now=clock())
    if wants_json(request()):
        return as_json(200, {"status": "erased", "message": ERASED})
    return see_other(f"/events/{event.id}/erased")


@app.get("/r/<token>/programme.ics")
def show_calendar(token: str) -> Answer:
    """One's day as a calendar file."""
    from shared.calendar import calendar_file  # 50 ms that only this route needs to pay

    event, one = find_own(token)
    state = read_state(table, event.id)
    programme = programme_of(table, event.id, state.published_run, one.id)
    sequence = state.published_run + (one.state is RegistrationState.WITHDRAWN)
    body = calendar_file(event, one, programme, sequence=sequence, public_url=settings.public_url(), now=clock())
    headers = {"Content-Disposition": f'attachment; filename="{event.id}.ics"'}
    return answer(200, body, "text/calendar; charset=utf-8", private=True, headers=headers)


def change(event: Event, one: Registration, fields: Fields) -> Registration | None:
    """Change a registration; None when its address moves, whoever holds the new one. Raises what says why not."""
    now = clock()
    if one.state is RegistrationState.WITHDRAWN:
        raise ConflictError(WITHDRAWN)
    require_open(event, now)
    details = read_details(event, fields)
    if details.revision not in (None, one.revision):
        raise StaleError(CHANGED_MEANWHILE)
    changes = details.changes()
    if details.language:
        changes["language"] = details.language
    if details.email == one.email:
        return save(table, one, changes, now=now)
    if not within_cap(table, "move", one.id, ADDRESS_CHANGES_A_DAY, now=now):
        raise TooManyRequestsError(TOO_MANY_CHANGES)
    if change_address(table, one, changes, now=now) is None:
        # Taken: the answer stays the same, and the holder hears of it as of a second registration.
        holder = find_by_address(table, event.id, details.email)
        if holder:
            remind(table, event.id, holder.id, "already-registered", now=now)
    return None


def act(token: str, event: Event, one: Registration, done: str, deed: Callable[[], Registration]) -> Answer:
    """Do it; then the registration as it stands, or for a browser the page with what was done."""
    try:
        after = deed()
    except ConflictError as error:
        if wants_json(request()):
            raise
        current = read_registration(table, event.id, one.id) or one
        return own_page(token, event, current, form_of(current), status=error.status, problem=error.message)
    if wants_json(request()):
        return as_json(200, own_facts(event, after))
    return see_other(f"/r/{token}?done={done}")


def confirmed() -> bool:
    """Whether a browser's user was asked before something is given up; a program says what it means."""
    return wants_json(request()) or read_fields(request()).get("confirmed") == "yes"


def ask_first(token: str, event: Event, one: Registration, what: str) -> Answer:
    """The page between the button and the deed."""
    language = views.language_of(request(), one.language)
    return show("confirm.html", language, event=event, token=token, one=one, what=what)


def own_page(
    token: str, event: Event, one: Registration, form: Form, *, status: int = 200, problem: str = ""
) -> Answer:
    """The page behind the link, or its facts."""
    programme, ahead, now = programme_for(event, one), people_ahead(event, one), clock()
    if wants_json(request()):
        return as_json(200, views.own_registration(event, one, programme, ahead=ahead, now=now))
    language = views.language_of(request(), one.language)
    return show(
        "own.html",
        language,
        status=status,
        token=token,
        event=event,
        one=one,
        form=form,
        problem=problem or form.problem,
        fields=field_names(event, trap=False),
        programme=programme,
        workshops=views.workshops(event, programme) if programme else [],
        reason=in_words(programme.reason, event, language) if programme else "",
        position=ahead + 1,
        offer_ends=views.offer_ends(event, one),
        offer_hours=views.OFFER_HOURS,
        may_change=views.may_change(event, one, now),
        may_withdraw=one.state is not RegistrationState.WITHDRAWN and now < event.ends_at,
        phase=views.registration_phase(event, now),
        now=now,
        done=(request().query_string_parameters or {}).get("done", ""),
    )


def own_facts(event: Event, one: Registration) -> dict[str, Any]:
    """A registration as its holder sees it, as JSON."""
    facts = programme_for(event, one), people_ahead(event, one)
    return views.own_registration(event, one, facts[0], ahead=facts[1], now=clock())


def programme_for(event: Event, one: Registration) -> Programme | None:
    """The published programme of who has a place."""
    if one.state is not RegistrationState.CONFIRMED:
        return None
    return programme_of(table, event.id, read_state(table, event.id).published_run, one.id)


def people_ahead(event: Event, one: Registration) -> int:
    """How many wait longer; the first to come is the first to be offered a place."""
    if one.state is not RegistrationState.WAITING:
        return 0
    waiting = (other for other in registrations_of(table, event.id) if other.state is RegistrationState.WAITING)
    return sum((other.created_at, other.id) < (one.created_at, one.id) for other in waiting)


# --------------------------------------------------------------------------- files


@app.get("/assets/<name>")
def show_asset(name: str) -> Answer:
    """The stylesheet and the script."""
    found = read_asset(name)
    if found is None:
        raise NotFoundError(N_("There is no such file."))
    body, media_type, caching = found
    return answer(200, body.decode(), media_type, private=False, headers=caching)


# --------------------------------------------------------------------------- what several routes need


def find_event(event_id: str) -> Event:
    """The event of this id. Raises NotFoundError."""
    event = read_event(table, event_id) if len(event_id) <= 60 else None
    if event is None:
        raise NotFoundError(NO_EVENT)
    return event


def find_own(token: str) -> tuple[Event, Registration]:
    """The event and the registration behind a link. Raises NotFoundError for every link that opens nothing."""
    named = verify_link(keys, token)
    event = read_event(table, named[0]) if named else None
    one = read_registration(table, named[0], named[1]) if named and event else None
    if named is None or event is None or one is None or one.link_version != named[2]:
        raise NotFoundError(NO_LINK)
    return event, one


def require_open(event: Event, now: datetime) -> None:
    """Raise ClosedError unless people may register and change now."""
    if not event.is_open(now):
        raise ClosedError(NOT_YET_OPEN if now < event.opens_at else CLOSED)


def spend_one_request(now: datetime) -> None:
    """Count a request that may cause a mail against its source. Raises TooManyRequestsError past the cap."""
    if not within_cap(table, "register", network_of(source_address(request())), cap_an_hour, now=now):
        raise TooManyRequestsError(TOO_MANY)


def answered_once(event: Event, key: str, details: Details, now: datetime) -> Write | None:
    """The write that refuses a request answered before, for a caller that named it.

    What was sent counts too: a caller who names every request alike loses nobody.
    """
    if not key:
        return None
    digest = hashlib.sha256(f"{event.id}\n{key[:400]}\n{details.model_dump_json()}".encode()).hexdigest()
    expires = int((now + timedelta(days=1)).timestamp())
    return put({"pk": "IDEMPOTENCY", "sk": digest, "type": "idempotency", "expires": expires}, expect={"pk": Absent()})


def event_page(event: Event, form: Form, *, status: int = 200) -> Answer:
    """The event's page with the form as it stands."""
    now = clock()
    return show(
        "event.html",
        views.language_of(request(), event.language),
        status=status,
        event=event,
        form=form,
        problem=form.problem,
        fields=field_names(event, trap=True),
        phase=views.registration_phase(event, now),
        places=views.places(event, read_state(table, event.id)),
        offer_hours=views.OFFER_HOURS,
    )


def read_address_of(fields: Fields) -> str:
    """The address of a form that was accepted."""
    return read_address({"email": fields.get("email")})


def remember_address(event: Event, address: str) -> Cookie:
    """Carries the address to the next page, so that it stands in no URL."""
    return Cookie(
        SENT_TO,
        quote(address),
        path=f"/events/{event.id}/registered",
        secure=True,
        http_only=True,
        max_age=SENT_TO_SECONDS,
        same_site=SameSite.STRICT_MODE,
    )
