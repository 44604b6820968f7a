"""People: the list, one person, adding, importing, correcting, withdrawing, erasing."""

from __future__ import annotations

from urllib.parse import urlencode

from functions.organise import audit_list, door, outbox, people, person_fields, search, web
from functions.organise.group_contacts import withdraw_at_wish
from functions.organise.imports import columns, reading
from functions.organise.imports.carry_out import carry_out
from functions.organise.imports.preview import UnclearColumnsError, preview_shown
from functions.organise.sessions import Role
from functions.organise.uploads import read_people_upload
from functions.organise.web import Answer, Visit, created, make_router, query, request, sent_form, ticked, visit
from shared.confirmation import unconfirmed
from shared.errors import ParcoursError
from shared.http import Fields, as_json, read_fields, shown_again, wants_json
from shared.mails import mails_of
from shared.models import RegistrationState
from shared.registrations import registrations_of
from shared.runs import programmes_of
from shared.state import read_state

router = make_router()


@router.get("/organise/<event_id>/people")
def list_people(event_id: str) -> Answer:
    """People by state, and those that a search matches; one page at a time."""
    here = visit(event_id)
    size = search.PROGRAM_PAGE_SIZE if wants_json(request()) else web.PAGE_SIZE
    wanted = search.read_search(query(), size=size)
    everybody = list(registrations_of(here.table, here.event.id))
    found = search.find(everybody, wanted)
    link = {"q": wanted.words, "type": wanted.partner_type}
    links = {tab: urlencode({**link, "state": tab}) for tab in search.TABS}
    return here.reply(
        lambda: _found_shown(here, found),
        "people.html",
        here="people",
        found=found,
        wanted=wanted,
        links=links,
        unconfirmed=len(unconfirmed(everybody)),
    )


def _found_shown(here: Visit, found: search.Found) -> dict[str, object]:
    programmes = programmes_of(here.table, here.event.id, read_state(here.table, here.event.id).published_run)
    shown = [people.as_shown(here.event, person, programmes.get(person.id)) for person in found.people]
    return {
        "people": shown,
        "counts": found.counts,
        "total": found.total,
        "page": found.page,
        "pages": found.pages,
    }


@router.post("/organise/<event_id>/people")
def add_person(event_id: str) -> Answer:
    """Add a person, also after closing, if a place is free."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("new_person.html", error=error, here="people", typed=fields)):
        wanted = person_fields.read_new_person(here.event, _person_fields(here, fields))
        person = people.add_person(here.table, here.event, wanted, **here.by)
    shown = people.as_shown(here.event, person)
    return created(201, shown, f"{here.home}/people/{person.id}", "added")


def _person_fields(here: Visit, fields: Fields) -> Fields:
    """The fields of a person as JSON has them, whatever sent them."""
    return person_fields.from_form(here.event, fields) if sent_form() else fields


@router.get("/organise/<event_id>/people/new")
def show_new_person(event_id: str) -> Answer:
    """The form for a new person."""
    return visit(event_id).page("new_person.html", here="people", typed={})


@router.get("/organise/<event_id>/people/import")
def show_import(event_id: str) -> Answer:
    """The form for a CSV of people."""
    return visit(event_id).page("import.html", here="people", text="", found=None, finished=None, fields={})


@router.post("/organise/<event_id>/people/import")
def import_people(event_id: str) -> Answer:
    """Show what a list would change; with `expected` from that preview, change it."""
    here = visit(event_id)
    fields = read_people_upload(request())
    text, expected = fields.get("file") or fields.get("csv"), fields.get("expected")
    found, finished = None, None

    def show_form(error: ParcoursError) -> Answer:
        shown = error.found if isinstance(error, UnclearColumnsError) else found
        return here.page("import.html", error=error, text=text or "", found=shown, finished=None, **asked)

    asked = {"here": "people", "fields": columns.fields_of(here.event)}
    with shown_again(show_form):
        meanings = columns.read_meanings(here.table, here.event, fields)
        found = reading.preview(here.table, here.event, text, meanings)
        if expected:
            leave_out = fields.get("leave_out_faulty") in ("yes", True)
            finished = carry_out(here.table, here.event, found, expected, leave_out_faulty=leave_out, **here.by)
            columns.remember(here.table, here.event, meanings)
            if finished["left"]:
                found = reading.preview(here.table, here.event, text, meanings)
                finished["expected"] = found.fingerprint
    shown = finished or preview_shown(found)
    return here.reply(shown, "import.html", text=text, found=found, finished=finished, **asked)


@router.post("/organise/<event_id>/people/release")
def release_unconfirmed(event_id: str) -> Answer:
    """Release everybody whose address nobody confirmed, if their number is the one that was agreed to."""
    here = visit(event_id)
    released = people.release_unconfirmed(here.table, here.event, read_fields(request()).get("expected", ""), **here.by)
    return here.done("people", "released", number=released)


@router.get("/organise/<event_id>/people/<person_id>")
def show_person(event_id: str, person_id: str) -> Answer:
    """A person."""
    here = visit(event_id)
    if not wants_json(request()):
        return person_page(here, person_id)
    person = people.find_person(here.table, here.event, person_id)
    programme = people.published_programme(here.table, here.event, person)
    return as_json(200, people.as_shown(here.event, person, programme))


def person_page(
    here: Visit,
    person_id: str,
    error: ParcoursError | None = None,
    typed: Fields | None = None,
    leaving: Fields | None = None,
) -> Answer:
    """A person with everything that an organiser may change, and why a change was refused."""
    person = people.find_person(here.table, here.event, person_id)
    mails = mails_of(here.table, here.event.id, registration=person.id)
    return here.page(
        "person.html",
        error=error,
        here="people",
        person=person,
        programme=people.published_programme(here.table, here.event, person),
        mails=outbox.newest_first(mails, ""),
        lines=audit_list.lines_about(here.table, here.event, person.id),
        typed=typed or person_fields.as_typed(person),
        group=people.group_of(here.table, person),
        leaving=leaving or {},
    )


@router.patch("/organise/<event_id>/people/<person_id>")
def change_person(event_id: str, person_id: str) -> Answer:
    """Correct, pin, mark absent, withdraw or check in; door helpers check in."""
    here = visit(event_id, Role.DOOR)
    person = people.find_person(here.table, here.event, person_id)
    wanted = person_fields.read_correction(here.event, read_fields(request()))
    door.refuse_beyond_check_in(here.role, wanted)
    after = people.change_person(here.table, here.event, person, wanted, **here.by)
    if here.role is Role.DOOR:
        return as_json(200, door.person_shown(after))
    programme = people.published_programme(here.table, here.event, after)
    return as_json(200, people.as_shown(here.event, after, programme))


@router.post("/organise/<event_id>/people/<person_id>")
def correct_person(event_id: str, person_id: str) -> Answer:
    """The form of a browser: everything that may be corrected."""
    here = visit(event_id)
    fields = read_fields(request())
    person = people.find_person(here.table, here.event, person_id)

    with shown_again(lambda error: person_page(here, person_id, error, fields)):
        wanted = person_fields.read_correction(here.event, _person_fields(here, fields))
        people.change_person(here.table, here.event, person, wanted, **here.by)
    return here.done(f"people/{person_id}", "saved")


@router.post("/organise/<event_id>/people/<person_id>/withdrawal")
def withdraw_person(event_id: str, person_id: str) -> Answer:
    """Withdraw a person at their wish, or because mail does not reach them."""
    here = visit(event_id)
    person = people.find_person(here.table, here.event, person_id)
    fields = read_fields(request())
    with shown_again(lambda error: person_page(here, person_id, error, leaving=fields)):
        after = withdraw_at_wish(here.table, here.event, person, fields, **here.by)
    done = "withdrawn" if after.state is RegistrationState.WITHDRAWN else "group-kept"
    where = "people?state=bounced" if query().get("from") == "bounced" else f"people/{person_id}"
    return here.done(where, done)


@router.post("/organise/<event_id>/people/<person_id>/mails")
def send_again(event_id: str, person_id: str) -> Answer:
    """Send a person again the mail that says how they stand."""
    here = visit(event_id)
    person = people.find_person(here.table, here.event, person_id)
    with shown_again(lambda error: person_page(here, person_id, error)):
        people.send_again(here.table, here.event, person, **here.by)
    return here.done(f"people/{person_id}", "sent-again")


@router.post("/organise/<event_id>/people/<person_id>/erasure")
def erase_person(event_id: str, person_id: str) -> Answer:
    """Delete everything kept of a person who asked for it."""
    here = visit(event_id)
    sure = ticked(read_fields(request()).get("sure"))
    person = people.find_person(here.table, here.event, person_id)
    with shown_again(lambda error: person_page(here, person_id, error)):
        people.erase_person(here.table, here.event, person, sure=sure, **here.by)
    return here.done("people", "erased")
