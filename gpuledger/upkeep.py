"""What `schema check` says beside the plan: whether tokens are kept long enough, and rows not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpuledger import upgrade
from gpuledger.migration import Found
from gpuledger.upgrade import Server

_WINDOWS = ("non_replicated_deduplication_window", "replicated_deduplication_window")
_AGES = re.compile(r"^ALTER TABLE (\S+)(?: ON CLUSTER \S+)? (?:MODIFY|REMOVE) TTL")


@dataclass(frozen=True)
class Window:
    """Tokens that a table remembers, and blocks that came to it in its busiest hour."""

    table: str
    tokens: int
    blocks: int

    @property
    def holds(self) -> bool:
        """Whether a batch may be sent again for an hour and still counts once."""
        return self.blocks <= self.tokens

    def __str__(self) -> str:
        told = f"{self.blocks} blocks came in an hour and {self.tokens} tokens are kept"
        if self.holds:
            return f"{self.table}: {told}"
        return f"{self.table}: {told}: what is sent again later counts twice; send larger blocks"


def windows(server: Server, database: str) -> list[Window]:
    """The deduplication windows of a database, the fullest first.

    Of a week's blocks where the server keeps its part_log, else of the last hour's: then rather
    too many than too few, as merged parts count as new.
    """
    logged = server.select("SELECT name FROM system.tables WHERE database = 'system'")
    sql = _LOGGED if {"name": "part_log"} in logged else _LIVING
    blocks = {r["table"]: r["blocks"] for r in server.select(sql, database=database)}
    kept = {name: _tokens(there) for name, there in upgrade.found(server, database).items()}
    out = [Window(name, tokens, blocks.get(name, 0)) for name, tokens in kept.items() if tokens]
    return sorted(out, key=lambda w: (-w.blocks / w.tokens, w.table))


def _tokens(there: Found) -> int:
    return next((int(there.setting(name)) for name in _WINDOWS if there.setting(name)), 0)


def without_retention(statements: Iterable[str]) -> Iterator[str]:
    """Tables whose rows are kept for another time than is configured, from a plan."""
    for statement in statements:
        found = _AGES.match(statement)
        if found:
            yield found[1].rpartition(".")[2]


_LOGGED = """
SELECT table, max(n) AS blocks FROM (
  SELECT table, count() AS n FROM system.part_log
  WHERE event_type = 'NewPart' AND database = {database:String}
    AND event_date >= today() - 7 AND event_time > now() - INTERVAL 7 DAY
  GROUP BY table, toStartOfHour(event_time))
GROUP BY table
"""
_LIVING = """
SELECT table, max(max_block_number)
    - greatest(0, maxIf(max_block_number, modification_time < now() - INTERVAL 1 HOUR)) AS blocks
FROM system.parts WHERE database = {database:String} GROUP BY table
"""
