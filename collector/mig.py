"""MIG: the slices of one card, listed anew at each reading, since a card is cut while in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.gpm import SLICE_RATIOS, Activity, Gpm
from collector.nvml import Asker, Vanished
from collector.nvml_processes import GpuProcess, Processes

ENABLED = 1
WHOLE = 1000  # entitlement of a card, in thousandths
WHOLE_PROFILE, SEVENTHS = 4, 7  # NVML_GPU_INSTANCE_PROFILE_7_SLICE
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class SliceIdentity:
    """What a slice is: constant as long as it exists."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    profile: str = ""
    entitlement_milli: int = 0
    memory_bytes: int | None = None


@dataclass(slots=True)
class SliceReadings:
    """What a slice says at one moment; `why` has the return code for each value it lacks."""

    identity: SliceIdentity
    activity: Activity
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    processes: list[GpuProcess] | None = None
    why: dict[str, int] = field(default_factory=dict)


class Slice:
    """One slice, known by its UUID; its handle may be another at each reading."""

    def __init__(self, card: Asker, asker: Asker, identity: SliceIdentity, gpm: Gpm) -> None:
        self.identity = identity
        self.asker = asker
        self._card = card
        self._gpm = gpm
        self._processes = Processes(asker, identity.uuid)

    def read(self) -> SliceReadings:
        """Everything it says now. Vanished if it was taken apart meanwhile."""
        why: dict[str, int] = {}
        activity = self._gpm.read(why)
        memory = self.asker.ask("nvmlDeviceGetMemoryInfo")
        if memory is None:
            why.update(dict.fromkeys(("memory_used_bytes", "memory_total_bytes"), self.asker.code))
        return SliceReadings(
            self.identity,
            activity,
            memory and memory.used,
            memory and memory.total,
            self._processes.read(why),
            why,
        )

    def close(self) -> None:
        """Free its samples."""
        self._gpm.close()


class Slices:
    """The slices of one card."""

    def __init__(self, card: Asker, monotonic: Callable[[], float]) -> None:
        self._card = card
        self._monotonic = monotonic
        self._known: dict[str, Slice] = {}
        self._whole_sms: int | None = None

    def mode(self) -> str:
        """`enabled` or `disabled`; empty where the card has no MIG."""
        told = self._card.ask("nvmlDeviceGetMigMode")
        if told is None:
            return ""
        return "enabled" if told[0] == ENABLED else "disabled"

    def read(self) -> list[SliceReadings]:
        """The slices that there are now; one that is gone just ends."""
        present = dict(self._present()) if self.mode() == "enabled" else {}
        for uuid in self._known.keys() - present.keys():
            self._known.pop(uuid).close()
        readings = []
        for one in present.values():
            try:
                readings.append(one.read())
            except Vanished:
                continue  # the next list lacks it
        return readings

    def close(self) -> None:
        """Free every slice's samples."""
        for one in self._known.values():
            one.close()
        self._known.clear()

    def _present(self) -> Iterator[tuple[str, Slice]]:
        """Slices by UUID: a handle may stand for another one after the card was cut anew."""
        most = self._card.ask("nvmlDeviceGetMaxMigDeviceCount") or 0
        for index in range(most):
            # Holes are normal, and no reason to stop asking.
            handle = self._card.put(
                "slice", "nvmlDeviceGetMigDeviceHandleByIndex", self._card.handle, index
            )
            if handle is None:
                continue
            try:
                uuid = self._uuid(handle)
                one = self._known.get(uuid) or self._meet(uuid, handle)
            except Vanished:
                continue
            one.asker.handle = handle
            yield uuid, one

    def _uuid(self, handle: Any) -> str:
        uuid = Asker(self._card.nvml, handle).ask("nvmlDeviceGetUUID")
        if uuid is None:
            raise Vanished("the slice does not tell its UUID")
        return str(uuid)

    def _meet(self, uuid: str, handle: Any) -> Slice:
        asker = Asker(self._card.nvml, handle)
        instance = asker.ask("nvmlDeviceGetGpuInstanceId")
        if instance is None:
            raise Vanished("the slice does not tell its instance")
        attributes = asker.ask("nvmlDeviceGetAttributes_v2")
        identity = SliceIdentity(
            uuid,
            instance,
            asker.ask("nvmlDeviceGetComputeInstanceId") or 0,
            _profile(asker, attributes),
            self._entitlement(attributes),
            attributes and attributes.memorySizeMB * MEBIBYTE,
        )
        # The samples are the card's, taken for an instance: a slice's own share of multiprocessors
        # is 100 % already (NVIDIA/DCGM issues 138 and 152), so nothing has to be scaled.
        gpm = Gpm(self._card, self._monotonic, instance)
        self._known[uuid] = Slice(self._card, asker, identity, gpm)
        return self._known[uuid]

    def _entitlement(self, attributes: Any) -> int:
        """Thousandths of the card's multiprocessors; of seven slices where those are unknown."""
        if attributes is None:
            return 0
        if self._whole_sms is None:
            self._whole_sms = self._count_sms()
        if self._whole_sms:
            return int(WHOLE * attributes.multiprocessorCount / self._whole_sms + 0.5)
        return int(WHOLE * attributes.gpuInstanceSliceCount / SEVENTHS + 0.5)

    def _count_sms(self) -> int:
        """Multiprocessors of the whole card, as its largest profile has them; 0 = unknown."""
        profile = self._card.ask("nvmlDeviceGetGpuInstanceProfileInfo", WHOLE_PROFILE)
        if profile:
            return int(profile.multiprocessorCount)
        attributes = self._card.ask("nvmlDeviceGetAttributes_v2")
        return int(attributes.multiprocessorCount) if attributes else 0


def _profile(asker: Asker, attributes: Any) -> str:
    """The shape as the slice's name ends (`… MIG 1g.10gb`), else as its attributes say."""
    name = str(asker.ask("nvmlDeviceGetName") or "")
    if "MIG " in name:
        return name.rpartition("MIG ")[2]
    if attributes is None:
        return ""
    return f"{attributes.gpuInstanceSliceCount}g.{round(attributes.memorySizeMB / 1024)}gb"


def slice_columns(readings: SliceReadings) -> dict[str, float | None]:
    """The measured columns of a slice's sample, by name."""
    ratios = readings.activity.ratios
    return {
        **{name: ratios.get(name) for name in SLICE_RATIOS},
        "memory_used_bytes": readings.memory_used_bytes,
        "memory_total_bytes": readings.memory_total_bytes,
        "processes": None
        if readings.processes is None
        else float(sum(p.computes for p in readings.processes)),
    }
