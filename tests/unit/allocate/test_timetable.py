"""Network 2: each round takes its equal part of every theme, and of every type in it."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.allocate.flows.timetable import make_timetable
from functions.allocate.model.objective import heads_of
from functions.allocate.model.problem import build_problem
from tests.unit.allocate.instances import crowd, event_of


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(0, 3), st.integers(1, 4), st.integers(1, 60), st.integers(0, 2**32))
def test_rounds_that_are_alike_differ_by_one_head_at_most(
    rounds: int, more: int, types: int, people: int, seed: int
) -> None:
    """De Werra's equitable edge colouring: ⌊d/k⌋ or ⌈d/k⌉ of d heads, for themes and for types within themes."""
    rng = random.Random(seed)
    themes = rounds + more
    event = event_of(themes, rounds, types, people)
    problem = build_problem(event, crowd(event, people, rng))
    wanted = np.array([rng.sample(range(themes), rounds) for _ in range(people)], dtype=np.int16)

    places = make_timetable(problem, wanted)

    assert (np.sort(places, axis=1) == np.sort(wanted, axis=1)).all()
    by_type = heads_of(problem, places)
    for heads in (by_type, by_type.sum(axis=2)):
        assert (heads.max(axis=1) - heads.min(axis=1)).max() <= 1
