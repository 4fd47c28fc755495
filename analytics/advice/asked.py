"""What a finding says to ask for the next time, as numbers, from the sentence that is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The sentences of the detectors overprovisioned, partial_idle and overprovisioned_host.
_SLICE = re.compile(r"Ask for (?:one|(\d+)) (\d)g slices? the next time")
_GPUS = re.compile(r"[Aa]sk for (\d+) GPUs?(?: the)?(?: next time|\.)")
_CPUS = re.compile(r"Ask for (\d+) processors")
_MEMORY = re.compile(r"Ask for (?:\d+ processors and )?(\d+) GiB of memory")
_MODEL = re.compile(r"Ask for (.+) the next time: what it did has room there\.", re.DOTALL)


@dataclass(frozen=True)
class Less:
    """A smaller request; None or empty = as before.

    `gpus` are those of the whole job, or how many slices of `size` compute slices in their place;
    processors and GiB are those of each node.
    """

    gpus: int | None = None
    size: int | None = None
    model: str = ""
    cpus: int | None = None
    memory_gib: int | None = None


def read(action: str) -> Less:
    """The request that the sentence of a finding advises."""
    if found := _SLICE.match(action):
        return Less(gpus=int(found[1] or 1), size=int(found[2]))
    if found := _GPUS.search(action):
        return Less(gpus=int(found[1]))
    cpus, memory = _CPUS.match(action), _MEMORY.match(action)
    if cpus or memory:
        return Less(
            cpus=int(cpus[1]) if cpus else None, memory_gib=int(memory[1]) if memory else None
        )
    found = _MODEL.match(action)
    return Less(model=found[1]) if found else Less()
