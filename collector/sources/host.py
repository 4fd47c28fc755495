"""Processors, memory and pressure of this machine, from /proc."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from collector.files import Files, real, scaled, whole
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.host import HostSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

KIB = 1024
IDLE, IOWAIT = 3, 4
ACCOUNTED = 8  # user to steal; guest time, which follows, is part of user time (proc(5))


class HostSettings(Settings):
    """Section `[host]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0


class Host(Source):
    """One row per reading; what a kernel does not tell is missing."""

    def __init__(self, settings: HostSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._files = Files(context.root, context.clock.monotonic)
        self._before: list[int] | None = None

    def read(self) -> Iterable[HostSample]:
        """Processors, load, memory and pressure. Unavailable without /proc."""
        stat, memory = self._files.text("proc/stat"), self._files.text("proc/meminfo")
        if stat is None and memory is None:
            raise Unavailable("no /proc/stat and no /proc/meminfo")
        busy, iowait = self._shares(stat or "")
        amounts = meminfo(memory or "")
        yield HostSample.known(
            cpus=stat.count("\ncpu") or None if stat else None,
            cpu_busy_ratio=busy,
            cpu_iowait_ratio=iowait,
            load1=real((self._files.text("proc/loadavg") or "").partition(" ")[0]),
            memory_total_bytes=amounts.get("MemTotal"),
            memory_available_bytes=amounts.get("MemAvailable"),
            cpu_pressure_seconds=self._pressure("cpu"),
            io_pressure_seconds=self._pressure("io"),
            memory_pressure_seconds=self._pressure("memory"),
        )

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

    def _pressure(self, kind: str) -> float | None:
        """Seconds in which some task waited, since boot; missing where PSI is off."""
        text = self._files.text(f"proc/pressure/{kind}") or ""
        some = next((line for line in text.splitlines() if line.startswith("some ")), "")
        return scaled(whole(some.partition("total=")[2]), 1e-6)


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


source = SourceKind(HostSettings, Host)
