"""Grafana's HTTP API, as far as pushing boards needs it: folders, data sources, dashboards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import tenacity
import urllib3

from gpuledger.errors import ConfigError, ReadError

CONNECT_S, ANSWER_S = 5.0, 30.0
TRIES, LONGEST_WAIT_S = 3, 4.0
# What may pass while Grafana restarts; everything else is an answer.
PASSING = {429, 502, 503, 504}
SAID_CHARS = 200


@dataclass(frozen=True)
class Answer:
    """Status and decoded body; an empty mapping where the body is no JSON."""

    status: int
    body: Any

    @property
    def said(self) -> str:
        """Grafana's own words about it, in one line."""
        told = self.body.get("message", "") if isinstance(self.body, Mapping) else ""
        return " ".join(str(told).split())[:SAID_CHARS]


class _Passing(Exception):
    """An answer that may be another one in a moment."""


def checked_url(url: str) -> str:
    """The address without a slash at its end. ConfigError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"--grafana {url}: write http(s)://host[:port][/path]")
    if parts.username or parts.password:
        raise ConfigError("--grafana: no user in the address; put a token into --token-file")
    return url.rstrip("/")


@dataclass
class Grafana:
    """Questions and orders to one Grafana under the token of a service account."""

    url: str
    token: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """The answer of one route; what may pass is tried again.

        ConfigError where the token is refused, ReadError where nothing answers as Grafana does.
        """
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((_Passing, urllib3.exceptions.HTTPError)),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_exponential(max=LONGEST_WAIT_S),
            reraise=True,
            sleep=self.sleep,
        )
        try:
            found = tries(self._once, method, path, body)
        except _Passing as e:
            raise ReadError(f"Grafana at {self.url} answers {e}: try again later") from None
        except urllib3.exceptions.HTTPError as e:
            why = str(getattr(e, "reason", None) or e).rpartition(": ")[2]
            raise ReadError(f"Grafana at {self.url} does not answer: {why}") from None
        return self._judged(found, method, path)

    def _once(self, method: str, path: str, body: object) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        answer = urllib3.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S),
        )
        if answer.status in PASSING:
            raise _Passing(answer.status)
        return Answer(answer.status, _decoded(answer.data))

    def _judged(self, found: Answer, method: str, path: str) -> Answer:
        told = f": {found.said}" if found.said else ""
        if found.status == 401:
            raise ConfigError(f"Grafana at {self.url} refuses the token (401){told}")
        if found.status == 403:
            raise ConfigError(
                f"the token may not {method} {path} (403){told}; give its service account the role"
                " Editor, and Admin for --datasource-host"
            )
        if found.status >= 500:
            raise ReadError(f"Grafana at {self.url} failed at {path} ({found.status}){told}")
        if 300 <= found.status < 400 or found.body is None:
            raise ReadError(
                f"what answers at {self.url} is no Grafana API ({found.status} at {path});"
                " is a path missing in the address?"
            )
        return found


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return None
