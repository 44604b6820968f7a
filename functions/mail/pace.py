"""SES's rate, shared by every instance of the function: one row holds the moment of the next free slot.

An instance takes a few slots at a time by a conditional write, waits for each, and drops the rest when it was held
up. Slots lie a little further apart than the rate asks, by the lateness that is still accepted: so in no second more
mails start than SES allows, however many instances there are.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from shared.observability import logger, metrics
from shared.table import LIMIT_PK, MAIL_RATE_SK, Absent, ConditionFailedError, Table, update

SANDBOX_RATE = 1.0
"""Mails a second of an account about which nothing is known: the least that SES gives."""

RATE_SECONDS = 300
"""How long the rate is remembered before it is read again."""

LATENESS = 0.1
"""Seconds by which a slot may be missed and still be used."""

MOST_SLOTS = 10
"""Slots taken at once: no more than a second's worth, so that little is lost when they go unused."""

BREAK = 2000
"""Milliseconds for which no slot may be taken in a queue that still counts as never empty (`busy_since`)."""

_KEY = (LIMIT_PK, MAIL_RATE_SK)


class OutOfTimeError(Exception):
    """The next free slot lies further ahead than this invocation lasts; the mail waits for another."""


class Pacer:
    """Hands out slots to send in. The clock and the sleep are given, so that tests need not wait."""

    def __init__(
        self,
        table: Table,
        ses: Any,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table, self._ses, self._clock, self._sleep = table, ses, clock, sleep
        self._slots: deque[int] = deque()
        self._rate, self._rate_read_at = SANDBOX_RATE, float("-inf")
        self._quota: dict[str, int] = {}

    def wait(self, patience: float) -> None:
        """Return when the next mail may start. Raises OutOfTimeError when that takes more than `patience` seconds."""
        ends = self._clock() + patience
        while True:
            slot = self._next_slot() / 1000
            if slot > ends:
                raise OutOfTimeError
            ahead = slot - self._clock()
            if ahead > 0:
                self._sleep(ahead)
            if self._clock() - slot <= LATENESS:
                return

    def rest(self) -> None:
        """SES said it is too much: leave a second free, for everybody."""
        self._slots.clear()
        self._reserve(1, gap=1000)

    def _next_slot(self) -> int:
        """The next slot of ours that is not past, in milliseconds."""
        late = (self._clock() - LATENESS) * 1000
        while self._slots and self._slots[0] < late:
            self._slots.popleft()
        if not self._slots:
            rate = self._current_rate()
            gap = math.ceil((1 + LATENESS) * 1000 / rate)
            count = max(1, min(MOST_SLOTS, int(rate)))
            start = self._reserve(count, gap=gap)
            self._slots.extend(start + gap * position for position in range(count))
        return self._slots.popleft()

    def _reserve(self, count: int, *, gap: int) -> int:
        """Take `count` slots behind those that others took; when the first one is."""
        while True:
            found = self._table.get(*_KEY)
            now = math.ceil(self._clock() * 1000)
            start = max(now, found["next"] if found else 0)
            busy_since = found["busy_since"] if found and found["next"] + BREAK >= now else now
            known = {"next": found["next"]} if found else {"pk": Absent()}
            taken = {"next": start + gap * count, "busy_since": busy_since, "gap": gap, **self._quota}
            try:
                self._table.write(update(*_KEY, assign=taken, expect=known))
            except ConditionFailedError:
                continue  # another instance was faster
            return start

    def _current_rate(self) -> float:
        """What SES allows this account a second; the last known value when SES does not answer."""
        if self._clock() - self._rate_read_at > RATE_SECONDS:
            try:
                quota = self._ses.get_account()["SendQuota"]
                told = float(quota["MaxSendRate"])
                self._quota = _of_a_day(quota)
            except (BotoCoreError, ClientError, KeyError) as error:
                logger.warning("sending rate not read", extra={"why": type(error).__name__})
            else:
                self._rate = told if told > 0 else SANDBOX_RATE
                metrics.add_metric("SendingRate", MetricUnit.CountPerSecond, self._rate)
            self._rate_read_at = self._clock()
        return self._rate


def _of_a_day(quota: Mapping[str, Any]) -> dict[str, int]:
    """Mails that SES allows in 24 hours, and how many of them are left; nothing where it sets no limit (−1)."""
    daily, sent = int(quota.get("Max24HourSend", -1)), int(quota.get("SentLast24Hours", 0))
    return {"daily": daily, "left": max(0, daily - sent)} if daily > 0 else {}
