"""How many more tasks could fit after a full repack, at most: a bound that needs no plan.

Whole GPUs only: a node is a bin, a task an item of as many units. How many bins items need at
least is bounded by Martello and Toth's L2 ("Lower bounds and reduction procedures for the bin
packing problem", 1990); the most new items with which it stays within the nodes is an upper bound
of what any repack could make room for. Shares of GPUs are as few whole ones as they add up to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Items = Mapping[int, int]  # size to how many


def bins_needed(items: Items, size: int) -> int:
    """Bins of `size` that the items need at least; L2."""
    return max((_l2(items, size, small) for small in range(size // 2 + 1)), default=0)


def _l2(items: Items, size: int, small: int) -> int:
    """With items below `small` left out; those above half a bin need one each."""
    large = sum(n for s, n in items.items() if s > size - small)
    half = {s: n for s, n in items.items() if size / 2 < s <= size - small}
    few = sum(half.values())
    rest = sum(s * n for s, n in items.items() if max(small, 1) <= s <= size / 2)
    room = few * size - sum(s * n for s, n in half.items())
    return large + few + max(0, -(-(rest - room) // size))


def most_slots(capacities: Sequence[int], held: Items, size: int) -> int:
    """Upper bound of new tasks of `size` GPUs, each on one node, after any repack.

    `capacities` are GPUs of the nodes that can be had, `held` the tasks on them.
    """
    if not capacities or size < 1:
        return 0
    largest = max(capacities)
    fixed = Counter(largest - c for c in capacities if c < largest)
    items = Counter({s: n for s, n in held.items() if s}) + fixed
    free = sum(capacities) - sum(s * n for s, n in held.items())
    low, high = 0, max(0, min(free // size, sum(c // size for c in capacities)))
    while low < high:
        middle = (low + high + 1) // 2
        tried = items + Counter({size: middle})
        low, high = (
            (middle, high) if bins_needed(tried, largest) <= len(capacities) else (low, middle - 1)
        )
    return low
