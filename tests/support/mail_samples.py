"""One person's whole correspondence: a mail of every kind, as the mail function would write it at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from shared.address_change import ask_move, carry_out
from shared.events import put_event
from shared.leaders import all_led
from shared.letters.compose import compose
from shared.mails import mails_of, send
from shared.models import Event, Feedback, Leader, MailKind, MailState, RegistrationState, Run, RunState, utc
from shared.registrations import (
    erase,
    find_by_address,
    read_registration,
    register,
    registration_item,
    remind,
    save,
    withdraw,
)
from shared.table import (
    STATE_SK,
    Table,
    event_pk,
    mails_pk,
    programme_sk,
    programmes_pk,
    put,
    registration_sk,
    run_sk,
    update,
)
from shared.tokens import Keys
from shared.waiting_list import accept_offer, offer_places
from tests.support.factories import NOW, make_registration

FIRST = {"first": "governance", "second": "wildlife"}
REASON = [
    {"says": "got", "theme": "governance", "rank": 2},
    {"says": "got", "theme": "wildlife", "rank": 4},
]
SECOND = {"first": "governance", "second": "vision"}


@dataclass
class Letters:
    """Rows as they are written, and the mails they become; `now` is when."""

    table: Table
    keys: Keys
    event: Event
    now: datetime = NOW
    raw: dict[str, bytes] = field(default_factory=dict)

    def write(self, mail_id: str) -> EmailMessage:
        """The mail of a row, kept under its id."""
        [row] = [one for one in mails_of(self.table, self.event.id) if one.id == mail_id]
        self.raw[mail_id] = compose(self.table, self.keys, row, now=self.now).raw
        return read(self.raw[mail_id])

    def publish(self, number: int, programmes: Mapping[str, Mapping[str, str]], *, before: int = 0) -> None:
        """A published run that gives these people these workshops."""
        about = {"event": self.event.id, "number": number, "state": RunState.PUBLISHED, "compared_with": before}
        run = Run(**about, requested_at=utc(self.now), updated_at=utc(self.now))
        stored = {"pk": event_pk(self.event.id), "sk": run_sk(number), "type": "run", **run.model_dump(mode="json")}
        self.table.write(put(stored))
        for person, workshops in programmes.items():
            keys = {"pk": programmes_pk(self.event.id, number), "sk": programme_sk(person)}
            facts = {"event": self.event.id, "run": number, "registration": person, "workshops": dict(workshops)}
            self.table.write(put({**keys, **facts, "reason": REASON}))
        self.table.write(update(event_pk(self.event.id), STATE_SK, assign={"published_run": number, "runs": number}))

    def tell(self, kind: MailKind, person: str, *, run: int = 0) -> EmailMessage:
        """Write a row that an organiser's act or the clock would write, and its mail."""
        row = send(kind, self.event.id, person, now=self.now, run=run)
        self.table.write(row)
        return self.write(f"{kind}#{run}#{person}" if run else f"{kind}#{person}")

    def about_a_run(self, kind: MailKind, number: int, language: str, **facts: Any) -> EmailMessage:
        """A mail to the organisers about a run of which this is so."""
        run = Run.model_validate(
            {"event": self.event.id, "number": number, "requested_at": utc(self.now), "updated_at": utc(self.now)}
            | facts
        )
        stored = {"pk": event_pk(self.event.id), "sk": run_sk(number), "type": "run", **run.model_dump(mode="json")}
        row = send(
            kind,
            self.event.id,
            "",
            now=self.now,
            run=number,
            occasion="1",
            to="organiser@example.org",
            language=language,
        )
        self.table.write(put(stored), row)
        return self.write(f"{kind}#{number}##1")

    def sign_in(self, language: str) -> EmailMessage:
        """The mail that an organiser's wish to sign in causes."""
        self.table.write(
            send(
                "sign-in",
                self.event.id,
                "",
                now=self.now,
                to="organiser@example.org",
                language=language,
                occasion="1",
                facts={"nonce": "n" * 20},
            )
        )
        return self.write("sign-in##1")

    def mark_sent(self, mail_id: str) -> None:
        """What SES took was told; what is told later is compared with it."""
        self.table.write(update(mails_pk(self.event.id), mail_id, assign={"state": MailState.SENT.value}))


def read(raw: bytes) -> EmailMessage:
    """A mail as a client parses it."""
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def text_of(mail: EmailMessage) -> str:
    """The plain part."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    """The HTML part."""
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def entry_of(mail: EmailMessage) -> bytes | None:
    """The calendar entry, as its bytes."""
    found = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "text/calendar"]
    assert len(found) <= 1
    return bytes(found[0]) if found else None


def every_kind(table: Table, keys: Keys, event: Event, language: str) -> dict[str, EmailMessage]:
    """A mail of every kind, and of the turns some of them take, as one person in this language gets them."""
    feedback = Feedback(url="https://example.org/form")
    rules = event.registration.model_copy(update={"capacity": 1})
    leader = Leader(name="Lea Lead", email="leader@example.org")
    themes = [event.themes[0].model_copy(update={"leaders": [leader]}), *event.themes[1:]]
    full = event.model_copy(update={"registration": rules, "feedback": feedback, "themes": themes})
    put_event(table, full, actor="test", now=NOW)
    post = Letters(table, keys, full)
    person = make_registration(number=1, id="a" * 20, name="Zoë D'Hondt", language=language)
    first = register(table, full, make_registration(number=2, id="b" * 20), now=NOW)[0]
    register(table, full, person, now=NOW)
    mails = {"waiting-list": post.write(f"waiting-list#{person.id}")}
    remind(table, event.id, person.id, "link", now=NOW)
    mails["already-registered, waiting"] = post.write(f"already-registered#{person.id}#{NOW:%Y%m%d%H}")
    withdraw(table, first, now=NOW)
    offer_places(table, full, now=NOW)
    mails["place-offered"] = post.write(f"place-offered#{person.id}#1")
    mails["already-registered, offered"] = post.write(f"already-registered#{person.id}#{NOW:%Y%m%d%H}")
    offered = read_registration(table, event.id, person.id)
    assert offered is not None
    accept_offer(table, event, offered, now=NOW)
    mails["confirmation"] = post.write(f"confirmation#{person.id}#offer-1")
    mails["already-registered"] = post.write(f"already-registered#{person.id}#{NOW:%Y%m%d%H}")

    accepted = read_registration(table, event.id, person.id)
    assert accepted is not None
    wanted = {"confirmed_at": None, "confirm_by": utc(NOW + timedelta(days=1))}
    accepted = save(table, accepted, wanted, now=NOW)
    mails["confirm-place"] = post.tell("confirm-place", person.id)
    save(table, accepted, {"confirmed_at": utc(NOW)}, now=NOW)

    post.now = event.allocates_at + timedelta(hours=1)
    post.publish(2, {person.id: FIRST})
    mails["programme"] = post.tell("programme", person.id, run=2)
    post.mark_sent(f"programme#2#{person.id}")
    mails["confirmation, allocated"] = post.write(f"confirmation#{person.id}#offer-1")
    post.publish(3, {person.id: SECOND}, before=2)
    mails["programme-changed"] = post.tell("programme-changed", person.id, run=3)
    mails["reminder"] = post.tell("reminder", person.id)
    mails["feedback"] = post.tell("feedback", person.id)

    post.table.write(
        send("message", event.id, person.id, now=NOW, occasion="0" * 32, facts={"subject": "Boots", "body": "Laarzen."})
    )
    mails["message"] = post.write(f"message#{person.id}#{'0' * 32}")

    row = table.get("EVENTS", event.id)
    assert row is not None
    table.put_all([{**row, "cancelled_at": "2026-03-02"}])
    mails["day-cancelled"] = post.tell("day-cancelled", person.id)
    table.put_all([row])
    table.write(update(event_pk(event.id), STATE_SK, assign={"restored": 1}))
    mails["day-restored"] = post.tell("day-restored", person.id)
    table.write(update(event_pk(event.id), STATE_SK, assign={"restored": 0}))

    delegate = make_registration(number=1, id="d" * 20, state=RegistrationState.DELEGATE, choices=[], language=language)
    pupil = make_registration(number=3, id="e" * 20, email="", delegate=delegate.id)
    table.put_all(map(registration_item, [delegate, pupil]))
    post.publish(3, {person.id: SECOND, pupil.id: FIRST}, before=2)
    mails["group"] = post.tell("group", delegate.id, run=3)
    table.delete_all([{"pk": event_pk(event.id), "sk": registration_sk(one.id)} for one in (delegate, pupil)])

    post.now = NOW
    holder = find_by_address(table, event.id, person.email)
    assert holder is not None
    asking = ask_move(table, holder, {}, "moved@example.org", now=NOW, tell=True)
    mails["address-check"] = post.write(f"address-check#{person.id}#{asking.revision}")
    moved = carry_out(table, asking, "move", now=NOW)
    mails["address-changed"] = post.write(f"address-changed#{person.id}#2")
    gone = withdraw(table, moved, now=NOW)
    mails["withdrawn"] = post.write(f"withdrawn#{person.id}")
    mails["place-released"] = post.tell("place-released", person.id)
    erase(table, gone, now=NOW)
    mails["erased"] = post.write(f"erased#{person.id}")
    mails["sign-in"] = post.sign_in(language)
    [led] = all_led(full)
    facts = {"theme": led.theme.id}
    to = led.leader.email
    table.write(
        send("leader-list", event.id, "", now=NOW, occasion=led.occasion, to=to, language=language, facts=facts)
    )
    mails["leader-list"] = post.write(f"leader-list##{led.occasion}")
    for number, failure in enumerate(("none-exists", "not-in-time", "bad-data", "fault"), 10):
        name = "allocation-failed" + (f", {failure}" if number > 10 else "")
        facts = {"state": RunState.FAILED, "failure": failure, "error": "13:00 has 8 seats for 9 people present."}
        mails[name] = post.about_a_run("allocation-failed", number, language, **facts)
    figures = {"objective": {"total": 60}, "bound": 50}
    for number, waits_for in enumerate(("gap", "review", "moves", "answer"), 20):
        name = "draft-ready" + (f", {waits_for}" if number > 20 else "")
        open_draft = {"state": RunState.DRAFT, "waits_for": waits_for, "result": figures}
        mails[name] = post.about_a_run("draft-ready", number, language, **open_draft)
    return mails
