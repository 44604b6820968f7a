"""Mails: by state, held back and released, read one by one, and those that organisers write themselves."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

from functions.organise import letters, messages, outbox, people, search, web
from functions.organise.drafts import read_publication
from functions.organise.web import Answer, Visit, created, make_router, query, request, visit
from shared.errors import ParcoursError
from shared.http import Fields, as_json, read_fields, shown_again, wants_json
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


@router.get("/organise/<event_id>/mail")
def show_mail(event_id: str) -> Answer:
    """One mail to a registration, as it would be sent now."""
    here = visit(event_id)
    mail = letters.stored_mail(here.table, here.event, query().get("id", ""))
    return letter_page(here, letters.read_letter(here.table, mail, now=here.now), mail=mail)


def letter_page(here: Visit, letter: letters.Shown, **facts: Any) -> Answer:
    """A mail to read, as a page or as JSON."""
    shown = here.reply(lambda: asdict(letter), "mail.html", here="mails", letter=letter, **facts)
    shown.headers.update(letters.SHOWS_A_MAIL)
    return shown


@router.get("/organise/<event_id>/messages")
def show_messages(event_id: str) -> Answer:
    """The form for a text to people, and the texts that were written before."""
    here = visit(event_id)
    if wants_json(request()):
        found = [
            {"key": group.key, "words": group.words, "people": len(group.people)}
            for group in messages.groups(here.table, here.event)
        ]
        return as_json(200, {"groups": found, "messages": messages.as_shown(messages.earlier(here.table, here.event))})
    return _message_form(here, {"group": query().get("group", "")})


def _message_form(here: Visit, typed: Fields, error: ParcoursError | None = None) -> Answer:
    """The form, with what was typed."""
    return here.page(
        "messages.html",
        error=error,
        here="mails",
        typed={"key": secrets.token_hex(16), **typed},
        others=messages.other_languages(here.event),
        own_language=here.event.language,
        groups=messages.groups(here.table, here.event),
        earlier=messages.earlier(here.table, here.event),
    )


@router.post("/organise/<event_id>/messages")
def write_message(event_id: str) -> Answer:
    """Show a text as it would be sent and to how many; send it when exactly that number is confirmed."""
    here = visit(event_id)
    fields = read_fields(request())
    if fields.get("act") == "edit":
        return _message_form(here, fields)
    with shown_again(lambda error: _message_form(here, fields, error)):
        written = messages.read_form(here.event, fields)
        if "expected_mails" not in fields:
            return _message_preview(here, written)
        message = messages.send(
            here.table, here.event, written, read_publication({"expected_mails": fields["expected_mails"]}), **here.by
        )
    sent = message.number
    return created(202, {"message": message.id, "mails": sent}, f"{here.home}/messages", "message-written", number=sent)


def _message_preview(here: Visit, written: messages.Written) -> Answer:
    """The text as the first reader of each language would get it, and everybody else who gets it."""
    group = messages.find_group(here.table, here.event, written.group)
    shown_to = [
        (
            language,
            number,
            letters.read_letter(here.table, messages.sample(here.event, written, person, here.now), now=here.now),
        )
        for language, number, person in messages.samples(here.event, group)
    ]
    if wants_json(request()):
        people = [{"id": person.id, "name": person.name} for person in group.people]
        by_language = {language: {"mails": number, **asdict(letter)} for language, number, letter in shown_to}
        data = {"mails": len(people), "group": group.words, "people": people, "letter": asdict(shown_to[0][2])}
        return as_json(200, {**data, "letters": by_language})
    shown = here.page("message_preview.html", here="mails", written=written, group=group, letters=shown_to)
    shown.headers.update(letters.SHOWS_A_MAIL)
    return shown
