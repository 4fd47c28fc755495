"""Where a request fits: the only `fits()`; and which free GPUs the waiting queue would fill."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analytics.cells import MINUTE_MS, NODE_STATES, TOLD, allocations_sql, within
from gpuledger import partitions
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import FreeState
from gpuledger.states import LedgerSettings, in_list
from gpuledger.store import Store

# Demand is work refused for capacity: Slurm's words for it. Dependency, hold, begin time, array
# throttle and a user's own limit are not (design: demand).
CAPACITY_REASONS = ("", "None", "Resources", "Priority")


@dataclass(frozen=True)
class Shape:
    """What a request asks of each of its nodes. Milli-CPUs, MiB; "" and 0 ask for nothing.

    Any one of its pools will do.
    """

    gpus: int
    nodes: int = 1
    cpu_milli: int = 0
    memory_mib: int = 0
    gpu_model: str = ""
    pools: frozenset[str] = frozenset()


@dataclass
class Node:
    """What a node has left. A capacity of 0 is unknown and binds nothing."""

    name: str
    gpu_model: str = ""
    pools: frozenset[str] = frozenset()
    cpu_milli: int = 0
    memory_mib: int = 0
    up: bool = True
    free: set[int] = field(default_factory=set)
    cpu_used: int = 0
    memory_used: int = 0


@dataclass(frozen=True, order=True)
class Waiting:
    """A waiting job in the order in which the queue is served."""

    rank: tuple[int, int, str]
    job_id: str = field(compare=False)
    shape: Shape = field(compare=False)


def fits(node: Node, shape: Shape) -> bool:
    """Whether one node's share of a request could start there now."""
    return (
        node.up
        and len(node.free) >= shape.gpus
        and (not shape.gpu_model or shape.gpu_model.lower() in node.gpu_model.lower())
        and (not shape.pools or not node.pools or not shape.pools.isdisjoint(node.pools))
        and (not node.cpu_milli or node.cpu_milli - node.cpu_used >= shape.cpu_milli)
        and (not node.memory_mib or node.memory_mib - node.memory_used >= shape.memory_mib)
    )


def choose(nodes: Iterable[Node], shape: Shape) -> list[Node]:
    """Nodes for the whole request, fullest first so that big holes stay; none if it cannot fit."""
    open_nodes = [n for n in nodes if fits(n, shape)]
    best = heapq.nsmallest(shape.nodes, open_nodes, key=lambda n: (len(n.free), n.name))
    return best if len(best) == shape.nodes else []


def place(queue: Iterable[Waiting], nodes: Mapping[str, Node]) -> dict[int, str]:
    """GPU to waiting job, serving the queue in order; gangs whole or not at all.

    The nodes are left as they were.
    """
    candidates = [_copy(n) for n in nodes.values() if n.free and n.up]
    wanted: dict[int, str] = {}
    hopeless: set[Shape] = set()
    for job in sorted(queue):
        if job.shape in hopeless:
            continue
        chosen = choose(candidates, job.shape)
        if not chosen:
            hopeless.add(job.shape)
        for node in chosen:
            wanted.update(dict.fromkeys(_take(node, job.shape), job.job_id))
        candidates = [n for n in candidates if n.free]
    return wanted


def _copy(node: Node) -> Node:
    return Node(**{**node.__dict__, "free": set(node.free)})


def _take(node: Node, shape: Shape) -> list[int]:
    """Give a node's lowest free GPUs to a request."""
    taken = sorted(node.free)[: shape.gpus]
    node.free.difference_update(taken)
    node.cpu_used += shape.cpu_milli
    node.memory_used += shape.memory_mib
    return taken


class Placement:
    """Writes `free_states` of a window: which free GPUs the eligible queue would fill, and when."""

    def __init__(self, store: Store, settings: LedgerSettings | None = None) -> None:
        self._store = store
        self._settings = settings or LedgerSettings()

    def write(self, since: datetime, until: datetime) -> None:
        """Replace the free states of the hours from `since` to `until`."""
        rows = list(self.free_states(since, until))
        hours = range(to_milliseconds(since) // 1000, -(-to_milliseconds(until) // 1000), 3600)
        partitions.drop(self._store, FreeState.table, map(str, hours))
        # One INSERT may touch at most 100 partitions, and a window has at most 24 hours.
        self._store.insert_rows(rows)

    def free_states(self, since: datetime, until: datetime) -> Iterator[FreeState]:
        """Intervals of free GPUs that waiting work would fill, cut at whole hours."""
        timeline = _Timeline(self._nodes(since, until))
        for event in self._events(since, until):
            timeline.add(event)
        for start, stop, gpu, job in timeline.play(to_milliseconds(since), to_milliseconds(until)):
            for a, b in _by_hour(start, stop):
                yield FreeState(
                    gpu_id=gpu,
                    valid_from=from_milliseconds(a),
                    valid_to=from_milliseconds(b),
                    state="free_demand",
                    job_id=job,
                )

    def _nodes(self, since: datetime, until: datetime) -> dict[str, Node]:
        lo, hi = to_milliseconds(since), to_milliseconds(until)
        rows = self._store.select(_NODES_SQL, lo=lo, hi=hi)
        return {
            f"{r['cluster']}/{r['node']}": Node(
                name=f"{r['cluster']}/{r['node']}",
                gpu_model=r["gpu_model"],
                pools=_pools(r["pools"]),
                cpu_milli=r["cpu_milli"],
                memory_mib=r["memory_mib"] or 0,
                free=set(r["gpus"]),
            )
            for r in rows
        }

    def _events(self, since: datetime, until: datetime) -> Iterator[_Event]:
        lo, hi = to_milliseconds(since), to_milliseconds(until)
        kinds: tuple[tuple[str, Callable[[Mapping[str, Any]], _What]], ...] = (
            (_holdings_sql(self._settings), _holding),
            (_LOST_SQL, _lost),
            (_OUTAGES_SQL, _outage),
            (_QUEUE_SQL, _waiting),
        )
        for sql, read in kinds:
            for r in self._store.select(sql, lo=lo, hi=hi, until=hi):
                yield from _edges(r["f"], r["t"], read(r), lo, hi)


@dataclass(frozen=True)
class _Holding:
    """GPUs, milli-CPUs and MiB of one node that nobody else can have."""

    place: str
    gpus: frozenset[int]
    cpu_milli: int = 0
    memory_mib: int = 0


@dataclass(frozen=True)
class _Outage:
    """A node that takes no work."""

    place: str


_What = _Holding | _Outage | Waiting


@dataclass(frozen=True)
class _Event:
    """Something begins (+1) or ends (-1) at a millisecond."""

    at: int
    step: int
    what: _What


def _edges(f: int, t: int, what: _What, lo: int, hi: int) -> Iterator[_Event]:
    if f < hi and t > lo and t > f:
        yield _Event(max(f, lo), +1, what)
        if t < hi:
            yield _Event(t, -1, what)


def _holding(row: Mapping[str, Any]) -> _Holding:
    return _Holding(row["place"], frozenset(row["gpus"]), row["cpu_milli"], row["memory_mib"])


def _lost(row: Mapping[str, Any]) -> _Holding:
    return _Holding(row["place"], frozenset([row["gpu_id"]]))


def _outage(row: Mapping[str, Any]) -> _Outage:
    return _Outage(row["place"])


def _pools(joined: str) -> frozenset[str]:
    return frozenset(p for p in joined.split(",") if p)


def _waiting(row: Mapping[str, Any]) -> Waiting:
    shape = Shape(
        gpus=row["gpus_per_node"],
        nodes=row["nodes"],
        cpu_milli=row["cpu_milli"],
        memory_mib=row["memory_mib"] or 0,
        gpu_model=row["gpu_model"],
        pools=_pools(row["pool"]),
    )
    return Waiting((-row["priority"], row["f"], row["job_id"]), row["job_id"], shape)


class _Timeline:
    """Plays beginnings and ends in order of time, asking `place` whenever something changed."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self._nodes = nodes
        self._gpus = {name: frozenset(n.free) for name, n in nodes.items()}
        self._holds: dict[int, int] = {}
        self._downs: dict[str, int] = {}
        self._queue: set[Waiting] = set()
        self._events: list[_Event] = []

    def add(self, event: _Event) -> None:
        self._events.append(event)

    def play(self, since: int, until: int) -> Iterator[tuple[int, int, int, str]]:
        """(from, until, GPU, job) of every stretch in which a free GPU was wanted."""
        wanted: dict[int, tuple[int, str]] = {}
        for at, events in _grouped(self._events):
            for event in events:
                self._apply(event)
            wanted, ended = _changed(wanted, self._wanted(), max(at, since))
            yield from ended
        yield from ((start, until, gpu, job) for gpu, (start, job) in wanted.items())

    def _wanted(self) -> dict[int, str]:
        return place(self._queue, self._nodes) if self._queue else {}

    def _apply(self, event: _Event) -> None:
        what = event.what
        if isinstance(what, Waiting):
            (self._queue.add if event.step > 0 else self._queue.discard)(what)
        elif what.place not in self._nodes:
            return
        elif isinstance(what, _Outage):
            self._downs[what.place] = self._downs.get(what.place, 0) + event.step
            self._nodes[what.place].up = self._downs[what.place] == 0
        else:
            self._hold(self._nodes[what.place], what, event.step)

    def _hold(self, node: Node, holding: _Holding, step: int) -> None:
        for gpu in holding.gpus & self._gpus[node.name]:
            self._holds[gpu] = self._holds.get(gpu, 0) + step
            (node.free.discard if self._holds[gpu] else node.free.add)(gpu)
        node.cpu_used += step * holding.cpu_milli
        node.memory_used += step * holding.memory_mib


def _grouped(events: Iterable[_Event]) -> Iterator[tuple[int, list[_Event]]]:
    """Events by time; ends come before beginnings of the same millisecond."""
    groups: dict[int, list[_Event]] = {}
    for event in events:
        groups.setdefault(event.at, []).append(event)
    for at in sorted(groups):
        yield at, sorted(groups[at], key=lambda e: e.step)


def _changed(
    before: dict[int, tuple[int, str]], now: dict[int, str], at: int
) -> tuple[dict[int, tuple[int, str]], list[tuple[int, int, int, str]]]:
    """What is wanted from now on, and the stretches that just ended."""
    kept = {g: (s, j) for g, (s, j) in before.items() if now.get(g) == j}
    ended = [(s, at, g, j) for g, (s, j) in before.items() if g not in kept and at > s]
    return {**{g: (at, j) for g, j in now.items()}, **kept}, ended


def _by_hour(start: int, stop: int) -> Iterator[tuple[int, int]]:
    hour = 3_600_000
    while start < stop:
        edge = min(stop, (start // hour + 1) * hour)
        yield start, edge
        start = edge


_NODES_SQL = f"""
SELECT a.cluster AS cluster, a.node AS node, groupArray(a.gpu_id) AS gpus,
  any(if(n.gpu_model = '', a.model, n.gpu_model)) AS gpu_model, any(n.pools) AS pools,
  any(n.cpu_milli) AS cpu_milli, any(n.memory_mib) AS memory_mib
FROM ({within("assets")}) AS a
LEFT JOIN (SELECT cluster, node, argMax(gpu_model, valid_from) AS gpu_model,
    argMax(pools, valid_from) AS pools, argMax(cpu_milli, valid_from) AS cpu_milli,
    argMax(memory_mib, valid_from) AS memory_mib
  FROM ({within("node_states")}) GROUP BY cluster, node) AS n
  ON n.cluster = a.cluster AND n.node = a.node
GROUP BY cluster, node
"""


def _holdings_sql(settings: LedgerSettings) -> str:
    return f"""
SELECT concat(a.cluster, '/', a.node) AS place, groupArray(a.gpu_id) AS gpus, a.f AS f, a.t AS t,
  any(j.cpu_milli) AS cpu_milli, ifNull(any(j.memory_mib), 0) AS memory_mib
FROM ({allocations_sql(settings)}) AS a
LEFT JOIN (SELECT job_id, cpu_milli, memory_mib FROM jobs FINAL
  WHERE toUnixTimestamp64Milli(ended) > {{lo:Int64}}) AS j ON j.job_id = a.job_id
GROUP BY place, a.job_id, f, t
"""


# Runs of minutes that the book calls lost. A GPU that tells nothing stays a place: silence of its
# agent does not mean that the scheduler could not use it.
_LOST_SQL = f"""
SELECT concat(a.cluster, '/', a.node) AS place, w.gpu_id AS gpu_id,
  min(w.minute) AS f, max(w.minute) + {MINUTE_MS} AS t
FROM (SELECT gpu_id, minute, minute - {MINUTE_MS} * row_number() OVER (
    PARTITION BY gpu_id ORDER BY minute) AS run
  FROM ({TOLD}) WHERE lost) AS w
JOIN ({within("assets")}) AS a ON a.gpu_id = w.gpu_id
GROUP BY place, gpu_id, w.run
"""

_OUTAGES_SQL = f"""
SELECT concat(cluster, '/', node) AS place, f, t FROM ({NODE_STATES})
WHERE state NOT IN ('up', '') AND f < {{hi:Int64}} AND t > {{lo:Int64}}
"""

_QUEUE_SQL = f"""
SELECT job_id, priority, nodes, gpus_per_node, cpu_milli, memory_mib, gpu_model, pool,
  toUnixTimestamp64Milli(eligible) AS f, toUnixTimestamp64Milli(least(started, ended)) AS t
FROM jobs FINAL
WHERE gpus_per_node > 0 AND f < {{hi:Int64}} AND t > {{lo:Int64}}
  AND (state != 'pending' OR reason IN {in_list(CAPACITY_REASONS)})
"""
