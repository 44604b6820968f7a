"""Pages for organisers: their templates, and the words that several of them share."""

from __future__ import annotations

import re
import shlex
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from jinja2 import pass_context
from jinja2.runtime import Context

from functions.organise.charts import bar, curve_points, fill_label, result_words, satisfaction, stack
from functions.organise.event_form.words import field_words
from functions.organise.imports.columns import column_words
from functions.organise.search import TABS
from functions.organise.stored import (
    actor_words,
    audit_detail,
    group_words,
    mail_error,
    mail_kind,
    why_no_curve,
    why_not_proven,
)
from functions.organise.uploads import read_upload
from functions.organise.words import local, short_moment
from shared import settings
from shared.acts import words_of
from shared.check_in_code import check_in_code
from shared.commitment import digest_of
from shared.errors import NotSignedInError, ParcoursError
from shared.http import languages_wished, wants_json
from shared.i18n import LANGUAGE_WORDS, ORGANISERS, Told, in_language, language_for, told, told_many
from shared.i18n import number as number_in
from shared.models import Event, Mail, Registration
from shared.pages import PAGES, environment
from shared.reasons import about_them, ordinal
from shared.text import family_name

STATES = {
    "confirmed": told("Registered"),
    "waiting": told("Waiting"),
    "offered": told("Place offered"),
    "withdrawn": told("Withdrawn"),
    "no-show": told("Did not come"),
    "delegate": told("Registered a group, takes no place"),
}

RUN_STATES = {
    "requested": told("About to start"),
    "running": told("Under way"),
    "draft": told("Draft"),
    "published": told("Published"),
    "superseded": told("Published before"),
    "failed": told("Failed"),
}

MAIL_STATES = {
    "held": told("On hold"),
    "pending": told("On its way"),
    "sending": told("Being sent"),
    "sent": told("Sent"),
    "failed": told("Not sent"),
    "cancelled": told("Cancelled"),
    "bounced": told("Came back"),
}

NOTICES: dict[str, Told] = {
    "added": told("This person was added. Their confirmation is on its way."),
    "saved": told("The changes are saved."),
    "withdrawn": told("This person has been withdrawn."),
    "released": told_many(
        "%(num)s person released and told. The place is offered to a person who waits, within a minute.",
        "%(num)s people released and told. Their places are offered to people who wait, within a minute.",
        0,
    ),
    "erased": told("Everything kept of this person is erased."),
    "sent-again": told("The mail is on its way again."),
    "checked-in": told("This person is checked in."),
    "check-in-undone": told("This person is no longer checked in."),
    "seats-freed": told_many("The seats of %(num)s person are free.", "The seats of %(num)s people are free.", 0),
    "file-changed": told("The event file was changed."),
    "draft-made": told("The draft is made. Only organisers see it until you open it."),
    "page-saved": told("The page is saved."),
    "opened": told("The event is open: everybody can see its page now."),
    "event-put": told("The event is stored. This is its page for organisers."),
    "retired": told("The event is retired."),
    "draft-started": told("The draft is started. Nobody is mailed before you publish it."),
    "draft-deleted": told("The draft is deleted. Nobody was mailed."),
    "called-off": told("The workshop is called off. Nobody is mailed before you publish the draft."),
    "seed-replaced": told("The seed is replaced. The event page says so."),
    "day-cancelled": told_many(
        "The day is cancelled: %(num)s mail to write, within two minutes.",
        "The day is cancelled: %(num)s mails to write, within two minutes.",
        0,
    ),
    "group-kept": told("The group has a new contact: the link and the list of people are on their way there."),
    "day-restored": told_many(
        "The day takes place: %(num)s mail to write, within two minutes.",
        "The day takes place: %(num)s mails to write, within two minutes.",
        0,
    ),
    "published": told_many("Published: %(num)s mail to write.", "Published: %(num)s mails to write.", 0),
    "mail-held": told_many("Mail is on hold; %(num)s mail stopped.", "Mail is on hold; %(num)s mails stopped.", 0),
    "mail-sent-again": told_many("%(num)s mail on its way again.", "%(num)s mails on their way again.", 0),
    "message-written": told_many(
        "Your text is on its way: %(num)s mail to write, within a minute or two.",
        "Your text is on its way: %(num)s mails to write, within a minute or two.",
        0,
    ),
    "mail-released": told_many(
        "%(num)s mail released, now on its way.", "%(num)s mails released, now on their way.", 0
    ),
    "signed-out": told("You are signed out."),
}
"""What a page says after an act that worked, and what a program is answered; some with a number of mails."""


def notice_words(notice: str, number: int = 0) -> str:
    """A notice in words; "" for one that is not listed."""
    found = NOTICES.get(notice)
    return found.counting(number) if found else ""


def language_of(request: APIGatewayProxyEventV2) -> str:
    """The language of an organiser's page: switched to, or else what the browser asks for."""
    return language_for(*languages_wished(request))


def render(
    request: APIGatewayProxyEventV2,
    template: str,
    *,
    error: ParcoursError | None = None,
    notice: str = "",
    **facts: Any,
) -> str:
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
    about = {"error": error, "notice": notice, "language": language_of(request), "switch": _switch(request)}
    return _pages.get_template(template).render(**about, **facts)


def _switch(request: APIGatewayProxyEventV2) -> str:
    """The page's own address for a link that switches the language, up to the language; "" for an answer to a form.

    A link would leave a refused form and what was typed in it.
    """
    if request.http_method != "GET":
        return ""
    kept = [
        (key, value) for key, value in parse_qsl(request.raw_query_string) if key not in ("lang", "notice", "number")
    ]
    return f"?{urlencode([*kept, ('lang', '')])}"


def render_error(request: APIGatewayProxyEventV2, error: ParcoursError) -> str:
    """The page that says what went wrong and what to do; the sign-in form when nobody is signed in."""
    if isinstance(error, NotSignedInError):
        typed = _form_to_keep(request)
        if typed:
            return render(request, "sign_in_again.html", told=error.message, path=request.path, typed=typed)
        page = request.path if request.http_method == "GET" else ""
        return render(request, "sign_in.html", told=error.message, page=page)
    return render(request, "problem.html", error=error, linked=False)


def _form_to_keep(request: APIGatewayProxyEventV2) -> list[tuple[str, str]]:
    """The fields of a form that was sent without a session: a session that ends loses nothing that was typed."""
    if request.http_method != "POST" or request.path.startswith("/organise/sign-"):
        return []
    try:
        fields = read_upload(request)
    except ParcoursError:
        return []  # it cannot be read, so there is nothing to keep
    if wants_json(request):
        return []
    return [
        (name, text)
        for name, value in fields.items()
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    ]


LABELS = {
    "title": ("title", told("Name of the day")),
    "day": ("day", told("Date")),
    "by": ("by", told("Organised by")),
    "place": ("place", told("Building")),
    "address": ("address", told("Address")),
    "rounds": ("rounds", told("Rounds")),
    "workshops": ("workshops", told("Workshops")),
    "seats": ("seats", told("Seats")),
    "event": ("event", told("Earlier event")),
    "new_day": ("new_day", told("New date")),
    "name": ("name", told("Full name")),
    "email": ("email", told("Email")),
    "organisation": ("organisation", told("Organisation")),
    "partner_type": ("partner_type", told("Kind of organisation")),
    "choices": ("choices", told("Ranking")),
    "pinned": ("pinned", told("Rounds")),
    "absent": ("pinned", told("Rounds")),
    "excluded": ("excluded", told("Themes not possible")),
    "answers": ("answers", told("Answers")),
    "sure": ("sure", told("Erase")),
    "csv": ("csv", told("File")),
    "columns": ("columns", told("Columns")),
    "group": ("group", told("To whom")),
    "subject": ("subject", told("Subject")),
    "body": ("body", told("Text")),
    "weight": ("weight", told("Weight of the mix")),
    "tolerance": ("tolerance", told("Tolerance of the mix")),
    "seed": ("seed", told("Seed of the lottery")),
}
"""Fields by the names that faults have: where on the page they stand, and what they are called there."""


def theme_title(event: Event, theme_id: str) -> str:
    """A theme's title, or its id if the file no longer has it."""
    return next((theme.title for theme in event.themes if theme.id == theme_id), theme_id)


def answer_words(value: str | bool) -> str:
    """An answer as it is read."""
    return (told("yes") if value else told("no")) if isinstance(value, bool) else value


def mail_words(mail: Mail) -> str:
    """The state of a mail in words."""
    return MAIL_STATES["bounced"] if mail.bounced else MAIL_STATES[mail.state.value]


def state_words(person: Registration) -> str:
    """The state of a person in words."""
    if person.checked_in_at:
        return told("Checked in")
    return STATES[person.state.value]


@pass_context
def _local(context: Context, stored: str, event: Event) -> str:
    return local(stored, event, context["language"])


@pass_context
def _short_moment(context: Context, when: datetime) -> str:
    return short_moment(when, context["language"])


@pass_context
def _capital(context: Context, words: str) -> str:
    """Words in the reader's language, as they begin a line."""
    said = str(in_language(words, context["language"]))
    return said[:1].upper() + said[1:]


@pass_context
def _small(context: Context, words: str) -> str:
    """Words in the reader's language, as they stand within a line."""
    said = str(in_language(words, context["language"]))
    return said[:1].lower() + said[1:]


@pass_context
def _decimals(context: Context, value: float, digits: int) -> str:
    """A number with so many digits after the decimal sign of the language."""
    return number_in(value, context["language"], digits)


@pass_context
def _day_told(context: Context, fact: str) -> str:
    """What people were told of the day: its date in words, anything else as it stands."""
    return str(_pages.filters["day"](context, date.fromisoformat(fact))) if _DATE.fullmatch(fact) else fact


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_pages = environment(PAGES / "organise", ORGANISERS)
_pages.globals |= {
    "tabs": TABS,
    "language_words": LANGUAGE_WORDS,
    "states": STATES,
    "run_states": RUN_STATES,
    "mail_states": MAIL_STATES,
    "act_words": words_of,
    "actor_words": actor_words,
    "audit_detail": audit_detail,
    "group_words": group_words,
    "mail_error": mail_error,
    "mail_kind": mail_kind,
    "why_no_curve": why_no_curve,
    "why_not_proven": why_not_proven,
    "labels": LABELS,
    "bar": bar,
    "capital": _capital,
    "small": _small,
    "column_words": column_words,
    "stack": stack,
    "fill_label": fill_label,
    "theme_title": theme_title,
    "ordinal": ordinal,
    "about_them": about_them,
    "satisfaction": satisfaction,
    "result_words": result_words,
    "curve_points": curve_points,
    "local": _local,
    "original": lambda text: getattr(text, "original", text),
    "mail_words": mail_words,
    "state_words": state_words,
    "digest_of": digest_of,
    "answer_words": answer_words,
    "field_words": field_words,
    "family_name": family_name,
    "public_url": settings.public_url,
    "check_in_code": lambda event, person: check_in_code(settings.public_url(), event.id, person.id),
    "sheet_names": 30,
}


_pages.filters |= {"day_told": _day_told, "decimals": _decimals, "short_moment": _short_moment, "quoted": shlex.quote}
