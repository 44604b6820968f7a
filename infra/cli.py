"""The command line, `parcours`: the demo, event files, and the allocator on files."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.aws import add_deploy_parser
from infra.cloud.build import ROOT
from infra.cloud.restore import RetainedNoLongerError, copy_back
from infra.cloud.stack import StackError, find_address, find_table
from infra.demo.day import add_demo_parser
from infra.event_source import event_or_told
from infra.files.allocate import add_allocation_parsers
from infra.words import parcours_parser, run_parsed, tell
from shared.errors import ConflictError, ParcoursError, UnreadableEventError
from shared.event_file import load_text
from shared.events import put_event, read_event, retire_event
from shared.i18n import Told, told, told_many
from shared.models import Event
from shared.new_event import example

DONE, FAILED, BAD_INPUT = 0, 1, 2

CHECKOUT = (ROOT / "pyproject.toml").is_file()
"""Whether the sources stand around this file: `demo` and `deploy` build from them, and `pip install .` brings none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 a check failed, 2 bad input, 3 no allocation exists."""
    return run_parsed(build_parser, sys.argv[1:] if arguments is None else arguments)


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser, commands = parcours_parser()
    if CHECKOUT:
        add_demo_parser(commands)
    _add_event_parser(commands)
    if CHECKOUT:
        add_deploy_parser(commands)
    add_allocation_parsers(commands)
    return parser


def _add_event_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    event = commands.add_parser("event", help=told("begin, check, put or retire an event"))
    acts = event.add_subparsers(required=True, metavar="ACT")

    new = acts.add_parser("new", help=told("print a commented event file to begin with, or write it to FILE"))
    new.add_argument("file", type=Path, nargs="?", metavar="FILE")
    new.set_defaults(run=new_event_file)

    check = acts.add_parser("check", help=told("name every mistake in an event file"))
    check.add_argument("file", type=Path)
    check.set_defaults(run=check_event)

    put = acts.add_parser("put", help=told("store an event, new or changed, in a deployed stack"))
    put.add_argument("file", type=Path)
    put.set_defaults(run=put_event_file)

    retire = acts.add_parser(
        "retire", help=told("take an event off the pages; its data stays until its retention ends")
    )
    retire.add_argument("event", metavar="ID")

    retire.set_defaults(run=retire_event_id)

    restore = acts.add_parser(
        "restore", help=told("copy back what an event lost, from a restored table, but nobody erased")
    )
    restore.add_argument("event", metavar="ID")
    restore.add_argument("--from", dest="restored", required=True, metavar="TABLE", help=told("the restored table"))
    restore.set_defaults(run=restore_event_rows)
    for parser in (put, retire, restore):
        parser.add_argument("--stack", default="parcours", help=told("the CloudFormation stack (default: parcours)"))
        parser.add_argument("--table", default="", help=told("the table itself, when the stack may not be read"))
        parser.add_argument("--region", default=None, help=told("the AWS region (default: the environment's)"))


def new_event_file(options: argparse.Namespace) -> int:
    """`parcours event new [FILE]`: the same example that the organisers' page begins with."""
    text = example(datetime.now(UTC).date())
    if options.file is None:
        print(text, end="")
        return DONE
    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return _fault(told("%(file)s: exists already; name another file", file=options.file), BAD_INPUT)
    except OSError as error:
        return _fault(f"{options.file}: {error.strerror}", BAD_INPUT)
    tell(told("%(file)s: written. Change it, then: parcours event check %(file)s", file=options.file))
    return DONE


def check_event(options: argparse.Namespace) -> int:
    """`parcours event check FILE`."""
    event = event_or_told(options.file)
    if event is None:
        return BAD_INPUT
    tell(
        told(
            "%(file)s: %(id)s: %(themes)s, %(rounds)s, %(places)s",
            file=options.file,
            id=event.id,
            themes=told_many("%(num)s theme", "%(num)s themes", len(event.themes)),
            rounds=told_many("%(num)s round", "%(num)s rounds", len(event.rounds)),
            places=told_many("%(num)s place", "%(num)s places", event.capacity),
        )
    )
    for doubt in doubts(event, datetime.now(UTC)):
        tell(told("%(name)s: %(words)s", name=options.file, words=doubt), file=sys.stderr)
    return DONE


def doubts(event: Event, now: datetime) -> Iterator[Told]:
    """What is no mistake of a file and can hardly be meant: days that are over, rounds without a seat."""
    if now >= event.ends_at:
        yield told("the day is over: %(date)s", date=f"{event.date:%Y-%m-%d}")
    elif now >= event.closes_at:
        yield told("registration is closed since %(moment)s", moment=f"{event.registration.closes:%Y-%m-%d %H:%M}")
    for slot in event.rounds:
        if not any(event.seats(theme.id, slot.id) for theme in event.themes):
            yield told("no workshop has a seat in the round at %(start)s", start=f"{slot.start:%H:%M}")


def put_event_file(options: argparse.Namespace) -> int:
    """`parcours event put FILE`."""
    event = event_or_told(options.file)
    if event is None:
        return BAD_INPUT
    try:
        table = find_table(options.stack, options.table, region=options.region)
        put_event(table, event, actor=_actor(), now=datetime.now(UTC), text=load_text(options.file))
        address = "" if options.table else find_address(options.stack, region=options.region)
    except ConflictError as error:
        return _fault(told("%(name)s: %(words)s", name=options.file, words=error.message), FAILED)
    except (StackError, BotoCoreError, ClientError) as error:
        return _fault(error.args[0] if error.args and isinstance(error, ParcoursError) else str(error), FAILED)
    opens = event.opens_at.astimezone(event.zone)
    tell(
        told(
            "%(id)s: stored; registration opens %(opens)s (%(zone)s)",
            id=event.id,
            opens=f"{opens:%Y-%m-%d %H:%M}",
            zone=event.timezone,
        )
    )
    if address:
        print(f"{address}/events/{event.id}")
    return DONE


def retire_event_id(options: argparse.Namespace) -> int:
    """`parcours event retire ID`."""
    try:
        table = find_table(options.stack, options.table, region=options.region)
        event = read_event(table, options.event)
        if event is None:
            return _fault(told("there is no event %(event)s", event=repr(options.event)), FAILED)
        retire_event(table, event, actor=_actor(), now=datetime.now(UTC))
    except (ConflictError, UnreadableEventError, StackError, BotoCoreError, ClientError) as error:
        return _fault(error.args[0] if error.args and isinstance(error, ParcoursError) else str(error), FAILED)
    tell(told("%(event)s: retired", event=options.event))
    return DONE


def restore_event_rows(options: argparse.Namespace) -> int:
    """`parcours event restore ID --from TABLE`."""
    try:
        table = find_table(options.stack, options.table, region=options.region)
        restored = find_table("", options.restored, region=options.region)
        found = copy_back(restored, table, options.event)
    except RetainedNoLongerError:
        return _fault(
            told("the retention of %(event)s has ended; nothing of it may come back", event=repr(options.event)), FAILED
        )
    except (StackError, BotoCoreError, ClientError) as error:
        return _fault(str(error), FAILED)
    told_of = {"event": options.event, "rows": found.rows, "erased": found.erased}
    tell(told("%(event)s: %(rows)s rows came back; people erased since: %(erased)s", **told_of))
    return DONE


def _fault(message: str, code: int) -> int:
    tell(message, file=sys.stderr)
    return code


def _actor() -> str:
    """Who the audit list names for what was done at a terminal."""
    try:
        return f"terminal: {getpass.getuser()}"
    except (KeyError, OSError):
        return "terminal"


if __name__ == "__main__":
    sys.exit(main())
