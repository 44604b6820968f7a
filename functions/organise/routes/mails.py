"""Mails: by state, held back and released."""

from __future__ import annotations

from functions.organise import outbox, people, search, web
from functions.organise.web import Answer, make_router, query, request, visit
from shared.http import read_fields
from shared.mails import MailStatus, can_go_again, mails_of
from shared.models import MailState
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
    statuses = [MailStatus(mail.state, mail.bounced, mail.error) for mail in everything]
    counts = outbox.mail_counts(statuses)
    return here.reply(
        lambda: {"mails": list(outbox.as_shown(shown)), "counts": counts, "page": number, "pages": pages},
        "mails.html",
        here="mails",
        mails=shown,
        counts=counts,
        again=sum(mail.state is MailState.FAILED and can_go_again(mail) for mail in everything),
        lacking=outbox.waiting_for_ses(statuses),
        lacking_words=outbox.LACKING,
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


@router.post("/organise/<event_id>/mails/again")
def send_failed_again(event_id: str) -> Answer:
    """Send every failed mail again, if their number is the one that was agreed to."""
    here = visit(event_id)
    sent = outbox.send_again(here.table, here.event, read_fields(request()).get("expected", ""), **here.by)
    return here.done("mails", "mail-sent-again", number=sent)
