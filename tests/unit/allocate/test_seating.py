"""Who is seated straight away and who has to give way: together they are a maximum flow of what is contested."""

from __future__ import annotations

import time

import numpy as np
import pytest

from functions.allocate.flows.contested import settle
from functions.allocate.flows.market import Settled, heads_range
from functions.allocate.flows.themes import theme_supply
from functions.allocate.flows.two_flows import _crowd
from tests.benchmarks.allocation import Case, make_people, problem_of


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "case", [Case(130, 20, partial=True), Case(200, 9), Case(90, 12, 3)], ids=lambda case: case.name
)
def test_every_workshop_gets_as_many_heads_as_its_price_says(case: Case, seed: int) -> None:
    """Complementary slackness: a theme with a price is full, and no type has more or fewer heads than is best."""
    problem = problem_of(make_people(case, seed))
    supply = theme_supply(problem)
    settled = settle(_crowd(problem), supply, time.monotonic() + 60)
    assert isinstance(settled, Settled)
    themes, _, types = problem.shape
    heads = np.zeros((themes, types), dtype=np.int64)
    for column in settled.sets.T:
        np.add.at(heads, (column, problem.partner_type), 1)
    low, high = heads_range(supply, settled.prices)
    assert ((low <= heads) & (heads <= high)).all()
    total = heads.sum(axis=1)
    assert (total <= supply.most).all()
    assert (total == supply.most)[settled.prices.seats > 0].all()
