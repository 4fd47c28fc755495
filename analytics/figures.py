"""The service's own figures: requests, questions and steps of a tick, counted as they happen."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate

# Seconds: from an answer out of memory to the longest question of a page.
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Labels are ours: routes of the application, classes of questions, steps. Should one of them be
# a stranger's word after all, this many are kept apart.
MOST_SERIES = 2_000


@dataclass(slots=True)
class Times:
    """How long things of one kind took: how many within each bound, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One thing more."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Bounds and how many took no longer, as Prometheus has them."""
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


class Family:
    """Times by a few labels; safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, ...], Times] = {}

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        """One thing more of that kind."""
        with self._lock:
            found = self._times.get(labels)
            if found is None:
                if len(self._times) >= MOST_SERIES:
                    labels = ("other",) * len(labels)
                found = self._times.setdefault(labels, Times())
            found.add(seconds)

    def told(self) -> list[tuple[tuple[str, ...], list[tuple[str, float]], float]]:
        """Labels, buckets and sum of each kind, in order."""
        with self._lock:
            return [(labels, t.buckets, t.sum_s) for labels, t in sorted(self._times.items())]


@dataclass
class Figures:
    """What this process did since it began.

    `requests` by route, method and status; `questions` by class and outcome; `steps` by name and
    outcome.
    """

    requests: Family = field(default_factory=Family)
    questions: Family = field(default_factory=Family)
    steps: Family = field(default_factory=Family)
