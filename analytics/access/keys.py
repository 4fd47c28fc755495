"""The tokens that a service knows: in memory, fresh to a few seconds, and who used them when.

The store is asked by one thread beside the requests. While it does not answer, the tokens that were
known last go on opening doors: rows of nodes must not stay out because the database is away.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from analytics.access.caller import Caller
from analytics.access.tokens import Held, TokenSet, held, parted
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import ApiTokenUse
from gpuledger.errors import ConfigError, StoreError
from gpuledger.store import Store

log = logging.getLogger("gpuledger.access")

# A token that is taken back opens doors for so long at most, and one request beyond.
FRESH_S = 5.0
# For a token that is not known, the store is asked at once, but not more often than this.
ASK_AGAIN_S = 1.0
# How long a request waits for fresher tokens before those that are known must do.
PATIENCE_S = 2.0
# A token's last use is written once in such a time.
USES_S = 60.0

_STATE = "SELECT toString(groupBitXor(cityHash64(*))), count() FROM api_tokens FINAL"
_TOKENS = """
SELECT token_id, name, toString(role) AS role, teams, toString(cluster) AS cluster,
  toString(node) AS node, tables, secret_sha256, expires_at, revoked_at
FROM api_tokens FINAL
"""


def _now() -> datetime:
    return datetime.now(UTC)


class Keys:
    """Whose token it is, as `api_tokens` says."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self._set: TokenSet | None = None
        self._state: Mapping[str, object] = {}
        self._asked_at = -FRESH_S
        self._failing = False
        self._asking: Future[None] | None = None
        self._uses: dict[str, tuple[datetime, str]] = {}
        self._written_at = clock()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "keys")

    async def find(self, given: str, address: str = "") -> Caller | None:
        """Whose token it is; None where it is nobody's, or no good any more.

        StoreError where the store never answered yet, so that nobody can be known.
        """
        parts = parted(given)
        if parts is None:
            return None
        token_id, secret = parts
        known = self._set is not None and token_id in self._set
        await self._refreshed(FRESH_S if known else ASK_AGAIN_S, known=known)
        if self._set is None:
            raise StoreError("the store does not answer yet, so that no token is known; try again")
        caller = self._set.open(token_id, secret, self._now())
        if caller:
            with self._lock:
                self._uses[token_id] = (self._now(), address)
        return caller

    async def is_good(self, token_id: str) -> bool:
        """Whether the token that somebody logged in with still opens doors."""
        await self._refreshed(FRESH_S, known=True)
        return self._set is not None and self._set.is_good(token_id, self._now())

    def refresh(self) -> None:
        """Ask the store now; what it does not tell stays as it was."""
        try:
            self._load()
            self._write_uses()
        except StoreError as e:
            if not self._failing:
                log.warning("tokens: the store does not tell them, those known go on: %s", e)
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Write who used what since, and end."""
        self._written_at = -USES_S + self._clock()
        if self._uses:
            self._thread.submit(self.refresh)
        self._thread.shutdown()

    async def _refreshed(self, age_s: float, *, known: bool) -> None:
        """Tokens of that age at most, where the store tells them in time."""
        asking = self._ask(age_s)
        # One that is known waits for no store that is away.
        if asking is None or (known and self._failing):
            return
        await asyncio.wait([asyncio.wrap_future(asking)], timeout=PATIENCE_S)

    def _ask(self, age_s: float) -> Future[None] | None:
        """The question that goes on, or a new one; None where the answer is young enough."""
        with self._lock:
            if self._asking and not self._asking.done():
                return self._asking
            if self._clock() - self._asked_at < age_s:
                return None
            self._asked_at = self._clock()
            self._asking = self._thread.submit(self.refresh)
            return self._asking

    def _load(self) -> None:
        (state,) = self._store.select(_STATE)
        if self._set is None or state != self._state:
            self._set = TokenSet(_readable(self._store.select(_TOKENS)))
            self._state = state

    def _write_uses(self) -> None:
        """Bring to the store who used what, at most once in a time."""
        if not self._uses or self._clock() - self._written_at < USES_S:
            return
        self._written_at = self._clock()
        with self._lock:
            uses, self._uses = self._uses, {}
        try:
            self._store.insert_rows([_use(i, at, where) for i, (at, where) in uses.items()])
        except StoreError:
            with self._lock:
                self._uses = {**uses, **self._uses}
            raise


def _readable(rows: list[dict[str, Any]]) -> Iterator[Held]:
    """Rows of `api_tokens`; one that a newer program wrote in its own way opens nothing here."""
    for row in rows:
        try:
            yield held(row)
        except (ConfigError, ValueError) as e:
            log.warning("token %s opens nothing: %s", row["token_id"], e)


def _use(token_id: str, at: datetime, address: str) -> ApiTokenUse:
    return ApiTokenUse(token_id=token_id, used_at=at, address=address, version=to_milliseconds(at))
