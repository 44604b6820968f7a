"""Lists of people as forms, spreadsheets and half of Europe write them, imported by the page."""

from __future__ import annotations

import io

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from functions.organise import imports
from shared.events import put_event
from shared.models import Event
from shared.registrations import registrations_of
from shared.table import Table
from tests.support.factories import NOW, make_event
from tests.support.organiser_client import Client, words_of

IMPORT = "/organise/nature/people/import"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

GOOGLE = """Tijdstempel;E-mailadres;Voornaam;Familienaam;Soort organisatie;Rangschik de thema's [Vision];Rangschik de thema's [Governance];Foto
01/02/2026 10:00:00;zoe@example.org;Zoë;D’Hondt;Ngo;2e keuze;1e keuze;Ja
"""  # noqa: E501
MICROSOFT = """ID\tStart time\tEmail\tName\tFull name\tType of organisation\tRank the themes\tPhoto
1\t2/1/26 10:00\tzoe@example.org\tZoë D’Hondt\t\tNgo\tGovernance;Vision;\tyes
"""
LIMESURVEY = """"id. Response ID","submitdate. Date submitted","startlanguage. Start language","nom. Nom complet","mail. Adresse e-mail","type. Type d'organisation","G1[1]. Classez [Rang 1]","G1[2]. Classez [Rang 2]","photo. Photo"
"7","2026-02-01","fr","Zoë D’Hondt","zoe@example.org","Ngo","Governance","Vision","Oui"
"""  # noqa: E501
EXCEL = """sep=|
Registrations of the day, made on 1 February
||||||
Name|Email address|Partner type|First choice|Second choice|Photo||
Zoë D’Hondt|zoe@example.org|ngo|governance|vision|x||
"""


def sheet(rows: list[list[str]]) -> bytes:
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        page = book.add_worksheet()
        for line, row in enumerate(rows):
            page.write_row(line, 0, row)
    return data.getvalue()


FILES = {
    "Google Forms, Dutch, Windows-1252": (GOOGLE.encode("cp1252"), "text/csv"),
    "Microsoft Forms, UTF-16": (MICROSOFT.encode("utf-16"), "text/csv"),
    "LimeSurvey, French": (LIMESURVEY.encode(), "text/csv"),
    "Excel's sep= line and title lines": (EXCEL.encode("utf-8-sig"), "text/csv"),
    "XLSX": (sheet([["People"], [], *[line.split("|") for line in EXCEL.splitlines()[3:]]]), XLSX),
}


@pytest.fixture
def asked(table: Table, event: Event) -> Event:
    made = make_event(
        questions=[{"id": "photo", "kind": "consent", "label": {"en": "Photo", "nl": "Foto", "fr": "Photo"}}]
    )
    put_event(table, made, actor="test", now=NOW)
    return made


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_form_is_read_without_a_word_about_its_columns(
    name: str, organiser: Client, asked: Event, table: Table
) -> None:
    data, kind = FILES[name]

    shown = organiser.call("POST", IMPORT, data, content_type=kind).json
    form = {"file": "", "csv": "", "expected": shown["expected"]}
    body = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n' % (field.encode(), text)
        for field, text in {**{key: value.encode() for key, value in form.items()}, "file": data}.items()
        if field != "csv"
    )
    done = organiser.call("POST", IMPORT, body + b"--XX--\r\n", content_type="multipart/form-data; boundary=XX").json

    assert (shown["read"], shown["faults"], shown["warnings"]) == (1, [], [])
    assert done["added"] == 1
    [one] = registrations_of(table, "nature")
    assert (one.name, one.email, one.partner_type) == ("Zoë D’Hondt", "zoe@example.org", "ngo")
    assert (one.choices, one.answers) == (["governance", "vision"], {"photo": True})
    assert one.language == ("fr" if "LimeSurvey" in name else "en")


def test_what_is_said_of_columns_and_words_is_remembered_for_the_event(browser: Client, asked: Event) -> None:
    """Nothing is known of this header; words that are like one theme are guessed and shown."""
    text = "Wie;Waar bereikbaar;Vak;Liefst eerst\nZoë;zoe@example.org;Overheid;Good governance\n"
    said = {"Wie": "name", "Waar bereikbaar": "email", "Vak": "partner_type", "Liefst eerst": "choice_1"}
    form = {
        "csv": text,
        **{f"columns_title_{n}": title for n, title in enumerate(said)},
        **{f"columns_field_{n}": field for n, field in enumerate(said.values())},
    }

    unknown = browser.submit(IMPORT, {"csv": text})
    unclear = browser.submit(IMPORT, form)
    form |= {"partner_types_title_1": "Overheid", "partner_types_field_1": "government"}
    seen = browser.submit(IMPORT, form)
    expected = seen.text.split('name="expected" value="')[1].split('"')[0]
    done = browser.submit(IMPORT, form | {"expected": expected})
    next_file = browser.submit(IMPORT, {"csv": text.replace("Zoë", "Zoé")})

    assert unknown.status == 422
    assert "Say which column is name and which is email" in words_of(unknown.text)
    assert 'value="Waar bereikbaar"' in unknown.text
    assert "Line 2: partner_type" in words_of(unclear.text)
    assert '<option value="governance" selected>' in unclear.text
    assert "1 added" in words_of(done.text)
    assert "name: Zoë → Zoé" in words_of(next_file.text)


def test_a_long_list_is_carried_out_in_parts_that_can_stop_and_go_on(
    organiser: Client, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 2)
    text = "name,email,partner_type\n" + "".join(f"P{n},p{n}@example.org,ngo\n" for n in range(5))

    steps = [organiser.post(IMPORT, {"csv": text}).json]
    while steps[-1].get("expected"):
        steps.append(organiser.post(IMPORT, {"csv": text, "expected": steps[-1]["expected"]}).json)

    assert [step["left"] for step in steps[1:]] == [3, 1, 0]
    assert len(list(registrations_of(table, "nature"))) == 5
