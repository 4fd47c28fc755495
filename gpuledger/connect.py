"""The driver's clients: the engine in this process, or a server over HTTP(S)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpuledger import cluster
from gpuledger.address import Address, StoreSettings
from gpuledger.complaints import translated
from gpuledger.directory import claim
from gpuledger.errors import ConfigError, StoreError

# The driver also logs, with a traceback, what it raises and we report.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


def embedded(address: Address) -> Any:
    """A client of the engine in this process, on the database of the address."""
    import clickhouse_connect  # noqa: PLC0415 - a node that only ships to a service needs no engine

    directory = address.directory
    assert directory
    claim(directory)
    client = clickhouse_connect.get_client(
        interface="chdb",
        path=str(directory),
        tz_mode="aware",
        # Where the engine may write a backup: whoever may run that statement owns the process.
        chdb_options={"backups.allowed_path": "/"},
    )
    client.command(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")
    client.command(f"USE `{address.database}`")
    client.database = address.database
    return client


def served(address: Address, settings: StoreSettings) -> Any:
    """A client of a server. StoreError for a file of [store] that is not there (any more)."""
    import clickhouse_connect  # noqa: PLC0415 - see above

    # The driver, once imported, lets it tell each try of each request.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password,
        database=address.database,
        secure=address.secure,
        settings=cluster.SETTINGS if settings.cluster else None,
        **_certificates(address, settings),
        connect_timeout=settings.connect_timeout_s,
        send_receive_timeout=settings.query_timeout_s,
        # Sessions would serialise the threads that share a server.
        autogenerate_session_id=False,
        tz_mode="aware",
    )


def _certificates(address: Address, settings: StoreSettings) -> dict[str, Any]:
    """How the server and we prove who we are; nothing of it without TLS.

    With a password the certificate only opens the connection, without one it is the user's.
    """
    named = {
        "ca_cert": settings.ca_cert,
        "client_cert": settings.client_cert,
        "client_key": settings.client_key,
    }
    files = {name: path for name, path in named.items() if path}
    if not address.secure:
        if files or settings.server_host_name:
            first = next(iter([*files, "server_host_name"]))
            raise ConfigError(f"[store] {first}: {address} has no TLS; write https://")
        return {}
    for name, path in files.items():
        if not Path(path).is_file():
            raise StoreError(f"{address}: there is no file {path} (see [store] {name})")
    out: dict[str, Any] = dict(files)
    if "client_key" in out:
        out["client_cert_key"] = out.pop("client_key")
    if settings.client_cert:
        out["tls_mode"] = "strict" if address.password else "mutual"
    if settings.server_host_name:
        out["server_host_name"] = settings.server_host_name
    return out


@contextmanager
def connecting(address: Address) -> Iterator[None]:
    """Map the driver's errors to ours, in one line that names the store."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415 - see above

    try:
        yield
    except (ClickHouseError, OSError) as e:
        raise translated(e, address) from e
