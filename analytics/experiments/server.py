"""MLflow's REST API 2.0: runs, and metrics and tags written back to them.

https://mlflow.org/docs/latest/rest-api.html. Its client would bring a hundred packages for three
calls (ADR 0024).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import urllib3
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from gpuledger.config import Settings
from gpuledger.errors import ConfigError, ReadError
from gpuledger.schema import FOREVER

PAGE = 1000
ATTEMPTS = 3
TIMEOUT_S = 15.0


class MlflowSettings(Settings):
    """Section `[mlflow]`; nothing is asked without an address."""

    uri: Annotated[str, "address of the tracking server, e.g. http://mlflow:5000"] = ""
    token_file: Annotated[str, "file with a bearer token"] = ""
    period_s: Annotated[float, "seconds between two looks"] = 300.0
    look_back_h: Annotated[float, "hours for which runs are looked at again"] = 48.0
    write_back: Annotated[bool, "whether runs are told what they used"] = True
    experiments: Annotated[tuple[str, ...], "names of experiments; empty = all"] = ()


@dataclass(frozen=True)
class Run:
    """A run as the server tells it; `ended` is FOREVER while it runs."""

    run_id: str
    experiment: str
    name: str
    user: str
    state: str
    started: datetime
    ended: datetime
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class _Busy(Exception):
    """An answer after which it is worth asking again."""


class Tracking:
    """One tracking server."""

    def __init__(
        self,
        settings: MlflowSettings,
        *,
        pool: urllib3.PoolManager | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool or urllib3.PoolManager(retries=False)
        self._sleep = sleep

    def runs(self, since: datetime) -> Iterator[Run]:
        """Runs that were at work after an instant, oldest first. ReadError; ConfigError."""
        names = self._experiments()
        for first in range(0, len(names), PAGE):
            some = list(names)[first : first + PAGE]
            for run in self._pages("runs/search", "runs", experiment_ids=some, order_by=_ORDER):
                told = _run(run, names)
                if told.ended >= since:
                    yield told

    def write(self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Log metrics and tags of a run. ReadError; ConfigError."""
        at = round(datetime.now(UTC).timestamp() * 1000)
        self._post(
            "runs/log-batch",
            run_id=run_id,
            metrics=[
                {"key": k, "value": v, "timestamp": at, "step": 0} for k, v in metrics.items()
            ],
            tags=[{"key": k, "value": v} for k, v in tags.items()],
        )

    def _experiments(self) -> dict[str, str]:
        wanted = set(self._settings.experiments)
        found = self._pages("experiments/search", "experiments")
        return {e["experiment_id"]: e["name"] for e in found if not wanted or e["name"] in wanted}

    def _pages(self, path: str, key: str, **asked: Any) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            answer = self._post(path, max_results=PAGE, **asked, **more)
            yield from answer.get(key, ())
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        more: dict[str, Any] = {"sleep": self._sleep} if self._sleep else {}
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=5.0),
            retry=retry_if_exception_type(_Busy),
            reraise=True,
            **more,
        )
        try:
            answer: dict[str, Any] = retrying(self._ask, path, json.dumps(body).encode())
        except _Busy as e:
            raise ReadError(str(e)) from e
        return answer

    def _ask(self, path: str, body: bytes) -> dict[str, Any]:
        url = f"{self._settings.uri.rstrip('/')}/api/2.0/mlflow/{path}"
        headers = {"Content-Type": "application/json", **self._authorization()}
        try:
            answer = self._pool.request("POST", url, body=body, headers=headers, timeout=TIMEOUT_S)
        except urllib3.exceptions.HTTPError as e:
            raise _Busy(f"[mlflow] {self._settings.uri}: {type(e).__name__}") from e
        if answer.status in {429, 502, 503, 504}:
            raise _Busy(f"[mlflow] {self._settings.uri} is busy ({answer.status})")
        if answer.status in {401, 403}:
            raise ConfigError(f"[mlflow] {self._settings.uri} refuses us: see token_file")
        if answer.status != 200:
            said = answer.data[:200].decode(errors="replace")
            raise ReadError(f"[mlflow] {path}: {answer.status} {said}")
        try:
            told: dict[str, Any] = answer.json()
        except ValueError as e:
            raise ReadError(f"[mlflow] {self._settings.uri} is no MLflow server") from e
        return told

    def _authorization(self) -> dict[str, str]:
        name = self._settings.token_file
        if not name:
            return {}
        try:
            return {"Authorization": f"Bearer {Path(name).read_text().strip()}"}
        except OSError as e:
            raise ConfigError(f"[mlflow] token_file {name}: {e.strerror}") from e


_ORDER = ["attributes.start_time ASC", "attributes.run_id ASC"]


def _run(told: Mapping[str, Any], experiments: Mapping[str, str]) -> Run:
    info, data = told["info"], told.get("data", {})
    tags = _pairs(data.get("tags", ()))
    return Run(
        run_id=info["run_id"],
        experiment=experiments.get(info["experiment_id"], info["experiment_id"]),
        name=info.get("run_name", ""),
        user=tags.get("mlflow.user", info.get("user_id", "")),
        state=info.get("status", "").lower(),
        started=_at(info.get("start_time")) or FOREVER,
        ended=_at(info.get("end_time")) or FOREVER,
        parameters=_pairs(data.get("params", ())),
        metrics=_pairs(data.get("metrics", ())),
        tags=tags,
    )


def _pairs(entries: Any) -> dict[str, Any]:
    return {e["key"]: e["value"] for e in entries}


def _at(told: Any) -> datetime | None:
    return datetime.fromtimestamp(int(told) / 1000, UTC) if told else None
