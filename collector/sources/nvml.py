"""NVIDIA GPUs: samples, processes, inventory, and the loss of a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated

from collector.cards import Card
from collector.nvml import DriverGone, GpuProcess, Identity, Nvml, Readings
from collector.occupancy import Occupancy, Use
from collector.processes import Owners
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.gpu import GpuEvent, GpuSample, ProcessSample
from gpuledger.catalogue.work import Gpu
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

ACTIVE_RATIO = 0.01  # the one threshold that cannot be configured (contracts, Units)
INVENTORY_S = 600.0


class NvmlSettings(Settings):
    """Section `[nvml]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    library: Annotated[str, "path of libnvidia-ml.so.1; empty = where the system finds it"] = ""
    processes_as_jobs: Annotated[
        bool, "no scheduler here: a GPU with a compute process is allocated to its user"
    ] = False


class NvmlSource(Source):
    """One sample per GPU and reading, also of those that are lost."""

    def __init__(self, settings: NvmlSettings, context: Context, nvml: Nvml | None = None) -> None:
        self.period_s = settings.period_s
        self._context = context
        self._nvml = nvml or Nvml(settings.library)
        self._owners = Owners(context.root)
        self._occupancy = Occupancy(context) if settings.processes_as_jobs else None
        self._cards: list[Card] = []
        self._told: dict[int, Identity] = {}
        self._told_at = 0.0
        self._lost: set[Card] = set()
        self._previous: float | None = None

    def read(self) -> Iterable[Row]:
        """Every GPU in turn. Unavailable without a driver or GPU; ReadError when it vanished."""
        if not self._nvml.is_open:
            self._nvml.open()
        try:
            yield from self._rows()
        except DriverGone:
            self.close()
            raise

    def close(self) -> None:
        """Free the samples and end the session."""
        for card in self._cards:
            card.close()
        self._nvml.close()

    def _rows(self) -> Iterator[Row]:
        elapsed_s = self._elapsed()
        uses: list[Use] = []
        for card in self._present():
            readings = card.read(self._nvml)
            yield from self._transition(card)
            yield sample(card.identity, readings, elapsed_s, lost=card.lost_because is not None)
            for process in readings.processes or ():
                owner = self._owners.of(process.pid)
                uses.append(Use(card.identity.slot, owner))
                yield self._process(card.identity, process)
        self._owners.forget_unseen()
        yield from self._inventory()
        if self._occupancy:
            yield from self._occupancy.rows(uses)

    def _elapsed(self) -> float:
        """Seconds since the previous reading."""
        now = self._context.clock.monotonic()
        before, self._previous = self._previous, now
        return 0.0 if before is None else now - before

    def _present(self) -> list[Card]:
        """Every card ever counted: one that left the count is still missed."""
        count = self._nvml.count()
        self._cards += [Card(index) for index in range(len(self._cards), count)]
        if not self._cards:
            self.close()
            raise Unavailable("the NVIDIA driver knows of no GPU")
        return self._cards

    def _transition(self, card: Card) -> Iterator[GpuEvent]:
        """An event when a GPU is lost, and another when it is back."""
        lost = card.lost_because
        if bool(lost) is (card in self._lost):
            return
        self._lost ^= {card}
        yield GpuEvent(
            ts=datetime.fromtimestamp(self._context.clock.wall(), UTC),
            slot=card.identity.slot,
            kind="lost" if lost else "recovered",
            code=lost.code if lost else 0,
            detail=str(lost or "answers again"),
        )

    def _inventory(self) -> Iterator[Gpu]:
        """Which card is where: at the start, when it changes, and every ten minutes."""
        now = self._context.clock.monotonic()
        current = {c.identity.slot: c.identity for c in self._cards if c.identity.uuid}
        if current == self._told and now - self._told_at < INVENTORY_S:
            return
        self._told, self._told_at = current, now
        driver = self._nvml.driver()
        for identity in current.values():
            yield Gpu(
                slot=identity.slot,
                uuid=identity.uuid,
                serial=identity.serial,
                model=identity.model,
                memory_bytes=identity.memory_bytes,
                driver=driver,
            )

    def _process(self, identity: Identity, process: GpuProcess) -> ProcessSample:
        owner = self._owners.of(process.pid)
        return ProcessSample.known(
            slot=identity.slot,
            pid=process.pid,
            user=owner.user,
            executable=owner.executable,
            started=owner.started,
            memory_used_bytes=process.memory_bytes,
        )


def sample(identity: Identity, readings: Readings, elapsed_s: float, *, lost: bool) -> GpuSample:
    """The row of one GPU; a lost one has its name, the time it was lost, and nothing else."""
    activity = readings.activity
    return GpuSample.known(
        slot=identity.slot,
        uuid=identity.uuid,
        utilization_ratio=readings.utilization_ratio,
        memory_utilization_ratio=readings.memory_utilization_ratio,
        sm_active_ratio=activity.sm_ratio,
        tensor_active_ratio=activity.tensor_ratio,
        dram_active_ratio=activity.dram_ratio,
        active_seconds=active_seconds(readings, elapsed_s),
        lost_seconds=elapsed_s if lost else 0.0,
        memory_used_bytes=readings.memory_used_bytes,
        memory_total_bytes=readings.memory_total_bytes,
        power_watts=readings.power_watts,
        power_limit_watts=readings.power_limit_watts,
        energy_joules=readings.energy_joules,
        temperature_celsius=readings.temperature_celsius,
        memory_temperature_celsius=readings.memory_temperature_celsius,
        sm_clock_hertz=readings.sm_clock_hertz,
        memory_clock_hertz=readings.memory_clock_hertz,
        throttle_reasons=readings.throttle_reasons,
        processes=None if readings.processes is None else len(readings.processes),
    )


def active_seconds(readings: Readings, elapsed_s: float) -> float | None:
    """The whole time since the previous reading if SM, else utilization, is at least 1 %."""
    busy = readings.activity.sm_ratio
    busy = readings.utilization_ratio if busy is None else busy
    if busy is None:
        return None
    return elapsed_s if busy >= ACTIVE_RATIO else 0.0


source = SourceKind(NvmlSettings, NvmlSource)
