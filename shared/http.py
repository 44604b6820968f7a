"""What every route shares: reading a request, answering as a page or as JSON, errors, and the headers that guard."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as RouteNotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import ValidationError

from shared import settings
from shared.errors import (
    ForbiddenError,
    InvalidError,
    LanguageSwitchedError,
    NotFoundError,
    ParcoursError,
    TooLargeError,
    UnreadableError,
    UnsupportedMediaTypeError,
)
from shared.i18n import N_, told
from shared.observability import logger

LARGEST_BODY = 64 * 1024
"""Bytes of a form or a JSON body; the longest honest registration is a tenth of it."""

MOST_FIELDS = 500
"""Fields of a form; a form of organisers with a grid may have more."""

GUARDS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every answer, errors too."""

OTHER_SITE = N_("This form was sent from another site. Open the page itself and try again.")

PRIVATE = {"Cache-Control": "no-store"}

SMALLEST_COMPRESSED = 1024
"""Bytes of a body that is worth compressing: a smaller one travels in a packet or two anyhow."""

_compressible = re.compile(r"text/|application/(json|javascript)|image/svg").match

Fields = dict[str, Any]
RenderError = Callable[[APIGatewayProxyEventV2, ParcoursError], str]


def wants_json(request: APIGatewayProxyEventV2) -> bool:
    """Whether the answer is JSON: always after a JSON body, else when `Accept` names JSON and no page.

    A JSON body comes from a program even when its library sends a browser's `Accept`, and the code that shows a
    refused form again relies on fields that a form can send. A browser's form is answered with a page unless the
    caller asks for JSON only.
    """
    if _media_type(request) == "application/json":
        return True
    accept = request.headers.get("accept", "").lower()
    return "application/json" in accept and "text/html" not in accept


def sends_form(request: APIGatewayProxyEventV2) -> bool:
    """Whether the body is a form as browsers send it, and not JSON."""
    return _media_type(request) == "application/x-www-form-urlencoded"


def read_fields(
    request: APIGatewayProxyEventV2, *, largest: int = LARGEST_BODY, most_fields: int = MOST_FIELDS
) -> Fields:
    """The fields of a form or of a JSON object; a form field given more than once becomes a list.

    Raises UnreadableError, TooLargeError or UnsupportedMediaTypeError.
    """
    body = read_body(request, largest=largest)
    match _media_type(request):
        case "application/json":
            return _json_fields(body)
        case "application/x-www-form-urlencoded":
            return _form_fields(body, most_fields)
        case "" if not body:
            return {}
        case other:
            raise UnsupportedMediaTypeError(
                told("Send a form or JSON, not %(kind)s.", kind=other[:80] or told("a body without a media type"))
            )


def read_body(request: APIGatewayProxyEventV2, *, largest: int = LARGEST_BODY) -> bytes:
    """The bytes of a request's body. Raises UnreadableError or TooLargeError."""
    raw = request.raw_event.get("body") or ""
    if len(raw) > largest * 2:
        raise TooLargeError(told("Send at most %(number)s KB.", number=largest // 1024))
    try:
        body = base64.b64decode(raw, validate=True) if request.is_base64_encoded else raw.encode("utf-8")
    except (binascii.Error, UnicodeEncodeError):
        raise UnreadableError(N_("The body of the request cannot be read.")) from None
    if len(body) > largest:
        raise TooLargeError(told("Send at most %(number)s KB.", number=largest // 1024))
    return body


def _json_fields(body: bytes) -> Fields:
    try:
        found = json.loads(body, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair can be escaped in, and stored nowhere
    except (ValueError, RecursionError) as error:
        raise UnreadableError(told("The body is not readable JSON: %(error)s.", error=str(error))) from None
    if not isinstance(found, dict):
        raise UnreadableError(told("The body must be a JSON object."))
    return found


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _form_fields(body: bytes, most: int) -> Fields:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=most, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise UnreadableError(N_("The form cannot be read; send it as UTF-8.")) from None
    fields: Fields = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _media_type(request: APIGatewayProxyEventV2) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def source_address(request: APIGatewayProxyEventV2) -> str:
    """The network address of the visitor, which limits are counted by.

    Without proxies of our own it is the address that API Gateway saw; X-Forwarded-For is then the caller's own claim.
    Behind TRUSTED_PROXIES of them, each of which appends the address it saw, it is the entry that the outermost of
    them wrote. A caller who passes by the proxies has written fewer entries, and counts with the address it came from.
    """
    seen = request.request_context.http.source_ip or "unknown"
    proxies = settings.trusted_proxies()
    claimed = [entry.strip() for entry in request.headers.get("x-forwarded-for", "").split(",") if entry.strip()]
    chain = claimed if claimed[-1:] == [seen] else [*claimed, seen]  # API Gateway appends what it saw
    return chain[-1 - proxies] if 0 < proxies < len(chain) else seen


def read_cookie(request: APIGatewayProxyEventV2, name: str) -> str:
    """The value of a cookie, or ""."""
    sent = [*(request.raw_event.get("cookies") or []), *request.headers.get("cookie", "").split(";")]
    pairs = (one.strip().partition("=") for one in sent)
    return next((value for key, _, value in pairs if key == name), "")


_switched: ContextVar[bool] = ContextVar("switched", default=False)


def switches_language() -> bool:
    """Whether the request being answered is a form that is sent for another language only, and changes nothing."""
    return _switched.get()


def note_switch(app: APIGatewayHttpResolver, route: NextMiddleware) -> Response[Any]:
    """The middleware that recognises a form which the buttons of the languages sent (`switch=form` in its address)."""
    request = app.current_event
    asked = (request.query_string_parameters or {}).get("switch") == "form"
    _switched.set(asked and request.http_method == "POST" and bool(wished_language(request)))
    answered: Response[Any] = route(app)
    return answered


LANGUAGE_COOKIE = "lang"
"""Holds the language that a visitor switched to, on attendees' and organisers' pages alike."""


def wished_language(request: APIGatewayProxyEventV2) -> str:
    """What `?lang=` asks for, "" when it asks for nothing."""
    return (request.query_string_parameters or {}).get("lang", "")


def languages_wished(request: APIGatewayProxyEventV2, *known: str) -> list[str]:
    """Languages to answer in, best first: just switched to, switched to before, `known`, asked by the browser."""
    asked = re.findall(r"(?:^|,)\s*([a-z]{2})\b", request.headers.get("accept-language", "")[:200].lower())
    return [wished_language(request), read_cookie(request, LANGUAGE_COOKIE), *known, *asked]


def language_cookies(request: APIGatewayProxyEventV2, language: str) -> list[Cookie]:
    """The cookie that keeps the language of an answer, if the visitor has just switched to it."""
    if wished_language(request) != language:
        return []
    year = 365 * 24 * 3600
    return [Cookie(LANGUAGE_COOKIE, language, path="/", max_age=year, same_site=SameSite.STRICT_MODE)]


def refuse_other_sites(request: APIGatewayProxyEventV2) -> None:
    """Refuse a post that a browser sent from another site. Raises ForbiddenError.

    Browsers send Origin with every POST; programs that send none carry no cookie that could be abused. Origin is
    compared as text with the public address: it is never parsed, so that no text in it can be a fault of ours. Under
    our own Referrer-Policy browsers call even our origin "null"; Sec-Fetch-Site, which no page can set, then says
    where the post came from.
    """
    origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "")
    if site in {"cross-site", "same-site"}:
        raise ForbiddenError(OTHER_SITE)
    if not origin or origin.lower() == settings.public_url().lower():
        return
    if origin == "null" and site == "same-origin":
        return
    raise ForbiddenError(OTHER_SITE)


def refuse_posts_of_other_sites(app: APIGatewayHttpResolver, route: NextMiddleware) -> Response[Any]:
    """The middleware before every route: what is not a GET is refused when another site sent it.

    It stands here, and not in the routes, so that no route can forget it.
    """
    if app.current_event.http_method != "GET":
        refuse_other_sites(app.current_event)
    answered: Response[Any] = route(app)
    return answered


def compress(app: APIGatewayHttpResolver, route: NextMiddleware) -> Response[Any]:
    """The middleware that sends an answer of 1 KB or more gzipped to those who take it; HTTP APIs compress nothing.

    No page holds a secret beside text that another site can choose, so the length of an answer tells nothing.
    """
    answered: Response[Any] = route(app)
    wanted = "gzip" in app.current_event.headers.get("accept-encoding", "")
    body = answered.body.encode() if isinstance(answered.body, str) else answered.body
    if not isinstance(body, bytes) or len(body) < SMALLEST_COMPRESSED or not _compressible(answered.content_type or ""):
        return answered
    answered.headers["Vary"] = "Accept-Encoding"
    if wanted:
        # As text: Powertools would serialise the bytes of a JSON answer once more.
        answered.body = base64.b64encode(gzip.compress(body, compresslevel=6, mtime=0)).decode()
        answered.base64_encoded = True
        answered.headers["Content-Encoding"] = "gzip"
    return answered


def page(status: int, body: str, *, private: bool = True, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Answer with a page."""
    return answer(status, body, "text/html; charset=utf-8", private=private, headers=headers)


def as_json(status: int, body: object, *, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Answer with JSON."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return answer(status, text, "application/json", private=True, headers=headers)


def see_other(location: str, *, cookies: list[Any] | None = None) -> Response[str]:
    """Send a browser on after a form: a reload then repeats nothing."""
    return Response(status_code=303, body="", headers={**GUARDS, **PRIVATE, "Location": location}, cookies=cookies)


def answer(
    status: int,
    body: str | bytes,
    content_type: str,
    *,
    private: bool,
    headers: Mapping[str, str] | None = None,
    cookies: list[Any] | None = None,
) -> Response[Any]:
    """Answer with anything, under the guards; `private` answers are kept by no cache."""
    together = {**GUARDS, **(PRIVATE if private else {}), **(headers or {})}
    return Response(status_code=status, content_type=content_type, body=body, headers=together, cookies=cookies)


def invalid(error: ValidationError, words: Mapping[str, str] | None = None) -> InvalidError:
    """What pydantic refused, as one message a field; `words` replaces its words by the error's type."""
    fields: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, fault["loc"])) or "body"
        fields.setdefault(name, (words or {}).get(fault["type"], message_of(fault)))
    return InvalidError(told("Some fields need another look."), fields)


def message_of(fault: Mapping[str, Any]) -> str:
    """What a fault that pydantic found says: the message of our own validator as it was raised, or pydantic's words."""
    raised = fault.get("ctx", {}).get("error")
    if isinstance(raised, ValueError) and raised.args and isinstance(raised.args[0], str):
        return raised.args[0]
    return str(fault["msg"]).removeprefix("Value error, ")


class RefusedFormError(Exception):
    """A form was refused: why, and the page that shows it again with everything that was typed."""

    def __init__(self, error: ParcoursError, show: Callable[[ParcoursError], Response[Any]]) -> None:
        super().__init__(error.message)
        self.error = error
        self.show = show


@contextmanager
def shown_again(show: Callable[[ParcoursError], Response[Any]]) -> Iterator[None]:
    """Answer a browser with its form again when the body of the `with` is refused; a program gets the error as JSON.

    A form that is sent to switch the language is shown again too, and the body is not carried out.

    Parameters
    ----------
    show
        Makes the page from the error; it is called only for a browser, and answers with the error's status.
    """
    if switches_language():
        raise RefusedFormError(LanguageSwitchedError(), show)
    try:
        yield
    except ParcoursError as error:
        raise RefusedFormError(error, show) from error


def make_app(render_error: RenderError) -> APIGatewayHttpResolver:
    """A router that refuses posts of other sites and answers every error as JSON to programs, as a page to people.

    Only errors that the domain foresees are caught. A fault of our own is not: it fails the request, and an alarm
    rings.

    Parameters
    ----------
    render_error
        Makes the page of an error.
    """
    app = APIGatewayHttpResolver()
    app.use([compress, refuse_posts_of_other_sites, note_switch])

    @app.exception_handler(ParcoursError)  # type: ignore[untyped-decorator]
    def refuse(error: ParcoursError) -> Response[str]:
        return error_answer(app.current_event, error, render_error)

    @app.exception_handler(RefusedFormError)  # type: ignore[untyped-decorator]
    def show_form(refused: RefusedFormError) -> Response[Any]:
        if wants_json(app.current_event):
            return error_answer(app.current_event, refused.error, render_error)
        if refused.error:
            log_refusal(refused.error)
        try:
            shown = refused.show(refused.error)
            shown.headers.update(retry_header(refused.error))
            return shown
        except ParcoursError as gone:  # what the page reads was erased or retired meanwhile
            return error_answer(app.current_event, gone, render_error)

    @app.not_found
    def missing(_: RouteNotFoundError) -> Response[str]:
        request = app.current_event
        allowed = _methods_at(app, request.path)
        if not allowed:
            return error_answer(request, NotFoundError(N_("There is no such page. Check the address.")), render_error)
        error = MethodNotAllowedError(told("Use %(methods)s here.", methods=", ".join(allowed)))
        return error_answer(request, error, render_error, headers={"Allow": ", ".join(allowed)})

    return app


class MethodNotAllowedError(ParcoursError):
    """The page exists, but not for this method."""

    code = "method-not-allowed"
    status = 405


def error_answer(
    request: APIGatewayProxyEventV2,
    error: ParcoursError,
    render_error: RenderError,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """An error as JSON or as a page, with its status and no word of the inside."""
    log_refusal(error)
    headers = {**(headers or {}), **retry_header(error)}
    if wants_json(request):
        body = {"error": error.code, "message": error.message, "fields": error.fields}
        return as_json(error.status, body, headers=headers)
    return page(error.status, render_error(request, error), headers=headers)


def retry_header(error: ParcoursError) -> dict[str, str]:
    """The header that says when the same request may succeed, for an error that will pass."""
    return {"Retry-After": str(error.retry_after)} if error.retry_after else {}


def log_refusal(error: ParcoursError) -> None:
    """Log that a request was refused and why.

    The number of fields is logged and not their names: the name of an unknown field is whatever a person sent, which
    may be a mail address.
    """
    logger.info("refused", extra={"code": error.code, "status": error.status, "fields": len(error.fields)})


def resolve(app: APIGatewayHttpResolver, payload: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request; HEAD is GET without the body."""
    http = payload["requestContext"]["http"]
    if not payload["rawPath"].isprintable():
        # The router's patterns end in `$`, which also matches before a line feed: only the exact path is an address.
        http = {**http, "path": "/-"}
        payload = {**payload, "rawPath": "/-", "requestContext": {**payload["requestContext"], "http": http}}
    if http["method"] != "HEAD":
        return app.resolve(payload, context)
    asked = {**payload["requestContext"], "http": {**http, "method": "GET"}}
    answered = app.resolve({**payload, "requestContext": asked}, context)
    return {**answered, "body": "", "isBase64Encoded": False}


def _methods_at(app: APIGatewayHttpResolver, path: str) -> list[str]:
    """The methods for which this path has a route."""
    routes = [*app._static_routes, *app._dynamic_routes]
    return sorted({route.method for route in routes if route.rule.match(path)})
