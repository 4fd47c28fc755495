"""The only door to ClickHouse: embedded (chDB in this process) or a server over HTTP(S)."""

from __future__ import annotations

import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from gpuledger import ddl
from gpuledger.batch import Batch, arrow
from gpuledger.config import Settings
from gpuledger.directory import claim
from gpuledger.errors import ConfigError, StoreError
from gpuledger.guard import LIMITS, PLAIN_SQL, check_question
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Row, Table

DATABASE = "gpuledger"
# What the generated SQL was run on; older servers lack the settings it relies on.
OLDEST_SERVER = (25, 8)
# The first two changed their defaults in ClickHouse 26.2, so they are always sent. Merging the rows
# of a block while it is inserted halves the speed of the rollups and saves only what background
# merges do anyway.
INSERT_SETTINGS = {
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "optimize_on_insert": 0,
}

# The driver also logs, with a traceback, what it raises and we report.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


class StoreSettings(Settings):
    """Section `[store]`."""

    ca_cert: Annotated[str, "file with the certificate authority of the server"] = ""
    connect_timeout_s: Annotated[int, "time to wait for a connection"] = 10
    query_timeout_s: Annotated[int, "time to wait for an answer"] = 300


@dataclass(frozen=True)
class Address:
    """Where a store is: a directory, or a server with user and database."""

    directory: Path | None = None
    host: str = ""
    port: int = 8123
    secure: bool = False
    user: str = "default"
    database: str = DATABASE
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.directory:
            return f"chdb://{self.directory}"
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"


def parse_address(url: str, environ: Mapping[str, str]) -> Address:
    """`chdb:///absolute/dir` or `http(s)://user@host:port[/database]`; ConfigError otherwise.

    The password comes from GPULEDGER_STORE_PASSWORD, or the file GPULEDGER_STORE_PASSWORD_FILE.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("store: no address; write http(s)://user@host:port") from None
    if parts.scheme == "chdb":
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigError(f"store {url}: write chdb:///absolute/directory")
        return Address(directory=Path(unquote(parts.path)))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"store {url}: write chdb:///absolute/dir or http(s)://user@host:port")
    if parts.password:
        raise ConfigError("store: no password in the address; use GPULEDGER_STORE_PASSWORD_FILE")
    secure = parts.scheme == "https"
    return Address(
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        secure=secure,
        user=unquote(parts.username or "default"),
        database=parts.path.strip("/") or DATABASE,
        password=_password(environ),
    )


def _password(environ: Mapping[str, str]) -> str:
    path = environ.get("GPULEDGER_STORE_PASSWORD_FILE")
    if not path:
        return environ.get("GPULEDGER_STORE_PASSWORD", "")
    try:
        return Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"GPULEDGER_STORE_PASSWORD_FILE {path}: {e.strerror}") from None


class Store:
    """Insert and select; one client per thread, since a client answers one question at a time."""

    def __init__(
        self, address: Address, settings: StoreSettings | None = None, *, readonly: bool = False
    ) -> None:
        self.address = address
        self._settings = settings or StoreSettings()
        self._readonly = readonly and address.directory is not None
        self._local = threading.local()
        self._clients: list[Any] = []
        self._lock = threading.Lock()

    def insert(self, batch: Batch, *, token: str | None = None) -> None:
        """Insert one batch; the same token twice counts once. StoreError keeps nothing."""
        if not len(batch):
            return
        settings = _with_token(token)
        if any(hasattr(column, "dtype") for column in batch.columns.values()):
            table = arrow(batch)
            self._ask(lambda c: c.insert_arrow(batch.table.name, table, settings=settings))
        else:
            self.insert_native(batch.table, encode(batch), token, tuple(batch.columns))

    def insert_rows(self, rows: Sequence[Row]) -> None:
        """Insert rows of one table; nothing for none."""
        if rows:
            self.insert(Batch.of_rows(rows))

    def insert_native(
        self, table: Table, body: bytes, token: str | None = None, names: Sequence[str] = ()
    ) -> None:
        """Insert encoded blocks (see `gpuledger.native`)."""
        columns = list(names or ddl.stored_names(table))
        settings = _with_token(token)
        self._ask(
            lambda c: c.raw_insert(table.name, columns, body, fmt="Native", settings=settings)
        )

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings; parameters are bound by the server as `{name:Type}`."""
        return list(self._query(sql, parameters).named_results())

    def select_typed(
        self, sql: str, **parameters: Any
    ) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """Column names with ClickHouse types, and rows."""
        result = self._query(sql, parameters)
        types = [t.name for t in result.column_types]
        return list(zip(result.column_names, types, strict=True)), list(result.result_rows)

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self._query(sql, parameters).result_rows
        return rows[0][0] if rows else None

    def command(self, sql: str, **settings: Any) -> None:
        """Run a statement that answers nothing."""
        self._ask(lambda c: c.command(sql, settings=settings), sql)

    def check(self) -> str:
        """The server's version. StoreError where it cannot be reached or is too old."""
        return str(self._ask(lambda c: c.server_version))

    def existing(self) -> dict[str, dict[str, str]]:
        """Tables of the database and their column types."""
        rows = self.select(
            "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
        )
        out: dict[str, dict[str, str]] = {}
        for row in rows:
            out.setdefault(row["table"], {})[row["name"]] = row["type"]
        return out

    def plan(self, *, retention: bool = False) -> list[str]:
        """SQL that `apply` would run."""
        return ddl.plan(self.existing(), retention=retention)

    def apply(self, *, retention: bool = False) -> list[str]:
        """Create what is missing; idempotent, only adds. Returns the statements it ran."""
        self._create_database()
        statements = self.plan(retention=retention)
        for statement in statements:
            self.command(statement)
        return statements

    def reader(self) -> Store:
        """The embedded store again, for clients that only read and within limits.

        A server's users get their rights from the server.
        """
        return Store(self.address, self._settings, readonly=True)

    def close(self) -> None:
        """Close every thread's client."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
        self._local = threading.local()

    def _create_database(self) -> None:
        name = self.address.database
        with _connecting(self.address):
            client = self._connect(replace(self.address, database="default"))
            client.command(f"CREATE DATABASE IF NOT EXISTS `{name}`")
            client.close()

    def _query(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        def read(client: Any) -> Any:
            result = client.query(sql, parameters=parameters)
            assert result.result_rows is not None  # the answer may also break off while it is read
            return result

        return self._ask(read, sql)

    def _ask(self, question: Callable[[Any], Any], sql: str = "") -> Any:
        with _connecting(self.address):
            client = self._client()
            try:
                if self._readonly:
                    check_question(client.query(PLAIN_SQL, {"sql": sql}).result_rows[0][0])
                return question(client)
            except Exception:
                # The embedded engine would give the rest of a broken answer to the next question.
                self._drop(client)
                raise

    def _drop(self, client: Any) -> None:
        self._release(client)
        self._local.__dict__.clear()

    def _release(self, client: Any) -> None:
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)
                client.close()

    def _client(self) -> Any:
        if not hasattr(self._local, "client"):
            client = self._connect(self.address)
            _check_version(client.server_version, self.address)
            with self._lock:
                self._clients.append(client)
            self._local.client = client
            # Servers come and go with threads: a client must not outlive its own.
            weakref.finalize(threading.current_thread(), self._release, client).atexit = False
        return self._local.client

    def _connect(self, address: Address) -> Any:
        client = _embedded(address) if address.directory else _server(address, self._settings)
        if self._readonly:
            limits = ", ".join(f"{k} = {v}" for k, v in LIMITS.items())
            client.command(f"SET {limits}, readonly = 1")
        return client


def _embedded(address: Address) -> Any:
    import clickhouse_connect  # noqa: PLC0415 - a node that only ships to a service needs no engine

    directory = address.directory
    assert directory
    claim(directory)
    client = clickhouse_connect.get_client(interface="chdb", path=str(directory), tz_mode="aware")
    client.command(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")
    client.command(f"USE `{address.database}`")
    client.database = address.database
    return client


def _server(address: Address, settings: StoreSettings) -> Any:
    import clickhouse_connect  # noqa: PLC0415 - see above

    return clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password,
        database=address.database,
        secure=address.secure,
        ca_cert=settings.ca_cert or None,
        connect_timeout=settings.connect_timeout_s,
        send_receive_timeout=settings.query_timeout_s,
        # Sessions would serialise the threads that share a server.
        autogenerate_session_id=False,
        tz_mode="aware",
    )


def _with_token(token: str | None) -> dict[str, Any]:
    # Equal rows may be two facts. `insert_deduplicate = 0` would not do: 26.2 outranks it.
    return {**INSERT_SETTINGS, "insert_deduplication_token": token or uuid4().hex}


def _check_version(version: str, address: Address) -> None:
    found = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if found < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise StoreError(f"{address}: ClickHouse {version} is too old, {oldest} or newer is needed")


@contextmanager
def _connecting(address: Address) -> Iterator[None]:
    """Map the driver's errors to ours, in one line that names the store."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415

    try:
        yield
    except (ClickHouseError, OSError) as e:
        raise _translated(e, address) from e


def _translated(error: BaseException, address: Address) -> ConfigError | StoreError:
    text = " ".join(str(error).split())
    if "Cannot lock file" in text:
        return ConfigError(f"{address} is in use by another process")
    if "AUTHENTICATION_FAILED" in text or "REQUIRED_PASSWORD" in text:
        return StoreError(f"{address}: wrong user or password (see GPULEDGER_STORE_PASSWORD_FILE)")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return StoreError(f"{address}: its certificate is not trusted (see [store] ca_cert)")
    if "UNKNOWN_DATABASE" in text or "UNKNOWN_TABLE" in text:
        return StoreError(f"{address}: {text[:600]}; run 'gpuledger schema apply' first")
    if "Connection refused" in text or "Max retries" in text or "timed out" in text:
        return StoreError(f"{address} cannot be reached: is ClickHouse running there?")
    return StoreError(f"{address}: {text[:600]}")


def decode(table: Table, body: bytes) -> tuple[Batch, list[str]]:
    """Native blocks as a batch of known columns, and the names that the table does not have.

    ValueError where the bytes are not Native blocks, or a column has another type than declared.
    """
    columns = read_blocks(body)
    declared = {f.stored: f.type for f in table.fields}
    for name, (kind, _) in columns.items():
        if kind != declared.get(name, kind):
            raise ValueError(f"column {name} is {kind}, but declared {declared[name]}")
    batch = Batch(table, {n: values for n, (_, values) in columns.items() if n in declared})
    return batch, sorted(set(columns) - set(declared))
