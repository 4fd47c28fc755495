"""`gpuledger up`: collector, embedded database, analytics and API on this machine."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.cli.serve import guarded, listen_option
from gpuledger.config import Config
from gpuledger.files import writable
from gpuledger.store import Address, Store, StoreSettings

if TYPE_CHECKING:
    from analytics.tls import Tls


@click.command("up")
@options.config_option
@options.log_format_option
@listen_option
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("gpuledger-data"),
    show_default=True,
    help="Where the database and the agent's spool live.",
)
@click.option("--cluster", default="local", show_default=True)
@guarded
def command(
    config_path: Path | None,
    log_format: str,
    listen: str,
    directory: Path,
    cluster: str,
    tls: Tls | None,
) -> None:
    """Book this very machine: real sources, embedded database, analytics and API."""
    from analytics import server
    from collector.run import build
    from collector.source import Context, Role
    from gpuledger.cli.wiring import make_service

    options.log_lines(log_format)
    slurm = shutil.which("squeue") is not None
    configuration = _defaults(options.load_config(config_path), slurm=slurm)
    bound = server.bind(listen)
    home = writable(directory).absolute()
    store = Store(Address(home / "store"), configuration.section("store", StoreSettings))
    store.apply()
    agent = build(
        configuration,
        Context(cluster, socket.gethostname()),
        home / "spool.db",
        store=store,
        roles=(Role.NODE, Role.CLUSTER) if slurm else (Role.NODE,),
    )
    agent.start()
    try:
        server.run(make_service(store, configuration), bound, _say, tls=tls)
    finally:
        agent.stop()
        store.close()


def _defaults(configuration: Config, *, slurm: bool) -> Config:
    """Without a scheduler, a GPU with a process counts as given to the process's user."""
    return configuration.with_defaults({"nvml": {"processes_as_jobs": not slurm}})


def _say(line: str) -> None:
    click.echo(line)
    if not Path("/proc/driver/nvidia/version").exists():
        click.echo("no GPU owned: this machine has no NVIDIA driver; the rest is recorded")
