"""Instances as JSON, and what is refused in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.repacking.instance import kind_of, read, wish_of, write
from gpuledger.errors import ConfigError
from tests.analytics.repacking.worlds import node, pod, target, world

Json = dict[str, Any]


def document(**more: Any) -> Json:
    one = {"name": "n0", "model": "H100", "cpu_milli": 8000, "memory_mib": 8192, "gpus": 2}
    task: Json = {"name": "t0", "node": "n0", "gpu_ids": [0], "num_gpu": 1, "gpu_milli": 500}
    task |= {"cpu_milli": 1000, "memory_mib": 1024}
    kind = {"cpu_milli": 1000, "num_gpu": 1, "gpu_milli": 500, "gpu_spec": "", "p": 1.0}
    return {"nodes": [one], "pods": [task], "target": [kind], **more}


def changed(part: str, **keys: Any) -> Json:
    """The document with keys of its first node, task or target changed."""
    out = document()
    out[part][0].update(keys)
    return out


def refusal(told: Json | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read(told if isinstance(told, bytes) else json.dumps(told).encode())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_documented_keys_are_enough() -> None:
    instance = read(json.dumps(document(K=3)).encode())
    task = instance.pods[0]
    assert (instance.K, task.movable, task.gpu_spec, task.cost_gpu_seconds) == (3, True, "", 0.0)


def test_keys_that_nobody_knows_are_left_out() -> None:
    told = changed("pods", colour="green")
    assert read(json.dumps(told).encode()) == read(json.dumps(document()).encode())


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_is_read_the_same(seed: int) -> None:
    instance = world(seed)
    assert read(write(instance)) == instance


def test_a_file_is_named_when_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json"):
        read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "array"),
        (b"\xff\xfe", "instance"),
        (document(nodes=[{"name": "n0"}]), r"$.nodes[0]"),
        (document(K="three"), "$.K"),
        (document(K=-1), "K is -1"),
        (changed("nodes", gpus="two"), "$.nodes[0].gpus"),
        (changed("nodes", gpus=-2), "node n0: gpus is -2"),
        (changed("nodes", gpus=4096), "node n0: gpus is 4096"),
        (changed("nodes", cpu_milli=-1), "node n0: cpu_milli is -1"),
        (changed("nodes", memory_mib=-1), "node n0: memory_mib is -1"),
        (changed("nodes", lost_gpus=[2]), "node n0: it has GPUs 0 to 1, not (2,)"),
        (changed("nodes", lost_gpus=[-1]), "node n0: it has GPUs 0 to 1, not (-1,)"),
        (changed("nodes", cpu_milli=2**36 + 1), "node n0: cpu_milli is 68719476737, more than"),
        (changed("nodes", memory_mib=2**36 + 1), "node n0: memory_mib is 68719476737, more than"),
        (changed("pods", cpu_milli=2**36 + 1), "task t0: cpu_milli is 68719476737, more than"),
        (changed("pods", cost_gpu_seconds=2.0**37), "task t0: cost_gpu_seconds is 137438953472.0"),
        (changed("pods", cost_gpu_seconds=-0.5), "task t0: cost_gpu_seconds is -0.5, below 0"),
        (changed("target", cpu_milli=2**36 + 1), "target[0]: cpu_milli is 68719476737, more than"),
        (changed("pods", gpu_ids="0"), "$.pods[0].gpu_ids"),
        (changed("pods", cpu_milli=1.5), "$.pods[0].cpu_milli"),
        (changed("pods", cpu_milli=-1), "task t0: cpu_milli is -1"),
        (changed("pods", memory_mib=-5), "task t0: memory_mib is -5"),
        (changed("pods", num_gpu=-1), "task t0: num_gpu is -1"),
        (changed("pods", gpu_milli=-1), "task t0: gpu_milli is -1"),
        (changed("pods", gpu_milli=1001), "task t0: gpu_milli is 1001"),
        (changed("pods", gpu_milli=0), "task t0: num_gpu is 1"),
        (changed("pods", num_gpu=2, gpu_ids=[0, 1]), "task t0: 2 GPUs of 500"),
        (changed("pods", gpu_ids=[]), "task t0: 1 GPUs asked, 0"),
        (changed("pods", gpu_ids=[0, 0]), "task t0: 1 GPUs asked"),
        (changed("pods", gpu_ids=[2]), "task t0: n0 has GPUs 0 to 1"),
        (changed("pods", gpu_ids=[-1]), "task t0: n0 has GPUs 0 to 1"),
        (changed("pods", node="n1"), "task t0: no node is called n1"),
        (changed("pods", cpu_milli=8001), "node n0: tasks hold 8001 of 8000 milli-CPUs"),
        (changed("pods", memory_mib=9000), "node n0: tasks hold 9000 of 8192 MiB"),
        (changed("target", p=-0.5), "target[0]: p is -0.5"),
        (changed("target", num_gpu=-1), "target[0]: num_gpu is -1"),
        (changed("target", p="much"), "$.target[0].p"),
        (document(nodes=2 * document()["nodes"]), "node n0 is there twice"),
        (document(pods=2 * document()["pods"]), "task t0 is there twice"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(told: Json | bytes, says: str) -> None:
    assert says in refusal(told)


def test_the_largest_numbers_are_read() -> None:
    told = changed("nodes", cpu_milli=2**36, memory_mib=2**36, lost_gpus=[1])
    assert read(json.dumps(told).encode()).nodes[0].cpu_milli == 2**36


def test_two_tasks_may_not_hold_more_than_a_gpu() -> None:
    first = document()["pods"][0]
    second = {**first, "name": "t1", "gpu_milli": 501}
    assert "node n0: tasks hold 1001 thousandths of GPU 0" in refusal(
        document(pods=[first, second])
    )


def test_a_node_that_tells_no_processors_cannot_be_overfull() -> None:
    told = changed("nodes", cpu_milli=0, memory_mib=0)
    assert read(json.dumps(told).encode()).nodes[0].cpu_milli == 0


def test_models_are_separated_by_a_bar() -> None:
    task = pod("t0", "n0", (0,), gpu_spec="A100|H100", pools=("p",), off=("n1",))
    wish = wish_of(task)
    assert wish.models == {"A100", "H100"}
    assert (*wish.pools, *wish.off) == ("p", "n1")
    assert wish_of(target(spec="H100")).models == {"H100"}


def test_a_node_tells_what_requests_may_ask_for() -> None:
    kind = kind_of(node("n0", 4, "A100", labels=("fast",), tainted=True), frozenset({"fast"}))
    assert (kind.gpu_model, *kind.labels, kind.tainted, kind.gpus) == ("A100", "fast", True, 4)
