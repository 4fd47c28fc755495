"""Google TPUs: duty cycle and memory, from the runtime's own service while a workload runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from collector.missing import Missing, Reason
from collector.source import Context, Source, SourceKind
from collector.tpu import DUTY_CYCLE, MEMORY_TOTAL, MEMORY_USED, TpuRuntime
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.work import Gpu
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.mapping import active_seconds
from gpuledger.schema import Row

METRICS = (DUTY_CYCLE, MEMORY_USED, MEMORY_TOTAL)
INVENTORY_S = 600.0
PERCENT = 100
GOOGLE = "0x1ae0"
PCI = "sys/bus/pci/devices"


class TpuSettings(Settings):
    """Section `[tpu]`."""

    period_s: Annotated[float, "seconds between readings"] = 10.0
    address: Annotated[str, "host and port of the runtime's metric service"] = "localhost:8431"
    timeout_s: Annotated[float, "longest wait for one answer, seconds"] = 2.0
    model: Annotated[str, "model of the TPUs, e.g. v5e; the runtime does not tell it"] = ""


class Tpu(Source):
    """One sample per TPU while the runtime answers; without a workload there is nothing to ask."""

    def __init__(self, settings: TpuSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._runtime = TpuRuntime(settings.address, settings.timeout_s)
        self._missing = Missing("tpu")
        self._told: tuple[dict[int, float], float] = ({}, 0.0)
        self._previous: float | None = None

    def read(self) -> Iterable[Row]:
        """Samples, and the inventory when it changes. Unavailable on a machine without TPUs.

        A runtime that does not answer is no failure: it ends with each workload. What it would
        have told is missing, and nothing is said of the time.
        """
        if self._previous is None and not self._has_tpus():
            raise Unavailable("no Google TPU on this machine")
        elapsed_s = self._elapsed()
        yield from self._samples({name: self._values(name) for name in METRICS}, elapsed_s)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the connection."""
        self._runtime.close()

    def _has_tpus(self) -> bool:
        """A PCI device of Google's, or a runtime elsewhere that was named."""
        if not self._settings.address.startswith(("localhost:", "127.", "[::1]:")):
            return True
        root = self._context.root
        vendors = (path / "vendor" for path in _paths(root / PCI))
        return any(_text(path) == GOOGLE for path in vendors) or (root / "dev/accel0").exists()

    def _elapsed(self) -> float:
        now = self._context.clock.monotonic()
        before, self._previous = self._previous, now
        return 0.0 if before is None else now - before

    def _values(self, name: str) -> dict[int, float]:
        try:
            values = self._runtime.values(name)
        except ReadError as e:
            late = "DEADLINE_EXCEEDED" in str(e)
            reason = Reason.TIMEOUT if late else Reason.UNREADABLE
            self._missing.note(self._settings.address, name, reason, str(e))
            return {}
        if values:
            self._missing.found(self._settings.address, name)
        else:
            self._missing.note(self._settings.address, name, Reason.UNSUPPORTED, "no device told")
        return values

    def _samples(self, told: dict[str, dict[int, float]], elapsed_s: float) -> Iterator[Row]:
        totals = told[MEMORY_TOTAL]
        devices = sorted({*told[MEMORY_USED], *totals, *told[DUTY_CYCLE]})
        duty = spread(told[DUTY_CYCLE], devices)
        for device in devices:
            busy = duty.get(device)
            ratio = None if busy is None else min(busy / PERCENT, 1.0)
            yield GpuSample.known(
                slot=device,
                uuid=f"TPU-{device}",
                utilization_ratio=ratio,
                active_seconds=active_seconds({"utilization_ratio": ratio}, elapsed_s),
                memory_used_bytes=told[MEMORY_USED].get(device),
                memory_total_bytes=totals.get(device),
                source="tpu",
            )
        yield from self._inventory({d: totals.get(d, 0.0) for d in devices})

    def _inventory(self, devices: dict[int, float]) -> Iterator[Gpu]:
        now = self._context.clock.monotonic()
        if not devices or (devices == self._told[0] and now - self._told[1] < INVENTORY_S):
            return
        self._told = (devices, now)
        for device, total in devices.items():
            yield Gpu(
                slot=device,
                uuid=f"TPU-{device}",
                model=self._settings.model,
                vendor="google",
                memory_bytes=total or None,
            )


def spread(duty: dict[int, float], devices: list[int]) -> dict[int, float]:
    """Duty cycle by device. Older runtimes tell it per chip, and memory per core of a chip."""
    cores, rest = divmod(len(devices), len(duty)) if duty else (0, 0)
    if cores <= 1 or rest:
        return duty
    chips = [duty[chip] for chip in sorted(duty)]
    return {device: chips[i // cores] for i, device in enumerate(devices)}


def _paths(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


source = SourceKind(TpuSettings, Tpu, optional=True)
