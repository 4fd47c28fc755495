"""Getting and reading pages of metrics, over HTTP and from files, within time and size."""

from __future__ import annotations

import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from logging import Logger
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

import gpuledger
from collector.exposition import OPENMETRICS, Interest, parse
from collector.missing import Reason
from collector.source import Clock
from gpuledger.errors import ReadError
from gpuledger.identity import hash64
from gpuledger.mapping import Exporter, Mapped, Place, Reading

MAX_BYTES = 16 << 20
CHUNK_BYTES = 1 << 16
ACCEPT = "text/plain;version=0.0.4, */*;q=0.1"
DENIED = {401, 403, 407}
OLD_S = 600.0
# A scraped row covers the time since the one before, but never a long silence (contracts, Rows).
LONGEST_PERIODS = 2.5
# A sample that its exporter says is older is none of this moment, unless the target says otherwise.
STALE_S = 300.0


@dataclass(eq=False)
class Failure(Exception):
    """Why there is no page, as `missing_values` tells it."""

    reason: Reason
    said: str


@dataclass(frozen=True)
class Body:
    """A page as it came."""

    data: bytes
    openmetrics: bool = False


class Spring(ABC):
    """Where pages come from; its name says so to people, without secrets."""

    name: str
    timeout_s = 10.0
    instance = ""  # as Prometheus calls whom it asks; an exporter's own word outweighs it

    @abstractmethod
    def get(self) -> Body:
        """The page of this moment. Failure says why there is none."""

    def close(self) -> None:
        """Let go of connections."""
        return


class HttpSpring(Spring):
    """One URL. No redirect is followed: a page belongs to whom was asked, with its token."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        monotonic: Callable[[], float],
        *,
        ca: str = "",
        token_file: str = "",
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        self.name = without_secrets(url)
        self.instance = urlsplit(url).netloc.rpartition("@")[2]
        self._url = url
        self.timeout_s = timeout_s
        self._monotonic = monotonic
        self._ca = ca
        self._token_file = token_file
        self._pool = pool

    def get(self) -> Body:
        """One GET with its whole answer within the timeout, and no more than 16 MB of it."""
        until = self._monotonic() + self.timeout_s
        headers = self._headers()
        try:
            answer = self._opened().request(
                "GET",
                self._url,
                headers=headers,
                timeout=urllib3.Timeout(total=self.timeout_s),
                redirect=False,
                retries=False,
                preload_content=False,
            )
            return self._read(answer, until)
        except urllib3.exceptions.NewConnectionError as e:  # a TimeoutError too, for urllib3
            raise Failure(Reason.UNREADABLE, short(str(e).rpartition(": ")[2])) from None
        except urllib3.exceptions.TimeoutError:
            raise Failure(Reason.TIMEOUT, f"no answer in {self.timeout_s:g} s") from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            raise Failure(Reason.UNREADABLE, short(str(e))) from None

    def close(self) -> None:
        """Close connections."""
        if self._pool:
            self._pool.clear()

    def _opened(self) -> urllib3.PoolManager:
        if self._pool is None:
            self._pool = urllib3.PoolManager(maxsize=1, ca_certs=self._ca or None)
        return self._pool

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "User-Agent": f"gpuledger/{gpuledger.__version__}",
        }
        if self._token_file:
            headers["Authorization"] = f"Bearer {_token(self._token_file)}"
        return headers

    def _read(self, answer: Any, until: float) -> Body:
        try:
            if answer.status != 200:
                reason = Reason.DENIED if answer.status in DENIED else Reason.UNREADABLE
                raise Failure(reason, f"answered {answer.status}")
            data = b"".join(self._pieces(answer, until))
        except BaseException:
            # What was not read to its end cannot be used again.
            answer.close()
            raise
        answer.release_conn()
        told = {"Content-Length", "Transfer-Encoding"} & {h.title() for h in answer.headers}
        if not told and data and not data.endswith(b"\n"):
            # Only its end says that such an answer is whole, and a last figure may lack digits.
            raise Failure(Reason.MALFORMED, "ends within a line")
        return Body(data, answer.headers.get("Content-Type", "").startswith(OPENMETRICS))

    def _pieces(self, answer: Any, until: float) -> Iterator[bytes]:
        """The answer as it comes, unpacked. Failure where it is late, too large or cut short."""
        packing = unpacker(answer.headers.get("Content-Encoding", ""))
        size = 0
        while piece := answer.read1(CHUNK_BYTES, decode_content=False):
            plain = packing.unpack(piece, MAX_BYTES + 1 - size)
            size += len(plain)
            if size > MAX_BYTES:
                raise Failure(Reason.MALFORMED, f"more than {MAX_BYTES >> 20} MB")
            if self._monotonic() > until:
                raise Failure(Reason.TIMEOUT, f"not finished in {self.timeout_s:g} s")
            yield plain
        if not packing.whole:
            raise Failure(Reason.MALFORMED, "its gzip has no end")


class FileSpring(Spring):
    """One text file, as programs leave it for node_exporter's textfile collector."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self.name = str(path)
        self._path = path
        self._wall = wall

    def get(self) -> Body:
        """The file's text, if it is not older than ten minutes."""
        try:
            age_s = self._wall() - self._path.stat().st_mtime
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as e:
            reason = Reason.DENIED if isinstance(e, PermissionError) else Reason.UNREADABLE
            raise Failure(reason, e.strerror or str(e)) from None
        if age_s > OLD_S:
            raise Failure(Reason.LOST, f"written {age_s:.0f} s ago")
        if len(data) > MAX_BYTES:
            raise Failure(Reason.MALFORMED, f"more than {MAX_BYTES >> 20} MB")
        return Body(data)


class Packing:
    """An answer that is not packed."""

    whole = True

    def unpack(self, piece: bytes, _: int) -> bytes:
        """The piece as it is."""
        return piece


class Gzip(Packing):
    """An answer packed with gzip; no more of it is unpacked than is wanted."""

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.whole = False

    def unpack(self, piece: bytes, most: int) -> bytes:
        """At most so many bytes of it. Failure where it is no gzip."""
        try:
            plain = self._gzip.decompress(piece, max(most, 1))
        except zlib.error as e:
            raise Failure(Reason.MALFORMED, f"no gzip: {e}") from None
        self.whole = self._gzip.eof
        return plain


def unpacker(encoding: str) -> Packing:
    """How to unpack an answer of that Content-Encoding. Failure where we did not ask for it."""
    match encoding.strip().lower():
        case "" | "identity":
            return Packing()
        case "gzip" | "x-gzip":
            return Gzip()
    raise Failure(Reason.MALFORMED, f"packed with {short(encoding)}")


def without_secrets(url: str) -> str:
    """The URL without user, password and query; of a query only that it is another one."""
    parsed = urlsplit(url)
    shown = f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2]}{parsed.path}"
    return f"{shown}?{hash64(parsed.query) % 10_000:04}" if parsed.query else shown


def short(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text.split())[:200]


def _token(path: str) -> str:
    try:
        token = Path(path).read_text().strip()
    except (OSError, ValueError) as e:
        raise Failure(Reason.DENIED, f"token file {path}: {short(str(e))}") from None
    if not token.isascii() or not token.isprintable() or not token:
        raise Failure(Reason.DENIED, f"token file {path} holds no token")
    return token


@dataclass
class Outcome:
    """What became of one attempt at one feed; without a reason it succeeded."""

    feed: Feed
    wall_ms: int
    took_s: float
    mapped: Mapped
    reason: Reason | None = None
    said: str = ""


class Feed:
    """One page and its mapping. Each attempt runs on a thread of its own and harms no other.

    A thread that hangs is not awaited: the feed stays busy until it comes back, and is told to be
    late once per attempt.
    """

    def __init__(
        self,
        spring: Spring,
        exporter: Exporter,
        labels: Mapping[str, str],
        period_s: float,
        stale_s: float = STALE_S,
    ) -> None:
        self.name = spring.name
        self.timeout_s = spring.timeout_s
        self.period_s = period_s
        self.busy = self.late = False
        self.began = -inf
        self.doubts: set[tuple[str, str]] = set()
        self._spring = spring
        self._exporter = exporter
        self._labels = labels
        self._instance = {"instance": spring.instance} if spring.instance else {}
        self._stale_ms = stale_s * 1000
        self._succeeded = -inf

    def is_due(self, now: float, reading_s: float) -> bool:
        """Whether the next attempt may begin, where readings are `reading_s` apart.

        What is no slower than that is read each time, however soon somebody asks again.
        """
        since = now - self.began
        slow = self.period_s > reading_s and since < self.period_s - reading_s / 2
        return not self.busy and not slow

    def start(
        self, place: Place, clock: Clock, log: Logger, done: Callable[[Outcome], None]
    ) -> None:
        """Begin an attempt; `done` takes its outcome, on the attempt's thread."""
        self.busy, self.late = True, False
        place = replace(place, interval_s=self._covers(clock.monotonic()))
        self.began = clock.monotonic()
        attempt = partial(self._attempt, place, clock, log, done)
        threading.Thread(target=attempt, name=f"scrape {self.name}", daemon=True).start()

    def finish(self, outcome: Outcome) -> None:
        """Take note of an outcome, on the source's thread."""
        self.busy = False
        if outcome.reason is None:
            self._succeeded = self.began

    def failed(self, reason: Reason, said: str, took_s: float) -> Outcome:
        """The outcome of an attempt that did not end."""
        return Outcome(self, 0, took_s, Mapped(), reason, said)

    def close(self) -> None:
        """Let go of connections; an attempt that runs ends by itself."""
        self._spring.close()

    def _covers(self, now: float) -> float:
        """Seconds that the rows of this attempt cover: none for the first of all."""
        if self.began == -inf:
            return 0.0
        since = now - self._succeeded
        return since if since <= LONGEST_PERIODS * self.period_s else self.period_s

    def _attempt(
        self, place: Place, clock: Clock, log: Logger, done: Callable[[Outcome], None]
    ) -> None:
        outcome = Outcome(self, 0, 0.0, Mapped())
        began = clock.monotonic()
        try:
            outcome.mapped = self._read(place, clock)
        except Failure as e:
            outcome.reason, outcome.said = e.reason, e.said
        except ReadError as e:
            outcome.reason, outcome.said = Reason.MALFORMED, short(str(e))
        except Exception as e:
            outcome.reason, outcome.said = Reason.UNREADABLE, short(f"{type(e).__name__}: {e}")
            log.debug("scrape %s", self.name, exc_info=True)
        outcome.wall_ms = round(clock.wall() * 1000)
        outcome.took_s = clock.monotonic() - began
        done(outcome)

    def _read(self, place: Place, clock: Clock) -> Mapped:
        body = self._spring.get()
        page = parse(body.data, self._interest, openmetrics=body.openmetrics)
        now_ms = round(clock.wall() * 1000)
        mapped = self._exporter.rows(self._fresh(page.readings, now_ms), place)
        mapped.unknown |= page.unknown
        return mapped

    def _fresh(self, readings: Iterable[Reading], now_ms: int) -> Iterator[Reading]:
        """Readings as of now; one that its exporter says is old is left out."""
        for reading in readings:
            if reading.at_ms is None or now_ms - reading.at_ms <= self._stale_ms:
                labels = {**self._instance, **reading.labels, **self._labels}
                yield Reading(reading.name, labels, reading.value)

    def _interest(self, name: str) -> Interest:
        if self._exporter.feeds_of(name) is not None:
            return Interest.READ
        return Interest.SKIP if self._exporter.why_ignored(name) else Interest.UNKNOWN
