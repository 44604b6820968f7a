"""`parcours deploy`: each step in its order, and everything that is left to do said in words."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.cli import main
from infra.cloud import aws
from infra.cloud.aws import advice, dns_records
from infra.demo.day import SAMPLE
from shared.events import read_event
from shared.table import Table

OUTPUTS = {
    "ApiUrl": "https://day.example.org",
    "TableName": "parcours",
    "DomainTarget": "d-1.execute-api.eu-central-1.amazonaws.com",
    "MailFromName": "mail.example.org",
    "MailFromMx": "10 feedback-smtp.eu-central-1.amazonses.com",
    "MailFromTxt": "v=spf1 include:amazonses.com ~all",
    **{f"Dkim{n}Name": f"t{n}._domainkey.example.org" for n in "123"},
    **{f"Dkim{n}Value": f"t{n}.dkim.amazonses.com" for n in "123"},
}

SAM = """#!{python}
import json, pathlib, sys
said = pathlib.Path({said!r})
with said.open("a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if sys.argv[1] == "build":
    folder = pathlib.Path(sys.argv[sys.argv.index("--build-dir") + 1]) / "SharedLayer" / "python" / "shared"
    folder.mkdir(parents=True)
    (folder / "table.py").write_text("answer = 42\\n")
sys.exit({code})
"""


@pytest.fixture
def sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """A SAM CLI that notes how it is called and builds one module; calling the fixture installs it with an exit code.

    The interpreter of the runtime is the running one.
    """
    folder, said = tmp_path / "bin", tmp_path / "said"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(aws, "BUILT", tmp_path / "built")
    monkeypatch.setattr(aws, "in_sandbox", lambda _session: True)  # moto has no GetAccount
    (folder / "python3.13").symlink_to(sys.executable)

    def install(code: int = 0) -> list[list[str]]:
        if not (folder / "sam").exists():
            (folder / "sam").write_text(SAM.format(python=sys.executable, said=str(said), code=code), encoding="utf-8")
            (folder / "sam").chmod(stat.S_IRWXU)
        return [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []

    install.folder = folder  # type: ignore[attr-defined]
    return install


@pytest.fixture
def stack(table: Table) -> None:
    """A stack with the outputs above."""
    body = {"Resources": {}, "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()}}
    boto3.client("cloudformation").create_stack(StackName="parcours", TemplateBody=json.dumps(body))


@pytest.mark.usefixtures("stack")
def test_it_builds_compiles_deploys_puts_the_event_and_says_what_is_left(
    sam: Callable[..., list[list[str]]], table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sam()
    command = ["deploy", "--sender", "day@example.org", "--alarms", "on-call@example.org", "--event", str(SAMPLE)]

    assert main(command) == 0

    built, deployed = sam()
    assert built[0] == "build"
    assert deployed[0] == "deploy"
    overrides = deployed[deployed.index("--parameter-overrides") + 1 :]
    assert overrides == [
        "ParameterKey=SenderAddress,ParameterValue=day@example.org",
        "ParameterKey=AlarmAddress,ParameterValue=on-call@example.org",
    ]
    assert list((tmp_path / "built").rglob("table.*.pyc"))
    assert read_event(table, "nature-connectivity") is not None
    said = capsys.readouterr().out
    for record in ("t3._domainkey.example.org  CNAME  t3.dkim.amazonses.com", "10 feedback-smtp", "day.example.org "):
        assert record in said
    assert "sandbox" in said


class SesAccount:
    """A session whose SES answers GetAccount with this, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def client(self, _service: str) -> SesAccount:
        return self

    def get_account(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "in_sandbox"),
    [
        ({"ProductionAccessEnabled": True}, False),
        ({"ProductionAccessEnabled": False}, True),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetAccount"), None),
    ],
)
def test_the_sandbox_is_asked_for_and_a_refusal_ends_nothing(answer: Any, in_sandbox: bool | None) -> None:
    """Advice never stops a deployment that is done."""
    assert aws.in_sandbox(SesAccount(answer)) is in_sandbox
    assert [line for line in advice(OUTPUTS, sandboxed=in_sandbox) if "sandbox" in line] or in_sandbox is False


def test_the_bytecode_is_valid_whatever_date_a_file_gets(sam: Callable[..., list[list[str]]], tmp_path: Path) -> None:
    """Zips lose dates; bytes 4 to 8 of the header are 1, the mark of a hash that is not checked."""
    sam()
    aws.build_for_aws()

    (compiled,) = (tmp_path / "built").rglob("table.*.pyc")
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 1


def test_a_step_that_fails_ends_it_in_one_line(
    sam: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    sam(code=1)

    assert main(["deploy", "--sender", "day@example.org"]) == 1

    assert len(sam()) == 1
    assert "Building failed" in capsys.readouterr().err


def test_without_the_sam_cli_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(aws, "SAM", "no-such-command")

    assert main(["deploy", "--sender", "day@example.org"]) == 1

    assert "pip install aws-sam-cli" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sender", "nobody"], "SenderAddress=nobody: an address in the form name@example.org"),
        (["--domain", "day.example.org"], "--domain needs --certificate"),
        (["--set", "Colour=blue"], "the template has no parameter Colour"),
        (["--set", "PublicUrl=https://example.org/path"], "scheme and host only"),
        (["--event", "/nowhere.yaml"], "/nowhere.yaml"),
    ],
)
def test_what_cannot_be_deployed_is_said_before_anything_is_built(
    options: list[str], said: str, sam: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    sam()

    assert main(["deploy", *options]) == 2

    assert sam() == []
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("aws")
def test_an_earlier_table_is_taken_up_with_its_stream(sam: Callable[..., list[list[str]]]) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb = boto3.client("dynamodb")
    dynamodb.update_table(TableName="parcours", StreamSpecification=stream)
    label = dynamodb.describe_table(TableName="parcours")["Table"]["LatestStreamLabel"]
    body = {"Resources": {}, "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()}}
    boto3.client("cloudformation").create_stack(StackName="parcours", TemplateBody=json.dumps(body))
    sam()

    assert main(["deploy", "--take-up", "parcours", "--key", "arn:key"]) == 0

    given = dict(
        override.removeprefix("ParameterKey=").split(",ParameterValue=") for override in sam()[1] if "Key=" in override
    )
    assert given == {"ExistingTable": "parcours", "ExistingTableStream": label, "ExistingSigningKey": "arn:key"}


@pytest.mark.usefixtures("aws")
def test_a_table_without_a_stream_is_refused_with_the_command_that_turns_it_on(
    sam: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", "--take-up", "parcours"]) == 2

    assert "aws dynamodb update-table --table-name parcours" in capsys.readouterr().err


def test_an_address_that_is_verified_needs_no_records() -> None:
    few: dict[str, Any] = {"ApiUrl": "https://abc.execute-api.eu-central-1.amazonaws.com", "TableName": "parcours"}

    assert list(dns_records(few)) == []
    assert not [line for line in advice(few, sandboxed=False) if "DNS" in line or "sandbox" in line]
    assert len(list(dns_records(OUTPUTS))) == 6
