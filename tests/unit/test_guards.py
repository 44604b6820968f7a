"""Rules about the repository itself: who may import whom, and that no promise stands without its test."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOLVERS = {"networkx", "highspy", "numpy"}
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module below some folders, parsed."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> set[str]:
    """What a module imports, at its top or later, by full name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            found |= {str(node.module), *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def offending(folder: str, *forbidden: str) -> list[str]:
    """Modules below a folder that import something forbidden."""
    return [
        f"{path} imports {name}"
        for path, tree in modules(folder)
        for name in sorted(imports(tree))
        if any(name == one or name.startswith(f"{one}.") for one in forbidden)
    ]


def test_no_function_imports_another() -> None:
    """Siblings are not in its zip."""
    names = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    assert len(names) == 7
    for name in names:
        siblings = [f"functions.{other}" for other in names if other != name]
        assert offending(f"functions/{name}", *siblings) == []


def test_the_shared_code_imports_no_function() -> None:
    assert offending("shared", "functions") == []


def test_shared_code_has_more_than_one_user() -> None:
    """A module that a single function uses stands in that function's folder."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for path, tree in modules("functions", "shared", "infra"):
        part = "/".join(path.parts[:2]) if path.parts[0] == "functions" else path.parts[0]
        for name in imports(tree):
            users[name].add(part)
    names = [".".join(path.with_suffix("").parts) for path, _ in modules("shared") if path.name != "__init__.py"]

    assert {name: users[name] for name in names if len(users[name]) == 1 and users[name] != {"shared"}} == {}
    assert [name for name in names if not users[name]] == []


def test_neither_functions_nor_shared_code_import_the_infrastructure() -> None:
    assert offending("functions", "infra", "tests") == []
    assert offending("shared", "infra", "tests") == []


def test_solver_libraries_stay_in_the_allocator() -> None:
    """Every other function would start slower and be larger by 70 MB."""
    for folder in (ROOT / "functions").iterdir():
        if folder.is_dir() and folder.name not in {"allocate", "__pycache__"}:
            assert offending(f"functions/{folder.name}", *SOLVERS) == []
    assert offending("shared", *SOLVERS) == []
    assert offending("infra", "networkx") == []


def test_no_two_parts_of_the_infrastructure_import_each_other() -> None:
    """The command line imports its parts, the demo the cloud, and none of them the way back."""
    assert offending("infra/demo", "infra.cli", "infra.start") == []
    assert offending("infra/cloud", "infra.cli", "infra.demo", "infra.report", "infra.verify", "infra.files") == []
    assert offending("infra/verify", "infra.cli", "infra.demo", "infra.cloud", "infra.report", "infra.files") == []


@pytest.mark.parametrize("text", ["import numpy", "from networkx import DiGraph", "def f():\n    import highspy.cb"])
def test_an_import_is_seen_wherever_it_stands(text: str) -> None:
    assert any(name.partition(".")[0] in SOLVERS for name in imports(ast.parse(text)))


def marked() -> dict[str, set[str]]:
    """The files whose tests hold each promise."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path, tree in modules("tests"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                found[ast.literal_eval(node.args[0])].add(path.as_posix())
    return dict(found)


def promised() -> dict[str, set[str]]:
    """The files that the table names for each promise."""
    rows = re.findall(r"^\| (P\d+) \|[^|]+\|([^|]+)\|", PROMISES, re.MULTILINE)
    assert len(rows) >= 18
    return {number: set(re.findall(r"`(tests/[\w/.]+)`", files)) for number, files in rows}


def test_every_promise_has_its_tests_and_every_such_test_its_promise() -> None:
    assert promised() == marked()


PROSE = ("*.py", "*.md", "*.html", "*.txt", "*.js", "*.yaml", "*.pot")
AVOIDED = re.compile(r"\b(whoever|somebody)\b", re.IGNORECASE)


def test_sentences_name_their_subject() -> None:
    """An attendee, an organiser, another invocation: readers should not have to guess (words in CONTRIBUTING.md)."""
    rooms = ["functions", "shared", "infra", "tests", "docs"]
    paths = [path for room in rooms for kind in PROSE for path in (ROOT / room).rglob(kind)]
    paths += ROOT.glob("*.md")
    vague = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in paths
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if AVOIDED.search(line)
    ]

    assert len(paths) > 300
    assert vague == []


def test_tests_that_share_a_worker_go_to_one_worker(request: pytest.FixtureRequest) -> None:
    """`--dist loadgroup` reads groups at the ends of ids; without them every worker deploys a stack of its own."""
    expected = {}
    for item in request.session.items:
        marker = item.get_closest_marker("xdist_group")
        if marker and request.config.getoption("loadgroup", default=False):
            expected[item.nodeid] = f"@{marker.args[0]}"

    assert [nodeid for nodeid, group in expected.items() if not nodeid.endswith(group)] == []
