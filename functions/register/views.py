"""What attendees see: pages in their language, and the same facts for programs."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any, Literal

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from shared.commitment import commitment
from shared.errors import CANCELLED, ClosedError, ParcoursError
from shared.http import Fields, languages_wished
from shared.i18n import N_, language_for
from shared.models import Event, EventState, Programme, Registration, RegistrationState, moment
from shared.pages import PAGES, environment
from shared.reasons import in_words
from shared.waiting_list import OFFER

CLOSED = N_("Registration is closed.")
CLOSED_SINCE = N_(
    "Registration is closed by now, so address, kind of organisation and ranking stay as they were. "
    "Nothing was changed. Write to the organisers if one of them is wrong."
)
NOT_YET_OPEN = N_("Registration is not open yet.")

_pages = environment(PAGES / "register")
_pages.filters |= {"as_moment": moment, "quoted": shlex.quote}


def language_of(request: APIGatewayProxyEventV2, event: Event | None = None, *known: str) -> str:
    """The language to answer in: just switched to, switched to before, known of the person, or asked by the browser.

    About an event, only the languages that the event has come into question, its own the last.
    """
    wishes = languages_wished(request, *known)
    return event.language_for(*wishes) if event else language_for(*wishes)


def render(request: APIGatewayProxyEventV2, template: str, language: str, **facts: Any) -> str:
    """A page as HTML; an event on it stands in the page's language."""
    event = facts.get("event")
    if event is not None:
        facts["event"] = event.in_language(language)
    return _pages.get_template(template).render(language=language, path=request.path, **facts)


def render_error(request: APIGatewayProxyEventV2, error: ParcoursError) -> str:
    """The page that says what went wrong and what to do."""
    return render(request, "problem.html", language_of(request), error=error, event=None)


def places(state: EventState) -> str:
    """How full an event was at the last full hour; as of now it would tell whether an address just sent was known."""
    return state.counted.get("places", "free")


def registration_phase(event: Event, now: datetime) -> str:
    """Whether registration is `ahead`, `open` or `closed`, or the day is `cancelled`."""
    if event.cancelled:
        return "cancelled"
    if now < event.opens_at:
        return "ahead"
    return "open" if event.is_open(now) else "closed"


def require_open(event: Event, now: datetime) -> None:
    """Raise ClosedError unless people may register and change now."""
    if event.cancelled:
        raise ClosedError(CANCELLED)
    if not event.is_open(now):
        raise ClosedError(NOT_YET_OPEN if now < event.opens_at else CLOSED)


def event_in_list(event: Event) -> dict[str, str]:
    """An event in the list of those that are open, as JSON."""
    return {"id": event.id, "title": event.title, "date": event.date.isoformat(), "url": f"/events/{event.id}"}


def public_event(event: Event, state: EventState, now: datetime) -> dict[str, Any]:
    """What anybody may know of an event, as JSON."""
    shown = {
        "id",
        "title",
        "summary",
        "language",
        "languages",
        "timezone",
        "date",
        "venue",
        "organisers",
        "contact",
        "price",
        "held_in",
        "labels",
        "ranking",
    }
    facts = event.model_dump(mode="json", include=shown | {"rounds", "partner_types", "questions"})
    agenda = [line.model_dump(mode="json") for line in event.day_lines()] if event.agenda else []
    themes = [{"id": theme.id, "title": theme.title, "description": theme.description} for theme in event.themes]
    registration = {
        "phase": registration_phase(event, now),
        "opens": event.opens_at.isoformat(),
        "closes": event.closes_at.isoformat(),
        "places": places(state),
    }
    return {
        **facts,
        "agenda": agenda,
        "themes": themes,
        "registration": registration,
        "draw": draw_facts(event, state, now),
    }


def draw_facts(event: Event, state: EventState, now: datetime) -> dict[str, Any]:
    """The digest of the seed that is committed to, from the opening on, and the digests that stood there before."""
    digest = commitment(event, state, now)
    return {"commitment": digest, "replaced": state.replaced_seeds if digest else []}


def own_registration(
    event: Event,
    registration: Registration,
    programme: Programme | None,
    *,
    among_first: int,
    lot: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """What the holder of a link may know of the registration, as JSON."""
    shown = {"event", "state", "name", "email", "organisation", "partner_type", "choices", "answers", "language"}
    facts = registration.model_dump(mode="json", include=shown | {"revision"})
    if registration.new_email:
        facts["new_email"] = registration.new_email
    facts["address_confirmed"] = not registration.unconfirmed
    if registration.unconfirmed and registration.confirm_by:
        facts["confirm_by"] = registration.confirm_by
    facts["changes_until"] = max(event.closes_at, event.ranking_until or event.closes_at).isoformat()
    if event.cancelled:
        facts["cancelled"] = True
    facts["may_change"] = may_change(event, registration, now)
    facts["may_change_what"] = changes_allowed(event, registration, now)
    if registration.absent:
        facts["absent"] = registration.absent
    if among_first:
        facts["among_first"] = among_first
    if registration.state is RegistrationState.OFFERED:
        facts["offer_expires_at"] = registration.offer_expires_at
    if programme:
        if lot:
            facts["lot"] = lot
        facts["programme"] = {"workshops": workshops(event, programme), "reason": in_words(programme.reason, event)}
    return facts


Allowed = Literal["", "details", "ranking", "all"]
"""What a person may change: nothing, name and answers, the ranking too, or everything."""


def changes_allowed(event: Event, registration: Registration, now: datetime) -> Allowed:
    """What the holder of a link may change now. After closing it is the details, until the day is over."""
    if registration.state is RegistrationState.WITHDRAWN or event.cancelled or event.draft:
        return ""
    if event.is_open(now):
        return "all"
    if now < event.opens_at or now >= event.ends_at:
        return ""
    return "ranking" if event.ranking_until is not None and now < event.ranking_until else "details"


def as_allowed(event: Event, registration: Registration, fields: Fields, now: datetime) -> Fields:
    """The fields that were sent, with those that may not change any more as they are stored.

    Raises ClosedError when nothing may change.
    """
    allowed = changes_allowed(event, registration, now)
    if not allowed:
        require_open(event, now)
    kept: tuple[str, ...] = {"all": (), "ranking": KEPT_AFTER_CLOSING, "details": (*KEPT_AFTER_CLOSING, "choices")}.get(
        allowed, ()
    )
    stored = {name: getattr(registration, name) for name in kept}
    if any(fields.get(name) not in (None, "", [], value) for name, value in stored.items()):
        raise ClosedError(CLOSED_SINCE)
    return {**fields, **stored}


KEPT_AFTER_CLOSING = ("email", "partner_type")
"""What stays as it is once registration is closed: programmes rest on one, and a mistyped other has no confirmation."""


def may_change(event: Event, registration: Registration, now: datetime) -> bool:
    """Whether details and ranking may still be changed."""
    return registration.state is not RegistrationState.WITHDRAWN and event.is_open(now)


def workshops(event: Event, programme: Programme) -> list[dict[str, Any]]:
    """A person's workshops in the order of the day; one that has no seats any more is `called_off`."""
    found = []
    for slot in sorted(event.rounds, key=lambda slot: slot.start):
        theme = next((theme for theme in event.themes if theme.id == programme.workshops.get(slot.id)), None)
        if theme:
            hours = {"start": f"{slot.start:%H:%M}", "end": f"{slot.end:%H:%M}"}
            about = {"theme": theme.id, "title": theme.title, "room": event.room(theme.id, slot.id)}
            called_off = not event.seats(theme.id, slot.id)
            found.append({"round": slot.id, **hours, **about, "called_off": called_off})
    return found


def offer_ends(event: Event, registration: Registration) -> datetime | None:
    """Until when an offered place waits, in the event's zone."""
    return moment(registration.offer_expires_at).astimezone(event.zone) if registration.offer_expires_at else None


def confirm_by(event: Event, registration: Registration) -> datetime | None:
    """Until when the address is to be confirmed, in the event's zone; None when its holder was not asked."""
    return moment(registration.confirm_by).astimezone(event.zone) if registration.confirm_by else None


OFFER_HOURS = int(OFFER.total_seconds() // 3600)
