"""Names that kube-state-metrics had to spell otherwise, turned back."""

from __future__ import annotations

import pytest

from analytics.facts.words import KNOWN, Words, mangled, resource, told
from gpuledger.accelerators import GPU_RESOURCES, is_gpu


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("nvidia_com_gpu", "nvidia.com/gpu"),
        ("nvidia_com_gpu_shared", "nvidia.com/gpu.shared"),
        ("nvidia_com_mig_1g_10gb", "nvidia.com/mig-1g.10gb"),
        ("nvidia_com_mig_1g_10gb_me", "nvidia.com/mig-1g.10gb.me"),
        ("nvidia_com_mig_1c_2g_10gb", "nvidia.com/mig-1c.2g.10gb"),
        ("amd_com_gpu", "amd.com/gpu"),
        ("gpu_intel_com_i915", "gpu.intel.com/i915"),
        ("habana_ai_gaudi", "habana.ai/gaudi"),
    ],
)
def test_resources_have_their_own_names_again(spelled: str, name: str) -> None:
    assert resource(spelled) == name
    assert mangled(name) == spelled
    assert is_gpu(name, GPU_RESOURCES)


@pytest.mark.parametrize("name", ["cpu", "memory", "nvidia.com/gpu", "hugepages_2Mi", ""])
def test_other_resources_stay(name: str) -> None:
    assert resource(name) == name


def test_labels_that_we_know_have_their_own_names_again() -> None:
    labels = {f"label_{mangled(name)}": "x" for name in KNOWN}
    assert set(Words().of({**labels, "label_other": "y", "pod": "p"})) == set(KNOWN)


def test_a_label_that_is_configured_is_known() -> None:
    assert Words(["example.com/team"]).of({"label_example_com_team": "a"}) == {
        "example.com/team": "a"
    }


def test_what_the_exporter_said_outweighs_what_prometheus_added() -> None:
    assert told({"pod": "own", "exported_pod": "other"}, "pod") == "other"
    assert told({"pod": "own"}, "pod") == "own"
    assert told({}, "pod") == ""
