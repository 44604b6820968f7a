"""A process that dies before or after any AWS call it makes: the faults behind the promises P1, P2 and P4.

`before` means the call has had no effect, `after` that it has and nobody learned of it. The fault is a BaseException,
raised where botocore announces the call, so that no `except Exception` of ours can hide it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.fake_ses import stored_table


class Crash(BaseException):
    """The process is gone."""


class Faults:
    """Counts the AWS calls of some clients, and dies at the moments it is told.

    Moment 2n is before call n, moment 2n + 1 after it; counting goes on over all crashes and recoveries.
    """

    def __init__(self, *clients: Any) -> None:
        self._clients = clients
        self._at: frozenset[int] = frozenset()
        self._moment = 0
        self.calls: list[str] = []
        self.crashed: list[str] = []

    @contextmanager
    def at(self, moments: Collection[int] = ()) -> Iterator[Faults]:
        """Die at these moments as long as the block runs; without any, only count."""
        self._at, self._moment, self.calls, self.crashed = frozenset(moments), 0, [], []
        for client in self._clients:
            client.meta.events.register_first("before-call", self._before)
            client.meta.events.register_last("after-call", self._after)
        try:
            yield self
        finally:
            for client in self._clients:
                client.meta.events.unregister("before-call", self._before)
                client.meta.events.unregister("after-call", self._after)

    @property
    def moments(self) -> int:
        """How many moments there were."""
        return 2 * len(self.calls)

    def _before(self, model: Any, **_: Any) -> None:
        self.calls.append(str(model.name))
        self._die("before", str(model.name))

    def _after(self, model: Any, **_: Any) -> None:
        self._die("after", str(model.name))

    def _die(self, when: str, call: str) -> None:
        moment, self._moment = self._moment, self._moment + 1
        if moment in self._at:
            self.crashed.append(f"{when} {call}")
            raise Crash(f"{when} {call}")


class Snapshot:
    """The table's rows as they are now, to begin from again and again; making them anew takes far longer."""

    def __init__(self) -> None:
        self._items = copy.deepcopy(stored_table().items)

    def restore(self) -> None:
        """Put the rows back."""
        stored_table().items = copy.deepcopy(self._items)
