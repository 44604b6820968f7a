"""Texts of the event file, each in one language or in several.

A text in several languages is a `str` like any other, holding the text in the event's own language, and carries the
others with it. So code that knows nothing of languages goes on working, and `Event.in_language` replaces every text by
the reader's in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, PlainSerializer, PlainValidator

from shared.i18n import LANGUAGE_WORDS, LANGUAGES, Told, told

LONGEST = 4000
"""Characters of a text, in each language."""


class LocalText(str):
    """A text of the event file.

    `by_language` holds it in every language the file has, and is empty once a language was chosen; `original` is the
    text in the event's own language, by which answers are stored.
    """

    by_language: Mapping[str, str]
    original: str

    def __new__(cls, text: str, by_language: Mapping[str, str] | None = None, original: str | None = None) -> LocalText:
        """`text` is what the `str` holds."""
        made = super().__new__(cls, text)
        made.by_language = dict(by_language or {})
        made.original = text if original is None else original
        return made


def _one_text(value: object, language: str, *, required: bool) -> str:
    def refuse(words: Told) -> NoReturn:
        raise ValueError(told("%(name)s: %(words)s", name=LANGUAGE_WORDS[language], words=words) if language else words)

    if not isinstance(value, str):
        refuse(told("write text"))
    text = value.strip()
    if required and not text:
        refuse(told("is empty; write something"))
    if len(text) > LONGEST:
        refuse(told("is too long; write at most %(most)s characters", most=LONGEST))
    return text


def _read(value: object, *, required: bool) -> str:
    """A text, or one a language: `{en: Water, nl: Water, fr: Eau}`. Raises ValueError that says what to write."""
    if isinstance(value, LocalText):
        return value
    if not isinstance(value, dict):
        return _one_text(value, "", required=required)
    unknown = sorted(str(key) for key in value if key not in LANGUAGES)
    if unknown or not value:
        known = ", ".join(LANGUAGES)
        raise ValueError(
            told(
                "%(value)s is no language; write the text below one of: %(known)s",
                value=", ".join(unknown) or told("nothing"),
                known=known,
            )
        )
    texts = {key: _one_text(text, key, required=required) for key, text in value.items()}
    return LocalText(next(iter(texts.values())), texts)


def _stored(text: str) -> str | dict[str, str]:
    return dict(text.by_language) if isinstance(text, LocalText) and text.by_language else str(text)


def _required(value: object) -> str:
    return _read(value, required=True)


def _optional(value: object) -> str:
    return _read(value, required=False)


Text = Annotated[str, PlainValidator(_required), PlainSerializer(_stored)]
"""A text that must not be empty, in one language or several."""

OptionalText = Annotated[str, PlainValidator(_optional), PlainSerializer(_stored)]
"""A text that may be empty, in one language or several."""


def languages_in(part: object) -> set[str]:
    """The languages of all texts in several languages that a model, or a part of one, holds."""
    if isinstance(part, LocalText):
        return set(part.by_language)
    return set().union(*(languages_in(inner) for inner in _inside(part)))


def localised(part: Any, language: str, *, keep: bool) -> Any:
    """A model, or a part of one, whose texts are those of a language where there are any.

    `keep` leaves the other languages with each text; else the texts are plain, as a reader of one language sees them.
    """
    if isinstance(part, LocalText):
        if not part.by_language:
            return part
        text = part.by_language.get(language, str(part))
        return LocalText(text, part.by_language if keep else None, text if keep else part.original)
    if isinstance(part, BaseModel):
        fields = {name: getattr(part, name) for name in part.__class__.model_fields}
        changed = {name: localised(value, language, keep=keep) for name, value in fields.items()}
        return part.model_copy(update={name: new for name, new in changed.items() if new is not fields[name]})
    if isinstance(part, list):
        return [localised(inner, language, keep=keep) for inner in part]
    return part


def _inside(part: object) -> list[Any]:
    if isinstance(part, BaseModel):
        return [getattr(part, name) for name in part.__class__.model_fields]
    return part if isinstance(part, list) else []
