"""What erasure and retention leave: tombstones that a restored table obeys, and organisers for a year more."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from functions.upkeep import app as upkeep
from functions.upkeep.retention import forget_everybody
from infra.cli import FAILED, main
from infra.cloud.restore import RetainedNoLongerError, copy_back
from shared.errors import ConflictError
from shared.events import events, put_event, read_event
from shared.models import Event
from shared.registrations import BACKUPS_KEPT, erase, register, registrations_of
from shared.state import read_state
from shared.table import Table, update
from tests.support.crash_points import Crash, Faults
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.fake_ses import personal_rows

pytestmark = pytest.mark.promise("P10")

LEADERS = [{"name": "Lea Leads", "email": "lea@example.org"}]


def make_table_beside() -> Table:
    """A second table, as point-in-time recovery makes it."""
    client = boto3.client("dynamodb")
    about = client.describe_table(TableName="parcours")["Table"]
    keys = {"KeySchema": about["KeySchema"], "AttributeDefinitions": about["AttributeDefinitions"]}
    index = about["GlobalSecondaryIndexes"][0]
    indexes = [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")}]
    client.create_table(
        TableName="parcours-restored", BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=indexes, **keys
    )
    return Table(client, "parcours-restored")


@pytest.fixture
def backup(table: Table, event: Event) -> Table:
    """Four people have registered, and the table as it was then; one of them is erased since."""
    for number in range(1, 5):
        register(table, event, make_registration(number=number, id=f"p{number}"), now=NOW)
    beside = make_table_beside()
    for pk in ("EVENTS", "EVENT#nature", "MAIL#nature"):
        beside.put_all(table.query(pk))
    [person] = [one for one in registrations_of(table, "nature") if one.id == "p2"]
    erase(table, person, now=NOW)
    return beside


def lose_everything(table: Table) -> None:
    for pk in ("EVENTS", "EVENT#nature", "MAIL#nature"):
        table.delete_all(table.query(pk))


def test_an_erasure_leaves_a_row_that_tells_nothing_and_goes_with_the_backups(table: Table, backup: Table) -> None:
    [row] = table.query("ERASED")

    assert row["expires"] >= int((NOW + BACKUPS_KEPT).timestamp())
    assert set(row) == {"pk", "sk", "type", "expires"}
    assert "p2" not in str(row)
    assert "person2" not in str(row)


def test_rows_that_come_back_from_a_backup_bring_back_nobody_who_was_erased(
    table: Table, backup: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_everything(table)

    done = main(["event", "restore", "nature", "--from", "parcours-restored", "--table", "parcours"])

    assert done == 0
    assert "people erased since: 1" in capsys.readouterr().out
    assert sorted(one.id for one in registrations_of(table, "nature")) == ["p1", "p3", "p4"]
    assert (read_state(table, "nature").confirmed, read_event(table, "nature") is not None) == (3, True)
    assert "person2" not in personal_rows()
    assert not [row for row in table.query("MAIL#nature") if row["registration"] == "p2"]


def test_copying_back_replaces_nothing_and_is_finished_by_repeating_it(table: Table, backup: Table) -> None:
    lose_everything(table)
    with Faults(table._client).at([20]), pytest.raises(Crash):
        copy_back(backup, table, "nature")

    copy_back(backup, table, "nature")
    again = copy_back(backup, table, "nature")

    assert again.rows == 0
    assert read_state(table, "nature").confirmed == 3


def test_nothing_comes_back_once_the_retention_has_ended(
    table: Table, backup: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = read_event(table, "nature")
    assert event is not None
    monkeypatch.setattr(upkeep, "table", table)
    upkeep.work_through(event.retained_until + timedelta(minutes=1), lambda: True)

    with pytest.raises(RetainedNoLongerError):
        copy_back(backup, table, "nature")
    assert main(["event", "restore", "nature", "--from", "parcours-restored", "--table", "parcours"]) == FAILED


def test_helpers_and_leaders_go_with_the_attendees_and_organisers_a_year_later(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    themes = event_data()["themes"]
    event = make_event(door_emails=["door@example.org"], themes=[{**themes[0], "leaders": LEADERS}, *themes[1:]])
    put_event(table, event, actor="organiser@example.org", now=NOW)
    monkeypatch.setattr(upkeep, "table", table)

    upkeep.work_through(event.retained_until + timedelta(minutes=1), lambda: True)

    assert [one.id for one in events(table)] == ["nature"]
    assert not [name for name in ("door@", "lea@", "Lea Leads") if name in personal_rows()]
    assert "organiser@example.org" in personal_rows()

    upkeep.work_through(event.retained_until + timedelta(days=366), lambda: True)

    assert "@example.org" not in personal_rows()
    assert list(events(table)) == []
    assert list(table.due("upkeep", "9999")) == []


def test_a_day_whose_people_are_deleted_is_copied_and_not_moved_to_another_year(table: Table, event: Event) -> None:
    """It would begin with a published allocation of nobody and a seed that everybody knows; its texts may change."""
    over = event.retained_until + timedelta(minutes=1)
    register(table, event, make_registration(), now=NOW)
    assert forget_everybody(table, event, lambda: True)
    again = event_data(
        date="2027-04-15",
        registration={"opens": "2027-03-01 09:00", "closes": "2027-04-01 12:00"},
        allocation={"at": "2027-04-01 12:00", "seed": "a seed"},
    )

    with pytest.raises(ConflictError, match="Copy the event"):
        put_event(table, make_event(**again), actor="o", now=over)
    table.write(update("EVENTS", "nature", assign={"retired": True}))
    with pytest.raises(ConflictError, match="Copy the event"):
        put_event(table, make_event(**again), actor="o", now=over)
    put_event(table, make_event(summary="It was a good day."), actor="o", now=over)
