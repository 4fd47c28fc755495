"""Hearing: since when, and until when, an exporter was heard, in the time of its readings.

What an exporter no longer names has ended only if the exporter was heard all the while: neither a
missed scrape, nor an outage, nor a restart of ours ends anything. Times are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENCES = 2.5  # scrapes that may be missed
LEAST_S = 300.0  # Prometheus itself holds a series for so long
KEPT = 12  # patiences after which what is gone is forgotten


def patience_ms(interval_s: float) -> int:
    """How long something may go unnamed, for a scrape interval."""
    return round(1000 * max(LEAST_S, SILENCES * interval_s))


@dataclass(slots=True)
class Hearing:
    """One exporter; `since_ms` begins anew after a silence. 0 = it was never heard."""

    patience_ms: int
    since_ms: int = 0
    last_ms: int = 0
    told_ms: int = 0

    def heard(self, at_ms: int) -> None:
        """It said something, in whatever order that arrives."""
        if at_ms <= self.last_ms:
            return
        if not self.last_ms or at_ms - self.last_ms > self.patience_ms:
            self.since_ms = at_ms
        self.last_ms = at_ms

    def missed(self, last_ms: int) -> bool:
        """Whether what was last named then should have been named since."""
        return self.last_ms - max(last_ms, self.since_ms) > self.patience_ms

    def forgotten(self, last_ms: int) -> bool:
        """Whether that is so long ago that nothing late comes any more."""
        return self.last_ms - last_ms > KEPT * self.patience_ms

    def apart(self, one_ms: int, other_ms: int) -> bool:
        """Whether two readings are too far apart to be of one stretch."""
        return abs(other_ms - one_ms) > self.patience_ms

    def due(self, every_ms: int) -> bool:
        """Whether so much time went by since this last said yes."""
        if self.last_ms - self.told_ms < every_ms:
            return False
        self.told_ms = self.last_ms
        return True
