"""Where an event file begins: the commented example, a plain draft from a few answers, the copy of an earlier event."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from shared.i18n import told
from shared.models import MOST_ROUNDS, Event

Data = dict[str, Any]
"""An event as its file has it: keys and values, not checked yet."""

EXAMPLE = """\
# An event file. Replace what stands here by your day; lines that begin with # are explanations.
# Every key is explained in docs/event-file.md; a mistake is named by its place in the file.
id: spring-day                      # stands in addresses, and cannot change later
draft: true                         # only organisers see it until this line is taken out
title: Spring day
summary: A day with two rounds of workshops.
language: en                        # en, nl or fr; any text can be given in each: {{en: Water, nl: Water, fr: Eau}}
timezone: Europe/Brussels           # every time of this file is meant in this zone
date: {day}
contact: spring@example.org         # a mailbox that is read: replies to mails go there

venue:
  name: Town hall
  address: Market square 1, Brussels

organisers:
  - name: The working group

themes:                             # what people rank; each is one workshop in each round
  - id: water
    title: Water
    description: How we keep more of it.
    capacity: 20                    # seats in each round
    rooms: Room 1
  - {{id: soil, title: Soil, capacity: 20, rooms: Room 2}}
  - {{id: trees, title: Trees, capacity: 20, rooms: Room 3}}

rounds:
  - {{id: first, start: "13:00", end: "14:15"}}
  - {{id: second, start: "14:30", end: "15:45"}}

partner_types:                      # each workshop gets a mix of these; with one of them, nobody is asked
  - {{id: public, title: Public sector}}
  - {{id: private, title: Private sector}}

registration:
  opens: {opens} 09:00
  closes: {closes} 18:00
  # capacity: 60                    # left out: the seats of the round that has the fewest

allocation:
  at: {closes} 18:30                # when everybody is given workshops
  publish: after_review             # or automatic: programmes are mailed at once

organiser_emails: [spring@example.org]   # who may do everything here
# door_emails: [door@example.org]        # who may check people in
# reminder_days: [7, 1]                  # a reminder by mail, so many days before

# questions:
#   - {{id: diet, kind: text, label: Diet or allergies, purpose: For the caterer only., sensitive: true}}
"""

BREAK = timedelta(minutes=15)
LENGTH = timedelta(minutes=60)
CLOSES = time(18, 0)
ALLOCATED = time(18, 30)


def example(today: date) -> str:
    """The commented example, a valid event file whose day lies two months ahead."""
    day = today + timedelta(days=60)
    return EXAMPLE.format(day=day, opens=today, closes=day - timedelta(days=14))


def slug(text: str, taken: Collection[str] = (), *, otherwise: str = "event") -> str:
    """An id made of a title, different from those that are taken."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or otherwise
    number = 2
    found = stem
    while found in taken:
        found, number = f"{stem}-{number}", number + 1
    return found


def workshop_title(number: int, language: str) -> str:
    """What a workshop is called before it has a name."""
    return told("Workshop %(number)s", number=number).in_language(language)


def everyone(language: str) -> str:
    """What the one kind of people of an event is called that does not mix any."""
    return told("Everyone").in_language(language)


def plain_draft(
    *,
    title: str,
    organiser: str,
    day: str,
    venue: Mapping[str, str],
    rounds: int,
    workshops: int,
    seats: int,
    actor: str,
    now: datetime,
    language: str = "en",
) -> Data:
    """A draft in a language from a few answers, with a plausible value for everything else.

    Rounds follow each other from 13:00, an hour each, or from 09:30 when the afternoon is too short for them.
    Registration closes two weeks before the day, or half-way to it when that is sooner.
    """
    at = datetime.combine(now.date(), time(13, 0) if rounds <= 3 else time(9, 30))
    slots = []
    for number in range(1, min(max(rounds, 1), MOST_ROUNDS) + 1):
        slots.append({"id": f"r{number}", "start": f"{at:%H:%M}", "end": f"{at + LENGTH:%H:%M}"})
        at += LENGTH + BREAK
    return {
        "id": "",
        "draft": True,
        "title": title,
        "summary": title,
        "language": language,
        "timezone": "Europe/Brussels",
        "date": day,
        "venue": dict(venue),
        "organisers": [{"name": organiser}],
        "contact": actor,
        "themes": [
            {"id": f"w{number}", "title": workshop_title(number, language), "capacity": seats}
            for number in range(1, workshops + 1)
        ],
        "rounds": slots,
        "partner_types": [{"id": "everyone", "title": everyone(language)}],
        **_dates(day, now),
        "organiser_emails": [actor],
    }


def _dates(day: str, now: datetime) -> Data:
    try:
        the_day = date.fromisoformat(day)
    except ValueError:
        the_day = now.date()
    ahead = max((the_day - now.date()).days, 2)
    closes = the_day - timedelta(days=14 if ahead > 15 else max(ahead // 2, 1))
    return {
        "registration": {
            "opens": f"{min(now.date(), closes - timedelta(days=1))}T{now:%H}:00",
            "closes": f"{closes}T{CLOSES:%H:%M}",
        },
        "allocation": {"at": f"{closes}T{ALLOCATED:%H:%M}", "publish": "after_review"},
    }


def _of_year(title: Any, before: int, after: int) -> Any:
    """A title, in one language or several, with the year of another day."""
    if isinstance(title, Mapping):
        return {language: _of_year(words, before, after) for language, words in title.items()}
    return re.sub(rf"(?<!\d){before}(?!\d)", str(after), str(title))


def shifted_copy(earlier: Event, data: Mapping[str, Any], *, title: str, day: date) -> Data:
    """A draft like an earlier event, with every date moved by as many days as the day itself.

    The seed is left out, so that lots are drawn anew.
    """
    moved = day - earlier.date

    def shifted(moment: datetime) -> str:
        return f"{moment + moved:%Y-%m-%dT%H:%M}"

    rules, allocation, feedback = earlier.registration, earlier.allocation, earlier.feedback
    asked = {"feedback": {**data["feedback"], "send": shifted(feedback.send)}} if feedback and feedback.send else {}
    return {
        **data,
        **asked,
        "id": "",
        "draft": True,
        "title": title or _of_year(data["title"], earlier.date.year, day.year),
        "date": day.isoformat(),
        "registration": {
            **data["registration"],
            "opens": shifted(rules.opens),
            "closes": shifted(rules.closes),
            **({"changes_until": shifted(rules.changes_until)} if rules.changes_until else {}),
        },
        "allocation": {
            **{key: value for key, value in data["allocation"].items() if key != "seed"},
            "at": shifted(allocation.at),
        },
    }
