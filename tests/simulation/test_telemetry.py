"""Rows of the simulated cluster: valid, complete where agents lived, the same in any window."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from collector.simulation.telemetry import gpu_samples, scheduler_batches, telemetry
from collector.simulation.world import World, simulate
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue.work import Allocation, NodeState
from gpuledger.catalogue.work import Job as JobRow
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER, Kind
from tests.simulation.conftest import END, WEEK

HOUR = timedelta(hours=1)
FOREVER_MS = to_milliseconds(FOREVER)
MINUTES = 7 * 24 * 60
concatenate: Any = np.ma.concatenate


def digest(batches: Iterable[Batch]) -> str:
    out = hashlib.sha256()
    for batch in batches:
        for name, column in batch.columns.items():
            filled = np.ma.getmaskarray(np.ma.asarray(column))
            out.update(f"{batch.table.name} {name} {np.asarray(column).tolist()}".encode())
            out.update(filled.tobytes())
    return out.hexdigest()


def joined(batches: Iterable[Batch]) -> dict[str, Any]:
    """Columns of batches of one table."""
    parts = list(batches)
    return {
        name: concatenate([np.ma.asarray(b.columns[name]) for b in parts])
        for name in parts[0].columns
    }


def rows(world: World, table: str) -> Batch:
    return next(b for b in scheduler_batches(world, world.end) if b.table.name == table)


@pytest.fixture(scope="module")
def minutes(world: World) -> dict[str, Any]:
    return joined(gpu_samples(world, world.start, world.end))


def per_gpu(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    order = np.lexsort((columns["ts"], columns["slot"], columns["node"].astype(str)))
    keys = columns["gpu_id"][order]
    for part in np.split(order, np.flatnonzero(np.diff(np.asarray(keys)) != 0) + 1):
        yield {name: column[part] for name, column in columns.items()}


def test_the_same_seed_gives_the_same_bytes() -> None:
    def everything(seed: int) -> str:
        world = simulate(seed, 2, END - timedelta(hours=6), END)
        batches = [*telemetry(world, world.start, END, 10), *scheduler_batches(world, END)]
        return digest(batches)

    assert everything(1) == everything(1)
    assert everything(1) != everything(2)


def test_a_minute_reads_the_same_in_any_window(world: World, minutes: dict[str, Any]) -> None:
    since = END - 30 * HOUR
    part = joined(gpu_samples(world, since, since + HOUR))
    inside = (minutes["ts"] > to_milliseconds(since)) & (
        minutes["ts"] <= to_milliseconds(since + HOUR)
    )
    for name in ("ts", "gpu_id", "sm_active_bp", "power_mw", "active_ms"):
        assert part[name].tolist() == minutes[name][inside].tolist()


def test_every_table_comes_and_every_column_fits_its_type(world: World) -> None:
    batches = list(telemetry(world, world.start, END)) + scheduler_batches(world, END)
    assert {b.table.name for b in batches} == {
        "gpu_samples",
        "gpu_health_samples",
        "process_samples",
        "gpu_events",
        "agent_samples",
        "host_samples",
        "network_samples",
        "block_samples",
        "filesystem_samples",
        "source_runs",
        "gpus",
        "allocations",
        "jobs",
        "node_states",
    }
    for batch in batches:
        for field in batch.table.fields:
            column = batch.columns[field.stored]
            assert len(column) == len(batch)
            if field.column.kind in {Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE, Kind.NUMBER}:
                known = [v for v in (np.ma.asarray(column).tolist()) if v is not None]
                assert not known or 0 <= min(known) <= max(known) < 1 << field.column.bits


def test_rows_come_for_every_minute_in_which_the_agent_lived(
    world: World, minutes: dict[str, Any]
) -> None:
    gone = sum(t.until_s - t.since_s for t in (*world.down, *world.silent)) // 60
    assert len(minutes["ts"]) == (world.nodes * MINUTES - gone) * world.gpus_per_node
    assert (minutes["ts"] % 60_000 == 0).all()


def test_counters_never_fall_and_energy_is_the_integral_of_power(
    world: World, minutes: dict[str, Any]
) -> None:
    for gpu in per_gpu(minutes):
        energy, power = gpu["energy_mj"].astype(np.int64), gpu["power_mw"].astype(np.float64)
        steps = np.diff(energy.compressed())
        assert (steps > 0).all()
        known = ~np.ma.getmaskarray(energy)
        next_to = known[1:] & known[:-1] & (np.diff(gpu["ts"]) == 60_000)
        drawn = np.diff(energy)[next_to]
        assert np.allclose(drawn, power[1:][next_to] * 60, atol=200)


def test_fine_rows_continue_the_counters_of_coarse_ones(world: World) -> None:
    border = END - 24 * HOUR
    coarse = joined(gpu_samples(world, border - HOUR, border))
    fine = joined(gpu_samples(world, border, border + HOUR, 10))
    assert len(fine["ts"]) == 6 * len(coarse["ts"])
    last = {int(g["gpu_id"][0]): g["energy_mj"][-1] for g in per_gpu(coarse)}
    assert len(last) == len(world.places)
    for gpu in per_gpu(fine):
        if np.ma.is_masked(gpu["energy_mj"]):
            continue  # lost
        step = int(gpu["energy_mj"][0]) - int(last[int(gpu["gpu_id"][0])])
        assert step == pytest.approx(float(gpu["power_mw"][0]) * 10, rel=0.1)


def test_fine_rows_add_up_to_coarse_ones(world: World, minutes: dict[str, Any]) -> None:
    fine = joined(gpu_samples(world, END - 24 * HOUR, END, 10))
    for gpu, whole in zip(per_gpu(fine), per_gpu(minutes), strict=True):
        recent = whole["ts"] > to_milliseconds(END - 24 * HOUR)
        active = gpu["active_ms"].filled(0).reshape(-1, 6).sum(axis=1)
        assert active.tolist() == whole["active_ms"][recent].filled(0).tolist()


def test_a_lost_gpu_says_nothing_but_that(world: World, minutes: dict[str, Any]) -> None:
    lost = minutes["lost_ms"] > 0
    assert lost.sum() == sum(min(t.until_s, world.span_s) - t.since_s for t in world.lost) // 60
    assert set(minutes["lost_ms"][lost].tolist()) == {60_000}
    for name in ("utilization_pct", "power_mw", "energy_mj", "memory_total_mib", "active_ms"):
        assert np.ma.getmaskarray(minutes[name])[np.asarray(lost)].all()
        assert not np.ma.getmaskarray(minutes[name])[~np.asarray(lost)].any()


def test_readings_are_those_of_the_hardware(minutes: dict[str, Any]) -> None:
    assert minutes["power_mw"].min() > 60_000
    assert minutes["power_mw_max"].max() < 730_000
    assert (minutes["power_mw_max"] >= minutes["power_mw"]).all()
    assert minutes["temperature_celsius"].max() < 85
    assert (minutes["memory_used_mib"] <= minutes["memory_total_mib"]).all()
    assert (minutes["active_ms"] <= 60_000).all()


def test_a_power_reading_of_an_idle_context_stays_near_its_floor(minutes: dict[str, Any]) -> None:
    idle = (
        (minutes["active_ms"] == 0) & (minutes["processes"] == 1) & (minutes["sm_active_bp"] == 0)
    )
    for gpu in per_gpu({k: minutes[k][np.asarray(idle.filled(False))] for k in minutes}):
        power = gpu["power_mw"].compressed()
        assert power.max() < 1.15 * np.median(power)


def test_partial_minutes_carry_the_proper_mean(world: World, minutes: dict[str, Any]) -> None:
    mixed = (minutes["active_ms"] > 0) & (minutes["active_ms"] < 60_000)
    assert mixed.sum() > 100
    assert (minutes["utilization_pct"][mixed] < 100).all()


def test_allocations_and_jobs_agree_and_open_ones_stay_open(world: World) -> None:
    allocations, jobs = rows(world, "allocations"), rows(world, "jobs")
    running = [i for i, state in enumerate(jobs.columns["state"]) if state == "running"]
    open_jobs = {jobs.columns["job_id"][i] for i in running}
    open_allocations = {
        job
        for job, until in zip(
            allocations.columns["job_id"], allocations.columns["valid_to"], strict=True
        )
        if until == FOREVER_MS
    }
    assert open_allocations == open_jobs != set()
    assert allocations.table is Allocation.table
    assert jobs.table is JobRow.table


def test_closed_facts_never_change(world: World) -> None:
    def closed(at: timedelta) -> dict[int, tuple[int, int, int]]:
        batch = next(
            b for b in scheduler_batches(world, END - at) if b.table.name == "allocations"
        ).columns
        facts = zip(
            batch["alloc_id"],
            batch["valid_from"],
            batch["valid_to"],
            batch["version"],
            strict=True,
        )
        return {a: (f, t, v) for a, f, t, v in facts if t != FOREVER_MS}

    before, after = closed(2 * HOUR), closed(timedelta())
    assert before.items() < after.items()


def test_waiting_jobs_have_slurms_reasons() -> None:
    reasons: Counter[str] = Counter()
    world = simulate(5, 8, END - WEEK, END)
    for hours in range(0, 96, 4):
        (jobs,) = (
            b for b in scheduler_batches(world, END - hours * HOUR) if b.table.name == "jobs"
        )
        for state, reason in zip(jobs.columns["state"], jobs.columns["reason"], strict=True):
            assert (state == "pending") == bool(reason)
            reasons[reason] += 1
    assert reasons.keys() == {"", "Resources", "Priority", "Dependency", "QOSMaxGRESPerUser"}


def test_nodes_have_one_state_at_any_time(world: World) -> None:
    batch = rows(world, "node_states")
    assert batch.table is NodeState.table
    by_node: dict[str, list[tuple[int, int]]] = {}
    for name, since, until in zip(
        batch.columns["node"], batch.columns["valid_from"], batch.columns["valid_to"], strict=True
    ):
        by_node.setdefault(name, []).append((since, until))
    for spans in by_node.values():
        ordered = sorted(spans)
        assert [until for _, until in ordered] == [*(s for s, _ in ordered[1:]), FOREVER_MS]
    assert {"up", "down"} == set(batch.columns["state"])


def test_counters_of_machines_never_fall(world: World) -> None:
    tables = {"host_samples", "network_samples", "block_samples", "agent_samples"}
    for batch in telemetry(world, END - 24 * HOUR, END):
        if batch.table.name in tables:
            _check_counters(batch)


def _check_counters(batch: Batch) -> None:
    devices = batch.columns.get("device", [""] * len(batch))
    keys = np.array([f"{n}/{d}" for n, d in zip(batch.columns["node"], devices, strict=True)])
    for field in (f for f in batch.table.fields if f.column.kind is Kind.COUNTER):
        column = np.ma.masked_equal(np.ma.asarray(batch.columns[field.stored], dtype=object), None)
        for key in np.unique(keys):
            values = column[keys == key].compressed().astype(np.int64)
            assert (np.diff(values) >= 0).all()


def test_windows_that_cut_minutes_are_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="begin and end with a minute"):
        gpu_samples(world, world.start + timedelta(seconds=5), END)
    with pytest.raises(ConfigError, match="divide a minute"):
        gpu_samples(world, world.start, END, 7)
