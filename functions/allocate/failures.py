"""Why a run failed, in a sentence for organisers, and how often it is tried before it is given up."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from functions.allocate.model.problem import NoAllocationError, NotFoundInTimeError
from shared.attendees import BadInputError
from shared.models import FailureKind

MOST_ATTEMPTS = 4
"""Attempts at a run that a passing fault stopped; the fourth fails at the latest 11 minutes after the first."""

ATTEMPTS_AT_FINDING = 2
"""Attempts at a run that found nothing in time: a third would hardly find what two did not."""

BACK_OFF = timedelta(minutes=1)
"""Wait before the second attempt; it doubles with every further one."""

MOST_MISTAKES, LONGEST_WORDS = 3, 1_500
"""Mistakes in the data that are named, and characters of an error that are kept."""

_AGAIN = "store the event file again, or start a draft, and the allocation is tried once more."


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a run. `words` say why and what to do, without a name or an address of anybody."""

    kind: FailureKind
    words: str
    most_attempts: int = 1


def failure_of(error: Exception, attempts: int) -> Failure:
    """What an error of a run means to organisers.

    Parameters
    ----------
    attempts
        How often the run was tried, this time included.
    """
    match error:
        case NoAllocationError():
            todo = "Change the seats, the minima or the people who take part. Then " + _AGAIN
            return Failure("none-exists", f"No allocation exists. {_sentence(error)} {todo}")
        case NotFoundInTimeError():
            todo = "To make it easier, add seats, lower minima or let more workshops run in every round. Then " + _AGAIN
            return Failure(
                "not-in-time",
                f"No allocation was found in the time there is, though none is ruled out. {todo}",
                ATTEMPTS_AT_FINDING,
            )
        case BadInputError():
            todo = "Correct the event file or these registrations. Then " + _AGAIN
            return Failure("bad-data", f"What is stored does not fit the event file: {_first(error)} {todo}")
        case ValidationError():  # its words may quote what a person typed
            return Failure(
                "bad-data",
                "A stored registration or programme cannot be read; the log of the allocator says where. Correct it, "
                f"then {_AGAIN}",
                MOST_ATTEMPTS,
            )
    return Failure(
        "fault",
        f"A fault stopped it ({type(error).__name__}, attempt {attempts}); the log of the allocator says where. "
        f"When its cause is gone, {_AGAIN}",
        MOST_ATTEMPTS,
    )


def silent_failure(attempts: int) -> Failure:
    """What it means that the function was stopped again and again before it was done."""
    return Failure(
        "stopped",
        f"The allocator was stopped {attempts} times before it was done: it ran out of time or memory. Give the "
        f"function more of both, or make the event smaller. Then {_AGAIN}",
        MOST_ATTEMPTS,
    )


def wait_before(attempt: int) -> timedelta:
    """How long to wait before an attempt, counted from 1: nothing, then 1, 2, 4 … minutes."""
    return BACK_OFF * 2 ** (attempt - 2) if attempt > 1 else timedelta(0)


def _first(error: BadInputError) -> str:
    """The first of many mistakes, and how many more there are."""
    more = len(error.faults) - MOST_MISTAKES
    named = BadInputError(error.faults[:MOST_MISTAKES])
    return _sentence(named) + (f" There are {more} more." if more > 0 else "")


def _sentence(error: Exception) -> str:
    """An error's words with a full stop, beginning with a capital letter."""
    words = textwrap.shorten(str(error), LONGEST_WORDS, placeholder=" …")
    return words[:1].upper() + words[1:].rstrip(".") + "."
