"""Slurm's JSON of 22.05 (OpenAPI v0.0.38) to 25.x in one shape: plain values, or None.

Newer versions wrap numbers in {"set", "infinite", "number"}, make lists of states, and moved
fields; every difference is known in this file alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from collector import hostlist

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
}
DOWN = {"DOWN", "FAIL", "FAILING", "ERROR", "NOT_RESPONDING", "INVALID_REG", "UNKNOWN", "FUTURE"}
DRAINED = {"DRAIN", "DRAINED", "DRAINING", "MAINTENANCE", "MAINT"}
# `gpu:h100:4(IDX:0-3)`, `gpu:8(S:0-1)`, `gres:gpu:2`, `gres/gpu:h100=8`, `gpu`
GRES = re.compile(
    r"^(?:gres[:/])?gpu(?::(?P<model>[^:=(]*[^:=(\d][^:=(]*))?(?:[:=](?P<count>\d+))?(?:\((?P<more>.*)\))?$"
)
IDX = re.compile(r"IDX:([\d,-]+)")


@dataclass(frozen=True)
class Gres:
    """GPUs of one model, and their indices on the node where they are told."""

    model: str
    count: int
    indices: tuple[int, ...] = ()


def number(value: Any) -> int | None:
    """A whole number; None for unset, infinite, and what is no number."""
    if isinstance(value, Mapping):
        told = value.get("set", True) and not value.get("infinite", False)
        return number(value.get("number")) if told else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) < 1 << 62 else None


def instant(value: Any) -> datetime | None:
    """A time in seconds since 1970; None for unset, which is 0 in older versions."""
    seconds = number(value)
    if not seconds or not 0 < seconds < 1 << 32:
        return None
    return datetime.fromtimestamp(seconds, UTC)


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


def node_state(node: Mapping[str, Any]) -> str | None:
    """up, down or drained; None where Slurm does not say."""
    found = {*words(node.get("state")), *words(node.get("state_flags"))}
    if not found:
        return None
    if found & DOWN:
        return "down"
    return "drained" if found & DRAINED else "up"


def gpus(told: Any) -> list[Gres]:
    """The GPUs in a gres or TRES text, one entry per model; nothing where there are none."""
    out = []
    for part in _parts(text(told)):
        found = GRES.match(part)
        if found and int(found["count"] or 1):
            index = IDX.search(found["more"] or "")
            where = tuple(hostlist.indices(index[1].strip(",-"))) if index else ()
            out.append(Gres(found["model"] or "", int(found["count"] or 1), where))
    return out


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
