"""What a rule of EventBridge makes of an event for its target; the embedded cloud reads no `[0]` in paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACE = re.compile(r"<([\w.-]+)>")
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text that the target gets: the template, with what stands at each path in the place of its name.

    Source: "Amazon EventBridge input transformation" in its user guide. A path that leads nowhere leaves an empty text,
    which is why the placeholders of a template stand between quotation marks.

    Parameters
    ----------
    transformer
        `InputPathsMap`, names and JSON paths such as `$.detail.mail.tags.event[0]`, and `InputTemplate`.
    """
    values = {name: _at(path, event) for name, path in transformer["InputPathsMap"].items()}
    return _PLACE.sub(lambda place: values.get(place[1], ""), str(transformer["InputTemplate"]))


def _at(path: str, event: Mapping[str, Any]) -> str:
    """What stands at a path; "" when there is nothing."""
    part: Any = event
    for name, number in _STEP.findall(path):
        try:
            part = part[int(number) if number else name]
        except (KeyError, IndexError, TypeError):
            return ""
    return str(part)
