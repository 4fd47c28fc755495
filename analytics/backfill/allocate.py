"""Which GPUs of its nodes a run had: told where somebody told, else assumed.

Accounting counts GPUs and does not name them. A run that had all of a node is exact. Of the others
those are taken that an exporter named, then those whose use began and ended with the run, then the
lowest. No GPU is given twice, so that what a node did adds up whatever was assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analytics.backfill.sacct import Run

# How well GPUs of one node fit a run: the more the better.
Fit = Callable[[str, int, datetime, datetime], float]
Told = Mapping[tuple[str, str], frozenset[int]]


@dataclass(frozen=True)
class Given:
    """GPUs of one node that a run had until `ended`; `told` unless they were assumed."""

    run: Run
    node: str
    slots: tuple[int, ...]
    ended: datetime
    told: bool


@dataclass
class Lacks:
    """What could not be given: GPUs, by the reason."""

    unknown_nodes: dict[str, int] = field(default_factory=dict)
    too_many: int = 0


@dataclass
class _Node:
    """One node as runs come and go."""

    slots: tuple[int, ...]
    free: set[int]
    ends: list[tuple[datetime, tuple[int, ...]]] = field(default_factory=list)

    def release(self, at: datetime) -> None:
        """Take back what ended by then."""
        for ended, slots in self.ends:
            if ended <= at:
                self.free.update(slots)
        self.ends = [e for e in self.ends if e[0] > at]


class Allocator:
    """Gives GPUs to runs in the order in which they began.

    `places` has the slots of each node, `told` the slots that an exporter named for a job on a
    node, `fit` judges what nobody named.
    """

    def __init__(
        self, places: Mapping[str, Sequence[int]], told: Told, fit: Fit, until: datetime
    ) -> None:
        self._nodes = {n: _Node(tuple(sorted(s)), set(s)) for n, s in places.items()}
        self._known = known_by(places)
        self._told = told
        self._fit = fit
        self._until = until
        self.lacks = Lacks()

    def given(self, runs: Iterable[Run]) -> Iterator[Given]:
        """Every GPU that each run had, node by node."""
        begun = (r for r in runs if r.hosts and r.started < self._until)
        for run in sorted(begun, key=lambda r: (r.started, r.native, r.restart)):
            yield from self._of_run(run)

    def _of_run(self, run: Run) -> Iterator[Given]:
        ended = min(run.ended, self._until)
        if ended <= run.started:
            return
        nodes = [self._known.get(h) or self._known.get(short(h)) for h in run.hosts]
        sizes = [len(self._nodes[n].slots) if n else 0 for n in nodes]
        known = [n for n in nodes if n]
        for host, node in zip(run.hosts, nodes, strict=True):
            if node is None:
                missed = -(-run.gpus // len(run.hosts))
                self.lacks.unknown_nodes[host] = self.lacks.unknown_nodes.get(host, 0) + missed
        if not known:
            return
        shares = spread(run.gpus * len(known) // len(nodes) or 1, [s for s in sizes if s])
        for node, share in zip(known, shares, strict=True):
            yield from self._of_node(run, node, share, ended)

    def _of_node(self, run: Run, name: str, share: int, ended: datetime) -> Iterator[Given]:
        node = self._nodes[name]
        node.release(run.started)
        told = self._told.get((run.native.partition("@")[0], name), frozenset()) & set(node.slots)
        taken, exact = self._choose(run, name, share, ended, told)
        self.lacks.too_many += max(0, share - len(taken))
        if taken:
            node.free.difference_update(taken)
            node.ends.append((ended, taken))
            yield Given(run, name, taken, ended, exact)

    def _choose(
        self, run: Run, name: str, share: int, ended: datetime, told: frozenset[int]
    ) -> tuple[tuple[int, ...], bool]:
        node = self._nodes[name]
        if share >= len(node.free):
            exact = len(node.free) == len(node.slots) or node.free == told
            return tuple(sorted(node.free)), exact
        named = told & node.free
        if len(named) == share:
            return tuple(sorted(named)), True
        best = sorted(
            node.free,
            key=lambda s: (s not in named, -self._fit(name, s, run.started, ended), s),
        )
        return tuple(sorted(best[:share])), False


def spread(total: int, sizes: Sequence[int]) -> list[int]:
    """A number of GPUs over nodes of these sizes, as evenly as they hold it."""
    out = [0] * len(sizes)
    left = min(total, sum(sizes))
    while left:
        open_nodes = [i for i, size in enumerate(sizes) if out[i] < size]
        each = max(1, left // len(open_nodes))
        for i in open_nodes:
            more = min(each, sizes[i] - out[i], left)
            out[i] += more
            left -= more
    return out


def known_by(places: Iterable[str]) -> dict[str, str]:
    """Node by its name, and by its name without a domain where that is nobody else's."""
    names = sorted(places)
    counts: dict[str, int] = {}
    for name in names:
        counts[short(name)] = counts.get(short(name), 0) + 1
    shorts = {short(n): n for n in names if counts[short(n)] == 1}
    return {**shorts, **{n: n for n in names}}


def short(name: str) -> str:
    """The name without its domain."""
    return name.partition(".")[0]
