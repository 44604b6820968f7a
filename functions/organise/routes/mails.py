"""Mails: by state, held back and released."""

from __future__ import annotations

from functions.organise import outbox, people, search, web
from functions.organise.web import Answer, make_router, query, visit
from shared.mails import mails_of
from shared.state import read_state

router = make_router()


@router.get("/organise/<event_id>/mails")
def list_mails(event_id: str) -> Answer:
    """Mails by state, the newest first."""
    here = visit(event_id)
    everything = list(mails_of(here.table, here.event.id))
    wanted = query().get("state", "")
    found = outbox.newest_first(everything, wanted)
    shown, number, pages = search.part(found, search.read_page(query()), web.PAGE_SIZE)
    counts = outbox.mail_counts((mail.state, mail.bounced) for mail in everything)
    return here.reply(
        lambda: {"mails": list(outbox.as_shown(shown)), "counts": counts, "page": number, "pages": pages},
        "mails.html",
        here="mails",
        mails=shown,
        counts=counts,
        wanted=wanted,
        number=number,
        pages=pages,
        names=lambda: people.names(here.table, here.event),
        state=lambda: read_state(here.table, here.event.id),
    )


@router.post("/organise/<event_id>/mails/hold")
def hold_mail(event_id: str) -> Answer:
    """Hold programme mails back."""
    here = visit(event_id)
    stopped = outbox.hold(here.table, here.event, **here.by)
    return here.done("mails", "mail-held", number=stopped)


@router.post("/organise/<event_id>/mails/release")
def release_mail(event_id: str) -> Answer:
    """Release held mails."""
    here = visit(event_id)
    released = outbox.release(here.table, here.event, **here.by)
    return here.done("mails", "mail-released", number=released)
