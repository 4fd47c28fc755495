"""The processes of one GPU or slice, and how much of it each uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from collector.nvml import NOT_FOUND, NOT_SUPPORTED, Asker

# The newest call first; drivers before 510 know the second one.
COMPUTE = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")
MPS = ("nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2")
GRAPHICS = ("nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2")
# Graphics processes do not count as work on a GPU that computes.
KINDS = ((COMPUTE, True), (MPS, True), (GRAPHICS, False))
PERCENT = 100.0

Share = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU, by the host's process id; `slice` is the UUID of its MIG slice."""

    pid: int
    memory_bytes: int | None
    computes: bool = True
    sm_ratio: float | None = None
    memory_ratio: float | None = None
    slice: str = ""


class Processes:
    """Asks one GPU, or one slice; remembers up to when it knows their utilization."""

    def __init__(self, asker: Asker, slice_uuid: str = "") -> None:
        self._asker = asker
        self._slice = slice_uuid
        self._seen_us = 0
        # Utilization is told of whole cards only, and perhaps not to everybody.
        self._code = NOT_SUPPORTED if slice_uuid else 0

    def read(self, why: dict[str, int]) -> list[GpuProcess] | None:
        """Every process, each once; None where nobody may know."""
        found = self._listed()
        if found is None:
            why["processes"] = self._asker.code
            return None
        shares = self._shares() if found and not self._slice else None
        if self._code:
            why["sm_ratio"] = why["memory_ratio"] = self._code
        return [
            GpuProcess(pid, memory, computes, *_share(shares, pid), self._slice)
            for pid, (memory, computes) in found.items()
        ]

    def _listed(self) -> dict[int, tuple[int | None, bool]] | None:
        """Memory and whether it computes, by process id; each list names some again."""
        found: dict[int, tuple[int | None, bool]] = {}
        known = False
        code = 0
        for calls, computes in KINDS:
            listed = self._first(calls)
            if calls is COMPUTE:
                known, code = listed is not None, self._asker.code
            for process in listed or ():
                found.setdefault(process.pid, (process.usedGpuMemory, computes))
        self._asker.code = code
        return found if known else None

    def _first(self, calls: Iterable[str]) -> Any:
        """What the first call tells that this driver knows."""
        for call in calls:
            answer = self._asker.ask(call)
            if answer is not None or (call, ()) not in self._asker.refused:
                return answer
        return None

    def _shares(self) -> dict[int, Share] | None:
        """Mean use of SM and memory since the previous call, by process id; None = unknown."""
        samples = self._asker.put(
            "process utilization",
            "nvmlDeviceGetProcessUtilization",
            self._asker.handle,
            self._seen_us,
        )
        if samples is not None:
            self._code = 0
            return self._means(samples)
        # Success without samples, which the binding takes for an error, means nobody either.
        self._code = 0 if self._asker.code == NOT_FOUND else self._asker.code
        return None if self._code else {}

    def _means(self, samples: Iterable[Any]) -> dict[int, Share]:
        sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for sample in samples:
            if sample.timeStamp > self._seen_us and max(sample.smUtil, sample.memUtil) <= PERCENT:
                of_pid = sums[sample.pid]
                of_pid[0] += 1
                of_pid[1] += sample.smUtil
                of_pid[2] += sample.memUtil
        self._seen_us = max((s.timeStamp for s in samples), default=self._seen_us)
        return {p: (sm / n / PERCENT, memory / n / PERCENT) for p, (n, sm, memory) in sums.items()}


def _share(shares: dict[int, Share] | None, pid: int) -> tuple[float | None, float | None]:
    """Who has no sample was not active."""
    return (None, None) if shares is None else shares.get(pid, (0.0, 0.0))
