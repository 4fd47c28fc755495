"""The index: every spelling of a name leads to the mappings that know it."""

from __future__ import annotations

import pytest

from gpuledger.mapping_index import Index
from gpuledger.mapping_load import load, shipped

INDEX = Index([load(name) for name in shipped()], {"mine": ""})


@pytest.mark.parametrize("name", shipped())
def test_every_metric_of_a_mapping_is_found(name: str) -> None:
    exporter = load(name)
    assert all(exporter in INDEX.knowing(metric) for metric in exporter.feeds)


def test_a_name_may_have_lost_or_won_its_total() -> None:
    for spelled in ("node_network_receive_bytes", "node_network_receive_bytes_total"):
        found = INDEX.choose(spelled, "any")
        assert found
        assert found.name == "node-exporter"


def test_what_nobody_knows_is_nobodys_and_has_no_reason() -> None:
    assert INDEX.choose("my_metric", "any") is None
    assert INDEX.why_ignored("my_metric") == ""


def test_what_a_mapping_leaves_out_has_its_reason() -> None:
    assert "rate" in INDEX.why_ignored("DCGM_FI_PROF_PCIE_TX_BYTES")


def test_a_job_may_be_unwanted() -> None:
    assert INDEX.is_unwanted("mine")
    assert not INDEX.is_unwanted("any")
    assert INDEX.choose("DCGM_FI_DEV_GPU_UTIL", "mine") is None
