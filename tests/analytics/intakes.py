"""An intake over a store, for tests of the doors: what was accepted is stored when they look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.ingest.gate import Gate
from analytics.ingest.intake import Intake
from analytics.ingest.journal import Journal
from analytics.ingest.relay import NativeStore, Relay
from tests.analytics.world import START

# Rows of the tests' world are a few hours old.
NOW = START + timedelta(hours=12)


@contextmanager
def intake(
    path: Path,
    store: NativeStore,
    *,
    linger_s: float = 0.0,
    capacity_bytes: int = 1 << 30,
    clock: Callable[[], datetime] = lambda: NOW,
) -> Iterator[Intake]:
    """An open intake; its gate lives in the time of the tests' world."""
    journal = Journal(path, capacity_bytes=capacity_bytes)
    relay = Relay(journal, store, logging.getLogger("relay"), linger_s=linger_s)
    opened = Intake(journal, relay, Gate(), clock).open()
    try:
        yield opened
    finally:
        opened.close()


def stored(one: Intake) -> None:
    """Wait until everything accepted is in the store."""
    assert one.relay.flush(30)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)
