"""What a run gives back: `allocation.json` as the contract lists it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.models import Statement

MOST_WEIGHT = 1_000_000
"""Largest weight of a head outside its band, and largest number of parts that prices are in."""


def _fraction_of_one(value: str) -> str:
    """A tolerance as `str(Fraction)` writes it. Raises ValueError for anything else, before a number is made of it."""
    if not re.fullmatch(r"[0-9]{1,20}(/[0-9]{1,20})?", value, re.ASCII) or value.endswith("/0"):
        raise ValueError("write a fraction between 0 and 1, such as 1/4")
    known = Fraction(value)
    if known > 1 or str(known) != value:
        raise ValueError("write a fraction between 0 and 1 in its lowest terms, such as 1/4")
    return value


Engine = Literal["flow", "flow+exact", "contested-flow"]


class Objective(BaseModel):
    """The integer that was minimised, and its parts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    total: int
    rank: int
    balance: int
    change: int


class Allocation(BaseModel):
    """One run: who goes where, why, and the proof that it could not be better.

    `prices` are by theme, round and partner type, whole numbers to be divided by `price_scale`. `satisfaction` counts
    seats by choice ("1" is a first choice). `moved` holds, for everyone whose workshops differ from the previous run,
    the previous theme of each round that differs. `gap` is what the total may lie above the optimum, `why` says why it
    is not 0. `draw` says how far lots decide: "exact" where rounds are alike and the optimum is proven, between
    all allocations of least total; "pairwise" elsewhere, between any two people of one type who could exchange
    workshops of one round. `previous` is what the run was compared with, and what a keep run kept to, so that the run
    can be verified from its own file; it is written to the file and left out of `model_dump`, since it is as long as
    the programmes. `grounds` are the reasons before they were put into words; the file has the words.

    A file may be forged, so nothing is taken for what it is not: no text and no truth value for a number.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    event: str
    mode: Literal["fresh", "keep"]
    seed: str
    input_digest: str
    engine: Engine
    objective: Objective
    bound: int
    optimal: bool
    draw: Literal["exact", "pairwise"] = "exact"
    gap: int = 0
    why: str = ""
    weight: Annotated[int, Field(ge=0, le=MOST_WEIGHT)]
    tolerance: Annotated[str, AfterValidator(_fraction_of_one)]
    change_cost: Annotated[int, Field(ge=0)] = 0
    prices: dict[str, dict[str, dict[str, int]]]
    price_scale: Annotated[int, Field(le=MOST_WEIGHT)] = 1
    satisfaction: dict[str, int]
    moved: dict[str, dict[str, str]] = {}
    seconds: float = Field(ge=0, allow_inf_nan=False)
    programmes: dict[str, dict[str, str]]
    reasons: dict[str, str]
    grounds: dict[str, tuple[Statement, ...]] = Field(default={}, exclude=True, repr=False)
    previous: dict[str, dict[str, str]] | None = Field(default=None, exclude=True, repr=False)
