"""`gpuledger serve`: analytics and API over a store."""

from __future__ import annotations

import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options
from gpuledger.cli.options import Command

if TYPE_CHECKING:
    from analytics.tls import Tls

TOKENS = ("GPULEDGER_TOKEN", "GPULEDGER_INGEST_TOKEN")

listen_option = click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Or unix:/path, a socket for yourself alone.",
)


def guarded(function: Command) -> Command:
    """The options that say how a service is guarded: the command gets `tls`, checked."""
    file = click.Path(path_type=Path)

    @click.option("--tls-cert", type=file, metavar="FILE", help="Certificate with its chain, PEM.")
    @click.option("--tls-key", type=file, metavar="FILE", help="Its private key.")
    @click.option(
        "--tls-client-ca", type=file, metavar="FILE", help="Authority of clients' certificates."
    )
    @click.option(
        "--insecure",
        is_flag=True,
        envvar="GPULEDGER_INSECURE",
        show_envvar=True,
        help="Let others in without TLS, or without a token that was set.",
    )
    @wraps(function)
    def command(
        *,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_client_ca: Path | None,
        insecure: bool,
        **rest: Any,
    ) -> Any:
        from analytics.server import token
        from analytics.tls import check_place, make_tls

        tls = make_tls(tls_cert, tls_key, tls_client_ca)
        tokens = any(token(os.environ, name) for name in TOKENS)
        check_place(rest["listen"], tls=tls is not None, tokens=tokens, insecure=insecure)
        return function(tls=tls, **rest)

    return command


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
    """Run the analytics every minute and serve the API, until Ctrl-C.

    The schema is brought up to date first. GPULEDGER_TOKEN or GPULEDGER_TOKEN_FILE sets the token
    that every route wants; without them a random one is made, and a login link printed.
    """
    from analytics import server
    from gpuledger.cli.wiring import make_service

    options.log_lines(log_format)
    configuration = options.load_config(config_path)
    bound = server.bind(listen)
    store = options.open_store(store_url, configuration)
    store.apply()
    # What is printed here ends up in a journal, which more people read than may decide.
    link = not server.token(os.environ)
    service = make_service(store, configuration, spool=spool)
    server.run(service, bound, click.echo, tls=tls, link=link)
    store.close()
