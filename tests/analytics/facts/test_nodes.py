"""Nodes, quotas, and why pods wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuledger.catalogue.work import Job, NodeState, Quota
from gpuledger.schema import FOREVER
from tests.analytics.facts.pages import OTHER_UID, Node, page, quota
from tests.analytics.facts.test_facts import RUNNING, at, say
from tests.analytics.facts.world import Book

PENDING = replace(RUNNING, phase="Pending", node="", scheduled=None, unschedulable=True, gpus=4)


def states(book: Book) -> list[tuple[str, object, object]]:
    """State, beginning and end of a node, in order."""
    found = sorted(book.of(NodeState), key=lambda n: n.valid_from)
    return [(n.state, n.valid_from, n.valid_to) for n in found]


def test_a_node_says_what_it_has() -> None:
    taint = ("nvidia.com/gpu", "present", "NoSchedule")
    labels = {"label_topology_kubernetes_io_zone": "a", "label_team": "x"}
    book = Book()
    book.take(Node(taints=(taint,), labels=labels).page(), at(0))
    (row,) = book.of(NodeState)
    assert (row.node, row.gpus, row.gpu_model) == ("n0", 8, "NVIDIA-H100-80GB-HBM3")
    assert (row.cpu_milli, row.memory_bytes) == (192_000, 2 << 40)
    assert (row.rack, row.taints) == ("a", "nvidia.com/gpu=present:NoSchedule")
    assert row.labels == (
        "nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3,topology.kubernetes.io/zone=a"
    )


def test_a_node_without_accelerators_is_left_out() -> None:
    book = Book()
    book.take(Node(gpus=0, labels={"label_nvidia_com_gpu_product": ""}).page(), at(0))
    assert book.of(NodeState) == []


def test_a_cordon_lasts_from_the_reading_that_shows_it_to_the_one_that_does_not() -> None:
    book = Book()
    say(book, Node().page(), 0, 9)
    say(book, Node(cordoned=True).page(), 10, 19)
    say(book, Node().page(), 20, 25)
    assert states(book) == [
        ("up", at(0), at(10)),
        ("drained", at(10), at(20)),
        ("up", at(20), FOREVER),
    ]


@pytest.mark.parametrize("ready", ["false", "unknown"])
def test_a_node_that_is_not_ready_is_down(ready: str) -> None:
    book = Book()
    say(book, Node().page(), 0, 9)
    say(book, Node(ready=ready, cordoned=True).page(), 10, 12)
    assert states(book)[-1] == ("down", at(10), FOREVER)


def test_a_node_that_is_gone_was_there_until_it_was_last_seen() -> None:
    book = Book()
    say(book, page(Node().page(), Node("n1").page()), 0, 9)
    say(book, Node("n1").page(), 10, 20)
    ended = {n.node: n.valid_to for n in book.of(NodeState)}
    assert ended == {"n0": at(9), "n1": FOREVER}


def test_a_late_reading_does_not_turn_a_node_back() -> None:
    book = Book()
    say(book, Node().page(), 0, 9)
    say(book, Node(cordoned=True).page(), 12, 14)
    book.take(Node().page(), at(10))
    say(book, Node(cordoned=True).page(), 15, 16)
    assert states(book) == [("up", at(0), at(12)), ("drained", at(12), FOREVER)]


def test_a_quota_limits_its_namespace_until_it_is_gone() -> None:
    book = Book()
    limit = quota("vision", "requests.nvidia.com/gpu", 16)
    cpu = quota("vision", "limits.cpu", 400)
    say(book, page(limit, cpu, Node().page()), 0, 9)
    (row,) = book.of(Quota)
    assert (row.team, row.queue, row.limit_milli) == ("vision", "", 16_000)
    say(book, Node().page(), 10, 20)
    assert [q.limit_milli for q in book.of(Quota)] == [0]


def test_a_quota_of_no_gpus_is_no_missing_quota() -> None:
    book = Book()
    book.take(page(quota("vision", "requests.nvidia.com/gpu", 0)), at(0))
    assert [q.limit_milli for q in book.of(Quota)] == [1]


def test_a_pod_waits_for_capacity_only_where_no_node_has_room() -> None:
    busy = replace(RUNNING, uid=OTHER_UID, name="busy", gpus=6)
    full, empty = Book(), Book()
    say(full, page(Node().page(), busy.page(), PENDING.page()), 0, 3)
    say(empty, page(Node().page(), PENDING.page()), 0, 3)
    reasons = [
        [(j.reason, j.eligible) for j in book.of(Job) if j.state == "pending"]
        for book in (full, empty)
    ]
    assert reasons == [[("Resources", at(-2))], [("Unschedulable", FOREVER)]]


def test_a_pod_behind_a_gate_does_not_wait_for_capacity() -> None:
    gated = replace(PENDING, unschedulable=False, reason="SchedulingGated")
    book = Book()
    say(book, page(Node().page(), gated.page()), 0, 3)
    (job,) = book.of(Job)
    assert (job.state, job.reason, job.eligible) == ("pending", "SchedulingGated", FOREVER)
    say(book, page(Node().page(), replace(gated, reason="").page()), 4, 6)
    (job,) = book.of(Job)
    assert (job.reason, job.eligible) == ("", at(4))


def test_a_pod_that_was_evicted_was_cancelled() -> None:
    book = Book()
    say(book, RUNNING.page(), 0, 3)
    say(book, replace(RUNNING, phase="Failed", reason="Evicted").page(), 4, 5)
    assert [(j.state, j.ended) for j in book.of(Job)] == [("cancelled", at(4))]
