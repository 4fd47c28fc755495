"""What every route shares: the store, who may ask, and what the runner last did."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

from analytics.runner import Runner
from gpuledger.store import Store

COOKIE = "gpuledger"


class LoginLinks:
    """One-time links: each key opens the door once and becomes a cookie."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh key."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._keys.add(key)
        return key

    def use(self, key: str) -> bool:
        """Whether the key was good; it is not any more."""
        with self._lock:
            found = key in self._keys
            self._keys.discard(key)
        return found


@dataclass
class Service:
    """The parts that routes need; nothing is opened here."""

    store: Store
    reader: Store
    runner: Runner
    token: str
    report_html: str = ""
    logins: LoginLinks = field(default_factory=LoginLinks)

    def knows(self, token: str) -> bool:
        """Whether the token is ours, compared in constant time."""
        return secrets.compare_digest(token.encode(), self.token.encode())
