"""Where rounds are alike: each takes its equal part of every theme, and of every partner type in it.

Of d heads each of k rounds takes ⌊d/k⌋ or ⌈d/k⌉, for every theme and every (theme, type). Nothing is contested here:
such an order always exists (de Werra's equitable edge colouring), and it costs what network 1 charged.

Two rounds are made equal at a time. A person with themes a and b in them is an edge between a and b in the network of
their type; people of one type with the same two themes cancel out two by two. A walk along unused edges that ends
where it began enters every node as often as it leaves it, so if every edge is walked once, and a person takes the theme
walked from in one round and the theme walked to in the other, both rounds have equally many heads of each. Where a
number of heads is odd, one more edge leads from the head to its theme, and from there to a sink that all themes share:
so themes differ by one head at most as well. Each step lowers a sum of squares of heads, so the end is reached.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from functions.allocate.model.problem import Ints, Places


def in_equal_rounds(sets: Places, partner_type: Ints, themes: int) -> Places:
    """The themes of each person, a row each and as many as there are rounds, in rounds: by person and round."""
    rounds = sets.shape[1]
    types = int(partner_type.max(initial=0)) + 1
    by_theme = np.sort(sets, axis=1)
    order = np.lexsort((*by_theme.T[::-1], partner_type))
    places = np.empty_like(sets)
    turn = np.arange(len(sets))
    for column in range(rounds):  # neighbours in the order have much in common, so this alone is nearly equal
        places[order, (turn + column) % rounds] = by_theme[order, column]
    heads = [_heads(column, partner_type, themes, types) for column in places.T]
    unequal = True
    while unequal:
        unequal = False
        for one, other in combinations(range(rounds), 2):
            if not _equal(heads[one], heads[other]):
                unequal = True
                _make_equal(places, one, other, partner_type, themes)
                for r in (one, other):
                    heads[r] = _heads(places[:, r], partner_type, themes, types)
    return places


def _heads(column: Places, partner_type: Ints, themes: int, types: int) -> Ints:
    """Heads of a round by theme and type."""
    code = column.astype(np.int64) * types + partner_type
    return np.bincount(code, minlength=themes * types).reshape(themes, types)


def _equal(one: Ints, other: Ints) -> bool:
    """Whether two rounds differ by one head at most, for themes and for types within themes."""
    more = one - other
    return bool((np.abs(more) <= 1).all() and (np.abs(more.sum(axis=1)) <= 1).all())


def _make_equal(places: Places, one: int, other: int, partner_type: Ints, themes: int) -> None:
    """Make two rounds equal; in place."""
    low = np.minimum(places[:, one], places[:, other]).astype(np.int64)
    high = np.maximum(places[:, one], places[:, other]).astype(np.int64)
    code = (partner_type * themes + low) * themes + high
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    size = np.diff(np.append(begins, len(order)))
    low_first = (np.arange(len(order)) - np.repeat(begins, size)) % 2 == 0
    last = (begins + size - 1)[size % 2 == 1]
    kind, pair = np.divmod(ordered[last], themes * themes)
    tail, head = np.divmod(pair, themes)
    low_first[last] = _along_walks((kind * themes + tail).tolist(), (kind * themes + head).tolist(), themes)
    places[order, one] = np.where(low_first, low[order], high[order])
    places[order, other] = np.where(low_first, high[order], low[order])


def _along_walks(tails: list[int], heads: list[int], themes: int) -> list[bool]:
    """Whether each edge is walked from its tail to its head, when every node is entered as often as left.

    Nodes are heads, numbered by type and theme; themes follow, and the sink.
    """
    edges: list[tuple[int, int]] = list(zip(tails, heads, strict=True))
    people = len(edges)
    odd: set[int] = set()
    for tail, head in edges:
        odd ^= {tail, head}
    odd_themes: set[int] = set()
    first_theme = max(heads, default=0) + 1
    sink = first_theme + themes
    for node in sorted(odd):
        theme = first_theme + node % themes
        edges.append((node, theme))
        odd_themes ^= {theme}
    edges += [(theme, sink) for theme in sorted(odd_themes)]
    ahead: list[list[int]] = [[] for _ in range(sink + 1)]
    for number, (tail, head) in enumerate(edges):
        ahead[tail].append(number)
        ahead[head].append(number)
    walked: list[bool | None] = [None] * len(edges)
    for start in range(sink + 1):
        node = start
        while ahead[node]:
            number = ahead[node].pop()
            if walked[number] is None:
                tail, head = edges[number]
                walked[number] = node == tail
                node = head if node == tail else tail
    return [bool(way) for way in walked[:people]]
