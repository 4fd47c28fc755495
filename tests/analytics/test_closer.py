"""One job and one node, told in one answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics import closer
from gpuledger.catalogue import GpuEvent, ProgressSample
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.world import (
    CLUSTER,
    asset,
    at,
    booked,
    cells,
    given,
    gpu,
    job,
    node_state,
    price,
    samples,
    write,
)

HOUR = 60


@pytest.fixture
def world(store: Store) -> Store:
    """Job 1 on GPU 0, half an hour at work and half an hour idle; GPU 1 is free."""
    told = [
        *cells("productive", range(30), native="1"),
        *cells("alloc_idle", range(30, HOUR), native="1"),
        *cells("free_surplus", range(HOUR), 1),
    ]
    write(
        store,
        [
            asset(0),
            asset(1),
            price(),
            node_state(),
            job("1", eligible=at(-5), started=at(0)),
            given("1", 0),
            *samples(0, 0, HOUR),
            *booked(told, at(HOUR)),
        ],
    )
    return store


def test_a_job_is_told_with_what_it_got_and_did(world: Store) -> None:
    found = closer.job(world, "1")
    assert (found["job_id"], found["user"], found["team"]) == ("c/1", "ana", "vision")
    assert (found["gpus"], found["on"], found["wait_seconds"]) == (1, ["n0"], 300)
    assert [(s["state"], s["gpu_hours"]) for s in found["states"]] == [
        ("alloc_idle", 0.5),
        ("productive", 0.5),
    ]
    assert found["gpu_hours"] == 1
    assert found["capacity_value"] == pytest.approx(3.0)
    assert found["energy_kwh"] == pytest.approx(0.36)
    assert found["ended"] is None
    assert found["progress"] is None


def test_a_job_with_a_training_hook_is_told_with_its_progress(world: Store) -> None:
    sample = ProgressSample.known(
        ts=at(30),
        interval_seconds=10,
        cluster=CLUSTER,
        node="n0",
        pid=7,
        session=7,
        user="ana",
        runtime="slurm",
        container="1",
        steps=600,
        step_seconds=1800.0,
        data_wait_seconds=900.0,
        last_step=1600,
        last_checkpoint=at(25),
        refused=0,
    )
    world.insert_rows([sample])
    assert closer.job(world, "1")["progress"] == {
        "goodput_ratio": 0.5,
        "data_wait_ratio": 0.25,
        "checkpoint_ratio": None,
        "ranks": 1,
        "steps": 600,
        "last_step": 1600,
        "last_checkpoint": at(25),
        "lost_gpu_seconds": None,
    }


def test_a_job_that_waits_has_used_nothing(world: Store) -> None:
    write(world, [job("2", state="pending", reason="Resources", eligible=at(30))])
    found = closer.job(world, "c/2")
    assert (found["state"], found["reason"]) == ("pending", "Resources")
    assert found["wait_seconds"] == 30 * 60
    assert (found["gpus"], found["states"], found["gpu_hours"]) == (0, [], None)


def test_a_job_that_nobody_knows_gets_the_nearest_name(world: Store) -> None:
    write(world, [job("12345")])
    with pytest.raises(ConfigError, match="there is no job 12346; did you mean '12345'"):
        closer.job(world, "12346")


def test_a_number_that_two_clusters_have_is_not_guessed(world: Store) -> None:
    other = job("1")
    other.job_id = "d/1"
    write(world, [other])
    with pytest.raises(ConfigError, match="several jobs are named 1: c/1, d/1"):
        closer.job(world, "1")


def test_a_node_is_told_with_gpus_owners_states_and_signs(world: Store) -> None:
    lost = GpuEvent(
        ts=at(HOUR) - timedelta(minutes=3),
        cluster=CLUSTER,
        node="n0",
        slot=1,
        gpu_id=gpu(1),
        kind="lost",
    )
    write(world, [lost])
    found = closer.node(world, "n0")
    assert (found["cluster"], found["state"]) == ("c", "up")
    assert [(g["slot"], g["state"], g["job"], g["user"]) for g in found["gpus"]] == [
        (0, "alloc_idle", "c/1", "ana"),
        (1, "free_surplus", "", ""),
    ]
    assert found["gpus"][0]["power_watts"] == 360
    assert [s["state"] for s in found["states"]] == ["free_surplus", "alloc_idle", "productive"]
    assert [(s["slot"], s["sign"]) for s in found["signs"]] == [(1, "device_lost")]


def test_a_node_that_nobody_knows_gets_the_nearest_name(world: Store) -> None:
    with pytest.raises(ConfigError, match="there is no node n00; did you mean 'n0'"):
        closer.node(world, "n00")


def test_a_node_of_an_empty_book_is_told_as_its_scheduler_knows_it(store: Store) -> None:
    write(store, [asset(0), node_state(state="drained")])
    found = closer.node(store, "c/n0")
    assert (found["state"], found["gpus"]) == ("drained", [])
