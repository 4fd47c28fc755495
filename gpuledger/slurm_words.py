"""Slurm's words, as commands and accounting spell them: states, amounts, GPUs, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gpuledger import hostlist

MEBIBYTE = 1 << 20
MEMORY_UNITS = {"K": 1 << 10, "M": MEBIBYTE, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
STATES = {
    "PENDING": "pending",
    "RUNNING": "running",
    "SUSPENDED": "running",  # it keeps what it was given
    "COMPLETED": "completed",
    "CANCELLED": "cancelled",
    "PREEMPTED": "cancelled",
    "FAILED": "failed",
    "NODE_FAIL": "failed",
    "BOOT_FAIL": "failed",
    "OUT_OF_MEMORY": "failed",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
}
# Flags of 22.05, where one word is the whole state and its base is told apart by nothing else.
FLAGS = {
    "CONFIGURING": "running",
    "COMPLETING": "running",
    "STAGE_OUT": "running",
    "SIGNALING": "running",
    "STOPPED": "running",
    "RESIZING": "running",
    "REQUEUED": "pending",
    "REQUEUE_FED": "pending",
    "REQUEUE_HOLD": "pending",
    "SPECIAL_EXIT": "pending",
    "RESV_DEL_HOLD": "pending",
    "REVOKED": "cancelled",
    "POWER_UP_NODE": "running",  # it was given nodes that boot
    "LAUNCH_FAILED": "pending",  # these three are put back into the queue
    "RECONFIG_FAIL": "pending",
    "EXPEDITING": "pending",
}
# `gpu:h100:4(IDX:0-3)`, `gpu:8(S:0-1)`, `gres:gpu:2`, `gres/gpu:h100=8`, `gpu`, `shard:2(IDX:0)`
GRES = re.compile(
    r"^(?:gres[:/])?(?P<name>gpu|shard)(?::(?P<model>[^:=(]*[^:=(\d][^:=(]*))?(?:[:=](?P<count>\d+))?(?:\((?P<more>.*)\))?$"
)
IDX = re.compile(r"IDX:([\d,-]+)")
OF_EACH = re.compile(r"(\d+)/(\d+)")  # `shard:4(0/8,4/8)`: taken and whole, GPU by GPU
# A MIG profile as AutoDetect or an administrator names the type: `1g.10gb`, `a100_3g.20gb`
PROFILE = re.compile(r"(?:^|[_-])(\d)g\.\d+gb")
SLICES_OF_A_CARD = 7


@dataclass(frozen=True)
class Gres:
    """GPUs of one model, and their indices on the node where they are told.

    Of shards `count` counts shards, and `parts` has (taken, whole) of each GPU where it is told.
    """

    model: str
    count: int
    indices: tuple[int, ...] = ()
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def slices(self) -> int | None:
        """Sevenths of a card that each one is, where the model is a MIG profile."""
        found = PROFILE.search(self.model)
        return int(found[1]) if found else None


def words(value: Any) -> list[str]:
    """States and flags as upper-case words: `"IDLE"`, `["IDLE", "DRAIN"]`, `"IDLE+DRAIN"`."""
    parts = value if isinstance(value, list) else [value]
    text = "+".join(p for p in parts if isinstance(p, str))
    return [
        w.strip("*~#!%$@^-").upper() for w in re.split(r"[+,\s]+", text) if w.strip("*~#!%$@^-")
    ]


def text(value: Any) -> str:
    """A text; empty for anything else and for Slurm's own spellings of nothing."""
    return value if isinstance(value, str) and value not in {"(null)", "None", "N/A"} else ""


def job_state(value: Any) -> str | None:
    """Our word for a job's state; None for one that we do not know."""
    found = words(value)
    base = next((STATES[w] for w in found if w in STATES), None)
    return base or next((FLAGS[w] for w in found if w in FLAGS), None)


def gpus(told: Any, name: str = "gpu") -> list[Gres]:
    """The GPUs in a gres or TRES text, one entry per model; nothing where there are none."""
    out = []
    for part in _parts(text(told)):
        found = GRES.match(part)
        if found and found["name"] == name and int(found["count"] or 1):
            more = found["more"] or ""
            index = IDX.search(more)
            where = tuple(hostlist.indices(index[1].strip(",-"))) if index else ()
            parts = tuple((int(a), int(b)) for a, b in OF_EACH.findall(more))
            out.append(Gres(found["model"] or "", int(found["count"] or 1), where, parts))
    return out


def shards(told: Any) -> list[Gres]:
    """The shards of GPUs in a gres or TRES text."""
    return gpus(told, "shard")


def names(value: Any) -> list[str]:
    """Names of a list, or of a text with commas; nothing for Slurm's spellings of nothing."""
    parts = value if isinstance(value, list) else text(value).split(",")
    return [n for n in (text(p).strip() for p in parts) if n]


def duration_s(value: Any) -> int | None:
    """Seconds of `1-02:00:00` or `30:00`; None for UNLIMITED and the like."""
    days, _, rest = text(value).rpartition("-")
    parts = rest.split(":")
    if not all(p.isdigit() for p in [*parts, days or "0"]) or len(parts) not in {2, 3}:
        return None
    hours, minutes, seconds = ([0] * (3 - len(parts))) + [int(p) for p in parts]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def tres(told: Any) -> dict[str, int]:
    """Amounts by name of `cpu=8,mem=16G,node=2,gres/gpu=8`; memory in bytes."""
    out = {}
    for part in text(told).split(","):
        name, _, amount = part.partition("=")
        size = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)", amount.strip())
        if size:
            factor = MEMORY_UNITS.get(size[2], MEBIBYTE if name == "mem" else 1)
            out[name.strip()] = int(float(size[1]) * factor)
    return out


def _parts(told: str) -> list[str]:
    """The parts between commas that stand outside of parentheses."""
    marked = re.sub(r"\([^)]*\)", lambda m: m[0].replace(",", "\0"), told)
    return [p.replace("\0", ",").strip() for p in marked.split(",") if p.strip()]
