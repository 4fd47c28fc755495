"""Slurm's past into the store: jobs, and the GPUs that each run had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from analytics.backfill.allocate import Allocator, Given, Told
from analytics.backfill.blocks import token
from analytics.backfill.places import Nodes
from analytics.backfill.progress import Stretch, cut
from analytics.backfill.prometheus import Prometheus
from analytics.backfill.sacct import Listing, Run
from analytics.backfill.use import Use
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue import Allocation, Job
from gpuledger.catalogue.work import version
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.mapping import Exporter, Place
from gpuledger.mapping_plan import tell
from gpuledger.rows import fitting
from gpuledger.schema import Row
from gpuledger.store import Store

# Whoever saw the GPUs themselves, or asks Slurm while a job runs, knows better than accounting.
TRUST_ASSUMED, TRUST_TOLD = 0, 1
MOST_ROWS = 50_000
DAY_MS = 86_400_000
HOUR = timedelta(hours=1)
# The label under which dcgm-exporter names the job that a prolog mapped to a GPU.
HPC_JOB = "hpc_job"


@dataclass
class Booked:
    """What became of accounting."""

    jobs: int = 0
    gpu_hours: float = 0.0
    told_gpu_hours: float = 0.0
    too_many: int = 0
    unknown_nodes: tuple[str, ...] = ()


class Slurm:
    """Writes jobs and allocations that touch (since, until]; again is as good as once."""

    def __init__(self, store: Store, cluster: str, since: datetime, until: datetime) -> None:
        self._store = store
        self._cluster = cluster
        self._since = since
        self._until = until

    def write(self, listing: Listing, told: Told) -> Booked:
        """Write what a listing says, with the GPUs that exporters named for jobs."""
        runs = [r for r in listing.runs if r.ended > self._since and r.submitted < self._until]
        use = Use(self._store, self._cluster, self._since, self._until)
        allocator = Allocator(self._places(), told, use, self._until)
        booked = Booked()
        self._insert(self._allocations(allocator.given(runs), booked))
        booked.jobs = self._insert(self._jobs(runs))
        booked.too_many = allocator.lacks.too_many
        booked.unknown_nodes = tuple(sorted(allocator.lacks.unknown_nodes))
        return booked

    def _places(self) -> dict[str, list[int]]:
        """Slots of each node whose cards somebody told of."""
        rows = self._store.select(
            "SELECT node, arraySort(groupUniqArray(slot)) AS slots FROM gpus FINAL"
            " WHERE cluster = {cluster:String} AND parent = '' GROUP BY node",
            cluster=self._cluster,
        )
        return {r["node"]: r["slots"] for r in rows}

    def _allocations(self, given: Iterable[Given], booked: Booked) -> Iterator[Allocation]:
        for one in given:
            hours = len(one.slots) * ((one.ended - max(one.run.started, self._since)) / HOUR)
            booked.gpu_hours += hours
            booked.told_gpu_hours += hours if one.told else 0.0
            for slot in one.slots:
                yield self._allocation(one, slot)

    def _allocation(self, one: Given, slot: int) -> Allocation:
        job, gpu = job_id(self._cluster, one.run.native), gpu_id(self._cluster, one.node, slot)
        return Allocation(
            gpu_id=gpu,
            alloc_id=alloc_id(job, one.run.restart, gpu),
            job_id=job,
            cluster=self._cluster,
            node=one.node,
            valid_from=one.run.started,
            valid_to=one.ended,
            source="slurm" if one.told else "assumed",
            seen_at=self._until,
            version=self._version(TRUST_TOLD if one.told else TRUST_ASSUMED),
        )

    def _jobs(self, runs: Sequence[Run]) -> Iterator[Job]:
        """One row per job, of its last run."""
        last: dict[str, Run] = {}
        for run in runs:
            known = last.get(run.native)
            if known is None or run.restart >= known.restart:
                last[run.native] = run
        return (self._job(run) for run in last.values())

    def _job(self, run: Run) -> Job:
        return fitting(
            Job(
                job_id=job_id(self._cluster, run.native),
                cluster=self._cluster,
                name=run.name,
                user=run.user,
                team=run.team,
                pool=run.pool,
                state=run.state,
                reason=run.reason,
                nodes=run.nodes,
                gpus_per_node=-(-run.gpus // run.nodes),
                cpu_milli=run.cpu_milli,
                memory_bytes=run.memory_bytes,
                gpu_model=run.model,
                priority=run.priority,
                qos=run.qos,
                gang=job_id(self._cluster, run.gang) if run.gang else "",
                restart=run.restart,
                submitted=run.submitted,
                eligible=run.eligible,
                started=run.started,
                ended=run.ended,
                ends_by=run.ends_by,
                seen_at=self._until,
                version=self._version(TRUST_TOLD),
            )
        )

    def _version(self, trust: int) -> int:
        return version(trust, to_milliseconds(self._until))

    def _insert(self, rows: Iterable[Row]) -> int:
        """Insert in blocks; how many rows there were."""
        rest, count = iter(rows), 0
        while some := list(islice(rest, MOST_ROWS)):
            batch = Batch.of_rows(some)
            self._store.insert(batch, token=token(batch, self._cluster, "sacct"))
            count += len(some)
        return count


def named_jobs(
    prometheus: Prometheus, exporter: Exporter, metric: str, nodes: Nodes, whole: Stretch
) -> dict[tuple[str, str], frozenset[int]]:
    """Slots by job and node, where the exporter was told which job has which GPU."""
    plan = (exporter.feeds_of(metric) or ())[0].plan
    found: dict[tuple[str, str], set[int]] = {}
    for day in cut(whole, DAY_MS):
        told = prometheus.labels(metric, day.since_ms, day.until_ms, f'{HPC_JOB}!=""')
        for labels in told:
            slot = tell(plan.sources["slot"], plan.columns["slot"], labels, Place())
            if isinstance(slot, int):
                found.setdefault((labels[HPC_JOB], nodes(labels)), set()).add(slot)
    return {key: frozenset(slots) for key, slots in found.items()}
