"""What is installed elsewhere: a wheel that works alone, pinned versions, a layer that holds only what is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from infra.cloud import build
from infra.cloud.build import CONSTRAINTS, ROOT

LARGEST_LAYER = 22 * 1000 * 1000
"""Bytes of the layer unzipped, without bytecode; Babel's CLDR data alone were 32 MB."""

OFFLINE = re.compile(r"No matching distribution|Could not find a version|Connection|Name or service|Temporary failure")

BLOCKED = "raise ImportError('a function would need this at run time')\n"


def requirement_lines(path: Path) -> Iterator[Requirement]:
    """The requirements of a file, without its comments and options."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("#", "-")):
            yield Requirement(line.partition(" #")[0])


def requirement_files() -> list[Path]:
    """The requirements of the layer, the functions and the embedded cloud."""
    return [
        ROOT / "shared" / "requirements.txt",
        *sorted((ROOT / "functions").glob("*/requirements.txt")),
        ROOT / "infra" / "requirements-cloud.txt",
    ]


def project_requirements() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [
        *project["dependencies"],
        *(one for more in project["optional-dependencies"].values() for one in more),
    ]:
        if not line.startswith("parcours["):
            yield Requirement(line)


def pins() -> dict[str, Version]:
    """The pinned version of each distribution. Every line is `name==version`, so none names a registry."""
    found = {}
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            matched = re.fullmatch(r"([a-z0-9-]+)==([\w.+!]+)", line)
            assert matched, line
            found[matched[1]] = Version(matched[2])
    return found


def test_every_requirement_is_pinned_to_a_version_in_its_range() -> None:
    pinned = pins()
    asked = [*project_requirements(), *(one for path in requirement_files() for one in requirement_lines(path))]

    assert len(asked) >= 40
    assert [str(one) for one in asked if canonicalize_name(one.name) not in pinned] == []
    assert [str(one) for one in asked if pinned[canonicalize_name(one.name)] not in one.specifier] == []


def test_every_installation_reads_the_pins() -> None:
    """The requirements files, which `sam build`, the laptop's build and the embedded cloud install from, and make."""
    for path in requirement_files():
        options = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("-")]
        assert len(options) == 1, path
        assert (path.parent / options[0].removeprefix("-c ")).resolve() == CONSTRAINTS
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "--editable" in line and ".build/pins" not in line]
    assert installs
    assert all("--constraint infra/constraints.txt" in line for line in installs)


def test_a_function_asks_for_nothing_that_the_project_does_not() -> None:
    """The same range everywhere, so that the laptop tests what AWS gets."""
    project = {canonicalize_name(one.name): one.specifier for one in project_requirements()}
    for path in requirement_files()[:-1]:
        for asked in requirement_lines(path):
            assert project[canonicalize_name(asked.name)] == asked.specifier, path


@pytest.mark.xdist_group("stack")  # the journeys build it too
def test_the_layer_is_small_and_without_babel() -> None:
    (layer,) = [made for made in build.build() if made.resource == "SharedLayer"]
    with zipfile.ZipFile(layer.zip) as file:
        sources = [entry for entry in file.infolist() if "__pycache__" not in entry.filename]

    assert sum(entry.file_size for entry in sources) <= LARGEST_LAYER
    assert [entry.filename for entry in sources if "/babel/" in entry.filename] == []


def test_a_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """With its pages, catalogues, template and sample event, and without what only set-up needs."""
    wheel = build_wheel(tmp_path)
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "babel.py").write_text(BLOCKED, encoding="utf-8")
    sample = site / "infra" / "events" / "nature-connectivity.yaml"

    checked = run_python(tmp_path, "-m", "infra.cli", "event", "check", str(sample))
    said = run_python(
        tmp_path,
        "-c",
        "import infra.cli, shared.pages; from datetime import date; from shared.i18n import day; "
        "print(infra.cli.__file__); print(day(date(2024, 11, 6), 'fr'))",
    ).splitlines()
    offered = run_python(tmp_path, "-m", "infra.cli", "--language", "en", "--help")

    assert "allocate" in offered
    assert "demo" not in offered
    assert "deploy" not in offered.replace("deployed", "")
    assert "nature-connectivity: 4 themes" in checked
    assert said == [str(site / "infra" / "cli.py"), "mercredi 6 novembre 2024"]
    missing = [name for name in project_files("functions", "shared", "infra") if not (site / name).exists()]
    assert [name for name in missing if not name.endswith((".png", ".pot", ".cfg"))] == []


def project_files(*folders: str) -> list[str]:
    """What belongs to the project, committed or about to be; skips where git cannot tell."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git, so no list of what belongs to the project")
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def build_wheel(folder: Path) -> Path:
    """Build a wheel from a copy of the checkout, as `pip install .` does; skips where nothing can be downloaded."""
    source = folder / "source"
    source.mkdir()
    for name in project_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("the build's own requirements cannot be downloaded")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def run_python(folder: Path, *arguments: str) -> str:
    """Run Python in an empty folder, with the unpacked wheel before anything else; what it prints."""
    (folder / "elsewhere").mkdir(exist_ok=True)
    path = os.pathsep.join(str(folder / name) for name in ("blocked", "site"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder / "elsewhere",
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
