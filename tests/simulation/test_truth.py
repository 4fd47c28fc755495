"""The truth adds up, shows every state, and calls idle what is idle."""

from datetime import timedelta

import numpy as np
import pytest

from collector.simulation.model import Behaviour, Job, Label, Phases, Plan, World
from collector.simulation.truth import STATES, labelled, truth
from collector.simulation.world import simulate
from tests.simulation.conftest import END


def plan(gpus: int = 1) -> Plan:
    return Plan(
        number=1,
        name="job",
        user="achen",
        team="vision",
        partition="batch",
        behaviour=Behaviour.TRAINING,
        nodes=1,
        gpus_per_node=gpus,
        submit_s=0,
        eligible_s=0,
        hold_reason="",
        priority=1,
        duration_s=9_000,
        limit_s=9_000,
        outcome="completed",
    )


def job(*phases: tuple[Label, float], start_s: float = 0.0) -> Job:
    """A job of one GPU that does this for so long."""
    lengths = [seconds for _, seconds in phases]
    starts = np.cumsum([0.0, *lengths[:-1]])
    labels = np.array([int(label) for label, _ in phases])
    body = Phases(starts, labels, np.zeros((len(phases), 7)))
    return Job(plan(), start_s, start_s + sum(lengths), ((0, 0),), "completed", body)


def world_of(*jobs: Job, nodes: int = 1, gpus_per_node: int = 1) -> World:
    start = END - timedelta(hours=1)
    return World(1, nodes, start, END, gpus_per_node=gpus_per_node, jobs=jobs)


def test_all_states_add_up_to_what_is_owned_and_all_are_there(world: World) -> None:
    seconds = truth(world, world.start, world.end)["gpu_seconds"]
    assert tuple(seconds) == STATES
    assert sum(seconds.values()) == pytest.approx(world.span_s * len(world.places))
    assert all(value > 0 for value in seconds.values())


def test_parts_of_the_week_add_up_to_the_whole(world: World) -> None:
    middle = world.start + timedelta(days=3, hours=5)
    whole = truth(world, world.start, world.end)["gpu_seconds"]
    first = truth(world, world.start, middle)["gpu_seconds"]
    second = truth(world, middle, world.end)["gpu_seconds"]
    for state in STATES:
        assert first[state] + second[state] == pytest.approx(whole[state])


def test_a_week_of_the_demo_looks_like_a_cluster() -> None:
    world = simulate(7, 32, END - timedelta(days=7), END)
    found = truth(world, world.start, world.end)
    owned = world.span_s * len(world.places)
    share = {state: value / owned for state, value in found["gpu_seconds"].items()}
    bounds = {
        "productive": (0.45, 0.66),
        "underused": (0.06, 0.13),
        "alloc_idle": (0.06, 0.13),
        "startup_teardown": (0.01, 0.03),
        "free_surplus": (0.08, 0.26),
        "free_demand": (0.006, 0.04),
        "fault": (0.002, 0.02),
    }
    for state, (low, high) in bounds.items():
        assert low < share[state] < high, state
    assert share["alloc_unknown"] + share["unalloc_unknown"] + share["rogue"] < 0.01
    idle = [j for j in found["idle_jobs"] if j["idle_since"] < END - timedelta(hours=1)]
    assert 5 <= len(idle) <= 8
    assert len({j["user"] for j in idle}) == len(idle)
    assert max(j["gpus"] for j in idle) == 8


def test_a_checkpoint_belongs_to_the_work_and_a_pause_of_five_minutes_does_not() -> None:
    work = (Label.BUSY, 1_000.0)
    runs = labelled(job(work, (Label.DIP, 60), work, (Label.IDLE, 300), work))
    assert [state for _, _, state in runs] == [
        "productive",
        "productive",
        "productive",
        "alloc_idle",
        "productive",
    ]


def test_a_blip_does_not_end_idleness() -> None:
    runs = labelled(job((Label.BUSY, 600), (Label.IDLE, 200), (Label.BLIP, 2), (Label.IDLE, 200)))
    assert runs[-1] == (600, 1_002, "alloc_idle")


def test_a_start_up_beyond_ten_minutes_is_idle() -> None:
    runs = labelled(job((Label.STARTUP, 900), (Label.BUSY, 900)))
    assert runs == [
        (0, 600, "startup_teardown"),
        (600, 900, "alloc_idle"),
        (900, 1_800, "productive"),
    ]


def test_a_free_gpu_is_in_demand_while_a_job_that_fits_waits() -> None:
    late = job((Label.BUSY, 3_000), start_s=600)
    found = truth(world_of(late, gpus_per_node=2), END - timedelta(hours=1), END)["gpu_seconds"]
    assert found["free_demand"] == 600
    assert found["free_surplus"] == 600 + 3_000
    assert found["productive"] == 3_000


def test_a_gang_that_does_not_fit_demands_nothing() -> None:
    waiting = Job(plan(gpus=2))
    found = truth(world_of(waiting, nodes=2), END - timedelta(hours=1), END)["gpu_seconds"]
    assert found["free_demand"] == 0
    assert found["free_surplus"] == 2 * 3_600
