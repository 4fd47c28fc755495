"""Hands alerts over to Alertmanager: the only place of alerts that speaks to the outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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

from alerts.transition import RESOLVED
from gpuledger.catalogue import AlertState

# Alertmanager forgets what is not said again: a firing alert is repeated every minute, and ends
# by itself if gpuledger has been gone for ten.
REFRESH_S, HOLD_S = 60.0, 600.0
ATTEMPTS = 3
ACCEPTED = "accepted"
MAX_REASON = 200


class Notify(Protocol):
    """Somebody who takes messages."""

    channel: str

    def send(self, alerts: Sequence[AlertState], now: datetime) -> str:
        """`accepted`, or in one line why not; never an error of its own."""
        ...


class _Busy(Exception):
    """An answer after which it is worth asking again."""


class Alertmanager:
    """Alertmanager's API v2: `POST /api/v2/alerts` (openapi.yaml of prometheus/alertmanager)."""

    channel = "alertmanager"

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

    def send(self, alerts: Sequence[AlertState], now: datetime) -> str:
        """`accepted`, or in one line why not, after a few tries within seconds."""
        body = json.dumps([payload(alert, now) for alert in alerts]).encode()
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


def payload(alert: AlertState, now: datetime) -> dict[str, Any]:
    """One alert as Alertmanager takes it; one that resolved ends when it did."""
    ends = alert.resolved if alert.state == RESOLVED else now + timedelta(seconds=HOLD_S)
    return {
        "labels": json.loads(alert.labels),
        "annotations": json.loads(alert.annotations),
        "startsAt": alert.fired.isoformat(),
        "endsAt": ends.isoformat(),
    }


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
