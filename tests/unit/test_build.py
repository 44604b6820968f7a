"""What is built is what the template names, nothing more, and the same every time."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from infra.cloud import build
from infra.cloud.build import ROOT, Artifact, BuildError
from infra.cloud.build import build as build_all
from infra.cloud.localisation import compile_catalogues

FUNCTIONS = ("register", "organise", "allocate", "relay", "mail", "feedback", "upkeep")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The repository's code without its requirements: the build as it is, and no network."""
    root = tmp_path / "source"
    kept = shutil.ignore_patterns("requirements.txt", "__pycache__")
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, root / folder, ignore=kept)
    (root / "infra").mkdir()
    shutil.copy(build.TEMPLATE, root / "infra")
    return root


def zips(root: Path, target: Path) -> dict[str, Artifact]:
    """What was built, by resource."""
    return {artifact.resource: artifact for artifact in build_all(root, target)}


def names(artifact: Artifact) -> list[str]:
    """The files in a zip."""
    with zipfile.ZipFile(artifact.zip) as file:
        return file.namelist()


def test_a_functions_zip_holds_the_code_of_its_folder_and_nothing_else(source: Path, tmp_path: Path) -> None:
    """The import path in Lambda is the one in the repository; other functions and the layer's files are absent."""
    made = zips(source, tmp_path / "build")

    assert len(made) == len(FUNCTIONS) + 1
    for function in FUNCTIONS:
        code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "functions" / function).rglob("*.py")}
        assert set(names(made[f"{function.capitalize()}Function"])) == code
        assert f"functions/{function}/app.py" in code
    assert all(name.startswith("python/shared/") for name in names(made["SharedLayer"]))


def test_the_same_code_is_the_same_zip(source: Path, tmp_path: Path) -> None:
    """Byte for byte, so that a deployment without changes changes nothing."""
    first = {name: made.zip.read_bytes() for name, made in zips(source, tmp_path / "one").items()}
    second = {name: made.zip.read_bytes() for name, made in zips(source, tmp_path / "two").items()}

    assert first == second


def test_only_what_changed_is_built_again(source: Path, tmp_path: Path) -> None:
    """A changed function gets a new zip, and the old one is gone."""
    before = zips(source, tmp_path / "build")
    with (source / "functions" / "relay" / "app.py").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    after = zips(source, tmp_path / "build")

    assert [name for name in before if before[name].zip != after[name].zip] == ["RelayFunction"]
    assert not before["RelayFunction"].zip.exists()


def test_a_requirement_that_cannot_be_had_is_named(source: Path, tmp_path: Path) -> None:
    """The build stops and says which file asks for it; nothing half-made stays."""
    (source / "functions" / "relay" / "requirements.txt").write_text("./no-such-folder\n", encoding="utf-8")

    with pytest.raises(BuildError, match=r"relay.requirements\.txt"):
        build_all(source, tmp_path / "build")

    assert not list((tmp_path / "build").glob("dependencies/*"))


def test_the_runtime_is_the_running_interpreter() -> None:
    """The laptop's wheels fit it."""
    assert build.runtime() == f"python3.{sys.version_info.minor}"
    assert build.architecture() in {"arm64", "x86_64"}


def test_catalogues_are_compiled_once(tmp_path: Path) -> None:
    """A catalogue newer than its compiled form is compiled, another is not."""
    folder = tmp_path / "nl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: nl\\n"\n\n'
    (folder / "parcours.po").write_text(f'{header}msgid "Yes"\nmsgstr "Ja"\n', encoding="utf-8")

    assert compile_catalogues(tmp_path) == [folder / "parcours.mo"]
    assert compile_catalogues(tmp_path) == []


def test_networkx_and_numpy_stay_in_the_allocator() -> None:
    """Every other function starts without them."""
    heavy = ("networkx", "numpy", "highspy")
    lists = [*(ROOT / "functions").glob("*/requirements.txt"), ROOT / "shared" / "requirements.txt"]
    asking = {path.parent.name for path in lists if any(name in path.read_text(encoding="utf-8") for name in heavy)}

    assert asking == {"allocate"}
