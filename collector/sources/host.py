"""Processors, memory, pressure and clock of this machine, from /proc and adjtimex."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

from collector.files import Files, real, whole
from collector.missing import Missing, Reason
from collector.pressure import stalled_s
from collector.source import Context, Source, SourceKind
from collector.timekeeping import Discipline, discipline
from gpuledger.catalogue.host import HostSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

KIB = 1024
# By column: the file below /proc/pressure and its line (linux Documentation/accounting/psi.rst).
PRESSURE = {
    "cpu_pressure_seconds": ("cpu", "some"),
    "io_pressure_seconds": ("io", "some"),
    "memory_pressure_seconds": ("memory", "some"),
    "io_stall_seconds": ("io", "full"),
    "memory_stall_seconds": ("memory", "full"),
    "interrupt_stall_seconds": ("irq", "full"),
}
IDLE, IOWAIT = 3, 4
ACCOUNTED = 8  # user to steal; guest time, which follows, is part of user time (proc(5))
# A machine may well be without these; without the others something is wrong.
OPTIONAL = frozenset(
    {"clock_synchronized", "clock_error_seconds", "memory_available_bytes", *PRESSURE}
)


class HostSettings(Settings):
    """Section `[host]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0


class Host(Source):
    """One row per reading; what a kernel does not tell is missing."""

    def __init__(
        self,
        settings: HostSettings,
        context: Context,
        discipline: Callable[[], Discipline | None] = discipline,
    ) -> None:
        self.period_s = settings.period_s
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("host")
        self._discipline = discipline
        self._before: list[int] | None = None

    def read(self) -> Iterable[Row]:
        """Processors, load, memory, pressure and clock. Unavailable without /proc."""
        stat, memory = self._files.text("proc/stat"), self._files.text("proc/meminfo")
        if stat is None and memory is None:
            raise Unavailable("no /proc/stat and no /proc/meminfo")
        busy, iowait = self._shares(stat or "")
        amounts = meminfo(memory or "")
        values = {
            "cpus": stat.count("\ncpu") or None if stat else None,
            "load1": real((self._files.text("proc/loadavg") or "").partition(" ")[0]),
            "memory_total_bytes": amounts.get("MemTotal"),
            "memory_available_bytes": amounts.get("MemAvailable"),
            "swap_used_bytes": swap_used(amounts),
            **self._clock(),
            **self._pressures(),
        }
        for column, value in values.items():
            self._tell(column, value)
        yield HostSample.known(cpu_busy_ratio=busy, cpu_iowait_ratio=iowait, **values)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _shares(self, stat: str) -> tuple[float | None, float | None]:
        """Busy and iowait as ratios of the processor time since the previous reading."""
        now = jiffies(stat)
        before, self._before = self._before, now
        if not now or not before:
            return None, None
        spent = [a - b for a, b in zip(now, before, strict=True)]
        whole_time = sum(spent)
        # iowait and idle may run backwards when a processor goes offline (proc(5)).
        if whole_time <= 0 or min(spent) < 0:
            return None, None
        idle, waiting = spent[IDLE], spent[IOWAIT]
        return 1 - (idle + waiting) / whole_time, waiting / whole_time

    def _pressures(self) -> dict[str, float | None]:
        """Seconds in which some task, or every task, waited since boot.

        Missing where pressure is off (no file, or EOPNOTSUPP); irq came with Linux 6.1.
        """
        kinds = {kind for kind, _ in PRESSURE.values()}
        texts = {kind: self._files.text(f"proc/pressure/{kind}") for kind in kinds}
        return {column: stalled_s(texts[k] or "", line) for column, (k, line) in PRESSURE.items()}

    def _clock(self) -> dict[str, float | None]:
        """Whether the clock is disciplined, and the bound of its error while it is."""
        told = self._discipline()
        if told is None:
            return {"clock_synchronized": None, "clock_error_seconds": None}
        error_s = told.error_s if told.is_synchronized else None
        return {"clock_synchronized": float(told.is_synchronized), "clock_error_seconds": error_s}

    def _tell(self, column: str, value: float | None) -> None:
        if value is None:
            reason = Reason.UNSUPPORTED if column in OPTIONAL else Reason.MALFORMED
            self._missing.note("", column, reason)
        else:
            self._missing.found("", column)


def jiffies(stat: str) -> list[int] | None:
    """Time of all processors by use, in ticks, from the first line of /proc/stat."""
    name, *parts = stat.partition("\n")[0].split()[: ACCOUNTED + 1] or [""]
    times = [whole(p) for p in parts]
    known = [t for t in times if t is not None]
    return known if name == "cpu" and len(known) == ACCOUNTED else None


def meminfo(text: str) -> dict[str, int]:
    """Bytes by name, from /proc/meminfo."""
    out = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        amount = whole(rest.removesuffix("kB"))
        if amount is not None:
            out[name] = amount * KIB
    return out


def swap_used(amounts: dict[str, int]) -> int | None:
    """Bytes of swap in use; never less than none, since the two lines are not read at once."""
    size, free = amounts.get("SwapTotal"), amounts.get("SwapFree")
    return None if size is None or free is None else max(0, size - free)


source = SourceKind(HostSettings, Host)
