"""`parcours deploy`: build for AWS, compile the bytecode, deploy with the SAM CLI, and say what is left to do."""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.build import BUILD, ROOT, TEMPLATE, load_template
from infra.cloud.localisation import compile_catalogues
from infra.cloud.stack import StackError, outputs_of
from infra.event_source import event_or_told
from infra.words import say, tell
from shared.event_file import load_text
from shared.events import put_event
from shared.i18n import Told, told
from shared.table import Table

DONE, FAILED, BAD_INPUT = 0, 1, 2
BUILT = BUILD / "aws"
SAM = "sam"

OPTIONS = {
    "sender": "SenderAddress",
    "verified_by": "SenderVerifiedBy",
    "domain": "DomainName",
    "certificate": "CertificateArn",
    "alarms": "AlarmAddress",
    "organiser": "FirstOrganiser",
}
"""Options of the command that are parameters of the template; `--set` takes any other."""


class DeploymentError(RuntimeError):
    """A step of the deployment failed; the message says which and what to do."""


def add_deploy_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `parcours deploy`."""
    deploy = commands.add_parser("deploy", help=told("build and deploy to AWS, and say which DNS records are needed"))
    deploy.add_argument("--stack", default="parcours", help=told("the CloudFormation stack (default: parcours)"))
    deploy.add_argument("--region", default=None, help=told("the AWS region (default: the environment's)"))
    deploy.add_argument("--sender", metavar="ADDRESS", help=told("the address mails come from; needed the first time"))
    deploy.add_argument(
        "--verified-by", choices=("domain", "address"), help=told("what SES verifies (default: domain)")
    )
    deploy.add_argument("--domain", metavar="NAME", help=told("your own domain for the pages; needs --certificate"))
    deploy.add_argument("--certificate", metavar="ARN", help=told("its certificate in AWS Certificate Manager"))
    deploy.add_argument("--alarms", metavar="ADDRESS", help=told("who gets the alarms by mail"))
    deploy.add_argument(
        "--organiser", metavar="ADDRESS", help=told("who may sign in first, and describe the first event")
    )
    deploy.add_argument(
        "--take-up", metavar="TABLE", help=told("go on with the table that an earlier stack left behind")
    )
    deploy.add_argument(
        "--key", metavar="ARN", help=told("with --take-up: its signing key, so that mailed links still open")
    )
    deploy.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=told("another parameter"))
    deploy.add_argument(
        "--event", type=Path, metavar="FILE", help=told("an event to put; its organisers can then sign in")
    )
    deploy.set_defaults(run=run_deploy)


def run_deploy(options: argparse.Namespace) -> int:
    """`parcours deploy`: 0 done, 1 a step failed, 2 bad input."""
    event = event_or_told(options.event) if options.event else None
    if options.event and event is None:
        return BAD_INPUT
    try:
        given = parameters(options, boto3.Session(region_name=options.region))
    except (OSError, ValueError, BotoCoreError, ClientError) as error:
        tell(_words_of(error), file=sys.stderr)
        return BAD_INPUT
    try:
        build_for_aws()
        deploy_built(options.stack, options.region, given)
        session = boto3.Session(region_name=options.region)
        outputs = outputs_of(session.client("cloudformation"), options.stack)
        if event:
            table = Table(session.client("dynamodb"), outputs["TableName"])
            put_event(table, event, actor="terminal: deploy", now=datetime.now(UTC), text=load_text(options.event))
        print("\n".join(say(line) for line in advice(outputs, sandboxed=in_sandbox(session))))
    except (DeploymentError, StackError, BotoCoreError, ClientError) as error:
        tell(_words_of(error), file=sys.stderr)
        return FAILED
    return DONE


def _words_of(error: Exception) -> str:
    """What an error says: our own messages stay translatable."""
    return error.args[0] if error.args and isinstance(error.args[0], Told) else str(error)


def parameters(options: argparse.Namespace, session: Any) -> dict[str, str]:
    """The template's parameters that the options give. Raises ValueError naming the option that cannot be."""
    known = load_template()["Parameters"]
    given = {name: str(getattr(options, option)) for option, name in OPTIONS.items() if getattr(options, option)}
    for pair in options.set:
        name, _, value = pair.partition("=")
        if name not in known:
            raise ValueError(
                told(
                    "--set %(pair)s: the template has no parameter %(name)s; it has %(known)s",
                    pair=pair,
                    name=name,
                    known=", ".join(known),
                )
            )
        given[name] = value
    if options.take_up:
        given["ExistingTable"] = options.take_up
        given["ExistingTableStream"] = _stream_of(session, options.take_up)
    if options.key:
        given["ExistingSigningKey"] = options.key
    for name, value in given.items():
        pattern = known[name].get("AllowedPattern")
        if pattern and not re.search(pattern, value):
            raise ValueError(f"{name}={value}: {known[name].get('ConstraintDescription', f'must match {pattern}')}")
    if "DomainName" in given and "CertificateArn" not in given:
        raise ValueError(told("--domain needs --certificate, the ARN of a certificate for it in the same region"))
    return given


def _stream_of(session: Any, table: str) -> str:
    """The label of a table's stream. Raises ValueError if it has none."""
    label = session.client("dynamodb").describe_table(TableName=table)["Table"].get("LatestStreamLabel")
    if not label:
        raise ValueError(
            told(
                "--take-up %(table)s: the table has no stream; turn it on: %(command)s",
                table=table,
                command=f"aws dynamodb update-table --table-name {table} "
                "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES",
            )
        )
    return str(label)


def build_for_aws() -> None:
    """Run `sam build`, and put bytecode beside the sources.

    /opt and /var/task are read-only: without bytecode every cold start compiles every module anew. Raises
    DeploymentError.
    """
    compile_catalogues(ROOT / "shared" / "locale")
    _run(told("Building"), [SAM, "build", "--template-file", str(TEMPLATE), "--build-dir", str(BUILT)])
    runtime = str(load_template()["Parameters"]["Runtime"]["Default"])
    interpreter = shutil.which(runtime)
    if interpreter is None:
        raise DeploymentError(
            told("%(program)s is not on PATH; sam build needs it, and so does the bytecode", program=runtime)
        )
    mode = ["-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    _run(told("Compiling the bytecode"), [interpreter, "-m", "compileall", *mode, str(BUILT)])


def deploy_built(stack: str, region: str | None, given: Mapping[str, str]) -> None:
    """`sam deploy` of what was built; parameters that are not given stay as they are. Raises DeploymentError."""
    command = [SAM, "deploy", "--template-file", str(BUILT / "template.yaml"), "--stack-name", stack, "--resolve-s3"]
    command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-fail-on-empty-changeset"]
    command += ["--no-confirm-changeset", *(["--region", region] if region else [])]
    if given:
        command += ["--parameter-overrides", *(f"ParameterKey={name},ParameterValue={given[name]}" for name in given)]
    _run(told("Deploying"), command)


def _run(what: Told, command: Sequence[str]) -> None:
    print(f"{say(what)} …", flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, check=False)
    except FileNotFoundError:
        raise DeploymentError(
            told("%(program)s is not on PATH. Install the SAM CLI: pip install aws-sam-cli", program=command[0])
        ) from None
    if done.returncode:
        raise DeploymentError(
            told("%(step)s failed; what went wrong stands above. Nothing after it was done.", step=what)
        )


def advice(outputs: Mapping[str, str], *, sandboxed: bool | None) -> Iterator[str]:
    """What is left to do by hand, line by line: DNS records, SES's sandbox, the first event.

    `sandboxed` is None when SES would not say.
    """
    yield ""
    yield told("Parcours is up: %(address)s", address=outputs["ApiUrl"])
    records = list(dns_records(outputs))
    if records:
        yield told("DNS records to publish:")
        width = max(len(name) for name, _, _ in records)
        yield from (f"  {name:<{width}}  {kind:<5}  {value}" for name, kind, value in records)
    if sandboxed:
        yield told("SES is in its sandbox: mail reaches verified addresses only, 200 a day. Ask for production access:")
        yield "  https://console.aws.amazon.com/ses/home#/account"
    elif sandboxed is None:
        yield told(
            "SES did not say whether it is in its sandbox; see %(page)s",
            page="https://console.aws.amazon.com/ses/home#/account",
        )
    yield told(
        "Organisers sign in at %(address)s/organise: those whom an event names, and before that the one\n"
        "whom --organiser named when the stack was deployed.",
        address=outputs["ApiUrl"],
    )


def dns_records(outputs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name, type and value of each DNS record that the stack's outputs ask for."""
    for number in "123":
        if f"Dkim{number}Name" in outputs:
            yield outputs[f"Dkim{number}Name"], "CNAME", outputs[f"Dkim{number}Value"]
    if "MailFromName" in outputs:
        yield outputs["MailFromName"], "MX", outputs["MailFromMx"]
        yield outputs["MailFromName"], "TXT", f'"{outputs["MailFromTxt"]}"'
    if "DomainTarget" in outputs:
        yield outputs["ApiUrl"].removeprefix("https://"), "CNAME", outputs["DomainTarget"]


def in_sandbox(session: Any) -> bool | None:
    """Whether SES sends to verified addresses only; None when it does not say."""
    with contextlib.suppress(BotoCoreError, ClientError, KeyError):
        return not session.client("sesv2").get_account()["ProductionAccessEnabled"]
    return None
