"""Whose a series is."""

from __future__ import annotations

import pytest

from analytics.backfill.places import Nodes, host_of

NAMES = {"10.0.0.1": "gpu-001"}


@pytest.mark.parametrize(
    ("labels", "node"),
    [
        ({"node": "a", "Hostname": "b", "instance": "c:1"}, "a"),
        ({"Hostname": "b", "instance": "c:1"}, "b"),
        ({"node": "", "instance": "c.example.org:9100"}, "c.example.org"),
        ({"instance": "10.0.0.1:9100"}, "gpu-001"),
        ({"instance": "10.0.0.2:9100"}, "10.0.0.2"),
        ({}, ""),
    ],
)
def test_a_label_names_the_node_else_its_address_does(labels: dict[str, str], node: str) -> None:
    assert Nodes(("node", "Hostname"), NAMES)(labels) == node


@pytest.mark.parametrize(
    ("instance", "host"),
    [("n1:9100", "n1"), ("n1", "n1"), ("[::1]:9100", "::1"), ("a:b", "a:b")],
)
def test_the_host_of_an_address(instance: str, host: str) -> None:
    assert host_of(instance) == host
