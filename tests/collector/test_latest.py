"""The latest rows: how long they are shown, whose they are, and which card is where."""

from __future__ import annotations

from typing import Any

import pytest

from collector.latest import FRESH_FIRST_S, FRESH_S, LatestRows
from collector.window import Folded
from gpuledger.catalogue.work import Gpu
from tests.collector.support import FakeClock
from tests.collector.test_prometheus import row


def rows(clock: FakeClock | None = None) -> LatestRows:
    return LatestRows((clock or FakeClock()).clock.monotonic)


def shown(latest: LatestRows) -> int:
    return sum(len(found) for _, found in latest.fresh())


def card(slot: int, uuid: str, **more: Any) -> Folded:
    fact = Gpu(slot=slot, uuid=uuid, memory_bytes=None, cluster="c", node="n1", **more)
    return Folded(Gpu.table, fact.values())


def measured(slot: int) -> Folded:
    return row("gpu_samples", cluster="c", slot=slot, power_watts=1.0)


@pytest.mark.parametrize(
    ("interval_s", "lives_s"), [(10.0, FRESH_S), (180.0, 450.0), (0.0, FRESH_FIRST_S)]
)
def test_a_row_is_shown_until_its_source_missed_a_reading(
    interval_s: float, lives_s: float
) -> None:
    clock = FakeClock()
    latest = rows(clock)
    latest.update([row("netfs_samples", mount="scratch", interval_seconds=interval_s)])
    clock.pass_s(lives_s - 1)
    assert shown(latest) == 1
    clock.pass_s(2)
    assert shown(latest) == 0


def test_sums_of_a_slow_source_do_not_begin_again() -> None:
    clock = FakeClock()
    latest = rows(clock)
    for _ in range(3):
        latest.update([row("source_runs", source="gpfs", runs=1, interval_seconds=180.0)])
        clock.pass_s(180.0)
    ((exposed, (run,)),) = latest.fresh()
    (runs,) = [m for m in exposed.metrics if m.visible == "runs"]
    assert run.value(runs) == 3.0


@pytest.mark.parametrize("table", ["netfs_samples", "filesystem_samples"])
@pytest.mark.parametrize(
    ("mount", "there"),
    [
        ("/home/alice", 0),
        ("/nfs/users/alice/data", 0),
        ("/home", 1),
        ("/scratch", 1),
        ("/homework/data", 1),
        ("gpfs0", 1),
    ],
)
def test_what_is_mounted_below_homes_is_not_shown(table: str, mount: str, there: int) -> None:
    latest = rows()
    latest.update([row(table, mount=mount)])
    assert shown(latest) == there


@pytest.mark.parametrize("table", ["queue_samples", "serving_samples"])
def test_projects_and_instances_are_not_shown(table: str) -> None:
    latest = rows()
    latest.update([row(table)])
    assert shown(latest) == 0


def test_a_card_is_told_while_it_is_measured() -> None:
    clock = FakeClock()
    latest = rows(clock)
    latest.update([card(0, "GPU-0", model="H100", driver="550.1"), card(1, "GPU-1"), measured(0)])
    assert latest.cards() == [("c", "n1", "0", "GPU-0", "H100", "550.1")]
    clock.pass_s(FRESH_S + 1)
    latest.fresh()
    assert latest.cards() == []


def test_a_slice_is_no_card_and_a_replaced_card_leaves_nothing_behind() -> None:
    latest = rows()
    latest.update([measured(0), card(0, "GPU-0", model="H100"), card(0, "MIG-0", parent="GPU-0")])
    assert latest.cards() == [("c", "n1", "0", "GPU-0", "H100", "")]
    latest.update([card(0, "GPU-9", driver="550.1")])
    assert latest.cards() == [("c", "n1", "0", "GPU-9", "", "550.1")]


def test_what_one_source_leaves_empty_another_has_told() -> None:
    latest = rows()
    latest.update([measured(0), card(0, "GPU-0", model="H100"), card(0, "GPU-0", driver="550.1")])
    assert latest.cards() == [("c", "n1", "0", "GPU-0", "H100", "550.1")]
