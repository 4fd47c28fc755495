"""Jobs that work: training, science, services, and the pauses that belong to work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tests.labelled.draft import Draft, Floats, steps
from tests.labelled.site import STEP_S, Variant

Behaviour = Callable[[Draft, Variant, int], None]
"""Fills the draft from a step on, at which start-up is over."""

# Levels of profiling counters of busy kinds of work. Dense training keeps SM above 0.8, which
# DCGM's guide calls effective; decoding is bound by memory, science by the FP64 pipes.
TRAIN = {
    "util": 0.985, "sm": 0.86, "occupancy": 0.34, "tensor": 0.46, "dram": 0.42,
    "hmma": 0.45, "fp32": 0.07, "fp16": 0.01, "pcie_in": 4e8, "pcie_out": 6e7,
}  # fmt: skip
DECODE = {
    "util": 0.97, "sm": 0.52, "occupancy": 0.22, "tensor": 0.1, "dram": 0.74, "hmma": 0.1,
    "fp32": 0.05, "pcie_in": 4e7, "pcie_out": 2e7,
}  # fmt: skip
SCIENCE = {
    "util": 0.97, "sm": 0.68, "occupancy": 0.45, "dram": 0.5, "fp64": 0.36, "fp32": 0.03,
    "pcie_in": 2e8, "pcie_out": 2e8,
}  # fmt: skip
GRAPH = {"util": 0.96, "sm": 0.6, "occupancy": 0.5, "dram": 0.62, "fp32": 0.02, "pcie_in": 5e8}


def busy(draft: Draft, first: int, levels: dict[str, float], *, memory: float = 0.75) -> None:
    """Work at those levels to the end, with gang traffic where it has several GPUs."""
    draft.hold(first, draft.steps, memory)
    draft.work(first, draft.steps, **levels)
    if draft.gpus > 1:
        draft.work(
            first,
            draft.steps,
            nvlink_in=draft.card.nvlink * 0.12,
            nvlink_out=draft.card.nvlink * 0.12,
        )
    draft.load(first, draft.steps, cores=3, ram=3e10, ether_in=3e7, netfs_in=4e7, latency=2e-3)


def train(draft: Draft, variant: Variant, first: int) -> None:
    """Dense training with checkpoints every 20 to 45 minutes and a validation after each epoch."""
    busy(draft, first, TRAIN, memory=draft.rng.uniform(0.45, 0.94))
    if draft.gpus > variant.slots:
        draft.load(
            first,
            draft.steps,
            fabric_in=0.3 * variant.fabric / variant.slots,
            fabric_out=0.3 * variant.fabric / variant.slots,
        )
    draft.mark("working", first, draft.steps)
    pauses(draft, first, every_min=(20, 45), lasting_s=(20, 150))
    for epoch in range(first + steps(draft.rng.uniform(30, 60)), draft.steps, steps(55)):
        lasting = steps(draft.rng.uniform(1, 4))
        level = draft.rng.uniform(0.35, 0.6)
        draft.gate(np.full(lasting, level), seconds=False, first=epoch)


def pauses(
    draft: Draft, first: int, every_min: tuple[float, float], lasting_s: tuple[float, float]
) -> None:
    """Checkpoints: GPUs wait while the state is written."""
    at = first + steps(draft.rng.uniform(*every_min))
    while at < draft.steps:
        lasting = max(1, round(draft.rng.uniform(*lasting_s) / STEP_S))
        draft.gate(np.zeros(min(lasting, draft.steps - at)), seconds=True, first=at)
        draft.load(at, at + lasting, cores=2, netfs_out=4e8, latency=4e-3, io_stall=0.3)
        draft.mark("checkpoint", at, at + lasting)
        at += lasting + steps(draft.rng.uniform(*every_min))


def bursts(draft: Draft, variant: Variant, first: int) -> None:
    """Training whose loader runs dry for seconds every few minutes: well used all the same."""
    busy(draft, first, TRAIN)
    dry = draft.rng.random(draft.steps - first) < 0.07
    share = np.where(dry, draft.rng.uniform(0.1, 0.6, len(dry)), 1)
    draft.gate(share, seconds=True, first=first)
    draft.load(first, draft.steps, cores=8, netfs_in=0.15 * variant.storage_rate, latency=3e-3)
    draft.mark("working", first, draft.steps)


def science(draft: Draft, variant: Variant, first: int) -> None:
    """Double precision: no tensor core would help."""
    busy(draft, first, SCIENCE, memory=draft.rng.uniform(0.1, 0.6))
    draft.mark("working", first, draft.steps)


def graph(draft: Draft, variant: Variant, first: int) -> None:
    """Integer and memory work, without floating point."""
    busy(draft, first, GRAPH, memory=draft.rng.uniform(0.3, 0.8))
    draft.mark("working", first, draft.steps)


def decode(draft: Draft, variant: Variant, first: int) -> None:
    """Batch inference of a large model."""
    busy(draft, first, DECODE, memory=0.92)
    draft.mark("working", first, draft.steps)


def simulate(draft: Draft, variant: Variant, first: int) -> None:
    """Reinforcement learning: half a minute of rollouts on processors, half a minute of updates."""
    busy(draft, first, {**TRAIN, "sm": 0.72, "tensor": 0.25, "hmma": 0.24})
    size = draft.steps - first
    period, share = draft.rng.integers(4, 9), draft.rng.uniform(0.45, 0.6)
    phase = (np.arange(size) % period) < round(period * share)
    draft.gate(np.where(phase, 1.0, 0.0), seconds=True, first=first)
    draft.load(first, draft.steps, cores=10)
    draft.mark("working", first, draft.steps, also=("cpu_bound",))


def video(draft: Draft, variant: Variant, first: int) -> None:
    """Decoding video on the fixed-function engine: SM and utilization stay at nothing."""
    draft.hold(first, draft.steps, 0.12)
    draft.work(first, draft.steps, util=0.004, sm=0.003, dram=0.08, pcie_in=2e9)
    draft.gpu["decoder"][:, first:] = draft.rng.uniform(0.45, 0.9)
    draft.gpu["active"][:, first:] = (
        draft.rng.random((draft.gpus, draft.steps - first)) < 0.02
    ) * 0.1
    draft.gpu["extra_watts"][:, first:] = 0.07 * draft.card.limit
    draft.load(first, draft.steps, cores=4, netfs_in=2e7, netfs_out=1e7)
    draft.mark("working", first, draft.steps)


def phases(draft: Draft, variant: Variant, first: int) -> None:
    """Processors prepare data for up to 25 minutes before, and once amid, the work on GPUs."""
    train(draft, variant, first)
    draft.marks = [m for m in draft.marks if m.label != "checkpoint"]
    middle = first + round((draft.steps - first) * draft.rng.uniform(0.4, 0.6))
    for at in (first, middle):
        lasting = min(steps(draft.rng.uniform(8, 25)), (draft.steps - first) // 4)
        draft.still(at, at + lasting)
        draft.load(at, at + lasting, cores=9, ram=4e10, netfs_in=1e8, netfs_out=5e7)
        draft.mark("cpu_phase", at, at + lasting)


def serve(draft: Draft, variant: Variant, first: int) -> None:
    """A service with traffic that swells and ebbs."""
    draft.hold(first, draft.steps, 0.9)
    draft.work(first, draft.steps, **DECODE)
    size = draft.steps - first
    tide = 0.55 + 0.3 * np.sin(np.arange(size) / steps(140) + draft.rng.uniform(0, 6))
    share = np.clip(tide * draft.wander(size, 0.25, 60), 0.2, 1)
    draft.gate(share, seconds=False, first=first)
    draft.request_rate = _rate(draft, first, 6 * share)
    draft.load(first, draft.steps, cores=2, ram=4e10, ether_in=4e6, ether_out=2e7)
    draft.mark("serving", first, draft.steps)


def low_traffic(draft: Draft, variant: Variant, first: int) -> None:
    """A service whose requests come every few seconds and leave the GPU mostly waiting."""
    draft.hold(first, draft.steps, 0.9)
    draft.work(first, draft.steps, **DECODE)
    size = draft.steps - first
    rate = draft.rng.uniform(0.06, 0.25)
    share = np.minimum(1, draft.rng.poisson(rate * STEP_S, size) * 0.8 / STEP_S)
    draft.gate(share, seconds=True, first=first)
    draft.request_rate = _rate(draft, first, np.full(size, rate))
    draft.load(first, draft.steps, cores=0.6, ram=4e10, ether_in=1e6, ether_out=3e6)
    draft.mark("low_traffic", first, draft.steps, also=("serving", "over_provisioned"))


def warm(draft: Draft, variant: Variant, first: int) -> None:
    """A service that waits: one request every few minutes, a second or two of work each."""
    draft.hold(first, draft.steps, 0.9)
    draft.work(first, draft.steps, **DECODE)
    size = draft.steps - first
    each = STEP_S / (variant.requests_s * draft.rng.uniform(0.8, 2.5))
    share = np.where(draft.rng.random(size) < each, draft.rng.uniform(0.05, 0.2, size), 0)
    draft.gate(share, seconds=True, first=first)
    draft.request_rate = _rate(draft, first, (share > 0) / STEP_S)
    draft.load(first, draft.steps, cores=0.2, ram=4e10, ether_in=1e4, ether_out=1e5)
    draft.mark("warm_serving", first, draft.steps, also=("low_traffic",))


def _rate(draft: Draft, first: int, rate: npt.ArrayLike) -> Floats:
    out: Floats = np.zeros(draft.steps, np.float32)
    out[first:] = rate
    return out
