"""The whole road out in one process: stream → relay → queue → mail → SES → feedback, and upkeep every minute.

The table is moto's; queue and SES answer behind botocore, so that faults hit every AWS call of the real functions.
Around them stands what AWS promises and no more: batches of the stream are tried again, messages come again after
their visibility timeout and are parked after five times, events come late, twice and in any order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.core.models import botocore_stubber

from shared.mails import WINDOW
from shared.table import Item, Table
from shared.tokens import Keys
from tests.faults import Crash, Faults
from tests.posting import CONTEXT, Clock, FakeSes, Sent, _Body, queue_record, rows, ses_event, stream_event

VISIBILITY = timedelta(minutes=6)
MOST_RECEIVED = 5
SETTLED_WITHIN = timedelta(hours=12)


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
    late_events: float = 0.0
    event_delay: timedelta = timedelta(0)


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
    seen: dict[str, Item] = field(default_factory=dict)
    told: int = 0

    def __post_init__(self) -> None:
        from functions.feedback import app as feedback
        from functions.mail import app as mail
        from functions.mail.pace import Pacer
        from functions.relay import app as relay
        from functions.upkeep import app as upkeep

        self.relay, self.mail, self.feedback, self.upkeep = relay, mail, feedback, upkeep
        self.dice = random.Random(self.chaos.seed)
        self.ses.clock = self.clock.seconds
        mail.keys = self.keys
        mail.pacer = Pacer(mail.table, mail.ses, clock=self.clock.seconds, sleep=self.clock.sleep)
        self._apps: tuple[ModuleType, ...] = (relay, mail, feedback, upkeep)

    @property
    def faults(self) -> Faults:
        """The faults that can hit any of the four functions."""
        tables = {id(app.table._client): app.table._client for app in (self.mail, self.feedback, self.upkeep)}
        return Faults(*tables.values(), self.relay.queue, self.mail.ses)

    @contextmanager
    def open(self) -> Iterator[Road]:
        """Set every function's clock, and answer for SQS and SES, as long as the block runs."""
        events = self.relay.queue.meta.events
        clocks = [app.clock for app in self._apps]
        with ExitStack() as stack:
            stack.enter_context(self.ses.answering(self.mail.ses))
            events.unregister("before-send", botocore_stubber)
            events.register_first("before-send.sqs", self._take_message)
            for app in self._apps:
                app.clock = self.clock
            try:
                yield self
            finally:
                events.unregister("before-send.sqs", self._take_message)
                events.register("before-send", botocore_stubber)
                for app, clock in zip(self._apps, clocks, strict=True):
                    app.clock = clock

    def _take_message(self, request: Any, **_: Any) -> AWSResponse:
        asked = json.loads(request.body)
        at = self.clock.now + timedelta(seconds=asked.get("DelaySeconds", 0))
        for _copy in range(self._copies()):
            self.queue.append(Message(asked["MessageBody"], at))
        return AWSResponse(request.url, 200, {}, _Body(b'{"MessageId": "m", "MD5OfMessageBody": ""}'))

    def _copies(self) -> int:
        return 2 if self.dice.random() < self.chaos.duplicated else 1

    # ------------------------------------------------------------------ what happens in a while

    def run(self, lasting: timedelta = SETTLED_WITHIN) -> Road:
        """Let time pass until nothing is left to do."""
        ends = self.clock.now + lasting
        while self.clock.now < ends:
            self.step()
            if not self._busy():
                return self
            self.clock.now += timedelta(minutes=1)
        return self

    def step(self) -> None:
        """What one minute brings: upkeep, then everything that it and the table set off."""
        self._call(self.upkeep, {"trigger": "schedule"})
        for _round in range(20):
            self._watch_table()
            if not (self._relay() | self._deliver() | self._tell()):
                return

    def _busy(self) -> bool:
        self._watch_table()
        unsettled = any(row["state"] in {"pending", "sending"} for row in rows(self.table, self.event).values())
        return unsettled or bool(self.stream or self.events or [one for one in self.queue if one.received])

    def _watch_table(self) -> None:
        """The stream: every row that changed since the last look, unless the record is lost."""
        now = rows(self.table, self.event)
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
        self.stream = [(row, tries + 1) for row, tries in batch[done:] if tries < 5] + self.stream
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
        odds = self.dice.random()
        if odds < self.chaos.lost_answers:
            self.ses.lose_answer()
        elif odds < self.chaos.lost_answers + self.chaos.refusals:
            self.ses.next_answers((429, "TooManyRequestsException"))

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
        for one in ready:
            self.events.remove(one)
            at, payload, tries = one
            if self._call(self.feedback, payload) is None and self._last_crashed and tries < 2:
                self.events.append((at + timedelta(minutes=1), payload, tries + 1))
        return bool(ready)

    def _call(self, app: ModuleType, payload: dict[str, Any]) -> Any:
        """Invoke a function; None when it died."""
        self._last_crashed = False
        try:
            return app.handler(payload, CONTEXT)
        except Crash:
            self.crashes += 1
            self._last_crashed = True
            app_is_new(app)
        except RuntimeError:
            assert app is self.upkeep
        return None

    # ------------------------------------------------------------------ what must hold

    def of(self, mail: str) -> list[Sent]:
        """What SES took of one mail."""
        return [one for one in self.ses.sent if one.tags["mail"].replace("_", "#") == mail]

    def faults_found(self, *, late: bool = False) -> list[str]:
        """Every breach of the promise that each person gets each mail once; `late` allows the declared case."""
        found = []
        for key, row in rows(self.table, self.event).items():
            taken = len(self.of(key))
            if row["state"] not in {"sent", "cancelled", "failed"}:
                found.append(f"{key} is still {row['state']}")
            if row["state"] == "sent" and not taken:
                found.append(f"{key} is lost")
            if taken > 1 and not late:
                found.append(f"{key} was sent {taken} times")
            if row["state"] == "cancelled" and taken:
                found.append(f"{key} is cancelled and was sent")
            if {"due", "due_at", "to", "facts"} & row.keys() and row["state"] != "held":
                found.append(f"{key} keeps what it needs no longer")
        if self.parked:
            found.append(f"{len(self.parked)} messages are parked")
        return found


def app_is_new(app: ModuleType) -> None:
    """After a crash the next call finds a new process: what the old one remembered is gone."""
    if hasattr(app, "pacer"):
        app.pacer._slots.clear()
    if hasattr(app, "metrics"):
        with suppress(Exception):
            app.metrics.clear_metrics()


def _first_failed(answer: dict[str, Any], count: int) -> int:
    """A stream batch goes on from the first failed record, with all behind it."""
    numbers = [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]
    return min(numbers) - 1 if numbers else count


LATER_THAN_WINDOW = WINDOW + timedelta(minutes=5)
