"""Who logged in with a browser: a random cookie each, known in memory alone."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from analytics.access.caller import OWNER, Caller

# A working day; a restart of the service ends every session as well.
SESSION_LIVES_S = 12 * 3600.0
# Links end up in logs: they must be worth nothing there.
KEY_LIVES_S = 3600.0
# More would be a flood; the oldest go.
MOST_SESSIONS = 10_000

Clock = Callable[[], float]


@dataclass(frozen=True)
class Session:
    """One login: who, until when on the clock, and the secret of the forms of its pages."""

    caller: Caller
    ends_at: float
    form_token: str


class Sessions:
    """Logins by cookie; a cookie is 256 random bits, so that a dictionary may look it up."""

    def __init__(self, clock: Clock = time.monotonic, most: int = MOST_SESSIONS) -> None:
        self._clock = clock
        self._most = most
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, caller: Caller) -> str:
        """A fresh cookie for the caller."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            # All live as long, so that the oldest are the first to be over.
            while self._open and self._is_over(next(iter(self._open.values())), now):
                del self._open[next(iter(self._open))]
            session = Session(caller, now + SESSION_LIVES_S, secrets.token_urlsafe(32))
            self._open[cookie] = session
        return cookie

    def _is_over(self, oldest: Session, now: float) -> bool:
        return oldest.ends_at < now or len(self._open) >= self._most

    def find(self, cookie: str) -> Session | None:
        """The login of that cookie; None where there is none, or it is over."""
        session = self._open.get(cookie)
        return session if session and self._clock() <= session.ends_at else None

    def end(self, cookie: str) -> None:
        """Log out."""
        with self._lock:
            self._open.pop(cookie, None)


class LoginLinks:
    """One-time links: each key opens the door once, within the hour, and becomes a session."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._keys: dict[str, tuple[Caller, float]] = {}
        self._lock = threading.Lock()

    def new(self, caller: Caller = OWNER) -> str:
        """A fresh key."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._keys[key] = caller, self._clock() + KEY_LIVES_S
        return key

    def use(self, key: str) -> Caller | None:
        """Whose the key was, if it was good; it is not any more."""
        with self._lock:
            caller, ends_at = self._keys.pop(key, (None, 0.0))
        return caller if self._clock() <= ends_at else None
