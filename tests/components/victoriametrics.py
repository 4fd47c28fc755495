"""A real VictoriaMetrics, single node, that is given its samples and asked."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.components.process import Child, Component, free_port, http_ok, program, wait_until

START_S = 30.0
MERGE_S = 300.0
# Its own metrics: rows that are only in memory (asked before they are written, it remembers that
# there are none), and merges that go on.
PENDING, MERGING = "vm_pending_rows", "vm_active_merges"
MERGED = "has been successfully finished"


class VictoriaMetrics(Component):
    """One server on `directory` that keeps ten years, and caches no answer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self.child = Child(self._command(), self.directory / "victoria-metrics.log")
        self.child.start()
        self.child.wait_ready(lambda: http_ok(f"{self.url}/health"), START_S)

    def stop(self) -> None:
        """Stop; what it stored stays in the directory."""
        if self.child is not None:
            self.child.stop()

    def load(self, lines: bytes) -> None:
        """Take series as JSON lines: metric, values, timestamps in milliseconds."""
        request = urllib.request.Request(f"{self.url}/api/v1/import", data=lines)
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()

    def settle(self) -> None:
        """Write everything to disk and merge it into as few parts as can be."""
        self._get("/internal/force_flush")
        wait_until(lambda: self._sum_of(PENDING) == 0, MERGE_S, "writing")
        before = self._told(MERGED)
        self._get("/internal/force_merge")
        # It answers at once and merges then: only its log tells the end.
        wait_until(lambda: self._told(MERGED) > before, MERGE_S, "merging")
        wait_until(lambda: self._sum_of(MERGING) == 0, MERGE_S, "merging")

    def stored_bytes(self) -> int:
        """Bytes of samples and of their index."""
        found = (self.directory / "data").rglob("*")
        return sum(p.stat().st_size for p in found if p.is_file() and "cache" not in p.parts)

    def ask(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The result of a query or query_range of Prometheus' API."""
        encoded = urllib.parse.urlencode({**parameters, "nocache": 1})
        result: list[dict[str, Any]] = json.loads(self._get(f"/api/v1/{path}?{encoded}"))["data"][
            "result"
        ]
        return result

    def _told(self, words: str) -> int:
        assert self.child is not None
        return self.child.log.read_text(errors="replace").count(words)

    def _sum_of(self, metric: str) -> int:
        lines = self._get("/metrics").decode().splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith(f"{metric}{{"))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=MERGE_S) as answer:
            return bytes(answer.read())

    def _command(self) -> list[str]:
        return [
            program("victoria-metrics"),
            f"-storageDataPath={self.directory / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=120",
            "-search.disableCache",
            "-search.latencyOffset=0s",
            "-search.maxQueryDuration=300s",
            "-search.maxSamplesPerQuery=10000000000",
            "-search.maxPointsPerTimeseries=1000000",
        ]
