"""What one token may send: bytes of a body, requests and rows a second, and series.

Each sender has its own share, so that one that runs wild takes nothing from the others. Rows are
counted when they came: a sender that took more than its share is told to come back once it is
paid back, so a body of any size gets through, and none is read twice for nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import Annotated

import msgspec
from starlette.exceptions import HTTPException

from analytics.access.caller import Caller
from analytics.ingest.bodies import MAX_BODY_BYTES
from analytics.ingest.bound import Bound, key_prefix
from gpuledger.config import Settings

# Callers are known by then, so there are as many as tokens; should there be more, begin anew.
MOST_SENDERS = 100_000
LONGEST_WAIT_S = 600

# Name, cluster, node and tables: a token that takes over from another has its share.
Named = tuple[str, str, str, tuple[str, ...]]


class LimitSettings(Settings):
    """Section `[limits]`: what each token may send; 0 = no limit. Ages: `[ingest]`, `[scraped]`."""

    body_bytes: Annotated[int, "largest body of a request, as sent and unpacked"] = MAX_BODY_BYTES
    burst_s: Annotated[float, "seconds of its share that a sender may have saved up"] = 60.0
    node_requests_per_s: Annotated[float, "requests a second by the token of one node"] = 20.0
    node_rows_per_s: Annotated[float, "rows a second by the token of one node"] = 10_000.0
    requests_per_s: Annotated[float, "requests a second by any other token"] = 10_000.0
    rows_per_s: Annotated[float, "rows or samples a second by any other token"] = 1_000_000.0
    series: Annotated[
        int, msgspec.Meta(ge=0), "series by one token, remote-write and OTLP together"
    ] = 300_000


class Bucket:
    """A share that refills with time; what was taken too much is a debt."""

    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._burst = self._left = per_s * burst_s
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until the debt is paid back; 0 where there is none."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return -self._left / self._per_s if self._per_s and self._left < 0 else 0.0

    def take(self, count: float) -> None:
        """Take so much, whether it is there or not."""
        if self._per_s:
            self._left -= count


@dataclass(slots=True, eq=False)
class Sender:
    """A caller at the doors for senders: what it is bound to, and what is left of its shares.

    `salt` keeps apart what is remembered of series by their labels' bytes.
    """

    caller: Caller
    prefix: str
    bound: Bound
    requests: Bucket
    rows: Bucket
    most_bytes: int = MAX_BODY_BYTES
    most_series: int = 0
    salt: bytes = b""
    was_foreign: bool = False


class Limits:
    """Shares of all senders; safe for any number of threads."""

    def __init__(
        self,
        settings: LimitSettings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings or LimitSettings()
        self._monotonic = monotonic
        self._senders: dict[Named, Sender] = {}
        self._lock = threading.Lock()
        self.refused = {"requests": 0, "rows": 0}

    def admit(self, caller: Caller) -> Sender:
        """The sender, one request poorer. HTTPException 429 where a share is used up."""
        now_s = self._monotonic()
        named = caller.name, caller.cluster, caller.node, caller.tables
        with self._lock:
            sender = self._senders.get(named) or self._new(named, caller, now_s)
            wait_s, of = sender.requests.wait_s(now_s), "requests"
            if not wait_s:
                wait_s, of = sender.rows.wait_s(now_s), "rows"
            if not wait_s:
                sender.requests.take(1)
                return sender
            self.refused[of] += 1
        wait = str(min(ceil(wait_s), LONGEST_WAIT_S))
        raise HTTPException(
            429, f"{caller.name} sends too many {of} a second", {"Retry-After": wait}
        )

    def charge(self, sender: Sender, rows: int) -> None:
        """So many rows of the sender came."""
        with self._lock:
            sender.rows.take(rows)

    def _new(self, named: Named, caller: Caller, now_s: float) -> Sender:
        own, node = self.settings, bool(caller.node)
        requests = own.node_requests_per_s if node else own.requests_per_s
        rows = own.node_rows_per_s if node else own.rows_per_s
        if len(self._senders) >= MOST_SENDERS:
            self._senders.clear()
        sender = self._senders[named] = Sender(
            caller,
            key_prefix(caller),
            Bound(caller),
            Bucket(requests, own.burst_s, now_s),
            Bucket(rows, own.burst_s, now_s),
            min(own.body_bytes or MAX_BODY_BYTES, MAX_BODY_BYTES),
            own.series,
            blake2b("\0".join(named[:3]).encode(), digest_size=blake2b.SALT_SIZE).digest(),
        )
        return sender
