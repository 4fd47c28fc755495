"""The intake: what every door for senders needs, opened and closed together."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request

from analytics.ingest.assembly import Assembler
from analytics.ingest.gate import Gate, IngestSettings
from analytics.ingest.journal import Journal
from analytics.ingest.learning import ScrapedSettings
from analytics.ingest.limits import Limits, LimitSettings, Sender
from analytics.ingest.pause import PauseSwitch
from analytics.ingest.relay import Relay, RelaySettings
from gpuledger.config import Config
from gpuledger.store import Store

log = logging.getLogger(__name__)

LAST_FLUSH_S = 5.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Told:
    """What doors saw since the start: rows and columns by table, batches by their schema."""

    quarantined: Counter[str] = field(default_factory=Counter)
    dropped_columns: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    schemas: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)


@dataclass
class Intake:
    """The gate judges, the journal keeps, the relay brings to the store; `open` before use."""

    journal: Journal
    relay: Relay
    gate: Gate
    clock: Callable[[], datetime] = _now
    told: Told = field(default_factory=Told)
    assembler: Assembler | None = None
    pause: PauseSwitch | None = None
    limits: Limits = field(default_factory=Limits)

    def open(self) -> Intake:
        """Open the journal and begin to drain it. ConfigError where its file cannot be used."""
        self.journal.open()
        self.relay.start()
        if self.assembler:
            self.assembler.start()
        return self

    def close(self) -> None:
        """Bring to the store what goes there at once; the rest stays safe in the journal."""
        if self.assembler:
            self.assembler.stop()
        self.relay.flush(LAST_FLUSH_S, through_failures=False)
        self.relay.stop()
        self.journal.close()


def intake_of(request: Request) -> Intake:
    """The intake of the application that answers; HTTPException 503 where it has none."""
    intake: Intake | None = request.app.state.intake
    if intake is None:
        raise HTTPException(503, "this service takes no rows")
    return intake


def sender_of(request: Request) -> Sender:
    """Who sends, as the guard found. HTTPException 429 where it has sent too much."""
    return intake_of(request).limits.admit(request.scope["caller"])


def make_intake(path: Path, store: Store, configuration: Config) -> Intake:
    """The intake with its journal in the file `path`; nothing is opened here."""
    settings = configuration.section("relay", RelaySettings)
    journal = Journal(path, capacity_bytes=settings.spool_bytes)
    ingest = configuration.section("ingest", IngestSettings)
    gate, pause = Gate(ingest), PauseSwitch(Path(ingest.pause_file))
    relay = Relay(journal, store, log, linger_s=settings.linger_s)
    scraped = configuration.section("scraped", ScrapedSettings)
    assembler = Assembler(journal, scraped, store)
    limits = Limits(configuration.section("limits", LimitSettings))
    return Intake(journal, relay, gate, assembler=assembler, pause=pause, limits=limits)
