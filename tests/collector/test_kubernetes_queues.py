"""Queues of Kueue and Volcano as rows, in the shapes that their references document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.kubernetes_objects import parse
from collector.kubernetes_queues import (
    ClusterQueue,
    PodGroup,
    Queue,
    Workload,
    cluster_queue_rows,
    pod_group_row,
    volcano_queue_rows,
    workload_row,
)
from gpuledger.catalogue.work import Pool, Quota
from gpuledger.schema import FOREVER
from tests.collector.kube import GPU, ago, meta, owned, workload, world


def cluster_queue(**more: Any) -> tuple[Pool, Quota | None]:
    resources = [{"name": GPU, "nominalQuota": "16"}, {"name": "cpu", "nominalQuota": "500"}]
    group = {
        "coveredResources": [GPU, "cpu"],
        "flavors": [{"name": "h100", "resources": resources}],
    }
    body = {"metadata": meta("gpus", ""), "spec": {"resourceGroups": [group], **more}}
    return cluster_queue_rows(parse(json.dumps(body).encode(), ClusterQueue), world())


def test_a_cluster_queue_guarantees_its_nominal_quota() -> None:
    pool, quota = cluster_queue()
    assert (pool.pool, pool.state, pool.preemptible) == ("gpus", "up", 0)
    assert quota is not None
    assert (quota.guaranteed_milli, quota.limit_milli, quota.gpu_model) == (16_000, 16_000, "h100")


def test_a_cluster_queue_in_a_cohort_borrows_and_may_lose() -> None:
    pool, quota = cluster_queue(cohort="all")
    assert quota is not None
    assert (pool.preemptible, quota.parent, quota.limit_milli) == (1, "all", 0)
    assert cluster_queue(stopPolicy="Hold")[0].state == "inactive"


def test_a_queue_of_volcano() -> None:
    told = {
        "capability": {GPU: "64", "cpu": "900"},
        "guarantee": {"resource": {GPU: 8}},
        "reclaimable": False,
        "parent": "root",
    }
    body = {"metadata": meta("v", ""), "spec": told, "status": {"state": "Closed"}}
    pool, quota = volcano_queue_rows(parse(json.dumps(body).encode(), Queue), world())
    assert (pool.state, pool.preemptible) == ("inactive", 0)
    assert quota is not None
    assert (quota.guaranteed_milli, quota.limit_milli, quota.parent) == (8000, 64_000, "root")


def test_a_workload_of_pods_is_told_by_its_pods() -> None:
    body = workload("x", metadata={"ownerReferences": owned("Pod", "x")})
    assert workload_row(parse(json.dumps(body).encode(), Workload), world()) is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"status": {"conditions": [{"type": "QuotaReserved", "status": "False"}]}}, "Quota"),
        (
            {"status": {"conditions": [{"type": "QuotaReserved", "status": "True"}]}},
            "AdmissionChecks",
        ),
        (
            {
                "status": {
                    "conditions": [
                        {"type": "QuotaReserved", "status": "False", "reason": "Inadmissible"}
                    ]
                }
            },
            "Inadmissible",
        ),
        ({"spec": {"active": False}}, "Held"),
    ],
)
def test_why_a_workload_waits(told: dict[str, Any], reason: str) -> None:
    row = workload_row(parse(json.dumps(workload("x", **told)).encode(), Workload), world())
    assert row is not None
    assert (row.state, row.reason, row.eligible) == ("pending", reason, FOREVER)


def gang(phase: str, gpus: str = "8") -> PodGroup:
    told = {"minMember": 3, "minResources": {GPU: gpus, "cpu": "9"}, "queue": "gpus"}
    body = {"metadata": meta("g"), "spec": told, "status": {"phase": phase}}
    return parse(json.dumps(body).encode(), PodGroup)


def test_a_gang_waits_as_a_whole_until_it_is_let_in() -> None:
    row = pod_group_row(gang("Pending"), world())
    assert row is not None
    assert (row.nodes, row.gpus_per_node, row.pool, row.gang) == (3, 3, "gpus", "c/ml/g")
    assert (row.submitted, row.reason) == (ago(60), "Quota")
    assert pod_group_row(gang("Inqueue"), world()) is None
    assert pod_group_row(gang("Pending", "0"), world()) is None
