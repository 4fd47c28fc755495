"""What a node could gain at given prices, by trying every departure and arrival on it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

from analytics.repacking.instance import Instance, Pod
from analytics.repacking.master import Prices
from tests.analytics.repacking import proof
from tests.analytics.repacking.parts import Parts
from tests.analytics.repacking.worlds import has_room

# Any GPUs will do for this question, so none are named.
UNSUITED = "not as many GPUs as it needs"


def most(
    instance: Instance,
    parts: Parts,
    prices: Prices,
    at: int,
    moves: int,
    *,
    from_elsewhere: bool = False,
) -> float:
    """Of F, with at most so many departures and so many arrivals of tasks that may move.

    Only those that are elsewhere, and no more moves together, if so asked.
    """
    name, of = instance.nodes[at].name, parts.classes.of.tolist()
    mine = [i for i, p in enumerate(instance.pods) if p.node == name and p.movable]
    first = {c: i for i, c in reversed(list(enumerate(of))) if instance.pods[i].movable}
    supply = Counter(c for i, c in enumerate(of) if instance.pods[i].movable)
    if from_elsewhere:
        supply -= Counter(of[i] for i in mine)
    yard, words = proof.rooms(instance), proof.known_words(instance)
    comers = [
        (instance.pods[i], float(prices.of_class[c]), supply[c])
        for c, i in first.items()
        if supply[c]
        and not any(w != UNSUITED for w in proof.against(instance.pods[i], yard, name, (), words))
    ]
    now, best = proof.of_room(yard[name], instance.target), 0.0
    for n, m in product(range(moves + 1), repeat=2):
        for gone in combinations(mine, n) if n + m <= (1 + (not from_elsewhere)) * moves else ():
            paid = sum(
                prices.of_class[of[i]]
                + prices.of_move
                + prices.of_cost * instance.pods[i].cost_gpu_seconds
                for i in gone
            )
            room = proof.rooms(instance)[name]
            for i in gone:
                room.ends(instance.pods[i], instance.pods[i].gpu_ids)
            worth = _filled(room, comers, m, instance)
            best = max(best, now + paid + worth)
    return float(best)


def _filled(
    room: proof.Room, comers: list[tuple[Pod, float, int]], arrivals: int, instance: Instance
) -> float:
    """The most that so many more arrivals make of a node."""
    if not arrivals:
        return -proof.of_room(room, instance.target)
    found = float("-inf")
    for i, (task, price, supply) in enumerate(comers):
        tried = set()
        rest = [(task, price, supply - 1)] * (supply > 1) + comers[i + 1 :]
        for gpus in combinations(range(len(room.free)), task.num_gpu):
            like = tuple(room.free[g] for g in gpus)
            if like not in tried and has_room(room, task, gpus):
                tried.add(like)
                room.holds(task, gpus)
                found = max(found, _filled(room, rest, arrivals - 1, instance) - price)
                room.ends(task, gpus)
    return found
