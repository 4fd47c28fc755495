"""What inventory, scheduler and kernel log say of the site, as known at one instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import (
    Allocation,
    Asset,
    Gpu,
    GpuEvent,
    NodeState,
    Service,
    SourceRun,
)
from gpuledger.catalogue import Job as JobRow
from gpuledger.catalogue.work import version
from gpuledger.identity import alloc_id, asset_id, job_id
from gpuledger.schema import FOREVER, Row
from tests.labelled.plan import Job
from tests.labelled.site import GIB, STEP_S, Variant
from tests.labelled.telemetry import node_name
from tests.labelled.truth import Place

TRUST = 8
SCHEDULER, CONTROLLER = "slurm", "slurmctld"
SNAPSHOT_S = 30
# The scheduler notices a node that does not answer after a minute or so.
NOTICE_S = 70


@dataclass(frozen=True)
class Held:
    """One GPU, or slice of one, given to a job. Times are steps of the scenario."""

    job: str
    place: Place
    first: int
    last: int
    share_milli: int = 1000
    slice: str = ""


@dataclass
class Facts:
    """Everything that is known of a site beside telemetry."""

    cluster: str
    variant: Variant
    start: datetime
    length: int
    places: Sequence[Place]
    jobs: Sequence[Job]
    held: Sequence[Held]
    slices: Sequence[Gpu] = ()
    events: list[GpuEvent] = field(default_factory=list)
    down: dict[int, int] = field(default_factory=dict)
    """Nodes that died, and the step at which they did."""
    outage: tuple[int, int] = (0, 0)
    """Minutes in which the scheduler did not answer."""

    def at(self, step: float) -> datetime:
        """The instant of a step."""
        return self.start + timedelta(seconds=step * STEP_S)

    def inventory(self) -> Iterator[Row]:
        """What is owned, which card is where, and which services are declared."""
        before = self.start - timedelta(hours=1)
        for place in self.places:
            yield Asset(
                gpu_id=place.gpu_id,
                asset_id=asset_id(self.cluster, place.node, place.slot),
                cluster=self.cluster,
                node=place.node,
                slot=place.slot,
                model=self.variant.card.model,
                pool=self.variant.name,
                valid_from=self.start,
                version=version(TRUST, 1),
            )
            yield Gpu(
                gpu_id=place.gpu_id,
                cluster=self.cluster,
                node=place.node,
                slot=place.slot,
                uuid=place.uuid,
                model=self.variant.card.model,
                memory_bytes=self.variant.card.memory,
                driver="570.124.06",
                seen_at=before,
                version=version(4, to_milliseconds(before)),
            )
        yield from self.slices
        for service in ("llm-", "emb-"):
            yield Service(
                cluster=self.cluster,
                service=service.rstrip("-"),
                jobs=service,
                valid_from=before,
                version=1,
            )

    def between(self, since: datetime, until: datetime) -> Iterator[Row]:
        """What changed in (since, until], as known at its end, and what is said anew."""
        yield from self._node_states(since, until)
        for job in self.jobs:
            if job.team and self.at(job.first) <= until:
                yield self._job(job, until)
        for held in self.held:
            if self.at(held.first) <= until and self.at(held.last) > since - timedelta(minutes=30):
                yield self._allocation(held, until)
        yield from (e for e in self.events if since < e.ts <= until)
        yield from self._snapshots(since, until)

    def _job(self, job: Job, now: datetime) -> JobRow:
        started, ended = self.at(job.first), self.at(job.last)
        nodes = len({n for n, _ in job.spots}) or 1
        over = ended <= now
        seen = min(now, ended) if over else now
        return JobRow(
            job_id=self.job_id(job),
            cluster=self.cluster,
            name=job.name,
            user=job.user,
            team=job.team,
            pool=self.variant.name,
            state=job.state if over else "running",
            nodes=nodes,
            gpus_per_node=len(job.spots) // nodes,
            cpu_milli=round(1000 * job.cores / nodes),
            memory_bytes=min(self.variant.memory, 64 * GIB * max(1, len(job.spots) // nodes)),
            kind=job.sort,
            share_milli=job.share_milli,
            submitted=started - timedelta(minutes=4),
            eligible=started - timedelta(minutes=4),
            started=started,
            ended=ended if over else FOREVER,
            ends_by=started + timedelta(hours=24),
            seen_at=seen,
            version=version(TRUST, to_milliseconds(seen)),
        )

    def job_id(self, job: Job) -> str:
        """The key of a job in every table."""
        return job_id(self.cluster, job.number)

    def _allocation(self, held: Held, now: datetime) -> Allocation:
        ended = self.at(held.last)
        seen = min(now, ended)
        return Allocation(
            gpu_id=held.place.gpu_id,
            alloc_id=alloc_id(held.job, 0, held.place.gpu_id),
            job_id=held.job,
            cluster=self.cluster,
            node=held.place.node,
            share_milli=held.share_milli,
            valid_from=self.at(held.first),
            valid_to=ended if ended <= now else FOREVER,
            source=SCHEDULER,
            slice=held.slice,
            seen_at=seen,
            version=version(TRUST, to_milliseconds(seen)),
        )

    def _node_states(self, since: datetime, until: datetime) -> Iterator[NodeState]:
        for node in range(self.variant.nodes):
            dies = self.down.get(node)
            noticed = None if dies is None else self.at(dies) + timedelta(seconds=NOTICE_S)
            known = noticed is not None and noticed <= until
            if since <= self.start or (known and noticed and noticed > since):
                yield self._node(node, "up", self.start, noticed if known else None)
            if known and noticed and noticed > since:
                yield self._node(node, "down", noticed, None)

    def _node(self, node: int, state: str, since: datetime, until: datetime | None) -> NodeState:
        return NodeState(
            cluster=self.cluster,
            node=node_name(node),
            scheduler=SCHEDULER,
            state=state,
            reason="Not responding" if state == "down" else "",
            gpus=self.variant.slots,
            gpu_model=self.variant.name,
            cpu_milli=1000 * self.variant.cores,
            memory_bytes=self.variant.memory,
            valid_from=since,
            valid_to=until or FOREVER,
            seen_at=until or since,
            version=version(TRUST, to_milliseconds(until or since)),
        )

    def _snapshots(self, since: datetime, until: datetime) -> Iterator[SourceRun]:
        """The scheduler's reader, twice a minute, but for its outage."""
        count = int((until - self.start).total_seconds()) // SNAPSHOT_S
        first = max(0, int((since - self.start).total_seconds()) // SNAPSHOT_S)
        for i in range(first + 1, count + 1):
            minute = i * SNAPSHOT_S / 60
            if not self.outage[0] < minute <= self.outage[1]:
                yield SourceRun.known(
                    ts=self.start + timedelta(seconds=i * SNAPSHOT_S),
                    interval_seconds=SNAPSHOT_S,
                    cluster=self.cluster,
                    node=CONTROLLER,
                    source=SCHEDULER,
                    runs=1,
                    failures=0,
                    rows=len(self.jobs),
                    duration_seconds=0.2,
                    reason="",
                )
