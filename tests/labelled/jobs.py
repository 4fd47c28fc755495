"""What jobs tell through the kernel, the driver and their own servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tests.labelled.plan import Job
from tests.labelled.rows import Told
from tests.labelled.site import STEP_S, STEPS_PER_MINUTE
from tests.labelled.telemetry import PROCESS_MINUTES, node_name, places
from tests.labelled.weave import World, growth, means

EXECUTABLES = ("python", "python3.11", "python3", "lmp", "gmx_mpi")


def groups(world: World, cluster: str, jobs: Sequence[Job]) -> Iterator[Told]:
    """`cgroup_samples`: one control group for each job and node, by minute."""
    pairs = [(job, node) for job in jobs for node in sorted({n for n, _ in job.spots})]
    windows = world.length // STEPS_PER_MINUTE
    mean = {name: np.zeros((len(pairs), windows)) for name in _CGROUP}
    alive = np.zeros((len(pairs), windows), np.bool_)
    for i, (job, node) in enumerate(pairs):
        count = sum(n == node for n, _ in job.spots)
        last = job.first + job.draft.steps
        for name in _CGROUP:
            signal = np.zeros((1, world.length), np.float32)
            share = 1 if name.endswith("_stall") else count
            signal[0, job.first : last] = job.draft.host[name] * share
            mean[name][i] = means(signal, STEPS_PER_MINUTE)[0]
        alive[i, -(-job.first // STEPS_PER_MINUTE) : last // STEPS_PER_MINUTE] = True
        alive[i] &= world.told[node]
    keys = {
        "cluster": np.full(len(pairs), cluster, object),
        "node": np.array([node_name(n) for _, n in pairs], object),
        "runtime": np.full(len(pairs), "slurm", object),
        "name": np.array([str(job.number) for job, _ in pairs], object),
    }
    grids = {
        "cpu_seconds": growth(mean["cores"], 60),
        "cpu_throttled_seconds": 0.0,
        "memory_bytes": mean["ram"],
        "memory_bytes_max": mean["ram"],
        "out_of_memory_kills": 0.0,
        "read_bytes": growth(mean["disk_in"], 60),
        "write_bytes": growth(mean["disk_out"], 60),
        "cpu_pressure_seconds": growth(mean["cpu_stall"], 60),
        "io_pressure_seconds": growth(mean["io_stall"], 60),
        "memory_pressure_seconds": 0.0,
    }
    yield Told("cgroup_samples", 60.0, windows, keys, grids, alive)


_CGROUP = ("cores", "ram", "disk_in", "disk_out", "io_stall", "cpu_stall")


def processes(
    world: World, cluster: str, jobs: Sequence[Job], start_ms: int, hidden: set[int]
) -> Iterator[Told]:
    """`process_samples`: one process per GPU of a job, every five minutes.

    `hidden` are nodes without an agent of ours.
    """
    every = PROCESS_MINUTES * STEPS_PER_MINUTE
    windows = world.length // every
    at = np.arange(windows) * every + every - 1
    listed = places(cluster, world.variant)
    parts = [
        (job, i, world.row(*spot))
        for job in jobs
        for i, spot in enumerate(job.spots)
        if spot[0] not in hidden
    ]
    if not parts:
        return
    held = np.zeros((len(parts), windows))
    memory, use = held.copy(), held.copy()
    for p, (job, i, _) in enumerate(parts):
        inside = (at >= job.first) & (at < job.first + job.draft.steps)
        local = at[inside] - job.first
        for grid, name in ((held, "processes"), (memory, "memory"), (use, "sm")):
            grid[p, inside] = job.draft.gpu[name][i, local]
    places_of = [listed[row] for _, _, row in parts]
    kept = (held > 0) & world.told[[r // world.variant.slots for _, _, r in parts]][
        :, at // STEPS_PER_MINUTE
    ]
    keys: dict[str, Any] = {
        "cluster": np.full(len(parts), cluster, object),
        "node": np.array([p.node for p in places_of], object),
        "slot": np.array([p.slot for p in places_of], np.int64),
        "gpu_id": np.array([p.gpu_id for p in places_of], np.uint64),
        "pid": np.array([4000 + 64 * (job.number % 9000) + i for job, i, _ in parts], np.int64),
        "user": np.array([job.user for job, _, _ in parts], object),
        "executable": np.array([_executable(job) for job, _, _ in parts], object),
        "started": np.array([start_ms + job.first * STEP_S * 1000 for job, _, _ in parts]),
        "runtime": np.array(["slurm" if job.team else "" for job, _, _ in parts], object),
        "container": np.array([f"job_{job.number}" if job.team else "" for job, _, _ in parts]),
    }
    grids = {
        "memory_used_bytes": memory * world.variant.card.memory,
        "sm_ratio": use,
        "memory_ratio": 0.5 * use,
    }
    kept = np.ascontiguousarray(kept)
    yield Told("process_samples", every * STEP_S, windows, keys, grids, kept)


def _executable(job: Job) -> str:
    if job.kind == "science":
        return EXECUTABLES[3 + job.number % 2]
    return EXECUTABLES[job.number % 3]


def services(world: World, cluster: str, jobs: Sequence[Job]) -> Iterator[Told]:
    """`serving_samples`: one replica for each service, by minute."""
    serving = [job for job in jobs if job.draft.request_rate is not None]
    if not serving:
        return
    windows = world.length // STEPS_PER_MINUTE
    rate = np.zeros((len(serving), windows))
    alive = np.zeros((len(serving), windows), np.bool_)
    for i, job in enumerate(serving):
        last = job.first + job.draft.steps
        signal = np.zeros((1, world.length), np.float32)
        signal[0, job.first : last] = job.draft.request_rate
        rate[i] = means(signal, STEPS_PER_MINUTE)[0]
        alive[i, -(-job.first // STEPS_PER_MINUTE) : last // STEPS_PER_MINUTE] = True
        alive[i] &= world.told[job.spots[0][0]]
    nodes = [node_name(job.spots[0][0]) for job in serving]
    keys = {
        "cluster": np.full(len(serving), cluster, object),
        "node": np.array(nodes, object),
        "service": np.full(len(serving), "vllm", object),
        "model": np.array([f"model{job.number % 5}" for job in serving], object),
        "instance": np.array(
            [f"{n}:{8000 + j.number % 1000}" for n, j in zip(nodes, serving, strict=True)]
        ),
    }
    answered = np.floor(growth(rate, 60))
    grids = {
        "requests": answered,
        "failed_requests": 0.0,
        "running_requests": rate * 1.5,
        "running_requests_max": np.ceil(rate * 3),
        "waiting_requests": np.maximum(0, rate - 5),
        "waiting_requests_max": np.maximum(0, rate - 5),
        "prompt_tokens": answered * 700,
        "generated_tokens": answered * 220,
        "kv_cache_ratio": np.minimum(1, 0.02 + rate / 8),
        "kv_cache_ratio_max": np.minimum(1, 0.03 + rate / 7),
        "first_token_seconds": answered * 0.12,
        "request_seconds": answered * 1.5,
        "queue_seconds": answered * 0.01,
    }
    yield Told("serving_samples", 60.0, windows, keys, grids, alive)
