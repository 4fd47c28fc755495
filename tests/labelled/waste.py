"""Jobs that hold GPUs without work: idle, partly idle, notebooks, hangs."""

from __future__ import annotations

import numpy as np

from tests.labelled.draft import Draft, steps
from tests.labelled.site import STEP_S, Variant
from tests.labelled.working import TRAIN, busy, train


def never(draft: Draft, variant: Variant, first: int) -> None:
    """Given, and never used: a shell that sleeps, often without any process on the GPU."""
    draft.gpu["processes"][:] = 0
    draft.gpu["memory"][:] = 0
    if draft.rng.random() < 0.4:
        draft.hold(first, draft.steps, draft.rng.uniform(0.005, 0.6))
    stray(draft, first)
    draft.mark("idle", first, draft.steps)


def done(draft: Draft, variant: Variant, first: int) -> None:
    """Works, finishes, and is not ended: a script that waits, or a deadlock on the processors."""
    train(draft, variant, first)
    end = draft.facts.get("turn") or first + round(
        (draft.steps - first) * draft.rng.uniform(0.35, 0.7)
    )
    draft.still(end, draft.steps, keep_processes=draft.rng.random() < 0.6)
    stray(draft, end)
    draft.marks = [m for m in draft.marks if m.label == "checkpoint" and m.last < end]
    draft.mark("working", first, end)
    draft.mark("idle", end, draft.steps)


def blips(draft: Draft, variant: Variant, first: int) -> None:
    """Idle, but something touches the GPU for a second or less, about once a minute.

    Job Defense Shield's rule (every sample 0) is fooled by one touch in its window.
    """
    draft.hold(first, draft.steps, draft.rng.uniform(0.02, 0.5))
    draft.mark("idle_blips", first, draft.steps)
    if draft.facts.get("grade") == "C":
        return
    touched = draft.rng.random((draft.gpus, draft.steps - first)) < STEP_S / 75
    seconds = draft.rng.uniform(0.02, 0.1, touched.shape) * touched
    here = np.s_[:, first:]
    draft.gpu["active"][here] = seconds
    draft.gpu["util"][here] = seconds * draft.rng.uniform(0.2, 1, touched.shape)
    draft.gpu["sm"][here] = draft.gpu["util"][here] * 0.4
    draft.gpu["dram"][here] = draft.gpu["util"][here] * 0.1


def stray(draft: Draft, first: int) -> None:
    """What an idle GPU shows all the same: a percent here and there, as NVML rounds it."""
    seen = draft.rng.random((draft.gpus, draft.steps - first)) < 0.002
    here = np.s_[:, first:]
    draft.gpu["util"][here] += 0.01 * seen
    draft.gpu["active"][here] += 0.05 * seen


def notebook(draft: Draft, variant: Variant, first: int) -> None:
    """Cells of 20 to 150 seconds every 25 to 90 minutes; memory stays held, clocks stay up."""
    draft.hold(first, draft.steps, draft.rng.uniform(0.1, 0.9))
    if draft.rng.random() < 0.3:
        draft.gpu["extra_watts"][:, first:] = 0.03 * draft.card.limit
    at = first
    while at < draft.steps:
        lasting = max(2, round(draft.rng.uniform(20, 150) / STEP_S))
        levels = {**TRAIN, "sm": 0.4, "tensor": 0.15, "hmma": 0.15}
        draft.work(at, at + lasting, **levels)
        draft.mark("working", at, at + lasting)
        pause = steps(draft.rng.uniform(25, 90))
        draft.mark("idle_notebook_mem", at + lasting, at + lasting + pause)
        at += lasting + pause
    draft.load(first, draft.steps, cores=0.3, ram=1e10)


def partial(draft: Draft, variant: Variant, first: int) -> None:
    """Asks for several GPUs and uses the first ones only."""
    used = max(1, draft.gpus // draft.rng.choice([2, 4]))
    train(draft, variant, first)
    idle = tuple(range(used, draft.gpus))
    for name, signal in draft.gpu.items():
        if name != "memory":
            signal[list(idle)] = 0
    if draft.rng.random() < 0.5:
        draft.gpu["processes"][list(idle), first:] = 1
        draft.gpu["memory"][list(idle), first:] = 0.008
    else:
        draft.gpu["memory"][list(idle)] = 0
    draft.marks = []
    draft.mark("working", first, draft.steps, tuple(range(used)))
    draft.mark("partial_idle", first, draft.steps, idle)


def spin(draft: Draft, at: int, last: int, gpus: list[int] | None = None) -> None:
    """A collective that never ends: the kernel runs, its channels poll, nothing moves.

    Utilization is 100 %, power very low (nebius/soperator issue 796 finds hangs by just that). SM
    shows the channels' blocks: a few to a fifth of all multiprocessors.
    """
    rows = np.arange(draft.gpus) if gpus is None else np.array(gpus)
    last = min(last, draft.steps)
    shape = (len(rows), last - at)
    here = np.ix_(rows, np.arange(at, last))
    for name in draft.gpu:
        if name not in {"memory", "processes"}:
            draft.gpu[name][here] = 0
    sm = draft.rng.uniform(0.03, 0.2)
    draft.gpu["util"][here] = np.where(draft.rng.random(shape) < 0.03, 0.99, 1)
    draft.gpu["sm"][here] = sm * draft.rng.normal(1, 0.01, shape)
    draft.gpu["occupancy"][here] = sm / 12
    draft.gpu["dram"][here] = draft.rng.uniform(0, 0.004, shape)
    draft.gpu["fp32"][here] = 0.0004
    draft.gpu["active"][here] = 1
    draft.gpu["extra_watts"][here] = draft.rng.uniform(0.02, 0.09) * draft.card.limit
    draft.load(at, last, cores=1, ram=3e10)


def hang(draft: Draft, variant: Variant, first: int) -> None:
    """Works for a while, then spins to the end."""
    train(draft, variant, first)
    at = draft.facts.get("turn") or first + round(
        (draft.steps - first) * draft.rng.uniform(0.3, 0.65)
    )
    for name in ("fabric_in", "fabric_out", "netfs_in", "ether_in"):
        draft.host[name][at:] = 0
    spin(draft, at, draft.steps)
    draft.marks = [m for m in draft.marks if m.label == "checkpoint" and m.last < at]
    draft.mark("working", first, at)
    draft.mark("hung", at, draft.steps)


def peer(draft: Draft, variant: Variant, first: int) -> None:
    """A gang of which one GPU (or its whole node) dies: the others spin, or wait without a kernel.

    Which and when is in `facts`: `dies_at` (step) and `dead` (GPUs of the job that are gone).
    """
    train(draft, variant, first)
    at = first + round((draft.steps - first) * draft.rng.uniform(0.4, 0.6))
    dead: list[int] = draft.facts.get("dead", [0])
    draft.facts["dies_at"] = at
    for name in ("fabric_in", "fabric_out", "netfs_in", "ether_in"):
        draft.host[name][at:] = 0
    if draft.rng.random() < 0.7:
        spin(draft, at, draft.steps)
    else:
        draft.still(at, draft.steps)
    for name, signal in draft.gpu.items():
        signal[dead, at:] = 1 if name == "lost" else 0
    draft.marks = [m for m in draft.marks if m.label == "checkpoint" and m.last < at]
    draft.mark("working", first, at)
    alive = tuple(i for i in range(draft.gpus) if i not in dead)
    draft.mark("dead_peer", at, draft.steps, alive, also=("hung", "idle"))
    draft.mark("lost", at, draft.steps, tuple(dead))


def straggler(draft: Draft, variant: Variant, first: int) -> None:
    """One rank is slow: it computes all the time at a lower clock while the others wait for it."""
    busy(draft, first, TRAIN)
    at = first + round((draft.steps - first) * draft.rng.uniform(0, 0.3))
    slow = int(draft.rng.integers(draft.gpus))
    others = [i for i in range(draft.gpus) if i != slow]
    pace = draft.rng.uniform(0.45, 0.7)
    for name in ("sm", "tensor", "dram", "hmma", "fp32", "fp16", "occupancy"):
        draft.gpu[name][others, at:] *= pace
    # While the others wait inside the collective, its channels keep some multiprocessors busy.
    draft.gpu["sm"][others, at:] += 0.08 * (1 - pace)
    draft.gpu["slowed"][slow, at:] = 1 - pace
    draft.gpu["extra_watts"][slow, at:] = -0.25 * draft.card.limit
    draft.mark("working", first, draft.steps)
    draft.mark("straggler", at, draft.steps, (slow,))


def imbalance(draft: Draft, variant: Variant, first: int) -> None:
    """One rank has less to do than the others, and waits for them."""
    busy(draft, first, TRAIN)
    odd = int(draft.rng.integers(draft.gpus))
    pace = draft.rng.uniform(0.3, 0.55)
    for name in ("sm", "tensor", "dram", "hmma", "occupancy"):
        draft.gpu[name][odd, first:] *= pace
    draft.mark("working", first, draft.steps)
    draft.mark("straggler", first, draft.steps, (odd,))


def throttled(draft: Draft, variant: Variant, first: int) -> None:
    """Heat or a power brake holds the clocks of its GPUs down for most of the time."""
    train(draft, variant, first)
    at = first + steps(draft.rng.uniform(10, 40))
    hot = tuple(range(max(1, draft.gpus // 2)))
    draft.marks = [m for m in draft.marks if m.label == "checkpoint"]
    for gpu in hot:
        held = draft.rng.random(max(0, draft.steps - at)) < 0.85
        draft.gpu["throttled"][gpu, at:] = held
        draft.gpu["slowed"][gpu, at:] = 0.45 * held
    draft.mark("working", first, draft.steps)
    draft.mark("throttled", at, draft.steps, hot)
