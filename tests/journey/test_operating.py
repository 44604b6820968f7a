"""Commands of the operators' page, as they stand there, on the deployed stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from infra.cloud.embedded import client
from infra.demo.local_stack import LocalDeployment
from tests.journey.conftest import Open, register_crowd
from tests.support.aws_cli import Call, call_of, shell_commands

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def run(deployment: LocalDeployment, begins: str, **words: str) -> list[tuple[Call, Any]]:
    """Run every command of the page that begins so, with some of its placeholders filled; calls and answers."""
    commands = [command for command in shell_commands(PAGE) if command.startswith(f"aws {begins}")]
    assert commands
    told = []
    for command in commands:
        for placeholder, word in words.items():
            command = command.replace(placeholder, word)
        call = call_of(command, lambda inside: deployment.stack.outputs[inside.removeprefix("output ")])
        answered = getattr(client(call.service, deployment.cloud.endpoint_url), xform_name(call.operation.name))
        told.append((call, answered(**call.parameters)))
    return told


def test_mail_is_paused_and_resumed_by_the_two_commands(deployment: LocalDeployment) -> None:
    paused, resumed = (call.parameters for call, _ in run(deployment, "lambda update-event-source-mapping"))

    assert (paused["Enabled"], resumed["Enabled"]) == (False, True)
    (mapping,) = client("lambda", deployment.cloud.endpoint_url).list_event_source_mappings(
        FunctionName=deployment.stack.outputs["MailFunction"]
    )["EventSourceMappings"]
    assert mapping["UUID"] == paused["UUID"]
    assert mapping["State"] in {"Enabled", "Enabling"}


def test_an_allocation_is_run_by_hand(deployment: LocalDeployment, open_event: Open) -> None:
    event = open_event()
    register_crowd(deployment, event, 4)

    ((_, answer),) = run(deployment, "lambda invoke", EVENT=event.id, keep="fresh")

    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read())["state"] == "draft"


def test_the_dead_letters_are_looked_at(deployment: LocalDeployment) -> None:
    ((_, answer),) = run(deployment, "sqs receive-message")

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_row_of_a_mail_is_found(deployment: LocalDeployment, open_event: Open) -> None:
    event = open_event()
    (person,) = register_crowd(deployment, event, 1)

    answers = run(deployment, 'dynamodb query --table-name "$(output TableName)"', **{"MAIL#EVENT": f"MAIL#{event.id}"})

    ((_, answer),) = answers
    (row,) = answer["Items"]
    assert row["state"] == {"S": "sent"}
    sent = {mail.message_id for mail in deployment.mailbox.to(person.email)}
    assert {row["message_id"]["S"]} == sent


def test_workers_of_functions_have_no_copies_of_their_own_of_the_code(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """Code and layer are unpacked once, and no zip stays: a laptop starts dozens of workers."""
    register_crowd(deployment, open_event(), 1)

    folder = deployment.cloud._folder
    assert folder is not None
    workers = [sorted(path.iterdir()) for path in folder.glob("ministack-lambda-parcours-register-*")]
    assert workers
    for files in workers:
        assert [path.name for path in files] == ["_worker.py", "code", "layer_0"]
        assert {path.resolve().parent for path in files[1:]} == {folder.resolve()}


@pytest.mark.sweep  # every function that signs reads the key anew
def test_the_key_is_rotated_and_put_elsewhere(deployment: LocalDeployment) -> None:
    secrets = client("secretsmanager", deployment.cloud.endpoint_url)
    before = secrets.get_secret_value(SecretId=deployment.stack.outputs["SigningKeyArn"])["SecretString"]
    command = next(line for line in shell_commands(PAGE) if line.startswith("aws secretsmanager put-secret-value"))
    call = call_of(
        command,
        lambda inside: "ab" * 32 if inside.startswith("openssl") else deployment.stack.outputs["SigningKeyArn"],
    )
    secrets.put_secret_value(**call.parameters)
    after = secrets.get_secret_value(SecretId=call.parameters["SecretId"])["SecretString"]
    secrets.put_secret_value(SecretId=call.parameters["SecretId"], SecretString=before)

    assert after == "ab" * 32
