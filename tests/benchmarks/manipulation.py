"""What an attendee gains by another ranking than the honest one: `python -m tests.benchmarks.manipulation`.

Everybody has a true ranking. One person after another hands in something else, everybody else stays honest, and both
outcomes are counted by the true ranking, a place at (rank - 1) squared. Then a fifth of all people rank two themes
only, together. The rules for the cost of an unranked theme stand beside each other: the last place (the first version
of Parcours), the mean of the places left, and the first of the places left.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from unittest.mock import patch

from functions.allocate.model.problem import build_problem
from functions.allocate.solve import programmes_of, solve
from shared import attendees as rules
from shared.attendees import Attendee
from shared.models import Event
from tests.unit.allocate.instances import crowd, event_of

Rule = Callable[[Sequence[int], int, int], int]

RULES: dict[str, Rule] = {
    "last place": lambda costs, ranked, possible: costs[possible - 1],
    "mean of the places left": lambda costs, ranked, possible: -(-sum(costs[ranked:possible]) // (possible - ranked)),
    "first place left": lambda costs, ranked, possible: costs[ranked],
    "the rule of Parcours": rules.unranked_cost,
}

SIZES = ((40, 4, 6), (60, 6, 4), (60, 8, 3))
"""People, themes, and how many crowds: every person of each is tried."""


@dataclass(frozen=True)
class Crowd:
    """An event with as many seats in each round as people, and honest attendees."""

    event: Event
    people: list[Attendee]

    def wanted(self) -> list[str]:
        """The themes, the most wanted first: how often each is a first or second choice."""
        themes = [theme.id for theme in self.event.themes]
        votes = [theme for one in self.people for theme in one.ranking[:2]]
        return sorted(themes, key=lambda theme: -votes.count(theme))


def make_crowd(people: int, themes: int, seed: int, *, spare: float = 0.0) -> Crowd:
    """People with tastes that favour some themes; seats for everybody and a part to spare."""
    rng = random.Random(seed)
    seats = -(-int(people * (1 + spare)) // themes)
    event = event_of(themes, 2, 3, seats)
    return Crowd(event, crowd(event, people, rng, skew=0.8))


def true_costs(crowd: Crowd, handed_in: Sequence[Attendee]) -> dict[str, int]:
    """What everyone's programme costs by their true ranking, when these rankings are handed in."""
    problem = build_problem(crowd.event, handed_in, seed="manipulation")
    programmes = programmes_of(problem, solve(problem).found)
    return {one.id: sum(one.ranking.index(theme) ** 2 for theme in programmes[one.id].values()) for one in crowd.people}


def lies(person: Attendee, wanted: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Rankings that a person may try instead of the honest one."""
    best = person.ranking[:2]
    others = [theme for theme in wanted if theme not in best]
    return {
        "ranks only one": person.ranking[:1],
        "ranks only two": best,
        "ranks only three": person.ranking[:3],
        "own two, then the most wanted": (*best, *others),
        "own two, then the least wanted": (*best, *reversed(others)),
    }


def alone(crowds: Sequence[Crowd]) -> dict[str, list[int]]:
    """What each lie gains each person when everybody else is honest; negative where it costs them."""
    gains: dict[str, list[int]] = {}
    for each in crowds:
        honest, wanted = true_costs(each, each.people), each.wanted()
        for n, person in enumerate(each.people):
            for name, ranking in lies(person, wanted).items():
                handed_in = [*each.people[:n], replace(person, ranking=ranking), *each.people[n + 1 :]]
                gains.setdefault(name, []).append(honest[person.id] - true_costs(each, handed_in)[person.id])
    return gains


def together(each: Crowd, share: float, seed: int) -> tuple[float, float, float, float]:
    """Mean true costs when a share of people rank two only: theirs and the others', honest first and then."""
    rng = random.Random(seed)
    liars = {one.id for one in rng.sample(each.people, int(share * len(each.people)))}
    honest = true_costs(each, each.people)
    short = [replace(one, ranking=one.ranking[:2]) if one.id in liars else one for one in each.people]
    then = true_costs(each, short)
    mine, theirs = [one for one in honest if one in liars], [one for one in honest if one not in liars]
    return (
        *(mean(costs[one] for one in mine) for costs in (honest, then)),
        *(mean(costs[one] for one in theirs) for costs in (honest, then)),
    )  # type: ignore[return-value]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", nargs="*", default=list(RULES))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    for name in options.rules:
        with patch("functions.allocate.model.problem.unranked_cost", RULES[name]):
            print(f"\nan unranked theme costs: {name}")
            print(
                f"{'people x themes':16} {'instead of the honest ranking':31} {'gain':>5} {'lose':>5} {'mean gain':>9}"
            )
            for people, themes, count in SIZES:
                crowds = [make_crowd(people, themes, options.seed + n) for n in range(count)]
                for lie, gains in alone(crowds).items():
                    better, worse = (sum(sign * gain > 0 for gain in gains) / len(gains) for sign in (1, -1))
                    size = f"{people} x {themes} ({len(gains)})"
                    print(f"{size:16} {lie:31} {better:5.0%} {worse:5.0%} {mean(gains):9.2f}")
            for people, themes, share in ((160, 8, 0.2), (400, 12, 0.2), (400, 12, 0.5)):
                each = make_crowd(people, themes, options.seed, spare=0.05)
                mine, mine_then, theirs, theirs_then = together(each, share, options.seed)
                print(
                    f"{people} x {themes}, {share:.0%} rank only two: theirs {mine:.2f} -> {mine_then:.2f}, "
                    f"the others' {theirs:.2f} -> {theirs_then:.2f}"
                )


if __name__ == "__main__":
    main()
