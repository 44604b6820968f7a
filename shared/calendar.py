"""A person's day as one calendar entry (RFC 5545) that follows every published run instead of multiplying."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from icalendar import Calendar, vCalAddress, vDuration, vText
from icalendar import Event as Entry

from shared.i18n import translations
from shared.models import Event, Programme, Registration, RegistrationState

REFRESH = timedelta(hours=1)
"""How often a calendar that subscribes is asked to look for changes."""


def calendar_file(
    event: Event,
    person: Registration,
    programme: Programme | None,
    *,
    sequence: int,
    public_url: str,
    now: datetime,
    feed: bool = False,
) -> bytes:
    """The day of one person: the same UID for ever, a higher `sequence` for every later truth.

    The confirmation has sequence 0, a published run its number. People who have withdrawn, and everybody once the
    day is cancelled, gets the entry cancelled. No own
    link stands in it: people pass calendars on.

    Parameters
    ----------
    feed
        Whether a calendar reads it again and again from one address. It is told how often; and a cancelled entry is
        published as such, as a feed cannot send a cancellation.
    """
    language = event.language_for(person.language)
    event = event.in_language(language)
    _ = translations(language).gettext
    gone = event.cancelled or person.state is RegistrationState.WITHDRAWN
    calendar = Calendar()
    calendar.add("PRODID", "-//Parcours//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "CANCEL" if gone and not feed else "PUBLISH")
    if feed:
        calendar.add("X-WR-CALNAME", event.title)
        calendar.add("REFRESH-INTERVAL", REFRESH, parameters={"VALUE": "DURATION"})
        calendar.add("X-PUBLISHED-TTL", vDuration(REFRESH))
    entry = Entry()
    entry.add("UID", f"{person.id}@{urlsplit(public_url).hostname}")
    entry.add("SEQUENCE", sequence)
    entry.add("DTSTAMP", now)
    entry.add("DTSTART", event.starts_at)
    entry.add("DTEND", event.ends_at)
    entry.add("SUMMARY", event.title)
    entry.add("LOCATION", f"{event.venue.name}, {event.venue.address}")
    entry.add("URL", f"{public_url}/events/{event.id}")
    entry.add("STATUS", "CANCELLED" if gone else "CONFIRMED")
    entry.add("DESCRIPTION", "\n".join(_lines(event, programme, public_url, _)))
    organizer = vCalAddress(f"MAILTO:{event.contact}")
    organizer.params["CN"] = vText(", ".join(one.name for one in event.organisers))
    entry.add("ORGANIZER", organizer)
    calendar.add_component(entry)
    # The rules of the year of the event are enough; half a century of them would be 4 KB of every mail.
    calendar.add_missing_timezones(
        first_date=event.date - timedelta(days=366), last_date=event.date + timedelta(days=366)
    )
    for zone in calendar.walk("VTIMEZONE"):
        zone.pop("COMMENT", None)  # of the library, in English; programs show it
    return bytes(calendar.to_ical())


def _lines(event: Event, programme: Programme | None, public_url: str, _: Callable[[str], str]) -> list[str]:
    lines = []
    if programme:
        lines.append(_("Your workshops") + ":")
        for slot in sorted(event.rounds, key=lambda slot: slot.start):
            theme = programme.workshops.get(slot.id)
            if theme and not event.seats(theme, slot.id):
                gone = {"workshop": event.theme(theme).title, "time": f"{slot.start:%H:%M}"}
                lines.append(_("%(workshop)s at %(time)s does not take place.") % gone)
            elif theme:
                room = event.room(theme, slot.id)
                lines.append(f"{slot.hours} {event.theme(theme).title}" + (f", {room}" if room else ""))
        lines.append("")
    return [*lines, _("The whole day") + f": {public_url}/events/{event.id}"]
