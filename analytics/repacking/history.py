"""The history of fragmentation: each full hour of the book once, for boards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from analytics.book import last_booked
from analytics.placing.settings import PlacementSettings
from analytics.repacking.figures import Figures, pools
from analytics.repacking.scene import open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import FragmentationHour
from gpuledger.states import LedgerSettings
from gpuledger.store import Store

HOUR = timedelta(hours=1)
# What is read at once, as placement does: a day of events fits into memory at any size.
AT_ONCE = 24


class History:
    """Writes `fragmentation_1h`; `step` is to be called at every tick and mostly does nothing."""

    def __init__(
        self,
        store: Store,
        settings: SnapshotSettings,
        ledger: LedgerSettings,
        placing: PlacementSettings,
    ) -> None:
        self._store = store
        self._settings = settings
        self._ledger = ledger
        self._placing = placing
        self._last: datetime | None = None

    def step(self, now: datetime) -> None:
        """Make the full hours that were booked since, the last one included."""
        booked = last_booked(self._store)
        if booked is None:
            return
        newest = min(booked, now).replace(minute=0, second=0, microsecond=0)
        if self._last is not None and newest <= self._last:
            return
        hours = self._missing(newest)
        for first in range(0, len(hours), AT_ONCE):
            self._store.insert_rows(list(self._rows(hours[first : first + AT_ONCE])))
        self._last = newest

    def _missing(self, newest: datetime) -> list[datetime]:
        """Hours up to the newest that are not there; none of before the book began."""
        least = newest - timedelta(hours=self._settings.history_h)
        found = self._store.select(
            "SELECT (SELECT max(hour) FROM fragmentation_1h) AS made,"
            " (SELECT min(hour) FROM booked_hours) AS began"
        )[0]
        first = max(least, found["began"], self._last or least, found["made"] or least)
        count = int((newest - first) / HOUR)
        return [newest - HOUR * back for back in range(count - 1, -1, -1)]

    def _rows(self, hours: list[datetime]) -> Iterator[FragmentationHour]:
        settings = self._settings
        scene = open_scene(self._store, hours[0], hours[-1], settings, self._ledger, self._placing)
        for hour in hours:
            scene.at(hour)
            for found in pools(scene, settings.nodes_of_pool):
                yield row(found, hour)


def row(found: Figures, hour: datetime) -> FragmentationHour:
    """Figures of an hour as they are kept."""
    told: dict[str, Any] = {f"{name}_gpus": found.causes.get(name, 0.0) for name in _CAUSES}
    told |= {f"slots_{k}": found.slots.get(k, 0) for k in _KEPT}
    told |= {f"repacked_{k}": found.repacked.get(k, 0) for k in _KEPT}
    return FragmentationHour(
        cluster=found.cluster,
        pool=found.pool,
        node=found.node,
        hour=hour,
        nodes=found.nodes,
        gpus=found.gpus,
        free_gpus=found.free,
        whole_gpus=found.whole,
        fragmented_gpus=found.fragmented,
        largest_gpus=found.largest,
        largest_repacked_gpus=found.largest_repacked,
        version=to_milliseconds(hour),
        **told,
    )


_CAUSES = ("lacks_cpu", "lacks_gpu", "lacks_both", "crumbs", "wrong_model", "no_gpu_asked")
_KEPT = ("1", "2", "4", "8", "16")
