"""Why a run failed, in a sentence for organisers, and how often it is tried before it is given up."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from functions.allocate.model.problem import NoAllocationError, NotFoundInTimeError
from shared.attendees import BadInputError
from shared.i18n import Told, told, told_many, told_together
from shared.models import FailureKind

MOST_ATTEMPTS = 4
"""Attempts at a run that a passing fault stopped; the fourth fails at the latest 11 minutes after the first."""

ATTEMPTS_AT_FINDING = 2
"""Attempts at a run that found nothing in time: a third would hardly find what two did not."""

BACK_OFF = timedelta(minutes=1)
"""Wait before the second attempt; it doubles with every further one."""

MOST_MISTAKES, LONGEST_WORDS = 3, 1_500
"""Mistakes in the data that are named, and characters of an error that are kept."""

_AGAIN = told("Then save a page of the event again, or start a draft, and the allocation is tried once more.")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a run. `words`, a message for organisers, say why and what to do, and name nobody."""

    kind: FailureKind
    words: Told
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
            todo = told("Change the seats, the minima or the people who take part.")
            return Failure("none-exists", _all(told("No allocation exists."), _shortened(error.words), todo, _AGAIN))
        case NotFoundInTimeError():
            why = told("No allocation was found in the time there is, though none is ruled out.")
            todo = told("To make it easier, add seats, lower minima or let more workshops run in every round.")
            return Failure("not-in-time", _all(why, todo, _AGAIN), ATTEMPTS_AT_FINDING)
        case BadInputError():
            todo = told("Correct the event or these registrations.")
            why = told("What is stored does not fit the event: %(fault)s", fault=_first(error))
            return Failure("bad-data", _all(why, todo, _AGAIN))
        case ValidationError():  # its words may quote what a person typed
            why = told("A stored registration or programme cannot be read; the log of the allocator says where.")
            return Failure("bad-data", _all(why, told("Correct it."), _AGAIN), MOST_ATTEMPTS)
    why = told(
        "A fault stopped it (%(fault)s, attempt %(number)s); the log of the allocator says where.",
        fault=type(error).__name__,
        number=attempts,
    )
    again = told(
        "When its cause is gone, save a page of the event again, or start a draft, and the allocation is tried once "
        "more."
    )
    return Failure("fault", _all(why, again), MOST_ATTEMPTS)


def silent_failure(attempts: int) -> Failure:
    """What it means that the function was stopped again and again before it was done."""
    why = told(
        "The allocator was stopped %(number)s times before it was done: it ran out of time or memory.", number=attempts
    )
    todo = told("Give the function more of both, or make the event smaller.")
    return Failure("stopped", _all(why, todo, _AGAIN), MOST_ATTEMPTS)


def wait_before(attempt: int) -> timedelta:
    """How long to wait before an attempt, counted from 1: nothing, then 1, 2, 4 … minutes."""
    return BACK_OFF * 2 ** (attempt - 2) if attempt > 1 else timedelta(0)


def _all(*sentences: str) -> Told:
    return told_together(sentences, " ")


def _first(error: BadInputError) -> Told:
    """The first of many mistakes, and how many more there are."""
    first = error.faults[:MOST_MISTAKES]
    named = told_together(told("%(name)s: %(words)s", name=name, words=fault) for name, fault in first)
    more = len(error.faults) - len(first)
    further = told_many(" There is %(num)s more.", " There are %(num)s more.", more) if more else ""
    return told("%(words)s.%(more)s", words=_shortened(named), more=further)


def _shortened(words: Told) -> str:
    """Sentences as they are; in English and cut where they are more than a row of the table should hold."""
    return words if len(words) <= LONGEST_WORDS else textwrap.shorten(words, LONGEST_WORDS, placeholder=" …")
