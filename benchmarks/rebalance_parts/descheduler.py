"""The rule HighNodeUtilization of the Kubernetes descheduler, as its documentation has it.

Nodes under a threshold of every resource named are drained, the emptiest first, as long as a pod
fits on another node, up to a number of evictions; the scheduler, told to prefer the most allocated
node, places what was evicted. Written anew; what the rule leaves open is tried, and the best kept.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from analytics.repacking.instance import Instance
from benchmarks.rebalance_parts.yard import Flags, Floats, Ints, Move, Yard

THRESHOLDS, EITHER = tuple(range(5, 100, 5)), (False, True)


def drained(instance: Instance, most: int) -> tuple[Move, ...]:
    """The best that any setting of the rule reaches with so many evictions or fewer."""
    least = Yard(instance).total - 1e-9
    found: tuple[Move, ...] = ()
    seen: set[tuple[object, ...]] = set()
    for percent, by_cpu, large, above in product(THRESHOLDS, EITHER, EITHER, EITHER):
        yard = Yard(instance)
        under = _under(yard, percent / 100, by_cpu=by_cpu)
        setting = (under.tobytes(), large, above)
        if under.any() and setting not in seen:
            seen.add(setting)
            reached, evictions = _drain(yard, under, most, large=large, above=above)
            if reached < least:
                least, found = reached, tuple(yard.moves[:evictions])
    return found


def _usage(yard: Yard, rows: Ints | slice = slice(None)) -> tuple[Floats, Floats]:
    """Shares of GPUs and of processors that are held, of all nodes or some."""
    free = yard.free[rows].sum(axis=1)
    return 1 - free / yard.gpu_room[rows], 1 - yard.cpu[rows] / yard.cpu_room[rows]


def _under(yard: Yard, threshold: float, *, by_cpu: bool) -> Flags:
    gpu, cpu = _usage(yard)
    return np.asarray((gpu < threshold) & ((cpu < threshold) | (not by_cpu)))


def _drain(yard: Yard, under: Flags, most: int, *, large: bool, above: bool) -> tuple[float, int]:
    """F at its best, and after how many evictions: a lower limit of them is a setting too.

    `large` evicts the largest first; with `above` nothing goes to nodes under the threshold.
    """
    gpu, cpu = _usage(yard)
    best, moved = (yard.total, 0), set[int]()
    for node in sorted(np.flatnonzero(under).tolist(), key=lambda n: (gpu[n], cpu[n])):
        tasks = sorted(
            yard.held[node] - moved,
            key=lambda t: (yard.pods[t].num_gpu * yard.pods[t].gpu_milli, t),
            reverse=large,
        )
        for task in tasks:
            if len(moved) == most:
                return best
            if yard.pods[task].movable and _evict(yard, task, ~under if above else None):
                moved.add(task)
                best = min(best, (yard.total, len(moved)))
    return best


def _evict(yard: Yard, task: int, allowed: Flags | None) -> bool:
    """Move a task to the most allocated node with room, if there is one."""
    c = int(yard.of[task])
    room = yard.has_room(c)
    room[yard.node[task]] = False
    if allowed is not None:
        room &= allowed
    nodes = np.flatnonzero(room)
    if not len(nodes):
        return False
    gpu, cpu = _usage(yard, nodes)
    node = int(nodes[np.argmax(gpu + cpu / 1000)])
    yard.move(task, node, yard.tightest(c, node))
    return True
