"""What a sink is: the door that one entry of the spool leaves through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum

from gpuledger.spool import Entry


class Verdict(StrEnum):
    """What the other side made of an entry."""

    TAKEN = "taken"  # its rows are safe there: forget them here
    REJECTED = "rejected"  # it will never take this entry: set it apart
    TOO_LARGE = "too large"  # it may take the halves
    HOLD = "hold"  # it takes nothing for now: keep everything, ask again after `after_s`


@dataclass(frozen=True)
class Reply:
    """The verdict on one entry, with the reason in words where it was not taken."""

    verdict: Verdict
    reason: str = ""
    after_s: float = 0.0


TAKEN = Reply(Verdict.TAKEN)


class Sink(ABC):
    """Where entries go. Called by one thread only."""

    @abstractmethod
    def send(self, entry: Entry) -> Reply:
        """Hand over one entry; the same token twice counts once.

        StoreError where nothing answered or it is not known whether the entry was taken.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
