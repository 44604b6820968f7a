"""A crowd is allocated and told, through the table: time, calls, units and memory of every stage.

    python -m tests.benchmarks.publication [--people 160 --people 2000 …]

The rows are in memory (`tests.support.rows`), so that seconds are the program's own, of processor time; latency is not
in them: add the calls times what a call takes (some 5 ms a read, 10 to 20 ms a transaction). Units are what DynamoDB
bills. Exits 1 when a stage takes more than three times the calls or units a person of the smaller sizes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from tests import conftest  # sets the environment, before any handler is imported # noqa: F401
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.meter import Meter
from tests.support.rows import Rows

SIZES = (160, 2_000, 20_000, 100_000)
THEMES, TOLERATED = 12, 3.0


@dataclass(frozen=True)
class Stage:
    """What a stage took."""

    name: str
    seconds: float
    calls: int
    read: int
    written: int


class Counting:
    """The rows, with calls and units counted."""

    def __init__(self) -> None:
        self.rows, self.meter, self.calls = Rows(), Meter(), Counter[str]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self.rows, name)
        operation = "".join(part.title() for part in name.split("_"))

        def counted(**arguments: Any) -> Any:
            answer = call(**arguments)
            self.calls[operation] += 1
            self.meter.count(operation, arguments, answer)
            return answer

        return counted


class Watch:
    """Notes what each stage takes, without the stages inside it."""

    def __init__(self, client: Counting) -> None:
        self.client = client
        self.stages: list[Stage] = []
        self._inside: list[list[float]] = []

    def _now(self) -> list[float]:
        units = self.client.meter.units
        return [time.process_time(), self.client.calls.total(), units["read"], units["write"]]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything in here is one stage."""
        begun = self._now()
        self._inside.append([0.0] * 4)
        try:
            yield
        finally:
            took = [after - before for before, after in zip(begun, self._now(), strict=True)]
            inner = self._inside.pop()
            if self._inside:
                self._inside[-1] = [sum(pair) for pair in zip(self._inside[-1], took, strict=True)]
            seconds, *counts = (whole - part for whole, part in zip(took, inner, strict=True))
            self.stages.append(Stage(name, seconds, *map(int, counts)))

    def watch(self, module: Any, function: str, name: str) -> None:
        """Make every call of a module's function a stage."""
        original = getattr(module, function)

        def watched(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                answer = original(*arguments, **named)
                return iter(list(answer)) if isinstance(answer, Iterator) else answer  # its reads belong to the stage

        setattr(module, function, watched)


def measure(people: int) -> dict[str, Any]:
    """Load, allocate, publish and tell a crowd; every stage, and the peak memory in MB."""
    from functions.allocate import app
    from shared.events import put_event
    from shared.registrations import registration_item
    from shared.table import STATE_SK, Table, event_pk, mails_pk, update

    client = Counting()
    watch, table = Watch(client), Table(client, "parcours")
    event = crowded(people)
    with watch.stage("load the registrations"):
        put_event(table, event, actor="benchmark", now=NOW)
        table.put_all(map(registration_item, crowd(event, people)))
        table.write(update(event_pk(event.id), STATE_SK, add={"confirmed": people}))
    rows_take = peak_megabytes()
    app.table = table
    watch.watch(app, "registrations_of", "read the people")
    watch.watch(app, "_allocate", "allocate")
    watch.watch(app, "store_programmes", "store the programmes")
    watch.watch(app, "publish_draft", "publish and write the mails")
    with watch.stage("all else (figures, curve)"):
        done = app.work_through(event.allocates_at + timedelta(minutes=1))
    return {
        "people": people,
        "stages": [asdict(stage) for stage in merged(watch.stages)],
        "megabytes": peak_megabytes() - rows_take,
        "mails": sum(1 for _ in table.query(mails_pk(event.id), only=("sk",))),
        "left": sum(1 for _ in table.due("allocate", "9999")),
        "tasks": done["done"],
    }


def peak_megabytes() -> int:
    """The most memory that this process has taken, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def merged(stages: list[Stage]) -> list[Stage]:
    """Stages of one name as one, in the order in which they first ended."""
    found: dict[str, Stage] = {}
    for stage in stages:
        had = found.get(stage.name, Stage(stage.name, 0.0, 0, 0, 0))
        figures = zip(list(asdict(had).values())[1:], list(asdict(stage).values())[1:], strict=True)
        found[stage.name] = Stage(stage.name, *map(sum, figures))
    return list(found.values())


def crowded(people: int) -> Any:
    """An event of twelve themes and two rounds with seats for a tenth more."""
    seats = -(-people * 11 // (10 * THEMES))
    themes = [{"id": f"theme-{n}", "title": f"Theme {n}", "description": "", "capacity": seats} for n in range(THEMES)]
    rules = {**event_data()["registration"], "capacity": people}
    return make_event(themes=themes, registration=rules)


def crowd(event: Any, people: int) -> Iterator[Any]:
    """Registrations with rankings that favour the first themes, and types of unequal size; the same each time."""
    dice = random.Random(7)
    kinds = [kind.id for kind in event.partner_types]
    for number in range(people):
        appeal = {theme.id: dice.random() + 0.08 * n for n, theme in enumerate(event.themes)}
        yield make_registration(
            number=number,
            id=f"{dice.getrandbits(80):020x}",
            partner_type=dice.choices(kinds, (5, 3, 2))[0],
            choices=sorted(appeal, key=appeal.__getitem__),
        )


def main() -> int:
    """Measure every size in a process of its own, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, action="append", help=f"a size; again for more (default: {SIZES})")
    parser.add_argument("--one", type=int, help="one size in this process, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return 0
    sizes = options.people or list(SIZES)
    command = [sys.executable, "-m", "tests.benchmarks.publication", "--one"]
    found = []
    for people in sizes:
        done = subprocess.run([*command, str(people)], check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print_size(found[-1])
    faults = [fault for smaller, larger in pairwise(found) for fault in not_linear(smaller, larger)]
    print("\n".join(faults) or "Every stage is linear in calls and units.")
    return 1 if faults or any(one["left"] or one["mails"] != one["people"] for one in found) else 0


def print_size(found: dict[str, Any]) -> None:
    """One size, a stage a line."""
    people = found["people"]
    print(f"\n{people:,} people: {found['mails']:,} programme mails written, {found['megabytes']:,} MB beside the rows")
    print(f"  {'stage':30}{'CPU s':>8}{'calls':>9}{'read units':>12}{'write units':>13}{'per person':>12}")
    for stage in found["stages"]:
        each = (stage["read"] + stage["written"]) / people
        figures = f"{stage['seconds']:8.2f}{stage['calls']:9,}{stage['read']:12,}{stage['written']:13,}{each:12.2f}"
        print(f"  {stage['name']:30}{figures}", flush=True)


def not_linear(smaller: dict[str, Any], larger: dict[str, Any]) -> Iterator[str]:
    """Stages that cost more calls or units a person than at a smaller size."""
    for before, after in zip(smaller["stages"], larger["stages"], strict=True):
        for what in ("calls", "read", "written"):
            grown = after[what] / larger["people"]
            if grown > TOLERATED * (before[what] / smaller["people"] + 0.01):
                yield f"{after['name']}: {what} {grown:.2f} a person at {larger['people']:,}"


if __name__ == "__main__":
    sys.exit(main())
