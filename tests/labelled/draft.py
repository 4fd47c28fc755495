"""What one job does to its GPUs and machines, step by step, before anybody samples it.

Signals are arrays (GPUs of the job, steps) of base units: ratios 0-1, watts, bytes per second.
Signals of machines are (steps,) and per GPU of the job: a node with two of them shows both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.labelled.site import STEP_S, Card

Floats = npt.NDArray[np.float32]

RATIOS = (
    *("util", "sm", "occupancy", "tensor", "dram", "fp16", "fp32", "fp64", "hmma", "imma"),
    *("decoder", "active"),
)
"""Signals of activity: what `gate` scales."""
OTHERS = (
    *("memory", "processes", "pcie_in", "pcie_out", "nvlink_in", "nvlink_out"),
    *("extra_watts", "throttled", "slowed", "lost"),
)
HOST = (
    *("cores", "iowait", "ram", "fabric_in", "fabric_out", "ether_in", "ether_out"),
    *("netfs_in", "netfs_out", "latency", "disk_in", "disk_out", "io_stall", "cpu_stall"),
)


@dataclass(frozen=True)
class Mark:
    """One label on some of a job's GPUs, from step to step of the job."""

    label: str
    first: int
    last: int
    gpus: tuple[int, ...]
    also: tuple[str, ...] = ()


@dataclass
class Draft:
    """The signals of one job and the truth about them."""

    card: Card
    rng: np.random.Generator
    gpus: int
    steps: int
    gpu: dict[str, Floats] = field(default_factory=dict)
    host: dict[str, Floats] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    request_rate: Floats | None = None
    """Requests per second, where it is a service."""
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (self.gpus, self.steps)
        self.gpu = {name: np.zeros(shape, np.float32) for name in (*RATIOS, *OTHERS)}
        self.host = {name: np.zeros(self.steps, np.float32) for name in HOST}
        self.host["cores"] += 0.05
        self.host["ram"] += 2e9

    def mark(
        self,
        label: str,
        first: int,
        last: int,
        gpus: tuple[int, ...] | None = None,
        also: tuple[str, ...] = (),
    ) -> None:
        """Say what is true of some of the GPUs from one step to another."""
        first, last = max(0, first), min(self.steps, last)
        if last > first:
            held = tuple(range(self.gpus)) if gpus is None else gpus
            self.marks.append(Mark(label, first, last, held, also))

    def wander(self, size: int, spread: float, every_s: float = 300) -> Floats:
        """A slow drift around 1, the same for all GPUs of the job."""
        knots = np.arange(0, size + every_s / STEP_S, every_s / STEP_S)
        drift = self.rng.normal(1, spread, len(knots))
        return np.interp(np.arange(size), knots, drift).astype(np.float32)

    def work(self, first: int, last: int, spread: float = 0.06, **levels: float) -> None:
        """Activity at those levels from one step to another."""
        size = max(0, min(last, self.steps) - first)
        if not size:
            return
        here = np.s_[:, first : first + size]
        drift = self.wander(size, spread)
        own = self.rng.normal(1, 0.02, (self.gpus, 1)).astype(np.float32)
        for name, level in levels.items():
            fresh = self.rng.normal(1, 0.03, (self.gpus, size)).astype(np.float32)
            top = 1 if name in RATIOS else np.inf
            self.gpu[name][here] = np.clip(level * drift * own * fresh, 0, top)
        self.gpu["active"][here] = 1

    def hold(self, first: int, last: int, ratio: float, processes: int = 1) -> None:
        """Processes with memory on every GPU from one step to another."""
        here = np.s_[:, first : min(last, self.steps)]
        self.gpu["memory"][here] = ratio
        self.gpu["processes"][here] = processes

    def load(self, first: int, last: int, **levels: float) -> None:
        """What the machines do for it, per GPU, with noise."""
        size = max(0, min(last, self.steps) - first)
        for name, level in levels.items():
            noise = np.abs(self.rng.normal(1, 0.08, size)).astype(np.float32)
            self.host[name][first : first + size] = level * noise

    def gate(self, share: npt.ArrayLike, *, seconds: bool, first: int = 0) -> None:
        """Scale activity by `share` (steps from `first` on, 0-1).

        With `seconds`, shares are whole seconds without work; else gaps are too short to see at
        1 Hz and only where nothing is left is a GPU inactive.
        """
        shares = np.asarray(share, np.float32)
        size = shares.shape[-1] if shares.ndim else self.steps
        here = np.s_[:, first : first + size]
        shares = shares[..., : max(0, self.steps - first)] if shares.ndim else shares
        for name in RATIOS:
            if name != "active":
                self.gpu[name][here] *= shares
        for name in ("pcie_in", "pcie_out", "nvlink_in", "nvlink_out", "extra_watts"):
            self.gpu[name][here] *= shares
        self.gpu["active"][here] *= shares if seconds else shares > 0.01

    def share_of_node(self, slots: int) -> float:
        """Part of a node's rate that one of its GPUs has, where the job has all of the rate."""
        return 1 / min(self.gpus, slots)

    def still(self, first: int, last: int, *, keep_processes: bool = True) -> None:
        """No activity from one step to another; memory and processes stay, or go."""
        here = np.s_[:, max(0, first) : last]
        for name in (*RATIOS, "pcie_in", "pcie_out", "nvlink_in", "nvlink_out", "extra_watts"):
            self.gpu[name][here] = 0
        for name in HOST:
            floor = {"cores": 0.05, "ram": 2e9}.get(name, 0)
            self.host[name][max(0, first) : last] = floor
        if not keep_processes:
            self.gpu["memory"][here] = self.gpu["processes"][here] = 0


def steps(minutes: float) -> int:
    """Steps in that many minutes."""
    return round(minutes * 60 / STEP_S)
