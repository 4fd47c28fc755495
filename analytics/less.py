"""A smaller request: what a detector says to ask for, and an advisor makes a command of."""

from __future__ import annotations

import msgspec

from analytics import evidence


class Less(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would do in place of a job's request; None or empty = as before.

    `gpus` are those of the whole job, or how many slices of `size` compute slices in their place;
    processors and GiB are those of each node.
    """

    gpus: int | None = None
    size: int | None = None
    model: str = ""
    cpus: int | None = None
    memory_gib: int | None = None

    @property
    def words(self) -> str:
        """`2 GPUs`, `one 1g slice`, `16 processors and 32 GiB of memory` …"""
        if self.size is not None:
            slices = f"{self.size}g slice{'s' * (self.gpus != 1)}"
            return f"{'one' if self.gpus == 1 else self.gpus} {slices}"
        told = (
            "" if self.gpus is None else evidence.counted(self.gpus, "GPU"),
            self.model,
            "" if self.cpus is None else f"{self.cpus} processors",
            "" if self.memory_gib is None else f"{self.memory_gib} GiB of memory",
        )
        return " and ".join(filter(None, told))


def text(less: Less) -> str:
    """As the column `asks` of findings holds it: a JSON object, empty where nothing is smaller."""
    return msgspec.json.encode(less).decode() if less != Less() else ""


def read(asks: str) -> Less:
    """The request of a finding."""
    return msgspec.json.decode(asks, type=Less) if asks else Less()
