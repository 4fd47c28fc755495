"""Series to forecast: public arrivals, and made-up demand that says it is made up."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "openb" / "arrivals.csv"
# Of the days before, the trace lists only tasks that were still running: no arrivals.
FIRST_HOUR = 115 * 24
HOURS = 24


def arrivals(path: Path | None) -> tuple[Values, Values]:
    """Tasks and GPUs asked for in each hour of the trace's whole days."""
    tasks, gpus = _of_trace(path) if path else _of_fixture()
    whole = len(tasks) // HOURS * HOURS
    return tasks[:whole], gpus[:whole]


def _of_fixture() -> tuple[Values, Values]:
    with FIXTURE.open() as file:
        rows = [(int(r["tasks"]), int(r["gpus_milli"]) / 1000) for r in csv.DictReader(file)]
    told = np.array(rows, dtype=np.float64)
    return told[:, 0], told[:, 1]


def _of_trace(path: Path) -> tuple[Values, Values]:
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode()
    with io.StringIO(text) as file:
        rows = [
            (int(r["creation_time"]) // 3600, int(r["num_gpu"]) * int(r["gpu_milli"]) / 1000)
            for r in csv.DictReader(file)
        ]
    at = np.array([hour - FIRST_HOUR for hour, _ in rows])
    gpus = np.array([asked for _, asked in rows])
    kept = at >= 0
    size = int(at.max()) + 1
    return (
        np.bincount(at[kept], minlength=size).astype(np.float64),
        np.bincount(at[kept], weights=gpus[kept], minlength=size),
    )


def made_up(seed: int, days: int = 210) -> Values:
    """Demand by the day of a pool that does not exist: growth, weeks, holidays, busy fortnights."""
    rng = np.random.default_rng(seed)
    at = np.arange(days)
    week = np.array([1.0, 1.06, 1.08, 1.05, 1.0, 0.72, 0.68])[at % 7]
    growth = 1 + rng.uniform(0.0005, 0.002) * at
    wander = np.zeros(days)
    for i in range(1, days):
        wander[i] = 0.9 * wander[i - 1] + rng.normal(0, 0.035)
    busy = np.ones(days)
    for _ in range(3):
        first = int(rng.integers(0, days))
        busy[first : first + 14] *= rng.uniform(1.1, 1.25)
    holidays = np.where(rng.random(days) < 0.02, 0.6, 1.0)
    noise = rng.normal(1, 0.04, days)
    return np.asarray(400 * week * growth * np.exp(wander) * busy * holidays * noise)
