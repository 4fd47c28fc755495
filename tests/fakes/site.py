"""A simulated site that runs without us: what its exporters and accounting say, and the truth.

Everything follows from the seed. Jobs begin and end on whole minutes, work from their first second
and, if they idle at all, idle from some minute to their end. A page tells what was a moment before
it was asked for, as exporters do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from uuid import UUID

START = datetime(2026, 3, 2, tzinfo=UTC)
MODEL = "NVIDIA H100 80GB HBM3"
DRIVER = "550.90.07"
TEAMS = ("vision", "speech", "search")
USERS = {"vision": "ana", "speech": "ben", "search": "eva"}
MEMORY_MIB, NODE_MEMORY_BYTES, NODE_CORES = 81559, 2 << 40, 192
LIMIT_W, BUSY_W, IDLE_W, FREE_W = 700, 620, 115, 70
PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
REASONS = ("Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError")
LISTED = timedelta(minutes=10)  # how long a finished pod is still listed
KUBERNETES, SLURM = "kubernetes", "slurm"


@dataclass(frozen=True)
class Work:
    """One job: one pod, or one Slurm job, on one node."""

    number: int
    team: str
    gpus: int
    submitted: datetime
    started: datetime
    idles: datetime
    ended: datetime
    node: int
    slots: tuple[int, ...]
    fails: bool

    @property
    def name(self) -> str:
        """Name of the pod and of the job."""
        return f"train-{self.number}-0"

    @property
    def uid(self) -> str:
        """The pod's UID."""
        return _uuid(f"pod {self.number}")

    @property
    def user(self) -> str:
        """Who handed it in."""
        return USERS[self.team]


@dataclass(frozen=True)
class Truth:
    """GPU-hours of a window: given by team, and all of them by state.

    `states` has `productive`, `alloc_idle`, `maintenance` (cordoned and free) and `free`.
    """

    owned: float
    teams: Mapping[str, float]
    states: Mapping[str, float]


@dataclass(frozen=True)
class Site:
    """A cluster of equal nodes under one scheduler, from `start` for `hours`.

    `relabelled`: Prometheus attached the exporter's own pod to what dcgm-exporter says, so that the
    pod that holds a GPU is called `exported_pod`. `cordoned_h`: hours in which node 0 is cordoned.
    """

    seed: int = 0
    nodes: int = 2
    gpus: int = 8
    hours: int = 6
    start: datetime = START
    scheduler: str = KUBERNETES
    relabelled: bool = False
    cordoned_h: tuple[float, float] = (0.0, 0.0)

    @property
    def end(self) -> datetime:
        """When everything has ended."""
        return self.start + timedelta(hours=self.hours)

    def node_name(self, node: int) -> str:
        """Name of a node."""
        return f"gpu-{node:03d}"

    def uuid(self, node: int, slot: int) -> str:
        """UUID of a GPU."""
        return f"GPU-{_uuid(f'{self.seed} {node} {slot}')}"

    @cached_property
    def work(self) -> tuple[Work, ...]:
        """All jobs in the order in which they begin; first come, first served, on one node each."""
        return tuple(_scheduled(self))

    def holder(self, node: int, slot: int, at: datetime) -> Work | None:
        """The job that has the GPU at that time."""
        found = (w for w in self._of_node[node] if slot in w.slots)
        return next((w for w in found if w.started <= at < w.ended), None)

    @cached_property
    def _of_node(self) -> tuple[tuple[Work, ...], ...]:
        return tuple(tuple(w for w in self.work if w.node == n) for n in range(self.nodes))

    def dcgm_page(self, node: int, at: datetime) -> str:
        """What dcgm-exporter of this node says: its usual counters, GPU by GPU."""
        return _page(_dcgm(self, node, at))

    def kube_page(self, at: datetime) -> str:
        """What kube-state-metrics says; empty where Slurm is the scheduler."""
        return "" if self.scheduler == SLURM else _page(_kube(self, at))

    def sacct(self, since: datetime, until: datetime) -> str:
        """`sacct --allusers --parsable2` of jobs that ran or waited then, times in UTC.

        Format: JobID,JobIDRaw,JobName,User,Account,Partition,State,Submit,Eligible,Start,End,
        NNodes,NodeList,ReqTRES,AllocTRES,ExitCode.
        """
        shown = [w for w in self.work if w.submitted < until and w.ended > since]
        return "\n".join([SACCT, *(line for w in shown for line in _sacct(self, w, until))]) + "\n"

    def truth(self, since: datetime, until: datetime) -> Truth:
        """What a book of that window must say."""
        teams = dict.fromkeys(TEAMS, 0.0)
        states = dict.fromkeys(("productive", "alloc_idle", "maintenance", "free"), 0.0)
        for w in self.work:
            teams[w.team] += w.gpus * _hours(w.started, w.ended, since, until)
            states["productive"] += w.gpus * _hours(w.started, w.idles, since, until)
            states["alloc_idle"] += w.gpus * _hours(w.idles, w.ended, since, until)
        states["maintenance"] = self._cordoned(since, until)
        owned = self.nodes * self.gpus * (until - since) / timedelta(hours=1)
        states["free"] = owned - sum(states.values())
        return Truth(owned, teams, states)

    def cordoned(self, node: int, at: datetime) -> bool:
        """Whether the node takes no work at that time."""
        first, last = (self.start + timedelta(hours=h) for h in self.cordoned_h)
        return node == 0 and first <= at < last

    def _cordoned(self, since: datetime, until: datetime) -> float:
        first, last = (self.start + timedelta(hours=h) for h in self.cordoned_h)
        since, until = max(since, first), max(min(until, last), first)
        held = sum(w.gpus * _hours(w.started, w.ended, since, until) for w in self._of_node[0])
        return self.gpus * max((until - since) / timedelta(hours=1), 0.0) - held

    def energy_mj(self, node: int, slot: int, at: datetime) -> int:
        """The counter of energy: what the GPU drew since the start, in millijoules."""
        seconds = max((at - self.start).total_seconds(), 0.0)
        total = FREE_W * seconds
        for w in self._of_node[node]:
            if slot in w.slots:
                busy = _hours(w.started, w.idles, self.start, at) * 3600
                idle = _hours(w.idles, w.ended, self.start, at) * 3600
                total += (BUSY_W - FREE_W) * busy + (IDLE_W - FREE_W) * idle
        return round(1000 * total)


def _hours(first: datetime, last: datetime, since: datetime, until: datetime) -> float:
    return max((min(last, until) - max(first, since)) / timedelta(hours=1), 0.0)


def _uuid(text: str) -> str:
    return str(UUID(bytes=sha256(text.encode()).digest()[:16], version=4))


def _scheduled(site: Site) -> Iterator[Work]:
    """Jobs that ask often enough that some wait, and seldom enough that some GPUs are free."""
    rng = random.Random(site.seed)
    minutes = 60 * site.hours
    busy_until = [[0] * site.gpus for _ in range(site.nodes)]
    closed = range(*(round(60 * h) for h in site.cordoned_h))
    submitted = queue_head = number = 0
    sizes = [n for n in (1, 1, 2, 4, 8) if n <= site.gpus]
    while True:
        submitted += rng.randint(2, max(3, 60 // site.nodes))
        number += 1
        team, gpus = rng.choice(TEAMS), rng.choice(sizes)
        length, idle_min = rng.randint(20, 120), rng.choice((0, 0, 0, 15, 30))
        if submitted >= minutes - 15:
            return
        begin, node, slots = _place(busy_until, gpus, max(submitted + 1, queue_head), closed)
        if begin >= minutes - 15:
            continue
        queue_head = begin
        last = min(begin + length, minutes)
        for slot in slots:
            busy_until[node][slot] = last
        idles = max(begin + 10, last - idle_min)
        first, start, idle, end = (
            site.start + timedelta(minutes=m) for m in (submitted, begin, idles, last)
        )
        fails = rng.random() < 0.2
        yield Work(number, team, gpus, first, start, idle, end, node, slots, fails)


def _place(
    busy_until: list[list[int]], gpus: int, first: int, closed: range
) -> tuple[int, int, tuple[int, ...]]:
    """The earliest minute, node and slots; one minute stays free between two holders."""
    options = []
    for node, until in enumerate(busy_until):
        order = sorted(range(len(until)), key=lambda s: (until[s], s))[:gpus]
        begin = max([first, *(until[s] + 1 for s in order)])
        if node == 0 and begin in closed:
            begin = closed.stop
        options.append((begin, node, tuple(sorted(order))))
    return min(options)


def _page(samples: Iterator[tuple[str, Mapping[str, object], float]]) -> str:
    """The text format: samples of one name together, below their type."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value in samples:
        told = ",".join(f'{k}="{v}"' for k, v in labels.items())
        by_name.setdefault(name, []).append(f"{name}{{{told}}} {value!r}")
    lines = [
        f"# TYPE {name} {'counter' if 'TOTAL' in name else 'gauge'}\n" + "\n".join(found)
        for name, found in by_name.items()
    ]
    return "\n".join(lines) + "\n"


Told = Iterator[tuple[str, Mapping[str, object], float]]


def _dcgm(site: Site, node: int, at: datetime) -> Told:
    before = at - timedelta(milliseconds=1)
    for slot in range(site.gpus):
        holder = site.holder(node, slot, before)
        busy = holder is not None and before < holder.idles
        watts = BUSY_W if busy else IDLE_W if holder else FREE_W
        labels = {
            "gpu": slot,
            "UUID": site.uuid(node, slot),
            "pci_bus_id": f"00000000:{slot + 1:02X}:00.0",
            "device": f"nvidia{slot}",
            "modelName": MODEL,
            "Hostname": site.node_name(node),
            "DCGM_FI_DRIVER_VERSION": DRIVER,
            **_holder_labels(site, node, site.holder(node, slot, at)),
        }
        for name, value in {
            "DCGM_FI_DEV_SM_CLOCK": 1980 if busy else 345,
            "DCGM_FI_DEV_GPU_TEMP": 64 if busy else 33,
            "DCGM_FI_DEV_POWER_USAGE": float(watts),
            "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": float(LIMIT_W),
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": site.energy_mj(node, slot, at),
            "DCGM_FI_DEV_GPU_UTIL": 97 if busy else 0,
            "DCGM_FI_DEV_MEM_COPY_UTIL": 41 if busy else 0,
            "DCGM_FI_DEV_FB_USED": 70000 if holder else 4,
            "DCGM_FI_DEV_FB_TOTAL": MEMORY_MIB,
            "DCGM_FI_PROF_SM_ACTIVE": 0.83 if busy else 0.0,
            "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.51 if busy else 0.0,
            "DCGM_FI_PROF_DRAM_ACTIVE": 0.38 if busy else 0.0,
        }.items():
            yield name, labels, value


def _holder_labels(site: Site, node: int, holder: Work | None) -> dict[str, object]:
    """Who holds the GPU, as dcgm-exporter and a scrape without `honor_labels` name it."""
    own = {"namespace": "gpu-operator", "pod": f"nvidia-dcgm-exporter-{node:05d}"}
    if site.scheduler == SLURM:
        return {"hpc_job": holder.number} if holder else {}
    if holder is None:
        return dict(own) if site.relabelled else {}
    held = {"namespace": holder.team, "pod": holder.name, "container": "main"}
    if not site.relabelled:
        return dict(held)
    return {**{f"exported_{k}": v for k, v in held.items()}, **own}


def _kube(site: Site, at: datetime) -> Told:
    for node in range(site.nodes):
        yield from _kube_node(site, node, at)
    for w in site.work:
        if w.submitted <= at < w.ended + LISTED:
            yield from _kube_pod(site, w, at)
    for team in TEAMS:
        quota = {"resourcequota": "gpus", "namespace": team, "resource": "requests.nvidia.com/gpu"}
        used = sum(w.gpus for w in site.work if w.team == team and w.submitted <= at < w.ended)
        yield "kube_resourcequota", {**quota, "type": "hard"}, site.nodes * site.gpus
        yield "kube_resourcequota", {**quota, "type": "used"}, used


def _kube_node(site: Site, node: int, at: datetime) -> Told:
    name: dict[str, object] = {"node": site.node_name(node)}
    told = {
        "label_nvidia_com_gpu_product": MODEL.replace(" ", "-"),
        "label_nvidia_com_gpu_count": site.gpus,
        "label_topology_kubernetes_io_zone": "a",
    }
    yield "kube_node_info", {**name, "kernel_version": "6.8.0", "internal_ip": "10.0.0.1"}, 1
    yield "kube_node_labels", {**name, **told}, 1
    yield "kube_node_created", name, site.start.timestamp() - 86_400
    yield "kube_node_spec_unschedulable", name, int(site.cordoned(node, at))
    if site.cordoned(node, at):
        taint = {"key": "node.kubernetes.io/unschedulable", "value": "", "effect": "NoSchedule"}
        yield "kube_node_spec_taint", {**name, **taint}, 1
    amounts = (
        ("nvidia_com_gpu", "integer", site.gpus),
        ("cpu", "core", NODE_CORES),
        ("memory", "byte", NODE_MEMORY_BYTES),
    )
    for resource, unit, amount in amounts:
        what = {**name, "resource": resource, "unit": unit}
        yield "kube_node_status_capacity", what, amount
        yield "kube_node_status_allocatable", what, amount
    for status in ("true", "false", "unknown"):
        yield (
            "kube_node_status_condition",
            {**name, "condition": "Ready", "status": status},
            int(status == "true"),
        )


def _kube_pod(site: Site, w: Work, at: datetime) -> Told:
    pod: dict[str, object] = {"namespace": w.team, "pod": w.name, "uid": w.uid}
    bound, over = w.started <= at, w.ended <= at
    node = site.node_name(w.node) if bound else ""
    job = {"created_by_kind": "Job", "created_by_name": f"train-{w.number}"}
    yield "kube_pod_info", {**pod, "node": node, **job, "priority_class": ""}, 1
    owner = {"owner_kind": "Job", "owner_name": f"train-{w.number}", "owner_is_controller": "true"}
    yield "kube_pod_owner", {**pod, **owner}, 1
    yield "kube_pod_created", pod, int(w.submitted.timestamp())
    if bound:
        yield "kube_pod_status_scheduled_time", pod, int(w.started.timestamp())
        yield "kube_pod_start_time", pod, int(w.started.timestamp())
    if over:
        yield "kube_pod_completion_time", pod, int(w.ended.timestamp())
    ended = "Failed" if w.fails else "Succeeded"
    phase = "Pending" if not bound else ended if over else "Running"
    for name in PHASES:
        yield "kube_pod_status_phase", {**pod, "phase": name}, int(name == phase)
    for reason in REASONS:
        yield "kube_pod_status_reason", {**pod, "reason": reason}, 0
    for condition in ("true", "false", "unknown"):
        holds = condition == ("true" if bound else "false")
        yield "kube_pod_status_scheduled", {**pod, "condition": condition}, int(holds)
    if not bound:
        yield "kube_pod_status_unschedulable", pod, 1
    asked = (("nvidia_com_gpu", "integer", w.gpus), ("cpu", "core", 8 * w.gpus))
    for resource, unit, amount in (*asked, ("memory", "byte", w.gpus << 36)):
        what = {**pod, "container": "main", "node": node, "resource": resource, "unit": unit}
        yield "kube_pod_container_resource_requests", what, amount
        yield "kube_pod_container_resource_limits", what, amount


SACCT = (
    "JobID|JobIDRaw|JobName|User|Account|Partition|State|Submit|Eligible|Start|End|"
    "NNodes|NodeList|ReqTRES|AllocTRES|ExitCode"
)


def _sacct(site: Site, w: Work, at: datetime) -> Iterator[str]:
    """The job's own line, then those of its steps."""
    begun, over = w.started <= at, w.ended <= at
    final = "FAILED" if w.fails else "COMPLETED"
    state = final if over else "RUNNING" if begun else "PENDING"
    tres = f"billing={8 * w.gpus},cpu={8 * w.gpus},gres/gpu={w.gpus},mem={64 * w.gpus}G,node=1"
    stamp = "%Y-%m-%dT%H:%M:%S"
    submit = w.submitted.strftime(stamp)
    start = w.started.strftime(stamp) if begun else "Unknown"
    end = w.ended.strftime(stamp) if over else "Unknown"
    node = site.node_name(w.node) if begun else "None assigned"
    given, code = tres if begun else "", "1:0" if over and w.fails else "0:0"
    number = str(w.number)
    rest = f"{submit}|{submit}|{start}|{end}|1|{node}"
    yield f"{number}|{number}|train|{w.user}|{w.team}|gpu|{state}|{rest}|{tres}|{given}|{code}"
    if begun:
        step = f"{number}.batch|{number}.batch|batch||{w.team}||{state}|{start}|{start}|{start}"
        yield f"{step}|{end}|1|{node}||{given}|{code}"
