"""What happens in the world is possible, and depends on the arguments alone."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from collector.simulation.fleet import Node
from collector.simulation.world import World, simulate
from gpuledger.errors import ConfigError
from tests.simulation.conftest import END, WEEK


def fates(world: World) -> list[tuple[object, ...]]:
    return [(j.plan, j.start_s, j.end_s, j.places, j.state) for j in world.jobs]


def held(world: World) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """Intervals in which each GPU is allocated, in order."""
    out: dict[tuple[int, int], list[tuple[float, float]]] = {p: [] for p in world.places}
    for job in world.jobs:
        for place in job.places:
            out[place].append((job.start_s, job.end_s))
    return {place: sorted(intervals) for place, intervals in out.items()}


def test_the_same_seed_gives_the_same_world(world: World) -> None:
    again = simulate(7, 4, END - WEEK, END)
    assert fates(again) == fates(world)
    assert (again.lost, again.down, again.silent, again.strays) == (
        world.lost,
        world.down,
        world.silent,
        world.strays,
    )


def test_another_seed_gives_another_world(world: World) -> None:
    assert fates(simulate(8, 4, END - WEEK, END)) != fates(world)


def test_no_gpu_is_given_twice_at_one_time(world: World) -> None:
    for intervals in held(world).values():
        for (_, end_s), (start_s, _) in pairwise(intervals):
            assert end_s <= start_s


def test_jobs_get_what_they_asked_for_on_as_many_nodes(world: World) -> None:
    for job in (job for job in world.jobs if job.places):
        by_node = Counter(node for node, _ in job.places)
        assert len(by_node) == job.plan.nodes
        assert set(by_node.values()) == {job.plan.gpus_per_node}
        assert len(set(job.places)) == job.plan.gpus


def test_gangs_exist_and_take_whole_nodes() -> None:
    large = simulate(3, 16, END - timedelta(days=2), END)
    gangs = [job for job in large.jobs if job.plan.nodes > 1]
    assert gangs
    assert all(job.plan.gpus_per_node == large.gpus_per_node for job in gangs)


def test_nothing_runs_before_it_was_eligible_or_beyond_its_limit(world: World) -> None:
    for job in (job for job in world.jobs if job.places):
        assert job.plan.submit_s <= job.plan.eligible_s <= job.start_s < job.end_s
        assert job.end_s <= job.start_s + job.plan.limit_s


def test_nothing_runs_where_hardware_is_gone(world: World) -> None:
    assert world.lost
    assert world.down
    for (node, slot), intervals in held(world).items():
        for t in (*world.lost, *world.down):
            if t.node == node and t.slot in {slot, -1}:
                assert not any(a < t.until_s and b > t.since_s for a, b in intervals)


def test_a_stray_process_is_on_a_gpu_that_nobody_was_given(world: World) -> None:
    (stray,) = world.strays
    intervals = held(world)[stray.node, stray.slot]
    assert not any(a < stray.until_s and b > stray.since_s for a, b in intervals)


def test_jobs_end_in_every_way(world: World) -> None:
    states = {job.state for job in world.jobs}
    assert states >= {"completed", "failed", "cancelled", "timeout"}


def test_phases_cover_a_job_from_start_to_end(world: World) -> None:
    for job in world.jobs:
        if job.phases is not None:
            starts = job.phases.starts.tolist()
            assert starts[0] == 0
            assert starts == sorted(set(starts))
            assert starts[-1] < job.end_s - job.start_s


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_tiny_worlds_work(nodes: int) -> None:
    assert simulate(1, nodes, END - timedelta(hours=6), END).jobs


def test_bounds_that_are_no_minutes_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole minute"):
        simulate(1, 1, END - WEEK, END + timedelta(seconds=1))
    with pytest.raises(ConfigError, match="at least one node"):
        simulate(1, 0, END - WEEK, END)
    with pytest.raises(ConfigError, match="after its start"):
        simulate(1, 1, END, END)


def test_a_sick_slot_is_not_given_back_to_the_free_ones() -> None:
    node = Node(2, [0, 1])
    assert node.take(1) == [0]
    node.lose(0)
    node.give([0])
    assert node.free == [1]
    node.regain(0)
    assert node.free == [0, 1]
