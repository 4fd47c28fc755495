"""Holdings: from one list of who holds which GPU to the next, what began, changed and ended.

What vanished ended when it was last seen. Open ones are kept in `memory`, so that a restart of the
agent closes them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, MutableMapping
from datetime import datetime

from collector.keepsake import pack, unpack
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import Allocation
from gpuledger.rows import changed, says_the_same

SEEN = "seen"
HELD = "held/"


class Holdings:
    """The allocations that were open at the last list."""

    def __init__(self, memory: MutableMapping[str, str]) -> None:
        self._memory = memory
        self._open: dict[int, Allocation] | None = None
        self._seen: datetime | None = None

    def advance(
        self, listed: Iterable[Allocation], at: datetime, version: int, *, everything: bool
    ) -> list[Allocation]:
        """Rows that this list adds; with `everything` also those that say nothing new."""
        if self._open is None:
            self._open = self._recall()
        before = self._open
        now = {a.alloc_id: a for a in listed}
        for key, allocation in now.items():
            if key in before:
                allocation.valid_from = before[key].valid_from
        news = [a for k, a in now.items() if k not in before or not says_the_same(before[k], a)]
        rows = [*self._ended(before, now, at, version), *(now.values() if everything else news)]
        self._keep(news, before.keys() - now.keys(), at)
        self._open, self._seen = now, at
        return rows

    def _ended(
        self, before: dict[int, Allocation], now: dict[int, Allocation], at: datetime, version: int
    ) -> Iterator[Allocation]:
        for key, allocation in before.items():
            if key not in now:
                until = max(allocation.valid_from, self._seen or at)
                yield changed(allocation, valid_to=until, seen_at=at, version=version)

    def _keep(self, news: Iterable[Allocation], gone: Iterable[int], at: datetime) -> None:
        for allocation in news:
            self._memory[f"{HELD}{allocation.alloc_id}"] = json.dumps(pack(allocation))
        for key in gone:
            self._memory.pop(f"{HELD}{key}", None)
        self._memory[SEEN] = str(to_milliseconds(at))

    def _recall(self) -> dict[int, Allocation]:
        """What an earlier life of this agent knew."""
        seen = self._memory.get(SEEN)
        self._seen = from_milliseconds(int(seen)) if seen else None
        kept = [v for k, v in self._memory.items() if k.startswith(HELD)]
        rows = [unpack(Allocation, json.loads(value)) for value in kept]
        return {row.alloc_id: row for row in rows}
