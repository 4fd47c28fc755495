"""GPU-seconds that are held, and that are fragments, while a trace is replayed."""

from __future__ import annotations

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.measure import Measure
from analytics.replay.room import Room


class Meter:
    """Adds them up from `since_s` to `until_s`."""

    def __init__(self, room: Room, measure: Measure, since_s: float, until_s: float) -> None:
        self._room, self._measure = room, measure
        self._at_s, self._until_s = since_s, until_s
        self._fragments = room.fragments(measure, np.arange(len(room.nodes)))
        self._seen = 0
        self.held_gpu_s = 0.0
        self.stranded_gpu_s = 0.0

    def advance(self, to_s: float) -> None:
        """Nothing has changed until that moment."""
        span = min(to_s, self._until_s) - self._at_s
        if span <= 0:
            return
        self._refresh()
        self.held_gpu_s += span * self._room.held_milli / WHOLE
        self.stranded_gpu_s += span * float(self._fragments.sum())
        self._at_s += span

    def _refresh(self) -> None:
        rows = np.unique(np.array(self._room.changed[self._seen :], np.int64))
        self._seen = len(self._room.changed)
        if len(rows):
            self._fragments[rows] = self._room.fragments(self._measure, rows)
