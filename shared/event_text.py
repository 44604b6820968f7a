"""The event file as its organisers wrote it, with what pages changed since: other lines stay, and so do comments.

A change replaces the characters of the value that it changes, which YAML's reader knows the place of. Where it cannot
(aliases, a key merged from elsewhere), the whole file is written anew, without comments; the text is used only if it
reads back as the event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import LiteralScalarString

from shared.event_file import EventFileError, as_data, event_yaml, parse_event, read_yaml
from shared.models import Event

OTHER_NAMES = {"open_to": "for", "type": "kind"}
"""Keys that a file may write in two ways, by the one that the model writes."""

STEP = 2
"""Columns by which what stands below a key is indented."""


class CannotKeepError(Exception):
    """The text has a form in which this change has no place of its own."""


def as_written(text: str, event: Event) -> str:
    """An event file that reads back as the event, with the comments and the order of a text written earlier."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    try:
        found = _updated(text, event) if text else ""
        if found and parse_event(found) == event:
            return found
    except (EventFileError, YAMLError, CannotKeepError, ValueError, RecursionError):
        pass
    return event_yaml(event)


def _updated(text: str, event: Event) -> str:
    before, after = as_data(parse_event(text)), as_data(event)
    if before == after:
        return text
    editor = _Editor(text)
    editor.mapping(YAML(typ="safe", pure=True).compose(text), before, after)
    return editor.piece(0, len(text))


class _Editor:
    """Changes of a text, each of the characters between two places."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.edits: list[tuple[int, int, str]] = []

    def piece(self, start: int, end: int) -> str:
        """A part of the text with the changes in it, which are done then."""
        mine = sorted(edit for edit in self.edits if start <= edit[0] and edit[1] <= end)
        self.edits = [edit for edit in self.edits if edit not in mine]
        parts, at = [], start
        for first, last, words in mine:
            if first < at:
                raise CannotKeepError
            parts += [self.text[at:first], words]
            at = last
        return "".join([*parts, self.text[at:end]])

    # ------------------------------------------------------------- what changes

    def mapping(self, node: Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Change a group of keys."""
        if not isinstance(node, MappingNode):
            raise CannotKeepError
        entries = [(_named(key.value, after, before), key, value) for key, value in node.value]
        known = {name for name, _, _ in entries}
        new = {name: value for name, value in after.items() if name not in known and value != before.get(name)}
        gone = [name for name, _, _ in entries if name in before and name not in after]
        if node.flow_style and (new or gone):
            self.edits.append((node.start_mark.index, node.end_mark.index, _in_one_line(after)))
            return
        for n, (name, key, value) in enumerate(entries):
            if name in gone:
                self._delete(key, value, entries[n + 1][1] if n + 1 < len(entries) else None)
            elif name in after and before.get(name) != after[name]:
                self._value(key, value, before.get(name), after[name], flow=bool(node.flow_style))
        if new:
            at = self._line_end(_end(node))
            self.edits.append((at, at, "\n" + _below(new, node.start_mark.column)))

    def _value(self, key: Node, node: Any, before: Any, after: Any, *, flow: bool) -> None:
        if node.start_mark.index < key.end_mark.index:
            raise CannotKeepError  # an alias: its value stands elsewhere
        if isinstance(node, MappingNode) and isinstance(before, dict) and isinstance(after, dict):
            self.mapping(node, before, after)
        elif isinstance(node, SequenceNode) and isinstance(before, list) and isinstance(after, list) and after:
            self._sequence(node, before, after)
        else:
            self._replace(key, node, after, flow=flow)

    def _replace(self, key: Node, node: Any, after: Any, *, flow: bool) -> None:
        """Write another value in the place of one."""
        start, end = node.start_mark.index, _end(node)
        column = key.start_mark.column
        if start == end or (not isinstance(node, ScalarNode) and not node.flow_style):
            start = self.text.index(":", key.end_mark.index) + 1
            words = " " + _in_one_line(after)
        elif isinstance(after, str) and not flow and _is_literal(after) and not self.text[end : self._line_end(end)]:
            words = _literal(after, column + STEP)
        else:
            words = _like(self.text[start:end], after)
        self.edits.append((start, end, words))

    def _delete(self, key: Node, node: Node, following: Node | None) -> None:
        """Take out a key and its value; comment lines above it stay, as they may be about what follows."""
        start = key.start_mark.index
        if node.start_mark.index < key.end_mark.index:
            raise CannotKeepError
        line = self.text.rfind("\n", 0, start) + 1
        if not self.text[line:start].strip():
            end = self._line_end(_end(node))
            self.edits.append((line, min(end + 1, len(self.text)), ""))
        elif following is not None:  # the first key after a dash
            self.edits.append((start, following.start_mark.index, ""))
        else:
            raise CannotKeepError

    def _sequence(self, node: SequenceNode, before: list[Any], after: list[Any]) -> None:
        """Change a list: what stays in it takes its lines along."""
        items: list[Node] = node.value
        if len(items) != len(before):
            raise CannotKeepError
        came_from = _alignment(before, after)
        if came_from == list(range(len(before))):
            for item, old, new in zip(items, before, after, strict=True):
                self._item(node, item, old, new)
            return
        if node.flow_style:
            self.edits.append((node.start_mark.index, node.end_mark.index, _in_one_line(after)))
            return
        starts = list(self._starts(node))
        ends = [*starts[1:], self._line_end(_end(node))]
        chunks = []
        for old, new in zip(came_from, after, strict=True):
            if old is None:
                chunks.append(_below([new], node.start_mark.column))
                continue
            self._item(node, items[old], before[old], new)
            chunks.append(self.piece(starts[old], ends[old]).removesuffix("\n"))
        self.edits.append((starts[0], ends[-1], "\n".join(chunks)))

    def _item(self, above: Node, item: Any, before: Any, after: Any) -> None:
        if before == after:
            return
        if item.start_mark.index < above.start_mark.index:
            raise CannotKeepError  # an alias
        if isinstance(item, MappingNode) and isinstance(before, dict) and isinstance(after, dict):
            self.mapping(item, before, after)
        elif isinstance(item, ScalarNode) or item.flow_style:
            start, end = item.start_mark.index, _end(item)
            self.edits.append((start, end, _like(self.text[start:end], after)))
        else:
            raise CannotKeepError

    # ------------------------------------------------------------- where things stand

    def _starts(self, node: SequenceNode) -> Iterator[int]:
        """Where the lines of each item begin: at its dash, or at the comment lines that stand right above."""
        dash = "\n" + " " * node.start_mark.column + "-"
        for n, item in enumerate(node.value):
            line = self.text.rfind(dash, 0, item.start_mark.index) + 1
            if not line:
                raise CannotKeepError
            while n and (above := self.text.rfind("\n", 0, line - 1) + 1) < line:
                if not re.match(r" *#", self.text[above:line]):
                    break
                line = above
            yield line

    def _line_end(self, at: int) -> int:
        found = self.text.find("\n", at)
        return found if found >= 0 else len(self.text)


def _named(key: str, *known: Mapping[str, Any]) -> str:
    """A key by the name that the model writes; a question's `title` is its `label`."""
    if key == "title" and any("kind" in one and "label" in one for one in known):
        return "label"
    name = OTHER_NAMES.get(key, key)
    return name if any(name in one for one in known) else key


def _end(node: Any) -> int:
    """Where a value ends, without the comments and empty lines below it."""
    if isinstance(node, ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        if node.style not in {"|", ">"}:
            return int(end)
        return int(start + len(node.start_mark.buffer[start:end].rstrip("\n ")))
    if node.flow_style:
        return int(node.end_mark.index)
    inside = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    if any(part.start_mark.index < node.start_mark.index for part in inside):
        raise CannotKeepError  # an alias
    return max(map(_end, inside))


def _alignment(before: list[Any], after: list[Any]) -> list[int | None]:
    """For each new item the old one that it was: by its id where items have ids, else by what is equal."""
    if all(isinstance(one, dict) and "id" in one for one in [*before, *after]):
        places = {one["id"]: n for n, one in enumerate(before)}
        return [places.get(one["id"]) for one in after]
    old, new = ([json.dumps(one, sort_keys=True) for one in side] for side in (before, after))
    found: list[int | None] = [None] * len(after)
    for _, first, last, at, until in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for n, there in zip(range(first, last), range(at, until), strict=False):
            found[there] = n
    return found


# --------------------------------------------------------------------------- values as text


def _below(value: Any, column: int) -> str:
    """A value in lines of its own, from a column on."""
    lines = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110 - column
    yaml.dump(_in_literals(value), lines)
    return "\n".join(" " * column + line if line else line for line in lines.getvalue().rstrip("\n").split("\n"))


def _in_literals(value: Any) -> Any:
    """A value whose texts of several lines are written in lines."""
    if isinstance(value, dict):
        return {key: _in_literals(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_in_literals(one) for one in value]
    return LiteralScalarString(value) if isinstance(value, str) and _is_literal(value) else value


def _in_one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_in_one_line(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_in_one_line, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A value without quotes where YAML reads it back, also within braces; else as JSON writes it."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        plain = bool(read_yaml(f"[{value}]") == [value] and read_yaml(f"{{a: {value}}}") == {"a": value})
    except (YAMLError, ValueError):
        plain = False
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


_QUOTE = "'"


def _like(old: str, value: Any) -> str:
    """A value in the quotes of the one that it replaces, and a moment with its space."""
    if not isinstance(value, str):
        return _in_one_line(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", value) and "T" not in old:
        value = value.replace("T", " ")
    if old[:1] == '"':
        return json.dumps(value, ensure_ascii=False)
    if old[:1] == "'" and "\n" not in value:
        return f"'{value.replace(_QUOTE, _QUOTE * 2)}'"
    return _scalar(value)


def _is_literal(value: str) -> bool:
    """Whether a text has several lines that YAML reads back as they are written."""
    lines = value.split("\n")
    return len(lines) > 1 and lines[0][:1] not in {"", " "} and all(line == line.rstrip() for line in lines)


def _literal(value: str, column: int) -> str:
    return "|-\n" + "\n".join(" " * column + line if line else line for line in value.split("\n"))
