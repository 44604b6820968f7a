"""P17: what goes wrong crosses the threshold of its alarm, and a quiet day crosses none.

The thresholds are read from the template, the figures from the metrics that the functions report. Alarms on AWS's own
metrics (errors, silence, dead letters, 5xx) are held by the rules of `tests/unit/template_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.lint import plain
from shared.events import read_event
from shared.mails import WINDOW, claim, put_back, read_mail
from shared.models import Event, Mail
from shared.registrations import read_registration, register, save
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_event, make_registration
from tests.support.fake_ses import CONTEXT, Clock, naming, queue_event, ses_event
from tests.support.mail_pipeline import Road

pytestmark = pytest.mark.promise("P17")


PEOPLE = 7

ROOT = Path(__file__).parents[3]
REPORTED = re.compile(r"(?:add_metric|count|count_under)\(\s*(?:\"([a-z]+)\", )?\"([A-Z]\w+)\"")
"""A metric reported by name, and the function it is reported for, if it is another one."""


def alarms() -> dict[str, dict[str, Any]]:
    """The template's alarms on metrics of our own."""
    resources = plain()["Resources"].items()
    found = {name: one["Properties"] for name, one in resources if one["Type"] == "AWS::CloudWatch::Alarm"}
    return {name: one for name, one in found.items() if one["Namespace"] == {"Fn::Sub": "Parcours/${AWS::StackName}"}}


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Iterator[Road]:
    """Seven people have registered and heard of it."""
    for number in range(PEOPLE):
        register(table, event, make_registration(number=number, id=f"p{number}"), now=NOW)
    with Road(table, keys, event.id, Clock(NOW)).open() as road:
        road.run()
        yield road


def upkeep(road: Road) -> None:
    road.upkeep.handler({"trigger": "schedule"}, CONTEXT)


def unsent(road: Road) -> Mail:
    """A mail that nobody has taken up yet."""
    register(road.table, road_event(road), make_registration(number=99, id="p99"), now=road.clock.now)
    mail = read_mail(road.table, road.event, "confirmation#p99")
    assert mail is not None
    return mail


def road_event(road: Road) -> Event:
    event = read_event(road.table, road.event)
    assert event is not None
    return event


def nobody_allocates(road: Road) -> None:
    """The deadline passed eleven minutes ago."""
    road.clock.now = road_event(road).allocates_at + timedelta(minutes=11)
    upkeep(road)


def an_allocation_fails(road: Road) -> None:
    """There are more people than seats by now."""
    from functions.allocate import app

    themes = [{"id": theme.id, "title": theme.title, "capacity": 1} for theme in road_event(road).themes]
    document = make_event(themes=themes).model_dump_json(exclude_defaults=True)
    road.table.put_all([{"pk": "EVENTS", "sk": road.event, "document": document}])
    app.table = road.table
    app.work_through(road_event(road).allocates_at + timedelta(minutes=1))


def a_mail_waits(road: Road) -> None:
    """For sixteen minutes."""
    unsent(road)
    road.clock.now += timedelta(minutes=16)
    upkeep(road)


def a_mail_is_stuck(road: Road) -> None:
    """Handed to SES, and nothing heard since."""
    claim(road.table, unsent(road), now=road.clock.now)
    road.clock.now += WINDOW
    upkeep(road)


def a_mail_fails(road: Road) -> None:
    """Its address is none."""
    mail = unsent(road)
    person = read_registration(road.table, road.event, mail.registration)
    assert person is not None
    save(road.table, person, {"email": "a@b..example.org"}, now=road.clock.now)
    road.mail.handler(queue_event(*naming(road.event, mail.id)), CONTEXT)


def mails_bounce(road: Road) -> None:
    """Six of them."""
    for sent in road.ses.sent[:6]:
        road.feedback.handler(ses_event("Bounce", sent, bounceType="Permanent"), CONTEXT)


def somebody_complains(road: Road) -> None:
    """One is enough."""
    road.feedback.handler(ses_event("Complaint", road.ses.sent[0]), CONTEXT)


def a_mail_goes_out_twice(road: Road) -> None:
    """SES's answer is lost, and its event comes after the window."""
    unsent(road)
    road.ses.lose_answer()
    message = queue_event(*naming(road.event, "confirmation#p99"))
    road.mail.handler(message, CONTEXT)
    stuck = read_mail(road.table, road.event, "confirmation#p99")
    assert stuck is not None
    put_back(road.table, stuck, now=road.clock.now + WINDOW, due_at=road.clock.now + WINDOW)
    road.mail.handler(message, CONTEXT)
    road.feedback.handler(ses_event("Send", road.ses.sent[-2]), CONTEXT)


SITUATIONS: dict[str, Callable[[Road], None]] = {
    "AllocationLate": nobody_allocates,
    "AllocationFailed": an_allocation_fails,
    "MailLate": a_mail_waits,
    "MailStuck": a_mail_is_stuck,
    "MailsFailed": a_mail_fails,
    "Bounces": mails_bounce,
    "Complaints": somebody_complains,
    "MailsDoubled": a_mail_goes_out_twice,
}


def test_every_alarm_of_ours_has_a_situation() -> None:
    """An alarm without one was never seen to ring."""
    assert alarms().keys() == SITUATIONS.keys()


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_goes_wrong_rings_and_a_quiet_day_does_not(road: Road, name: str) -> None:
    """Each figure against the threshold that the template sets for it."""
    alarm = alarms()[name]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    upkeep(road)
    assert road.measured[alarm["MetricName"]] <= alarm["Threshold"]

    road.measured.clear()
    SITUATIONS[name](road)

    assert road.measured[alarm["MetricName"]] > alarm["Threshold"]


def test_an_alarm_reads_the_series_of_every_function_that_reports_its_metric() -> None:
    """A metric is a series for each function; one that no alarm reads rings for nobody."""
    read = {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms().values()}
    reported = {
        (name, service or path.parts[-2])
        for path in ROOT.glob("functions/*/*.py")
        for service, name in REPORTED.findall(path.read_text(encoding="utf-8"))
    }

    alarmed = {name for name, _ in read}
    assert ("MailsFailed", "mail") in reported
    assert {(name, service) for name, service in reported if name in alarmed} <= read
