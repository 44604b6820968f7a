"""Fair among equals, and what was published stays: the lottery, regret, and keep runs."""

from __future__ import annotations

import hashlib
import hmac
import random
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from functions.allocate import solve
from functions.allocate.exact.keep_run import solve_keeping
from functions.allocate.fairness.shares import lots
from functions.allocate.model.objective import Solution, evaluate
from functions.allocate.model.problem import (
    EngineCannotError,
    NoAllocationError,
    NotFoundInTimeError,
    Problem,
    build_problem,
)
from infra.report.compare import compare
from infra.report.page import report_page
from shared.attendees import Attendee
from tests.unit.allocate.instances import (
    Instance,
    allocated,
    brute_force,
    crowd,
    event_of,
    newcomers_would_take_places,
    oracle,
    random_instance,
    rank_cost,
)

WISHES = ("theme-0", "theme-1", "theme-2")


def equals(people: int, seats: int, seed: str = "a seed") -> Instance:
    """Everybody wants the same theme first, and it has few seats."""
    event = event_of(3, 1, 1, [[seats], [people], [people]], weight=0, seed=seed)
    return Instance(event, [Attendee(f"person-{a:03}", "type-0", WISHES) for a in range(people)])


def winners(instance: Instance) -> set[str]:
    """Who got the theme that all want."""
    programmes = allocated(instance).programmes
    return {who for who, programme in programmes.items() if programme["round-0"] == "theme-0"}


@pytest.mark.promise("P19")
def test_the_lowest_lots_win_and_anyone_can_repeat_them() -> None:
    """HMAC-SHA256(seed, id), as the report tells everyone to compute it."""
    instance = equals(30, 7)

    drawn = sorted(
        (hmac.new(b"a seed", one.id.encode(), hashlib.sha256).hexdigest(), one.id) for one in instance.attendees
    )

    assert winners(instance) == {who for _, who in drawn[:7]}


def test_the_command_in_the_report_prints_the_lot() -> None:
    """Also with a seed that a shell would take apart."""
    seed = "it's $HOME; a seed"
    instance = equals(5, 2, seed)
    page = report_page(instance.event, instance.attendees, allocated(instance))

    command = page.split("<code>printf")[1].split("</code>")[0].replace("&#x27;", "'").replace("&quot;", '"')
    said = subprocess.run(
        ["sh", "-c", f"printf{command}".replace("ID", "person-003")], capture_output=True, text=True, check=True
    )

    assert said.stdout.split()[-1] == lots(seed, ["person-003"])[0].hex()


def test_a_long_key_is_drawn_as_the_standard_says() -> None:
    """RFC 2104 hashes keys longer than a block first."""
    seed = "long " * 30

    assert lots(seed, ["ann", "bob"]) == [hmac.digest(seed.encode(), who, "sha256") for who in (b"ann", b"bob")]


@pytest.mark.promise("P19")
def test_the_lottery_knows_neither_the_order_of_rows_nor_of_names() -> None:
    """Names that sort otherwise win as often: over many seeds everybody wins about their share."""
    wins = dict.fromkeys((f"person-{a:03}" for a in range(10)), 0)
    for seed in range(200):
        instance = equals(10, 5, f"seed {seed}")
        shuffled = replace(instance, attendees=random.Random(seed).sample(instance.attendees, 10))
        lucky = winners(instance)
        assert winners(shuffled) == lucky
        for who in lucky:
            wins[who] += 1

    # 100 expected, standard deviation 7: five of them on either side.
    assert min(wins.values()) > 65
    assert max(wins.values()) < 135


def test_another_seed_draws_other_winners() -> None:
    assert winners(equals(30, 7, "one")) != winners(equals(30, 7, "another"))


def test_a_pinned_neighbour_does_not_change_the_draw_of_others() -> None:
    """A lot depends on the seed and the own id only."""
    instance = equals(12, 4)
    before = winners(instance)
    first = next(one for one in instance.attendees if one.id not in before)
    pinned = replace(first, pinned={"round-0": "theme-1"})

    after = winners(replace(instance, attendees=[pinned if one is first else one for one in instance.attendees]))

    assert after == before


@pytest.mark.parametrize("seed", range(12))
def test_where_rounds_differ_no_exchange_between_two_of_a_type_spreads_regret_further(seed: int) -> None:
    """In one round, at equal total cost, theme for theme, within what both may do."""
    rng = random.Random(seed)
    event = event_of(4, 2, 2, [[12, 12], [12, 12], [12, 11], [12, 13]], weight=1)
    people = crowd(event, 40, rng, partial=seed % 2 == 1)
    programmes = allocated(Instance(event, people)).programmes

    for one, other in combinations(people, 2):
        if one.partner_type != other.partner_type:
            continue
        mine, theirs = programmes[one.id], programmes[other.id]
        before = rank_cost(event, one, mine), rank_cost(event, other, theirs)
        for slot in mine:
            if theirs[slot] in mine.values() or mine[slot] in theirs.values():
                continue
            after = (
                rank_cost(event, one, {**mine, slot: theirs[slot]}),
                rank_cost(event, other, {**theirs, slot: mine[slot]}),
            )
            assert sum(after) != sum(before) or sum(c * c for c in after) >= sum(c * c for c in before)


@pytest.mark.promise("P3")
def test_newcomers_never_take_a_published_place() -> None:
    """Forty newcomers want what twenty hold; not one of the twenty moves."""
    event = event_of(4, 2, 2, 20)
    people = crowd(event, 60, random.Random(4), skew=3)
    holders, newcomers = people[:20], people[20:]
    published = allocated(Instance(event, holders)).programmes

    allocation = allocated(Instance(event, holders + newcomers, published))

    assert {one.id: allocation.programmes[one.id] for one in holders} == published
    assert allocation.moved == {}
    assert allocation.optimal


def test_a_place_given_back_is_free_for_newcomers() -> None:
    """Everybody's first choice is full; one leaves, one comes and gets the place."""
    event = event_of(2, 1, 1, [[3], [9]], weight=0)
    people = [Attendee(f"person-{a}", "type-0", ("theme-0", "theme-1")) for a in range(5)]
    published = allocated(Instance(event, people)).programmes
    leaver = next(one for one in people if published[one.id]["round-0"] == "theme-0")
    stayers = [one for one in people if one is not leaver]
    comer = Attendee("the-newcomer", "type-0", ("theme-0", "theme-1"))
    kept = {one.id: published[one.id] for one in stayers}

    programmes = allocated(Instance(event, [*stayers, comer], kept)).programmes

    assert programmes["the-newcomer"] == {"round-0": "theme-0"}
    assert {one.id: programmes[one.id] for one in stayers} == kept


def test_a_keep_run_that_ran_out_of_time_does_not_say_that_newcomers_fit_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was found takes a published place, and nothing proves that every allocation must."""
    event = event_of(4, 1, 1, [[1], [1], [1], [0]], weight=0)
    published = {"ann": {"round-0": "theme-0"}, "bob": {"round-0": "theme-3"}}
    people = [Attendee(who, "type-0", (*WISHES, "theme-3")) for who in ("ann", "bob", "cem")]
    optimum = solve._solve_costs

    def in_a_hurry(problem: Problem, deadline: float, **options: Any) -> Solution:
        found = optimum(problem, deadline, **options)
        if problem.change_cost and problem.people == 3:
            taken = ("theme-1", "theme-2", "theme-0")  # by ann, bob and cem
            places = np.array([[problem.themes.index(theme)] for theme in taken], dtype=np.int16)
            return replace(found, places=places, total=evaluate(problem, places).total, bound=0, why="no time")
        if not problem.change_cost:
            raise EngineCannotError("no time")
        return found

    assert allocated(Instance(event, people, published)).programmes["ann"] == {"round-0": "theme-0"}
    monkeypatch.setattr(solve, "_solve_costs", in_a_hurry)

    with pytest.raises(NotFoundInTimeError):
        allocated(Instance(event, people, published))


def test_every_step_of_a_keep_run_has_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine uses up all the time that it gets, and what it found counts although a later step is slow."""
    event = event_of(3, 2, 1, [[1, 1], [1, 1], [1, 1]], weight=0)
    published = {"ann": {"round-0": "theme-0", "round-1": "theme-1"}, "bob": {"round-0": "theme-1"}}
    people = [Attendee(who, "type-0", WISHES) for who in ("ann", "bob", "cem")]
    problem = build_problem(event, people, mode="keep", previous=published)
    now, given = [0.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(asked: Problem, deadline: float) -> Solution:
        given.append(deadline - now[0])
        now[0] = deadline
        if len(given) == 1:
            raise NotFoundInTimeError("the places that can be kept, and no time for the rest")
        places = np.array([[t, (t + 1) % 3] for t in range(asked.people)], dtype=np.int16)
        return Solution(
            places, evaluate(asked, places).total, 0, np.zeros(asked.shape, dtype=np.int64), 1, "flow+exact"
        )

    with suppress(NoAllocationError, NotFoundInTimeError):
        solve_keeping(problem, slow, 100.0)

    assert len(given) >= 3
    assert all(seconds >= 10.0 for seconds in given)


def test_newcomers_for_whom_others_would_have_to_move_are_refused_in_numbers() -> None:
    """Two seats for the newcomer are left, but both of the same theme."""
    event = event_of(3, 2, 1, [[1, 1], [1, 1], [1, 1]], weight=0)
    published = {
        "ann": {"round-0": "theme-0", "round-1": "theme-1"},
        "bob": {"round-0": "theme-1", "round-1": "theme-0"},
    }
    people = [Attendee(who, "type-0", WISHES) for who in ("ann", "bob", "cem")]

    with pytest.raises(NoAllocationError, match=r"The newcomer fits only if \d published places? was"):
        allocated(Instance(event, people, published))

    assert allocated(Instance(event, people)).optimal  # afresh there is a way


def test_a_workshop_that_lost_seats_moves_as_few_as_it_must() -> None:
    """Three seats that are taken are gone: no more move than an integer programme says."""
    event = event_of(3, 2, 2, 10)
    people = crowd(event, 20, random.Random(1))
    published = allocated(Instance(event, people)).programmes
    held = [sum(programme["round-0"] == f"theme-{t}" for programme in published.values()) for t in range(3)]
    fullest = held.index(max(held))
    seats = [[max(held) - 3 if t == fullest else 10, 10] for t in range(3)]
    instance = Instance(event_of(3, 2, 2, seats), people, published)

    allocation = allocated(instance)

    places = sum(len(rounds) for rounds in allocation.moved.values())
    best = oracle(instance)
    assert best is not None
    assert places == best.changes >= 3
    assert allocation.objective.change == places * allocation.change_cost
    assert allocation.optimal


@pytest.mark.parametrize("seed", range(20))
def test_a_keep_run_changes_as_few_workshops_as_any_combination_could(seed: int) -> None:
    """Brute force over tiny events whose seats have changed since."""
    rng = random.Random(seed)
    event = event_of(3, 2, 2, [[rng.randint(1, 3) for _ in range(2)] for _ in range(3)], weight=rng.choice([0, 1]))
    people = crowd(event, 4, rng)
    past = {
        one.id: dict(zip(("round-0", "round-1"), rng.sample(WISHES, 2), strict=True))
        for one in people[: rng.randint(2, 4)]
    }
    instance = Instance(event, people, past)
    best = brute_force(instance)

    refused = ""
    try:
        allocation = allocated(instance)
    except NoAllocationError as refusal:
        refused = str(refusal)

    if refused or best is None:
        assert bool(refused) == (best is None or newcomers_would_take_places(instance, best))
        return
    assert sum(map(len, allocation.moved.values())) == best.changes
    assert allocation.objective.rank + allocation.objective.balance == best.total


def test_a_comparison_tells_who_gains_and_who_loses() -> None:
    instance = random_instance(3, "even")
    fresh = allocated(instance).programmes
    people = [one for one in instance.attendees if fresh[one.id]]
    one, other = next(
        (a, b)
        for a, b in combinations(people, 2)
        if a.partner_type == b.partner_type and set(fresh[a.id].values()) != set(fresh[b.id].values())
    )
    exchanged = {**fresh, one.id: fresh[other.id], other.id: fresh[one.id]}

    told = compare(fresh, exchanged, instance.attendees, instance.event)
    back = compare(exchanged, fresh, instance.attendees, instance.event)

    assert set(told.moved) == {one.id, other.id}
    assert (told.gained, told.lost) == (back.lost, back.gained)
    assert str(told).startswith("2 moved (")
    assert (told.newcomers, told.gone) == ([], [])
