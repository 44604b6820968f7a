"""What fields, rows and values of an event are called on its pages."""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.i18n import LANGUAGE_WORDS, Told, told, told_together
from shared.models import Event

CHOICES: dict[str, Told] = {
    "optional": told("may be filled in"),
    "not_asked": told("is not asked"),
    "automatic": told("mail everybody their programme at once"),
    "after_review": told("show me a draft; I publish it"),
    "text": told("a text"),
    "choice": told("one of several answers"),
    "consent": told("a box to tick"),
}
"""Values of the file that are chosen on a page, in the words of the page."""

ROWS: dict[str, Callable[[int], Told]] = {
    "themes": lambda number: told("Workshop %(number)s", number=number),
    "rounds": lambda number: told("Round %(number)s", number=number),
    "agenda": lambda number: told("Line %(number)s", number=number),
    "organisers": lambda number: told("Organiser %(number)s", number=number),
    "partner_types": lambda number: told("Kind %(number)s", number=number),
    "questions": lambda number: told("Question %(number)s", number=number),
}
"""What a row of a list is called on its page."""

KEYS: dict[str, Told] = LANGUAGE_WORDS | {
    "about": told("about"),
    "address": told("address"),
    "agenda": told("agenda"),
    "allocation": told("allocation"),
    "at": told("moment"),
    "balance": told("balance"),
    "capacity": told("capacity"),
    "closes": told("closes"),
    "change_cost": told("change cost"),
    "contact": told("contact"),
    "date": told("date"),
    "day": told("day"),
    "description": told("description"),
    "directions": told("directions"),
    "door_emails": told("door emails"),
    "end": told("end"),
    "for": told("open to"),
    "held_in": told("held in"),
    "kind": told("kind"),
    "label": told("label"),
    "labels": told("labels"),
    "language": told("language"),
    "languages": told("languages"),
    "least": told("least"),
    "map": told("map"),
    "minimum": told("minimum"),
    "most": told("most"),
    "name": told("name"),
    "opens": told("opens"),
    "options": told("options"),
    "organisation": told("organisation"),
    "organiser_emails": told("organiser emails"),
    "organisers": told("organisers"),
    "partners": told("mixed"),
    "partner_type": told("kind of people"),
    "partner_types": told("kinds of people"),
    "per_source_hour": told("an hour from one network"),
    "price": told("price"),
    "publish": told("publish"),
    "purpose": told("purpose"),
    "questions": told("questions"),
    "rank_costs": told("rank costs"),
    "ranking": told("ranking"),
    "registration": told("registration"),
    "reminder_days": told("reminder days"),
    "required": told("required"),
    "retention_days": told("retention days"),
    "room": told("room"),
    "rooms": told("rooms"),
    "round": told("round"),
    "rounds": told("rounds"),
    "seats": told("seats"),
    "sensitive": told("sensitive"),
    "speaker": told("speaker"),
    "start": told("start"),
    "summary": told("summary"),
    "themes": told("workshops"),
    "timezone": told("time zone"),
    "title": told("title"),
    "tolerance": told("tolerance"),
    "url": told("site"),
    "venue": told("venue"),
    "changes_until": told("rankings may change until"),
    "confirm_after_hours": told("asked to confirm after (hours)"),
    "confirm_within_hours": told("confirm within (hours)"),
    "confirmation": told("confirmation"),
    "draft": told("draft"),
    "email": told("email"),
    "feedback": told("feedback"),
    "groups": told("groups"),
    "id": told("id"),
    "leaders": told("leaders"),
    "mail_texts": told("sentences in mails"),
    "most_gap": told("largest gap"),
    "programme": told("programme"),
    "reminder": told("reminder"),
    "seed": told("seed"),
    "send": told("moment of the mail"),
    "weight": told("weight"),
}
"""The keys of the file in words; texts in several languages stand below the code of each."""

LABELS: dict[str, Told] = {
    "title": told("Name of the day"),
    "summary": told("What it is about"),
    "date": told("Date"),
    "contact": told("Contact address"),
    "timezone": told("Time zone"),
    "venue.name": told("Building"),
    "venue.address": told("Address"),
    "venue.map": told("Map link (optional)"),
    "agenda.title": told("What happens"),
    "agenda.round": told("Is a round"),
    "agenda.start": told("Starts"),
    "agenda.end": told("Ends (optional)"),
    "rounds.start": told("Starts"),
    "rounds.end": told("Ends"),
    "registration.opens": told("Opens"),
    "registration.closes": told("Closes"),
    "registration.capacity": told("Places (optional)"),
    "registration.changes_until": told("Rankings may change until (optional)"),
    "registration.per_source_hour": told("Registrations an hour from one network (optional)"),
    "reminder_days": told("Reminder, days before"),
    "retention_days": told("Personal data is deleted, days after"),
    "feedback.url": told("Form to ask people about the day (optional)"),
    "feedback.send": told("When it is mailed (optional)"),
    "allocation.at": told("Workshops are given out"),
    "allocation.balance.weight": told("Weight"),
    "allocation.balance.tolerance": told("Tolerance"),
    "allocation.most_gap": told("Largest gap that is published at once"),
    "allocation.rank_costs": told("Cost of the 1st, 2nd, … choice (optional)"),
    "organiser_emails": told("Organisers"),
    "door_emails": told("Helpers at the door (optional)"),
}
"""What fields are called on the pages, where that is not the word of the file. `agenda.title` is one of any line."""


def field_words(name: str, event: Event) -> str:
    """A field as its page calls it: `themes[2].title` is "Workshop 3, title", `door_emails[0]` is "Helpers …, 1".

    A field of one round, such as `themes[2].seats.first`, names it by its start: "Workshop 3, seats, 13:00".
    """
    plain = re.sub(r"\.(en|nl|fr)$", "", name)
    match = re.match(r"(\w+)\[(\d+)\]\.?", plain)
    if not match:
        return LABELS.get(plain) or told_together([words_of(part) for part in plain.split(".") if part], ", ")
    rows, number, rest = match[1], int(match[2]) + 1, plain[match.end() :]
    if rows not in ROWS:
        return told_together([LABELS.get(rows) or words_of(rows), str(number)], ", ")
    label = LABELS.get(f"{rows}.{rest}")
    starts = {slot.id: f"{slot.start:%H:%M}" for slot in event.rounds}
    key, _, slot = rest.partition(".")
    if not label and slot in starts:
        return told_together([ROWS[rows](number), words_of(key), starts[slot]], ", ")
    parts: list[str] = [label] if label else [words_of(part) for part in rest.split(".") if part]
    return told_together([ROWS[rows](number), *parts], ", ")


def words_of(key: str) -> str:
    """A key of the file in words."""
    return KEYS.get(key) or key.replace("_", " ")
