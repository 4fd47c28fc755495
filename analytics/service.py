"""What every route shares: the store, who may ask, and what the runner last did."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from analytics.door import Door
from analytics.ingest.intake import Intake
from analytics.runner import Runner
from gpuledger.guard import AD_HOC, BOARDS, EXPORT
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
    intake: Intake | None = None
    logins: LoginLinks = field(default_factory=LoginLinks)
    door: Door = field(default_factory=lambda: Door(AD_HOC))
    export_door: Door = field(default_factory=lambda: Door(EXPORT))

    @property
    def boards(self) -> Store:
        """The store for the questions of pages and metrics."""
        return self.store.within(BOARDS)

    def who(self, token: str, *, sends: bool) -> str:
        """Whose token it is; empty where it does not open the door, which is one for senders."""
        return Keeper(self.token, self.ingest_token).who(token, sends=sends)


@dataclass(frozen=True)
class Keeper:
    """Knows the tokens; compares them in constant time."""

    token: str
    ingest_token: str = ""

    def who(self, token: str, *, sends: bool) -> str:
        """`collector` for the token that opens the doors for senders alone, `owner` for ours."""
        if sends and self.ingest_token and _same(token, self.ingest_token):
            return "collector"
        return "owner" if self.token and _same(token, self.token) else ""


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())
