"""Downloads: lists as CSV and XLSX without formulas, and the files that the command line `parcours` reads."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from functions.organise import audit_list, door
from functions.organise.drafts import workshops
from shared.allocations import allocation_document
from shared.attendees import attendees
from shared.errors import NotFoundError, TooLargeError
from shared.events import audit_lines, read_text
from shared.i18n import in_language, told
from shared.models import Event, Programme, Registration, RegistrationState, Round, Run
from shared.models import moment as moment_of
from shared.people_csv import answer_cell, csv_text, people_csv, without_controls
from shared.reasons import Teller
from shared.registrations import in_family_order, registrations_of
from shared.runs import programmes_of, read_run
from shared.state import read_state
from shared.table import Table
from shared.text import family_name

LARGEST = 4 * 1024 * 1024
"""Bytes of one answer: a Lambda answer holds 6 MB at most, and base64 makes a file a third longer."""


NARROWEST, WIDEST = 8, 50
"""Characters that a column of an XLSX is wide."""

A4 = 9
"""Number of this paper in an XLSX."""


CONSENTS = {"yes": told("yes"), "no": told("no")}

LISTS_IN_WORDS = {"leaders": told("leaders"), "catering": told("catering"), "badges": told("badges")}
"""Lists that people read, and what they are called; the headings of the others are names that an import and other
programs know."""


CODED = frozenset({"people", "programmes", "workshops"})
"""Lists with codes of the event file; as XLSX they have a second sheet that says what each code stands for."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A list with a heading for each column.

    Columns whose headings are in `numbers` and `moments` hold numbers, and moments as they are stored.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Collection[str] = ()
    moments: Collection[str] = ("checked_in_at", "created_at", "updated_at", "at")


def sheet(table: Table, event: Event, name: str, language: str) -> Sheet:
    """One of the lists by its name, with its titles, or all that people read, in a language. Raises NotFoundError."""
    makers: dict[str, Callable[[Table, Event], Sheet]] = {
        **{"people": people, "programmes": partial(programmes, language=language), "workshops": filled},
        **{"audit": audit_sheet, "leaders": leaders, "catering": catering, "badges": badges},
    }
    event = event.in_language(language)
    if name not in makers:
        raise NotFoundError(told("There is no such list. There are: %(lists)s.", lists=", ".join(makers)))
    if name not in LISTS_IN_WORDS:
        return makers[name](table, event)
    found = makers[name](table, event)

    def say(words: str) -> str:
        return str(in_language(words, language))

    rows = [[say(cell) for cell in row] for row in found.rows]
    return Sheet(
        say(LISTS_IN_WORDS[name]),
        [say(title) for title in found.header],
        rows,
        numbers=[say(one) for one in found.numbers],
    )


def people(table: Table, event: Event) -> Sheet:
    """Everyone, with answers and the published programme."""
    shown = _published(table, event)
    everybody = list(registrations_of(table, event.id))
    ranks = max([len(event.themes), *(len(person.choices) for person in everybody)])
    header = [
        *("id", "state", "name", "email", "organisation", "partner_type", "language"),
        *(f"choice_{rank + 1}" for rank in range(ranks)),
        *("absent", "pinned", "excluded", "group"),
        *(f"round_{slot.id}" for slot in event.rounds),
        *(f"answer_{question.id}" for question in event.questions),
        *("source", "bounced", "checked_in_at", "created_at", "updated_at"),
        *(f"present_{slot.id}" for slot in event.rounds),
        *("partner_type_title", *(f"title_{slot.id}" for slot in event.rounds)),
    ]
    rows = [
        [
            *(person.id, person.state.value, person.name, person.email, person.organisation, person.partner_type),
            person.language,
            *person.choices,
            *[""] * (ranks - len(person.choices)),
            *(" ".join(person.absent), _pins(person), " ".join(person.excluded), person.delegate),
            *_by_round(event, programme),
            *(answer_cell(person.answers.get(question.id, "")) for question in event.questions),
            *(person.source, answer_cell(person.bounced), person.checked_in_at, person.created_at, person.updated_at),
            *(person.attended.get(slot.id, "") for slot in event.rounds),
            event.partner_type_title(person.partner_type),
            *_titles(event, programme),
        ]
        for person in sorted(everybody, key=in_family_order)
        for programme in (shown.get(person.id) if person.state is not RegistrationState.NO_SHOW else None,)
    ]
    return Sheet("people", header, rows)


def programmes(table: Table, event: Event, language: str = "en") -> Sheet:
    """Every person's published programme and, in a language, its reason."""
    shown = _published(table, event)
    tell = Teller(event, language, third_person=True)
    header = ["id", *(f"round_{slot.id}" for slot in event.rounds), "name", "email", "organisation", "reason"]
    header += [f"title_{slot.id}" for slot in event.rounds]
    rows = [
        [
            *(person.id, *_by_round(event, shown[person.id])),
            *(person.name, person.email, person.organisation, tell(shown[person.id].reason)),
            *_titles(event, shown[person.id]),
        ]
        for person in sorted(registrations_of(table, event.id), key=in_family_order)
        if person.id in shown and person.state is RegistrationState.CONFIRMED
    ]
    return Sheet("programmes", header, rows)


def filled(table: Table, event: Event) -> Sheet:
    """Seats, heads, people seen there, and heads by partner type of every workshop, as published."""
    run = read_run(table, event.id, read_state(table, event.id).published_run) or _no_run(event)
    known = {person.id: person for person in registrations_of(table, event.id)}
    types = [known.id for known in event.partner_types]
    shown = {
        registration: programme
        for registration, programme in programmes_of(table, event.id, run.number).items()
        if registration in known and known[registration].state is RegistrationState.CONFIRMED
    }
    seen = Counter((slot, theme) for person in known.values() for slot, theme in person.attended.items())
    round_hours = {slot.id: hours(slot) for slot in event.rounds}
    rows = [
        [
            *(fill.theme, fill.round, fill.room, str(fill.seats), str(fill.minimum), str(fill.heads)),
            str(seen[fill.round, fill.theme]),
            *(str(fill.by_type[partner_type]) for partner_type in types),
            *(event.theme(fill.theme).title, round_hours.get(fill.round, "")),
        ]
        for fill in workshops(event, run, known, shown)
    ]
    header = ["theme", "round", "room", "seats", "minimum", "heads", "present", *(f"heads_{known}" for known in types)]
    return Sheet("workshops", [*header, "title", "hours"], rows, numbers=header[3:])


def leaders(table: Table, event: Event) -> Sheet:
    """For who leads a workshop: the people expected in each, by family name, without addresses."""
    rows = [
        [
            *(found.theme.title, hours(found.round), found.room),
            *(guest.person.name, guest.person.organisation, event.partner_type_title(guest.person.partner_type)),
        ]
        for found in door.workshops(event, door.guests(table, event))
        for guest in found.guests
    ]
    header = [told("Workshop"), told("Hours"), told("Room"), told("Name"), *_kinds(event)]
    return Sheet("leaders", header, rows)


def catering(table: Table, event: Event) -> Sheet:
    """For the caterer: how many people come and how often each answer was given, without names."""
    expected = [guest.person for guest in door.guests(table, event)]
    rows = [[told("Everyone"), "", str(len(expected))]]
    for question in event.questions:
        given = Counter(answer_cell(person.answers.get(question.id, "")) for person in expected)
        rows += [
            [
                question.label,
                CONSENTS.get(answer, answer) if question.kind == "consent" else question.shown(answer),
                str(count),
            ]
            for answer, count in given.most_common()
            if answer
        ]
    return Sheet("catering", [told("Question"), told("Answer"), told("People")], rows, numbers=["People"])


def badges(table: Table, event: Event) -> Sheet:
    """For a printer of badges: names, organisations, and the workshop and room of each round."""
    rows = [
        [
            *(*family_name(guest.person.name), guest.person.organisation),
            event.partner_type_title(guest.person.partner_type),
            *(cell for slot in event.rounds for cell in _seat(event, guest.workshops.get(slot.id, ""), slot.id)),
        ]
        for guest in door.guests(table, event)
    ]
    rounds = [title for slot in event.rounds for title in (hours(slot), told("Room %(hours)s", hours=hours(slot)))]
    return Sheet("badges", [told("First name"), told("Family name"), *_kinds(event), *rounds], rows)


def _kinds(event: Event) -> list[str]:
    """What the event calls organisations and kinds of people."""
    return [event.labels.organisation or told("Organisation"), event.labels.partner_type or told("Kind")]


def hours(slot: Round) -> str:
    """The hours of a round."""
    return f"{slot.start:%H:%M}-{slot.end:%H:%M}"


def _seat(event: Event, theme: str, slot: str) -> tuple[str, str]:
    """The title and the room of a workshop; both empty for none."""
    title = next((known.title for known in event.themes if known.id == theme), theme)
    return (title, event.room(theme, slot)) if theme else ("", "")


def audit_sheet(table: Table, event: Event) -> Sheet:
    """The audit list, the newest line first. It names people by id: a name would outlive an erasure."""
    rows = [[str(line.get(key, "")) for key in audit_list.KEYS] for line in audit_lines(table, event.id)]
    return Sheet("audit", audit_list.KEYS, rows)


def _published(table: Table, event: Event) -> dict[str, Programme]:
    return programmes_of(table, event.id, read_state(table, event.id).published_run)


def _no_run(event: Event) -> Run:
    return Run.model_validate({"event": event.id, "number": 0, "state": "failed", "requested_at": "", "updated_at": ""})


def _pins(person: Registration) -> str:
    return " ".join(f"{slot}:{theme}" for slot, theme in sorted(person.pinned.items()))


def _by_round(event: Event, programme: Programme | None) -> list[str]:
    return [programme.workshops.get(slot.id, "") if programme else "" for slot in event.rounds]


def _titles(event: Event, programme: Programme | None) -> list[str]:
    """The titles of a programme's workshops, beside the codes that other programs read."""
    titles = {theme.id: theme.title for theme in event.themes}
    return [titles.get(theme, theme) for theme in _by_round(event, programme)]


def _codes(event: Event) -> list[tuple[str, str]]:
    """Every code that the lists have, and what it stands for."""
    return [
        *((theme.id, theme.title) for theme in event.themes),
        *((slot.id, hours(slot)) for slot in event.rounds),
        *((known.id, known.title) for known in event.partner_types),
        *((f"answer_{question.id}", question.label) for question in event.questions),
    ]


def as_csv(found: Sheet) -> bytes:
    """A list as CSV with a byte order mark, every cell harmless. Raises TooLargeError."""
    return _carried(csv_text(found.header, found.rows).encode("utf-8-sig"))


def as_xlsx(found: Sheet, event: Event) -> bytes:
    """A list as XLSX: numbers, local times, and text that is never a formula. Raises TooLargeError.

    The headings stay in sight and have filters; columns are as wide as what stands in them.
    """
    from xlsxwriter import Workbook  # type: ignore[import-untyped] # 40 ms that no other request need pay

    data = io.BytesIO()
    # In memory, as Lambda's disk is none of our business.
    with Workbook(data, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        page = book.add_worksheet(found.name)
        bold = book.add_format({"bold": True})
        time = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for column, title in enumerate(found.header):
            page.write_string(0, column, title, bold)
            widths = [len(title) + 3, *(len(row[column]) for row in found.rows)]
            page.set_column(column, column, min(WIDEST, max(NARROWEST, *widths)))
        for line, row in enumerate(found.rows, start=1):
            for column, cell in enumerate(row):
                if cell and found.header[column] in found.numbers:
                    page.write_number(line, column, int(cell))
                elif cell and found.header[column] in found.moments:
                    page.write_datetime(line, column, moment_of(cell).astimezone(event.zone).replace(tzinfo=None), time)
                else:
                    page.write_string(line, column, without_controls(cell))
        page.freeze_panes(1, 0)
        page.autofilter(0, 0, len(found.rows), len(found.header) - 1)
        page.set_landscape()
        page.set_paper(A4)
        page.fit_to_pages(1, 0)
        page.repeat_rows(0)
        if found.name in CODED:
            codes = book.add_worksheet("codes")
            codes.set_column(0, 1, WIDEST)
            for line, pair in enumerate([("code", "title"), *_codes(event)]):
                for column, cell in enumerate(pair):
                    codes.write_string(line, column, without_controls(cell))
    return _carried(data.getvalue())


def _carried(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise TooLargeError(
            told("This list is too long for one download. Take the CSV, or ask an operator for the table.")
        )
    return data


# --------------------------------------------------------------------------- what `parcours` reads


def event_yaml(table: Table, event: Event) -> str:
    """The event file, with the comments and the order in which organisers wrote it."""
    from shared.event_text import as_written  # no other request need pay for it

    return as_written(read_text(table, event.id), event)


def ranked_people(event: Event, registrations: Iterable[Registration]) -> bytes:
    """PEOPLE.csv of the contract: everyone with a place, as the allocator knows them, without a name."""
    confirmed = [one for one in registrations if one.state is RegistrationState.CONFIRMED]
    return people_csv([theme.id for theme in event.themes], attendees(event, confirmed)).encode()


def allocation_json(
    event: Event, run: Run, programmes: Mapping[str, Programme], before: Mapping[str, Programme]
) -> bytes:
    """allocation.json of the contract, put together again from a run and its programmes."""
    return json.dumps(allocation_document(event, run, programmes, before), ensure_ascii=False, indent=1).encode()
