"""Lists of people as forms, spreadsheets and half of Europe write them, imported by the page."""

from __future__ import annotations

import io
from html import unescape
from html.parser import HTMLParser

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from functions.organise.imports import carry_out
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
    assert "Line 2, Zoë: Vak: “Overheid” is none of: Government (government)" in words_of(unclear.text)
    assert '<option value="governance" selected>' in unclear.text
    assert "1 added" in words_of(done.text)
    assert "name: Zoë → Zoé" in words_of(next_file.text)


def test_a_long_list_is_carried_out_in_parts_that_can_stop_and_go_on(
    organiser: Client, table: Table, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry_out, "AT_ONCE", 2)
    text = "name,email,partner_type\n" + "".join(f"P{n},p{n}@example.org,ngo\n" for n in range(5))

    steps = [organiser.post(IMPORT, {"csv": text}).json]
    while steps[-1].get("expected"):
        steps.append(organiser.post(IMPORT, {"csv": text, "expected": steps[-1]["expected"]}).json)

    assert [step["left"] for step in steps[1:]] == [3, 1, 0]
    assert len(list(registrations_of(table, "nature"))) == 5


SCHOOL = {
    "labels": {"partner_type": "Type d’école", "organisation": "Établissement"},
    "partner_types": [{"id": "everyone", "title": "École primaire"}, {"id": "k2", "title": "École secondaire"}],
    "themes": [{"id": f"w{n}", "title": title, "capacity": 10} for n, title in enumerate(("Maths", "Musique"), 1)],
    "questions": [{"id": "photo", "kind": "consent", "label": "Photo"}],
}


@pytest.fixture
def school(table: Table, event: Event) -> Event:
    """An event made by the pages: its ids are codes that no organiser has seen."""
    made = make_event(**SCHOOL)
    put_event(table, made, actor="test", now=NOW)
    return made


def test_columns_are_found_by_the_event_s_own_words_and_the_preview_shows_what_was_read(
    browser: Client, organiser: Client, school: Event
) -> None:
    head = "Nom,E-mail,Type d'école,ÉTABLISSEMENT,1er choix,2e choix\n"

    seen = words_of(
        browser.submit(IMPORT, {"csv": f"{head}Zoé,zoe@example.org,École secondaire,KA,Musique,Maths\n"}).text
    )
    unread = organiser.post(IMPORT, {"csv": "Nom,E-mail,Genre\n" + "Zoé,z{0}@example.org,x\n" * 3})

    assert "1 to add" in seen.replace(" ,", ",")
    assert "Type d’école: École secondaire" in seen
    assert "Établissement: KA" in seen
    assert "ranking: Musique, Maths" in seen
    assert unread.json["fields"] == {"columns": "No column was read as Type d’école. Say which one it is"}


def test_a_line_tells_all_its_faults_in_titles_and_equal_faults_are_told_once(browser: Client, school: Event) -> None:
    head = "Nom,E-mail,Type d'école,1er choix,Photo\n"
    faulty = "Ann,ann@,Lycée,Chant,perhaps\n" + "".join(f"P{n},p{n}@example.org,Lycée,Maths,\n" for n in range(3))

    seen = unescape(words_of(browser.submit(IMPORT, {"csv": head + faulty}).text))

    assert (
        "Lines 2, 3, 4, 5: Type d'école: “Lycée” is none of: École primaire (everyone), École secondaire (k2)" in seen
    )
    assert "Line 2, Ann: ranking: “Chant” is no theme of this event: Maths (w1), Musique (w2)" in seen
    assert "Line 2, Ann: Photo: write yes or no" in seen
    assert "Line 2, Ann: E-mail: " in seen


def test_two_themes_of_one_rank_in_a_grid_are_a_fault_and_never_put_in_an_order(
    organiser: Client, school: Event
) -> None:
    head = "Nom,E-mail,Type d'école,Ateliers [Maths],Ateliers [Musique]\n"
    lines = "Ann,ann@example.org,k2,1er choix,1er choix\nBob,bob@example.org,k2,2e choix,1er choix\n"

    shown = organiser.post(IMPORT, {"csv": head + lines}).json

    assert [row["name"] for row in shown["add"]] == ["Bob"]
    assert [fault["message"] for fault in shown["faults"]] == [
        "ranking: Maths, Musique have the rank of another theme; give each its own"
    ]


def test_a_change_is_shown_in_titles_and_hours(organiser: Client, school: Event) -> None:
    head = "name,email,partner_type,choice_1,choice_2,absent,pinned\n"
    zoe = {"name": "Zoé", "email": "zoe@example.org", "partner_type": "everyone", "choices": ["w2", "w1"]}
    organiser.post("/organise/nature/people", zoe)

    shown = organiser.post(IMPORT, {"csv": f"{head}Zoé,zoe@example.org,k2,w1,w2,second,first:w2\n"}).json

    assert {change["field"]: (change["old"], change["new"]) for change in shown["change"][0]["changes"]} == {
        "partner_type": ("École primaire", "École secondaire"),
        "choices": ("Musique, Maths", "Maths, Musique"),
        "absent": ("", "14:20–15:35"),
        "pinned": ("", "13:00–14:15: Musique"),
    }


def test_good_lines_are_imported_without_the_faulty_ones_when_an_organiser_says_so(
    organiser: Client, school: Event, table: Table
) -> None:
    text = "name,email,partner_type\nAnn,ann@example.org,k2\nBob,bob@example.org,Lycée\n"

    shown = organiser.post(IMPORT, {"csv": text}).json
    refused = organiser.post(IMPORT, {"csv": text, "expected": shown["expected"]})
    done = organiser.post(IMPORT, {"csv": text, "expected": shown["expected"], "leave_out_faulty": True}).json

    assert refused.status == 422
    assert (done["added"], done["left_out"]) == (1, 1)
    assert [person.name for person in registrations_of(table, "nature")] == ["Ann"]


def test_of_two_answers_of_one_person_the_last_counts_and_two_names_at_one_address_are_a_fault(
    organiser: Client, school: Event
) -> None:
    text = (
        "name,email,partner_type,choice_1\nZoé,zoe@example.org,k2,w1\nAnn,ann@example.org,k2,w1\n"
        "zoe,ZOE@example.org,k2,w2\nBob,ann@example.org,k2,w1\n"
    )

    shown = organiser.post(IMPORT, {"csv": text}).json

    assert [row["line"] for row in shown["add"]] == [3, 4]
    assert [(one["line"], "line 4, which counts" in one["message"]) for one in shown["warnings"]] == [(2, True)]
    assert [(one["line"], "another name" in one["message"]) for one in shown["faults"]] == [(5, True)]


class _Forms(HTMLParser):
    """What each button of a page would send: the fields of its form, as a browser collects them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, dict[str, str]] = {}
        self._area = self._select = self._button = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form" and found.get("id") == "typed":
            self.fields, self.buttons = {}, {}
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found["value"]
        elif tag == "textarea":
            self._area = found["name"]
            self.fields[self._area] = ""
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option" and ("selected" in found or self._select not in self.fields):
            self.fields[self._select] = found["value"]
        elif tag == "button" and "form" not in found:
            self._button = "?"
            self._sent = {found["name"]: found["value"]} if "name" in found else {}

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data
        elif self._button == "?":
            self._button = ""
            self.buttons[data] = self._sent

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def test_whatever_button_is_pressed_corrections_and_edited_lines_go_along(browser: Client, school: Event) -> None:
    """Mended lines keep the columns as corrected; corrected columns keep the mended lines; nothing old is imported."""
    first = _Forms(browser.submit(IMPORT, {"csv": "Qui,Adresse,Genre\nZoé,zoe@example.org,k2\n"}).text)
    said = dict(zip((f"columns_field_{n}" for n in (1, 2, 3)), ("name", "email", "partner_type"), strict=True))
    edited = {"csv": "Qui,Adresse,Genre\nAnn,ann@example.org,k2\n"}

    mended = browser.submit(IMPORT, {**first.fields, **said, **edited, **first.buttons["Show what it would do"]})
    again = browser.submit(IMPORT, {**first.fields, **said, **edited, **first.buttons["Show again with these"]})
    pressed = _Forms(mended.text)
    done = browser.submit(
        IMPORT,
        {**pressed.fields, "csv": "Qui,Adresse,Genre\nEve,eve@example.org,k2\n"}
        | pressed.buttons["Do this for 1 person"],
    )

    for page in (mended, again):
        assert "Ann is added" in words_of(page.text).replace(" | ", " ")
    assert done.status == 409
    assert "Eve is added" in words_of(done.text)
