"""Allocations: every run, a draft, its outbox, its publication."""

from __future__ import annotations

from functions.organise import call_off, drafts, exports, letters, search, web
from functions.organise.routes.mails import letter_page
from functions.organise.web import (
    Answer,
    Visit,
    created,
    download,
    make_router,
    query,
    request,
    services,
    ticked,
    visit,
)
from shared.acts import Act
from shared.commitment import digest_of, replace_commitment
from shared.errors import NotFoundError, ParcoursError
from shared.http import Fields, read_fields, shown_again
from shared.i18n import told
from shared.models import Run
from shared.registrations import registrations_of
from shared.runs import runs_of
from shared.state import read_state

router = make_router()

REFRESH_SECONDS = 3
"""Seconds after which the page of a run that is being made loads itself again."""


@router.get("/organise/<event_id>/allocations")
def list_runs(event_id: str) -> Answer:
    """Every run side by side, the newest first, and the form for another."""
    here = visit(event_id)
    return here.reply(
        lambda: {"allocations": [drafts.short(run) for run in runs_of(here.table, here.event.id)]},
        "allocations.html",
        **_runs_facts(here, {}),
    )


def _runs_facts(here: Visit, typed: Fields) -> dict[str, object]:
    """What the page of all runs shows, read when the page is made."""
    table, event = here.table, here.event
    return {
        "here": "allocations",
        "runs": lambda: list(runs_of(table, event.id)),
        "state": lambda: read_state(table, event.id),
        "inputs": lambda: drafts.inputs(event, list(registrations_of(table, event.id))),
        "typed": typed,
    }


@router.post("/organise/<event_id>/allocations")
def start_run(event_id: str) -> Answer:
    """Ask for a draft; while a run is under way, that run is the answer."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("allocations.html", error=error, **_runs_facts(here, fields))):
        run = drafts.start(here.table, here.event, drafts.read_wish(fields), services().allocator, **here.by)
    return created(202, drafts.short(run), f"{here.home}/allocations/{run.number}", "draft-started")


@router.get("/organise/<event_id>/workshops/<theme_id>/<round_id>/calling-off")
def show_calling_off(event_id: str, theme_id: str, round_id: str) -> Answer:
    """What calling off a workshop does, and how many people have a seat in it."""
    here = visit(event_id)
    workshop = call_off.find_workshop(here.table, here.event, theme_id, round_id)
    return here.reply({"people": workshop.people}, "call_off.html", here="allocations", workshop=workshop)


@router.post("/organise/<event_id>/workshops/<theme_id>/<round_id>/calling-off")
def call_workshop_off(event_id: str, theme_id: str, round_id: str) -> Answer:
    """Call a workshop off, if as many people have a seat in it as the organiser saw; then the draft it makes."""
    here = visit(event_id)
    workshop = call_off.find_workshop(here.table, here.event, theme_id, round_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("call_off.html", error=error, here="allocations", workshop=workshop)):
        expected = drafts.read_publication({"expected_mails": fields.get("expected", "")})
        run = call_off.call_off(here.table, here.event, workshop, expected, services().allocator, **here.by)
    if run is None:
        return here.done("allocations", "called-off")
    return created(202, drafts.short(run), f"{here.home}/allocations/{run.number}", "called-off")


@router.post("/organise/<event_id>/commitment")
def replace_seed(event_id: str) -> Answer:
    """Commit to another seed; the event page shows when, and the digest that stood there before."""
    here = visit(event_id)
    fields = read_fields(request())

    with shown_again(lambda error: here.page("allocations.html", error=error, **_runs_facts(here, fields))):
        state = replace_commitment(here.table, here.event.id, seed=drafts.read_wish(fields).seed, **here.by)
        Act.REPLACE_COMMITMENT.counted()
    return created(200, {"commitment": digest_of(state.seed)}, f"{here.home}/allocations", "seed-replaced")


@router.get("/organise/<event_id>/allocations/<number>")
def show_run(event_id: str, number: str) -> Answer:
    """A run: its state, its figures, what it would change. While it is being made, the page refreshes itself."""
    here = visit(event_id)
    view = drafts.read_draft(here.table, here.event, drafts.find_run(here.table, here.event, number))
    return here.reply(lambda: drafts.as_shown(here.event, view), "draft.html", **_run_facts(here, view))


def _run_facts(here: Visit, view: drafts.DraftView) -> dict[str, object]:
    """What the page of a run shows."""
    return {
        "here": "allocations",
        "run": view.run,
        "view": view,
        "numbers": lambda: drafts.difference_counts(view.differences),
        "workshops": lambda: drafts.workshops(here.event, view.run, view.people, view.after),
        "costs": lambda: drafts.cost_by_type(here.event, view),
        "worst": lambda: drafts.worst_off(here.event, view),
        "refresh": REFRESH_SECONDS if view.run.state in drafts.UNDER_WAY else 0,
    }


@router.get("/organise/<event_id>/allocations/<number>/outbox")
def show_outbox(event_id: str, number: str) -> Answer:
    """Who would be mailed, and what each mail would say, before any is sent."""
    here = visit(event_id)
    view = drafts.read_draft(here.table, here.event, drafts.find_run(here.table, here.event, number))
    shown, at, pages = search.part(view.owed, search.read_page(query()), web.PAGE_SIZE)
    return here.reply(
        lambda: {"mails": list(drafts.outbox_shown(here.event, view))},
        "outbox.html",
        here="allocations",
        view=view,
        run=view.run,
        shown=shown,
        number=at,
        pages=pages,
    )


@router.get("/organise/<event_id>/allocations/<number>/outbox/<person_id>")
def show_draft_mail(event_id: str, number: str, person_id: str) -> Answer:
    """The mail that the publication of a draft would send to a person."""
    here = visit(event_id)
    view = drafts.read_draft(here.table, here.event, drafts.find_run(here.table, here.event, number))
    owing = next((owing for owing in view.owed if owing[0].id == person_id), None)
    if owing is None:
        raise NotFoundError(told("This allocation would send this person no mail."))
    person, kind = owing
    mail = letters.draft_mail(here.event, view.run.number, kind, person, here.now)
    return letter_page(here, letters.read_letter(here.table, mail, now=here.now), run=view.run)


@router.post("/organise/<event_id>/allocations/<number>/publication")
def publish(event_id: str, number: str) -> Answer:
    """Publish a draft, if it still writes exactly the mails that were agreed to; what happens afterwards is stored."""
    here = visit(event_id)
    run = drafts.find_run(here.table, here.event, number)
    fields = read_fields(request())

    with shown_again(lambda error: _refused_publication(here, run, error, fields)):
        expected, afterwards = drafts.read_run_publication(fields)
        published = drafts.publish_draft(
            here.table, here.event, run, expected, services().allocator, afterwards=afterwards, **here.by
        )
    data = {
        **drafts.short(published),
        "mails": expected,
        "afterwards": read_state(here.table, here.event.id).afterwards,
    }
    return created(202, data, f"{here.home}/allocations/{run.number}", "published", number=expected)


def _refused_publication(here: Visit, run: Run, error: ParcoursError, typed: Fields | None = None) -> Answer:
    view = drafts.read_draft(here.table, here.event, run)
    return here.page("draft.html", error=error, typed=typed or {}, **_run_facts(here, view))


@router.post("/organise/<event_id>/allocations/<number>/deletion")
def delete_run(event_id: str, number: str) -> Answer:
    """Delete a draft, which the organiser has confirmed."""
    here = visit(event_id)
    run = drafts.find_run(here.table, here.event, number)
    sure = ticked(read_fields(request()).get("sure"))

    with shown_again(lambda error: _refused_publication(here, run, error)):
        drafts.delete(here.table, here.event, run, sure, **here.by)
    return here.done("allocations", "draft-deleted")


@router.post("/organise/<event_id>/allocations/<number>/restoration")
def restore_run(event_id: str, number: str) -> Answer:
    """Ask for a draft with the programmes of an earlier publication."""
    here = visit(event_id)
    run = drafts.find_run(here.table, here.event, number)

    with shown_again(lambda error: _refused_publication(here, run, error)):
        draft = drafts.restore(here.table, here.event, run, services().allocator, **here.by)
    return created(202, drafts.short(draft), f"{here.home}/allocations/{draft.number}", "draft-started")


@router.get("/organise/<event_id>/allocations/<number>/allocation.json")
def download_run(event_id: str, number: str) -> Answer:
    """A run as `parcours verify` reads it."""
    here = visit(event_id)
    view = drafts.read_draft(here.table, here.event, drafts.find_run(here.table, here.event, number))
    if not view.after:
        raise NotFoundError(told("This allocation has no programmes to download."))
    document = exports.allocation_json(here.event, view.run, view.after, view.restored or view.before)
    return download(document.decode(), "application/json", "allocation.json")
