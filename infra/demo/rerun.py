"""The demo after publication: withdrawals, late registrations, a pin, and a run that keeps the rest.

Only those whose programme changed are told. The pin makes sure that at least one programme changes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from infra.demo.attendees import make_attendees
from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import RUN_SECONDS, ask_for_draft, expect, own_link, publish_draft, sign_in
from infra.demo.outcome import read_outcome
from shared.i18n import told, told_many
from shared.models import Event, Programme, Registration, RegistrationState
from shared.registrations import registrations_of
from shared.runs import programmes_of
from shared.state import read_state

WITHDRAWALS, LATE = 10, 5


def run_reallocation(
    deployment: LocalDeployment, event: Event, seed: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run the re-allocation scenario and return its figures; `good` if exactly those who moved were told."""
    before = _published(deployment, event)
    gone = _withdraw(deployment, event, [one for one in _people(deployment, event) if one.id in before], seed)
    say(
        told_many(
            "%(num)s person withdrew over their own link", "%(num)s people withdrew over their own links", len(gone)
        )
    )
    session = sign_in(deployment, event.organiser_emails[0])
    late = _add_late(deployment, event, session, seed)
    say(
        told_many(
            "%(num)s late registration by the organiser, who signed in by mailed link",
            "%(num)s late registrations by the organiser, who signed in by mailed link",
            len(late),
        )
    )
    pinned, theme = _pin_somebody(deployment, event, session, before, gone)
    say(told("The organiser pinned one person to “%(theme)s”, which is not in their programme", theme=theme))
    run = publish_draft(deployment, event, session, ask_for_draft(deployment, event, session, mode="keep"))
    say(
        told_many(
            "Run %(run)s kept what it could; publishing it wrote %(num)s mail",
            "Run %(run)s kept what it could; publishing it wrote %(num)s mails",
            run["mails"],
            run=run["number"],
        )
    )
    return _compare(deployment, event, before, gone, late, run, pinned)


def _withdraw(deployment: LocalDeployment, event: Event, people: Collection[Registration], seed: str) -> set[str]:
    """Some withdraw over the link in their own mail; wait until the mails that say so are out."""
    dice = random.Random(f"{seed}/withdrawals")  # noqa: S311
    leaving = dice.sample(sorted(people, key=lambda one: one.email), min(WITHDRAWALS, len(people) - 1))
    for one in leaving:
        expect(200, deployment.http.post(f"{own_link(deployment, one.email)}/withdrawal"))
    deployment.wait_for("the withdrawals' mails", lambda: not deployment.unsent(event.id), RUN_SECONDS)
    return {one.id for one in leaving}


def _add_late(deployment: LocalDeployment, event: Event, session: Mapping[str, str], seed: str) -> set[str]:
    crowd = make_attendees(event, LATE, f"{seed}/late")
    added = set()
    for number, person in enumerate(crowd, 1):
        form = {**person.form(), "email": f"late.{number}.{person.email}"}
        answer = deployment.http.post(f"/organise/{event.id}/people", form, headers=session)
        added.add(expect(201, answer).json["id"])
    deployment.wait_for("the late confirmations", lambda: not deployment.unsent(event.id), RUN_SECONDS)
    return added


def _pin_somebody(
    deployment: LocalDeployment,
    event: Event,
    session: Mapping[str, str],
    before: Mapping[str, Programme],
    gone: Collection[str],
) -> tuple[str, str]:
    """Pin a person to a theme that their programme lacks, so that the run has to move them.

    Returns their id and the theme's title.
    """
    person = min(before.keys() - gone)
    workshops = before[person].workshops
    elsewhere = [theme for theme in event.themes if theme.id not in workshops.values()]
    slot = next(iter(workshops))
    wanted = next((theme for theme in elsewhere), None) or event.theme(list(workshops.values())[-1])
    change = {"pinned": {slot: wanted.id}}
    expect(200, deployment.http.call("PATCH", f"/organise/{event.id}/people/{person}", change, headers=session))
    return person, wanted.title


def _compare(
    deployment: LocalDeployment,
    event: Event,
    before: Mapping[str, Programme],
    gone: Collection[str],
    late: Collection[str],
    run: Mapping[str, Any],
    pinned: str,
) -> dict[str, Any]:
    """Who moved, who was told, and whether that is the same."""
    after = _published(deployment, event)
    moved = {one for one in after if one in before and after[one].workshops != before[one].workshops}
    changed = _told(deployment, event, "programme-changed", run["number"])
    new = _told(deployment, event, "programme", run["number"])
    outcome = read_outcome(deployment, event)
    confirmed = {one.id for one in _people(deployment, event)}
    good = changed == moved and new == set(late) and set(after) == confirmed and not confirmed & set(gone)
    good = good and pinned in moved
    return {
        "good": good and not outcome.missing and outcome.verified,
        "withdrawn": len(gone),
        "late": len(late),
        "run": run["number"],
        "moved": len(moved),
        "told_of_a_change": len(changed),
        "told_for_the_first_time": len(new),
        "verified": outcome.verified,
        "text": told(
            "Then %(gone)s withdrew, %(late)s came late, and run %(number)s (keep) moved %(moved)s: it told a change "
            "to %(changed)s, a first programme to %(new)s, and nothing to %(silent)s; %(verdict)s",
            **{"gone": len(gone), "late": len(late), "number": run["number"], "moved": len(moved)},
            **{"changed": len(changed), "new": len(new), "silent": len(after) - len(moved) - len(late)},
            verdict=outcome.verdict,
        ),
    }


def _told(deployment: LocalDeployment, event: Event, kind: str, run: int) -> set[str]:
    """Whose mail of this kind and run arrived."""
    arrived = {mail.message_id for mail in deployment.mailbox.mails}
    rows = deployment.mails(event.id, kind)
    return {row.registration for row in rows if row.run == run and row.message_id in arrived}


def _published(deployment: LocalDeployment, event: Event) -> dict[str, Programme]:
    return programmes_of(deployment.table, event.id, read_state(deployment.table, event.id).published_run)


def _people(deployment: LocalDeployment, event: Event) -> list[Registration]:
    return [one for one in registrations_of(deployment.table, event.id) if one.state is RegistrationState.CONFIRMED]
