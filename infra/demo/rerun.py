"""The demo after publication: people withdraw, an organiser adds late ones, and a `keep` run tells only who moved."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from infra.demo.attendees import make_crowd
from infra.demo.local_stack import Running
from infra.demo.organiser import RUN_SECONDS, ask_for_draft, expect, own_link, publish_draft, sign_in
from infra.demo.outcome import read_outcome
from shared.models import Event, Programme, Registration, RegistrationState
from shared.registrations import read_state, registrations_of
from shared.runs import programmes_of

WITHDRAWALS, LATE = 10, 5


def second_act(stage: Running, event: Event, seed: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Play it and return its figures; `good` if exactly those whose programme changed were told."""
    before = _published(stage, event)
    gone = _withdraw(stage, event, [one for one in _people(stage, event) if one.id in before], seed)
    say(f"{len(gone)} people withdrew over their own link")
    session = sign_in(stage, event.organiser_emails[0])
    late = _add_late(stage, event, session, seed)
    say(f"{len(late)} late registrations by the organiser, who signed in by mailed link")
    run = publish_draft(stage, event, session, ask_for_draft(stage, event, session, mode="keep"))
    say(f"Run {run['number']} kept what it could; publishing it wrote {run['mails']} mails")
    return _compare(stage, event, before, gone, late, run)


def _withdraw(stage: Running, event: Event, people: Collection[Registration], seed: str) -> set[str]:
    """Some withdraw over the link in their own mail; wait until the mails that say so are out."""
    dice = random.Random(f"{seed}/withdrawals")  # noqa: S311
    leaving = dice.sample(sorted(people, key=lambda one: one.email), min(WITHDRAWALS, len(people) - 1))
    for one in leaving:
        expect(200, stage.site.post(f"{own_link(stage, one.email)}/withdrawal"))
    stage.wait_for("the withdrawals' mails", lambda: not stage.unsent(event.id), RUN_SECONDS)
    return {one.id for one in leaving}


def _add_late(stage: Running, event: Event, session: Mapping[str, str], seed: str) -> set[str]:
    crowd = make_crowd(event, LATE, f"{seed}/late")
    added = set()
    for number, person in enumerate(crowd, 1):
        form = {**person.form(), "email": f"late.{number}.{person.email}"}
        answer = stage.site.post(f"/organise/{event.id}/people", form, headers=session)
        added.add(expect(201, answer).json["id"])
    stage.wait_for("the late confirmations", lambda: not stage.unsent(event.id), RUN_SECONDS)
    return added


def _compare(
    stage: Running,
    event: Event,
    before: Mapping[str, Programme],
    gone: Collection[str],
    late: Collection[str],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Who moved, who was told, and whether that is the same."""
    after = _published(stage, event)
    moved = {one for one in after if one in before and after[one].workshops != before[one].workshops}
    changed = _told(stage, event, "programme-changed", run["number"])
    new = _told(stage, event, "programme", run["number"])
    outcome = read_outcome(stage, event)
    confirmed = {one.id for one in _people(stage, event)}
    good = changed == moved and new == set(late) and set(after) == confirmed and not confirmed & set(gone)
    return {
        "good": good and not outcome.missing and outcome.verified,
        "withdrawn": len(gone),
        "late": len(late),
        "run": run["number"],
        "moved": len(moved),
        "told_of_a_change": len(changed),
        "told_for_the_first_time": len(new),
        "verified": outcome.verified,
        "text": (
            f"Then {len(gone)} withdrew, {len(late)} came late, and run {run['number']} (keep) moved {len(moved)}: "
            f"{len(changed)} were told of a change, {len(new)} got their first programme, "
            f"{len(after) - len(moved) - len(late)} heard nothing; {outcome.verdict}"
        ),
    }


def _told(stage: Running, event: Event, kind: str, run: int) -> set[str]:
    """Whose mail of this kind and run arrived."""
    arrived = {mail.message_id for mail in stage.mailbox.mails}
    rows = stage.mails(event.id, kind)
    return {row.registration for row in rows if row.run == run and row.message_id in arrived}


def _published(stage: Running, event: Event) -> dict[str, Programme]:
    return programmes_of(stage.table, event.id, read_state(stage.table, event.id).published_run)


def _people(stage: Running, event: Event) -> list[Registration]:
    return [one for one in registrations_of(stage.table, event.id) if one.state is RegistrationState.CONFIRMED]
