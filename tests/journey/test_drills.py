"""P6 and P16 on the deployed stack: poison ends in the dead letters alone, and each drill of the runbook is run.

What the embedded cloud lacks is done as AWS documents it: a redrive receives from the dead letters and sends to the
mail queue, which is what `start-message-move-task` does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.cloud.embedded import client
from infra.cloud.restore import copy_back
from infra.demo.attendees import make_attendees
from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import expect, own_link, sign_in
from shared.mails import read_mail
from shared.models import Event, MailState
from shared.registrations import erase, find_by_address, register, registrations_of
from shared.state import read_state
from shared.table import Table, event_pk
from tests.journey.conftest import Open, close, register_crowd, settle
from tests.support.factories import make_registration
from tests.support.fake_ses import naming

pytestmark = pytest.mark.promise("P16")


SCHEDULE_SECONDS = 150.0


@pytest.fixture
def sqs(deployment: LocalDeployment) -> Any:
    return client("sqs", deployment.cloud.endpoint_url)


@pytest.fixture
def impatient_queue(deployment: LocalDeployment, sqs: Any) -> Iterator[str]:
    """The mail queue, whose messages come again after a second: the template's six minutes are for slow functions."""
    url = deployment.stack.outputs["MailQueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    yield url
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def bodies(sqs: Any, queue: str) -> list[str]:
    """Take every message off a queue."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def waiting_in(sqs: Any, queue: str) -> int:
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return int(told["ApproximateNumberOfMessages"])


def start_anew(deployment: LocalDeployment, *functions: str) -> None:
    """As after the five minutes in which a process remembers the keys."""
    lambdas = client("lambda", deployment.cloud.endpoint_url)
    for function in functions:
        name = deployment.stack.outputs[function]
        size = lambdas.get_function_configuration(FunctionName=name)["MemorySize"]
        lambdas.update_function_configuration(FunctionName=name, MemorySize=size)


@pytest.mark.promise("P6")
def test_poison_is_parked_alone_and_redriven_once_its_cause_is_mended(
    deployment: LocalDeployment, open_event: Open, sqs: Any, impatient_queue: str
) -> None:
    """P6: everybody else has the mail; the dead letters hold the poison and nothing else; the redrive drains them."""
    event, dead = open_event(), deployment.stack.outputs["MailDeadLettersUrl"]
    assert bodies(sqs, dead) == []
    broken = open_event()
    document = deployment.table.get("EVENTS", broken.id)
    assert document is not None
    register(deployment.table, broken, make_registration(event=broken.id, id="poisoned"), now=datetime.now(UTC))
    deployment.table.put_all([{**document, "document": "{"}])
    poison = naming(broken.id, "confirmation#poisoned")
    sqs.send_message(QueueUrl=impatient_queue, MessageBody="{")
    sqs.send_message(QueueUrl=impatient_queue, MessageBody=poison[0])

    register_crowd(deployment, event, 6)
    try:
        deployment.wait_for("the dead letters", lambda: waiting_in(sqs, dead) >= 2, 60)
    finally:
        deployment.table.put_all([document])
    parked = bodies(sqs, dead)
    assert set(parked) == {"{", poison[0]}

    for body in set(parked) - {"{"}:  # what nobody can read is looked at and thrown away
        sqs.send_message(QueueUrl=impatient_queue, MessageBody=body)
    settle(deployment, broken, 1)
    assert bodies(sqs, dead) == []


def test_mail_is_paused_and_resumed(deployment: LocalDeployment, open_event: Open) -> None:
    """Rows wait; resumed, each goes out once."""
    event = open_event()
    lambdas = client("lambda", deployment.cloud.endpoint_url)
    name = deployment.stack.outputs["MailFunction"]
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        time.sleep(2)  # a batch that was under way ends
        for person in make_attendees(event, 3, event.id):
            expect(202, deployment.http.post(f"/events/{event.id}/registrations", person.form()))
        time.sleep(3)
        assert {mail.state for mail in deployment.mails(event.id)} == {MailState.PENDING}
    finally:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    settle(deployment, event, 3)
    assert {mail.attempt for mail in deployment.mails(event.id)} == {1}


@pytest.mark.sweep  # six cold starts
def test_the_signing_key_is_rotated_and_links_in_old_mails_still_open(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """And new links are signed with the new key; a key before the previous one opens nothing."""
    event = open_event()
    (before,) = register_crowd(deployment, event, 1)
    old = own_link(deployment, before.email)
    secrets = client("secretsmanager", deployment.cloud.endpoint_url)
    key = deployment.stack.outputs["SigningKeyArn"]

    secrets.put_secret_value(SecretId=key, SecretString="a-new-key-" * 6)
    start_anew(deployment, "RegisterFunction", "MailFunction")
    people = make_attendees(event, 2, f"{event.id}-after")
    expect(202, deployment.http.post(f"/events/{event.id}/registrations", people[0].form()))
    settle(deployment, event, 2)
    new = own_link(deployment, people[0].email)

    assert deployment.http.get(old).status == deployment.http.get(new).status == 200
    secrets.put_secret_value(SecretId=key, SecretString="the-key-after-" * 5)
    start_anew(deployment, "RegisterFunction", "MailFunction")
    assert deployment.http.get(new).status == 200
    assert deployment.http.get(old).status in {403, 404}
    expect(202, deployment.http.post(f"/events/{event.id}/links", {"email": before.email}))
    settle(deployment, event, 3)
    assert old not in deployment.mailbox.to(before.email)[-1].text


def test_rows_that_were_lost_come_back_from_a_backup_and_nobody_is_mailed_again(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """Restored beside the table, then what is missing is put back."""
    event = open_event()
    people = register_crowd(deployment, event, 4)
    dynamodb = client("dynamodb", deployment.cloud.endpoint_url)
    arn = dynamodb.create_backup(TableName=deployment.stack.table, BackupName="drill")["BackupDetails"]["BackupArn"]
    mailed = len(deployment.mailbox.mails)
    erased = find_by_address(deployment.table, event.id, people[3].email)
    assert erased is not None
    erase(deployment.table, erased, now=datetime.now(UTC), tell=False)
    lost = [row for pk in (event_pk(event.id), f"MAIL#{event.id}") for row in deployment.table.query(pk)]
    deployment.table.delete_all(lost)
    assert list(registrations_of(deployment.table, event.id)) == []

    dynamodb.restore_table_from_backup(TargetTableName="parcours-restored", BackupArn=arn)
    restored = Table(dynamodb, "parcours-restored")
    assert copy_back(restored, deployment.table, event.id).erased == 1

    back = {one.email for one in people} - {people[3].email}
    assert {one.email for one in registrations_of(deployment.table, event.id)} == back
    assert read_state(deployment.table, event.id).confirmed == 3
    assert deployment.http.get(own_link(deployment, people[0].email)).status == 200
    time.sleep(3)
    assert len(deployment.mailbox.mails) == mailed


def test_an_allocation_is_run_again_by_hand_and_an_organiser_erases_somebody(
    deployment: LocalDeployment, open_event: Open
) -> None:
    """As the runbook says: the allocator invoked directly; the person gone from every page."""
    event = open_event()
    people = register_crowd(deployment, event, 4)
    event = close(deployment, event)
    allocate(deployment, {"trigger": "schedule"})
    deployment.wait_for("the publication", lambda: is_published(deployment, event), SCHEDULE_SECONDS)
    settle(deployment, event, 8)

    again = allocate(deployment, {"event": event.id, "mode": "keep"})
    assert (again["state"], again["mails"]) == ("draft", 0)

    session = sign_in(deployment, event.organiser_emails[0])
    person = find_by_address(deployment.table, event.id, people[0].email)
    assert person is not None
    address = f"/organise/{event.id}/people/{person.id}"
    assert deployment.http.post(f"{address}/erasure", {"sure": "yes"}, headers=session).status < 400
    assert deployment.http.get(address, headers=session).status == 404
    assert find_by_address(deployment.table, event.id, people[0].email) is None
    assert read_mail(deployment.table, event.id, f"confirmation#{person.id}") is None
    assert people[0].email not in str(list(deployment.table.query(event_pk(event.id))))


def allocate(deployment: LocalDeployment, payload: dict[str, Any]) -> dict[str, Any]:
    """Invoke the allocator as `aws lambda invoke` does."""
    lambdas = client("lambda", deployment.cloud.endpoint_url)
    name = deployment.stack.outputs["AllocateFunction"]
    answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return dict(told)


def is_published(deployment: LocalDeployment, event: Event) -> bool:
    state = read_state(deployment.table, event.id)
    return state.published_run > 0 and not state.publishing_run
