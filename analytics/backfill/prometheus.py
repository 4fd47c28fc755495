"""History from Prometheus' HTTP API: true samples of a span, with retries, within memory.

A range selector (`metric[6h]` at the span's end) gives the samples as they were stored, with their
own times and without those that staleness would repeat; `query_range` would give points of a grid.
Thanos, Mimir and VictoriaMetrics answer the same question.
Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import numpy as np
import urllib3
from numpy.typing import NDArray
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

import gpuledger
from analytics.backfill.settings import BackfillSettings, address, brief, secret
from gpuledger.errors import ConfigError, ReadError

Milliseconds = NDArray[np.int64]
Values = NDArray[np.float64]
T = TypeVar("T")

# One answer: some 20 bytes a sample. Who has more asks for a shorter span.
MOST_BYTES = 1 << 29
SHORTEST_MS = 60_000
LONGEST_WAIT_S = 30.0
# What is between the figures of `[[1700000000.123,"45"],…]`.
AROUND = b'[]" '
UNREACHED = "cannot be reached"
LIMIT_WORDS = ("too many", "limit", "exceed", "maxsamples", "timed out", "timeout")


@dataclass(frozen=True)
class Series:
    """Samples of one series: times in milliseconds, rising, and values in the exporter's unit."""

    name: str
    labels: Mapping[str, str]
    at_ms: Milliseconds
    values: Values


class TooMuch(ReadError):
    """More than the server or we can hold; a shorter span may do."""


class _Again(Exception):
    """An answer after which it is worth asking again."""


class _Found(msgspec.Struct):
    metric: dict[str, str]
    values: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct):
    result: list[_Found]


class _Point(msgspec.Struct):
    value: tuple[float, str]


class _Vector(msgspec.Struct):
    result: list[_Point]


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


_read_answer = msgspec.json.Decoder(_Answer)
_read_vector = msgspec.json.Decoder(_Vector)
_read_data = msgspec.json.Decoder(_Data)
_read_names = msgspec.json.Decoder(list[str])
_read_labels = msgspec.json.Decoder(list[dict[str, str]])


class Prometheus:
    """One server's history. `pool` and `sleep` are for tests."""

    def __init__(
        self,
        url: str,
        settings: BackfillSettings,
        *,
        pool: urllib3.PoolManager | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.name = address(url)
        self._settings = settings
        self._pool = pool
        self._sleep = sleep

    def check(self) -> None:
        """Ask once. ConfigError or ReadError says in one line what to do."""
        try:
            self._ask("query", {"query": "1"})
        except _Again as e:
            raise ReadError(f"{self.name} {e}") from None

    def names(self, since_ms: int, until_ms: int) -> list[str]:
        """Names of metrics that were told in a span; some stores look at whole blocks of it."""
        fields = {"start": _seconds(since_ms), "end": _seconds(until_ms)}
        if self._settings.matchers:
            fields["match[]"] = self.selector("")
        return self._decoded(_read_names, self._patient("label/__name__/values", fields))

    def labels(
        self, name: str, since_ms: int, until_ms: int, *matchers: str
    ) -> list[dict[str, str]]:
        """Labels of every series of one metric in a span."""
        fields = {"start": _seconds(since_ms), "end": _seconds(until_ms)}
        answer = self._patient("series", {**fields, "match[]": self.selector(name, *matchers)})
        return self._decoded(_read_labels, answer)

    def series_at(self, names: str, at_ms: int) -> float:
        """How many series of metrics, whose names match a regex, there are at an instant."""
        selector = self.selector("", f'__name__=~"{names}"')
        return self._number(f"count({selector})", at_ms)

    def samples_of_one(self, name: str, at_ms: int, range_ms: int) -> float:
        """How many samples a series of a metric has, on average, in the time before an instant."""
        return self._number(
            f"avg(count_over_time({self.selector(name)}[{duration(range_ms)}]))", at_ms
        )

    def _number(self, query: str, at_ms: int) -> float:
        answer = self._patient("query", {"query": query, "time": _seconds(at_ms)})
        found = self._decoded(_read_vector, answer).result
        return float(found[0].value[1]) if found else 0.0

    def samples(self, name: str, since_ms: int, until_ms: int, matcher: str = "") -> list[Series]:
        """Every series of one metric with its samples in (since, until], ReadError after tries.

        Where the server finds that too much, halves are asked for, down to a minute.
        """
        try:
            return self._read(name, since_ms, until_ms, matcher)
        except TooMuch:
            middle = (since_ms + until_ms) // 2
            if until_ms - since_ms < 2 * SHORTEST_MS:
                raise
            first = self.samples(name, since_ms, middle, matcher)
            return joined([*first, *self.samples(name, middle, until_ms, matcher)])

    def selector(self, name: str, *more: str) -> str:
        """`name{matchers}`."""
        told = ",".join(m for m in (self._settings.matchers, *more) if m)
        return f"{name}{{{told}}}" if told else name

    def _read(self, name: str, since_ms: int, until_ms: int, matcher: str) -> list[Series]:
        query = f"{self.selector(name, matcher)}[{duration(until_ms - since_ms)}]"
        fields = {"query": query, "time": _seconds(until_ms)}
        data = self._decoded(_read_data, self._patient("query", fields))
        found = (_series(name, f, since_ms, until_ms) for f in data.result)
        return [series for series in found if len(series.at_ms)]

    def _patient(self, path: str, fields: Mapping[str, str]) -> msgspec.Raw:
        """The answer after some tries. ReadError where none helps."""
        more: dict[str, Any] = {"sleep": self._sleep} if self._sleep else {}
        tries = Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_S),
            retry=retry_if_exception_type(_Again),
            **more,
        )
        try:
            return tries(self._ask, path, fields)
        except RetryError as e:
            said = e.last_attempt.exception()
            raise ReadError(f"{self.name} {said} ({self._settings.attempts} tries)") from None

    def _ask(self, path: str, fields: Mapping[str, str]) -> msgspec.Raw:
        """One try: `data` of the answer."""
        url, told = f"{self.name}/api/v1/{path}", urlencode({**self._settings.parameters, **fields})
        headers, body = self._headers(), None
        # Selectors may be longer than what proxies let pass in an address.
        if path in {"query", "series"}:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", told
        try:
            answer = self._opened().request(
                "POST" if body else "GET",
                url if body else f"{url}?{told}",
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            found = _body(answer)
        except urllib3.exceptions.HTTPError as e:
            raise _Again(f"{UNREACHED}: {brief(str(e).rpartition(': ')[2])}") from None
        return self._judged(answer, found)

    def _judged(self, answer: urllib3.BaseHTTPResponse, body: bytes) -> msgspec.Raw:
        """`data`, where the answer has it; else an error that says what to do."""
        status = answer.status
        try:
            told = _read_answer.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = _Answer(status="", error=brief(body.decode(errors="replace")))
        if status == 200 and told.status == "success":
            return told.data
        if status in {401, 403}:
            raise ReadError(
                f"{self.name} refused us ({status}): set [backfill] token_file, or user and"
                " password_file (environment: GPULEDGER_BACKFILL_TOKEN_FILE …)"
            )
        if status in {413, 422, 503} and (status == 413 or _is_too_much(told.error)):
            raise TooMuch(
                f"{self.name} answered {status}: {brief(told.error)};"
                " lower [backfill] samples, or raise the server's limits"
            )
        if status == 429 or status >= 500:
            raise _Again(f"answered {status}: {brief(told.error)}")
        raise self._refusal(answer, told)

    def _refusal(self, answer: urllib3.BaseHTTPResponse, told: _Answer) -> ConfigError:
        """What nobody can mend by asking again."""
        if 300 <= answer.status < 400:
            where = brief(answer.headers.get("Location", "").partition("?")[0]) or "nowhere"
            return ConfigError(f"{self.name} sends us on to {where}: give that address")
        if told.status != "error":
            return ConfigError(
                f"{self.name} is no Prometheus API (answered {answer.status}):"
                " give the address that comes before /api/v1"
            )
        return ConfigError(
            f"{self.name} does not take our question ({answer.status}): {brief(told.error)};"
            " see [backfill] matchers and parameters"
        )

    def _decoded(self, decoder: msgspec.json.Decoder[T], data: msgspec.Raw) -> T:
        try:
            return decoder.decode(data)
        except msgspec.DecodeError as e:
            raise ReadError(f"{self.name} answered in another shape: {brief(str(e))}") from None

    def _headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {"User-Agent": f"gpuledger/{gpuledger.__version__}", **settings.headers}
        if settings.token_file:
            headers["Authorization"] = f"Bearer {secret('token_file', settings.token_file)}"
        elif settings.user:
            password = secret("password_file", settings.password_file)
            headers |= urllib3.make_headers(basic_auth=f"{settings.user}:{password}")
        return headers

    def _opened(self) -> urllib3.PoolManager:
        if self._pool is None:
            if self._settings.ca and not Path(self._settings.ca).is_file():
                raise ConfigError(f"[backfill] ca: there is no file {self._settings.ca}")
            self._pool = urllib3.PoolManager(
                maxsize=self._settings.parallel,
                ca_certs=self._settings.ca or None,
                timeout=self._settings.timeout_s,
                retries=False,
            )
        return self._pool


def joined(found: Iterable[Series]) -> list[Series]:
    """Series that came in pieces, one after another, made whole."""
    pieces: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for series in found:
        pieces.setdefault(tuple(sorted(series.labels.items())), []).append(series)
    return [_joined(some) if len(some) > 1 else some[0] for some in pieces.values()]


def duration(ms: int) -> str:
    """A length of time as PromQL writes it."""
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"


def _joined(pieces: list[Series]) -> Series:
    first = pieces[0]
    return Series(
        first.name,
        first.labels,
        np.concatenate([p.at_ms for p in pieces]),
        np.concatenate([p.values for p in pieces]),
    )


def _series(name: str, found: _Found, since_ms: int, until_ms: int) -> Series:
    """Samples within (since, until]: which of both ends belongs to a range differs by version."""
    told = np.fromstring(bytes(found.values).translate(None, AROUND), sep=",").reshape(-1, 2)
    at_ms = np.rint(told[:, 0] * 1000).astype(np.int64)
    inside = (at_ms > since_ms) & (at_ms <= until_ms)
    labels = {sys.intern(k): sys.intern(v) for k, v in found.metric.items() if k != "__name__"}
    return Series(name, labels, at_ms[inside], np.ascontiguousarray(told[inside, 1]))


def _body(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The whole answer. TooMuch where it is longer than we hold."""
    try:
        body = answer.read(MOST_BYTES + 1, decode_content=True)
    except BaseException:
        answer.close()
        raise
    if len(body) > MOST_BYTES:
        answer.close()
        raise TooMuch(f"an answer of more than {MOST_BYTES} bytes; lower [backfill] samples")
    answer.release_conn()
    return body


def _is_too_much(said: str) -> bool:
    """Whether a server error speaks of its limits rather than of its health."""
    return any(word in said.lower() for word in LIMIT_WORDS)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"
