"""Mail queue → SES: what is claimed, sent once, refused, rejected or left unknown, and which messages come again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from shared.mails import WINDOW, claim, read_mail
from shared.models import Event, MailState, moment
from shared.registrations import read_registration, register, save, withdraw
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_registration
from tests.support.fake_ses import CONTEXT, Clock, naming, queue_event, rows, ses_event
from tests.support.mail_pipeline import Road

TEN = [f"p{number}" for number in range(10)]
THREE = TEN[:3]
PERMANENT = ["MessageRejected", "BadRequestException"]
FOR_NOW = [
    (429, "TooManyRequestsException"),
    (400, "SendingPausedException"),
    (400, "AccountSuspendedException"),
    (400, "LimitExceededException"),
    (403, "AccessDeniedException"),
    (404, "NotFoundException"),
]
UNKNOWN: list[tuple[int, str] | Exception] = [
    (500, "InternalFailure"),
    (503, "ServiceUnavailable"),
    (408, "RequestTimeout"),
    ReadTimeoutError(endpoint_url="https://email.example.org"),
]
NEVER_LEFT = ConnectTimeoutError(endpoint_url="https://email.example.org")


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """Three people have registered; the mail function runs on this road's clock."""
    for number, name in enumerate(THREE):
        register(table, event, make_registration(number=number, id=name), now=NOW)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        yield road


@pytest.fixture
def ten(road: Road, event: Event) -> Road:
    """Seven more."""
    for number, name in enumerate(TEN[3:], 3):
        register(road.table, event, make_registration(number=number, id=name), now=NOW)
    return road


def confirmation(person: str) -> str:
    return f"confirmation#{person}"


def deliver(road: Road, *people: str, context: Any = CONTEXT) -> list[str]:
    """Hand the function one message for each; the ids of those that failed."""
    answer = road.mail.handler(queue_event(*naming("nature", *map(confirmation, people))), context)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def state(person: str) -> str:
    return str(rows("nature")[confirmation(person)]["state"])


def test_a_mail_is_sent_once_under_its_id(road: Road) -> None:
    """The tags lead SES's events back to the row; what the row needs no longer is gone."""
    assert deliver(road, "p0") == []

    (sent,) = road.ses.sent
    assert sent.to == "person0@example.org"
    assert sent.tags == {"event": "nature", "mail": "confirmation_p0", "kind": "confirmation", "attempt": "1"}
    assert sent.request["ConfigurationSetName"] == "parcours"
    row = rows("nature")[confirmation("p0")]
    assert (row["state"], row["message_id"], row["attempt"]) == ("sent", sent.message_id, 1)
    assert not {"due", "due_at", "to", "facts"} & row.keys()
    assert road.measured["MailsSent"] == 1


def test_the_same_message_twice_is_one_mail(road: Road) -> None:
    """In one batch and in two."""
    deliver(road, "p0", "p0")
    deliver(road, "p0")

    assert road.taken == [confirmation("p0")]


def test_of_two_copies_of_the_function_one_sends(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other claims between this one's reading and its claim."""
    wait = road.mail.pacer.wait

    def overtaken(patience: float) -> None:
        wait(patience)
        mail = read_mail(road.table, "nature", confirmation("p0"))
        assert mail is not None
        assert claim(road.table, mail, now=NOW) is not None

    monkeypatch.setattr(road.mail.pacer, "wait", overtaken)

    assert deliver(road, "p0") == []
    assert road.ses.asked == 0


def test_a_mail_that_is_gone_or_held_or_being_sent_is_passed_over(road: Road) -> None:
    """The row alone says whether a mail has to go out."""
    table = road.table
    mail = read_mail(table, "nature", confirmation("p0"))
    assert mail is not None
    claim(table, mail, now=NOW)
    table.delete_all([rows("nature")[confirmation("p1")]])
    table.put_all([rows("nature")[confirmation("p2")] | {"state": "held"}])

    assert deliver(road, "p0", "p1", "p2", "nobody") == []
    assert road.ses.asked == 0


def test_what_was_withdrawn_meanwhile_is_not_confirmed_any_more(road: Road) -> None:
    """The mail is closed, and says why without naming anybody."""
    person = read_registration(road.table, "nature", "p0")
    assert person is not None
    withdraw(road.table, person, now=NOW)

    assert deliver(road, "p0") == []

    row = rows("nature")[confirmation("p0")]
    assert (row["state"], row["error"]) == ("cancelled", "the registration is withdrawn")
    assert (road.ses.asked, road.measured["MailsCancelled"]) == (0, 1)


def test_an_address_that_no_server_takes_fails_for_good(road: Road) -> None:
    """Without a call of SES, and without the other mails of the batch."""
    person = read_registration(road.table, "nature", "p0")
    assert person is not None
    save(road.table, person, {"email": "a@b..example.org"}, now=NOW)

    assert deliver(road, "p0", "p1") == []

    assert (state("p0"), state("p1")) == ("failed", "sent")
    assert road.measured["MailsFailed"] == 1


@pytest.mark.parametrize("code", PERMANENT)
def test_what_ses_rejects_is_not_tried_again(road: Road, code: str) -> None:
    """No later attempt changes such an answer."""
    road.ses.next_answers((400, code))

    assert deliver(road, "p0") == []
    road.run()

    assert (state("p0"), road.taken.count(confirmation("p0"))) == ("failed", 0)
    assert rows("nature")[confirmation("p0")]["error"] == code


@pytest.mark.parametrize(("status", "code"), FOR_NOW)
def test_what_ses_does_not_take_now_goes_out_later(road: Road, status: int, code: str) -> None:
    """Throttled, paused, without permission: nothing is lost, and the message itself is done with."""
    road.ses.next_answers((status, code))

    assert deliver(road, "p0") == []
    assert state("p0") == "pending"
    assert road.measured["MailsRefused"] == 1

    road.run()
    assert sorted(road.taken) == [confirmation(person) for person in THREE]


def test_a_connection_that_fails_has_sent_nothing(road: Road) -> None:
    """Then there is nothing unknown, and no need to wait for the window."""
    road.ses.next_answers(NEVER_LEFT)

    assert deliver(road, "p0") == []
    assert state("p0") == "pending"


@pytest.mark.parametrize("answer", UNKNOWN, ids=str)
def test_where_ses_gives_no_clear_answer_the_mail_is_neither_sent_nor_lost(
    road: Road, answer: tuple[int, str] | Exception
) -> None:
    """It stays `sending`, no other copy touches it, and after the window it is tried again."""
    road.ses.next_answers(answer)

    assert deliver(road, "p0") == []
    assert deliver(road, "p0") == []
    assert (state("p0"), road.ses.asked) == ("sending", 1)
    assert moment(rows("nature")[confirmation("p0")]["due_at"]) == NOW + WINDOW

    road.run()
    assert (state("p0"), road.taken.count(confirmation("p0"))) == ("sent", 1)


def test_an_answer_that_is_lost_is_not_asked_for_again_by_boto3(road: Road) -> None:
    """Its default retries would send the same mail three times; SES's own event settles it."""
    road.ses.lose_answer()

    deliver(road, "p0")
    assert (state("p0"), road.taken) == ("sending", [confirmation("p0")])
    road.feedback.handler(ses_event("Send", road.ses.sent[0]), CONTEXT)

    assert state("p0") == "sent"
    assert road.measured["MailsSettled"] == 1


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(road: Road) -> None:
    """2, 4, 8 … seconds after each refusal."""
    waits = []
    for _ in range(12):
        road.ses.next_answers((429, "TooManyRequestsException"))
        deliver(road, "p0")
        due = moment(rows("nature")[confirmation("p0")]["due_at"])
        waits.append((due - road.clock.now).total_seconds())
        road.clock.now = due

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


# --------------------------------------------------------------------------- P6: partial batches and poison


def break_event(table: Table) -> dict[str, Any]:
    """An event whose stored file cannot be read, and a mail of it; how the file was before."""
    whole = table.get("EVENTS", "nature")
    assert whole is not None
    mail = rows("nature")[confirmation("p0")]
    table.put_all([{**whole, "sk": "broken", "document": "{"}])
    table.put_all([{**mail, "pk": "MAIL#broken", "event": "broken"}])
    return {**whole, "sk": "broken"}


def poisoned(position: int | None, *, body: str = "") -> list[str]:
    """Ten messages, with the poison in one place, or everywhere."""
    poison = body or naming("broken", confirmation("p0"))[0]
    good = naming("nature", *map(confirmation, TEN))
    return [poison if position in {None, number} else one for number, one in enumerate(good)]


@pytest.mark.parametrize("position", range(10))
def test_a_poison_message_fails_alone_wherever_it_stands(ten: Road, position: int) -> None:
    """The nine others are sent by the same call."""
    break_event(ten.table)

    answer = ten.mail.handler(queue_event(*poisoned(position)), CONTEXT)

    assert answer == {"batchItemFailures": [{"itemIdentifier": f"id-{position + 1}"}]}
    assert ten.taken == [confirmation(name) for number, name in enumerate(TEN) if number != position]


def test_a_batch_of_poison_alone_names_each(ten: Road) -> None:
    """Ten failures, no exception: an exception would make the whole batch come again, whatever it held."""
    break_event(ten.table)

    answer = ten.mail.handler(queue_event(*poisoned(None)), CONTEXT)

    assert len(answer["batchItemFailures"]) == 10
    assert ten.ses.asked == 0


@pytest.mark.parametrize("body", ["", "{", "[]", '{"event": "nature"}', '{"event": 1, "id": 2}', "\u0000", "\ud800"])
def test_a_message_that_cannot_be_read_fails_alone(road: Road, body: str) -> None:
    """And what it says stands in no log."""
    batch = queue_event(*naming("nature", confirmation("p0")), "placeholder")
    batch["Records"][1]["body"] = body

    assert road.mail.handler(batch, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "id-2"}]}
    assert road.taken == [confirmation("p0")]


def test_poison_ends_in_the_dead_letters_alone_and_a_redrive_drains_them(ten: Road) -> None:
    """Everybody else has the mail long before; once the cause is mended, the redriven message is sent."""
    whole = break_event(ten.table)
    broken = naming("broken", confirmation("p0"))
    ten.receive(*broken)
    ten.run()

    assert ten.parked == broken
    assert ten.faults_found() == []
    assert sorted(ten.taken) == [confirmation(person) for person in TEN]

    ten.table.put_all([whole])
    ten.redrive()
    ten.run()

    assert ten.parked == []
    assert rows("broken")[confirmation("p0")]["state"] == "sent"


# --------------------------------------------------------------------------- the rate


def test_a_mail_whose_turn_is_too_far_ahead_waits_for_another_call(ten: Road) -> None:
    """It is not claimed, so it is not unknown either; the message comes again."""
    short = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 12_500})
    ten.ses.rate = 1.0

    failed = deliver(ten, *TEN[:4], context=short)

    assert failed == ["id-2", "id-3", "id-4"]
    assert [state(person) for person in TEN[:4]] == ["sent", "pending", "pending", "pending"]
    ten.run()
    assert sorted(ten.taken) == [confirmation(person) for person in TEN]


def test_when_ses_says_it_is_too_much_everybody_rests_for_a_second(road: Road) -> None:
    """Another copy of the function rests too: the slots are shared."""
    road.ses.next_answers((429, "TooManyRequestsException"))
    begun = road.clock.seconds()

    deliver(road, "p0", "p1")

    assert road.ses.sent[0].at - begun >= 1


@pytest.mark.parametrize(("rate", "kept"), [(2.0, 2.0), (14.0, 14.0), (0.0, 1.0), (None, 1.0)])
def test_the_rate_is_read_from_ses(ten: Road, rate: float | None, kept: float) -> None:
    """One a second, the least there is, when SES does not say."""
    ten.ses.rate = rate

    deliver(ten, *TEN)

    times = [sent.at for sent in ten.ses.sent]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 10
    assert 1 / kept <= min(gaps) <= max(gaps) < 1.1 / kept + 0.01


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, "MessageRejected", "Email address is not verified. The following identities failed"), "not-verified"),
        ((400, "MailFromDomainNotVerifiedException", ""), "not-verified"),
        ((400, "AccountSuspendedException", ""), "paused"),
        ((429, "TooManyRequestsException", "Daily message quota exceeded."), "daily-quota"),
    ],
)
def test_a_mail_waits_with_its_reason_until_ses_is_ready(road: Road, answer: tuple[int, str, str], reason: str) -> None:
    """The sandbox, an unverified sender and a used-up quota lose no mail (findings/aws.md, 4)."""
    road.ses.next_answers(answer)

    road.mail.handler(queue_event(*naming("nature", "confirmation#p0")), CONTEXT)

    waiting = read_mail(road.table, "nature", "confirmation#p0")
    assert waiting is not None
    assert (waiting.state, waiting.error) == (MailState.PENDING, reason)

    road.clock.now += timedelta(hours=2)
    road.mail.handler(queue_event(*naming("nature", "confirmation#p0")), CONTEXT)
    sent = read_mail(road.table, "nature", "confirmation#p0")
    assert sent is not None
    assert (sent.state, sent.error, len(road.ses.sent)) == (MailState.SENT, "", 1)
