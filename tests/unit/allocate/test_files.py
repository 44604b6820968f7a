"""`parcours allocate` and `verify` on files: bad input is named by file and line, and nothing is written."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from functions.allocate.curve import Point
from functions.allocate.model.problem import EngineCannotError
from infra import words
from infra.cli import main
from infra.cloud.build import ROOT
from infra.report.charts import curve_picture
from shared.allocations import checksum
from shared.attendees import Attendee, question
from shared.event_file import event_yaml
from shared.i18n import told
from tests.support.bracketed import Bracketing, bracket_translations, greek_event, unmarked_words
from tests.support.factories import event_data, make_event

HEADER = "id,partner_type,choice_1,choice_2,choice_3,choice_4,absent,pinned\n"
ANN = "ann,ngo,vision,governance,resources,wildlife,,\n"
BOB = "bob,research,governance,vision,,,second,first:wildlife\n"
FILES = {"allocation.json", "programmes.csv", "workshops.csv", "report.html"}

THEMES = ("vision", "governance", "resources", "wildlife")

MANY = 1_000_000
LIMIT_MEGABYTES = 2_000

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def event_file(tmp_path: Path) -> Path:
    """Four themes, two rounds, three partner types. JSON is YAML."""
    path = tmp_path / "event.yaml"
    path.write_text(json.dumps(event_data(), indent=1), encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path, event_file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Allocate people from a file of this content. Returns the exit code and the lines of complaint."""

    def allocate(content: str | bytes, *options: str) -> tuple[int, list[str]]:
        people = tmp_path / "people.csv"
        people.write_bytes(content.encode() if isinstance(content, str) else content)
        code = main(["allocate", str(event_file), str(people), "--out", str(tmp_path / "out"), *options])
        return code, capsys.readouterr().err.splitlines()

    return allocate


def previous_file(folder: Path, programmes: Any) -> str:
    """An allocation.json of which only the programmes matter."""
    path = folder / "previous.json"
    path.write_text(json.dumps({"programmes": programmes}, indent=1), encoding="utf-8")
    return str(path)


def test_four_files_are_written_and_verify_agrees(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(HEADER + ANN + BOB) == (0, [])

    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == FILES
    with (out / "programmes.csv").open(encoding="utf-8-sig", newline="") as file:
        programmes = {row["id"]: row for row in csv.DictReader(file)}
    assert programmes["bob"] == {
        **{"id": "bob", "round_first": "wildlife", "round_second": ""},
        **{"round_first_title": "Wildlife", "round_first_hours": "13:00-14:15", "round_first_room": "Room wildlife"},
        **{"round_second_title": "", "round_second_hours": "", "round_second_room": ""},
    }
    assert {programmes["ann"]["round_first"], programmes["ann"]["round_second"]} == {"vision", "governance"}
    assert main(["verify", str(event_file), str(tmp_path / "people.csv"), str(out / "allocation.json")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert {line[:4] for line in said[:-1]} == {"ok  "}
    assert "mean cost by partner type" in said[-1]


def test_the_report_has_no_words_that_cannot_be_translated(
    tmp_path: Path, event_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In brackets, as in `tests.support.bracketed`; the programmes are those of any other language."""
    event_file.write_text(event_yaml(greek_event()), encoding="utf-8")
    run(HEADER + ANN + BOB, "--seed", "same")
    plain = (tmp_path / "out" / "programmes.csv").read_bytes()
    bracket_translations(monkeypatch)
    monkeypatch.setattr(words, "_with_catalogue", lambda _: Bracketing())

    assert run(HEADER + ANN + BOB, "--seed", "same", "--language", "fr")[0] == 0

    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert unmarked_words(report) == []
    assert '<html lang="fr">' in report
    assert (tmp_path / "out" / "programmes.csv").read_bytes() == plain
    assert (
        main(["verify", str(event_file), str(tmp_path / "people.csv"), str(tmp_path / "out" / "allocation.json")]) == 0
    )
    told = capsys.readouterr().out
    assert [line for line in unmarked_words(told) if line != "ok"] == []


NUMBERED = ("11", "12", "13", "14")


@pytest.fixture
def greek(tmp_path: Path, event_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The event file, in Greek letters and with ids of digits; every message from now on is said in brackets."""
    names = dict(zip(THEMES, NUMBERED, strict=True))
    data = YAML(typ="safe").load(event_yaml(greek_event()))
    data["themes"] = [{**theme, "id": names[theme["id"]], "minimum": 1} for theme in data["themes"]]
    data["partner_types"] = [{**kind, "id": f"2{n}"} for n, kind in enumerate(data["partner_types"])]
    data["rounds"] = [{**slot, "id": f"3{n}"} for n, slot in enumerate(data["rounds"])]
    data["agenda"] = []
    data.pop("capacities", None)
    event_file.write_text(json.dumps(data), encoding="utf-8")
    bracket_translations(monkeypatch)
    monkeypatch.setattr(words, "_with_catalogue", lambda _: Bracketing())
    return event_file


ODD: list[Any] = [1, True, 1.0, None, "1", 'é"\\\n\x00\u2028', [], {}, {"b": 1, "a": True}, {"b": True, "a": 1}]


def test_the_checksum_is_that_of_canonical_json_whatever_a_document_holds() -> None:
    """Quicker ways to write small maps and texts write the same; 1 and true are equal in Python and not in JSON."""
    maps = {f"{n}": {"x": one, "y": other} for n, (one, other) in enumerate(product(ODD, ODD))}
    for document in (
        {"all": maps},
        {"texts": {str(n): one for n, one in enumerate(ODD * 150)}},
        {"": {}, "ü": ODD},
        {},
    ):
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert checksum(document) == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def test_the_question_is_canonical_json_whatever_names_people_have() -> None:
    event = make_event()
    names = ["plain", 'quo"te', "back\\slash", "é\u2028", "line\nbreak", "\x7f"]
    people = [Attendee(name, "ngo", THEMES[: n % 5]) for n, name in enumerate(names)]
    people.append(Attendee("special", "ngo", THEMES, {"first"}, {"second": "vision"}, {"wildlife"}))

    _, *lines = question(event, people, "fresh", "seed")

    assert [json.loads(line) for line in lines] == [
        [a.id, a.partner_type, list(a.ranking), sorted(a.absent), dict(a.pinned), sorted(a.excluded), {}]
        for a in sorted(people, key=lambda one: one.id)
    ]
    for line in lines:
        canonical = json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert line.decode() == f"{canonical}\n"


def test_no_fault_of_a_forged_file_has_words_that_cannot_be_translated(
    tmp_path: Path, greek: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every field is forged at once, in files that each get as far as another check."""
    crowd = "".join(f"{n}η,2{n % 3},{','.join(NUMBERED[n % 4 :] + NUMBERED[: n % 4])},,\n" for n in range(8))
    assert run(HEADER + crowd)[0] == 0
    file = tmp_path / "out" / "allocation.json"
    honest = json.loads(file.read_text(encoding="utf-8"))
    first, second = list(honest["programmes"])[:2]
    strange = {"30": "11", "31": "11", "39": "ω"}
    forged: list[dict[str, Any]] = [
        {"programmes": {**honest["programmes"], first: strange, "θ": {}}, "event": "θ", "weight": 9, "bound": 10**6},
        {"programmes": {second: {"30": "ω"}}, "moved": {"θ": {"30": "11"}, first: {}}, "reasons": {"θ": "θ"}},
        {"satisfaction": {"9": 1}, "optimal": False, "gap": 3, "draw": "pairwise", "engine": "flow+exact"},
        {"objective": dict.fromkeys(("total", "rank", "balance", "change"), 1), "why": "θ", "price_scale": 60},
        {"prices": {"ω": {}}, "price_scale": 0, "previous": {"θ": strange}, "change_cost": 4},
        {"prices": {t: {r: {**g, "20": 10**9} for r, g in p.items()} for t, p in honest["prices"].items()}},
        {"seconds": -1, "θ": 1, "mode": "θ"},
        {"programmes": {who: {"30": "11", "31": "12"} for who in honest["programmes"]}},
    ]
    capsys.readouterr()

    for changes in forged:
        file.write_text(json.dumps({**honest, **changes}), encoding="utf-8")
        assert main(["verify", str(greek), str(tmp_path / "people.csv"), str(file)]) == 1
    file.write_text(file.read_text("utf-8")[:-1] + ', "bound": 1}', encoding="utf-8")
    assert main(["verify", str(greek), str(tmp_path / "people.csv"), str(file)]) == 1

    found = capsys.readouterr().out
    assert found.count("FAIL") > 40
    left = [line for line in unmarked_words(re.sub(r"⟦(FAIL|ok)  ", "⟦", found)) if line not in ("ok", "total")]
    assert left == []


def test_no_cut_has_words_that_cannot_be_translated(tmp_path: Path, greek: Path, run: Run) -> None:
    """Too few seats, minima above the crowd, a person without a choice, and a cut that only prices show."""
    data = json.loads(greek.read_text(encoding="utf-8"))
    crowd = "".join(f"{n}η,20,11,12,13,14,,\n" for n in range(12))
    no_seat, one_late = {"30": 0, "31": 0}, {"30": 0, "31": 1}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"capacities": {t: {"30": 2} for t in NUMBERED}}, crowd),
        ({"capacities": {t: {"30": 0} for t in NUMBERED}}, crowd),
        ({}, f"{crowd}9θ,20,11,12,13,14,,30:ω\n"),
        ({"capacities": {"11": {"30": 12}, "12": {"30": 0}, "13": {"30": 0}, "14": {"30": 0}}}, crowd),
        ({"capacities": {t: {"30": 12 if t == "11" else 0, "31": 11 if t == "11" else 0} for t in NUMBERED}}, crowd),
        ({"capacities": {"11": {"30": 9, "31": 9}, "12": {"30": 3, "31": 2}, "13": no_seat, "14": one_late}}, crowd),
        ({}, "η,20,11,12,13,14,,\n"),
    ]

    said = []
    for changes, people in cases:
        greek.write_text(json.dumps({**data, **changes}), encoding="utf-8")
        said.append(run(HEADER + people))

    assert [code for code, _ in said] == [3, 3, 2, 3, 3, 3, 3]
    assert [unmarked_words("\n".join(lines).replace(str(tmp_path), "")) for _, lines in said] == [[]] * len(said)


def test_a_byte_order_mark_semicolons_blank_lines_and_other_columns_do_not_matter(tmp_path: Path, run: Run) -> None:
    """What spreadsheets make of the same people."""
    run(HEADER + ANN + BOB, "--seed", "same")
    plain = (tmp_path / "out" / "programmes.csv").read_text(encoding="utf-8")
    lines = (HEADER + BOB + ANN).replace(",", ";").splitlines()
    sheet = "\r\n".join([lines[0] + ";remark", "", *(f"{line};hello" for line in lines[1:])])

    code, said = run(b"\xef\xbb\xbf" + sheet.encode(), "--seed", "same")

    assert (code, said) == (0, [f"{tmp_path / 'people.csv'}: columns not used: 'remark'"])
    assert (tmp_path / "out" / "programmes.csv").read_text(encoding="utf-8") == plain


def as_xlsx(text: str) -> bytes:
    """A sheet with these cells, under a title."""
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        page = book.add_worksheet()
        for line, row in enumerate(["The people", "", *text.splitlines()]):
            page.write_row(line, 0, row.split(","))
    return data.getvalue()


DUTCH = "id,Soort organisatie,1e keuze,2e keuze,3e keuze,4e keuze,absent,pinned\n" + (ANN + BOB).replace(
    "vision", "Vision"
).replace("first:Vision", "first:vision")


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + ANN + BOB).encode("utf-16"),
        DUTCH.replace(",", "\t").encode("utf-16-le"),
        ("sep=;\nPersonen \u00e0 la carte\n" + DUTCH.replace(",", ";")).encode("cp1252"),
        as_xlsx(DUTCH),
    ],
    ids=["UTF-16", "UTF-16 without a mark, tabs, Dutch", "Windows-1252, sep=, title", "XLSX"],
)
def test_the_command_line_reads_the_files_that_the_import_page_reads(tmp_path: Path, run: Run, content: bytes) -> None:
    run(HEADER + ANN + BOB, "--seed", "same")
    plain = (tmp_path / "out" / "programmes.csv").read_text(encoding="utf-8")

    assert run(content, "--seed", "same") == (0, [])

    assert (tmp_path / "out" / "programmes.csv").read_text(encoding="utf-8") == plain


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("", ["1: the file is empty"]),
        ("  \n\n", ["1: the file is empty"]),
        (HEADER, ["1: there are no people in the file"]),
        ("id,choice_1\n", ["1: the column 'partner_type' is missing"]),
        ("id,partner_type,choice_1,choice_3\n", ["1: the column 'choice_2' is missing"]),
        ("id,id,partner_type,choice_1\n", ["1: the column 'id' appears twice"]),
        (HEADER + ANN + BOB + ANN, ["4: id 'ann' appears twice, first on line 2"]),
        (HEADER + ",ngo,vision,,,,,\n", ["2: the id is empty"]),
        (HEADER + "ann,farmers,vision,,,,,\n", ["2: 'farmers' is no partner type of the event"]),
        (HEADER + "ann,ngo,vison,,,,,\n", ["2: 'vison' is no theme of the event"]),
        (HEADER + "ann,ngo,vision,vision,,,,\n", ["2: ranks 'vision' more than once"]),
        (HEADER + "ann,ngo,vision,,resources,,,\n", ["2: choice_2 is empty and a later choice is not"]),
        (HEADER + "ann,ngo,vision,,,,third,\n", ["2: absent in 'third', which is no round of the event"]),
        (HEADER + "ann,ngo,vision,,,,first,first:vision\n", ["2: absent in 'first' and pinned there"]),
        (HEADER + "ann,ngo,vision,,,,,first:vision first:wildlife\n", ["2: pinned: two pins in 'first'"]),
        (HEADER + "ann,ngo,vision,,,,,first:vision second:vision\n", ["2: pinned: the same theme in two rounds"]),
        (HEADER + "ann,ngo,vision,,,,,first=vision\n", ["2: pinned: 'first=vision' is not round:theme"]),
        (HEADER + "ann,ngo,vision,,,,,first:vison\n", ["2: pinned: 'vison' is no theme of the event"]),
        (HEADER + "ann,ngo,vision,,,,,third:vision\n", ["2: pinned: 'third' is no round of the event"]),
        (HEADER + "ann,ngo,vision,,,,,,,surplus\n", ["2: 10 fields for 8 columns"]),
        (HEADER + ANN + '"bob,ngo,vision\n', ["3: a quotation mark opens here and is never closed"]),
        (
            (HEADER + ANN).encode() + b"zo\x81,ngo,vision,,,,,\n",
            ["1: This is no text that can be read. Save the file as CSV UTF-8 or as XLSX."],
        ),
        (
            HEADER + "ann,ngo,vision,vision,,,,\n\nbob,farmers,vison,,,,,\n",
            [
                "2: ranks 'vision' more than once",
                "4: 'farmers' is no partner type of the event",
                "4: 'vison' is no theme of the event",
            ],
        ),
    ],
)  # fmt: skip
def test_every_fault_of_people_is_named_by_file_and_line(
    tmp_path: Path, run: Run, content: str | bytes, faults: list[str]
) -> None:
    """All faults at once, exit 2, nothing written."""
    code, said = run(content)

    assert (code, said) == (2, [f"{tmp_path / 'people.csv'}:{fault}" for fault in faults])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("programmes", "fault"),
    [
        ({"ann": {"first": "vison"}}, "4: ann: 'vison' is no theme of the event"),
        ({"ann": {"first": "vision"}, "bob": {"third": "vision"}}, "7: bob: 'third' is no round of the event"),
        ({"ann": {"first": "vision", "second": "vision"}}, "3: ann: the same theme in two rounds"),
        (["ann"], "1: it holds no `programmes` by attendee and round"),
        ({"ann": ["vision"]}, "1: it holds no `programmes` by attendee and round"),
    ],
)
def test_a_previous_allocation_that_no_longer_fits_the_event_is_named_by_file_and_line(
    tmp_path: Path, run: Run, programmes: Any, fault: str
) -> None:
    previous = previous_file(tmp_path, programmes)

    code, said = run(HEADER + ANN, "--mode", "keep", "--previous", previous)

    assert (code, len(said)) == (2, 1)
    # The line of the person, whose programme may go on for some lines.
    assert re.sub(r":\d+:", ":", said[0]) == re.sub(r":\d+:", ":", f"{previous}:{fault}")
    assert not (tmp_path / "out").exists()


def test_a_keep_run_without_a_past_is_bad_input(tmp_path: Path, run: Run) -> None:
    code, said = run(HEADER + ANN, "--mode", "keep")

    assert (code, len(said)) == (2, 1)
    assert "--mode keep needs --previous" in said[0]


def test_a_previous_file_that_is_no_json_names_its_line(tmp_path: Path, run: Run) -> None:
    broken = tmp_path / "previous.json"
    broken.write_text('{\n "programmes": {\n  "ann": }\n', encoding="utf-8")

    code, said = run(HEADER + ANN, "--mode", "keep", "--previous", str(broken))

    assert code == 2
    assert said[0].startswith(f"{broken}:3: this is no JSON")


def test_files_that_are_not_there_are_bad_input(tmp_path: Path, event_file: Path, run: Run) -> None:
    assert run(HEADER + ANN, "--previous", str(tmp_path / "none.json"))[0] == 2
    assert main(["allocate", str(event_file), str(tmp_path / "none.csv"), "--out", str(tmp_path / "out")]) == 2
    assert main(["allocate", str(tmp_path / "none.yaml"), str(event_file), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_the_event_is_named_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = tmp_path / "event.yaml"
    event.write_text(json.dumps(event_data(timezone="Europe/Brusels"), indent=1), encoding="utf-8")
    (tmp_path / "people.csv").write_text(HEADER + ANN, encoding="utf-8")

    assert main(["allocate", str(event), str(tmp_path / "people.csv"), "--out", str(tmp_path / "out")]) == 2

    line = next(n for n, text in enumerate(event.read_text("utf-8").splitlines(), 1) if "Brusels" in text)
    assert capsys.readouterr().err.startswith(f"{event}:{line}: timezone: ")


def test_too_few_seats_are_told_in_numbers_and_nothing_is_written(tmp_path: Path, run: Run) -> None:
    """Forty seats a round for forty-one people."""
    crowd = "".join(f"person-{n},ngo,vision,governance,resources,wildlife,,\n" for n in range(41))

    code, said = run(HEADER + crowd)

    assert code == 3
    assert "The round at 13:00 has 40 seats for 41 people present: 1 seat is missing." in said[0]
    assert not (tmp_path / "out").exists()


def test_an_altered_file_fails_verification(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """One number in one sentence is enough: the checksum covers every character that counts."""
    run(HEADER + ANN + BOB)
    file = tmp_path / "out" / "allocation.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("your 1st choice", "your 2nd choice", 1), encoding="utf-8")

    assert main(["verify", str(event_file), str(tmp_path / "people.csv"), str(file)]) == 1

    said = capsys.readouterr().out
    assert "FAIL  the file is as it was written (checksum)" in said
    assert "FAIL  everyone has a reason that the numbers support: ann" in said


@pytest.mark.sweep
def test_a_million_rows_with_one_bad_line_are_refused_in_little_memory(tmp_path: Path, event_file: Path) -> None:
    """In a process of its own, so that its peak memory is its own."""
    people, bad = tmp_path / "people.csv", 765_432
    with people.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        file.writelines(
            f"person-{n},ngo,vision,governance,{'resurces' if n == bad else 'resources'},wildlife,,\n"
            for n in range(2, MANY + 2)
        )
    command = (
        "import sys, infra.cli; code = infra.cli.main(sys.argv[1:]); "
        "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]); sys.exit(code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", command, "allocate", str(event_file), str(people), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines() == [f"{people}:{bad}: 'resurces' is no theme of the event"]
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()
    assert int(done.stdout) < LIMIT_MEGABYTES * 1024


KINDS = ("ngo", "research", "government")

ROUNDS_DIFFER = {"capacities": {"vision": {"second": 0}, "governance": {"second": 0}}}


def test_rounds_that_differ_are_allocated_and_the_report_says_why_it_has_no_curve(
    tmp_path: Path, event_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest case: one person whose first two choices are offered in the first round only."""
    from infra.report import page as report

    monkeypatch.setattr(report, "balance_curve", refused)
    event_file.write_text(json.dumps(event_data(**ROUNDS_DIFFER)), encoding="utf-8")

    code, _ = run(HEADER + ANN)

    assert code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "There is no curve for this allocation." in page
    assert "How to check it" in page
    assert verified(event_file, tmp_path)


def test_rounds_that_differ_have_a_curve_in_the_report(tmp_path: Path, event_file: Path, run: Run) -> None:
    """A table with all weights; the one allocation that is proven for all of them is no curve of a dot."""
    event_file.write_text(json.dumps(event_data(**ROUNDS_DIFFER)), encoding="utf-8")
    crowd = "".join(f"{n},{kind},{','.join(THEMES[n % 4 :] + THEMES[: n % 4])},,\n" for n, kind in enumerate(KINDS * 4))

    assert run(HEADER + crowd)[0] == 0

    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    weights = re.findall(r"<tr><td class=n>(\d+)(?: \(this run\))?</td>.*?<td>(\w+)</td></tr>", page)
    assert weights == [(weight, "yes") for weight in ("0", "1", "2", "4", "8", "16")]


@pytest.mark.parametrize(("proven", "marks"), [(True, 0), (False, 1)])
def test_a_point_that_is_not_proven_is_a_square(*, proven: bool, marks: int) -> None:
    points: list[Point] = [
        {"weight": 0, "mean_choice": 1.5, "outside": 4, "proven": True},
        {"weight": 2, "mean_choice": 1.75, "outside": 1, "proven": proven},
    ]

    picture = curve_picture(points, 2)

    assert (picture.count("<rect"), picture.count("<circle")) == (marks, 2 - marks)


def test_rounds_that_differ_end_in_four_files(tmp_path: Path, event_file: Path, run: Run) -> None:
    event_file.write_text(json.dumps(event_data(**ROUNDS_DIFFER)), encoding="utf-8")

    code, _ = run(HEADER + ANN)

    assert code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert verified(event_file, tmp_path)


@pytest.mark.parametrize("section", ["_fill", "_mix", "_choices", "_worst_off", "_curve", "_proof"])
def test_a_section_of_the_report_that_fails_costs_no_other_section(
    section: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra.report import page as report

    def broken(_: object) -> str:
        raise ZeroDivisionError

    broken.__name__ = section
    monkeypatch.setattr(report, section, broken)

    assert run(HEADER + ANN + BOB)[0] == 0

    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"Not drawn: {section.strip('_').replace('_', ' ')}" in page
    assert page.count("could not be drawn") == 1


def refused(*_: object, **__: object) -> None:
    """The fast engine on rounds that differ."""
    raise EngineCannotError(told("the themes do not fit the rounds in any order"))


def verified(event_file: Path, folder: Path) -> bool:
    """Whether `verify` agrees with what was written."""
    return main(["verify", str(event_file), str(folder / "people.csv"), str(folder / "out" / "allocation.json")]) == 0


def test_none_found_in_time_is_not_said_to_be_none_at_all(
    tmp_path: Path, run: Run, event_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the flow's timetable does not fit and the exact engine has no time, nothing is known yet."""
    from functions.allocate import solve

    monkeypatch.setattr(solve, "close_gap", lambda problem, groups, flow, *_: replace(flow, places=None))
    event_file.write_text(json.dumps(event_data(**ROUNDS_DIFFER)), encoding="utf-8")

    code, said = run(HEADER + ANN)

    assert code == 4
    assert said == [
        "No allocation was found in 120 seconds, though none is ruled out. Nothing was written. "
        "Give it more time with --time-budget SECONDS."
    ]
    assert not (tmp_path / "out").exists()


def test_an_engine_that_cannot_does_not_say_that_none_exists(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.allocate.flows import two_flows

    monkeypatch.setattr(two_flows, "make_timetable", refused)

    code, said = run(HEADER + ANN, "--engine", "flow")

    assert code == 4
    assert "The engine 'flow' cannot allocate these people" in said[0]
    assert "No allocation exists" not in said[0]
    assert not (tmp_path / "out").exists()


def test_no_allocation_exists_is_said_when_the_seats_do_not_suffice(run: Run, event_file: Path) -> None:
    event_file.write_text(
        json.dumps(event_data(capacities={theme: {"first": 0} for theme in THEMES[1:]} | {THEMES[0]: {"first": 1}})),
        encoding="utf-8",
    )

    code, said = run(HEADER + ANN + ANN.replace("ann", "amy"))

    assert code == 3
    assert said[0].startswith("No allocation exists. ")
    assert said[0].count("No allocation exists") == 1


def test_who_may_not_join_a_theme_is_told_so_and_gets_another(tmp_path: Path, run: Run) -> None:
    """A theme ruled out for one person in PEOPLE.csv, and one that is open to another partner type only."""
    event = tmp_path / "event.yaml"
    data = event_data()
    data["themes"][1]["for"] = ["government"]
    event.write_text(json.dumps(data, indent=1), encoding="utf-8")
    header = HEADER.replace("\n", ",excluded\n")

    code, said = run(header + "ann,ngo,vision,governance,resources,wildlife,,,vision\n")

    assert (code, said) == (0, [])
    document = json.loads((tmp_path / "out" / "allocation.json").read_text(encoding="utf-8"))
    assert sorted(document["programmes"]["ann"].values()) == ["resources", "wildlife"]
    assert document["objective"]["rank"] == 0 + 1  # first and second of the two that are left to rank
    assert document["reasons"]["ann"] == (
        "Resources (your 1st choice) and Wildlife (your 2nd choice). Vision, which you also ranked, is not open to "
        "you. Governance, which you also ranked, is not open to you."
    )
    assert main(["verify", str(event), str(tmp_path / "people.csv"), str(tmp_path / "out" / "allocation.json")]) == 0


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("ann,ngo,vision,,,,,,visions\n", "excluded: 'visions' is no theme of the event"),
        ("ann,ngo,vision,,,,,first:vision,vision\n", "excluded from 'vision' and pinned there"),
        (
            "ann,ngo,vision,,,,,first:governance,\n",
            "pinned to 'governance', which is not open to the partner type 'ngo'",
        ),
    ],
)
def test_a_theme_that_is_ruled_out_is_a_theme_and_nobody_is_pinned_to_it(
    tmp_path: Path, run: Run, row: str, fault: str
) -> None:
    data = event_data()
    data["themes"][1]["for"] = ["government"]
    (tmp_path / "event.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")

    code, said = run(HEADER.replace("\n", ",excluded\n") + row)

    assert code == 2
    assert said == [f"{tmp_path / 'people.csv'}:2: {fault}"]


@pytest.mark.parametrize(("one", "other"), [("A1", "a1"), ("Ren\u00e9", "Rene\u0301"), ("p1", "p1")])
def test_ids_that_look_the_same_are_one_person_or_a_mistake(tmp_path: Path, run: Run, one: str, other: str) -> None:
    code, said = run(HEADER + f"{one},ngo,vision,,,,,\n{other},ngo,vision,,,,,\n")

    assert code == 2
    assert said[0].startswith(f"{tmp_path / 'people.csv'}:3: id {other!r}")
    assert said[0].endswith("first on line 2")


@pytest.mark.parametrize(
    ("line", "key"), [('"optimal": true', "optimal"), ('    "ann": {"first": "wildlife", "second": "vision"}', "ann")]
)
def test_a_key_that_stands_twice_is_noticed(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str], line: str, key: str
) -> None:
    """The checksum is made of what was read last, another reader may take what stands first."""
    run(HEADER + ANN + BOB)
    file = tmp_path / "out" / "allocation.json"
    text = file.read_text(encoding="utf-8")
    place = text.index(f'"{key}": {{"first"') if key == "ann" else text.index(f'"{key}"')
    file.write_text(f"{text[:place]}{line.strip()},\n{text[place:]}", encoding="utf-8")

    assert main(["verify", str(event_file), str(tmp_path / "people.csv"), str(file)]) == 1
    assert f"{key!r} stands in it twice" in capsys.readouterr().out


Forged = Callable[[dict[str, Any]], object]

FORGED: dict[str, Forged] = {
    "a tolerance that is no number": lambda file: file.update(tolerance="x"),
    "a tolerance over 0": lambda file: file.update(tolerance="1/0"),
    "a tolerance of a milliard digits": lambda file: file.update(tolerance="1e999999999"),
    "a tolerance in other digits": lambda file: file.update(tolerance="\uff11"),
    "a tolerance above 1": lambda file: file.update(tolerance="5"),
    "a number as text": lambda file: file.update(bound=str(file["bound"])),
    "a price as text": lambda file: file["prices"]["vision"]["first"].update(ngo="0"),
    "a price with a point": lambda file: file["prices"]["vision"]["first"].update(ngo=0.0),
    "a number as truth": lambda file: file.update(gap=False),
    "a truth as text": lambda file: file.update(optimal="yes"),
    "a truth as a number": lambda file: file.update(optimal=1),
    "a weight below nothing": lambda file: file.update(weight=-5),
    "a weight of 4,000 digits": lambda file: file.update(weight=10**4_000),
    "parts of 4,000 digits": lambda file: file.update(price_scale=10**4_000),
    "half a sign": lambda file: file.update(event="\ud800"),
    "half a sign for a name": lambda file: file["programmes"].update({"\ud800": {"first": "vision"}}),
    "a name that clears the terminal": lambda file: file["programmes"].update({"\x1b[2J\nok    all": {}}),
    "a field that clears the terminal": lambda file: file.update({"\x1b[2J\nok    all": 1}),
    "a name with a slot for a fact": lambda file: file["programmes"].update({"%(name)s %s": {}}),
    "not a number": lambda file: file.update(seconds=float("nan")),
    "a list for a programme": lambda file: file["programmes"].update(ann=["vision"]),
    "nothing for the reasons": lambda file: file.update(reasons=None),
}
"""What a person may do to a file who hopes that the verifier stumbles, or says what they want."""


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_file_ends_in_a_line_that_says_so(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str], forgery: str
) -> None:
    """With a checksum made anew: no traceback, nothing accepted as what it is not, no line that the file dictates."""
    run(HEADER + ANN + BOB)
    file = tmp_path / "out" / "allocation.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    FORGED[forgery](document)
    document["checksum"] = checksum(document)
    file.write_text(json.dumps(document), encoding="utf-8")

    code = main(["verify", str(event_file), str(tmp_path / "people.csv"), str(file)])

    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    assert code == 1 or (code == 2 and "this is no allocation" in said.err)
    assert code == 2 or any(line.startswith("FAIL") for line in lines)
    assert "ok    all" not in lines
    assert all(line.isprintable() for line in lines)


def test_programmes_have_names_where_the_people_have_and_no_cell_is_a_formula(tmp_path: Path, run: Run) -> None:
    header = HEADER.replace("\n", ",name\n")

    assert run(header + '"=HYPERLINK(1)",ngo,vision,,,,,,Ann\n+Zoë,ngo,vision,,,,,,@Zoë\n') == (0, [])

    data = (tmp_path / "out" / "programmes.csv").read_bytes()
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert data.startswith(b"\xef\xbb\xbf")
    assert {row["id"]: row["name"] for row in rows} == {"'=HYPERLINK(1)": "Ann", "'+Zoë": "'@Zoë"}
    assert (tmp_path / "out" / "workshops.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_column_that_says_who_withdrew_is_not_passed_over_in_silence(run: Run) -> None:
    header = HEADER.replace("\n", ",state\n")

    code, said = run(header + "ann,ngo,vision,,,,,,confirmed\nbob,ngo,vision,,,,,,withdrawn\n")

    assert code == 0
    assert "1 of 2 people hold no place" in said[0]


def test_columns_that_count_for_nothing_are_named_with_what_they_may_be_meant_to_be(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `allocate` and by `verify`; what only the organisers' list of people has is no surprise."""
    header = "id,partner_type,choice_1,choice_2,choise_3,abscent,Name,exclude,email,remark\n"

    code, said = run(header + "ann,ngo,vision,governance,wildlife,first,Ann,resources,ann@example.org,x\n")
    files = [event_file, tmp_path / "people.csv", tmp_path / "out" / "allocation.json"]
    assert main(["verify", *map(str, files)]) == 0

    unused = (
        f"{files[1]}: columns not used: 'choise_3' (is it choice_3?), 'abscent' (is it absent?), "
        "'exclude' (is it excluded?), 'remark'"
    )
    assert (code, said) == (0, [unused])
    assert capsys.readouterr().err.splitlines() == [unused]


def test_lists_in_a_cell_may_have_semicolons_and_titles(tmp_path: Path, run: Run) -> None:
    header = HEADER.replace("\n", ",excluded\n")

    assert run(header + "ann,ngo,vision,,,,,first:wildlife;second:vision,Governance; resources;\n") == (0, [])
    code, said = run(header + "ann,ngo,vision,,,,,,governance vison;\n")

    assert (code, said) == (2, [f"{tmp_path / 'people.csv'}:2: excluded: 'vison' is no theme of the event"])


def test_verify_tells_what_the_allocation_costs_each_partner_type(
    tmp_path: Path, event_file: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(HEADER + ANN + BOB)
    out = tmp_path / "out"

    main(["verify", str(event_file), str(tmp_path / "people.csv"), str(out / "allocation.json")])

    assert "mean cost by partner type: Ngo 1.00 (1 person), Research 4.00 (1 person)" in capsys.readouterr().out
    assert "What does it cost each partner type?" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "-1", "soon"])
def test_a_time_that_no_clock_can_count_is_bad_input(
    run: Run, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(HEADER + ANN, f"--time-budget={seconds}")

    assert ended.value.code == 2
    assert "write a number of seconds from 0 to 86400" in capsys.readouterr().err


def test_no_time_at_all_still_gives_a_small_event_its_programmes(
    run: Run, tmp_path: Path, event_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one person the summary is in the singular, and `event check` is where there is one of a thing."""
    assert main(["allocate", str(event_file), str(people_file(tmp_path, ANN)), "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith("1 programme, total cost 1 (proven optimal)")
    one = {**event_data()["themes"][0], "capacity": 1}
    event_file.write_text(json.dumps(event_data(themes=[one], rounds=event_data()["rounds"][:1], agenda=[])))
    assert main(["event", "check", str(event_file)]) == 0
    assert "1 theme, 1 round, 1 place" in capsys.readouterr().out

    assert run(HEADER + ANN.replace("governance,resources,wildlife", ",,"), "--time-budget", "0") == (0, [])


def test_where_nothing_can_be_written_is_said_in_a_line(
    run: Run, tmp_path: Path, event_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file stands in the way", encoding="utf-8")
    assert run(HEADER + ANN) == (2, [f"{tmp_path / 'out'}: File exists"])
    (tmp_path / "out").unlink()
    run(HEADER + ANN)
    nowhere = tmp_path / "nowhere" / "question"
    files = [str(event_file), str(tmp_path / "people.csv"), str(tmp_path / "out" / "allocation.json")]

    assert main(["verify", *files, "--question", str(nowhere)]) == 2
    assert capsys.readouterr().err == f"{nowhere}: No such file or directory\n"


def test_verify_says_how_far_above_the_bound_a_result_is(
    run: Run, tmp_path: Path, event_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gap is no fault, but it is for a person to judge. Where rounds are alike the flow leaves none."""
    run(HEADER + ANN + BOB)
    file = tmp_path / "out" / "allocation.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document.update(bound=document["bound"] - 1, gap=1, optimal=False, why="the time ended", draw="pairwise")
    document["checksum"] = checksum(document)
    file.write_text(json.dumps(document), encoding="utf-8")

    main(["verify", str(event_file), str(tmp_path / "people.csv"), str(file)])

    assert "      not proven optimal: the total is 1 above the bound" in capsys.readouterr().out.splitlines()


def test_a_flow_leaves_no_gap_where_rounds_are_alike(
    run: Run, tmp_path: Path, event_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worse programme for one person cannot pass as one that nothing better was found for."""
    run(HEADER + ANN)
    file = tmp_path / "out" / "allocation.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document.update(bound=document["bound"] - 1, gap=1, optimal=False, why="the time ended", draw="pairwise")
    document["checksum"] = checksum(document)
    file.write_text(json.dumps(document), encoding="utf-8")

    assert main(["verify", str(event_file), str(tmp_path / "people.csv"), str(file)]) == 1
    assert "where rounds are alike flow proves what it finds" in capsys.readouterr().out


def people_file(folder: Path, rows: str) -> Path:
    """A PEOPLE.csv of these rows."""
    path = folder / "people.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_a_past_in_which_a_person_stands_twice_is_refused_and_no_name_clears_the_terminal(
    run: Run, tmp_path: Path
) -> None:
    """Of two programmes the last would count, and nobody would know."""
    past = tmp_path / "previous.json"
    past.write_text('{"programmes": {"ann": {"first": "vision"}, "ann": {"first": "wildlife"}}}', encoding="utf-8")
    assert run(HEADER + ANN, "--previous", str(past)) == (2, [f"{past}:1: 'ann' stands in it twice"])

    past.write_text('{"programmes": {"\\u001b[2J": {"first": "visions"}}}', encoding="utf-8")
    code, said = run(HEADER + ANN, "--previous", str(past))

    assert code == 2
    assert said == [f"{past}:1: \\x1b[2J: 'visions' is no theme of the event"]


def test_the_solver_of_the_verifier_says_nothing_of_itself(run: Run, tmp_path: Path, event_file: Path) -> None:
    """It greets once in a process, so this takes one that only verifies, and a bound that prices do not prove."""
    run(HEADER + ANN + BOB)
    file = tmp_path / "out" / "allocation.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document.update(bound=document["bound"] + 1, engine="flow+exact")
    file.write_text(json.dumps(document), encoding="utf-8")
    command = [sys.executable, "-m", "infra.start", "--language", "en", "verify"]

    told = subprocess.run(
        [*command, event_file, tmp_path / "people.csv", file], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (told.returncode, told.stderr) == (1, "")
    assert {line[:4] for line in told.stdout.splitlines()} == {"ok  ", "FAIL", "    "}
    assert "an integer programme of its own proves" in told.stdout
