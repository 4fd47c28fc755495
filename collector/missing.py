"""Why a value is missing: found out by sources, told as rows when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from gpuledger.catalogue.host import MissingValue


class Reason(StrEnum):
    """The reasons there are; each calls for something else."""

    UNSUPPORTED = "unsupported"  # this device never tells it
    LOST = "lost"  # the device is gone
    DENIED = "denied"  # the agent lacks a right
    TIMEOUT = "timeout"  # it did not answer in time
    SATURATED = "saturated"  # the counter stands at its end
    UNREADABLE = "unreadable"  # the reading failed
    MALFORMED = "malformed"  # it answered something that cannot be understood


Question = tuple[str, str]
Answer = tuple[Reason, str]


class Missing:
    """What one source cannot read at present, by subject (device, mount) and reading.

    Note every missing value at each reading, or only once what stays as it is: `rows` tells what
    is new, and `found` what is there again.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._known: dict[Question, Answer] = {}
        self._news: dict[Question, Answer | None] = {}

    def note(self, subject: str, reading: str, reason: Reason, detail: str = "") -> None:
        """That subject has no value for this reading. Details do not make it news."""
        question = (subject, reading)
        known = self._known.get(question)
        if known is None or known[0] is not reason:
            self._known[question] = self._news[question] = (reason, detail)

    def found(self, subject: str, reading: str) -> None:
        """It has a value."""
        if self._known.pop((subject, reading), None):
            self._news[subject, reading] = None

    def rows(self) -> Iterator[MissingValue]:
        """What changed since the last call."""
        news, self._news = self._news, {}
        for (subject, reading), answer in news.items():
            reason, detail = answer or ("", "")
            yield MissingValue(
                source=self._source,
                subject=subject,
                reading=reading,
                reason=str(reason),
                detail=detail,
            )
