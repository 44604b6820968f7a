"""The whole road out in one process: stream → relay → queue → mail → SES → feedback, and upkeep every minute.

The table is moto's; queue and SES answer behind botocore, so that faults hit every AWS call of the real functions.
Around them stands what AWS promises and no more: batches of the stream are tried again, messages come again after
their visibility timeout and are parked after five times, events come late, twice and in any order.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

from shared.mails import tagged_mail
from shared.models import moment
from shared.observability import metrics
from shared.table import Item, Table
from shared.tokens import Keys
from tests.support.crash_points import Crash, Faults
from tests.support.fake_ses import CONTEXT, Body, Clock, FakeSes, queue_record, rows, ses_event, stream_event

VISIBILITY = timedelta(minutes=6)
MOST_RECEIVED = 5
MOST_STREAM_TRIES = 6
MOST_CALLS = 3
SETTLED_WITHIN = timedelta(days=2)
MINUTE = timedelta(minutes=1)


@dataclass
class Message:
    """A message of the mail queue."""

    body: str
    visible_at: datetime
    received: int = 0


@dataclass(frozen=True)
class Chaos:
    """How badly the world behaves; the odds of each ill, and how late events may be."""

    seed: int = 0
    duplicated: float = 0.0
    reordered: bool = False
    lost_records: float = 0.0
    lost_answers: float = 0.0
    refusals: float = 0.0
    failures: float = 0.0
    late_events: float = 0.0
    event_delay: timedelta = timedelta(0)
    crashes: float = 0.0


@dataclass
class Road:
    """Everything between a mail row and an inbox, with a clock that waits for nobody."""

    table: Table
    keys: Keys
    event: str
    clock: Clock
    chaos: Chaos = Chaos()
    ses: FakeSes = field(default_factory=FakeSes)
    stream: list[tuple[Item, int]] = field(default_factory=list)
    queue: list[Message] = field(default_factory=list)
    events: list[tuple[datetime, dict[str, Any], int]] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    crashes: int = 0
    failed_upkeeps: int = 0
    seen: dict[str, Item] = field(default_factory=dict)
    told: int = 0
    measured: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __post_init__(self) -> None:
        from functions.feedback import app as feedback
        from functions.mail import app as mail
        from functions.relay import app as relay
        from functions.upkeep import app as upkeep

        self.relay, self.mail, self.feedback, self.upkeep = relay, mail, feedback, upkeep
        self.dice = random.Random(self.chaos.seed)
        self.ses.clock = self.clock.seconds
        self._apps: tuple[ModuleType, ...] = (relay, mail, feedback, upkeep)

    @property
    def faults(self) -> Faults:
        """The faults that can hit any AWS call of the four functions."""
        tables = {id(app.table._client): app.table._client for app in (self.mail, self.feedback, self.upkeep)}
        return Faults(*tables.values(), self.keys._client, self.relay.queue, self.mail.ses)

    @contextmanager
    def open(self) -> Iterator[Road]:
        """Set every function's clock, answer for SQS and SES, and note the metrics, as long as the block runs."""
        events = self.relay.queue.meta.events
        clocks = [app.clock for app in self._apps]
        with ExitStack() as stack:
            stack.enter_context(self.ses.answering(self.mail.ses))
            stack.enter_context(patch.dict(os.environ, POWERTOOLS_METRICS_DISABLED="true"))
            stack.enter_context(patch.object(metrics, "add_metric", self._measure))
            stack.enter_context(patch.object(self.feedback, "count_under", self._measure_one))
            for name in ("keys", "pacer"):
                stack.enter_context(patch.object(self.mail, name))
            self._start_anew(self.mail)
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "No application metrics")  # they are ours
            events.unregister("before-send", botocore_stubber)
            events.register_first("before-send.sqs", self._take_message)
            for app in self._apps:
                setattr(app, "clock", self.clock)  # noqa: B010
            try:
                yield self
            finally:
                events.unregister("before-send.sqs", self._take_message)
                events.register("before-send", botocore_stubber)
                for app, clock in zip(self._apps, clocks, strict=True):
                    setattr(app, "clock", clock)  # noqa: B010

    def _take_message(self, request: Any, **_: Any) -> AWSResponse:
        asked = json.loads(request.body)
        at = self.clock.now + timedelta(seconds=asked.get("DelaySeconds", 0))
        for _copy in range(self._copies()):
            self.receive(asked["MessageBody"], at=at)
        return AWSResponse(request.url, 200, HTTPHeaders(), Body(b'{"MessageId": "m", "MD5OfMessageBody": ""}'))

    def receive(self, *bodies: str, at: datetime | None = None) -> None:
        """Let messages arrive in the mail queue, now or at a moment."""
        self.queue += [Message(body, at or self.clock.now) for body in bodies]

    def redrive(self) -> None:
        """Send every dead letter back to the mail queue, as an operator does."""
        self.receive(*self.parked)
        self.parked = []

    def _measure(self, name: str, unit: Any, value: float, *_: Any) -> None:
        self.measured[name] += value

    def _measure_one(self, _service: str, name: str) -> None:
        self.measured[name] += 1

    def _copies(self) -> int:
        return 2 if self.dice.random() < self.chaos.duplicated else 1

    # ------------------------------------------------------------------ what happens in a while

    def run(self, lasting: timedelta = SETTLED_WITHIN) -> Road:
        """Let time pass until nothing is left to do. Minutes in which nothing can happen take no time."""
        ends = self.clock.now + lasting
        while self.clock.now < ends:
            all_done = self.step()
            self._watch_table()
            ahead = [*self._what_comes(), *([] if all_done else [self.clock.now])]
            if not ahead:
                break
            self.clock.now = max(self.clock.now + MINUTE, min(ahead))
        return self

    def step(self) -> bool:
        """What one minute brings: upkeep, then everything that it and the table set off; whether upkeep lived."""
        done = self._call(self.upkeep, {"trigger": "schedule"})
        for _round in range(50):
            self._watch_table()
            if not (self._relay() | self._deliver() | self._tell()):
                break
        return done is not None

    def _what_comes(self) -> Iterator[datetime]:
        """When something can happen again; nothing is left to do when nothing comes."""
        yield from (one.visible_at for one in self.queue)
        yield from (at for at, _, _ in self.events)
        if self.stream:
            yield self.clock.now
        for row in self.seen.values():
            nudges = int(row.get("nudges", 0))
            if row["state"] == "sending":
                yield moment(row["due_at"])
            elif row["state"] == "pending" and nudges < self.upkeep.MOST_NUDGES:
                yield moment(row["due_at"]) + self.upkeep.LOST_AFTER * 2**nudges

    def _watch_table(self) -> None:
        """The stream: every row that changed since the last look, unless the record is lost."""
        now = rows(self.event)
        changed = [row for key, row in now.items() if row != self.seen.get(key)]
        self.seen = now
        for row in changed:
            if row["state"] == "pending" and self.dice.random() >= self.chaos.lost_records:
                self.stream += [(row, 0)] * self._copies()
        if self.chaos.reordered:
            self.dice.shuffle(self.stream)

    def _relay(self) -> bool:
        batch, self.stream = self.stream[:100], self.stream[100:]
        if not batch:
            return False
        failed = self._call(self.relay, stream_event(*(row for row, _ in batch)))
        done = 0 if failed is None else _first_failed(failed, len(batch))
        again = [(row, tries + 1) for row, tries in batch[done:]]
        self.stream = [(row, tries) for row, tries in again if tries < MOST_STREAM_TRIES] + self.stream
        return True

    def _deliver(self) -> bool:
        ready = [one for one in self.queue if one.visible_at <= self.clock.now]
        if self.chaos.reordered:
            self.dice.shuffle(ready)
        batch = ready[:10]
        if not batch:
            return False
        for one in batch:
            one.received, one.visible_at = one.received + 1, self.clock.now + VISIBILITY
        for _mail in batch:
            self._misbehave()
        records = [queue_record(one.body, number) for number, one in enumerate(batch)]
        answer = self._call(self.mail, {"Records": records})
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]} if answer else None
        for number, one in enumerate(batch):
            if failed is not None and f"id-{number}" not in failed:
                self.queue.remove(one)
            elif one.received >= MOST_RECEIVED:
                self.queue.remove(one)
                self.parked.append(one.body)
        self._hear_of_sent()
        return True

    def _misbehave(self) -> None:
        """For one of the coming mails: SES takes it and its answer is lost, takes it not, or fails without a word."""
        ills = [
            (self.chaos.lost_answers, self.ses.lose_answer),
            (self.chaos.refusals, lambda: self.ses.next_answers((429, "TooManyRequestsException"))),
            (self.chaos.failures, lambda: self.ses.next_answers((500, "InternalFailure"))),
        ]
        for odds, befall in ills:
            if self.dice.random() < odds:
                befall()
                return

    def _hear_of_sent(self) -> None:
        """SES tells of what it took, late or at once, now and then twice."""
        for sent in self.ses.sent[self.told :]:
            for kind in ("Send", "Delivery"):
                late = self.chaos.event_delay if self.dice.random() < self.chaos.late_events else timedelta(0)
                for _copy in range(self._copies()):
                    self.events.append((self.clock.now + late, ses_event(kind, sent), 0))
        self.told = len(self.ses.sent)
        if self.chaos.reordered:
            self.dice.shuffle(self.events)

    def _tell(self) -> bool:
        ready = [one for one in self.events if one[0] <= self.clock.now]
        self.events = [one for one in self.events if one[0] > self.clock.now]
        for at, payload, tries in ready:
            died = self.crashes
            self._call(self.feedback, payload)
            if self.crashes > died and tries + 1 < MOST_CALLS:
                self.events.append((at + MINUTE, payload, tries + 1))
        return bool(ready)

    def _call(self, app: ModuleType, payload: dict[str, Any]) -> Any:
        """Invoke a function; None when it died."""
        try:
            if self.dice.random() < self.chaos.crashes:
                with self.faults.at([self.dice.randrange(60)]):
                    return app.handler(payload, CONTEXT)
            return app.handler(payload, CONTEXT)
        except Crash:
            self.crashes += 1
            self._start_anew(app)
        except RuntimeError:  # a step of upkeep failed; it has done the others, and the next minute tries again
            if app is not self.upkeep:
                raise
            self.failed_upkeeps += 1
            return {}
        return None

    def _start_anew(self, app: ModuleType) -> None:
        """A new process remembers nothing of the one that died."""
        metrics.clear_metrics()
        if app is self.mail:
            from functions.mail.pace import Pacer

            pacer = Pacer(app.table, app.ses, clock=self.clock.seconds, sleep=self.clock.sleep)
            setattr(app, "keys", Keys(self.keys._client, self.keys._secret_arn))  # noqa: B010
            setattr(app, "pacer", pacer)  # noqa: B010

    # ------------------------------------------------------------------ what must hold

    @property
    def taken(self) -> list[str]:
        """The id of every mail that SES took, in its order."""
        return [tagged_mail(one.tags["mail"]) for one in self.ses.sent]

    @property
    def doubles(self) -> int:
        """How many mails SES took beyond one of each."""
        return len(self.taken) - len(set(self.taken))

    def faults_found(self) -> list[str]:
        """Every mail that is lost, unsettled or remembers too much. Whether one went out twice is told by `doubles`."""
        found = []
        for key, row in rows(self.event).items():
            taken = key in self.taken
            if row["state"] not in {"sent", "cancelled", "failed"}:
                found.append(f"{key} is still {row['state']}")
            if row["state"] == "sent" and not taken:
                found.append(f"{key} is lost")
            if row["state"] == "cancelled" and taken:
                found.append(f"{key} is cancelled and was sent")
            if {"due", "due_at", "to", "facts"} & row.keys():
                found.append(f"{key} keeps what it needs no longer")
        return found


def _first_failed(answer: dict[str, Any], count: int) -> int:
    """A stream batch goes on from the first failed record, with all behind it."""
    numbers = [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]
    return min(numbers) - 1 if numbers else count
