"""A lease: of several services over one store, one at a time does what must be done once.

A turn (`gpuledger.turns`) that ended, or is its holder's own, may be followed by the next one.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gpuledger import turns
from gpuledger.catalogue import LeaseTurn
from gpuledger.store import Store

# A turn is prolonged when less than half of it is left: one lost tick changes nothing.
PROLONGED_AT = 0.5


def somebody() -> str:
    """A name that no other process has, for people to read: host, process, and a random part."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


class Lease:
    """One contender for the lease `name`; a turn lasts `lasts_s` seconds."""

    def __init__(self, store: Store, name: str, lasts_s: float, holder: str = "") -> None:
        self._store = store
        self._name = name
        self._lasts = timedelta(seconds=lasts_s)
        self.holder = holder or somebody()

    def hold(self, now: datetime) -> bool:
        """Whether it is ours from now on for half a turn at least. StoreError."""
        last = self._last()
        if last and last["until"] > now:
            if last["holder"] != self.holder:
                return False
            if last["until"] - now > self._lasts * PROLONGED_AT:
                return True
        return self._take(last["turn"] + 1 if last else 1, now)

    def _last(self) -> Mapping[str, Any] | None:
        rows = self._store.select(f"{_LAST} ORDER BY turn DESC, ts LIMIT 1", name=self._name)
        return rows[0] if rows else None

    def _take(self, turn: int, now: datetime) -> bool:
        row = LeaseTurn(
            ts=now,
            name=self._name,
            turn=turn,
            holder=self.holder,
            decision=turns.decision(),
            until=now + self._lasts,
        )
        token = f"lease/{self._name}/{turn}"
        kept = turns.take(self._store, row, token, _KEPT, name=self._name, turn=turn)
        return bool(kept["decision"] == row.decision)


_LAST = "SELECT turn, holder, decision, until FROM v_leases WHERE name = {name:String}"
_KEPT = f"{_LAST} AND turn = {{turn:UInt32}} ORDER BY ts LIMIT 1"
