"""allocation.json, put together again from a stored run, and the checksum that shows whether it was altered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring
from typing import Any

from shared.models import Event, Programme, Run
from shared.reasons import Teller

PART = 1_000
"""Entries of a large map that are written together."""

MOST_KEYS, MOST_KNOWN = 12, 10_000
"""Keys up to which the text of a map is remembered, and how many maps are: a crowd has few different programmes."""

NOT_IN_THE_FILE = {"curve", "no_curve", "moved"}
"""Stored with a run for the organisers' pages; the file says who moved, not how many."""


def allocation_document(
    event: Event, run: Run, programmes: Mapping[str, Programme], before: Mapping[str, Programme]
) -> dict[str, Any]:
    """The allocation of a run as `parcours allocate` would have written it, so that `parcours verify` accepts it.

    Parameters
    ----------
    programmes
        The programmes of this run, by registration.
    before
        The programmes of the run it was compared with (`Run.compared_with`).
    """
    tell = Teller(event)
    known = {one: dict(before[one].workshops) for one in sorted(programmes) if one in before}
    document: dict[str, Any] = {
        **{key: value for key, value in run.result.items() if key not in NOT_IN_THE_FILE},
        "moved": {one: changed for one, old in known.items() if (changed := _moved(old, programmes[one].workshops))},
        "programmes": {one: dict(programmes[one].workshops) for one in sorted(programmes)},
        "reasons": {one: tell(programmes[one].reason) for one in sorted(programmes)},
    }
    if run.mode == "keep" or known:
        document["previous"] = known
    return {**document, "checksum": checksum(document)}


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The previous theme of every round attended before and after whose theme differs."""
    return {slot: theme for slot, theme in old.items() if slot in new and new[slot] != theme}


def checksum(document: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (keys sorted, no spaces) of an allocation without its checksum."""
    digest = hashlib.sha256()
    for part in _canonical({key: value for key, value in document.items() if key != "checksum"}):
        digest.update(part.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def encoder_of_many(encode: Callable[[Any], str]) -> Callable[[Any], str]:
    """An encoder that writes what `encode` does, quicker where many values are texts or the same few maps of texts."""
    known: dict[tuple[tuple[str, str], ...], str] = {}

    def quickly(value: Any) -> str:
        if type(value) is str:
            return encode_basestring(value)
        if type(value) is not dict or len(value) > MOST_KEYS:
            return encode(value)
        try:
            key = tuple(value.items())
            text = known.get(key)
        except TypeError:  # a forged file may have lists and maps inside
            return encode(value)
        if text is None:
            text = encode(value)
            if len(known) < MOST_KNOWN and all(type(one) is str for one in value.values()):
                known[key] = text
        return text

    return quickly


def _canonical(document: Mapping[str, Any]) -> Iterator[str]:
    """The text of a document piece by piece, so that a crowd's is never in memory whole."""
    encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
    for n, key in enumerate(sorted(document)):
        yield f"{',' if n else '{'}{encode(key)}:"
        value = document[key]
        if isinstance(value, dict) and value and all(isinstance(name, str) for name in value):
            written, names = encoder_of_many(encode), sorted(value)
            for begin in range(0, len(names), PART):
                part = names[begin : begin + PART]
                pairs = ",".join([f"{encode_basestring(name)}:{written(value[name])}" for name in part])
                yield f"{',' if begin else '{'}{pairs}"
            yield "}"
        else:
            yield encode(value)
    yield "}" if document else "{}"
