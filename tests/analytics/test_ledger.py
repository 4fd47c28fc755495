"""The book against a slow oracle, on generated histories, and on histories that once broke it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import Phase as Stage

from analytics.ledger import HOUR, Ledger, Window
from gpuledger.catalogue import Allocation
from gpuledger.store import Store
from tests.analytics import ledger_oracle as oracle
from tests.analytics import ledger_world
from tests.analytics.ledger_histories import histories
from tests.analytics.ledger_world import (
    LONG_AGO,
    START,
    TWICE,
    UNNAMED_S,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
    run,
    statement,
    wipe,
    wish,
)

# An example is a whole history: shrinking one takes minutes, its cells say enough.
GENERATED = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Stage.explicit, Stage.generate),
    suppress_health_check=list(HealthCheck),
)
FEWER = settings(GENERATED, max_examples=3)
# A part of a share is rounded to a millisecond at every boundary within its minute.
ROUNDING_MS = 2
LATER = at(10_000)
SECOND = timedelta(seconds=1)


def cells(store: Store) -> dict[oracle.Key, int]:
    """Booked milliseconds by (GPU, minute, allocation, label as the oracle has it)."""
    found = store.select(
        "SELECT gpu_id, minute, alloc_id, concat(state, if(cause = '', '', concat(':', cause)),"
        " if(flags = '', '', concat('+', flags))) AS label, sum(gpu_ms) AS ms FROM ledger_1m"
        " GROUP BY gpu_id, minute, alloc_id, label"
    )
    return {(r["gpu_id"], r["minute"], r["alloc_id"], r["label"]): r["ms"] for r in found}


def rows(store: Store, table: str = "ledger_1m") -> list[dict[str, Any]]:
    """Every row, with every column."""
    return store.select(f"SELECT * FROM {table} ORDER BY ALL")


def book(store: Store, history: History, since: datetime = START) -> None:
    """Replace what the store holds by this history, and book it as one window."""
    wipe(store)
    history.write(store)
    Ledger(store).book(Window(since, history.until), LATER)


def difference(got: dict[oracle.Key, int], want: dict[oracle.Key, float]) -> list[str]:
    """Cells that differ by more than rounding, in words."""
    return [
        f"GPU {key[0]} {key[1]:%H:%M} allocation {key[2]} {key[3]}:"
        f" booked {got.get(key, 0)} ms, oracle {want.get(key, 0)} ms"
        for key in sorted(got.keys() | want.keys())
        if abs(got.get(key, 0) - want.get(key, 0)) > ROUNDING_MS
    ]


def owned_ms(history: History) -> int:
    """GPU-milliseconds owned between START and the end."""
    spans = ((max(a.valid_from, START), min(a.valid_to, history.until)) for a in history.assets)
    return sum(max(0, round((t - f).total_seconds() * 1000)) for f, t in spans)


@GENERATED
@given(history=histories())
def test_the_book_equals_the_oracle_and_closes(store: Store, history: History) -> None:
    book(store, history)
    assert difference(cells(store), oracle.book(history)) == []
    assert sum(cells(store).values()) == owned_ms(history)
    assert rows(store, "ledger_1h") == hours_of_minutes(store)


def hours_of_minutes(store: Store) -> list[dict[str, Any]]:
    """What the hours must say: their minutes added up."""
    return store.select(
        "SELECT cluster, node, gpu_id, toStartOfHour(minute) AS hour, alloc_id, state, flags,"
        " cause, grade, sum(gpu_ms) AS gpu_ms, sum(energy_mj) AS energy_mj FROM ledger_1m"
        " GROUP BY cluster, node, gpu_id, hour, alloc_id, state, flags, cause, grade ORDER BY ALL"
    )


@FEWER
@given(history=histories())
def test_booking_twice_gives_identical_rows(store: Store, history: History) -> None:
    book(store, history)
    first = rows(store), rows(store, "ledger_1h")
    Ledger(store).book(Window(START, history.until), LATER)
    assert (rows(store), rows(store, "ledger_1h")) == first


@FEWER
@given(history=histories())
def test_booking_hour_by_hour_equals_booking_at_once(store: Store, history: History) -> None:
    assume(history.until > at(60))
    book(store, history)
    at_once = rows(store), rows(store, "ledger_1h")
    hour_by_hour(store, history)
    assert (rows(store), rows(store, "ledger_1h")) == at_once


def hour_by_hour(store: Store, history: History) -> None:
    """Book every hour of the history as a window of its own."""
    for hour in Window(START, history.until).hours():
        Ledger(store).book(Window(hour, min(hour + HOUR, history.until)), LATER)


GPU = asset(0)
BUSY = Phase(1)
LOW = Phase(1, sm=0.1, util=0.1, power=100.0)
IDLE = Phase(1, active=0.0, sm=0.0, util=0.0, power=100.0)
EMPTY = replace(IDLE, processes=0)
SILENT = replace(IDLE, grain=ledger_world.SILENT)
BLIND = replace(BUSY, active=None, sm=None, util=None)
LOST = replace(EMPTY, active=None, sm=None, util=None, lost=0.5)
ONLY_UTIL = replace(LOW, sm=None, power=None)
WITH_POWER = replace(LOW, sm=None, power=280.0)


def story(*phases: tuple[Phase, int], until: int = 60) -> History:
    """One GPU that tells these phases, each so many minutes long, from START on."""
    told = [replace(phase, minutes=length) for phase, length in phases]
    return History(at(until), [GPU], telemetry=[Telemetry(GPU, 0, told)])


def held(history: History, *allocations: Allocation) -> History:
    """The same with allocations; without any, one that has lasted for long and does not end."""
    return replace(history, allocations=list(allocations or [allocation(GPU, 1, LONG_AGO)]))


def states(store: Store, lane: int = 1) -> list[str]:
    """The states of an allocation of one GPU in order, each with its minutes: `3 alloc_idle`."""
    booked = sorted((minute, state) for _, minute, alloc, state in cells(store) if alloc == lane)
    runs = groupby(booked, key=lambda b: b[1])
    return [f"{len(list(run))} {state}" for state, run in runs]


# Story -> what is booked for a GPU that one job holds all the time.
HELD = {
    "idle holds for every minute it rests on": (
        ((BUSY, 10), (IDLE, 5), (BUSY, 45)),
        ["10 productive", "5 alloc_idle", "45 productive"],
    ),
    "four quiet minutes are not idle": (((BUSY, 10), (IDLE, 4), (BUSY, 46)), ["60 productive"]),
    "idleness does not bridge a gap": (
        ((BUSY, 10), (IDLE, 3), (SILENT, 1), (IDLE, 3), (BUSY, 43)),
        ["13 productive", "1 alloc_unknown", "46 productive"],
    ),
    "nobody saw it": (((BUSY, 10), (SILENT, 50)), ["10 productive", "50 alloc_unknown"]),
    "rows without evidence prove nothing": (
        ((BUSY, 10), (BLIND, 50)),
        ["10 productive", "50 alloc_unknown"],
    ),
    "tear-down lasts two minutes after the last process": (
        ((BUSY, 10), (EMPTY, 50)),
        ["10 productive", "2 startup_teardown", "48 alloc_idle"],
    ),
    "low use holds for all fifteen minutes": (
        ((IDLE, 10), (LOW, 15), (IDLE, 35)),
        ["10 alloc_idle", "15 underused", "35 alloc_idle"],
    ),
    "fourteen low minutes between idle ones are not enough": (
        ((IDLE, 10), (LOW, 14), (IDLE, 36)),
        ["10 alloc_idle", "14 productive", "36 alloc_idle"],
    ),
    "low use needs low power where power is known": (
        ((WITH_POWER, 30), (replace(WITH_POWER, power=100.0), 30)),
        ["16 productive", "44 underused"],
    ),
    # Regression: one minute of profiling counters decided for the fourteen without them.
    "low use is judged by the evidence that all its minutes share": (
        ((ONLY_UTIL, 14), (replace(BUSY, util=0.1), 1), (ONLY_UTIL, 45)),
        ["60 underused"],
    ),
    "a device lost for half of the minute is at fault": (
        ((BUSY, 10), (LOST, 10), (BUSY, 40)),
        ["10 productive", "10 fault:device_lost", "40 productive"],
    ),
    "a minute told twice is no more active than one told once": (
        ((BUSY, 10), (replace(IDLE, grain=TWICE, active=0.04), 50)),
        ["10 productive", "50 alloc_idle"],
    ),
    "a minute told twice is no more lost than one told once": (
        ((replace(EMPTY, grain=TWICE, lost=0.4), 60),),
        ["60 alloc_idle"],
    ),
    "a lost device that works is not": (
        ((replace(BUSY, lost=1.0), 60),),
        ["60 productive+degraded"],
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_held(store: Store, name: str) -> None:
    phases, want = HELD[name]
    history = held(story(*phases))
    book(store, history)
    assert states(store) == want
    assert difference(cells(store), oracle.book(history)) == []


def test_startup_ends_with_the_first_activity(store: Store) -> None:
    history = held(story((IDLE, 8), (BUSY, 52)), allocation(GPU, 1, at(2.5)))
    book(store, history)
    assert states(store) == ["6 startup_teardown", "52 productive"]
    assert difference(cells(store), oracle.book(history)) == []


def test_startup_lasts_ten_minutes_at_most(store: Store) -> None:
    history = held(story((IDLE, 60)), allocation(GPU, 1, at(2.5)))
    book(store, history)
    assert states(store) == ["11 startup_teardown", "47 alloc_idle"]
    assert difference(cells(store), oracle.book(history)) == []


def test_startup_of_a_job_begins_after_the_minute_it_shares_with_the_job_before(
    store: Store,
) -> None:
    """Regression: the last seconds of one job were the first work of the next."""
    jobs = [allocation(GPU, 1, LONG_AGO, at(30 + 20 / 60)), allocation(GPU, 2, at(30.5))]
    history = held(story((BUSY, 31), (IDLE, 8), (BUSY, 21)), *jobs)
    book(store, history)
    assert states(store, lane=2) == ["9 startup_teardown", "21 productive"]
    assert difference(cells(store), oracle.book(history)) == []


def test_work_in_the_first_minute_ends_startup_where_the_job_begins_with_it(store: Store) -> None:
    jobs = [allocation(GPU, 1, LONG_AGO, at(30)), allocation(GPU, 2, at(30))]
    history = held(story((BUSY, 31), (IDLE, 8), (BUSY, 21)), *jobs)
    book(store, history)
    assert states(store, lane=2) == ["1 productive", "8 alloc_idle", "21 productive"]
    assert difference(cells(store), oracle.book(history)) == []


def test_a_process_that_stays_without_allocation_is_unattributed_from_its_first_minute(
    store: Store,
) -> None:
    history = story((EMPTY, 10), (BUSY, 3), (EMPTY, 10), (BUSY, 2), (EMPTY, 35))
    book(store, history)
    assert states(store, lane=0) == ["10 free_surplus", "3 unattributed", "47 free_surplus"]
    assert difference(cells(store), oracle.book(history)) == []


def test_the_rest_of_a_shared_gpu_is_free_although_its_holder_works(store: Store) -> None:
    """Regression: the process of one share made the other shares unattributed."""
    history = held(story((BUSY, 60)), allocation(GPU, 1, at(10), at(40), share_milli=500))
    book(store, history)
    assert states(store, lane=0) == [
        *("10 unattributed", "30 free_surplus"),
        *("5 unattributed+leaked", "15 unattributed"),
    ]
    assert difference(cells(store), oracle.book(history)) == []


def test_seventeen_jobs_on_one_gpu_close(store: Store) -> None:
    """Regression: parts rounded one by one missed the owned time by more than the tolerance."""
    history = held(story((BUSY, 60)), *[allocation(GPU, 1 + i, LONG_AGO) for i in range(17)])
    book(store, history)
    assert sum(cells(store).values()) == owned_ms(history)
    assert difference(cells(store), oracle.book(history)) == []


def test_low_use_across_the_hour_does_not_depend_on_the_window(store: Store) -> None:
    """Regression: the window of 10:00 saw 11:13 but not that it was idle, and took it for low."""
    phases = ((IDLE, 59), (LOW, 14), (replace(IDLE, sm=0.1), 5), (BUSY, 42))
    history = held(story(*phases, until=120))
    book(store, history)
    at_once = rows(store)
    assert states(store) == ["59 alloc_idle", "14 productive", "5 alloc_idle", "42 productive"]
    hour_by_hour(store, history)
    assert rows(store) == at_once


def test_the_latest_statement_about_a_node_holds_until_it_ends(store: Store) -> None:
    said = [
        statement("n0", "down", at(10)),
        statement("n0", "drained", at(20.5), at(30)),
        statement("n0", "up", at(40)),
    ]
    history = replace(story((EMPTY, 60)), node_states=said)
    book(store, history)
    want = [
        *("10 free_surplus", "11 fault:node_down", "10 maintenance", "10 fault:node_down"),
        "20 free_surplus",
    ]
    # 10:20 is split in two cells, and the states of one minute come in order of their names.
    assert states(store, lane=0) == want
    assert difference(cells(store), oracle.book(history)) == []


def test_a_node_that_is_drained_or_down_keeps_its_working_job(store: Store) -> None:
    said = [statement("n0", "drained", at(10), at(20)), statement("n0", "down", at(30))]
    history = replace(held(story((BUSY, 50), (EMPTY, 10))), node_states=said)
    book(store, history)
    assert states(store) == ["50 productive", "10 fault:node_down"]


def test_an_allocation_that_the_last_good_snapshot_omits_ended_when_last_seen(
    store: Store,
) -> None:
    gone, grace = allocation(GPU, 1, LONG_AGO, seen_at=at(20)), UNNAMED_S * SECOND
    history = replace(held(story((EMPTY, 60)), gone), runs=[run("slurm", at(20) + grace + SECOND)])
    book(store, history)
    assert states(store, lane=0) == ["40 free_surplus"]
    history = replace(
        history, runs=[run("slurm", at(20) + grace), run("slurm", at(59), failures=1)]
    )
    book(store, history)
    assert states(store, lane=0) == []


@pytest.mark.parametrize("reader", ["nvml", "pod_resources", "dcgm-exporter"])
def test_an_allocation_told_by_a_node_ends_only_where_that_node_omits_it(
    store: Store, reader: str
) -> None:
    source = {"nvml": "process", "pod_resources": "kubernetes"}.get(reader, reader)
    gone = allocation(GPU, 1, LONG_AGO, source=source, seen_at=at(20))
    later = at(20) + UNNAMED_S * SECOND + SECOND
    told = held(story((EMPTY, 60)), gone)
    book(store, replace(told, runs=[run(reader, later, node="n1")]))
    assert states(store, lane=0) == []
    book(store, replace(told, runs=[run(reader, later, node="n0")]))
    assert states(store, lane=0) == ["40 free_surplus"]


def test_waiting_work_makes_free_time_demanded_to_the_second(store: Store) -> None:
    history = replace(story((EMPTY, 60)), free_states=[wish(GPU, at(10), at(20.5))])
    book(store, history)
    demanded = {k[1]: ms for k, ms in cells(store).items() if k[3] == "free_demand"}
    assert demanded == {at(m): 60_000 for m in range(10, 20)} | {at(20): 30_000}


def test_a_gpu_is_owned_from_and_until(store: Store) -> None:
    bought, sold = asset(0, since=at(10)), asset(1, until=at(20))
    history = History(at(60), [bought, sold])
    book(store, history)
    booked = {gpu: sorted(k[1] for k in cells(store) if k[0] == gpu) for gpu in owners(history)}
    assert booked[bought.gpu_id] == [at(m) for m in range(10, 60)]
    assert booked[sold.gpu_id] == [at(m) for m in range(20)]


def owners(history: History) -> list[int]:
    """The ids of its GPUs."""
    return [a.gpu_id for a in history.assets]


def test_energy_and_intensity_follow_the_time_booked(store: Store) -> None:
    history = held(story((replace(BUSY, sm=0.5, power=600.0), 60)))
    history = held(history, allocation(GPU, 1, LONG_AGO, at(0.5)))
    book(store, history)
    first = next(r for r in rows(store) if r["alloc_id"] == 1)
    assert (first["gpu_ms"], first["energy_mj"], first["intensity_bp"]) == (
        30_000,
        18_000_000,
        5_000,
    )
