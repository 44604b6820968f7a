"""The subject and the sender's name of a mail, as they go over the wire."""

from __future__ import annotations

import re
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

from shared.letters.compose import POLICY

TITLES = (
    "Plain words",
    "Journée régionale",
    "Eerste grote bijeenkomst over natuurverbindingen in België",
    "Rencontre générale des réseaux écologiques à Liège, à Namur et à Bruxelles : première journée d'été",
    "Straßenbäume für Österreich und die Nachbarländer, zwölf Gespräche über Grünflächen",
    "自然のつながりを考える一日、都市と農村と森と川と海をむすぶための集まり",
)


def test_every_subject_and_sender_is_read_as_it_was_written() -> None:
    """No space lost or doubled, every line short enough, and white space between any two encoded words."""
    for title in TITLES:
        message = EmailMessage(policy=POLICY)
        message["Subject"] = f"Votre programme : {title}"
        message["From"] = f"{title.replace(',', '').replace(':', '')} <parcours@example.org>"
        raw = message.as_bytes().decode("ascii")
        unfolded = re.sub(r"\r\n(?=[ \t])", "", raw)
        subject, sender = (
            re.findall(rf"^{name}: (.*?)\r?$", unfolded, re.MULTILINE)[0] for name in ("Subject", "From")
        )

        assert str(make_header(decode_header(subject))) == f"Votre programme : {title}"
        name, address = parseaddr(sender)
        assert str(make_header(decode_header(name))) == title.replace(",", "").replace(":", "").replace("  ", " ")
        assert address == "parcours@example.org"
        assert "?==?" not in unfolded
        assert all(len(line) <= 78 for line in raw.splitlines())
