"""An event without its file: a new one from a form or a copy, its five pages, its check list, its opening."""

from __future__ import annotations

import re
from typing import Any

from functions.organise import event_files, event_setup, sessions
from functions.organise.event_form.differences import differences
from functions.organise.event_form.filled_in import as_fields
from functions.organise.event_form.pages import PAGES, Values, row_numbers
from functions.organise.event_form.read_back import read_page
from functions.organise.uploads import LARGEST
from functions.organise.views import language_of
from functions.organise.web import Answer, Visit, created, make_router, request, services, visit
from shared.errors import InvalidError, ParcoursError
from shared.events import refuse_broken_promises
from shared.http import read_fields, shown_again
from shared.i18n import told
from shared.models import Event
from shared.registrations import registrations_of
from shared.state import read_state

router = make_router()

MOST_FIELDS = 12_000
"""Fields of one page: 200 workshops have their seats, minimum and room in each of 8 rounds, and texts."""

NEW_ROWS = 3


@router.get("/organise/<event_id>/setup")
def show_setup(event_id: str) -> Answer:
    """The five pages, the check list, and the button that opens a draft."""
    return _overview(visit(event_id))


@router.post("/organise/<event_id>/opening")
def open_event(event_id: str) -> Answer:
    """Let everybody see a draft."""
    here = visit(event_id)
    with shown_again(lambda error: _overview(here, error)):
        event_setup.open_event(here.table, here.event, **here.by)
    return here.done("", "opened")


@router.get("/organise/<event_id>/setup/<page>")
def show_page(event_id: str, page: str) -> Answer:
    """One of the five pages, filled in as the event stands."""
    here = visit(event_id)
    event_setup.refuse_unknown_page(page, PAGES)
    values = as_fields(here.event, page)
    return here.reply(
        {"page": page, "fields": values},
        "setup_page.html",
        **_facts(here, page, values, event_files.version(here.event)),
    )


@router.post("/organise/<event_id>/setup/<page>")
def save_page(event_id: str, page: str) -> Answer:
    """Store a page. Of an event that is open, what differs is shown first and stored when that is confirmed."""
    here = visit(event_id)
    event_setup.refuse_unknown_page(page, PAGES)
    values = read_fields(request(), largest=LARGEST, most_fields=MOST_FIELDS)
    act, seen = str(values.pop("act", "")), values.pop("seen", None)

    def form(error: ParcoursError | None = None, rows: str = "") -> Answer:
        return here.page(
            "setup_page.html", error=error, **_facts(here, page, values, str(seen or ""), error=error, rows=rows)
        )

    if act == "edit" or act.startswith("more:"):
        return form(rows=act.partition(":")[2])
    with shown_again(form):
        event_files.refuse_stale(here.event, seen)
        reading = read_page(here.event, page, values)
        try:
            after = event_files.read_data(reading.data, here.actor)
        except InvalidError as error:
            named = reading.named(error.fields)
            raise InvalidError(told("Some answers need another look. Nothing was stored yet."), named) from None
        refuse_broken_promises(here.table, here.event, after, read_state(here.table, here.event.id))
        if not here.event.draft and act != "save":
            return _difference(here, page, values, after, str(seen or ""))
        event_files.put_data(here.table, here.event, reading.data, **here.by)
    pages = list(PAGES)
    following = f"/{pages[pages.index(page) + 1]}" if here.event.draft and page != pages[-1] else ""
    return here.done(f"setup{following}", "page-saved")


def _overview(here: Visit, error: ParcoursError | None = None) -> Answer:
    checks = event_setup.check_list(here.event, here.now)
    preview = event_setup.preview_url(services().keys, here.event)
    facts = {"draft": here.event.draft, "preview": preview, "pages": list(PAGES)}
    shown = {"pages": PAGES, "checks": checks, "preview": preview, "here": "setup", "linked": False}
    return here.page("setup.html", error=error, **shown) if error else here.reply(facts, "setup.html", **shown)


def _facts(
    here: Visit, page: str, values: Values, seen: str, *, error: ParcoursError | None = None, rows: str = ""
) -> dict[str, Any]:
    """What the template of a page is given: fields as typed, the rows to show, and faults by field."""
    numbers = {}
    for name in PAGES[page].rows:
        known = row_numbers(values, name)
        more = NEW_ROWS if rows == name else 1 if not known else 0
        first = known[-1] + 1 if known else 0
        numbers[name] = [*known, *range(first, first + more)]
    faults = error.fields if error else {}
    return {
        **{"here": "setup", "page": page, "pages": PAGES, "values": values, "numbers": numbers, "seen": seen},
        "on_page": [name for name in faults if _stands_on(page, name)],
        "elsewhere": {name: other for name in faults if (other := _page_of(name)) and not _stands_on(page, name)},
        "preview": event_setup.preview_url(services().keys, here.event),
        "rounds": [(slot.id, f"{slot.start:%H:%M}") for slot in here.event.rounds],
    }


def _page_of(name: str) -> str:
    """The page that has the field which a fault names, "" for none."""
    return next((page for page in PAGES if _stands_on(page, name)), "")


def _stands_on(page: str, name: str) -> bool:
    """Whether a page has the field that a fault names."""
    about = PAGES[page]
    known = set(about.fields) | set(about.rows)
    plain = re.sub(r"\.(en|nl|fr)$", "", name)
    return plain in known or name.split("[")[0] in about.rows


def _difference(here: Visit, page: str, values: Values, after: Event, seen: str) -> Answer:
    """What a change replaces and what it means to those who are registered, before it is stored."""
    people = list(registrations_of(here.table, here.event.id))
    published = read_state(here.table, here.event.id).published_run > 0
    return here.reply(
        lambda: {"differences": [(one.where, one.before, one.after) for one in differences(here.event, after)]},
        "setup_difference.html",
        **{"here": "setup", "page": page, "pages": PAGES, "values": values, "seen": seen},
        differences=differences(here.event, after),
        effects=event_setup.effects(here.event, after, people, published=published),
    )


def start_new(typed: dict[str, Any], actor: str) -> Answer:
    """A draft from the form "New event", or from the copy of an earlier event."""
    table, now = services().table, services().now
    if typed.get("act") == "copy":
        mine = [
            event
            for event in sessions.events_of(table, actor)
            if sessions.role_in(event, actor) is sessions.Role.ORGANISER
        ]
        event = event_setup.copy(table, mine, typed, actor=actor, now=now)
        return created(201, {"event": event.id}, f"/organise/{event.id}/setup", "draft-made")
    event = event_setup.start(table, typed, actor=actor, now=now, language=language_of(request()))
    return created(201, {"event": event.id}, f"/organise/{event.id}/setup/day", "draft-made")
