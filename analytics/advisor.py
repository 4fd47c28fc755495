"""What an advisor is: it turns findings into something a person can do, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store


@dataclass(frozen=True)
class Advisor:
    """A plugin: what it proposes, its settings, and the function that proposes it.

    Looks that cost more than a moment come every so many minutes; in between, proposals stand.
    """

    help: str
    settings: type[Settings]
    advise: Callable[[Store, Settings, Sequence[Finding], datetime], Iterable[Recommendation]]
    every_min: float = 0.0
