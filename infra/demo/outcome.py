"""What came of a demo's day: who has their programme by mail, how full the workshops are, what `verify` says."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from functions.allocate.model.result import Allocation
from infra.demo.local_stack import LocalDeployment
from infra.files import outputs
from infra.files.allocate import read_inputs
from infra.files.people_csv import read_people
from infra.verify.checks import verify as checks_of
from infra.words import say
from shared.allocations import allocation_document
from shared.attendees import attendees
from shared.event_text import as_written
from shared.events import read_text
from shared.i18n import told, told_together
from shared.models import Event, Programme, Registration, RegistrationState
from shared.people_csv import people_csv
from shared.registrations import registrations_of
from shared.runs import programmes_of, read_run
from shared.state import read_state


@dataclass
class Outcome:
    """The figures of a day. `good` is the demo's promise."""

    registered: int
    confirmed: int
    waiting: int
    confirmations: int
    run: int
    programmes: int
    missing: list[str]
    verified: bool
    verification: str
    figures: Mapping[str, Any]
    workshops: list[dict[str, Any]]
    rerun: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Everyone who should have a programme has it by mail, the figures hold, and the second act went well."""
        return not self.missing and self.programmes == self.confirmed and self.verified and self.rerun.get("good", True)

    @property
    def verdict(self) -> str:
        """Whether the allocation is what it should be, in words."""
        if not self.verified:
            return told("verify DISAGREES")
        cost, bound = self.figures["objective"]["total"], self.figures.get("bound")
        if self.figures.get("optimal"):
            return told("verify agrees: total cost %(cost)s, proven optimal", cost=cost)
        return told("verify agrees: total cost %(cost)s, bound %(bound)s", cost=cost, bound=bound)

    def as_json(self) -> dict[str, Any]:
        """The outcome as it stands in demo.json."""
        return {**asdict(self), "good": self.good}

    def table(self) -> str:
        """The outcome for a person to read."""
        titles = [say(title) for title in (told("Workshop"), told("Round"), told("Seats"), told("People"))]
        lines = ["", f"{titles[0]:<46}{titles[1]:<10}{titles[2]:>8} {titles[3]:>9}"]
        for row in self.workshops:
            lines.append(f"{row['title'][:44]:<46}{row['round']:<10}{row['seats']:>8} {row['people']:>9}")
        ranks = self.figures.get("satisfaction", {})
        choices = [told("choice %(rank)s: %(seats)s", rank=rank, seats=seats) for rank, seats in ranks.items()]
        lines += ["", say(told("Seats by choice: %(choices)s", choices=told_together(choices, ", ")))]
        counts = {
            **{"registered": self.registered, "confirmed": self.confirmed, "waiting": self.waiting},
            **{"confirmations": self.confirmations, "programmes": self.programmes, "verdict": self.verdict},
        }
        lines.append(
            say(
                told(
                    "Registered %(registered)s (with a place %(confirmed)s, waiting %(waiting)s), confirmations "
                    "%(confirmations)s, programmes by mail %(programmes)s; %(verdict)s",
                    **counts,
                )
            )
        )
        if self.rerun:
            lines.append(say(self.rerun["text"]))
        if self.missing:
            names, number = ", ".join(self.missing[:10]), len(self.missing)
            lines.append(say(told("WITHOUT THEIR PROGRAMME: %(names)s (%(number)s)", names=names, number=number)))
        return "\n".join(lines)


def read_outcome(deployment: LocalDeployment, event: Event) -> Outcome:
    """Read the published run, hold it against the mailbox, and have it verified."""
    people = list(registrations_of(deployment.table, event.id))
    confirmed = [one for one in people if one.state is RegistrationState.CONFIRMED]
    number = read_state(deployment.table, event.id).published_run
    programmes = programmes_of(deployment.table, event.id, number)
    allocation = read_allocation(deployment, event, number)
    missing = without_programme(deployment, event, confirmed, programmes)
    verified, verification = verify(event, confirmed, allocation)
    return Outcome(
        registered=len(people),
        confirmed=len(confirmed),
        waiting=sum(one.state is RegistrationState.WAITING for one in people),
        confirmations=len(deployment.mails(event.id, "confirmation")),
        run=number,
        programmes=len(confirmed) - len(missing),
        missing=missing,
        verified=verified,
        verification=verification,
        figures=allocation.model_dump(mode="json", exclude={"programmes", "reasons", "moved", "prices"}),
        workshops=_workshops(event, programmes.values()),
    )


def read_allocation(deployment: LocalDeployment, event: Event, number: int) -> Allocation:
    """A stored run as `allocation.json` has it."""
    run = read_run(deployment.table, event.id, number)
    assert run is not None, f"run {number} is published and not stored"  # noqa: S101
    programmes = programmes_of(deployment.table, event.id, number)
    document = allocation_document(event, run, programmes, programmes_of(deployment.table, event.id, run.compared_with))
    return Allocation.model_validate({name: value for name, value in document.items() if name != "checksum"})


def without_programme(
    deployment: LocalDeployment, event: Event, people: Iterable[Registration], programmes: Mapping[str, Programme]
) -> list[str]:
    """The addresses to which no mail with all of their workshops went."""
    return [
        one.email
        for one in people
        if one.id not in programmes or not _was_told(deployment, event, one.email, programmes[one.id])
    ]


def _was_told(deployment: LocalDeployment, event: Event, address: str, programme: Programme) -> bool:
    titles = [event.theme(theme).title for theme in programme.workshops.values()]
    texts = [" ".join(mail.text.split()) for mail in deployment.mailbox.to(address)]
    return any(all(title in text for title in titles) for text in texts[1:])  # the first is the confirmation


def verify(event: Event, people: Iterable[Registration], allocation: Allocation) -> tuple[bool, str]:
    """Verify what `parcours allocate` would have read and written: whether every check passed, and a line a check.

    Event and people go through their files, so that the files of `--out` are known to say the same.
    """
    with tempfile.TemporaryDirectory(prefix="parcours-verify-") as folder:
        event_read, attendees = read_inputs(*write_case(Path(folder), event, people, allocation))
        checks = checks_of(event_read, attendees, allocation)
    return all(check.passed for check in checks), "".join(f"{check}\n" for check in checks)


def write_case(
    folder: Path, event: Event, people: Iterable[Registration], allocation: Allocation, text: str = ""
) -> tuple[Path, Path]:
    """Write the event (like a text of its file), the people, and what `parcours allocate` writes.

    Returns the paths of the event and of the people.
    """
    event_file, people_file = folder / "event.yaml", folder / "people.csv"
    event_file.write_text(as_written(text, event), encoding="utf-8")
    with people_file.open("w", encoding="utf-8", newline="") as file:
        file.write(people_csv([theme.id for theme in event.themes], attendees(event, list(people))))
    outputs.write_files(folder, event, read_people(people_file, event).attendees, allocation)
    return event_file, people_file


def write_files(deployment: LocalDeployment, event: Event, out: Path) -> None:
    """Write the case as the published run leaves it, and every mail as it was sent."""
    number = read_state(deployment.table, event.id).published_run
    people = [one for one in registrations_of(deployment.table, event.id) if one.state is RegistrationState.CONFIRMED]
    text = read_text(deployment.table, event.id)
    write_case(out, event, people, read_allocation(deployment, event, number), text)
    mails = out / "mail"
    mails.mkdir(exist_ok=True)
    for stale in mails.glob("*.eml"):
        stale.unlink()
    kinds = {mail.message_id: mail.kind for mail in deployment.mails(event.id)}
    for mail in deployment.mailbox.mails:
        kind = kinds.get(mail.message_id, "mail")
        (mails / f"{mail.number:04d}-{kind}-{mail.to}.eml").write_bytes(mail.raw)


def _workshops(event: Event, programmes: Iterable[Programme]) -> list[dict[str, Any]]:
    heads = Counter((theme, slot) for programme in programmes for slot, theme in programme.workshops.items())
    return [
        {
            "theme": theme.id,
            "title": theme.title,
            "round": slot.id,
            "seats": event.seats(theme.id, slot.id),
            "people": heads[theme.id, slot.id],
        }
        for slot in event.rounds
        for theme in event.themes
    ]
