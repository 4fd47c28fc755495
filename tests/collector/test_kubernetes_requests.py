"""What pods ask for and nodes offer, by the documented rules."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from collector.kubernetes_objects import PodSpec, parse
from collector.kubernetes_requests import Request, request
from gpuledger.accelerators import cards, model, offers, share_milli
from tests.collector.kube import GPU, RESOURCES

GIB = 1 << 30


def asked(*containers: Any, **more: Any) -> Request:
    body = {"containers": list(containers), **more}
    return request(parse(json.dumps(body).encode(), PodSpec), RESOURCES)


def box(cpu: str = "0", memory: str = "0", gpus: int = 0, **more: Any) -> dict[str, Any]:
    amounts = {"cpu": cpu, "memory": memory, **({GPU: gpus} if gpus else {})}
    return {"resources": {"requests": amounts}, **more}


def test_containers_add_up() -> None:
    found = asked(box("500m", "1Gi", 2), box("1", "2Gi", 1))
    assert found == Request(3, GPU, Fraction(3, 2), Fraction(3 * GIB))


def test_an_init_container_counts_where_it_asks_for_more() -> None:
    found = asked(box("1", "1Gi", 1), initContainers=[box("4", "512Mi"), box("2", "8Gi", 2)])
    assert found == Request(2, GPU, Fraction(4), Fraction(8 * GIB))


def test_a_sidecar_runs_beside_the_others_and_beside_later_init_containers() -> None:
    sidecar = box("1", "1Gi", restartPolicy="Always")
    found = asked(box("2", "1Gi", 1), initContainers=[box("4"), sidecar, box("3", "4Gi")])
    assert (found.cpu, found.memory) == (4, 5 * GIB)
    found = asked(box("2", "1Gi", 1), initContainers=[sidecar])
    assert (found.cpu, found.memory) == (3, 2 * GIB)


def test_overhead_comes_on_top_and_a_pods_own_amounts_replace() -> None:
    told = {"requests": {"cpu": "8"}}
    found = asked(box("1", "1Gi", 1), overhead={"cpu": "250m"}, resources=told)
    assert (found.gpus, found.cpu, found.memory) == (1, Fraction(33, 4), GIB)


def test_a_limit_alone_is_the_request() -> None:
    assert asked({"resources": {"limits": {GPU: "4", "cpu": 2}}}) == Request(4, GPU, Fraction(2))


def test_other_resources_are_no_gpus() -> None:
    assert asked({"resources": {"limits": {"rdma/hca": "1"}}}, {}).gpus == 0


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-80GB-HBM3"),
        ("NVIDIA-H100-80GB-HBM3-SHARED", "NVIDIA-H100-80GB-HBM3"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "NVIDIA-A100-SXM4-40GB"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED", "NVIDIA-A100-SXM4-40GB"),
    ],
)
def test_a_model_without_what_is_said_of_slices(told: str, name: str) -> None:
    assert model({"nvidia.com/gpu.product": told}) == name


def test_models_of_other_makers_and_clouds() -> None:
    assert model({"amd.com/gpu.product-name": "AMD_Instinct_MI300X"}) == "AMD_Instinct_MI300X"
    assert model({"cloud.google.com/gke-accelerator": "nvidia-l4"}) == "nvidia-l4"
    assert model({}) == ""


def test_shares_of_slices_and_replicas() -> None:
    assert share_milli(GPU, {}) == 1000
    assert share_milli("nvidia.com/mig-3g.40gb", {}) == 429
    assert share_milli("nvidia.com/gpu.shared", {"nvidia.com/gpu.replicas": "4"}) == 250
    single = {"nvidia.com/gpu.product": "NVIDIA-A30-MIG-1g.6gb"}
    assert share_milli(GPU, single) == 250
    gke = {"cloud.google.com/gke-max-shared-clients-per-gpu": "2"}
    assert share_milli(GPU, gke) == 500
    assert share_milli(GPU, {**gke, "cloud.google.com/gke-gpu-partition-size": "1g.5gb"}) == 72
    assert share_milli(GPU, {"nvidia.com/gpu.replicas": "many"}) == 1000


@pytest.mark.parametrize(
    ("capacity", "labels", "count"),
    [
        ({GPU: 8}, {}, 8),
        ({GPU: 32}, {"nvidia.com/gpu.count": "8", "nvidia.com/gpu.replicas": "4"}, 8),
        ({GPU: 32}, {"nvidia.com/gpu.replicas": "4"}, 8),
        ({"nvidia.com/mig-3g.40gb": 16}, {}, 8),
        ({"nvidia.com/mig-1g.10gb": 7, GPU: 7}, {}, 8),
        (
            {GPU: 56},
            {
                "nvidia.com/gpu.count": "56",
                "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
            },
            8,
        ),
        ({"cpu": 8}, {}, 0),
        ({GPU: 8}, {"nvidia.com/gpu.count": "x"}, 8),
        ({GPU: 10**9}, {}, 1000),
    ],
)
def test_cards_of_a_node(capacity: dict[str, int], labels: dict[str, str], count: int) -> None:
    amounts = {name: Fraction(amount) for name, amount in capacity.items()}
    assert cards(amounts, labels, RESOURCES) == count


def test_offers_name_slices_and_shares_only() -> None:
    told = {GPU: 6, "nvidia.com/mig-1g.10gb": 7, "nvidia.com/gpu.shared": 0, "cpu": 4}
    assert offers({n: Fraction(v) for n, v in told.items()}, RESOURCES) == "mig-1g.10gb=7"
