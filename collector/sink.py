"""What a sink is: the door that one entry of the spool leaves through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gpuledger.errors import StoreError
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

    def send_all(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Reply | StoreError]]:
        """Hand over entries, as far as the replies are asked for; each with what came of it.

        A sink that sends several in one piece takes more of `entries` before its first reply.
        """
        for entry in entries:
            try:
                yield entry, self.send(entry)
            except StoreError as e:
                yield entry, e
            except Exception as e:  # noqa: BLE001 - what a sink did not foresee keeps the entry
                error = StoreError(f"{type(e).__name__}: {e}")
                error.__cause__ = e
                yield entry, error

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
