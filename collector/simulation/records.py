"""What the scheduler and the inventory know of the simulated world at one instant."""

from __future__ import annotations

from datetime import datetime

from collector.simulation.fleet import (
    CPUS_PER_GPU,
    CPUS_PER_NODE,
    MEMORY_PER_GPU,
    MEMORY_PER_NODE,
)
from collector.simulation.model import Job, Trouble, World
from collector.simulation.timeline import MEMORY_BYTES
from collector.simulation.workload import WARM_UP_S
from collector.source import Trust
from gpuledger.batch import Batch, by_table, to_milliseconds
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.catalogue.work import Allocation, Gpu, NodeState, version
from gpuledger.catalogue.work import Job as JobRow
from gpuledger.identity import alloc_id
from gpuledger.schema import FOREVER, Row

MODEL = "NVIDIA H100 80GB HBM3"
SLURM_MODEL = "h100"
DRIVER = "570.124.06"
SCHEDULER = "slurm"
# NVML's code for a lost GPU, and the XID that the kernel logs with it.
GPU_IS_LOST, FALLEN_XID = 15, 79
RACK_NODES = 4


def scheduler_batches(world: World, as_of: datetime) -> list[Batch]:
    """`gpus`, `allocations`, `jobs` and `node_states` as known at that instant.

    What is open then ends at FOREVER; closed facts never change from one call to the next.
    """
    return by_table(scheduler_rows(world, as_of))


def rack(node: int) -> str:
    """The rack that a node stands in."""
    return f"rack{node // RACK_NODES + 1:02d}"


def scheduler_rows(world: World, as_of: datetime) -> list[Row]:
    """The same as rows."""
    view = _View(world, as_of)
    return [*view.gpus(), *view.allocations(), *view.jobs(), *view.node_states()]


def event_batches(world: World, since: datetime, until: datetime) -> list[Batch]:
    """`gpu_events` of [since, until)."""
    return by_table(event_rows(world, since, until))


def event_rows(world: World, since: datetime, until: datetime) -> list[GpuEvent]:
    """The same as rows."""
    rows = [row for trouble in world.lost for row in _events(world, trouble)]
    return [row for row in rows if since <= row.ts < until]


def _events(world: World, trouble: Trouble) -> list[GpuEvent]:
    def event(
        kind: str, at_s: float, code: int, detail: str, judged: tuple[str, ...] = ("", "", "nvml")
    ) -> GpuEvent:
        cause, recovery, told_by = judged
        return GpuEvent(
            ts=world.at(at_s),
            cluster=world.cluster,
            node=world.node_name(trouble.node),
            slot=trouble.slot,
            gpu_id=world.gpu_id(trouble.node, trouble.slot),
            kind=kind,
            code=code,
            cause=cause,
            recovery=recovery,
            told_by=told_by,
            detail=detail,
        )

    fallen = "GPU has fallen off the bus"
    out = [
        event("lost", trouble.since_s, GPU_IS_LOST, f"XID 79: {fallen}"),
        event("xid", trouble.since_s, FALLEN_XID, fallen, ("hardware", "reset", "kmsg")),
    ]
    if trouble.until_s < world.span_s:
        out.append(event("recovered", trouble.until_s, 0, "answers again after a reset"))
    return out


class _View:
    """The world with what is later than one instant left out."""

    def __init__(self, world: World, as_of: datetime) -> None:
        self._world = world
        self._as_of = as_of
        self._now_s = (as_of - world.start).total_seconds()

    def gpus(self) -> list[Gpu]:
        """The card in each place."""
        return [
            Gpu(
                gpu_id=self._world.gpu_id(node, slot),
                cluster=self._world.cluster,
                node=self._world.node_name(node),
                slot=slot,
                uuid=self._world.uuid(node, slot),
                serial=f"16533{220_000 + 8 * node + slot:08d}",
                model=MODEL,
                memory_bytes=MEMORY_BYTES,
                driver=DRIVER,
                rack=rack(node),
                seen_at=self._as_of,
                version=version(Trust.NVML, to_milliseconds(self._as_of)),
            )
            for node, slot in self._world.places
        ]

    def allocations(self) -> list[Allocation]:
        """Each GPU of each job that started."""
        return [
            self._allocation(job, node, slot)
            for job in self._world.jobs
            if job.start_s <= self._now_s
            for node, slot in job.places
        ]

    def _allocation(self, job: Job, node: int, slot: int) -> Allocation:
        gpu = self._world.gpu_id(node, slot)
        job_id = self._world.job_id(job.plan)
        return Allocation(
            gpu_id=gpu,
            alloc_id=alloc_id(job_id, 0, gpu),
            job_id=job_id,
            cluster=self._world.cluster,
            node=self._world.node_name(node),
            valid_from=self._world.at(job.start_s),
            valid_to=self._known(job.end_s),
            source=SCHEDULER,
            seen_at=self._seen_at(job.end_s),
            version=self._version(job.end_s),
        )

    def jobs(self) -> list[JobRow]:
        """Every job that was submitted, with the reason of those that wait."""
        known = [job for job in self._world.jobs if job.plan.submit_s <= self._now_s]
        waiting = [
            job.plan
            for job in known
            if job.start_s > self._now_s and job.plan.eligible_s <= self._now_s
        ]
        first = min(waiting, key=lambda plan: plan.order).number if waiting else 0
        return [self._job(job, first) for job in known]

    def _job(self, job: Job, first: int) -> JobRow:
        plan = job.plan
        started = job.start_s <= self._now_s
        ended = job.end_s <= self._now_s
        return JobRow(
            job_id=self._world.job_id(plan),
            cluster=self._world.cluster,
            name=plan.name,
            user=plan.user,
            team=plan.team,
            pool=plan.partition,
            state=job.state if ended else "running" if started else "pending",
            reason="" if started else self._reason(job, first),
            nodes=plan.nodes,
            gpus_per_node=plan.gpus_per_node,
            cpu_milli=plan.gpus_per_node * CPUS_PER_GPU * 1_000,
            memory_bytes=plan.gpus_per_node * MEMORY_PER_GPU,
            gpu_model="",
            priority=plan.priority,
            submitted=self._world.at(plan.submit_s),
            eligible=self._eligible(job),
            started=self._known(job.start_s),
            ended=self._known(job.end_s),
            ends_by=self._world.at(job.start_s + plan.limit_s) if started else FOREVER,
            seen_at=self._seen_at(job.end_s),
            version=self._version(job.end_s),
        )

    def _reason(self, job: Job, first: int) -> str:
        """Slurm's words: the first that waits lacks resources, the others rank behind it."""
        if job.plan.eligible_s > self._now_s:
            return job.plan.hold_reason
        return "Resources" if job.plan.number == first else "Priority"

    def _eligible(self, job: Job) -> datetime:
        """When the job could have started; a limit of the user's own shows in its reason alone."""
        plan = job.plan
        if plan.eligible_s <= self._now_s:
            return self._world.at(plan.eligible_s)
        limited = plan.hold_reason.startswith("QOS")
        return self._world.at(plan.submit_s) if limited else FOREVER

    def node_states(self) -> list[NodeState]:
        """What the scheduler says of each node: up, down, or with fewer GPUs than it should."""
        return [row for node in range(self._world.nodes) for row in self._node_states(node)]

    def _node_states(self, node: int) -> list[NodeState]:
        troubles = [t for t in (*self._world.down, *self._world.lost) if t.node == node]
        ends = {b for t in troubles for b in (float(t.since_s), t.until_s)}
        borders = [float(-WARM_UP_S), *sorted(b for b in ends if b <= self._now_s)]
        spans = zip(borders, [*borders[1:], float("inf")], strict=True)
        return [self._node_state(node, since_s, until_s) for since_s, until_s in spans]

    def _node_state(self, node: int, since_s: float, until_s: float) -> NodeState:
        def inside(trouble: Trouble) -> bool:
            return trouble.node == node and trouble.since_s <= since_s < trouble.until_s

        down = any(inside(t) for t in self._world.down)
        lost = sum(inside(t) for t in self._world.lost)
        return NodeState(
            cluster=self._world.cluster,
            node=self._world.node_name(node),
            scheduler=SCHEDULER,
            state="down" if down else "up",
            reason="Not responding" if down else "GPU lost" if lost else "",
            gpus=self._world.gpus_per_node - lost,
            gpu_model=SLURM_MODEL,
            rack=rack(node),
            cpu_milli=CPUS_PER_NODE * 1_000,
            memory_bytes=MEMORY_PER_NODE,
            valid_from=self._world.at(since_s),
            valid_to=self._known(until_s),
            seen_at=self._seen_at(until_s),
            version=self._version(until_s),
        )

    def _known(self, at_s: float) -> datetime:
        """The instant, or FOREVER where it is not past yet."""
        return self._world.at(at_s) if at_s <= self._now_s else FOREVER

    def _seen_at(self, end_s: float) -> datetime:
        """When a fact that holds until then was last seen."""
        return min(self._as_of, self._world.at(min(end_s, self._now_s + 1)))

    def _version(self, end_s: float) -> int:
        return version(Trust.SCHEDULER, to_milliseconds(self._seen_at(end_s)))
