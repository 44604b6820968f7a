"""The day itself: the search at the door, checking in, door lists, sheets and badges."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from functions.organise import door, people, person_fields, search, seats
from functions.organise.seats import may_walk_in
from functions.organise.sessions import Role
from functions.organise.web import Answer, Visit, created, make_router, query, request, sent_form, ticked, visit
from shared.errors import ParcoursError
from shared.http import Fields, as_json, read_fields, see_other, shown_again, wants_json

router = make_router()


@router.get("/organise/<event_id>/door")
def show_door(event_id: str) -> Answer:
    """The search at the door."""
    here = visit(event_id, Role.DOOR)
    words = search.read_words(query().get("q", ""))
    if not wants_json(request()):
        return door_page(here, words, done=query().get("done", ""))
    there = door.at_the_door(here.table, here.event)
    found = door.search([*there.expected, *there.no_shows], words)
    return as_json(200, {"people": [door.guest_shown(guest) for guest in found[: door.MOST_FOUND]]})


def door_page(
    here: Visit, words: str, *, done: str = "", error: ParcoursError | None = None, typed: Fields | None = None
) -> Answer:
    """The search at the door.

    Parameters
    ----------
    done
        The id of a person who was just checked in, or whose check-in was undone.
    typed
        The fields of the form for a person who is not on the list, when they were refused.
    """
    there = door.at_the_door(here.table, here.event, here.now)
    expected = there.expected
    return here.page(
        "door.html",
        error=error,
        here="door",
        words=words,
        found=door.search([*expected, *there.no_shows], words),
        freeing=there.freeing if here.role is Role.ORGANISER else None,
        early=here.now < here.event.on_the_day(min(slot.start for slot in here.event.rounds)),
        walk_ins=may_walk_in(here.event, here.now),
        typed=typed or {},
        key=secrets.token_hex(16),
        most=door.MOST_FOUND,
        just=next((guest for guest in expected if guest.person.id == done), None),
        arrived=sum(bool(guest.person.checked_in_at) for guest in expected),
        expected=len(expected),
        workshops=list(door.workshops(here.event, expected)),
    )


@router.post("/organise/<event_id>/people/<person_id>/check-in")
def check_in(event_id: str, person_id: str) -> Answer:
    """Check a person in, or undo it; the answer is the page on which the button was pressed."""
    here = visit(event_id, Role.DOOR)
    fields = read_fields(request())
    person = people.find_person(here.table, here.event, person_id)
    wanted = person_fields.Correction(checked_in=not ticked(fields.get("undo")))
    words = search.read_words(str(fields.get("q", "")))

    with shown_again(lambda error: door_page(here, words, error=error)):
        person = people.change_person(here.table, here.event, person, wanted, **here.by)
    if wants_json(request()):
        return as_json(200, door.person_shown(person))
    if fields.get("from") == "person":
        return here.done(f"people/{person.id}", "checked-in" if person.checked_in_at else "check-in-undone")
    told = urlencode({"q": words, "done": person.id} if words else {"done": person.id})
    return see_other(f"{here.home}/door?{told}")


@router.post("/organise/<event_id>/walk-ins")
def add_walk_in(event_id: str) -> Answer:
    """Register a person at the door, checked in and with the best seats that are free; the page shows the programme."""
    here = visit(event_id, Role.DOOR)
    fields = read_fields(request())
    wanted = person_fields.from_form(here.event, fields) if sent_form() else fields

    with shown_again(lambda error: door_page(here, "", error=error, typed=fields)):
        person = people.add_walk_in(here.table, here.event, wanted, key=str(fields.get("request", "")), **here.by)
    programme = people.published_programme(here.table, here.event, person)
    shown = {**door.person_shown(person), "workshops": programme.workshops if programme else {}}
    return created(201, shown, f"{here.home}/door?done={person.id}")


@router.post("/organise/<event_id>/no-shows")
def free_seats(event_id: str) -> Answer:
    """Free seats of the people who are not checked in, if they are as many as was agreed to: all, or of one round."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: door_page(here, "", error=error)):
        freed = seats.free_seats(here.table, here.event, fields, **here.by)
    return here.done("door", "seats-freed", number=freed)


@router.get("/organise/<event_id>/workshops/<theme_id>/<round_id>")
def show_workshop(event_id: str, theme_id: str, round_id: str) -> Answer:
    """The door list of a workshop, laid out for paper too."""
    here = visit(event_id, Role.DOOR)
    found = door.workshop(here.event, door.guests(here.table, here.event), theme_id, round_id)
    return here.reply(door.as_shown(found), "sheets.html", here="door", workshops=[found], everyone=[])


@router.get("/organise/<event_id>/workshops/<theme_id>/<round_id>/attendance")
def show_attendance(event_id: str, theme_id: str, round_id: str) -> Answer:
    """Who is in a workshop, one press for each person."""
    return attendance_page(visit(event_id, Role.DOOR), theme_id, round_id)


def attendance_page(here: Visit, theme_id: str, round_id: str, error: ParcoursError | None = None) -> Answer:
    """The people expected in a workshop, each with a button."""
    found = door.workshop(here.event, door.guests(here.table, here.event), theme_id, round_id)
    if not error:
        return here.reply(door.as_shown(found), "attendance.html", here="door", workshop=found)
    return here.page("attendance.html", error=error, here="door", workshop=found)


@router.post("/organise/<event_id>/workshops/<theme_id>/<round_id>/attendance")
def mark_attendance(event_id: str, theme_id: str, round_id: str) -> Answer:
    """Mark a person `present`, or take the mark back (`absent`); a browser stays at that person's line."""
    here = visit(event_id, Role.DOOR)
    fields = read_fields(request())
    found = door.workshop(here.event, [], theme_id, round_id)
    present = str(fields.get("present", ""))
    person_id = present or str(fields.get("absent", ""))

    with shown_again(lambda error: attendance_page(here, theme_id, round_id, error)):
        person = door.mark_present(here.table, here.event, found, person_id, present=bool(present), **here.by)
    if wants_json(request()):
        return as_json(200, {**door.person_shown(person), "present": bool(present)})
    return see_other(f"{here.home}/workshops/{theme_id}/{round_id}/attendance#p-{person.id}")


@router.get("/organise/<event_id>/sheets")
def show_sheets(event_id: str) -> Answer:
    """A sheet with everyone, and a sheet for each workshop."""
    here = visit(event_id, Role.DOOR)
    expected = door.guests(here.table, here.event)
    found = list(door.workshops(here.event, expected))
    shown = {"workshops": [door.as_shown(workshop) for workshop in found]}
    return here.reply(shown, "sheets.html", here="door", workshops=found, everyone=expected)


@router.get("/organise/<event_id>/programmes")
def show_programmes(event_id: str) -> Answer:
    """Programmes on paper: of those without an address, of everybody, or of one person."""
    here = visit(event_id, Role.DOOR)
    asked = query()
    person, who = asked.get("person", ""), "all" if asked.get("who") == "all" else "paper"
    expected = door.at_the_door(here.table, here.event)
    if person:
        guests, who = [guest for guest in expected.expected if guest.person.id == person], "one"
    else:
        guests = expected.expected if who == "all" else expected.on_paper
    shown, number, pages = search.part(guests, search.read_page(asked), door.PROGRAMMES_A_PAGE)
    return here.page("programmes.html", here="door", guests=guests, shown=shown, who=who, number=number, pages=pages)


@router.get("/organise/<event_id>/badges")
def show_badges(event_id: str) -> Answer:
    """Badges, ten to a sheet of A4; each has a code to draw, so a page holds some of them."""
    here = visit(event_id, Role.DOOR)
    expected = door.guests(here.table, here.event)
    shown, number, pages = search.part(expected, search.read_page(query()), door.BADGES_A_PAGE)
    return here.page("badges.html", here="door", guests=shown, number=number, pages=pages)
