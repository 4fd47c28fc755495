"""The only door to ClickHouse: embedded (chDB in this process) or a server over HTTP(S)."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec

from gpuledger import policies, upgrade
from gpuledger.address import DATABASE, Address, StoreSettings, parse_address, shard_addresses
from gpuledger.batch import Batch, arrow
from gpuledger.cluster import Cluster
from gpuledger.connect import connecting, embedded, served
from gpuledger.ddl import rollup_views
from gpuledger.errors import ConfigError, StoreError
from gpuledger.guard import AD_HOC, BOOKING, PLAIN_SQL, QueryClass, check_question
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Row, Table
from gpuledger.upgrade import Step
from gpuledger.watched import Watching, unwatched

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
ROW_FILTERS = "additional_table_filters"
# What people ask themselves must not be tried on rows before they are hidden: an error would tell.
ORDERED = {"optimize_move_to_prewhere": 0, "query_plan_merge_filters": 0}

__all__ = ["DATABASE", "Address", "Store", "StoreSettings", "decode", "parse_address"]


class Store:
    """Insert and select; one client per thread, since a client answers one question at a time."""

    def __init__(
        self, address: Address, settings: StoreSettings | None = None, *, readonly: bool = False
    ) -> None:
        self.address = address
        self.watch: Watching = unwatched
        self._settings = settings or StoreSettings()
        self._readonly = readonly and address.directory is not None
        self._limits = replace(BOOKING, seconds=self._settings.query_timeout_s)
        self._local = threading.local()
        self._clients: list[Any] = []
        self._lock = threading.Lock()
        self._peers: dict[Address, Store] = {}
        self._teams: tuple[str, ...] = ()

    @property
    def cluster(self) -> Cluster | None:
        """The cluster that the database is spread over; None = one node."""
        name, database = self._settings.cluster, self.address.database
        return Cluster(name, database, keeper=not self._settings.shards) if name else None

    def insert(self, batch: Batch, *, token: str | None = None) -> None:
        """Insert one batch; the same token twice counts once. StoreError keeps nothing."""
        if not len(batch):
            return
        settings = _with_token(token)
        if any(hasattr(column, "dtype") for column in batch.columns.values()):
            table = arrow(batch)
            self._ask(lambda c: c.insert_arrow(batch.table.name, table, settings=settings))
        else:
            self.insert_native(batch.table, encode(batch), token)

    def insert_rows(self, rows: Sequence[Row]) -> None:
        """Insert rows of one table; nothing for none."""
        if rows:
            self.insert(Batch.of_rows(rows))

    def insert_native(
        self, table: Table, body: bytes, token: str | None = None, names: Sequence[str] = ()
    ) -> None:
        """Insert encoded blocks (see `gpuledger.native`) of columns `names`.

        Without names, as far as the table has them: a database may be older than whoever wrote.
        """
        settings = {**_with_token(token), "input_format_skip_unknown_fields": 1}
        columns = list(names) or None
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

    @contextmanager
    def stream(self, sql: str, **parameters: Any) -> Iterator[Iterator[list[dict[str, Any]]]]:
        """Rows as mappings, block by block as the engine finds them, by a client of its own."""
        with connecting(self.address), closing(self._connect(self.address)) as client:
            limits = self._limited(client)
            with client.query_row_block_stream(
                sql, parameters=parameters, settings=limits
            ) as found:
                names = found.source.column_names
                yield ([dict(zip(names, row, strict=True)) for row in rows] for rows in found)

    def parquet(self, sql: str, **parameters: Any) -> bytes:
        """The answer as a Parquet file, whole in memory."""

        def read(client: Any) -> Any:
            settings = self._limited(client)
            return client.raw_query(sql, parameters=parameters, settings=settings, fmt="Parquet")

        with self.watch(self._limits.name):
            return bytes(self._ask(read, sql))

    def insert_parquet(
        self, table: str, names: Sequence[str], body: bytes, token: str | None = None
    ) -> None:
        """Insert a Parquet file with those columns; the same token twice counts once."""
        columns, settings = list(names), _with_token(token)
        self._ask(lambda c: c.raw_insert(table, columns, body, fmt="Parquet", settings=settings))

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

    def check_whole(self, table: Table) -> None:
        """StoreError while a view that rolls the table up is missing: rows would never reach it."""
        local = self.cluster.local if self.cluster else self.address.database
        views = rollup_views(table)
        found = self.value(
            "SELECT count() FROM system.tables WHERE database = {database:String}"
            " AND has({views:Array(String)}, name)",
            database=local,
            views=views,
        )
        if found < len(views):
            raise StoreError(f"{self.address}: {table.name} is not whole: 'schema apply' must end")

    def steps(self) -> list[Step]:
        """What `apply` would run, and where. ConfigError where it would drop or retype."""
        keeping, shards = self._settings.keeping(), self._shards()
        if self.cluster and shards:
            fronts = {s.address.place: s for s in (*shards, self._peer(self.address))}
            return list(upgrade.of_shards(self.cluster, shards, list(fronts.values()), keeping))
        if self.cluster:
            return list(upgrade.of_keeper(self.cluster, self._peer(self.address), keeping))
        return list(upgrade.of_one_node(self, self._asked(), keeping))

    def plan(self) -> list[str]:
        """SQL that `apply` would run."""
        return [step.sql for step in self.steps() if step.server]

    def apply(self) -> list[str]:
        """Create what is missing; idempotent, only adds. Returns the statements it ran."""
        statements = []
        for step in self.steps():
            if step.server:
                step.server.command(step.sql)
                statements.append(step.sql)
        return statements

    def places(self) -> list[tuple[Store, str]]:
        """The servers that hold rows, as far as we can ask them, and in which database."""
        local = self.cluster.local if self.cluster else self.address.database
        return [(server, local) for server in self._shards() or [self]]

    def everywhere(self, sql: str, **settings: Any) -> None:
        """Run a statement about stored tables where their rows are: on every shard, or here."""
        told = self.cluster.told_shards(sql) if self.cluster else sql
        for server in self._shards() or [self]:
            server.command(told, **settings)

    def reader(self, limits: QueryClass = AD_HOC) -> Store:
        """The embedded store again, for clients that only read and within limits.

        A server's users get their rights from the server.
        """
        reader = Store(self.address, self._settings, readonly=True)
        reader._limits = limits
        reader.watch = self.watch
        reader._teams = self._teams
        return reader

    def elsewhere(self, database: str) -> Store:
        """Another database of the same server or directory."""
        return Store(replace(self.address, database=database), self._settings)

    def within(self, limits: QueryClass) -> Store:
        """This store, with its clients, for questions of another class."""
        other = copy(self)
        other._limits = limits  # noqa: SLF001 - our own
        return other

    def only(self, teams: Sequence[str]) -> Store:
        """This store for questions of those who may see these teams' rows alone; none = all rows.

        What is said in `gpuledger.policies` goes with every question. One that was opened for
        reading has clients of its own then: close it. ConfigError for a team without a name, or
        where none of the teams is among those that this store is limited to.
        """
        if not teams:
            return self
        kept = tuple(team for team in teams if not self._teams or team in self._teams)
        if not kept or not all(kept):
            raise ConfigError("no rows: a team without a name, or one that is not yours")
        other = copy(self)
        other._teams = kept  # noqa: SLF001 - our own
        if self._readonly:
            other._local, other._clients = threading.local(), []  # noqa: SLF001 - our own
        return other

    def close(self) -> None:
        """Close every thread's client."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
            peers = list(self._peers.values())
        for peer in peers:
            peer.close()
        self._local = threading.local()

    def _shards(self) -> list[Store]:
        """A store for each shard that is named by its address; none where there is a Keeper."""
        return [self._peer(a) for a in shard_addresses(self._settings, self.address)]

    def _asked(self) -> Store:
        """Who tells of a database that may not be there yet; an embedded engine makes it."""
        return self if self.address.directory else self._peer(self.address)

    def _peer(self, address: Address) -> Store:
        """A server of the cluster, where our databases may not be yet."""
        with self._lock:
            if address not in self._peers:
                settings = msgspec.structs.replace(self._settings, cluster="", shards=[])
                self._peers[address] = Store(replace(address, database="default"), settings)
            return self._peers[address]

    def _query(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        def read(client: Any) -> Any:
            result = client.query(sql, parameters=parameters, settings=self._limited(client))
            assert result.result_rows is not None  # the answer may also break off while it is read
            return result

        with self.watch(self._limits.name) as asked:
            result = self._ask(read, sql)
            asked.answered(result)
        return result

    def _limited(self, client: Any) -> dict[str, Any]:
        """Our limits, where the server's are not stricter and its user may set them."""
        if self._readonly:
            return {}
        embedded = self.address.directory is not None
        limits = {
            name: limit
            for name, limit in self._limits.settings(embedded=embedded).items()
            if not _is_held(client.server_settings.get(name), limit)
        }
        return {**limits, **self._row_filters()}

    def _row_filters(self) -> dict[str, str]:
        """The setting that hides other teams' rows; never left out, whatever the server holds."""
        if not self._teams:
            return {}
        return {ROW_FILTERS: policies.filters(self._teams, self.address.database)}

    def _ask(self, question: Callable[[Any], Any], sql: str = "") -> Any:
        with connecting(self.address):
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
        client = embedded(address) if address.directory else served(address, self._settings)
        if self._readonly:
            settings: dict[str, Any] = dict(self._limits.settings(embedded=True))
            if self._teams:
                settings |= {**ORDERED, **self._row_filters()}
            told = ", ".join(f"{name} = {value}" for name, value in settings.items())
            client.command(f"SET {told}, readonly = 1")
        return client


def _is_held(setting: Any, limit: int) -> bool:
    """Whether a server's setting cannot be set, or limits more than we would."""
    if setting is None or setting.readonly:
        return True
    return str(setting.value).isdecimal() and 0 < int(setting.value) <= limit


def _with_token(token: str | None) -> dict[str, Any]:
    # Equal rows may be two facts. `insert_deduplicate = 0` would not do: 26.2 outranks it.
    return {**INSERT_SETTINGS, "insert_deduplication_token": token or uuid4().hex}


def _check_version(version: str, address: Address) -> None:
    found = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if found < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise StoreError(f"{address}: ClickHouse {version} is too old, {oldest} or newer is needed")


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
