"""What a task of so many GPUs asks of processors and memory here, by the jobs of the last days."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.placing.judge import Usual
from analytics.placing.shapes import WHOLE

Weighed = list[tuple[int, int]]  # value, weight


class Needs:
    """Medians over tasks of whole GPUs of one cluster, milli-CPUs and MiB."""

    def __init__(self, usual: Iterable[Usual], cluster: str = "") -> None:
        self._by_size: dict[int, tuple[Weighed, Weighed]] = {}
        for one in usual:
            shape = one.shape
            if shape.wish.cluster in {"", cluster} and shape.share_milli == WHOLE and shape.gpus:
                cpu, memory = self._by_size.setdefault(shape.gpus, ([], []))
                cpu.append((shape.cpu_milli, one.tasks))
                memory.append((shape.memory_mib, one.tasks))

    def of(self, gpus: int) -> tuple[int, int]:
        """Of tasks of that size; where there were none, as much for each GPU as others asked."""
        found = self._by_size.get(gpus)
        if found:
            return _median(found[0]), _median(found[1])
        cpu: Weighed = []
        memory: Weighed = []
        for size, (cpus, memories) in self._by_size.items():
            cpu += [(value // size, n * size) for value, n in cpus]
            memory += [(value // size, n * size) for value, n in memories]
        return gpus * _median(cpu), gpus * _median(memory)


def _median(values: Weighed) -> int:
    """The lower weighted median; 0 of nothing."""
    half = sum(n for _, n in values) / 2
    below = 0
    for value, n in sorted(values):
        below += n
        if below >= half:
            return value
    return 0
