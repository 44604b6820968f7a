"""How long each page of the organisers takes with 2,000 people on the embedded cloud.

    python -m tests.benchmarks.dashboard [--people 2000] [--repeat 5]

Deploys the template, fills an event with people, mails, audit lines and a published allocation, signs in by mailed
link, and asks for every page and file over HTTP. Prints the median and the worst time of each and its size; exits 1
when the median of a page is a second or more (files to take away are shown and not judged). Wall-clock times of one
machine: the embedded cloud runs the function, the table and the front door on the same cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from infra.cloud.embedded import client, free_port
from infra.demo.local_stack import LocalDeployment, local_deployment, soon
from infra.demo.organiser import sign_in
from shared.models import Event
from shared.table import event_pk, update
from tests.support.factories import make_event
from tests.support.organiser_client import fill, make_crowd

LIMIT_SECONDS = 1.0


def pages(event: Event, person: str) -> Iterator[str]:
    """Every page and file that organisers open."""
    home = f"/organise/{event.id}"
    slot, theme = event.rounds[0].id, event.themes[0].id
    yield "/organise"
    yield home
    yield from (
        f"{home}/{path}"
        for path in (
            "people", "people?q=person+17&state=registered", "people?page=20", f"people/{person}", "people/new",
            "people/import", "allocations", "allocations/1", "allocations/1/outbox", "mails", "mails?state=held",
            "door", "door?q=person+17", f"workshops/{theme}/{slot}", "sheets", "badges", "exports", "file", "audit",
            "people.csv", "people.xlsx", "programmes.csv", "workshops.csv", "audit.csv", "PEOPLE.csv", "EVENT.yaml",
            "allocations/1/allocation.json",
        )
    )  # fmt: skip


def prepare(deployment: LocalDeployment, count: int) -> tuple[Event, str]:
    """Put an event with room for everyone, fill it, and publish an allocation whose mails are on hold."""
    now = datetime.now(UTC)
    seats = {"description": "About it.", "capacity": count // 4 + 10, "rooms": "A hall"}
    themes = [{"id": f"theme-{number}", "title": f"Theme {number}", **seats} for number in range(4)]
    event = soon(make_event(title="A full house", themes=themes), now)
    deployment.put(event)
    people = make_crowd(event, count, now)
    fill(deployment.table, event, people, now)
    deployment.table.write(update(event_pk(event.id), "STATE", assign={"mail_held": True}))
    functions = client("lambda", deployment.cloud.endpoint_url)
    payload = json.dumps({"event": event.id, "mode": "fresh", "publish": True}).encode()
    answer = functions.invoke(FunctionName=deployment.stack.outputs["AllocateFunction"], Payload=payload)
    done = json.loads(answer["Payload"].read())
    if done.get("state") != "published":
        raise RuntimeError(f"the allocation was not published: {done}")
    return event, people[0].id


def measure(deployment: LocalDeployment, event: Event, person: str, repeat: int) -> list[tuple[str, float, float, int]]:
    """Path, median and worst seconds, bytes of every page, as a signed-in organiser gets it from a warm function.

    The pages are asked for in turns, so that a moment in which the machine is busy elsewhere hits them all alike; the
    first turn warms up and does not count.
    """
    session = sign_in(deployment, event.organiser_emails[0])
    times: dict[str, list[float]] = {path: [] for path in pages(event, person)}
    sizes: dict[str, int] = {}
    for _ in range(repeat + 1):
        for path, taken in times.items():
            start = time.perf_counter()
            answer = deployment.http.get(path, accept="text/html", headers=session)
            taken.append(time.perf_counter() - start)
            sizes[path] = len(answer.body)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {answer.text[:300]}")
    return [(path, statistics.median(taken[1:]), max(taken[1:]), sizes[path]) for path, taken in times.items()]


def main() -> int:
    """Measure, print, and say whether every page kept its second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with local_deployment(free_port()) as deployment:
        start = time.perf_counter()
        event, person = prepare(deployment, options.people)
        print(f"{options.people} people, mails and an allocation stored in {time.perf_counter() - start:.1f} s")
        measured = measure(deployment, event, person, options.repeat)
    print(f"{'page':<64} {'median':>8} {'worst':>8} {'KB':>8}")
    for path, median, worst, size in measured:
        print(f"{path:<64} {median:>6.3f} s {worst:>6.3f} s {size / 1024:>8.0f}")
    shown = [(path, median) for path, median, _, _ in measured if "." not in path]
    slow = [path for path, median in shown if median >= LIMIT_SECONDS]
    print(f"{len(shown) - len(slow)} of {len(shown)} pages under {LIMIT_SECONDS:.0f} s", *slow, sep="\n  ")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
