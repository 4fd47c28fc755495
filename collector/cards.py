"""Cards: everything one GPU says at one moment; it keeps its name and place while it is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from collector.gpm import Gpm
from collector.mig import SliceReadings, Slices
from collector.nvml import (
    GPU_IS_LOST,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    RESET_REQUIRED,
    Asker,
    Denied,
    Lost,
    Nvml,
    Vanished,
)
from collector.nvml_counts import Counts
from collector.nvml_fields import HEALTH, SAMPLE, Batch
from collector.nvml_identity import Identity, identify
from collector.nvml_processes import GpuProcess, Processes
from collector.source import Context
from collector.topology import Joint, NvLinks
from gpuledger.catalogue.gpu import GpuHealth, GpuSample
from gpuledger.schema import MEASURED

MEMORY_V2 = 0x02000028
SLOWDOWN = 1  # NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
PERCENT = 100
RESET = 1.0  # what recovery_action says for a GPU reset
# The time in which a card was lost is known best of all.
COLUMNS = frozenset(
    c.name for c in GpuSample.table.columns if c.kind in MEASURED and c.name != "lost_seconds"
)
HEALTH_COLUMNS = frozenset(c.name for c in GpuHealth.table.columns if c.kind in MEASURED)

Values = dict[str, float | None]


@dataclass(slots=True)
class Readings:
    """What one GPU says: values by column of gpu_samples and, when asked, gpu_health_samples.

    `why` has a return code for each value that is missing, `health_why` the same for health.
    """

    values: Values = field(default_factory=dict)
    health: Values | None = None
    processes: list[GpuProcess] = field(default_factory=list)
    slices: list[SliceReadings] = field(default_factory=list)
    why: dict[str, int] = field(default_factory=dict)
    health_why: dict[str, int] = field(default_factory=dict)


class Device:
    """One GPU by its handle. `longest_s` is how much of a gap its rates may speak for."""

    def __init__(self, asker: Asker, monotonic: Callable[[], float], longest_s: float) -> None:
        self.asker = asker
        self.counts = Counts()
        self.links = NvLinks(asker)
        self.slices = Slices(asker, monotonic)
        self._monotonic = monotonic
        self._longest_s = longest_s
        self._gpm = Gpm(asker, monotonic)
        self._processes = Processes(asker)
        self._hot: Batch | None = None
        self._slow: Batch | None = None
        self._up: float | None = None
        self._read_s: float | None = None

    def readings(self) -> Readings:
        """What it says at each reading; Lost if it is not there any more."""
        out = Readings()
        why = out.why
        if self._hot is None:
            self._hot = Batch(self.asker, SAMPLE, self.links.count(), self.counts)
        values = out.values = self._hot.read(why)
        self._shares(values, why)
        activity = self._gpm.read(why)
        values.update(activity.ratios)
        self._integrate(self._hot, values, activity.rates, activity.window_s)
        out.slices = self.slices.read()
        out.processes = self._users(out.slices, values, why)
        for column in [c for c in why if values.get(c) is not None]:
            del why[column]
        return out

    def health(self, why: dict[str, int]) -> Values:
        """What changes seldom; Lost if it is not there any more."""
        links = self.links.read(why)
        if self._slow is None:
            self._slow = Batch(self.asker, HEALTH, self.links.count(), self.counts)
        elif links["nvlinks_up"] != self._up:
            self._slow.renew()  # a link that came up may tell what it refused before
        self._up = links["nvlinks_up"]
        values = self._slow.read(why)
        values.update(links)
        values["slowdown_margin_celsius"] = self._margin(why)
        return values

    def close(self) -> None:
        """Free what was allocated for this GPU."""
        self._gpm.close()
        self.slices.close()

    def _shares(self, values: Values, why: dict[str, int]) -> None:
        """The calls that fill two columns each. The older memory call counts reserve as used."""
        rates = self.asker.ask("nvmlDeviceGetUtilizationRates")
        if rates is None:
            why["utilization_ratio"] = why["memory_utilization_ratio"] = self.asker.code
        else:
            values["utilization_ratio"] = rates.gpu / PERCENT
            values["memory_utilization_ratio"] = rates.memory / PERCENT
        memory = self.asker.ask("nvmlDeviceGetMemoryInfo", MEMORY_V2)
        if memory is None:
            memory = self.asker.ask("nvmlDeviceGetMemoryInfo")
        if memory is None:
            why["memory_used_bytes"] = why["memory_total_bytes"] = self.asker.code
        else:
            values["memory_used_bytes"], values["memory_total_bytes"] = memory.used, memory.total

    def _users(
        self, slices: list[SliceReadings], values: Values, why: dict[str, int]
    ) -> list[GpuProcess]:
        """Processes of the card, or of its slices; the count is of those that compute."""
        if slices:
            lists = [s.processes for s in slices]
            known = [p for listed in lists for p in listed or ()]
            values["processes"] = None if None in lists else sum(p.computes for p in known)
            return known
        found = self._processes.read(why)
        values["processes"] = None if found is None else sum(p.computes for p in found)
        return found or []

    def _integrate(
        self, hot: Batch, values: Values, rates: dict[str, float], window_s: float
    ) -> None:
        """Counters made of rates, where the card has no counter of its own and never will."""
        now = self._monotonic()
        before, self._read_s = now if self._read_s is None else self._read_s, now
        passed_s, window_s = min(now - before, self._longest_s), min(window_s, self._longest_s)
        power = values["power_watts"]
        if power is not None and hot.is_over("energy_joules"):
            values["energy_joules"] = self.counts.integrate("energy_joules", power * passed_s)
        for column, rate in rates.items():
            if hot.is_over(column):
                values[column] = self.counts.integrate(column, rate * window_s)

    def _margin(self, why: dict[str, int]) -> float | None:
        """Degrees until the hardware slows down, at least 0."""
        margin = self.asker.ask("nvmlDeviceGetMarginTemperature")
        if margin is None:
            limit = self.asker.ask("nvmlDeviceGetTemperatureThreshold", SLOWDOWN)
            now = self.asker.ask("nvmlDeviceGetTemperature", 0)
            if limit is None or now is None:
                why["slowdown_margin_celsius"] = self.asker.code
                return None
            margin = limit - now
        return float(max(margin, 0))


class Card:
    """The GPU at one index of the driver's count, None: it has left the count.

    `boot` names this boot, `longest_s` is as for `Device`, `identity` what is known of it already.
    """

    def __init__(
        self,
        index: int | None,
        context: Context,
        boot: str,
        longest_s: float,
        identity: Identity | None = None,
    ) -> None:
        self.index = index
        self.identity = identity or Identity(slot=index or 0, guessed=True)
        self.lost_because: Lost | None = None
        self.denied = False
        self._context = context
        self._boot = boot
        self._longest_s = longest_s
        self._device: Device | None = None
        self._counts: tuple[str, Counts] | None = None

    @property
    def subject(self) -> str:
        """What missing values are told of: the UUID, or the slot of a card that told none."""
        return self.identity.uuid or str(self.identity.slot)

    def meet(self, nvml: Nvml) -> None:
        """Have a card whose slot is only guessed tell it, if it answers."""
        try:
            if self._device:
                self._identify(self._device)
            else:
                self._attach(nvml)
        except (Lost, Denied, Vanished):
            return

    def read(self, nvml: Nvml, *, health: bool) -> Readings:
        """What it says now; nothing at all while it is lost, then `lost_because` says why."""
        try:
            readings = self._ask(nvml, health=health)
        except Lost as e:
            return self._nothing(e)
        except Vanished:
            return self._nothing(Lost(INVALID_ARGUMENT))
        except Denied:
            self.denied = True
            self.lost_because = None
            return _silent(NO_PERMISSION)
        self.lost_because, self.denied = None, False
        return readings

    def _ask(self, nvml: Nvml, *, health: bool) -> Readings:
        """By a new handle where the one we have is dead: everything is asked anew then."""
        try:
            return self._whole(self._device or self._attach(nvml), health=health)
        except Vanished:
            self.close()
            return self._whole(self._attach(nvml), health=health)

    def _whole(self, device: Device, *, health: bool) -> Readings:
        readings = device.readings()
        if health:
            readings.health = device.health(readings.health_why)
            self._identify(device)
        device.counts.save(due=health)
        return readings

    def joint(self) -> Joint | None:
        """The card for the topology; None while it does not answer."""
        if self._device is None:
            return None
        return Joint(self.identity.slot, self.identity.pci, self._device.asker, self._device.links)

    @property
    def handle(self) -> object | None:
        """NVML's handle while the card answers."""
        return self._device.asker.handle if self._device else None

    def close(self) -> None:
        """Let go of the handle; the next reading asks for a new one."""
        if self._device:
            self._device.close()
        self._device = None

    def _nothing(self, lost: Lost) -> Readings:
        self.lost_because, self.denied = lost, False
        self.close()
        out = _silent(GPU_IS_LOST)
        if lost.code == RESET_REQUIRED:
            out.health = {"recovery_action": RESET}
            del out.health_why["recovery_action"]
        return out

    def _attach(self, nvml: Nvml) -> Device:
        if self.index is None:
            raise Lost(GPU_IS_LOST)
        monotonic = self._context.clock.monotonic
        device = Device(nvml.asker(self.index), monotonic, self._longest_s)
        self._identify(device)
        device.counts = self._series()
        self._device = device
        return device

    def _identify(self, device: Device) -> None:
        known, index, mode = self.identity, self.index or 0, device.slices.mode()
        self.identity = identify(device.asker, index, mode, self._context.root, known)

    def _series(self) -> Counts:
        """The series of this very card, whatever handle it has."""
        key = f"counts/{self.subject}"
        if self._counts is None or self._counts[0] != key:
            self._counts = key, Counts(self._context.memory, key, self._boot)
        return self._counts[1]


def _silent(code: int) -> Readings:
    """Nothing at all, for one reason."""
    return Readings(
        why=dict.fromkeys(COLUMNS, code), health_why=dict.fromkeys(HEALTH_COLUMNS, code)
    )
