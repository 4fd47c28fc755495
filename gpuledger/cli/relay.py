"""`gpuledger relay`: the door for senders alone, before a ClickHouse server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.cli.serve import guarded, listen_option, spool_option
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from analytics.tls import Tls


@click.command("relay")
@options.store_option
@options.config_option
@options.log_format_option
@listen_option
@spool_option
@guarded
def command(
    store_url: str,
    config_path: Path | None,
    log_format: str,
    listen: str,
    spool: Path | None,
    tls: Tls | None,
) -> None:
    """Take rows from many senders and bring them into the store in large blocks, until Ctrl-C.

    A batch is acknowledged when it is safe on this disk, also while the store is away. Senders
    need a token of `gpuledger tokens create --role ingest`, or GPULEDGER_INGEST_TOKEN (or _FILE);
    GPULEDGER_TOKEN opens /metrics as well. Each sender belongs to one relay; the schema is brought
    up to date by `serve` or `schema apply`.
    """
    from analytics import server
    from analytics.access.keys import Keys
    from analytics.access.trust import certificates, issuers
    from analytics.ingest.intake import make_intake
    from analytics.service import Keeper
    from gpuledger.cli.wiring import make_watch, relay_spool

    options.log_lines(log_format)
    configuration = options.load_config(config_path)
    store = options.open_store(store_url, configuration)
    if store.address.directory:
        raise ConfigError("relay: an embedded store is for one process, 'serve' has its own relay")
    keeper = Keeper(
        server.token(os.environ),
        server.token(os.environ, "GPULEDGER_INGEST_TOKEN"),
        Keys(store),
        issuers(configuration),
        certificates(configuration),
    )
    bound = server.bind(listen)
    intake = make_intake(relay_spool(spool, store.address), store, configuration)
    server.run_relay(intake, keeper, bound, click.echo, make_watch(configuration, "relay"), tls)
    store.close()
