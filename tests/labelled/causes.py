"""Jobs that use little of their GPUs, each for one known reason.

The reasons are those that Gao et al. (ICSE 2024) found behind low utilization: data operations,
batches too small, copies between host and GPU, checkpoints; and those of Job Defense Shield: too
few or too many processors, models too small for the card.
"""

from __future__ import annotations

import numpy as np

from tests.labelled.draft import Draft, steps
from tests.labelled.site import Variant
from tests.labelled.working import TRAIN, busy


def input_bound(draft: Draft, variant: Variant, first: int) -> None:
    """Waits for data: dips of seconds to a minute, storage or network read near its limit."""
    busy(draft, first, TRAIN)
    size = draft.steps - first
    duty = draft.rng.uniform(0.1, 0.24)
    if draft.rng.random() < 0.5:
        draft.gate(duty * draft.wander(size, 0.1), seconds=False, first=first)
    else:
        period = int(draft.rng.integers(3, 12))
        on = (np.arange(size) % period) < max(1, round(period * duty))
        draft.gate(np.where(on, 0.7, 0.0), seconds=True, first=first)
    near = draft.rng.uniform(0.75, 0.98)
    reads = near * draft.share_of_node(variant.slots)
    where = draft.rng.choice(["shared", "disk", "object"], p=[0.6, 0.2, 0.2])
    draft.load(first, draft.steps, cores=1.5, iowait=4, io_stall=0.55, ram=6e10)
    if where == "shared":
        draft.load(first, draft.steps, netfs_in=reads * variant.storage_rate, latency=0.02)
        draft.load(first, draft.steps, ether_in=reads * variant.storage_rate)
    elif where == "disk":
        draft.load(first, draft.steps, disk_in=reads * 3.2e9, netfs_in=2e6, latency=2e-3)
    else:
        draft.load(first, draft.steps, ether_in=reads * variant.ethernet, netfs_in=1e6)
        draft.load(first, draft.steps, iowait=0.05, io_stall=0.02)
    draft.mark("input_bound", first, draft.steps)


def cpu_bound(draft: Draft, variant: Variant, first: int) -> None:
    """Waits for processors that decode and augment: all it has are busy, and storage is not."""
    busy(draft, first, TRAIN)
    size = draft.steps - first
    draft.gate(draft.rng.uniform(0.08, 0.24) * draft.wander(size, 0.12), seconds=False, first=first)
    given = draft.facts["cores"] / draft.gpus
    draft.load(first, draft.steps, cores=given * draft.rng.uniform(0.9, 0.99), ram=5e10)
    draft.host["cores"][first:] = np.minimum(draft.host["cores"][first:], given)
    draft.load(first, draft.steps, cpu_stall=0.6, netfs_in=6e7, latency=2e-3)
    draft.mark("cpu_bound", first, draft.steps)


def comm_bound(draft: Draft, variant: Variant, first: int) -> None:
    """Waits inside collectives: links near their limit, kernels resident, little computed."""
    busy(draft, first, TRAIN)
    draft.gate(draft.rng.uniform(0.1, 0.2), seconds=False, first=first)
    draft.work(first, draft.steps, util=0.99, sm=draft.rng.uniform(0.13, 0.22), occupancy=0.02)
    near = draft.rng.uniform(0.6, 0.92)
    link = draft.card.nvlink or draft.card.pcie
    names = ("nvlink_in", "nvlink_out") if draft.card.nvlink else ("pcie_in", "pcie_out")
    if draft.gpus > variant.slots:
        each = near * variant.fabric / variant.slots
        draft.load(first, draft.steps, fabric_in=each, fabric_out=each)
        link *= 0.3
    draft.work(first, draft.steps, **dict.fromkeys(names, near * link))
    draft.mark("comm_bound", first, draft.steps)


def small_batch(draft: Draft, variant: Variant, first: int) -> None:
    """Kernels one after another, each too small: utilization high, SM and occupancy low."""
    busy(draft, first, TRAIN, memory=draft.rng.uniform(0.03, 0.15))
    levels = {
        "util": draft.rng.uniform(0.55, 0.98), "sm": draft.rng.uniform(0.07, 0.22),
        "occupancy": draft.rng.uniform(0.02, 0.06), "tensor": 0.03, "hmma": 0.03, "dram": 0.05,
        "fp32": 0.03, "pcie_in": 5e7,
    }  # fmt: skip
    draft.work(first, draft.steps, **levels)
    draft.load(first, draft.steps, cores=1.05, ram=8e9, netfs_in=5e6, ether_in=4e6)
    draft.mark("small_batch", first, draft.steps, also=("over_provisioned",))


def hoarding(draft: Draft, variant: Variant, first: int) -> None:
    """Takes all memory at the start (as TensorFlow does unless told otherwise), computes little."""
    busy(draft, first, TRAIN, memory=draft.rng.uniform(0.9, 0.97))
    levels = {"util": 0.3, "sm": 0.1, "occupancy": 0.05, "tensor": 0.02, "hmma": 0.02}
    draft.work(first, draft.steps, 0.2, **levels, dram=0.04, fp32=0.03, pcie_in=4e7)
    size = draft.steps - first
    active = draft.rng.random(size) < 0.55
    draft.gate(np.where(active, 1.0, 0.05), seconds=True, first=first)
    draft.load(first, draft.steps, cores=1.0, ram=1.2e10, netfs_in=3e6, ether_in=3e6)
    draft.mark("memory_hoarding", first, draft.steps, also=("small_batch",))


def no_tensor(draft: Draft, variant: Variant, first: int) -> None:
    """Single precision on the FP32 pipe: busy enough, but tensor cores stand still."""
    busy(draft, first, TRAIN, memory=draft.rng.uniform(0.3, 0.8))
    sm = draft.rng.choice([draft.rng.uniform(0.16, 0.23), draft.rng.uniform(0.6, 0.85)])
    levels = {
        "util": 0.97, "sm": sm, "occupancy": 0.3, "tensor": 0.0, "hmma": 0.0, "fp32": 0.75 * sm,
        "dram": 0.4 * sm,
    }  # fmt: skip
    draft.work(first, draft.steps, **levels)
    draft.mark("no_tensor", first, draft.steps)


def checkpoints(draft: Draft, variant: Variant, first: int) -> None:
    """Writes its state every few minutes, for longer than it computes in between."""
    busy(draft, first, TRAIN)
    size = draft.steps - first
    period = steps(draft.rng.uniform(4, 6))
    writing = np.arange(size) % period >= round(period * draft.rng.uniform(0.18, 0.27))
    draft.gate(np.where(writing, 0.0, 0.9), seconds=True, first=first)
    rate = 0.7 * draft.share_of_node(variant.slots) * variant.storage_rate
    draft.load(first, draft.steps, cores=1.2, ram=5e10, iowait=2, io_stall=0.4)
    draft.load(first, draft.steps, netfs_out=rate, ether_out=rate, latency=0.01)
    for name in ("netfs_out", "ether_out", "iowait", "io_stall"):
        draft.host[name][first:] *= writing
    draft.mark("checkpoint_bound", first, draft.steps)


def copies(draft: Draft, variant: Variant, first: int) -> None:
    """Moves tensors to and fro over PCIe in every step."""
    busy(draft, first, TRAIN)
    draft.gate(
        draft.rng.uniform(0.08, 0.22) * draft.wander(draft.steps - first, 0.1),
        seconds=False,
        first=first,
    )
    near = draft.rng.uniform(0.45, 0.8) * draft.card.pcie
    draft.work(first, draft.steps, pcie_in=near, pcie_out=0.6 * near)
    draft.load(first, draft.steps, cores=1.3, ram=4e10)
    draft.mark("host_device_copies", first, draft.steps)


def over_provisioned(draft: Draft, variant: Variant, first: int) -> None:
    """A model that needs a tenth of the card, on several of them: small memory, few processors."""
    busy(draft, first, TRAIN, memory=draft.rng.uniform(0.02, 0.09))
    size = draft.steps - first
    levels = {"util": 0.16, "sm": 0.08, "occupancy": 0.03, "tensor": 0.02, "hmma": 0.02}
    draft.work(first, draft.steps, 0.1, **levels, dram=0.03, fp32=0.01)
    share = np.clip(draft.rng.normal(0.6, 0.2, size), 0.15, 1)
    draft.gate(share, seconds=True, first=first)
    draft.load(first, draft.steps, cores=0.8, ram=6e9, netfs_in=2e6, ether_in=2e6)
    draft.mark("over_provisioned", first, draft.steps, also=("small_batch",))
