"""Build what the template names, for the interpreter that runs this: function and layer zips, catalogues.

`sam build` builds for AWS, and the template carries what it needs. It cannot build for the laptop: it picks
wheels for the C library of the Lambda image (none of numpy's fit its Python 3.11) and for Linux (of no use on a
Mac). So this does the same thing with the running interpreter's own pip: the folder a function names, under its
parent packages, with the requirements that stand beside it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ruamel.yaml import YAML

from infra.cloud.localisation import compile_catalogues

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
CONSTRAINTS = ROOT / "infra" / "constraints.txt"
BUILD = ROOT / ".build"

_LEFT_OUT = {"__pycache__", "tests", ".pytest_cache"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SOURCE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class BuildError(RuntimeError):
    """Something the template names could not be built."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One zip: the resource it is for, the property that names its code, and the file."""

    resource: str
    property: str
    zip: Path


def runtime() -> str:
    """The Lambda runtime that equals the running interpreter."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """The machine, as Lambda names it."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def load_template(path: Path = TEMPLATE) -> Any:
    """The template with its tags (`!Ref`) kept, so that it can be written again."""
    return _yaml().load(path.read_text(encoding="utf-8"))


def dump_template(template: Any, stream: TextIO) -> None:
    """Write a template that `load_template` read."""
    _yaml().dump(template, stream)


def build(root: Path = ROOT, target: Path = BUILD) -> list[Artifact]:
    """Build every function and layer of the template; what has not changed is not built again."""
    compile_catalogues(root / "shared" / "locale")
    parts = list(_parts(load_template(root / "infra" / "template.yaml"), root))
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda part: _artifact(part, target), parts))


@dataclass(frozen=True, slots=True)
class _Part:
    resource: str
    property: str
    folder: Path
    package: str
    prefix: str


def _parts(template: Mapping[str, Any], root: Path) -> Iterator[_Part]:
    for name, resource in template["Resources"].items():
        source = _SOURCE.get(resource["Type"])
        if source:
            folder = (root / "infra" / resource["Properties"][source]).resolve()
            package = resource["Metadata"]["BuildProperties"]["ParentPackages"]
            yield _Part(name, source, folder, package, "python/" if source == "ContentUri" else "")


def _artifact(part: _Part, target: Path) -> Artifact:
    requirements = part.folder / "requirements.txt"
    dependencies = _dependencies(requirements, target) if requirements.exists() else None
    files = {f"{part.package.replace('.', '/')}/{name}": path for name, path in _files(part.folder)}
    digest = hashlib.sha256(str(dependencies).encode())
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    archive = target / "zips" / f"{part.resource}-{digest.hexdigest()[:16]}.zip"
    if not archive.exists():
        for stale in archive.parent.glob(f"{part.resource}-*.zip"):
            stale.unlink(missing_ok=True)
        _zip(archive, part.prefix, files, dependencies)
    return Artifact(part.resource, part.property, archive)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFT_OUT.intersection(path.relative_to(folder).parts):
            yield path.relative_to(folder).as_posix(), path


def _dependencies(requirements: Path, target: Path) -> Path:
    """The installed requirements, made once for each list and interpreter."""
    lists = "\n".join(path.read_text(encoding="utf-8") for path in (requirements, CONSTRAINTS))
    key = f"{lists}\n{sys.version}\n{platform.platform()}"
    folder = target / "dependencies" / hashlib.sha256(key.encode()).hexdigest()[:16]
    if folder.exists():
        return folder
    draft = folder.with_suffix(f".{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    done = subprocess.run(
        [*command, "--target", str(draft), "-r", str(requirements)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        raise BuildError(f"pip could not install {requirements}:\n{done.stderr.strip()}")
    for tests in [path for path in draft.rglob("tests") if path.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)
    # Bytecode that is valid whatever the file's date: every cold start on the laptop would compile it anew.
    compile_all = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, *compile_all, str(draft)], capture_output=True, check=False)
    try:
        draft.rename(folder)
    except OSError:  # another build was faster
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _zip(archive: Path, prefix: str, files: Mapping[str, Path], dependencies: Path | None) -> None:
    """Write the zip. Dependencies are stored, not deflated: the laptop unpacks them for every worker."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(draft, "w") as file:
        for name, path in files.items():
            _add(file, prefix + name, path, zipfile.ZIP_DEFLATED)
        if dependencies is not None:
            for path in sorted(dependencies.rglob("*")):
                if path.is_file():
                    _add(file, prefix + path.relative_to(dependencies).as_posix(), path, zipfile.ZIP_STORED)
    draft.replace(archive)


def _add(file: zipfile.ZipFile, name: str, path: Path, compression: int) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    file.writestr(entry, path.read_bytes(), compress_type=compression, compresslevel=9)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.width = 100_000
    yaml.preserve_quotes = True
    return yaml


if __name__ == "__main__":
    if sys.argv[1:] == ["catalogues"]:
        compile_catalogues(ROOT / "shared" / "locale")
        compile_catalogues(ROOT / "infra" / "locale")
    else:
        for made in build():
            print(f"{made.resource:<20}{made.zip.stat().st_size / 1024:10.1f} KB  {made.zip.relative_to(ROOT)}")
