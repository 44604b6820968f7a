"""What people send, as a form or as JSON: checked against the event, every fault at once, and never lost."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.attendees import WishReader
from shared.errors import InvalidError, ParcoursError
from shared.http import Fields, read_fields, sends_form
from shared.i18n import LANGUAGES, N_
from shared.models import Event, Model, Question, Registration, RegistrationState, utc
from shared.registrations import new_id
from shared.text import NOT_AN_ADDRESS, TextError, clean_address, clean_line, clean_text

LONGEST_LINE = 120
LONGEST_ANSWER = 1000

SUMMARY = N_("Some fields need another look.")
NOT_TEXT = N_("Write this as text.")
NO_SUCH_FIELD = N_("There is no such field.")
NO_SUCH_QUESTION = N_("This event does not ask this.")
NAME_MISSING = N_("Enter your full name.")
LINE_TOO_LONG = N_("Use at most 120 characters.")
EMAIL_MISSING = N_("Enter your email address.")
KIND_MISSING = N_("Choose the kind of organisation you come from.")
RANKING_MISSING = N_("Rank the themes: say which one you would like best, second best and so on.")
RANKING_TWICE = N_("Give every theme its own place: one of them stands in the ranking twice.")
RANKING_GAPS = N_("Rank all the themes: one or more have no place yet.")
RANKING_FEW = N_("Choose more themes: this event asks for more than you chose.")
RANKING_MANY = N_("Choose fewer themes: this event asks for less than you chose.")
RANKING_UNKNOWN = N_("Rank the themes of this event only.")
RANKING_CLOSED = N_("Leave out the themes that are not open to you, and rank all the others.")
ANSWER_MISSING = N_("Answer this question.")
ANSWER_OPTION = N_("Choose one of the answers listed.")
ANSWER_TOO_LONG = N_("Use at most 1000 characters.")
CONSENT_MISSING = N_("Tick this box to take part.")
CONSENT_WRONG = N_("Say true or false.")

KEY = "request"
"""Hidden field of the form: a second press of its button is the same request."""


def _fault(words: str) -> PydanticCustomError:
    return PydanticCustomError("parcours", "{words}", {"words": words})


def _text(value: object, longest: int, too_long: str, *, lines: bool = False) -> str:
    """A text of at most `longest` characters, or "" when nothing was sent."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _fault(NOT_TEXT)
    if len(value) > 10 * longest:
        raise _fault(too_long)
    try:
        text = clean_text(value, lines=lines)
    except TextError as error:
        raise _fault(str(error)) from None
    if len(text) > longest:
        raise _fault(too_long)
    return text


def _line(value: object) -> str:
    text = _text(value, LONGEST_LINE, LINE_TOO_LONG)
    try:
        return clean_line(text)
    except TextError as error:
        raise _fault(str(error)) from None


def _name(value: object) -> str:
    text = _line(value)
    if not text:
        raise _fault(NAME_MISSING)
    return text


def _email(value: object) -> str:
    if value is None or value == "":
        raise _fault(EMAIL_MISSING)
    if not isinstance(value, str):
        raise _fault(NOT_AN_ADDRESS)
    try:
        return clean_address(value)
    except TextError as error:
        raise _fault(str(error)) from None


def _event(info: ValidationInfo) -> Event:
    event: Event = info.context["event"]  # type: ignore[index]
    return event


def _partner_type(value: object, info: ValidationInfo) -> str:
    kinds = [kind.id for kind in _event(info).partner_types]
    if not value and len(kinds) == 1:
        return kinds[0]
    if not isinstance(value, str) or value not in kinds:
        raise _fault(ANSWER_OPTION if _event(info).labels.partner_type else KIND_MISSING)
    return value


def _ranking(value: object, info: ValidationInfo) -> list[str]:
    """Themes that are open to the person, each once: as many as the event asks for.

    A ranking that stays as it is stored is not checked: the event may ask for another one by now, and organisers
    register people without any.
    """
    if (info.context or {}).get("kept_ranking"):
        return list(value) if isinstance(value, list) else []
    if not value:
        raise _fault(RANKING_MISSING)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _fault(RANKING_UNKNOWN)
    ranked = [one for one in value if one]
    themes = {theme.id for theme in _event(info).themes}
    if not ranked:
        raise _fault(RANKING_MISSING)
    if set(ranked) - themes:
        raise _fault(RANKING_UNKNOWN)
    if len(ranked) != len(set(ranked)):
        raise _fault(RANKING_TWICE)
    partner_type = info.data.get("partner_type")
    if partner_type:  # else that is the fault to mend first: what is open to them is not known yet
        excluded = (info.context or {}).get("excluded", ())
        possible = WishReader(_event(info)).possible(partner_type, excluded)
        if set(ranked) - set(possible):
            raise _fault(RANKING_CLOSED)
        least, most = _event(info).wishes(len(possible))
        if len(ranked) < least:
            raise _fault(RANKING_GAPS if least == len(possible) else RANKING_FEW)
        if len(ranked) > most:
            raise _fault(RANKING_MANY)
    return ranked


def _shown(value: object, info: ValidationInfo) -> list[str]:
    """The order in which the form listed the themes, or nothing."""
    if not value:
        return []
    themes = {theme.id for theme in _event(info).themes}
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or set(value) - themes:
        raise _fault(RANKING_UNKNOWN)
    if len(value) != len(set(value)):
        raise _fault(RANKING_TWICE)
    if not themes - set((info.context or {}).get("excluded", ())) <= set(value):
        raise _fault(RANKING_GAPS)
    return value


def _answers(value: object, info: ValidationInfo) -> dict[str, str | bool]:
    if not isinstance(value, dict):
        raise _fault(NOT_TEXT)
    faults: list[InitErrorDetails] = []
    answers: dict[str, str | bool] = {}
    questions = {question.id: question for question in _event(info).questions}
    for unknown in value.keys() - questions.keys():
        faults.append({"type": _fault(NO_SUCH_QUESTION), "loc": (unknown,), "input": None})
    for question in questions.values():
        try:
            answer = _answer(question, value.get(question.id))
        except PydanticCustomError as fault:
            faults.append({"type": fault, "loc": (question.id,), "input": None})
        else:
            answers |= {question.id: answer} if answer else {}
    if faults:
        raise ValidationError.from_exception_data("answers", faults)
    return answers


def _answer(question: Question, value: object) -> str | bool:
    if question.kind == "consent":
        if value not in (None, True, False):
            raise _fault(CONSENT_WRONG)
        if question.required and not value:
            raise _fault(CONSENT_MISSING)
        return bool(value)
    answer = _text(value, LONGEST_ANSWER, ANSWER_TOO_LONG, lines=question.kind == "text")
    if question.required and not answer:
        raise _fault(ANSWER_MISSING)
    if answer and question.kind == "choice" and answer not in question.options:
        raise _fault(ANSWER_OPTION)
    return answer


def _language(value: object) -> str:
    if value not in (None, "", *LANGUAGES):
        raise _fault(ANSWER_OPTION)
    return str(value or "")


def _trap(value: object) -> str:
    return "filled" if value else ""


def _read_by(check: Callable[..., Any]) -> Any:
    return BeforeValidator(check)


class Details(Model):
    """What a registration may say; a field that is missing is checked like one that is empty."""

    name: Annotated[str, _read_by(_name)] = Field("", validate_default=True)
    email: Annotated[str, _read_by(_email)] = Field("", validate_default=True)
    organisation: Annotated[str, _read_by(_line)] = ""
    partner_type: Annotated[str, _read_by(_partner_type)] = Field("", validate_default=True)
    choices: Annotated[list[str], _read_by(_ranking)] = Field([], validate_default=True)
    answers: Annotated[dict[str, str | bool], _read_by(_answers)] = Field({}, validate_default=True)
    shown_order: Annotated[list[str], _read_by(_shown)] = Field(default_factory=list)
    language: Annotated[str, _read_by(_language)] = ""
    remark2: Annotated[str, _read_by(_trap)] = ""
    """A field that people do not see. A program that fills it in is thanked, and nothing is stored."""
    revision: Annotated[int, Field(ge=1, strict=True)] | None = None

    def changes(self) -> dict[str, Any]:
        """The fields of a registration that its holder may change."""
        return self.model_dump(include={"name", "email", "organisation", "partner_type", "choices", "answers"})


class AddressOnly(Model):
    """What asking for one's own link takes."""

    email: Annotated[str, _read_by(_email)] = Field("", validate_default=True)


def read_details(
    event: Event, fields: Fields, *, excluded: Collection[str] = (), kept_ranking: bool = False
) -> Details:
    """The details in a form or in JSON. Raises InvalidError naming every field that does not hold.

    Parameters
    ----------
    excluded
        Themes that organisers ruled out for this person.
    kept_ranking
        Whether the ranking among the fields is the stored one, which is not asked for here.
    """
    context = {"event": event, "excluded": excluded, "kept_ranking": kept_ranking}
    try:
        return Details.model_validate(fields, context=context)
    except ValidationError as error:
        raise InvalidError(SUMMARY, _faults(error)) from None


def read_address(fields: Fields) -> str:
    """The address in a form or in JSON. Raises InvalidError."""
    try:
        return AddressOnly.model_validate(fields).email
    except ValidationError as error:
        raise InvalidError(SUMMARY, _faults(error)) from None


def _faults(error: ValidationError) -> dict[str, str]:
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, fault["loc"][: 2 if fault["loc"][0] == "answers" else 1]))
        words = NO_SUCH_FIELD if fault["type"] == "extra_forbidden" else fault["msg"]
        faults.setdefault(name[:80], words)
    return faults


def new_registration(event: Event, details: Details, *, language: str, now: datetime) -> Registration:
    """The registration that these details make; whether it has a place is decided when it is stored."""
    return Registration(
        event=event.id,
        id=new_id(),
        state=RegistrationState.WAITING,
        **details.changes(),
        shown_order=details.shown_order,
        language=details.language or language,
        confirmed_at=None,
        created_at=utc(now),
        updated_at=utc(now),
    )


# --------------------------------------------------------------------------- the form as a page shows it


@dataclass(frozen=True)
class Sent:
    """The fields that were sent, in the shape of JSON, and the name that the form gave this request, or ""."""

    fields: Fields
    key: str = ""


@dataclass(frozen=True)
class Form:
    """The form's fields as they stand on the page, right or wrong, and what is wrong with them."""

    values: Mapping[str, str]
    choices: list[str]
    shown_order: list[str]
    answers: Mapping[str, str | bool] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    key: str = ""
    revision: int = 0


def empty_form(event: Event) -> Form:
    """A form nobody has touched: themes in an order of its own, against the pull of the first line."""
    return Form(values={}, choices=[], shown_order=_shuffled(event), key=secrets.token_urlsafe(12))


def form_of(event: Event, registration: Registration) -> Form:
    """The form that changes a registration: the ranking first, then the themes it leaves out."""
    values = {name: getattr(registration, name) for name in ("name", "email", "organisation", "partner_type")}
    possible = WishReader(event).possible(registration.partner_type, registration.excluded)
    ranked = [theme for theme in registration.choices if theme in possible]
    shown = [*ranked, *(theme for theme in _shuffled(event, registration.excluded) if theme not in ranked)]
    return Form(values, ranked, shown, registration.answers, revision=registration.revision)


def form_as_sent(event: Event, fields: Fields, error: ParcoursError, excluded: Collection[str] = ()) -> Form:
    """The form with everything that was typed, and what is wrong with it. `excluded` themes are left out."""
    names = ("name", "email", "organisation", "partner_type", "remark2")
    themes = sorted(theme.id for theme in event.themes if theme.id not in excluded)
    shown = fields.get("shown_order") or []
    answers = {key: one for key, one in (fields.get("answers") or {}).items() if isinstance(one, str | bool)}
    return Form(
        values={name: str(fields.get(name) or "")[:2000] for name in names},
        choices=list(fields.get("choices") or []),
        shown_order=shown if sorted(shown) == themes else _shuffled(event, excluded),
        answers=answers,
        faults=error.fields,
        problem=error.message,
        key=secrets.token_urlsafe(12),
        revision=fields.get("revision") or 0,
    )


def field_names(event: Event) -> list[str]:
    """The fields of the form that people see, as faults name them."""
    shown = ["name", "email", "organisation", "partner_type", "choices"]
    return [*shown, *(f"answers.{question.id}" for question in event.questions)]


def read_sent(event: Event, request: APIGatewayProxyEventV2) -> Sent:
    """What a form or a program sent. Raises UnreadableError, TooLargeError or UnsupportedMediaTypeError."""
    sent = read_fields(request)
    if not sends_form(request):
        return Sent(sent)
    key = sent.get(KEY, "")
    return Sent(from_form(event, sent), key if isinstance(key, str) else "")


def from_form(event: Event, sent: Fields) -> Fields:
    """A form's fields as JSON would have them: `choice-1` … become choices, `answer-<id>` an answer.

    A program may send `choices` over and over instead, the best first.
    """
    fields = {name: value[-1] if isinstance(value, list) else value for name, value in sent.items() if name != KEY}
    choices = [fields.pop(f"choice-{place}", "") for place in range(1, len(event.themes) + 1)]
    if not any(choices) and "choices" in sent:
        choices = sent["choices"] if isinstance(sent["choices"], list) else [sent["choices"]]
    answers: dict[str, str | bool] = {}
    for question in event.questions:
        answer = fields.pop(f"answer-{question.id}", "")
        answers[question.id] = bool(answer) if question.kind == "consent" else answer
    shown = fields.pop("shown_order", "").split(",")
    known = {theme.id for theme in event.themes}
    if not any(choices):
        choices = []  # the form after closing asks for no ranking
    fields["shown_order"] = shown if set(shown) <= known and len(set(shown)) == len(shown) else []
    revision = fields.pop("revision", "")
    if re.fullmatch(r"[1-9]\d{0,8}", revision):
        fields["revision"] = int(revision)
    return {**fields, "choices": choices, "answers": answers}


def _shuffled(event: Event, excluded: Collection[str] = ()) -> list[str]:
    themes = [theme.id for theme in event.themes if theme.id not in excluded]
    random.SystemRandom().shuffle(themes)
    return themes
