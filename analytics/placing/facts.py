"""What placement reads: nodes, what is held and lost on them, the queue, and what usually runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.booking.activity import TOLD
from analytics.booking.intervals import MINUTE_MS, within
from analytics.booking.nodes import NODE_STATES
from analytics.booking.occupancy import allocations_sql
from analytics.placing import words
from analytics.placing.judge import Usual
from analytics.placing.queue import CAPACITY, QUOTA, Waiting
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import WHOLE, Kind, Node, Run, Shape, Wish
from gpuledger.accelerators import profile_share
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings, in_list

DAY_MS = 86_400_000
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Lost:
    """A GPU that nobody can have."""

    gpu: int


@dataclass(frozen=True)
class Outage:
    """A node that takes no work."""


@dataclass(frozen=True)
class Reserved:
    """A node that is kept for somebody."""


@dataclass(frozen=True)
class Member:
    """A job of a gang that runs."""

    gang: str


@dataclass(frozen=True)
class Event:
    """Something begins (+1) or ends (-1) at a millisecond, at a node or (empty) in the queue."""

    at: int
    step: int
    place: str
    what: Run | Lost | Outage | Reserved | Member | Waiting


@dataclass(frozen=True)
class Span:
    """From when until when, in milliseconds since 1970."""

    lo: int
    hi: int


@dataclass
class Facts:
    """Everything that placing the queue of a window rests on."""

    nodes: dict[str, Node] = field(default_factory=dict)
    slices: dict[int, dict[str, int]] = field(default_factory=dict)  # card: UUID and size
    events: list[Event] = field(default_factory=list)
    usual: list[Usual] = field(default_factory=list)


def read(store: Reader, span: Span, ledger: LedgerSettings, placement: PlacementSettings) -> Facts:
    """The facts of a window."""
    shapes = _Shapes(placement.one_island)
    waiting = list(_waiting(store, span, shapes))
    usual = list(_usual(store, span, placement, shapes))
    slices = _slices(store)
    nodes = _nodes(store, span, shapes, slices)
    events = [
        *_at_nodes(store, span, ledger),
        *(e for f, t, job in waiting for e in _edges(span, f, t, "", job)),
        *_members(store, span),
    ]
    return Facts(nodes, slices, events, usual)


class _Shapes:
    """Requests as shapes, each once; and the words and nodes that any of them names."""

    def __init__(self, one_island: Iterable[str]) -> None:
        self._one_island = frozenset(one_island)
        self._known: dict[Shape, Shape] = {}
        self._wishes: dict[tuple[str, ...], Wish] = {}
        self.words: set[str] = set()
        self.names: set[str] = set()

    def of(self, row: Told) -> Shape:
        """The shape of a row of jobs."""
        wish = self._wish(row)
        shape = Shape(
            gpus=row["gpus_per_node"],
            nodes=row["nodes"],
            cpu_milli=row["cpu_milli"],
            memory_mib=row["memory_mib"] or 0,
            share_milli=min(row["share_milli"] or WHOLE, WHOLE),
            exclusive="exclusive" in row["constraints"].split(","),
            together=not self._one_island.isdisjoint(wish.pools),
            wish=wish,
        )
        return self._known.setdefault(shape, shape)

    def _wish(self, row: Told) -> Wish:
        told = (row["cluster"], row["gpu_model"], row["pool"], row["constraints"])
        wish = self._wishes.get(told)
        if wish is None:
            asked = words.constraints(row["constraints"])
            wish = Wish(
                cluster=row["cluster"],
                gpu_model=row["gpu_model"],
                pools=words.listed(row["pool"]),
                words=asked.words,
                on=asked.on,
                off=asked.off,
            )
            self.words |= wish.words
            self.names |= wish.on | wish.off
            self._wishes[told] = wish
        return wish


def _nodes(
    store: Reader, span: Span, shapes: _Shapes, slices: Mapping[int, dict[str, int]]
) -> dict[str, Node]:
    rows = store.select(_NODES_SQL, lo=span.lo, hi=span.hi)
    known: dict[str, frozenset[str]] = {}
    for cluster in {r["cluster"] for r in rows}:
        labels = [words.listed(r["labels"]) for r in rows if r["cluster"] == cluster]
        known[cluster] = words.known(shapes.words, labels)
    kinds: dict[Kind, Kind] = {}
    return {
        f"{r['cluster']}/{r['node']}": _node(r, slices, shapes, known[r["cluster"]], kinds)
        for r in rows
    }


def _node(
    row: Told,
    slices: Mapping[int, dict[str, int]],
    shapes: _Shapes,
    known: frozenset[str],
    kinds: dict[Kind, Kind],
) -> Node:
    cut = {g: tuple(slices[g].values()) for g in row["gpus"] if slices.get(g)}
    whole = {g for g in row["gpus"] if g not in cut}
    shared = words.offers_shares(row["shares"])
    kind = Kind(
        cluster=row["cluster"],
        name=row["node"] if row["node"] in shapes.names else "",
        gpu_model=row["gpu_model"],
        pools=words.listed(row["pools"]),
        labels=words.listed(row["labels"]) & known,
        known_words=known,
        tainted=words.repels(row["taints"]),
        gpus=len(whole),
        cut=len(cut),
        parts=bool(cut) or shared,
        cpu_milli=row["cpu_milli"],
        memory_mib=row["memory_mib"] or 0,
    )
    return Node(
        name=f"{row['cluster']}/{row['node']}",
        kind=kinds.setdefault(kind, kind),
        pool=row["pool"],
        island=row["rack"],
        plans=row["scheduler"] == "slurm",
        free=whole,
        slices=cut,
        shared=dict.fromkeys(whole, WHOLE) if shared else {},
    )


def _slices(store: Reader) -> dict[int, dict[str, int]]:
    """Card to its slices, as thousandths of it that a request for such a shape names."""
    out: dict[int, dict[str, int]] = {}
    for r in store.select(_SLICES_SQL):
        size = profile_share(r["profile"], r["model"]) or r["entitlement_milli"]
        out.setdefault(r["gpu_id"], {})[r["uuid"]] = size
    return out


def _waiting(store: Reader, span: Span, shapes: _Shapes) -> Iterator[tuple[int, int, Waiting]]:
    rooms = _Rooms(store, span)
    for r in store.select(_QUEUE_SQL, lo=span.lo, hi=span.hi):
        wants = CAPACITY if r["for_capacity"] or rooms.has_room(r) else QUOTA
        yield (
            r["f"],
            r["t"],
            Waiting(
                (-r["priority"], r["f"], r["job_id"]),
                r["job_id"],
                shapes.of(r),
                gang=r["gang"],
                wants=wants,
            ),
        )


class _Rooms:
    """What queues may still use of their quotas at the end of the window."""

    def __init__(self, store: Reader, span: Span) -> None:
        self._limits = {(r["cluster"], r["queue"]): r["most"] for r in store.select(_QUOTAS_SQL)}
        used = store.select(_USED_SQL, hi=span.hi) if self._limits else []
        self._used = {(r["cluster"], r["queue"]): r["milli"] for r in used}

    def has_room(self, job: Told) -> bool:
        """Whether a job that was not let in is refused for something else than its queue's quota.

        Quotas of queues mostly are what the hardware has; a limit that we do not know is no quota.
        """
        if not words.is_admission(job["reason"]):
            return False
        place = (job["cluster"], job["pool"])
        limit = self._limits.get(place, 0)
        asked = job["nodes"] * job["gpus_per_node"] * job["share_milli"]
        return not limit or self._used.get(place, 0) + asked <= limit


def _usual(
    store: Reader, span: Span, settings: PlacementSettings, shapes: _Shapes
) -> Iterator[Usual]:
    rows = store.select(
        _USUAL_SQL,
        lo=span.lo - int(settings.history_d * DAY_MS),
        hi=span.hi,
        most=settings.history_shapes,
    )
    for r in rows:
        yield Usual(replace(shapes.of(r), nodes=1), r["jobs"], r["jobs"] * r["nodes"])


def _at_nodes(store: Reader, span: Span, ledger: LedgerSettings) -> Iterator[Event]:
    """What begins and ends at nodes."""
    window = {"lo": span.lo, "hi": span.hi}
    for r in store.select(_holdings_sql(ledger), **window, until=span.hi):
        run = Run(r["job_id"], tuple(r["gpus"]), r["cpu_milli"], r["memory_mib"], r["ends_by"])
        yield from _edges(span, r["f"], r["t"], r["place"], run)
    for r in store.select(_LOST_SQL, **window):
        yield from _edges(span, r["f"], r["t"], r["place"], Lost(r["gpu_id"]))
    for r in store.select(_RETIRED_SQL, **window):
        yield from _edges(span, r["f"], r["t"], r["place"], Lost(r["gpu_id"]))
    for r in store.select(_OUTAGES_SQL, **window):
        yield from _edges(span, r["f"], r["t"], r["place"], Outage())
    for r in store.select(_RESERVED_SQL, **window):
        what = Outage() if r["maintenance"] else Reserved()
        yield from _edges(span, r["f"], r["t"], r["place"], what)


def _members(store: Reader, span: Span) -> Iterator[Event]:
    for r in store.select(_MEMBERS_SQL, lo=span.lo, hi=span.hi):
        yield from _edges(span, r["f"], r["t"], "", Member(r["gang"]))


def _edges(
    span: Span, f: int, t: int, place: str, what: Run | Lost | Outage | Reserved | Member | Waiting
) -> Iterator[Event]:
    if f < span.hi and t > span.lo and t > f:
        yield Event(max(f, span.lo), +1, place, what)
        if t < span.hi:
            yield Event(t, -1, place, what)


_NODES_SQL = f"""
SELECT a.cluster AS cluster, a.node AS node, groupArray(a.gpu_id) AS gpus, any(a.pool) AS pool,
  any(if(n.gpu_model = '', a.model, n.gpu_model)) AS gpu_model, any(n.pools) AS pools,
  any(n.cpu_milli) AS cpu_milli, any(n.memory_mib) AS memory_mib, any(n.shares) AS shares,
  any(n.labels) AS labels, any(n.taints) AS taints, any(n.rack) AS rack,
  any(n.scheduler) AS scheduler
FROM ({within("assets")}) AS a
LEFT JOIN (SELECT cluster, node, argMax(gpu_model, valid_from) AS gpu_model,
    argMax(pools, valid_from) AS pools, argMax(cpu_milli, valid_from) AS cpu_milli,
    argMax(memory_mib, valid_from) AS memory_mib, argMax(shares, valid_from) AS shares,
    argMax(labels, valid_from) AS labels, argMax(taints, valid_from) AS taints,
    argMax(rack, valid_from) AS rack, argMax(scheduler, valid_from) AS scheduler
  FROM ({within("node_states")}) GROUP BY cluster, node) AS n
  ON n.cluster = a.cluster AND n.node = a.node
GROUP BY cluster, node ORDER BY cluster, node
"""

# Slices as they are cut now: how a card was cut before is not kept.
_SLICES_SQL = """
SELECT c.gpu_id AS gpu_id, s.uuid AS uuid, s.profile AS profile, c.model AS model,
  s.entitlement_milli AS entitlement_milli
FROM (SELECT * FROM gpus FINAL WHERE parent != '') AS s
JOIN (SELECT * FROM gpus FINAL WHERE parent = '' AND mig != 'disabled') AS c ON c.uuid = s.parent
ORDER BY gpu_id, uuid
"""


def _holdings_sql(settings: LedgerSettings) -> str:
    return f"""
SELECT concat(a.cluster, '/', a.node) AS place, a.job_id AS job_id, a.f AS f, a.t AS t,
  arraySort(groupArray((a.gpu_id, toInt64(a.share_milli), toString(a.slice)))) AS gpus,
  any(j.cpu_milli) AS cpu_milli, ifNull(any(j.memory_mib), 0) AS memory_mib,
  toUnixTimestamp64Milli(any(j.ends_by)) AS ends_by
FROM ({allocations_sql(settings)}) AS a
LEFT JOIN (SELECT job_id, cpu_milli, memory_mib, ends_by FROM jobs FINAL
  WHERE toUnixTimestamp64Milli(ended) > {{lo:Int64}}) AS j ON j.job_id = a.job_id
GROUP BY place, job_id, f, t ORDER BY f, place, job_id
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

# What is not in service takes no work; of statements about one place the one that began last holds.
_RETIRED_SQL = f"""
SELECT concat(a.cluster, '/', a.node) AS place, s.gpu_id AS gpu_id, s.f AS f, s.until AS t
FROM (
  SELECT gpu_id, state, f, least(t, leadInFrame(f, 1, t) OVER (PARTITION BY gpu_id ORDER BY f
    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS until
  FROM ({within("asset_states")})) AS s
JOIN ({within("assets")}) AS a ON a.gpu_id = s.gpu_id
WHERE s.state NOT IN ('service', '')
"""

_OUTAGES_SQL = f"""
SELECT concat(cluster, '/', node) AS place, f, t FROM ({NODE_STATES})
WHERE state NOT IN ('up', '') AND f < {{hi:Int64}} AND t > {{lo:Int64}}
"""

_RESERVED_SQL = f"""
SELECT concat(cluster, '/', arrayJoin(splitByChar(',', nodes))) AS place, f, t,
  has(splitByChar(',', flags), 'MAINT') AS maintenance
FROM ({within("reservations")}) WHERE nodes != ''
"""

_SHAPE = (
    "cluster, nodes, gpus_per_node, cpu_milli, memory_mib, gpu_model, pool, share_milli,"
    " constraints"
)

# A job that waits for its quota was never told to be eligible: it waits since it was handed in.
_QUEUE_SQL = f"""
SELECT job_id, priority, gang, reason, {_SHAPE},
  state != 'pending' OR reason IN {in_list(words.CAPACITY_REASONS)} AS for_capacity,
  toUnixTimestamp64Milli(if(for_capacity, eligible, submitted)) AS f,
  toUnixTimestamp64Milli(least(started, ended)) AS t
FROM jobs FINAL
WHERE gpus_per_node > 0 AND f < {{hi:Int64}} AND t > {{lo:Int64}} AND reservation = ''
  AND (for_capacity OR {words.QUOTA_SQL})
"""

_MEMBERS_SQL = """
SELECT gang, toUnixTimestamp64Milli(started) AS f, toUnixTimestamp64Milli(ended) AS t
FROM jobs FINAL
WHERE gang != '' AND gpus_per_node > 0 AND f < {hi:Int64} AND t > {lo:Int64}
"""

_QUOTAS_SQL = """
SELECT cluster, queue, sum(limit_milli) AS most FROM quotas FINAL
WHERE queue != '' AND team = '' AND limit_milli > 0 GROUP BY cluster, queue
"""

_USED_SQL = """
SELECT cluster, pool AS queue, sum(toUInt64(nodes) * gpus_per_node * share_milli) AS milli
FROM jobs FINAL
WHERE gpus_per_node > 0 AND toUnixTimestamp64Milli(started) <= {hi:Int64}
  AND toUnixTimestamp64Milli(ended) > {hi:Int64} GROUP BY cluster, queue
"""

_USUAL_SQL = f"""
SELECT {_SHAPE}, count() AS jobs FROM jobs FINAL
WHERE gpus_per_node > 0 AND toUnixTimestamp64Milli(started) >= {{lo:Int64}}
  AND toUnixTimestamp64Milli(started) < {{hi:Int64}}
GROUP BY {_SHAPE} ORDER BY jobs DESC, {_SHAPE} LIMIT {{most:UInt32}}
"""
