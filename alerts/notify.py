"""Hands alerts over to Alertmanager (API v2), and says to others that we are alive."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import urllib3
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from alerts.history import ACCEPTED
from alerts.transition import RESOLVED
from gpuledger.catalogue import AlertState

LOG = logging.getLogger("gpuledger.alerts")
# Alertmanager forgets what is not said again: a firing alert is repeated at every tick, and ends
# by itself if gpuledger has been gone for ten minutes.
HOLD_S = 600.0
ATTEMPTS = 3
MAX_REASON = 200
# More in one request could be refused for its size.
MOST_AT_ONCE = 1000
WATCHDOG = "Watchdog"


class Notify(Protocol):
    """Somebody who takes alerts as Alertmanager does."""

    def send(self, alerts: Sequence[Mapping[str, Any]]) -> str:
        """`accepted`, or in one line why not; never an error of its own."""
        ...


class _Busy(Exception):
    """An answer after which it is worth asking again."""


class Alertmanager:
    """Alertmanager's API v2: `POST /api/v2/alerts` (openapi.yaml of prometheus/alertmanager)."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        pool: urllib3.PoolManager | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._timeout_s = timeout_s
        self._pool = pool or urllib3.PoolManager(retries=False)
        self._sleep = sleep

    def send(self, alerts: Sequence[Mapping[str, Any]]) -> str:
        """`accepted`, or in one line why not, after a few tries within seconds.

        What was taken is taken again at the next tick: that changes nothing.
        """
        for first in range(0, len(alerts), MOST_AT_ONCE):
            outcome = self._send(json.dumps(alerts[first : first + MOST_AT_ONCE]).encode())
            if outcome != ACCEPTED:
                return outcome
        return ACCEPTED

    def _send(self, body: bytes) -> str:
        try:
            return self._retrying()(self._post, body)
        except RetryError as e:
            return f"{e.last_attempt.exception()} ({ATTEMPTS} tries)"

    def _retrying(self) -> Retrying:
        more: dict[str, Any] = {"sleep": self._sleep} if self._sleep else {}
        return Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=1.0),
            retry=retry_if_exception_type(_Busy),
            **more,
        )

    def _post(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, timeout=self._timeout_s
            )
        except urllib3.exceptions.HTTPError as e:
            raise _Busy(_line(f"cannot be reached: {e}")) from e
        if answer.status >= 500:
            raise _Busy(_line(f"answered {answer.status}: {answer.data.decode(errors='replace')}"))
        if answer.status != 200:
            return _line(f"refused, {answer.status}: {answer.data.decode(errors='replace')}")
        return ACCEPTED


class Heartbeat:
    """A monitor elsewhere that misses us: it alarms when nobody asks for its address (GET)."""

    def __init__(
        self, url: str, *, timeout_s: float = 5.0, pool: urllib3.PoolManager | None = None
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._pool = pool or urllib3.PoolManager(retries=False)

    def beat(self) -> bool:
        """Whether the monitor heard us; True where there is none. The address is a secret."""
        if not self._url:
            return True
        try:
            answer = self._pool.request("GET", self._url, timeout=self._timeout_s)
        except (urllib3.exceptions.HTTPError, urllib3.exceptions.LocationValueError) as e:
            LOG.warning("the heartbeat was not heard: %s", type(e).__name__)
            return False
        if answer.status >= 300:
            LOG.warning("the heartbeat was not heard: answered %s", answer.status)
        return answer.status < 300


def payload(alert: AlertState, now: datetime, *, late: bool = False) -> dict[str, Any]:
    """One alert as Alertmanager takes it; one that resolved ends when it did.

    One that was over before anybody heard of it (`late`) stands as long as a firing one would, and
    says in its summary that it is over: an end alone is told to nobody.
    """
    annotations = json.loads(alert.annotations)
    ends = now + timedelta(seconds=HOLD_S)
    if late:
        told = annotations.get("summary", "")
        annotations["summary"] = f"{told} (over since {alert.resolved:%Y-%m-%d %H:%M} UTC)"
    elif alert.state == RESOLVED:
        ends = alert.resolved
    return {
        "labels": json.loads(alert.labels),
        "annotations": annotations,
        "startsAt": alert.fired.isoformat(),
        "endsAt": ends.isoformat(),
    }


def watchdog(now: datetime) -> dict[str, Any]:
    """An alert that always fires: when it ends, it is gpuledger that fell silent."""
    return {
        "labels": {"alertname": WATCHDOG, "severity": "none", "owner": "platform"},
        "annotations": {
            "summary": "gpuledger evaluates its alert rules",
            "description": "always firing; when it ends, nobody watches the GPUs any more",
            "runbook": "docs/alerts.md",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=HOLD_S)).isoformat(),
    }


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
