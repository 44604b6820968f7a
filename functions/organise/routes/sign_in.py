"""Signing in by a mailed link, and out."""

from __future__ import annotations

from functions.organise import sessions
from functions.organise.web import (
    PAGE_COOKIE,
    Answer,
    done,
    make_router,
    page_cookie,
    page_wanted,
    reply,
    request,
    services,
    session_cookie,
    session_token,
    show,
    signed_in,
    wished_language,
)
from shared.errors import ParcoursError
from shared.http import as_json, read_cookie, read_fields, see_other, shown_again, source_address, wants_json

router = make_router()


@router.get("/organise/sign-in")
def show_sign_in() -> Answer:
    """The form that asks for a link."""
    return show("sign_in.html")


@router.post("/organise/sign-in")
def ask_for_link() -> Answer:
    """Mail a sign-in link; the answer does not depend on who asks."""
    fields = read_fields(request())
    typed, page = fields.get("email", ""), page_wanted(fields.get("page"))

    with shown_again(lambda error: show("sign_in.html", error=error, typed=typed, page=page)):
        address, source = sessions.read_address(typed), source_address(request())
        sessions.ask_link(
            services().table, services().keys, address, source=source, now=services().now, language=wished_language()
        )
    kept = [page_cookie(page, int(sessions.LINK_FOR.total_seconds()))] if page else []
    said = sessions.SIGN_IN_SENT
    return reply({"message": said}, "sign_in.html", status=202, cookies=kept, sent=said)


@router.get("/organise/sign-in/<token>")
def show_link(token: str) -> Answer:
    """The page behind a mailed link: a button, as mail scanners follow links and do not press buttons."""
    with shown_again(ask_again):
        sessions.refuse_closed(services().table, sessions.nonce_in(services().keys, token), services().now)
    return reply({"message": "POST here to sign in."}, "sign_in.html", token=token)


@router.post("/organise/sign-in/<token>")
def use_link(token: str) -> Answer:
    """Open a session, a cookie for browsers and a bearer token for programs, and go to the page that was asked for."""
    with shown_again(ask_again):
        nonce = sessions.nonce_in(services().keys, token)
        session = sessions.open_session(services().table, nonce, services().now, wished_language())
    seconds = int(sessions.SESSION_FOR.total_seconds())
    if wants_json(request()):
        return as_json(200, {"token": session, "seconds": seconds})
    page = page_wanted(read_cookie(request(), PAGE_COOKIE))
    forget = [page_cookie("", 0)] if page else []
    return see_other(page or "/organise", cookies=[session_cookie(session, seconds), *forget])


def ask_again(error: ParcoursError) -> Answer:
    """The page of a link that does not work: why, and the form that asks for another."""
    return show("sign_in.html", status=error.status, told=error.message)


@router.post("/organise/sign-out")
def sign_out() -> Answer:
    """End the session."""
    actor = signed_in()
    sessions.close_session(services().table, session_token(), actor, services().now)
    return done("/organise/sign-in", "signed-out", cookies=[session_cookie("", 0)])
