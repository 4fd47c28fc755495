"""Mappings of servers of models, schedulers, stores and hosts: what their lists become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from collector.exposition import Interest, Page
from gpuledger.catalogue import (
    BlockSample,
    FilesystemSample,
    HostSample,
    NetfsSample,
    NetworkSample,
    ObjectStoreSample,
    QueueSample,
    ServingSample,
    TcpSample,
)
from gpuledger.mapping import Mapped, Place, Reading
from gpuledger.mapping_load import load
from gpuledger.schema import Row

PAGES = Path(__file__).parent / "mappings"
KIB = 1 << 10


def page(name: str, only: Iterable[str] = ()) -> Mapped:
    """What an exporter's list becomes; of the metrics that begin with one of `only`, if any."""
    read = Page((PAGES / f"{name}.prom").read_bytes(), lambda _: Interest.READ)
    begins = tuple(only) or ("",)
    return load(name).rows(
        [r for r in read.readings if r.name.startswith(begins)], Place(interval_s=15.0)
    )


def rows(mapped: Mapped, kind: type[Row], *key: str) -> dict[Any, dict[str, Any]]:
    """Rows of a kind by their key: one column, or several as a tuple."""
    found = [row.__dict__ for row in mapped.rows if isinstance(row, kind)]
    return {tuple(r[k] for k in key) if len(key) > 1 else r[key[0]]: r for r in found}


def picked(row: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return {column: row[column] for column in expected}


SERVING: list[tuple[str, str, dict[str, Any]]] = [
    (
        "vllm",
        "llama-3-70b",
        {
            "service": "vllm",
            "running_requests": 7,
            "waiting_requests": 3,
            "kv_cache_ratio": 0.5,
            "prompt_tokens": 300_000,
            "generated_tokens": 90_000,
            "preemptions": 11,
            "first_token_seconds": 25.0,
            "request_seconds": 500.5,
            "queue_seconds": 7.0,
        },
    ),
    (
        "tgi",
        "",
        {
            "service": "tgi",
            "requests": 90,
            "failed_requests": 9,
            "running_requests": 6,
            "waiting_requests": 2,
            "prompt_tokens": 40_000,
            "generated_tokens": 20_000,
            "request_seconds": 180.5,
            "queue_seconds": 4.5,
            "first_token_seconds": None,
        },
    ),
    (
        "triton",
        "resnet/1",
        {
            "service": "triton",
            "requests": 100,
            "failed_requests": 8,
            "request_seconds": 2.5,
            "queue_seconds": 0.125,
            "kv_cache_ratio": None,
        },
    ),
    (
        "triton",
        "ensemble/1",
        {
            "running_requests": 5,
            "waiting_requests": 7,
            "kv_cache_ratio": 0.5,
            "prompt_tokens": 30_000,
            "generated_tokens": 10_000,
        },
    ),
    ("triton", "vllm_model/1", {"prompt_tokens": 5_000, "first_token_seconds": 2.25}),
    ("kserve", "iris", {"requests": 62, "failed_requests": 7, "request_seconds": 9.0}),
    ("knative-queue-proxy", "iris", {"requests": 62, "failed_requests": 7, "request_seconds": 8.5}),
]


@pytest.mark.parametrize(("name", "model", "expected"), SERVING)
def test_a_served_model_is_told_in_base_units(
    name: str, model: str, expected: dict[str, Any]
) -> None:
    row = rows(page(name), ServingSample, "model")[model]
    assert picked(row, expected) == expected


def test_requests_that_clients_broke_off_are_neither_answered_nor_failed() -> None:
    row = rows(page("vllm"), ServingSample, "model")["llama-3-70b"]
    assert (row["requests"], row["failed_requests"]) == (62, 4)


@pytest.mark.parametrize("spelled", ["vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"])
def test_cache_use_of_either_vllm_is_a_ratio(spelled: str) -> None:
    [row] = load("vllm").rows([Reading(spelled, {"model_name": "m"}, 0.25)], Place()).rows
    assert row.__dict__["kv_cache_ratio"] == 0.25


def test_what_a_server_does_not_tell_is_missing() -> None:
    row = rows(page("vllm", ["vllm:num_requests"]), ServingSample, "model")["llama-3-70b"]
    assert row["running_requests"] == 7
    assert row["kv_cache_ratio"] is None
    assert row["requests"] is None


def test_a_target_may_tell_the_model_and_the_instance() -> None:
    told = [Reading("tgi_queue_size", {"model": "falcon", "instance": "n1:8080"}, 3)]
    [row] = load("tgi").rows(told, Place()).rows
    assert (row.__dict__["model"], row.__dict__["instance"]) == ("falcon", "n1:8080")


def test_a_cluster_queue_adds_up_flavors_and_leaves_out_slices() -> None:
    expected = {
        "scheduler": "kueue",
        "allocated_gpus": 12,
        "quota_gpus": 24,
        "pending_workloads": 7,
        "admitted_workloads": 5,
        "evicted_workloads": 7,
        "project": "",
    }
    assert picked(rows(page("kueue"), QueueSample, "queue")["research"], expected) == expected


def test_a_local_queue_is_a_row_with_its_namespace() -> None:
    row = rows(page("kueue"), QueueSample, "queue")["team"]
    expected = {"project": "ml", "allocated_gpus": 8, "pending_workloads": 2, "quota_gpus": None}
    assert picked(row, expected) == expected


def test_a_runai_project_may_hold_parts_of_gpus() -> None:
    row = rows(page("nvidia-runai"), QueueSample, "project")["vision"]
    expected = {"allocated_gpus": 6.5, "quota_gpus": 8, "utilization_ratio": 0.75}
    assert picked(row, expected) == expected


def test_a_runai_project_without_a_quota_has_none() -> None:
    mapped = page("nvidia-runai")
    assert rows(mapped, QueueSample, "project")["speech"]["quota_gpus"] is None
    assert [d.reading for d in mapped.doubts] == ["quota_gpus"]


def test_a_resource_quota_adds_up_vendors_and_leaves_out_slices() -> None:
    row = rows(page("kube-state-metrics"), QueueSample, "queue")["gpus"]
    expected = {"project": "ml", "allocated_gpus": 11, "quota_gpus": 24}
    assert picked(row, expected) == expected


def test_lustre_adds_up_mounts_of_one_filesystem_and_leaves_out_servers() -> None:
    told = rows(page("lustre-exporter"), NetfsSample, "mount", "operation")
    assert {mount for mount, _ in told} == {"scratch", "home"}
    assert (
        told["scratch", "read"]["operations"],
        told["scratch", "read"]["read_bytes"],
        told["scratch", "write"]["write_bytes"],
        told["scratch", "getattr"]["operations"],
    ) == (11, 5120, 8192, 14)


def test_room_on_lustre_is_in_bytes_and_counted_once() -> None:
    row = rows(page("lustre-exporter"), FilesystemSample, "mount")["scratch"]
    expected = {
        "size_bytes": 1000 * KIB,
        "available_bytes": 400 * KIB,
        "inodes": 10_000,
        "inodes_free": 9_000,
        "filesystem": "lustre",
    }
    assert picked(row, expected) == expected


def test_gpfs_tells_each_operation_of_each_filesystem() -> None:
    told = rows(page("gpfs-exporter"), NetfsSample, "mount", "operation")
    assert told["scratch", "read"]["read_bytes"] == 205607400434
    assert told["project", "write"]["write_bytes"] == 3
    assert {operation for _, operation in told} == {
        "read", "write", "open", "close", "readdir", "inode_update",
    }  # fmt: skip


def test_room_on_gpfs_is_what_is_free() -> None:
    row = rows(page("gpfs-exporter"), FilesystemSample, "mount")["scratch"]
    expected = {"size_bytes": 3000, "available_bytes": 1000, "inodes": 500, "inodes_free": 70}
    assert picked(row, expected) == expected


STORES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("minio", "minio", "", {"size_bytes": 1e12, "free_bytes": 5e12, "requests": 123, "errors": 4}),
    ("minio", "minio", "", {"read_bytes": 7300, "write_bytes": 540, "objects": 4000}),
    ("minio", "minio", "datasets", {"size_bytes": 9e11, "requests": 66, "read_bytes": 6000}),
    ("minio-v3", "minio", "", {"size_bytes": 1e12, "free_bytes": 5e12, "requests": None}),
    ("minio-v3", "minio/minio-1:9000", "", {"requests": 120, "errors": 2, "read_bytes": 7000}),
    ("minio-v3", "minio/minio-1:9000", "datasets", {"read_bytes": 6000, "write_bytes": 400}),
    ("ceph-rgw", "ceph/rgw.old.node-1", "", {"requests": 500, "errors": 5, "read_bytes": 7000}),
    ("ceph-rgw", "ceph/ljmzwu", "", {"requests": 60, "errors": 6, "write_bytes": 50}),
    ("ceph-rgw", "ceph/ljmzwu", "datasets", {"requests": 60, "read_bytes": 300}),
    ("ceph-rgw", "ceph", "datasets", {"size_bytes": 9000, "objects": 12, "requests": None}),
    ("radosgw-usage-exporter", "us-east", "datasets", {"requests": 120, "read_bytes": 7000}),
    ("radosgw-usage-exporter", "us-east", "datasets", {"size_bytes": 9000, "errors": None}),
    ("cloudwatch-s3", "s3", "datasets", {"size_bytes": 9e9, "latency_seconds": 0.0125}),
    ("cloudwatch-s3", "123456789012", "models", {"size_bytes": 9e9, "latency_seconds": 0.025}),
    ("cloudwatch-s3", "s3", "datasets", {"objects": 42, "requests": None, "read_bytes": None}),
    ("gcs", "p", "datasets", {"size_bytes": 9e9, "objects": 42, "requests": None}),
    ("azure-blob", "datasets", "", {"size_bytes": 9e9, "objects": 42, "write_bytes": None}),
]


@pytest.mark.parametrize(("name", "store", "bucket", "expected"), STORES)
def test_a_store_or_bucket_is_told_in_base_units_and_no_period_is_a_count(
    name: str, store: str, bucket: str, expected: dict[str, Any]
) -> None:
    row = rows(page(name), ObjectStoreSample, "store", "bucket_name")[store, bucket]
    assert picked(row, expected) == expected


def test_network_devices_are_those_with_hardware_behind_them() -> None:
    told = rows(page("node-exporter"), NetworkSample, "device")
    assert {device: row["kind"] for device, row in told.items()} == {
        "eth0": "ethernet",
        "enp1s0f0np0": "ethernet",
        "mlx5_0/1": "infiniband",
        "rocep1s0f0/1": "roce",
    }


def test_errors_of_a_network_device_are_all_that_was_lost() -> None:
    told = rows(page("node-exporter"), NetworkSample, "device")
    expected = {"receive_errors": 4, "transmit_errors": 4, "speed_bytes_per_second": 1.25e9}
    assert picked(told["eth0"], expected) == expected


def test_a_port_has_its_speed_and_errors() -> None:
    row = rows(page("node-exporter"), NetworkSample, "device")["mlx5_0/1"]
    expected = {"speed_bytes_per_second": 5e10, "constraint_errors": 4, "completion_errors": 4}
    assert picked(row, expected) == expected
    assert row["up_ratio"] is None


def test_a_network_device_without_a_speed_has_none() -> None:
    told = [Reading("node_network_speed_bytes", {"device": "eth0"}, -125_000)]
    told += [Reading("node_network_up", {"device": "eth0"}, 0)]
    mapped = load("node-exporter").rows(told, Place())
    assert mapped.rows[0].__dict__["speed_bytes_per_second"] is None
    assert [d.reading for d in mapped.doubts] == ["speed_bytes_per_second"]


def test_disks_are_whole_ones() -> None:
    told = rows(page("node-exporter"), BlockSample, "device")
    assert set(told) == {"nvme0n1", "sda", "vda", "dm-0"}


def test_filesystems_are_local_ones_and_no_inodes_are_missing() -> None:
    told = rows(page("node-exporter"), FilesystemSample, "mount")
    assert {m: (r["inodes"], r["inodes_free"]) for m, r in told.items()} == {
        "/": (1000, 900),
        "/data": (None, None),
    }


def test_a_host_has_no_share_that_one_metric_does_not_tell() -> None:
    [row] = [r.__dict__ for r in page("node-exporter").rows if isinstance(r, HostSample)]
    expected = {"load1": 3.25, "memory_total_bytes": 64 << 30, "cpu_busy_ratio": None}
    assert picked(row, expected) == expected


def test_tcp_and_nfs_have_rows() -> None:
    mapped = page("node-exporter")
    [tcp] = [r.__dict__ for r in mapped.rows if isinstance(r, TcpSample)]
    assert tcp["retransmits"] == 2
    nfs = rows(mapped, NetfsSample, "mount", "operation")
    assert nfs["filer:/home", "WRITE"]["total_seconds"] == 3
    assert nfs["filer:/home", "application"]["read_bytes"] == 4


def test_what_was_read_of_a_real_exporter_is_said_to_be() -> None:
    assert load("node-exporter").file.seen_live
    assert not load("vllm").file.seen_live
