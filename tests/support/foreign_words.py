"""What a reader of one language meets in another: English words, and texts of the event that stand in it elsewhere.

The texts of the event of such a test end with a mark of their language, so that a text of another one is seen wherever
it stands: in a page, a mail, a calendar, a sheet or a file.
"""

from __future__ import annotations

import re
from typing import Any

from shared.event_file import check_event
from shared.i18n import LANGUAGES
from shared.models import Event
from tests.support.factories import event_data

_ENGLISH = """
the and of your you with this that are was were have has from by which what who when where workshop workshops room
rooms seat seats here there it been will would can cannot may must not no yes for to in at its their they them
registration register person people mail mails link name email ranking choice choices free full day event print
save saved sent failed waiting withdrawn everyone everybody nobody answer answers before after please try again
"""
_ALSO_DUTCH = "of was in workshop workshops mail mails link me print event is"

ENGLISH = {
    "fr": frozenset(_ENGLISH.split()),
    "nl": frozenset(_ENGLISH.split()) - frozenset(_ALSO_DUTCH.split()),
}
"""Words that are English, and nothing in the other language."""

UNREAD = re.compile(r"<(style|script|code|pre|textarea)\b.*?</\1>", re.DOTALL)
MARK = re.compile(r"Zz(en|nl|fr)")


def foreign_in(page: str, language: str, *, html: bool = True) -> set[str]:
    """The English words, and the marks of another language, that a reader of a page or a text meets."""
    if html:
        spoken = " ".join(re.findall(r'(?:placeholder|aria-label|title|alt)="([^"]*)"', page))
        page = re.sub(r"<[^>]+>", " ", UNREAD.sub(" ", page)) + f" {spoken}"
    marks = {mark[0] for mark in MARK.finditer(page) if mark[1] != language}
    text = re.sub(r"\S*[@/._]\S*\w|\b[\w-]+-[\w-]+\b", " ", page)
    return marks | {word for word in re.findall(r"[a-zà-ÿ]+", text.lower()) if word in ENGLISH[language]}


def marked(text: str) -> dict[str, str]:
    """A text in every language, with the mark of each."""
    return {language: f"{text} Zz{language}" for language in LANGUAGES}


def marked_event(**changes: Any) -> Event:
    """An event whose texts are marked by their language, with everything that an event may have."""
    data = event_data()
    themes = [
        {**row, "title": marked(f"Σ{n}"), "description": marked("Περί"), "rooms": f"Α{n}"}
        for n, row in enumerate(data["themes"])
    ]
    themes[0]["leaders"] = [{"name": "Λέα", "email": "leader@example.org"}]
    themes[1]["for"] = ["government", "ngo"]
    return check_event(
        {
            **data,
            **{"title": marked("Φύση"), "summary": marked("Μια μέρα"), "price": marked("12 €"), "held_in": marked("α")},
            "venue": {"name": marked("Κτίριο"), "address": marked("Οδός"), "directions": marked("Πόδια")},
            "organisers": [{"name": marked("Ομάδα"), "about": marked("Έργο")}],
            "agenda": [{"start": "09:00", "end": "09:30", "title": marked("Καφές"), "speaker": marked("Άννα")}],
            "themes": themes,
            "partner_types": [{"id": row["id"], "title": marked(f"Κ{row['id'][:1]}")} for row in data["partner_types"]],
            "labels": {"partner_type": marked("Τάξη"), "organisation": marked("Σχολή"), "partners": marked("μ")},
            "mail_texts": {key: marked("Λόγια") for key in ("confirmation", "programme", "reminder")},
            "questions": [
                {"id": "diet", "kind": "text", "label": marked("Διατροφή"), "purpose": marked("Φ"), "sensitive": True},
                {"id": "way", "kind": "choice", "label": marked("Δρόμος"), "options": [marked("Τρένο"), marked("Β")]},
                {"id": "photo", "kind": "consent", "label": marked("Εικόνα")},
            ],
            "registration": {**data["registration"], "groups": True, "capacity": 6, "per_source_hour": 30},
            "reminder_days": [7],
            "feedback": {"url": "https://example.org/form"},
            "door_emails": ["door@example.org"],
            **changes,
        }
    )
