"""P2: each person gets each mail once, whatever dies on the way."""

from __future__ import annotations

import pytest

from shared.models import Event
from shared.registrations import register, withdraw
from shared.table import Table
from shared.tokens import Keys
from tests.support.factories import NOW, make_registration
from tests.support.fake_ses import Clock
from tests.support.mail_pipeline import Road
from tests.support.story import Story

pytestmark = pytest.mark.promise("P2")


@pytest.fixture
def road(table: Table, keys: Keys, event: Event) -> Road:
    return Road(table, keys, event.id, Clock(NOW))


def test_two_mails_go_out(road: Road, table: Table, event: Event) -> None:
    """One person registers, and leaves."""
    with road.open():
        person, _ = register(table, event, make_registration(), now=NOW)
        road.run()
        withdraw(table, person, now=NOW)
        road.run()

    assert road.faults_found() == []
    assert [one.tags["kind"] for one in road.ses.sent] == ["confirmation", "withdrawn"]


SHARES = 8
"""Parts that the moments are dealt out to: `make test` takes every eighth moment, the sweep takes the others."""


@pytest.mark.parametrize("share", [0, *(pytest.param(n, marks=pytest.mark.sweep) for n in range(1, SHARES))])
def test_a_crash_at_any_moment_loses_and_doubles_nothing(table: Table, keys: Keys, share: int) -> None:
    """Before and after every AWS call of relay, mail, feedback and upkeep one crash, then recovery."""
    story, crashed = Story(table, keys), 0
    for chapter in story.chapters():
        for moment in range(share, chapter.moments, SHARES):
            road, crashes = chapter.told_with(moment)

            assert len(crashes) == road.crashes == 1
            assert (road.faults_found(), road.parked) == ([], []), crashes
            assert sorted(road.taken) == chapter.mails, crashes
            crashed += 1
    assert crashed >= 150 // SHARES
