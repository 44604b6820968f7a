"""The README tells the truth: its commands run, its tables match the code, its links lead somewhere."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest

from infra.cli import build_parser, main
from infra.demo.attendees import make_attendees
from infra.demo.day import SAMPLE
from shared.event_file import load_event
from shared.events import read_event
from shared.table import Table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "infra" / "template.yaml").read_text(encoding="utf-8")


def commands(program: str) -> list[list[str]]:
    """The arguments of each call of a program in the shell blocks, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.strip()]
    return [words[1:] for words in lines if Path(words[0]).name == program]


def test_it_is_neither_a_leaflet_nor_a_book() -> None:
    assert 150 <= len(README.splitlines()) <= 200


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_each_make_command_is_a_target_with_known_options(words: list[str]) -> None:
    target, *given = words
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    if target == "demo":
        arguments = " ".join(given).removeprefix("ARGS=")
        build_parser().parse_args(["demo", *shlex.split(arguments)])


def test_the_command_line_does_what_it_shows_from_top_to_bottom(
    tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check the sample, allocate people, verify what came out, put the event: each with exit code 0."""
    (tmp_path / "infra" / "events").mkdir(parents=True)
    for copy in ("infra/events/nature-connectivity.yaml", "EVENT.yaml"):
        shutil.copy(SAMPLE, tmp_path / copy)
    people = make_attendees(load_event(SAMPLE), 40, "readme")
    with (tmp_path / "PEOPLE.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "partner_type", *(f"choice_{place}" for place in range(1, 5))])
        writer.writerows([f"p{number}", one.partner_type, *one.choices] for number, one in enumerate(people))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("infra.cli.find_table", lambda *_arguments, **_options: table)

    shown = [words for words in commands("parcours") if words[0] != "deploy"]
    assert {words[0] for words in shown} == {"event", "allocate", "verify"}
    assert [(words, main(words)) for words in shown] == [(words, 0) for words in shown]

    written = {path.name for path in (tmp_path / "DIR").iterdir()}
    assert written == set(re.findall(r"`(\w+\.(?:json|csv|html))`", README)) - {"PEOPLE.csv"}
    assert read_event(table, "nature-connectivity") is not None


def test_every_function_has_its_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert rows == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


def test_the_command_that_deploys_is_understood_and_its_parameters_are_there() -> None:
    (deploy,) = [words for words in commands("parcours") if words[0] == "deploy"]
    assert build_parser().parse_args(deploy).sender
    named = re.search(r"other\s+parameters are ([\w,\s]+) and more", README)
    assert named is not None
    assert [name for name in re.split(r",\s*|\s+and\s+", named[1]) if f"\n  {name}:\n" not in TEMPLATE] == []


def test_every_file_it_shows_or_names_is_there() -> None:
    named = re.findall(r"\]\(([\w./-]+)\)", README) + re.findall(r"`(infra/[\w./-]+|LICENSE)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
