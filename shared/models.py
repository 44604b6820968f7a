"""One model per entity: the event file, a registration, a mail row, a run of the allocator.

Times in the event file are local to `Event.timezone`; everything stored by the system is UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.i18n import LANGUAGES, told
from shared.local_text import OptionalText, Text, languages_in, localised
from shared.local_time import LocalDate, LocalMoment, LocalTime
from shared.stored_words import StoredWords
from shared.text import TextError, clean_address

_SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_KEY = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_URL = r"^(https?://\S+)?$"
_LINK = r"^https?://\S+$"

IN_WORDS = {
    _SLUG: told("write small letters, digits and hyphens, such as nature-day"),
    _KEY: told("write letters, digits, dots, hyphens and underscores, and begin with a letter or digit"),
    _URL: told("write an address that begins with https:// or http://"),
    _LINK: told("write an address that begins with https:// or http://"),
}
"""What a text must look like, by the pattern that it did not match."""

MOST_THEMES, MOST_ROUNDS = 200, 8

EVENING = time(18, 0)
"""When the mail after the day goes out, in the event's zone."""

Slug = Annotated[str, StringConstraints(pattern=_SLUG, max_length=60)]


def written(value: object) -> object:
    """A number as it was written, where text is meant: `id: 01` is "01" and `price: 25.00` is "25.00".

    The reader of event files keeps what the file says beside a number; other numbers are written as Python does.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(getattr(value, "written", value))


Key = Annotated[str, BeforeValidator(written), StringConstraints(pattern=_KEY, max_length=60)]


def checked_address(value: str) -> str:
    """A mail address as it is stored and compared (see `shared.text.clean_address`)."""
    try:
        return clean_address(value)
    except TextError:
        raise PydanticCustomError(
            "mail_address",
            "{given} will not do; write an email address, such as name@example.org",
            {"given": repr(value[:60])},
        ) from None


Address = Annotated[str, AfterValidator(checked_address)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
SeatCount = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Cost = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]


TOLERANCE = r"0(\.\d{1,6})?|1(\.0{1,6})?"
"""A tolerance: between 0 and 1 with at most six decimals. Reading a number with a million digits takes seconds."""


def _fraction(value: object) -> object:
    """A tolerance from a number or its text. Raises ValueError that says how to write it."""
    if isinstance(value, Decimal):
        value = format(value, "f") if value.adjusted() > -20 else ""
    text = ""
    if isinstance(value, str):
        text = value.strip().replace(",", ".")  # as people write it whose language has a decimal comma
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value + 0)  # the plain number: what it was written as does not count here
    if not re.fullmatch(TOLERANCE, text):
        raise ValueError(told("write a number between 0 and 1 with at most six decimals, such as 0.25"))
    return Decimal(text)


Tolerance = Annotated[Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6), BeforeValidator(_fraction)]
"""A number between 0 and 1, from a number or its text, with a decimal point or comma."""


def _listed(value: object) -> object:
    """One number where a list of numbers may stand."""
    return [value] if isinstance(value, int) else value


class Model(BaseModel):
    """Frozen, and unknown fields are faults: a misspelled key never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


# --------------------------------------------------------------------------- the event file


class Venue(Model):
    """Where the day takes place."""

    name: Text
    address: Text
    directions: OptionalText = ""
    map: Annotated[str, StringConstraints(pattern=_URL)] = ""


class Labels(Model):
    """What an event calls things in place of the words of Parcours; an empty one keeps them."""

    partner_type: OptionalText = ""
    organisation: OptionalText = ""
    partners: OptionalText = ""


class MailTexts(Model):
    """Sentences of the organisers in mails: below what Parcours says, above the person's link."""

    confirmation: OptionalText = ""
    programme: OptionalText = ""
    reminder: OptionalText = ""


class Organiser(Model):
    """One of the organising partners."""

    name: Text
    about: OptionalText = ""
    url: Annotated[str, StringConstraints(pattern=_URL)] = ""


class AgendaItem(Model):
    """A line of the day; `round` marks the line that is a round of workshops, which has the hours of that round."""

    start: LocalTime
    end: LocalTime | None = None
    title: OptionalText = ""
    speaker: OptionalText = ""
    round: Key | None = None


_Minimum = Annotated[
    Annotated[SeatCount, Tag("union[number]")] | Annotated[dict[Key, SeatCount], Tag("union[rounds]")],
    Discriminator(lambda value: "union[rounds]" if isinstance(value, dict) else "union[number]"),
]
"""A number for every round, or one for each round named; a mistake is told for the form that was written."""


class Leader(Model):
    """A person who leads a theme's workshops, in the rounds named or in all; they take no seat."""

    name: Line
    email: Address
    rounds: Annotated[list[Key], Field(max_length=MOST_ROUNDS)] = []


class Theme(Model):
    """A subject people rank; it is offered as one workshop in each of its rounds.

    `minimum` is a number for every round, or one for each round named. `rounds` names the rounds in which the theme is
    offered, `open_to` (`for` in the event file) the partner types that may join it; left out, it is all of them.
    """

    id: Key
    title: Text
    description: OptionalText = ""
    capacity: SeatCount | None = None
    minimum: _Minimum = 0
    rooms: Line | Annotated[list[Line], Field(max_length=MOST_ROUNDS)] | dict[Key, Line] = ""
    rounds: Annotated[list[Key], Field(max_length=MOST_ROUNDS)] = []
    open_to: Annotated[list[Key], Field(max_length=50)] = Field(default=[], alias="for")
    leaders: Annotated[list[Leader], Field(max_length=20)] = []

    def is_open_to(self, partner_type: str) -> bool:
        """Whether people of a partner type may rank the theme and join it."""
        return not self.open_to or partner_type in self.open_to


class Round(Model):
    """A time slot in which every attendee present joins one workshop."""

    id: Key
    start: LocalTime
    end: LocalTime

    @property
    def hours(self) -> str:
        """From when until when, as pages and mails say it."""
        return f"{self.start:%H:%M}–{self.end:%H:%M}"


class PartnerType(Model):
    """A kind of organisation; workshops should mirror the room's mix of them."""

    id: Key
    title: Text


class RegistrationRules(Model):
    """When people may register and how many may come; no capacity means every seat of the busiest round.

    `changes_until` is until when rankings may change after closing; left out, they may not.
    `per_source_hour` is how many forms one network address may send in an hour, a group counting as many as it has
    people: a school or an office sits behind one address. Left out, the stage's own number counts. In a nearly full
    event, the holder of a place that is older than `confirm_after_hours` and whose address nobody confirmed is asked to
    confirm within `confirm_within_hours`.
    """

    opens: LocalMoment
    closes: LocalMoment
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    per_source_hour: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    confirm_after_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 24
    confirm_within_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 24
    changes_until: LocalMoment | None = None
    organisation: Literal["optional", "not_asked"] = "optional"
    groups: bool = False


class Ranking(Model):
    """How many themes people rank: without `most` all that are open to them, without `least` as many as `most`."""

    least: Annotated[int, Field(ge=1, le=MOST_THEMES, strict=True)] | None = None
    most: Annotated[int, Field(ge=1, le=MOST_THEMES, strict=True)] | None = None


class Balance(Model):
    """How strongly a workshop should mirror the room (`weight` per head outside the band) and how wide the band is."""

    weight: Cost = 2
    tolerance: Tolerance = Decimal("0.25")


class AllocationRules(Model):
    """When and how everyone is allocated.

    `rank_costs` defaults to (rank - 1) squared. `change_cost` is used by `keep` runs only; left out, it is set
    above anything a rank could gain, so that the fewest workshops change. An automatic publication whose total lies
    further above the proven bound than `most_gap`, a fraction of the bound, waits for an organiser instead.
    """

    at: LocalMoment
    rank_costs: Annotated[list[Cost], Field(max_length=MOST_THEMES)] | None = None
    balance: Balance = Field(default_factory=Balance)
    change_cost: Cost | None = None
    seed: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    publish: Literal["automatic", "after_review"] = "automatic"
    most_gap: Tolerance = Decimal("0.05")


class Feedback(Model):
    """A form of the organisers' own that people are asked to fill in after the day; without `send` in the evening."""

    url: Annotated[str, StringConstraints(pattern=_LINK)]
    send: LocalMoment | None = None


class Question(Model):
    """An optional extra field of the form, with the purpose told beside it."""

    id: Key
    kind: Literal["text", "choice", "consent"] = Field(validation_alias=AliasChoices("kind", "type"))
    label: Text = Field(validation_alias=AliasChoices("label", "title"))
    purpose: OptionalText = ""
    options: Annotated[list[Text], Field(max_length=100)] = []
    required: bool = False
    sensitive: bool = False

    def shown(self, answer: str) -> str:
        """An answer as this question's language has it; answers of a choice are stored in the event's own language."""
        return next((one for one in self.options if getattr(one, "original", one) == answer), answer)


class Event(Model):
    """A meeting day, as its organisers describe it in one file; a `draft` is seen by them only."""

    id: Slug
    draft: bool = False
    title: Text
    summary: Text
    language: Literal["en", "nl", "fr"] = "en"
    languages: Annotated[list[Literal["en", "nl", "fr"]], Field(max_length=3)] = []
    timezone: Annotated[str, StringConstraints(max_length=60)]
    date: LocalDate
    venue: Venue
    organisers: Annotated[list[Organiser], Field(min_length=1, max_length=50)]
    contact: Address
    held_in: OptionalText = ""
    labels: Labels = Field(default_factory=Labels)
    mail_texts: MailTexts = Field(default_factory=MailTexts)
    price: Annotated[OptionalText, BeforeValidator(written)] = ""
    agenda: Annotated[list[AgendaItem], Field(max_length=200)] = []
    themes: Annotated[list[Theme], Field(min_length=1, max_length=MOST_THEMES)]
    rounds: Annotated[list[Round], Field(min_length=1, max_length=MOST_ROUNDS)]
    capacities: dict[Key, dict[Key, SeatCount]] = {}
    partner_types: Annotated[list[PartnerType], Field(min_length=1, max_length=50)]
    registration: RegistrationRules
    ranking: Ranking = Field(default_factory=Ranking)
    allocation: AllocationRules
    organiser_emails: Annotated[list[Address], Field(min_length=1, max_length=100)]
    door_emails: Annotated[list[Address], Field(max_length=200)] = []
    reminder_days: Annotated[
        list[Annotated[int, Field(ge=0, le=90, strict=True)]], BeforeValidator(_listed), Field(max_length=5)
    ] = []
    feedback: Annotated[Feedback | None, BeforeValidator(lambda given: given or None)] = None
    retention_days: Annotated[int, Field(ge=0, le=3650, strict=True)] = 90
    questions: Annotated[list[Question], Field(max_length=50)] = []
    _cancelled: bool = PrivateAttr(default=False)

    def __eq__(self, other: object) -> bool:
        """Equal in every language: a text in several languages compares as a `str` by one of them only."""
        return isinstance(other, Event) and self.model_dump_json() == other.model_dump_json()

    __hash__ = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _in_its_own_language(self) -> Self:
        """Let every text in several languages read in the event's own."""
        if languages_in(self) - {self.language}:
            own = localised(self, self.language, keep=True)
            for name in self.__class__.model_fields:
                object.__setattr__(self, name, getattr(own, name))
        return self

    @property
    def cancelled(self) -> bool:
        """Whether organisers cancelled the day: the stored row says so (`shared.cancellation`), and no event file."""
        return self._cancelled

    def marked(self, *, cancelled: bool) -> Event:
        """The same event, cancelled or not."""
        event = self.model_copy()
        event._cancelled = cancelled  # of a copy that nobody else has
        return event

    @property
    def spoken(self) -> tuple[str, ...]:
        """The languages of the event's pages and mails: those the file lists, else those its texts have."""
        found = set(self.languages) or languages_in(self)
        return tuple(language for language in LANGUAGES if language in found | {self.language})

    def language_for(self, *wishes: str) -> str:
        """The first of these languages that the event has, else its own."""
        return next((wish for wish in wishes if wish in self.spoken), self.language)

    def in_language(self, language: str) -> Event:
        """The event as a reader of one language sees it; a text without that language stays in the event's own."""
        read = localised(self, language, keep=False)
        own = language if language in languages_in(self) else self.language
        return read.model_copy(update={"language": own, "languages": list(self.spoken)})  # type: ignore[no-any-return]

    @property
    def zone(self) -> ZoneInfo:
        """The event's time zone."""
        return ZoneInfo(self.timezone)

    def moment(self, local: datetime) -> datetime:
        """A local time of the file as an aware UTC time."""
        return (local if local.tzinfo else local.replace(tzinfo=self.zone)).astimezone(UTC)

    def on_the_day(self, local: time) -> datetime:
        """A time of the day itself, aware, in the event's zone."""
        return datetime.combine(self.date, local, tzinfo=self.zone)

    @property
    def opens_at(self) -> datetime:
        """When registration opens, UTC."""
        return self.moment(self.registration.opens)

    @property
    def closes_at(self) -> datetime:
        """When registration closes, UTC."""
        return self.moment(self.registration.closes)

    @property
    def ranking_until(self) -> datetime | None:
        """Until when rankings may change after registration closed, UTC; None: not any more."""
        until = self.registration.changes_until
        return self.moment(until) if until else None

    @property
    def allocates_at(self) -> datetime:
        """When the allocator runs by itself, UTC."""
        return self.moment(self.allocation.at)

    @property
    def starts_at(self) -> datetime:
        """The first line of the day, aware, in the event's zone."""
        return self.on_the_day(min(line.start for line in self.day_lines()))

    @property
    def ends_at(self) -> datetime:
        """The last line of the day, aware, in the event's zone."""
        return self.on_the_day(max(line.end or line.start for line in self.day_lines()))

    def day_lines(self) -> list[AgendaItem]:
        """The lines of the day in order: those of the agenda, and the rounds that it leaves out, without a title.

        A line that is a round has the hours of the round, whatever stands in the line.
        """
        rounds = {slot.id: {"start": slot.start, "end": slot.end} for slot in self.rounds}
        lines = [item.model_copy(update=rounds.get(item.round or "", {})) for item in self.agenda]
        listed = {item.round for item in self.agenda}
        lines += [
            AgendaItem(start=slot.start, end=slot.end, round=slot.id) for slot in self.rounds if slot.id not in listed
        ]
        return sorted(lines, key=lambda line: line.start)

    def number_of(self, round_id: str) -> int:
        """Which round of the day this is, from 1."""
        return [slot.id for slot in self.rounds].index(round_id) + 1

    def starts_of(self, theme_id: str) -> list[time]:
        """The starts of the rounds in which a theme has a workshop."""
        return [slot.start for slot in self.rounds if self.seats(theme_id, slot.id)]

    def rooms_of(self, theme_id: str) -> list[tuple[time, str]]:
        """The start of each round and the room of the theme's workshop in it; one line when it is always the same."""
        found = [(slot.start, self.room(theme_id, slot.id)) for slot in self.rounds if self.seats(theme_id, slot.id)]
        named = [(start, room) for start, room in found if room]
        return named[:1] if len({room for _, room in found}) == 1 else named

    @property
    def feedback_at(self) -> datetime | None:
        """When people are asked what they thought of the day, UTC: the first 18:00 after it, or as the file says."""
        if self.feedback is None:
            return None
        if self.feedback.send:
            return self.moment(self.feedback.send)
        evening = datetime.combine(self.date, EVENING, tzinfo=self.zone)
        return (evening if evening >= self.ends_at else evening + timedelta(days=1)).astimezone(UTC)

    @property
    def retained_until(self) -> datetime:
        """When personal data is deleted by itself, UTC."""
        return self.ends_at.astimezone(UTC) + timedelta(days=self.retention_days)

    def is_open(self, now: datetime) -> bool:
        """Whether people may register or change at `now`; never in a draft, nor once the day is cancelled."""
        return not self.draft and not self.cancelled and self.opens_at <= now < self.closes_at

    def is_yet_to_close(self, now: datetime) -> bool:
        """Whether people may register at `now` or, as registration opens, after it."""
        return not self.cancelled and now < self.closes_at

    def theme(self, theme_id: str) -> Theme:
        """The theme with this id. Raises KeyError when there is none."""
        return {theme.id: theme for theme in self.themes}[theme_id]

    def wishes(self, possible: int) -> tuple[int, int]:
        """The fewest and the most themes that a person ranks to whom so many are open."""
        most = min(self.ranking.most or possible, possible)
        return min(self.ranking.least or most, most), most

    def partner_type_title(self, partner_type_id: str) -> str:
        """The title of a partner type, or its id if the file no longer has it."""
        return next((kind.title for kind in self.partner_types if kind.id == partner_type_id), partner_type_id)

    def seats(self, theme_id: str, round_id: str) -> int:
        """Seats of a workshop; 0 means it is not offered. `capacities` goes before `themes[].capacity`.

        A theme with `rounds` is offered in these only, whatever its capacity.
        """
        theme = self.theme(theme_id)
        if theme.rounds and round_id not in theme.rounds:
            return 0
        override = self.capacities.get(theme_id, {}).get(round_id)
        return override if override is not None else theme.capacity or 0

    def minimum(self, theme_id: str, round_id: str) -> int:
        """The fewest heads a workshop needs; 0 where it is not offered."""
        least = self.theme(theme_id).minimum
        needed = least.get(round_id, 0) if isinstance(least, dict) else least
        return needed if self.seats(theme_id, round_id) else 0

    def band(
        self, theme_id: str, round_id: str, partner_type: str, present: int, tolerance: Fraction
    ) -> tuple[int, int]:
        """Fewest and most heads of a partner type with which a workshop mirrors the room; see `mirroring_band`.

        People of a type spread over the workshops that are open to it. A workshop that is not open expects none.

        Parameters
        ----------
        present
            Heads of the type in the round.
        """
        if not self.theme(theme_id).is_open_to(partner_type):
            return 0, 0
        open_seats = sum(self.seats(theme.id, round_id) for theme in self.themes if theme.is_open_to(partner_type))
        return mirroring_band(present, self.seats(theme_id, round_id), open_seats, tolerance)

    def room(self, theme_id: str, round_id: str) -> str:
        """The room of a workshop, "" when the file names none. A list of rooms is read in the order of the rounds."""
        rooms = self.theme(theme_id).rooms
        if isinstance(rooms, str):
            return rooms
        if isinstance(rooms, dict):
            return rooms.get(round_id, "")
        position = [slot.id for slot in self.rounds].index(round_id)
        return rooms[min(position, len(rooms) - 1)] if rooms else ""

    @property
    def capacity(self) -> int:
        """How many may be confirmed: `registration.capacity`, else the seats of the round with the fewest."""
        if self.registration.capacity is not None:
            return self.registration.capacity
        return min(sum(self.seats(theme.id, slot.id) for theme in self.themes) for slot in self.rounds)

    @property
    def rank_costs(self) -> tuple[int, ...]:
        """Cost of each rank, best first: the file's, or (rank - 1) squared."""
        given = self.allocation.rank_costs
        return tuple(given) if given is not None else tuple(rank * rank for rank in range(len(self.themes)))

    @property
    def tolerance(self) -> Fraction:
        """The band's tolerance as an exact fraction."""
        return Fraction(self.allocation.balance.tolerance)


# --------------------------------------------------------------------------- what the system stores


class RegistrationState(StrEnum):
    """Where a registration stands.

    A person who did not come holds no place, and gets one again at check-in. A delegate registered others and holds the
    address, the link and the mails of the group, and no place.
    """

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    NO_SHOW = "no-show"
    DELEGATE = "delegate"


class Registration(Model):
    """One person for one event. `revision` grows with every write and guards against lost updates.

    Without an `email` ("") no mail is written: the programme goes on paper, or to the `delegate`, the registration of
    the person who registered this one with a group; that one has the ids of all `members` it registered.
    `new_email` is an address that its holder asked to move to and has not confirmed; `previous_email` is the address
    before the last move that its holder made, which may undo the move. `confirmed_at` is the moment that showed the
    address to be the attendee's own (see `shared.confirmation`), None while nothing has; rows that were stored before
    it was kept are without it and count as confirmed. `confirm_by` is until when its holder was asked to confirm it, ""
    if never; `released` says that the place was given to others because nobody did. `attended` holds the theme of each
    round in which a helper saw the person present. `gave_up` has the theme of each published seat that its holder gave
    up, by round, `gave_up_at` is when; `freed` has the same of the rounds in which organisers freed it on the day; and
    `seat_changes` counts how often the published programme was changed for this person alone.
    """

    event: str
    id: str
    state: RegistrationState
    name: str
    email: str = ""
    delegate: str = ""
    members: list[str] = []
    organisation: str = ""
    partner_type: str
    choices: list[str]
    answers: dict[str, str | bool] = {}
    language: str = "en"
    shown_order: list[str] = []
    absent: list[str] = []
    pinned: dict[str, str] = {}
    gave_up: dict[str, str] = {}
    gave_up_at: str = ""
    freed: dict[str, str] = {}
    seat_changes: int = 0
    excluded: list[str] = []
    source: Literal["web", "organiser", "import", "door"] = "web"
    link_version: int = 1
    offers: int = 0
    offer_expires_at: str = ""
    bounced: bool = False
    new_email: str = ""
    previous_email: str = ""
    checked_in_at: str = ""
    confirmed_at: str | None = ""
    confirm_by: str = ""
    released: bool = False
    attended: dict[str, str] = {}
    created_at: str
    updated_at: str
    revision: int = 1

    @property
    def unconfirmed(self) -> bool:
        """Whether nothing has shown yet that the address is the attendee's own."""
        return self.confirmed_at is None

    @property
    def awaits_confirmation(self) -> bool:
        """Whether this is a place or a turn on the waiting list whose address nobody confirmed."""
        return self.unconfirmed and self.holds_or_waits

    @property
    def holds_or_waits(self) -> bool:
        """Whether this is a place, an offered place or a turn on the waiting list."""
        return self.state in (RegistrationState.CONFIRMED, RegistrationState.OFFERED, RegistrationState.WAITING)

    @property
    def takes_part(self) -> bool:
        """Whether the allocator places this person: every confirmed place, unless its mail only ever came back."""
        return self.state is RegistrationState.CONFIRMED and not (self.bounced and self.unconfirmed)


MailKind = Literal[
    "confirmation", "already-registered", "waiting-list", "place-offered", "programme", "programme-changed",
    "reminder", "withdrawn", "erased", "sign-in", "address-check", "address-changed",
    "confirm-place", "place-released", "allocation-failed", "draft-ready", "day-cancelled", "day-restored", "message",
    "feedback", "leader-list", "group",
]  # fmt: skip

FailureKind = Literal["", "none-exists", "not-in-time", "bad-data", "fault", "stopped"]
"""Why a run failed; the mails to organisers have words for each."""

WaitsFor = Literal["", "review", "gap", "moves", "answer"]
"""Why a draft of the schedule waits for an organiser: the event file asks for it (`review`), its gap is too large,
it changes what is published for others (`moves`), or so it was answered at the publication before (`answer`)."""

Afterwards = Literal["", "close", "keep", "none"]
"""What an organiser answered who published while registration was open: close it at once; at the deadline make a draft
that keeps what is published; or let the schedule make no further run. "" when registration was closed."""


class MailState(StrEnum):
    """Where a mail stands; see promise P2 for why `sending` is a state of its own."""

    HELD = "held"
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Mail(Model):
    """A row that, once written, is a mail that will be sent.

    No address stands here but where the registration cannot tell it (`to`): the address is read when the mail is
    composed and `to` is removed once it is sent. `sent_to` is the digest of the address that the last attempt went to
    (`table.recipient_digest`): a mail that comes back says nothing of an address that was corrected since. `request` is
    the id of the request, or of the function's own invocation, that wrote the row.
    """

    event: str
    id: str
    kind: MailKind
    state: MailState = MailState.PENDING
    registration: str = ""
    run: int = 0
    to: str = ""
    language: str = ""
    facts: dict[str, str] = {}
    attempt: int = 0
    sent_to: str = ""
    request: str = ""
    message_id: str = ""
    bounced: bool = False
    error: str = ""
    created_at: str
    updated_at: str


class Message(Model):
    """A text that an organiser wrote to a group (in words), and the ids of the people in it when it was confirmed.

    `subject` and `body` are in the event's own language, `in_other` the same (`subject`, `body`) in other languages.
    `cancelled` says that the day was cancelled already: a text that was written before it is not sent any more.
    `number` is how many people it is for: their ids may be left out where only that is asked.
    """

    event: str
    id: str
    group: str
    subject: str
    body: str
    in_other: dict[str, dict[str, str]] = {}
    people: list[str]
    number: int = 0
    cancelled: bool = False
    created_at: str


class RunState(StrEnum):
    """Where a run of the allocator stands."""

    REQUESTED = "requested"
    RUNNING = "running"
    DRAFT = "draft"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    FAILED = "failed"


class DayFacts(Model):
    """The facts of a day that are printed with programmes: what people who were told them rely on.

    `timezone` is what the hours are local to, "" in what was stored before it was kept.
    `rounds` has the hours by round, `titles` the titles by theme, `rooms` the room by `theme@round`. `in_other` has the
    same facts in the languages of the event beside its own.
    """

    date: str
    hours: str
    venue: str
    directions: str = ""
    timezone: str = ""
    rounds: dict[str, str]
    titles: dict[str, str]
    rooms: dict[str, str] = {}
    in_other: dict[str, DayFacts] = {}

    def read_in(self, language: str) -> DayFacts:
        """The facts as a reader of a language is told them; in the event's own where it has no other."""
        return self.in_other.get(language, self)

    def workshop(self, theme: str, slot: str) -> tuple[str, str]:
        """The title of a workshop and its room, "" for what is not known."""
        return self.titles.get(theme, ""), self.rooms.get(f"{theme}@{slot}", "")


class Run(Model):
    """One run of the allocator: who asked, what for, and what came out.

    `result` holds the figures of `allocation.json` without the people; the programmes are items of their own.
    `restores` is the earlier run whose programmes a `keep` run keeps in place of the published ones, 0 for none.
    `input_digest` is the `attendees.input_digest` of the question it answers. `seed_chosen` says that the seed was
    asked for with the run, and is not the event's.
    `attempts` counts how often it was taken up; before `retry_at` it is not taken up again. `error` says in a sentence
    why it failed, or why the last attempt did, and what to do. `facts` are those of the day at its publication;
    `placed` is how many people had been given seats at the door when the run was asked for.
    """

    event: str
    number: int
    state: RunState
    mode: Literal["fresh", "keep"] = "fresh"
    seed: str = ""
    seed_chosen: bool = False
    weight: int | None = None
    tolerance: str = ""
    automatic: bool = False
    requested_by: str = ""
    requested_at: str
    owner: str = ""
    lease_until: str = ""
    compared_with: int = 0
    restores: int = 0
    input_digest: str = ""
    people: int = 0
    mails: int = 0
    result: dict[str, Any] = {}
    error: StoredWords = ""
    failure: FailureKind = ""
    waits_for: WaitsFor = ""
    attempts: int = 0
    retry_at: str = ""
    published_at: str = ""
    published_by: str = ""
    facts: DayFacts | None = None
    placed: int = 0
    updated_at: str


class Says(StrEnum):
    """What one statement of a reason says; `shared.reasons` has the words."""

    GOT = "got"
    EXPECTED = "expected"
    UNRANKED = "unranked"
    ABSENT = "absent"
    AS_PUBLISHED = "as-published"
    NOT_OFFERED = "not-offered"
    NOT_OPEN = "not-open"
    PINNED = "pinned"
    CLASH = "clash"
    MINIMUM = "minimum"
    KEPT = "kept"
    EQUAL = "equal"
    LOTTERY = "lottery"
    DEMAND = "demand"
    NO_SWAP = "no-swap"
    FULL = "full"
    MIX = "mix"
    NOT_FOUND = "not-found"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a reason: a theme a person got, or a choice they missed and what stood between.

    `rank` counts from 1. `round` and `instead` say where a missed choice still had a seat and what the person does
    there. `others` counts who ranked it at least as high, `seats` its seats in all rounds, `heads` how many more
    people would be outside the band.
    """

    says: Says
    theme: str = ""
    rank: int = 0
    round: str = ""
    instead: str = ""
    others: int = 0
    seats: int = 0
    heads: int = 0


class Programme(Model):
    """What one attendee does under one run: a theme for each round attended, and why."""

    event: str
    run: int
    registration: str
    workshops: dict[str, str]
    reason: tuple[Statement, ...] = ()


class EventState(Model):
    """What the system knows of an event, beside the file: run numbers, which run readers see, who holds a place.

    `seed` is what lots are made of; its digest is public from the opening on, and `replaced_seeds` are the digests that
    were public before, with the moment (`at`) at which each was replaced. `counted` is what attendees are shown of the
    counters, as of the last full hour (see `waiting_list.count_hourly`); `unconfirmed_at` is the hour in which
    unconfirmed places were last looked through. `placed` counts the people who were given seats at the door, outside a
    run; each such write expects the number that it read. `afterwards` is the answer that the last publication stored.
    `restored` counts how often a cancellation of the day was undone, `day_changes` how often what is printed of the day
    changed since registration opened (`shared.edition.is_told_anew`); at `day_changed_at` it last was another day
    (`is_another_day`).
    """

    event: str
    runs: int = 0
    active_run: int = 0
    published_run: int = 0
    publishing_run: int = 0
    afterwards: Afterwards = ""
    restored: int = 0
    day_changes: int = 0
    day_changed_at: str = ""
    allocated_for: str = ""
    seed: str = ""
    confirmed: int = 0
    waiting: int = 0
    placed: int = 0
    mail_held: bool = False
    retired: bool = False
    counted: dict[str, str] = {}
    unconfirmed_at: str = ""
    replaced_seeds: list[dict[str, str]] = []


def mirroring_band(present: int, seats: int, round_seats: int, tolerance: Fraction) -> tuple[int, int]:
    """Fewest and most heads of a partner type with which a workshop mirrors the room.

    `floor((1 - tolerance) e)` and `ceil((1 + tolerance) e)` with `e = present x seats / round_seats`, in exact
    integers: floats differ at the edges. The allocator, its pictures and the organisers' pages read the same band.

    Parameters
    ----------
    present
        Heads of the type in the round.
    round_seats
        Seats of all workshops of the round that are open to the type; without any, nobody is expected.
    """
    p, q = tolerance.numerator, tolerance.denominator
    total, share = round_seats * q, present * seats
    return ((q - p) * share // total, -(-(q + p) * share // total)) if total else (0, 0)


def utc(moment: datetime) -> str:
    """A moment as it is stored: UTC, ISO 8601 to the microsecond, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(stored: str) -> datetime:
    """The moment that `utc` stored."""
    return datetime.strptime(stored, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
