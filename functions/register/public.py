"""Public routes: the events, the registration form, and asking for one's own link.

Nothing here tells whether an address is registered. A GET changes nothing: mail scanners follow links.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from functions.register import outcome, views, web
from functions.register.forms import (
    Details,
    Form,
    Sent,
    empty_form,
    field_names,
    form_as_sent,
    new_registration,
    read_address,
    read_details,
    read_sent,
)
from functions.register.web import Answer, done, find_event, language_of, reply, request, show
from shared.errors import NotFoundError, ParcoursError
from shared.events import events, read_event
from shared.http import Fields, answer, read_cookie, read_fields, refuse_other_sites, shown_again
from shared.i18n import N_
from shared.limits import may_mail
from shared.models import Event, RegistrationState
from shared.pages import PAGES, read_asset
from shared.registrations import register, send_own_link
from shared.runs import read_run
from shared.state import comes_at_once, gives_out_at, read_state
from shared.text import address_key
from shared.tokens import PREVIEW_SALT, keyed_digest, verify

SENT_TO = "sent-to"
SENT_TO_SECONDS = 3600

ACCEPTED = N_("Thank you. We have sent a mail to the address you gave; it says how you stand and holds your own link.")
LINK_SENT = N_("If this address is registered, its link is on its way.")

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@router.get("/")
def list_events() -> Answer:
    """The events whose registration is open now, the next first."""
    now = web.clock()
    web.spend_one_read(now)
    listed = sorted((event for event in events(web.table) if event.is_open(now)), key=lambda event: event.date)
    data = {"events": [views.event_in_list(event) for event in listed]}
    language = language_of()
    shown = [event.in_language(event.language_for(language)) for event in listed]
    return reply(data, "events.html", language, events=shown)


@router.get("/events/<event_id>")
def show_event(event_id: str) -> Answer:
    """The day, the themes and the form."""
    event = find_event(event_id)
    return event_page(event, empty_form(event))


@router.get("/events/<event_id>/preview/<token>")
def show_preview(event_id: str, token: str) -> Answer:
    """The page of a draft as it will look when registration is open, behind a link that its organisers have."""
    event = read_event(web.table, event_id) if len(event_id) <= 60 else None
    if event is None or verify(web.keys, PREVIEW_SALT, token) != [event_id]:
        raise NotFoundError(web.NO_EVENT)
    return event_page(event, empty_form(event), preview=request().path)


@router.post("/events/<event_id>/registrations")
def send_registration(event_id: str) -> Answer:
    """Register, or send the own link to a person who is registered already: the answer is the same."""
    refuse_other_sites(request())
    event = find_event(event_id)
    sent = read_sent(event, request())

    with shown_again(lambda error: event_page(event, form_as_sent(event, sent.fields, error), status=error.status)):
        details = take_registration(event, sent)
    return done(
        {"status": "accepted", "message": ACCEPTED},
        f"/events/{event.id}/registered",
        status=202,
        cookies=[remember_address(event, details.email)],
    )


def take_registration(event: Event, sent: Sent) -> Details:
    """Check and store what was sent; the details that were read. Raises the ParcoursError that says why not."""
    now = web.clock()
    views.require_open(event, now)
    details = read_details(event, sent.fields)
    web.spend_one_request(event, now)
    draft = new_registration(event, details, language=language_of(event), now=now)
    if details.remark2:
        web.count("TrapFilled")
        return details
    key = request().headers.get("idempotency-key", "") or sent.key
    tell = may_mail(web.table, web.keys, details.email, now=now)
    registration, is_new = register(
        web.table, event, draft, now=now, once=name_of_request(event, key, details), tell=tell
    )
    if is_new:
        web.count("Registered" if registration.state is RegistrationState.CONFIRMED else "PutOnWaitingList")
    return details


@router.get("/events/<event_id>/registered")
def show_registered(event_id: str) -> Answer:
    """Page after registering; safe to reload."""
    event = find_event(event_id)
    sent_to = unquote(read_cookie(request(), SENT_TO))
    state = read_state(web.table, event.id)
    return show(
        "registered.html",
        language_of(event),
        event=event,
        sent_to=sent_to,
        gives_out=gives_out_at(event, state),
        at_once=comes_at_once(event, state),
    )


@router.post("/events/<event_id>/links")
def send_link(event_id: str) -> Answer:
    """Mail a person the own link again; the answer is the same whether the address is known."""
    refuse_other_sites(request())
    event = find_event(event_id)
    sent = read_fields(request())

    with shown_again(lambda error: link_page(event, error=error, sent=sent)):
        address = read_address(sent)
        web.spend_one_request(event, web.clock())
        tell = may_mail(web.table, web.keys, address, now=web.clock())
        digest = keyed_digest(web.keys, address_key(address))
        send_own_link(web.table, event.id, address, digest, now=web.clock(), tell=tell)
    return done({"status": "accepted", "message": LINK_SENT}, f"/events/{event.id}/links?sent=yes", status=202)


@router.get("/events/<event_id>/links")
def show_link_sent(event_id: str) -> Answer:
    """The form that asks for one's own link, and the answer after it was sent."""
    return link_page(find_event(event_id), is_sent="sent" in (request().query_string_parameters or {}))


def link_page(
    event: Event, *, error: ParcoursError | None = None, sent: Fields | None = None, is_sent: bool = False
) -> Answer:
    """The form that asks for one's own link."""
    typed = (sent or {}).get("email")
    return show(
        "link.html",
        language_of(event),
        status=error.status if error else 200,
        event=event,
        error=error,
        typed=typed if isinstance(typed, str) else "",
        sent=is_sent,
    )


@router.get("/events/<event_id>/allocation")
def show_allocation(event_id: str) -> Answer:
    """What was allocated and how it was drawn, for anybody to check; it tells of nobody."""
    event, now = find_event(event_id), web.clock()
    web.spend_one_read(now)
    state = read_state(web.table, event.id)
    run = read_run(web.table, event.id, state.published_run)
    if run is None:
        raise NotFoundError(N_("Workshops have not been given out yet."))
    facts = outcome.public_allocation(event, run, outcome.counted(web.table, event, run))
    data = {**facts, **views.draw_facts(event, state, now)}
    return reply(data, "allocation.html", language_of(event), event=event, run=data)


@router.get("/events/<event_id>/erased")
def show_erased(event_id: str) -> Answer:
    """Page after erasure; it names nobody."""
    event = find_event(event_id)
    return show("farewell.html", language_of(event), event=event)


@router.get("/openapi.json")
def show_openapi() -> Answer:
    """Every route as an OpenAPI document, for programs."""
    return answer(200, (PAGES / "openapi.json").read_text(encoding="utf-8"), "application/json", private=False)


@router.get("/assets/<name>")
def show_asset(name: str) -> Answer:
    """The stylesheet and the script."""
    found = read_asset(name)
    if found is None:
        raise NotFoundError(N_("There is no such file."))
    body, media_type, caching = found
    return answer(200, body.decode(), media_type, private=False, headers=caching)


def event_page(event: Event, form: Form, *, status: int = 200, preview: str = "") -> Answer:
    """The event's page with the form as it stands, or its facts.

    Parameters
    ----------
    preview
        The path of the preview, whose form cannot be sent; "" on the page itself.
    """
    now = web.clock()
    state = read_state(web.table, event.id)
    language = language_of(event)
    return reply(
        views.public_event(event.in_language(language), state, now),
        "event.html",
        language,
        status=status,
        event=event,
        form=form,
        problem=form.problem,
        fields=field_names(event),
        phase="open" if preview else views.registration_phase(event, now),
        preview=preview,
        places=views.places(state),
        draw=views.draw_facts(event, state, now),
        published=state.published_run > 0,
        gives_out=gives_out_at(event, state),
        at_once=comes_at_once(event, state),
        offer_hours=views.OFFER_HOURS,
    )


def name_of_request(event: Event, key: str, details: Details) -> str:
    """The digest that names a request whose caller gave it a key, or "".

    What was sent counts too: a caller that names every request alike loses nobody.
    """
    if not key:
        return ""
    return hashlib.sha256(f"{event.id}\n{key[:400]}\n{details.model_dump_json()}".encode()).hexdigest()


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
