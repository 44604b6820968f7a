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
from infra.demo.attendees import make_crowd
from infra.demo.local_stack import Running
from infra.demo.organiser import expect, own_link, sign_in
from shared.mails import read_mail
from shared.models import Event, MailState
from shared.registrations import event_pk, find_by_address, read_state, register, registrations_of
from shared.table import Table
from tests.journey.conftest import Open, close, register_crowd, settle
from tests.support.factories import make_registration
from tests.support.fake_ses import naming

SCHEDULE_SECONDS = 150.0


@pytest.fixture
def sqs(stage: Running) -> Any:
    return client("sqs", stage.cloud.endpoint_url)


@pytest.fixture
def impatient_queue(stage: Running, sqs: Any) -> Iterator[str]:
    """The mail queue, whose messages come again after a second: the template's six minutes are for slow functions."""
    url = stage.stack.outputs["MailQueueUrl"]
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


def start_anew(stage: Running, *functions: str) -> None:
    """As after the five minutes in which a process remembers the keys."""
    lambdas = client("lambda", stage.cloud.endpoint_url)
    for function in functions:
        name = stage.stack.outputs[function]
        size = lambdas.get_function_configuration(FunctionName=name)["MemorySize"]
        lambdas.update_function_configuration(FunctionName=name, MemorySize=size)


def test_poison_is_parked_alone_and_redriven_once_its_cause_is_mended(
    stage: Running, open_event: Open, sqs: Any, impatient_queue: str
) -> None:
    """P6: everybody else has the mail; the dead letters hold the poison and nothing else; the redrive drains them."""
    event, dead = open_event(), stage.stack.outputs["MailDeadLettersUrl"]
    assert bodies(sqs, dead) == []
    broken = open_event()
    document = stage.table.get("EVENTS", broken.id)
    assert document is not None
    register(stage.table, broken, make_registration(event=broken.id, id="poisoned"), now=datetime.now(UTC))
    stage.table.put_all([{**document, "document": "{"}])
    poison = naming(broken.id, "confirmation#poisoned")
    sqs.send_message(QueueUrl=impatient_queue, MessageBody="{")
    sqs.send_message(QueueUrl=impatient_queue, MessageBody=poison[0])

    register_crowd(stage, event, 6)
    try:
        stage.wait_for("the dead letters", lambda: waiting_in(sqs, dead) >= 2, 60)
    finally:
        stage.table.put_all([document])
    parked = bodies(sqs, dead)
    assert set(parked) == {"{", poison[0]}

    for body in set(parked) - {"{"}:  # what nobody can read is looked at and thrown away
        sqs.send_message(QueueUrl=impatient_queue, MessageBody=body)
    settle(stage, broken, 1)
    assert bodies(sqs, dead) == []


def test_mail_is_paused_and_resumed(stage: Running, open_event: Open) -> None:
    """Rows wait; resumed, each goes out once."""
    event = open_event()
    lambdas = client("lambda", stage.cloud.endpoint_url)
    name = stage.stack.outputs["MailFunction"]
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        time.sleep(2)  # a batch that was under way ends
        for person in make_crowd(event, 3, event.id):
            expect(202, stage.site.post(f"/events/{event.id}/registrations", person.form()))
        time.sleep(3)
        assert {mail.state for mail in stage.mails(event.id)} == {MailState.PENDING}
    finally:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    settle(stage, event, 3)
    assert {mail.attempt for mail in stage.mails(event.id)} == {1}


@pytest.mark.sweep  # six cold starts
def test_the_signing_key_is_rotated_and_links_in_old_mails_still_open(stage: Running, open_event: Open) -> None:
    """And new links are signed with the new key; a key before the previous one opens nothing."""
    event = open_event()
    (before,) = register_crowd(stage, event, 1)
    old = own_link(stage, before.email)
    secrets = client("secretsmanager", stage.cloud.endpoint_url)
    key = stage.stack.outputs["SigningKeyArn"]

    secrets.put_secret_value(SecretId=key, SecretString="a-new-key-" * 6)
    start_anew(stage, "RegisterFunction", "MailFunction")
    people = make_crowd(event, 2, f"{event.id}-after")
    expect(202, stage.site.post(f"/events/{event.id}/registrations", people[0].form()))
    settle(stage, event, 2)
    new = own_link(stage, people[0].email)

    assert stage.site.get(old).status == stage.site.get(new).status == 200
    secrets.put_secret_value(SecretId=key, SecretString="the-key-after-" * 5)
    start_anew(stage, "RegisterFunction", "MailFunction")
    assert stage.site.get(new).status == 200
    assert stage.site.get(old).status in {403, 404}
    expect(202, stage.site.post(f"/events/{event.id}/links", {"email": before.email}))
    settle(stage, event, 3)
    assert old not in stage.mailbox.to(before.email)[-1].text


def test_rows_that_were_lost_come_back_from_a_backup_and_nobody_is_mailed_again(
    stage: Running, open_event: Open
) -> None:
    """Restored beside the table, then what is missing is put back."""
    event = open_event()
    people = register_crowd(stage, event, 4)
    dynamodb = client("dynamodb", stage.cloud.endpoint_url)
    arn = dynamodb.create_backup(TableName=stage.stack.table, BackupName="drill")["BackupDetails"]["BackupArn"]
    mailed = len(stage.mailbox.mails)
    lost = [row for pk in (event_pk(event.id), f"MAIL#{event.id}") for row in stage.table.query(pk)]
    stage.table.delete_all(lost)
    assert list(registrations_of(stage.table, event.id)) == []

    dynamodb.restore_table_from_backup(TargetTableName="parcours-restored", BackupArn=arn)
    restored = Table(dynamodb, "parcours-restored")
    for partition in (event_pk(event.id), f"MAIL#{event.id}"):
        stage.table.put_all(restored.query(partition))

    assert {one.email for one in registrations_of(stage.table, event.id)} == {one.email for one in people}
    assert read_state(stage.table, event.id).confirmed == 4
    assert stage.site.get(own_link(stage, people[0].email)).status == 200
    time.sleep(3)
    assert len(stage.mailbox.mails) == mailed


def test_an_allocation_is_run_again_by_hand_and_an_organiser_erases_somebody(stage: Running, open_event: Open) -> None:
    """As the runbook says: the allocator invoked directly; the person gone from every page."""
    event = open_event()
    people = register_crowd(stage, event, 4)
    event = close(stage, event)
    allocate(stage, {"trigger": "schedule"})
    stage.wait_for("the publication", lambda: is_published(stage, event), SCHEDULE_SECONDS)
    settle(stage, event, 8)

    again = allocate(stage, {"event": event.id, "mode": "keep"})
    assert (again["state"], again["mails"]) == ("draft", 0)

    session = sign_in(stage, event.organiser_emails[0])
    person = find_by_address(stage.table, event.id, people[0].email)
    assert person is not None
    address = f"/organise/{event.id}/people/{person.id}"
    assert stage.site.post(f"{address}/erasure", {"sure": "yes"}, headers=session).status < 400
    assert stage.site.get(address, headers=session).status == 404
    assert find_by_address(stage.table, event.id, people[0].email) is None
    assert read_mail(stage.table, event.id, f"confirmation#{person.id}") is None
    assert people[0].email not in str(list(stage.table.query(event_pk(event.id))))


def allocate(stage: Running, payload: dict[str, Any]) -> dict[str, Any]:
    """Invoke the allocator as `aws lambda invoke` does."""
    lambdas = client("lambda", stage.cloud.endpoint_url)
    name = stage.stack.outputs["AllocateFunction"]
    answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return dict(told)


def is_published(stage: Running, event: Event) -> bool:
    state = read_state(stage.table, event.id)
    return state.published_run > 0 and not state.publishing_run
