"""Doubts: missing values that are told again at each reading, and gone where they are not."""

from __future__ import annotations

from collections.abc import Iterator

from collector.missing import Missing, Question, Reason
from gpuledger.catalogue.host import MissingValue

MOST = 200  # subjects at a time: a cluster of a thousand bad pods has one problem, not a thousand


class Doubts:
    """What one source could not read this time; `lasting` is told for what is read less often."""

    def __init__(self, source: str) -> None:
        self.lasting = Missing(source)
        self._before: set[Question] = set()
        self._now: set[Question] = set()

    def note(self, subject: str, reading: str, reason: Reason, detail: str = "") -> None:
        """That subject has no value for this reading."""
        if len(self._now) < MOST:
            self._now.add((subject, reading))
            self.lasting.note(subject, reading, reason, detail)

    def is_new(self, subject: str, reading: str) -> bool:
        """Whether it had a value, or was not asked for, last time."""
        return (subject, reading) not in self._before

    def rows(self) -> Iterator[MissingValue]:
        """What changed; to be called once, at the end of each reading."""
        for subject, reading in self._before - self._now:
            self.lasting.found(subject, reading)
        self._before, self._now = self._now, set()
        return self.lasting.rows()
