"""The generator: same seed same rows, labels that cover jobs, signals as the labels say."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuledger.catalogue import Job
from gpuledger.store import Store
from tests.labelled import site
from tests.labelled.plan import GANGS, KINDS
from tests.labelled.rows import Told
from tests.labelled.scenario import Scenario, build
from tests.labelled.truth import CAUSES, LABELS, Truth, of_job, with_labels

HERE = Path(__file__).parent
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module", params=["hopper", "ada"])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """One site with profiling counters, and one without."""
    return build(request.param, 1)


@pytest.fixture(scope="module")
def hopper() -> Scenario:
    return build("hopper", 2)


def test_nothing_here_imports_what_it_judges() -> None:
    imported = {
        name.partition(".")[0]
        for path in HERE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _names(node)
    }
    assert imported.isdisjoint({"analytics", "collector", "dashboards", "alerts"})
    assert "gpuledger" in imported


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [a.name for a in node.names] if isinstance(node, ast.Import) else []


def test_the_same_seed_gives_the_same_rows_and_truth() -> None:
    small = site.small(site.HOPPER)
    one, other = (build(small, 7, hours=1.5) for _ in range(2))
    assert one.truth == other.truth
    for a, b in zip(one.told, other.told, strict=True):
        assert a.table == b.table
        for name, grid in a.grids.items():
            assert np.array_equal(grid, b.grids[name], equal_nan=True), (a.table, name)


def test_another_seed_gives_another_site() -> None:
    small = site.small(site.HOPPER)
    assert build(small, 7, hours=1.5).truth != build(small, 8, hours=1.5).truth


def test_seeds_and_sites_of_tuning_are_never_those_of_the_judgement() -> None:
    assert not set(site.TUNING_SEEDS) & set(site.HELD_OUT_SEEDS)
    assert not set(site.TUNING) & set(site.HELD_OUT)
    assert {*site.TUNING, *site.HELD_OUT} == set(site.VARIANTS)


def test_every_kind_of_job_and_label_is_met(hopper: Scenario) -> None:
    met = {t.label for t in hopper.truth}
    assert set(LABELS) - met <= {"free"}
    assert set(CAUSES) <= met
    assert {job.kind for job in hopper.facts.jobs} >= set(KINDS)
    assert {kind for kind, _ in GANGS} <= set(KINDS)


def test_a_gang_of_64_gpus_loses_a_peer(scenario: Scenario) -> None:
    (gang,) = {t.job for t in with_labels(scenario.truth, "dead_peer")}
    spans = of_job(scenario.truth, gang)
    begun = {p for t in spans if t.label == "working" for p in t.places}
    after = [t for t in spans if t.label in {"dead_peer", "lost"}]
    assert len(begun) == 64
    assert sum(len(t.places) for t in after) == 64
    assert {t.since for t in after} == {max(t.since for t in spans)}


def test_spans_of_a_job_leave_no_time_without_a_label(scenario: Scenario) -> None:
    for job in {t.job for t in scenario.truth if t.job}:
        spans = of_job(scenario.truth, job)
        upto = spans[0].since
        for span in spans:
            assert span.since <= upto, (job, span)
            upto = max(upto, span.until)


def test_an_idle_gpu_is_active_for_five_percent_of_its_time_at_most(scenario: Scenario) -> None:
    for span in _seen(scenario, "idle", "idle_blips", "idle_notebook_mem", "partial_idle"):
        shares = _column(scenario, span, "active_seconds") / 60
        assert np.nanmean(shares) <= 0.05, span


def test_a_hung_gpu_shows_full_utilization_low_power_and_no_traffic(hopper: Scenario) -> None:
    spans = list(_seen(hopper, "hung"))
    assert len(spans) >= 4
    for span in spans:
        assert _column(hopper, span, "utilization_ratio").mean() > 0.98
        assert _column(hopper, span, "sm_active_ratio").max() < 0.25
        assert _column(hopper, span, "tensor_active_ratio").max() == 0
        assert _column(hopper, span, "power_watts").max() < 0.35 * hopper.variant.card.limit
        moved = np.diff(_column(hopper, span, "nvlink_receive_bytes"), axis=1).max()
        assert moved / 60 < 1e-4 * hopper.variant.card.nvlink


def test_jobs_with_a_cause_use_little_of_their_gpus(scenario: Scenario) -> None:
    means = {t.job: t.mean_sm for t in scenario.truth if t.label in CAUSES}
    low = [m for m in means.values() if m < 0.25]
    assert len(low) >= 0.8 * len(means)
    assert min(low) > 0.01


def test_what_works_draws_more_than_what_idles(scenario: Scenario) -> None:
    limit = scenario.variant.card.limit
    for span in _seen(scenario, "working"):
        if span.mean_sm > 0.5:
            assert np.nanmean(_column(scenario, span, "power_watts")) > 0.4 * limit, span
    for span in _seen(scenario, "idle"):
        assert np.nanmax(_column(scenario, span, "power_watts")) < 0.4 * limit, span


def test_a_card_without_profiling_counters_tells_none() -> None:
    told = _samples(build("ampere", 1, hours=1.5))
    assert "sm_active_ratio" not in told.grids
    assert "power_watts" in told.grids
    assert "utilization_ratio" in told.grids


def test_exporters_tell_neither_power_nor_processes(scenario: Scenario) -> None:
    _, exporter = (t for t in scenario.told if t.table == "gpu_samples")
    assert set(exporter.keys["source"]) == {"exporter"}
    assert {"power_watts", "processes", "sm_active_ratio"}.isdisjoint(exporter.grids)
    assert (exporter.every_s, exporter.phase_s) == (30, 7)


def test_telemetry_has_gaps_and_a_dead_node_tells_nothing(scenario: Scenario) -> None:
    kept = _samples(scenario).kept
    assert 0.9 < kept.mean() < 1
    for node, at in scenario.facts.down.items():
        first = node * scenario.variant.slots
        assert not kept[first : first + scenario.variant.slots, at // 6 + 12 :].any()


def test_turns_fall_where_they_are_asked_for() -> None:
    free = build("hopper", 3)
    asked = build("hopper", 3, turns=(180, 220))
    low, high = (asked.start + m * MINUTE for m in (180, 220))
    inside = [
        sum(low <= t.since <= high for t in with_labels(s.truth, "idle", "hung") if not t.slice)
        for s in (free, asked)
    ]
    assert inside[1] > max(4, inside[0])


def test_no_slice_is_idle_because_its_neighbours_are(hopper: Scenario) -> None:
    (told,) = (t for t in hopper.told if t.table == "slice_samples")
    labels = Counter(t.label for t in hopper.truth if t.slice)
    assert labels["working"] > 5
    assert labels["idle"] > 2
    assert float(np.nanmax(told.grids["sm_active_ratio"])) > 0.5
    assert sum(c.parent != "" for c in hopper.facts.slices) == len(told.keys["uuid"])


def test_feeding_by_and_by_tells_the_same_samples_as_at_once(store: Store) -> None:
    scenario = build(site.small(site.HOPPER, 5), 5, hours=0.75)
    at = scenario.start
    while at < scenario.until:
        scenario.feed(store, at, at + 25 * MINUTE)
        at += 25 * MINUTE
    counted = {r["name"]: r["rows"] for r in store.select(_COUNTS)}
    by_hand = Counter[str]()
    for told in scenario.told:
        by_hand[told.table] += int(told.kept.sum())
    for table, rows in by_hand.items():
        if table != "source_runs":
            assert counted[table] == rows, table


_COUNTS = (
    "SELECT name, total_rows AS rows FROM system.tables WHERE database = currentDatabase()"
    " AND total_rows > 0"
)


def test_a_job_is_open_while_it_runs_and_ended_when_it_has_ended() -> None:
    scenario = build(site.small(site.HOPPER, 6), 5, hours=2.0)
    job = min((j for j in scenario.facts.jobs if j.team), key=lambda j: j.last)
    ended = scenario.facts.at(job.last)
    before = _job_rows(scenario, ended - MINUTE)[job.number]
    after = _job_rows(scenario, ended + MINUTE)[job.number]
    assert (before.state, before.ended > ended) == ("running", True)
    assert (after.state, after.ended) == (job.state, ended)
    assert after.version > before.version


def _job_rows(scenario: Scenario, now: Any) -> dict[int, Any]:
    rows = scenario.facts.between(now - MINUTE, now)
    jobs = [r for r in rows if isinstance(r, Job)]
    return {int(j.job_id.rpartition("/")[2]): j for j in jobs}


def _samples(scenario: Scenario) -> Told:
    return next(t for t in scenario.told if t.table == "gpu_samples")


def _seen(scenario: Scenario, *labels: str) -> list[Truth]:
    """Spans of at least 15 minutes on cards of our own agents, whole ones."""
    agent = set(_samples(scenario).keys["gpu_id"])
    return [
        t
        for t in with_labels(scenario.truth, *labels)
        if t.duration > 15 * MINUTE and not t.slice and t.places[0].gpu_id in agent
    ]


def _column(scenario: Scenario, span: Truth, name: str) -> Any:
    """Values of the minutes well inside a span, (GPUs, minutes)."""
    told = _samples(scenario)
    rows = [list(told.keys["gpu_id"]).index(p.gpu_id) for p in span.places]
    first = (span.since - scenario.start) // MINUTE + 4
    last = (span.until - scenario.start) // MINUTE - 4
    return told.grids[name][rows, first:last]
