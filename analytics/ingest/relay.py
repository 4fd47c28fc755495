"""The relay: brings what the journal holds into the store, in blocks, each exactly once."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from analytics.ingest.blocks import Block, Blocks
from analytics.ingest.journal import Journal
from analytics.ingest.structure import merge, read
from gpuledger.catalogue import table
from gpuledger.config import Settings
from gpuledger.errors import ConfigError, Refused, StoreError
from gpuledger.schema import Table

LEAST_ROWS = 25_000
THREADS = 2
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
# A table that has failed for so long while others go through gets a share of the disk only.
PATIENCE_S = 60.0
# So many refusals in a row are no matter of single parcels: the table itself is not as we know it.
MOST_REFUSALS = 100
LONGEST_REASON = 300


class RelaySettings(Settings):
    """Section `[relay]`."""

    spool_bytes: Annotated[int, "disk for accepted rows, compressed; when full, senders wait"] = (
        4 << 30
    )
    linger_s: Annotated[float, "longest that accepted rows wait for others before they go on"] = 1.0


class NativeStore(Protocol):
    """What the relay needs of `gpuledger.store.Store`."""

    def check_whole(self, table: Table) -> None:
        """StoreError while what rolls the table up is missing."""

    def insert_native(self, table: Table, body: bytes, token: str) -> None:
        """Insert encoded blocks; the same token twice counts once."""


@dataclass(slots=True)
class Line:
    """Blocks of one table that are under way, oldest first; `failing` since when (monotonic)."""

    blocks: deque[Block] = field(default_factory=deque)
    is_taken: bool = False
    tries: int = 0
    refusals: int = 0
    not_before: float = 0.0
    failing: float | None = None


@dataclass(slots=True)
class Delivered:
    """What became of blocks since the relay was started."""

    blocks: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    failures: int = 0


class Relay:
    """Threads that drain the journal until `stop`; a table that fails holds up no other."""

    def __init__(
        self,
        journal: Journal,
        store: NativeStore,
        log: logging.Logger,
        *,
        linger_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.blocks = Blocks(journal)
        self.delivered = Delivered()
        self._store = store
        self._log = log
        self._linger_s = linger_s
        self._monotonic = monotonic
        self._lines: dict[str, Line] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._hurry = False
        self._threads: list[threading.Thread] = []
        self._trouble = ""
        self._whole: set[str] = set()

    def start(self) -> None:
        """Begin with what a former life left: blocks of which nobody knows, and refused rows."""
        self.blocks.retry_refused()
        for block in self.blocks.left():
            self._line(block.table).blocks.append(block)
        self._stopping = False
        self.journal.on_arrival = self.wake
        self._threads = [
            threading.Thread(target=self._run, name=f"relay-{n}", daemon=True)
            for n in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End when what is being inserted is inserted; the rest stays in the journal."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def wake(self) -> None:
        """Rows have arrived."""
        with self._changed:
            self._changed.notify()

    def flush(self, timeout_s: float, *, through_failures: bool = True) -> bool:
        """Bring everything into the store without waiting for more; False where that is not done.

        Without `through_failures` it gives up on tables that do not go there at once.
        """
        ends_at = self._monotonic() + timeout_s
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while self._goes_on(through_failures=through_failures) and self._monotonic() < ends_at:
                self._changed.wait(0.05)
            self._hurry = False
            return not self._goes_on(through_failures=True)

    def _goes_on(self, *, through_failures: bool) -> bool:
        """Whether anything is under way or waits."""
        waiting = {name for name, waits in list(self.journal.waiting.items()) if waits.rows}
        lines = dict.fromkeys(waiting, Line()) | self._lines
        return any(
            line.is_taken
            or ((line.blocks or name in waiting) and (through_failures or not line.tries))
            for name, line in lines.items()
        )

    def _line(self, name: str) -> Line:
        return self._lines.setdefault(name, Line())

    def _run(self) -> None:
        while (name := self._next()) is not None:
            line = self._lines[name]
            try:
                self._advance(name, line)
            except Exception as e:  # noqa: BLE001 - said, and tried again: rows must not stay here
                self._fail(name, line, f"{type(e).__name__}: {e}")
            finally:
                with self._changed:
                    line.is_taken = False
                    self._changed.notify_all()

    def _next(self) -> str | None:
        """A table that has something to send, taken by this thread; None at the end."""
        with self._changed:
            while not self._stopping:
                soonest = LONGEST_WAIT_S
                for name in {*self._lines, *self.journal.waiting}:
                    line = self._line(name)
                    if line.is_taken:
                        continue
                    wait_s = self._wait_s(name, line)
                    if wait_s <= 0:
                        line.is_taken = True
                        return name
                    soonest = min(soonest, wait_s)
                self._changed.wait(soonest)
        return None

    def _wait_s(self, name: str, line: Line) -> float:
        """Seconds until the table is due; as long as can be where nothing waits."""
        now, waits = self._monotonic(), self.journal.waiting.get(name)
        if not line.blocks and not (waits and waits.rows):
            return LONGEST_WAIT_S
        if self._hurry or line.blocks or (waits and waits.rows >= LEAST_ROWS):
            due = now
        else:
            due = (waits.since if waits else 0.0) + self._linger_s
        return max(due, line.not_before) - now

    def _advance(self, name: str, line: Line) -> None:
        """Send the table's next block."""
        if not line.blocks:
            block = self.blocks.compose(name)
            if block is None:
                return
            line.blocks.append(block)
        block = line.blocks[0]
        try:
            self._insert(block)
        except (StoreError, ConfigError) as e:
            if isinstance(e, Refused) and self._is_patient(line, block):
                self._take_apart(line, block, _short(str(e)))
            else:
                self._fail(name, line, _short(str(e)))
            return
        self.blocks.forget(block)
        line.blocks.popleft()
        self._succeed(name, line, block)

    def _is_patient(self, line: Line, block: Block) -> bool:
        """Whether a refusal is a matter of single parcels; of what was refused before it is."""
        return line.refusals < MOST_REFUSALS or self.blocks.is_retried(block)

    def _insert(self, block: Block) -> None:
        """Refused where the store, or what we know of the table, will never take it."""
        try:
            known = table(block.table)
            body = merge(known, read(known, self.blocks.body(block)))
        except (ValueError, ConfigError) as e:
            raise Refused(str(e)) from e
        if known.name not in self._whole:
            self._store.check_whole(known)
            self._whole.add(known.name)
        self._store.insert_native(known, body, block.token)

    def _take_apart(self, line: Line, block: Block, reason: str) -> None:
        """Halve what was refused; what cannot be halved is set apart."""
        line.refusals += not self.blocks.is_retried(block)
        halves = self.blocks.split(block)
        if not halves:
            self.blocks.refuse(block, reason)
        line.blocks.popleft()
        line.blocks.extendleft(reversed(halves))
        if not halves:
            self._log.error(
                "%d rows of %s were refused for good and set apart: %s",
                block.rows,
                block.table,
                reason,
            )

    def _succeed(self, name: str, line: Line, block: Block) -> None:
        line.tries, line.refusals, line.not_before, line.failing = 0, 0, 0.0, None
        with self._changed:
            self.delivered.blocks[name] += 1
            self.delivered.rows[name] += block.rows
        self.journal.hold(name, held=False)
        now = self._monotonic()
        failing = {n: li.failing for n, li in list(self._lines.items()) if li.failing is not None}
        for other, since in failing.items():
            self.journal.hold(other, held=now - since > PATIENCE_S)
        if not failing and self._trouble:
            self._trouble = ""
            self._log.info("rows go into the store again")

    def _fail(self, name: str, line: Line, reason: str) -> None:
        """Wait longer each time, with jitter; say it once."""
        now = self._monotonic()
        line.tries += 1
        line.failing = now if line.failing is None else line.failing
        longest = min(FIRST_WAIT_S * 2 ** min(line.tries, 10), LONGEST_WAIT_S)
        line.not_before = now + longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        with self._changed:
            self.delivered.failures += 1
        if not self._trouble:
            self._log.warning("rows of %s wait in the journal: %s", name, reason)
        self._trouble = reason


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
