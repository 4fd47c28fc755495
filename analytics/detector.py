"""What a detector is: it reads the book of a span and says what is wrong, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from analytics.book import Span
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store


@dataclass(frozen=True)
class Detector:
    """A plugin: what it finds, its settings, and the function that finds it.

    `find` must be deterministic, silent on an empty span, and stable in its ids: an episode that
    goes on keeps its finding. Where `span.only` names subjects, findings about others are not asked
    for: a span that reaches far back for their sake must not read everybody's minutes.
    """

    help: str
    settings: type[Settings]
    find: Callable[[Store, Settings, Span], Iterable[Finding]]
