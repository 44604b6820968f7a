"""Events: the list, the dashboard, the event file, the audit list."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

from functions.organise import audit_list, dashboard, event_files, event_setup, exports, people, sessions, web
from functions.organise.drafts import read_publication
from functions.organise.routes import setup
from functions.organise.sessions import Role
from functions.organise.uploads import read_upload
from functions.organise.web import (
    Answer,
    Visit,
    created,
    done,
    make_router,
    query,
    reply,
    request,
    services,
    show,
    signed_in,
    visit,
)
from shared import cancellation
from shared.acts import Act
from shared.cancellation import REACHED, reached
from shared.errors import ParcoursError
from shared.http import as_json, read_fields, see_other, shown_again, wants_json
from shared.new_event import example
from shared.registrations import registrations_of

router = make_router()


@router.get("/organise")
def list_events() -> Answer:
    """The events of the organiser who asks."""
    actor = signed_in()
    mine = sorted(sessions.events_of(services().table, actor), key=lambda event: (event.date, event.id))
    listed = [{"id": event.id, "title": event.title, "date": event.date.isoformat()} for event in mine]
    broken = list(sessions.unreadable_of(services().table, actor))
    roles = {event.id: sessions.role_in(event, actor).name.lower() for event in [*mine, *broken]}
    data = {"events": listed, "unreadable": [event.id for event in broken], "signed_in": actor}
    return reply(data, "events.html", events=mine, broken=broken, roles=roles, actor=actor)


@router.get("/organise/new")
def show_new_event() -> Answer:
    """The ways to a new event: a few answers, the copy of an earlier one, or a file."""
    return _new_event_page(_organiser(), {})


@router.post("/organise/new")
def put_new_event() -> Answer:
    """Put an event that does not exist yet: a file, a draft from a few answers, or a copy."""
    actor = _organiser()
    fields = read_upload(request())
    text = fields.get("file") or fields.get("text")

    with shown_again(lambda error: _new_event_page(actor, fields, error)):
        if fields.get("act") in {"start", "copy"}:
            return setup.start_new(fields, actor)
        event = event_files.put_new(services().table, text, actor=actor, now=services().now)
    return created(201, {"event": event.id}, f"/organise/{event.id}", "event-put")


def _new_event_page(actor: str, typed: dict[str, Any], error: ParcoursError | None = None) -> Answer:
    """The forms for a new event, with what was typed."""
    table = services().table
    mine = [event for event in sessions.events_of(table, actor) if sessions.role_in(event, actor) is Role.ORGANISER]
    text = typed.get("file") or typed.get("text") or example(services().now.date())
    return show(
        "new_event.html", error=error, actor=actor, text=text, typed=typed, events=mine, files="file" in query()
    )


def _organiser() -> str:
    """The address of an organiser of any event. Raises NotSignedInError or ForbiddenError."""
    actor = signed_in()
    sessions.refuse_other_than_organisers(services().table, actor)
    return actor


@router.get("/organise/<event_id>")
def show_event(event_id: str) -> Answer:
    """The dashboard; a browser of a helper is sent on to the door."""
    here = visit(event_id, Role.DOOR)
    if here.role is Role.DOOR and not wants_json(request()):
        return see_other(f"{here.home}/door")
    sessions.refuse_less(here.role, Role.ORGANISER)
    overview = dashboard.read_overview(here.table, here.event, here.now)
    shown = dashboard.as_shown(here.event, overview)
    preview = event_setup.preview_url(services().keys, here.event)
    return here.reply(shown, "dashboard.html", here="overview", overview=overview, preview=preview)


@router.get("/organise/<event_id>/file")
def show_file(event_id: str) -> Answer:
    """The event file, to read and change."""
    here = visit(event_id, unreadable_too=True)
    if not here.readable:
        text = event_files.last_text(here.table, event_id)
        return as_json(200, {"text": text}) if wants_json(request()) else _unreadable_page(here, text)
    facts = {"text": exports.event_yaml(here.table, here.event), "seen": event_files.version(here.event)}
    return here.reply(facts, "event_file.html", here="file", **facts)


@router.post("/organise/<event_id>/file")
def change_file(event_id: str) -> Answer:
    """Change the event file; a change that would break registrations already made is refused."""
    here = visit(event_id, unreadable_too=True)
    fields = read_upload(request())
    text, seen = fields.get("file") or fields.get("text"), fields.get("seen")

    def show_form(error: ParcoursError) -> Answer:
        if not here.readable:
            return _unreadable_page(here, text or "", error)
        return here.page("event_file.html", error=error, here="file", text=text or "", seen=seen or "")

    with shown_again(show_form):
        if here.readable:
            event_files.put_again(here.table, here.event, text, seen=seen, **here.by)
        else:
            event_files.mend(here.table, event_id, text, **here.by)
    return here.done("file", "file-changed")


def _unreadable_page(here: Visit, text: str, error: ParcoursError | None = None) -> Answer:
    """The form that puts again the file of an event that cannot be read; nothing else of it can be shown."""
    return show("unreadable_event.html", error=error, actor=here.actor, broken=here.event, text=text)


@router.post("/organise/<event_id>/retirement")
def retire(event_id: str) -> Answer:
    """Take an event off the pages."""
    here = visit(event_id)
    event_files.retire(here.table, here.event, **here.by)
    return done("/organise", "retired")


@router.get("/organise/<event_id>/cancellation")
def show_cancellation(event_id: str) -> Answer:
    """What cancelling the day does, how many mails it writes, and what they say."""
    here = visit(event_id)
    facts = _cancellation(here)
    data = {"cancelled": here.event.cancelled, "mails": facts["mails"]}
    if sent := facts["sent"]:
        data["undo"] = {"mails": len(sent.people), "on_their_way": sent.leaving, "held": sent.held}
    return here.reply(data, "cancellation.html", **facts)


@router.post("/organise/<event_id>/cancellation")
def cancel(event_id: str) -> Answer:
    """Cancel the day, if that still writes exactly the mails that were agreed to."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("cancellation.html", error=error, **_cancellation(here))):
        expected = read_publication(fields)
        event_files.cancel(here.table, here.event, expected, **here.by)
    return here.done("", "day-cancelled", number=expected)


@router.post("/organise/<event_id>/cancellation/undo")
def undo_cancellation(event_id: str) -> Answer:
    """Let the day take place after all, if that writes exactly the mails that were agreed to."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("cancellation.html", error=error, **_cancellation(here))):
        expected = read_publication(fields)
        cancellation.undo_cancellation(here.table, here.event, expected, **here.by)
        Act.UNDO_CANCELLATION.counted()
    return here.done("", "day-restored", number=expected)


def _cancellation(here: Visit) -> dict[str, Any]:
    """What the page of the cancellation shows: the people who are told, by their state."""
    counts = Counter(person.state for person in reached(registrations_of(here.table, here.event.id)))
    told = [(state.value, counts[state]) for state in REACHED if counts[state]]
    sent = cancellation.standing(here.table, here.event) if here.event.cancelled else None
    return {"here": "setup", "mails": counts.total(), "told": told, "sent": sent, "linked": False}


@router.get("/organise/<event_id>/audit")
def show_audit(event_id: str) -> Answer:
    """Who did what, the newest first; `before` is the key of a line and continues with the older ones."""
    here = visit(event_id)
    found = audit_list.read_page(here.table, here.event, query().get("before", ""), web.PAGE_SIZE)
    return here.reply(
        lambda: audit_list.as_shown(found),
        "audit.html",
        here="audit",
        lines=found.lines,
        names=lambda: people.names(here.table, here.event),
        before=found.before,
        older=quote(found.older),
    )
