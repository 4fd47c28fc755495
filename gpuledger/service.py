"""Finding and asking the running service of an embedded store: `<directory>/service.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from gpuledger.directory import is_store
from gpuledger.errors import ConfigError, StoreError
from gpuledger.guard import AD_HOC, EXPORT, QueryClass
from gpuledger.store import Store, StoreSettings, parse_address

# The engine itself ends a question at its limit; it may have waited before for others to end.
CONNECT_S, PATIENCE_S = 5, 30


class Reader(Protocol):
    """What commands that only ask need."""

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings."""
        ...

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        ...

    def parquet(self, sql: str, **parameters: Any) -> bytes:
        """The answer as a Parquet file, whole in memory."""
        ...


@dataclass(frozen=True)
class ServiceFile:
    """Where a service listens and the token it wants; readable by its owner alone."""

    directory: Path

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.directory / "service.json"

    def write(self, url: str, token: str, certificate: Path | None = None) -> None:
        """Announce this process; the file is 0600 from its first byte on.

        `certificate` is the one that it shows: whoever asks trusts no other.
        """
        self.path.unlink(missing_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as f:
            told = {"url": url, "token": token, "pid": os.getpid()}
            shown = {"certificate": str(certificate.absolute())} if certificate else {}
            json.dump(told | shown, f)

    def read(self) -> Mapping[str, Any] | None:
        """What a living service announced, or None."""
        try:
            found: Mapping[str, Any] = json.loads(self.path.read_text())
            os.kill(found["pid"], 0)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def remove(self) -> None:
        """Withdraw the announcement."""
        self.path.unlink(missing_ok=True)


class RemoteStore:
    """Questions to a running service through its read-only SQL door."""

    def __init__(self, url: str, token: str, certificate: str = "") -> None:
        self._url = url
        self._token = token
        self._certificate = certificate

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings. StoreError where the service does not answer or refuses."""
        answer = self._ask(sql, parameters, AD_HOC)
        try:
            return _rows(answer.json())
        except (ValueError, KeyError, TypeError) as e:
            raise StoreError(f"what answers at {self._url} is no gpuledger service: {e}") from e

    def parquet(self, sql: str, **parameters: Any) -> bytes:
        """The answer as a Parquet file. StoreError as above."""
        return bytes(self._ask(sql, parameters, EXPORT, format="parquet").data)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What a route of the service answers, as JSON says it; None for nothing.

        ConfigError where it says that the request makes no sense, StoreError otherwise.
        """
        answer = self._request(method, path, body, PATIENCE_S)
        if answer.status in {400, 404, 409, 422}:
            raise ConfigError(_detail(answer.data))
        if answer.status not in {200, 204}:
            raise StoreError(f"the service at {self._url} refused: {_detail(answer.data)}")
        return json.loads(answer.data) if answer.data else None

    def _ask(self, sql: str, parameters: Mapping[str, Any], limits: QueryClass, **more: str) -> Any:
        body = {"sql": sql, "parameters": {k: _sent(v) for k, v in parameters.items()}, **more}
        answer = self._request("POST", "/v1/sql", body, limits.seconds + PATIENCE_S)
        if answer.status != 200:
            said = " ".join(answer.data.decode(errors="replace").split())
            raise StoreError(f"the service at {self._url} refused: {said[:300]}")
        return answer

    def _request(self, method: str, path: str, body: Any, patience_s: float) -> Any:
        import urllib3  # noqa: PLC0415 - only commands beside a running service come here

        from gpuledger import local  # noqa: PLC0415 - see above

        try:
            return local.pool(self._url, self._certificate).request(
                method,
                path,
                json=body,
                headers={"Authorization": f"Bearer {self._token}"},
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=patience_s),
            )
        except urllib3.exceptions.HTTPError as e:
            raise StoreError(f"the service at {self._url} does not answer: {e}") from e

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.select(sql, **parameters)
        return next(iter(rows[0].values())) if rows else None

    def close(self) -> None:
        """Nothing is held open."""


def open_reader(url: str, environ: Mapping[str, str], settings: StoreSettings) -> Reader:
    """The store for questions: through its running service, or opened here when none runs."""
    address = parse_address(url, environ)
    if address.directory:
        if not is_store(address.directory):
            raise ConfigError(f"there is no gpuledger store in {address.directory}")
        running = ServiceFile(address.directory).read()
        if running:
            return _remote(running)
    return Store(address, settings)


def running_service(url: str, environ: Mapping[str, str]) -> RemoteStore | None:
    """The service that holds an embedded store now; None where nobody does."""
    directory = parse_address(url, environ).directory
    running = ServiceFile(directory).read() if directory else None
    return _remote(running) if running else None


def _remote(running: Mapping[str, Any]) -> RemoteStore:
    return RemoteStore(running["url"], running["token"], running.get("certificate", ""))


def _detail(body: bytes) -> str:
    """What a problem says, in one line."""
    try:
        said = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        said = body.decode(errors="replace")
    return " ".join(said.split())[:300]


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return value


def _rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [c["name"] for c in answer["columns"]]
    times = [i for i, c in enumerate(answer["columns"]) if "DateTime" in c["type"]]
    # JSON has no tuples.
    pairs = [i for i, c in enumerate(answer["columns"]) if c["type"].startswith("Array(Tuple")]
    for row in answer["rows"]:
        for i in times:
            row[i] = None if row[i] is None else datetime.fromisoformat(row[i])
        for i in pairs:
            row[i] = [tuple(told) for told in row[i]]
    return [dict(zip(names, row, strict=True)) for row in answer["rows"]]
