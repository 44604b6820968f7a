"""What organisers take away: harmless in a spreadsheet, and checked by the command line as it was made."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from pathlib import Path
from types import ModuleType

import openpyxl  # type: ignore[import-untyped]
import pytest

from functions.organise.drafts import read_wish
from infra.cli import main
from shared.acts import Act
from shared.events import audit, put_event
from shared.models import Event, RegistrationState
from shared.people_csv import armed
from shared.registrations import registrations_of
from shared.table import Table
from tests.support.factories import NOW, event_data, make_event, make_registration
from tests.support.organiser_client import CONTEXT, Client, fill, make_crowd, words_of

HOME = "/organise/nature"

HOSTILE = [
    '=HYPERLINK("x")',
    "+32 470",
    "-1",
    "@SUM(A1)",
    "\uff1d1+1",
    "\t=1",
    "%x",
    "|calc",
    'a "quoted", comma',
    " =1",
]
"""Names that spreadsheets would run, and one that a careless CSV would break."""


@pytest.fixture
def two_runs(organiser: Client, allocate: ModuleType, table: Table, event: Event) -> Client:
    """A published fresh run with a pin, an absence and partial rankings, and a draft that keeps it."""
    people = make_crowd(event, 14, NOW)
    people[5] = people[5].model_copy(update={"choices": ["wildlife"]})
    people[6] = people[6].model_copy(update={"choices": []})
    fill(table, event, people, NOW)
    ids = [one.id for one in people]
    organiser.patch(f"{HOME}/people/{ids[0]}", {"pinned": {"second": "resources"}})
    organiser.patch(f"{HOME}/people/{ids[1]}", {"absent": ["first"]})
    assert organiser.post(f"{HOME}/commitment", {"seed": "drawn in public"}).status == 200
    organiser.post(f"{HOME}/allocations", {"mode": "fresh", "weight": 5, "tolerance": "0.1"})
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    assert (
        organiser.post(f"{HOME}/allocations/1/publication", {"expected_mails": 14, "afterwards": "keep"}).status == 202
    )
    allocate.handler({"event": "nature", "publication": 1}, CONTEXT)
    return organiser


def save(client: Client, folder: Path, run: int) -> list[str]:
    """The three files of a run as an organiser downloads them, and their paths as `verify` wants them."""
    paths = []
    for address in ("EVENT.yaml", "PEOPLE.csv", f"allocations/{run}/allocation.json"):
        path = folder / address.rsplit("/", 1)[-1]
        path.write_bytes(client.get(f"{HOME}/{address}").content)
        paths.append(str(path))
    return paths


def test_what_is_downloaded_of_a_run_is_what_verify_accepts(
    two_runs: Client, allocate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The published fresh run, and after people left and came the draft that keeps it; an altered file is caught."""
    assert main(["verify", *save(two_runs, tmp_path, 1)]) == 0

    two_runs.patch(f"{HOME}/people/{3:020x}", {"withdrawn": True})
    newcomer = {"name": "P", "email": "p@example.net", "partner_type": "ngo", "choices": ["vision", "wildlife"]}
    assert two_runs.post(f"{HOME}/people", newcomer).status == 201
    two_runs.post(f"{HOME}/allocations", {"mode": "keep"})
    allocate.handler({"event": "nature", "run": 2}, CONTEXT)
    capsys.readouterr()
    files = save(two_runs, tmp_path, 2)
    assert main(["verify", *files]) == 0, capsys.readouterr().out
    assert "FAIL" not in capsys.readouterr().out

    document = json.loads(Path(files[2]).read_text())
    assert (document["mode"], len(document["previous"])) == ("keep", 13)
    document["objective"]["total"] -= 1
    Path(files[2]).write_text(json.dumps(document))
    assert main(["verify", *files]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_who_has_the_seed_draws_the_same_lots(two_runs: Client) -> None:
    """The page gives the seed and the command; the formula is HMAC-SHA256 of the id under the seed."""
    page = words_of(two_runs.call("GET", f"{HOME}/exports", accept="text/html").text)
    run = two_runs.get(f"{HOME}/allocations/1/allocation.json").json

    assert run["seed"] == "drawn in public"
    assert "openssl dgst -sha256 -hmac &#39;drawn in public&#39;" in page
    lots = {one: hmac.new(run["seed"].encode(), one.encode(), hashlib.sha256).hexdigest() for one in run["programmes"]}
    assert len(set(lots.values())) == 14


@pytest.mark.parametrize("name", ["people", "programmes", "workshops", "audit", "leaders", "badges"])
def test_no_list_runs_in_a_spreadsheet_and_both_forms_say_the_same(
    name: str, organiser: Client, allocate: ModuleType, table: Table
) -> None:
    """Hostile names of people, organisations, rooms and actors: text in CSV, strings in XLSX."""
    themes = [{**one, "rooms": "=ROOM()"} for one in event_data()["themes"]]
    event = make_event(themes=themes)
    put_event(table, event, actor="test", now=NOW)
    people = [
        one.model_copy(update={"name": text, "organisation": text})
        for one, text in zip(make_crowd(event, len(HOSTILE), NOW), HOSTILE, strict=True)
    ]
    fill(table, event, people, NOW)
    table.write(audit("nature", "=cmd()", Act.PIN, now=NOW, what="@x"))
    organiser.post(f"{HOME}/allocations", {})
    allocate.handler({"event": "nature", "run": 1}, CONTEXT)
    assert (
        organiser.post(
            f"{HOME}/allocations/1/publication", {"expected_mails": len(HOSTILE), "afterwards": "keep"}
        ).status
        == 202
    )

    text = organiser.get(f"{HOME}/{name}.csv").content
    book = openpyxl.load_workbook(io.BytesIO(organiser.get(f"{HOME}/{name}.xlsx").content))

    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.strip()[:1] in {"=", "+", "-", "@", "|", "%", "\uff1d"}]
    assert [cell for cell in cells if "'" in cell]
    sheet = list(book[name].iter_rows())
    kinds = {cell.data_type for row in sheet for cell in row if cell.value is not None}
    assert kinds == {"s", *{"workshops": "n", "people": "d", "audit": "d"}.get(name, "")}
    assert (book[name].freeze_panes, book[name].auto_filter.ref is not None) == ("A2", True)
    assert len(sheet) == len(rows) > 1
    for row, line in zip(rows, sheet, strict=True):
        for written, cell in zip(row, line, strict=True):
            if cell.data_type != "d":
                assert armed(written).strip() == str("" if cell.value is None else cell.value).strip()


def test_the_lists_for_helpers_name_nobody_more_than_they_need(organiser: Client, table: Table) -> None:
    questions = [{"id": "diet", "kind": "choice", "label": "Diet", "options": ["vegan", "none"]}]
    put_event(table, make_event(questions=questions), actor="test", now=NOW)
    diets = ["vegan", "none", "vegan", ""]
    people = [make_registration(number=n, answers={"diet": diet}) for n, diet in enumerate(diets)]
    people.append(make_registration(number=9, answers={"diet": "none"}, state=RegistrationState.WITHDRAWN))
    fill(table, make_event(), people, NOW)

    catering = list(csv.reader(io.StringIO(organiser.get(f"{HOME}/catering.csv").content.decode("utf-8-sig"))))

    assert catering[1:] == [["Everyone", "", "4"], ["Diet", "vegan", "2"], ["Diet", "none", "1"]]
    french = organiser.call("GET", f"{HOME}/catering.csv", accept_language="fr-BE").content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(french)))[:2] == [
        ["Question", "Réponse", "Personnes"],
        ["Tout le monde", "", "4"],
    ]
    assert "@example" not in organiser.get(f"{HOME}/leaders.csv").text + organiser.get(f"{HOME}/badges.csv").text


def test_an_export_that_comes_back_unedited_changes_nothing(organiser: Client, table: Table) -> None:
    """Every state, hostile names, answers, and data of an older event file; a person who withdrew registered anew."""
    questions = [
        {"id": "diet", "kind": "text", "label": "Diet"},
        {"id": "photo", "kind": "consent", "label": "Photo"},
    ]
    event = make_event(questions=questions)
    put_event(table, event, actor="test", now=NOW)
    made = [
        make_registration(
            number=number,
            state=state,
            name=name,
            email=f"person{number}@example.org",
            organisation="yes;=1",
            choices=["vision", "gone"],
            answers={"diet": "none\n- really", "photo": False, "gone": "x"},
            pinned={"first": "vision"},
            absent=["second"],
        )
        for number, (state, name) in enumerate(zip([*RegistrationState] * 3, HOSTILE, strict=False))
    ]
    made = [one.model_copy(update={"name": one.name.strip()}) for one in made]
    leaver = next(one for one in made if one.state is RegistrationState.WITHDRAWN)
    made.append(make_registration(number=99, name="Again", email=leaver.email.upper()))
    delegate = next(one for one in made if one.state is RegistrationState.DELEGATE)
    made.append(make_registration(number=98, name="Pupil", email="", delegate=delegate.id))
    made.append(make_registration(number=97, answers={"diet": True, "photo": "of another kind"}))
    fill(table, event, made, NOW)
    before = sorted(registrations_of(table, "nature"), key=lambda one: one.id)
    file = organiser.get(f"{HOME}/people.csv").content.decode("utf-8-sig")

    shown = organiser.post(f"{HOME}/people/import", {"csv": file}).json
    done = organiser.post(f"{HOME}/people/import", {"csv": file, "expected": shown["expected"]}).json

    [pupil] = [row for row in csv.DictReader(io.StringIO(file)) if row["name"] == "Pupil"]
    assert (pupil["group"], "group" in shown["ignored"]) == (delegate.id, False)
    before_pupil, mark, after_pupil = file.partition('"Pupil"')
    moved = before_pupil + mark + after_pupil.replace(f'"{delegate.id}"', '"' + "f" * 20 + '"', 1)
    warned = organiser.post(f"{HOME}/people/import", {"csv": moved}).json["warnings"]
    assert [one["message"][:28] for one in warned] == ["is of another group here, or"]
    assert (shown["read"], shown["same"], shown["faults"], shown["warnings"]) == (len(made), len(made), [], [])
    assert (done["added"], done["changed"], done["withdrawn"], done["refused"]) == (0, 0, 0, [])
    assert sorted(registrations_of(table, "nature"), key=lambda one: one.id) == before


def test_an_import_finds_people_by_id_and_never_adds_again_one_who_left(organiser: Client, table: Table) -> None:
    event = make_event()
    put_event(table, event, actor="test", now=NOW)
    ids = {name: f"{number:020x}" for number, name in enumerate(("mover", "leaver", "gone", "erased"))}
    people = [
        make_registration(id=ids["mover"], name="Mo", email="mo@example.org"),
        make_registration(id=ids["leaver"], name="Lea", email="lea@example.org"),
        make_registration(id=ids["gone"], name="Gus", email="gus@example.org", state=RegistrationState.WITHDRAWN),
    ]
    fill(table, event, people, NOW)
    lines = [
        "id,state,name,email,partner_type",
        f"{ids['mover']},confirmed,Maud,maud@example.org,ngo",
        f"{ids['leaver']},withdrawn,Lea,lea@example.org,ngo",
        f"{ids['gone']},confirmed,Gus,gus@example.org,ngo",
        f"{ids['erased']},confirmed,Era,era@example.org,ngo",
        ",withdrawn,Wim,wim@example.org,ngo",
    ]
    file = "\n".join(lines)

    shown = organiser.post(f"{HOME}/people/import", {"csv": file}).json
    done = organiser.post(f"{HOME}/people/import", {"csv": file, "expected": shown["expected"]}).json

    assert [change["field"] for change in shown["change"][0]["changes"]] == ["name", "email"]
    assert shown["change"][0]["changes"][0] == {"field": "name", "old": "Mo", "new": "Maud"}
    assert [warning["line"] for warning in shown["warnings"]] == [4, 5, 6]
    assert (done["added"], done["changed"], done["withdrawn"], done["refused"]) == (0, 1, 1, [])
    after = {one.id: (one.name, one.email, one.state.value) for one in registrations_of(table, "nature")}
    assert after == {
        ids["mover"]: ("Maud", "maud@example.org", "confirmed"),
        ids["leaver"]: ("Lea", "lea@example.org", "withdrawn"),
        ids["gone"]: ("Gus", "gus@example.org", "withdrawn"),
    }


def test_lists_with_codes_have_titles_beside_them_rows_by_family_name_and_a_sheet_of_codes(
    organiser: Client, table: Table
) -> None:
    event = make_event(partner_types=[{"id": "everyone", "title": "École primaire"}])
    put_event(table, event, actor="test", now=NOW)
    names = ("Wim Zwart", "Émile Adam", "Ann De Backer")
    people = [make_registration(number=n, name=name, partner_type="everyone") for n, name in enumerate(names)]
    fill(table, event, people, NOW)

    rows = list(csv.DictReader(organiser.get(f"{HOME}/people.csv").content.decode("utf-8-sig").splitlines()))
    book = openpyxl.load_workbook(io.BytesIO(organiser.get(f"{HOME}/people.xlsx").content), read_only=True)
    shown = [person["name"] for person in organiser.get(f"{HOME}/people").json["people"]]

    assert [row["name"] for row in rows] == shown == ["Émile Adam", "Ann De Backer", "Wim Zwart"]
    assert {row["partner_type_title"] for row in rows} == {"École primaire"}
    codes = dict(book["codes"].iter_rows(values_only=True))
    assert (codes["everyone"], codes["vision"], codes["first"]) == ("École primaire", "Vision", "13:00-14:15")
    assert [str(read_wish({"tolerance": "0,25"}).tolerance), str(check_tolerance("0,3"))] == ["0.25", "0.3"]


def check_tolerance(typed: str) -> object:
    """A tolerance of the event file, as it is read."""
    return make_event(
        allocation={"at": "2026-04-01 12:00", "balance": {"tolerance": typed}}
    ).allocation.balance.tolerance
