"""What SES tells of a mail: sent, delivered, bounced, complained of, rejected; late, twice and in any order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from functions.feedback.app import UnreadableEventError
from shared.mails import claim, give_up, put_back, read_mail
from shared.models import Event, Mail, MailState, Registration
from shared.observability import count_under
from shared.registrations import erase, mark_bounced, read_registration, register, save
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_registration
from tests.support.fake_ses import (
    CONTEXT,
    Clock,
    Sent,
    delivered,
    naming,
    queue_event,
    rows,
    ses_event,
    whole_ses_event,
)
from tests.support.mail_pipeline import Road

MAIL = "confirmation#p1"
GONE: dict[str, Any] = {"bounceType": "Permanent", "bounceSubType": "General"}
FULL: dict[str, Any] = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
ABSENT: dict[str, Any] = {"bounceType": "Transient", "bounceSubType": "General"}


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """One person has registered and the confirmation is sent."""
    register(table, event, make_registration(id="p1"), now=NOW)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        road.mail.handler(queue_event(*naming("nature", MAIL)), CONTEXT)
        yield road


def hear(road: Road, *kinds: str, sent: Sent | None = None, **details: Any) -> None:
    """Tell the function what became of a mail, the confirmation if nothing else is said."""
    for kind in kinds:
        road.feedback.handler(ses_event(kind, sent or road.ses.sent[0], **details), CONTEXT)


def row() -> dict[str, Any]:
    return rows("nature")[MAIL]


def person(road: Road) -> Registration:
    found = read_registration(road.table, "nature", "p1")
    assert found is not None
    return found


def unsettled(road: Road) -> Mail:
    """The same mail as if SES's answer had been lost."""
    road.table.put_all([{**row(), "state": "sending", "message_id": "", "due": "mail#0", "due_at": "x"}])
    mail = read_mail(road.table, "nature", MAIL)
    assert mail is not None
    return mail


def test_a_delivery_changes_nothing_of_a_mail_that_is_sent(road: Road) -> None:
    """Nor does hearing of it twice."""
    before = row(), person(road)

    hear(road, "Send", "Delivery", "Send", "Delivery")

    assert (row(), person(road)) == before


@pytest.mark.parametrize("kind", ["Send", "Delivery", "DeliveryDelay", "Bounce", "Complaint"])
def test_whatever_became_of_it_ses_had_taken_it(road: Road, kind: str) -> None:
    """Events overtake each other: the first of any kind settles a row that is still `sending`."""
    unsettled(road)

    hear(road, kind)

    assert (row()["state"], row()["message_id"]) == ("sent", road.ses.sent[0].message_id)
    assert not {"due", "due_at"} & row().keys()
    assert road.measured["MailsSettled"] == 1


def test_a_mail_that_was_put_back_already_is_not_sent_again_once_its_event_comes(road: Road) -> None:
    """The event came later than the window, and sooner than the second attempt."""
    mail = unsettled(road)
    assert put_back(road.table, mail, now=NOW, due_at=NOW)

    hear(road, "Send")
    road.mail.handler(queue_event(*naming("nature", MAIL)), CONTEXT)

    assert (row()["state"], len(road.ses.sent)) == ("sent", 1)


def test_a_mail_given_up_as_pointless_that_had_gone_out_after_all_counts_as_sent(road: Road) -> None:
    """Its answer was lost, and before its event came there was nothing left to tell (chaos, seed 2784)."""
    mail = unsettled(road)
    assert give_up(road.table, mail, MailState.CANCELLED, "the registration is offered", now=NOW)

    hear(road, "Send")

    assert (row()["state"], row()["error"]) == ("sent", "")


@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce"])
def test_an_event_that_comes_after_the_second_attempt_is_counted_as_a_mail_sent_twice(road: Road, kind: str) -> None:
    """P2's declared case: counted here, alarmed when upkeep gave the mail up for unknown."""
    mail = unsettled(road)
    assert put_back(road.table, mail, now=NOW, due_at=NOW)
    road.mail.handler(queue_event(*naming("nature", MAIL)), CONTEXT)

    hear(road, kind, sent=road.ses.sent[0])
    hear(road, kind, sent=road.ses.sent[1])

    assert row()["message_id"] == road.ses.sent[1].message_id
    assert road.measured["MailsSentTwice"] == 1


@pytest.mark.parametrize("bounce", [GONE, FULL])
def test_a_mail_that_comes_back_is_noted_beside_the_person(road: Road, bounce: dict[str, Any]) -> None:
    """Organisers see whom mail does not reach."""
    hear(road, "Bounce", **bounce)

    assert person(road).bounced
    assert (row()["state"], row()["bounced"]) == ("sent", True)
    assert row()["error"] == f"bounce: {bounce['bounceType']} {bounce['bounceSubType']}"
    assert road.measured["MailsBounced"] == 1


def test_an_absence_note_says_nothing_of_the_address(road: Road) -> None:
    """The mail came back, the person is still reached."""
    hear(road, "Bounce", **ABSENT)

    assert row()["bounced"] is True
    assert not person(road).bounced


def test_a_bounce_of_an_address_that_was_corrected_since_is_old_news(road: Road) -> None:
    """The new address has not bounced."""
    save(road.table, person(road), {"email": "better@example.org"}, now=NOW)

    hear(road, "Bounce", **GONE)

    assert row()["bounced"] is True
    assert not person(road).bounced


def test_a_bounce_of_an_attempt_before_the_address_was_corrected_is_old_news(road: Road) -> None:
    """Its answer was lost and it was sent again, to the new address, which the row remembers by a digest."""
    assert put_back(road.table, unsettled(road), now=NOW, due_at=NOW)
    save(road.table, person(road), {"email": "better@example.org"}, now=NOW)
    road.mail.handler(queue_event(*naming("nature", MAIL)), CONTEXT)
    first, second = road.ses.sent
    assert second.to == "better@example.org"
    assert "better" not in str(row())

    hear(road, "Bounce", sent=first, **GONE)
    assert not person(road).bounced
    hear(road, "Bounce", sent=second, **GONE)
    assert person(road).bounced


def test_capitals_make_no_other_address(road: Road) -> None:
    """SES tells the address as it was sent to."""
    save(road.table, person(road), {"email": "PERSON1@example.org"}, now=NOW)

    hear(road, "Bounce", **GONE)

    assert person(road).bounced


def test_a_complaint_is_noted_beside_the_mail(road: Road) -> None:
    """SES suppresses the address from then on; the row says why."""
    hear(road, "Complaint")

    assert (row()["state"], row()["bounced"], row()["error"]) == ("sent", True, "complaint")
    assert road.measured["MailsComplained"] == 1


@pytest.mark.parametrize("kind", ["Reject", "Rendering Failure"])
@pytest.mark.parametrize("settled", [True, False])
def test_a_mail_that_ses_took_and_did_not_send_has_failed(road: Road, kind: str, settled: bool) -> None:
    """A virus, say. It is not tried again."""
    if not settled:
        unsettled(road)

    hear(road, kind, kind)
    road.run()

    assert (row()["state"], len(road.ses.sent)) == ("failed", 1)
    assert road.measured["MailsFailed"] >= 1


@pytest.mark.parametrize("order", list(permutations(("Send", "Delivery", "Bounce"))), ids="-".join)
@pytest.mark.parametrize("times", [1, 2])
def test_no_order_and_no_repetition_changes_the_outcome(road: Road, order: tuple[str, ...], times: int) -> None:
    """EventBridge promises neither."""
    unsettled(road)

    for kind in order * times:
        hear(road, kind, **GONE)

    assert (row()["state"], row()["bounced"], person(road).bounced) == ("sent", True, True)
    assert person(road).revision == 2
    assert road.measured["MailsSettled"] == 1
    assert road.measured["MailsSentTwice"] == 0


def test_an_event_of_a_mail_that_was_erased_brings_nothing_back(road: Road) -> None:
    """Neither the row nor the person."""
    sent = road.ses.sent[0]
    erase(road.table, person(road), now=NOW)
    before = rows("nature")

    hear(road, "Send", "Bounce", "Complaint", "Reject", sent=sent)

    assert rows("nature") == before
    assert read_registration(road.table, "nature", "p1") is None


@pytest.mark.promise("P10")
@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce", "Complaint", "Reject", "DeliveryDelay"])
def test_what_feedback_fails_on_is_parked_without_an_address(road: Road, kind: str) -> None:
    """Lambda parks what it was called with, for a fortnight; the rule passes on ids alone."""
    sent = road.ses.sent[0]
    whole = whole_ses_event(kind, sent, **GONE)

    parked = delivered(whole)

    assert json.dumps(whole).count(sent.to) >= 2
    assert "@" not in json.dumps(parked)
    assert parked == {
        **{"kind": kind, "message": sent.message_id, "event": "nature", "mail": "confirmation_p1", "attempt": "1"},
        "request": sent.tags.get("request", ""),
        "type": "Permanent" if kind == "Bounce" else "",
        "subtype": "General" if kind == "Bounce" else "",
    }


@pytest.mark.parametrize("tags", [{}, {"event": ["nature"]}, {"mail": ["confirmation_p1"]}, {"event": [], "mail": []}])
def test_an_event_without_our_tags_is_none_of_ours(road: Road, tags: dict[str, list[str]]) -> None:
    """Another application may send with the same configuration set."""
    event = whole_ses_event("Bounce", road.ses.sent[0], **GONE)
    event["detail"]["mail"]["tags"] = tags
    before = row()

    road.feedback.handler(delivered(event), CONTEXT)

    assert row() == before


@pytest.mark.parametrize("payload", [{}, {"kind": "Send"}, {"kind": "", "message": "", "event": "x", "mail": "x"}])
def test_what_is_no_event_of_ses_fails_without_a_word_of_it(road: Road, payload: dict[str, Any]) -> None:
    """Lambda tries again and parks it; its words stay out of the log."""
    with pytest.raises(UnreadableEventError) as error:
        road.feedback.handler(payload, CONTEXT)

    assert str(error.value) == ""
    assert error.value.__suppress_context__


def test_a_person_who_changes_their_registration_at_that_moment_is_marked_all_the_same(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registration is read again, and nothing of the change is lost."""
    changes = iter(["An office", "Another office"])

    def overtaken(table: Table, before: Registration, *, now: Any) -> None:
        organisation = next(changes, None)
        if organisation:
            save(table, before, {"organisation": organisation}, now=now)
        mark_bounced(table, before, now=now)

    monkeypatch.setattr(road.feedback, "mark_person_bounced", overtaken)

    hear(road, "Bounce", **GONE)

    assert person(road).bounced
    assert person(road).organisation == "Another office"


def test_a_mail_being_sent_a_second_time_is_settled_by_the_event_of_the_first(road: Road) -> None:
    """And the second answer finds it settled."""
    mail = unsettled(road)
    put_back(road.table, mail, now=NOW, due_at=NOW)
    again = read_mail(road.table, "nature", MAIL)
    assert again is not None
    assert claim(road.table, again, now=NOW + timedelta(minutes=11)) is not None

    hear(road, "Send")

    assert row()["state"] == MailState.SENT


def test_a_late_refusal_rings_the_alarm_of_failed_mails(capsys: pytest.CaptureFixture[str]) -> None:
    """That alarm reads the series of the function that sends."""
    count_under("mail", "MailsFailed")

    told = json.loads(capsys.readouterr().out)
    assert (told["MailsFailed"], told["service"]) == ([1.0], "mail")
