"""Pages for organisers: their templates, and the words that several of them share."""

from __future__ import annotations

import shlex
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.organise.charts import bar, curve_points, fill_label, result_words, satisfaction, stack
from functions.organise.event_form import field_words
from functions.organise.search import TABS
from functions.organise.words import counted, local, short_moment
from shared import settings
from shared.acts import words_of
from shared.check_in_code import check_in_code
from shared.commitment import digest_of
from shared.errors import NotSignedInError, ParcoursError
from shared.models import Event, Mail, Registration
from shared.pages import PAGES, environment
from shared.reasons import in_words, ordinal
from shared.text import family_name

STATES = {
    "confirmed": "Registered",
    "waiting": "Waiting",
    "offered": "Place offered",
    "withdrawn": "Withdrawn",
}

RUN_STATES = {
    "requested": "About to start",
    "running": "Under way",
    "draft": "Draft",
    "published": "Published",
    "superseded": "Published before",
    "failed": "Failed",
}

MAIL_STATES = {
    "held": "On hold",
    "pending": "On its way",
    "sending": "Being sent",
    "sent": "Sent",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "bounced": "Came back",
}

NOTICES = {
    "added": "This person was added. Their confirmation is on its way.",
    "saved": "The changes are saved.",
    "withdrawn": "This person has been withdrawn.",
    "erased": "Everything kept of this person is erased.",
    "sent-again": "The mail is on its way again.",
    "checked-in": "This person is checked in.",
    "check-in-undone": "This person is no longer checked in.",
    "file-changed": "The event file was changed.",
    "draft-made": "The draft is made. Only organisers see it until you open it.",
    "page-saved": "The page is saved.",
    "opened": "The event is open: everybody can see its page now.",
    "event-put": "The event was put. This is its page for organisers.",
    "retired": "The event is retired.",
    "draft-started": "The draft is started. Nobody is mailed before you publish it.",
    "seed-replaced": "The seed is replaced. The event page says so.",
    "day-cancelled": "The day is cancelled: {mails} to write, within two minutes.",
    "published": "Published: {mails} to write.",
    "mail-held": "Mail is on hold; {mails} stopped.",
    "mail-sent-again": "{mails} on their way again.",
    "mail-released": "{mails} released, now on their way.",
    "signed-out": "You are signed out.",
}
"""What a page says after an act that worked, and what a program is answered. `{mails}` is a number of mails."""


def notice_words(notice: str, number: int = 0) -> str:
    """A notice in words; "" for one that is not listed."""
    return NOTICES.get(notice, "").format(mails=counted(number, "mail"))


def render(template: str, *, error: ParcoursError | None = None, notice: str = "", **facts: Any) -> str:
    """A page as HTML.

    Parameters
    ----------
    template
        A file in shared/pages/organise.
    error
        Why a form was refused: shown above the form and beside its fields.
    notice
        What a page says of the act before it.
    """
    return _pages.get_template(template).render(error=error, notice=notice, **facts)


def render_error(request: APIGatewayProxyEventV2, error: ParcoursError) -> str:  # noqa: ARG001
    """The page that says what went wrong and what to do; the sign-in form when nobody is signed in."""
    if isinstance(error, NotSignedInError):
        return render("sign_in.html", told=error.message)
    return render("problem.html", error=error, linked=False)


LABELS = {
    "title": ("title", "Name of the day"),
    "day": ("day", "Date"),
    "by": ("by", "Organised by"),
    "place": ("place", "Building"),
    "address": ("address", "Address"),
    "rounds": ("rounds", "Rounds"),
    "workshops": ("workshops", "Workshops"),
    "seats": ("seats", "Seats"),
    "event": ("event", "Earlier event"),
    "new_day": ("new_day", "New date"),
    "name": ("name", "Full name"),
    "email": ("email", "Email"),
    "organisation": ("organisation", "Organisation"),
    "partner_type": ("partner_type", "Kind of organisation"),
    "choices": ("choices", "Ranking"),
    "pinned": ("pinned", "Rounds"),
    "absent": ("pinned", "Rounds"),
    "excluded": ("excluded", "Themes not possible"),
    "answers": ("answers", "Answers"),
    "sure": ("sure", "Erase"),
    "csv": ("csv", "File"),
    "weight": ("weight", "Weight of the mix"),
    "tolerance": ("tolerance", "Tolerance of the mix"),
    "seed": ("seed", "Seed of the lottery"),
}
"""Fields by the names that faults have: where on the page they stand, and what they are called there."""


def theme_title(event: Event, theme_id: str) -> str:
    """A theme's title, or its id if the file no longer has it."""
    return next((theme.title for theme in event.themes if theme.id == theme_id), theme_id)


def answer_words(value: str | bool) -> str:
    """An answer as it is read."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def mail_words(mail: Mail) -> str:
    """The state of a mail in words."""
    return MAIL_STATES["bounced"] if mail.bounced else MAIL_STATES[mail.state.value]


def state_words(person: Registration) -> str:
    """The state of a person in words."""
    if person.checked_in_at:
        return "Checked in"
    return STATES[person.state.value]


_pages = environment(PAGES / "organise")
_pages.globals |= {
    "tabs": TABS,
    "states": STATES,
    "run_states": RUN_STATES,
    "mail_states": MAIL_STATES,
    "act_words": words_of,
    "labels": LABELS,
    "counted": counted,
    "bar": bar,
    "stack": stack,
    "fill_label": fill_label,
    "theme_title": theme_title,
    "ordinal": ordinal,
    "in_words": in_words,
    "satisfaction": satisfaction,
    "result_words": result_words,
    "curve_points": curve_points,
    "local": local,
    "mail_words": mail_words,
    "state_words": state_words,
    "digest_of": digest_of,
    "answer_words": answer_words,
    "field_words": field_words,
    "family_name": family_name,
    "check_in_code": lambda event, person: check_in_code(settings.public_url(), event.id, person.id),
    "sheet_names": 30,
}
_pages.filters |= {"short_moment": short_moment, "quoted": shlex.quote}
