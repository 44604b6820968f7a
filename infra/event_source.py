"""An event file as the command line reads it: every mistake with its line."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from infra.words import tell
from shared.event_file import EventFileError, load_event
from shared.i18n import told
from shared.models import Event


class FileFaultsError(ValueError):
    """Files that cannot be used; `faults` holds a line for each mistake, `FILE:LINE: message`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


def read_event_file(path: Path) -> Event:
    """Read the event. Raises FileFaultsError with every mistake as `FILE:LINE: message`."""
    try:
        return load_event(path)
    except OSError as error:
        raise FileFaultsError([f"{path}: {error.strerror}"]) from None
    except EventFileError as error:
        document = _document(path)
        raise FileFaultsError(
            [
                told(
                    "%(file)s:%(line)s: %(words)s",
                    file=path,
                    line=f.line or _line_of(f.path, document),
                    words=f.words or f.told,
                )
                for f in error.faults
            ]
        ) from None


def event_or_told(path: Path) -> Event | None:
    """The event of a file; None after every mistake was told."""
    try:
        return read_event_file(path)
    except FileFaultsError as error:
        for fault in error.faults:
            tell(fault, file=sys.stderr)
    return None


def _line_of(path: str, document: Any) -> int:
    """The line of a YAML document at which a path like `themes[2].capacity` stands, as far down as it leads."""
    line = 0
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            line = (document.lc.item(int(index)) if index else document.lc.key(key))[0]
            document = document[int(index) if index else key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line + 1


def _document(path: Path) -> Any:
    """An event file with the lines of its parts; None where it is no YAML."""
    try:
        return YAML().load(path.read_bytes())
    except (YAMLError, ValueError, RecursionError):
        return None
