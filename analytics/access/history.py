"""The audit as it is read: who decided and changed what, the latest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from gpuledger.service import Reader

# As it is printed; more is for the API, page by page.
MOST = 10_000
ENTRIES = """
SELECT ts AS at, who, toString(role) AS role, toString(action) AS action, subject,
  toString(address) AS address, before, after, request_id, toString(cityHash64(*)) AS entry
FROM audit_log
"""


def read(reader: Reader, since: datetime, *, limit: int = MOST) -> list[dict[str, Any]]:
    """Entries since then, `before` and `after` as they were."""
    rows = reader.select(
        f"SELECT * EXCEPT entry FROM ({ENTRIES}) WHERE at >= {{since:DateTime64(3, 'UTC')}}"
        " ORDER BY at DESC, entry LIMIT {most:UInt32}",
        since=since,
        most=limit,
    )
    for row in rows:
        row["before"], row["after"] = map(msgspec.json.decode, (row["before"], row["after"]))
    return rows
