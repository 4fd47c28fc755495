"""Rows of what NVML told: one function for each table."""

from __future__ import annotations

import math

from collector.cards import Card, Readings, Values
from collector.mig import SliceIdentity, SliceReadings, slice_columns
from collector.nvml_identity import Identity
from collector.nvml_processes import GpuProcess
from collector.processes import Owner
from collector.topology import Join
from gpuledger.catalogue.gpu import GpuHealth, GpuSample, ProcessSample, SliceSample
from gpuledger.catalogue.work import Gpu, GpuLink

WHOLE = math.inf  # of the row's interval, which is known where the row is stamped
ACTIVE_RATIO = 0.01  # the one threshold that cannot be configured (contracts, Units)


def sample(card: Card, readings: Readings) -> GpuSample:
    """One GPU; a lost one has its name, the time it was lost, and nothing else.

    Of a card that may not be opened nobody knows whether it is lost.
    """
    values = readings.values
    lost_s: float | None = None if card.denied else 0.0
    return GpuSample.known(
        slot=card.identity.slot,
        uuid=card.identity.uuid,
        active_seconds=active_seconds(values),
        lost_seconds=WHOLE if card.lost_because else lost_s,
        **values,
    )


def health(identity: Identity, values: Values, elapsed_s: float) -> GpuHealth:
    """The slower sample of one GPU, which covers the time since the one before."""
    return GpuHealth.known(
        slot=identity.slot, uuid=identity.uuid, interval_seconds=elapsed_s, **values
    )


def slice_sample(slot: int, readings: SliceReadings) -> SliceSample:
    """One MIG slice."""
    identity = readings.identity
    columns = slice_columns(readings)
    return SliceSample.known(
        slot=slot,
        uuid=identity.uuid,
        profile=identity.profile,
        gpu_instance=identity.gpu_instance,
        compute_instance=identity.compute_instance,
        active_seconds=active_seconds(columns),
        **columns,
    )


def process(slot: int, told: GpuProcess, owner: Owner, framework: str) -> ProcessSample:
    """One process; one outside our namespace has no owner, and is there all the same."""
    return ProcessSample(
        slot=slot,
        pid=told.pid,
        user=owner.user,
        executable=owner.executable,
        started=owner.started,
        memory_used_bytes=told.memory_bytes,
        sm_ratio=told.sm_ratio,
        memory_ratio=told.memory_ratio,
        slice=told.slice,
        runtime=owner.runtime,
        container=owner.container,
        framework=framework,
    )


def card_row(identity: Identity, driver: str) -> Gpu:
    """A card in the inventory."""
    return Gpu(
        slot=identity.slot,
        uuid=identity.uuid,
        serial=identity.serial,
        model=identity.model,
        memory_bytes=identity.memory_bytes,
        driver=driver,
        mig=identity.mig,
        pci=identity.pci,
        numa=identity.numa,
        nvlink_domain=identity.nvlink_domain,
        rack=identity.rack,
        part_number=identity.part_number,
        vbios=identity.vbios,
    )


def slice_row(card: Identity, slice_: SliceIdentity, driver: str) -> Gpu:
    """A slice in the inventory, in the place of its card."""
    return Gpu(
        slot=card.slot,
        uuid=slice_.uuid,
        serial=card.serial,
        model=card.model,
        memory_bytes=slice_.memory_bytes,
        driver=driver,
        parent=card.uuid,
        profile=slice_.profile,
        entitlement_milli=slice_.entitlement_milli,
        pci=card.pci,
        numa=card.numa,
        nvlink_domain=card.nvlink_domain,
        rack=card.rack,
    )


def link(join: Join) -> GpuLink:
    """One GPU and what it is joined to."""
    return GpuLink(slot=join.slot, peer=join.peer, path=join.path, nvlinks=join.nvlinks)


def active_seconds(values: Values) -> float | None:
    """The whole interval if SM, else utilization, is at least 1 %."""
    busy = values.get("sm_active_ratio")
    busy = values.get("utilization_ratio") if busy is None else busy
    if busy is None:
        return None
    return WHOLE if busy >= ACTIVE_RATIO else 0.0
