"""Where a store is, and the settings of section `[store]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec

from gpuledger.config import Settings
from gpuledger.ddl import Keeping
from gpuledger.errors import ConfigError

DATABASE = "gpuledger"


class StoreSettings(Settings):
    """Section `[store]`."""

    ca_cert: Annotated[str, "file with the certificate authority of the server"] = ""
    client_cert: Annotated[str, "our certificate, where the server asks for one"] = ""
    client_key: Annotated[str, "its private key; empty = it is in the same file"] = ""
    server_host_name: Annotated[str, "name in the server's certificate, where it is another"] = ""
    connect_timeout_s: Annotated[int, "time to wait for a connection"] = 10
    query_timeout_s: Annotated[int, "time to wait for an answer"] = 300
    cluster: Annotated[str, "name in the servers' remote_servers; empty = one node"] = ""
    shards: Annotated[
        list[str],
        "HTTP address of the one server of each shard, where there is no Keeper; empty = Keeper",
    ] = msgspec.field(default_factory=list)
    retention: Annotated[bool, "delete rows by age, as the days below say"] = False
    raw_days: Annotated[int, "days that samples are kept; 0 = for ever"] = 14
    minutes_days: Annotated[int, "days that minutes and events are kept; 0 = for ever"] = 396
    hours_days: Annotated[int, "days that hours and days are kept; 0 = for ever"] = 0
    ledger_days: Annotated[int, "days that the book is kept; 0 = for ever"] = 0
    persons_days: Annotated[
        int, "days after which rows name nobody any more, sums stay; 0 = as long as the rows"
    ] = 0
    storage_policy: Annotated[str, "storage policy of the servers' configuration"] = ""
    cold_volume: Annotated[str, "volume of that policy which old rows move to"] = ""
    cold_after_days: Annotated[int, "age at which rows move to the cold volume"] = 7

    def keeping(self) -> Keeping:
        """How long rows are kept and where. ConfigError where the settings contradict."""
        days = {
            "raw": self.raw_days,
            "minutes": self.minutes_days,
            "hours": self.hours_days,
            "ledger": self.ledger_days,
        }
        for name, kept in days.items():
            if kept < 0:
                raise ConfigError(f"[store] {name}_days: {kept} is below 0")
        if self.cold_volume and not self.storage_policy:
            raise ConfigError("[store] cold_volume: say which storage_policy has it")
        if self.cold_after_days < 1:
            raise ConfigError(f"[store] cold_after_days: {self.cold_after_days} is below 1")
        return Keeping(
            days=days if self.retention else None,
            policy=self.storage_policy,
            volume=self.cold_volume,
            cold_days=self.cold_after_days,
        )


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

    @property
    def place(self) -> tuple[str, int]:
        """Which server it is, whatever is asked of it."""
        return self.host, self.port

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


def shard_addresses(settings: StoreSettings, address: Address) -> list[Address]:
    """The shards named one by one; user, password and database are those of the store's address.

    ConfigError where there can be no cluster, or a name is no address of a server.
    """
    if settings.shards and not settings.cluster:
        raise ConfigError("[store] shards: say which cluster they are")
    if settings.cluster and address.directory:
        raise ConfigError(f"{address} is one node: [store] cluster needs a server")
    found = [parse_address(url, {}) for url in settings.shards]
    for shard, url in zip(found, settings.shards, strict=True):
        if shard.directory:
            raise ConfigError(f"[store] shards: {url} is no server")
    return [replace(address, host=s.host, port=s.port, secure=s.secure) for s in found]


def _password(environ: Mapping[str, str]) -> str:
    path = environ.get("GPULEDGER_STORE_PASSWORD_FILE")
    if not path:
        return environ.get("GPULEDGER_STORE_PASSWORD", "")
    try:
        return Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"GPULEDGER_STORE_PASSWORD_FILE {path}: {e.strerror}") from None
