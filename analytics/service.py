"""What every route shares: the store, who may ask, and what the runner last did."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from analytics.access.audit import Audit
from analytics.access.caller import COLLECTOR, OWNER, Caller
from analytics.access.guard import COOKIE
from analytics.access.keys import Keys
from analytics.access.oidc import Issuer, by_issuer
from analytics.access.sessions import KEY_LIVES_S, LoginLinks, Session, Sessions
from analytics.access.trust import Certificates
from analytics.console.memory import Memory
from analytics.door import Door
from analytics.ingest.intake import Intake
from analytics.runner import Runner
from analytics.watch import Watch
from gpuledger.config import Config
from gpuledger.guard import AD_HOC, BOARDS, EXPORT
from gpuledger.service import Reader
from gpuledger.store import Store

__all__ = ["COOKIE", "KEY_LIVES_S", "Keeper", "LoginLinks", "Service"]


# Answers that may be streamed at once: each has a client, and memory of the engine.
STREAMS = 2


class Alerts(Protocol):
    """What is known of alerts, whose part this one does not import."""

    def rules(self) -> list[dict[str, Any]]:
        """Every rule: what it says, and who hears of it."""

    def status(
        self, reader: Reader, *, rule: str = "", resolved: bool = False
    ) -> list[dict[str, Any]]:
        """Alerts that are pending or firing, or with `resolved` all; worst first."""


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
    watch: Watch = field(default_factory=Watch)
    keys: Keys | None = None
    issuers: Sequence[Issuer] = ()
    certificates: Certificates | None = None
    logins: LoginLinks = field(default_factory=LoginLinks)
    memory: Memory = field(default_factory=Memory)
    sessions: Sessions = field(default_factory=Sessions)
    door: Door = field(default_factory=lambda: Door(AD_HOC))
    export_door: Door = field(default_factory=lambda: Door(EXPORT))
    configuration: Config = field(default_factory=Config)
    alerts: Alerts | None = None
    streams: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(STREAMS)
    )
    # A plan takes a core for seconds: one at a time.
    planning: threading.Lock = field(default_factory=threading.Lock)

    @property
    def boards(self) -> Store:
        """The store for the questions of pages and metrics."""
        return self.store.within(BOARDS)

    @property
    def audit(self) -> Audit:
        """Where decisions and changes are written down."""
        return Audit(self.store)

    @property
    def keeper(self) -> Keeper:
        """Who knows whose a token is."""
        return Keeper(self.token, self.ingest_token, self.keys, self.issuers, self.certificates)

    async def by_token(self, token: str, address: str = "") -> Caller | None:
        """Whose token it is; None where it is nobody's. NotKnown where an issuer's is no good."""
        return await self.keeper.by_token(token, address)

    def by_certificate(self, names: Sequence[str]) -> Caller | None:
        """Which node showed a certificate with these names; None for none of ours."""
        return self.keeper.by_certificate(names)

    async def by_cookie(self, cookie: str) -> Session | None:
        """Who logged in with that cookie; over as soon as the token of the login is."""
        session = self.sessions.find(cookie)
        if session is None or await self._stands(session.caller):
            return session
        self.sessions.end(cookie)
        return None

    async def _stands(self, caller: Caller) -> bool:
        if datetime.now(UTC) >= caller.ends_at:
            return False
        return not caller.token_id or bool(self.keys and await self.keys.is_good(caller.token_id))


@dataclass(frozen=True)
class Keeper:
    """Knows whose a token is: the service's own two, those of the store, those of an issuer."""

    token: str
    ingest_token: str = ""
    keys: Keys | None = None
    issuers: Sequence[Issuer] = ()
    certificates: Certificates | None = None

    async def by_token(self, token: str, address: str = "") -> Caller | None:
        """Whose token it is; None where it is nobody's. NotKnown where an issuer's is no good."""
        if self.token and _same(token, self.token):
            return OWNER
        if self.ingest_token and _same(token, self.ingest_token):
            return COLLECTOR
        if self.keys and (caller := await self.keys.find(token, address)):
            return caller
        return await by_issuer(self.issuers, token) if self.issuers else None

    def by_certificate(self, names: Sequence[str]) -> Caller | None:
        """Which node showed a certificate with these names; None for none of ours."""
        return self.certificates.whose(names) if self.certificates else None

    async def by_cookie(self, cookie: str) -> Session | None:  # noqa: ARG002 - a relay has no pages
        """Nobody logs in here."""
        return None


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())
