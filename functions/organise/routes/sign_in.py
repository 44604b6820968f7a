"""Signing in by a mailed link, and out."""

from __future__ import annotations

from functions.organise import sessions
from functions.organise.web import (
    Answer,
    done,
    make_router,
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
from shared.http import as_json, read_fields, see_other, shown_again, source_address, wants_json

router = make_router()


@router.get("/organise/sign-in")
def show_sign_in() -> Answer:
    """The form that asks for a link."""
    return show("sign_in.html")


@router.post("/organise/sign-in")
def ask_for_link() -> Answer:
    """Mail a sign-in link; the answer does not depend on who asks."""
    typed = read_fields(request()).get("email", "")

    with shown_again(lambda error: show("sign_in.html", error=error, typed=typed)):
        address, source = sessions.read_address(typed), source_address(request())
        sessions.ask_link(
            services().table, services().keys, address, source=source, now=services().now, language=wished_language()
        )
    return reply({"message": sessions.SIGN_IN_SENT}, "sign_in.html", status=202, sent=sessions.SIGN_IN_SENT)


@router.get("/organise/sign-in/<token>")
def show_link(token: str) -> Answer:
    """The page behind a mailed link: a button, as mail scanners follow links and do not press buttons."""
    with shown_again(ask_again):
        sessions.refuse_closed(services().table, sessions.nonce_in(services().keys, token), services().now)
    return reply({"message": "POST here to sign in."}, "sign_in.html", token=token)


@router.post("/organise/sign-in/<token>")
def use_link(token: str) -> Answer:
    """Open a session: a cookie for browsers, a bearer token for programs."""
    with shown_again(ask_again):
        nonce = sessions.nonce_in(services().keys, token)
        session = sessions.open_session(services().table, nonce, services().now, wished_language())
    seconds = int(sessions.SESSION_FOR.total_seconds())
    if wants_json(request()):
        return as_json(200, {"token": session, "seconds": seconds})
    return see_other("/organise", cookies=[session_cookie(session, seconds)])


def ask_again(error: ParcoursError) -> Answer:
    """The page of a link that does not work: why, and the form that asks for another."""
    return show("sign_in.html", status=error.status, told=error.message)


@router.post("/organise/sign-out")
def sign_out() -> Answer:
    """End the session."""
    actor = signed_in()
    sessions.close_session(services().table, session_token(), actor, services().now)
    return done("/organise/sign-in", "signed-out", cookies=[session_cookie("", 0)])
