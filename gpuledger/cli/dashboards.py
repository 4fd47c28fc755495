"""`gpuledger dashboards`: files for Grafana."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.files import writable


@click.group("dashboards")
def command() -> None:
    """Generated Grafana boards."""


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
def build(out: Path) -> None:
    """Write one JSON file per board."""
    from dashboards.build import write

    for path in write(writable(out)):
        click.echo(path)
