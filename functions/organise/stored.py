"""Sentences that other functions stored in English, recognised by their pattern and told in the reader's language.

The mail function and the acts of the audit list write short sentences as they are, for the log, the table and programs.
A page looks each sentence up here; one that is not listed stays as it was stored. Longer messages with facts are stored
with them instead (`shared.stored_words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from markupsafe import Markup

from functions.organise.event_form.differences import path_words
from functions.organise.imports.columns import COLUMNS
from functions.organise.words import STATES
from shared.i18n import LANGUAGE_WORDS, Told, told, told_together
from shared.models import Event

PROOF = (
    told("the time ended before the flow was found"),
    told("the time budget ended before the gap was closed"),
    told("costs are too large for a flow in 64 bits"),
    told("the themes do not fit the rounds in any order"),
    told("the flow alone proves no more where rounds differ"),
)
"""Why an allocation is not proven to be the best."""

CURVES = (
    told("It is drawn for at most %(number)s people."),
    told("In the time there was, too few allocations with other weights were found."),
    told("The allocation took all the time there was."),
    told("It could not be drawn for these people and rounds. The allocation itself is complete."),
    told("It is drawn after the allocation is stored. Reload this page in a minute."),
)
"""Why there is no curve of what balance costs."""

MAILS = (
    told("bad address"),
    told("no such event"),
    told("the link has run out"),
    told("the day is cancelled"),
    told("the day takes place after all"),
    told("nobody of the group comes"),
    told("the registration is gone"),
    told("another address, or none, is asked for by now"),
    told("the registration is withdrawn"),
    told("the registration is %(state)s"),
    told("the day is over"),
    told("the allocation is no longer what this mail says"),
    told("a later allocation is published"),
    told("there is no programme, and none was told"),
    told("the programme is the one that was told before"),
    told("a later programme is told"),
    told("a later programme is about to be told"),
    told("nobody is asked about the day any more"),
    told("this address leads no workshop any more"),
)
"""Why a mail was not sent."""

KINDS = {
    "confirmation": told("confirmation"),
    "already-registered": told("own link, as the address was registered already"),
    "waiting-list": told("waiting list"),
    "place-offered": told("offered place"),
    "programme": told("programme"),
    "programme-changed": told("changed programme"),
    "reminder": told("reminder"),
    "withdrawn": told("withdrawal"),
    "erased": told("erasure"),
    "sign-in": told("link to sign in"),
    "address-check": told("check of a new address"),
    "address-changed": told("change of address"),
    "allocation-failed": told("failed allocation"),
    "draft-ready": told("draft that waits"),
    "day-cancelled": told("cancelled day"),
    "day-restored": told("day that takes place after all"),
    "feedback": told("question after the day"),
    "message": told("your text"),
    "leader-list": told("list for a leader"),
    "group": told("people and programmes of a group"),
}
"""Mails by their kind."""

ACTS = (
    told("run %(number)s, fresh"),
    told("run %(number)s, keep"),
    told("run %(number)s, registration closed"),
    told("run %(number)s, then a draft at the deadline"),
    told("run %(number)s, then no further run"),
    told("run %(number)s"),
    told("new"),
    told("nothing"),
)
"""What the audit list says of an act."""


GROUPS = (
    told("Everybody: registered, offered a place or waiting"),
    told("Everybody who is registered"),
    told("Those who wait, or are offered a place"),
    told("Those who did not come"),
    told("Registered, without a ranking"),
    told("Registered, without a programme"),
    told("%(theme)s, in any round"),
    told("%(theme)s at %(time)s"),
    told("%(theme)s, by %(leader)s"),
)
"""Groups of people to whom organisers and leaders wrote."""


def group_words(words: str, event: Event) -> str:
    """A group of people to whom an organiser or a leader wrote, with the titles that the event has in its language."""
    named: list[str] = [theme.title for theme in event.themes] + [kind.title for kind in event.partner_types]
    titles = {str(getattr(title, "original", title)): title for title in named}
    return titles.get(words) or _recognised(words, GROUPS, titles)


def why_not_proven(words: str) -> str:
    """Why a result is not proven to be the best."""
    return _recognised(words, PROOF)


def why_no_curve(words: str) -> str:
    """Why there is no curve of what balance costs."""
    return _recognised(words, CURVES)


def actor_words(actor: str) -> str:
    """The address of the organiser who asked for something, or what asked by itself."""
    return {"schedule": told("the schedule"), "invoked": told("an operator")}.get(actor, actor)


def mail_error(words: str) -> str:
    """Why a mail was not sent; the code of an answer of SES stays as it is."""
    return _recognised(words, MAILS)


def mail_kind(kind: str) -> str:
    """A kind of mail in words."""
    return KINDS.get(kind, kind)


def audit_detail(words: str, event: Event) -> str:
    """What the audit list says of an act, in words: a run, a mail, workshops, a group, or what was changed."""
    if words in LANGUAGE_WORDS:
        return LANGUAGE_WORDS[words]
    found = KINDS[words] if words in KINDS else _recognised(words, ACTS)
    if isinstance(found, Told):
        return found
    again, rest = words.startswith(AGAIN), words.removeprefix(AGAIN)
    group = re.fullmatch(r"(.+): (\d+)", rest)
    and_more = re.fullmatch(r"(.+) and (\d+) more", rest)
    parts = [_changed(part, event) for part in (and_more[1] if and_more else rest).split(", ")]
    if group and not again:
        return told("%(name)s: %(words)s", name=group_words(group[1], event), words=group[2])
    if not all(isinstance(part, str) for part in parts):
        return Markup('<code class="wrap">{}</code>').format(words)
    listed = told_together((part for part in parts if part is not None), ", ")
    if again:
        return told("seats given again: %(workshops)s", workshops=listed)
    return told("%(some)s and %(number)s more", some=listed, number=and_more[2]) if and_more else listed


AGAIN = "seats given again: "


def _changed(words: str, event: Event) -> str | None:
    """A workshop, a field of a person or a part of the event file in words; None for what is none of them."""
    theme, _, slot = words.partition(" in ")
    starts = {one.id: f"{one.start:%H:%M}" for one in event.rounds}
    titles: dict[str, str] = {one.id: one.title for one in event.themes}
    if slot in starts:
        return told("%(theme)s at %(time)s", theme=titles.get(theme, theme), time=starts[slot])
    return COLUMNS.get(words) or path_words(words, event)


def _recognised(words: str, known: Iterable[Told], facts: Mapping[str, str] = STATES) -> str:
    """Words as the message that made them, with its facts in words; as they are when no message could."""
    for message in known:
        found = _pattern(message).fullmatch(words)
        if found:
            return told(message, **{name: facts.get(fact, fact) for name, fact in found.groupdict().items()})
    return words


@cache
def _pattern(message: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", re.escape(message)), re.DOTALL)
