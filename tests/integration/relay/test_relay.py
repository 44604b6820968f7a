"""The table's stream on its way to the mail queue: what is passed on, when it is due, and what happens to the rest."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from shared.mails import WINDOW, claim, nudge, put_back, read_mail
from shared.models import Event
from shared.registrations import register
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import CONTEXT, Clock, rows, stream_event
from tests.support.mail_pipeline import Road

MAIL = "confirmation#p1"


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Road:
    """A person has registered, and the relay has not heard of it."""
    register(table, event, make_registration(id="p1"), now=NOW)
    return Road(table, keys, event.id, Clock(NOW))


def relay(road: Road, *items: dict[str, Any]) -> list[str]:
    """Pass on a batch; the sequence numbers of what failed."""
    with road.open():
        answer = road.relay.handler(stream_event(*items), CONTEXT)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def queued(road: Road) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in road.queue]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A mail row as the stream carries it."""
    keys = {"pk": "MAIL#nature", "sk": f"confirmation#{number}", "type": "mail", "event": "nature"}
    return {**keys, "id": f"confirmation#{number}", "state": "pending", "due_at": "", **changes}


def test_a_new_mail_row_becomes_a_message_with_its_id_and_nothing_else(road: Road) -> None:
    """No address and no text passes through the queue."""
    assert relay(road, rows("nature")[MAIL]) == []

    assert queued(road) == [{"event": "nature", "id": MAIL}]
    assert road.queue[0].visible_at == NOW


@pytest.mark.parametrize(
    "changes", [{"state": "sending"}, {"state": "sent"}, {"state": "held"}, {"type": "registration"}]
)
def test_rows_that_are_no_pending_mail_are_passed_over(road: Road, changes: dict[str, str]) -> None:
    """The stream's filter lets none of these through; the function does not rely on it."""
    assert relay(road, row(1, **changes)) == []

    assert queued(road) == []


def test_a_deletion_has_no_row_and_does_no_harm(road: Road) -> None:
    """TTL and erasure delete rows."""
    event = stream_event(row(1), name="REMOVE")
    del event["Records"][0]["dynamodb"]["NewImage"]
    with road.open():
        assert road.relay.handler(event, CONTEXT) == {"batchItemFailures": []}

    assert queued(road) == []


@pytest.mark.parametrize(("wait", "delay"), [(4.0, 4), (-30.0, 0), (3600.0, 900)])
def test_a_mail_that_ses_refused_arrives_when_it_is_due(road: Road, wait: float, delay: int) -> None:
    """The queue delays it, by a quarter of an hour at most."""
    mail = read_mail(road.table, "nature", MAIL)
    assert mail is not None
    claimed = claim(road.table, mail, now=NOW)
    assert claimed is not None
    assert put_back(road.table, claimed, now=NOW, due_at=NOW + timedelta(seconds=wait))

    relay(road, rows("nature")[MAIL])

    assert road.queue[0].visible_at == NOW + timedelta(seconds=delay)


def test_a_row_that_upkeep_touched_is_passed_on_again(road: Road) -> None:
    """That is how a lost stream record is made good."""
    assert nudge(road.table, rows("nature")[MAIL], now=NOW + WINDOW)

    relay(road, rows("nature")[MAIL])

    assert queued(road) == [{"event": "nature", "id": MAIL}]


@pytest.mark.promise("P6")
@pytest.mark.parametrize("position", range(10))
def test_a_poison_record_fails_alone(road: Road, position: int) -> None:
    """P6: wherever it stands, the nine others are queued."""
    batch = [row(number, due_at="tomorrow" if number == position else "") for number in range(10)]

    assert relay(road, *batch) == [str(position + 1)]

    assert [one["id"] for one in queued(road)] == [f"confirmation#{n}" for n in range(10) if n != position]


@pytest.mark.promise("P6")
def test_a_batch_of_poison_alone_is_named_record_by_record(road: Road) -> None:
    """No exception for the whole batch: each record has its own tries."""
    assert relay(road, *(row(number, due_at="never") for number in range(3))) == ["1", "2", "3"]


def test_a_record_that_cannot_be_read_fails_alone(road: Road) -> None:
    """A value of no type that DynamoDB knows."""
    event = stream_event(row(1), row(2))
    event["Records"][0]["dynamodb"]["NewImage"]["id"] = {"Z": "?"}
    with road.open():
        answer = road.relay.handler(event, CONTEXT)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [one["id"] for one in queued(road)] == ["confirmation#2"]


def test_a_poison_record_is_given_up_and_the_rest_of_the_road_stays_open(road: Road, table: Table) -> None:
    """It comes again with those behind it until its tries are used up; everybody gets the mail once."""
    with road.open():
        road.stream.append((row(0, due_at="never"), 0))
        for number in range(2, 6):
            register(table, make_event(), make_registration(number=number, id=f"p{number}"), now=NOW)
        road.run()

    assert road.faults_found() == []
    assert sorted(road.taken) == [f"confirmation#p{number}" for number in range(1, 6)]


def test_a_queue_that_does_not_answer_loses_nothing(road: Road) -> None:
    """What could not be queued is named, and the stream brings it again."""
    with road.open():
        with patch.object(road.relay.queue, "send_message", side_effect=ConnectionError):
            failed = road.relay.handler(stream_event(rows("nature")[MAIL]), CONTEXT)
        road.run()

    assert failed == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert road.taken == [MAIL]
