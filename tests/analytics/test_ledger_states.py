"""One story for each state, flag and cause that takes more than samples and allocations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.ledger import Ledger, Window
from gpuledger.catalogue import SliceSample
from gpuledger.schema import REQUIRED
from gpuledger.states import LedgerSettings
from gpuledger.store import Store
from tests.analytics import ledger_oracle as oracle
from tests.analytics.ledger_learned import check, floor, service, startup, stat
from tests.analytics.ledger_world import (
    CLUSTER,
    LONG_AGO,
    START,
    History,
    allocation,
    at,
    event,
    health,
    job,
    run,
    standing,
    statement,
    upkeep,
)
from tests.analytics.test_ledger import (
    BUSY,
    EMPTY,
    GPU,
    IDLE,
    SILENT,
    book,
    cells,
    difference,
    held,
    states,
    story,
)

JOB = allocation(GPU, 1, LONG_AGO)
HUNG = replace(BUSY, util=0.99, sm=0.3, tensor=0.0, dram=0.0, power=150.0, pcie=1000.0)
WORKING = replace(BUSY, tensor=0.4, dram=0.3, pcie=9e7)
KNOWN = [statement("n0", "up", LONG_AGO)]
SNAPSHOTS = [run("slurm", at(minute)) for minute in range(61)]


def told(history: History, **more: Any) -> History:
    """The same history, of which more is known."""
    return replace(history, **more)


def changed(row: Any, **values: Any) -> Any:
    """A row with other values."""
    return type(row)(**{**vars(row), **values})


def working(*phases: Any) -> History:
    """A GPU that one job holds all the time."""
    return held(story(*phases), JOB)


# What happens -> what is booked for the job (or for nobody, where there is none).
STORIES: dict[str, tuple[History, list[str]]] = {
    "delivered, not in service": (
        told(story((EMPTY, 60)), standings=[standing(GPU, "delivered", LONG_AGO, at(20))]),
        ["20 off_ledger", "40 free_surplus"],
    ),
    "in repair": (
        told(story((SILENT, 60)), standings=[standing(GPU, "repair", at(20))]),
        ["20 unalloc_unknown", "40 fault:repair"],
    ),
    "powered down and silent": (
        told(story((SILENT, 60)), standings=[standing(GPU, "powered_down", at(20))]),
        ["20 unalloc_unknown", "40 free_surplus+powered_down"],
    ),
    "an XID that asks for a reset, until the driver asks for nothing": (
        told(
            story((EMPTY, 60)),
            events=[event(GPU, at(10.5), "xid", "reset GPU", 119)],
            health=[health(GPU, 30, recovery_action=0)],
        ),
        ["10 free_surplus", "20 fault:xid", "30 free_surplus"],
    ),
    "an application's XID": (
        told(story((EMPTY, 60)), events=[event(GPU, at(10), "xid", code=13)]),
        ["60 free_surplus"],
    ),
    "a sick GPU that works": (
        told(
            working((BUSY, 30), (IDLE, 30)),
            events=[event(GPU, at(10), "xid", "reset GPU", 48), event(GPU, at(50), "recovered")],
        ),
        ["10 productive", "20 productive+degraded", "20 fault:ecc", "10 alloc_idle:peer_fault"],
    ),
    "a link that is down": (
        told(
            story((EMPTY, 60)),
            health=[health(GPU, m, nvlinks=18, nvlinks_up=17) for m in range(5)]
            + [health(GPU, 5, nvlinks=18, nvlinks_up=18)],
        ),
        ["5 fault:nvlink", "55 free_surplus"],
    ),
    "reserved for upkeep": (
        told(story((EMPTY, 60)), upkeep=[upkeep("n0", at(10), at(30))]),
        ["10 free_surplus", "20 maintenance", "30 free_surplus"],
    ),
    "a process that the scheduler does not know": (
        told(story((EMPTY, 10), (BUSY, 50)), node_states=KNOWN, runs=SNAPSHOTS),
        ["10 free_surplus", "50 rogue"],
    ),
    "a process while the scheduler is silent": (
        told(story((EMPTY, 10), (BUSY, 50)), node_states=KNOWN, runs=SNAPSHOTS[:30]),
        ["10 free_surplus", "21 rogue", "29 unattributed"],
    ),
    "a health check": (
        told(
            story((EMPTY, 10), (BUSY, 10), (EMPTY, 40)),
            node_states=KNOWN,
            runs=SNAPSHOTS,
            processes=[check(GPU, at(20), "dcgm", 7, 600)],
        ),
        ["60 free_surplus"],
    ),
    "a hang after work": (
        working((WORKING, 20), (HUNG, 20), (WORKING, 20)),
        ["20 productive", "20 stalled", "20 productive"],
    ),
    "nine minutes of it": (
        working((WORKING, 30), (HUNG, 9), (WORKING, 21)),
        ["60 productive"],
    ),
    "a hang of which no work is known": (working((HUNG, 60)), ["60 productive"]),
    "a hang after work that was learned": (
        told(working((HUNG, 60)), stats=[stat(JOB, LONG_AGO, 0.8)]),
        ["60 stalled"],
    ),
    "a light load that moves data": (
        working((WORKING, 20), (replace(HUNG, pcie=9e7), 40)),
        ["60 productive"],
    ),
    "a hang after a peer died": (
        told(
            working((WORKING, 20), (HUNG, 24), (WORKING, 16)),
            node_states=[*KNOWN, statement("n0", "down", at(20), at(25))],
        ),
        [
            *("20 productive", "20 stalled:peer_fault+peer_fault", "4 stalled"),
            "16 productive",
        ],
    ),
    "idle, but it draws power": (
        told(working((replace(IDLE, power=300.0), 60)), floors=[floor(GPU, 100.0)]),
        ["60 underused"],
    ),
    "idle at its floor, with memory taken": (
        told(working((replace(IDLE, memory=0.5), 60)), floors=[floor(GPU, 100.0)]),
        ["60 alloc_idle+mem_held"],
    ),
    "a replica that waits": (
        told(working((IDLE, 60)), jobs=[job(JOB, "serve-7b")], services=[service()]),
        ["60 alloc_idle+serving_warm"],
    ),
    "hot": (
        working((replace(BUSY, hot=0.6), 60)),
        ["1 productive", "59 throttled"],  # of the first minute one reading alone tells
    ),
    "warm": (working((replace(BUSY, hot=0.4), 60)), ["60 productive"]),
    "a job that takes as long to start as others do": (
        told(
            held(story((IDLE, 40), (BUSY, 20)), allocation(GPU, 1, at(10))),
            jobs=[job(allocation(GPU, 1, at(10)))],
            startups=[startup(1200.0)],
        ),
        ["20 startup_teardown", "10 alloc_idle", "20 productive"],
    ),
    "new processes take time to start, too": (
        working((BUSY, 10), (EMPTY, 20), (IDLE, 30)),
        [
            *("10 productive", "2 startup_teardown", "18 alloc_idle", "10 startup_teardown"),
            "20 alloc_idle",
        ],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story(store: Store, name: str) -> None:
    history, want = STORIES[name]
    book(store, history)
    got = states(store, lane=1 if history.allocations else 0)
    assert got == [w if "alloc_idle:" not in w else f"{w}+peer_fault" for w in want]
    assert difference(cells(store), oracle.book(history)) == []


def test_a_process_left_over_from_a_job_is_its_leak_and_then_rogue(store: Store) -> None:
    history = told(
        held(story((BUSY, 60)), allocation(GPU, 1, LONG_AGO, at(20))),
        node_states=KNOWN,
        runs=SNAPSHOTS,
    )
    book(store, history)
    assert states(store, lane=0) == ["5 unattributed+leaked", "35 rogue"]


def test_a_pool_is_judged_by_its_own_thresholds(store: Store) -> None:
    settings = LedgerSettings(pools={"lab": {"idle_after_min": 8, "low_ratio": 0.01}})
    told = held(story((BUSY, 20), (IDLE, 7), (BUSY, 33)), JOB)
    for pool, want in (
        ("lab", ["60 productive"]),
        ("", ["20 productive", "7 alloc_idle", "33 productive"]),
    ):
        book(store, replace(told, assets=[changed(GPU, pool=pool)]))
        Ledger(store, settings).book(Window(START, at(60)), at(10_000))
        assert states(store) == want


UNREAD = {c.name: None for c in SliceSample.table.columns if c.default is REQUIRED}


def slice_rows(uuid: str, sm: float) -> list[SliceSample]:
    """An hour of one MIG slice."""
    told: dict[str, Any] = {
        "cluster": CLUSTER,
        "node": "n0",
        "slot": 0,
        "uuid": uuid,
        "gpu_id": GPU.gpu_id,
    }
    own = {"gpu_instance": 1, "compute_instance": 0, "interval_seconds": 60, "processes": 1}
    active = {"sm_active_ratio": sm, "active_seconds": 60.0 if sm else 0.0}
    return [
        SliceSample(**{**UNREAD, **told, **own, **active, "ts": at(minute + 1)})
        for minute in range(-30, 90)
    ]


def test_a_slice_is_judged_by_what_it_tells_itself(store: Store) -> None:
    """The card cannot tell which of its slices works."""
    jobs = [
        changed(allocation(GPU, 1 + i, LONG_AGO, share_milli=500), slice=f"MIG-{i}")
        for i in range(2)
    ]
    card = replace(BUSY, util=None, sm=None, active=None)
    history = held(story((card, 60)), *jobs)
    history.write(store)
    store.insert_rows([*slice_rows("MIG-0", 0.0), *slice_rows("MIG-1", 0.8)])
    Ledger(store).book(Window(START, at(60)), at(10_000))
    assert states(store, lane=1) == ["60 alloc_idle"]
    assert states(store, lane=2) == ["60 productive"]
