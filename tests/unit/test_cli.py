"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from infra import start
from infra.cli import doubts, main
from infra.cloud.build import ROOT
from infra.demo.day import SAMPLE
from shared.events import put_event, read_event
from shared.table import Table
from tests.support.factories import make_event

TABLE = ["--table", "parcours"]


def faulty(folder: Path, *changes: tuple[str, str]) -> Path:
    """The sample event file with parts of its text replaced."""
    text = SAMPLE.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / "event.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_event_has_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """`event check` says what it read."""
    assert main(["event", "check", str(SAMPLE)]) == 0

    assert "4 themes, 2 rounds, 160 places" in capsys.readouterr().out


def test_the_language_is_the_terminals_or_the_one_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "nl_BE.UTF-8")
    assert main(["event", "check", str(SAMPLE)]) == 0
    assert "4 thema’s, 2 rondes, 160 plaatsen" in capsys.readouterr().out
    assert main(["--language", "fr", "event", "check", str(SAMPLE)]) == 0
    assert "4 thèmes, 2 sessions, 160 places" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--language=fr", "--help"])
    said = capsys.readouterr().out
    assert "répartir des personnes réunies ailleurs" in said
    assert "None" not in said


def test_a_mistake_is_told_in_the_language_of_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = faulty(tmp_path, ("capacity: 42", "capacity: many"))

    assert main(["--language", "nl", "event", "check", str(file)]) == 2
    line = next(n for n, text in enumerate(file.read_text("utf-8").splitlines(), 1) if "capacity: many" in text)
    assert f"{file}:{line}: themes[0].capacity: schrijf een geheel getal\n" in capsys.readouterr().err


def test_a_new_event_file_begins_with_an_example_that_has_no_mistake(tmp_path: Path) -> None:
    """`event new` writes it, and never over a file."""
    path = tmp_path / "mine.yaml"
    assert main(["event", "new", str(path)]) == 0
    assert main(["event", "check", str(path)]) == 0
    assert main(["event", "new", str(path)]) == 2


def test_every_mistake_is_named_at_once_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three mistakes, three lines, exit 2, nothing on standard output."""
    path = faulty(
        tmp_path,
        ("timezone: Europe/Brussels", "timezone: Europe/Brusels"),
        ("capacity: 42", "capacity: many"),
        ("date: ", "dat: "),
    )

    assert main(["event", "check", str(path)]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    for place in ("timezone", "themes[0].capacity", "dat", "date"):
        assert re.search(rf"^{re.escape(str(path))}:\d+: {re.escape(place)}: ", said.err, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("id: a\n\ttitle: b\n", "2: a tab stands where only spaces may; indent with spaces"),
        ("id: a\ntitle: Day: one\n", "2: a colon and a space inside a text; put the text in quotation marks"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_by_line_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fault: str
) -> None:
    path = tmp_path / "event.yaml"
    path.write_text(text, encoding="utf-8")

    assert main(["event", "check", str(path)]) == 2

    assert capsys.readouterr().err == f"{path}:{fault}\n"


def test_what_can_hardly_be_meant_is_said_of_a_file_without_a_mistake() -> None:
    """A day that is over, a registration that is, and a round without a seat."""
    event = make_event(capacities={name: {"first": 0} for name in ("vision", "governance", "resources", "wildlife")})

    def said(now: datetime) -> list[str]:
        return [str(doubt) for doubt in doubts(event, now)]

    assert said(datetime(2026, 3, 2, tzinfo=UTC)) == ["no workshop has a seat in the round at 13:00"]
    assert said(datetime(2026, 4, 2, tzinfo=UTC))[0] == "registration is closed since 2026-04-01 12:00"
    assert said(datetime(2026, 5, 2, tzinfo=UTC))[0] == "the day is over: 2026-04-16"


@pytest.mark.parametrize("command", ["allocate", "verify"])
def test_a_command_on_files_loads_nothing_of_the_cloud_or_the_demo(command: str) -> None:
    """Which takes as long to load as ten thousand people to read; `--help` names every command all the same."""
    script = (
        "import sys\nfrom infra.start import _run\n"
        f"try: _run([{command!r}, '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'boto3', 'botocore', 'infra.demo', 'infra.cloud.aws'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert f"parcours {command}" in done.stdout


def test_an_output_that_nobody_reads_on_ends_without_a_traceback() -> None:
    """`parcours event new | head -1`."""
    command = [sys.executable, "-m", "infra.start", "event", "new"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()

    assert (process.returncode, said) == (start.UNREAD, b"")


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback."""
    assert main(["event", "check", str(tmp_path / "none.yaml")]) == 2

    assert capsys.readouterr().err == f"{tmp_path / 'none.yaml'}: No such file or directory\n"


@pytest.mark.parametrize("command", [["event", "put"], ["demo", "--event"]])
def test_a_faulty_file_goes_nowhere(tmp_path: Path, command: list[str]) -> None:
    """`event put` and `demo` check before they do anything."""
    path = faulty(tmp_path, ("timezone: Europe/Brussels", "timezone: Mars"))

    assert main([*command, str(path)]) == 2


def test_an_event_is_put_and_retired(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """From the file to the table and off the pages again."""
    assert main(["event", "put", str(SAMPLE), *TABLE]) == 0
    stored = read_event(table, "nature-connectivity")
    assert stored is not None
    assert stored.title == "Nature connectivity in Belgium"

    assert main(["event", "retire", "nature-connectivity", *TABLE]) == 0
    assert read_event(table, "nature-connectivity") is None
    assert "retired" in capsys.readouterr().out


def test_the_table_is_found_through_the_stack(table: Table) -> None:
    """Without --table, the stack's outputs tell."""
    boto3.client("cloudformation").create_stack(
        StackName="parcours", TemplateBody='{"Resources": {}, "Outputs": {"TableName": {"Value": "parcours"}}}'
    )

    assert main(["event", "put", str(SAMPLE)]) == 0

    assert read_event(table, "nature-connectivity") is not None


@pytest.mark.usefixtures("table")
def test_a_stack_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and the reason, no traceback."""
    assert main(["event", "put", str(SAMPLE), "--stack", "nowhere"]) == 1

    assert "nowhere" in capsys.readouterr().err


def test_an_event_with_people_is_not_retired(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason stands on standard error."""
    event = make_event(date="2126-04-16")
    put_event(table, event, actor="test", now=datetime.now(UTC))
    boto3.client("dynamodb").update_item(
        TableName="parcours",
        Key={"pk": {"S": f"EVENT#{event.id}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET confirmed = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )

    assert main(["event", "retire", event.id, *TABLE]) == 1

    assert "2 people hold a place" in capsys.readouterr().err


@pytest.mark.usefixtures("table")
def test_an_unknown_event_cannot_be_retired(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and its name."""
    assert main(["event", "retire", "nobody", *TABLE]) == 1

    assert "'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["a-file", "a-file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_bad_input_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """One line that names it."""
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("", encoding="utf-8")

    assert main(["demo", "--out", place]) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"{place}: nothing can be written there: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("region", ["", "nowhere-at-all", "not a region"])
def test_a_region_without_the_stack_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], region: str
) -> None:
    """No region, one that does not exist, and one that cannot be a name."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    assert main(["event", "put", str(SAMPLE), *(["--region", region] if region else [])]) == 1

    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("the stack 'parcours' cannot be read: ")


def test_an_interrupt_while_python_still_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the first tenths of a second."""

    class Interrupting:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "infra.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "infra.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])

    assert start.main() == 130
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["event"], ["demo", "--people", "-1"], ["demo", "--port", "99999"], ["demo", "--port", "-1"]],
)
def test_a_command_that_is_none_is_bad_input(arguments: list[str]) -> None:
    """Argparse's own exit code is ours: 2."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2


def test_a_solver_that_is_still_at_work_does_not_change_how_the_command_ends() -> None:
    """It was left behind when the time was over; its threads would hold the process up, or end it with an abort."""
    script = (
        "import threading, time\n"
        "from functions.allocate.exact.milp import SOLVER\n"
        "from infra import cli, start\n"
        "threading.Thread(target=time.sleep, args=(600,), name=SOLVER).start()\n"
        "cli.main = lambda: print('said') or 4\n"
        "raise SystemExit(start.main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (4, "said\n", "")
