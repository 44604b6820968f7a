"""Network 1 for crowds in which hardly two people are alike: prices tell what is contested, a flow settles it.

Prices are all that the dual of network 1 knows: `D(prices)` adds what everyone pays for their cheapest themes to what
the workshops pay back, and the largest D is the least cost (`model/bound.py`). D is concave with bends at whole numbers
only, and L♮-concave: it is at its largest where no set of prices can be raised by 1, or lowered by 1, together to gain
(K. Murota, Discrete Convex Analysis, SIAM 2003).

1. A sample with seats scaled down gives a first guess, theme by theme and then for many themes at once.
2. At these prices everyone has themes they are *sure* of, clearly among the cheapest, and themes that are *out*.
   People for whom several themes are as dear as the dearest they want are *contested*. People of one type with the
   same contested themes and as many seats open are one group, so there are few, whatever the crowd.
3. A maximum flow (NetworkX) seats what is contested. If seats and bands hold for all, primal equals dual and the answer
   is exact. If not, its minimum cut names the prices to move: those gain most. Go on at 2. A step gains at least 1, so
   the end is reached; there are about as many steps as the guess was wrong by (Murota and Shioura, 2014).
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from functions.allocate.flows.crowd import Crowd
from functions.allocate.flows.first_guess import PACE, SAMPLE, first_guess, sample
from functions.allocate.flows.market import Market, Settled, follow
from functions.allocate.flows.prices import Prices
from functions.allocate.flows.seating import Seating
from functions.allocate.flows.themes import ThemeSupply
from functions.allocate.model.problem import NoAllocationError
from shared.i18n import told


def settle(crowd: Crowd, supply: ThemeSupply, deadline: float) -> Settled | Prices:
    """Solve network 1 for people who are all different; only the prices reached at `deadline` (monotonic seconds).

    Raises NoAllocationError when the seats do not suffice.
    """
    supply = _from_zero(supply)
    market = (
        first_guess(crowd, supply, deadline)
        if len(crowd) <= 8 * SAMPLE
        else Market(crowd, supply, _near(crowd, supply, deadline))
    )
    cleared, seating = _clear(market, deadline)
    return cleared.settled(seating.given) if seating is not None and seating.complete else cleared.prices


def _near(crowd: Crowd, supply: ThemeSupply, deadline: float) -> Prices:
    """Prices that clear a sample of the crowd."""
    market = first_guess(*sample(crowd, supply), deadline)
    try:
        return _clear(market, deadline)[0].prices
    except NoAllocationError:  # not all wishes of just these people can be met; of all people they may
        return market.prices


def _clear(market: Market, deadline: float) -> tuple[Market, Seating | None]:
    """Move prices until everything contested can be seated, or until `deadline` (monotonic seconds).

    Nothing is seated once the deadline has come: far from the right prices nearly everybody is contested.

    Raises NoAllocationError when prices would have to rise without end.
    """
    mark, count, seating = market, 0, None
    while time.monotonic() < deadline and not (seating := Seating(market)).complete:
        count += 1
        before, market = market, follow(market, seating.direction())
        if market is before:
            raise NoAllocationError(told("the seats of all rounds together do not suffice"))
        if count % PACE == 0:
            market, mark = follow(market, market.prices_since(mark)), market
    return market, seating


def _from_zero(supply: ThemeSupply) -> ThemeSupply:
    """The same supply, without bounds that heads cannot be below anyway."""
    least, most, lower, upper = (
        np.maximum(counts, 0) for counts in (supply.least, supply.most, supply.lower, supply.upper)
    )
    return replace(supply, least=least, most=most, lower=lower, upper=upper)
