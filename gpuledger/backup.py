"""A database as a whole into a backup and back, by ClickHouse's own BACKUP and RESTORE."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gpuledger import ddl
from gpuledger.complaints import unwrapped
from gpuledger.directory import is_store
from gpuledger.errors import ConfigError, StoreError
from gpuledger.files import writable
from gpuledger.service import ServiceFile
from gpuledger.store import Store

# What people hand through to a server: a kind of place, and texts only.
_PLACE = re.compile(r"(?:Disk|File|S3|AzureBlobStorage)\(\s*(?:'(?:[^'\\]|\\.)*'\s*,?\s*)+\)")
_SECRETS = re.compile(r"^((?:S3|AzureBlobStorage)\('[^']*').*", re.DOTALL)
GOING_ON = {"CREATING_BACKUP", "RESTORING"}
DONE = {"BACKUP_CREATED", "RESTORED"}
# The engine's words for a place that whoever asked has to name anew.
WRONG_PLACE = (
    *("BACKUP_NOT_FOUND", "BACKUP_ALREADY_EXISTS", "BACKUP_ENTRY_NOT_FOUND"),
    *("filesystem error", "BAD_ARGUMENTS"),
)
POLL_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """Files and bytes of a database, and what was written of them: less where there is a base.

    `place` is without the keys that lead to it.
    """

    place: str
    files: int
    bytes: int
    own_files: int
    own_bytes: int


@dataclass(frozen=True)
class Backups:
    """Backups of one store's database."""

    store: Store
    sleep: Callable[[float], None] = time.sleep

    def make(self, to: str, base: str = "") -> Outcome:
        """A new backup; with `base`, only of what that older one lacks.

        ConfigError where there is no store, or the destination is none or taken; StoreError where
        the engine refuses.
        """
        directory = self.store.address.directory
        if directory and not is_store(directory):
            raise ConfigError(f"there is no gpuledger store in {directory}")
        place = self._place(to)
        if directory:
            _check_new(Path(to))
        since = (f"base_backup = {self._place(base)}",) if base else ()
        self._alone()
        return self._run(self.store, f"BACKUP DATABASE {self._name} TO", place, *since)

    def restore(self, source: str) -> Outcome:
        """Fill the database, which must be empty, and bring its schema up to date."""
        place = self._place(source)
        self._alone()
        # A server hears nothing about a database from within it while it is not there.
        outside = self.store.elsewhere("system")
        self._check_empty(outside)
        drop = f"DROP DATABASE IF EXISTS {self._name} SYNC"
        outside.command(drop)
        try:
            done = self._run(outside, f"RESTORE DATABASE {self._name} FROM", place)
        except (StoreError, ConfigError):
            # Half a database looks like a whole one with less in it.
            outside.command(drop)
            raise
        finally:
            outside.close()
        self.store.apply()
        return done

    @property
    def _name(self) -> str:
        return f"`{self.store.address.database}`"

    def _place(self, text: str) -> str:
        if self.store.address.directory:
            if not text or _PLACE.fullmatch(text) or "://" in text:
                raise ConfigError(f"'{text}': the embedded store is backed up to a path")
            quoted = str(Path(text).absolute()).replace("\\", "\\\\").replace("'", "\\'")
            return f"File('{quoted}')"
        if not _PLACE.fullmatch(text):
            raise ConfigError(
                f"{text}: a server writes its backups itself; write Disk('name', 'file.zip'),"
                " File('file.zip') or S3('url', 'key', 'secret')"
            )
        return text

    def _alone(self) -> None:
        """Refuse a cluster, and an embedded engine that a service holds."""
        if self.store.cluster:
            raise ConfigError(
                "a cluster is backed up by BACKUP ... ON CLUSTER of its local database"
            )
        directory = self.store.address.directory
        running = ServiceFile(directory).read() if directory else None
        if running:
            raise ConfigError(
                f"{self.store.address} is served at {running['url']}: stop the service"
                " first; 'gpuledger export' works beside it"
            )

    def _check_empty(self, outside: Store) -> None:
        name = self.store.address.database
        rows = outside.select(
            "SELECT name, total_rows AS n FROM system.tables WHERE database = {d:String}", d=name
        )
        ours = {target.name for target in ddl.targets()}
        for row in rows:
            if row["name"] not in ours or row["n"]:
                holds = f"{row['n']:,} rows in {row['name']}" if row["n"] else row["name"]
                raise ConfigError(
                    f"the database {name} is not empty: it has {holds}; a backup is restored only"
                    " into an empty one"
                )

    def _run(self, store: Store, statement: str, place: str, *settings: str) -> Outcome:
        """Start it, and wait until the engine says how it ended."""
        name = uuid4().hex
        given = ", ".join((f"id = '{name}'", *settings))
        store.command(f"{statement} {place} SETTINGS {given} ASYNC")
        while True:
            (row,) = store.select(
                "SELECT status, error, num_files AS files, total_size AS bytes,"
                " num_entries AS own_files, uncompressed_size AS own_bytes"
                " FROM system.backups WHERE id = {id:String}",
                id=name,
            )
            status, error = row.pop("status"), row.pop("error")
            if status in DONE:
                return Outcome(_told(place), **row)
            if status not in GOING_ON:
                said = unwrapped(error.partition("Stack trace")[0])
                wrong = any(word in said for word in WRONG_PLACE)
                kind = ConfigError if wrong else StoreError
                raise kind(f"{_told(place)}: {said.replace(place, _told(place))[:300]}")
            self.sleep(POLL_S)


def _check_new(path: Path) -> None:
    """Refuse what is there: the engine would mix its files with others."""
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ConfigError(f"{path} already exists: name another place for the backup")
    writable(path.absolute().parent)


def _told(place: str) -> str:
    """A destination as it may be shown: its first argument, no keys."""
    return _SECRETS.sub(r"\1)", place)
