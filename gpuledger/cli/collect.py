"""`gpuledger collect`: the node agent."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.files import writable
from gpuledger.schema import Row
from gpuledger.spool import Spool

if TYPE_CHECKING:
    from collector.agent import Agent, Parts
    from collector.run import Wiring


@click.command("collect")
@options.config_option
@options.log_format_option
@options.address_option("store", "STORE", "Insert straight into this ClickHouse.")
@options.address_option(
    "ingest",
    "INGEST",
    "Send to this service; token from GPULEDGER_TOKEN or GPULEDGER_TOKEN_FILE.",
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
    log_format: str,
    store_url: str,
    ingest_url: str,
    cluster: str,
    node: str,
    role: str,
    spool: Path,
    once: bool,
    fmt: str,
) -> None:
    """Read this machine's devices and ship what they say; SIGHUP reads the settings again."""
    from collector import run
    from collector.source import Context, Role

    options.log_lines(log_format)
    configuration = options.load_config(config_path)
    context, roles = Context(cluster, node), (Role(role),)
    if once:
        _print(run.once(configuration, context, roles=roles), fmt)
        return
    if not store_url and not ingest_url:
        raise ConfigError("say where rows go: --ingest URL, --store URL, or --once to print them")
    writable(spool.absolute().parent)
    doors = store_url, ingest_url, options.token()
    wiring = run.Wiring(context, Spool(spool), *doors, roles=roles, fresh=options.token)
    _serve(wiring, configuration, config_path)


def _serve(wiring: Wiring, configuration: Config, config_path: Path | None) -> None:
    """Collect until a signal says to end; on SIGHUP, take the file's new configuration."""
    from collector.lean import leave_out_tls

    plain = wiring.is_plain(configuration)
    if plain:
        leave_out_tls()
    agent = wiring.agent(configuration)
    signals: SimpleQueue[int] = SimpleQueue()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, _: signals.put(number))
    agent.start()
    click.echo("ready")
    while signals.get() == signal.SIGHUP:
        _reload(agent, wiring, config_path, plain=plain)
    agent.stop()


def _reload(agent: Agent, wiring: Wiring, config_path: Path | None, *, plain: bool) -> None:
    """Change over to the file's configuration; a wrong one is said, and changes nothing."""
    log = wiring.context.log
    try:
        agent.change(_parts(wiring, config_path, plain=plain))
    except ConfigError as e:
        log.error("the configuration stays as it was: %s", e)
    else:
        log.info("the configuration was read again")


def _parts(wiring: Wiring, config_path: Path | None, *, plain: bool) -> Parts:
    """What the file makes of an agent now. ConfigError for whatever keeps it from that."""
    try:
        configuration = options.load_config(config_path)
        if plain and not wiring.is_plain(configuration):
            raise ConfigError("an edge agent over plain HTTP began without TLS: start it anew")
        return replace(wiring, token=options.token()).parts(configuration)
    except ConfigError:
        raise
    except Exception as e:
        # E.g. a library that a new setting needs and nobody installed.
        wiring.context.log.debug("the configuration", exc_info=True)
        raise ConfigError(f"{type(e).__name__}: {e}") from e


def _print(rows: Sequence[Row], fmt: str) -> None:
    from gpuledger.cli import show

    if fmt == "json":
        show.as_json([{"table": r.table.name, **r.values()} for r in rows])
    else:
        show.rows_by_table(rows)
