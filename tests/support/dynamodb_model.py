"""DynamoDB under load, in virtual time: transactions hold rows, meet, and are cancelled; partitions throttle.

moto and the embedded cloud do neither. Every actor is a thread, and exactly one runs at a time: a thread that sleeps
hands over to the actor that wakes next, so that a minute of rush takes no minute, and the same seed gives the same
course.

What is modelled, from the AWS documentation: a transaction whose row is in another one is cancelled with
`TransactionConflict`, at once; a partition key takes 1,000 write units a second, of which a write of a transaction
takes two, and beyond them writes are throttled. What is not: how long AWS holds a row, which is a parameter here.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.rows import Rows, key_of
from tests.support.unreliable_client import refusal

WRITE_UNITS_A_SECOND = 1000


class VirtualTime:
    """A clock that actors share, and that only moves when all of them sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self._turns: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()
        self._done = threading.Event()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the other actors run until this much time has passed."""
        mine = threading.Event()
        heapq.heappush(self._turns, (self.now + seconds, next(self._order), mine))
        self._wake_next()
        mine.wait()

    def run(self, actors: Sequence[tuple[float, Callable[[], None]]]) -> None:
        """Run actors, each from its moment on, until all have ended."""
        threads = []
        for begins, act in actors:
            turn = threading.Event()
            heapq.heappush(self._turns, (begins, next(self._order), turn))
            threads.append(threading.Thread(target=self._live, args=(turn, act), daemon=True))
        for thread in threads:
            thread.start()
        self._wake_next()
        self._done.wait()

    def _live(self, turn: threading.Event, act: Callable[[], None]) -> None:
        turn.wait()
        try:
            act()
        finally:
            self._wake_next()

    def _wake_next(self) -> None:
        if not self._turns:
            self._done.set()
            return
        self.now, _, turn = heapq.heappop(self._turns)
        turn.set()


@dataclass
class Latencies:
    """Seconds of virtual time that calls take."""

    read: float = 0.004
    refused: float = 0.006
    held: float = 0.015
    """How long a transaction holds its rows, and takes."""


class DynamoDbModel:
    """The calls of a client in virtual time, with what AWS adds to their effect."""

    def __init__(self, client: Rows, time: VirtualTime, latencies: Latencies | None = None) -> None:
        self._client, self._time = client, time
        self.latencies = latencies or Latencies()
        self._held: set[tuple[str, str]] = set()
        self._used: Counter[tuple[str, int]] = Counter()
        self.cancelled: Counter[str] = Counter()

    def get_item(self, **arguments: Any) -> Any:
        self._time.sleep(self.latencies.read)
        return self._client.get_item(**arguments)

    def query(self, **arguments: Any) -> Any:
        self._time.sleep(self.latencies.read)
        return self._client.query(**arguments)

    def transact_write_items(self, **arguments: Any) -> Any:
        keys = [key_of(body) for write in arguments["TransactItems"] for body in write.values()]
        reasons = ["TransactionConflict" if key in self._held else "None" for key in keys]
        if set(reasons) == {"None"}:
            reasons = ["None" if self._spend(key[0], 2) else "ThrottlingError" for key in keys]
        if set(reasons) != {"None"}:
            self.cancelled.update(set(reasons) - {"None"})
            self._time.sleep(self.latencies.refused)
            raise refusal("TransactionCanceledException", "TransactWriteItems", reasons)
        self._held.update(keys)
        try:
            self._time.sleep(self.latencies.held)
            return self._client.transact_write_items(**arguments)
        finally:
            self._held.difference_update(keys)

    def _spend(self, partition: str, units: int) -> bool:
        second = (partition, int(self._time.now))
        self._used[second] += units
        return self._used[second] <= WRITE_UNITS_A_SECOND
