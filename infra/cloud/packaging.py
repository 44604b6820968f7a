"""What setuptools does for Parcours beyond its own: a wheel holds the catalogues compiled.

pyproject.toml names `BuildPy`; setuptools loads this file by its path, so the project's root is put on `sys.path`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools.command.build_py import build_py  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.cloud.localisation import compile_catalogues


class BuildPy(build_py):  # type: ignore[misc]
    """Copy packages and their data, then compile the catalogues beside the copies."""

    def run(self) -> None:
        """Build into `build_lib`, or leave an editable install to `make setup`."""
        super().run()
        if not self.editable_mode:
            compile_catalogues(Path(self.build_lib) / "shared" / "locale")
            compile_catalogues(Path(self.build_lib) / "infra" / "locale")
