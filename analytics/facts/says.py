"""Whose word a fact is, how much it weighs, and when it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gpuledger import accelerators as devices
from gpuledger import kubernetes_names as names
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import version

# Above what processes suggest, below an agent's inventory and every scheduler's own word.
TRUST = 2


@dataclass(frozen=True)
class Says:
    """Whose word it is, how much it weighs, and what is known beside a pod's own words.

    `fits` says whether a node has that many devices of a resource free now.
    """

    cluster: str
    at: datetime
    version: int
    teams: names.Teams = field(default_factory=names.Teams)
    resources: tuple[str, ...] = devices.GPU_RESOURCES
    user_words: tuple[str, ...] = names.USER_WORDS
    nodes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)

    @property
    def at_ms(self) -> int:
        """When it was said, in milliseconds."""
        return to_milliseconds(self.at)

    def seen(self) -> dict[str, Any]:
        """Columns that say when it was said."""
        return {"seen_at": self.at, "version": self.version}


def said(cluster: str, at_ms: int, rank_ms: int, **more: Any) -> Says:
    """The word of exporters at that time, with that rank among what they said."""
    return Says(cluster, from_milliseconds(at_ms), version(TRUST, rank_ms), **more)
