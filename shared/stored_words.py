"""Messages for organisers as they are stored: with their facts, so that every reader gets their own language.

A function that runs when nobody reads, as the allocator does, cannot know in which language its words are read. English
alone in the table would have to be recognised by its pattern later, which fails for every sentence that nobody listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from shared.i18n import Told
from shared.local_text import LocalText


def as_stored(words: object) -> Any:
    """A message as strings, numbers and maps; a text that is no message as it is."""
    if isinstance(words, Told):
        optional = {"plural": words.plural, "number": words.number, "context": words.context}
        facts = {name: as_stored(fact) for name, fact in words.facts.items()}
        return {"told": words.singular, "facts": facts, **{key: value for key, value in optional.items() if value}}
    if isinstance(words, LocalText) and words.by_language:
        return {"texts": dict(words.by_language), "text": str(words)}
    return words if isinstance(words, int) else str(words)


def from_stored(value: object) -> Any:
    """What `as_stored` made, as it was before. Raises ValueError for what it cannot have made."""
    if not isinstance(value, Mapping):
        return value
    try:
        if "texts" in value:
            return LocalText(value["text"], value["texts"])
        facts = {name: from_stored(fact) for name, fact in value["facts"].items()}
        made = Told(value["told"], facts, value.get("plural", ""), int(value.get("number", 0)))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this is no stored message: {error}") from None
    made.context = value.get("context", "")
    return made


def _words(value: object) -> str:
    found = from_stored(value)
    if not isinstance(found, str):
        raise ValueError("this is no text")  # pydantic reports a ValueError with the field
    return found


StoredWords = Annotated[str, PlainValidator(_words), PlainSerializer(as_stored)]
"""A message with its facts, or plain text; English as a `str`."""
