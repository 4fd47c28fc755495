"""Whoever hears of a pod comes to the same names."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gpuledger.accelerators import GPU_RESOURCES, any_labels, share_milli
from gpuledger.kubernetes_names import (
    GANGS,
    KUEUE_QUEUE,
    VOLCANO_QUEUE,
    gang,
    kind,
    native_id,
    owner_name,
    placing_labels,
    queue_of,
    quota_milli,
)


def test_lives_of_one_name_differ_by_their_uid() -> None:
    assert native_id("a", "p", "0123456789") == "a/p@01234567"
    assert native_id("a", "p", "") == "a/p"


@pytest.mark.parametrize("labels", GANGS, ids=lambda labels: labels[0])
def test_every_maker_of_gangs_is_known(labels: tuple[str, ...]) -> None:
    words = {name: f"g{i}" for i, name in enumerate(labels)}
    assert gang("a", words, "c") == "/".join(["c", "a", *words.values()])
    assert gang("a", dict(list(words.items())[1:]), "c") == ""


def test_a_local_queue_is_the_clusters_where_that_is_known() -> None:
    assert queue_of("a", {KUEUE_QUEUE: "q"}, {("a", "q"): "big"}) == "big"
    assert queue_of("b", {KUEUE_QUEUE: "q"}, {("a", "q"): "big"}) == "q"
    assert queue_of("a", {VOLCANO_QUEUE: "v"}, {}) == "v"


def test_who_made_a_pod_says_what_kind_it_is() -> None:
    assert kind("Job", {}) == "batch"
    assert kind("ReplicaSet", {}) == "service"
    assert kind("Notebook", {}) == "interactive"
    assert kind("Job", {"ray.io/serve": "x"}) == "service"
    assert kind("StatefulSet", {"notebook-name": "x"}) == "interactive"


def test_a_replica_set_is_its_deployment_and_a_hash() -> None:
    assert owner_name("ReplicaSet", "serve-7d4b9", "7d4b9") == "serve"
    assert owner_name("Job", "serve-7d4b9", "7d4b9") == "serve-7d4b9"


def test_only_labels_by_which_work_is_placed_are_told() -> None:
    labels = {"topology.kubernetes.io/zone": "a", "team": "x", "nvidia.com/gpu.product": "H100"}
    assert placing_labels(labels) == "nvidia.com/gpu.product=H100,topology.kubernetes.io/zone=a"


def test_the_least_limit_of_each_resource_counts_and_shares_count_in_part() -> None:
    hard = [
        ("requests.nvidia.com/gpu", Fraction(8)),
        ("requests.nvidia.com/gpu", Fraction(4)),
        ("requests.nvidia.com/mig-3g.40gb", Fraction(2)),
        ("limits.nvidia.com/gpu", Fraction(1)),
        ("requests.cpu", Fraction(400)),
    ]
    assert quota_milli(hard, GPU_RESOURCES, {}) == 4000 + 858
    assert quota_milli(hard[3:], GPU_RESOURCES, {}) is None


def test_a_share_that_waits_is_as_large_as_one_that_some_node_offers() -> None:
    nodes = {"n0": {}, "n1": {"nvidia.com/gpu.replicas": "4"}}
    shared = "nvidia.com/gpu.shared"
    assert share_milli(shared, any_labels(shared, nodes)) == 250
    assert share_milli("nvidia.com/gpu", any_labels("nvidia.com/gpu", nodes)) == 1000
