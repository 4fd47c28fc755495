"""`gpuledger relay`: the door for senders alone, before a ClickHouse server."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gpuledger.cli import options
from gpuledger.cli.serve import listen_option, spool_option
from gpuledger.errors import ConfigError


@click.command("relay")
@options.store_option
@options.config_option
@listen_option
@spool_option
def command(store_url: str, config_path: Path | None, listen: str, spool: Path | None) -> None:
    """Take rows from many senders and bring them into the store in large blocks, until Ctrl-C.

    A batch is acknowledged when it is safe on this disk, also while the store is away. Senders
    need GPULEDGER_INGEST_TOKEN (or _FILE); GPULEDGER_TOKEN opens /metrics as well. Each sender
    belongs to one relay; the schema is brought up to date by `serve` or `schema apply`.
    """
    from analytics import server
    from analytics.ingest.intake import make_intake
    from analytics.service import Keeper
    from gpuledger.cli.wiring import relay_spool

    options.log_lines()
    configuration = options.load_config(config_path)
    store = options.open_store(store_url, configuration)
    if store.address.directory:
        raise ConfigError("relay: an embedded store is for one process, 'serve' has its own relay")
    keeper = Keeper(server.token(os.environ), server.token(os.environ, "GPULEDGER_INGEST_TOKEN"))
    if not keeper.token and not keeper.ingest_token:
        raise ConfigError("relay: set GPULEDGER_INGEST_TOKEN or GPULEDGER_INGEST_TOKEN_FILE")
    bound = server.bind(listen)
    intake = make_intake(relay_spool(spool, store.address), store, configuration)
    server.run_relay(intake, keeper, bound, click.echo)
    store.close()
