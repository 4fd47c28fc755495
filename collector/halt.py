"""The service's word that agents read nothing for now, and how long it holds without another."""

from __future__ import annotations

import math

HEADER = "X-Gpuledger-Pause"
# Whoever turns the switch off may lose the service meanwhile: no fleet stays blind for that.
LONGEST_S = 3600.0


class Halt:
    """What the last answer said; agents look before each reading. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._until_s = -math.inf

    def hear(self, value: str | None, status: int, now_s: float) -> None:
        """An answer's header, None where it has none: an ingest door that is well then says go on.

        What somebody on the way answers, a proxy say, means nothing unless it has the header.
        """
        if value is not None:
            self._until_s = now_s + _seconds(value)
        elif status == 200:
            self._until_s = -math.inf

    def holds(self, now_s: float) -> bool:
        """Whether nothing is to be read now."""
        return now_s < self._until_s


def _seconds(value: str) -> float:
    """Seconds as the header tells them, bounded; the bound where it is no number."""
    return min(float(value), LONGEST_S) if value.isascii() and value.isdigit() else LONGEST_S
