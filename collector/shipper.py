"""The shipper: drains the spool into a sink, fresh rows and backlog side by side."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from collector.sink import Reply, Sink, Verdict
from gpuledger.errors import StoreError
from gpuledger.spool import Entry, Spool

LONGEST_WAIT_S = 60.0
LONGEST_HOLD_S = 600.0  # whatever the other side asks for: it is looked after again
POLL_S = 1.0


def apart(wait_s: float) -> float:
    """What a service asks for, and up to a quarter more: not all nodes come back at one moment."""
    return wait_s * random.uniform(1.0, 1.25) if wait_s > POLL_S else wait_s  # noqa: S311 - jitter


class Shipper:
    """Sends what waits, until it is stopped; backs off, with jitter, while nothing gets through."""

    def __init__(
        self,
        spool: Spool,
        sink: Sink,
        log: logging.Logger,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._spool = spool
        self._sink = sink
        self._log = log
        self._longest_wait_s = longest_wait_s
        self._trouble = ""

    def run(self, stopped: threading.Event) -> None:
        """Drain until `stopped`."""
        attempt = Retrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_random_exponential(multiplier=1, max=self._longest_wait_s),
            sleep=sleep_using_event(stopped),
            stop=stop_when_event_set(stopped),
            before_sleep=self._tell_retry,
        )
        try:
            while not stopped.wait(apart(attempt(self.round))):
                pass
        except RetryError:
            return

    def finish(self) -> None:
        """Send what waits, as far as it goes without waiting; then close the sink."""
        try:
            while self._spool.heads() and not self.round():
                pass
        except StoreError as e:
            entries, _ = self._spool.waiting()
            self._log.warning("%d batches stay in the spool: %s", entries, e)
        self.close()

    def close(self) -> None:
        """Close the sink; nothing is sent after."""
        self._sink.close()

    def round(self) -> float:
        """Send both ends of every table's queue; returns seconds to wait before the next round.

        StoreError if not one entry got through and one failed. What was taken is forgotten at the
        end, in one transaction: sent again after a crash, it counts once by its token.
        """
        taken: list[int] = []
        try:
            return self._send_heads(taken)
        finally:
            if taken:
                self._spool.done(taken)

    def _send_heads(self, taken: list[int]) -> float:
        sent, failure = 0, None
        for entry, reply in self._sink.send_all(self._heads()):
            if isinstance(reply, StoreError):
                self._log.debug("sending %s", entry.token, exc_info=reply)
                failure = reply
                continue
            if reply.verdict is Verdict.HOLD:
                self._tell(reply.reason)
                return min(max(reply.after_s, POLL_S), LONGEST_HOLD_S)
            if reply.verdict is Verdict.TAKEN:
                taken.append(entry.sequence)
            else:
                self._set_apart(entry, reply)
            sent += 1
        if failure and not sent:
            raise failure
        self._tell(str(failure) if failure else "")
        return 0.0 if sent and not failure else POLL_S

    def _heads(self) -> Iterator[Entry]:
        """What goes in this round, read from the spool only when it is its turn."""
        for sequence in self._spool.heads():
            if entry := self._spool.entry(sequence):
                yield entry

    def _set_apart(self, entry: Entry, reply: Reply) -> None:
        """Halve an entry that is too large; keep one that nobody will ever take."""
        if reply.verdict is Verdict.REJECTED or not self._spool.split(entry):
            self._spool.reject(entry.sequence, reply.reason)
            self._log.error(
                "%d rows of %s were refused for good and set apart in the spool: %s",
                entry.rows,
                entry.table,
                reply.reason,
            )

    def _tell_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, StoreError) and not self._trouble:
            self._log.error("sending failed", exc_info=error)
        self._tell(str(error) or type(error).__name__)

    def _tell(self, trouble: str) -> None:
        """One line when sending stops or goes on, none while it lasts."""
        if trouble and not self._trouble:
            self._log.warning("rows wait in the spool: %s", trouble)
        elif self._trouble and not trouble:
            self._log.info("rows are sent again")
        self._trouble = trouble
