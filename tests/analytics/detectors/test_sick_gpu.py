"""Cards that hardware operations should look at."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.sick_gpu import detector
from analytics.signs import SIGNS, SignSettings
from gpuledger.catalogue import Finding, GpuEvent, GpuHealth
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, booked, cells, gpu, price, samples, write

UNTIL = 60
WHOLE = Span(at(0), at(UNTIL))


def health(minute: float, slot: int = 0, **told: Any) -> GpuHealth:
    return GpuHealth.known(
        ts=at(minute),
        interval_seconds=60,
        cluster=CLUSTER,
        node="n0",
        slot=slot,
        gpu_id=gpu(slot),
        uuid=f"GPU-n0-{slot}",
        **told,
    )


def event(minute: float, kind: str, code: int = 0, cause: str = "hardware") -> GpuEvent:
    return GpuEvent(
        ts=at(minute),
        cluster=CLUSTER,
        node="n0",
        slot=0,
        gpu_id=gpu(0),
        kind=kind,
        code=code,
        cause=cause,
    )


def find(store: Store, rows: list[Row], **changed: int) -> list[Finding]:
    write(store, [asset(0), price(), *rows])
    return list(detector.find(store, SignSettings(**changed), WHOLE))


def grown(**last: int) -> list[Row]:
    first = dict.fromkeys(last, 5)
    return [health(1, **first), health(30, **{k: 5 + v for k, v in last.items()})]


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ([event(5, "lost")], "device_lost"),
        ([event(5, "xid", 79)], "xid"),
        ([event(5, "ecc", 2)], "ecc"),
        ([health(5, remap_failed=1)], "remap_failed"),
        ([health(5, remap_pending=1)], "remap_pending"),
        ([health(5, recovery_action=2)], "recovery"),
        ([health(5, nvlinks=18, nvlinks_up=17)], "nvlink_down"),
        ([health(5, retired_pages=11)], "retired_pages"),
        (grown(ecc_uncorrected_errors=1), "ecc"),
        (grown(ecc_corrected_errors=1000), "ecc_trend"),
        (grown(nvlink_crc_errors=6, nvlink_replays=4), "nvlink_errors"),
        (grown(pcie_replays=100), "pcie_replays"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_sign_is_found_with_its_cause(store: Store, rows: list[Row], cause: str) -> None:
    (found,) = find(store, rows)
    assert (found.cause, found.owner) == (cause, "hardware operations")
    assert found.subject == "c/n0/0"
    assert store.select(found.evidence)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [event(5, "xid", 31, "application")],
        [health(5, remap_failed=0, remap_pending=0, recovery_action=0, retired_pages=10)],
        [health(5, nvlinks=18, nvlinks_up=18)],
        [health(5, nvlinks=18)],
        grown(ecc_corrected_errors=999, nvlink_crc_errors=9, pcie_replays=99),
    ],
)
def test_a_healthy_card_is_no_finding(store: Store, rows: list[Row]) -> None:
    assert find(store, rows) == []


def test_a_sick_card_is_one_finding_that_the_gravest_sign_names(store: Store) -> None:
    (found,) = find(store, [health(5, remap_pending=1), event(9, "xid", 79), event(7, "lost")])
    assert found.cause == "device_lost"
    assert (found.since, found.open) == (at(4), 1)
    assert found.summary == (
        "GPU 0 of n0 (NVIDIA H100) fell off the bus or was lost; reported hardware errors"
        " (xid 79); has a memory row that waits for a reset"
    )


@pytest.mark.parametrize(("active", "count"), [(1.0, 1), (0.0, 0)])
def test_a_slow_link_counts_under_load_only(store: Store, active: float, count: int) -> None:
    slow = [health(m, pcie_width=8, pcie_width_max=16) for m in range(1, 20)]
    assert len(find(store, [*slow, *samples(0, 0, 20, active=active)])) == count


def test_what_the_book_lost_to_it_is_told(store: Store) -> None:
    lost = booked(cells("fault", range(10, 40)), at(UNTIL))
    (found,) = find(store, [event(10, "lost"), *lost])
    assert found.gpu_seconds == 30 * 60
    assert found.capacity_value == pytest.approx(1.5)
    assert found.summary.endswith("0.5 GPU-hours lost")


def test_it_finds_the_same_again_and_nothing_in_an_empty_span(store: Store) -> None:
    first = find(store, [event(10, "lost")])
    assert [f.values() for f in first] == [
        f.values() for f in detector.find(store, SignSettings(), WHOLE)
    ]
    assert list(detector.find(store, SignSettings(), Span(at(100), at(160)))) == []


def test_signs_have_names_of_their_own() -> None:
    assert len({s.name for s in SIGNS}) == len(SIGNS)
