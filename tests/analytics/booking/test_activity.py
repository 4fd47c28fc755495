"""What a GPU told of a minute: of several writers, each fact is that of the first that has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics.booking.activity import TOLD
from gpuledger.batch import to_milliseconds
from gpuledger.store import Store
from tests.store_contract import NOON, sample

AGENT, EXPORTER = "nvml", "dcgm-exporter"


def told(store: Store) -> list[dict[str, Any]]:
    hour = {"lo": NOON, "hi": NOON + timedelta(hours=1)}
    rows = store.select(TOLD, **{name: to_milliseconds(at) for name, at in hour.items()})
    # Tests of the store leave GPUs without an asset in the same hour.
    return sorted((r for r in rows if r["gpu_id"]), key=lambda r: (r["gpu_id"], r["minute"]))


def spoke(writer: str, seconds: float, gpu: int = 1, **values: Any) -> Any:
    given = {"interval_seconds": 30.0, "gpu_id": gpu, "slot": gpu, "source": writer, **values}
    return sample("n", seconds, **given)


def test_two_writers_are_never_added_up(store: Store) -> None:
    busy: dict[str, Any] = {"active_seconds": 30.0, "power_watts": 400.0, "utilization_ratio": 0.5}
    rows = [spoke(w, s, **busy) for w in (AGENT, EXPORTER) for s in (30, 60)]
    store.insert_rows(rows)
    [minute] = told(store)
    assert (minute["told_ms"], minute["cover_ms"], minute["active_ms"]) == (60_000, 60_000, 60_000)
    assert (minute["power_mw"], minute["util"]) == (400_000, 0.5)


def test_what_the_first_writer_does_not_tell_is_taken_from_the_next(store: Store) -> None:
    store.insert_rows([spoke(EXPORTER, 30, sm_active_ratio=0.25, power_watts=1.0, lost_seconds=0)])
    store.insert_rows([spoke(AGENT, 60, power_watts=300.0, active_seconds=3.0)])
    [minute] = told(store)
    assert (minute["sm"], minute["power_mw"], minute["active_ms"]) == (0.25, 300_000, 3_000)
    assert minute["cover_ms"] == 30_000
    assert minute["util"] is None
    assert not minute["lost"]


def test_a_gpu_with_one_writer_is_told_beside_one_with_two(store: Store) -> None:
    store.insert_rows([spoke(EXPORTER, 30, gpu=1, power_watts=100.0)])
    store.insert_rows([spoke(EXPORTER, 30, gpu=2, power_watts=100.0)])
    store.insert_rows([spoke(AGENT, 61, gpu=2, power_watts=200.0)])
    minutes = [(m["gpu_id"], m["power_mw"]) for m in told(store)]
    assert minutes == [(1, 100_000), (2, 100_000), (2, 200_000)]


@pytest.mark.parametrize("both", [False, True])
def test_a_row_that_covers_no_time_is_no_evidence(store: Store, both: bool) -> None:
    store.insert_rows([spoke(EXPORTER, 30, interval_seconds=0.0, active_seconds=0.0)])
    if both:
        store.insert_rows([spoke(AGENT, 30, interval_seconds=0.0, active_seconds=0.0)])
    [minute] = told(store)
    assert (minute["told_ms"], minute["cover_ms"], minute["active_ms"]) == (None, None, None)


def test_lost_is_a_device_for_at_least_half_of_what_its_writer_told(store: Store) -> None:
    store.insert_rows([spoke(AGENT, 30, lost_seconds=15.0)])
    store.insert_rows([spoke(EXPORTER, s, lost_seconds=0.0) for s in (30, 60)])
    [minute] = told(store)
    assert minute["lost"]
