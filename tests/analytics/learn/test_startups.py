"""Start-up times: what 95 % of a class's jobs stay under."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analytics.learn import startups
from analytics.learn.settings import LearnSettings
from gpuledger.catalogue import Job, JobStat
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics import world

SETTINGS = LearnSettings(startup_jobs=5)


def run(native: str, seconds: float, *, gpus: int = 1, kind: str = "batch") -> list[Row]:
    """A job whose GPUs became active that long after it began, the last of them never."""
    job = world.job(native, gpus=gpus, started=world.at(0))
    job.kind = kind
    return [job, *(_stat(job, slot, seconds - 60) for slot in range(max(1, gpus - 1)))]


def _stat(job: Job, slot: int, seconds: float) -> JobStat:
    return JobStat.known(
        job_id=job.job_id,
        gpu_id=world.gpu(slot),
        first_active=world.START + timedelta(seconds=seconds),
        busiest=world.START,
        active_minutes=1,
        upto=world.START,
        version=1,
    )


def learned(store: Store) -> dict[str, Any]:
    startups.learn(store, world.at(60), SETTINGS)
    return {
        r["size_class"]: (r["p95_seconds"], r["jobs"])
        for r in store.select("SELECT * FROM v_startup_times")
    }


def test_the_p95_of_each_size_class(store: Store) -> None:
    for i in range(20):
        world.write(store, run(f"small{i}", 120 + i))
        world.write(store, run(f"large{i}", 600 + i, gpus=8))
    assert learned(store) == {"1 GPU": (139.0, 20), "5-8 GPUs": (619.0, 20)}


def test_a_class_needs_enough_jobs(store: Store) -> None:
    for i in range(SETTINGS.startup_jobs - 1):
        world.write(store, run(str(i), 120))
    assert learned(store) == {}


def test_idleness_is_no_start_up(store: Store) -> None:
    for i in range(5):
        world.write(store, run(str(i), 120))
    for i in range(5, 50):
        world.write(store, run(str(i), SETTINGS.startup_most_s + 1))
    assert learned(store) == {"1 GPU": (120.0, 5)}


def test_interactive_jobs_are_not_asked(store: Store) -> None:
    for i in range(10):
        world.write(store, run(str(i), 900, kind="interactive"))
    assert learned(store) == {}


def test_an_empty_store_teaches_nothing(store: Store) -> None:
    assert learned(store) == {}
