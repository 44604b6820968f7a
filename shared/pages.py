"""Pages: the templates' environment and the files beside them, for every function that shows pages.

They stand together in `shared/pages`: a folder for attendees (`register`) and one for organisers (`organise`), beside
what both share (`base.html`, stylesheets, scripts). So they travel in the layer, and a function's zip is its code.
Words go through gettext: a template says `{{ _("Register") }}` and is rendered with `language=…`; without one it stays
English.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from shared import i18n

PAGES = Path(__file__).parent / "pages"

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For a file whose name holds the digest of its content."""

FOR_A_MINUTE = {"Cache-Control": "public, max-age=60"}
"""For an older page that asks, just after a deployment, for a file by the digest it had."""


def environment(folder: Path) -> Environment:
    """The environment of the templates in `folder`, with everything `shared/pages` offers to all of them."""
    pages = Environment(
        loader=FileSystemLoader([folder, PAGES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    pages.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    pages.globals |= {"asset": asset, "language": "en", "languages": i18n.LANGUAGES}
    pages.filters |= {"day": _day, "clock": _clock, "day_and_clock": _day_and_clock}
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


@pass_context
def _gettext(context: Context, message: str) -> str:
    return i18n.translations(context["language"]).gettext(message)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, number: int) -> str:
    return i18n.translations(context["language"]).ngettext(singular, plural, number)


@pass_context
def _day(context: Context, when: date | datetime) -> str:
    return i18n.day(when, context["language"])


def _clock(when: time | datetime) -> str:
    return i18n.clock(when)


@pass_context
def _day_and_clock(context: Context, when: datetime) -> str:
    return i18n.day_and_clock(when, context["language"])
