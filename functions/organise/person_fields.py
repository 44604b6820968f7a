"""What organisers can enter of a person, from a form or JSON, and whether it fits the event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from shared.errors import InvalidError
from shared.http import Fields, invalid
from shared.i18n import Told, told, told_together
from shared.models import Event, Model, Registration, checked_address
from shared.text import NOT_AN_ADDRESS, clean_line, clean_text

Line = Annotated[str, AfterValidator(clean_line), StringConstraints(max_length=120)]

Name = Annotated[Line, StringConstraints(min_length=1)]

MaybeAddress = Annotated[str, AfterValidator(lambda typed: checked_address(typed) if typed else "")]
"""A mail address, or "" for a person who has none."""

Ids = Annotated[list[Annotated[str, StringConstraints(max_length=60)]], Field(max_length=200)]

Mapped = Annotated[dict[str, Annotated[str, StringConstraints(max_length=60)]], Field(max_length=8)]

Answers = dict[
    Annotated[str, StringConstraints(max_length=60)],
    Annotated[str, AfterValidator(partial(clean_text, lines=True)), StringConstraints(max_length=1000)] | bool,
]

WORDS = {
    "literal_error": told("Write en, nl or fr"),
    "missing": told("Fill this in"),
    "extra_forbidden": told("There is no such field"),
    "string_too_short": told("Fill this in"),
    "too_short": told("Fill this in"),
    "too_long": told("This is too long"),
    "string_too_long": told("This is too long"),
    "mail_address": NOT_AN_ADDRESS,
}

_Read = TypeVar("_Read", "NewPerson", "Correction")


class NewPerson(Model):
    """A person whom an organiser adds; the ranking may be partial or absent, and so may the address."""

    name: Name
    email: MaybeAddress = ""
    organisation: Line = ""
    partner_type: str
    choices: Ids = Field(default_factory=list)
    answers: Answers = Field(default_factory=dict)
    language: Literal["", "en", "nl", "fr"] = ""
    absent: Ids = Field(default_factory=list)
    pinned: Mapped = Field(default_factory=dict)
    excluded: Ids = Field(default_factory=list)


class Correction(Model):
    """What an organiser changes of a person; what is left out stays. `revision` guards against lost updates."""

    name: Name | None = None
    email: MaybeAddress | None = None
    organisation: Line | None = None
    partner_type: str | None = None
    choices: Ids | None = None
    answers: Answers | None = None
    language: Literal["en", "nl", "fr"] | None = None
    absent: Ids | None = None
    pinned: Mapped | None = None
    excluded: Ids | None = None
    withdrawn: Literal[True] | None = None
    checked_in: bool | None = None
    revision: Annotated[int, Field(ge=1, strict=True)] | None = None


CORRECTED = (
    *("name", "email", "organisation", "partner_type", "choices", "answers", "language"),
    *("absent", "pinned", "excluded"),
)


def read_new_person(event: Event, fields: Fields) -> NewPerson:
    """A new person from a form or JSON. Raises InvalidError with every fault."""
    return _read(NewPerson, event, fields)


def read_correction(event: Event, fields: Fields) -> Correction:
    """A correction from a form or JSON. Raises InvalidError with every fault."""
    wanted = _read(Correction, event, fields)
    if wanted.withdrawn and wanted.model_fields_set - {"withdrawn", "revision"}:
        raise InvalidError(
            told("Withdraw a person, or change them, one at a time."), {"withdrawn": told("Send this alone")}
        )
    return wanted


def _read(model: type[_Read], event: Event, fields: Fields) -> _Read:
    try:
        found = model.model_validate(fields)
    except ValidationError as error:
        refused = invalid(error, WORDS)
        unreadable = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
        rest = {key: fields[key] for key in _OF_THE_EVENT if key in fields and key not in unreadable}
        raise InvalidError(
            refused.message, {**refused.fields, **faults_of(event, Correction.model_validate(rest))}
        ) from None
    faults = faults_of(event, found)
    if faults:
        raise InvalidError(told("Some fields need another look."), faults)
    return found


_OF_THE_EVENT = ("partner_type", "choices", "answers", "absent", "pinned", "excluded")
"""Fields of a person that must fit the event."""


def from_form(event: Event, fields: Fields) -> Fields:
    """A browser's form as the fields of a person: a select for each choice and round, a box for each absence."""
    plain = ("name", "email", "organisation", "partner_type")
    person: Fields = {key: fields[key] for key in plain if key in fields}
    choices = [fields.get(f"choice_{rank + 1}", "") for rank in range(len(event.themes))]
    while choices and not choices[-1]:
        choices.pop()
    absent = fields.get("absent", [])
    person["choices"] = choices
    person["absent"] = [absent] if isinstance(absent, str) else absent
    excluded = fields.get("excluded", [])
    person["excluded"] = [excluded] if isinstance(excluded, str) else excluded
    person["pinned"] = {slot.id: theme for slot in event.rounds if (theme := fields.get(f"pinned_{slot.id}", ""))}
    person["answers"] = {
        question.id: fields.get(f"answer_{question.id}", "") == "yes" if question.kind == "consent" else text
        for question in event.questions
        if (text := fields.get(f"answer_{question.id}", "")) or question.kind == "consent"
    }
    revision = fields.get("revision", "")
    if isinstance(revision, str) and revision.isascii() and revision.isdigit() and len(revision) <= 9:
        person["revision"] = int(revision)
    return person


def as_typed(person: Registration) -> Fields:
    """A person as the fields of the browser's form."""
    typed: Fields = {key: getattr(person, key) for key in ("name", "email", "organisation", "partner_type")}
    typed |= {f"choice_{rank}": theme for rank, theme in enumerate(person.choices, start=1)}
    typed |= {f"pinned_{slot}": theme for slot, theme in person.pinned.items()}
    typed |= {
        f"answer_{key}": ("yes" if value else "") if isinstance(value, bool) else value
        for key, value in person.answers.items()
    }
    return typed | {
        "absent": list(person.absent),
        "excluded": list(person.excluded),
        "revision": str(person.revision),
    }


def round_hours(event: Event) -> dict[str, str]:
    """The hours of each round, by its id."""
    return {slot.id: slot.hours for slot in event.rounds}


def _named(titles: Mapping[str, str]) -> Told:
    """Each title with its code, which a file and a program write."""
    return told_together(
        (
            told("%(title)s (%(code)s)", title=title, code=code) if code != title else title
            for code, title in titles.items()
        ),
        ", ",
    )


def _unknown(typed: Iterable[str], known: Collection[str]) -> str:
    return ", ".join(f"“{one}”" for one in dict.fromkeys(typed) if one not in known)


def faults_of(event: Event, person: NewPerson | Correction) -> dict[str, str]:
    """What of a person does not fit the event, by field."""
    faults: dict[str, str] = {}
    themes: dict[str, str] = {theme.id: theme.title for theme in event.themes}
    types: dict[str, str] = {known.id: known.title for known in event.partner_types}
    if person.partner_type == "":
        faults["partner_type"] = WORDS["missing"]
    elif person.partner_type is not None and person.partner_type not in types:
        faults["partner_type"] = told(
            "%(typed)s is none of: %(choices)s",
            typed=_unknown([person.partner_type], types),
            choices=_named(types),
        )
    choices = person.choices or []
    if unknown := _unknown(choices, themes):
        faults["choices"] = told(
            "%(typed)s is no theme of this event: %(choices)s", typed=unknown, choices=_named(themes)
        )
    elif len(set(choices)) != len(choices):
        faults["choices"] = told("Rank each theme once")
    if unknown := _unknown(person.absent or [], round_hours(event)):
        faults["absent"] = told(
            "%(typed)s is no round of this event: %(choices)s", typed=unknown, choices=_named(round_hours(event))
        )
    if unknown := _unknown(person.excluded or [], themes):
        faults["excluded"] = told(
            "%(typed)s is no theme of this event: %(choices)s", typed=unknown, choices=_named(themes)
        )
    questions = {question.id: question for question in event.questions}
    for key, value in (person.answers or {}).items():
        question = questions.get(key)
        if question is None:
            faults["answers"] = told("There is no such question")
        elif (question.kind == "consent") != isinstance(value, bool) or (
            isinstance(value, str) and question.kind == "choice" and value not in ("", *question.options)
        ):
            faults["answers"] = told("The answer to “%(question)s” does not fit", question=question.label)
    faults |= pin_faults(event, person.pinned or {}, person.absent or [], person.excluded or [], person.partner_type)
    return faults


def pin_faults(
    event: Event,
    pinned: Mapping[str, str],
    absent: Sequence[str],
    excluded: Sequence[str],
    partner_type: str | None,
) -> dict[str, str]:
    """Pins that cannot hold for one person, of whom the partner type may not be known."""
    themes = {theme.id for theme in event.themes}
    rounds = round_hours(event)
    for slot, theme in pinned.items():
        if slot not in rounds or theme not in themes:
            return {"pinned": told("Pin to a theme and a round of this event")}
        if not event.seats(theme, slot):
            return {
                "pinned": told(
                    "%(theme)s is not offered in round %(round)s", theme=event.theme(theme).title, round=rounds[slot]
                )
            }
        if slot in absent:
            return {
                "pinned": told(
                    "They are absent from round %(round)s; take the pin or the absence away", round=rounds[slot]
                )
            }
        if theme in excluded:
            return {
                "pinned": told(
                    "%(theme)s is ruled out for them; take the pin or the exclusion away",
                    theme=event.theme(theme).title,
                )
            }
        if partner_type is not None and not event.theme(theme).is_open_to(partner_type):
            return {
                "pinned": told(
                    "%(theme)s is not open to %(kind)s",
                    theme=event.theme(theme).title,
                    kind=event.partner_type_title(partner_type),
                )
            }
    if len(set(pinned.values())) != len(pinned):
        return {"pinned": told("Nobody joins a theme twice; pin to a different one in each round")}
    return {}


def differing(before: Registration, wanted: Correction) -> dict[str, Any]:
    """The corrected fields that differ from what is stored.

    A box left empty equals a question that was not answered, so that saving an unchanged form corrects nothing.
    """
    asked = {key: getattr(wanted, key) for key in CORRECTED if getattr(wanted, key) is not None}
    changed = {key: value for key, value in asked.items() if value != getattr(before, key)}
    if _given(changed.get("answers", {})) == _given(before.answers):
        changed.pop("answers", None)
    return changed


def _given(answers: Mapping[str, str | bool]) -> dict[str, str | bool]:
    return {question: answer for question, answer in answers.items() if answer}
