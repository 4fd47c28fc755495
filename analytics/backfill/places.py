"""Which node a series is about, where the exporter, its address or the kernel's name tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from analytics.backfill.prometheus import Prometheus

# What node_exporter tells of the node under its address.
UNAME, NODENAME = "node_uname_info", "nodename"

Labels = Mapping[str, str]


class Nodes:
    """Names of nodes: a label that says it, the name behind the address, or the address' host."""

    def __init__(self, labels: Sequence[str], names: Mapping[str, str]) -> None:
        self._labels = labels
        self._names = names

    def __call__(self, labels: Labels) -> str:
        """The node; empty where nothing says it."""
        told = next((labels[n] for n in self._labels if labels.get(n)), "")
        if told:
            return told
        host = host_of(labels.get("instance", ""))
        return self._names.get(host) or host


def kernel_names(prometheus: Prometheus, since_ms: int, until_ms: int) -> dict[str, str]:
    """Host of each address to the name that the kernel there goes by, where it is only a number."""
    found = prometheus.labels(UNAME, since_ms, until_ms)
    told = {host_of(labels.get("instance", "")): labels.get(NODENAME, "") for labels in found}
    return {host: name for host, name in told.items() if name and is_number(host)}


def host_of(instance: str) -> str:
    """`n1` of `n1:9100`."""
    host, colon, port = instance.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else instance


def is_number(host: str) -> bool:
    """Whether it is an address, which is no name for a node."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
