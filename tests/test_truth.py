"""The demo's book against what really happened in the simulated cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GPULEDGER = str(Path(sys.executable).with_name("gpuledger"))
# The book knows minutes and samples, the truth knows seconds: what begins or ends inside a minute
# is booked to one side. Start-up is a matter of single minutes, so it differs most.
TOLERANCE = {"startup_teardown": 0.30, "free_demand": 0.15, "unattributed": 0.10}
USUAL = 0.03
# States of a few GPU-hours move by whole minutes: an absolute slack, in GPU-seconds.
SLACK_S = 3600.0


@dataclass(frozen=True)
class Demo:
    """What the demo wrote."""

    home: Path
    book: dict[str, float]
    truth: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("demo") / "out"
    run(
        "demo",
        "--exit",
        "--dir",
        str(home),
        "--nodes",
        "8",
        "--days",
        "4",
        "--seed",
        "3",
        "--end",
        "2026-11-20T04:00Z",
    )
    rows = json.loads(
        run("ledger", "--since", "30d", "--format", "json", "--store", f"chdb://{home}/store")
    )
    book = {r["state"]: r["gpu_hours"] * 3600 for r in rows}
    return Demo(home, book, json.loads((home / "truth.json").read_text()))


def run(*arguments: str) -> str:
    done = subprocess.run([GPULEDGER, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_book_has_every_state_that_happened_and_no_other(demo: Demo) -> None:
    assert {s for s, seconds in demo.truth["gpu_seconds"].items() if seconds} == set(demo.book)


def test_each_state_has_the_time_that_really_passed_in_it(demo: Demo) -> None:
    truth = demo.truth["gpu_seconds"]
    wrong = {
        state: (round(booked), round(truth[state]))
        for state, booked in demo.book.items()
        if abs(booked - truth[state]) > SLACK_S + TOLERANCE.get(state, USUAL) * truth[state]
    }
    assert not wrong


def test_the_book_closes_over_all_owned_time(demo: Demo) -> None:
    assert sum(demo.book.values()) == pytest.approx(8 * 8 * 4 * 86_400, rel=1e-4)


def test_recommendations_are_the_jobs_that_really_idle(demo: Demo) -> None:
    rows = json.loads(
        run("recommend", "list", "--format", "json", "--store", f"chdb://{demo.home}/store")
    )
    idle = {(j["job_id"], j["gpus"], j["user"], j["team"]) for j in demo.truth["idle_jobs"]}
    assert {(r["subject"], gpus_of(r), r["user"], r["team"]) for r in rows} == idle


def gpus_of(recommendation: dict[str, Any]) -> int:
    """How many GPUs it would free: the gain over the horizon."""
    return round(recommendation["gain_gpu_hours"] / (recommendation["horizon_seconds"] / 3600))


def test_no_package_reads_the_truth() -> None:
    root = Path(__file__).parent.parent
    readers = [
        path
        for package in ("gpuledger", "collector", "analytics", "dashboards", "alerts")
        for path in (root / package).rglob("*.py")
        if "truth.json" in path.read_text()
        and "read" in path.read_text().split("truth.json")[0][-40:]
    ]
    assert not readers


def test_the_same_arguments_give_the_same_files(demo: Demo, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run(
        "demo",
        "--exit",
        "--dir",
        str(again),
        "--nodes",
        "8",
        "--days",
        "4",
        "--seed",
        "3",
        "--end",
        "2026-11-20T04:00Z",
    )
    for name in ("weekly-report.html", "truth.json", "gpuledger.toml"):
        assert (again / name).read_bytes() == (demo.home / name).read_bytes(), name
