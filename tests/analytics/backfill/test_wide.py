"""Whole columns at a time say what the mapping says reading by reading."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.prometheus import Series
from analytics.backfill.wide import Desk, Wide
from gpuledger.batch import to_milliseconds
from gpuledger.mapping import Place, Reading
from gpuledger.mapping_load import load, parse
from gpuledger.schema import MEASURED

MAPPING = """
exporter: example
facts: [none]
seen_live: false
nodes: [host]
rows:
  gpu: {table: gpu_samples, columns: {slot: {label: gpu}, uuid: {label: UUID}}}
  disk: {table: block_samples, columns: {device: {label: device}}}
  inventory: {table: gpus, beside: gpu, columns: {slot: {label: gpu}, uuid: {label: UUID}}}
metrics:
  util: {to: gpu.utilization_ratio, unit: percent, kind: gauge}
  power: {to: gpu.power_watts, unit: watt, kind: gauge, fold: max}
  cool: {to: gpu.temperature_celsius, unit: celsius, kind: gauge, fold: min}
  memory: {to: gpu.memory_used_bytes, unit: mebibyte, kind: gauge, fold: mean}
  limit_a: {to: gpu.power_limit_watts, unit: watt, kind: gauge, fold: first}
  limit_b: {to: gpu.power_limit_watts, unit: watt, kind: gauge, fold: first}
  mask: {to: gpu.throttle_reasons, unit: mask, kind: gauge, fold: first}
  read_a: {to: disk.read_bytes, unit: kibibyte, kind: counter, fold: sum}
  read_b: {to: disk.read_bytes, unit: kibibyte, kind: counter, fold: sum}
"""
EXPORTER = parse(MAPPING, "example.yaml")
NAMES = tuple(EXPORTER.feeds)
VALUES = (0.0, 1.0, 50.0, 99.5, 101.0, 1e30, -1.0, math.nan, math.inf)

Key = tuple[Any, ...]

readings = st.dictionaries(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(("0", "1", "no number")),
        st.sampled_from(("a", "b")),
        st.sampled_from((1_000, 31_000, 61_000)),
    ),
    st.sampled_from(VALUES),
    max_size=25,
)


def labels(thing: str, who: str) -> dict[str, str]:
    device = "" if thing == "no number" else thing
    return {"gpu": thing, "device": device, "UUID": f"GPU-{thing}", "who": who, "host": "n1"}


def together(told: Iterable[tuple[tuple[str, str, str, int], float]]) -> list[Series]:
    """Readings as Prometheus gives them: by series, in order of time."""
    series: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for (name, thing, who, at), value in told:
        series.setdefault((name, thing, who), []).append((at, value))
    return [
        Series(
            name,
            labels(thing, who),
            np.array([at for at, _ in sorted(found)], dtype=np.int64),
            np.array([v for _, v in sorted(found, key=lambda f: f[0])]),
        )
        for (name, thing, who), found in series.items()
    ]


def flattened(wides: Iterable[Wide]) -> dict[Key, dict[str, float]]:
    """Rows by what names them and their time, with what is known."""
    out: dict[Key, dict[str, float]] = {}
    for wide in wides:
        timed = "ts" in wide.plan.columns
        for i, at in enumerate(wide.at_ms):
            known = {n: float(v[i]) for n, v in wide.columns.items() if not np.isnan(v[i])}
            names = (wide.names.get("slot"), wide.names.get("device"), wide.names.get("node"))
            out[(wide.plan.name, *names, int(at) if timed else 0)] = known
    return out


def one_by_one(told: Iterable[tuple[tuple[str, str, str, int], float]]) -> dict[Key, Any]:
    """The same by the mapping itself."""
    read = [Reading(n, labels(thing, who), value, at) for (n, thing, who, at), value in told]
    mapped = EXPORTER.rows(read, Place("c", node_labels=("host",), interval_s=30))
    out = {}
    for row in mapped.rows:
        values = row.__dict__
        timed = "ts" in values
        at = to_milliseconds(values["ts"]) if timed else 0
        kind = {"gpu_samples": "gpu", "block_samples": "disk", "gpus": "inventory"}
        known = {
            c.name: float(values[c.name])
            for c in row.table.columns
            if c.kind in MEASURED and values[c.name] is not None and c.name != "active_seconds"
        }
        names = (values.get("slot"), values.get("device"), values.get("node"))
        out[(kind[row.table.name], *names, at)] = known
    return out


def desk(series: Iterable[Series]) -> list[Wide]:
    made = Desk(EXPORTER, "c", lambda told: told["host"])
    for one in series:
        made.take(one)
    return made.done()


@given(readings)
def test_columns_say_what_readings_say(told: dict[tuple[str, str, str, int], float]) -> None:
    expected, found = one_by_one(told.items()), flattened(desk(together(told.items())))
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key].keys() == values.keys()
        for name, value in values.items():
            assert math.isclose(found[key][name], value), (key, name)


def test_what_cannot_be_used_is_counted() -> None:
    told = {("util", "0", "a", 1000): math.nan, ("util", "no number", "a", 1000): 1.0}
    made = Desk(EXPORTER, "c", lambda _: "n1")
    for one in together(told.items()):
        made.take(one)
    made.done()
    assert made.doubts == {
        "util: out of range, or no number": 1,
        "util: its labels name no gpu": 1,
    }


def test_a_counter_of_a_gpu_goes_on_when_the_gpu_goes_to_another_pod() -> None:
    exporter = load("dcgm-exporter")
    made = Desk(exporter, "c", lambda _: "n1")
    names = [n for n in exporter.feeds if "NVLINK_CRC" in n]
    for pod, at in (("a", 1000), ("b", 2000)):
        for name in names:
            gpu = {"gpu": "0", "UUID": "GPU-0", "pod": pod}
            made.take(Series(name, gpu, np.array([at]), np.array([5.0])))
    (health,) = [w for w in made.done() if w.plan.row.table.name == "gpu_health_samples"]
    assert len(health.parts["nvlink_crc_errors"]) == len(names) == 2
