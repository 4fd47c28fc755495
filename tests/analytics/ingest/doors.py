"""The doors for foreign metrics over an intake whose store keeps nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from analytics.access.caller import Caller
from analytics.app import create_relay_app
from analytics.ingest.assembly import Assembler, Clock
from analytics.ingest.gate import Gate
from analytics.ingest.intake import Intake
from analytics.ingest.journal import Journal
from analytics.ingest.learning import ScrapedSettings
from analytics.ingest.limits import Limits
from analytics.ingest.relay import Relay
from analytics.service import Keeper
from tests.analytics.ingest.site import NOW_S
from tests.analytics.web import TestClient

TOKEN = "token-of-senders"


class Nowhere:
    """A store that takes everything and keeps nothing."""

    def insert_native(self, *_: Any, **__: Any) -> None:
        """Thrown away."""


class Knows:
    """Whoever brings a token is this caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def by_token(self, *_: Any) -> Caller | None:
        return self.caller

    async def by_cookie(self, *_: Any) -> None:
        """Nobody logs in."""


def sending(app: FastAPI) -> TestClient:
    """A client with a sender's token."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    return TestClient(app, base_url="https://gpuledger.test", headers=bearer)


@contextmanager
def open_doors(
    path: Path, keeper: Any = None, limits: Limits | None = None, **settings: Any
) -> Iterator[tuple[TestClient, Assembler]]:
    """A client with the senders' token, and what takes its samples."""
    journal = Journal(path)
    clock = Clock(lambda: NOW_S, lambda: 0.0)
    assembler = Assembler(journal, ScrapedSettings(cluster="c", **settings), clock=clock)
    relay = Relay(journal, Nowhere(), logging.getLogger("relay"), linger_s=0)
    opened = Intake(journal, relay, Gate(), assembler=assembler, limits=limits or Limits()).open()
    try:
        yield sending(create_relay_app(opened, keeper or Keeper("owner", TOKEN))), assembler
    finally:
        opened.close()
