"""Facts that hold from some time until another, as the booking asks for them."""

from __future__ import annotations

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
FOREVER_MS = 4_291_747_200_000


def within(table: str) -> str:
    """Rows that hold at some time in [lo, hi), from `f` until `t` (Int64, milliseconds).

    ClickHouse filters by what is no key after FINAL: a row that a later version shortened is out.
    """
    return f"""
SELECT *, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t
FROM {table} FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}
"""
