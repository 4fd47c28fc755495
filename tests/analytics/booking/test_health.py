"""Whose idleness a sick neighbour explains."""

from __future__ import annotations

import pytest

from analytics.ledger import Ledger
from gpuledger.catalogue import GpuEvent
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, given, gpu, job, node_state, samples, write

BEGAN = 60


@pytest.mark.parametrize(
    ("lost_at", "held", "to_blame"),
    [
        (BEGAN + 30, (0,), True),
        (BEGAN - 10, (0,), True),
        (BEGAN - 20, (0,), False),
        (BEGAN - 20, (0, 1), True),
    ],
    ids=["amid the job", "just before it", "long before it", "of the job's own"],
)
def test_a_neighbour_lost_long_before_a_job_began_holds_up_nothing(
    store: Store, lost_at: int, held: tuple[int, ...], to_blame: bool
) -> None:
    write(
        store,
        [
            *(asset(slot) for slot in (0, 1)),
            node_state(gpus=2),
            *samples(0, 0, BEGAN, active=0.0, processes=0),
            *samples(0, BEGAN, 60, active=0.0),
            job("1", started=at(BEGAN)),
            *(given("1", slot, since=at(BEGAN)) for slot in held),
            GpuEvent(
                ts=at(lost_at), cluster=CLUSTER, node="n0", slot=1, gpu_id=gpu(1), kind="lost"
            ),
        ],
    )
    ledger = Ledger(store)
    for window in ledger.dirty(at(120)):
        ledger.book(window, at(120))
    flags = store.select(
        "SELECT DISTINCT flags FROM ledger_1m WHERE state = 'alloc_idle' AND gpu_id = {gpu:UInt64}"
        " AND minute >= {since:DateTime64(3, 'UTC')}",
        gpu=gpu(0),
        since=at(BEGAN + 31),
    )
    assert flags == [{"flags": "peer_fault" if to_blame else ""}]
