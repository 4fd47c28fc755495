"""Messages of the PodResources service, read from bytes that another writer made."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.podresources import Device, advertised, pods
from gpuledger.errors import ReadError
from tests.collector.kubelet import GPU, allocatable, claim, listing, plugin, pod


def test_pods_with_devices_of_plugins_and_of_claims() -> None:
    body = listing(pod("a", plugin(GPU, "x", "y"), claims=[claim("gpu.nvidia.com", "gpu-0")]))
    (told,) = pods(body)
    assert (told.namespace, told.name) == ("ml", "a")
    assert told.devices == {Device(GPU, "x"), Device(GPU, "y"), Device("gpu.nvidia.com", "gpu-0")}


def test_every_device_that_could_be_given_away() -> None:
    body = allocatable(plugin(GPU, "x"), plugin("rdma/hca", "mlx5_0"))
    assert advertised(body) == [Device(GPU, "x"), Device("rdma/hca", "mlx5_0")]


@given(st.binary(max_size=300))
def test_garbage_is_understood_or_is_a_failed_reading(body: bytes) -> None:
    try:
        assert isinstance(pods(body), list)
        assert isinstance(advertised(body), list)
    except ReadError:
        pass


@given(st.integers(0, 120))
def test_an_answer_cut_short_is_never_another_error(length: int) -> None:
    body = listing(pod("a", plugin(GPU, "x")), pod("b", plugin(GPU, "y")))
    with contextlib.suppress(ReadError):
        assert len(pods(body[:length])) <= 2


def test_a_name_that_is_no_text_is_a_failed_reading() -> None:
    with pytest.raises(ReadError):
        pods(listing(b"\x0a\x02\xff\xfe"))


def test_a_node_that_lists_its_sources_loads_no_grpc() -> None:
    code = (
        "import sys, collector.sources.pod_resources, collector.sources.kubernetes;"
        "print(sorted({'grpc', 'google.protobuf', 'kubernetes', 'yaml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
