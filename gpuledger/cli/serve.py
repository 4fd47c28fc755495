"""`gpuledger serve`: analytics and API over a store."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options

listen_option = click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT"
)


@click.command("serve")
@options.store_option
@options.config_option
@listen_option
def command(store_url: str, config_path: Path | None, listen: str) -> None:
    """Run the analytics every minute and serve the API, until Ctrl-C.

    The schema is brought up to date first. GPULEDGER_TOKEN or GPULEDGER_TOKEN_FILE sets the token
    that every route wants; without them a random one is made, and a login link printed.
    """
    from analytics import server
    from gpuledger.cli.wiring import make_service

    configuration = options.load_config(config_path)
    bound = server.bind(listen)
    store = options.open_store(store_url, configuration)
    store.apply()
    server.run(make_service(store, configuration), bound, click.echo)
    store.close()
