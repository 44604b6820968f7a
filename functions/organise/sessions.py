"""Sign-in by a mailed link, sessions, and the roles that decide what an address may do.

The mailed link is signed and names a nonce; the nonce is an item that one press of the button uses up. A session is
stored under the digest of its token, so that a reader of the table cannot act as an organiser. The role of an address
is read from the event file at every request: an address that is taken off the file has no access from then on.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from enum import IntEnum

from shared import settings
from shared.acts import Act
from shared.errors import ForbiddenError, InvalidError, NotFoundError, StaleError, TooManyRequestsError
from shared.event_file import check_event
from shared.events import all_events, audit, events, put_event
from shared.i18n import Told, told
from shared.limits import HOUR, MINUTE, network_of, seconds_left, within_cap
from shared.mails import send
from shared.models import Event, moment, utc
from shared.new_event import plain_draft
from shared.table import (
    EVENTS_PK,
    SESSION_PK,
    Absent,
    ConditionFailedError,
    Table,
    delete,
    mail_withheld,
    put,
    sign_in_sk,
)
from shared.text import TextError, address_key, clean_address
from shared.tokens import SIGN_IN_SALT, Keys, verify

LINK_FOR = timedelta(minutes=15)
SESSION_FOR = timedelta(hours=12)
LINK_SPAN = timedelta(minutes=5)
LINKS_A_SPAN = 3
"""Links mailed to one address in each span; a link outlives its span by ten minutes at least."""

SOURCE_LINKS_AN_HOUR = 60

EXPORTS_A_MINUTE = 30
"""Downloads of whole lists that one organiser may ask for in a minute."""

MOST_AUDITED = 50
"""Events whose audit list records a sign-in: the lines fit into the transaction that opens the session."""


class Role(IntEnum):
    """What an address may do at an event; each role includes the one before."""

    NOBODY = 0
    DOOR = 1
    ORGANISER = 2


def role_in(event: Event, address: str) -> Role:
    """The role of this address at an event, by the event file."""
    wanted = address_key(address)
    if wanted in map(address_key, event.organiser_emails):
        return Role.ORGANISER
    return Role.DOOR if wanted in map(address_key, event.door_emails) else Role.NOBODY


def events_of(table: Table, address: str) -> Iterator[Event]:
    """Every event that this address organises or helps at."""
    return (event for event in events(table) if role_in(event, address) > Role.NOBODY)


def unreadable_of(table: Table, address: str) -> Iterator[Event]:
    """Stand-ins for the events of this address whose files cannot be read."""
    for event, readable in all_events(table):
        if not readable and role_in(event, address) > Role.NOBODY:
            yield event


def read_address(value: object) -> str:
    """A mail address from a form. Raises InvalidError."""
    try:
        return clean_address(value if isinstance(value, str) else "")
    except TextError as error:
        raise InvalidError(told("Some fields need another look."), {"email": error.args[0]}) from None


def ask_link(table: Table, keys: Keys, address: str, *, source: str, now: datetime, language: str = "") -> None:
    """Mail a sign-in link if the address belongs to an organiser, in a language or else in that of the event.

    An unknown address costs the same calls and leaves a nonce that no link names, so that the answer tells nothing.
    An address is mailed a few links in each span of five minutes; past them nothing is sent, as a link of the same
    span still works. So nobody can keep an organiser out by asking in their name, and their mailbox is not flooded.
    Raises TooManyRequestsError past the cap on one source, which counts known and unknown addresses alike.
    """
    _count(table, keys, "sign-in-source", network_of(source), SOURCE_LINKS_AN_HOUR, now)
    _make_first_event(table, now, language or "en")
    may_send = within_cap(table, keys, "sign-in-address", address_key(address), LINKS_A_SPAN, now=now, span=LINK_SPAN)
    nonce = secrets.token_hex(16)
    known = _told_about(all_events(table), address, now)
    event = known if may_send else None
    ends = now + LINK_FOR
    item = {
        "pk": SESSION_PK,
        "sk": sign_in_sk(nonce),
        "type": "sign-in",
        "address": address if event else "",
        "ends": utc(ends),
        "expires": int(ends.timestamp()),
    }
    if event:
        mail = send(
            "sign-in",
            event.id,
            "",
            occasion=secrets.token_hex(8),
            to=address,
            language=language or event.language,
            facts={"nonce": nonce},
            now=now,
        )
    else:
        mail = mail_withheld(now)
    table.write(put(item, expect={"pk": Absent()}), mail)


def _make_first_event(table: Table, now: datetime, language: str) -> None:
    """A draft for the deployment's first organiser, who can then sign in as the organiser of any event does.

    It is made while there is no event at all, for any address, so that the answer tells nothing of an address.
    """
    first = settings.optional("FIRST_ORGANISER", "")
    if not first or next(table.query(EVENTS_PK, size=1), None):
        return
    day = now.date() + timedelta(days=60)

    def say(message: Told) -> str:
        return message.in_language(language)

    answers = {"title": say(told("My first event")), "organiser": say(told("The organisers")), "day": day.isoformat()}
    venue = {"name": say(told("Building")), "address": say(told("Street, number, town"))}
    data = plain_draft(**answers, venue=venue, rounds=2, workshops=4, seats=20, actor=first, now=now, language=language)
    with suppress(StaleError):  # another request has just made it
        put_event(table, check_event({**data, "id": "first-event"}), actor="deployment", now=now)


def _told_about(there: Iterable[tuple[Event, bool]], address: str, now: datetime) -> Event | None:
    """The event that the mail names: the next one, else the one that ended last, else one that cannot be read."""
    mine = [(event, readable) for event, readable in there if role_in(event, address) > Role.NOBODY]
    known = sorted((event for event, readable in mine if readable), key=lambda event: event.ends_at)
    last = known[-1] if known else next((event for event, _ in mine), None)
    return next((event for event in known if event.ends_at >= now), last)


def spend_one_read(table: Table, keys: Keys, address: str, now: datetime) -> None:
    """Count a download of a whole list against its reader. Raises TooManyRequestsError past the cap."""
    if not within_cap(table, keys, "export", address, EXPORTS_A_MINUTE, now=now, span=MINUTE):
        raise TooManyRequestsError(
            told("Many lists were downloaded within this minute. Please try again in a minute."),
            retry_after=seconds_left(now, MINUTE),
        )


def _count(table: Table, keys: Keys, what: str, who: str, most: int, now: datetime) -> None:
    if not within_cap(table, keys, what, who, most, now=now):
        raise TooManyRequestsError(
            told("Too many sign-in links were asked for. Use one you have, or try again in an hour."),
            retry_after=seconds_left(now, HOUR),
        )


SIGN_IN_SENT = told(
    "If this address belongs to an organiser, a link is on its way. It works once, for %(minutes)s minutes.",
    minutes=int(LINK_FOR.total_seconds()) // 60,
)
"""The answer to every request for a link; it does not tell whether the address belongs to an organiser."""


def refuse_other_than_organisers(table: Table, address: str) -> None:
    """Raise ForbiddenError for an address that organises no event."""
    if not any(role_in(event, address) is Role.ORGANISER for event in events_of(table, address)):
        raise ForbiddenError(told("Only organisers put events. The deployment names the first one (FirstOrganiser)."))


def refuse_less(role: Role, least: Role) -> None:
    """Raise ForbiddenError when a role may not do what needs `least`."""
    if role < least:
        raise ForbiddenError(
            told("You help at the door of this event; this page is for its organisers.")
            if role
            else told("You are not an organiser of this event. Its organisers can give you access.")
        )


def nonce_in(keys: Keys, token: str) -> str:
    """The nonce a mailed link names. Raises NotFoundError for a link that does not verify."""
    match verify(keys, SIGN_IN_SALT, token):
        case [str(), str(nonce)]:
            return nonce
    raise _no_link()


def refuse_closed(table: Table, nonce: str, now: datetime) -> None:
    """Raise NotFoundError when a mailed link may no longer be used."""
    if _address_behind(table, nonce, now) is None:
        raise _no_link()


def open_session(table: Table, nonce: str, now: datetime, language: str = "") -> str:
    """Use up a mailed link and open a session; its token. Raises NotFoundError when it was used or is too old.

    The audit list keeps the language in which the organiser signed in: mails about failures are written in it.
    """
    address = _address_behind(table, nonce, now)
    if address is None:
        raise _no_link()
    token = secrets.token_urlsafe(32)
    ends = now + SESSION_FOR
    session = {
        "pk": SESSION_PK,
        "sk": _digest(token),
        "type": "session",
        "address": address,
        "ends": utc(ends),
        "expires": int(ends.timestamp()),
    }
    mine = list(events_of(table, address))[:MOST_AUDITED]
    try:
        table.write(
            delete(SESSION_PK, sign_in_sk(nonce), expect={"address": address}),
            put(session),
            *(audit(event.id, address, Act.SIGN_IN, now=now, what=language) for event in mine),
        )
    except ConditionFailedError:
        raise _no_link() from None
    Act.SIGN_IN.counted()
    return token


def _address_behind(table: Table, nonce: str, now: datetime) -> str | None:
    found = table.get(SESSION_PK, sign_in_sk(nonce))
    return found["address"] or None if found and moment(found["ends"]) > now else None


def _no_link() -> NotFoundError:
    return NotFoundError(told("This sign-in link was used or is too old. Ask for a new one."))


def who_is(table: Table, token: str, now: datetime) -> str | None:
    """The address a session belongs to, or None."""
    found = table.get(SESSION_PK, _digest(token)) if token else None
    return found["address"] if found and moment(found["ends"]) > now else None


def close_session(table: Table, token: str, address: str, now: datetime) -> None:
    """End a session and record it in the audit lists."""
    mine = list(events_of(table, address))[:MOST_AUDITED]
    table.write(
        delete(SESSION_PK, _digest(token)), *(audit(event.id, address, Act.SIGN_OUT, now=now) for event in mine)
    )
    Act.SIGN_OUT.counted()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
