"""Whatever is altered in an allocation, `verify` says so."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from functions.allocate.model.problem import NoAllocationError
from functions.allocate.model.result import Allocation
from infra.verify.bound import price_bound
from infra.verify.case import Case
from infra.verify.checks import verify
from shared.attendees import Attendee
from shared.models import Event
from tests.unit.allocate.instances import Instance, allocated, crowd, event_of, random_instance

pytestmark = pytest.mark.promise("P3")


Alter = Callable[[dict[str, Any]], None]


def make_case() -> Instance:
    """Forty people, two pinned; one workshop is full and another has seats left."""
    event = event_of(4, 2, 3, [[12, 12], [10, 10], [14, 14], [12, 12]], minimum=2, weight=1)
    people = crowd(event, 40, random.Random(5), skew=2.5)
    people[3] = replace(people[3], pinned={"round-0": "theme-1"})
    people[8] = replace(people[8], pinned={"round-1": "theme-2"})
    return Instance(event, people)


def failed(instance: Instance, allocation: Allocation) -> set[str]:
    """The checks that an allocation does not pass."""
    checks = verify(instance.event, instance.attendees, allocation, previous=instance.previous)
    return {check.name for check in checks if not check.passed}


def altered(allocation: Allocation, alter: Alter) -> Allocation:
    """The same with something changed."""
    document = allocation.model_dump()
    document["previous"] = allocation.previous
    alter(document)
    return Allocation.model_validate(document)


@pytest.fixture(scope="module")
def instance() -> Instance:
    """What is allocated."""
    return make_case()


@pytest.fixture(scope="module")
def allocation(instance: Instance) -> Allocation:
    """The untouched result."""
    return allocated(instance)


def test_an_untouched_allocation_passes_every_check(instance: Instance, allocation: Allocation) -> None:
    assert failed(instance, allocation) == set()


def swap_two(document: dict[str, Any]) -> None:
    """Two people with different programmes exchange them."""
    programmes = document["programmes"]
    one = "person-0000"
    other = next(who for who in programmes if set(programmes[who].values()) != set(programmes[one].values()))
    programmes[one], programmes[other] = programmes[other], programmes[one]


def move_one(document: dict[str, Any]) -> None:
    """A person goes to a third theme in the first round."""
    programme = document["programmes"]["person-0000"]
    free = next(theme for theme in ("theme-0", "theme-1", "theme-2", "theme-3") if theme not in programme.values())
    programme["round-0"] = free


def overfill(document: dict[str, Any]) -> None:
    """Everybody who can goes to one workshop."""
    for programme in document["programmes"].values():
        if programme["round-1"] != "theme-1":
            programme["round-0"] = "theme-1"


def empty(document: dict[str, Any]) -> None:
    """Nobody goes to one workshop."""
    for programme in document["programmes"].values():
        if programme["round-0"] == "theme-3":
            programme["round-0"] = next(t for t in ("theme-0", "theme-2") if t not in programme.values())


def set_to(*path: str, value: Any) -> Alter:
    """Put a value at a path."""

    def alter(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return alter


def add_to(*path: str, step: int) -> Alter:
    """Add to the number at a path."""

    def alter(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] += step

    return alter


def drop(*path: str) -> Alter:
    """Take out what is at a path."""

    def alter(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return alter


def claim_no_move(document: dict[str, Any]) -> None:
    """A person is said to have moved from where they are."""
    document["moved"] = {"person-0004": dict(document["programmes"]["person-0004"])}


def raise_claim(document: dict[str, Any]) -> None:
    """Bound and total both claim one more, in step."""
    document["bound"] += 1
    document["objective"]["total"] += 1
    document["objective"]["rank"] += 1


def cheaper_everywhere(document: dict[str, Any]) -> None:
    """All prices of one type are gone."""
    for rounds in document["prices"].values():
        for prices in rounds.values():
            prices["type-0"] = -50


@pytest.mark.parametrize(
    ("alter", "check"),
    [
        (swap_two, "the total cost and its parts"),
        (move_one, "the total cost and its parts"),
        (overfill, "no workshop has more heads than seats"),
        (empty, "no workshop has fewer heads than its minimum"),
        (drop("programmes", "person-0004"), "everyone has a programme, and nobody else"),
        (set_to("programmes", "nobody", value={"round-0": "theme-0"}), "everyone has a programme, and nobody else"),
        (drop("programmes", "person-0004", "round-1"), "one workshop in each round attended, all of different themes"),
        (
            set_to("programmes", "person-0004", value={"round-0": "theme-2", "round-1": "theme-2"}),
            "one workshop in each round attended, all of different themes",
        ),
        (
            set_to("programmes", "person-0004", "round-0", value="theme-99"),
            "one workshop in each round attended, all of different themes",
        ),
        (
            set_to("programmes", "person-0004", "round-9", value="theme-0"),
            "one workshop in each round attended, all of different themes",
        ),
        (set_to("programmes", "person-0003", "round-0", value="theme-0"), "everyone pinned is where they are pinned"),
        (set_to("input_digest", value="0" * 64), "the result is for this event and these attendees (input digest)"),
        (set_to("event", value="another"), "the result is for this event and these attendees (input digest)"),
        (set_to("seed", value="another seed"), "the result is for this event and these attendees (input digest)"),
        (set_to("weight", value=2), "the result is for this event and these attendees (input digest)"),
        (set_to("tolerance", value="1/3"), "the result is for this event and these attendees (input digest)"),
        (set_to("change_cost", value=3), "the result is for this event and these attendees (input digest)"),
        (set_to("mode", value="keep"), "the result is for this event and these attendees (input digest)"),
        (add_to("objective", "rank", step=1), "the total cost and its parts"),
        (add_to("objective", "balance", step=1), "the total cost and its parts"),
        (add_to("objective", "change", step=1), "the total cost and its parts"),
        (add_to("objective", "total", step=-1), "the total cost and its parts"),
        (add_to("satisfaction", "1", step=1), "seats by choice (satisfaction)"),
        (set_to("satisfaction", "9", value=1), "seats by choice (satisfaction)"),
        (add_to("bound", step=1), "the prices prove the bound"),
        (raise_claim, "the prices prove the bound"),
        (cheaper_everywhere, "the prices prove the bound"),
        (drop("prices", "theme-1", "round-0", "type-0"), "the prices prove the bound"),
        (set_to("price_scale", value=0), "the prices prove the bound"),
        (add_to("bound", step=-1), "optimal is claimed only with proof"),
        (set_to("optimal", value=False), "optimal is claimed only with proof"),
        (add_to("gap", step=1), "optimal is claimed only with proof"),
        (drop("reasons", "person-0004"), "everyone has a reason that the numbers support"),
        (set_to("reasons", "person-0004", value="Because."), "everyone has a reason that the numbers support"),
        (claim_no_move, "who moved"),
        (set_to("moved", value={"nobody": {"round-0": "theme-1"}}), "who moved"),
        (set_to("moved", "person-0004", value={"round-0": "theme-1"}), "who moved"),
        (set_to("moved", "person-0004", value={"round-0": "theme-99"}), "who moved"),
        (set_to("previous", value={"person-0004": {"round-0": "theme-99"}}), "who moved"),
        (set_to("reasons", "nobody", value="Because."), "everyone has a reason that the numbers support"),
        (set_to("satisfaction", "9", value=0), "seats by choice (satisfaction)"),
        (drop("satisfaction", "4"), "seats by choice (satisfaction)"),
        (set_to("why", value="the time budget ended"), "optimal is claimed only with proof"),
        (set_to("engine", value="contested-flow"), "optimal is claimed only with proof"),
        (set_to("price_scale", value=60), "optimal is claimed only with proof"),
        (set_to("prices", "theme-99", value={}), "the prices prove the bound"),
        (set_to("prices", "theme-1", "round-9", value={}), "the prices prove the bound"),
        (set_to("prices", "theme-1", "round-0", "type-9", value=0), "the prices prove the bound"),
        (set_to("prices", "theme-1", "round-0", "type-0", value=10**40), "the prices prove the bound"),
    ],
)  # fmt: skip
def test_an_altered_allocation_fails_the_check_that_it_breaks(
    instance: Instance, allocation: Allocation, alter: Alter, check: str
) -> None:
    """Also when everything else fits: no check relies on another."""
    assert check in failed(instance, altered(allocation, alter))


WORST = -(2**62) + 11
"""Added up in 64 bits for every round and person, prices like this turn around and seem to prove anything."""


def test_prices_too_large_for_64_bits_prove_nothing() -> None:
    """Sixty people get their worst programmes, at a bound that only an overflow proves."""
    event = event_of(5, 2, 1, 24, weight=0)
    instance = Instance(event, crowd(event, 60, random.Random(3)))
    allocation = allocated(instance)

    for price in (WORST, -WORST, 2**63, -(10**40)):

        def forge(document: dict[str, Any], price: int = price) -> None:
            for rounds in document["prices"].values():
                for prices in rounds.values():
                    prices.update(dict.fromkeys(prices, price))
            document["bound"] += 1
            document["objective"]["total"] += 1

        assert "the prices prove the bound" in failed(instance, altered(allocation, forge))


def test_large_prices_that_a_proof_may_need_are_added_exactly() -> None:
    """A change cost of some digits makes numbers that 64 bits cannot add up over a crowd; nothing is lost."""
    event = event_of(4, 2, 2, 12, change_cost=1_000_000)
    people = crowd(event, 40, random.Random(8))
    first = allocated(Instance(event, people))
    instance = Instance(event, people, previous=first.programmes)
    allocation = allocated(instance)
    case = Case(instance.event, people, allocation, None, 1.0)
    with_python = replace_safe(case)

    assert failed(instance, allocation) == set()
    assert price_bound(case) == with_python


def replace_safe(case: Case) -> int:
    """The bound of the prices with Python's own integers from the start."""
    with patch("infra.verify.bound.SAFE", 0):
        return price_bound(case)


def test_a_claim_about_an_event_with_very_many_programmes_is_refuted_without_making_any() -> None:
    """Sixty-five themes in four rounds make sixteen million programmes a person; counted are places."""
    event = event_of(65, 4, 1, 2, weight=0)
    instance = Instance(event, crowd(event, 4, random.Random(1)))
    allocation = allocated(instance)

    def forge(document: dict[str, Any]) -> None:
        document["bound"] += 2
        document["engine"] = "flow+exact"

    checks = verify(event, instance.attendees, altered(allocation, forge))

    assert any("an integer programme of its own proves" in str(check) for check in checks)


def test_eight_rounds_are_verified() -> None:
    """Sets of rounds are walked, not every way to pick a theme in each."""
    event = event_of(10, 8, 2, 6, weight=1)
    instance = Instance(event, crowd(event, 40, random.Random(2)))

    assert failed(instance, allocated(instance)) == set()


def sentences(reason: str) -> list[str]:
    return [f"{part}." for part in reason.rstrip(".").split(". ")]


@pytest.mark.parametrize("forgery", ["dropped", "repeated", "replaced"])
def test_a_reason_with_a_sentence_dropped_repeated_or_replaced_is_noticed(
    instance: Instance, allocation: Allocation, forgery: str
) -> None:
    """Everybody whose reason says more than what they got, one after another."""
    demand, swap = "ranked it as high or higher", "no swap with anyone there"
    tried = 0
    for who, reason in allocation.reasons.items():
        parts = sentences(reason)
        if forgery == "replaced":
            missed = next((part for part in parts if demand in part), "")
            words = missed.split(" was full")[0] + " was full, and " + swap
            forged = (
                reason.replace(missed, f"{words} would have improved the outcome as a whole.") if missed else reason
            )
        else:
            changed = {
                "dropped": parts[:-1],
                "repeated": [*parts, parts[-1]],
            }
            forged = " ".join(changed[forgery])
        if forged == reason or len(parts) < 2:
            continue
        tried += 1
        found = failed(instance, altered(allocation, set_to("reasons", who, value=forged)))
        assert found == {"everyone has a reason that the numbers support"}, (reason, forged)

    assert tried


def test_every_price_that_proves_less_is_noticed(instance: Instance, allocation: Allocation) -> None:
    """A price may be altered to another that proves the same; the bound is then as true as before."""
    noticed = 0
    for theme, rounds in allocation.prices.items():
        for slot, prices in rounds.items():
            for kind in prices:
                wrong = failed(instance, altered(allocation, add_to("prices", theme, slot, kind, step=7)))
                noticed += "the prices prove the bound" in wrong

    assert noticed == 4 * 2 * 3


def test_a_programme_against_the_lottery_is_noticed() -> None:
    """Two with the same wishes and different luck exchange their luck."""
    event = event_of(3, 1, 1, [[3], [3], [3]], weight=0)
    wishes = ("theme-0", "theme-1", "theme-2")
    instance = Instance(event, [Attendee(f"person-{a}", "type-0", wishes) for a in range(8)])
    allocation = allocated(instance)
    places = {who: programme["round-0"] for who, programme in allocation.programmes.items()}
    lucky = next(who for who, theme in places.items() if theme == "theme-0")
    unlucky = next(who for who, theme in places.items() if theme == "theme-2")

    def exchange(document: dict[str, Any]) -> None:
        for key in ("programmes", "reasons"):
            document[key][lucky], document[key][unlucky] = document[key][unlucky], document[key][lucky]

    wrong = failed(instance, altered(allocation, exchange))

    assert wrong == {"among equals the lottery decided", "lots decided every tie"}


def test_another_event_or_other_people_are_noticed(instance: Instance, allocation: Allocation) -> None:
    """A seat more, another wish, another absence: the digest covers all that influences an outcome."""
    digest = "the result is for this event and these attendees (input digest)"
    event = instance.event
    wider = Event.model_validate(
        event.model_copy(update={"capacities": {**event.capacities, "theme-1": {"round-0": 11, "round-1": 10}}})
    )
    first, *others = instance.attendees
    for changed in (
        replace(instance, event=wider),
        replace(instance, attendees=others),
        replace(instance, attendees=[replace(first, ranking=first.ranking[::-1]), *others]),
        replace(instance, attendees=[replace(first, absent=frozenset({"round-0"})), *others]),
        replace(
            instance,
            attendees=[replace(first, partner_type="type-2" if first.partner_type != "type-2" else "type-1"), *others],
        ),
    ):
        assert digest in failed(changed, allocation)


@pytest.mark.parametrize("seed", [6, 14, 22, 38, 46])
def test_a_keep_run_is_verified_from_its_own_record_and_notices_another_past(seed: int) -> None:
    """What was kept to is part of the input: altered, the digest no longer fits."""
    instance = random_instance(seed, "keep")
    allocation = allocated(instance)
    past = {who: dict(programme) for who, programme in (instance.previous or {}).items()}
    forgotten = next(who for who, programme in past.items() if programme)
    own_record = replace(instance, previous=None)

    assert failed(own_record, allocation) == set()
    del past[forgotten]
    assert "the result is for this event and these attendees (input digest)" in failed(
        own_record, altered(allocation, set_to("previous", value=past))
    )


def test_a_bound_of_the_exact_engine_is_proven_again_without_it() -> None:
    """Prices alone do not reach every bound; `verify` then solves an integer programme of its own."""
    found = 0
    for seed in range(200):
        instance = random_instance(seed, "uneven")
        try:
            allocation = allocated(instance)
        except NoAllocationError:
            continue
        if allocation.engine == "flow+exact" and "the prices prove the bound" in failed(
            instance, altered(allocation, raise_claim)
        ):
            assert failed(instance, allocation) == set()
            found += 1
        if found == 3:
            return
    pytest.fail("the exact engine was never needed")


def test_a_bound_is_proven_again_where_whole_programmes_would_be_too_many() -> None:
    """Twelve themes in four rounds: 11,880 programmes a person. Prices of 0 prove nothing here, so counts must."""
    rng = random.Random(2)
    event = event_of(12, 4, 4, [[rng.randint(2, 4) for _ in range(4)] for _ in range(12)], minimum=1, weight=5)
    instance = Instance(event, crowd(event, 24, rng))
    allocation = allocated(instance)

    def without_prices(document: dict[str, Any]) -> None:
        document["engine"] = "flow+exact"
        for prices in (prices for rounds in document["prices"].values() for prices in rounds.values()):
            prices.update(dict.fromkeys(prices, 0))

    honest = altered(allocation, without_prices)
    case = Case(event, instance.attendees, honest)

    assert price_bound(case) < honest.bound
    assert failed(instance, honest) == set()
    assert failed(instance, altered(honest, raise_claim)) >= {"the prices prove the bound"}
