"""Fragmentation by topology: gangs that find no domain, tasks that find no NVLink group.

Of gangs of N whole nodes that must stay below one switch, with e nodes empty in each domain d,

    T(N) = 1 - N * (sum over d of floor(e_d / N)) / (sum over d of e_d),

the share of empty nodes that no such gang could use; inside a node the same with groups of GPUs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

# How two GPUs of one group are joined (column `path` of `gpu_links`); further is across the host.
CLOSE = frozenset({"nvlink", "internal", "switch"})
SWITCH = "switch"


def gangs(domains: Iterable[str], size: int) -> float | None:
    """T(size), of the domain of each empty node; None where no node is empty, or size is 0.

    A node whose domain nobody told is below a switch of its own: no gang is promised to it.
    """
    named, alone = Counter[str](), 0
    for domain in domains:
        if domain:
            named[domain] += 1
        else:
            alone += 1
    return scattered([*named.values(), *[1] * alone], size)


def scattered(free: Sequence[int], size: int) -> float | None:
    """Share of what is free in parts that no request of `size` within one part could use."""
    total = sum(free)
    if not total or size < 1:
        return None
    return 1 - size * sum(part // size for part in free) / total


def groups(slots: Sequence[int], links: Iterable[Mapping[str, object]]) -> list[tuple[int, ...]]:
    """GPUs of a node that are joined by NVLink or one PCIe switch; none where nobody told links.

    `links` have `slot`, `peer` (a slot, or `switch` for NVSwitches), `path` and `nvlinks`.
    """
    parent: dict[str, str] = {str(slot): str(slot) for slot in slots}
    told = False
    for link in links:
        told = True
        near = link["nvlinks"] or link["path"] in CLOSE
        if near:
            parent.setdefault(str(link["peer"]), str(link["peer"]))
            parent.setdefault(str(link["slot"]), str(link["slot"]))
            parent[_root(parent, str(link["slot"]))] = _root(parent, str(link["peer"]))
    if not told:
        return []
    found: dict[str, list[int]] = {}
    for slot in sorted(slots):
        found.setdefault(_root(parent, str(slot)), []).append(slot)
    return sorted(tuple(group) for group in found.values())


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        name = parent[name]
    return name
