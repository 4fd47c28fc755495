"""What the agent itself costs, and what its spool holds and had to let go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.missing import Missing, Reason
from collector.source import Source
from gpuledger.catalogue.host import AgentSample, SpoolLoss
from gpuledger.errors import ReadError, StoreError
from gpuledger.schema import Row
from gpuledger.spool import Spool

# The kernel walks every page of a process to answer: milliseconds for each.
MEMORY_EVERY_S = 60.0
KIB = 1024
# Places in /proc/<pid>/stat behind the program's name (proc_pid_stat(5)): time of the process
# itself in user and kernel mode, and of children that it waited for.
SPENT = slice(11, 15)


class Family:
    """A process and all that it started, as `/proc` shows them."""

    def __init__(self, proc: Path = Path("/proc"), pid: int | None = None) -> None:
        self._proc = proc
        self._pid = pid or os.getpid()

    @property
    def known(self) -> bool:
        """Whether the kernel tells a process's children (CONFIG_PROC_CHILDREN)."""
        return (self._proc / f"{self._pid}/task/{self._pid}/children").exists()

    def pids(self) -> list[int]:
        """The process and its descendants."""
        found, fresh = [self._pid], [self._pid]
        while fresh:
            fresh = [child for pid in fresh for child in self._children(pid)]
            found += fresh
        return found

    def cpu_s(self) -> float:
        """Processor time of all, and of those that have ended."""
        return sum(self._ticks(pid) for pid in self.pids()) / os.sysconf("SC_CLK_TCK")

    def pss_bytes(self) -> int:
        """Proportional set size of all."""
        return sum(self._pss_kib(pid) for pid in self.pids()) * KIB

    def _children(self, pid: int) -> list[int]:
        try:
            tasks = [task.name for task in (self._proc / f"{pid}/task").iterdir()]
        except OSError:
            return []
        told = [self._text(f"{pid}/task/{task}/children") for task in tasks]
        return [int(child) for text in told for child in text.split()]

    def _ticks(self, pid: int) -> int:
        _, _, rest = self._text(f"{pid}/stat").rpartition(")")
        return sum(map(int, rest.split()[SPENT]))

    def _pss_kib(self, pid: int) -> int:
        lines = self._text(f"{pid}/smaps_rollup").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    def _text(self, path: str) -> str:
        """A file's text; empty for a process or thread that has ended meanwhile."""
        try:
            return (self._proc / path).read_text()
        except OSError:
            return ""


class Account(Source):
    """The agent's own row of each period, and one for each table that lost rows."""

    pauses = False

    def __init__(
        self, spool: Spool, period_s: float, monotonic: Callable[[], float], family: Family
    ) -> None:
        self.period_s = period_s
        self._spool = spool
        self._monotonic = monotonic
        self._family = family
        self._missing = Missing("agent")
        self._cpu_s = 0.0
        self._memory_bytes: float | None = None
        self._ask_again_at = 0.0

    def read(self) -> Iterator[Row]:
        """Costs, what waits, what was lost. ReadError while the spool's disk fails."""
        try:
            entries, size_bytes = self._spool.waiting()
            oldest_s = self._spool.oldest_s()
            dropped, rejected = (self._spool.lost_rows(why) for why in ("dropped", "rejected"))
        except StoreError as e:
            raise ReadError(str(e)) from None
        yield AgentSample(
            cpu_seconds=self._cost(),
            memory_bytes=self._memory_bytes,
            waiting_entries=entries,
            waiting_bytes=size_bytes,
            oldest_waiting_seconds=oldest_s,
        )
        for of in sorted({*dropped, *rejected}):
            yield SpoolLoss(
                of=of, dropped_rows=dropped.get(of, 0), rejected_rows=rejected.get(of, 0)
            )
        yield from self._missing.rows()

    def _cost(self) -> float | None:
        """Processor time so far; looks at memory too when its time has come."""
        if not self._family.known:
            for reading in ("cpu_seconds", "memory_bytes"):
                self._missing.note("", reading, Reason.UNSUPPORTED, "no CONFIG_PROC_CHILDREN")
            return None
        now = self._monotonic()
        if now >= self._ask_again_at:
            self._memory_bytes, self._ask_again_at = self._family.pss_bytes(), now + MEMORY_EVERY_S
        # A child that ends between two readings of /proc is missed once: time never runs back.
        self._cpu_s = max(self._cpu_s, self._family.cpu_s())
        return self._cpu_s
