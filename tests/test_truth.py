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
# is booked to one side. Start-up lasts a few minutes, and the one in which work begins is work.
TOLERANCE = {"startup_teardown": 0.20}
USUAL = 0.03
# States of a few GPU-hours move by whole minutes: an absolute slack, in GPU-seconds.
SLACK_S = 3600.0
# The truth tells of free GPUs only which of them waiting jobs would fill if nothing were kept for
# larger ones; why each is free is held against an oracle in tests/analytics/placing.
FREE = ("held", "free_demand", "stranded", "free_surplus")


@dataclass(frozen=True)
class Demo:
    """What the demo wrote."""

    home: Path
    book: dict[str, float]
    truth: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return simulate(tmp_path_factory.mktemp("demo") / "out", nodes=8, days=4, seed=3)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return simulate(tmp_path_factory.mktemp("small") / "out", nodes=2, days=1, seed=1)


def simulate(home: Path, nodes: int, days: int, seed: int) -> Demo:
    """A demo in a directory, and what it booked."""
    write(home, nodes, days, seed)
    rows = json.loads(
        run("ledger", "--since", "30d", "--format", "json", "--store", f"chdb://{home}/store")
    )
    book = {r["state"]: r["gpu_hours"] * 3600 for r in rows}
    return Demo(home, book, json.loads((home / "truth.json").read_text()))


def write(home: Path, nodes: int, days: int, seed: int) -> None:
    size = f"--nodes {nodes} --days {days} --seed {seed}".split()
    run("demo", "--exit", "--dir", str(home), *size, "--end", "2026-11-20T04:00Z")


def run(*arguments: str) -> str:
    done = subprocess.run([GPULEDGER, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_together(seconds: dict[str, float]) -> dict[str, float]:
    """The states with all free time as one."""
    kept = {state: s for state, s in seconds.items() if state not in FREE}
    return {**kept, "free": sum(seconds.get(state, 0.0) for state in FREE)}


def test_the_book_has_every_state_that_happened_and_no_other(demo: Demo) -> None:
    truth = free_together(demo.truth["gpu_seconds"])
    assert {s for s, seconds in truth.items() if seconds} == set(free_together(demo.book))


def test_each_state_has_the_time_that_really_passed_in_it(demo: Demo) -> None:
    truth = free_together(demo.truth["gpu_seconds"])
    wrong = {
        state: (round(booked), round(truth[state]))
        for state, booked in free_together(demo.book).items()
        if abs(booked - truth[state]) > SLACK_S + TOLERANCE.get(state, USUAL) * truth[state]
    }
    assert not wrong


def test_demand_of_a_small_cluster_is_not_placed_on_lost_gpus(small: Demo) -> None:
    """Regression: with one of two nodes in trouble, three times the real demand was booked."""
    demand, truth = small.book["free_demand"], small.truth["gpu_seconds"]["free_demand"]
    assert 0 < demand <= truth * (1 + USUAL)


def test_the_book_closes_over_all_owned_time(demo: Demo) -> None:
    assert sum(demo.book.values()) == pytest.approx(8 * 8 * 4 * 86_400, rel=1e-4)


def test_recommendations_are_the_jobs_that_really_idle(demo: Demo) -> None:
    rows = json.loads(
        run("recommend", "list", "--format", "json", "--store", f"chdb://{demo.home}/store")
    )
    idle = {(j["job_id"], j["gpus"], j["user"], j["team"]) for j in demo.truth["idle_jobs"]}
    found = [r for r in rows if r["kind"] == "reclaim"]
    assert {(r["subject"], gpus_of(r), r["user"], r["team"]) for r in found} == idle
    assert {r["kind"] for r in rows} <= {"reclaim", "quota"}


def gpus_of(recommendation: dict[str, Any]) -> int:
    """How many GPUs it would free: the most that it may gain, over the horizon."""
    horizon_h = recommendation["horizon_seconds"] / 3600
    return round(recommendation["gain_high_gpu_hours"] / horizon_h)


def test_no_package_reads_the_truth() -> None:
    root = Path(__file__).parent.parent
    packages = ("gpuledger", "collector", "analytics", "dashboards", "alerts")
    sources = {p: p.read_text() for name in packages for p in (root / name).rglob("*.py")}
    named = {
        (str(path.relative_to(root)), line.strip())
        for path, text in sources.items()
        for line in text.splitlines()
        if "truth.json" in line
    }
    assert {path for path, _ in named} == {"gpuledger/cli/demo.py"}
    assert all("write_text" in line or line.startswith("WRITTEN") for _, line in named), named


def test_the_same_arguments_give_the_same_files(small: Demo, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write(again, nodes=2, days=1, seed=1)
    for name in ("weekly-report.html", "truth.json", "gpuledger.toml"):
        assert (again / name).read_bytes() == (small.home / name).read_bytes(), name
