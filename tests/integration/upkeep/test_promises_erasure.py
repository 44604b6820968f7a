"""P10: what is erased, or kept no longer, stands nowhere: table, queue, dead letters, exports, pages, logs.

People with words in everything they type that nobody else has live through everything the system does with them:
see `tests.support.whole_day`.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.support.fake_ses import personal_rows
from tests.support.whole_day import Day

pytestmark = pytest.mark.promise("P10")


CANARY = re.compile(r"(?i)xylo\d\d")


def hits(stores: dict[str, str]) -> dict[str, list[str]]:
    """In which stores which canaries stand."""
    return {name: sorted(set(CANARY.findall(text))) for name, text in stores.items() if CANARY.search(text)}


@pytest.mark.parametrize("day", [8], indirect=True)
def test_who_is_erased_stands_nowhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    """By the own link or by an organiser; and a redrive of old messages brings nobody back."""
    before = hits(day.stores(caplog))
    assert {"table", "people.csv", "people.xlsx", "page /people"} <= before.keys()  # the search finds
    assert not before.keys() & {"logs", "queue", "dead letters", "metrics"}  # where no canary ever stood
    kinds: dict[str, set[str]] = {}
    for sent in day.road.ses.sent:
        kinds.setdefault(sent.to, set()).add(sent.tags["kind"])
    expected = {"confirmation", "already-registered", "programme", "reminder"}
    assert [to for to in day.ids if kinds[to] - {"message"} != expected] == []  # all of these are there to be erased
    told = len(day.road.ses.sent)

    for number, one in enumerate(day.ids.values()):
        if number % 2:
            assert day.web.post(f"{day.link(one)}/erasure").status == 200
        else:
            erased = day.organiser.submit(f"/organise/nature/people/{one}/erasure", {"sure": "yes"})
            assert erased.status == 303
    day.road.run()
    day.road.redrive()
    day.road.run()

    assert hits(day.stores(caplog)) == {}
    last = [sent for sent in day.road.ses.sent[told:] if sent.to in day.ids]  # the organiser was sent a link, too
    assert sorted((sent.to, sent.tags["kind"]) for sent in last) == sorted((to, "erased") for to in day.ids)


@pytest.mark.parametrize("day", [6], indirect=True)
def test_when_the_retention_ends_nobody_stands_anywhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    """By itself, without a mail; sensitive answers go sooner, the counts stay."""
    told = len(day.road.ses.sent)
    day.road.clock.now = day.event.ends_at + timedelta(days=7, minutes=1)
    day.road.run()
    assert "no nuts" not in personal_rows()

    day.road.clock.now = day.event.retained_until + timedelta(minutes=1)
    day.road.run()
    assert len(day.road.ses.sent) == told

    day.organiser.sign_in(day.event)  # the old session has run out
    assert hits(day.stores(caplog)) == {}
    summary = day.table.get("EVENT#nature", "SUMMARY")
    assert summary is not None
    assert summary["states"] == {"confirmed": day.people}
