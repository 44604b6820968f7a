"""Organisers' pages and API: sign-in, people, drafts, publication, exports, the door.

A route reads the request, asks who it is, makes one call and answers as a page or as JSON; what the call does stands
in the module named after its subject. A GET changes nothing; a POST from another site is refused.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.organise import dashboard, door, drafts, event_files, exports, imports, outbox, people, sessions
from functions.organise.sessions import Role
from functions.organise.views import render, render_error
from shared import settings
from shared.errors import ForbiddenError, InvalidError, NotFoundError, NotSignedInError, ParcoursError
from shared.events import audit, audit_lines, read_event, retire_event
from shared.http import (
    Fields,
    answer,
    as_json,
    make_app,
    page,
    read_cookie,
    read_fields,
    refuse_other_sites,
    resolve,
    see_other,
    source_address,
    wants_json,
)
from shared.mails import mails_of
from shared.models import Event, Run
from shared.observability import logger
from shared.registrations import erase, registrations_of
from shared.runs import programme_of, programmes_of, read_run, runs_of
from shared.state import read_state
from shared.table import Table, audit_sk
from shared.tokens import Keys

COOKIE = "parcours"
PAGE_SIZE, PROGRAM_SIZE = 100, 1000
"""People on one page, and in one JSON answer."""

AUDIT_LINE = re.compile(r"[0-9-]{10}T[0-9:.]{15}Z#[0-9a-f]{8}")
"""Where a line of the audit list stands: its time and what tells two of one time apart."""

PATIENCE = 4.0
"""Seconds that the page of a draft waits for the draft, so that most people never see it unfinished."""

CSV, XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
allocator = boto3.client("lambda", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))

app = make_app(render_error)
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


def query() -> dict[str, str]:
    """What stands behind the question mark, read as a browser's form writes it."""
    return dict(parse_qsl(request().raw_query_string, keep_blank_values=True))


# --------------------------------------------------------------------------- who is asking


def session_token() -> str:
    """The session's token: from the header of a program, or the cookie of a browser."""
    kind, _, token = request().headers.get("authorization", "").partition(" ")
    return token.strip() if kind.casefold() == "bearer" else read_cookie(request(), COOKIE)


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


def show(template: str, event: Event, actor: str, *, status: int = 200, **facts: Any) -> Answer:
    """A page about an event, with the tabs of what the reader may do there."""
    role = sessions.role_in(event, actor)
    return page(status, render(template, event=event, actor=actor, role=role.name.lower(), now=clock(), **facts))


def sent_form() -> bool:
    """Whether the body is a browser's form, whose fields are named one by one."""
    return "json" not in request().headers.get("content-type", "")


def ticked(value: object) -> bool:
    """Whether a box was ticked, in a form or in JSON."""
    return value == "yes" or value is True


# --------------------------------------------------------------------------- signing in and out


@app.get("/organise/sign-in")
def show_sign_in() -> Answer:
    """The form that asks for a link."""
    return page(200, render("sign_in.html"))


@app.post("/organise/sign-in")
def ask_for_link() -> Answer:
    """Mail a sign-in link; the answer is the same whoever asks."""
    refuse_other_sites(request())
    fields = read_fields(request())
    try:
        sessions.ask_link(
            table, sessions.read_address(fields.get("email")), source=source_address(request()), now=clock()
        )
    except InvalidError as error:
        if wants_json(request()):
            raise
        return page(error.status, render("sign_in.html", error=error, typed=fields.get("email", "")))
    message = "If this address belongs to an organiser, a link is on its way. It works once, for 15 minutes."
    if wants_json(request()):
        return as_json(202, {"message": message})
    return page(202, render("sign_in.html", sent=message))


@app.get("/organise/sign-in/<token>")
def show_link(token: str) -> Answer:
    """What a mailed link shows: a button. Mail scanners follow links and do not press buttons."""
    try:
        sessions.refuse_closed(table, sessions.nonce_in(keys, token), clock())
    except NotFoundError as error:
        return ask_again(error)
    if wants_json(request()):
        return as_json(200, {"message": "POST here to sign in."})
    return page(200, render("sign_in.html", token=token))


@app.post("/organise/sign-in/<token>")
def use_link(token: str) -> Answer:
    """Open a session: a cookie for browsers, a bearer token for programs."""
    refuse_other_sites(request())
    try:
        session = sessions.open_session(table, sessions.nonce_in(keys, token), clock())
    except NotFoundError as error:
        return ask_again(error)
    seconds = int(sessions.SESSION_FOR.total_seconds())
    if wants_json(request()):
        return as_json(200, {"token": session, "seconds": seconds})
    return see_other("/organise", cookies=[_cookie(session, seconds)])


def ask_again(error: NotFoundError) -> Answer:
    """What a link that opens nothing shows: the form for another."""
    if wants_json(request()):
        raise error
    return page(error.status, render("sign_in.html", notice=error.message))


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
    mine = sorted(sessions.events_of(table, actor), key=lambda event: (event.date, event.id))
    if wants_json(request()):
        listed = [{"id": one.id, "title": one.title, "date": one.date.isoformat()} for one in mine]
        return as_json(200, {"events": listed, "signed_in": actor})
    roles = {one.id: sessions.role_in(one, actor).name.lower() for one in mine}
    return page(200, render("events.html", events=mine, roles=roles, actor=actor))


@app.get("/organise/new")
def show_new_event() -> Answer:
    """The form for another event's file."""
    return page(200, render("new_event.html", actor=_any_organiser(), text=""))


@app.post("/organise/new")
def put_new_event() -> Answer:
    """Put an event that does not exist yet."""
    actor = _any_organiser()
    fields = imports.read_upload(request())
    text = fields.get("file") or fields.get("text")
    try:
        event = event_files.put_new(table, text, actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return page(error.status, render("new_event.html", actor=actor, text=text or "", error=error))
    location = f"/organise/{event.id}"
    return (
        as_json(201, {"event": event.id}, headers={"Location": location})
        if wants_json(request())
        else see_other(location)
    )


def _any_organiser() -> str:
    """Who organises something may put another event. Raises NotSignedInError or ForbiddenError."""
    actor = signed_in()
    if not any(sessions.role_in(one, actor) is Role.ORGANISER for one in sessions.events_of(table, actor)):
        raise ForbiddenError("Only organisers put events. An operator puts your first one from the command line.")
    return actor


@app.get("/organise/<event_id>")
def show_event(event_id: str) -> Answer:
    """The dashboard."""
    event, actor = allowed(event_id, Role.DOOR)
    if sessions.role_in(event, actor) is Role.DOOR:
        if wants_json(request()):
            raise ForbiddenError("You help at the door of this event; this page is for its organisers.")
        return see_other(f"/organise/{event.id}/door")
    overview = dashboard.read_overview(table, event, clock())
    if wants_json(request()):
        return as_json(200, dashboard.as_shown(event, overview))
    return show("dashboard.html", event, actor, here="overview", overview=overview)


@app.get("/organise/<event_id>/file")
def show_file(event_id: str) -> Answer:
    """The event file, to read and change."""
    event, actor = allowed(event_id)
    text, seen = exports.event_yaml(event), event_files.version(event)
    if wants_json(request()):
        return as_json(200, {"text": text, "seen": seen})
    return show("event_file.html", event, actor, here="file", text=text, seen=seen)


@app.post("/organise/<event_id>/file")
def change_file(event_id: str) -> Answer:
    """Change the event file; what would break registrations already made is refused."""
    event, actor = allowed(event_id)
    fields = imports.read_upload(request())
    text = fields.get("file") or fields.get("text")
    try:
        event_files.put_again(table, event, text, actor=actor, now=clock(), seen=fields.get("seen"))
    except ParcoursError as error:
        if wants_json(request()):
            raise
        facts = {"text": text or "", "seen": fields.get("seen", ""), "error": error}
        return show("event_file.html", event, actor, status=error.status, here="file", **facts)
    return done(event, "file", "The event file was changed.")


@app.post("/organise/<event_id>/retirement")
def retire(event_id: str) -> Answer:
    """Take an event off the pages."""
    event, actor = allowed(event_id)
    retire_event(table, event, actor=actor, now=clock())
    if wants_json(request()):
        return as_json(200, {"message": f"{event.title} is retired."})
    return see_other("/organise")


@app.get("/organise/<event_id>/audit")
def show_audit(event_id: str) -> Answer:
    """Who did what, the newest first; `before` names the line after which older ones are shown."""
    event, actor = allowed(event_id)
    before = query().get("before", "")
    if before and not AUDIT_LINE.fullmatch(before):
        raise NotFoundError("There is no such line in the audit list. Start again at its newest.")
    read = audit_lines(table, event.id, before=audit_sk(before) if before else "", most_wanted=PAGE_SIZE + 1)
    lines = list(islice(read, PAGE_SIZE + 1))
    shown = lines[:PAGE_SIZE]
    older = shown[-1]["sk"].removeprefix("AUDIT#") if len(lines) > PAGE_SIZE else ""
    if wants_json(request()):
        keys_shown = ("at", "actor", "act", "about", "what")
        return as_json(200, {"lines": [{key: line[key] for key in keys_shown} for line in shown], "older": older})
    names = people.names(table, event)
    facts: dict[str, Any] = {"lines": shown, "names": names, "before": before, "older": quote(older)}
    return show("audit.html", event, actor, here="audit", **facts)


def done(event: Event, where: str, message: str) -> Answer:
    """What follows a form that did its work: the page it belongs to. Programs are told in words."""
    if wants_json(request()):
        return as_json(200, {"message": message})
    return see_other(f"/organise/{event.id}/{where}" if where else f"/organise/{event.id}")


# --------------------------------------------------------------------------- people


@app.get("/organise/<event_id>/people")
def list_people(event_id: str) -> Answer:
    """People by state, and those a search means; one page at a time."""
    event, actor = allowed(event_id)
    program = wants_json(request())
    wanted = dashboard.read_search(query(), size=PROGRAM_SIZE if program else PAGE_SIZE)
    found = dashboard.find(list(registrations_of(table, event.id)), wanted)
    if program:
        programmes = programmes_of(table, event.id, read_state(table, event.id).published_run)
        shown = [people.as_shown(event, one, programmes.get(one.id)) for one in found.people]
        numbers = {"counts": found.counts, "total": found.total, "page": found.page, "pages": found.pages}
        return as_json(200, {"people": shown, **numbers})
    link = {"q": wanted.words, "type": wanted.kind}
    links = {tab: urlencode({**link, "state": tab}) for tab in dashboard.TABS}
    return show("people.html", event, actor, here="people", found=found, wanted=wanted, links=links)


@app.post("/organise/<event_id>/people")
def add_person(event_id: str) -> Answer:
    """Add somebody, also after closing, if a place is free."""
    event, actor = allowed(event_id)
    fields = read_fields(request())
    try:
        wanted = people.read_new_person(event, people.from_form(event, fields) if sent_form() else fields)
        stored = people.add_person(table, event, wanted, actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return show("new_person.html", event, actor, status=error.status, here="people", typed=fields, error=error)
    location = f"/organise/{event.id}/people/{stored.id}"
    if wants_json(request()):
        return as_json(201, people.as_shown(event, stored), headers={"Location": location})
    return see_other(location)


@app.get("/organise/<event_id>/people/new")
def show_new_person(event_id: str) -> Answer:
    """The form for somebody new."""
    event, actor = allowed(event_id)
    return show("new_person.html", event, actor, here="people", typed={})


@app.get("/organise/<event_id>/people/import")
def show_import(event_id: str) -> Answer:
    """The form for a CSV of people."""
    event, actor = allowed(event_id)
    return show("import.html", event, actor, here="people", text="")


@app.post("/organise/<event_id>/people/import")
def import_people(event_id: str) -> Answer:
    """Show what a CSV would change; with `expected` from that preview, change it."""
    event, actor = allowed(event_id)
    fields = imports.read_upload(request())
    text, expected = fields.get("file") or fields.get("csv"), fields.get("expected")
    found, finished = None, None
    try:
        found = imports.preview(table, event, text)
        if expected:
            finished = imports.carry_out(table, event, found, expected, actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        facts = {"text": text or "", "found": found, "error": error}
        return show("import.html", event, actor, status=error.status, here="people", **facts)
    if wants_json(request()):
        return as_json(200, finished or imports.as_shown(found))
    return show("import.html", event, actor, here="people", text=text, found=found, finished=finished)


@app.get("/organise/<event_id>/people/<person_id>")
def show_person(event_id: str, person_id: str) -> Answer:
    """One person."""
    event, actor = allowed(event_id)
    person = people.find_person(table, event, person_id)
    if wants_json(request()):
        return as_json(200, people.as_shown(event, person, _programme(event, person_id)))
    return person_page(event, actor, person_id)


def person_page(
    event: Event, actor: str, person_id: str, error: ParcoursError | None = None, typed: Fields | None = None
) -> Answer:
    """A person with everything an organiser may change, and what was refused of it."""
    person = people.find_person(table, event, person_id)
    mails = list(mails_of(table, event.id, registration=person.id))
    lines = list(islice(audit_lines(table, event.id, about=person.id), 20))
    return show(
        "person.html",
        event,
        actor,
        status=error.status if error else 200,
        here="people",
        person=person,
        programme=_programme(event, person.id),
        mails=outbox.newest_first(mails, ""),
        lines=lines,
        error=error,
        typed=typed or people.as_typed(person),
    )


def _programme(event: Event, person_id: str) -> Any:
    return programme_of(table, event.id, read_state(table, event.id).published_run, person_id)


@app.patch("/organise/<event_id>/people/<person_id>")
def change_person(event_id: str, person_id: str) -> Answer:
    """Correct, pin, mark absent, withdraw or check in; door helpers check in."""
    event, actor = allowed(event_id, Role.DOOR)
    person = people.find_person(table, event, person_id)
    wanted = people.read_correction(event, read_fields(request()))
    if sessions.role_in(event, actor) is Role.DOOR and wanted.model_fields_set - {"checked_in", "revision"}:
        raise ForbiddenError("You help at the door of this event: you may check people in and undo it.")
    after = people.change_person(table, event, person, wanted, actor=actor, now=clock())
    if sessions.role_in(event, actor) is Role.DOOR:
        return as_json(200, {"id": after.id, "name": after.name, "checked_in_at": after.checked_in_at})
    return as_json(200, people.as_shown(event, after, _programme(event, after.id)))


@app.post("/organise/<event_id>/people/<person_id>")
def correct_person(event_id: str, person_id: str) -> Answer:
    """The form of a browser: the whole of what may be corrected."""
    event, actor = allowed(event_id)
    fields = read_fields(request())

    def correct() -> None:
        person = people.find_person(table, event, person_id)
        wanted = people.read_correction(event, people.from_form(event, fields) if sent_form() else fields)
        people.change_person(table, event, person, wanted, actor=actor, now=clock())

    return on_person(event, actor, person_id, correct, "The changes are saved.", typed=fields)


@app.post("/organise/<event_id>/people/<person_id>/withdrawal")
def withdraw_person(event_id: str, person_id: str) -> Answer:
    """Give a person's place back, for them."""
    event, actor = allowed(event_id)

    def withdraw() -> None:
        person = people.find_person(table, event, person_id)
        wanted = people.Correction(withdrawn=True)
        people.change_person(table, event, person, wanted, actor=actor, now=clock())

    return on_person(event, actor, person_id, withdraw, "This person has been withdrawn.")


@app.post("/organise/<event_id>/people/<person_id>/mails")
def send_again(event_id: str, person_id: str) -> Answer:
    """Send a person again what they should have."""
    event, actor = allowed(event_id)

    def send() -> None:
        people.send_again(table, event, people.find_person(table, event, person_id), actor=actor, now=clock())

    return on_person(event, actor, person_id, send, "The mail is on its way again.")


@app.post("/organise/<event_id>/people/<person_id>/erasure")
def erase_person(event_id: str, person_id: str) -> Answer:
    """Delete everything kept of a person who asked for it."""
    event, actor = allowed(event_id)
    sure = ticked(read_fields(request()).get("sure"))

    def erase_for_good() -> None:
        person = people.find_person(table, event, person_id)
        if not sure:
            raise InvalidError("Erasing cannot be undone.", {"sure": "Tick the box to say that you are sure"})
        erase(table, person, now=clock(), extra=[audit(event.id, actor, "erase", now=clock())])

    told = "Everything kept of this person is erased."
    return on_person(event, actor, person_id, erase_for_good, told, then="people")


@app.post("/organise/<event_id>/people/<person_id>/check-in")
def check_in(event_id: str, person_id: str) -> Answer:
    """Check a person in, or undo it; back to where it was asked for."""
    event, actor = allowed(event_id, Role.DOOR)
    fields = read_fields(request())
    person = people.find_person(table, event, person_id)
    arrived = not ticked(fields.get("undo"))
    words = str(fields.get("q", ""))[:200]
    try:
        wanted = people.Correction(checked_in=arrived)
        person = people.change_person(table, event, person, wanted, actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return door_page(event, actor, words, status=error.status, error=error)
    if wants_json(request()):
        return as_json(200, {"id": person.id, "name": person.name, "checked_in_at": person.checked_in_at})
    if fields.get("from") == "person":
        return see_other(f"/organise/{event.id}/people/{person.id}")
    told = urlencode({"q": words, "done": person.id} if words else {"done": person.id})
    return see_other(f"/organise/{event.id}/door?{told}")


def on_person(
    event: Event,
    actor: str,
    person_id: str,
    change: Callable[[], None],
    message: str,
    *,
    then: str = "",
    typed: Fields | None = None,
) -> Answer:
    """Make a change of a person; what is refused is shown on the person's page, with nothing typed lost."""
    try:
        change()
    except NotFoundError:
        raise
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return person_page(event, actor, person_id, error, typed)
    return done(event, then or f"people/{person_id}", message)


# --------------------------------------------------------------------------- allocations


@app.get("/organise/<event_id>/allocations")
def list_runs(event_id: str) -> Answer:
    """Every run side by side, the newest first, and the form for another."""
    event, actor = allowed(event_id)
    if wants_json(request()):
        return as_json(200, {"allocations": [drafts.short(run) for run in runs_of(table, event.id)]})
    return runs_page(event, actor, {})


def runs_page(event: Event, actor: str, typed: Fields, error: ParcoursError | None = None) -> Answer:
    """Every run side by side, and what was refused of a new one."""
    people_now = list(registrations_of(table, event.id))
    return show(
        "allocations.html",
        event,
        actor,
        status=error.status if error else 200,
        here="allocations",
        runs=list(runs_of(table, event.id)),
        state=read_state(table, event.id),
        inputs=drafts.inputs(event, people_now),
        typed=typed,
        error=error,
    )


@app.post("/organise/<event_id>/allocations")
def start_run(event_id: str) -> Answer:
    """Ask for a draft; while one is under way, that one is the answer."""
    event, actor = allowed(event_id)
    fields = read_fields(request())
    try:
        run = drafts.start(table, event, drafts.read_wish(fields), actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return runs_page(event, actor, fields, error)
    wake_allocator(event, run=run.number)
    location = f"/organise/{event.id}/allocations/{run.number}"
    if wants_json(request()):
        return as_json(202, drafts.short(run), headers={"Location": location})
    return see_other(location)


@app.get("/organise/<event_id>/allocations/<number>")
def show_run(event_id: str, number: str) -> Answer:
    """A run: its state, its figures, what it would change."""
    event, actor = allowed(event_id)
    run = drafts.find_run(table, event, number)
    if wants_json(request()):
        return as_json(200, drafts.as_shown(event, drafts.read_draft(table, event, run)))
    return run_page(event, actor, waited_for(event, run))


def waited_for(event: Event, run: Run) -> Run:
    """A run under way, once it is done or patience ends."""
    until = time.monotonic() + PATIENCE
    while run.state in drafts.UNDER_WAY and time.monotonic() < until:
        time.sleep(0.3)
        run = drafts.find_run(table, event, str(run.number))
    return run


def run_page(event: Event, actor: str, run: Run, error: ParcoursError | None = None) -> Answer:
    """A run as a page, and why it was not published."""
    reading = drafts.read_draft(table, event, run)
    return show(
        "draft.html",
        event,
        actor,
        status=error.status if error else 200,
        here="allocations",
        run=run,
        reading=reading,
        numbers=drafts.counted(reading.differences),
        workshops=drafts.workshops(event, run, reading.people, reading.after),
        worst=drafts.worst_off(event, reading),
        error=error,
    )


@app.get("/organise/<event_id>/allocations/<number>/outbox")
def show_outbox(event_id: str, number: str) -> Answer:
    """Who would be mailed, and what the mail would say, before it goes."""
    event, actor = allowed(event_id)
    reading = drafts.read_draft(table, event, drafts.find_run(table, event, number))
    if wants_json(request()):
        return as_json(200, {"mails": list(drafts.outbox_shown(event, reading))})
    pages = max(1, -(-len(reading.owed) // PAGE_SIZE))
    at = min(dashboard.read_search(query(), size=PAGE_SIZE).page, pages)
    shown = reading.owed[(at - 1) * PAGE_SIZE :][:PAGE_SIZE]
    facts: dict[str, Any] = {"reading": reading, "run": reading.run, "shown": shown, "number": at, "pages": pages}
    return show("outbox.html", event, actor, here="allocations", **facts)


@app.post("/organise/<event_id>/allocations/<number>/publication")
def publish(event_id: str, number: str) -> Answer:
    """Publish a draft, if it still writes exactly the mails that were agreed to."""
    event, actor = allowed(event_id)
    run = drafts.find_run(table, event, number)
    fields = read_fields(request())
    try:
        expected = drafts.read_publication(fields)
        published = drafts.publish_draft(table, event, run, expected, actor=actor, now=clock())
    except ParcoursError as error:
        if wants_json(request()):
            raise
        return run_page(event, actor, run, error)
    wake_allocator(event, publication=run.number)
    if wants_json(request()):
        return as_json(202, {**drafts.short(published), "mails": expected})
    return see_other(f"/organise/{event.id}/allocations/{run.number}")


@app.get("/organise/<event_id>/allocations/<number>/allocation.json")
def download_run(event_id: str, number: str) -> Answer:
    """A run as `parcours verify` reads it."""
    event, _ = allowed(event_id)
    reading = drafts.read_draft(table, event, drafts.find_run(table, event, number))
    if not reading.after:
        raise NotFoundError("This allocation has no programmes to download.")
    document = exports.allocation_json(event, reading.run, reading.after, reading.before)
    return download(document.decode(), "application/json", "allocation.json")


def wake_allocator(event: Event, **what: int) -> None:
    """Tell the allocator there is work. Failing is no fault: its schedule looks every minute."""
    payload = json.dumps({"event": event.id, **what}).encode()
    try:
        allocator.invoke(FunctionName=settings.required("ALLOCATE_FUNCTION"), InvocationType="Event", Payload=payload)
    except (BotoCoreError, ClientError) as error:
        logger.warning("allocator not woken", extra={"event_id": event.id, "why": type(error).__name__})


# --------------------------------------------------------------------------- mails


@app.get("/organise/<event_id>/mails")
def list_mails(event_id: str) -> Answer:
    """Mails by state, the newest first."""
    event, actor = allowed(event_id)
    everything = list(mails_of(table, event.id))
    wanted = query().get("state", "")
    found = outbox.newest_first(everything, wanted)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(dashboard.read_search(query(), size=PAGE_SIZE).page, pages)
    shown = found[(number - 1) * PAGE_SIZE :][:PAGE_SIZE]
    counts = dashboard.mail_counts((mail.state, mail.bounced) for mail in everything)
    if wants_json(request()):
        return as_json(200, {"mails": list(outbox.as_shown(shown)), "counts": counts, "page": number, "pages": pages})
    facts: dict[str, Any] = {
        "mails": shown,
        "counts": counts,
        "wanted": wanted,
        "number": number,
        "pages": pages,
        "names": people.names(table, event),
        "state": read_state(table, event.id),
    }
    return show("mails.html", event, actor, here="mails", **facts)


@app.post("/organise/<event_id>/mails/hold")
def hold_mail(event_id: str) -> Answer:
    """Hold programme mails back."""
    event, actor = allowed(event_id)
    stopped = outbox.hold(table, event, actor=actor, now=clock())
    return done(event, "mails", f"Mail is on hold; {stopped} mails were stopped.")


@app.post("/organise/<event_id>/mails/release")
def release_mail(event_id: str) -> Answer:
    """Let held mails go."""
    event, actor = allowed(event_id)
    let_go = outbox.release(table, event, actor=actor, now=clock())
    return done(event, "mails", f"{let_go} mails are on their way.")


# --------------------------------------------------------------------------- the day


@app.get("/organise/<event_id>/door")
def show_door(event_id: str) -> Answer:
    """The search at the door."""
    event, actor = allowed(event_id, Role.DOOR)
    words = query().get("q", "").strip()[:200]
    if wants_json(request()):
        found = door.search(door.guests(table, event), words)
        return as_json(200, {"people": [door.guest_shown(one) for one in found[: door.MOST_FOUND]]})
    return door_page(event, actor, words, done=query().get("done", ""))


def door_page(event: Event, actor: str, words: str, *, status: int = 200, **facts: Any) -> Answer:
    """The search at the door, and what a check-in did."""
    expected = door.guests(table, event)
    told = {"done": "", "error": None} | facts
    just = next((one for one in expected if one.person.id == told["done"]), None)
    return show(
        "door.html",
        event,
        actor,
        status=status,
        here="door",
        words=words,
        found=door.search(expected, words),
        most=door.MOST_FOUND,
        just=just,
        error=told["error"],
        arrived=sum(bool(one.person.checked_in_at) for one in expected),
        expected=len(expected),
        workshops=list(door.workshops(event, expected)),
    )


@app.get("/organise/<event_id>/workshops/<theme_id>/<round_id>")
def show_workshop(event_id: str, theme_id: str, round_id: str) -> Answer:
    """The door list of a workshop, made for paper too."""
    event, actor = allowed(event_id, Role.DOOR)
    found = door.workshop(event, door.guests(table, event), theme_id, round_id)
    if wants_json(request()):
        return as_json(200, door.as_shown(found))
    return show("sheets.html", event, actor, here="door", workshops=[found], everyone=[])


@app.get("/organise/<event_id>/sheets")
def show_sheets(event_id: str) -> Answer:
    """Everyone and every workshop, a sheet each."""
    event, actor = allowed(event_id, Role.DOOR)
    expected = door.guests(table, event)
    found = list(door.workshops(event, expected))
    if wants_json(request()):
        return as_json(200, {"workshops": [door.as_shown(one) for one in found]})
    return show("sheets.html", event, actor, here="door", workshops=found, everyone=expected)


@app.get("/organise/<event_id>/badges")
def show_badges(event_id: str) -> Answer:
    """Badges, ten to a sheet of A4."""
    event, actor = allowed(event_id, Role.DOOR)
    return show("badges.html", event, actor, here="door", guests=door.guests(table, event))


# --------------------------------------------------------------------------- exports


@app.get("/organise/<event_id>/exports")
def list_exports(event_id: str) -> Answer:
    """What can be taken away."""
    event, actor = allowed(event_id)
    run = read_run(table, event.id, read_state(table, event.id).published_run)
    return show("exports.html", event, actor, here="exports", run=run)


@app.get("/organise/<event_id>/PEOPLE.csv")
def download_ranked_people(event_id: str) -> Answer:
    """Everyone confirmed as `parcours allocate` and `verify` read them."""
    event, _ = allowed(event_id)
    return download(exports.ranked_people(event, registrations_of(table, event.id)), CSV, "PEOPLE.csv")


@app.get("/organise/<event_id>/EVENT.yaml")
def download_event(event_id: str) -> Answer:
    """The event file."""
    event, _ = allowed(event_id)
    return download(exports.event_yaml(event).encode(), "application/yaml", "EVENT.yaml")


@app.get("/organise/<event_id>/<file>")
def download_list(event_id: str, file: str) -> Answer:
    """People, programmes, workshops or the audit list, as CSV or XLSX."""
    name, dot, suffix = file.rpartition(".")
    if not dot or suffix not in {"csv", "xlsx"}:
        raise NotFoundError("There is no such page. Check the address.")
    event, _ = allowed(event_id)
    found = exports.sheet(table, event, name)
    if suffix == "csv":
        return download(exports.as_csv(found), CSV, f"{event.id}-{name}.csv")
    return download(exports.as_xlsx(found), XLSX, f"{event.id}-{name}.xlsx")


def download(data: bytes | str, media_type: str, name: str) -> Answer:
    """A file to keep."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answer(200, data, media_type, private=True, headers=disposition)
