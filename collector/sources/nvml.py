"""NVIDIA GPUs: samples, health, slices, processes, inventory, and the loss of a card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from collector import nvml_rows
from collector.cards import Card, Readings
from collector.frameworks import AT_ONCE, Frameworks
from collector.mig import SliceIdentity
from collector.missing import Missing
from collector.nvml import DriverGone, Lost, Nvml, Vanished, reason_of
from collector.nvml_cards import Cards
from collector.nvml_events import Events
from collector.nvml_identity import Identity
from collector.occupancy import Occupancy, Use
from collector.pace import COVER_PERIODS
from collector.processes import Owners
from collector.shelf import Shelf
from collector.source import Context, Source, SourceKind
from collector.topology import joins
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row

INVENTORY_S = 600.0
# Where every GPU is lost, the driver may have been loaded again behind our back. Opening NVML can
# take seconds, so this is tried once a minute.
REOPEN_S = 60.0
LOST = "lost"  # where the slots of lost cards are remembered
USES = "use/"  # before what is remembered of processes as jobs

Inventory = tuple[tuple[Identity, tuple[SliceIdentity, ...]], ...]


class NvmlSettings(Settings):
    """Section `[nvml]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    health_s: Annotated[float, "seconds between readings of errors, links and limits"] = 10.0
    library: Annotated[str, "path of libnvidia-ml.so.1; empty = where the system finds it"] = ""
    frameworks: Annotated[
        bool, "tell PyTorch, TensorFlow and JAX by the libraries that processes have mapped"
    ] = True
    processes_as_jobs: Annotated[
        bool, "no scheduler here: a GPU with a compute process is allocated to its user"
    ] = False


class NvmlSource(Source):
    """One sample per GPU and reading, also of those that are lost."""

    def __init__(
        self,
        settings: NvmlSettings,
        context: Context,
        nvml: Nvml | None = None,
    ) -> None:
        self.period_s = settings.period_s
        self._health_s = settings.health_s
        self._context = context
        self._nvml = nvml or Nvml(settings.library)
        self._owners = Owners(context.root)
        self._frameworks = Frameworks(context.root, AT_ONCE if settings.frameworks else 0)
        self._occupancy = (
            Occupancy(replace(context, memory=Shelf(context.memory, USES)))
            if settings.processes_as_jobs
            else None
        )
        self._missing = Missing("nvml")
        self._why: dict[tuple[str, str], dict[str, int]] = {}
        self._subjects: dict[Card, set[str]] = {}
        self._events: Events | None = None
        self._cards = Cards(context, self._nvml, COVER_PERIODS * settings.period_s)
        self._slices: dict[Card, tuple[SliceIdentity, ...]] = {}
        self._told: Inventory = ()
        self._told_at = 0.0
        self._joined = False
        self._lost: set[int] | None = None
        self._health_at: float | None = None
        self._reopened_at = 0.0
        self._warned = False

    def read(self) -> Iterable[Row]:
        """Every GPU in turn. Unavailable without a driver or GPU; ReadError when it vanished."""
        if not self._nvml.is_open:
            self._open()
        try:
            yield from self._rows()
        except DriverGone:
            self.close()
            raise

    def close(self) -> None:
        """Free the samples and end the session."""
        if self._events:
            self._events.close()
        self._events = None
        self._cards.close()
        self._nvml.close()

    def _open(self) -> None:
        """A driver that was here once is being loaded again: that takes seconds, not forever."""
        try:
            self._nvml.open()
        except Unavailable as e:
            if self._cards:
                raise ReadError(str(e)) from None
            raise

    def _rows(self) -> Iterator[Row]:
        now = self._context.clock.monotonic()
        health_s = self._health_due(now)
        uses: list[Use] = []
        for card in self._present():
            readings = card.read(self._nvml, health=health_s is not None)
            yield from self._transition(card)
            yield nvml_rows.sample(card, readings)
            if readings.health is not None:
                self._look_at(readings)
                yield nvml_rows.health(card.identity, readings.health, health_s or 0.0)
            yield from self._parts(card, readings, uses)
            self._explain(card, readings)
        self._owners.forget_unseen()
        self._frameworks.forget_unseen()
        yield from self._inventory(now)
        yield from self._happened()
        yield from self._missing.rows()
        if self._occupancy:
            yield from self._occupancy.rows(uses)
        self._reopen_if_all_are_lost(now)

    def _health_due(self, now: float) -> float | None:
        """Seconds that a reading of health covers now, 0 = as this reading; None: not yet."""
        before = self._health_at
        if before is not None and now - before < self._health_s - self.period_s / 2:
            return None
        self._health_at = now
        return 0.0 if before is None else min(now - before, COVER_PERIODS * self._health_s)

    def _present(self) -> list[Card]:
        """Every card ever counted: one that left the count is still missed."""
        self._cards.look()
        if not self._cards:
            self.close()
            raise Unavailable("the NVIDIA driver knows of no GPU")
        return list(self._cards)

    def _parts(self, card: Card, readings: Readings, uses: list[Use]) -> Iterator[Row]:
        """Slices and processes of one card; `uses` takes the processes that compute."""
        slot = card.identity.slot
        self._slices[card] = tuple(s.identity for s in readings.slices)
        for slice_ in readings.slices:
            yield nvml_rows.slice_sample(slot, slice_)
        for process in readings.processes:
            owner = self._owners.of(process.pid)
            if process.computes:
                uses.append(Use(slot, owner))
            framework = self._frameworks.of(process.pid, owner.started) if self._frameworks else ""
            yield nvml_rows.process(slot, process, owner, framework)

    def _transition(self, card: Card) -> Iterator[GpuEvent]:
        """An event when a GPU is lost, and another when it is back, also after a restart."""
        lost, slot, memory = card.lost_because, card.identity.slot, self._context.memory
        if self._lost is None:
            self._lost = set(map(int, re.findall(r"\d{1,5}", memory.get(LOST, ""))))
        if bool(lost) is (slot in self._lost):
            return
        self._lost ^= {slot}
        memory[LOST] = " ".join(map(str, sorted(self._lost)))
        yield GpuEvent(
            ts=self._wall(),
            slot=slot,
            kind="lost" if lost else "recovered",
            code=lost.code if lost else 0,
            detail=str(lost or "answers again"),
        )

    def _look_at(self, readings: Readings) -> None:
        """Say once that every program has to wake the driver."""
        if self._warned or (readings.health or {}).get("persistence_mode") != 0:
            return
        self._warned = True
        self._context.log.warning(
            "persistence mode is off: programs may wait seconds for each GPU "
            "(start nvidia-persistenced)"
        )

    def _explain(self, card: Card, readings: Readings) -> None:
        """Note the reasons of missing values where they changed."""
        self._note(card.subject, "sample", readings.why)
        if readings.health is not None or card.lost_because or card.denied:
            self._note(card.subject, "health", readings.health_why)
        for slice_ in readings.slices:
            self._note(slice_.identity.uuid, "slice", slice_.why)
        if not card.lost_because:
            self._forget(card, {card.subject, *(s.identity.uuid for s in readings.slices)})

    def _forget(self, card: Card, subjects: set[str]) -> None:
        """Withdraw the reasons of slices that are gone, and of a card that had no name before."""
        gone = self._subjects.get(card, subjects) - subjects
        self._subjects[card] = subjects
        for subject, kind in [key for key in self._why if key[0] in gone] if gone else ():
            self._note(subject, kind, {})
            del self._why[subject, kind]

    def _note(self, subject: str, kind: str, why: dict[str, int]) -> None:
        before = self._why.get((subject, kind), {})
        if why == before:
            return
        self._why[subject, kind] = why
        for column in before.keys() - why.keys():
            self._missing.found(subject, column)
        for column, code in why.items():
            self._missing.note(subject, column, reason_of(code), f"NVML return code {code}")

    def _inventory(self, now: float) -> Iterator[Row]:
        """Which card and slice is where: at the start, on change, and every ten minutes."""
        current: Inventory = tuple(
            (c.identity, self._slices.get(c, ()))
            for c in self._cards
            if c.identity.uuid and not c.identity.guessed
        )
        if current != self._told or now - self._told_at >= INVENTORY_S:
            self._told, self._told_at, self._joined = current, now, False
            driver = self._nvml.driver()
            for identity, slices in current:
                yield nvml_rows.card_row(identity, driver)
                for slice_ in slices:
                    yield nvml_rows.slice_row(identity, slice_, driver)
        if not self._joined:
            yield from self._topology()

    def _topology(self) -> Iterator[Row]:
        """How the cards are joined; asked again next time where one vanishes meanwhile."""
        present = [joint for card in self._cards if (joint := card.joint())]
        try:
            found = list(joins(present))
        except (Lost, Vanished):
            return
        self._joined = True
        yield from map(nvml_rows.link, found)

    def _happened(self) -> Iterable[Row]:
        """What the driver tells by itself."""
        events = self._events = self._events or Events(self._nvml.module)
        handles = {c.identity.slot: c.handle for c in self._cards if c.handle is not None}
        return events.poll(handles, self._wall())

    def _wall(self) -> datetime:
        return datetime.fromtimestamp(self._context.clock.wall(), UTC)

    def _reopen_if_all_are_lost(self, now: float) -> None:
        if all(card.lost_because for card in self._cards) and now - self._reopened_at >= REOPEN_S:
            self._reopened_at = now
            self.close()


source = SourceKind(NvmlSettings, NvmlSource, isolated=True)
