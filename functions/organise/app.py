"""Organisers' pages and API: sign-in, people, drafts, publication, exports, the door.

A route reads the request, asks who it is, makes one call and answers as a page or as JSON; what the call does stands
in the module named after its subject. A GET changes nothing; a POST from another site is refused.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.organise import drafts, people, sessions
from functions.organise.sessions import Role
from functions.organise.views import render, render_error
from shared import settings
from shared.errors import ForbiddenError, NotFoundError, NotSignedInError
from shared.events import read_event
from shared.http import (
    as_json,
    make_app,
    page,
    read_fields,
    refuse_other_sites,
    see_other,
    source_address,
    wants_json,
)
from shared.models import Event
from shared.observability import logger
from shared.registrations import programme_of, read_state, registrations_of
from shared.runs import programmes_of, runs_of
from shared.table import Table
from shared.tokens import Keys

COOKIE = "parcours"

_config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
allocator = boto3.client("lambda", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))

app = make_app(render_error)
Answer = Response[Any]


@logger.inject_lambda_context
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(payload, context)


def clock() -> datetime:
    """What time it is; tests set it."""
    return datetime.now(UTC)


def request() -> APIGatewayProxyEventV2:
    """The request being answered."""
    return app.current_event


# --------------------------------------------------------------------------- who is asking


def session_token() -> str:
    """The session's token: from the header of a program, or the cookie of a browser."""
    kind, _, token = request().headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer":
        return token.strip()
    cookies = [*(request().raw_event.get("cookies") or []), *request().headers.get("cookie", "").split(";")]
    pairs = (cookie.strip().partition("=") for cookie in cookies)
    return next((value for name, _, value in pairs if name == COOKIE), "")


def signed_in() -> str:
    """The address of who is signed in. Raises NotSignedInError; ForbiddenError for a form from another site."""
    if request().http_method != "GET":
        refuse_other_sites(request())
    address = sessions.who_is(table, session_token(), clock())
    if address is None:
        raise NotSignedInError("Sign in first: ask for a link by email.")
    return address


def allowed(event_id: str, least: Role = Role.ORGANISER) -> tuple[Event, str]:
    """The event and who acts on it. Raises NotSignedInError, NotFoundError or ForbiddenError."""
    actor = signed_in()
    event = read_event(table, event_id) if len(event_id) <= 60 else None
    if event is None:
        raise NotFoundError("There is no such event.")
    role = sessions.role_in(event, actor)
    if role < least:
        raise ForbiddenError(
            "You help at the door of this event; this page is for its organisers."
            if role
            else "You are not an organiser of this event. Its event file lists who is."
        )
    return event, actor


# --------------------------------------------------------------------------- signing in and out


@app.get("/organise/sign-in")
def show_sign_in() -> Answer:
    """The form that asks for a link."""
    return page(200, render("sign_in.html"))


@app.post("/organise/sign-in")
def ask_for_link() -> Answer:
    """Mail a sign-in link; the answer is the same whoever asks."""
    refuse_other_sites(request())
    address = sessions.read_address(read_fields(request()).get("email"))
    sessions.ask_link(table, address, source=source_address(request()), now=clock())
    message = "If this address belongs to an organiser, a link is on its way. It works once, for 15 minutes."
    if wants_json(request()):
        return as_json(202, {"message": message})
    return page(202, render("sign_in.html", sent=message))


@app.get("/organise/sign-in/<token>")
def show_link(token: str) -> Answer:
    """What a mailed link shows: a button. Mail scanners follow links and do not press buttons."""
    usable = sessions.is_open(table, sessions.nonce_in(keys, token), clock())
    if not usable:
        raise NotFoundError("This sign-in link was used or is too old. Ask for a new one.")
    if wants_json(request()):
        return as_json(200, {"message": "POST here to sign in."})
    return page(200, render("sign_in.html", token=token))


@app.post("/organise/sign-in/<token>")
def use_link(token: str) -> Answer:
    """Open a session: a cookie for browsers, a bearer token for programs."""
    refuse_other_sites(request())
    session = sessions.open_session(table, sessions.nonce_in(keys, token), clock())
    if wants_json(request()):
        return as_json(200, {"token": session, "seconds": int(sessions.SESSION_FOR.total_seconds())})
    return see_other("/organise", cookies=[_cookie(session, int(sessions.SESSION_FOR.total_seconds()))])


@app.post("/organise/sign-out")
def sign_out() -> Answer:
    """End the session."""
    actor = signed_in()
    sessions.close_session(table, session_token(), actor, clock())
    if wants_json(request()):
        return as_json(200, {"message": "You are signed out."})
    return see_other("/organise/sign-in", cookies=[_cookie("", 0)])


def _cookie(value: str, seconds: int) -> Cookie:
    return Cookie(
        COOKIE,
        value,
        path="/organise",
        secure=True,
        http_only=True,
        max_age=seconds,
        same_site=SameSite.STRICT_MODE,
    )


# --------------------------------------------------------------------------- events


@app.get("/organise")
def list_events() -> Answer:
    """The events of who is signed in."""
    actor = signed_in()
    mine = list(sessions.events_of(table, actor))
    if wants_json(request()):
        listed = [{"id": one.id, "title": one.title, "date": one.date.isoformat()} for one in mine]
        return as_json(200, {"events": listed, "signed_in": actor})
    return page(200, render("events.html", events=mine, actor=actor))


@app.get("/organise/<event_id>")
def show_event(event_id: str) -> Answer:
    """The dashboard."""
    event, actor = allowed(event_id)
    state = read_state(table, event.id)
    runs = [drafts.short(run) for run in runs_of(table, event.id)]
    if wants_json(request()):
        return as_json(200, {"event": event.id, "state": state.model_dump(exclude={"seed"}), "allocations": runs})
    return page(200, render("dashboard.html", event=event, actor=actor, state=state, runs=runs))


# --------------------------------------------------------------------------- people


@app.get("/organise/<event_id>/people")
def list_people(event_id: str) -> Answer:
    """Everyone, or those a search means."""
    event, actor = allowed(event_id)
    programmes = programmes_of(table, event.id, read_state(table, event.id).published_run)
    shown = [people.as_shown(one, programmes.get(one.id)) for one in registrations_of(table, event.id)]
    if wants_json(request()):
        return as_json(200, {"people": shown})
    return page(200, render("people.html", event=event, actor=actor, people=shown))


@app.post("/organise/<event_id>/people")
def add_person(event_id: str) -> Answer:
    """Add somebody, also after closing, if a place is free."""
    event, actor = allowed(event_id)
    wanted = people.read_new_person(event, read_fields(request()))
    stored = people.add_person(table, event, wanted, actor=actor, now=clock())
    location = f"/organise/{event.id}/people/{stored.id}"
    if wants_json(request()):
        return as_json(201, people.as_shown(stored), headers={"Location": location})
    return see_other(location)


@app.get("/organise/<event_id>/people/<person_id>")
def show_person(event_id: str, person_id: str) -> Answer:
    """One person."""
    event, actor = allowed(event_id)
    person = people.find_person(table, event, person_id)
    programme = programme_of(table, event.id, read_state(table, event.id).published_run, person.id)
    if wants_json(request()):
        return as_json(200, people.as_shown(person, programme))
    return page(200, render("person.html", event=event, actor=actor, person=person, programme=programme))


@app.patch("/organise/<event_id>/people/<person_id>")
def change_person(event_id: str, person_id: str) -> Answer:
    """Correct, pin, mark absent, withdraw or check in."""
    event, actor = allowed(event_id)
    person = people.find_person(table, event, person_id)
    wanted = people.read_correction(event, read_fields(request()))
    after = people.change_person(table, event, person, wanted, actor=actor, now=clock())
    return as_json(200, people.as_shown(after))


# --------------------------------------------------------------------------- allocations


@app.get("/organise/<event_id>/allocations")
def list_runs(event_id: str) -> Answer:
    """Every run, the newest first."""
    event, actor = allowed(event_id)
    runs = [drafts.short(run) for run in runs_of(table, event.id)]
    if wants_json(request()):
        return as_json(200, {"allocations": runs})
    return page(200, render("dashboard.html", event=event, actor=actor, state=read_state(table, event.id), runs=runs))


@app.post("/organise/<event_id>/allocations")
def start_run(event_id: str) -> Answer:
    """Ask for a draft; while one is under way, that one is the answer."""
    event, actor = allowed(event_id)
    run = drafts.start(table, event, drafts.read_wish(read_fields(request())), actor=actor, now=clock())
    wake_allocator(event, run=run.number)
    location = f"/organise/{event.id}/allocations/{run.number}"
    if wants_json(request()):
        return as_json(202, drafts.short(run), headers={"Location": location})
    return see_other(location)


@app.get("/organise/<event_id>/allocations/<number>")
def show_run(event_id: str, number: str) -> Answer:
    """A run: its state, its figures, what it would change."""
    event, actor = allowed(event_id)
    reading = drafts.read_draft(table, event, drafts.find_run(table, event, number))
    shown = drafts.as_shown(event, reading)
    if wants_json(request()):
        return as_json(200, shown)
    return page(200, render("draft.html", event=event, actor=actor, reading=reading, shown=shown))


@app.post("/organise/<event_id>/allocations/<number>/publication")
def publish(event_id: str, number: str) -> Answer:
    """Publish a draft, if it still writes exactly the mails that were agreed to."""
    event, actor = allowed(event_id)
    run = drafts.find_run(table, event, number)
    expected = drafts.read_publication(read_fields(request()))
    published = drafts.publish_draft(table, event, run, expected, actor=actor, now=clock())
    wake_allocator(event, publication=run.number)
    if wants_json(request()):
        return as_json(202, {**drafts.short(published), "mails": expected})
    return see_other(f"/organise/{event.id}/allocations/{run.number}")


def wake_allocator(event: Event, **what: int) -> None:
    """Tell the allocator there is work. Failing is no fault: its schedule looks every minute."""
    payload = json.dumps({"event": event.id, **what}).encode()
    try:
        allocator.invoke(FunctionName=settings.required("ALLOCATE_FUNCTION"), InvocationType="Event", Payload=payload)
    except (BotoCoreError, ClientError) as error:
        logger.warning("allocator not woken", extra={"event_id": event.id, "why": type(error).__name__})
