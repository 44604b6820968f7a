"""The operators' page: each command is one that AWS CLI takes, each output one that the template has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.cloud.lint import plain
from tests.support.aws_cli import call_of, shell_commands

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
COMMANDS = list(shell_commands(PAGE))


def filled(inside: str) -> str:
    """A value of the form that AWS gives, for what the shell would put there."""
    return "aaaaaaaaaaaaaaaaaaaaaaaa-value-of-an-output"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[1:3]))
def test_a_command_names_an_operation_and_parameters_that_exist(command: str) -> None:
    assert call_of(command, filled).parameters is not None


def test_the_commands_cover_what_the_runbook_is_for() -> None:
    assert len(COMMANDS) >= 14


def test_every_output_that_a_command_reads_is_one_of_the_stack() -> None:
    named = set(re.findall(r"\$\(output (\w+)\)", PAGE))
    assert len(named) >= 7
    assert named <= set(plain()["Outputs"])


def test_every_alarm_has_its_line() -> None:
    alarms = {name for name, part in plain()["Resources"].items() if part["Type"] == "AWS::CloudWatch::Alarm"}
    told = {word for row in re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE) for word in re.findall(r"\w+", row)}
    assert {name for name in alarms if name not in told and not name.endswith("Errors")} == set()


@pytest.mark.parametrize(
    "command",
    [
        "aws sqs start-message-move --source-arn x",
        "aws sqs start-message-move-task --queue-arn x",
        "aws lambda invoke",
        "aws lambda invoke --function-name f more files",
    ],
)
def test_a_command_that_the_cli_would_refuse_is_found(command: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        call_of(command, filled)
