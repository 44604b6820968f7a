"""Pages: the templates' environment and the files beside them, for every function that shows pages.

They stand together in `shared/pages`: a folder for attendees (`register`) and one for organisers (`organise`), beside
what both share (`base.html`, stylesheets, scripts). So they travel in the layer, and a function's zip is its code.
Words go through gettext: a template says `{{ _("Register") }}` and is rendered with `language=…`; without one it stays
English. A message that code made with `told` is translated wherever a template shows it.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from shared import i18n

PAGES = Path(__file__).parent / "pages"

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For a file whose name holds the digest of its content."""

FOR_A_MINUTE = {"Cache-Control": "public, max-age=60"}
"""For an older page that asks, just after a deployment, for a file by the digest it had."""


def environment(folder: Path, catalogue: str = i18n.ATTENDEES) -> Environment:
    """The environment of the templates in `folder`, with everything `shared/pages` offers to all of them.

    Parameters
    ----------
    catalogue
        The catalogue of the words in the templates.
    """
    pages = Environment(
        loader=FileSystemLoader([folder, PAGES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        finalize=_spoken,
    )
    pages.newstyle_gettext = True  # type: ignore[attr-defined]
    pages.globals |= _gettext_of(catalogue)
    pages.globals |= {"asset": asset, "language": "en", "languages": i18n.LANGUAGES}
    pages.filters |= {
        "day": _day,
        "clock": _clock,
        "day_and_clock": _day_and_clock,
        "translated": _translated(catalogue),
    }
    return pages


def asset(name: str) -> str:
    """The address of a stylesheet or script; a new content has a new address."""
    stem, dot, suffix = name.rpartition(".")
    return f"/assets/{stem}-{_digest(name)}{dot}{suffix}"


def read_asset(hashed_name: str) -> tuple[bytes, str, dict[str, str]] | None:
    """Content, media type and caching of a file under /assets/, or None when there is none of this name."""
    stem, dot, suffix = hashed_name.rpartition(".")
    name = stem.rpartition("-")[0] + dot + suffix
    if name not in _asset_names():
        return None
    caching = FOR_EVER if asset(name) == f"/assets/{hashed_name}" else FOR_A_MINUTE
    return (PAGES / "assets" / name).read_bytes(), MEDIA_TYPES[f".{suffix}"], caching


@cache
def _asset_names() -> frozenset[str]:
    return frozenset(path.name for path in (PAGES / "assets").iterdir() if path.suffix in MEDIA_TYPES)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((PAGES / "assets" / name).read_bytes()).hexdigest()[:10]


def _gettext_of(catalogue: str) -> dict[str, Any]:
    """What `_`, `{% trans %}` and their plural forms call in templates whose words stand in a catalogue.

    Words are trusted as markup; what fills their slots is escaped, and translated if it is a message itself.
    """

    def filled(context: Context, words: str, facts: dict[str, object]) -> str:
        if context.eval_ctx.autoescape:
            words = Markup(words)  # noqa: S704 # from a catalogue or a template
        return words % {name: i18n.in_language(fact, context["language"]) for name, fact in facts.items()}

    @pass_context
    def translated(context: Context, message: str, /, **facts: object) -> str:
        return filled(context, i18n.translations(context["language"], catalogue).gettext(message), facts)

    @pass_context
    def counted(context: Context, singular: str, plural: str, num: int, /, **facts: object) -> str:
        words = i18n.translations(context["language"], catalogue).ngettext(singular, plural, num)
        return filled(context, words, {"num": num, **facts})

    return {"_": translated, "gettext": translated, "ngettext": counted}


def _translated(catalogue: str) -> Any:
    """The filter for a message that may hold text that a person typed: translated, and escaped as any other value."""

    @pass_context
    def translated(context: Context, message: str) -> str:
        if isinstance(message, i18n.Told):
            return message.in_language(context["language"])
        return i18n.translations(context["language"], catalogue).gettext(message)

    return translated


@pass_context
def _spoken(context: Context, value: object) -> object:
    """What a template shows: a message in the reader's language, anything else as it is."""
    return i18n.in_language(value, context["language"])


@pass_context
def _day(context: Context, when: date | datetime) -> str:
    return i18n.day(when, context["language"])


def _clock(when: time | datetime) -> str:
    return i18n.clock(when)


@pass_context
def _day_and_clock(context: Context, when: datetime) -> str:
    return i18n.day_and_clock(when, context["language"])
