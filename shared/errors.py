"""What can go wrong, named as the domain names it; `shared.http` turns each into a status."""

from __future__ import annotations

from collections.abc import Mapping

from shared.i18n import N_

BUSY = N_("The service is very busy at this moment. Nothing was changed. Please try again in half a minute.")

CANCELLED = N_("This day is cancelled.")

UNREADABLE_EVENT = N_(
    "The description of this event cannot be read at this moment. Nothing that was stored is lost. "
    "Please try again later."
)


class ParcoursError(Exception):
    """A fault the outside may hear of: a stable code, a status and a sentence that says what to do."""

    code = "error"
    status = 400
    retry_after = 0
    """Seconds after which the same request may succeed, for the header Retry-After; 0 for none."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})


class LanguageSwitchedError(ParcoursError):
    """Nothing went wrong: the language was switched by a form, which is shown again with what was typed.

    It counts as false, so that a page that asks whether there is an error shows none.
    """

    code = "language"
    status = 200

    def __init__(self) -> None:
        super().__init__("")

    def __bool__(self) -> bool:
        return False


class UnreadableError(ParcoursError):
    """The body or a header cannot be read at all."""

    code = "unreadable"
    status = 400


class NotSignedInError(ParcoursError):
    """The page is for organisers and nobody is signed in."""

    code = "not-signed-in"
    status = 401


class ForbiddenError(ParcoursError):
    """Signed in, but not for this; or a form posted from another site."""

    code = "forbidden"
    status = 403


class NotFoundError(ParcoursError):
    """No such page, event, registration or run; also every link that does not verify."""

    code = "not-found"
    status = 404


class DeadLinkError(NotFoundError):
    """A link of ours that no longer holds; `event` is the id of the event, where a new one can be asked for."""

    def __init__(self, message: str, event: str) -> None:
        super().__init__(message)
        self.event = event


class ConflictError(ParcoursError):
    """The state of things does not allow it now: another request was faster, or it would break what exists."""

    code = "conflict"
    status = 409


class ClosedError(ConflictError):
    """Registration is not open yet, or no longer."""

    code = "closed"


class StaleError(ConflictError):
    """What the request was based on has changed since it was read."""

    code = "stale"


class TooLargeError(ParcoursError):
    """The body is larger than anything Parcours reads."""

    code = "too-large"
    status = 413


class UnsupportedMediaTypeError(ParcoursError):
    """The body is neither a form nor JSON."""

    code = "unsupported-media-type"
    status = 415


class InvalidError(ParcoursError):
    """The body was read and some fields do not hold; `fields` says which and why."""

    code = "invalid"
    status = 422


class TooManyRequestsError(ParcoursError):
    """A cap on requests or mails was reached."""

    code = "too-many-requests"
    status = 429

    def __init__(self, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreadableEventError(ParcoursError):
    """The stored file of an event does not hold under this version's rules; putting the file again mends it."""

    code = "unreadable-event"
    status = 503

    def __init__(self, message: str = UNREADABLE_EVENT) -> None:
        super().__init__(message)


class TooBusyError(ParcoursError):
    """The table refused too often within the time there is; nothing was changed, and the same request may succeed."""

    code = "too-busy"
    status = 503
    retry_after = 30

    def __init__(self, message: str = BUSY) -> None:
        super().__init__(message)
