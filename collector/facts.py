"""Facts: pools and quotas as last told, so that those taken away are told too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, MutableMapping
from datetime import datetime

from collector.keepsake import pack, unpack
from gpuledger.catalogue.work import Pool, Quota
from gpuledger.rows import changed

Fact = Pool | Quota
KINDS: dict[str, type[Pool | Quota]] = {"pool": Pool, "quota": Quota}


class Facts:
    """Kept in `memory` below a prefix of its own."""

    def __init__(self, memory: MutableMapping[str, str]) -> None:
        self._memory = memory

    def advance(
        self, rows: Iterable[Fact], at: datetime, version: int, *, whole: bool
    ) -> list[Fact]:
        """The rows, and the ends of those that are gone; none of these unless the list is whole."""
        now = {_key(row): row for row in rows}
        gone = {k: r for k, r in self._recall() if k not in now} if whole else {}
        for key in gone:
            self._memory.pop(key, None)
        for key, row in now.items():
            self._memory[key] = json.dumps(pack(row))
        return [*now.values(), *(_ended(row, at, version) for row in gone.values())]

    def _recall(self) -> Iterator[tuple[str, Fact]]:
        for key, value in list(self._memory.items()):
            kind = KINDS.get(key.partition("/")[0])
            if kind:
                yield key, unpack(kind, json.loads(value))


def _key(row: Fact) -> str:
    if isinstance(row, Pool):
        return f"pool/{row.scheduler}/{row.pool}"
    return f"quota/{row.scheduler}/{row.team}/{row.queue}"


def _ended(row: Fact, at: datetime, version: int) -> Fact:
    """A pool that takes no work; a quota that guarantees nothing and limits nothing."""
    said = {"seen_at": at, "version": version}
    if isinstance(row, Pool):
        return changed(row, state="inactive", **said)
    return changed(row, guaranteed_milli=0, limit_milli=0, **said)
