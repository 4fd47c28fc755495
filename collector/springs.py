"""Getting pages of metrics, over HTTP and from files, within time and size."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

import gpuledger
from collector.exposition import OPENMETRICS
from collector.files import unicode
from collector.missing import Reason
from gpuledger.identity import hash64

MAX_BYTES = 4 << 20
CHUNK_BYTES = 1 << 16
ACCEPT = "text/plain;version=0.0.4, */*;q=0.1"
DENIED = {401, 403, 407}
OLD_S = 600.0


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
        max_bytes: int = MAX_BYTES,
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        self.name = without_secrets(url)
        self.instance = urlsplit(url).netloc.rpartition("@")[2]
        self._url = url
        self.timeout_s = timeout_s
        self._monotonic = monotonic
        self._ca = ca
        self._token_file = token_file
        self._max_bytes = max_bytes
        self._pool = pool

    def get(self) -> Body:
        """One GET with its whole answer within the timeout, and of no more than the limit."""
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
            page = BytesIO()
            for piece in self._pieces(answer, until):
                page.write(piece)
        except BaseException:
            # What was not read to its end cannot be used again.
            answer.close()
            raise
        answer.release_conn()
        data = page.getvalue()
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
            plain = packing.unpack(piece, self._max_bytes + 1 - size)
            size += len(plain)
            if size > self._max_bytes:
                raise Failure(Reason.MALFORMED, too_large(self._max_bytes))
            if self._monotonic() > until:
                raise Failure(Reason.TIMEOUT, f"not finished in {self.timeout_s:g} s")
            yield plain
        if not packing.whole:
            raise Failure(Reason.MALFORMED, "its gzip has no end")


class FileSpring(Spring):
    """One text file, as programs leave it for node_exporter's textfile collector."""

    def __init__(self, path: Path, wall: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self.name = unicode(str(path))
        self._path = path
        self._max_bytes = max_bytes
        self._wall = wall

    def get(self) -> Body:
        """The file's text, if it is not older than ten minutes."""
        try:
            age_s = self._wall() - self._path.stat().st_mtime
            with self._path.open("rb") as file:
                data = file.read(self._max_bytes + 1)
        except OSError as e:
            reason = Reason.DENIED if isinstance(e, PermissionError) else Reason.UNREADABLE
            raise Failure(reason, e.strerror or str(e)) from None
        if age_s > OLD_S:
            raise Failure(Reason.LOST, f"written {age_s:.0f} s ago")
        if len(data) > self._max_bytes:
            raise Failure(Reason.MALFORMED, too_large(self._max_bytes))
        return Body(data)


class Packing:
    """An answer that is not packed."""

    whole = True

    def unpack(self, piece: bytes, _: int) -> bytes:
        """The piece as it is."""
        return piece


class Gzip(Packing):
    """An answer packed with gzip, in one or more members; no more is unpacked than is wanted."""

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.whole = False

    def unpack(self, piece: bytes, most: int) -> bytes:
        """At most so many bytes of it. Failure where it is no gzip."""
        most, plain = max(most, 1), b""
        while piece and len(plain) < most:
            if self._gzip.eof:
                self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                plain += self._gzip.decompress(piece, most - len(plain))
            except zlib.error as e:
                raise Failure(Reason.MALFORMED, f"no gzip: {e}") from None
            piece = self._gzip.unused_data
        # What the limit cut off is not looked at: then the page is too large anyhow.
        self.whole = self._gzip.eof and not piece
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


def too_large(max_bytes: int) -> str:
    """What is said of a page that is."""
    return f"more than {max_bytes} bytes, [scrape] max_page_bytes"


def short(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text.encode(errors="replace").decode().split())[:200]


def _token(path: str) -> str:
    try:
        token = Path(path).read_text().strip()
    except (OSError, ValueError) as e:
        raise Failure(Reason.DENIED, f"token file {path}: {short(str(e))}") from None
    if not token.isascii() or not token.isprintable() or not token:
        raise Failure(Reason.DENIED, f"token file {path} holds no token")
    return token
