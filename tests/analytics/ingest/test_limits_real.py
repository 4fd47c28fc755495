"""A real Prometheus that sends more than its token may: it waits where it is told that it may."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from analytics.access.caller import Caller, Role
from analytics.app import create_relay_app
from analytics.ingest.assembly import Assembler
from analytics.ingest.gate import Gate
from analytics.ingest.intake import Intake
from analytics.ingest.journal import Journal
from analytics.ingest.learning import ScrapedSettings
from analytics.ingest.limits import Limits, LimitSettings
from analytics.ingest.relay import Relay
from analytics.server import bind
from analytics.slow import patient
from analytics.watch import log
from tests.analytics.ingest.doors import Nowhere
from tests.components.fixtures import or_skip
from tests.components.process import wait_until
from tests.components.prometheus import Prometheus

LIMIT_S = 30.0
WRITERS = ("patient", "hasty")


class ByName:
    """A token is its owner's name."""

    async def by_token(self, token: str, *_: Any) -> Caller | None:
        return Caller(token, Role.INGEST, cluster="site") if token in WRITERS else None

    async def by_cookie(self, *_: Any) -> None:
        """Nobody logs in."""


class Twice(Prometheus):
    """Writes everything twice: with `retry_on_http_429`, and as it does by default."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["global"] = {"scrape_interval": "200ms"}
        queue = {"batch_send_deadline": "100ms", "min_shards": 1, "max_shards": 1}
        config["remote_write"] = [
            {
                "name": name,
                "url": self.write_to,
                "authorization": {"credentials": name},
                "queue_config": {**queue, "retry_on_http_429": name == "patient"},
                "metadata_config": {"send": False},
            }
            for name in WRITERS
        ]
        return config

    def count(self, name: str, writer: str) -> float:
        """One of its own counters."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        begin = f"prometheus_remote_storage_{name}_total{{"
        found = (n for n in lines if n.startswith(begin) and f'"{writer}"' in n)
        return sum(float(line.rpartition(" ")[2]) for line in found)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Twice]:
    """A Prometheus whose writers may each send a request a second."""
    journal = Journal(tmp_path / "journal")
    limits = Limits(LimitSettings(requests_per_s=1, burst_s=1))
    relay = Relay(journal, Nowhere(), log, linger_s=0)
    assembler = Assembler(journal, ScrapedSettings())
    intake = Intake(journal, relay, Gate(), assembler=assembler, limits=limits).open()
    keeper: Any = ByName()
    app = create_relay_app(intake, keeper)
    bound = bind("127.0.0.1:0")
    server = uvicorn.Server(uvicorn.Config(app, http=patient(), log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1/prometheus/write"
    try:
        writer = Twice(tmp_path / "prometheus", [], write_to=url)
        with or_skip(writer):
            writer.jobs = {"itself": f"127.0.0.1:{writer.port}"}
            writer.stop()
            writer.start()
            yield writer
            # It would go on sending what it has, for as long as it may.
            writer.kill()
    finally:
        server.should_exit = True
        thread.join()
        intake.close()


def test_it_waits_where_it_is_told_that_it_may_and_else_throws_away(prometheus: Twice) -> None:
    """So `retry_on_http_429` is what docs/prometheus.md asks for."""
    count = prometheus.count
    wait_until(lambda: count("samples_retried", "patient") > 0, LIMIT_S, "a retry")
    wait_until(lambda: count("samples_failed", "hasty") > 0, LIMIT_S, "a loss")
    before = count("samples", "patient")
    wait_until(lambda: count("samples", "patient") > before, LIMIT_S, "samples after the wait")
    assert count("samples_failed", "patient") == 0
    assert count("samples_retried", "hasty") == 0
