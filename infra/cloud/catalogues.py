"""Bring the gettext catalogues in line with the words in code, pages and mails: `python -m infra.cloud.catalogues`.

What is new stands untranslated in */locale/*/LC_MESSAGES/*.po afterwards, what is gone is gone. Headers hold
neither a date nor a name, and messages stand in the order of the alphabet: the same words make the same file, wherever
they stand.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "shared" / "locale"

READERS = {"parcours": "an attendee", "organisers": "an organiser", "commandline": "an operator at a terminal"}
"""The catalogues and their readers. A message stands in the first catalogue alone that has it."""

_TOLD: dict[str, Any] = {"told": None, "told_many": (1, 2), "told_as": ((1, "c"), 2)}

KEYWORDS: dict[str, dict[str, Any]] = {
    "parcours": {**DEFAULT_KEYWORDS, "N_": None},
    "organisers": {**{name: DEFAULT_KEYWORDS[name] for name in ("_", "gettext", "ngettext")}, **_TOLD},
}

_HEADER = """\
# {about}
msgid ""
msgstr ""
"Project-Id-Version: Parcours\\n"
{more}"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def template_path(name: str) -> Path:
    """The template of a catalogue."""
    return folder_of(name) / f"{name}.pot"


def folder_of(name: str, root: Path = ROOT) -> Path:
    """Where a catalogue stands: the command line's beside it, so that no function carries it along."""
    return root / ("infra" if name == "commandline" else "shared") / "locale"


def extract(name: str = "parcours", root: Path = ROOT) -> Catalog:
    """Every message of a catalogue."""
    found = _found(name, root)
    for earlier in list(READERS)[: list(READERS).index(name)]:
        for message in _found(earlier, root):
            if message.id and found.get(message.id, message.context):
                found.delete(message.id, message.context)
    return found


def _told_in(root: Path) -> Iterator[tuple[str, int, tuple[str, ...] | str]]:
    """Messages of the command line and its report, also those inside f-strings, which Babel does not look into."""
    for path in sorted((root / "infra").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("told", "told_many"):
                words = [str(one.value) for one in node.args[:2] if isinstance(one, ast.Constant)]
                if words and node.func.id == "told_many":
                    yield str(path), node.lineno, tuple(words)
                elif words:
                    yield str(path), node.lineno, words[0]


@cache
def _found(name: str, root: Path) -> Catalog:
    catalogue = Catalog(charset="utf-8")
    if name == "commandline":
        for where, row, words in sorted(_told_in(root), key=lambda one: one[:2]):
            catalogue.add(words, None, [(where, row)])
        return catalogue
    with (folder_of(name, root) / f"{name}.cfg").open(encoding="utf-8") as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]
    found = extract_from_dir(root, methods, options, keywords=KEYWORDS[name])
    for file, line, message, comments, context in sorted(found, key=lambda one: one[:2]):
        catalogue.add(message, None, [(file, line)], auto_comments=comments, context=context)
    return catalogue


def template_text(name: str, catalogue: Catalog) -> str:
    """The template of a catalogue, as it stands in the file."""
    return _HEADER.format(about=f"What {READERS[name]} may see, untranslated.", more="") + _body(catalogue)


def catalogue_text(path: Path, template: Catalog) -> str:
    """A language's catalogue in line with the template; what was translated stays so."""
    language = path.parts[-3]
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    catalogue.update(template, no_fuzzy_matching=True)
    plural = f'"Language: {language}\\n"\n"Plural-Forms: {catalogue.plural_forms}\\n"\n'
    spoken = catalogue.locale.get_display_name("en") if catalogue.locale else ""
    return _HEADER.format(about=f"What {READERS[path.stem]} reads, in {spoken}.", more=plural) + _body(catalogue)


def _body(catalogue: Catalog) -> str:
    text = BytesIO()
    write_po(text, catalogue, no_location=True, omit_header=True, width=0, ignore_obsolete=True, sort_output=True)
    return text.getvalue().decode("utf-8")


def _is_translated(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, tuple | list) else bool(message.string)


def main() -> None:
    """Write the templates and every catalogue."""
    for name in READERS:
        template = extract(name)
        template_path(name).write_text(template_text(name, template), encoding="utf-8")
        for path in sorted(folder_of(name).glob(f"*/LC_MESSAGES/{name}.po")):
            path.write_text(catalogue_text(path, template), encoding="utf-8")
            with path.open("rb") as file:
                empty = sum(bool(one.id) and not _is_translated(one) for one in read_po(file))
            print(f"{path.relative_to(ROOT)}: {empty} of {len(template)} to translate")


if __name__ == "__main__":
    main()
