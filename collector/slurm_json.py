"""Slurm's JSON of 22.05 (OpenAPI v0.0.38) to 25.x in one shape: plain values, or None.

Newer versions wrap numbers in {"set", "infinite", "number"}, make lists of states, and moved
fields; every difference is known in this file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gpuledger.slurm_words import text, words

DOWN = {"DOWN", "FAIL", "FAILING", "ERROR", "NOT_RESPONDING", "INVALID_REG", "UNKNOWN", "FUTURE"}
DRAINED = {"DRAIN", "DRAINED", "DRAINING", "MAINTENANCE", "MAINT"}


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


def node_state(node: Mapping[str, Any]) -> str | None:
    """up, down or drained; None where Slurm does not say."""
    found = {*words(node.get("state")), *words(node.get("state_flags"))}
    if not found:
        return None
    if found & DOWN:
        return "down"
    return "drained" if found & DRAINED else "up"


def moment(value: Any) -> datetime | None:
    """A time as scontrol's text tells it, in UTC; None for `Unknown` and the like."""
    try:
        return datetime.fromisoformat(text(value)).replace(tzinfo=UTC)
    except ValueError:
        return None
