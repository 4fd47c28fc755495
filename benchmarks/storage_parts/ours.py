"""The catalogue's own gpu_samples on a real ClickHouse listener: loading, bytes, questions."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.storage_parts.fleet import CLUSTER, GPUS, Held, Node, Shape
from gpuledger.batch import Batch
from gpuledger.catalogue import Allocation, GpuSample, Job
from gpuledger.ddl import create_table
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse

UNCACHED = "SETTINGS use_query_condition_cache = 0"
WHEN = "ts > {since} AND ts <= {until}"
# From the minute's work to the one who held the GPU then; cut at whole minutes, as allocations are.
GPU_HOURS = """
SELECT a.user AS user, sum(w.ms) / 3.6e6 AS gpu_hours FROM (
  SELECT gpu_id, toStartOfMinute(ts - INTERVAL 1 MILLISECOND) AS minute,
    sumIf(interval_ms, sm_active_bp >= 100) AS ms
  FROM gpu_samples WHERE {when} GROUP BY gpu_id, minute) AS w
ASOF JOIN (
  SELECT l.gpu_id AS gpu_id, l.valid_from AS since, l.valid_to AS until, j.user AS user
  FROM (SELECT * FROM allocations FINAL) AS l
  JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = l.job_id) AS a
ON a.gpu_id = w.gpu_id AND a.since <= w.minute
WHERE w.minute < a.until GROUP BY user ORDER BY user"""
REPORT = """
SELECT node, sum(u) / sum(n) AS utilization, sum(s) / sum(n) AS sm_active, max(memory) AS memory,
  sum(idle) / sum(n) AS idle, sum(energy) AS energy_mj
FROM (
  SELECT node, slot, count() AS n, sum(utilization_pct) AS u, sum(sm_active_bp) AS s,
    max(ifNull(memory_used_mib_max, memory_used_mib)) AS memory,
    countIf(sm_active_bp < 100) AS idle,
    max(energy_mj) - min(energy_mj) AS energy
  FROM gpu_samples WHERE {when} GROUP BY node, slot)
GROUP BY node ORDER BY node"""
QUESTIONS = {
    "fleet mean by hour": (
        "SELECT toStartOfHour(ts - INTERVAL 1 MILLISECOND) AS h, avg(utilization_pct) / 100"
        " FROM gpu_samples WHERE {when} GROUP BY h ORDER BY h"
    ),
    "top 20 idle GPUs": (
        "SELECT node, slot, avg(sm_active_bp) AS a FROM gpu_samples WHERE {when}"
        " GROUP BY node, slot ORDER BY a LIMIT 20"
    ),
    "GPU-hours by user, joined": GPU_HOURS,
    "p95 power by node": (
        "SELECT node, quantileExact(0.95)(power_mw) / 1000 FROM gpu_samples WHERE {when}"
        " GROUP BY node ORDER BY node"
    ),
    "weekly report's aggregate": REPORT,
    "panel: one GPU, two series": (
        "SELECT toStartOfInterval(ts, INTERVAL {step} SECOND) AS t, avg(power_mw) / 1000,"
        " avg(utilization_pct) / 100 FROM gpu_samples WHERE {when} AND node = 'node-000'"
        " AND slot = 3 GROUP BY t ORDER BY t"
    ),
    "panel: the fleet's utilization": (
        "SELECT toStartOfInterval(ts, INTERVAL {step} SECOND) AS t, avg(utilization_pct) / 100"
        " FROM gpu_samples WHERE {when} GROUP BY t ORDER BY t"
    ),
}


class Ours:
    """One database with the catalogue's schema, without rollups: the peers have none either."""

    name = "ours"

    def __init__(self, store: Store, shape: Shape) -> None:
        self.store = store
        self._shape = shape
        address = store.address
        token = b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._url = f"http://{address.host}:{address.port}/?database={address.database}"
        self._headers = {"Authorization": f"Basic {token}"}

    def load(self, nodes: Iterable[Node]) -> None:
        """Samples node by node; blocks of some ten thousand rows, as from a relay."""
        outside = self.store.elsewhere("system")
        outside.command(f"CREATE DATABASE {self.store.address.database}")
        outside.close()
        for row in (GpuSample, Allocation, Job):
            self.store.command(create_table(row.table))
        for node in nodes:
            self.store.insert(node.batch())
            if node.held:
                for batch in _facts(node.held):
                    self.store.insert(batch)
        self.store.command("OPTIMIZE TABLE gpu_samples FINAL")

    def bytes(self) -> int:
        """Of every column and of the index, merged."""
        return int(
            self.store.value(
                "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND"
                " database = currentDatabase() AND table = 'gpu_samples'"
            )
        )

    def ask(self, question: str) -> list[Any]:
        """The answer's rows; asked as the peers are, as JSON over a new connection."""
        when = WHEN.format(since=_time(self._shape.since_s), until=_time(self._shape.until_s, 1))
        sql = QUESTIONS[question].replace("{when}", when)
        sql = sql.replace("{step}", str(step_s(self._shape)))
        body = f"{sql} {UNCACHED} FORMAT JSONCompact".encode()
        request = urllib.request.Request(self._url, data=body, headers=self._headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            rows: list[Any] = json.load(answer)["data"]
        return rows


def step_s(shape: Shape) -> int:
    """Seconds between the 480 points of a panel, in whole readings."""
    return max(shape.seconds // 480 // shape.every_s, 1) * shape.every_s


def _time(second: int, more: int = 0) -> str:
    # The last readings come some milliseconds after the full second.
    return f"fromUnixTimestamp64Milli({(second + more) * 1000}, 'UTC')"


def _facts(held: Iterable[Held]) -> list[Batch]:
    """Jobs, and the GPUs that they held."""
    jobs, allocations = [], []
    for number, h in enumerate(held):
        job = job_id(CLUSTER, f"{h.node}.{number}")
        since, until = (datetime.fromtimestamp(s, UTC) for s in (h.since_s, h.until_s))
        jobs.append(
            Job(
                job_id=job,
                cluster=CLUSTER,
                name="bench",
                user=h.user,
                team="bench",
                pool="",
                state="completed",
                reason="",
                nodes=1,
                gpus_per_node=GPUS,
                cpu_milli=0,
                memory_bytes=None,
                submitted=since,
                eligible=since,
                started=since,
                ended=until,
                seen_at=until,
                version=1,
            )
        )
        for slot in range(GPUS):
            gpu = gpu_id(CLUSTER, h.node, slot)
            allocations.append(
                Allocation(
                    gpu_id=gpu,
                    alloc_id=alloc_id(job, 0, gpu),
                    job_id=job,
                    cluster=CLUSTER,
                    node=h.node,
                    valid_from=since,
                    valid_to=until,
                    source="bench",
                    seen_at=until,
                    version=1,
                )
            )
    return [Batch.of_rows(jobs), Batch.of_rows(allocations)]


@contextmanager
def running(home: Path, shape: Shape) -> Iterator[Ours]:
    """A server of its own."""
    with ClickHouse(home) as server:
        address = Address(
            host=server.host,
            port=server.http_port,
            user=server.user,
            password=server.password,
            database="bench",
        )
        store = Store(address)
        try:
            yield Ours(store, shape)
        finally:
            store.close()
