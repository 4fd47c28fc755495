"""Keys that an issuer publishes: fetched, kept, and asked for again when one is not known."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from gpuledger.errors import ConfigError, ReadError

log = logging.getLogger("gpuledger.access")

# Keys change every few weeks, and old ones should not open doors for long.
FRESH_S = 600.0
# For a key that is not known the issuer is asked at once, but not more often than this: whoever
# invents key ids must not make us flood it.
ASK_AGAIN_S = 10.0
PATIENCE_S = 8.0
TIMEOUT_S = 5.0
MOST_BYTES = 1 << 20
DISCOVERY = "/.well-known/openid-configuration"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

K = TypeVar("K")


class IssuerKeys(Generic[K]):
    """The keys by id; those that came last go on while the issuer is away."""

    def __init__(
        self,
        fetch: Callable[[], Mapping[str, K]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, K] = {}
        self._asked_at: float | None = None
        self._asking: Future[None] | None = None
        self._problem = ""
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "issuer")

    async def find(self, kid: str) -> K | None:
        """The key of that id; None where the issuer has none. ReadError where none ever came."""
        known = kid in self._keys
        asking = self._ask(FRESH_S if known else ASK_AGAIN_S)
        if asking and not known:
            await asyncio.wait([asyncio.wrap_future(asking)], timeout=PATIENCE_S)
        if not self._keys:
            raise ReadError(self._problem or "the issuer's keys did not come yet; try again")
        return self._keys.get(kid)

    def refresh(self) -> None:
        """Ask the issuer now; where it does not answer, what is known stays."""
        try:
            self._keys = dict(self._fetch())
        except ReadError as e:
            self._problem = str(e)
            log.warning("%s; %d known keys go on", e, len(self._keys))

    def _ask(self, age_s: float) -> Future[None] | None:
        """The question that goes on, or a new one; None where the answer is young enough."""
        with self._lock:
            if self._asking and not self._asking.done():
                return self._asking
            if self._asked_at is not None and self._clock() - self._asked_at < age_s:
                return None
            self._asked_at = self._clock()
            self._asking = self._thread.submit(self.refresh)
            return self._asking


def check_url(url: str, key: str) -> str:
    """The address without a slash at its end.

    ConfigError where keys would come over a line on which others can change them.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return url
    raise ConfigError(f"{key} {url}: write https://… (http:// only for this very machine)")


def fetcher(
    issuer: str, jwks: str, ca_cert: str, read: Callable[[Any], Mapping[str, K]]
) -> Callable[[], Mapping[str, K]]:
    """What fetches the keys: from a file, an address, or where the issuer's document says.

    It raises ReadError where they do not come, or are none.
    """

    def fetch() -> Mapping[str, K]:
        where = jwks or _told(issuer, ca_cert)
        document = _get(where, ca_cert) if "://" in where else _file(Path(where))
        keys = read(document)
        if not keys:
            raise ReadError(f"{where}: no key in it checks signatures")
        return keys

    return fetch


def _told(issuer: str, ca_cert: str) -> str:
    """Where the issuer's own document says that its keys are."""
    document = _get(f"{issuer.rstrip('/')}{DISCOVERY}", ca_cert)
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise ReadError(f"{issuer}: its discovery document is of another issuer")
    try:
        return check_url(str(document.get("jwks_uri", "")), "jwks_uri")
    except ConfigError as e:
        raise ReadError(f"{issuer}: {e}") from None


def _file(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise ReadError(f"{path}: {e}") from None


def _get(url: str, ca_cert: str) -> Any:
    import urllib3  # noqa: PLC0415 - only a service with an issuer comes here

    try:
        with urllib3.PoolManager(ca_certs=ca_cert or None) as pool:
            answer = pool.request(
                "GET",
                url,
                retries=False,
                redirect=False,
                timeout=TIMEOUT_S,
                preload_content=False,
            )
            body = answer.read(MOST_BYTES + 1, decode_content=True)
            answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise ReadError(f"{url} does not answer: {e}") from None
    if answer.status != 200 or len(body) > MOST_BYTES:
        raise ReadError(f"{url} answers {answer.status} with {len(body)} bytes or more")
    try:
        return json.loads(body)
    except ValueError:
        raise ReadError(f"{url} answers no JSON") from None
