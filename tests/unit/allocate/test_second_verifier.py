"""The verifier in JavaScript, which the pages carry, says the same as `parcours verify`."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from functions.allocate.model.result import Allocation
from infra.verify.checks import verify
from shared.attendees import Attendee, question
from shared.pages import PAGES
from tests.unit.allocate.drawing import tiny_even_instance
from tests.unit.allocate.instances import Instance, allocated, event_of, random_instance

NODE = shutil.which("node") or ""
SCRIPT = PAGES / "assets" / "draw.js"
SHARED = {
    "everyone has a reason that the numbers support",
    "seats by choice (satisfaction)",
    "who moved",
}
"""What only `parcours verify` looks at: words and figures that follow from the rest."""

pytestmark = pytest.mark.skipif(not NODE, reason="there is no node here to run the verifier in JavaScript")


def in_javascript(instance: Instance, allocation: Allocation, folder: Path, forged: str = "") -> str:
    """What the script prints for these files; `forged` stands in the place of the allocation."""
    lines = question(
        instance.event,
        instance.attendees,
        allocation.mode,
        allocation.seed,
        allocation.weight,
        Fraction(allocation.tolerance),
        instance.previous,
    )
    (folder / "question.jsonl").write_bytes(b"".join(lines))
    (folder / "allocation.json").write_text(forged or allocation.model_dump_json(), encoding="utf-8")
    told = subprocess.run(
        [NODE, SCRIPT, folder / "question.jsonl", folder / "allocation.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout, told.stderr
    return told.stdout.strip()


def in_python(instance: Instance, allocation: Allocation) -> list[str]:
    """What `parcours verify` finds wrong, of what both look at."""
    checks = verify(instance.event, instance.attendees, allocation, previous=instance.previous)
    return [str(check) for check in checks if not check.passed and check.name not in SHARED]


def exchanged(allocation: Allocation, rng: random.Random) -> Allocation:
    """The same, with the programmes of two people exchanged."""
    one, other = rng.sample(sorted(allocation.programmes), 2)
    programmes = dict(allocation.programmes)
    programmes[one], programmes[other] = programmes[other], programmes[one]
    return allocation.model_copy(update={"programmes": programmes})


def differences(seed: int, folder: Path) -> list[str]:
    """Where the two disagree about a random event, as drawn and with two programmes exchanged."""
    instance = random_instance(seed) if seed % 2 else tiny_even_instance(seed)
    try:
        drawn = allocated(instance, seed="a seed")
    except Exception:
        return []
    found = []
    for label, allocation in (("drawn", drawn), ("exchanged", exchanged(drawn, random.Random(seed)))):
        script, python = in_javascript(instance, allocation, folder), in_python(instance, allocation)
        weaker = allocation.draw == "pairwise" and all(
            "lots decided" in words or "lottery" in words for words in python
        )
        if (script == "ok") != (not python or weaker):
            found.append(f"seed {seed}, {label}: {script} / {python}")
    return found


@pytest.mark.parametrize("seed", range(24))
def test_both_verifiers_say_the_same(seed: int, tmp_path: Path) -> None:
    """Of lots the script judges only where the draw is exact."""
    assert differences(seed, tmp_path) == []


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another weight": lambda run: run.update(weight=run["weight"] + 1),
    "another tolerance": lambda run: run.update(tolerance="1/9"),
    "another event": lambda run: run.update(event="another"),
    "a cost of changes": lambda run: run.update(change_cost=3),
    "another balance": lambda run: run["objective"].update(balance=run["objective"]["balance"] + 1),
    "a change": lambda run: run["objective"].update(change=1),
    "a gap": lambda run: run.update(gap=1),
    "a bound above the total": lambda run: run.update(bound=run["bound"] + 1, optimal=False, gap=-1, why="x"),
    "a reason to doubt": lambda run: run.update(why="the time ended"),
    "another engine": lambda run: run.update(engine="guess"),
    "a weaker draw": lambda run: run.update(draw="pairwise"),
    "a stranger": lambda run: run["programmes"].update(stranger={"round-0": "theme-0"}),
    "a round more": lambda run: run["programmes"]["p0"].update(night="theme-0"),
    "one person less": lambda run: run["programmes"].pop("p0"),
    "prices without an end": lambda run: run["prices"]["theme-0"]["round-0"].update({"type-0": -(2**62) + 11}),
    "prices in parts of nothing": lambda run: run.update(price_scale=0),
    "prices in parts below nothing": lambda run: run.update(price_scale=-1),
    "no prices": lambda run: run.update(prices={}),
    "no objective": lambda run: run.update(objective=None),
    "no programmes": lambda run: run.update(programmes=[]),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_script_notices_what_verify_notices(lie: str, tmp_path: Path) -> None:
    """In an event whose people and rounds have the names of what every object in JavaScript has."""
    event = event_of(3, 1, 1, 2, weight=1, seed="a seed")
    people = [Attendee(who, "type-0", ("theme-0", "theme-1", "theme-2")) for who in ("p0", "constructor", "__proto__")]
    instance = Instance(event, people)
    drawn = allocated(instance)
    document = json.loads(drawn.model_dump_json())
    LIES[lie](document)

    assert in_javascript(instance, drawn, tmp_path) == "ok"
    assert in_javascript(instance, drawn, tmp_path, json.dumps(document)).startswith("FAIL")


@pytest.mark.sweep
def test_both_verifiers_say_the_same_of_a_thousand_events(tmp_path: Path) -> None:
    """As above."""
    assert [fault for seed in range(80_000, 81_000) for fault in differences(seed, tmp_path)] == []


def test_the_script_is_short_and_needs_nothing() -> None:
    """Two hundred lines that a person can read, without a package."""
    text = SCRIPT.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 200
    assert "import " not in text
    assert text.count("require(") == 1  # node's own files, to read the two named
