"""A stretch of the store's history, opened once, to look at the fleet at any moment of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import msgspec

from analytics.booking.intervals import MINUTE_MS, within
from analytics.placing import facts
from analytics.placing.facts import DAY_MS, Facts, Span
from analytics.placing.settings import PlacementSettings
from analytics.repacking import fleet, target
from analytics.repacking.instance import Node, Target
from analytics.repacking.playback import Playback
from analytics.repacking.settings import SnapshotSettings
from gpuledger.batch import to_milliseconds
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings


class Scene:
    """What placement reads of a span, played forward; layout and target are those of its end."""

    def __init__(
        self,
        facts: Facts,
        slots: dict[int, int],
        settings: SnapshotSettings,
        without_gpus: Counter[target.Task],
    ) -> None:
        self.play = Playback(facts)
        self.slots = slots
        self.where = fleet.layout(facts.nodes, slots)
        self.settings = settings
        self._without_gpus = without_gpus

    @property
    def facts(self) -> Facts:
        """What it was made from."""
        return self.play.facts

    @property
    def clusters(self) -> list[str]:
        """Names of the clusters that have nodes."""
        return sorted({node.kind.cluster for node in self.facts.nodes.values()})

    @cached_property
    def accepting(self) -> target.Accepting:
        """Which models requests accept."""
        return target.Accepting(self.facts.nodes)

    def at(self, moment: datetime) -> None:
        """Go on to a moment, never back."""
        self.play.upto(to_milliseconds(moment))

    def nodes(self, cluster: str = "") -> tuple[Node, ...]:
        """The nodes as they stand, of one cluster or of all."""
        return fleet.nodes_of(self.play, self.of_cluster(cluster))

    def of_cluster(self, cluster: str) -> fleet.Layout:
        """The layout of one cluster, or of all."""
        named = self.facts.nodes
        kept = (p for p in self.where.places if cluster in {"", named[p].kind.cluster})
        return fleet.Layout(tuple(kept), self.where.gpus)

    def target(self, cluster: str = "") -> tuple[Target, ...]:
        """The tasks that are expected, weighed as the settings say."""
        tasks = target.tasks_of(self.facts.usual, self.accepting, cluster)
        if self.settings.weights == "popularity":
            return target.by_popularity(tasks + self._without_gpus)
        return target.by_demand(tasks)


def open_scene(
    reader: Reader,
    since: datetime,
    until: datetime,
    settings: SnapshotSettings,
    ledger: LedgerSettings,
    placing: PlacementSettings,
) -> Scene:
    """From `since` to `until`, that instant included."""
    # What is lost is told by whole minutes: the last one must be among them.
    lo = to_milliseconds(since) // MINUTE_MS * MINUTE_MS - MINUTE_MS
    span = Span(lo, to_milliseconds(until) + 1)
    more = msgspec.structs.replace(placing, history_shapes=settings.shapes)
    found = facts.read(reader, span, ledger, more)
    slots = {r["gpu_id"]: r["slot"] for r in reader.select(_SLOTS_SQL, lo=span.lo, hi=span.hi)}
    bare = _without_gpus(reader, span, placing) if settings.weights == "popularity" else Counter()
    return Scene(found, slots, settings, bare)


def _without_gpus(reader: Reader, span: Span, placing: PlacementSettings) -> Counter[target.Task]:
    since = span.lo - int(placing.history_d * DAY_MS)
    rows: Sequence[dict[str, int]] = reader.select(_WITHOUT_GPUS_SQL, lo=since, hi=span.hi)
    return Counter({(r["cpu_milli"], 0, 0, ""): r["tasks"] for r in rows})


_SLOTS_SQL = f"SELECT gpu_id, slot FROM ({within('assets')})"
_WITHOUT_GPUS_SQL = """
SELECT cpu_milli, sum(nodes) AS tasks FROM jobs FINAL
WHERE gpus_per_node = 0 AND toUnixTimestamp64Milli(started) >= {lo:Int64}
  AND toUnixTimestamp64Milli(started) < {hi:Int64} GROUP BY cpu_milli
"""
