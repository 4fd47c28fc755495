"""A table is a class, a column is a line, and a contradiction is refused when it is written."""

from __future__ import annotations

import pytest

from gpuledger.catalogue import INGESTED, ROWS, TABLES, GpuSample
from gpuledger.catalogue import table as find
from gpuledger.errors import ConfigError
from gpuledger.rollups import MOST_GAUGES, gauges
from gpuledger.schema import (
    UNSET_TIME,
    Events,
    Gauge,
    Kind,
    Label,
    Number,
    Quantity,
    Row,
    Sample,
    Samples,
    Table,
    Time,
    gauge,
    label,
    number,
    time,
)
from gpuledger.units import COUNT, MEBI, MILLI, RATIO, SECOND, WATT
from tests.store_contract import NOON, SILENT


class Reading(Sample, table="readings", layout=Samples(key=("node", "place"))):
    """Made for these tests."""

    place: Label = label("where")
    power_watts: Gauge = gauge(WATT, "draw", step=MILLI, keep=("mean", "max"))
    held_seconds: Quantity = number("held", unit=SECOND, step=MILLI, default=0)


def by_name(table: Table) -> str:
    return table.name


def test_a_line_is_one_physical_column_in_the_unit_and_step_it_says() -> None:
    [field] = Reading.held_seconds.fields
    assert (field.stored, field.visible, field.type) == ("held_ms", "held_seconds", "UInt32")
    assert field.factor * 1000 == 1


def test_keeping_the_max_is_a_second_column() -> None:
    mean, most = Reading.power_watts.fields
    assert (mean.stored, most.stored) == ("power_mw", "power_mw_max")
    assert (mean.visible, most.visible) == ("power_watts", "power_watts_max")
    assert mean.type == most.type == "Nullable(UInt32)"


def test_a_subclass_has_the_columns_of_its_base_first() -> None:
    names = [c.name for c in Reading.table.columns]
    assert names[:5] == ["ts", "interval_seconds", "cluster", "node", "epoch"]
    assert names[5:] == ["place", "power_watts", "held_seconds"]
    assert Reading.table.help == "Made for these tests."
    assert [c.name for c in Reading.table.keys] == ["node", "place"]


def test_a_column_is_a_declaration_on_the_class_and_a_value_on_the_row() -> None:
    row = Reading(place="here", power_watts=2.5)
    assert Reading.power_watts.kind is Kind.GAUGE
    assert row.power_watts == 2.5
    row.power_watts = None
    assert row.power_watts is None


def test_what_the_agent_stamps_has_defaults() -> None:
    row = Reading(place="here", power_watts=None)
    assert (row.ts, row.interval_seconds, row.cluster, row.node) == (UNSET_TIME, 0, "", "")


def test_the_max_of_one_reading_is_the_reading() -> None:
    assert Reading(place="here", power_watts=2.5).values()["power_watts_max"] == 2.5


def test_a_missing_value_must_be_said() -> None:
    with pytest.raises(TypeError, match="Reading needs power_watts"):
        Reading(place="here")  # type: ignore[call-arg] # that is the point


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(TypeError, match="Reading has no column colour"):
        Reading(place="here", power_watts=1.0, colour="red")  # type: ignore[call-arg] # see above


def test_rows_are_equal_by_class_and_values_and_say_what_they_know() -> None:
    row = Reading(place="here", power_watts=None)
    assert row == Reading(place="here", power_watts=None)
    assert row != Reading(place="there", power_watts=None)
    assert row != GpuSample(slot=0, uuid="u", **SILENT)
    assert "place='here'" in repr(row)
    assert "power_watts" not in repr(row)


@pytest.mark.parametrize(
    ("name", "column", "complaint"),
    [
        ("power", gauge(WATT, "draw"), "must end in _watts"),
        ("power_mw", gauge(WATT, "draw"), "must end in _watts"),
        ("busy_percent", gauge(RATIO, "share"), "must end in _ratio"),
        ("wait_seconds", gauge(COUNT, "ticks"), "suffix _seconds contradicts"),
        ("used_bytes", number("blocks"), "suffix _bytes contradicts"),
    ],
)
def test_a_name_that_contradicts_its_unit_is_refused(
    name: str, column: Number, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        # What a class body does; Python 3.11 would wrap the error in one of its own.
        column.__set_name__(Row, name)


def test_a_step_without_a_spelling_keeps_the_base_unit() -> None:
    class Unspelled(Row, table="unspelled", layout=Events(key=("ts",))):
        """Watts have no mebi."""

        ts: Time = time("when")
        power_watts: Gauge = gauge(WATT, "draw", step=MEBI)

    assert Unspelled.power_watts.fields[0].stored == "power_watts"


# --- the catalogue ----------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_tables_say_what_they_are(table: Table) -> None:
    assert table.help.endswith(".")
    assert "\n" not in table.help
    for column in table.columns:
        assert column.help
        assert not column.help.endswith(".")


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_names_are_unique_and_plain(table: Table) -> None:
    for names in ([f.stored for f in table.fields], [f.visible for f in table.fields]):
        assert len(names) == len(set(names))
        assert all(n.isidentifier() and n == n.lower() for n in names)


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_keys_are_columns_that_are_never_missing(table: Table) -> None:
    assert {c.name for c in table.keys} == set(table.layout.key)
    assert not any(f.nullable for c in table.keys for f in c.fields)


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_a_column_name_means_one_unit_in_every_table(table: Table) -> None:
    for column in table.columns:
        for other in TABLES.values():
            for same in other.columns:
                if same.name == column.name:
                    assert same.unit == column.unit, f"{table.name} and {other.name}: {same.name}"


# What is stored tells its gauges by their place: a new one is added at the end of its line here, as
# in its class after all other gauges, and none is ever taken away.
PLACES = {
    "gpu_samples": "utilization_pct memory_utilization_pct sm_active_bp sm_occupancy_bp"
    " tensor_active_bp dram_active_bp graphics_active_bp fp16_active_bp fp32_active_bp"
    " fp64_active_bp hmma_active_bp imma_active_bp encoder_pct decoder_pct"
    " memory_used_mib memory_total_mib power_mw power_limit_mw temperature_celsius"
    " memory_temperature_celsius sm_clock_mhz memory_clock_mhz processes",
    "slice_samples": "sm_active_bp sm_occupancy_bp tensor_active_bp dram_active_bp memory_used_mib"
    " memory_total_mib processes",
    "gpu_health_samples": "ecc_corrected_lifetime ecc_uncorrected_lifetime remapped_rows_corrected"
    " remapped_rows_uncorrected remap_pending remap_failed retired_pages"
    " recovery_action pcie_generation pcie_generation_max pcie_width pcie_width_max nvlinks"
    " nvlinks_up nvlink_speed_mb_per_s slowdown_margin_celsius fan_pct performance_state"
    " persistence_mode",
    "host_samples": "cpus cpu_busy_bp cpu_iowait_bp load1 memory_total_mib memory_available_mib"
    " swap_used_mib clock_error_us clock_synchronized",
    "cgroup_samples": "memory_mib memory_limit_mib",
    "network_samples": "up_pct speed_mb_per_s",
    "tcp_samples": "connections",
    "block_samples": "in_flight",
    "nvme_samples": "temperature_celsius used_pct spare_pct spare_threshold_pct",
    "filesystem_samples": "size_mib available_mib inodes inodes_free",
    "netfs_samples": "in_flight",
    "object_store_samples": "size_mib objects free_mib latency_us",
    "serving_samples": "running_requests waiting_requests kv_cache_pct",
    "queue_samples": "allocated_gpus quota_gpus idle_gpus utilization_pct pending_workloads"
    " admitted_workloads",
}


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_gauges_keep_the_place_by_which_rollups_know_them(table: Table) -> None:
    if isinstance(table.layout, Samples) and table.layout.rollup:
        assert [f.stored for f in gauges(table)] == PLACES.get(table.name, "").split()


def test_a_table_has_no_more_gauges_than_a_row_of_a_rollup_can_mark() -> None:
    columns = []
    for n in range(MOST_GAUGES + 1):
        columns.append(gauge(COUNT, "one of many"))
        columns[-1].__set_name__(Row, f"g{n}")
    table = Table("many", "Too many.", Samples(key=("node",)), tuple(columns))
    with pytest.raises(ConfigError, match="more than 64 gauges"):
        gauges(table)


def test_every_row_class_has_a_table_of_its_own() -> None:
    assert len(TABLES) == len(ROWS)
    assert set(INGESTED) <= set(TABLES.values())


def test_a_table_is_found_by_name_and_a_wrong_name_gets_the_nearest() -> None:
    assert find("gpu_samples") is GpuSample.table
    with pytest.raises(ConfigError, match="did you mean 'gpu_samples'"):
        find("gpu_sample")


def test_a_row_takes_an_instant() -> None:
    assert Reading(ts=NOON, place="here", power_watts=None).ts == NOON
