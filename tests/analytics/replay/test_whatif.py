"""A trace driven twice: what is saved, and how sure that is."""

from __future__ import annotations

import math

import pytest

from analytics.replay import Scenario, Trace, add_nodes, compare, without_nodes
from analytics.replay.task import at_load
from gpuledger.errors import ConfigError
from tests.analytics.replay.world import node, task, trace

TODAY = Scenario()


def crowded() -> Trace:
    return trace([node(gpus=1)], *(task(f"t{i}", at=i) for i in range(9)), task("z", 0, at=9))


def test_more_nodes_save_waits_with_an_interval() -> None:
    told = crowded()
    found = compare(told, TODAY, TODAY, after_trace=add_nodes(told, 9, "H100", 1))
    saved = found.wait_saved_s
    assert saved.mean == pytest.approx(sum(99 * i for i in range(9)) / 10)
    assert 0 < saved.low < saved.mean < saved.high
    assert {size: one.jobs for size, one in found.saved_s.items()} == {
        "no GPU": 1,
        "1": 9,
        "all": 10,
    }
    assert found.before.unallocated_gpu_hours < found.after.unallocated_gpu_hours


def test_fewer_nodes_cost_waits() -> None:
    told = trace([node("a", 1), node("b", 1)], task("x"), task("y"))
    found = compare(told, TODAY, TODAY, after_trace=without_nodes(told, {"b"}))
    assert found.wait_saved_s.mean == -50


def test_the_same_twice_saves_nothing_and_a_seed_decides_all() -> None:
    first, again = (compare(crowded(), TODAY, TODAY) for _ in range(2))
    assert (first.wait_saved_s.mean, first.wait_saved_s.low, first.wait_saved_s.high) == (0, 0, 0)
    assert first == again


def test_where_nothing_starts_nothing_is_said() -> None:
    found = compare(trace([node(gpus=1)], task("x", 4)), TODAY, TODAY)
    assert found.wait_saved_s.jobs == 0
    assert math.isnan(found.wait_saved_s.mean)


def test_added_nodes_are_like_those_there_are() -> None:
    told = trace([node("a", 8, cpu_milli=96_000, closed=True, pools=("gpu",))], task("x"))
    added = add_nodes(told, 2, "H100", 8).nodes[1:]
    assert [(n.name, n.cpu_milli, n.pools, n.closed) for n in added] == [
        ("added-H100-1", 96_000, ("gpu",), False),
        ("added-H100-2", 96_000, ("gpu",), False),
    ]
    assert add_nodes(told, 1, "B200", 4).nodes[1].cpu_milli == 0


@pytest.mark.parametrize(("count", "model", "gpus"), [(0, "H100", 8), (1, "H100", 0), (1, "A", 99)])
def test_nodes_that_cannot_be_are_an_error(count: int, model: str, gpus: int) -> None:
    with pytest.raises(ConfigError, match=r"write e\.g\. 4xH100:8"):
        add_nodes(crowded(), count, model, gpus)


def test_a_model_that_is_nearly_one_of_the_cluster_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no node has the model 'H1O0'; did you mean 'H100'"):
        add_nodes(crowded(), 1, "H1O0", 8)


def test_a_model_may_be_written_in_part_and_in_any_case() -> None:
    nodes = [node("a", 8, "NVIDIA H100 80GB"), node("b", 8, "A100"), node("c", 8, "A100-SXM")]
    told = trace(nodes, task("t"))
    assert add_nodes(told, 1, "h100", 8).nodes[-1].model == "NVIDIA H100 80GB"
    assert add_nodes(told, 1, "a100", 8).nodes[-1].model == "A100"
    with pytest.raises(ConfigError, match="'100' may be any of A100, A100-SXM, NVIDIA H100 80GB"):
        add_nodes(told, 1, "100", 8)


def test_a_load_asks_for_that_part_of_all_gpu_time() -> None:
    told = trace([node(f"n{i}", 8) for i in range(50)], task("a", 2, runs=900), task("b", runs=90))
    drawn = at_load(told, 0.8, days=1, seed=3)
    arriving = [t for t in drawn.tasks if t.arrives_s]
    asked = sum(t.gpus * t.runs_s for t in arriving)
    assert asked / (400 * 86_400) == pytest.approx(0.8, rel=0.1)
    early = sum(t.gpus for t in drawn.tasks if not t.arrives_s)
    assert early / 400 == pytest.approx(0.8, abs=0.15)
    assert drawn == at_load(told, 0.8, days=1, seed=3)


@pytest.mark.parametrize(("ratio", "days"), [(0, 1), (9, 1), (0.5, 0), (float("nan"), 1)])
def test_a_load_that_cannot_be_is_an_error(ratio: float, days: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 5"):
        at_load(crowded(), ratio, days)
