"""Rows that tell persons live shorter than sums: after some days nobody is named in them any more.

Measured rows of single processes go. Of the book, jobs, runs and findings the names go and the rows
stay, so that what a team, pool or cluster used is what it was. It rests on the same marks of the
catalogue as forgetting does (`holds=`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import TABLES
from gpuledger.errors import ConfigError
from gpuledger.schema import Cells, Column, Holds, Samples, Table
from gpuledger.store import Store

EVERY = timedelta(days=1)
# Days for which the book is still corrected from jobs ([runner] restate_d), and one more.
LEAST_DAYS = 36
# Facts that are over at that time.
OVER = {"jobs": "ended", "runs": "ended", "findings": "until", "exemptions": "valid_to"}
# Texts that users choose, and put their names into.
CHOSEN = {"jobs": ("name",), "runs": ("name",)}


class Aging:
    """Once a day: what is older than `days` tells nobody any more; 0 = as long as the rows live.

    ConfigError for fewer days than the book is corrected for.
    """

    def __init__(self, store: Store, days: int) -> None:
        if days and days < LEAST_DAYS:
            raise ConfigError(f"[store] persons_days: {days} is below {LEAST_DAYS} and not 0")
        self._store = store
        self._days = days
        self._looked: datetime | None = None

    def step(self, now: datetime) -> None:
        """Look, where a day has gone by."""
        if not self._days or (self._looked and now - self._looked < EVERY):
            return
        before = now - timedelta(days=self._days)
        for table, condition, change in _changes(before):
            if self._store.value(f"SELECT count() FROM {table} WHERE {condition}"):
                statement = f"ALTER TABLE {table} {change} WHERE {condition}"
                self._store.everywhere(statement, mutations_sync=2)
        self._looked = now


def _changes(before: datetime) -> Iterator[tuple[str, str, str]]:
    """Table, which rows of it, and what happens to them."""
    at = f"fromUnixTimestamp64Milli({to_milliseconds(before)}, 'UTC')"
    for table in TABLES.values():
        columns, time = _telling(table)
        if columns and isinstance(table.layout, Samples):
            yield table.name, f"{time} < {at}", "DELETE"
        elif columns:
            named = " OR ".join(f"{c.name} != ''" for c in columns)
            blank = ", ".join(f"{c.name} = ''" for c in columns)
            yield table.name, f"{time} < {at} AND ({named})", f"UPDATE {blank}"


def _telling(table: Table) -> tuple[Sequence[Column[str]], str]:
    """The columns that tell persons, and the one that tells the age of the row."""
    held = [c for c in table.columns if c.holds and c.name not in table.layout.key]
    match table.layout:
        case Samples():
            return held, "ts"
        case Cells(at=at):
            return held, at
        case _ if table.name in OVER:
            chosen = CHOSEN.get(table.name, ())
            names = [c for c in held if c.holds is Holds.NAME or c.name in chosen]
            return names, OVER[table.name]
        case _:
            return (), ""
