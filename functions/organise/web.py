"""What every route of the organisers' function uses: the session behind a request, and answers as page or JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.organise import sessions
from functions.organise.allocator import Allocator
from functions.organise.sessions import Role
from functions.organise.views import language_of, notice_words, render, render_error
from shared.errors import NotFoundError, NotSignedInError, ParcoursError, UnreadableEventError
from shared.events import read_or_stand_in
from shared.http import (
    answer,
    as_json,
    language_cookies,
    languages_wished,
    make_app,
    read_cookie,
    see_other,
    wants_json,
)
from shared.i18n import LANGUAGES, told
from shared.models import Event
from shared.table import EVENTS_PK, Table
from shared.tokens import Keys

COOKIE = "parcours"

PAGE_COOKIE = "parcours_page"

_PAGE = re.compile(r"/organise/(?!sign-)[a-z0-9][A-Za-z0-9@/_-]*")


PAGE_SIZE = 100
"""People, mails or lines on one page."""

Answer = Response[Any]

app = make_app(render_error)
"""The resolver; `functions.organise.app` gives it the routes and, for each request, its services."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a request works with: the table, the signing keys, the allocator, and the moment at which it came."""

    table: Table
    keys: Keys
    allocator: Allocator
    now: datetime


def make_router() -> APIGatewayHttpRouter:
    """A router for the routes of one subject."""
    return APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


def services() -> Services:
    """The services of the request being answered."""
    found: Services = app.context["services"]
    return found


def request() -> APIGatewayProxyEventV2:
    """The request being answered."""
    return app.current_event


def query() -> dict[str, str]:
    """The query string, read as a browser's form writes it."""
    return dict(parse_qsl(request().raw_query_string, keep_blank_values=True))


def sent_form() -> bool:
    """Whether the body is a browser's form, whose fields have a name for each choice, round and question."""
    return "json" not in request().headers.get("content-type", "")


def wished_language() -> str:
    """The language that the organiser switched to or whose browser asks for, "" when there is none that we have."""
    return next((wish for wish in languages_wished(request()) if wish in LANGUAGES), "")


def ticked(value: object) -> bool:
    """Whether a box was ticked, in a form or in JSON."""
    return value == "yes" or value is True


# --------------------------------------------------------------------------- sessions and roles


def session_token() -> str:
    """The session's token: from the header of a program, or the cookie of a browser."""
    scheme, _, token = request().headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else read_cookie(request(), COOKIE)


def session_cookie(value: str, seconds: int) -> Cookie:
    """The cookie that holds a session's token; no seconds remove it."""
    return _cookie(COOKIE, value, "/organise", seconds)


def page_cookie(page: str, seconds: int) -> Cookie:
    """The cookie that remembers, while a link is on its way, which page was asked for; no seconds remove it."""
    return _cookie(PAGE_COOKIE, page, "/organise/sign-in", seconds)


def _cookie(name: str, value: str, path: str, seconds: int) -> Cookie:
    """A cookie that only our own pages send, and no script reads."""
    strict = SameSite.STRICT_MODE
    return Cookie(name, value, path=path, secure=True, http_only=True, max_age=seconds, same_site=strict)


def page_wanted(page: object) -> str:
    """A page of ours to go to after signing in; "" for anything else: a form or a cookie may say what it likes."""
    return page if isinstance(page, str) and len(page) <= 200 and _PAGE.fullmatch(page) else ""


def signed_in() -> str:
    """The address of the organiser who asks. Raises NotSignedInError."""
    address = sessions.who_is(services().table, session_token(), services().now)
    if address is None:
        raise NotSignedInError(told("Sign in first: ask for a link by email."))
    return address


@dataclass(frozen=True, slots=True)
class Visit:
    """A request about an event, from an address whose role allows it."""

    event: Event
    actor: str
    role: Role
    table: Table
    now: datetime
    readable: bool = True
    """Whether the event's file can be read; else `event` is a stand-in (`shared.events.read_or_stand_in`)."""

    @property
    def home(self) -> str:
        """The address of the event's first page for organisers."""
        return f"/organise/{self.event.id}"

    @property
    def by(self) -> dict[str, Any]:
        """The actor and the time, as every function that changes something takes them."""
        return {"actor": self.actor, "now": self.now}

    def page(self, template: str, *, error: ParcoursError | None = None, **facts: Any) -> Answer:
        """A page about the event, with the tabs that the role may open and the status of the error, if any."""
        about: dict[str, Any] = {
            "event": self.event.in_language(language_of(request())),
            "actor": self.actor,
            "role": self.role.name.lower(),
            "now": self.now,
        }
        return show(template, error=error, **about, **facts)

    def reply(self, data: object, template: str, **facts: Any) -> Answer:
        """JSON to a program, a page about the event to a browser.

        `data` and every fact may be given as a function without parameters, which is called when it is needed: what
        only the page shows is then not read for a program.
        """
        return as_json(200, _value(data)) if wants_json(request()) else self.page(template, **facts)

    def done(self, where: str, notice: str, *, number: int = 0) -> Answer:
        """After an act that worked: a browser is sent on to a page that says so, a program is told in words."""
        return done(f"{self.home}/{where}" if where else self.home, notice, number=number)


def visit(event_id: str, least: Role = Role.ORGANISER, *, unreadable_too: bool = False) -> Visit:
    """The event that a request is about and the address that sent it.

    Raises NotSignedInError, NotFoundError, ForbiddenError or, unless `unreadable_too`, UnreadableEventError.
    """
    actor = signed_in()
    table, now = services().table, services().now
    found = table.get(EVENTS_PK, event_id) if len(event_id) <= 60 else None
    if found is None or found.get("retired"):
        raise NotFoundError(told("There is no such event."))
    event, readable = read_or_stand_in(found)
    if not readable and not unreadable_too:
        raise UnreadableEventError
    role = sessions.role_in(event, actor)
    sessions.refuse_less(role, least)
    return Visit(event, actor, role, table, now, readable)


# --------------------------------------------------------------------------- answers


def show(
    template: str,
    *,
    error: ParcoursError | None = None,
    status: int = 200,
    cookies: Sequence[Cookie] = (),
    **facts: Any,
) -> Answer:
    """A page in the organiser's language; with an error its status, and the notice that a redirect carries."""
    values = {name: _value(fact) for name, fact in facts.items()}
    notice = "" if error else _notice()
    body = render(request(), template, error=error, notice=notice, **values)
    kept = [*language_cookies(request(), language_of(request())), *cookies]
    return answer(error.status if error else status, body, "text/html; charset=utf-8", private=True, cookies=kept)


def reply(data: object, template: str, *, status: int = 200, **facts: Any) -> Answer:
    """JSON to a program, a page to a browser; data and facts as in `Visit.reply`."""
    return as_json(status, _value(data)) if wants_json(request()) else show(template, status=status, **facts)


def created(status: int, data: object, location: str, notice: str = "", *, number: int = 0) -> Answer:
    """Something new: a program gets it with its Location, a browser is sent to its page."""
    if wants_json(request()):
        return as_json(status, _value(data), headers={"Location": location})
    return see_other(_with_notice(location, notice, number))


def done(location: str, notice: str, *, number: int = 0, cookies: list[Cookie] | None = None) -> Answer:
    """After an act that worked: a browser is sent on to a page that says so, a program is told in words."""
    if wants_json(request()):
        return as_json(200, {"message": notice_words(notice, number)})
    return see_other(_with_notice(location, notice, number), cookies=cookies)


def download(data: bytes | str, media_type: str, name: str) -> Answer:
    """A file to keep."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answer(200, data, media_type, private=True, headers=disposition)


def _with_notice(location: str, notice: str, number: int = 0) -> str:
    told = {"notice": notice, **({"number": number} if number else {})}
    return f"{location}{'&' if '?' in location else '?'}{urlencode(told)}" if notice else location


def _notice() -> str:
    asked = query()
    number = asked.get("number", "0")
    known = number.isascii() and number.isdigit() and len(number) <= 7
    return notice_words(asked.get("notice", ""), int(number) if known else 0)


def _value(given: object) -> Any:
    """A fact, read now if it was given as a function."""
    return given() if callable(given) else given
