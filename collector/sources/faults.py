"""Faults that the kernel's log tells of: XIDs, NVSwitch errors, GPUs that fell off the bus."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated

from collector.files import Files
from collector.kmsg import DEVICE, Fault, Kmsg, Record, address, fault
from collector.missing import Missing, Reason
from collector.source import Context, Source, SourceKind
from collector.xid import HARDWARE, REBOOT, Meaning, action, meaning, switch_meaning
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

DRIVER = "proc/driver/nvidia"
BOOT = "proc/sys/kernel/random/boot_id"
NO_SLOT = 65_535  # an NVSwitch, or a card that the driver does not list: no GPU has this number
LOST_CODE = 15  # NVML_ERROR_GPU_IS_LOST: what NVML tells of the same
RECOVERY_CHANGED = 154
CHANGED_TO = re.compile(r" to 0x([0-9a-fA-F]{1,8})")
Pci = tuple[int, int, int]


class FaultsSettings(Settings):
    """Section `[faults]`."""

    period_s: Annotated[float, "seconds between readings of the kernel's log"] = 1.0


class Faults(Source):
    """New records of the kernel's log as events; what was told before a restart is not repeated."""

    def __init__(
        self, settings: FaultsSettings, context: Context, kmsg: Kmsg | None = None
    ) -> None:
        self.period_s = settings.period_s
        self._context = context
        self._kmsg = kmsg or Kmsg(context.root)
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("faults")
        self._slots: dict[Pci, int] = {}
        self._read_at: float | None = None

    def read(self) -> Iterable[Row]:
        """Faults since the last reading, the first time since boot. Unavailable without a right."""
        if not self._files.exists(DRIVER):
            raise Unavailable("no NVIDIA driver here")
        self._kmsg.open()
        boot = (self._files.text(BOOT) or "").strip()
        before, now = self._kmsg.overwritten, self._context.clock.monotonic()
        yield from self._news(boot)
        if self._kmsg.is_read:
            self._read_at = now
        yield from self._gap(self._kmsg.overwritten - before)

    def close(self) -> None:
        """Close the log."""
        self._kmsg.close()
        self._files.close()

    def _news(self, boot: str) -> Iterator[GpuEvent]:
        """Faults that were not told yet; also where reading breaks off, they are not told again."""
        known = told = self._told(boot)
        try:
            for record in self._kmsg.records():
                if record.sequence <= told:
                    continue
                told = record.sequence
                if said := fault(record.text):
                    yield self._event(record, said)
        finally:
            if told != known:
                self._context.memory.update(boot=boot, sequence=str(told))

    def _told(self, boot: str) -> int:
        """Number of the last record of this boot that was told."""
        memory = self._context.memory
        known = memory.get("sequence", "") if memory.get("boot") == boot else ""
        return int(known) if known.isascii() and known.isdigit() else -1

    def _event(self, record: Record, said: Fault) -> GpuEvent:
        known = _meaning(said)
        return GpuEvent(
            ts=self._when(record),
            slot=NO_SLOT if said.kind == "sxid" else self._slot(said.pci),
            kind=said.kind,
            code=LOST_CODE if said.kind == "lost" else said.code,
            cause=known.cause,
            recovery=_recovery(said) or known.recovery,
            told_by="kmsg",
            detail=said.detail or known.text,
        )

    def _when(self, record: Record) -> datetime:
        """Wall time of a record; the kernel counts from boot, as the monotonic clock does.

        But nobody disciplines the kernel's own clock: in weeks it drifts by minutes. A record
        that was not there when the log was read to its end is no older than that.
        """
        clock = self._context.clock
        now = clock.monotonic()
        late_s = now - self._read_at if self._read_at is not None else math.inf
        ago_s = min(max(0.0, now - record.at_us / 1e6), late_s)
        return datetime.fromtimestamp(clock.wall() - ago_s, UTC)

    def _slot(self, pci: Pci) -> int:
        """Minor number of the card at that address, as the driver lists it."""
        if pci not in self._slots:
            self._slots |= dict(self._listed())
        return self._slots.get(pci, NO_SLOT)

    def _listed(self) -> Iterator[tuple[Pci, int]]:
        for name in self._files.names(f"{DRIVER}/gpus"):
            text = self._files.text(f"{DRIVER}/gpus/{name}/information") or ""
            minor = re.search(r"^Device Minor:\s*(\d{1,5})\s*$", text, re.MULTILINE)
            place = re.fullmatch(r"([0-9a-fA-F]{1,8}:[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2})\..*", name)
            if minor and place:
                yield address(place[1]), int(minor[1])

    def _gap(self, overwritten: int) -> Iterator[Row]:
        """Say that the log ran over before it was read: faults may be missing."""
        if overwritten:
            detail = "the kernel wrote over records before they were read"
            self._missing.note(f"/{DEVICE}", "records", Reason.LOST, detail)
        else:
            self._missing.found(f"/{DEVICE}", "records")
        yield from self._missing.rows()


def _meaning(said: Fault) -> Meaning:
    if said.kind == "xid":
        return meaning(said.code)
    if said.kind == "sxid":
        return switch_meaning(said.severity)
    return Meaning(HARDWARE, "GPU has fallen off the bus", REBOOT)


def _recovery(said: Fault) -> str:
    """What the driver itself asks for: XID 154 names its new recovery action."""
    changed = CHANGED_TO.search(said.detail) if said.code == RECOVERY_CHANGED else None
    return action(int(changed[1], 16)) if changed and said.kind == "xid" else ""


source = SourceKind(FaultsSettings, Faults, privilege="kmsg")
