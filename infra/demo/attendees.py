"""Simulated people: the same seed makes the same crowd. They live at example.org and want the same rooms."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from infra.demo.http_client import Answer, HttpClient
from shared.models import Event

AT_ONCE = 4
"""Requests under way at a time: each needs a worker of its own, and a laptop has few cores."""

_GIVEN = (
    "Aïcha Amélie Anke Anneleen Arnaud Arne Bart Benoît Brecht Bram Camille Cédric Chloé Charlotte Dirk Elif Elise "
    "Émile Els Emma Fatima Femke Filip François Geert Griet Hanne Hannes Hassan Hilde Inès Ilse Jan Jasper Jeroen "
    "Joke Jonas Julie Kaat Karel Katrien Koen Laura Lien Lieve Lotte Louis Lucas Luc Maarten Margaux Marie Mathieu "
    "Mehdi Mieke Mohamed Nathalie Nele Nicolas Noor Olivier Pauline Peter Pieter Quentin Renée Robin Ruben Sara Sarah "
    "Simon Sofie Stijn Sven Thomas Tine Tom Valérie Veerle Wim Wout Yasmine Youssef Zoë"
)
_FAMILY = (
    "Aerts Baert Benali Bogaert Claes Claessens Cools Coppens Daems D'Hondt Declercq Decock Delvaux Deprez Desmet "
    "Devos Dubois Dumont Dupont El_Amrani Evrard Fontaine Gérard Goossens Hendrickx Hermans Jacobs Janssens Janssen "
    "Lambert Lambrecht Laurent Lejeune Lemmens Leroy Maes Martens Martin Mertens Michiels Moreau Noël Nguyen Pauwels "
    "Peeters Petit Pieters Renard Rousseau Segers Simon Smets Smet Stevens Thijs Thiry Timmermans Van_Acker "
    "Van_Damme Van_de_Velde Van_den_Bossche Van_Dyck Van_Hoof Verbeke Verhaegen Verhoeven Verlinden Vermeulen "
    "Verschueren Vandenberghe Wauters Willems Wouters Wuyts Yılmaz"
)
_BODIES = ("Agency", "Bureau", "Centre", "Department", "Federation", "Foundation", "Institute", "Network", "Office")
_SUBJECTS = ("Forests", "Green Infrastructure", "Landscape", "Nature", "Roads", "Rural Affairs", "Water", "Wildlife")


@dataclass(frozen=True, slots=True)
class Person:
    """A person who wants to come."""

    name: str
    email: str
    organisation: str
    partner_type: str
    choices: list[str]
    answers: dict[str, Any] = field(default_factory=dict)

    def form(self) -> dict[str, Any]:
        """What they send."""
        return {
            "name": self.name,
            "email": self.email,
            "organisation": self.organisation,
            "partner_type": self.partner_type,
            "choices": self.choices,
            **self.answers,
        }


def make_attendees(event: Event, count: int, seed: str) -> list[Person]:
    """People with plausible names, a mix of partners that is not even, and favourites that are contested."""
    dice = random.Random(f"{seed}/{event.id}")  # noqa: S311
    themes = [theme.id for theme in event.themes]
    appeal = dict(zip(dice.sample(themes, len(themes)), (0.6**rank for rank in range(len(themes))), strict=True))
    kinds = [kind.id for kind in event.partner_types]
    shares = [1.5 if position % 2 == 0 else 0.8 for position in range(len(kinds))]
    taste = {kind: {theme: dice.uniform(0.6, 1.6) for theme in themes} for kind in kinds}
    given_names, family_names = _GIVEN.split(), _FAMILY.split()
    people = []
    for number in range(1, count + 1):
        given, family = dice.choice(given_names), dice.choice(family_names).replace("_", " ")
        kind = dice.choices(kinds, shares)[0]
        weights = {theme: appeal[theme] * taste[kind][theme] for theme in themes}
        organisation = f"{dice.choice(_BODIES)} for {dice.choice(_SUBJECTS)}"
        email = f"{_plain(given)}.{_plain(family)}.{number}@example.org"
        people.append(Person(f"{given} {family}", email, organisation, kind, _ranking(weights, dice)))
    return people


def register_all(client: HttpClient, event: Event, people: Iterable[Person]) -> list[tuple[Person, Answer]]:
    """Everybody registers over HTTP, a few at a time."""
    address = f"/events/{event.id}/registrations"

    def register(person: Person) -> tuple[Person, Answer]:
        return person, client.post(address, person.form(), headers={"Idempotency-Key": str(uuid.uuid4())})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(register, people))


def _ranking(weights: dict[str, float], dice: random.Random) -> list[str]:
    """Every theme, the weightier ones more likely first."""
    return sorted(weights, key=lambda theme: dice.random() ** (1 / weights[theme]), reverse=True)


def _plain(name: str) -> str:
    """A name as it stands in an address."""
    import unicodedata

    letters = unicodedata.normalize("NFKD", name.replace("ı", "i").lower())
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())
