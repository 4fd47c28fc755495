"""What is booked again: exactly the hours of which something new is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics.ledger import HOUR, WINDOW_HOURS, Ledger, Window
from gpuledger.catalogue import Asset, Job
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.ledger_world import (
    CLUSTER,
    SILENT,
    START,
    TENS,
    UNNAMED_S,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
    run,
    samples,
    statement,
)

HOURS = 4
GPU = asset(0, since=START)
END = at(60 * HOURS)
SECOND = timedelta(seconds=1)
BUSY, BLIND = Phase(1), Phase(1, active=None, lost=None, util=None, sm=None)
# Minutes 22, 65 and 90 are missing.
TOLD = [
    Phase(22, processes=0),
    Phase(1, grain=SILENT),
    Phase(42, grain=TENS),
    Phase(1, grain=SILENT),
    Phase(24),
    Phase(1, grain=SILENT),
    Phase(149),
]


@pytest.fixture
def booked(store: Store) -> Ledger:
    """A ledger that has booked four hours of one GPU."""
    jobs = [allocation(GPU, 1, at(30), at(200))]
    History(END, [GPU], jobs, telemetry=[Telemetry(GPU, 0, TOLD)]).write(store)
    ledger = Ledger(store)
    catch_up(ledger, END)
    return ledger


def catch_up(ledger: Ledger, now: datetime) -> list[Window]:
    """Book what is dirty, as a tick does; the windows booked."""
    windows = ledger.dirty(now)
    for window in windows:
        ledger.book(window, now)
    return windows


def hour(number: int) -> Window:
    """One hour, counted from START."""
    return Window(START + number * HOUR, START + (number + 1) * HOUR)


def book_of(store: Store, *without: int) -> list[dict[str, Any]]:
    """Every row of the minutes, without those of some hours."""
    rows = store.select("SELECT * FROM ledger_1m ORDER BY ALL")
    return [r for r in rows if (r["minute"] - START) // HOUR not in without]


def test_an_empty_store_has_nothing_to_book(store: Store) -> None:
    assert Ledger(store).dirty(END) == []


def test_everything_since_the_first_gpu_was_owned_is_booked_first(store: Store) -> None:
    store.insert_rows([GPU])
    assert Ledger(store).dirty(at(90.5)) == [Window(START, at(90))]
    assert Ledger(store).dirty(START) == []


def test_a_long_history_is_booked_in_windows_of_a_day(store: Store) -> None:
    store.insert_rows([GPU])
    day = START + WINDOW_HOURS * HOUR
    assert Ledger(store).dirty(day + 2 * HOUR) == [
        Window(START, day),
        Window(day, day + 2 * HOUR),
    ]


def test_what_was_booked_is_clean(booked: Ledger) -> None:
    assert booked.dirty(END) == []


def test_hours_booked_one_by_one_are_clean(store: Store, booked: Ledger) -> None:
    """Regression: the fingerprint of an hour depended on which hours were asked for with it."""
    for number in range(HOURS):
        booked.book(hour(number), END + timedelta(seconds=number))
    assert booked.dirty(END) == []


def test_merging_rows_makes_nothing_dirty(store: Store, booked: Ledger) -> None:
    """Regression: the fingerprint counted rows, and ClickHouse merges them when it likes."""
    store.command("OPTIMIZE TABLE gpu_samples_1m FINAL")
    store.command("OPTIMIZE TABLE allocations FINAL")
    assert booked.dirty(END) == []


def test_the_hour_that_goes_on_is_booked_on_every_tick(booked: Ledger) -> None:
    assert catch_up(booked, END + timedelta(minutes=5, seconds=30)) == [
        Window(END, END + timedelta(minutes=5))
    ]
    assert booked.dirty(END + timedelta(minutes=5)) == []
    assert booked.dirty(END + timedelta(minutes=6)) == [Window(END, END + timedelta(minutes=6))]


LATE: dict[str, tuple[list[Row], set[int]]] = {
    "allocation": ([allocation(GPU, 2, at(88), at(92))], {1}),
    "allocation of two hours": ([allocation(GPU, 2, at(88), at(150))], {1, 2}),
    "allocation near the end of the hour": ([allocation(GPU, 2, at(88), at(115))], {1, 2}),
    "end of an allocation": ([allocation(GPU, 1, at(30), at(150), version=2)], {2, 3}),
    "node state": ([statement("n0", "drained", at(20), at(33))], {0}),
    "telemetry": ([*samples(GPU, 90, [BUSY])], {1}),
    "telemetry without evidence": ([*samples(GPU, 22, [BLIND])], {0}),
    "telemetry near the start of the hour": ([*samples(GPU, 65, [BUSY])], {0, 1}),
}


@pytest.mark.parametrize("what", LATE)
def test_what_comes_late_is_booked_again_and_nothing_else(
    store: Store, booked: Ledger, what: str
) -> None:
    rows, touched = LATE[what]
    before = book_of(store), book_of(store, *touched)
    store.insert_rows(rows)
    windows = catch_up(booked, END + SECOND)
    assert {(h - START) // HOUR for w in windows for h in w.hours()} == touched
    assert book_of(store, *touched) == before[1]
    assert book_of(store) != before[0]
    assert booked.dirty(END + SECOND) == []
    rebooked = book_of(store)
    booked.book(Window(START, END), END + 2 * SECOND)
    assert book_of(store) == rebooked


def test_a_waiting_job_books_its_wait_again_but_not_for_a_new_priority(
    store: Store, booked: Ledger
) -> None:
    """Regression: a scheduler adds age to the priority, and the whole wait was booked again."""
    store.insert_rows([waiting(priority=1)])
    assert catch_up(booked, END + SECOND) == [hour(1)]
    store.insert_rows([waiting(priority=2)])
    assert booked.dirty(END + SECOND) == []


def waiting(priority: int) -> Job:
    """A job that waits for twenty minutes; its version is its priority."""
    return Job(
        job_id="c/9",
        cluster="c",
        user="ana",
        state="running",
        gpus_per_node=1,
        memory_bytes=None,
        priority=priority,
        submitted=at(88),
        eligible=at(88),
        started=at(92),
        seen_at=at(92),
        version=priority,
    )


def ended_job(alloc: int, ended: datetime) -> Job:
    """The job of that allocation, over."""
    return Job(
        job_id=f"{CLUSTER}/{alloc}",
        cluster=CLUSTER,
        user="ana",
        state="completed",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=at(100),
        started=at(100),
        ended=ended,
        seen_at=ended,
        version=1,
    )


def test_late_samples_without_any_reading_are_booked_again(store: Store) -> None:
    """Regression: the hash of a missing sum is missing, so such hours never looked dirty."""
    store.insert_rows([GPU])
    store.insert_rows(samples(GPU, 0, [replace(BLIND, minutes=30)]))
    ledger = Ledger(store)
    catch_up(ledger, at(60))
    store.insert_rows(samples(GPU, 30, [BLIND]))
    assert ledger.dirty(at(60)) == [hour(0)]


def test_what_arrives_while_the_book_is_written_is_booked_next(
    store: Store, booked: Ledger
) -> None:
    """Regression: the hour was signed with rows that came after its cells were computed."""
    arriving: Any = Arriving(store, samples(GPU, 90, [BUSY]))
    Ledger(arriving).book(hour(1), END + SECOND)
    assert booked.dirty(END) == [hour(1)]


class Arriving:
    """A store that gets rows as soon as cells were computed."""

    def __init__(self, store: Store, rows: list[Any]) -> None:
        self._store = store
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        found = self._store.select(sql, **parameters)
        if sql.startswith("INSERT INTO ledger_1m_staging"):
            self._store.insert_rows(self._rows)
        return found


def test_a_job_that_the_scheduler_no_longer_names_is_booked_until_it_was_last_seen(
    store: Store, booked: Ledger
) -> None:
    store.insert_rows([allocation(GPU, 3, at(205), seen_at=at(210))])
    catch_up(booked, END + SECOND)
    store.insert_rows([run("slurm", at(211) + UNNAMED_S * SECOND)])
    assert catch_up(booked, END + 2 * SECOND) == [hour(3)]
    last = max(r["minute"] for r in book_of(store) if r["alloc_id"] == 3)
    assert last == at(209)


def test_an_allocation_that_nobody_closed_ends_with_its_job(store: Store, booked: Ledger) -> None:
    """A dead node's agent, or an epilog that never ran, cannot say so."""
    store.insert_rows([allocation(GPU, 3, at(205), source="hook", seen_at=at(205))])
    store.insert_rows([ended_job(3, at(213))])
    catch_up(booked, END + SECOND)
    last = max(r["minute"] for r in book_of(store) if r["alloc_id"] == 3)
    assert last == at(212)


def test_closed_hours_are_never_booked_again(store: Store, booked: Ledger) -> None:
    """Hour 0 closes when hour 24 is over."""
    now = START + 25 * HOUR
    catch_up(booked, now)
    before = book_of(store, 1)
    store.insert_rows([allocation(GPU, 2, at(5), at(85))])
    assert catch_up(booked, now) == [hour(1)]
    assert book_of(store, 1) == before


def test_an_hour_that_was_booked_in_part_is_completed_however_late(store: Store) -> None:
    """Regression: after an outage of a day, the rest of the hour it began in was never booked."""
    store.insert_rows([GPU])
    ledger = Ledger(store)
    catch_up(ledger, at(30))
    catch_up(ledger, START + 48 * HOUR)
    assert store.value("SELECT sum(gpu_ms) FROM ledger_1m") == 48 * 3_600_000
    assert ledger.dirty(START + 48 * HOUR) == []


def test_a_gpu_retired_later_leaves_the_book(store: Store, booked: Ledger) -> None:
    store.insert_rows([retired(at(90))])
    windows = catch_up(booked, END + SECOND)
    assert windows == [Window(START + HOUR, END)]
    assert max(r["minute"] for r in book_of(store)) == at(89)
    owned = store.select("SELECT hour, owned_ms FROM booked_hours FINAL ORDER BY hour")
    assert [r["owned_ms"] for r in owned] == [3_600_000, 1_800_000, 0, 0]


def retired(until: datetime) -> Asset:
    """The same GPU, owned until then."""
    return asset(0, since=START, until=until, version=2)


def test_a_large_fleet_is_booked_in_shorter_windows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.ledger.WINDOW_GPU_HOURS", 6)
    store.insert_rows([asset(slot, since=START) for slot in range(3)])
    assert Ledger(store).dirty(START + 3 * HOUR) == [
        Window(START, START + 2 * HOUR),
        Window(START + 2 * HOUR, START + 3 * HOUR),
    ]
