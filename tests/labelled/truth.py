"""What is true of a labelled cluster: labels, and the spans of time and GPUs that they hold for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Label:
    """One label: what it means, and what advice about it may say.

    `works`: somebody loses work if the job is ended. `idle`: its GPUs do nothing at all, whether
    that is meant (a warm service, a pause on the processors) or waste.
    """

    help: str
    works: bool = True
    idle: bool = False


LABELS: dict[str, Label] = {
    "working": Label("busy, as it should be"),
    "startup": Label("images, imports, the first batch; GPUs wait", idle=True),
    "cpu_phase": Label("a pause on the processors; GPU work goes on afterwards", idle=True),
    "checkpoint": Label("a pause for a checkpoint; GPU work goes on afterwards", idle=True),
    "serving": Label("an inference service with traffic"),
    "warm_serving": Label("an inference service that waits for the next request", idle=True),
    "idle": Label("never began to work, or is done and was not ended", works=False, idle=True),
    "idle_blips": Label("idle but for touches of a second or two", works=False, idle=True),
    "idle_notebook_mem": Label(
        "a notebook that holds memory between its cells", works=False, idle=True
    ),
    "partial_idle": Label("GPUs of a working job that it never uses", idle=True),
    "shared_idle": Label("a share of a GPU whose other shares work", works=False),
    "hung": Label("spins in a collective that never ends", works=False),
    "dead_peer": Label("spins, or waits, since a node of the same job failed", works=False),
    "straggler": Label("one rank that holds up the others of its job"),
    "input_bound": Label("waits for data from storage or network"),
    "cpu_bound": Label("waits for its processors to prepare batches"),
    "comm_bound": Label("waits for NVLink or the network between nodes"),
    "small_batch": Label("kernels too small to fill the GPU"),
    "memory_hoarding": Label("holds most of the memory and computes little"),
    "no_tensor": Label("single precision where tensor cores would serve"),
    "checkpoint_bound": Label("writes checkpoints for most of its time"),
    "host_device_copies": Label("moves data between host and GPU for most of its time"),
    "over_provisioned": Label("would fit a slice or fewer GPUs"),
    "low_traffic": Label("a service with more replicas or GPU than its traffic needs"),
    "throttled": Label("works, but heat or a power brake holds clocks down"),
    "sick": Label("works on hardware that reports errors"),
    "lost": Label("a device that fell off the bus, or its node", works=False),
    "rogue": Label("a process on a GPU that no scheduler gave out", works=False),
    "leaked": Label("a process that outlives its job by a few minutes", works=False),
    "storage_slow": Label("a shared filesystem that answers slowly to everybody"),
    "free": Label("nobody's", works=False, idle=True),
}

CAUSES = (
    "input_bound",
    "cpu_bound",
    "comm_bound",
    "small_batch",
    "memory_hoarding",
    "no_tensor",
    "checkpoint_bound",
    "host_device_copies",
)
"""Labels that tell why a job uses little of its GPUs."""


@dataclass(frozen=True)
class Place:
    """One GPU."""

    node: str
    slot: int
    gpu_id: int
    uuid: str


@dataclass(frozen=True)
class Truth:
    """One label of one job (empty: nobody's) on some GPUs, in [since, until).

    `mean_sm` is the mean SM activity over the span, whether the card can tell it or not. `also`
    names labels that would be as right. `seen` is the share of the span that telemetry covers,
    `grade` the lowest evidence grade of its cards (A profiling, B power, C utilization), `slice`
    the shape of the MIG slice that it is about; empty = whole cards.
    """

    label: str
    job: str
    places: tuple[Place, ...]
    since: datetime
    until: datetime
    mean_sm: float = 0.0
    also: tuple[str, ...] = ()
    grade: str = "A"
    seen: float = 1.0
    slice: str = ""

    @property
    def works(self) -> bool:
        """Whether ending it would lose work."""
        return LABELS[self.label].works

    @property
    def idle(self) -> bool:
        """Whether its GPUs do nothing."""
        return LABELS[self.label].idle

    @property
    def duration(self) -> timedelta:
        """How long it holds."""
        return self.until - self.since

    @property
    def gpu_hours(self) -> float:
        """GPU-hours that it is about."""
        return len(self.places) * self.duration / timedelta(hours=1)

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Whether some time is in both."""
        return self.since < until and since < self.until


def of_job(truths: Iterable[Truth], job: str) -> list[Truth]:
    """The spans of one job, by time."""
    return sorted((t for t in truths if t.job == job), key=lambda t: (t.since, t.label))


def with_labels(truths: Iterable[Truth], *labels: str) -> Iterator[Truth]:
    """The spans with one of those labels."""
    return (t for t in truths if t.label in labels)
