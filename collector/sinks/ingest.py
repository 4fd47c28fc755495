"""The ingest endpoint of a service or relay as a sink: a round in one envelope, or one by one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

import gpuledger
from collector.halt import HEADER as PAUSE
from collector.sink import TAKEN, Reply, Sink, Verdict
from gpuledger import envelope
from gpuledger.entry import Entry
from gpuledger.errors import ConfigError, StoreError

HOLD_S = 60.0
LONGEST_HOLD_S = 600.0
TOKEN_HOLDS_S = 60.0
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
# What a service says to an envelope that it cannot open, does not know, or fails over: one by one,
# then, for one entry must not hold up the others. One from before envelopes has no such door, and a
# collector's token opens none that is not there.
ONE_BY_ONE, UNKNOWN = {400, 401, 404, 405, 413, 415, 422, 500}, {404, 405}
KNOWN_AGAIN_S = 3600.0
# Plain; what is larger, after an outage, does not gain from travelling together.
ENVELOPE_BYTES = 4 << 20
Compress = Callable[[bytes], bytes]
Outcome = tuple[Entry, Reply | StoreError]


def pool(ca_file: str = "", client_cert: str = "", client_key: str = "") -> urllib3.PoolManager:
    """Connections that trust the system's certificates, or those of `ca_file` alone.

    ConfigError for a file that cannot be read.
    """
    files = {"ca_certs": ca_file, "cert_file": client_cert, "key_file": client_key}
    for name, path in zip(("ca_file", "client_cert", "client_key"), files.values(), strict=True):
        if path and not Path(path).is_file():
            raise ConfigError(f"[agent] {name} {path}: there is no such file")
    given: dict[str, Any] = {name: path for name, path in files.items() if path}
    return urllib3.PoolManager(retries=False, timeout=TIMEOUT, **given)


class IngestSink(Sink):
    """Posts entries to `url`, with the node's token; `wall` is for tests.

    `hear` is told of each answer: the word that agents pause, None where there is none, and the
    status. `fresh` gives the token as it is now, or raises ConfigError: a pod's is replaced often.
    """

    def __init__(
        self,
        url: str,
        token: str,
        wall: Callable[[], float],
        connections: urllib3.PoolManager | None = None,
        hear: Callable[[str | None, int], None] | None = None,
        fresh: Callable[[], str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._wall = wall
        self._pool = connections or pool()
        self._encoding, self._compress = compression()
        self._hear = hear
        self._fresh = fresh
        self._token_read_at = wall()
        self._one_by_one_until = 0.0

    def send(self, entry: Entry) -> Reply:
        """Post one entry. StoreError where no answer came that says what became of it."""
        path = f"{envelope.PATH}/{quote(entry.table)}"
        return self._reply(self._post(path, entry.body, {"Idempotency-Key": entry.token}))

    def send_all(self, entries: Iterable[Entry]) -> Iterator[Outcome]:
        """Post entries together, up to a size; one by one where the service is from before that."""
        for group in _groups(entries):
            if len(group) == 1 or self._wall() < self._one_by_one_until:
                yield from super().send_all(group)
            else:
                yield from self._send_together(group)

    def _send_together(self, group: Sequence[Entry]) -> Iterator[Outcome]:
        version = gpuledger.__version__
        parts = [envelope.Part(e.table, e.token, version, e.body) for e in group]
        try:
            told = {"Content-Type": envelope.CONTENT_TYPE}
            answer = self._post(envelope.PATH, envelope.seal(parts), told)
            if answer.status in ONE_BY_ONE:
                yield from self._send_singly(group, answer.status)
            elif answer.status == 200:
                yield from zip(group, self._replies(answer, len(group)), strict=True)
            else:
                yield group[0], self._reply(answer)
        except StoreError as e:
            yield from ((entry, e) for entry in group)

    def _send_singly(self, group: Sequence[Entry], status: int) -> Iterator[Outcome]:
        """One by one; from now on, where that shows that only envelopes are not known there."""
        is_old = status in UNKNOWN
        for entry, reply in super().send_all(group):
            is_old = is_old or (status == 401 and reply is TAKEN)
            if is_old:
                self._one_by_one_until = self._wall() + KNOWN_AGAIN_S
            yield entry, reply

    def _replies(self, answer: Any, count: int) -> list[Reply | StoreError]:
        """What became of each part."""
        try:
            parts = json.loads(answer.data)["parts"]
            replies = [self._part_reply(int(p["status"]), str(p.get("detail", ""))) for p in parts]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StoreError(f"{self._url} answers envelopes in no way that we know") from None
        if len(replies) != count:
            raise StoreError(f"{self._url} answered {len(replies)} of {count} parts")
        return replies

    def _part_reply(self, status: int, detail: str) -> Reply | StoreError:
        """A part that has to wait holds up no other."""
        verdict = VERDICTS.get(status, Verdict.HOLD)
        if verdict is Verdict.TAKEN:
            return TAKEN
        reason = f"{self._url} answered {status}: {_short(detail)}"
        return StoreError(reason) if verdict is Verdict.HOLD else Reply(verdict, reason)

    def _post(self, path: str, body: bytes, told: Mapping[str, str]) -> Any:
        headers = {
            "Authorization": f"Bearer {self._bearer()}",
            "Content-Encoding": self._encoding,
            "Content-Type": "application/octet-stream",
            "X-Gpuledger-Schema": gpuledger.__version__,
            **told,
        }
        try:
            answer: Any = self._pool.request(
                "POST", self._url + path, body=self._compress(body), headers=headers
            )
        except urllib3.exceptions.HTTPError as e:
            raise StoreError(f"{self._url} cannot be reached: {_short(str(e))}") from None
        if self._hear:
            self._hear(answer.headers.get(PAUSE), answer.status)
        return answer

    def _bearer(self) -> str:
        """The token, read anew each minute; the one before where that cannot be done."""
        now = self._wall()
        if self._fresh and not 0 <= now - self._token_read_at < TOKEN_HOLDS_S:
            self._token_read_at = now
            with suppress(ConfigError):
                self._token = self._fresh()
        return self._token

    def close(self) -> None:
        """Close connections."""
        self._pool.clear()

    def _reply(self, answer: Any) -> Reply:
        verdict = VERDICTS.get(answer.status)
        if verdict is Verdict.TAKEN:
            return TAKEN
        reason = f"{self._url} answered {answer.status}: {_short(_detail(answer.data))}"
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


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries that travel together."""
    group: list[Entry] = []
    size = 0
    for entry in entries:
        size += sum(len(b.body) for b in entry.blocks)
        if group and size > ENVELOPE_BYTES:
            yield group
            group, size = [], sum(len(b.body) for b in entry.blocks)
        group.append(entry)
    if group:
        yield group


def compression() -> tuple[str, Compress]:
    """The cheapest encoding at hand: LZ4 frames, else none."""
    try:
        lz4: Any = importlib.import_module("lz4.frame")
    except ImportError:
        return "identity", bytes
    return "lz4", lz4.compress


def _detail(body: bytes) -> str:
    """What a problem document (RFC 9457) says, else the body as it is."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, TypeError, KeyError):
        return body.decode(errors="replace")


def _short(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
