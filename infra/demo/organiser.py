"""An organiser at work over HTTP, as a script would do it: signs in by mailed link, asks for a draft, publishes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from infra.demo.http_client import Answer
from infra.demo.local_stack import LocalDeployment
from shared.models import Event
from shared.state import read_state

RUN_SECONDS = 150.0
SIGN_IN_SECONDS = 60.0


class RefusedError(RuntimeError):
    """Parcours answered otherwise than an organiser or attendee should be answered."""


def sign_in(deployment: LocalDeployment, address: str) -> dict[str, str]:
    """Sign in as an organiser does, by the mailed link; the header that a script then sends."""
    seen = len(deployment.mailbox.to(address))
    expect(202, deployment.http.post("/organise/sign-in", {"email": address}))
    deployment.wait_for("the sign-in mail", lambda: len(deployment.mailbox.to(address)) > seen, SIGN_IN_SECONDS)
    link = link_in(deployment, deployment.mailbox.to(address)[-1].text, "/organise/sign-in/")
    opened = expect(200, deployment.http.post(link))
    return {"Authorization": f"Bearer {opened.json['token']}"}


def ask_for_draft(deployment: LocalDeployment, event: Event, session: Mapping[str, str], *, mode: str) -> int:
    """Ask for an allocation; the number of the run."""
    asked = deployment.http.post(f"/organise/{event.id}/allocations", {"mode": mode}, headers=session)
    return int(expect(202, asked).location.rsplit("/", 1)[1])


def publish_draft(deployment: LocalDeployment, event: Event, session: Mapping[str, str], number: int) -> dict[str, Any]:
    """Wait for a draft, publish it with the number of mails it shows, and wait for those mails; what it showed."""
    draft = f"/organise/{event.id}/allocations/{number}"
    shown: dict[str, Any] = {}

    def is_drafted() -> bool:
        shown.update(expect(200, deployment.http.get(draft, headers=session)).json)
        if shown["state"] == "failed":
            raise RefusedError(f"run {number} failed: {shown['error']}")
        return bool(shown["state"] == "draft")

    deployment.wait_for("the draft", is_drafted, RUN_SECONDS)
    agreed = {"expected_mails": shown["mails"], "afterwards": "keep"}
    expect(202, deployment.http.post(f"{draft}/publication", agreed, headers=session))

    def is_told() -> bool:
        state = read_state(deployment.table, event.id)
        told = state.published_run == number and not state.publishing_run
        return told and not deployment.unsent(event.id)

    deployment.wait_for("the publication's mails", is_told, RUN_SECONDS)
    return shown


def own_link(deployment: LocalDeployment, address: str) -> str:
    """The link to their own registration that a person finds in their first mail."""
    return link_in(deployment, deployment.mailbox.to(address)[0].text, "/r/")


def link_in(deployment: LocalDeployment, text: str, path: str) -> str:
    """The link to a path of ours in a mail. Raises RefusedError if there is none."""
    found = re.search(rf"{re.escape(deployment.http.public_url + path)}[\w.~-]+", text)
    if found is None:
        raise RefusedError(f"no link to {path} in a mail that should have one:\n{text}")
    return found.group()


def expect(status: int, answer: Answer) -> Answer:
    """The answer, if it has this status. Raises RefusedError."""
    if answer.status != status:
        raise RefusedError(f"{answer.status} instead of {status}: {answer.text[:400]}")
    return answer
