"""`parcours demo`: a whole meeting day on this machine, over HTTP, from first registration to last programme."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.cloud.build import ROOT, BuildError
from infra.cloud.deploy import DeployError
from infra.cloud.embedded import PREFERRED_PORT, REGION, EmbeddedCloudError, stop_on_signals, why_not
from infra.demo.attendees import make_attendees, register_all
from infra.demo.local_stack import LocalDeployment, closing, local_deployment, soon
from infra.demo.organiser import RefusedError, publish_draft, sign_in
from infra.demo.outcome import Outcome, read_outcome, write_files
from infra.demo.rerun import run_reallocation
from infra.event_source import event_or_told
from infra.words import say, tell
from shared.event_file import load_text
from shared.i18n import told, told_many
from shared.models import Event, RegistrationState, RunState
from shared.registrations import registrations_of
from shared.runs import read_run
from shared.state import read_state

SAMPLE = ROOT / "infra" / "events" / "nature-connectivity.yaml"
PEOPLE = 160
SCHEDULE_SECONDS = 150.0
"""The schedule fires every minute; the allocation and its publication take a second or two."""

MAIL_SECONDS = 120.0
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class DemoError(RuntimeError):
    """The day did not go as it should."""


def add_demo_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `parcours demo`."""
    demo = commands.add_parser("demo", help=told("run a whole day on this machine"))
    demo.add_argument(
        "--once", action="store_true", help=told("stop after the day; exit 0 only if every programme arrived")
    )
    demo.add_argument(
        "--out", type=Path, metavar="DIR", help=told("write demo.json, the event, the people, and every mail")
    )
    demo.add_argument(
        "--people",
        type=_count,
        default=PEOPLE,
        metavar="N",
        help=told("size of the crowd (%(people)s); 0: none", people=PEOPLE),
    )
    demo.add_argument("--seed", default="2024", help=told("the same seed makes the same crowd"))
    demo.add_argument(
        "--port", type=_port, default=0, help=told("port of the cloud (%(port)s, else a free one)", port=PREFERRED_PORT)
    )
    demo.add_argument("--event", type=Path, default=SAMPLE, metavar="FILE", help=told("another event file"))
    demo.add_argument(
        "--rerun",
        action=argparse.BooleanOptionalAction,
        help=told(
            "after publication: withdrawals, late arrivals, a pin, and a run that keeps the rest (with --once: yes)"
        ),
    )
    demo.set_defaults(run=run_demo)


def run_demo(options: argparse.Namespace) -> int:
    """Run the demo and return its exit code."""
    event = event_or_told(options.event)
    if event is None:
        return BAD_INPUT
    if problem := (options.port and why_not(options.port)) or _out_problem(options.out):
        tell(problem, file=sys.stderr)
        return BAD_INPUT
    stop_on_signals()
    clock = Clock()
    try:
        clock.say(told("Building, starting the cloud, deploying infra/template.yaml …"))
        with local_deployment(options.port) as deployment:
            return _day(deployment, event, options, clock)
    except KeyboardInterrupt:
        clock.say(told("Stopped; nothing is left running."))
        return INTERRUPTED
    except (BuildError, EmbeddedCloudError, DeployError, DemoError, RefusedError, OSError) as error:
        print(file=sys.stderr)
        tell(told("The demo failed: %(error)s", error=error), file=sys.stderr)
        return FAILED


@dataclass
class Clock:
    """Says what happens, and remembers how long each part took."""

    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    _lap: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line, in the language that is spoken, with the seconds since the start."""
        print(f"{time.monotonic() - self.started:6.1f} s  {say(text)}", flush=True)

    def lap(self, part: str) -> None:
        """Note how long the part that ends here took."""
        now = time.monotonic()
        self.seconds[part] = round(now - self._lap, 2)
        self._lap = now


def _day(deployment: LocalDeployment, event: Event, options: argparse.Namespace, clock: Clock) -> int:
    event = soon(event, datetime.now(UTC))
    deployment.put(event, load_text(options.event))
    clock.lap("start")
    addresses = _addresses(deployment, event)
    _write_json(options.out, addresses)
    clock.say(told("Event page: %(address)s", address=addresses["event_url"]))
    clock.say(told("Organisers' page: %(address)s", address=addresses["organise_url"]))
    clock.say(told("Mailbox: %(address)s", address=addresses["mailbox_url"]))
    clock.say(told("Sign in as %(address)s; every mail stays in the mailbox.", address=addresses["organiser"]))
    clock.say(
        told(
            "All visitors share one network address here: registration.per_source_hour is %(limit)s in this event.",
            limit=event.registration.per_source_hour,
        )
    )
    if not options.people:
        _write_json(options.out, {**addresses, "outcome": {}})
        return DONE if options.once else _stay(deployment, clock, things_to_try(addresses))
    event = _register(deployment, event, options, clock)
    outcome = _allocate(deployment, event, clock, by_hand=not options.once)
    if options.rerun or (options.rerun is None and options.once):
        outcome.rerun = run_reallocation(deployment, event, options.seed, clock.say)
        clock.lap("rerun")
    outcome.seconds = clock.seconds
    if options.out:
        write_files(deployment, event, options.out)
    _write_json(options.out, {**addresses, "outcome": outcome.as_json()})
    print(outcome.table(), flush=True)
    if options.once:
        return DONE if outcome.good else FAILED
    return _stay(deployment, clock, how_to_put(addresses))


def _register(deployment: LocalDeployment, event: Event, options: argparse.Namespace, clock: Clock) -> Event:
    """Everyone registers; then registration closes, which makes the allocation due."""
    people = make_attendees(event, options.people, options.seed)
    answers = register_all(deployment.http, event, people)
    statuses = Counter(answer.status for _, answer in answers)
    clock.lap("registering")
    if statuses != {202: len(people)}:
        refused = next(answer for _, answer in answers if answer.status != 202)
        raise DemoError(f"answers by status: {dict(statuses)}; the first that was no 202: {refused.text[:400]}")
    speed = f"{len(people) / clock.seconds['registering']:.0f}"
    clock.say(
        told_many(
            "%(num)s person registered over HTTP (%(speed)s a second)",
            "%(num)s people registered over HTTP (%(speed)s a second)",
            len(people),
            speed=speed,
        )
    )
    deployment.wait_for("every confirmation sent", lambda: _all_confirmed(deployment, event, len(people)), MAIL_SECONDS)
    clock.lap("confirming")
    clock.say(told_many("%(num)s mail arrived", "%(num)s mails arrived", len(deployment.mailbox.mails)))
    event = closing(event, datetime.now(UTC))
    deployment.put(event, load_text(options.event))
    clock.say(told("Registration is closed; the schedule allocates within a minute …"))
    return event


def _all_confirmed(deployment: LocalDeployment, event: Event, people: int) -> bool:
    if len(deployment.mailbox.mails) < people:
        return False
    told = [mail for kind in ("confirmation", "waiting-list") for mail in deployment.mails(event.id, kind)]
    return len(told) >= people and not deployment.unsent(event.id)


def _allocate(deployment: LocalDeployment, event: Event, clock: Clock, *, by_hand: bool) -> Outcome:
    """Wait for the schedule, then for the mails, and look at what came out.

    An event that is published after review waits for a person to publish it; with --once there is none, so the demo
    does it.
    """
    reviewed = event.allocation.publish == "after_review"

    def allocated() -> bool:
        state = read_state(deployment.table, event.id)
        newest = read_run(deployment.table, event.id, state.runs)
        if newest and newest.state is RunState.FAILED:
            raise DemoError(f"run {newest.number} failed: {newest.error}")
        return state.published_run > 0 or (reviewed and newest is not None and newest.state is RunState.DRAFT)

    deployment.wait_for("the schedule's allocation", allocated, SCHEDULE_SECONDS)
    clock.lap("waiting for the schedule")
    if reviewed and by_hand:
        number = read_state(deployment.table, event.id).runs
        draft = f"{deployment.http.public_url}/organise/{event.id}/allocations/{number}"
        clock.say(
            told("The allocation waits for its review. Sign in, read the draft and publish it: %(draft)s", draft=draft)
        )
        while not read_state(deployment.table, event.id).published_run:
            deployment.cloud.check()
            time.sleep(1)
    elif reviewed:
        clock.say(told("The event is published after review: the demo signs in, reads the draft and publishes it"))
        session = sign_in(deployment, event.organiser_emails[0])
        publish_draft(deployment, event, session, read_state(deployment.table, event.id).runs)
    deployment.wait_for("every programme sent", lambda: _all_told(deployment, event), MAIL_SECONDS)
    clock.lap("mailing programmes")
    outcome = read_outcome(deployment, event)
    clock.say(
        told_many(
            "%(num)s programme arrived; %(verdict)s",
            "%(num)s programmes arrived; %(verdict)s",
            outcome.programmes,
            verdict=outcome.verdict,
        )
    )
    return outcome


def _all_told(deployment: LocalDeployment, event: Event) -> bool:
    state = read_state(deployment.table, event.id)
    if state.publishing_run:
        return False
    expected = sum(one.state is RegistrationState.CONFIRMED for one in registrations_of(deployment.table, event.id))
    sent = len(deployment.mails(event.id, "programme"))
    return sent >= expected and not deployment.unsent(event.id)


def _addresses(deployment: LocalDeployment, event: Event) -> dict[str, Any]:
    return {
        "event_url": f"{deployment.http.public_url}/events/{event.id}",
        "organise_url": f"{deployment.http.public_url}/organise/{event.id}",
        "mailbox_url": deployment.mailbox.url,
        "endpoint_url": deployment.cloud.endpoint_url,
        "region": REGION,
        "stack": deployment.stack.name,
        "organiser": event.organiser_emails[0],
    }


def how_to_put(addresses: Mapping[str, Any]) -> str:
    """The command that puts an event on this stack, with what reaches and opens the embedded cloud."""
    environment = {
        "AWS_ENDPOINT_URL": addresses["endpoint_url"],
        "AWS_DEFAULT_REGION": addresses["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    given = " ".join(f"{name}={value}" for name, value in environment.items())
    command = f"  {given} \\\n  .venv/bin/parcours event put EVENT.yaml --stack {addresses['stack']}"
    return f"{say(told('To put an event of your own:'))}\n{command}"


def things_to_try(addresses: Mapping[str, Any]) -> str:
    """Three things to do with an event that nobody has registered for yet."""
    steps = [
        told(
            "1. Register: open %(page)s,\n"
            "   rank the themes, then open your mail in the mailbox and follow its link to your own page.",
            page=addresses["event_url"],
        ),
        told(
            "2. Organise: open %(page)s,\n"
            "   sign in as %(address)s by the link in the mailbox, and see yourself among the people.",
            page=addresses["organise_url"],
            address=addresses["organiser"],
        ),
        told(
            "3. Allocate: on the same page add a few people, ask for an allocation, read the draft, publish it,\n"
            "   and see everyone's programme arrive in the mailbox."
        ),
    ]
    listed = "\n".join(say(step) for step in steps).replace("\n", "\n  ")
    return f"{say(told('Three things to try:'))}\n  {listed}\n{how_to_put(addresses)}"


def _out_problem(out: Path | None) -> str:
    """Why nothing can be written to the folder of `--out`, in words; empty if something can."""
    if out is None:
        return ""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return ""
    except OSError as error:
        return told("%(file)s: nothing can be written there: %(error)s", file=out, error=error.strerror)


def _write_json(out: Path | None, content: Mapping[str, Any]) -> None:
    if out:
        out.mkdir(parents=True, exist_ok=True)
        draft = out / "demo.json.new"
        draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(out / "demo.json")  # a process that waits for the file never reads half of it


def _stay(deployment: LocalDeployment, clock: Clock, hints: str) -> int:
    print(f"\n{hints}\n", flush=True)
    clock.say(told("Everything stays up; Ctrl-C stops it."))
    try:
        while True:
            time.sleep(1)
            deployment.cloud.check()
    except KeyboardInterrupt:
        clock.say(told("Stopped; nothing is left running."))
    return DONE


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a crowd has no fewer than 0 people")
    return number
