"""Mappings: the shipped ones on their exporters' whole lists, the checks, and how series fold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exposition import Interest, Page
from collector.window import Windows
from gpuledger.batch import by_table, from_milliseconds
from gpuledger.catalogue import Gpu, GpuHealth, GpuSample, SliceSample
from gpuledger.mapping import Exporter, Mapped, Place, Reading, identifier
from gpuledger.mapping_load import load, shipped
from gpuledger.schema import Row
from tests.mappings import TEMPERATURE, feed, small

PAGES = Path(__file__).parent / "mappings"
# How exporters' documents spell the words of UNITS.
SPELLED = {
    "MHz": "megahertz", "kHz": "kilohertz", "C": "celsius", "W": "watt", "mW": "milliwatt",
    "J": "joule", "mJ": "millijoule", "uJ": "microjoule", "KB": "kilobyte", "MiB": "mebibyte",
    "B": "byte", "%": "percent", "ns": "nanosecond", "code": "count", "state": "count",
}  # fmt: skip
# Where a document is wrong, by the exporter's own figures: said in the mapping's notes.
CORRECTED = {
    ("amd-device-metrics-exporter", "MB"): "mebibyte",
    ("jetson-stats", "kB"): "kibibyte",
}
SAID = re.compile(r"# UNIT (\S+) (\S+)")
MIB = 1 << 20


def page(name: str, place: Place | None = None) -> Mapped:
    """What the exporter's whole list becomes."""
    read = Page((PAGES / f"{name}.prom").read_bytes(), lambda _: Interest.READ)
    return load(name).rows(read.readings, place or Place(interval_s=15.0))


def rows(mapped: Mapped, kind: type[Row]) -> dict[int, Any]:
    return {row.__dict__["slot"]: row for row in mapped.rows if isinstance(row, kind)}


@pytest.mark.parametrize("name", shipped())
def test_every_name_of_the_exporters_list_is_mapped_or_ignored_for_a_reason(name: str) -> None:
    assert page(name).unknown == set()


@pytest.mark.parametrize("name", shipped())
def test_the_whole_list_becomes_rows_that_can_be_stored(name: str) -> None:
    mapped = page(name)
    assert mapped.rows
    assert sum(len(batch) for batch in by_table(mapped.rows)) == len(mapped.rows)


@pytest.mark.parametrize("name", shipped())
def test_the_mapping_says_the_unit_that_the_exporters_documents_say(name: str) -> None:
    exporter = load(name)
    for metric, said in SAID.findall((PAGES / f"{name}.prom").read_text()):
        word = CORRECTED.get((name, said)) or SPELLED.get(said, said.replace("_", " "))
        assert {f.feed.unit for f in exporter.feeds_of(metric) or ()} <= {word}, metric


@pytest.mark.parametrize("name", shipped())
def test_a_mapping_says_where_its_facts_are_from(name: str) -> None:
    file = load(name).file
    assert file.exporter == name
    assert file.facts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "dcgm-exporter",
            {
                "power_watts": 287.431,
                "energy_joules": 123456.789,
                "sm_clock_hertz": 1.41e9,
                "memory_used_bytes": 40000 * MIB,
                "utilization_ratio": 0.93,
                "sm_active_ratio": 0.81,
                "power_throttle_seconds": 5.0,
                "power_limit_watts": 400.0,
                "throttle_reasons": 4,
                "active_seconds": 15.0,
                "source": "dcgm-exporter",
            },
        ),
        (
            "amd-device-metrics-exporter",
            {
                "power_watts": 701.0,
                "energy_joules": 2500.0,
                "temperature_celsius": 56.0,
                "sm_clock_hertz": 2.1e9,
                "nvlink_receive_bytes": 8e6,
                "memory_total_bytes": 196592 * MIB,
                "pcie_receive_bytes": None,
            },
        ),
        (
            "intel-xpu-manager",
            {
                "utilization_ratio": 0.75,
                "sm_active_ratio": 0.5,
                "temperature_celsius": 53.0,
                "memory_used_bytes": 2048 * MIB,
                "energy_joules": 98765.4,
                "nvlink_transmit_bytes": 1000.0,
            },
        ),
        (
            "habana-gaudi",
            {"power_watts": 412.345, "utilization_ratio": 0.64, "energy_joules": None},
        ),
        ("aws-neuron-monitor", {"utilization_ratio": 0.5, "memory_used_bytes": 8 * MIB}),
        (
            "google-tpu-device-plugin",
            {"utilization_ratio": 0.75, "tensor_active_ratio": 0.425, "dram_active_ratio": 0.125},
        ),
        ("jetson-stats", {"sm_clock_hertz": 6.11e8, "power_watts": 9.5}),
    ],
)
def test_values_come_in_base_units(name: str, expected: Mapping[str, Any]) -> None:
    row = rows(page(name), GpuSample)[0]
    assert {column: row.__dict__[column] for column in expected} == expected


def test_health_of_dcgm_exporter_is_a_row_of_its_own() -> None:
    row = rows(page("dcgm-exporter"), GpuHealth)[1]
    assert (row.retired_pages, row.nvlink_crc_errors, row.sync_throttle_seconds) == (3, 11, 2)


def test_a_slice_is_no_row_of_the_card() -> None:
    mapped = page("dcgm-exporter")
    assert sorted(rows(mapped, GpuSample)) == [0, 1]
    row = rows(mapped, SliceSample)[2]
    assert (row.gpu_instance, row.profile, row.sm_active_ratio) == (7, "1g.10gb", 0.81)


def test_an_fpga_has_a_slot_that_no_gpu_has() -> None:
    assert list(rows(page("amd-xilinx-fpga"), GpuSample)) == [1000 + 0x3B]


def test_inventory_comes_with_the_vendor() -> None:
    vendors = {"dcgm-exporter": "nvidia", "habana-gaudi": "intel", "amd-xilinx-fpga": "amd"}
    for name, vendor in vendors.items():
        assert {r.vendor for r in page(name).rows if isinstance(r, Gpu)} == {vendor}


def test_what_was_out_of_range_is_missing_and_said() -> None:
    doubts = [d for d in page("amd-device-metrics-exporter").doubts if d.subject == "slot=0"]
    assert [d.reading for d in doubts] == ["pcie_receive_bytes"]


def test_a_supplement_fills_only_gaps_and_covers_no_time() -> None:
    mapped = page("dcgm-exporter", Place(supplement=True, interval_s=15.0))
    row = rows(mapped, GpuSample)[0]
    assert (row.sm_active_ratio, row.source, row.active_seconds) == (0.81, "", None)
    assert row.power_watts is None
    assert row.interval_seconds < 0.0005
    assert {type(r) for r in mapped.rows} == {GpuSample, SliceSample}


def test_a_supplement_folds_into_the_row_of_nvml() -> None:
    at = from_milliseconds(1_800_000_005_000)
    [extra] = [
        r for r in page("dcgm-exporter", Place(node="n1", supplement=True)).rows
        if isinstance(r, GpuSample) and r.slot == 0
    ]  # fmt: skip
    own = GpuSample.known(
        ts=at, interval_seconds=10.0, node="n1", slot=0, uuid=extra.uuid, power_watts=300.0
    )
    extra.ts = at
    windows = Windows()
    windows.add([own, extra])
    [folded] = windows.take()
    values = folded.values
    assert (values["power_watts"], values["sm_active_ratio"]) == (300.0, 0.81)
    assert (round(values["interval_seconds"] * 1000), values["source"]) == (10_000, "nvml")


def test_the_slot_is_what_this_node_knows_not_what_the_exporter_counts() -> None:
    uuid = "GPU-00000000-aaaa-bbbb-cccc-000000000000"
    mapped = page(
        "dcgm-exporter", Place(slots={identifier(uuid): 5, identifier("0000:02:00.0"): 6})
    )
    assert sorted(rows(mapped, GpuSample)) == [5, 6]


def test_the_node_is_what_a_label_says_where_that_is_asked_for() -> None:
    place = Place(cluster="c", node="scraper", node_labels=("nothing", "Hostname"))
    row = rows(page("dcgm-exporter", place), GpuSample)[0]
    assert (row.cluster, row.node) == ("c", "node-7")


def value(exporter: Exporter, *readings: Reading, column: str = "temperature_celsius") -> Any:
    [row] = exporter.rows(readings, Place()).rows
    return row.__dict__[column]


def of(name: str, number: float, at_ms: int | None = None, **labels: str) -> Reading:
    return Reading(name, {"gpu": "0", **labels}, number, at_ms)


@pytest.mark.parametrize(("fold", "folded"), [("sum", 60), ("max", 30), ("min", 10), ("mean", 20)])
def test_several_series_of_one_cell_fold_as_the_mapping_says(fold: str, folded: float) -> None:
    exporter = small({"temp": {**TEMPERATURE, "fold": fold}})
    told = [of("temp", n, tile=str(n)) for n in (10, 20, 30)]
    assert value(exporter, *told) == folded


def test_series_that_should_agree_and_do_not_are_missing() -> None:
    exporter = small({"temp": TEMPERATURE, "power": feed("power_watts", "watt")})
    told = [of("temp", 10, pod="a"), of("temp", 11, pod="b"), of("power", 5)]
    mapped = exporter.rows(told, Place())
    assert mapped.rows[0].__dict__["temperature_celsius"] is None
    assert [d.said for d in mapped.doubts] == ["2 series disagree"]


def test_series_that_agree_are_one() -> None:
    assert value(small({"temp": TEMPERATURE}), of("temp", 9, pod="a"), of("temp", 9, pod="b")) == 9


def test_the_first_metric_of_the_file_that_is_there_wins() -> None:
    exporter = small({n: {**TEMPERATURE, "fold": "first"} for n in ("good", "fair")})
    assert value(exporter, of("fair", 2), of("good", 1)) == 1
    assert value(exporter, of("fair", 2)) == 2


def test_a_sum_with_a_missing_part_is_missing() -> None:
    exporter = small(
        {n: {**TEMPERATURE, "fold": "sum"} for n in ("a", "b")} | {"p": feed("power_watts", "watt")}
    )
    assert value(exporter, of("a", 1), of("b", 2)) == 3
    mapped = exporter.rows([of("a", 1), of("p", 1)], Place())
    assert mapped.rows[0].__dict__["temperature_celsius"] is None
    assert [d.said for d in mapped.doubts] == ["the sum lacks b"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 256.0, 1e300, 10**400])
def test_a_value_that_the_column_cannot_hold_is_missing_and_the_others_stay(bad: float) -> None:
    exporter = small({"temp": TEMPERATURE, "power": feed("power_watts", "watt")})
    mapped = exporter.rows([of("temp", bad), of("power", 5)], Place())
    assert (len(mapped.rows), mapped.rows[0].__dict__["power_watts"]) == (1, 5)
    assert mapped.rows[0].__dict__["temperature_celsius"] is None
    assert [(d.subject, d.reading) for d in mapped.doubts] == [("slot=0", "temperature_celsius")]


def test_a_large_count_stays_exact() -> None:
    exporter = small({"rx": feed("pcie_receive_bytes", "byte", "counter")})
    assert value(exporter, of("rx", 2**60 + 1), column="pcie_receive_bytes") == 2**60 + 1


@pytest.mark.parametrize("spelled", ["rx", "rx_total"])
@pytest.mark.parametrize("written", ["rx", "rx_total"])
def test_total_comes_and_goes_with_clients(spelled: str, written: str) -> None:
    exporter = small({written: feed("pcie_receive_bytes", "byte", "counter")})
    assert value(exporter, of(spelled, 7), column="pcie_receive_bytes") == 7


@pytest.mark.parametrize("labels", [{}, {"gpu": ""}, {"gpu": "x"}, {"gpu": "70000"}, {"gpu": "١"}])
def test_series_that_name_no_device_become_no_row(labels: dict[str, str]) -> None:
    mapped = small({"temp": TEMPERATURE}).rows([Reading("temp", labels, 40)], Place())
    assert mapped.rows == []
    assert [d.reading for d in mapped.doubts] == ["temp"]


def test_only_series_whose_labels_match_are_taken() -> None:
    exporter = small({"temp": {**TEMPERATURE, "where": {"at": "gpu|core"}}})
    assert value(exporter, of("temp", 1, at="core"), of("temp", 2, at="board")) == 1


def test_a_metric_may_tell_a_part_of_its_rows_name() -> None:
    rows_ = {"io": {"table": "netfs_samples", "columns": {"kind": "lustre", "mount": "/l"}}}
    exporter = small(
        {
            f"{op}s": {
                "to": "io.operations",
                "unit": "count",
                "kind": "counter",
                "set": {"operation": op},
            }
            for op in ("read", "write")
        },
        rows=rows_,
    )
    mapped = exporter.rows([Reading("reads", {}, 5), Reading("writes", {}, 6)], Place())
    told = {r.__dict__["operation"]: r.__dict__["operations"] for r in mapped.rows}
    assert told == {"read": 5, "write": 6}


def test_readings_of_two_moments_are_two_rows() -> None:
    exporter = small({"temp": TEMPERATURE})
    mapped = exporter.rows([of("temp", 1, 1_000), of("temp", 2, 2_000)], Place())
    assert [r.__dict__["ts"] for r in mapped.rows] == [from_milliseconds(n) for n in (1000, 2000)]


def test_a_row_is_active_when_its_use_is_one_percent() -> None:
    exporter = small({"use": feed("utilization_ratio", "percent")})
    told = [Reading("use", {"gpu": str(i)}, n) for i, n in enumerate((0.9, 1))]
    mapped = exporter.rows(told, Place(interval_s=15.0))
    assert [r.__dict__["active_seconds"] for r in mapped.rows] == [0.0, 15.0]


def test_names_that_nobody_thought_of_are_said_and_an_exporters_own_are_not() -> None:
    told = [of(n, 1) for n in ("go_goroutines", "process_cpu_seconds_total", "up", "novel")]
    assert small({"temp": TEMPERATURE}).rows(told, Place()).unknown == {"novel"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("00000000:0A:00.0", "0000:0a:00.0"), ("GPU-ABC", "gpu-abc"), ("0a:00.0", "0a:00.0")],
)
def test_one_device_is_spelled_in_many_ways(one: str, other: str) -> None:
    assert identifier(one) == identifier(other)


@given(
    st.lists(
        st.builds(
            Reading,
            st.sampled_from([*load("dcgm-exporter").feeds, "other"]),
            st.dictionaries(
                st.sampled_from(["gpu", "UUID", "GPU_I_ID", "pci_bus_id"]), st.text(max_size=6)
            ),
            st.floats() | st.integers(),
            st.none() | st.integers(0, 10**13),
        ),
        max_size=8,
    ),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_any_readings_become_rows_that_can_be_stored(told: list[Reading], supplement: bool) -> None:
    mapped = load("dcgm-exporter").rows(told, Place(interval_s=1.0, supplement=supplement))
    by_table(mapped.rows)
