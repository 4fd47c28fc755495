"""`gpuledger collect`: the node agent."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from gpuledger.cli import options, show
from gpuledger.errors import ConfigError
from gpuledger.files import writable
from gpuledger.schema import Row


@click.command("collect")
@options.config_option
@click.option(
    "--store",
    "store_url",
    envvar="GPULEDGER_STORE",
    show_envvar=True,
    default="",
    metavar="URL",
    help="Insert straight into this ClickHouse.",
)
@click.option(
    "--ingest",
    "ingest_url",
    envvar="GPULEDGER_INGEST",
    show_envvar=True,
    default="",
    metavar="URL",
    help="Send to this service; token from GPULEDGER_TOKEN or GPULEDGER_TOKEN_FILE.",
)
@click.option(
    "--cluster",
    envvar="GPULEDGER_CLUSTER",
    show_envvar=True,
    default="default",
    show_default=True,
    help="Part of every asset's name: choose it once.",
)
@click.option("--node", default=socket.gethostname, help="Name of this node [default: host name].")
@click.option(
    "--role",
    type=click.Choice(["node", "cluster"]),
    envvar="GPULEDGER_ROLE",
    show_envvar=True,
    default="node",
    show_default=True,
    help="node: this machine's devices; cluster: what is told once for all, e.g. by Slurm.",
)
@click.option(
    "--spool",
    type=click.Path(path_type=Path),
    default=Path("gpuledger-spool.db"),
    show_default=True,
    help="File that keeps rows until they are safe elsewhere.",
)
@click.option("--once", is_flag=True, help="Print one reading of each source and end.")
@options.format_option("table", "json")
def command(
    config_path: Path | None,
    store_url: str,
    ingest_url: str,
    cluster: str,
    node: str,
    role: str,
    spool: Path,
    once: bool,
    fmt: str,
) -> None:
    """Read this machine's devices and ship what they say."""
    from collector import run
    from collector.source import Context, Role

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    configuration = options.load_config(config_path)
    context, roles = Context(cluster, node), (Role(role),)
    if once:
        _print(run.once(configuration, context, roles=roles), fmt)
        return
    if not store_url and not ingest_url:
        raise ConfigError("say where rows go: --ingest URL, --store URL, or --once to print them")
    writable(spool.absolute().parent)
    agent = run.build(
        configuration,
        context,
        spool,
        store_url=store_url,
        ingest_url=ingest_url,
        token=_token(),
        roles=roles,
    )
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    agent.start()
    click.echo("ready")
    stopped.wait()
    agent.stop()


def _token() -> str:
    """The token of the environment; a sender without one sends none."""
    path = os.environ.get("GPULEDGER_TOKEN_FILE")
    if not path:
        return os.environ.get("GPULEDGER_TOKEN", "")
    try:
        return Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"GPULEDGER_TOKEN_FILE {path}: {e.strerror}") from None


def _print(rows: Sequence[Row], fmt: str) -> None:
    if fmt == "json":
        show.as_json([{"table": r.table.name, **r.values()} for r in rows])
    else:
        show.rows_by_table(rows)
