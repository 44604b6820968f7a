"""An organiser in Chromium on the deployed stack: every function, queue and permission behind the pages is real."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from infra.cloud.embedded import REGION
from infra.demo.day import SAMPLE, how_to_put
from infra.demo.local_stack import LocalDeployment
from infra.demo.organiser import link_in
from shared.events import audit_lines, read_event
from shared.models import MailState
from shared.registrations import find_by_address
from shared.runs import programmes_of
from shared.state import read_state
from tests.journey.conftest import Open, mails_of_kind, register_crowd, settle

PEOPLE = 8
SECONDS = 60.0


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window the size of a phone."""
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.set_default_timeout(30_000)
    yield page
    page.close()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def test_from_the_mailed_link_over_a_draft_to_the_last_mail(
    deployment: LocalDeployment, open_event: Open, page: Page
) -> None:
    """Sign in, add a person, pin them, make a draft, publish it, see the mails arrive, check in, sign out."""
    event = open_event(organiser_emails=["organising@example.org"])  # of no other event: the sign-in stands here
    register_crowd(deployment, event, PEOPLE)
    organiser, home = event.organiser_emails[0], f"{deployment.http.public_url}/organise/{event.id}"

    page.goto(home)
    page.get_by_label("Email").fill(organiser)
    seen = len(deployment.mailbox.to(organiser))
    press(page, "Mail me a link")
    deployment.wait_for("the sign-in mail", lambda: len(deployment.mailbox.to(organiser)) > seen, SECONDS)
    page.goto(link_in(deployment, deployment.mailbox.to(organiser)[-1].text, "/organise/sign-in/"))
    press(page, "Sign in")

    page.goto(home)
    expect(page.get_by_text(f"{PEOPLE} of {event.capacity} places taken")).to_be_visible()
    page.goto(f"{home}/people/new")
    page.get_by_label("Full name").fill("Person 99")
    page.get_by_label("Email").fill("walk-in@example.org")
    page.get_by_label("Kind of organisation").select_option(index=1)
    page.get_by_label("Pinned at 13:00").select_option(label=event.themes[0].title)
    press(page, "Add this person")
    expect(page.get_by_role("heading", level=1)).to_have_text("Person 99")
    walk_in = find_by_address(deployment.table, event.id, "walk-in@example.org")
    assert walk_in
    settle(deployment, event, 2 + PEOPLE)

    page.goto(f"{home}/allocations")
    press(page, "Start the draft")

    def is_drafted() -> bool:
        page.reload()
        return page.get_by_role("heading", level=1).inner_text() == "Allocation 1: draft"

    deployment.wait_for("the draft", is_drafted, SECONDS)
    expect(page.get_by_text("Proven best.")).to_be_visible()
    press(page, f"Publish and send {PEOPLE + 1} mails")
    expect(page.get_by_role("heading", level=1)).to_have_text("Allocation 1: published")
    deployment.wait_for("the mails", lambda: len(mails_of_kind(deployment, event, "programme")) == PEOPLE + 1, SECONDS)
    settle(deployment, event, 2 + PEOPLE + PEOPLE + 1)
    assert {mail.state for mail in deployment.mails(event.id, "programme")} == {MailState.SENT}
    assert programmes_of(deployment.table, event.id, 1)[walk_in.id].workshops["first"] == event.themes[0].id

    page.goto(f"{home}/door?q=person+99")
    press(page, "Check in Person 99")
    expect(page.get_by_role("status")).to_contain_text("Person 99 is checked in")
    press(page, "Sign out")
    page.goto(home)
    expect(page.get_by_text("Sign in first")).to_be_visible()
    assert read_state(deployment.table, event.id).published_run == 1
    acts = [line["act"] for line in audit_lines(deployment.table, event.id) if line["actor"] == organiser]
    assert acts == ["sign-out", "check-in", "publish", "request-allocation", "add-person", "sign-in"]


def test_the_command_that_the_demo_prints_puts_an_event(
    deployment: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address, region and keys it names, and nothing else of AWS in the environment."""
    addresses = {"endpoint_url": deployment.cloud.endpoint_url, "region": REGION, "stack": deployment.stack.name}
    printed = how_to_put(addresses).replace("\\\n", "").splitlines()[1]
    words = shlex.split(printed)
    given = dict(word.split("=", 1) for word in words if word.startswith("AWS_"))
    command = [word for word in words if not word.startswith("AWS_")]
    event_file = tmp_path / "EVENT.yaml"
    event_file.write_text(SAMPLE.read_text(encoding="utf-8").replace("id: nature-connectivity", "id: put-by-hand"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    done = subprocess.run(
        [sys.executable, "-m", "infra.start", *command[1:]],
        cwd=tmp_path,
        env={**clean, **given},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert read_event(deployment.table, "put-by-hand") is not None
