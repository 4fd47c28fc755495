"""Goodput by a job's own word, and lost work as pairs in the closed book."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics import book, goodput
from analytics.goodput import Goodput
from analytics.ledger import Ledger
from analytics.runner import Runner
from gpuledger.catalogue import Job, ProgressSample
from gpuledger.config import Config
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.ledger_world import (
    CLUSTER,
    START,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
)

GPU, OTHER = asset(0, since=START), asset(1, since=START)
END, ENDED = at(120), at(100)
NOW = END + timedelta(hours=30)
CLOSED = NOW - timedelta(hours=24)


def job(native: str, state: str = "completed", ended: datetime = ENDED) -> Job:
    """A job that ran from START on."""
    return Job(
        job_id=f"{CLUSTER}/{native}",
        cluster=CLUSTER,
        user="ada",
        state=state,
        gpus_per_node=1,
        memory_bytes=None,
        submitted=START,
        started=START,
        ended=ended,
        seen_at=ended,
        version=1,
    )


def told(minute: float, **values: Any) -> ProgressSample:
    """A report of process 7, of Slurm's job 1 unless told otherwise; times in minutes."""
    who = {"pid": 7, "session": 7, "user": "ada", "runtime": "slurm", "container": "1"}
    times = {
        f"{name}_seconds": 60.0 * values.pop(name)
        for name in ("step", "data_wait", "checkpoint")
        if name in values
    }
    known: dict[str, Any] = {"steps": 0, "refused": 0, **who, **times, **values}
    return ProgressSample.known(
        ts=at(minute), interval_seconds=10, cluster=CLUSTER, **{"node": "n0", **known}
    )


def found(store: Store, native: str = "1", now: datetime = NOW) -> Goodput:
    (one,) = goodput.of_jobs(store, [f"{CLUSTER}/{native}"], now)
    return one


def test_goodput_and_shares_are_parts_of_the_wall_time(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows([allocation(GPU, 1, START, at(100)), allocation(OTHER, 11, START, at(100))])
    store.insert_rows(
        [
            told(10, step=5, data_wait=3, checkpoint=1, steps=50),
            told(100, step=60, data_wait=25, checkpoint=5, steps=600, last_step=1600),
        ]
    )
    one = found(store)
    assert (one.goodput_ratio, one.data_wait_ratio, one.checkpoint_ratio) == (0.6, 0.25, 0.05)
    assert (one.ranks, one.steps, one.last_step, one.gpus) == (1, 600, 1600, 1.0)
    assert (one.state, one.ended, one.last_checkpoint, one.lost) == (
        "completed",
        at(100),
        None,
        None,
    )


def test_ranks_share_the_wall_time_and_a_rank_that_was_started_again_is_one(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows(
        [
            told(100, rank="0", pid=7, step=80, steps=800),
            told(40, rank="1", pid=8, step=30, steps=300),
            told(100, rank="1", pid=9, step=50, steps=500, node="n1"),
        ]
    )
    one = found(store)
    assert (one.ranks, one.steps) == (2, 800)
    assert one.goodput_ratio == pytest.approx(0.8)


def test_processes_without_a_rank_are_one_each(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows([told(100, pid=7, step=80), told(100, pid=8, step=40)])
    assert found(store).ranks == 2
    assert found(store).goodput_ratio == pytest.approx(0.6)


def test_what_a_process_id_counted_before_the_run_is_not_the_runs(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows([told(-5, step=300, steps=9), told(100, step=350, steps=12)])
    assert found(store).goodput_ratio == pytest.approx(0.5)
    assert found(store).steps == 3


def test_a_running_job_is_judged_until_now(store: Store) -> None:
    store.insert_rows([job("1", "running", FOREVER)])
    store.insert_rows([told(20, step=10), told(40, step=30)])
    one = found(store, now=at(40))
    assert (one.goodput_ratio, one.ended) == (0.75, None)


def test_what_nobody_told_is_missing(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows([told(100)])
    one = found(store)
    assert (one.goodput_ratio, one.data_wait_ratio, one.checkpoint_ratio) == (None, None, None)


def test_a_job_that_reports_nothing_has_no_goodput(store: Store) -> None:
    store.insert_rows([job("1"), job("2")])
    store.insert_rows([told(100, steps=None, refused=3)])
    assert goodput.of_jobs(store, [f"{CLUSTER}/1", f"{CLUSTER}/2"], NOW) == []


def test_nobody_has_goodput_of_more_than_all_of_its_time(store: Store) -> None:
    store.insert_rows([job("1")])
    store.insert_rows([told(100, step=1e6)])
    assert found(store).goodput_ratio == 1


CONTAINER = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("native", "who"),
    [
        ("1", {}),
        (
            "team/trainer-0@01234567",
            {"runtime": "kubernetes", "container": "01234567-89ab-cdef-0123-456789abcdef"},
        ),
        ("n0.docker:0123456789ab@1741", {"runtime": "docker", "container": CONTAINER}),
        ("n0.7@1741", {"runtime": "", "container": ""}),
    ],
)
def test_a_process_belongs_to_the_job_of_its_group(
    store: Store, native: str, who: dict[str, str]
) -> None:
    store.insert_rows([job(native), job("77"), job("team/trainer-1@76543210"), job("n1.7@1741")])
    store.insert_rows([told(100, step=50, **who)])
    assert found(store, native).goodput_ratio == 0.5
    others = ["77", "team/trainer-1@76543210", "n1.7@1741"]
    assert goodput.of_jobs(store, [f"{CLUSTER}/{o}" for o in others], NOW) == []


def lost(state: str = "failed", **values: Any) -> Goodput:
    known: dict[str, Any] = {
        "job_id": "c/1",
        "state": state,
        "started": START,
        "ended": at(100),
        "gpus": 8.0,
        "ranks": 8,
        "steps": 5,
        "last_step": 5,
        "goodput_ratio": 0.5,
        "data_wait_ratio": 0.1,
        "checkpoint_ratio": 0.1,
        "last_checkpoint": at(70),
    }
    return Goodput(**{**known, **values})


def test_a_failed_job_lost_the_time_since_its_last_checkpoint_on_all_its_gpus() -> None:
    assert lost().lost == (at(70), at(100))
    assert lost().lost_gpu_seconds == 8 * 30 * 60


@pytest.mark.parametrize(
    "values",
    [
        {"state": "completed"},
        {"state": "cancelled"},
        {"last_checkpoint": None},
        {"last_checkpoint": at(100)},
        {"state": "running", "ended": None},
    ],
)
def test_nothing_is_lost_where_nobody_can_say_so(values: dict[str, Any]) -> None:
    assert lost(**values).lost is None
    assert lost(**values).lost_gpu_seconds is None


@pytest.fixture
def failed(store: Store) -> Store:
    """Job 1 failed at minute 70 of a closed book; it had saved at minute 40."""
    store.insert_rows([job("1", "failed", at(70))])
    store.insert_rows([allocation(GPU, 1, START, at(70))])
    store.insert_rows([told(69, step=60, checkpoints=1, last_checkpoint=at(40))])
    return store


def lost_hours(store: Store) -> float | None:
    rows = store.select(
        "SELECT sum(if(reverses = 1, 0, gpu_seconds)) / 3600 AS h FROM v_ledger_adjust"
        " WHERE cause = 'lost_work'"
    )
    hours: float | None = rows[0]["h"]
    return hours


def test_lost_work_of_closed_hours_is_told_to_the_book_once(failed: Store) -> None:
    History(END, [GPU], telemetry=[Telemetry(GPU, 0, [Phase(60)])]).write(failed)
    ledger = Ledger(failed)
    for window in ledger.dirty(END):
        ledger.book(window, END)
    Runner(failed, Config())._restate(NOW)
    assert lost_hours(failed) == pytest.approx(20 / 60)
    assert [g.job_id for g in goodput.tell_lost_work(failed, CLOSED, NOW)] == [f"{CLUSTER}/1"]
    assert lost_hours(failed) == pytest.approx(20 / 60)
    rows = book.ledger(failed, book.Span(START, END), ["cause"], restated=True)
    assert {r["cause"]: r["gpu_hours"] for r in rows}["lost_work"] == pytest.approx(20 / 60)


def test_lost_work_waits_until_its_last_hour_is_closed(failed: Store) -> None:
    assert goodput.tell_lost_work(failed, at(75), NOW) == []
    assert failed.value("SELECT count() FROM ledger_adjust") == 0


def test_who_saved_at_the_end_lost_nothing(failed: Store) -> None:
    failed.insert_rows([told(69.9, step=60, checkpoints=2, last_checkpoint=at(70))])
    assert goodput.tell_lost_work(failed, CLOSED, NOW) == []


def test_a_checkpoint_of_the_run_before_is_none_of_this_one(store: Store) -> None:
    store.insert_rows([job("1", "failed")])
    store.insert_rows([told(50, step=9, last_checkpoint=at(-90))])
    assert found(store).last_checkpoint is None
