"""The store's own past as a trace: jobs of a span, on nodes that are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.book import booked_from, last_booked
from analytics.placing import words
from analytics.placing.shapes import WHOLE, Shape, Wish
from analytics.repacking.fleet import SHARES
from analytics.repacking.instance import Node
from analytics.replay.task import FIRST, Task, Trace
from gpuledger.service import Reader

Told = Mapping[str, Any]
HOUR = timedelta(hours=1)


def history(reader: Reader, nodes: Sequence[Node], since: datetime, until: datetime) -> Trace:
    """Jobs with GPUs that ran between two moments, as if each were to be placed again.

    A job that ran at the beginning arrives then, with what was left of it; one that runs at the end
    is as long as was seen of it. What never started is left out: nobody knows how long it would
    run. The span ends where the book does: of what was before, and after, nothing is known.
    """
    asked = since, until
    since, until = _booked(reader, since, until)
    rows = reader.select(_JOBS_SQL, since=since, until=until)
    tasks = tuple(_tasks(rows, nodes, since, until))
    waiting = reader.value(_WAITING_SQL, since=since, until=until)
    notes = _notes(asked, (since, until), waiting)
    return Trace(
        nodes=tuple(nodes),
        tasks=tasks,
        since_s=since.timestamp(),
        until_s=until.timestamp(),
        notes=tuple(notes),
    )


def _booked(reader: Reader, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """What of the span the book has; all of it where nothing of it was booked."""
    first, last = booked_from(reader), last_booked(reader)
    if first is None or last is None or not max(first, since) < min(last, until):
        return since, until
    return max(first, since), min(last, until)


def _notes(
    asked: tuple[datetime, datetime], told: tuple[datetime, datetime], waiting: int
) -> Iterator[str]:
    if max(told[0] - asked[0], asked[1] - told[1]) > HOUR:
        days = (told[1] - told[0]) / timedelta(days=1)
        yield (
            f"only {days:.3g} days are replayed: the book has"
            f" {told[0]:%Y-%m-%d %H:%M} to {told[1]:%Y-%m-%d %H:%M} UTC of that span"
        )
    if waiting:
        yield f"{waiting} jobs never started: how long they would run is not known"


def _tasks(
    rows: Sequence[Told], nodes: Sequence[Node], since: datetime, until: datetime
) -> Iterator[Task]:
    models = frozenset(node.model for node in nodes if node.gpus)
    shapes: dict[Shape, Shape] = {}
    for r in rows:
        shape = _shape(r, models)
        early = r["started"] <= since
        starts = max(r["started"], since)
        yield Task(
            name=r["job_id"],
            shape=shapes.setdefault(shape, shape),
            arrives_s=min(max(r["since"], since), starts).timestamp(),
            runs_s=(min(r["ended"], until) - starts).total_seconds(),
            priority=FIRST if early else r["priority"],
            team=r["team"],
            gang="" if early else r["gang"],
        )


def _shape(row: Told, models: frozenset[str]) -> Shape:
    asked = words.constraints(row["constraints"])
    share = min(row["share_milli"] or WHOLE, WHOLE)
    near = frozenset(m for m in models if row["gpu_model"].lower() in m.lower())
    cluster = row["cluster"]
    return Shape(
        gpus=row["gpus_per_node"],
        nodes=row["nodes"],
        cpu_milli=row["cpu_milli"],
        memory_mib=row["memory_mib"] or 0,
        share_milli=share,
        exclusive="exclusive" in words.listed(row["constraints"]),
        wish=Wish(
            cluster=cluster,
            models=frozenset() if near == models else near,
            pools=words.listed(row["pool"]),
            words=asked.words | ({SHARES} if share < WHOLE else set()),
            on=frozenset(f"{cluster}/{name}" for name in asked.on),
            off=frozenset(f"{cluster}/{name}" for name in asked.off),
        ),
    )


_RAN = "gpus_per_node > 0 AND nodes > 0 AND ended > {since:DateTime64(3, 'UTC')}"
_JOBS_SQL = f"""
SELECT job_id, cluster, team, pool, nodes, gpus_per_node, cpu_milli, memory_mib, gpu_model,
  priority, gang, constraints, share_milli, least(eligible, started) AS since, started, ended
FROM jobs FINAL
WHERE {_RAN} AND started < {{until:DateTime64(3, 'UTC')}} AND ended > started
ORDER BY since, job_id
"""

_WAITING_SQL = f"""
SELECT count() FROM jobs FINAL
WHERE {_RAN} AND eligible < {{until:DateTime64(3, 'UTC')}}
  AND started >= {{until:DateTime64(3, 'UTC')}}
"""
