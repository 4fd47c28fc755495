"""Rows in base units become columns as stored, and what does not fit is missing, never wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.batch import EPOCH, Batch, by_table, from_milliseconds, to_milliseconds
from gpuledger.catalogue import GpuSample, HostSample
from gpuledger.schema import FOREVER, Gauge, Number, Row, Versions, gauge, number
from gpuledger.units import COUNT, MILLI
from tests.store_contract import NOON, sample

EXAMPLES = settings(max_examples=200, derandomize=True, deadline=None, database=None)
TABLE = GpuSample.table
END_MS = to_milliseconds(FOREVER)


def of_power(value: Any) -> Any:
    """How one reading of power is stored."""
    return Batch.of_rows([sample("n", power_watts=value)]).columns["power_mw"][0]


@EXAMPLES
@given(st.integers(0, END_MS))
def test_an_instant_survives_to_the_millisecond(ms: int) -> None:
    assert to_milliseconds(from_milliseconds(ms)) == ms
    assert from_milliseconds(ms) == EPOCH + timedelta(milliseconds=ms)


def test_an_instant_is_the_same_in_every_zone() -> None:
    assert to_milliseconds(NOON.astimezone()) == to_milliseconds(NOON)
    assert from_milliseconds(0).tzinfo is UTC


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_milliseconds(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@EXAMPLES
@given(st.integers(0, (1 << 32) - 1))
def test_what_the_driver_said_in_its_own_steps_is_stored_exactly(milliwatts: int) -> None:
    assert of_power(milliwatts / 1000) == milliwatts


@pytest.mark.parametrize(
    "value", [None, math.nan, math.inf, -math.inf, -1.0, -0.001, 4294967.296, 1e300, -1]
)
def test_what_does_not_fit_is_missing(value: float | None) -> None:
    assert of_power(value) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 1e12])
def test_what_does_not_fit_where_nothing_may_be_missing_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Batch.of_rows([sample("n", interval_seconds=value)])
    with pytest.raises(ValueError, match="does not fit"):
        Batch.of_arrays(TABLE, 1, {"interval_seconds": np.array([value])})


def test_a_64_bit_number_is_stored_to_the_last_bit() -> None:
    largest = (1 << 64) - 1
    batch = Batch.of_rows([sample("n", gpu_id=largest, throttle_reasons=largest - 1)])
    assert batch.columns["gpu_id"] == [largest]
    assert batch.columns["throttle_reasons"] == [largest - 1]
    ids = Batch.of_arrays(TABLE, 1, {"gpu_id": np.array([largest], dtype="uint64")})
    assert ids.columns["gpu_id"].tolist() == [largest]


def test_a_kept_max_is_stored_only_where_it_differs_from_the_mean() -> None:
    told = sample("n", power_watts=1.5).values()
    rows = [told, {**told, "power_watts_max": 2.0}, {**told, "power_watts": None}]
    assert Batch.of_values(TABLE, rows).columns["power_mw_max"] == [None, 2000, 1500]


def test_a_kept_max_of_arrays_is_stored_only_where_it_differs_from_the_mean() -> None:
    known = {"ts": NOON, "node": "n", "slot": 0, "uuid": "u", "power_watts": np.array([1.5, 1.5])}
    batch = Batch.of_arrays(TABLE, 2, {**known, "power_watts_max": np.array([1.5, 2.0])})
    assert batch.columns["power_mw_max"].tolist() == [None, 2000]
    assert batch.columns["power_mw_max"].data.tolist() == [0, 2000]
    assert Batch.of_arrays(TABLE, 2, known).columns["power_mw_max"].tolist() == [None, None]


def test_values_may_carry_a_max_of_their_own() -> None:
    values = {**sample("n", power_watts=1.0).values(), "power_watts_max": 2.0}
    assert Batch.of_values(TABLE, [values]).columns["power_mw_max"] == [2000]


def test_a_batch_is_as_long_as_its_columns() -> None:
    assert len(Batch.of_rows([sample("n", s) for s in range(3)])) == 3
    assert len(Batch(TABLE, {})) == 0
    assert len(Batch.of_arrays(TABLE, 5, {"node": "n"})) == 5


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.floats(-1, 1e7)


@EXAMPLES
@given(st.lists(numbers, min_size=1, max_size=6))
def test_arrays_are_stored_like_rows(values: list[float]) -> None:
    rows = Batch.of_rows([sample("n", power_watts=v, utilization_ratio=v / 1e6) for v in values])
    given_arrays = {"power_watts": np.array(values), "utilization_ratio": np.array(values) / 1e6}
    arrays = Batch.of_arrays(TABLE, len(values), given_arrays)
    for name in ("power_mw", "power_mw_max", "utilization_pct"):
        assert arrays.columns[name].tolist() == rows.columns[name]


def test_integer_arrays_that_do_not_fit_are_missing_too() -> None:
    batch = Batch.of_arrays(TABLE, 3, {"processes": np.array([-1, 3, 70_000])})
    assert batch.columns["processes"].tolist() == [None, 3, None]


class Balance(Row, table="balances", layout=Versions(key=("ident",))):
    """A table of the test's own."""

    ident: Number = number("key")
    won: Gauge = gauge(COUNT, "won, or lost", step=MILLI, bits=16, signed=True)


def test_a_signed_column_holds_what_is_below_0_and_no_more_than_its_bits() -> None:
    values = [-1.5, 2.0, 32.767, 32.768, -32.768, -32.769, float("nan"), None]
    stored = [-1500, 2000, 32767, None, -32768, None, None, None]
    (field,) = Balance.table.columns[1].fields
    assert field.type == "Nullable(Int16)"
    rows = Batch.of_rows([Balance(ident=i, won=v) for i, v in enumerate(values)])
    assert rows.columns["won"] == stored
    array = np.array([v if v is not None else np.nan for v in values])
    assert Batch.of_arrays(Balance.table, 8, {"won": array}).columns["won"].tolist() == stored


def test_scalars_are_repeated_and_absent_columns_are_missing() -> None:
    batch = Batch.of_arrays(TABLE, 2, {"node": "n", "power_watts": 1.5, "ts": NOON})
    assert list(batch.columns["node"]) == ["n", "n"]
    assert list(batch.columns["power_mw"]) == [1500, 1500]
    assert list(batch.columns["ts"]) == [to_milliseconds(NOON)] * 2
    assert list(batch.columns["energy_mj"]) == [None, None]
    assert list(batch.columns["epoch"]) == [0, 0]


def test_times_may_be_numpy_instants() -> None:
    instants = np.array(["2026-03-04T12:00:00.123"], dtype="datetime64[ns]")
    batch = Batch.of_arrays(TABLE, 1, {"ts": instants})
    assert batch.columns["ts"].tolist() == [to_milliseconds(NOON) + 123]


def test_rows_are_grouped_by_table_in_order_of_appearance() -> None:
    nothing = {c.name: None for c in HostSample.table.columns if c.fields[0].nullable}
    host = HostSample(node="h", **nothing)
    batches = by_table([sample("a"), host, sample("b")])
    assert [b.table.name for b in batches] == ["gpu_samples", "host_samples"]
    assert batches[0].columns["node"] == ["a", "b"]
    assert by_table([]) == []
