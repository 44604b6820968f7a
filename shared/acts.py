"""What organisers do: every act of the audit list, with its words on the pages and its metric.

An act is written to the audit list in the same transaction as its change; its metric is counted after the write.
"""

from __future__ import annotations

from enum import StrEnum

from shared.i18n import Told, told
from shared.observability import count


class Act(StrEnum):
    """An act as the audit list stores it.

    Attributes
    ----------
    words
        The act on a page, between the organiser's address and the person it is about.
    metric
        The name of the metric in the namespace Parcours; its unit is Count.
    """

    words: Told
    metric: str

    ADD_PERSON = "add-person", told("added"), "PeopleAdded"
    CORRECT = "correct", told("corrected"), "PeopleCorrected"
    PIN = "pin", told("changed the pins of"), "PeoplePinned"
    MARK_ABSENT = "mark-absent", told("changed the absences of"), "PeopleMarkedAbsent"
    CHECK_IN = "check-in", told("checked in"), "PeopleCheckedIn"
    UNDO_CHECK_IN = "undo-check-in", told("undid the check-in of"), "CheckInsUndone"
    MARK_PRESENT = "mark-present", told("marked present"), "PeopleMarkedPresent"
    UNDO_PRESENT = "undo-present", told("undid the presence of"), "PresencesUndone"
    FREE_SEATS = "free-seats", told("freed the seats of"), "SeatsFreed"
    WALK_IN = "walk-in", told("registered at the door"), "WalkIns"
    WITHDRAW = "withdraw", told("withdrew"), "PeopleWithdrawnByOrganisers"
    RELEASE_UNCONFIRMED = (
        "release-unconfirmed",
        told("released the registration, with an unconfirmed address, of"),
        "UnconfirmedReleased",
    )
    ERASE = "erase", told("erased"), "PeopleErasedByOrganisers"
    SEND_AGAIN = "send-again", told("sent mail again to"), "MailsSentAgain"
    SEND_FAILED_AGAIN = "send-failed-again", told("sent all failed mails again"), "FailedMailsSentAgain"
    SIGN_IN = "sign-in", told("signed in"), "OrganisersSignedIn"
    SIGN_OUT = "sign-out", told("signed out"), "OrganisersSignedOut"
    PUT_EVENT = "put-event", told("changed the event"), "EventFilesPut"
    RETIRE_EVENT = "retire-event", told("retired the event"), "EventsRetired"
    CANCEL_EVENT = "cancel-event", told("cancelled the day"), "DaysCancelled"
    UNDO_CANCELLATION = "undo-cancellation", told("undid the cancellation of the day"), "CancellationsUndone"
    REQUEST_ALLOCATION = "request-allocation", told("asked for an allocation"), "AllocationsRequested"
    DELETE_DRAFT = "delete-draft", told("deleted the draft"), "DraftsDeleted"
    PUBLISH = "publish", told("published"), "AllocationsPublished"
    REPLACE_COMMITMENT = "replace-commitment", told("replaced the committed seed"), "CommitmentsReplaced"
    WRITE_TO_PEOPLE = "write-to-people", told("wrote to"), "MessagesWritten"
    HOLD_MAIL = "hold-mail", told("put mail on hold"), "MailHolds"
    RELEASE_MAIL = "release-mail", told("let mail go"), "MailReleases"

    def __new__(cls, stored: str, words: Told, metric: str) -> Act:
        """A member whose value is what the audit list stores."""
        act = str.__new__(cls, stored)
        act._value_ = stored
        act.words = words
        act.metric = metric
        return act

    def counted(self) -> None:
        """Count this act, once its change and its audit line are written."""
        count(self.metric)


def words_of(stored: str) -> str:
    """An act of the audit list in words; one that an older version wrote stays as it is stored."""
    try:
        return Act(stored).words  # type: ignore[call-arg] # the lookup by value, which a typed __new__ hides
    except ValueError:
        return stored
