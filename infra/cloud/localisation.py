"""Compile the gettext catalogues: for the laptop, the layer and the wheel. Needs Babel, which no function does."""

from __future__ import annotations

import tempfile
from pathlib import Path


def compile_catalogues(locale: Path) -> list[Path]:
    """Compile the catalogues below a folder that are newer than what was compiled from them; return those."""
    made = []
    for source in sorted(locale.glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            from babel.messages.mofile import write_mo
            from babel.messages.pofile import read_po

            with source.open("rb") as file:
                catalogue = read_po(file, locale=source.parts[-3], domain=source.stem)
            with tempfile.NamedTemporaryFile(dir=source.parent, delete=False) as draft:
                write_mo(draft, catalogue)
            Path(draft.name).replace(compiled)  # several test workers may compile at once
            compiled.chmod(0o644)
            made.append(compiled)
    return made
