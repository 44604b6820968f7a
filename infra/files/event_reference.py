"""docs/event-file.md: every key of the event file, made from the models so that none is missing.

`python -m infra.files.event_reference` writes the page. A key that the models have and `KEYS` does not explain is an
error, and the other way round.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.models import Event

PAGE = Path(__file__).resolve().parents[2] / "docs" / "event-file.md"

KEYS: dict[str, tuple[str, str]] = {
    "id": ("Identifies the event in addresses and commands. It can not change later.", "nature-day"),
    "draft": (
        "A draft is seen by its organisers only: no page, no registration, nothing happens by itself. Opening the "
        "event takes it out; an open event cannot become a draft again.",
        "true",
    ),
    "title": ("The name of the day, on every page and in every mail.", "Nature connectivity in Belgium"),
    "summary": ("Two or three sentences on top of the event page.", "A day on nature connectivity."),
    "language": ("The event's own language, in which a text stands that has no other: `en`, `nl` or `fr`.", "nl"),
    "languages": (
        "Languages that pages and mails are offered in. Left out: those that the texts of the file have.",
        "[nl, fr, en]",
    ),
    "timezone": ("Zone in which every time of the file is meant.", "Europe/Brussels"),
    "date": ("The day itself.", "2026-04-16"),
    "venue": ("Where the day takes place.", ""),
    "venue.name": ("Name of the building.", "Hendrik Conscience building"),
    "venue.address": ("Street, number, town.", "Koning Albert II-laan 15, 1210 Brussels"),
    "venue.directions": ("How to get there.", "A short walk from Brussels-North station."),
    "venue.map": (
        "Address of a map. Left out, the page links to a search for the address.",
        "https://osm.org/go/0EoSvJQ",
    ),
    "organisers": ("The organising partners, shown on the event page.", ""),
    "organisers[].name": ("Name of the partner.", "Life B4B"),
    "organisers[].about": ("One sentence on the partner.", "Surveys nature connectivity."),
    "organisers[].url": ("The partner's site.", "https://example.org"),
    "contact": ("A mailbox that a person reads: replies to mails go there.", "day@example.org"),
    "held_in": ("Language of the day itself, in words.", "English, with questions in any language"),
    "labels": ("What the event calls things, in place of the words of Parcours.", ""),
    "labels.partner_type": ("What partner types are called in the form.", "Class"),
    "labels.organisation": ("What the organisation of a person is called.", "School"),
    "labels.partners": ("Who is mixed in each workshop, as in “a mix of partners”.", "classes"),
    "mail_texts": ("Sentences of yours in mails, below what Parcours says by itself; each may have several lines.", ""),
    "mail_texts.confirmation": ("In the confirmation of a place.", "Bring a photo of your region."),
    "mail_texts.programme": ("In a programme, the first and a changed one.", "Lunch is at noon in the hall."),
    "mail_texts.reminder": ("In a reminder.", "The entrance is at the back."),
    "price": ("What taking part costs, in words.", "Free, but registration is required"),
    "agenda": ("The lines of the day. Left out, the day is built from the rounds.", ""),
    "agenda[].start": ("When the line starts.", '"09:30"'),
    "agenda[].end": ("When it ends.", '"10:00"'),
    "agenda[].title": ("What happens. A line that is a round may have none.", "Welcome"),
    "agenda[].speaker": ("Who speaks.", "Toon Denys"),
    "agenda[].round": (
        "The id of the round that this line is; the line then has the hours of the round, and shows each person's own "
        "workshop.",
        "first",
    ),
    "themes": ("The subjects that attendees rank. Each theme is offered as one workshop in each round.", ""),
    "themes[].id": ("Identifies the theme in rankings, files and exports.", "governance"),
    "themes[].title": ("Name of the theme.", "Governance"),
    "themes[].description": ("What the workshop is about, shown beside the ranking.", "Who takes on which task?"),
    "themes[].capacity": ("Seats of the workshop in each round. `capacities` may replace it by round.", "40"),
    "themes[].minimum": (
        "The fewest people with whom the workshop takes place: a number for every round, or one for each round named.",
        "{first: 8, second: 4}",
    ),
    "themes[].rounds": (
        "The rounds in which the theme is offered, for a workshop that runs once; left out, it is all of them.",
        "[first]",
    ),
    "themes[].for": (
        "The partner types that the theme is open to; left out, it is all of them. Other people neither rank it nor "
        "join it, and the mix of its workshops expects nobody of theirs.",
        "[government, ngo]",
    ),
    "themes[].leaders": (
        "People who lead the theme's workshops. They take no seat. After the publication they are mailed a link to the "
        "people expected there, and can write to them.",
        "",
    ),
    "themes[].leaders[].name": ("Name of the leader, which stands below what they write.", "Lea Peeters"),
    "themes[].leaders[].email": ("Where the link goes.", "lea@example.org"),
    "themes[].leaders[].rounds": ("The rounds that they lead; left out, it is all of them.", "[first]"),
    "themes[].rooms": (
        "One room for all rounds, a list with a room a round, or a room by round id.",
        "{first: Room 1}",
    ),
    "rounds": ("The time slots of workshops. Every attendee joins one workshop in each, all of different themes.", ""),
    "rounds[].id": ("Identifies the round in files and exports.", "first"),
    "rounds[].start": ("When the round starts.", '"13:00"'),
    "rounds[].end": ("When it ends.", '"14:15"'),
    "capacities": (
        "Seats by theme and round, in place of `themes[].capacity`; 0 means that the workshop is not offered in that "
        "round.",
        "{governance: {first: 0, second: 60}}",
    ),
    "partner_types": ("The kinds of people whose mix each workshop should mirror.", ""),
    "partner_types[].id": ("Identifies the partner type in files and exports.", "research"),
    "partner_types[].title": ("What the form calls it.", "Research or education"),
    "registration": ("When people may register, and how many.", ""),
    "registration.opens": ("From when on.", "2026-03-01 09:00"),
    "registration.closes": ("Until when people may register and change.", "2026-04-01 18:00"),
    "registration.capacity": ("Places in all. Further people wait and get a place when one is free.", "160"),
    "registration.changes_until": (
        "Until when rankings may change after registration closed. Left out, only names and answers may.",
        "2026-04-14 12:00",
    ),
    "registration.organisation": (
        "`optional`: people may name their organisation. `not_asked`: the form has no such field.",
        "not_asked",
    ),
    "registration.groups": (
        "Whether one person may register several at once, such as a school class. Each gets a registration of their "
        "own; the person who registers them gets the mails, with every programme in one.",
        "true",
    ),
    "registration.per_source_hour": (
        "Forms that one network address may send in an hour; a group counts as many as it has people. A school or an "
        "office sits behind one address: raise it when people register together. Left out, the number of the "
        "deployment counts, 300 unless it was changed.",
        "600",
    ),
    "registration.confirm_after_hours": (
        "Age in hours from which the holder of a place is asked to confirm the address, once nine of ten places are "
        "taken or people wait.",
        "24",
    ),
    "registration.confirm_within_hours": (
        "Hours that such a person has to confirm the address. Then the place goes to a person who waits, if there is "
        "one.",
        "48",
    ),
    "ranking": ("How many themes people rank. Left out, it is all that are open to them.", ""),
    "ranking.least": ("The fewest. Left out, it is as many as `most`.", "1"),
    "ranking.most": ("The most; themes that are not chosen count as equal, behind those that are.", "3"),
    "allocation": ("When and how everyone is given workshops.", ""),
    "allocation.at": ("When the allocator runs by itself; not before registration closes.", "2026-04-01 18:30"),
    "allocation.rank_costs": (
        "Cost of getting the 1st, 2nd, … choice, one number a theme, never falling. The default, (rank − 1)², spreads "
        "bad outcomes.",
        "[0, 1, 4, 9]",
    ),
    "allocation.balance": ("The mix of partner types in each workshop.", ""),
    "allocation.balance.weight": ("Cost of each person too many or too few of a type; 0 ignores the mix.", "2"),
    "allocation.balance.tolerance": (
        "How far a workshop may be from its fair share of a type at no cost, as a fraction.",
        "0.25",
    ),
    "allocation.change_cost": (
        "Cost of each changed workshop in a run that keeps what is published. Left out, the fewest workshops change.",
        "5",
    ),
    "allocation.seed": ("Text from which the lots are drawn. Left out, a secret one is made.", "spring-2026"),
    "allocation.publish": (
        "`automatic`: publish and mail at once. `after_review`: an organiser reads the draft and publishes.",
        "after_review",
    ),
    "allocation.most_gap": (
        "Largest gap to the proven bound, as a fraction of it, with which an allocation is published by itself. Above "
        "it, or without a proof, an organiser is asked by mail.",
        "0.1",
    ),
    "organiser_emails": ("Addresses that may sign in as organisers.", "[organiser@example.org]"),
    "door_emails": (
        "Addresses that may sign in at the door: lists and check-in, no mail addresses.",
        "[door@example.org]",
    ),
    "reminder_days": ("How many days before the day a reminder goes out, at 09:00; a number or a list.", "[7, 1]"),
    "feedback": (
        "Asks people after the day what they thought of it, on a form of your own; left out: nobody is asked.",
        "",
    ),
    "feedback.url": (
        "Address of the form. It is mailed once to the people who were checked in, or, if there are none, to everybody "
        "who is registered.",
        "https://example.org/form",
    ),
    "feedback.send": ("When the mail goes out. Left out: at 18:00, once the day is over.", "2026-04-17 10:00"),
    "retention_days": ("Days after which all personal data of the event is deleted by itself.", "90"),
    "questions": ("Extra questions of the form. Organisers alone see the answers.", ""),
    "questions[].id": ("Identifies the question in exports.", "diet"),
    "questions[].kind": ("`text`, `choice` (one of `options`) or `consent` (a box to tick).", "text"),
    "questions[].label": ("The question itself.", "Diet or allergies"),
    "questions[].purpose": ("What the answer is for, shown beside it.", "For the caterer only."),
    "questions[].options": ("The answers to choose from.", "[Train, Bicycle, Car]"),
    "questions[].required": ("Whether it must be answered.", "false"),
    "questions[].sensitive": ("Whether the answer is deleted a week after the day, before everything else.", "true"),
}
"""Meaning and example of every key, by its path."""

HEAD = """# The event file

<!-- Made by `python -m infra.files.event_reference`; change it there. -->

One YAML file describes a day. `parcours event check FILE` names every mistake by its path, all of them at once.
A complete file is [infra/events/nature-connectivity.yaml](../infra/events/nature-connectivity.yaml), the sample event.

- Times are local to `timezone` and written as `"09:00"`, moments as `2026-04-01 18:00`, dates as `2026-04-16`.
- Every text can be given once, or once in each language: `title: {en: Water, nl: Water, fr: Eau}`. Pages and mails
  are offered in exactly the languages that the event has.
- A list can be written in one line (`[a, b]`), and so can a group of keys (`{first: Room 1, second: Room 2}`).
- A key that is not listed here is a mistake, so that a misspelled one never passes silently.

The shortest file that works has the required keys:

```yaml
id: spring-day
title: Spring day
summary: A day with two rounds of workshops.
timezone: Europe/Brussels
date: 2026-04-16
venue: {name: Town hall, address: Market square 1}
organisers: [{name: The working group}]
contact: spring@example.org
themes:
  - {id: water, title: Water, capacity: 20}
  - {id: soil, title: Soil, capacity: 20}
  - {id: trees, title: Trees, capacity: 20}
rounds:
  - {id: first, start: "13:00", end: "14:15"}
  - {id: second, start: "14:30", end: "15:45"}
partner_types: [{id: public, title: Government}, {id: ngo, title: Association}]
registration: {opens: 2026-03-01 09:00, closes: 2026-04-01 18:00}
allocation: {at: 2026-04-01 18:30}
organiser_emails: [organiser@example.org]
```
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the event file: its path, its field in the models, and whether it holds further keys."""

    path: str
    field: FieldInfo
    group: bool


def keys(model: type[BaseModel] = Event, prefix: str = "") -> Iterator[Key]:
    """Yield every key in the order of the models; `[]` stands for each entry of a list."""
    for name, field in model.model_fields.items():
        inner, listed = _model_in(field.annotation)
        path = prefix + (field.alias or name)
        yield Key(path, field, inner is not None)
        if inner is not None:
            yield from keys(inner, path + ("[]." if listed else "."))


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, and whether it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _model_in(arguments[0])
    if origin is list:
        return _model_in(arguments[0])[0], True
    if origin in {Union, types.UnionType}:
        for argument in arguments:
            if (found := _model_in(argument))[0] is not None:
                return found
    return None, False


def page() -> str:
    """The text of docs/event-file.md. Raises KeyError for a key of the models that `KEYS` does not explain."""
    lines = [HEAD]
    everything = list(keys())
    for heading, rows in _sections(everything):
        lines.append(f"\n## {heading}\n")
        lines.append("| key | meaning | default | example |\n|---|---|---|---|")
        for key in rows:
            meaning, example = KEYS[key.path]
            lines.append(f"| `{key.path}` | {_cell(meaning)} | {_default(key)} | {_code(example)} |")
    return "\n".join(lines) + "\n"


def _sections(everything: list[Key]) -> Iterator[tuple[str, list[Key]]]:
    """The keys without keys of their own first, then a section for each group."""
    yield "The day", [key for key in everything if "." not in key.path]
    for group in [key.path for key in everything if key.group and "." not in key.path]:
        inside = [key for key in everything if key.path.startswith((f"{group}.", f"{group}[]."))]
        yield f"`{group}`", inside


def _default(key: Key) -> str:
    field = key.field
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel) or default is None or default is PydanticUndefined:
        return "see below" if key.group else "none"
    if default in ("", [], {}):
        return "none"
    return _code(str(default).lower() if isinstance(default, bool) else str(default))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(KEYS)} keys")
