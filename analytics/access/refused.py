"""Requests that the guard refused: how many, and the last of them.

They are no rows of the audit: whoever is not known must not fill the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

log = logging.getLogger("gpuledger.access")

KEPT = 200
# A line for each would let strangers fill the log instead.
LINE_EVERY_S = 1.0
LONGEST = 200


@dataclass(frozen=True)
class Refused:
    """One refused request; nothing of what it brought as a token."""

    at: datetime
    status: int
    who: str
    address: str
    method: str
    path: str


class Refusals:
    """Counts by status, and the last ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = -LINE_EVERY_S
        self._untold = 0
        self._lock = threading.Lock()
        self.counts: Counter[int] = Counter()
        self.last: deque[Refused] = deque(maxlen=KEPT)

    def note(self, status: int, who: str, address: str, method: str, path: str) -> None:
        """Count one; a line of the log tells at most one a second, and how many more there were."""
        one = Refused(datetime.now(UTC), status, who, address, method[:LONGEST], path[:LONGEST])
        with self._lock:
            self.counts[status] += 1
            self.last.append(one)
            if self._clock() - self._told_at < LINE_EVERY_S:
                self._untold += 1
                return
            more, self._untold, self._told_at = self._untold, 0, self._clock()
        log.warning(
            "refused %d: %r %r from %s%s%s",
            status,
            one.method,
            one.path,
            address or "a socket",
            f", {who}" if who else "",
            f" (and {more} before)" if more else "",
        )
