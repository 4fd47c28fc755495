"""Facts of every cluster whose exporters write here: `analytics.facts`, one for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from analytics.facts import Facts, recall
from gpuledger.mapping import Reading
from gpuledger.schema import Row
from gpuledger.store import Store


class TellsFacts(Protocol):
    """Who makes facts of readings."""

    def feeds(self, name: str) -> bool:
        """Whether the metric is one of those that it wants."""

    def knows(self, cluster: str) -> bool:
        """Whether it may be told of the cluster already; until then it must `meet` it."""

    def meet(self, cluster: str) -> None:
        """Find out what is known of the cluster. StoreError: not now."""

    def take(self, cluster: str, readings: Iterable[Reading], at_ms: int) -> list[Row]:
        """Facts of one moment."""


class ToldFacts:
    """Facts by cluster. What an earlier life told is read from the store before the first."""

    def __init__(self, store: Store, slots: Mapping[str, int]) -> None:
        self._store = store
        self._slots = slots
        self._any = Facts("")
        self._facts: dict[str, Facts] = {}

    def feeds(self, name: str) -> bool:
        """Whether facts are made of the metric."""
        return self._any.feeds(name)

    def knows(self, cluster: str) -> bool:
        """Whether what was told of the cluster before is known."""
        return cluster in self._facts

    def meet(self, cluster: str) -> None:
        """Know what was told of the cluster before. StoreError: not now."""
        facts = Facts(cluster, slots=self._slots)
        facts.recall(recall(self._store, cluster))
        self._facts[cluster] = facts

    def take(self, cluster: str, readings: Iterable[Reading], at_ms: int) -> list[Row]:
        """Facts of one moment."""
        return self._facts[cluster].take(readings, at_ms)
