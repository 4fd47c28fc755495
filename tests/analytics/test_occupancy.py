"""Who holds which part of a GPU, and what is said of its place: rows of `occupancy`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics.ledger import Ledger, Window
from gpuledger.batch import by_table
from gpuledger.catalogue import AssetState, Gpu, NodeOwner, NodeState, Reservation, SliceSample
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, REQUIRED, Row
from gpuledger.store import Store
from tests.analytics.ledger_world import (
    CLUSTER,
    LONG_AGO,
    START,
    allocation,
    asset,
    at,
    run,
    statement,
    wish,
)

GPU = asset(0)
END = at(60)
# What the seven 1g slices of an H100 have of its 132 multiprocessors each.
SEVENTH = 121


def book(store: Store, *rows: Row) -> None:
    """One hour of one GPU, from these facts."""
    for batch in by_table([GPU, *rows]):
        store.insert(batch)
    Ledger(store).book(Window(START, END), END)


def told(store: Store, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the hour's occupancy with from and until in minutes, in order."""
    rows = store.select(
        f"SELECT valid_from AS f, valid_to AS t, {', '.join(columns)} FROM v_occupancy"
        " ORDER BY f, alloc_id = 0, alloc_id, remainder"
    )
    return [(_minute(r["f"]), _minute(r["t"]), *(r[c] for c in columns)) for r in rows]


def _minute(at_time: datetime) -> float:
    return (at_time - START) / timedelta(minutes=1)


def slices(count: int, milli: int, first: int = 0, minutes: int = 60) -> list[Row]:
    """So many equal slices of the card, as inventory and samples tell of them."""
    return [
        row
        for i in range(count)
        for row in (
            Gpu(
                gpu_id=GPU.gpu_id,
                cluster=CLUSTER,
                node="n0",
                slot=0,
                uuid=f"MIG-{i}",
                parent="GPU-0",
                profile="1g.10gb",
                entitlement_milli=milli,
                memory_bytes=None,
                seen_at=START,
            ),
            *(_slice_sample(i, first + m) for m in range(minutes)),
        )
    ]


_UNREAD = {c.name: None for c in SliceSample.table.columns if c.default is REQUIRED}


def _slice_sample(number: int, minute: int) -> SliceSample:
    told_of = {
        "ts": at(minute + 1),
        "interval_seconds": 60,
        "cluster": CLUSTER,
        "node": "n0",
        "slot": 0,
        "uuid": f"MIG-{number}",
        "gpu_id": GPU.gpu_id,
        "gpu_instance": number,
        "compute_instance": 0,
    }
    return SliceSample(**{**_UNREAD, **told_of})


def on_slice(number: int, alloc_id: int) -> Row:
    given = allocation(GPU, alloc_id, LONG_AGO, share_milli=1000, seen_at=END)
    given.slice = f"MIG-{number}"
    return given


def booked_ms(store: Store) -> dict[int, int]:
    rows = store.select("SELECT alloc_id, sum(gpu_ms) AS ms FROM ledger_1m GROUP BY alloc_id")
    return {r["alloc_id"]: r["ms"] for r in rows}


def test_a_slice_counts_by_its_multiprocessors_and_the_rest_is_told_apart(store: Store) -> None:
    book(store, *slices(7, SEVENTH), on_slice(0, 1), on_slice(3, 2))
    assert told(store, "alloc_id", "slice", "share_milli", "remainder") == [
        (0, 60, 1, "MIG-0", SEVENTH, 0),
        (0, 60, 2, "MIG-3", SEVENTH, 0),
        (0, 60, 0, "", 5 * SEVENTH, 0),
        (0, 60, 0, "", 1000 - 7 * SEVENTH, 1),
    ]


def test_the_parts_of_slices_add_up_to_the_card(store: Store) -> None:
    book(store, *slices(7, SEVENTH), *(on_slice(i, 1 + i) for i in range(7)))
    found = booked_ms(store)
    assert sum(found.values()) == 3_600_000
    assert found[1] == pytest.approx(3_600_000 * SEVENTH / 1000, abs=60)
    assert found[0] == pytest.approx(3_600_000 * (1000 - 7 * SEVENTH) / 1000, abs=60)


def test_slices_whose_size_nobody_knows_leave_no_remainder(store: Store) -> None:
    book(store, *slices(3, 0))
    assert told(store, "remainder", "share_milli") == [(0, 60, 0, 1000)]


def test_a_card_that_is_cut_within_the_hour_has_a_remainder_from_then_on(store: Store) -> None:
    book(store, *slices(7, SEVENTH, first=30, minutes=30))
    assert told(store, "remainder", "share_milli") == [
        (0, 30, 0, 1000),
        (30, 60, 0, 7 * SEVENTH),
        (30, 60, 1, 1000 - 7 * SEVENTH),
    ]


def test_shares_above_a_whole_card_are_scaled_and_counted(store: Store) -> None:
    book(store, *(allocation(GPU, i, LONG_AGO, share_milli=700, seen_at=END) for i in (1, 2)))
    assert told(store, "alloc_id", "share_milli", "whole_milli") == [
        (0, 60, 1, 700, 1400),
        (0, 60, 2, 700, 1400),
    ]
    assert booked_ms(store) == {1: 1_800_000, 2: 1_800_000}


def test_what_the_owner_says_of_a_place_cuts_its_time(store: Store) -> None:
    book(store, place("repair", 10, 20), place("service", 20, 40), place("retired", 40))
    assert told(store, "place_state") == [
        (0, 10, ""),
        (10, 20, "repair"),
        (20, 40, ""),
        (40, 60, "retired"),
    ]


def place(state: str, since: float, until: float | None = None) -> AssetState:
    return AssetState(
        gpu_id=GPU.gpu_id,
        state=state,
        valid_from=at(since),
        valid_to=FOREVER if until is None else at(until),
        version=1,
    )


def test_only_the_scheduler_that_owns_a_node_can_take_it_out(store: Store) -> None:
    owner = NodeOwner(
        cluster=CLUSTER,
        node="n0",
        scheduler="slurm",
        valid_from=LONG_AGO,
        valid_to=at(30),
        version=1,
    )
    book(store, owner, statement("n0", "up", LONG_AGO), cordon(10))
    assert told(store, "node_state") == [(0, 10, "up"), (10, 30, "up"), (30, 60, "drained")]


def cordon(since: float) -> NodeState:
    said = statement("n0", "drained", at(since))
    said.scheduler = "kubernetes"
    return said


@pytest.mark.parametrize(("flags", "reserved"), [("IGNORE_JOBS,MAINT", 1), ("FLEX", 0)])
def test_a_reservation_for_maintenance_is_told_while_it_lasts(
    store: Store, flags: str, reserved: int
) -> None:
    kept = Reservation(
        cluster=CLUSTER,
        reservation="upkeep",
        scheduler="slurm",
        nodes="n7,n0",
        flags=flags,
        valid_from=at(15),
        valid_to=at(25),
        seen_at=START,
        version=1,
    )
    book(store, kept)
    assert (15, 25, reserved) in {(f, t, r) for f, t, r in told(store, "reserved")} or not reserved
    assert sum(t - f for f, t, r in told(store, "reserved") if r) == 10 * reserved


def test_the_word_of_a_scheduler_is_fresh_for_two_periods(store: Store) -> None:
    heard = [run("slurm", at(m)) for m in range(1, 21)]
    failed = [run("slurm", at(m), failures=1) for m in range(30, 40)]
    book(store, statement("n0", "up", LONG_AGO), *heard, *failed)
    assert told(store, "heard") == [(0, 22, 1), (22, 60, 0)]


def test_a_node_without_a_scheduler_hears_of_none(store: Store) -> None:
    book(store, run("slurm", at(1)), run("nvml", at(1), node="n0"))
    assert told(store, "heard") == [(0, 60, 0)]


def test_on_kubernetes_each_node_tells_of_its_own(store: Store) -> None:
    up = statement("n0", "up", LONG_AGO)
    up.scheduler = "kubernetes"
    book(
        store, up, run("pod_resources", at(10), node="n0"), run("pod_resources", at(30), node="n1")
    )
    assert told(store, "heard") == [(0, 9, 0), (9, 12, 1), (12, 60, 0)]


def test_what_placement_says_is_for_parts_that_nobody_holds(store: Store) -> None:
    half = allocation(GPU, 1, at(20), share_milli=500, seen_at=END)
    book(store, half, wish(GPU, at(10), at(30)))
    assert told(store, "alloc_id", "free_state") == [
        (0, 10, 0, ""),
        (10, 20, 0, "free_demand"),
        (20, 30, 1, ""),
        (20, 30, 0, "free_demand"),
        (30, 60, 1, ""),
        (30, 60, 0, ""),
    ]


def test_free_time_knows_when_the_last_job_ended(store: Store) -> None:
    book(store, allocation(GPU, 1, LONG_AGO, at(-2)), allocation(GPU, 2, at(10), at(20)))
    rows = store.select("SELECT vacated FROM v_occupancy ORDER BY valid_from")
    assert [_minute(r["vacated"]) for r in rows] == [-2, -2, 20]


def test_a_stretch_ends_with_its_hour(store: Store) -> None:
    store.insert_rows([GPU])
    Ledger(store).book(Window(START, at(120)), at(120))
    assert told(store, "unheld") == [(0, 60, 1), (60, 120, 1)]


def test_a_gpu_that_is_not_owned_is_held_by_nobody(store: Store) -> None:
    book(store, allocation(asset(5), 1, LONG_AGO))
    found = store.select("SELECT DISTINCT gpu_id FROM v_occupancy")
    assert [r["gpu_id"] for r in found] == [gpu_id(CLUSTER, "n0", 0)]
