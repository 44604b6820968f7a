"""Every tie is drawn by lot: neither lists, nor types, nor rankings, nor ids decide."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.allocate.fairness import draw
from functions.allocate.flows import two_flows
from shared.attendees import Attendee
from shared.models import Says
from tests.unit.allocate.drawing import (
    chi_squared,
    choices,
    claims,
    drawn_by_trying,
    listed_otherwise,
    lot,
    moved_by_the_order,
    tiny_even_instance,
    wins,
)
from tests.unit.allocate.instances import Instance, allocated, crowd, event_of, rank_cost

CRITICAL = 6.635
"""χ² of one degree of freedom that chance exceeds once in a hundred."""

ABC = ("theme-0", "theme-1", "theme-2")
ACB = ("theme-0", "theme-2", "theme-1")


def the_last_seat(first: Attendee, second: Attendee, types: int) -> Instance:
    """One round, three themes with one seat each, two people who both want theme-0."""
    return Instance(event_of(3, 1, types, 1, weight=0), [first, second])


@pytest.mark.parametrize(
    "instance",
    [
        the_last_seat(Attendee("p1", "type-0", ABC), Attendee("p2", "type-1", ABC), 2),
        the_last_seat(Attendee("p1", "type-0", ABC), Attendee("p2", "type-0", ACB), 1),
        the_last_seat(Attendee("p1", "type-0", ABC), Attendee("p2", "type-0", ABC), 1),
    ],
    ids=["two types", "two rankings", "equals"],
)
def test_two_who_tie_win_equally_often_and_the_better_lot_wins(instance: Instance) -> None:
    """Over 200 seeds, and under each of them with every list in another order too."""
    won = wins(instance, "theme-0", 200)

    assert chi_squared([won["p1"], won["p2"]], [100, 100]) < CRITICAL
    for seed in range(40):
        lucky = min(("p1", "p2"), key=lambda who: lot(f"seed {seed}", who))
        other = listed_otherwise(instance, random.Random(seed))
        for question in (instance, other):
            assert allocated(question, seed=f"seed {seed}").programmes[lucky] == {"round-0": "theme-0"}


def test_everybody_gets_choice_by_choice_what_the_lots_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a list of all allocations of least cost, in the order of lots, however many pick at once."""
    tried = 0
    for seed in range(20):
        instance = tiny_even_instance(seed)
        wanted = drawn_by_trying(instance, "a seed", 4_000)
        if wanted is None:
            continue
        for edges, at_once in product([two_flows.MOST_EDGES, 0], [draw.AT_ONCE, 1]):  # groups or crowd, all or one
            monkeypatch.setattr(two_flows, "MOST_EDGES", edges)
            monkeypatch.setattr(draw, "AT_ONCE", at_once)
            programmes = allocated(instance, seed="a seed").programmes
            assert choices(instance.event, instance.attendees, programmes) == wanted, (seed, edges, at_once)
        tried += 1
    assert tried > 7


@pytest.mark.parametrize("seed", range(6))
def test_a_crowd_gets_the_same_however_many_pick_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where picks of many are led on together, cuts are found late and picks undone; one after another none is."""
    rng = random.Random(seed)
    event = event_of(9, 2, 3, 20, weight=rng.choice([0, 2]))
    instance = Instance(event, crowd(event, 160, rng, partial=seed % 2 == 1, skew=rng.choice([0, 2])))
    together = allocated(instance, seed="a seed").programmes
    monkeypatch.setattr(draw, "AT_ONCE", 1)

    alone = allocated(instance, seed="a seed").programmes

    assert choices(event, instance.attendees, together) == choices(event, instance.attendees, alone)


def test_nobody_gets_a_second_wish_before_everybody_had_a_turn_at_the_first() -> None:
    """Eight who agree on four themes: the better half gets first and third, the other half second and fourth."""
    event = event_of(4, 2, 1, 2, weight=0)
    people = [Attendee(f"person-{a}", "type-0", ("theme-0", "theme-1", "theme-2", "theme-3")) for a in range(8)]
    programmes = allocated(Instance(event, people), seed="a seed").programmes

    by_lot = sorted(people, key=lambda one: lot("a seed", one.id))

    assert [rank_cost(event, one, programmes[one.id]) for one in by_lot] == [0 + 4] * 4 + [1 + 9] * 4


def test_a_theme_nobody_ranked_is_not_kept_from_somebody_who_did() -> None:
    """To the better lot all unranked themes are the same, so they leave the one that the other ranked."""
    event = event_of(3, 1, 1, 1, weight=0, rank_costs=[0, 0, 0])
    people = [Attendee("p1", "type-0", ()), Attendee("p2", "type-0", ("theme-1",))]

    for seed in range(10):
        assert allocated(Instance(event, people), seed=str(seed)).programmes["p2"] == {"round-0": "theme-1"}


@settings(max_examples=40)
@given(st.integers(min_value=0, max_value=10**6))
def test_the_order_of_lists_changes_nobodys_programme(seed: int) -> None:
    """Themes, rounds, types, people and seats in any order; even, uneven, absent, pinned, partial, minima, keep."""
    assert moved_by_the_order(seed) == []


def test_the_order_of_lists_changes_nobody_of_a_crowd() -> None:
    """Where hardly two people are alike, and prices decide."""
    rng = random.Random(5)
    event = event_of(12, 2, 4, 24, weight=2)
    instance = Instance(event, crowd(event, 240, rng, skew=2))

    first = allocated(instance, seed="a seed")
    second = allocated(listed_otherwise(instance, rng), seed="a seed")

    assert first.engine == "contested-flow"
    assert first.programmes == second.programmes
    assert first.input_digest == second.input_digest


@pytest.mark.parametrize("edges", [two_flows.MOST_EDGES, 0], ids=["groups", "crowd"])
def test_a_reason_names_the_lots_exactly_when_they_decided(edges: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every allocation of least cost is listed: those are the outcomes that other lots may have given."""
    monkeypatch.setattr(two_flows, "MOST_EDGES", edges)
    found = [claim for seed in range(985, 1005) for claim in claims(seed)]

    assert [lie for _, lie in found if lie] == []
    assert {Says.LOTTERY, Says.DEMAND} <= {says for says, _ in found}
