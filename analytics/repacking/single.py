"""A plan at once: the best single moves, one after the other, each node in at most one of them."""

from __future__ import annotations

import heapq
from collections import Counter

import numpy as np

from analytics.repacking.master import Limits
from analytics.repacking.part import Chosen
from analytics.repacking.pricing import NOTHING, Pricing
from analytics.repacking.state import Floats, Ints


def single_moves(pricing: Pricing, limits: Limits) -> Chosen:
    """Departures and arrivals that alone save the most together, class by class."""
    leave, come = _by_class(pricing)
    places = {c: [0, 0] for c in leave if c in come}
    left = pricing.space.bins.count.copy()
    saved = pricing.saved
    heap = [(-float(saved[leave[c][0]] + saved[come[c][0]]), c) for c in places]
    heapq.heapify(heap)
    taken: Counter[int] = Counter()
    spent_s, moves = 0.0, limits.moves
    while heap and moves:
        told, c = heapq.heappop(heap)
        pair = _next(pricing.patterns.bin, left, (leave[c], come[c]), places[c])
        if pair is None:
            continue
        gain = float(saved[list(pair)].sum())
        cost_s = spent_s + float(pricing.patterns.cost[pair[0]])
        if -gain > told + NOTHING:
            heapq.heappush(heap, (-gain, c))
        elif gain > NOTHING and cost_s <= limits.gpu_seconds:
            taken.update(pair)
            np.subtract.at(left, pricing.patterns.bin[list(pair)], 1)
            spent_s, moves = cost_s, moves - 1
            heapq.heappush(heap, (-gain, c))
    rows = np.array(sorted(taken), np.int64)
    return Chosen(rows, np.array([taken[r] for r in rows.tolist()], np.int64))


def _by_class(pricing: Pricing) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Patterns of one departure, and of one arrival, best first."""
    p = pricing.patterns
    moves, arrivals = p.moves, (p.arriving >= 0).sum(axis=1)
    saved = pricing.saved
    leave: dict[int, list[int]] = {}
    come: dict[int, list[int]] = {}
    for row in _best_first(np.flatnonzero((moves == 1) & (arrivals == 0)), saved):
        leave.setdefault(int(pricing.space.group_class[p.leaving[row, 0]]), []).append(row)
    for row in _best_first(np.flatnonzero((moves == 0) & (arrivals == 1)), saved):
        come.setdefault(int(p.arriving[row, 0]), []).append(row)
    return leave, come


def _best_first(rows: Ints, saved: Floats) -> list[int]:
    return [int(r) for r in rows[np.argsort(-saved[rows], kind="stable")]]


def _next(
    bins: Ints, left: Ints, rows: tuple[list[int], list[int]], place: list[int]
) -> tuple[int, int] | None:
    """The next departure and arrival whose bins have a node left that nothing was chosen for."""
    for side in (0, 1):
        while place[side] < len(rows[side]) and not left[bins[rows[side][place[side]]]]:
            place[side] += 1
        if place[side] == len(rows[side]):
            return None
    pair = rows[0][place[0]], rows[1][place[1]]
    if bins[pair[0]] == bins[pair[1]] and left[bins[pair[0]]] < 2:
        place[1] += 1
        return _next(bins, left, rows, place)
    return pair
