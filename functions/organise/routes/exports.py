"""Downloads: lists as CSV or XLSX, and the files that the command line reads."""

from __future__ import annotations

from functions.organise import exports, sessions
from functions.organise.views import language_of
from functions.organise.web import Answer, download, make_router, request, services, visit
from shared.errors import NotFoundError
from shared.i18n import N_
from shared.registrations import registrations_of
from shared.runs import read_run
from shared.state import read_state

router = make_router()

CSV, XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/organise/<event_id>/exports")
def list_exports(event_id: str) -> Answer:
    """The page of all downloads."""
    here = visit(event_id)
    run = read_run(here.table, here.event.id, read_state(here.table, here.event.id).published_run)
    return here.page("exports.html", here="exports", run=run)


@router.get("/organise/<event_id>/PEOPLE.csv")
def download_ranked_people(event_id: str) -> Answer:
    """Everybody with a place, as `parcours allocate` and `verify` read them."""
    here = visit(event_id)
    sessions.spend_one_read(here.table, services().keys, here.actor, here.now)
    people = exports.ranked_people(here.event, registrations_of(here.table, here.event.id))
    return download(people, CSV, "PEOPLE.csv")


@router.get("/organise/<event_id>/EVENT.yaml")
def download_event(event_id: str) -> Answer:
    """The event file."""
    here = visit(event_id)
    return download(exports.event_yaml(here.table, here.event).encode(), "application/yaml", "EVENT.yaml")


@router.get("/organise/<event_id>/<file>")
def download_list(event_id: str, file: str) -> Answer:
    """One of the lists, as CSV or XLSX."""
    name, dot, suffix = file.rpartition(".")
    if not dot or suffix not in {"csv", "xlsx"}:
        raise NotFoundError(N_("There is no such page. Check the address."))
    here = visit(event_id)
    sessions.spend_one_read(here.table, services().keys, here.actor, here.now)
    language = language_of(request())
    found = exports.sheet(here.table, here.event, name, language)
    if suffix == "csv":
        return download(exports.as_csv(found), CSV, f"{here.event.id}-{found.name}.csv")
    data = exports.as_xlsx(found, here.event.in_language(language))
    return download(data, XLSX, f"{here.event.id}-{found.name}.xlsx")
