"""Searching people: by words, by partner type and by the tabs of their state, one page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from shared.confirmation import unconfirmed
from shared.i18n import told, told_as
from shared.models import Registration, RegistrationState
from shared.registrations import HOLDS_A_PLACE, in_family_order
from shared.text import folded

PROGRAM_PAGE_SIZE = 1000
"""People in one JSON answer; a page shows fewer (`web.PAGE_SIZE`)."""

LONGEST_WORDS = 200
"""Characters of a search that are looked at; a link is not a form, and what is longer is cut."""

TABS = {
    "all": told("Everyone"),
    "registered": told_as("tab", "Registered"),
    "waiting": told("Waiting"),
    "withdrawn": told_as("tab", "Withdrawn"),
    "bounced": told("Mail came back"),
    "unconfirmed": told("Address not confirmed"),
    "checked-in": told_as("tab", "Checked in"),
    "no-show": told("Did not come"),
}
"""The tabs over the people, in the order they stand on the page."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Search:
    """What a list of people is narrowed to, and which part of it is shown."""

    tab: str = "all"
    words: str = ""
    partner_type: str = ""
    page: int = 1
    size: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One page of people, and how many there are in all.

    `counts` holds how many people the words and the partner type leave under each tab; `total` is the count under the
    chosen tab.
    """

    people: list[Registration]
    counts: dict[str, int]
    total: int
    page: int
    pages: int


def read_search(query: Mapping[str, str], *, size: int) -> Search:
    """A search from the query string of a page. What makes no sense in it is left out: a link is not a form."""
    tab = query.get("state", "all")
    return Search(
        tab=tab if tab in TABS else "all",
        words=read_words(query.get("q", "")),
        partner_type=query.get("type", "")[:60],
        page=read_page(query),
        size=size,
    )


def read_words(typed: str) -> str:
    """The words of a search."""
    return typed.strip()[:LONGEST_WORDS]


def read_page(query: Mapping[str, str]) -> int:
    """The number of the page that a link asks for, from 1; 1 when it is not a number."""
    page = query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) <= 6 else 1
    return max(1, number)


def find(people: Sequence[Registration], search: Search) -> Found:
    """The people that a search matches, sorted by family name, and the page of them that is asked for."""
    matching = [person for person in people if matches(person, search.words, search.partner_type)]
    open_ = unconfirmed_ids(people)
    listed = sorted(
        (person for person in matching if in_tab(person, search.tab, open_)),
        key=in_family_order,
    )
    shown, page, pages = part(listed, search.page, search.size)
    return Found(shown, tab_counts(matching, open_), len(listed), page, pages)


def part(listed: Sequence[_Item], page: int, size: int) -> tuple[list[_Item], int, int]:
    """One page of a list, its number (the last page when a later one is asked for) and the number of pages."""
    pages = max(1, -(-len(listed) // size))
    number = min(page, pages)
    return list(listed[(number - 1) * size : number * size]), number, pages


def unconfirmed_ids(people: Iterable[Registration]) -> Set[str]:
    """The ids of the people whose address nobody confirmed: their own, or that of their delegate."""
    return {person.id for person, _ in unconfirmed(people)}


def in_tab(person: Registration, tab: str, open_: Set[str]) -> bool:
    """Whether a person is listed under a tab. `open_` are the ids that `unconfirmed_ids` found among all people."""
    match tab:
        case "registered":
            return person.state in HOLDS_A_PLACE
        case "waiting":
            return person.state is RegistrationState.WAITING
        case "withdrawn":
            return person.state is RegistrationState.WITHDRAWN
        case "bounced":
            # Of those who withdrew only the people whom a bounce withdrew: a mistyped address may be among them.
            return person.bounced and (person.unconfirmed or person.state is not RegistrationState.WITHDRAWN)
        case "no-show":
            return person.state is RegistrationState.NO_SHOW
        case "unconfirmed":
            return person.id in open_
        case "checked-in":
            return bool(person.checked_in_at)
    return True


def tab_counts(people: Iterable[Registration], open_: Set[str]) -> dict[str, int]:
    """How many people are listed under each tab. `open_` as in `in_tab`."""
    counts = dict.fromkeys(TABS, 0)
    for person in people:
        for tab in TABS:
            counts[tab] += in_tab(person, tab, open_)
    return counts


def matches(person: Registration, words: str, partner_type: str = "", *, address: bool = True) -> bool:
    """Whether every word is found in the name, address, organisation or id of a person of this partner type, if any.

    Without `address`, of the address only the domain is looked at.
    """
    if partner_type and person.partner_type != partner_type:
        return False
    email = person.email if address else person.email.rpartition("@")[2]
    text = folded(f"{person.name} {email} {person.organisation} {person.id}")
    return all(word in text for word in folded(words).split())
