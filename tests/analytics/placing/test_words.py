"""Schedulers' words that placement goes by."""

from __future__ import annotations

import pytest

from analytics.placing import words
from gpuledger.waits import CAPACITY_REASONS


def test_demand_is_what_waits_count_as_capacity() -> None:
    assert frozenset(words.CAPACITY_REASONS) == CAPACITY_REASONS


@pytest.mark.parametrize(
    ("told", "wanted", "on", "off"),
    [
        ("", set(), set(), set()),
        ("ib,h100", {"ib", "h100"}, set(), set()),
        ("ib&nvme", {"ib", "nvme"}, set(), set()),
        ("[a|b]", set(), set(), set()),
        ("exclusive", set(), set(), set()),
        ("on:n1,on:n2,not:n3", set(), {"n1", "n2"}, {"n3"}),
        ("zone=a", {"zone=a"}, set(), set()),
        ("gpu In h100|a100", set(), set(), set()),
    ],
)
def test_only_what_a_job_certainly_insists_on_binds(
    told: str, wanted: set[str], on: set[str], off: set[str]
) -> None:
    found = words.constraints(told)
    assert (found.words, found.on, found.off) == (wanted, on, off)


def test_a_word_counts_where_some_node_tells_of_it_or_of_its_key() -> None:
    labels = [frozenset({"ib", "zone=a"}), frozenset()]
    assert words.known({"ib", "zone=b", "rack=1", "x"}, labels) == {"ib", "zone=b"}


@pytest.mark.parametrize(
    ("taints", "repels"),
    [
        ("", False),
        ("nvidia.com/gpu=present:NoSchedule", False),
        ("node.kubernetes.io/memory-pressure=:NoSchedule", True),
        ("node.kubernetes.io/memory-pressure=:PreferNoSchedule", False),
    ],
)
def test_only_a_nodes_own_condition_repels_for_certain(taints: str, *, repels: bool) -> None:
    assert words.repels(taints) is repels
