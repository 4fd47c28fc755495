"""Compare and set: of several who take the next turn of something, one does.

A turn is a row with the number that comes next, a random `decision`, and a deduplication token
made of name and number: of several inserts the first one is kept. Each then reads the row back and
sees whose it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gpuledger.batch import Batch, to_milliseconds
from gpuledger.schema import Row
from gpuledger.store import Store

_LAST = 1 << 62


def decision() -> int:
    """What tells our row from everybody else's."""
    return secrets.randbits(63)


def version(at: datetime) -> int:
    """Falls with time: the table keeps the first of a turn also where a token was forgotten."""
    return _LAST - to_milliseconds(at)


def put(store: Store, row: Row, token: str) -> None:
    """Insert a turn; where somebody was first, theirs holds. StoreError."""
    store.insert(Batch.of_rows([row]), token=token)


def take(store: Store, row: Row, token: str, kept: str, **key: Any) -> Mapping[str, Any]:
    """Insert a turn and read back the row that holds, by the question `kept`. StoreError.

    It is ours where it has our `decision`.
    """
    put(store, row, token)
    (held,) = store.select(kept, **key)
    return held
