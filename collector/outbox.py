"""The outbox: from stamped rows to encoded blocks that are safe in the spool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from collector.counters import Counters
from collector.window import Folded, Profile, Windows
from gpuledger.batch import Batch
from gpuledger.errors import StoreError
from gpuledger.schema import Row, Table
from gpuledger.spool import Block, Changes, Spool

BLOCK_ROWS = 1_000  # a body that the store finds too large is split between blocks
KEPT_BYTES = 8 << 20  # in memory while the spool's disk is full: hours of one node
COUNTERS = "counter/"
NOTHING: Mapping[str, None] = MappingProxyType({})
# What an odd value makes of encoding it, here or in the encoder.
ODD = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)

Encode = Callable[[Batch], bytes]
Listener = Callable[[Sequence[Folded]], None]


class Outbox:
    """Corrects counters, folds windows, and puts rows and what they rest on in one transaction."""

    def __init__(
        self,
        spool: Spool,
        windows: Windows,
        counters: Counters,
        *,
        encode: Encode,
        log: logging.Logger,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self._spool = spool
        self._windows = windows
        self._counters = counters
        self._encode = encode
        self._logger = log
        self._listeners = tuple(listeners)
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._parcels: list[tuple[str, Sequence[Block]]] = []
        self._heard: dict[str, str | None] = {}
        self._memory: dict[str, str | None] = {}
        self._lost: dict[str, int] = {}
        self._trouble = False

    def accept(self, rows: Sequence[Row], memory: Changes = NOTHING) -> None:
        """Take stamped rows, from any thread, with what their source must remember with them."""
        with self._lock:
            for row in rows:
                self._counters.correct(row)
            self._windows.add(rows)
            self._heard.update(memory)

    def change(self, profile: Profile, listeners: Iterable[Listener]) -> None:
        """Fold and tell so from now on; what is folded otherwise so far is finished as it is."""
        with self._flushing, self._lock:
            self._windows.change(profile)
            self._listeners = tuple(listeners)

    def flush(self, now_ms: int | None = None) -> None:
        """Put finished windows (None: all) into the spool; kept here while its disk is full."""
        with self._flushing:
            with self._lock:
                folded = self._windows.take(now_ms)
                changed = self._counters.changed()
                heard, self._heard = self._heard, {}
            self._memory |= heard
            self._memory |= {COUNTERS + key: value for key, value in changed.items()}
            self._parcels += self._pack(folded)
            if self._parcels or self._memory or self._lost:
                self._put()
            for listen in self._listeners:
                self._let_hear(listen, folded)

    def _let_hear(self, listen: Listener, folded: Sequence[Folded]) -> None:
        try:
            listen(folded)
        except Exception:
            self._logger.exception("%d rows could not be shown", len(folded))

    def _put(self) -> None:
        try:
            self._spool.put(self._parcels, self._memory, self._lost)
        except StoreError as e:
            if not self._trouble:
                self._logger.error("rows stay in memory: %s", e)
            self._trouble = True
            self._shed()
            return
        self._parcels, self._memory, self._lost, self._trouble = [], {}, {}, False

    def _pack(self, folded: Sequence[Folded]) -> list[tuple[str, Sequence[Block]]]:
        """Blocks of each table; rows that cannot be encoded are said and left out."""
        groups: dict[Table, list[Folded]] = {}
        for row in folded:
            groups.setdefault(row.table, []).append(row)
        out: list[tuple[str, Sequence[Block]]] = []
        for table, rows in groups.items():
            parts = [rows[i : i + BLOCK_ROWS] for i in range(0, len(rows), BLOCK_ROWS)]
            if blocks := [block for part in parts for block in self._blocks(table, part)]:
                out.append((table.name, blocks))
        return out

    def _blocks(self, table: Table, rows: Sequence[Folded]) -> list[Block]:
        """The rows as one block; without those, where there are any, that cannot be encoded."""
        block, why = self._block(table, rows)
        if block:
            return [block]
        good = [row for row in rows if self._block(table, [row])[0]]
        if len(good) == len(rows):
            good = []
        odd = len(rows) - len(good)
        self._logger.error("%d rows of %s cannot be encoded: %s", odd, table.name, why)
        self._lose(table.name, odd)
        return self._blocks(table, good) if good else []

    def _block(self, table: Table, rows: Sequence[Folded]) -> tuple[Block | None, str]:
        """The rows as a block, or why they are none."""
        try:
            body = self._encode(Batch.of_values(table, [row.values for row in rows]))
        except ODD as e:
            return None, str(e)
        return Block(len(rows), body), ""

    def _shed(self) -> None:
        """Let the oldest go where there is no room for them at all."""
        size = sum(len(b.body) for _, blocks in self._parcels for b in blocks)
        while size > KEPT_BYTES:
            table, blocks = self._parcels.pop(0)
            size -= sum(len(b.body) for b in blocks)
            rows = sum(b.rows for b in blocks)
            self._logger.error("%d rows of %s are lost", rows, table)
            self._lose(table, rows)

    def _lose(self, table: str, rows: int) -> None:
        """Count rows that never reached the spool; the spool is told with the next that do."""
        self._lost[table] = self._lost.get(table, 0) + rows
