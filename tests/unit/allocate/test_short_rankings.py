"""A ranking that is short on purpose gains nothing, and nobody else pays for it. The table: tests/benchmarks."""

from __future__ import annotations

from statistics import mean

import pytest

from functions.allocate.model.problem import build_problem
from infra.report.compare import compare
from shared.attendees import Attendee, WishReader, unranked_cost
from tests.benchmarks.manipulation import alone, make_crowd, together
from tests.unit.allocate.instances import event_of


def test_a_theme_left_out_counts_as_the_next_choice() -> None:
    costs = (0, 1, 4, 9, 16)

    assert [unranked_cost(costs, ranked, 5) for ranked in range(6)] == [0, 1, 4, 9, 16, 0]


def test_all_who_read_rankings_read_them_alike() -> None:
    """The allocator, the verifier and every page: with themes left out, not open, and ruled out."""
    event = event_of(5, 2, 2, 10)
    themes = [
        theme.model_copy(update={"open_to": ["type-0"]}) if n == 4 else theme for n, theme in enumerate(event.themes)
    ]
    event = event.model_copy(update={"themes": themes})
    people = [
        Attendee("a", "type-0", ("theme-4", "theme-0")),
        Attendee("b", "type-1", ("theme-4", "theme-0")),
        Attendee("c", "type-1", ("theme-4", "theme-0", "theme-1"), excluded=frozenset({"theme-3"})),
    ]
    problem, wishes = build_problem(event, people), WishReader(event)

    for a, person in enumerate(people):
        possible = wishes.possible(person.partner_type, person.excluded)
        mine = {theme: problem.rank[a, t] for t, theme in enumerate(problem.themes) if theme in possible}
        assert {theme: int(problem.rank_costs[code]) for theme, code in mine.items()} == {
            theme: wishes.of(person).cost(theme) for theme in possible
        }
        assert {theme: int(problem.choices[code]) for theme, code in mine.items()} == {
            theme: wishes.of(person).place(theme) for theme in possible
        }
    assert [wishes.of(person).cost("theme-2") for person in people] == [4, 1, 4]
    assert [wishes.of(person).place("theme-2") for person in people] == [5, 4, 3]


@pytest.mark.parametrize(("people", "themes"), [(24, 6), (24, 8)])
def test_who_ranks_a_few_only_loses_on_average(people: int, themes: int) -> None:
    """Everybody tries each of these once, everybody else being honest."""
    gains = alone([make_crowd(people, themes, seed=2)])

    assert {name for name, found in gains.items() if name.startswith("ranks only") and mean(found) > 0} == set()


def test_honest_people_do_not_pay_for_those_who_rank_two_together() -> None:
    _, _, honest, then = together(make_crowd(80, 8, seed=4, spare=0.05), 0.25, seed=4)

    assert then <= honest


def test_a_comparison_counts_a_theme_left_out_as_the_last() -> None:
    event = event_of(4, 1, 1, 10)
    person = Attendee("a", "type-0", ("theme-0", "theme-1"))

    found = compare({"a": {"round-0": "theme-0"}}, {"a": {"round-0": "theme-3"}}, [person], event)

    assert found.lost == {"a": 3}
