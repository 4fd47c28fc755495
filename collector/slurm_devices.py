"""Which device file a Slurm ordinal means: the N-th GPU of a node, in the order of its gres.conf.

An IDX of `gres_detail` and a number in SLURM_JOB_GPUS count the node's GPUs in Slurm's own list:
that of gres.conf's File= entries as they are written, else the order on the PCI bus. Neither is
NVML's index, nor the minor number (the N of /dev/nvidiaN) that our book goes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gpuledger import hostlist
from gpuledger.errors import ConfigError

SHARED = ("shard", "mps")
EVERYWHERE = ""
TAIL = re.compile(r"(\d+)$")
CARD = re.compile(r"/nvidia\d+$")


@dataclass(frozen=True)
class Devices:
    """Minor numbers by node, in Slurm's order; a node that is not named counts as they come."""

    by_node: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    shared: bool = False

    def minor(self, node: str, ordinal: int) -> int | None:
        """The minor number of the node's GPU; None where the list ends before it."""
        known = self.of(node)
        if known is None:
            return ordinal
        return known[ordinal] if ordinal < len(known) else None

    def of(self, node: str) -> tuple[int, ...] | None:
        """The node's minor numbers, where they are known."""
        return self.by_node.get(node, self.by_node.get(EVERYWHERE))


def devices(gres_conf: str, told: Iterable[str] = ()) -> Devices:
    """What gres.conf's text says, and above it what the configuration tells as `nodes=minors`.

    ConfigError for a telling that cannot be read; a line of gres.conf that cannot is left out.
    """
    lines = [_keys(line) for line in gres_conf.replace("\\\n", " ").splitlines()]
    sorts = any(k.get("autodetect", "off").lower() not in {"off", ""} for k in lines)
    found: dict[str, list[int] | None] = {}
    for keys in lines:
        if keys.get("name", "").lower() == "gpu":
            _add(found, keys)
    known = {n: tuple(sorted(m) if sorts else m) for n, m in found.items() if m is not None}
    known.update(pair for one in told for pair in _told(one))
    return Devices(known, any(k.get("name", "").lower() in SHARED for k in lines))


def read_devices(path: Path, told: Iterable[str] = ()) -> Devices:
    """The same from a file; one that cannot be read says nothing."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        text = ""
    return devices(text, told)


def _add(found: dict[str, list[int] | None], keys: Mapping[str, str]) -> None:
    """Append one line's devices to the lists of its nodes; one without devices spoils them."""
    try:
        nodes = hostlist.expand(keys["nodename"]) if "nodename" in keys else [EVERYWHERE]
        minors = _minors(keys)
    except ValueError:
        return
    for node in nodes:
        before = found.setdefault(node, [])
        found[node] = None if before is None or minors is None else before + minors


def _minors(keys: Mapping[str, str]) -> list[int] | None:
    """Numbers of the device files in their order; of several files for one GPU that of the card."""
    if "multiplefiles" in keys:
        cards = [f for f in hostlist.expand(keys["multiplefiles"]) if CARD.search(f)]
        return _numbers(cards[:1])
    return _numbers(hostlist.expand(keys["file"])) if "file" in keys else None


def _numbers(files: Iterable[str]) -> list[int] | None:
    found = [TAIL.search(name) for name in files]
    numbers = [int(match[1]) for match in found if match]
    return numbers if numbers and len(numbers) == len(found) else None


def _keys(line: str) -> dict[str, str]:
    words = (word.partition("=") for word in line.partition("#")[0].split())
    return {key.lower(): value for key, _, value in words}


def _told(one: str) -> list[tuple[str, tuple[int, ...]]]:
    nodes, _, minors = one.rpartition("=")
    try:
        numbers = tuple(hostlist.indices(minors))
        return [(node, numbers) for node in hostlist.expand(nodes)]
    except ValueError:
        raise ConfigError(f"[slurm] ordinals: '{one}' is not like 'n[1-4]=0-3,5-7'") from None
