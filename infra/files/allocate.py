"""Allocations from files and to files: `parcours allocate` and `parcours verify`.

PEOPLE.csv is read whole and every fault is named as `FILE:LINE: message`; nothing is written unless all is well.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from functions.allocate.model.problem import EngineCannotError, NoAllocationError, NotFoundInTimeError
from functions.allocate.model.result import Allocation
from functions.allocate.solve import allocate
from infra.event_source import FileFaultsError, read_event_file
from infra.files.outputs import checksum_faults, read_json, read_previous, write_files
from infra.files.people_csv import PeopleFile, read_people
from infra.report.compare import compare
from infra.verify.case import Case
from infra.verify.checks import Check, verify_case
from infra.words import amount, parcours_parser, printable, run_parsed, say, tell
from shared.attendees import Attendee, question
from shared.i18n import Told, told, told_many, told_together
from shared.models import Event

DONE, CHECK_FAILED, BAD_INPUT, NO_ALLOCATION, NOT_FOUND = 0, 1, 2, 3, 4
"""Exit codes. `NOT_FOUND`: none was found in time, or not by this engine, though none is ruled out."""


MOST_SECONDS = 86_400
"""The longest time budget: a day."""


def add_allocation_parsers(subparsers: Any) -> None:
    """Add `allocate` and `verify` to the command line; each parser's `run` takes the arguments and returns a code."""
    one = subparsers.add_parser(
        "allocate",
        help=told("allocate people collected elsewhere"),
        description=told("allocate people collected elsewhere"),
    )
    one.add_argument("event", type=Path, metavar="EVENT.yaml")
    one.add_argument("people", type=Path, metavar="PEOPLE.csv")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help=told("where the four files are written"))
    one.add_argument("--previous", type=Path, metavar="allocation.json", help=told("the published allocation"))
    one.add_argument(
        "--mode", choices=("fresh", "keep"), default="fresh", help=told("keep: hold on to what was published")
    )
    one.add_argument("--seed", metavar="TEXT", help=told("of the lottery; left out: the event's, else a secret one"))
    one.add_argument("--engine", choices=("auto", "flow", "exact"), default="auto")
    one.add_argument("--time-budget", type=_seconds, default=120.0, metavar="SECONDS")
    one.set_defaults(run=run_allocate)
    two = subparsers.add_parser("verify", help=told("recompute an allocation independently"))
    two.add_argument("event", type=Path, metavar="EVENT.yaml")
    two.add_argument("people", type=Path, metavar="PEOPLE.csv")
    two.add_argument("allocation", type=Path, metavar="allocation.json")
    two.add_argument("--previous", type=Path, metavar="allocation.json", help=told("what a keep run kept to"))
    two.add_argument(
        "--question",
        type=Path,
        metavar="FILE",
        help=told(
            "write what was asked, for the second verifier: node shared/pages/assets/draw.js FILE allocation.json"
        ),
    )
    two.set_defaults(run=run_verify)


def main(arguments: Sequence[str]) -> int:
    """Run `allocate` or `verify` alone, as the whole command line does. Returns the exit code."""

    def build() -> argparse.ArgumentParser:
        parser, commands = parcours_parser()
        add_allocation_parsers(commands)
        return parser

    return run_parsed(build, arguments)


def _seconds(text: str) -> float:
    """Seconds that an option asks for. Raises ArgumentTypeError for what no clock can count."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(say(told("write a number of seconds from 0 to %(most)s", most=MOST_SECONDS)))
    return seconds


def run_allocate(args: argparse.Namespace) -> int:
    """Allocate from files into a directory. Returns the exit code."""
    try:
        event = read_event_file(args.event)
        people = read_people(args.people, event)
        previous = read_previous(args.previous, event) if args.previous else None
        if args.mode == "keep" and previous is None:
            raise FileFaultsError(
                [told("%(people)s:1: --mode keep needs --previous, the allocation to hold on to", people=args.people)]
            )
    except FileFaultsError as error:
        return _refuse(error)
    attendees = people.attendees
    _tell_unused(args.people, people)
    if people.without_place:
        tell(
            told(
                "%(file)s: the column 'state' says that %(without_place)s of %(all)s people hold no place. "
                "They are allocated like everybody else; leave their rows out if they do not come.",
                file=args.people,
                without_place=people.without_place,
                all=len(attendees),
            ),
            file=sys.stderr,
        )
    try:
        allocation = allocate(
            event,
            attendees,
            mode=args.mode,
            seed=args.seed,
            previous=previous,
            engine=args.engine,
            time_budget=args.time_budget,
            progress=_progress(),
            on_fault=_warn_not_described,
        )
    except NoAllocationError as error:
        tell(told_together([told("No allocation exists."), error.words], " "), file=sys.stderr)
        return NO_ALLOCATION
    except NotFoundInTimeError:
        tell(
            told(
                "No allocation was found in %(time_budget)s seconds, though none is ruled out. Nothing was "
                "written. Give it more time with --time-budget SECONDS.",
                time_budget=f"{args.time_budget:g}",
            ),
            file=sys.stderr,
        )
        return NOT_FOUND
    except EngineCannotError as error:
        tell(
            told(
                "The engine '%(engine)s' cannot allocate these people: %(error)s. This does not mean that no "
                "allocation exists. Nothing was written. Leave out --engine, and another engine takes over.",
                engine=args.engine,
                error=error.words,
            ),
            file=sys.stderr,
        )
        return NOT_FOUND
    try:
        write_files(args.out, event, attendees, allocation, names=people.names)
    except OSError as error:
        return _refuse(FileFaultsError([f"{error.filename or args.out}: {error.strerror}"]))
    tell(_summary(allocation, args.out))
    if previous is not None:
        tell(
            told(
                "Against %(previous)s: %(differences)s.",
                previous=args.previous,
                differences=compare(previous, allocation.programmes, attendees, event),
            )
        )
    return DONE


def run_verify(args: argparse.Namespace) -> int:
    """Recompute an allocation; one line a check. Returns the exit code."""
    try:
        event = read_event_file(args.event)
        people = read_people(args.people, event)
        attendees = people.attendees
        document, twice = read_json(args.allocation)
        previous = read_previous(args.previous, event) if args.previous else None
    except FileFaultsError as error:
        return _refuse(error)
    _tell_unused(args.people, people)
    case = None
    checks = [Check(told("the file is as it was written (checksum)"), tuple(checksum_faults(document, twice)))]
    try:
        allocation = Allocation.model_validate({key: value for key, value in document.items() if key != "checksum"})
        case = Case(event, attendees, allocation, previous)
        checks += verify_case(case)
        if args.question:
            asked = (allocation.mode, allocation.seed, allocation.weight, Fraction(allocation.tolerance))
            args.question.write_bytes(b"".join(question(event, attendees, *asked, case.previous)))
    except OSError as error:
        return _refuse(FileFaultsError([f"{args.question}: {error.strerror}"]))
    except ValidationError as error:
        shortly = error.errors(include_url=False, include_context=False, include_input=False)
        checks.append(Check(told("the file has the fields of an allocation"), tuple(map(_wrong_field, shortly))))
    for check in checks:
        tell(check.told)
    if case is not None:
        tell(_cost_by_type(case))
        if case.allocation.gap > 0:
            tell(told("      not proven optimal: the total is %(gap)s above the bound", gap=case.allocation.gap))
    return DONE if all(check.passed for check in checks) else CHECK_FAILED


def _wrong_field(fault: ErrorDetails) -> Told:
    """What is wrong with a field of a file, as a message."""
    words = {"missing": told("is missing"), "extra_forbidden": told("is no field of an allocation")}
    return told(
        "%(field)s: %(words)s",
        field=".".join(map(str, fault["loc"])),
        words=words.get(fault["type"], told("has a value that it cannot have")),
    )


def _cost_by_type(case: Case) -> Told:
    """Who pays for the mix, in a line: people and the mean cost of their programmes, by partner type."""
    costs = (
        told(
            "%(kind)s %(cost)s (%(people)s)",
            kind=case.event.partner_type_title(known),
            cost=amount(cost, 2),
            people=told_many("%(num)s person", "%(num)s people", people),
        )
        for known, (people, cost) in case.cost_by_type.items()
    )
    return told("      mean cost by partner type: %(costs)s", costs=told_together(costs, ", "))


MOST_FAULTS = 40
"""Mistakes that are printed; a file with more usually has one of them in every line."""


def _refuse(error: FileFaultsError) -> int:
    for fault in error.faults[:MOST_FAULTS]:
        print(printable(say(fault)), file=sys.stderr)
    more = len(error.faults) - MOST_FAULTS
    if more > 0:
        tell(told_many("… and %(num)s mistake more", "… and %(num)s mistakes more", more), file=sys.stderr)
    return BAD_INPUT


def _tell_unused(file: Path, people: PeopleFile) -> None:
    """Say which columns have no effect: a misspelled title looks like any other column."""
    if people.unused:
        columns = (
            told("%(title)s (is it %(known)s?)", title=repr(title), known=known) if known else repr(title)
            for title, known in people.unused.items()
        )
        tell(
            told("%(file)s: columns not used: %(columns)s", file=file, columns=told_together(columns, ", ")),
            file=sys.stderr,
        )


def _progress() -> Callable[[str], None] | None:
    """Say what is being done, on a terminal only."""
    if not sys.stderr.isatty():
        return None
    return lambda words: print(f"… {words}", file=sys.stderr)


def _warn_not_described(what: str, error: Exception) -> None:
    tell(
        told(
            "Written without %(what)s, which could not be made: %(kind)s: %(error)s",
            what=what,
            kind=type(error).__name__,
            error=error,
        ),
        file=sys.stderr,
    )


def _summary(allocation: Allocation, out: Path) -> Told:
    proof = (
        told("proven optimal")
        if allocation.optimal
        else told("at most %(gap)s above the optimum: %(why)s", gap=allocation.gap, why=told(allocation.why))
    )
    return told(
        "%(programmes)s, total cost %(total)s (%(proof)s), %(engine)s, %(seconds)s s. Written to %(out)s.",
        programmes=told_many("%(num)s programme", "%(num)s programmes", len(allocation.programmes)),
        total=allocation.objective.total,
        proof=proof,
        engine=allocation.engine,
        seconds=amount(allocation.seconds, 2),
        out=out,
    )


def read_inputs(event_file: Path, people_file: Path) -> tuple[Event, list[Attendee]]:
    """Read the event and its people. Raises FileFaultsError with every mistake of the first file that has any."""
    event = read_event_file(event_file)
    return event, read_people(people_file, event).attendees
