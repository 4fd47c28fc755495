"""Columns under the names of OpenTelemetry's semantic conventions for hardware and hosts.

Names, units and instruments: semantic-conventions 1.44, model/hardware and model/system (status
development). What has no name there is `gpuledger.<subject>.<column>`, without the unit, unless
only the unit tells two columns apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from collector.latest import Exposed, Metric
from gpuledger.catalogue import TABLES
from gpuledger.schema import Samples


class Form(StrEnum):
    """What kind of instrument shows it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    UPDOWN = "updowncounter"


@dataclass(frozen=True)
class Instrument:
    """One OpenTelemetry instrument."""

    name: str
    unit: str
    form: Form
    help: str = field(compare=False)


@dataclass(frozen=True)
class Shown:
    """One column as a series of an instrument, with what tells it from its neighbours."""

    exposed: Exposed
    metric: Metric
    instrument: Instrument
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Convention:
    """The name that the conventions give a column."""

    name: str
    unit: str
    form: Form
    attributes: Mapping[str, str] = field(default_factory=dict)


def _io(name: str, unit: str, direction: str) -> Convention:
    return Convention(name, unit, Form.COUNTER, {"network.io.direction": direction})


def _errors(kind: str, **attributes: str) -> Convention:
    return Convention("hw.errors", "{error}", Form.COUNTER, {"error.type": kind, **attributes})


def _celsius(**attributes: str) -> Convention:
    return Convention("hw.temperature", "Cel", Form.GAUGE, attributes)


def _task(task: str) -> Convention:
    return Convention("hw.gpu.utilization", "1", Form.GAUGE, {"hw.gpu.task": task})


MEMORY = {"hw.sensor_location": "memory"}
CONVENTIONS: Mapping[str, Mapping[str, Convention]] = {
    "gpu_samples": {
        "utilization_ratio": _task("general"),
        "encoder_ratio": _task("encoder"),
        "decoder_ratio": _task("decoder"),
        "memory_used_bytes": Convention("hw.gpu.memory.usage", "By", Form.UPDOWN),
        "memory_total_bytes": Convention("hw.gpu.memory.limit", "By", Form.UPDOWN),
        "pcie_receive_bytes": _io("hw.gpu.io", "By", "receive"),
        "pcie_transmit_bytes": _io("hw.gpu.io", "By", "transmit"),
        "power_watts": Convention("hw.power", "W", Form.GAUGE),
        "energy_joules": Convention("hw.energy", "J", Form.COUNTER),
        "temperature_celsius": _celsius(),
        "memory_temperature_celsius": Convention("hw.temperature", "Cel", Form.GAUGE, MEMORY),
    },
    "gpu_health_samples": {
        "ecc_corrected_errors": _errors("corrected"),
        "ecc_uncorrected_errors": _errors("uncorrected"),
        "pcie_correctable_errors": _errors("pcie_correctable"),
        "pcie_nonfatal_errors": _errors("pcie_nonfatal"),
        "pcie_fatal_errors": _errors("pcie_fatal"),
        "nvlink_crc_errors": _errors("nvlink_crc"),
    },
    "network_samples": {
        "receive_bytes": _io("hw.network.io", "By", "receive"),
        "transmit_bytes": _io("hw.network.io", "By", "transmit"),
        "receive_packets": _io("hw.network.packets", "{packet}", "receive"),
        "transmit_packets": _io("hw.network.packets", "{packet}", "transmit"),
        "up_ratio": Convention("hw.network.up", "1", Form.UPDOWN),
        "speed_bytes_per_second": Convention("hw.network.bandwidth.limit", "By/s", Form.UPDOWN),
        "receive_errors": _errors("receive"),
        "transmit_errors": _errors("transmit"),
    },
    "nvme_samples": {
        "temperature_celsius": _celsius(),
        "used_ratio": Convention("hw.physical_disk.endurance_utilization", "1", Form.GAUGE),
        "media_errors": _errors("media"),
    },
}
# Component types of the conventions, by table.
HARDWARE = {
    "gpu_samples": "gpu",
    "gpu_health_samples": "gpu",
    "network_samples": "network",
    "nvme_samples": "physical_disk",
}


def shown(left_out: frozenset[str]) -> Iterator[Shown]:
    """Every measured column of every telemetry table that is not left out."""
    for table in TABLES.values():
        if isinstance(table.layout, Samples) and table.name not in left_out:
            exposed = Exposed(table)
            short = Counter(map(_short, exposed.metrics))
            for metric in exposed.metrics:
                name = _short(metric) if short[_short(metric)] == 1 else metric.visible
                yield _shown(exposed, metric, name)


def _short(metric: Metric) -> str:
    """Its name without the unit, which OpenTelemetry tells apart."""
    suffix = metric.column.unit.suffix
    return metric.visible.replace(f"_{suffix}", "") if suffix else metric.visible


def _shown(exposed: Exposed, metric: Metric, name: str) -> Shown:
    known = CONVENTIONS.get(exposed.table.name, {}).get(metric.visible)
    if known:
        instrument = Instrument(known.name, known.unit, known.form, metric.help)
        return Shown(exposed, metric, instrument, known.attributes)
    unit = metric.column.unit
    form = Form.COUNTER if metric.grows else Form.GAUGE
    ours = Instrument(f"gpuledger.{exposed.subject}.{name}", unit.ucum, form, metric.help)
    return Shown(exposed, metric, ours)


def attributes(
    shown: Shown, labels: tuple[str, ...], values: Mapping[str, object]
) -> dict[str, str]:
    """What tells one series from the others; `hw.id` and `hw.type` where it is hardware."""
    named = {f"gpuledger.{n}": v for n, v in zip(shown.exposed.labels, labels, strict=True)}
    out = {k: v for k, v in named.items() if k not in {"gpuledger.cluster", "gpuledger.node"}}
    out["host.name"] = named["gpuledger.node"]
    hardware = HARDWARE.get(shown.exposed.table.name)
    if hardware and shown.instrument.name.startswith("hw."):
        device = str(values.get("uuid") or values.get("device") or "/".join(labels[1:]))
        out |= {"hw.type": hardware, "hw.id": device}
    return out | dict(shown.attributes)
