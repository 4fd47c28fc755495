"""ClickHouse as a sink: for a collector that may write to the store itself."""

from __future__ import annotations

from typing import Protocol

from collector.sink import TAKEN, Reply, Sink, Verdict
from gpuledger.catalogue import table
from gpuledger.errors import ConfigError
from gpuledger.schema import Table
from gpuledger.spool import Entry

ASK_AGAIN_S = 60.0


class NativeStore(Protocol):
    """What this sink needs of `gpuledger.store.Store`."""

    def insert_native(self, table: Table, body: bytes, token: str) -> None:
        """Insert encoded blocks; the same token twice counts once."""

    def close(self) -> None:
        """Close the connection."""


class ClickHouseSink(Sink):
    """Inserts entries under their token."""

    def __init__(self, store: NativeStore) -> None:
        self._store = store

    def send(self, entry: Entry) -> Reply:
        """Insert; a store that is locked or set up wrongly is asked again each minute."""
        try:
            target = table(entry.table)
        except ConfigError as e:  # written by another version of gpuledger
            return Reply(Verdict.REJECTED, str(e))
        try:
            self._store.insert_native(target, entry.body, entry.token)
        except ConfigError as e:
            return Reply(Verdict.HOLD, str(e), ASK_AGAIN_S)
        return TAKEN

    def close(self) -> None:
        """Close the connection."""
        self._store.close()
