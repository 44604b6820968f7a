"""allocation.json, put together again from a stored run, and the checksum that shows whether it was altered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.models import Event, Programme, Run
from shared.reasons import Teller

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


def _canonical(document: Mapping[str, Any]) -> Iterator[str]:
    """The text of a document piece by piece, so that a crowd's is never in memory whole."""
    encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
    for n, key in enumerate(sorted(document)):
        yield f"{',' if n else '{'}{encode(key)}:"
        value = document[key]
        if isinstance(value, dict) and value and all(isinstance(name, str) for name in value):
            for m, name in enumerate(sorted(value)):
                yield f"{',' if m else '{'}{encode(name)}:{encode(value[name])}"
            yield "}"
        else:
            yield encode(value)
    yield "}" if document else "{}"
