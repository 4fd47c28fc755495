"""What every route shares: the store, who may ask, and what the runner last did."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from analytics.runner import Runner
from gpuledger.store import Store

COOKIE = "gpuledger"
# Links end up in logs: they must be worth nothing there.
KEY_LIVES_S = 3600.0


class LoginLinks:
    """One-time links: each key opens the door once, within the hour, and becomes a cookie."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._keys: dict[str, float] = {}
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh key."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._keys[key] = self._clock() + KEY_LIVES_S
        return key

    def use(self, key: str) -> bool:
        """Whether the key was good; it is not any more."""
        with self._lock:
            ends_at = self._keys.pop(key, None)
        return ends_at is not None and self._clock() <= ends_at


@dataclass
class Service:
    """The parts that routes need; nothing is opened here."""

    store: Store
    reader: Store
    runner: Runner
    token: str
    ingest_token: str = ""
    report_html: str = ""
    logins: LoginLinks = field(default_factory=LoginLinks)

    def knows(self, token: str) -> bool:
        """Whether the token is ours, compared in constant time."""
        return _same(token, self.token)

    def may_ingest(self, token: str) -> bool:
        """Whether the token is the one of the collectors, which opens no other door."""
        return bool(self.ingest_token) and _same(token, self.ingest_token)


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())
