"""`gpuledger serve`: analytics and API over a store."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options

listen_option = click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT"
)
spool_option = click.option(
    "--spool",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keeps accepted rows until the store has them"
    " [default: gpuledger-relay.db in the embedded store's directory, or in this one].",
)


@click.command("serve")
@options.store_option
@options.config_option
@listen_option
@spool_option
def command(store_url: str, config_path: Path | None, listen: str, spool: Path | None) -> None:
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
    server.run(make_service(store, configuration, spool=spool), bound, click.echo)
    store.close()
