"""P12: SES's rate is kept by however many copies of the function, and throttling loses nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.mail.pace import SANDBOX_RATE, OutOfTimeError, Pacer
from shared.models import Event
from shared.registrations import register
from shared.table import Item, Table
from shared.tokens import Keys
from tests.support.crash_points import Snapshot
from tests.support.factories import NOW, make_registration
from tests.support.fake_ses import Clock, FakeSes
from tests.support.mail_pipeline import Chaos, Road

pytestmark = pytest.mark.promise("P12")


PATIENCE = 48.0
BEGUN = 1_772_445_600.0


class Account:
    """What SES says of the account."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def get_account(self) -> dict[str, Any]:
        return {"SendQuota": {"MaxSendRate": self.rate}}


@dataclass
class Copy:
    """One copy of the function, with a clock of its own that its sleep and its work move."""

    table: Table
    account: Account
    now: float = BEGUN
    pacer: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.table, self.account, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def send_all(table: Table, rate: float, mails: int, *, copies: int, seed: int) -> list[float]:
    """Send so many mails from so many copies that pause, are throttled and run out of time; when SES was asked."""
    dice = random.Random(seed)
    account = Account(rate)
    crew = [Copy(table, account, BEGUN + dice.random()) for _ in range(copies)]
    asked: list[float] = []
    while mails:
        copy = min(crew, key=lambda one: one.now)
        try:
            copy.pacer.wait(PATIENCE)
        except OutOfTimeError:
            copy.now += dice.uniform(1, 60)
            continue
        asked.append(copy.now)
        if dice.random() < 0.05:
            copy.pacer.rest()  # TooManyRequests: this mail is still to be sent
        else:
            mails -= 1
        copy.now += dice.uniform(0, 3) if dice.random() < 0.05 else dice.uniform(0.05, 0.15)
    return sorted(asked)


def busiest_second(asked: list[float]) -> int:
    """The most calls within any one second."""
    most, begin = 0, 0
    for end, now in enumerate(asked):
        while now - asked[begin] >= 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most


@pytest.mark.parametrize(("rate", "mails"), [(1, 60), (14, 300)])
@pytest.mark.parametrize("copies", [1, 2, 5])
def test_in_no_second_more_mails_start_than_ses_allows(table: Table, rate: int, mails: int, copies: int) -> None:
    """Whatever pauses the copies make, and however often SES throttles; the rate is used, too, not just undercut."""
    asked = send_all(table, rate, mails, copies=copies, seed=copies)

    assert len(asked) >= mails
    assert busiest_second(asked) <= rate
    assert len(asked) / (asked[-1] - asked[0]) > rate / 5


@pytest.mark.sweep
@pytest.mark.parametrize("rate", [1, 14])
def test_a_thousand_mails_keep_the_rate_under_twenty_seeds(table: Table, rate: int) -> None:
    """P12 in full."""
    empty = Snapshot()
    for seed in range(20):
        empty.restore()
        asked = send_all(table, rate, 1000, copies=1 + seed % 5, seed=seed)
        assert len(asked) >= 1000, f"seed {seed}"
        assert busiest_second(asked) <= rate, f"seed {seed}"


def test_two_copies_that_reach_for_the_same_slots_get_others(table: Table) -> None:
    """The other takes slots between this one's reading and its writing."""
    account = Account(14)
    other = Copy(table, account)

    class Overtaken(Table):
        def get(self, pk: str, sk: str) -> Item | None:
            found = super().get(pk, sk)
            for _ in range(next(overtakes, 0)):
                other.pacer.wait(PATIENCE)
                times.append(other.now)
            return found

    times: list[float] = []
    overtakes: Iterator[int] = iter([11, 11, 11])
    copy = Copy(Overtaken(table._client, "parcours"), account)
    for _ in range(20):
        copy.pacer.wait(PATIENCE)
        times.append(copy.now)

    assert len(times) == 20 + 33
    assert len({round(one, 3) for one in times}) == len(times)
    assert busiest_second(sorted(times)) <= 14


def test_a_rate_that_ses_raises_is_used_without_a_deployment(table: Table) -> None:
    """It is read again every five minutes; until SES said anything it is the least there is."""
    account = Account(0.0)
    copy = Copy(table, account)
    gaps = []
    for rate in (0.0, 2.0, 14.0):
        account.rate = rate
        copy.now += 600
        copy.pacer.wait(PATIENCE)
        for _ in range(12):
            before = copy.now
            copy.pacer.wait(PATIENCE)
        gaps.append(copy.now - before)

    assert gaps == [pytest.approx(1.1 / rate, abs=0.002) for rate in (SANDBOX_RATE, 2, 14)]


@pytest.mark.parametrize("rate", [1.0, 14.0])
def test_the_whole_road_keeps_the_rate_and_loses_nothing_when_it_is_throttled(
    table: Table, keys: Keys, event: Event, rate: float
) -> None:
    """Thirty mails, a third of the batches throttled by SES."""
    for number in range(30):
        register(table, event, make_registration(number=number, id=f"p{number:02d}"), now=NOW)
    ses = FakeSes(rate=rate)
    road = Road(table, keys, "nature", Clock(datetime.fromtimestamp(BEGUN, UTC)), Chaos(seed=5, refusals=0.4), ses=ses)
    with road.open():
        road.run()

    assert road.faults_found() == []
    assert sorted(road.taken) == [f"confirmation#p{number:02d}" for number in range(30)]
    assert road.measured["MailsRefused"] > 0
    assert busiest_second([sent.at for sent in ses.sent]) <= rate
