"""Slurm jobs, Kubernetes pods and containers on this node: processor, memory and I/O, by cgroup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from collector.cgroups import V1, V2, Member, groups, is_unified
from collector.files import Files, boot_id, scaled, whole
from collector.missing import Missing, Reason
from collector.pressure import stalled_s
from collector.source import Context, Source, SourceKind
from collector.tally import Tally
from gpuledger.catalogue.host import CgroupSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

# Version 1 has a folder for each; the names with a comma that systemd makes are links' targets.
CONTROLLERS = ("memory", "cpu", "cpuacct", "blkio")
MICRO, NANO = 1e-6, 1e-9
# Version 1 says "no limit" by the largest number that fits.
NO_LIMIT = 1 << 62
PRESSURE = {
    "cpu_pressure_seconds": "cpu.pressure",
    "io_pressure_seconds": "io.pressure",
    "memory_pressure_seconds": "memory.pressure",
}
# A missing limit is no missing value: there is none.
ALWAYS = {
    "cpu_seconds",
    "cpu_throttled_seconds",
    "memory_bytes",
    "out_of_memory_kills",
    "read_bytes",
    "write_bytes",
    *PRESSURE,
}

Values = dict[str, float | None]
Devices = Mapping[str, float]


class CgroupsSettings(Settings):
    """Section `[cgroups]`."""

    period_s: Annotated[float, "seconds between readings"] = 10.0


class Cgroups(Source):
    """One row per job, pod or container. What its cgroup version has no file for is missing.

    No file stays open: hundreds of pods have more of them than a process may open.
    """

    def __init__(self, settings: CgroupsSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("cgroups")
        self._known: set[str] = set()
        self._tally = Tally(context.memory, boot_id(context.root))

    def read(self) -> Iterable[Row]:
        """Every group there is now. Unavailable without control groups."""
        unified = is_unified(self._files)
        top = V2 if unified else V1
        if not self._files.exists(top):
            raise Unavailable("no control groups in /sys/fs/cgroup")
        found = list(groups(self._files, top))
        self._forget({path for _, path in found})
        told: dict[str, set[str]] = {}
        for who, path in found:
            values = unified_values(self._files, path) if unified else v1_values(self._files, path)
            values |= self._moved(path, unified=unified)
            told.setdefault(who.runtime, set()).update(
                n for n, v in values.items() if v is not None
            )
            yield self._row(who, values)
        self._tell(told)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _forget(self, paths: set[str]) -> None:
        """Failures of groups that ended are no failures of those to come."""
        for path in self._known - paths:
            for top in (V2, *(f"{V2}/{name}" for name in CONTROLLERS)):
                self._files.forget(f"{top}/{path}")
        self._known = paths
        self._tally.forget(lambda key: key.partition(" ")[2] in paths)

    def _moved(self, path: str, *, unified: bool) -> Values:
        """Bytes over all devices, those that are listed no more included (a volume detached)."""
        read = unified_devices if unified else v1_devices
        told = read(self._files, path)
        return {
            column: None if devices is None else self._tally.total(f"{column} {path}", devices)
            for column, devices in told.items()
        }

    def _row(self, who: Member, values: Values) -> CgroupSample:
        return CgroupSample.known(runtime=who.runtime, name=who.name, **values)

    def _tell(self, told: dict[str, set[str]]) -> None:
        """By runtime, since all its groups have the same files: a row per job would be many."""
        for runtime, columns in told.items():
            for column in ALWAYS:
                if column in columns:
                    self._missing.found(runtime, column)
                else:
                    self._missing.note(runtime, column, Reason.UNSUPPORTED, "no such controller")


def unified_values(files: Files, path: str) -> Values:
    """A group of version 2 (linux Documentation/admin-guide/cgroup-v2.rst)."""
    folder = f"{V2}/{path}"
    cpu = pairs(files.text(f"{folder}/cpu.stat", keep=False))
    return {
        "cpu_seconds": scaled(cpu.get("usage_usec"), MICRO),
        "cpu_throttled_seconds": scaled(cpu.get("throttled_usec"), MICRO),
        "memory_bytes": files.number(f"{folder}/memory.current", keep=False),
        "memory_limit_bytes": files.number(f"{folder}/memory.max", keep=False),
        "out_of_memory_kills": pairs(files.text(f"{folder}/memory.events", keep=False)).get(
            "oom_kill"
        ),
        **{column: some(files, f"{folder}/{name}") for column, name in PRESSURE.items()},
    }


def v1_values(files: Files, path: str) -> Values:
    """A group of version 1, whose controllers stand in a folder each."""
    memory, cpu, accounts, _ = (f"{V2}/{name}/{path}" for name in CONTROLLERS)
    limit = files.number(f"{memory}/memory.limit_in_bytes", keep=False)
    throttled_ns = pairs(files.text(f"{cpu}/cpu.stat", keep=False)).get("throttled_time")
    return {
        "cpu_seconds": scaled(files.number(f"{accounts}/cpuacct.usage", keep=False), NANO),
        "cpu_throttled_seconds": scaled(throttled_ns, NANO),
        "memory_bytes": files.number(f"{memory}/memory.usage_in_bytes", keep=False),
        "memory_limit_bytes": limit if limit is None or limit < NO_LIMIT else None,
        "out_of_memory_kills": pairs(files.text(f"{memory}/memory.oom_control", keep=False)).get(
            "oom_kill"
        ),
    }


def unified_devices(files: Files, path: str) -> dict[str, Devices | None]:
    """Bytes by column and device of a group of version 2."""
    io = files.text(f"{V2}/{path}/io.stat", keep=False)
    return {"read_bytes": transferred(io, "rbytes="), "write_bytes": transferred(io, "wbytes=")}


def v1_devices(files: Files, path: str) -> dict[str, Devices | None]:
    """Bytes by column and device of a group of version 1."""
    file = f"{V2}/blkio/{path}/blkio.throttle.io_service_bytes_recursive"
    served = files.text(file, keep=False)
    return {
        "read_bytes": served_bytes(served, "Read"),
        "write_bytes": served_bytes(served, "Write"),
    }


def pairs(text: str | None) -> dict[str, int]:
    """Numbers by name, of lines such as `usage_usec 12`."""
    words = [line.split() for line in (text or "").splitlines()]
    numbers = {w[0]: whole(w[1]) for w in words if len(w) == 2}
    return {name: number for name, number in numbers.items() if number is not None}


def transferred(text: str | None, key: str) -> Devices | None:
    """Bytes by device, of lines such as `259:0 rbytes=1 wbytes=2`. Empty: none yet."""
    if text is None:
        return None
    lines = [line.split() for line in text.splitlines()]
    return _all(
        {w[0]: whole(v.removeprefix(key)) for w in lines for v in w[1:] if v.startswith(key)}
    )


def served_bytes(text: str | None, what: str) -> Devices | None:
    """Bytes by device, of lines such as `259:0 Read 1`."""
    if text is None:
        return None
    words = [line.split() for line in text.splitlines()]
    return _all({w[0]: whole(w[2]) for w in words if len(w) == 3 and w[1] == what})


def _all(devices: Mapping[str, int | None]) -> Devices | None:
    """The counts, if every device tells one."""
    known = {device: count for device, count in devices.items() if count is not None}
    return known if len(known) == len(devices) else None


def some(files: Files, path: str) -> float | None:
    """Seconds in which some task of the group waited, from a pressure file."""
    return stalled_s(files.text(path, keep=False) or "", "some")


source = SourceKind(CgroupsSettings, Cgroups)
