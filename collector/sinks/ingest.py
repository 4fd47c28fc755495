"""The service's ingest endpoint as a sink: `POST <url>/v1/ingest/<table>`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import urllib3

import gpuledger
from collector.sink import TAKEN, Reply, Sink, Verdict
from gpuledger.errors import StoreError
from gpuledger.spool import Entry

HOLD_S = 60.0
LONGEST_HOLD_S = 600.0
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
# What an answer means for the entry (contracts, Doors); any other says nothing about it.
VERDICTS = {
    200: Verdict.TAKEN,
    400: Verdict.REJECTED,
    401: Verdict.HOLD,
    403: Verdict.HOLD,
    409: Verdict.HOLD,
    413: Verdict.TOO_LARGE,
    422: Verdict.REJECTED,
    429: Verdict.HOLD,
    503: Verdict.HOLD,
}
Compress = Callable[[bytes], bytes]


class IngestSink(Sink):
    """Posts entries to `url`, with the node's token; `pool` and `wall` are for tests."""

    def __init__(
        self,
        url: str,
        token: str,
        wall: Callable[[], float],
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._wall = wall
        self._pool = pool or urllib3.PoolManager(retries=False, timeout=TIMEOUT)
        self._encoding, self._compress = compression()

    def send(self, entry: Entry) -> Reply:
        """Post one entry. StoreError where no answer came that says what became of it."""
        url = f"{self._url}/v1/ingest/{quote(entry.table)}"
        try:
            answer = self._pool.request(
                "POST", url, body=self._compress(entry.body), headers=self._headers(entry)
            )
        except urllib3.exceptions.HTTPError as e:
            raise StoreError(f"{self._url} cannot be reached: {_short(str(e))}") from None
        return self._reply(answer)

    def close(self) -> None:
        """Close connections."""
        self._pool.clear()

    def _headers(self, entry: Entry) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "Content-Encoding": self._encoding,
            "Content-Type": "application/octet-stream",
            "Idempotency-Key": entry.token,
            "X-Gpuledger-Schema": gpuledger.__version__,
        }

    def _reply(self, answer: Any) -> Reply:
        verdict = VERDICTS.get(answer.status)
        if verdict is Verdict.TAKEN:
            return TAKEN
        reason = (
            f"{self._url} answered {answer.status}: {_short(answer.data.decode(errors='replace'))}"
        )
        if verdict is None:
            raise StoreError(reason)
        return Reply(verdict, reason, self._after_s(answer.headers.get("Retry-After")))

    def _after_s(self, text: str | None) -> float:
        """Seconds of a Retry-After header: a number, or a date (RFC 9110, 10.2.3); bounded."""
        if text is None:
            return HOLD_S
        try:
            return min(float(text) if text.isdigit() else self._until(text), LONGEST_HOLD_S)
        except (ValueError, OverflowError):
            return HOLD_S

    def _until(self, date: str) -> float:
        return max(0.0, parsedate_to_datetime(date).timestamp() - self._wall())


def compression() -> tuple[str, Compress]:
    """The cheapest encoding at hand: LZ4 frames, else none."""
    try:
        lz4: Any = importlib.import_module("lz4.frame")
    except ImportError:
        return "identity", bytes
    return "lz4", lz4.compress


def _short(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
